package main

// What those see and touch who may see some clusters alone.

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/alerting/route"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/query"
	"github.com/wrackline/wrackline/ui"
	"github.com/wrackline/wrackline/web"
)

// tenant is who sees some clusters alone; nil clusters are all of them.
type tenant struct{ clusters []string }

// tenantOf returns what whoever asks may see, or do, with a role.
func tenantOf(r *http.Request, role web.Roles) *tenant {
	x := web.AccessOf(r)
	return &tenant{x.Clusters(role)}
}

func (t *tenant) sees(cluster string) bool { return web.In(t.clusters, cluster) }

// seesEntity reports whether what has these labels is of a cluster that may be seen.
func (t *tenant) seesEntity(l series.Labels) bool { return t.sees(l.Get(identity.LabelCluster)) }

// tenantsMax bounds how many things are made for tenants; beyond it they are made anew.
const tenantsMax = 100

// perTenant makes something for each set of clusters once.
func perTenant[T any](make func(*tenant) T) func(*tenant) T {
	var mu sync.Mutex
	made := map[string]T{}
	return func(t *tenant) T {
		key := "*"
		if t.clusters != nil {
			key = fmt.Sprintf("%q", t.clusters)
		}
		mu.Lock()
		defer mu.Unlock()
		x, ok := made[key]
		if !ok {
			if len(made) >= tenantsMax {
				clear(made)
			}
			x = make(t)
			made[key] = x
		}
		return x
	}
}

// everything is what pages and queries are made of.
type everything interface {
	ui.Source
	query.Source
}

// source returns what the tenant sees of an app.
func (t *tenant) source(a *app) everything {
	if t.clusters == nil {
		return source{a}
	}
	return &part{all: source{a}, t: t}
}

// part is a source without what is of other clusters. What is of the installation as a whole it does not show: who is told, what is stored, the configuration.
type part struct {
	all source
	t   *tenant

	mu   sync.Mutex // of the picture that was cut last
	of   *baseline.View
	view *baseline.View
}

// View implements ui.Source.
func (p *part) View() *baseline.View {
	v := p.all.View()
	if v == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of != v {
		p.of = v
		p.view = &baseline.View{AtMs: v.AtMs,
			Signals: those(v.Signals, func(s *baseline.SignalView) bool { return p.t.seesEntity(s.Signal.Entity) }),
			Changes: those(v.Changes, func(c change.Change) bool { return p.t.sees(c.Cluster) }),
			Sizes:   those(v.Sizes, func(c baseline.ClusterSizes) bool { return p.t.sees(c.Cluster) }),
		}
	}
	return p.view
}

// those returns the elements of a list that keep takes, as a list of its own.
func those[T any](list []T, keep func(T) bool) []T {
	var out []T
	for _, x := range list {
		if keep(x) {
			out = append(out, x)
		}
	}
	return out
}

// Backtest implements ui.Source.
func (p *part) Backtest() ui.Backtest {
	return ui.Backtest{Off: "A backtest is of the whole installation; this login sees some of its clusters alone."}
}

// Incidents implements ui.Source.
func (p *part) Incidents() *alerting.Snapshot { return p.t.incidents(p.all.Incidents()) }

func (t *tenant) incidents(s *alerting.Snapshot) *alerting.Snapshot {
	if s == nil || t.clusters == nil {
		return s
	}
	sees := func(i *alerting.Incident) bool { return t.sees(i.Cluster) }
	return &alerting.Snapshot{T: s.T, Open: those(s.Open, sees), Closed: those(s.Closed, sees), Loose: those(s.Loose, func(m alerting.Member) bool { return t.seesEntity(m.Entity) })}
}

// Acts implements ui.Source.
func (p *part) Acts() *act.View {
	v := p.all.View()
	return p.all.Acts().Only(func(a *act.Act) bool { return p.t.concerns(p.all.a, v, a) })
}

// concerns reports whether an act says something of what the tenant sees.
func (t *tenant) concerns(a *app, v *baseline.View, x *act.Act) bool {
	if t.clusters == nil {
		return true
	}
	switch {
	case x.Incident != "":
		inc, ok := a.manager.Incident(x.Incident)
		return ok && t.sees(inc.Cluster)
	case x.Signal != "":
		return t.seesSignal(v, x.Signal)
	}
	clusters := clustersOf(v)
	for _, m := range matchersOf(x) {
		if m.Label() == identity.LabelCluster && !slices.ContainsFunc(clusters, func(c string) bool { return t.sees(c) && m.Takes(c) }) {
			return false
		}
	}
	return true
}

// owns reports whether an act says something of nothing else, so that the tenant may say it, and take it back.
func (t *tenant) owns(a *app, v *baseline.View, x *act.Act) bool {
	if t.clusters == nil || x.Incident != "" || x.Signal != "" {
		return t.concerns(a, v, x)
	}
	return slices.ContainsFunc(matchersOf(x), func(m route.Matcher) bool {
		name, exact := m.Exact()
		return m.Label() == identity.LabelCluster && exact && t.sees(name)
	})
}

// matchersOf reads what an act asks of labels. It has been read before, so there is no error.
func matchersOf(x *act.Act) (list []route.Matcher) {
	for _, text := range x.Match {
		ms, _ := route.ParseMatchers(text, act.Names)
		list = append(list, ms...)
	}
	return list
}

// clustersOf lists the clusters of a view.
func clustersOf(v *baseline.View) (list []string) {
	seen := map[string]bool{}
	for _, s := range v.Signals {
		if c := s.Signal.Entity.Get(identity.LabelCluster); !seen[c] {
			seen[c] = true
			list = append(list, c)
		}
	}
	return list
}

func (t *tenant) seesSignal(v *baseline.View, id string) bool {
	s, ok := v.Signal(id)
	return ok && t.seesEntity(s.Signal.Entity)
}

// Range implements ui.Source.
func (p *part) Range(id string, from, to int64, points int) ([]ui.Point, int64, error) {
	if !p.t.seesSignal(p.all.View(), id) {
		return nil, 60_000, nil
	}
	return p.all.Range(id, from, to, points)
}

// Samples implements query.Source.
func (p *part) Samples(id string, from, to int64) (quarters, windows []query.Point, err error) {
	if !p.t.seesSignal(p.all.View(), id) {
		return nil, nil, nil
	}
	return p.all.Samples(id, from, to)
}

// Status implements ui.Source.
func (p *part) Status() ui.Status {
	all := p.all.Status()
	return ui.Status{Version: all.Version, Go: all.Go, Platform: all.Platform, StartedMs: all.StartedMs, NowMs: all.NowMs, ReceiveMs: all.ReceiveMs, GraceMs: all.GraceMs,
		NotificationsPerDay: all.NotificationsPerDay, PagesPerDay: all.PagesPerDay,
		Senders:  those(all.Senders, func(x ui.Sender) bool { return p.t.sees(x.Cluster) }),
		Pairs:    those(all.Pairs, func(x ui.Pair) bool { return p.t.sees(x.Cluster) }),
		Clusters: those(all.Clusters, func(x ui.Cluster) bool { return p.t.sees(x.Name) }),
		Rules:    those(all.Rules, func(x ui.RuleUse) bool { return p.t.sees(x.Cluster) }),
	}
}

// Pods implements ui.Source.
func (p *part) Pods(cluster, namespace, pod string, limit int) (list []identity.PodExplanation) {
	names := []string{cluster}
	if cluster == "" {
		names = nil
		for _, c := range p.Status().Clusters {
			names = append(names, c.Name)
		}
	}
	for _, c := range names {
		if p.t.sees(c) && len(list) < limit {
			list = append(list, p.all.Pods(c, namespace, pod, limit-len(list))...)
		}
	}
	return list
}

// Explain implements ui.Source.
func (p *part) Explain(rule string) signal.Explanation {
	x := p.all.Explain(rule)
	kept := x.Clusters[:0:0]
	for _, c := range x.Clusters {
		if p.t.sees(c.Cluster) {
			kept = append(kept, c)
		}
	}
	x.Clusters = kept
	return x
}

// Shadow implements ui.Source.
func (p *part) Shadow(id string) *baseline.Shadow {
	if !p.t.seesSignal(p.all.View(), id) {
		return nil
	}
	return p.all.Shadow(id)
}

// Shadows implements ui.Source.
func (p *part) Shadows(n int) (list []*baseline.Shadow, of int) {
	signals := p.View().Signals
	of = len(signals)
	n = max(min(n, of), 0)
	for i := range n {
		if s := p.all.Shadow(signals[i*of/n].Signal.ID); s != nil {
			list = append(list, s)
		}
	}
	return list, of
}

// Ready implements ui.Source.
func (p *part) Ready() (bool, string) { return p.all.Ready() }

// speaker is who says something: what they may speak of, and under which name.
type speaker struct {
	tenant
	name string // of a person who has logged in; "" = as the act says
}

// speakerOf returns who asks.
func speakerOf(r *http.Request) *speaker {
	x := web.AccessOf(r)
	s := &speaker{tenant: *tenantOf(r, web.MayAct)}
	if x.Person() {
		s.name = x.Name
	}
	return s
}

// may puts the speaker's name on what somebody wants to say, and refuses what is of clusters that are not the speaker's. Of somebody who has one cluster, what names none is of that.
func (s *speaker) may(a *app, d *act.Draft) error {
	if s.name != "" {
		d.Who = s.name
	}
	if s.clusters == nil {
		return nil
	}
	if len(d.Match) > 0 && len(s.clusters) == 1 && !strings.ContainsAny(s.clusters[0], `*?[\`) && !slices.ContainsFunc(d.Match, namesCluster) {
		d.Match = append(d.Match, fmt.Sprintf("%s=%q", identity.LabelCluster, s.clusters[0]))
	}
	x := &act.Act{Kind: d.Kind, Incident: d.Incident, Signal: d.Signal, Rule: d.Rule}
	if s.owns(a, source{a}.View(), x) {
		return nil
	}
	switch {
	case d.Incident != "":
		return errNoIncident
	case d.Signal != "":
		return baseline.ErrNoSignal
	}
	return &act.Error{Field: "match", Msg: fmt.Sprintf("you may act in the clusters %s alone: name one, as cluster=%q", strings.Join(s.clusters, ", "), s.clusters[0])}
}

// namesCluster reports whether a matcher asks for the cluster; one that cannot be read does, and is refused later.
func namesCluster(text string) bool {
	ms, err := route.ParseMatchers(text, act.Names)
	return err != nil || slices.ContainsFunc(ms, func(m route.Matcher) bool { return m.Label() == identity.LabelCluster })
}

// own returns the acts that are the speaker's to say.
func (s *speaker) own(a *app, v *baseline.View, list []*act.Act) []*act.Act {
	return those(list, func(x *act.Act) bool { return s.owns(a, v, x) })
}

// mayUndo refuses to take back what is not the speaker's to say.
func (s *speaker) mayUndo(a *app, id string) error {
	x := a.acts.View().Find(id)
	if s.clusters == nil || x == nil {
		return nil // the fold says that there is none
	}
	if v := (source{a}).View(); s.owns(a, v, x) {
		return nil
	} else if !s.concerns(a, v, x) {
		return act.ErrNone
	}
	return &act.Error{Field: "id", Msg: "it is about more than your clusters; whoever may act in all of them takes it back"}
}
