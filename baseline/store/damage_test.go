package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// victim makes a store with everything in it, and says what it holds.
type victim struct {
	bytes    []byte
	sections map[string][]byte
	models   []pair
	before   []pair // the models of the checkpoint before
	history  map[string][]RangePoint
	outbox   map[string]string
}

func makeVictim(t testing.TB, rng *rand.Rand, dir string) victim {
	t.Helper()
	v := victim{sections: map[string][]byte{"stream": randomBytes(rng, 150_000), "alerting": randomBytes(rng, 900)}, history: map[string][]RangePoint{}, outbox: map[string]string{}}
	for i := range 400 {
		v.models = append(v.models, pair{fmt.Sprintf("rule~x=%d", i), randomBytes(rng, 300)})
	}
	path := filepath.Join(dir, "victim.db")
	s := mustOpen(t, path, Options{})
	const signals = 50
	walkers := make([]walker, signals)
	for i := range walkers {
		walkers[i] = walker{rng: rng, level: 5, kind: i % 3}
	}
	for m := range int64(600) {
		for i := range signals {
			s.rec.Add(uint32(i), fmt.Sprint("sig", i), walkers[i].point(epoch+m*60_000))
		}
		if m%37 == 0 || m == 599 {
			v.before = slices.Clone(v.models)
			for i := range v.models {
				v.models[i].data = randomBytes(rng, 300)
			}
			if err := s.Save(Checkpoint{Pos: uint64(m), Sections: v.sections, Models: models(v.models)}); err != nil {
				t.Fatal(err)
			}
			if m == 599 {
				continue // the last two transactions are checkpoints, as they usually are
			}
			err := s.DB().Update(func(tx *bolt.Tx) error {
				b, err := tx.CreateBucketIfNotExists([]byte("outbox"))
				if err != nil {
					return err
				}
				b, err = b.CreateBucketIfNotExists([]byte("queue"))
				if err != nil {
					return err
				}
				k, x := fmt.Sprint("row", m), fmt.Sprint("message", m*7919)
				v.outbox[k] = x
				return b.Put([]byte(k), []byte(x))
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range signals {
		id := fmt.Sprint("sig", i)
		pts, _, err := s.rec.Range(id, epoch, epoch+600*60_000, 1000)
		if err != nil || len(pts) != 599 {
			t.Fatalf("%d points, %v", len(pts), err)
		}
		v.history[id] = pts
	}
	s.Close()
	var err error
	if v.bytes, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return v
}

// outcome of opening a damaged file, and using it.
type outcome struct {
	set, kept, older, reported, harmless int
}

// attack opens the mutated file, reads everything and writes on. It returns an error when something wrong was given out as right.
func (v *victim) attack(path string, out *outcome) error {
	s, err := Open(path, Options{})
	if err != nil {
		return fmt.Errorf("Open neither read the file nor set it aside: %w", err)
	}
	defer s.Close()
	aside, kept := s.Quarantined()
	reported := aside != ""
	for _, look := range []func(*Store, *outcome) (bool, error){v.checkpointIn, v.historyIn, v.problemsIn, v.outboxIn} {
		said, err := look(s, out)
		if err != nil {
			return err
		}
		reported = reported || said
	}
	if err := v.liveOn(s, path); err != nil {
		return err
	}
	switch {
	case aside != "":
		out.set++
		if kept.Checkpoint {
			out.kept++
		}
	case reported:
		out.reported++
	default:
		out.harmless++
	}
	return nil
}

// checkpointIn looks at the checkpoint of an attacked store. said is true when the store says that it is not the newest.
func (v *victim) checkpointIn(s *Store, out *outcome) (said bool, err error) {
	aside, kept := s.Quarantined()
	l, ok, err := s.Load()
	switch {
	case err != nil:
		return false, fmt.Errorf("Open found nothing, and Load fails: %w", err)
	case !ok && aside == "":
		return false, errors.New("the checkpoint is gone and nobody says so")
	case !ok:
		return false, nil
	case aside != "" && !kept.Checkpoint:
		return false, errors.New("a checkpoint came out of nowhere")
	}
	if !kept.Older && !s.Stats().MetaFallback {
		if err := expect(l, 599, v.sections, v.models); err != nil {
			return false, fmt.Errorf("wrong checkpoint: %w", err)
		}
		return false, nil
	}
	if kept.Older {
		out.older++
	}
	err = expect(l, 592, v.sections, v.before)
	if err != nil && !kept.Older { // it was the older of the two meta pages
		err = expect(l, 599, v.sections, v.models)
	}
	if err != nil {
		return true, fmt.Errorf("wrong older checkpoint: %w", err)
	}
	return true, nil
}

// historyIn looks at the charts of some signals.
func (v *victim) historyIn(s *Store, _ *outcome) (said bool, err error) {
	aside, _ := s.Quarantined()
	n := 0
	for id, want := range v.history {
		if n++; n > 12 { // in random order
			break
		}
		got, _, err := s.rec.Range(id, epoch, epoch+600*60_000, 1000)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				return said, fmt.Errorf("Range: %w", err)
			}
			said = true
		} else if aside == "" && !s.Stats().MetaFallback && !slices.Equal(got, want) {
			return said, fmt.Errorf("history of %s lost %d points and nobody says so", id, len(want)-len(got))
		}
		// Whatever is given out must be right, also after salvage.
		byT := map[int64]RangePoint{}
		for _, p := range want {
			byT[p.T] = p
		}
		for _, p := range got {
			if byT[p.T] != p {
				return said, fmt.Errorf("history of %s: %+v at %d, want %+v", id, p, p.T, byT[p.T])
			}
		}
	}
	return said, nil
}

// problemsIn asks the store itself.
func (v *victim) problemsIn(s *Store, _ *outcome) (said bool, err error) {
	rep, err := s.Verify(context.Background())
	if err != nil {
		return false, err
	}
	if aside, _ := s.Quarantined(); aside != "" && !rep.OK() {
		return false, fmt.Errorf("the new file: %s", rep.Problems[0])
	}
	return !rep.OK(), nil
}

// outboxIn looks at the rows of another package in a file that was not set aside.
func (v *victim) outboxIn(s *Store, _ *outcome) (said bool, err error) {
	if aside, _ := s.Quarantined(); aside != "" {
		return false, nil
	}
	got := map[string]string{}
	_ = s.guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			return tx.Bucket([]byte("outbox")).Bucket([]byte("queue")).ForEach(func(k, x []byte) error {
				got[string(k)] = string(x)
				return nil
			})
		})
	})
	if maps.Equal(got, v.outbox) {
		return false, nil
	}
	// Its rows carry CRCs of their own; the test's do not. What must not be is rows gone from a file that was taken for sound.
	if len(got) != len(v.outbox) && !s.Stats().MetaFallback {
		return false, fmt.Errorf("%d of %d outbox rows", len(got), len(v.outbox))
	}
	return true, nil
}

// liveOn saves again and closes s: the next one who opens the file finds it sound.
func (v *victim) liveOn(s *Store, path string) error {
	s.rec.Add(1, "sig1", Point{T: epoch + 700*60_000, Value: 1})
	if err := s.Save(Checkpoint{Pos: 600, Sections: v.sections, Models: models(v.models)}); err != nil {
		return fmt.Errorf("Save afterwards: %w", err)
	}
	if err := s.Close(); err != nil {
		return err
	}
	s2, err := Open(path, Options{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("Open after the next save: %w", err)
	}
	defer s2.Close()
	l, ok, err := s2.Load()
	if err != nil || !ok {
		return fmt.Errorf("Load after the next save: %v, %w", ok, err)
	}
	if err := expect(l, 600, v.sections, v.models); err != nil {
		return fmt.Errorf("after the next save: %w", err)
	}
	return nil
}

// quickDir is a directory in memory where there is one: a thousand syncs of a shared disk would take minutes and prove nothing here.
func quickDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "wrackline-store")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestDamageIsFoundOrHarmless hurts the file in six ways, hundreds of times: nothing wrong may be given out, nothing may vanish
// without a word, and nothing may kill the process or keep it from starting.
func TestDamageIsFoundOrHarmless(t *testing.T) {
	rng := seeded(t)
	dir := t.TempDir()
	v := makeVictim(t, rng, dir)
	const page = 4096
	n := len(v.bytes)
	pagesIn := n / page
	kinds := []struct {
		name string
		do   func(rng *rand.Rand, b []byte) []byte
	}{
		{"bit flip", func(rng *rand.Rand, b []byte) []byte { b[rng.IntN(n)] ^= 1 << rng.IntN(8); return b }},
		{"flip in a page's head", func(rng *rand.Rand, b []byte) []byte {
			b[rng.IntN(pagesIn)*page+rng.IntN(64)] ^= 1 << rng.IntN(8)
			return b
		}},
		{"zeroed page", func(rng *rand.Rand, b []byte) []byte { clear(b[rng.IntN(pagesIn)*page:][:page]); return b }},
		{"truncation", func(rng *rand.Rand, b []byte) []byte { return b[:rng.IntN(n)] }},
		{"page copied over another", func(rng *rand.Rand, b []byte) []byte {
			copy(b[rng.IntN(pagesIn)*page:][:page], b[rng.IntN(pagesIn)*page:])
			return b
		}},
		{"garbage", func(rng *rand.Rand, b []byte) []byte {
			copy(b[rng.IntN(n):], randomBytes(rng, 1+rng.IntN(300)))
			return b
		}},
	}
	each := 55
	if testing.Short() {
		each = 10
	}
	for _, k := range kinds {
		rng := rand.New(rand.NewPCG(rng.Uint64(), 1))
		t.Run(k.name, func(t *testing.T) {
			t.Parallel() // it mostly waits for the disk
			var out outcome
			for i := range each {
				sub := quickDir(t)
				path := filepath.Join(sub, "a.db")
				if err := os.WriteFile(path, k.do(rng, slices.Clone(v.bytes)), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := v.attack(path, &out); err != nil {
					t.Errorf("mutation %d: %v", i, err)
				}
				os.RemoveAll(sub)
			}
			t.Logf("%d mutations: %d set aside (checkpoint kept in %d, of them the older in %d), %d reported, %d harmless",
				each, out.set, out.kept, out.older, out.reported, out.harmless)
		})
	}
}

// TestDamageWhileOpen hurts pages of an open store: reads must say so, and the process must live.
func TestDamageWhileOpen(t *testing.T) {
	rng := seeded(t)
	dir := t.TempDir()
	v := makeVictim(t, rng, dir)
	path := filepath.Join(dir, "a.db")
	if err := os.WriteFile(path, v.bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, path, Options{})
	// Truncation under a mapped file is what faults.
	if err := os.Truncate(path, 8192); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Load(); !errors.Is(err, ErrDamaged) {
		t.Errorf("Load of a file cut short: %v", err)
	}
	if err := s.Save(Checkpoint{Pos: 1}); !errors.Is(err, ErrDamaged) {
		t.Errorf("Save to it: %v", err)
	}
	if _, _, err := s.rec.Range("sig1", epoch, epoch+600*60_000, 1000); !errors.Is(err, ErrDamaged) {
		t.Errorf("Range: %v", err)
	}
	if rep, err := s.Verify(t.Context()); err != nil || rep.OK() {
		t.Errorf("Verify: %+v, %v", rep, err)
	}
	if _, err := s.Backup(&bytes.Buffer{}); !errors.Is(err, ErrDamaged) {
		t.Errorf("Backup: %v", err)
	}
	s.Stats()
	done := make(chan error)
	go func() { done <- s.Close() }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Close waits for ever")
	}
	s = mustOpen(t, path, Options{})
	if aside, _ := s.Quarantined(); aside == "" {
		t.Error("the file was not set aside")
	}
}

// TestFullStoreGoesOn reaches MaxBytes: saves fail, reads go on, and a smaller save works again.
func TestFullStoreGoesOn(t *testing.T) {
	rng := seeded(t)
	s := mustOpen(t, filepath.Join(t.TempDir(), "a.db"), Options{MaxBytes: 1 << 20})
	small := map[string][]byte{"s": randomBytes(rng, 100_000)}
	if err := s.Save(Checkpoint{Pos: 1, Sections: small}); err != nil {
		t.Fatal(err)
	}
	for m := range int64(100) {
		s.rec.Add(0, "x", Point{T: epoch + m*60_000, Value: 1})
	}
	for range 3 {
		err := s.Save(Checkpoint{Pos: 2, Sections: map[string][]byte{"s": randomBytes(rng, 3<<20)}})
		if !errors.Is(err, berrors.ErrMaxSizeReached) {
			t.Fatalf("Save beyond the bound: %v", err)
		}
		l, ok, err := s.Load()
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if err := expect(l, 1, small, nil); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.SaveErrors != 3 || st.LastError == "" || st.Pos != 1 {
		t.Errorf("Stats: %+v", st)
	}
	small["s"][5]++
	if err := s.Save(Checkpoint{Pos: 3, Sections: small}); err != nil {
		t.Fatal(err)
	}
	l, _, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	if err := expect(l, 3, small, nil); err != nil {
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

// TestHistoryStaysBoundedWhenNothingCanBeWritten feeds a full store.
func TestHistoryStaysBoundedWhenNothingCanBeWritten(t *testing.T) {
	rng := seeded(t)
	s := mustOpen(t, filepath.Join(t.TempDir(), "a.db"), Options{MaxBytes: 128 << 10})
	s.rec.pendingMax = 2 << 20
	w := walker{rng: rng, level: 3, kind: 1}
	for m := range int64(6000) {
		p := w.point(epoch + m*60_000)
		for i := range 60 {
			s.rec.Add(uint32(i), fmt.Sprint("x", i), p)
		}
		if m%1000 == 0 {
			if b := s.Stats().PendingBytes; b > 2<<20+chunkBytes {
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

// TestKillDuringSaves kills a child that saves without pause: what it acknowledged last, or the one under way, is there.
func TestKillDuringSaves(t *testing.T) {
	if path := os.Getenv("WRACKLINE_STORE_VICTIM"); path != "" {
		keepSaving(path)
		return
	}
	rng := seeded(t)
	path := filepath.Join(t.TempDir(), "a.db")
	total := uint64(0)
	for round := range 8 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKillDuringSaves$")
		cmd.Env = append(os.Environ(), "WRACKLINE_STORE_VICTIM="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acked := total
		enough := acked + 1 + uint64(rng.IntN(40))
		pause := time.Duration(rng.IntN(20_000)) * time.Microsecond
		in := bufio.NewScanner(out)
		for in.Scan() {
			v, ok := strings.CutPrefix(in.Text(), "saved ")
			if !ok {
				continue
			}
			if acked, err = strconv.ParseUint(v, 10, 64); err != nil {
				t.Fatal(err)
			}
			if acked >= enough {
				time.AfterFunc(pause, func() { cmd.Process.Kill() })
				enough = 1 << 62
			}
		}
		cmd.Wait()
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if aside, _ := s.Quarantined(); aside != "" {
			t.Fatal("a killed process left a damaged file")
		}
		l, ok, err := s.Load()
		if err != nil || !ok {
			t.Fatalf("round %d: %v, %v", round, ok, err)
		}
		if l.Pos < acked || l.Pos > acked+1 {
			t.Fatalf("round %d: position %d, and %d was acknowledged", round, l.Pos, acked)
		}
		sections, list := killState(l.Pos)
		if err := expect(l, l.Pos, sections, list); err != nil {
			t.Fatal(err)
		}
		pts, _, err := s.rec.Range("k", epoch-1, epoch+int64(l.Pos)*60_000, 100_000)
		n := 0
		for _, p := range pts {
			n += p.Points
		}
		if err != nil || n != int(l.Pos) {
			t.Fatalf("round %d: %d points of history at position %d, %v", round, n, l.Pos, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		total = l.Pos
	}
	if total < 8 {
		t.Fatalf("only %d saves", total)
	}
	t.Logf("%d saves, 8 kills", total)
}

func killState(pos uint64) (map[string][]byte, []pair) {
	var list []pair
	for i := range 300 {
		b := make([]byte, 500)
		binary.LittleEndian.PutUint64(b[pos%400:], pos*uint64(i+1))
		list = append(list, pair{fmt.Sprint("m", i), b})
	}
	return map[string][]byte{"stream": bytes.Repeat([]byte{byte(pos)}, 100_000)}, list
}

func keepSaving(path string) {
	s, err := Open(path, Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	l, _, err := s.Load()
	if err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	for pos := l.Pos + 1; ; pos++ {
		s.rec.Add(0, "k", Point{T: epoch + int64(pos)*60_000, Value: float64(pos)})
		sections, list := killState(pos)
		if err := s.Save(Checkpoint{Pos: pos, Sections: sections, Models: models(list)}); err != nil {
			fmt.Println(err)
			os.Exit(3)
		}
		fmt.Println("saved", pos)
	}
}
