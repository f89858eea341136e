package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// live returns the bytes that the file must hold: checkpoint and history.
func live(s *Store) (checkpoint, all int64) {
	st := s.Stats()
	checkpoint = st.SectionBytes + st.ModelBytes
	return checkpoint, checkpoint + st.HistoryBytes
}

// TestFileStaysNearItsPayload makes 300 checkpoints, one a quarter of an hour, in which everything changes and clusters come and go. While one is
// written the one before must stay, so a file that held checkpoints alone would be twice as large as the one; with a few hours of history it is within about
// one and a half.
func TestFileStaysNearItsPayload(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8)) // a bound, not a search for faults
	s := mustOpen(t, filepath.Join(quickDir(t), "a.db"), Options{})
	s.batchMax = 1 << 20
	const signals, minutes, every = 500, 4500, 15
	walkers := make([]walker, signals)
	for i := range walkers {
		walkers[i] = walker{rng: rng, level: 5, kind: 1 + i%3}
	}
	c := &clusters{sections: map[string][]byte{}, models: map[string][]pair{}}
	born, worst, last := 0, 0.0, 0.0
	for m := int64(0); m < minutes; m++ {
		for i := range walkers {
			s.rec.Add(uint32(i), fmt.Sprint("sig", i), walkers[i].point(epoch+m*60_000))
		}
		if m%every != 0 {
			continue
		}
		for len(c.models) < 4 || rng.IntN(5) == 0 { // a cluster more …
			name := fmt.Sprint("c", born)
			born++
			c.models[name] = make([]pair, 60+rng.IntN(130))
		}
		for _, name := range slices.Sorted(maps.Keys(c.models)) { // … and fewer
			if len(c.models) > 5 {
				delete(c.models, name)
				delete(c.sections, name+"/stream")
			}
		}
		for _, name := range slices.Sorted(maps.Keys(c.models)) {
			list := c.models[name]
			for i := range list {
				list[i] = pair{fmt.Sprintf("rule~cluster=%s~workload=w%d", name, i), randomBytes(rng, 1024)}
			}
			c.sections[name+"/stream"] = randomBytes(rng, len(list)*(700+rng.IntN(200)))
		}
		d, err := c.draft(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Commit(uint64(m), m); err != nil {
			t.Fatal(err)
		}
		checkpoint, all := live(s)
		file := s.Stats().FileBytes
		// The history and two checkpoints at any time, once there are some hours.
		if m > 600 {
			last = float64(file) / float64(all)
			worst = max(worst, float64(file)/float64(all+checkpoint))
		}
		if m%1200 == 600 {
			t.Logf("minute %d: checkpoint %.1f MB, history %.1f MB, file %.1f MB, %.1f MB of it free: %.2f", m, float64(checkpoint)/1e6, float64(all-checkpoint)/1e6,
				float64(file)/1e6, float64(s.Stats().FreeBytes)/1e6, float64(file)/float64(all))
		}
	}
	t.Logf("file by payload and the checkpoint before at most %.2f, by payload in the end %.2f", worst, last)
	// Which free pages bbolt takes is chance: 1.41 to 1.50 were seen.
	if worst > 1.6 || last > 1.6 {
		t.Errorf("the file is %.2f of payload and the checkpoint before, and %.2f of the payload in the end; want about 1.5", worst, last)
	}
}

// grown makes a store whose file is far larger than what it holds.
func grown(t *testing.T, rng *rand.Rand, path string) *clusters {
	t.Helper()
	s := mustOpen(t, path, Options{})
	if err := s.Save(Checkpoint{Pos: 1, Sections: map[string][]byte{"big": randomBytes(rng, 24<<20)}}); err != nil {
		t.Fatal(err)
	}
	c := randomClusters(rng, 50)
	d, err := c.draft(s)
	if err != nil {
		t.Fatal(err)
	}
	s.rec.Add(0, "x", Point{T: epoch, Value: 7})
	if err := d.Commit(2, 5); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestStartCompacts opens a file that is mostly empty, beside what a start that was killed left of its copy.
func TestStartCompacts(t *testing.T) {
	rng := seeded(t)
	path := filepath.Join(quickDir(t), "a.db")
	c := grown(t, rng, path)
	if err := os.WriteFile(path+slimName, []byte("half a copy"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s := mustOpen(t, path, Options{})
		if s.quarantined != "" {
			t.Fatal("set aside")
		}
		if st := s.Stats(); st.FileBytes > slimMin {
			t.Errorf("%d bytes after a start", st.FileBytes)
		}
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, want 0600", fi.Mode())
		}
		if _, err := os.Stat(path + slimName); err == nil {
			t.Error("the copy is still there")
		}
		c.expect(t, s, 2)
		if pts, _, err := s.rec.Range("x", epoch-1, epoch+1, 10); err != nil || len(pts) != 1 {
			t.Errorf("%d points, %v", len(pts), err)
		}
		if err := s.Save(Checkpoint{Pos: 2, Sections: c.sections, Models: models(c.all())}); err != nil {
			t.Fatal(err)
		}
		c.models = map[string][]pair{"": c.all()}
		s.Close()
	}
}

// TestCompactInPlace compacts whatever there is to gain.
func TestCompactInPlace(t *testing.T) {
	rng := seeded(t)
	path := filepath.Join(quickDir(t), "a.db")
	c := grown(t, rng, path)
	before, after, err := CompactInPlace(path, nil)
	if err != nil || before < 24<<20 || after > slimMin {
		t.Fatalf("%d bytes, then %d, %v", before, after, err)
	}
	s := mustOpen(t, path, Options{ReadOnly: true})
	c.expect(t, s, 2)
	if _, _, err := CompactInPlace(path+"x", nil); err == nil {
		t.Error("a file that is not there was compacted")
	}
}
