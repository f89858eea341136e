package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/query"
	"github.com/wrackline/wrackline/ui"
	"github.com/wrackline/wrackline/web"
)

// door is an address that is answered.
type door struct {
	path   string // as ServeMux takes it, without a method
	method string // "" = the handler decides; GET stands for HEAD too
	kind   web.Kind
	open   http.HandlerFunc
	shared bool // pages answer other methods at the same address
}

// pattern is the door as ServeMux takes it.
func (d *door) pattern() string {
	if d.shared {
		return d.method + " " + d.path
	}
	return d.path
}

// doors lists everything that is served, and who may ask for it. Whatever changes something or shows the inside is of kind web.Admin; pages only read.
func (a *app) doors() []door {
	list := []door{
		{path: "/api/v1/write", kind: web.Write, open: func(w http.ResponseWriter, r *http.Request) { a.door.Load().ServeHTTP(w, r) }},
		{path: "/-/healthy", method: http.MethodGet, kind: web.Probe, open: func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "Wrackline is healthy.\n") }},
		{path: "/-/ready", method: http.MethodGet, kind: web.Probe, open: a.serveReady},
		{path: "/metrics", method: http.MethodGet, kind: web.Machine, open: a.serveMetrics},
		{path: "/metrics/signals", method: http.MethodGet, kind: web.Machine, open: a.query.ServeSignals},
		{path: query.Prefix + "/", kind: web.Machine, open: a.query.ServeHTTP},
		{path: "/-/reload", method: http.MethodPost, kind: web.Admin, open: a.serveReload},
		{path: "/-/accept", method: http.MethodPost, kind: web.Admin, open: a.serveAccept},
		{path: "/-/forget", method: http.MethodPost, kind: web.Admin, open: a.serveForget},
		{path: "/debug/pprof/", method: http.MethodGet, kind: web.Admin, open: pprof.Index},
		{path: "/debug/pprof/cmdline", method: http.MethodGet, kind: web.Admin, open: pprof.Cmdline},
		{path: "/debug/pprof/profile", method: http.MethodGet, kind: web.Admin, open: pprof.Profile},
		{path: "/debug/pprof/symbol", kind: web.Admin, open: pprof.Symbol},
		{path: "/debug/pprof/trace", method: http.MethodGet, kind: web.Admin, open: pprof.Trace},
	}
	return append(append(list, a.hands()...), a.benchDoors()...)
}

// webOptions returns what a configuration says of who is let in. Errors name the key and quote no token.
func (c *config) webOptions(listening [2]string) (web.Options, error) {
	o := web.Options{Listen: listening[:], ExternalURL: c.Alerting.ExternalURL, Hosts: c.Web.Hosts, Proxies: c.Web.TrustedProxies, Token: strings.TrimSpace(string(c.Web.AdminToken))}
	if c.Web.AdminTokenFile == "" {
		return o, nil
	}
	if o.Token != "" {
		return o, keyError("web.admin_token_file", "admin_token is given too; want one of the two")
	}
	b, err := os.ReadFile(c.Web.AdminTokenFile)
	if err != nil {
		return o, keyError("web.admin_token_file", "%w", err)
	}
	if o.Token = strings.TrimSpace(string(b)); o.Token == "" {
		return o, keyError("web.admin_token_file", "%s is empty", c.Web.AdminTokenFile)
	}
	return o, nil
}

// gate returns what stands before the doors.
func (c *config) gate(listening [2]string) (*web.Gate, error) {
	o, err := c.webOptions(listening)
	if err != nil {
		return nil, err
	}
	g, err := web.New(o)
	if we, ok := errors.AsType[*web.Error](err); ok {
		key := "web." + we.Field
		if we.Index >= 0 {
			key += fmt.Sprintf("[%d]", we.Index)
		} else if c.Web.AdminTokenFile != "" {
			key += "_file"
		}
		return nil, keyError(key, "%s", we.Msg)
	}
	return g, err
}

// setWeb makes everything that is served anew, as cfg says.
func (a *app) setWeb(cfg *config) error {
	g, err := cfg.gate(a.listening)
	if err != nil {
		return err
	}
	pages := func(may func(*http.Request) ui.Access) http.Handler {
		return g.Door(web.Page, ui.New(source{a}, ui.Options{Timezone: cfg.Signals.Timezone, May: may, Version: buildVersion(), ExternalURL: cfg.Alerting.ExternalURL, Elsewhere: ui.Elsewhere{Prometheus: cfg.Web.PrometheusURL, Grafana: cfg.Web.GrafanaURL, GrafanaDatasource: cfg.Web.GrafanaDatasource}, Demo: a.extra != nil, Logger: a.log}))
	}
	main, admin := http.NewServeMux(), http.NewServeMux()
	a.gate.Store(g)
	admin.Handle("/", pages(may)) // one may act where one may administrate
	if a.apart {
		main.Handle("/", pages(nil))
	} else {
		main.Handle("/", pages(may))
	}
	for _, d := range a.doors() {
		h := g.Door(d.kind, only(d.method, d.open))
		if d.kind == web.Admin && a.apart {
			main.Handle(d.pattern(), g.Door(web.Page, http.HandlerFunc(elsewhere)))
		} else {
			main.Handle(d.pattern(), h)
		}
		if d.kind != web.Write {
			admin.Handle(d.pattern(), h)
		}
	}
	h := underPrefix(cfg.Alerting.ExternalURL, main)
	a.main.Store(&h)
	h2 := underPrefix(cfg.Alerting.ExternalURL, admin)
	a.admin.Store(&h2)
	return nil
}

// elsewhere answers who looks for administration at the address of pages although it has one of its own.
func elsewhere(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "This is answered at the address of --web.admin-address alone (--server of the commands names it).", http.StatusForbidden)
}

// only lets requests of one method through; GET stands for HEAD too.
func only(method string, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if method == "" || r.Method == method || method == http.MethodGet && r.Method == http.MethodHead {
			next(w, r)
			return
		}
		w.Header().Set("Allow", method)
		http.Error(w, "This address wants "+method+".", http.StatusMethodNotAllowed)
	})
}

// underPrefix lets everything be reached below the path of external_url too: a proxy may or may not take that off.
func underPrefix(external string, next http.Handler) http.Handler {
	u, err := url.Parse(external)
	if err != nil {
		return next
	}
	prefix := strings.TrimRight(path.Clean("/"+u.Path), "/")
	if prefix == "" {
		return next
	}
	below := http.StripPrefix(prefix, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, prefix+"/") {
			below.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serveReady answers whether requests are taken. While a disk refuses them the answer is yes all the same, with the reason: to be cut off from who asks for pages helps nobody, and senders are told to come again.
func (a *app) serveReady(w http.ResponseWriter, _ *http.Request) {
	ok, text := a.state()
	if !ok {
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	io.WriteString(w, "Wrackline is "+text+".\n")
	if no := a.intake.refusing.Load(); ok && no != nil {
		io.WriteString(w, "But the newest request was refused: "+series.Clean(no.err.Error(), problemMax)+"\n")
	}
	if alive, why := a.self.alive(); ok && !alive {
		io.WriteString(w, "But judging does not go on: "+why+"\n")
	}
}

// errNotReady is what changes nothing while a start is under way, or the end.
var errNotReady = errors.New("try again in a moment")

// working returns nil when the fold runs, so that something may be changed.
func (a *app) working() error {
	if ok, doing := a.state(); !ok {
		return fmt.Errorf("Wrackline is %s: %w", doing, errNotReady)
	}
	return nil
}

// unavailable answers what may be asked again.
func unavailable(w http.ResponseWriter, err error) {
	w.Header().Set("Retry-After", "2")
	http.Error(w, err.Error(), http.StatusServiceUnavailable)
}
