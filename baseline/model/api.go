// Package model learns what is normal for one signal and judges each new window against it.
// It is arithmetic only: no I/O, no locks, no clock; time arrives as an argument.
//
// A Model is a value of fixed size. Observe predicts a Band for the window, judges the value against it and only then learns it;
// the Judgement says what was expected, how much evidence of trouble there is, and what the window did to the alarm. Params are
// what the signal's pack knows and no model can learn: direction, bounds, the smallest effect worth a message.
//
// The same windows give the same judgements, bit for bit, also across AppendBinary and UnmarshalBinary at any point.
package model

import "math"

// Direction says which way of moving is bad for a signal's users.
type Direction uint8

// The directions. The zero value judges both sides.
const (
	Both Direction = iota
	Up
	Down
)

// String returns "both", "up" or "down".
func (d Direction) String() string { return [...]string{"both", "up", "down"}[d%3] }

// Mode says how a signal is judged, as packs write it (signals.md §2).
type Mode uint8

// The modes. Level is the zero value.
const (
	Level  Mode = iota // against its learned band
	Trend              // as Level, and its slope towards Limit is tested over hours, days and weeks
	Spread             // between peers; usually 1 (fair) or 0, learned like Level but without season
	Event              // usually zero; anything above the effect is news
)

// Season is what the pack expects of a signal's shape. The model still uses a shape only where it predicts better.
type Season uint8

// The season hints. Auto is the zero value.
const (
	Auto Season = iota
	NoSeason
	Daily
	Weekly
)

// Params are the constants of one signal that its pack and the configuration fix. They are not state:
// a model may be given other values from one window to the next, as when the smallest effect depends on how many events a window
// had. The zero value is not useful; start from Defaults. Values that make no sense (a negative step, a NaN) are read as the default.
type Params struct {
	StepMs    int64     // length of a window, milliseconds
	Mode      Mode      //
	Bad       Direction //
	Season    Season    //
	Min, Max  float64   // the values that the signal can take; ±Inf when unbounded
	EffectAbs float64   // smallest deviation from the expected value worth a message, in the signal's unit; 0 = none
	EffectRel float64   // the same as a share of the expected value, 0.3 = 30 %; both must hold; 0 = none
	Ceiling   float64   // a fixed mark in the bad direction that alone is news once passed for Persist windows; NaN = none
	Limit     float64   // where the signal hurts (1 for a fill ratio), for the time-to-limit of a drift; NaN = none
	EtaMs     int64     // a drift is news only when it reaches Limit within this many milliseconds; 0 = no such condition
	Renews    float64   // the signal is what is left of a life that is renewed before its end, and one first seen with this or less is short by design: a Ceiling is no higher than where such a life is usually renewed, see test_ceiling.go; 0 = no such signal
	Persist   int       // consecutive windows that must deviate before a point alarm; 0 = 1
	Extremes  bool      // nothing is known of the signal: what goes clearly beyond all that it did is news at once, without Persist; see package extreme
	Strict    float64   // × the evidence that an alarm needs: what a Budget asks; 0 = 1. A ceiling and an event count windows and do not heed it
	Grave     bool      // somebody is hurt when the signal is on its bad side: what comes back every day is not excused as lightly; see excuse_habit.go
	Trials    float64   // of a share: how many events this window's value is a share of; 0 = not counted
	Least     float64   // … below which the value says little and only their number is judged; see test_count.go
	Worth     float64   // … that must have gone wrong, over the windows in a row, to be worth a message
	PerUnit   float64   // of a rate of counted events: how many a window has for each unit of the value; 0 = not counted
	Explained bool      // a change to the signal's own workload came with the alarm that stands: the new level may be adopted, be it to the bad side
	Threshold float64   // evidence in nats at which the score is 1, before Strict; 0 = 18. For windows of a minute: longer ones, of which a day has fewer, ask for ln(minutes) less
}

// Defaults returns parameters for an unbounded signal in one-minute windows, judged on both sides.
func Defaults() Params {
	return Params{StepMs: 60_000, Min: math.Inf(-1), Max: math.Inf(1), EffectRel: 0.2, Ceiling: math.NaN(), Limit: math.NaN(), Persist: 3, Threshold: 18}
}

// sane reports whether arithmetic with p can be trusted.
func (p *Params) sane() bool {
	return p.StepMs > 0 && p.StepMs <= stepMax && p.Mode <= Event && p.Bad <= Down && p.Season <= Weekly && p.Min <= p.Max &&
		p.EffectAbs >= 0 && p.EffectRel >= 0 && p.EffectRel <= math.MaxFloat64 && p.Renews >= 0 && p.Threshold >= 0 && p.Threshold <= 1e9 && p.Strict >= 0 && p.Strict <= 1e3 && p.Persist >= 0 &&
		p.Trials >= 0 && p.Trials <= countMost && p.Least >= 0 && p.Worth >= 0 && p.PerUnit >= 0 && p.PerUnit <= countMost
}

// repaired returns p with whatever no signal can have replaced by what Defaults has: a wrong constant must not harm a model.
func (p *Params) repaired() Params {
	q, d := *p, Defaults()
	if q.StepMs <= 0 || q.StepMs > stepMax {
		q.StepMs = d.StepMs
	}
	if q.Mode > Event {
		q.Mode = Level
	}
	if q.Bad > Down {
		q.Bad = Both
	}
	if q.Season > Weekly {
		q.Season = Auto
	}
	if !(q.Min <= q.Max) {
		q.Min, q.Max = d.Min, d.Max
	}
	q.EffectAbs = within(q.EffectAbs, math.Inf(1))
	q.EffectRel = within(q.EffectRel, math.MaxFloat64) // ∞ × 0 is no number
	q.Renews = within(q.Renews, math.MaxFloat64)
	q.Threshold = within(q.Threshold, 1e9)
	q.Strict = within(q.Strict, 1e3)
	q.Persist = max(q.Persist, 0)
	q.Trials, q.PerUnit = within(q.Trials, countMost), within(q.PerUnit, countMost)
	q.Least, q.Worth = within(q.Least, math.Inf(1)), within(q.Worth, math.Inf(1))
	return q
}

// within returns v where it is positive, at most most; else 0.
func within(v, most float64) float64 {
	if !(v >= 0) {
		return 0
	}
	return min(v, most)
}

// stepMax is the longest window: a week, the longest rhythm.
const stepMax = 7 * 86_400_000

// Moment is when a window ended: as an instant and in the civil time of the place that makes the signal's rhythm.
type Moment struct {
	T          int64   // end of the window, Unix milliseconds
	HourOfWeek int     // 0 = Monday 00:00–00:59, 167 = Sunday 23:00–23:59, civil time
	HourFrac   float64 // share of that hour already passed, 0 ≤ x < 1
	Day        int32   // civil day number (days since 1970-01-01 in civil time)
}

// Band is the range that was predicted for a window before its value was seen, in the signal's unit. Lower ≤ Expected ≤ Upper always holds.
type Band struct{ Lower, Expected, Upper float64 }

// State is where a signal stands after a window.
type State uint8

// The states, in the words of the UI and the API. Absent is set by the engine, never by a model.
const (
	Learning State = iota // too little seen to judge finely; only gross and lasting deviations count
	Normal
	High     // alarm: above its band
	Low      // alarm: below its band
	Drifting // alarm: a slow move in the bad direction
	Absent   // the signal used to have values and has none
)

// String returns the state's word.
func (s State) String() string {
	return [...]string{"learning", "normal", "high", "low", "drifting", "absent"}[s%6]
}

// Alarm reports whether s is a state that may open an incident.
func (s State) Alarm() bool { return s == High || s == Low || s == Drifting || s == Absent }

// Test names which test of the model spoke.
type Test uint8

// The tests. NoTest is the zero value.
const (
	NoTest      Test = iota
	PointTest        // windows far outside the tail of what the signal usually does
	ShiftTest        // a sustained shift of a quarter-hour mean or longer
	DriftTest        // a trend over hours, days or weeks of the seasonally adjusted level
	CeilingTest      // a fixed mark was passed
	EventTest        // a signal that is usually zero is not
	FlatTest         // a signal that moves has stopped moving
	CountTest        // too many of a few events went wrong, or too few arrived
	tests            // how many there are
)

// String returns the test's word.
func (t Test) String() string {
	return [...]string{"none", "point", "shift", "drift", "ceiling", "event", "flatline", "count"}[t%tests]
}

// Transition is what a window did to the alarm.
type Transition uint8

// The transitions. Stay is the zero value.
const (
	Stay      Transition = iota
	Opened               // an alarm began
	Recovered            // the signal came back to its band
	Adopted              // the new level was adopted; the old one is kept as a known regime
	Worsened             // the alarm that stands got clearly worse than what has been told of it: it begins anew there
)

// String returns the transition's word.
func (t Transition) String() string {
	return [...]string{"", "opened", "recovered", "adopted", "worsened"}[t%5]
}

// Judgement is what a model says of one window. Everything in it was decided before the window was learned.
type Judgement struct {
	Band        Band
	State       State
	Transition  Transition
	Test        Test    // which test spoke loudest, also below the alarm
	Score       float64 // evidence ÷ threshold; 1 = alarm. While an alarm lasts it stays ≥ 1
	Evidence    float64 // nats, of the loudest test; 0 of one that does not count in nats, see Params.Nats
	Onset       int64   // Unix ms at which the deviation began (evidence last zero); 0 when there is none
	Maturity    float64 // 0–1: how much of what the model wants to see it has seen
	SlopePerDay float64 // drift: change of the level, signal's unit a day; 0 when none
	LimitEta    int64   // drift: ms until Limit is reached at that slope; 0 when unknown
	Seasonal    Season  // the shape in use: NoSeason, Daily or Weekly
	Seen        int64   // windows learned from, ever
	Count, Of   float64 // CountTest, while it goes on: events that went wrong since Onset, of so many; or that arrived, of those that were to be expected; 0 of 0 = nothing was counted
	Borrowed    int     // mature siblings whose scatter, tails and shape the band leans on while little has been seen; 0 = none
	Told        bool    // a drift that has been an alarm for a while: State stays, the score is below 1, and what happens meanwhile is news
	Skipped     bool    // the value was NaN or ±Inf: nothing was judged and nothing learned
}

// countMost is the largest number of events that is believed.
const countMost = 1e15
