// The list of signals.

package ui

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/series"
)

type signalsBody struct {
	Query    query
	Found    found
	Rows     []*baseline.SignalView
	All      int
	Pages    int
	From, To int
	Prev     string
	Next     string
	Sorts    []sortLink
	Hidden   []series.Label // fields of the form that are not typed
	Clear    string
	States   []facet // those that exist, when the address names another
	Now      int64
}

type sortLink struct {
	Name, Label, URL string
	On, Desc         bool
}

func (s *server) signals(c *gin.Context) {
	f, _ := s.frame("Signals", "signals")
	v := s.view()
	q := parseQuery(c.Request.URL.Query())
	b := &signalsBody{Query: q, All: len(v.Signals), Now: f.Now}
	b.Found = q.find(v, s.base)
	n := len(b.Found.Rows)
	b.Pages = max((n+pageLen-1)/pageLen, 1)
	if q.Page > b.Pages {
		q.Page = b.Pages
		b.Query.Page = q.Page
	}
	b.From, b.To = (q.Page-1)*pageLen, min(q.Page*pageLen, n)
	b.Rows = b.Found.Rows[b.From:b.To]
	page := func(p int) string { return q.with(s.base, func(q *query) { q.Page = p }) }
	if q.Page > 1 {
		b.Prev = page(q.Page - 1)
	}
	if q.Page < b.Pages {
		b.Next = page(q.Page + 1)
	}
	for _, x := range [...][2]string{{"state", "State"}, {"signal", "Signal"}, {"entity", "Where"}, {"score", "Score"}, {"since", "Since"}, {"learned", "Learned"}} {
		l := sortLink{Name: x[0], Label: x[1], On: q.Sort == x[0], Desc: q.Desc}
		l.URL = q.with(s.base, func(q *query) { q.Desc = q.Sort == x[0] && !q.Desc; q.Sort = x[0] })
		b.Sorts = append(b.Sorts, l)
	}
	b.Hidden = hiddenFields(q.values(), "q", "page", "namespace")
	if q.Unknown != "" {
		for _, name := range states {
			b.States = append(b.States, facet{Value: name, Label: stateLabel(name), URL: q.with(s.base, func(q *query) { q.State = name })})
		}
	}
	if q.Text+q.Pack+q.Cluster+q.Namespace+q.State != "" {
		b.Clear = s.base + "/signals"
	}
	f.Body, f.JSON = b, address(s.base+"/api/v1/signals", q.values())
	s.page(c, http.StatusOK, "signals", f)
}
