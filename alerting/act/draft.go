// What somebody wants to say, as it comes from a form, a file or a program: checked and bounded before it is an act.

package act

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting/route"
	"github.com/wrackline/wrackline/baseline/series"
)

// Bounds of what may be said.
const (
	whoMax      = 80
	whyMax      = 500
	matchMax    = 16
	matcherMax  = 1024 // bytes of a matcher
	idMax       = 1024 // of an incident or a signal
	receiverMax = 200
	timesMax    = 24 // ranges of hours in an act
	dayMs       = 24 * 3_600_000

	// SilenceMost is how long a silence and a single maintenance window last at most. What is normal for longer is a lesson.
	SilenceMost = 90 * 24 * time.Hour
	aheadMost   = 366 * dayMs // how far ahead a maintenance window may begin
	shareMost   = .5          // of the time that maintenance which comes again may take
	unbroken    = 90          // days that it may last without a break
)

// Draft is what somebody wants to say. Times are RFC 3339, 2006-01-02T15:04 (UTC) or Unix milliseconds; durations are as 90m, 2h, 3d or 1w.
type Draft struct {
	Kind     Kind   `json:"kind" yaml:"-"`
	Who      string `json:"who" yaml:"who,omitempty"`
	Why      string `json:"why" yaml:"why,omitempty"`
	Incident string `json:"incident,omitempty" yaml:"-"`
	Signal   string `json:"signal,omitempty" yaml:"-"`
	Rule     `yaml:",inline"`
	From     string `json:"from,omitempty" yaml:"-"`
	Until    string `json:"until,omitempty" yaml:"until,omitempty"`
	For      string `json:"for,omitempty" yaml:"-"` // in place of until, from the beginning on
}

// NewID returns an id for an act.
func NewID() string {
	var b [5]byte
	_, _ = rand.Read(b[:]) // never fails
	return base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding).EncodeToString(b[:])
}

// Act makes an act of what was said at now, Unix ms by the receive clock. Its errors are of type *Error.
func (d *Draft) Act(now int64) (*Act, error) {
	a := &Act{ID: NewID(), Kind: d.Kind, Who: strings.TrimSpace(series.Clean(d.Who, whoMax)), Why: strings.TrimSpace(series.Clean(d.Why, whyMax)), T: now, Incident: d.Incident, Signal: d.Signal, Rule: d.Rule}
	if !slices.Contains(Kinds, d.Kind) {
		return nil, &Error{"kind", fmt.Sprintf("%q is none of ack, silence, maintenance, lesson and level", series.Clean(string(d.Kind), 40))}
	}
	if a.Who == "" {
		return nil, &Error{"who", "it is missing: say who you are, so that others know whom to ask"}
	}
	if err := d.times(a, now); err != nil {
		return nil, err
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	return a, nil
}

// times reads when the act begins and ends.
func (d *Draft) times(a *Act, now int64) (err error) {
	if a.Kind == Ack || a.Kind == Level {
		if d.From != "" || d.Until != "" || d.For != "" {
			return &Error{"until", "this has no end of its own: undo it when it is over"}
		}
		return nil
	}
	if d.From != "" {
		if a.Kind != Maintenance {
			return &Error{"from", "a " + string(a.Kind) + " begins now; what begins later is a maintenance window"}
		}
		if a.From, err = readTime(d.From); err != nil {
			return &Error{"from", err.Error()}
		}
		if a.From > now+aheadMost {
			return &Error{"from", "that is more than a year ahead"}
		}
	}
	switch {
	case d.For != "" && d.Until != "":
		return &Error{"until", "for is given too; want one of the two"}
	case d.For != "":
		long, err := readDuration(d.For)
		if err != nil {
			return &Error{"for", err.Error()}
		}
		a.Until = max(a.From, now) + long.Milliseconds()
		if a.From == 0 {
			a.Until = now + long.Milliseconds()
		}
	case d.Until != "":
		if a.Until, err = readTime(d.Until); err != nil {
			return &Error{"until", err.Error()}
		}
	}
	once := a.Kind == Silence || a.Kind == Maintenance && a.When == nil
	switch {
	case a.Until == 0 && once:
		return &Error{"until", "it is missing: a silence has an end"}
	case a.Until != 0 && a.Until <= max(now, a.From):
		return &Error{"until", "the end is not behind the beginning"}
	case once && a.Until-max(now, a.From) > SilenceMost.Milliseconds():
		return &Error{"until", "a silence lasts 90 days at most; what is normal for longer is a lesson"}
	}
	return nil
}

// readTime reads a moment.
func readTime(text string) (int64, error) {
	text = strings.TrimSpace(text)
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil && ms > 1_000_000_000_000 && ms < 10_000_000_000_000 {
		return ms, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 2001 && t.Year() < 2286 {
			return t.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("%q is not a time such as 2026-03-01T22:00:00+01:00 or 2026-03-01T21:00 (UTC)", series.Clean(text, 40))
}

// readDuration reads 90m, 2h, 3d or 1w.
func readDuration(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	d, err := time.ParseDuration(text)
	for suffix, unit := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(text, suffix); ok {
			var f float64
			if f, err = strconv.ParseFloat(number, 64); err == nil && f >= 0 && f <= 1000 {
				d = time.Duration(f * float64(unit))
			}
		}
	}
	if err != nil || d < time.Minute || d > 3*366*24*time.Hour {
		return 0, fmt.Errorf("%q is not a duration of a minute and more, such as 90m, 2h, 3d or 1w", series.Clean(text, 40))
	}
	return d, nil
}

// check reports what an act may not be.
func (a *Act) check() error {
	bounds := a.AtMost != nil || a.AtLeast != nil || a.Effect != nil || a.Absent
	detour := a.NotFor != "" || a.To != ""
	switch {
	case a.Kind == Ack && (a.Incident == "" || len(a.Incident) > idMax):
		return &Error{"incident", "want the id of an incident, as its page shows it"}
	case a.Kind == Level && (a.Signal == "" || len(a.Signal) > idMax):
		return &Error{"signal", "want the id of a signal, as its page shows it"}
	case a.Kind != Ack && a.Incident != "":
		return &Error{"incident", "only an ack is about an incident; a " + string(a.Kind) + " has matchers"}
	case a.Kind != Level && a.Signal != "":
		return &Error{"signal", `only a level is about one signal by its id; a ` + string(a.Kind) + ` has matchers, such as signal="..."`}
	case !a.Kind.Mutes() && (len(a.Match) > 0 || a.When != nil || bounds || detour):
		return &Error{"match", "a " + string(a.Kind) + " has neither matchers nor hours nor bounds"}
	case !a.Kind.Mutes():
		return nil
	case a.Kind != Lesson && detour:
		return &Error{"not_for", "only a lesson says for whom something is not"}
	case a.NotFor == "" && a.To != "", a.NotFor != "" && a.NotFor == a.To:
		return &Error{"to", "it takes the place of another receiver: say which one in not_for"}
	case len(a.NotFor) > receiverMax, len(a.To) > receiverMax:
		return &Error{"not_for", "want the name of a receiver"}
	case detour && bounds:
		return &Error{"not_for", "a lesson has bounds, within which nobody is told, or says who is not told: make two of it"}
	case a.Kind != Lesson && bounds:
		return &Error{"at_most", "only a lesson has bounds"}
	case a.Kind == Silence && a.When != nil:
		return &Error{"when", "what comes again is a maintenance window"}
	}
	h, err := a.checkMatch()
	if err != nil {
		return err
	}
	if detour {
		if slices.ContainsFunc(h.matchers, func(m route.Matcher) bool { return m.Label() == "id" }) {
			return &Error{"match", "who is told is decided for an incident, not for one signal by its id; match it by cluster, namespace, workload, node, signal, pack or severity"}
		}
		return nil
	}
	if a.Kind == Lesson {
		return a.checkBounds(h)
	}
	if a.When == nil {
		return nil
	}
	if len(a.When.Years) > 0 {
		return &Error{"when", "a window that comes again has no years: leave years out and say until when it comes again, or give from and until for one that comes once"}
	}
	switch share, longest := takes(h.when, max(a.T, a.From)); {
	case share > shareMost:
		return &Error{"when", "that is more than half of the time, over the year to come: a window is an exception"}
	case longest > unbroken*24*time.Hour:
		return &Error{"when", fmt.Sprintf("that is longer than %d days without a break: a window is an exception", unbroken)}
	}
	return nil
}

// checkMatch makes the act ready and reports what its matchers and hours may not be.
func (a *Act) checkMatch() (*held, error) {
	if len(a.Match) == 0 || len(a.Match) > matchMax {
		return nil, &Error{"match", fmt.Sprintf(`want 1 to %d matchers, such as workload="cart"; nothing silences everything`, matchMax)}
	}
	for i, text := range a.Match {
		if len(text) > matcherMax {
			return nil, &Error{fmt.Sprintf("match[%d]", i), fmt.Sprintf("it is longer than %d bytes", matcherMax)}
		}
	}
	if w := a.When; w != nil && (len(w.Times) > timesMax || len(w.Weekdays) > 14 || len(w.DaysOfMonth) > 62 || len(w.Months) > 24 || len(w.Years) > 50 || len(w.Location) > 64) {
		return nil, &Error{"when", "that is too long"}
	}
	h, err := hold(a)
	if err != nil {
		return nil, err
	}
	if len(h.matchers) > matchMax || !slices.ContainsFunc(h.matchers, asks) {
		return nil, &Error{"match", `at least one matcher must ask for something that is there and that not everything has, such as workload="cart" or namespace=~"shop|pay"; nothing silences everything`}
	}
	return h, nil
}

// checkBounds reports what a lesson's bounds may not be.
func (a *Act) checkBounds(h *held) error {
	if !slices.ContainsFunc(h.matchers, func(m route.Matcher) bool {
		v, exact := m.Exact()
		return exact && v != "" && (m.Label() == "signal" || m.Label() == "id")
	}) {
		return &Error{"match", `a lesson is about one signal, whose unit its bounds are in: name it, as signal="wl.cpu_cores"`}
	}
	if a.AtMost == nil && a.AtLeast == nil && a.Effect == nil && !a.Absent {
		return &Error{"at_most", "say how far normal reaches: at_most, at_least, effect (so far from what is expected) or absent; what goes beyond is told"}
	}
	for _, x := range []struct {
		field string
		v     *float64
	}{{"at_most", a.AtMost}, {"at_least", a.AtLeast}, {"effect", a.Effect}} {
		if x.v != nil && (math.IsNaN(*x.v) || math.IsInf(*x.v, 0)) {
			return &Error{x.field, "want a number"}
		}
	}
	switch {
	case a.Effect != nil && *a.Effect <= 0:
		return &Error{"effect", "want a distance above zero"}
	case a.AtMost != nil && a.AtLeast != nil && *a.AtMost < *a.AtLeast:
		return &Error{"at_most", "it is below at_least"}
	}
	return nil
}

// takes returns which part of the year from a moment on, Unix ms, hours take, and the longest that they last without a break; one that begins in that year is followed beyond its end.
func takes(when *route.Interval, from int64) (share float64, longest time.Duration) {
	const quarter, year = 15 * 60_000, 366 * dayMs
	in := 0
	var lasts int64
	for t := from; t < from+year+(unbroken+1)*dayMs; t += quarter {
		if !when.Contains(time.UnixMilli(t)) {
			lasts = 0
			continue
		}
		if t < from+year {
			in++
		}
		lasts += quarter
		longest = max(longest, time.Duration(lasts)*time.Millisecond)
	}
	return float64(in) / float64(year/quarter), longest
}

// examples are values of every sort that the labels of alarms have. What takes each of them asks for none.
var examples = map[string][]string{
	"severity": {"page", "warn", "info"},
	"signal":   {"alpha.bravo_c", "kube.system2", "wl.cpu_cores", "zulu.x1_y"},
	"pack":     {"alpha", "kube", "wl", "zulu"},
	"id":       {"alpha.bravo_c~cluster=a", "kube.system2~cluster=b,node=c-1", "wl.cpu_cores~cluster=prod,namespace=shop,workload=cart", "zulu.x1_y~node=z"},
	"":         {"alpha", "kube-system", "mike-7f9c", "prod", "x1", "zulu0"},
}

// asks reports whether a matcher asks for something: it does not take what has no such label, and not everything that has it.
func asks(m route.Matcher) bool {
	list := examples[m.Label()]
	if list == nil {
		list = examples[""]
	}
	return !m.Takes("") && slices.ContainsFunc(list, func(v string) bool { return !m.Takes(v) })
}
