// Package ring is how blocks of time lie in rings of cells: arithmetic that knows no model.
package ring

import "math"

// Hole is a cell without data.
const Hole = -1 << 15

// Lengths returns the length of a cell of the fine and of the middle ring, ms, for windows of step ms. Blocks are of at least three windows, and divide a week.
func Lengths(step int64) (block, mid int64) {
	const minute = 60_000
	block = 6 * 60 * minute
	for _, b := range [...]int64{15 * minute, 30 * minute, 60 * minute, 120 * minute, 180 * minute} {
		if b >= 3*step {
			block = b
			break
		}
	}
	return block, max(120*minute, 4*block)
}

// Blank marks the cells after prev up to now, which is under way, as holes.
func Blank(cells []int16, prev, now int32) {
	n := int32(len(cells))
	if now < prev || now-prev > n {
		prev = now - n
	}
	for k := prev + 1; k <= now; k++ {
		if k >= 0 {
			cells[k%n] = Hole
		}
	}
}

// Number returns the number of the cell in which the window that ended at t lies.
func Number(t, cell int64) int32 { return int32((t - 1) / cell & 0x3fffffff) }

// Keep puts the i-th of some values into cells, four each, until something else needs them.
func Keep(cells []int16, i int, v float64) {
	b := math.Float64bits(v)
	for k := range 4 {
		cells[i*4+k] = int16(uint16(b >> (16 * k)))
	}
}

// Kept returns what Keep put there.
func Kept(cells []int16, i int) float64 {
	var b uint64
	for k := range 4 {
		b |= uint64(uint16(cells[i*4+k])) << (16 * k)
	}
	return math.Float64frombits(b)
}
