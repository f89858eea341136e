package signal

import (
	"math"
	"slices"

	"github.com/wrackline/wrackline/baseline/asked"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/window"
)

// How long what has only just been asked for is given to show itself, milliseconds of event time.
const (
	askedWaitMs  = windowMs      // a form with a new leaf gives no value for two windows: not everybody it selects has been seen
	askedYoungMs = 10 * windowMs // a series that only new leaves take is not new because we see it for the first time
)

// asks lists what the stream asks, by number.
func (s *Stream) asks() (l asked.List) {
	for _, m := range s.metrics {
		l.Metrics = append(l.Metrics, m.name)
	}
	for _, p := range s.leaves {
		l.Leaves = append(l.Leaves, asked.Leaf{Spec: p.spec, Metric: p.metric})
	}
	for _, r := range s.rules {
		l.Rules = append(l.Rules, asked.Rule{Name: r.Name, Exprs: r.Exprs, Was: r.Was})
	}
	return l
}

// present reads the number of a thing of the state and returns the present one, none when there is none.
func (r *stateReader) present(of []uint32) uint32 {
	i := r.Num(len(of) - 1)
	if r.Err() != nil {
		return none
	}
	return of[i]
}

// refit gives a restored series, the newest, what the present rules need: the leaves that go on are there, those that are new
// get their place but do not take part before resolve has seen the labels, and rings are made, moved or left out. It reports
// false when no rule can need the series.
func (s *Stream) refit(h *tracked, d *cold, b *asked.Book) bool {
	if d.metric == none {
		return false
	}
	id := uint32(len(s.hot))
	for _, li := range b.Fresh[d.metric] {
		if d.nbinds == math.MaxUint16 {
			break
		}
		s.binds = append(s.binds, bind{series: id, leaf: li, static: none, ls: none})
		d.nbinds++
	}
	var kinds, size uint8
	var flags uint16
	for _, bd := range s.binds[d.binds : d.binds+uint32(d.nbinds)] {
		lp := s.leaves[bd.leaf]
		kinds |= lp.kinds
		size = max(size, lp.ring)
		flags |= lp.flags()
	}
	if kinds == 0 && flags&flagNative == 0 && !s.metrics[d.metric].speaks() {
		return false
	}
	old := *h
	h.flags &^= (flagNative | flagBucket) &^ flags // resolve sets those that are new
	if h.flags&flagNative == 0 {
		s.dropNative(d)
	}
	if kinds == h.kinds && size == h.ring && h.flags == old.flags {
		return true
	}
	// What was not kept is not known: until it is, values that need it are counted as missing.
	const sums = kindIncrease | kindChanges
	if h.lastT != 0 {
		if kinds&^h.kinds&sums != 0 {
			h.anchor = max(h.anchor, uint32(h.lastT/1000))
		} else if size > h.ring && (kinds&sums != 0 || h.flags&flagNative != 0) {
			h.anchor = max(h.anchor, uint32(max(0, int64(h.head)-int64(h.ring))*windowMs/1000))
		}
	}
	oldCells := slices.Clone(s.cells[h.cells:])
	s.cells = s.cells[:h.cells]
	h.kinds, h.ring = kinds, size
	for range kindsOf(kinds) * int(size) {
		s.cells = append(s.cells, math.NaN())
	}
	was := uint32(old.ring)
	for k := kinds & old.kinds; k != 0; k &= k - 1 {
		kind := k & -k
		from := oldCells[uint32(kindsOf(old.kinds&(kind-1)))*was:][:was]
		window.Move(s.ring(h, kind), from, h.head)
	}
	if d.native != none {
		s.buckets -= s.natives[d.native].Room()
		s.natives[d.native].Resize(size)
		s.buckets += s.natives[d.native].Room()
	}
	h.flags &^= flagQuiet
	if kinds == 0 && h.flags&flagNative == 0 {
		h.flags = h.flags&^(flagLive|flagPast) | flagQuiet
	} else if old.flags&flagQuiet != 0 {
		s.clusters[h.cluster].count(h)
	}
	return true
}

// unresolved reports whether a series has leaves of which it is not known yet whether they select it. They are its last.
func (s *Stream) unresolved(d *cold) bool {
	return d.nbinds > 0 && s.binds[d.binds+uint32(d.nbinds)-1].static == none
}

// resolve decides which of the new leaves select a series, now that its labels are at hand.
func (s *Stream) resolve(id uint32, l series.Labels) {
	s.touch(id)
	h, d := &s.hot[id], &s.cold[id]
	c, m := s.clusters[h.cluster], s.metrics[d.metric]
	view := identity.View{Labels: l, Cluster: c.name}
	end := d.binds + uint32(d.nbinds)
	at := d.binds
	for at < end && s.binds[at].static != none {
		at++
	}
	was, base := h.flags, ""
	for i := at; i < end; i++ {
		li := s.binds[i].leaf
		lp := s.leaves[li]
		if !view.Match(lp.static) {
			continue
		}
		s.binds[at] = bind{series: id, leaf: li, static: c.static(lp, &view), ls: none}
		c.lists[li] = append(c.lists[li], at)
		c.mixed = true
		h.flags |= lp.flags()
		base = lp.histogram(base)
		at++
	}
	d.nbinds = uint16(at - d.binds)
	if base != "" && h.group == none {
		h.group = s.bucketSet(s.printOfHistogram(s.senders.List[d.sender].Fixed, l, base), view.Kin(base))
		s.touchGroup(h.group)
		if g := &s.groups[h.group]; h.lastT > g.LastT {
			g.LastT, g.replica = h.lastT, h.replica
		}
	}
	if h.flags&^was&flagNative != 0 {
		if h.lastT != 0 {
			h.anchor = max(h.anchor, uint32(h.lastT/1000)) // its histograms have not been read until now
		}
		if h.flags&flagQuiet != 0 {
			h.flags &^= flagQuiet
			c.count(h)
		}
	}
	if h.counts() && d.target == none {
		d.target = s.targets.Hold(view.Target())
		s.touchTarget(d.target)
		if h.lastT != 0 {
			s.targets.Since(d.target, h.lastT)
		}
	}
	c.placeOf(s, id, m, &view)
	c.project(s, id)
}

// asked returns since when the leaves of a series have been asked for, 0 when one of them has been from the start.
func (s *Stream) asked(c *cluster, d *cold) int64 {
	t := int64(math.MaxInt64)
	for _, b := range s.binds[d.binds : d.binds+uint32(d.nbinds)] {
		t = min(t, c.asked[b.leaf])
	}
	if t == math.MaxInt64 {
		return 0
	}
	return t
}

// recount counts anew who needs the bucket sets, and drops those that nobody does.
func (s *Stream) recount() {
	for i := range s.groups {
		s.groups[i].refs = 0
	}
	for id := range s.hot {
		if g := s.hot[id].group; g != none {
			s.groups[g].refs++
		}
	}
	for i := range s.groups {
		if s.groups[i].refs == 0 {
			s.dropGroup(uint32(i))
		}
	}
}
