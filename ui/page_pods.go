// Pods: into which workload each was folded, and why.

package ui

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/series"
)

const podsMost = 50 // pods of one name that are explained

// podURL returns the page that explains a member of a signal, "" when it is no pod that is known.
func (s *server) podURL(entity series.Labels, name string) string {
	cluster, ns := entity.Get("cluster"), entity.Get("namespace")
	found := s.src.Pods(cluster, ns, name, 1)
	if len(found) == 0 {
		return ""
	}
	return s.base + "/pods?" + url.Values{"cluster": {cluster}, "namespace": {found[0].Namespace}, "pod": {name}}.Encode()
}

type podRow struct {
	identity.PodExplanation
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
