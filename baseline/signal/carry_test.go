package signal

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/promql/oracle"
	"github.com/wrackline/wrackline/baseline/scenario"
)

// withRules moves a stream's state to one with other rules.
func withRules(t testing.TB, s *Stream, closed func(*Window), rules ...*pack.Rule) *Stream {
	t.Helper()
	n, err := NewStream(StreamOptions{Packs: packOf(rules...), RetireMs: s.opts.RetireMs}, closed)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.RestoreState(s.AppendState(nil)); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestChangedRulesLoseNoWindow changes the rules of a busy stream at random moments, with a restart after some of them, and holds
// that the signals of rules that stay give exactly what they give without, and that those of new rules give what they give when
// they have always been asked: within the tenth of a range that any value may lack at first, exactly once they have seen their range.
func TestChangedRulesLoseNoWindow(t *testing.T) {
	seed := oracle.EnvInt(t, "SEED", rand.Uint64())
	rnd := rand.New(rand.NewPCG(seed, 3))
	stay := shopRules()
	// New leaves of metrics that are tracked (other function, other labels, a longer ring, another selector, buckets) and of others.
	added := []*pack.Rule{
		rule("new.qps", `sum by (cluster, job) (rate(coredns_dns_requests_total[1m]))`),
		rule("new.requests", `sum by (cluster, namespace, workload) (increase(coredns_dns_requests_total[15m]))`),
		rule("new.changes", `sum by (cluster, namespace, workload) (changes(container_memory_working_set_bytes{container!=""}[5m]))`),
		rule("new.codes", `sum by (cluster, code) (rate(http_requests_total[1m]))`),
		rule("new.nodes", `count by (cluster) (kube_node_info)`),
		rule("new.net", `sum by (cluster, namespace, workload) (rate(container_network_receive_bytes_total[1m]))`),
		rule("new.p50", `histogram_quantile(0.5, sum by (cluster, namespace, le) (rate(http_request_duration_seconds_bucket[1m])))`),
	}
	both := append(append([]*pack.Rule(nil), stay...), added...)
	config := scenario.Config{Seed: 9, Live: true, Replicas: 2, Shards: 4, RequestMax: 500, StartMs: scenario.Epoch + 8*hour}
	const minutes = 70
	whole, want := newTestStream(t, StreamOptions{Packs: packOf(both...)})
	play(whole, generator(t, config), config.StartMs+minutes*60_000)

	s, got := newTestStream(t, StreamOptions{Packs: packOf(both...)})
	g := generator(t, config)
	// Without the added rules for a while, then with them, then without, then with.
	at := config.StartMs
	since := int64(0) // when the added rules came last
	with := true
	for range 4 {
		at += int64(12+rnd.IntN(4)) * 60_000
		play(s, g, at+int64(rnd.IntN(60_000)))
		with = !with
		if rules := stay; with {
			s = withRules(t, s, got.closed, both...)
			since = s.clusters[0].open
		} else {
			s = withRules(t, s, got.closed, rules...)
		}
		if rnd.IntN(2) == 0 { // a restart before the new leaves have seen the labels
			state := s.AppendState(nil)
			var rules []*pack.Rule
			for _, r := range s.rules {
				rules = append(rules, r.Rule)
			}
			s = withRules(t, s, got.closed, rules...)
			if again := s.AppendState(nil); !bytes.Equal(state, again) {
				t.Fatalf("seed %d: a restart after the change is another state", seed)
			}
		}
	}
	play(s, g, config.StartMs+minutes*60_000)
	if len(got.windows) != len(want.windows) {
		t.Errorf("seed %d: %d windows, %d without changes", seed, len(got.windows), len(want.windows))
	}
	fresh := 0
	for id, values := range want.values {
		isNew := strings.HasPrefix(id, "new.")
		for w, v := range values {
			x, ok := got.values[id][w]
			switch {
			case !isNew && (!ok || math.Float64bits(x) != math.Float64bits(v)):
				t.Errorf("seed %d: %s at %d: %v (%v), without changes %v", seed, id, (w-config.StartMs)/60_000, x, ok, v)
			case isNew && w > since+16*60_000 && !ok:
				t.Errorf("seed %d: %s at %d: nothing, asked since %d", seed, id, (w-config.StartMs)/60_000, (since-config.StartMs)/60_000)
			case isNew && ok && w > since:
				fresh++
				least := 1e-9
				if w <= since+16*60_000 {
					least = 0.1001 // nine tenths of a range are a value
				}
				if !within(x, v, least) {
					t.Errorf("seed %d: %s at %d: %v, always asked %v", seed, id, (w-config.StartMs)/60_000, x, v)
				}
			}
		}
	}
	if fresh < 200 {
		t.Errorf("seed %d: %d values of new rules", seed, fresh)
	}
	t.Logf("seed %d: %d windows, %d values of new rules compared", seed, len(got.windows), fresh)
}

func within(a, b, rel float64) bool {
	return a == b || math.Abs(a-b) <= rel*max(math.Abs(a), math.Abs(b))
}

// TestOtherExpressionIsOtherSignal holds that a baseline goes on when a rule keeps an expression, and not when it asks something else.
func TestOtherExpressionIsOtherSignal(t *testing.T) {
	names := []string{`a_total{job="x"}`, `b_total{job="x"}`}
	s, r := newTestStream(t, StreamOptions{Packs: packOf(rule("t.a", `sum by (cluster) (rate(a_total[1m]))`), rule("t.b", `sum by (cluster) (rate(a_total[1m]))`))})
	feedSeries(s, t0, t0+600_000, 30_000, names, ramp)
	s = withRules(t, s, r.closed, rule("t.a", "sum by (cluster) (\n  rate(a_total[1m]))", `sum by (cluster) (rate(c_total[1m]))`), rule("t.b", `sum by (cluster) (rate(b_total[1m]))`))
	var left []string
	for sig := range s.InOrder {
		left = append(left, sig.ID)
	}
	if fmt.Sprint(left) != "[t.a~cluster=default]" {
		t.Errorf("signals that go on: %v", left)
	}
	feedSeries(s, t0+630_000, t0+900_000, 30_000, names, ramp)
	if n := len(r.values["t.a~cluster=default"]); n != 15 {
		t.Errorf("t.a has %d values in 15 windows", n)
	}
	for w, v := range r.values["t.b~cluster=default"] {
		if !within(v, 1, 1e-9) {
			t.Errorf("t.b at %d: %v, want 1", (w-t0)/60_000, v)
		}
	}
}

// TestUnneededSeriesAreForgotten holds that a series that no rule needs after a change is not kept, also when that shows only with
// its labels.
func TestUnneededSeriesAreForgotten(t *testing.T) {
	names := []string{`a_total{job="x"}`, `a_total{job="y"}`, `b_total{job="x"}`, `kube_node_info{node="n1",internal_ip="10.0.0.1"}`}
	s, r := newTestStream(t, StreamOptions{Packs: packOf(rule("t.a", `sum by (cluster) (rate(a_total[1m]))`), rule("t.b", `sum by (cluster) (rate(b_total[1m]))`))})
	feedSeries(s, t0, t0+600_000, 30_000, names, ramp)
	s = withRules(t, s, r.closed, rule("t.a", `sum by (cluster) (increase(a_total{job="y"}[1m]))`))
	if n := s.Stats().Tracked; n != 3 {
		t.Errorf("%d series are tracked before they are seen again, want 3", n)
	}
	feedSeries(s, t0+630_000, t0+1_800_000, 30_000, names, ramp)
	if n := s.Stats().Tracked; n != 2 {
		t.Errorf("%d series are tracked, want 2", n)
	}
	for w, v := range r.values["t.a~cluster=default"] {
		if w > t0+600_000 && !within(v, 60, 1e-9) {
			t.Errorf("t.a at %d: %v, want 60", (w-t0)/60_000, v)
		}
	}
}

// TestWiderSelectorIsNoIncrease holds that counters which a changed rule takes for the first time are not counted from zero.
func TestWiderSelectorIsNoIncrease(t *testing.T) {
	names := []string{`a_total{job="x",code="500"}`, `a_total{job="x",code="200"}`}
	s, r := newTestStream(t, StreamOptions{Packs: packOf(rule("t.a", `sum by (cluster) (rate(a_total{code="500"}[1m]))`))})
	feedSeries(s, t0, t0+1_200_000, 30_000, names, ramp)
	s = withRules(t, s, r.closed, rule("t.a", `sum by (cluster) (rate(a_total{code="500"}[1m]))`), rule("t.all", `sum by (cluster) (rate(a_total[1m]))`))
	feedSeries(s, t0+1_230_000, t0+1_800_000, 30_000, names, ramp)
	if len(r.values["t.all~cluster=default"]) < 6 {
		t.Errorf("%d values", len(r.values["t.all~cluster=default"]))
	}
	for w, v := range r.values["t.all~cluster=default"] {
		if !within(v, 2, 1e-9) {
			t.Errorf("t.all at %d: %v, want 2", (w-t0)/60_000, v)
		}
	}
}
