package model

// The first windows: kept raw until the scale is known.

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/field"
	"github.com/wrackline/wrackline/baseline/model/ring"
	"github.com/wrackline/wrackline/baseline/model/trend"
)

// warmBand is the provisional band of the first windows: around the median, wide. next is taken for the very first.
func (m *Model) warmBand(p *Params, next float64) Band {
	n := int(min(m.seen, warmUp))
	var buf [warmUp]float64
	var b Band
	if n == 0 {
		if !finite(next) {
			b.clip(p)
			return b
		}
		buf[0], n = next, 1
	} else {
		for i := range n {
			buf[i] = ring.Kept(m.rings[:], i)
		}
	}
	med, top := trend.Median(buf[:n]), 0.
	for i := range n {
		buf[i] = math.Abs(buf[i]/2 - med/2) // halves: the difference of two huge values must not overflow
		top = max(top, buf[i])
	}
	mad := 2 * trend.Median(buf[:n])
	half := max(6*mad, 2*top, math.Abs(med)/2, p.EffectAbs, p.EffectRel*math.Abs(med))
	b = Band{Lower: med - half, Expected: med, Upper: med + half}
	b.clip(p)
	return b
}

// idle reports whether enough of the first windows were uneventful to take an event for news.
func (m *Model) idle(p *Params) bool {
	if p.Mode != Event {
		return false
	}
	n := 0
	for i := range int(m.seen) {
		if !p.hit(ring.Kept(m.rings[:], i)) {
			n++
		}
	}
	return n >= max(p.Persist, idleLeast)
}

// usualHits returns the share of the first windows that had an event and were no news.
func (m *Model) usualHits(p *Params) float32 {
	hits, idle, run := 0, 0, 0
	flush := func() {
		if idle < max(p.Persist, idleLeast) || run < p.Persist {
			hits += run
		}
		run = 0
	}
	for i := range warmUp {
		if p.hit(ring.Kept(m.rings[:], i)) {
			run++
			continue
		}
		flush()
		idle++
	}
	flush()
	return float32(hits) / warmUp
}

// warm takes one of the first windows: nothing is judged but a ceiling and, of a signal that is usually zero, an event; the values
// are kept until the scale is known.
func (m *Model) warm(p *Params, at Moment, v float64, gap bool, why *Why) Judgement {
	j := Judgement{Band: m.warmBand(p, v), Seasonal: NoSeason, Maturity: m.maturity(p)}
	if gap {
		m.flags |= flagGap
	}
	var w voice
	l := lesson{at: at, v: v, dt: float64(p.StepMs) / hourMs, why: why}
	if why != nil {
		w.by = &why.Scores
	}
	if m.idle(p) {
		m.event(p, &l, &w)
	}
	m.ceiling(p, &l, &w)
	if p.shares() {
		l.threshold, l.gross, l.age = threshold(p), grossYoung, m.ageH()
		l.inflation = m.inflation(p, l.age)
		m.count(p, nil, &l, &w)
	}
	m.warmAlarm(p, &l, &w, &j)
	m.last = at.T
	if l.over || l.counted && (m.test == CountTest || w.score > .5) {
		j.Seen = int64(m.seen)
		return j // a fault is not what the scale is made of
	}
	ring.Keep(m.rings[:], int(m.seen), v)
	m.seen++
	m.live(p.StepMs)
	m.prevX = field.Likeness(v)
	j.Seen = int64(m.seen)
	if m.seen == warmUp {
		m.settle(p, at)
	}
	return j
}

// settle makes the beginning of a model of the first values, which ended with the window at the given moment.
func (m *Model) settle(p *Params, at Moment) {
	// The scale: the median of |x|; where zeros are common ten times the mean, so that small counts stay linear.
	m.hit = m.usualHits(p)
	var xs, buf [warmUp]float64
	zeros, mean := 0, 0.
	for i := range warmUp {
		xs[i] = ring.Kept(m.rings[:], i)
		buf[i] = math.Abs(xs[i])
		mean += buf[i] / warmUp
		if xs[i] == 0 {
			zeros++
		}
	}
	m.s = trend.Median(buf[:])
	if zeros > warmUp/10 || m.s == 0 {
		m.s = 10 * mean
	}
	if m.s != 0 {
		m.s = clamp(m.s, 1e-300, 1e300)
	}
	for i := range m.rings {
		m.rings[i] = hole
	}
	m.flags |= flagWarm
	for i := range warmUp {
		xs[i] = m.y(xs[i])
		buf[i] = xs[i]
	}
	level, abs := trend.Median(buf[:]), 0.
	for i := range warmUp {
		buf[i] = math.Abs(xs[i] - level)
		abs += buf[i] / warmUp
	}
	mad := trend.Median(buf[:])
	m.off[0], m.quick, m.smooth = float32(level), float32(level), float32(level)
	m.sigma = float32(max(max(1.4826*mad, min(1.2533*abs, 3*1.4826*mad)), minSig))
	if mad == 0 {
		m.sigma = float32(max(1.2533*abs, minSig))
	}
	m.p0 = float32(float64(zeros) / warmUp)
	m.p00 = m.p0
	m.hv = m.sigma * m.sigma
	m.err = [3]float32{m.sigma, m.sigma, m.sigma}
	// At coarse steps the first values are more than a day: the profile must not lose them.
	if m.flags&flagGap == 0 && p.StepMs >= 600_000 {
		ph := phase(p, at)
		for i := range warmUp {
			x := math.Mod(ph-float64(warmUp-1-i)*float64(p.StepMs)/hourMs, 168)
			if x < 0 {
				x += 168
			}
			m.hourOf(p, int(x)%168, xs[i], xs[i]-level, 1)
		}
	}
}
