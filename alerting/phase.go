// How far an incident is on its way to its end, and what is said of it there. Pages and messages say it in these words.

package alerting

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
)

// Phase says how far an incident is on its way to its end.
type Phase int

// The phases, the worst first.
const (
	Firing     Phase = iota // a value is outside what is normal
	Recovering              // every member in alarm is back inside its band; it ends when the values stay there
	Closing                 // no member is in alarm any more; the hold runs
	Over                    // resolved
)

// String names it as APIs do.
func (p Phase) String() string {
	return [...]string{"firing", "recovering", "closing", "over"}[min(max(p, Firing), Over)]
}

// Phase returns the incident's.
func (i *Incident) Phase() Phase {
	switch {
	case !i.Open():
		return Over
	case i.Active() == 0 && i.More == 0:
		return Closing
	}
	for k := range i.Members {
		if m := &i.Members[k]; m.Ended == 0 && m.Outside() {
			return Firing
		}
	}
	if i.More > 0 {
		return Firing // what had no room is in alarm, and nobody knows its value
	}
	return Recovering
}

// Outside reports whether the member is a reason to be told of now: its value is outside its band, it drifts, or it is gone.
// An alarm outlasts that by a while.
func (m *Member) Outside() bool { return !Back(m.State, m.Test, m.Value, m.Band, m.Rule) }

// Easing reports whether the member is still in alarm although its value is back inside its band.
func (m *Member) Easing() bool { return m.Ended == 0 && !m.Outside() }

// Back reports whether an alarm is only waiting for its end: the value is inside the band again. What drifts or is gone is not; a value that has stopped moving is
// inside its band all the time, and a fixed mark may lie inside a wide band. r may be nil.
func Back(st model.State, test model.Test, value float64, b model.Band, r *pack.Rule) bool {
	if st == model.Drifting || st == model.Absent || test == model.FlatTest || test == model.CountTest || !(value >= b.Lower && value <= b.Upper) {
		return false
	}
	if test != model.CeilingTest {
		return true
	}
	if r == nil || math.IsNaN(r.Params.Ceiling) || math.IsInf(r.Params.Ceiling, 0) {
		return false
	}
	return r.Params.Bad == model.Down && value >= r.Params.Ceiling || r.Params.Bad != model.Down && value <= r.Params.Ceiling
}

// Tally says how many of the incident's signals are in alarm, in the tense of its phase: "3 of 4 signals in alarm", "4 signals, all back inside",
// "4 signals, none in alarm any more", "4 signals were in alarm".
func (i *Incident) Tally() string {
	all := len(i.Members) + i.More
	signals := Count(all, "signal")
	switch i.Phase() {
	case Over:
		if all == 1 {
			return signals + " was in alarm"
		}
		return signals + " were in alarm"
	case Closing:
		if all == 1 {
			return signals + ", not in alarm any more"
		}
		return signals + ", none in alarm any more"
	case Recovering:
		if all == 1 {
			return signals + ", back inside"
		}
		return signals + ", all back inside"
	}
	bad, back := i.More, 0
	for k := range i.Members {
		switch m := &i.Members[k]; {
		case m.Easing():
			back++
		case m.Ended == 0:
			bad++
		}
	}
	s := Commas(itoa(bad)) + " of " + signals + " in alarm"
	if bad == all {
		s = signals + " in alarm"
	}
	if back > 0 {
		s += ", " + Commas(itoa(back)) + " back inside"
	}
	return s
}

// Standing says where a member stands against what is normal for it: "31 % (normal 0–0.2 %), worst 40 %" while it is outside,
// "0.1 %, back inside 0–0.2 %; it was 40 % at its worst" afterwards, and how it ended where that was otherwise.
func (m *Member) Standing() string {
	now, worst := m.quantity(m.Value).String(), m.quantity(m.Worst).String()
	was := "; it was " + worst + " at its worst"
	if math.IsNaN(m.Worst) {
		was = ""
	}
	switch {
	case m.Ending == "adopted":
		return now + ", adopted as the new normal" + was
	case m.Ending == worse:
		return now + ", worse than what was told here; a newer incident tells of it"
	case m.Ending == "gone":
		return "no data any more" + was
	case m.Ended != 0 || !m.Outside():
		return now + ", back inside " + m.band(m.Band) + was
	case m.State == model.Absent || math.IsNaN(m.Value):
		return "no data" + was
	}
	s := now + " (normal " + m.band(m.Band) + ")"
	if was != "" && worst != now {
		s += ", worst " + worst
	}
	return s
}
