package signal

// Room counts what a stream holds of what is limited, or how much more of it there may be.
type Room struct {
	Keys     int // series as senders spell them: those of an HA pair count twice
	Unneeded int // the same, for series that no rule needs, which get less
	Tracked  int // series that rules need
	Signals  int
}

// RoomOf returns what options allow in all.
func RoomOf(o StreamOptions) Room {
	st := StatsOf(o)
	return Room{Keys: 2 * st.SeriesMax, Unneeded: st.SeriesMax, Tracked: st.SeriesMax, Signals: st.SignalsMax}
}

// Less returns what is left of r when o is held.
func (r Room) Less(o Room) Room {
	return Room{max(0, r.Keys-o.Keys), max(0, r.Unneeded-o.Unneeded), max(0, r.Tracked-o.Tracked), max(0, r.Signals-o.Signals)}
}

// Plus returns the sum.
func (r Room) Plus(o Room) Room {
	return Room{r.Keys + o.Keys, r.Unneeded + o.Unneeded, r.Tracked + o.Tracked, r.Signals + o.Signals}
}

// Part returns the n-th part, rounded up.
func (r Room) Part(n int) Room {
	return Room{(r.Keys + n - 1) / n, (r.Unneeded + n - 1) / n, (r.Tracked + n - 1) / n, (r.Signals + n - 1) / n}
}

// Holds returns what the stream holds.
func (s *Stream) Holds() Room { return Room{len(s.keys), len(s.keys), len(s.hot), len(s.signalAt)} }

// Allow lets the stream take so much more than it holds. A stream that was never told may take what its options say.
func (s *Stream) Allow(more Room) { s.most = s.Holds().Plus(more) }
