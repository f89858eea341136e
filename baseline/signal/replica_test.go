package signal

import (
	"math"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/series"
)

func replicaOf(name, replica string) string {
	return strings.TrimSuffix(name, "}") + `,prometheus_replica="` + replica + `"}`
}

// pair feeds what an HA pair sends: replica b scrapes 7 s after a. alive says which of them gives a series at a time.
func pair(s *Stream, from, to int64, names []string, alive func(rep, i int, at int64) bool) {
	for at := from; at <= to; at += 30_000 {
		for rep, offset := range []int64{0, 7_000} {
			b := newBatch(at + offset + 1000)
			b.Sender = string(rune('a' + rep))
			for i, n := range names {
				if alive(rep, i, at) {
					b.add(replicaOf(n, b.Sender), at+offset, ramp(i, at+offset))
				}
			}
			s.Apply(&b.Batch)
		}
	}
}

func TestPairCountsOnceWithoutConfiguration(t *testing.T) {
	names := []string{`x_total{instance="a:1"}`, `x_total{instance="b:1"}`, `x_total{instance="c:1"}`}
	for _, c := range []struct {
		name  string
		alive func(rep, i int, at int64) bool
		takes bool
	}{
		{"both alive", func(int, int, int64) bool { return true }, false},
		{"the first dies", func(rep, _ int, at int64) bool { return rep == 1 || at < t0+300_000 }, true},
		{"the second dies", func(rep, _ int, at int64) bool { return rep == 0 || at < t0+300_000 }, false},
		{"a shard of the first stalls for good", func(rep, i int, at int64) bool { return rep == 1 || i != 1 || at < t0+300_000 }, true},
		{"a shard of the first stalls and comes back", func(rep, i int, at int64) bool { return rep == 1 || i != 1 || at < t0+300_000 || at > t0+480_000 }, true},
		{"a shard of each stalls", func(rep, i int, at int64) bool { return at < t0+300_000 || i == 2 || i != rep }, true},
	} {
		s, r := newTestStream(t, StreamOptions{Packs: packOf(qps)})
		pair(s, t0, t0+900_000, names, c.alive)
		wantValues(t, c.name, only(r, qpsID), 2, 12, 3)
		st := s.Stats()
		if st.Tracked != 3 || st.Resets != 0 || st.OutOfOrder != 0 || (st.Takeovers > 0) != c.takes {
			t.Errorf("%s: %d tracked, %d resets, %d out of order, %d takeovers", c.name, st.Tracked, st.Resets, st.OutOfOrder, st.Takeovers)
		}
		if len(st.Clusters) != 1 || st.Senders[0].Replica != "a" || st.Senders[1].Replica != "b" {
			t.Errorf("%s: %+v %+v", c.name, st.Clusters, st.Senders)
		}
	}
}

func TestReplicaThatLostATargetIsCovered(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	names := []string{`x_total{instance="a:1"}`}
	pair(s, t0, t0+300_000, names, func(int, int, int64) bool { return true })
	b := newBatch(t0+331_000).add(replicaOf(names[0], "a"), t0+330_000, series.StaleNaN)
	b.Sender = "a"
	s.Apply(&b.Batch)
	pair(s, t0+330_000, t0+600_000, names, func(rep, _ int, _ int64) bool { return rep == 1 })
	wantValues(t, "rate", only(r, qpsID), 2, 8, 1)
}

func TestPairSwitchesBucketsTogether(t *testing.T) {
	p90 := rule("h.p90", `histogram_quantile(0.9, sum by (cluster, le) (rate(h_bucket[1m])))`)
	s, r := newTestStream(t, StreamOptions{Packs: packOf(p90)})
	names := []string{`h_bucket{instance="a:1",le="0.1"}`, `h_bucket{instance="a:1",le="1"}`, `h_bucket{instance="a:1",le="+Inf"}`}
	for at := int64(t0); at <= t0+900_000; at += 30_000 {
		for rep, offset := range []int64{0, 7_000} {
			b := newBatch(at + offset + 1000)
			b.Sender = string(rune('a' + rep))
			for i, n := range names {
				if rep == 0 && i == 1 && at > t0+300_000 {
					continue // its shard stalls
				}
				b.add(replicaOf(n, b.Sender), at+offset, []float64{0.5, 1, 1}[i]*ramp(0, at+offset))
			}
			s.Apply(&b.Batch)
		}
	}
	got := only(r, "h.p90~cluster=default")
	for m := int64(2); m <= 12; m++ {
		// While the stall may yet be over, and where the buckets were read at different times, there is no value rather than a wrong one.
		if v, ok := got[m]; ok != (m < 6 || m > 8) || ok && math.Abs(v-0.82) > 1e-9 {
			t.Errorf("minute %d: p90 %v %v, want 0.82, and none in minutes 6 to 8", m, v, ok)
		}
	}
	if rep := s.groups[s.hot[0].group].replica; s.names.Name(rep) != "b" {
		t.Errorf("the set is read from %q", s.names.Name(rep))
	}
}
