package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestInspectVerifyAndRepair looks at what a killed program left behind, damages both generations of the checkpoint, and repairs them.
func TestInspectVerifyAndRepair(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conf := file(t, "w.yml", "storage: {checkpoint_interval: 1s}\n")
	args := []string{"serve", "--config.file", conf, "--storage.path", dir, "--web.listen-address", "127.0.0.1:0"}
	p := start(t, args...)
	p.awaitReady()
	if code, _, errs := run(t, "simulate", "--url", p.url+"/api/v1/write", "--start", time.Now().Add(-time.Hour).Format(time.RFC3339), "--duration", "50m", "--speed", "0", "--quiet"); code != exitOK {
		t.Fatalf("simulate: %s", errs)
	}
	p.settle()
	saved := p.metric("wrackline_store_checkpoints_saved_total")
	await(t, "two more checkpoints", func() bool {
		p.gauge("something", time.Now().UnixMilli()-60_000, 1, func(int64) float64 { return 1 })
		return p.metric("wrackline_store_checkpoints_saved_total") >= saved+2
	})
	if code, out, _ := run(t, "inspect", "verify", "--storage.path", dir); code != exitFailure {
		t.Errorf("verify of a running store: code %d, %s", code, out)
	}
	p.kill()
	code, out, errs := run(t, "inspect", "verify", "--storage.path", dir)
	if code != exitOK || !strings.Contains(out, "nothing that was learned is lost\nok\n") || strings.Count(out, "checkpoint of ") != 2 {
		t.Fatalf("verify: code %d: %s%s", code, out, errs)
	}
	// A hundred bits in each file.
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	sums := map[string]string{}
	for _, name := range []string{"wrackline.db", "checkpoint.db"} {
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		sums[path] = string(b)
	}
	code, out, errs = run(t, "inspect", "verify", "--storage.path", dir)
	if code != exitFindings || !strings.Contains(out, "damaged") {
		t.Errorf("verify of damaged files: code %d: %s%s", code, out, errs)
	}
	t.Logf("verify:\n%s", tail(out, 1500))
	code, out, errs = run(t, "inspect", "repair", "--storage.path", dir)
	if code != exitOK || !strings.Contains(out, "To use it") {
		t.Fatalf("repair: code %d: %s%s", code, out, errs)
	}
	for path, was := range sums {
		if b, err := os.ReadFile(path); err != nil || string(b) != was {
			t.Errorf("%s was changed, %v", path, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(filepath.Join(dir, "wrackline.db.repaired"), filepath.Join(dir, "wrackline.db")); err != nil {
		t.Fatal(err)
	}
	if code, out, errs = run(t, "inspect", "verify", "--storage.path", dir); code == exitFailure {
		t.Errorf("verify of the repaired store: code %d: %s%s", code, out, errs)
	}
	p = start(t, args...)
	p.awaitReady()
	p.stop()
	code, out, errs = run(t, "inspect", "stats", "--storage.path", dir)
	models, _, _ := strings.Cut(out[strings.Index(out, "\nmodels")+len("\nmodels"):], ",")
	if n, err := strconv.Atoi(strings.TrimSpace(models)); err != nil || n < 650 {
		t.Errorf("%d of 753 models after a hundred bits in each file, a repair, a start and a stop: code %d, %s%s", n, code, out, errs)
	}
	// An empty directory and one that is not there.
	if code, _, _ := run(t, "inspect", "verify", "--storage.path", t.TempDir()); code != exitOK {
		t.Errorf("verify of an empty directory: code %d", code)
	}
	if code, _, _ := run(t, "inspect", "verify", "--storage.path", filepath.Join(dir, "none")); code != exitFailure {
		t.Errorf("verify of nothing: code %d", code)
	}
}
