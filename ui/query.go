// Filters, sorting and time ranges: what addresses carry.

package ui

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/series"
)

const (
	pageLen   = 100 // signals on a page
	queryMax  = 512 // bytes of a filter text that are looked at
	termsMax  = 16
	abnormal  = "abnormal"   // the state filter for every alarm of a value; silence is not one
	easingOn  = "recovering" // the state filter for alarms whose value is back inside the band
	silent    = "silent"     // what pages call absent
	facetsMax = 300          // values offered to choose from
)

// query is what the list of signals is asked for. Its fields are those of the address.
type query struct {
	Text, Pack, Cluster, Namespace, State string
	Sort                                  string // score (default), signal, entity, state, since, learned
	Desc                                  bool   // turns the sort's own order round
	Page                                  int    // from 1
	Unknown                               string // a state that does not exist, as the address spelt it
	exact                                 bool   // states are the model's own: high holds those that recover too
	terms                                 []term
}

// states are what the list can be narrowed to, in the order of their chips.
var states = []string{abnormal, easingOn, "high", "low", "drifting", "absent", "normal", "learning"}

// stateLabel is what a chip calls a state.
func stateLabel(name string) string {
	if name == model.Absent.String() {
		return silent
	}
	return name
}

// term is one word of the filter text: a label matcher or text that must occur in name, question or a label value.
type term struct{ label, value string }

func parseQuery(v url.Values) query {
	q := query{Text: v.Get("q"), Pack: v.Get("pack"), Cluster: v.Get("cluster"), Namespace: v.Get("namespace"), State: v.Get("state"), Sort: v.Get("sort"), Desc: v.Get("desc") == "1"}
	q.Page, _ = strconv.Atoi(v.Get("page"))
	q.Page = max(q.Page, 1)
	if !slices.Contains([]string{"signal", "entity", "state", "since", "learned"}, q.Sort) {
		q.Sort = "score"
	}
	if q.State == silent {
		q.State = model.Absent.String()
	}
	if q.State != "" && !slices.Contains(states, q.State) {
		q.State, q.Unknown = "", q.State
	}
	q.terms = parseTerms(q.Text)
	return q
}

// parseTerms splits text at spaces. name=value and name="value with spaces" match a label exactly, else a word must
// occur somewhere, in either case of letters.
func parseTerms(s string) []term {
	if len(s) > queryMax*8 { // label values may be long
		s = s[:queryMax*8]
	}
	var out []term
	for len(out) < termsMax {
		s = strings.TrimLeft(s, " \t")
		if s == "" {
			break
		}
		end := strings.IndexAny(s, " \t")
		if end < 0 {
			end = len(s)
		}
		eq := strings.IndexByte(s[:end], '=')
		if eq > 0 {
			rest := s[eq+1:]
			if strings.HasPrefix(rest, `"`) {
				if quoted, err := strconv.QuotedPrefix(rest); err == nil {
					value, _ := strconv.Unquote(quoted)
					out = append(out, term{label: s[:eq], value: value})
					s = rest[len(quoted):]
					continue
				}
			}
			out = append(out, term{label: s[:eq], value: s[eq+1 : end]})
		} else {
			out = append(out, term{value: strings.ToLower(s[:end])})
		}
		s = s[end:]
	}
	return out
}

// matcher writes a label matcher as parseTerms reads it.
func matcher(name, value string) string {
	if value == "" || strings.ContainsAny(value, " \t\"\\\n") || strings.HasPrefix(value, `"`) {
		return name + "=" + strconv.Quote(value)
	}
	return name + "=" + value
}

// values returns the query as an address carries it, without defaults.
func (q query) values() url.Values {
	v := url.Values{}
	set := func(k, x string) {
		if x != "" {
			v.Set(k, x)
		}
	}
	set("q", q.Text)
	set("pack", q.Pack)
	set("cluster", q.Cluster)
	set("namespace", q.Namespace)
	set("state", q.State)
	if q.Sort != "score" {
		v.Set("sort", q.Sort)
	}
	if q.Desc {
		v.Set("desc", "1")
	}
	if q.Page > 1 {
		v.Set("page", strconv.Itoa(q.Page))
	}
	return v
}

// with returns the address of the list after change.
func (q query) with(base string, change func(*query)) string {
	q.Page = 1
	change(&q)
	return address(base+"/signals", q.values())
}

// address writes an address with what is asked of it.
func address(path string, v url.Values) string {
	if e := v.Encode(); e != "" {
		return path + "?" + e
	}
	return path
}

// hiddenFields are the parts of a query that a form carries along: all but those that are typed or chosen in it.
func hiddenFields(v url.Values, shown ...string) []series.Label {
	var out []series.Label
	for k, vs := range v {
		if !slices.Contains(shown, k) {
			out = append(out, series.Label{Name: k, Value: vs[0]})
		}
	}
	slices.SortFunc(out, func(x, y series.Label) int { return strings.Compare(x.Name, y.Name) })
	return out
}

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
		s := &v.Signals[i]
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

// lookup finds a signal by id in a view, which is sorted by id. Incidents cut very long ids: their first part is enough
// when nothing else begins with it.
func lookup(v *baseline.View, id string) (*baseline.SignalView, bool) {
	if v == nil {
		return nil, false
	}
	i, ok := slices.BinarySearchFunc(v.Signals, id, func(s baseline.SignalView, id string) int { return strings.Compare(s.Signal.ID, id) })
	if ok {
		return &v.Signals[i], true
	}
	const cutAt, cutLen = 1004, 1024 // as alerting cuts them
	if len(id) < cutAt || len(id) > cutLen {
		return nil, false
	}
	prefix := id[:cutAt]
	i, _ = slices.BinarySearchFunc(v.Signals, prefix, func(s baseline.SignalView, p string) int { return strings.Compare(s.Signal.ID, p) })
	if i < len(v.Signals) && strings.HasPrefix(v.Signals[i].Signal.ID, prefix) && (i+1 == len(v.Signals) || !strings.HasPrefix(v.Signals[i+1].Signal.ID, prefix)) {
		return &v.Signals[i], true
	}
	return nil, false
}

// labelsOf returns the labels of an entity, the placing ones first.
func labelsOf(l series.Labels) []series.Label {
	out := slices.Clone([]series.Label(l))
	rank := func(n string) int {
		if i := slices.Index([]string{"cluster", "namespace", "workload", "container", "node"}, n); i >= 0 {
			return i
		}
		return 9
	}
	slices.SortStableFunc(out, func(a, b series.Label) int { return cmp.Compare(rank(a.Name), rank(b.Name)) })
	return out
}
