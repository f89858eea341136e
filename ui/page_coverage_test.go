package ui

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
)

// TestCoverage: what is asked and what is missing stand on the page, in the JSON and in the table, and the overview's score leads there.
func TestCoverage(t *testing.T) {
	f := newFake()
	h := New(f, Options{})
	page := body(t, h, "/coverage", http.StatusOK)
	for _, want := range []string{"prod-eu", "14 of 16 questions, 88 %", "node-exporter is scraped, and these of its metrics do not arrive", "node_pressure_cpu_waiting_seconds_total", "Is the cache decaying?", "k8s.af"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if page := body(t, h, "/", http.StatusOK); !strings.Contains(page, `href="/coverage?cluster=prod-eu">88 %`) {
		t.Error("the overview's score is no link")
	}
	var out struct {
		Data struct {
			Clusters []apiCoverage `json:"clusters"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(body(t, h, "/api/v1/coverage?cluster=prod-eu", http.StatusOK)), &out); err != nil {
		t.Fatal(err)
	}
	c := out.Data.Clusters[0]
	if c.Asked != 14 || c.Missing != 2 || len(c.Gaps) != 2 || c.Gaps[1].Software != "CoreDNS" || c.Gaps[1].Reason != "dropped" || c.Gaps[1].Signals[0] != "dns.cache_hit_ratio" || !strings.Contains(c.Gaps[1].Lines, "coredns_cache_hits_total|coredns_cache_requests_total") {
		t.Errorf("%+v", c)
	}
	table := body(t, h, "/api/v1/coverage?output=table", http.StatusOK)
	for _, want := range []string{"prod-eu: 14 of 16 questions, 88 %", "AREA", "1. node-exporter is scraped", "2. CoreDNS is scraped", "dropped by Grafana k8s-monitoring or AKS minimal as it comes", "   - Is the cache decaying?", "coredns_cache_hits_total|coredns_cache_requests_total"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
	body(t, h, "/coverage?cluster=other", http.StatusNotFound)
	body(t, h, "/api/v1/coverage?cluster=other", http.StatusNotFound)
	body(t, h, "/api/v1/coverage?output=xml", http.StatusBadRequest)
	empty := New(&fake{}, Options{})
	if page := body(t, empty, "/coverage", http.StatusOK); !strings.Contains(page, "Nothing has arrived yet") {
		t.Error("an empty page says nothing")
	}
}

// TestCoverageOfOthers: what other clusters' incidents had is what a cluster lacks most; its own are none.
func TestCoverageOfOthers(t *testing.T) {
	f := newFake()
	st := f.status
	hit := st.Rules[len(st.Rules)-2].Rule
	snap := &alerting.Snapshot{Closed: []*alerting.Incident{{Cluster: "prod-us", Members: []alerting.Member{{Rule: hit}, {Rule: hit}}}, {Cluster: "prod-eu", Members: []alerting.Member{{Rule: hit}}}}}
	g := coverageOf(&st, f.view, snap, "")[0].Gaps[0]
	if g.Software != "CoreDNS" || g.Caught != 1 {
		t.Errorf("%s, caught %d", g.Software, g.Caught)
	}
}
