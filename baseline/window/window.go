// Package window keeps what a series did in each of its newest minutes: how an increase between two samples is shared among them, the native
// histograms of them, and where the buckets of a classic histogram were not sampled together.
package window

const (
	Ms    = 60_000 // a window, milliseconds
	GapMs = 5 * Ms // a longer distance between two samples is a gap: the second one only anchors
)

// Of returns the window that t lies in: the number of its end, in minutes since 1970. Windows are open on the left.
func Of(t int64) uint32 { return uint32((t + Ms - 1) / Ms) }

// Spread shares an increase between t0 (exclusive) and t1 (inclusive) among the windows of a ring whose newest is head.
func Spread(ring []float64, head uint32, d float64, t0, t1 int64) {
	n := uint32(len(ring))
	first, last := uint32(t0/Ms)+1, Of(t1)
	if first >= last {
		Add(ring, last%n, d)
		return
	}
	per := d / float64(t1-t0)
	for w := max(first, head-min(head, n-1)); w <= last; w++ {
		end := int64(w) * Ms
		Add(ring, w%n, per*float64(min(t1, end)-max(t0, end-Ms)))
	}
}

// Add adds d to a cell of a ring. A cell of which nothing is known is NaN, and becomes d.
func Add(ring []float64, i uint32, d float64) {
	if v := ring[i]; v == v {
		ring[i] = v + d
	} else {
		ring[i] = d
	}
}

// Move writes what a ring whose newest window is head holds into one of another length, of which nothing is known.
func Move(to, from []float64, head uint32) {
	n, was := uint32(len(to)), uint32(len(from))
	for i := uint32(0); i < min(n, was) && i <= head; i++ {
		w := head - i
		to[w%n] = from[w%was]
	}
}
