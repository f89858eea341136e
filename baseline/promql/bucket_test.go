package promql

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/prometheus/prometheus/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

// The quantile of any buckets is that of the engine: out of order, falling, equal bounds, no observations.
func TestBucketQuantileEqualsPromQL(t *testing.T) {
	seed := testSeed(t)
	r := rand.New(rand.NewPCG(seed, 3))
	for i := range 20_000 {
		var ours []bucket
		var theirs promql.Buckets
		count, first := 0.0, float64(r.IntN(5)-3)
		for j := range 1 + r.IntN(8) {
			bound := first + float64(j)/2
			if r.IntN(10) == 0 {
				bound -= 0.5 // again
			}
			switch r.IntN(6) {
			case 0:
			case 1:
				count *= 0.9 // falls
			case 2:
				count *= 1 + 1e-13*float64(r.IntN(30)) // noise
			default:
				count += r.ExpFloat64()
			}
			ours = append(ours, bucket{0, 1, bound, count})
		}
		if r.IntN(20) > 0 {
			ours = append(ours, bucket{0, 1, math.Inf(1), count + max(0, r.NormFloat64())})
		}
		slices.SortStableFunc(ours, func(a, b bucket) int { return cmp.Compare(a.bound, b.bound) })
		for _, b := range ours {
			theirs = append(theirs, promql.Bucket{UpperBound: b.bound, Count: b.count})
		}
		same := map[float64]int32{}
		for _, b := range ours {
			same[b.bound]++
		}
		for k := range ours {
			ours[k].members = 840 / same[ours[k].bound] // together 840 for each bound, so none is left out
		}
		q := r.Float64()*1.2 - 0.1
		text := fmt.Sprint(ours)
		got := bucketQuantile(q, commonBounds(ours))
		want, _, _, _, _, _ := promql.BucketQuantile(q, theirs)
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) && math.Abs(got-want) > 1e-9*math.Abs(want) {
			t.Fatalf("seed %d, step %d: the %v-quantile of %s is %v, want %v", seed, i, q, text, got, want)
		}
	}
}

// Observations of NaN lie above all others.
func TestQuantileWithNaNObservations(t *testing.T) {
	h := Hist{Schema: 0, Count: 10, Sum: math.NaN(), Pos: []series.Bucket{{Index: 1, Count: 4}, {Index: 3, Count: 4}}}
	for q, want := range map[float64]float64{0.2: math.Sqrt2, 0.4: 2, 0.6: 4 * math.Sqrt2, 0.8: 8, 0.81: math.NaN(), 1: math.NaN()} {
		if got := h.Quantile(q); math.Abs(got-want) > 1e-9*max(math.Abs(want), 1) || (got != got) != (want != want) {
			t.Errorf("the %v-quantile is %v, want %v", q, got, want)
		}
	}
	if got := h.Fraction(math.Inf(-1), math.Inf(1)); got != 0.8 {
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
		if got := bucketFraction(lo, hi, commonBounds(ours)); math.Abs(got-want) > 1e-9*max(math.Abs(want), 1) || (got != got) != (want != want) {
			t.Fatalf("%v to %v of %v: got %v, want %v", lo, hi, theirs, got, want)
		}
	}
}

// testSeed returns the seed of a random test: WRACKLINE_SEED, or another one each time.
func testSeed(t *testing.T) uint64 {
	seed, err := strconv.ParseUint(os.Getenv("WRACKLINE_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("WRACKLINE_SEED=%d", seed)
	return seed
}
