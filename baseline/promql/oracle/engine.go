// Package oracle holds package promql against Prometheus: its engine over series in memory, a plain and slow reference of what a leaf's value is, and random
// series to try both with. Only tests use it.
package oracle

import (
	"context"
	"slices"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
	"github.com/wrackline/wrackline/baseline/series"
)

// Storage is an in-memory storage.Queryable over reference series, in their order.
type Storage struct {
	storage.LabelQuerier
	all []storage.Series
}

// New returns a storage of the series.
func New(all []Series) *Storage {
	o := &Storage{}
	for _, s := range all {
		var b []string
		for _, l := range s.Labels {
			b = append(b, l.Name, l.Value)
		}
		var samples []chunks.Sample
		for _, x := range s.Samples {
			samples = append(samples, floatSample{x.T, x.V})
		}
		for i := range s.Hists {
			samples = append(samples, histSample{s.Hists[i].T, floatHistogram(&s.Hists[i])})
		}
		o.all = append(o.all, storage.NewListSeries(labels.FromStrings(b...), samples))
	}
	return o
}

type floatSample struct {
	t int64
	v float64
}

func (s floatSample) T() int64 { return s.t }

func (s floatSample) ST() int64 { return 0 }

func (s floatSample) F() float64 { return s.v }

func (s floatSample) H() *histogram.Histogram { return nil }

func (s floatSample) FH() *histogram.FloatHistogram { return nil }

func (s floatSample) Type() chunkenc.ValueType { return chunkenc.ValFloat }

func (s floatSample) Copy() chunks.Sample { return s }

// histSample is a native one.
type histSample struct {
	t int64
	h *histogram.FloatHistogram
}

func (s histSample) T() int64 { return s.t }

func (s histSample) ST() int64 { return 0 }

func (s histSample) F() float64 { return 0 }

func (s histSample) H() *histogram.Histogram { return nil }

func (s histSample) FH() *histogram.FloatHistogram { return s.h.Copy() }

func (s histSample) Type() chunkenc.ValueType { return chunkenc.ValFloatHistogram }

func (s histSample) Copy() chunks.Sample { return histSample{s.t, s.h.Copy()} }

func (o *Storage) Querier(int64, int64) (storage.Querier, error) { return o, nil }

func (o *Storage) Close() error { return nil }

func (o *Storage) Select(_ context.Context, _ bool, _ *storage.SelectHints, m ...*labels.Matcher) storage.SeriesSet {
	set := &seriesSet{}
	for _, s := range o.all {
		if !slices.ContainsFunc(m, func(m *labels.Matcher) bool { return !m.Matches(s.Labels().Get(m.Name)) }) {
			set.series = append(set.series, s)
		}
	}
	return set
}

type seriesSet struct {
	series []storage.Series
	next   int
}

func (s *seriesSet) Next() bool { s.next++; return s.next <= len(s.series) }

func (s *seriesSet) At() storage.Series { return s.series[s.next-1] }

func (s *seriesSet) Err() error { return nil }

func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// floatHistogram is the same histogram in Prometheus' form.
func floatHistogram(h *series.Histogram) *histogram.FloatHistogram {
	f := &histogram.FloatHistogram{
		Schema: h.Schema, Count: h.Count, Sum: h.Sum, ZeroThreshold: h.ZeroThreshold, ZeroCount: h.ZeroCount, CustomValues: slices.Clone(h.Custom),
	}
	if h.Reset {
		f.CounterResetHint = histogram.CounterReset
	}
	if h.Stale {
		f.Sum = series.StaleNaN
	}
	for i, side := range [][]series.Bucket{h.Pos, h.Neg} {
		spans, counts := &f.PositiveSpans, &f.PositiveBuckets
		if i == 1 {
			spans, counts = &f.NegativeSpans, &f.NegativeBuckets
		}
		next := int32(0)
		for j, b := range side {
			if j == 0 || b.Index != next {
				*spans = append(*spans, histogram.Span{Offset: b.Index - next})
			}
			(*spans)[len(*spans)-1].Length++
			*counts = append(*counts, b.Count)
			next = b.Index + 1
		}
	}
	return f
}
