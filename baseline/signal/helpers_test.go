package signal

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/promql/oracle"
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

// only returns the values of a signal by window, in minutes after t0.
func only(r *recorder, id string) map[int64]float64 {
	out := map[int64]float64{}
	for end, v := range r.values[id] {
		out[(end-t0)/60_000] = v
	}
	return out
}

func wantValues(t *testing.T, what string, got map[int64]float64, from, to int64, want float64) {
	t.Helper()
	for m := from; m <= to; m++ {
		v, ok := got[m]
		if !ok || math.Abs(v-want) > 1e-9*math.Abs(want) {
			t.Errorf("%s: minute %d: %v (present: %v), want %v", what, m, v, ok, want)
		}
	}
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

// addHistogram adds a native histogram of a series.
func (b *batch) addHistogram(l series.Labels, x series.Histogram) *batch {
	n := uint32(len(b.Histograms))
	b.labels = append(b.labels, l)
	k := uint32(len(b.Samples))
	b.Entries = append(b.Entries, series.Entry{Key: series.Hash64([]byte(l.String())), SampleLo: k, SampleHi: k, HistLo: n, HistHi: n + 1})
	b.Histograms = append(b.Histograms, x)
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

// steady is a histogram that has counted since t0: n observations of 1 and of 3 each second.
func steady(t int64, n float64) series.Histogram {
	h := series.Histogram{Schema: 3, ZeroThreshold: 1e-128}
	at := float64(t-t0)/1000 + 1000
	oracle.Observe(&h, 1, n*at)
	oracle.Observe(&h, 3, n*at)
	h.T = t
	return h
}

// busy is a cluster in which everything happens: an HA pair, shards, stalls, deploys, restarts.
var busy = scenario.Config{Seed: 7, Live: true, Replicas: 2, Shards: 4, RequestMax: 500, StartMs: scenario.Epoch + 8*hour}

// qps is the rule that most tests ask, qpsID its signal when nobody names a cluster.
var qps = rule("x.qps", `sum by (cluster) (rate(x_total[1m]))`)

const qpsID = "x.qps~cluster=default"

const alphabet = "bcdfghjklmnpqrstvwxz2456789"

func randomSuffix(r *rand.Rand) string {
	b := make([]byte, 5)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// cpu is a counter of a container, which cAdvisor names by pod.
func cpu(ns, pod string) string {
	return fmt.Sprintf(`container_cpu_usage_seconds_total{namespace="%s",pod="%s",container="c",node="n1",instance="10.0.0.1:10250"}`, ns, pod)
}

func podOwner(ns, pod, kind, name string) string {
	return fmt.Sprintf(`kube_pod_owner{namespace="%s",pod="%s",owner_kind="%s",owner_name="%s",instance="ksm:8080"}`, ns, pod, kind, name)
}

var cpuRule = rule("wl.cpu", `sum by (cluster, namespace, workload) (rate(container_cpu_usage_seconds_total[1m]))`)

func ids(r *recorder) []string {
	var out []string
	for id := range r.values {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// explainPod returns why a pod was folded into its workload.
func explainPod(s *Stream, cluster, namespace, pod string) (x identity.PodExplanation, ok bool) {
	for _, x := range s.FindPods(cluster, namespace, pod, 1) {
		return x, true
	}
	return x, false
}
