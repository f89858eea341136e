package signal

import (
	"math"
	"slices"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/wrackline/wrackline/baseline/series"
)

// join remembers which label set a pair made: a many-side set and the labels taken from the one side, for group_left(…).
type join struct{ incl, out uint32 } // both +1; zero is empty

// sig returns the projection that tells which elements of the two sides belong together; nil is the identity.
func (n *node) sig(s *nodeState, t *labelTable) *projection {
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
func (n *node) evalBinary(st *planState, in *evalInput, s *nodeState) []element {
	lvec := n.l.eval(st, in)
	rvec := n.r.eval(st, in)
	t := in.table
	sig := n.sig(s, t)
	many, one := lvec, rvec
	if n.card == parser.CardOneToMany {
		many, one = rvec, lvec
	}

	// The one side by signature. match holds, for each of its elements, what became of it.
	match := t.work.match[:0]
	t.begin()
	for i := range one {
		match = append(match, unmatched)
		id := sigOf(sig, one[i].ls)
		at, dup := t.slot(id)
		switch {
		case !dup, one[at].unknown():
			// An unknown one beside a known one is a series that was replaced and not yet called stale: the known one counts.
			t.setSlot(id, int32(i))
			if dup {
				match[at] = broken // never looked at again
			}
		case one[i].unknown():
			match[i] = broken
		default:
			if match[at] != broken {
				st.conflicts++
			}
			match[at], match[i] = broken, broken
		}
	}
	out, holes := t.work.take(), false
	if n.card == parser.CardOneToOne {
		for i := range many {
			l := &many[i]
			id := sigOf(sig, l.ls)
			at, ok := t.slot(id)
			if !ok || match[at] == broken {
				continue
			}
			r := &one[at]
			if m := match[at]; m != unmatched {
				switch {
				case l.unknown():
					continue
				case m >= 0 && out[m].unknown() && !r.unknown():
					// What was there was unknown for its left side: this one counts. It takes the other's place.
					if !n.combine(&out[m], l, r, id) {
						out[m].ls, match[at], holes = dead, filtered, true
					}
					continue
				}
				if m >= 0 {
					out[m].ls, holes = dead, true
				}
				match[at] = broken
				st.conflicts++
				continue
			}
			match[at] = filtered
			out = append(out, element{})
			if e := &out[len(out)-1]; n.combine(e, l, r, id) {
				match[at] = int32(len(out) - 1)
			} else {
				out = out[:len(out)-1]
			}
		}
	} else {
		if n.include != nil && s.incl == nil {
			s.incl = t.projection(n.include, false)
		}
		for i := range many {
			m := &many[i]
			at, ok := t.slot(sigOf(sig, m.ls))
			if !ok {
				if n.zero && n.card == parser.CardOneToMany {
					out = append(out, zeroOver(m, m.ls))
				}
				continue
			}
			if match[at] == broken {
				continue
			}
			l, r := m, &one[at]
			if n.card == parser.CardOneToMany {
				l, r = r, l
			}
			out = append(out, element{})
			if !n.combine(&out[len(out)-1], l, r, n.joined(s, t, m.ls, one[at].ls)) {
				out = out[:len(out)-1]
			}
		}
	}
	if n.zero && n.card == parser.CardOneToOne {
		for i := range one {
			if match[i] == unmatched {
				out = append(out, zeroOver(&one[i], sigOf(sig, one[i].ls)))
			}
		}
	}
	if holes {
		out = slices.DeleteFunc(out, func(e element) bool { return e.ls == dead })
	}
	s.buf, t.work.match = out, match
	n.l.release(st, in)
	n.r.release(st, in)
	return out
}

// dead marks an element that is to be removed.
const dead = math.MaxUint32

// zeroOver returns 0 / r.
func zeroOver(r *element, ls uint32) element {
	e := *r
	e.ls = ls
	if !e.unknown() {
		e.v = 0 / r.v
	}
	return e
}

// combine makes e of two matching elements. It returns false when a comparison drops it.
func (n *node) combine(e, l, r *element, ls uint32) bool {
	v, keep := math.NaN(), true
	if !l.unknown() && !r.unknown() {
		v, keep = operate(n.op, l.v, r.v)
		if n.bool_ {
			v, keep = b2f(keep), true
		}
	}
	if !keep {
		return false
	}
	// The side that misses the larger share of its series speaks for both; of two complete ones the one with more members.
	worst := l
	if a, b := share(l), share(r); b > a || a == b && r.members > l.members {
		worst = r
	}
	events := l.events
	switch n.op {
	case parser.DIV:
		if !math.IsNaN(r.events) {
			events = r.events
		}
	case parser.ADD:
		events = addEvents(l.events, r.events)
	default:
		if math.IsNaN(events) {
			events = r.events
		}
	}
	top := l.top
	if top[0].ref < 0 {
		top = r.top
	}
	*e = element{ls: ls, members: worst.members, missing: worst.missing, v: v, events: events, top: top}
	return true
}

// share returns the share of an element's series that gave no value.
func share(e *element) float64 {
	if e.missing == 0 {
		return 0
	}
	return float64(e.missing) / float64(e.members+e.missing)
}

// joined returns the labels of a many-side element with those taken from the one side.
func (n *node) joined(s *nodeState, t *labelTable, many, one uint32) uint32 {
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
	l := make(series.Labels, 0, len(t.labels(many))+len(n.include))
	for _, x := range t.labels(many) {
		if !slices.Contains(n.include, x.Name) {
			l = append(l, x)
		}
	}
	l = append(l, t.labels(incl)...)
	slices.SortFunc(l, func(a, b series.Label) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return 0
	})
	out := t.intern(l)
	*j = join{incl + 1, out + 1}
	return out
}

// evalSet is and, or, unless. An unknown element is neither there nor not there: what depends on it is unknown.
func (n *node) evalSet(st *planState, in *evalInput, s *nodeState) []element {
	lvec := n.l.eval(st, in)
	rvec := n.r.eval(st, in)
	t := in.table
	sig := n.sig(s, t)
	out := t.work.take()
	defer func() {
		s.buf = out
		n.l.release(st, in)
		n.r.release(st, in)
	}()
	t.begin()
	if n.op == parser.LOR {
		for i := range lvec {
			t.setSlot(sigOf(sig, lvec[i].ls), 1)
			out = append(out, lvec[i])
		}
		for i := range rvec {
			if _, there := t.slot(sigOf(sig, rvec[i].ls)); !there {
				out = append(out, rvec[i])
			}
		}
		return out
	}
	const doubtful, there = 0, 1
	for i := range rvec {
		id := sigOf(sig, rvec[i].ls)
		if !rvec[i].unknown() {
			t.setSlot(id, there)
		} else if _, ok := t.slot(id); !ok {
			t.setSlot(id, doubtful)
		}
	}
	for i := range lvec {
		e := lvec[i]
		is, ok := t.slot(sigOf(sig, e.ls))
		switch {
		case ok && is == doubtful:
			e.missing += max(e.members, 1)
			e.members, e.v = 0, math.NaN()
		case n.op == parser.LAND && !ok, n.op == parser.LUNLESS && ok:
			continue
		}
		out = append(out, e)
	}
	return out
}
