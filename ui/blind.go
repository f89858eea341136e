package ui

// Blind spots: what a signal would not notice, and what the models would make of faults.

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
)

// noticeCache keeps what signals would notice: it takes a tenth of a second of CPU to find out, and changes by the hour.
type noticeCache struct {
	mu   sync.Mutex // held while one is worked out, so that requests cannot take more than a core
	byID map[string]noticed
}

type noticed struct {
	at   int64 // Unix ms of the window it was worked out for
	list []model.Notice
}

const (
	noticeMost  = 256             // signals that are kept
	noticeAgeMs = 10 * 60_000     // in event time
	trialsMost  = 5000            // signals of one self-test
	trialsUsual = 500             //
	trialsTime  = 2 * time.Minute // of one self-test
)

// notices returns what a signal would notice; nil when that is not known yet.
func (s *server) notices(v *baseline.SignalView) []model.Notice {
	c := &s.noticed
	c.mu.Lock()
	defer c.mu.Unlock()
	if x, ok := c.byID[v.Signal.ID]; ok && v.T-x.at < noticeAgeMs && v.T >= x.at {
		return x.list
	}
	sh := s.src.Shadow(v.Signal.ID)
	if sh == nil {
		return nil
	}
	x := noticed{v.T, sh.Detect()}
	if c.byID == nil || len(c.byID) >= noticeMost {
		c.byID = map[string]noticed{}
	}
	c.byID[v.Signal.ID] = x
	return x.list
}

// noticeFacts says what a signal would notice, a fact for each span.
func noticeFacts(list []model.Notice, expected float64, unit string) []fact {
	var out []fact
	for _, n := range list {
		var parts []string
		for _, side := range [2]float64{n.Up, -n.Down} {
			if math.IsNaN(side) {
				continue
			}
			text := signed(side, unit)
			if unit != "ratio" && expected != 0 && !math.IsNaN(expected) && math.Abs(side/expected) < 100 {
				text += fmt.Sprintf(" (%+.2g %%)", 100*side/math.Abs(expected))
			}
			parts = append(parts, text)
		}
		if parts == nil {
			parts = []string{"nothing"}
		}
		f := fact{Name: "Notices within " + alerting.Span(n.WithinMs), Value: strings.Join(parts, " or ")}
		if out == nil {
			f.Note = "or more, lasting; tried on a copy of what was learned"
		}
		out = append(out, f)
	}
	return out
}

type apiNotice struct {
	WithinMs int64 `json:"within_ms"`
	Up       num   `json:"up"`   // in the signal's unit; null = none, however large
	Down     num   `json:"down"` //
}

func apiNotices(list []model.Notice) []apiNotice {
	out := []apiNotice{}
	for _, n := range list {
		out = append(out, apiNotice{n.WithinMs, num(n.Up), num(n.Down)})
	}
	return out
}

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
