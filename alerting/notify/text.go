package notify

import (
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/pack"
)

// Text renders m for a terminal: the same words as a receiver gets, the time of the decision (UTC) and the severity before the title, then a line for each thing that is said. It ends with a line break.
// Texts of the cluster are cleaned as everywhere; nothing in it is markup.
func (m *Message) Text() string {
	var b strings.Builder
	severity := string(m.Severity)
	if severity == "" {
		severity = string(pack.Info)
	}
	status := m.status()
	if status == "" {
		status = "Announced"
	}
	b.WriteString(time.UnixMilli(m.T).UTC().Format("2006-01-02 15:04") + " UTC  " + severity + "  " + status + ": " + m.Title + "\n")
	line := func(name, text string) {
		if text != "" {
			b.WriteString("    " + name + strings.Repeat(" ", max(12-len(name), 0)) + " " + text + "\n")
		}
	}
	line("cluster", m.Cluster)
	line("where", m.Where)
	line("since", m.since())
	line("value", m.Value)
	line("moved first", m.First)
	if len(m.Lines) > 1 {
		for i := range m.Lines {
			l := &m.Lines[i]
			text := stamp(l.Onset, m.T) + " " + l.text()
			if l.Where != "" && l.Where != m.Where {
				text += " (" + l.Where + ")"
			}
			if l.Ended != 0 && m.Firing() {
				text += ", over"
			}
			line("moved", text)
		}
	}
	if m.More > 0 {
		line("moved", "and "+alerting.Count(m.More, "more signal"))
	}
	if m.Firing() {
		for _, s := range m.Changes {
			line("changed", s)
		}
		line("meaning", m.Meaning)
		for _, s := range m.Causes {
			line("cause", s)
		}
		for _, s := range m.Next {
			line("look next", s)
		}
	}
	for _, s := range m.Notes {
		line("note", s)
	}
	line("who has it", m.holder(alerting.Clock))
	line("incident", m.Incident)
	return b.String()
}
