package ui

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/signal"
)

func TestAPodSaysWhyItCountsWhereItDoes(t *testing.T) {
	h := New(newFake(), Options{})
	const pod = "coredns-5d78c9869d-x7k2p"
	at := "/pods?cluster=prod-eu&amp;namespace=kube-system&amp;pod=" + pod
	for _, page := range []string{servfailPath, dnsPath} {
		if got := body(t, h, page, http.StatusOK); page == servfailPath && !strings.Contains(got, at) {
			t.Errorf("%s has no link to %s", page, at)
		}
	}
	got := body(t, h, strings.ReplaceAll(at, "&amp;", "&"), http.StatusOK)
	for _, want := range []string{`value="` + pod + `"`, "<b>coredns</b>", "template hash", "certain", "ReplicaSet coredns-5d78c9869d", "worker-1", "41", "this page as JSON", "workload%3Dcoredns"} {
		if !strings.Contains(got, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if got := body(t, h, "/pods?pod=nobody", http.StatusOK); !strings.Contains(got, "No pod of this name") {
		t.Error("the page does not say that there is no such pod")
	}
	if got := body(t, h, "/pods", http.StatusOK); strings.Contains(got, "No pod of this name") {
		t.Error("the empty form says that there is no such pod")
	}
	var out struct {
		Data struct {
			Pods []struct {
				Workload, Why string
				Type          string `json:"workload_type"`
				Sure          bool
			}
		}
	}
	if err := json.Unmarshal([]byte(body(t, h, "/api/v1/pods?pod="+pod, http.StatusOK)), &out); err != nil || len(out.Data.Pods) != 1 || out.Data.Pods[0].Workload != "coredns" || out.Data.Pods[0].Type != "deployment" || !out.Data.Pods[0].Sure {
		t.Errorf("%v, %+v", err, out)
	}
	body(t, h, "/api/v1/pods", http.StatusBadRequest)
	body(t, h, "/api/v1/pods?pod=nobody", http.StatusNotFound)
}

func TestARuleSaysWhatItMatches(t *testing.T) {
	h := New(newFake(), Options{})
	if got := body(t, h, "/status", http.StatusOK); !strings.Contains(got, `href="/packs/dns.servfail_ratio"`) || !strings.Contains(got, `href="/pods"`) {
		t.Error("the status page does not link to explanations")
	}
	got := body(t, h, "/packs/dns.servfail_ratio", http.StatusOK)
	for _, want := range []string{"Are cluster DNS lookups failing?", "x_total{rcode=&#34;SERVFAIL&#34;}", "<td class=\"n\">11</td>", servfailPath} {
		if !strings.Contains(got, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if got := body(t, h, "/packs/dns.cache_hit_ratio", http.StatusOK); !strings.Contains(got, "dormant") || !strings.Contains(got, "coredns_cache_hits_total") {
		t.Error("a dormant rule does not say which metrics are missing")
	}
	body(t, h, "/packs/no.such", http.StatusNotFound)
	body(t, h, "/api/v1/packs/no.such", http.StatusNotFound)
	var out struct {
		Data struct {
			Clusters []struct {
				Selectors []struct {
					Active int `json:"series_active"`
				}
				Signals []string
			}
		}
	}
	if err := json.Unmarshal([]byte(body(t, h, "/api/v1/packs/dns.servfail_ratio", http.StatusOK)), &out); err != nil || len(out.Data.Clusters) != 1 ||
		len(out.Data.Clusters[0].Signals) != 1 || out.Data.Clusters[0].Selectors[0].Active != 11 {
		t.Errorf("%v, %+v", err, out)
	}
}

// hostilePods calls everything what its field is.
type hostilePods struct {
	*fake
	text string
}

func (f hostilePods) Pods(string, string, string, int) []signal.PodExplanation {
	return []signal.PodExplanation{{Cluster: f.text, Namespace: f.text, Pod: f.text, Workload: f.text, Kind: f.text, Why: f.text, OwnerKind: f.text, OwnerName: f.text, Node: f.text}}
}

func (f hostilePods) Explain(string) signal.Explanation {
	return signal.Explanation{Rule: &signal.Rule{Name: "a.b", Pack: "a", Exprs: []string{f.text}}, Clusters: []signal.RuleExplanation{{Cluster: f.text, Expr: f.text, Missing: []string{f.text},
		Groups: []string{"a.b~cluster=" + f.text}, Leaves: []signal.LeafExplanation{{Metric: f.text, Selector: f.text}}}}}
}

func TestHostileNamesInExplanationsAreText(t *testing.T) {
	for _, p := range payloads {
		h := New(hostilePods{newFake(), p}, Options{})
		for _, path := range []string{"/pods?" + url.Values{"cluster": {p}, "namespace": {p}, "pod": {p}}.Encode(), "/packs/a.b", servfailPath} {
			for _, x := range tags(t, body(t, h, path, http.StatusOK)) {
				for name, v := range x.attrs {
					if strings.HasPrefix(name, "on") || name == "href" && !strings.HasPrefix(v, "/") && !strings.HasPrefix(v, "#") {
						t.Errorf("%s with %.40q: %s has %s=%.60q", path, p, x.name, name, v)
					}
				}
			}
		}
	}
}
