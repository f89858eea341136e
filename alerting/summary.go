// The sentence about a member: a rule's summary template, filled and bounded.

package alerting

import (
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"text/template"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/series"
)

// summaryMax bounds a filled summary, in bytes. A hostile label value cannot make a message long.
const summaryMax = 300

// Vars that a summary template may use: {{ $value }}, {{ $low }}, {{ $high }} and {{ $expected }} print themselves
// with the signal's unit, {{ $band }} is both ends in one scale, {{ $labels.namespace }} a label of the entity,
// {{ $top }} the name of the member that weighs most, {{ $slope }} the change a day and {{ $eta }} the time to the
// limit of a drift, "" once it is over. The functions pct, dur, bytes and num force a way of writing. What there is one of or many is {{ count $value "pod" }}, with
// {{ verb $value "wait" }} behind it; how many a second {{ rate $value "lookup" }}; how often something happened {{ times $value }}; and what is left of a life {{ ends $value }}. Verbs of the text itself are put into the past when
// it is over; see grammar.go.
const summaryVars = `{{$value := .Value}}{{$low := .Low}}{{$high := .High}}{{$expected := .Expected}}{{$band := .Band}}` +
	`{{$labels := .Labels}}{{$top := .Top}}{{$slope := .Slope}}{{$eta := .Eta}}`

type quantity struct {
	v    float64
	unit string
	few  [2]float64 // a share of so few events that their number says more
	life bool       // it is what is left of a life
}

// fewMost is of how many events a share is told with their number.
const fewMost = 1000

// String implements fmt.Stringer, which is how text/template prints it.
func (q quantity) String() string {
	if q.life && q.v < 0 {
		return "ended " + Quantity(-q.v, q.unit) + " ago"
	}
	s := Quantity(q.v, q.unit)
	if n := math.Round(q.few[1]); q.unit == "ratio" && n >= 1 && n < fewMost {
		s += fmt.Sprintf(" (%.0f of %.0f)", min(q.few[0], q.few[1]), n)
	}
	return s
}

// count writes how many there are of what is counted, "1 pod", "12 pods".
func (q quantity) count(one string) string {
	if math.IsNaN(q.v) || math.IsInf(q.v, 0) {
		return "some " + many(one)
	}
	return Quantity(q.v, many(one))
}

// rate writes how many there are a second, "12 lookups/s".
func (q quantity) rate(one string) string {
	n, _ := strings.CutSuffix(Quantity(q.v, "/s"), "/s")
	return strings.TrimSpace(n) + " " + many(one) + "/s"
}

// one reports whether there is one of what is counted.
func (q quantity) one() bool { return counted(q.v, "") == "1" }

// times writes how often something happened. What comes of counters is never quite whole.
func (q quantity) times() string {
	switch n := math.Round(q.v); {
	case !(n >= 0) || n > 1e15:
		return "several times"
	case n == 0:
		return "less than once"
	case n == 1:
		return "once"
	case n == 2:
		return "twice"
	default:
		return number(n) + " times"
	}
}

// ends writes when what is left of a life ends, or ended.
func (q quantity) ends(past bool) string {
	length := q
	length.v = math.Abs(q.v)
	if q.unit == "d" {
		length = quantity{v: length.v * 86400, unit: "s"}
	}
	left := "some time"
	if length.v >= 0 && length.v < 1e12 {
		if left = Span(int64(length.v) * 1000); length.v >= 10*86400 {
			left = Count(int64(length.v/86400), "day")
		}
	}
	switch {
	case q.v < 0 && past:
		return "had ended " + left + " before"
	case q.v < 0:
		return "ended " + left + " ago"
	case past:
		return "was to end in " + left
	}
	return "ends in " + left
}

type summaryData struct {
	Value, Low, High, Expected, Slope quantity
	Band, Top, Eta                    string
	Labels                            map[string]string
}

var summaryFuncs = template.FuncMap{
	"pct":   func(v any) (string, error) { return as(v, "ratio") },
	"dur":   func(v any) (string, error) { return as(v, "s") },
	"bytes": func(v any) (string, error) { return as(v, "B") },
	"num":   func(v any) (string, error) { return as(v, "") },
}

func as(v any, unit string) (string, error) {
	switch x := v.(type) {
	case quantity:
		x.unit, x.life = unit, false
		return x.String(), nil
	case float64:
		return Quantity(x, unit), nil
	case int:
		return Quantity(float64(x), unit), nil
	}
	return "", fmt.Errorf("not a number: %T", v)
}

// CheckSummary reports what is wrong with a rule's summary template, nil when it can be filled.
func CheckSummary(text string) error {
	t, err := parseSummary(text, grammar{})
	if err != nil {
		return err
	}
	_, err = fillSummary(t, summaryData{Labels: map[string]string{}})
	return err
}

func parseSummary(text string, g grammar) (*template.Template, error) {
	t, err := template.New("summary").Option("missingkey=zero").Funcs(summaryFuncs).Funcs(g.funcs()).Parse(summaryVars + text)
	if err == nil {
		g.tell(t)
	}
	return t, err
}

var errSummaryLong = errors.New("summary is too long")

// boundedText refuses to grow beyond a few KiB, so that a template cannot fill the memory.
type boundedText struct{ strings.Builder }

func (b *boundedText) Write(p []byte) (int, error) {
	if b.Len()+len(p) > 8*summaryMax {
		return 0, errSummaryLong
	}
	return b.Builder.Write(p)
}

func fillSummary(t *template.Template, d summaryData) (string, error) {
	var b boundedText
	if err := t.Execute(&b, d); err != nil {
		return "", err
	}
	return b.String(), nil
}

// Sentence says what m does, in one line without control characters: its rule's summary about the value at its
// worst when worst is set, else about the present value. Without a usable template it names signal, value and band. What is back inside its band, or over, is told in the past.
func (m *Member) Sentence(worst bool) string {
	return m.sentence(worst, worst && (m.Ended != 0 || !m.Outside()))
}

func (m *Member) sentence(worst, past bool) string {
	value, band, few := m.Value, m.Band, m.Few
	if worst && !math.IsNaN(m.Worst) || math.IsNaN(value) && m.State != model.Absent {
		value, band, few = m.Worst, m.WorstBand, m.WorstFew
	}
	is, has := " is ", " has no data any more"
	if past {
		is, has = " was ", " had no data"
	}
	if m.State == model.Absent && (!worst || math.IsNaN(m.Worst)) {
		return Clean(m.Name+m.whose()+has, summaryMax)
	}
	if m.Rule != nil && m.Rule.Summary != "" {
		if text, err := m.filled(m.Rule.Summary, value, band, few, grammar{past}, false); err == nil && text != "" {
			return text
		}
	}
	q := m.quantity(value)
	q.few = few
	return Clean(m.Name+is+q.String()+" (normal "+m.band(band)+")", summaryMax)
}

// quantity is a value of the member's signal, within what such a signal can be: two counters that are read a moment apart may make 100.2 % of them.
func (m *Member) quantity(v float64) quantity {
	q := quantity{v: v, unit: m.Unit}
	if m.Rule != nil {
		q.v = within(&m.Rule.Params, v)
		q.life = m.Rule.Params.Renews > 0 || m.Unit == "d"
	}
	return q
}

// band writes a band of the member's signal, within what such a signal can be.
func (m *Member) band(b model.Band) string {
	if m.Rule != nil {
		p := &m.Rule.Params
		b.Lower, b.Upper = within(p, b.Lower), within(p, b.Upper)
	}
	return Range(b.Lower, b.Upper, m.Unit)
}

// within returns v, or the nearest value that the signal can take.
func within(p *model.Params, v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) || !(p.Min < p.Max) {
		return v
	}
	return min(max(v, p.Min), p.Max)
}

// Title is Sentence about the worst, with the name of the one whom it is about where the sentence lacks it: the pod that weighed most, else the pod,
// workload, node, client or resource of the entity.
func (m *Member) Title() string { return m.title(false) }

func (m *Member) title(past bool) string {
	s := m.sentence(true, past)
	if who := m.Culprit(); who != "" && !strings.Contains(s, who) {
		return Clean(s+": "+who, summaryMax)
	}
	return s
}

// Culprit names the one that a member is about: what weighed by far the most while it was at its worst, else the narrowest label of its entity; "" when it is
// about a whole cluster.
func (m *Member) Culprit() string {
	if len(m.Top) == 1 || len(m.Top) > 1 && math.Abs(m.Top[0].Value) >= topLead*math.Abs(m.Top[1].Value) || len(m.Top) > 0 && m.Rule != nil && m.Rule.Params.Mode == model.Spread {
		return Clean(m.Top[0].Name, textMax)
	}
	for _, name := range [...]string{"pod", "workload", "node"} {
		if v := m.Entity.Get(name); v != "" {
			return Clean(v, textMax)
		}
	}
	for k := len(m.Entity) - 1; k >= 0; k-- {
		if l := m.Entity[k]; l.Name != "cluster" && l.Name != "workload_type" && l.Value != "" {
			return Clean(l.Value, textMax)
		}
	}
	return ""
}

// topLead is how much more the first of what weighs most must weigh than the second to be the one.
const topLead = 2

// Command fills a rule's next step as Sentence fills a summary. Label values come from whoever sends metrics and the
// line will be pasted into a shell: what is not plainly a name is quoted. A step that a rule words only for a culprit is "" while nobody is known.
func (m *Member) Command(text string) string {
	if strings.Contains(text, "{{") {
		s, err := m.filled(text, m.Value, m.Band, m.Few, grammar{}, true)
		if err == nil {
			return s
		}
	}
	return Clean(text, summaryMax)
}

// ShellWord returns s as one word of a POSIX shell, quoted where it must be, so that a hostile label cannot become a command.
func ShellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._:/", r)
	}
	if s != "" && s[0] != '-' && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// podName reports whether kubectl would take s as the name of a pod: what weighs most may also be an address that was scraped, or several labels.
func podName(s string) bool {
	if s == "" || len(s) > 253 || net.ParseIP(s) != nil {
		return false
	}
	for i, r := range s {
		edge := i == 0 || i == len(s)-1
		if !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || !edge && (r == '-' || r == '.')) {
			return false
		}
	}
	return true
}

// filled executes a template about value and band: a sentence, or a step for a shell.
func (m *Member) filled(text string, value float64, band model.Band, few [2]float64, g grammar, step bool) (string, error) {
	quote := func(s string) string { return s }
	if step {
		quote = ShellWord
	}
	v := m.quantity(value)
	v.few = few
	d := summaryData{
		Value: v, Low: m.quantity(band.Lower), High: m.quantity(band.Upper),
		Expected: m.quantity(band.Expected), Slope: quantity{v: m.SlopePerDay, unit: m.Unit},
		Band: m.band(band), Labels: make(map[string]string, len(m.Entity)),
	}
	if len(m.Top) > 0 && (!step || podName(m.Top[0].Name)) {
		d.Top = quote(Clean(m.Top[0].Name, textMax))
	}
	if m.LimitEta > 0 && !g.past {
		d.Eta = Span(m.LimitEta)
	}
	for _, l := range m.Entity {
		d.Labels[l.Name] = quote(Clean(l.Value, textMax))
	}
	t, err := parseSummary(text, g)
	if err != nil {
		return "", err
	}
	s, err := fillSummary(t, d)
	return Clean(s, summaryMax), err
}

// Place writes an entity for people, from the large to the small: "prod / kube-system / coredns", then other labels.
func Place(entity series.Labels) string {
	var b strings.Builder
	add := func(s string) {
		if s == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteString(" / ")
		}
		b.WriteString(s)
	}
	known := [...]string{"cluster", "namespace", "workload", "container", "node"}
	for _, n := range known {
		add(entity.Get(n))
	}
next:
	for _, l := range entity {
		if l.Name == "workload_type" {
			continue
		}
		for _, n := range known {
			if l.Name == n {
				continue next
			}
		}
		add(l.Name + "=" + l.Value)
	}
	return Clean(b.String(), 4*summaryMax)
}

// Clean is series.Clean.
func Clean(s string, max int) string { return series.Clean(s, max) }

// Cut is series.Cut.
func Cut(s string, max int) string { return series.Cut(s, max) }

// whose names the thing that a signal is about, " of cart"; "" for a whole cluster.
func (m *Member) whose() string {
	for _, l := range [...]string{"workload", "job", "node", "namespace"} {
		if x := m.Entity.Get(l); x != "" {
			return " of " + x
		}
	}
	return ""
}
