package promql

import (
	"math"
	"slices"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/wrackline/wrackline/baseline/series"
)

// join remembers which label set a pair made: a many-side set and the labels taken from the one side, for group_left(…).
type join struct{ incl, out uint32 } // both +1; zero is empty

// sig returns the projection that tells which elements of the two sides belong together; nil is the identity.
func (n *node) sig(s *nodeState, t *Table) *projection {
	if n.drop && len(n.on) == 0 {
		return nil
	}
	if s.side == nil {
		s.side = t.projection(n.on, n.drop)
	}
	return s.side
}

// sigOf applies a projection that may be nil.
func sigOf(p *projection, id uint32) uint32 {
	if p == nil {
		return id
	}
	return p.of(id)
}

const (
	unmatched = -1 // no element of the other side yet
	filtered  = -2 // matched, and dropped by a comparison
	broken    = -3 // two elements where one may be: no value
)

// evalBinary joins two vectors by an arithmetic operator or a comparison. Where PromQL fails because matching is not unique, the
// elements concerned get no value and are counted.
func (n *node) evalBinary(st *State, in *Input, s *nodeState) []Element {
	lvec := n.l.eval(st, in)
	rvec := n.r.eval(st, in)
	t := in.Table
	sig := n.sig(s, t)
	many, one := lvec, rvec
	if n.card == parser.CardOneToMany {
		many, one = rvec, lvec
	}

	t.Work.match = n.bySignature(st, t, sig, one)
	out, holes := t.Work.take(), false
	if n.card == parser.CardOneToOne {
		out, holes = n.joinOne(st, t, sig, many, one, out)
	} else {
		out = n.joinMany(s, t, sig, many, one, out)
	}
	if n.zero && n.card == parser.CardOneToOne {
		for i, m := range t.Work.match {
			if m == unmatched {
				out = append(out, zeroOver(&one[i], sigOf(sig, one[i].Set)))
			}
		}
	}
	if holes {
		out = slices.DeleteFunc(out, func(e Element) bool { return e.Set == dead })
	}
	s.buf = out
	n.l.release(st, in)
	n.r.release(st, in)
	return out
}

// bySignature notes where the one side's elements are, by what they are matched on, and returns what has become of each.
func (n *node) bySignature(st *State, t *Table, sig *projection, one []Element) []int32 {
	match := t.Work.match[:0]
	t.begin()
	for i := range one {
		match = append(match, unmatched)
		id := sigOf(sig, one[i].Set)
		at, dup := t.slot(id)
		switch {
		case !dup, one[at].Unknown():
			// An unknown one beside a known one is a series that was replaced and not yet called stale: the known one counts.
			t.setSlot(id, int32(i))
			if dup {
				match[at] = broken // never looked at again
			}
		case one[i].Unknown():
			match[i] = broken
		default:
			if match[at] != broken {
				st.Conflicts++
			}
			match[at], match[i] = broken, broken
		}
	}
	return match
}

// joinOne joins one to one. holes reports elements that are dead.
func (n *node) joinOne(st *State, t *Table, sig *projection, left, right, out []Element) (_ []Element, holes bool) {
	match := t.Work.match
	for i := range left {
		l := &left[i]
		id := sigOf(sig, l.Set)
		at, ok := t.slot(id)
		if !ok || match[at] == broken {
			continue
		}
		r := &right[at]
		if m := match[at]; m != unmatched {
			switch {
			case l.Unknown():
				continue
			case m >= 0 && out[m].Unknown() && !r.Unknown():
				// What was there was unknown for its left side: this one counts. It takes the other's place.
				if !n.combine(&out[m], l, r, id) {
					out[m].Set, match[at], holes = dead, filtered, true
				}
				continue
			}
			if m >= 0 {
				out[m].Set, holes = dead, true
			}
			match[at] = broken
			st.Conflicts++
			continue
		}
		match[at] = filtered
		out = append(out, Element{})
		if e := &out[len(out)-1]; n.combine(e, l, r, id) {
			match[at] = int32(len(out) - 1)
		} else {
			out = out[:len(out)-1]
		}
	}
	return out, holes
}

// joinMany joins many to one, whichever side has the many.
func (n *node) joinMany(s *nodeState, t *Table, sig *projection, many, one, out []Element) []Element {
	if n.include != nil && s.incl == nil {
		s.incl = t.projection(n.include, false)
	}
	for i := range many {
		m := &many[i]
		at, ok := t.slot(sigOf(sig, m.Set))
		if !ok {
			if n.zero && n.card == parser.CardOneToMany {
				out = append(out, zeroOver(m, m.Set))
			}
			continue
		}
		if t.Work.match[at] == broken {
			continue
		}
		l, r := m, &one[at]
		if n.card == parser.CardOneToMany {
			l, r = r, l
		}
		out = append(out, Element{})
		if !n.combine(&out[len(out)-1], l, r, n.joined(s, t, m.Set, one[at].Set)) {
			out = out[:len(out)-1]
		}
	}
	return out
}

// dead marks an element that is to be removed.
const dead = math.MaxUint32

// zeroOver returns 0 / r.
func zeroOver(r *Element, ls uint32) Element {
	e := *r
	e.Set = ls
	if !e.Unknown() {
		e.V = 0 / r.V
	}
	return e
}

// combine makes e of two matching elements. It returns false when a comparison drops it.
func (n *node) combine(e, l, r *Element, ls uint32) bool {
	v, keep := math.NaN(), true
	if !l.Unknown() && !r.Unknown() {
		v, keep = operate(n.op, l.V, r.V)
		if n.bool_ {
			v, keep = b2f(keep), true
		}
	}
	if !keep {
		return false
	}
	// The side that misses the larger share of its series speaks for both; of two complete ones the one with more members.
	worst := l
	if a, b := share(l), share(r); b > a || a == b && r.Members > l.Members {
		worst = r
	}
	events := l.Events
	switch n.op {
	case parser.DIV:
		if !math.IsNaN(r.Events) {
			events = r.Events
		}
	case parser.ADD:
		events = addEvents(l.Events, r.Events)
	default:
		if math.IsNaN(events) {
			events = r.Events
		}
	}
	top := l.Top
	if top[0].Series < 0 {
		top = r.Top
	}
	*e = Element{Set: ls, Members: worst.Members, Missing: worst.Missing, V: v, Events: events, Top: top}
	return true
}

// share returns the share of an element's series that gave no value.
func share(e *Element) float64 {
	if e.Missing == 0 {
		return 0
	}
	return float64(e.Missing) / float64(e.Members+e.Missing)
}

// joined returns the labels of a many-side element with those taken from the one side.
func (n *node) joined(s *nodeState, t *Table, many, one uint32) uint32 {
	if len(n.include) == 0 {
		return many
	}
	incl := s.incl.of(one)
	page := int(many >> pageBits)
	if page >= len(s.joins) {
		s.joins = append(s.joins, make([][]join, page+1-len(s.joins))...)
	}
	if s.joins[page] == nil {
		s.joins[page] = make([]join, 1<<pageBits)
	}
	j := &s.joins[page][many&(1<<pageBits-1)]
	if j.incl == incl+1 {
		return j.out - 1
	}
	l := make(series.Labels, 0, len(t.Labels(many))+len(n.include))
	for _, x := range t.Labels(many) {
		if !slices.Contains(n.include, x.Name) {
			l = append(l, x)
		}
	}
	l = append(l, t.Labels(incl)...)
	slices.SortFunc(l, func(a, b series.Label) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return 0
	})
	out := t.Intern(l)
	*j = join{incl + 1, out + 1}
	return out
}

// evalSet is and, or, unless. An unknown element is neither there nor not there: what depends on it is unknown.
func (n *node) evalSet(st *State, in *Input, s *nodeState) []Element {
	lvec := n.l.eval(st, in)
	rvec := n.r.eval(st, in)
	t := in.Table
	sig := n.sig(s, t)
	out := t.Work.take()
	defer func() {
		s.buf = out
		n.l.release(st, in)
		n.r.release(st, in)
	}()
	t.begin()
	if n.op == parser.LOR {
		for i := range lvec {
			t.setSlot(sigOf(sig, lvec[i].Set), 1)
			out = append(out, lvec[i])
		}
		for i := range rvec {
			if _, there := t.slot(sigOf(sig, rvec[i].Set)); !there {
				out = append(out, rvec[i])
			}
		}
		return out
	}
	const doubtful, there = 0, 1
	for i := range rvec {
		id := sigOf(sig, rvec[i].Set)
		if !rvec[i].Unknown() {
			t.setSlot(id, there)
		} else if _, ok := t.slot(id); !ok {
			t.setSlot(id, doubtful)
		}
	}
	for i := range lvec {
		e := lvec[i]
		is, ok := t.slot(sigOf(sig, e.Set))
		switch {
		case ok && is == doubtful:
			e.Missing += max(e.Members, 1)
			e.Members, e.V = 0, math.NaN()
		case n.op == parser.LAND && !ok, n.op == parser.LUNLESS && ok:
			continue
		}
		out = append(out, e)
	}
	return out
}
