package model

// The judge: one window's excuses, the evidence in it, the tests, and what becomes of the alarm. What each test and each excuse is stands in
// a file of its own, test_….go and excuse_….go.

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/trend"
)

// above and below index pairs: the side above what was expected, and the one below.
const above, below = 0, 1

// sideOf is the side on which a distance from what was expected lies.
func sideOf(d float64) int { return int(one(d < 0)) }

// sideState is the state of an alarm on each side.
var sideState = [2]State{High, Low}

// lesson is one window on its way through judge and learn. The zero value has nothing measured.
type lesson struct {
	at Moment
	v  float64 // the value, in the signal's unit
	dt float64 // the window's length, hours

	y, e, z, w float64 // the value on the scale; residual; what of it is beyond the reach, in units of sigma; whitened
	dev        float64 // distance from what was expected, in the signal's unit
	level      float64 // y without its seasonal shape
	apart      float64 // how far the day that this is like, a Sunday, is from its own; 0 where it is its own

	age       float64 // hours learned before
	threshold float64 // nats at which the score is 1
	inflation float64 // what weakens evidence while the law of the tail is young, ≥ 1
	gross     float64 // × the smallest effect that a deviation must reach
	bad       [2]bool // sides that are bad
	big       [2]bool // sides on which the deviation is worth a message
	toEnd     float64 // share of the way from what was expected to the end of the scale on its side; 0 where there is none
	beyond    [2]bool // sides on which it is beyond the band
	out       int     // 1 above the band, -1 below

	usual, regime, habit, rest bool // excuses, see excuse_….go
	known                      bool // any of them
	foreign                    bool // explained, and way out for minutes: a day of another kind, which says nothing of the scatter of this one

	far     [2]bool // all three: beyond, big, and not excused
	in      [2]bool // in a tail of the fast residual
	closed  bool    // a block closed with enough windows:
	bz, bw  float64 // its mean in units of sigma, and in units of its own scatter
	blockIn [2]bool // in a tail of block means
	rare    float64 // Extremes: -ln of the probability of such a deviation within six hours
	hit     bool    // Event: above the effect
	over    bool    // beyond the ceiling
	counted bool    // its events were weighed by their number:
	again   float64 // nats for what is usual
	heard   float64 // score of evidence that only lacks persistence
	suspect bool    // evidence is high: learn little
	why     *Why    // nil when nobody asks
}

// voice is the loudest test of a window, and the score of each where somebody asks. The zero value is silence.
type voice struct {
	score float64
	test  Test
	state State
	onset int64
	by    *[tests]float32
}

// say lets a test speak: the loudest is heard, of two as loud the first.
func (w *voice) say(t Test, s State, score float64, onset int64) {
	if w.by != nil {
		w.by[t] = max(w.by[t], float32(score))
	}
	if score > w.score {
		w.score, w.test, w.state, w.onset = score, t, s, onset
	}
}

// judge weighs one window and moves the alarm. It learns nothing but the evidence. It fills j, which must be zero but for what is not its own to say.
func (m *Model) judge(p *Params, q *prediction, l *lesson, j *Judgement) {
	m.measure(p, q, l)

	// What excuses the window, whatever it weighs: its hours, a level from before, what comes back, a holiday.
	l.usual = m.usual(p, q, l)
	l.regime = m.returned(q, l) || l.out != 0 && m.reached(p, l.v)
	l.habit = !l.usual && !l.regime && !m.state.Alarm() && m.habitual(p, q, l)
	l.rest = m.resting(p, q, l)
	l.known = l.usual || l.regime || l.habit || l.rest
	l.foreign = l.known && q.other(l)

	// Evidence gathers by the window and by the quarter of an hour.
	m.gatherPoint(p, q, l)
	ended := m.roll(p, q, l)
	m.gatherShift(p, q, l)

	// The tests speak.
	var loud, slow voice
	if l.why != nil {
		*l.why = Why{P: 1}
		loud.by, slow.by = &l.why.Scores, &l.why.Scores
	}
	for side := range 2 {
		if l.bad[side] && !m.idles(p) {
			m.point(p, l, side, &loud)
			m.shift(p, l, side, &loud)
		}
	}
	m.extremes(p, q, l, &loud)
	m.event(p, l, &loud)
	m.flat(p, l, &loud)
	m.drift(p, l, ended, &loud)
	m.ceiling(p, l, &loud)
	m.count(p, q, l, &loud)
	l.suspect = max(loud.score, l.heard) > .5 && !l.habit || l.rest
	m.wanders(p, q, l, ended, &slow)

	// What becomes of the alarm.
	j.Band, j.Seasonal, j.Maturity = q.band, m.season(), m.maturity(p)
	j.Transition = m.move(p, q, l, &loud, &slow)
	m.report(p, &loud, &slow, l, j)
	if l.why != nil {
		m.explain(p, q, l, l.why)
	}
}

// measure says of a window what all tests need: how sure one may be, which sides are bad, and on which it is far out.
func (m *Model) measure(p *Params, q *prediction, l *lesson) {
	l.dt = float64(p.StepMs) / hourMs
	l.age = m.ageH()
	l.threshold = threshold(p)
	l.inflation = m.inflation(p, l.age)
	l.gross = max(m.youngGross(p, q, l.age), m.lentGross(p, q, l.age))
	l.bad = p.badSides()
	l.dev = l.v - q.band.Expected
	if q.low < q.high {
		near := clamp(l.v, q.xlo, q.xhi)
		l.dev, q.effect = l.v-near, p.effect(near)
	}
	l.big = q.big(p, l.dev, l.gross)
	if end := p.end(sideOf(l.dev)); finite(end) && end != q.band.Expected {
		l.toEnd = (l.v - q.band.Expected) / (end - q.band.Expected)
	}
	l.beyond = [2]bool{l.z > q.hiZ && l.v > q.band.Upper, l.z < -q.lowZ && l.v < q.band.Lower}
	if l.beyond[above] || l.beyond[below] {
		l.out = 1 - 2*sideOf(l.z)
	}
}

// idles reports whether a signal is usually zero, so that neither its tails nor its quarters of an hour say anything.
func (m *Model) idles(p *Params) bool { return p.Mode == Event && m.hit < .05 }

// report fills what the tests and the alarm say into j.
func (m *Model) report(p *Params, w, slow *voice, l *lesson, j *Judgement) {
	j.Told = p.Extremes && m.state == Drifting && m.mute > wanderTold
	if slow.score >= 1 && slow.score > w.score && !j.Told {
		w = slow
	}
	j.State, j.Test, j.Score = m.state, w.test, w.score
	if m.state.Alarm() {
		j.Test, j.Onset = m.test, m.onset()
		if j.Told {
			j.Score = clamp(j.Score, toldLeast, extHeld) // of what happens meanwhile
		} else {
			j.Score = max(j.Score, 1)
		}
	} else {
		j.Score = min(j.Score, .99) // at 1 there is an alarm, or one ended in this very window
		j.Onset = w.onset
		if m.state == Normal && m.ageH() < learnH {
			j.State = Learning
		}
	}
	j.Count, j.Of = m.counted()
	j.Evidence = j.Score * p.Nats(j.Test)
	if m.state == Drifting || (m.state.Alarm() && m.test == DriftTest) {
		t := trend.Move{Hours: 24, Start: l.level - float64(m.slope), End: l.level}
		j.LimitEta, j.SlopePerDay = m.eta(p, &t)
	}
}

// badState is the state of an alarm on the bad side, High where both are.
func badState(p *Params) State {
	if p.Bad == Down {
		return Low
	}
	return High
}

// threshold returns the evidence in nats at which the score is 1.
func threshold(p *Params) float64 {
	t := 18.
	if p.Threshold > 0 {
		t = p.Threshold
	}
	if p.StepMs > 60_000 {
		t = max(t-math.Log(float64(p.StepMs)/60_000), t/2) // a day has fewer of them to err in
	}
	return t * p.strict()
}

// strict is Strict, where 0 is 1.
func (p *Params) strict() float64 {
	if p.Strict > 0 {
		return p.Strict
	}
	return 1
}

// persist is Persist, at least one window.
func (p *Params) persist() int { return max(p.Persist, 1) }
