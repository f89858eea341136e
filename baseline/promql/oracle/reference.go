package oracle

// The reference feeder: leaf vectors computed from whole series, slowly and plainly. It is the specification of what seam.go says
// in words; differential_test.go checks it against the Prometheus engine, and the stream's tests check the stream against it.

import (
	"math"
	"slices"

	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

// Series is one series with all its samples, sorted by time; stale markers are among them.
type Series struct {
	Labels  series.Labels // with __name__
	Samples []series.Sample
	Hists   []series.Histogram // of a native histogram, which has no samples; a stale marker too
}

const minuteMs = 60_000

// segmentMax is the longest gap that an increase is spread over.
const segmentMax = 5 * minuteMs

// Increase returns the increase of a counter within (end − 1 min, end], and whether the cell is covered.
func Increase(samples []series.Sample, endMs int64) (float64, bool) {
	startMs := endMs - minuteMs
	sum, covered := 0.0, false
	var prev series.Sample
	have := false
	for _, s := range samples {
		if series.IsStale(s.V) {
			continue
		}
		if s.T > startMs && s.T <= endMs {
			covered = true
		}
		if have && s.T-prev.T <= segmentMax {
			lo, hi := max(prev.T, startMs), min(s.T, endMs)
			if lo < hi {
				inc := s.V - prev.V
				if s.V < prev.V {
					inc = s.V // counted from zero after the reset
				}
				sum += inc * (float64(hi-lo) / float64(s.T-prev.T))
				covered = true
			}
		}
		prev, have = s, true
	}
	return sum, covered
}

// Native returns the increase of a native histogram within (end − 1 min, end], nil when the cell is not covered.
func Native(hists []series.Histogram, endMs int64) *promql.Hist {
	startMs := endMs - minuteMs
	var m promql.HistMath
	var sum *promql.Hist
	put := func(h *promql.Hist, f float64) {
		if sum == nil {
			sum = &promql.Hist{}
			sum.Like(h)
		}
		m.Add(sum, h, f)
	}
	var prev *series.Histogram
	for i := range hists {
		x := &hists[i]
		if x.Stale {
			continue
		}
		if x.T <= startMs || prev != nil && prev.T >= endMs {
			prev = x
			continue
		}
		var cur, last promql.Hist
		cur.Set(x, x.Custom)
		if x.T > startMs && x.T <= endMs {
			put(&cur, 0)
		}
		if prev != nil && x.T-prev.T <= segmentMax {
			if lo, hi := max(prev.T, startMs), min(x.T, endMs); lo < hi {
				last.Set(prev, prev.Custom)
				if !x.Reset && !m.Reset(&cur, &last) {
					m.Add(&cur, &last, -1)
				}
				put(&cur, float64(hi-lo)/float64(x.T-prev.T))
			}
		}
		prev = x
	}
	if sum != nil {
		sum.Prune()
	}
	return sum
}

// HistogramValue is refValue for native histograms.
func HistogramValue(l *promql.Leaf, hists []series.Histogram, endMs int64) (h *promql.Hist, v, events float64, ok bool) {
	var m promql.HistMath
	for i := l.Windows - 1; i >= 0; i-- {
		switch x := Native(hists, endMs-int64(i)*minuteMs); {
		case x == nil:
		case h == nil:
			h = x
		default:
			m.Add(h, x, 1)
		}
	}
	if h == nil {
		return nil, 0, 0, false
	}
	v, events = h.Count, h.Count
	if l.Part == promql.PartSum {
		v = h.Sum
	}
	if l.Func == promql.Rate {
		v /= float64(l.Windows) * 60
		h.Scale(1 / (float64(l.Windows) * 60))
	}
	return h, v, events, true
}

// Changes returns the changes within (end − 1 min, end], and whether a sample lies in it.
func Changes(samples []series.Sample, endMs int64) (float64, bool) {
	n, covered := 0.0, false
	var prev series.Sample
	have := false
	for _, s := range samples {
		if series.IsStale(s.V) {
			continue
		}
		if s.T > endMs-minuteMs && s.T <= endMs {
			covered = true
			if have && s.T-prev.T <= segmentMax && s.V != prev.V && !(math.IsNaN(s.V) && math.IsNaN(prev.V)) {
				n++
			}
		}
		prev, have = s, true
	}
	return n, covered
}

// Newest returns the newest sample in (end − 5 min, end].
func Newest(samples []series.Sample, endMs int64) (series.Sample, bool) {
	for _, s := range slices.Backward(samples) {
		if s.T <= endMs {
			return s, s.T > endMs-promql.Lookback*minuteMs && !series.IsStale(s.V)
		}
	}
	return series.Sample{}, false
}

// Value returns a leaf's value of a series at a window's end, the events behind it, and whether there is one.
func Value(l *promql.Leaf, samples []series.Sample, endMs int64) (v, events float64, ok bool) {
	switch l.Func {
	case promql.Value, promql.Timestamp:
		s, ok := Newest(samples, endMs)
		v = s.V
		if l.Func == promql.Timestamp {
			v = float64(s.T) / 1000
		}
		return v, math.NaN(), ok
	}
	cell := Increase
	if l.Func == promql.Changes {
		cell = Changes
	}
	for i := l.Windows - 1; i >= 0; i-- {
		if x, covered := cell(samples, endMs-int64(i)*minuteMs); covered {
			v += x
			ok = true
		}
	}
	events = v
	if l.Func == promql.Rate {
		v /= float64(l.Windows) * 60
	}
	return v, events, ok
}

// Selects reports whether a leaf selects a series.
func Selects(l *promql.Leaf, labels series.Labels) bool {
	if labels.Get(series.NameLabel) != l.Name {
		return false
	}
	for _, m := range l.Match {
		if !m.Matches(labels.Get(m.Label())) {
			return false
		}
	}
	return true
}

// Keep projects labels on what a leaf keeps.
func Keep(l *promql.Leaf, labels series.Labels) series.Labels {
	var out series.Labels
	for _, x := range labels {
		if slices.Contains(l.Keep, x.Name) {
			out = append(out, x)
		}
	}
	return out
}

// Input makes what a plan needs for the window that ends at endMs. Series without a value are left out, as if not live.
func Input(p *promql.Plan, t *promql.Table, all []Series, endMs int64) *promql.Input {
	return &promql.Input{
		Shared: make([]promql.SharedVector, promql.Share([]*promql.Plan{p})),
		Table:  t, EndMs: endMs, Scope: t.Intern(series.Labels{{Name: "cluster", Value: "c1"}}),
		Leaf: func(i int, dst []promql.Element) []promql.Element {
			l := p.Leaves[i]
			for ref, s := range all {
				if s.Hists != nil || !Selects(l, s.Labels) {
					continue
				}
				if v, events, ok := Value(l, s.Samples, endMs); ok {
					dst = append(dst, promql.Element{
						Set: t.Intern(Keep(l, s.Labels)), V: v, Events: events, Members: 1,
						Top: [3]promql.Ref{{Series: int32(ref), V: v}, promql.NoRef, promql.NoRef},
					})
				}
			}
			n := l.Native()
			for ref, s := range all {
				if n == nil || s.Hists == nil || !Selects(n, s.Labels) {
					continue
				}
				if h, v, events, ok := HistogramValue(n, s.Hists, endMs); ok {
					e := promql.Element{
						Set: t.Intern(Keep(n, s.Labels)), V: v, Events: events, Members: 1, Top: [3]promql.Ref{{Series: int32(ref), V: v}, promql.NoRef, promql.NoRef},
					}
					if n.Part == promql.PartBuckets {
						var own *promql.Hist
						own, e.Hist = t.Work.TakeHist()
						own.CopyOf(h)
					}
					dst = append(dst, e)
				}
			}
			return dst
		},
	}
}
