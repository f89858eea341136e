// Scales of a chart: which values it shows, where its lines of level and its times stand, and where an instant and a value lie.

package ui

import (
	"math"
	"slices"
	"time"

	"github.com/wrackline/wrackline/baseline/model"
)

// geometry places instants and values in the plot.
type geometry struct {
	from, to int64
	lo, hi   float64
	h        float64
	stepMs   int64
}

func (g *geometry) x(t int64) float64 {
	return float64(t-g.from) / float64(max(g.to-g.from, 1)) * plotW
}

// y clamps to the plot, so that an endless side of a band ends at its border.
func (g *geometry) y(v float64) float64 {
	return min(max((g.hi-v)/(g.hi-g.lo)*g.h, 0), g.h)
}

// gap reports whether the line must not go from a to b.
func (g *geometry) gap(a, b *Point) bool {
	return g.stepMs > 0 && b.T-a.T > g.stepMs*3/2
}

// endless is how many times the largest value a side of a band must be to be one without an end.
const endless = 200

// domain returns the lowest and highest value that the plot shows: every value, and the band as far as it is not
// itself an outlier or without an end, with a little air, from zero where zero is near.
func domain(points []Point, p *model.Params) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	var band []float64
	far := 0. // beyond it a side of a band has no end: a rule that counts by its ceiling alone has such a one
	for i := range points {
		for _, v := range [...]float64{points[i].Min, points[i].Max, points[i].Value} {
			if finite(v) {
				far = max(far, endless*math.Abs(v))
			}
		}
	}
	for i := range points {
		q := &points[i]
		for _, v := range [...]float64{q.Min, q.Max, q.Value} {
			if finite(v) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
		for _, v := range [...]float64{q.Lower, q.Expected, q.Upper} {
			if finite(v) && (far == 0 || math.Abs(v) <= far) {
				band = append(band, v)
			}
		}
	}
	if len(band) > 0 {
		slices.Sort(band)
		lo, hi = min(lo, band[len(band)*2/100]), max(hi, band[len(band)-1-len(band)*2/100])
	}
	if lo > hi {
		return 0, 1
	}
	defer func() {
		if !(hi > lo) { // numbers too small to tell apart
			hi = lo + max(1, math.Abs(lo)/10)
		}
	}()
	// Differences of greater numbers overflow; nothing that people watch is so large.
	const most = 1e150
	lo, hi = min(max(lo, -most), most), min(max(hi, -most), most)
	if p != nil {
		for _, v := range [...]float64{p.Ceiling, p.Limit} {
			if s := max(hi-lo, math.Abs(hi)*0.05); finite(v) && v > lo-s/2 && v < hi+s/2 {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	if hi == lo {
		d := math.Abs(lo) / 10
		if d == 0 {
			d = 1
		}
		if lo == 0 {
			return 0, d
		}
		return lo - d, hi + d
	}
	air := (hi - lo) * 0.08
	switch {
	case lo >= 0 && lo < 0.4*hi:
		lo = 0
	case lo >= 0:
		lo = max(0, lo-air)
	default:
		lo -= air
	}
	if p == nil || !finite(p.Max) || hi > p.Max || hi+air <= p.Max {
		hi += air
	} else {
		hi = p.Max
	}
	return lo, hi
}

// ticks returns three to six round values between lo and hi, round in the scale that people read the unit in.
func ticks(lo, hi float64, unit string, want int) []float64 {
	span := hi - lo
	if !(span > 0) || !finite(span) {
		return nil
	}
	scale := 1.
	steps := []float64{1, 2, 2.5, 5, 10}
	switch unit {
	case "B", "B/s":
		for scale*1024 <= max(math.Abs(lo), math.Abs(hi)) {
			scale *= 1024
		}
	case "s", "ms":
		second := 1.
		if unit == "ms" {
			second = 1000
		}
		switch top := max(math.Abs(lo), math.Abs(hi)) / second; {
		case top >= 48*3600:
			scale = 86400 * second
		case top >= 2*3600:
			scale, steps = 3600*second, []float64{1, 2, 3, 6, 12, 24}
		case top >= 120:
			scale, steps = 60*second, []float64{1, 2, 5, 10, 15, 30, 60}
		}
	}
	raw := span / scale / float64(want)
	mag := math.Pow(10, math.Floor(math.Log10(raw)))
	if len(steps) > 5 && raw > 1 {
		mag = 1
	}
	step := steps[len(steps)-1] * mag
	for _, f := range steps {
		if f*mag >= raw*0.999 {
			step = f * mag
			break
		}
	}
	step *= scale
	var out []float64
	for k := math.Ceil(lo/step - 1e-9); k*step <= hi+span*1e-9 && len(out) < 12; k++ {
		out = append(out, k*step+0) // +0: no −0
	}
	return out
}

// topped ends the levels at the top of the plot: with one more step where that leaves little of it empty, else with a label of where the plot ends. What has an end of its own, as a share, keeps it.
func topped(levels []float64, lo, hi, height float64, p *model.Params) ([]float64, float64) {
	n := len(levels)
	if n == 0 {
		return levels, hi
	}
	rest, step := hi-levels[n-1], hi-lo // one level says nothing of the step
	if n > 1 {
		step = levels[n-1] - levels[n-2]
	}
	switch next := levels[n-1] + step; {
	case rest <= step/50:
		return levels, max(hi, levels[n-1])
	case step-rest <= (hi-lo)*topEmpty && (p == nil || !finite(p.Max) || next <= p.Max):
		return append(levels, next), next
	case rest >= (hi-lo)*max(topApart, labelHeight/height):
		return append(levels, hi), hi
	}
	return levels, hi
}

const (
	topEmpty = .3  // of the plot may be empty so that it ends at a round value
	topApart = .12 // of the plot lies between two labels at least

	labelHeight = 14 // pixels
)

// timeTick is one label of the time axis.
type timeTick struct {
	t     int64
	label string
	minor bool // left out where there is little room
}

// timeTicks returns about seven round moments of UTC between from and to.
func timeTicks(from, to int64) []timeTick {
	const minute, hour, day = 60_000, 3_600_000, 86_400_000
	step := int64(30 * day)
	for _, s := range [...]int64{minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 7 * day, 14 * day} {
		if (to-from)/s <= 8 {
			step = s
			break
		}
	}
	var out []timeTick
	for t := (from + step - 1) / step * step; t <= to && len(out) < 16; t += step {
		at := time.UnixMilli(t).UTC()
		label := at.Format("15:04")
		if t%day == 0 {
			label = at.Format("2 Jan")
			if step < day {
				label += " 00:00"
			}
		}
		out = append(out, timeTick{t: t, label: label, minor: (t/step)%2 != 0 && (t%day != 0 || step >= day)})
	}
	return out
}
