package signal

// The differential test: random series and random expressions, our evaluation against the Prometheus engine.

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/wrackline/wrackline/baseline/series"
)

// oracle is an in-memory storage.Queryable over reference series, in their order.
type oracle struct {
	storage.LabelQuerier
	all []storage.Series
}

func newOracle(all []refSeries) *oracle {
	o := &oracle{}
	for _, s := range all {
		var b []string
		for _, l := range s.labels {
			b = append(b, l.Name, l.Value)
		}
		var samples []chunks.Sample
		for _, x := range s.samples {
			samples = append(samples, oracleSample{x.T, x.V})
		}
		for i := range s.hists {
			samples = append(samples, oracleHistogram{s.hists[i].T, floatHistogram(&s.hists[i])})
		}
		o.all = append(o.all, storage.NewListSeries(labels.FromStrings(b...), samples))
	}
	return o
}

type oracleSample struct {
	t int64
	v float64
}

func (s oracleSample) T() int64                      { return s.t }
func (s oracleSample) ST() int64                     { return 0 }
func (s oracleSample) F() float64                    { return s.v }
func (s oracleSample) H() *histogram.Histogram       { return nil }
func (s oracleSample) FH() *histogram.FloatHistogram { return nil }
func (s oracleSample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s oracleSample) Copy() chunks.Sample           { return s }

// oracleHistogram is a native one.
type oracleHistogram struct {
	t int64
	h *histogram.FloatHistogram
}

func (s oracleHistogram) T() int64                      { return s.t }
func (s oracleHistogram) ST() int64                     { return 0 }
func (s oracleHistogram) F() float64                    { return 0 }
func (s oracleHistogram) H() *histogram.Histogram       { return nil }
func (s oracleHistogram) FH() *histogram.FloatHistogram { return s.h.Copy() }
func (s oracleHistogram) Type() chunkenc.ValueType      { return chunkenc.ValFloatHistogram }
func (s oracleHistogram) Copy() chunks.Sample           { return oracleHistogram{s.t, s.h.Copy()} }

func (o *oracle) Querier(int64, int64) (storage.Querier, error) { return o, nil }
func (o *oracle) Close() error                                  { return nil }

func (o *oracle) Select(_ context.Context, _ bool, _ *storage.SelectHints, m ...*labels.Matcher) storage.SeriesSet {
	set := &oracleSet{}
	for _, s := range o.all {
		if !slices.ContainsFunc(m, func(m *labels.Matcher) bool { return !m.Matches(s.Labels().Get(m.Name)) }) {
			set.series = append(set.series, s)
		}
	}
	return set
}

type oracleSet struct {
	series []storage.Series
	next   int
}

func (s *oracleSet) Next() bool                        { s.next++; return s.next <= len(s.series) }
func (s *oracleSet) At() storage.Series                { return s.series[s.next-1] }
func (s *oracleSet) Err() error                        { return nil }
func (s *oracleSet) Warnings() annotations.Annotations { return nil }

// refCluster makes two hours of series of a small cluster, with what real ones have: mixed scrape intervals with jitter, lost scrapes,
// resets, gaps, series that begin late, end early, or come back after a stale marker.
func refCluster(r *rand.Rand) []refSeries {
	var all []refSeries
	add := func(samples []series.Sample, l ...string) {
		ls := series.Labels{{Name: "cluster", Value: "c1"}}
		for i := 0; i < len(l); i += 2 {
			ls = append(ls, series.Label{Name: l[i], Value: l[i+1]})
		}
		ls, err := series.Canonical(ls)
		if err != nil {
			panic(err)
		}
		all = append(all, refSeries{labels: ls, samples: samples})
	}
	native := func(h []series.Histogram, l ...string) {
		add(nil, l...)
		all[len(all)-1].hists = h
	}
	for node := range 2 + r.IntN(2) {
		n := fmt.Sprintf("node-%d", node)
		add(refGauge(r, refTimes(r)), series.NameLabel, "node_load", "node", n)
		info, upgrade := refTimes(r), 0
		if r.IntN(2) == 0 { // upgraded: for a look-back the engine sees both, unless the old one ends with a stale marker
			upgrade = r.IntN(len(info))
			old := info[:upgrade]
			if upgrade > 0 && r.IntN(5) > 0 {
				old = append(slices.Clone(old), -(max(old[upgrade-1], -old[upgrade-1]) + 1))
			}
			add(refConstant(old, 1), series.NameLabel, "node_info", "node", n, "version", "v1.0")
		}
		add(refConstant(info[upgrade:], 1), series.NameLabel, "node_info", "node", n, "version", "v1.1")
		for pod := range 1 + r.IntN(3) {
			p := fmt.Sprintf("pod-%d-%d", node, pod)
			times := refTimes(r)
			for _, code := range []string{"200", "404", "500"} {
				if r.Float64() < 0.6 {
					ct := times
					if code != "200" { // errors that begin in the middle
						ct = ct[r.IntN(len(ct)):]
					}
					add(refCounter(r, ct), series.NameLabel, "requests_total", "node", n, "pod", p, "code", code)
				}
			}
			add(refGauge(r, times), series.NameLabel, "memory_bytes", "node", n, "pod", p)
			if r.Float64() < 0.8 {
				add(refConstant(times, float64(1+r.IntN(5))), series.NameLabel, "limit_bytes", "node", n, "pod", p)
			}
			if r.Float64() < 0.8 {
				add(refSteps(r, times), series.NameLabel, "state", "node", n, "pod", p)
			}
			native(refNativeSamples(r, times, false), series.NameLabel, "rtt", "node", n, "pod", p)
			native(refNativeSamples(r, times, true), series.NameLabel, "size", "node", n, "pod", p)
			one := []string{"1", "1.0"}[r.IntN(2)]
			for i, h := range refHistogram(r, times, 5) {
				le := []string{"0.1", "0.5", one, "5", "+Inf"}[i]
				add(h, series.NameLabel, "latency_bucket", "node", n, "pod", p, "le", le)
				if le == "+Inf" {
					add(h, series.NameLabel, "latency_count", "node", n, "pod", p)
				}
			}
		}
	}
	return all
}

const refEnd = 120 * minuteMs

// refTimes returns scrape times; negative ones are those of stale markers.
func refTimes(r *rand.Rand) []int64 {
	every := []int64{15_000, 30_000, 60_000}[r.IntN(3)]
	from, to := int64(0), int64(refEnd+5*minuteMs)
	if r.Float64() < 0.2 {
		from = r.Int64N(refEnd)
	}
	if r.Float64() < 0.2 {
		to = from + r.Int64N(refEnd)
	}
	loss := r.Float64() * 0.15
	// A gap is either one that increases are spread over, or so long that no window of the engine sees both its sides: between
	// 5 min and 25 min the engine's answer depends on where the window stands, ours does not.
	gapAt, gap := int64(-1), int64(0)
	if r.Float64() < 0.4 {
		gapAt = from + r.Int64N(refEnd)
		gap = []int64{2 * minuteMs, 4 * minuteMs, 27 * minuteMs}[r.IntN(3)]
	}
	var out []int64
	last := from
	for t := from + r.Int64N(every); t < to; t += every {
		if t > gapAt && t < gapAt+gap {
			continue
		}
		at := t + r.Int64N(every/10)
		if r.IntN(8) == 0 {
			at = t / minuteMs * minuteMs // on a window's border
		}
		if at <= last || r.Float64() < loss && at-last < 3*minuteMs {
			continue
		}
		if gap := at - last; len(out) > 0 && gap > refSegmentMax && gap < 26*minuteMs {
			out = append(out, at-refSegmentMax) // lost scrapes made the gap longer than it may be
		}
		if r.IntN(60) == 0 && at > last+1 {
			out = append(out, -(at - 1))
		}
		out = append(out, at)
		last = at
	}
	if to < refEnd && r.IntN(2) == 0 {
		out = append(out, -(last + every))
	}
	if len(out) == 0 {
		out = append(out, from+1)
	}
	return out
}

// refSample makes a sample at a time of refTimes.
func refSample(at int64, v float64) series.Sample {
	if at < 0 {
		return series.Sample{T: -at, V: series.StaleNaN}
	}
	return series.Sample{T: at, V: v}
}

func refCounter(r *rand.Rand, times []int64) (out []series.Sample) {
	v, speed := r.Float64()*100, r.ExpFloat64()*3
	idle := r.IntN(6) == 0
	for _, at := range times {
		switch {
		case r.IntN(40) == 0:
			v = r.Float64() * 5
		case !idle && r.IntN(5) > 0:
			v += r.ExpFloat64() * speed
		}
		out = append(out, refSample(at, v))
	}
	return out
}

func refGauge(r *rand.Rand, times []int64) (out []series.Sample) {
	v := r.Float64() * 10
	odd := r.IntN(15) == 0
	for _, at := range times {
		v += r.NormFloat64()
		x := v
		if odd && r.IntN(10) == 0 {
			x = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[r.IntN(3)]
		}
		out = append(out, refSample(at, x))
	}
	return out
}

func refConstant(times []int64, v float64) (out []series.Sample) {
	for _, at := range times {
		out = append(out, refSample(at, v))
	}
	return out
}

func refSteps(r *rand.Rand, times []int64) (out []series.Sample) {
	v := 0.0
	for _, at := range times {
		if r.IntN(6) == 0 {
			v = float64(r.IntN(3))
		}
		out = append(out, refSample(at, v))
	}
	return out
}

func refHistogram(r *rand.Rand, times []int64, buckets int) [][]series.Sample {
	out := make([][]series.Sample, buckets)
	v, speed := make([]float64, buckets), make([]float64, buckets)
	for i := range speed {
		speed[i] = r.ExpFloat64()
		if r.IntN(4) == 0 {
			speed[i] = 0
		}
	}
	for _, at := range times {
		if r.IntN(50) == 0 {
			clear(v)
		}
		sum := 0.0
		for i := range v {
			v[i] += r.ExpFloat64() * speed[i]
			sum += v[i]
			out[i] = append(out[i], refSample(at, sum))
		}
	}
	return out
}

// refNativeSamples makes a native histogram: its schema may become coarser and its zero bucket wider, its custom bounds change at resets.
func refNativeSamples(r *rand.Rand, times []int64, custom bool) (out []series.Histogram) {
	var h series.Histogram
	begin := func() {
		h = series.Histogram{Schema: h.Schema, ZeroThreshold: h.ZeroThreshold, Custom: h.Custom}
	}
	h.Schema, h.ZeroThreshold = int32(r.IntN(9)-2), 1e-3
	if custom {
		h.Schema, h.ZeroThreshold = schemaCustom, 0
		for _, b := range []float64{0.1, 0.5, 1, 2, 5, 10} {
			if r.IntN(8) > 0 {
				h.Custom = append(h.Custom, b)
			}
		}
	}
	center, idle := r.NormFloat64(), r.IntN(8) == 0
	negative := r.IntN(4) == 0
	for i, at := range times {
		if at < 0 {
			out = append(out, series.Histogram{T: -at, Stale: true, Sum: series.StaleNaN})
			continue
		}
		h.Reset = false
		switch {
		case i > 0 && r.IntN(40) == 0:
			begin()
			h.Reset = r.IntN(2) == 0
		case !custom && h.Schema > -3 && r.IntN(80) == 0:
			var x hist
			x.set(&h, nil)
			x.reduce(h.Schema - 1)
			reset := h.Reset
			h = *seriesHistogram(&x)
			h.Reset = reset
		}
		if !idle && r.IntN(5) > 0 {
			for range 1 + r.IntN(4) {
				v := math.Exp(center + r.NormFloat64())
				if negative && r.IntN(4) == 0 {
					v = -v
				}
				if !custom && r.IntN(8) == 0 {
					v = 0
				}
				if custom {
					v = math.Abs(v)
				}
				observe(&h, v, float64(1+r.IntN(50)))
			}
		}
		h.T = at
		c := h
		c.Pos, c.Neg = slices.Clone(h.Pos), slices.Clone(h.Neg)
		out = append(out, c)
	}
	return out
}

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
		inner := union(l, "pod")
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
		inner := union(l, pick(g, "pod", "node"))
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
		hist = sprint("%s by (%s) (%s by (%s) (%s)) * %s", agg, list, pick(g, "sum", "avg"), strings.Join(union(l, "node"), ", "), base, g.number())
	}
	classic := strings.ReplaceAll(hist.ours, name, name+"_bucket")
	classic = strings.ReplaceAll(strings.ReplaceAll(classic, "by ()", "by (le)"), "by ("+list+")", "by (le, "+list+")")
	if inner := strings.Join(union(l, "node"), ", "); inner != list {
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

// The quantile of any buckets is that of the engine: out of order, falling, equal bounds, no observations.
func TestBucketQuantileEqualsPromQL(t *testing.T) {
	seed := envInt(t, "WRACKLINE_SEED", uint64(time.Now().UnixNano()))
	t.Logf("WRACKLINE_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	for i := range 20_000 {
		var ours []bucket
		var theirs promql.Buckets
		count, first := 0.0, float64(r.IntN(5)-3)
		for j := range 1 + r.IntN(8) {
			bound := first + float64(j)/2
			if r.IntN(10) == 0 {
				bound -= 0.5 // again
			}
			switch r.IntN(6) {
			case 0:
			case 1:
				count *= 0.9 // falls
			case 2:
				count *= 1 + 1e-13*float64(r.IntN(30)) // noise
			default:
				count += r.ExpFloat64()
			}
			ours = append(ours, bucket{0, 1, bound, count})
		}
		if r.IntN(20) > 0 {
			ours = append(ours, bucket{0, 1, math.Inf(1), count + max(0, r.NormFloat64())})
		}
		slices.SortStableFunc(ours, func(a, b bucket) int { return cmp.Compare(a.bound, b.bound) })
		for _, b := range ours {
			theirs = append(theirs, promql.Bucket{UpperBound: b.bound, Count: b.count})
		}
		same := map[float64]int32{}
		for _, b := range ours {
			same[b.bound]++
		}
		for k := range ours {
			ours[k].members = 840 / same[ours[k].bound] // together 840 for each bound, so none is left out
		}
		q := r.Float64()*1.2 - 0.1
		text := fmt.Sprint(ours)
		got := bucketQuantile(q, commonBounds(ours))
		want, _, _, _, _, _ := promql.BucketQuantile(q, theirs)
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) && math.Abs(got-want) > 1e-9*math.Abs(want) {
			t.Fatalf("seed %d, step %d: the %v-quantile of %s is %v, want %v", seed, i, q, text, got, want)
		}
	}
}

func envInt(t testing.TB, name string, def uint64) uint64 {
	s := os.Getenv(name)
	if s == "" {
		return def
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q: %v", name, s, err)
	}
	return v
}

// Every value is that of the Prometheus engine, to 1e-9. WRACKLINE_SEED and WRACKLINE_CASES choose others and more of them.
func TestEvalEqualsPromQL(t *testing.T) {
	seed := envInt(t, "WRACKLINE_SEED", uint64(time.Now().UnixNano()))
	cases := int(envInt(t, "WRACKLINE_CASES", 10_000))
	t.Logf("WRACKLINE_SEED=%d WRACKLINE_CASES=%d", seed, cases)
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1e9, Timeout: time.Minute, LookbackDelta: lookback * time.Minute,
		Parser: parser.NewParser(parser.Options{EnableExtendedRangeSelectors: true}),
	})
	g := exprGen{rand.New(rand.NewPCG(seed, 1))}
	ran, empty, values, failed := 0, 0, 0, 0
	for ran < cases {
		all := refCluster(g.Rand)
		o, table := newOracle(all), newLabelTable()
		for range 100 {
			l := pick(g, nil, nil, []string{"node"}, []string{"node"}, []string{"code"}, []string{"code", "node"}, []string{"node", "version"})
			x := g.by(l, 1+g.IntN(3))
			if len(x.ours) > 3000 {
				continue
			}
			p, err := compileExpr(x.ours)
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, x.ours, err)
			}
			if p.root.zeroLaws() != strings.Count(x.engine, ") * 0) /") {
				continue // the law applies by chance as well
			}
			st := p.newState()
			at := int64(10+g.IntN(100)) * minuteMs
			for range 3 { // the same state for several windows
				ran++
				in := refInput(p, table, all, at)
				got := p.eval(st, in, nil)
				in.finish()
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
				for _, s := range res.Value.(promql.Vector) {
					if !math.IsNaN(s.F) && !math.IsInf(s.F, 0) {
						want[s.Metric.MatchLabels(false, "cluster").String()] = s.F
					}
				}
				have := map[string]float64{}
				for _, e := range got {
					var b []string
					for _, l := range table.labels(e.ls) {
						if l.Name != "cluster" {
							b = append(b, l.Name, l.Value)
						}
					}
					have[labels.FromStrings(b...).String()] = e.v
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
