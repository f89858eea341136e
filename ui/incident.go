// Incidents as pages and JSON share them: found, put in order, in words.

package ui

import (
	"cmp"
	"slices"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/model"
)

// everyIncident lists what is open, then what has ended.
func everyIncident(snap *alerting.Snapshot) []*alerting.Incident {
	return slices.Concat(snap.Open, snap.Closed)
}

// findIncident returns nil when there is none with the id.
func findIncident(snap *alerting.Snapshot, id string) *alerting.Incident {
	for _, inc := range everyIncident(snap) {
		if inc.ID == id {
			return inc
		}
	}
	return nil
}

// memberOf returns the member that is a signal, nil when the incident has none.
func memberOf(inc *alerting.Incident, id string) *alerting.Member {
	for i := range inc.Members {
		if inc.Members[i].SignalID == id {
			return &inc.Members[i]
		}
	}
	return nil
}

// byUrgency sorts open incidents for people: what fires before what recovers, then by severity, the newest first.
func byUrgency(list []*alerting.Incident) []*alerting.Incident {
	open := slices.Clone(list)
	slices.SortStableFunc(open, func(x, y *alerting.Incident) int {
		return cmp.Or(cmp.Compare(x.Phase(), y.Phase()), -cmp.Compare(alerting.SeverityRank(x.Severity), alerting.SeverityRank(y.Severity)), -cmp.Compare(x.Onset, y.Onset))
	})
	return open
}

// incidentSpan is an incident with some of what was before and after.
func incidentSpan(inc *alerting.Incident, now int64) span {
	end := inc.Resolved
	if inc.Open() {
		end = max(now, inc.Updated)
	}
	before := max((end-inc.Onset)/3, 30*60_000)
	sp := span{From: inc.Onset - before, To: end}
	if !inc.Open() {
		sp.To = min(end+before/2, max(now, end))
	}
	return sp
}

// notes are the caveats of an incident.
func notes(inc *alerting.Incident) []string {
	var out []string
	h := inc.Headline()
	if inc.LateMs > 0 {
		out = append(out, "Judged "+alerting.Span(inc.LateMs)+" late: what it is judged by arrives that far behind.")
	}
	if h.State == model.Drifting && h.LimitEta > 0 && inc.Open() {
		out = append(out, "Reaches its limit in "+alerting.Span(h.LimitEta)+" at this pace.")
	}
	if h.Maturity > 0 && h.Maturity < 0.5 {
		out = append(out, "The band is provisional: it had "+alerting.Quantity(h.Maturity, "ratio")+" of what it wants to see when the alarm rose.")
	}
	if inc.Refires > 0 {
		out = append(out, "It came back "+times(inc.Refires)+" within the hold.")
	}
	if inc.Earlier > 0 {
		out = append(out, "The same signal led "+plural(inc.Earlier, "incident")+" in the 24 h before.")
	}
	if inc.More > 0 {
		out = append(out, plural(inc.More, "alarm")+" found no room in the list of members.")
	}
	if inc.Withheld > 0 {
		out = append(out, plural(inc.Withheld, "notification")+" withheld by the daily cap.")
	}
	return out
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return commas(n) + " times"
}

// ending words how an incident or a member ended.
func ending(how string) string {
	switch how {
	case "recovered":
		return "returned to its band"
	case "adopted":
		return "the new level was adopted as normal"
	case "gone":
		return "no data any more"
	case "worse":
		return "got worse and was told anew"
	}
	return how
}

// endedWord words how an incident ended, for the line on top of its page.
func endedWord(how string) string {
	switch how {
	case "recovered":
		return "back inside its band"
	case "adopted":
		return "the new level was adopted as normal"
	case "gone":
		return "its data is gone"
	}
	return ending(how)
}
