package model

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// The tests drive models with synthetic series. Every series is a function of the window's number and a random source with a
// fixed seed, so a failure repeats itself; the seed is in the message.

type series func(i int, r *rand.Rand) float64

const monday = int64(1_736_121_600_000) // 2025-01-06 00:00 UTC, a Monday

func moment(t int64) Moment {
	s := t / 1000
	day := s / 86400
	return Moment{T: t, HourOfWeek: int((day+3)%7)*24 + int(s%86400/3600), HourFrac: float64(s%3600) / 3600, Day: int32(day)}
}

type run struct {
	p      Params
	m      Model
	at     int64
	alarms []alarm // opened
	held   int     // windows in alarm
	n      int
	last   Judgement
	each   func(i int, v float64, j Judgement)
	prior  *Prior // what siblings know; nil = none
}

type alarm struct {
	i     int
	test  Test
	state State
}

func newRun(p Params) *run {
	r := &run{p: p, at: monday}
	r.m.Init(&r.p)
	return r
}

func (r *run) observe(v float64) Judgement {
	r.at += r.p.StepMs
	if r.prior != nil {
		r.m.Borrow(&r.p, moment(r.at), r.prior)
	}
	j := r.m.Observe(&r.p, moment(r.at), v)
	if j.Transition == Opened {
		r.alarms = append(r.alarms, alarm{r.n, j.Test, j.State})
	}
	if j.State.Alarm() {
		r.held++
	}
	if r.each != nil {
		r.each(r.n, v, j)
	}
	r.n++
	r.last = j
	return j
}

func (r *run) feed(n int, s series, rnd *rand.Rand) {
	for range n {
		r.observe(s(r.n, rnd))
	}
}

func rnd(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

const perDay = 1440

// daily is a working day: quiet nights, busy days, weekends at half.
func daily(i int, r *rand.Rand) float64 {
	h := float64(i%perDay) / 60
	base := 100 * (1.2 - math.Cos((h-3)/12*math.Pi))
	if i/perDay%7 >= 5 {
		base *= .6
	}
	return base * math.Exp(.06*r.NormFloat64())
}

func gauss(i int, r *rand.Rand) float64 { return 100 + 5*r.NormFloat64() }

func ar() series {
	x := 0.
	return func(i int, r *rand.Rand) float64 {
		x = .9*x + math.Sqrt(1-.81)*r.NormFloat64()
		return 50 + 5*x
	}
}

func ou() series {
	x := 0.
	return func(i int, r *rand.Rand) float64 {
		a := math.Exp(-1. / 360)
		x = a*x + math.Sqrt(1-a*a)*r.NormFloat64()
		return 20 * math.Exp(.15*x) * (1 + .02*r.NormFloat64())
	}
}

func lognormal(i int, r *rand.Rand) float64 { return .02 * math.Exp(.4*r.NormFloat64()) }

func poisson(i int, r *rand.Rand) float64 {
	l, k, p := math.Exp(-.3), 0, 1.
	for p *= r.Float64(); p > l; p *= r.Float64() {
		k++
	}
	return float64(k)
}

func bursts(i int, r *rand.Rand) float64 {
	v := 10 + r.NormFloat64()
	if r.Float64() < .01 {
		v *= 2 + 4*r.Float64()
	}
	return v
}

func cron(i int, r *rand.Rand) float64 {
	v := 2 + .1*r.NormFloat64()
	if i%60 < 4 {
		v += 5 + .3*r.NormFloat64()
	}
	return v
}

func ratioOf(rate float64) series {
	return func(i int, r *rand.Rand) float64 {
		bad := 0
		for range 60 {
			if r.Float64() < rate {
				bad++
			}
		}
		return float64(bad) / 60
	}
}

func sawtooth() series {
	x := 200.
	return func(i int, r *rand.Rand) float64 {
		x += 2 + r.NormFloat64()
		if x > 400 {
			x = 200 + 10*r.NormFloat64()
		}
		return x
	}
}

func families() map[string]func() series {
	plain := func(s series) func() series { return func() series { return s } }
	return map[string]func() series{
		"gauss": plain(gauss), "daily": plain(daily), "ar": ar, "ou": ou, "lognormal": plain(lognormal), "poisson": plain(poisson),
		"bursts": plain(bursts), "cron": plain(cron), "ratio": plain(func(i int, r *rand.Rand) float64 { return ratioOf(.01)(i, r) }), "sawtooth": sawtooth,
		"constant": plain(func(int, *rand.Rand) float64 { return 3 }), "zero": plain(func(int, *rand.Rand) float64 { return 0 }),
	}
}

func TestSize(t *testing.T) {
	if got := unsafe.Sizeof(Model{}); got > 1024 {
		t.Errorf("a model takes %d bytes, more than 1024", got)
	}
	p := Defaults()
	var m Model
	m.Init(&p)
	if got := len(m.AppendBinary(nil)); got > 1024 {
		t.Errorf("an encoded model takes %d bytes, more than 1024", got)
	}
	t.Logf("in memory %d, encoded %d", unsafe.Sizeof(Model{}), len(m.AppendBinary(nil)))
}

// Two weeks of every family, saved and loaded at random moments, must go on bit for bit.
func TestSaveLoadAnywhere(t *testing.T) {
	t.Parallel()
	const seed = 3
	for name, mk := range families() {
		s := mk()
		src, cut := rnd(seed), rnd(seed+1)
		a, b := newRun(Defaults()), newRun(Defaults())
		for i := range 5 * perDay {
			v := s(i, src)
			if i > 3*perDay && i < 3*perDay+200 {
				v *= 3
			}
			ja, jb := a.observe(v), b.observe(v)
			if ja != jb {
				t.Fatalf("%s, seed %d: window %d: kept %+v, reloaded %+v", name, seed, i, ja, jb)
			}
			if cut.IntN(50) == 0 || i < 40 {
				data := b.m.AppendBinary(nil)
				var m Model
				if err := m.UnmarshalBinary(data); err != nil {
					t.Fatalf("%s: window %d: %v", name, i, err)
				}
				if m != b.m {
					t.Fatalf("%s: window %d: a field is not encoded", name, i)
				}
				b.m = m
			}
		}
		if !bytes.Equal(a.m.AppendBinary(nil), b.m.AppendBinary(nil)) {
			t.Errorf("%s: the states differ at the end", name)
		}
	}
}

func TestUnmarshalRefusesDamage(t *testing.T) {
	r := newRun(Defaults())
	r.feed(500, gauss, rnd(1))
	good := r.m.AppendBinary(nil)
	before := r.m
	bad := map[string][]byte{
		"nothing":      nil,
		"short":        good[:len(good)-1],
		"long":         append(append([]byte(nil), good...), 0),
		"other format": append([]byte{99}, good[1:]...),
	}
	nan := append([]byte(nil), good...)
	copy(nan[9:], []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x7f}) // the scale
	bad["NaN"] = nan
	for name, data := range bad {
		if err := r.m.UnmarshalBinary(data); err == nil {
			t.Errorf("%s: no error", name)
		}
		if r.m != before {
			t.Errorf("%s: the model changed", name)
		}
	}
}

// FuzzUnmarshal: whatever is accepted must not panic, and must stay finite.
func FuzzUnmarshal(f *testing.F) {
	r := newRun(Defaults())
	f.Add(r.m.AppendBinary(nil))
	r.feed(3000, daily, rnd(1))
	f.Add(r.m.AppendBinary(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := Defaults()
		var m Model
		if m.UnmarshalBinary(data) != nil {
			return
		}
		for i := range 40 {
			at := m.last + int64(i+1)*p.StepMs
			if at < 0 || at > 1<<60 {
				return
			}
			m.Observe(&p, moment(at), float64(i))
		}
	})
}

// Scaling by a power of two changes nothing but the unit; by any other factor nothing but the last digits.
func TestScaleInvariance(t *testing.T) {
	for _, c := range []float64{1024, 1. / 4096, 1e-9, 1e12} {
		a, b := newRun(Defaults()), newRun(Defaults())
		ra, rb := rnd(5), rnd(5)
		for i := range 4 * perDay {
			v, w := daily(i, ra), daily(i, rb)*c
			if i > 3*perDay+600 && i < 3*perDay+700 {
				v, w = v*2.5, w*2.5
			}
			ja, jb := a.observe(v), b.observe(w)
			if ja.State != jb.State || ja.Transition != jb.Transition || math.Abs(ja.Score-jb.Score) > .02*(1+ja.Score) {
				t.Fatalf("×%g, window %d: %v %.3f, scaled %v %.3f", c, i, ja.State, ja.Score, jb.State, jb.Score)
			}
		}
		if len(a.alarms) == 0 {
			t.Errorf("the fault was not found at all")
		}
	}
}

// A whole number of weeks later everything is the same.
func TestWeekShiftInvariance(t *testing.T) {
	a, b := newRun(Defaults()), newRun(Defaults())
	b.at += 5 * 7 * 86_400_000
	ra, rb := rnd(9), rnd(9)
	for i := range 9 * perDay {
		v, w := daily(i, ra), daily(i, rb)
		if i > 8*perDay+600 && i < 8*perDay+700 {
			v, w = v*3, w*3
		}
		ja, jb := a.observe(v), b.observe(w)
		if ja.State != jb.State || ja.Score != jb.Score || ja.Band != jb.Band {
			t.Fatalf("window %d: %+v, five weeks later %+v", i, ja, jb)
		}
	}
	if len(a.alarms) == 0 {
		t.Error("the fault was not found at all")
	}
}

// The mirror image alarms at the same windows, low for high.
func TestDirectionSymmetry(t *testing.T) {
	a, b := newRun(Defaults()), newRun(Defaults())
	ra, rb := rnd(11), rnd(11)
	for i := range 4 * perDay {
		v, w := gauss(i, ra), -gauss(i, rb)
		if i > 3*perDay+600 && i < 3*perDay+700 {
			v, w = v*1.6, w*1.6
		}
		ja, jb := a.observe(v), b.observe(w)
		want := ja.State
		switch want {
		case High:
			want = Low
		case Low:
			want = High
		}
		if jb.State != want || math.Abs(ja.Score-jb.Score) > 1e-3*(1+ja.Score) {
			t.Fatalf("window %d: %v %.4f, mirrored %v %.4f", i, ja.State, ja.Score, jb.State, jb.Score)
		}
	}
	if len(a.alarms) == 0 {
		t.Error("the fault was not found at all")
	}
}

// On the good side nothing alarms, however far; on the bad side the same thing does.
func TestGoodSideIsSilent(t *testing.T) {
	for _, c := range []struct {
		bad    Direction
		factor float64
		want   bool
	}{{Up, 3, true}, {Up, .2, false}, {Down, 3, false}, {Down, .2, true}, {Both, 3, true}, {Both, .2, true}} {
		p := Defaults()
		p.Bad = c.bad
		r := newRun(p)
		src := rnd(13)
		r.feed(3*perDay, gauss, src)
		r.feed(180, func(i int, s *rand.Rand) float64 { return c.factor * gauss(i, s) }, src)
		if got := len(r.alarms) > 0; got != c.want {
			t.Errorf("bad side %v, ×%g: alarm %v, want %v", c.bad, c.factor, got, c.want)
		}
	}
}

// Nothing that a float can hold may poison the state.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	odd := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e300, -1e300, math.MaxFloat64, -math.MaxFloat64, 5e-324, -5e-324, 0, math.Copysign(0, -1), 1}
	for _, mode := range []Mode{Level, Trend, Spread, Event} {
		for seed := range uint64(30) {
			p := Defaults()
			p.Mode = mode
			src := rnd(seed)
			r := newRun(p)
			for i := range 4000 {
				v := odd[src.IntN(len(odd))]
				if seed%3 == 0 && i > 100 && src.IntN(10) > 0 {
					v = gauss(i, src)
				}
				if seed%5 == 1 {
					v = odd[seed%uint64(len(odd))]
				}
				j := r.observe(v)
				if !(j.Band.Lower <= j.Band.Expected && j.Band.Expected <= j.Band.Upper) || !finite(j.Band.Lower) || !finite(j.Band.Upper) {
					t.Fatalf("seed %d: window %d: band %+v", seed, i, j.Band)
				}
				if !finite(j.Score) || !finite(j.Evidence) || !finite(j.SlopePerDay) || j.Maturity < 0 || j.Maturity > 1 {
					t.Fatalf("seed %d: window %d: %+v", seed, i, j)
				}
				if j.Skipped != !finite(v) {
					t.Fatalf("seed %d: window %d: value %g skipped: %v", seed, i, v, j.Skipped)
				}
			}
			var m Model
			if err := m.UnmarshalBinary(r.m.AppendBinary(nil)); err != nil {
				t.Fatalf("seed %d: the state is poisoned: %v", seed, err)
			}
		}
	}
}

// A duplicate or an older window changes nothing.
func TestOldWindowsAreSkipped(t *testing.T) {
	r := newRun(Defaults())
	r.feed(2000, gauss, rnd(1))
	before := r.m
	for _, back := range []int64{0, 1, 60_000, 86_400_000} {
		if j := r.m.Observe(&r.p, moment(r.at-back), 1e6); !j.Skipped || r.m != before {
			t.Errorf("a window %d ms before the newest one was learned", back)
		}
	}
}

// An outage of six hours or a day is held nearly throughout, ends, and the next one is found as well.
func TestOutageIsHeldAndFoundAgain(t *testing.T) {
	t.Parallel()
	for _, hours := range []int{6, 24} {
		for name, mk := range map[string]series{"gauss": gauss, "daily": daily} {
			for _, factor := range []float64{.1, 3} {
				r := newRun(Defaults())
				src := rnd(17)
				r.feed(15*perDay, mk, src)
				if len(r.alarms) > 0 {
					t.Fatalf("%s: alarm before the outage: %v", name, r.alarms)
				}
				outage := func() (share float64, found bool) {
					was, n := r.held, len(r.alarms)
					r.feed(hours*60, func(i int, s *rand.Rand) float64 { return factor * mk(i, s) }, src)
					return float64(r.held-was) / float64(hours*60), len(r.alarms) > n
				}
				share, _ := outage()
				if share < .95 {
					t.Errorf("%s ×%g for %d h: alarm held %.1f %%", name, factor, hours, 100*share)
				}
				n := len(r.alarms)
				r.feed(7*perDay-hours*60, mk, src)
				if r.last.State != Normal {
					t.Errorf("%s ×%g for %d h: a week later still %v", name, factor, hours, r.last.State)
				}
				if len(r.alarms) > n {
					t.Errorf("%s ×%g for %d h: %d alarms after the return: %v", name, factor, hours, len(r.alarms)-n, r.alarms)
				}
				if _, found := outage(); !found {
					t.Errorf("%s ×%g for %d h: the second outage was missed", name, factor, hours)
				}
			}
		}
	}
}

// Contamination moves what is expected by less than .3 sigma, and what contaminates is still found later.
func TestPoisoning(t *testing.T) {
	for _, share := range []float64{.01, .05, .1} {
		r := newRun(Defaults())
		src := rnd(19)
		r.feed(10*perDay, func(i int, s *rand.Rand) float64 {
			v := gauss(i, s)
			if s.Float64() < share {
				v += 50
			}
			return v
		}, src)
		if got := r.last.Band.Expected; math.Abs(got-100) > .6*5 {
			t.Errorf("%g %% of +50: expected %.2f, want 100 within 3", 100*share, got)
		}
		n := len(r.alarms)
		r.feed(240, func(i int, s *rand.Rand) float64 { return 50 + gauss(i, s) }, src)
		if share < .1 && len(r.alarms) == n && !r.last.State.Alarm() {
			t.Errorf("%g %% of +50: four hours of +50 were not found", 100*share)
		}
	}
}

func TestDriftIsFoundBeforeHalfWay(t *testing.T) {
	t.Parallel()
	for name, mk := range map[string]series{"gauss": gauss, "daily": daily} {
		for _, c := range []struct {
			gain float64 // of the whole way
			days int
		}{{1, 1}, {.6, 4}, {1, 7}} {
			found, rounds := 0, 5
			for seed := range uint64(rounds) {
				p := Defaults()
				p.Mode = Trend
				r := newRun(p)
				src := rnd(100 + seed)
				r.feed(21*perDay, mk, src)
				n := len(r.alarms)
				way := c.days * perDay
				start := r.n
				r.feed(way/2, func(i int, s *rand.Rand) float64 { return mk(i, s) * (1 + c.gain*float64(i-start)/float64(way)) }, src)
				if len(r.alarms) > n {
					found++
				}
			}
			if found < rounds-1 {
				t.Errorf("%s +%.0f %% in %d d: found before half way in %d of %d", name, 100*c.gain, c.days, found, rounds)
			}
		}
	}
}

func TestLimitEta(t *testing.T) {
	p := Defaults()
	p.Mode, p.Bad, p.Season, p.Min, p.Max = Trend, Up, NoSeason, 0, 1
	p.EffectAbs, p.EffectRel, p.Limit, p.EtaMs = .02, 0, 1, 48*3_600_000
	r := newRun(p)
	src := rnd(23)
	noise := func(level float64, s *rand.Rand) float64 { return level + .005*s.NormFloat64() }
	r.feed(3*perDay, func(i int, s *rand.Rand) float64 { return noise(.4, s) }, src)
	start := r.n
	var at Judgement
	for range 3 * perDay {
		j := r.observe(noise(.4+.2*float64(r.n-start)/perDay, src))
		if j.State == Drifting && j.LimitEta > 0 {
			at = j
		}
	}
	if at.LimitEta == 0 {
		t.Fatalf("no drift with a time to the limit: %v", r.alarms)
	}
	if at.SlopePerDay < .15 || at.SlopePerDay > .25 {
		t.Errorf("slope %.3f a day, want .2", at.SlopePerDay)
	}
	// The same drift to a limit that is far away is no news.
	p.EtaMs = 3_600_000
	r = newRun(p)
	src = rnd(23)
	r.feed(3*perDay, func(i int, s *rand.Rand) float64 { return noise(.4, s) }, src)
	start = r.n
	r.feed(12*60, func(i int, s *rand.Rand) float64 { return noise(.4+.02*float64(i-start)/perDay, s) }, src)
	for _, a := range r.alarms {
		if a.test == DriftTest {
			t.Errorf("drift alarm although the limit is days away: %v", a)
		}
	}
}

// The edge of each tail is passed as often as it says.
func TestTailsAreCalibrated(t *testing.T) {
	for name, mk := range map[string]series{"gauss": gauss, "daily": daily, "ar": ar(), "lognormal": lognormal} {
		r := newRun(Defaults())
		src := rnd(29)
		r.feed(3*perDay, mk, src)
		up, down, n := 0, 0, 14*perDay
		for range n {
			v := mk(r.n, src)
			var q prediction
			r.m.predict(&r.p, moment(r.at+r.p.StepMs), &q)
			e := r.m.y(v) - q.yhat
			w := (e/q.sig - q.beta*q.g) / q.rv
			if w > float64(r.m.tails[0].q) {
				up++
			}
			if -w > float64(r.m.tails[1].q) {
				down++
			}
			r.observe(v)
		}
		for side, k := range map[string]int{"up": up, "down": down} {
			if share := float64(k) / float64(n); share < .8*alphaFast || share > 1.2*alphaFast {
				t.Errorf("%s: the %s quantile is passed by %.4f, want %.3f ± 20 %%", name, side, share, alphaFast)
			}
		}
	}
}

func TestColdModel(t *testing.T) {
	for name, mk := range families() {
		r := newRun(Defaults())
		s, src := mk(), rnd(31)
		for i := range warmUp {
			j := r.observe(s(i, src))
			if j.State != Learning || j.Score >= 1 {
				t.Errorf("%s: window %d: %v, score %g", name, i, j.State, j.Score)
			}
			if i == 0 && j.Band.Upper < j.Band.Expected {
				t.Errorf("%s: no band at the first window: %+v", name, j.Band)
			}
		}
		was := r.last.Maturity
		r.feed(8*perDay, s, src)
		if r.last.Maturity != 1 || was >= .5 {
			t.Errorf("%s: maturity %g after warm-up, %g after 8 days, want < .5 and 1", name, was, r.last.Maturity)
		}
	}
}

func TestSeasonIsLearned(t *testing.T) {
	r := newRun(Defaults())
	r.feed(6*perDay, daily, rnd(37))
	if r.last.Seasonal != Daily {
		t.Errorf("after six days: %v, want daily", r.last.Seasonal)
	}
	r.feed(22*perDay, daily, rnd(38))
	if r.last.Seasonal != Weekly {
		t.Errorf("after four weeks: %v, want weekly", r.last.Seasonal)
	}
	g := newRun(Defaults())
	g.feed(14*perDay, gauss, rnd(39))
	if g.last.Seasonal != NoSeason {
		t.Errorf("noise: season %v, want none", g.last.Seasonal)
	}
}

func TestEventMode(t *testing.T) {
	p := Defaults()
	p.Mode, p.Bad, p.Min, p.EffectAbs, p.EffectRel, p.Persist = Event, Up, 0, 1, 0, 2
	r := newRun(p)
	zero := func(int, *rand.Rand) float64 { return 0 }
	r.feed(200, zero, nil)
	r.observe(2)
	if r.last.State.Alarm() {
		t.Error("one window is enough although two are asked for")
	}
	if j := r.observe(2); j.State != High || j.Test != EventTest || j.Transition != Opened {
		t.Errorf("second window in a row: %v by %v, want high by event", j.State, j.Test)
	}
	r.feed(30, zero, nil)
	if r.last.State != Normal && r.last.State != Learning {
		t.Errorf("half an hour after the end: %v", r.last.State)
	}
	// A signal that often has events is not news each time.
	r = newRun(p)
	r.feed(3*perDay, func(i int, s *rand.Rand) float64 {
		if s.Float64() < .3 {
			return 1
		}
		return 0
	}, rnd(41))
	if len(r.alarms) > 1 {
		t.Errorf("events in 30 %% of windows: %d alarms", len(r.alarms))
	}
}

func TestCeiling(t *testing.T) {
	p := Defaults()
	p.Bad, p.Min, p.Max, p.Ceiling = Up, 0, 1, .9
	r := newRun(p)
	r.observe(.95)
	r.observe(.95)
	if j := r.observe(.95); j.State != High || j.Test != CeilingTest {
		t.Errorf("third window above the ceiling of a cold model: %v by %v", j.State, j.Test)
	}
	r.feed(40, func(int, *rand.Rand) float64 { return .5 }, nil)
	if r.last.State.Alarm() {
		t.Errorf("below the ceiling for 40 windows: %v", r.last.State)
	}
}

func TestEffectsMustBothHold(t *testing.T) {
	for _, c := range []struct {
		abs, rel, jump float64
		want           bool
	}{
		{0, .2, 1.5, true},
		{80, .2, 1.5, false}, // 50 of 100 is below the absolute effect
		{20, .8, 1.5, false}, // and below the relative one
		{20, .3, 1.5, true},
	} {
		p := Defaults()
		p.EffectAbs, p.EffectRel = c.abs, c.rel
		r := newRun(p)
		src := rnd(43)
		r.feed(4*perDay, gauss, src)
		r.feed(120, func(i int, s *rand.Rand) float64 { return c.jump * gauss(i, s) }, src)
		if got := len(r.alarms) > 0; got != c.want {
			t.Errorf("effect %g and %g: alarm %v, want %v", c.abs, c.rel, got, c.want)
		}
	}
}

// A lasting change is adopted, visibly, where both sides may be normal; never on the side that is bad.
func TestAdoption(t *testing.T) {
	for _, c := range []struct {
		bad  Direction
		want bool
	}{{Both, true}, {Up, false}, {Down, true}} {
		p := Defaults()
		p.Bad = c.bad
		r := newRun(p)
		adopted := 0
		r.each = func(_ int, _ float64, j Judgement) {
			if j.Transition == Adopted {
				adopted++
			}
		}
		src := rnd(47)
		r.feed(5*perDay, gauss, src)
		shifted := func(i int, s *rand.Rand) float64 { return 2 * gauss(i, s) }
		r.feed(3*perDay, shifted, src)
		if (adopted == 1) != c.want {
			t.Errorf("bad side %v: adopted %d times in three days, want %v", c.bad, adopted, c.want)
		}
		if c.bad == Up && r.last.State != High {
			t.Errorf("bad side up: %v after three days, want high", r.last.State)
		}
		n := len(r.alarms)
		if c.bad == Both {
			r.feed(perDay, gauss, src) // back to the regime before
			if len(r.alarms) > n {
				t.Errorf("the return to the known regime alarmed: %v", r.alarms[n:])
			}
		}
	}
}

func TestGapsAndStepChanges(t *testing.T) {
	r := newRun(Defaults())
	src := rnd(53)
	for i := range 6 * perDay {
		if i%97 < 10 || i/perDay == 3 {
			r.at += r.p.StepMs
			r.n++
			continue
		}
		r.observe(daily(r.n, src))
	}
	r.p.StepMs = 300_000
	for range 288 * 3 {
		r.n += 4
		r.observe(daily(r.n, src))
	}
	if len(r.alarms) > 0 {
		t.Errorf("alarms on gaps and a changed step: %v", r.alarms)
	}
}

func TestAnyStep(t *testing.T) {
	for _, step := range []int64{60_000, 300_000, 900_000, 3_600_000} {
		p := Defaults()
		p.StepMs, p.Persist = step, 1
		r := newRun(p)
		k := int(step / 60_000)
		src := rnd(59)
		s := func(i int, q *rand.Rand) float64 { return daily(i*k, q) }
		r.feed(28*perDay/k, s, src)
		if len(r.alarms) > 0 {
			t.Errorf("step %d s: alarms %v", step/1000, r.alarms)
		}
		r.feed(max(perDay/4/k, 4), func(i int, q *rand.Rand) float64 { return 4 * s(i, q) }, src)
		if len(r.alarms) == 0 {
			t.Errorf("step %d s: six hours at four times the usual were missed", step/1000)
		}
	}
}

// False alarms in a modest number of series of every benign family; WRACKLINE_LONG=n multiplies the number.
func TestBenignFamiliesAreQuiet(t *testing.T) {
	t.Parallel()
	count := 4 * long()
	for name, mk := range families() {
		falses := map[Test]int{}
		total := 0
		for seed := range uint64(count) {
			r := newRun(Defaults())
			r.feed(28*perDay, mk(), rnd(1000+seed))
			for _, a := range r.alarms {
				falses[a.test]++
				total++
			}
		}
		weeks := float64(4 * count)
		t.Logf("%-10s %4.0f series-weeks: %.3f false alarms a week %v", name, weeks, float64(total)/weeks, fmt.Sprint(falses))
		if float64(total)/weeks > .07 {
			t.Errorf("%s: %d false alarms in %.0f series-weeks", name, total, weeks)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	r := newRun(Defaults())
	src := rnd(61)
	r.feed(3*perDay, daily, src)
	if n := testing.AllocsPerRun(2000, func() { r.observe(150) }); n > 0 {
		t.Errorf("Observe allocates %g times", n)
	}
	if n := testing.AllocsPerRun(200, func() { r.m.Predict(&r.p, moment(r.at)) }); n > 0 {
		t.Errorf("Predict allocates %g times", n)
	}
}
