package ledger

import "math"

// Told is how far out an alarm that stands has been told to be, both in the signal's unit and on the scale on which it is judged, and how many windows were
// clearly farther out, less those that were not, since. The zero value has told nothing.
type Told struct {
	Far, FarY float32
	N         uint16
}

const (
	times  = 2.  // what is twice as far out as was told is clearly farther …
	timesY = 1.5 // … if it is so much farther on the scale of judgement
	moreY  = .5  // … or so much, whichever is less: what is twice as far out at noon as at night, since all is, is not worse
	share  = .75 // what has gone so much of the way from there to the end of the scale is, too
)

// Tell takes note that an alarm is told to be so far out.
func (t *Told) Tell(far, farY float64) {
	t.Far, t.FarY = max(t.Far, float32(min(far, math.MaxFloat32))), max(t.FarY, float32(farY))
}

// Farther reports whether a window is clearly farther out than was told: with room left to the end of the scale, by at least least in the unit and leastY on the scale.
func (t *Told) Farther(far, farY, room, least, leastY float64) bool {
	was, wasY := float64(t.Far), float64(t.FarY)
	again := far >= times*was && farY >= min(timesY*wasY, wasY+moreY) && farY >= wasY+leastY
	return far >= was+least && (again || far >= was+share*(room-was))
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
