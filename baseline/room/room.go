// Package room is how much is held of what is limited, or may be: arithmetic.
package room

// Room counts what is held of what is limited, or how much more of it there may be. The zero value is nothing.
type Room struct {
	Keys     int // series as senders spell them: those of an HA pair count twice
	Unneeded int // the same, for series that no rule needs, which leave room for the others
	Tracked  int // series that rules need
	Signals  int
	Objects  int // that are watched for changes
}

// UnneededShare is how many series that no signal needs there may be for each that one may need: they cost a key, some 32 bytes, and those cost rings and models.
const UnneededShare = 10

// For returns the room for so many series that rules need, signals, and objects. A series of an HA pair has two keys.
func For(tracked, signals, objects int) Room {
	return Room{(UnneededShare + 2) * tracked, UnneededShare * tracked, tracked, signals, objects}
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

// Choose returns, of what is counted in each of two rooms, a where pick says so and b elsewhere.
func Choose(a, b Room, pick func(field int) bool) (r Room) {
	from := [2][Fields]*int{a.fields(), b.fields()}
	for i, f := range r.fields() {
		*f = *from[1][i]
		if pick(i) {
			*f = *from[0][i]
		}
	}
	return r
}

// The fields of a room by number, as Choose and Beneath have them.
const (
	Keys = iota
	Unneeded
	Tracked
	Signals
	Objects
	Fields
)

func (r *Room) fields() [Fields]*int {
	return [...]*int{&r.Keys, &r.Unneeded, &r.Tracked, &r.Signals, &r.Objects}
}

// Of returns field i.
func (r Room) Of(i int) int { return *r.fields()[i] }

// Beneath reports whether field i of r is less than that of o.
func (r Room) Beneath(o Room, i int) bool { return r.Of(i) < o.Of(i) }
