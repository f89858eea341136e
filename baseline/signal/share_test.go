package signal

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/promql/oracle"
)

// What several expressions have in common is worked out once a window, and the values are those without sharing.
func TestCommonPartsAreWorkedOutOnce(t *testing.T) {
	rules := []*pack.Rule{
		rule("s.share", `min by (cluster) (sum by (cluster, instance) (rate(d[1m])))
		   * (count by (cluster) (sum by (cluster, instance) (rate(d[1m]))) > 1) / sum by (cluster) (sum by (cluster, instance) (rate(d[1m])))`),
		rule("s.max", `max by (cluster) (sum by (cluster, instance) (rate(d[1m])))`),
		rule("s.half", `max by (cluster) (sum by (cluster, instance) (rate(d[1m])) / 2)`),
	}
	s, r := newTestStream(t, StreamOptions{Packs: packOf(rules...)})
	alone, ra := newTestStream(t, StreamOptions{Packs: packOf(rules...)})
	alone.input.Shared = nil
	if n := len(s.input.Shared); n != 1 {
		t.Errorf("%d parts are shared, want 1", n)
	}
	calls := 0
	leaf := s.input.Leaf
	s.input.Leaf = func(i int, dst []promql.Element) []promql.Element {
		calls++
		return leaf(i, dst)
	}
	names := []string{`d{instance="a",zone="1"}`, `d{instance="a",zone="2"}`, `d{instance="b",zone="1"}`, `d{instance="c",zone="1"}`}
	for _, x := range []*Stream{s, alone} {
		feedSeries(x, t0, t0+10*60_000, 15_000, names, func(i int, t int64) float64 { return ramp(i, t) * float64(1+i) })
	}
	if len(r.windows) != len(ra.windows) || len(r.windows) < 8 {
		t.Fatalf("%d windows, %d without sharing", len(r.windows), len(ra.windows))
	}
	for i := range r.windows {
		if r.windows[i] != ra.windows[i] {
			t.Fatalf("window %d:\n%s\nwithout sharing\n%s", i, r.windows[i], ra.windows[i])
		}
	}
	if got := r.values["s.share~cluster=default"][t0+8*60_000]; !oracle.Near(got, 0.9) {
		t.Errorf("the quietest has %v of its fair share", got)
	}
	if calls > len(r.windows) {
		t.Errorf("the series were read %d times in %d windows", calls, len(r.windows))
	}
	for _, x := range s.Stats().Rules {
		if x.Series != 4 {
			t.Errorf("%s selected %d series, want 4", x.Rule.Name, x.Series)
		}
	}
}

// spread says how unequal peers are and which of them is farthest from the median.
func TestSpreadBetweenPeers(t *testing.T) {
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(
		rule("p.pods", `spread(sum by (cluster, namespace, pod) (rate(d[1m])))`),
		rule("p.disks", `spread(max by (cluster, device) (e), "device")`))})
	top := map[string]string{}
	value := map[string]float64{}
	s.closed = func(w *Window) {
		for _, o := range w.Observations {
			value[o.Signal.ID] = o.Value
			top[o.Signal.ID] = ""
			if len(o.Top) > 0 {
				top[o.Signal.ID] = o.Top[0].Name
			}
		}
	}
	var names []string
	for i, ns := range []string{"a", "a", "a", "b", "c", "c"} {
		names = append(names, fmt.Sprintf(`d{namespace="%s",pod="p%d"}`, ns, i))
	}
	names = append(names, `e{device="x"}`, `e{device="y"}`)
	speed := []float64{10, 12, 0, 5, 0, 0}
	feedSeries(s, t0, t0+10*60_000, 15_000, names, func(i int, t int64) float64 {
		if i >= len(speed) {
			return float64(i)
		}
		return 1000 + speed[i]*float64(t-t0)/1000
	})
	want := map[string]float64{"p.pods~cluster=default~namespace=a": 1.2, "p.disks~cluster=default": 1 / 6.5}
	for id, v := range want {
		if !oracle.Near(value[id], v) {
			t.Errorf("%s is %v, want %v", id, value[id], v)
		}
	}
	if len(value) != len(want) {
		t.Errorf("values %v: one alone has none, and neither have peers that all do nothing", value)
	}
	if got := top["p.pods~cluster=default~namespace=a"]; got != "p2" {
		t.Errorf("the evidence is %q, want the pod that does nothing", got)
	}
	if st := s.Stats(); st.Undefined == 0 {
		t.Errorf("peers whose median is 0 were not counted: %+v", s.stats)
	}
}

// Two series where one may match are counted, as is a division by zero.
func TestConflictsAndUndefinedAreCounted(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(
		rule("c.two", `max by (node) (a * on (node) group_left () b)`), rule("c.zero", `max by (node) (a) / max by (node) (z)`))})
	feedSeries(s, t0, t0+5*60_000, 15_000, []string{`a{node="n"}`, `b{node="n",i="1"}`, `b{node="n",i="2"}`, `z{node="n"}`},
		func(i int, _ int64) float64 { return float64(3 - i) })
	if st := s.Stats(); st.Conflicts == 0 || st.Undefined == 0 || len(r.values) != 0 {
		t.Errorf("%d conflicts, %d undefined, values %v", st.Conflicts, st.Undefined, r.values)
	}
	again, _ := newTestStream(t, s.opts)
	if err := again.RestoreState(s.AppendState(nil)); err != nil || again.stats.Conflicts != s.stats.Conflicts || again.stats.Undefined != s.stats.Undefined {
		t.Errorf("%v: %+v", err, again.stats)
	}
}

// The sender is told to pass on native histograms too.
func TestKeepListNamesBothForms(t *testing.T) {
	keep := pack.KeepList(packOf(rule("k.a", `histogram_quantile(0.9, sum by (le) (rate(x_bucket[1m])))`), rule("k.b", `histogram_avg(sum by (cluster) (rate(y[1m])))`)))
	for _, want := range []string{"x", "x_bucket", "y", "y_count", "y_sum"} {
		if !strings.Contains(" "+strings.Join(keep, " ")+" ", " "+want+" ") {
			t.Errorf("%s is not in the keep list", want)
		}
	}
}
