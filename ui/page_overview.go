// The overview: how things stand, in one look.

package ui

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
)

const (
	overviewCards  = 20 // open incidents shown
	overviewCharts = 4  // of these, drawn
	overviewRows   = 12 // abnormal signals outside incidents listed
	overviewClosed = 5  // ended incidents listed
	cardHeight     = 72 // of a card's plot, pixels
)

type overviewBody struct {
	Tone     string // bad, warn, note, calm, waiting
	Headline string
	Lines    []string
	Write    string // address for remote_write, shown while nothing has been received

	Signals  int
	Counts   []facet // by state
	Open     []incidentCard
	OpenMore int                    // open incidents that are not shown
	Loose    []*baseline.SignalView // in alarm and in no open incident
	Waiting  []string               // clusters in which no window has closed yet
	LooseAll int
	Silent   int // absent and in no open incident: usual for jobs that end
	Closed   []*alerting.Incident

	Clusters []Cluster
	Coverage map[string]string // share of the questions that are answered, by cluster
	Learning learning
	Noise    noise
	Chance   []string // how false alarms stand against their budget
	Packs    []packUse
	Dormant  int
	Now      int64
}

func (s *server) overview(c *gin.Context) {
	f, st := s.frame("Overview", "overview")
	v, snap := s.view(), s.snapshot()
	b := &overviewBody{Signals: len(v.Signals), Clusters: st.Clusters, Learning: learningOf(v), Noise: noiseOf(&st, f.Now), Packs: packsOf(&st), Now: f.Now,
		Closed: snap.Closed[:min(len(snap.Closed), overviewClosed)]}
	for _, p := range b.Packs {
		b.Dormant += p.Dormant
	}
	for i := range st.Clusters {
		if c := &st.Clusters[i]; c.Waiting() {
			b.Waiting = append(b.Waiting, c.Name)
		}
	}
	b.Coverage = map[string]string{}
	for _, r := range coverageOf(&st, v, snap, "") {
		if share, ok := r.Score(); ok {
			b.Coverage[r.Cluster] = fmt.Sprintf("%.0f %%", 100*share)
		}
	}
	if quietDay(snap, f.Now) {
		b.Chance = chanceLines(v.Budget)
	}
	n := censusOf(v, snap, f.Now)
	b.Counts, b.Silent, b.LooseAll = s.chips(n), n.silent, len(n.loose)
	b.Loose = n.loose[:min(len(n.loose), overviewRows)]
	open := byUrgency(snap.Open)
	b.OpenMore = max(len(open)-overviewCards, 0)
	for i, inc := range open[:len(open)-b.OpenMore] {
		b.Open = append(b.Open, s.card(i, inc, f.Now))
	}
	b.headline(n, openOf(open, b.Open), &st, snap)
	if len(v.Signals) == 0 && st.Demo == nil && len(st.Senders) == 0 {
		b.Write = s.writeURL(c.Request)
	}
	f.Body, f.JSON = b, s.base+"/api/v1/incidents"
	s.page(c, http.StatusOK, "overview", f)
}

// chips are the states that exist, with the lists of their signals.
func (s *server) chips(n *census) []facet {
	var out []facet
	all := query{Sort: "score"}
	add := func(name string, count int) {
		if count > 0 {
			out = append(out, facet{Value: name, Label: stateLabel(name), Count: count, URL: all.with(s.base, func(q *query) { q.State = name })})
		}
	}
	for _, state := range [...]model.State{model.High, model.Low, model.Drifting} {
		add(state.String(), n.states[state])
	}
	add(easingOn, n.easings)
	for _, state := range [...]model.State{model.Absent, model.Normal, model.Learning} {
		add(state.String(), n.states[state])
	}
	return out
}

// incidentCard is one open incident on the overview.
type incidentCard struct {
	incidentRow
	Figure *figure // nil: not drawn
	Inside int64   // since when everything is back inside, Unix ms; 0 = it is not, or nobody knows
}

// card shows the i-th open incident. Only the first are drawn.
func (s *server) card(i int, inc *alerting.Incident, now int64) incidentCard {
	card := incidentCard{incidentRow: s.incidentRow(inc)}
	if i < overviewCharts {
		h, sp := inc.Headline(), incidentSpan(inc, now)
		fig := s.figure(fmt.Sprintf("c%d", i), h.SignalID, h.Entity, chart{Title: h.Name, Unit: h.Unit, From: sp.From, To: sp.To, Height: cardHeight, Compact: true, Params: paramsOf(h.Rule), Marks: []mark{{T: h.Onset, Label: "began"}}})
		card.Figure = &fig
	}
	if inc.Phase() != alerting.Firing {
		card.Inside = s.insideSince(inc, now)
	}
	return card
}

// openIncidents says how far the open incidents are on their way to their end.
type openIncidents struct {
	phases [alerting.Over + 1]int
	urgent int   // of those that fire
	since  int64 // since when everything is back inside, where nothing fires; 0 = nobody knows
}

// openOf counts open incidents; cards are those of them that are shown.
func openOf(open []*alerting.Incident, cards []incidentCard) openIncidents {
	var o openIncidents
	for _, inc := range open {
		p := inc.Phase()
		o.phases[p]++
		o.urgent += b2i(p == alerting.Firing && inc.Severity == pack.Page)
	}
	for i := range cards {
		o.since = max(o.since, cards[i].Inside)
	}
	return o
}

// writeURL is where this server takes remote write, as far as it can know.
func (s *server) writeURL(r *http.Request) string {
	if s.o.ExternalURL != "" {
		return strings.TrimRight(s.o.ExternalURL, "/") + "/api/v1/write"
	}
	host := r.Host
	if host == "" || len(host) > 255 {
		host = "wrackline:9099"
	}
	return "http://" + host + "/api/v1/write"
}
