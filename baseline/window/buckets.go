package window

import "github.com/wrackline/wrackline/baseline/codec"

// youngSetMs is for how long a set with fewer buckets than its kin may be one of which some are still on their way.
const youngSetMs = 2 * Ms

// Buckets is what is known of when the classic buckets of one histogram of one target were sampled: in a window they count together or not at all.
type Buckets struct {
	LastT  int64 // newest sample of any of the set's series
	FirstT int64 // first sample of any bucket
	chain  Chain
	stamp  int64 // end of the window for which lo and hi were made
	lo, hi int64 // oldest and newest last sample of the buckets
	N      int32 // buckets then
}

// Came notes a bucket's sample at t; before is when the one before came, 0 = never.
func (b *Buckets) Came(before, t int64) {
	if b.FirstT == 0 {
		b.FirstT = t
	}
	b.chain.Add(before, t)
}

// Meet counts a bucket in whose newest sample is lastT, for the window that ends at end.
func (b *Buckets) Meet(end, lastT int64) {
	if b.stamp != end {
		b.stamp, b.lo, b.hi, b.N = end, lastT, lastT, 0
	}
	b.lo, b.hi = min(b.lo, lastT), max(b.hi, lastT)
	b.N++
}

// Whole reports whether the buckets of a set can be taken together for a range of windows that ends at end; others of its kin have n.
func (b *Buckets) Whole(end int64, windows int, n int32) bool {
	w := Of(end)
	switch {
	case b.stamp == end && b.lo < end && b.lo != b.hi:
		return false // some have not arrived
	case b.stamp == end && b.N < n && end < b.FirstT+youngSetMs:
		return false // some have not been seen at all
	}
	return !b.chain.Torn(w) && !b.chain.Torn(w-uint32(windows))
}

// Append writes what is known of borders.
func (b *Buckets) Append(w *codec.Writer) { b.chain.Append(w) }

// Restore reads what Append wrote.
func (b *Buckets) Restore(r *codec.Reader) { b.chain.Restore(r) }
