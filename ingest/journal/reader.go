package journal

// Reading a segment whatever became of its bytes.

import (
	"encoding/binary"
	"errors"
	"io"
)

// reader reads the records of a segment in order and passes over what is damaged.
type reader struct {
	src  io.ReaderAt
	size int64

	salt     uint64
	headerOK bool

	record  Record // the current one; its body is borrowed until next is called again
	last    uint64 // its position; before the first one, the position before the segment
	end     int64  // where the last good record ended
	skipped int64  // bytes passed over before end
	err     error  // of reading; what follows cannot be read

	budget int64 // bytes that may still be checksummed while looking for a record after damage

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
	r.headerOK = ok && v == version && binary.LittleEndian.Uint64(h[16:]) == first
	r.end = headerSize
	return r
}

// tail returns how many bytes follow the last good record. It is meant for when next has returned false.
func (r *reader) tail() int64 { return r.size - r.end }

// next finds the next good record. It returns false when there is none.
func (r *reader) next() bool {
	if r.end < headerSize {
		return false
	}
	off := r.end
	if n := r.try(off, false); n > 0 {
		r.end = off + n
		return true
	}
	// Damage, or the end. What follows a record is looked for byte by byte: a position just above the last one, a
	// length that fits, and then the CRC, whose salt no sender knows.
	for off++; off+recordMin <= r.size && r.err == nil && r.budget > 0; off++ {
		if n := r.try(off, true); n > 0 {
			r.skipped += off - r.end
			r.end = off + n
			return true
		}
	}
	return false
}

// try reads the record at off. It returns its size, 0 when there is none.
func (r *reader) try(off int64, searching bool) int64 {
	h := r.view(off, recordMin)
	if h == nil {
		return 0
	}
	n := int64(binary.LittleEndian.Uint32(h))
	pos := binary.LittleEndian.Uint64(h[8:])
	if n < payloadHead || n > payloadMax || off+recordHead+n > r.size ||
		pos <= r.last || pos-r.last > uint64(r.size/recordMin)+1 {
		return 0
	}
	if searching {
		if r.budget -= n; r.budget < 0 {
			return 0
		}
	}
	b := r.view(off, int(recordHead+n))
	if b == nil || checksum(r.salt, b) != binary.LittleEndian.Uint32(b[4:]) {
		return 0
	}
	p := b[recordHead:]
	s, c := int(binary.LittleEndian.Uint16(p[18:])), int(binary.LittleEndian.Uint16(p[20:]))
	if s+c > len(p)-payloadHead {
		return 0
	}
	r.last = pos
	r.record = Record{
		ReceivedMs: int64(binary.LittleEndian.Uint64(p[8:])),
		Proto:      p[16],
		Encoding:   p[17],
		Sender:     string(p[payloadHead : payloadHead+s]),
		Cluster:    string(p[payloadHead+s : payloadHead+s+c]),
		Body:       p[payloadHead+s+c:],
	}
	return recordHead + n
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
