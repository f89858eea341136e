package trend

import "math"

// Stands returns the level at which values stand, and whether they do: none further from it than reach, half of them within fit, both as shares of the level, and neither half on
// its way somewhere, as after a start, by more than half of fit.
func Stands(xs []float64, reach, fit float64) (level float64, ok bool) {
	buf := make([]float64, len(xs))
	copy(buf, xs)
	level = Median(buf)
	size := math.Abs(level)
	if size < 1e-300 || size > 1e300 {
		return 0, false
	}
	for i, x := range xs {
		if !(math.Abs(x-level) <= reach*size) {
			return 0, false
		}
		buf[i] = math.Abs(x - level)
	}
	if 1.4826*Median(buf) > fit*size {
		return 0, false
	}
	copy(buf, xs)
	first, second := Median(buf[:len(xs)/2]), Median(buf[len(xs)/2:])
	return level, math.Abs(first-second) <= fit*size/2
}
