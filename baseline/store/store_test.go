package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/baseline/store/pages"
)

// seeded returns a generator and makes a failing test print its seed; SEED=… plays another.
func seeded(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 1))
}

func mustOpen(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

type pair struct {
	id   string
	data []byte
}

func models(list []pair) func(func(string, []byte) bool) {
	return func(yield func(string, []byte) bool) {
		var buf []byte // borrowed, as the engine's are
		for _, p := range list {
			buf = append(buf[:0], p.data...)
			if !yield(p.id, buf) {
				return
			}
		}
	}
}

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// expect fails unless the loaded checkpoint is c.
func expect(l Loaded, pos uint64, sections map[string][]byte, list []pair) error {
	if l.Pos != pos {
		return fmt.Errorf("position %d, want %d", l.Pos, pos)
	}
	if !maps.EqualFunc(l.Sections, sections, bytes.Equal) {
		return fmt.Errorf("%d sections differ from the %d saved", len(l.Sections), len(sections))
	}
	i := 0
	for id, data := range l.Models {
		if i >= len(list) || id != list[i].id || !bytes.Equal(data, list[i].data) {
			return fmt.Errorf("model %d is %q, not what was saved", i, id)
		}
		i++
	}
	if i != len(list) {
		return fmt.Errorf("%d models, want %d", i, len(list))
	}
	return nil
}

// twin is a plain copy of what a store should hold.
type twin struct {
	pos      uint64
	sections map[string][]byte
	list     []pair
}

// change changes it in one of five ways.
func (w *twin) change(rng *rand.Rand, way int) {
	switch way {
	case 0: // another set of sections
		w.sections = map[string][]byte{}
		for range rng.IntN(4) {
			w.sections[fmt.Sprintf("s%d", rng.IntN(6))] = randomBytes(rng, rng.IntN(200_000))
		}
	case 1: // a section changes a little, or is emptied
		for k := range w.sections {
			if rng.IntN(3) == 0 {
				w.sections[k] = nil
			} else if len(w.sections[k]) > 0 {
				w.sections[k] = slices.Clone(w.sections[k])
				w.sections[k][rng.IntN(len(w.sections[k]))]++
			}
			break
		}
	case 2: // models come
		for range rng.IntN(150) {
			w.list = append(w.list, pair{fmt.Sprintf("id%d~x=%d", len(w.list), rng.IntN(9)), randomBytes(rng, rng.IntN(1200))})
		}
	case 3: // or go
		w.list = w.list[:rng.IntN(len(w.list)+1)]
	case 4:
		for i := range w.list {
			if rng.IntN(4) == 0 {
				w.list[i].data = randomBytes(rng, len(w.list[i].data))
			}
		}
	}
}

// check fails the test unless s gives back the twin, twice.
func (w *twin) check(t *testing.T, s *Store) {
	t.Helper()
	for range 2 {
		l, ok, err := s.Load()
		if err != nil || !ok {
			t.Fatalf("Load: ok=%v, %v", ok, err)
		}
		if err := expect(l, w.pos, w.sections, w.list); err != nil {
			t.Fatal(err)
		}
	}
	if rep, err := s.Verify(t.Context()); err != nil || !rep.OK() || rep.Models != len(w.list) {
		t.Fatalf("Verify: %+v, %v", rep, err)
	}
}

// TestLoadGivesBackWhatWasSaved compares random checkpoints with a plain copy, across openings, failures and compactions.
func TestLoadGivesBackWhatWasSaved(t *testing.T) {
	rng := seeded(t)
	path := filepath.Join(t.TempDir(), "a.db")
	s := mustOpen(t, path, Options{})
	if _, ok, err := s.Load(); ok || err != nil {
		t.Fatalf("a new store loads ok=%v, %v", ok, err)
	}
	w := twin{sections: map[string][]byte{}}
	for step := range 80 {
		switch way := rng.IntN(8); way {
		default:
			w.change(rng, way)
		case 5:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, path, Options{})
			if s.quarantined != "" {
				t.Fatalf("step %d: a sound file was set aside", step)
			}
		case 6: // a checkpoint that cannot be made leaves the one before
			err := s.Save(Checkpoint{Pos: 9e9, Sections: map[string][]byte{"x": randomBytes(rng, 100_000)}, frozen: []*frozen{{name: "y", saved: true}}})
			if err == nil {
				t.Fatal("a frozen group was taken twice")
			}
		case 7:
			w.pos += uint64(rng.IntN(1000))
			c := Checkpoint{Pos: w.pos, AtMs: int64(step), Sections: maps.Clone(w.sections), Models: models(slices.Clone(w.list))}
			if rng.IntN(2) == 0 {
				frozenNow(&c)
			}
			if err := s.Save(c); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.pos++
	if err := s.Save(Checkpoint{Pos: w.pos, AtMs: 5, Sections: w.sections, Models: models(w.list)}); err != nil {
		t.Fatal(err)
	}
	w.check(t, s)
	st := s.Stats()
	if st.Models != len(w.list) || st.Pos != w.pos || st.AtMs != 5 || st.Sections != len(w.sections) {
		t.Errorf("Stats: %+v", st)
	}
	var backup bytes.Buffer
	if _, err := s.Backup(&backup); err != nil {
		t.Fatal(err)
	}
	s.Close()
	copied := path + ".backup"
	if err := os.WriteFile(copied, backup.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	b := mustOpen(t, copied, Options{ReadOnly: true})
	w.check(t, b)
	if err := b.Save(Checkpoint{}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("Save of a store open for reading: %v", err)
	}
	b.Close()
	if err := Compact(path, path+".small"); err != nil {
		t.Fatal(err)
	}
	w.check(t, mustOpen(t, path+".small", Options{}))
	if err := Compact(path, path+".small"); err == nil {
		t.Error("Compact wrote over a file")
	}
}

// TestLoadedIsNotBorrowed keeps a loaded checkpoint beyond the store.
func TestLoadedIsNotBorrowed(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "a.db"), Options{})
	want := []pair{{"a", []byte("one")}, {"b", bytes.Repeat([]byte("two"), 9000)}}
	if err := s.Save(Checkpoint{Pos: 7, Sections: map[string][]byte{"x": []byte("sect")}, Models: models(want)}); err != nil {
		t.Fatal(err)
	}
	l, _, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := expect(l, 7, map[string][]byte{"x": []byte("sect")}, want); err != nil {
		t.Error(err)
	}
}

// TestUnchangedIsNotWritten counts what a second, almost equal, checkpoint costs.
func TestUnchangedIsNotWritten(t *testing.T) {
	rng := seeded(t)
	s := mustOpen(t, filepath.Join(t.TempDir(), "a.db"), Options{})
	big := randomBytes(rng, 10*(recordMax-crcSize))
	var list []pair
	const packLen = 35 // of models so large
	for i := range 10 * packLen {
		list = append(list, pair{fmt.Sprintf("id%3d", i), randomBytes(rng, 900)})
	}
	save := func() uint64 {
		t.Helper()
		before := recordsWritten.Get()
		if err := s.Save(Checkpoint{Sections: map[string][]byte{"big": big}, Models: models(list)}); err != nil {
			t.Fatal(err)
		}
		return recordsWritten.Get() - before
	}
	// Two of them are the list of all others.
	if got := save(); got != 22 {
		t.Errorf("first save wrote %d records, want 22", got)
	}
	if got := save(); got != 2 {
		t.Errorf("the same again wrote %d records, want 2", got)
	}
	big[3*(recordMax-crcSize)]++
	list[5*packLen].data[0]++
	if got := save(); got != 4 {
		t.Errorf("one piece and one pack changed, %d records were written", got)
	}
}

// TestSecondOpenIsRefused tries to open a file twice.
func TestSecondOpenIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s := mustOpen(t, path, Options{})
	for _, ro := range []bool{false, true} {
		_, err := Open(path, Options{Timeout: 30 * time.Millisecond, ReadOnly: ro})
		if !errors.Is(err, ErrInUse) {
			t.Errorf("read-only %v: %v, want ErrInUse", ro, err)
		}
	}
	if err := s.Save(Checkpoint{Pos: 1}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	r1 := mustOpen(t, path, Options{ReadOnly: true})
	r2 := mustOpen(t, path, Options{ReadOnly: true})
	for _, r := range []*Store{r1, r2} {
		if l, ok, err := r.Load(); err != nil || !ok || l.Pos != 1 {
			t.Errorf("a reader loads %d, %v, %v", l.Pos, ok, err)
		}
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600: the outbox holds what people are told", fi.Mode())
	}
}

// TestNewerFormatIsLeftAlone writes the next format version and opens it.
func TestNewerFormatIsLeftAlone(t *testing.T) {
	for _, hurt := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "a.db")
		s := mustOpen(t, path, Options{})
		var list []pair
		for i := range 500 {
			list = append(list, pair{fmt.Sprint(i), bytes.Repeat([]byte{byte(i)}, 200)})
		}
		if err := s.Save(Checkpoint{Pos: 3, Models: models(list)}); err != nil {
			t.Fatal(err)
		}
		err := s.db.Update(func(tx *bolt.Tx) error {
			return tx.Bucket(metaBucket).Put(formatKey, seal(formatKey, append(make([]byte, crcSize), version+1, 0, 0, 0, 'x')))
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if hurt { // damage in the freelist must not make it ours either
			b, _ := os.ReadFile(path)
			p, err := pages.Open(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			b[p.Freelist()+8] ^= 0xff
			os.WriteFile(path, b, 0o600)
		}
		before, _ := os.ReadFile(path)
		if _, err := Open(path, Options{}); !errors.Is(err, ErrVersion) {
			t.Errorf("Open: %v, want ErrVersion", err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Error("a newer file was changed")
		}
	}
}

// frozenNow copies all models of a checkpoint.
func frozenNow(c *Checkpoint) {
	for _, copy := range c.Freeze() {
		copy()
	}
}
