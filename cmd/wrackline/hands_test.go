package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/web"
)

// TestWhoMaySay: every door by which something is said × who asks × from which page.
func TestWhoMaySay(t *testing.T) {
	cfg := defaultConfig()
	cfg.Web.AdminToken = adminToken
	a := openDoors(t, cfg, false)
	main := *a.main.Load()
	r := httptest.NewRequest("POST", "http://10.0.0.1/acts/enter", strings.NewReader(url.Values{"token": {adminToken}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	main.ServeHTTP(w, r)
	if w.Code != http.StatusSeeOther || len(w.Result().Cookies()) != 1 {
		t.Fatal(w.Code, w.Header())
	}
	c := w.Result().Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || strings.Contains(c.Value, adminToken) {
		t.Error(c)
	}
	const near, far = "127.0.0.1:1", "10.1.1.1:1"
	for _, d := range a.hands() {
		for _, who := range []struct {
			name, peer, host string
			headers          []string
			may              bool
		}{
			{"nobody", far, "10.0.0.1", nil, false},
			{"this machine", near, "localhost", nil, true},
			{"the token", far, "10.0.0.1", []string{"Authorization", "Bearer " + adminToken}, true},
			{"a wrong token", far, "10.0.0.1", []string{"Authorization", "Bearer wrong-wrong-wrong-wrong"}, false},
			{"a browser that has shown it", far, "10.0.0.1", []string{"Cookie", c.Name + "=" + c.Value}, true},
			{"a cookie that somebody made", far, "10.0.0.1", []string{"Cookie", c.Name + "=" + adminToken}, false},
		} {
			for _, from := range []struct {
				name    string
				headers []string
				may     bool
			}{
				{"no page", nil, true},
				{"our page", []string{"Origin", "http://" + who.host}, true},
				{"another site's page", []string{"Origin", "http://evil.example"}, false},
				{"a page that hides", []string{"Origin", "null"}, false},
				{"another site's, said by the browser", []string{"Sec-Fetch-Site", "cross-site"}, false},
			} {
				code := knock(main, d.method, d.path, who.peer, who.host, append(append([]string{}, who.headers...), from.headers...)...).Code
				want := from.may && (who.may || d.kind == web.Enter)
				if in := code != http.StatusForbidden && (code != http.StatusUnauthorized || d.kind == web.Enter); in != want {
					t.Errorf("%s, %s, from %s: %d, want in = %v", d.path, who.name, from.name, code, want)
				}
			}
			if code := knock(main, d.method, d.path, who.peer, "evil.example", who.headers...).Code; code != http.StatusForbidden {
				t.Errorf("%s, %s, under a name that is not ours: %d", d.path, who.name, code)
			}
		}
	}
}

// TestWhatIsSaidSurvives: an act that was answered is there after an end without a checkpoint, once, and so is its undo.
func TestWhatIsSaidSurvives(t *testing.T) {
	cfg, err := loadConfig(file(t, "w.yml", ""))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var ids []string
	for life := range 3 {
		a, err := openApp(cfg, dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := a.replayJournal(t.Context()); err != nil {
			t.Fatal(err)
		}
		all := a.acts.View().All()
		if len(all) != life {
			t.Fatalf("life %d: %d acts", life, len(all))
		}
		for i, x := range all {
			if x.ID != ids[life-1-i] || (x.Undone != nil) != (i > 0) {
				t.Errorf("life %d: %+v", life, x)
			}
		}
		a.ready.Store(true)
		done := make(chan struct{})
		go func() { a.follow(); close(done) }()
		x, err := a.say(t.Context(), &act.Draft{Kind: act.Silence, Who: "anna", Rule: act.Rule{Match: []string{fmt.Sprint("workload=w", life)}}, For: "2h"})
		if err != nil {
			t.Fatal(err)
		}
		if life > 0 {
			if _, err := a.unsay(t.Context(), &speaker{}, ids[life-1], "bert", ""); err != nil {
				t.Fatal(err)
			}
		}
		ids = append(ids, x.ID)
		if life == 1 { // the checkpoint and the journal both know it
			if err := a.checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
		a.line.close()
		<-done
		a.journal.Close()
		a.store.Close()
	}
}
