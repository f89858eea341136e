package model

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/habit"
)

// Excuse: it comes back at this time of the day or the week, and has been told often enough. A backup that begins at two every night, a shop that opens at
// nine: told a few times, then known. The profile cannot learn it by itself, since nothing is learned from while an alarm stands.
//
// Three deviations are remembered, each by the quarter of an hour at which it began. A window at least usualZ sigmas out is excused where one of them
// came at that time on three days, each at most three days after the one before, or in four weeks; in a signal's first eight days once is
// enough. What goes beyond 1.5 times its level, or lasts three quarters of an hour longer, is news at any time.
//
// Where somebody is hurt (Params.Grave) an outage that comes back is an outage still. There three days are asked for at any age, what is more by a sixth in the signal's own unit is
// news, and what goes two fifths of the way to the end of the scale (all requests fail, none arrives) is excused only where it lasts for four hours or more: then it is a part
// of the day, such as its night. Where nobody is hurt but one side is bad, that holds of what goes to the end itself.

const (
	habitNear   = 3       // quarters of an hour by which it may come early or late, and be longer
	habitLong   = 20 * 4  // quarters of an hour; what lasts longer is no part of a day
	habitYoungH = 8 * 24. // hours in which one day is enough: what yesterday brought is the best that is known of today
	habitMore   = 1.5     // × its level: what goes beyond that is news at any time
	graveMore   = 1.15    // × its distance from what was expected, in the unit
	graveShare  = .4      // of the way to the end of the scale
	endShare    = .95     // … that is the end itself
	graveLong   = 4 * 4   // quarters of an hour
)

// quarterOf returns the quarter of an hour in which a window lies, and its civil day.
func quarterOf(at Moment) (quarter int, day int32) {
	return at.HourOfWeek%24*4 + int(at.HourFrac*4), at.Day
}

// habitual reports whether a window far from its prediction is what comes at that time of the day or the week.
func (m *Model) habitual(p *Params, q *prediction, l *lesson) bool {
	if math.Abs(l.z) < usualZ {
		return false
	}
	now, today := quarterOf(l.at)
	young := m.ageH() < habitYoungH && !p.Grave
	for i := range m.habits {
		h := &m.habits[i]
		if h.N == 0 || (h.Level > 0) != (l.e > 0) || math.Abs(l.e) > habitMore*math.Abs(float64(h.Level))*unit+3*float64(m.sigma) {
			continue
		}
		if p.Bad != Both && m.worse(p, q, l, h) {
			continue
		}
		into, day := now-int(h.At), today
		if into < -habitNear {
			into, day = into+96, today-1
		}
		if into > int(h.Long)+habitNear {
			continue
		}
		if h.Known(habit.DayOf(day), young) {
			if d := habit.DayOf(day); h.Since(d) != 0 && math.Abs(l.e) > math.Abs(float64(h.Level))*unit/2 {
				h.Come(d)
			}
			return true
		}
	}
	return false
}

// worse reports whether a window on a bad side is more than a habit explains.
func (m *Model) worse(p *Params, q *prediction, l *lesson, h *habit.Habit) bool {
	side := sideOf(l.e)
	if !p.badSides()[side] {
		return false
	}
	x := q.band.Expected
	far, was, share := math.Abs(l.v-x), math.Abs(m.x(q.yhat+float64(h.Level)*unit)-x), endShare
	if p.Grave {
		if far > graveMore*was+q.effect {
			return true
		}
		share = graveShare
	}
	end := p.end(side)
	return finite(end) && far >= share*math.Abs(end-x) && h.Long < graveLong
}

// remember takes an alarm that is over for something that may come back.
func (m *Model) remember(p *Params, at Moment) {
	if m.test != PointTest && m.test != ShiftTest && m.test != CountTest || m.state != High && m.state != Low || m.cand == 0 {
		return
	}
	long := (at.T - m.onset()) / (15 * 60_000)
	if long < 0 || long > habitLong || 4*p.StepMs > dayH*hourMs {
		return
	}
	now, day := quarterOf(at)
	begin := now - int(long)
	if begin < 0 {
		begin, day = begin+96, day-1
	}
	d := habit.DayOf(day)
	level := pack(m.cand)
	pick, oldest := -1, -1
	for i := range m.habits {
		h := &m.habits[i]
		apart := (begin - int(h.At) + 96) % 96
		if h.N != 0 && (h.Level > 0) == (level > 0) && min(apart, 96-apart) <= habitNear && h.Like(level) {
			pick = i
			break
		}
		if age := h.Since(d); h.N == 0 || oldest < 0 || m.habits[oldest].N != 0 && age > m.habits[oldest].Since(d) {
			oldest = i
		}
	}
	if pick < 0 {
		m.habits[oldest] = habit.First(level, uint8(begin), uint8(long), d)
		return
	}
	h := &m.habits[pick]
	h.Come(d)
	h.Level = int16((int(h.Level) + int(level)) / 2)
	h.Long = max(uint8(long), uint8((int(h.Long)+int(long))/2))
}

// expects reports whether an hour of the day belongs to a habit that is alive: the profile learns it quickly then.
func (m *Model) expects(hour int) bool {
	young := m.ageH() < habitYoungH
	for i := range m.habits {
		h := &m.habits[i]
		if h.N == 0 || !h.Known(habit.DayOf(m.d), young) {
			continue
		}
		if into := (hour*4 + 3 - int(h.At) + 96) % 96; into < int(h.Long)+4 {
			return true
		}
	}
	return false
}

// came reports whether a known habit has come within the last hours.
func (m *Model) came(at Moment, hours int) bool {
	now, today := quarterOf(at)
	young := m.ageH() < habitYoungH
	for i := range m.habits {
		h := &m.habits[i]
		if h.N == 0 {
			continue
		}
		into, day := now-int(h.At), today
		if into < 0 {
			into, day = into+96, today-1
		}
		if d := habit.DayOf(day); into <= int(h.Long)+4*hours && h.Since(d) == 0 && h.Known(d, young) {
			return true
		}
	}
	return false
}
