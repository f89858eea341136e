package signal

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/promql/oracle"
	"github.com/wrackline/wrackline/baseline/series"
)

var nativeRules = []*pack.Rule{
	rule("n.classic", `histogram_quantile(0.25, sum by (cluster, le) (rate(x_bucket[1m])))`),
	rule("n.base", `histogram_quantile(0.25, sum by (cluster) (rate(x[1m])))`),
	rule("n.qps", `sum by (cluster) (rate(x_count[1m]))`),
	rule("n.mean", `sum by (cluster) (rate(x_sum[5m])) / sum by (cluster) (rate(x_count[5m]))`),
	rule("n.avg", `histogram_avg(sum by (cluster) (rate(x[5m])))`),
	rule("n.slow", `histogram_fraction(2, +Inf, sum by (cluster) (rate(x[1m])))`),
}

// A rule that names x_bucket, x_count or x works whatever a target sends: buckets, a native histogram, both, or one after the other.
func TestRulesReadEitherFormOfAHistogram(t *testing.T) {
	const a, b = "10.0.0.1:80", "10.0.0.2:80"
	classic := func(bt *batch, inst string, t int64, n float64) {
		at := (float64(t-t0)/1000 + 1000) * n
		for le, v := range map[string]float64{"1": at, "2": at, "4": 2 * at, "+Inf": 2 * at} {
			bt.add(fmt.Sprintf(`x_bucket{instance="%s",le="%s"}`, inst, le), t, v)
		}
		bt.add(fmt.Sprintf(`x_count{instance="%s"}`, inst), t, 2*at)
		bt.add(fmt.Sprintf(`x_sum{instance="%s"}`, inst), t, 4*at)
	}
	native := func(bt *batch, inst string, t int64, n float64) {
		bt.addHistogram(series.Labels{{Name: series.NameLabel, Value: "x"}, {Name: "instance", Value: inst}}, steady(t, n))
	}
	for _, c := range []struct {
		name string
		send func(bt *batch, t int64)
		q25  float64 // the native bucket ends at 1, the classic one at 1
	}{
		{"classic", func(bt *batch, t int64) { classic(bt, a, t, 1); classic(bt, b, t, 2) }, 0.5},
		{"native", func(bt *batch, t int64) { native(bt, a, t, 1); native(bt, b, t, 2) }, math.Exp2(-1.0 / 16)},
		{"both forms of each target", func(bt *batch, t int64) {
			classic(bt, a, t, 1)
			native(bt, a, t, 1)
			native(bt, b, t, 2)
			classic(bt, b, t, 2)
		}, math.Exp2(-1.0 / 16)},
		{"one target each", func(bt *batch, t int64) { classic(bt, a, t, 1); native(bt, b, t, 2) }, 0.5},
	} {
		s, r := newTestStream(t, StreamOptions{Packs: packOf(nativeRules...)})
		for at := int64(t0); at <= t0+20*60_000; at += 15_000 {
			bt := newBatch(at + 1000)
			c.send(bt, at)
			s.Apply(&bt.Batch)
		}
		end := int64(t0 + 15*60_000)
		for name, want := range map[string]float64{"n.classic": c.q25, "n.base": c.q25, "n.qps": 6, "n.mean": 2, "n.avg": 2, "n.slow": 0.5} {
			got, ok := r.values[name+"~cluster=default"][end]
			if !ok || !oracle.Near(got, want) {
				t.Errorf("%s: %s is %v (%v), want %v", c.name, name, got, ok, want)
			}
		}
		for _, x := range s.Stats().Rules {
			if x.Form != 0 {
				t.Errorf("%s: %s is dormant: %v", c.name, x.Rule.Name, x.Missing)
			}
		}
		if n := len(r.windows); n != 21 {
			t.Errorf("%s: %d windows", c.name, n)
		}
	}
}

// While targets go over from classic to native one by one, the values stay.
func TestRolloutToNativeHistograms(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(nativeRules...)})
	le := []string{"1", "2", "4", "+Inf"}
	for at := int64(t0); at <= t0+40*60_000; at += 15_000 {
		bt := newBatch(at + 1000)
		for i := range 4 {
			pod := fmt.Sprint("p", i)
			since := (at - t0) / 60_000
			turn := int64(10 + 5*i)
			n := float64(at-t0)/1000 + 1000
			switch {
			case since < turn:
				for j, v := range []float64{n, n, 2 * n, 2 * n} {
					bt.add(fmt.Sprintf(`x_bucket{instance="%s",le="%s"}`, pod, le[j]), at, v)
				}
				bt.add(fmt.Sprintf(`x_count{instance="%s"}`, pod), at, 2*n).add(fmt.Sprintf(`x_sum{instance="%s"}`, pod), at, 4*n)
			default:
				if at == t0+turn*60_000 {
					for j := range le {
						bt.add(fmt.Sprintf(`x_bucket{instance="%s",le="%s"}`, pod, le[j]), at, series.StaleNaN)
					}
					bt.add(fmt.Sprintf(`x_count{instance="%s"}`, pod), at, series.StaleNaN).add(fmt.Sprintf(`x_sum{instance="%s"}`, pod), at, series.StaleNaN)
				}
				h := steady(at, 1)
				h.Start = t0 - 1_000_000 // the process went on
				bt.addHistogram(series.Labels{{Name: series.NameLabel, Value: "x"}, {Name: "instance", Value: pod}}, h)
			}
		}
		s.Apply(&bt.Batch)
	}
	for end, v := range r.values["n.slow~cluster=default"] {
		if math.Abs(v-0.5) > 0.01 {
			t.Errorf("%d min: %v of the requests are slow, want 0.5", (end-t0)/60_000, v)
		}
	}
	for end, v := range r.values["n.classic~cluster=default"] {
		if min := (end - t0) / 60_000; min < 25 && math.Abs(v-0.5) > 0.01 {
			t.Errorf("%d min: the quantile is %v, want 0.5", min, v)
		}
	}
	if n := len(r.values["n.slow~cluster=default"]); n < 34 {
		t.Errorf("%d values in 40 minutes", n)
	}
}

func heldBuckets(s *Stream) (n int) {
	for i := range s.natives {
		n += s.natives[i].Room()
	}
	return n
}

// Hostile and odd histograms are counted, and cost nothing for long.
func TestOddHistograms(t *testing.T) {
	l := series.Labels{{Name: series.NameLabel, Value: "x"}, {Name: "instance", Value: "a"}}
	many := series.Histogram{Schema: 8}
	for i := range 1000 {
		many.Pos = append(many.Pos, series.Bucket{Index: int32(i), Count: 1})
		many.Count++
	}
	s, r := newTestStream(t, StreamOptions{Packs: packOf(nativeRules...)})
	send := func(at int64, x series.Histogram) {
		x.T = at
		b := newBatch(at+1000).addHistogram(l, x)
		s.Apply(&b.Batch)
	}
	at := int64(t0)
	for range 40 {
		at += 15_000
		for i := range many.Pos {
			many.Pos[i].Count++
		}
		many.Count += float64(len(many.Pos))
		send(at, many)
	}
	if n := s.natives[0].Last.Buckets(); n > promql.BucketsMax || s.natives[0].Last.Schema >= 8 {
		t.Errorf("%d buckets are held, of schema %d", n, s.natives[0].Last.Schema)
	}
	if v := r.values["n.classic~cluster=default"][t0+5*60_000]; math.Abs(v-math.Exp2(250.0/256)) > 0.01 {
		t.Errorf("the quantile is %v, want %v", v, math.Exp2(250.0/256))
	}
	before := s.Stats()
	send(at+15_000, series.Histogram{Gauge: true, Count: 1, Schema: 3})
	send(at+15_000, series.Histogram{Count: 1, Schema: 77})
	send(at+15_000, series.Histogram{Schema: promql.CustomSchema, Custom: make([]float64, 200)})
	other := newBatch(at + 16_000)
	other.addHistogram(series.Labels{{Name: series.NameLabel, Value: "y"}}, series.Histogram{T: at, Schema: 3})
	s.Apply(&other.Batch)
	if st := s.Stats(); st.HistogramsUnused != before.HistogramsUnused+4 || st.Histograms != before.Histograms+4 {
		t.Errorf("%d of %d histograms were counted as unused", st.HistogramsUnused, st.Histograms)
	}
	// From other bounds altogether only the new ones count.
	c := series.Histogram{Schema: promql.CustomSchema, Custom: []float64{1, 2, 4}}
	for range 40 {
		at += 15_000
		oracle.Observe(&c, 1.5, 10)
		send(at, c)
	}
	if v := r.values["n.classic~cluster=default"][t0+18*60_000]; !oracle.Near(v, 1.25) {
		t.Errorf("the quantile is %v, want 1.25", v)
	}
	// A stale marker ends it.
	live := s.clusters[0].live
	send(at+15_000, series.Histogram{Stale: true, Sum: series.StaleNaN})
	if s.clusters[0].live != live-1 {
		t.Errorf("a stale histogram is alive")
	}
	if before := heldBuckets(s); before != s.buckets || before == 0 {
		t.Errorf("%d buckets counted, %d held", s.buckets, before)
	}
}

// Bounds at the ends of what numbers can be, and a damaged state, neither hang nor panic.
func TestHostileHistograms(t *testing.T) {
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(nativeRules...)})
	l := series.Labels{{Name: series.NameLabel, Value: "x"}, {Name: "instance", Value: "a"}}
	at := int64(t0)
	for _, schema := range []int32{8, 3, 0, -4, promql.CustomSchema, 8} {
		for _, zero := range []float64{0, 5e-324, 1, 1e308, math.MaxFloat64, math.Inf(1), math.NaN(), -1} {
			for _, index := range []int32{0, math.MinInt32, math.MaxInt32, 1024, -100_000} {
				at += 5000
				h := series.Histogram{T: at, Schema: schema, ZeroThreshold: zero, ZeroCount: 3, Count: 13, Pos: []series.Bucket{{Index: index, Count: 5}}}
				if schema == promql.CustomSchema {
					h.Custom = []float64{1, 2}
				} else {
					h.Neg = []series.Bucket{{Index: -index, Count: 5}}
				}
				b := newBatch(at+1000).addHistogram(l, h)
				s.Apply(&b.Batch)
			}
		}
	}
	send := func(s *Stream) {
		for i := range int64(3) {
			h := steady(at+60_000*(i+1), 1)
			b := newBatch(h.T+1000).addHistogram(l, h)
			s.Apply(&b.Batch)
		}
	}
	state := s.AppendState(nil)
	restored := 0
	for i := range state {
		bad := slices.Clone(state)
		bad[i] ^= byte(1 + i%255)
		x, _ := newTestStream(t, s.opts)
		x.closed = func(*Window) {}
		if err := x.RestoreState(bad); err == nil {
			restored++
			send(x)
		}
	}
	if restored == 0 {
		t.Error("no damaged state was taken: the test tests nothing")
	}
	send(s)
}

// Beyond the bound of all buckets new histograms are refused and known ones go on.
func TestBucketsAreBounded(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(nativeRules...), MaxSeries: 64})
	for at := int64(t0); at <= t0+10*60_000; at += 15_000 {
		b := newBatch(at + 1000)
		for i := range 60 {
			h := series.Histogram{Schema: 3}
			for j := range 20 {
				oracle.Observe(&h, math.Exp2(float64(j)/8), float64(at-t0)/1000+10)
			}
			h.T = at
			b.addHistogram(series.Labels{{Name: series.NameLabel, Value: "x"}, {Name: "instance", Value: fmt.Sprint(i)}}, h)
		}
		s.Apply(&b.Batch)
	}
	used := 0
	for _, d := range s.cold {
		if d.native != none {
			used++
		}
	}
	st := s.Stats()
	if s.buckets > nativeBucketsMax*64 || s.buckets != heldBuckets(s) || used < 8 || used > 14 || st.HistogramsUnused == 0 || st.Histograms != 41*60 {
		t.Errorf("room for %d buckets of %d histograms; %d of %d unused", s.buckets, used, st.HistogramsUnused, st.Histograms)
	}
	if len(r.windows) == 0 {
		t.Error("no window was closed")
	}
}

// A known native histogram that brings no new buckets allocates nothing.
func TestKnownHistogramsAllocateNothing(t *testing.T) {
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(nativeRules...)})
	s.closed = func(*Window) {}
	bt := newBatch(t0)
	for i := range 200 {
		bt.addHistogram(series.Labels{{Name: series.NameLabel, Value: "x"}, {Name: "instance", Value: fmt.Sprint(i)}}, steady(t0, 1))
	}
	at := int64(t0)
	scrape := func() {
		at += 15_000
		bt.ReceivedMs = at + 1000
		for i := range bt.Histograms {
			h := &bt.Histograms[i]
			h.T = at
			h.Count += 2
			h.Pos[0].Count++
			h.Pos[1].Count++
		}
		s.Apply(&bt.Batch)
	}
	for range 100 {
		scrape()
	}
	if n := testing.AllocsPerRun(40, scrape); n > 1 {
		t.Errorf("%v allocations for 200 histograms, windows included", n)
	}
}

// BenchmarkApplyHistogram folds known native histograms of 20 buckets, half of which count.
func BenchmarkApplyHistogram(b *testing.B) {
	s, _ := newTestStream(b, StreamOptions{Packs: packOf(nativeRules...)})
	s.closed = func(*Window) {}
	const n = 10_000
	bt := newBatch(t0)
	for i := range n {
		h := series.Histogram{Schema: 3, T: t0}
		for j := range 20 {
			h.Pos = append(h.Pos, series.Bucket{Index: int32(j), Count: 100})
			h.Count += 100
		}
		bt.addHistogram(series.Labels{{Name: series.NameLabel, Value: "x"}, {Name: "instance", Value: fmt.Sprint(i)}}, h)
	}
	at := int64(t0)
	scrape := func() {
		at += 15_000
		bt.ReceivedMs = at + 1000
		for i := range bt.Histograms {
			h := &bt.Histograms[i]
			h.T = at
			h.Count += 10
			for j := range 10 {
				h.Pos[j*2].Count++
			}
		}
		s.Apply(&bt.Batch)
	}
	for range 60 {
		scrape()
	}
	b.ReportAllocs()
	b.ResetTimer()
	done := 0
	for ; done < b.N; done += n {
		scrape()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(done), "ns/histogram")
	b.ReportMetric(float64(s.buckets*16)/n, "bucketB/series")
}

func TestNativeHistogramsAreCounted(t *testing.T) {
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	b := newBatch(t0)
	b.labels = []series.Labels{parseLabels(`x_total{a="b"}`)}
	b.Histograms = []series.Histogram{{T: t0}, {T: t0 + 700_000}}
	b.Entries = []series.Entry{{Key: 1, HistHi: 2}}
	if res := s.Apply(&b.Batch); res.Histograms != 1 || res.Barred != 1 || s.Stats().Histograms != 1 {
		t.Errorf("%+v", res)
	}
}
