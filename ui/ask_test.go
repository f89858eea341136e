package ui

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const (
	servfailPath = "/signals/dns.servfail_ratio~cluster=prod-eu"
	dnsPath      = "/incidents/inc_7h2k9qv4m1xz"
)

// allPaths are one address of each kind.
var allPaths = []string{"/", "/signals", "/signals?state=abnormal&sort=entity&desc=1", servfailPath, servfailPath + "?range=1d", "/incidents", dnsPath, "/incidents/inc_5d1nq8y2jkta", "/receivers", "/status", "/rights", "/coverage", "/coverage?cluster=prod-eu", "/sizes", "/sizes?sort=risk&namespace=shop", cartSizes,
	"/pods", "/pods?cluster=prod-eu&namespace=kube-system&pod=coredns-5d78c9869d-x7k2p", "/packs/dns.servfail_ratio", "/api/v1/packs/dns.servfail_ratio", "/api/v1/pods?pod=coredns-5d78c9869d-x7k2p",
	"/changes", "/changes?kind=rollout&namespace=shop", "/api/v1/changes", "/api/v1/rights", "/api/v1/sizes",
	"/chart/dns.servfail_ratio~cluster=prod-eu.svg", "/static/app.css", "/static/app.js", "/static/icon.svg", "/-/healthy", "/-/ready",
	"/api/v1/signals", "/api/v1/signals/dns.servfail_ratio~cluster=prod-eu", "/api/v1/incidents", "/api/v1/incidents/inc_7h2k9qv4m1xz", "/api/v1/packs", "/api/v1/status", "/api/v1/status/senders"}

// get asks the handler for one address.
func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func body(t *testing.T, h http.Handler, path string, code int) string {
	t.Helper()
	w := get(t, h, path)
	if w.Code != code {
		t.Fatalf("GET %s = %d, want %d: %.300s", path, w.Code, code, w.Body)
	}
	return w.Body.String()
}

// decode reads an answer into a value.
func decode(t *testing.T, h http.Handler, path string, code int, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body(t, h, path, code)), into); err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
}

// says fails for each text that a page lacks, and for each that it must not have.
func says(t *testing.T, page, got string, wants, nots []string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("%s does not say %q", page, want)
		}
	}
	for _, not := range nots {
		if strings.Contains(got, not) {
			t.Errorf("%s says %q", page, not)
		}
	}
}
