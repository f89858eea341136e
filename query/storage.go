package query

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

const (
	minuteMs  = 60_000
	quarterMs = 15 * minuteMs
	repeatMs  = 5 * minuteMs // a quarter of an hour is shown so often: the engine looks back for no longer than that
)

// span is a storage.Querier over a catalog: of one query.
type span struct {
	source   Source
	catalog  *catalog
	from, to int64
	taken    int // series that the selectors of the query have taken: the engine keeps them all until its end, and counts none
}

// take finds series for a query, which holds so many more of them.
func (q *span) take(ctx context.Context, from, to int64, m []*labels.Matcher) ([]*oneSeries, error) {
	list, err := q.catalog.find(ctx, q.source, from, to, q.catalog.most-q.taken, m)
	if errors.Is(err, errMany) {
		err = fmt.Errorf("the selectors of a query take more than %d series together: ask for fewer", q.catalog.most)
	}
	q.taken += len(list)
	return list, err
}

func (q *span) Close() error { return nil }

func (q *span) Select(ctx context.Context, _ bool, hints *storage.SelectHints, m ...*labels.Matcher) storage.SeriesSet {
	from, to := q.from, q.to
	if hints != nil {
		from, to = hints.Start, hints.End
	}
	from, to = max(from, 0), min(to, timeLast)
	return &seriesSet{ctx: ctx, find: func() ([]*oneSeries, error) {
		list, err := q.take(ctx, from, to, m)
		for _, s := range list {
			s.ctx, s.low, s.high = ctx, from, to
		}
		return list, err
	}}
}

func (q *span) LabelValues(ctx context.Context, name string, hints *storage.LabelHints, m ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	found := map[string]bool{}
	list, err := q.take(ctx, q.from, q.to, m)
	for _, s := range list {
		if v := s.labels.Get(name); v != "" {
			found[v] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil, err
}

func (q *span) LabelNames(ctx context.Context, hints *storage.LabelHints, m ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	found := map[string]bool{}
	list, err := q.take(ctx, q.from, q.to, m)
	for _, s := range list {
		s.labels.Range(func(l labels.Label) { found[l.Name] = true })
	}
	return slices.Sorted(maps.Keys(found)), nil, err
}

// seriesSet finds its series when the first is asked for: the engine makes the sets of all selectors of a query before it looks into one, and before it counts anything.
type seriesSet struct {
	find func() ([]*oneSeries, error) // nil = it has
	list []*oneSeries
	next int
	ctx  context.Context
	err  error
}

func (s *seriesSet) Next() bool {
	if s.find != nil {
		s.list, s.err = s.find()
		s.find = nil
	}
	s.next++
	return s.next <= len(s.list) && s.Err() == nil
}

func (s *seriesSet) Err() error {
	if s.err != nil {
		return s.err
	}
	return s.ctx.Err()
}

func (s *seriesSet) At() storage.Series                { return s.list[s.next-1] }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// oneSeries is one series: of a signal, read when somebody iterates over it, so that one is in memory at a time; of an incident, which is computed; or of moments.
type oneSeries struct {
	labels    labels.Labels
	ctx       context.Context
	low, high int64 // what is asked for

	source Source // of a signal; nil = of none
	id     string
	of     func(p *Point) float64

	from, to int64 // of an incident
	ended    bool
	at       []int64 // moments
}

func (s *oneSeries) Labels() labels.Labels { return s.labels }

func (s *oneSeries) Iterator(reuse chunkenc.Iterator) chunkenc.Iterator {
	it, ok := reuse.(*iterator)
	if !ok {
		it = &iterator{}
	}
	it.list, it.err = it.list[:0], s.ctx.Err()
	if it.err == nil {
		it.err = s.read(it)
	}
	if it.err != nil {
		it.list = nil
	}
	it.Iterator = storage.NewListSeriesIterator(it.list)
	return it
}

// read puts the samples that are asked for into it.
func (s *oneSeries) read(it *iterator) error {
	switch {
	case s.source != nil:
		quarters, windows, err := s.source.Samples(s.id, s.low-quarterMs-1, s.high+quarterMs)
		if err != nil && len(quarters)+len(windows) == 0 {
			return errors.New("the history of a signal cannot be read")
		}
		for i := range quarters {
			v, end := s.of(&quarters[i]), quarters[i].T
			for t := end - quarterMs + repeatMs; t <= end; t += repeatMs {
				it.add(s, t, v)
			}
		}
		for i := range windows {
			it.add(s, windows[i].T, s.of(&windows[i]))
		}
	case s.at != nil:
		slices.Sort(s.at)
		for i, t := range s.at {
			if i == 0 || t > s.at[i-1] {
				it.add(s, t, 1)
			}
		}
	default:
		for t := s.from + max(0, (s.low-s.from)/minuteMs)*minuteMs; t < s.to && t <= s.high; t += minuteMs {
			it.add(s, t, 1)
		}
		if s.ended {
			it.add(s, s.to, math.Float64frombits(value.StaleNaN)) // else it would be seen for five minutes more
		} else {
			it.add(s, s.to, 1)
		}
	}
	return nil
}

// iterator fails, or goes over samples in memory.
type iterator struct {
	chunkenc.Iterator
	list samples
	err  error
}

func (i *iterator) Err() error { return i.err }

// add appends a sample that lies in what is asked for; one that is no number says nothing.
func (i *iterator) add(s *oneSeries, t int64, v float64) {
	if t >= s.low && t <= s.high && (v == v || value.IsStaleNaN(v)) {
		i.list = append(i.list, sample{t, v})
	}
}

// samples implements storage.Samples.
type samples []sample

func (s samples) Get(i int) chunks.Sample { return &s[i] }
func (s samples) Len() int                { return len(s) }

// sample implements chunks.Sample.
type sample struct {
	t int64
	v float64
}

func (s *sample) T() int64                      { return s.t }
func (s *sample) ST() int64                     { return 0 }
func (s *sample) F() float64                    { return s.v }
func (s *sample) H() *histogram.Histogram       { return nil }
func (s *sample) FH() *histogram.FloatHistogram { return nil }
func (s *sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s *sample) Copy() chunks.Sample           { c := *s; return &c }
