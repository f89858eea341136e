package signal

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/prometheus/prometheus/promql/parser/posrange"
	"github.com/wrackline/wrackline/baseline/series"
)

// plan is a compiled expression. It is immutable and may be shared.
type plan struct {
	src    string
	leaves []*leaf  // in order of first appearance
	labels []string // the labels of the result, sorted; the scope is one of them
	root   *node
	nodes  int    // nodes have numbers below this
	uses   []int  // for each leaf, how many nodes read it
	needed []bool // for each leaf, whether there is no result without its metric; not so of what only absent() asks
}

type nodeKind uint8

const (
	nodeLeaf   nodeKind = iota
	nodeConst           // vector(s)
	nodeFunc            // element-wise function
	nodeScalar          // vector and scalar
	nodeBinary          // vector and vector, arithmetic and comparison
	nodeSet             // and, or, unless
	nodeAgg
	nodeHistogram // histogram_quantile, histogram_fraction
	nodeAbsent    // absent
)

// node is a vector-valued part of an expression.
type node struct {
	kind     nodeKind
	idx      int // number in the plan, for scratch
	op       parser.ItemType
	l, r     *node
	leaf     int      // nodeLeaf: index in plan.leaves
	arg      scalar   // nodeConst, nodeScalar; nodeAgg: quantile's φ
	fn       vecFunc  // nodeFunc
	args     []scalar // nodeFunc: further arguments; nodeHistogram: φ, or the two bounds
	left     bool     // nodeScalar: the scalar stands on the left
	isCmp    bool     // op compares
	bool_    bool     // comparison with bool
	peers    bool     // nodeAgg: spread
	fraction bool     // nodeHistogram: histogram_fraction
	key      string   // nodes with one key have one value; "" = not compared
	share    int      // number among the nodes that are worked out once for several places; 0 = it is not

	by      []string // nodeAgg, sorted, with the scope
	on      []string // nodeBinary, nodeSet: matching labels, sorted
	drop    bool     // … on lists what is ignored
	card    parser.VectorMatchCardinality
	include []string      // group_left(…)
	zero    bool          // nodeBinary: a missing left side is 0
	gone    series.Labels // nodeAbsent: labels of the result besides the scope, sorted

	// Analysis. out is what labels the result can have: all that the series have when open, else at most these.
	out  []string
	open bool
	raw  bool // no aggregation on the way to the series that evidence names: an element stands for one series

	places map[string]posrange.Pos // where the words of by, on, … stand
}

// scalar is a number that may depend on the window's end.
type scalar func(endMs int64) float64

// compiler checks one expression and builds its plan.
type compiler struct {
	*source
	d      *dialect
	p      *plan
	depth  int
	hists  *histMode // set inside a function of histograms
	absent int       // how many absent() are around
}

// histMode says what a function of histograms wants of the series that it is given.
type histMode struct {
	part    histPart
	pure    bool // only sums, averages and scaling so far: a histogram can take the way that its buckets take
	implied bool // an aggregation did not name le
	buckets bool // a selector names buckets, or is no counter: then le must be named
}

var exprParser = parser.NewParser(parser.Options{})

// spreadFunc is our function between peers. Prometheus' parser takes functions from a table.
const spreadFunc = "spread"

func init() {
	parser.Functions[spreadFunc] = &parser.Function{
		Name: spreadFunc, ArgTypes: []parser.ValueType{parser.ValueTypeVector, parser.ValueTypeString}, Variadic: -1, ReturnType: parser.ValueTypeVector,
	}
}

// compile turns an expression of the subset in packs/README.md into a plan. Errors say where, what, and what to write instead.
func (d *dialect) compile(src string) (*plan, error) {
	if len(src) > exprBytesMax {
		return nil, &exprError{1, 1, fmt.Sprintf("%d bytes are too long; at most %d are allowed", len(src), exprBytesMax)}
	}
	c := &compiler{source: newSource(src, d.Scope), d: d, p: &plan{src: src}}
	e, err := exprParser.ParseExpr(src)
	if err != nil {
		return nil, c.parseError(err)
	}
	switch e.Type() {
	case parser.ValueTypeScalar:
		return nil, c.errorf(e.PositionRange().Start, "the result is a plain number; select a metric: max by ({scope}) (x)")
	case parser.ValueTypeString:
		return nil, c.errorf(e.PositionRange().Start, "the result is a string; select a metric: max by ({scope}) (x)")
	case parser.ValueTypeMatrix:
		return nil, c.matrixError(e)
	}
	root, err := c.vector(e)
	if err != nil {
		return nil, err
	}
	if root.open {
		return nil, c.errorf(e.PositionRange().Start, "the result has a value for each raw series, and those come and go; aggregate it: max by ({scope}, namespace, workload) (…), or sum, avg, min, count")
	}
	if len(c.p.leaves) == 0 {
		return nil, c.errorf(e.PositionRange().Start, "no metric is selected; a signal needs one: max by ({scope}) (x)")
	}
	for _, name := range root.out {
		at := c.place(root, name, e.PositionRange().Start)
		if churn, ok := d.Churny[name]; ok && c.churns(churn) {
			return nil, c.errorf(at, "label %s of the result churns, so a baseline of it would die with each restart; aggregate it away: max by ({scope}, %s) (…)", name, churn.Instead)
		}
		if name == labels.BucketLabel {
			return nil, c.errorf(at, "the result is split by le; wrap it in histogram_quantile(0.99, …) or leave le out")
		}
	}
	c.need(root, root.out)
	for _, l := range c.p.leaves {
		l.bucket = slices.Contains(l.keep, labels.BucketLabel)
	}
	c.p.root, c.p.labels = root, root.out
	return c.p, nil
}

// churns reports whether a label of the churny ones churns here.
func (c *compiler) churns(x churn) bool {
	return x.Prefix == "" || slices.ContainsFunc(c.p.leaves, func(l *leaf) bool { return strings.HasPrefix(l.name, x.Prefix) })
}

// place finds where a label of n's result was named.
func (c *compiler) place(n *node, name string, def posrange.Pos) posrange.Pos {
	if at, ok := n.places[name]; ok {
		return at
	}
	for _, child := range []*node{n.l, n.r} {
		if child == nil || n.kind == nodeAgg {
			continue
		}
		if at := c.place(child, name, -1); at >= 0 {
			return at
		}
	}
	return def
}

func (c *compiler) matrixError(e parser.Expr) error {
	if s, ok := e.(*parser.SubqueryExpr); ok {
		return c.subqueryError(s)
	}
	return c.errorf(e.PositionRange().Start, "a range has many values; write rate(x[1m]) for a counter, or leave the range out for a gauge")
}

func (c *compiler) subqueryError(s *parser.SubqueryExpr) error {
	return c.errorf(c.token(s.Expr.PositionRange().End, parser.LEFT_BRACKET), "%s", noSubquery)
}

func (c *compiler) node(n node) *node {
	n.idx = c.p.nodes
	c.p.nodes++
	return &n
}

// vector compiles an expression whose value is an instant vector.
func (c *compiler) vector(e parser.Expr) (*node, error) {
	c.depth++
	defer func() { c.depth-- }()
	at := e.PositionRange().Start
	if c.depth > exprDepthMax {
		return nil, c.errorf(at, "the expression is nested deeper than %d levels; %s", exprDepthMax, recording)
	}
	switch e := e.(type) {
	case *parser.ParenExpr:
		return c.vector(e.Expr)
	case *parser.VectorSelector:
		return c.selector(e, fnValue, lookback)
	case *parser.AggregateExpr:
		return c.aggregate(e)
	case *parser.BinaryExpr:
		return c.binary(e)
	case *parser.Call:
		return c.call(e)
	case *parser.UnaryExpr:
		n, err := c.impure(e.Expr)
		if err != nil || e.Op != parser.SUB {
			return n, err
		}
		return c.function(n, func(v float64, _ []float64) float64 { return -v }, nil), nil
	case *parser.SubqueryExpr:
		return nil, c.subqueryError(e)
	case *parser.MatrixSelector:
		return nil, c.matrixError(e)
	}
	return nil, c.errorf(at, "%s is not available; %s", e, recording)
}

// impure compiles what a histogram cannot pass: a function of numbers, a join, a comparison.
func (c *compiler) impure(e parser.Expr) (*node, error) {
	if c.hists != nil && c.hists.pure {
		c.hists.pure = false
		defer func() { c.hists.pure = true }()
	}
	return c.vector(e)
}

// bindNative finds out whether native histograms may stand in for a leaf's series, and which series stand for a native histogram that
// an expression names.
func (c *compiler) bindNative(l *leaf, at posrange.Pos) error {
	mode := c.hists
	if mode == nil {
		for suffix, part := range map[string]histPart{"_count": partCount, "_sum": partSum} {
			if base, ok := strings.CutSuffix(l.name, suffix); ok && l.counter() && base != "" {
				l.base, l.part = base, part
			}
		}
		return nil
	}
	base, named := strings.CutSuffix(l.name, "_bucket")
	if mode.part == partBuckets {
		mode.buckets = mode.buckets || named || !l.counter()
		switch {
		case !l.counter():
		case mode.pure:
			if !slices.ContainsFunc(l.match, func(m matcher) bool { return m.label() == labels.BucketLabel }) {
				l.base, l.part = base, partBuckets
			}
			l.name = base + "_bucket"
		case !named:
			return c.errorf(at, "between a histogram and its function there may be sum, avg, * and / by a number: histogram_quantile(0.99, sum by ({scope}) (rate(%s[1m])))", l.name)
		}
		return nil
	}
	switch {
	case named:
		return c.errorf(at, "these are the buckets; name the histogram: %s", base)
	case !l.counter() || !mode.pure:
		return c.errorf(at, "between a histogram and its function there may be rate or increase, sum, avg, * and / by a number: histogram_avg(sum by ({scope}) (rate(%s[1m])))", l.name)
	}
	l.base, l.part = l.name, mode.part
	l.name += map[histPart]string{partCount: "_count", partSum: "_sum"}[mode.part]
	return nil
}

// selector adds a leaf, or finds the equal one.
func (c *compiler) selector(v *parser.VectorSelector, fn leafFn, windows int) (*node, error) {
	at := v.PosRange.Start
	switch {
	case v.OriginalOffset != 0 || v.OriginalOffsetExpr != nil:
		return nil, c.errorf(c.token(at, parser.OFFSET), "offset is not available: windows are seen once, as they close; the baseline compares with the past, or %s", recording)
	case v.Timestamp != nil || v.StartOrEnd != 0:
		return nil, c.errorf(c.token(at, parser.AT), "@ is not available: windows are seen once, as they close; %s", recording)
	}
	l := &leaf{fn: fn, windows: windows}
	for _, m := range v.LabelMatchers {
		switch {
		case m.Name != series.NameLabel:
			l.match = append(l.match, matcher{m})
		case m.Type != labels.MatchEqual:
			return nil, c.errorf(at, "the metric's name must be given, not matched (%s): write one expression for each name, joined by or, or as a list of fallbacks", m)
		case l.name != "" && l.name != m.Value:
			return nil, c.errorf(at, "two metric names, %s and %s; keep one", l.name, m.Value)
		default:
			l.name = m.Value
		}
	}
	if l.name == "" {
		return nil, c.errorf(at, `the selector names no metric; write x{a="b"}`)
	}
	if c.d.made(l.name) {
		switch {
		case !slices.Contains(c.d.Made, l.name):
			return nil, c.errorf(at, "Wrackline has no metric %s of its own; there are %s", l.name, strings.Join(c.d.Made, ", "))
		case fn != fnValue || c.hists != nil:
			return nil, c.errorf(at, "%s is a gauge that is made as windows close; write it without a function: max by ({scope}) (%s)", l.name, l.name)
		}
	} else if err := c.bindNative(l, at); err != nil {
		return nil, err
	}
	sort.SliceStable(l.match, func(i, j int) bool { return l.match[i].String() < l.match[j].String() })
	l.match = slices.CompactFunc(l.match, func(a, b matcher) bool { return a.String() == b.String() })
	i := slices.IndexFunc(c.p.leaves, func(x *leaf) bool { return sameLeaf(x, l) })
	if i < 0 {
		i = len(c.p.leaves)
		if i >= exprLeafsMax {
			return nil, c.errorf(at, "more than %d different selectors; %s", exprLeafsMax, recording)
		}
		c.p.leaves = append(c.p.leaves, l)
		c.p.uses = append(c.p.uses, 0)
		c.p.needed = append(c.p.needed, false)
	}
	c.p.uses[i]++
	c.p.needed[i] = c.p.needed[i] || c.absent == 0
	return c.node(node{kind: nodeLeaf, leaf: i, open: true, raw: true}), nil
}

func sameLeaf(a, b *leaf) bool {
	return a.name == b.name && a.fn == b.fn && a.windows == b.windows && a.base == b.base &&
		slices.EqualFunc(a.match, b.match, func(x, y matcher) bool { return x.String() == y.String() })
}

func (c *compiler) aggregate(e *parser.AggregateExpr) (*node, error) {
	at := e.PosRange.Start
	if why, ok := refusedAggs[e.Op]; ok {
		return nil, c.errorf(at, "%s is not available: %s", e.Op, why)
	}
	places := c.groupingPlaces(e)
	if e.Without {
		return nil, c.errorf(places[""], "without is not available, since it keeps labels that nobody named; write by ({scope}, …) with the labels to keep")
	}
	n := node{kind: nodeAgg, op: e.Op, places: places, by: c.d.scoped(e.Grouping)}
	switch e.Op {
	case parser.SUM, parser.AVG, parser.MIN, parser.MAX, parser.COUNT, parser.GROUP, parser.STDDEV, parser.STDVAR:
	case parser.QUANTILE:
		var err error
		if n.arg, err = c.number(e.Param); err != nil {
			return nil, err
		}
	default:
		return nil, c.errorf(at, "%s is not available; there are sum, avg, min, max, count, quantile, group, stddev and stdvar, or %s", e.Op, recording)
	}
	if len(e.Grouping) > 0 && slices.Contains(e.Grouping, series.NameLabel) {
		return nil, c.errorf(places[series.NameLabel], "a selector has one metric, so grouping by __name__ says nothing; leave it out")
	}
	n.key = c.key(e)
	compile := c.vector
	if c.hists != nil {
		if c.hists.part == partBuckets && !slices.Contains(n.by, labels.BucketLabel) {
			c.hists.implied = true
			n.by = union(n.by, labels.BucketLabel)
		}
		if e.Op != parser.SUM && e.Op != parser.AVG {
			compile = c.impure
		}
	}
	child, err := compile(e.Expr)
	if err != nil {
		return nil, err
	}
	if !child.open {
		for _, name := range n.by {
			if !slices.Contains(child.out, name) {
				return nil, c.errorf(places[name], "there is no label %s here: what is aggregated has only %s; add it to the inner by", name, setString(child.out))
			}
		}
	}
	n.l, n.out = child, n.by
	return c.node(n), nil
}

// key names what is worked out by an expression: its text, and what a histogram function around it wants.
func (c *compiler) key(e parser.Expr) string {
	if c.hists != nil {
		return fmt.Sprintf("%d %t %s", c.hists.part, c.hists.pure, e)
	}
	return e.String()
}

// shareNodes finds the parts that plans have in common, and returns how many there are.
func shareNodes(plans []*plan) int {
	at := map[string][]*node{}
	var order []string
	var walk func(n *node)
	walk = func(n *node) {
		if n == nil {
			return
		}
		if n.key != "" {
			if at[n.key] == nil {
				order = append(order, n.key)
			}
			at[n.key] = append(at[n.key], n)
		}
		walk(n.l)
		walk(n.r)
	}
	for _, p := range plans {
		walk(p.root)
	}
	shared := 0
	for _, key := range order {
		if nodes := at[key]; len(nodes) > 1 {
			shared++
			for _, n := range nodes {
				n.share = shared
			}
		}
	}
	return shared
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
		fn := map[string]leafFn{"rate": fnRate, "increase": fnIncrease, "changes": fnChanges}[name]
		return c.selector(v, fn, int(m.Range/time.Minute))
	case "timestamp":
		v, ok := unparen(e.Args[0]).(*parser.VectorSelector)
		if !ok {
			return nil, c.errorf(e.Args[0].PositionRange().Start, "timestamp needs a plain selector: timestamp(x)")
		}
		return c.selector(v, fnTimestamp, lookback)
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
		return c.within(e.Args[0], &histMode{part: partCount, pure: true})
	case "histogram_sum":
		return c.within(e.Args[0], &histMode{part: partSum, pure: true})
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
	mode := &histMode{part: partBuckets, pure: true}
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
	l, err := c.within(e.Args[0], &histMode{part: partSum, pure: true})
	if err != nil {
		return nil, err
	}
	r, err := c.within(e.Args[0], &histMode{part: partCount, pure: true})
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

// number compiles a scalar expression.
func (c *compiler) number(e parser.Expr) (scalar, error) {
	c.depth++
	defer func() { c.depth-- }()
	at := e.PositionRange().Start
	if c.depth > exprDepthMax {
		return nil, c.errorf(at, "the expression is nested deeper than %d levels; %s", exprDepthMax, recording)
	}
	switch e := e.(type) {
	case *parser.NumberLiteral:
		v := e.Val
		return func(int64) float64 { return v }, nil
	case *parser.ParenExpr:
		return c.number(e.Expr)
	case *parser.UnaryExpr:
		s, err := c.number(e.Expr)
		if err != nil || e.Op != parser.SUB {
			return s, err
		}
		return func(t int64) float64 { return -s(t) }, nil
	case *parser.BinaryExpr:
		l, err := c.number(e.LHS)
		if err != nil {
			return nil, err
		}
		r, err := c.number(e.RHS)
		if err != nil {
			return nil, err
		}
		op, cmp := e.Op, e.Op.IsComparisonOperator()
		if !known(op) {
			return nil, c.errorf(c.matchingPlaces(e)[""], "operator %s is not available; %s", op, recording)
		}
		return func(t int64) float64 {
			v, keep := operate(op, l(t), r(t))
			if cmp {
				return b2f(keep)
			}
			return v
		}, nil
	case *parser.Call:
		switch e.Func.Name {
		case "time":
			return func(t int64) float64 { return float64(t) / 1000 }, nil
		case "pi":
			return func(int64) float64 { return math.Pi }, nil
		}
		why := refusedFuncs[e.Func.Name]
		if why == "" {
			why = recording
		}
		return nil, c.errorf(at, "%s is not available: %s", e.Func.Name, why)
	}
	return nil, c.errorf(at, "%s is no constant number; write one, like 0.99", e)
}

func (c *compiler) binary(e *parser.BinaryExpr) (*node, error) {
	places := c.matchingPlaces(e)
	if !known(e.Op) && !e.Op.IsSetOperator() {
		return nil, c.errorf(places[""], "operator %s is not available; %s", e.Op, recording)
	}
	lt, rt := e.LHS.Type(), e.RHS.Type()
	if lt == parser.ValueTypeScalar || rt == parser.ValueTypeScalar {
		vec, num, left := e.LHS, e.RHS, false
		if lt == parser.ValueTypeScalar {
			vec, num, left = e.RHS, e.LHS, true
		}
		s, err := c.number(num)
		if err != nil {
			return nil, err
		}
		compile := c.impure
		if e.Op == parser.MUL || e.Op == parser.DIV && !left {
			compile = c.vector
		}
		child, err := compile(vec)
		if err != nil {
			return nil, err
		}
		return c.node(node{
			kind: nodeScalar, op: e.Op, l: child, arg: s, left: left, isCmp: e.Op.IsComparisonOperator(), bool_: e.ReturnBool,
			out: child.out, open: child.open, raw: child.raw,
		}), nil
	}
	l, err := c.impure(e.LHS)
	if err != nil {
		return nil, err
	}
	r, err := c.impure(e.RHS)
	if err != nil {
		return nil, err
	}
	m := e.VectorMatching
	n := node{
		kind: nodeBinary, op: e.Op, l: l, r: r, isCmp: e.Op.IsComparisonOperator(), bool_: e.ReturnBool,
		card: m.Card, drop: !m.On, places: places, raw: l.raw,
	}
	if l.kind == nodeConst {
		n.raw = r.raw
	}
	if m.On {
		// Everything is evaluated within one scope, so its label may join every match: it costs nothing and the result keeps it.
		n.on = c.d.scoped(m.MatchingLabels)
	} else {
		n.on = minus(union(m.MatchingLabels), c.d.Scope)
	}
	n.include = minus(union(m.Include), c.d.Scope)
	if err := c.match(&n, e); err != nil {
		return nil, err
	}
	if e.Op.IsSetOperator() {
		n.kind = nodeSet
		return c.setOp(n, e)
	}
	switch m.Card {
	case parser.CardOneToOne:
		n.out = n.on
		if n.drop {
			n.out = minus(l.out, n.on...)
		}
	default:
		many, one := l, r
		if m.Card == parser.CardOneToMany {
			many, one = r, l
		}
		n.open, n.out = many.open, union(many.out, n.include...)
		if !one.open {
			for _, name := range n.include {
				if !slices.Contains(one.out, name) {
					return nil, c.errorf(places[name], "there is no label %s to take: that side has only %s; add it to its by", name, setString(one.out))
				}
			}
		}
	}
	n.zero = c.d.Zeros && e.Op == parser.DIV && m.Card != parser.CardManyToOne && len(n.include) == 0 && c.narrows(l, r)
	return c.node(n), nil
}

// match checks that both sides have the labels they are matched on.
func (c *compiler) match(n *node, e *parser.BinaryExpr) error {
	sides := []struct {
		n    *node
		e    parser.Expr
		name string
	}{{n.l, e.LHS, "left"}, {n.r, e.RHS, "right"}}
	if !n.drop {
		for _, s := range sides {
			if s.n.open {
				continue
			}
			for _, name := range n.on {
				if !slices.Contains(s.n.out, name) {
					return c.errorf(c.place(n, name, n.places[""]), "there is no label %s on the %s side, which has only %s; add it to its by, or match on less", name, s.name, setString(s.n.out))
				}
			}
		}
		return nil
	}
	for _, s := range sides {
		if s.n.open {
			return c.errorf(s.e.PositionRange().Start, "the %s side is raw series, and they would be matched on all their labels; say on which: %s on ({scope}, …), or aggregate it with by", s.name, e.Op)
		}
	}
	l, r := minus(n.l.out, n.on...), minus(n.r.out, n.on...)
	if !slices.Equal(l, r) {
		group := "group_left"
		both := slices.DeleteFunc(slices.Clone(l), func(x string) bool { return !slices.Contains(r, x) })
		if len(l) < len(r) {
			group = "group_right"
		}
		if e.Op.IsSetOperator() {
			group = ""
		}
		return c.errorf(n.places[""], "the sides never match: the left one has %s, the right one %s; write %s", setString(l), setString(r),
			strings.TrimSpace(fmt.Sprintf("%s on %s %s", e.Op, setString(both), group)))
	}
	return nil
}

func (c *compiler) setOp(n node, e *parser.BinaryExpr) (*node, error) {
	n.open, n.out = n.l.open, n.l.out
	if e.Op == parser.LOR {
		if n.l.open != n.r.open || !slices.Equal(n.l.out, n.r.out) {
			return nil, c.errorf(n.places[""], "the sides of or have different labels, %s and %s, so the result would have two kinds of entities; aggregate both by the same labels", describe(n.l), describe(n.r))
		}
	}
	return c.node(n), nil
}

func describe(n *node) string {
	if n.open {
		return "those of raw series"
	}
	return setString(n.out)
}

// need tells the leaves below n which labels are used above them. want is sorted.
func (c *compiler) need(n *node, want []string) {
	switch n.kind {
	case nodeLeaf:
		l := c.p.leaves[n.leaf]
		l.keep = union(l.keep, want...)
	case nodeConst:
	case nodeFunc, nodeScalar:
		c.need(n.l, want)
	case nodeAbsent:
		c.need(n.l, n.l.out)
	case nodeAgg:
		c.need(n.l, n.by)
	case nodeHistogram:
		c.need(n.l, union(want, labels.BucketLabel))
	case nodeBinary, nodeSet:
		if n.drop {
			// Both sides are closed and matched on all that they have; what is above cannot change what is below.
			c.need(n.l, n.l.out)
			c.need(n.r, n.r.out)
			return
		}
		switch {
		case n.kind == nodeSet && n.op == parser.LOR:
			c.need(n.l, union(want, n.on...))
			c.need(n.r, union(want, n.on...))
		case n.kind == nodeSet:
			c.need(n.l, union(want, n.on...))
			c.need(n.r, n.on)
		case n.card == parser.CardOneToOne:
			c.need(n.l, n.on)
			c.need(n.r, n.on)
		default:
			many, one := n.l, n.r
			if n.card == parser.CardOneToMany {
				many, one = n.r, n.l
			}
			c.need(many, union(minus(want, n.include...), n.on...))
			c.need(one, union(n.on, n.include...))
		}
	}
}

// narrows reports whether l and r count parts and whole of the same things: both select the same metrics, and l selects fewer of
// their series. Then a missing l is 0: a counter that has never counted has no series.
func (c *compiler) narrows(l, r *node) bool {
	if !c.additive(l) {
		return false
	}
	var ll, rr []*leaf
	c.leavesOf(l, &ll)
	c.leavesOf(r, &rr)
	strict := c.filters(l)
	for _, a := range ll {
		ok := false
		for _, b := range rr {
			if a.name != b.name || a.fn != b.fn || a.windows != b.windows {
				continue
			}
			if !slices.ContainsFunc(b.match, func(m matcher) bool {
				return !slices.ContainsFunc(a.match, func(x matcher) bool { return x.String() == m.String() })
			}) {
				ok = true
				strict = strict || len(a.match) > len(b.match)
			}
		}
		if !ok {
			return false
		}
	}
	for _, b := range rr {
		if !slices.ContainsFunc(ll, func(a *leaf) bool { return a.name == b.name }) {
			return false
		}
	}
	return strict
}

// additive reports whether a vector without elements means 0: sums and counts, and what is made of them by adding and scaling.
func (c *compiler) additive(n *node) bool {
	switch n.kind {
	case nodeLeaf:
		return c.p.leaves[n.leaf].counter()
	case nodeAgg:
		switch n.op {
		case parser.COUNT:
			return true
		case parser.SUM:
			return n.l.kind == nodeLeaf || c.additive(n.l) || n.l.kind == nodeScalar && n.l.isCmp && n.l.l.kind == nodeLeaf
		}
	case nodeScalar:
		return (n.op == parser.MUL || n.op == parser.DIV && !n.left) && c.additive(n.l)
	case nodeBinary:
		return n.op == parser.ADD && c.additive(n.l) && c.additive(n.r)
	}
	return false
}

// filters reports whether a comparison without bool drops elements below n.
func (c *compiler) filters(n *node) bool {
	if n == nil {
		return false
	}
	return n.kind == nodeScalar && n.isCmp && !n.bool_ || c.filters(n.l) || c.filters(n.r)
}

func (c *compiler) leavesOf(n *node, dst *[]*leaf) {
	if n == nil {
		return
	}
	if n.kind == nodeLeaf {
		*dst = append(*dst, c.p.leaves[n.leaf])
	}
	c.leavesOf(n.l, dst)
	c.leavesOf(n.r, dst)
}
