package signal

import (
	"fmt"
	"math"
	"testing"
)

// TestSetWithUnseenBucketsWaits holds that a new pod's histogram does not count before all of its buckets have been seen: its kin say
// how many there are. One that has fewer in truth counts after two minutes.
func TestSetWithUnseenBucketsWaits(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(rule("t.p50", `histogram_quantile(0.5, sum by (cluster, namespace, le) (rate(h_bucket[1m])))`))})
	set := func(pod string, les ...string) (out []string) {
		for _, le := range les {
			out = append(out, fmt.Sprintf(`h_bucket{job="web",namespace="%s",pod="%s",le="%s"}`, pod, pod, le))
		}
		return out
	}
	old := set("a", "1", "2", "4", "+Inf")
	feedSeries(s, t0, t0+600_000, 15_000, old, ramp)
	young := append(set("b", "1", "4", "+Inf"), old...)
	feedSeries(s, t0+615_000, t0+1_200_000, 15_000, young, ramp)
	id := func(ns string) string { return "t.p50~cluster=default~namespace=" + ns }
	if n := len(r.values[id("a")]); n < 18 {
		t.Errorf("the old pod has %d values", n)
	}
	first := int64(0)
	for w := range r.values[id("b")] {
		if first == 0 || w < first {
			first = w
		}
	}
	if first < t0+615_000+2*windowMs || first > t0+615_000+2*windowMs+2*windowMs {
		t.Errorf("the young pod has its first value at %d s", (first-t0)/1000)
	}
}

func TestBucketsCountTogetherOrNotAtAll(t *testing.T) {
	p90 := rule("h.p90", `histogram_quantile(0.9, sum by (cluster, le) (rate(h_bucket[1m])))`)
	s, r := newTestStream(t, StreamOptions{Packs: packOf(p90)})
	les := []string{"0.1", "1", "+Inf"}
	// Each bucket travels in a shard of its own. Half of the observations are below 0.1, the rest below 1.
	value := func(i int, at int64) float64 { return []float64{0.5, 1, 1}[i] * ramp(0, at) }
	stalled := func(i int, at int64) bool { return i == 0 && at > t0+300_000 && at <= t0+480_000 }
	for at := int64(t0); at <= t0+900_000; at += 30_000 {
		for i, le := range les {
			if stalled(i, at) {
				continue
			}
			b := newBatch(at + int64(i)*3000 + 500)
			if i == 0 && at == t0+510_000 { // what the stall held back
				for late := int64(t0 + 330_000); late < at; late += 30_000 {
					b.add(fmt.Sprintf(`h_bucket{instance="a:1",le="%s"}`, le), late, value(i, late))
				}
			}
			b.add(fmt.Sprintf(`h_bucket{instance="a:1",le="%s"}`, le), at, value(i, at))
			s.Apply(&b.Batch)
		}
	}
	got := only(r, "h.p90~cluster=default")
	for m, v := range got {
		if math.Abs(v-0.82) > 1e-9 { // 0.1 + 0.9·(0.9−0.5)/0.5
			t.Errorf("minute %d: p90 %v, want 0.82", m, v)
		}
	}
	for _, m := range []int64{2, 3, 4, 5, 10, 11, 12} {
		if _, ok := got[m]; !ok {
			t.Errorf("minute %d: no value", m)
		}
	}
	for _, m := range []int64{6} {
		if _, ok := got[m]; ok {
			t.Errorf("minute %d has a value from two of three buckets", m)
		}
	}
}
