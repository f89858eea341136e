package promql

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// acc is what an aggregation knows of a group beside the element that it becomes.
type acc struct {
	sum, low float64 // compensated sum: the value is sum + low
	mean     float64 // stddev, stdvar; avg whose sum overflowed
	n        float64 // elements with a value
	running  bool    // avg: mean is used, the sum would overflow
}

// add adds x to the compensated sum (Neumaier's variant of Kahan's, as Prometheus has it, so that results agree to the last bits).
func (a *acc) add(x float64) { a.sum, a.low = compensate(a.sum, a.low, x) }

func compensate(sum, low, x float64) (float64, float64) {
	t := sum + x
	switch {
	case math.IsInf(t, 0):
		low = 0
	case math.Abs(sum) >= math.Abs(x):
		low += (sum - t) + x
	default:
		low += (x - t) + sum
	}
	return t, low
}

func (n *node) evalAgg(st *State, in *Input, s *nodeState) []Element {
	vec := n.l.eval(st, in)
	t := in.Table
	if s.side == nil {
		s.side = t.projection(n.by, false)
	}
	by, w := s.side, &t.Work
	out, accs, pos := w.take(), w.accs[:0], w.pos[:0]
	quantile := n.op == parser.QUANTILE
	t.begin()
	for i := range vec {
		e := &vec[i]
		id := by.of(e.Set)
		at, ok := t.slot(id)
		if !ok {
			at = int32(len(out))
			t.setSlot(id, at)
			out = append(out, Element{Set: id, Events: math.NaN(), V: math.NaN(), Top: NoRefs})
			accs = append(accs, acc{})
		}
		if quantile {
			pos = append(pos, at)
		}
		g, a := &out[at], &accs[at]
		g.Missing += e.Missing
		if e.Unknown() {
			continue
		}
		g.Members += e.Members
		n.fold(g, a, e)
		if e.Hist != 0 {
			n.foldHist(g, w, e)
		}
	}
	s.buf, w.accs, w.pos = out, accs, pos
	switch {
	case n.peers:
		n.spreads(out, vec, w)
	case quantile:
		n.quantiles(out, vec, w, n.arg(in.EndMs))
	}
	n.l.release(st, in)
	if n.peers { // one alone has no peers
		s.buf = slices.DeleteFunc(out, func(g Element) bool { return g.Members == 0 && g.Missing == 0 })
		return s.buf
	}
	for i := range out {
		g, a := &out[i], &accs[i]
		if a.n == 0 {
			g.Members = 0 // unknown
			continue
		}
		if g.Hist != 0 && n.op == parser.AVG {
			w.Hist(g.Hist).Scale(1 / a.n)
		}
		switch n.op {
		case parser.SUM:
			g.V = a.sum + a.low
		case parser.AVG:
			if a.running {
				g.V = a.mean + a.low
			} else {
				g.V = a.sum/a.n + a.low/a.n
			}
		case parser.COUNT:
			g.V = a.n
		case parser.GROUP:
			g.V = 1
		case parser.STDVAR:
			g.V = a.sum / a.n
		case parser.STDDEV:
			g.V = math.Sqrt(a.sum / a.n) // min, max and quantile have their value already
		}
	}
	return out
}

// fold adds one element to its group.
func (n *node) fold(g *Element, a *acc, e *Element) {
	a.n++
	switch n.op {
	case parser.MIN, parser.MAX:
		better := a.n == 1 || math.IsNaN(g.V) || n.op == parser.MAX && g.V < e.V || n.op == parser.MIN && g.V > e.V
		if n.l.raw {
			n.evidence(g, Ref{e.Top[0].Series, e.V})
		} else if better {
			g.Top = e.Top
		}
		if better {
			g.V, g.Events = e.V, e.Events
		}
		return
	case parser.SUM:
		a.add(e.V)
	case parser.AVG:
		a.average(e.V)
	case parser.STDDEV, parser.STDVAR: // Welford, Note on a method for calculating corrected sums of squares and products, 1962
		if a.n == 1 && (math.IsNaN(e.V) || math.IsInf(e.V, 0)) {
			a.sum = math.NaN()
		}
		delta := e.V - a.mean
		if a.n == 1 {
			a.mean = e.V
		} else {
			a.mean += delta / a.n
			a.sum += delta * (e.V - a.mean)
		}
	}
	g.Events = addEvents(g.Events, e.Events)
	if n.l.raw {
		n.evidence(g, Ref{e.Top[0].Series, e.V})
		return
	}
	for _, m := range e.Top {
		n.evidence(g, m)
	}
}

// average adds to a mean: the sum is divided at the end while it does not overflow, else the mean is kept.
func (a *acc) average(x float64) {
	if !a.running {
		sum, low := compensate(a.sum, a.low, x)
		if a.n == 1 || !math.IsInf(sum, 0) {
			if a.n == 1 {
				sum, low = x, 0
			}
			a.sum, a.low = sum, low
			return
		}
		a.running = true
		a.mean = a.sum / (a.n - 1)
		a.low /= a.n - 1
	}
	q := (a.n - 1) / a.n
	a.mean, a.low = compensate(q*a.mean, q*a.low, x/a.n)
}

// evidence keeps m when it weighs more than the least of the group's three: by size for a sum, by value otherwise. Equal ones
// keep their order.
func (n *node) evidence(g *Element, m Ref) {
	if m.Series < 0 || math.IsNaN(m.V) {
		return
	}
	weight := func(v float64) float64 { return v }
	switch n.op {
	case parser.SUM:
		weight = math.Abs
	case parser.MIN:
		weight = func(v float64) float64 { return -v }
	}
	w := weight(m.V)
	for i := range g.Top {
		if g.Top[i].Series < 0 || w > weight(g.Top[i].V) {
			copy(g.Top[i+1:], g.Top[i:])
			g.Top[i] = m
			return
		}
	}
}

// addEvents adds counts of which NaN means not counted.
func addEvents(a, b float64) float64 {
	switch {
	case math.IsNaN(a):
		return b
	case math.IsNaN(b):
		return a
	}
	return a + b
}

// quantiles sets the groups' values to the φ-quantile of their elements: a counting sort brings a group's values together.
func (n *node) quantiles(out, vec []Element, w *Scratch, q float64) {
	ends := w.ends[:0]
	total := int32(0)
	for i := range out {
		ends = append(ends, total)
		total += int32(w.accs[i].n)
	}
	vals := slices.Grow(w.vals[:0], int(total))[:total]
	for i, at := range w.pos {
		if !vec[i].Unknown() {
			vals[ends[at]] = vec[i].V
			ends[at]++
		}
	}
	w.ends, w.vals = ends, vals
	start := int32(0)
	for i := range out {
		if w.accs[i].n > 0 {
			out[i].V = quantileOf(q, vals[start:ends[i]])
		}
		start = ends[i]
	}
}

// spreads sets the groups' values to how far their elements lie apart: (max − min) / median. A group of one has no value and goes.
// The evidence is that of the element farthest from the median.
func (n *node) spreads(out, vec []Element, w *Scratch) {
	n.quantiles(out, vec, w, 0.5)
	start := int32(0)
	for i := range out {
		g, v := &out[i], w.vals[start:w.ends[i]] // sorted, NaN first
		start = w.ends[i]
		g.Top = NoRefs
		for len(v) > 0 && v[0] != v[0] {
			v = v[1:] // not a number, so no peer
		}
		if w.accs[i].n = float64(len(v)); len(v) < 2 {
			g.Members = 0
			continue
		}
		g.V = quantileOf(0.5, v)
		w.accs[i].mean, w.accs[i].sum = g.V, -1 // the median, and how far the farthest is from it
		g.V = (v[len(v)-1] - v[0]) / g.V
	}
	for i, at := range w.pos {
		e, a := &vec[i], &w.accs[at]
		if d := math.Abs(e.V - a.mean); !e.Unknown() && a.n > 1 && d > a.sum {
			a.sum, out[at].Top = d, e.Top
		}
	}
}

// quantileOf returns the φ-quantile of v, which it sorts; linear between neighbours.
func quantileOf(q float64, v []float64) float64 {
	switch {
	case math.IsNaN(q):
		return q
	case q < 0:
		return math.Inf(-1)
	case q > 1:
		return math.Inf(1)
	}
	slices.Sort(v) // NaN first, as in Prometheus
	rank := q * float64(len(v)-1)
	lo := int(math.Floor(rank))
	hi := min(lo+1, len(v)-1)
	w := rank - math.Floor(rank)
	return v[lo]*(1-w) + v[hi]*w
}

// bucket is one cumulative bucket of a classic histogram.
type bucket struct {
	group   int32
	members int32
	bound   float64 // upper bound, inclusive
	count   float64
}

// foldHist adds an element's histogram to that of its group. Only sums and averages are made of histograms; the compiler sees to it.
func (n *node) foldHist(g *Element, w *Scratch, e *Element) {
	if g.Hist == 0 {
		h, no := w.TakeHist()
		h.CopyOf(w.Hist(e.Hist))
		g.Hist = no
		return
	}
	if !w.Math.Add(w.Hist(g.Hist), w.Hist(e.Hist), 1) {
		// Custom bounds and exponential ones do not add up: those of the first are taken, the others are missing.
		g.Members -= e.Members
		g.Missing += e.Members
	}
}

// evalHistogram is histogram_quantile and histogram_fraction, over classic buckets and native histograms alike. Where a group has both
// (a rollout turns native histograms on), the native observations are put into the classic bounds.
func (n *node) evalHistogram(st *State, in *Input, s *nodeState) []Element {
	var args [2]float64
	for i, a := range n.args {
		args[i] = a(in.EndMs)
	}
	vec := n.l.eval(st, in)
	t := in.Table
	if s.side == nil {
		s.side = t.projection([]string{labels.BucketLabel}, true)
	}
	rest, w := s.side, &t.Work
	out, buckets := w.take(), w.buckets[:0]
	t.begin()
	for i := range vec {
		e := &vec[i]
		bound, ok := 0.0, e.Hist != 0
		if !ok {
			bound, ok = t.bound(e.Set)
		}
		id := rest.of(e.Set)
		if !ok && !e.Unknown() {
			continue // no number: not a bucket; a native histogram without a value has none either
		}
		at, known := t.slot(id)
		if !known {
			at = int32(len(out))
			t.setSlot(id, at)
			out = append(out, Element{Set: id, V: math.NaN(), Events: math.NaN(), Top: NoRefs})
		}
		if e.Hist != 0 || !ok || math.IsInf(bound, 1) {
			// The last bucket holds all observations: it stands for the histogram.
			g := &out[at]
			g.Members, g.Missing = g.Members+e.Members, g.Missing+e.Missing
			if g.Top[0].Series < 0 {
				g.Top = e.Top
			}
			g.Events = addEvents(g.Events, e.Events)
			if e.Hist != 0 {
				g.Hist = e.Hist
				continue
			}
		}
		if !e.Unknown() {
			buckets = append(buckets, bucket{at, e.Members, bound, e.V})
		}
	}
	slices.SortFunc(buckets, func(a, b bucket) int {
		if a.group != b.group {
			return int(a.group - b.group)
		}
		if a.bound != b.bound {
			return cmp.Compare(a.bound, b.bound)
		}
		return 0
	})
	s.buf, w.buckets = out, buckets
	n.l.release(st, in)
	for len(buckets) > 0 {
		g := &out[buckets[0].group]
		end := sort.Search(len(buckets), func(i int) bool { return buckets[i].group > buckets[0].group })
		b := commonBounds(buckets[:end])
		if g.Hist != 0 && len(b) > 0 {
			h := w.Hist(g.Hist)
			for i := range b {
				below, all := h.below(b[i].bound)
				if math.IsInf(b[i].bound, 1) {
					below = all
				}
				b[i].count += below
			}
			g.Hist = 0
		}
		if n.fraction {
			g.V = bucketFraction(args[0], args[1], b)
		} else {
			g.V = bucketQuantile(args[0], b)
		}
		buckets = buckets[end:]
	}
	for i := range out {
		g := &out[i]
		if g.Hist == 0 {
			continue
		}
		h := w.Hist(g.Hist)
		if n.fraction {
			g.V = h.Fraction(args[0], args[1])
		} else {
			g.V = h.Quantile(args[0])
		}
		g.Hist = 0
	}
	return out
}

// commonBounds adds up buckets of equal bounds. Of the rest, bounds that only some targets have (a rollout changed them) are left out:
// such a bound would count only their observations, and the quantile would jump. The buckets are sorted by bound; without a last one
// at infinity there are none.
func commonBounds(b []bucket) []bucket {
	if !math.IsInf(b[len(b)-1].bound, 1) {
		return nil
	}
	m := 0
	for _, x := range b[1:] {
		if x.bound == b[m].bound {
			b[m].count += x.count
			b[m].members += x.members
		} else {
			m++
			b[m] = x
		}
	}
	b = b[:m+1]
	all := b[m].members
	return slices.DeleteFunc(b, func(x bucket) bool { return x.members < all })
}

// bucketFraction returns the share of observations between lo and hi of the cumulative buckets of commonBounds, as PromQL's
// histogram_fraction does: evenly spread within a bucket, from 0 on in the first when its bound is positive.
func bucketFraction(lo, hi float64, b []bucket) float64 {
	if len(b) == 0 || b[len(b)-1].count == 0 || math.IsNaN(lo) || math.IsNaN(hi) {
		return math.NaN()
	}
	if lo >= hi {
		return 0
	}
	all := b[len(b)-1].count
	below := func(v float64) float64 {
		from, rank := 0.0, 0.0
		if b[0].bound <= 0 {
			from = math.Inf(-1)
		}
		for _, x := range b {
			switch {
			case from >= v:
				return min(rank, all)
			case x.bound > v && math.IsInf(from, -1):
				return min(x.count, all)
			case x.bound > v:
				return min(rank+(x.count-rank)*(v-from)/(x.bound-from), all)
			}
			from, rank = x.bound, x.count
		}
		return all
	}
	return (below(hi) - below(lo)) / all
}

// bucketQuantile returns the φ-quantile of the cumulative buckets of commonBounds, which it changes. It follows PromQL's
// histogram_quantile: counts that fall are lifted (rates of buckets that were not scraped together), and inside a bucket observations
// are taken as evenly spread. In the last bucket the answer is the highest finite bound.
func bucketQuantile(q float64, b []bucket) float64 {
	switch {
	case math.IsNaN(q):
		return math.NaN()
	case q < 0:
		return math.Inf(-1)
	case q > 1:
		return math.Inf(1)
	}
	if len(b) == 0 {
		return math.NaN()
	}
	const small = 1e-12 // differences below are noise of floating-point sums
	prev := b[0].count
	for i := 1; i < len(b); i++ {
		switch c := b[i].count; {
		case c == prev:
		case c < prev || alike(prev, c, small):
			b[i].count = prev
		default:
			prev = c
		}
	}
	last := len(b) - 1
	if last < 1 || b[last].count == 0 {
		return math.NaN()
	}
	rank := q * b[last].count
	i := sort.Search(last, func(i int) bool { return b[i].count >= rank })
	switch {
	case i == last:
		return b[last-1].bound
	case i == 0 && b[0].bound <= 0:
		return b[0].bound
	case i == 0:
		return b[0].bound * (rank / b[0].count)
	}
	lo := b[i-1]
	return lo.bound + (b[i].bound-lo.bound)*((rank-lo.count)/(b[i].count-lo.count))
}

// alike reports whether a and b differ by less than tolerance, relative to their sum.
func alike(a, b, tolerance float64) bool {
	const tiny = 0x1p-1022 // smallest normal number
	sum, diff := math.Abs(a)+math.Abs(b), math.Abs(a-b)
	if a == 0 || b == 0 || sum < tiny {
		return diff < tolerance*tiny
	}
	return diff/math.Min(sum, math.MaxFloat64) < tolerance
}
