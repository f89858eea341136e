// The list of changes.

package ui

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/series"
)

const changesPage = 200 // changes on the page

// changeRow is one change on a page.
type changeRow struct {
	*change.Change
	Where string
	URL   string // the signals of what it is about
}

type changesBody struct {
	Query  changeQuery
	Found  foundChanges
	Rows   []changeRow
	All    int
	Hidden []series.Label // fields of the form that are not chosen in it
	Clear  string
	Now    int64
}

func (s *server) changes(c *gin.Context) {
	f, _ := s.frame("Changes", "changes")
	v := s.view()
	q := parseChangeQuery(c.Request.URL.Query())
	b := &changesBody{Query: q, All: len(v.Changes), Now: f.Now}
	b.Found = q.find(v.Changes, s.base)
	for _, x := range b.Found.Rows[:min(len(b.Found.Rows), changesPage)] {
		b.Rows = append(b.Rows, s.changeRow(x))
	}
	b.Hidden = hiddenFields(q.values(), "namespace", "kind")
	if len(q.values()) > 0 {
		b.Clear = s.base + "/changes"
	}
	f.Body, f.JSON = b, address(s.base+"/api/v1/changes", q.values())
	s.page(c, http.StatusOK, "changes", f)
}

func (s *server) changeRow(x *change.Change) changeRow {
	r := changeRow{Change: x, Where: alerting.Clean(x.Cluster, textMax)}
	if len(x.Entity) > 0 {
		r.Where = place(append(series.Labels{{Name: "cluster", Value: x.Cluster}}, x.Entity...))
	}
	for _, name := range [...]string{"workload", "node", "namespace"} {
		if v := x.Entity.Get(name); v != "" {
			r.URL = s.filterURL(series.Label{Name: name, Value: v})
			break
		}
	}
	return r
}
