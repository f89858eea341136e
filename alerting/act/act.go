// Package act keeps what people say of alarms: who has an incident, what is silenced and until when, which hours are maintenance, and what is normal.
//
// An Act is a record of the ordered log: it holds from its place there on, and a replay of the log comes to the same acts at the same places. A Book folds
// them. Nothing here reads a clock: ends and hours are compared with the event time of what is judged. Acts mute what is told, never what is judged.
package act

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting/route"
)

// Kind says what an act does.
type Kind string

// The kinds of acts.
const (
	Ack         Kind = "ack"         // somebody has an incident; it is neither repeated nor escalated, and told of when it gets worse
	Silence     Kind = "silence"     // alarms that match are told to nobody until it ends
	Maintenance Kind = "maintenance" // a silence that begins later, or comes again
	Lesson      Kind = "lesson"      // alarms of a signal that match are normal, as far as its bounds reach, at its hours
	Level       Kind = "level"       // the level at which a signal is in alarm is its new normal
)

// Kinds lists them.
var Kinds = []Kind{Ack, Silence, Maintenance, Lesson, Level}

// Names are the labels that matchers may ask an alarm for. One that an alarm has not is "". signal is the name of its rule, id the whole id of the signal.
var Names = []string{"cluster", "namespace", "workload", "node", "signal", "pack", "severity", "id"}

// Act is something that somebody said. It is immutable once it is in a Book. Times are Unix milliseconds; ends and beginnings are event time.
type Act struct {
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	Who  string `json:"who"`
	Why  string `json:"why,omitempty"`
	T    int64  `json:"t"` // when it was said, receive clock

	Incident string `json:"incident,omitempty"` // of an ack
	Signal   string `json:"signal,omitempty"`   // of a level: the signal's id
	Rule
	From  int64 `json:"from,omitempty"`  // 0 = from its place in the log on
	Until int64 `json:"until,omitempty"` // what ends there or later is told again; 0 = until it is undone

	Undone *Undo `json:"undone,omitempty"`
}

// Rule is the part of an act that can be reviewed by itself: what it is about, when, and how far it reaches. The zero value is of an act that needs none.
type Rule struct {
	Match   []string        `json:"match,omitempty" yaml:"match,omitempty"`       // matchers as routes have them; all must take the alarm
	When    *route.TimeSpan `json:"when,omitempty" yaml:"when,omitempty"`         // nil = always
	AtMost  *float64        `json:"at_most,omitempty" yaml:"at_most,omitempty"`   // of a lesson, in the signal's unit: a high alarm is normal up to here; nil = none is
	AtLeast *float64        `json:"at_least,omitempty" yaml:"at_least,omitempty"` // a low alarm is normal down to here; nil = none is
	Effect  *float64        `json:"effect,omitempty" yaml:"effect,omitempty"`     // an alarm for being above or below its band is normal while its value is no further than this from what is expected; with bounds, both count
	Absent  bool            `json:"absent,omitempty" yaml:"absent,omitempty"`     // that the signal is silent is normal
	NotFor  string          `json:"not_for,omitempty" yaml:"not_for,omitempty"`   // of a lesson, in place of bounds: this receiver is not told of incidents that match …
	To      string          `json:"to,omitempty" yaml:"to,omitempty"`             // … and this one is in its place; "" = the others that are told anyway
}

// Undo says who took an act back.
type Undo struct {
	Who string `json:"who"`
	Why string `json:"why,omitempty"`
	T   int64  `json:"t"`
}

// Mutes reports whether acts of the kind keep alarms from being told.
func (k Kind) Mutes() bool { return k == Silence || k == Maintenance || k == Lesson }

// Lasting reports whether the act is a lasting lesson that files hold.
func (a *Act) Lasting() bool { return a.Kind == Lesson }

// Over reports whether the act says nothing any more at t.
func (a *Act) Over(t int64) bool { return a.Undone != nil || a.Until != 0 && t >= a.Until }

// Subject is an alarm as acts see it.
type Subject struct {
	Label                         func(name string) string // of Names
	Value, Lower, Expected, Upper float64                  // NaN when there is none
	Side                          int                      // +1 = it is told for being high or rising, −1 = for being low or falling, 0 = neither
	Absent                        bool                     // it is told for being silent
	Apart                         bool                     // how far the value is from what is expected is not what is wrong: a drift, a mark that was passed, a value that does not move
}

// held is an act that is ready to be asked.
type held struct {
	*Act
	matchers []route.Matcher
	when     *route.Interval // nil = always
}

// hold makes an act ready. Its errors are of type *Error.
func hold(a *Act) (*held, error) {
	h := &held{Act: a}
	for i, text := range a.Match {
		ms, err := route.ParseMatchers(text, Names)
		if err != nil {
			return nil, &Error{fmt.Sprintf("match[%d]", i), err.Error()}
		}
		h.matchers = append(h.matchers, ms...)
	}
	if a.When != nil {
		when, err := route.NewInterval("when", []route.TimeSpan{*a.When})
		if err != nil {
			return nil, &Error{"when", err.Error()}
		}
		h.when = when
	}
	return h, nil
}

// about reports whether the act is about an alarm.
func (h *held) about(s *Subject) bool {
	for i := range h.matchers {
		if !h.matchers[i].Takes(s.Label(h.matchers[i].Label())) {
			return false
		}
	}
	return true
}

// at reports whether the act holds at t, which its end and beginning say, and its hours.
func (h *held) at(t int64) bool {
	return t >= h.From && !h.Over(t) && (h.when == nil || h.when.Contains(time.UnixMilli(t)))
}

// covers reports whether what is wrong is within what the act says is normal. A silence does not ask.
func (h *held) covers(s *Subject) bool {
	if h.Kind != Lesson {
		return true
	}
	if h.NotFor != "" { // it is told, though not to all
		return false
	}
	if s.Absent {
		return h.Absent
	}
	if h.Effect == nil && h.AtMost == nil && h.AtLeast == nil || math.IsNaN(s.Value) {
		return false
	}
	if e := h.Effect; e != nil && (s.Apart || !(math.Abs(s.Value-s.Expected) <= *e)) {
		return false
	}
	if h.AtMost == nil && h.AtLeast == nil {
		return true
	}
	high, low := s.Side > 0 || s.Value > s.Upper, s.Side < 0 || s.Value < s.Lower
	switch {
	case high && (h.AtMost == nil || s.Value > *h.AtMost), low && (h.AtLeast == nil || s.Value < *h.AtLeast):
		return false
	case !high && !low: // nothing says which side is wrong: it must be within what is given
		return (h.AtMost == nil || s.Value <= *h.AtMost) && (h.AtLeast == nil || s.Value >= *h.AtLeast)
	}
	return true
}

// Trial is an act that nobody has said yet, to see what it would do.
type Trial struct{ h *held }

// Try makes a trial. Its errors are of type *Error.
func Try(a *Act) (*Trial, error) {
	h, err := hold(a)
	return &Trial{h}, err
}

// Mutes reports whether the act would keep an alarm from being told at t, were it there at all times: of its beginning, its end and its hours only the hours count. Of a detour it says whether it would take it.
func (x *Trial) Mutes(s *Subject, t int64) bool {
	return x.h.Kind.Mutes() && x.h.about(s) && (x.h.NotFor != "" || x.h.covers(s)) && (x.h.when == nil || x.h.when.Contains(time.UnixMilli(t)))
}

// Detour reports whether the act is about who is told, and not about whether: then what it is about is the alarm that an incident's title speaks of.
func (x *Trial) Detour() bool { return x.h.NotFor != "" }

// Always reports whether the hour does not matter to the act.
func (x *Trial) Always() bool { return x.h.when == nil }

// Words says in a line what the act is about and when, without who and why. Times are UTC where the act names no other place.
func (a *Act) Words() string {
	switch a.Kind {
	case Ack:
		return "incident " + a.Incident
	case Level:
		return "level of " + a.Signal
	}
	parts := []string{strings.Join(a.Match, ", ")}
	if w := a.When; w != nil {
		parts = append(parts, whenWords(w))
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	for _, x := range []struct {
		word string
		v    *float64
	}{{"normal down to ", a.AtLeast}, {"normal up to ", a.AtMost}, {"normal up to this far from what is expected: ", a.Effect}} {
		if x.v != nil {
			parts = append(parts, x.word+number(*x.v))
		}
	}
	if a.Absent {
		parts = append(parts, "silence is normal")
	}
	if a.NotFor != "" {
		parts = append(parts, "not for "+a.NotFor)
	}
	if a.To != "" {
		parts = append(parts, "for "+a.To+" in its place")
	}
	return strings.Join(parts, "; ")
}

// whenWords says hours in words: monday:friday 09:00–10:00 Europe/Berlin.
func whenWords(w *route.TimeSpan) string {
	var parts []string
	for _, list := range [][]string{w.Weekdays, w.DaysOfMonth, w.Months, w.Years} {
		if len(list) > 0 {
			parts = append(parts, strings.Join(list, ", "))
		}
	}
	if len(w.Weekdays)+len(w.DaysOfMonth) == 0 {
		parts = append(parts, "every day")
	}
	var times []string
	for _, r := range w.Times {
		times = append(times, r.Start+"–"+r.End)
	}
	if len(times) > 0 {
		parts = append(parts, strings.Join(times, ", "))
	}
	return strings.Join(append(parts, cmp.Or(w.Location, "UTC")), " ")
}

// Error is what is wrong with what somebody wants to say, by the field that it belongs to.
type Error struct {
	Field string
	Msg   string
}

// Error says field and reason.
func (e *Error) Error() string { return e.Field + ": " + e.Msg }

// sameRule reports whether two rules say the same, whatever the order of their matchers.
func sameRule(a, b *Act) bool { return a.key() == b.key() }

func (a *Act) key() string {
	match := slices.Sorted(slices.Values(a.Match))
	number := func(v *float64) string {
		if v == nil {
			return "-"
		}
		return strconv.FormatFloat(*v, 'g', -1, 64)
	}
	when := ""
	if a.When != nil {
		when = fmt.Sprintf("%q", *a.When)
	}
	return fmt.Sprintf("%q %s %s %s %s %v %q %q %d", match, when, number(a.AtMost), number(a.AtLeast), number(a.Effect), a.Absent, a.NotFor, a.To, a.Until)
}
