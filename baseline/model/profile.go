package model

// The rhythm: what the hour of the day and of the week usually brings, and whether knowing it predicts better.

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/curve"
)

// profile returns the daily and the weekly shape at ph (hours of the week), the factor of the hour's residual scale,
// the last hour whose centre is not after ph, and the share of the way from there to the next centre. Values between the centres of hours are on the line between them.
func (m *Model) profile(ph float64) (day, week, widen float64, from int, frac float64) {
	a := ph - .5
	if a < 0 {
		a += 168
	}
	i := int(a)
	f := a - float64(i)
	i %= 168
	k := i + 1
	if k == 168 {
		k = 0
	}
	hi, hk := i%24, k%24
	di, dk := float64(m.byHour[hi])*unit, float64(m.byHour[hk])*unit
	day = di + f*(dk-di)
	week, widen = day, 1
	if m.visits.Of(0) != 0 || m.mode > 0 {
		a, b := float64(octaves[m.scale[hi]]), float64(octaves[m.scale[hk]])
		widen = a + f*(b-a)
	}
	if m.mode == 2 || m.errH > 0 {
		wi := m.cell(i, di)
		week = wi + f*(m.cell(k, dk)-wi)
	}
	return day, week, widen, i, f
}

// cell returns the weekly profile of one hour, drawn towards the hour of day's value.
func (m *Model) cell(how int, day float64) float64 {
	c := m.byWeek[how]
	if c == noCell {
		return day
	}
	return day + m.trust(how)*float64(c)*float64(m.weekUnit)
}

// around returns the levels of the three hours before a window and of the three after it, counted by their centres; from is the hour of the week with the last centre not
// after the window. By the week they are drawn towards the day's unless they are asked for raw; seen is false where one never was.
func (m *Model) around(from int, week, raw bool) (c [6]float64, seen bool) {
	for i := range c {
		h := (from + 166 + i) % 168
		c[i] = float64(m.byHour[h%24]) * unit
		switch {
		case !week:
		case !raw:
			c[i] = m.cell(h, c[i])
		case m.byWeek[h] == noCell:
			return c, false
		default:
			c[i] += float64(m.byWeek[h]) * float64(m.weekUnit)
		}
	}
	return c, true
}

// steep is how far apart, in sigmas, the levels that the hours around leave open are where a window that is early or late looks like scatter.
const steep = 8.

// reach returns the levels within which a window lies by a predictor, were it early or late by some minutes: that alone is neither a deviation nor scatter. Where
// its hours are much alike, which noise hides, it is what is predicted and nothing else.
func (m *Model) reach(q *prediction, k int) (lo, hi float64) {
	if k == 0 {
		return q.p[k], q.p[k]
	}
	c, _ := m.around(q.from, k == 2, false)
	lo, hi = curve.Between(&c, q.frac)
	if hi-lo < steep*q.sig {
		return q.p[k], q.p[k]
	}
	off := float64(m.off[k])
	return min(lo+off, q.p[k]), max(hi+off, q.p[k])
}

// teaches returns the residual that a value has for those who learn scatter and levels from it, by a predictor: beyond the reach, the distance from that; within it from whichever
// is nearest of what is predicted and the levels of the hours around. It is not sure where none is near: then neither scatter nor a level learns from it.
func (m *Model) teaches(q *prediction, k int, y float64) (e float64, ok bool) {
	lo, hi := q.low, q.high
	if k != int(m.mode) {
		lo, hi = m.reach(q, k)
	}
	switch e = y - q.p[k]; {
	case y < lo:
		return y - lo, true
	case y > hi:
		return y - hi, true
	case lo == hi:
		return e, true
	}
	for _, end := range [2]float64{lo, hi} {
		if math.Abs(y-end) < math.Abs(e) {
			e = y - end
		}
	}
	return e, math.Abs(e) <= 3*q.sig
}

// like returns the scale of the residual at the hour of the day whose level is nearest to y: what scatters at night scatters as much on a Sunday at noon, when it is
// as quiet as that.
func (m *Model) like(y float64) float64 {
	at, h := pack(float32(y)), 0
	for i, c := range m.byHour {
		if curve.Nearer(c, m.byHour[h], at) {
			h = i
		}
	}
	return max(float64(m.sigma), minSig) * float64(octaves[m.scale[h]])
}

// trust is the weight of an hour-of-week cell against its hour of day: n/(n+k), where k falls as the week proves to
// predict better (empirical Bayes; a fixed k left a bias of 20 % at weekends).
func (m *Model) trust(how int) float64 {
	n := max(float64(m.weekday[how/24]), 1)
	k := 1.
	if m.errH > 1 && m.err[1] > 0 {
		k = clamp(2*float64(m.err[2]/m.err[1])-1, .05, 1)
	}
	return n / (n + k)
}

// rhythm reports whether the profiles know enough to be corrected and compared. Visits never become fewer, so the answer is kept.
func (m *Model) rhythm(p *Params) bool {
	if m.flags&flagReady != 0 {
		return true
	}
	if m.ready(2) {
		m.flags |= flagReady
		return true
	}
	return (p.Season == Daily || p.Season == Weekly) && m.ready(1)
}

// ready reports whether every hour of the day has been seen n times.
func (m *Model) ready(n int) bool {
	for h := range 24 {
		if m.visits.Of(h) < n {
			return false
		}
	}
	return true
}

// hourOf adds one window to the hour of week how, and folds the hour before in when a new one begins. r < 1 slows learning down.
func (m *Model) hourOf(p *Params, how int, y, e float64, r float32) (closed bool) {
	if m.hour != uint8(how) && m.hN > 0 && m.hour < 168 {
		m.closeHour(p, r)
		closed = true
	}
	if m.hour != uint8(how) {
		m.hour = uint8(how)
		m.hSum, m.hAbs, m.hRes, m.hN = 0, 0, 0, 0
	}
	if m.hN < math.MaxUint16 {
		m.hSum += float32(y)
		m.hRes += float32(e)
		m.hAbs += float32(min(math.Abs(e), 4*max(float64(m.sigma), minSig)))
		m.hN++
	}
	return closed
}

func (m *Model) closeHour(p *Params, r float32) {
	how := int(m.hour)
	h := how % 24
	n := float32(m.hN)
	mean := m.hSum / n
	// What one hour may move the profile: robust once the profile has been seen twice.
	lim := 4 * max(m.sigma, minSig) * octaves[m.scale[h]]
	vis := m.visits.Of(h)
	least := float32(1. / 8)
	if m.expects(h) {
		lim, least = math.MaxFloat32, 1./3 // what comes back is not an outlier
	}
	was := float32(m.byHour[h]) * unit
	m.byHour[h] = pack(curve.Toward(was, mean, vis, least, lim, r))
	if r == 1 || vis == 0 {
		m.visits.Add(h)
	}
	day := float32(m.byHour[h]) * unit
	// Cells are kept as distances from the hour of day but mean levels: when that moves they must not. Without this the
	// first Monday, learned when it alone was the hour of day, looked like the mean of the week ever after.
	if day != was && vis > 0 {
		for k := h; k < 168; k += 24 {
			if m.byWeek[k] != noCell {
				m.setCell(k, float32(m.byWeek[k])*m.weekUnit-(day-was))
			}
		}
	}
	c := m.byWeek[how]
	switch {
	case c != noCell:
		m.setCell(how, curve.Toward(float32(c)*m.weekUnit, mean-day, max(int(m.weekday[how/24]), 1), 1./5, lim, r))
	case r == 1, m.weekday[how/24] == 0 && m.ageH() < 8*dayH: // what an alarm was about is not taken for the week's habit, but a first weekend is
		m.setCell(how, mean-day)
	}
	if h == 23 && m.weekday[how/24] < 250 && m.last/1000-int64(m.first) > 86_000 {
		m.weekday[how/24]++
	}
	// Residual scale of the hour, once the profile carries the shape. A third of the way, since one step is 1/32 octave.
	if vis >= 2 && n*float32(m.step) >= hourMs/2 {
		sig := max(m.sigma, minSig)
		ratio := float64(1.2533*m.hAbs/n) / float64(sig)
		want := clamp(math.Log2(max(ratio, .05))*32, -48, 64) + 128
		d := r * float32(want-float64(m.scale[h])) / 6
		m.scale[h] = uint8(clamp(math.Round(float64(m.scale[h])+float64(d)), 64, 208))
	}
	m.setMean()
	res := m.hRes / n
	m.hv += r * max(1./168, 1/(float32(m.ageH())+4)) * (min(res*res, 9*m.hv) - m.hv)
}

// setMean takes the mean of the shape in use, which the levels of the rings keep. The mean of the whole week in mode 2: that of the
// hour of day follows weekends, and would put the week's wave into a level that is to be rid of it.
func (m *Model) setMean() {
	s := 0.
	for _, d := range m.byHour {
		s += float64(d)
	}
	s *= unit / 24
	if m.mode == 2 {
		for d := range 7 {
			w := int32(0)
			for _, c := range m.byWeek[24*d : 24*d+24] {
				if c != noCell {
					w += int32(c)
				}
			}
			s += m.trust(24*d) * float64(w) * float64(m.weekUnit) / 168
		}
	}
	m.mean = float32(s)
}

// setCell writes an hour of week. The unit doubles when a value does not fit. Rounding is dithered by the count of windows:
// a byte is coarse, and plain rounding would never learn what is less than half a unit away.
func (m *Model) setCell(how int, d float32) {
	for k := 0; math.Abs(float64(d)) > 126*float64(m.weekUnit) && k < 40; k++ {
		m.weekUnit *= 2
		for i, c := range m.byWeek {
			if c != noCell {
				m.byWeek[i] = c / 2
			}
		}
	}
	dither := float64(m.seen*2654435769) / (1 << 32)
	m.byWeek[how] = int8(clamp(math.Floor(float64(d/m.weekUnit)+dither), -127, 127))
}

// octaves are the factors that an hour's residual scale stands for: 2^((k−128)/32).
var octaves = func() (t [256]float32) {
	for k := range t {
		t[k] = float32(math.Exp2((float64(k) - 128) / 32))
	}
	return t
}()

// pack rounds y to the unit of profiles and rings. The lowest value is kept for holes.
func pack(y float32) int16 {
	return int16(math.RoundToEven(clamp(float64(y)/unit, -32767, 32767)))
}

// choose moves to the predictor that has proved best. A season must win by a margin, and must go when it loses.
func (m *Model) choose(p *Params) {
	if p.Season == NoSeason || p.Mode == Spread || p.Mode == Event || m.errH < 12 {
		return
	}
	best := m.mode
	weekly := m.ageH() > 7*dayH && p.Season != Daily && m.err[2] < .95*m.err[1]
	switch m.mode {
	case 0:
		if weekly && m.ageH() > 10*dayH && m.err[2] < .75*m.err[0] { // at weekends no shape of a day beats none, so there may be no way over it
			best = 2
		} else if m.err[1] < .9*m.err[0] {
			best = 1
		}
	case 1:
		if weekly {
			best = 2
		} else if m.err[1] > .98*m.err[0] {
			best = 0
		}
	case 2:
		if m.err[2] > 1.0*m.err[1] {
			best = 1
		}
	}
	if best == m.mode {
		return
	}
	if m.err[m.mode] > 0 {
		f := min(max(m.err[best]/m.err[m.mode], .1), 10)
		m.sigma *= f
		m.hv *= f * f
	}
	m.mode = best
	m.setMean()
	// The fast average and the blocks were residuals of the other predictor, the fine ring was rid of another shape.
	m.g = 0
	m.clearRings(p)
}
