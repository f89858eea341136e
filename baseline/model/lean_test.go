package model

import (
	"math"
	"testing"
)

// A band leans with what the minutes before say of the next one; what jumped out of it does not drag it along, so that half of a value lost for an hour is told though the band is wide: traffic
// that grows by a fifth a week, whose Sundays are known less well than they scatter. The twin is what wanders slowly: its band leans, and nothing is told.
func TestFaultDoesNotWidenItsBand(t *testing.T) {
	t.Parallel()
	p := Defaults()
	p.Bad, p.Min, p.EffectAbs, p.EffectRel, p.Persist, p.Grave = Down, 0, 1, .3, 3, true
	for _, day := range []int{38, 40, 41} { // a Thursday, and a weekend
		for _, left := range []float64{.5, .4} {
			for seed := range uint64(3) {
				src := rnd(800 + seed)
				r := newRun(p)
				at := day*perDay + 10*60
				growing := func(left float64) float64 {
					h := float64(r.n%perDay) / 60
					mean := 60 * 30 * (.675 - .325*math.Cos((h-2)/12*math.Pi)) * math.Pow(1.2, float64(r.n)/(7*perDay)) * left
					if r.n/perDay%7 >= 5 {
						mean /= 2
					}
					return max(0, math.Round(mean+math.Sqrt(mean)*src.NormFloat64())) / 60 * math.Exp(.02*src.NormFloat64())
				}
				for r.n < at {
					r.observe(growing(1))
				}
				n, before := len(r.alarms), r.m.Predict(&p, moment(r.at+p.StepMs))
				lowest := before.Lower
				for r.n < at+60 && len(r.alarms) == n {
					r.observe(growing(left))
					lowest = min(lowest, r.last.Band.Lower)
				}
				if lowest < .8*before.Lower {
					t.Errorf("day %d, %g left, seed %d: the band went down to %g with the fault, from %+v", day, left, seed, lowest, before)
				}
				if len(r.alarms) == n {
					t.Errorf("day %d, %g left, seed %d: not told within the hour", day, left, seed)
				}
			}
		}
	}
	for seed := range uint64(4) {
		r := newRun(Defaults())
		r.feed(14*perDay, families()["ou"](), rnd(900+seed))
		if len(r.alarms) > 1 {
			t.Errorf("seed %d: what wanders slowly: %v", seed, r.alarms)
		}
	}
}
