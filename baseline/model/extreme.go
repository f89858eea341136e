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

// ExtremeMs is the span, ms, of which the probability in Why is with Params.Extremes.
const ExtremeMs = 6 * hourMs

// The blocks, and what is news. None of these is a property of a data set: see docs/accuracy.md for how they were chosen.
const (
	extBlockMs = ExtremeMs // length of a block: four a day, so that a busy hour is in one of them every day
	extLeast   = 20        // windows of a block, at least
	extStart   = 16        // while little has been seen a block is this share of it
	extFew     = 8         // blocks of a law that alone may raise an alarm without Persist
	extMemory  = 28        // blocks that the law remembers: a week
	extShare   = .7        // of the spread that is taken for the scale of the tail: the upper half holds past incidents too
	extWide    = .12       // added to it: what is 1.1 times the usual maximum is never rare
	extNews    = 3         // -ln of the probability per block of six hours at which a deviation is news
	extClip    = 8         // a block teaches the spread by no more than this many spreads
	extMoves   = .5        // sigmas below which a window says nothing about extremes
	extHeld    = .95       // score of what lacks a condition

	wanderHours  = 6    // hours that say where the signal is
	wanderDays   = 5    // days before it that say where it should be
	wanderNews   = 3    // -ln of the probability per day at which the distance is news
	wanderLaw    = 5    // days of a law that may raise an alarm
	wanderHold   = 4    // hours without a strong distance after which a drift has ended
	wanderTold   = 1.   // hours for which a drift is news; then it stands, and what happens meanwhile is news
	wanderWeekly = 0x80 // bit of extN[5]: the law is of distances from the week's shape
	toldLeast    = .5   // least score while a drift stands that is no news any more
	wanderZero   = .2   // share of zeros above which a signal has no level that could wander

	relapseXH = 1 // the same after an alarm that followed another one within relapseMs
	relapseMs = 3 * hourMs
	suddenX   = 4  // whitened residual beyond which something is news while a drift stands: the drift itself goes on slowly
	recoverXH = .1 // hours in the band after which an alarm of such a signal is over: three windows of a minute

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
	z, d, sharp, s := l.z, v-q.band.Expected, 0., 0
	if l.z*l.w > 0 {
		sharp = math.Copysign(math.Sqrt(l.z*l.w), l.z)
	}
	if z < 0 {
		z, d, sharp, s = -z, -d, -sharp, 1
	}
	most := extLeast * float64(p.StepMs)
	block := max(extBlockMs, most)
	if m.lent == 0 { // siblings' laws are of whole blocks
		block = clamp(m.ageH()*hourMs/extStart, most, block)
	}
	if bad[s] && d > 0 {
		r := (m.ext[s].rare(z, m.extN[s]) + m.ext[2+s].rare(sharp, m.extN[2+s]) + 2*m.ext[4].rare(d, m.extN[4])) / 4
		sc := r / ((extNews + math.Log(extBlockMs/block)) * p.strict()) // of short blocks there are more
		l.rare = sc * p.Nats(PointTest)
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
		m.ext[s].see(z)
		m.ext[2+s].see(sharp)
		m.ext[4].see(d)
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

// wanders judges where the signal has been for the last hours against the same hours of the days before, by the
// extremes of that distance on past days.
func (m *Model) wanders(p *Params, at Moment, q *prediction, hour bool, bad [2]bool, w *voice) {
	if !p.Extremes {
		return
	}
	x := &m.ext[5]
	if hour {
		// Where days differ much the week's shape says where the signal should be, and the law begins anew.
		weekly := m.extN[5]&wanderWeekly != 0
		if m.mode == 2 && !weekly && m.err[2] < .5*m.err[1] || weekly && (m.mode != 2 || m.err[2] > .8*m.err[1]) {
			weekly = !weekly
			*x, m.extN[5] = extreme{}, m.extN[5]&wanderWeekly^wanderWeekly
		}
		if m.q%24 == 0 {
			r := 1.
			if m.state.Alarm() {
				r = .1
			}
			m.extN[5] = min(x.close(m.extN[5]&^wanderWeekly, r), wanderWeekly-1) | m.extN[5]&wanderWeekly
		}
		n := m.extN[5] &^ wanderWeekly
		m.wander = 0
		if ref, d, far, ok := m.whereabouts(q.how, weekly); ok {
			r := x.rare(math.Abs(d), n)
			x.see(math.Abs(far))
			s := 0
			if d < 0 {
				s = 1
			}
			if n >= wanderLaw && bad[s] && r > 0 && m.p0 < wanderZero && !m.came(at, wanderHours) {
				sc := r / p.Nats(DriftTest)
				if eff := p.trendEffect(ref); math.Abs(d) < eff {
					sc = min(sc*math.Abs(d)/eff, extHeld)
				}
				m.wander = float32(min(sc, 100))
				if sc > weakTrend {
					m.slope = 0 // where to is not known
					m.driftH, m.spanH = 0, wanderHold
				}
			}
		}
	}
	if m.wander > 0 {
		w.say(DriftTest, Drifting, float64(m.wander), at.T-wanderHours*hourMs)
	}
}

// whereabouts returns the median of the last hours' distances from the same hours of the days before, and of what was expected in them. weekly asks
// for distances from the week's shape instead; where that is in use, but not much better, each hour's distance is the smaller of both. far is
// the distance that the law is to be told of. how is the newest hour's place in the week.
func (m *Model) whereabouts(how int, weekly bool) (ref, d, far float64, ok bool) {
	var ds, rs, fs [wanderHours]float64
	n := 0
	ring := &m.rings
	for k := range int32(wanderHours) {
		i := m.q - k
		if i < 0 || ring[i%int32(len(ring))] == hole {
			continue
		}
		var past [wanderDays]float64
		np := 0
		for day := range int32(wanderDays) {
			if h := i - 24*(day+1); h >= 0 {
				if c := ring[h%int32(len(ring))]; c != hole {
					past[np] = float64(c) * unit
					np++
				}
			}
		}
		if np < 3 {
			continue
		}
		x := m.x(float64(ring[i%int32(len(ring))]) * unit)
		rs[n] = m.x(median(past[:np]))
		fs[n] = x - rs[n]
		if h := (how + 168 - int(k)) % 168; m.mode == 2 && m.byWeek[h] != noCell {
			week := m.x(float64(m.byHour[h%24])*unit + float64(m.byWeek[h])*float64(m.weekUnit))
			if weekly || math.Abs(x-week) < math.Abs(x-rs[n]) {
				rs[n] = week
			}
			if weekly {
				fs[n] = x - week
			}
			if c := m.byWeek[144+h%24]; c != noCell && m.weekday[6] >= restSundays { // holidays are Sundays
				if rest := m.x(float64(m.byHour[h%24])*unit + float64(c)*float64(m.weekUnit)); math.Abs(x-rest) < math.Abs(x-rs[n]) {
					rs[n] = rest
				}
			}
		}
		ds[n] = x - rs[n]
		n++
	}
	if n < wanderHours-2 {
		return 0, 0, 0, false
	}
	return median(rs[:n]), median(ds[:n]), median(fs[:n]), true
}

// still judges values that repeat, of a signal of which nothing is known, on either side: a row is as likely as the share of repeats to
// the power of its length, unless the signal has shown rows as long.
func (m *Model) still(p *Params, v float64, at Moment, l *lesson, w *voice) {
	if m.ageH() < learnH || m.run < 3 || v == 0 && m.p0 > .001 || m.sigma <= 4*minSig {
		return
	}
	same := clamp(float64(m.same), 1/float64(m.seen), .999)
	need := stillNats(p) / -math.Log(same)
	need = max(need, flatRow*float64(m.runMax)+2)
	st := High
	if l.e < 0 {
		st = Low
	}
	w.say(FlatTest, st, min(float64(m.run)/need, 2), at.T-int64(m.run)*p.StepMs)
}

// stillNats is how rare a row must be, in nats: flatSure beyond all windows of a month.
func stillNats(p *Params) float64 {
	return (flatSure + math.Log(30*dayH*hourMs/float64(p.StepMs))) * p.strict()
}
