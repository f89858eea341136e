package model

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/extreme"
	"github.com/wrackline/wrackline/baseline/model/trend"
)

// The test of wandering: where a signal of which nothing is known (Params.Extremes) has been for six hours, against the same hours of the five
// days before. It is the drift test of such signals.
//
//	d     = median over the hours of (value - median of that hour on the days before)
//	score = r(|d|) / 3 / Strict, r by the largest distances of past days, see package extreme
//
// Once the week's shape is much better than the day's, d is the distance from that, and the law begins anew.
//
// It speaks of the bad side, after five days of a law, when an hour ends; the score stands until the next hour does. Less than the effect of
// a trend comes to .95 at most. Signals that are often zero have no level that could wander, and what a habit brought is no wandering.

const (
	wanderHours  = 6    // hours that say where the signal is
	wanderDays   = 5    // days before it that say where it should be
	wanderNews   = 3    // -ln of the probability per day at which the distance is news
	wanderLaw    = 5    // days of a law that may raise an alarm
	wanderHold   = 4    // hours without a strong distance after which a drift has ended
	wanderWeekly = 0x80 // bit of extN[5]: the law is of distances from the week's shape
	wanderZero   = .2   // share of zeros above which a signal has no level that could wander
	wanderMost   = 100. // largest score
)

// wanders judges where the signal has been when an hour ended, and says what the newest such judgement said.
func (m *Model) wanders(p *Params, q *prediction, l *lesson, ended ends, w *voice) {
	if !p.Extremes {
		return
	}
	if ended.mid {
		m.wander = m.strays(p, q, l, m.wanderLaw())
	}
	if m.wander > 0 {
		w.say(DriftTest, Drifting, float64(m.wander), l.at.T-wanderHours*hourMs)
	}
}

// wanderLaw says whether distances are from the week's shape, and closes the law's day.
func (m *Model) wanderLaw() (weekly bool) {
	x := &m.ext[5]
	// Where days differ much the week's shape says where the signal should be, and the law begins anew.
	weekly = m.extN[5]&wanderWeekly != 0
	if m.mode == 2 && !weekly && m.err[2] < .5*m.err[1] || weekly && (m.mode != 2 || m.err[2] > .8*m.err[1]) {
		weekly = !weekly
		*x, m.extN[5] = extreme.Law{}, m.extN[5]&wanderWeekly^wanderWeekly
	}
	if m.q%24 == 0 {
		rate := 1.
		if m.state.Alarm() {
			rate = .1
		}
		m.extN[5] = min(x.Close(m.extN[5]&^wanderWeekly, rate), wanderWeekly-1) | m.extN[5]&wanderWeekly
	}
	return weekly
}

// strays returns the score of the hour that ended, 0 when there is none, and keeps a drift that stands alive.
func (m *Model) strays(p *Params, q *prediction, l *lesson, weekly bool) float32 {
	ref, d, far, ok := m.whereabouts(q.how, weekly)
	if !ok {
		return 0
	}
	x, n := &m.ext[5], m.extN[5]&^wanderWeekly
	r := x.Rare(math.Abs(d), n)
	x.See(math.Abs(far))
	s := sideOf(d)
	if n < wanderLaw || !l.bad[s] || !(r > 0) || m.p0 >= wanderZero || m.came(l.at, wanderHours) {
		return 0
	}
	score := r / p.Nats(DriftTest)
	if effect := p.trendEffect(ref); math.Abs(d) < effect {
		score = min(score*math.Abs(d)/effect, extHeld)
	}
	if score > weakTrend {
		m.slope = 0 // where to is not known
		m.driftH, m.spanH = 0, wanderHold
	}
	return float32(min(score, wanderMost))
}

// whereabouts returns the median of the last hours' distances from the same hours of the days before, and of what was expected in them. weekly asks
// for distances from the week's shape instead; where that is in use, but not much better, each hour's distance is the smaller of both. far is
// the distance that the law is to be told of. how is the newest hour's place in the week.
func (m *Model) whereabouts(how int, weekly bool) (ref, d, far float64, ok bool) {
	var ds, rs, fs [wanderHours]float64
	n := 0
	ring := &m.rings
	for k := range int32(wanderHours) {
		i := m.q - k
		if i < 0 || ring[i%int32(len(ring))] == hole {
			continue
		}
		var past [wanderDays]float64
		np := 0
		for day := range int32(wanderDays) {
			if h := i - 24*(day+1); h >= 0 {
				if c := ring[h%int32(len(ring))]; c != hole {
					past[np] = float64(c) * unit
					np++
				}
			}
		}
		if np < 3 {
			continue
		}
		x := m.x(float64(ring[i%int32(len(ring))]) * unit)
		rs[n] = m.x(trend.Median(past[:np]))
		fs[n] = x - rs[n]
		if h := (how + 168 - int(k)) % 168; m.mode > 0 && m.byWeek[h] != noCell {
			week := m.x(float64(m.byHour[h%24])*unit + float64(m.byWeek[h])*float64(m.weekUnit))
			if weekly || math.Abs(x-week) < math.Abs(x-rs[n]) {
				rs[n] = week
			}
			if weekly {
				fs[n] = x - week
			}
			if c := m.byWeek[144+h%24]; c != noCell && m.weekday[6] >= restSundays { // holidays are Sundays
				if rest := m.x(float64(m.byHour[h%24])*unit + float64(c)*float64(m.weekUnit)); math.Abs(x-rest) < math.Abs(x-rs[n]) {
					rs[n] = rest
				}
			}
		}
		ds[n] = x - rs[n]
		n++
	}
	if n < wanderHours-2 {
		return 0, 0, 0, false
	}
	return trend.Median(rs[:n]), trend.Median(ds[:n]), trend.Median(fs[:n]), true
}
