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
	Now          int64
	Hands        map[string]hands // by incident, of those that are open
}

func (s *server) incidents(c *gin.Context) {
	f, _ := s.frame("Incidents", "incidents")
	snap := s.snapshot()
	f.Body = &incidentsBody{Open: byUrgency(snap.Open), Closed: snap.Closed[:min(len(snap.Closed), closedPage)], ClosedAll: len(snap.Closed), Loose: snap.Loose[:min(len(snap.Loose), pageLen)], Now: f.Now}
	all := map[string]hands{}
	for _, inc := range snap.Open {
		all[inc.ID] = s.handsOf(c.Request, inc, f.Now)
	}
	f.Body.(*incidentsBody).Hands = all
	f.JSON = s.base + "/api/v1/incidents"
	s.page(c, http.StatusOK, "incidents", f)
}
