// Who somebody is, and what that lets them do: tokens, users of a password or a certificate, and users whom a proxy names.

package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
)

// Roles are what somebody may do; several are added up.
type Roles uint8

// The roles. Act includes Read; Administrate includes all. The zero value may nothing.
const (
	MayWrite        Roles = 1 << iota // send samples
	MayRead                           // see pages, API, metrics and queries
	MayAct                            // say something of alarms: ack, silence, maintenance, lesson, level
	MayAdministrate                   // reload, forget, profile
)

// roleNames are the words for them, in the order of the constants.
var roleNames = []string{"write", "read", "act", "admin"}

// RoleNames are the words that ParseRoles takes.
func RoleNames() []string { return slices.Clone(roleNames) }

// ParseRoles reads the words for roles.
func ParseRoles(words []string) (r Roles, err error) {
	for _, w := range words {
		i := slices.Index(roleNames, w)
		if i < 0 {
			return 0, fmt.Errorf("%q is not a role; there are %s", w, strings.Join(roleNames, ", "))
		}
		r |= 1 << i
	}
	if r&MayAdministrate != 0 {
		r |= MayWrite | MayAct
	}
	if r&MayAct != 0 {
		r |= MayRead
	}
	return r, nil
}

// String lists the words.
func (r Roles) String() string {
	var list []string
	for i, n := range roleNames {
		if r&(1<<i) != 0 {
			list = append(list, n)
		}
	}
	return strings.Join(list, ", ")
}

// Grant is what somebody may do, and where.
type Grant struct {
	Roles    Roles
	Clusters []string // names, or globs as prod-*; nil = everywhere
}

// Token is a bearer token.
type Token struct {
	Name   string // of whoever holds it, for the audit log
	Secret string
	Grant
}

// User is somebody with a name: of web.config.file's basic_auth_users, of a client certificate (its common name, or a name of its subject), or of a proxy's login.
type User struct {
	Name string
	Grant
}

// ProxyLogin says by which headers a proxy that is believed names who is logged in. Headers of others, and headers that come twice, say nothing.
type ProxyLogin struct {
	UserHeader   string
	GroupsHeader string // names with commas between; "" = none
	Users        Roles  // of everybody whom it names
	Groups       []User // and of these groups, by name
}

// known are the roles of who has shown a password or a certificate of which nothing else is said.
const known = MayWrite | MayRead | MayAct

// Ways by which somebody is known.
const (
	ByToken       = "token"
	ByPassword    = "password"
	ByCertificate = "certificate"
	ByProxy       = "proxy"
	ByMachine     = "this machine"
	ByNothing     = "nobody"
)

// Access says who asks, and what they may do.
type Access struct {
	Name   string // "" = nobody in particular
	By     string // one of the ways
	Token  bool   // there is a token that could be shown
	grants []Grant
}

type accessKey struct{}

// AccessOf returns who asks, of a request that came through a Gate; who may nothing when it came through none.
func AccessOf(r *http.Request) Access {
	a, _ := r.Context().Value(accessKey{}).(Access)
	return a
}

// May reports whether somebody has all of some roles, wherever it is.
func (a *Access) May(r Roles) bool { return a.roles()&r == r }

func (a *Access) roles() (all Roles) {
	for _, g := range a.grants {
		all |= g.Roles
	}
	return all
}

// Person reports whether the name is that of a person rather than of a token that several may have.
func (a *Access) Person() bool {
	return a.Name != "" && (a.By == ByPassword || a.By == ByCertificate || a.By == ByProxy)
}

// Clusters returns where somebody has a role, sorted; nil = everywhere, or nowhere at all: see May.
func (a *Access) Clusters(r Roles) (list []string) {
	for _, g := range a.grants {
		if g.Roles&r != r {
			continue
		}
		if g.Clusters == nil {
			return nil
		}
		list = append(list, g.Clusters...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// In reports whether a cluster is one of those; nil is all.
func In(clusters []string, name string) bool {
	return clusters == nil || slices.ContainsFunc(clusters, func(c string) bool { ok, _ := path.Match(c, name); return ok })
}

// holder is a token as it is kept.
type holder struct {
	name  string
	sum   [sha256.Size]byte
	pass  string // what a browser's cookie holds that has shown it
	grant Grant
}

// TokenMin is how many characters a token has at least.
const TokenMin = 16

// admitToken makes a token one of those that open doors.
func (g *Gate) admitToken(field string, index int, t *Token) error {
	sum := sha256.Sum256([]byte(t.Secret))
	fail := func(format string, args ...any) error { return &Error{field, index, fmt.Sprintf(format, args...)} }
	switch {
	case len(t.Secret) < TokenMin:
		return fail("it is shorter than %d characters; \"openssl rand -hex 16\" gives one that nobody guesses", TokenMin)
	case strings.ContainsFunc(t.Secret, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fail("it has a character that no header can carry: want letters, digits and signs of ASCII, without a space")
	case slices.ContainsFunc(g.tokens, func(h holder) bool { return h.sum == sum }):
		return fail("it is the same as another: whose would it be? Give each its own")
	}
	if err := checkGrant(&t.Grant); err != nil {
		return fail("%v", err)
	}
	g.tokens = append(g.tokens, holder{t.Name, sum, passOf(t.Secret), t.Grant})
	return nil
}

// checkGrant returns what is wrong with a grant.
func checkGrant(x *Grant) error {
	if x.Roles == 0 {
		return errors.New("roles is missing: want some of " + strings.Join(roleNames, ", "))
	}
	if x.Clusters == nil {
		return nil
	}
	if len(x.Clusters) == 0 {
		return errors.New("clusters is empty: name some, or leave it out for all")
	}
	if x.Roles&MayAdministrate != 0 {
		return errors.New("whoever administrates does so for all clusters; leave clusters out, or want act in place of admin")
	}
	for _, c := range x.Clusters {
		if _, err := path.Match(c, "x"); err != nil || c == "" {
			return fmt.Errorf("%q is not the name of a cluster, nor a glob such as prod-*", c)
		}
	}
	if x.Roles&MayWrite != 0 && (len(x.Clusters) != 1 || strings.ContainsAny(x.Clusters[0], `*?[\`)) {
		return errors.New("whoever writes with clusters writes one: want the one name, without * and ?")
	}
	return nil
}

// byToken finds a token. All are compared, in constant time.
func (g *Gate) byToken(text string) (h *holder) {
	sum := sha256.Sum256([]byte(strings.TrimSpace(text)))
	for i := range g.tokens {
		if subtle.ConstantTimeCompare(sum[:], g.tokens[i].sum[:]) == 1 {
			h = &g.tokens[i]
		}
	}
	return h
}

// byPass finds the token that a browser has shown.
func (g *Gate) byPass(pass string) (h *holder) {
	for i := range g.tokens {
		if subtle.ConstantTimeCompare([]byte(pass), []byte(g.tokens[i].pass)) == 1 {
			h = &g.tokens[i]
		}
	}
	return h
}

func (h *holder) access() Access { return Access{Name: h.name, By: ByToken, grants: []Grant{h.grant}} }

// bearer is the token that a request shows.
func bearer(r *http.Request) (token string, ok bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

// identify says who asks. wrong reports that a token was shown that nobody knows; who asks is nobody then. r is as it came; local says whether it was made on this machine.
func (g *Gate) identify(r *http.Request, local bool) (a Access, wrong bool) {
	a, wrong = g.identified(r, local)
	a.Token = len(g.tokens) > 0
	return a, wrong
}

func (g *Gate) identified(r *http.Request, local bool) (a Access, wrong bool) {
	nobody := Access{By: ByNothing, grants: []Grant{{Roles: g.anonymous}}}
	if token, ok := bearer(r); ok {
		if h := g.byToken(token); h != nil {
			return h.access(), false
		}
		// Who shows a token that is wrong thinks of itself as a stranger, and should learn that it is wrong.
		return nobody, true
	}
	if name, _, ok := r.BasicAuth(); ok && g.o.Basic != nil && g.o.Basic() {
		return g.user(ByPassword, name), false
	}
	if peer, ok := addrOf(r.RemoteAddr); ok && g.o.Proxy != nil && g.trusts(peer) {
		if a, ok := g.proxied(r); ok {
			return a, false
		}
		local = false // what it passes on without a login is nobody's
	}
	if c, err := r.Cookie(cookieName); err == nil {
		if h := g.byPass(c.Value); h != nil {
			return h.access(), false
		}
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 && len(r.TLS.PeerCertificates) > 0 {
		cert := r.TLS.PeerCertificates[0]
		names := slices.Concat([]string{cert.Subject.CommonName}, cert.DNSNames, cert.EmailAddresses)
		for _, u := range cert.URIs {
			names = append(names, u.String())
		}
		for _, n := range names {
			if slices.ContainsFunc(g.o.Users, func(u User) bool { return u.Name == n }) {
				return g.user(ByCertificate, n), false
			}
		}
		return g.user(ByCertificate, names[0]), false
	}
	if local {
		all, _ := ParseRoles([]string{"admin"})
		return Access{By: ByMachine, grants: []Grant{{Roles: all}}}, false
	}
	return nobody, false
}

// user is somebody whose name is certain.
func (g *Gate) user(by, name string) Access {
	a := Access{Name: name, By: by}
	for _, u := range g.o.Users {
		if u.Name == name {
			a.grants = append(a.grants, u.Grant)
		}
	}
	if a.grants == nil {
		a.grants = []Grant{{Roles: known}}
	}
	return a
}

// proxied is whom a proxy that is believed names.
func (g *Gate) proxied(r *http.Request) (a Access, ok bool) {
	name, ok := only(r, g.o.Proxy.UserHeader)
	if !ok || name == "" || len(name) > 200 {
		return a, false
	}
	a = Access{Name: name, By: ByProxy}
	if g.o.Proxy.Users != 0 {
		a.grants = append(a.grants, Grant{Roles: g.o.Proxy.Users})
	}
	for _, u := range g.o.Users {
		if u.Name == name {
			a.grants = append(a.grants, u.Grant)
		}
	}
	if list, ok := only(r, g.o.Proxy.GroupsHeader); ok {
		for group := range strings.SplitSeq(list, ",") {
			for _, u := range g.o.Proxy.Groups {
				if u.Name == strings.TrimSpace(group) {
					a.grants = append(a.grants, u.Grant)
				}
			}
		}
	}
	return a, true
}

// only returns the value of a header that is there once.
func only(r *http.Request, name string) (string, bool) {
	if name == "" {
		return "", false
	}
	list := r.Header.Values(name)
	if len(list) != 1 {
		return "", false
	}
	return strings.TrimSpace(list[0]), true
}

// withAccess notes who asks.
func withAccess(r *http.Request, a Access) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), accessKey{}, a))
}
