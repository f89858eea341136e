package model

// What one signal's memory is made of and how a window passes through it: predict, judge, then learn.

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/counts"
	"github.com/wrackline/wrackline/baseline/model/curve"
	"github.com/wrackline/wrackline/baseline/model/extreme"
	"github.com/wrackline/wrackline/baseline/model/habit"
	"github.com/wrackline/wrackline/baseline/model/ledger"
	"github.com/wrackline/wrackline/baseline/model/ring"
	"github.com/wrackline/wrackline/baseline/model/tail"
)

// Model is what has been learned of one signal. It is a value of fixed size without pointers: it may be copied, kept in arrays and written out; the garbage
// collector never looks into it. The zero value must be given to Init before use. A Model is not safe for concurrent use.
//
// Values are judged on the scale y = asinh(x/s), which is linear below s and logarithmic above, so that noise that grows with the value stays even. Memory by
// purpose, in bytes: extremes 84, tails 176, rings 252, hour of day 96, hour of week 344, habits 18, counted events 68, ledger 58, the rest scalars; TestSize holds the sum to 1,216.
type Model struct {
	last  int64   // end of the newest window, Unix ms
	s     float64 // scale of asinh; 0 = nothing but zeros so far
	first uint32  // end of the first window, Unix s
	since uint32  // onset of the alarm that stands, Unix s
	prevX uint32  // hash of the value before, for the flatline test
	lived uint32  // seconds of windows learned; not seen × step, since the step may change

	ext    [6]extreme.Law // residual up, down; far and sudden up, down; deviation in the unit; wandering level
	wander float32        // score of the wandering level at its newest test
	extN   [6]uint8       // blocks of each
	extL   uint16         // windows of the block under way

	tails [4]tail.Law // fast up, fast down, block up, block down

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
	altEnd      uint32   // until when the levels before adoptions are remembered, Unix s; see excuse_regime.go
	alt         [2]int16 // those levels, as distances from the present one, unit; 0 = none
	slope       float32  // drift: y a day, of the newest strong trend
	driftH      float32  // drift: hours since a test found it strong
	spanH       float32  // drift: hours without a strong test after which it has ended
	mute        float32  // hours for which no drift is news, since one has just ended
	rec         float32  // recovery: hours in band gathered

	b, q, d int32 // numbers of the block, 2-h block and day under way

	hN, bN, qN, dN uint16
	run, runMax    uint16    // equal values in a row; the longest such run that was harmless
	streak         [2]uint16 // windows beyond the band by more than the effect, less those within it since, up and down
	stay           [2]uint16 // most of them that were harmless
	evHits, ceil   uint16    // windows above the effect; beyond the ceiling; less those that were not, since

	hour  uint8 // hour of week under way, 255 = none
	mode  uint8 // predictor in use
	flags uint8
	state State
	test  Test
	age   uint8 // daily evidence maxima seen, saturating; above them how much today is like a Sunday, see resting
	lean  int8  // how far the band leaned as the row of windows beyond it began, leanUnit
	lent  uint8 // siblings that it began with, and lentLevel; see prior.go

	weekday [7]uint8     // visits of each weekday
	visits  curve.Visits // of each hour of the day
	scale   [24]uint8    // residual scale of each hour, 1/32 octaves from 128
	altSig  [2]uint8     // how the levels before adoptions scattered, see field.Scale; 0 = unknown

	usually counts.Share // what part of events usually goes wrong
	row     counts.Run   // few events in a row that are not as usual

	habits [3]habit.Habit // what comes back at the same time of the day or the week
	byHour [24]int16      // profile, unit
	rings  [126]int16     // seasonally adjusted levels: 48 blocks, 48 × 2 h, 30 days; before warm-up ends the first values, four cells each
	byWeek [168]int8      // hour of week less hour of day, in weekUnit

	// What adaptation does not move.
	book   ledger.Book // of a signal with a limit: how far it went on each day
	smooth float32     // level of the last quarter of an hour, y, for it
	life   ledger.Life // of what is renewed: where it usually is
	told   ledger.Told // how far out the alarm that stands has been told
}

const (
	warmUp    = 30        // windows kept raw before the scale is fixed
	idleLeast = 3         // uneventful first windows that make an event news
	unit      = 1. / 2048 // of profiles and rings, in y
	hole      = ring.Hole // a ring cell without data
	noHour    = 255       //
	hourMs    = 3_600_000 //
	minSig    = 1. / 2048 // floor of sigma: 0.05 % of the level
	dayH      = 24.       //
	quiet     = .02       // learning while an alarm stands
	leanUnit  = 1. / 16   // of lean, in sigmas
	noCell    = -128      // an hour of the week that was never seen
	bandMost  = 4.        // half-width of a band, in y
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
		m.tails[i] = tail.Gauss(i >= 2)
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
	m.book.Clear()
	m.step = uint32(clamp(float64(p.StepMs), 0, stepMax))
}

// Seen returns how many windows m has learned from.
func (m *Model) Seen() int64 { return int64(m.seen) }

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

func finite(v float64) bool { return v-v == 0 }

// Observe judges the value v of the window that ended at the given moment, then learns it. Windows must come in order of time: one that is not newer than the
// newest is skipped, as is a value that is NaN or ±Inf. p is not retained, and may differ from window to window.
func (m *Model) Observe(p *Params, at Moment, v float64) Judgement {
	return m.Explain(p, at, v, nil)
}

// Explain is Observe, and writes into why, when that is not nil, what the judgement rests on.
func (m *Model) Explain(p *Params, at Moment, v float64, why *Why) (j Judgement) {
	if !p.sane() {
		r := p.repaired()
		p = &r
	}
	if why != nil {
		*why = Why{}
	}
	if !finite(v) || (m.first != 0 && at.T <= m.last) {
		return m.skip(p, at, why)
	}
	if p.few() && !p.Extremes {
		return m.judgeFew(p, at, v, why)
	}
	gap := m.arrive(p, at)
	if m.flags&flagWarm == 0 {
		return m.warm(p, at, v, gap, why)
	}
	if m.s == 0 && v != 0 {
		// The first value that is not zero sets the scale; near-linear, so that the next ones may be ten times larger.
		m.s = clamp(10*math.Abs(v), 1e-300, 1e300)
	}
	var q prediction
	m.predict(p, at, &q)
	var l lesson
	l.at, l.v, l.why = at, v, why
	l.y = m.y(v)
	l.e = l.y - q.yhat
	l.z = clamp((l.y-clamp(l.y, q.low, q.high))/q.sig, -1e6, 1e6)
	l.w = (l.z - q.beta*q.g) / q.rv
	m.judge(p, &q, &l, &j)
	m.learn(p, &q, &l)
	m.last = at.T
	j.Seen, j.Borrowed = int64(m.seen), m.Borrowed()
	return j
}

// TurnBack takes back what lies after t, Unix ms, when the clock was ahead and has been put right, so that windows after t are judged again. What was learned stays.
func (m *Model) TurnBack(t int64) {
	now := max(seconds(t), 1)
	m.last, m.first, m.since = min(m.last, t), min(m.first, now), min(m.since, now)
}

// skip says of a value that cannot be judged where the signal stands.
func (m *Model) skip(p *Params, at Moment, why *Why) Judgement {
	j := Judgement{State: m.state, Seen: int64(m.seen), Borrowed: m.Borrowed(), Skipped: true, Seasonal: m.season(), Maturity: m.maturity(p), Band: m.Predict(p, at)}
	if m.state.Alarm() {
		m.standing(p, &j, why)
	}
	return j
}

// arrive takes note of a window's time: the first one, another step, and a gap before it, which it reports.
func (m *Model) arrive(p *Params, at Moment) (gap bool) {
	gap = m.first != 0 && at.T-m.last > p.StepMs*3/2
	if m.first == 0 {
		m.first = max(seconds(at.T), 1)
	}
	if uint32(p.StepMs) != m.step {
		m.row.Drop()
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
		tail.Redate(m.tails[:], m.last, at.T)
	}
	return gap
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
