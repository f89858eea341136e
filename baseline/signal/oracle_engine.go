package signal

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

// oracle is an in-memory storage.Queryable over reference series, in their order.
type oracle struct {
	storage.LabelQuerier
	all []storage.Series
}

func newOracle(all []refSeries) *oracle {
	o := &oracle{}
	for _, s := range all {
		var b []string
		for _, l := range s.labels {
			b = append(b, l.Name, l.Value)
		}
		var samples []chunks.Sample
		for _, x := range s.samples {
			samples = append(samples, oracleSample{x.T, x.V})
		}
		for i := range s.hists {
			samples = append(samples, oracleHistogram{s.hists[i].T, floatHistogram(&s.hists[i])})
		}
		o.all = append(o.all, storage.NewListSeries(labels.FromStrings(b...), samples))
	}
	return o
}

type oracleSample struct {
	t int64
	v float64
}

func (s oracleSample) T() int64 { return s.t }

func (s oracleSample) ST() int64 { return 0 }

func (s oracleSample) F() float64 { return s.v }

func (s oracleSample) H() *histogram.Histogram { return nil }

func (s oracleSample) FH() *histogram.FloatHistogram { return nil }

func (s oracleSample) Type() chunkenc.ValueType { return chunkenc.ValFloat }

func (s oracleSample) Copy() chunks.Sample { return s }

// oracleHistogram is a native one.
type oracleHistogram struct {
	t int64
	h *histogram.FloatHistogram
}

func (s oracleHistogram) T() int64 { return s.t }

func (s oracleHistogram) ST() int64 { return 0 }

func (s oracleHistogram) F() float64 { return 0 }

func (s oracleHistogram) H() *histogram.Histogram { return nil }

func (s oracleHistogram) FH() *histogram.FloatHistogram { return s.h.Copy() }

func (s oracleHistogram) Type() chunkenc.ValueType { return chunkenc.ValFloatHistogram }

func (s oracleHistogram) Copy() chunks.Sample { return oracleHistogram{s.t, s.h.Copy()} }

func (o *oracle) Querier(int64, int64) (storage.Querier, error) { return o, nil }

func (o *oracle) Close() error { return nil }

func (o *oracle) Select(_ context.Context, _ bool, _ *storage.SelectHints, m ...*labels.Matcher) storage.SeriesSet {
	set := &oracleSet{}
	for _, s := range o.all {
		if !slices.ContainsFunc(m, func(m *labels.Matcher) bool { return !m.Matches(s.Labels().Get(m.Name)) }) {
			set.series = append(set.series, s)
		}
	}
	return set
}

type oracleSet struct {
	series []storage.Series
	next   int
}

func (s *oracleSet) Next() bool { s.next++; return s.next <= len(s.series) }

func (s *oracleSet) At() storage.Series { return s.series[s.next-1] }

func (s *oracleSet) Err() error { return nil }

func (s *oracleSet) Warnings() annotations.Annotations { return nil }

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
