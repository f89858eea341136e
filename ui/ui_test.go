package ui

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestStartingIsShownAndNotReady(t *testing.T) {
	f := newFake()
	f.ready = "folding the journal, 43 % done"
	h := New(f, Options{})
	w := get(t, h, "/-/ready")
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "43 %") || w.Header().Get("Retry-After") == "" {
		t.Errorf("/-/ready = %d %q", w.Code, w.Body)
	}
	if body(t, h, "/-/healthy", http.StatusOK) == "" {
		t.Error("/-/healthy says nothing")
	}
	if !strings.Contains(body(t, h, "/", http.StatusOK), "folding the journal, 43 % done") {
		t.Error("the overview does not say that it starts")
	}
}

func TestEveryAnswerCarriesThePolicy(t *testing.T) {
	h := New(newFake(), Options{})
	for _, p := range append(slices.Clone(allPaths), "/nope", "/api/v1/nope", "/signals/nope", "/incidents/nope", "/chart/nope.svg", "/static/nope") {
		w := get(t, h, p)
		for name, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s = %q, want %q", p, name, got, want)
			}
		}
		if w.Header().Get("Content-Type") == "" {
			t.Errorf("%s has no Content-Type", p)
		}
	}
	for _, want := range []string{"default-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s", want)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Error("the policy allows something unsafe")
	}
}

// TestPagesObeyTheirOwnPolicy finds in the source what the policy would block in a browser.
func TestPagesObeyTheirOwnPolicy(t *testing.T) {
	h := New(newFake(), Options{Demo: true})
	for _, p := range allPaths {
		w := get(t, h, p)
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			continue
		}
		for _, tag := range tags(t, w.Body.String()) {
			for name := range tag.attrs {
				if name == "style" || strings.HasPrefix(name, "on") {
					t.Errorf("%s: <%s %s=…>", p, tag.name, name)
				}
			}
			if tag.name == "style" || tag.name == "script" && tag.attrs["src"] == "" && tag.attrs["type"] != "application/json" {
				t.Errorf("%s has an inline <%s>", p, tag.name)
			}
		}
	}
	js, err := os.ReadFile("web/app.js")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(js), "\n"); n >= 400 || !strings.HasPrefix(string(js), "// @ts-check") {
		t.Errorf("app.js has %d lines", n)
	}
	for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "http://www.google", ".style."} {
		if strings.Contains(string(js), bad) {
			t.Errorf("app.js uses %s", bad)
		}
	}
}

func TestNothingCanBeChanged(t *testing.T) {
	h := New(newFake(), Options{})
	for _, p := range allPaths {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, p, strings.NewReader("x")))
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s = %d, Allow %q", method, p, w.Code, w.Header().Get("Allow"))
			}
		}
	}
}

func TestHeadAnswersAsGetWithoutABody(t *testing.T) {
	srv := httptest.NewServer(New(newFake(), Options{}))
	defer srv.Close()
	for _, p := range append(slices.Clone(allPaths), "/nope") {
		g, err := http.Get(srv.URL + p)
		if err != nil {
			t.Fatal(err)
		}
		g.Body.Close()
		h, err := http.Head(srv.URL + p)
		if err != nil {
			t.Fatal(err)
		}
		h.Body.Close()
		if h.StatusCode != g.StatusCode || h.Header.Get("Content-Type") != g.Header.Get("Content-Type") {
			t.Errorf("HEAD %s = %d %s, GET %d %s", p, h.StatusCode, h.Header.Get("Content-Type"), g.StatusCode, g.Header.Get("Content-Type"))
		}
	}
}

func TestErrorsArePagesForPeopleAndJSONForPrograms(t *testing.T) {
	h := New(newFake(), Options{})
	for _, p := range []string{"/nope", "/signals/nope", "/incidents/nope"} {
		if got := body(t, h, p, http.StatusNotFound); !strings.Contains(got, "<h1>Not Found</h1>") || !strings.Contains(got, "all incidents") {
			t.Errorf("%s is no page: %.100s", p, got)
		}
	}
	for p, code := range map[string]int{"/api/v1/nope": 404, "/api/v1/signals/nope": 404, "/api/v1/incidents/nope": 404, "/api/v1/status/nope": 404, "/api/v1/signals?limit=x": 400, "/api/v1/signals?limit=-1": 400,
		"/api/v1/changes?kind=odd": 400, "/api/v1/changes?from=then": 400, "/api/v1/changes?from=9&to=1": 400, "/api/v1/changes?limit=x": 400, "/api/v1/signals?state=odd": 400, "/api/v1/incidents?state=odd": 400, "/api/v1" + servfailPath + "?range=2y": 400, "/api/v1" + servfailPath + "?from=9&to=1": 400, "/api/v1" + servfailPath + "?points=999999": 400} {
		var e apiError
		decode(t, h, p, code, &e)
		if e.Status != "error" || e.ErrorType == "" || e.Error == "" {
			t.Errorf("%s: %+v", p, e)
		}
	}
}

type panicky struct{ *fake }

func (panicky) Status() Status { panic("boom") }

func TestAPanicCostsOneAnswer(t *testing.T) {
	var log strings.Builder
	h := New(panicky{newFake()}, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if got := body(t, h, "/status", http.StatusInternalServerError); strings.Contains(got, "boom") {
		t.Errorf("the answer tells what only the log should: %q", got)
	}
	if !strings.Contains(log.String(), "boom") {
		t.Error("the log does not tell why")
	}
	body(t, h, "/-/healthy", http.StatusOK)
}

// TestPagesMayBeReadAtOnce gives the race detector something to find.
func TestPagesMayBeReadAtOnce(t *testing.T) {
	h := New(newFake(), Options{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, p := range allPaths {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, p, nil))
				if w.Code != http.StatusOK {
					t.Errorf("%s = %d", p, w.Code)
				}
			}
		})
	}
	wg.Wait()
}
