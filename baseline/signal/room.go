package signal

import "github.com/wrackline/wrackline/baseline/change"

// Room counts what a stream holds of what is limited, or how much more of it there may be.
type Room struct {
	Keys     int // series as senders spell them: those of an HA pair count twice
	Unneeded int // the same, for series that no rule needs, which leave room for the others
	Tracked  int // series that rules need
	Signals  int
	Objects  int // that are watched for changes
}

// UnneededShare is how many series that no signal needs there may be for each that one may need: they cost a key, some 32 bytes, and those cost rings and models.
const UnneededShare = 10

// keysOf returns how many keys there may be where n series may be tracked: in all, and of these for series that no rule needs. A tracked series of an HA pair has two.
func keysOf(n int) (keys, unneeded int) { return (UnneededShare + 2) * n, UnneededShare * n }

// RoomOf returns what options allow in all.
func RoomOf(o StreamOptions) Room {
	st := StatsOf(o)
	keys, unneeded := keysOf(st.SeriesMax)
	return Room{Keys: keys, Unneeded: unneeded, Tracked: st.SeriesMax, Signals: st.SignalsMax, Objects: change.ObjectsMax}
}

// Less returns what is left of r when o is held.
func (r Room) Less(o Room) Room {
	return Room{max(0, r.Keys-o.Keys), max(0, r.Unneeded-o.Unneeded), max(0, r.Tracked-o.Tracked), max(0, r.Signals-o.Signals), max(0, r.Objects-o.Objects)}
}

// Plus returns the sum.
func (r Room) Plus(o Room) Room {
	return Room{r.Keys + o.Keys, r.Unneeded + o.Unneeded, r.Tracked + o.Tracked, r.Signals + o.Signals, r.Objects + o.Objects}
}

// Part returns the n-th part, rounded up.
func (r Room) Part(n int) Room {
	return Room{(r.Keys + n - 1) / n, (r.Unneeded + n - 1) / n, (r.Tracked + n - 1) / n, (r.Signals + n - 1) / n, (r.Objects + n - 1) / n}
}

// Holds returns what the stream holds.
func (s *Stream) Holds() Room {
	return Room{len(s.keys), len(s.keys), len(s.hot), len(s.signalAt), s.changeCounts.Objects}
}

// Choose returns, of what is counted in each of two rooms, a where pick says so and b elsewhere.
func Choose(a, b Room, pick func(field int) bool) (r Room) {
	from := [2][]*int{a.fields(), b.fields()}
	for i, f := range r.fields() {
		*f = *from[1][i]
		if pick(i) {
			*f = *from[0][i]
		}
	}
	return r
}

func (r *Room) fields() []*int {
	return []*int{&r.Keys, &r.Unneeded, &r.Tracked, &r.Signals, &r.Objects}
}

// Beneath reports whether field i of r is less than that of o; fields are numbered as Choose does.
func (r Room) Beneath(o Room, i int) bool { return *r.fields()[i] < *o.fields()[i] }

// Allow lets the stream take so much more than it holds, and no more than its own limits. A stream that was never told may take what its options say.
func (s *Stream) Allow(more Room) {
	s.most = s.Holds().Plus(more)
	if n := s.opts.ClusterSeries; n > 0 {
		keys, unneeded := keysOf(n)
		s.most.Keys, s.most.Unneeded, s.most.Tracked = min(s.most.Keys, keys), min(s.most.Unneeded, unneeded), min(s.most.Tracked, n)
	}
	if n := s.opts.ClusterSignals; n > 0 {
		s.most.Signals = min(s.most.Signals, n)
	}
	s.changeCounts.Most = s.most.Objects
}
