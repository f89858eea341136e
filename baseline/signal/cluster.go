package signal

import (
	"math"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

// When windows close.
const (
	jumpMs       = 10 * windowMs      // when samples are so far ahead of the open window, empty windows are looked for
	reachMs      = 3 * windowMs       // the rings of a series hold so much beyond the open window
	formMs       = 10 * windowMs      // a metric has arrived when it was seen within this
	absentMs     = 24 * 60 * windowMs // … and one that only absent() asks for when it was seen within this
	missingMax   = 10                 // a value with more than a tenth of its series missing is none
	youngWindows = 2                  // so many windows of a new cluster wait a little although all known series are past them: others may
	youngWaitMs  = 20_000             // only be on their way. Somebody who has just pasted the block wants to see bands, and they are provisional
)

// cluster is one cluster's windows, identity and rules.
type cluster struct {
	name  string
	table *promql.Table
	tidyN int // sets in table after it was last made anew

	series []uint32   // in hot, in order
	lists  [][]uint32 // by leaf: binds, in order of series
	rules  []ruleState
	order  []uint32 // signals of the cluster, sorted by id
	fresh  int      // new ones at the end of order, unsorted

	open       int64            // end of the open window, Unix milliseconds; 0 = no sample yet
	born       int64            // the first one
	newest     int64            // newest sample
	passed     [shortRing]int64 // receive clock when newest passed a window's end, by its number
	live, past int              // series with flagLive, and those of them with flagPast
	sweepAt    int64
	arrived    []int64 // by metric: newest sample of a tracked series, when the last window closed
	asked      []int64 // by leaf: end of the window that was open when a change of rules brought it; 0 = it was always there
	mixed      bool    // lists are not in order
	windows    int64
	early      int64
	grace      int64

	book    *identity.Book
	podHead []uint32 // by pod of the book: its newest series, none
	changes *change.Tracker
	scratch series.Labels
}

// ruleState is a rule in a cluster.
type ruleState struct {
	form    int // in use; −1 = dormant
	plans   []*promql.State
	signals map[uint32]uint32 // labelTable id → Signal.Index
	series  int               // elements that the form's leaves gave in the last window
}

// mark is what a stream remembers of a signal between windows.
type mark struct {
	rule    uint32 // in Stream.rules
	cluster uint16
	members int32
	at      int64 // end of the window that members is of
	pos     uint32
	stamp   int64 // end of the window that pos is of
}

// evaluation is the rule and window being evaluated.
type evaluation struct {
	c    *cluster
	form *form
	end  int64
	w    uint32
}

// cluster returns the number of a cluster, made when it is new.
func (s *Stream) cluster(name string) (uint16, error) {
	if i, ok := s.clusterAt[name]; ok {
		return i, nil
	}
	if len(s.clusters) >= ClustersMax {
		return 0, errOverClusters
	}
	return s.makeCluster(strings.Clone(name)), nil
}

func (s *Stream) makeCluster(name string) uint16 {
	c := &cluster{
		name: name, table: promql.NewTable(), lists: make([][]uint32, len(s.leaves)), rules: make([]ruleState, len(s.rules)),
		arrived: make([]int64, len(s.metrics)), asked: make([]int64, len(s.leaves)),
	}
	c.book = identity.NewBook(c.table.Word)
	c.changes = change.NewTracker(change.Deps{Cluster: name, Book: c.book, Words: c.table.Word, Counts: s.changeCounts})
	c.bind(s)
	for i, r := range s.rules {
		c.rules[i] = ruleState{form: -1, plans: make([]*promql.State, len(r.forms)), signals: map[uint32]uint32{}}
	}
	i := uint16(len(s.clusters))
	s.clusters = append(s.clusters, c)
	s.clusterAt[name] = i
	return i
}

// begin opens the first window, the one that t lies in.
func (c *cluster) begin(t int64) {
	c.open = int64(minute(t)) * windowMs
	c.born = c.open
	c.tick()
	c.sweepAt = c.open + sweepMs
}

// bind makes the cluster ask s, after s has been made or copied.
func (c *cluster) bind(s *Stream) {
	c.changes.Asks(func(pod uint32, t int64, alive bool) bool { return c.heard(s, pod, t, alive) })
}

// tick tells the rooms of the cluster what time it is.
func (c *cluster) tick() {
	c.book.Tick(c.open, c.born)
	c.changes.Tick(c.open)
}

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
	if h.flags&(flagStale|flagQuiet) != 0 || h.lastT <= c.open-liveMs {
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
	if c.newest < c.open+reachMs && s.nowMs < c.passed[minute(c.open)%shortRing]+grace*2/3 {
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
		for w := max(h.head-min(h.head, n-1), minute(c.open)); w <= h.head && int64(w)*windowMs < to; w++ {
			if s.covered(id, w) {
				to = int64(w) * windowMs
			}
		}
	}
	to = int64(minute(to)) * windowMs
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
	if no := s.cold[id].native; no != none && w <= s.natives[no].head && s.natives[no].rows[w%n].Covered() {
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
	c.settle(s)
	c.tidyLists()
	end := c.open
	changes := c.changes.Settle(end)
	c.windows++
	if early {
		c.early++
	} else {
		c.grace++
	}
	for _, n := range s.senders {
		if n.home(s, n.major) == c.name {
			n.closed()
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
		if h.flags&flagBucket != 0 && h.lastT > end-liveMs {
			g := &s.groups[h.group]
			g.meet(end, h.lastT)
			s.kin[g.kin] = max(s.kin[g.kin], g.n)
		}
		c.count(h)
	}
	s.raw, s.tops = s.raw[:0], s.tops[:0]
	s.input.Table, s.input.EndMs, s.input.Scope = c.table, end, c.one(identity.LabelCluster, c.name)
	s.current = evaluation{c: c, end: end, w: minute(end)}
	if s.fed == nil {
		s.fed = make([]int, len(s.leaves))
	}
	clear(s.fed)
	for i, r := range s.rules {
		st := &c.rules[i]
		st.form = s.formOf(c, r, end)
		st.series = 0
		if st.form < 0 {
			continue
		}
		f := &r.forms[st.form]
		if st.plans[st.form] == nil {
			st.plans[st.form] = f.plan.NewState()
		}
		s.current.form = f
		ps := st.plans[st.form]
		s.result = f.plan.Eval(ps, &s.input, s.result[:0])
		for _, l := range f.leaves {
			st.series += s.fed[s.leaves[l].selector]
		}
		s.stats.Incomplete += int64(ps.Unknown)
		s.stats.Conflicts += int64(ps.Conflicts)
		s.stats.Undefined += int64(ps.Undefined)
		s.observe(c, uint32(i), end)
	}
	s.input.Finish()
	s.emit(c, end, changes)
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

// formOf returns the first form of a rule whose metrics have all arrived, −1 when there is none.
func (s *Stream) formOf(c *cluster, r *ruleForms, end int64) int {
next:
	for i := range r.forms {
		for j, l := range r.forms[i].leaves {
			if !s.hasArrived(c, &r.forms[i], j, end) || c.asked[l] != 0 && end <= c.asked[l]+askedWaitMs {
				continue next
			}
		}
		return i
	}
	return -1
}

// hasArrived reports whether the metric of a form's leaf is there at the end of a window. One that only absent() asks was there within the last day.
func (s *Stream) hasArrived(c *cluster, f *form, leaf int, end int64) bool {
	within := int64(formMs)
	if !f.plan.Needed[leaf] {
		within = absentMs
	}
	t := s.arrivedAt(c, f, leaf)
	return t != 0 && t > end-within
}

// arrivedAt returns the newest sample of the metric of a form's leaf, or of the native histogram that stands in for it.
func (s *Stream) arrivedAt(c *cluster, f *form, leaf int) int64 {
	if s.leaves[f.leaves[leaf]].own {
		return c.open // it is always there, though it may have no values
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
		live := h.flags&flagStale == 0 && h.lastT > ev.end-liveMs
		behind := live && h.lastT < ev.end
		if lp.Bucket && h.group != none {
			if g := &s.groups[h.group]; !g.whole(ev.end, lp.Windows, s.kin[g.kin]) {
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
		v, gaps := s.read(h, lp.Leaf, ev.w)
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

// observe turns a rule's result into observations.
func (s *Stream) observe(c *cluster, rule uint32, end int64) {
	r := s.rules[rule]
	for i := range s.result {
		e := &s.result[i]
		if e.Missing*missingMax > e.Members+e.Missing {
			s.stats.Incomplete++
			continue
		}
		if e.V-e.V != 0 {
			continue
		}
		if e.Events < r.MinEvents { // false when they are not counted
			s.stats.FewEvents++
			continue
		}
		idx, ok := c.rules[rule].signals[e.Set]
		if !ok {
			if idx, ok = s.newSignal(c, rule, e.Set); !ok {
				s.stats.OverSignals++
				continue
			}
		}
		if idx == none {
			s.stats.Disabled++
			continue
		}
		m := &s.marks[idx]
		o := Observation{Signal: s.signals[idx], Value: e.V, Members: int(e.Members), Expected: int(e.Members + e.Missing)}
		if e.Events == e.Events {
			o.Events = e.Events
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
		m.members, m.at = e.Members, end
		m.pos, m.stamp = uint32(len(s.raw)), end
		s.raw = append(s.raw, o)
	}
}

// newSignal makes the signal of a rule and an entity.
func (s *Stream) newSignal(c *cluster, rule, ls uint32) (uint32, bool) {
	r := s.rules[rule]
	entity := slices.Clone(c.table.Labels(ls))
	asked := r.Of(entity)
	if asked == nil { // an override switches it off for this entity
		c.rules[rule].signals[ls] = none
		return none, true
	}
	id := MakeID(r.Name, entity)
	sig := s.signalAt[id]
	if sig == nil {
		if len(s.signalAt) >= s.opts.MaxSignals {
			return 0, false
		}
		sig = s.addSignal(&Signal{ID: id, Rule: asked, Entity: entity}, rule, s.clusterAt[c.name])
		c.order = append(c.order, sig.Index)
		c.fresh++
	}
	c.rules[rule].signals[ls] = sig.Index
	return sig.Index, true
}

func (s *Stream) addSignal(sig *Signal, rule uint32, ci uint16) *Signal {
	if n := len(s.signalNo); n > 0 {
		sig.Index = s.signalNo[n-1]
		s.signalNo = s.signalNo[:n-1]
	} else {
		sig.Index = uint32(len(s.signals))
		s.signals, s.marks = append(s.signals, nil), append(s.marks, mark{})
	}
	s.signals[sig.Index], s.marks[sig.Index] = sig, mark{rule: rule, cluster: ci}
	s.signalAt[sig.ID] = sig
	return sig
}

// emit hands the window on, its observations sorted by id.
func (s *Stream) emit(c *cluster, end int64, changes []change.Change) {
	s.out = s.out[:0]
	for _, i := range s.sorted(c) {
		if m := &s.marks[i]; m.stamp == end {
			s.out = append(s.out, s.raw[m.pos])
		}
	}
	s.window = Window{Cluster: c.name, End: end, ClosedMs: s.nowMs, Observations: s.out, Changes: changes}
	s.closed(&s.window)
}

// tidy forgets what has been idle, and moves the series of senders whose cluster was decided anew.
func (s *Stream) tidy() {
	due := len(s.rehome) > 0
	for _, c := range s.clusters {
		due = due || c.open != 0 && c.open >= c.sweepAt
	}
	if due {
		s.sweep()
	}
}
