package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// An alarm that stands and gets clearly worse says so once; one that wavers, follows its day, eases or is what was told from the start does not.
func TestWorseIsToldOnce(t *testing.T) {
	t.Parallel()
	latency := func() Params {
		p := Defaults()
		p.Bad, p.Min, p.EffectAbs, p.EffectRel, p.Persist = Up, 0, .1, 1, 5
		return p
	}
	failing := func() Params {
		p := Defaults()
		p.Bad, p.Min, p.Max, p.EffectAbs, p.EffectRel = Up, 0, 1, .01, 0
		return p
	}
	traffic := func() Params {
		p := Defaults()
		p.Bad, p.Min, p.EffectAbs, p.EffectRel = Down, 0, 1, .3
		return p
	}
	slow := func(r *rand.Rand) float64 { return .2 * math.Exp(.05*r.NormFloat64()) }
	errs := func(r *rand.Rand) float64 { return .002 * math.Exp(.3*r.NormFloat64()) }
	busy := func(i int, r *rand.Rand) float64 { return daily(i, r) }
	for name, c := range map[string]struct {
		p    Params
		v    func(i int, h float64, r *rand.Rand) float64 // h: hours since the alarm's cause
		want int
	}{
		"three times as slow, then eight times": {latency(), func(_ int, h float64, r *rand.Rand) float64 {
			return slow(r) * at(h, 3, 30, 8, 32, 3)
		}, 1},
		"three times, eight, and eight again": {latency(), func(_ int, h float64, r *rand.Rand) float64 {
			return slow(r) * at(h, 3, 20, 8, 22, 3, 40, 8, 42, 3)
		}, 1},
		"three times, eight, thirty": {latency(), func(_ int, h float64, r *rand.Rand) float64 {
			return slow(r) * at(h, 3, 20, 8, 30, 30)
		}, 2},
		"a fifth fails, then all": {failing(), func(_ int, h float64, r *rand.Rand) float64 {
			return min(errs(r)+at(h, .2, 10, 1), 1)
		}, 1},
		"two thirds fail, then all": {failing(), func(_ int, h float64, r *rand.Rand) float64 {
			return min(errs(r)+at(h, .66, 10, 1), 1)
		}, 1},
		"half of the traffic lost, then all": {traffic(), func(i int, h float64, r *rand.Rand) float64 {
			return busy(i, r) * at(h, .4, 6, 0)
		}, 1},
		"wavers": {latency(), func(_ int, h float64, r *rand.Rand) float64 {
			return slow(r) * at(h, 3) * math.Exp(.25*r.NormFloat64())
		}, 0},
		"a bit more": {latency(), func(_ int, h float64, r *rand.Rand) float64 {
			return slow(r) * at(h, 3, 30, 4)
		}, 0},
		"eases and returns": {failing(), func(_ int, h float64, r *rand.Rand) float64 {
			return errs(r) + at(h, .5, 5, .2, 9, .5)
		}, 0},
		"a single minute": {latency(), func(i int, h float64, r *rand.Rand) float64 {
			if h > 2 && i%500 == 0 {
				return slow(r) * 12
			}
			return slow(r) * at(h, 3)
		}, 0},
		"half of the traffic, day and night": {traffic(), func(i int, h float64, r *rand.Rand) float64 {
			return busy(i, r) * at(h, .4)
		}, 0},
	} {
		for seed := range uint64(2) {
			r, src := newRun(c.p), rnd(9200+seed)
			worse, opened := 0, 0
			r.each = func(_ int, _ float64, j Judgement) {
				if j.Transition == Worsened {
					worse++
					if !j.State.Alarm() || j.Onset > r.at || j.Onset < r.at-2*hourMs {
						t.Errorf("%s: %v with onset %d min ago", name, j.State, (r.at-j.Onset)/60_000)
					}
				}
			}
			r.feed(15*perDay+600, func(i int, s *rand.Rand) float64 { return c.v(i, -1, s) }, src)
			opened = len(r.alarms)
			start := r.n
			r.feed(2*perDay, func(i int, s *rand.Rand) float64 { return c.v(i, float64(i-start)/60, s) }, src)
			if worse != c.want || len(r.alarms) == opened {
				t.Errorf("%s, seed %d: %d times worse, want %d; alarms %v", name, seed, worse, c.want, r.alarms[opened:])
			}
		}
	}
}

// at returns 1 or 0 before hour 0, then the value after each hour: v0, h1, v1, h2, v2 … What is below 1 at first is added to, so nothing is 0.
func at(h float64, v ...float64) float64 {
	if h < 0 {
		if v[0] > 1 || v[0] == .4 {
			return 1
		}
		return 0
	}
	x := v[0]
	for i := 1; i+1 < len(v); i += 2 {
		if h >= v[i] {
			x = v[i+1]
		}
	}
	return x
}
