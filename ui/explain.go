// Explanations: why a pod counts for a workload, and what a rule makes of what arrives.

package ui

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

const (
	podsMost   = 50  // pods of one name that are explained
	groupsMost = 200 // signals of a rule on its page; all are in the JSON
)

// podURL returns the page that explains a member of a signal, "" when it is no pod that is known.
func (s *server) podURL(entity series.Labels, name string) string {
	cluster, ns := entity.Get("cluster"), entity.Get("namespace")
	found := s.src.Pods(cluster, ns, name, 1)
	if len(found) == 0 {
		return ""
	}
	return s.base + "/pods?" + url.Values{"cluster": {cluster}, "namespace": {found[0].Namespace}, "pod": {name}}.Encode()
}

// ruleURL returns the page that explains a rule.
func (s *server) ruleURL(name string) string { return s.base + "/packs/" + url.PathEscape(name) }

type podRow struct {
	signal.PodExplanation
	URL string // its workload's signals; "" when it has none yet
}

type podsBody struct {
	Cluster, Namespace, Pod string
	Found                   []podRow
}

func (s *server) podsPage(c *gin.Context) {
	f, _ := s.frame("Pods", "")
	b := &podsBody{Cluster: c.Query("cluster"), Namespace: c.Query("namespace"), Pod: c.Query("pod")}
	for _, x := range s.src.Pods(b.Cluster, b.Namespace, b.Pod, podsMost) {
		row := podRow{PodExplanation: x}
		if x.Workload != "" && !x.Held {
			row.URL = s.base + "/signals?" + url.Values{"q": {matcher("cluster", x.Cluster) + " " + matcher("namespace", x.Namespace) + " " + matcher("workload", x.Workload)}}.Encode()
		}
		b.Found = append(b.Found, row)
	}
	f.Body = b
	if b.Pod != "" {
		f.JSON = s.base + "/api/v1/pods?" + url.Values{"cluster": {b.Cluster}, "namespace": {b.Namespace}, "pod": {b.Pod}}.Encode()
	}
	s.page(c, http.StatusOK, "pods", f)
}

func (s *server) apiPods(c *gin.Context) {
	type pod struct {
		Cluster   string `json:"cluster"`
		Namespace string `json:"namespace"`
		Pod       string `json:"pod"`
		Workload  string `json:"workload"`
		Kind      string `json:"workload_type"`
		Why       string `json:"why"`
		Sure      bool   `json:"sure"`
		Held      bool   `json:"held"` // takes no part in signals of workloads yet
		OwnerKind string `json:"owner_kind,omitempty"`
		OwnerName string `json:"owner_name,omitempty"`
		Node      string `json:"node,omitempty"`
		Series    int    `json:"series"`
	}
	name := c.Query("pod")
	if name == "" {
		s.apiFail(c, http.StatusBadRequest, "pod is missing; cluster and namespace may be left out")
		return
	}
	out := struct {
		Pods []pod `json:"pods"`
	}{Pods: []pod{}}
	for _, x := range s.src.Pods(c.Query("cluster"), c.Query("namespace"), name, podsMost) {
		out.Pods = append(out.Pods, pod{x.Cluster, x.Namespace, x.Pod, x.Workload, x.Kind, x.Why, x.Sure, x.Held, x.OwnerKind, x.OwnerName, x.Node, x.Series})
	}
	if len(out.Pods) == 0 {
		s.apiFail(c, http.StatusNotFound, "no pod of this name has a series that a rule needs")
		return
	}
	s.apiOK(c, out)
}

type explainCluster struct {
	signal.RuleExplanation
	Shown   []string // the first of Groups
	More    int
	Waiting bool // no window of the cluster has closed yet
}

type explainBody struct {
	Rule     *signal.Rule
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
