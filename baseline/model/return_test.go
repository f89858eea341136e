package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A level that is back brings its scatter with it: after the return nothing is told but, perhaps, the move itself, while what goes beyond it still is.
func TestKnownLevelBringsItsScatter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                  string
		a, sa, b, sb, further float64
	}{
		{"10 and 90", 10, 1, 90, 1, 30},
		{"cache on and off", 4, .5, 40, .6, 12},
		{"a leader here or there", 300, 30, 2000, 20, 900},
		{"down and up again", 500, 40, 60, .6, 1200},
	} {
		for seed := range uint64(2) {
			r, src := newRun(blind()), rnd(40+seed)
			level := func(v, s float64) series { return func(int, *rand.Rand) float64 { return v + s*src.NormFloat64() } }
			r.feed(8*perDay+487, level(c.a, c.sa), src)
			r.feed(8*perDay+256, level(c.b, c.sb), src)
			n := len(r.alarms)
			r.feed(2*perDay, level(c.a, c.sa), src)
			if len(r.alarms) > n+1 {
				t.Errorf("%s, seed %d: %d alarms after the return: %v", c.name, seed, len(r.alarms)-n, r.alarms[n:])
			}
			n = len(r.alarms)
			r.feed(30, level(c.further, c.sa), src)
			if len(r.alarms) == n {
				t.Errorf("%s, seed %d: %g after the return is not told", c.name, seed, c.further)
			}
		}
	}
}

// What was gathered during an outage does not testify afterwards: once all is well nothing is told, and the next outage is.
func TestReturnIsNoNews(t *testing.T) {
	t.Parallel()
	_, pack := hurts()
	track := blind()
	track.Bad, track.Min = Down, 0
	both := Defaults()
	both.Min = 0
	shapes := map[string]series{
		"daily": func(i int, r *rand.Rand) float64 {
			return 30 * (1.3 - math.Cos((float64(i%perDay)/60-3)/12*math.Pi)) * math.Exp(.04*r.NormFloat64())
		},
		"even": func(i int, r *rand.Rand) float64 { return 50 * math.Exp(.05*r.NormFloat64()) },
	}
	for shape, s := range shapes {
		for kind, p := range map[string]Params{"of a pack": pack, "unknown": track, "both sides": both} {
			for _, hours := range []int{5, 31, 74} {
				if kind == "both sides" && hours > 24 {
					continue // such a level is adopted
				}
				for seed := range uint64(2) {
					r, src := newRun(p), rnd(60+seed)
					r.feed(20*perDay+600, s, src)
					n := len(r.alarms)
					r.feed(hours*60, func(i int, r *rand.Rand) float64 { return .02 * s(i, r) }, src)
					if len(r.alarms) != n+1 {
						t.Errorf("%s, %s, %d h, seed %d: %d alarms in the outage", shape, kind, hours, seed, len(r.alarms)-n)
					}
					r.feed(90, s, src)
					if r.last.State.Alarm() {
						t.Errorf("%s, %s, %d h, seed %d: still %v after 90 min", shape, kind, hours, seed, r.last.State)
					}
					n = len(r.alarms)
					r.feed(3*perDay, s, src)
					if len(r.alarms) > n {
						t.Errorf("%s, %s, %d h, seed %d: told after the return: %v", shape, kind, hours, seed, r.alarms[n:])
					}
					n = len(r.alarms)
					r.feed(60, func(i int, r *rand.Rand) float64 { return .02 * s(i, r) }, src)
					if len(r.alarms) == n {
						t.Errorf("%s, %s, %d h, seed %d: the next outage is not told", shape, kind, hours, seed)
					}
				}
			}
		}
	}
}
