package ledger

import "math"

// Told is how far out an alarm that stands has been told to be: in the signal's unit, on the scale on which it is judged, and as a share of the way to the
// end of the signal's range; and how many windows were clearly farther out, less those that were not, since. The zero value has told nothing.
type Told struct {
	Far, FarY float32
	Way       uint16 // 65535 = all of the way; 0 where the range has no end
	N         uint16
}

const (
	times  = 2.  // what is twice as far out as was told is clearly farther …
	timesY = 1.5 // … if it is so much farther on the scale of judgement
	moreY  = .5  // … or so much, whichever is less: what is twice as far out at noon as at night, since all is, is not worse
	share  = .75 // what has gone so much of the way from there to the end of the scale is, too
)

// Tell takes note that an alarm is told to be so far out; room is the way from what was expected to the end of the range, infinite where there is none.
func (t *Told) Tell(far, farY, room float64) {
	t.Far, t.FarY = max(t.Far, float32(min(far, math.MaxFloat32))), max(t.FarY, float32(farY))
	t.Way = max(t.Way, uint16(way(far, room)*math.MaxUint16))
}

// way is the share of the way to the end that a distance is; 0 where there is no end.
func way(far, room float64) float64 {
	if w := far / room; w > 0 {
		return min(w, 1)
	}
	return 0
}

// Farther reports whether a window is clearly farther out than was told: with room left to the end of the range, by at least least in the unit and leastY on the scale.
// What goes all of the way is no farther out when the way is longer, at noon.
func (t *Told) Farther(far, farY, room, least, leastY float64) bool {
	was, wasY, told := float64(t.Far), float64(t.FarY), float64(t.Way)/math.MaxUint16
	again := far >= times*was && farY >= min(timesY*wasY, wasY+moreY) && farY >= wasY+leastY
	return far >= was+least && (again || way(far, room) >= told+share*(1-told))
}

// Count counts a window, and reports whether enough were farther out, n net; then it begins anew.
func (t *Told) Count(farther bool, n int) bool {
	if !farther {
		t.N -= min(t.N, 1)
		return false
	}
	t.N++
	return int(t.N) >= n
}
