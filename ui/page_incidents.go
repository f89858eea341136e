package ui

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/baseline/series"
)

type incidentsBody struct {
	hands
	Query        incidentQuery
	Found        foundIncidents
	Open, Closed []incidentRow // of this page
	Rows         int           // of both
	All          int
	From, To     int
	Prev, Next   string
	Hidden       []series.Label // fields of the form that are not chosen in it
	Clear        string
	Loose        []alerting.Member
	LooseAll     int
	Nobody       bool   // is told, since there is no receiver
	Unsure       string // why that nothing is open says little; "" = it does not
}

// incidentRow is one incident in a list.
type incidentRow struct {
	*alerting.Incident
	Holder   *act.Act
	Silenced bool
	Suspect  string
	Step     string
}

func (s *server) incidentRow(inc *alerting.Incident) incidentRow {
	return incidentRow{inc, s.src.Acts().Holder(inc.ID), inc.Open() && inc.Silenced() != nil, suspect(inc), nextStep(inc)}
}

// unsure says why nothing that is open is no proof that all is well; "" when it is.
func unsure(st *Status, n *census, now int64) string {
	switch young := st.young(now); {
	case n.all == 0:
		return "Nothing has been judged yet."
	case st.silentMs(now) > 0:
		return "Nothing has arrived for " + alerting.Span(st.silentMs(now)) + ", so nothing is judged."
	case len(young) > 0:
		return youngLine(young[0])
	case n.learning:
		return "What is normal is still being learned."
	case n.fresh > 0:
		return plural(n.fresh, "signal") + " fell silent within the hour: whether they are well is not known."
	}
	return ""
}

func (s *server) incidents(c *gin.Context) {
	f, st := s.frame("Incidents", "incidents")
	snap := s.snapshot()
	q := parseIncidentQuery(c.Request.URL.Query())
	b := &incidentsBody{hands: hands{Access: s.access(c.Request), Who: s.whoOf(c.Request), Base: s.base, Now: f.Now}, All: len(snap.Open) + len(snap.Closed)}
	b.Found = q.find(snap, s.src.Acts(), s.base)
	pages := max((len(b.Found.Rows)+incidentsPage-1)/incidentsPage, 1)
	q.Page = min(q.Page, pages)
	b.From, b.To = (q.Page-1)*incidentsPage, min(q.Page*incidentsPage, len(b.Found.Rows))
	for _, inc := range b.Found.Rows[b.From:b.To] {
		if row := s.incidentRow(inc); inc.Open() {
			b.Open = append(b.Open, row)
		} else {
			b.Closed = append(b.Closed, row)
		}
	}
	b.Rows = len(b.Open) + len(b.Closed)
	page := func(p int) string { return q.with(s.base, func(q *incidentQuery) { q.Page = p }) }
	if q.Page > 1 {
		b.Prev = page(q.Page - 1)
	}
	if q.Page < pages {
		b.Next = page(q.Page + 1)
	}
	b.Query, b.Back = q, page(q.Page)
	b.Hidden = hiddenFields(q.values(), "q", "page", "severity", "namespace", "workload")
	if v := q.values(); len(v) > 0 {
		b.Clear = s.base + "/incidents"
	} else {
		b.Loose, b.LooseAll = snap.Loose[:min(len(snap.Loose), pageLen)], len(snap.Loose)
	}
	b.Nobody = len(st.Receivers) == 0
	b.Unsure = unsure(&st, censusOf(s.view(), snap, f.Now), f.Now)
	f.Body, f.JSON = b, s.base+"/api/v1/incidents"
	s.page(c, http.StatusOK, "incidents", f)
}

// bulkMost is how many incidents a form may choose.
const bulkMost = 200

// BulkOf reads a form in which several incidents were chosen, with find as what is known of incidents: an ack of each, or a silence of what each is about. Its errors are of type *act.Error.
func BulkOf(v url.Values, find func(id string) (*alerting.Incident, bool)) ([]*act.Draft, error) {
	ids := slices.Compact(slices.Sorted(slices.Values(v["incident"])))
	switch {
	case len(ids) == 0:
		return nil, &act.Error{Field: "incident", Msg: "choose one at least"}
	case len(ids) > bulkMost:
		return nil, &act.Error{Field: "incident", Msg: fmt.Sprintf("choose %d at most", bulkMost)}
	}
	var out []*act.Draft
	for _, id := range ids {
		inc, ok := find(id)
		if !ok {
			return nil, &act.Error{Field: "incident", Msg: "there is no incident " + alerting.Clean(id, 80)}
		}
		d := &act.Draft{Kind: act.Kind(v.Get("kind")), Who: v.Get("who"), Why: v.Get("why")}
		switch d.Kind {
		case act.Ack:
			d.Incident = id
		case act.Silence:
			scope := inc.Scope
			if len(scope) < 2 { // a whole cluster
				scope = inc.Headline().Entity
			}
			d.Match, d.For = silenceOf(inc, inc.Headline(), scope), v.Get("for")
			if slices.ContainsFunc(out, func(x *act.Draft) bool { return strings.Join(x.Match, "\n") == strings.Join(d.Match, "\n") }) {
				continue
			}
		default:
			return nil, &act.Error{Field: "kind", Msg: "several incidents can be acknowledged or silenced"}
		}
		out = append(out, d)
	}
	return out, nil
}
