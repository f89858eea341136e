// Package extreme is the law of the largest value that one statistic takes within a block of time.
package extreme

import "math"

// Law is that law, on a logarithmic scale: the median of
// past blocks' maxima, and the mean distance of the upper half from it. Beyond the median the logarithm is taken for exponential, so the
// tail of the statistic itself is a power of the block's own making. Only blocks in which the statistic moved count.
// The zero value has seen no block. How many blocks are behind it its owner keeps.
type Law struct {
	Mid, Wide float32 // median and upper spread of ln max
	Top       float32 // largest value of the block under way; 0 = it did not move
}

const (
	memory = 28  // blocks that the law remembers: a week
	share  = .7  // of the spread that is taken for the scale of the tail: the upper half holds past incidents too
	least  = .12 // added to it: what is 1.1 times the usual maximum is never rare
	clip   = 8   // a block teaches the spread by no more than this many spreads
)

// Rare returns how rare v would be as a block's maximum, as -ln of its probability; negative when it is usual.
// n is the number of blocks behind the law: with few of them it is drawn wider.
func (x *Law) Rare(v float64, n uint8) float64 {
	if v <= 0 || n == 0 {
		return 0
	}
	return math.Ln2 + (math.Log(v)-float64(x.Mid))/((share*float64(x.Wide)+least)*(1+3/float64(n)))
}

// Height returns the value whose rareness is r, the inverse of Rare; +Inf while n is 0.
func (x *Law) Height(r float64, n uint8) float64 {
	if n == 0 {
		return math.Inf(1)
	}
	return math.Exp(float64(x.Mid) + (r-math.Ln2)*(share*float64(x.Wide)+least)*(1+3/float64(n)))
}

// See takes a value into the block under way.
func (x *Law) See(v float64) {
	x.Top = max(x.Top, float32(min(v, math.MaxFloat32)))
}

// Close folds the block's largest value into the law of n blocks and returns their new number. r < 1 slows learning down.
func (x *Law) Close(n uint8, r float64) uint8 {
	if x.Top <= 0 {
		return n
	}
	l := math.Log(float64(x.Top))
	x.Top = 0
	if n == 0 {
		x.Mid, x.Wide = float32(l), .5
		return 1
	}
	rate := 2 * r * max(1/float64(n+1), 1./memory)
	w := max(float64(x.Wide), least)
	d := l - float64(x.Mid)
	x.Mid += float32(rate * w * max(-1, min(d/w, 1)))
	if d > 0 {
		x.Wide += float32(min(rate, 1) * (min(d, clip*w) - float64(x.Wide)))
	}
	return min(n+1, 200)
}
