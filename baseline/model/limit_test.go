package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// ofLimit are the parameters of a share of a limit, as packs have them: told when it is within a day or two of it.
func ofLimit() Params {
	p := Defaults()
	p.Mode, p.Bad, p.Season, p.Min, p.Max = Trend, Up, Daily, 0, math.Inf(1)
	p.EffectAbs, p.EffectRel, p.Limit, p.EtaMs, p.Persist = .1, .15, 1, 48*hourMs, 120
	return p
}

// free are those of a share that is left.
func free() Params {
	p := ofLimit()
	p.Bad, p.Max, p.Limit = Down, 1, 0
	return p
}

// teeth climbs from lo to hi in a random time between least and most windows, and falls at once.
func teeth(lo, hi float64, least, most int) func(*rand.Rand) float64 {
	left, n := 0, 1
	return func(r *rand.Rand) float64 {
		if left == 0 {
			n = least + r.IntN(most-least+1)
			left = n
		}
		v := lo + (hi-lo)*float64(n-left)/float64(n)
		left--
		return v
	}
}

func hump(i int) float64 { return .5 - .5*math.Cos(float64(i%perDay)/perDay*2*math.Pi) }

// weekdays is 1, and less at weekends.
func weekdays(i int, rest float64) float64 {
	if i/perDay%7 >= 5 {
		return rest
	}
	return 1
}

// What leads to a limit is told once, upward, a day ahead at least (a third of the time where it has less than three), and while half of the way is left where that is
// more than a month's leak.
func TestLeaksToALimit(t *testing.T) {
	t.Parallel()
	even := func(*rand.Rand) func(i int, r *rand.Rand) float64 {
		return func(i int, r *rand.Rand) float64 { return .42 + .03*hump(i) + .004*r.NormFloat64() }
	}
	lives := map[string]func(r *rand.Rand) func(i int, r *rand.Rand) float64{
		"even": even,
		"busy days": func(*rand.Rand) func(i int, r *rand.Rand) float64 {
			return func(i int, r *rand.Rand) float64 { return .35 + .15*hump(i)*weekdays(i, .4) + .01*r.NormFloat64() }
		},
		"collector": func(r *rand.Rand) func(i int, r *rand.Rand) float64 {
			saw := teeth(.3, .5, 200, 500)
			return func(_ int, r *rand.Rand) float64 { return saw(r) + .004*r.NormFloat64() }
		},
	}
	for name, mk := range lives {
		for _, aDay := range []float64{.025, .06, .11, .2} {
			for seed := range uint64(2) {
				for _, p := range []Params{ofLimit(), free()} {
					r, src := newRun(p), rnd(9000+seed)
					f := mk(src)
					end := p.Bad == Down
					value := func(i int, leak float64) float64 {
						v := min(f(i, src)+leak, 1)
						if end {
							return 1 - v
						}
						return v
					}
					for range 16 * perDay {
						r.observe(value(r.n, 0))
					}
					if len(r.alarms) > 0 {
						t.Errorf("%s, seed %d: %v in quiet weeks", name, seed, r.alarms)
					}
					full := int(.5 / aDay * perDay)
					told := -1
					for i := range full {
						if j := r.observe(value(r.n, aDay*float64(i)/perDay)); j.Transition == Opened && told < 0 {
							told = i
							if (j.State == Low) != end && j.State != Drifting {
								t.Errorf("%s: %v", name, j.State)
							}
						}
					}
					if ahead := float64(full-told) / perDay; told < 0 || ahead < min(1, float64(full)/perDay/3) {
						t.Errorf("%s, %.3f a day, bad %v, seed %d: told after %.1f of %.1f days", name, aDay, p.Bad, seed, float64(told)/perDay, float64(full)/perDay)
					}
				}
			}
		}
	}
}

// Its twins come back by themselves, level off, or grow on one day only.
func TestWhatComesBackIsNoLeak(t *testing.T) {
	t.Parallel()
	twins := map[string]func() func(i int, r *rand.Rand) float64{
		"collector": func() func(i int, r *rand.Rand) float64 {
			saw := teeth(.35, .7, 240, 480)
			return func(_ int, r *rand.Rand) float64 { return saw(r) }
		},
		"page cache": func() func(i int, r *rand.Rand) float64 {
			saw := teeth(.3, .93, 900, 3*perDay)
			return func(_ int, r *rand.Rand) float64 { return saw(r) }
		},
		"restarted each night": func() func(i int, r *rand.Rand) float64 {
			return func(i int, _ *rand.Rand) float64 { return .25 + .4*float64((i+1260)%perDay)/perDay }
		},
		"rotated each week": func() func(i int, r *rand.Rand) float64 {
			return func(i int, _ *rand.Rand) float64 { return .3 + .35*float64(i%(7*perDay))/(7*perDay) }
		},
		"warms up": func() func(i int, r *rand.Rand) float64 {
			return func(i int, _ *rand.Rand) float64 { return .25 + .45*(1-math.Exp(-float64(i)/(2*perDay))) }
		},
		"warms up after each deploy": func() func(i int, r *rand.Rand) float64 {
			return func(i int, _ *rand.Rand) float64 {
				return .25 + .45*(1-math.Exp(-float64((i+3*perDay)%(9*perDay))/(1.5*perDay)))
			}
		},
		"two steps": func() func(i int, r *rand.Rand) float64 {
			return func(i int, _ *rand.Rand) float64 { return .4 + .06*float64(min(i/(11*perDay), 2)) }
		},
		"office weeks": func() func(i int, r *rand.Rand) float64 {
			return func(i int, _ *rand.Rand) float64 { return .4 + .25*hump(i)*weekdays(i, .2) }
		},
	}
	for name, mk := range twins {
		for seed := range uint64(2) {
			for _, p := range []Params{ofLimit(), free()} {
				r, src := newRun(p), rnd(9100+seed)
				f := mk()
				r.feed(35*perDay, func(i int, s *rand.Rand) float64 {
					v := f(i, s) + .004*s.NormFloat64()
					if p.Bad == Down {
						return 1 - v
					}
					return v
				}, src)
				for _, a := range r.alarms {
					t.Errorf("%s, bad %v, seed %d: day %.1f: %v by %v", name, p.Bad, seed, float64(a.i)/perDay, a.state, a.test)
				}
			}
		}
	}
}
