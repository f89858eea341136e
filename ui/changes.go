// Changes: what somebody did to a cluster, as addresses ask for it and as marks on charts.

package ui

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/series"
)

const (
	ticksMax   = 60 // on a chart
	ticksNamed = 5  // in the words that stand for a chart
)

// changeQuery is what the list of changes is asked for. Its fields are those of the address.
type changeQuery struct {
	Cluster, Namespace, Kind string
	From, To                 int64  // Unix ms, from inclusive, to exclusive; 0 = open
	Problem                  string // why the address could not be used
}

func parseChangeQuery(v url.Values) changeQuery {
	q := changeQuery{Cluster: v.Get("cluster"), Namespace: v.Get("namespace"), Kind: v.Get("kind")}
	if q.Kind != "" && !slices.Contains(change.Kinds(), change.Kind(q.Kind)) {
		var names []string
		for _, k := range change.Kinds() {
			names = append(names, string(k))
		}
		q.Problem = "there is no kind " + alerting.Clean(strconv.Quote(q.Kind), 40) + "; there are " + strings.Join(names, ", ")
		q.Kind = ""
	}
	if problem := parseFromTo(v, &q.From, &q.To); problem != "" {
		q.Problem = problem
	}
	return q
}

// values returns the query as an address carries it.
func (q *changeQuery) values() url.Values {
	v := url.Values{}
	for _, x := range [...][2]string{{"cluster", q.Cluster}, {"namespace", q.Namespace}, {"kind", q.Kind}} {
		if x[1] != "" {
			v.Set(x[0], x[1])
		}
	}
	if q.From != 0 {
		v.Set("from", strconv.FormatInt(q.From, 10))
	}
	if q.To != 0 {
		v.Set("to", strconv.FormatInt(q.To, 10))
	}
	return v
}

// with returns the address of the page after change.
func (q changeQuery) with(base string, change func(*changeQuery)) string {
	change(&q)
	return address(base+"/changes", q.values())
}

// foundChanges is what a query gives.
type foundChanges struct {
	Rows       []*change.Change // all that match, newest first
	Kinds      []facet
	Clusters   []facet
	Namespaces []facet
}

// find filters, in one pass. Each facet counts what all other filters let through.
func (q *changeQuery) find(list []change.Change, base string) foundChanges {
	var f foundChanges
	kinds, clusters, namespaces := map[string]int{}, map[string]int{}, map[string]int{}
	for i := range list {
		c := &list[i]
		if c.T < q.From || q.To != 0 && c.T >= q.To {
			continue
		}
		ns := c.Entity.Get("namespace")
		k, cl, n := q.Kind == "" || q.Kind == string(c.Kind), q.Cluster == "" || q.Cluster == c.Cluster, q.Namespace == "" || q.Namespace == ns
		if cl && n {
			kinds[string(c.Kind)]++
		}
		if k && n {
			clusters[c.Cluster]++
		}
		if k && cl && ns != "" {
			namespaces[ns]++
		}
		if k && cl && n {
			f.Rows = append(f.Rows, c)
		}
	}
	// Those of one minute stay in the order in which they were learned of, which is that of cause.
	slices.SortStableFunc(f.Rows, func(a, b *change.Change) int { return -cmp.Compare(a.T, b.T) })
	f.Kinds = facets(kinds, q.Kind, func(v string) string { return q.with(base, func(q *changeQuery) { q.Kind = v }) })
	f.Clusters = facets(clusters, q.Cluster, func(v string) string { return q.with(base, func(q *changeQuery) { q.Cluster = v }) })
	f.Namespaces = facets(namespaces, q.Namespace, func(v string) string { return q.with(base, func(q *changeQuery) { q.Namespace = v }) })
	return f
}

// tick is a change on a chart.
type tick struct {
	T    int64
	Text string
	Near bool // of the very workload or node
}

// ticks returns the changes that bear on an entity within a span: by time, the closest when there are too many.
func (s *server) ticks(entity series.Labels, sp span) []tick {
	type ranked struct {
		*change.Change
		near alerting.Nearness
	}
	var list []ranked
	all := s.view().Changes
	cluster := entity.Get("cluster")
	for i := range all {
		c := &all[i]
		if c.T < sp.From || c.T > sp.To || c.Cluster != cluster {
			continue
		}
		if near := alerting.Near(entity, c); near != alerting.Apart {
			list = append(list, ranked{c, near})
		}
	}
	if len(list) > ticksMax {
		slices.SortStableFunc(list, func(a, b ranked) int { return cmp.Or(-cmp.Compare(a.near, b.near), -cmp.Compare(a.T, b.T)) })
		list = list[:ticksMax]
	}
	slices.SortStableFunc(list, func(a, b ranked) int { return cmp.Compare(a.T, b.T) })
	out := make([]tick, len(list))
	for i, r := range list {
		out[i] = tick{T: r.T, Text: r.Text(), Near: r.near >= alerting.ItsNode}
	}
	return out
}
