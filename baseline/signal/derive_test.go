package signal

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/promql/oracle"
	"github.com/wrackline/wrackline/baseline/series"
)

// TestLeavesEqualTheReference feeds random series, sharded and delayed, and compares what the rings give for each closed window with
// the reference feeder, which is checked against the Prometheus engine.
func TestLeavesEqualTheReference(t *testing.T) {
	rules := []*pack.Rule{
		rule("t.a", `sum by (cluster) (rate(requests_total[1m]))`), rule("t.b", `sum by (cluster) (increase(requests_total[5m]))`),
		rule("t.c", `sum by (cluster) (rate(requests_total{code="500"}[15m]))`), rule("t.d", `sum by (cluster) (changes(state[5m]))`),
		rule("t.e", `max by (cluster, node) (memory_bytes)`), rule("t.f", `max by (cluster) (timestamp(memory_bytes))`),
		rule("t.g", `histogram_quantile(0.9, sum by (cluster, le) (rate(latency_bucket[1m])))`), rule("t.h", `sum by (cluster) (limit_bytes)`),
		rule("t.i", `sum by (cluster) (changes(state[15m]))`), rule("t.j", `sum by (cluster) (rate(latency_bucket{le="0.5"}[3m]))`),
	}
	seed := oracle.EnvInt(t, "SEED", rand.Uint64())
	r := rand.New(rand.NewPCG(seed, 2))
	compared, kinds := 0, map[string]int{}
	for range 12 {
		all := oracle.Cluster(r)
		type event struct {
			at  int64 // when it arrives
			ref int
			x   series.Sample
		}
		const base = int64(1_700_000_040_000) // a window's end
		var events []event
		for i := range all {
			all[i].Samples = slices.Clone(all[i].Samples)
			// One target a metric and pod, so that nothing is counted from zero.
			all[i].Labels = append(all[i].Labels, series.Label{Name: "instance", Value: all[i].Labels.Get("pod") + all[i].Labels.Get("code") + all[i].Labels.Get("version")})
			all[i].Labels, _ = series.Canonical(all[i].Labels)
			delay := int64(r.IntN(8)) * 1000 // of its shard
			for j := range all[i].Samples {
				x := &all[i].Samples[j]
				x.T += base
				events = append(events, event{x.T + delay, i, *x})
			}
		}
		slices.SortStableFunc(events, func(a, b event) int { return int(a.at - b.at) })
		fed := make([]int64, len(all)) // newest sample that the stream has
		var s *Stream
		names := map[series.Print]int{}
		check := func(w *Window) {
			c := s.clusters[0]
			for _, rf := range s.rules {
				s.current = evaluation{c: c, form: &rf.forms[0], end: w.End, w: minute(w.End)}
				for li, l := range rf.forms[0].plan.Leaves {
					got := map[int]promql.Element{}
					for _, e := range s.vector(li, nil) {
						if e.Members > 0 {
							got[names[s.cold[e.Top[0].Series].print]] = e
						}
					}
					for i := range all {
						if !oracle.Selects(l, all[i].Labels) || fed[i] < w.End {
							continue
						}
						if l.Bucket && slices.ContainsFunc(ofPod(all, all[i].Labels), func(j int) bool { return fed[j] < w.End }) {
							continue // a part of a bucket set is none
						}
						want, events, ok := oracle.Value(l, all[i].Samples, w.End)
						e, has := got[i]
						if newest, _ := oracle.Newest(all[i].Samples, w.End); newest.V-newest.V != 0 && !series.IsStale(newest.V) {
							continue // NaN and infinite values are not used
						}
						compared++
						kinds[rf.Name]++
						if has != ok || ok && (!oracle.Near(e.V, want) || !oracle.Near(e.Events, events)) {
							t.Fatalf("seed %d: %s of %s at %d: got %v %v (%v events), want %v %v (%v)\nsamples %v", seed, rf.Exprs[0], all[i].Labels, w.End-base, has, e.V, e.Events, ok, want, events, all[i].Samples)
						}
					}
				}
			}
		}
		var err error
		s, err = NewStream(StreamOptions{Packs: packOf(rules...)}, check)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(events); {
			b := newBatch(events[i].at + 500)
			n := 1 + r.IntN(40)
			for ; i < len(events) && n > 0; i, n = i+1, n-1 {
				e := events[i]
				b.ReceivedMs = max(b.ReceivedMs, e.at)
				b.addSample(all[e.ref].Labels.String(), e.x)
				b.labels[len(b.labels)-1] = all[e.ref].Labels
				names[s.printOf("", all[e.ref].Labels, "")] = e.ref
			}
			// Only what the stream has folded counts as fed, so each sample is its own batch here.
			for j := range b.Entries {
				one := newBatch(b.ReceivedMs)
				one.labels, one.Samples = b.labels[j:j+1], b.Samples[j:j+1]
				one.Entries = []series.Entry{{Key: b.Entries[j].Key, SampleHi: 1}}
				ref := names[s.printOf("", b.labels[j], "")]
				s.Apply(&one.Batch)
				if !series.IsStale(b.Samples[j].V) && !math.IsNaN(b.Samples[j].V-b.Samples[j].V) {
					fed[ref] = b.Samples[j].T
				}
			}
		}
	}
	t.Logf("%d values compared: %v", compared, kinds)
	if compared < 10_000 {
		t.Errorf("only %d values compared", compared)
	}
}

// ofPod returns the series with the metric name and pod of labels.
func ofPod(all []oracle.Series, labels series.Labels) (out []int) {
	for i := range all {
		if l := all[i].Labels; l.Get(series.NameLabel) == labels.Get(series.NameLabel) && l.Get("pod") == labels.Get("pod") {
			out = append(out, i)
		}
	}
	return out
}
