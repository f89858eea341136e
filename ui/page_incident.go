// One incident: what moved, in which order, and what may be behind it.

package ui

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
)

const (
	incidentCharts = 8  // members drawn
	memberHeight   = 84 // of their plots, pixels
	smallCharts    = 40 // further members, drawn small side by side
	smallHeight    = 40
)

type incidentBody struct {
	*alerting.Incident
	spanLinks
	Head, First *alerting.Member
	Where       []labelLink
	Whole       string // the incident's own range
	Figures     []memberFigure
	Small       []memberFigure // those behind them, to be compared at a glance
	Hidden      int            // members not drawn
	Notes       []string
	Next        []string
	Timeline    []timelineRow
	Causes      []causeRow
	Later       []causeRow         // changes that explain only what joined later
	Nobody      bool               // is told, since there is no receiver
	Parent      *alerting.Incident // of which it is part; nil = of none that is known
	Parts       []*alerting.Incident
	AllChanges  string // the list of changes of that time
	Now         int64
	End         int64 // when it ended, or now
	EndWord     string
	Hands       hands
	Suspect     string // what changed just before; "" = nothing that is known
	Inside      int64  // since when everything is back inside; 0 = it is not, or nobody knows
}

// causeRow is a change that may be behind an incident.
type causeRow struct {
	changeRow
	When string // in relation to the onset
	Near string
}

type memberFigure struct {
	*alerting.Member
	Figure figure
	First  bool
}

// What is told of senders is no incident of the fold: messages about it lead to the status page, which says how senders are.
const (
	gapPrefix = "gap-"         // of such an incident's id
	gapSignal = "recv.silent~" // of its signal's …
	lagSignal = "recv.behind~" // … and of one that stays behind
)

func (s *server) incident(c *gin.Context) {
	inc := findIncident(s.snapshot(), c.Param("id"))
	if inc == nil && strings.HasPrefix(c.Param("id"), gapPrefix) {
		c.Redirect(http.StatusFound, s.base+"/status")
		return
	}
	if inc == nil {
		s.fail(c, http.StatusNotFound, "There is no incident with this id. Old incidents are forgotten after a while.")
		return
	}
	f, st := s.frame(inc.Title, "incidents")
	own := incidentSpan(inc, f.Now)
	sp := parseSpan(c.Request.URL.Query(), f.Now, own)
	b := &incidentBody{Incident: inc, Head: inc.Headline(), First: inc.FirstMover(), Where: s.labelLinks(inc.Scope), Notes: notes(inc), Now: f.Now, End: inc.Resolved, EndWord: ending(inc.Resolution), Nobody: inc.Open() && len(st.Receivers) == 0}
	if inc.Open() {
		b.End = f.Now
		if inc.Phase() != alerting.Firing {
			b.Inside = s.insideSince(inc, f.Now)
		}
	}
	at := s.incidentURL(inc.ID)
	b.spanLinks = spanLinksOf(at, sp, f.Now)
	if sp != own {
		b.Whole = at
	}
	for i := range inc.Members {
		m := &inc.Members[i]
		small := i >= incidentCharts && i != inc.Lead
		if small && len(b.Small) == smallCharts {
			b.Hidden++
			continue
		}
		marks := []mark{{T: m.Onset, Label: "began"}}
		if m.Ended > 0 {
			marks = append(marks, mark{T: m.Ended, Label: "ended"})
		}
		height := memberHeight
		if small {
			height, marks = smallHeight, nil
		}
		fig := s.figure(fmt.Sprintf("c%d", i), m.SignalID, m.Entity, chart{Title: m.Name + ", " + place(m.Entity), Unit: m.Unit, From: sp.From, To: sp.To, Height: height, Compact: true, Params: paramsOf(m.Rule), Marks: marks})
		if small {
			b.Small = append(b.Small, memberFigure{Member: m, Figure: fig})
			continue
		}
		fig.Zoom = true
		b.Figures = append(b.Figures, memberFigure{Member: m, Figure: fig, First: i == 0})
	}
	b.Suspect = suspect(inc)
	b.Hands = s.handsOf(c.Request, inc, f.Now)
	b.Next = steps(b.Head.Rule, b.Head, stepsShown)
	b.Timeline = timeline(inc, s.src.Acts())
	b.Causes, b.Later = s.causeRows(inc.Changes, inc.Onset), s.causeRows(inc.Beside, inc.Onset)
	b.Parent, b.Parts = family(s.snapshot(), inc)
	around := changeQuery{Cluster: inc.Cluster, From: max(inc.Onset-2*3_600_000, 1), To: inc.Onset + 3_600_000}
	b.AllChanges = around.with(s.base, func(*changeQuery) {})
	f.Body, f.JSON = b, s.base+"/api/v1/incidents/"+inc.ID
	s.page(c, http.StatusOK, "incident", f)
}

func (s *server) causeRows(list []alerting.Cause, onset int64) (out []causeRow) {
	for i := range list {
		x := &list[i]
		out = append(out, causeRow{changeRow: s.changeRow(&x.Change), When: alerting.When(x.T, onset), Near: x.Nearness.String()})
	}
	return out
}

// partsShown bounds the list of what is part of an incident.
const partsShown = 10

// family returns the incident that explains one, nil when none does or it is forgotten, and those that it explains.
func family(snap *alerting.Snapshot, inc *alerting.Incident) (parent *alerting.Incident, parts []*alerting.Incident) {
	for _, x := range everyIncident(snap) {
		switch {
		case x.ID == inc.PartOf:
			parent = x
		case x.PartOf == inc.ID && len(parts) < partsShown:
			parts = append(parts, x)
		}
	}
	return parent, parts
}
