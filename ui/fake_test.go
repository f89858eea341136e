package ui

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// fakeNow is 2026-03-02 14:21 UTC.
var fakeNow = time.Date(2026, 3, 2, 14, 21, 0, 0, time.UTC).UnixMilli()

const fakeMinute = int64(60_000)

// fake is a Source in memory: a small cluster with two open incidents and one that has ended.
type fake struct {
	book     act.Book
	view     *baseline.View
	snap     *alerting.Snapshot
	status   Status
	curve    map[string]func(t int64) Point // one window
	ready    string                         // "" = ready
	backtest Backtest
	fails    bool // Range fails
	short    bool // only the last hour has history

	mu    sync.Mutex // guards cache
	cache map[string]ranged
}

type ranged struct {
	points []Point
	step   int64
}

func (f *fake) View() *baseline.View          { return f.view }
func (f *fake) Incidents() *alerting.Snapshot { return f.snap }
func (f *fake) Status() Status {
	st := f.status
	if f.view != nil {
		st.Budget = f.view.Budget
	}
	return st
}
func (f *fake) Acts() *act.View       { return f.book.View() }
func (f *fake) Backtest() Backtest    { return f.backtest }
func (f *fake) Ready() (bool, string) { return f.ready == "", f.ready }

// Pods knows the pods that weigh in signals.
func (f *fake) Pods(cluster, namespace, pod string, limit int) []identity.PodExplanation {
	var out []identity.PodExplanation
	if f.view == nil || pod == "" {
		return nil
	}
	for i := range f.view.Signals {
		s := f.view.Signals[i]
		for _, m := range s.Top {
			if m.Name == pod && len(out) < min(limit, 1) && (cluster == "" || cluster == s.Signal.Entity.Get("cluster")) {
				out = append(out, identity.PodExplanation{Cluster: s.Signal.Entity.Get("cluster"), Namespace: cmp.Or(namespace, "kube-system"), Pod: pod, Workload: "coredns", Kind: "deployment",
					Why: "kube_pod_owner names a ReplicaSet, and its name ends in a template hash", Sure: true, OwnerKind: "ReplicaSet", OwnerName: "coredns-5d78c9869d", Node: "worker-1", Series: 41})
			}
		}
	}
	return out
}

func (f *fake) Shadow(string) *baseline.Shadow { return nil }

func (f *fake) Shadows(int) ([]*baseline.Shadow, int) { return nil, 0 }

func (f *fake) Explain(rule string) signal.Explanation {
	if f.view == nil {
		return signal.Explanation{}
	}
	x := signal.RuleExplanation{Cluster: "prod-eu", Expr: "sum(x)", Leaves: []signal.LeafExplanation{{Metric: "x_total", Selector: `x_total{rcode="SERVFAIL"}`, Series: 12, Active: 11, Live: 10, LastT: fakeNow}}}
	var r *pack.Rule
	for i := range f.view.Signals {
		if s := f.view.Signals[i].Signal; s.Rule.Name == rule {
			r = s.Rule
			x.Groups = append(x.Groups, s.ID)
		}
	}
	for i := range f.status.Rules { // dormant ones have no signals
		if u := &f.status.Rules[i]; r == nil && u.Rule != nil && u.Rule.Name == rule {
			r = u.Rule
			x.Form, x.Expr, x.Missing = -1, "", u.Missing
		}
	}
	if r == nil {
		return signal.Explanation{}
	}
	return signal.Explanation{Rule: r, Clusters: []signal.RuleExplanation{x}}
}

func (f *fake) Range(id string, from, to int64, points int) ([]Point, int64, error) {
	if f.fails {
		return nil, 0, errors.New("disk on fire")
	}
	curve := f.curve[id]
	if curve == nil {
		return nil, fakeMinute, nil
	}
	key := fmt.Sprint(id, from, to, points)
	f.mu.Lock()
	r, ok := f.cache[key]
	f.mu.Unlock()
	if ok {
		return r.points, r.step, nil
	}
	history := 15 * 24 * 60 * fakeMinute
	if f.short {
		history = 60 * fakeMinute
	}
	first := max((from+fakeMinute-1)/fakeMinute*fakeMinute, fakeNow-history)
	var all []Point
	for t := first; t < min(to, fakeNow); t += fakeMinute {
		if p := curve(t); !math.IsNaN(p.Value) || p.State == model.Absent {
			all = append(all, p)
		}
	}
	out, step := thin(all, fakeMinute, max(points, 1))
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cache == nil {
		f.cache = map[string]ranged{}
	}
	f.cache[key] = ranged{out, step}
	return out, step, nil
}

// noiseAt is a deterministic wiggle between −1 and 1.
func noiseAt(seed, t int64) float64 {
	x := uint64(t/fakeMinute)*0x9E3779B97F4A7C15 ^ uint64(seed)*0xBF58476D1CE4E5B9
	x ^= x >> 31
	x *= 0x94D049BB133111EB
	x ^= x >> 29
	return float64(x%20001)/10000 - 1
}

func day(t int64) float64 {
	return math.Sin(2 * math.Pi * (float64(t%(24*60*fakeMinute))/float64(24*60*fakeMinute) - 0.3))
}

// curveOf returns a daily wave around level with noise; from onset on, fault changes the value.
func curveOf(seed int64, level, swing, noise float64, onset int64, fault func(v float64, minutes float64) (float64, model.State)) func(int64) Point {
	return func(t int64) Point {
		e := level + swing*day(t)
		v := e + noise*(noiseAt(seed, t)+noiseAt(seed+1, t))/2
		p := Point{T: t, Lower: e - 1.3*noise, Expected: e, Upper: e + 1.3*noise, State: model.Normal, Score: math.Abs(noiseAt(seed+2, t)) * 0.4}
		if level-swing >= 0 && p.Lower < 0 {
			p.Lower = 0
		}
		if onset > 0 && t >= onset && fault != nil {
			m := float64(t-onset) / float64(fakeMinute)
			var s model.State
			if v, s = fault(v, m); s != model.Normal {
				p.State, p.Score = s, min(1+m/8, 3.2)
			}
		}
		if level-swing >= 0 {
			v = max(v, 0)
		}
		p.Value, p.Min, p.Max = v, v, v
		return p
	}
}

func fakeRule(of, name, question, unit string, sev pack.Severity, bad model.Direction) *pack.Rule {
	p := model.Defaults()
	p.Bad = bad
	if unit == "ratio" {
		p.Min, p.Max = 0, 1
	}
	return &pack.Rule{Pack: of, Name: name, Question: question, Unit: unit, Severity: sev, Params: p,
		Exprs:   []string{"sum by (cluster) (rate(" + strings.ReplaceAll(name, ".", "_") + "_total[1m]))"},
		Summary: "{{ $value }} (normal {{ $band }})", Meaning: "Something that " + question + " would tell you."}
}

func fakeEntity(labels ...string) series.Labels {
	e := series.Labels{{Name: "cluster", Value: "prod-eu"}}
	for i := 0; i < len(labels); i += 2 {
		e = append(e, series.Label{Name: labels[i], Value: labels[i+1]})
	}
	slices.SortFunc(e, func(a, b series.Label) int { return cmp.Compare(a.Name, b.Name) })
	return e
}

// add puts a signal into the view, as it stands at fakeNow.
func (f *fake) add(r *pack.Rule, e series.Labels, curve func(int64) Point, onset int64, test model.Test) *baseline.SignalView {
	s := &signal.Signal{ID: signal.MakeID(r.Name, e), Rule: r, Entity: e}
	f.curve[s.ID] = curve
	p := curve(fakeNow - fakeMinute)
	v := baseline.SignalView{Since: onset, Verdict: baseline.Verdict{Signal: s, T: fakeNow - fakeMinute, Value: p.Value, Members: 3, Expected: 3,
		Judgement: model.Judgement{Band: model.Band{Lower: p.Lower, Expected: p.Expected, Upper: p.Upper}, State: p.State, Test: test, Score: p.Score,
			Evidence: p.Score * 18, Onset: onset, Maturity: 0.93, Seasonal: model.Daily, Seen: 15 * 24 * 60}}}
	if onset == 0 {
		v.Since = fakeNow - 7*24*60*fakeMinute
	}
	if p.State == model.Absent {
		v.Value = math.NaN()
	}
	f.view.Signals = append(f.view.Signals, &v)
	return f.view.Signals[len(f.view.Signals)-1]
}

func (f *fake) sort() {
	slices.SortFunc(f.view.Signals, func(a, b *baseline.SignalView) int { return strings.Compare(a.Signal.ID, b.Signal.ID) })
}

func memberFrom(v baseline.SignalView, ended int64, how string) alerting.Member {
	r := v.Signal.Rule
	m := alerting.Member{SignalID: v.Signal.ID, Name: r.Name, Rule: r, Entity: v.Signal.Entity, Unit: r.Unit, Severity: r.Severity, Onset: v.Onset, Opened: v.Onset + 3*fakeMinute,
		Ended: ended, Ending: how, Fired: 1, State: v.State, Test: v.Test, Value: v.Value, Band: v.Band, Score: v.Score, Peak: max(v.Score, 1.4), Worst: v.Value * 1.1, WorstT: v.Onset + 9*fakeMinute,
		WorstBand: v.Band, Maturity: v.Maturity, SlopePerDay: v.SlopePerDay, LimitEta: v.LimitEta, Top: v.Top, LastSeen: fakeNow - fakeMinute}
	return m
}
