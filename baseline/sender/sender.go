// Package sender is who pushes to a stream: what came of each, and how they share what the stream may hold.
package sender

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/room"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/spelling"
	"github.com/wrackline/wrackline/baseline/tally"
)

const (
	most  = 1000              // senders told apart; further ones are one
	few   = most / 8          // names that must have been heard in passing for it to be worth a walk over all series to make them one
	other = "other"           // the name of those that are one
	None  = spelling.NoSender // the number of nobody
	noKey = ^uint32(0)
)

// Sender is whoever pushes to us: a Prometheus, an agent. Counts are of samples, since the state began.
type Sender struct {
	Name, Fixed string // Fixed is the cluster that its token or path fixes; "" when labels decide
	Salt        uint64 // distinguishes the keys of fixed clusters: label bytes may be the same in two of them
	First       uint32 // the key that began its last request

	Past Past // of a state of several clusters

	Replica                                               string
	Samples, Needed, Accepted, Duplicate, Tardy, Rejected int64
	FirstMs, LastMs, LastT                                int64
	UsedMs                                                int64 // receive clock of its newest request of which a sample was used
	Used                                                  bool  // of the request under way

	Held    room.Room // what is unneeded and tracked, and signals; its owner counts
	Yielded int64     // series and signals given up since others had less than their share
	Twin    uint16    // who had sent a series of it before, None = nobody: they are a pair if most are so

	Late tally.Lateness
}

// Past is what a stream of several clusters knew of where a sender's series belong: states before format 8 have it. Package route decides that now.
type Past struct {
	Major string // the value most of its series carry; "" = none
	Done  bool   // Major is decided
	Real  []string
}

type key struct{ name, fixed string }

// Book holds the senders of a stream, in order of appearance. Call Reset before use.
type Book struct {
	List []*Sender
	at   map[key]uint16
	salt series.Salt
}

// Reset forgets everybody. salt is what keys are made with.
func (b *Book) Reset(salt series.Salt) { *b = Book{at: map[key]uint16{}, salt: salt} }

// Of returns who sent a batch, and the number.
func (b *Book) Of(batch *series.Batch) (*Sender, uint16) {
	k := key{batch.Sender, batch.Cluster}
	if i, ok := b.at[k]; ok {
		return b.List[i], i
	}
	if len(b.List) >= most {
		// One record for the rest of each fixed cluster would still be without bound; the cluster is what must stay right.
		k.name = other
		if i, ok := b.at[k]; ok {
			return b.List[i], i
		}
	}
	return b.add(strings.Clone(k.name), strings.Clone(k.fixed))
}

// Find returns the number of a sender.
func (b *Book) Find(name, fixed string) (uint16, bool) {
	i, ok := b.at[key{name, fixed}]
	return i, ok
}

func (b *Book) add(name, fixed string) (*Sender, uint16) {
	n := &Sender{Name: name, Fixed: fixed, First: noKey, Twin: None}
	if fixed != "" {
		d := b.salt.Derive("fixed cluster " + fixed)
		n.Salt = binary.LittleEndian.Uint64(d[:]) | 1
	}
	i := uint16(len(b.List))
	b.List = append(b.List, n)
	b.at[key{name, fixed}] = i
	return n, i
}

// Seen notes a request at a time of the receive clock.
func (n *Sender) Seen(ms int64) {
	if n.FirstMs == 0 {
		n.FirstMs = ms
	}
	n.LastMs = max(n.LastMs, ms)
	n.Late.Begin(tally.Arrivals{Needed: n.Needed, Late: n.Tardy})
}

// HeardMs returns when the newest request came, receive clock, Unix milliseconds; 0 = none has.
func (b *Book) HeardMs() (heard int64) {
	for _, n := range b.List {
		heard = max(heard, n.LastMs)
	}
	return heard
}

// TurnBack lets nothing stay that lies behind now, receive clock, and no sample behind limit.
func (b *Book) TurnBack(now, limit int64) {
	for _, n := range b.List {
		n.FirstMs, n.LastMs, n.LastT = min(n.FirstMs, now), min(n.LastMs, now), min(n.LastT, limit)
	}
}

// Keep drops the senders for which ok returns false, and returns the new numbers: None for those that are gone; nil when all stay.
func (b *Book) Keep(ok func(i int, n *Sender) bool) (to []uint16) {
	to = make([]uint16, len(b.List))
	kept := b.List[:0:0]
	for i, n := range b.List {
		to[i] = None
		if ok(i, n) {
			to[i] = uint16(len(kept))
			kept = append(kept, n)
		}
	}
	if len(kept) == len(b.List) {
		return nil
	}
	b.List, b.at = kept, make(map[key]uint16, len(kept))
	for i, n := range kept {
		b.at[key{n.Name, n.Fixed}] = uint16(i)
		n.Twin = Renamed(to, n.Twin)
	}
	return to
}

// How long a sender must have been heard to be known, and how long it must be quiet before then to have been heard in passing; milliseconds.
const (
	knownMs = int64(10 * 60_000)
	quietMs = int64(2 * 60_000)
)

// Gather makes room for the sender of a batch when the book is full: names that were heard in passing become one with those that are not told apart, so that whoever comes after a flood of names is known by
// his own. now is the receive clock. It returns the new number of each sender; nil when nothing changes, as when there are too few of them for the work.
func (b *Book) Gather(batch *series.Batch, now int64) (to []uint16) {
	if _, ok := b.at[key{batch.Sender, batch.Cluster}]; ok || len(b.List) < most {
		return nil
	}
	passing := func(n *Sender) bool {
		return n.Name != other && n.LastMs-n.FirstMs < knownMs && now-n.LastMs >= quietMs
	}
	n := 0
	for _, x := range b.List {
		if passing(x) {
			n++
		}
	}
	if n < few {
		return nil
	}
	was := b.List
	b.List, b.at, to = nil, map[key]uint16{}, make([]uint16, len(was))
	for i, n := range was { // those that stay keep their order
		if to[i] = None; !passing(n) {
			to[i] = uint16(len(b.List))
			b.at[key{n.Name, n.Fixed}] = to[i]
			b.List = append(b.List, n)
		}
	}
	for i, n := range was {
		if to[i] != None {
			continue
		}
		j, ok := b.at[key{other, n.Fixed}]
		if !ok {
			_, j = b.add(other, n.Fixed)
		}
		to[i] = j
		b.List[j].join(n)
	}
	for _, n := range b.List {
		n.Twin = Renamed(to, n.Twin)
	}
	return to
}

// join adds what another sender has sent and holds.
func (n *Sender) join(o *Sender) {
	if n.FirstMs == 0 || o.FirstMs < n.FirstMs {
		n.FirstMs = o.FirstMs
	}
	n.LastMs, n.LastT, n.UsedMs = max(n.LastMs, o.LastMs), max(n.LastT, o.LastT), max(n.UsedMs, o.UsedMs)
	n.Samples, n.Needed, n.Accepted = n.Samples+o.Samples, n.Needed+o.Needed, n.Accepted+o.Accepted
	n.Duplicate, n.Tardy, n.Rejected = n.Duplicate+o.Duplicate, n.Tardy+o.Tardy, n.Rejected+o.Rejected
	n.Held, n.Yielded = n.Held.Plus(o.Held), n.Yielded+o.Yielded
	n.Late.Anew(tally.Arrivals{Needed: n.Needed, Late: n.Tardy})
}

// Renamed returns the new number of a sender, or of nobody.
func Renamed(to []uint16, i uint16) uint16 {
	if i == None {
		return i
	}
	return to[i]
}

// Home is what a stream of several clusters knows of where a sender's series belong.
type Home struct {
	Sender, Fixed string
	Major         string   // the cluster label that most of its series carry; "" = none
	Decided       bool     //
	Real          []string // cluster labels that count for themselves
}

// Homes returns what is known of each sender.
func (b *Book) Homes() (list []Home) {
	for _, n := range b.List {
		list = append(list, Home{Sender: n.Name, Fixed: n.Fixed, Major: n.Past.Major, Decided: n.Past.Done, Real: slices.Clone(n.Past.Real)})
	}
	return list
}
