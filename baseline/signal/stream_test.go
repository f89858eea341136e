package signal

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
)

// rule makes a rule for tests.
func rule(name string, exprs ...string) *pack.Rule {
	return &pack.Rule{Pack: "test", Name: name, Exprs: exprs, Severity: pack.Warn, Params: model.Defaults()}
}

func packOf(rules ...*pack.Rule) []*pack.Pack { return []*pack.Pack{{Name: "test", Rules: rules}} }

// shopRules are like those of the packs: ratios, quantiles, joins, gauges, virtual labels, long ranges.
func shopRules() []*pack.Rule {
	return []*pack.Rule{
		rule("dns.qps", `sum by (cluster) (rate(coredns_dns_requests_total[1m]))`),
		rule("dns.servfail", `sum by (cluster) (rate(coredns_dns_responses_total{rcode="SERVFAIL"}[1m])) / sum by (cluster) (rate(coredns_dns_responses_total[1m]))`),
		rule("dns.p99", `histogram_quantile(0.99, sum by (cluster, le) (rate(coredns_dns_request_duration_seconds_bucket[1m])))`),
		rule("dns.share", `min by (cluster) (sum by (cluster, instance) (rate(coredns_dns_requests_total[1m])))`),
		rule("wl.cpu", `sum by (cluster, namespace, workload, container) (rate(container_cpu_usage_seconds_total{container!=""}[1m]))`),
		rule("wl.mem", `max by (cluster, namespace, workload) (container_memory_working_set_bytes{container!=""})`),
		rule("wl.restarts", `sum by (cluster, namespace, workload) (increase(kube_pod_container_status_restarts_total[15m]))`),
		rule("wl.ready", `sum by (cluster, namespace, workload) (kube_pod_status_ready{condition="true"})`),
		rule("node.conntrack", `max by (cluster, node) (node_nf_conntrack_entries) / max by (cluster, node) (node_nf_conntrack_entries_limit)`),
		rule("node.mem", `sum by (cluster, node) (container_memory_working_set_bytes{container!=""})`),
		rule("svc.p99", `histogram_quantile(0.99, sum by (cluster, namespace, workload, le) (rate(http_request_duration_seconds_bucket[5m])))`),
		rule("svc.errors", `sum by (cluster, namespace, workload) (rate(http_requests_total{code=~"5.."}[5m])) / sum by (cluster, namespace, workload) (rate(http_requests_total[5m]))`),
		rule("prom.targets", `count by (cluster, job) (up == 1)`),
		rule("none.such", `sum by (cluster) (rate(no_such_total[1m]))`, `sum by (cluster) (rate(no_other_total[1m]))`),
	}
}

// recorder keeps what a stream closed, as text that shows every bit.
type recorder struct {
	windows []string
	values  map[string]map[int64]float64 // id → window → value
	members map[string]map[int64]int
}

func newRecorder() *recorder {
	return &recorder{values: map[string]map[int64]float64{}, members: map[string]map[int64]int{}}
}

func (r *recorder) closed(w *Window) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d %d", w.Cluster, w.End, w.ClosedMs)
	last := ""
	for _, o := range w.Observations {
		if o.Signal.ID <= last {
			panic("observations are not sorted by id: " + o.Signal.ID + " after " + last)
		}
		last = o.Signal.ID
		if math.IsNaN(o.Value) || math.IsInf(o.Value, 0) {
			panic("no number: " + o.Signal.ID)
		}
		fmt.Fprintf(&b, "\n%s %x %x %d %d", o.Signal.ID, math.Float64bits(o.Value), math.Float64bits(o.Events), o.Members, o.Expected)
		for _, t := range o.Top {
			fmt.Fprintf(&b, " %s=%x", t.Name, math.Float64bits(t.Value))
		}
		if r.values[o.Signal.ID] == nil {
			r.values[o.Signal.ID] = map[int64]float64{}
			r.members[o.Signal.ID] = map[int64]int{}
		}
		r.values[o.Signal.ID][w.End] = o.Value
		r.members[o.Signal.ID][w.End] = o.Members
	}
	for _, c := range w.Changes {
		fmt.Fprintf(&b, "\n%d %s %v %s %v", c.T, c.Kind, c.Entity, c.Text(), c.Works)
	}
	r.windows = append(r.windows, b.String())
}

func newTestStream(t testing.TB, o StreamOptions) (*Stream, *recorder) {
	t.Helper()
	r := newRecorder()
	s, err := NewStream(o, r.closed)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

func generator(t testing.TB, c scenario.Config) *scenario.Generator {
	t.Helper()
	g, err := scenario.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// play feeds a stream from a generator until a time.
func play(s *Stream, g *scenario.Generator, until int64) {
	for {
		r, ok := g.Next(until)
		if !ok {
			return
		}
		s.Apply(&r.Batch)
	}
}

const hour = 3_600_000

// t0 is where hand-made time begins: the end of a minute.
const t0 = scenario.Epoch + 600_000

// batch is a hand-made request.
type batch struct {
	series.Batch
	labels []series.Labels
}

func newBatch(receivedMs int64) *batch {
	b := &batch{Batch: series.Batch{Sender: "s", ReceivedMs: receivedMs}}
	b.Labels = b
	return b
}

func (b *batch) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	return append(dst, b.labels[i]...), nil
}

// add adds a sample of a series written as name{a="b",…}.
func (b *batch) add(text string, t int64, v float64) *batch {
	return b.addSample(text, series.Sample{T: t, V: v})
}

func (b *batch) addSample(text string, x series.Sample) *batch {
	n := uint32(len(b.Samples))
	b.labels = append(b.labels, parseLabels(text))
	b.Entries = append(b.Entries, series.Entry{Key: series.Hash64([]byte(text)), SampleLo: n, SampleHi: n + 1})
	b.Samples = append(b.Samples, x)
	return b
}

// parseLabels reads name{a="b",…}; values hold no commas or quotes.
func parseLabels(text string) series.Labels {
	name, rest, _ := strings.Cut(strings.TrimSuffix(text, "}"), "{")
	l := series.Labels{{Name: series.NameLabel, Value: name}}
	for _, kv := range strings.Split(rest, ",") {
		if k, v, ok := strings.Cut(kv, "="); ok {
			l = append(l, series.Label{Name: k, Value: strings.Trim(v, `"`)})
		}
	}
	return l
}

// feedSeries sends the same minute pattern: each series gets a sample every step from from to to, value(i, t), with the delay of a sender.
func feedSeries(s *Stream, from, to, step int64, names []string, value func(i int, t int64) float64) {
	for t := from; t <= to; t += step {
		b := newBatch(t + 1000)
		for i, n := range names {
			b.add(n, t, value(i, t))
		}
		s.Apply(&b.Batch)
	}
}

// ramp is a counter of one a second.
func ramp(_ int, t int64) float64 { return float64(t-t0)/1000 + 1000 }

func TestSimulatedClusterGivesSignals(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(shopRules()...)})
	var delay []int64
	closed := s.closed
	s.closed = func(w *Window) {
		delay = append(delay, w.ClosedMs-w.End)
		for _, o := range w.Observations {
			if o.Signal.Rule.Name == "wl.mem" && (len(o.Top) == 0 || !strings.HasPrefix(o.Top[0].Name, o.Signal.Entity.Get("workload"))) {
				t.Errorf("%s: top %v", o.Signal.ID, o.Top)
			}
			if s.Signals()[o.Signal.Index] != o.Signal || o.Members < 1 || o.Members > o.Expected && o.Expected == 0 {
				t.Errorf("%s: index %d, %d members, %d expected", o.Signal.ID, o.Signal.Index, o.Members, o.Expected)
			}
		}
		closed(w)
	}
	const minutes = 40
	c := scenario.Config{Seed: 1, Live: true, Replicas: 2, Shards: 4, StartMs: scenario.Epoch + 10*hour}
	play(s, generator(t, c), c.StartMs+minutes*60_000)
	st := s.Stats()
	if len(r.windows) != minutes-1 {
		t.Errorf("%d windows closed in %d minutes", len(r.windows), minutes)
	}
	for i, d := range delay[2:] {
		if d > 60_000 {
			t.Errorf("window %d closed %d s after its end", i+2, d/1000)
		}
	}
	groups := map[string]int{}
	for id, values := range r.values {
		name, _, _ := strings.Cut(id, "~")
		groups[name]++
		if !strings.Contains(id, "workload=export-orders") && !strings.Contains(id, "workload=backup") && len(values) < minutes-16 {
			t.Errorf("%s has %d values", id, len(values))
		}
	}
	for name, want := range map[string]int{"dns.qps": 1, "dns.servfail": 1, "dns.p99": 1, "dns.share": 1, "node.conntrack": 3, "node.mem": 3, "svc.p99": 19, "svc.errors": 19} {
		if groups[name] != want {
			t.Errorf("%s: %d groups, want %d", name, groups[name], want)
		}
	}
	if n := groups["wl.cpu"]; n < 37 || n > 41 {
		t.Errorf("wl.cpu: %d groups, want about 40", n)
	}
	if st.Samples != st.Needed+st.Ignored+st.Future+st.Refused || st.Refused != 0 || st.Late > 0 || st.OutOfOrder > 0 {
		t.Errorf("samples are not accounted for: %+v", s.stats)
	}
	if len(st.Clusters) != 1 || !st.Clusters[0].Owners || st.Clusters[0].Name != "default" || st.Clusters[0].Early < minutes-4 {
		t.Errorf("%+v", st.Clusters)
	}
	if len(st.Senders) != 2 || math.Abs(st.Senders[0].Leader+st.Senders[1].Leader-1) > 0.05 {
		t.Errorf("%+v", st.Senders)
	}
	for _, x := range st.Rules {
		if (x.Form < 0) != (x.Rule.Name == "none.such") || x.Form < 0 && len(x.Missing) != 2 || x.Form >= 0 && x.Series == 0 {
			t.Errorf("%s: form %d, %d series, missing %v", x.Rule.Name, x.Form, x.Series, x.Missing)
		}
	}
}
