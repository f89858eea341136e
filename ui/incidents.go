// The list of incidents as addresses ask for it: words, state, severity, place, time.

package ui

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
)

const incidentsPage = 50 // incidents on a page

// The states that the list can be narrowed to.
var incidentStates = []string{"open", "unheld", "held", "silenced", "ended"}

// incidentStateLabel is what a chip calls a state.
var incidentStateLabel = map[string]string{"open": "open", "unheld": "nobody has it", "held": "somebody has it", "silenced": "silenced", "ended": "ended"}

// incidentQuery is what the list of incidents is asked for. Its fields are those of the address.
type incidentQuery struct {
	Text, State, Severity, Cluster, Namespace, Workload string
	From, To                                            int64  // Unix ms: what was open at some time between; 0 = open
	Page                                                int    // from 1
	Problem                                             string // why the address could not be used
	terms                                               []term
}

func parseIncidentQuery(v url.Values) incidentQuery {
	q := incidentQuery{Text: v.Get("q"), State: v.Get("state"), Severity: v.Get("severity"), Cluster: v.Get("cluster"), Namespace: v.Get("namespace"), Workload: v.Get("workload")}
	q.Page, _ = strconv.Atoi(v.Get("page"))
	q.Page = max(q.Page, 1)
	if q.State == "closed" {
		q.State = "ended"
	}
	if q.State != "" && !slices.Contains(incidentStates, q.State) {
		q.Problem, q.State = "there is no state "+alerting.Clean(strconv.Quote(q.State), 40)+"; there are "+strings.Join(incidentStates, ", "), ""
	}
	if q.Severity != "" && !slices.Contains([]string{string(pack.Page), string(pack.Warn), string(pack.Info)}, q.Severity) {
		q.Problem, q.Severity = "there is no severity "+alerting.Clean(strconv.Quote(q.Severity), 40)+"; there are page, warn, info", ""
	}
	if problem := parseFromTo(v, &q.From, &q.To); problem != "" {
		q.Problem = problem
	}
	q.terms = parseTerms(q.Text)
	return q
}

// values returns the query as an address carries it, without defaults.
func (q *incidentQuery) values() url.Values {
	v := url.Values{}
	for _, x := range [...][2]string{{"q", q.Text}, {"state", q.State}, {"severity", q.Severity}, {"cluster", q.Cluster}, {"namespace", q.Namespace}, {"workload", q.Workload}} {
		if x[1] != "" {
			v.Set(x[0], x[1])
		}
	}
	for name, n := range map[string]int64{"from": q.From, "to": q.To} {
		if n != 0 {
			v.Set(name, strconv.FormatInt(n, 10))
		}
	}
	if q.Page > 1 {
		v.Set("page", strconv.Itoa(q.Page))
	}
	return v
}

// with returns the address of the list after change.
func (q incidentQuery) with(base string, change func(*incidentQuery)) string {
	q.Page = 1
	change(&q)
	return address(base+"/incidents", q.values())
}

// foundIncidents is what a query gives.
type foundIncidents struct {
	Rows                                                []*alerting.Incident // all that match: the open ones by urgency, then the ended ones, the newest first
	Open                                                int                  // of these
	States, Severities, Clusters, Namespaces, Workloads []facet
}

// find filters, in one pass. Each facet counts what all other filters let through.
func (q *incidentQuery) find(snap *alerting.Snapshot, acts *act.View, base string) foundIncidents {
	var f foundIncidents
	counts := map[string]map[string]int{"state": {}, "severity": {}, "cluster": {}, "namespace": {}, "workload": {}}
	for _, inc := range slices.Concat(byUrgency(snap.Open), snap.Closed) {
		if q.To != 0 && inc.Onset >= q.To || q.From != 0 && !inc.Open() && inc.Resolved < q.From || !matchesAll(q.terms, inc) {
			continue
		}
		is := map[string][]string{"state": statesOf(inc, acts), "severity": {string(inc.Severity)}, "cluster": {inc.Cluster}, "namespace": valuesOf(inc, "namespace"), "workload": valuesOf(inc, "workload")}
		var missed []string
		for name, want := range map[string]string{"state": q.State, "severity": q.Severity, "cluster": q.Cluster, "namespace": q.Namespace, "workload": q.Workload} {
			if want != "" && !slices.Contains(is[name], want) {
				missed = append(missed, name)
			}
		}
		for name, values := range is {
			if len(missed) == 0 || len(missed) == 1 && missed[0] == name {
				for _, v := range values {
					counts[name][v]++
				}
			}
		}
		if len(missed) == 0 {
			f.Rows = append(f.Rows, inc)
			f.Open += b2i(inc.Open())
		}
	}
	f.Severities = facets(counts["severity"], q.Severity, func(v string) string { return q.with(base, func(q *incidentQuery) { q.Severity = v }) })
	f.Clusters = facets(counts["cluster"], q.Cluster, func(v string) string { return q.with(base, func(q *incidentQuery) { q.Cluster = v }) })
	f.Namespaces = facets(counts["namespace"], q.Namespace, func(v string) string { return q.with(base, func(q *incidentQuery) { q.Namespace = v }) })
	f.Workloads = facets(counts["workload"], q.Workload, func(v string) string { return q.with(base, func(q *incidentQuery) { q.Workload = v }) })
	for _, name := range incidentStates {
		n, on, to := counts["state"][name], q.State == name, name
		if on {
			to = ""
		} else if n == 0 {
			continue
		}
		f.States = append(f.States, facet{Value: name, Label: incidentStateLabel[name], Count: n, On: on, URL: q.with(base, func(q *incidentQuery) { q.State = to })})
	}
	return f
}

// statesOf are the states that an incident is in.
func statesOf(inc *alerting.Incident, acts *act.View) []string {
	if !inc.Open() {
		return []string{"ended"}
	}
	out := []string{"open", "unheld"}
	if acts.Holder(inc.ID) != nil {
		out[1] = "held"
	}
	if inc.Silenced() != nil {
		out = append(out, "silenced")
	}
	return out
}

// valuesOf are the values of a label among the members of an incident, each once.
func valuesOf(inc *alerting.Incident, label string) (out []string) {
	for i := range inc.Members {
		if v := inc.Members[i].Entity.Get(label); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// matchesAll reports whether each of what is typed is found in an incident: a label of one of its members, or a word in its title, its id, a member's name or question, a label's value, a change.
func matchesAll(terms []term, inc *alerting.Incident) bool {
	return !slices.ContainsFunc(terms, func(t term) bool { return !t.matchIncident(inc) })
}

func (t *term) matchIncident(inc *alerting.Incident) bool {
	if t.label != "" {
		return t.label == "cluster" && inc.Cluster == t.value || slices.Contains(valuesOf(inc, t.label), t.value)
	}
	if contains(inc.Title, t.value) || contains(inc.ID, t.value) || contains(inc.Cluster, t.value) {
		return true
	}
	for i := range inc.Members {
		m := &inc.Members[i]
		if contains(m.Name, t.value) || m.Rule != nil && contains(m.Rule.Question, t.value) || slices.ContainsFunc(m.Entity, func(l series.Label) bool { return contains(l.Value, t.value) }) {
			return true
		}
	}
	return slices.ContainsFunc(inc.Changes, func(c alerting.Cause) bool { return contains(c.Text(), t.value) })
}

// suspect words the change that is closest to an incident, and when it was; "" = none is known.
func suspect(inc *alerting.Incident) string {
	if len(inc.Changes) == 0 {
		return ""
	}
	c := &inc.Changes[0]
	return alerting.Clean(alerting.When(c.T, inc.Onset)+": "+c.Text(), textMax)
}

// nextStep is the first command of an incident's headline; "" = the pack names none.
func nextStep(inc *alerting.Incident) string {
	h := inc.Headline()
	if list := steps(h.Rule, h, 1); len(list) > 0 {
		return list[0]
	}
	return ""
}
