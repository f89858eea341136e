package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A share of bad events that is 0 but for rare, small, harmless blips shows an outage, however old it is, whatever the blips have come to mean for the tail: told, kept while it goes on,
// and over when it is. What is as large as the blips is not.
func TestBlipsHideNoOutage(t *testing.T) {
	t.Parallel()
	fail, _ := hurts()
	warn := fail
	warn.Grave = false
	src := rnd(1)
	for _, p := range []Params{fail, warn} {
		for _, every := range []int{7, 20, 100, 400} {
			for _, size := range []float64{.0015, .004, .02} {
				for _, hours := range []int{1, 5, 26, 80, 400} {
					for _, out := range []float64{.1, .4, 1} {
						if hours == 400 && src.IntN(4) > 0 || out < 8*size || out < .4 && hours < 80 {
							continue // time
						}
						r := newRun(p)
						seed := src.Uint64()
						noise := rand.New(rand.NewPCG(seed, 1))
						from := hours * 60
						blip := func(i int) float64 {
							if i%every < 2 {
								return size * (1 + .2*noise.NormFloat64())
							}
							return 0
						}
						r.feed(from, func(i int, _ *rand.Rand) float64 { return math.Max(blip(i), 0) }, nil)
						if n := len(r.alarms); n > 0 {
							t.Errorf("grave %v, blips of %v every %d, seed %d: %v before the outage", p.Grave, size, every, seed, r.alarms)
							continue
						}
						r.feed(4*60, func(i int, _ *rand.Rand) float64 { return clamp(out*(1+.01*noise.NormFloat64()), 0, 1) }, nil)
						if len(r.alarms) != 1 || !r.last.State.Alarm() {
							t.Errorf("grave %v, blips of %v every %d, after %d h, outage of %v, seed %d: alarms %v, at its end %v, band up to %.3f", p.Grave, size, every, hours, out, seed, r.alarms, r.last.State, r.last.Band.Upper)
						} else if late := r.alarms[0].i - from; late > 15 {
							t.Errorf("grave %v, blips of %v every %d, after %d h, outage of %v, seed %d: told after %d min", p.Grave, size, every, hours, out, seed, late)
						}
					}
				}
			}
		}
	}
}

// A fault that begins in a signal's first hours is told, stays told while it goes on, and what a short one leaves behind does not hide the next.
func TestYoungFaultIsKept(t *testing.T) {
	t.Parallel()
	fail, _ := hurts()
	refused := Defaults()
	refused.Bad, refused.Min, refused.EffectAbs, refused.EffectRel, refused.Season, refused.Persist = Up, 0, .1, 2, Daily, 5
	busy := refused
	busy.EffectAbs, busy.Season, busy.Grave = 5, Auto, true
	type source func(r *rand.Rand) float64
	for _, c := range []struct {
		name  string
		p     Params
		usual source
		fault source
	}{
		{"SERVFAIL", fail, func(r *rand.Rand) float64 { return .0005 * math.Abs(r.NormFloat64()) }, func(r *rand.Rand) float64 { return clamp(.6+.02*r.NormFloat64(), 0, 1) }},
		{"a share that is zero", fail, func(*rand.Rand) float64 { return 0 }, func(*rand.Rand) float64 { return 1 }},
		{"a client is refused", refused, func(r *rand.Rand) float64 { return math.Max(2+r.NormFloat64(), 0) }, func(r *rand.Rand) float64 { return 890 + 3*r.NormFloat64() }},
		{"a client is refused that never was", refused, func(r *rand.Rand) float64 { return one(r.IntN(20) == 0) / 30 }, func(r *rand.Rand) float64 { return 890 }},
		{"nine times as busy", busy, func(r *rand.Rand) float64 { return 40 * math.Exp(.1*r.NormFloat64()) }, func(r *rand.Rand) float64 { return 360 * math.Exp(.1*r.NormFloat64()) }},
	} {
		for _, minutes := range []int{40, 90, 300, 1200} {
			for seed := range uint64(2) {
				r, src := newRun(c.p), rnd(61+seed)
				r.feed(minutes, func(_ int, s *rand.Rand) float64 { return c.usual(s) }, src)
				if len(r.alarms) > 0 {
					t.Errorf("%s, after %d min, seed %d: %v before", c.name, minutes, seed, r.alarms)
					continue
				}
				short := *r
				r.feed(4*60, func(_ int, s *rand.Rand) float64 { return c.fault(s) }, src)
				if len(r.alarms) != 1 || !r.last.State.Alarm() || r.alarms[0].i-minutes > 30 {
					t.Errorf("%s, after %d min, seed %d: alarms %v, at the end %v, band up to %.4g", c.name, minutes, seed, r.alarms, r.last.State, r.last.Band.Upper)
				}
				// Three minutes of it, and an hour later again.
				short.feed(3, func(_ int, s *rand.Rand) float64 { return c.fault(s) }, src)
				short.feed(60, func(_ int, s *rand.Rand) float64 { return c.usual(s) }, src)
				if c.p.Max == 1 && short.last.Band.Upper > .15 {
					t.Errorf("%s, after %d min, seed %d: three minutes leave a band up to %.3f", c.name, minutes, seed, short.last.Band.Upper)
				}
				n, from := len(short.alarms), short.n
				short.feed(60, func(_ int, s *rand.Rand) float64 { return c.fault(s) }, src)
				if minutes > 60 && (len(short.alarms) != n+1 || !short.last.State.Alarm() || short.alarms[n].i-from > 30) {
					t.Errorf("%s, after %d min, seed %d: the second time %v, at the end %v, band up to %.4g", c.name, minutes, seed, short.alarms, short.last.State, short.last.Band.Upper)
				}
			}
		}
	}
}

// What goes to the end of its scale is gross, however large the smallest effect is; what stays below the effect is not.
func TestTheEndOfTheScaleIsGross(t *testing.T) {
	t.Parallel()
	for _, effect := range []float64{.3, .5, .7} {
		for _, side := range []Direction{Up, Down} {
			for _, minutes := range []int{60, 400, 3000, 30000} {
				for seed := range uint64(2) {
					p := Defaults()
					p.Mode, p.Bad, p.Min, p.Max, p.EffectAbs, p.EffectRel, p.Persist = Spread, side, 0, 1, effect, 0, 10
					value := func(share float64) series {
						return func(_ int, r *rand.Rand) float64 {
							v := clamp(share+.01*math.Abs(r.NormFloat64()), 0, 1)
							if side == Down {
								return 1 - v
							}
							return v
						}
					}
					for _, to := range []float64{1, .9 * effect} {
						r, src := newRun(p), rnd(seed)
						r.feed(minutes, value(0), src)
						r.feed(25+15*int(one(minutes == 60)), value(to), src)
						if told := len(r.alarms) > 0; told != (to == 1) {
							t.Errorf("effect %v, %v, after %d min, seed %d: at %v, told %v, band %v", effect, side, minutes, seed, to, told, r.last.Band)
						}
					}
				}
			}
		}
	}
}
