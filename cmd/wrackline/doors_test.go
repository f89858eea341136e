package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/web"
)

// openDoors opens an application that does not run, and serves nothing but its doors.
func openDoors(t *testing.T, cfg config, apart bool) *app {
	t.Helper()
	a, err := openApp(cfg, t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.close(false) })
	a.apart = apart
	if err := a.setWeb(&cfg); err != nil {
		t.Fatal(err)
	}
	return a
}

// knock sends a request to a handler as if it came from peer.
func knock(h http.Handler, method, path, peer, host string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://x"+path, nil)
	r.RemoteAddr, r.Host = peer, host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const adminToken = "the-token-of-the-administrator"

// TestDoors: every door, with and without the path of external_url, lets in whom it should: whoever changes something is this machine or has the token, pages want a Host that is ours, machines come under any.
func TestDoors(t *testing.T) {
	cfg := defaultConfig()
	cfg.Alerting.ExternalURL = "https://w.example.com/wrackline"
	cfg.Web.AdminToken = adminToken
	a := openDoors(t, cfg, false)
	main := *a.main.Load()
	const near, far, stranger = "127.0.0.1:1", "10.1.1.1:1", "evil.example"
	list := append(a.doors(), door{path: "/", method: "GET", kind: web.Page}, door{path: "/signals", method: "GET", kind: web.Page}, door{path: "/api/v1/status", method: "GET", kind: web.Page}, door{path: "/static/app.css", method: "GET", kind: web.Page})
	admins := 0
	for _, prefix := range []string{"", "/wrackline"} {
		for _, d := range list {
			method := d.method
			if method == "" {
				method = "POST"
			}
			p := prefix + d.path
			if strings.HasSuffix(p, "/profile") || strings.HasSuffix(p, "/trace") {
				p += "?seconds=1" // refused or not, before that
			}
			in := func(peer, host string, headers ...string) bool {
				if strings.Contains(p, "seconds=") && (peer == near || len(headers) > 0) && host == "localhost" {
					return true // a second each is not worth it: their neighbours stand behind the same
				}
				code := knock(main, method, p, peer, host, headers...).Code
				return code != http.StatusForbidden && code != http.StatusUnauthorized
			}
			token := []string{"Authorization", "Bearer " + adminToken}
			switch d.kind {
			case web.Admin, web.Act:
				admins++
				if in(far, "10.0.0.1") || in(near, stranger) || in(far, "localhost", "X-Forwarded-For", "127.0.0.1") && !strings.Contains(p, "seconds=") {
					t.Errorf("%s %s lets in who may not administrate", method, p)
				}
				if !in(near, "localhost") || !in(far, "localhost", token...) {
					t.Errorf("%s %s refuses who may administrate", method, p)
				}
			case web.Enter:
				if in(near, stranger) || in(far, "localhost", "Origin", "http://evil.example") || knock(main, method, p, far, "10.0.0.1").Code == http.StatusForbidden {
					t.Errorf("%s %s: who may show a token", method, p)
				}
			case web.Page:
				if in(far, stranger) || !in(far, "w.example.com") || !in(far, "10.0.0.1") {
					t.Errorf("%s %s: hosts", method, p)
				}
			default:
				if !in(far, stranger) || !in(near, "wrackline.monitoring.svc:9099") {
					t.Errorf("%s %s refuses machines for the name they use", method, p)
				}
			}
		}
	}
	if admins < 16 {
		t.Errorf("%d doors of administration", admins)
	}
	for _, c := range []struct {
		method, path string
		want         int
	}{{"GET", "/-/reload", 405}, {"GET", "/-/forget?cluster=x", 405}, {"DELETE", "/-/accept", 405}, {"POST", "/metrics", 405}, {"POST", "/-/quit", 404}, {"HEAD", "/-/healthy", 200}, {"POST", "/", 405}} {
		if w := knock(main, c.method, c.path, near, "localhost"); w.Code != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, w.Code, c.want)
		}
	}
}

// TestWhileStarting: what would change something is asked to come again, which is no fault of the configuration's.
func TestWhileStarting(t *testing.T) {
	a := openDoors(t, defaultConfig(), false)
	for _, path := range []string{"/-/reload", "/-/accept?signal=x", "/-/forget?cluster=x"} {
		w := knock(*a.main.Load(), "POST", path, "127.0.0.1:1", "localhost")
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "opening the store") {
			t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
		}
	}
	if e := a.reloadErr.Load(); e != nil {
		t.Errorf("a problem of the configuration: %s", *e)
	}
}

// TestAdminAddress: with an address of its own administration is there alone, with the pages that act; nobody writes there.
func TestAdminAddress(t *testing.T) {
	a := openDoors(t, defaultConfig(), true)
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline"} {
		if w := knock(*a.main.Load(), "GET", path, "127.0.0.1:1", "localhost"); w.Code != 403 || !strings.Contains(w.Body.String(), "--web.admin-address") {
			t.Errorf("at the pages' address %s: %d %s", path, w.Code, w.Body)
		}
		if w := knock(*a.admin.Load(), "GET", path, "127.0.0.1:1", "localhost"); w.Code != 200 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if w := knock(*a.admin.Load(), "GET", path, "10.1.1.1:1", "localhost"); w.Code != 403 {
			t.Errorf("%s from elsewhere: %d", path, w.Code)
		}
	}
	const form = `action="/acts/new"`
	if w := knock(*a.main.Load(), "GET", "/acts/new?kind=silence", "127.0.0.1:1", "localhost"); w.Code != 200 || !strings.Contains(w.Body.String(), "administration has one of its own") {
		t.Errorf("the pages' address: %d %s", w.Code, w.Body)
	}
	for peer, may := range map[string]bool{"127.0.0.1:1": true, "10.1.1.1:1": false} {
		w := knock(*a.admin.Load(), "GET", "/acts/new?kind=silence&try=1&who=a&for=1h&match=workload%3Dx", peer, "localhost")
		if got := strings.Contains(w.Body.String(), `id="save"`); w.Code != 200 || got != may || !strings.Contains(w.Body.String(), form) {
			t.Errorf("the administration's address, from %s: %d, may act: %v", peer, w.Code, got)
		}
	}
	for path, want := range map[string]int{"/-/reload": 503, "/api/v1/write": 404, "/-/healthy": 405} {
		if w := knock(*a.admin.Load(), "POST", path, "127.0.0.1:1", "localhost"); w.Code != want {
			t.Errorf("POST %s: %d, want %d", path, w.Code, want)
		}
	}
	for flag, want := range map[string]string{"": "", ":9098": "127.0.0.1:9098", "9098": "127.0.0.1:9098", "0.0.0.0:9098": "0.0.0.0:9098", "[::1]:1": "[::1]:1", "box:7": "box:7"} {
		if got := (&serveFlags{listen: ":1", admin: flag}).addresses(); got[1] != want {
			t.Errorf("--web.admin-address %q: %q, want %q", flag, got[1], want)
		}
	}
}

// TestRedirectsKeepToUs: where the router redirects to is made of our own prefix, never of a header.
func TestRedirectsKeepToUs(t *testing.T) {
	for external, want := range map[string]string{"": "/signals", "https://w.example.com/wrackline": "/wrackline/signals"} {
		cfg := defaultConfig()
		cfg.Alerting.ExternalURL = external
		w := knock(*openDoors(t, cfg, false).main.Load(), "GET", "/signals/", "10.1.1.1:1", "localhost", "X-Forwarded-Prefix", "//evil.example")
		if got := w.Header().Get("Location"); got != want {
			t.Errorf("external_url %q: %d to %q, want %q", external, w.Code, got, want)
		}
	}
}

// TestAdminFromTheCommandLine: the commands work on the machine as they are, and with --token-file from where they would not.
func TestAdminFromTheCommandLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret, wrong := filepath.Join(dir, "token"), filepath.Join(dir, "wrong")
	replace(t, secret, adminToken+"\n")
	replace(t, wrong, "not-the-token-at-all")
	conf := file(t, "w.yml", "web: {admin_token_file: "+secret+"}\n")
	admin := freeAddress(t)
	p := start(t, "serve", "--config.file", conf, "--storage.path", t.TempDir(), "--web.listen-address", freeAddress(t), "--web.admin-address", admin)
	p.awaitReady()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"forget", "--server", "http://" + admin, "cluster", "none"}, "no cluster of that name"},
		{[]string{"forget", "--server", "http://" + admin, "--token-file", secret, "cluster", "none"}, "no cluster of that name"},
		{[]string{"accept", "--server", "http://" + admin, "--token-file", wrong, "x"}, "401"},
		{[]string{"accept", "--server", "http://" + admin, "--token-file", filepath.Join(dir, "none"), "x"}, "no such file"},
		{[]string{"accept", "--server", p.url, "x"}, "--web.admin-address"},
	} {
		if code, _, errs := run(t, c.args...); code != exitFailure || !strings.Contains(errs, c.want) {
			t.Errorf("%v: %d %s, want %q", c.args, code, errs, c.want)
		}
	}
}

// TestStartAndStopRaceNothing: reloads, accepts and forgets that come while the program starts, runs and stops race none of it. It means something under -race.
func TestStartAndStopRaceNothing(t *testing.T) {
	a, err := openApp(defaultConfig(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	a.file = file(t, "w.yml", "alerting: {notifications_per_day: 4}\n")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var serving, asking sync.WaitGroup
	asked := make(chan struct{})
	serving.Go(func() {
		if err := a.serve(ctx, newFront(l, nil), func(context.Context) error { <-asked; return nil }); err != nil {
			t.Error(err)
		}
	})
	done := make(chan struct{})
	var once sync.Once
	for _, ask := range []func() error{
		func() error { _, err := a.reload(); return err }, func() error {
			_, err := a.say(t.Context(), &act.Draft{Kind: act.Level, Signal: "none", Who: "test"})
			return err
		}, func() error { return a.forget("none") },
	} {
		asking.Go(func() {
			for {
				_ = ask()
				once.Do(func() { close(asked) }) // at least one came before the start
				select {
				case <-done:
					return
				default:
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	await(t, "a reload", func() bool { return a.cfg.Load().Alerting.NotificationsPerDay == 4 })
	stop()
	serving.Wait()
	close(done)
	asking.Wait()
	if _, err := a.reload(); err == nil {
		t.Error("a reload after the end")
	}
}

// TestFilesAreTakenAsTheyChange: a token that is rotated, as Kubernetes does it by a link or as a person does, is the one that counts, without a reload; a configuration likewise; and one that
// is broken leaves the one before in force, is a problem, and is said once.
func TestFilesAreTakenAsTheyChange(t *testing.T) {
	dir := t.TempDir()
	version := func(n int, token string) {
		name := fmt.Sprintf("..%d", n)
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		replace(t, filepath.Join(dir, name, "token"), token)
		if err := os.Symlink(name, filepath.Join(dir, "..next")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..next"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version(1, "token-number-one")
	if err := os.Symlink("..data/token", filepath.Join(dir, "token")); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "w.yml")
	good := "ingest: {tokens: [{token_file: " + filepath.Join(dir, "token") + "}]}\n"
	replace(t, conf, good)
	t.Setenv(lookEvery, "50ms")
	p := start(t, "serve", "--config.file", conf, "--storage.path", t.TempDir(), "--web.listen-address", freeAddress(t))
	p.awaitReady()
	may := func(token string) bool { code, _ := p.write(token, []byte("x")); return code == http.StatusBadRequest } // it came as far as its body
	if !may("token-number-one") || may("token-number-two") {
		t.Fatal("the first token")
	}
	version(2, "token-number-two")
	await(t, "the second token", func() bool { return may("token-number-two") })
	if may("token-number-one") {
		t.Error("the first token still counts")
	}

	replace(t, conf, good+"alerting: {notifications_per_day: 7}\n")
	await(t, "the changed file", func() bool { return strings.Contains(p.get("/api/v1/status/noise"), `"notifications_per_day":7`) })

	replace(t, conf, good+"alerting:\n  notifications_per_day: none\n")
	await(t, "the problem", func() bool {
		return strings.Contains(p.get("/api/v1/status/problems"), "w.yml:3:26: alerting.notifications_per_day")
	})
	if !may("token-number-two") || p.metric("wrackline_config_last_reload_successful") != 0 {
		t.Error("a broken file changed something, or is not counted")
	}
	version(3, "token-number-three") // it cannot be read while the file is broken; the looks go on
	await(t, "another try", func() bool { p.get("/-/healthy"); return strings.Count(p.log(), "configuration not reloaded") == 2 })
	replace(t, conf, good)
	await(t, "the mended file", func() bool {
		return may("token-number-three") && p.metric("wrackline_config_last_reload_successful") == 1
	})
	if got := strings.Count(p.log(), "configuration not reloaded"); got != 2 {
		t.Errorf("a broken file is said %d times, want once for each of its two forms", got)
	}
	if strings.Contains(p.get("/api/v1/status/problems"), "could not be reloaded") {
		t.Error("the problem stays")
	}
}

// TestConfigTextHidesSecrets: what the status page shows of the configuration holds no token and no URL that is one.
func TestConfigTextHidesSecrets(t *testing.T) {
	cfg, err := loadConfig(file(t, "w.yml", `web: {admin_token: canary-one-canary-one}
ingest: {tokens: [{token: canary-two-canary}]}
receivers: [{name: a, slack_configs: [{api_url: "https://hooks.example/canary-three"}], webhook_configs: [{url: "http://x/canary-four", bearer_token: canary-five}]}]
`))
	if err != nil {
		t.Fatal(err)
	}
	if text := configText(&cfg); strings.Contains(text, "canary") || !strings.Contains(text, "admin_token: <secret>") {
		t.Errorf("%s", text)
	}
	// Nor does an error of the decoder, in whichever line beside a secret it stands.
	for _, bad := range []string{"web:\n  admin_token: canary-one-canary-one\n  hosts: 5\n", "web:\n  admin_token: canary-one-canary-one\n  host: [a]\n", "web:\n  admin_token: [canary-one-canary-one]\n",
		"web:\n  admin_token: canary-one-canary-one\n hosts: []\n", "web: {admin_token: canary-one-canary-one, admin_token: x}\n", "web:\n  admin_token: canary-one\n"} {
		if _, err := loadConfig(file(t, "w.yml", bad)); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
