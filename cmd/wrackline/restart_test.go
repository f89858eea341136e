package main

import (
	"errors"
	"log/slog"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
)

// used returns the CPU time of the process until now.
func used(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestRestartCost says what a start costs after a death with 2 million samples in the journal beyond the checkpoint, of 60,000 series: WRACKLINE_RESTART=1 go test -v -tags nomsgpack
// -run TestRestartCost ./cmd/wrackline.
func TestRestartCost(t *testing.T) {
	if os.Getenv("WRACKLINE_RESTART") == "" {
		t.Skip("a measurement: set WRACKLINE_RESTART=1")
	}
	cfg, err := loadConfig(file(t, "w.yml", ""))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	a, err := openApp(cfg, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now().Add(-time.Hour).UnixMilli()
	c, err := scenario.ScaleTo(scenario.Config{Seed: 1, StartMs: start, Shards: 4, Quiet: true, Cluster: "large"}, 60_000/60)
	if err != nil {
		t.Fatal(err)
	}
	g, err := scenario.New(c)
	if err != nil {
		t.Fatal(err)
	}
	d := ingest.NewKeyedDecoder(a.cfg.Load().limits(), a.keyer)
	var body, buf []byte
	samples, saved := 0, false
	for {
		r, ok := g.Next(start + 46*60_000)
		if !ok {
			break
		}
		if !saved && r.Batch.ReceivedMs > start+10*60_000 {
			saved, samples = true, 0
			if err := a.checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
		body, buf = r.AppendBody(body[:0], buf)
		var b series.Batch
		if _, err := d.Decode(ingest.V1, ingest.Snappy, body, &b); err != nil {
			t.Fatal(err)
		}
		b.Sender, b.ReceivedMs = r.Batch.Sender, r.Batch.ReceivedMs
		pos, err := a.journal.Append(journal.Record{ReceivedMs: b.ReceivedMs, Sender: b.Sender, Proto: uint8(ingest.V1), Encoding: uint8(ingest.Snappy), Body: body})
		if err != nil {
			t.Fatal(err)
		}
		a.engine.Apply(&b, pos)
		samples += len(b.Samples)
	}
	st := a.engine.Stats()
	if err := errors.Join(a.journal.Close(), a.store.Close()); err != nil {
		t.Fatal(err)
	}
	a, g = nil, nil
	for range 3 {
		runtime.GC()
		before := used(t)
		a, err := openApp(cfg, dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		opened := used(t)
		if err := a.replayJournal(t.Context()); err != nil {
			t.Fatal(err)
		}
		folded := used(t)
		again := a.engine.Stats()
		t.Logf("%d samples of %d series, %d tracked, %d signals: checkpoint %.2f CPU-s, journal %.2f CPU-s (%.0f ns a sample)", samples, st.Series, st.Tracked, st.Signals,
			(opened - before).Seconds(), (folded - opened).Seconds(), float64((folded-opened).Nanoseconds())/float64(samples))
		if again.Needed != st.Needed || again.Series != st.Series || again.Tracked != st.Tracked {
			t.Errorf("%d needed of %d series, %d tracked; want %d, %d, %d", again.Needed, again.Series, again.Tracked, st.Needed, st.Series, st.Tracked)
		}
		if err := errors.Join(a.journal.Close(), a.store.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
