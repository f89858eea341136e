package model

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/ring"
	"github.com/wrackline/wrackline/baseline/model/trend"
)

// The drift test: a trend over hours, days or weeks of the seasonally adjusted level, of signals that a pack knows.
//
//	score = min(z / zMin, |balance| / 2.5 sd, change / least, change / smallest effect) / Strict
//
// over windows of the three rings, where z is the deviate of the Theil–Sen slope and the balance that of Mann and Kendall, both with the residuals'
// autocorrelation; see trend.go for the formulas and their sources.
//
// It speaks when a cell of a ring ends, of a trend in a bad direction which, where EtaMs is set, reaches Limit within that. Seasonal signals
// wait for nine days; after a drift has ended none is news for a while. A trend of weakTrend keeps a drift that stands alive. Signals of mode Event
// and Spread have no trends; with Params.Extremes wanders speaks instead.

// What makes a trend news, besides its direction.
const (
	// Strength of evidence, as a normal deviate. A signal is tested about twelve times a day; 5.3 allows 1e5 signals one chance
	// find a week if residuals were normal. Windows of weeks are tested once a day, so they may be less strict.
	zHours, zWeeks = 5.3, 4.8
	// Least change over the window, in standard deviations of hourly residuals: short windows see wander, long ones do not.
	sdHours, sdDays, sdWeeks = 3, 2.2, 1.2
	// Least change over the window, as a share of the smallest effect: a trend is to be found before it is at its end.
	trendShare = .5
	// A test that comes to this share of what is news keeps a drift standing.
	weakTrend = .6
	// Hours for which a drift is remembered as not found.
	driftHMost = 1e4
)

// drift runs the test on the rings that have news, and keeps track of the drift that stands.
func (m *Model) drift(p *Params, l *lesson, ended ends, w *voice) {
	m.driftH = min(m.driftH+float32(l.dt), driftHMost)
	if p.Extremes {
		return
	}
	if m.mute > 0 {
		m.mute = max(m.mute-float32(l.dt), 0)
	}
	ended.fine = ended.fine && (m.b%4 == 3 || ended.mid) // once in four blocks: a drift takes hours, and the test is the dearest thing here
	if !ended.fine && !ended.mid && !ended.day {
		return
	}
	if ended.mid || ended.day {
		m.fills(p, l, w)
	}
	t := m.driftTest(p, l.at, ended)
	if t.Strength < weakTrend || t.PerHour == 0 || m.reached(p, m.x(float64(m.smooth))) {
		return
	}
	up := t.PerHour > 0
	if up && !l.bad[above] || !up && !l.bad[below] {
		return
	}
	standing := m.state.Alarm() && m.test == DriftTest
	if standing && (m.slope > 0) != up {
		return
	}
	ms, _ := m.eta(p, &t)
	if !standing && p.EtaMs > 0 && finite(p.Limit) && (ms == 0 || ms > p.EtaMs) {
		return
	}
	if !standing && m.mute > 0 {
		return
	}
	m.driftH = 0
	if !standing || t.Strength >= p.strict() {
		m.slope = float32(t.PerHour * 24)
		m.spanH = float32(clamp(t.Hours/3, 4, 72))
	}
	w.say(DriftTest, Drifting, t.Strength/p.strict(), l.at.T-int64(t.Since*hourMs))
}

// driftTest tests for a trend in all windows for which there is enough, after the cell of a ring closed.
// Seasonal signals wait nine days for windows of less than a week: a shape not yet known looks like a trend.
func (m *Model) driftTest(p *Params, at Moment, ended ends) (best trend.Move) {
	if p.Mode == Event || p.Mode == Spread {
		return best
	}
	h := m.ageH()
	block, midMs := ring.Lengths(p.StepMs)
	wait := 9 * dayH
	switch {
	case p.Season == NoSeason:
		wait = 0
	case p.Season == Daily:
		wait = 4 * dayH
	}
	if m.mode == 2 && m.weekday[int(phase(p, at))/24] < 2 {
		ended.fine, ended.mid = false, false // a weekday seen once is half known, and what its shape lacks looks like a slow move
	}
	if ended.fine && h >= wait {
		best.OrStronger(m.trendOf(p, at, m.r15(), m.b, 48, float64(block)/hourMs, zHours, sdHours))
	}
	if ended.mid && h >= wait {
		best.OrStronger(m.trendOf(p, at, m.r2h(), m.q, 24, float64(midMs)/hourMs, zHours, sdDays))
		best.OrStronger(m.trendOf(p, at, m.r2h(), m.q, 48, float64(midMs)/hourMs, zHours, sdDays))
	}
	if _, limited := p.limited(); ended.day && !limited {
		if p.Season == NoSeason || p.Season == Daily {
			best.OrStronger(m.trendOf(p, at, m.r1d(), m.d-1, 10, 24, zWeeks, sdWeeks))
		}
		for _, n := range [...]int{14, 21, 28} {
			best.OrStronger(m.trendOf(p, at, m.r1d(), m.d-1, n, 24, zWeeks, sdWeeks))
		}
	}
	return best
}

// trendEffect returns the smallest change over a window, from x, that counts as a trend.
func (p *Params) trendEffect(x float64) float64 {
	return trendShare * max(p.EffectAbs, p.EffectRel*math.Abs(x))
}

// eta returns the milliseconds until Limit at the trend's slope in the signal's unit, 0 when it does not lead there.
func (m *Model) eta(p *Params, t *trend.Move) (ms int64, perDay float64) {
	x0, x1 := m.x(t.Start), m.x(t.End)
	if t.Hours <= 0 {
		return 0, 0
	}
	perHour := (x1 - x0) / t.Hours
	if !finite(perHour) {
		return 0, 0
	}
	if finite(p.Limit) && perHour != 0 {
		h := (p.Limit - x1) / perHour
		if h > 0 && h < 24*3650 {
			ms = max(1, int64(h*hourMs))
		}
	}
	return ms, perHour * 24
}
