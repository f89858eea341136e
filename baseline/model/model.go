package model

// What one signal's memory is made of and how a window passes through it: predict, judge, then learn.

import "math"

// Model is what has been learned of one signal. It is a value of fixed size without pointers: it may be copied, kept in
// arrays and written out; the garbage collector never looks into it. The zero value must be given to Init before use.
// A Model is not safe for concurrent use.
//
// Values are judged on the scale y = asinh(x/s), which is linear below s and logarithmic above, so that noise that
// grows with the value stays even. Memory by purpose, in bytes: extremes 84, tails 176, rings 252, hour of day 96, hour of week 344, habits 18, the rest
// scalars; TestSize holds the sum to 1,024.
type Model struct {
	last  int64   // end of the newest window, Unix ms
	s     float64 // scale of asinh; 0 = nothing but zeros so far
	first uint32  // end of the first window, Unix s
	since uint32  // onset of the alarm that stands, Unix s
	prevX uint32  // hash of the value before, for the flatline test
	lived uint32  // seconds of windows learned; not seen × step, since the step may change

	ext    [6]extreme // residual up, down; far and sudden up, down; deviation in the unit; wandering level
	wander float32    // score of the wandering level at its newest test
	extN   [6]uint8   // blocks of each
	extL   uint16     // windows of the block under way

	tails [4]tail // fast up, fast down, block up, block down

	seen uint32 // windows learned from
	step uint32 // ms, of the newest window

	// Predictors: 0 level, 1 hour of day + correction, 2 hour of week + correction.
	off   [3]float32 // level, corrections
	mean  float32    // of the shape in use
	quick float32    // level that follows as quickly as the corrections, for a fair comparison
	err   [3]float32 // mean absolute error, exponentially weighted
	errH  float32    // hours over which err was gathered
	sigma float32    // robust scale of y - yhat
	v     float32    // variance of the whitened residual
	cov   float32    // covariance of the residual and its fast average
	gvar  float32    // variance of the fast average
	g     float32    // fast average (8 min) of the clipped residual
	vb    float32    // variance of block means
	hv    float32    // variance of hourly mean residuals, y²

	weekUnit float32 // of byWeek, in y

	p0, p00 float32 // share of zeros; the same after a zero
	hit     float32 // Event: share of windows above the effect
	same    float32 // share of windows equal to the one before

	hSum, hAbs  float32  // the hour under way: y and |e|/sigma
	hRes        float32  // … and residual
	bSum, bDev  float32  // the block under way: residual z; level y
	qSum, dSum  float32  // the 2-h and the daily block under way: level y
	cand, candD float32  // level of an alarm that lasts, as a distance from the prediction, and its scatter
	candH       float32  // hours for which that has been steady
	altEnd      uint32   // until when the levels before adoptions are remembered, Unix s; see regime.go
	alt         [2]int16 // those levels, as distances from the present one, unit; 0 = none
	slope       float32  // drift: y a day, of the newest strong trend
	driftH      float32  // drift: hours since a test found it strong
	spanH       float32  // drift: hours without a strong test after which it has ended
	mute        float32  // hours for which no drift is news, since one has just ended
	rec         float32  // recovery: hours in band gathered

	b, q, d int32 // numbers of the block, 2-h block and day under way

	hN, bN, qN, dN uint16
	run, runMax    uint16    // equal values in a row; the longest such run that was harmless
	streak         [2]uint16 // windows in a row beyond the band by more than the effect, up and down
	stay           [2]uint16 // longest such row that was harmless
	evHits, ceil   uint16    // windows above the effect; beyond the ceiling; in a row

	hour  uint8 // hour of week under way, 255 = none
	mode  uint8 // predictor in use
	flags uint8
	state State
	test  Test
	age   uint8 // daily evidence maxima seen, saturating; above them how much today is like a Sunday, see resting
	lent  uint8 // siblings that it began with, and lentLevel; see prior.go

	weekday [7]uint8  // visits of each weekday
	visits  [12]uint8 // visits of each hour of day, four bits each, saturating
	scale   [24]uint8 // residual scale of each hour, 1/32 octaves from 128

	habits [3]habit   // what comes back at the same time of the day or the week
	byHour [24]int16  // profile, unit
	rings  [126]int16 // seasonally adjusted levels: 48 blocks, 48 × 2 h, 30 days; before warm-up ends the first values, four cells each
	byWeek [168]int8  // hour of week less hour of day, in weekUnit
}

const (
	warmUp   = 30        // windows kept raw before the scale is fixed
	unit     = 1. / 2048 // of profiles and rings, in y
	hole     = -1 << 15  // a ring cell without data
	noHour   = 255       //
	hourMs   = 3_600_000 //
	minSig   = 1. / 2048 // floor of sigma: 0.05 % of the level
	dayH     = 24.       //
	quiet    = .02       // learning while an alarm stands
	noCell   = -128      // an hour of the week that was never seen
	bandMost = 4.        // half-width of a band, in y
)

const (
	flagWarm   = 1 << iota // the scale is fixed
	flagPrevUp             // the window before was in the upper tail
	flagPrevDn
	flagPrevBUp
	flagPrevBDn
	flagZero  // the window before was zero
	flagGap   // a window is missing in the warm-up
	flagReady // every hour of day has been seen twice
)

// Init empties m for a new signal.
func (m *Model) Init(p *Params) {
	*m = Model{hour: noHour}
	for i := range m.tails {
		m.tails[i] = gaussTail(i >= 2)
	}
	m.sigma, m.v, m.gvar, m.vb = 1, 1, 1, 1
	m.same = .5
	for i := range m.scale {
		m.scale[i] = 128
	}
	for i := range m.byWeek {
		m.byWeek[i] = noCell
	}
	m.weekUnit = unit
	m.step = uint32(clamp(float64(p.StepMs), 0, stepMax))
}

func (m *Model) r15() []int16 { return m.rings[:48] }
func (m *Model) r2h() []int16 { return m.rings[48:96] }
func (m *Model) r1d() []int16 { return m.rings[96:] }

func (m *Model) clearRings(p *Params) {
	if m.flags&flagWarm == 0 {
		return // the first values are there
	}
	if p.Extremes {
		return
	}
	for i := range m.rings[:96] {
		m.rings[i] = hole
	}
	m.bSum, m.bDev, m.bN, m.qSum, m.qN = 0, 0, 0, 0, 0
}

// Seen returns how many windows m has learned from.
func (m *Model) Seen() int64 { return int64(m.seen) }

// prediction is what is expected of one window, on the y scale.
type prediction struct {
	p         [3]float64 // of each predictor
	yhat      float64    //
	shape     float64    // seasonal part of yhat, with mean zero: what the rings are rid of
	sig       float64    // scale of the residual at this hour
	beta, g   float64    // whitening
	rv        float64    // sqrt(v)
	band      Band       //
	effUp     float64    // smallest deviation that counts, in the signal's unit
	effDn     float64    //
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

// phase returns the middle of the window in hours of the week. The middle, because a window of an hour that ends at
// 13:00 tells of 12:30.
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
	q.hiZ = max(2.5, q.rv*float64(m.tails[0].q+m.tails[0].ext)+lean) * wide
	q.lowZ = max(2.5, q.rv*float64(m.tails[1].q+m.tails[1].ext)-lean) * wide
	// The tail of a value that hardly ever moves is no law: no band reaches further than fiftyfold.
	most := bandMost / q.sig
	q.hiZ, q.lowZ = min(q.hiZ, most), min(q.lowZ, most)
	x := clamp(m.x(q.yhat), p.Min, p.Max)
	q.effUp, q.effDn = m.effects(p, x)
	q.band = Band{
		Lower:    min(m.x(q.yhat-q.lowZ*q.sig), x-q.effDn),
		Expected: x,
		Upper:    max(m.x(q.yhat+q.hiZ*q.sig), x+q.effUp),
	}
	q.band.clip(p)
}

// effects returns the smallest deviation up and down from x that counts.
func (m *Model) effects(p *Params, x float64) (up, down float64) {
	up = max(p.EffectAbs, p.EffectRel*math.Abs(x))
	if !(up < math.MaxFloat64) {
		up = math.MaxFloat64
	}
	return up, up
}

// wide is how much wider a band is drawn while less than a day has been seen: twice at first.
func (m *Model) wide() float64 {
	h := m.ageH()
	if h >= learnH {
		return 1
	}
	return 2 - h/learnH
}

// ageH is how many hours of windows have been learned.
func (m *Model) ageH() float64 { return float64(m.lived) / 3600 }

// live adds a window to the age.
func (m *Model) live(stepMs int64) {
	s := uint32(max((stepMs+500)/1000, 1))
	if m.lived+s > m.lived {
		m.lived += s
	}
}

// seconds returns t, Unix ms, in whole seconds that fit.
func seconds(t int64) uint32 { return uint32(min(max(t/1000, 0), math.MaxUint32)) }

// onset is when the alarm that stands began, Unix ms.
func (m *Model) onset() int64 { return int64(m.since) * 1000 }

// begins notes that an alarm began at t, Unix ms, or with the first window.
func (m *Model) begins(t int64) { m.since = max(seconds(t), m.first) }

// likeness maps a value to a hash that tells it from the next one.
func likeness(v float64) uint32 {
	if v == 0 {
		v = 0 // minus zero is zero
	}
	b := math.Float64bits(v)
	return uint32((b ^ b>>32) * 0x9e3779b1)
}

func (b *Band) clip(p *Params) {
	lo, hi := max(p.Min, -math.MaxFloat64), min(p.Max, math.MaxFloat64)
	b.Lower = clamp(b.Lower, lo, hi)
	b.Upper = clamp(b.Upper, lo, hi)
	b.Expected = clamp(b.Expected, lo, hi)
	b.Lower = min(b.Lower, b.Expected)
	b.Upper = max(b.Upper, b.Expected)
}

// y maps a value to the scale of judgement, within ±700.
func (m *Model) y(x float64) float64 {
	if x == 0 || m.s == 0 {
		return 0
	}
	return clamp(math.Asinh(x/m.s), -700, 700)
}

// x is the inverse of y.
func (m *Model) x(y float64) float64 {
	if m.s == 0 {
		return 0
	}
	// Sinh by one exponential: the library's takes two, and there are three of these a window.
	v := math.Abs(clamp(y, -700, 700))
	if v > .5 {
		v = math.Exp(v)
		v = (v - 1/v) / 2
	} else {
		v = math.Sinh(v)
	}
	return clamp(math.Copysign(v, y)*m.s, -math.MaxFloat64, math.MaxFloat64)
}

func clamp(v, lo, hi float64) float64 {
	if v < lo {
		return lo
	}
	if v > hi {
		return hi
	}
	return v
}

func clamp32(v, lo, hi float32) float32 { return min(max(v, lo), hi) }

func finite(v float64) bool { return v-v == 0 }

// Observe judges the value v of the window that ended at the given moment, then learns it. Windows must come in order
// of time: one that is not newer than the newest is skipped, as is a value that is NaN or ±Inf. p is not retained, and may differ
// from window to window.
func (m *Model) Observe(p *Params, at Moment, v float64) Judgement {
	return m.Explain(p, at, v, nil)
}

// Explain is Observe, and writes into why, when that is not nil, what the judgement rests on.
func (m *Model) Explain(p *Params, at Moment, v float64, why *Why) Judgement {
	if !p.sane() {
		r := p.repaired()
		p = &r
	}
	if why != nil {
		*why = Why{}
	}
	if !finite(v) || (m.first != 0 && at.T <= m.last) {
		j := Judgement{State: m.state, Seen: int64(m.seen), Borrowed: m.Borrowed(), Skipped: true, Seasonal: m.season(), Maturity: m.maturity(p), Band: m.Predict(p, at)}
		if m.state.Alarm() {
			j.Score, j.Test, j.Onset = 1, m.test, m.onset()
			j.Evidence = p.Nats(m.test)
			if why != nil {
				why.Clear = m.clears(p, &prediction{band: j.Band})
			}
		}
		return j
	}
	gap := m.first != 0 && at.T-m.last > p.StepMs*3/2
	if m.first == 0 {
		m.first = max(seconds(at.T), 1)
	}
	if uint32(p.StepMs) != m.step {
		m.step = uint32(p.StepMs)
		m.streak, m.stay = [2]uint16{}, [2]uint16{}
		m.clearRings(p)
	}
	if gap {
		// What was in a row is not any more, and a fast average from before the gap says nothing.
		m.streak = [2]uint16{}
		m.run, m.evHits = 0, 0
		m.g = 0
		m.flags &^= flagPrevUp | flagPrevDn | flagPrevBUp | flagPrevBDn | flagZero
	}
	if m.flags&flagWarm == 0 {
		return m.warm(p, at, v, gap, why)
	}
	if m.s == 0 && v != 0 {
		// The first value that is not zero sets the scale; near-linear, so that the next ones may be ten times larger.
		m.s = clamp(10*math.Abs(v), 1e-300, 1e300)
	}
	var q prediction
	m.predict(p, at, &q)
	l := lesson{why: why}
	l.y = m.y(v)
	l.e = l.y - q.yhat
	l.z = clamp(l.e/q.sig, -1e6, 1e6)
	l.w = (l.z - q.beta*q.g) / q.rv
	j := m.judge(p, at, v, &q, &l)
	m.learn(p, at, v, &q, &l)
	m.last = at.T
	j.Seen, j.Borrowed = int64(m.seen), m.Borrowed()
	return j
}

// lesson is one window on its way through judge and learn.
type lesson struct {
	y, e, z, w   float64 // on the scale; residual; in units of sigma; whitened
	level        float64 // y without its seasonal shape
	inUp, inDn   bool    // in a fast tail
	out          int     // 1 above the band, -1 below
	bw           float64 // mean of the block that closed with this window, in units of its scatter
	bz           float64 // the same in units of sigma
	closed       bool    // a block closed with enough windows
	bInUp, bInDn bool    // in a block tail
	usual        bool    // what these hours of the day or the week bring
	known        bool    // that, the regime before an adoption, or a habit
	suspect      bool    // evidence is high: learn little
	hit          bool    // Event: above the effect
	habit        bool    // what comes back at this time
	rest         bool    // a holiday that is like a Sunday
	why          *Why    // nil when nobody asks
	rare         float64 // Extremes: -ln of the probability of such a deviation within six hours
}

// threshold returns the evidence in nats at which the score is 1.
func threshold(p *Params) float64 {
	t := 18.
	if p.Threshold > 0 {
		t = p.Threshold
	}
	if p.StepMs > 60_000 {
		t = max(t-math.Log(float64(p.StepMs)/60_000), t/2) // a day has fewer of them to err in
	}
	return t * p.strict()
}

// strict is Strict, where 0 is 1.
func (p *Params) strict() float64 {
	if p.Strict > 0 {
		return p.Strict
	}
	return 1
}

// season returns the shape in use.
func (m *Model) season() Season { return [...]Season{NoSeason, Daily, Weekly}[m.mode] }

// maturity is how much of what m wants to see it has seen: the first windows, two days, one week.
func (m *Model) maturity(p *Params) float64 {
	h := m.ageH()
	a := min(1, float64(m.seen)/(4*warmUp))
	b := min(1, h/48)
	if p.Season == NoSeason || p.Mode == Spread || p.Mode == Event {
		return .5*a + .5*b
	}
	return .2*a + .4*b + .4*min(1, h/168)
}

// keep and kept put the first values into the rings' room, which nothing else needs yet.
func (m *Model) keep(i int, v float64) {
	b := math.Float64bits(v)
	for k := range 4 {
		m.rings[i*4+k] = int16(uint16(b >> (16 * k)))
	}
}

func (m *Model) kept(i int) float64 {
	var b uint64
	for k := range 4 {
		b |= uint64(uint16(m.rings[i*4+k])) << (16 * k)
	}
	return math.Float64frombits(b)
}

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
			buf[i] = m.kept(i)
		}
	}
	med := median(buf[:n])
	for i := range n {
		buf[i] = math.Abs(buf[i]/2 - med/2) // halves: the difference of two huge values must not overflow
	}
	top := 0.
	for _, d := range buf[:n] {
		top = max(top, d)
	}
	mad := 2 * median(buf[:n])
	half := max(max(6*mad, 2*top), max(math.Abs(med)/2, p.EffectAbs))
	half = max(half, p.EffectRel*math.Abs(med))
	b = Band{Lower: med - half, Expected: med, Upper: med + half}
	b.clip(p)
	return b
}

// median sorts buf and returns its middle.
func median(buf []float64) float64 {
	for i := 1; i < len(buf); i++ {
		v := buf[i]
		k := i
		for ; k > 0 && buf[k-1] > v; k-- {
			buf[k] = buf[k-1]
		}
		buf[k] = v
	}
	n := len(buf)
	if n == 0 {
		return 0
	}
	return buf[(n-1)/2]/2 + buf[n/2]/2
}

// idle reports whether enough of the first windows were uneventful to take an event for news.
func (m *Model) idle(p *Params) bool {
	if p.Mode != Event {
		return false
	}
	n := 0
	for i := range int(m.seen) {
		if !p.hit(m.kept(i)) {
			n++
		}
	}
	return n >= max(p.Persist, idleLeast)
}

// idleLeast is how many uneventful windows make an event news.
const idleLeast = 3

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
		if p.hit(m.kept(i)) {
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
	m.ceiling(p, v)
	var w voice
	l := lesson{why: why}
	if why != nil {
		w.by = &why.Scores
	}
	if m.idle(p) {
		m.event(p, v, at, &l, &w)
	}
	m.warmAlarm(p, at, &l, &w, &j)
	m.keep(int(m.seen), v)
	m.seen++
	m.live(p.StepMs)
	m.last = at.T
	m.prevX = likeness(v)
	j.Seen = int64(m.seen)
	if m.seen < warmUp {
		return j
	}
	// The scale: the median of |x|; where zeros are common ten times the mean, so that small counts stay linear.
	m.hit = m.usualHits(p)
	var xs, buf [warmUp]float64
	zeros, mean := 0, 0.
	for i := range warmUp {
		xs[i] = m.kept(i)
		buf[i] = math.Abs(xs[i])
		mean += buf[i] / warmUp
		if xs[i] == 0 {
			zeros++
		}
	}
	m.s = median(buf[:])
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
	level := median(buf[:])
	mad, abs := 0., 0.
	for i := range warmUp {
		buf[i] = math.Abs(xs[i] - level)
		abs += buf[i] / warmUp
	}
	mad = median(buf[:])
	m.off[0], m.quick = float32(level), float32(level)
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
	return j
}
