package web

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func gate(t *testing.T, o Options) *Gate {
	t.Helper()
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// ask sends a request through a gate and returns the answer, and the request as the door saw it, nil when it saw none.
func ask(g *Gate, kind Kind, method, peer, host string, headers ...string) (*httptest.ResponseRecorder, *http.Request) {
	r := httptest.NewRequest(method, "http://x/-/thing", nil)
	r.Host, r.RemoteAddr = host, peer
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	var seen *http.Request
	w := httptest.NewRecorder()
	g.Door(kind, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen = r })).ServeHTTP(w, r)
	return w, seen
}

const (
	far  = "10.1.2.3:4444"
	near = "127.0.0.1:4444"
)

// TestHosts: a name that a stranger can own and point at us is refused; every name that people and probes of ours use is not.
func TestHosts(t *testing.T) {
	g := gate(t, Options{Listen: []string{"mon.example.org:9099", ":9098"}, ExternalURL: "https://Wrackline.Example.com/w", Hosts: []string{"extra.example.net", "*.k8s.example.net"}})
	for _, host := range []string{"", "localhost", "localhost:9099", "127.0.0.1:9099", "10.0.0.8", "[::1]:9099", "[fe80::1]:9099", "::1", "wrackline", "wrackline:9099", "wrackline.monitoring.svc",
		"wrackline.monitoring.svc:9099", "wrackline.monitoring.svc.cluster.local", "box.local", "box.lan:80", "nas.home.arpa", "WRACKLINE.example.com", "wrackline.example.com.", "mon.example.org:80",
		"extra.example.net", "a.k8s.example.net", "a.b.k8s.example.net", "app.localhost:9099", "under_score"} {
		if w, seen := ask(g, Page, "GET", far, host); seen == nil {
			t.Errorf("host %q is refused: %d %s", host, w.Code, w.Body)
		}
	}
	for _, host := range []string{"evil.example", "evil.com:9099", "wrackline.example.com.evil.com", "a.b.svc.evil.com", "localhost.evil.com", "127.0.0.1.nip.io", "k8s.example.net", "xk8s.example.net", "evil.svc",
		"b.evil.com.svc", "1.2.3.4.evil.com", "evil.com\x00.local", "evil.com/.local", "evil..local", "ｌocalhost", "xn--e.com", "0x7f.1.com", "home.arpa.", strings.Repeat("a", 300), "localhost, evil.com"} {
		w, seen := ask(g, Page, "GET", near, host)
		if seen != nil || w.Code != http.StatusForbidden {
			t.Errorf("host %q is let in: %d", host, w.Code)
		}
		if body := w.Body.String(); !strings.Contains(body, "web.hosts") || !strings.Contains(body, "external_url") {
			t.Errorf("host %q: the answer does not say which option to set: %s", host, body)
		}
		for _, kind := range []Kind{Probe, Write, Machine} {
			if _, seen := ask(g, kind, "GET", far, host); seen == nil {
				t.Errorf("host %q is refused at a door of kind %d, which machines enter under any name", host, kind)
			}
		}
		if _, seen := ask(g, Machine, "GET", near, host, "Accept-Language", "de"); seen != nil {
			t.Errorf("host %q: a browser reads what machines read", host)
		}
	}
	if _, seen := ask(gate(t, Options{Hosts: []string{"*"}}), Page, "GET", far, "any.example"); seen == nil {
		t.Error("* does not let any name in")
	}
}

// TestRefusalSaysNothingOfItsOwn: what a stranger calls us comes back without anything that a page, a terminal or a log would take for more than text.
func TestRefusalSaysNothingOfItsOwn(t *testing.T) {
	g := gate(t, Options{})
	for _, accept := range []string{"text/html", "*/*"} {
		w, _ := ask(g, Page, "GET", far, "<script>alert(1)</script>\x1b[31m\u202e\xff.evil.com"+strings.Repeat("x", 5000), "Accept", accept)
		if b := w.Body.String(); strings.ContainsAny(b, "\x1b\u202e\xff") || strings.Contains(b, "<script>") || len(b) > 1500 {
			t.Errorf("accept %s: %q", accept, b)
		}
	}
}

// TestAdmin: who may change something.
func TestAdmin(t *testing.T) {
	const token = "a-token-of-24-characters"
	g := gate(t, Options{Token: token, ExternalURL: "https://w.example.com", Proxies: []string{"127.0.0.1", "10.9.0.0/16"}})
	for _, c := range []struct {
		why, peer, host string
		headers         []string
		want            int
	}{
		{"this machine", near, "localhost:9099", nil, 200},
		{"this machine, by address", near, "127.0.0.1:9099", nil, 200},
		{"this machine, IPv6", "[::1]:5", "[::1]:9099", nil, 200},
		{"this machine, mapped", "[::ffff:127.0.0.1]:5", "localhost", nil, 200},
		{"a page on this machine", near, "localhost:9099", []string{"Origin", "http://localhost:9099", "Sec-Fetch-Site", "same-origin"}, 200},
		{"elsewhere", far, "10.0.0.8:9099", nil, 403},
		{"elsewhere, naming us localhost", far, "localhost", nil, 403},
		{"elsewhere, claiming to be here", far, "10.0.0.8", []string{"X-Forwarded-For", "127.0.0.1"}, 403},
		{"a proxy we believe, whose client claims to be here", "10.9.1.1:5", "w.example.com", []string{"X-Forwarded-For", "127.0.0.1"}, 403},
		{"a proxy on this machine", near, "w.example.com", nil, 403},
		{"a proxy on this machine that keeps its own name", near, "127.0.0.1:9099", []string{"X-Forwarded-For", "203.0.113.7"}, 403},
		{"… by the other header", near, "127.0.0.1:9099", []string{"Forwarded", "for=203.0.113.7"}, 403},
		{"… that says only the scheme", near, "localhost", []string{"X-Forwarded-Proto", "https"}, 403},
		{"a mesh's sidecar", "127.0.0.6:5", "localhost", nil, 403},
		{"a name pointed at us", near, "evil.example", nil, 403},
		{"the token", far, "10.0.0.8", []string{"Authorization", "Bearer " + token}, 200},
		{"the token, other case", far, "w.example.com", []string{"Authorization", "bearer  " + token}, 200},
		{"the token under a name that is not ours", far, "evil.example", []string{"Authorization", "Bearer " + token}, 403},
		{"a wrong token", far, "10.0.0.8", []string{"Authorization", "Bearer " + token + "x"}, 401},
		{"a wrong token from here", near, "localhost", []string{"Authorization", "Bearer wrong"}, 401},
		{"no bearer", far, "10.0.0.8", []string{"Authorization", "Basic " + token}, 403},
		{"another site's page", near, "localhost:9099", []string{"Origin", "https://evil.example"}, 403},
		{"another site's page, with the token", near, "localhost:9099", []string{"Origin", "https://evil.example", "Authorization", "Bearer " + token}, 403},
		{"another site's form", near, "localhost:9099", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a sandboxed page", near, "localhost:9099", []string{"Origin", "null"}, 403},
		{"a page of another port here", near, "localhost:9099", []string{"Origin", "http://localhost:3000"}, 403},
	} {
		if w, seen := ask(g, Admin, "POST", c.peer, c.host, c.headers...); w.Code != c.want || (seen != nil) != (c.want == 200) {
			t.Errorf("%s: %d, want %d (%s)", c.why, w.Code, c.want, strings.TrimSpace(w.Body.String()))
		}
	}
	if w, _ := ask(g, Admin, "GET", near, "localhost", "Sec-Fetch-Site", "cross-site"); w.Code != 403 {
		t.Errorf("another site's picture of a profile: %d", w.Code)
	}
	if w, _ := ask(gate(t, Options{}), Admin, "POST", far, "10.0.0.8", "Authorization", "Bearer "); w.Code != 401 {
		t.Errorf("an empty token where none is configured: %d", w.Code)
	}
}

// TestWriteDoor: any name, any path of proxies, but no web page.
func TestWriteDoor(t *testing.T) {
	g := gate(t, Options{})
	if w, _ := ask(g, Write, "POST", far, "evil.example", "Origin", "http://evil.example"); w.Code != 403 {
		t.Errorf("a page under a name of its own may write: %d", w.Code)
	}
	if _, seen := ask(g, Write, "POST", far, "wrackline.prod.example.com:9099", "User-Agent", "Prometheus/3.16", "X-Forwarded-For", "1.2.3.4"); seen == nil {
		t.Error("a sender is refused")
	}
}

// TestProxies: who asks is the nearest address that is no proxy of ours; nobody else's word counts, and none of these headers goes further.
func TestProxies(t *testing.T) {
	g := gate(t, Options{Proxies: []string{"10.9.0.0/16", "fd00::/8", " 192.0.2.1 "}})
	for _, c := range []struct {
		peer string
		xff  []string
		want string // address that the door sees
	}{
		{"10.9.0.1:5", []string{"203.0.113.7"}, "203.0.113.7:0"},
		{"10.9.0.1:5", []string{"6.6.6.6, 203.0.113.7"}, "203.0.113.7:0"},
		{"10.9.0.1:5", []string{"6.6.6.6, 203.0.113.7, 10.9.0.2"}, "203.0.113.7:0"},
		{"10.9.0.1:5", []string{"6.6.6.6", "203.0.113.7,10.9.0.2"}, "203.0.113.7:0"},
		{"10.9.0.1:5", []string{"203.0.113.7:5555"}, "203.0.113.7:0"},
		{"[fd00::1]:5", []string{"2001:db8::1"}, "[2001:db8::1]:0"},
		{"192.0.2.1:5", []string{"[2001:db8::1]:7"}, "[2001:db8::1]:0"},
		{"10.9.0.1:5", []string{"10.9.0.3"}, "10.9.0.3:0"},
		{"10.9.0.1:5", []string{"unknown"}, "10.9.0.1:5"},
		{"10.9.0.1:5", []string{"203.0.113.7, unknown, 10.9.0.2"}, "10.9.0.2:0"},
		{"10.9.0.1:5", []string{""}, "10.9.0.1:5"},
		{"10.9.0.1:5", nil, "10.9.0.1:5"},
		{"10.8.0.1:5", []string{"203.0.113.7"}, "10.8.0.1:5"},
		{"10.9.0.1:5", []string{strings.Repeat("6.6.6.6,", 5000) + strings.Repeat("10.9.0.2,", 100) + "10.9.0.2"}, "10.9.0.2:0"},
	} {
		var headers []string
		for _, x := range c.xff {
			headers = append(headers, "X-Forwarded-For", x)
		}
		_, seen := ask(g, Page, "GET", c.peer, "localhost", append(headers, "X-Forwarded-Prefix", "/evil", "Forwarded", "for=1.1.1.1", "X-Real-IP", "1.1.1.1", "X-Other", "stays")...)
		if seen == nil || seen.RemoteAddr != c.want {
			t.Errorf("%s %.60q: %v, want %s", c.peer, c.xff, seen, c.want)
			continue
		}
		for name := range seen.Header {
			if ofProxy(name) {
				t.Errorf("%s goes further", name)
			}
		}
		if seen.Header.Get("X-Other") != "stays" {
			t.Error("another header is gone")
		}
	}
	if w, _ := ask(g, Page, "GET", "10.9.0.1:5", "wrackline:9099", "X-Forwarded-Host", "evil.example"); w.Code != 403 {
		t.Errorf("the name that a proxy was asked under is not looked at: %d", w.Code)
	}
	if _, seen := ask(g, Page, "GET", "10.8.0.1:5", "evil.example", "X-Forwarded-Host", "localhost"); seen != nil {
		t.Error("a stranger's X-Forwarded-Host is believed")
	}
}

// TestOptions: what is wrong is named with its place, and no secret is quoted.
func TestOptions(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Hosts: []string{"ok", "https://x"}}, "hosts[1]"},
		{Options{Hosts: []string{"a:80"}}, "hosts[0]"},
		{Options{Hosts: []string{""}}, "hosts[0]"},
		{Options{Proxies: []string{"10.0.0.0/33"}}, "trusted_proxies[0]"},
		{Options{Proxies: []string{"proxy.example"}}, "trusted_proxies[0]"},
		{Options{Token: "tooshort"}, "admin_token"},
	} {
		_, err := New(c.o)
		var e *Error
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), c.want+":") || strings.Contains(err.Error(), "tooshort") {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}
