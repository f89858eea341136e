package journal

// Reading a segment whatever became of its bytes.

import (
	"encoding/binary"
	"errors"
	"io"
)

// reader reads the records of a segment in order and passes over what is damaged. A segment is a row of units, each with a checksum: records,
// or frames of records.
type reader struct {
	src  io.ReaderAt
	size int64

	salt     uint64
	headerOK bool
	frames   bool // units are frames

	after uint64 // records up to this position are not wanted: frames that hold no others are not unpacked. Set before next.

	record  Record // the current one; its body is borrowed until next is called again
	last    uint64 // its position; before the first one, the position before the segment
	end     int64  // where the last good unit ended
	skipped int64  // bytes passed over before end
	err     error  // of reading; what follows cannot be read

	budget int64 // bytes that may still be checksummed while looking for a unit after damage

	frame frame
	unit  int64 // size of the frame

	win []byte // a piece of the segment
	at  int64  // where win begins
}

// newReader returns a reader of size bytes of src. first is the segment's first position.
func newReader(src io.ReaderAt, first uint64, size int64) *reader {
	r := &reader{src: src, size: size, last: first - 1, budget: 4*size + 1<<20}
	h := r.view(0, headerSize)
	if h == nil {
		r.end = 0
		return r
	}
	r.salt = binary.LittleEndian.Uint64(h[24:])
	v, ok := headerVersion(h)
	r.headerOK = ok && (v == version || v == compressed) && binary.LittleEndian.Uint64(h[16:]) == first
	r.frames = v == compressed
	r.end = headerSize
	if !r.headerOK && r.check(headerSize, false) == nil {
		// The first unit says of what kind they are, when the header does not know.
		if r.frames = !r.frames; r.check(headerSize, false) == nil {
			r.frames = !r.frames
		}
	}
	return r
}

// tail returns how many bytes follow the last good unit. It is meant for when next has returned false.
func (r *reader) tail() int64 { return r.size - r.end }

// next finds the next good record. It returns false when there is none.
func (r *reader) next() bool {
	for {
		for r.frame.left > 0 {
			if err := r.frame.next(&r.record); err != nil {
				r.lose()
				break
			}
			r.last = r.frame.last
			return true
		}
		b := r.find()
		if b == nil {
			return false
		}
		if !r.frames {
			r.take(b)
			return true
		}
		r.unit = int64(len(b))
		if last := binary.LittleEndian.Uint64(b[recordHead+8:]); last <= r.after {
			r.last = last
		} else if err := r.frame.begin(b); err != nil {
			r.frame.end = last
			r.lose()
		}
	}
}

// lose counts the current frame as damage: its checksum is right and what is in it is not.
func (r *reader) lose() {
	r.skipped += r.unit
	r.last = max(r.last, r.frame.end)
}

// find returns the next good unit.
func (r *reader) find() []byte {
	if r.end < headerSize {
		return nil
	}
	off := r.end
	if b := r.check(off, false); b != nil {
		r.end = off + int64(len(b))
		return b
	}
	// Damage, or the end. What follows a unit is looked for byte by byte: a position just above the last one, a
	// length that fits, and then the CRC, whose salt no sender knows.
	least := int64(recordMin)
	if r.frames {
		least = frameMin
	}
	for off++; off+least <= r.size && r.err == nil && r.budget > 0; off++ {
		if b := r.check(off, true); b != nil {
			r.skipped += off - r.end
			r.end = off + int64(len(b))
			return b
		}
	}
	return nil
}

// check returns the unit at off, or nil when there is none.
func (r *reader) check(off int64, searching bool) []byte {
	least, dense := recordMin, uint64(r.size/recordMin)+1
	if r.frames {
		least, dense = frameMin, (uint64(r.size/frameMin)+1)*frameRecords
	}
	h := r.view(off, least)
	if h == nil {
		return nil
	}
	n := int64(binary.LittleEndian.Uint32(h))
	pos := binary.LittleEndian.Uint64(h[8:])
	if n < int64(least)-recordHead || n > payloadMax || off+recordHead+n > r.size || pos <= r.last || pos-r.last > dense {
		return nil
	}
	if r.frames {
		if end := binary.LittleEndian.Uint64(h[16:]); end < pos || end-r.last > dense {
			return nil
		}
	}
	if searching {
		if r.budget -= n; r.budget < 0 {
			return nil
		}
	}
	salt := r.salt
	if r.frames {
		salt = frameSalt(salt)
	}
	b := r.view(off, int(recordHead+n))
	if b == nil || checksum(salt, b) != binary.LittleEndian.Uint32(b[4:]) {
		return nil
	}
	if p := b[recordHead:]; !r.frames && int(binary.LittleEndian.Uint16(p[18:]))+int(binary.LittleEndian.Uint16(p[20:])) > len(p)-payloadHead {
		return nil
	}
	return b
}

// take makes the record in b, which check has returned, the current one.
func (r *reader) take(b []byte) {
	p := b[recordHead:]
	s, c := int(binary.LittleEndian.Uint16(p[18:])), int(binary.LittleEndian.Uint16(p[20:]))
	r.last = binary.LittleEndian.Uint64(p)
	r.record = Record{
		ReceivedMs: int64(binary.LittleEndian.Uint64(p[8:])),
		Proto:      p[16],
		Encoding:   p[17],
		Sender:     string(p[payloadHead : payloadHead+s]),
		Cluster:    string(p[payloadHead+s : payloadHead+s+c]),
		Body:       p[payloadHead+s+c:],
	}
}

// view returns n bytes at off, or nil when the segment ends before or cannot be read. They are valid until the next call.
func (r *reader) view(off int64, n int) []byte {
	if off+int64(n) > r.size {
		return nil
	}
	if i := off - r.at; i >= 0 && i+int64(n) <= int64(len(r.win)) {
		return r.win[i : i+int64(n)]
	}
	want := int(min(int64(max(n, 256<<10)), r.size-off))
	if cap(r.win) < want {
		r.win = make([]byte, want)
	}
	r.win = r.win[:want]
	r.at = off
	m, err := r.src.ReadAt(r.win, off)
	r.win = r.win[:m]
	if m < n {
		if err != nil && !errors.Is(err, io.EOF) {
			r.err = err
		}
		return nil
	}
	return r.win[:n]
}
