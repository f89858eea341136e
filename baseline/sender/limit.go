package sender

import (
	"fmt"

	"github.com/wrackline/wrackline/baseline/room"
	"github.com/wrackline/wrackline/baseline/series"
)

const (
	// overdraft is the part of a limit by which senders that have less than their share may pass it until others make room: that costs a walk over all series, so it is made for many at a time.
	overdraft = 16
	pairPart  = 4 // of what a replica sends the other one has sent at least this part
)

// Limits are what a stream may hold, and how its senders share that. The zero value allows nothing.
type Limits struct {
	most   room.Room
	scarce [room.Fields]bool // there is no more before somebody gives something up
	claims [room.Fields]claim
}

// claim is how much more of a field a sender may have although there is no room; it holds until somebody else asks, within one request.
type claim struct {
	from  uint16
	valid bool
	left  int
}

// Allow lets a stream that holds so much take more, and no more than all in the end.
func (l *Limits) Allow(holds, more, all room.Room) {
	most := holds.Plus(more)
	l.most = room.Choose(most, all, func(i int) bool { return most.Beneath(all, i) })
	l.Stay(holds)
	for i := range l.scarce {
		l.scarce[i] = !l.most.Beneath(all, i) || more.Of(i) <= l.most.Of(i)/overdraft
	}
}

// Stay raises what is allowed to what is held: what is known goes on.
func (l *Limits) Stay(holds room.Room) {
	l.most = room.Choose(l.most, holds, func(i int) bool { return holds.Beneath(l.most, i) })
}

// Most returns what may be held.
func (l *Limits) Most() room.Room { return l.most }

// Over returns what is held beyond the limits.
func (l *Limits) Over(holds room.Room) room.Room { return holds.Less(l.most) }

// Begin makes senders show anew that they have less than their share: call it when a request begins, and when room was made.
func (l *Limits) Begin() { clear(l.claims[:]) }

func (l *Limits) beyond(field int) int {
	n := l.most.Of(field)
	return n + max(1, n/overdraft)
}

// Full reports whether so much is held beyond the limits that room is to be made.
func (l *Limits) Full(holds room.Room) bool {
	for _, f := range [...]int{room.Unneeded, room.Tracked, room.Signals} {
		if holds.Of(f) >= l.beyond(f) {
			return true
		}
	}
	return false
}

// Finds reports whether a sender may have one more of what is counted in a field, of which the stream holds n: while there is room, and when there is none, as long as it has
// less than its share. Then others must give up as much.
func (b *Book) Finds(l *Limits, field, n int, from uint16) bool {
	if n < l.most.Of(field) {
		return true
	}
	if !l.scarce[field] || from == None || n >= l.beyond(field) {
		return false
	}
	x := &l.claims[field]
	if !x.valid || x.from != from {
		*x = claim{from, true, b.divide(l, field, int(from)).Left(int(from))}
	}
	x.left--
	return x.left >= 0
}

// divide says who may hold how much of what is counted in a field.
func (b *Book) divide(l *Limits, field, asker int) *room.Division {
	list := make([]room.Holder, len(b.List))
	for i, n := range b.List {
		list[i] = room.Holder{Held: n.Held, SinceMs: n.FirstMs, HeardMs: n.LastMs, Twin: -1}
		if n.Twin != None && n.Duplicate*pairPart >= n.Needed {
			list[i].Twin = int(n.Twin)
		}
	}
	return room.Divide(list, field, asker, l.most.Of(field))
}

// Cuts returns how much of a field each sender gives up so that there are over fewer.
func (b *Book) Cuts(l *Limits, field, over int) []int {
	if over <= 0 {
		return make([]int, len(b.List))
	}
	return b.divide(l, field, -1).Cuts(over)
}

// Whose says how much of what is counted in a field a sender holds, and how much it may; "" for no field, which is below 0.
func (b *Book) Whose(l *Limits, field int, from uint16) string {
	if field < 0 {
		return ""
	}
	share, held := b.divide(l, field, int(from)).Share(int(from))
	return fmt.Sprintf("; sender %s holds %d of them, and its share is %d", series.Clean(b.List[from].Name, 80), held, share)
}
