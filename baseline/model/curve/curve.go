// Package curve is what the hours around a moment leave open there: arithmetic that knows no model.
package curve

import "math"

// Between returns the range of what six hours leave open at the share frac of the way between the two in the middle: the line between those, and the slope of either side led on to
// there. Where days are smooth the three are one; where a step or a break is near, which may be at any minute, they are not.
func Between(c *[6]float64, frac float64) (lo, hi float64) {
	line := c[2] + frac*(c[3]-c[2])
	before := c[2] + frac*slope(c[1]-c[0], c[2]-c[1])
	after := c[3] - (1-frac)*slope(c[5]-c[4], c[4]-c[3])
	return min(line, before, after), max(line, before, after)
}

// Behind returns the levels that lie behind a step within the hours around a moment: an hour that is by more than room between its neighbours has a step within it, which on another day may
// come before the moment or after it. Where there is none it is that hour's own level.
func Behind(c *[6]float64, room float64) (past, next float64) {
	past, next = c[2], c[3]
	if within(c[1], c[2], c[3], room) {
		past = c[1]
	}
	if within(c[2], c[3], c[4], room) {
		next = c[4]
	}
	return past, next
}

// within reports whether b is between a and c, farther than room from both.
func within(a, b, c, room float64) bool {
	return (b-a)*(c-b) > 0 && math.Abs(b-a) > room && math.Abs(c-b) > room
}

// slope leads two moves from hour to hour, the first of them further away, on to the next: by no more than either of them, less as they become less, and 0 where they are not the
// same way: a step is no slope.
func slope(a, b float64) float64 {
	next := 2*b - a
	if a*b <= 0 || b*next <= 0 {
		return 0
	}
	return math.Copysign(min(math.Abs(a), math.Abs(b), math.Abs(next)), b)
}

// Toward moves old to seen by 1/(visits+1), at least least, of the distance; from the third visit on by no more than lim allows.
func Toward(old, seen float32, visits int, least, lim, r float32) float32 {
	if visits == 0 {
		return seen
	}
	d := seen - old
	if visits >= 2 {
		d = min(max(d, -lim), lim)
	}
	return old + r*max(1/float32(visits+1), least)*d
}

// Nearer reports whether a is nearer to c than b is.
func Nearer(a, b, c int16) bool {
	return math.Abs(float64(a)-float64(c)) < math.Abs(float64(b)-float64(c))
}

// Visits counts up to 15 visits of each hour of the day, four bits each.
type Visits [12]uint8

// Of returns the visits of an hour.
func (v *Visits) Of(hour int) int { return int(v[hour/2]>>(4*(hour&1))) & 15 }

// Add counts a visit of an hour.
func (v *Visits) Add(hour int) {
	if v.Of(hour) < 15 {
		v[hour/2] += 1 << (4 * (hour & 1))
	}
}

// Climbed returns the share of a day's climb, from its lowest level to its highest, that is done by an hour; 1 where the day climbs by less than least.
func Climbed(day *[24]float64, hour int, least float64) float64 {
	lo, hi, so := math.Inf(1), math.Inf(-1), math.Inf(-1)
	for k, y := range day {
		lo, hi = min(lo, y), max(hi, y)
		if k <= hour {
			so = max(so, y)
		}
	}
	if hi-lo < max(least, math.SmallestNonzeroFloat64) {
		return 1
	}
	return (so - lo) / (hi - lo)
}

// Sized returns a shape of the week, its mean day, and by how much it must be multiplied so that f of the way from hour i to the next it is at a level. Where daily is true every day is the mean one.
func Sized(week [168]float64, daily bool, i int, f, level float64) (shape [168]float64, day [24]float64, size float64) {
	for h, x := range week {
		day[h%24] += x / 7
	}
	if daily {
		for h := range week {
			week[h] = day[h%24]
		}
	}
	return week, day, level / (week[i] + f*(week[(i+1)%168]-week[i]))
}
