package baseline_test

import (
	"runtime"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/crowd"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/signal"
)

// What a cluster held is free once it is forgotten, but for a fifth: tables of the installation that have grown and the other clusters' share of them.
func TestForgetFreesMemory(t *testing.T) {
	e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: packs(t)}})
	if err != nil {
		t.Fatal(err)
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var crowds []*crowd.Crowd
	for _, c := range []crowd.Config{{Name: "small", Series: 1_000, Signals: 100}, {Name: "large", Series: 30_000, Signals: 3_000}} {
		w, err := crowd.New(c)
		if err != nil {
			t.Fatal(err)
		}
		crowds = append(crowds, w)
	}
	fold := func(w *crowd.Crowd) {
		var q crowd.Request
		for at := int64(scenario.Epoch); at < scenario.Epoch+10*60_000; at += 30_000 {
			for r := range w.Requests() {
				w.Fill(&q, r, at, at+5)
				e.Apply(&q.Batch, 0)
			}
		}
	}
	fold(crowds[0])
	before := heap()
	fold(crowds[1])
	held := heap() - before
	n := len(e.Stats().Clusters)
	if !e.Forget("large-001") {
		t.Fatalf("there is no such cluster among %+v", e.Stats().Clusters)
	}
	left := heap() - before
	t.Logf("%d kB held, %d kB left, %d signals stay", held>>10, left>>10, len(e.View().Signals))
	if held < 5<<20 || left > held/5 || n != 2 || len(e.View().Signals) == 0 {
		t.Errorf("%d kB held, %d kB left; %d clusters, %d signals stay", held>>10, left>>10, n, len(e.View().Signals))
	}
	runtime.KeepAlive(e)
	runtime.KeepAlive(crowds)
}
