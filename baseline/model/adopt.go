package model

// How a level that lasts becomes the signal's: followed while an alarm stands, or while the signal is off to its good side, and adopted, visibly, when it
// has been steady for long enough or a person says so.

const (
	adoptH     = 30. // hours at a steady level after which it is adopted: longer than what a day brings and takes away
	adoptToldH = 6.  // the same where a rollout explains it and no side is bad
	acceptedH  = 1e6 // … that a person accepted: more than any alarm lasts
)

// Accept takes the level at which an alarm stands for the new normal, as a person says it is: the next window adopts it. It reports false when no alarm stands that is about a level.
func (m *Model) Accept() bool {
	if !m.state.Alarm() || !m.adoptable() || m.flags&flagWarm == 0 {
		return false
	}
	m.candH = acceptedH
	return true
}

// accepted adopts the level that a person accepted.
func (m *Model) accepted(p *Params, q *prediction, l *lesson) Transition {
	if m.test == DriftTest || m.cand == 0 {
		m.cand, m.candD = float32(l.e), float32(q.sig)
	}
	m.candH = 0
	m.adopt(p, q)
	return Adopted
}

// calm follows a signal without an alarm: a move to the good side is none, but it is not followed at once either; it is adopted once it has lasted. What an excuse explains is no such
// move: a weekend that the week's hours know would else be the level by its second evening.
func (m *Model) calm(p *Params, q *prediction, l *lesson) Transition {
	if l.out == 0 {
		m.candH = max(m.candH-2*float32(l.dt), 0)
		return Stay
	}
	if l.known {
		return Stay
	}
	m.candidate(l, q)
	if float64(m.candH) < adoptH {
		return Stay
	}
	m.adopt(p, q)
	return Adopted
}

// adopts reports whether the level at which an alarm stands has been steady for long enough to be the signal's, and may be.
func (m *Model) adopts(p *Params) bool {
	least := adoptH
	if p.Explained && p.Bad == Both {
		least = adoptToldH
	}
	if float64(m.candH) < least || !m.adoptable() {
		return false
	}
	good := p.Bad == Up && m.cand < 0 || p.Bad == Down && m.cand > 0
	return p.Bad == Both || good || p.Explained || m.lent&lentLevel != 0 && m.Borrowed() > 0
}

// adoptable reports whether the alarm that stands is about a level: a fixed mark stays, and what is usually zero.
func (m *Model) adoptable() bool { return m.test != CeilingTest && m.test != EventTest }

// candidate follows the level at which the signal now stands, and for how long it has been steady.
func (m *Model) candidate(l *lesson, q *prediction) {
	r := float32(l.dt / (l.dt + 3))
	if m.candH == 0 {
		m.cand, m.candD = float32(l.e), float32(q.sig)
	}
	d := float32(l.e) - m.cand
	lim := 4 * max(m.candD, float32(q.sig))
	if d > lim || d < -lim {
		m.candH = max(m.candH-3*float32(l.dt), 0)
	} else {
		m.candH += float32(l.dt)
	}
	m.cand += r * min(max(d, -lim), lim)
	if d < 0 {
		d = -d
	}
	m.candD += r * (min(1.2533*d, 2*lim) - m.candD)
}

// adopt makes the candidate the level; the old one is remembered, see excuse_regime.go.
func (m *Model) adopt(p *Params, q *prediction) {
	if m.test == FlatTest { // so it stands still at times; a row twice as long is news again
		m.runMax, m.run = min(max(m.runMax, m.run), 20000), 0
	}
	// The shape of the day moves as a whole: left to its hours, each would follow at its next visits, and a day of which half has moved looks like
	// a trend for a week. What is busier is so by a factor, which is another distance at night than at noon.
	d := m.cand
	m.off[0] += d
	switch {
	case m.flags&flagReady == 0:
		m.off[1] += d
		m.off[2] += d
	case m.mode > 0 && m.stretch(q):
		was := m.mean
		m.setMean()
		d = m.mean - was
	default:
		for h := range m.byHour {
			m.byHour[h] = pack(float32(m.byHour[h])*unit + d)
		}
		m.setMean()
	}
	m.quick += m.cand
	now := q.yhat - q.shape + float64(d)
	m.moved(d, m.last, q.sig)
	m.sigma = max(m.sigma, min(m.candD, 3*m.sigma))
	m.carry(p, d, now, m.last-m.onset())
	if p.Extremes {
		m.end(p)
	} else {
		m.end(&Params{}) // without muting what drifts later
	}
	m.cand, m.candD = 0, 0
}

// stretch multiplies the shape of the day and the week by the factor by which the candidate is above the prediction. It reports false, and does nothing,
// where values are not all positive.
func (m *Model) stretch(q *prediction) bool {
	x0, x1 := m.x(q.yhat), m.x(q.yhat+float64(m.cand))
	for _, c := range m.byHour {
		if c <= 0 {
			return false
		}
	}
	f := x1 / x0
	if !(x0 > 0 && f > .02 && f < 50) {
		return false
	}
	was := m.byHour
	for h, c := range was {
		m.byHour[h] = pack(float32(m.y(f * m.x(float64(c)*unit))))
	}
	for k, c := range m.byWeek {
		if c == noCell {
			continue
		}
		y := float64(was[k%24])*unit + float64(c)*float64(m.weekUnit)
		m.setCell(k, float32(m.y(f*m.x(y)))-float32(m.byHour[k%24])*unit)
	}
	return true
}
