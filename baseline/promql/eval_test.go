package promql

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/series"
)

// fed is one series as the stream would feed it. gone means that it lives but has no value.
type fed struct {
	labels string // pod=a,node=b; cluster=c1 is added
	v      float64
	gone   bool
}

// feed makes an input of series by metric name. A leaf's matchers apply; its function does not: v is the leaf's value, and the
// events of a counter. Members are numbered by the position in their list.
func feed(p *Plan, t *Table, vectors map[string][]fed) *Input {
	return &Input{
		Table: t, EndMs: 1_700_000_040_000, Scope: t.Intern(fedLabels("")),
		Leaf: func(i int, dst []Element) []Element {
			l := p.Leaves[i]
			for ref, f := range vectors[l.Name] {
				ls := fedLabels(f.labels)
				if slices.ContainsFunc(l.Match, func(m Matcher) bool { return !m.Matches(ls.Get(m.Label())) }) {
					continue
				}
				ls = slices.DeleteFunc(ls, func(x series.Label) bool { return !slices.Contains(l.Keep, x.Name) })
				e := Element{
					Set: t.Intern(ls), V: f.v, Events: math.NaN(), Members: 1,
					Top: [3]Ref{{int32(ref), f.v}, NoRef, NoRef},
				}
				if l.Func != Value {
					e.Events = f.v
				}
				if f.gone {
					e.V, e.Members, e.Missing, e.Top[0] = math.NaN(), 0, 1, NoRef
				}
				dst = append(dst, e)
			}
			return dst
		},
	}
}

// evalText evaluates once and writes the result: {labels} value members/missing events top…, one line for each entity.
func evalText(t *testing.T, expr string, vectors map[string][]fed) (string, *State) {
	t.Helper()
	p, err := testDialect.Compile(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	table := NewTable()
	st := p.NewState()
	return vectorText(table, p.Eval(st, feed(p, table, vectors), nil)), st
}

func vectorText(table *Table, vec []Element) string {
	var lines []string
	for _, e := range vec {
		var l, top []string
		for _, x := range table.Labels(e.Set) {
			l = append(l, x.Name+"="+x.Value)
		}
		for _, m := range e.Top {
			if m.Series >= 0 {
				top = append(top, fmt.Sprintf("%d:%.4g", m.Series, m.V))
			}
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("{%s} %.6g %d/%d %.6g %s", strings.Join(l, ","), e.V, e.Members, e.Missing, e.Events, strings.Join(top, " "))))
	}
	return strings.Join(lines, "\n")
}

func TestEval(t *testing.T) {
	pods := map[string][]fed{
		"use":   {{labels: "pod=a,wl=x", v: 30}, {labels: "pod=b,wl=x", v: 90}, {labels: "pod=c,wl=y", v: 10}, {labels: "pod=d,wl=y", v: 5}},
		"limit": {{labels: "pod=c", v: 10}, {labels: "pod=a", v: 100}, {labels: "pod=b", v: 100}},
		"dns":   {{labels: "pod=a", v: 50}, {labels: "pod=b", v: 40}, {labels: "pod=b", v: 8}, {labels: "pod=c", v: 2}},
		"resp":  {{labels: "code=200,wl=x", v: 90}, {labels: "code=500,wl=x", v: 10}, {labels: "code=200,wl=y", v: 50}},
		"half":  {{labels: "pod=a,wl=x", v: 30}, {labels: "pod=b,wl=x", gone: true}, {labels: "pod=c,wl=y", gone: true}},
		"err":   {{labels: "code=500,wl=x", v: 4}, {labels: "code=200,wl=x", v: 6}, {labels: "code=500,wl=y", gone: true}, {labels: "code=200,wl=y", v: 7}},
		"hits":  {{labels: "wl=x", v: 3}},
		"stamp": {{labels: "wl=x", v: 1_700_000_000}},
	}
	for _, c := range []struct{ name, expr, want string }{
		{"a sum adds members and events, and names the heaviest three", `sum(rate(dns[1m]))`, `{cluster=c1} 100 4/0 100 0:50 1:40 2:8`},
		{"groups come in order of first use", `sum by (wl) (use)`, "{cluster=c1,wl=x} 120 2/0 NaN 1:90 0:30\n{cluster=c1,wl=y} 15 2/0 NaN 2:10 3:5"},
		{"a minimum names the least, and counts its events alone", `min(rate(dns[1m]))`, `{cluster=c1} 2 4/0 2 3:2 2:8 1:40`},
		{"a maximum names the largest", `max by (wl) (use)`, "{cluster=c1,wl=x} 90 2/0 NaN 1:90 0:30\n{cluster=c1,wl=y} 10 2/0 NaN 2:10 3:5"},
		{
			"use of limit: the worst pod by share; a pod without a limit has none", `max by (wl) (use / on (pod) group_left limit)`,
			"{cluster=c1,wl=x} 0.9 2/0 NaN 1:0.9 0:0.3\n{cluster=c1,wl=y} 1 1/0 NaN 2:1",
		},
		{
			"the least replica's share of its fair part, and who it is",
			`min by (cluster) (sum by (cluster, pod) (rate(dns[1m]))) * on (cluster) count by (cluster) (sum by (cluster, pod) (rate(dns[1m]))) / on (cluster) sum by (cluster) (rate(dns[1m]))`,
			`{cluster=c1} 0.06 4/0 100 3:2`,
		},
		{"a ratio has the events of the whole and the members of the part", `sum by (wl) (rate(resp{code="500"}[1m])) / sum by (wl) (rate(resp[1m]))`, "{cluster=c1,wl=x} 0.1 2/0 100 1:10\n{cluster=c1,wl=y} 0 1/0 50 2:50"},
		{"a part that is unknown is no zero", `sum by (wl) (rate(err{code="500"}[1m])) / sum by (wl) (rate(err[1m]))`, "{cluster=c1,wl=x} 0.4 2/0 10 0:4"},
		{"another metric missing is a gap, not zero", `sum by (wl) (rate(hits[1m])) / sum by (wl) (rate(resp[1m]))`, "{cluster=c1,wl=x} 0.03 2/0 100 0:3"},
		{"a maximum of nothing is no zero", `max by (wl) (rate(resp{code="500"}[1m])) / max by (wl) (rate(resp[1m]))`, "{cluster=c1,wl=x} 0.111111 2/0 90 1:10"},
		{"a count that a comparison empties is zero", `count by (wl) (use > 20) / count by (wl) (use)`, "{cluster=c1,wl=x} 1 2/0 NaN 1:90 0:30\n{cluster=c1,wl=y} 0 2/0 NaN 2:10 3:5"},
		{"complement of a ratio", `1 - sum by (wl) (rate(resp{code="500"}[1m])) / sum by (wl) (rate(resp[1m]))`, "{cluster=c1,wl=x} 0.9 2/0 100 1:10\n{cluster=c1,wl=y} 1 1/0 50 2:50"},
		{"missing series are counted, and a group of only missing ones has no value", `sum by (wl) (half)`, "{cluster=c1,wl=x} 30 1/1 NaN 0:30"},
		{"a pod without a value is missing in the join too", `max by (wl) (half / on (pod) group_left limit)`, "{cluster=c1,wl=x} 0.3 1/1 NaN 0:0.3"},
		{"or does not answer for an unknown side", `sum by (wl) (half) or sum by (wl) (use)`, "{cluster=c1,wl=x} 30 1/1 NaN 0:30"},
		{"nor does unless pass it", `sum by (wl) (use) unless sum by (wl) (half) > 50`, "{cluster=c1,wl=x} 120 2/0 NaN 1:90 0:30"},
		{"nor does and", `sum by (wl) (use) and sum by (wl) (half)`, "{cluster=c1,wl=x} 120 2/0 NaN 1:90 0:30"},
		{"a fallback for a metric that is not there", `sum(nothing) or vector(0)`, "{cluster=c1} 0 0/0 NaN"},
		{"no metric, no value", `sum(nothing)`, ""},
		{"division by zero gives no value", `sum by (wl) (rate(resp[1m])) / (sum by (wl) (rate(resp[1m])) - 100)`, "{cluster=c1,wl=y} -1 1/0 50 2:50"},
		{"comparisons drop", `sum by (wl) (use) > 20`, "{cluster=c1,wl=x} 120 2/0 NaN 1:90 0:30"},
		{"bool keeps", `sum by (wl) (use) > bool 20`, "{cluster=c1,wl=x} 1 2/0 NaN 1:90 0:30\n{cluster=c1,wl=y} 0 2/0 NaN 2:10 3:5"},
		{"time counts from the window's end", `time() - max(stamp)`, "{cluster=c1} 40 1/0 NaN 0:1.7e+09"},
		{"quantile over members", `quantile by (wl) (0.5, use)`, "{cluster=c1,wl=x} 60 2/0 NaN 1:90 0:30\n{cluster=c1,wl=y} 7.5 2/0 NaN 2:10 3:5"},
		{"sums add their events", `sum(rate(resp[1m])) + sum(rate(hits[1m]))`, "{cluster=c1} 153 3/0 153 0:90 2:50 1:10"},
		{"the side that misses more speaks for both", `sum(half) / sum(use)`, "{cluster=c1} 0.222222 1/2 NaN 0:30"},
	} {
		if got, _ := evalText(t, c.expr, pods); got != c.want {
			t.Errorf("%s: %s\ngot\n%s\nwant\n%s", c.name, c.expr, got, c.want)
		}
	}
}

// Where PromQL would fail the whole query because two series match where one may, only their group has no value, and it is counted.
func TestEvalDropsAmbiguousMatches(t *testing.T) {
	for _, c := range []struct {
		name, expr string
		right      []fed
		want       string
		conflicts  int
	}{
		{"one to one", `sum by (pod) (use) / on (pod) limit`, []fed{{labels: "pod=a,x=1", v: 2}, {labels: "pod=a,x=2", v: 2}, {labels: "pod=b", v: 2}}, "{b} 3", 1},
		{"three of them", `sum by (pod) (use) / on (pod) limit`, []fed{{labels: "pod=a", v: 2}, {labels: "pod=b", v: 2}, {labels: "pod=a", v: 2}, {labels: "pod=a", v: 2}}, "{b} 3", 1},
		{"many to one", `max by (wl) (use / on (pod) group_left limit)`, []fed{{labels: "pod=a", v: 2}, {labels: "pod=a", v: 2}, {labels: "pod=b", v: 2}}, "{y} 3", 1},
		{"on the left", `use2 / on (pod) limit`, []fed{{labels: "pod=a", v: 2}, {labels: "pod=b", v: 2}}, "{b} 4", 1},
		{"an unknown one beside a known one is its predecessor", `sum by (pod) (use) / on (pod) limit`, []fed{{labels: "pod=a", gone: true}, {labels: "pod=a", v: 2}, {labels: "pod=b", v: 2}, {labels: "pod=b", gone: true}}, "{a} 2\n{b} 3", 0},
		{"both unknown", `sum by (pod) (use) / on (pod) limit`, []fed{{labels: "pod=a", gone: true}, {labels: "pod=a", gone: true}, {labels: "pod=b", v: 2}}, "{b} 3", 0},
		{"left one unknown first", `use3 / on (pod) limit`, []fed{{labels: "pod=a", v: 2}, {labels: "pod=b", v: 2}}, "{a} 4\n{b} 5", 0},
	} {
		p, err := testDialect.Compile(strings.NewReplacer("by (pod)", "by (p)", "on (pod)", "on (p)").Replace(c.expr))
		if err != nil {
			t.Fatal(err)
		}
		table, st := NewTable(), p.NewState()
		pods := func(in []fed) (out []fed) {
			for _, f := range in {
				f.labels = strings.Replace(f.labels, "pod=", "p=", 1)
				out = append(out, f)
			}
			return out
		}
		in := feed(p, table, map[string][]fed{
			"use":   pods([]fed{{labels: "pod=a,wl=x", v: 4}, {labels: "pod=b,wl=y", v: 6}}),
			"use2":  pods([]fed{{labels: "pod=a,i=1", v: 4}, {labels: "pod=a,i=2", v: 6}, {labels: "pod=b", v: 8}}),
			"use3":  pods([]fed{{labels: "pod=a,i=1", gone: true}, {labels: "pod=a,i=2", v: 8}, {labels: "pod=b,i=1", v: 10}, {labels: "pod=b,i=0", gone: true}}),
			"limit": pods(c.right),
		})
		var lines []string
		for _, e := range p.Eval(st, in, nil) {
			l := table.Labels(e.Set)
			lines = append(lines, fmt.Sprintf("{%s} %v", l[len(l)-1].Value, e.V))
		}
		if got := strings.Join(lines, "\n"); got != c.want || st.Conflicts != c.conflicts {
			t.Errorf("%s: got %q and %d conflicts, want %q and %d", c.name, got, st.Conflicts, c.want, c.conflicts)
		}
	}
}

// Labels taken from the one side follow it when it changes: an upgraded node moves to its new version.
func TestEvalFollowsTakenLabels(t *testing.T) {
	p, err := testDialect.Compile(`sum by (version) (use * on (node) group_left (version) info)`)
	if err != nil {
		t.Fatal(err)
	}
	table, st := NewTable(), p.NewState()
	use := []fed{{labels: "node=a", v: 1}, {labels: "node=b", v: 2}}
	for _, c := range []struct{ a, b, want string }{
		{"v1", "v1", "{cluster=c1,version=v1} 3 2/0 NaN 1:2 0:1"},
		{"v2", "v1", "{cluster=c1,version=v2} 1 1/0 NaN 0:1\n{cluster=c1,version=v1} 2 1/0 NaN 1:2"},
		{"v2", "v2", "{cluster=c1,version=v2} 3 2/0 NaN 1:2 0:1"},
		{"v1", "v2", "{cluster=c1,version=v1} 1 1/0 NaN 0:1\n{cluster=c1,version=v2} 2 1/0 NaN 1:2"},
	} {
		in := feed(p, table, map[string][]fed{"use": use, "info": {{labels: "node=a,version=" + c.a, v: 1}, {labels: "node=b,version=" + c.b, v: 1}}})
		if got := vectorText(table, p.Eval(st, in, nil)); got != c.want {
			t.Errorf("versions %s and %s: got\n%s\nwant\n%s", c.a, c.b, got, c.want)
		}
	}
}

func TestEvalCountsWhatHasNoValue(t *testing.T) {
	_, st := evalText(t, `sum by (a) (x) / sum by (a) (y)`, map[string][]fed{
		"x": {{labels: "a=1", v: 1}, {labels: "a=2", v: 0}, {labels: "a=3", gone: true}, {labels: "a=4", v: 1}},
		"y": {{labels: "a=1", v: 0}, {labels: "a=2", v: 0}, {labels: "a=3", v: 1}, {labels: "a=4", v: 2}},
	})
	if st.Undefined != 2 || st.Unknown != 1 || st.Conflicts != 0 {
		t.Errorf("got %d undefined, %d unknown, %d conflicts; want 2, 1, 0", st.Undefined, st.Unknown, st.Conflicts)
	}
}

// A rollout that changes the buckets of a histogram must not make the quantile jump: bounds that only some targets have are left out.
func TestQuantileUsesSharedBounds(t *testing.T) {
	bucket := func(pod, le string, v float64) fed { return fed{labels: "le=" + le + ",pod=" + pod, v: v} }
	old := []fed{bucket("a", "1", 50), bucket("a", "2", 100), bucket("a", "+Inf", 100)}
	mixed := append(slices.Clone(old), bucket("b", "0.5", 10), bucket("b", "1.0", 50), bucket("b", "1.5", 75), bucket("b", "2", 100), bucket("b", "3", 100), bucket("b", "+Inf", 100))
	const expr = `histogram_quantile(0.75, sum by (le) (rate(h_bucket[1m])))`
	for name, vec := range map[string][]fed{"one target": old, "two that differ": mixed} {
		got, _ := evalText(t, expr, map[string][]fed{"h_bucket": vec})
		want := "{cluster=c1} 1.5 1/0 100 2:100"
		if len(vec) > 3 {
			want = "{cluster=c1} 1.5 2/0 200 2:100 8:100"
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if got, _ := evalText(t, expr, map[string][]fed{"h_bucket": old[:2]}); got != "" {
		t.Errorf("without the bucket +Inf: got %s, want no value", got)
	}
	if got, _ := evalText(t, expr, map[string][]fed{"h_bucket": {bucket("a", "1", 0), bucket("a", "+Inf", 0)}}); got != "" {
		t.Errorf("without an observation: got %s, want no value", got)
	}
}

func TestLabelTable(t *testing.T) {
	table := NewTable()
	if id := table.Intern(nil); id != 0 || len(table.Labels(0)) != 0 {
		t.Errorf("the empty set has id %d, want 0", id)
	}
	ids := map[uint32]string{}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 20_000 {
		var s []string
		for _, name := range []string{"a", "b", "c"} {
			if v := r.IntN(20); v > 0 {
				s = append(s, fmt.Sprintf("%s=%d", name, v))
			}
		}
		text := strings.Join(s, ",")
		id := table.Intern(fedLabels(text))
		if was, ok := ids[id]; ok && was != text {
			t.Fatalf("step %d: id %d is %q and %q", i, id, was, text)
		} else if !ok && int(id) != len(ids)+1 {
			t.Fatalf("step %d: new id %d, want the next, %d", i, id, len(ids)+1)
		}
		ids[id] = text
		if !equalLabels(table.Labels(id), fedLabels(text)) {
			t.Fatalf("labels(%d) = %v, want %s", id, table.Labels(id), text)
		}
	}
	keep, drop := table.projection([]string{"a", "cluster"}, false), table.projection([]string{"a", "cluster"}, true)
	for _, id := range slices.Collect(maps.Keys(ids)) {
		for range 2 { // asked, then remembered
			k, d := table.Labels(keep.of(id)), table.Labels(drop.of(id))
			if k.Get("a") != table.Labels(id).Get("a") || k.Get("b") != "" || d.Get("a") != "" || d.Get("c") != table.Labels(id).Get("c") || len(k)+len(d) != len(table.Labels(id)) {
				t.Fatalf("%v: kept %v, dropped %v", table.Labels(id), k, d)
			}
		}
	}
	if table.projection([]string{"a", "cluster"}, false) != keep {
		t.Error("equal projections are not shared")
	}
}

// benchInput gives a plan's leaves the same vectors in every window.
func benchInput(table *Table, leaves [][]Element) *Input {
	return &Input{Table: table, EndMs: 60_000, Scope: table.Intern(fedLabels("")), Leaf: func(i int, dst []Element) []Element {
		return append(dst, leaves[i]...)
	}}
}

func benchElement(table *Table, ref int, v float64, labels string) Element {
	return Element{Set: table.Intern(fedLabels(labels)), V: v, Events: v, Members: 1, Top: [3]Ref{{int32(ref), v}, NoRef, NoRef}}
}

// ratioBench is errors over all by workload, over n series in 300 workloads.
func ratioBench(n int) (*Plan, *Input, int) {
	p, err := testDialect.Compile(`sum by (namespace, workload) (rate(requests_total{code=~"5.."}[1m])) / sum by (namespace, workload) (rate(requests_total[1m]))`)
	if err != nil {
		panic(err)
	}
	table := NewTable()
	leaves := make([][]Element, 2)
	for i := range n {
		e := benchElement(table, i, float64(i%17), fmt.Sprintf("namespace=ns%d,workload=wl%d", i%20, i%300))
		leaves[1] = append(leaves[1], e)
		if i%5 == 0 {
			leaves[0] = append(leaves[0], e)
		}
	}
	return p, benchInput(table, leaves), len(leaves[0]) + len(leaves[1])
}

// joinBench is use of limit over n pods in n/8 workloads.
func joinBench(n int) (*Plan, *Input, int) {
	p, err := testDialect.Compile(`max by (namespace, workload, container) (use / on (namespace, pod, container) group_left limit)`)
	if err != nil {
		panic(err)
	}
	table := NewTable()
	leaves := make([][]Element, 2)
	for i := range n {
		pod := fmt.Sprintf("container=c,namespace=ns%d,pod=p%d", i%20, i)
		leaves[0] = append(leaves[0], benchElement(table, i, float64(i%17), pod+fmt.Sprintf(",workload=wl%d", i/8)))
		leaves[1] = append(leaves[1], benchElement(table, n+i, 20, pod))
	}
	return p, benchInput(table, leaves), 2 * n
}

// quantileBench is a p99 by node over n bucket series.
func quantileBench(n int) (*Plan, *Input, int) {
	p, err := testDialect.Compile(`histogram_quantile(0.99, sum by (node, le) (rate(h_bucket[1m])))`)
	if err != nil {
		panic(err)
	}
	table := NewTable()
	var vec []Element
	for i := range n {
		le := fmt.Sprint(i%16 + 1)
		if i%16 == 15 {
			le = "+Inf"
		}
		vec = append(vec, benchElement(table, i, float64(i%16*3), fmt.Sprintf("le=%s,node=n%d", le, i/16%50)))
	}
	return p, benchInput(table, [][]Element{vec}), n
}

var evalBenches = map[string]func() (*Plan, *Input, int){
	"ratio":    func() (*Plan, *Input, int) { return ratioBench(10_000) },
	"join":     func() (*Plan, *Input, int) { return joinBench(5_000) },
	"quantile": func() (*Plan, *Input, int) { return quantileBench(10_000) },
}

// A steady window does no label work and allocates nothing.
func TestEvalSteadyWindowAllocatesNothing(t *testing.T) {
	for name, make := range evalBenches {
		p, in, _ := make()
		st := p.NewState()
		dst := p.Eval(st, in, nil)
		sets := in.Table.Len()
		if n := testing.AllocsPerRun(10, func() { dst = p.Eval(st, in, dst[:0]) }); n != 0 {
			t.Errorf("%s: %v allocations a window, want 0", name, n)
		}
		if len(dst) == 0 || in.Table.Len() != sets {
			t.Errorf("%s: %d results, table grew from %d to %d", name, len(dst), sets, in.Table.Len())
		}
	}
}

func BenchmarkEval(b *testing.B) {
	for _, name := range slices.Sorted(maps.Keys(evalBenches)) {
		b.Run(name, func(b *testing.B) {
			p, in, n := evalBenches[name]()
			st := p.NewState()
			dst := p.Eval(st, in, nil)
			b.ReportAllocs()
			for b.Loop() {
				dst = p.Eval(st, in, dst[:0])
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
		})
	}
}

func fedLabels(s string) series.Labels {
	l := series.Labels{{Name: "cluster", Value: "c1"}}
	for p := range strings.SplitSeq(s, ",") {
		if k, v, ok := strings.Cut(p, "="); ok {
			l = append(l, series.Label{Name: k, Value: v})
		}
	}
	slices.SortFunc(l, func(a, b series.Label) int { return strings.Compare(a.Name, b.Name) })
	return l
}

// testDialect is a dialect with everything that one can have.
var testDialect = Dialect{
	Scope: "cluster", Zeros: true, Prefix: "made_", Made: []string{"made_one", "made_two"},
	Churny: map[string]Churn{
		"pod": {Instead: "workload"}, "uid": {Instead: "workload"}, "replicaset": {Instead: "workload"}, "pod_template_hash": {Instead: "workload"},
		"controller_revision_hash": {Instead: "workload"}, "instance": {Instead: "node"}, "container_id": {Instead: "container"},
		"image": {Instead: "container"}, "id": {Instead: "container", Prefix: "container_"}, "name": {Instead: "container", Prefix: "container_"},
	},
}
