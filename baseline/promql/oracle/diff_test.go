package oracle

// The differential test: random series and random expressions, our evaluation against the Prometheus engine.

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	prom "github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

// text is an expression as we write it and as the engine needs it to mean the same.
type text struct{ ours, engine string }

func sprint(format string, args ...any) text {
	ours, engine := slices.Clone(args), slices.Clone(args)
	for i, a := range args {
		if x, ok := a.(text); ok {
			ours[i], engine[i] = x.ours, x.engine
		}
	}
	return text{fmt.Sprintf(format, ours...), fmt.Sprintf(format, engine...)}
}

// exprGen writes random expressions of the subset.
type exprGen struct{ *rand.Rand }

func pick[T any](g exprGen, x ...T) T { return x[g.IntN(len(x))] }

func (g exprGen) number() string { return strconv.FormatFloat(g.Float64()*10, 'g', 5, 64) }

func (g exprGen) rng() string { return pick(g, "1m", "1m", "2m", "5m", "15m") }

// requests returns a counter's function, with matchers or none.
func (g exprGen) counter(name string, match ...string) text {
	fn, rng := pick(g, "rate", "rate", "increase"), g.rng()
	sel := name + pick(g, match...)
	return text{fmt.Sprintf("%s(%s[%s])", fn, sel, rng), fmt.Sprintf("%s(%s[%s] smoothed)", fn, sel, rng)}
}

// raw writes an expression of raw series that have node and pod (node alone for pods = false).
func (g exprGen) raw(pods bool, depth int) text {
	if depth > 0 {
		switch g.IntN(9) {
		case 6:
			return sprint("(%s * on (node) group_left (version) node_info)", g.raw(pods, depth-1))
		case 0:
			return sprint("(%s %s %s)", g.raw(pods, depth-1), pick(g, "+", "-", "*", "/"), g.number())
		case 1:
			return sprint("(%s %s %s)", g.raw(pods, depth-1), pick(g, ">", "<", ">=", "<=", "!=", "> bool", "<= bool"), g.number())
		case 2:
			return sprint("%s(%s)", pick(g, "abs", "ceil", "floor", "sqrt", "ln", "log2", "log10", "sgn", "round"), g.raw(pods, depth-1))
		case 3:
			if pods {
				return sprint("(%s %s on (%s) %s limit_bytes)", g.raw(pods, depth-1), pick(g, "/", "*", "+", ">", "< bool"), pick(g, "pod", "pod, node", "cluster, pod"), "group_left")
			}
		case 4:
			return sprint("((%s) %s on (node) (%s))", g.raw(pods, depth-1), pick(g, "and", "unless"), g.raw(pick(g, true, false), depth-1))
		case 5:
			return sprint("-(%s)", g.raw(pods, depth-1))
		}
	}
	if !pods {
		return pick(g, sprint("node_load"), sprint(`node_load{node=~"node-[02]"}`), sprint("(time() - timestamp(node_load))"))
	}
	return pick(g,
		g.counter("requests_total", "", `{code="500"}`, `{code!="200"}`, `{code=~"4..|5..",node!="node-0"}`),
		g.counter("latency_count", ""),
		sprint("memory_bytes"), sprint(`memory_bytes{pod!~".*-1"}`), sprint("state"), sprint("timestamp(state)"),
		func() text {
			r := g.rng()
			return text{"changes(state[" + r + "])", "changes(state[" + r + "] anchored)"}
		}(),
	)
}

// by writes an expression whose result has exactly the labels (beside cluster).
func (g exprGen) by(l []string, depth int) text {
	list := strings.Join(l, ", ")
	if depth <= 0 || g.IntN(3) == 0 {
		pods := slices.Contains(l, "pod") || g.IntN(4) > 0
		agg := pick(g, "sum", "sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")
		if g.IntN(8) == 0 {
			return sprint("quantile by (%s) (%s, %s)", list, pick(g, "0", "0.25", "0.5", "0.9", "1", "1.1", "-0.1"), g.raw(pods, 2))
		}
		if g.IntN(2) == 0 {
			return sprint("%s(%s) by (%s)", agg, g.raw(pods, 2), list)
		}
		return sprint("%s by (%s) (%s)", agg, list, g.raw(pods, 2))
	}
	switch g.IntN(14) {
	case 11, 12:
		return g.native(l)
	case 13: // peers
		if slices.Contains(l, "pod") {
			return g.native(l)
		}
		inner := with(l, "pod")
		e, list := g.by(inner, depth-1), strings.Join(l, ", ")
		spread := sprint("spread(%s)", e)
		if g.IntN(2) == 0 {
			spread = sprint("spread(%s, \"pod\")", e)
		}
		engine := sprint(`((max by (%[1]s) (%[2]s) - min by (%[1]s) (%[2]s)) / quantile by (%[1]s) (0.5, %[2]s) and count by (%[1]s) (%[2]s) > 1)`, list, sprint("(%[1]s == %[1]s)", sprint("(%s)", e)))
		return text{spread.ours, engine.engine}
	case 0:
		return sprint("(%s) %s (%s)", g.by(l, depth-1), pick(g, "+", "-", "*", "/", "/", ">", "<", ">= bool", "and", "or", "unless"), g.by(l, depth-1))
	case 1:
		return sprint("(%s) %s on (%s) (%s)", g.by(l, depth-1), pick(g, "+", "-", "*", "/", "and", "or", "unless"), list, g.by(l, depth-1))
	case 2:
		return sprint("(%s) %s %s", g.by(l, depth-1), pick(g, "+", "-", "*", "/", "^", ">", "< bool"), pick(g, g.number(), "2", "-1"))
	case 3:
		return sprint("%s %s (%s)", g.number(), pick(g, "+", "-", "*", "/", ">", "<="), g.by(l, depth-1))
	case 4:
		f := pick(g, "abs(%s)", "clamp_min(%s, 0.5)", "clamp_max(%s, 2.5)", "clamp(%s, -1, 3)", "exp(clamp(%s, -20, 5))", "sqrt(%s)", "round(%s, 0.37)", "floor(%s)", "-(%s)", "ln(%s)")
		return sprint(f, g.by(l, depth-1))
	case 5: // nested
		inner := with(l, pick(g, "pod", "node"))
		return sprint("%s by (%s) (%s)", pick(g, "sum", "avg", "min", "max", "count", "stddev"), list, g.by(inner, depth-1))
	case 6: // a smaller side
		some := l[:g.IntN(len(l)+1)]
		on := strings.Join(some, ", ")
		if g.IntN(3) == 0 {
			return sprint("(%s) %s on (%s) group_right () (%s)", g.by(some, depth-1), pick(g, "/", "*", "-", ">"), on, g.by(l, depth-1))
		}
		return sprint("(%s) %s on (%s) group_left () (%s)", g.by(l, depth-1), pick(g, "/", "*", "-", ">"), on, g.by(some, depth-1))
	case 7:
		return sprint("histogram_quantile(%s, sum by (%s) (%s))", pick(g, "0", "0.1", "0.5", "0.9", "0.99", "1"), strings.Join(append(slices.Clone(l), "le"), ", "), g.counter("latency_bucket", "", `{node!="node-1"}`))
	case 8: // a part of a whole: the zero law
		rng, fn := g.rng(), pick(g, "rate", "increase")
		a := text{fmt.Sprintf(`sum by (%s) (%s(requests_total{code="500"}[%s]))`, list, fn, rng), fmt.Sprintf(`sum by (%s) (%s(requests_total{code="500"}[%s] smoothed))`, list, fn, rng)}
		b := text{fmt.Sprintf(`sum by (%s) (%s(requests_total[%s]))`, list, fn, rng), fmt.Sprintf(`sum by (%s) (%s(requests_total[%s] smoothed))`, list, fn, rng)}
		if some := l[:g.IntN(len(l)+1)]; g.IntN(3) == 0 { // the whole is finer than the part
			on := strings.Join(some, ", ")
			a = text{fmt.Sprintf(`sum by (%s) (%s(requests_total{code="500"}[%s]))`, on, fn, rng), fmt.Sprintf(`sum by (%s) (%s(requests_total{code="500"}[%s] smoothed))`, on, fn, rng)}
			join := fmt.Sprintf("on (%s) group_right ()", on)
			return text{fmt.Sprintf("(%s / %s %s)", a.ours, join, b.ours), fmt.Sprintf("((%s or (sum by (%s) (%s)) * 0) / %s %s)", a.engine, on, b.engine, join, b.engine)}
		}
		return text{sprint("(%s / %s)", a, b).ours, fmt.Sprintf("((%s or (%s) * 0) / %s)", a.engine, b.engine, b.engine)}
	case 9:
		if slices.Equal(l, []string{"node"}) {
			return sprint("max by (node) (node_load) %s ignoring (version) group_left () (%s)", pick(g, "*", "+"), g.by(l, depth-1))
		}
		return sprint("(%s) or (%s)", g.by(l, depth-1), g.by(l, depth-1))
	default:
		if len(l) == 0 {
			switch g.IntN(4) {
			case 0:
				return sprint("absent(%s)", g.by(pick(g, l, []string{"node"}), depth-1))
			case 1:
				return sprint("absent(%s)", g.raw(g.IntN(2) == 0, depth-1))
			}
			return sprint("(%s) or vector(%s)", g.by(l, depth-1), g.number())
		}
		return sprint("(%s) / ignoring () (%s)", g.by(l, depth-1), g.by(l, depth-1))
	}
}

// native writes an expression of histograms by the labels: native ones under their base name or in classic words, and classic ones in the
// words of native ones.
func (g exprGen) native(l []string) text {
	name := pick(g, "rtt", "rtt", "size")
	fn, rng, sel := pick(g, "rate", "rate", "increase"), g.rng(), pick(g, "", `{node!="node-1"}`)
	list, agg := strings.Join(l, ", "), pick(g, "sum", "sum", "avg")
	base := text{fmt.Sprintf("%s(%s%s[%s])", fn, name, sel, rng), fmt.Sprintf("%s(%s%s[%s] smoothed)", fn, name, sel, rng)}
	hist := sprint("%s by (%s) (%s)", agg, list, base)
	if g.IntN(4) == 0 {
		hist = sprint("%s by (%s) (%s by (%s) (%s)) * %s", agg, list, pick(g, "sum", "avg"), strings.Join(with(l, "node"), ", "), base, g.number())
	}
	classic := strings.ReplaceAll(hist.ours, name, name+"_bucket")
	classic = strings.ReplaceAll(strings.ReplaceAll(classic, "by ()", "by (le)"), "by ("+list+")", "by (le, "+list+")")
	if inner := strings.Join(with(l, "node"), ", "); inner != list {
		classic = strings.ReplaceAll(classic, "by ("+inner+")", "by (le, "+inner+")")
	}
	q := pick(g, "0.0317", "0.1083", "0.3171", "0.4931", "0.7713", "0.8977", "0.9903") // no count is just at one of them
	lo, hi := pick(g, "-Inf", "0", "0.3"), pick(g, "0.5", "2.1", "+Inf")
	switch g.IntN(8) {
	case 0, 1:
		return sprint("histogram_quantile(%s, %s)", q, hist)
	case 2:
		return sprint("histogram_quantile(%s, %s)", q, text{classic, hist.engine})
	case 3:
		return sprint("histogram_fraction(%s, %s, %s)", lo, hi, hist)
	case 4:
		return sprint("histogram_fraction(%s, %s, %s)", lo, hi, text{classic, hist.engine})
	case 5:
		return sprint("%s(%s)", pick(g, "histogram_count", "histogram_sum", "histogram_avg"), hist)
	case 6: // the count and the sum in classic words
		part := pick(g, "count", "sum")
		return text{strings.ReplaceAll(hist.ours, name, name+"_"+part), "histogram_" + part + "(" + hist.engine + ")"}
	default: // classic buckets in native words
		c := g.counter("latency_bucket", "", sel)
		c.ours = strings.Replace(c.ours, "latency_bucket", "latency", 1)
		by := strings.Join(append(slices.Clone(l), "le"), ", ")
		return text{fmt.Sprintf("histogram_quantile(%s, sum by (%s) (%s))", q, list, c.ours), fmt.Sprintf("histogram_quantile(%s, sum by (%s) (%s))", q, by, c.engine)}
	}
}

// Every value is that of the Prometheus engine, to 1e-9. WRACKLINE_SEED and WRACKLINE_CASES choose others and more of them.
func TestEvalEqualsPromQL(t *testing.T) {
	seed := EnvInt(t, "WRACKLINE_SEED", uint64(time.Now().UnixNano()))
	cases := int(EnvInt(t, "WRACKLINE_CASES", 10_000))
	t.Logf("WRACKLINE_SEED=%d WRACKLINE_CASES=%d", seed, cases)
	engine := prom.NewEngine(prom.EngineOpts{
		MaxSamples: 1e9, Timeout: time.Minute, LookbackDelta: promql.Lookback * time.Minute,
		Parser: parser.NewParser(parser.Options{EnableExtendedRangeSelectors: true}),
	})
	g := exprGen{rand.New(rand.NewPCG(seed, 1))}
	ran, empty, values, failed := 0, 0, 0, 0
	for ran < cases {
		all := Cluster(g.Rand)
		o, table := New(all), promql.NewTable()
		for range 100 {
			l := pick(g, nil, nil, []string{"node"}, []string{"node"}, []string{"code"}, []string{"code", "node"}, []string{"node", "version"})
			x := g.by(l, 1+g.IntN(3))
			if len(x.ours) > 3000 {
				continue
			}
			p, err := dialect.Compile(x.ours)
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, x.ours, err)
			}
			if p.ZeroLaws() != strings.Count(x.engine, ") * 0) /") {
				continue // the law applies by chance as well
			}
			st := p.NewState()
			at := int64(10+g.IntN(100)) * minuteMs
			for range 3 { // the same state for several windows
				ran++
				in := Input(p, table, all, at)
				got := p.Eval(st, in, nil)
				in.Finish()
				q, err := engine.NewInstantQuery(context.Background(), o, nil, x.engine, time.UnixMilli(at))
				if err != nil {
					t.Fatalf("seed %d: %s: %v", seed, x.engine, err)
				}
				res := q.Exec(context.Background())
				if res.Err != nil {
					failed++ // ambiguous matching: the engine gives nothing at all
					continue
				}
				want := map[string]float64{}
				for _, s := range res.Value.(prom.Vector) {
					if !math.IsNaN(s.F) && !math.IsInf(s.F, 0) {
						want[s.Metric.MatchLabels(false, "cluster").String()] = s.F
					}
				}
				have := map[string]float64{}
				for _, e := range got {
					var b []string
					for _, l := range table.Labels(e.Set) {
						if l.Name != "cluster" {
							b = append(b, l.Name, l.Value)
						}
					}
					have[labels.FromStrings(b...).String()] = e.V
				}
				if len(want) == 0 {
					empty++
				}
				values += len(want)
				for k, v := range want {
					if h, ok := have[k]; !ok || math.Abs(h-v) > 1e-9*max(math.Abs(h), math.Abs(v), 1e-4) {
						t.Errorf("seed %d, at %d min:\n%s\n%s: got %v (%v), want %v", seed, at/minuteMs, x.ours, k, h, ok, v)
					}
				}
				for k, h := range have {
					if _, ok := want[k]; !ok {
						t.Errorf("seed %d, at %d min:\n%s\n%s: got %v, want no value", seed, at/minuteMs, x.ours, k, h)
					}
				}
				q.Close()
				if t.Failed() {
					t.FailNow()
				}
				at += int64(1+g.IntN(3)) * minuteMs
			}
		}
	}
	t.Logf("%d evaluations, %d values compared, %d empty results, %d refused by the engine", ran, values, empty, failed)
	if values < cases/2 {
		t.Errorf("only %d values in %d evaluations: the generator makes too little", values, ran)
	}
}

// Results are the same bits whatever the table held before, with scratch that was used or fresh: a restart changes nothing.
func TestEvalDependsOnOrderAlone(t *testing.T) {
	seed := EnvInt(t, "WRACKLINE_SEED", rand.Uint64())
	t.Logf("WRACKLINE_SEED=%d", seed)
	g := exprGen{rand.New(rand.NewPCG(seed, 2))}
	all := Cluster(g.Rand)
	used := promql.NewTable()
	for range 200 {
		x := g.by(pick(g, nil, []string{"node"}, []string{"code", "node"}), 3)
		p, err := dialect.Compile(x.ours)
		if err != nil {
			t.Fatal(err)
		}
		st := p.NewState()
		for i := range 3 {
			at := int64(30+7*i) * minuteMs
			warm := p.Eval(st, Input(p, used, all, at), nil)
			cold := promql.NewTable()
			for j := range g.IntN(50) { // other ids
				cold.Intern(series.Labels{{Name: "x", Value: fmt.Sprint(j)}})
			}
			fresh := p.Eval(p.NewState(), Input(p, cold, all, at), nil)
			again := p.Eval(st, Input(p, promql.NewTable(), all, at), nil) // the state moves to another table
			back := p.Eval(st, Input(p, used, all, at), nil)
			a, b, c, d := vectorBits(used, warm), vectorBits(cold, fresh), len(again), vectorBits(used, back)
			if a != b || a != d || c != len(warm) {
				t.Fatalf("seed %d: %s at %d:\nused table\n%s\nfresh table\n%s\nback again\n%s", seed, x.ours, at, a, b, d)
			}
		}
	}
}

func vectorBits(t *promql.Table, vec []promql.Element) string {
	var b strings.Builder
	for _, e := range vec {
		fmt.Fprintf(&b, "%v %x %x %d %d", t.Labels(e.Set), math.Float64bits(e.V), math.Float64bits(e.Events), e.Members, e.Missing)
		for _, m := range e.Top {
			fmt.Fprintf(&b, " %d:%x", m.Series, math.Float64bits(m.V))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// with returns the sorted labels and another one.
func with(l []string, label string) []string {
	out := append(slices.Clone(l), label)
	slices.Sort(out)
	return slices.Compact(out)
}

// dialect is what the tests compile with: PromQL with a scope and the zero law, which is ours.
var dialect = promql.Dialect{Scope: "cluster", Zeros: true, Churny: map[string]promql.Churn{"pod": {Instead: "workload"}}}
