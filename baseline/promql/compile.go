package promql

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/prometheus/prometheus/promql/parser/posrange"
	"github.com/wrackline/wrackline/baseline/series"
)

// Plan is a compiled expression. It is immutable and may be shared.
type Plan struct {
	Source string
	Leaves []*Leaf  // in order of first appearance
	Labels []string // the labels of the result, sorted; the scope is one of them
	root   *node
	nodes  int    // nodes have numbers below this
	uses   []int  // for each leaf, how many nodes read it
	Needed []bool // for each leaf, whether something beside absent() reads it
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
	d      *Dialect
	p      *Plan
	depth  int
	hists  *histMode // set inside a function of histograms
	absent int       // how many absent() are around
}

// Parser is PromQL's own, of series selectors and expressions without experimental functions.
var Parser = parser.NewParser(parser.Options{})

// Compile turns an expression of the subset in packs/README.md into a plan. Errors say where, what, and what to write instead.
func (d *Dialect) Compile(src string) (*Plan, error) {
	if len(src) > exprBytesMax {
		return nil, &Error{1, 1, fmt.Sprintf("%d bytes are too long; at most %d are allowed", len(src), exprBytesMax)}
	}
	c := &compiler{source: newSource(src, d.Scope), d: d, p: &Plan{Source: src}}
	e, err := Parser.ParseExpr(src)
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
	if len(c.p.Leaves) == 0 {
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
	for _, l := range c.p.Leaves {
		l.Bucket = slices.Contains(l.Keep, labels.BucketLabel)
	}
	c.p.root, c.p.Labels = root, root.out
	return c.p, nil
}

// churns reports whether a label of the churny ones churns here.
func (c *compiler) churns(x Churn) bool {
	return slices.ContainsFunc(c.p.Leaves, func(l *Leaf) bool {
		return strings.HasPrefix(l.Name, x.Prefix) && (x.Except == "" || !strings.HasPrefix(l.Name, x.Except))
	})
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
		return c.selector(e, Value, Lookback)
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

// selector adds a leaf, or finds the equal one.
func (c *compiler) selector(v *parser.VectorSelector, fn Func, windows int) (*node, error) {
	at := v.PosRange.Start
	switch {
	case v.OriginalOffset != 0 || v.OriginalOffsetExpr != nil:
		return nil, c.errorf(c.token(at, parser.OFFSET), "offset is not available: windows are seen once, as they close; the baseline compares with the past, or %s", recording)
	case v.Timestamp != nil || v.StartOrEnd != 0:
		return nil, c.errorf(c.token(at, parser.AT), "@ is not available: windows are seen once, as they close; %s", recording)
	}
	l := &Leaf{Func: fn, Windows: windows}
	for _, m := range v.LabelMatchers {
		switch {
		case m.Name != series.NameLabel:
			l.Match = append(l.Match, Matcher{m})
		case m.Type != labels.MatchEqual:
			return nil, c.errorf(at, "the metric's name must be given, not matched (%s): write one expression for each name, joined by or, or as a list of fallbacks", m)
		case l.Name != "" && l.Name != m.Value:
			return nil, c.errorf(at, "two metric names, %s and %s; keep one", l.Name, m.Value)
		default:
			l.Name = m.Value
		}
	}
	if l.Name == "" {
		return nil, c.errorf(at, `the selector names no metric; write x{a="b"}`)
	}
	if c.d.IsMade(l.Name) {
		switch {
		case !slices.Contains(c.d.Made, l.Name):
			return nil, c.errorf(at, "Wrackline has no metric %s of its own; there are %s", l.Name, strings.Join(c.d.Made, ", "))
		case fn != Value || c.hists != nil:
			return nil, c.errorf(at, "%s is a gauge that is made as windows close; write it without a function: max by ({scope}) (%s)", l.Name, l.Name)
		}
	} else if err := c.bindNative(l, at); err != nil {
		return nil, err
	}
	sort.SliceStable(l.Match, func(i, j int) bool { return l.Match[i].String() < l.Match[j].String() })
	l.Match = slices.CompactFunc(l.Match, func(a, b Matcher) bool { return a.String() == b.String() })
	i := slices.IndexFunc(c.p.Leaves, func(x *Leaf) bool { return sameLeaf(x, l) })
	if i < 0 {
		i = len(c.p.Leaves)
		if i >= exprLeafsMax {
			return nil, c.errorf(at, "more than %d different selectors; %s", exprLeafsMax, recording)
		}
		c.p.Leaves = append(c.p.Leaves, l)
		c.p.uses = append(c.p.uses, 0)
		c.p.Needed = append(c.p.Needed, false)
	}
	c.p.uses[i]++
	c.p.Needed[i] = c.p.Needed[i] || c.absent == 0
	return c.node(node{kind: nodeLeaf, leaf: i, open: true, raw: true}), nil
}

func sameLeaf(a, b *Leaf) bool {
	return a.Name == b.Name && a.Func == b.Func && a.Windows == b.Windows && a.Base == b.Base &&
		slices.EqualFunc(a.Match, b.Match, func(x, y Matcher) bool { return x.String() == y.String() })
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
		if c.hists.part == PartBuckets && !slices.Contains(n.by, labels.BucketLabel) {
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

// need tells the leaves below n which labels are used above them. want is sorted.
func (c *compiler) need(n *node, want []string) {
	switch n.kind {
	case nodeLeaf:
		l := c.p.Leaves[n.leaf]
		l.Keep = union(l.Keep, want...)
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

// Span returns the longest range in which p counts events, in windows; 0 = it counts none.
func (p *Plan) Span() (windows int) {
	for _, l := range p.Leaves {
		if l.Func == Rate || l.Func == Increase {
			windows = max(windows, l.Windows)
		}
	}
	return windows
}

// Plain is an expression without its layout.
func Plain(expr string) string { return strings.Join(strings.Fields(expr), "") }
