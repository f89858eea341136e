package ui

import (
	"net/http"
	"strings"
	"testing"
)

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
	decode(t, h, "/api/v1/packs/dns.servfail_ratio", http.StatusOK, &out)
	if len(out.Data.Clusters) != 1 || len(out.Data.Clusters[0].Signals) != 1 || out.Data.Clusters[0].Selectors[0].Active != 11 {
		t.Errorf("%+v", out)
	}
}
