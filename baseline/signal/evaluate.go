package signal

import (
	"math"
	"slices"

	"github.com/wrackline/wrackline/baseline/promql"
)

// evaluation is the rule and window being evaluated.
type evaluation struct {
	c    *cluster
	form *form
	end  int64
	w    uint32

	rolled bool // Stream.rollouts are of this window
}

// formOf returns the first form of a rule, from number k on, whose metrics have arrived, −1 when there is none.
func (s *Stream) formOf(c *cluster, r *ruleForms, k int, end int64) int {
next:
	for i := k; i < len(r.forms); i++ {
		if s.complete(c, &r.forms[i]) <= end-formMs {
			continue
		}
		for _, l := range r.forms[i].leaves {
			if c.asked[l] != 0 && end <= c.asked[l]+askedWaitMs {
				continue next
			}
		}
		return i
	}
	return -1
}

// complete returns the newest time at which all metrics that a form needs had arrived.
func (s *Stream) complete(c *cluster, f *form) int64 {
	return f.plan.Newest(func(leaf int) int64 { return s.arrivedAt(c, f, leaf) }, absentMs-formMs)
}

// arrivedAt returns the newest sample of the metric of a form's leaf, or of the native histogram that stands in for it.
func (s *Stream) arrivedAt(c *cluster, f *form, leaf int) int64 {
	if s.leaves[f.leaves[leaf]].own {
		return math.MaxInt64 // it is always there, though it may have no values
	}
	t := c.arrived[s.leaves[f.leaves[leaf]].metric]
	if n := f.natives[leaf]; n != none {
		t = max(t, c.arrived[s.leaves[n].metric])
	}
	return t
}

// vector appends the vector of a leaf of the form in evaluation.
func (s *Stream) vector(i int, dst []promql.Element) []promql.Element {
	ev := &s.current
	li := ev.form.leaves[i]
	lp := s.leaves[li]
	before := len(dst)
	if lp.own {
		dst = s.ownVector(ev.c, lp, ev.end, dst)
		s.fed[lp.selector] = len(dst) - before
		return dst
	}
	span := float64(lp.Windows) * windowMs / 1000
	for _, bi := range ev.c.lists[li] {
		b := &s.binds[bi]
		if b.ls == none {
			continue
		}
		h := &s.hot[b.series]
		if lp.leaves(h) {
			continue
		}
		w, live, behind := s.reach(h, lp.Func != promql.Value && lp.Func != promql.Timestamp)
		if lp.Bucket && h.group != none {
			if g := &s.groups[h.group]; !g.Whole(ev.end, lp.Windows, s.kin[g.kin]) {
				// Some buckets of the set have not arrived, or they were read at different times. A part of a histogram is worse than none.
				if live {
					dst = append(dst, promql.Element{Set: b.ls, V: math.NaN(), Events: math.NaN(), Missing: 1, Top: promql.NoRefs})
				}
				continue
			}
		}
		if lp.Base != "" && s.nativeOfGroup(h.group, ev.end) {
			continue
		}
		v, gaps := s.read(h, lp.Leaf, w)
		if v != v {
			if behind {
				dst = append(dst, promql.Element{Set: b.ls, V: v, Events: v, Missing: 1, Top: promql.NoRefs})
			}
			continue
		}
		e := promql.Element{Set: b.ls, V: v, Events: v, Members: 1, Top: promql.NoRefs}
		switch lp.Func {
		case promql.Rate:
			e.V = v / span
		case promql.Value, promql.Timestamp:
			e.Events = math.NaN()
			behind = false
		}
		s.judge(h, &e, lp, live, behind, gaps)
		e.Top[0] = promql.Ref{Series: int32(b.series), V: e.V}
		dst = append(dst, e)
	}
	if n := ev.form.natives[i]; n != none {
		dst = s.nativeVector(n, dst)
	}
	s.fed[lp.selector] = len(dst) - before
	return dst
}

// heedful reports whether a rule has been asked in a cluster for an hour, so that what it sees for the first time is new.
func (s *Stream) heedful(c *cluster, rule uint32, end int64) bool {
	since := c.born
	for i := range s.rules[rule].forms {
		for _, l := range s.rules[rule].forms[i].leaves {
			since = max(since, c.asked[l])
		}
	}
	return end-since >= idleMs
}

// judge notes in e that too much of a series' range is missing.
func (s *Stream) judge(h *tracked, e *promql.Element, lp *leafPlan, live, behind bool, gaps int) {
	end, span := s.current.end, int64(lp.Windows)*windowMs
	if since := int64(h.anchor) * 1000; since != 0 && e.Events == e.Events && (since-end+span)*10 > span {
		e.Missing = 1 // what was before is not known, so the value is too small
	}
	if live && gaps*10 > lp.Windows || behind && (end-h.lastT)*10 > span {
		e.Missing = 1 // less than nine tenths of the range
	}
}

// weighty returns the sender of the series that weighs most in a value.
func (s *Stream) weighty(e *promql.Element) uint16 {
	for _, t := range e.Top {
		if t.Series >= 0 {
			return s.cold[t.Series].sender
		}
	}
	return noSender
}

// observe turns the result of a form of a rule into observations.
func (s *Stream) observe(c *cluster, rule uint32, form int, end int64) {
	r, span := s.rules[rule], s.current.form.plan.Span()
	for i := range s.result {
		e := &s.result[i]
		if e.Missing*missingMax > e.Members+e.Missing {
			s.stats.Incomplete++
			continue
		}
		if e.V-e.V != 0 {
			continue
		}
		if e.Events < r.MinEvents && (span == 0 || !r.Share()) { // false when they are not counted
			s.stats.FewEvents++
			continue
		}
		from := s.weighty(e)
		idx, ok := c.rules[rule].signals[e.Set]
		newborn := !ok
		if !ok {
			if idx, ok = s.newSignal(c, rule, e.Set, from); !ok {
				s.stats.OverSignals++
				s.overSignal, s.overSignalMs, s.overSignalBy = r.Name, c.open, ""
				if from != noSender {
					s.overSignalBy = s.senders.List[from].Name
				}
				continue
			}
		}
		if idx == none {
			s.stats.Disabled++
			continue
		}
		m := &s.marks[idx]
		if m.at != 0 && int(m.form) < form && m.at > end-formMs {
			continue // an earlier form answers, though perhaps not in this window
		}
		o := Observation{Signal: s.signals[idx], Value: e.V, Members: int(e.Members), Expected: int(e.Members + e.Missing), Newborn: newborn && m.at == 0 && s.heedful(c, rule, end)}
		if e.Events == e.Events {
			o.Events, o.Span = e.Events, span
		}
		if m.at == end-windowMs {
			o.Expected = int(m.members)
		}
		at := len(s.tops)
		for _, t := range e.Top {
			if t.Series < 0 {
				continue
			}
			name := ""
			if l := c.table.Labels(s.cold[t.Series].member); len(l) > 0 {
				name = l[0].Value
			}
			// A pod's series by protocol or by type are one member.
			if name != "" && !slices.ContainsFunc(s.tops[at:], func(m Member) bool { return m.Name == name }) {
				s.tops = append(s.tops, Member{name, t.V})
			}
		}
		o.Top = s.tops[at:len(s.tops):len(s.tops)]
		m.members, m.at, m.form = e.Members, end, uint8(form)
		if from != noSender && from != m.sender {
			if m.sender != noSender {
				s.senders.List[m.sender].Held.Signals--
			}
			s.senders.List[from].Held.Signals++
			m.sender = from
		}
		m.pos, m.stamp = uint32(len(s.raw)), end
		s.raw = append(s.raw, o)
	}
}
