// Pods as JSON.

package ui

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

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
