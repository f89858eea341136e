package ui

import (
	"html"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/signal"
)

func TestAYoungSignalFillsItsChart(t *testing.T) {
	f := newFake()
	f.short = true // one hour
	h := New(f, Options{})
	says(t, "the signal", body(t, h, servfailPath, http.StatusOK), []string{"all so far", "2026-03-02 13:20:00 UTC – 2026-03-02 14:21:00 UTC"}, nil)
	says(t, "an asked range", body(t, h, servfailPath+"?range=6h", http.StatusOK), []string{"2026-03-02 08:21:00 UTC – "}, nil)
	says(t, "an old signal", body(t, New(newFake(), Options{}), servfailPath, http.StatusOK), []string{"2026-03-02 08:21:00 UTC – "}, []string{"all so far"})
	was := f.curve["dns.servfail_ratio~cluster=prod-eu"]
	f.cache = nil
	f.curve["dns.servfail_ratio~cluster=prod-eu"] = func(t int64) Point {
		p := was(t)
		if t < fakeNow-4*fakeMinute {
			p.Value = nan
		}
		return p
	}
	says(t, "four minutes", body(t, h, servfailPath, http.StatusOK), []string{"2026-03-02 14:06:00 UTC – 2026-03-02 14:21:00 UTC"}, nil)
}

// TestAYoungSignalSaysWhomItLeansOn: a band that is partly borrowed says so to people and to programs, one that is learned does not.
func TestAYoungSignalSaysWhomItLeansOn(t *testing.T) {
	f := newFake()
	h := New(f, Options{})
	young, old := 0, 0
	for i := range f.view.Signals {
		id := f.view.Signals[i].Signal.ID
		page := html.UnescapeString(body(t, h, "/signals/"+id, http.StatusOK))
		api := body(t, h, "/api/v1/signals/"+id, http.StatusOK)
		if f.view.Signals[i].Borrowed > 0 {
			young++
			for _, want := range []string{"it has 12 % of what it wants to see, and borrowed from 23 similar signals.", "Borrowed from", "23 similar signals", "240 windows"} {
				if !strings.Contains(page, want) {
					t.Errorf("%s does not say %q", id, want)
				}
			}
			if !strings.Contains(api, `"borrowed":23`) {
				t.Errorf("%s: %s", id, api)
			}
			continue
		}
		old++
		if strings.Contains(page, "similar signals") || strings.Contains(api, `"borrowed"`) {
			t.Errorf("%s leans on nobody and says it does", id)
		}
	}
	if young != 1 || old < 30 {
		t.Errorf("%d young signals, %d others", young, old)
	}
}

func TestSeriesOfOnePodAreOneLine(t *testing.T) {
	got := topOf([]signal.Member{{Name: "a", Value: 3}, {Name: "a", Value: 2}, {Name: "b", Value: 1}})
	if !slices.Equal(got, []signal.Member{{Name: "a", Value: 3}, {Name: "b", Value: 1}}) {
		t.Errorf("topOf = %v", got)
	}
}
