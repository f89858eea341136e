// Package habit is what came at the same time of the day or of the week before, and how often: arithmetic that knows no model.
package habit

import "math"

// Habit is a deviation by the quarter of an hour at which it began. The zero value is none.
type Habit struct {
	Level int16 // distance from what was expected, in the owner's unit
	At    uint8 // quarter of an hour of the civil day at which it began
	Long  uint8 // how long it lasted, quarters of an hour
	Day   uint8 // civil day on which it last came, modulo Days
	N     uint8 // times that it came: a day to three after the time before in the lower four bits, a week after in the upper ones
}

// What counts as coming back.
const (
	Days   = 252 // whole weeks, so that distances survive the modulo
	daily  = 3   // times that a mature signal is told of what comes every day
	weekly = 4   // … every week; an outage that comes back once a week is found each time for a month
	skip   = 3   // days: from a Friday to a Monday
)

// Since returns how many days lie between the habit's newest day and another.
func (h *Habit) Since(day uint8) int { return (int(day) + Days - int(h.Day)) % Days }

// DayOf is the number of a civil day as habits count them.
func DayOf(day int32) uint8 {
	return uint8((day%Days + Days) % Days)
}

// Come counts another coming on a day.
func (h *Habit) Come(day uint8) {
	byDay, byWeek := h.N&15, h.N>>4
	switch d := h.Since(day); {
	case d == 0:
		return
	case d <= skip:
		byDay = min(byDay+1, 15)
	case d == 7:
		byWeek = min(byWeek+1, 15)
		byDay = 1
	default:
		byDay, byWeek = 1, 1
	}
	h.N, h.Day = byDay|byWeek<<4, day
}

// Known reports whether the habit explains a coming on a day; of a young signal it takes one day.
func (h *Habit) Known(day uint8, young bool) bool {
	byDay, byWeek := uint8(daily), uint8(weekly)
	if young {
		byDay = 1
	}
	d := h.Since(day)
	if d == 0 { // today's coming does not explain itself
		byDay, byWeek = byDay+1, byWeek+1
	}
	return d <= skip && h.N&15 >= byDay || (d == 0 || d == 7) && h.N>>4 >= byWeek
}

// First is a habit that has come once.
func First(level int16, at, long, day uint8) Habit {
	return Habit{Level: level, At: at, Long: long, Day: day, N: 0x11}
}

// Like reports whether a distance is within a factor of two of the habit's, which is on the same side.
func (h *Habit) Like(level int16) bool {
	a, b := math.Abs(float64(h.Level)), math.Abs(float64(level))
	return a <= 2*b && b <= 2*a
}
