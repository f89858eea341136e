package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.issue("ca", nil)
	return a
}

// issue writes NAME.crt and NAME.key, signed by the authority, or by itself the first time.
func (a *authority) issue(name string, sans []string) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	a.next++
	c := &x509.Certificate{SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: sans,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: a.cert == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	if a.cert == nil {
		a.cert, _ = x509.ParseCertificate(der)
		a.key = key
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	certPEM, keyPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
	a.write(name+".crt", string(certPEM))
	a.write(name+".key", string(keyPEM))
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		a.t.Fatal(err)
	}
	return pair
}

func (a *authority) write(name, text string) ConfigFile {
	a.t.Helper()
	f := filepath.Join(a.dir, name)
	if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return ConfigFile(f)
}

// serve listens as a file says, with a gate behind that says who came, and returns the address.
func (a *authority) serve(file ConfigFile, o Options) string {
	a.t.Helper()
	if err := file.Check(); err != nil {
		a.t.Fatal(err)
	}
	o.Basic = file.Passwords
	g := gate(a.t, o)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		a.t.Fatal(err)
	}
	mux := http.NewServeMux()
	tell := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := AccessOf(r)
		fmt.Fprintf(w, "%s by %s: %s", x.Name, x.By, x.roles())
	})
	mux.Handle("/", g.Door(Page, tell))
	mux.Handle("/-/healthy", g.Door(Probe, tell))
	mux.Handle("/-/act", g.Door(Act, tell))
	srv := &http.Server{Handler: mux, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	done := make(chan struct{})
	go func() { defer close(done); _ = file.Serve(l, srv, slog.New(slog.DiscardHandler), "/-/healthy") }()
	a.t.Cleanup(func() { srv.Close(); <-done })
	return l.Addr().String()
}

// get asks; the answer is "" when there was no connection.
func (a *authority) get(url string, client *tls.Certificate, max uint16, headers ...string) (status int, text string, res *http.Response) {
	a.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	conf := &tls.Config{RootCAs: pool, MaxVersion: max}
	if client != nil {
		conf.Certificates = []tls.Certificate{*client}
	}
	t := &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err = (&http.Client{Transport: t, Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		return 0, "", nil
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b), res
}

// hunter2 is its hash.
const hunter2 = "$2a$04$lrJQ9HcOi3rV81xNHbPXZ.FkNGrwZdNIbhtzl2aeGEh2JBaGMCgYG"

// TestConfigFiles: what Prometheus documents of its web.config.file holds here.
func TestConfigFiles(t *testing.T) {
	a := newAuthority(t)
	a.issue("server", []string{"localhost"})
	alice, stranger := a.issue("alice", []string{"alice.example"}), newAuthority(t).issue("mallory", nil)
	const keys = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n" // relative to the file
	t.Run("TLS", func(t *testing.T) {
		at := a.serve(a.write("tls.yml", keys), Options{})
		if code, text, res := a.get("https://"+at+"/", nil, 0); code != 200 || !strings.Contains(text, "by this machine") || res.ProtoMajor != 2 {
			t.Errorf("%d %s", code, text)
		}
		if code, _, _ := a.get("http://"+at+"/", nil, 0); code != 400 {
			t.Errorf("without TLS: %d", code)
		}
		if code, _, _ := a.get("https://"+at+"/", nil, tls.VersionTLS11); code != 0 {
			t.Errorf("TLS 1.1: %d", code)
		}
	})
	t.Run("versions and HTTP/2", func(t *testing.T) {
		at := a.serve(a.write("v.yml", keys+"  min_version: TLS13\nhttp_server_config:\n  http2: false\n  headers:\n    Strict-Transport-Security: max-age=31536000\n    X-Frame-Options: deny\n"), Options{})
		if code, _, _ := a.get("https://"+at+"/", nil, tls.VersionTLS12); code != 0 {
			t.Errorf("TLS 1.2: %d", code)
		}
		code, _, res := a.get("https://"+at+"/", nil, 0)
		if code != 200 || res.ProtoMajor != 1 || res.Header.Get("Strict-Transport-Security") != "max-age=31536000" {
			t.Errorf("%d %v", code, res)
		}
	})
	t.Run("client certificates", func(t *testing.T) {
		for kind, want := range map[string][3]int{"RequireAndVerifyClientCert": {0, 200, 0}, "VerifyClientCertIfGiven": {200, 200, 0}, "NoClientCert": {200, 200, 200}, "RequireAnyClientCert": {0, 200, 200}, "RequestClientCert": {200, 200, 200}} {
			text := keys + "  client_auth_type: " + kind + "\n"
			if kind != "NoClientCert" {
				text += "  client_ca_file: ca.crt\n"
			}
			at := a.serve(a.write("c.yml", text), Options{})
			for i, c := range []*tls.Certificate{nil, &alice, &stranger} {
				code, text, _ := a.get("https://"+at+"/", c, 0)
				if code != want[i] {
					t.Errorf("%s, certificate %d: %d, want %d", kind, i, code, want[i])
				}
				known := strings.Contains(text, "alice by certificate: write, read, act")
				if should := i == 1 && strings.Contains(kind, "Verify"); known != should {
					t.Errorf("%s, certificate %d: %q", kind, i, text)
				}
			}
		}
		read, _ := ParseRoles([]string{"read"})
		at := a.serve(a.write("s.yml", keys+"  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  client_allowed_sans: [alice.example]\n"), Options{Users: []User{{"alice.example", Grant{Roles: read}}}})
		if code, text, _ := a.get("https://"+at+"/", &alice, 0); code != 200 || text != "alice.example by certificate: read" {
			t.Errorf("%d %s", code, text)
		}
		if code, _, _ := a.get("https://"+at+"/-/act", &alice, 0); code != 403 {
			t.Errorf("who may read acts: %d", code)
		}
		bob := a.issue("bob", []string{"bob.example"})
		if code, _, _ := a.get("https://"+at+"/", &bob, 0); code != 0 {
			t.Errorf("a name that is not allowed: %d", code)
		}
	})
	t.Run("certificates are exchanged", func(t *testing.T) {
		f := a.write("x.yml", strings.ReplaceAll(keys, "server.", "changing."))
		a.issue("changing", []string{"one.example"})
		at := a.serve(f, Options{})
		name := func() string {
			_, _, res := a.get("https://"+at+"/", nil, 0)
			return strings.Join(res.TLS.PeerCertificates[0].DNSNames, ",")
		}
		one := name()
		a.issue("changing", []string{"two.example"})
		if two := name(); one != "one.example" || two != "two.example" {
			t.Errorf("%s, then %s", one, two)
		}
	})
}

// TestPasswords: basic_auth_users, what a token may do beside them, and that both change without a restart.
func TestPasswords(t *testing.T) {
	a := newAuthority(t)
	admin, _ := ParseRoles([]string{"admin"})
	read, _ := ParseRoles([]string{"read"})
	f := a.write("u.yml", "basic_auth_users:\n  alice: "+hunter2+"\n  bob: "+hunter2+"\n")
	at := "http://" + a.serve(f, Options{Users: []User{{"bob", Grant{Roles: admin}}}, Tokens: []Token{{"reader", "0123456789abcdef", Grant{Roles: read}}}})
	basic := func(user, password string) []string {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		return []string{"Authorization", r.Header.Get("Authorization")}
	}
	for _, c := range []struct {
		path    string
		headers []string
		code    int
		text    string
	}{
		{"/", nil, 401, "Unauthorized"},
		{"/", basic("alice", "hunter3"), 401, ""},
		{"/", basic("carol", "hunter2"), 401, ""},
		{"/", basic("alice", "hunter2"), 200, "alice by password: write, read, act"},
		{"/", basic("bob", "hunter2"), 200, "bob by password: write, read, act, admin"},
		{"/-/act", basic("alice", "hunter2"), 200, ""},
		{"/-/healthy", nil, 200, ""},
		{"/x/-/healthy", nil, 401, ""},
		{"/", []string{"Authorization", "Bearer 0123456789abcdef"}, 200, "reader by token: read"},
		{"/-/act", []string{"Authorization", "Bearer 0123456789abcdef"}, 403, ""},
		{"/", []string{"Authorization", "Bearer wrong"}, 401, ""},
		{"/-/act", []string{"Authorization", "Bearer wrong"}, 401, ""},
	} {
		code, text, _ := a.get(at+c.path, nil, 0, c.headers...)
		if code != c.code || !strings.Contains(text, c.text) {
			t.Errorf("%s %v: %d %q, want %d %q", c.path, c.headers, code, text, c.code, c.text)
		}
	}
	a.write("u.yml", "basic_auth_users:\n  carol: "+hunter2+"\n")
	for user, want := range map[string]int{"alice": 401, "carol": 200} {
		if code, _, _ := a.get(at+"/", nil, 0, basic(user, "hunter2")...); code != want {
			t.Errorf("after the change %s: %d, want %d", user, code, want)
		}
	}
	a.write("u.yml", "\n") // whose names nobody verifies any more
	if _, text, _ := a.get(at+"/-/act", nil, 0, basic("bob", "x")...); strings.Contains(text, "bob") {
		t.Errorf("a name is believed that nobody verified: %s", text)
	}
}

// TestBadConfigFiles: each says what is wrong, with its place where the file's form is, and quotes nothing secret.
func TestBadConfigFiles(t *testing.T) {
	a := newAuthority(t)
	a.issue("server", nil)
	for text, want := range map[string]string{
		"tls_server_confg: {}\n":                                                                      `bad.yml:1:1: tls_server_confg: there is no such key; did you mean "tls_server_config"?`,
		"tls_server_config:\n  certfile: x\n  kay_file: y\n":                                          `bad.yml:3:3: tls_server_config.kay_file: there is no such key; did you mean "key_file"?`,
		"tls_server_config: {cert_file: server.crt}\n":                                                "missing one of key or key_file",
		"tls_server_config: {key_file: server.key}\n":                                                 "missing one of cert or cert_file",
		"tls_server_config: {cert_file: none.crt, key_file: server.key}\n":                            "failed to read cert_file",
		"tls_server_config: {cert_file: server.crt, key_file: server.crt}\n":                          "failed to load X509KeyPair",
		"tls_server_config: {cert_file: server.crt, key_file: server.key, client_auth_type: Maybe}\n": "invalid ClientAuth",
		"tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: ca.crt}\n":  "without a Client Auth Policy",
		"tls_server_config: {cert_file: server.crt, key_file: server.key, min_version: TLS9}\n":       "tls_server_config.min_version: unknown TLS version",
		"tls_server_config: {cert_file: server.crt, key_file: server.key, cipher_suites: [X]}\n":      "unknown cipher",
		"http_server_config: {headers: {X-Anything: x}}\n":                                            "can not be configured",
		"http_server_config: {headers: {X-Frame-Options: maybe}}\n":                                   "invalid value for X-Frame-Options",
		"basic_auth_users: {alice: canary-canary}\n":                                                  "bcrypt",
		"basic_auth_users: [canary-canary]\n":                                                         "basic_auth_users: want a mapping, not a list",
		"basic_auth_users: {alice: [canary-canary]}\n":                                                "basic_auth_users.alice",
		"tls_server_config: [\n":                                                                      "it is no YAML",
	} {
		err := a.write("bad.yml", text).Check()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if err := ConfigFile(filepath.Join(a.dir, "none.yml")).Check(); err == nil {
		t.Error("a file that is not there")
	}
	if err := a.write("empty.yml", "").Check(); err != nil {
		t.Errorf("the empty file: %v", err)
	}
}
