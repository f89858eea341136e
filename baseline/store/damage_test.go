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
)

// victim makes a store with everything in it, and says what it holds.
type victim struct {
	bytes    []byte
	sections map[string][]byte
	models   []pair
	before   map[uint64][]pair // the models of the checkpoints before, by position: a salvage may find any whose pages are still there
	history  map[string][]RangePoint
	outbox   map[string]string
}

func makeVictim(t testing.TB, rng *rand.Rand, dir string) victim {
	t.Helper()
	v := victim{sections: map[string][]byte{"stream": randomBytes(rng, 150_000), "alerting": randomBytes(rng, 900)}, history: map[string][]RangePoint{}, outbox: map[string]string{}, before: map[uint64][]pair{}}
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
			if m > 0 {
				v.before[(uint64(m)-1)/37*37] = slices.Clone(v.models)
			}
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
	set, kept, older, reported, harmless, lost int
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
	if kept.Older {
		out.older++
	}
	before := kept.Older || s.Stats().MetaFallback
	list, saved := v.models, true
	if l.Pos != 599 {
		list, saved = v.before[l.Pos]
	}
	if !saved || (l.Pos != 599 && !before) || (l.Pos < 592 && !kept.Older) {
		return false, fmt.Errorf("a checkpoint of %d, older: %v", l.Pos, kept.Older)
	}
	// What is missing is named, and what is given out was saved.
	lost := 0
	byID := map[string][]byte{}
	for _, m := range list {
		byID[m.id] = m.data
	}
	n := 0
	for id, data := range l.Models {
		if n++; !bytes.Equal(data, byID[id]) {
			return false, fmt.Errorf("model %s is not what was saved", id)
		}
	}
	for name, data := range v.sections {
		if got, ok := l.Sections[name]; !ok {
			lost++
		} else if !bytes.Equal(got, data) {
			return false, fmt.Errorf("section %s is not what was saved", name)
		}
	}
	lost += len(list) - n
	told := 0
	for _, h := range l.Holes {
		told += max(h.Models, 1)
	}
	if told != lost {
		return false, fmt.Errorf("%d are lost, and %v says %d", lost, l.Holes, told)
	}
	out.lost += lost
	return before || lost > 0, nil
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
		{"no meta page", func(rng *rand.Rand, b []byte) []byte { clear(b[:2*page]); b[rng.IntN(n)] ^= 1; return b }},
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
			t.Logf("%d mutations: %d set aside (checkpoint kept in %d, of them the older in %d), %d reported, %d harmless; %d models and sections lost",
				each, out.set, out.kept, out.older, out.reported, out.harmless, out.lost)
			if k.name == "bit flip" && out.lost > each {
				t.Errorf("%d bits cost %d models and sections", each, out.lost)
			}
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
