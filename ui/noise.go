// The noise contract: how much was said against how much may be, and how many false alarms chance raises against how many are allowed.

package ui

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
)

const daysShown = 14 // days of the contract on a page

// noise compares what was said with the noise contract.
type noise struct {
	Budget, PageBudget int
	Days               []noiseDay // oldest first, today last
	Rate               float64    // notifications and pages a day over the days observed
	Observed           float64    // days
	Withheld           int
	Most               int // the scale of the bars
}

type noiseDay struct {
	alerting.DayTally
	Over bool // more than the budget
}

// Newest returns the days, today first.
func (n noise) Newest() []noiseDay {
	out := slices.Clone(n.Days)
	slices.Reverse(out)
	return out
}

// SVG draws the days as bars over the line of the budget: pages on top.
func (n noise) SVG() template.HTML {
	const h, w = 44., 10.
	var d drawing
	fmt.Fprintf(&d, `<svg class="noise" width="100%%" height="%.0f" viewBox="0 0 %.0f %.0f" preserveAspectRatio="none" role="img" aria-label="%s">`, h, w*float64(len(n.Days)), h,
		esc(fmt.Sprintf("Notifications a day over the last %s", plural(len(n.Days), "day"))))
	y := func(v int) float64 { return float64(v) / float64(n.Most) * (h - 2) }
	for i, day := range n.Days {
		x := w*float64(i) + 1
		sent, pages := y(day.Sent), y(day.Pages)
		class := "sent"
		if day.Over {
			class = "sent over"
		}
		fmt.Fprintf(&d, `<g><title>%s</title><rect class="slot" x="%.0f" y="0" width="8" height="%.0f"/>`,
			esc(fmt.Sprintf("%s: %d sent, %d of severity page, %d withheld", dayName(day.Day), day.Sent, day.Pages, day.Withheld)), x, h)
		fmt.Fprintf(&d, `<rect class="%s" x="%.0f" y="%.1f" width="8" height="%.1f"/><rect class="pages" x="%.0f" y="%.1f" width="8" height="%.1f"/></g>`,
			class, x, h-sent, sent, x, h-sent-pages, pages)
	}
	if n.Budget > 0 && n.Budget <= n.Most {
		fmt.Fprintf(&d, `<path class="budget" vector-effect="non-scaling-stroke" d="M0 %.1fH%.0f"/>`, h-y(n.Budget), w*float64(len(n.Days)))
	}
	d.WriteString(`</svg>`)
	return template.HTML(d.String())
}

func noiseOf(st *Status, now int64) noise {
	const dayMs = 86_400_000
	n := noise{Budget: st.NotificationsPerDay, PageBudget: st.PagesPerDay}
	first := now
	for _, s := range st.Senders {
		if s.FirstMs > 0 {
			first = min(first, s.FirstMs)
		}
	}
	today := now / dayMs
	byDay := map[int64]alerting.DayTally{}
	for _, d := range st.Days {
		byDay[d.Day] = d
		first = min(first, d.Day*dayMs)
		today = max(today, d.Day)
	}
	days := min(today-first/dayMs+1, daysShown)
	total := 0
	most := 0
	for d := today - days + 1; d <= today; d++ {
		t := byDay[d]
		t.Day = d
		total += t.Sent + t.Pages
		n.Withheld += t.Withheld
		most = max(most, t.Sent+t.Pages)
		n.Days = append(n.Days, noiseDay{DayTally: t, Over: st.NotificationsPerDay > 0 && t.Sent > st.NotificationsPerDay})
	}
	// A budget far above what was said would flatten the bars: its line is left out then.
	n.Most = max(most, min(n.Budget, max(3*most, 5)), 1)
	n.Observed = max(float64(now-first)/dayMs, float64(1))
	n.Observed = min(n.Observed, float64(daysShown))
	n.Rate = float64(total) / n.Observed
	return n
}

// quietDay reports whether no incident is open and none has ended within a day. What rises beside a real incident without becoming an alarm is a near miss, too: in such
// a time the rate that near misses foretell is not that of chance.
func quietDay(snap *alerting.Snapshot, now int64) bool {
	const dayMs = 86_400_000
	return len(snap.Open) == 0 && (len(snap.Closed) == 0 || now-snap.Closed[0].Resolved > dayMs)
}

// chanceLines says how many false alarms chance gives, against how many are allowed.
func chanceLines(list []baseline.BudgetView) []string {
	var out []string
	for i := range list {
		b := &list[i]
		kind := map[string]string{"packs": "Rules of packs", "tracked": "Tracked metrics"}[b.Kind]
		s := kind + ": how many false alarms chance raises is not known yet; that takes two days"
		switch {
		case !b.Known:
		case b.Expected < .01:
			s = kind + ": chance raises less than one false alarm in two years"
		default:
			s = kind + ": chance raises " + strconv.FormatFloat(b.Expected, 'g', 2, 64) + " false alarms a week at most"
		}
		if b.Asked > 0 {
			s += ", allowed " + alerting.Quantity(b.Asked, "") + " a week"
		}
		if b.Strict > 1.005 {
			s += fmt.Sprintf("; each asks for %.2f times the usual evidence", b.Strict)
		}
		out = append(out, s+".")
	}
	return out
}
