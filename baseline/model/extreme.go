package model

// Has the signal ever done that? Where nothing is known of a signal (Params.Extremes), the largest deviations of past blocks of time
// say how far it goes when nothing is wrong, and what goes clearly further is news at once.

import "math"

// extreme is the law of the largest value of one statistic within a block of time, on a logarithmic scale: the median of
// past blocks' maxima, and the mean distance of the upper half from it. Beyond the median the logarithm is taken for exponential, so the
// tail of the statistic itself is a power of the block's own making. Only blocks in which the statistic moved count.
type extreme struct {
	mid, wide float32 // median and upper spread of ln max
	top       float32 // largest value of the block under way; 0 = it did not move
}

// The blocks, and what is news. None of these is a property of a data set: see docs/accuracy.md for how they were chosen.
const (
	extBlockMs = 6 * hourMs // length of a block: four a day, so that a busy hour is in one of them every day
	extLeast   = 20         // windows of a block, at least
	extStart   = 16         // while little has been seen a block is this share of it
	extFew     = 8          // blocks of a law that alone may raise an alarm without Persist
	extMemory  = 28         // blocks that the law remembers: a week
	extShare   = .7         // of the spread that is taken for the scale of the tail: the upper half holds past incidents too
	extWide    = .12        // added to it: what is 1.1 times the usual maximum is never rare
	extNews    = 3          // -ln of the probability per block of six hours at which a deviation is news
	extClip    = 8          // a block teaches the spread by no more than this many spreads
	extMoves   = .5         // sigmas below which a window says nothing about extremes
	extHeld    = .95        // score of what lacks a condition

	wanderNews = 5  // -ln of the probability per day at which a wandering level is news
	wanderDays = 14 // days that say where the level was
	wanderLaw  = 5  // days of a law that may raise an alarm
	wanderCell = 3  // two-hour cells that say where it is

	flatSure = 2 // nats beyond a month's worth of windows that make a row of repeats news
	flatRow  = 2 // × the longest harmless row
)

// rare returns how rare v would be as a block's maximum, as -ln of its probability; negative when it is usual.
// n is the number of blocks behind the law: with few of them it is drawn wider.
func (x *extreme) rare(v float64, n uint8) float64 {
	if v <= 0 || n == 0 {
		return 0
	}
	return math.Ln2 + (math.Log(v)-float64(x.mid))/((extShare*float64(x.wide)+extWide)*(1+3/float64(n)))
}

// see takes a value into the block under way.
func (x *extreme) see(v float64) {
	x.top = max(x.top, float32(min(v, math.MaxFloat32)))
}

// close folds the block's largest value into the law of n blocks and returns their new number. r < 1 slows learning down.
func (x *extreme) close(n uint8, r float64) uint8 {
	if x.top <= 0 {
		return n
	}
	l := math.Log(float64(x.top))
	x.top = 0
	if n == 0 {
		x.mid, x.wide = float32(l), .5
		return 1
	}
	rate := 2 * r * max(1/float64(n+1), 1./extMemory)
	w := max(float64(x.wide), extWide)
	d := l - float64(x.mid)
	x.mid += float32(rate * w * clamp(d/w, -1, 1))
	if d > 0 {
		x.wide += float32(min(rate, 1) * (min(d, extClip*w) - float64(x.wide)))
	}
	return min(n+1, 200)
}

// extremes judges the window's deviation against the past extremes, then takes it in. Three statistics speak for each side: the
// residual in units of its scatter on the scale of judgement; the geometric mean of that and of the whitened residual, which is large for
// what is both far and sudden; and the deviation in the signal's own unit, with one law for both sides, since a fall of a signal near
// zero is small. The first two have one half of the say, the third the other half: half logarithmic, half linear.
func (m *Model) extremes(p *Params, at Moment, v float64, q *prediction, l *lesson, bad [2]bool, known bool, w *voice) {
	if !p.Extremes {
		return
	}
	z, d := l.z, v-q.band.Expected
	sharp := 0.
	if l.z*l.w > 0 {
		sharp = math.Copysign(math.Sqrt(l.z*l.w), l.z)
	}
	s := 0
	if z < 0 {
		z, d, sharp, s = -z, -d, -sharp, 1
	}
	most := extLeast * float64(p.StepMs)
	block := clamp(float64(m.lived)/extStart, most, max(extBlockMs, most))
	a, b, c := &m.ext[s], &m.ext[2+s], &m.ext[4]
	if bad[s] && d > 0 {
		r := (a.rare(z, m.extN[s]) + b.rare(sharp, m.extN[2+s]) + 2*c.rare(d, m.extN[4])) / 4
		sc := r / (extNews + math.Log(extBlockMs/block)) // of short blocks there are more
		eff := [2]float64{q.effUp, q.effDn}[s]
		if d < eff {
			sc = min(sc*d/eff, extHeld)
		}
		young := min(m.extN[s], m.extN[4]) < extFew || m.ageH() < learnH/2
		if known || young && int(m.streak[s]) < p.Persist {
			sc = min(sc, extHeld)
		}
		w.say(PointTest, [2]State{High, Low}[s], sc, at.T)
	}
	if z >= extMoves && d > 0 {
		a.see(z)
		b.see(sharp)
		c.see(d)
	}
	m.extL = min(m.extL+1, 60000)
	if float64(m.extL)*float64(p.StepMs) < block {
		return
	}
	m.extL = 0
	for i := range 5 {
		m.extN[i] = m.ext[i].close(m.extN[i], m.closeRate(p))
	}
}

// closeRate is how much of a block is learned: a tenth while an alarm stands.
func (m *Model) closeRate(p *Params) float64 {
	if m.quarantined(p) {
		return .1
	}
	return 1
}

// quarantined reports whether what is seen must not become normal. A drift of a signal of which nothing is known is judged by its days of
// the last weeks, which no learning can hide.
func (m *Model) quarantined(p *Params) bool {
	return m.state.Alarm() && !(p.Extremes && m.test == DriftTest)
}

// wanders judges where the signal has been for the last hours against its days of the last weeks, seasonal shape aside, by the
// extremes of that distance on past days.
func (m *Model) wanders(p *Params, at Moment, mid, day bool, bad [2]bool, w *voice) {
	if !p.Extremes {
		return
	}
	x := &m.ext[5]
	if day {
		r := 1.
		if m.state.Alarm() {
			r = .1
		}
		m.extN[5] = x.close(m.extN[5], r)
	}
	if mid {
		m.wander = 0
		if ref, now, ok := m.whereabouts(); ok {
			d := now - ref
			r := x.rare(math.Abs(d), m.extN[5])
			x.see(math.Abs(d))
			s := 0
			if d < 0 {
				s = 1
			}
			x0 := m.x(ref)
			eff, far := p.trendEffect(x0), math.Abs(m.x(now)-x0)
			if m.extN[5] >= wanderLaw && bad[s] && r > 0 {
				sc := r / wanderNews
				if far < eff {
					sc = min(sc*far/eff, extHeld)
				}
				m.wander = float32(min(sc, 100))
				if sc > weakTrend {
					m.slope = 0 // where to is not known
					m.driftH, m.spanH = 0, 4
				}
			}
		}
	}
	if m.wander > 0 {
		w.say(DriftTest, Drifting, float64(m.wander), at.T-6*hourMs)
	}
}

// whereabouts returns the median level of the last weeks' days and that of the last hours.
func (m *Model) whereabouts() (ref, now float64, ok bool) {
	var ds [wanderDays]float64
	n := 0
	days := m.r1d()
	for k := range int32(wanderDays) {
		if i := m.d - 1 - k; i >= 0 {
			if c := days[int(i)%len(days)]; c != hole {
				ds[n] = float64(c) * unit
				n++
			}
		}
	}
	if n < 4 {
		return 0, 0, false
	}
	var hs [wanderCell]float64
	for k := range int32(wanderCell) {
		i := m.q - k
		if i < 0 || m.r2h()[i%48] == hole {
			return 0, 0, false
		}
		hs[k] = float64(m.r2h()[i%48]) * unit
	}
	return median(ds[:n]), median(hs[:]), true
}

// still judges values that repeat, of a signal of which nothing is known, on either side: a row is as likely as the share of repeats to
// the power of its length, unless the signal has shown rows as long.
func (m *Model) still(p *Params, v float64, at Moment, l *lesson, w *voice) {
	if m.ageH() < learnH || m.run < 3 || v == 0 && m.p0 > .001 || m.sigma <= 4*minSig {
		return
	}
	same := clamp(float64(m.same), 1/float64(m.seen), .999)
	need := (flatSure + math.Log(30*dayH*hourMs/float64(p.StepMs))) / -math.Log(same)
	need = max(need, flatRow*float64(m.runMax)+2)
	st := High
	if l.e < 0 {
		st = Low
	}
	w.say(FlatTest, st, min(float64(m.run)/need, 2), at.T-int64(m.run)*p.StepMs)
}
