package signal

import (
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/room"
)

// retire drops the signals that have had no value for so long that nobody can see them any more: they would use up the limit for ever. A cluster that comes back after a long silence has an hour to show what is left of it.
func (s *Stream) retire() {
	limit := s.eventMs - s.opts.RetireMs
	for _, c := range s.clusters {
		if s.eventMs < c.born+idleMs && len(s.giving.signals) == 0 {
			continue
		}
		kept := c.order[:0]
		for _, i := range c.order {
			m := &s.marks[i]
			if m.at > limit && !s.giving.signals[i] && !s.passing(c, i) {
				kept = append(kept, i)
				continue
			}
			// Two label sets can be one entity after the table was made anew, so the map is searched by value.
			r := c.rules[m.rule].signals
			for ls, j := range r {
				if j == i {
					delete(r, ls)
				}
			}
			delete(s.signalAt, s.signals[i].ID)
			s.signals[i] = nil
			*m = mark{rule: none, sender: noSender}
			s.signalNo = append(s.signalNo, i)
			s.stats.Retired++
		}
		c.order = kept
	}
}

// passing reports whether a signal was of a short-lived pod that has been gone for a day: nobody will ask for what was learned in so little time.
func (s *Stream) passing(c *cluster, i uint32) bool {
	m, e := &s.marks[i], s.signals[i].Entity
	w := e.Get(identity.LabelWorkload)
	return m.at <= s.eventMs-passedMs && m.at-m.born < passedMs && w != "" && identity.Many(w) && !c.book.Knows(e.Get(identity.LabelNamespace), w)
}

// sorted returns the signals of a cluster by id.
func (s *Stream) sorted(c *cluster) []uint32 {
	if c.fresh > 0 {
		slices.SortFunc(c.order, func(a, b uint32) int { return strings.Compare(s.signals[a].ID, s.signals[b].ID) })
		c.fresh = 0
	}
	return c.order
}

// InOrder calls yield for every signal, in an order that does not depend on when numbers were given out.
func (s *Stream) InOrder(yield func(*Signal) bool) {
	for _, c := range s.clusters {
		for _, i := range s.sorted(c) {
			if !yield(s.signals[i]) {
				return
			}
		}
	}
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

// mark is what a stream remembers of a signal between windows.
type mark struct {
	rule    uint32 // in Stream.rules
	cluster uint16
	form    uint8  // of the rule, that gave the newest value
	sender  uint16 // of the series that weighs most in its newest value; noSender = none does
	members int32
	born    int64 // end of the window that it began with; 0 = it was long ago
	at      int64 // end of the window that members is of
	pos     uint32
	stamp   int64 // end of the window that pos is of
}

// newSignal makes the signal of a rule and an entity.
func (s *Stream) newSignal(c *cluster, rule, ls uint32, from uint16) (uint32, bool) {
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
		if !s.finds(room.Signals, from) {
			return 0, false
		}
		sig = s.addSignal(&Signal{ID: id, Rule: asked, Entity: entity}, rule, s.clusterAt[c.name])
		s.marks[sig.Index].born = s.current.end
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
	s.signals[sig.Index], s.marks[sig.Index] = sig, mark{rule: rule, cluster: ci, sender: noSender}
	s.signalAt[sig.ID] = sig
	return sig
}
