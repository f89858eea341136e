package signal

// The reference feeder: leaf vectors computed from whole series, slowly and plainly. It is the specification of what seam.go says
// in words; differential_test.go checks it against the Prometheus engine, and the stream's tests check the stream against it.

import (
	"math"
	"slices"

	"github.com/wrackline/wrackline/baseline/series"
)

// refSeries is one series with all its samples, sorted by time; stale markers are among them.
type refSeries struct {
	labels  series.Labels // with __name__
	samples []series.Sample
	hists   []series.Histogram // of a native histogram, which has no samples; a stale marker too
}

const minuteMs = 60_000

// refSegmentMax is the longest gap that an increase is spread over.
const refSegmentMax = 5 * minuteMs

// refIncrease returns the increase of a counter within (end − 1 min, end], and whether the cell is covered.
func refIncrease(samples []series.Sample, endMs int64) (float64, bool) {
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
		if have && s.T-prev.T <= refSegmentMax {
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

// refNative returns the increase of a native histogram within (end − 1 min, end], nil when the cell is not covered.
func refNative(hists []series.Histogram, endMs int64) *hist {
	startMs := endMs - minuteMs
	var m histMath
	var sum *hist
	put := func(h *hist, f float64) {
		if sum == nil {
			sum = &hist{}
			sum.like(h)
		}
		m.add(sum, h, f)
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
		var cur, last hist
		cur.set(x, x.Custom)
		if x.T > startMs && x.T <= endMs {
			put(&cur, 0)
		}
		if prev != nil && x.T-prev.T <= refSegmentMax {
			if lo, hi := max(prev.T, startMs), min(x.T, endMs); lo < hi {
				last.set(prev, prev.Custom)
				if !x.Reset && !m.reset(&cur, &last) {
					m.add(&cur, &last, -1)
				}
				put(&cur, float64(hi-lo)/float64(x.T-prev.T))
			}
		}
		prev = x
	}
	if sum != nil {
		sum.prune()
	}
	return sum
}

// refHistogramValue is refValue for native histograms.
func refHistogramValue(l *leaf, hists []series.Histogram, endMs int64) (h *hist, v, events float64, ok bool) {
	var m histMath
	for i := l.windows - 1; i >= 0; i-- {
		switch x := refNative(hists, endMs-int64(i)*minuteMs); {
		case x == nil:
		case h == nil:
			h = x
		default:
			m.add(h, x, 1)
		}
	}
	if h == nil {
		return nil, 0, 0, false
	}
	v, events = h.count, h.count
	if l.part == partSum {
		v = h.sum
	}
	if l.fn == fnRate {
		v /= float64(l.windows) * 60
		h.scale(1 / (float64(l.windows) * 60))
	}
	return h, v, events, true
}

// refChanges returns the changes within (end − 1 min, end], and whether a sample lies in it.
func refChanges(samples []series.Sample, endMs int64) (float64, bool) {
	n, covered := 0.0, false
	var prev series.Sample
	have := false
	for _, s := range samples {
		if series.IsStale(s.V) {
			continue
		}
		if s.T > endMs-minuteMs && s.T <= endMs {
			covered = true
			if have && s.T-prev.T <= refSegmentMax && s.V != prev.V && !(math.IsNaN(s.V) && math.IsNaN(prev.V)) {
				n++
			}
		}
		prev, have = s, true
	}
	return n, covered
}

// refNewest returns the newest sample in (end − 5 min, end].
func refNewest(samples []series.Sample, endMs int64) (series.Sample, bool) {
	for _, s := range slices.Backward(samples) {
		if s.T <= endMs {
			return s, s.T > endMs-lookback*minuteMs && !series.IsStale(s.V)
		}
	}
	return series.Sample{}, false
}

// refValue returns a leaf's value of a series at a window's end, the events behind it, and whether there is one.
func refValue(l *leaf, samples []series.Sample, endMs int64) (v, events float64, ok bool) {
	switch l.fn {
	case fnValue, fnTimestamp:
		s, ok := refNewest(samples, endMs)
		v = s.V
		if l.fn == fnTimestamp {
			v = float64(s.T) / 1000
		}
		return v, math.NaN(), ok
	}
	cell := refIncrease
	if l.fn == fnChanges {
		cell = refChanges
	}
	for i := l.windows - 1; i >= 0; i-- {
		if x, covered := cell(samples, endMs-int64(i)*minuteMs); covered {
			v += x
			ok = true
		}
	}
	events = v
	if l.fn == fnRate {
		v /= float64(l.windows) * 60
	}
	return v, events, ok
}

// refSelects reports whether a leaf selects a series.
func refSelects(l *leaf, labels series.Labels) bool {
	if labels.Get(series.NameLabel) != l.name {
		return false
	}
	for _, m := range l.match {
		if !m.matches(labels.Get(m.label())) {
			return false
		}
	}
	return true
}

// refKeep projects labels on what a leaf keeps.
func refKeep(l *leaf, labels series.Labels) series.Labels {
	var out series.Labels
	for _, x := range labels {
		if slices.Contains(l.keep, x.Name) {
			out = append(out, x)
		}
	}
	return out
}

// refInput makes what a plan needs for the window that ends at endMs. Series without a value are left out, as if not live.
func refInput(p *plan, t *labelTable, all []refSeries, endMs int64) *evalInput {
	return &evalInput{
		shared: make([]sharedVec, shareNodes([]*plan{p})),
		table:  t, endMs: endMs, cluster: t.intern(series.Labels{{Name: "cluster", Value: "c1"}}),
		leaf: func(i int, dst []element) []element {
			l := p.leaves[i]
			for ref, s := range all {
				if s.hists != nil || !refSelects(l, s.labels) {
					continue
				}
				if v, events, ok := refValue(l, s.samples, endMs); ok {
					dst = append(dst, element{
						ls: t.intern(refKeep(l, s.labels)), v: v, events: events, members: 1,
						top: [3]memberRef{{int32(ref), v}, noMember, noMember},
					})
				}
			}
			n := l.native()
			for ref, s := range all {
				if n == nil || s.hists == nil || !refSelects(n, s.labels) {
					continue
				}
				if h, v, events, ok := refHistogramValue(n, s.hists, endMs); ok {
					e := element{
						ls: t.intern(refKeep(n, s.labels)), v: v, events: events, members: 1, top: [3]memberRef{{int32(ref), v}, noMember, noMember},
					}
					if n.part == partBuckets {
						var own *hist
						own, e.hist = t.work.takeHist()
						own.copyOf(h)
					}
					dst = append(dst, e)
				}
			}
			return dst
		},
	}
}
