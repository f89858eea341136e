package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"

	"github.com/wrackline/wrackline/alerting/peer"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/query"
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
		{path: "/metrics", method: http.MethodGet, kind: web.Whole, open: a.serveMetrics},
		{path: "/metrics/signals", method: http.MethodGet, kind: web.Machine, open: a.ofQuery((*query.API).ServeSignals)},
		{path: query.Prefix + "/", kind: web.Machine, open: a.ofQuery((*query.API).ServeHTTP)},
		{path: "/-/reload", method: http.MethodPost, kind: web.Admin, open: a.serveReload},
		{path: "/-/accept", method: http.MethodPost, kind: web.Act, open: a.serveAccept},
		{path: "/-/forget", method: http.MethodPost, kind: web.Admin, open: a.serveForget},
		{path: "/debug/pprof/", method: http.MethodGet, kind: web.Admin, open: pprof.Index},
		{path: "/debug/pprof/cmdline", method: http.MethodGet, kind: web.Admin, open: pprof.Cmdline},
		{path: "/debug/pprof/profile", method: http.MethodGet, kind: web.Admin, open: pprof.Profile},
		{path: "/debug/pprof/symbol", kind: web.Admin, open: pprof.Symbol},
		{path: "/debug/pprof/trace", method: http.MethodGet, kind: web.Admin, open: pprof.Trace},
	}
	if a.peer != nil {
		list = append(list, door{path: peer.Path, method: http.MethodPost, kind: web.Write, open: a.peer.ServeHTTP}) // it shows the token of ha
	}
	return append(append(list, a.hands()...), a.benchDoors()...)
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
