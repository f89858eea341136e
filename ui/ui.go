// Package ui shows what is normal, what is not, and why: web pages and a JSON API over read-only snapshots.
//
// New returns the handler; a Source gives it everything it shows. Pages are rendered on the server, charts are inline
// SVG, and one small ES module adds refresh, zoom and keys; without it every page still works. Nothing here changes
// anything: only GET and HEAD exist, and forms lead to doors of somebody else's. Label values come from whoever sends metrics and are shown as text, never trusted.
//
// A page is a file page_*.go and its template web/*.html; what it shows as JSON is api_*.go. What they share is found beside them by name:
// query, find and span read addresses, census, packs, incident, changes and recovery gather, why, headline, timeline and format word,
// figure, chart* and gauge draw. frame.go is around every page and ui.go around every answer.
package ui

import (
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/VictoriaMetrics/metrics"
	"github.com/gin-gonic/gin"
)

// Options configure the pages. The zero value works.
type Options struct {
	Version     string                     // of the program, for the footer
	ExternalURL string                     // where people reach the pages; its path is put before every link. "" means /
	May         func(*http.Request) Access // what whoever asks may do beside reading; nil = nothing
	Timezone    string                     // in which hours are suggested; "" = UTC
	Elsewhere   Elsewhere                  // where the user's Prometheus and Grafana are
	Demo        bool                       // says on every page that the cluster is simulated
	Logger      *slog.Logger               // nil discards
}

// policy lets a page load only what this server serves. There is no inline script and no inline style.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

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
//	/rights                                                                  who is refused by API servers, and after which change
//	/sizes /sizes/workload                                                   what containers should request, and one workload's week
//	/coverage                                                                which questions are answered of clusters, and what would bring the others
//	/acts /acts/new                                                          what people have said, and the form to say more
//	/backtest                                                                what the last days would have told with another configuration
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
	r.RedirectTrailingSlash = false // it believes a header from the network of what to put before the address; see guard
	s.routes(r)
	return s.guard(r)
}

// page is a page or a part of the API.
type page struct {
	path  string // as gin takes it
	serve gin.HandlerFunc
}

// table says which page answers at which address.
func (s *server) table() []page {
	return []page{
		{"/", s.overview},
		{"/signals", s.signals},
		{"/signals/:id", s.signal},
		{"/incidents", s.incidents},
		{"/incidents/:id", s.incident},
		{"/acts", s.acts},
		{"/acts/new", s.newAct},
		{"/changes", s.changes},
		{"/rights", s.rights},
		{"/coverage", s.coverage},
		{"/backtest", s.backtest},
		{"/sizes", s.sizes},
		{"/sizes/workload", s.sizesWorkload},
		{"/receivers", s.receivers},
		{"/status", s.status},
		{"/pods", s.podsPage},
		{"/packs/:signal", s.explainPage},
		{"/chart/:file", s.chartFile},
		{"/static/:file", s.static},
		{"/-/healthy", func(c *gin.Context) { c.String(http.StatusOK, "Wrackline is alive.\n") }},
		{"/-/ready", s.ready},
		{"/api/v1/signals", s.apiSignals},
		{"/api/v1/signals/:id", s.apiSignal},
		{"/api/v1/incidents", s.apiIncidents},
		{"/api/v1/incidents/:id", s.apiIncident},
		{"/api/v1/acts", s.apiActs},
		{"/api/v1/lessons", s.apiLessons},
		{"/api/v1/changes", s.apiChanges},
		{"/api/v1/coverage", s.apiCoverage},
		{"/api/v1/backtest", s.apiBacktest},
		{"/api/v1/rights", s.apiRights},
		{"/api/v1/sizes", s.apiSizes},
		{"/api/v1/packs", s.apiPacks},
		{"/api/v1/packs/:signal", s.apiExplain},
		{"/api/v1/pods", s.apiPods},
		{selfTestPath, s.apiSelfTest},
		{"/api/v1/status", s.apiStatus},
		{"/api/v1/status/:part", s.apiStatus},
	}
}

// Routes lists the addresses that New answers, all by GET and HEAD, as gin writes them: /signals/:id.
func Routes() (list []string) {
	for _, x := range (&server{}).table() {
		list = append(list, x.path)
	}
	return list
}

// routes lets every page be found.
func (s *server) routes(r *gin.Engine) {
	for _, x := range s.table() {
		r.GET(x.path, x.serve)
		if x.path != selfTestPath { // it costs too much to be thrown away
			r.HEAD(x.path, x.serve)
		}
	}
	r.NoRoute(func(c *gin.Context) { s.fail(c, http.StatusNotFound, "There is nothing at this address.") })
	r.NoMethod(func(c *gin.Context) {
		c.Header("Allow", "GET, HEAD")
		s.fail(c, http.StatusMethodNotAllowed, "This address can only be read: GET and HEAD.")
	})
}

const selfTestPath = "/api/v1/selftest"

// guard is around every answer: the policy, a panic that costs no more than one answer, and the path before every link.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // no-referrer takes the Origin from forms, too, which the doors that they lead to want to see
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
		if p := path.Clean("/" + req.URL.Path); p != "/" && strings.HasSuffix(req.URL.Path, "/") && (req.Method == http.MethodGet || req.Method == http.MethodHead) {
			to := url.URL{Path: s.base + p, RawQuery: req.URL.RawQuery}
			http.Redirect(w, req, to.String(), http.StatusMovedPermanently)
			return
		}
		next.ServeHTTP(w, req)
	})
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
