package oracle

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

// Cluster makes two hours of series of a small cluster, with what real ones have: mixed scrape intervals with jitter, lost scrapes,
// resets, gaps, series that begin late, end early, or come back after a stale marker.
func Cluster(r *rand.Rand) []Series {
	var all []Series
	add := func(samples []series.Sample, l ...string) {
		ls := series.Labels{{Name: "cluster", Value: "c1"}}
		for i := 0; i < len(l); i += 2 {
			ls = append(ls, series.Label{Name: l[i], Value: l[i+1]})
		}
		ls, err := series.Canonical(ls)
		if err != nil {
			panic(err)
		}
		all = append(all, Series{Labels: ls, Samples: samples})
	}
	native := func(h []series.Histogram, l ...string) {
		add(nil, l...)
		all[len(all)-1].Hists = h
	}
	for node := range 2 + r.IntN(2) {
		n := fmt.Sprintf("node-%d", node)
		add(Gauge(r, Times(r)), series.NameLabel, "node_load", "node", n)
		info, upgrade := Times(r), 0
		if r.IntN(2) == 0 { // upgraded: for a look-back the engine sees both, unless the old one ends with a stale marker
			upgrade = r.IntN(len(info))
			old := info[:upgrade]
			if upgrade > 0 && r.IntN(5) > 0 {
				old = append(slices.Clone(old), -(max(old[upgrade-1], -old[upgrade-1]) + 1))
			}
			add(Constant(old, 1), series.NameLabel, "node_info", "node", n, "version", "v1.0")
		}
		add(Constant(info[upgrade:], 1), series.NameLabel, "node_info", "node", n, "version", "v1.1")
		for pod := range 1 + r.IntN(3) {
			p := fmt.Sprintf("pod-%d-%d", node, pod)
			times := Times(r)
			for _, code := range []string{"200", "404", "500"} {
				if r.Float64() < 0.6 {
					ct := times
					if code != "200" { // errors that begin in the middle
						ct = ct[r.IntN(len(ct)):]
					}
					add(Counter(r, ct), series.NameLabel, "requests_total", "node", n, "pod", p, "code", code)
				}
			}
			add(Gauge(r, times), series.NameLabel, "memory_bytes", "node", n, "pod", p)
			if r.Float64() < 0.8 {
				add(Constant(times, float64(1+r.IntN(5))), series.NameLabel, "limit_bytes", "node", n, "pod", p)
			}
			if r.Float64() < 0.8 {
				add(Steps(r, times), series.NameLabel, "state", "node", n, "pod", p)
			}
			native(NativeSamples(r, times, false), series.NameLabel, "rtt", "node", n, "pod", p)
			native(NativeSamples(r, times, true), series.NameLabel, "size", "node", n, "pod", p)
			one := []string{"1", "1.0"}[r.IntN(2)]
			for i, h := range Histogram(r, times, 5) {
				le := []string{"0.1", "0.5", one, "5", "+Inf"}[i]
				add(h, series.NameLabel, "latency_bucket", "node", n, "pod", p, "le", le)
				if le == "+Inf" {
					add(h, series.NameLabel, "latency_count", "node", n, "pod", p)
				}
			}
		}
	}
	return all
}

const End = 120 * minuteMs

// Times returns scrape times; negative ones are those of stale markers.
func Times(r *rand.Rand) []int64 {
	every := []int64{15_000, 30_000, 60_000}[r.IntN(3)]
	from, to := int64(0), int64(End+5*minuteMs)
	if r.Float64() < 0.2 {
		from = r.Int64N(End)
	}
	if r.Float64() < 0.2 {
		to = from + r.Int64N(End)
	}
	loss := r.Float64() * 0.15
	// A gap is either one that increases are spread over, or so long that no window of the engine sees both its sides: between
	// 5 min and 25 min the engine's answer depends on where the window stands, ours does not.
	gapAt, gap := int64(-1), int64(0)
	if r.Float64() < 0.4 {
		gapAt = from + r.Int64N(End)
		gap = []int64{2 * minuteMs, 4 * minuteMs, 27 * minuteMs}[r.IntN(3)]
	}
	var out []int64
	last := from
	for t := from + r.Int64N(every); t < to; t += every {
		if t > gapAt && t < gapAt+gap {
			continue
		}
		at := t + r.Int64N(every/10)
		if r.IntN(8) == 0 {
			at = t / minuteMs * minuteMs // on a window's border
		}
		if at <= last || r.Float64() < loss && at-last < 3*minuteMs {
			continue
		}
		if gap := at - last; len(out) > 0 && gap > segmentMax && gap < 26*minuteMs {
			out = append(out, at-segmentMax) // lost scrapes made the gap longer than it may be
		}
		if r.IntN(60) == 0 && at > last+1 {
			out = append(out, -(at - 1))
		}
		out = append(out, at)
		last = at
	}
	if to < End && r.IntN(2) == 0 {
		out = append(out, -(last + every))
	}
	if len(out) == 0 {
		out = append(out, from+1)
	}
	return out
}

// Sample makes a sample at a time of refTimes.
func Sample(at int64, v float64) series.Sample {
	if at < 0 {
		return series.Sample{T: -at, V: series.StaleNaN}
	}
	return series.Sample{T: at, V: v}
}

func Counter(r *rand.Rand, times []int64) (out []series.Sample) {
	v, speed := r.Float64()*100, r.ExpFloat64()*3
	idle := r.IntN(6) == 0
	for _, at := range times {
		switch {
		case r.IntN(40) == 0:
			v = r.Float64() * 5
		case !idle && r.IntN(5) > 0:
			v += r.ExpFloat64() * speed
		}
		out = append(out, Sample(at, v))
	}
	return out
}

func Gauge(r *rand.Rand, times []int64) (out []series.Sample) {
	v := r.Float64() * 10
	odd := r.IntN(15) == 0
	for _, at := range times {
		v += r.NormFloat64()
		x := v
		if odd && r.IntN(10) == 0 {
			x = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[r.IntN(3)]
		}
		out = append(out, Sample(at, x))
	}
	return out
}

func Constant(times []int64, v float64) (out []series.Sample) {
	for _, at := range times {
		out = append(out, Sample(at, v))
	}
	return out
}

func Steps(r *rand.Rand, times []int64) (out []series.Sample) {
	v := 0.0
	for _, at := range times {
		if r.IntN(6) == 0 {
			v = float64(r.IntN(3))
		}
		out = append(out, Sample(at, v))
	}
	return out
}

func Histogram(r *rand.Rand, times []int64, buckets int) [][]series.Sample {
	out := make([][]series.Sample, buckets)
	v, speed := make([]float64, buckets), make([]float64, buckets)
	for i := range speed {
		speed[i] = r.ExpFloat64()
		if r.IntN(4) == 0 {
			speed[i] = 0
		}
	}
	for _, at := range times {
		if r.IntN(50) == 0 {
			clear(v)
		}
		sum := 0.0
		for i := range v {
			v[i] += r.ExpFloat64() * speed[i]
			sum += v[i]
			out[i] = append(out[i], Sample(at, sum))
		}
	}
	return out
}

// NativeSamples makes a native histogram: its schema may become coarser and its zero bucket wider, its custom bounds change at resets.
func NativeSamples(r *rand.Rand, times []int64, custom bool) (out []series.Histogram) {
	var h series.Histogram
	begin := func() {
		h = series.Histogram{Schema: h.Schema, ZeroThreshold: h.ZeroThreshold, Custom: h.Custom}
	}
	h.Schema, h.ZeroThreshold = int32(r.IntN(9)-2), 1e-3
	if custom {
		h.Schema, h.ZeroThreshold = promql.CustomSchema, 0
		for _, b := range []float64{0.1, 0.5, 1, 2, 5, 10} {
			if r.IntN(8) > 0 {
				h.Custom = append(h.Custom, b)
			}
		}
	}
	center, idle := r.NormFloat64(), r.IntN(8) == 0
	negative := r.IntN(4) == 0
	for i, at := range times {
		if at < 0 {
			out = append(out, series.Histogram{T: -at, Stale: true, Sum: series.StaleNaN})
			continue
		}
		h.Reset = false
		switch {
		case i > 0 && r.IntN(40) == 0:
			begin()
			h.Reset = r.IntN(2) == 0
		case !custom && h.Schema > -3 && r.IntN(80) == 0:
			var x promql.Hist
			x.Set(&h, nil)
			x.Reduce(h.Schema - 1)
			reset := h.Reset
			h = *seriesHistogram(&x)
			h.Reset = reset
		}
		if !idle && r.IntN(5) > 0 {
			for range 1 + r.IntN(4) {
				v := math.Exp(center + r.NormFloat64())
				if negative && r.IntN(4) == 0 {
					v = -v
				}
				if !custom && r.IntN(8) == 0 {
					v = 0
				}
				if custom {
					v = math.Abs(v)
				}
				Observe(&h, v, float64(1+r.IntN(50)))
			}
		}
		h.T = at
		c := h
		c.Pos, c.Neg = slices.Clone(h.Pos), slices.Clone(h.Neg)
		out = append(out, c)
	}
	return out
}

// RandomHistogram makes a histogram of random observations.
func RandomHistogram(r *rand.Rand, custom bool) series.Histogram {
	h := series.Histogram{Schema: int32(r.IntN(13) - 4), ZeroThreshold: []float64{0, 1e-128, 0.001, 0.1, 1}[r.IntN(5)]}
	if custom {
		h.Schema, h.ZeroThreshold = promql.CustomSchema, 0
		for _, b := range []float64{-1, 0, 0.1, 0.5, 1, 2, 5, 10} {
			if r.IntN(4) > 0 {
				h.Custom = append(h.Custom, b)
			}
		}
	}
	negative := r.IntN(3) == 0
	for range r.IntN(12) {
		Observe(&h, math.Exp(r.NormFloat64()*2-1)*map[bool]float64{false: 1, true: -1}[negative && r.IntN(2) == 0], float64(1+r.IntN(40)))
	}
	if r.IntN(4) == 0 && !custom {
		h.ZeroCount += float64(r.IntN(9))
		h.Count += h.ZeroCount
	}
	if h.Count = 0; true {
		h.Count = h.ZeroCount
		for _, b := range append(slices.Clone(h.Pos), h.Neg...) {
			h.Count += b.Count
		}
	}
	if r.IntN(10) == 0 && !custom { // observations of NaN
		h.Count += float64(r.IntN(5))
		h.Sum = math.NaN()
	}
	return h
}

// Observe adds n observations of v.
func Observe(h *series.Histogram, v, n float64) {
	h.Count += n
	h.Sum += v * n
	side, at := &h.Pos, int32(0)
	switch {
	case h.Schema == promql.CustomSchema:
		i, _ := slices.BinarySearch(h.Custom, v)
		at = int32(i)
	case math.Abs(v) <= h.ZeroThreshold:
		h.ZeroCount += n
		return
	default:
		if v < 0 {
			side = &h.Neg
		}
		at = int32(math.Ceil(math.Log2(math.Abs(v)) * math.Exp2(float64(h.Schema))))
	}
	i, ok := slices.BinarySearchFunc(*side, at, func(b series.Bucket, at int32) int { return int(b.Index) - int(at) })
	if !ok {
		*side = slices.Insert(*side, i, series.Bucket{Index: at})
	}
	(*side)[i].Count += n
}

// seriesHistogram is the way back.
func seriesHistogram(h *promql.Hist) *series.Histogram {
	return &series.Histogram{Count: h.Count, Sum: h.Sum, Schema: h.Schema, ZeroThreshold: h.ZeroThreshold, ZeroCount: h.Zero, Pos: h.Pos, Neg: h.Neg, Custom: h.Custom}
}
