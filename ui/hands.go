// What people can do beside looking: who has an incident, what is silenced, and where forms lead. The doors that forms lead to are somebody else's.

package ui

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/alerting/route"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/series"
)

// Access says what whoever asks may do beside reading.
type Access struct {
	May       bool   // say something
	Token     bool   // there is a token that he could show
	Elsewhere bool   // nothing can be said at this address
	Name      string // of the person who has logged in; "" = whoever it is
	Shown     bool   // by a token, which the browser may forget
}

// WhoCookie names the cookie that keeps who somebody said to be, so that the next form has it.
const WhoCookie = "wrackline-who"

func (s *server) access(r *http.Request) Access {
	if s.o.May == nil {
		return Access{Elsewhere: true}
	}
	return s.o.May(r)
}

// hands is what can be done about an incident or a signal, and what has been.
type hands struct {
	Access
	Who      string
	Back     string // where a form leads back to
	Base     string
	Incident string
	Holder   *act.Act
	Silenced []*act.Act // they keep all of it from being told
	Partly   []*act.Act // they keep some of it from being told
	Links    []handLink
	Now      int64
}

type handLink struct{ Text, URL, Title string }

func (s *server) whoOf(r *http.Request) string {
	if a := s.access(r); a.Name != "" {
		return alerting.Clean(a.Name, 80)
	}
	if c, err := r.Cookie(WhoCookie); err == nil {
		if v, err := url.QueryUnescape(c.Value); err == nil {
			return alerting.Clean(v, 80)
		}
	}
	return ""
}

// handsOf gathers what can be done about an incident.
func (s *server) handsOf(r *http.Request, inc *alerting.Incident, now int64) hands {
	acts := s.src.Acts()
	h := hands{Access: s.access(r), Who: s.whoOf(r), Back: s.incidentURL(inc.ID), Base: s.base, Incident: inc.ID, Holder: acts.Holder(inc.ID), Now: now}
	if inc.Open() {
		whole := inc.Silenced() != nil
		var ids []string
		for i := range inc.Members {
			if by := inc.Members[i].Muted; by != "" && inc.Members[i].Ended == 0 && !slices.Contains(ids, by) {
				ids = append(ids, by)
			}
		}
		for _, id := range ids {
			if a := acts.Find(id); a != nil && whole {
				h.Silenced = append(h.Silenced, a)
			} else if a != nil {
				h.Partly = append(h.Partly, a)
			}
		}
	}
	h.Links = s.handLinks(url.Values{"about": {inc.ID}}, inc.Headline().SignalID)
	return h
}

// handsOfSignal gathers what can be done about a signal.
func (s *server) handsOfSignal(r *http.Request, sv *baseline.SignalView) hands {
	return hands{Access: s.access(r), Who: s.whoOf(r), Base: s.base, Links: s.handLinks(url.Values{"id": {sv.Signal.ID}}, sv.Signal.ID)}
}

func (s *server) handLinks(about url.Values, signal string) []handLink {
	link := func(text, title string, kv ...string) handLink {
		q := url.Values{}
		for k, v := range about {
			q[k] = v
		}
		for i := 0; i < len(kv); i += 2 {
			q.Set(kv[i], kv[i+1])
		}
		return handLink{text, s.base + "/acts/new?" + q.Encode(), title}
	}
	return []handLink{
		link("Silence…", "Nobody is told for a while", "kind", "silence"),
		link("Maintenance…", "Nobody is told in a window that begins later or comes again", "kind", "maintenance"),
		link("Normal at this hour…", "A lesson: up to this level it is normal at this hour of the week", "kind", "lesson", "of", "hour"),
		link("Too small…", "A lesson: only a larger effect is told", "kind", "lesson", "of", "effect"),
		link("Not mine…", "Another receiver is told of such incidents", "kind", "lesson", "of", "route"),
		link("This level is normal…", "The signal adopts its present level", "kind", "level", "signal", signal),
	}
}

// actLine says in a line who silences, until when and why.
func actLine(acts *act.View, id string) string {
	a := acts.Find(id)
	if a == nil {
		return "by an act that is forgotten"
	}
	return actWords(a)
}

// actWords says who silences, until when and why.
func actWords(a *act.Act) string {
	text := map[act.Kind]string{act.Silence: "silenced", act.Maintenance: "maintenance", act.Lesson: "normal, as a lesson says,"}[a.Kind] + " by " + alerting.Clean(a.Who, textMax)
	if a.Until != 0 {
		text += " until " + stamp(a.Until)
	}
	if a.Why != "" {
		text += ": " + alerting.Clean(a.Why, textMax)
	}
	return text
}

// DraftOf reads a form of what somebody wants to say. Its errors are of type *act.Error.
func DraftOf(v url.Values) (*act.Draft, error) {
	d := &act.Draft{Kind: act.Kind(v.Get("kind")), Who: v.Get("who"), Why: v.Get("why"), Incident: v.Get("incident"), Signal: v.Get("signal"), From: v.Get("from"), Until: v.Get("until"), For: v.Get("for")}
	for line := range strings.Lines(v.Get("match")) {
		if line = strings.TrimSpace(line); line != "" {
			d.Match = append(d.Match, line)
		}
	}
	for name, to := range map[string]**float64{"at_most": &d.AtMost, "at_least": &d.AtLeast, "effect": &d.Effect} {
		text := strings.TrimSpace(v.Get(name))
		if text == "" {
			continue
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, &act.Error{Field: name, Msg: "want a number, in the signal's unit"}
		}
		*to = &f
	}
	d.Absent = v.Get("absent") != ""
	d.NotFor, d.To = v.Get("not_for"), v.Get("to")
	start, end, days := strings.TrimSpace(v.Get("start")), strings.TrimSpace(v.Get("end")), strings.TrimSpace(v.Get("days"))
	if start != "" || end != "" || days != "" {
		d.When = &route.TimeSpan{Location: strings.TrimSpace(v.Get("location"))}
		for day := range strings.SplitSeq(days, ",") {
			if day = strings.TrimSpace(day); day != "" && day != "every day" {
				d.When.Weekdays = append(d.When.Weekdays, day)
			}
		}
		if start != "" || end != "" {
			d.When.Times = []route.TimeRange{{Start: cmp.Or(start, "00:00"), End: cmp.Or(end, "24:00")}}
		}
	}
	return d, nil
}

// suggest fills the form for an act about an incident or a signal. Whoever asks changes what he likes.
func (s *server) suggest(q url.Values, now int64) url.Values {
	v := url.Values{}
	m, scope := s.meant(q)
	if m == nil {
		return v
	}
	kind, of := q.Get("kind"), q.Get("of")
	if kind == string(act.Lesson) && of == "route" {
		match := matchersOf(m, scope, false)
		if m.Rule != nil {
			match = append(match, "pack="+strconv.Quote(m.Rule.Pack))
		}
		v.Set("match", strings.Join(match, "\n"))
	} else if kind == string(act.Lesson) {
		v.Set("match", strings.Join(matchersOf(m, m.Entity, true), "\n"))
	} else {
		v.Set("match", strings.Join(silenceOf(findIncident(s.snapshot(), q.Get("about")), m, scope), "\n"))
	}
	worst, band := m.Worst, m.WorstBand
	if math.IsNaN(worst) {
		worst, band = m.Value, m.Band
	}
	switch {
	case kind == string(act.Silence):
		v.Set("for", "2h")
	case of == "effect" && m.Apart(): // it would not be covered
	case of == "effect" && finite(worst) && finite(band.Expected):
		v.Set("effect", rounded(math.Abs(worst-band.Expected)*1.1, 1))
	case of == "hour":
		s.suggestHour(v, m, now)
		dev := math.Abs(worst - band.Expected)
		switch {
		case m.State == model.Absent:
			v.Set("absent", "1")
		case finite(worst) && finite(dev) && (worst < band.Lower || m.State == model.Low):
			v.Set("at_least", rounded(worst-.1*min(dev, math.Abs(worst)), -1))
		case finite(worst) && finite(dev):
			v.Set("at_most", rounded(worst+.1*dev, 1))
		case finite(worst):
			v.Set("at_most", rounded(worst, 1))
		}
	}
	return v
}

// suggestHour fills in the hour of the week at which an alarm was, a quarter of an hour around it, twelve hours at most and never over midnight.
func (s *server) suggestHour(v url.Values, m *alerting.Member, now int64) {
	zone, err := time.LoadLocation(s.o.Timezone)
	if err != nil {
		zone = time.UTC
	}
	const quarter = 15 * 60_000
	end := m.Ended
	if end == 0 {
		end = max(now, m.Onset)
	}
	from := time.UnixMilli((m.Onset - 10*60_000) / quarter * quarter).In(zone)
	to := time.UnixMilli((end + 10*60_000 + quarter - 1) / quarter * quarter).In(zone)
	onset := time.UnixMilli(m.Onset).In(zone)
	if from.Day() != onset.Day() {
		from = time.Date(onset.Year(), onset.Month(), onset.Day(), 0, 0, 0, 0, zone)
	}
	if to.Sub(from) < time.Hour {
		to = from.Add(time.Hour)
	}
	if to.Sub(from) > 12*time.Hour {
		to = from.Add(12 * time.Hour)
	}
	last := to.Format("15:04")
	if to.YearDay() != from.YearDay() {
		last = "24:00"
	}
	v.Set("start", from.Format("15:04"))
	v.Set("end", last)
	v.Set("days", strings.ToLower(onset.Weekday().String()))
	v.Set("location", s.o.Timezone)
}

// meant returns the alarm that a form is about, and the labels that all of an incident's have in common.
func (s *server) meant(q url.Values) (*alerting.Member, series.Labels) {
	if inc := findIncident(s.snapshot(), q.Get("about")); inc != nil {
		m := inc.Headline()
		if len(inc.Scope) < 2 { // a whole cluster
			return m, m.Entity
		}
		return m, inc.Scope
	}
	if sv, ok := lookup(s.view(), q.Get("id")); ok {
		m := asMember(sv)
		for _, inc := range everyIncident(s.snapshot()) {
			if x := memberOf(inc, sv.Signal.ID); x != nil {
				return x, x.Entity
			}
		}
		return m, m.Entity
	}
	return nil, nil
}

// matchersOf writes labels as matchers: those that may be asked for; the whole id where a lesson's signal has others beside them.
func matchersOf(m *alerting.Member, labels series.Labels, lesson bool) (out []string) {
	if lesson {
		out = append(out, `signal=`+strconv.Quote(m.Name))
	}
	other := false
	for _, l := range labels {
		if slices.Contains([]string{"cluster", "namespace", "workload", "node"}, l.Name) {
			out = append(out, l.Name+"="+strconv.Quote(l.Value))
		} else {
			other = true
		}
	}
	if lesson && other {
		out = append(out, "id="+strconv.Quote(m.SignalID))
	}
	return out
}

// signalsMost is how long a matcher of signals grows, well below what an act takes.
const signalsMost = 800

// silenceOf writes matchers for a silence of an incident, or of one signal when there is none. Labels that name no workload and no node are those of many other things, too: a whole cluster's or namespace's alarms would be
// silenced with it. There the signals are asked for, the headline's first and as many others as fit.
func silenceOf(inc *alerting.Incident, m *alerting.Member, labels series.Labels) []string {
	match := matchersOf(m, labels, false)
	if slices.ContainsFunc(labels, func(l series.Label) bool { return l.Name == "workload" || l.Name == "node" }) {
		return match
	}
	names := []string{m.Name}
	text := "signal=" + strconv.Quote(m.Name)
	if inc != nil {
		for i := range inc.Members {
			name := inc.Members[i].Name
			if slices.Contains(names, name) {
				continue
			}
			quoted := make([]string, 0, len(names)+1)
			for _, n := range append(names, name) {
				quoted = append(quoted, regexp.QuoteMeta(n))
			}
			longer := "signal=~" + strconv.Quote(strings.Join(quoted, "|"))
			if len(longer) > signalsMost {
				break
			}
			names, text = append(names, name), longer
		}
	}
	return append(match, text)
}

// rounded writes a number with three digits, rounded up or down.
func rounded(v float64, side int) string {
	if v == 0 || !finite(v) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	unit := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-2)
	n := math.Ceil(v / unit)
	if side < 0 {
		n = math.Floor(v / unit)
	}
	text := fmt.Sprintf("%.3g", n*unit)
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return text
}
