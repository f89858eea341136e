package signal

import (
	"slices"

	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/window"
)

// newest notes the newest sample of a cluster and closes what is due when it begins a minute.
func (s *Stream) newest(c *cluster, t int64) {
	was := c.newest / windowMs
	crossed := t/windowMs != was
	c.newest = t
	for w := max(was+1, t/windowMs-shortRing+1); w <= t/windowMs; w++ {
		c.passed[w%shortRing] = s.nowMs
	}
	s.eventMs = max(s.eventMs, t)
	if c.open == 0 {
		c.begin(t)
	}
	if crossed {
		s.closeDue(c)
	}
}

// alive counts a series in after a sample.
func (c *cluster) alive(h *tracked) {
	h.flags &^= flagStale
	if h.flags&flagQuiet != 0 {
		return
	}
	if h.flags&flagLive == 0 {
		h.flags |= flagLive
		c.live++
	}
	if h.flags&flagPast == 0 && h.lastT >= c.open {
		h.flags |= flagPast
		c.past++
	}
}

// ended counts a series out.
func (c *cluster) ended(h *tracked) {
	if h.flags&flagPast != 0 {
		h.flags &^= flagPast
		c.past--
	}
	if h.flags&flagLive != 0 {
		h.flags &^= flagLive
		c.live--
	}
}

// count decides anew who is alive and past the end of the open window.
func (c *cluster) count(h *tracked) {
	h.flags &^= flagLive | flagPast
	if h.flags&flagQuiet != 0 || !h.isLive(c.open) {
		return
	}
	h.flags |= flagLive
	c.live++
	if h.lastT >= c.open {
		h.flags |= flagPast
		c.past++
	}
}

// closeDue closes the windows of a cluster that are complete, or have waited long enough.
func (s *Stream) closeDue(c *cluster) {
	for c.open != 0 && c.newest >= c.open {
		early, due := s.due(c)
		if !due {
			return
		}
		s.opts.Changing()
		if c.newest-c.open > jumpMs && s.skip(c) {
			continue
		}
		s.close(c, early)
	}
}

// due reports whether the open window is to be closed, and whether that is before its grace.
//
// A window is complete when every live series has a sample at or after its end. Nine tenths and more would not do: scrapes have
// fixed offsets, so the last per cent are the same targets every minute, and they would be missing every minute. Only late in the
// grace is a hundredth given up.
func (s *Stream) due(c *cluster) (early, due bool) {
	if c.live > 0 && c.past >= c.live && (c.open >= c.born+youngWindows*windowMs || min(c.newest, s.nowMs) >= c.open+youngWaitMs) {
		return true, true
	}
	// A backlog's shards run minutes of event time apart, though seconds of ours: they are given time by the receive clock too, as
	// far as the rings reach.
	grace, clock := s.opts.GraceMs, min(c.newest, s.nowMs)
	if c.newest < c.open+reachMs && s.nowMs < c.passed[window.Of(c.open)%shortRing]+grace*2/3 {
		return false, false
	}
	switch {
	case clock >= c.open+grace:
		return false, true
	case clock >= c.open+grace*3/4 && c.past*100 >= c.live*99:
		return true, true
	case c.newest >= c.open+grace && c.past*10 >= c.live*9:
		return true, true // the senders' clocks run ahead of ours
	}
	return false, false
}

// skip moves the open window over windows in which no series has anything, and reports whether there were any.
func (s *Stream) skip(c *cluster) bool {
	to := c.newest
	for _, id := range c.series {
		h := &s.hot[id]
		if h.flags&flagQuiet != 0 || h.lastT == 0 {
			continue
		}
		if h.lastT > c.open-windowMs-gapMs && h.lastT < c.open {
			return false // has died, but its last minutes are of use
		}
		if h.lastT < c.open {
			continue
		}
		n := uint32(h.ring)
		for w := max(h.head-min(h.head, n-1), window.Of(c.open)); w <= h.head && int64(w)*windowMs < to; w++ {
			if s.covered(id, w) {
				to = int64(w) * windowMs
			}
		}
	}
	to = int64(window.Of(to)) * windowMs
	if to <= c.open {
		return false
	}
	c.open = to
	c.born = to // as a new cluster: who is there has to show
	c.tick()
	c.sweepAt = max(c.sweepAt, to+sweepMs) // senders need time to show what has survived
	c.live, c.past = 0, 0
	for _, id := range c.series {
		c.count(&s.hot[id])
	}
	return true
}

// covered reports whether a series has something in the window w.
func (s *Stream) covered(id, w uint32) bool {
	h := &s.hot[id]
	n := uint32(h.ring)
	if no := s.cold[id].native; no != none && s.natives[no].Covers(w) {
		return true
	}
	for k := uint32(0); k < uint32(kindsOf(h.kinds)); k++ {
		if v := s.cells[h.cells+k*n+w%n]; v == v {
			return true
		}
	}
	return false
}

// close evaluates the open window and opens the next.
func (s *Stream) close(c *cluster, early bool) {
	s.depart(c, c.open)
	c.settle(s)
	c.tidyLists()
	s.bear(c)
	end := c.open
	changes := c.changes.Settle(end)
	c.windows++
	if early {
		c.early++
	} else {
		c.grace++
	}
	for _, n := range s.senders.List {
		if s.home(n, "") == c.name {
			n.Late.Closed(n.LastMs)
		}
	}
	// One pass: what has arrived, which bucket sets are whole, and who is to be waited for next.
	c.open += windowMs
	c.tick()
	c.live, c.past = 0, 0
	clear(s.kin)
	for _, id := range c.series {
		h := &s.hot[id]
		if m := s.cold[id].metric; h.lastT > c.arrived[m] {
			c.arrived[m] = h.lastT
		}
		if h.flags&flagBucket != 0 && h.isLive(end) {
			g := &s.groups[h.group]
			g.Meet(end, h.lastT)
			s.kin[g.kin] = max(s.kin[g.kin], g.N)
		}
		c.count(h)
	}
	s.raw, s.tops = s.raw[:0], s.tops[:0]
	s.input.Table, s.input.EndMs, s.input.Scope = c.table, end, c.one(identity.LabelCluster, c.name)
	s.current = evaluation{c: c, end: end, w: window.Of(end)}
	if s.fed == nil {
		s.fed = make([]int, len(s.leaves))
	}
	clear(s.fed)
	s.leaveOut(c, end)
	for i, r := range s.rules {
		st := &c.rules[i]
		st.form, st.series = s.formOf(c, r, 0, end), 0
		// Later forms answer for entities of which earlier ones have nothing: a service without a mesh beside those that are in it, a second kind of front door.
		var asked uint64 // forms
		for k := st.form; k >= 0; k = s.formOf(c, r, k+1, end) {
			if !r.forms[k].replaced(asked) {
				s.ask(c, uint32(i), k, end)
				asked |= 1 << min(k, 63)
			}
		}
	}
	s.measure(c, end)
	s.input.Finish()
	s.countAll()
	s.emit(c, end, changes)
}

// ask evaluates a form of a rule and makes observations of what it says.
func (s *Stream) ask(c *cluster, rule uint32, form int, end int64) {
	st, f := &c.rules[rule], &s.rules[rule].forms[form]
	if st.plans[form] == nil {
		st.plans[form] = f.plan.NewState()
	}
	s.current.form = f
	ps := st.plans[form]
	s.result = f.plan.Eval(ps, &s.input, s.result[:0])
	for _, l := range f.leaves {
		st.series += s.fed[s.leaves[l].selector]
	}
	s.stats.Incomplete += int64(ps.Unknown)
	s.stats.Conflicts += int64(ps.Conflicts)
	s.stats.Undefined += int64(ps.Undefined)
	s.observe(c, rule, form, end)
}

// tidyLists puts the binds of leaves in order of series again, so that sums do not depend on who came first.
func (c *cluster) tidyLists() {
	if !c.mixed {
		return
	}
	c.mixed = false
	for _, l := range c.lists {
		if !slices.IsSorted(l) {
			slices.Sort(l)
		}
	}
}

// tidy forgets what has been idle, and moves the series of senders whose cluster was decided anew.
func (s *Stream) tidy() {
	if s.limits.Full(s.Holds()) {
		s.Yield()
	}
	due := s.halves.Gone() != nil
	for _, c := range s.clusters {
		due = due || c.open != 0 && c.open >= c.sweepAt
	}
	if due {
		s.sweep()
	}
}
