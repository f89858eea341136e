package model

// The alarm's life: a test opens it, what the test was about keeps it, the band ends it, or a level that lasts is adopted (adopt.go).

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/ledger"
)

const (
	recoverLeastH = .25 // hours in the band, less what was outside, after which a signal has recovered
	recoverXH     = .1  // the same with Params.Extremes: three windows of a minute
	relapseXH     = 1   // the same after an alarm that followed another one within relapseMs
	relapseMs     = 3 * hourMs
	suddenX       = 4  // whitened residual beyond which something is news while a drift stands: the drift itself goes on slowly
	wanderTold    = 1. // hours for which a drift is news, with Params.Extremes; then it stands, and what happens meanwhile is news
	toldLeast     = .5 // least score while a drift stands that is no news any more
)

// move opens, keeps and ends the alarm.
func (m *Model) move(p *Params, q *prediction, l *lesson, loud, slow *voice) Transition {
	if p.Extremes {
		if m.drifts(p, l, loud, slow) {
			m.end(p)
			return Recovered
		}
		if loud.score < 1 && !m.state.Alarm() && slow.score >= 1 {
			loud = slow
		}
		if m.state == Drifting && loud.score >= 1 && loud.test != DriftTest && math.Abs(l.w) > suddenX {
			m.relapse()
			return m.open(q, l, loud)
		}
	}
	switch {
	case !m.state.Alarm() && loud.score >= 1:
		if p.Extremes {
			m.relapse()
		}
		return m.open(q, l, loud)
	case !m.state.Alarm():
		m.state = Normal
		return m.calm(p, q, l)
	case float64(m.candH) >= acceptedH:
		return m.accepted(p, q, l)
	}
	if m.test == CountTest {
		if m.returns(p, l) {
			return m.recover(p, l.at)
		}
		return m.hold(p, q, l, loud, m.row.Back > 0)
	}
	in := m.within(p, q, l, loud)
	if in {
		m.rec += float32(l.dt)
	} else {
		m.rec = max(m.rec-float32(l.dt), 0)
	}
	if float64(m.rec) >= m.recoverH(p)-l.dt/2 {
		return m.recover(p, l.at)
	}
	was := m.hold(p, q, l, loud, in)
	if was == Stay && m.worsens(p, q, l) {
		return Worsened
	}
	return was
}

// drifts keeps count of a drift of a signal of which nothing is known, and of the time since its last alarm, and reports whether the drift that stands is over.
func (m *Model) drifts(p *Params, l *lesson, loud, slow *voice) (over bool) {
	drifts := m.spanH > 0 && m.driftH < m.spanH
	switch {
	case !drifts:
		m.mute = 0
	case slow.score >= 1 || m.mute > 0:
		m.mute += float32(l.dt) // for how long the drift has stood
	}
	if m.state == Drifting && !drifts && loud.score < 1 {
		return true
	}
	if m.evHits > 0 {
		m.evHits--
	} else if !m.state.Alarm() {
		m.hit = 0
	}
	return false
}

// open begins the alarm that a test speaks of.
func (m *Model) open(q *prediction, l *lesson, w *voice) Transition {
	m.state, m.test = w.state, w.test
	m.begins(w.onset)
	m.rec, m.candH, m.cand, m.candD = 0, 0, float32(l.e), float32(q.sig)
	m.told = ledger.Told{}
	return Opened
}

// within reports whether what the alarm that stands was about is over in this window.
func (m *Model) within(p *Params, q *prediction, l *lesson, w *voice) bool {
	switch m.test {
	case CeilingTest:
		return !l.over
	case FlatTest:
		return m.run == 0
	case EventTest:
		return !l.hit
	case DriftTest:
		return m.driftH >= m.spanH && (l.out == 0 || p.Extremes)
	}
	return l.out == 0 && w.score < 1 && (m.state != High || l.v <= q.band.Upper) && (m.state != Low || l.v >= q.band.Lower)
}

// recover ends an alarm that has been over for long enough.
func (m *Model) recover(p *Params, at Moment) Transition {
	was, onset := m.test, m.onset()
	before := p.Extremes && was != DriftTest && float64(m.mute)*hourMs > float64(at.T-onset) // a drift stood already
	m.remember(p, at)
	if !before && (was == PointTest || was == ShiftTest) {
		m.censor(p, onset)
		m.driftH = driftHMost
	}
	m.end(p)
	if p.Extremes {
		m.evHits = uint16(min(relapseMs/p.StepMs, 60000))
	}
	if before {
		m.state, m.test, m.since = Drifting, DriftTest, seconds(at.T) // what was slow goes on
		return Stay
	}
	if p.Extremes && was != DriftTest {
		m.mute, m.spanH, m.wander = 0, 0, 0
	}
	return Recovered
}

// hold keeps an alarm that goes on, by the name of what it has become, and follows the level at which it stands. in says that this window is within the band.
func (m *Model) hold(p *Params, q *prediction, l *lesson, w *voice, in bool) Transition {
	// What was found as high may turn out to be on its way.
	if w.test == DriftTest && w.score >= 1 && !p.Extremes && (m.test == PointTest || m.test == ShiftTest) {
		m.state, m.test, m.since = Drifting, DriftTest, min(m.since, seconds(w.onset))
	}
	if m.test == DriftTest && m.driftH < m.spanH {
		m.candH = 0
		return Stay
	}
	far := uint16(max(p.Persist, 3))
	switch {
	case m.state == Drifting && l.out > 0 && l.bad[above], m.state == Low && m.streak[above] >= far && l.bad[above]:
		m.state = High // came to rest away from its band; or fell from one side to the other
	case m.state == Drifting && l.out < 0 && l.bad[below], m.state == High && m.streak[below] >= far && l.bad[below]:
		m.state = Low
	}
	if m.test == DriftTest && m.state != Drifting {
		m.test = ShiftTest
	}
	if in {
		m.candH = max(m.candH-3*float32(l.dt), 0) // where it was stays known, for remember
		return Stay
	}
	m.candidate(l, q)
	if m.adopts(p) {
		m.adopt(p, q)
		return Adopted
	}
	return Stay
}

// end closes the alarm and forgets the evidence for it.
func (m *Model) end(p *Params) {
	if m.test == DriftTest && !p.Extremes {
		m.mute = 2 * m.spanH
	}
	if m.test == CountTest && !(p.Grave && p.shares() && m.row.Count >= graveShare*m.row.Of) {
		m.row.Told(max(threshold(p), 2*float64(m.row.Most)))
	}
	m.row.Drop()
	m.state, m.test, m.since = Normal, NoTest, 0
	m.rec, m.candH = 0, 0
	m.evHits = 0
	m.streak = [2]uint16{}
	m.g = 0
	for i := range m.tails {
		m.tails[i].Nats = 0
	}
}

// relapse notes that an alarm begins within three hours after another one ended: the next must be quiet for longer to be over.
func (m *Model) relapse() {
	if m.evHits > 0 {
		m.hit = 1
	}
}

// recoverH is for how long, in hours, a signal must be in its band to have recovered.
func (m *Model) recoverH(p *Params) float64 {
	least := recoverLeastH
	switch {
	case m.test == CeilingTest && m.flags&flagWarm == 0: // a fact is over as soon as it began: there is no band yet to which the value must return
		least = float64(p.persist()) * float64(p.StepMs) / hourMs
	case p.Extremes && m.hit > 0:
		least = relapseXH
	case p.Extremes:
		least = recoverXH
	}
	return max(least, 2*float64(p.StepMs)/hourMs)
}

// quarantined reports whether what is seen must not become normal. A drift of a signal of which nothing is known is judged by its days of
// the last weeks, which no learning can hide.
func (m *Model) quarantined(p *Params) bool {
	return m.state.Alarm() && !(p.Extremes && m.test == DriftTest)
}

// onset is when the alarm that stands began, Unix ms.
func (m *Model) onset() int64 { return int64(m.since) * 1000 }

// begins notes that an alarm began at t, Unix ms, or with the first window.
func (m *Model) begins(t int64) { m.since = max(seconds(t), m.first) }

// warmAlarm is move for windows before warm-up ends: only a ceiling or an event may open an alarm.
func (m *Model) warmAlarm(p *Params, l *lesson, w *voice, j *Judgement) {
	switch {
	case !m.state.Alarm() && w.score >= 1:
		m.state, m.test, m.rec = w.state, w.test, 0
		m.begins(w.onset)
		j.Transition = Opened
	case !m.state.Alarm():
	case m.test == CountTest:
		if m.returns(p, l) {
			m.end(p)
			m.state, j.Transition = Learning, Recovered
		}
	case m.test == EventTest && l.hit, m.test != EventTest && l.over:
		m.rec = 0
	default:
		m.rec += float32(l.dt)
		if float64(m.rec) >= m.recoverH(p)-l.dt/2 {
			m.state, m.test, m.since, m.rec, m.evHits = Learning, NoTest, 0, 0, 0
			j.Transition = Recovered
		}
	}
	j.State, j.Test = m.state, m.test
	if m.state.Alarm() {
		m.standing(p, j, l.why)
	}
}

// standing fills into j the alarm that stands in a window that was not judged otherwise.
func (m *Model) standing(p *Params, j *Judgement, why *Why) {
	j.Score, j.Test, j.Onset, j.Evidence = 1, m.test, m.onset(), p.Nats(m.test)
	j.Count, j.Of = m.counted()
	if why != nil {
		why.Clear = m.clears(p, &prediction{band: j.Band})
	}
}
