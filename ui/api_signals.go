// Signals as JSON: the list, and how each stands.

package ui

import (
	"math"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
)

// apiSignal is a signal as it stands.
type apiSignal struct {
	ID          string            `json:"id"`
	Signal      string            `json:"signal"`
	Pack        string            `json:"pack"`
	Question    string            `json:"question,omitempty"`
	Severity    pack.Severity     `json:"severity"`
	Labels      map[string]string `json:"labels"`
	Unit        string            `json:"unit"`
	T           int64             `json:"t"` // end of the last judged window
	Value       num               `json:"value"`
	Band        apiBand           `json:"band"`
	State       string            `json:"state"`
	Recovering  bool              `json:"recovering,omitempty"` // in alarm, and back inside the band
	Since       int64             `json:"since"`
	Score       num               `json:"score"`         // 1 = alarm
	News        num               `json:"news"`          // the score in an alarm's first window, else 0
	Evidence    num               `json:"evidence_nats"` // 0 when the test does not count in nats
	Why         apiWhy            `json:"why"`
	Test        string            `json:"test"`
	Onset       int64             `json:"onset,omitempty"`
	Maturity    num               `json:"maturity"` // 0–1
	SlopePerDay num               `json:"slope_per_day,omitempty"`
	LimitEtaMs  int64             `json:"limit_eta_ms,omitempty"`
	Seasonal    string            `json:"seasonal"`
	Windows     int64             `json:"windows_learned"`
	Borrowed    int               `json:"borrowed,omitempty"` // similar signals on which the band leans while little has been seen
	Members     int               `json:"members"`
	Expected    int               `json:"members_expected"`
	Top         []apiMember       `json:"top,omitempty"`
	URL         string            `json:"url"`
}

func seasonWord(v model.Season) string {
	switch v {
	case model.Daily:
		return "daily"
	case model.Weekly:
		return "weekly"
	}
	return "none"
}

func (s *server) apiSignalOf(v *baseline.SignalView) apiSignal {
	r := v.Signal.Rule
	return apiSignal{
		ID: v.Signal.ID, Signal: r.Name, Pack: r.Pack, Question: r.Question, Severity: r.Severity, Labels: labelMap(v.Signal.Entity), Unit: r.Unit,
		T: v.T, Value: num(v.Value), Band: apiBandOf(v.Band), State: v.State.String(), Recovering: easingSignal(v), Since: v.Since,
		Score: num(v.Score), Evidence: num(v.Evidence), Why: apiWhyOf(v), Test: v.Test.String(), Onset: v.Onset, Maturity: num(v.Maturity), SlopePerDay: num(v.SlopePerDay),
		LimitEtaMs: v.LimitEta, Seasonal: seasonWord(v.Seasonal), Windows: v.Seen, Borrowed: v.Borrowed, Members: v.Members, Expected: v.Verdict.Expected, Top: apiMembers(v.Top),
		News: newsOf(v), URL: s.signalURL(v.Signal.ID),
	}
}

// newsOf is the score of a window in which an alarm began, else 0: what pages, once.
func newsOf(v *baseline.SignalView) num {
	if v.Transition == model.Opened {
		return num(v.Score)
	}
	return 0
}

func (s *server) apiSignals(c *gin.Context) {
	limit, ok := s.intParam(c, "limit", limitDefault, limitMost)
	if !ok {
		return
	}
	offset, ok := s.intParam(c, "offset", 0, math.MaxInt32)
	if !ok {
		return
	}
	q := parseQuery(c.Request.URL.Query())
	if q.Unknown != "" {
		s.apiFail(c, http.StatusBadRequest, "state must be one of "+strings.Join(states, ", "))
		return
	}
	q.exact = true
	v := s.view()
	rows := q.find(v, s.base).Rows
	total := len(rows)
	rows = rows[min(offset, total):]
	rows = rows[:min(limit, len(rows))]
	out := struct {
		At      int64       `json:"at"` // receive clock of the view
		Total   int         `json:"total"`
		Offset  int         `json:"offset"`
		Signals []apiSignal `json:"signals"`
	}{At: v.AtMs, Total: total, Offset: offset, Signals: []apiSignal{}}
	for _, r := range rows {
		out.Signals = append(out.Signals, s.apiSignalOf(r))
	}
	s.apiOK(c, out)
}
