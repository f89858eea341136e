package model

// Excuse: it is less than the smallest effect worth a message, EffectAbs and EffectRel, times what a deviation must be gross by. Such a
// window is no evidence, however rare.

// big says on which side a deviation from what was expected, in the signal's unit, is at least gross times the smallest effect.
func (q *prediction) big(dev, gross float64) [2]bool {
	return [2]bool{dev > 0 && dev >= q.effect*gross, dev < 0 && -dev >= q.effect*gross}
}
