package store

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// TestRepair makes a clean file of two damaged ones: what is good in either is in it, charts and the rows of others too, and both stay as they are. A sound pair gives the same.
func TestRepair(t *testing.T) {
	rng := seeded(t)
	quiet := Options{Logger: slog.New(slog.DiscardHandler)}
	made := t.TempDir()
	p, err := OpenPair(filepath.Join(made, "a.db"), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.DB().Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("outbox"))
		if err != nil {
			return err
		}
		return b.Put([]byte("row"), []byte("message"))
	}); err != nil {
		t.Fatal(err)
	}
	want := fillPair(t, p, rng, 6)
	p.Close()
	filled := 0
	for round := range 40 {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
			t.Fatal(err)
		}
		before := map[string][]byte{}
		hurtPair(t, dir, func(name string, b []byte) {
			if round > 0 {
				b[8192+rng.IntN(len(b)-8192)] ^= 1 << rng.IntN(8)
			}
			before[name] = bytes.Clone(b)
		})
		path, to := filepath.Join(dir, "a.db"), filepath.Join(dir, "clean.db")
		rep, _, err := Examine(t.Context(), path)
		if err != nil || round == 0 && !rep.OK() {
			t.Fatalf("round %d: %+v, %v", round, rep, err)
		}
		kept, best, err := Repair(path, to, 0)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for name, b := range before {
			if now, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(now, b) {
				t.Fatalf("round %d: %s was changed, %v", round, name, err)
			}
		}
		if rep, l, err := Examine(t.Context(), to); err != nil || l == nil || len(rep.Problems) != len(best.Holes) || l.Pos != best.Pos {
			t.Fatalf("round %d: the new file: %+v, %v", round, rep, err)
		} else if lost := lostOf(t, l, want, want[l.Pos]); lost > 1 {
			t.Fatalf("round %d: %d records are lost", round, lost)
		}
		if round == 0 && (kept.Other != 1 || best.Pos != 600 || kept.History == 0) {
			t.Errorf("of a sound pair: %+v, position %d", kept, best.Pos)
		}
		if best.Pos == 500 {
			filled++
		}
		if _, _, err := Repair(path, to, 0); err == nil {
			t.Fatal("a file that exists was taken")
		}
	}
	t.Logf("%d of 40 were the older generation, as it was or filled from the newer", filled)
	if _, _, err := Repair(filepath.Join(t.TempDir(), "none.db"), filepath.Join(t.TempDir(), "to.db"), 0); err == nil {
		t.Error("a store was made of nothing")
	}
}
