// One signal as JSON: with its history and what it would notice.

package ui

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// apiPoint is one cell of the history.
type apiPoint struct {
	T        int64  `json:"t"`
	Value    num    `json:"value"`
	Min      num    `json:"min"`
	Max      num    `json:"max"`
	Lower    num    `json:"lower"`
	Expected num    `json:"expected"`
	Upper    num    `json:"upper"`
	State    string `json:"state"`
	Score    num    `json:"score"`
}

func (s *server) apiSignal(c *gin.Context) {
	v := s.view()
	sv, ok := lookup(v, c.Param("id"))
	if !ok {
		s.apiFail(c, http.StatusNotFound, "there is no signal with this id")
		return
	}
	points, ok := s.intParam(c, "points", mainCells, pointsMost)
	if !ok {
		return
	}
	sp := s.askedSpan(c)
	if sp.Problem != "" {
		s.apiFail(c, http.StatusBadRequest, sp.Problem)
		return
	}
	r := sv.Signal.Rule
	out := struct {
		apiSignal
		Meaning string     `json:"meaning,omitempty"`
		Causes  []string   `json:"causes,omitempty"`
		Next    []string   `json:"next,omitempty"`
		Exprs   []string   `json:"exprs"`
		From    int64      `json:"from"`
		To      int64      `json:"to"`
		StepMs  int64      `json:"step_ms"`
		Points  []apiPoint `json:"points"`
		// Notices are the smallest lasting changes that would be noticed within a quarter of an hour, an hour, a day and a week.
		Notices []apiNotice `json:"notices"`
	}{apiSignal: s.apiSignalOf(sv), Notices: apiNotices(s.notices(sv)), Meaning: r.Meaning, Causes: r.Causes, Next: steps(r, asMember(sv), len(r.Next)), Exprs: r.Exprs, From: sp.From, To: sp.To, Points: []apiPoint{}}
	if points > 0 {
		list, step, err := s.history(sv.Signal.ID, sp.From, sp.To, points)
		if err != nil {
			s.apiFail(c, http.StatusInternalServerError, "the history of this signal cannot be read; the log says why")
			return
		}
		out.StepMs = step
		for _, p := range list {
			out.Points = append(out.Points, apiPoint{T: p.T, Value: num(p.Value), Min: num(p.Min), Max: num(p.Max), Lower: num(p.Lower), Expected: num(p.Expected), Upper: num(p.Upper), State: p.State.String(), Score: num(p.Score)})
		}
	}
	s.apiOK(c, out)
}
