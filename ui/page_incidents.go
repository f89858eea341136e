// The list of incidents.

package ui

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
)

const closedPage = 100 // ended incidents on the page

type incidentsBody struct {
	Open, Closed []*alerting.Incident
	ClosedAll    int
	Loose        []alerting.Member
	Unsure       string // why that nothing is open says little; "" = it does not
	Now          int64
	Hands        map[string]hands // by incident, of those that are open
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
	f.Body = &incidentsBody{Open: byUrgency(snap.Open), Closed: snap.Closed[:min(len(snap.Closed), closedPage)], ClosedAll: len(snap.Closed), Loose: snap.Loose[:min(len(snap.Loose), pageLen)], Now: f.Now}
	all := map[string]hands{}
	for _, inc := range snap.Open {
		all[inc.ID] = s.handsOf(c.Request, inc, f.Now)
	}
	f.Body.(*incidentsBody).Hands = all
	f.Body.(*incidentsBody).Unsure = unsure(&st, censusOf(s.view(), snap, f.Now), f.Now)
	f.JSON = s.base + "/api/v1/incidents"
	s.page(c, http.StatusOK, "incidents", f)
}
