package ui

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/series"
)

// Pages say of what an incident is part, where most of it is and what changed later; of what has none of that they say nothing.
func TestPagesSayWhatIsAroundAnIncident(t *testing.T) {
	f := newFake()
	h := New(f, Options{})
	words := []string{"Most of it", "38 of 41 on node w3", "Part of", "Later, explaining only"}
	for _, w := range words {
		if strings.Contains(body(t, h, dnsPath, http.StatusOK), w) {
			t.Errorf("says %q of an incident that has none", w)
		}
	}
	dns, other := f.snap.Open[1], f.snap.Open[0]
	dns.PartOf, dns.Common = other.ID, alerting.Common{Label: series.Label{Name: "node", Value: "w3"}, N: 38, Of: 41}
	dns.Beside = dns.Changes[:1]
	page := body(t, h, dnsPath, http.StatusOK)
	says(t, "the incident", page, append(words, "which explains it"), nil)
	says(t, "its parent", body(t, h, "/incidents/"+other.ID, http.StatusOK), []string{"Part of this", dns.ID}, nil)
	for _, path := range []string{"/", "/incidents"} {
		says(t, path, body(t, h, path, http.StatusOK), []string{"38 of 41 on node w3", "another incident", "/incidents/" + other.ID}, nil)
	}
	says(t, "the API", body(t, h, "/api/v1"+dnsPath, http.StatusOK), []string{`"part_of":"` + other.ID, `"common":{"name":"node","value":"w3","members":38,"of":41`, `"changes_beside":[`}, nil)
}
