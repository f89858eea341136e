package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/ui"
)

// tokensConfig has a token of each role, and two tenants.
const tokensConfig = `web:
  tokens:
  - {name: writer, token: write-write-write-write, roles: [write]}
  - {name: reader, token: read-read-read-read-read, roles: [read]}
  - {name: doer, token: act-act-act-act-act-act, roles: [act]}
  - {name: boss, token: admin-admin-admin-admin, roles: [admin]}
  - {name: a-writer, token: a-write-a-write-a-write, roles: [write], clusters: [a]}
  - {name: b-writer, token: b-write-b-write-b-write, roles: [write], clusters: [b]}
  - {name: a-reader, token: a-read-a-read-a-read-a, roles: [read], clusters: [a]}
  - {name: a-doer, token: a-act-a-act-a-act-a-act, roles: [act], clusters: [a]}
`

// doorKinds says of every address what it wants. A new address needs an entry: decide who may come.
var doorKinds = map[string]string{
	"/": "read", "/signals": "read", "/signals/:id": "read", "/incidents": "read", "/incidents/:id": "read", "/acts": "read", "/acts/new": "read", "/changes": "read", "/rights": "read", "/backtest": "read", "/api/v1/backtest": "read", "/coverage": "read", "/api/v1/coverage": "read",
	"POST /backtest": "admin", "/backtest/cancel": "admin", "POST /api/v1/backtest": "admin", "/api/v1/backtest/cancel": "admin",
	"/sizes": "read", "/sizes/workload": "read", "/receivers": "read", "/status": "read", "/pods": "read", "/packs/:signal": "read", "/chart/:file": "read", "/static/:file": "read",
	"/api/v1/signals": "read", "/api/v1/signals/:id": "read", "/api/v1/incidents": "read", "/api/v1/incidents/:id": "read", "/api/v1/acts": "read", "/api/v1/lessons": "read", "/api/v1/changes": "read",
	"/api/v1/rights": "read", "/api/v1/sizes": "read", "/api/v1/packs": "read", "/api/v1/packs/:signal": "read", "/api/v1/pods": "read", "/api/v1/selftest": "read", "/api/v1/status": "read", "/api/v1/status/:part": "read",
	"/metrics": "whole", "/metrics/signals": "read", "/prometheus/": "read",
	"/-/healthy": "probe", "/-/ready": "probe",
	"/api/v1/write": "write",
	"/-/accept":     "act", "POST /api/v1/acts": "act", "/api/v1/acts/undo": "act", "POST /api/v1/lessons": "act", "POST /acts": "act", "/acts/bulk": "act", "/acts/undo": "act",
	"/acts/enter": "enter", "/acts/leave": "enter",
	"/-/reload": "admin", "/-/forget": "admin", "/debug/pprof/": "admin", "/debug/pprof/cmdline": "admin", "/debug/pprof/profile": "admin", "/debug/pprof/symbol": "admin", "/debug/pprof/trace": "admin",
}

// loginApp is an app with tokensConfig and more, whose doors alone are served.
func loginApp(t *testing.T, more string) *app {
	t.Helper()
	cfg, err := loadConfig(file(t, "w.yml", tokensConfig+more))
	if err != nil {
		t.Fatal(err)
	}
	return openDoors(t, cfg, false)
}

// TestRolesAtEveryDoor: each role × each registered address × each method: nobody gets further than the role, and everybody as far.
func TestRolesAtEveryDoor(t *testing.T) {
	a := loginApp(t, "")
	main := *a.main.Load()
	type entry struct{ path, method string }
	found := map[string]entry{}
	for _, d := range a.doors() {
		found[d.pattern()] = entry{d.path, d.method}
	}
	for _, p := range ui.Routes() {
		if _, ok := found[p]; !ok {
			found[p] = entry{strings.NewReplacer(":id", "x", ":file", "x", ":signal", "dns.qps", ":part", "build").Replace(p), "GET"}
		}
	}
	for pattern := range found {
		if doorKinds[pattern] == "" {
			t.Errorf("%s has no entry in doorKinds: who may come?", pattern)
		}
	}
	for pattern := range doorKinds {
		if _, ok := found[pattern]; !ok {
			t.Errorf("doorKinds has %s, which is not there", pattern)
		}
	}
	roles := map[string]struct {
		token string
		may   string
	}{
		"nobody": {"", "probe enter"}, "wrong": {"wrong-wrong-wrong-wrong", "probe enter"}, "writer": {"write-write-write-write", "probe enter write"},
		"reader": {"read-read-read-read-read", "probe enter read whole"}, "doer": {"act-act-act-act-act-act", "probe enter read whole act"}, "boss": {"admin-admin-admin-admin", "probe enter read whole act admin write"},
		"a-reader": {"a-read-a-read-a-read-a", "probe enter read"}, "a-doer": {"a-act-a-act-a-act-a-act", "probe enter read act"}, "a-writer": {"a-write-a-write-a-write", "probe enter write"},
	}
	asked := 0
	for pattern, e := range found {
		kind := doorKinds[pattern]
		for name, role := range roles {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
				slow := strings.HasSuffix(e.path, "/profile") || strings.HasSuffix(e.path, "/trace") || e.path == "/api/v1/selftest"
				may := strings.Contains(" "+role.may+" ", " "+kind+" ")
				if slow && may {
					continue
				}
				var headers []string
				if role.token != "" {
					headers = []string{"Authorization", "Bearer " + role.token}
				}
				code := knock(main, method, e.path, "10.1.1.1:1", "wrackline.local", headers...).Code
				asked++
				refused := code == http.StatusUnauthorized || code == http.StatusForbidden
				right := e.method == method || e.method == "GET" && method == "HEAD" || e.method == ""
				switch {
				case code == http.StatusMethodNotAllowed || !right && strings.Contains(pattern, " "): // whoever it is; a page answers the others at that address
				case right && refused == may && !(kind == "enter" && code == http.StatusUnauthorized):
					t.Errorf("%s asks %s %s: %d", name, method, e.path, code)
				case !right && !refused && !may && code/100 == 2:
					t.Errorf("%s asks %s %s: %d", name, method, e.path, code)
				}
			}
		}
	}
	t.Logf("%d addresses, %d requests", len(found), asked)
	if w := knock(main, "GET", "/signals?q=x", "10.1.1.1:1", "wrackline.local", "Accept", "text/html"); w.Code != 401 || !strings.Contains(w.Body.String(), `action="/acts/enter"`) || !strings.Contains(w.Body.String(), `value="/signals?q=x"`) {
		t.Errorf("a person is not led to the form: %d %s", w.Code, w.Body)
	}
}

// TestPassOfABrowser: a token that a person shows once lets the browser read and act as the token does, and no further; another token's pass is another's.
func TestPassOfABrowser(t *testing.T) {
	a := loginApp(t, "")
	main := *a.main.Load()
	enter := func(token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "http://x/acts/enter", strings.NewReader("back=/signals&token="+token))
		r.RemoteAddr, r.Host = "10.1.1.1:1", "wrackline.local"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		main.ServeHTTP(w, r)
		return w
	}
	for token, want := range map[string][2]int{"read-read-read-read-read": {200, 403}, "act-act-act-act-act-act": {200, 503}, "write-write-write-write": {401, 403}, "no-such-token-at-all": {401, 403}} {
		w := enter(token)
		cookie := w.Header().Get("Set-Cookie")
		if strings.Contains(cookie, token) || cookie != "" && (!strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Strict")) {
			t.Errorf("%s: %s", token, cookie)
		}
		pass, _, _ := strings.Cut(cookie, ";")
		read := knock(main, "GET", "/signals", "10.1.1.1:1", "wrackline.local", "Cookie", pass).Code
		act := knock(main, "POST", "/-/accept?signal=x", "10.1.1.1:1", "wrackline.local", "Cookie", pass).Code
		if read != want[0] || act != want[1] {
			t.Errorf("%s: read %d, act %d, want %v", token, read, act, want)
		}
	}
}

// TestProxyLogin: whom a proxy names is believed of proxies that are configured, once, and never of anybody else.
func TestProxyLogin(t *testing.T) {
	cfg, err := loadConfig(file(t, "w.yml", `web:
  trusted_proxies: [10.9.0.0/16, 127.0.0.1]
  users: [{name: alice, roles: [act], clusters: [a]}]
  proxy_login:
    user_header: X-Auth-Request-User
    groups_header: X-Auth-Request-Groups
    roles: [read]
    groups: [{name: sre, roles: [admin]}]
`))
	if err != nil {
		t.Fatal(err)
	}
	main := *openDoors(t, cfg, false).main.Load()
	const user, groups = "X-Auth-Request-User", "X-Auth-Request-Groups"
	for _, c := range []struct {
		peer    string
		headers []string
		read    int
		act     int
		reload  int
	}{
		{"10.9.0.1:1", []string{user, "bob"}, 200, 403, 403},
		{"10.9.0.1:1", []string{user, "alice"}, 200, 404, 403},
		{"10.9.0.1:1", []string{user, "bob", groups, "dev, sre"}, 200, 503, 503},
		{"10.9.0.1:1", []string{user, "bob", groups, "dev,sre2"}, 200, 403, 403},
		{"10.9.0.1:1", []string{groups, "sre"}, 401, 403, 403},
		{"10.9.0.1:1", nil, 401, 403, 403},
		{"10.8.0.1:1", []string{user, "bob", groups, "sre"}, 401, 403, 403},
		{"10.8.0.1:1", []string{user, "bob", groups, "sre", "X-Forwarded-For", "10.9.0.1"}, 401, 403, 403},
		{"127.0.0.1:1", []string{user, "bob", groups, "sre"}, 200, 503, 503},
		{"127.0.0.1:1", nil, 401, 403, 403}, // a proxy beside us passes on what has no login
		{"[::1]:1", nil, 200, 503, 503},     // this machine, which is no proxy
	} {
		for path, want := range map[string]int{"GET /signals": c.read, "POST /-/accept?signal=x": c.act, "POST /-/reload": c.reload} {
			method, p, _ := strings.Cut(path, " ")
			if got := knock(main, method, p, c.peer, "localhost", c.headers...).Code; got != want {
				t.Errorf("%s %v: %s is %d, want %d", c.peer, c.headers, path, got, want)
			}
		}
	}
	twice := httptest.NewRequest("POST", "http://x/-/reload", nil)
	twice.RemoteAddr, twice.Host = "10.9.0.1:1", "localhost"
	twice.Header[user], twice.Header[groups] = []string{"bob"}, []string{"sre", "dev"}
	w := httptest.NewRecorder()
	if main.ServeHTTP(w, twice); w.Code != 403 {
		t.Errorf("groups that come twice are believed: %d", w.Code)
	}
}

// TestTenantsSeeTheirOwn: who has a token of a cluster finds nothing of another one anywhere: pages, API, queries, metrics of signals, charts; and acts in it alone.
func TestTenantsSeeTheirOwn(t *testing.T) {
	x := newTenants(t)
	t.Run("pages", x.pages)
	t.Run("acts", x.speak)
}

// tenants are two clusters, a and b, and tokens for one of them.
type tenants struct {
	*blindRig
	ofA, ofB string // ids of a signal of each
}

// The tokens of tokensConfig that are of cluster a, and that of all.
const tenantReader, tenantDoer, ofAll = "a-read-a-read-a-read-a", "a-act-a-act-a-act-a-act", "admin-admin-admin-admin"

func (r *tenants) ask(token, method, path, body string) *httptest.ResponseRecorder {
	q := httptest.NewRequest(method, "http://x"+path, strings.NewReader(body))
	q.RemoteAddr, q.Host = "10.1.1.1:1", "wrackline.local"
	q.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	(*r.a.main.Load()).ServeHTTP(w, q)
	return w
}

func newTenants(t *testing.T) *tenants {
	t.Helper()
	r := &tenants{blindRig: newBlindRig(t, rigOptions{silent: true, config: tokensConfig})}
	if err := r.a.setWeb(r.a.cfg.Load()); err != nil {
		t.Fatal(err)
	}
	for range 90 { // a quarter of an hour of two clusters
		r.clock.Add(int64(10 * time.Second))
		body := r.body()
		for _, x := range []string{"a-write-a-write-a-write", "b-write-b-write-b-write"} {
			q := httptest.NewRequest("POST", "/api/v1/write?cluster=stolen", bytes.NewReader(body))
			q.RemoteAddr = "10.0.0.7:1"
			q.Header.Set("Content-Encoding", "snappy")
			q.Header.Set("Content-Type", "application/x-protobuf")
			q.Header.Set("Authorization", "Bearer "+x)
			w := httptest.NewRecorder()
			if (*r.a.main.Load()).ServeHTTP(w, q); w.Code != http.StatusNoContent {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
	}
	soon(t, "signals of both clusters", func() bool {
		names := clustersOf(source{r.a}.View())
		return len(names) == 2 && names[0] == "a" && names[1] == "b"
	})
	for _, s := range (source{r.a}).View().Signals {
		if s.Signal.Entity.Get("cluster") == "a" {
			r.ofA = s.Signal.ID
		} else {
			r.ofB = s.Signal.ID
		}
	}
	return r
}

// pages: nothing of another cluster anywhere.
func (r *tenants) pages(t *testing.T) {
	ofB := r.ofB
	mark := func(w *httptest.ResponseRecorder) bool { // whether anything of cluster b is said
		text := w.Body.String()
		for _, m := range []string{`cluster="b"`, `"cluster":"b"`, `cluster=b`, ofB, "cluster%3Db", ">b<", "b-writer", `cluster=\"b\"`, "stolen", `["a","b"]`} {
			if strings.Contains(text, m) {
				t.Logf("found %q", m)
				return true
			}
		}
		return false
	}
	paths := []string{"/metrics/signals?match[]={cluster=~\".*\"}", "/prometheus/api/v1/query?query=wrackline_signal", "/prometheus/api/v1/series?match[]=wrackline_signal", "/prometheus/api/v1/label/cluster/values",
		"/prometheus/api/v1/query?query=count(wrackline_signal)by(cluster)", "/api/v1/signals?cluster=b", "/api/v1/signals?limit=1000", "/api/v1/pods?pod=coredns-0", "/api/v1/pods?pod=coredns-0&cluster=b", "/api/v1/selftest?signals=5", "/?cluster=b", "/status"}
	for _, p := range ui.Routes() {
		p = strings.NewReplacer(":id", ofB, ":file", ofB+".svg", ":signal", "dns.qps", ":part", "senders").Replace(p)
		if strings.HasPrefix(p, "/static/") {
			continue
		}
		paths = append(paths, p)
	}
	for _, part := range []string{"clusters", "config", "pairs", "problems", "limits", "receivers", "journal", "store", "noise", "counters"} {
		paths = append(paths, "/api/v1/status/"+part)
	}
	seen := 0
	for _, p := range paths {
		w := r.ask(tenantReader, "GET", p, "")
		if strings.Contains(p, ofB) && (p != "/api/v1/signals/"+ofB || w.Code == 404) {
			if w.Code == 200 && !strings.HasPrefix(p, "/chart/") {
				t.Errorf("%s: %d", p, w.Code)
			}
			continue // the page of an error may repeat what was asked for
		}
		if mark(w) {
			t.Errorf("GET %s shows a tenant another cluster: %.3000s", p, w.Body)
		}
		if mark(r.ask(ofAll, "GET", p, "")) {
			seen++
		}
	}
	if seen < 8 {
		t.Errorf("only %d addresses show cluster b to who may see it: the test looks for the wrong marks", seen)
	}
	if w := r.ask(tenantReader, "GET", "/api/v1/signals/"+r.ofA, ""); w.Code != 200 {
		t.Errorf("a tenant does not see the own signal: %d", w.Code)
	}
	if w := r.ask(tenantReader, "GET", "/metrics", ""); w.Code != 403 {
		t.Errorf("/metrics: %d", w.Code)
	}
}

// speak: acts are of the own cluster, and another's stay.
func (r *tenants) speak(t *testing.T) {
	id := func(w *httptest.ResponseRecorder) string {
		var x struct {
			Data struct{ Act struct{ ID string } }
		}
		_ = json.Unmarshal(w.Body.Bytes(), &x)
		return x.Data.Act.ID
	}
	global := r.ask(ofAll, "POST", "/api/v1/acts", `{"kind":"silence","who":"boss","match":["workload=\"x\""],"for":"1h"}`)
	ofOther := r.ask(ofAll, "POST", "/api/v1/acts", `{"kind":"silence","who":"boss","why":"secret-of-b","match":["cluster=\"b\""],"for":"1h"}`)
	if global.Code != 201 || ofOther.Code != 201 {
		t.Fatalf("%d %s; %d %s", global.Code, global.Body, ofOther.Code, ofOther.Body)
	}
	own := r.ask(tenantDoer, "POST", "/api/v1/acts", `{"kind":"silence","who":"x","match":["workload=\"x\""],"for":"1h"}`)
	if own.Code != 201 || !strings.Contains(own.Body.String(), `cluster=\"a\"`) {
		t.Errorf("an act without a cluster is not of the tenant's: %d %s", own.Code, own.Body)
	}
	for body, want := range map[string]int{
		`{"kind":"silence","who":"x","match":["cluster=\"b\""],"for":"1h"}`:                            400,
		`{"kind":"silence","who":"x","match":["cluster=~\"a|b\""],"for":"1h"}`:                         400,
		`{"kind":"silence","who":"x","match":["cluster!=\"a\""],"for":"1h"}`:                           400,
		`{"kind":"lesson","who":"x","match":["cluster=\"b\"","signal=\"dns.qps\""],"at_most":3}`:       400,
		`{"kind":"level","who":"x","signal":` + fmt.Sprintf("%q", r.ofB) + `}`:                         404,
		`{"kind":"ack","who":"x","incident":"inc_000000"}`:                                             404,
		`{"kind":"silence","who":"x","match":["cluster=\"a\"","workload=\"y\""],"for":"1h"}`:           201,
		`{"kind":"maintenance","who":"x","match":["cluster=\"a\",namespace=\"y\""],"for":"1h"}`:        201,
		`{"kind":"silence","who":"x","match":["cluster=\"b\"","cluster=\"a\""],"for":"1h"}`:            201, // it matches nothing
		`{"kind":"lesson","who":"x","match":["cluster=\"a\"","signal=\"dns.qps\""],"at_most":1000000}`: 201,
	} {
		if w := r.ask(tenantDoer, "POST", "/api/v1/acts", body); w.Code != want {
			t.Errorf("%s: %d, want %d: %s", body, w.Code, want, w.Body)
		}
	}
	if w := r.ask(tenantDoer, "POST", "/-/accept?signal="+r.ofB, ""); w.Code != 404 {
		t.Errorf("accept of another cluster's signal: %d", w.Code)
	}
	for who, want := range map[string]int{id(global): 400, id(ofOther): 404, id(own): 200} {
		if w := r.ask(tenantDoer, "POST", "/api/v1/acts/undo", fmt.Sprintf(`{"id":%q,"who":"x"}`, who)); w.Code != want {
			t.Errorf("undo of %s: %d, want %d: %s", who, w.Code, want, w.Body)
		}
	}
	if w := r.ask(tenantReader, "GET", "/api/v1/acts", ""); strings.Contains(w.Body.String(), "secret-of-b") || !strings.Contains(w.Body.String(), id(own)) {
		t.Errorf("acts: %s", w.Body)
	}
	if w := r.ask(tenantDoer, "POST", "/api/v1/lessons?who=x&apply=1&prune=1", "lessons:\n- {match: ['signal=\"dns.qps\"', 'cluster=\"b\"'], at_most: 5}\n"); w.Code != 400 {
		t.Errorf("a lesson of another cluster is imported: %d %s", w.Code, w.Body)
	}
	if x := r.a.acts.View().Find(id(ofOther)); x == nil || x.Undone != nil {
		t.Error("another tenant's act is gone")
	}
}

// TestConfigErrorsOfWeb: who is let in is said without a doubt, or not at all.
func TestConfigErrorsOfWeb(t *testing.T) {
	for text, want := range map[string]string{
		"web: {tokens: [{token: abcdefghijklmnop}]}":                                                         "web.tokens[0]: roles is missing",
		"web: {tokens: [{token: abcdefghijklmnop, roles: [raed]}]}":                                          "web.tokens[0].roles[0]: \"raed\" is not one of write, read, act, admin; did you mean \"read\"?",
		"web: {tokens: [{token: abc, roles: [read]}]}":                                                       "web.tokens[0]: it is shorter than 16 characters",
		"web: {tokens: [{roles: [read]}]}":                                                                   "want exactly one of token and token_file",
		"web: {tokens: [{token: abcdefghijklmnop, roles: [read]}, {token: abcdefghijklmnop, roles: [act]}]}": "web.tokens[1]: it is the same as another",
		"web: {tokens: [{token: abcdefghijklmnop, roles: [admin], clusters: [a]}]}":                          "leave clusters out",
		"web: {tokens: [{token: abcdefghijklmnop, roles: [write], clusters: [a, b]}]}":                       "whoever writes with clusters writes one",
		"web: {tokens: [{token: abcdefghijklmnop, roles: [read], clusters: []}]}":                            "clusters is empty",
		"web: {tokens: [{token: abcdefghijklmnop, roles: [read], clusters: ['[']}]}":                         "not the name of a cluster",
		"web: {proxy_login: {user_header: X-User}}":                                                          "web.proxy_login: no proxy is believed",
		"web: {trusted_proxies: [10.0.0.1], proxy_login: {roles: [read]}}":                                   "user_header is missing",
		"web: {anonymous: [admin]}":                                                                          "web.anonymous[0]: \"admin\" is not one of read, write",
		"web: {tokens: [{token_file: /nowhere/token, roles: [read]}]}":                                       "web.tokens[0].token_file: open /nowhere/token",
		"web: {admin_token: abcdefghijklmnop, tokens: [{token: abcdefghijklmnop, roles: [read]}]}":           "the same as another",
		"web: {tokens: [{token: 'with a space in it', roles: [read]}]}":                                      "no header can carry",
		"web: {users: [{roles: [read]}]}":                                                                    "web.users[0]: name is missing",
	} {
		_, err := loadConfig(file(t, "w.yml", text+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "abcdefghijklmnop") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestOpenness: who listens for others without a login says so; who does not, or says that it shall be so, does not.
func TestOpenness(t *testing.T) {
	for _, c := range []struct{ listen, config, want string }{
		{":9099", "", "read everything and send samples"},
		{"0.0.0.0:9099", "web: {admin_token: abcdefghijklmnop}\n", "read everything and send samples"},
		{"[::]:9099", "ingest: {tokens: [{token: abcdefghijklmnop}]}\n", "may read everything: there"},
		{"mon.example.com:9099", "web: {tokens: [{token: abcdefghijklmnop, roles: [read]}]}\n", "may send samples: there"},
		{":9099", "web: {tokens: [{token: abcdefghijklmnop, roles: [read, write]}]}\n", ""},
		{":9099", "web: {anonymous: [read, write]}\n", ""},
		{"127.0.0.1:9099", "", ""}, {"localhost:9099", "", ""}, {"[::1]:9099", "", ""},
	} {
		cfg, err := loadConfig(file(t, "w.yml", c.config))
		if err != nil {
			t.Fatal(err)
		}
		a := openDoors(t, cfg, false)
		a.listening = [2]string{c.listen, ""}
		got := a.openness()
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %q, want %q", c.listen, c.config, got, c.want)
		}
		told := false
		for _, p := range (source{a}).Status().Problems {
			told = told || strings.Contains(p.Text, "there is no login")
		}
		if told != (c.want != "") {
			t.Errorf("%s: the status page says it: %v", c.listen, told)
		}
	}
}

// TestSecretsStayWithin: canaries in every place for a secret are found nowhere: no log in either format, no answer, no page, no error, no command's output, no process list.
func TestSecretsStayWithin(t *testing.T) {
	const canary = "canary"
	dir := t.TempDir()
	secret := func(name string) string {
		f := filepath.Join(dir, name)
		replace(t, f, canary+"-of-the-file-"+name)
		return f
	}
	conf := filepath.Join(dir, "w.yml")
	text := fmt.Sprintf(`web:
  admin_token_file: %s
  tokens: [{name: x, token: canary-of-web-tokens-0, roles: [read]}, {name: y, token_file: %s, roles: [act]}]
  users: [{name: u, roles: [admin]}]
  anonymous: [read]
ingest: {tokens: [{token: canary-of-ingest-tokens}, {token_file: %s}]}
receivers:
- name: a
  slack_configs: [{api_url: "http://127.0.0.1:1/canary-of-slack"}, {bot_token: xoxb-canary-of-a-bot, channel: C1, api_url: "http://127.0.0.1:1/api/"}]
  webhook_configs: [{url: "http://127.0.0.1:1/canary-of-a-hook", bearer_token: canary-of-a-bearer}]
  alertmanager_configs: [{url: "http://127.0.0.1:1/", basic_auth: {username: u, password: canary-of-a-password}}]
alerting: {heartbeat: {url: "http://127.0.0.1:1/canary-of-a-heartbeat"}}
`, secret("admin"), secret("token"), secret("ingest"))
	replace(t, conf, text)
	webFile := filepath.Join(dir, "web.yml")
	replace(t, webFile, "basic_auth_users: {u: "+bcryptCanary+"}\n")
	t.Setenv(lookEvery, "50ms")
	p := start(t, "serve", "--config.file", conf, "--web.config.file", webFile, "--storage.path", t.TempDir(), "--web.listen-address", freeAddress(t), "--log.format", "json", "--log.level", "debug")
	p.awaitReady()
	var all strings.Builder
	ask := func(method, path string, headers ...string) {
		r, err := http.NewRequest(method, p.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		fmt.Fprintln(&all, method, path, res.Status, res.Header)
		b := new(bytes.Buffer)
		_, _ = b.ReadFrom(res.Body)
		all.Write(b.Bytes())
	}
	read := func(path string) {
		r, _ := http.NewRequest("GET", p.url+path, nil)
		r.SetBasicAuth("u", "hunter2")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != 200 && !strings.Contains(path, "/x") && path != "/sizes/workload" && path != "/api/v1/pods" {
			t.Errorf("%s: %s", path, res.Status)
		}
		b := new(bytes.Buffer)
		_, _ = b.ReadFrom(res.Body)
		all.Write(b.Bytes())
	}
	for _, path := range ui.Routes() {
		if path == "/api/v1/selftest" || strings.HasPrefix(path, "/static") {
			continue
		}
		read(strings.NewReplacer(":id", "x", ":file", "x", ":signal", "dns.qps", ":part", "config").Replace(path))
	}
	for _, path := range []string{"/metrics", "/metrics/signals", "/debug/pprof/cmdline", "/prometheus/api/v1/status/config", "/api/v1/status/receivers", "/api/v1/status/problems"} {
		read(path)
	}
	ask("GET", "/signals", "Authorization", "Bearer canary-that-is-wrong")
	ask("POST", "/-/reload", "Authorization", "Bearer canary-that-is-wrong")
	ask("POST", "/api/v1/write", "Authorization", "Bearer canary-that-is-wrong")
	ask("GET", "/", "Authorization", "Basic dTpjYW5hcnk=")
	replace(t, conf, strings.Replace(text, "notifications", "x", 1)+"signals: {series_max: canary}\n")
	await(t, "the problem", func() bool { return strings.Contains(p.log(), "not reloaded") })
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.cmd.Process.Pid)); err == nil {
		all.Write(b)
	}
	for _, args := range [][]string{{"config", "--config.file", conf}, {"check-config", conf}, {"receivers", "list", "--config.file", conf}, {"ack", "--server", p.url, "--token-file", filepath.Join(dir, "admin"), "inc_x"}} {
		_, out, errs := run(t, args...)
		all.WriteString(out + errs)
	}
	log := p.log()
	if !strings.Contains(log, `"msg":"audit"`) || !strings.Contains(log, `"code":401`) {
		t.Errorf("no audit in the log:\n%s", log)
	}
	for where, text := range map[string]string{"an answer or an output": all.String(), "the log": log} {
		if i := strings.Index(text, canary); i >= 0 {
			t.Errorf("a secret is in %s: …%s…", where, text[max(0, i-200):min(len(text), i+100)])
		}
	}
}

// bcryptCanary is the hash of hunter2.
const bcryptCanary = "$2a$04$lrJQ9HcOi3rV81xNHbPXZ.FkNGrwZdNIbhtzl2aeGEh2JBaGMCgYG"

// TestWhoMayWrite: with tokens of either kind, from this machine as from any other.
func TestWhoMayWrite(t *testing.T) {
	for _, c := range []struct {
		config, token string
		peer          string
		want          int
	}{
		{"", "", "10.1.1.1:1", 415}, {"", "", "127.0.0.1:1", 415}, {"", "anything", "10.1.1.1:1", 415}, // as far as what was sent
		{"ingest: {tokens: [{token: ingest-ingest}]}\n", "", "127.0.0.1:1", 401},
		{"ingest: {tokens: [{token: ingest-ingest}]}\n", "ingest-ingest", "10.1.1.1:1", 415},
		{"ingest: {tokens: [{token: ingest-ingest}]}\nweb: {admin_token: admin-admin-admin}\n", "admin-admin-admin", "10.1.1.1:1", 415},
		{"web: {admin_token: admin-admin-admin}\n", "", "10.1.1.1:1", 415},
		{tokensConfig, "", "127.0.0.1:1", 401}, {tokensConfig, "", "10.1.1.1:1", 401}, {tokensConfig, "read-read-read-read-read", "10.1.1.1:1", 401},
		{tokensConfig, "write-write-write-write", "10.1.1.1:1", 415}, {tokensConfig, "a-write-a-write-a-write", "127.0.0.1:1", 415},
		{"web: {anonymous: [read]}\n", "", "10.1.1.1:1", 401}, {tokensConfig + "  anonymous: [write]\n", "", "10.1.1.1:1", 415},
	} {
		cfg, err := loadConfig(file(t, "w.yml", c.config))
		if err != nil {
			t.Fatal(err)
		}
		headers := []string{"Content-Type", "text/plain"}
		if c.token != "" {
			headers = append(headers, "Authorization", "Bearer "+c.token)
		}
		if w := knock(*openDoors(t, cfg, false).main.Load(), "POST", "/api/v1/write", c.peer, "localhost", headers...); w.Code != c.want {
			t.Errorf("%q, token %q from %s: %d, want %d (%s)", c.config, c.token, c.peer, w.Code, c.want, w.Body)
		}
	}
}
