package history

import (
	"fmt"
	"math"
	"slices"

	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/wrackline/wrackline/baseline/series"
)

// Span is what was read: series whose samples are handed out in the order of time.
type Span struct {
	from, to   int64
	list       []*one
	Histograms int64 // chunks of native histograms, which are left out
}

// one is a series: packed chunks, or samples.
type one struct {
	labels  series.Labels
	chunks  [][]byte // XOR chunks
	samples []series.Sample
	place   int // of the next chunk or sample
	it      chunkenc.Iterator
	ahead   series.Sample // the next sample, when ok
	ok      bool
	err     error
}

// begin goes to the first sample of each series and proves every chunk: what is damaged is known before anything is handed out.
func (s *Span) begin() error {
	for _, x := range s.list {
		last := int64(math.MinInt64)
		for x.next(s, &last); x.ok; x.next(s, &last) {
		}
		if x.err != nil {
			return &Error{0, fmt.Sprintf("a series is damaged: %v", x.err), true}
		}
		x.rewind()
		last = s.from
		x.next(s, &last)
	}
	s.list = slices.DeleteFunc(s.list, func(x *one) bool { return !x.ok })
	return nil
}

func (x *one) rewind() {
	x.it, x.ok, x.place = nil, false, 0
}

// Series returns how many series have samples.
func (s *Span) Series() int { return len(s.list) }

// Metrics adds the names of the metrics that have samples.
func (s *Span) Metrics(to map[string]bool) {
	for _, x := range s.list {
		to[x.labels.Get(series.NameLabel)] = true
	}
}

// Until hands out the samples with T ≤ t that were not handed out yet: once for each series that has some, in the order of series. samples are borrowed.
func (s *Span) Until(t int64, do func(index int, l series.Labels, samples []series.Sample)) {
	t = min(t, s.to)
	var list []series.Sample
	for i, x := range s.list {
		list = list[:0]
		for x.ok && x.ahead.T <= t {
			list = append(list, x.ahead)
			last := x.ahead.T
			x.next(s, &last)
		}
		if len(list) > 0 {
			do(i, x.labels, list)
		}
	}
}

// next goes to the next sample of the span that is later than last. Chunks may overlap, and reach beyond the span.
func (x *one) next(s *Span, last *int64) {
	x.ok = false
	take := func(t int64, v float64) bool {
		if t <= s.from || t > s.to || t <= *last {
			return false
		}
		x.ahead, x.ok, *last = series.Sample{T: t, V: v}, true, t
		return true
	}
	for x.place < len(x.samples) {
		x.place++
		if p := &x.samples[x.place-1]; take(p.T, p.V) {
			return
		}
	}
	for x.err == nil {
		if x.it == nil {
			if x.place >= len(x.chunks) {
				return
			}
			c, err := chunkenc.FromData(chunkenc.EncXOR, x.chunks[x.place])
			if x.place++; err != nil {
				x.err = err
				return
			}
			x.it = c.Iterator(nil)
		}
		for x.it.Next() == chunkenc.ValFloat {
			if take(x.it.At()) {
				return
			}
		}
		x.err, x.it = x.it.Err(), nil
	}
}
