package signal

import (
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/room"
)

// UnneededShare is how many series that no signal needs there may be for each that one may need: they cost a key, some 32 bytes, and those cost rings and models.
const UnneededShare = 10

// keysOf returns how many keys there may be where n series may be tracked: in all, and of these for series that no rule needs. A tracked series of an HA pair has two.
func keysOf(n int) (keys, unneeded int) { return (UnneededShare + 2) * n, UnneededShare * n }

// RoomOf returns what options allow in all.
func RoomOf(o StreamOptions) room.Room {
	st := StatsOf(o)
	keys, unneeded := keysOf(st.SeriesMax)
	return room.Room{Keys: keys, Unneeded: unneeded, Tracked: st.SeriesMax, Signals: st.SignalsMax, Objects: change.ObjectsMax}
}

// Holds returns what the stream holds.
func (s *Stream) Holds() room.Room {
	return room.Room{Keys: len(s.keys.List), Unneeded: len(s.keys.List), Tracked: len(s.hot), Signals: len(s.signalAt), Objects: s.changeCounts.Objects}
}

// Allow lets the stream take so much more than it holds, and no more than its own limits. A stream that was never told may take what its options say.
func (s *Stream) Allow(more room.Room) {
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
