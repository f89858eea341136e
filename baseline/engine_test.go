package baseline_test

import (
	"bytes"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// packs returns the embedded packs.
func packs(t testing.TB) []*pack.Pack {
	t.Helper()
	p, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sink keeps what it is told.
type sink struct {
	batches  int
	old      int
	verdicts map[string]baseline.Verdict // newest by id
	alarms   map[string]int64            // first window in which a signal was in alarm and the batch was not old
}

func (s *sink) Observe(b baseline.Batch) {
	s.batches++
	if b.Old || b.Young {
		s.old++
	}
	for i, v := range b.Verdicts {
		if i > 0 && b.Verdicts[i-1].Signal.ID >= v.Signal.ID {
			panic("verdicts are not sorted by signal id")
		}
		v.Top = nil
		s.verdicts[v.Signal.ID] = v
		if _, ok := s.alarms[v.Signal.ID]; !ok && v.State.Alarm() && !b.Old && !b.Young {
			s.alarms[v.Signal.ID] = b.T
		}
	}
}

func newSink() *sink {
	return &sink{verdicts: map[string]baseline.Verdict{}, alarms: map[string]int64{}}
}

func engine(t *testing.T, s baseline.Sink) *baseline.Engine {
	t.Helper()
	e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: packs(t)}, Sink: s})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// play folds a simulated cluster from its present until then.
func play(e *baseline.Engine, g *scenario.Generator, until int64) {
	for {
		r, ok := g.Next(until)
		if !ok {
			return
		}
		e.Apply(&r.Batch, 0)
	}
}

func generator(t *testing.T, faults ...scenario.Fault) *scenario.Generator {
	t.Helper()
	g, err := scenario.New(scenario.Config{Seed: 5, Faults: faults})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

const hour = int64(3600_000)

// TestRestoredEngineContinuesToTheBit cuts a run at several places, moves the state to a fresh engine and compares everything that
// either says afterwards.
func TestRestoredEngineContinuesToTheBit(t *testing.T) {
	end := scenario.Epoch + 5*hour
	whole := newSink()
	a := engine(t, whole)
	play(a, generator(t), end)

	s := newSink()
	b := engine(t, s)
	g := generator(t)
	for _, at := range []int64{20 * 60_000, hour, 2*hour + 7*60_000, 4 * hour} {
		play(b, g, scenario.Epoch+at)
		next := engine(t, s)
		b.Publish()
		if err := next.Restore(7, baseline.State(b), baseline.Kept(b.Models)); err != nil {
			t.Fatal(err)
		}
		if err := next.RestoreView(b.AppendView(nil)); err != nil {
			t.Fatal(err)
		}
		if next.Pos() != 7 {
			t.Errorf("position %d after Restore, want 7", next.Pos())
		}
		if got, want := len(next.View().Signals), len(b.View().Signals); got != want || got == 0 {
			t.Errorf("the view after a restore shows %d signals, want %d", got, want)
		}
		b = next
	}
	play(b, g, end)
	if len(whole.verdicts) != len(s.verdicts) || whole.batches != s.batches {
		t.Fatalf("%d signals in %d windows, want %d in %d", len(s.verdicts), s.batches, len(whole.verdicts), whole.batches)
	}
	for id, v := range whole.verdicts {
		w := s.verdicts[id]
		if math.Float64bits(v.Value) != math.Float64bits(w.Value) || v.Judgement != w.Judgement {
			t.Errorf("%s: %v %+v\nwithout a restore %v %+v", id, w.Value, w.Judgement, v.Value, v.Judgement)
		}
	}
	if !bytes.Equal(a.AppendStream(nil), b.AppendStream(nil)) || !bytes.Equal(a.AppendView(nil), b.AppendView(nil)) {
		t.Error("the state differs")
	}
}

// TestFirstHourIsLearnedNotTold holds that whatever a cluster brings along is not announced, and what comes later is.
func TestFirstHourIsLearnedNotTold(t *testing.T) {
	s := newSink()
	e := engine(t, s)
	g := generator(t)
	play(e, g, scenario.Epoch+hour)
	if s.batches < 50 || s.old != s.batches {
		t.Errorf("%d of %d windows of the first hour are old or young, want all", s.old, s.batches)
	}
	play(e, g, scenario.Epoch+hour+5*60_000)
	s.old, s.batches = 0, 0
	play(e, g, scenario.Epoch+2*hour)
	if s.old != 0 || s.batches < 50 {
		t.Errorf("%d of %d later windows are old or young, want none", s.old, s.batches)
	}
}

// TestBacklogIsLearnedNotTold holds that windows that close long after their end are marked, whatever they hold.
func TestBacklogIsLearnedNotTold(t *testing.T) {
	s := newSink()
	e := engine(t, s)
	play(e, generator(t), scenario.Epoch+2*hour)
	s.old, s.batches = 0, 0
	g := generator(t)
	g.Skip(scenario.Epoch + 2*hour)
	for { // the sender was cut off for two hours and now delivers within a minute
		r, ok := g.Next(scenario.Epoch + 4*hour)
		if !ok {
			break
		}
		r.ReceivedMs = scenario.Epoch + 4*hour + (r.ReceivedMs-scenario.Epoch-2*hour)/120
		e.Apply(&r.Batch, 0)
	}
	if s.batches < 100 || s.old < s.batches-15 {
		t.Errorf("%d of %d windows of a backlog of two hours are old", s.old, s.batches)
	}
}

// rule returns an engine of one rule, and a function that gives it one minute of good and bad events.
func events(t *testing.T, effectEvents float64) (*sink, func(good, bad float64)) {
	t.Helper()
	p, err := pack.Load([]byte(`
pack: {name: t, version: 1}
groups:
- name: g
  rules:
  - signal: t.error_ratio
    question: Do requests fail?
    expr: sum by (cluster) (rate(requests_total{code="500"}[1m])) / sum by (cluster) (rate(requests_total[1m]))
    baseline: {bad: up, bounds: [0, 1], season: none, unit: ratio, effect: {abs: 0.01, events: `+strconv.Itoa(int(effectEvents))+`}}
    for: 2m
`), "t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := newSink()
	e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: []*pack.Pack{p}}, Sink: s})
	if err != nil {
		t.Fatal(err)
	}
	at := scenario.Epoch + 30_000
	var ok, failed float64
	return s, func(good, bad float64) {
		ok, failed = ok+good, failed+bad
		e.Apply(&series.Batch{ReceivedMs: at, Labels: two{}, Entries: []series.Entry{{Key: 1, SampleLo: 0, SampleHi: 1}, {Key: 2, SampleLo: 1, SampleHi: 2}},
			Samples: []series.Sample{{T: at, V: ok}, {T: at, V: failed}}}, 0)
		at += 60_000
	}
}

// two reads the labels of good and of bad requests.
type two struct{}

func (two) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	return append(dst, series.Label{Name: "__name__", Value: "requests_total"}, series.Label{Name: "code", Value: [2]string{"200", "500"}[i]}), nil
}

// TestFewBadEventsAreNotWorthAMessage holds that a share that looks large is silent while too few events make it.
func TestFewBadEventsAreNotWorthAMessage(t *testing.T) {
	for _, c := range []struct {
		need  float64
		alarm bool
	}{{0, true}, {3, true}, {50, false}} {
		s, minute := events(t, c.need)
		for range 3 * 1440 {
			minute(100, 0)
		}
		for range 10 {
			minute(80, 20) // a fifth fails: 20 events a minute
		}
		v := s.verdicts["t.error_ratio~cluster=default"]
		if v.State.Alarm() != c.alarm || math.Abs(v.Value-.2) > .01 {
			t.Errorf("with %g events asked for: value %g, state %s; want an alarm: %v", c.need, v.Value, v.State, c.alarm)
		}
	}
}

// TestAbsentIsShownNotJudged holds that a signal that stops is absent in the view, from the end of its last value.
func TestAbsentIsShownNotJudged(t *testing.T) {
	s, minute := events(t, 0)
	for range 60 {
		minute(100, 1)
	}
	e := engine(t, s)
	play(e, generator(t), scenario.Epoch+hour)
	last := e.View().AtMs
	e.Apply(&series.Batch{ReceivedMs: last + 11*60_000, Labels: two{}, Entries: []series.Entry{{Key: 1, SampleHi: 1}},
		Samples: []series.Sample{{T: last + 11*60_000, V: 1}}}, 0)
	e.Publish()
	absent := 0
	for _, v := range e.View().Signals {
		if v.State == model.Absent {
			absent++
			if v.Since != v.T {
				t.Errorf("%s is absent since %d, its last value is of %d", v.Signal.ID, v.Since, v.T)
			}
		}
	}
	if absent == 0 {
		t.Error("no signal is absent eleven minutes after the last request")
	}
}

// TestDamagedViewIsRefused holds that no bytes but its own restore a view.
func TestDamagedViewIsRefused(t *testing.T) {
	s := newSink()
	e := engine(t, s)
	play(e, generator(t), scenario.Epoch+hour/2)
	good := e.AppendView(nil)
	for _, bad := range [][]byte{nil, []byte("WLV1"), good[:len(good)-1], append(bytes.Clone(good), 0), []byte("WLV9" + string(good[4:])), []byte("WLV2" + string(good[4:]))} {
		if err := engine(t, s).RestoreView(bad); err == nil {
			t.Errorf("%d bytes were taken for a view", len(bad))
		}
	}
	if err := engine(t, s).RestoreView(e.AppendViewBeforePace()); err != nil {
		t.Errorf("a view that does not say how late windows close: %v", err)
	}
	// A view without reasons, as the version before wrote it.
	if err := engine(t, s).RestoreView(e.AppendViewBefore()); err != nil {
		t.Errorf("a view of the version before: %v", err)
	}
}

// TestChangesAreRememberedAndRestored holds that the engine hands changes on with the window that they became certain in, that views
// show them, and that a restart keeps them to the bit.
func TestChangesAreRememberedAndRestored(t *testing.T) {
	s := newSink()
	e := engine(t, s)
	g := generator(t, scenario.Fault{Kind: scenario.RBAC403, StartMs: scenario.Epoch + 2*hour}, scenario.Fault{Kind: scenario.CPULimitHalved, StartMs: scenario.Epoch + 2*hour})
	play(e, g, scenario.Epoch+2*hour+15*60_000)
	e.Publish()
	var kinds []string
	for _, c := range e.View().Changes {
		kinds = append(kinds, string(c.Kind))
	}
	if got := strings.Join(kinds, " "); got != "rbac limits rollout rolled" {
		t.Fatalf("changes of kind %s", got)
	}
	before := e.View().Changes
	view := e.AppendView(nil)
	next := engine(t, newSink())
	if err := next.Restore(1, baseline.State(e), baseline.Kept(e.Models)); err != nil {
		t.Fatal(err)
	}
	if err := next.RestoreView(view); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(next.View().Changes, before) {
		t.Errorf("restored %+v, want %+v", next.View().Changes, before)
	}
	if !bytes.Equal(next.AppendView(nil), view) {
		t.Error("the view of the restored engine differs")
	}
	victim := engine(t, newSink())
	for cut := len(view) - 1; cut > len(view)-300; cut-- {
		if victim.RestoreView(view[:cut]) == nil {
			t.Fatalf("a view cut at %d of %d bytes was taken", cut, len(view))
		}
	}
	// What a view showed stays as it was while the engine goes on, and the same changes follow after the restart.
	play(e, g, scenario.Epoch+4*hour+15*60_000)
	if !reflect.DeepEqual(before, next.View().Changes) {
		t.Error("the changes of an old view have changed")
	}
	if n := len(e.View().Changes); n < 5 {
		t.Errorf("%d changes after the faults ended", n)
	}
}
