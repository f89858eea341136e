package store

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/baseline/store/pages"
)

// portionsIn counts the records of checkpoints, finished or not.
func portionsIn(t *testing.T, s *Store) (n int) {
	t.Helper()
	err := s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(portionsBucket).ForEach(func(_, _ []byte) error { n++; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// clusters is what a checkpoint of many clusters holds, given one after the other from one buffer.
type clusters struct {
	sections map[string][]byte
	models   map[string][]pair
}

func (c *clusters) draft(s *Store) (*Draft, error) {
	d, err := s.Begin()
	if err != nil {
		return nil, err
	}
	var buf []byte
	for _, name := range slices.Sorted(maps.Keys(c.sections)) {
		buf = append(buf[:0], c.sections[name]...)
		if err := d.Section(name, buf); err != nil {
			return d, err
		}
		clear(buf)
	}
	for _, name := range slices.Sorted(maps.Keys(c.models)) {
		if err := d.Models(name, models(c.models[name])); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (c *clusters) all() (list []pair) {
	for _, name := range slices.Sorted(maps.Keys(c.models)) {
		list = append(list, c.models[name]...)
	}
	return list
}

// randomClusters has some empty sections, some of many records, and a model that is larger than a record.
func randomClusters(rng *rand.Rand, n int) *clusters {
	c := &clusters{sections: map[string][]byte{}, models: map[string][]pair{}}
	for i := range n {
		for _, part := range []string{"stream", "verdicts", "alerting"} {
			c.sections[fmt.Sprintf("c%d/%s", i, part)] = randomBytes(rng, rng.IntN(600))
		}
		name := fmt.Sprintf("c%d", i)
		for j := range rng.IntN(8) {
			c.models[name] = append(c.models[name], pair{fmt.Sprintf("rule~cluster=%s~x=%d", name, j), randomBytes(rng, rng.IntN(1200))})
		}
	}
	c.sections["c0/stream"], c.sections["c1/stream"] = randomBytes(rng, 3*recordMax+5), nil
	c.models["c0"] = append(c.models["c0"], pair{"huge", randomBytes(rng, 3*recordMax)})
	return c
}

func (c *clusters) expect(t *testing.T, s *Store, pos uint64) {
	t.Helper()
	l, ok, err := s.Load()
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if err := expect(l, pos, c.sections, c.all()); err != nil {
		t.Fatal(err)
	}
	for name, want := range c.models {
		i := 0
		for id, data := range l.Group(name) {
			if id != want[i].id || !bytes.Equal(data, want[i].data) {
				t.Fatalf("model %d of %s is not what was saved", i, name)
			}
			i++
		}
		if i != len(want) {
			t.Fatalf("%d models of %s, want %d", i, name, len(want))
		}
	}
	if rep, err := s.Verify(t.Context()); err != nil || !rep.OK() || rep.Models != len(c.all()) {
		t.Fatalf("Verify: %+v, %v", rep, err)
	}
}

// TestThousandsOfSections gives a thousand clusters in many transactions, again with one changed, and again with most of them gone.
func TestThousandsOfSections(t *testing.T) {
	rng := seeded(t)
	path := filepath.Join(quickDir(t), "a.db")
	s := mustOpen(t, path, Options{})
	s.batchMax = 100 << 10
	c := randomClusters(rng, 1000)
	save := func(pos uint64) (written uint64) {
		t.Helper()
		before := recordsWritten.Get()
		d, err := c.draft(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Commit(pos, 5); err != nil {
			t.Fatal(err)
		}
		return recordsWritten.Get() - before
	}
	save(1)
	c.expect(t, s, 1)
	c.sections["c500/stream"] = randomBytes(rng, 700)
	c.models["c7"] = append([]pair{{"new", randomBytes(rng, 900)}}, c.models["c7"]...)
	if got, contents := save(2), 2*uint64(len(s.man.contents)); got != contents+2 {
		t.Errorf("%d records written for one section, one group of models and %d of contents", got, contents)
	}
	c.expect(t, s, 2)
	if st := s.Stats(); st.Sections != 3000 || st.Models != len(c.all()) || st.SectionBytes == 0 || st.ModelBytes == 0 {
		t.Errorf("Stats: %+v", st)
	}
	s.Close()
	s = mustOpen(t, path, Options{})
	c.expect(t, s, 2)
	for i := 3; i < 1000; i++ {
		for _, part := range []string{"stream", "verdicts", "alerting"} {
			delete(c.sections, fmt.Sprintf("c%d/%s", i, part))
		}
		delete(c.models, fmt.Sprintf("c%d", i))
	}
	save(3)
	c.expect(t, s, 3)
	if n := portionsIn(t, s); n > 30 {
		t.Errorf("%d records are left of clusters that are gone", n)
	}
}

// TestDraftThatIsNotCommittedIsNothing copies the file at any transaction of a draft, as a crash would leave it, fails drafts and discards them.
func TestDraftThatIsNotCommittedIsNothing(t *testing.T) {
	rng := seeded(t)
	dir := quickDir(t)
	path := filepath.Join(dir, "a.db")
	s := mustOpen(t, path, Options{})
	s.batchMax = 100 << 10
	old := randomClusters(rng, 100)
	d, err := old.draft(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(1, 5); err != nil {
		t.Fatal(err)
	}
	records := portionsIn(t, s)
	crashed := func(want *clusters, pos uint64) {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(dir, "copy.db")
		if err := os.WriteFile(copied, b, 0o600); err != nil {
			t.Fatal(err)
		}
		r := mustOpen(t, copied, Options{ReadOnly: true})
		want.expect(t, r, pos)
		r.Close()
		r = mustOpen(t, copied, Options{})
		if r.quarantined != "" {
			t.Fatal("a killed process left a damaged file")
		}
		want.expect(t, r, pos)
		if n := portionsIn(t, r); pos == 1 && n != records {
			t.Fatalf("%d records after the start, want %d", n, records)
		}
		r.Close()
	}
	next := randomClusters(rng, 100)
	if d, err = next.draft(s); err != nil {
		t.Fatal(err)
	}
	if portionsIn(t, s) <= records {
		t.Fatal("the draft has written nothing yet")
	}
	crashed(old, 1)
	old.expect(t, s, 1)
	if err := d.Discard(); err != nil {
		t.Fatal(err)
	}
	if err := d.Discard(); !errors.Is(err, errDone) {
		t.Errorf("Discard again: %v", err)
	}
	if err := d.Section("x", nil); !errors.Is(err, errDone) {
		t.Errorf("Section of a draft that is discarded: %v", err)
	}
	if n := portionsIn(t, s); n != records {
		t.Fatalf("%d records after Discard, want %d", n, records)
	}
	if d, err = next.draft(s); err != nil {
		t.Fatal(err)
	}
	d.frozen(&frozen{name: "x", saved: true})
	if err := d.Commit(7, 7); err == nil {
		t.Fatal("a frozen group was taken twice")
	}
	old.expect(t, s, 1)
	if n := portionsIn(t, s); n != records {
		t.Fatalf("%d records after drafts that failed, want %d", n, records)
	}
	if d, err = next.draft(s); err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(2, 5); err != nil {
		t.Fatal(err)
	}
	crashed(next, 2)
}

// TestRecorderDoesNotWaitForADraft lets the Recorder write by itself while a checkpoint is in the making, as it does under the fold's lock.
func TestRecorderDoesNotWaitForADraft(t *testing.T) {
	rng := seeded(t)
	s := mustOpen(t, filepath.Join(quickDir(t), "a.db"), Options{})
	s.batchMax = 50 << 10
	s.rec.pendingMax = 64 << 10
	d, err := s.Begin()
	if err != nil {
		t.Fatal(err)
	}
	w := walker{rng: rng, level: 5, kind: 1}
	flushes := historyFlushes.Get()
	for m := range int64(2000) {
		p := w.point(epoch + m*60_000)
		for i := range 20 {
			s.rec.Add(uint32(i), fmt.Sprint("s", i), p)
		}
		if m%100 == 0 {
			if err := d.Section(fmt.Sprint("part", m), randomBytes(rng, 20_000)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if historyFlushes.Get() == flushes {
		t.Error("the Recorder has written nothing")
	}
	if err := d.Commit(3, 3); err != nil {
		t.Fatal(err)
	}
	if l, ok, err := s.Load(); err != nil || !ok || len(l.Sections) != 20 {
		t.Errorf("%v, %v, %d sections", ok, err, len(l.Sections))
	}
	if rep, err := s.Verify(t.Context()); err != nil || !rep.OK() {
		t.Errorf("Verify: %+v, %v", rep, err)
	}
}

// TestFormat1IsRaised opens a file of format 1 for reading, then for writing: the same checkpoint and charts come out.
func TestFormat1IsRaised(t *testing.T) {
	in, err := os.Open("../testdata/checkpoint-stream6.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, path, Options{ReadOnly: true})
	want, ok, err := s.Load()
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	var list []pair
	for id, data := range want.Models {
		list = append(list, pair{id, data})
	}
	if rep, err := s.Verify(t.Context()); err != nil || !rep.OK() || rep.Models != len(list) || len(list) == 0 {
		t.Fatalf("Verify: %+v, %v", rep, err)
	}
	if st := s.Stats(); st.Models != len(list) || st.Sections != len(want.Sections) || st.ModelBytes == 0 {
		t.Errorf("Stats: %+v", st)
	}
	generation := s.man.generation
	charts := map[string][]RangePoint{}
	for _, id := range s.rec.Signals() {
		if charts[id], _, err = s.rec.Range(id, 0, 1<<50, 500); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	for range 2 {
		s = mustOpen(t, path, Options{})
		got, ok, err := s.Load()
		if err != nil || !ok || s.quarantined != "" {
			t.Fatal(ok, err, s.quarantined)
		}
		if err := expect(got, want.Pos, want.Sections, list); err != nil || got.AtMs != want.AtMs || s.man.generation != generation {
			t.Fatal(err, got.AtMs, s.man.generation)
		}
		for id, pts := range charts {
			if now, _, err := s.rec.Range(id, 0, 1<<50, 500); err != nil || !slices.Equal(now, pts) {
				t.Fatalf("chart of %s: %v", id, err)
			}
		}
		if rep, err := s.Verify(t.Context()); err != nil || !rep.OK() || rep.Models != len(list) {
			t.Fatalf("Verify: %+v, %v", rep, err)
		}
		s.Close()
	}
	// Damaged, it is salvaged as ever.
	hurt := filepath.Join(t.TempDir(), "b.db")
	p, err := pages.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	b[p.Freelist()+8] ^= 0xff
	if err := os.WriteFile(hurt, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, hurt, Options{})
	if _, kept := s.Quarantined(); !kept.Checkpoint {
		t.Fatalf("kept %+v", kept)
	}
	got, _, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	if err := expect(got, want.Pos, want.Sections, list); err != nil {
		t.Fatal(err)
	}
}

// TestNoModelsAreKeptBetweenCheckpoints measures what a store keeps in memory after a checkpoint: the list of its records, not the models.
func TestNoModelsAreKeptBetweenCheckpoints(t *testing.T) {
	rng := seeded(t)
	s := mustOpen(t, filepath.Join(quickDir(t), "a.db"), Options{})
	list := make([]pair, 8000)
	for i := range list {
		list[i] = pair{fmt.Sprint("rule~workload=w", i), randomBytes(rng, 1024)}
	}
	heap()
	before := heap() // what pools hold is gone after two collections
	for pos := range uint64(3) {
		for i := range list {
			list[i].data[pos]++
		}
		c := Checkpoint{Pos: pos, Models: models(list)}
		frozenNow(&c)
		if err := s.Save(c); err != nil {
			t.Fatal(err)
		}
		if err := s.Save(c); err == nil {
			t.Fatal("a frozen checkpoint was saved twice")
		}
	}
	heap()
	each := float64(heap()-before) / float64(len(list))
	t.Logf("%.1f B a model are kept", each)
	if each > 40 {
		t.Errorf("%.1f B a model are kept between checkpoints", each)
	}
	runtime.KeepAlive(list)
}
