package model

import "math"

// Excuse: it comes back at this time of the day or the week, and has been told often enough. A backup that begins at two every night, a shop that opens at
// nine: told a few times, then known. The profile cannot learn it by itself, since nothing is learned from while an alarm stands.
//
// Three deviations are remembered, each by the quarter of an hour at which it began. A window at least usualZ sigmas out is excused where one of them
// came at that time on three days, each at most three days after the one before, or in four weeks; in a signal's first eight days once is
// enough. What goes beyond 1.5 times its level, or lasts three quarters of an hour longer, is news at any time.
//
// Where somebody is hurt (Params.Grave) an outage that comes back is an outage still. There three days are asked for at any age, what is more by a sixth in the signal's own unit is
// news, and what goes two fifths of the way to the end of the scale (all requests fail, none arrives) is excused only where it lasts for four hours or more: then it is a part
// of the day, such as its night.

// habit is a deviation that came at the same time of the day or of the week before. The zero value is none.
type habit struct {
	level int16 // distance from what was expected, unit
	at    uint8 // quarter of an hour of the civil day at which it began
	long  uint8 // how long it lasted, quarters of an hour
	day   uint8 // civil day on which it last came, modulo habitDays
	n     uint8 // times that it came: a day to three after the time before in the lower four bits, a week after in the upper ones
}

const (
	habitDays   = 252     // whole weeks, so that distances survive the modulo
	habitNear   = 3       // quarters of an hour by which it may come early or late, and be longer
	habitLong   = 20 * 4  // quarters of an hour; what lasts longer is no part of a day
	habitDaily  = 3       // times that a mature signal is told of what comes every day
	habitWeekly = 4       // … every week; an outage that comes back once a week is found each time for a month
	habitYoungH = 8 * 24. // hours in which one day is enough: what yesterday brought is the best that is known of today
	habitMore   = 1.5     // × its level: what goes beyond that is news at any time
	habitSkip   = 3       // days: from a Friday to a Monday
	graveMore   = 1.15    // × its distance from what was expected, in the unit
	graveShare  = .4      // of the way to the end of the scale
	graveLong   = 4 * 4   // quarters of an hour
)

// quarterOf returns the quarter of an hour in which a window lies, and its civil day.
func quarterOf(at Moment) (quarter int, day int32) {
	return at.HourOfWeek%24*4 + int(at.HourFrac*4), at.Day
}

// since returns how many days lie between the habit's newest day and another.
func (h *habit) since(day uint8) int { return (int(day) + habitDays - int(h.day)) % habitDays }

// dayOf is the number of a civil day as habits count them.
func dayOf(day int32) uint8 {
	return uint8((day%habitDays + habitDays) % habitDays)
}

// come counts another coming on a day.
func (h *habit) come(day uint8) {
	daily, weekly := h.n&15, h.n>>4
	switch d := h.since(day); {
	case d == 0:
		return
	case d <= habitSkip:
		daily = min(daily+1, 15)
	case d == 7:
		weekly = min(weekly+1, 15)
		daily = 1
	default:
		daily, weekly = 1, 1
	}
	h.n, h.day = daily|weekly<<4, day
}

// known reports whether the habit explains a coming on a day.
func (h *habit) known(day uint8, young bool) bool {
	daily, weekly := uint8(habitDaily), uint8(habitWeekly)
	if young {
		daily = 1
	}
	d := h.since(day)
	if d == 0 { // today's coming does not explain itself
		daily, weekly = daily+1, weekly+1
	}
	return d <= habitSkip && h.n&15 >= daily || (d == 0 || d == 7) && h.n>>4 >= weekly
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
		if h.n == 0 || (h.level > 0) != (l.e > 0) || math.Abs(l.e) > habitMore*math.Abs(float64(h.level))*unit+3*float64(m.sigma) {
			continue
		}
		if p.Grave && m.worse(p, q, l, h) {
			continue
		}
		into, day := now-int(h.at), today
		if into < -habitNear {
			into, day = into+96, today-1
		}
		if into > int(h.long)+habitNear {
			continue
		}
		if h.known(dayOf(day), young) {
			if d := dayOf(day); h.since(d) != 0 && math.Abs(l.e) > math.Abs(float64(h.level))*unit/2 {
				h.come(d)
			}
			return true
		}
	}
	return false
}

// worse reports whether a window that hurts is more than a habit explains.
func (m *Model) worse(p *Params, q *prediction, l *lesson, h *habit) bool {
	side := sideOf(l.e)
	if !p.badSides()[side] {
		return false
	}
	x := q.band.Expected
	far, was := math.Abs(l.v-x), math.Abs(m.x(q.yhat+float64(h.level)*unit)-x)
	if far > graveMore*was+q.effect {
		return true
	}
	end := [2]float64{p.Max, p.Min}[side]
	return finite(end) && far >= graveShare*math.Abs(end-x) && h.long < graveLong
}

// remember takes an alarm that is over for something that may come back.
func (m *Model) remember(p *Params, at Moment) {
	if m.test != PointTest && m.test != ShiftTest || m.state != High && m.state != Low || m.cand == 0 {
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
	d := dayOf(day)
	level := pack(m.cand)
	pick, oldest := -1, -1
	for i := range m.habits {
		h := &m.habits[i]
		apart := (begin - int(h.at) + 96) % 96
		if h.n != 0 && (h.level > 0) == (level > 0) && min(apart, 96-apart) <= habitNear && alike(h.level, level) {
			pick = i
			break
		}
		if age := h.since(d); h.n == 0 || oldest < 0 || m.habits[oldest].n != 0 && age > m.habits[oldest].since(d) {
			oldest = i
		}
	}
	if pick < 0 {
		m.habits[oldest] = habit{level: level, at: uint8(begin), long: uint8(long), day: d, n: 0x11}
		return
	}
	h := &m.habits[pick]
	h.come(d)
	h.level = int16((int(h.level) + int(level)) / 2)
	h.long = max(uint8(long), uint8((int(h.long)+int(long))/2))
}

// alike reports whether two distances to the same side are within a factor of two.
func alike(a, b int16) bool {
	x, y := math.Abs(float64(a)), math.Abs(float64(b))
	return x <= 2*y && y <= 2*x
}

// expects reports whether an hour of the day belongs to a habit that is alive: the profile learns it quickly then.
func (m *Model) expects(hour int) bool {
	young := m.ageH() < habitYoungH
	for i := range m.habits {
		h := &m.habits[i]
		if h.n == 0 || !h.known(dayOf(m.d), young) {
			continue
		}
		if into := (hour*4 + 3 - int(h.at) + 96) % 96; into < int(h.long)+4 {
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
		if h.n == 0 {
			continue
		}
		into, day := now-int(h.at), today
		if into < 0 {
			into, day = into+96, today-1
		}
		if d := dayOf(day); into <= int(h.long)+4*hours && h.since(d) == 0 && h.known(d, young) {
			return true
		}
	}
	return false
}
