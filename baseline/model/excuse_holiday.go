package model

import "math"

// Excuse: a holiday that is like a Sunday. A weekday is one as long as it has been, since midnight, what Sundays bring and not what its own hours do; where a
// Sunday is another day than this one by usualZ sigmas, on the same side, the window is excused. Days that were their own for a few windows on end are no
// holidays any more, so a fall to a Sunday's level within the day is news; and so is a sudden one.

const (
	ageDays     = 31 // bits of Model.age that count days
	restShift   = 5  // those above say how much today is like a Sunday
	restFull    = 7
	restSundays = 2 // Sundays that must have been seen
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
	sudden := math.Abs(l.z) > 2*suddenX && math.Abs(q.g) < suddenX/2 // a holiday departs from a working day slowly
	if sudden || m.mode != 2 || m.weekday[sunday] < restSundays || q.how/24 == sunday {
		rest = 0
	} else if m.near(p, q, l, (q.from+24*(sunday-q.how/24))%168, true, float64(m.off[2])) {
		rest = min(rest+1, restFull)
	} else {
		rest -= min(rest, 2)
	}
	m.age = m.age&ageDays | rest<<restShift
	if rest == 0 || math.Abs(l.z) < usualZ {
		return false
	}
	// Only where a Sunday is another day than this one.
	h := (q.from + 24*(sunday-q.how/24)) % 168
	k := (h + 1) % 168
	a := m.cell(h, float64(m.byHour[h%24])*unit)
	b := m.cell(k, float64(m.byHour[k%24])*unit)
	apart := a + q.frac*(b-a) + float64(m.off[2]) - q.yhat
	return apart*l.e > 0 && math.Abs(apart) >= usualZ*q.sig
}
