package promql

import (
	"math"
	"math/big"
	"slices"

	"github.com/wrackline/wrackline/baseline/series"
)

// CustomSchema is the schema of histograms with bounds of their own; the others, −4 to 8, have 2^schema buckets for each power of two.
const CustomSchema = -53

// Hist is a native histogram: absolute counts, or an increase of them. Buckets are sorted by index. It is filled by set, copyOf or like,
// which reuse its memory.
type Hist struct {
	Schema              int32
	Count, Sum          float64
	ZeroThreshold, Zero float64         // the zero bucket's threshold and count; 0 with custom bounds
	Pos, Neg            []series.Bucket // neg by absolute value
	Custom              []float64       // upper bounds of schemaCustom; shared, never changed
}

// BucketsMax bounds the buckets of one native histogram. One with more is made coarser, as Prometheus does on request.
const BucketsMax = 160

// IsCustom reports whether h has bounds of its own.
func (h *Hist) IsCustom() bool { return h.Schema == CustomSchema }

// Buckets returns the number of populated buckets.
func (h *Hist) Buckets() int { return len(h.Pos) + len(h.Neg) }

// Set makes h what a sender sent. custom are its bounds, in memory that may be kept.
func (h *Hist) Set(x *series.Histogram, custom []float64) {
	h.Schema, h.Count, h.Sum, h.ZeroThreshold, h.Zero, h.Custom = x.Schema, x.Count, x.Sum, x.ZeroThreshold, x.ZeroCount, custom
	h.Pos, h.Neg = populated(h.Pos[:0], x.Pos), populated(h.Neg[:0], x.Neg)
}

func populated(dst, src []series.Bucket) []series.Bucket {
	for _, b := range src {
		if b.Count != 0 {
			dst = append(dst, b)
		}
	}
	return dst
}

// CopyOf makes h equal to o.
func (h *Hist) CopyOf(o *Hist) {
	pos, neg := append(h.Pos[:0], o.Pos...), append(h.Neg[:0], o.Neg...)
	*h = *o
	h.Pos, h.Neg = pos, neg
}

// Like makes h a histogram of o's layout without observations.
func (h *Hist) Like(o *Hist) {
	*h = Hist{Schema: o.Schema, ZeroThreshold: o.ZeroThreshold, Custom: o.Custom, Pos: h.Pos[:0], Neg: h.Neg[:0]}
}

// Forget makes h one of which nothing is known: not even that nothing was observed.
func (h *Hist) Forget() {
	*h = Hist{Count: math.NaN(), Pos: h.Pos[:0], Neg: h.Neg[:0]}
}

// Covered reports whether anything is known of h; Forget makes it false.
func (h *Hist) Covered() bool { return h.Count == h.Count }

// Take adds f times d to h, which is f times d when nothing was known of it.
func (h *Hist) Take(m *HistMath, d *Hist, f float64) {
	if !h.Covered() {
		h.CopyOf(d)
		h.Scale(f)
		return
	}
	m.Add(h, d, f)
}

// Scale multiplies everything that is counted.
func (h *Hist) Scale(f float64) {
	h.Count *= f
	h.Sum *= f
	h.Zero *= f
	for _, side := range [...][]series.Bucket{h.Pos, h.Neg} {
		for i := range side {
			side[i].Count *= f
		}
	}
}

// upper returns the upper bound of a positive bucket of an exponential schema: 2^(index / 2^schema). The last bucket of finite values
// ends at the largest of them; the one after it holds infinity.
func upper(index, schema int32) float64 {
	if schema <= 0 {
		exp := int(index) << -schema
		if exp == 1024 {
			return math.MaxFloat64
		}
		return math.Ldexp(1, exp)
	}
	part := index & (1<<schema - 1)
	exp := int(index >> schema)
	if part == 0 && exp == 1024 {
		return math.MaxFloat64
	}
	return math.Ldexp(roots[part<<(FinestSchema-schema)], exp)
}

const (
	FinestSchema = 8 // the finest schema
	// boundsOff is how far a sender's idea of a bound may be from ours: client libraries have tables that are a bit off in the last place.
	boundsOff = 1e-14
)

// roots are the powers of 2 by 256ths, each the nearest number to the true one.
var roots = func() (out [1 << FinestSchema]float64) {
	const bits = 160
	root := new(big.Float).SetPrec(bits).SetInt64(2)
	for range FinestSchema {
		root.Sqrt(root)
	}
	x := new(big.Float).SetPrec(bits).SetInt64(1)
	for i := range out {
		out[i], _ = x.Float64()
		x.Mul(x, root)
	}
	return out
}()

// bounds returns the bounds of a bucket of the positive side (of the negative one, those of its mirror image).
func (h *Hist) bounds(index int32) (lo, hi float64) {
	if !h.IsCustom() {
		return upper(index-1, h.Schema), upper(index, h.Schema)
	}
	lo, hi = math.Inf(-1), math.Inf(1)
	if i := int(index); i < len(h.Custom) {
		hi = h.Custom[i]
	}
	if i := int(index) - 1; i >= 0 && i < len(h.Custom) {
		lo = h.Custom[i]
	}
	return lo, hi
}

// Reduce makes an exponential histogram coarser. Two buckets become one for each step.
func (h *Hist) Reduce(schema int32) {
	shift := h.Schema - schema
	h.Schema = schema
	for _, side := range [...]*[]series.Bucket{&h.Pos, &h.Neg} {
		out := (*side)[:0]
		for _, b := range *side {
			b.Index = int32((int64(b.Index)-1)>>shift + 1)
			if n := len(out); n > 0 && out[n-1].Index == b.Index {
				out[n-1].Count += b.Count
			} else {
				out = append(out, b)
			}
		}
		*side = out
	}
}

// widen raises the zero bucket's threshold to t, or to the end of the populated bucket that t lies in, and takes in what is below.
func (h *Hist) widen(t float64) {
	for again := true; again; {
		again = false
		for _, side := range [...][]series.Bucket{h.Pos, h.Neg} {
			for _, b := range side {
				lo, hi := h.bounds(b.Index)
				if lo >= t*(1-boundsOff) {
					break
				}
				if hi > t*(1+boundsOff) {
					t, again = hi, true
				}
			}
		}
	}
	for _, side := range [...]*[]series.Bucket{&h.Pos, &h.Neg} {
		n := 0
		for _, b := range *side {
			if lo, _ := h.bounds(b.Index); lo >= t*(1-boundsOff) {
				break
			}
			h.Zero += b.Count
			n++
		}
		*side = slices.Delete(*side, 0, n)
	}
	h.ZeroThreshold = t
}

// rebound gives a histogram of custom bounds coarser ones, which are among its own.
func (h *Hist) rebound(custom []float64) {
	out := h.Pos[:0]
	j := 0
	for _, b := range h.Pos {
		to := len(custom)
		if i := int(b.Index); i < len(h.Custom) {
			for j < len(custom) && custom[j] < h.Custom[i] {
				j++
			}
			to = j
		}
		b.Index = int32(to)
		if n := len(out); n > 0 && out[n-1].Index == b.Index {
			out[n-1].Count += b.Count
		} else {
			out = append(out, b)
		}
	}
	h.Pos, h.Custom = out, custom
}

// shared returns the bounds that both have.
func shared(a, b []float64) []float64 {
	var out []float64
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			out = append(out, a[i])
			i++
			j++
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return out
}

// HistMath adds and compares histograms; it holds the memory that this takes.
type HistMath struct{ a, Spare Hist }

// Add adds f times o to h, at the coarser schema and the wider zero bucket of the two, or at the bounds that both have. It returns
// false, and does nothing, when one has custom bounds and the other has not.
func (m *HistMath) Add(h, o *Hist, f float64) bool {
	if h.IsCustom() != o.IsCustom() {
		return false
	}
	if h.IsCustom() {
		if !slices.Equal(h.Custom, o.Custom) {
			both := shared(h.Custom, o.Custom)
			h.rebound(both)
			m.a.CopyOf(o)
			m.a.rebound(both)
			o = &m.a
		}
	} else if h.Schema != o.Schema || h.ZeroThreshold != o.ZeroThreshold {
		if o.Schema > h.Schema || o.ZeroThreshold != h.ZeroThreshold {
			m.a.CopyOf(o)
			o = &m.a
		}
		for h.ZeroThreshold != o.ZeroThreshold {
			if h.ZeroThreshold < o.ZeroThreshold {
				h.widen(o.ZeroThreshold)
			} else {
				o.widen(h.ZeroThreshold)
			}
		}
		switch {
		case h.Schema > o.Schema:
			h.Reduce(o.Schema)
		case o.Schema > h.Schema:
			o.Reduce(h.Schema)
		}
	}
	h.Count += f * o.Count
	h.Sum += f * o.Sum
	h.Zero += f * o.Zero
	h.Pos, h.Neg = merge(h.Pos, o.Pos, f), merge(h.Neg, o.Neg, f)
	return true
}

// merge adds f times src to dst. Both are sorted by index.
func merge(dst, src []series.Bucket, f float64) []series.Bucket {
	more, i := 0, 0
	for _, b := range src {
		for i < len(dst) && dst[i].Index < b.Index {
			i++
		}
		if i == len(dst) || dst[i].Index != b.Index {
			more++
		}
	}
	i = len(dst) - 1
	dst = slices.Grow(dst, more)[:len(dst)+more]
	for at, j := len(dst)-1, len(src)-1; j >= 0; at-- { // from the back, so that nothing is written over before it is read
		switch {
		case i >= 0 && dst[i].Index > src[j].Index:
			dst[at] = dst[i]
			i--
		case i >= 0 && dst[i].Index == src[j].Index:
			dst[at] = series.Bucket{Index: src[j].Index, Count: dst[i].Count + f*src[j].Count}
			i--
			j--
		default:
			dst[at] = series.Bucket{Index: src[j].Index, Count: f * src[j].Count}
			j--
		}
	}
	return dst
}

// Prune drops empty buckets.
func (h *Hist) Prune() {
	h.Pos, h.Neg = populated(h.Pos[:0], h.Pos), populated(h.Neg[:0], h.Neg)
}

// above returns the index of the lowest bucket that reaches above t.
func (h *Hist) above(t float64) int32 {
	switch {
	case t <= 0:
		return math.MinInt32
	case t > math.MaxFloat64/2:
		return math.MaxInt32
	}
	i := int32(math.Log2(t)*math.Exp2(float64(h.Schema))) - 2
	for upper(i, h.Schema) <= t*(1+boundsOff) {
		i++
	}
	return i
}

// Reset reports whether a counter histogram began anew between prev and h: when any of its buckets fell, or when its layout became
// finer, which only a restart can do. It is decided once for all buckets.
func (m *HistMath) Reset(h, prev *Hist) bool {
	if h.Count < prev.Count || h.IsCustom() != prev.IsCustom() {
		return true
	}
	cur := h
	if h.IsCustom() {
		if !slices.Equal(h.Custom, prev.Custom) {
			both := shared(h.Custom, prev.Custom)
			m.a.CopyOf(prev)
			m.a.rebound(both)
			m.Spare.CopyOf(h)
			m.Spare.rebound(both)
			cur, prev = &m.Spare, &m.a
		}
		return falls(cur.Pos, prev.Pos, math.MinInt32)
	}
	if h.Schema > prev.Schema || h.ZeroThreshold < prev.ZeroThreshold {
		return true
	}
	zero, from := prev.Zero, int32(math.MinInt32)
	if h.ZeroThreshold != prev.ZeroThreshold {
		m.Spare.CopyOf(prev)
		m.Spare.widen(h.ZeroThreshold)
		if m.Spare.ZeroThreshold != h.ZeroThreshold {
			return true // the new threshold lies in a bucket that had observations
		}
		zero = m.Spare.Zero
		from = h.above(h.ZeroThreshold)
	}
	if h.Schema != prev.Schema {
		m.a.CopyOf(prev)
		m.a.Reduce(h.Schema)
		prev = &m.a
	}
	return h.Zero < zero || falls(h.Pos, prev.Pos, from) || falls(h.Neg, prev.Neg, from)
}

// falls reports whether a bucket of prev from an index on has fewer observations in cur.
func falls(cur, prev []series.Bucket, from int32) bool {
	i := 0
	for _, p := range prev {
		for i < len(cur) && cur[i].Index < p.Index {
			i++
		}
		if p.Index >= from && p.Count > 0 && (i == len(cur) || cur[i].Index != p.Index || cur[i].Count < p.Count) {
			return true
		}
	}
	return false
}

// span is a bucket by its bounds.
type span struct {
	lo, hi, count float64
	zero          bool // 0 lies in it
}

// at returns the i-th populated bucket from below: the negative ones, the zero bucket, the positive ones.
func (h *Hist) at(i int) span {
	if n := len(h.Neg); i < n {
		b := h.Neg[n-1-i]
		lo, hi := h.bounds(b.Index)
		return span{lo: -hi, hi: -max(lo, h.ZeroThreshold), count: b.Count}
	} else {
		i -= n
	}
	var s span
	if h.Zero > 0 && !h.IsCustom() {
		if i == 0 {
			s = span{lo: -h.ZeroThreshold, hi: h.ZeroThreshold, count: h.Zero}
			return h.oneSided(s)
		}
		i--
	}
	b := h.Pos[i]
	s.lo, s.hi = h.bounds(b.Index)
	s.count = b.Count
	if !h.IsCustom() {
		s.lo = max(s.lo, h.ZeroThreshold) // a coarse bucket that reaches into the zero bucket
	}
	return h.oneSided(s)
}

// oneSided marks the bucket that 0 lies in. With no negative buckets its lower bound is taken as 0, with only negative ones its upper.
func (h *Hist) oneSided(s span) span {
	if s.lo <= 0 && s.hi >= 0 {
		s.zero = true
		switch {
		case len(h.Neg) == 0 && len(h.Pos) > 0:
			s.lo = 0
		case len(h.Pos) == 0 && len(h.Neg) > 0:
			s.hi = 0
		}
	}
	return s
}

// spans returns how many buckets at can be asked for.
func (h *Hist) spans() int {
	n := h.Buckets()
	if h.Zero > 0 && !h.IsCustom() {
		n++
	}
	return n
}

// countAt returns the count of a bucket without working out its bounds.
func (h *Hist) countAt(i int) float64 {
	if n := len(h.Neg); i < n {
		return h.Neg[n-1-i].Count
	} else {
		i -= n
	}
	if h.Zero > 0 && !h.IsCustom() {
		if i == 0 {
			return h.Zero
		}
		i--
	}
	return h.Pos[i].Count
}

// Quantile returns the φ-quantile as PromQL's histogram_quantile does: observations are evenly spread on a logarithmic scale within an
// exponential bucket, evenly within a custom or the zero bucket. Observations of NaN are counted and lie above everything.
func (h *Hist) Quantile(q float64) float64 {
	switch {
	case math.IsNaN(q):
		return q
	case q < 0:
		return math.Inf(-1)
	case q > 1:
		return math.Inf(1)
	}
	n := h.spans()
	if h.Count == 0 || n == 0 {
		return math.NaN()
	}
	// The way is walked from the nearer end: sums of few small numbers are more exact.
	nans := math.IsNaN(h.Sum)
	up := nans || q < 0.5
	rank, i, step := q*h.Count, 0, 1
	if !up {
		rank, i, step = (1-q)*h.Count, n-1, -1
	}
	sum := 0.0
	for {
		sum += h.countAt(i)
		if next := i + step; sum < rank && next >= 0 && next < n {
			i = next
			continue
		}
		break
	}
	b := h.at(i)
	if h.IsCustom() {
		b.lo, b.hi = h.bounds(h.Pos[i].Index)
		if math.IsInf(b.lo, -1) {
			if b.hi <= 0 {
				return b.hi
			}
			b.lo = 0
		} else if math.IsInf(b.hi, 1) {
			return b.lo
		}
	}
	sum = min(sum, h.Count)
	if sum < rank {
		if nans {
			return math.NaN()
		}
		return b.hi
	}
	in := rank - (sum - b.count) // rank within the bucket
	if !up {
		in = sum - rank
	}
	part := in / b.count
	if h.IsCustom() || b.zero {
		return b.lo + (b.hi-b.lo)*part
	}
	lo, hi := math.Log2(math.Abs(b.lo)), math.Log2(math.Abs(b.hi))
	v := math.Exp2(lo + (hi-lo)*part)
	if b.lo < 0 {
		return -v
	}
	return v
}

// below returns how many observations are at most v, and how many of all are numbers.
func (h *Hist) below(v float64) (n, all float64) {
	n = math.NaN()
	for i := range h.spans() {
		c := h.countAt(i)
		if n == n {
			all += c
			continue
		}
		b := h.at(i)
		switch {
		case b.lo >= v:
			n = all
		case b.hi > v:
			switch {
			case math.IsInf(b.lo, -1):
				n = c
			case math.IsInf(b.hi, 1):
				n = all // nothing is known of where in it they are
			case h.IsCustom() || b.zero:
				n = all + c*(v-b.lo)/(b.hi-b.lo)
			default:
				lo, hi, x := math.Log2(math.Abs(b.lo)), math.Log2(math.Abs(b.hi)), math.Log2(math.Abs(v))
				n = all + c*(x-lo)/(hi-lo)
			}
		}
		all += c
	}
	if !math.IsNaN(h.Sum) {
		all = h.Count
	}
	if n != n || n > all {
		n = all
	}
	return n, all
}

// Fraction returns the share of observations between lo and hi, as PromQL's histogram_fraction does.
func (h *Hist) Fraction(lo, hi float64) float64 {
	switch {
	case h.Count == 0 || math.IsNaN(lo) || math.IsNaN(hi):
		return math.NaN()
	case lo >= hi:
		return 0
	}
	a, _ := h.below(lo)
	b, _ := h.below(hi)
	return (b - a) / h.Count
}
