package ingest

import (
	"math"

	promhist "github.com/prometheus/prometheus/model/histogram"

	"github.com/wrackline/wrackline/baseline/series"
)

// oracleHistogram turns a histogram into what a Decoder must give, with Prometheus' own validation and bucket iterators.
// ok is false when it must be refused.
func oracleHistogram(toFloat func() *promhist.FloatHistogram, toInt func() *promhist.Histogram, isFloat bool, t, start int64) (h series.Histogram, ok bool) {
	if t < timeMin {
		return h, false
	}
	var f *promhist.FloatHistogram
	if isFloat {
		f = toFloat()
	} else {
		f = toInt().ToFloat(nil)
	}
	h = series.Histogram{
		T: t, Start: start, Count: f.Count, Sum: f.Sum, Schema: f.Schema, ZeroThreshold: f.ZeroThreshold, ZeroCount: f.ZeroCount,
		Reset: f.CounterResetHint == promhist.CounterReset, Gauge: f.CounterResetHint == promhist.GaugeType,
	}
	if series.IsStale(f.Sum) {
		return series.Histogram{T: t, Start: start, Sum: f.Sum, Stale: true}, true
	}
	if isFloat {
		if f.Validate() != nil {
			return h, false
		}
		// Prometheus does not compare the sum of a float histogram's buckets with its count; the standard asks for it.
		sum := f.ZeroCount
		for it := f.PositiveBucketIterator(); it.Next(); {
			sum += it.At().Count
		}
		for it := f.NegativeBucketIterator(); it.Next(); {
			sum += it.At().Count
		}
		if sum > f.Count || sum < f.Count && !math.IsNaN(f.Sum) {
			return h, false
		}
	} else if toInt().Validate() != nil {
		return h, false
	}
	if f.Schema != schemaCustom && (f.Schema < schemaMin || f.Schema > schemaMax) {
		return h, false
	}
	for it := f.PositiveBucketIterator(); it.Next(); {
		if b := it.At(); b.Count != 0 {
			h.Pos = append(h.Pos, series.Bucket{Index: b.Index, Count: b.Count})
		}
	}
	for it := f.NegativeBucketIterator(); it.Next(); {
		if b := it.At(); b.Count != 0 {
			h.Neg = append(h.Neg, series.Bucket{Index: b.Index, Count: b.Count})
		}
	}
	h.Custom = f.CustomValues
	return h, true
}
