package window

import (
	"math"
	"slices"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

// Hists is what is remembered of a native histogram: the newest one, and its increase in each window of a ring. A window holds only the
// buckets that counted something in it. Most histograms fill a few of theirs each minute, so eight windows and the newest take about as
// much as the classic series that they replace.
type Hists struct {
	Last  promql.Hist // the newest
	lastT int64       // of Last; 0 = none yet
	head  uint32      // newest window of rows
	rows  []promql.Hist
}

// HistWork is what Record works with, kept so that it allocates nothing.
type HistWork struct {
	Came promql.Hist // the histogram that has arrived, in the form that is kept
	Math promql.HistMath
	rise promql.Hist
}

// NewHists returns a ring of windows of which nothing is known.
func NewHists(windows uint8) Hists {
	n := Hists{rows: make([]promql.Hist, windows)}
	n.forget()
	return n
}

func (n *Hists) forget() {
	for i := range n.rows {
		n.rows[i].Forget()
	}
}

// Covers reports whether something is known of the window w.
func (n *Hists) Covers(w uint32) bool { return w <= n.head && n.rows[w%uint32(len(n.rows))].Covered() }

// Holds returns how many buckets n may come to hold if its newest has so many: those in each window. Fewer is usual.
func (n *Hists) Holds(buckets int) int { return buckets * (1 + len(n.rows)) }

// Room is Holds of the buckets that its newest has.
func (n *Hists) Room() int { return n.Holds(n.Last.Buckets()) }

// advance makes w the newest window.
func (n *Hists) advance(w uint32) {
	if w <= n.head {
		return
	}
	size := uint32(len(n.rows))
	for i := w - min(w-n.head, size) + 1; i <= w; i++ {
		n.rows[i%size].Forget()
	}
	n.head = w
}

// Resize makes a ring of another length, with the newest windows of the old one.
func (n *Hists) Resize(size uint8) {
	old, was := n.rows, uint32(len(n.rows))
	if was == uint32(size) {
		return
	}
	n.rows = make([]promql.Hist, size)
	n.forget()
	for i := uint32(0); i < min(uint32(size), was) && i <= n.head; i++ {
		w := n.head - i
		n.rows[w%uint32(size)] = old[w%was]
	}
}

// spread shares an increase between t0 (exclusive) and t1 (inclusive) among the windows, bucket by bucket.
func (n *Hists) spread(m *promql.HistMath, d *promql.Hist, t0, t1 int64) {
	size := uint32(len(n.rows))
	first, last := uint32(t0/Ms)+1, Of(t1)
	if first >= last {
		n.rows[last%size].Take(m, d, 1)
		return
	}
	for w := max(first, n.head-min(n.head, size-1)); w <= last; w++ {
		end := int64(w) * Ms
		n.rows[w%size].Take(m, d, float64(min(t1, end)-max(t0, end-Ms))/float64(t1-t0))
	}
}

// Read returns what is known of the l.Windows windows up to w: the events, NaN for none, how many windows among
// them are gaps, and the number of the histogram, or the sum, that the leaf takes.
func (n *Hists) Read(l *promql.Leaf, w uint32, work *promql.Scratch) (v, sum float64, gaps int, no int32) {
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

// Append writes the ring.
func (n *Hists) Append(w *codec.Writer) {
	w.Int(n.lastT)
	w.Num(int(n.head))
	n.Last.Append(w)
	for i := range n.rows {
		w.Bool(n.rows[i].Covered())
		if n.rows[i].Covered() {
			n.rows[i].Append(w)
		}
	}
}

// ReadHists reads what Append wrote of a ring of so many windows.
func ReadHists(r *codec.Reader, windows uint8) Hists {
	n := Hists{lastT: r.Time(), head: uint32(r.Num(math.MaxUint32)), rows: make([]promql.Hist, windows)}
	n.Last.Restore(r)
	for i := range n.rows {
		if row := &n.rows[i]; r.Bool() {
			row.Restore(r)
			if slices.Equal(row.Custom, n.Last.Custom) {
				row.Custom = n.Last.Custom
			}
		} else {
			row.Forget()
		}
	}
	return n
}

// Record adds the histogram in work.Came, of the sample x. of is the time of the series' sample before, 0 = none: then, and
// where nobody said when it began, it only anchors. Record reports whether the histogram began anew.
func (n *Hists) Record(work *HistWork, x *series.Histogram, of int64) (reset bool) {
	w := Of(x.T)
	n.advance(w)
	cur, m := &work.Came, &work.Math
	if n.lastT != 0 && cur.IsCustom() != n.Last.IsCustom() {
		n.forget() // other bounds altogether do not add up with what is known
	}
	began := x.Start > 0 && x.Start < x.T && x.Start > of
	d := cur
	switch {
	case n.lastT != 0 && n.lastT == of && x.T-of <= GapMs:
		from := of
		if reset = began || x.Reset || m.Reset(cur, &n.Last); reset {
			if began {
				from = x.Start
				m.Spare.Like(cur)
				n.spread(m, &m.Spare, of, from)
			}
		} else {
			d = &work.rise
			d.CopyOf(cur)
			m.Add(d, &n.Last, -1)
			d.Prune()
		}
		n.spread(m, d, from, x.T)
	case began && x.T-x.Start <= GapMs:
		n.spread(m, d, x.Start, x.T)
	default:
		m.Spare.Like(cur)
		n.rows[w%uint32(len(n.rows))].Take(m, &m.Spare, 1)
	}
	n.Last.CopyOf(cur)
	n.lastT = x.T
	return reset
}
