package model

// What a window teaches, once it has been judged.

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/field"
	"github.com/wrackline/wrackline/baseline/model/ring"
	"github.com/wrackline/wrackline/baseline/model/tail"
)

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
func (m *Model) learn(p *Params, q *prediction, l *lesson) {
	alarm := m.quarantined(p)
	r := 1.
	switch {
	case alarm || m.candH > 1 && !l.usual: // also a lasting move to the good side, which is adopted in the end; not what the week's hours know
		r = quiet
	case l.suspect:
		r = .2
	}
	n := m.weight(priorWeight)
	e, clear := m.teaches(q, int(m.mode), l.y)
	clear = clear && !l.foreign
	if clear { // neither that nor what may be early or late by some minutes says anything of scatter
		m.learnTails(p, l, r)
	}
	m.learnAtoms(p, l, n, r, alarm)
	m.learnLevels(p, q, l, r, alarm)
	m.learnScatter(q, l, e, n, r, clear)
	if alarm {
		m.g = 0
	}
	if !clear {
		e = q.sig / 1.2533 // as usual
	}
	m.learnRhythm(p, q, l, e, r, alarm)
	if m.altEnd > 0 {
		m.regime(p, q, l)
	}
	if m.seen < math.MaxUint32 {
		m.seen++
	}
	m.live(p.StepMs)
}

// learnTails moves the laws of what is rare. They learn nothing in quarantine: even a fiftieth of a day outside the band, taken as
// the tail's habit, would widen the band until the alarm, or the move to the good side, seems over.
func (m *Model) learnTails(p *Params, l *lesson, r float64) {
	n, rt := m.weight(priorRarity), r
	if r == quiet {
		rt = 0
	}
	w := [2]float64{l.w, -l.w}
	for side := range w {
		f, rt := uint8(flagPrevUp<<side), rt
		if l.far[side] && !p.Extremes {
			rt /= math.Sqrt(max(float64(m.streak[side]), 1)) // a row of windows is less than as many things that came
		}
		m.tails[side].Learn(w[side], tail.Fast, l.in[side], m.flags&f != 0, n, rt)
		m.setFlag(f, l.in[side])
	}
	if !l.closed {
		return
	}
	blockMs, _ := ring.Lengths(p.StepMs)
	nb := n * float64(p.StepMs) / float64(blockMs)
	w = [2]float64{l.bw, -l.bw}
	for side := range w {
		f := uint8(flagPrevBUp << side)
		m.tails[2+side].Learn(w[side], tail.Block, l.blockIn[side], m.flags&f != 0, nb, rt)
		m.setFlag(f, l.blockIn[side])
	}
	rb := r * max(float64(blockMs)/hourMs/tauSigma, 1/(nb+10))
	m.vb += float32(rb * (min(l.bz*l.bz, 9*float64(m.vb)) - float64(m.vb)))
	m.vb = max(m.vb, 1e-3)
}

// learnAtoms counts zeros, events and repeats.
func (m *Model) learnAtoms(p *Params, l *lesson, n, r float64, alarm bool) {
	rz := max(1/(n+30), l.dt/tauSigma)
	zero := one(l.v == 0)
	if m.flags&flagZero != 0 {
		m.p00 += float32(r * rz * (zero - float64(m.p00)))
	}
	m.p0 += float32(r * rz * (zero - float64(m.p0)))
	m.setFlag(flagZero, l.v == 0)
	if p.Mode == Event {
		m.hit += float32(r * max(1/(n+30), l.dt/(7*dayH)) * (one(l.hit) - float64(m.hit)))
	}
	like := field.Likeness(l.v)
	if !alarm || m.test != FlatTest {
		m.same += float32(r * max(1/(n+2), l.dt/(7*dayH)) * (one(like == m.prevX) - float64(m.same)))
	}
	m.prevX = like
}

// one is 1 for what is so, else 0.
func one(so bool) float64 {
	if so {
		return 1
	}
	return 0
}

// learnLevels moves every predictor, so that the one in use can be replaced, and measures how well each predicts.
func (m *Model) learnLevels(p *Params, q *prediction, l *lesson, r float64, alarm bool) {
	own, sig := float64(m.seen), max(float64(m.sigma), minSig)
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
		rate := l.dt / tau
		if k == 0 || m.lent != 0 {
			rate = max(rate, 1/(own+1)) // a level is never borrowed for long
		}
		ek, sure := m.teaches(q, k, l.y)
		if !sure {
			ek = 0
		}
		m.off[k] += float32(r * min(rate, .5) * clamp(ek, -1.5*sig, 1.5*sig))
		if k == 0 {
			// Skill is measured against a level as quick as the profiles' corrections: a slow one is beaten by any profile while
			// the signal drifts, and a change of shape would then hide the drift.
			ek = l.y - float64(m.quick)
			m.quick += float32(r * min(max(l.dt/tauCorr, 1/(own+1)), .5) * clamp(ek, -1.5*sig, 1.5*sig))
		}
		if ready {
			rs := max(l.dt/tauSkill, l.dt/(float64(m.errH)+l.dt))
			m.err[k] += float32(r * min(rs, 1) * (min(math.Abs(ek), 8*sig) - float64(m.err[k])))
		}
	}
	if ready && !alarm {
		m.errH += float32(l.dt)
	}
}

// learnScatter moves the scale of the residual e, and what whitens it: the part of it that the fast average foretells.
func (m *Model) learnScatter(q *prediction, l *lesson, e, n, r float64, clear bool) {
	zc := clamp(e/q.sig, -4, 4)
	if clear {
		sig := max(float64(m.sigma), minSig)
		rs := max(l.dt/tauSigma, 1/(n+10))
		f := q.sig / sig
		m.sigma += float32(r * rs * (1.2533*min(math.Abs(e)/f, 3*sig) - float64(m.sigma)))
		m.sigma = max(m.sigma, minSig/4)

		rw := r * max(l.dt/tauWhite, 1/(n+50))
		res := zc - q.beta*q.g
		m.cov += float32(rw * (zc*q.g - float64(m.cov)))
		m.gvar += float32(rw * (q.g*q.g - float64(m.gvar)))
		m.v += float32(rw * (min(res*res, 16*float64(m.v)) - float64(m.v)))
		m.v = min(max(m.v, .01), 100)
	}
	m.g += float32(l.dt / (l.dt + tauFast) * (zc - q.g))
}

// learnRhythm adds the window to its hour. Single values are clipped; what lasts is not, until its hour has been seen twice, nor what was to be expected.
func (m *Model) learnRhythm(p *Params, q *prediction, l *lesson, e, r float64, alarm bool) {
	y := l.y
	if m.mode > 0 && !l.known && !alarm && max(m.streak[above], m.streak[below]) < streakLasts && math.Abs(q.g) < usualZ {
		y = clamp(y, q.yhat-8*q.sig, q.yhat+8*q.sig)
	}
	if p.Extremes {
		r = max(r, .2) // or an hour of the week that brings an alarm brings one every week
	}
	if m.hourOf(p, q.how, y, e, float32(r)) && !alarm {
		m.choose(p)
	}
}

func (m *Model) setFlag(f uint8, on bool) {
	if on {
		m.flags |= f
	} else {
		m.flags &^= f
	}
}
