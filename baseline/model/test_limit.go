package model

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/ledger"
)

// The drift test of a signal with a limit: it is on its way there, and has not been there before and come back by itself. The least and the most of each
// civil day are kept as shares of the way (package ledger), which no adaptation moves.
//
//	left = (1 - top of the day) / pace of the tops, infinite where the pace falls so that it ends before the limit
//
// It speaks whenever two hours end, of a climb of at least three days of both, that is four times what the days before scatter and the effect of a
// trend, to where the signal does not usually go: once left is within EtaMs, and, unless it is a page, before half of the way is used up, at most
// four weeks ahead. The trends of hours in test_drift.go are quicker, and heed what is usual as well. A climb heeds no budget: it is no chance find.

const (
	halfWay   = .5
	aheadMost = 28. // days
	climbHold = 36  // hours without a climb after which it has ended: one is weighed anew each day
	smoothH   = .25 // hours over which the level is averaged, so that a single window is no top
)

// limited returns where the way to the limit begins, in the signal's unit; ok is false when there is no limit, or the way has no beginning.
func (p *Params) limited() (from float64, ok bool) {
	from = p.Min
	if p.Bad == Down {
		from = p.Max
	}
	return from, p.Mode == Trend && p.Bad != Both && finite(p.Limit) && finite(from) && (p.Limit > from) == (p.Bad == Up) && p.Limit != from && !p.Extremes
}

// walk adds the window to the ledger of a signal with a limit.
func (m *Model) walk(p *Params, l *lesson) {
	from, ok := p.limited()
	if !ok {
		return
	}
	m.smooth += float32(l.dt / (l.dt + smoothH) * (l.y - float64(m.smooth)))
	m.book.See((m.x(float64(m.smooth)) - from) / (p.Limit - from))
}

// leastWay is the effect of a trend as a share of the way to the limit, where the signal now is.
func (m *Model) leastWay(p *Params, from float64) float64 {
	return math.Abs(p.trendEffect(m.x(float64(m.smooth))) / (p.Limit - from))
}

// reached reports whether the signal has often gone as far as x, and come back by itself.
func (m *Model) reached(p *Params, x float64) bool {
	from, ok := p.limited()
	if !ok {
		return false
	}
	reach, ok := m.book.Reach(m.d, m.leastWay(p, from))
	return ok && (x-from)/(p.Limit-from) < reach
}

// fills runs the test.
func (m *Model) fills(p *Params, l *lesson, w *voice) {
	from, ok := p.limited()
	if !ok {
		return
	}
	c := m.book.Climbs(m.d, m.leastWay(p, from))
	if !(c.Pace > 0) {
		return
	}
	now := c.Now
	if h := float64(m.book.Now.High) * ledger.Step; m.book.Now.Low <= m.book.Now.High && h > now {
		now = h
	}
	left := c.Left - (now-c.Now)/c.Pace
	half := !p.Grave && c.Sure && left <= aheadMost && now+c.Pace >= c.From+halfWay*(1-c.From)
	standing := m.state.Alarm() && m.test == DriftTest
	if !standing && !half && left*dayH*hourMs > float64(p.EtaMs) {
		return
	}
	m.driftH, m.spanH = 0, climbHold
	x := from + now*(p.Limit-from)
	m.slope = float32(m.y(x) - m.y(x-c.Pace*(p.Limit-from)))
	w.say(DriftTest, Drifting, 1.01, l.at.T-int64(c.Days*dayH*hourMs))
}
