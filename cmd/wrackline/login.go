package main

// Who is let in: what the configuration says of it, made into a web.Gate, and what stands behind that for each.

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/query"
	"github.com/wrackline/wrackline/ui"
	"github.com/wrackline/wrackline/web"
)

// secretOf returns a secret that is given as such or as a file; key is where it stands. No error quotes it.
func secretOf(key string, given, file, name string) (string, error) {
	switch {
	case given != "" && file != "":
		return "", keyError(key+"_file", "%s is given too; want one of the two", name)
	case file == "":
		return strings.TrimSpace(given), nil
	}
	b, err := readBounded(file)
	if errors.Is(err, os.ErrNotExist) {
		return "", keyError(key+"_file", "%w%s", err, nearFile(file))
	}
	if err != nil {
		return "", keyError(key+"_file", "%w", err)
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return "", keyError(key+"_file", "%s is empty", file)
	}
	return text, nil
}

// grant reads what somebody may do; key is where it stands.
func (x *webGrant) grant(key string) (web.Grant, error) {
	roles, err := web.ParseRoles(x.Roles)
	if err != nil {
		return web.Grant{}, keyError(key+".roles", "%w", err)
	}
	return web.Grant{Roles: roles, Clusters: x.Clusters}, nil
}

// users reads people or groups.
func webUsers(key string, list []webUser) (out []web.User, err error) {
	for i := range list {
		g, e := list[i].grant(fmt.Sprintf("%s[%d]", key, i))
		err = errors.Join(err, e)
		out = append(out, web.User{Name: list[i].Name, Grant: g})
	}
	return out, err
}

// webOptions returns what a configuration says of who is let in. Errors name the key and quote no token; all are there at once.
func (c *config) webOptions(listening [2]string) (web.Options, error) {
	o := web.Options{Listen: listening[:], ExternalURL: c.Alerting.ExternalURL, Hosts: c.Web.Hosts, Proxies: c.Web.TrustedProxies, Base: c.basePath()}
	var list []error
	note := func(err error) { list = append(list, each(err)...) }
	var err error
	o.Token, err = secretOf("web.admin_token", string(c.Web.AdminToken), c.Web.AdminTokenFile, "admin_token")
	note(err)
	for i := range c.Web.Tokens {
		t := &c.Web.Tokens[i]
		key := fmt.Sprintf("web.tokens[%d]", i)
		x := web.Token{Name: cmp.Or(t.Name, fmt.Sprintf("token %d", i))}
		if t.Token == "" && t.TokenFile == "" {
			note(keyError(key, "want exactly one of token and token_file"))
		}
		x.Secret, err = secretOf(key+".token", string(t.Token), t.TokenFile, "token")
		note(err)
		x.Grant, err = t.grant(key)
		note(err)
		o.Tokens = append(o.Tokens, x)
	}
	o.Users, err = webUsers("web.users", c.Web.Users)
	note(err)
	if p := c.Web.ProxyLogin; p != nil {
		o.Proxy = &web.ProxyLogin{UserHeader: p.UserHeader, GroupsHeader: p.GroupsHeader}
		if o.Proxy.Users, err = web.ParseRoles(p.Roles); err != nil {
			note(keyError("web.proxy_login.roles", "%w", err))
		}
		o.Proxy.Groups, err = webUsers("web.proxy_login.groups", p.Groups)
		note(err)
	}
	if c.Web.Anonymous != nil {
		r, err := web.ParseRoles(*c.Web.Anonymous)
		if err != nil {
			note(keyError("web.anonymous", "%w", err))
		}
		o.Anonymous = &r
	}
	if c.flags.file != "" {
		o.Basic = c.flags.file.Passwords
	}
	return o, errors.Join(list...)
}

// gate returns what stands before the doors.
func (c *config) gate(listening [2]string, audit func(*http.Request, web.Access, int)) (*web.Gate, error) {
	o, err := c.webOptions(listening)
	if err != nil {
		return nil, err
	}
	o.Audit = audit
	g, err := web.New(o)
	if we, ok := errors.AsType[*web.Error](err); ok {
		key := "web." + we.Field
		if we.Index >= 0 {
			key += fmt.Sprintf("[%d]", we.Index)
		} else if we.Field == "admin_token" && c.Web.AdminTokenFile != "" {
			key += "_file"
		}
		return nil, keyError(key, "%s", we.Msg)
	}
	return g, err
}

// setWeb makes everything that is served anew, as cfg says.
func (a *app) setWeb(cfg *config) error {
	g, err := cfg.gate(a.listening, a.audit)
	if err != nil {
		return err
	}
	main, admin := http.NewServeMux(), http.NewServeMux()
	a.gate.Store(g)
	for _, x := range []struct {
		mux *http.ServeMux
		may func(*http.Request) ui.Access
	}{{admin, may}, {main, map[bool]func(*http.Request) ui.Access{false: may}[a.apart]}} { // one may act where one may administrate
		made := perTenant(func(t *tenant) http.Handler {
			return ui.New(t.source(a), ui.Options{Timezone: cfg.Signals.Timezone, May: x.may, Version: buildVersion(), ExternalURL: cfg.pagesURL(), Elsewhere: ui.Elsewhere{Prometheus: cfg.Web.PrometheusURL, Grafana: cfg.Web.GrafanaURL, GrafanaDatasource: cfg.Web.GrafanaDatasource}, Demo: a.extra != nil, Logger: a.log})
		})
		made(&tenant{}) // at once: who sees everything is nearly everybody
		x.mux.Handle("/", g.Door(web.Page, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { made(tenantOf(r, web.MayRead)).ServeHTTP(w, r) })))
	}
	for _, d := range a.doors() {
		h := g.Door(d.kind, only(d.method, d.open))
		if (d.kind == web.Admin || d.kind == web.Act) && a.apart {
			main.Handle(d.pattern(), g.Door(web.Page, http.HandlerFunc(elsewhere)))
		} else {
			main.Handle(d.pattern(), h)
		}
		if d.kind != web.Write {
			admin.Handle(d.pattern(), h)
		}
	}
	h := cfg.underPrefixes(main)
	a.main.Store(&h)
	h2 := cfg.underPrefixes(admin)
	a.admin.Store(&h2)
	return nil
}

// audit logs what somebody did, or tried to, that is not only reading.
func (a *app) audit(r *http.Request, x web.Access, code int) {
	a.log.Info("audit", "door", r.URL.Path, "method", r.Method, "who", x.Name, "known_by", x.By, "from", r.RemoteAddr, "code", code)
}

// ofQuery is a door of the query API, for whoever asks.
func (a *app) ofQuery(serve func(*query.API, http.ResponseWriter, *http.Request)) http.HandlerFunc {
	made := perTenant(func(t *tenant) *query.API {
		if t.clusters == nil {
			return a.query
		}
		return a.query.Over(t.source(a))
	})
	return func(w http.ResponseWriter, r *http.Request) { serve(made(tenantOf(r, web.MayRead)), w, r) }
}

// admits says who may write, and of which cluster, for the door of samples, which knows the tokens of ingest.tokens itself. The machine alone is nobody there: what sends from it shows what others show.
func (a *app) admits(r *http.Request) (sender, cluster string, ok bool) {
	x := web.AccessOf(r)
	if !x.May(web.MayWrite) || x.By == web.ByNothing || x.By == web.ByMachine {
		return "", "", false
	}
	if list := x.Clusters(web.MayWrite); len(list) == 1 {
		cluster = list[0]
	}
	return "", cluster, true // several senders may show the same
}

// closed reports whether nobody in particular may write.
func (a *app) closed() bool {
	g := a.gate.Load()
	return g != nil && g.Anonymous()&web.MayWrite == 0
}

// openness says what everybody may do who reaches this machine, where nothing in the configuration says that it shall be so; "" = that is nothing, or nobody else reaches it.
func (a *app) openness() string {
	cfg, g := a.cfg.Load(), a.gate.Load()
	if g == nil || cfg.Web.Anonymous != nil || a.extra != nil {
		return ""
	}
	open := g.Anonymous()
	if len(cfg.Ingest.Tokens) > 0 {
		open &^= web.MayWrite
	}
	if open == 0 || !slices.ContainsFunc(a.listening[:1], beyondThisMachine) {
		return ""
	}
	words := map[web.Roles]string{web.MayRead: "read everything", web.MayWrite: "send samples", web.MayRead | web.MayWrite: "read everything and send samples"}[open]
	return fmt.Sprintf("Everybody who reaches %s may %s: there is no login", a.listening[0], words)
}

const opennessFix = "Give tokens (web.tokens, with the roles read and write), or a login (web.proxy_login, --web.config.file); or listen on 127.0.0.1 (--web.listen-address 127.0.0.1:9099); or write web.anonymous: [read, write] into the configuration when it shall be so, as behind a NetworkPolicy"

// beyondThisMachine reports whether others reach what listens on an address.
func beyondThisMachine(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address != ""
	}
	ip := net.ParseIP(host)
	return host != "localhost" && (ip == nil || !ip.IsLoopback())
}

// webFlags are what the command line says of doors.
type webFlags struct {
	externalURL, routePrefix string
	file                     web.ConfigFile
}

// obey lets the command line decide what it and the file may say.
func (c *config) obey(f webFlags) {
	c.flags = f
	c.Alerting.ExternalURL = cmp.Or(f.externalURL, c.Alerting.ExternalURL)
}

// check returns what is wrong with the flags.
func (f *webFlags) check() error {
	if u, err := url.Parse(f.externalURL); f.externalURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return usagef("--web.external-url %q is not an http or https URL, such as https://wrackline.example.com/wrackline", f.externalURL)
	}
	if f.routePrefix != "" && (!strings.HasPrefix(f.routePrefix, "/") || strings.ContainsAny(f.routePrefix, "?#*{} ")) {
		return usagef("--web.route-prefix %q is not a path, such as /wrackline", f.routePrefix)
	}
	return f.file.Check()
}

// prefixOf returns the path of a URL or a path without its end, "" for the root.
func prefixOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return strings.TrimRight(path.Clean("/"+u.Path), "/")
}

// pagesURL is what links of pages are made of: where people reach them, else the prefix of routes.
func (c *config) pagesURL() string { return cmp.Or(c.Alerting.ExternalURL, c.flags.routePrefix) }

// basePath returns the path before all pages, "" or /prefix.
func (c *config) basePath() string { return prefixOf(c.pagesURL()) }

// underPrefixes lets everything be reached below the path of external_url too, which a proxy may or may not take off, and below that of --web.route-prefix.
func (c *config) underPrefixes(next http.Handler) http.Handler {
	for _, prefix := range []string{prefixOf(c.Alerting.ExternalURL), prefixOf(c.flags.routePrefix)} {
		if prefix != "" {
			next = underPrefix(prefix, next)
		}
	}
	return next
}

// underPrefix lets everything be reached below a prefix too.
func underPrefix(prefix string, next http.Handler) http.Handler {
	below := http.StripPrefix(prefix, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, prefix+"/") {
			below.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
