package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Situations that a cluster brings every week, and what a model promises in each.

// alarmWithin feeds s for n windows and returns after how many an alarm opened; −1 = never.
func (r *run) alarmWithin(n int, s series, src *rand.Rand) int {
	was, start := len(r.alarms), r.n
	r.feed(n, s, src)
	if len(r.alarms) == was {
		return -1
	}
	return r.alarms[was].i - start + 1
}

// An outage of one hour to half a day is held nearly throughout, leaves no echo, and the same one is found again a week later.
// (TestOutageIsHeldAndFoundAgain has the whole day.)
func TestOutagesOfEveryLength(t *testing.T) {
	t.Parallel()
	for name, mk := range map[string]series{"gauss": gauss, "daily": daily} {
		for _, hours := range []int{1, 3, 12} {
			for kind, broken := range map[string]func(v float64) float64{
				"nothing left": func(float64) float64 { return 0 },
				"a tenth left": func(v float64) float64 { return v / 10 },
				"×3":           func(v float64) float64 { return 3 * v },
			} {
				r := newRun(Defaults())
				src := rnd(71)
				r.feed(15*perDay+600, mk, src)
				for round := range 2 {
					was, n := r.held, len(r.alarms)
					first := r.alarmWithin(hours*60, func(i int, s *rand.Rand) float64 { return broken(mk(i, s)) }, src)
					share := float64(r.held-was) / float64(hours*60)
					late := 1 - 12/float64(hours*60) // an alarm needs a few windows to rise
					if first < 0 || first > 8 || share < min(.95, late) {
						t.Errorf("%s, %s for %d h, round %d: alarm after %d windows, held %.1f %%", name, kind, hours, round, first, 100*share)
					}
					if got := len(r.alarms) - n; got != 1 {
						t.Errorf("%s, %s for %d h, round %d: %d alarms for one outage", name, kind, hours, round, got)
					}
					n = len(r.alarms)
					r.feed(7*perDay-hours*60, mk, src)
					if len(r.alarms) > n || r.last.State != Normal {
						t.Errorf("%s, %s for %d h, round %d: echo %v, now %v", name, kind, hours, round, r.alarms[n:], r.last.State)
					}
				}
			}
		}
	}
}

// Once a new level has been adopted it is normal, and what departs from it is news.
func TestAdoptedLevelIsGuarded(t *testing.T) {
	r := newRun(Defaults())
	src := rnd(73)
	r.feed(5*perDay, gauss, src)
	r.feed(3*perDay, func(i int, s *rand.Rand) float64 { return 2 * gauss(i, s) }, src)
	if r.last.State != Normal || math.Abs(r.last.Band.Expected-200) > 20 {
		t.Fatalf("after three days at 200: %v, expected %.0f", r.last.State, r.last.Band.Expected)
	}
	if n := r.alarmWithin(30, func(i int, s *rand.Rand) float64 { return 4 * gauss(i, s) }, src); n < 0 || n > 10 {
		t.Errorf("400 where 200 was adopted: alarm after %d windows", n)
	}
}

// A gap is no event: neither before nor after it is anything alarming about a signal that goes on as it was. One that comes
// back broken is found, and an alarm that stood is not forgotten until the signal is seen in its band.
func TestGaps(t *testing.T) {
	t.Parallel()
	for _, minutes := range []int64{2, 60, 3 * perDay, 10 * perDay} {
		for name, mk := range map[string]series{"gauss": gauss, "daily": daily, "constant": func(int, *rand.Rand) float64 { return 3 }} {
			skip := func(r *run) {
				r.at += minutes * 60_000
				r.n += int(minutes)
			}
			src := rnd(79)
			r := newRun(Defaults())
			r.feed(16*perDay, mk, src)
			skip(r)
			r.feed(perDay, mk, src)
			if len(r.alarms) > 0 {
				t.Errorf("%s, %d min away: %v", name, minutes, r.alarms)
			}
			skip(r)
			broken := func(i int, s *rand.Rand) float64 { return 5 * mk(i, s) }
			if n := r.alarmWithin(30, broken, src); n < 0 || n > 10 {
				t.Errorf("%s, back from %d min at five times its value: alarm after %d windows", name, minutes, n)
			}
			skip(r)
			if j := r.observe(5 * mk(r.n, src)); !j.State.Alarm() {
				t.Errorf("%s: the alarm was forgotten within a gap of %d min", name, minutes)
			}
			r.feed(60, mk, src)
			if r.last.State != Normal {
				t.Errorf("%s: an hour in its band after a gap of %d min: %v", name, minutes, r.last.State)
			}
		}
	}
}

func TestConstantThatChanges(t *testing.T) {
	for _, c := range []struct {
		to   float64
		want bool
	}{{2, true}, {4, true}, {0, true}, {3.3, false}} { // the smallest effect is 20 %
		r := newRun(Defaults())
		r.feed(3*perDay, func(int, *rand.Rand) float64 { return 3 }, nil)
		n := r.alarmWithin(60, func(int, *rand.Rand) float64 { return c.to }, nil)
		if (n >= 0) != c.want || n > 6 {
			t.Errorf("3 → %g: alarm after %d windows, want one: %v", c.to, n, c.want)
		}
	}
	// One window's slip is nothing.
	r := newRun(Defaults())
	r.feed(3*perDay, func(i int, _ *rand.Rand) float64 {
		if i == 3000 {
			return 7
		}
		return 3
	}, nil)
	if len(r.alarms) > 0 {
		t.Errorf("one odd window: %v", r.alarms)
	}
}

// An error ratio near zero: a jump to 4 % is found at once when that matters, and is nothing where 5 % is the least that does.
func TestRatioNearZero(t *testing.T) {
	for _, c := range []struct {
		effect float64
		want   bool
	}{{.01, true}, {.05, false}} {
		p := Defaults()
		p.Bad, p.Min, p.Max, p.EffectAbs = Up, 0, 1, c.effect
		r := newRun(p)
		src := rnd(83)
		small := func(i int, s *rand.Rand) float64 { return max(0, .001*s.NormFloat64()) }
		r.feed(3*perDay, small, src)
		n := r.alarmWithin(30, func(i int, s *rand.Rand) float64 { return .04 + .002*s.NormFloat64() }, src)
		if (n >= 0) != c.want || n > p.Persist+1 {
			t.Errorf("effect %g: alarm after %d windows, want one: %v", c.effect, n, c.want)
		}
		if b := r.last.Band; b.Lower < 0 || b.Upper > 1 {
			t.Errorf("band %+v of a ratio", b)
		}
	}
}

// A few events an hour are no news; many at once are.
func TestFewEvents(t *testing.T) {
	p := Defaults()
	p.Bad, p.Min, p.EffectAbs = Up, 0, 2
	r := newRun(p)
	src := rnd(89)
	r.feed(14*perDay, poisson, src)
	if len(r.alarms) > 0 {
		t.Errorf("a third of an event a window: %v", r.alarms)
	}
	if n := r.alarmWithin(60, func(i int, s *rand.Rand) float64 { return 6 + float64(s.IntN(4)) }, src); n < 0 || n > 8 {
		t.Errorf("seven events a window: alarm after %d", n)
	}
}

// A replica that is starved of its share.
func TestSpread(t *testing.T) {
	p := Defaults()
	p.Mode, p.Bad, p.Min, p.EffectAbs = Spread, Down, 0, .3
	r := newRun(p)
	src := rnd(97)
	fair := func(i int, s *rand.Rand) float64 { return 1 - .05*math.Abs(s.NormFloat64()) }
	r.feed(7*perDay, fair, src)
	if len(r.alarms) > 0 {
		t.Errorf("fair shares: %v", r.alarms)
	}
	if n := r.alarmWithin(30, func(i int, s *rand.Rand) float64 { return .2 * fair(i, s) }, src); n < 0 || n > p.Persist+2 {
		t.Errorf("a fifth of its share: alarm after %d windows", n)
	}
	r.feed(60, fair, src)
	if r.last.State != Normal {
		t.Errorf("an hour of fair shares later: %v", r.last.State)
	}
}

// A signal that is usually zero speaks from its first minutes; one that always has events does not.
func TestEventsOfAYoungSignal(t *testing.T) {
	for _, persist := range []int{1, 2, 3} {
		p := Defaults()
		p.Mode, p.Bad, p.Min, p.EffectAbs, p.EffectRel, p.Persist = Event, Up, 0, 1, 0, persist
		r := newRun(p)
		r.feed(3, func(int, *rand.Rand) float64 { return 0 }, nil)
		if n := r.alarmWithin(3, func(int, *rand.Rand) float64 { return 8 }, nil); n != persist {
			t.Errorf("0 0 0 8 8 8: alarm after %d windows, want %d", n, persist)
		}
		if r.last.Test != EventTest || r.last.State != High {
			t.Errorf("%v by %v, want high by event", r.last.State, r.last.Test)
		}
		r.feed(40, func(int, *rand.Rand) float64 { return 0 }, nil)
		if r.last.State.Alarm() {
			t.Errorf("forty uneventful windows later: %v", r.last.State)
		}
		if n := r.alarmWithin(persist, func(int, *rand.Rand) float64 { return 8 }, nil); n != persist {
			t.Errorf("the next events: alarm after %d windows, want %d", n, persist)
		}
		r = newRun(p)
		if r.feed(200, func(int, *rand.Rand) float64 { return 8 }, nil); len(r.alarms) > 0 {
			t.Errorf("events from the first window on: %v", r.alarms)
		}
	}
}

// Five minutes old, a model shows a band and says that it is learning, and not even ten times the value is an alarm. After an
// hour it is, although it lasts only five windows.
func TestYoungModel(t *testing.T) {
	p := Defaults()
	r := newRun(p)
	src := rnd(101)
	r.feed(5, gauss, src)
	if b := r.last.Band; !(b.Lower < 100 && b.Upper > 100) || r.last.State != Learning || r.last.Maturity > .1 {
		t.Errorf("minute 5: %v, maturity %.2f, band %+v", r.last.State, r.last.Maturity, b)
	}
	ten := func(i int, s *rand.Rand) float64 { return 10 * gauss(i, s) }
	for range 5 {
		if j := r.observe(ten(r.n, src)); j.State != Learning || j.Score >= 1 {
			t.Errorf("ten times the value at minute %d: %v, score %g", r.n, j.State, j.Score)
		}
	}
	r = newRun(p)
	r.feed(60, gauss, src)
	if n := r.alarmWithin(5, ten, src); n < p.Persist {
		t.Errorf("ten times the value after an hour: alarm after %d windows", n)
	}
	r = newRun(p)
	r.feed(60, gauss, src)
	if n := r.alarmWithin(60, func(i int, s *rand.Rand) float64 { return 1.3 * gauss(i, s) }, src); n >= 0 {
		t.Errorf("a third more after an hour is not gross, yet alarmed after %d windows", n)
	}
}

// Constants that make no sense are read as the default, whatever they are and however they change.
func TestSenselessParams(t *testing.T) {
	t.Parallel()
	odd := []float64{0, -1, 1, .2, 1e-300, 1e300, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64}
	for seed := range uint64(200) {
		src := rnd(seed)
		pick := func() float64 { return odd[src.IntN(len(odd))] }
		var m Model
		p := Defaults()
		if seed%2 == 0 {
			p = Params{}
		}
		m.Init(&p)
		at := monday
		for i := range 600 {
			if i%7 == 0 {
				p = Params{StepMs: []int64{60_000, 0, -5, 1, 1 << 62, 300_000}[src.IntN(6)], Mode: Mode(src.IntN(6)), Bad: Direction(src.IntN(5)),
					Season: Season(src.IntN(6)), Min: pick(), Max: pick(), EffectAbs: pick(), EffectRel: pick(), Ceiling: pick(), Limit: pick(),
					EtaMs: int64(src.IntN(3) - 1), Persist: src.IntN(5) - 2, Threshold: pick()}
			}
			at += 60_000
			v := gauss(i, src)
			if i%50 < 5 {
				v = pick()
			}
			mo := moment(at)
			if i%31 == 0 {
				mo.HourFrac, mo.HourOfWeek = pick(), src.IntN(2000)-1000
			}
			j := m.Observe(&p, mo, v)
			if !(j.Band.Lower <= j.Band.Expected && j.Band.Expected <= j.Band.Upper) || !finite(j.Score) || !finite(j.Evidence) || !finite(j.Maturity) || !finite(j.SlopePerDay) {
				t.Fatalf("seed %d: window %d, %+v: %+v", seed, i, p, j)
			}
			if b := m.Predict(&p, mo); !(b.Lower <= b.Upper) {
				t.Fatalf("seed %d: window %d, %+v: predicted %+v", seed, i, p, b)
			}
		}
		var n Model
		if err := n.UnmarshalBinary(m.AppendBinary(nil)); err != nil {
			t.Fatalf("seed %d: the state is poisoned: %v", seed, err)
		}
	}
	// And a harmless mistake costs nothing: a zero Persist and Threshold work as one window and 18 nats.
	p := Defaults()
	p.Persist, p.Threshold = 0, 0
	r := newRun(p)
	src := rnd(103)
	if r.feed(14*perDay, daily, src); len(r.alarms) > 0 {
		t.Errorf("persist 0: %v", r.alarms)
	}
	if n := r.alarmWithin(10, func(i int, s *rand.Rand) float64 { return 3 * daily(i, s) }, src); n < 0 {
		t.Error("persist 0: three times the value was missed")
	}
}

// The engine raises the smallest effect of a window with few events. What is learned must not depend on it.
func TestEffectMayChangeFromWindowToWindow(t *testing.T) {
	a, b := newRun(Defaults()), newRun(Defaults())
	src, jitter := rnd(107), rnd(109)
	for range 10 * perDay {
		v := daily(a.n, src)
		b.p.EffectAbs = 300 * jitter.Float64() * float64(jitter.IntN(2))
		ja, jb := a.observe(v), b.observe(v)
		if ja.Band.Expected != jb.Band.Expected || ja.State != jb.State {
			t.Fatalf("window %d: expected %g %v, with a changing effect %g %v", a.n, ja.Band.Expected, ja.State, jb.Band.Expected, jb.State)
		}
	}
	b.p.EffectAbs = 0
	if n := b.alarmWithin(10, func(i int, s *rand.Rand) float64 { return 3 * daily(i, s) }, src); n < 0 {
		t.Error("three times the value was missed")
	}
	// While few events make nothing count, nothing alarms.
	c := newRun(Defaults())
	c.feed(5*perDay, gauss, src)
	c.p.EffectAbs = 1e6
	if n := c.alarmWithin(600, func(i int, s *rand.Rand) float64 { return 9 * gauss(i, s) }, src); n >= 0 {
		t.Errorf("an alarm after %d windows although no deviation was large enough", n)
	}
}

// What hours usually bring is no news, but a fault is, also at the very hour at which the weekend begins or ends.
func TestFaultAtTheTurnOfTheWeek(t *testing.T) {
	for name, c := range map[string]struct {
		day    int
		factor float64
	}{
		"Monday, a tenth": {21, .1}, "Monday, ×4": {21, 4}, "Saturday, a tenth": {19, .1}, "Saturday, ×4": {19, 4},
	} {
		r := newRun(Defaults())
		src := rnd(113)
		r.feed(c.day*perDay, daily, src)
		if len(r.alarms) > 0 {
			t.Errorf("%s: alarms before: %v", name, r.alarms)
		}
		if n := r.alarmWithin(60, func(i int, s *rand.Rand) float64 { return c.factor * daily(i, s) }, src); n < 0 || n > 8 {
			t.Errorf("%s from midnight on: alarm after %d windows", name, n)
		}
	}
}

// A daily shape too faint to be used for single windows must not pass for a trend of its rising half.
func TestFaintRhythmIsNoDrift(t *testing.T) {
	faint := func(i int, s *rand.Rand) float64 {
		return 2 * math.Exp(.7*s.NormFloat64()) * (1 - .25*math.Cos(float64(i%perDay)/perDay*2*math.Pi))
	}
	for seed := range uint64(3) {
		r := newRun(Defaults())
		r.feed(28*perDay, faint, rnd(200+seed))
		for _, a := range r.alarms {
			t.Errorf("seed %d: %v at day %.2f", 200+seed, a.test, float64(a.i)/perDay)
		}
		if r.last.Seasonal != NoSeason {
			t.Fatalf("the shape is used (%v): this test needs a fainter one", r.last.Seasonal)
		}
	}
}

// What climbs out of its band within half an hour surprises no single window. It is found as soon as it stays outside for longer
// than the signal ever did; a signal that often stays outside for a while is given the time it takes.
func TestSlowClimb(t *testing.T) {
	p := Defaults()
	p.Bad, p.Min, p.Max, p.EffectAbs, p.EffectRel = Up, 0, 1, .1, 0
	fill := func(i int, s *rand.Rand) float64 {
		return .5 - .1*math.Cos(float64(i%perDay)/perDay*2*math.Pi) + .01*s.NormFloat64()
	}
	r := newRun(p)
	src := rnd(127)
	r.feed(14*perDay+600, fill, src)
	start, out := r.n, -1
	n := r.alarmWithin(40, func(i int, s *rand.Rand) float64 {
		v := fill(i, s) + .4*float64(i-start)/40
		if out < 0 && v > r.m.Predict(&r.p, moment(r.at+r.p.StepMs)).Upper {
			out = i - start
		}
		return v
	}, src)
	if n < 0 || n > out+12 {
		t.Errorf("beyond its band from window %d on: alarm after %d", out, n)
	}
}
