package window

import (
	"math"

	"github.com/wrackline/wrackline/baseline/series"
)

// End in a cell of a ring of values says that the newest thing known in that window is the series' end.
var End = series.StaleNaN

// Newest returns the newest value of a ring, of which head is the newest window, in the windows up to w and at most reach of them, NaN for none.
func Newest(ring []float64, head, w uint32, reach uint32) float64 {
	n := uint32(len(ring))
	for i := min(w, head); i >= oldest(head, n) && i+reach > w; i-- {
		v := ring[i%n]
		if v == v {
			return v
		}
		if math.Float64bits(v) == math.Float64bits(End) {
			break
		}
	}
	return math.NaN()
}

// Sum returns the sum of the windows of a ring up to w, at most so many, NaN where none of them is covered, and how many between covered ones are gaps.
func Sum(ring []float64, head, w uint32, windows int) (v float64, gaps int) {
	n := uint32(len(ring))
	v = math.NaN()
	from := w + 1 - min(w, uint32(windows))
	hole := 0
	for i := max(from, oldest(head, n)); i <= min(w, head); i++ {
		switch x := ring[i%n]; {
		case x != x:
			if v == v {
				hole++
			}
		case v == v:
			v += x
			gaps += hole
			hole = 0
		default:
			v = x
		}
	}
	return v, gaps
}

// oldest returns the oldest window that a ring of n holds.
func oldest(head, n uint32) uint32 { return head - min(head, n-1) }

// Around returns what a ring of increases has after the window w, in the three windows around its end's, and the most that one of these has. ok is false when w is not covered, or not in
// the ring any more.
func Around(ring []float64, head, w uint32) (after, around, most float64, ok bool) {
	n := uint32(len(ring))
	if head < w || head >= w+n-1 || ring[w%n] != ring[w%n] {
		return 0, 0, 0, false
	}
	for i := w - 1; i <= head; i++ {
		x := ring[i%n]
		if x != x {
			continue
		}
		if i > w {
			after += x
		}
		if i <= w+1 {
			around += x
			most = max(most, x)
		}
	}
	return after, around, most, true
}
