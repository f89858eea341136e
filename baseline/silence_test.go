package baseline_test

import (
	"strconv"
	"testing"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// pair reads the labels of two gauges of three queues each; it holds the number of each entry's series.
type pair []int

func (p pair) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	i = p[i]
	return append(dst, series.Label{Name: "__name__", Value: [2]string{"queue_depth", "queue_age_seconds"}[i%2]}, series.Label{Name: "queue", Value: "w" + strconv.Itoa(i/2)}), nil
}

// TestSilenceIsTold holds that a signal that falls silent while others of its entity go on is told after its learned interval, as an incident that ends
// with its return; and that what ends altogether, pauses as it always did, or waits with its whole cluster is not.
func TestSilenceIsTold(t *testing.T) {
	var rules []pack.TrackRule
	for _, m := range []string{"queue_depth", "queue_age_seconds"} {
		rules = append(rules, pack.TrackRule{Match: m, By: []string{"cluster", "queue"}, Func: "value", Agg: "max"})
	}
	tracked, err := pack.Track(rules)
	if err != nil {
		t.Fatal(err)
	}
	manager := alerting.NewManager(alerting.Options{})
	s := newSink()
	e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: []*pack.Pack{tracked}}, Sink: both{s, manager}})
	if err != nil {
		t.Fatal(err)
	}
	at := scenario.Epoch + 30_000
	n := 0
	// minutes sends all but those of the silent series for a while; irregular says that w2's depth has a value in every seventh minute only.
	minutes := func(count int, silent func(i int) bool) {
		for range count {
			var labels pair
			b := series.Batch{ReceivedMs: at}
			for i := range uint32(6) {
				if silent(int(i)) || i == 4 && n%7 != 0 {
					continue
				}
				b.Entries = append(b.Entries, series.Entry{Key: uint64(i) + 1, SampleLo: uint32(len(b.Samples)), SampleHi: uint32(len(b.Samples)) + 1})
				labels = append(labels, int(i))
				b.Samples = append(b.Samples, series.Sample{T: at, V: 10})
			}
			if b.Labels = labels; len(labels) > 0 {
				e.Apply(&b, 0)
			}
			at += 60_000
			n++
		}
	}
	none := func(int) bool { return false }
	state := func(workload int, metric string) model.State {
		return s.verdicts["track."+metric+"~cluster=default~queue=w"+strconv.Itoa(workload)].State
	}
	minutes(9*1440, none)
	minutes(120, func(int) bool { return true }) // the sender is away
	minutes(20, none)
	for id, v := range s.verdicts {
		if v.State == model.Absent {
			t.Errorf("%s is called silent after its sender was away", id)
		}
	}
	minutes(8, func(i int) bool { return i == 0 })
	if st := state(0, "queue_depth"); st == model.Absent {
		t.Error("silent after eight minutes")
	}
	minutes(25, func(i int) bool { return i == 0 || i == 2 || i == 3 || i == 4 })
	if st := state(0, "queue_depth"); st != model.Absent {
		t.Errorf("after half an hour without a value: %v", st)
	}
	for _, x := range []struct {
		w      int
		metric string
		why    string
	}{{1, "queue_depth", "its whole workload is gone"}, {1, "queue_age_seconds", "its whole workload is gone"}, {2, "queue_depth", "it has a value in every seventh minute only"}} {
		if st := state(x.w, x.metric); st == model.Absent {
			t.Errorf("w%d %s is called silent, but %s", x.w, x.metric, x.why)
		}
	}
	open := manager.Snapshot().Open
	if len(open) != 1 || open[0].Headline().State != model.Absent || open[0].Severity != pack.Warn {
		t.Fatalf("incidents %+v", open)
	}
	t.Log(open[0].Title)
	view := e.AppendView(nil)
	if err := e.RestoreView(view); err != nil {
		t.Fatal(err)
	}
	minutes(20, none)
	if st := state(0, "queue_depth"); st == model.Absent || len(manager.Snapshot().Open) != 0 {
		t.Errorf("back again: %v, %d incidents open", st, len(manager.Snapshot().Open))
	}
	minutes(400, func(i int) bool { return i == 4 })
	if st := state(2, "queue_depth"); st != model.Absent {
		t.Errorf("hours without one of its rare values: %v", st)
	}
	minutes(26*60, func(i int) bool { return i == 4 })
	if open := manager.Snapshot().Open; len(open) != 0 {
		t.Errorf("after a day it is gone, not silent: %v", open[0].Title)
	}
}

// both hands batches to two sinks.
type both [2]baseline.Sink

func (b both) Observe(x baseline.Batch) {
	b[0].Observe(x)
	b[1].Observe(x)
}

// FuzzRestoreView: whatever bytes a checkpoint holds, a view is restored from them or refused, and what is restored can be written and read again.
func FuzzRestoreView(f *testing.F) {
	own, err := pack.Track([]pack.TrackRule{{Match: "queue_depth", By: []string{"cluster", "queue"}, Func: "value", Agg: "max"}})
	if err != nil {
		f.Fatal(err)
	}
	fresh := func() *baseline.Engine {
		e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: []*pack.Pack{own}}, FalseAlarmsPerWeek: 1})
		if err != nil {
			f.Fatal(err)
		}
		for k := range int64(5) {
			at := scenario.Epoch + 30_000 + k*60_000
			e.Apply(&series.Batch{ReceivedMs: at, Labels: pair{0, 2}, Entries: []series.Entry{{Key: 1, SampleLo: 0, SampleHi: 1}, {Key: 2, SampleLo: 1, SampleHi: 2}},
				Samples: []series.Sample{{T: at, V: 1}, {T: at, V: 2}}}, 0)
		}
		return e
	}
	good := fresh().AppendView(nil)
	f.Add(good)
	for _, cut := range []int{4, 40, len(good) - 1} {
		f.Add(good[:cut])
	}
	e, again := fresh(), fresh()
	f.Fuzz(func(t *testing.T, b []byte) {
		if e.RestoreView(b) != nil {
			return
		}
		if err := again.RestoreView(e.AppendView(nil)); err != nil {
			t.Fatalf("restored, and what it writes is refused: %v", err)
		}
		e.Publish()
	})
}
