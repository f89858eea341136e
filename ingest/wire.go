package ingest

import (
	"encoding/binary"
	"fmt"
)

// Protobuf as far as this package needs it. Functions take a message and an index and return the index after what they
// read, or a negative one for bytes that are no protobuf. None of them can read past the message.

// Wire types.
const (
	wireVarint = 0
	wireFixed8 = 1 // 8 bytes
	wireBytes  = 2
	wireFixed4 = 5 // 4 bytes
)

// uvarint reads a varint.
func uvarint(b []byte, i int) (uint64, int) {
	if i < len(b) && b[i] < 0x80 {
		return uint64(b[i]), i + 1
	}
	return uvarintLong(b, i)
}

// uvarintLong reads a varint whose first byte says that others follow, or is not there.
func uvarintLong(b []byte, i int) (uint64, int) {
	if i+1 < len(b) && b[i+1] < 0x80 {
		return uint64(b[i]&0x7f) | uint64(b[i+1])<<7, i + 2
	}
	if i > len(b) {
		return 0, -1
	}
	v, n := binary.Uvarint(b[i:])
	if n <= 0 {
		return 0, -1
	}
	return v, i + n
}

// fixed8 reads 8 bytes, little endian.
func fixed8(b []byte, i int) (uint64, int) {
	if i < 0 || len(b)-i < 8 {
		return 0, -1
	}
	return binary.LittleEndian.Uint64(b[i:]), i + 8
}

// field is a field of a message.
type field struct {
	tag    uint64 // number and wire type; 0 = cannot be read
	num    uint64 // its value, of a number
	lo, hi int    // where its value lies, and so where the next field begins; hi is negative for bytes that are no protobuf
}

// readField reads the field at i. Groups are refused: proto3 has none.
func readField(b []byte, i int) (f field) {
	// Nearly all tags and lengths are one byte. uvarint is not inlined, and calls of it here would be a tenth of the decoder's time.
	if i < len(b) && b[i] < 0x80 {
		f.tag, f.lo = uint64(b[i]), i+1
	} else if f.tag, f.lo = uvarintLong(b, i); f.lo < 0 {
		return field{hi: -1}
	}
	switch f.tag & 7 {
	case wireBytes:
		var n uint64
		if f.lo < len(b) && b[f.lo] < 0x80 {
			n, f.lo = uint64(b[f.lo]), f.lo+1
		} else if n, f.lo = uvarintLong(b, f.lo); f.lo < 0 {
			f.hi = -1
			return f
		}
		if f.hi = f.lo + int(n); n > uint64(len(b)-f.lo) {
			f.hi = -1
		}
	case wireVarint:
		f.num, f.hi = uvarint(b, f.lo)
	case wireFixed8:
		f.num, f.hi = fixed8(b, f.lo)
	case wireFixed4:
		if f.hi = f.lo + 4; f.hi > len(b) {
			f.hi = -1
		}
	default:
		f.hi = -1
	}
	return f
}

// values calls add with the values of f, a repeated number in b: the one of a field of its own, or all of a packed one. It returns
// false for bytes that are no protobuf.
func (f field) values(b []byte, wire uint64, add func(uint64)) bool {
	if f.tag&7 == wire {
		add(f.num)
		return true
	}
	b = b[:f.hi]
	for i := f.lo; i < len(b); {
		var v uint64
		if wire == wireFixed8 {
			v, i = fixed8(b, i)
		} else {
			v, i = uvarint(b, i)
		}
		if i < 0 {
			return false
		}
		add(v)
	}
	return true
}

// foreign reports whether the message may hold a field that the caller does not know. A field number in known with another wire
// type than the caller expects is no unknown field but a malformed one, as is number 0. known has bit n set for field n.
func (f field) foreign(known uint64) bool {
	n := f.tag >> 3
	return n != 0 && n < 1<<29 && (n >= 64 || known>>n&1 == 0)
}

// fields returns a mask for foreign.
func fields(numbers ...uint) uint64 {
	var m uint64
	for _, n := range numbers {
		m |= 1 << n
	}
	return m
}

// wellFormed reports whether m is a sequence of fields.
func wellFormed(m []byte) bool {
	for i := 0; i < len(m); {
		f := readField(m, i)
		if f.hi < 0 || f.tag>>3 == 0 {
			return false
		}
		i = f.hi
	}
	return true
}

// zigzag undoes the encoding of sint32 and sint64.
func zigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// parts names the fields of a message by their tags, for errors; 0 names the message's whole.
type parts map[uint64]string

// malformed is the error for bytes that are no protobuf message of the kind that was announced. It names the part with that tag.
func (p parts) malformed(tag uint64, at int) error {
	what, ok := p[tag]
	if !ok {
		what = p[0]
	}
	return &badBody{"wire", fmt.Sprintf("malformed %s at byte %d of the decompressed message", what, at)}
}

// badBody is a fault of a whole request, which no retry repairs.
type badBody struct {
	kind string // label of the metric: compression, wire, schema, limit, panic
	msg  string
}

func (e *badBody) Error() string { return e.msg }
