package main

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/store"
)

// torture returns how often something bad is to happen: few times as a rule, WRACKLINE_TORTURE times when that is set, as make torture does; and random numbers, of WRACKLINE_SEED when that is set.
func torture(t *testing.T, few int) (n int, rng *rand.Rand) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	for name, set := range map[string]func(v uint64){"WRACKLINE_TORTURE": func(v uint64) { few = int(v) }, "WRACKLINE_SEED": func(v uint64) { seed = v }} {
		if text := os.Getenv(name); text != "" {
			v, err := strconv.ParseUint(text, 10, 63)
			if err != nil {
				t.Fatalf("%s=%q is no number", name, text)
			}
			set(v)
		}
	}
	t.Logf("%d times, WRACKLINE_SEED=%d", few, seed)
	return few, rand.New(rand.NewPCG(seed, 1))
}

// leftBehind returns the data directory of a program that has learned an hour of a simulated cluster and was killed: two generations of the checkpoint, and requests behind them.
func leftBehind(t *testing.T) (dir, conf string) {
	t.Helper()
	dir = t.TempDir()
	conf = file(t, "w.yml", "storage: {checkpoint_interval: 1s}\n")
	p := start(t, "serve", "--config.file", conf, "--storage.path", dir, "--web.listen-address", "127.0.0.1:0")
	p.awaitReady()
	begin := time.Now().Add(-70 * time.Minute)
	send := func(from time.Time, long string) {
		if code, _, errs := run(t, "simulate", "--url", p.url+"/api/v1/write", "--start", from.Format(time.RFC3339), "--duration", long, "--speed", "0", "--quiet"); code != exitOK {
			t.Fatalf("simulate: %s", errs)
		}
	}
	send(begin, "50m")
	p.settle()
	saved := p.metric("wrackline_store_checkpoints_saved_total")
	for i := int64(0); p.metric("wrackline_store_checkpoints_saved_total") < saved+3; i++ {
		p.gauge("something", time.Now().UnixMilli()-60_000+i, 1, func(int64) float64 { return 1 })
		time.Sleep(20 * time.Millisecond) // no measure: it only spares the journal
	}
	p.kill()
	return dir, conf
}

// restarted is what a start makes of a directory: all models, by id, once the journal has been folded.
type restarted struct {
	models  map[string]string
	damaged int64 // bytes of the journal
	lost    int   // requests that are missing from it, behind the checkpoint
	aside   bool  // a file was set aside
}

func restart(t *testing.T, cfg config, dir string) (r restarted, err error) {
	a, err := openApp(cfg, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		return r, err
	}
	defer a.journal.Close()
	defer a.store.Close()
	if err := a.replayJournal(t.Context()); err != nil {
		return r, err
	}
	r.models = map[string]string{}
	for id, m := range a.engine.Models {
		r.models[id] = string(m)
	}
	aside, _ := a.store.Quarantined()
	st := a.journal.Stats()
	r.aside, r.damaged = aside != "", st.DamagedBytes+st.TornBytes
	return r, nil
}

// against returns how many models are missing, and how many differ.
func (r restarted) against(want restarted) (missing, other int) {
	for id, m := range want.models {
		if got, ok := r.models[id]; !ok {
			missing++
		} else if got != m {
			other++
		}
	}
	return missing, other
}

// TestTortureFlips flips bits of what a killed program left behind, and starts. With one bit, wherever it is, nothing that was learned is lost or another, to the bit, unless it is a request that the
// journal alone had. With a bit in each of the two generations at most one record is lost for each, and likewise where there is but one generation.
func TestTortureFlips(t *testing.T) {
	n, rng := torture(t, 24)
	made, conf := leftBehind(t)
	cfg, err := loadConfig(conf)
	if err != nil {
		t.Fatal(err)
	}
	copyOf := func() string {
		dir, err := os.MkdirTemp(quickTemp(t), "flip")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	sound := copyOf()
	want, err := restart(t, cfg, sound)
	if err != nil || len(want.models) < 500 {
		t.Fatalf("%d models, %v", len(want.models), err)
	}
	os.RemoveAll(sound)
	segments, err := filepath.Glob(filepath.Join(made, "journal", "*.seg"))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	last := filepath.Join("journal", filepath.Base(segments[len(segments)-1]))
	kinds := []struct {
		name string
		hurt []string // a bit of each
		gone string
		less int // models that may be missing
	}{
		{"a bit of wrackline.db", []string{"wrackline.db"}, "", 0},
		{"a bit of checkpoint.db", []string{store.TwinName}, "", 0},
		{"a bit of the journal", []string{last}, "", 0},
		{"a bit of each generation", []string{"wrackline.db", store.TwinName}, "", 2},
		{"a bit of the only generation", []string{"wrackline.db"}, store.TwinName, 1},
		{"a bit of every file", []string{"wrackline.db", store.TwinName, last}, "", 3},
	}
	for _, k := range kinds {
		var losses []int
		asides, others, deaths := 0, 0, 0
		for range n / len(kinds) {
			dir := copyOf()
			if k.gone != "" {
				os.Remove(filepath.Join(dir, k.gone))
			}
			var where []string
			for _, name := range k.hurt {
				where = append(where, name+" "+flip(t, rng, filepath.Join(dir, name)))
			}
			got, err := restart(t, cfg, dir)
			os.RemoveAll(dir)
			if err != nil {
				deaths++
				t.Errorf("%s: %s: it does not start: %v", k.name, strings.Join(where, ", "), err)
				continue
			}
			missing, other := got.against(want)
			losses = append(losses, missing)
			if got.aside {
				asides++
			}
			others += other
			if missing > k.less {
				t.Errorf("%s: %s: %d models are lost", k.name, strings.Join(where, ", "), missing)
			}
			if other > 0 && k.less == 0 && got.damaged == 0 {
				t.Errorf("%s: %s: %d models are others than before", k.name, strings.Join(where, ", "), other)
			}
		}
		slices.Sort(losses)
		if len(losses) > 0 {
			t.Logf("%-28s %4d times: %d deaths, %d files set aside, of %d models lost: median %d, most %d; with other bits since requests of the journal were lost: %d in all", k.name, len(losses)+deaths, deaths, asides,
				len(want.models), losses[len(losses)/2], losses[len(losses)-1], others)
		}
	}
}

// flip flips a bit of a file and says which.
func flip(t *testing.T, rng *rand.Rand, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at, bit := rng.IntN(len(b)), rng.IntN(8)
	b[at] ^= 1 << bit
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("byte %d bit %d", at, bit)
}

// quickTemp is a directory in memory where there is one: thousands of syncs of a shared disk would prove nothing here.
func quickTemp(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "wrackline-torture")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
