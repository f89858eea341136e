package model

// Is there a slow move in a ring? The rings hold absolute levels, rid only of the seasonal shape, so adaptation cannot hide a trend from the test.

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/trend"
)

// trendOf tests the newest n cells of a ring, of cellH hours each. What it takes to be news is zMin and kSd, see test_drift.go.
func (m *Model) trendOf(p *Params, at Moment, ring []int16, newest int32, n int, cellH, zMin, kSd float64) trend.Move {
	c := trend.Cells{Unit: unit}
	if !c.Gather(ring, newest, n, hole) {
		return trend.Move{}
	}
	t := m.fit(p, &c, cellH, zMin, kSd)
	if t.Strength < weakTrend || m.mode != 0 || float64(n)*cellH > 24 || p.Season == NoSeason || m.flags&flagReady == 0 {
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
	if (u.PerHour > 0) != (t.PerHour > 0) {
		return trend.Move{}
	}
	t.Strength = min(t.Strength, u.Strength)
	return t
}

// fit weighs the trend of cells of cellH hours.
func (m *Model) fit(p *Params, c *trend.Cells, cellH, zMin, kSd float64) trend.Move {
	least := max(kSd*math.Sqrt(float64(m.hv)), .7*float64(m.sigma), unit)
	return c.Move(cellH, zMin, least, m.x, p.trendEffect)
}
