package promql

import (
	"slices"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/series"
)

// Append writes h: schema, count, sum, zero bucket, custom bounds, populated buckets.
func (h *Hist) Append(w *codec.Writer) {
	w.Int(int64(h.Schema))
	for _, v := range [...]float64{h.Count, h.Sum, h.ZeroThreshold, h.Zero} {
		w.Float(v)
	}
	w.Num(len(h.Custom))
	for _, v := range h.Custom {
		w.Float(v)
	}
	for _, side := range [...][]series.Bucket{h.Pos, h.Neg} {
		w.Num(len(side))
		for _, b := range side {
			w.Int(int64(b.Index))
			w.Float(b.Count)
		}
	}
}

// Restore reads what Append wrote of a histogram that is Covered into an empty one. Faults are the reader's.
func (h *Hist) Restore(r *codec.Reader) {
	h.Schema = int32(r.Int())
	for _, v := range [...]*float64{&h.Count, &h.Sum, &h.ZeroThreshold, &h.Zero} {
		*v = r.Float()
	}
	for range r.Count(8) {
		h.Custom = append(h.Custom, r.Float())
	}
	ok := len(h.Custom) <= BucketsMax && slices.IsSorted(h.Custom) && h.Covered()
	for _, side := range [...]*[]series.Bucket{&h.Pos, &h.Neg} {
		for range r.Count(9) {
			i := r.Int()
			b := series.Bucket{Index: int32(i), Count: r.Float()}
			if k := len(*side); int64(b.Index) != i || k > 0 && (*side)[k-1].Index >= b.Index {
				ok = false
			}
			*side = append(*side, b)
		}
	}
	if !ok || !Sound(h.Schema, h.ZeroThreshold, h.Pos, h.Neg, len(h.Custom)) {
		r.Fail()
	}
}

// Sound reports whether a histogram's schema, threshold and buckets go together; custom is the number of its own bounds.
func Sound(schema int32, zeroThreshold float64, pos, neg []series.Bucket, custom int) bool {
	if schema == CustomSchema {
		n := len(pos)
		return len(neg) == 0 && (n == 0 || pos[0].Index >= 0 && int(pos[n-1].Index) <= custom)
	}
	return schema >= -4 && schema <= FinestSchema && zeroThreshold >= 0
}
