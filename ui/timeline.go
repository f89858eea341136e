// An incident's events in words.

package ui

import (
	"slices"
	"strings"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/act"
)

type timelineRow struct {
	T      int64
	Kind   string // class, from a fixed set
	Text   string
	Signal string // id, for a link; "" when there is none
	Name   string
	Where  string
}

// timeline words an incident's events, newest first.
func timeline(inc *alerting.Incident, acts *act.View) []timelineRow {
	var out []timelineRow
	for _, e := range inc.Timeline {
		row := timelineRow{T: e.T, Kind: "ev-other"}
		if m := memberOf(inc, e.Signal); m != nil {
			row.Signal, row.Name, row.Where = m.SignalID, m.Name, place(m.Entity)
		} else if strings.Contains(e.Signal, "~") {
			row.Name = alerting.Clean(e.Signal, textMax)
		}
		switch e.Kind {
		case "opened":
			row.Kind, row.Text = "ev-bad", "opened the incident"
		case "joined":
			row.Kind, row.Text = "ev-bad", "joined"
		case "refired":
			row.Kind, row.Text = "ev-bad", "left its band again"
		case "recovered", "adopted", "gone":
			row.Kind, row.Text = "ev-good", ending(e.Kind)
		case "worse":
			row.Kind, row.Text = "ev-bad", ending(e.Kind)
		case "severity":
			row.Kind, row.Text = "ev-bad", "severity became "+alerting.Clean(e.Signal, 20)
		case "notified":
			row.Kind, row.Text = "ev-told", "told: "+reasonWord(e.Signal)
		case "withheld":
			row.Kind, row.Text = "ev-told", "a notification was withheld by the daily cap: "+reasonWord(e.Signal)
		case "silenced":
			row.Kind, row.Text = "ev-told", "nobody is told: "+actLine(acts, e.Signal)
		case "resolved":
			row.Kind, row.Text = "ev-good", "resolved: "+ending(inc.Resolution)
		default:
			row.Text = alerting.Clean(e.Kind+" "+e.Signal, textMax)
		}
		out = append(out, row)
	}
	slices.Reverse(out)
	return out
}

func reasonWord(r string) string {
	switch alerting.Reason(r) {
	case alerting.First:
		return "first announcement"
	case alerting.Changed:
		return "it became worse or wider"
	case alerting.Resolved:
		return "the closing word"
	case alerting.Repeated:
		return "it is still open"
	case alerting.Trial:
		return "a test message"
	}
	return alerting.Clean(r, 40)
}
