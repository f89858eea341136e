// Changes as JSON.

package ui

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/baseline/change"
)

// apiChange is a change as programs see it.
type apiChange struct {
	T         int64             `json:"t"` // when it first showed
	Kind      change.Kind       `json:"kind"`
	Cluster   string            `json:"cluster"`
	Labels    map[string]string `json:"labels"` // of what it is about; empty = the whole cluster
	Object    string            `json:"object"`
	From      string            `json:"from,omitempty"`
	To        string            `json:"to,omitempty"`
	Text      string            `json:"text"`
	Workloads []string          `json:"workloads,omitempty"` // with pods on the node, as namespace/name
	Nearness  string            `json:"nearness,omitempty"`  // to an incident
}

func apiChangeOf(c *change.Change) apiChange {
	return apiChange{T: c.T, Kind: c.Kind, Cluster: c.Cluster, Labels: labelMap(c.Entity), Object: c.Object, From: c.From, To: c.To, Text: c.Text(), Workloads: c.Works}
}

func (s *server) apiChanges(c *gin.Context) {
	limit, ok := s.intParam(c, "limit", limitDefault, limitMost)
	if !ok {
		return
	}
	q := parseChangeQuery(c.Request.URL.Query())
	if q.Problem != "" {
		s.apiFail(c, http.StatusBadRequest, q.Problem)
		return
	}
	v := s.view()
	rows := q.find(v.Changes, s.base).Rows
	out := struct {
		At      int64       `json:"at"` // receive clock of the view
		Total   int         `json:"total"`
		Changes []apiChange `json:"changes"` // newest first
	}{At: v.AtMs, Total: len(rows), Changes: []apiChange{}}
	for _, x := range rows[:min(limit, len(rows))] {
		out.Changes = append(out.Changes, apiChangeOf(x))
	}
	s.apiOK(c, out)
}
