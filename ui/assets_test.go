package ui

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestStaticFilesAreKeptByTheirHash(t *testing.T) {
	h := New(newFake(), Options{})
	page := body(t, h, "/", http.StatusOK)
	m := regexp.MustCompile(`/static/app\.js\?v=[0-9a-f]{16}`).FindString(page)
	if m == "" {
		t.Fatal("the page does not name the module with its hash")
	}
	w := get(t, h, m)
	if cc := w.Header().Get("Cache-Control"); !strings.Contains(cc, "immutable") {
		t.Errorf("Cache-Control of %s = %q", m, cc)
	}
	r := httptest.NewRequest(http.MethodGet, "/static/app.js", nil)
	r.Header.Set("If-None-Match", w.Header().Get("ETag"))
	again := httptest.NewRecorder()
	h.ServeHTTP(again, r)
	if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("the same file again = %d, %d bytes", again.Code, again.Body.Len())
	}
	if cc := get(t, h, "/static/app.js?v=0000000000000000").Header().Get("Cache-Control"); strings.Contains(cc, "immutable") {
		t.Errorf("a wrong hash is kept for ever: %q", cc)
	}
}
