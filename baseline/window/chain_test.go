package window

import (
	"math/rand/v2"
	"testing"

	"github.com/wrackline/wrackline/baseline/promql/oracle"
)

const t0 = int64(1_700_000_040_000)

// TestTornBordersAreThoseThatBucketsSeeDifferently plays samples of a set whose buckets now and then miss a scrape, in any order that
// keeps each bucket's own, and compares what the chain marks with what the samples say.
func TestTornBordersAreThoseThatBucketsSeeDifferently(t *testing.T) {
	seed := oracle.EnvInt(t, "SEED", rand.Uint64())
	r := rand.New(rand.NewPCG(seed, 7))
	torn, whole := 0, 0
	for range 400 {
		const buckets, scrapes = 5, 30
		step := []int64{15_000, 30_000, 60_000}[r.IntN(3)]
		phase := r.Int64N(step)
		var queue [buckets][]int64
		for b := range queue {
			for i := range int64(scrapes) {
				if r.IntN(60) > 0 {
					queue[b] = append(queue[b], t0+phase+i*step)
				}
			}
		}
		// around returns the samples about a border.
		around := func(b int, at int64) (lo, hi int64) {
			for _, x := range queue[b] {
				if x <= at {
					lo = x
				} else {
					return lo, x
				}
			}
			return lo, 0
		}
		var c Chain
		last, next := [buckets]int64{}, [buckets]int{}
		for left := true; left; {
			left = false
			for _, b := range r.Perm(buckets) {
				if next[b] == len(queue[b]) {
					continue
				}
				left = true
				// No bucket runs further ahead of another than the chain remembers.
				if ahead := queue[b][next[b]]; slowest(queue[:], next[:], ahead) < ahead-4*step || r.IntN(3) == 0 {
					continue
				}
				x := queue[b][next[b]]
				next[b]++
				c.Add(last[b], x)
				last[b] = x
			}
		}
		for w := Of(t0+phase+step) + 1; int64(w)*Ms < t0+(scrapes-2)*step; w++ {
			at := int64(w) * Ms
			if c.last-w > 20 && w <= c.last {
				continue
			}
			lo, hi := around(0, at)
			same := true
			for b := 1; b < buckets; b++ {
				l, h := around(b, at)
				same = same && (l == lo && h == hi || l == at && lo == at)
			}
			if same {
				whole++
			} else {
				torn++
			}
			if c.Torn(w) == same && lo != at {
				t.Fatalf("seed %d: step %d: border %d: torn %v, the buckets see the same: %v", seed, step, w, c.Torn(w), same)
			}
		}
	}
	if torn < 100 || whole < 100 {
		t.Errorf("seed %d: %d borders are torn, %d whole", seed, torn, whole)
	}
}

func slowest(queue [][]int64, next []int, least int64) int64 {
	for b, q := range queue {
		if next[b] < len(q) {
			least = min(least, q[next[b]])
		}
	}
	return least
}
