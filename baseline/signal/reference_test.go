package signal

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/promql/oracle"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/spelling"
	"github.com/wrackline/wrackline/baseline/window"
)

// referenceBase is when the random series begin: a window's end.
const referenceBase = int64(1_700_000_040_000)

// arrival is when a sample or a native histogram of a random series comes to the stream.
type arrival struct {
	at     int64
	ref, j int // whose it is, and which of that
}

// arriving moves random series to referenceBase, makes instance their target, and returns what arrives, in order: the shard of each series
// is up to seven seconds late.
func arriving(r *rand.Rand, all []oracle.Series, instance func(l series.Labels) string) []arrival {
	var out []arrival
	for i := range all {
		s := &all[i]
		s.Labels = append(s.Labels, series.Label{Name: "instance", Value: instance(s.Labels)})
		s.Labels, _ = series.Canonical(s.Labels)
		s.Samples, s.Hists = slices.Clone(s.Samples), slices.Clone(s.Hists)
		delay := int64(r.IntN(8)) * 1000
		for j := range s.Samples {
			s.Samples[j].T += referenceBase
			out = append(out, arrival{s.Samples[j].T + delay, i, j})
		}
		for j := range s.Hists {
			s.Hists[j].T += referenceBase
			out = append(out, arrival{s.Hists[j].T + delay, i, j})
		}
	}
	slices.SortStableFunc(out, func(a, b arrival) int { return int(a.at - b.at) })
	return out
}

// reference feeds random series to a stream, and compares what the stream has of each in each closed window with what the reference makes
// of it, which is checked against the Prometheus engine.
type reference struct {
	t        *testing.T
	seed     uint64
	compared map[string]int // by rule

	s     *Stream
	rec   *recorder
	all   []oracle.Series
	names map[series.Print]int // which of them a series of the stream is
	fed   []int64              // newest sample that the stream has of each
}

// ringValue is what the stream has of a series for a leaf in a window.
type ringValue struct {
	rule   *ruleForms
	leaf   *promql.Leaf
	series int
	end    int64
	e      promql.Element
	has    bool
}

func newReference(t *testing.T, seed uint64) *reference {
	return &reference{t: t, seed: seed, compared: map[string]int{}}
}

// begin makes a new stream for other series. In each closed window compare is asked about each series that a leaf selects and of which the
// stream has all until then. asked says of which leaf that is: the rule's own, or that of the native histograms that may stand in for it.
func (f *reference) begin(rules []*pack.Rule, all []oracle.Series, asked func(*promql.Leaf) *promql.Leaf, compare func(ringValue)) {
	f.s, f.rec = newTestStream(f.t, StreamOptions{Packs: packOf(rules...)})
	f.all, f.names, f.fed = all, map[series.Print]int{}, make([]int64, len(all))
	for i := range all {
		l := slices.Clone(all[i].Labels)
		spelling.One(l)
		f.names[f.s.printOf("", l, "")] = i
	}
	f.s.closed = func(w *Window) {
		f.rec.closed(w)
		for _, rf := range f.s.rules {
			f.s.current = evaluation{c: f.s.clusters[0], form: &rf.forms[0], end: w.End, w: window.Of(w.End)}
			for li, l := range rf.forms[0].plan.Leaves {
				got := map[int]promql.Element{}
				for _, e := range f.s.vector(li, nil) {
					if e.Members > 0 {
						got[f.names[f.s.cold[e.Top[0].Series].print]] = e
					}
				}
				l = asked(l)
				for i := range all {
					if oracle.Selects(l, all[i].Labels) && f.fed[i] >= w.End {
						e, has := got[i]
						compare(ringValue{rf, l, i, w.End, e, has})
					}
				}
			}
		}
	}
}

// same holds that a value is the reference's, and is none if the reference has none.
func (f *reference) same(g ringValue, want, events float64, ok bool) {
	f.t.Helper()
	f.compared[g.rule.Name]++
	if g.has != ok || ok && (!oracle.Near(g.e.V, want) || !oracle.Near(g.e.Events, events)) {
		f.t.Fatalf("seed %d: %s of %s at %d: got %v %v (%v events), want %v %v (%v)\nsamples %v", f.seed, g.rule.Exprs[0], f.all[g.series].Labels, g.end-referenceBase,
			g.has, g.e.V, g.e.Events, ok, want, events, f.all[g.series].Samples)
	}
}

// send applies what arrives as a batch of its own, since only what the stream has folded counts as fed. Stale markers, NaN and infinite
// values do not.
func (f *reference) send(a arrival, receivedMs int64) *batch {
	b, s := newBatch(receivedMs), &f.all[a.ref]
	var at int64
	var counts bool
	if s.Hists != nil {
		h := s.Hists[a.j]
		b.addHistogram(s.Labels, h)
		at, counts = h.T, !h.Stale
	} else {
		x := s.Samples[a.j]
		b.addSample(s.Labels.String(), x)
		b.labels[0] = s.Labels
		at, counts = x.T, x.V-x.V == 0
	}
	f.s.Apply(&b.Batch)
	if counts {
		f.fed[a.ref] = at
	}
	return b
}

// enough holds that the test compared something.
func (f *reference) enough(least int) {
	f.t.Helper()
	n := 0
	for _, k := range f.compared {
		n += k
	}
	f.t.Logf("seed %d: %d values compared: %v", f.seed, n, f.compared)
	if n < least {
		f.t.Errorf("seed %d: only %d values compared", f.seed, n)
	}
}

// TestLeavesEqualTheReference feeds random series, sharded and delayed, and compares what the rings give for each closed window with
// the reference.
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
	f := newReference(t, seed)
	for range 12 {
		all := oracle.Cluster(r)
		// One target a metric and pod, so that nothing is counted from zero.
		events := arriving(r, all, func(l series.Labels) string { return l.Get("pod") + l.Get("code") + l.Get("version") })
		events = slices.DeleteFunc(events, func(a arrival) bool { return all[a.ref].Hists != nil }) // no rule asks for native ones
		f.begin(rules, all, func(l *promql.Leaf) *promql.Leaf { return l }, func(g ringValue) {
			own := &all[g.series]
			if g.leaf.Bucket && slices.ContainsFunc(ofPod(all, own.Labels), func(j int) bool { return f.fed[j] < g.end }) {
				return // a part of a bucket set is none
			}
			if newest, _ := oracle.Newest(own.Samples, g.end); newest.V-newest.V != 0 && !series.IsStale(newest.V) {
				return // NaN and infinite values are not used
			}
			want, events, ok := oracle.Value(g.leaf, own.Samples, g.end)
			f.same(g, want, events, ok)
		})
		for len(events) > 0 {
			n := min(1+r.IntN(40), len(events)) // they arrive together
			received := max(events[0].at+500, events[n-1].at)
			for _, a := range events[:n] {
				f.send(a, received)
			}
			events = events[n:]
		}
	}
	f.enough(10_000)
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

// What the stream makes of native histograms, sharded and delayed, is what the reference makes of them; and a stream that was stored and
// restored halfway gives the same windows to the bit.
func TestNativeHistogramsEqualTheReference(t *testing.T) {
	seed := oracle.EnvInt(t, "SEED", rand.Uint64())
	r := rand.New(rand.NewPCG(seed, 9))
	rules := []*pack.Rule{
		rule("t.a", `histogram_quantile(0.9, sum by (cluster, node) (rate(rtt[1m])))`), rule("t.b", `sum by (cluster, node) (increase(rtt_count[5m]))`),
		rule("t.c", `histogram_fraction(0.3, 2.1, sum by (cluster, le) (rate(size_bucket{node!="node-1"}[2m])))`),
		rule("t.d", `sum by (cluster) (rate(rtt_sum[15m]))`), rule("t.e", `histogram_avg(sum by (cluster, node) (rate(size[3m])))`),
		rule("t.f", `histogram_quantile(0.5, avg by (cluster) (rate(rtt[15m])) * 3)`),
	}
	f := newReference(t, seed)
	for range 8 {
		all := slices.DeleteFunc(oracle.Cluster(r), func(s oracle.Series) bool {
			// Those of more buckets than are held are made coarser, and the reference keeps them as they are.
			return s.Hists == nil || slices.ContainsFunc(s.Hists, func(h series.Histogram) bool { return len(h.Pos)+len(h.Neg) > promql.BucketsMax })
		})
		events := arriving(r, all, func(l series.Labels) string { return l.Get("pod") })
		f.begin(rules, all, (*promql.Leaf).Native, func(g ringValue) {
			want, v, events, ok := oracle.HistogramValue(g.leaf, all[g.series].Hists, g.end)
			f.same(g, v, events, ok)
			if g.leaf.Part == promql.PartBuckets && ok {
				f.sameBuckets(g, want)
			}
		})
		var second *Stream
		var again *recorder
		done := 0 // windows before the restart
		for i, a := range events {
			b := f.send(a, a.at+500)
			if i == len(events)/2 {
				second, again = f.restored(rules)
				done = len(f.rec.windows)
			} else if second != nil {
				second.Apply(&b.Batch)
			}
		}
		if !slices.Equal(f.rec.windows[done:], again.windows) {
			t.Fatalf("seed %d: other windows after a restart", seed)
		}
		if got := f.s.buckets; got != heldBuckets(f.s) {
			t.Fatalf("seed %d: %d buckets counted, %d held", seed, got, heldBuckets(f.s))
		}
	}
	f.enough(3000)
}

// sameBuckets holds that the buckets of a native histogram are the reference's.
func (f *reference) sameBuckets(g ringValue, want *promql.Hist) {
	f.t.Helper()
	h := f.s.clusters[0].table.Work.Hist(g.e.Hist)
	if h.Schema != want.Schema || !slices.Equal(h.Custom, want.Custom) || !oracle.Near(h.Quantile(0.3), want.Quantile(0.3)) || !oracle.Near(h.Fraction(0, 1), want.Fraction(0, 1)) {
		f.t.Fatalf("seed %d: %s of %s at %d: got %+v, want %+v", f.seed, g.rule.Exprs[0], f.all[g.series].Labels, g.end-referenceBase, h, want)
	}
}

// restored makes a second stream of the state of the first.
func (f *reference) restored(rules []*pack.Rule) (*Stream, *recorder) {
	f.t.Helper()
	state := f.s.AppendState(nil)
	s, rec := newTestStream(f.t, StreamOptions{Packs: packOf(rules...)})
	if err := s.RestoreState(state); err != nil {
		f.t.Fatal(err)
	}
	if got := s.AppendState(nil); !slices.Equal(got, state) {
		f.t.Fatalf("seed %d: the state changed by restoring it", f.seed)
	}
	return s, rec
}
