package model

// What is expected of a window, before its value is seen.

import "math"

// prediction is what is expected of one window, on the y scale.
type prediction struct {
	p         [3]float64 // of each predictor
	yhat      float64    //
	low, high float64    // what the hours around bring where the shape is steep: the window may be early or late by some minutes; else yhat
	shape     float64    // seasonal part of yhat, with mean zero: what the rings are rid of
	sig       float64    // scale of the residual at this hour
	beta, g   float64    // whitening
	rv        float64    // sqrt(v)
	band      Band       //
	xlo, xhi  float64    // low and high, in the signal's unit
	effect    float64    // smallest deviation that counts, in the signal's unit
	hi, how   int        // hour of day, hour of week
	from      int        // the hour of week with the last centre not after the window
	frac      float64    // share of the way from there to the next centre
	lowZ, hiZ float64    // band in units of sig
}

// Predict returns the band for a window that ends at the given moment. It changes nothing. p is not retained.
func (m *Model) Predict(p *Params, at Moment) Band {
	if !p.sane() {
		r := p.repaired()
		p = &r
	}
	if m.flags&flagWarm == 0 {
		return m.warmBand(p, math.NaN())
	}
	var q prediction
	m.predict(p, at, &q)
	return q.band
}

// phase returns the middle of the window in hours of the week. The middle, because a window of an hour that ends at 13:00 tells of 12:30.
func phase(p *Params, at Moment) float64 {
	x := float64(at.HourOfWeek) + at.HourFrac - float64(p.StepMs)/(2*hourMs)
	x = math.Mod(x, 168)
	if x < 0 {
		x += 168
	}
	if !(x < 168) {
		x = 0
	}
	return x
}

func (m *Model) predict(p *Params, at Moment, q *prediction) {
	ph := phase(p, at)
	q.how = int(ph)
	q.hi = q.how % 24
	day, week, widen, from, frac := m.profile(ph)
	q.from, q.frac = from, frac
	q.p[0] = float64(m.off[0])
	q.p[1] = day + float64(m.off[1])
	q.p[2] = week + float64(m.off[2])
	q.yhat = q.p[m.mode]
	switch m.mode {
	case 1:
		q.shape = day - float64(m.mean)
	case 2:
		q.shape = week - float64(m.mean)
	}
	q.sig = max(float64(m.sigma), minSig) * widen
	if m.mode == 2 && math.Abs(week-day) > steep*q.sig {
		q.sig = max(q.sig, m.like(week))
	}
	q.low, q.high = m.reach(q, int(m.mode))
	q.rv = math.Sqrt(float64(m.v))
	if m.gvar > 0 {
		q.beta = clamp(float64(m.cov)/float64(m.gvar), 0, 1)
	}
	q.g = float64(m.g)
	lean := q.beta * q.g
	if m.state.Alarm() {
		lean = 0
	}
	wide := m.wide()
	up, down := lean, -lean
	if m.streak[above] > 0 { // a row of windows beyond the band does not widen it
		up = min(up, float64(m.lean)*leanUnit)
	}
	if m.streak[below] > 0 {
		down = min(down, -float64(m.lean)*leanUnit)
	}
	q.hiZ = max(2.5, q.rv*float64(m.tails[0].Q+m.tails[0].Ext)+up) * wide
	q.lowZ = max(2.5, q.rv*float64(m.tails[1].Q+m.tails[1].Ext)+down) * wide
	// The tail of a value that hardly ever moves is no law: no band reaches further than fiftyfold.
	most := bandMost / q.sig
	q.hiZ, q.lowZ = min(q.hiZ, most), min(q.lowZ, most)
	x := clamp(m.x(q.yhat), p.Min, p.Max)
	q.effect = p.effect(x)
	q.xlo, q.xhi = x, x
	if q.low < q.high {
		q.xlo, q.xhi = clamp(m.x(q.low), p.Min, p.Max), clamp(m.x(q.high), p.Min, p.Max)
	}
	q.band = Band{
		Lower:    min(m.x(q.low-q.lowZ*q.sig), q.xlo-p.effect(q.xlo)),
		Expected: x,
		Upper:    max(m.x(q.high+q.hiZ*q.sig), q.xhi+p.effect(q.xhi)),
	}
	q.band.clip(p)
}

// effect is the smallest deviation from x that is worth a message.
func (p *Params) effect(x float64) float64 {
	if e := max(p.EffectAbs, p.EffectRel*math.Abs(x)); e < math.MaxFloat64 {
		return e
	}
	return math.MaxFloat64 // or no number, where x has no bounds
}

// wide is how much wider a band is drawn while less than a day has been seen: twice at first.
func (m *Model) wide() float64 {
	h := m.ageH()
	if h >= learnH {
		return 1
	}
	return 2 - h/learnH
}

func (b *Band) clip(p *Params) {
	lo, hi := max(p.Min, -math.MaxFloat64), min(p.Max, math.MaxFloat64)
	b.Lower = clamp(b.Lower, lo, hi)
	b.Upper = clamp(b.Upper, lo, hi)
	b.Expected = clamp(b.Expected, lo, hi)
	b.Lower = min(b.Lower, b.Expected)
	b.Upper = max(b.Upper, b.Expected)
}
