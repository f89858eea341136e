package signal

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/wrackline/wrackline/baseline/promql/oracle"
)

// TestStreamAgainstTheTrueProcess uses one seed, since the extremes of 234 windows are chance: what happened between the last scrape of a
// pod and its end is nobody's to know. SEED=… plays another.
func TestStreamAgainstTheTrueProcess(t *testing.T) {
	seed := oracle.EnvInt(t, "SEED", 1)
	t.Run("1.0", func(t *testing.T) { t.Parallel(); testTruth(t, seed, false) })
	t.Run("2.0", func(t *testing.T) { t.Parallel(); testTruth(t, seed, true) }) // samples say when their counter began
}

func testTruth(t *testing.T, seed uint64, starts bool) {
	// The grace is longer than the longest scrape interval and stall together, so that nothing comes after it.
	s, rec := newTestStream(t, StreamOptions{GraceMs: GraceMax, Packs: packOf(
		rule("t.rate", `sum by (cluster) (rate(http_requests_total[1m]))`),
		rule("t.p99", `histogram_quantile(0.99, sum by (cluster, le) (rate(http_request_duration_seconds_bucket[1m])))`),
		rule("t.workload", `sum by (cluster, namespace, workload) (rate(http_requests_total[1m]))`))})
	p := newTruthProcess(seed, starts)
	p.run(s)

	st := s.Stats()
	t.Logf("seed %d: %d pods, %d restarts in place, %d samples, %d of the other replica, %d takeovers, %d late, %d values not given for missing series", seed, p.pods, p.resets, st.Samples, st.Replica, st.Takeovers, st.Late, st.Incomplete)
	rate, p99, workload := p.errors(rec)
	windows := truthHours*60 - 6
	for _, x := range []struct {
		name string
		truthErrors
		all int
	}{{"rate", rate, windows}, {"p99", p99, windows}, {"rate of a workload of 6 pods", workload, 5 * windows}} {
		t.Logf("%s: error median %.2f %%, p95 %.2f %%, p99 %.2f %%, max %.2f %%; %d of %d windows", x.name, x.at(0.5), x.at(0.95), x.at(0.99), x.at(1), len(x.truthErrors), x.all)
	}
	if len(rate) < windows*97/100 || len(p99) < windows*97/100 {
		t.Errorf("seed %d: %d and %d of %d windows have a value", seed, len(rate), len(p99), windows)
	}
	if e := rate.at(0.99); e > 3.2 {
		t.Errorf("seed %d: error of the rate %.2f %% at p99, want at most 3.2 %%", seed, e)
	}
	if e := p99.at(1); e > 2 {
		t.Errorf("seed %d: error of the latency's p99 %.2f %% at most, want 2 %%", seed, e)
	}
	if p.resets < 10 || st.Takeovers == 0 || p.pods < 120 {
		t.Errorf("seed %d: %d restarts, %d takeovers, %d pods: the simulation is too tame", seed, p.resets, st.Takeovers, p.pods)
	}
}

// truthErrors are how far values are from the truth, as parts of it, in ascending order.
type truthErrors []float64

// at returns a quantile in per cent.
func (l truthErrors) at(q float64) float64 { return 100 * l[min(len(l)-1, int(q*float64(len(l))))] }

// errors compares what a stream gave with what the process did, without its first and last three minutes.
func (x *truthProcess) errors(rec *recorder) (rate, p99, workload truthErrors) {
	for w, c := range x.counts {
		if w <= (x.base+180)*1000 || w > (x.end-180)*1000 {
			continue
		}
		total := 0.0
		for _, n := range c {
			total += n
		}
		if v, ok := rec.values["t.rate~cluster=default"][w]; ok {
			rate = append(rate, math.Abs(v*60/total-1))
		}
		if v, ok := rec.values["t.p99~cluster=default"][w]; ok {
			p99 = append(p99, math.Abs(v/truthQuantile(0.99, c[:])-1))
		}
		for i, n := range x.work[w] {
			if v, ok := rec.values[fmt.Sprintf("t.workload~cluster=default~namespace=shop~workload=web%d", i)][w]; ok {
				workload = append(workload, math.Abs(v*60/n-1))
			}
		}
	}
	for _, l := range []truthErrors{rate, p99, workload} {
		slices.Sort(l)
	}
	return rate, p99, workload
}

// truthQuantile is PromQL's histogram_quantile of increases that are not cumulative.
func truthQuantile(q float64, counts []float64) float64 {
	total := 0.0
	for _, c := range counts {
		total += c
	}
	rank, below := q*total, 0.0
	for i, c := range counts {
		if below+c >= rank {
			lo := 0.0
			if i > 0 {
				lo = truthBounds[i-1]
			}
			return lo + (truthBounds[i]-lo)*(rank-below)/c
		}
		below += c
	}
	return math.NaN()
}
