package oracle

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

// AsEngine rewrites an expression into what means the same to the engine: smoothed ranges, and native histograms in place of the classic
// series whose base names are in native.
func AsEngine(e parser.Expr, native map[string]bool) parser.Expr {
	switch x := e.(type) {
	case *parser.ParenExpr:
		x.Expr = AsEngine(x.Expr, native)
	case *parser.UnaryExpr:
		x.Expr = AsEngine(x.Expr, native)
	case *parser.AggregateExpr:
		x.Expr = AsEngine(x.Expr, native)
	case *parser.BinaryExpr:
		x.LHS, x.RHS = AsEngine(x.LHS, native), AsEngine(x.RHS, native)
	case *parser.Call:
		for i := range x.Args {
			x.Args[i] = AsEngine(x.Args[i], native)
		}
		if len(x.Args) == 0 {
			return e
		}
		m, ok := x.Args[0].(*parser.MatrixSelector)
		if !ok {
			return e
		}
		v := m.VectorSelector.(*parser.VectorSelector)
		if x.Func.Name == "changes" {
			v.Anchored = true
			return e
		}
		v.Smoothed = true
		for suffix, fn := range map[string]string{"_bucket": "", "_count": "histogram_count", "_sum": "histogram_sum"} {
			base, ok := strings.CutSuffix(v.Name, suffix)
			if !ok || !native[base] {
				continue
			}
			v.Name = base
			for _, m := range v.LabelMatchers {
				if m.Name == series.NameLabel {
					m.Value = base
				}
			}
			if fn != "" {
				return &parser.Call{Func: parser.Functions[fn], Args: parser.Expressions{e}}
			}
		}
	}
	return e
}

// candidates returns values of a label that matchers tell apart.
func candidates(m *labels.Matcher) []string {
	if m.Type == labels.MatchEqual || m.Type == labels.MatchNotEqual {
		return []string{m.Value, "other"}
	}
	out := []string{"other", "other"}
	alts := strings.Split(m.Value, "|")
	for _, alt := range alts[:min(2, len(alts))] {
		alt = regexp.MustCompile(`\[0-9\]\+`).ReplaceAllString(alt, "7")
		alt = strings.NewReplacer(".*", "x", "..", "03", "?", "", "(", "", ")", "", "+", "x").Replace(alt)
		out = append(out, alt)
	}
	return out
}

// ForPlan makes series for the leaves of a plan: those that the selectors want and others, in a few combinations of their labels.
func ForPlan(r *rand.Rand, p *promql.Plan, native map[string]bool) []Series {
	pool := map[string][]string{}
	byName := map[string][]*promql.Leaf{}
	var order []string
	wanted := map[string][]string{} // by metric: its labels
	want := func(name, label string) {
		if at, ok := slices.BinarySearch(wanted[name], label); !ok {
			wanted[name] = slices.Insert(wanted[name], at, label)
		}
	}
	for _, l := range p.Leaves {
		name := l.Name
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if base, ok := strings.CutSuffix(name, suffix); ok && l.Base != "" {
				name = base
			}
		}
		if byName[name] == nil {
			order = append(order, name)
		}
		byName[name] = append(byName[name], l)
		for _, k := range l.Keep {
			if k != "cluster" && k != "le" {
				want(name, k)
				for i := range 1 + r.IntN(4) {
					pool[k] = append(pool[k], fmt.Sprintf("%s-%d", k, i))
				}
			}
		}
		for _, m := range l.Match {
			if m.Label() != "le" {
				want(name, m.Label())
				pool[m.Label()] = append(pool[m.Label()], candidates(m.M)...)
			}
		}
	}
	var all []Series
	for _, name := range order {
		seen := map[string]bool{}
		native[name] = r.IntN(2) == 0
		for range 3 + r.IntN(10)*(1+r.IntN(4)) {
			ls := series.Labels{{Name: series.NameLabel, Value: name}, {Name: "cluster", Value: "c1"}}
			for _, k := range wanted[name] {
				ls = append(ls, series.Label{Name: k, Value: pool[k][r.IntN(len(pool[k]))]})
			}
			ls, err := series.Canonical(ls)
			if err != nil {
				panic(err)
			}
			if seen[ls.String()] {
				continue
			}
			seen[ls.String()] = true
			add := func(suffix, le string, samples []series.Sample) {
				own := slices.Clone(ls)
				for i := range own {
					if own[i].Name == series.NameLabel {
						own[i].Value += suffix
					}
				}
				if le != "" {
					own = append(own, series.Label{Name: "le", Value: le})
				}
				own, _ = series.Canonical(own)
				all = append(all, Series{Labels: own, Samples: samples})
			}
			times := Times(r)
			l := byName[name][0]
			switch {
			case l.Base != "" && native[name]:
				all = append(all, Series{Labels: ls, Hists: NativeSamples(r, times, false)})
			case l.Base != "":
				bs := Histogram(r, times, 4)
				for i, le := range []string{"0.1", "1", "5", "+Inf"} {
					add("_bucket", le, bs[i])
				}
				add("_count", "", bs[3])
				add("_sum", "", Counter(r, times))
			case l.Func == promql.Changes:
				add("", "", Steps(r, times))
			case l.Counter():
				add("", "", Counter(r, times))
			case r.IntN(2) == 0:
				add("", "", Steps(r, times))
			default:
				add("", "", Gauge(r, times))
			}
		}
	}
	return all
}
