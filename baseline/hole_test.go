package baseline_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/signal"
)

// checkpointOf is what the store would hold of an engine.
type checkpointOf struct {
	pos      uint64
	sections map[string][]byte
	models   map[string][]byte
}

func checkpoint(e *baseline.Engine, pos uint64) checkpointOf {
	c := checkpointOf{pos, baseline.State(e), map[string][]byte{}}
	for id, m := range e.Models {
		c.models[id] = bytes.Clone(m)
	}
	return c
}

func (c checkpointOf) restored(t *testing.T) *baseline.Engine {
	t.Helper()
	e, _ := fleetEngine(t)
	if err := e.Restore(c.pos, c.sections, func(yield func(string, []byte) bool) {
		for _, id := range slices.Sorted(maps.Keys(c.models)) {
			if !yield(id, c.models[id]) {
				return
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	return e
}

// What damage can take from a checkpoint costs itself alone. A model of the later generation in the state of the earlier one is, once the journal has been folded, what it was to the bit; a
// cluster whose stream is gone keeps its models, and the other clusters everything; without the router all keep theirs.
func TestHolesInACheckpoint(t *testing.T) {
	f := newFleet(t, 2)
	jobs := f.pull(scenario.Epoch+6*hour+45*60_000, func(i int) string { return fmt.Sprint("prometheus-", i) })
	e, _ := fleetEngine(t)
	var early, late checkpointOf
	for i, j := range jobs {
		e.Apply(j.Batch, j.Pos)
		switch i {
		case len(jobs) * 4 / 10:
			early = checkpoint(e, j.Pos)
		case len(jobs) * 6 / 10:
			late = checkpoint(e, j.Pos)
		}
	}
	end := checkpoint(e, jobs[len(jobs)-1].Pos)
	seen := func(e *baseline.Engine) map[string]int64 {
		m := map[string]int64{}
		for _, s := range e.View().Signals {
			m[s.Signal.ID] = s.Seen
		}
		return m
	}
	whole := seen(e)
	fold := func(c checkpointOf) *baseline.Engine {
		e := c.restored(t)
		for _, j := range jobs {
			if j.Pos > c.pos {
				e.Apply(j.Batch, j.Pos)
			}
		}
		return e
	}
	ids := slices.Sorted(maps.Keys(early.models))
	without := func(c checkpointOf, sections ...string) checkpointOf {
		c.sections = maps.Clone(c.sections)
		for _, name := range sections {
			if _, ok := c.sections[name]; !ok {
				t.Fatalf("there is no section %s", name)
			}
			delete(c.sections, name)
		}
		return c
	}

	t.Run("a model of the later one", func(t *testing.T) {
		mixed := early
		mixed.models = maps.Clone(early.models)
		for i := 0; i < len(ids); i += 37 {
			mixed.models[ids[i]] = late.models[ids[i]]
		}
		got := checkpoint(fold(mixed), end.pos)
		if plain := checkpoint(fold(early), end.pos); !maps.EqualFunc(got.models, plain.models, bytes.Equal) || !maps.EqualFunc(got.models, end.models, bytes.Equal) {
			t.Error("models differ from those of a process that never died")
		}
	})
	t.Run("a model of the earlier one", func(t *testing.T) {
		mixed := late
		mixed.models = maps.Clone(late.models)
		mixed.models[ids[5]] = early.models[ids[5]]
		got := checkpoint(fold(mixed), end.pos)
		for id, m := range end.models {
			if id != ids[5] && !bytes.Equal(m, got.models[id]) {
				t.Errorf("%s differs", id)
			}
		}
	})
	t.Run("a stream of the later one", func(t *testing.T) {
		mixed := without(early, "stream/0")
		mixed.sections["stream/0"] = late.sections["stream/0"]
		now, behind := seen(fold(mixed)), 0
		for id, n := range whole {
			if now[id] < n-n/2 {
				behind++ // a job that ended meanwhile
			}
		}
		if behind > len(whole)/50 {
			t.Errorf("%d of %d signals have seen less than half", behind, len(whole))
		}
	})
	t.Run("no view", func(t *testing.T) {
		got := checkpoint(fold(without(late, "verdicts/1")), end.pos)
		if n := differing(got.models, end.models); n > len(end.models)/2 {
			t.Errorf("%d of %d models differ", n, len(end.models))
		}
	})
	lostParts(t, late, whole, without, func(c checkpointOf) map[string]int64 { return seen(fold(c)) })
}

// lostParts restores a checkpoint without a stream and without the router: the models go on.
func lostParts(t *testing.T, late checkpointOf, whole map[string]int64, without func(c checkpointOf, sections ...string) checkpointOf, fold func(c checkpointOf) map[string]int64) {
	for name, lost := range map[string][]string{"no stream": {"stream/1", "verdicts/1"}, "no router": {"router"}} {
		t.Run(name, func(t *testing.T) {
			hurt := without(late, lost...)
			hurt = checkpoint(hurt.restored(t), hurt.pos) // a process that hears of nothing and stops
			if n := len(hurt.models); n != len(late.models) {
				t.Fatalf("%d of %d models are saved again", n, len(late.models))
			}
			after := fold(hurt)
			kept, anew := 0, 0
			for id, n := range after {
				if whole[id] > 20 && n < 15 { // learned from nothing but what came behind the checkpoint
					anew++
				} else if whole[id] > 20 {
					kept++
				}
			}
			if kept < 300 || anew > kept/20 {
				t.Errorf("%d signals go on, %d begin anew", kept, anew)
			}
			t.Logf("%d signals go on, %d begin anew", kept, anew)
		})
	}
}

func differing(a, b map[string][]byte) (n int) {
	for id, m := range b {
		if !bytes.Equal(m, a[id]) {
			n++
		}
	}
	return n
}

// Models that were saved from damage wait for their cluster over restarts, and not for ever.
func TestRescuedModelsDoNotWaitForEver(t *testing.T) {
	o := baseline.Options{Stream: signal.StreamOptions{Packs: packs(t), RetireMs: 4 * hour}}
	for _, returns := range []bool{false, true} {
		e, err := baseline.New(o)
		if err != nil {
			t.Fatal(err)
		}
		at := int64(scenario.Epoch)
		run := func(long int64, names ...string) {
			for end := at + long; at < end; at += 60_000 {
				for _, name := range names {
					e.Apply(requestOf("of-"+name, name, "coredns_dns_requests_total", 0, 3, at), 0)
				}
			}
		}
		again := func(without ...string) {
			c := checkpoint(e, 1)
			for _, name := range without {
				delete(c.sections, name)
			}
			if e, err = baseline.New(o); err != nil {
				t.Fatal(err)
			}
			if err := e.Restore(c.pos, c.sections, maps.All(c.models)); err != nil {
				t.Fatal(err)
			}
		}
		models := func() (n int) {
			for id := range e.Models {
				if strings.Contains(id, "asia") {
					n++
				}
			}
			return n
		}
		run(2*hour, "eu", "asia")
		before := models()
		again("stream/1", "verdicts/1")
		if n := models(); n != before || n == 0 {
			t.Fatalf("%d of %d models are saved", n, before)
		}
		run(2*hour, "eu")
		again()
		run(hour, "eu")
		if n := models(); n != before {
			t.Errorf("%d of %d models wait after three hours", n, before)
		}
		if returns {
			run(2*hour, "eu", "asia")
		} else {
			run(90*60_000, "eu")
		}
		again()
		want := 0
		if returns {
			want = before
		}
		if n := models(); n != want {
			t.Errorf("returns %v: %d models after the retention, want %d", returns, n, want)
		}
		if _, ok := baseline.State(e)["waiting"]; ok {
			t.Errorf("returns %v: a cluster is waited for", returns)
		}
	}
}
