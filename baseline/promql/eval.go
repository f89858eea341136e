package promql

import (
	"math"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/wrackline/wrackline/baseline/series"
)

// State holds the scratch of one plan in one cluster, and what the last evaluation found. It holds nothing that a later
// window's result depends on, so it is no part of a checkpoint. The zero value is not usable; see plan.newState.
type State struct {
	p     *Plan
	table *Table
	nodes []nodeState
	leafs []leafVec

	// conflicts counts, in the last evaluation, match groups that had no value because two elements matched where one may;
	// PromQL fails the whole expression then. unknown counts entities whose series are there but gave no value, undefined those
	// whose value was NaN or infinite (a division by zero).
	Conflicts, Unknown, Undefined int
}

// leafVec is a leaf's vector of the window that is evaluated. Several nodes may read it; none may change it.
type leafVec struct {
	vec  []Element
	uses int // nodes that have still to read it; −1 before it was asked for
}

// nodeState is what a node remembers of a table, and its vector while the parent has not yet used it.
type nodeState struct {
	buf   []Element
	side  *projection // by, or the matching labels
	incl  *projection // nodeBinary: labels of group_left(…)
	joins [][]join    // by many-side id, in pages
}

// NewState returns scratch for evaluations in one cluster.
func (p *Plan) NewState() *State {
	return &State{p: p, nodes: make([]nodeState, p.nodes), leafs: make([]leafVec, len(p.Leaves))}
}

// Eval appends the expression's result for one window: one element for each entity, ls being its labels, in an order that
// depends only on the order of the leaves' elements. Entities without a value are not in it; st counts why.
func (p *Plan) Eval(st *State, in *Input, dst []Element) []Element {
	if st.table != in.Table {
		st.table = in.Table
		for i := range st.nodes {
			n := &st.nodes[i]
			*n = nodeState{}
		}
	}
	for i := range st.leafs {
		st.leafs[i].uses = -1
	}
	st.Conflicts, st.Unknown, st.Undefined = 0, 0, 0
	in.Table.Work.temp.n = 0
	vec := p.root.eval(st, in)
	first := len(dst)
	t := in.Table
	t.begin()
	for i := range vec {
		e := &vec[i]
		switch {
		case e.Unknown():
			st.Unknown++
			continue
		case math.IsNaN(e.V) || math.IsInf(e.V, 0):
			st.Undefined++
			continue
		}
		if _, dup := t.slot(e.Set); dup {
			st.Conflicts++
			continue
		}
		t.setSlot(e.Set, int32(len(dst)-first))
		dst = append(dst, *e)
	}
	p.root.release(st, in)
	return dst
}

// eval returns the node's vector. The parent releases it when it has read it, or takes it over (own); it never changes a leaf's or a
// shared one.
func (n *node) eval(st *State, in *Input) []Element {
	if !n.isShared(in) {
		return n.compute(st, in)
	}
	x := &in.Shared[n.share-1]
	if !x.done {
		x.vec, x.done = n.compute(st, in), true
		st.nodes[n.idx].buf = nil
		in.Table.Work.keep(x.vec)
	}
	return x.vec
}

// isShared reports whether the node's vector is kept for others.
func (n *node) isShared(in *Input) bool { return n.share > 0 && in.Shared != nil }

func (n *node) compute(st *State, in *Input) []Element {
	s := &st.nodes[n.idx]
	switch n.kind {
	case nodeLeaf:
		l := &st.leafs[n.leaf]
		if l.uses < 0 {
			l.uses = st.p.uses[n.leaf]
			l.vec = in.Leaf(n.leaf, in.Table.Work.take())
		}
		return l.vec
	case nodeConst:
		s.buf = append(in.Table.Work.take(), Element{
			Set: in.Scope, V: n.arg(in.EndMs), Events: math.NaN(), Top: [3]Ref{NoRef, NoRef, NoRef},
		})
		return s.buf
	case nodeFunc:
		return n.evalFunc(st, in, s)
	case nodeScalar:
		return n.evalScalar(st, in, s)
	case nodeAgg:
		return n.evalAgg(st, in, s)
	case nodeHistogram:
		return n.evalHistogram(st, in, s)
	case nodeAbsent:
		return n.evalAbsent(st, in, s)
	case nodeSet:
		return n.evalSet(st, in, s)
	}
	return n.evalBinary(st, in, s)
}

// release gives the node's vector back.
func (n *node) release(st *State, in *Input) {
	if n.isShared(in) {
		return // evalInput.finish does
	}
	if n.kind == nodeLeaf {
		l := &st.leafs[n.leaf]
		if l.uses--; l.uses == 0 {
			in.Table.Work.give(l.vec)
			l.vec = nil
		}
		return
	}
	s := &st.nodes[n.idx]
	in.Table.Work.give(s.buf)
	s.buf = nil
}

// own returns the child's vector as one that n may change and release.
func (n *node) own(st *State, in *Input, s *nodeState) []Element {
	vec := n.l.eval(st, in)
	if n.l.kind == nodeLeaf || n.l.isShared(in) {
		s.buf = append(in.Table.Work.take(), vec...)
		n.l.release(st, in)
	} else {
		child := &st.nodes[n.l.idx]
		s.buf, child.buf = child.buf, nil
	}
	return s.buf
}

// evalAbsent gives 1 when the child has no elements. Where it has only such as gave no value it is not known whether they are gone.
func (n *node) evalAbsent(st *State, in *Input, s *nodeState) []Element {
	vec := n.l.eval(st, in)
	e := Element{V: 1, Events: math.NaN(), Members: 1, Top: NoRefs}
	for i := range vec {
		if !vec[i].Unknown() {
			e.Members = 0
			e.Missing = 0
			break
		}
		e.Members, e.Missing, e.V = 0, e.Missing+vec[i].Missing, math.NaN()
	}
	n.l.release(st, in)
	s.buf = in.Table.Work.take()
	if e.Members == 0 && e.Missing == 0 {
		return s.buf
	}
	own := append(slices.Clone(in.Table.Labels(in.Scope)), n.gone...)
	slices.SortFunc(own, func(a, b series.Label) int { return strings.Compare(a.Name, b.Name) })
	e.Set = in.Table.Intern(own)
	s.buf = append(s.buf, e)
	return s.buf
}

func (n *node) evalFunc(st *State, in *Input, s *nodeState) []Element {
	var args [2]float64
	for i, a := range n.args {
		args[i] = a(in.EndMs)
	}
	vec := n.own(st, in, s)
	for i := range vec {
		vec[i].V = n.fn(vec[i].V, args[:len(n.args)])
	}
	return vec
}

func (n *node) evalScalar(st *State, in *Input, s *nodeState) []Element {
	num := n.arg(in.EndMs)
	vec := n.own(st, in, s)
	out := vec[:0]
	for i := range vec {
		e := vec[i]
		if e.Hist != 0 {
			h, no := in.Table.Work.TakeHist()
			h.CopyOf(in.Table.Work.Hist(e.Hist))
			if n.op == parser.DIV {
				h.Scale(1 / num)
			} else {
				h.Scale(num)
			}
			e.Hist = no
		}
		if !e.Unknown() {
			l, r := e.V, num
			if n.left {
				l, r = r, l
			}
			v, keep := operate(n.op, l, r)
			switch {
			case n.bool_:
				e.V = b2f(keep)
			case !keep:
				continue
			case !n.isCmp:
				e.V = v
			}
		}
		out = append(out, e)
	}
	s.buf = out
	return out
}

// known reports whether operate knows the operator.
func known(op parser.ItemType) bool {
	switch op {
	case parser.ADD, parser.SUB, parser.MUL, parser.DIV, parser.MOD, parser.POW,
		parser.EQLC, parser.NEQ, parser.GTR, parser.LSS, parser.GTE, parser.LTE:
		return true
	}
	return false
}

// operate applies an operator. A comparison gives l, and whether it holds.
func operate(op parser.ItemType, l, r float64) (float64, bool) {
	switch op {
	case parser.ADD:
		return l + r, true
	case parser.SUB:
		return l - r, true
	case parser.MUL:
		return l * r, true
	case parser.DIV:
		return l / r, true
	case parser.MOD:
		return math.Mod(l, r), true
	case parser.POW:
		return math.Pow(l, r), true
	case parser.EQLC:
		return l, l == r
	case parser.NEQ:
		return l, l != r
	case parser.GTR:
		return l, l > r
	case parser.LSS:
		return l, l < r
	case parser.GTE:
		return l, l >= r
	case parser.LTE:
		return l, l <= r
	}
	panic("promql: operator " + op.String() + " was let through by the compiler")
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// vecFunc is a function of one value and constants.
type vecFunc func(v float64, args []float64) float64

func plainFunc(f func(float64) float64) vecFunc {
	return func(v float64, _ []float64) float64 { return f(v) }
}

var vecFuncs = map[string]vecFunc{
	"abs":   plainFunc(math.Abs),
	"ceil":  plainFunc(math.Ceil),
	"floor": plainFunc(math.Floor),
	"sqrt":  plainFunc(math.Sqrt),
	"exp":   plainFunc(math.Exp),
	"ln":    plainFunc(math.Log),
	"log2":  plainFunc(math.Log2),
	"log10": plainFunc(math.Log10),
	"sgn": func(v float64, _ []float64) float64 {
		switch {
		case v > 0:
			return 1
		case v < 0:
			return -1
		}
		return v
	},
	"round": func(v float64, args []float64) float64 {
		to := 1.0
		if len(args) > 0 {
			to = args[0]
		}
		inverse := 1 / to // as Prometheus does it: fewer odd last digits than v/to*to
		return math.Floor(v*inverse+0.5) / inverse
	},
	"clamp":     func(v float64, a []float64) float64 { return math.Max(a[0], math.Min(a[1], v)) },
	"clamp_min": func(v float64, a []float64) float64 { return math.Max(a[0], v) },
	"clamp_max": func(v float64, a []float64) float64 { return math.Min(a[0], v) },
}
