// The self-test: what the models would make of faults.

package ui

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/baseline"
)

const (
	trialsMost  = 5000            // signals of one self-test
	trialsUsual = 500             // when the address does not say
	trialsTime  = 2 * time.Minute // of one self-test
)

// apiSelfTest injects faults into copies of models. One runs at a time.
func (s *server) apiSelfTest(c *gin.Context) {
	n, ok := s.intParam(c, "signals", trialsUsual, trialsMost)
	if !ok {
		return
	}
	if !s.testing.TryLock() {
		c.Header("Retry-After", "10")
		s.apiFail(c, http.StatusServiceUnavailable, "a self-test is under way; ask again in a few seconds")
		return
	}
	defer s.testing.Unlock()
	ctx, cancel := context.WithTimeout(c.Request.Context(), trialsTime)
	defer cancel()
	list, of := s.src.Shadows(n)
	began := time.Now()
	rep := baseline.SelfTest(ctx, list, nil)
	type result struct {
		Pack     string `json:"pack"`
		Fault    string `json:"fault"`
		Tried    int    `json:"tried"` // signals to which the fault means something
		Found    int    `json:"found"` // of quiet days: false alarms
		MedianMs int64  `json:"median_ms"`
	}
	type blind struct {
		Signal string   `json:"signal"`
		Faults []string `json:"faults"`
	}
	out := struct {
		Signals int      `json:"signals"` // tried
		Of      int      `json:"of"`      // there are
		Young   int      `json:"young"`   // left out: a day has not been learned yet
		TookMs  int64    `json:"took_ms"`
		Results []result `json:"results"`
		Blind   []blind  `json:"blind"` // most missed first
	}{Signals: rep.Signals, Of: of, Young: rep.Young, TookMs: time.Since(began).Milliseconds(), Results: []result{}, Blind: []blind{}}
	for _, r := range rep.Results {
		out.Results = append(out.Results, result{r.Pack, r.Fault.String(), r.Tried, r.Found, r.MedianMs})
	}
	for _, b := range rep.Blind {
		x := blind{Signal: b.Signal}
		for _, f := range b.Faults {
			x.Faults = append(x.Faults, f.String())
		}
		out.Blind = append(out.Blind, x)
	}
	s.apiOK(c, out)
}
