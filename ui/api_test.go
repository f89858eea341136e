package ui

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/model"
)

func TestTheAPIGivesNumbersWithUnitsAndNullForNothing(t *testing.T) {
	f := newFake()
	for i := range f.view.Signals {
		if f.view.Signals[i].State == model.Absent {
			f.view.Signals[i].Band = model.Band{Lower: nan, Expected: nan, Upper: nan}
		}
	}
	h := New(f, Options{})
	var list struct {
		Status string
		Data   struct {
			Total   int
			Signals []map[string]any
		}
	}
	decode(t, h, "/api/v1/signals?state=abnormal&limit=3&offset=3", http.StatusOK, &list)
	if list.Status != "success" || list.Data.Total != 6 || len(list.Data.Signals) != 3 {
		t.Fatalf("status %s, total %d, %d signals", list.Status, list.Data.Total, len(list.Data.Signals))
	}
	for _, s := range list.Data.Signals {
		if s["unit"] == "" || s["id"] == "" || s["since"].(float64) < 1e12 {
			t.Errorf("signal without unit, id or time in milliseconds: %v", s)
		}
		if s["state"] == "absent" {
			t.Error("silence is called abnormal")
		}
	}
	decode(t, h, "/api/v1/signals?state=absent", http.StatusOK, &list)
	if list.Data.Total != 1 {
		t.Fatalf("%d absent", list.Data.Total)
	}
	for _, s := range list.Data.Signals {
		if s["state"] != "absent" || (s["value"] != nil || s["band"].(map[string]any)["upper"] != nil) {
			t.Errorf("absent value = %v, band %v, want null", s["value"], s["band"])
		}
	}
	var one struct {
		Data struct {
			Unit   string
			StepMs int64 `json:"step_ms"`
			Points []apiPoint
			Next   []string
		}
	}
	decode(t, h, "/api/v1"+servfailPath+"?range=1h&points=30", http.StatusOK, &one)
	if d := one.Data; d.Unit != "ratio" || len(d.Points) < 15 || len(d.Points) > 31 || d.StepMs < fakeMinute || d.Points[len(d.Points)-1].State != "high" || d.Points[0].T > d.Points[1].T || len(d.Next) != 3 {
		t.Errorf("unit %s, %d points of %d ms", d.Unit, len(d.Points), d.StepMs)
	}
	var inc struct {
		Data struct {
			Open       bool
			FirstMover string `json:"first_mover"`
			Members    []struct {
				Unit     string
				Sentence string
				Worst    *float64
			}
			Timeline []apiEvent
		}
	}
	decode(t, h, "/api/v1"+dnsPath, http.StatusOK, &inc)
	if d := inc.Data; !d.Open || d.FirstMover != "dns.latency_p99~cluster=prod-eu" || len(d.Members) != 3 || d.Members[1].Unit != "ratio" || len(d.Timeline) != 6 {
		t.Errorf("incident = %+v", d)
	}
	for _, part := range []string{"build", "senders", "clusters", "limits", "counters", "journal", "store", "receivers", "problems", "noise", "config"} {
		body(t, h, "/api/v1/status/"+part, http.StatusOK)
	}
	if strings.Contains(body(t, h, "/api/v1/status", http.StatusOK), "api_url") {
		t.Error("the whole status holds the configuration")
	}
}
