package promql

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// refused are expressions outside the subset: where in each the offending thing is, and a part of what is said of it.
var refused = []struct{ expr, at, says string }{
	// Syntax and types, as the parser sees them.
	{``, "1:1", "no expression found"},
	{`sum by (cluster) (rate(x[1m])`, "1:30", "unclosed left parenthesis"},
	{`sum by (cluster) (x{a="b)`, "1:23", "unterminated"},
	{`sum by (cluster) (foo(x))`, "1:19", `unknown function with name "foo": see packs/README.md`},
	{`sum by (cluster) (rate(x))`, "1:24", "expected type range vector"},
	{`sum by (cluster) (x[5m])`, "1:19", "rate(x[1m])"},
	{`sum by (cluster) (rate(x[1m] smoothed))`, "1:24", "split over window borders anyway"},
	{`sum by (cluster) ({a=~".*"})`, "1:19", "name the metric"},
	{`sum by (cluster) (x{a=~"("})`, "1:21", "missing closing )"},
	{`mad_over_time(x[5m])`, "1:1", "not enabled"},
	{`limitk(3, x)`, "1:1", "limitk() is not available: a sample of the series"},
	// The result.
	{`1 + 1`, "1:1", "plain number"},
	{`time()`, "1:1", "plain number"},
	{`"x"`, "1:1", "string"},
	{`x[5m]`, "1:1", "leave the range out for a gauge"},
	{`x`, "1:1", "max by (cluster, namespace, workload)"},
	{`rate(x_total[1m])`, "1:1", "aggregate it"},
	{`a / on (node) group_left b`, "1:1", "aggregate it"},
	{`vector(1)`, "1:1", "no metric is selected"},
	{`sum by (cluster, le) (rate(x_bucket[1m]))`, "1:18", "histogram_quantile(0.99"},
	{`sum by (cluster, pod) (rate(x[1m]))`, "1:18", "label pod of the result churns"},
	{"max by (cluster)\n  (a)\n  + on (cluster, uid) group_left\n  max by (cluster, uid) (b)", "3:18", "label uid on the left side"},
	{`a + on (pod) b`, "1:9", "label pod of the result churns"},
	{`max by (cluster) (a) * on (cluster) group_right max by (cluster, instance) (b)`, "1:66", "max by (cluster, node)"},
	{`max by (node) (a) * on (node) group_left (image) max by (node, image) (b)`, "1:43", "label image of the result churns"},
	{`sum(rate(x[1m])) by (replicaset)`, "1:22", "label replicaset of the result churns"},
	{`max by (id) (container_x)`, "1:9", "label id of the result churns"},
	{`max by (pod_template_hash) (x)`, "1:9", "churns"},
	{`max by (controller_revision_hash) (x)`, "1:9", "churns"},
	{`max by (container_id) (x)`, "1:9", "max by (cluster, container)"},
	// Aggregations.
	{`topk(3, x)`, "1:1", "max by (cluster, …)"},
	{`bottomk by (node) (3, x)`, "1:1", "min by (cluster, …)"},
	{`count_values("v", x)`, "1:1", "entities without end"},
	{`sum without (pod) (x)`, "1:5", "by (cluster, …)"},
	{`sum(x) without (pod)`, "1:8", "by (cluster, …)"},
	{`sum by (__name__) (x)`, "1:9", "leave it out"},
	{`max by (node) (sum by (pod) (x))`, "1:9", "there is no label node here: what is aggregated has only (cluster, pod)"},
	{`quantile by (cluster) (scalar(a), x)`, "1:24", "join the vector instead"},
	// Selectors and ranges.
	{`max({__name__=~"a|b"})`, "1:5", "must be given, not matched"},
	{`max({__name__!="a", b="c"})`, "1:5", "must be given, not matched"},
	{`max({a="b"})`, "1:5", "names no metric"},
	{`max(x offset 5m)`, "1:7", "offset is not available"},
	{`max(rate(x[5m] offset 1h))`, "1:16", "offset is not available"},
	{`max(x @ 1700000000)`, "1:7", "@ is not available"},
	{`max(x @ end())`, "1:7", "@ is not available"},
	{`sum(rate(x[90s]))`, "1:11", "want whole minutes, [1m] to [15m]"},
	{`sum(rate(x[30s]))`, "1:11", "want whole minutes"},
	{`sum(rate(x[16m]))`, "1:11", "want whole minutes"},
	{`sum(rate(x{a="b"}[1h]))`, "1:18", "want whole minutes"},
	{`max(rate(x[1m])[10m:1m])`, "1:16", "subqueries are not available"},
	{`max_over_time(rate(x[1m])[10m:])`, "1:1", "max_over_time is not available"},
	{`sum(increase((a+b)[5m:1m]))`, "1:19", "subqueries are not available"},
	// Functions.
	{`sum(irate(x[1m]))`, "1:5", "write rate(x[1m])"},
	{`max(predict_linear(x[15m], 3600))`, "1:5", "baseline.mode: trend, limit and eta"},
	{`max(deriv(x[15m]))`, "1:5", "baseline.mode: trend"},
	{`max(delta(x[5m]))`, "1:5", "select the gauge itself"},
	{`max(avg_over_time(x[5m]))`, "1:5", "recording rule"},
	{`absent_over_time(x[5m])`, "1:1", "write absent(x)"},
	{`absent(x{pod="a"})`, "1:1", "label pod of the result churns"},
	{`rate(made_one[1m])`, "1:6", "is a gauge"},
	{`max by (cluster) (made_three)`, "1:19", "there are made_one"},
	{`max by (a) (label_replace(x, "a", "$1", "b", "(.*)"))`, "1:13", "relabel in your Prometheus"},
	{`max(x) * scalar(max(y))`, "1:10", "group_left"},
	{`max(hour())`, "1:5", "the time of day is the baseline's work"},
	{`sort_desc(max(x))`, "1:1", "no order"},
	{`max(sin(x))`, "1:5", "sin is not available: write a recording rule"},
	{`max(timestamp(x + 1))`, "1:15", "plain selector"},
	{`clamp(max(x), 1, 0)`, "1:1", "lowest value is above"},
	{`clamp_max(max(x), scalar(y))`, "1:19", "scalar is not available"},
	{`histogram_quantile(0.9, rate(x_bucket[1m]))`, "1:25", "sum by (cluster, le) (rate(x_bucket[1m]))"},
	{`histogram_quantile(0.9, sum by (node) (rate(x_bucket[1m])))`, "1:25", "only (cluster, node) is left; keep le"},
	{`histogram_fraction(0, 1, max(x))`, "1:26", "sum by (cluster, le) (rate(x_bucket[1m]))"},
	{`histogram_quantile(0.9, max by (cluster) (rate(x[1m])))`, "1:48", "there may be sum, avg, * and / by a number"},
	{`histogram_quantile(0.9, sum by (cluster) (rate(x[1m])) + sum by (cluster) (rate(y[1m])))`, "1:48", "between a histogram and its function"},
	{`histogram_quantile(0.9, rate(x[1m]))`, "1:25", "those of each raw series"},
	{`histogram_avg(sum by (cluster) (rate(x_bucket[1m])))`, "1:38", "name the histogram: x"},
	{`histogram_avg(rate(x[1m]))`, "1:15", "histogram_avg(sum by (cluster)"},
	{`histogram_count(sum by (cluster) (x))`, "1:35", "rate or increase"},
	{`histogram_sum(max by (cluster) (rate(x[1m])))`, "1:38", "sum, avg, * and /"},
	{`histogram_stddev(sum(rate(x[1m])))`, "1:1", "recording rule"},
	{`spread(rate(x[1m]))`, "1:8", "raw series are unknown"},
	{`spread(sum by (cluster, node) (x))`, "1:1", "nothing tells the peers apart"},
	{`spread(sum by (cluster, node) (x), "device")`, "1:36", "no label device"},
	{`spread by (cluster) (x)`, "1:8", "unexpected"},
	// Matching.
	{`max by (node) (a / b)`, "1:16", "the left side is raw series"},
	{`max by (node) (max by (node) (a) / b)`, "1:36", "the right side is raw series"},
	{`sum by (node) (a) / ignoring (node) b`, "1:37", "the right side is raw series"},
	{`max by (node) (a) / max by (cluster) (b)`, "1:19", "write / on (cluster) group_left"},
	{`max by (cluster) (a) / max by (node) (b)`, "1:22", "write / on (cluster) group_right"},
	{`max by (node) (a) and max by (ns) (b)`, "1:19", "write and on (cluster)"},
	{`max by (node) (a) / on (ns) max by (node) (b)`, "1:25", "no label ns on the left side, which has only (cluster, node)"},
	{`max by (node) (a) / on (node) group_left (ns) max by (node) (b)`, "1:43", "no label ns to take"},
	{`max by (node) (a) or on (cluster) max by (cluster) (b)`, "1:19", "two kinds of entities"},
	{`max by (node) (a or on (node) max by (node) (b))`, "1:18", "those of raw series"},
	{`max by (node) (a) atan2 max by (node) (b)`, "1:19", "operator atan2 is not available"},
	{"# a comment\nmax by (node) (a)\n  and\nbottomk(1, b)", "4:1", "bottomk is not available"},
}

// Every expression outside the subset is refused with its place, the offending thing and what to write instead.
func TestCompileRefuses(t *testing.T) {
	for _, c := range refused {
		p, err := testDialect.Compile(c.expr)
		if err == nil {
			t.Errorf("testDialect.compile(%q) = %v, want an error with %q", c.expr, p.Labels, c.says)
			continue
		}
		if got := err.Error(); !strings.HasPrefix(got, "expression "+c.at+": ") || !strings.Contains(got, c.says) {
			t.Errorf("testDialect.compile(%q): got %q, want expression %s: … %s", c.expr, got, c.at, c.says)
		}
	}
}

func TestCompileBoundsItsInput(t *testing.T) {
	for name, expr := range map[string]string{
		"length": "max(x" + strings.Repeat(" ", exprBytesMax) + ")",
		"depth":  strings.Repeat("(", exprDepthMax+1) + "max(x)" + strings.Repeat(")", exprDepthMax+1),
		"minus":  "max(x) + " + strings.Repeat("-(", exprDepthMax+1) + "1" + strings.Repeat(")", exprDepthMax+1),
		"leaves": "max(" + strings.Join(func() (s []string) {
			for i := range exprLeafsMax + 1 {
				s = append(s, fmt.Sprintf("x%d", i))
			}
			return s
		}(), " or on (cluster) ") + ")",
	} {
		if _, err := testDialect.Compile(expr); err == nil {
			t.Errorf("%s: an expression beyond the bound was compiled", name)
		}
	}
}

// A leaf keeps exactly the labels that something above it needs, and the result has the labels that the expression says.
func TestCompileKeepsNeededLabels(t *testing.T) {
	for _, c := range []struct {
		expr   string
		labels string
		leaves []string // name fn windows keep
	}{
		{`sum(x)`, "cluster", []string{"x value 5 cluster"}},
		{`sum by (node) (rate(x{a="b"}[3m]))`, "cluster,node", []string{`x{a="b"} rate 3 cluster,node`}},
		{
			`max by (cluster,namespace,workload,container) (container_memory_working_set_bytes{container!="",container!="POD"}
			   / on (namespace,pod,container) group_left kube_pod_container_resource_limits{resource="memory"})`,
			"cluster,container,namespace,workload",
			[]string{
				`container_memory_working_set_bytes{container!="",container!="POD"} value 5 cluster,container,namespace,pod,workload`,
				`kube_pod_container_resource_limits{resource="memory"} value 5 cluster,container,namespace,pod`,
			},
		},
		{
			`min by (cluster) (sum by (cluster, pod) (rate(d[1m]))) * on (cluster) count by (cluster) (sum by (cluster, pod) (rate(d[1m])))
			   / on (cluster) sum by (cluster) (rate(d[1m]))`,
			"cluster", []string{"d rate 1 cluster,pod"},
		},
		{`histogram_quantile(0.99, sum by (node, le) (rate(h_bucket[5m])))`, "cluster,node", []string{"h_bucket rate 5 cluster,le,node bucket or h"}},
		{`sum(rate(h_bucket{le="0.5"}[1m])) / sum(rate(h_count[1m]))`, "cluster", []string{`h_bucket{le="0.5"} rate 1 cluster`, "h_count rate 1 cluster or h"}},
		{`histogram_quantile(0.99, sum by (node) (rate(h[5m])))`, "cluster,node", []string{"h_bucket rate 5 cluster,le,node bucket or h"}},
		{`histogram_quantile(0.99, sum(rate(h_bucket{le=~".*"}[5m])) by (le))`, "cluster", []string{`h_bucket{le=~".*"} rate 5 cluster,le bucket`}},
		{`histogram_fraction(0, 1, 2 * sum by (le) (increase(h[5m])))`, "cluster", []string{"h_bucket increase 5 cluster,le bucket or h"}},
		{`histogram_avg(sum by (node) (rate(h[5m])))`, "cluster,node", []string{"h_sum rate 5 cluster,node or h", "h_count rate 5 cluster,node or h"}},
		{`max by (cluster) (histogram_count(avg by (pod) (rate(h[5m]))))`, "cluster", []string{"h_count rate 5 cluster,pod or h"}},
		{`spread(sum by (cluster, namespace, pod) (rate(x[1m])))`, "cluster,namespace", []string{"x rate 1 cluster,namespace,pod"}},
		{`spread(max by (node, device) (x), "device")`, "cluster,node", []string{"x value 5 cluster,device,node"}},
		{`a / on (node) b`, "cluster,node", []string{"a value 5 cluster,node", "b value 5 cluster,node"}},
		{
			`max by (version) (a * on (node) group_left (version) b)`, "cluster,version",
			[]string{"a value 5 cluster,node", "b value 5 cluster,node,version"},
		},
		{`max by (node) (a and on (instance) b)`, "cluster,node", []string{"a value 5 cluster,instance,node", "b value 5 cluster,instance"}},
		{`max by (node) (a or on (instance) b)`, "cluster,node", []string{"a value 5 cluster,instance,node", "b value 5 cluster,instance,node"}},
		{`count(time() - timestamp(a) > 60) or vector(0)`, "cluster", []string{"a timestamp 5 cluster"}},
		{`sum by (node) (changes(a[15m])) / ignoring (cluster) sum by (node) (increase(b[1m]))`, "cluster,node", []string{"a changes 15 cluster,node", "b increase 1 cluster,node"}},
		{`max({__name__="weird.name", a="b"})`, "cluster", []string{`weird.name{a="b"} value 5 cluster`}},
		{`max by (name) (workqueue_depth)`, "cluster,name", []string{"workqueue_depth value 5 cluster,name"}},
	} {
		p, err := testDialect.Compile(c.expr)
		if err != nil {
			t.Errorf("testDialect.compile(%q): %v", c.expr, err)
			continue
		}
		if got := strings.Join(p.Labels, ","); got != c.labels {
			t.Errorf("%s: labels %s, want %s", c.expr, got, c.labels)
		}
		var leaves []string
		for _, l := range p.Leaves {
			s := l.Name
			if len(l.Match) > 0 {
				var m []string
				for _, x := range l.Match {
					m = append(m, x.String())
				}
				s += "{" + strings.Join(m, ",") + "}"
			}
			s += fmt.Sprintf(" %s %d %s", []string{"value", "rate", "increase", "changes", "timestamp"}[l.Func], l.Windows, strings.Join(l.Keep, ","))
			if l.Bucket {
				s += " bucket"
			}
			if l.Base != "" {
				s += " or " + l.Base
			}
			leaves = append(leaves, s)
		}
		if !slices.Equal(leaves, c.leaves) {
			t.Errorf("%s: leaves\n\t%s\nwant\n\t%s", c.expr, strings.Join(leaves, "\n\t"), strings.Join(c.leaves, "\n\t"))
		}
	}
}

func TestMatcherComparesBoundsAsNumbers(t *testing.T) {
	p, err := testDialect.Compile(`sum(rate(h_bucket{le="1",a=~"x.*"}[1m]))`)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range p.Leaves[0].Match {
		for _, c := range []struct {
			label, value string
			want         bool
		}{{"le", "1", true}, {"le", "1.0", true}, {"le", "1e0", true}, {"le", "10", false}, {"le", "+Inf", false}, {"le", "", false}, {"a", "xyz", true}, {"a", "yx", false}, {"a", "", false}} {
			if m.Label() == c.label && m.Matches(c.value) != c.want {
				t.Errorf("%s matches %q = %v, want %v", m, c.value, !c.want, c.want)
			}
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(`sum by (a) (rate(x{b!~"c"}[5m])) / on (a) group_left (d) (y offset 5m) or vector(1)`)
	f.Add(`histogram_quantile(0.9, sum by (le) (increase(x_bucket[2m]))) unless max(y) > bool 2`)
	f.Add("quantile by (a) (0.5, -x ^ 2)\n# comment")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := testDialect.Compile(s)
		if err == nil && (len(p.Leaves) == 0 || !slices.Contains(p.Labels, "cluster")) {
			t.Errorf("%q: compiled to %v without a metric or a cluster", s, p)
		}
	})
}
