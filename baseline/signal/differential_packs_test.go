package signal

// Every expression of every shipped pack against the Prometheus engine.

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/wrackline/wrackline/baseline/series"
)

// asEngine rewrites an expression into what means the same to the engine: smoothed ranges, and native histograms in place of the classic
// series whose base names are in native.
func asEngine(e parser.Expr, native map[string]bool) parser.Expr {
	switch x := e.(type) {
	case *parser.ParenExpr:
		x.Expr = asEngine(x.Expr, native)
	case *parser.UnaryExpr:
		x.Expr = asEngine(x.Expr, native)
	case *parser.AggregateExpr:
		x.Expr = asEngine(x.Expr, native)
	case *parser.BinaryExpr:
		x.LHS, x.RHS = asEngine(x.LHS, native), asEngine(x.RHS, native)
	case *parser.Call:
		for i := range x.Args {
			x.Args[i] = asEngine(x.Args[i], native)
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

// packSeries makes series for the leaves of a plan: those that the selectors want and others, in a few combinations of their labels.
func packSeries(r *rand.Rand, p *plan, native map[string]bool) []refSeries {
	pool := map[string][]string{}
	byName := map[string][]*leaf{}
	var order []string
	wanted := map[string][]string{} // by metric: its labels
	for _, l := range p.leaves {
		name := l.name
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if base, ok := strings.CutSuffix(name, suffix); ok && l.base != "" {
				name = base
			}
		}
		if byName[name] == nil {
			order = append(order, name)
		}
		byName[name] = append(byName[name], l)
		for _, k := range l.keep {
			if k != "cluster" && k != "le" {
				wanted[name] = union(wanted[name], k)
				for i := range 1 + r.IntN(4) {
					pool[k] = append(pool[k], fmt.Sprintf("%s-%d", k, i))
				}
			}
		}
		for _, m := range l.match {
			if m.label() != "le" {
				wanted[name] = union(wanted[name], m.label())
				pool[m.label()] = append(pool[m.label()], candidates(m.m)...)
			}
		}
	}
	var all []refSeries
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
				all = append(all, refSeries{labels: own, samples: samples})
			}
			times := refTimes(r)
			l := byName[name][0]
			switch {
			case l.base != "" && native[name]:
				all = append(all, refSeries{labels: ls, hists: refNativeSamples(r, times, false)})
			case l.base != "":
				bs := refHistogram(r, times, 4)
				for i, le := range []string{"0.1", "1", "5", "+Inf"} {
					add("_bucket", le, bs[i])
				}
				add("_count", "", bs[3])
				add("_sum", "", refCounter(r, times))
			case l.fn == fnChanges:
				add("", "", refSteps(r, times))
			case l.counter():
				add("", "", refCounter(r, times))
			case r.IntN(2) == 0:
				add("", "", refSteps(r, times))
			default:
				add("", "", refGauge(r, times))
			}
		}
	}
	return all
}

// Every expression of every shipped pack gives what the engine gives, with classic and with native histograms.
func TestPacksEqualPromQL(t *testing.T) {
	seed := envInt(t, "WRACKLINE_SEED", uint64(time.Now().UnixNano()))
	cases := int(envInt(t, "WRACKLINE_CASES", 10_000))
	t.Logf("WRACKLINE_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 11))
	packs, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1e9, Timeout: time.Minute, LookbackDelta: lookback * time.Minute,
		Parser: parser.NewParser(parser.Options{EnableExtendedRangeSelectors: true}),
	})
	plain := language
	plain.Zeros = false // the law is ours; TestEvalEqualsPromQL has it
	exprs, ran, values, failed := 0, 0, 0, 0
	for _, pack := range packs {
		for _, rl := range pack.Rules {
			for _, src := range rl.Exprs {
				exprs++
				got := 0
				for round := 0; round < max(4, cases/400) || got == 0 && round < 200; round++ {
					p, err := plain.compile(src)
					if err != nil {
						t.Fatal(err)
					}
					native := map[string]bool{}
					all := packSeries(r, p, native)
					e, err := exprParser.ParseExpr(src)
					if err != nil {
						t.Fatal(err)
					}
					text := asEngine(e, native).String()
					o, table, st := newOracle(all), newLabelTable(), p.newState()
					at := int64(10+r.IntN(100)) * minuteMs
					ran++
					in := refInput(p, table, all, at)
					have := map[string]float64{}
					for _, e := range p.eval(st, in, nil) {
						var b []string
						for _, l := range table.labels(e.ls) {
							b = append(b, l.Name, l.Value)
						}
						have[labels.FromStrings(b...).String()] = e.v
					}
					in.finish()
					q, err := engine.NewInstantQuery(context.Background(), o, nil, text, time.UnixMilli(at))
					if err != nil {
						t.Fatalf("seed %d: %s: %v", seed, text, err)
					}
					res := q.Exec(context.Background())
					if res.Err != nil {
						failed++
						continue
					}
					n := 0
					for _, s := range res.Value.(promql.Vector) {
						if math.IsNaN(s.F) || math.IsInf(s.F, 0) {
							continue
						}
						n++
						k := s.Metric.String()
						if h, ok := have[k]; !ok || math.Abs(h-s.F) > 1e-9*max(math.Abs(h), math.Abs(s.F), 1e-4) {
							t.Errorf("seed %d, %s at %d min:\n%s\n%s\n%s: got %v (%v), want %v", seed, rl.Name, at/minuteMs, src, text, k, h, ok, s.F)
						}
					}
					if n != len(have) {
						t.Errorf("seed %d, %s at %d min:\n%s\n%s\ngot %v, want %v", seed, rl.Name, at/minuteMs, src, text, have, res.Value)
					}
					q.Close()
					got += n
					if t.Failed() {
						t.FailNow()
					}
				}
				values += got
				if got == 0 {
					t.Errorf("seed %d, %s: no value was compared: %s", seed, rl.Name, src)
				}
			}
		}
	}
	t.Logf("%d expressions, %d evaluations, %d values compared, %d refused by the engine", exprs, ran, values, failed)
}

// No shipped rule asks who scraped a series: names of jobs and addresses differ between installations.
func TestNoRuleMatchesAJob(t *testing.T) {
	packs, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, pack := range packs {
		for _, r := range pack.Rules {
			for _, x := range r.Exprs {
				p, err := compileExpr(x)
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range p.leaves {
					seen++
					for _, m := range l.match {
						if m.label() == "job" || m.label() == "instance" {
							t.Errorf("%s matches %s", r.Name, m)
						}
					}
				}
			}
		}
	}
	if seen < 200 {
		t.Errorf("only %d selectors were looked at", seen)
	}
}
