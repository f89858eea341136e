package model

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/tail"
)

// The point test: windows far outside the tail of what the signal usually does.
//
// Each window gives ln of a bet whose mean is 1 while the law of the tail holds (tail.nats); the sum, which never falls below zero, is the
// evidence, and its share of the threshold the score:
//
//	m ← clamp(m + ln bet, 0, 3 · threshold)      score = m / (threshold · temper)
//
// Sums that restart at zero: E. S. Page, Continuous inspection schemes, 1954. Bets as evidence: G. Shafer, Testing by betting, 2021.
//
// It speaks of every bad side that has evidence, and is heard in full once Persist windows in a row were beyond the band by more than
// the smallest effect. There is a floor under shares, which no law of the tail can lift: two fifths of the way from what is expected to the bad end of the
// scale is told whatever the evidence, once a row is too long (see shift), where somebody is hurt once it has Persist windows more than twice the longest that was harmless. With Params.Extremes it gathers evidence and is silent: extremes speaks instead.

// capFast is nats of one window, unless Persist asks for less than two: no single window reaches a threshold of 18.
const capFast = 10

// gatherPoint adds the window's evidence, whitened, for each side, and counts the windows beyond the band: one less for each
// within it, so that what comes and goes adds up where it is there for most of the time. A deviation below
// the smallest effect, and one that is excused, is never evidence.
func (m *Model) gatherPoint(p *Params, q *prediction, l *lesson) {
	// No window counts for more than what so many windows can know of its rarity. Where few windows must suffice each may count for more.
	n, persist := m.weight(priorRarity), float64(p.persist())
	most := min(max(capFast, 1.1*l.threshold/persist), (1+1/persist)*math.Log(n))
	var nats [2]float64
	nats[above], l.in[above] = m.tails[above].Bet(l.w, tail.Fast, m.flags&flagPrevUp != 0, most, l.inflation)
	nats[below], l.in[below] = m.tails[below].Bet(-l.w, tail.Fast, m.flags&flagPrevDn != 0, most, l.inflation)
	if l.v == 0 && m.p0 > .005 {
		// Zero is an atom: its own probability speaks, not the tail's.
		share := float64(m.p0)
		if m.flags&flagZero != 0 {
			share = float64(m.p00)
		}
		for side := range nats {
			nats[side] = min(nats[side], min(math.Log(.5/clamp(share, .005, .999)), most))
		}
	}
	for side := range nats {
		if nats[side] > 0 && (!l.big[side] || l.known) {
			nats[side] = tail.NothingFast
		}
		m.tails[side].Add(nats[side], l.at.T, 3*l.threshold)
		if l.far[side] = l.beyond[side] && l.big[side] && !l.known; l.far[side] {
			if m.streak[side] == 0 {
				m.lean = int8(math.Round(clamp(q.beta*q.g/leanUnit, -127, 127)))
			}
			m.streak[side] = min(m.streak[side]+1, 60000)
		} else {
			if !m.state.Alarm() {
				m.stay[side] = max(m.stay[side], m.streak[side])
			}
			m.streak[side] = min(m.streak[side], uint16(min(2*p.persist(), 60000)))
			m.streak[side] -= min(m.streak[side], 1)
			if l.known {
				m.streak[side] = 0
			}
		}
	}
}

// point says how much evidence the windows of a side give.
func (m *Model) point(p *Params, l *lesson, side int, w *voice) {
	if p.Extremes {
		return
	}
	score, t := 0., &m.tails[side]
	if t.Nats > 0 {
		score = float64(t.Nats) / (l.threshold * t.Temper(dayH/l.dt))
	}
	l.heard = max(l.heard, score)
	w.say(PointTest, sideState[side], m.unlessBrief(p, l, side, score), int64(t.On)*1000)
	if row := m.streak[side]; l.far[side] && p.isShare() && l.toEnd >= graveShare {
		need := m.tooLong(p, side)
		if p.Grave {
			need = float64(p.persist()) + 2*float64(m.stay[side])
		}
		w.say(PointTest, sideState[side], min(float64(row)/need, 1.01), l.at.T-int64(row-1)*p.StepMs)
	}
}

// isShare reports whether the signal is bounded on both sides.
func (p *Params) isShare() bool { return finite(p.Min) && finite(p.Max) && p.Min < p.Max }
