package model

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/curve"
)

// Excuse: a holiday that is like a Sunday. A weekday is one as long as it has been, since midnight, what its own hours bring or Sunday's, or anything between them; where a
// Sunday is another day than this one by usualZ sigmas, on the same side, the window is excused. The night belongs to the day before: until three quarters of the day's own climb are
// done it may still be itself, afterwards it must be nearer to a Sunday. A day that was its own, or neither, for a few windows on end is no holiday any more, so a
// fall to a Sunday's level within the day is news; and so is a sudden one, but in the first hour, in which the calendar changes.
//
// What is learned of the level on such a day is learned of a Sunday: it is no trend.

const (
	ageDays     = 31 // bits of Model.age that count days
	restShift   = 5  // those above say how much today is like a Sunday
	restFull    = 7
	restSundays = 2   // Sundays that must have been seen
	restClimb   = .75 // of the day's climb
)

// resting reports whether the window belongs to a holiday, and keeps count of how much the day is like one.
func (m *Model) resting(p *Params, q *prediction, l *lesson) bool {
	midnight := q.hi == 23 && l.at.HourOfWeek%24 == 0 // the last window of a day ends in the next one, and may be of either
	rest := m.age >> restShift
	if l.at.Day&0x3fffffff != m.d || midnight {
		rest = restFull // every day may be one, at first
	}
	rests := false
	if rest > 0 {
		rest, rests = m.rests(p, q, l, rest, midnight)
	}
	if midnight {
		rest = restFull
	}
	m.age = m.age&ageDays | rest<<restShift
	return rests
}

// rests is resting with how much the day was like a Sunday before the window and is after it; begins says that the calendar changes within the window.
func (m *Model) rests(p *Params, q *prediction, l *lesson, rest uint8, begins bool) (uint8, bool) {
	const sunday = 6
	sudden := q.hi > 0 && !begins && math.Abs(l.z) > 2*suddenX && math.Abs(q.g) < suddenX/2 // a holiday departs from a working day slowly
	if sudden || m.mode != 2 || m.weekday[sunday] < restSundays || q.how/24 == sunday {
		return 0, false
	}
	c, _ := m.around((q.from+24*(sunday-q.how/24))%168, true, false)
	then := c[2] + q.frac*(c[3]-c[2]) + float64(m.off[2]) // a Sunday, at this hour
	lo, hi := curve.Between(&c, q.frac)
	lo, hi = min(lo+float64(m.off[2]), q.low, q.yhat), max(hi+float64(m.off[2]), q.high, q.yhat)
	room := 3 * max(q.sig, m.like(then-float64(m.off[2])))
	if q.other(l) {
		room *= 2
	}
	between := l.y > lo-room && l.y < hi+room
	if !between { // nor is less than the smallest effect beyond a Sunday worth a message
		x := m.x(clamp(l.y, lo, hi))
		between = math.Abs(l.v-x) < p.effect(x)
	}
	if between && (math.Abs(l.y-then) < math.Abs(l.y-q.yhat) || m.dawns(q)) {
		rest = min(rest+1, restFull)
	} else {
		rest -= min(rest, 2)
	}
	// Only where a Sunday is another day than this one.
	apart := then - q.yhat
	if rest == 0 || math.Abs(l.z) < usualZ || apart*l.e < 0 || math.Abs(apart) < usualZ*q.sig {
		return rest, false
	}
	l.apart = apart
	return rest, true
}

// dawns reports whether the day has not yet done three quarters of the climb that it usually does, if it does any.
func (m *Model) dawns(q *prediction) bool {
	var day [24]float64
	for k := range day {
		day[k] = m.cell(q.how-q.hi+k, float64(m.byHour[k])*unit)
	}
	return curve.Climbed(&day, q.hi, wayOut*q.sig) < restClimb
}
