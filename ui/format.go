// Words and numbers: what templates call to write values, times, places and states.

package ui

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// textMax bounds any label value on a page, in bytes. The whole value is in the JSON.
const textMax = 200

// changeTextMax bounds a change in words, in bytes.
const changeTextMax = 600

func (s *server) funcs() template.FuncMap {
	return template.FuncMap{
		"href":       func(parts ...string) string { return s.base + strings.Join(parts, "") },
		"asset":      s.assetURL,
		"signal":     s.signalURL,
		"incident":   s.incidentURL,
		"filter":     s.filterURL,
		"quantity":   alerting.Quantity,
		"band":       alerting.Range,
		"span":       alerting.Span,
		"ago":        ago,
		"when":       func(now, t int64) template.HTML { return timeTag(t, ago(now, t)) },
		"past":       func(now, t int64) template.HTML { return timeTag(t, ago(max(now, t), t)) }, // clocks of others may be ahead
		"at":         func(now, t int64) template.HTML { return timeTag(t, shortClock(now, t)) },
		"lasting":    func(now, t int64) template.HTML { return timeTag(t, alerting.Span(now-t)) },
		"stamp":      stamp,
		"iso":        iso,
		"clock":      shortClock,
		"place":      place,
		"scope":      func(l series.Labels) string { return place(l) },
		"nodot":      func(v string) string { return strings.TrimSuffix(alerting.Clean(v, textMax), ".") },
		"clean":      func(v string) string { return alerting.Clean(v, textMax) },
		"percent":    func(v float64) string { return alerting.Quantity(v, "ratio") },
		"whole":      func(v float64) string { return strconv.Itoa(int(math.Floor(v*100+1e-9))) + " %" },
		"score":      scoreText,
		"rate":       func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) + " a day" },
		"int":        commas,
		"bytes":      func(v int64) string { return alerting.Quantity(float64(v), "B") },
		"plural":     plural,
		"glyph":      stateGlyph,
		"state":      stateClass,
		"severity":   severityClass,
		"prose":      prose,
		"gauge":      gauge,
		"bar":        bar,
		"now":        nowText,
		"top":        topOf,
		"easing":     (*alerting.Member).Easing,
		"quiet":      func(i *alerting.Incident) bool { return i.Phase() != alerting.Firing },
		"back":       easingSignal,
		"outside":    outside,
		"recovering": func(i *alerting.Incident) bool { return i.Phase() == alerting.Recovering },
		"closing":    func(i *alerting.Incident) bool { return i.Phase() == alerting.Closing },
		"endedword":  endedWord,
		"stateword":  stateWord,
		"phrase":     scorePhrase,
		"actwords":   actWords,
		"ms64":       func(n int) int64 { return int64(n) },
		"sub":        func(a, b int64) int64 { return a - b },
		"add":        func(a, b int) int { return a + b },
		"isnan":      math.IsNaN,
		"dict":       dict,
		"label":      func(name, value string) series.Label { return series.Label{Name: name, Value: value} },
		"sev":        func(v string) pack.Severity { return pack.Severity(v) },
		"ms":         func(v int64) float64 { return float64(v) },
		"share":      share,
		"fullness":   fullness,
		"unix":       unixMs,
		"join":       strings.Join,
		"sentence":   func(m *alerting.Member, worst bool) string { return m.Sentence(worst) },
		"day":        dayName,
		"changekind": func(k any) string { return strings.ReplaceAll(alerting.Clean(fmt.Sprint(k), 40), "_", " ") },
		"changetext": func(c *change.Change) string { return alerting.Clean(c.Text(), changeTextMax) },
		"before":     alerting.When,
		"podurl":     s.podURL,
		"rule":       s.ruleURL,
	}
}

// signalURL and incidentURL escape ids, although well-made ones need no escaping.
func (s *server) signalURL(id string) string   { return s.base + "/signals/" + url.PathEscape(id) }
func (s *server) incidentURL(id string) string { return s.base + "/incidents/" + url.PathEscape(id) }

// filterURL returns the list of signals that carry a label.
func (s *server) filterURL(l series.Label) string {
	return s.base + "/signals?" + url.Values{"q": {matcher(l.Name, l.Value)}}.Encode()
}

// ago writes how long before now t was: "12 min ago", "in 3 min". 0 is "never".
func ago(now, t int64) string {
	switch {
	case t == 0:
		return "never"
	case t > now+1000:
		return "in " + alerting.Span(t-now)
	case now-t < 2000:
		return "just now"
	}
	return alerting.Span(now-t) + " ago"
}

// timeTag is a time for people with the exact one behind it. text holds digits and fixed words only.
func timeTag(t int64, text string) template.HTML {
	if t == 0 {
		return template.HTML(text)
	}
	return template.HTML(`<time datetime="` + iso(t) + `" title="` + stamp(t) + `">` + text + `</time>`)
}

// stamp writes an exact time for title attributes.
func stamp(ms int64) string {
	if ms == 0 {
		return "never"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05 UTC")
}

func iso(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// shortClock writes a time as briefly as now allows: the hour today, the date with it otherwise.
func shortClock(now, ms int64) string {
	if ms == 0 {
		return "never"
	}
	t, n := time.UnixMilli(ms).UTC(), time.UnixMilli(now).UTC()
	switch {
	case t.YearDay() == n.YearDay() && t.Year() == n.Year():
		return t.Format("15:04")
	case t.Year() == n.Year():
		return t.Format("2 Jan 15:04")
	}
	return t.Format("2006-01-02 15:04")
}

func place(l series.Labels) string {
	if p := alerting.Place(l); p != "" {
		return p
	}
	return "everything"
}

// scoreText writes a score with two digits; it has no unit: 1 means alarm.
func scoreText(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// scorePhrase writes a score with what it means.
func scorePhrase(v float64) string { return "score " + scoreText(v) + " (alarm at 1)" }

// commas writes a whole number in groups: 1,234,567.
func commas(v any) string {
	var n string
	switch x := v.(type) {
	case int:
		n = strconv.Itoa(x)
	case int64:
		n = strconv.FormatInt(x, 10)
	case uint64:
		n = strconv.FormatUint(x, 10)
	case float64:
		n = strconv.FormatFloat(x, 'f', 0, 64)
	default:
		return fmt.Sprint(v)
	}
	return alerting.Commas(n)
}

func plural(n int, one string, many ...string) string {
	if n == 1 {
		return "1 " + one
	}
	if len(many) > 0 {
		return commas(n) + " " + many[0]
	}
	return commas(n) + " " + one + "s"
}

// stateClass returns the class of a state. Classes come from this fixed set only, never from labels.
func stateClass(v model.State) string { return "st-" + v.String() }

// stateWord is the state as pages call it: absent sounds like an alarm, and most of it is jobs that ended.
func stateWord(v model.State) string {
	if v == model.Absent {
		return silent
	}
	return v.String()
}

// stateGlyph returns a mark that tells the states apart without colour.
func stateGlyph(v model.State) string {
	return [...]string{"◔", "●", "▲", "▼", "↗", "○"}[v%6]
}

func severityClass(v pack.Severity) string {
	switch v {
	case pack.Page:
		return "sev-page"
	case pack.Warn:
		return "sev-warn"
	}
	return "sev-info"
}

func unixMs(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// deviation says in words where v lies: "5.2 × expected", "0.4 below the band", "inside".
func deviation(v float64, b model.Band, unit string) string {
	switch {
	case math.IsNaN(v):
		return "no data"
	case v > b.Upper:
		return difference(v-b.Upper, unit) + " above the band"
	case v < b.Lower:
		return difference(b.Lower-v, unit) + " below the band"
	}
	return "inside the band"
}

// difference writes how far two values of a unit are apart. Shares differ in points, lest 10 % of 20 % be read.
func difference(v float64, unit string) string {
	q := alerting.Quantity(v, unit)
	if unit == "ratio" {
		return strings.TrimSuffix(q, "%") + "points"
	}
	return q
}

// dayName writes a day number since 1970-01-01.
func dayName(d int64) string { return time.Unix(d*86400, 0).UTC().Format("Mon 2 Jan") }

// dict makes a map for a template that is called with several values.
func dict(pairs ...any) (map[string]any, error) {
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

func share(used, most float64) float64 {
	if !(most > 0) {
		return 0
	}
	return used / most
}

// fullness is the colour of a limit's bar.
func fullness(used, most float64) string {
	switch f := share(used, most); {
	case f >= 0.95:
		return "bad"
	case f >= 0.8:
		return "warn"
	}
	return "calm"
}

// nowText writes a signal's present value; a signal that has fallen silent has none, whatever it said last.
func nowText(v *baseline.SignalView) string {
	if v.State == model.Absent {
		return alerting.Quantity(math.NaN(), "")
	}
	return alerting.Quantity(v.Value, v.Signal.Rule.Unit)
}

// topOf lists members by weight, each name once: several raw series of one pod are one line.
func topOf(list []signal.Member) []signal.Member {
	var out []signal.Member
	for _, m := range list {
		if !slices.ContainsFunc(out, func(o signal.Member) bool { return o.Name == m.Name }) {
			out = append(out, m)
		}
	}
	return out
}
