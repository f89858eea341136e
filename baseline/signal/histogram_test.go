package signal

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser/posrange"

	"github.com/wrackline/wrackline/baseline/series"
)

// floatHistogram is the same histogram in Prometheus' form.
func floatHistogram(h *series.Histogram) *histogram.FloatHistogram {
	f := &histogram.FloatHistogram{
		Schema: h.Schema, Count: h.Count, Sum: h.Sum, ZeroThreshold: h.ZeroThreshold, ZeroCount: h.ZeroCount, CustomValues: slices.Clone(h.Custom),
	}
	if h.Reset {
		f.CounterResetHint = histogram.CounterReset
	}
	if h.Stale {
		f.Sum = series.StaleNaN
	}
	for i, side := range [][]series.Bucket{h.Pos, h.Neg} {
		spans, counts := &f.PositiveSpans, &f.PositiveBuckets
		if i == 1 {
			spans, counts = &f.NegativeSpans, &f.NegativeBuckets
		}
		next := int32(0)
		for j, b := range side {
			if j == 0 || b.Index != next {
				*spans = append(*spans, histogram.Span{Offset: b.Index - next})
			}
			(*spans)[len(*spans)-1].Length++
			*counts = append(*counts, b.Count)
			next = b.Index + 1
		}
	}
	return f
}

// seriesHistogram is the way back.
func seriesHistogram(h *hist) *series.Histogram {
	return &series.Histogram{Count: h.count, Sum: h.sum, Schema: h.schema, ZeroThreshold: h.zeroT, ZeroCount: h.zero, Pos: h.pos, Neg: h.neg, Custom: h.custom}
}

// randomHistogram makes a histogram of random observations.
func randomHistogram(r *rand.Rand, custom bool) series.Histogram {
	h := series.Histogram{Schema: int32(r.IntN(13) - 4), ZeroThreshold: []float64{0, 1e-128, 0.001, 0.1, 1}[r.IntN(5)]}
	if custom {
		h.Schema, h.ZeroThreshold = schemaCustom, 0
		for _, b := range []float64{-1, 0, 0.1, 0.5, 1, 2, 5, 10} {
			if r.IntN(4) > 0 {
				h.Custom = append(h.Custom, b)
			}
		}
	}
	negative := r.IntN(3) == 0
	for range r.IntN(12) {
		observe(&h, math.Exp(r.NormFloat64()*2-1)*map[bool]float64{false: 1, true: -1}[negative && r.IntN(2) == 0], float64(1+r.IntN(40)))
	}
	if r.IntN(4) == 0 && !custom {
		h.ZeroCount += float64(r.IntN(9))
		h.Count += h.ZeroCount
	}
	if h.Count = 0; true {
		h.Count = h.ZeroCount
		for _, b := range append(slices.Clone(h.Pos), h.Neg...) {
			h.Count += b.Count
		}
	}
	if r.IntN(10) == 0 && !custom { // observations of NaN
		h.Count += float64(r.IntN(5))
		h.Sum = math.NaN()
	}
	return h
}

// observe adds n observations of v.
func observe(h *series.Histogram, v, n float64) {
	h.Count += n
	h.Sum += v * n
	side, at := &h.Pos, int32(0)
	switch {
	case h.Schema == schemaCustom:
		i, _ := slices.BinarySearch(h.Custom, v)
		at = int32(i)
	case math.Abs(v) <= h.ZeroThreshold:
		h.ZeroCount += n
		return
	default:
		if v < 0 {
			side = &h.Neg
		}
		at = int32(math.Ceil(math.Log2(math.Abs(v)) * math.Exp2(float64(h.Schema))))
	}
	i, ok := slices.BinarySearchFunc(*side, at, func(b series.Bucket, at int32) int { return int(b.Index) - int(at) })
	if !ok {
		*side = slices.Insert(*side, i, series.Bucket{Index: at})
	}
	(*side)[i].Count += n
}

// A histogram's quantile, its fraction, sums of two and resets are those of Prometheus: all schemas, thresholds, custom bounds, negative
// and NaN observations.
func TestHistogramEqualsPromQL(t *testing.T) {
	seed := envInt(t, "WRACKLINE_SEED", uint64(time.Now().UnixNano()))
	t.Logf("WRACKLINE_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 7))
	var m histMath
	resets := 0
	for i := range 20_000 {
		custom := r.IntN(3) == 0
		a, b := randomHistogram(r, custom), randomHistogram(r, custom)
		if r.IntN(2) == 0 { // often with much in common
			b = a
			b.Pos, b.Neg = slices.Clone(a.Pos), slices.Clone(a.Neg)
			for range r.IntN(3) {
				observe(&b, math.Exp(r.NormFloat64()), 1)
			}
			if r.IntN(4) == 0 && len(b.Pos) > 0 {
				b.Pos[0].Count--
				b.Count--
			}
		}
		var x, y hist
		x.set(&a, a.Custom)
		y.set(&b, b.Custom)
		if got, want := m.reset(&y, &x), floatHistogram(&b).DetectReset(floatHistogram(&a)); got != want {
			t.Fatalf("seed %d, step %d: reset from %+v to %+v: %v, want %v", seed, i, a, b, got, want)
		} else if got {
			resets++
		}
		if a.Schema != b.Schema && a.ZeroThreshold != b.ZeroThreshold {
			continue // Prometheus 3.15 counts what both the zero bucket and a coarser bucket take in twice
		}
		fa, fb := floatHistogram(&a), floatHistogram(&b)
		sign := 1.0
		var err error
		if r.IntN(2) == 0 {
			_, _, _, err = fa.Add(fb)
		} else {
			sign = -1
			_, _, _, err = fa.Sub(fb)
		}
		if ok := m.add(&x, &y, sign); !ok || err != nil {
			t.Fatalf("seed %d, step %d: %v %v", seed, i, ok, err)
		}
		x.prune()
		fa.Compact(0)
		if got := floatHistogram(seriesHistogram(&x)); !got.Equals(fa) && !nearHistogram(got, fa) {
			t.Fatalf("seed %d, step %d: %+v %+g %+v:\ngot  %v\nwant %v", seed, i, a, sign, b, got, fa)
		}
		if sign < 0 {
			continue // quantiles of negative counts mean nothing
		}
		q := []float64{0, 0.5, 1, r.Float64()*1.2 - 0.1}[r.IntN(4)]
		want, _ := promql.HistogramQuantile(q, fa, "", posrange.PositionRange{})
		// With NaN observations Prometheus 3.15 interpolates in the last bucket instead of the one that it found.
		if got := x.quantile(q); !near(got, want) && !math.IsNaN(x.sum) {
			t.Fatalf("seed %d, step %d: the %v-quantile of %v is %v, want %v", seed, i, q, fa, got, want)
		}
		lo, hi := r.NormFloat64()*3, r.NormFloat64()*3
		switch r.IntN(6) {
		case 0:
			lo = math.Inf(-1)
		case 1:
			hi = math.Inf(1)
		case 2:
			lo, hi = 0, 0.5
		}
		want, _ = promql.HistogramFraction(lo, hi, fa, "", posrange.PositionRange{})
		if got := x.fraction(lo, hi); !near(got, want) {
			t.Fatalf("seed %d, step %d: the fraction of %v between %v and %v is %v, want %v", seed, i, fa, lo, hi, got, want)
		}
	}
	if resets < 1000 || resets > 19_000 {
		t.Errorf("%d resets in 20,000 pairs", resets)
	}
}

// nearHistogram allows for rounding: a bucket that one has and the other has not is nearly empty.
func nearHistogram(a, b *histogram.FloatHistogram) bool {
	if a.Schema != b.Schema || !near(a.ZeroThreshold, b.ZeroThreshold) || !near(a.Count, b.Count) || !near(a.Sum, b.Sum) || !near(a.ZeroCount, b.ZeroCount) {
		return false
	}
	d := a.Copy()
	d.ZeroThreshold = b.ZeroThreshold
	if _, _, _, err := d.Sub(b.Copy()); err != nil {
		return false
	}
	for _, c := range append(d.PositiveBuckets, d.NegativeBuckets...) {
		if math.Abs(c) > 1e-9*max(1, a.Count) {
			return false
		}
	}
	return true
}

// Observations of NaN lie above all others.
func TestQuantileWithNaNObservations(t *testing.T) {
	h := hist{schema: 0, count: 10, sum: math.NaN(), pos: []series.Bucket{{Index: 1, Count: 4}, {Index: 3, Count: 4}}}
	for q, want := range map[float64]float64{0.2: math.Sqrt2, 0.4: 2, 0.6: 4 * math.Sqrt2, 0.8: 8, 0.81: math.NaN(), 1: math.NaN()} {
		if got := h.quantile(q); !near(got, want) {
			t.Errorf("the %v-quantile is %v, want %v", q, got, want)
		}
	}
	if got := h.fraction(math.Inf(-1), math.Inf(1)); got != 0.8 {
		t.Errorf("%v of the observations are numbers, want 0.8", got)
	}
}

// The fraction of classic buckets is that of the engine.
func TestBucketFractionEqualsPromQL(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 7))
	for range 20_000 {
		var ours []bucket
		var theirs promql.Buckets
		count, first := 0.0, float64(r.IntN(5)-3)
		n := 1 + r.IntN(8)
		for j := range n {
			if r.IntN(4) > 0 {
				count += r.ExpFloat64()
			}
			b := first + float64(j)/2
			if j == n-1 && r.IntN(10) > 0 {
				b = math.Inf(1)
			}
			ours, theirs = append(ours, bucket{0, 1, b, count}), append(theirs, promql.Bucket{UpperBound: b, Count: count})
		}
		lo, hi := r.NormFloat64()*2, r.NormFloat64()*2
		if r.IntN(4) == 0 {
			lo = math.Inf(-1)
		}
		if r.IntN(4) == 0 {
			hi = math.Inf(1)
		}
		want := promql.BucketFraction(lo, hi, theirs)
		if got := bucketFraction(lo, hi, commonBounds(ours)); !near(got, want) {
			t.Fatalf("%v to %v of %v: got %v, want %v", lo, hi, theirs, got, want)
		}
	}
}
