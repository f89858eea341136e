// Pages: what each one shows, gathered from snapshots.

package ui

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

const (
	overviewCharts  = 4  // open incidents drawn on the overview
	overviewRows    = 12 // abnormal signals outside incidents listed there
	incidentCharts  = 8  // members drawn on an incident's page
	relatedMax      = 12
	closedPage      = 100
	mainCells       = 480 // cells asked for
	compactCells    = 240
	tableRows       = 24 // rows of the table that stands for a chart
	causesMax       = 10
	dormantShown    = 60
	receiversInbox  = 50
	daysShown       = 14
	learningBuckets = 4
	demoReceiver    = "demo" // the demo's own webhook
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

// figure is a chart on a page.
type figure struct {
	ID      string // of the element
	Title   string
	SVG     template.HTML
	From    int64
	To      int64
	Zoom    bool // dragging changes the range of the page
	Cursor  cursorData
	Readout string // shown while there is no cursor
	Problem string
	Table   []tableRow // the same as text; may be empty
	Changes []tick     // the marks as text, newest first
	Unit    string
}

type tableRow struct {
	T                    int64
	Value, Band, Verdict string
	State                model.State
}

// figure draws one signal's chart. A failure to read history is shown in its place.
func (s *server) figure(elem, id, title, unit string, p *model.Params, sp span, height, cells int, compact bool, marks []mark, ticks []tick) figure {
	f := figure{ID: elem, Title: title, From: sp.From, To: sp.To, Unit: unit}
	points, step, err := s.src.Range(id, sp.From, sp.To, cells)
	if err != nil {
		s.log.Error("history cannot be read", "signal", id, "err", err)
		f.Problem = "The history of this signal cannot be read; the log says why."
		return f
	}
	if len(points) == 0 {
		f.Problem = "No history in this range."
	}
	c := chart{Title: title, Unit: unit, From: sp.From, To: sp.To, Points: points, StepMs: step, Height: height, Compact: compact, Params: p, Marks: marks, Ticks: ticks}
	f.SVG, f.Cursor = c.svg(false), c.cursor()
	if n := len(points); n > 0 {
		f.Readout = readout(&points[n-1], unit)
	}
	f.Changes = slices.Clone(ticks)
	slices.Reverse(f.Changes)
	if !compact {
		few, _ := thin(points, step, tableRows)
		for i := range few {
			q := &few[i]
			f.Table = append(f.Table, tableRow{T: q.T, Value: alerting.Quantity(q.Value, unit), Band: alerting.Range(q.Lower, q.Upper, unit), Verdict: q.State.String(), State: q.State})
		}
		slices.Reverse(f.Table)
	}
	return f
}

// Overview.

type overviewBody struct {
	Tone     string // bad, warn, note, calm, waiting
	Headline string
	Lines    []string
	Write    string // address for remote_write, shown while nothing has been received

	Signals  int
	Counts   []facet // by state
	Open     []incidentCard
	OpenMore int
	Loose    []*baseline.SignalView // in alarm and in no open incident
	Waiting  []string               // clusters in which no window has closed yet
	LooseAll int
	Silent   int // absent and in no open incident: usual for jobs that end
	Closed   []*alerting.Incident

	Clusters []Cluster
	Learning learning
	Noise    noise
	Chance   []string // how false alarms stand against their budget
	Packs    []packUse
	Dormant  int
	Now      int64
}

type incidentCard struct {
	*alerting.Incident
	Figure *figure
	Inside int64 // since when everything is back inside, Unix ms; 0 = it is not, or nobody knows
}

// learning says how far the baselines are.
type learning struct {
	Mean    float64
	Mature  int // signals with 95 % or more
	All     int
	Buckets [learningBuckets]int // by quarter of maturity
}

// Newest returns the days, today first.
func (n noise) Newest() []noiseDay {
	out := slices.Clone(n.Days)
	slices.Reverse(out)
	return out
}

// packUse is one pack over all clusters.
type packUse struct {
	Name, Title    string
	Rules, Active  int
	Series, Asked  int
	DormantRules   []RuleUse
	DormantHidden  int
	Signals        []RuleUse
	ClustersActive int
	Waiting        int // rules about which nothing can be said yet
}

const (
	waitingWindow  = "waiting for the first whole minute of samples"
	waitingMinutes = "waiting for whole minutes"
	youngWindows   = 15 // windows within which a rule with series may still become a signal
)

// packsOf groups the rules by pack. Of a cluster without a closed window nobody knows what arrives: its rules wait, they
// are not dormant.
func packsOf(st *Status) []packUse {
	var out []packUse
	index, clusters := map[string]int{}, map[string]*Cluster{}
	for i := range st.Clusters {
		clusters[st.Clusters[i].Name] = &st.Clusters[i]
	}
	for _, r := range st.Rules {
		if c := clusters[r.Cluster]; c != nil && c.Waiting() {
			r.waiting = waitingWindow
		} else if c != nil && c.WindowsClosed < youngWindows && !r.Dormant() && r.Series > 0 && r.Signals == 0 {
			r.waiting = waitingMinutes
		}
		i, ok := index[r.Pack]
		if !ok {
			i = len(out)
			index[r.Pack] = i
			title := r.PackTitle
			if title == "" {
				title = r.Pack
			}
			out = append(out, packUse{Name: r.Pack, Title: title})
		}
		p := &out[i]
		p.Rules++
		p.Signals = append(p.Signals, r)
		if r.waiting != "" {
			p.Waiting++
		}
		if r.Dormant() && r.waiting == "" {
			if len(p.DormantRules) < dormantShown {
				p.DormantRules = append(p.DormantRules, r)
			} else {
				p.DormantHidden++
			}
			continue
		}
		if r.Dormant() {
			continue
		}
		p.Active++
		p.Series += r.Series
		p.Asked += r.Signals
	}
	slices.SortStableFunc(out, func(a, b packUse) int { return -cmp.Compare(a.Asked, b.Asked) })
	return out
}

func learningOf(v *baseline.View) learning {
	var l learning
	for i := range v.Signals {
		m := v.Signals[i].Maturity
		l.All++
		l.Mean += m
		if m >= 0.95 {
			l.Mature++
		}
		l.Buckets[min(max(int(m*learningBuckets), 0), learningBuckets-1)]++
	}
	if l.All > 0 {
		l.Mean /= float64(l.All)
	}
	return l
}

func (s *server) overview(c *gin.Context) {
	f, st := s.frame("Overview", "overview")
	v, snap := s.view(), s.snapshot()
	b := &overviewBody{Signals: len(v.Signals), Clusters: st.Clusters, Learning: learningOf(v), Noise: noiseOf(&st, f.Now), Chance: chanceLines(v.Budget), Packs: packsOf(&st), Now: f.Now}
	for _, p := range b.Packs {
		b.Dormant += len(p.DormantRules) + p.DormantHidden
	}
	for i := range st.Clusters {
		if c := &st.Clusters[i]; c.Waiting() {
			b.Waiting = append(b.Waiting, c.Name)
		}
	}
	var counts [6]int
	easings := 0
	inIncident := map[string]bool{}
	for _, inc := range snap.Open {
		for i := range inc.Members {
			inIncident[inc.Members[i].SignalID] = true
		}
	}
	learningOnly := true
	for i := range v.Signals {
		sv := &v.Signals[i]
		if easingSignal(sv) {
			easings++
		} else {
			counts[sv.State%6]++
		}
		if sv.State != model.Learning {
			learningOnly = false
		}
		switch {
		case !sv.State.Alarm() || inIncident[sv.Signal.ID]:
		case sv.State == model.Absent:
			b.Silent++
		default:
			b.Loose = append(b.Loose, sv)
		}
	}
	slices.SortStableFunc(b.Loose, func(x, y *baseline.SignalView) int {
		return cmp.Or(-cmp.Compare(alerting.SeverityRank(x.Signal.Rule.Severity), alerting.SeverityRank(y.Signal.Rule.Severity)),
			cmp.Compare(b2i(easingSignal(x)), b2i(easingSignal(y))), cmp.Compare(urgency(x.State), urgency(y.State)), -cmp.Compare(x.Score, y.Score))
	})
	b.LooseAll = len(b.Loose)
	b.Loose = b.Loose[:min(len(b.Loose), overviewRows)]
	all := query{Sort: "score"}
	count := func(name string, n int) {
		if n > 0 {
			b.Counts = append(b.Counts, facet{Value: name, Label: stateLabel(name), Count: n, URL: all.with(s.base, func(q *query) { q.State = name })})
		}
	}
	for _, state := range [...]model.State{model.High, model.Low, model.Drifting} {
		count(state.String(), counts[state])
	}
	count(easingOn, easings)
	for _, state := range [...]model.State{model.Absent, model.Normal, model.Learning} {
		count(state.String(), counts[state])
	}

	open := byUrgency(snap.Open)
	var phases [over + 1]int
	var since int64 // since when everything is back inside, where nothing fires
	pages := 0
	for _, inc := range open {
		p := phaseOf(inc)
		phases[p]++
		pages += b2i(p == firing && inc.Severity == signal.Page)
	}
	for i, inc := range open {
		card := incidentCard{Incident: inc}
		if i < overviewCharts {
			h := inc.Headline()
			fig := s.figure(fmt.Sprintf("c%d", i), h.SignalID, h.Name, h.Unit, paramsOf(h.Rule), incidentSpan(inc, f.Now), 72, compactCells, true, []mark{{T: h.Onset, Label: "began"}}, s.ticks(h.Entity, incidentSpan(inc, f.Now)))
			card.Figure = &fig
		}
		if i < 20 && phaseOf(inc) != firing {
			card.Inside = s.insideSince(inc, f.Now)
			since = max(since, card.Inside)
		}
		if i < 20 {
			b.Open = append(b.Open, card)
		} else {
			b.OpenMore++
		}
	}
	b.Closed = snap.Closed[:min(len(snap.Closed), 5)]

	bad := counts[model.High] + counts[model.Low] + counts[model.Drifting] + counts[model.Absent] - b.Silent
	// outsideNow says how many values are outside now; those that only wait for the end of their alarm are told apart.
	outsideNow := func(tail string) string {
		line := "No signal of " + commas(len(v.Signals)) + " is outside what is normal for it"
		if bad > 0 {
			line = plural(bad, "signal") + " of " + commas(len(v.Signals)) + " outside what is normal" + tail
		}
		if easings > 0 {
			line += "; " + commas(easings) + " back inside, waiting to close"
		}
		return line + "."
	}
	entities := plural(len(v.Signals), "signal") + " in " + plural(len(st.Clusters), "cluster")
	switch {
	case len(v.Signals) == 0:
		b.Tone = "waiting"
		b.Headline = "Waiting for the first samples"
		if len(st.Senders) > 0 {
			b.Headline = "Samples arrive; " + waitingWindow
			if len(st.Clusters) > len(b.Waiting) {
				b.Headline = "Samples arrive; no signal has a value yet"
			}
		}
		if st.Demo == nil && len(st.Senders) == 0 {
			b.Write = s.writeURL(c.Request)
		}
	case phases[firing] > 0:
		b.Tone = "warn"
		b.Headline = plural(phases[firing], "open incident")
		if pages > 0 {
			b.Tone = "bad"
			b.Headline += ", " + commas(pages) + " urgent"
			if pages == phases[firing] {
				b.Headline = plural(pages, "urgent incident")
			}
		}
		b.Lines = append(b.Lines, outsideNow(" for them"))
		if n := phases[recovering]; n > 0 {
			b.Lines = append(b.Lines, plural(n, "more incident")+" recovering: back inside, and ending when the values stay there.")
		}
		if n := phases[closing]; n > 0 {
			b.Lines = append(b.Lines, plural(n, "more incident")+" closing: no alarm is left.")
		}
	case len(open) > 0:
		b.Tone = "easing"
		its, word := "its band", "recovering"
		if len(open) > 1 {
			its = "their bands"
		}
		if phases[recovering] == 0 {
			word = "closing"
		}
		b.Headline = plural(len(open), "incident") + " " + word + ", inside " + its
		if since > 0 {
			b.Headline += " since " + shortClock(f.Now, since)
		}
		if word == "recovering" {
			b.Lines = append(b.Lines, "Nothing is outside because of it any more; it ends when the values stay inside.")
		} else {
			b.Lines = append(b.Lines, "No alarm is left; it ends when nothing comes back.")
		}
		b.Lines = append(b.Lines, outsideNow(" for them"))
	case bad+easings > 0:
		b.Tone = "note"
		b.Headline = "No open incident"
		b.Lines = append(b.Lines, outsideNow(", none of it worth a message"))
	case learningOnly:
		b.Tone = "note"
		b.Headline = "Learning what is normal"
		b.Lines = append(b.Lines, entities+". Gross and lasting deviations already count; finer ones as the bands mature.")
	default:
		b.Tone = "calm"
		b.Headline = "Everything is as usual"
		line := entities + ", all within their bands."
		if n := counts[model.Learning]; n > 0 || b.Silent > 0 {
			line = fmt.Sprintf("%s: %s within their bands", entities, commas(counts[model.Normal]))
			if n > 0 {
				line += ", " + commas(n) + " still learning"
			}
			if b.Silent > 0 {
				line += ", " + commas(b.Silent) + " silent"
			}
			line += "."
		}
		b.Lines = append(b.Lines, line)
		if len(snap.Closed) > 0 {
			b.Lines = append(b.Lines, "The last incident ended "+ago(f.Now, snap.Closed[0].Resolved)+".")
		} else {
			b.Lines = append(b.Lines, "No incident so far.")
		}
	}
	if len(b.Waiting) > 0 && len(v.Signals) > 0 {
		b.Lines = append(b.Lines, plural(len(b.Waiting), "cluster")+" "+waitingWindow+".")
	}
	f.Body, f.JSON = b, s.base+"/api/v1/incidents"
	s.page(c, http.StatusOK, "overview", f)
}

// byUrgency sorts open incidents for people: what fires before what recovers, then by severity, the newest first.
func byUrgency(list []*alerting.Incident) []*alerting.Incident {
	open := slices.Clone(list)
	slices.SortStableFunc(open, func(x, y *alerting.Incident) int {
		return cmp.Or(cmp.Compare(phaseOf(x), phaseOf(y)), -cmp.Compare(alerting.SeverityRank(x.Severity), alerting.SeverityRank(y.Severity)), -cmp.Compare(x.Onset, y.Onset))
	})
	return open
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

// Signals.

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
	for k, vs := range q.values() {
		if k != "q" && k != "page" && k != "namespace" {
			b.Hidden = append(b.Hidden, series.Label{Name: k, Value: vs[0]})
		}
	}
	slices.SortFunc(b.Hidden, func(x, y series.Label) int { return strings.Compare(x.Name, y.Name) })
	if q.Unknown != "" {
		for _, name := range states {
			b.States = append(b.States, facet{Value: name, Label: stateLabel(name), URL: q.with(s.base, func(q *query) { q.State = name })})
		}
	}
	if q.Text+q.Pack+q.Cluster+q.Namespace+q.State != "" {
		b.Clear = s.base + "/signals"
	}
	f.Body = b
	f.JSON = s.base + "/api/v1/signals"
	if e := q.values().Encode(); e != "" {
		f.JSON += "?" + e
	}
	s.page(c, http.StatusOK, "signals", f)
}

// One signal.

type signalBody struct {
	*baseline.SignalView
	Rule      *signal.Rule
	Labels    []labelLink
	Sentence  string
	Figure    figure
	Span      span
	Presets   []facet
	Back      string // half a range earlier
	Forward   string
	Out       string // twice as wide
	Why       []fact
	Next      []string
	Related   []*baseline.SignalView
	Incidents []*alerting.Incident
	PNG       string
	Now       int64
	Expr      string
}

type labelLink struct {
	series.Label
	URL string
}

func (s *server) labelLinks(l series.Labels) []labelLink {
	var out []labelLink
	for _, x := range labelsOf(l) {
		out = append(out, labelLink{Label: x, URL: s.filterURL(x)})
	}
	return out
}

func paramsOf(r *signal.Rule) *model.Params {
	if r == nil {
		return nil
	}
	return &r.Params
}

// spanLinks are the addresses that change a page's range.
func spanLinks(at string, sp span, now int64) (presetLinks []facet, back, forward, out string) {
	for _, p := range presets {
		presetLinks = append(presetLinks, facet{Value: p.Name, URL: at + "?range=" + p.Name, On: sp.Preset == p.Name})
	}
	width := sp.To - sp.From
	to := func(from, to int64) string {
		return fmt.Sprintf("%s?from=%d&to=%d", at, max(from, 0), to)
	}
	back = to(sp.From-width/2, sp.To-width/2)
	if sp.To < now {
		forward = to(sp.From+width/2, sp.To+width/2)
	}
	if 2*width <= rangeMost {
		end := min(sp.To+width/2, max(now, sp.To))
		out = to(end-2*width, end)
	}
	return presetLinks, back, forward, out
}

func defaultSpan(now int64) span {
	return span{From: now - 6*3_600_000, To: now, Preset: "6h"}
}

// ownSpan is the range of a signal's page: the last six hours, or all there is of a younger signal, so that its first
// minutes are not a line of a few pixels. Preset is "" then.
func (s *server) ownSpan(id string, now int64) span {
	const least = 15 * 60_000
	def := defaultSpan(now)
	points, step, err := s.src.Range(id, def.From, now, mainCells)
	if err != nil || len(points) == 0 || points[0].T-2*step <= def.From {
		return def // a failure is told by the chart
	}
	if older, _, err := s.src.Range(id, max(now-7*86_400_000, 0), def.From, 1); err != nil || len(older) > 0 {
		return def // a gap, not a beginning
	}
	return span{From: min(points[0].T-step, now-least), To: now}
}

func (s *server) signal(c *gin.Context) {
	id := c.Param("id")
	v := s.view()
	sv, ok := lookup(v, id)
	if !ok {
		s.fail(c, http.StatusNotFound, "There is no signal with this id now. It may have been renamed, or its metrics no longer arrive.")
		return
	}
	r := sv.Signal.Rule
	f, _ := s.frame(r.Name, "signals")
	def := s.ownSpan(sv.Signal.ID, f.Now)
	sp := parseSpan(c.Request.URL.Query(), f.Now, def)
	b := &signalBody{SignalView: sv, Rule: r, Labels: s.labelLinks(sv.Signal.Entity), Sentence: verdictSentence(sv, f.Now), Span: sp, Why: append(why(sv, f.Now), noticeFacts(s.notices(sv), sv.Band.Expected, r.Unit)...), Now: f.Now}
	snap := s.snapshot()
	var marks []mark
	for _, list := range [][]*alerting.Incident{snap.Open, snap.Closed} {
		for _, inc := range list {
			if m := memberOf(inc, sv.Signal.ID); m != nil && len(b.Incidents) < 10 {
				b.Incidents = append(b.Incidents, inc)
				if m.Onset > sp.From && m.Onset < sp.To {
					marks = append(marks, mark{T: m.Onset, Label: "began"})
				}
			}
		}
	}
	b.Figure = s.figure("chart", sv.Signal.ID, r.Name+", "+place(sv.Signal.Entity), r.Unit, &r.Params, sp, 240, mainCells, false, marks, s.ticks(sv.Signal.Entity, sp))
	b.Figure.Zoom = true
	b.Presets, b.Back, b.Forward, b.Out = spanLinks(s.signalURL(sv.Signal.ID), sp, f.Now)
	if def.Preset == "" {
		b.Presets = append([]facet{{Value: "all so far", URL: s.signalURL(sv.Signal.ID), On: sp == def}}, b.Presets...)
	}
	b.PNG = fmt.Sprintf("%s/chart/%s.svg?from=%d&to=%d", s.base, sv.Signal.ID, sp.From, sp.To)
	m := asMember(sv)
	for _, n := range r.Next[:min(len(r.Next), causesMax)] {
		b.Next = append(b.Next, m.Command(n))
	}
	b.Related = related(v, sv)
	for _, x := range s.src.Status().Rules {
		if x.Rule != nil && x.Rule.Name == r.Name && x.Cluster == sv.Signal.Entity.Get("cluster") && x.Form >= 0 && x.Form < len(r.Exprs) {
			b.Expr = r.Exprs[x.Form]
		}
	}
	if b.Expr == "" && len(r.Exprs) > 0 {
		b.Expr = r.Exprs[0]
	}
	f.Body = b
	f.JSON = s.base + "/api/v1/signals/" + sv.Signal.ID
	s.page(c, http.StatusOK, "signal", f)
}

// asMember lets a rule's next steps be filled with a signal's labels and values.
func asMember(v *baseline.SignalView) *alerting.Member {
	return &alerting.Member{SignalID: v.Signal.ID, Name: v.Signal.Rule.Name, Rule: v.Signal.Rule, Entity: v.Signal.Entity, Unit: v.Signal.Rule.Unit,
		State: v.State, Value: v.Value, Band: v.Band, Top: v.Top, SlopePerDay: v.SlopePerDay, LimitEta: v.LimitEta}
}

func memberOf(inc *alerting.Incident, id string) *alerting.Member {
	for i := range inc.Members {
		if inc.Members[i].SignalID == id {
			return &inc.Members[i]
		}
	}
	return nil
}

// related finds signals worth a look beside one: of the same workload or node, or named as evidence by its rule and
// placed in the same cluster. What is wrong comes first.
func related(v *baseline.View, sv *baseline.SignalView) []*baseline.SignalView {
	e := sv.Signal.Entity
	cluster, namespace, workload, node := e.Get("cluster"), e.Get("namespace"), e.Get("workload"), e.Get("node")
	var out []*baseline.SignalView
	for i := range v.Signals {
		o := &v.Signals[i]
		if o.Signal == sv.Signal || o.Signal.Entity.Get("cluster") != cluster {
			continue
		}
		oe := o.Signal.Entity
		same := workload != "" && oe.Get("workload") == workload && oe.Get("namespace") == namespace || node != "" && oe.Get("node") == node && workload == ""
		if !same && slices.Contains(sv.Signal.Rule.Evidence, o.Signal.Rule.Name) {
			same = (oe.Get("namespace") == "" || namespace == "" || oe.Get("namespace") == namespace) && (oe.Get("node") == "" || node == "" || oe.Get("node") == node)
		}
		if !same && workload == "" && node == "" && namespace == "" {
			same = o.Signal.Rule.Pack == sv.Signal.Rule.Pack && len(oe) == len(e)
		}
		if same {
			out = append(out, o)
		}
	}
	slices.SortStableFunc(out, func(a, b *baseline.SignalView) int {
		return cmp.Or(-cmp.Compare(b2i(a.State.Alarm()), b2i(b.State.Alarm())), -cmp.Compare(a.Score, b.Score))
	})
	return out[:min(len(out), relatedMax)]
}

// Incidents.

type incidentsBody struct {
	Open, Closed []*alerting.Incident
	ClosedAll    int
	Loose        []alerting.Member
	Now          int64
}

func (s *server) incidents(c *gin.Context) {
	f, _ := s.frame("Incidents", "incidents")
	snap := s.snapshot()
	f.Body = &incidentsBody{Open: byUrgency(snap.Open), Closed: snap.Closed[:min(len(snap.Closed), closedPage)], ClosedAll: len(snap.Closed), Loose: snap.Loose[:min(len(snap.Loose), pageLen)], Now: f.Now}
	f.JSON = s.base + "/api/v1/incidents"
	s.page(c, http.StatusOK, "incidents", f)
}

type incidentBody struct {
	*alerting.Incident
	Head, First *alerting.Member
	Where       []labelLink
	Span        span
	Presets     []facet
	Back        string
	Forward     string
	Out         string
	Whole       string // the incident's own range
	Figures     []memberFigure
	Hidden      int // members not drawn
	Notes       []string
	Next        []string
	Timeline    []timelineRow
	Causes      []causeRow
	AllChanges  string // the list of changes of that time
	Now         int64
	End         int64 // when it ended, or now
	EndWord     string
	Inside      int64 // since when everything is back inside; 0 = it is not, or nobody knows
}

// causeRow is a change that may be behind an incident.
type causeRow struct {
	changeRow
	When string // in relation to the onset
	Near string
}

type memberFigure struct {
	*alerting.Member
	Figure figure
	First  bool
}

type timelineRow struct {
	T      int64
	Kind   string // class, from a fixed set
	Text   string
	Signal string // id, for a link; "" when there is none
	Name   string
	Where  string
}

// incidentSpan is an incident with some of what was before and after.
func incidentSpan(inc *alerting.Incident, now int64) span {
	end := inc.Resolved
	if inc.Open() {
		end = max(now, inc.Updated)
	}
	before := max((end-inc.Onset)/3, 30*60_000)
	sp := span{From: inc.Onset - before, To: end}
	if !inc.Open() {
		sp.To = min(end+before/2, max(now, end))
	}
	return sp
}

func findIncident(snap *alerting.Snapshot, id string) *alerting.Incident {
	for _, list := range [][]*alerting.Incident{snap.Open, snap.Closed} {
		for _, inc := range list {
			if inc.ID == id {
				return inc
			}
		}
	}
	return nil
}

func (s *server) incident(c *gin.Context) {
	inc := findIncident(s.snapshot(), c.Param("id"))
	if inc == nil {
		s.fail(c, http.StatusNotFound, "There is no incident with this id. Old incidents are forgotten after a while.")
		return
	}
	f, _ := s.frame(inc.Title, "incidents")
	own := incidentSpan(inc, f.Now)
	sp := parseSpan(c.Request.URL.Query(), f.Now, own)
	b := &incidentBody{Incident: inc, Head: inc.Headline(), First: inc.FirstMover(), Where: s.labelLinks(inc.Scope), Span: sp, Notes: notes(inc), Now: f.Now, End: inc.Resolved, EndWord: ending(inc.Resolution)}
	if inc.Open() {
		b.End = f.Now
		if phaseOf(inc) != firing {
			b.Inside = s.insideSince(inc, f.Now)
		}
	}
	at := s.incidentURL(inc.ID)
	b.Presets, b.Back, b.Forward, b.Out = spanLinks(at, sp, f.Now)
	if sp != own {
		b.Whole = at
	}
	for i := range inc.Members {
		m := &inc.Members[i]
		if i >= incidentCharts && i != inc.Lead {
			b.Hidden++
			continue
		}
		marks := []mark{{T: m.Onset, Label: "began"}}
		if m.Ended > 0 {
			marks = append(marks, mark{T: m.Ended, Label: "ended"})
		}
		fig := s.figure(fmt.Sprintf("c%d", i), m.SignalID, m.Name+", "+place(m.Entity), m.Unit, paramsOf(m.Rule), sp, 84, compactCells, true, marks, s.ticks(m.Entity, sp))
		fig.Zoom = true
		b.Figures = append(b.Figures, memberFigure{Member: m, Figure: fig, First: i == 0})
	}
	if r := b.Head.Rule; r != nil {
		for _, n := range r.Next[:min(len(r.Next), causesMax)] {
			b.Next = append(b.Next, b.Head.Command(n))
		}
	}
	b.Timeline = timeline(inc)
	for i := range inc.Changes {
		x := &inc.Changes[i]
		b.Causes = append(b.Causes, causeRow{changeRow: s.changeRow(&x.Change), When: alerting.When(x.T, inc.Onset), Near: x.Nearness.String()})
	}
	around := changeQuery{Cluster: inc.Cluster, From: max(inc.Onset-2*3_600_000, 1), To: inc.Onset + 3_600_000}
	b.AllChanges = around.with(s.base, func(*changeQuery) {})
	f.Body, f.JSON = b, s.base+"/api/v1/incidents/"+inc.ID
	s.page(c, http.StatusOK, "incident", f)
}

// timeline words an incident's events, newest first.
func timeline(inc *alerting.Incident) []timelineRow {
	var out []timelineRow
	for _, e := range inc.Timeline {
		row := timelineRow{T: e.T, Kind: "ev-other"}
		if m := memberOf(inc, e.Signal); m != nil {
			row.Signal, row.Name, row.Where = m.SignalID, m.Name, place(m.Entity)
		} else if strings.Contains(e.Signal, "~") {
			row.Name = alerting.Clean(e.Signal, textMax)
		}
		switch e.Kind {
		case "opened":
			row.Kind, row.Text = "ev-bad", "opened the incident"
		case "joined":
			row.Kind, row.Text = "ev-bad", "joined"
		case "refired":
			row.Kind, row.Text = "ev-bad", "left its band again"
		case "recovered", "adopted", "gone":
			row.Kind, row.Text = "ev-good", ending(e.Kind)
		case "severity":
			row.Kind, row.Text = "ev-bad", "severity became "+alerting.Clean(e.Signal, 20)
		case "notified":
			row.Kind, row.Text = "ev-told", "receivers were told: "+reasonWord(e.Signal)
		case "withheld":
			row.Kind, row.Text = "ev-told", "a notification was kept back by the daily cap: "+reasonWord(e.Signal)
		case "resolved":
			row.Kind, row.Text = "ev-good", "resolved: "+ending(inc.Resolution)
		default:
			row.Text = alerting.Clean(e.Kind+" "+e.Signal, textMax)
		}
		out = append(out, row)
	}
	slices.Reverse(out)
	return out
}

func reasonWord(r string) string {
	switch alerting.Reason(r) {
	case alerting.First:
		return "first announcement"
	case alerting.Changed:
		return "it became worse or wider"
	case alerting.Resolved:
		return "the closing word"
	case alerting.Trial:
		return "a test message"
	}
	return alerting.Clean(r, 40)
}

// Receivers.

type receiversBody struct {
	Receivers   []Receiver
	Dead        []DeadLetter
	Demo        *Demo
	Inbox       []InboxMessage
	Budget      noise
	Chance      []string // how false alarms stand against their budget
	Now         int64
	Announced   []*alerting.Incident
	NoReceivers bool
}

func (s *server) receivers(c *gin.Context) {
	f, st := s.frame("Receivers", "receivers")
	b := &receiversBody{Receivers: st.Receivers, Dead: st.DeadLetters[:min(len(st.DeadLetters), pageLen)], Demo: st.Demo, Budget: noiseOf(&st, f.Now), Chance: chanceLines(s.view().Budget), Now: f.Now, NoReceivers: len(st.Receivers) == 0}
	if st.Demo != nil {
		b.Receivers = slices.Clone(b.Receivers)
		for i := range b.Receivers {
			if b.Receivers[i].Name == demoReceiver {
				b.Receivers[i].Test = "" // it is in no configuration file that a command could read
			}
		}
		b.Inbox = st.Demo.Inbox[:min(len(st.Demo.Inbox), receiversInbox)]
	}
	f.Body, f.JSON = b, s.base+"/api/v1/status/receivers"
	s.page(c, http.StatusOK, "receivers", f)
}

// Status.

type statusBody struct {
	Status
	Packs []packUse
	Now   int64
}

func (s *server) status(c *gin.Context) {
	f, st := s.frame("Status", "status")
	if st.Version == "" {
		st.Version = s.o.Version
	}
	f.Body, f.JSON = &statusBody{Status: st, Packs: packsOf(&st), Now: f.Now}, s.base+"/api/v1/status"
	s.page(c, http.StatusOK, "status", f)
}

// chartFile serves one chart as a picture that needs nothing else.
func (s *server) chartFile(c *gin.Context) {
	id, ok := strings.CutSuffix(c.Param("file"), ".svg")
	sv, found := lookup(s.view(), id)
	if !ok || !found {
		s.fail(c, http.StatusNotFound, "There is no such chart.")
		return
	}
	st := s.src.Status()
	now := s.now(&st)
	sp := parseSpan(c.Request.URL.Query(), now, defaultSpan(now))
	if sp.Problem != "" {
		c.String(http.StatusBadRequest, "%s\n", sp.Problem)
		return
	}
	r := sv.Signal.Rule
	points, step, err := s.src.Range(sv.Signal.ID, sp.From, sp.To, mainCells)
	if err != nil {
		s.log.Error("history cannot be read", "signal", sv.Signal.ID, "err", err)
		c.String(http.StatusInternalServerError, "The history of this signal cannot be read; the log says why.\n")
		return
	}
	ch := chart{Title: r.Name + ", " + place(sv.Signal.Entity), Unit: r.Unit, From: sp.From, To: sp.To, Points: points, StepMs: step, Height: 240, Params: &r.Params, Ticks: s.ticks(sv.Signal.Entity, sp)}
	c.Header("Cache-Control", "no-cache")
	c.Data(http.StatusOK, "image/svg+xml; charset=utf-8", []byte(ch.svg(true)))
}
