package model

// Is there a slow move in a ring? The rings hold absolute levels, rid only of the seasonal shape, so adaptation cannot hide a trend from the test.

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/trend"
)

// slowMove is what the test finds in one window of a ring. The zero value is nothing.
type slowMove struct {
	strength float64 // 1 = news
	perHour  float64 // slope, y an hour
	start    float64 // fitted level at the window's begin and end, y
	end      float64
	hours    float64 // length of the window
	since    float64 // hours before the end at which the move began
}

// orStronger makes t the stronger one of two trends.
func (t *slowMove) orStronger(o slowMove) {
	if o.strength > t.strength {
		*t = o
	}
}

// trendOf tests the newest n cells of a ring, of cellH hours each. What it takes to be news is zMin and kSd, see test_drift.go.
func (m *Model) trendOf(p *Params, at Moment, ring []int16, newest int32, n int, cellH, zMin, kSd float64) slowMove {
	c := trend.Cells{Unit: unit}
	size := int32(len(ring))
	for i := range n {
		at := newest - int32(n-1-i)
		if at < 0 {
			continue
		}
		if y := ring[at%size]; y != hole {
			c.Add(float64(i), float64(y)*unit)
		}
	}
	if c.N < n*4/5 || c.N < 9 || c.X[0] > float64(n)/10 {
		return slowMove{}
	}
	t := m.fit(p, &c, cellH, zMin, kSd)
	if t.strength < weakTrend || m.mode != 0 || float64(n)*cellH > 24 || p.Season == NoSeason || m.flags&flagReady == 0 {
		return t
	}
	// A daily shape that is not used, since single windows are noisier than it is high, is in these cells still, and half a
	// day of it is a fine trend. What is news must be so without it too. Whole days balance by themselves.
	now := float64(at.HourOfWeek%24) + at.HourFrac
	for i := range c.N {
		h := math.Mod(now-(float64(n)-c.X[i]-.5)*cellH-.5, 24)
		if h < 0 {
			h += 24
		}
		a := int(h) % 24
		f := h - math.Floor(h)
		lo, hi := float64(m.byHour[a])*unit, float64(m.byHour[(a+1)%24])*unit
		c.Y[i] -= lo + f*(hi-lo) - float64(m.mean)
	}
	u := m.fit(p, &c, cellH, zMin, kSd)
	if (u.perHour > 0) != (t.perHour > 0) {
		return slowMove{}
	}
	t.strength = min(t.strength, u.strength)
	return t
}

// fit weighs the trend of cells of cellH hours. A cheap least-squares pass comes first: nearly every window has nothing to find.
func (m *Model) fit(p *Params, c *trend.Cells, cellH, zMin, kSd float64) (t slowMove) {
	// Nor is a line news that moves by less than a third of what the robust one must move by to count, nor one of so small an
	// effect; half of that is what keeps a drift standing.
	middle, way, z := c.Lean()
	least := max(kSd*math.Sqrt(float64(m.hv)), .7*float64(m.sigma), unit)
	if z < .4*zMin || math.Abs(way) < .3*least {
		return t
	}
	if eff := p.trendEffect(m.x(middle - way/2)); eff > 0 && math.Abs(m.x(middle+way/2)-m.x(middle-way/2)) < .3*eff {
		return t
	}
	l := c.Line()
	if l.Slope == 0 {
		return t
	}
	t.perHour = l.Slope / cellH
	t.start, t.end = l.Start, l.End
	t.hours = (c.X[c.N-1] - c.X[0]) * cellH
	x0, x1 := m.x(t.start), m.x(t.end)
	t.strength = min(l.Z/zMin, l.Balance/2.5, math.Abs(t.end-t.start)/least)
	if eff := p.trendEffect(x0); eff > 0 {
		t.strength = min(t.strength, math.Abs(x1-x0)/eff)
	}
	switch {
	case t.strength < 1:
	case c.IsStep(&l):
		t.strength = .99 // a deploy, not a drift: it keeps a drift standing, and opens none
	default:
		t.since = c.Began() * cellH
	}
	return t
}
