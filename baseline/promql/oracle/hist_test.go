package oracle

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	prom "github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser/posrange"
	"github.com/wrackline/wrackline/baseline/promql"
)

// A histogram's quantile, its fraction, sums of two and resets are those of Prometheus: all schemas, thresholds, custom bounds, negative
// and NaN observations.
func TestHistogramEqualsPromQL(t *testing.T) {
	seed := EnvInt(t, "WRACKLINE_SEED", uint64(time.Now().UnixNano()))
	t.Logf("WRACKLINE_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 7))
	var m promql.HistMath
	resets := 0
	for i := range 20_000 {
		custom := r.IntN(3) == 0
		a, b := RandomHistogram(r, custom), RandomHistogram(r, custom)
		if r.IntN(2) == 0 { // often with much in common
			b = a
			b.Pos, b.Neg = slices.Clone(a.Pos), slices.Clone(a.Neg)
			for range r.IntN(3) {
				Observe(&b, math.Exp(r.NormFloat64()), 1)
			}
			if r.IntN(4) == 0 && len(b.Pos) > 0 {
				b.Pos[0].Count--
				b.Count--
			}
		}
		var x, y promql.Hist
		x.Set(&a, a.Custom)
		y.Set(&b, b.Custom)
		if got, want := m.Reset(&y, &x), floatHistogram(&b).DetectReset(floatHistogram(&a)); got != want {
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
		if ok := m.Add(&x, &y, sign); !ok || err != nil {
			t.Fatalf("seed %d, step %d: %v %v", seed, i, ok, err)
		}
		x.Prune()
		fa.Compact(0)
		if got := floatHistogram(seriesHistogram(&x)); !got.Equals(fa) && !nearHistogram(got, fa) {
			t.Fatalf("seed %d, step %d: %+v %+g %+v:\ngot  %v\nwant %v", seed, i, a, sign, b, got, fa)
		}
		if sign < 0 {
			continue // quantiles of negative counts mean nothing
		}
		q := []float64{0, 0.5, 1, r.Float64()*1.2 - 0.1}[r.IntN(4)]
		want, _ := prom.HistogramQuantile(q, fa, "", posrange.PositionRange{})
		// With NaN observations Prometheus 3.15 interpolates in the last bucket instead of the one that it found.
		if got := x.Quantile(q); !Near(got, want) && !math.IsNaN(x.Sum) {
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
		want, _ = prom.HistogramFraction(lo, hi, fa, "", posrange.PositionRange{})
		if got := x.Fraction(lo, hi); !Near(got, want) {
			t.Fatalf("seed %d, step %d: the fraction of %v between %v and %v is %v, want %v", seed, i, fa, lo, hi, got, want)
		}
	}
	if resets < 1000 || resets > 19_000 {
		t.Errorf("%d resets in 20,000 pairs", resets)
	}
}

// nearHistogram allows for rounding: a bucket that one has and the other has not is nearly empty.
func nearHistogram(a, b *histogram.FloatHistogram) bool {
	if a.Schema != b.Schema || !Near(a.ZeroThreshold, b.ZeroThreshold) || !Near(a.Count, b.Count) || !Near(a.Sum, b.Sum) || !Near(a.ZeroCount, b.ZeroCount) {
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
