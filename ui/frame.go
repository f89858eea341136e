// What all pages share: the snapshots they show, the frame around their own part, and how an answer is written.

package ui

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/series"
)

// view and snapshot never return nil.
func (s *server) view() *baseline.View {
	if v := s.src.View(); v != nil {
		return v
	}
	return &baseline.View{}
}

func (s *server) snapshot() *alerting.Snapshot {
	if i := s.src.Incidents(); i != nil {
		return i
	}
	return &alerting.Snapshot{}
}

// about returns the status, which has a version.
func (s *server) about() Status {
	st := s.src.Status()
	if st.Version == "" {
		st.Version = s.o.Version
	}
	return st
}

// history reads what was judged of a signal. Why that failed is for the log; answers only say that it did.
func (s *server) history(id string, from, to int64, cells int) ([]Point, int64, error) {
	points, step, err := s.src.Range(id, from, to, cells)
	if err != nil {
		s.log.Error("history cannot be read", "signal", id, "err", err)
	}
	return points, step, err
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
	st := s.about()
	f := &frame{Title: title, Nav: nav, Version: st.Version, Demo: s.o.Demo || st.Demo != nil, DemoInfo: st.Demo}
	if v := s.src.View(); v != nil {
		f.DataAt = v.AtMs
	}
	f.Now = s.now(&st)
	f.Stale = f.DataAt > 0 && f.Now-f.DataAt > 3*60_000
	if i := s.src.Incidents(); i != nil {
		f.Open = len(i.Open)
		for _, inc := range i.Open {
			f.Firing += b2i(inc.Phase() == alerting.Firing)
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
	c.Data(code, "text/html; charset=utf-8", bytes.Map(visible, b.Bytes()))
}

// visible is around every page, so that no label, path or search brings a hidden character onto one by a way that nobody thought of.
func visible(r rune) rune {
	if r >= ' ' && r < 0x7f || r == '\n' || r == '\t' || !series.Hidden(r) {
		return r
	}
	return ' '
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
