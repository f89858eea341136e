package promql

import (
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/prometheus/prometheus/promql/parser/posrange"
	"github.com/wrackline/wrackline/baseline/series"
)

// histMode says what a function of histograms wants of the series that it is given.
type histMode struct {
	part    Part
	pure    bool // only sums, averages and scaling so far: a histogram can take the way that its buckets take
	implied bool // an aggregation did not name le
	buckets bool // a selector names buckets, or is no counter: then le must be named
}

// spreadFunc is our function between peers. Prometheus' parser takes functions from a table.
const spreadFunc = "spread"

func init() {
	parser.Functions[spreadFunc] = &parser.Function{
		Name: spreadFunc, ArgTypes: []parser.ValueType{parser.ValueTypeVector, parser.ValueTypeString}, Variadic: -1, ReturnType: parser.ValueTypeVector,
	}
}

// bindNative finds out whether native histograms may stand in for a leaf's series, and which series stand for a native histogram that
// an expression names.
func (c *compiler) bindNative(l *Leaf, at posrange.Pos) error {
	mode := c.hists
	if mode == nil {
		for suffix, part := range map[string]Part{"_count": PartCount, "_sum": PartSum} {
			if base, ok := strings.CutSuffix(l.Name, suffix); ok && l.Counter() && base != "" {
				l.Base, l.Part = base, part
			}
		}
		return nil
	}
	base, named := strings.CutSuffix(l.Name, "_bucket")
	if mode.part == PartBuckets {
		mode.buckets = mode.buckets || named || !l.Counter()
		switch {
		case !l.Counter():
		case mode.pure:
			if !slices.ContainsFunc(l.Match, func(m Matcher) bool { return m.Label() == labels.BucketLabel }) {
				l.Base, l.Part = base, PartBuckets
			}
			l.Name = base + "_bucket"
		case !named:
			return c.errorf(at, "between a histogram and its function there may be sum, avg, * and / by a number: histogram_quantile(0.99, sum by ({scope}) (rate(%s[1m])))", l.Name)
		}
		return nil
	}
	switch {
	case named:
		return c.errorf(at, "these are the buckets; name the histogram: %s", base)
	case !l.Counter() || !mode.pure:
		return c.errorf(at, "between a histogram and its function there may be rate or increase, sum, avg, * and / by a number: histogram_avg(sum by ({scope}) (rate(%s[1m])))", l.Name)
	}
	l.Base, l.Part = l.Name, mode.part
	l.Name += map[Part]string{PartCount: "_count", PartSum: "_sum"}[mode.part]
	return nil
}

func (c *compiler) function(child *node, fn vecFunc, args []scalar) *node {
	return c.node(node{kind: nodeFunc, l: child, fn: fn, args: args, out: child.out, open: child.open, raw: child.raw})
}

func (c *compiler) call(e *parser.Call) (*node, error) {
	at, name := e.PosRange.Start, e.Func.Name
	switch name {
	case "rate", "increase", "changes":
		m, ok := unparen(e.Args[0]).(*parser.MatrixSelector)
		if !ok {
			return nil, c.matrixError(unparen(e.Args[0]))
		}
		v := m.VectorSelector.(*parser.VectorSelector)
		if m.Range%time.Minute != 0 || m.Range < time.Minute || m.Range > 15*time.Minute || m.RangeExpr != nil {
			return nil, c.errorf(c.token(v.PosRange.Start, parser.LEFT_BRACKET), "range %s: want whole minutes, [1m] to [15m]; longer spans are the baseline's work", m.Range)
		}
		fn := map[string]Func{"rate": Rate, "increase": Increase, "changes": Changes}[name]
		return c.selector(v, fn, int(m.Range/time.Minute))
	case "timestamp":
		v, ok := unparen(e.Args[0]).(*parser.VectorSelector)
		if !ok {
			return nil, c.errorf(e.Args[0].PositionRange().Start, "timestamp needs a plain selector: timestamp(x)")
		}
		return c.selector(v, Timestamp, Lookback)
	case "vector":
		s, err := c.number(e.Args[0])
		if err != nil {
			return nil, err
		}
		return c.node(node{kind: nodeConst, arg: s, out: c.d.scoped(nil)}), nil
	case "absent":
		return c.missing(e)
	case "histogram_quantile", "histogram_fraction":
		return c.histogram(e)
	case "histogram_count":
		return c.within(e.Args[0], &histMode{part: PartCount, pure: true})
	case "histogram_sum":
		return c.within(e.Args[0], &histMode{part: PartSum, pure: true})
	case "histogram_avg":
		return c.mean(e)
	case spreadFunc:
		return c.spread(e)
	}
	f, ok := vecFuncs[name]
	if !ok {
		why := refusedFuncs[name]
		switch {
		case why != "":
		case strings.HasSuffix(name, "_over_time"):
			why = "windows are seen once, as they close; the baseline does the looking back, or " + recording
		default:
			why = recording
		}
		return nil, c.errorf(at, "%s is not available: %s", name, why)
	}
	if len(e.Args) == 0 {
		return nil, c.errorf(at, "%s without an argument is not available; %s", name, recording)
	}
	child, err := c.impure(e.Args[0])
	if err != nil {
		return nil, err
	}
	var args []scalar
	for _, a := range e.Args[1:] {
		s, err := c.number(a)
		if err != nil {
			return nil, err
		}
		args = append(args, s)
	}
	if name == "clamp" && args[0](0) > args[1](0) {
		return nil, c.errorf(at, "clamp's lowest value is above its highest; write clamp(x, low, high)")
	}
	return c.function(child, f, args), nil
}

// missing compiles absent(x): 1 while x has no elements. Of a plain selector the result has the labels that it must equal.
func (c *compiler) missing(e *parser.Call) (*node, error) {
	c.absent++
	child, err := c.impure(e.Args[0])
	c.absent--
	if err != nil {
		return nil, err
	}
	n := node{kind: nodeAbsent, l: child, out: c.d.scoped(nil)}
	if v, ok := unparen(e.Args[0]).(*parser.VectorSelector); ok {
		times := map[string]int{}
		for _, m := range v.LabelMatchers {
			times[m.Name]++
		}
		for _, m := range v.LabelMatchers {
			if m.Type == labels.MatchEqual && m.Value != "" && times[m.Name] == 1 && m.Name != series.NameLabel && m.Name != c.d.Scope {
				n.gone = append(n.gone, series.Label{Name: m.Name, Value: m.Value})
				n.out = append(n.out, m.Name)
			}
		}
		sort.Slice(n.gone, func(i, j int) bool { return n.gone[i].Name < n.gone[j].Name })
		slices.Sort(n.out)
	}
	return c.node(n), nil
}

// within compiles the argument of a function of histograms.
func (c *compiler) within(e parser.Expr, mode *histMode) (*node, error) {
	outer := c.hists
	c.hists = mode
	defer func() { c.hists = outer }()
	return c.vector(e)
}

// histogram compiles histogram_quantile and histogram_fraction.
func (c *compiler) histogram(e *parser.Call) (*node, error) {
	n := node{kind: nodeHistogram, fraction: e.Func.Name == "histogram_fraction", key: c.key(e)}
	last := len(e.Args) - 1
	for _, a := range e.Args[:last] {
		x, err := c.number(a)
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, x)
	}
	mode := &histMode{part: PartBuckets, pure: true}
	child, err := c.within(e.Args[last], mode)
	if err != nil {
		return nil, err
	}
	at := e.Args[last].PositionRange().Start
	want := "histogram_quantile(0.99, sum by ({scope}, le) (rate(x_bucket[1m])))"
	if n.fraction {
		want = "histogram_fraction(0, 0.5, sum by ({scope}, le) (rate(x_bucket[1m])))"
	}
	if child.open {
		return nil, c.errorf(at, "the buckets are those of each raw series; aggregate them: %s", want)
	}
	if mode.implied && mode.buckets || !slices.Contains(child.out, labels.BucketLabel) {
		return nil, c.errorf(at, "the buckets' bounds (label le) are gone: only %s is left; keep le: %s", setString(minus(child.out, labels.BucketLabel)), want)
	}
	n.l, n.out = child, minus(child.out, labels.BucketLabel)
	return c.node(n), nil
}

// mean compiles histogram_avg: the sum of the observations over their count.
func (c *compiler) mean(e *parser.Call) (*node, error) {
	l, err := c.within(e.Args[0], &histMode{part: PartSum, pure: true})
	if err != nil {
		return nil, err
	}
	r, err := c.within(e.Args[0], &histMode{part: PartCount, pure: true})
	if err != nil {
		return nil, err
	}
	if l.open {
		return nil, c.errorf(e.Args[0].PositionRange().Start, "the histograms are those of each raw series; aggregate them: histogram_avg(sum by ({scope}) (rate(x[1m])))")
	}
	return c.node(node{kind: nodeBinary, op: parser.DIV, l: l, r: r, drop: true, out: l.out, key: c.key(e)}), nil
}

// spread compiles spread(x), which compares the elements that differ only in labels of things that come and go, and
// spread(x, "device", …), which compares those that differ only in the labels named.
func (c *compiler) spread(e *parser.Call) (*node, error) {
	at := e.PosRange.Start
	const want = `spread(sum by ({scope}, namespace, workload, pod) (rate(x[1m])))`
	child, err := c.impure(e.Args[0])
	if err != nil {
		return nil, err
	}
	if child.open {
		return nil, c.errorf(e.Args[0].PositionRange().Start, "spread compares peers by their labels, and those of raw series are unknown; aggregate: %s", want)
	}
	var peers []string
	for _, a := range e.Args[1:] {
		name := a.(*parser.StringLiteral).Val
		if !slices.Contains(child.out, name) || name == c.d.Scope {
			return nil, c.errorf(a.PositionRange().Start, "there is no label %s by which peers could differ: there are %s", name, setString(minus(child.out, c.d.Scope)))
		}
		peers = append(peers, name)
	}
	if peers == nil {
		for _, name := range child.out {
			if _, ok := c.d.Churny[name]; ok {
				peers = append(peers, name)
			}
		}
	}
	if peers == nil {
		return nil, c.errorf(at, `nothing tells the peers apart: %s has no pod or instance; keep one inside, as in %s, or name the label: spread(x, "device")`, setString(child.out), want)
	}
	by := minus(child.out, peers...)
	return c.node(node{
		kind: nodeAgg, op: parser.QUANTILE, peers: true, l: child, by: by, out: by, key: c.key(e),
		arg: func(int64) float64 { return 0.5 },
	}), nil
}

func unparen(e parser.Expr) parser.Expr {
	for {
		p, ok := e.(*parser.ParenExpr)
		if !ok {
			return e
		}
		e = p.Expr
	}
}
