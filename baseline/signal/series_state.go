package signal

import (
	"math"

	"github.com/wrackline/wrackline/baseline/asked"
	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/replica"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/window"
)

// appendSeries writes the first n tracked series, in order of registration, and reports whether pause let it come to an end. f knows what they were.
func (s *Stream) appendSeries(w *codec.Writer, version, n int, f *freeze, pause func() bool) bool {
	w.Num(n)
	sets := make([]promql.SetWriter, len(s.clusters))
	groups, targets := map[uint32]int{}, map[uint32]int{}
	for id := range uint32(n) {
		if id%sliceSeries == 0 {
			f.reached(id)
			if !pause() {
				return false
			}
		}
		h, d, binds, tail := f.was(s, id)
		c := s.clusters[h.cluster]
		set := &sets[h.cluster]
		w.Bytes(d.print[:])
		w.Num(int(d.metric))
		w.Num(int(h.cluster))
		w.Num(int(d.sender))
		set.Write(w, c.table, d.own)
		set.Write(w, c.table, d.member)
		set.Write(w, c.table, d.place)
		w.Num(int(d.pod + 1)) // none + 1 is 0
		w.Num(int(h.replica))
		w.Num(int(h.flags &^ (flagLeft | flagHeld)))
		w.Byte(h.kinds)
		w.Byte(h.ring)
		w.Int(h.lastT)
		w.Float(h.lastV)
		w.Int(int64(h.head))
		w.Num(int(h.stepMs))
		w.Num(int(h.anchor))
		if w.Numbered(groups, h.group) {
			f.appendGroup(w, s, h.group)
		}
		if w.Numbered(targets, d.target) {
			f.appendTarget(w, s, d.target, version)
		}
		w.Num(len(binds))
		for i := range binds {
			b := &binds[i]
			w.Num(int(b.leaf))
			set.Write(w, c.table, b.static)
			set.Write(w, c.table, b.ls)
		}
		if tail != nil {
			w.Put(tail)
		} else {
			s.appendTail(w, h, d)
		}
	}
	f.reached(uint32(n))
	return true
}

// appendTail writes what a series holds elsewhere: its word, its rings, its native histogram.
func (s *Stream) appendTail(w *codec.Writer, h *tracked, d *cold) {
	if d.watch != none {
		s.words[d.watch].Append(w)
	}
	for k := h.kinds; k != 0; k &= k - 1 {
		w.Cells(s.ring(h, k&-k))
	}
	if h.flags&flagNative != 0 {
		w.Bool(d.native != none)
		if d.native != none {
			s.natives[d.native].Append(w)
		}
	}
}

// restoreBinds reads in which leaves the series that comes next takes part.
func (s *Stream) restoreBinds(r *stateReader, was *asked.Book, set *promql.SetReader, t *promql.Table, h *tracked, d *cold) bool {
	for range r.Count(3) {
		b := bind{series: uint32(len(s.hot)), leaf: r.present(was.Leaves), static: set.Read(r.Reader, t, labelsMost), ls: set.Read(r.Reader, t, labelsMost)}
		if r.Err() != nil || b.static == none && b.ls != none {
			r.Fail()
			return false
		}
		if b.leaf == none {
			continue
		}
		lp := s.leaves[b.leaf]
		if lp.metric != d.metric || lp.kinds&^h.kinds != 0 || lp.ring > h.ring || d.nbinds == math.MaxUint16 {
			r.Fail()
			return false
		}
		s.binds = append(s.binds, b)
		d.nbinds++
	}
	return true
}

func (g *bucketSet) append(w *codec.Writer) {
	w.Bytes(g.print[:])
	w.Uint64(g.kin)
	w.Int(g.FirstT)
	w.Num(int(g.replica))
	w.Int(g.LastT)
	g.Buckets.Append(w)
}

// restoreSeries returns the present number of each series of the state, none for those that no rule needs any more.
func (s *Stream) restoreSeries(r *stateReader, was *asked.Book) (to []uint32) {
	n := r.Count(40)
	to = make([]uint32, 0, n)
	sets := make([]promql.SetReader, len(s.clusters))
	var groups, targets []uint32
	s.hot, s.cold = make([]tracked, 0, n), make([]cold, 0, n)
	s.cells, s.binds = make([]float64, 0, n*shortRing), make([]bind, 0, n) // about; most need no more
	s.prints.Reset(n)
	for range n {
		id := uint32(len(s.hot))
		var h tracked
		d := cold{print: r.Print(), metric: r.present(was.Metrics)}
		h.cluster, d.sender = uint16(r.Num(len(s.clusters)-1)), uint16(r.Num(len(s.senders.List)-1))
		if r.Err() != nil || s.withPrint(d.print) != none {
			r.Fail()
			return nil
		}
		c := s.clusters[h.cluster]
		set := &sets[h.cluster]
		d.own, d.member, d.place = set.Read(r.Reader, c.table, labelsMost), set.Read(r.Reader, c.table, labelsMost), set.Read(r.Reader, c.table, labelsMost)
		if d.pod = r.Number(); d.pod != none && int(d.pod) >= c.book.Pods() || d.own == none || d.member == none || d.place == none {
			r.Fail()
			return nil
		}
		d.podNext, d.watch, d.native = none, none, none
		h.replica = uint16(r.Num(replica.NamesMost))
		if r.version < 4 {
			h.flags = uint16(r.Byte()) & (flagNative - 1)
		} else {
			h.flags = uint16(r.Num(flagsAll)) &^ (flagLeft | flagHeld)
		}
		h.kinds, h.ring = r.Byte(), r.Byte()
		h.lastT, h.lastV = r.Time(), r.Float()
		h.head, h.stepMs = uint32(min(r.Time(), codec.TimeMax/windowMs)), uint32(r.Num(math.MaxInt32))
		h.anchor = uint32(r.Num(math.MaxUint32))
		empty := h.kinds == 0 && h.flags&flagNative == 0
		if h.kinds >= 1<<kinds || !empty && h.ring != shortRing && h.ring != longRing || empty != (h.flags&flagQuiet != 0) {
			r.Fail()
			return nil
		}
		h.group = s.restoreGroup(r, &groups)
		if r.version < 4 && h.group != none { // of buckets only, under another name: resolve puts the series into that of its histogram
			h.replica, h.group = s.groups[h.group].replica, none
		}
		d.target = s.restoreTarget(r, &targets)
		d.binds = uint32(len(s.binds))
		if !s.restoreBinds(r, was, set, c.table, &h, &d) {
			return nil
		}
		if h.flags&flagWatch != 0 {
			if d.metric == none { // a metric that nobody asks for is not watched either
				r.Fail()
				return nil
			}
			d.watch = uint32(len(s.words))
			s.words = append(s.words, c.changes.RestoreWord(r.Reader, s.metrics[d.metric].watch, d.pod))
		}
		h.cells = uint32(len(s.cells))
		for range kindsOf(h.kinds) {
			s.cells = r.Cells(s.cells, int(h.ring))
		}
		if h.flags&(flagNative|flagBucket) != 0 && h.group == none {
			r.Fail()
		}
		if h.flags&flagNative != 0 && r.Bool() && r.Err() == nil {
			d.native = uint32(len(s.natives))
			s.natives = append(s.natives, window.ReadHists(r.Reader, h.ring))
			s.buckets += s.natives[d.native].Room()
		}
		if r.Err() != nil {
			return nil
		}
		if !was.Same && !s.refit(&h, &d, was) {
			s.cells, s.binds = s.cells[:h.cells], s.binds[:d.binds]
			s.dropNative(&d)
			if d.target != none {
				s.targets.Release(d.target)
			}
			to = append(to, none)
			continue
		}
		to = append(to, id)
		s.hot = append(s.hot, h)
		s.cold = append(s.cold, d)
		s.prints.Put(id, s.printHash)
	}
	for _, t := range targets {
		if t != none {
			s.targets.Release(t)
		}
	}
	return to
}

func (s *Stream) restoreGroup(r *stateReader, known *[]uint32) uint32 {
	i, first := r.Numbered(len(*known))
	if i == none || !first {
		if i != none {
			i = (*known)[i]
			s.groups[i].refs++
		}
		return i
	}
	p := r.Print()
	if _, ok := s.groupAt[p]; ok {
		r.Fail()
	}
	g := s.bucketSet(p, r.Uint64())
	x := &s.groups[g]
	x.FirstT = r.Time()
	x.replica, x.LastT = uint16(r.Num(replica.NamesMost)), r.Time()
	x.Restore(r.Reader)
	*known = append(*known, g)
	return g
}

// restoreTarget returns the target of a series, none in a state in which it was the target's of one metric: labels will say it again.
func (s *Stream) restoreTarget(r *stateReader, known *[]uint32) uint32 {
	i, first := r.Numbered(len(*known))
	switch {
	case i == none:
	case r.version < 10:
		if first {
			r.Uint64()
			r.Num(math.MaxInt32)
			r.Time()
			*known = append(*known, none)
		}
		return none
	case first:
		*known = append(*known, s.targets.Restore(r.Reader)) // held until all series have been read
	}
	if i != none {
		i = s.targets.Held((*known)[i])
	}
	return i
}

// labelsMost is how many labels a set may have, virtual ones among them.
const labelsMost = series.LabelsMax + 8
