package scenario

// Scoring: what was alarmed against what was broken. The rules are fixed here and know nothing of how alarms are made.

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/wrackline/wrackline/baseline/series"
)

// Alarm is one alarm of one signal, as the engine or anything else raised it.
type Alarm struct {
	Signal   string        `json:"signal"` // the rule's name, "dns.servfail_ratio"
	Entity   series.Labels `json:"-"`      // labels of whom it is about, sorted by name
	ID       string        `json:"id"`     // of the signal: tells entities apart in reports
	Start    int64         `json:"start"`  // end of the window in which it rose, Unix milliseconds
	End      int64         `json:"end"`    // when it ended; 0 = it lasts
	Dir      string        `json:"dir"`    // up or down; empty = not known, which fits every expectation
	Notified bool          `json:"notified"`
	Incident string        `json:"incident"` // id of its incident; empty = it is one of its own
}

// ScoreOptions say what is scored. The zero value scores everything, in one cluster.
type ScoreOptions struct {
	// FromMs and ToMs bound what is scored: faults and alarms that start before FromMs, or at ToMs or later, are left out.
	// Unix milliseconds; 0 = from the first, or to the last, start or end of a fault or an alarm.
	FromMs, ToMs int64
	// Clusters is how many clusters were watched, for the rates per cluster-day; 0 = 1.
	Clusters int
	// TailMs is for how long after the cause has ended a fault still explains alarms; 0 = 30 minutes.
	TailMs int64
}

const defaultTailMs = 30 * 60_000

// Never is the delay of what was not found.
const Never = -1

// Report is how well alarms fit the truth. Its numbers are counts and milliseconds; Table and WriteJSON render it.
type Report struct {
	FromMs      int64         `json:"from"`
	ToMs        int64         `json:"to"`
	ClusterDays float64       `json:"cluster_days"`
	Faults      []FaultReport `json:"faults"` // by start

	Wanted         int `json:"wanted"`          // faults that ask for an alarm
	Found          int `json:"found"`           // … of which every expected signal alarmed in time
	Musts          int `json:"musts"`           // expected signals of all faults
	MustsFound     int `json:"musts_found"`     // … that alarmed in time
	MoverRight     int `json:"mover_right"`     // faults whose incident was begun by an expected signal
	MoverKnown     int `json:"mover_known"`     // faults of which an expected signal alarmed at all, and so has an incident
	Violations     int `json:"violations"`      // alarms of signals that a fault under way forbids
	Alarms         int `json:"alarms"`          // alarms that started in the time scored
	FalseTold      int `json:"false_told"`      // false alarms that belong to an incident people were told of
	FalseIncidents int `json:"false_incidents"` // incidents of which every alarm is false
	FalsePages     int `json:"false_pages"`     // … that people were told of
	// False are the alarms that no fault explains, by start.
	False []Alarm `json:"false"`
}

// FaultReport is what became of one fault.
type FaultReport struct {
	ID      string       `json:"id"`
	Kind    Kind         `json:"kind"`
	StartMs int64        `json:"start"`
	EndMs   int64        `json:"end"`
	Found   bool         `json:"found"`    // every expected signal alarmed in time; true when none is expected
	DelayMs int64        `json:"delay_ms"` // from the start to the first alarm of an expected signal; Never when there was none
	Musts   []MustReport `json:"musts"`
	// Mover is the id of the signal that alarmed first of all that the fault may cause, and MoverDelayMs its delay. Empty and
	// Never when nothing did. Of signals that rose in one window an expected one goes first: nobody can tell which moved first.
	Mover        string `json:"mover"`
	MoverDelayMs int64  `json:"mover_delay_ms"`
	// Incident is that of the first expected signal's alarm, IncidentMover the id of the alarm that began it, and
	// IncidentMoverMust whether that is an expected signal. Empty when no expected signal alarmed.
	Incident          string   `json:"incident"`
	IncidentMover     string   `json:"incident_mover"`
	IncidentMoverMust bool     `json:"incident_mover_must"`
	Explained         int      `json:"explained"` // alarms that the fault explains
	Violations        []string `json:"violations"`
}

// MustReport is what became of one expected signal.
type MustReport struct {
	Expect
	Found   bool   `json:"found"`    // it alarmed within the time asked for
	DelayMs int64  `json:"delay_ms"` // from the fault's start to its first alarm, also when that was too late; Never when there was none
	ID      string `json:"id"`       // of the signal that alarmed
}

// matches reports whether pattern, a signal's name or a prefix followed by *, names signal.
func matches(pattern, signal string) bool {
	if rest, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(signal, rest)
	}
	return pattern == signal
}

// inGroup reports whether entity has every label of group, name=value separated by commas.
func inGroup(group string, entity series.Labels) bool {
	for l := range strings.SplitSeq(group, ",") {
		if l = strings.TrimSpace(l); l == "" {
			continue
		}
		name, value, ok := strings.Cut(l, "=")
		if !ok || entity.Get(name) != value {
			return false
		}
	}
	return true
}

// fits reports whether a is an alarm that e speaks of, at whatever time.
func (e Expect) fits(a *Alarm) bool {
	return matches(e.Signal, a.Signal) && inGroup(e.Group, a.Entity) && (e.Dir == "" || a.Dir == "" || e.Dir == a.Dir)
}

func anyFits(es []Expect, a *Alarm) bool {
	return slices.ContainsFunc(es, func(e Expect) bool { return e.fits(a) })
}

// Expects reports whether a is an alarm that t must raise, while what t did may still be noticed.
func (t *Truth) Expects(a *Alarm) bool { return within(t, a, defaultTailMs) && anyFits(t.Must, a) }

// Explains reports whether t may have caused a, while what it did may still be noticed.
func (t *Truth) Explains(a *Alarm) bool { return within(t, a, defaultTailMs) && t.explains(a) }

// explains reports whether t causes a, its time apart. What must not alarm is not explained by a wider May; what must is, whatever else
// is said of it.
func (t *Truth) explains(a *Alarm) bool {
	return anyFits(t.Must, a) || anyFits(t.May, a) && !t.forbids(a)
}

// forbids reports whether t names a's signal as one that must stay silent.
func (t *Truth) forbids(a *Alarm) bool {
	return slices.ContainsFunc(t.MustNot, func(p string) bool { return matches(p, a.Signal) })
}

// Score compares alarms with the truth. The order of its arguments' elements does not matter; neither is changed.
//
// An alarm belongs to a fault when it starts between the fault's start and TailMs after its end and the fault must or may cause it.
// All others are false. An alarm that was on before a fault began says nothing of it.
func Score(truth []Truth, alarms []Alarm, o ScoreOptions) Report {
	tail := o.TailMs
	if tail == 0 {
		tail = defaultTailMs
	}
	from, to := o.FromMs, o.ToMs
	first, last := extent(truth, alarms)
	if from == 0 {
		from = first
	}
	if to == 0 {
		to = last + 1
	}
	r := Report{FromMs: from, ToMs: to, Faults: []FaultReport{}, False: []Alarm{}}
	r.ClusterDays = float64(max(0, to-from)) / 86_400_000 * float64(max(1, o.Clusters))

	faults := slices.Clone(truth)
	faults = slices.DeleteFunc(faults, func(t Truth) bool { return t.Start < from || t.Start >= to })
	slices.SortStableFunc(faults, func(a, b Truth) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID)) })
	sorted := slices.Clone(alarms)
	sorted = slices.DeleteFunc(sorted, func(a Alarm) bool { return a.Start < from || a.Start >= to })
	slices.SortFunc(sorted, func(a, b Alarm) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Signal, b.Signal), cmp.Compare(a.End, b.End),
			cmp.Compare(a.Dir, b.Dir), cmp.Compare(a.Incident, b.Incident))
	})
	r.Alarms = len(sorted)

	explained := make([]bool, len(sorted))
	for i := range faults {
		t := &faults[i]
		for k := range sorted {
			if a := &sorted[k]; within(t, a, tail) && t.explains(a) {
				explained[k] = true
			}
		}
	}
	for i := range faults {
		f := scoreFault(&faults[i], sorted, explained, tail)
		if len(f.Musts) > 0 {
			r.Wanted++
			if f.Found {
				r.Found++
			}
		}
		for _, m := range f.Musts {
			r.Musts++
			if m.Found {
				r.MustsFound++
			}
		}
		if f.IncidentMover != "" {
			r.MoverKnown++
			if f.IncidentMoverMust {
				r.MoverRight++
			}
		}
		r.Violations += len(f.Violations)
		r.Faults = append(r.Faults, f)
	}

	type tally struct{ right, told bool }
	incidents := map[string]*tally{}
	for k := range sorted {
		a := &sorted[k]
		id := a.incident()
		if incidents[id] == nil {
			incidents[id] = &tally{}
		}
		incidents[id].right = incidents[id].right || explained[k]
		incidents[id].told = incidents[id].told || a.Notified
		if !explained[k] {
			r.False = append(r.False, *a)
			if a.Notified {
				r.FalseTold++
			}
		}
	}
	for _, in := range incidents {
		if !in.right {
			r.FalseIncidents++
			if in.told {
				r.FalsePages++
			}
		}
	}
	return r
}

// incident returns the id of a's incident; one of its own when it has none.
func (a *Alarm) incident() string {
	if a.Incident != "" {
		return a.Incident
	}
	return fmt.Sprintf("\x00%s@%d", a.ID, a.Start)
}

// within reports whether a starts while t, or what it left behind, lasts.
func within(t *Truth, a *Alarm, tail int64) bool {
	return a.Start >= t.Start && a.Start <= t.End+max(tail, t.LastsMs)
}

// extent returns the first and the last time in truth and alarms.
func extent(truth []Truth, alarms []Alarm) (first, last int64) {
	if len(truth)+len(alarms) == 0 {
		return 0, -1
	}
	first, last = int64(1<<62), int64(-1<<62)
	for i := range truth {
		first, last = min(first, truth[i].Start), max(last, truth[i].Start, truth[i].End)
	}
	for i := range alarms {
		first, last = min(first, alarms[i].Start), max(last, alarms[i].Start, alarms[i].End)
	}
	return first, last
}

// scoreFault looks at one fault. Alarms are sorted by start; explained says which of them some fault explains.
func scoreFault(t *Truth, alarms []Alarm, explained []bool, tail int64) FaultReport {
	f := FaultReport{ID: t.ID, Kind: t.Kind, StartMs: t.Start, EndMs: t.End, Found: true, DelayMs: Never, MoverDelayMs: Never,
		Musts: []MustReport{}, Violations: []string{}}
	var opener *Alarm // first alarm of an expected signal
	for _, e := range t.Must {
		m := MustReport{Expect: e, DelayMs: Never}
		limit := t.End - t.Start
		if e.Within > 0 {
			limit = e.Within * 1000
		}
		// Sorted by start: the first that fits is the earliest.
		k := slices.IndexFunc(alarms, func(a Alarm) bool { return within(t, &a, tail) && e.fits(&a) })
		if k >= 0 {
			a := &alarms[k]
			m.DelayMs, m.ID = a.Start-t.Start, a.ID
			m.Found = m.DelayMs <= limit
			if opener == nil || a.Start < opener.Start {
				opener = a
			}
		}
		f.Found = f.Found && m.Found
		f.Musts = append(f.Musts, m)
	}
	if opener != nil {
		f.DelayMs = opener.Start - t.Start
	}
	mover := earliest(t, alarms, func(a *Alarm) bool { return within(t, a, tail) && t.explains(a) })
	if mover != nil {
		f.Mover, f.MoverDelayMs = mover.ID, mover.Start-t.Start
	}
	if opener != nil {
		f.Incident = opener.Incident
		id := opener.incident()
		begun := earliest(t, alarms, func(a *Alarm) bool { return a.incident() == id })
		f.IncidentMover, f.IncidentMoverMust = begun.ID, anyFits(t.Must, begun)
	}
	for k := range alarms {
		a := &alarms[k]
		switch {
		case !within(t, a, tail):
		case t.explains(a):
			f.Explained++
		case t.forbids(a) && !explained[k]: // unless another fault causes it
			f.Violations = append(f.Violations, a.ID)
		}
	}
	return f
}

// earliest returns the first alarm that ok takes, an expected one of t's before others that started with it.
func earliest(t *Truth, alarms []Alarm, ok func(*Alarm) bool) *Alarm {
	var best *Alarm
	for k := range alarms {
		a := &alarms[k]
		switch {
		case best != nil && a.Start > best.Start:
			return best
		case !ok(a):
		case best == nil || anyFits(t.Must, a) && !anyFits(t.Must, best):
			best = a
		}
	}
	return best
}

// Recall is the share of faults asking for an alarm that were found; 1 when none asks.
func (r *Report) Recall() float64 {
	if r.Wanted == 0 {
		return 1
	}
	return float64(r.Found) / float64(r.Wanted)
}

// FalsePerDay is false alarms per cluster and day; 0 when no time was scored.
func (r *Report) FalsePerDay() float64 { return r.perDay(len(r.False)) }

// PagesPerDay is incidents per cluster and day that people were told of though nothing was broken.
func (r *Report) PagesPerDay() float64 { return r.perDay(r.FalsePages) }

func (r *Report) perDay(n int) float64 {
	if r.ClusterDays == 0 {
		return 0
	}
	return float64(n) / r.ClusterDays
}

// WriteJSON writes r as indented JSON. Times and delays are milliseconds; a delay of −1 is Never.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		*Report
		Recall      float64 `json:"recall"`
		FalsePerDay float64 `json:"false_per_cluster_day"`
		PagesPerDay float64 `json:"false_pages_per_cluster_day"`
	}{r, r.Recall(), r.FalsePerDay(), r.PagesPerDay()})
}

// Table renders r as text of fixed columns, the same for the same report: fit for a golden file.
func (r *Report) Table() string {
	var b strings.Builder
	line := func(cells ...string) {
		row := fmt.Sprintf("%-22s %-16s %-8s %8s %-7s %s", cells[0], cells[1], cells[2], cells[3], cells[4], cells[5])
		b.WriteString(strings.TrimRight(row, " "))
		b.WriteByte('\n')
	}
	line("fault", "start (UTC)", "found", "delay", "first", "first mover")
	for i := range r.Faults {
		f := &r.Faults[i]
		found, firstRight := "no", "-"
		switch {
		case len(f.Musts) == 0 && len(f.Violations) == 0:
			found = "quiet"
		case len(f.Musts) == 0:
			found = "noisy"
		case f.Found:
			found = "yes"
		}
		if f.IncidentMover != "" {
			firstRight = "other"
			if f.IncidentMoverMust {
				firstRight = "right"
			}
		}
		mover := "-"
		if f.Mover != "" {
			mover = f.Mover + " after " + delay(f.MoverDelayMs)
		}
		line(string(f.Kind), stamp(f.StartMs), found, delay(f.DelayMs), firstRight, mover)
		for _, m := range f.Musts {
			got, name := "missed", m.Signal
			if m.Group != "" {
				name += "{" + m.Group + "}"
			}
			switch {
			case m.Found:
				got = "found"
			case m.DelayMs != Never:
				got = "late"
			}
			if m.Dir != "" {
				name += " " + m.Dir
			}
			asked := "until the end"
			if m.Within > 0 {
				asked = "within " + delay(m.Within*1000)
			}
			line("", "  must", got, delay(m.DelayMs), "", name+", "+asked)
		}
		for _, v := range counted(f.Violations) {
			line("", "  must not", "alarmed", "", "", v)
		}
		if f.IncidentMover != "" && !f.IncidentMoverMust {
			line("", "  incident", "", "", "", "begun by "+f.IncidentMover)
		}
	}
	fmt.Fprintf(&b, "\nfaults found        %d of %d (%.0f %%)\n", r.Found, r.Wanted, 100*r.Recall())
	fmt.Fprintf(&b, "expected signals    %d of %d\n", r.MustsFound, r.Musts)
	fmt.Fprintf(&b, "first mover right   %d of %d\n", r.MoverRight, r.MoverKnown)
	fmt.Fprintf(&b, "forbidden alarms    %d\n", r.Violations)
	fmt.Fprintf(&b, "cluster-days        %.2f\n", r.ClusterDays)
	fmt.Fprintf(&b, "alarms              %d\n", r.Alarms)
	fmt.Fprintf(&b, "false alarms        %d (%.3f per cluster-day), %d of them told\n", len(r.False), r.FalsePerDay(), r.FalseTold)
	fmt.Fprintf(&b, "false incidents     %d, %d of them told (%.3f per cluster-day)\n", r.FalseIncidents, r.FalsePages, r.PagesPerDay())
	var names []string
	for i := range r.False {
		names = append(names, r.False[i].Signal)
	}
	for _, n := range counted(names) {
		fmt.Fprintf(&b, "  false             %s\n", n)
	}
	return b.String()
}

// counted returns each distinct name with how often it occurs, the most frequent first.
func counted(names []string) []string {
	n := map[string]int{}
	for _, s := range names {
		n[s]++
	}
	keys := make([]string, 0, len(n))
	for k := range n {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(n[b]-n[a], cmp.Compare(a, b)) })
	for i, k := range keys {
		if n[k] > 1 {
			keys[i] = fmt.Sprintf("%s ×%d", k, n[k])
		}
	}
	return keys
}

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04") }

func delay(ms int64) string {
	switch {
	case ms < 0:
		return "-"
	case ms < 120_000:
		return fmt.Sprintf("%d s", (ms+500)/1000)
	case ms < 7_200_000:
		return fmt.Sprintf("%.1f min", float64(ms)/60_000)
	}
	return fmt.Sprintf("%.1f h", float64(ms)/3_600_000)
}
