// Package ledger keeps how far a signal with a limit went on each of the last days, and reads two things from it: how far it usually goes before it comes
// back by itself, and whether it is on a way that does not. It is arithmetic only, and knows no model. What is written is never moved, so nothing that a
// model adapts to can hide a leak from it.
//
// Levels are shares of the way: 0 is the good end of a signal's scale, 1 its limit. A saw-tooth (a collector, a page cache, a file that is rotated) falls back,
// so its tops say what is usual; a leak raises both the least and the most of each day.
//
// Signs of all pairs say whether days rise: H. B. Mann, Nonparametric tests against trend, 1945; their median slope by how much: P. K. Sen, Estimates of
// the regression coefficient based on Kendall's tau, 1968.
package ledger

import (
	"math"
	"slices"
)

// Days is how many days there are: four weeks, so that each weekday has been seen four times.
const Days = 28

// Step is the resolution of a level, a share of the way. What is beyond Steps of them is taken for that.
const (
	Step  = 1. / 200
	Steps = 254
)

// Day is the least and the most of a day, in steps. Low above High has not been seen; the zero value has been at 0.
type Day struct{ Low, High uint8 }

// unseen is a day without a level.
var unseen = Day{Low: Steps + 1}

func (d Day) seen() bool { return d.Low <= d.High }

// Book is the ledger of a signal. The zero value must be given to Clear before use. It has no pointers.
type Book struct {
	Days [Days]Day // by the number of the day
	Now  Day       // the day under way
}

// Clear empties b.
func (b *Book) Clear() {
	for i := range b.Days {
		b.Days[i] = unseen
	}
	b.Now = unseen
}

// Sound reports whether b holds nothing that no ledger has.
func (b *Book) Sound() bool {
	for _, d := range b.Days {
		if d.Low > d.High && d != unseen {
			return false
		}
	}
	return b.Now.seen() || b.Now == unseen
}

// See adds a level of the day under way. What is no number is not seen.
func (b *Book) See(share float64) {
	if share != share {
		return
	}
	s := uint8(min(max(math.Round(share/Step), 0), Steps))
	b.Now.Low, b.Now.High = min(b.Now.Low, s), max(b.Now.High, s)
}

// Close ends the day of number day, and begins the one of number next; days between are not seen. whole says that enough of the day was seen to be one.
func (b *Book) Close(day, next int32, whole bool) {
	if next <= day || next-day > Days {
		day = next - Days
	}
	for k := day; k < next; k++ {
		b.Days[at(k)] = unseen
	}
	if whole {
		b.Days[at(day)] = b.Now
	}
	b.Now = unseen
}

func at(day int32) int { return int((day%Days + Days) % Days) }

// What a ledger takes for what.
const (
	fallBack = .5  // of the way from the lowest level to a top: whoever fell by that came back
	harmless = .97 // a top above that was not come back from by itself: what reaches its limit is killed
	usual    = 2   // tops that make a habit: one may have been an accident that was mended
	young    = 10  // days before there can be two of most: until then one is
	near     = .02 // above what is usual that still is
	rises    = 4   // scatters of the days before by which what climbs must have climbed
	calm     = 3   // days before a climb that say how much they scatter
	long     = 14  // days of a climb that need none before them
	levels   = .75 // a climb whose pace has fallen below that of what it was is about to end
)

// Reach returns the level to which the signal usually goes and comes back from by itself, and whether there is one: the second highest of its tops up to the
// day of number today, the highest of one that is young. least is the smallest fall that is one.
func (b *Book) Reach(today int32, least float64) (share float64, ok bool) {
	bottom, days := uint8(Steps), 0
	for _, d := range b.Days {
		if d.seen() {
			bottom = min(bottom, d.Low)
			days++
		}
	}
	var tops [2]uint8 // the highest two
	n, top := 0, uint8(0)
	for k := int32(Days - 1); k >= 0; k-- {
		d := b.Now
		if k > 0 {
			d = b.Days[at(today-k)]
		}
		if !d.seen() {
			continue
		}
		if way := float64(top) - float64(d.Low); way*Step >= least && way >= fallBack*(float64(top)-float64(bottom)) {
			if float64(top)*Step <= harmless {
				tops[1] = max(tops[1], min(tops[0], top))
				tops[0] = max(tops[0], top)
				n++
			}
			top = 0
		}
		top = max(top, d.High)
	}
	if days < young && n > 0 {
		return float64(tops[0])*Step + near, true
	}
	return float64(tops[1])*Step + near, n >= usual
}

// Climb is a way up that does not come back. Levels are shares of the way to the limit. The zero value is none.
type Climb struct {
	Pace float64 // a day, of the tops, as it was of late; 0 = none
	From float64 // top of the day before it began
	Now  float64 // top of the newest day
	Days float64 // for how many days
	Left float64 // days until the limit at that pace, +Inf where it levels off before
	Sure bool    // days before it, or its own length, say that it is not what the signal always does
}

// Climbs returns the climb that the days up to the one before today are on, the surest of those that end then. least is the smallest that is one.
func (b *Book) Climbs(today int32, least float64) (best Climb) {
	if reach, ok := b.Reach(today, least); ok && float64(b.Days[at(today-1)].High)*Step < reach {
		return best
	}
	sure := 0.
	for _, n := range [...]int{3, 4, 5, 7, 10, 14, 21, Days} {
		if c, s := b.climb(today, n, least); s > sure {
			best, sure = c, s
		}
	}
	return best
}

// side is the least or the most of each of some days, newest first.
type side struct {
	y, x [Days]float64 // level in steps; days before the newest
	n    int
}

func (s *side) add(x, y float64) {
	s.x[s.n], s.y[s.n] = x, y
	s.n++
}

// climb weighs the newest n days. sure is 0 where they do not climb, and the larger the surer.
func (b *Book) climb(today int32, n int, least float64) (c Climb, sure float64) {
	var low, high, before [2]side
	for k := range Days {
		d := b.Days[at(today-1-int32(k))]
		if !d.seen() {
			continue
		}
		to := [2]*side{&low[0], &high[0]}
		if k >= n {
			to = [2]*side{&before[0], &before[1]}
		}
		to[0].add(float64(k), float64(d.Low))
		to[1].add(float64(k), float64(d.High))
	}
	lo, hi := &low[0], &high[0]
	if lo.n < max(3, n*4/5) || lo.x[0] != 0 {
		return c, 0
	}
	if before[0].n < calm && n < 5 {
		return c, 0 // nothing says that such days are not usual
	}
	pairs := float64(lo.n*(lo.n-1)) / 2
	signs := (lo.signs() + hi.signs()) / (2 * pairs)
	if signs < .5+.9/float64(n) {
		return c, 0
	}
	way := hi.x[hi.n-1]
	paceLow, paceHigh := lo.slope(), hi.slope()
	rise := min(paceLow, paceHigh) * way
	if rise*Step < least {
		return c, 0
	}
	scatter := 1.
	if before[0].n >= calm {
		scatter = max(scatter, before[0].scatter(), before[1].scatter())
	}
	if rise < rises*scatter {
		return c, 0
	}
	c = hi.climb(paceHigh, way)
	c.Sure = before[0].n >= calm || n >= long
	return c, signs * rise / scatter
}

// signs is how many pairs rise with time less how many fall.
func (s *side) signs() (sum float64) {
	for i := range s.n {
		for j := range i { // j is the later one
			if s.y[j] > s.y[i] {
				sum++
			} else if s.y[j] < s.y[i] {
				sum--
			}
		}
	}
	return sum
}

// slope is the median of the slopes of all pairs, steps a day.
func (s *side) slope() float64 {
	var all [Days * (Days - 1) / 2]float64
	k := 0
	for i := range s.n {
		for j := range i {
			all[k] = (s.y[j] - s.y[i]) / (s.x[i] - s.x[j])
			k++
		}
	}
	return middle(all[:k])
}

// scatter is the median distance from the median, as a standard deviation.
func (s *side) scatter() float64 {
	all := s.y
	v := all[:s.n]
	m := middle(v)
	for i := range v {
		v[i] = math.Abs(v[i] - m)
	}
	return 1.4826 * middle(v)
}

// middle sorts v and returns its middle.
func middle(v []float64) float64 {
	slices.Sort(v)
	return v[(len(v)-1)/2]/2 + v[len(v)/2]/2
}

// climb says where the tops of a climb of so many steps a day, over so many days, lead to. What was quicker at first than it is now goes on to slow down.
func (s *side) climb(pace, way float64) Climb {
	half := 0
	for half < s.n-1 && s.x[half] < way/2 {
		half++
	}
	late := (s.y[0] - s.y[half]) / s.x[half]
	early := pace
	if way > s.x[half] {
		early = (s.y[half] - s.y[s.n-1]) / (way - s.x[half])
	}
	full, left := 1/Step-s.y[0], math.Inf(1)
	slows := late / early // each half of the way as much slower than the one before: its sum has an end
	switch {
	case full <= 0:
		left = 0
	case late <= 0, slows < levels && late*way/2*slows/(1-slows) < full:
	default:
		left = full / late
	}
	return Climb{Pace: min(pace, late) * Step, From: s.y[s.n-1] * Step, Now: s.y[0] * Step, Days: way, Left: left}
}
