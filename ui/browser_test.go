package ui

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/ui/uitest"
)

// TestWalkInABrowser walks the fake cluster's pages. WRACKLINE_SHOTS names a directory that keeps the pictures.
func TestWalkInABrowser(t *testing.T) {
	srv := httptest.NewServer(New(newFake(), Options{Version: "test", Demo: true}))
	defer srv.Close()
	shots := os.Getenv("WRACKLINE_SHOTS")
	if shots == "" {
		shots = t.TempDir()
	}
	if err := uitest.Walk(t.Context(), srv.URL, shots); errors.Is(err, uitest.ErrNoBrowser) {
		t.Skipf("not run: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(shots); len(files) < 20 {
		t.Errorf("%d pictures in %s", len(files), shots)
	}
}

// browser starts one, which the caller closes. The test is skipped where none is installed.
func browser(t *testing.T) *uitest.Browser {
	t.Helper()
	b, err := uitest.Start(t.Context())
	if errors.Is(err, uitest.ErrNoBrowser) {
		t.Skipf("not run: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestWalkSeesErrors keeps the walk honest: a page that breaks the policy or throws must not pass.
func TestWalkSeesErrors(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"policy":    {`<script>1</script>`, "Content Security Policy"},
		"exception": {`<script src="/throw.js"></script>`, "boom"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Security-Policy", policy)
				if r.URL.Path == "/throw.js" {
					w.Header().Set("Content-Type", "text/javascript")
					fmt.Fprint(w, `throw new Error("boom")`)
					return
				}
				w.Header().Set("Content-Type", "text/html")
				fmt.Fprint(w, `<!doctype html><link rel="icon" href="/throw.js"><main><h1>x</h1>`+c.script+`</main>`)
			}))
			defer srv.Close()
			b := browser(t)
			defer b.Close()
			if err := b.Open(srv.URL); err != nil {
				t.Fatal(err)
			}
			// The browser tells of it on its own time, which may be after the page has loaded.
			if err := b.WaitError(c.want); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestHostileLabelsDoNothingInABrowser opens pages full of markup: the browser must see none of it as markup.
func TestHostileLabelsDoNothingInABrowser(t *testing.T) {
	b := browser(t)
	defer b.Close()
	for _, payload := range []string{`"><img src=x onerror=document.title=1>`, `</script><script>document.title=1</script>`, `</title></svg><img src=x onerror=alert(1)>`, `'--><svg onload=alert(1)>{{.}}`} {
		f := hostile(payload)
		srv := httptest.NewServer(New(f, Options{Demo: true}))
		for _, p := range []string{"/", "/signals", "/signals/" + f.view.Signals[5].Signal.ID, dnsPath, "/receivers", "/status", "/rights", "/coverage", "/sizes", sizesOf(f)} {
			if err := b.Open(srv.URL + p); err != nil {
				t.Fatal(err)
			}
			if n, err := b.Text(`document.querySelectorAll("img:not(.brand img), svg[onload], script:not([src]):not([type])").length`); err != nil || n != "0" {
				t.Errorf("payload %q makes %s elements on %s (%v)", payload, n, p, err)
			}
			if text, err := b.Text(`document.body.innerText.includes("onload") || document.body.innerText.includes("onerror") || document.body.innerText.includes("document.title")`); err != nil || text != "true" {
				t.Errorf("payload %q is not shown as text on %s (%v)", payload, p, err)
			}
		}
		srv.Close()
		if e := b.Errors(); len(e) > 0 {
			t.Errorf("payload %q: %s", payload, strings.Join(e, "; "))
		}
	}
}
