// Packs and their rules as JSON.

package ui

import (
	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/baseline/pack"
)

func (s *server) apiPacks(c *gin.Context) {
	type rule struct {
		Signal   string        `json:"signal"`
		Question string        `json:"question,omitempty"`
		Unit     string        `json:"unit"`
		Severity pack.Severity `json:"severity"`
		Cluster  string        `json:"cluster"`
		Dormant  bool          `json:"dormant"`
		Missing  []string      `json:"missing,omitempty"` // metric names
		Expr     string        `json:"expr,omitempty"`    // the form in use
		Form     int           `json:"form"`              // its number, −1 = dormant
		Series   int           `json:"series"`
		Signals  int           `json:"signals"`
	}
	type pack struct {
		Name   string `json:"name"`
		Title  string `json:"title"`
		Active int    `json:"active"`
		Rules  []rule `json:"rules"`
	}
	out := struct {
		Packs []pack `json:"packs"`
	}{Packs: []pack{}}
	st := s.src.Status()
	for _, p := range packsOf(&st) {
		a := pack{Name: p.Name, Title: p.Title, Active: p.Active, Rules: []rule{}}
		for _, r := range p.Signals {
			x := rule{Cluster: r.Cluster, Dormant: r.Dormant(), Missing: r.Missing, Form: r.Form, Series: r.Series, Signals: r.Signals}
			if r.Rule != nil {
				x.Signal, x.Question, x.Unit, x.Severity = r.Rule.Name, r.Rule.Question, r.Rule.Unit, r.Rule.Severity
				if r.Form >= 0 && r.Form < len(r.Rule.Exprs) {
					x.Expr = r.Rule.Exprs[r.Form]
				}
			}
			a.Rules = append(a.Rules, x)
		}
		out.Packs = append(out.Packs, a)
	}
	s.apiOK(c, out)
}
