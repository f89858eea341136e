package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// steepDays are days with edges, as counts of a minute: what is open, shut, or worked through at night. late is by how many minutes a day begins after its hour.
func steepDays() map[string]func(day int, hour, late float64) float64 {
	return map[string]func(day int, hour, late float64) float64{
		"office hours": func(d int, h, late float64) float64 {
			if d%7 < 5 && h >= 8+late && h < 18 {
				return 600
			}
			return 18
		},
		"two shifts": func(d int, h, late float64) float64 {
			switch {
			case h >= 6+late && h < 14:
				return 900
			case h >= 14 && h < 22:
				return 350
			}
			return 40
		},
		"a shop that is shut on Sundays": func(d int, h, late float64) float64 {
			if d%7 < 6 && h >= 9+late && h < 20 {
				return 300 + 150*math.Sin((h-9)/11*math.Pi)
			}
			return 12
		},
		"worked through at night": func(d int, h, late float64) float64 {
			if h >= 1+late && h < 5 {
				return 2000
			}
			return 150
		},
	}
}

// counted is a count of a minute as a rate: chance of its own, and 4 % more.
func counted(perMinute float64, r *rand.Rand) float64 {
	v := perMinute * (1 + .04*r.NormFloat64())
	return math.Max(0, math.Round(v+math.Sqrt(v)*r.NormFloat64())) / 60
}

// The slope of a day is no scatter: where most of it is lost for two hours in the middle that is told within half an hour, however steep the day begins, and by a band that is no wider than
// that asks for. A day that begins some minutes late, or a little early, is no news.
func TestSteepDaysAreNoScatter(t *testing.T) {
	t.Parallel()
	middle := map[string]int{"office hours": 14 * 60, "two shifts": 10 * 60, "a shop that is shut on Sundays": 14*60 + 30, "worked through at night": 3 * 60}
	_, pack := hurts()
	track := blind()
	track.Bad, track.Min = Down, 0
	const days = 23 // the loss is on a Wednesday
	for name, day := range steepDays() {
		for kind, p := range map[string]Params{"of a pack": pack, "unknown": track} {
			for seed := range uint64(2) {
				r, src := newRun(p), rnd(900+seed)
				lost := (days-1)*perDay + 24*60*1 + middle[name]
				late := 0.
				for i := range lost + 120 {
					d, m := i/perDay, i%perDay
					if m == 0 {
						late = float64(src.IntN(13)-2) / 60
					}
					v := day(d, float64(m)/60, late)
					if i >= lost {
						v *= .4
					}
					j := r.observe(counted(v, src))
					if i == lost {
						if b := j.Band; b.Lower < .5*v/.4/60 || b.Upper > 2.6*v/.4/60 {
							t.Errorf("%s, %s, seed %d: the band is %.2f to %.2f where %.2f is usual", name, kind, seed, b.Lower, b.Upper, v/.4/60)
						}
					}
				}
				told := -1
				for _, a := range r.alarms {
					switch {
					case a.i >= lost && told < 0:
						told = a.i - lost
					case a.i < lost && a.i >= 14*perDay && a.test != DriftTest: // where a Sunday has been is for the test of wandering
						t.Errorf("%s, %s, seed %d: told on day %d at %.1f h of nothing", name, kind, seed, a.i/perDay, float64(a.i%perDay)/60)
					}
				}
				if told < 0 || told > 30 {
					t.Errorf("%s, %s, seed %d: a loss of 60 %% is told after %d min", name, kind, seed, told)
				}
			}
		}
	}
}

// Office hours of which nobody has told a thing: what the week's hours explain, nights and weekends, is neither on its way to be the level nor a measure of scatter. So a loss of most of it at 14:00 is
// told within half an hour on any working day from the third week on, whatever the noise, and whether the day begins with a window or within one.
func TestALossInOfficeHoursIsTold(t *testing.T) {
	t.Parallel()
	p := blind()
	p.Bad, p.Min = Down, 0
	for _, within := range []float64{0, .5} {
		for _, lostOn := range []int{15, 16, 21, 22, 23, 24, 29} {
			for seed := range uint64(3) {
				r, src := newRun(p), rnd(900+seed)
				open := func(i int) float64 {
					if h := i % perDay; i/perDay%7 < 5 && h >= 8*60 && h < 18*60 {
						return 600
					}
					return 18
				}
				lost, told := lostOn*perDay+14*60, false
				for i := range lost + 30 {
					v := (1-within)*open(i) + within*open(i+1)
					if i >= lost {
						v *= .4
					}
					told = r.observe(counted(v, src)).State.Alarm() && i >= lost || told
				}
				if !told {
					t.Errorf("day %d, %g of a window, seed %d: 60 %% lost is not told", lostOn, within, seed)
				}
			}
		}
	}
}
