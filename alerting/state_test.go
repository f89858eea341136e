package alerting

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRestoredManagerContinuesBitForBit restores at random points and compares with the run that was never stopped.
func TestRestoredManagerContinuesBitForBit(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 1))
		world := randomWorld(r, 1500)
		var want, got []Notification
		opts := func(to *[]Notification) Options {
			return Options{Rule: ruleByName, ClosedMax: 40, Emit: func(n Notification) { *to = append(*to, n) }}
		}
		a, b := NewManager(opts(&want)), NewManager(opts(&got))
		for i, batch := range world {
			a.Observe(batch)
			b.Observe(batch)
			if r.IntN(40) != 0 {
				continue
			}
			state := b.AppendState(nil)
			if !bytes.Equal(state, a.AppendState([]byte("x"))[1:]) {
				t.Fatalf("seed %d, batch %d: states differ", seed, i)
			}
			b = NewManager(opts(&got))
			if err := b.RestoreState(state); err != nil {
				t.Fatalf("seed %d, batch %d: %v", seed, i, err)
			}
			if !bytes.Equal(state, b.AppendState(nil)) {
				t.Fatalf("seed %d, batch %d: the restored state writes differently", seed, i)
			}
			if x, y := fmt.Sprint(derefs(a.Incidents())), fmt.Sprint(derefs(b.Incidents())); x != y {
				k := 0
				for k < min(len(x), len(y)) && x[k] == y[k] {
					k++
				}
				t.Fatalf("seed %d, batch %d: pictures differ: …%.400s\n…%.400s", seed, i, x[max(0, k-200):], y[max(0, k-200):])
			}
		}
		if fmt.Sprint(flat(want)) != fmt.Sprint(flat(got)) || len(want) < 20 {
			t.Errorf("seed %d: %d and %d notifications, or they differ", seed, len(want), len(got))
		}
	}
}

func derefs(in []*Incident) (out []Incident) {
	for _, i := range in {
		out = append(out, *i)
	}
	return out
}

func flat(in []Notification) (out []string) {
	for _, n := range in {
		out = append(out, fmt.Sprint(n.ID, n.IncidentID, n.Reason, n.Seq, n.T, *n.Incident))
	}
	return out
}

func TestRestoreRefusesDamage(t *testing.T) {
	m := NewManager(Options{Rule: ruleByName})
	for _, b := range randomWorld(rand.New(rand.NewPCG(7, 7)), 600) {
		m.Observe(b)
	}
	state := m.AppendState(nil)
	for n := range len(state) {
		if n > 500 && n%197 != 0 {
			continue
		}
		if err := NewManager(Options{}).RestoreState(state[:n]); !errors.Is(err, ErrState) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	if err := NewManager(Options{}).RestoreState(append(slices.Clone(state), 0)); !errors.Is(err, ErrState) {
		t.Errorf("a byte too many: %v", err)
	}
}

func FuzzRestoreState(f *testing.F) {
	m := NewManager(Options{Rule: ruleByName})
	for _, b := range randomWorld(rand.New(rand.NewPCG(7, 7)), 200) {
		m.Observe(b)
	}
	f.Add(m.AppendState(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := NewManager(Options{})
		if m.RestoreState(b) == nil {
			again := NewManager(Options{})
			if err := again.RestoreState(m.AppendState(nil)); err != nil {
				t.Errorf("what was restored cannot be written: %v", err)
			}
		}
	})
}
