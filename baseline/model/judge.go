package model

// Evidence, alarms and their end.

import "math"

// When evidence counts, and for how much.
const (
	capFast       = 10  // nats of one window, unless Persist asks for less than two: no single window reaches a threshold of 18
	capBlock      = 12  // nats of one quarter of an hour
	temperMax     = 2.5 // a signal with violent days is made this much less touchy at most; beyond it would be deaf
	learnH        = 24. // hours in which a signal is called learning and only gross deviations count
	grossYoung    = 2.  // × the smallest effect: what is gross while learning
	grossWeek     = 2.5 // × the smallest effect, in hours of the week that were never seen: a quiet first weekend is no outage
	grossLent     = 4.  // × the smallest effect, in such hours while the day's shape is the siblings': it is trusted before a first weekend
	inflLent      = 1.5 // what weakens evidence at first where siblings lent the law of the tail; 3 where they did not
	blockFromH    = 6.  // hours before a quarter of an hour can be judged where a season may be: a morning looks like a shift
	blockYoungH   = 48. // hours in which such a shift must be gross: the second morning is still new
	recoverLeastH = .25 // hours in the band, less what was outside, after which a signal has recovered
	adoptH        = 30. // hours at a steady level after which it is adopted: longer than what a day brings and takes away
	adoptToldH    = 6.  // the same where a rollout explains it and no side is bad
	acceptedH     = 1e6 // … that a person accepted: more than any alarm lasts
	flatLeastMs   = 30 * 60_000
	stayLeastMs   = 8 * 60_000 // beyond the band for this long is news of a signal that never leaves it
	stayFromH     = 72.        // hours before what was harmless is known well enough for that
)

// voice is the loudest test of a window, and the score of each where somebody asks.
type voice struct {
	score float64
	test  Test
	state State
	onset int64
	by    *[FlatTest + 1]float32
}

func (w *voice) say(t Test, s State, score float64, onset int64) {
	if w.by != nil {
		w.by[t] = max(w.by[t], float32(score))
	}
	if score > w.score {
		w.score, w.test, w.state, w.onset = score, t, s, onset
	}
}

// judge weighs one window and moves the alarm. It learns nothing but the evidence.
func (m *Model) judge(p *Params, at Moment, v float64, q *prediction, l *lesson) Judgement {
	dt := float64(p.StepMs) / hourMs
	thr := threshold(p)
	n := m.weight(priorRarity)
	age := m.ageH()
	infl := m.inflation(p, age)
	// No window counts for more than what n windows can know of its rarity. Where few windows must suffice each may count for more.
	persist := float64(max(p.Persist, 1))
	most := min(max(capFast, 1.1*thr/persist), (1+1/persist)*math.Log(n))
	gross := m.gross(p, q, age)
	dev := v - q.band.Expected
	big := [2]bool{dev > 0 && dev >= q.effUp*gross, dev < 0 && -dev >= q.effDn*gross}
	// The regime before an adoption is no news, and neither is what its hours usually bring.
	l.usual = m.usual(p, q, l)
	_, known := m.formerly(l.e, q.sig)
	known = known && l.e != 0 || l.usual
	l.habit = !known && !m.state.Alarm() && m.habitual(at, q, l)
	l.rest = m.resting(p, at, q, l)
	known = known || l.habit || l.rest
	l.known = known
	bad := [2]bool{p.Bad != Down, p.Bad != Up}
	beyond := [2]bool{l.z > q.hiZ && v > q.band.Upper, l.z < -q.lowZ && v < q.band.Lower}
	switch {
	case beyond[0]:
		l.out = 1
	case beyond[1]:
		l.out = -1
	}

	// Fast channel: one window, whitened. A deviation below the smallest effect is never evidence.
	var le [2]float64
	le[0], l.inUp = m.tails[0].nats(l.w, alphaFast, m.flags&flagPrevUp != 0, most, infl)
	le[1], l.inDn = m.tails[1].nats(-l.w, alphaFast, m.flags&flagPrevDn != 0, most, infl)
	if v == 0 && m.p0 > .005 {
		// Zero is an atom: its own probability speaks, not the tail's.
		a := float64(m.p0)
		if m.flags&flagZero != 0 {
			a = float64(m.p00)
		}
		for s := range le {
			le[s] = min(le[s], min(math.Log(.5/clamp(a, .005, .999)), most))
		}
	}
	for s := range le {
		if le[s] > 0 && (!big[s] || known) {
			le[s] = nothingFast
		}
		m.tails[s].add(le[s], at.T, 3*thr)
		if beyond[s] && big[s] && !known {
			m.streak[s] = min(m.streak[s]+1, 60000)
		} else {
			if !m.state.Alarm() {
				m.stay[s] = max(m.stay[s], m.streak[s])
			}
			m.streak[s] = 0
		}
	}

	// Sustained channel: the mean of a quarter of an hour (at least three windows), not whitened.
	blockMs, _ := ringMs(p.StepMs)
	fine, mid, day := m.roll(p, at, q, l)
	if l.closed {
		mostB := min(capBlock, 1+math.Log(1+n*float64(p.StepMs)/float64(blockMs)))
		side := [2]float64{l.bw, -l.bw}
		e := m.x(q.yhat+l.bz*q.sig) - m.x(q.yhat)
		bg := gross
		if age < blockYoungH && p.Season != NoSeason {
			bg = max(bg, grossYoung)
		}
		bigB := [2]bool{e > 0 && e >= q.effUp*bg, e < 0 && -e >= q.effDn*bg}
		young := age < blockFromH && p.Season != NoSeason
		var in [2]bool
		for s := range side {
			var x float64
			t := &m.tails[2+s]
			x, in[s] = t.nats(side[s], alphaBlock, m.flags&(flagPrevBUp<<s) != 0, mostB, infl)
			if x > 0 && (!bigB[s] || known || young) {
				x = nothingBlock
			}
			t.add(x, at.T-blockMs, 3*thr)
		}
		l.bInUp, l.bInDn = in[0], in[1]
	}

	var w, slow voice
	heard := 0. // evidence that only lacks persistence
	if l.why != nil {
		*l.why = Why{P: 1}
		w.by, slow.by = &l.why.Scores, &l.why.Scores
	}
	perDay := dayH / dt
	for s := range 2 {
		if !bad[s] || (p.Mode == Event && m.hit < .05) {
			continue
		}
		st := [2]State{High, Low}[s]
		f, b := &m.tails[s], &m.tails[2+s]
		sc := 0.
		if f.m > 0 {
			sc = float64(f.m) / (thr * temper(f, perDay))
		}
		if !p.Extremes {
			heard = max(heard, sc)
			if n := max(p.Persist, 1); int(m.streak[s]) < n {
				sc = min(sc, .99*float64(m.streak[s])/float64(n))
			}
			w.say(PointTest, st, sc, int64(f.on)*1000)
		}
		sc = 0
		if b.m > 0 {
			sc = float64(b.m) / (thr * temper(b, dayH*hourMs/float64(blockMs)))
		}
		if !big[s] {
			sc = min(sc, .99)
		}
		w.say(ShiftTest, st, sc, int64(b.on)*1000)
		if age >= stayFromH && m.streak[s] > 0 && !p.Extremes {
			w.say(ShiftTest, st, min(float64(m.streak[s])/m.tooLong(p, s), 1.01), at.T-int64(m.streak[s]-1)*p.StepMs)
		}
	}
	m.extremes(p, at, v, q, l, bad, known, &w)
	m.event(p, v, at, l, &w)
	m.flat(p, v, at, l, thr, &w)
	m.driftH = min(m.driftH+float32(dt), 1e4)
	if !p.Extremes {
		m.slow(p, at, fine, mid, day, bad, dt, &w)
	}
	m.ceiling(p, v)
	if int(m.ceil) >= max(p.Persist, 1) {
		w.say(CeilingTest, side(p), 1.01, at.T-int64(m.ceil-1)*p.StepMs)
	}

	l.suspect = max(w.score, heard) > .5 && !l.habit || l.rest
	m.wanders(p, at, q, mid, bad, &slow)

	j := Judgement{Band: q.band, Seasonal: m.season(), Maturity: m.maturity(p)}
	j.Transition = m.move(p, at, v, q, l, &w, &slow, dt)
	m.report(p, &w, &slow, l, &j)
	if l.why != nil {
		m.explain(p, q, l, big, l.why)
	}
	return j
}

// tooLong is for how many windows in a row the signal may be beyond its band: twice as long as it ever was without harm. What
// climbs out of its band within half an hour is no surprise from one window to the next, so the fast channel does not see it, and
// quarters of an hour take two of theirs to be sure.
func (m *Model) tooLong(p *Params, side int) float64 {
	least := max(float64(3*max(p.Persist, 1)), stayLeastMs/float64(p.StepMs))
	return max(least, 2*float64(m.stay[side])+float64(max(p.Persist, 1)))
}

// gross is by how much a deviation must exceed the smallest effect: more while little has been seen, and in hours of
// the week that were never seen, for a first weekend is no outage.
func (m *Model) gross(p *Params, q *prediction, age float64) float64 {
	if age < 8*dayH && m.mode == 1 && m.byWeek[q.how] == noCell && (p.Season == Auto || p.Season == Weekly) {
		if m.Borrowed() > 0 {
			return grossLent
		}
		return grossWeek
	}
	if age < learnH || m.Borrowed() > 0 {
		return grossYoung
	}
	return 1
}

// usual reports whether a window far from its prediction is still what its hours bring, or where the same hours of last week
// were. The prediction is a line between the centres of hours, so a step or a break at the full hour is wrong by half its height;
// the range here holds both hours' levels and the lines of either side led on to the window. The weekly profile must prove itself to
// be used, which takes days; the Monday after the first weekend and the second weekend are no news either.
func (m *Model) usual(p *Params, q *prediction, l *lesson) bool {
	if math.Abs(l.z) < usualZ || m.mode == 0 && p.Season != Weekly {
		return false
	}
	return m.mode == 1 && m.near(q, l, q.from, false, float64(m.off[1])) ||
		(m.mode == 2 || p.Season == Auto || p.Season == Weekly) && m.near(q, l, q.from, true, float64(m.off[2]))
}

// near reports whether a window is what the hours around it bring, of the day or of the week; from is the hour of the week with the last centre not after it.
func (m *Model) near(q *prediction, l *lesson, from int, week bool, off float64) bool {
	var c [4]float64 // the hour before, the two around the window, the hour after
	for i := range c {
		h := (from + 167 + i) % 168
		c[i] = float64(m.byHour[h%24]) * unit
		if week {
			if m.byWeek[h] == noCell {
				return false
			}
			c[i] += float64(m.byWeek[h]) * float64(m.weekUnit)
		}
	}
	before := c[1] + q.frac*(c[1]-c[0])
	after := c[2] + (1-q.frac)*(c[2]-c[3])
	y := l.y - off
	return y > min(c[1], c[2], before, after)-3*q.sig && y < max(c[1], c[2], before, after)+3*q.sig
}

// resting reports whether a weekday is a holiday: since midnight it has been what Sundays bring, and not what its own hours do. A day that once was its own
// for a few windows on end is no holiday any more, so a fall to a Sunday's level within the day is news.
func (m *Model) resting(p *Params, at Moment, q *prediction, l *lesson) bool {
	rest := m.age >> restShift
	switch {
	case at.Day&0x3fffffff != m.d:
		rest = restFull // every day may be one, at first
	case rest == 0:
		return false
	}
	const sunday = 6
	sudden := math.Abs(l.z) > 2*suddenX && math.Abs(q.g) < suddenX/2 // a holiday departs from a working day slowly
	if sudden || m.mode != 2 || m.weekday[sunday] < restSundays || q.how/24 == sunday {
		rest = 0
	} else if m.near(q, l, (q.from+24*(sunday-q.how/24))%168, true, float64(m.off[2])) {
		rest = min(rest+1, restFull)
	} else {
		rest -= min(rest, 2)
	}
	m.age = m.age&ageDays | rest<<restShift
	if rest == 0 || math.Abs(l.z) < usualZ {
		return false
	}
	// Only where a Sunday is another day than this one.
	h := (q.from + 24*(sunday-q.how/24)) % 168
	k := (h + 1) % 168
	a := m.cell(h, float64(m.byHour[h%24])*unit)
	b := m.cell(k, float64(m.byHour[k%24])*unit)
	apart := a + q.frac*(b-a) + float64(m.off[2]) - q.yhat
	return apart*l.e > 0 && math.Abs(apart) >= usualZ*q.sig
}

const (
	ageDays     = 31 // bits of Model.age that count days
	restShift   = 5  // those above say how much today is like a Sunday
	restFull    = 7
	restSundays = 2 // Sundays that must have been seen
)

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
	j.Evidence = j.Score * p.Nats(j.Test)
	if m.state == Drifting || (m.state.Alarm() && m.test == DriftTest) {
		t := trend{hours: 24, start: l.level - float64(m.slope), end: l.level}
		j.LimitEta, j.SlopePerDay = m.eta(p, &t)
	}
}

// side is the state of an alarm on the bad side.
func side(p *Params) State {
	if p.Bad == Down {
		return Low
	}
	return High
}

// inflation weakens evidence while the law of the tail is young: tail probabilities are raised to 1/inflation.
func (m *Model) inflation(p *Params, age float64) float64 {
	f := 1.
	if age < 48 {
		f = 3 - 2*age/48
		if m.lent != 0 {
			f = inflLent - (inflLent-1)*age/48 // the law is known, if not from the signal itself
		}
	}
	if age < 168 && p.Season != NoSeason && (m.lent == 0 || m.mode == 0) {
		f += .5
	}
	return f
}

// temper is how much more evidence than the threshold an alarm of this tail needs, since the signal's days
// usually bring more than independent windows would (.9 ln of their number).
func temper(t *tail, perDay float64) float64 {
	if t.med <= 1 {
		return 1 // the logarithm of four, at least
	}
	return clamp(float64(t.med)/(.9*math.Log(max(perDay, 4))), 1, temperMax)
}

// roll adds the window to the blocks under way and closes those that end with it.
func (m *Model) roll(p *Params, at Moment, q *prediction, l *lesson) (fine, mid, day bool) {
	blockMs, midMs := ringMs(p.StepMs)
	l.level = l.y - q.shape
	if p.Extremes {
		mid = m.rollHour(p, at, l)
	}
	b, nb := number(at.T, blockMs), number(at.T+p.StepMs, blockMs)
	if b != m.b {
		if m.bN > 0 {
			m.fine(p, m.b)
		}
		if !p.Extremes {
			blank(m.r15(), m.b, b)
		}
		m.b, m.bN, m.bSum, m.bDev = b, 0, 0, 0
	}
	m.bSum += float32(clamp(l.z, -25, 25))
	m.bDev += float32(l.level)
	m.bN++
	if nb != b {
		m.fine(p, b)
		if int64(m.bN)*p.StepMs*2 > blockMs {
			l.closed = true
			l.bz = float64(m.bSum) / float64(m.bN)
			l.bw = l.bz / math.Sqrt(float64(m.vb))
		}
		m.bN, m.bSum, m.bDev = 0, 0, 0
		fine = true
	}
	if !p.Extremes {
		c, nc := number(at.T, midMs), number(at.T+p.StepMs, midMs)
		if c != m.q {
			if m.qN > 0 {
				m.r2h()[m.q%48] = pack(m.qSum / float32(m.qN))
			}
			blank(m.r2h(), m.q, c)
			m.q, m.qN, m.qSum = c, 0, 0
		}
		m.qSum += float32(l.level)
		m.qN++
		if nc != c {
			m.r2h()[c%48] = pack(m.qSum / float32(m.qN))
			m.qN, m.qSum = 0, 0
			mid = true
		}
	}
	if d := at.Day & 0x3fffffff; d != m.d {
		if m.dN > 0 && m.d != 0 {
			if float64(m.dN)*float64(p.StepMs) > 12*hourMs { // half a day has another mean
				if !p.Extremes {
					m.r1d()[m.d%int32(len(m.r1d()))] = pack(m.dSum / float32(m.dN))
				}
				day = true
			}
			if !p.Extremes {
				blank(m.r1d(), m.d, d)
			}
			for i := range m.tails {
				m.tails[i].closeDay(m.age & ageDays)
			}
			m.age = m.age&^ageDays | min(m.age&ageDays+1, ageDays)
		} else if !p.Extremes {
			blank(m.r1d(), m.d, d)
		}
		m.d, m.dN, m.dSum = d, 0, 0
	}
	if m.dN < math.MaxUint16 {
		m.dSum += float32(l.level)
		m.dN++
	}
	return fine, mid, day
}

// fine writes the block under way into the fine ring.
func (m *Model) fine(p *Params, b int32) {
	if !p.Extremes {
		m.r15()[b%48] = pack(m.bDev / float32(m.bN))
	}
}

// rollHour adds the window to the hour under way, of which all rings together keep the last 126, and reports whether one closed. They hold what
// was seen as it was, without any learned shape.
func (m *Model) rollHour(p *Params, at Moment, l *lesson) bool {
	c, nc := civilHour(p, at, 0), civilHour(p, at, p.StepMs)
	ring := m.rings[:]
	write := func(h int32) {
		ring[h%int32(len(ring))] = pack(m.qSum / float32(m.qN))
		m.qN, m.qSum = 0, 0
	}
	if c != m.q {
		if m.qN > 0 {
			write(m.q)
		}
		blank(ring, m.q, c)
		m.q, m.qN, m.qSum = c, 0, 0
	}
	m.qSum += float32(l.y)
	m.qN++
	if nc == c {
		return false
	}
	write(c)
	return true
}

// civilHour returns the number of the hour, in civil time, in which the middle of the window that ends moreMs later lies: the same hour of another
// day is a multiple of 24 away, also across a change of the clocks.
func civilHour(p *Params, at Moment, moreMs int64) int32 {
	x := float64(at.Day)*24 + float64(at.HourOfWeek%24) + at.HourFrac + float64(moreMs-p.StepMs/2)/hourMs
	return int32(int64(math.Floor(x)) & 0x3fffffff)
}

// number returns the number of the cell in which the window that ended at t lies.
func number(t, cell int64) int32 { return int32((t - 1) / cell & 0x3fffffff) }

// slow runs the drift test on the rings that have news, and keeps track of the drift that stands.
func (m *Model) slow(p *Params, at Moment, fine, mid, day bool, bad [2]bool, dt float64, w *voice) {
	if m.mute > 0 {
		m.mute = max(m.mute-float32(dt), 0)
	}
	fine = fine && (m.b%4 == 3 || mid) // once in four blocks: a drift takes hours, and the test is the dearest thing here
	if !fine && !mid && !day {
		return
	}
	t := m.driftTest(p, at, fine, mid, day)
	if t.strength < weakTrend || t.perHour == 0 {
		return
	}
	up := t.perHour > 0
	if up && !bad[0] || !up && !bad[1] {
		return
	}
	standing := m.state.Alarm() && m.test == DriftTest
	if standing && (m.slope > 0) != up {
		return
	}
	ms, _ := m.eta(p, &t)
	if !standing && p.EtaMs > 0 && finite(p.Limit) && (ms == 0 || ms > p.EtaMs) {
		return
	}
	if !standing && m.mute > 0 {
		return
	}
	m.driftH = 0
	if !standing || t.strength >= p.strict() {
		m.slope = float32(t.perHour * 24)
		m.spanH = float32(clamp(t.hours/3, 4, 72))
	}
	w.say(DriftTest, Drifting, t.strength/p.strict(), at.T-int64(t.since*hourMs))
}

// hit reports whether v alone is news for a signal that is usually zero.
func (p *Params) hit(v float64) bool {
	if p.Bad == Down {
		v = -v
	} else if p.Bad == Both {
		v = math.Abs(v)
	}
	return v > 0 && v >= p.EffectAbs
}

// event judges signals that are usually zero: Persist windows above the effect, less so when such windows are common.
func (m *Model) event(p *Params, v float64, at Moment, l *lesson, w *voice) {
	if p.Mode != Event {
		return
	}
	l.hit = p.hit(v)
	if !l.hit {
		if m.evHits > 0 {
			m.evHits--
		}
		return
	}
	m.evHits = min(m.evHits+1, 60000)
	rare := clamp(math.Log(.2/max(float64(m.hit), .001))/math.Log(.2/.02), 0, 1)
	sc := rare * float64(m.evHits) / float64(max(p.Persist, 1))
	if rare < 1 {
		sc = min(sc, rare) // common enough to be its habit
	}
	w.say(EventTest, side(p), min(sc, 3), at.T-int64(m.evHits-1)*p.StepMs)
}

// flat judges values that repeat where they never did. Only signals without a good side are tested: there a stuck sensor
// is the likely cause, while a ratio that rests at its good end is merely healthy.
func (m *Model) flat(p *Params, v float64, at Moment, l *lesson, thr float64, w *voice) {
	if likeness(v) == m.prevX {
		m.run = min(m.run+1, 60000)
	} else {
		// A row teaches once it is over, or none would ever be longer than those before. One that was an alarm teaches twice what was known.
		if m.state.Alarm() && m.test == FlatTest {
			m.run = min(m.run, 2*m.runMax+3)
		}
		m.runMax = min(max(m.runMax, m.run), 20000)
		m.run = 0
	}
	if p.Extremes {
		m.still(p, v, at, l, w)
		return
	}
	if p.Bad != Both || p.Mode == Event || p.Mode == Spread || m.run < 5 || (v == 0 && m.p0 > .001) {
		return
	}
	if m.ageH() < 24 || m.run < 3*m.runMax+3 || float64(m.run)*float64(p.StepMs) < flatLeastMs || m.sigma <= 4*minSig {
		return
	}
	same := max(float64(m.same), 1/float64(m.seen))
	st := High
	if l.e < 0 {
		st = Low
	}
	w.say(FlatTest, st, min(float64(m.run)*-math.Log(2*min(same, .5))/thr, 2), at.T-int64(m.run)*p.StepMs)
}

// ceiling counts windows beyond the fixed mark.
func (m *Model) ceiling(p *Params, v float64) {
	if !finite(p.Ceiling) || p.Bad == Down && v >= p.Ceiling || p.Bad != Down && v <= p.Ceiling {
		m.ceil = 0
		return
	}
	m.ceil = min(m.ceil+1, 60000)
}

// warmAlarm is move for windows before warm-up ends: only a ceiling or an event may open an alarm.
func (m *Model) warmAlarm(p *Params, at Moment, l *lesson, w *voice, j *Judgement) {
	if int(m.ceil) >= max(p.Persist, 1) {
		w.say(CeilingTest, side(p), 1.01, at.T-int64(m.ceil-1)*p.StepMs)
	}
	switch {
	case !m.state.Alarm() && w.score >= 1:
		m.state, m.test, m.rec = w.state, w.test, 0
		m.begins(w.onset)
		j.Transition = Opened
	case !m.state.Alarm():
	case m.test == EventTest && l.hit, m.test != EventTest && m.ceil > 0:
		m.rec = 0
	default:
		m.rec += float32(p.StepMs) / hourMs
		if float64(m.rec) >= m.recoverH(p) {
			m.state, m.test, m.since, m.rec, m.evHits = Learning, NoTest, 0, 0, 0
			j.Transition = Recovered
		}
	}
	j.State, j.Test = m.state, m.test
	if m.state.Alarm() {
		j.Score, j.Evidence, j.Onset = 1, p.Nats(m.test), m.onset()
		if l.why != nil {
			l.why.Clear = m.clears(p, &prediction{band: j.Band})
		}
	}
}

// recoverH is for how long, in hours, a signal must be in its band to have recovered.
func (m *Model) recoverH(p *Params) float64 {
	if p.Extremes {
		if m.hit > 0 {
			return max(relapseXH, 2*float64(p.StepMs)/hourMs)
		}
		return max(recoverXH, 2*float64(p.StepMs)/hourMs)
	}
	return max(recoverLeastH, 2*float64(p.StepMs)/hourMs)
}

// move opens, keeps and ends the alarm.
func (m *Model) move(p *Params, at Moment, v float64, q *prediction, l *lesson, w, slow *voice, dt float64) Transition {
	drifts := p.Extremes && m.spanH > 0 && m.driftH < m.spanH
	if p.Extremes {
		switch {
		case !drifts:
			m.mute = 0
		case slow.score >= 1 || m.mute > 0:
			m.mute += float32(dt) // for how long the drift has stood
		}
		if w.score < 1 && !m.state.Alarm() && slow.score >= 1 {
			w = slow
		}
		if m.state == Drifting && !drifts && w.score < 1 {
			m.end(p)
			return Recovered
		}
		if m.evHits > 0 {
			m.evHits--
		} else if !m.state.Alarm() {
			m.hit = 0
		}
		if m.state == Drifting && w.score >= 1 && w.test != DriftTest && math.Abs(l.w) > suddenX {
			m.relapse()
			m.state, m.test = w.state, w.test
			m.begins(w.onset)
			m.rec, m.candH, m.cand, m.candD = 0, 0, float32(l.e), float32(q.sig)
			return Opened
		}
	}
	if !m.state.Alarm() {
		if w.score >= 1 {
			if p.Extremes {
				m.relapse()
			}
			m.state, m.test = w.state, w.test
			m.begins(w.onset)
			m.rec, m.candH, m.cand, m.candD = 0, 0, float32(l.e), float32(q.sig)
			return Opened
		}
		m.state = Normal
		// A move to the good side is no alarm, but it is not followed at once either: it is adopted once it has lasted.
		if l.out != 0 {
			m.candidate(l, q, dt)
			if float64(m.candH) >= adoptH {
				m.adopt(p, q)
				return Adopted
			}
		} else {
			m.candH = max(m.candH-2*float32(dt), 0)
		}
		return Stay
	}
	if float64(m.candH) >= acceptedH {
		if m.test == DriftTest || m.cand == 0 {
			m.cand, m.candD = float32(l.e), float32(q.sig)
		}
		m.candH = 0
		m.adopt(p, q)
		return Adopted
	}
	// Is it over?
	in := false
	switch m.test {
	case CeilingTest:
		in = m.ceil == 0
	case FlatTest:
		in = m.run == 0
	case EventTest:
		in = !l.hit
	case DriftTest:
		in = m.driftH >= m.spanH && (l.out == 0 || p.Extremes)
	default:
		in = l.out == 0 && w.score < 1 && (m.state != High || v <= q.band.Upper) && (m.state != Low || v >= q.band.Lower)
	}
	if in {
		m.rec += float32(dt)
	} else {
		m.rec = max(m.rec-float32(dt), 0)
	}
	if float64(m.rec) >= m.recoverH(p)-dt/2 {
		was := m.test
		m.remember(p, at)
		m.end(p)
		if p.Extremes {
			m.evHits = uint16(min(relapseMs/p.StepMs, 60000))
		}
		if p.Extremes && was != DriftTest && m.mute > 0 {
			m.state, m.test, m.since = Drifting, DriftTest, seconds(at.T) // what was slow goes on
			return Stay
		}
		return Recovered
	}
	// What was found as high may turn out to be on its way.
	if w.test == DriftTest && w.score >= 1 && !p.Extremes && (m.test == PointTest || m.test == ShiftTest) {
		m.state, m.test, m.since = Drifting, DriftTest, min(m.since, seconds(w.onset))
	}
	if m.test == DriftTest && m.driftH < m.spanH {
		m.candH = 0
		return Stay
	}
	far := uint16(max(p.Persist, 3))
	switch {
	case m.state == Drifting && l.out > 0 && p.Bad != Down, m.state == Low && m.streak[0] >= far && p.Bad != Down:
		m.state = High // came to rest away from its band; or fell from one side to the other
	case m.state == Drifting && l.out < 0 && p.Bad != Up, m.state == High && m.streak[1] >= far && p.Bad != Up:
		m.state = Low
	}
	if m.test == DriftTest && m.state != Drifting {
		m.test = ShiftTest
	}
	if in {
		m.candH = max(m.candH-3*float32(dt), 0) // where it was stays known, for remember
		return Stay
	}
	m.candidate(l, q, dt)
	if m.adopts(p) {
		m.adopt(p, q)
		return Adopted
	}
	return Stay
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

// Accept takes the level at which an alarm stands for the new normal, as a person says it is: the next window adopts it. It reports
// false when no alarm stands that is about a level.
func (m *Model) Accept() bool {
	if !m.state.Alarm() || !m.adoptable() || m.flags&flagWarm == 0 {
		return false
	}
	m.candH = acceptedH
	return true
}

// relapse notes that an alarm begins within three hours after another one ended: the next must be quiet for longer to be over.
func (m *Model) relapse() {
	if m.evHits > 0 {
		m.hit = 1
	}
}

// end closes the alarm and forgets the evidence for it.
func (m *Model) end(p *Params) {
	if m.test == DriftTest && !p.Extremes {
		m.mute = 2 * m.spanH
	}
	m.state, m.test, m.since = Normal, NoTest, 0
	m.rec, m.candH = 0, 0
	m.evHits = 0
	m.streak = [2]uint16{}
	m.g = 0
	for i := range m.tails {
		m.tails[i].m = 0
	}
}

// candidate follows the level at which the signal now stands, and for how long it has been steady.
func (m *Model) candidate(l *lesson, q *prediction, dt float64) {
	r := float32(dt / (dt + 3))
	if m.candH == 0 {
		m.cand, m.candD = float32(l.e), float32(q.sig)
	}
	d := float32(l.e) - m.cand
	lim := 4 * max(m.candD, float32(q.sig))
	if d > lim || d < -lim {
		m.candH = max(m.candH-3*float32(dt), 0)
	} else {
		m.candH += float32(dt)
	}
	m.cand += r * clamp32(d, -lim, lim)
	if d < 0 {
		d = -d
	}
	m.candD += r * (min(1.2533*d, 2*lim) - m.candD)
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

// adopt makes the candidate the level; the old one is remembered, see regime.go.
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
