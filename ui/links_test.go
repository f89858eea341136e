package ui

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var linkPattern = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)

// crawl follows every link of every page from start and returns the addresses seen.
func crawl(t *testing.T, h http.Handler, base, start string) map[string]bool {
	t.Helper()
	seen, queue := map[string]bool{start: true}, []string{start}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		w := get(t, h, at)
		if w.Code != http.StatusOK {
			t.Errorf("link to %s = %d", at, w.Code)
			continue
		}
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			continue
		}
		for _, m := range linkPattern.FindAllStringSubmatch(w.Body.String(), -1) {
			to := html.UnescapeString(m[1])
			if to == "" || strings.HasPrefix(to, "#") {
				continue
			}
			if !strings.HasPrefix(to, base+"/") {
				t.Errorf("%s links to %q, outside of %q", at, to, base)
				continue
			}
			// Ranges and filters of one page are alike: two of each are enough.
			kind := regexp.MustCompile(`\d{10,}`).ReplaceAllString(to, "N")
			if !seen[to] && !seen[kind] && len(seen) < 4000 {
				seen[to], seen[kind] = true, true
				queue = append(queue, to)
			}
		}
	}
	return seen
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	f := newFake()
	f.view.Signals = f.view.Signals[:0] // fewer signals, or filters multiply
	g := newFake()
	for _, v := range g.view.Signals {
		if c := v.Signal.Entity.Get("namespace"); c == "batch" || v.Signal.Rule.Pack == "dns" || v.State.Alarm() || v.Signal.Rule.Name == "wl.mem_of_limit" {
			f.view.Signals = append(f.view.Signals, v)
		}
	}
	seen := crawl(t, New(f, Options{}), "", "/")
	for _, want := range []string{"/status", "/receivers", "/incidents/inc_5d1nq8y2jkta", servfailPath, "/api/v1/incidents"} {
		if !seen[want] {
			t.Errorf("no link leads to %s", want)
		}
	}
	if len(seen) < 60 {
		t.Errorf("only %d addresses were found", len(seen))
	}
}

func TestAPathBeforeEveryLink(t *testing.T) {
	f := newFake()
	f.view.Signals = f.view.Signals[:3]
	f.snap.Open, f.snap.Closed, f.snap.Loose, f.status.DeadLetters, f.status.Demo.Inbox = nil, nil, nil, nil, nil
	h := New(f, Options{ExternalURL: "https://ops.example.com/wrackline/"})
	crawl(t, h, "/wrackline", "/wrackline/")
	body(t, h, "/signals", http.StatusOK) // a proxy that takes the prefix off
	if got := body(t, h, "/wrackline", http.StatusOK); !strings.Contains(got, `data-base="/wrackline"`) {
		t.Error("the module does not learn the prefix")
	}
}
