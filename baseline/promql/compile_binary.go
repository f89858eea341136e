package promql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

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

// narrows reports whether l and r count parts and whole of the same things: both select the same metrics, and l selects fewer of
// their series. Then a missing l is 0: a counter that has never counted has no series.
func (c *compiler) narrows(l, r *node) bool {
	if !c.additive(l) {
		return false
	}
	var ll, rr []*Leaf
	c.leavesOf(l, &ll)
	c.leavesOf(r, &rr)
	strict := c.filters(l)
	for _, a := range ll {
		ok := false
		for _, b := range rr {
			if a.Name != b.Name || a.Func != b.Func || a.Windows != b.Windows {
				continue
			}
			if !slices.ContainsFunc(b.Match, func(m Matcher) bool {
				return !slices.ContainsFunc(a.Match, func(x Matcher) bool { return x.String() == m.String() })
			}) {
				ok = true
				strict = strict || len(a.Match) > len(b.Match)
			}
		}
		if !ok {
			return false
		}
	}
	for _, b := range rr {
		if !slices.ContainsFunc(ll, func(a *Leaf) bool { return a.Name == b.Name }) {
			return false
		}
	}
	return strict
}

// additive reports whether a vector without elements means 0: sums and counts, and what is made of them by adding and scaling.
func (c *compiler) additive(n *node) bool {
	switch n.kind {
	case nodeLeaf:
		return c.p.Leaves[n.leaf].Counter()
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

func (c *compiler) leavesOf(n *node, dst *[]*Leaf) {
	if n == nil {
		return
	}
	if n.kind == nodeLeaf {
		*dst = append(*dst, c.p.Leaves[n.leaf])
	}
	c.leavesOf(n.l, dst)
	c.leavesOf(n.r, dst)
}
