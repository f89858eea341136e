package model

import (
	"math"
	"testing"
)

// What is left of a life that is renewed is told below its mark where lives are long; where they are short by design, below what they usually come to. hours are the windows' length.
func TestLivesAreRenewed(t *testing.T) {
	const never = math.MaxInt
	for name, c := range map[string]struct {
		life, left, first float64 // days: of a life, at which it is renewed, and left when it is first seen
		stops             int     // the hour from which it is not renewed any more
		mark              float64
		low, high         float64 // days left within which it is told; 0, 0 = never
	}{
		"two days, renewed at 25 hours":              {2, 25. / 24, 2, never, 3, 0, 0},
		"the same by the mark of a warning":          {2, 25. / 24, 2, never, 14, 0, 0},
		"six days, renewed at two":                   {6, 2, 6, never, 3, 0, 0},
		"a day, renewed at its last third":           {1, 1. / 3, .5, never, 3, 0, 0},
		"ninety days, renewed at thirty":             {90, 30, 90, never, 14, 0, 0},
		"two days that are not renewed any more":     {2, 25. / 24, 2, 21 * 24, 3, .6, 1},
		"six days that are not renewed any more":     {6, 3, 6, 21 * 24, 3, 1, 2.3},
		"six days that never were renewed":           {6, 3, 6, 0, 3, 1, 2.1},
		"ninety days that are not renewed any more":  {90, 30, 90, 24, 14, 13, 14},
		"ninety days, seen a week and a half before": {90, 30, 10, 0, 14, 9, 10},
		"ninety days, the last mark":                 {90, 30, 90, 24, 3, 2.5, 3},
	} {
		for _, jitter := range []float64{0, .003} {
			p := Defaults()
			p.Mode, p.Bad, p.Season, p.Min, p.EffectAbs, p.EffectRel = Spread, Down, NoSeason, math.Inf(-1), 1e5, 0
			p.Ceiling, p.Renews, p.Persist = c.mark, 7, 10
			r, src := newRun(p), rnd(9300)
			left, told := c.first, math.NaN()
			for i := range 120 * perDay {
				hour := i / 60
				if left < c.left && hour < c.stops {
					left = c.life
				}
				if j := r.observe(left + jitter*src.Float64()); j.Transition == Opened {
					told = left
					break
				}
				if left -= 1. / perDay; left < 0 {
					break
				}
			}
			if c.high == 0 && !math.IsNaN(told) || c.high > 0 && !(told >= c.low && told <= c.high) {
				t.Errorf("%s, jitter %g: told with %.2f days left, want %g to %g", name, jitter, told, c.low, c.high)
			}
		}
	}
}
