package journal

// Frames: what the segments that are kept for long are made of. A frame holds the records of several requests, their messages
// without the sender's compression, as columns that are compressed each by itself.

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/wrackline/wrackline/baseline/codec"
)

// Plain is the Encoding of a record whose body is the message itself, uncompressed. Replay gives such records for what has
// been compressed meanwhile: the message is the same to the byte, what the sender wrapped it in is gone.
const Plain = 3

const (
	protoV1        = 1 // see ingest.Proto and ingest.Encoding, whose numbers these are
	encodingSnappy = 1
	encodingZstd   = 2

	frameHead    = 20 + 8*columnCount // first and last position, number of records, sizes of the columns
	frameMin     = recordHead + frameHead
	frameBytes   = 8 << 20  // a frame with this much of bodies is full
	frameRecords = 4096     // or with so many records
	bodyMax      = 8 << 20  // a larger body is not put into a frame, and a larger message not unpacked
	columnsMax   = 48 << 20 // all columns of a frame; no sizes beyond this are believed

	bodyAsIs  = 0
	bodySplit = 1
)

// errUnfit is returned for a record that no frame takes. Its segment stays as it is.
var errUnfit = errors.New("record does not fit into a frame")

// packer makes frames of most bytes of bodies and one record. Make one with newPacker.
type packer struct {
	split    splitter
	enc      *zstd.Encoder
	unpacker *zstd.Decoder
	message  []byte // of the body that is being added
	packed   []byte // columns

	heads       codec.Writer
	first, last uint64
	received    int64
	records     int
	bodies      int // bytes
	most        int // of them
}

func newPacker(most int) (*packer, error) {
	// The columns of a frame are some MiB, most of them one; a larger window than that is memory and nothing else.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(4<<20), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("zstd encoder: %w", err)
	}
	dec, err := newUnpacker(bodyMax)
	return &packer{enc: enc, unpacker: dec, most: most}, err
}

// newUnpacker returns a decoder that works in the goroutine of its caller and never makes more than most bytes.
func newUnpacker(most int) (*zstd.Decoder, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(uint64(most)),
		zstd.WithDecoderMaxWindow(uint64(most)), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, fmt.Errorf("zstd decoder: %w", err)
	}
	return d, nil
}

// full reports whether the frame should be ended.
func (p *packer) full() bool { return p.bodies >= p.most || p.records >= frameRecords }

// add puts a record into the frame. Positions rise by one.
func (p *packer) add(pos uint64, r Record) error {
	if len(r.Body) > bodyMax {
		return fmt.Errorf("%w: body of %d bytes", errUnfit, len(r.Body))
	}
	if p.records > 0 && pos != p.last+1 {
		return fmt.Errorf("%w: position %d after %d", errUnfit, pos, p.last)
	}
	if p.records == 0 {
		p.split.reset()
		p.heads = codec.Writer{B: p.heads.B[:0]}
		p.first, p.last, p.received, p.bodies = pos, pos, 0, 0
	}
	kind := byte(bodyAsIs)
	if m, ok := p.unpack(r); ok {
		r.Body, r.Encoding = m, Plain
		if r.Proto == protoV1 {
			kind = bodySplit
		}
	}
	w := &p.heads
	w.Int(r.ReceivedMs - p.received)
	w.Byte(r.Proto)
	w.Byte(r.Encoding)
	w.Byte(kind)
	w.Word(r.Sender)
	w.Word(r.Cluster)
	w.Num(len(r.Body))
	w.B = binary.LittleEndian.AppendUint32(w.B, codec.Checksum(r.Body))
	if kind == bodySplit {
		p.split.split(r.Body)
	} else {
		p.split.cols[colRest] = append(p.split.cols[colRest], r.Body...)
	}
	p.last, p.received = pos, r.ReceivedMs
	p.records++
	p.bodies += len(r.Body)
	return nil
}

var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// unpack returns the message in a body, when it can be had and is not too large. What cannot be unpacked is kept as it came: whoever
// replays it will say what is wrong with it. Senders mislabel their bodies, so these are asked first, as package ingest does.
func (p *packer) unpack(r Record) ([]byte, bool) {
	switch {
	case r.Encoding == Plain:
		return r.Body, true
	case r.Encoding != encodingSnappy && r.Encoding != encodingZstd:
		return nil, false
	case len(r.Body) >= 4 && string(r.Body[:4]) == string(zstdMagic):
		var h zstd.Header
		if err := h.Decode(r.Body); err != nil || !h.HasFCS || h.FrameContentSize > bodyMax {
			return nil, false
		}
		p.grow(int(h.FrameContentSize))
		m, err := p.unpacker.DecodeAll(r.Body, p.message[:0])
		return m, err == nil
	}
	n, err := s2.DecodedLen(r.Body)
	if err != nil || n > bodyMax || n > 22*len(r.Body) {
		return nil, false
	}
	p.grow(n)
	m, err := s2.Decode(p.message[:n], r.Body)
	return m, err == nil
}

func (p *packer) grow(n int) {
	if cap(p.message) < n {
		p.message = make([]byte, 0, n)
	}
}

// appendFrame appends the frame and begins another one.
func (p *packer) appendFrame(dst []byte, salt uint64) ([]byte, error) {
	p.split.cols[colHeads] = p.heads.B
	total := 0
	for _, c := range p.split.cols {
		total += len(c)
	}
	if total > columnsMax {
		return dst, fmt.Errorf("%w: columns of %d bytes", errUnfit, total)
	}
	n := len(dst)
	dst = append(dst, make([]byte, recordHead)...)
	dst = binary.LittleEndian.AppendUint64(dst, p.first)
	dst = binary.LittleEndian.AppendUint64(dst, p.last)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(p.records))
	sizes := len(dst)
	dst = append(dst, make([]byte, 8*columnCount)...)
	for i, c := range p.split.cols {
		p.packed = p.enc.EncodeAll(c, p.packed[:0])
		binary.LittleEndian.PutUint32(dst[sizes+8*i:], uint32(len(c)))
		binary.LittleEndian.PutUint32(dst[sizes+8*i+4:], uint32(len(p.packed)))
		dst = append(dst, p.packed...)
	}
	binary.LittleEndian.PutUint32(dst[n:], uint32(len(dst)-n-recordHead))
	binary.LittleEndian.PutUint32(dst[n+4:], checksum(frameSalt(salt), dst[n:]))
	p.records, p.bodies = 0, 0
	return dst, nil
}

// frameSalt goes into the checksums of frames: a frame must not pass for a record when the header that says which of them follow is damaged.
func frameSalt(salt uint64) uint64 { return ^salt }

// frame reads the records of one frame.
type frame struct {
	unpacker *zstd.Decoder
	plain    []byte // the columns
	body     []byte // of the current record

	join     joiner
	heads    *codec.Reader
	left     int    // records
	last     uint64 // position of the current record
	end      uint64 // position of the last one
	received int64
}

// begin makes b, whose checksum is right, the frame that is read.
func (f *frame) begin(b []byte) error {
	f.left = 0
	p := b[recordHead:]
	f.last, f.end = binary.LittleEndian.Uint64(p)-1, binary.LittleEndian.Uint64(p[8:])
	records := binary.LittleEndian.Uint32(p[16:])
	var total, stored uint64
	for i := range columnCount {
		total += uint64(binary.LittleEndian.Uint32(p[20+8*i:]))
		stored += uint64(binary.LittleEndian.Uint32(p[24+8*i:]))
	}
	if total > columnsMax || stored != uint64(len(p)-frameHead) || records == 0 || records > frameRecords || uint64(records) != f.end-f.last {
		return errColumns
	}
	if f.unpacker == nil {
		d, err := newUnpacker(columnsMax)
		if err != nil {
			return err
		}
		f.unpacker = d
	}
	if uint64(cap(f.plain)) < total {
		f.plain = make([]byte, 0, total)
	}
	var cols columns
	out, in := f.plain[:0], p[frameHead:]
	for i := range cols {
		size, n := int(binary.LittleEndian.Uint32(p[20+8*i:])), binary.LittleEndian.Uint32(p[24+8*i:])
		c, err := f.unpacker.DecodeAll(in[:n], out[len(out):len(out):len(out)+size])
		if err != nil || len(c) != size {
			return errColumns
		}
		cols[i], in = c, in[n:]
		out = out[:len(out)+size]
	}
	f.heads = codec.NewReader(cols[colHeads], errColumns)
	f.join.reset(cols)
	f.received = 0
	f.left = int(records)
	return nil
}

// next reads the next record into r, which borrows from the frame until next or begin is called again. After an error there is none.
func (f *frame) next(r *Record) error {
	left := f.left - 1
	f.left = 0
	h := f.heads
	f.last++
	f.received += h.Int()
	*r = Record{ReceivedMs: f.received, Proto: h.Byte(), Encoding: h.Byte()}
	kind := h.Byte()
	r.Sender, r.Cluster = h.Word(), h.Word()
	size := h.Num(bodyMax)
	sum := h.Take(4)
	if h.Err() != nil || kind > bodySplit {
		return errColumns
	}
	if kind == bodySplit {
		var err error
		if f.body, err = f.join.join(f.body[:0], size); err != nil {
			return err
		}
		r.Body = f.body
	} else {
		b, ok := f.join.take(colRest, uint64(size))
		if !ok {
			return errColumns
		}
		r.Body = b
	}
	if codec.Checksum(r.Body) != binary.LittleEndian.Uint32(sum) {
		return errColumns
	}
	f.left = left
	return nil
}
