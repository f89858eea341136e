package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ui"
)

// townEpoch is a Monday, 2026-01-05 00:00 UTC: minute 0 of every town.
const townEpoch = 1_767_571_200_000

const aDay = 1440 // minutes

// town is a small cluster as a Prometheus with scrapes of a minute sends it: each series is a function of the minute since the beginning, which says what a gauge is or how many events a second a counter counts.
type town struct {
	t       *testing.T
	rng     *rand.Rand
	lines   []*townLine
	offline *offline
	drawn   []string // prefix of the id whose windows are kept for a picture, and parts of it; nil = none
	points  []ui.Point
	params  *model.Params
	title   string
	unit    string
	all     map[string]townAlarm // by signal id
}

// townLine is a series. Where value is NaN there is none, and the first such minute is a stale marker.
type townLine struct {
	labels  series.Labels
	key     uint64
	value   func(minute int) float64
	counter bool
	total   float64
	alive   bool
}

// townAlarm counts the minutes of alarm of a signal, and those of them whose value lay inside the band although nothing drifts, is absent, stands still or recovers.
type townAlarm struct{ minutes, ghosts int }

func newTown(t *testing.T, seed uint64, config string) *town {
	t.Helper()
	name := ""
	if config != "" {
		name = file(t, "w.yml", config)
	}
	cfg, err := loadConfig(name)
	if err != nil {
		t.Fatal(err)
	}
	w := &town{t: t, rng: rand.New(rand.NewPCG(seed, 2026)), all: map[string]townAlarm{}}
	if w.offline, err = newOffline(cfg, w.watch); err != nil {
		t.Fatal(err)
	}
	for k := range 2 {
		w.gauge(fmt.Sprintf(`up{job="node-exporter",instance="10.0.0.%d:9100"}`, k+1), always(1))
		w.gauge(fmt.Sprintf(`kube_node_status_condition{job="kube-state-metrics",node="n%d",condition="Ready",status="true"}`, k+1), always(1))
		w.gauge(fmt.Sprintf(`kube_node_info{job="kube-state-metrics",node="n%d",kubelet_version="v1.31.2"}`, k+1), always(1))
	}
	w.gauge(`up{job="kube-state-metrics",instance="10.0.0.1:8080"}`, always(1))
	return w
}

func always(v float64) func(int) float64 { return func(int) float64 { return v } }

func (w *town) add(text string, counter bool, value func(minute int) float64) {
	name, rest, _ := strings.Cut(strings.TrimSuffix(text, "}"), "{")
	l := series.Labels{{Name: series.NameLabel, Value: name}, {Name: "cluster", Value: "prod"}}
	for _, kv := range strings.Split(rest, ",") {
		if k, v, ok := strings.Cut(kv, "="); ok {
			l = append(l, series.Label{Name: k, Value: strings.Trim(v, `"`)})
		}
	}
	slices.SortFunc(l, func(a, b series.Label) int { return strings.Compare(a.Name, b.Name) })
	w.lines = append(w.lines, &townLine{labels: l, key: series.Hash64([]byte(text)), value: value, counter: counter})
}

func (w *town) gauge(text string, value func(minute int) float64)  { w.add(text, false, value) }
func (w *town) counter(text string, rate func(minute int) float64) { w.add(text, true, rate) }

// poisson draws a number of events.
func (w *town) poisson(mean float64) float64 {
	if mean > 50 {
		return max(0, math.Round(mean+math.Sqrt(mean)*w.rng.NormFloat64()))
	}
	l, k, p := math.Exp(-mean), 0., 1.
	for {
		if p *= w.rng.Float64(); p <= l {
			return k
		}
		k++
	}
}

// traffic is a day of office and evening between low and 1.
func traffic(low float64) func(int) float64 {
	return func(i int) float64 { return low + (1-low)*(.5+.5*math.Cos((float64(i%aDay)/60-14)/12*math.Pi)) }
}

// between is 1 within the minutes, else 0.
func between(i, from, to int) bool { return i >= from && i < to }

// town implements series.LabelReader for the batch under way.
type townLabels []*townLine

func (l townLabels) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	return append(dst, l[i].labels...), nil
}

// live lets the town live for so many minutes.
func (w *town) live(minutes int) {
	for i := range minutes {
		b := series.Batch{Sender: "prometheus-0", ReceivedMs: townEpoch + int64(i)*60_000 + 8500}
		var l townLabels
		for _, s := range w.lines {
			v := s.value(i)
			switch {
			case v != v && !s.alive:
				continue
			case v != v:
				s.alive, s.total, v = false, 0, series.StaleNaN
			case s.counter:
				s.total += v * 60
				s.alive, v = true, s.total
			default:
				s.alive = true
			}
			n := uint32(len(b.Samples))
			b.Entries = append(b.Entries, series.Entry{Key: s.key, SampleLo: n, SampleHi: n + 1})
			b.Samples = append(b.Samples, series.Sample{T: townEpoch + int64(i)*60_000 + 7000, V: v})
			l = append(l, s)
		}
		b.Labels = l
		w.offline.engine.Apply(&b, 0)
	}
}

// watch keeps the windows of the signal that is drawn, and counts alarms.
func (w *town) watch(b baseline.Batch) {
	for i := range b.Verdicts {
		v := &b.Verdicts[i]
		if v.State.Alarm() {
			a := w.all[v.Signal.ID]
			a.minutes++
			if v.State != model.Drifting && v.State != model.Absent && v.Test != model.FlatTest && v.Test != model.CeilingTest && v.Value >= v.Band.Lower && v.Value <= v.Band.Upper {
				a.ghosts++
			}
			w.all[v.Signal.ID] = a
		}
		if w.drawn == nil || !fits(v.Signal.ID, w.drawn[0], w.drawn[1:]) {
			continue
		}
		if w.title != "" && w.title != v.Signal.ID {
			w.t.Fatalf("%v draws %s and %s", w.drawn, w.title, v.Signal.ID)
		}
		w.title, w.unit, w.params = v.Signal.ID, v.Signal.Rule.Unit, &v.Signal.Rule.Params
		w.points = append(w.points, ui.Point{T: v.T, Min: v.Value, Max: v.Value, Value: v.Value, Lower: v.Band.Lower, Expected: v.Band.Expected, Upper: v.Band.Upper, State: v.State, Score: v.Score})
	}
}

// said is one incident of a town, in minutes of it.
type said struct {
	opened, ended int // ended is -1 while it lasts
	ids           []string
	title         string
	told          int
}

func (s said) String() string {
	return fmt.Sprintf("day %d %02d:%02d to %s (told %d): %s %v", s.opened/aDay, s.opened%aDay/60, s.opened%60, clockOf(s.ended), s.told, s.title, s.ids)
}

// fits reports whether an id begins with prefix and holds every part.
func fits(id, prefix string, parts []string) bool {
	return strings.HasPrefix(id, prefix) && !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(id, p) })
}

func clockOf(minute int) string {
	if minute < 0 {
		return "now"
	}
	return fmt.Sprintf("day %d %02d:%02d", minute/aDay, minute%aDay/60, minute%60)
}

// about reports whether a member's id begins with prefix and holds every part.
func (s said) about(prefix string, parts ...string) bool {
	return slices.ContainsFunc(s.ids, func(id string) bool { return fits(id, prefix, parts) })
}

// incidents returns what was told, by the time it opened.
func (w *town) incidents() []said {
	var out []said
	for _, inc := range w.offline.manager.Incidents() {
		s := said{opened: townMinute(inc.Opened), ended: -1, title: inc.Title, told: inc.Told}
		if !inc.Open() {
			s.ended = townMinute(inc.Resolved)
		}
		for k := range inc.Members {
			s.ids = append(s.ids, inc.Members[k].SignalID)
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b said) int { return a.opened - b.opened })
	return out
}

func townMinute(ms int64) int { return int((ms - townEpoch) / 60_000) }

// notices returns what receivers would have been sent.
func (w *town) notices() []alerting.Notification { return w.offline.told }

// service adds what a workload of two pods shows of its requests: rps of the whole, and the share of them that fail.
func (w *town) service(namespace, name string, rps, failing func(minute int) float64) {
	for k := range 2 {
		pod := fmt.Sprintf("%s-6b8d9f7c54-x2k4%c", name, "bc"[k])
		l := fmt.Sprintf(`job="%s",namespace="%s",pod="%s",instance="10.1.0.%d:8080"`, name, namespace, pod, k+1)
		at, all, bad := -1, 0., 0.
		draw := func(i int) {
			if i == at {
				return
			}
			at = i
			all = w.poisson(30 * rps(i) * max(0, 1+.04*w.rng.NormFloat64()))
			bad = 0
			if f := failing(i); f >= 1 {
				bad = all
			} else if f > 0 {
				bad = min(w.poisson(all*f), all)
			}
		}
		alive := func(i int) bool { return !math.IsNaN(rps(i)) }
		w.gauge(`up{`+l+`}`, func(i int) float64 {
			if !alive(i) {
				return math.NaN()
			}
			return 1
		})
		w.counter(`http_requests_total{`+l+`,code="200"}`, func(i int) float64 {
			if !alive(i) {
				return math.NaN()
			}
			draw(i)
			return (all - bad) / 60
		})
		w.counter(`http_requests_total{`+l+`,code="500"}`, func(i int) float64 {
			if !alive(i) {
				return math.NaN()
			}
			draw(i)
			return bad / 60
		})
	}
}

// objects adds what kube-state-metrics says of a deployment of two pods: how many are wanted, and how many are there.
func (w *town) objects(namespace, name string, wanted, there func(minute int) float64) {
	l := fmt.Sprintf(`job="kube-state-metrics",namespace="%s",deployment="%s"`, namespace, name)
	w.gauge(`kube_deployment_spec_replicas{`+l+`}`, wanted)
	w.gauge(`kube_deployment_status_replicas_available{`+l+`}`, there)
}
