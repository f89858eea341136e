// Package ui shows what is normal, what is not, and why: web pages and a JSON API over read-only snapshots.
//
// New returns the handler; a Source gives it everything it shows. Pages are rendered on the server, charts are inline
// SVG, and one small ES module adds refresh, zoom and keys; without it every page still works. Nothing here changes
// anything: only GET and HEAD exist. Label values come from whoever sends metrics and are shown as text, never trusted.
package ui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/gin-gonic/gin"
)

// Options configure the pages. The zero value works.
type Options struct {
	Version     string       // of the program, for the footer
	ExternalURL string       // where people reach the pages; its path is put before every link. "" means /
	Demo        bool         // says on every page that the cluster is simulated
	Logger      *slog.Logger // nil discards
}

//go:embed web
var webFiles embed.FS

// policy lets a page load only what this server serves. There is no inline script and no inline style.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

// asset is one static file.
type asset struct {
	data []byte
	kind string // Content-Type
	etag string
}

// server renders pages. It is immutable once made.
type server struct {
	src     Source
	o       Options
	base    string // path before every link, "" or /prefix
	pages   map[string]*template.Template
	assets  map[string]asset
	log     *slog.Logger
	noticed noticeCache
	testing sync.Mutex // a self-test is under way
}

// New returns the handler of pages and API. It panics only when the embedded templates are broken, which tests find.
// The handler may be called from any goroutine. It answers:
//
//	/ /signals /signals/{id} /incidents /incidents/{id} /changes /receivers /status   pages
//	/pods /packs/{signal}                                                    why a pod counts where, what a rule makes of what arrives
//	/chart/{id}.svg                                                          one chart as a picture
//	/api/v1/…                                                                JSON, see api.go
//	/static/…                                                                style, script, icon
//	/-/healthy /-/ready                                                      for probes
func New(src Source, o Options) http.Handler {
	s := &server{src: src, o: o, log: o.Logger, pages: map[string]*template.Template{}, assets: map[string]asset{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if u, err := url.Parse(o.ExternalURL); err == nil {
		s.base = strings.TrimRight(path.Clean("/"+u.Path), "/")
	}
	s.loadAssets()
	s.loadPages()

	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	if err := r.SetTrustedProxies(nil); err != nil {
		panic("ui: " + err.Error())
	}
	r.HandleMethodNotAllowed = true
	get := func(route string, h func(*gin.Context)) {
		r.GET(route, h)
		r.HEAD(route, h)
	}
	get("/", s.overview)
	get("/signals", s.signals)
	get("/signals/:id", s.signal)
	get("/incidents", s.incidents)
	get("/incidents/:id", s.incident)
	get("/changes", s.changes)
	get("/receivers", s.receivers)
	get("/status", s.status)
	get("/pods", s.podsPage)
	get("/packs/:signal", s.explainPage)
	get("/chart/:file", s.chartFile)
	get("/static/:file", s.static)
	get("/-/healthy", func(c *gin.Context) { c.String(http.StatusOK, "Wrackline is alive.\n") })
	get("/-/ready", s.ready)
	get("/api/v1/signals", s.apiSignals)
	get("/api/v1/signals/:id", s.apiSignal)
	get("/api/v1/incidents", s.apiIncidents)
	get("/api/v1/incidents/:id", s.apiIncident)
	get("/api/v1/changes", s.apiChanges)
	get("/api/v1/packs", s.apiPacks)
	get("/api/v1/packs/:signal", s.apiExplain)
	get("/api/v1/pods", s.apiPods)
	r.GET("/api/v1/selftest", s.apiSelfTest)
	get("/api/v1/status", s.apiStatus)
	get("/api/v1/status/:part", s.apiStatus)
	r.NoRoute(func(c *gin.Context) { s.fail(c, http.StatusNotFound, "There is nothing at this address.") })
	r.NoMethod(func(c *gin.Context) {
		c.Header("Allow", "GET, HEAD")
		s.fail(c, http.StatusMethodNotAllowed, "This address can only be read: GET and HEAD.")
	})

	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		defer func() {
			if v := recover(); v != nil {
				if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(v)
				}
				pagesFailed.Inc()
				s.log.Error("page panicked", "path", req.URL.Path, "err", fmt.Sprint(v), "stack", string(debug.Stack()))
				http.Error(w, "Wrackline failed to make this page. Its log says why.", http.StatusInternalServerError)
			}
		}()
		// A proxy may or may not take the prefix off.
		if s.base != "" && (req.URL.Path == s.base || strings.HasPrefix(req.URL.Path, s.base+"/")) {
			req = req.Clone(req.Context())
			req.URL.Path = "/" + strings.TrimLeft(strings.TrimPrefix(req.URL.Path, s.base), "/")
			req.URL.RawPath = ""
		}
		r.ServeHTTP(w, req)
	})
}

func (s *server) loadAssets() {
	entries, err := fs.ReadDir(webFiles, "web")
	if err != nil {
		panic("ui: " + err.Error())
	}
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	for _, e := range entries {
		kind, ok := kinds[path.Ext(e.Name())]
		if !ok {
			continue
		}
		data, err := webFiles.ReadFile("web/" + e.Name())
		if err != nil {
			panic("ui: " + err.Error())
		}
		sum := sha256.Sum256(data)
		s.assets[e.Name()] = asset{data: data, kind: kind, etag: `"` + hex.EncodeToString(sum[:8]) + `"`}
	}
}

// static serves one embedded file. With ?v= of its hash it may be kept for ever.
func (s *server) static(c *gin.Context) {
	a, ok := s.assets[c.Param("file")]
	if !ok {
		s.fail(c, http.StatusNotFound, "There is no such file.")
		return
	}
	h := c.Writer.Header()
	h.Set("Content-Type", a.kind)
	h.Set("ETag", a.etag)
	if c.Query("v") == strings.Trim(a.etag, `"`) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes.NewReader(a.data))
}

// assetURL returns the address of a static file with its hash.
func (s *server) assetURL(name string) string {
	return s.base + "/static/" + name + "?v=" + strings.Trim(s.assets[name].etag, `"`)
}

func (s *server) loadPages() {
	layout := template.Must(template.New("layout.html").Funcs(s.funcs()).ParseFS(webFiles, "web/layout.html", "web/parts.html"))
	for _, name := range []string{"overview", "signals", "signal", "incidents", "incident", "changes", "receivers", "status", "pods", "explain", "error"} {
		s.pages[name] = template.Must(template.Must(layout.Clone()).ParseFS(webFiles, "web/"+name+".html"))
	}
}

// frame is what every page has around its own part.
type frame struct {
	Title    string
	Nav      string // the entry of the navigation that is current
	Version  string
	Demo     bool
	DemoInfo *Demo
	Now      int64 // Unix ms
	DataAt   int64 // receive clock of the view, Unix ms; 0 = nothing yet
	Stale    bool  // nothing has arrived for minutes
	Open     int   // open incidents
	Firing   int   // of these, with a value outside what is normal
	Problems []Problem
	Starting string // what start-up is doing; "" when ready
	JSON     string // address of the same as JSON; "" when there is none
	Body     any
}

// frame gathers the parts that all pages share. It returns them with the status, which most pages need too.
func (s *server) frame(title, nav string) (*frame, Status) {
	st := s.src.Status()
	f := &frame{Title: title, Nav: nav, Version: st.Version, Demo: s.o.Demo || st.Demo != nil, DemoInfo: st.Demo}
	if f.Version == "" {
		f.Version = s.o.Version
	}
	if v := s.src.View(); v != nil {
		f.DataAt = v.AtMs
	}
	f.Now = s.now(&st)
	f.Stale = f.DataAt > 0 && f.Now-f.DataAt > 3*60_000
	if i := s.src.Incidents(); i != nil {
		f.Open = len(i.Open)
		for _, inc := range i.Open {
			f.Firing += b2i(phaseOf(inc) == firing)
		}
	}
	for _, p := range st.Problems {
		if p.Severity == "error" || p.Severity == "warn" {
			f.Problems = append(f.Problems, p)
		}
	}
	if ok, doing := s.src.Ready(); !ok {
		if f.Starting = doing; doing == "" {
			f.Starting = "starting"
		}
	}
	return f, st
}

// now returns the clock that ages are counted against, Unix milliseconds.
func (s *server) now(st *Status) int64 {
	if st.NowMs > 0 {
		return st.NowMs
	}
	if v := s.src.View(); v != nil && v.AtMs > 0 {
		return v.AtMs
	}
	return time.Now().UnixMilli()
}

// page renders one page. It is made in full before anything is written, so a failure never shows half a page.
func (s *server) page(c *gin.Context, code int, name string, f *frame) {
	pagesRendered.Inc()
	var b bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&b, "layout.html", f); err != nil {
		pagesFailed.Inc()
		s.log.Error("page cannot be rendered", "page", name, "err", err)
		c.String(http.StatusInternalServerError, "Wrackline failed to make this page. Its log says why.\n")
		return
	}
	c.Header("Cache-Control", "no-cache")
	c.Data(code, "text/html; charset=utf-8", b.Bytes())
}

// fail answers with a page, or with JSON below /api/.
func (s *server) fail(c *gin.Context, code int, text string) {
	if strings.HasPrefix(c.Request.URL.Path, "/api/") {
		s.apiFail(c, code, text)
		return
	}
	if strings.HasPrefix(c.Request.URL.Path, "/static/") || strings.HasPrefix(c.Request.URL.Path, "/chart/") {
		c.String(code, "%s\n", text)
		return
	}
	f, _ := s.frame(http.StatusText(code), "")
	f.Body = text
	s.page(c, code, "error", f)
}

func (s *server) ready(c *gin.Context) {
	ok, doing := s.src.Ready()
	if !ok {
		c.Header("Retry-After", "5")
		c.String(http.StatusServiceUnavailable, "Wrackline is not ready: %s\n", doing)
		return
	}
	c.String(http.StatusOK, "Wrackline is ready.\n")
}

var (
	pagesRendered = metrics.NewCounter("wrackline_ui_pages_total")
	pagesFailed   = metrics.NewCounter("wrackline_ui_pages_failed_total")
	apiAnswers    = metrics.NewCounter("wrackline_ui_api_answers_total")
)
