package model

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/curve"
)

// Excuse: a holiday that is like a Sunday. A weekday is one as long as it has been, since midnight, what Sundays bring and not what its own hours do; where a
// Sunday is another day than this one by usualZ sigmas, on the same side, the window is excused. The night belongs to the day before, so until half of its own
// climb is done a day may be itself or anything between itself and a Sunday; afterwards it must have gone half of the way to one. Days that were their own for a few
// windows on end are no holidays any more, so a fall to a Sunday's level within the day is news; and so is a sudden one, but in the first hour, in which the calendar changes.

const (
	ageDays     = 31 // bits of Model.age that count days
	restShift   = 5  // those above say how much today is like a Sunday
	restFull    = 7
	restSundays = 2  // Sundays that must have been seen
	restHalf    = .5 // of the way to a Sunday, and of a day's climb
)

// resting reports whether the window belongs to a holiday, and keeps count of how much the day is like one.
func (m *Model) resting(p *Params, q *prediction, l *lesson) bool {
	rest := m.age >> restShift
	switch {
	case l.at.Day&0x3fffffff != m.d:
		rest = restFull // every day may be one, at first
	case rest == 0:
		return false
	}
	const sunday = 6
	if l.at.HourOfWeek%24 == 0 && q.hi == 23 { // it ends at midnight: the day before is over, and this one not begun
		m.age = m.age&ageDays | restFull<<restShift
		return false
	}
	sudden := q.hi > 0 && math.Abs(l.z) > 2*suddenX && math.Abs(q.g) < suddenX/2 // a holiday departs from a working day slowly
	if sudden || m.mode != 2 || m.weekday[sunday] < restSundays || q.how/24 == sunday {
		m.age &= ageDays
		return false
	}
	h := (q.from + 24*(sunday-q.how/24)) % 168
	k := (h + 1) % 168
	a := m.cell(h, float64(m.byHour[h%24])*unit)
	b := m.cell(k, float64(m.byHour[k%24])*unit)
	apart := a + q.frac*(b-a) + float64(m.off[2]) - q.yhat // how far a Sunday is from this day
	if m.near(p, q, l, h, true, float64(m.off[2])) {
		rest = min(rest+1, restFull)
	} else {
		way := (l.y - q.yhat) / apart
		between := way > -usualZ*q.sig/math.Abs(apart) && way < 1
		switch {
		case between && m.dawns(q): // may become either
		case between && way >= restHalf:
			rest = min(rest+1, restFull)
		default:
			rest -= min(rest, 2)
		}
	}
	m.age = m.age&ageDays | rest<<restShift
	// Only where a Sunday is another day than this one.
	return rest > 0 && math.Abs(l.z) >= usualZ && apart*l.e > 0 && math.Abs(apart) >= usualZ*q.sig
}

// dawns reports whether the day has not yet done half of the climb that it usually does, if it does any.
func (m *Model) dawns(q *prediction) bool {
	var day [24]float64
	for k := range day {
		day[k] = m.cell(q.how-q.hi+k, float64(m.byHour[k])*unit)
	}
	return curve.Climbed(&day, q.hi, wayOut*q.sig) < restHalf
}
