package ingest

import (
	"fmt"
	"math"

	"github.com/wrackline/wrackline/baseline/series"
)

// Schemas of native histograms.
const (
	schemaMin    = -4
	schemaMax    = 8
	schemaCustom = -53
)

// histogram is a native histogram as the message has it, before it is checked. It is scratch space of a Decoder: the
// slices are bounded by the limits while they are filled.
type histogram struct {
	series.Histogram
	isFloat, zeroFloat, zeroSet bool
	count, zero                 uint64 // of an integer histogram
	pos, neg                    side
	custom                      []float64
	over                        bool // more buckets, spans or bounds than the limit
}

// side is the positive or the negative half of a histogram.
type side struct {
	spans  []bucketSpan
	deltas []int64
	counts []float64
}

type bucketSpan struct {
	offset int64
	length uint32
}

func (h *histogram) reset() {
	*h = histogram{
		pos:    side{h.pos.spans[:0], h.pos.deltas[:0], h.pos.counts[:0]},
		neg:    side{h.neg.spans[:0], h.neg.deltas[:0], h.neg.counts[:0]},
		custom: h.custom[:0],
	}
}

var knownHistogram = fields(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)

// histogram reads a native histogram, whose message is the same in both protocols but for the start time that 2.0
// added. It returns false for what is no protobuf; a histogram that contradicts itself is counted and left out.
func (d *Decoder) histogram(m []byte) bool {
	d.seen++
	h := &d.hist
	h.reset()
	for i := 0; i < len(m); {
		f := readField(m, i)
		if f.hi < 0 || !h.read(m, f, d.limits.BucketsMax, d.proto == V2) {
			return false
		}
		i = f.hi
	}
	if h.T < timeMin {
		d.badTime(h.T)
		return true
	}
	if bad := d.check(h); bad != "" {
		if d.fault.samples == "" {
			d.fault.samples = "native histogram: " + bad
		}
		return true
	}
	if len(d.hists) < d.histMax() {
		d.hists = append(room(d.hists, min(d.histMax(), d.limits.SamplesMax)), h.Histogram)
	} else {
		d.seen = d.limits.SamplesMax + 1 // refuses the request
	}
	return true
}

// read takes one field of m into h; of buckets, spans and bounds not many more than limit. It returns false for what is no protobuf.
func (h *histogram) read(m []byte, f field, limit int, v2 bool) bool {
	switch f.tag {
	case 1<<3 | wireVarint:
		h.count, h.isFloat = f.num, false
	case 2<<3 | wireFixed8:
		h.Count, h.isFloat = math.Float64frombits(f.num), true
	case 3<<3 | wireFixed8:
		h.Sum = math.Float64frombits(f.num)
	case 4<<3 | wireVarint:
		h.Schema = int32(zigzag(uint64(uint32(f.num))))
	case 5<<3 | wireFixed8:
		h.ZeroThreshold = math.Float64frombits(f.num)
	case 6<<3 | wireVarint:
		h.zero, h.zeroFloat, h.zeroSet = f.num, false, true
	case 7<<3 | wireFixed8:
		h.ZeroCount, h.zeroFloat, h.zeroSet = math.Float64frombits(f.num), true, true
	case 8<<3 | wireBytes, 11<<3 | wireBytes:
		s := &h.neg
		if f.tag == 11<<3|wireBytes {
			s = &h.pos
		}
		x, ok := readSpan(m[f.lo:f.hi])
		s.spans = bounded(s.spans, x, limit, &h.over)
		return ok
	case 9<<3 | wireBytes, 9<<3 | wireVarint, 12<<3 | wireBytes, 12<<3 | wireVarint:
		s := &h.neg
		if f.tag>>3 == 12 {
			s = &h.pos
		}
		return f.values(m, wireVarint, func(v uint64) { s.deltas = bounded(s.deltas, zigzag(v), limit, &h.over) })
	case 10<<3 | wireBytes, 10<<3 | wireFixed8, 13<<3 | wireBytes, 13<<3 | wireFixed8, 16<<3 | wireBytes, 16<<3 | wireFixed8:
		s := &h.neg.counts
		switch f.tag >> 3 {
		case 13:
			s = &h.pos.counts
		case 16:
			s = &h.custom
		}
		return f.values(m, wireFixed8, func(v uint64) { *s = bounded(*s, math.Float64frombits(v), limit, &h.over) })
	case 14<<3 | wireVarint:
		h.Reset, h.Gauge = uint32(f.num) == 1, uint32(f.num) == 3
	case 15<<3 | wireVarint:
		h.T = int64(f.num)
	case 17<<3 | wireVarint:
		if v2 {
			h.Start = int64(f.num)
		}
	default:
		return f.foreign(knownHistogram)
	}
	return true
}

// bounded appends x to s, or notes in over that there are more than limit already.
func bounded[T any](s []T, x T, limit int, over *bool) []T {
	if len(s) > limit {
		*over = true
		return s
	}
	return append(s, x)
}

// histMax bounds histograms by the size of the message. One takes 136 bytes of memory; with its series, a real one that
// saw nothing yet has 50 bytes or more on the wire, but nine would do for a sender that means harm.
func (d *Decoder) histMax() int { return 4096 + len(d.raw)/48 }

var knownSpan = fields(1, 2)

// readSpan reads a bucket span: offset = 1, length = 2.
func readSpan(m []byte) (x bucketSpan, ok bool) {
	for i := 0; i < len(m); {
		f := readField(m, i)
		if f.hi < 0 {
			return x, false
		}
		switch f.tag {
		case 1<<3 | wireVarint:
			x.offset = int64(int32(zigzag(uint64(uint32(f.num)))))
		case 2<<3 | wireVarint:
			x.length = uint32(f.num)
		default:
			if !f.foreign(knownSpan) {
				return x, false
			}
		}
		i = f.hi
	}
	return x, true
}

// check verifies h and fills its Histogram from what was read. It returns what is wrong, "" when nothing is.
func (d *Decoder) check(h *histogram) string {
	if series.IsStale(h.Sum) {
		// A stale marker has a sum and nothing else.
		h.Histogram = series.Histogram{T: h.T, Start: h.Start, Sum: h.Sum, Stale: true}
		return ""
	}
	if !h.isFloat {
		h.Count = float64(h.count)
	}
	if !h.zeroFloat {
		h.ZeroCount = float64(h.zero)
	}
	custom := h.Schema == schemaCustom
	limit := d.limits.BucketsMax
	n := len(h.pos.deltas) + len(h.neg.deltas) + len(h.pos.counts) + len(h.neg.counts)
	switch {
	case h.over || n > limit || len(h.custom) > limit:
		return fmt.Sprintf("more than the limit of %d buckets", limit)
	case !custom && (h.Schema < schemaMin || h.Schema > schemaMax):
		return fmt.Sprintf("schema %d is not known", h.Schema)
	case h.isFloat && len(h.pos.deltas)+len(h.neg.deltas) > 0, !h.isFloat && len(h.pos.counts)+len(h.neg.counts) > 0,
		h.zeroSet && h.zeroFloat != h.isFloat && h.ZeroCount != 0:
		return "mixes integer and float counts"
	case !finiteCount(h.Count) || !finiteCount(h.ZeroCount):
		return "a count is negative or not finite"
	case math.IsNaN(h.ZeroThreshold) || h.ZeroThreshold < 0:
		return "zero threshold is negative or not a number"
	case !custom && len(h.custom) > 0:
		return fmt.Sprintf("custom bounds with schema %d", h.Schema)
	}
	if custom {
		if h.ZeroCount != 0 || h.ZeroThreshold != 0 || len(h.neg.spans) > 0 || len(h.neg.deltas)+len(h.neg.counts) > 0 {
			return "zero or negative buckets with custom bounds"
		}
		for i, x := range h.custom {
			if math.IsNaN(x) || math.IsInf(x, 1) || i > 0 && x <= h.custom[i-1] {
				return "custom bounds do not rise or are not finite"
			}
		}
	}
	h.Custom = d.arena.floats(h.custom)
	var bad string
	var p, q total
	if custom && len(h.pos.spans) > 0 && h.pos.spans[0].offset < 0 {
		return "a bucket before the first custom bound"
	}
	if h.Pos, p, bad = d.buckets(&h.pos, h.isFloat); bad != "" {
		return bad
	}
	if h.Neg, q, bad = d.buckets(&h.neg, h.isFloat); bad != "" {
		return bad
	}
	if custom && p.end > int64(len(h.custom))+1 {
		return fmt.Sprintf("spans of %d buckets with %d custom bounds", p.end, len(h.custom))
	}
	if h.isFloat {
		// Float histograms are results of arithmetic: rounding is no fault.
		sum := p.f + q.f + h.ZeroCount
		slack := 1e-6 * max(sum, h.Count)
		if sum > h.Count+slack || sum < h.Count-slack && !math.IsNaN(h.Sum) {
			return fmt.Sprintf("buckets hold %g observations, the count is %g", sum, h.Count)
		}
		return ""
	}
	sum := p.n + q.n + h.zero
	// An observation of NaN is counted and falls in no bucket, and it makes the sum NaN.
	if p.n > 1<<62 || q.n > 1<<62 || sum < h.zero || sum > h.count || sum < h.count && !math.IsNaN(h.Sum) {
		return fmt.Sprintf("buckets hold %d observations, the count is %d", sum, h.count)
	}
	return ""
}

// total is the sum of a side's buckets, and the index after its last span.
type total struct {
	n   uint64
	f   float64
	end int64
}

// buckets turns spans and counts into populated buckets with absolute counts.
func (d *Decoder) buckets(s *side, isFloat bool) (out []series.Bucket, t total, bad string) {
	n := len(s.deltas)
	if isFloat {
		n = len(s.counts)
	}
	var spanned uint64
	for _, x := range s.spans {
		spanned += uint64(x.length)
	}
	if spanned != uint64(n) {
		return nil, t, fmt.Sprintf("spans of %d buckets with %d counts", spanned, n)
	}
	out = d.arena.buckets(n)
	var index, abs int64
	k := 0
	for i, x := range s.spans {
		if i > 0 && x.offset < 0 {
			return nil, t, "spans overlap"
		}
		index += x.offset
		for range x.length {
			if index > math.MaxInt32 {
				return nil, t, "bucket index is out of range"
			}
			var c float64
			if isFloat {
				if c = s.counts[k]; !finiteCount(c) {
					return nil, t, "a bucket's count is negative or not finite"
				}
				t.f += c
			} else {
				delta := s.deltas[k]
				if delta > math.MaxInt64-max(abs, 0) {
					return nil, t, "a bucket's count is too large"
				}
				if abs += delta; abs < 0 {
					return nil, t, "a bucket's count is negative"
				}
				if t.n += uint64(abs); t.n > 1<<62 {
					return nil, t, "the buckets' counts are too large"
				}
				c = float64(abs)
			}
			if c > 0 {
				out = append(out, series.Bucket{Index: int32(index), Count: c})
			}
			index++
			k++
		}
	}
	t.end = index
	return out, t, ""
}

func finiteCount(c float64) bool { return c >= 0 && !math.IsInf(c, 1) }

// arena holds the buckets of one batch. It hands out pieces of blocks, so that growing moves nothing; after a few
// batches its largest block holds a whole one, and nothing is allocated any more.
type arena struct {
	b []series.Bucket
	f []float64
}

func (a *arena) reset() { a.b, a.f = a.b[:0], a.f[:0] }

// buckets returns an empty slice with room for n.
func (a *arena) buckets(n int) []series.Bucket {
	if n == 0 {
		return nil
	}
	if cap(a.b)-len(a.b) < n {
		a.b = make([]series.Bucket, 0, max(64, n, min(2*cap(a.b), 1<<16)))
	}
	lo := len(a.b)
	a.b = a.b[:lo+n]
	return a.b[lo : lo : lo+n]
}

// floats returns a copy of x.
func (a *arena) floats(x []float64) []float64 {
	if len(x) == 0 {
		return nil
	}
	if cap(a.f)-len(a.f) < len(x) {
		a.f = make([]float64, 0, max(64, len(x), min(2*cap(a.f), 1<<16)))
	}
	lo := len(a.f)
	a.f = append(a.f, x...)
	return a.f[lo:len(a.f):len(a.f)]
}
