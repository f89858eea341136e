package signal

import (
	"math"
	"slices"

	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/sender"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/window"
)

// nativeBucketsMax bounds the buckets that a stream makes room for, as a multiple of its series: 16 bytes each. Beyond it new histograms are
// refused, and known ones may not grow.
const nativeBucketsMax = 32 // × StreamOptions.MaxSeries

// histogram folds one native histogram of a tracked series, as sample does a number.
func (s *Stream) histogram(from *sender.Sender, id uint32, replica uint16, x *series.Histogram) {
	s.touch(id)
	h := &s.hot[id]
	c := s.clusters[h.cluster]
	if !s.admit(from, c, h, replica, x.T, x.Count) {
		return
	}
	if x.Stale {
		s.odd(c, id, h, &series.Sample{T: x.T, V: series.StaleNaN})
		return
	}
	n := s.nativeOf(id, h, x)
	if n == nil {
		s.stats.HistogramsUnused++
		return
	}
	s.follows(from, c, id, h, x.T, x.Count, x.Start)
	before := n.Room()
	if h.lastT != 0 && x.T-h.lastT > gapMs {
		h.anchor = uint32(x.T / 1000)
	}
	s.advance(h, window.Of(x.T))
	if n.Record(&s.work, x, h.lastT) {
		s.stats.Resets++
	}
	s.buckets += n.Room() - before
	h.lastT, h.lastV = x.T, x.Count
	if h.kinds != 0 {
		h.lastV = math.NaN() // the name is read as a number too: no increase reaches from a histogram to a number
	}
	if h.group != none {
		g := &s.groups[h.group]
		g.LastT = max(g.LastT, x.T)
	}
	if h.flags&(flagLive|flagPast|flagStale|flagQuiet) != flagLive|flagPast {
		c.alive(h)
	}
}

// nativeOf returns the record that x belongs to and leaves x, in the form that is kept, in s.work. It returns nil for one that cannot
// be used: no rule reads it, a gauge, too many buckets, no room.
func (s *Stream) nativeOf(id uint32, h *tracked, x *series.Histogram) *window.Hists {
	if h.flags&flagNative == 0 || x.Gauge || !promql.Sound(x.Schema, x.ZeroThreshold, x.Pos, x.Neg, len(x.Custom)) {
		return nil
	}
	d := &s.cold[id]
	var n *window.Hists
	if d.native != none {
		n = &s.natives[d.native]
	}
	custom := x.Custom
	if n != nil && slices.Equal(custom, n.Last.Custom) {
		custom = n.Last.Custom
	} else {
		custom = slices.Clone(custom)
	}
	cur := &s.work.Came
	cur.Set(x, custom)
	for !cur.IsCustom() && cur.Buckets() > promql.BucketsMax && cur.Schema > -4 {
		cur.Reduce(cur.Schema - 1)
	}
	if cur.Buckets() > promql.BucketsMax || len(custom) > promql.BucketsMax {
		return nil
	}
	most := nativeBucketsMax * s.opts.MaxSeries
	if n != nil {
		if cur.Buckets() > n.Last.Buckets() && s.buckets-n.Room()+n.Holds(cur.Buckets()) > most {
			return nil
		}
		return n
	}
	if s.buckets+cur.Buckets()*int(1+h.ring) > most {
		return nil
	}
	if k := len(s.nativeNo); k > 0 {
		d.native = s.nativeNo[k-1]
		s.nativeNo = s.nativeNo[:k-1]
	} else {
		d.native = uint32(len(s.natives))
		s.natives = append(s.natives, window.Hists{})
	}
	n = &s.natives[d.native]
	*n = window.NewHists(h.ring)
	s.groups[h.group].native = id
	return n
}

// nativeVector appends what the native histograms that stand in for a leaf's series have.
func (s *Stream) nativeVector(li uint32, dst []promql.Element) []promql.Element {
	ev := &s.current
	lp := s.leaves[li]
	span := float64(lp.Windows) * windowMs / 1000
	for _, bi := range ev.c.lists[li] {
		b := &s.binds[bi]
		no := s.cold[b.series].native
		h := &s.hot[b.series]
		if b.ls == none || no == none || lp.leaves(h) {
			continue
		}
		n := &s.natives[no]
		w, live, behind := s.reach(h, true)
		v, sum, gaps, hist := n.Read(lp.Leaf, w, &ev.c.table.Work)
		if v != v {
			if behind {
				dst = append(dst, promql.Element{Set: b.ls, V: v, Events: v, Missing: 1, Top: promql.NoRefs})
			}
			continue
		}
		e := promql.Element{Set: b.ls, V: v, Events: v, Members: 1, Hist: hist, Top: promql.NoRefs}
		if lp.Part == promql.PartSum {
			e.V = sum
		}
		if lp.Func == promql.Rate {
			e.V /= span
			if hist != 0 {
				ev.c.table.Work.Hist(hist).Scale(1 / span)
			}
		}
		s.judge(h, &e, lp, live, behind, gaps)
		e.Top[0] = promql.Ref{Series: int32(b.series), V: e.V}
		dst = append(dst, e)
	}
	return dst
}

// nativeOfGroup reports whether the target of a classic series sends its histogram natively now: then the classic one is left out.
func (s *Stream) nativeOfGroup(group uint32, end int64) bool {
	if group == none {
		return false
	}
	id := s.groups[group].native
	if id == none {
		return false
	}
	h := &s.hot[id]
	return h.isLive(end)
}

// drop forgets the native histogram of a series.
func (s *Stream) dropNative(d *cold) {
	if d.native == none {
		return
	}
	s.buckets -= s.natives[d.native].Room()
	s.natives[d.native] = window.Hists{}
	s.nativeNo = append(s.nativeNo, d.native)
	d.native = none
}
