// Finding signals: filtered, counted by what else they could be narrowed to, sorted; and one by its id.

package ui

import (
	"cmp"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
)

const facetsMax = 300 // values offered to choose from

func contains(s, lower string) bool {
	return strings.Contains(s, lower) || strings.Contains(strings.ToLower(s), lower)
}

func (t *term) match(v *baseline.SignalView) bool {
	if t.label != "" {
		return v.Signal.Entity.Get(t.label) == t.value
	}
	if contains(v.Signal.Rule.Name, t.value) || contains(v.Signal.Rule.Question, t.value) {
		return true
	}
	for _, l := range v.Signal.Entity {
		if contains(l.Value, t.value) {
			return true
		}
	}
	return false
}

func (q *query) matchState(v *baseline.SignalView, easing bool) bool {
	switch q.State {
	case "":
		return true
	case abnormal:
		return v.State.Alarm() && v.State != model.Absent
	case easingOn:
		return easing
	}
	return q.State == v.State.String() && (q.exact || !easing)
}

// facet is one value that the list can be narrowed to.
type facet struct {
	Value string
	Label string // what people read; "" = Value
	Count int
	On    bool
	URL   string // narrows to it, or widens again when On
}

// found is what a query gives.
type found struct {
	Rows       []*baseline.SignalView // all that match, sorted
	Packs      []facet
	Clusters   []facet
	Namespaces []facet
	States     []facet
}

// find filters and sorts, in one pass over the view. Each facet counts what all other filters let through.
func (q *query) find(v *baseline.View, base string) found {
	var f found
	packs, clusters, namespaces := map[string]int{}, map[string]int{}, map[string]int{}
	var counted [6]int
	easings := 0
	for i := range v.Signals {
		s := v.Signals[i]
		ok := true
		for k := range q.terms {
			if !q.terms[k].match(s) {
				ok = false
				break
			}
		}
		if !ok {
			continue
		}
		cluster, namespace, pack := s.Signal.Entity.Get("cluster"), s.Signal.Entity.Get("namespace"), s.Signal.Rule.Pack
		misses := 0
		var miss byte
		check := func(ok bool, name byte) {
			if !ok {
				misses++
				miss = name
			}
		}
		check(q.Pack == "" || q.Pack == pack, 'p')
		check(q.Cluster == "" || q.Cluster == cluster, 'c')
		check(q.Namespace == "" || q.Namespace == namespace, 'n')
		easing := easingSignal(s)
		check(q.matchState(s, easing), 's')
		counts := func(name byte) bool { return misses == 0 || misses == 1 && miss == name }
		if counts('p') {
			packs[pack]++
		}
		if counts('c') {
			clusters[cluster]++
		}
		if counts('n') && namespace != "" {
			namespaces[namespace]++
		}
		if counts('s') {
			if easing {
				easings++
			} else {
				counted[s.State%6]++
			}
		}
		if misses == 0 {
			f.Rows = append(f.Rows, s)
		}
	}
	f.Packs = facets(packs, q.Pack, func(v string) string { return q.with(base, func(q *query) { q.Pack = v }) })
	f.Clusters = facets(clusters, q.Cluster, func(v string) string { return q.with(base, func(q *query) { q.Cluster = v }) })
	f.Namespaces = facets(namespaces, q.Namespace, func(v string) string { return q.with(base, func(q *query) { q.Namespace = v }) })
	bad := counted[model.High] + counted[model.Low] + counted[model.Drifting] + easings
	add := func(name string, n int) {
		on := q.State == name
		if n == 0 && !on && name != abnormal {
			return
		}
		to := name
		if on {
			to = ""
		}
		f.States = append(f.States, facet{Value: name, Label: stateLabel(name), Count: n, On: on, URL: q.with(base, func(q *query) { q.State = to })})
	}
	add(abnormal, bad)
	add(easingOn, easings)
	for _, s := range [...]model.State{model.High, model.Low, model.Drifting, model.Absent, model.Normal, model.Learning} {
		add(s.String(), counted[s])
	}
	q.sort(f.Rows)
	return f
}

// facets lists values by falling count, the chosen one always among them.
func facets(counts map[string]int, chosen string, to func(string) string) []facet {
	if chosen != "" {
		counts[chosen] += 0
	}
	out := make([]facet, 0, len(counts))
	for v, n := range counts {
		if v == "" {
			continue
		}
		f := facet{Value: v, Count: n, On: v == chosen}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b facet) int {
		return cmp.Or(-cmp.Compare(b2i(a.On), b2i(b.On)), -cmp.Compare(a.Count, b.Count), strings.Compare(a.Value, b.Value))
	})
	if len(out) > facetsMax {
		out = out[:facetsMax]
	}
	for i := range out {
		if out[i].On {
			out[i].URL = to("")
		} else {
			out[i].URL = to(out[i].Value)
		}
	}
	return out
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// urgency orders states for people: what is wrong first.
func urgency(s model.State) int {
	return [...]int{model.High: 0, model.Low: 0, model.Drifting: 1, model.Absent: 2, model.Learning: 4, model.Normal: 3}[s%6]
}

// sort orders rows, which come in the order of ids. Keys are worked out once a row, not once a comparison: with 20,000
// signals that is most of the page's cost. Ties keep the order of ids.
func (q *query) sort(rows []*baseline.SignalView) {
	switch q.Sort {
	case "signal": // ids begin with the name
		if q.Desc {
			slices.Reverse(rows)
		}
	case "entity":
		sortBy(rows, q.Desc, func(r *baseline.SignalView) [5]string {
			var k [5]string
			for i, n := range [...]string{"cluster", "namespace", "workload", "container", "node"} {
				k[i] = r.Signal.Entity.Get(n)
			}
			return k
		}, func(a, b [5]string) int { return slices.Compare(a[:], b[:]) })
	default:
		key := func(r *baseline.SignalView) float64 { // alarms first, then by falling score
			if r.State.Alarm() {
				return -1e9 - r.Score
			}
			return -r.Score
		}
		switch q.Sort {
		case "state":
			key = func(r *baseline.SignalView) float64 { return float64(urgency(r.State)) }
		case "since":
			key = func(r *baseline.SignalView) float64 { return -float64(r.Since) }
		case "learned":
			key = func(r *baseline.SignalView) float64 { return r.Maturity }
		}
		sortBy(rows, q.Desc, key, cmp.Compare[float64])
	}
}

func sortBy[K any](rows []*baseline.SignalView, desc bool, key func(*baseline.SignalView) K, compare func(a, b K) int) {
	type keyed struct {
		key K
		row *baseline.SignalView
	}
	list := make([]keyed, len(rows))
	for i, r := range rows {
		list[i] = keyed{key(r), r}
	}
	sign := 1
	if desc {
		sign = -1
	}
	slices.SortStableFunc(list, func(a, b keyed) int { return sign * compare(a.key, b.key) })
	for i := range list {
		rows[i] = list[i].row
	}
}

// lookup finds a signal by id in a view, which is sorted by id.
func lookup(v *baseline.View, id string) (*baseline.SignalView, bool) {
	if v == nil {
		return nil, false
	}
	i, ok := slices.BinarySearchFunc(v.Signals, id, func(s *baseline.SignalView, id string) int { return strings.Compare(s.Signal.ID, id) })
	if !ok {
		return nil, false
	}
	return v.Signals[i], true
}
