package model

import (
	"math/rand/v2"
	"testing"
)

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
