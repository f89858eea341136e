// Package web decides who may knock at which door: whether a Host is one of ours, which proxies are believed, who somebody is, and what they may do; and it listens with TLS and passwords as Prometheus' web.config.file says.
//
// A Gate stands before all doors. It reads nothing of a body, keeps nothing of a request, and knows no door by name: the caller says of each what Kind it is.
//
// What it is against: a page of another site that makes somebody's browser speak to us, by a form or a script (Origin), or under a name of its own that it points at our address
// (DNS rebinding: Host); a client that writes its own X-Forwarded-For; and whoever reaches the port and should read only.
package web

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/VictoriaMetrics/metrics"
)

// Kind says what a door is for, and so what a request must show.
type Kind int

// The kinds of doors. The zero value is the strictest that anybody may enter where nothing is said of who may read.
const (
	// Page is for people and what reads for them: pages and the API. The Host must be one of ours. Role read.
	Page Kind = iota
	// Probe answers with one word about itself. Any Host: a probe knows none. No role.
	Probe
	// Machine is read by machines, under whatever name they know: queries. The Host must be one of ours only when a browser asks. Role read.
	Machine
	// Whole is as Machine, of what knows no clusters: who reads some clusters alone may not enter.
	Whole
	// Write takes what machines send, under whatever name they know. It does not care for Host and refuses whatever a web page sends: those cannot leave Origin out of a POST. Who may write decides what is behind it, see AccessOf.
	Write
	// Act says something of alarms. The Host must be one of ours, no page of another site may be behind it. Role act.
	Act
	// Admin changes something else, or shows the inside. As Act, with role admin.
	Admin
	// Enter takes a token from a form. As Act, but anybody may try.
	Enter
)

// role is what a kind of doors wants.
func (k Kind) role() Roles {
	switch k {
	case Page, Machine, Whole:
		return MayRead
	case Act:
		return MayAct
	case Admin:
		return MayAdministrate
	}
	return 0
}

// Options configure a Gate. The zero value believes no proxy, knows no name but those that cannot be another's, lets everybody read and write, and only this machine act and administrate.
type Options struct {
	Listen      []string // addresses listened on, host:port; their hosts are ours where they are names
	ExternalURL string   // where people reach the pages; its host is one of ours
	Hosts       []string // further names, without a port; *.example.com is all names below, * is any
	Proxies     []string // addresses and CIDRs whose X-Forwarded-For and X-Forwarded-Host are believed
	Token       string   // of whoever may administrate from elsewhere; "" = nobody
	Base        string   // path before all pages, "" or /prefix

	Tokens    []Token
	Users     []User
	Basic     func() bool // whether the name of HTTP basic authentication has been verified before a request comes here; nil = never
	Proxy     *ProxyLogin // nil = no proxy says who is logged in
	Anonymous *Roles      // of who shows nothing; nil = see Gate.Anonymous

	Audit func(r *http.Request, a Access, code int) // told of every request for something that is not only read, and what became of it; nil = nobody
}

// Gate stands before doors. It is immutable; safe for concurrent use.
type Gate struct {
	hosts     map[string]bool // names that are ours, lower case
	below     []string        // ".example.com": every name below it is ours
	any       bool
	proxies   []netip.Prefix
	tokens    []holder
	anonymous Roles
	origin    *http.CrossOriginProtection
	o         Options
}

// Error is what is wrong with Options, by the field that it belongs to.
type Error struct {
	Field string // hosts, trusted_proxies, admin_token, tokens, users, anonymous, or proxy_login with what is below
	Index int    // of the entry; −1 = of the whole
	Msg   string
}

// Error says field and reason.
func (e *Error) Error() string {
	if e.Index < 0 {
		return e.Field + ": " + e.Msg
	}
	return fmt.Sprintf("%s[%d]: %s", e.Field, e.Index, e.Msg)
}

// New returns a gate. Its errors are of type *Error and quote no secret.
func New(o Options) (*Gate, error) {
	g := &Gate{hosts: map[string]bool{"localhost": true}, origin: http.NewCrossOriginProtection(), o: o}
	for _, l := range o.Listen {
		g.hosts[hostOf(l)] = true // none is no name: see ours
	}
	if u, err := url.Parse(o.ExternalURL); err == nil && u.Host != "" {
		g.hosts[hostOf(u.Host)] = true
	}
	if name, err := os.Hostname(); err == nil && name != "" {
		g.hosts[strings.ToLower(name)] = true // whoever names machines here is no stranger
	}
	for i, h := range o.Hosts {
		if err := g.admitHost(strings.ToLower(strings.TrimSpace(h))); err != nil {
			return nil, &Error{"hosts", i, err.Error()}
		}
	}
	for i, p := range o.Proxies {
		prefix, err := parseProxy(p)
		if err != nil {
			return nil, &Error{"trusted_proxies", i, err.Error()}
		}
		g.proxies = append(g.proxies, prefix)
	}
	if err := g.admitPeople(); err != nil {
		return nil, err
	}
	return g, nil
}

// admitPeople takes in who is known, and decides what everybody else may do.
func (g *Gate) admitPeople() error {
	o := &g.o
	if o.Token != "" {
		all, _ := ParseRoles([]string{"admin"})
		if err := g.admitToken("admin_token", -1, &Token{Name: "web.admin_token", Secret: o.Token, Grant: Grant{Roles: all}}); err != nil {
			return err
		}
	}
	var told Roles // what somebody has to show something for
	for i := range o.Tokens {
		if err := g.admitToken("tokens", i, &o.Tokens[i]); err != nil {
			return err
		}
		told |= o.Tokens[i].Roles
	}
	for i := range o.Users {
		if err := checkGrant(&o.Users[i].Grant); err != nil {
			return &Error{"users", i, err.Error()}
		}
		if o.Users[i].Name == "" {
			return &Error{"users", i, "name is missing"}
		}
		told |= MayRead
	}
	if p := o.Proxy; p != nil {
		if p.UserHeader == "" {
			return &Error{"proxy_login", -1, "user_header is missing, such as X-Auth-Request-User"}
		}
		if len(g.proxies) == 0 {
			return &Error{"proxy_login", -1, "no proxy is believed: name its address in web.trusted_proxies, else whoever asks could write these headers"}
		}
		for i := range p.Groups {
			if err := checkGrant(&p.Groups[i].Grant); err != nil {
				return &Error{"proxy_login.groups", i, err.Error()}
			}
		}
		told |= MayRead
	}
	if o.Basic != nil && o.Basic() {
		told |= MayRead | MayWrite
	}
	g.anonymous = (MayRead | MayWrite) &^ told
	if o.Anonymous != nil {
		if g.anonymous = *o.Anonymous; g.anonymous&(MayAct|MayAdministrate) != 0 {
			return &Error{"anonymous", -1, "nobody in particular may read or write, and no more: want some of read, write"}
		}
	}
	return nil
}

// Anonymous returns what somebody may do who shows nothing: as Options say, else read and write, as far as no token, user, proxy or password is there for it.
func (g *Gate) Anonymous() Roles { return g.anonymous }

// admitHost makes a configured name one of ours.
func (g *Gate) admitHost(h string) error {
	rest, wild := strings.CutPrefix(h, "*.")
	switch {
	case h == "*":
		g.any = true
	case rest == "" || strings.ContainsAny(rest, "*/:@ \t"):
		return errors.New("want a name without scheme and port, such as wrackline.example.com or *.example.com, or * for any")
	case wild:
		g.below = append(g.below, "."+strings.TrimSuffix(rest, "."))
	default:
		g.hosts[strings.TrimSuffix(h, ".")] = true
	}
	return nil
}

func parseProxy(text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, errors.New("want an address or a CIDR, such as 10.0.0.7 or 10.42.0.0/16")
	}
	return p.Masked(), nil
}

// hostOf returns the host of host:port in lower case, without brackets and a last dot.
func hostOf(hostport string) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// Door returns next behind the gate. A request that is refused is answered and counted; next sees the client's address and the Host that it asked for, who asks by AccessOf, and no header of a proxy.
func (g *Gate) Door(kind Kind, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		access, wrong := g.identify(r, isLocal(r))
		r = withAccess(g.believe(r), access)
		if g.o.Audit != nil && (kind == Act || kind == Admin || kind == Enter) {
			seen := &coded{ResponseWriter: w, code: http.StatusOK}
			defer func() { g.o.Audit(r, access, seen.code) }()
			w = seen
		}
		if no := g.refuse(kind, r, &access, wrong); no != nil {
			refusals[no.reason].Inc()
			no.base = g.o.Base
			no.write(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// coded remembers the status of an answer.
type coded struct {
	http.ResponseWriter
	code  int
	wrote bool
}

func (c *coded) WriteHeader(code int) {
	if !c.wrote {
		c.code, c.wrote = code, true
	}
	c.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController find what is below.
func (c *coded) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// refuse returns why a request may not enter, or nil.
func (g *Gate) refuse(kind Kind, r *http.Request, a *Access, wrong bool) *refusal {
	switch kind {
	case Probe:
		return nil
	case Write:
		if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
			return &refusal{reason: "origin", code: http.StatusForbidden, text: "A page in a browser may not write samples here."}
		}
		return nil
	case Machine, Whole:
		if !fromBrowser(r) {
			return g.entitled(kind, a, wrong)
		}
	}
	if host := hostOf(r.Host); !g.ours(host) {
		return &refusal{reason: "host", code: http.StatusForbidden, text: "This Wrackline does not answer to the name " + shown(host) + ".",
			help: "If it should, name it in the configuration: alerting.external_url where people reach it under that name, or web.hosts: [" + shown(host) + "]. " +
				"Addresses, localhost and names that only exist inside (wrackline, wrackline.monitoring.svc) need no such word. " +
				"The check keeps web pages of others, which may point a name of theirs at this address, from reading what is here."}
	}
	if kind == Act || kind == Admin || kind == Enter {
		if err := g.origin.Check(r); err != nil || r.Header.Get("Sec-Fetch-Site") == "cross-site" {
			return &refusal{reason: "origin", code: http.StatusForbidden, text: "A page of another site may not ask for this."}
		}
	}
	return g.entitled(kind, a, wrong)
}

// entitled returns why whoever asks may not enter a door of a kind, or nil.
func (g *Gate) entitled(kind Kind, a *Access, wrong bool) *refusal {
	want := kind.role()
	if wrong && (kind == Act || kind == Admin || want != 0 && !a.May(want)) {
		return &refusal{reason: "token", code: http.StatusUnauthorized, text: "The token is not one of web.tokens, and not the one of web.admin_token."}
	}
	switch {
	case !a.May(want) && a.By != ByNothing:
		return &refusal{reason: "role", code: http.StatusForbidden, text: fmt.Sprintf("%s may %s, and this wants the role %s.", a.title(), orNothing(a.roles()), want),
			help: "Roles are given in the configuration: web.tokens, web.users, web.proxy_login."}
	case !a.May(want) && kind == Act, !a.May(want) && kind == Admin:
		return &refusal{reason: "admin", code: http.StatusForbidden, text: "This changes Wrackline or shows its inside, which only the machine that it runs on may ask for, or who has a token or login with the role " + want.String() + ".",
			help: "On that machine, in its container (kubectl exec, kubectl port-forward), or with a token: set web.admin_token_file, or a role in web.tokens, and send \"Authorization: Bearer TOKEN\" (--token-file of the commands)."}
	case !a.May(want):
		return &refusal{reason: "login", code: http.StatusUnauthorized, text: "Who reads here must show a token, or log in.", enter: len(g.tokens) > 0,
			help: "Programs send \"Authorization: Bearer TOKEN\" with a token of web.tokens. Where a proxy, a password or a certificate says who you are, come by that."}
	case kind == Whole && a.Clusters(MayRead) != nil:
		return &refusal{reason: "role", code: http.StatusForbidden, text: a.title() + " may see some clusters, and this is about all of them.", help: "/metrics/signals, /prometheus/api/v1/ and the API show what is of those."}
	}
	return nil
}

// title is what somebody is called.
func (a *Access) title() string {
	if a.Name == "" {
		return "Who asks"
	}
	return shown(a.Name)
}

func orNothing(r Roles) string {
	if r == 0 {
		return "do nothing here"
	}
	return r.String()
}

// isLocal reports whether a request was made on this machine: by its address alone, under a name of the machine, with no sign that a proxy beside us passes it on for somebody.
// 127.0.0.1 and ::1 alone: a mesh's sidecar calls from others of that net.
func isLocal(r *http.Request) bool {
	peer, ok := addrOf(r.RemoteAddr)
	if !ok || peer != netip.AddrFrom4([4]byte{127, 0, 0, 1}) && peer != netip.IPv6Loopback() {
		return false
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "X-Envoy-") || passedOn[name] {
			return false
		}
	}
	host := hostOf(r.Host)
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	return host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// passedOn are headers that proxies add.
var passedOn = map[string]bool{"Forwarded": true, "Via": true, "X-Real-Ip": true, "X-Client-Ip": true, "True-Client-Ip": true, "Cf-Connecting-Ip": true, "X-Request-Id": true,
	"X-Original-Forwarded-For": true, "X-Original-Host": true, "X-Scheme": true}

// fromBrowser reports whether a browser asks. Scripts can set many headers, but take none of these away.
func fromBrowser(r *http.Request) bool {
	h := r.Header
	return h.Get("Accept-Language") != "" || h.Get("Origin") != "" || h.Get("Cookie") != "" || h.Get("Sec-Fetch-Site") != "" || h.Get("Sec-Fetch-Mode") != ""
}

// ours reports whether a Host, without its port, is one of ours: configured, an address (rebinding needs a name), or a name that no public DNS serves, so that no stranger can point it at us.
func (g *Gate) ours(host string) bool {
	if g.any || host == "" || g.hosts[host] {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	for _, suffix := range g.below {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if !labelOK(l) {
			return false
		}
	}
	n := len(labels)
	return n == 1 || inside[labels[n-1]] || n == 3 && labels[2] == "svc" || n >= 3 && labels[n-2] == "home" && labels[n-1] == "arpa"
}

// inside are last labels that the public DNS does not have: those of RFC 6761 and 6762 (home.arpa, of RFC 8375, and a Service's svc are in ours), what ICANN keeps for private use, and what so many use
// inside that it is not given away.
var inside = map[string]bool{"localhost": true, "local": true, "internal": true, "test": true, "home": true, "corp": true, "lan": true, "localdomain": true}

func labelOK(l string) bool {
	if l == "" || len(l) > 63 {
		return false
	}
	for i := range len(l) {
		if c := l[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// hopsMax bounds how many entries of X-Forwarded-For are looked at.
const hopsMax = 32

// hides reports whether a header is a proxy's word, for whom it speaks or who is logged in.
func (g *Gate) hides(name string) bool {
	if ofProxy(name) {
		return true
	}
	p := g.o.Proxy
	return p != nil && (strings.EqualFold(name, p.UserHeader) || strings.EqualFold(name, p.GroupsHeader))
}

// believe returns the request with the client that a proxy speaks for in the place of the proxy, when that is one of the configured. Whoever it is, no header of a proxy stays: what comes
// behind has a request as if there were none.
func (g *Gate) believe(r *http.Request) *http.Request {
	said := 0
	for name := range r.Header {
		said += b2i(g.hides(name))
	}
	if said == 0 {
		return r
	}
	plain := new(http.Request)
	*plain = *r
	plain.Header = make(http.Header, len(r.Header)-said)
	for name, values := range r.Header {
		if !g.hides(name) {
			plain.Header[name] = values
		}
	}
	if peer, ok := addrOf(r.RemoteAddr); !ok || !g.trusts(peer) {
		return plain
	}
	if client, ok := g.client(r.Header.Values("X-Forwarded-For")); ok {
		plain.RemoteAddr = net.JoinHostPort(client.String(), "0")
	}
	if host := r.Header.Values("X-Forwarded-Host"); len(host) > 0 {
		last := host[len(host)-1] // the nearest proxy's word
		plain.Host = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	}
	return plain
}

// ofProxy reports whether a header is a proxy's word for whom it speaks.
func ofProxy(name string) bool {
	return strings.HasPrefix(name, "X-Forwarded-") || name == "Forwarded" || name == "X-Real-Ip"
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// client returns the address nearest to us that is not of a proxy we believe: what stands before it anybody may have written.
func (g *Gate) client(lines []string) (client netip.Addr, ok bool) {
	for i, hops := len(lines)-1, 0; i >= 0; i-- {
		rest := lines[i]
		for more := true; more; hops++ {
			var entry string
			at := strings.LastIndexByte(rest, ',')
			if more = at >= 0; more {
				rest, entry = rest[:at], rest[at+1:]
			} else {
				entry = rest
			}
			a, valid := addrOf(strings.TrimSpace(entry))
			if !valid || hops >= hopsMax {
				return client, ok
			}
			if client, ok = a, true; !g.trusts(a) {
				return client, ok
			}
		}
	}
	return client, ok
}

func (g *Gate) trusts(a netip.Addr) bool {
	for _, p := range g.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// addrOf reads an address with or without a port.
func addrOf(text string) (netip.Addr, bool) {
	if a, err := netip.ParseAddrPort(text); err == nil {
		return a.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return a.Unmap().WithZone(""), err == nil
}

var refusals = func() map[string]*metrics.Counter {
	out := map[string]*metrics.Counter{}
	for _, reason := range []string{"host", "origin", "admin", "token", "login", "role"} {
		out[reason] = metrics.NewCounter(`wrackline_web_requests_refused_total{reason="` + reason + `"}`)
	}
	return out
}()
