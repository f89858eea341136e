package model

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/field"
)

// The flatline test: a signal that moves has stopped moving.
//
// A row of k repeats is as likely as the share s of repeats to the power of k (W. Feller, An Introduction to Probability Theory and Its
// Applications, 1950, on runs):
//
//	score = -k ln(2 s) / threshold                     where the pack knows the signal
//	score = k / max(need / -ln s, 2 · longest + 2)     with Params.Extremes, need = 2 + ln(windows of a month)
//
// It speaks after a day, of signals without a good side: there a stuck sensor is the likely cause, while a ratio that rests at its good end is
// merely healthy. The row must be half an hour long and more than three times as long as any that was harmless. With Extremes it speaks of all
// signals, after three repeats. Zeros of a signal that has zeros, and one that hardly moves, are no standstill.

const (
	flatLeastMs = 30 * 60_000 // length of a row, at least
	flatSure    = 2           // nats beyond a month's worth of windows that make a row of repeats news
	flatRow     = 2           // × the longest harmless row
	flatMost    = 2.          // largest score
)

// flat counts the values that repeat, and speaks when they are too many.
func (m *Model) flat(p *Params, l *lesson, w *voice) {
	if field.Likeness(l.v) == m.prevX {
		m.run = min(m.run+1, 60000)
	} else {
		// A row teaches once it is over, or none would ever be longer than those before. One that was an alarm teaches twice what was known.
		if m.state.Alarm() && m.test == FlatTest {
			m.run = min(m.run, 2*m.runMax+3)
		}
		m.runMax = min(max(m.runMax, m.run), 20000)
		m.run = 0
	}
	if p.Extremes {
		m.still(p, l, w)
		return
	}
	if p.Bad != Both || p.Mode == Event || p.Mode == Spread || m.run < 5 || (l.v == 0 && m.p0 > .001) {
		return
	}
	if m.ageH() < 24 || m.run < 3*m.runMax+3 || float64(m.run)*float64(p.StepMs) < flatLeastMs || m.sigma <= 4*minSig {
		return
	}
	same := max(float64(m.same), 1/float64(m.seen))
	m.stands(p, l, float64(m.run)*-math.Log(2*min(same, .5))/l.threshold, w)
}

// still judges values that repeat, of a signal of which nothing is known, on either side: unless the signal has shown rows as long.
func (m *Model) still(p *Params, l *lesson, w *voice) {
	if m.ageH() < learnH || m.run < 3 || l.v == 0 && m.p0 > .001 || m.sigma <= 4*minSig {
		return
	}
	same := clamp(float64(m.same), 1/float64(m.seen), .999)
	need := stillNats(p) / -math.Log(same)
	need = max(need, flatRow*float64(m.runMax)+2)
	m.stands(p, l, float64(m.run)/need, w)
}

// stands speaks of a standstill, on the side of what was expected on which it is.
func (m *Model) stands(p *Params, l *lesson, score float64, w *voice) {
	w.say(FlatTest, sideState[sideOf(l.e)], min(score, flatMost), l.at.T-int64(m.run)*p.StepMs)
}

// stillNats is how rare a row must be, in nats: flatSure beyond all windows of a month.
func stillNats(p *Params) float64 {
	return (flatSure + math.Log(30*dayH*hourMs/float64(p.StepMs))) * p.strict()
}
