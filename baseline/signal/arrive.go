package signal

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/room"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/spelling"
)

// learn finds out what the unknown key of an entry stands for. at is none when there was no room to remember the key; id is none
// for a series that no rule needs.
func (s *Stream) learn(b *series.Batch, i int, hash uint64, from uint16) (at, id uint32, err error) {
	l, err := b.Labels.AppendLabels(s.labels[:0], i)
	if err != nil {
		return none, none, err
	}
	s.labels = l[:0]
	if l, err = series.Canonical(l); err != nil {
		return none, none, err
	}
	spelling.One(l)
	l, named, rep := s.halves.Strip(l, s.replicaLabels(), s.byContent())
	s.arriving = 0
	first := int64(math.MaxInt64)
	if e := &b.Entries[i]; e.SampleLo < e.SampleHi {
		first = b.Samples[e.SampleLo].T
	} else if e.HistLo < e.HistHi {
		first = b.Histograms[e.HistLo].T
	}
	if first <= b.ReceivedMs+series.FutureMs {
		s.arriving = first
	}
	twin := s.copyOf(l, from, b.ReceivedMs)
	if twin.Waits && !twin.Room {
		return none, none, errWaits
	}
	id, err = s.lookup(l, from)
	s.hold(twin, id)
	if err != nil {
		s.over.Note(l, b.Sender)
		return none, none, err
	}
	held := &s.senders.List[from].Held
	replica := s.names.Of(rep)
	if id == none {
		if !s.finds(room.Unneeded, from) {
			s.over.Note(l, b.Sender)
			return none, none, fmt.Errorf("%w: %d series are known here, and no signal needs this one (of such there may be %d times signals.series_max in all)", errOverSeries, len(s.keys.List), room.UnneededShare)
		}
		held.Unneeded++
	} else if len(s.keys.List) >= s.limits.Most().Keys {
		s.unkeyed = replica
		return none, id, nil
	}
	if from := s.senders.List[from]; from.Replica == "" {
		from.Replica = named
	}
	return s.keys.Add(spelling.Key{Hash: hash, Series: id, Replica: replica, Sender: from, Seen: s.epoch}), id, nil
}

// lookup returns the tracked series with the labels, which are canonical and hold no replica, made when it is new; none when no
// rule needs it.
func (s *Stream) lookup(l series.Labels, from uint16) (uint32, error) {
	snd := s.senders.List[from]
	name := l.Get(series.NameLabel)
	mi, ok := s.byName[name]
	if !ok {
		return none, nil
	}
	p := s.printOf(snd.Fixed, l, "")
	own := s.ownCluster(l)
	if id := s.withPrint(p); id != none {
		if by := s.cold[id].sender; by != from {
			snd.Twin = by
		}
		if h, d := &s.hot[id], &s.cold[id]; s.unresolved(d) || d.target == none && h.counts() {
			s.resolve(id, l)
		}
		if !s.twins.Knows(id) {
			s.meet(id, &identity.View{Labels: l, Cluster: s.clusters[s.hot[id].cluster].name})
		}
		return id, nil
	}
	return s.register(l, p, mi, from, own)
}

// register makes a tracked series, or returns none when no rule needs it.
func (s *Stream) register(l series.Labels, p series.Print, mi uint32, from uint16, own string) (uint32, error) {
	m := s.metrics[mi]
	snd := s.senders.List[from]
	view := identity.View{Labels: l, Cluster: s.home(snd, own)}
	first := uint32(len(s.binds))
	var kinds, ring uint8
	var flags uint16
	base := "" // of the histogram that the series belongs to
	for _, li := range m.leaves {
		lp := s.leaves[li]
		if !view.Match(lp.static) {
			continue
		}
		s.binds = append(s.binds, bind{leaf: li, ls: none})
		kinds |= lp.kinds
		ring = max(ring, lp.ring)
		flags |= lp.flags()
		base = lp.histogram(base)
	}
	if uint32(len(s.binds)) == first && !m.speaks() {
		return none, nil
	}
	if !s.finds(room.Tracked, from) {
		s.binds = s.binds[:first]
		return none, fmt.Errorf("%w: signals need %d series here, and there is no room for more under signals.series_max, which is %d", errOverSeries, len(s.hot), s.opts.MaxSeries)
	}
	ci, err := s.cluster(view.Cluster)
	if err != nil {
		s.binds = s.binds[:first]
		return none, err
	}
	c := s.clusters[ci]
	if c.open == 0 && s.arriving > 0 {
		c.begin(s.arriving)
	}
	id := uint32(len(s.hot))
	h := tracked{cluster: ci, kinds: kinds, ring: ring, flags: flags, group: none, cells: uint32(len(s.cells))}
	if kinds == 0 && flags&flagNative == 0 {
		h.flags |= flagQuiet
	}
	for range kindsOf(kinds) * int(ring) {
		s.cells = append(s.cells, math.NaN())
	}
	if base != "" {
		h.group = s.bucketSet(s.printOfHistogram(snd.Fixed, l, base), view.Kin(base))
	}
	d := cold{print: p, metric: mi, binds: first, nbinds: uint16(uint32(len(s.binds)) - first), sender: from, pod: none, podNext: none, target: none, watch: none, native: none}
	if h.counts() {
		d.target = s.targets.Hold(view.Target())
	}
	d.own = c.one(identity.LabelCluster, own)
	s.hot = append(s.hot, h)
	s.cold = append(s.cold, d)
	c.series = append(c.series, id)
	for i := first; i < uint32(len(s.binds)); i++ {
		bd := &s.binds[i]
		bd.series = id
		bd.static = c.static(s.leaves[bd.leaf], &view)
		c.lists[bd.leaf] = append(c.lists[bd.leaf], i)
	}
	snd.Held.Tracked++
	s.prints.Put(id, s.printHash)
	s.meet(id, &view)
	c.identify(s, id, m, &view)
	return id, nil
}

func (s *Stream) printHash(id uint32) uint64 { return s.cold[id].print.Hash() }

// withPrint returns the series with a print, none when there is none.
func (s *Stream) withPrint(p series.Print) uint32 {
	return s.prints.Find(p.Hash(), func(id uint32) bool { return s.cold[id].print == p })
}

func kindsOf(k uint8) int { return bits.OnesCount8(k) }

func (s *Stream) bucketSet(p series.Print, kin uint64) uint32 {
	g, ok := s.groupAt[p]
	if !ok {
		if n := len(s.groupNo); n > 0 {
			g = s.groupNo[n-1]
			s.groupNo = s.groupNo[:n-1]
		} else {
			g = uint32(len(s.groups))
			s.groups = append(s.groups, bucketSet{})
		}
		s.groups[g] = bucketSet{print: p, native: none, kin: kin}
		s.groupAt[p] = g
	}
	s.groups[g].refs++
	return g
}
