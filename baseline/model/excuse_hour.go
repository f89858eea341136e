package model

import "math"

// Excuse: these hours usually bring it, or did a week ago. A window at least usualZ sigmas from its prediction is usual where it lies, within three
// sigmas, in the range of the levels of the hours around it, by the day or by the week, and of the lines of either side led on to the window.
// The prediction is a line between the centres of hours, so a step or a break at the full hour is wrong by half its height. The weekly profile must
// prove itself to be used, which takes days; the Monday after the first weekend and the second weekend are no news either.

const usualZ = 2.5 // sigmas below which a window needs no explanation

// usual reports whether a window far from its prediction is still what its hours bring, or where the same hours of last week were.
func (m *Model) usual(p *Params, q *prediction, l *lesson) bool {
	if math.Abs(l.z) < usualZ || m.mode == 0 && p.Season != Weekly {
		return false
	}
	return m.mode == 1 && m.near(q, l, q.from, false, float64(m.off[1])) ||
		(m.mode == 2 || p.Season == Auto || p.Season == Weekly) && m.near(q, l, q.from, true, float64(m.off[2]))
}

// near reports whether a window is what the hours around it bring, of the day or of the week; from is the hour of the week with the last centre not after it.
func (m *Model) near(q *prediction, l *lesson, from int, week bool, off float64) bool {
	var c [4]float64 // the hour before, the two around the window, the hour after
	for i := range c {
		h := (from + 167 + i) % 168
		c[i] = float64(m.byHour[h%24]) * unit
		if week {
			if m.byWeek[h] == noCell {
				return false
			}
			c[i] += float64(m.byWeek[h]) * float64(m.weekUnit)
		}
	}
	before := c[1] + q.frac*(c[1]-c[0])
	after := c[2] + (1-q.frac)*(c[2]-c[3])
	y := l.y - off
	return y > min(c[1], c[2], before, after)-3*q.sig && y < max(c[1], c[2], before, after)+3*q.sig
}
