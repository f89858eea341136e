// Package field writes and reads fields of fixed size by one walk, so that the two cannot differ.
package field

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// Walker walks over fields, little-endian and without padding, writing them to B or reading them from it.
type Walker struct {
	B     []byte // what was written, or is left to be read
	Write bool
	Short bool // B ended before the fields did
	Bad   bool // a number was not finite
}

// Word writes the lower n bytes of v, or returns the next n; what lies above them is for the caller to drop.
func (w *Walker) Word(n int, v uint64) uint64 {
	if w.Write {
		w.B = binary.LittleEndian.AppendUint64(w.B, v)[:len(w.B)+n]
		return v
	}
	if len(w.B) >= 8 {
		v = binary.LittleEndian.Uint64(w.B)
		w.B = w.B[n:]
		return v
	}
	return w.last(n)
}

// last reads where less than eight bytes are left.
func (w *Walker) last(n int) (v uint64) {
	if len(w.B) < n {
		w.Short, w.B = true, nil
		return 0
	}
	for i := range n {
		v |= uint64(w.B[i]) << (8 * i)
	}
	w.B = w.B[n:]
	return v
}

// Ints walks over integers, each of as many bytes as it has in memory.
func Ints[T ~int8 | ~uint8 | ~int16 | ~uint16 | ~int32 | ~uint32 | ~int64](w *Walker, vs ...*T) {
	for _, v := range vs {
		*v = T(w.Word(int(unsafe.Sizeof(*v)), uint64(*v)))
	}
}

// List walks over a list of integers.
func List[T int8 | uint8 | int16](w *Walker, vs []T) {
	for i, v := range vs {
		vs[i] = T(w.Word(int(unsafe.Sizeof(v)), uint64(v)))
	}
}

// F64 walks over a number, which must be finite.
func (w *Walker) F64(v *float64) {
	*v = math.Float64frombits(w.Word(8, math.Float64bits(*v)))
	w.Bad = w.Bad || *v-*v != 0
}

// F32 walks over numbers, which must be finite.
func (w *Walker) F32(vs ...*float32) {
	for _, v := range vs {
		*v = math.Float32frombits(uint32(w.Word(4, uint64(math.Float32bits(*v)))))
		w.Bad = w.Bad || *v-*v != 0
	}
}

// Scale keeps a scale in a byte, in eighths of an octave, which is 9 %. It is never 0.
func Scale(sigma float32) uint8 {
	return uint8(min(max(math.Round((math.Log2(max(float64(sigma), 1e-6))+20)*8), 1), 255))
}

// ScaleOf is the inverse of Scale.
func ScaleOf(code uint8) float64 { return math.Exp2(float64(code)/8 - 20) }

// Likeness maps a value to a hash that tells it from the next one.
func Likeness(v float64) uint32 {
	if v == 0 {
		v = 0 // minus zero is zero
	}
	b := math.Float64bits(v)
	return uint32((b ^ b>>32) * 0x9e3779b1)
}
