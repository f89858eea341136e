package ingest

import (
	"encoding/binary"
	"fmt"
	"math/bits"
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

func uvarintLong(b []byte, i int) (uint64, int) {
	if i > len(b) {
		return 0, -1
	}
	v, n := binary.Uvarint(b[i:])
	if n <= 0 {
		return 0, -1
	}
	return v, i + n
}

// span reads a length and returns where the bytes that follow begin and end.
func span(b []byte, i int) (lo, hi int) {
	n, j := uvarint(b, i)
	if j < 0 || n > uint64(len(b)-j) {
		return 0, -1
	}
	return j, j + int(n)
}

// fixed8 reads 8 bytes, little endian.
func fixed8(b []byte, i int) (uint64, int) {
	if i < 0 || len(b)-i < 8 {
		return 0, -1
	}
	return binary.LittleEndian.Uint64(b[i:]), i + 8
}

// skip passes over a field's value. Groups are refused: proto3 has none.
func skip(b []byte, i int, tag uint64) int {
	switch tag & 7 {
	case wireVarint:
		_, i = uvarint(b, i)
		return i
	case wireFixed8:
		if len(b)-i < 8 {
			return -1
		}
		return i + 8
	case wireBytes:
		_, hi := span(b, i)
		return hi
	case wireFixed4:
		if len(b)-i < 4 {
			return -1
		}
		return i + 4
	}
	return -1
}

// unknown passes over a field that the caller does not know. A field number in known with another wire type than
// the caller expects is no unknown field but a malformed one, as is number 0. known has bit n set for field n.
func unknown(b []byte, i int, tag uint64, known uint64) int {
	if n := tag >> 3; n == 0 || n >= 1<<29 || n < 64 && known>>n&1 == 1 {
		return -1
	}
	return skip(b, i, tag)
}

// fields returns a mask for unknown.
func fields(numbers ...uint) uint64 {
	var m uint64
	for _, n := range numbers {
		m |= 1 << n
	}
	return m
}

// zigzag undoes the encoding of sint32 and sint64.
func zigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// mix folds two hashed words into one. The constants are odd and random; both inputs are seeded hashes, so a sender
// cannot aim at a product of zero.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xd1342543de82ef95)
	return hi ^ lo
}

// malformed is the error for bytes that are no protobuf message of the kind that was announced.
func malformed(what string, at int) error {
	return &badBody{"wire", fmt.Sprintf("malformed %s at byte %d of the decompressed message", what, at)}
}

// badBody is a fault of a whole request, which no retry repairs.
type badBody struct {
	kind string // label of the metric: compression, wire, schema, limit, panic
	msg  string
}

func (e *badBody) Error() string { return e.msg }
