// Rights: who is refused what, since when, and after which change.

package ui

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
)

const rightsPage = 100 // of each kind on the page

type rightsBody struct {
	Cluster, Namespace string
	New, Ended, Usual  []rightsRow
	Silent             []rightsRow // of which nothing tells any more
	Changes            []changeRow
	All                int // changes
	Missing            []string
	Now                int64
	Known              bool   // something tells of refusals now, of what was asked for
	Unsure             string // why that nobody is newly refused says little; "" = it does not
}

// rightsRow is one refusal on a page.
type rightsRow struct {
	Verdict, Question, URL, Incident, Audit string
	Since                                   int64
}

func (s *server) rightsRow(r *refusal, now int64) rightsRow {
	out := rightsRow{Verdict: alerting.Clean(r.verdict(now), changeTextMax), Question: r.Rule.Question, URL: s.signalURL(r.SignalID), Since: r.Since, Audit: r.auditCommand()}
	if r.Incident != "" {
		out.Incident = s.incidentURL(r.Incident)
	}
	return out
}

func (s *server) rights(c *gin.Context) {
	f, st := s.frame("Rights", "rights")
	v, snap := s.view(), s.snapshot()
	b := &rightsBody{Cluster: c.Query("cluster"), Namespace: c.Query("namespace"), Now: f.Now}
	r := rightsOf(v, snap, st.Rules, b.Cluster, b.Namespace)
	rows := func(list []refusal) (out []rightsRow) {
		for i := range list[:min(len(list), rightsPage)] {
			out = append(out, s.rightsRow(&list[i], f.Now))
		}
		return out
	}
	var silent []refusal // nothing tells of them any more
	ended := slices.DeleteFunc(slices.Clone(r.Ended), func(x refusal) bool {
		if x.Silent {
			silent = append(silent, x)
		}
		return x.Silent
	})
	b.Silent = rows(silent)
	b.New, b.Ended, b.Usual, b.All, b.Missing = rows(r.New), rows(ended), rows(r.Usual), len(r.Changes), r.Missing
	for _, x := range r.Changes[:min(len(r.Changes), rightsPage)] {
		b.Changes = append(b.Changes, s.changeRow(x))
	}
	b.Known, b.Unsure = r.Known, unsure(&st, censusOf(v, snap, f.Now), f.Now)
	f.Body, f.JSON = b, address(s.base+"/api/v1/rights", c.Request.URL.Query())
	s.page(c, http.StatusOK, "rights", f)
}

// apiRefusal is a refusal as programs see it.
type apiRefusal struct {
	Signal   string            `json:"signal"`
	Question string            `json:"question"`
	Labels   map[string]string `json:"labels"` // who is refused, or what refuses, as far as it is told
	Value    num               `json:"value"`  // now; of one that is over the worst
	Usual    num               `json:"usual"`
	Unit     string            `json:"unit"`
	Since    int64             `json:"since"`  // 0 = as ever
	Ended    int64             `json:"ended"`  // 0 = it lasts
	Silent   bool              `json:"silent"` // nothing tells of it any more; whether it stopped is not known
	Verdict  string            `json:"verdict"`
	Cause    *apiChange        `json:"cause"`          // the change of rights just before
	Mend     *apiChange        `json:"mend,omitempty"` // … just before it stopped
	Audit    string            `json:"audit_command"`  // tells user, verb and resource, which metrics do not
}

func (s *server) apiRights(c *gin.Context) {
	v, now := s.view(), s.view().AtMs
	r := rightsOf(v, s.snapshot(), s.about().Rules, c.Query("cluster"), c.Query("namespace"))
	list := func(in []refusal) []apiRefusal {
		out := []apiRefusal{}
		for i := range in {
			x := &in[i]
			a := apiRefusal{Signal: x.SignalID, Question: x.Rule.Question, Labels: labelMap(x.Entity), Value: num(x.Value), Usual: num(x.Usual), Unit: x.Unit, Since: x.Since, Ended: x.Ended, Silent: x.Silent, Verdict: x.verdict(now), Audit: x.auditCommand()}
			if x.Cause != nil {
				k := apiChangeOf(x.Cause)
				a.Cause = &k
			}
			if x.Mend != nil {
				k := apiChangeOf(x.Mend)
				a.Mend = &k
			}
			out = append(out, a)
		}
		return out
	}
	out := struct {
		At      int64        `json:"at"`
		New     []apiRefusal `json:"new"`
		Ended   []apiRefusal `json:"ended"`
		Usual   []apiRefusal `json:"usual"`
		Changes []apiChange  `json:"changes"`         // of roles, bindings and webhooks, newest first
		Missing []string     `json:"missing_metrics"` // what would tell more and does not arrive
	}{At: v.AtMs, New: list(r.New), Ended: list(r.Ended), Usual: list(r.Usual), Changes: []apiChange{}, Missing: append([]string{}, r.Missing...)}
	for _, x := range r.Changes[:min(len(r.Changes), limitMost)] {
		out.Changes = append(out.Changes, apiChangeOf(x))
	}
	s.apiOK(c, out)
}
