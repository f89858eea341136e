package signal

import (
	"math"
	"math/big"
	"slices"

	"github.com/wrackline/wrackline/baseline/series"
)

// schemaCustom is the schema of histograms with bounds of their own; the others, −4 to 8, have 2^schema buckets for each power of two.
const schemaCustom = -53

// hist is a native histogram: absolute counts, or an increase of them. Buckets are sorted by index. It is filled by set, copyOf or like,
// which reuse its memory.
type hist struct {
	schema      int32
	count, sum  float64
	zeroT, zero float64         // the zero bucket's threshold and count; 0 with custom bounds
	pos, neg    []series.Bucket // neg by absolute value
	custom      []float64       // upper bounds of schemaCustom; shared, never changed
}

// bucketsMax bounds the buckets of one native histogram. One with more is made coarser, as Prometheus does on request.
const bucketsMax = 160

func (h *hist) isCustom() bool { return h.schema == schemaCustom }

// buckets returns the number of populated buckets.
func (h *hist) buckets() int { return len(h.pos) + len(h.neg) }

// set makes h what a sender sent. custom are its bounds, in memory that may be kept.
func (h *hist) set(x *series.Histogram, custom []float64) {
	h.schema, h.count, h.sum, h.zeroT, h.zero, h.custom = x.Schema, x.Count, x.Sum, x.ZeroThreshold, x.ZeroCount, custom
	h.pos, h.neg = populated(h.pos[:0], x.Pos), populated(h.neg[:0], x.Neg)
}

func populated(dst, src []series.Bucket) []series.Bucket {
	for _, b := range src {
		if b.Count != 0 {
			dst = append(dst, b)
		}
	}
	return dst
}

// copyOf makes h equal to o.
func (h *hist) copyOf(o *hist) {
	pos, neg := append(h.pos[:0], o.pos...), append(h.neg[:0], o.neg...)
	*h = *o
	h.pos, h.neg = pos, neg
}

// like makes h a histogram of o's layout without observations.
func (h *hist) like(o *hist) {
	*h = hist{schema: o.schema, zeroT: o.zeroT, custom: o.custom, pos: h.pos[:0], neg: h.neg[:0]}
}

// scale multiplies everything that is counted.
func (h *hist) scale(f float64) {
	h.count *= f
	h.sum *= f
	h.zero *= f
	for _, side := range [...][]series.Bucket{h.pos, h.neg} {
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
	return math.Ldexp(roots[part<<(finest-schema)], exp)
}

const (
	finest = 8 // the finest schema
	// boundsOff is how far a sender's idea of a bound may be from ours: client libraries have tables that are a bit off in the last place.
	boundsOff = 1e-14
)

// roots are the powers of 2 by 256ths, each the nearest number to the true one.
var roots = func() (out [1 << finest]float64) {
	const bits = 160
	root := new(big.Float).SetPrec(bits).SetInt64(2)
	for range finest {
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
func (h *hist) bounds(index int32) (lo, hi float64) {
	if !h.isCustom() {
		return upper(index-1, h.schema), upper(index, h.schema)
	}
	lo, hi = math.Inf(-1), math.Inf(1)
	if i := int(index); i < len(h.custom) {
		hi = h.custom[i]
	}
	if i := int(index) - 1; i >= 0 && i < len(h.custom) {
		lo = h.custom[i]
	}
	return lo, hi
}

// reduce makes an exponential histogram coarser. Two buckets become one for each step.
func (h *hist) reduce(schema int32) {
	shift := h.schema - schema
	h.schema = schema
	for _, side := range [...]*[]series.Bucket{&h.pos, &h.neg} {
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
func (h *hist) widen(t float64) {
	for again := true; again; {
		again = false
		for _, side := range [...][]series.Bucket{h.pos, h.neg} {
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
	for _, side := range [...]*[]series.Bucket{&h.pos, &h.neg} {
		n := 0
		for _, b := range *side {
			if lo, _ := h.bounds(b.Index); lo >= t*(1-boundsOff) {
				break
			}
			h.zero += b.Count
			n++
		}
		*side = slices.Delete(*side, 0, n)
	}
	h.zeroT = t
}

// rebound gives a histogram of custom bounds coarser ones, which are among its own.
func (h *hist) rebound(custom []float64) {
	out := h.pos[:0]
	j := 0
	for _, b := range h.pos {
		to := len(custom)
		if i := int(b.Index); i < len(h.custom) {
			for j < len(custom) && custom[j] < h.custom[i] {
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
	h.pos, h.custom = out, custom
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

// histMath adds and compares histograms; it holds the memory that this takes.
type histMath struct{ a, b hist }

// add adds f times o to h, at the coarser schema and the wider zero bucket of the two, or at the bounds that both have. It returns
// false, and does nothing, when one has custom bounds and the other has not.
func (m *histMath) add(h, o *hist, f float64) bool {
	if h.isCustom() != o.isCustom() {
		return false
	}
	if h.isCustom() {
		if !slices.Equal(h.custom, o.custom) {
			both := shared(h.custom, o.custom)
			h.rebound(both)
			m.a.copyOf(o)
			m.a.rebound(both)
			o = &m.a
		}
	} else if h.schema != o.schema || h.zeroT != o.zeroT {
		if o.schema > h.schema || o.zeroT != h.zeroT {
			m.a.copyOf(o)
			o = &m.a
		}
		for h.zeroT != o.zeroT {
			if h.zeroT < o.zeroT {
				h.widen(o.zeroT)
			} else {
				o.widen(h.zeroT)
			}
		}
		switch {
		case h.schema > o.schema:
			h.reduce(o.schema)
		case o.schema > h.schema:
			o.reduce(h.schema)
		}
	}
	h.count += f * o.count
	h.sum += f * o.sum
	h.zero += f * o.zero
	h.pos, h.neg = merge(h.pos, o.pos, f), merge(h.neg, o.neg, f)
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

// prune drops empty buckets.
func (h *hist) prune() {
	h.pos, h.neg = populated(h.pos[:0], h.pos), populated(h.neg[:0], h.neg)
}

// above returns the index of the lowest bucket that reaches above t.
func (h *hist) above(t float64) int32 {
	switch {
	case t <= 0:
		return math.MinInt32
	case t > math.MaxFloat64/2:
		return math.MaxInt32
	}
	i := int32(math.Log2(t)*math.Exp2(float64(h.schema))) - 2
	for upper(i, h.schema) <= t*(1+boundsOff) {
		i++
	}
	return i
}

// reset reports whether a counter histogram began anew between prev and h: when any of its buckets fell, or when its layout became
// finer, which only a restart can do. It is decided once for all buckets.
func (m *histMath) reset(h, prev *hist) bool {
	if h.count < prev.count || h.isCustom() != prev.isCustom() {
		return true
	}
	cur := h
	if h.isCustom() {
		if !slices.Equal(h.custom, prev.custom) {
			both := shared(h.custom, prev.custom)
			m.a.copyOf(prev)
			m.a.rebound(both)
			m.b.copyOf(h)
			m.b.rebound(both)
			cur, prev = &m.b, &m.a
		}
		return falls(cur.pos, prev.pos, math.MinInt32)
	}
	if h.schema > prev.schema || h.zeroT < prev.zeroT {
		return true
	}
	zero, from := prev.zero, int32(math.MinInt32)
	if h.zeroT != prev.zeroT {
		m.b.copyOf(prev)
		m.b.widen(h.zeroT)
		if m.b.zeroT != h.zeroT {
			return true // the new threshold lies in a bucket that had observations
		}
		zero = m.b.zero
		from = h.above(h.zeroT)
	}
	if h.schema != prev.schema {
		m.a.copyOf(prev)
		m.a.reduce(h.schema)
		prev = &m.a
	}
	return h.zero < zero || falls(h.pos, prev.pos, from) || falls(h.neg, prev.neg, from)
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
func (h *hist) at(i int) span {
	if n := len(h.neg); i < n {
		b := h.neg[n-1-i]
		lo, hi := h.bounds(b.Index)
		return span{lo: -hi, hi: -max(lo, h.zeroT), count: b.Count}
	} else {
		i -= n
	}
	var s span
	if h.zero > 0 && !h.isCustom() {
		if i == 0 {
			s = span{lo: -h.zeroT, hi: h.zeroT, count: h.zero}
			return h.oneSided(s)
		}
		i--
	}
	b := h.pos[i]
	s.lo, s.hi = h.bounds(b.Index)
	s.count = b.Count
	if !h.isCustom() {
		s.lo = max(s.lo, h.zeroT) // a coarse bucket that reaches into the zero bucket
	}
	return h.oneSided(s)
}

// oneSided marks the bucket that 0 lies in. With no negative buckets its lower bound is taken as 0, with only negative ones its upper.
func (h *hist) oneSided(s span) span {
	if s.lo <= 0 && s.hi >= 0 {
		s.zero = true
		switch {
		case len(h.neg) == 0 && len(h.pos) > 0:
			s.lo = 0
		case len(h.pos) == 0 && len(h.neg) > 0:
			s.hi = 0
		}
	}
	return s
}

// spans returns how many buckets at can be asked for.
func (h *hist) spans() int {
	n := h.buckets()
	if h.zero > 0 && !h.isCustom() {
		n++
	}
	return n
}

// countAt returns the count of a bucket without working out its bounds.
func (h *hist) countAt(i int) float64 {
	if n := len(h.neg); i < n {
		return h.neg[n-1-i].Count
	} else {
		i -= n
	}
	if h.zero > 0 && !h.isCustom() {
		if i == 0 {
			return h.zero
		}
		i--
	}
	return h.pos[i].Count
}

// quantile returns the φ-quantile as PromQL's histogram_quantile does: observations are evenly spread on a logarithmic scale within an
// exponential bucket, evenly within a custom or the zero bucket. Observations of NaN are counted and lie above everything.
func (h *hist) quantile(q float64) float64 {
	switch {
	case math.IsNaN(q):
		return q
	case q < 0:
		return math.Inf(-1)
	case q > 1:
		return math.Inf(1)
	}
	n := h.spans()
	if h.count == 0 || n == 0 {
		return math.NaN()
	}
	// The way is walked from the nearer end: sums of few small numbers are more exact.
	nans := math.IsNaN(h.sum)
	up := nans || q < 0.5
	rank, i, step := q*h.count, 0, 1
	if !up {
		rank, i, step = (1-q)*h.count, n-1, -1
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
	if h.isCustom() {
		b.lo, b.hi = h.bounds(h.pos[i].Index)
		if math.IsInf(b.lo, -1) {
			if b.hi <= 0 {
				return b.hi
			}
			b.lo = 0
		} else if math.IsInf(b.hi, 1) {
			return b.lo
		}
	}
	sum = min(sum, h.count)
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
	if h.isCustom() || b.zero {
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
func (h *hist) below(v float64) (n, all float64) {
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
			case h.isCustom() || b.zero:
				n = all + c*(v-b.lo)/(b.hi-b.lo)
			default:
				lo, hi, x := math.Log2(math.Abs(b.lo)), math.Log2(math.Abs(b.hi)), math.Log2(math.Abs(v))
				n = all + c*(x-lo)/(hi-lo)
			}
		}
		all += c
	}
	if !math.IsNaN(h.sum) {
		all = h.count
	}
	if n != n || n > all {
		n = all
	}
	return n, all
}

// fraction returns the share of observations between lo and hi, as PromQL's histogram_fraction does.
func (h *hist) fraction(lo, hi float64) float64 {
	switch {
	case h.count == 0 || math.IsNaN(lo) || math.IsNaN(hi):
		return math.NaN()
	case lo >= hi:
		return 0
	}
	a, _ := h.below(lo)
	b, _ := h.below(hi)
	return (b - a) / h.count
}
