package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// working serves an app whose fold runs, without a network but this machine's. peer is who asks, as host:port.
func workingServer(t *testing.T, cfg config, peer string) *httptest.Server {
	t.Helper()
	a, err := openApp(cfg, t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.replayJournal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.setWeb(&cfg); err != nil {
		t.Fatal(err)
	}
	a.ready.Store(true)
	done := make(chan struct{})
	go func() { a.follow(); close(done) }()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = peer
		(*a.main.Load()).ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		s.Close()
		a.line.close()
		<-done
		a.journal.Close()
		a.store.Close()
	})
	return s
}

// TestSayFromTheCommandLine says, lists and takes back what each command can, and reads what it wrote.
func TestSayFromTheCommandLine(t *testing.T) {
	s := workingServer(t, defaultConfig(), "127.0.0.1:1")
	id := regexp.MustCompile(`(?m)^([0-9a-z]{8}): `)
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"silence", []string{"--for", "2h", "--why", "load test", `workload="cart"`, "namespace=shop"}, `silence of workload="cart", namespace=shop until `},
		{"silence", []string{"add", `node=~"a|b"`, "--until", "2027-01-02T06:00"}, "until 2027-01-02 06:00 UTC"},
		{"maintenance", []string{"--days", "saturday,sunday", "--start", "02:00", "--end", "05:00", "--location", "Europe/Berlin", "workload=backup"}, "saturday, sunday 02:00–05:00 Europe/Berlin"},
		{"maintenance", []string{"--from", "2027-01-02T06:00", "--for", "4h", "cluster=eu"}, "from 2027-01-02 06:00 UTC until 2027-01-02 10:00 UTC"},
		{"lesson", []string{"--at-most", "3.5", "signal=wl.cpu_cores", "workload=report"}, "normal up to 3.5"},
		{"lesson", []string{"--effect", "0.05", "--at-least", "-2", "signal=wl.error_ratio"}, "normal down to -2"},
	} {
		code, out, errs := run(t, append([]string{c.name, "--server", s.URL, "--who", "anna"}, c.args...)...)
		m := id.FindStringSubmatch(out)
		if code != exitOK || !strings.Contains(out, c.want) || m == nil || !strings.Contains(out, "wrackline "+c.name+" undo --server "+s.URL+" "+m[1]) {
			t.Fatalf("%s %v: %d %s%s", c.name, c.args, code, out, errs)
		}
		if code, out, _ := run(t, c.name, "list", "--server", s.URL); code != exitOK || !strings.Contains(out, m[1]+"  anna  ") {
			t.Errorf("%s list: %d %s", c.name, code, out)
		}
		before, _, _ := run(t, c.name, "--server", s.URL, "--preview", "--for", "1h", "workload=x", "signal=y")
		if c.name == "silence" && before != exitOK {
			t.Errorf("preview: %d", before)
		}
		if code, out, errs := run(t, c.name, "undo", "--server", s.URL, "--who", "bert", m[1]); code != exitOK || !strings.Contains(out, "undone") {
			t.Errorf("undo: %d %s%s", code, out, errs)
		}
		if code, out, _ := run(t, c.name, "list", "--server", s.URL); code != exitOK || out != "none\n" {
			t.Errorf("%s list after undo: %d %s", c.name, code, out)
		}
		if code, out, _ := run(t, c.name, "list", "--all", "--server", s.URL); code != exitOK || !strings.Contains(out, "undone by bert") {
			t.Errorf("%s list --all: %d %s", c.name, code, out)
		}
		var list struct {
			Data struct{ Acts []struct{ ID string } }
		}
		if _, out, _ := run(t, c.name, "list", "--all", "--json", "--server", s.URL); json.Unmarshal([]byte(out), &list) != nil || len(list.Data.Acts) == 0 || list.Data.Acts[0].ID != m[1] {
			t.Errorf("%s list --json: %s", c.name, out)
		}
	}
}

// TestLessonsAsAFile exports, compares and imports: a file that says the same is the same, what is in it alone is added once, and only --prune takes back.
func TestLessonsAsAFile(t *testing.T) {
	s := workingServer(t, defaultConfig(), "127.0.0.1:1")
	lesson := func(want int, args ...string) string {
		t.Helper()
		code, out, errs := run(t, append([]string{"lesson", "--server", s.URL, "--who", "anna"}, args...)...)
		if code != want {
			t.Fatalf("lesson %v: %d, want %d: %s%s", args, code, want, out, errs)
		}
		return out + errs
	}
	lesson(exitOK, "--at-most", "3", "--why", "the report", "signal=a.b", "workload=report")
	lesson(exitOK, "--effect", "0.5", "--days", "monday", "--start", "01:00", "--end", "02:00", "signal=a.c")
	name := filepath.Join(t.TempDir(), "lessons.yaml")
	text := lesson(exitOK, "export")
	replace(t, name, text)
	if got := lesson(exitOK, "diff", name); got != "2 the same, 0 in the file alone, 0 not in the file\n" {
		t.Error(got)
	}
	replace(t, name, strings.Replace(text, "at_most: 3", "at_most: 4", 1))
	if got := lesson(exitFindings, "diff", name); !strings.Contains(got, "+ signal=a.b, workload=report; normal up to 4  (anna: the report)\n- signal=a.b, workload=report; normal up to 3") {
		t.Error(got)
	}
	if got := lesson(exitOK, "import", name); !strings.Contains(got, "1 the same, 1 in the file alone and added, 1 not in the file and kept (--prune takes them back)") {
		t.Error(got)
	}
	if got := lesson(exitOK, "import", "--prune", name); !strings.Contains(got, "2 the same, 0 in the file alone and added, 1 not in the file and taken back") {
		t.Error(got)
	}
	if got := lesson(exitOK, "diff", name); !strings.HasPrefix(got, "2 the same, 0") {
		t.Error(got)
	}
	replace(t, name, "lessons:\n- {match: ['signal=x'], at_mots: 3}\n")
	if got := lesson(exitFailure, "import", name); !strings.Contains(got, "at_mots") {
		t.Error(got)
	}
	if b, _ := os.ReadFile(name); strings.Contains(text, string(b)) {
		t.Error("the file")
	}
}

// TestSayTellsWhatIsWrong: each mistake names what to do about it.
func TestSayTellsWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	secret, wrong := filepath.Join(dir, "token"), filepath.Join(dir, "wrong")
	replace(t, secret, adminToken+"\n")
	replace(t, wrong, "not-the-token-at-all")
	cfg := defaultConfig()
	cfg.Web.AdminToken = adminToken
	near, far := workingServer(t, cfg, "127.0.0.1:1"), workingServer(t, cfg, "10.1.1.1:1")
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }))
	defer login.Close()
	nobody := "http://" + freeAddress(t)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"ack", "--server", nobody, "inc_1"}, exitFailure, "no Wrackline answers at " + nobody},
		{[]string{"ack", "--server", "localhost", "inc_1"}, exitUsage, "want http://HOST:PORT"},
		{[]string{"ack", "--server", login.URL, "inc_1"}, exitFailure, "without a login before it"},
		{[]string{"ack", "--server", near.URL, "inc_1"}, exitFailure, "404 Not Found: there is no incident with this id"},
		{[]string{"ack", "--server", far.URL, "inc_1"}, exitFailure, "--token-file"},
		{[]string{"ack", "--server", far.URL, "--token-file", wrong, "inc_1"}, exitFailure, "not the one of web.admin_token. It was read from " + wrong},
		{[]string{"ack", "--server", far.URL, "--token-file", secret, "inc_1"}, exitFailure, "there is no incident with this id"},
		{[]string{"ack", "--server", far.URL, "--token-file", filepath.Join(dir, "none"), "inc_1"}, exitFailure, "no such file"},
		{[]string{"ack", "--server", near.URL}, exitUsage, "want the id of an incident"},
		{[]string{"ack", "--server", near.URL, "export"}, exitUsage, "lessons have"},
		{[]string{"ack", "--server", near.URL, "undo"}, exitUsage, "wrackline ack list"},
		{[]string{"ack", "--server", near.URL, "undo", "nothing"}, exitFailure, "there is no act with this id"},
		{[]string{"silence", "--server", near.URL}, exitUsage, "want matchers"},
		{[]string{"silence", "--server", near.URL, "workload=x"}, exitFailure, "a silence has an end"},
		{[]string{"silence", "--server", near.URL, "--for", "1h", "wrokload=x"}, exitFailure, "wrokload"},
		{[]string{"silence", "--server", near.URL, "--for", "1h", "--at-most", "3", "workload=x"}, exitUsage, "at-most"},
		{[]string{"maintenance", "--server", near.URL, "--start", "02:00", "--end", "20:00", "workload=x"}, exitFailure, "more than half of the time"},
		{[]string{"lesson", "--server", near.URL, "workload=x"}, exitFailure, "a lesson is about one signal"},
		{[]string{"lesson", "--server", near.URL, "--at-most", "much", "signal=x"}, exitUsage, "want a number"},
		{[]string{"lesson", "--server", near.URL, "import"}, exitUsage, "want one file"},
		{[]string{"lesson", "--server", near.URL, "list", "x"}, exitUsage, "unexpected argument"},
	} {
		if code, out, errs := run(t, c.args...); code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%v: %d %s%s, want %d with %q", c.args, code, out, errs, c.code, c.want)
		}
	}
}

// TestNotMine: a lesson about who is told names receivers that are there, and is refused where nobody would be left.
func TestNotMine(t *testing.T) {
	cfg, err := loadConfig(file(t, "w.yml", "receivers: [{name: shop, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}, {name: platform, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := workingServer(t, cfg, "127.0.0.1:1")
	alone, err := loadConfig(file(t, "w.yml", "receivers: [{name: shop, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	one := workingServer(t, alone, "127.0.0.1:1")
	for _, c := range []struct {
		server string
		args   []string
		code   int
		want   string
	}{
		{s.URL, []string{"--not-for", "shop", "namespace=x"}, exitOK, "lesson of namespace=x; not for shop."},
		{s.URL, []string{"--not-for", "shop", "--to", "platform", "namespace=x"}, exitOK, "not for shop; for platform in its place"},
		{s.URL, []string{"--not-for", "shpo", "namespace=x"}, exitFailure, `not_for: there is no receiver "shpo"; did you mean "shop"?`},
		{s.URL, []string{"--not-for", "shop", "--to", "x", "namespace=x"}, exitFailure, `to: there is no receiver "x"`},
		{s.URL, []string{"--preview", "--not-for", "shpo", "namespace=x"}, exitFailure, "did you mean"},
		{one.URL, []string{"--not-for", "shop", "namespace=x"}, exitFailure, "shop is the only receiver"},
	} {
		code, out, errs := run(t, append([]string{"lesson", "--server", c.server}, c.args...)...)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("%v: %d %s%s, want %q", c.args, code, out, errs, c.want)
		}
	}
}
