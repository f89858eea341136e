package model

import "math"

// Excuse: it is less than the smallest effect worth a message, EffectAbs and EffectRel, times what a deviation must be gross by. Such a
// window is no evidence, however rare.

// nearEnd is the share of the way to the end of the scale beyond which a deviation is gross whatever the effect: there is nothing farther to go to.
const nearEnd = .8

// big says on which side a deviation from what was expected, in the signal's unit, is at least gross times the smallest effect.
func (q *prediction) big(p *Params, dev, gross float64) (b [2]bool) {
	side := sideOf(dev)
	least := q.effect * gross
	if end := p.end(side); finite(end) {
		least = min(least, max(q.effect, nearEnd*math.Abs(end-q.band.Expected)))
	}
	b[side] = dev != 0 && math.Abs(dev) >= least
	return b
}

// end is where the scale ends on a side, infinite where it does not.
func (p *Params) end(side int) float64 { return [2]float64{p.Max, p.Min}[side] }
