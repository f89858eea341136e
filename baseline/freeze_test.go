package baseline_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/store"
)

// bytesOf returns all models of an engine.
func bytesOf(models func(yield func(string, []byte) bool)) map[string][]byte {
	all := map[string][]byte{}
	for id, m := range models {
		all[id] = bytes.Clone(m)
	}
	return all
}

// A checkpoint that is copied in slices, while requests are folded in between, windows close, signals begin, series and clusters are forgotten and a person says what is normal, is of
// the moment in which it began, to the byte.
func TestSlicesAreOfOneMoment(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	const start = scenario.Epoch + 6*hour
	f := &fleet{}
	for i := range 3 {
		g, err := scenario.New(scenario.Config{Seed: seed + uint64(i), Cluster: fmt.Sprint("c", i), StartMs: start, Replicas: 1 + i%2, Shards: 3, Live: i < 2,
			Faults: []scenario.Fault{{Kind: scenario.RolloutStuck, StartMs: start + 10*60_000}, {Kind: scenario.NodeUpgrade, StartMs: start + 15*60_000}}})
		if err != nil {
			t.Fatal(err)
		}
		f.gens, f.next = append(f.gens, g), append(f.next, nil)
	}
	jobs := f.pull(start+35*60_000, func(i int) string { return fmt.Sprint("prometheus-", i) })
	e, _ := fleetEngine(t)
	s, err := store.Open(filepath.Join(t.TempDir(), "wrackline.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const freezes = 12
	folded, windows, forgot := 0, 0, false
	for n := range freezes {
		for range len(jobs) / 2 / (freezes - n) {
			e.Apply(jobs[0].Batch, jobs[0].Pos)
			jobs = jobs[1:]
		}
		sections, models := baseline.State(e), bytesOf(e.Models)
		c := store.Checkpoint{Pos: uint64(n + 1), Sections: map[string][]byte{}}
		for name, write := range e.AtOnce {
			c.Sections[name] = write(nil)
		}
		frozen := e.Freeze(&c, func(string) []byte { return nil }, side)
		closed := func() (n int64) {
			for _, c := range e.Stats().Clusters {
				n += c.ClosedEnd
			}
			return n
		}
		before := closed()
		for every, left := 1+r.IntN(4), true; left; { // slices between two requests
			waits := n%4 == 3 && len(jobs) > 0 && closed() == before // for a window to close
			for range 1 + r.IntN(every) {
				if left = waits || left && frozen.Slice(); !left || waits {
					break
				}
			}
			if len(jobs) == 0 || !left {
				continue
			}
			k := min(len(jobs), 1+r.IntN(4))
			e.ApplyAll(jobs[:k], side)
			jobs, folded = jobs[k:], folded+k
			switch r.IntN(40) {
			case 0:
				for id := range models {
					_ = e.Accept(id) // which most signals have no use for
					break
				}
			case 1:
				if n > freezes/2 && !forgot {
					forgot = e.Forget("c2")
				}
			}
		}
		if closed() != before {
			windows++
		}
		if err := s.Save(c); err != nil {
			t.Fatal(err)
		}
		l, _, err := s.Load()
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range sections {
			if !bytes.Equal(l.Sections[name], want) {
				t.Errorf("seed %d, checkpoint %d: section %s is of another moment", seed, n, name)
			}
		}
		if got := bytesOf(l.Models); !maps.EqualFunc(got, models, bytes.Equal) {
			t.Errorf("seed %d, checkpoint %d: %d models are of another moment than %d", seed, n, len(got), len(models))
		}
	}
	if folded < 50 || windows < 3 {
		t.Errorf("seed %d: only %d requests folded while checkpoints were copied, and windows closed while %d were", seed, folded, windows)
	}
}
