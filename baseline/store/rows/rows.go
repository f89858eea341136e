// Package rows writes rows of numbers as small as charts allow: a number as 32 bits, a block of rows as their differences, a block under way as they come.
package rows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/model"
)

// ErrBlock is returned by Decode for bytes that Append cannot have written.
var ErrBlock = errors.New("no block of rows")

// Numbers of charts are kept as the upper half of a float64: sign, exponent and 20 bits of mantissa, rounded. That is off by
// at most 4.8e-7 of the value over the whole range of float64, where float32 would overflow. The half is then turned so that
// the order of the unsigned words is the order of the numbers, and neighbours differ by little.

// Word returns v's 32-bit form.
func Word(v float64) uint32 {
	b := math.Float64bits(v)
	w := uint32(b >> 32)
	if w&0x7ff00000 != 0x7ff00000 { // finite
		r := uint32((b + 1<<31) >> 32)
		if r&0x7ff00000 != 0x7ff00000 { // what would round up to infinity stays the largest
			w = r
		}
	} else if v != v {
		w = 0x7ff80000
	}
	if w>>31 != 0 {
		return ^w
	}
	return w | 1<<31
}

// Number undoes Word.
func Number(w uint32) float64 {
	if w>>31 != 0 {
		w &^= 1 << 31
	} else {
		w = ^w
	}
	return math.Float64frombits(uint64(w) << 32)
}

// StateWord packs a state and a score, of which it keeps 12 bits of mantissa (2.4e-4), rounded down so that a score
// below 1 never reads as 1. Scores that are no number or negative become 0.
func StateWord(s model.State, score float64) uint32 {
	if !(score > 0) {
		score = 0
	}
	return uint32(s)<<24 | uint32(math.Float64bits(score)>>40)
}

// StateOf returns the state that StateWord packed.
func StateOf(w uint32) model.State { return model.State(w >> 24) }

// ScoreOf returns the score, to 12 bits.
func ScoreOf(w uint32) float64 { return math.Float64frombits(uint64(w&0xffffff) << 40) }

// A block is up to 255 rows of the same number of words. Byte layout:
//
//	count        u8      rows, at least 1
//	first row    words   each the zigzag uvarint of its difference to the word before it; the first and last to 0
//	then for each run of up to 16 further rows:
//	mask         u8      bit c: column c changes within the run
//	for each such column, the lowest first:
//	width        u8      1–32
//	differences  bits    to the row before, zigzag, width bits each, the lowest bit first, padded to whole bytes
//
// From column 0 the row number × ramp is taken first, so that even steps in time cost nothing.
const (
	runLen   = 16
	WordsMax = 8   // words of the widest row
	RowsMost = 255 // rows of a block
)

func zigzag(d uint32) uint32   { return d<<1 ^ uint32(int32(d)>>31) }
func unzigzag(z uint32) uint32 { return z>>1 ^ -(z & 1) }

// Append appends the block of rows, which are k words each and not more than RowsMost.
func Append(dst []byte, rows []uint32, k int, ramp uint32) []byte {
	n := len(rows) / k
	dst = append(dst, byte(n))
	before := uint32(0)
	for c, w := range rows[:k] {
		if c == k-1 {
			before = 0
		}
		dst = binary.AppendUvarint(dst, uint64(zigzag(w-before)))
		before = w
		if c == 0 {
			before = 0
		}
	}
	var run [WordsMax][runLen]uint32
	for from := 1; from < n; from += runLen {
		m := min(runLen, n-from)
		var any [WordsMax]uint32
		for i := range m {
			row := rows[(from+i)*k:][:k]
			last := rows[(from+i-1)*k:][:k]
			z := zigzag(row[0] - last[0] - ramp)
			run[0][i] = z
			any[0] |= z
			for c := 1; c < k; c++ {
				z := zigzag(row[c] - last[c])
				run[c&7][i] = z
				any[c&7] |= z
			}
		}
		mask := byte(0)
		for c := range k {
			if any[c] != 0 {
				mask |= 1 << c
			}
		}
		dst = append(dst, mask)
		for c := range k {
			if any[c] == 0 {
				continue
			}
			width := uint(32)
			for any[c]>>(width-1) == 0 {
				width--
			}
			dst = append(dst, byte(width))
			var acc uint64
			var have uint
			for _, z := range run[c][:m] {
				acc |= uint64(z) << have
				have += width
				if have >= 32 {
					dst = binary.LittleEndian.AppendUint32(dst, uint32(acc))
					acc >>= 32
					have -= 32
				}
			}
			for ; have > 0; have -= min(8, have) {
				dst = append(dst, byte(acc))
				acc >>= 8
			}
		}
	}
	return dst
}

// Decode appends the rows of block b, k words each, to dst. It trusts nothing in b.
func Decode(dst []uint32, b []byte, k int, ramp uint32) ([]uint32, error) {
	r := codec.NewReader(b, ErrBlock)
	n := int(r.Byte())
	before := uint32(0)
	start := len(dst)
	for c := range k {
		if c == k-1 {
			before = 0
		}
		w := before + unzigzag(uint32(r.Num(math.MaxUint32)))
		dst = append(dst, w)
		before = w
		if c == 0 {
			before = 0
		}
	}
	if r.Err() != nil || n == 0 {
		return dst[:start], fmt.Errorf("%w: a block of %d bytes has no first row", ErrBlock, len(b))
	}
	for from := 1; from < n; from += runLen {
		m := min(runLen, n-from)
		mask := r.Byte()
		if r.Err() != nil || int(mask)>>k != 0 {
			return dst[:start], fmt.Errorf("%w: a block ends within its rows", ErrBlock)
		}
		at := len(dst)
		for range m {
			dst = append(dst, dst[len(dst)-k:]...)
		}
		for c := range k {
			step := uint32(0)
			if c == 0 {
				step = ramp
			}
			if mask&(1<<c) == 0 {
				for i := range m {
					dst[at+i*k+c] = dst[at+(i-1)*k+c] + step
				}
				continue
			}
			width := uint(r.Byte())
			if width < 1 || width > 32 {
				return dst[:start], fmt.Errorf("%w: a block's column is %d bits wide", ErrBlock, width)
			}
			packed := r.Take((m*int(width) + 7) / 8)
			if r.Err() != nil {
				return dst[:start], fmt.Errorf("%w: a block ends within its rows", ErrBlock)
			}
			var acc uint64
			var have uint
			for i := range m {
				for have < width {
					acc |= uint64(packed[0]) << have
					packed = packed[1:]
					have += 8
				}
				z := uint32(acc & (1<<width - 1))
				acc >>= width
				have -= width
				dst[at+i*k+c] = dst[at+(i-1)*k+c] + unzigzag(z) + step
			}
		}
	}
	if r.Left() != 0 {
		return dst[:start], fmt.Errorf("%w: a block has %d bytes too many", ErrBlock, r.Left())
	}
	return dst, nil
}
