package signal

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/wrackline/wrackline/baseline/series"
)

// native is what a stream remembers of a native histogram that a rule needs: the newest one, and its increase in each window of a ring as
// long as the series'. A window holds only the buckets that counted something in it. Most histograms fill a few of theirs each minute, so
// eight windows and the newest take about as much as the classic series that they replace.
type native struct {
	lastT int64  // of last; 0 = none yet
	head  uint32 // newest window of rows
	last  hist
	rows  []hist // count is NaN where nothing is known
}

// nativeBucketsMax bounds the buckets that a stream makes room for, as a multiple of its series: 16 bytes each. Beyond it new histograms are
// refused, and known ones may not grow.
const nativeBucketsMax = 32 // × StreamOptions.MaxSeries

// room returns how many buckets n may come to hold: those of its newest in each window. Fewer is usual.
func (n *native) room() int { return n.last.buckets() * (1 + len(n.rows)) }

// advance makes w the newest window.
func (n *native) advance(w uint32) {
	if w <= n.head {
		return
	}
	size := uint32(len(n.rows))
	for i := w - min(w-n.head, size) + 1; i <= w; i++ {
		n.rows[i%size].forget()
	}
	n.head = w
}

// resize makes a ring of another length, with the newest windows of the old one.
func (n *native) resize(size uint8) {
	old, was := n.rows, uint32(len(n.rows))
	if was == uint32(size) {
		return
	}
	n.rows = make([]hist, size)
	for i := range n.rows {
		n.rows[i].forget()
	}
	for i := uint32(0); i < min(uint32(size), was) && i <= n.head; i++ {
		w := n.head - i
		n.rows[w%uint32(size)] = old[w%was]
	}
}

// forget makes a window one of which nothing is known.
func (h *hist) forget() {
	*h = hist{count: math.NaN(), pos: h.pos[:0], neg: h.neg[:0]}
}

func (h *hist) covered() bool { return h.count == h.count }

// histogram folds one native histogram of a tracked series, as sample does a number.
func (s *Stream) histogram(from *sender, id uint32, replica uint16, x *series.Histogram) {
	h := &s.hot[id]
	c := s.clusters[h.cluster]
	if x.T <= 0 {
		s.stats.OutOfOrder++
		return
	}
	if !s.accept(h, replica, x.T) {
		s.stats.Replica++
		from.duplicate++
		return
	}
	if x.T <= h.lastT {
		if x.T == h.lastT && math.Float64bits(x.Count) == math.Float64bits(h.lastV) {
			s.stats.Duplicate++
			from.duplicate++
		} else {
			s.stats.OutOfOrder++
			from.late++
		}
		return
	}
	if x.T > c.newest {
		s.newest(c, x.T)
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
	if x.T <= c.open-windowMs {
		s.stats.Late++
		from.late++
	} else {
		from.accepted++
	}
	var base int64
	if h.lastT == 0 {
		base = s.first(c, id, h, x.T)
	} else if d := x.T - h.lastT; d < stepMax {
		h.step(d)
		if h.flags&flagSecond == 0 {
			s.second(id, h, d)
		}
	}
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
	if h.flags&flagNative == 0 || x.Gauge || !sound(x.Schema, x.ZeroThreshold, x.Pos, x.Neg, len(x.Custom)) {
		return nil
	}
	d := &s.cold[id]
	var n *native
	if d.native != none {
		n = &s.natives[d.native]
	}
	custom := x.Custom
	if n != nil && slices.Equal(custom, n.last.custom) {
		custom = n.last.custom
	} else {
		custom = slices.Clone(custom)
	}
	cur := &s.came
	cur.set(x, custom)
	for !cur.isCustom() && cur.buckets() > bucketsMax && cur.schema > -4 {
		cur.reduce(cur.schema - 1)
	}
	if cur.buckets() > bucketsMax || len(custom) > bucketsMax {
		return nil
	}
	most := nativeBucketsMax * s.opts.MaxSeries
	if n != nil {
		if cur.buckets() > n.last.buckets() && s.buckets-n.room()+cur.buckets()*(1+len(n.rows)) > most {
			return nil
		}
		return n
	}
	if s.buckets+cur.buckets()*int(1+h.ring) > most {
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
	*n = native{rows: make([]hist, h.ring)}
	for i := range n.rows {
		n.rows[i].forget()
	}
	s.groups[h.group].native = id
	return n
}

// sound reports whether a histogram's schema, threshold and buckets go together.
func sound(schema int32, zeroT float64, pos, neg []series.Bucket, custom int) bool {
	if schema == schemaCustom {
		n := len(pos)
		return len(neg) == 0 && (n == 0 || pos[0].Index >= 0 && int(pos[n-1].Index) <= custom)
	}
	return schema >= -4 && schema <= finest && zeroT >= 0
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
	if n.lastT != 0 && cur.isCustom() != n.last.isCustom() {
		// Other bounds altogether do not add up with what is known.
		for i := range n.rows {
			n.rows[i].forget()
		}
	}
	began := x.Start > 0 && x.Start < x.T && x.Start > h.lastT
	d := cur
	switch {
	case follows:
		from := h.lastT
		if began || x.Reset || m.reset(cur, &n.last) {
			s.stats.Resets++
			if began {
				from = x.Start
				m.b.like(cur)
				n.spread(m, &m.b, h.lastT, from)
			}
		} else {
			d = &s.rise
			d.copyOf(cur)
			m.add(d, &n.last, -1)
			d.prune()
		}
		n.spread(m, d, from, x.T)
	case began && x.T-x.Start <= gapMs:
		n.spread(m, d, x.Start, x.T)
	case base != 0:
		n.spread(m, d, base, x.T)
	default:
		m.b.like(cur)
		n.rows[w%uint32(h.ring)].take(m, &m.b, 1)
	}
	n.last.copyOf(cur)
	n.lastT = x.T
}

// spread shares an increase between t0 (exclusive) and t1 (inclusive) among the windows, bucket by bucket.
func (n *native) spread(m *histMath, d *hist, t0, t1 int64) {
	size := uint32(len(n.rows))
	first, last := uint32(t0/windowMs)+1, minute(t1)
	if first >= last {
		n.rows[last%size].take(m, d, 1)
		return
	}
	for w := max(first, n.head-min(n.head, size-1)); w <= last; w++ {
		end := int64(w) * windowMs
		n.rows[w%size].take(m, d, float64(min(t1, end)-max(t0, end-windowMs))/float64(t1-t0))
	}
}

// take adds f times d to a window.
func (h *hist) take(m *histMath, d *hist, f float64) {
	if !h.covered() {
		h.copyOf(d)
		h.scale(f)
		return
	}
	m.add(h, d, f)
}

// read returns what a native histogram has for a leaf in the window w: the events, NaN for none, the gaps as Stream.read returns them, and the
// number of the histogram, or the sum, that the leaf takes.
func (n *native) read(l *leafPlan, w uint32, work *scratch) (v, sum float64, gaps int, no int32) {
	size := uint32(len(n.rows))
	lo := n.head - min(n.head, size-1)
	v = math.NaN()
	from := w + 1 - min(w, uint32(l.windows))
	hole := 0
	var all *hist
	for i := max(from, lo); i <= min(w, n.head); i++ {
		row := &n.rows[i%size]
		switch {
		case !row.covered():
			if v == v {
				hole++
			}
			continue
		case v == v:
			v += row.count
			sum += row.sum
			gaps += hole
			hole = 0
		default:
			v, sum = row.count, row.sum
		}
		if l.part != partBuckets {
			continue
		}
		if all == nil {
			all, no = work.takeHist()
			all.copyOf(row)
		} else {
			work.math.add(all, row, 1)
		}
	}
	return v, sum, gaps, no
}

// nativeVector appends what the native histograms that stand in for a leaf's series have.
func (s *Stream) nativeVector(li uint32, dst []element) []element {
	ev := &s.current
	lp := s.leaves[li]
	span := float64(lp.windows) * windowMs / 1000
	for _, bi := range ev.c.lists[li] {
		b := &s.binds[bi]
		no := s.cold[b.series].native
		if b.ls == none || no == none {
			continue
		}
		h, n := &s.hot[b.series], &s.natives[no]
		live := h.flags&flagStale == 0 && h.lastT > ev.end-liveMs
		behind := live && h.lastT < ev.end
		v, sum, gaps, hist := n.read(lp, ev.w, &ev.c.table.work)
		if v != v {
			if behind {
				dst = append(dst, element{ls: b.ls, v: v, events: v, missing: 1, top: noMembers})
			}
			continue
		}
		e := element{ls: b.ls, v: v, events: v, members: 1, hist: hist, top: noMembers}
		if lp.part == partSum {
			e.v = sum
		}
		if lp.fn == fnRate {
			e.v /= span
			if hist != 0 {
				ev.c.table.work.hist(hist).scale(1 / span)
			}
		}
		s.judge(h, &e, lp, live, behind, gaps)
		e.top[0] = memberRef{int32(b.series), e.v}
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

// native writes a native histogram's part of the state.
func (w *stateWriter) native(n *native) {
	w.int(n.lastT)
	w.num(int(n.head))
	w.hist(&n.last)
	for i := range n.rows {
		w.bool(n.rows[i].covered())
		if n.rows[i].covered() {
			w.hist(&n.rows[i])
		}
	}
}

func (w *stateWriter) hist(h *hist) {
	w.int(int64(h.schema))
	for _, v := range [...]float64{h.count, h.sum, h.zeroT, h.zero} {
		w.float(v)
	}
	w.num(len(h.custom))
	for _, v := range h.custom {
		w.float(v)
	}
	for _, side := range [...][]series.Bucket{h.pos, h.neg} {
		w.num(len(side))
		for _, b := range side {
			w.b = binary.AppendVarint(w.b, int64(b.Index))
			w.float(b.Count)
		}
	}
}

func (r *stateReader) native(ring uint8) native {
	n := native{lastT: r.time(), head: uint32(r.num(math.MaxUint32)), rows: make([]hist, ring)}
	r.hist(&n.last)
	for i := range n.rows {
		if row := &n.rows[i]; r.bool() {
			r.hist(row)
			if slices.Equal(row.custom, n.last.custom) {
				row.custom = n.last.custom
			}
		} else {
			row.forget()
		}
	}
	return n
}

func (r *stateReader) hist(h *hist) {
	h.schema = int32(r.int())
	for _, v := range [...]*float64{&h.count, &h.sum, &h.zeroT, &h.zero} {
		*v = r.float()
	}
	for range r.count(8) {
		h.custom = append(h.custom, r.float())
	}
	ok := len(h.custom) <= bucketsMax && slices.IsSorted(h.custom) && h.covered()
	for _, side := range [...]*[]series.Bucket{&h.pos, &h.neg} {
		for range r.count(9) {
			i := r.int()
			b := series.Bucket{Index: int32(i), Count: r.float()}
			if k := len(*side); int64(b.Index) != i || k > 0 && (*side)[k-1].Index >= b.Index {
				ok = false
			}
			*side = append(*side, b)
		}
	}
	if !ok || !sound(h.schema, h.zeroT, h.pos, h.neg, len(h.custom)) {
		r.fail()
	}
}
