package query

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// base is where the fake's time begins, Unix milliseconds.
const base = int64(1_790_000_100_000) / quarterMs * quarterMs

// fake is a Source in memory.
type fake struct {
	view   *baseline.View
	snap   *alerting.Snapshot
	old    map[string][]Point // quarters
	points map[string][]Point // windows
	fails  bool
	reads  int
}

func (f *fake) View() *baseline.View          { return f.view }
func (f *fake) Incidents() *alerting.Snapshot { return f.snap }

func (f *fake) Samples(id string, from, to int64) (quarters, windows []Point, err error) {
	f.reads++
	if f.fails {
		return nil, nil, fmt.Errorf("the disk is gone")
	}
	within := func(list []Point) []Point {
		return slices.DeleteFunc(slices.Clone(list), func(p Point) bool { return p.T <= from || p.T > to })
	}
	return within(f.old[id]), within(f.points[id]), nil
}

func (f *fake) add(name, unit string, severity pack.Severity, state model.State, entity ...string) string {
	s := &signal.Signal{Rule: &pack.Rule{Name: name, Pack: "kubernetes", Unit: unit, Severity: severity}}
	for i := 0; i < len(entity); i += 2 {
		s.Entity = append(s.Entity, series.Label{Name: entity[i], Value: entity[i+1]})
	}
	s.ID = signal.MakeID(name, s.Entity)
	v := &baseline.SignalView{}
	v.Signal, v.State, v.T, v.Value, v.Score = s, state, base+120*minuteMs, 3, 0.5
	v.Band = model.Band{Lower: 1, Expected: 2, Upper: math.NaN()}
	f.view.Signals = append(f.view.Signals, v)
	return s.ID
}

// newFake has two hours of minutes with gaps, an hour of quarters before, two incidents and some changes.
func newFake(r *rand.Rand) *fake {
	f := &fake{view: &baseline.View{AtMs: base + 120*minuteMs}, snap: &alerting.Snapshot{}, points: map[string][]Point{}, old: map[string][]Point{}}
	for i := range 12 {
		name, unit := [...]string{"http_errors", "latency_p99", "memory"}[i%3], [...]string{"ratio", "s", "B"}[i%3]
		id := f.add(name, unit, [...]pack.Severity{pack.Page, pack.Warn}[i%2], [...]model.State{model.Normal, model.High, model.Absent}[i%3],
			"cluster", fmt.Sprintf("c%d", i/6), "namespace", "shop", "workload", fmt.Sprintf("w%d", i/3))
		level := math.Pow(10, float64(i%5-2))
		for m := int64(1); m <= 120; m++ {
			if i%4 == 3 && m > 40 && m < 55 || r.IntN(20) == 0 {
				continue
			}
			v := float64(float32(level * (1 + 0.2*r.NormFloat64())))
			p := Point{T: base + m*minuteMs, Value: v, Lower: level / 2, Expected: level, Upper: level * 2, Score: float64(r.IntN(200)) / 100}
			if r.IntN(15) == 0 {
				p.Lower, p.Upper = math.NaN(), math.Inf(1)
			}
			f.points[id] = append(f.points[id], p)
		}
		for q := int64(-3); q <= 0; q++ {
			f.old[id] = append(f.old[id], Point{T: base + q*quarterMs, Value: level, Lower: level / 2, Expected: level, Upper: level * 2})
		}
	}
	slices.SortFunc(f.view.Signals, func(a, b *baseline.SignalView) int {
		return slices.Compare([]byte(a.Signal.ID), []byte(b.Signal.ID))
	})
	incident := func(id string, from, to int64) *alerting.Incident {
		return &alerting.Incident{ID: id, Title: `"x" is high`, Severity: pack.Page, Cluster: "c0", Opened: base + from*minuteMs + 7_000, Resolved: to,
			Scope: series.Labels{{Name: "cluster", Value: "c0"}, {Name: "namespace", Value: "shop"}}, Members: []alerting.Member{{Name: "http_errors"}}}
	}
	f.snap.Open = []*alerting.Incident{incident("i1", 90, 0)}
	f.snap.Closed = []*alerting.Incident{incident("i0", 20, base+51*minuteMs+20_000)}
	for i := range int64(3) {
		f.view.Changes = append(f.view.Changes, change.Change{T: base + 30*i*minuteMs, Kind: change.Rollout, Cluster: "c0", Object: "deployment shop/w0",
			Entity: series.Labels{{Name: "cluster", Value: "c0"}, {Name: "workload", Value: "w0"}}})
	}
	return f
}

// flat is every sample of the fake as Prometheus would have scraped it: by label set, with name. Made without the code that is tested.
type flat struct {
	labels map[string]string
	t      []int64
	v      []float64
}

func (f *fake) flat(staleNaN float64) []flat {
	var out []flat
	for _, s := range f.view.Signals {
		for name, of := range map[string]func(Point) float64{
			"wrackline_signal": func(p Point) float64 { return p.Value }, "wrackline_signal_lower": func(p Point) float64 { return p.Lower },
			"wrackline_signal_upper": func(p Point) float64 { return p.Upper }, "wrackline_signal_expected": func(p Point) float64 { return p.Expected },
			"wrackline_signal_score": func(p Point) float64 { return p.Score },
		} {
			x := flat{labels: map[string]string{"__name__": name, "signal": s.Signal.Rule.Name, "pack": "kubernetes", "severity": string(s.Signal.Rule.Severity), "unit": s.Signal.Rule.Unit}}
			for _, l := range s.Signal.Entity {
				x.labels[l.Name] = l.Value
			}
			put := func(t int64, v float64) {
				if !math.IsNaN(v) {
					x.t, x.v = append(x.t, t), append(x.v, v)
				}
			}
			for _, p := range f.old[s.Signal.ID] {
				for k := int64(2); k >= 0; k-- {
					put(p.T-5*k*minuteMs, of(p))
				}
			}
			for _, p := range f.points[s.Signal.ID] {
				put(p.T, of(p))
			}
			out = append(out, x)
		}
	}
	for _, i := range append(slices.Clone(f.snap.Open), f.snap.Closed...) {
		x := flat{labels: map[string]string{"__name__": "wrackline_incident", "incident": i.ID, "severity": "page", "cluster": "c0", "namespace": "shop", "signal": "http_errors", "title": i.Title}}
		end := i.Resolved
		if end == 0 {
			end = f.view.AtMs
		}
		for t := i.Opened; t < end; t += minuteMs {
			x.t, x.v = append(x.t, t), append(x.v, 1)
		}
		last := 1.0
		if i.Resolved > 0 {
			last = staleNaN
		}
		x.t, x.v = append(x.t, end), append(x.v, last)
		out = append(out, x)
	}
	c := flat{labels: map[string]string{"__name__": "wrackline_change", "kind": "rollout", "cluster": "c0", "workload": "w0", "object": "deployment shop/w0", "text": "rollout of deployment shop/w0"}}
	for _, x := range f.view.Changes {
		c.t, c.v = append(c.t, x.T), append(c.v, 1)
	}
	return append(out, c)
}
