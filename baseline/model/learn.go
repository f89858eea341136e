package model

// What a window teaches, once it has been judged.

import "math"

// Time constants, in hours, with reasons: the level follows slower than an incident and faster than a week; the correction of
// a seasonal profile follows half a day, so that a warm day is not an incident; scales need days to be worth their name.
const (
	tauLevel = 48
	tauCorr  = 12
	tauSigma = 72
	tauSkill = 72
	tauWhite = 24
	tauFast  = 8. / 60

	streakLasts = 3 // windows beyond the band that are no single values any more
)

// learn takes the window in. While an alarm stands everything is learned at a fiftieth: a 24-h incident then moves
// the level by less than a tenth of sigma; while suspicion is high, at a fifth.
func (m *Model) learn(p *Params, at Moment, v float64, q *prediction, l *lesson) {
	dt := float64(p.StepMs) / hourMs
	alarm := m.quarantined(p)
	r := 1.
	switch {
	case alarm || m.candH > 1: // also a lasting move to the good side, which is adopted in the end
		r = quiet
	case l.suspect:
		r = .2
	}
	n, nt, own := m.weight(priorWeight), m.weight(priorRarity), float64(m.seen)

	// Tails of the fast residual. They learn nothing in quarantine: even a fiftieth of a day outside the band, taken as
	// the tail's habit, would widen the band until the alarm, or the move to the good side, seems over.
	rt := r
	if r == quiet {
		rt = 0
	}
	pu, pd := m.flags&flagPrevUp != 0, m.flags&flagPrevDn != 0
	m.tails[0].learn(l.w, alphaFast, l.inUp, pu, nt, rt)
	m.tails[1].learn(-l.w, alphaFast, l.inDn, pd, nt, rt)
	m.setFlag(flagPrevUp, l.inUp)
	m.setFlag(flagPrevDn, l.inDn)
	if l.closed {
		blockMs, _ := ringMs(p.StepMs)
		nb := nt * float64(p.StepMs) / float64(blockMs)
		m.tails[2].learn(l.bw, alphaBlock, l.bInUp, m.flags&flagPrevBUp != 0, nb, rt)
		m.tails[3].learn(-l.bw, alphaBlock, l.bInDn, m.flags&flagPrevBDn != 0, nb, rt)
		m.setFlag(flagPrevBUp, l.bInUp)
		m.setFlag(flagPrevBDn, l.bInDn)
		rb := r * max(float64(blockMs)/hourMs/tauSigma, 1/(nb+10))
		m.vb += float32(rb * (min(l.bz*l.bz, 9*float64(m.vb)) - float64(m.vb)))
		m.vb = max(m.vb, 1e-3)
	}

	// Zeros, hits, repeats.
	rz := max(1/(n+30), dt/tauSigma)
	zero := 0.
	if v == 0 {
		zero = 1
	}
	if m.flags&flagZero != 0 {
		m.p00 += float32(r * rz * (zero - float64(m.p00)))
	}
	m.p0 += float32(r * rz * (zero - float64(m.p0)))
	m.setFlag(flagZero, v == 0)
	if p.Mode == Event {
		h := 0.
		if l.hit {
			h = 1
		}
		m.hit += float32(r * max(1/(n+30), dt/(7*dayH)) * (h - float64(m.hit)))
	}
	eq := 0.
	if likeness(v) == m.prevX {
		eq = 1
	}
	if !alarm || m.test != FlatTest {
		m.same += float32(r * max(1/(n+2), dt/(7*dayH)) * (eq - float64(m.same)))
	}
	m.prevX = likeness(v)

	// Predictors: every one is moved, so that the one in use can be replaced.
	sig := max(float64(m.sigma), minSig)
	ready := m.rhythm(p)
	for k := range m.off {
		if k > 0 && !ready {
			break
		}
		if k == 2 && m.byWeek[q.how] == noCell {
			break // the week has no opinion of an hour that it never saw
		}
		tau := float64(tauCorr)
		if k == 0 {
			tau = tauLevel
		}
		rate := dt / tau
		if k == 0 || m.lent != 0 {
			rate = max(rate, 1/(own+1)) // a level is never borrowed for long
		}
		ek := l.y - q.p[k]
		m.off[k] += float32(r * min(rate, .5) * clamp(ek, -1.5*sig, 1.5*sig))
		if k == 0 {
			// Skill is measured against a level as quick as the profiles' corrections: a slow one is beaten by any profile while
			// the signal drifts, and a change of shape would then hide the drift.
			ek = l.y - float64(m.quick)
			m.quick += float32(r * min(max(dt/tauCorr, 1/(own+1)), .5) * clamp(ek, -1.5*sig, 1.5*sig))
		}
		if ready {
			rs := max(dt/tauSkill, dt/(float64(m.errH)+dt))
			m.err[k] += float32(r * min(rs, 1) * (min(math.Abs(ek), 8*sig) - float64(m.err[k])))
		}
	}
	if ready && !alarm {
		m.errH += float32(dt)
	}
	rs := max(dt/tauSigma, 1/(n+10))
	f := q.sig / sig
	m.sigma += float32(r * rs * (1.2533*min(math.Abs(l.e)/f, 3*sig) - float64(m.sigma)))
	m.sigma = max(m.sigma, minSig/4)

	// Whitening.
	rw := r * max(dt/tauWhite, 1/(n+50))
	zc := clamp(l.z, -4, 4)
	res := zc - q.beta*q.g
	m.cov += float32(rw * (zc*q.g - float64(m.cov)))
	m.gvar += float32(rw * (q.g*q.g - float64(m.gvar)))
	m.v += float32(rw * (min(res*res, 16*float64(m.v)) - float64(m.v)))
	m.v = clamp32(m.v, .01, 100)
	if alarm {
		m.g = 0
	} else {
		m.g += float32(dt / (dt + tauFast) * (zc - q.g))
	}

	// Rhythm. Single values are clipped; what lasts is not, until its hour has been seen twice, nor what was to be expected.
	y := l.y
	if m.mode > 0 && !l.known && max(m.streak[0], m.streak[1]) < streakLasts {
		y = clamp(y, q.yhat-8*q.sig, q.yhat+8*q.sig)
	}
	rh := r
	if p.Extremes {
		rh = max(r, .2) // or an hour of the week that brings an alarm brings one every week
	}
	if m.hourOf(p, q.how, y, l.e, float32(rh)) && !alarm {
		m.choose(p)
	}
	if m.altEnd > 0 {
		m.regime(p, at, l, q, dt)
	}
	if m.seen < math.MaxUint32 {
		m.seen++
	}
	m.live(p.StepMs)
}

func (m *Model) setFlag(f uint8, on bool) {
	if on {
		m.flags |= f
	} else {
		m.flags &^= f
	}
}
