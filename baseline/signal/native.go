package signal

import (
	"math"
	"slices"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

// native is what a stream remembers of a native histogram that a rule needs: the newest one, and its increase in each window of a ring as
// long as the series'. A window holds only the buckets that counted something in it. Most histograms fill a few of theirs each minute, so
// eight windows and the newest take about as much as the classic series that they replace.
type native struct {
	lastT int64  // of last; 0 = none yet
	head  uint32 // newest window of rows
	last  promql.Hist
	rows  []promql.Hist // count is NaN where nothing is known
}

// nativeBucketsMax bounds the buckets that a stream makes room for, as a multiple of its series: 16 bytes each. Beyond it new histograms are
// refused, and known ones may not grow.
const nativeBucketsMax = 32 // × StreamOptions.MaxSeries

// room returns how many buckets n may come to hold: those of its newest in each window. Fewer is usual.
func (n *native) room() int { return n.last.Buckets() * (1 + len(n.rows)) }

// advance makes w the newest window.
func (n *native) advance(w uint32) {
	if w <= n.head {
		return
	}
	size := uint32(len(n.rows))
	for i := w - min(w-n.head, size) + 1; i <= w; i++ {
		n.rows[i%size].Forget()
	}
	n.head = w
}

// resize makes a ring of another length, with the newest windows of the old one.
func (n *native) resize(size uint8) {
	old, was := n.rows, uint32(len(n.rows))
	if was == uint32(size) {
		return
	}
	n.rows = make([]promql.Hist, size)
	for i := range n.rows {
		n.rows[i].Forget()
	}
	for i := uint32(0); i < min(uint32(size), was) && i <= n.head; i++ {
		w := n.head - i
		n.rows[w%uint32(size)] = old[w%was]
	}
}

// histogram folds one native histogram of a tracked series, as sample does a number.
func (s *Stream) histogram(from *sender, id uint32, replica uint16, x *series.Histogram) {
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
	base := s.follows(from, c, id, h, x.T)
	before := n.room()
	s.recordNative(h, n, x, base)
	s.buckets += n.room() - before
	h.lastT, h.lastV = x.T, x.Count
	if h.kinds != 0 {
		h.lastV = math.NaN() // the name is read as a number too: no increase reaches from a histogram to a number
	}
	if h.group != none {
		g := &s.groups[h.group]
		g.lastT = max(g.lastT, x.T)
	}
	if h.flags&(flagLive|flagPast|flagStale|flagQuiet) != flagLive|flagPast {
		c.alive(h)
	}
}

// nativeOf returns the record that x belongs to and leaves x, in the form that is kept, in s.arrived. It returns nil for one that cannot
// be used: no rule reads it, a gauge, too many buckets, no room.
func (s *Stream) nativeOf(id uint32, h *tracked, x *series.Histogram) *native {
	if h.flags&flagNative == 0 || x.Gauge || !promql.Sound(x.Schema, x.ZeroThreshold, x.Pos, x.Neg, len(x.Custom)) {
		return nil
	}
	d := &s.cold[id]
	var n *native
	if d.native != none {
		n = &s.natives[d.native]
	}
	custom := x.Custom
	if n != nil && slices.Equal(custom, n.last.Custom) {
		custom = n.last.Custom
	} else {
		custom = slices.Clone(custom)
	}
	cur := &s.came
	cur.Set(x, custom)
	for !cur.IsCustom() && cur.Buckets() > promql.BucketsMax && cur.Schema > -4 {
		cur.Reduce(cur.Schema - 1)
	}
	if cur.Buckets() > promql.BucketsMax || len(custom) > promql.BucketsMax {
		return nil
	}
	most := nativeBucketsMax * s.opts.MaxSeries
	if n != nil {
		if cur.Buckets() > n.last.Buckets() && s.buckets-n.room()+cur.Buckets()*(1+len(n.rows)) > most {
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
		s.natives = append(s.natives, native{})
	}
	n = &s.natives[d.native]
	*n = native{rows: make([]promql.Hist, h.ring)}
	for i := range n.rows {
		n.rows[i].Forget()
	}
	s.groups[h.group].native = id
	return n
}

// recordNative is record for the histogram in s.came.
func (s *Stream) recordNative(h *tracked, n *native, x *series.Histogram, base int64) {
	w := minute(x.T)
	n.advance(w)
	s.advance(h, w)
	cur, m := &s.came, &s.math
	follows := n.lastT != 0 && n.lastT == h.lastT && x.T-h.lastT <= gapMs
	if h.lastT != 0 && x.T-h.lastT > gapMs {
		h.anchor = uint32(x.T / 1000)
	}
	if n.lastT != 0 && cur.IsCustom() != n.last.IsCustom() {
		// Other bounds altogether do not add up with what is known.
		for i := range n.rows {
			n.rows[i].Forget()
		}
	}
	began := x.Start > 0 && x.Start < x.T && x.Start > h.lastT
	d := cur
	switch {
	case follows:
		from := h.lastT
		if began || x.Reset || m.Reset(cur, &n.last) {
			s.stats.Resets++
			if began {
				from = x.Start
				m.Spare.Like(cur)
				n.spread(m, &m.Spare, h.lastT, from)
			}
		} else {
			d = &s.rise
			d.CopyOf(cur)
			m.Add(d, &n.last, -1)
			d.Prune()
		}
		n.spread(m, d, from, x.T)
	case began && x.T-x.Start <= gapMs:
		n.spread(m, d, x.Start, x.T)
	case base != 0:
		n.spread(m, d, base, x.T)
	default:
		m.Spare.Like(cur)
		n.rows[w%uint32(h.ring)].Take(m, &m.Spare, 1)
	}
	n.last.CopyOf(cur)
	n.lastT = x.T
}

// spread shares an increase between t0 (exclusive) and t1 (inclusive) among the windows, bucket by bucket.
func (n *native) spread(m *promql.HistMath, d *promql.Hist, t0, t1 int64) {
	size := uint32(len(n.rows))
	first, last := uint32(t0/windowMs)+1, minute(t1)
	if first >= last {
		n.rows[last%size].Take(m, d, 1)
		return
	}
	for w := max(first, n.head-min(n.head, size-1)); w <= last; w++ {
		end := int64(w) * windowMs
		n.rows[w%size].Take(m, d, float64(min(t1, end)-max(t0, end-windowMs))/float64(t1-t0))
	}
}

// read returns what a native histogram has for a leaf in the window w: the events, NaN for none, the gaps as Stream.read returns them, and the
// number of the histogram, or the sum, that the leaf takes.
func (n *native) read(l *leafPlan, w uint32, work *promql.Scratch) (v, sum float64, gaps int, no int32) {
	size := uint32(len(n.rows))
	lo := n.head - min(n.head, size-1)
	v = math.NaN()
	from := w + 1 - min(w, uint32(l.Windows))
	hole := 0
	var all *promql.Hist
	for i := max(from, lo); i <= min(w, n.head); i++ {
		row := &n.rows[i%size]
		switch {
		case !row.Covered():
			if v == v {
				hole++
			}
			continue
		case v == v:
			v += row.Count
			sum += row.Sum
			gaps += hole
			hole = 0
		default:
			v, sum = row.Count, row.Sum
		}
		if l.Part != promql.PartBuckets {
			continue
		}
		if all == nil {
			all, no = work.TakeHist()
			all.CopyOf(row)
		} else {
			work.Math.Add(all, row, 1)
		}
	}
	return v, sum, gaps, no
}

// nativeVector appends what the native histograms that stand in for a leaf's series have.
func (s *Stream) nativeVector(li uint32, dst []promql.Element) []promql.Element {
	ev := &s.current
	lp := s.leaves[li]
	span := float64(lp.Windows) * windowMs / 1000
	for _, bi := range ev.c.lists[li] {
		b := &s.binds[bi]
		no := s.cold[b.series].native
		if b.ls == none || no == none {
			continue
		}
		h, n := &s.hot[b.series], &s.natives[no]
		live := h.flags&flagStale == 0 && h.lastT > ev.end-liveMs
		behind := live && h.lastT < ev.end
		v, sum, gaps, hist := n.read(lp, ev.w, &ev.c.table.Work)
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
	return h.flags&flagStale == 0 && h.lastT > end-liveMs
}

// drop forgets the native histogram of a series.
func (s *Stream) dropNative(d *cold) {
	if d.native == none {
		return
	}
	s.buckets -= s.natives[d.native].room()
	s.natives[d.native] = native{}
	s.nativeNo = append(s.nativeNo, d.native)
	d.native = none
}

// append writes a native histogram's part of the state.
func (n *native) append(w *codec.Writer) {
	w.Int(n.lastT)
	w.Num(int(n.head))
	n.last.Append(w)
	for i := range n.rows {
		w.Bool(n.rows[i].Covered())
		if n.rows[i].Covered() {
			n.rows[i].Append(w)
		}
	}
}

func (r *stateReader) native(ring uint8) native {
	n := native{lastT: r.Time(), head: uint32(r.Num(math.MaxUint32)), rows: make([]promql.Hist, ring)}
	n.last.Restore(r.Reader)
	for i := range n.rows {
		if row := &n.rows[i]; r.Bool() {
			row.Restore(r.Reader)
			if slices.Equal(row.Custom, n.last.Custom) {
				row.Custom = n.last.Custom
			}
		} else {
			row.Forget()
		}
	}
	return n
}
