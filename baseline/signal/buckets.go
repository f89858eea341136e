package signal

import (
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/window"
)

// youngSetMs is for how long a set with fewer buckets than its kin may be one of which some are still on their way.
const youngSetMs = 2 * windowMs

// kinOf returns what sets of equally many buckets have in common.
func kinOf(v *identity.View, base string) uint64 {
	return series.Hash64([]byte(base + "\xff" + v.Labels.Get("job")))
}

// meet counts a bucket in whose newest sample is lastT, for the window that ends at end.
func (g *bucketSet) meet(end, lastT int64) {
	if g.stamp != end {
		g.stamp, g.lo, g.hi, g.n = end, lastT, lastT, 0
	}
	g.lo, g.hi = min(g.lo, lastT), max(g.hi, lastT)
	g.n++
}

// whole reports whether the buckets of a set can be taken together for a range of windows that ends at end; others of its kin have n.
func (g *bucketSet) whole(end int64, windows int, n int32) bool {
	w := window.Of(end)
	switch {
	case g.stamp == end && g.lo < end && g.lo != g.hi:
		return false // some have not arrived
	case g.stamp == end && g.n < n && end < g.firstT+youngSetMs:
		return false // some have not been seen at all
	}
	return !g.chain.Torn(w) && !g.chain.Torn(w-uint32(windows))
}
