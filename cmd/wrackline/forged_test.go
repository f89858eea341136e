package main

// What others try to make us, or somebody's browser, ask for.

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/ingest/history"
)

// TestForgedTargets: whatever takes a URL, receivers of each kind, the heartbeat and a backfill, reaches no metadata service, whichever way its address is written; and nothing private where the configuration says so. No
// scheme but http and https is taken, and no redirect followed.
func TestForgedTargets(t *testing.T) {
	var hits, redirected atomic.Int64
	victim := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer victim.Close()
	leads := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		redirected.Add(1)
		http.Redirect(w, r, victim.URL+"/stolen", http.StatusTemporaryRedirect)
	}))
	defer leads.Close()
	_, port, err := net.SplitHostPort(victim.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	never := []string{"http://169.254.169.254/latest/meta-data/", "http://169.254.169.254:80/", "http://u:p@169.254.169.254/", "https://169.254.169.254/", "http://[::ffff:169.254.169.254]/", "http://[::ffff:a9fe:a9fe]/",
		"http://[64:ff9b::a9fe:a9fe]/", "http://[2002:a9fe:a9fe::]/", "http://[::169.254.169.254]/", "http://[fe80::1]/", "http://[fd00:ec2::254]/", "http://100.100.100.200/", "http://168.63.129.16/", "http://0.0.0.0:" + port + "/",
		"http://[::]:" + port + "/", "http://224.0.0.1/", "http://255.255.255.255/", "http://192.0.0.192/"}
	private := []string{"http://127.0.0.1:" + port + "/", "http://localhost:" + port + "/", "http://[::ffff:127.0.0.1]:" + port + "/", "http://[::ffff:7f00:1]:" + port + "/", "http://u:p@127.0.0.1:" + port + "/",
		"http://127.1.2.3:" + port + "/", "http://10.0.0.1/", "http://192.168.1.1/", "http://[::1]:" + port + "/", "http://[64:ff9b::7f00:1]:" + port + "/"}
	schemes := []string{"file:///etc/passwd", "gopher://127.0.0.1:" + port + "/", "ftp://127.0.0.1/", "unix:///var/run/docker.sock", "//127.0.0.1:" + port + "/", "dict://127.0.0.1/", "javascript:alert(1)"}
	attempts := 0
	refused := func(what, target string, err error) {
		attempts++
		if err == nil || !strings.Contains(err.Error(), "blocked") && !strings.Contains(err.Error(), "is not") && !strings.Contains(err.Error(), "must begin") && !strings.Contains(err.Error(), "want an address") && !strings.Contains(err.Error(), "307") {
			t.Errorf("%s is led to %s: %v", what, target, err)
		}
	}
	for _, c := range []struct {
		outlet  string
		targets []string
	}{{"{}", append(append(never, schemes...), leads.URL)}, {"{allow_private: false}", private}} {
		for _, target := range c.targets {
			for kind, receiver := range map[string]string{"slack": "slack_configs: [{api_url: %q}]", "a bot": "slack_configs: [{bot_token: xoxb-x, channel: C1, api_url: %q}]", "a webhook": "webhook_configs: [{url: %q}]",
				"an Alertmanager": "alertmanager_configs: [{url: %q}]"} {
				refused(kind, target, tryReceiver(t, c.outlet, fmt.Sprintf(receiver, target)))
			}
			refused("the heartbeat", target, tryHeartbeat(t, c.outlet, target))
		}
	}
	for _, target := range append(append(never, schemes...), leads.URL) {
		refused("a backfill", target, tryBackfill(target))
	}
	if hits.Load() > 0 || redirected.Load() == 0 {
		t.Errorf("%d requests came where none should, %d led away", hits.Load(), redirected.Load())
	}
	if attempts < 60 {
		t.Errorf("%d attempts", attempts)
	}
	t.Logf("%d attempts", attempts)
}

// tryReceiver sends a test message to a receiver.
func tryReceiver(t *testing.T, outlet, receiver string) error {
	cfg, err := loadConfig(file(t, "w.yml", "receivers: [{name: a, "+receiver+"}]\nalerting: {outlet: "+outlet+"}\n"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	got, err := notify.SendTest(ctx, cfg.told(), "")
	if err != nil {
		return err
	}
	return got[0].Err
}

// tryHeartbeat lets a heart beat once.
func tryHeartbeat(t *testing.T, outlet, target string) error {
	cfg, err := loadConfig(file(t, "w.yml", fmt.Sprintf("alerting: {outlet: %s, heartbeat: {url: %q}}\n", outlet, target)))
	if err != nil {
		return err
	}
	h, err := notify.NewHeart(notify.HeartOptions{HeartConfig: cfg.Alerting.Heartbeat.config(), Interval: time.Minute, Alive: func() (bool, string) { return true, "" }, Outlet: cfg.told()})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go h.Run(ctx)
	await(t, "a beat", func() bool { s := h.Stats(); return s.Fails > 0 || s.Calls > 0 })
	if s := h.Stats(); s.Fails > 0 {
		return fmt.Errorf("%s", s.LastErr)
	}
	return nil
}

// tryBackfill asks a source as the command does.
func tryBackfill(target string) error {
	cfg := defaultConfig()
	guard := sourceGuard(&cfg)
	s, err := history.Open(history.Options{URL: target, Timeout: 5 * time.Second, Control: guard.Control})
	if err != nil {
		return err
	}
	_, err = s.Read(context.Background(), []string{"up"}, 0, 60_000)
	return err
}

// TestForgedRequests: what a page of somebody else makes a browser send, under our name or one of its own that points here, changes nothing and reads nothing, whatever the browser holds.
func TestForgedRequests(t *testing.T) {
	a := loginApp(t, "  hosts: [w.example.com]\n")
	main := *a.main.Load()
	form := httptest.NewRequest("POST", "http://x/acts/enter", strings.NewReader(url.Values{"token": {"admin-admin-admin-admin"}}.Encode()))
	form.RemoteAddr, form.Host = "10.1.1.1:1", "w.example.com"
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	main.ServeHTTP(w, form)
	pass, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	if pass == "" {
		t.Fatalf("no cookie: %d", w.Code)
	}
	const evil = "https://evil.example"
	attempts := 0
	for _, path := range []string{"/acts", "/acts/bulk", "/acts/undo", "/acts/enter", "/acts/leave", "/api/v1/acts", "/api/v1/acts/undo", "/api/v1/lessons", "/-/accept?signal=x", "/-/reload", "/-/forget?cluster=x"} {
		for why, c := range map[string]struct {
			host    string
			headers []string
		}{
			"a form of another site":           {"w.example.com", []string{"Origin", evil, "Sec-Fetch-Site", "cross-site"}},
			"the same of an old browser":       {"w.example.com", []string{"Origin", evil}},
			"a sandboxed frame":                {"w.example.com", []string{"Origin", "null"}},
			"a neighbour below the domain":     {"w.example.com", []string{"Origin", "https://other.example.com", "Sec-Fetch-Site", "same-site"}},
			"another port":                     {"w.example.com", []string{"Origin", "http://w.example.com:8080"}},
			"a name pointed here":              {"evil.example", []string{"Origin", "http://evil.example", "Sec-Fetch-Site", "same-origin"}},
			"a name that looks like ours":      {"w.example.com.evil.example", nil},
			"an address in a name":             {"127.0.0.1.nip.io", nil},
			"a name with a port":               {"evil.example:9099", []string{"Origin", "http://evil.example:9099"}},
			"a host header that another sends": {"evil.example", []string{"X-Forwarded-Host", "w.example.com"}},
		} {
			attempts++
			if got := knock(main, "POST", path, "10.1.1.1:1", c.host, append(c.headers, "Cookie", pass)...).Code; got != http.StatusForbidden {
				t.Errorf("%s: POST %s is %d", why, path, got)
			}
		}
	}
	for _, path := range []string{"/", "/signals", "/api/v1/status/config", "/metrics", "/prometheus/api/v1/query?query=1", "/debug/pprof/"} {
		for _, host := range []string{"evil.example", "w.example.com.evil.example:9099", "127.0.0.1.nip.io"} {
			attempts++
			if got := knock(main, "GET", path, "10.1.1.1:1", host, "Cookie", pass, "Accept-Language", "de").Code; got != http.StatusForbidden {
				t.Errorf("GET %s of %s: %d", path, host, got)
			}
		}
	}
	for _, back := range []string{"https://evil.example/", "//evil.example/", "/\\evil.example", "/..//evil.example", "javascript:alert(1)", "/signals\r\nX: y"} {
		attempts++
		form := httptest.NewRequest("POST", "http://x/acts/enter", strings.NewReader(url.Values{"token": {"admin-admin-admin-admin"}, "back": {back}}.Encode()))
		form.RemoteAddr, form.Host = "10.1.1.1:1", "w.example.com"
		form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		main.ServeHTTP(w, form)
		if to, err := url.Parse(w.Header().Get("Location")); err != nil || to.Host != "" || w.Header().Get("X") != "" || strings.HasPrefix(to.Path, "//") {
			t.Errorf("back %q leads to %q", back, w.Header().Get("Location"))
		}
	}
	if attempts < 20 {
		t.Errorf("%d attempts", attempts)
	}
	t.Logf("%d attempts", attempts)
	if w := knock(main, "POST", "/-/reload", "10.1.1.1:1", "w.example.com", "Cookie", pass, "Origin", "http://w.example.com", "Sec-Fetch-Site", "same-origin"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("our own page is refused: %d", w.Code)
	}
}
