package baseline_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// shop is a cluster in which every workload reports how busy it is.
type shop struct {
	name string
	t    int64
	rnd  *rand.Rand
	size []float64 // of each workload; 0 = silent
	made series.Batch
}

func (s *shop) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	return append(dst, series.Label{Name: "__name__", Value: "busy"}, series.Label{Name: "namespace", Value: "shop"},
		series.Label{Name: "queue", Value: fmt.Sprintf("w%03d", i)}), nil
}

// minutes sends n minutes of values to the engines, times factor for one of the workloads.
func (s *shop) minutes(n, odd int, factor float64, to ...*baseline.Engine) {
	for range n {
		s.t += 60_000
		b := &s.made
		*b = series.Batch{Sender: "s", Cluster: s.name, ReceivedMs: s.t, Labels: s, Entries: b.Entries[:0], Samples: b.Samples[:0]}
		for i, size := range s.size {
			v := size * math.Exp(.06*s.rnd.NormFloat64())
			if i == odd {
				v *= factor
			}
			k := uint32(len(b.Samples))
			b.Entries = append(b.Entries, series.Entry{Key: uint64(i + 1), SampleLo: k, SampleHi: k + 1})
			b.Samples = append(b.Samples, series.Sample{T: s.t, V: v})
		}
		for _, e := range to {
			e.Apply(b, 0)
		}
	}
}

const busyPack = `pack: {name: busy, version: 1, title: How busy workloads are}
groups:
- name: busy
  rules:
  - signal: busy.level
    question: Is the workload as busy as usual?
    expr: max by (cluster, namespace, queue) (busy)
    baseline: {mode: level, bad: both, bounds: [0, null], season: auto, unit: count, effect: {abs: 0, rel: 0.3}}
    for: 3m
    labels: {severity: warn, lesson: resources}
    annotations:
      summary: "{{ $labels.queue }} is at {{ $value }} (normal {{ $band }})"
      meaning: It does more or less than it does at this hour.
      causes: [more work arrives]
      next: ["look at what arrives"]
    evidence: []
`

// Forty workloads of any size arrive in one deploy and are no news for two days; they begin with what their siblings know, one that trebles
// in its first minutes is found, and an engine that is restarted meanwhile says the same to the bit.
func TestNewWorkloadsBeginWithTheirSiblings(t *testing.T) {
	busy, err := pack.Load([]byte(busyPack), "busy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	start := func(s baseline.Sink) *baseline.Engine {
		e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: []*pack.Pack{busy}}, Sink: s})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	const seed = 1701
	s := &shop{name: "c", t: scenario.Epoch, rnd: rand.New(rand.NewPCG(seed, 1))}
	told := newSink()
	e := start(told)
	for range 23 {
		s.size = append(s.size, math.Pow(10, 3*s.rnd.Float64()))
	}
	s.minutes(49*60, -1, 1, e)
	for range 40 {
		s.size = append(s.size, math.Pow(10, 4*s.rnd.Float64()-.5))
	}
	s.minutes(5, -1, 1, e)
	resumed := newSink()
	next := start(resumed)
	if err := next.Restore(1, baseline.State(e), baseline.Kept(e.Models)); err != nil {
		t.Fatal(err)
	}
	if err := next.RestoreView(e.AppendView(nil)); err != nil {
		t.Fatal(err)
	}
	s.minutes(10, -1, 1, e, next)
	id := func(i int) string { return fmt.Sprintf("busy.level~cluster=c~namespace=shop~queue=w%03d", i) }
	lent := 0
	for i := 23; i < 63; i++ {
		v := told.verdicts[id(i)]
		if v.Borrowed == 23 && v.State == model.Learning && v.Seen < 30 && v.Maturity < .2 {
			lent++
		}
		if v.Judgement != resumed.verdicts[id(i)].Judgement {
			t.Errorf("%s: %+v, after a restart %+v", id(i), v.Judgement, resumed.verdicts[id(i)].Judgement)
		}
	}
	if lent < 30 || told.verdicts[id(0)].Borrowed != 0 {
		t.Errorf("seed %d: %d of 40 began with their siblings, an old one leans on %d", seed, lent, told.verdicts[id(0)].Borrowed)
	}
	var again *baseline.Engine
	for odd := 23; odd < 63 && again == nil; odd++ {
		if told.verdicts[id(odd)].Borrowed > 0 { // one of them trebles, in an engine that goes its own way
			again = start(resumed)
			if err := again.Restore(1, baseline.State(e), baseline.Kept(e.Models)); err != nil {
				t.Fatal(err)
			}
			if err := again.RestoreView(e.AppendView(nil)); err != nil {
				t.Fatal(err)
			}
			if v, _ := again.View().Signal(id(odd)); v.Borrowed != 23 {
				t.Errorf("after a restart the view says that %s leans on %d", id(odd), v.Borrowed)
			}
			twin := *s
			twin.made, twin.rnd = series.Batch{}, rand.New(rand.NewPCG(seed, 2))
			twin.minutes(6, odd, 3, again)
			if len(resumed.alarms) != 1 || resumed.alarms[id(odd)] == 0 {
				t.Errorf("seed %d: ×3 in its first half hour: %v", seed, resumed.alarms)
			}
		}
	}
	s.minutes(2*24*60-15, -1, 1, e, next)
	if len(told.alarms) > 0 {
		t.Errorf("seed %d: %v", seed, told.alarms)
	}
	if !bytes.Equal(e.AppendView(nil), next.AppendView(nil)) {
		t.Error("the engine that was restarted differs")
	}
	if v := told.verdicts[id(40)]; v.Borrowed != 0 {
		t.Errorf("after two days a band still leans on %d", v.Borrowed)
	}
	// Another cluster comes along and has no siblings of its own: those of the first one lend, at most so many.
	far := &shop{name: "d", t: s.t, rnd: s.rnd, size: []float64{.5, 7000}}
	far.minutes(20, -1, 1, e)
	if v := told.verdicts["busy.level~cluster=d~namespace=shop~queue=w000"]; v.Borrowed != model.PriorMost {
		t.Errorf("a new cluster's signal leans on %d others", v.Borrowed)
	}
	if len(told.alarms) > 0 {
		t.Errorf("seed %d, another cluster: %v", seed, told.alarms)
	}
}
