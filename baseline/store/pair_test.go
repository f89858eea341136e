package store

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// savedPair is what a Pair was given, by position.
type savedPair struct {
	sections map[string][]byte
	models   []pair
}

// fillPair saves several checkpoints, of which each changes a part of the one before.
func fillPair(t *testing.T, p *Pair, rng *rand.Rand, times int) map[uint64]savedPair {
	t.Helper()
	want := map[uint64]savedPair{}
	x := savedPair{sections: map[string][]byte{"a": randomBytes(rng, 300_000), "b": randomBytes(rng, 2_000)}}
	for i := range 200 {
		x.models = append(x.models, pair{fmt.Sprintf("signal-%03d", i), randomBytes(rng, 900)})
	}
	for i := range times {
		pos := uint64(100 * (i + 1))
		now := savedPair{sections: map[string][]byte{"a": x.sections["a"], "b": randomBytes(rng, 2_000+i)}}
		now.models = append(now.models, x.models...)
		for range 20 {
			now.models[rng.IntN(len(now.models))].data = randomBytes(rng, 900)
		}
		for m := range int64(5) {
			p.Recorder().Add(0, "signal-000", Point{T: (int64(i)*5 + m + 1) * 60_000, Value: 1})
		}
		safe := p.SafePos()
		if err := p.Save(Checkpoint{Pos: pos, AtMs: int64(pos), Sections: now.sections, Groups: []Group{{"g", models(now.models)}}}); err != nil {
			t.Fatal(err)
		}
		if want := uint64(100 * i); i > 0 && p.SafePos() != want || p.SafePos() < safe {
			t.Fatalf("after checkpoint %d the journal may be dropped up to %d, want %d", pos, p.SafePos(), want)
		}
		want[pos], x = now, now
	}
	return want
}

// One flipped bit in either file costs no checkpoint that the journal kept for it would not give back: the newest generation or the one before is there, to the byte.
func TestOneBitCostsNothing(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	quiet := Options{Logger: slog.New(slog.DiscardHandler)}
	p, err := OpenPair(filepath.Join(dir, "a.db"), quiet)
	if err != nil {
		t.Fatal(err)
	}
	want := fillPair(t, p, rng, 7)
	safe := p.SafePos()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range []string{"a.db", TwinName} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = b
	}
	flips := 120
	if testing.Short() {
		flips = 20
	}
	older := 0
	for n := range flips {
		hurt := []string{"a.db", TwinName}[n%2]
		at := t.TempDir()
		for name, b := range files {
			b = append([]byte(nil), b...)
			if name == hurt {
				b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
			}
			if err := os.WriteFile(filepath.Join(at, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p, err := OpenPair(filepath.Join(at, "a.db"), quiet)
		if err != nil {
			t.Fatalf("flip %d in %s: %v", n, hurt, err)
		}
		found := false
		for l, err := range p.Generations(0) {
			if err != nil {
				continue
			}
			x, known := want[l.Pos]
			if !known || l.Pos < safe {
				t.Fatalf("flip %d in %s: a checkpoint of %d, and the journal begins behind %d", n, hurt, l.Pos, safe)
			}
			if err := expect(l, l.Pos, x.sections, x.models); err != nil {
				t.Fatalf("flip %d in %s: %v", n, hurt, err)
			}
			if found = true; l.Pos != 700 {
				older++
			}
			break
		}
		if !found {
			t.Fatalf("flip %d in %s: no checkpoint is left", n, hurt)
		}
		// … and it goes on from there.
		next := want[700]
		if err := p.Save(Checkpoint{Pos: 800, AtMs: 800, Sections: next.sections, Groups: []Group{{"g", models(next.models)}}}); err != nil {
			t.Fatalf("flip %d in %s: save: %v", n, hurt, err)
		}
		for l, err := range p.Generations(0) {
			if err != nil || l.Pos != 800 {
				t.Fatalf("flip %d in %s: after a save the newest is of %d, %v", n, hurt, l.Pos, err)
			}
			break
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d flips: the older of two generations was needed %d times", flips, older)
}

// A store that is missing or empty is made anew beside its twin, which has what was learned.
func TestStoreIsMissing(t *testing.T) {
	for name, hurt := range map[string]func(path string) error{
		"missing": os.Remove,
		"empty":   func(path string) error { return os.Truncate(path, 0) },
	} {
		for _, file := range []string{"a.db", TwinName} {
			dir := t.TempDir()
			p, err := OpenPair(filepath.Join(dir, "a.db"), Options{})
			if err != nil {
				t.Fatal(err)
			}
			want := fillPair(t, p, rand.New(rand.NewPCG(1, 1)), 4)
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			if err := hurt(filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
			if p, err = OpenPair(filepath.Join(dir, "a.db"), Options{}); err != nil {
				t.Fatalf("%s is %s: %v", file, name, err)
			}
			for l, err := range p.Generations(0) {
				if err != nil || l.Pos < 300 {
					t.Fatalf("%s is %s: %d, %v", file, name, l.Pos, err)
				}
				if err := expect(l, l.Pos, want[l.Pos].sections, want[l.Pos].models); err != nil {
					t.Errorf("%s is %s: %v", file, name, err)
				}
				break
			}
			if p.SafePos() != 0 {
				t.Errorf("%s is %s: the journal may be dropped up to %d although one generation is all there is", file, name, p.SafePos())
			}
			p.Close()
		}
	}
}

// At the maximum size charts of the past give way, then the generation in the file that is written; what was learned is saved again and again, and history grows again once there is room.
func TestChartsGiveWayToModels(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	quiet := Options{Logger: slog.New(slog.DiscardHandler), MaxBytes: 12 << 20}
	p, err := OpenPair(filepath.Join(t.TempDir(), "a.db"), quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var list []pair
	for i := range 4_000 { // 7 MB of 12
		list = append(list, pair{fmt.Sprintf("signal-%04d", i), randomBytes(rng, 1_700)})
	}
	at, most := int64(0), int64(0)
	for save := range 40 {
		for range 30 {
			at += 60_000
			for i := range 400 {
				p.Recorder().Add(uint32(i), fmt.Sprintf("signal-%04d", i), Point{T: at, Value: rng.Float64(), Lower: rng.Float64(), Expected: rng.Float64(), Upper: rng.Float64()})
			}
		}
		for range 400 {
			list[rng.IntN(len(list))].data = randomBytes(rng, 1_700)
		}
		if err := p.Save(Checkpoint{Pos: uint64(save + 1), AtMs: int64(save), Groups: []Group{{"g", models(list)}}}); err != nil {
			t.Fatalf("save %d: %v", save, err)
		}
		most = max(most, p.Store.fileSize())
		for l, err := range p.Generations(0) {
			if err != nil {
				t.Fatal(err)
			}
			if err := expect(l, uint64(save+1), map[string][]byte{}, list); err != nil {
				t.Fatalf("save %d: %v", save, err)
			}
			break
		}
	}
	st := p.Stats()
	if st.HistoryFullMs < at/2 {
		t.Errorf("charts go back to minute %d of %d: there was room all the time", st.HistoryFullMs/60_000, at/60_000)
	}
	if most > quiet.MaxBytes*3/2 {
		t.Errorf("the file took %d bytes, and charts could have given way at %d", most, quiet.MaxBytes)
	}
	t.Logf("file at most %d of %d bytes, history from minute %d of %d", most, quiet.MaxBytes, st.HistoryFullMs/60_000, at/60_000)
	if pts, _, err := p.Recorder().Range("signal-0000", at-20*60_000, at, 100); err != nil || len(pts) == 0 {
		t.Errorf("the newest minutes of a chart: %d points, %v", len(pts), err)
	}
}

// A person's word changes the state without a request: two checkpoints of one position are two generations, and the later one is the newest, whichever file it is in, after a start and an odd and even number of saves.
func TestSamePositionNewState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	n := 0
	for start := range 4 {
		p, err := OpenPair(path, Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		newest := func() string {
			for l, err := range p.Generations(0) {
				if err != nil {
					t.Fatal(err)
				}
				return string(l.Sections["a"])
			}
			return ""
		}
		if n > 0 && newest() != fmt.Sprint(n) {
			t.Errorf("start %d: the newest is %s, want %d", start, newest(), n)
		}
		for range 3 {
			n++
			save := p.Save
			if n%5 == 0 {
				save = p.SaveFirst
			}
			if err := save(Checkpoint{Pos: 7, AtMs: int64(1000 - n), Sections: map[string][]byte{"a": fmt.Append(nil, n)}}); err != nil {
				t.Fatal(err)
			}
			if newest() != fmt.Sprint(n) {
				t.Errorf("start %d: after save %d the newest is %s", start, n, newest())
			}
		}
		p.Close()
	}
}

// What was learned is never refused for its size: a checkpoint beyond the maximum is saved again and again, and charts have no room.
func TestModelsBeyondTheMaximum(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	p, err := OpenPair(filepath.Join(t.TempDir(), "a.db"), Options{Logger: slog.New(slog.DiscardHandler), MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var list []pair
	for i := range 1_000 {
		list = append(list, pair{fmt.Sprintf("signal-%04d", i), randomBytes(rng, 1_700)})
	}
	for save := range 8 {
		for i := range list {
			list[i].data = randomBytes(rng, 1_700)
			p.Recorder().Add(uint32(i), list[i].id, Point{T: int64(save+1) * 3600_000, Value: rng.Float64()})
		}
		if err := p.Save(Checkpoint{Pos: uint64(save + 1), Groups: []Group{{"g", models(list)}}}); err != nil {
			t.Fatalf("save %d: %v", save, err)
		}
	}
	for l, err := range p.Generations(0) {
		if err == nil {
			err = expect(l, 8, map[string][]byte{}, list)
		}
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if size := p.Stats().FileBytes; size > 12<<20 {
		t.Errorf("%d bytes for two checkpoints of 1.7 MB", size)
	}
}

// hurtPair has two generations in two files, each of which lacks something since one bit is another.
func hurtPair(t *testing.T, dir string, hurt func(name string, b []byte)) {
	t.Helper()
	for _, name := range []string{"a.db", TwinName} {
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		hurt(name, b)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A bit in each of the two files: both generations have a hole, and what is given out is the older one with its hole filled from the newer. Never is more lost than what both lack, and
// nothing wrong is given out. With one file alone a bit costs a model, or a section.
func TestOneBitInEachFile(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	quiet := Options{Logger: slog.New(slog.DiscardHandler)}
	made := t.TempDir()
	p, err := OpenPair(filepath.Join(made, "a.db"), quiet)
	if err != nil {
		t.Fatal(err)
	}
	want := fillPair(t, p, rng, 6)
	p.Close()
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	var losses [2]int // rounds with so many models and sections lost
	for round := range rounds {
		alone := round%3 == 0 // the other file is gone
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
			t.Fatal(err)
		}
		hurtPair(t, dir, func(_ string, b []byte) { b[rng.IntN(len(b))] ^= 1 << rng.IntN(8) })
		if alone {
			if err := os.Remove(filepath.Join(dir, []string{"a.db", TwinName}[round%2])); err != nil {
				t.Fatal(err)
			}
		}
		// A second start finds what the first one carried over.
		for range 2 {
			if p, err = OpenPair(filepath.Join(dir, "a.db"), quiet); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			lost := -1
			for l, err := range p.Generations(0) {
				if err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
				x, known := want[l.Pos]
				if !known {
					t.Fatalf("round %d: a checkpoint of %d", round, l.Pos)
				}
				lost = lostOf(t, &l, want, x)
				break
			}
			if lost < 0 || lost > 1 {
				t.Fatalf("round %d: %d records are lost of %d flipped bits", round, lost, 2)
			}
			losses[lost]++
			p.Close()
		}
	}
	t.Logf("nothing was lost in %d of %d, one record in %d", losses[0]/2, rounds, losses[1]/2)
}

// lostOf returns how many models and sections a checkpoint lacks, and fails for one that was never saved.
func lostOf(t *testing.T, l *Loaded, want map[uint64]savedPair, at savedPair) (lost int) {
	t.Helper()
	saved := func(has func(x savedPair) bool) bool {
		for _, x := range want {
			if has(x) {
				return true
			}
		}
		return false
	}
	got := map[string]string{}
	for id, data := range l.Models {
		got[id] = string(data)
	}
	for i, m := range at.models {
		data, ok := got[m.id]
		if !ok {
			lost++
		} else if !saved(func(x savedPair) bool { return string(x.models[i].data) == data }) {
			t.Fatalf("model %s was never saved so", m.id)
		}
	}
	for name := range at.sections {
		data, ok := l.Sections[name]
		if !ok {
			lost++
		} else if !saved(func(x savedPair) bool { return string(x.sections[name]) == string(data) }) {
			t.Fatalf("section %s was never saved so", name)
		}
	}
	told := 0
	for _, h := range l.Holes {
		told += max(h.Models, 1)
	}
	if told != lost {
		t.Fatalf("%d are lost, and %v says %d", lost, l.Holes, told)
	}
	return lost
}
