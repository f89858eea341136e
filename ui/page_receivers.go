// Receivers: who is told, what was said, and what could not be delivered.

package ui

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
)

const (
	receiversInbox = 50
	demoReceiver   = "demo" // the demo's own webhook
)

type receiversBody struct {
	Receivers   []Receiver
	Dead        []DeadLetter
	Demo        *Demo
	Inbox       []InboxMessage
	Budget      noise
	Chance      []string // how false alarms stand against their budget
	Now         int64
	Announced   []*alerting.Incident
	NoReceivers bool
}

func (s *server) receivers(c *gin.Context) {
	f, st := s.frame("Receivers", "receivers")
	b := &receiversBody{Receivers: st.Receivers, Dead: st.DeadLetters[:min(len(st.DeadLetters), pageLen)], Demo: st.Demo, Budget: noiseOf(&st, f.Now), Chance: chanceLines(st.Budget), Now: f.Now, NoReceivers: len(st.Receivers) == 0}
	if len(b.Chance) > 0 && !quietDay(s.snapshot(), f.Now) {
		b.Chance = []string{"How many false alarms chance raises is not said while an incident is open and for a day after it: what real trouble moves looks like near misses of chance."}
	}
	if st.Demo != nil {
		b.Receivers = slices.Clone(b.Receivers)
		for i := range b.Receivers {
			if b.Receivers[i].Name == demoReceiver {
				b.Receivers[i].Test = "" // it is in no configuration file that a command could read
			}
		}
		b.Inbox = st.Demo.Inbox[:min(len(st.Demo.Inbox), receiversInbox)]
	}
	f.Body, f.JSON = b, s.base+"/api/v1/status/receivers"
	s.page(c, http.StatusOK, "receivers", f)
}
