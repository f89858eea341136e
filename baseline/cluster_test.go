package baseline_test

import (
	"bytes"
	"fmt"
	"hash"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/route"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// fleet is several simulated clusters whose requests come in turn, as if one after the other had been read from the log.
type fleet struct {
	gens []*scenario.Generator
	next []*scenario.Request
}

func newFleet(t *testing.T, n int) *fleet {
	t.Helper()
	f := &fleet{}
	for i := range n {
		g, err := scenario.New(scenario.Config{Seed: uint64(i + 1), Cluster: fmt.Sprintf("c%d", i), StartMs: scenario.Epoch + 6*hour})
		if err != nil {
			t.Fatal(err)
		}
		f.gens, f.next = append(f.gens, g), append(f.next, nil)
	}
	return f
}

// pull returns the requests up to a time, each with labels and samples of its own.
func (f *fleet) pull(until int64, sender func(i int) string) (jobs []baseline.Job) {
	for {
		at := -1
		for i, g := range f.gens {
			if f.next[i] == nil {
				if r, ok := g.Next(until); ok {
					f.next[i] = r
				}
			}
			if f.next[i] != nil && (at < 0 || f.next[i].Batch.ReceivedMs < f.next[at].Batch.ReceivedMs) {
				at = i
			}
		}
		if at < 0 {
			return jobs
		}
		b := f.next[at].Batch
		b.Sender = sender(at)
		jobs = append(jobs, baseline.Job{Batch: kept(&b), Pos: uint64(len(jobs) + 1)})
		f.next[at] = nil
	}
}

// keptLabels are labels that outlive the request they came with.
type keptLabels []series.Labels

func (l keptLabels) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	return append(dst, l[i]...), nil
}

func kept(b *series.Batch) *series.Batch {
	n := *b
	n.Entries, n.Samples, n.Histograms = append([]series.Entry(nil), b.Entries...), append([]series.Sample(nil), b.Samples...), append([]series.Histogram(nil), b.Histograms...)
	var l keptLabels
	for i := range b.Entries {
		x, _ := b.Labels.AppendLabels(nil, i)
		l = append(l, x)
	}
	n.Labels = l
	return &n
}

func fleetEngine(t *testing.T) (*baseline.Engine, *teller) {
	t.Helper()
	words := &teller{sums: map[string]hash.Hash64{}}
	e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: packs(t)}, Sink: words, FalseAlarmsPerWeek: 1})
	if err != nil {
		t.Fatal(err)
	}
	return e, words
}

// side runs each on goroutines of its own, in whatever order they come.
func side(n int, each func(int)) {
	var wg sync.WaitGroup
	for i := n - 1; i >= 0; i-- {
		wg.Go(func() { each(i) })
	}
	wg.Wait()
}

func sameState(t *testing.T, what string, a, b *baseline.Engine) {
	t.Helper()
	x, y := baseline.State(a), baseline.State(b)
	for name := range x {
		if !bytes.Equal(x[name], y[name]) {
			t.Errorf("%s: section %s differs", what, name)
		}
	}
	if len(x) != len(y) {
		t.Errorf("%s: %d sections and %d", what, len(x), len(y))
	}
}

// Clusters folded side by side, many requests at a time, give the bits that they give one after the other, also when each request is of several clusters.
func TestClustersSideBySide(t *testing.T) {
	for _, c := range []struct {
		name   string
		sender func(i int) string
		mix    int
	}{{"a sender each", func(i int) string { return fmt.Sprint("prometheus-", i) }, 1}, {"an agent for all", func(int) string { return "agent" }, 3}} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, 4)
			jobs := mixed(f.pull(scenario.Epoch+6*hour+40*60_000, c.sender), c.mix)
			alone, words := fleetEngine(t)
			var results []series.Result
			for _, j := range jobs {
				results = append(results, alone.Apply(j.Batch, j.Pos))
			}
			together, others := fleetEngine(t)
			for len(jobs) > 0 {
				n := min(len(jobs), 64)
				if got := together.ApplyAll(jobs[:n], side); !slices.Equal(got, results[:n]) {
					t.Fatalf("one after the other %v, side by side %v", results[:n], got)
				}
				jobs, results = jobs[n:], results[n:]
			}
			sameState(t, "side by side", alone, together)
			if words.String() != others.String() || words.verdicts < 10_000 || len(alone.Stats().Clusters) != 4 {
				t.Errorf("one after the other %sside by side %s", words, others)
			}
		})
	}
}

// mixed joins each n requests that follow each other into one.
func mixed(jobs []baseline.Job, n int) (out []baseline.Job) {
	for ; len(jobs) > 0 && n > 1; jobs = jobs[min(n, len(jobs)):] {
		b := *jobs[0].Batch
		labels := b.Labels.(keptLabels)
		for _, j := range jobs[1:min(n, len(jobs))] {
			for _, e := range j.Batch.Entries {
				k, h := uint32(len(b.Samples)), uint32(len(b.Histograms))
				e.SampleLo, e.SampleHi, e.HistLo, e.HistHi = e.SampleLo+k, e.SampleHi+k, e.HistLo+h, e.HistHi+h
				b.Entries = append(b.Entries, e)
			}
			b.Samples, b.Histograms = append(b.Samples, j.Batch.Samples...), append(b.Histograms, j.Batch.Histograms...)
			labels = append(labels, j.Batch.Labels.(keptLabels)...)
			b.ReceivedMs = j.Batch.ReceivedMs
		}
		b.Labels = labels
		out = append(out, baseline.Job{Batch: &b, Pos: uint64(len(out) + 1)})
	}
	if n == 1 {
		return jobs
	}
	return out
}

// A checkpoint of the moment behind an exchange is gone on from to the bit, several clusters and what crosses them included.
func TestRestartBehindAnExchange(t *testing.T) {
	f := newFleet(t, 3)
	jobs := f.pull(scenario.Epoch+6*hour+30*60_000, func(i int) string { return fmt.Sprint("prometheus-", i) })
	var saved map[string][]byte
	models := map[string][]byte{}
	at := 0
	var first *baseline.Engine
	applied := 0
	o := baseline.Options{Stream: signal.StreamOptions{Packs: packs(t)}, FalseAlarmsPerWeek: 1, AtExchange: func() {
		if saved == nil && applied > len(jobs)/2 {
			saved, at = baseline.State(first), applied
			for id, m := range first.Models {
				models[id] = bytes.Clone(m)
			}
		}
	}}
	var err error
	if first, err = baseline.New(o); err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		first.Apply(j.Batch, j.Pos)
		applied++
	}
	second, _ := fleetEngine(t)
	if err := second.Restore(uint64(at), saved, func(yield func(string, []byte) bool) {
		for id, m := range models {
			if !yield(id, m) {
				return
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs[at:] {
		second.Apply(j.Batch, j.Pos)
	}
	sameState(t, "restarted", first, second)
}

// One sender that forwards several clusters: each series goes to its own, and the same bits come of it as of senders of their own.
func TestOneSenderOfSeveralClusters(t *testing.T) {
	e, words := fleetEngine(t)
	f := newFleet(t, 3)
	for _, j := range f.pull(scenario.Epoch+6*hour+20*60_000, func(int) string { return "agent" }) {
		e.Apply(j.Batch, 0)
	}
	st := e.Stats()
	if len(st.Clusters) != 3 {
		t.Fatalf("clusters %+v", st.Clusters)
	}
	for _, c := range st.Clusters {
		if c.Signals < 500 || c.WindowsClosed < 15 {
			t.Errorf("%+v", c)
		}
	}
	if len(words.sums) != 3 {
		t.Errorf("%s", words)
	}
}

// A cluster that is forgotten takes all with it; another is not touched, and the name begins anew.
func TestForgetCluster(t *testing.T) {
	e, _ := fleetEngine(t)
	f := newFleet(t, 2)
	for _, j := range f.pull(scenario.Epoch+6*hour+15*60_000, func(i int) string { return fmt.Sprint("prometheus-", i) }) {
		e.Apply(j.Batch, 0)
	}
	before, was := baseline.State(e), e.View()
	if e.Forget("nobody") || !e.Forget("c0") {
		t.Fatal("the wrong one was forgotten")
	}
	after := baseline.State(e)
	if len(after) != len(before)-3 { // its stream, its view, its sizes
		t.Errorf("%d sections, %d before", len(after), len(before))
	}
	if list := e.View().Sizes; len(was.Sizes) != 2 || len(list) != 1 || list[0].Cluster != "c1" {
		t.Errorf("sizes of %d clusters, %d before", len(list), len(was.Sizes))
	}
	for _, s := range was.Signals {
		if now, ok := e.View().Signal(s.Signal.ID); ok != (s.Signal.Entity.Get("cluster") == "c1") || ok && (now.T != s.T || now.Value != s.Value || now.Score != s.Score) {
			t.Fatalf("%s is not what it was", s.Signal.ID)
		}
	}
	for _, s := range e.View().Signals {
		if s.Signal.Entity.Get("cluster") == "c0" {
			t.Fatalf("%s is still shown", s.Signal.ID)
		}
	}
	if st := e.Stats(); len(st.Clusters) != 1 {
		t.Errorf("clusters %+v", st.Clusters)
	}
	for _, j := range f.pull(scenario.Epoch+6*hour+25*60_000, func(i int) string { return fmt.Sprint("prometheus-", i) }) {
		e.Apply(j.Batch, 0)
	}
	if st := e.Stats(); len(st.Clusters) != 2 || st.Clusters[0].WindowsClosed > 11 {
		t.Errorf("clusters %+v", st.Clusters)
	}
}

// Clusters that live for a short time are learned like the first, however many there have been: they are forgotten when their retention is over, and before that when there are too many of them.
func TestShortLivedClusters(t *testing.T) {
	for _, c := range []struct {
		retire      int64
		clusters    int
		least, most int
	}{{hour, 1_200, 1, 40}, {signal.RetireDefault, 2_000, 800, route.ClustersMax * 19 / 20}} {
		e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: nodesPack(t), RetireMs: c.retire}})
		if err != nil {
			t.Fatal(err)
		}
		at := int64(scenario.Epoch)
		for i := range c.clusters {
			name := fmt.Sprintf("pr-%d", i)
			for m := range int64(4) {
				t0 := at + m*60_000
				b := &series.Batch{Sender: name, Cluster: name, ReceivedMs: t0 + 500, Entries: []series.Entry{{Key: 1, SampleHi: 1}}, Samples: []series.Sample{{T: t0, V: float64(m)}},
					Labels: keptLabels{{{Name: series.NameLabel, Value: "queue_depth"}, {Name: "queue", Value: "q1"}}}}
				if res := e.Apply(b, 0); res.Rejected > 0 {
					t.Fatalf("cluster %d: %+v", i, res)
				}
			}
			at += 6 * 60_000
		}
		e.Publish()
		st := e.Stats()
		if n := len(st.Clusters); n < c.least || n > c.most {
			t.Errorf("%d of %d clusters are known", n, c.clusters)
		}
		last := fmt.Sprintf("pr-%d", c.clusters-1)
		i := slices.IndexFunc(st.Clusters, func(x signal.ClusterStats) bool { return x.Name == last })
		if i < 0 || st.Clusters[i].WindowsClosed == 0 || st.Clusters[i].Signals != 1 {
			t.Errorf("the last of %d was not learned", c.clusters)
		}
		if n := len(st.Senders); n > c.most {
			t.Errorf("%d senders are known", n)
		}
	}
}

// nodesPack asks one question.
func nodesPack(t *testing.T) []*pack.Pack {
	t.Helper()
	p, err := pack.Track([]pack.TrackRule{{Match: "queue_depth", By: []string{"cluster", "queue"}, Func: "value", Agg: "max"}})
	if err != nil {
		t.Fatal(err)
	}
	return []*pack.Pack{p}
}

// A flood of new series in one cluster takes nothing from another: neither room nor memory, and its models are those that it would have without.
func TestFloodStaysInItsCluster(t *testing.T) {
	const most = 13_000
	run := func(flood bool) (models string, tracked int, refused int64) {
		e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: packs(t), MaxSeries: most}})
		if err != nil {
			t.Fatal(err)
		}
		g, err := scenario.New(scenario.Config{Seed: 3, Quiet: true, Cluster: "calm"})
		if err != nil {
			t.Fatal(err)
		}
		begin := g.Config().StartMs
		n := 0
		for {
			r, ok := g.Next(begin + 40*60_000)
			if !ok {
				break
			}
			e.Apply(&r.Batch, 0)
			if !flood || r.ReceivedMs < begin+5*60_000 {
				continue
			}
			b := &series.Batch{Sender: "storm", Cluster: "storm", ReceivedMs: r.ReceivedMs}
			var l keptLabels
			for range 400 {
				n++
				k := uint32(len(b.Samples))
				b.Entries = append(b.Entries, series.Entry{Key: uint64(n), SampleLo: k, SampleHi: k + 1})
				b.Samples = append(b.Samples, series.Sample{T: r.ReceivedMs, V: 1})
				l = append(l, series.Labels{{Name: series.NameLabel, Value: "node_boot_time_seconds"}, {Name: "instance", Value: fmt.Sprint("n", n)}})
			}
			b.Labels = l
			e.Apply(b, 0)
		}
		e.Publish()
		st := e.Stats()
		var all strings.Builder
		for id, data := range e.Models {
			if strings.Contains(id, "cluster=calm") {
				fmt.Fprintf(&all, "%s %x\n", id, data)
			}
		}
		for _, c := range st.Clusters {
			if c.Name == "calm" {
				tracked = c.Tracked
			}
		}
		return all.String(), tracked, st.OverSeries
	}
	alone, series1, _ := run(false)
	beside, series2, refused := run(true)
	if refused == 0 {
		t.Fatal("the flood was not refused")
	}
	if alone == "" || alone != beside || series1 != series2 {
		t.Errorf("beside a flood the cluster has %d series for %d, and models are equal: %v", series2, series1, alone == beside)
	}
}

// One cluster that takes all that it gets leaves room for others: those with less than their share always find some.
func TestLimitsAreShared(t *testing.T) {
	const most = 10_000
	e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: nodesPack(t), MaxSeries: most, ClusterSignals: 300}})
	if err != nil {
		t.Fatal(err)
	}
	at, key := int64(scenario.Epoch), uint64(0)
	send := func(cluster string, n int) (refused int) {
		at += 11_000
		b := &series.Batch{Sender: cluster, Cluster: cluster, ReceivedMs: at + 500}
		var l keptLabels
		for range n {
			key++
			k := uint32(len(b.Samples))
			b.Entries = append(b.Entries, series.Entry{Key: key, SampleLo: k, SampleHi: k + 1})
			b.Samples = append(b.Samples, series.Sample{T: at, V: 1})
			l = append(l, series.Labels{{Name: series.NameLabel, Value: "queue_depth"}, {Name: "queue", Value: fmt.Sprint(key)}})
		}
		b.Labels = l
		return e.Apply(b, 0).Rejected
	}
	if n := send("small", 50); n > 0 {
		t.Fatalf("%d of the first 50 were refused", n)
	}
	greedy := 0
	for range 60 {
		greedy += 1000 - send("greedy", 1000)
	}
	if greedy > most*3/4 || greedy < most/2 {
		t.Errorf("the greedy cluster got %d of %d", greedy, most)
	}
	for i := range 4 {
		if n := send("small", 100); n > 0 {
			t.Errorf("request %d of a small cluster: %d of 100 refused", i, n)
		}
	}
	if n := send("new", 100); n > 0 {
		t.Errorf("of a new cluster's first 100 series %d were refused", n)
	}
	e.Publish()
	for _, c := range e.Stats().Clusters {
		if c.Signals > 300 {
			t.Errorf("cluster %s has %d signals, and may have 300", c.Name, c.Signals)
		}
	}
}
