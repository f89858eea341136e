package model

// Why a judgement is what it is, as data: what each test has, what it wants, and what would end the alarm.

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/tail"
)

// Excuse says why a window beyond its band is not evidence. The zero value is none.
type Excuse uint8

// The excuses. When several hold the first of them is given.
const (
	NoExcuse  Excuse = iota
	GoodSide         // it moves to the side that is not bad
	ByHabit          // it comes back at this time of the day or of the week, and has been told often enough
	ByHour           // these hours usually bring it, or did a week ago
	BySunday         // it is a holiday, and like a Sunday
	ByRegime         // the signal stood there before the level that it has now was adopted
	TooSmall         // it is less than the smallest effect worth a message
	TooBrief         // it has not lasted for as many windows as the rule asks
	Young            // too little has been seen: only what is gross counts
	excuseMax = Young
)

// String returns the excuse's word.
func (e Excuse) String() string {
	return [...]string{"", "good side", "habit", "usual hour", "holiday", "known level", "small", "brief", "young"}[e%(excuseMax+1)]
}

// Why is what a judgement rests on. The zero value says that nothing was weighed.
type Why struct {
	Scores [tests]float32 // by test: how much of what would be an alarm it has, 1 = all. Params.Nats turns it into evidence
	P      float32        // probability of a window as far out, by what the signal itself has shown: of one window, with Params.Extremes of the furthest one within six hours; 1 = usual, 0 = nothing was weighed
	Excuse Excuse         // why a window beyond the band is no evidence
	Hour   uint8          // hour of the week that it was compared with, 0 = Monday 00:00–00:59, civil time
	Strict float32        // Params.Strict with which it was judged, at least 1; 0 = nothing was weighed
	Visits uint8          // how often that hour was seen: of the day, or of the week where the week's shape is in use; saturating
	Clear  Clear          // what would end the alarm that stands; zero when none does
}

// Clear says how an alarm would end: the value within Lower and Upper, for AfterMs. NaN bounds mean that the value alone does not say: a drift has
// ended when no trend has been found for so long, and a standstill with the next value that differs.
type Clear struct {
	Lower, Upper float64
	AfterMs      int64
}

// Nats returns the evidence at which a test's score is 1, in nats; 0 for a test that does not count in nats: a ceiling and an event
// count windows, a trend has several conditions.
func (p *Params) Nats(t Test) float64 {
	switch t {
	case PointTest:
		if p.Extremes {
			return extNews * p.strict()
		}
		return threshold(p)
	case ShiftTest, CountTest:
		return threshold(p)
	case DriftTest:
		if p.Extremes {
			return wanderNews * p.strict()
		}
	case FlatTest:
		if p.Extremes {
			return stillNats(p)
		}
		return threshold(p)
	}
	return 0
}

// leastP is the smallest probability that is told; 0 means that nothing was weighed.
const leastP = 1e-30

// explain fills in what the tests did not.
func (m *Model) explain(p *Params, q *prediction, l *lesson, y *Why) {
	switch {
	case p.Extremes:
		if l.rare > 0 {
			y.P = float32(math.Exp(-l.rare))
		}
	case l.in[above] && l.w > 0:
		y.P = float32(tail.Fast * m.tails[above].Beyond(l.w))
	case l.in[below] && l.w < 0:
		y.P = float32(tail.Fast * m.tails[below].Beyond(-l.w))
	}
	y.P = max(y.P, leastP)
	y.Strict = float32(p.strict())
	y.Hour = uint8(q.how)
	if m.mode == 2 {
		y.Visits = m.weekday[q.how/24]
	} else {
		y.Visits = uint8(m.visits.Of(q.hi))
	}
	if !m.state.Alarm() && (l.out != 0 || math.Abs(l.z) >= usualZ) {
		y.Excuse = m.excuse(p, l)
	}
	if m.state.Alarm() {
		y.Clear = m.clears(p, q)
	}
}

// excuse returns why a window beyond its band, or far from what was expected, is no evidence.
func (m *Model) excuse(p *Params, l *lesson) Excuse {
	side := sideOf(l.e)
	switch {
	case !l.bad[side]:
		return GoodSide
	case l.habit:
		return ByHabit
	case l.usual:
		return ByHour
	case l.rest:
		return BySunday
	case l.known:
		return ByRegime
	case !l.big[side] && m.ageH() < learnH:
		return Young
	case !l.big[side]:
		return TooSmall
	case m.brief(l, side, p.Persist):
		return TooBrief
	}
	return NoExcuse
}

// clears returns what would end the alarm that stands.
func (m *Model) clears(p *Params, q *prediction) Clear {
	c := Clear{math.Inf(-1), math.Inf(1), int64(max(m.recoverH(p)-float64(m.rec), 0) * hourMs)}
	switch m.test {
	case CeilingTest:
		if p.Bad == Down {
			c.Lower = m.mark(p)
		} else {
			c.Upper = p.Ceiling
		}
	case EventTest:
		if p.Bad != Up {
			c.Lower = -p.EffectAbs
		}
		if p.Bad != Down {
			c.Upper = p.EffectAbs
		}
	case FlatTest, CountTest:
		c.Lower, c.Upper = math.NaN(), math.NaN()
	case DriftTest:
		c.Lower, c.Upper = math.NaN(), math.NaN()
		c.AfterMs += int64(max(m.spanH-m.driftH, 0) * hourMs)
	default:
		if m.state != Low {
			c.Upper = q.band.Upper
		}
		if m.state != High {
			c.Lower = q.band.Lower
		}
	}
	return c
}
