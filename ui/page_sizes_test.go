package ui

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline"
)

const cartSizes = "/sizes/workload?cluster=prod-eu&namespace=shop&workload=cart"

func TestSizesPage(t *testing.T) {
	h := New(newFake(), Options{})
	page := body(t, h, "/sizes", http.StatusOK)
	for _, want := range []string{"4 containers", "changes would free", "shop / cart / app", "→ <b>", "not yet: ", "was killed for its memory 3 times", "output=yaml-patch", "1 container at risk"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q on the page", want)
		}
	}
	if cart, search := strings.Index(page, "shop / cart / app"), strings.Index(page, "shop / search / app"); cart > search {
		t.Error("what wastes less stands before what wastes more")
	}
	risky := body(t, h, "/sizes?sort=risk", http.StatusOK)
	if cart, search := strings.Index(risky, "shop / cart / app"), strings.Index(risky, "shop / search / app"); cart < search {
		t.Error("what is in danger does not come first")
	}
	if narrow := body(t, h, "/sizes?q=SEARCH", http.StatusOK); strings.Contains(narrow, "shop / cart") || !strings.Contains(narrow, "shop / search") {
		t.Error("the filter does not filter")
	}
	nothing := newFake()
	nothing.view.Sizes = nil
	if empty := body(t, New(nothing, Options{}), "/sizes", http.StatusOK); !strings.Contains(empty, "Nothing is known of sizes yet") {
		t.Error("an empty page says nothing")
	}
}

func TestSizesOfAWorkload(t *testing.T) {
	h := New(newFake(), Options{})
	page := body(t, h, cartSizes, http.StatusOK)
	for _, want := range []string{"Container app", "Container istio-proxy", "CPU of a pod over a week", "request 1.0 cores", "this is a sidecar", "start-up", "confidence high"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q on the page", want)
		}
	}
	body(t, h, "/sizes/workload?namespace=shop&workload=nobody", http.StatusNotFound)
	body(t, h, "/sizes/workload", http.StatusNotFound)
}

func TestSizesForPrograms(t *testing.T) {
	h := New(newFake(), Options{})
	var a struct {
		Data struct {
			Total, Changes int
			AtRisk         int `json:"at_risk"`
			NotYet         int `json:"not_yet"`
			Containers     []struct {
				Workload, Container, Missing, Confidence string
				Advised                                  *struct {
					Requests struct {
						CPU    *float64 `json:"cpu_cores"`
						Memory *float64 `json:"memory_bytes"`
					}
				}
				Why, Risks []string
			}
		}
	}
	if err := json.Unmarshal([]byte(body(t, h, "/api/v1/sizes?namespace=shop", http.StatusOK)), &a); err != nil {
		t.Fatal(err)
	}
	if a.Data.Total != 4 || a.Data.NotYet != 1 || a.Data.AtRisk != 1 || a.Data.Changes != 3 {
		t.Errorf("%+v", a.Data)
	}
	for _, c := range a.Data.Containers {
		if (c.Advised == nil) != (c.Missing != "") || c.Missing == "" && len(c.Why) == 0 {
			t.Errorf("%+v", c)
		}
	}
	if patch := body(t, h, "/api/v1/sizes?output=yaml-patch", http.StatusOK); strings.Count(patch, "kind: Deployment") != 2 || !strings.Contains(patch, "a webhook adds it") {
		t.Errorf("%s", patch)
	}
	if table := body(t, h, "/api/v1/sizes?output=table&workload=cart", http.StatusOK); !strings.Contains(table, "shop/cart/app") || strings.Contains(table, "search") {
		t.Errorf("%s", table)
	}
	if rows := body(t, h, "/api/v1/sizes?output=csv", http.StatusOK); strings.Count(rows, "\n") != 5 {
		t.Errorf("%s", rows)
	}
	body(t, h, "/api/v1/sizes?output=xml", http.StatusBadRequest)
}

func TestSizesLine(t *testing.T) {
	if line := SizesLine(newFake().view); !strings.HasPrefix(line, "Sizes: ") || !strings.Contains(line, "free by 3 changes") || !strings.Contains(line, "1 container at risk") {
		t.Errorf("%q", line)
	}
	if line := SizesLine(&baseline.View{}) + SizesLine(nil); line != "" {
		t.Errorf("of nothing: %q", line)
	}
}

// sizesOf is the address of the first container's workload.
func sizesOf(f *fake) string {
	if len(f.view.Sizes) == 0 {
		return "/sizes"
	}
	c := &f.view.Sizes[0].Containers[0]
	return "/sizes/workload?" + url.Values{"cluster": {f.view.Sizes[0].Cluster}, "namespace": {c.Namespace}, "workload": {c.Workload}}.Encode()
}
