// A rule as JSON.

package ui

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

func (s *server) apiExplain(c *gin.Context) {
	type leaf struct {
		Metric   string `json:"metric"`
		Selector string `json:"selector"`
		Series   int    `json:"series"`        // that match
		Active   int    `json:"series_active"` // of these, taking part: not held back for their owner
		Live     int    `json:"series_live"`   // of these, alive
		LastT    int64  `json:"newest_sample"` // 0 = never
	}
	type cluster struct {
		Cluster string   `json:"cluster"`
		Form    int      `json:"form"` // −1 = dormant
		Expr    string   `json:"expr,omitempty"`
		Missing []string `json:"missing,omitempty"`
		Leaves  []leaf   `json:"selectors"`
		Groups  []string `json:"signals"` // ids
	}
	x := s.src.Explain(c.Param("signal"))
	if x.Rule == nil {
		s.apiFail(c, http.StatusNotFound, "no rule of this name is asked")
		return
	}
	out := struct {
		Signal   string    `json:"signal"`
		Pack     string    `json:"pack"`
		Question string    `json:"question,omitempty"`
		Unit     string    `json:"unit"`
		Exprs    []string  `json:"exprs"`
		Clusters []cluster `json:"clusters"`
	}{x.Rule.Name, x.Rule.Pack, x.Rule.Question, x.Rule.Unit, x.Rule.Exprs, []cluster{}}
	for _, r := range x.Clusters {
		a := cluster{Cluster: r.Cluster, Form: r.Form, Expr: r.Expr, Missing: r.Missing, Leaves: []leaf{}, Groups: r.Groups}
		if a.Groups == nil {
			a.Groups = []string{}
		}
		for _, l := range r.Leaves {
			a.Leaves = append(a.Leaves, leaf{l.Metric, l.Selector, l.Series, l.Active, l.Live, l.LastT})
		}
		out.Clusters = append(out.Clusters, a)
	}
	s.apiOK(c, out)
}
