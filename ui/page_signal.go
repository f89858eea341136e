// One signal: its chart, why it is judged as it is, and what stands beside it.

package ui

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/signal"
)

const (
	relatedMax     = 12 // signals beside one
	incidentsNamed = 10 // incidents that a signal was part of
)

type signalBody struct {
	*baseline.SignalView
	spanLinks
	Rule      *pack.Rule
	Labels    []labelLink
	Sentence  string
	Figure    figure
	Why       []fact
	Next      []string
	Related   []*baseline.SignalView
	Incidents []*alerting.Incident
	Hands     hands
	PNG       string
	Now       int64
	Expr      string
	Compare   []facet
	Query     []queryLink // the same in other programs of the user's
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
	if !ok && (strings.HasPrefix(id, gapSignal) || strings.HasPrefix(id, lagSignal)) {
		c.Redirect(http.StatusFound, s.base+"/status")
		return
	}
	if !ok {
		s.fail(c, http.StatusNotFound, "There is no signal with this id now. It may have been renamed, or its metrics no longer arrive.")
		return
	}
	r := sv.Signal.Rule
	f, _ := s.frame(r.Name, "signals")
	def := s.ownSpan(sv.Signal.ID, f.Now)
	sp := parseSpan(c.Request.URL.Query(), f.Now, def)
	b := &signalBody{SignalView: sv, Rule: r, Labels: s.labelLinks(sv.Signal.Entity), Sentence: verdictSentence(sv, f.Now), Why: append(why(sv, f.Now), noticeFacts(s.notices(sv), sv.Band.Expected, r.Unit)...), Now: f.Now}
	var marks []mark
	for _, inc := range everyIncident(s.snapshot()) {
		if m := memberOf(inc, sv.Signal.ID); m != nil && len(b.Incidents) < incidentsNamed {
			b.Incidents = append(b.Incidents, inc)
			if m.Onset > sp.From && m.Onset < sp.To {
				marks = append(marks, mark{T: m.Onset, Label: "began"})
			}
		}
	}
	cmpWith := earlier{}
	for _, x := range earliers {
		if c.Query("compare") == x.name {
			cmpWith = x
		}
	}
	b.Figure = s.figure("chart", sv.Signal.ID, sv.Signal.Entity, chart{Title: titleOf(sv.Signal), Unit: r.Unit, From: sp.From, To: sp.To, Height: mainHeight, Params: &r.Params, Marks: marks, earlier: cmpWith})
	b.Figure.Zoom = true
	b.spanLinks = spanLinksOf(s.signalURL(sv.Signal.ID), sp, f.Now)
	b.compareLinks(s.signalURL(sv.Signal.ID), cmpWith)
	if def.Preset == "" {
		b.Presets = append([]facet{{Value: "all so far", URL: s.signalURL(sv.Signal.ID), On: sp == def}}, b.Presets...)
	}
	b.PNG = fmt.Sprintf("%s/chart/%s.svg?from=%d&to=%d", s.base, sv.Signal.ID, sp.From, sp.To)
	b.Hands = s.handsOfSignal(c.Request, sv)
	b.Next = steps(r, asMember(sv), stepsShown)
	b.Related = related(v, sv)
	b.Expr = s.exprInUse(sv.Signal)
	b.Query = s.queryLinks(b.Expr, sp)
	f.Body, f.JSON = b, s.base+"/api/v1/signals/"+sv.Signal.ID
	s.page(c, http.StatusOK, "signal", f)
}

// compareLinks lets the links of the range keep what is compared, and adds those that compare.
func (b *signalBody) compareLinks(at string, with earlier) {
	here := at + "?"
	switch sp := b.Span; {
	case sp.Preset != "":
		here += "range=" + sp.Preset
	default:
		here += fmt.Sprintf("from=%d&to=%d", sp.From, sp.To)
	}
	for _, x := range earliers {
		link := facet{Value: x.words, URL: here + "&compare=" + x.name, On: x == with}
		if link.On {
			link.URL = here
		}
		b.Compare = append(b.Compare, link)
	}
	if with.name == "" {
		return
	}
	keep := "&compare=" + with.name
	for i := range b.Presets {
		b.Presets[i].URL += keep
	}
	for _, u := range []*string{&b.Back, &b.Forward, &b.Out} {
		if *u != "" {
			*u += keep
		}
	}
}

// exprInUse returns the form of its rule that gives a signal; the first while that is not known.
func (s *server) exprInUse(sig *signal.Signal) string {
	r := sig.Rule
	expr := ""
	for _, x := range s.src.Status().Rules {
		if x.Rule != nil && x.Rule.Name == r.Name && x.Cluster == sig.Entity.Get("cluster") && x.Form >= 0 && x.Form < len(r.Exprs) {
			expr = r.Exprs[x.Form]
		}
	}
	if expr == "" && len(r.Exprs) > 0 {
		return r.Exprs[0]
	}
	return expr
}

// related finds signals worth a look beside one: of the same workload or node, or named as evidence by its rule and
// placed in the same cluster. What is wrong comes first.
func related(v *baseline.View, sv *baseline.SignalView) []*baseline.SignalView {
	e := sv.Signal.Entity
	cluster, namespace, workload, node := e.Get("cluster"), e.Get("namespace"), e.Get("workload"), e.Get("node")
	var out []*baseline.SignalView
	for i := range v.Signals {
		o := v.Signals[i]
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
