package ui

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/ui/uitest"
)

// axeVersion is what is asked of the registry. Its licence (MPL 2.0) lets it be used, and no file of it is kept here.
const axeVersion = "4.10.3"

// axe returns the source of axe-core, which npm brings. The test is skipped, with the reason, where it cannot.
func axe(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, "npm", "pack", "--silent", "axe-core@"+axeVersion)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("axe-core is not to be had: npm pack: %v: %.300s", err, out)
	}
	f, err := os.Open(filepath.Join(dir, "axe-core-"+axeVersion+".tgz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			t.Fatal("there is no axe.min.js in axe-core")
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == "package/axe.min.js" {
			b, err := io.ReadAll(io.LimitReader(r, 4<<20))
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
	}
}

// everyPage lists an address of each page that there is, for a fake.
func everyPage(f *fake) []string {
	id := f.view.Signals[0].Signal.ID
	inc := f.snap.Open[0].ID
	return []string{"/", "/signals", "/signals/" + id, "/signals/" + id + "?compare=1d", "/incidents", "/incidents/" + inc, "/changes", "/rights", "/sizes", "/acts", "/receivers", "/status", "/backtest", "/pods", "/packs/" + f.view.Signals[0].Signal.Rule.Name,
		"/acts/new?kind=silence&about=" + inc, "/acts/new?kind=maintenance&about=" + inc, "/acts/new?kind=lesson&of=hour&about=" + inc, "/acts/new?kind=lesson&of=route&about=" + inc, "/acts/new?kind=level&id=" + id,
		"/acts/new?kind=silence&try=1&who=a&for=1h&match=cluster%3Dno-such", "/no-such-page"}
}

// TestAxeFindsNothingSerious lets axe-core look at every page in both themes, as somebody who may act and as somebody who may not.
func TestAxeFindsNothingSerious(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a browser and npm")
	}
	source := axe(t)
	b := browser(t)
	defer b.Close()
	f := newFake()
	f.backtest = Backtest{Reach: "It can go back.", Config: "track: []\n", DaysMax: 15, Run: &BacktestRun{State: "done", Days: 14, Against: true, Summary: "all", Told: []Told{{Day: "2026-03-01", Reason: "first", Severity: "page", Title: "a", In: "first"}}}}
	for _, may := range []bool{true, false} {
		srv := httptest.NewServer(New(f, Options{Version: "test", May: func(*http.Request) Access { return Access{May: may, Token: true} }}))
		for i, path := range everyPage(f) {
			if !may && i%4 != 0 && !strings.HasPrefix(path, "/acts") { // what differs is the form for the token
				continue
			}
			if err := b.Open(srv.URL + path); err != nil {
				t.Fatal(err)
			}
			for _, dark := range []bool{false, true} {
				if err := b.Look(uitest.View{Width: 1280, Dark: dark}); err != nil {
					t.Fatal(err)
				}
				// A policy of the page says nothing of what the browser's own tools evaluate.
				if _, err := b.Text(`(() => { if (!window.axe) { ` + source + ` } window.axeFound = null;
					axe.run(document, {resultTypes: ["violations"]}).then((r) => { window.axeFound = JSON.stringify(r.violations.map((v) => ({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + " " + (n.any[0]?.message ?? ""))}))); },
						(e) => { window.axeFound = JSON.stringify([{id: "failed", impact: "serious", help: String(e), nodes: []}]); });
				})()`); err != nil {
					t.Fatal(err)
				}
				if err := b.Wait("window.axeFound"); err != nil {
					t.Fatal(err)
				}
				text, err := b.Text("window.axeFound")
				if err != nil {
					t.Fatal(err)
				}
				var found []struct {
					ID, Impact, Help string
					Nodes            []string
				}
				if err := json.Unmarshal([]byte(text), &found); err != nil {
					t.Fatal(err)
				}
				for _, v := range found {
					say := fmt.Sprintf("%s, dark %t, may act %t: %s (%s): %s\n\t%s", path, dark, may, v.ID, v.Impact, v.Help, strings.Join(v.Nodes, "\n\t"))
					if v.Impact == "serious" || v.Impact == "critical" {
						t.Error(say)
					} else {
						t.Log(say)
					}
				}
			}
		}
		srv.Close()
	}
}

const focusScript = `(() => {
	const e = document.activeElement;
	if (!e || e === document.body) return JSON.stringify({end: true});
	const s = getComputedStyle(e), r = e.getBoundingClientRect();
	const all = window.walked ??= [];
	const before = all[all.length - 1];
	all.push(e);
	return JSON.stringify({
		what: e.outerHTML.slice(0, 120),
		seen: r.width > 0 && r.height > 0 && r.bottom > 0 && r.top < innerHeight,
		ring: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== "none",
		back: !!before && !(before.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING),
		index: e.tabIndex,
	});
})()`

// TestTabWalksEveryPage: the first stop of the tab key is the way past the navigation, then everything that can be used follows in the order in which it stands, is in sight and has a ring around it; nothing holds the focus.
func TestTabWalksEveryPage(t *testing.T) {
	b := browser(t)
	defer b.Close()
	f := newFake()
	srv := httptest.NewServer(New(f, Options{May: func(*http.Request) Access { return Access{May: true} }}))
	defer srv.Close()
	for i, path := range everyPage(f) {
		if err := b.Look(uitest.View{Width: 1280, Dark: i%2 == 1}); err != nil {
			t.Fatal(err)
		}
		if err := b.Open(srv.URL + path); err != nil {
			t.Fatal(err)
		}
		if path == "/incidents" || path == "/signals" { // where the filter is focused at once, a walk begins before it
			if _, err := b.Text("document.activeElement.blur()"); err != nil {
				t.Fatal(err)
			}
		}
		const most = 40 // stops looked at on a page
		var first string
		for stop := range most {
			if err := b.Keys("\t"); err != nil {
				t.Fatal(err)
			}
			text, err := b.Text(focusScript)
			if err != nil {
				t.Fatal(err)
			}
			var at struct {
				End, Seen, Ring, Back bool
				What                  string
				Index                 int
			}
			if err := json.Unmarshal([]byte(text), &at); err != nil {
				t.Fatal(err)
			}
			if at.End {
				if stop < 5 {
					t.Errorf("%s: the walk ends after %d stops", path, stop)
				}
				break
			}
			if stop == 0 {
				first = at.What
			}
			if !at.Seen || !at.Ring || at.Back || at.Index > 0 {
				t.Errorf("%s, stop %d: in sight %t, ring %t, backwards %t, tabindex %d: %s", path, stop+1, at.Seen, at.Ring, at.Back, at.Index, at.What)
			}
		}
		if !strings.Contains(first, `href="#main"`) {
			t.Errorf("%s: the first stop is %s", path, first)
		}
	}
	if e := b.Errors(); len(e) > 1 { // of the page that is not there
		t.Errorf("pages complain: %s", strings.Join(e, "; "))
	}
}
