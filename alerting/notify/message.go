package notify

import (
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
)

// Message is a notification in words, with everything any receiver needs. It is what the outbox keeps, so it holds no
// secret and no address of a receiver. Texts are plain: every receiver escapes them in its own way.
type Message struct {
	ID        string            `json:"id"`
	Incident  string            `json:"incident"`
	Reason    alerting.Reason   `json:"reason"`
	T         int64             `json:"t"` // event time of the decision, Unix milliseconds
	Severity  pack.Severity     `json:"severity"`
	Title     string            `json:"title"`
	Cluster   string            `json:"cluster"`
	Where     string            `json:"where"`
	Onset     int64             `json:"onset"`              // Unix milliseconds
	Resolved  int64             `json:"resolved,omitempty"` // 0 while it lasts
	How       string            `json:"how,omitempty"`      // recovered, adopted or gone
	Value     string            `json:"value"`              // of the headline against its band, with units
	First     string            `json:"first"`              // what moved first
	Meaning   string            `json:"meaning,omitempty"`
	Causes    []string          `json:"causes,omitempty"` // likely ones, likeliest first
	Next      []string          `json:"next,omitempty"`
	Late      string            `json:"late,omitempty"` // how late it was judged; "" = in time
	Notes     []string          `json:"notes,omitempty"`
	Changes   []string          `json:"changes,omitempty"` // what changed just before, closest first
	Lines     []Line            `json:"lines"`             // one for each member, by onset
	More      int               `json:"more,omitempty"`
	Headline  string            `json:"headline,omitempty"`  // the title without how it ended
	Labels    map[string]string `json:"labels,omitempty"`    // what routes ask for, without the severity
	FirstAt   *Moment           `json:"first_at,omitempty"`  // First and Changes again, with their times apart …
	ChangeAt  []Moment          `json:"change_at,omitempty"` // … for who writes times in the reader's zone; missing from older programs
	Kept      []KeptLine        `json:"kept,omitempty"`      // of a digest: what it lists
	Since     *Since            `json:"-"`                   // what the receiver was told last; nil = nothing. Made when it is sent
	Escalated string            `json:"-"`                   // how long nothing came of it, to who is told only then; "" = it is no escalation. Made when it is sent
	Holder    *Moment           `json:"-"`                   // who has the incident, and since when; nil = nobody. Made when it is sent
	Ended     []string          `json:"-"`                   // of a summary: what came and went, the worst first
	edition   uint32            // of a notice
	Told      string            `json:"-"`              // how late this is said: "announced 26 h late"; "" = in time. Made when it is sent
	Base      string            `json:"base,omitempty"` // external URL without a trailing slash
	Link      string            `json:"link,omitempty"`
	Users     string            `json:"users,omitempty"`   // what users feel of it; "" = nothing, or the title says so
	Mostly    string            `json:"mostly,omitempty"`  // where most of it is: "38 of 41 on node w3"; "" = nowhere
	PartOf    string            `json:"part_of,omitempty"` // id of the incident that explains it
	Beside    []Moment          `json:"beside,omitempty"`  // what changed later, and explains only what joined then
}

// Moment is a text about something that happened at a time.
type Moment struct {
	T    int64  `json:"t"` // Unix milliseconds
	Text string `json:"text"`
}

// Since is what has happened since a receiver was told last.
type Since struct {
	T         int64         // event time of that message
	Severity  pack.Severity // … and its severity
	Signals   int           // that have joined
	Workloads int           // to which they belong; 0 = none is of a workload
}

// KeptLine is one incident of a digest.
type KeptLine struct {
	Severity pack.Severity `json:"severity"`
	Onset    int64         `json:"onset"`
	Resolved int64         `json:"resolved,omitempty"` // 0 = not known
	Open     bool          `json:"open,omitempty"`
	Text     string        `json:"text"`
	Where    string        `json:"where,omitempty"`
	Link     string        `json:"link,omitempty"`
}

// Line is one member of the incident.
type Line struct {
	Name     string            `json:"name"`
	Severity pack.Severity     `json:"severity"`
	Where    string            `json:"where"`
	Sentence string            `json:"sentence"`
	Value    string            `json:"value"` // now, with its unit
	Raw      string            `json:"raw"`   // the same as a bare number in the signal's unit
	Unit     string            `json:"unit"`
	Band     string            `json:"band"`
	Worst    string            `json:"worst,omitempty"`
	Top      string            `json:"top,omitempty"` // the raw series that weighed most
	State    string            `json:"state"`
	Onset    int64             `json:"onset"`
	Opened   int64             `json:"opened,omitempty"` // when its alarm rose, Unix milliseconds; 0 = not known
	Ended    int64             `json:"ended,omitempty"`
	Question string            `json:"question,omitempty"`
	Meaning  string            `json:"meaning,omitempty"`
	Link     string            `json:"link,omitempty"`
	Labels   map[string]string `json:"labels"`
}

// Firing reports whether the incident still lasted when the message was made.
func (m *Message) Firing() bool { return m.Resolved == 0 }

// Status returns "firing" or "resolved", Alertmanager's words.
func (m *Message) Status() string {
	if m.Firing() {
		return "firing"
	}
	return "resolved"
}

const (
	wordsMax = 600 // bytes of a meaning
	stepMax  = 200 // bytes of a next step
	stepsMax = 3

	causesMax = 3

	holderMax = 80 // bytes of who has an incident

	changesMax = 3
	changeMax  = 300 // bytes of a change
)

// NewMessage words a notification. externalURL is where people reach the UI; "" leaves links out.
func NewMessage(n alerting.Notification, externalURL string) *Message {
	inc := n.Incident
	head, first := inc.Headline(), inc.FirstMover()
	m := &Message{
		ID: n.ID, Incident: n.IncidentID, Reason: n.Reason, T: n.T, Severity: inc.Severity, Title: inc.Title, Cluster: oneLine(inc.Cluster, 200),
		Where: alerting.Place(head.Entity), Onset: inc.Onset, Resolved: inc.Resolved, How: inc.Resolution, More: inc.More,
		Base: strings.TrimRight(externalURL, "/"), Headline: inc.Title, Labels: labelsOf(inc),
	}
	if len(inc.Members) > 1 && len(inc.Scope) > 0 {
		m.Where = alerting.Place(inc.Scope)
	}
	if m.Base != "" {
		m.Link = m.Base + "/incidents/" + n.IncidentID
	}
	m.Value = head.Standing()
	if !m.Firing() {
		// What was so bad is in the title; what is worth knowing now is that it is over, since when, and what ended it.
		m.Title = "Over after " + alerting.Span(m.Resolved-m.Onset) + ": " + m.Title
	}
	m.FirstAt = &Moment{first.Onset, oneLine(first.Name+" ("+alerting.Place(first.Entity)+")", 300)}
	m.First = oneLine(first.Name+" at "+alerting.Clock(first.Onset)+" ("+alerting.Place(first.Entity)+")", 300)
	if r := head.Rule; r != nil {
		m.Meaning = oneLine(r.Meaning, wordsMax)
		for _, s := range r.Causes[:min(len(r.Causes), causesMax)] {
			m.Causes = append(m.Causes, oneLine(s, stepMax))
		}
		for _, s := range r.Next {
			if len(m.Next) == stepsMax {
				break
			}
			if step := head.Command(s); step != "" {
				m.Next = append(m.Next, oneLine(step, stepMax))
			}
		}
	}
	for i := range inc.Changes {
		c := &inc.Changes[i]
		// What merely happened in the same cluster is worth a line when nothing closer is known.
		if len(m.Changes) == changesMax || len(m.Changes) > 0 && c.Nearness == alerting.WholeCluster {
			break
		}
		m.ChangeAt = append(m.ChangeAt, Moment{c.T, oneLine(alerting.When(c.T, inc.Onset)+": "+c.Text(), changeMax)})
		m.Changes = append(m.Changes, oneLine(stamp(c.T, n.T)+", "+alerting.When(c.T, inc.Onset)+": "+c.Text(), changeMax))
	}
	m.around(inc)
	if inc.LateMs > 0 {
		m.Late = "judged " + alerting.Span(inc.LateMs) + " late"
		m.Notes = append(m.Notes, m.Late+": what it is judged by arrives that far behind")
	}
	if len(head.Top) > 0 {
		m.Notes = append(m.Notes, "weighs most: "+oneLine(head.Top[0].Name, 200))
	}
	if head.LimitEta > 0 && head.State == model.Drifting {
		m.Notes = append(m.Notes, "reaches its limit in "+alerting.Span(head.LimitEta)+" at this pace")
	}
	if head.Maturity > 0 && head.Maturity < 0.5 {
		m.Notes = append(m.Notes, "the band is provisional: "+alerting.Quantity(head.Maturity, "ratio")+" of what it wants to see")
	}
	if inc.Refires > 0 {
		m.Notes = append(m.Notes, "came back "+times(inc.Refires))
	}
	if inc.Earlier > 0 {
		m.Notes = append(m.Notes, "the same signal led "+alerting.Count(inc.Earlier, "incident")+" in the 24 h before")
	}
	for i := range inc.Members {
		m.Lines = append(m.Lines, newLine(&inc.Members[i], m))
	}
	return m
}

// around words what is said of an incident beside its members.
func (m *Message) around(inc *alerting.Incident) {
	m.Users, m.Mostly, m.PartOf = inc.Users(), inc.Mostly(), inc.PartOf
	for i := range inc.Beside[:min(len(inc.Beside), changesMax)] {
		c := &inc.Beside[i]
		m.Beside = append(m.Beside, Moment{c.T, oneLine(alerting.When(c.T, inc.Onset)+": "+c.Text(), changeMax)})
	}
}

// besides are the lines of Beside with their times in UTC.
func (m *Message) besides() (lines []string) {
	for _, b := range m.Beside {
		lines = append(lines, stamp(b.T, m.T)+", "+b.Text)
	}
	return lines
}

// labelsOf returns what routes ask for: the labels of the signal that the title speaks of.
func labelsOf(inc *alerting.Incident) map[string]string {
	head := inc.Headline()
	labels := map[string]string{"cluster": inc.Cluster, "alertname": head.Name}
	for _, k := range [...]string{"namespace", "workload", "node"} {
		labels[k] = head.Entity.Get(k)
	}
	if labels["cluster"] == "" {
		labels["cluster"] = head.Entity.Get("cluster")
	}
	if head.Rule != nil {
		labels["pack"] = head.Rule.Pack
	}
	maps.DeleteFunc(labels, func(_, v string) bool { return v == "" })
	return labels
}

// route returns what routes ask for.
func (m *Message) route() map[string]string {
	labels := maps.Clone(m.Labels)
	if labels == nil { // by an older program, or about Wrackline itself
		labels = map[string]string{}
		if m.Cluster != "" {
			labels["cluster"] = m.Cluster
		}
		if len(m.Lines) > 0 {
			labels["alertname"] = m.Lines[0].Name
		}
	}
	labels["severity"] = string(m.Severity)
	return labels
}

// compare notes what is new since the receiver was told last.
func (m *Message) compare(h *holding) {
	m.Since = &Since{T: h.T, Severity: h.Severity}
	workloads := map[string]bool{}
	for i := range m.Lines {
		if l := &m.Lines[i]; l.Opened > h.T {
			m.Since.Signals++
			if w := l.Labels["workload"]; w != "" {
				workloads[l.Labels["cluster"]+"/"+l.Labels["namespace"]+"/"+w] = true
			}
		}
	}
	m.Since.Signals += m.More
	m.Since.Workloads = len(workloads)
}

// news words what is new since the receiver was told last, with times as clock words them: "+12 signals in 9 workloads since 17:21; now 31 % (normal 0–0.2 %), worst 40 %".
func (m *Message) news(clock func(int64) string) string {
	var s string
	if x := m.Since; x.Signals > 0 {
		s = "+" + alerting.Count(x.Signals, "signal")
		if x.Workloads > 0 {
			s += " in " + alerting.Count(x.Workloads, "workload")
		}
		s += " since " + clock(x.T) + "; "
	} else {
		s = "since " + clock(x.T) + " nothing joined; "
	}
	if alerting.SeverityRank(m.Severity) > alerting.SeverityRank(m.Since.Severity) {
		s = "now of severity " + string(m.Severity) + ", it was " + string(m.Since.Severity) + "; " + s
	}
	return s + "now"
}

func newLine(m *alerting.Member, msg *Message) Line {
	l := Line{
		Name: oneLine(m.Name, 100), Severity: m.Severity, Where: alerting.Place(m.Entity), Sentence: m.Sentence(m.Ended != 0 || m.Easing()),
		Value: alerting.Quantity(m.Value, m.Unit), Raw: strconv.FormatFloat(m.Value, 'g', -1, 64), Unit: m.Unit,
		Band: alerting.Range(m.Band.Lower, m.Band.Upper, m.Unit), State: m.State.String(), Onset: m.Onset, Opened: m.Opened, Ended: m.Ended, Labels: map[string]string{},
	}
	if !math.IsNaN(m.Worst) {
		l.Worst = alerting.Quantity(m.Worst, m.Unit)
	}
	if len(m.Top) > 0 {
		l.Top = oneLine(m.Top[0].Name, 200)
	}
	if m.Rule != nil {
		l.Question, l.Meaning = oneLine(m.Rule.Question, 300), oneLine(m.Rule.Meaning, wordsMax)
	}
	if msg.Base != "" {
		l.Link = msg.Base + "/signals/" + m.SignalID
	}
	for _, x := range m.Entity {
		l.Labels[x.Name] = x.Value
	}
	if l.Labels["cluster"] == "" && msg.Cluster != "" {
		l.Labels["cluster"] = msg.Cluster
	}
	return l
}

// NewTestMessage words a message that says only that messages arrive.
func NewTestMessage(now time.Time, externalURL string) *Message {
	t := now.UnixMilli()
	m := &Message{
		ID: alerting.NotificationID("test", alerting.Trial, uint32(t/1000)), Incident: "test", Reason: alerting.Trial, T: t, Severity: pack.Info,
		Title: "Test message from Wrackline: notifications arrive here", Cluster: "test", Where: "test", Onset: t, Value: "1 (normal 0–2)", First: "nothing: this is a test",
		Meaning: "Somebody asked Wrackline to send this. Nothing is wrong.", Base: strings.TrimRight(externalURL, "/"),
	}
	m.Link = m.Base
	m.Lines = []Line{{Name: "wrackline.test", Severity: pack.Info, Where: "test", Sentence: m.Title, Value: "1", Raw: "1", Band: "0–2", State: "normal",
		Onset: t, Meaning: m.Meaning, Link: m.Base, Labels: map[string]string{"cluster": "test"}}}
	return m
}

// since words when it was: "2026-03-01 14:03 UTC, for 12 min", or both ends.
func (m *Message) since() string {
	if m.Firing() {
		return alerting.Clock(m.Onset) + ", for " + alerting.Span(m.T-m.Onset)
	}
	end := time.UnixMilli(m.Resolved).UTC()
	format := "2006-01-02 15:04"
	if m.Onset/86_400_000 == m.Resolved/86_400_000 {
		format = "15:04"
	}
	return time.UnixMilli(m.Onset).UTC().Format("2006-01-02 15:04") + "–" + end.Format(format) + " UTC, " + alerting.Span(m.Resolved-m.Onset)
}

// status words what the message is about, and how late it is, for its first line.
func (m *Message) status() string {
	s := m.about()
	switch {
	case m.Told == "":
		return s
	case s == "":
		return strings.ToUpper(m.Told[:1]) + m.Told[1:]
	}
	return s + ", " + m.Told
}

func (m *Message) about() string {
	switch {
	case m.Reason == alerting.Summary, m.Reason == alerting.Digest:
		return ""
	case m.Reason == alerting.Trial:
		return "Test"
	case !m.Firing() && m.How == "adopted":
		return "Closed: the new level was adopted"
	case !m.Firing() && m.How == "worse":
		return "Closed: it got worse and is told anew"
	case !m.Firing() && m.How == "gone":
		return "Closed: no data any more"
	case !m.Firing():
		return "Resolved"
	case m.Reason == alerting.Changed:
		return "Changed"
	case m.Reason == alerting.Repeated:
		return "Still open after " + alerting.Span(m.T-m.Onset)
	case m.Escalated != "":
		return "Still open " + m.Escalated + " after it was told"
	}
	return ""
}

// holder words who has the incident, with times as clock words them; "" = nobody.
func (m *Message) holder(clock func(int64) string) string {
	if m.Holder == nil {
		return ""
	}
	return m.Holder.Text + " since " + clock(m.Holder.T)
}

// text is one line about a member, without its time.
func (l *Line) text() string {
	s := l.Sentence
	if !strings.Contains(s, l.Band) && l.State != "absent" {
		s += " (normal " + l.Band + ")"
	}
	if l.Top != "" {
		s += "; most: " + l.Top
	}
	return s
}

func oneLine(s string, max int) string { return alerting.Clean(s, max) }

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return strconv.Itoa(n) + " times"
}
