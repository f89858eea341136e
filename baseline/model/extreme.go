package model

import "math"

// extreme is the law of the largest value of one statistic within a block of time, on a logarithmic scale: the median of
// past blocks' maxima, and the mean distance of the upper half from it. Beyond the median the logarithm is taken for exponential, so the
// tail of the statistic itself is a power of the block's own making. Only blocks in which the statistic moved count.
type extreme struct {
	mid, wide float32 // median and upper spread of ln max
	top       float32 // largest value of the block under way; 0 = it did not move
}

const (
	extMemory = 28  // blocks that the law remembers: a week
	extShare  = .7  // of the spread that is taken for the scale of the tail: the upper half holds past incidents too
	extWide   = .12 // added to it: what is 1.1 times the usual maximum is never rare
	extClip   = 8   // a block teaches the spread by no more than this many spreads
)

// rare returns how rare v would be as a block's maximum, as -ln of its probability; negative when it is usual.
// n is the number of blocks behind the law: with few of them it is drawn wider.
func (x *extreme) rare(v float64, n uint8) float64 {
	if v <= 0 || n == 0 {
		return 0
	}
	return math.Ln2 + (math.Log(v)-float64(x.mid))/((extShare*float64(x.wide)+extWide)*(1+3/float64(n)))
}

// see takes a value into the block under way.
func (x *extreme) see(v float64) {
	x.top = max(x.top, float32(min(v, math.MaxFloat32)))
}

// close folds the block's largest value into the law of n blocks and returns their new number. r < 1 slows learning down.
func (x *extreme) close(n uint8, r float64) uint8 {
	if x.top <= 0 {
		return n
	}
	l := math.Log(float64(x.top))
	x.top = 0
	if n == 0 {
		x.mid, x.wide = float32(l), .5
		return 1
	}
	rate := 2 * r * max(1/float64(n+1), 1./extMemory)
	w := max(float64(x.wide), extWide)
	d := l - float64(x.mid)
	x.mid += float32(rate * w * clamp(d/w, -1, 1))
	if d > 0 {
		x.wide += float32(min(rate, 1) * (min(d, extClip*w) - float64(x.wide)))
	}
	return min(n+1, 200)
}
