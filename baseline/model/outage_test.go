package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// hurts are the parameters of two signals of which users feel each deviation: the share of requests that fail, and how many arrive.
func hurts() (fail, arrive Params) {
	fail, arrive = Defaults(), Defaults()
	fail.Bad, fail.Min, fail.Max, fail.EffectAbs, fail.EffectRel, fail.Season, fail.Grave = Up, 0, 1, .005, 1, Daily, true
	arrive.Bad, arrive.Min, arrive.EffectAbs, arrive.EffectRel, arrive.Grave = Down, 0, 1, .3, true
	return fail, arrive
}

// An outage that comes back at the same time is told each time, of a young signal and an old one, each day and each week. Its quiet twins look alike: what is small, and what is the night.
func TestOutageIsNoHabit(t *testing.T) {
	t.Parallel()
	fail, arrive := hurts()
	warn, tracked := arrive, blind()
	warn.Grave, tracked.Bad, tracked.Min, tracked.EffectRel, tracked.EffectAbs = false, Down, 0, .2, 0
	within := func(i int, from, to float64) bool { h := float64(i%perDay) / 60; return h >= from && h < to }
	rate := func(share float64, r *rand.Rand) float64 {
		return clamp(share+math.Sqrt(share*(1-share)/3000)*r.NormFloat64(), 0, 1)
	}
	busy := func(i int, r *rand.Rand) float64 {
		return 40 * (1.1 - math.Cos((float64(i%perDay)/60-3)/12*math.Pi)) * math.Exp(.04*r.NormFloat64())
	}
	for _, c := range []struct {
		name   string
		p      Params
		from   int // day of the first one
		every  int // days between two
		days   int
		s      func(i int, r *rand.Rand, out bool) float64
		lo, hi float64 // hours of it
		quiet  int     // comings after which nothing is told; 0 = each is told
	}{
		{"all requests fail at nine", fail, 16, 1, 40, func(i int, r *rand.Rand, out bool) float64 {
			return rate(map[bool]float64{true: 1, false: .002}[out], r)
		}, 9, 9.4, 0},
		{"six of ten requests fail, of a young signal", fail, 1, 1, 15, func(i int, r *rand.Rand, out bool) float64 {
			return rate(map[bool]float64{true: .6, false: .002}[out], r)
		}, 13, 14, 0},
		{"nothing arrives at two", arrive, 16, 1, 40, func(i int, r *rand.Rand, out bool) float64 { return busy(i, r) * one(!out) }, 14, 14.4, 0},
		{"half arrives once a week", arrive, 16, 7, 70, func(i int, r *rand.Rand, out bool) float64 { return busy(i, r) * (1 - .5*one(out)) }, 11, 12, 0},
		{"nothing arrives at two, of a rule that warns", warn, 16, 1, 40, func(i int, r *rand.Rand, out bool) float64 { return busy(i, r) * one(!out) }, 14, 14.4, 0},
		{"nothing arrives at ten, of a series that somebody tracks", tracked, 16, 1, 40, func(i int, r *rand.Rand, out bool) float64 { return busy(i, r) * one(!out) }, 10, 10.5, 0},
		{"a third arrives at ten, of a series that somebody tracks", tracked, 16, 1, 40, func(i int, r *rand.Rand, out bool) float64 { return busy(i, r) * (1 - .67*one(out)) }, 10, 10.5, 4},
		{"one in fifty fails each morning", fail, 16, 1, 40, func(i int, r *rand.Rand, out bool) float64 {
			return rate(map[bool]float64{true: .02, false: .002}[out], r)
		}, 9, 9.4, 3},
		{"a quarter stays away at lunch", arrive, 16, 1, 40, func(i int, r *rand.Rand, out bool) float64 { return busy(i, r) * (1 - .25*one(out)) }, 12, 12.7, 3},
		{"shut at night from now on", arrive, 16, 1, 40, func(i int, r *rand.Rand, out bool) float64 { return busy(i, r) * one(!out) }, 0, 6, 3},
	} {
		for seed := range uint64(2) {
			run, src := newRun(c.p), rnd(31+seed)
			come, told, late := 0, 0, 0
			for i := range c.days * perDay {
				d := i / perDay
				today := d >= c.from && (d-c.from)%c.every == 0
				n := len(run.alarms)
				run.observe(c.s(i, src, today && within(i, c.lo, c.hi)))
				if opened := len(run.alarms) > n; opened && !(today && within(i, c.lo, c.hi+.1)) {
					t.Errorf("%s, seed %d: told on day %d at %.1f h of nothing", c.name, seed, d, float64(i%perDay)/60)
				} else if opened {
					told++
					late += int(one(c.quiet > 0 && come > c.quiet))
				}
				if today && float64(i%perDay) == math.Floor(c.lo*60) {
					come++
				}
			}
			if c.quiet == 0 && told != come || late > 0 {
				t.Errorf("%s, seed %d: told %d times of %d, %d of them after %d comings", c.name, seed, told, come, late, c.quiet)
			}
		}
	}
}

// What is beyond its band, or its mark, for most of the time is told as what is so without a break, once; what is so for less, or hardly ever, is not.
func TestComingAndGoingAddsUp(t *testing.T) {
	t.Parallel()
	ready := Defaults()
	ready.Bad, ready.Min, ready.Max, ready.EffectAbs, ready.EffectRel, ready.Persist, ready.Season = Down, 0, 1, .1, 0, 5, NoSeason
	marked := ready
	marked.EffectAbs, marked.Ceiling, marked.Mode = 10, .5, Spread
	for name, p := range map[string]Params{"band": ready, "mark": marked} {
		for _, c := range []struct {
			out, of int // windows
			told    bool
		}{{4, 6, true}, {3, 4, true}, {6, 10, true}, {2, 3, true}, {1, 3, false}, {2, 6, false}, {1, 20, false}, {4, 60, false}} {
			for seed := range uint64(2) {
				r, src := newRun(p), rnd(51+seed)
				r.feed(10*perDay, func(i int, _ *rand.Rand) float64 { return 1 - .01*math.Abs(src.NormFloat64()) }, src)
				if len(r.alarms) > 0 {
					t.Fatalf("%s, seed %d: %v before", name, seed, r.alarms)
				}
				from := r.n
				r.feed(120, func(i int, _ *rand.Rand) float64 { return one((i-from)%c.of >= c.out) }, src)
				if n := len(r.alarms); n > 1 || n == 1 != c.told || c.told && r.alarms[0].i-from > 20 {
					t.Errorf("%s, seed %d: %d of %d windows out: alarms %v from %d on, told should be %v", name, seed, c.out, c.of, r.alarms, from, c.told)
				}
				r.feed(120, func(int, *rand.Rand) float64 { return 1 }, src)
				if r.last.State.Alarm() {
					t.Errorf("%s, seed %d: %d of %d windows out: the alarm does not end", name, seed, c.out, c.of)
				}
			}
		}
	}
}
