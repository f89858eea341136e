package model

import "math"

// The event test: a signal that is usually zero (Mode Event) is not.
//
//	rare  = ln(.2 / h) / ln(.2 / .02) within 0 and 1, h the share of windows with an event: 1 up to one in fifty, 0 from one in five on
//	score = rare · k / Persist, k the windows with an event, less those without one since; no more than rare itself where that is below 1
//
// An event is a window at or above EffectAbs on a bad side. The test speaks in every such window, of the first ones (warm-up) only
// after three uneventful windows. It counts windows and does not heed the budget.

const eventMost = 3. // largest score

// hit reports whether v alone is news for a signal that is usually zero.
func (p *Params) hit(v float64) bool {
	if p.Bad == Down {
		v = -v
	} else if p.Bad == Both {
		v = math.Abs(v)
	}
	return v > 0 && v >= p.EffectAbs
}

// event counts windows with an event, and speaks in them.
func (m *Model) event(p *Params, l *lesson, w *voice) {
	if p.Mode != Event {
		return
	}
	l.hit = p.hit(l.v)
	if !l.hit {
		if m.evHits > 0 {
			m.evHits--
		}
		return
	}
	m.evHits = min(m.evHits+1, 60000)
	rare := clamp(math.Log(.2/max(float64(m.hit), .001))/math.Log(.2/.02), 0, 1)
	score := rare * float64(m.evHits) / float64(p.persist())
	if rare < 1 {
		score = min(score, rare) // common enough to be its habit
	}
	w.say(EventTest, badState(p), min(score, eventMost), l.at.T-int64(m.evHits-1)*p.StepMs)
}
