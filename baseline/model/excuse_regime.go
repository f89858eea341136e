package model

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/field"
)

// Excuse: the signal stood there before the level that it has now was adopted. A leader that is elected away, a pool that is resized every other week: each new
// level is told, lasts, and is adopted as an event; a return to one that is remembered is no news.
//
// A level is remembered for four weeks, at most two of them, the lowest and the highest. A window is excused within three sigmas, four of that level's own, or a quarter of the way, of
// one, and once there are two anywhere between them and the present level. A return that lasts for two hours makes it the level.

const (
	regimeDays  = 28. // days for which a level is remembered after it was adopted or left
	regimeNear  = 3.  // sigmas within which it is that level, or …
	regimeOwn   = 4.  // sigmas as that level scattered, of which a few hundred windows pass until it is the level, or …
	regimeShare = .25 // of the way to it: a larger level scatters more
	regimeDwell = 2   // hours after which a return to it is one
)

// formerly returns the remembered level near a distance from the present one, and how it scattered, as a field.Scale. Once two are remembered, what lies between all of them is
// known too, as the level itself; a signal without a bad side that was seen to move to and fro is then silent within its range, and not beyond.
func (m *Model) formerly(e float64, sig float64) (level float64, scatter uint8, ok bool) {
	if m.altEnd == 0 {
		return 0, 0, false
	}
	lo, hi := 0., 0.
	both := m.alt[0] != 0 && m.alt[1] != 0
	for i, a := range m.alt {
		y := float64(a) * unit
		near := max(regimeNear*sig, regimeShare*math.Abs(y))
		if c := m.altSig[i]; c != 0 {
			near = max(near, regimeOwn*field.ScaleOf(c))
		}
		if a != 0 && math.Abs(e-y) < near {
			return y, m.altSig[i], true
		}
		lo, hi = min(lo, y), max(hi, y)
	}
	return e, 0, both && e > lo && e < hi
}

// returned reports whether a window that is off is where the signal stood before.
func (m *Model) returned(q *prediction, l *lesson) bool {
	_, _, known := m.formerly(l.e, q.sig)
	return known && l.e != 0
}

// moved notes that the level has moved by d: what was the level is remembered, and how it scattered. Of more than two levels the lowest and the highest are.
func (m *Model) moved(d float32, at int64, sig float64) {
	was := -float64(d)
	lo, hi := was, was
	var scatter [2]uint8
	scatter[0], scatter[1] = field.Scale(m.sigma), field.Scale(m.sigma)
	for i, a := range m.alt {
		y := float64(a)*unit - float64(d)
		if a == 0 || math.Abs(y) <= regimeNear*sig { // none, or the level now
			continue
		}
		if y < lo {
			lo, scatter[0] = y, m.altSig[i]
		}
		if y > hi {
			hi, scatter[1] = y, m.altSig[i]
		}
	}
	m.alt, m.altSig = [2]int16{pack(float32(lo)), 0}, [2]uint8{scatter[0], 0}
	if hi != lo {
		m.alt[1], m.altSig[1] = pack(float32(hi)), scatter[1]
	}
	m.altEnd = seconds(at + regimeDays*dayH*hourMs)
}

// regime forgets levels that are long past, and takes a lasting return to one for the level.
func (m *Model) regime(p *Params, q *prediction, l *lesson) {
	if seconds(l.at.T) >= m.altEnd {
		m.alt, m.altSig, m.altEnd = [2]int16{}, [2]uint8{}, 0
		return
	}
	if m.state.Alarm() {
		return
	}
	level, scatter, ok := m.formerly(l.e, q.sig)
	if ok && math.Abs(l.e) > 2*q.sig && !l.usual { // the weekend is no regime
		m.rec += float32(l.dt)
	} else {
		m.rec = max(m.rec-2*float32(l.dt), 0)
	}
	if m.rec >= regimeDwell {
		for k := range m.off {
			m.off[k] += float32(level)
		}
		m.quick += float32(level)
		m.moved(float32(level), l.at.T, q.sig)
		if scatter != 0 { // a level that is back scatters as it did
			m.sigma = float32(field.ScaleOf(scatter))
		}
		if p.Extremes { // trends know a step when they see one
			m.carry(p, float32(level), q.yhat-q.shape+level, int64(regimeDwell*hourMs))
		}
		m.rec = 0
	}
}

// carry moves the past in the rings along with the level, which moved by d to now some ms ago, so that the step is no trend. What was near the new level already stays.
func (m *Model) carry(p *Params, d float32, now float64, agoMs int64) {
	near := math.Abs(float64(d)) / 2
	if !p.Extremes {
		for _, ring := range [...][]int16{m.r1d(), m.r2h(), m.r15()} {
			for i, c := range ring {
				if c != hole && math.Abs(float64(c)*unit-now) > near {
					ring[i] = pack(float32(c)*unit + d)
				}
			}
		}
		return
	}
	m.wander = 0
	for h, n := max(m.q-int32(len(m.rings)), 0), m.q-int32(agoMs/hourMs); h < n; h++ {
		c := &m.rings[h%int32(len(m.rings))]
		if *c != hole && (m.mode != 0 || math.Abs(float64(*c)*unit-now) > near) {
			*c = pack(float32(*c)*unit + d)
		}
	}
}
