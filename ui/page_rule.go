// A rule: what it makes of what arrives.

package ui

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/signal"
)

const groupsMost = 200 // signals of a rule on its page; all are in the JSON

// ruleURL returns the page that explains a rule.
func (s *server) ruleURL(name string) string { return s.base + "/packs/" + url.PathEscape(name) }

type explainCluster struct {
	signal.RuleExplanation
	Shown   []string // the first of Groups
	More    int
	Waiting bool // no window of the cluster has closed yet
}

type explainBody struct {
	Rule     *pack.Rule
	Clusters []explainCluster
	Now      int64
}

func (s *server) explainPage(c *gin.Context) {
	x := s.src.Explain(c.Param("signal"))
	if x.Rule == nil {
		s.fail(c, http.StatusNotFound, "No rule of this name is asked. The status page lists those that are.")
		return
	}
	f, st := s.frame(alerting.Clean(x.Rule.Name, textMax), "status")
	b := &explainBody{Rule: x.Rule, Now: f.Now}
	for _, r := range x.Clusters {
		n := min(len(r.Groups), groupsMost)
		b.Clusters = append(b.Clusters, explainCluster{r, r.Groups[:n], len(r.Groups) - n, slices.ContainsFunc(st.Clusters, func(c Cluster) bool { return c.Name == r.Cluster && c.Waiting() })})
	}
	f.Body, f.JSON = b, s.base+"/api/v1/packs/"+url.PathEscape(x.Rule.Name)
	s.page(c, http.StatusOK, "explain", f)
}
