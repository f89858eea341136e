package main

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
)

// TestWholeJournalFillsHoles: while the journal still begins with the first request of all, a bit in the only generation of the checkpoint costs nothing.
func TestWholeJournalFillsHoles(t *testing.T) {
	dir := t.TempDir()
	a, err := openApp(defaultConfig(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	a.line.begin(0)
	a.ready.Store(true)
	var wg sync.WaitGroup
	wg.Go(a.follow)
	now := a.now().UnixMilli()
	const pod = "checkout-5d8f7c6b9d-x7k2q" // of the stream's section alone
	for at := now - 30*60_000; at < now; at += 30_000 {
		var req prompb.WriteRequest
		for i := range 30 {
			req.Timeseries = append(req.Timeseries, prompb.TimeSeries{Labels: []prompb.Label{{Name: "__name__", Value: "container_cpu_usage_seconds_total"}, {Name: "container", Value: "c" + strconv.Itoa(i)},
				{Name: "namespace", Value: "shop"}, {Name: "pod", Value: pod}}, Samples: []prompb.Sample{{Timestamp: at, Value: float64(at-now) / 1e3 * float64(i+1)}}})
		}
		body, err := req.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/api/v1/write", bytes.NewReader(snappy.Encode(nil, body)))
		r.Header.Set("Content-Type", "application/x-protobuf")
		r.Header.Set("Content-Encoding", "snappy")
		w := httptest.NewRecorder()
		if a.door.Load().ServeHTTP(w, r); w.Code != 204 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	a.line.close()
	wg.Wait()
	if err := a.checkpoint(); err != nil {
		t.Fatal(err)
	}
	a.engine.Publish() // counts are published from time to time
	want := a.engine.Stats()
	if want.Signals == 0 {
		t.Fatal("no signal")
	}
	a.journal.Close()
	a.store.Close()

	path := filepath.Join(dir, "wrackline.db")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte(pod))
	if at < 0 {
		t.Fatal("the checkpoint does not name the pod")
	}
	b[at] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := run(t, "inspect", "verify", "--storage.path", dir); code != exitFindings || !strings.Contains(out, "a start folds the journal from its beginning, 60 requests: nothing that was learned or said is lost") {
		t.Errorf("verify: code %d, %s%s", code, out, errs)
	}
	again, err := openApp(defaultConfig(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer again.close(false)
	if again.lost.Load() != nil || again.engine.Pos() != 0 {
		t.Errorf("goes on from request %d, lost %v", again.engine.Pos(), again.lost.Load())
	}
	if err := again.replayJournal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := again.engine.Stats(); got.Signals != want.Signals || got.Tracked != want.Tracked || got.Samples != want.Samples {
		t.Errorf("%d signals, %d series, %d samples; there were %d, %d, %d", got.Signals, got.Tracked, got.Samples, want.Signals, want.Tracked, want.Samples)
	}
}
