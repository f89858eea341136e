// What the tests drive a Manager with: rules, signals, a bench that goes minute by minute, and random worlds.

package alerting

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// t0 is 2026-03-02 00:00 UTC, the start of a day.
const t0 = int64(1772409600000)

var (
	servfail = &pack.Rule{Name: "dns.servfail_ratio", Question: "Are cluster DNS lookups failing?", Unit: "ratio", Severity: pack.Page,
		Summary: "{{ $value | pct }} of DNS answers fail (normal {{ $band }})", Meaning: "Names do not resolve.", Next: []string{"kubectl -n kube-system logs -l k8s-app=kube-dns"},
		Evidence: []string{"dns.latency_p99", "net.conntrack_fail"}}
	dnsLat  = &pack.Rule{Name: "dns.latency_p99", Unit: "s", Severity: pack.Warn}
	wlCPU   = &pack.Rule{Name: "wl.cpu", Unit: "cores", Severity: pack.Warn, Evidence: []string{"dns.latency_p99"}}
	wlMem   = &pack.Rule{Name: "wl.memory", Unit: "B", Severity: pack.Warn}
	wlOOM   = &pack.Rule{Name: "wl.oom", Unit: "count", Severity: pack.Page, Evidence: []string{"dns.servfail_ratio"}}
	nodeCPU = &pack.Rule{Name: "node.cpu", Unit: "ratio", Severity: pack.Info, Evidence: []string{"dns.servfail_ratio"}}
	rules   = []*pack.Rule{servfail, dnsLat, wlCPU, wlMem, wlOOM, nodeCPU}
)

func ruleByName(name string) *pack.Rule {
	for _, r := range rules {
		if r.Name == name {
			return r
		}
	}
	return nil
}

func sig(r *pack.Rule, labels ...string) *signal.Signal {
	e := series.Labels{{Name: "cluster", Value: "prod"}}
	for i := 0; i < len(labels); i += 2 {
		e = append(e, series.Label{Name: labels[i], Value: labels[i+1]})
	}
	slices.SortFunc(e, func(a, b series.Label) int { return cmp.Compare(a.Name, b.Name) })
	return &signal.Signal{ID: signal.MakeID(r.Name, e), Rule: r, Entity: e}
}

// bench drives a Manager minute by minute.
type bench struct {
	m       *Manager
	t       int64
	told    []Notification
	on      map[*signal.Signal]baseline.Verdict
	old     bool
	changes []change.Change
	late    int64 // how long after its end a window is judged, ms
}

func newBench(o Options) *bench {
	b := &bench{t: t0, on: map[*signal.Signal]baseline.Verdict{}}
	o.Rule = ruleByName
	o.Emit = func(n Notification) { b.told = append(b.told, n) }
	b.m = NewManager(o)
	return b
}

// alarm sets a signal's verdict for the windows to come; the alarm began onsetAgo minutes before the next window.
func (b *bench) alarm(s *signal.Signal, state model.State, value float64, onsetAgo int64) {
	b.on[s] = baseline.Verdict{Signal: s, Value: value, Judgement: model.Judgement{State: state, Score: 1.5, Test: model.PointTest,
		Onset: b.t + minuteMs - onsetAgo*minuteMs, Band: model.Band{Lower: 0, Expected: 0.001, Upper: 0.002}}, Top: []signal.Member{{Name: "pod-a", Value: value}}}
}

// calm lets a signal return to its band.
func (b *bench) calm(s *signal.Signal, how model.Transition) {
	b.on[s] = baseline.Verdict{Signal: s, Value: 0.001, Judgement: model.Judgement{State: model.Normal, Transition: how, Score: 0.1,
		Band: model.Band{Lower: 0, Expected: 0.001, Upper: 0.002}}}
}

func (b *bench) minutes(n int) {
	for range n {
		b.t += minuteMs
		batch := baseline.Batch{Cluster: "prod", T: b.t, ClosedMs: b.t + b.late, Old: b.old, Changes: b.changes, ChangeSeq: int64(len(b.changes))}
		for _, v := range b.on {
			v.T = b.t
			batch.Verdicts = append(batch.Verdicts, v)
		}
		slices.SortFunc(batch.Verdicts, func(a, b baseline.Verdict) int { return cmp.Compare(a.Signal.ID, b.Signal.ID) })
		b.m.Observe(batch)
	}
}

func (b *bench) reasons() string {
	var r []string
	for _, n := range b.told {
		r = append(r, string(n.Reason))
	}
	return strings.Join(r, " ")
}

func sigOf(b *bench, name string) *signal.Signal {
	for s := range b.on {
		if s.Rule.Name == name {
			return s
		}
	}
	return nil
}

// randomWorld makes batches of two clusters in which signals rise, fall, fall silent and lag.
func randomWorld(r *rand.Rand, batches int) []baseline.Batch {
	var sigs []*signal.Signal
	for _, rule := range rules {
		for n := range 3 {
			for w := range 2 {
				sigs = append(sigs, sig(rule, "namespace", fmt.Sprint("n", n), "workload", fmt.Sprint("w", w)))
			}
		}
	}
	sigs = append(sigs, sig(servfail), sig(dnsLat), sig(nodeCPU, "node", "n1"))
	slices.SortFunc(sigs, func(a, b *signal.Signal) int { return cmp.Compare(a.ID, b.ID) })
	onset := make([][2]int64, len(sigs))
	var out []baseline.Batch
	t := [2]int64{t0, t0 - 5*minuteMs}
	for i := range batches {
		c := r.IntN(2)
		t[c] += minuteMs
		if r.IntN(200) == 0 {
			t[c] += int64(r.IntN(3000)) * minuteMs
		}
		b := baseline.Batch{Cluster: []string{"prod", "dev"}[c], T: t[c], Old: i%500 > 350}
		for k, s := range sigs {
			if r.IntN(30) == 0 {
				continue
			}
			v := baseline.Verdict{Signal: s, T: t[c], Value: r.Float64()}
			v.Band = model.Band{Upper: 0.5}
			switch {
			case onset[k][c] == 0 && r.IntN(150) == 0:
				onset[k][c] = t[c] - int64(r.IntN(15))*minuteMs
				v.Transition = model.Opened
			case onset[k][c] != 0 && r.IntN(12) == 0:
				onset[k][c] = 0
				v.Transition = model.Transition(2 + r.IntN(2))
			}
			v.State = model.Normal
			if onset[k][c] != 0 {
				v.State, v.Onset, v.Score = model.State(2+r.IntN(4)), onset[k][c], 1+r.Float64()
				if v.State == model.Absent {
					v.Value = math.NaN()
				}
			}
			b.Verdicts = append(b.Verdicts, v)
		}
		out = append(out, b)
	}
	return out
}
