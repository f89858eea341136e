package signal

import (
	"cmp"
	"math"
	"slices"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/room"
	"github.com/wrackline/wrackline/baseline/spelling"
)

// RoomOf returns what options allow in all.
func RoomOf(o StreamOptions) room.Room {
	st := StatsOf(o)
	return room.For(st.SeriesMax, st.SignalsMax, change.ObjectsMax)
}

// Holds returns what the stream holds.
func (s *Stream) Holds() room.Room {
	return room.Room{Keys: len(s.keys.List), Unneeded: len(s.keys.List), Tracked: len(s.hot), Signals: len(s.signalAt), Objects: s.changeCounts.Objects}
}

// Allow lets the stream take so much more than it holds, and no more than its own limits. A stream that was never told may take what its options say.
func (s *Stream) Allow(more room.Room) {
	all := RoomOf(s.opts)
	if n := s.opts.ClusterSeries; n > 0 {
		all = room.For(n, all.Signals, all.Objects)
	}
	if n := s.opts.ClusterSignals; n > 0 {
		all.Signals = n
	}
	s.limits.Allow(s.Holds(), more, all)
	s.changeCounts.Most = s.limits.Most().Objects
}

const silentMs = 5 * windowMs // when nothing has come for so long, a sender's series are those of whoever sends them now

// finds reports whether a sender may have one more of what is counted in a field.
func (s *Stream) finds(field int, from uint16) bool {
	if s.senders.Finds(&s.limits, field, s.Holds().Of(field), from) {
		return true
	}
	if field != room.Signals {
		s.short = field
	}
	return false
}

// giving is what senders give up.
type giving struct {
	series, signals map[uint32]bool
	unneeded        []int // by sender: keys
}

// Yield makes those who hold more than their share give up what others were given beyond the limits.
func (s *Stream) Yield() {
	over := s.limits.Over(s.Holds())
	s.limits.Begin()
	if over.Tracked+over.Unneeded+over.Signals == 0 {
		return
	}
	cuts := func(field int) []int { return s.senders.Cuts(&s.limits, field, over.Of(field)) }
	s.giving = giving{series: map[uint32]bool{}, signals: map[uint32]bool{}, unneeded: cuts(room.Unneeded)}
	s.giveSeries(cuts(room.Tracked))
	s.giveSignals(cuts(room.Signals))
	if len(s.giving.series)+len(s.giving.signals) > 0 || slices.ContainsFunc(s.giving.unneeded, func(n int) bool { return n > 0 }) {
		s.sweep()
	}
	s.giving = giving{}
}

// giveSeries chooses so many series of each sender: those that are silent, then those that came last.
func (s *Stream) giveSeries(cuts []int) {
	for _, silent := range [...]bool{true, false} {
		for id := len(s.hot) - 1; id >= 0; id-- {
			h, d := &s.hot[id], &s.cold[id]
			if cuts[d.sender] == 0 || silent != !h.isLive(s.clusters[h.cluster].newest) || s.giving.series[uint32(id)] {
				continue
			}
			s.giving.series[uint32(id)] = true
			cuts[d.sender]--
			s.senders.List[d.sender].Yielded++
			s.stats.Yielded++
		}
	}
}

// giveSignals chooses so many signals of each sender: those that have had no value for long, then those that came last.
func (s *Stream) giveSignals(cuts []int) {
	for _, c := range s.clusters {
		list := slices.Clone(s.sorted(c))
		rank := func(i uint32) int64 {
			if m := &s.marks[i]; m.at >= c.open-idleMs {
				return m.born
			}
			return math.MaxInt64
		}
		slices.SortStableFunc(list, func(a, b uint32) int { return cmp.Compare(rank(b), rank(a)) })
		for _, i := range list {
			if from := s.marks[i].sender; from != noSender && cuts[from] > 0 {
				s.giving.signals[i] = true
				cuts[from]--
				s.senders.List[from].Yielded++
			}
		}
	}
}

// takes makes a key, and its series, that of who sends it now when the one before has fallen silent: senders are renamed.
func (s *Stream) takes(k *spelling.Key, from uint16) {
	if k.Sender != noSender && s.senders.List[k.Sender].LastMs >= s.nowMs-silentMs {
		return
	}
	n := s.senders.List[from]
	if k.Series != none {
		s.touch(k.Series)
		if d := &s.cold[k.Series]; d.sender == k.Sender { // not of the other half of a pair
			s.senders.List[d.sender].Held.Tracked--
			d.sender = from
			n.Held.Tracked++
		}
	} else {
		if k.Sender != noSender {
			s.senders.List[k.Sender].Held.Unneeded--
		}
		n.Held.Unneeded++
	}
	k.Sender = from
}

// weigh counts what each sender holds.
func (s *Stream) weigh() {
	for _, n := range s.senders.List {
		n.Held = room.Room{}
	}
	for i := range s.cold {
		s.senders.List[s.cold[i].sender].Held.Tracked++
	}
	for i := range s.keys.List {
		if k := &s.keys.List[i]; k.Series == none && k.Sender != noSender {
			s.senders.List[k.Sender].Held.Unneeded++
		}
	}
	for i := range s.marks {
		if m := &s.marks[i]; m.rule != none && m.sender != noSender {
			s.senders.List[m.sender].Held.Signals++
		}
	}
}
