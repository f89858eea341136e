package ui

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestChangesForPrograms(t *testing.T) {
	h := New(newFake(), Options{})
	ask := func(query string) (total int, list []apiChange) {
		t.Helper()
		var a struct {
			Data struct {
				Total   int
				Changes []apiChange
			}
		}
		decode(t, h, "/api/v1/changes"+query, http.StatusOK, &a)
		return a.Data.Total, a.Data.Changes
	}
	onset := fakeOnset
	for _, c := range []struct {
		query string
		total int
		first string
	}{
		{"", 5, "deployment kube-system/coredns"},
		{"?cluster=staging", 1, "deployment shop/cart"},
		{"?namespace=shop", 2, "deployment shop/cart"},
		{"?kind=rbac", 1, "clusterrolebinding coredns"},
		{"?limit=1", 5, "deployment kube-system/coredns"},
		{fmt.Sprintf("?to=%d", onset-3*fakeMinute), 4, "deployment shop/cart"},
		{fmt.Sprintf("?from=%d&cluster=prod-eu", onset-3*fakeMinute), 1, "deployment kube-system/coredns"},
		{"?cluster=none", 0, ""},
	} {
		total, list := ask(c.query)
		first := ""
		if len(list) > 0 {
			first = list[0].Object
		}
		if total != c.total || first != c.first || strings.Contains(c.query, "limit=1") && len(list) != 1 {
			t.Errorf("%s: %d changes, first %q; want %d, %q", c.query, total, first, c.total, c.first)
		}
	}
	if _, list := ask("?kind=rollout&cluster=prod-eu"); list[0].Text != "rollout of deployment kube-system/coredns: coredns:1.14.0 → coredns:1.14.1" || list[0].Labels["workload"] != "coredns" || list[0].T != onset-3*fakeMinute {
		t.Errorf("%+v", list[0])
	}
	var inc struct{ Data apiIncident }
	decode(t, h, "/api/v1"+dnsPath, http.StatusOK, &inc)
	if len(inc.Data.Changes) != 2 || inc.Data.Changes[0].Nearness != "same place" {
		t.Errorf("changes of the incident: %+v", inc.Data.Changes)
	}
}
