package model

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/curve"
)

// Excuse: the same hours of last week brought it. A window at least usualZ sigmas from its prediction is usual where the shape of the week, though not in use yet, has it:
// that must prove itself, which takes days, and the Monday after the first weekend and the second weekend are no news either. What the hours of the shape in use bring
// a little earlier or later is no deviation at all, see reach.

const usualZ = 2.5 // sigmas below which a window needs no explanation

// usual reports whether a window far from its prediction is where the same hours of last week were.
func (m *Model) usual(p *Params, q *prediction, l *lesson) bool {
	if math.Abs(l.z) < usualZ || m.mode == 0 && p.Season != Weekly {
		return false
	}
	return m.mode == 1 && m.near(p, q, l, q.from, false, float64(m.off[1])) ||
		(m.mode == 2 || p.Season == Auto || p.Season == Weekly) && m.near(p, q, l, q.from, true, float64(m.off[2]))
}

// near reports whether a window is what the hours around it bring, of the day or of the week, within three sigmas, or six where the minutes before were as far out; from is the hour of the week with the last centre not after it.
func (m *Model) near(p *Params, q *prediction, l *lesson, from int, week bool, off float64) bool {
	c, seen := m.around(from, week, true)
	lo, hi := curve.Between(&c, q.frac)
	lo, hi = min(lo, c[2], c[3]), max(hi, c[2], c[3])
	y := l.y - off
	room := 3 * max(q.sig, m.like((lo+hi)/2))
	if p.Bad == Both && !p.Extremes { // those have laws of what comes, and where a side is bad a step that comes early is told
		past, next := curve.Behind(&c, room)
		lo, hi = min(lo, past, next), max(hi, past, next)
	}
	if q.other(l) && m.mode < 2 { // the shape in use knows its scatter
		room *= 2
	}
	return seen && y > lo-room && y < hi+room
}

// wayOut is how many sigmas from what is expected no scatter of these hours lies.
const wayOut = 6

// other reports whether the signal has been way out for minutes: a day of another kind rather than a value.
func (q *prediction) other(l *lesson) bool {
	return math.Abs(q.g) > usualZ && math.Abs(l.z) > wayOut
}
