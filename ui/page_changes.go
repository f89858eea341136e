// The list of changes.

package ui

import (
	"cmp"
	"net/http"
	"slices"

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
	URL   string               // the signals of what it is about
	Ends  []*change.Change     // of a rollout: that it was late, and that it ended
	Led   []*alerting.Incident // incidents that name it as what changed just before, the newest first
}

type changesBody struct {
	Query  changeQuery
	Found  foundChanges
	Rows   []changeRow
	More   int // rows without room
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
	rows := s.changeRows(b.Found.Rows)
	b.More = max(len(rows)-changesPage, 0)
	b.Rows = rows[:len(rows)-b.More]
	b.Hidden = hiddenFields(q.values(), "namespace", "kind")
	if len(q.values()) > 0 {
		b.Clear = s.base + "/changes"
	}
	f.Body, f.JSON = b, address(s.base+"/api/v1/changes", q.values())
	s.page(c, http.StatusOK, "changes", f)
}

// changeRows makes a row of each change, newest first as they are given; that a rollout was late, and that it ended, stands in the row of the rollout where that is among them.
func (s *server) changeRows(list []*change.Change) (rows []changeRow) {
	type key struct {
		t                     int64
		kind, cluster, object string
	}
	led := map[key][]*alerting.Incident{}
	for _, inc := range everyIncident(s.snapshot()) {
		for i := range inc.Changes {
			c := &inc.Changes[i].Change
			k := key{c.T, string(c.Kind), c.Cluster, c.Object}
			led[k] = append(led[k], inc)
		}
	}
	ends := map[key][]*change.Change{} // of what comes next, by cluster and object
	for _, x := range list {
		of := key{cluster: x.Cluster, object: x.Object}
		if x.Kind == change.Rolled || x.Kind == change.Stuck {
			ends[of] = append(ends[of], x)
			continue
		}
		r := s.changeRow(x)
		if r.Led = led[key{x.T, string(x.Kind), x.Cluster, x.Object}]; x.Kind == change.Rollout {
			r.Ends = ends[of]
			slices.Reverse(r.Ends)
			delete(ends, of)
		}
		rows = append(rows, r)
	}
	for _, x := range list { // of rollouts that are not among them
		if slices.Contains(ends[key{cluster: x.Cluster, object: x.Object}], x) {
			rows = append(rows, s.changeRow(x))
		}
	}
	slices.SortStableFunc(rows, func(a, b changeRow) int { return -cmp.Compare(a.T, b.T) })
	return rows
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
