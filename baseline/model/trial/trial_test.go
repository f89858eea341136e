package trial

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/wrackline/wrackline/baseline/model"
)

type series func(i int, r *rand.Rand) float64

const perDay = 1440

func gauss(_ int, r *rand.Rand) float64 { return 100 + 5*r.NormFloat64() }

// daily is a working day: quiet nights, busy days, weekends at half.
func daily(i int, r *rand.Rand) float64 {
	base := 100 * (1.2 - math.Cos((float64(i%perDay)/60-3)/12*math.Pi))
	if i/perDay%7 >= 5 {
		base *= .6
	}
	return base * math.Exp(.06*r.NormFloat64())
}

func ar() series {
	x := 0.
	return func(_ int, r *rand.Rand) float64 {
		x = .9*x + math.Sqrt(1-.81)*r.NormFloat64()
		return 50 + 5*x
	}
}

func lognormal(_ int, r *rand.Rand) float64 { return .02 * math.Exp(.4*r.NormFloat64()) }

func ratioOf(rate float64) series {
	return func(_ int, r *rand.Rand) float64 {
		bad := 0
		for range 60 {
			if r.Float64() < rate {
				bad++
			}
		}
		return float64(bad) / 60
	}
}

func moment(t int64) model.Moment {
	s := t / 1000
	day := s / 86400
	return model.Moment{T: t, HourOfWeek: int((day+3)%7)*24 + int(s%86400/3600), HourFrac: float64(s%3600) / 3600, Day: int32(day)}
}

// run is a model that is fed window by window, from a Monday on.
type run struct {
	p      model.Params
	m      model.Model
	at     int64
	n      int
	alarms int
}

func newRun(p model.Params) *run {
	r := &run{p: p, at: 1_736_121_600_000}
	r.m.Init(&r.p)
	return r
}

func (r *run) feed(n int, s series, src *rand.Rand) {
	for range n {
		r.at += r.p.StepMs
		if r.m.Observe(&r.p, moment(r.at), s(r.n, src)).Transition == model.Opened {
			r.alarms++
		}
		r.n++
	}
}

func rnd(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

func blind() model.Params {
	p := model.Defaults()
	p.Extremes = true
	return p
}

// What Detect says is true: a change a fifth larger is noticed within the span, whatever the noise, one of half the size hardly ever is.
func TestDetectTellsTheTruth(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mk func() series
		p  func() model.Params
	}{
		"gauss":     {func() series { return gauss }, model.Defaults},
		"daily":     {func() series { return daily }, model.Defaults},
		"ar":        {ar, model.Defaults},
		"lognormal": {func() series { return lognormal }, model.Defaults},
		"ratio": {func() series { return ratioOf(.01) }, func() model.Params {
			p := model.Defaults()
			p.Bad, p.Min, p.Max, p.EffectAbs, p.EffectRel = model.Up, 0, 1, .005, 0
			return p
		}},
		"unknown": {func() series { return gauss }, blind},
	} {
		p := c.p()
		found, early, trials := 0, 0, 0
		for seed := range uint64(6) {
			s := c.mk()
			r := newRun(p)
			src := rnd(700 + seed)
			r.feed(10*perDay+500, s, src)
			before := r.m
			list := Detect(&r.m, &p, moment)
			if r.m != before {
				t.Fatalf("%s: Detect changed the model", name)
			}
			last := math.Inf(1)
			for _, n := range list[:3] { // a week is long for a test
				if math.IsNaN(n.Up) {
					t.Errorf("%s: no rise would be noticed within %d min", name, n.WithinMs/60_000)
					continue
				}
				if n.Up > last {
					t.Errorf("%s: %g within %d min, less within a shorter time", name, n.Up, n.WithinMs/60_000)
				}
				last = n.Up
				for _, size := range []float64{1.2, .5} {
					q := *r
					q.alarms = 0
					src := rnd(900 + seed)
					q.feed(int(n.WithinMs/60_000), func(i int, r2 *rand.Rand) float64 { return clamp(s(i, r2)+size*n.Up, p.Min, p.Max) }, src)
					if hit := q.alarms > 0; size > 1 {
						trials++
						if hit {
							found++
						}
					} else {
						if hit {
							early++
						}
					}
				}
			}
		}
		t.Logf("%s: %d of %d noticed at 1.2 times the size, %d at half", name, found, trials, early)
		if found*4 < trials*3 {
			t.Errorf("%s: %d of %d changes noticed that should be", name, found, trials)
		}
		if early*3 > trials {
			t.Errorf("%s: %d of %d changes of half the size noticed; what is said is too pessimistic", name, early, trials)
		}
	}
}

// A side that is not bad is not promised, nor is what lies beyond a bound; a young model promises nothing.
func TestDetectKnowsItsLimits(t *testing.T) {
	p := model.Defaults()
	p.Bad, p.Min, p.Max = model.Up, 0, 1
	r := newRun(p)
	r.feed(20, func(int, *rand.Rand) float64 { return .5 }, rnd(1))
	if got := Detect(&r.m, &p, moment); got != nil {
		t.Errorf("before the first windows are seen: %v", got)
	}
	r.feed(8*perDay, func(_ int, s *rand.Rand) float64 { return .95 + .005*s.NormFloat64() }, rnd(1))
	for _, n := range Detect(&r.m, &p, moment) {
		if n.Up < .001 {
			t.Errorf("%g would be noticed within %d min, a fifth of the scatter", n.Up, n.WithinMs/60_000)
		}
		if !math.IsNaN(n.Down) || !math.IsNaN(n.Up) && n.Up > .06 {
			t.Errorf("within %d min: %g up, %g down", n.WithinMs/60_000, n.Up, n.Down)
		}
	}
}

// Faults are found in copies of well-learned models, quiet days are quiet, and faults that mean nothing to a signal are not tried.
func TestTrials(t *testing.T) {
	t.Parallel()
	for name, mk := range map[string]func() series{"gauss": func() series { return gauss }, "daily": func() series { return daily }, "ar": ar} {
		p := model.Defaults()
		s := mk()
		r := newRun(p)
		r.feed(15*perDay+600, s, rnd(77))
		before := r.m
		for f := NoFault; f < FaultKinds; f++ {
			after, ok := Run(&r.m, &p, moment, f)
			switch {
			case !ok:
				t.Errorf("%s: %s is not tried", name, f)
			case f == NoFault && after >= 0:
				t.Errorf("%s: a quiet day alarms after %d min", name, after/60_000)
			case f != NoFault && after < 0:
				t.Errorf("%s: %s is not found", name, f)
			case f == Doubled && after > 10*60_000, f == Gone && after > 10*60_000, f == Creeping && after > 16*hourMs:
				t.Errorf("%s: %s is found after %d min", name, f, after/60_000)
			}
		}
		if r.m != before {
			t.Errorf("%s: a trial changed the model", name)
		}
	}
	p := model.Defaults()
	p.Mode, p.Bad, p.EffectAbs = model.Event, model.Up, 1
	r := newRun(p)
	r.feed(2*perDay, func(int, *rand.Rand) float64 { return 0 }, rnd(1))
	for _, f := range []Fault{Doubled, Gone, Creeping, Stuck} {
		if _, ok := Run(&r.m, &p, moment, f); ok {
			t.Errorf("%s is tried on a signal that is always zero", f)
		}
	}
	if after, ok := Run(&r.m, &p, moment, Shifted); !ok || after < 0 || after > 5*60_000 {
		t.Errorf("an event is found after %d ms, %v", after, ok)
	}
}

func BenchmarkDetect(b *testing.B) {
	p := model.Defaults()
	r := newRun(p)
	r.feed(15*perDay, daily, rnd(1))
	for b.Loop() {
		Detect(&r.m, &p, moment)
	}
}
