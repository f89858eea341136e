package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/baseline/store/tiers"
)

// fillDisk makes every write of the store fail as a full disk does, or lets them through again. It is bbolt's own bound of a file, which the store does not use.
func fillDisk(s *Store, is bool) {
	s.db.MaxSize = 0
	if is {
		s.db.MaxSize = 1
		s.db.AllocSize = 1
	}
}

// crowd fills the pages that are free, so that whatever is written needs new ones.
func crowd(t *testing.T, s *Store) {
	t.Helper()
	err := s.db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte("crowd"))
		if err != nil {
			return err
		}
		return b.Put([]byte("x"), make([]byte, 1<<20))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFullDiskGoesOn: saves fail, reads go on, nothing pending is lost, and the first save that finds room has it all.
func TestFullDiskGoesOn(t *testing.T) {
	rng := seeded(t)
	s := mustOpen(t, filepath.Join(t.TempDir(), "a.db"), Options{})
	sections := map[string][]byte{"s": randomBytes(rng, 100_000)}
	if err := s.Save(Checkpoint{Pos: 1, Sections: sections}); err != nil {
		t.Fatal(err)
	}
	crowd(t, s)
	for m := range int64(100) {
		s.rec.Add(0, "x", Point{T: epoch + m*60_000, Value: 1})
	}
	fillDisk(s, true)
	for range 3 {
		if err := s.Save(Checkpoint{Pos: 2, Sections: map[string][]byte{"s": randomBytes(rng, 30<<20)}}); err == nil {
			t.Fatal("a full disk takes 30 MiB")
		}
		l, ok, err := s.Load()
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if err := expect(l, 1, sections, nil); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.SaveErrors != 3 || st.LastError == "" || st.Pos != 1 {
		t.Errorf("Stats: %+v", st)
	}
	fillDisk(s, false)
	sections["s"][5]++
	if err := s.Save(Checkpoint{Pos: 3, Sections: sections}); err != nil {
		t.Fatal(err)
	}
	l, _, err := s.Load()
	if err == nil {
		err = expect(l, 3, sections, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	pts, _, err := s.rec.Range("x", epoch-1, epoch+1e7, 1000)
	if err != nil || len(pts) != 100 {
		t.Errorf("%d points of 100 after failed saves, %v", len(pts), err)
	}
	if rep, err := s.Verify(t.Context()); err != nil || !rep.OK() {
		t.Errorf("Verify: %+v, %v", rep, err)
	}
}

// TestHistoryStaysBoundedWhenNothingCanBeWritten feeds a store whose disk is full.
func TestHistoryStaysBoundedWhenNothingCanBeWritten(t *testing.T) {
	rng := seeded(t)
	s := mustOpen(t, filepath.Join(t.TempDir(), "a.db"), Options{})
	crowd(t, s)
	fillDisk(s, true)
	s.rec.pendingMax = 2 << 20
	w := walker{rng: rng, level: 3, kind: 1}
	for m := range int64(6000) {
		p := w.point(epoch + m*60_000)
		for i := range 60 {
			s.rec.Add(uint32(i), fmt.Sprint("x", i), p)
		}
		if m%1000 == 0 {
			if b := s.Stats().PendingBytes; b > 2<<20+tiers.ChunkBytes {
				t.Fatalf("%d bytes pending", b)
			}
		}
	}
	st := s.Stats()
	if st.Lost == 0 || st.SaveErrors == 0 {
		t.Errorf("nothing lost, nothing said: %+v", st)
	}
	if st.SaveErrors > 40 {
		t.Errorf("%d attempts to write", st.SaveErrors)
	}
	if _, _, err := s.rec.Range("x1", epoch, epoch+1e10, 100); err != nil {
		t.Error(err)
	}
}

// What no record takes is left out and named, and everything else is saved: the model, the group, the section; also by a frozen checkpoint. The quiet twin is the largest that goes in.
func TestWhatCannotBeWrittenIsLeftOut(t *testing.T) {
	rng := seeded(t)
	s := mustOpen(t, filepath.Join(t.TempDir(), "a.db"), Options{})
	fits := []pair{{strings.Repeat("i", idMax), randomBytes(rng, 100)}, {"b", randomBytes(rng, 100_000)}, {"c", nil}}
	tooMuch := []pair{fits[0], {strings.Repeat("j", idMax+1), randomBytes(rng, 10)}, fits[1], {"large", make([]byte, modelMax+1)}, fits[2]}
	sections := map[string][]byte{"a": randomBytes(rng, 10), strings.Repeat("n", nameMax): randomBytes(rng, 10)}
	for i, freeze := range []bool{false, true} {
		c := Checkpoint{Pos: uint64(i + 1), Sections: map[string][]byte{strings.Repeat("n", nameMax+1): {1}, "": {2}}, Groups: []Group{{"g", models(tooMuch)}, {"g", models(fits)}}}
		for name, data := range sections {
			c.Sections[name] = data
		}
		if freeze {
			frozenNow(&c)
		}
		if err := s.Save(c); err != nil {
			t.Fatal(err)
		}
		l, _, err := s.Load()
		if err == nil {
			err = expect(l, uint64(i+1), sections, fits)
		}
		if err != nil {
			t.Fatal(err)
		}
		if out := s.Stats().LeftOut; len(out) != 5 {
			t.Errorf("left out: %d, %.300q", len(out), out)
		}
	}
	if err := s.Save(Checkpoint{Pos: 3, Sections: sections, Models: models(fits)}); err != nil {
		t.Fatal(err)
	}
	if out := s.Stats().LeftOut; len(out) != 0 {
		t.Errorf("still left out: %.300q", out)
	}
}

// TestReadsEitherFile: for reading one file of the two is enough, and none is an error.
func TestReadsEitherFile(t *testing.T) {
	rng := seeded(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "a.db")
	p, err := OpenPair(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := fillPair(t, p, rng, 3)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for gone, pos := range map[string]uint64{path: 200, filepath.Join(dir, TwinName): 300} {
		if err := os.Rename(gone, gone+".away"); err != nil {
			t.Fatal(err)
		}
		p, err := OpenPair(path, Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for l, err := range p.Generations(0) {
			n++
			if err == nil {
				err = expect(l, pos, want[pos].sections, want[pos].models)
			}
			if err != nil {
				t.Error(err)
			}
		}
		if n == 0 {
			t.Errorf("without %s: no checkpoint", gone)
		}
		if err := errors.Join(p.Close(), os.Rename(gone+".away", gone)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenPair(filepath.Join(dir, "none", "a.db"), Options{ReadOnly: true}); err == nil {
		t.Error("nothing can be read")
	}
}
