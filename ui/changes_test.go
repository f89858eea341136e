package ui

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/change"
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

// TestARolloutIsOneRow: that it was late, and that it ended, stands in its row; of one that is not listed it stands alone, and so does another object's.
func TestARolloutIsOneRow(t *testing.T) {
	f := newFake()
	at := func(min int64) int64 { return fakeNow - 600*fakeMinute + min*fakeMinute }
	c := func(min int64, kind change.Kind, object, to string) change.Change {
		return change.Change{T: at(min), Kind: kind, Cluster: "prod-eu", Object: object, To: to}
	}
	s := &server{src: f}
	list := []change.Change{c(1, change.Rolled, "deployment a/old", "after 9 min"), c(2, change.Rollout, "deployment a/cart", "v1"), c(5, change.Rolled, "deployment a/cart", "after 3 min"),
		c(20, change.Rollout, "deployment a/cart", "v2"), c(30, change.Stuck, "deployment a/cart", "10 min"), c(31, change.Scale, "deployment a/cart", "3"), c(40, change.Rolled, "deployment a/cart", "after 20 min"), c(41, change.Rolled, "deployment b/cart", "after 1 min")}
	var newest []*change.Change
	for i := len(list) - 1; i >= 0; i-- {
		newest = append(newest, &list[i])
	}
	got := ""
	for _, r := range s.changeRows(newest) {
		got += string(r.Kind) + " " + r.To
		for _, e := range r.Ends {
			got += " [" + string(e.Kind) + " " + e.To + "]"
		}
		got += "\n"
	}
	if want := "rolled after 1 min\nscale 3\nrollout v2 [stuck 10 min] [rolled after 20 min]\nrollout v1 [rolled after 3 min]\nrolled after 9 min\n"; got != want {
		t.Errorf("%s", got)
	}
}
