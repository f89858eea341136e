package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/history"
	"github.com/wrackline/wrackline/ingest/history/past"
)

// simulated returns the requests of a simulated cluster from a time on.
func simulated(t *testing.T, from time.Time, length string, more ...string) (list []scenario.Record) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sim.rec")
	var out bytes.Buffer
	if code := mainCode(t.Context(), env{stdout: io.Discard, stderr: &out}, append([]string{"simulate", "--out", file, "--cluster", "demo", "--start", from.UTC().Format(time.RFC3339), "--duration", length, "--quiet"}, more...)); code != 0 {
		t.Fatal(out.String())
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := scenario.ReadRecording(f, func(r scenario.Record) error {
		r.Body = bytes.Clone(r.Body)
		list = append(list, r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

// pastOf returns a server that has the samples of requests.
func pastOf(t *testing.T, list []scenario.Record) *past.Server {
	t.Helper()
	s := &past.Server{}
	for _, r := range list {
		plain, err := snappy.Decode(nil, r.Body)
		var m prompb.WriteRequest
		if err != nil || m.Unmarshal(plain) != nil {
			t.Fatal("no request")
		}
		for _, ts := range m.Timeseries {
			var l series.Labels
			for _, x := range ts.Labels {
				l = append(l, series.Label{Name: x.Name, Value: x.Value})
			}
			for _, x := range ts.Samples {
				s.Add(l, series.Sample{T: x.Timestamp, V: x.Value})
			}
		}
	}
	return s
}

// learnedLive folds requests as they came.
func learnedLive(t *testing.T, list []scenario.Record) *baseline.View {
	t.Helper()
	a, err := openApp(defaultConfig(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.close(false)
	d := ingest.NewKeyedDecoder(a.cfg.Load().limits(), a.keyer)
	for _, r := range list {
		b := series.Batch{Sender: "prom", ReceivedMs: r.ReceivedMs}
		if _, err := d.Decode(ingest.V1, ingest.Snappy, r.Body, &b); err != nil {
			t.Fatal(err)
		}
		a.engine.Apply(&b, 0)
	}
	a.engine.Publish()
	return a.engine.View()
}

// pastReader returns a backfill from a server, as of a time.
func pastReader(t *testing.T, url string, days float64, now int64) *backfill {
	t.Helper()
	src, err := history.Open(history.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	return &backfill{source: src, sender: "prom", rate: 1e9, days: days, now: func() time.Time { return time.UnixMilli(now) }, out: io.Discard, retry: time.Millisecond, slice: 600_000}
}

// learnedFrom opens what a backfill has left and returns its view.
func learnedFrom(t *testing.T, dir string) *baseline.View {
	t.Helper()
	a, err := openApp(defaultConfig(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.close(false)
	a.engine.Publish()
	return a.engine.View()
}

// apart returns which signals differ in their bands by more than a share of the band's width, and how many were compared.
func apart(got, want *baseline.View, share float64) (list []string, n int) {
	for _, w := range want.Signals {
		g, ok := got.Signal(w.Signal.ID)
		if w.Seen < 30 {
			continue
		}
		n++
		width := w.Band.Upper - w.Band.Lower
		near := func(a, b float64) bool { return a == b || a != a && b != b || math.Abs(a-b) <= share*width }
		if !ok || math.Abs(float64(g.Seen-w.Seen)) > 2 || !near(g.Band.Lower, w.Band.Lower) || !near(g.Band.Expected, w.Band.Expected) || !near(g.Band.Upper, w.Band.Upper) {
			list = append(list, fmt.Sprintf("%s: %v after %d, want %v after %d", w.Signal.ID, g.Band, g.Seen, w.Band, w.Seen))
		}
	}
	return list, n
}

// TestBackfillLearnsWhatLiveLearns: bands are those that are learned of the same samples as they come; also when the reading is cut off at random points.
func TestBackfillLearnsWhatLiveLearns(t *testing.T) {
	from := time.UnixMilli(1_790_000_000_000 / 7200_000 * 7200_000)
	list := simulated(t, from, "90m")
	server := pastOf(t, list)
	var stop func()
	asked, at := 0, -1
	server.Before = func(http.ResponseWriter, *http.Request) bool {
		if asked++; asked == at {
			stop()
		}
		return false
	}
	srv := httptest.NewServer(server)
	defer srv.Close()
	now := from.UnixMilli() + 90*60_000 + historyBack
	want := learnedLive(t, list)
	whole := t.TempDir()
	if err := pastReader(t, srv.URL, 0.0625, now).run(t.Context(), defaultConfig(), whole, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	got := learnedFrom(t, filepath.Join(whole, historyDir))
	if off, n := apart(got, want, 0.01); len(off) > 0 || n < 300 {
		t.Errorf("%d of %d bands differ from those learned live:\n%s", len(off), n, strings.Join(off[:min(len(off), 10)], "\n"))
	}
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	dir, cuts := t.TempDir(), 0
	for {
		ctx, cancel := context.WithCancel(t.Context())
		stop, asked, at = cancel, 0, 2+r.IntN(4)
		err := pastReader(t, srv.URL, 0.0625, now).run(ctx, defaultConfig(), dir, slog.New(slog.DiscardHandler))
		cancel()
		if err == nil {
			break
		}
		if cuts++; cuts > 30 {
			t.Fatalf("it does not come to an end: %v", err)
		}
	}
	off, n := apart(learnedFrom(t, filepath.Join(dir, historyDir)), got, 0)
	if len(off) > 0 || cuts < 2 {
		t.Errorf("seed %d, cut %d times: %d of %d bands differ from those of an uncut one:\n%s", seed, cuts, len(off), n, strings.Join(off[:min(len(off), 10)], "\n"))
	}
}

// TestBackfillOfABadSource: it is said what is wrong, and nothing stays.
func TestBackfillOfABadSource(t *testing.T) {
	from := time.UnixMilli(1_790_000_000_000 / 7200_000 * 7200_000)
	server := pastOf(t, simulated(t, from, "10m"))
	srv := httptest.NewServer(server)
	defer srv.Close()
	now := from.UnixMilli() + 600_000
	for code, says := range map[int]string{401: "bearer token", 404: "--kind", 422: "limits", 429: "too much", 500: "fails", 0: "none of the"} {
		server.Before = func(w http.ResponseWriter, r *http.Request) bool {
			if code == 0 { // a tenant that has nothing
				w.Header().Set("Content-Type", "application/x-streamed-protobuf")
				return true
			}
			http.Error(w, "no", code)
			return true
		}
		dir := t.TempDir()
		err := pastReader(t, srv.URL, 0.01, now).run(t.Context(), defaultConfig(), dir, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%d: %v", code, err)
		}
		if _, err := os.Stat(filepath.Join(dir, historyDir, historyReady)); err == nil {
			t.Errorf("%d: it is ready", code)
		}
		server.Before = nil // and then well, in the same place
		if err := pastReader(t, srv.URL, 0.01, now).run(t.Context(), defaultConfig(), dir, slog.New(slog.DiscardHandler)); err != nil {
			t.Errorf("%d, then well: %v", code, err)
		}
	}
}

// TestBackfillBesideServe: a running program takes over what a backfill has read, with what was sent to it meanwhile, tells nobody of the past, and goes on.
func TestBackfillBesideServe(t *testing.T) {
	now := time.Now()
	from := now.Add(-2 * time.Hour).Truncate(time.Minute)
	list := simulated(t, from, "1h59m")
	srv := httptest.NewServer(pastOf(t, list))
	defer srv.Close()
	dir := t.TempDir()
	p := start(t, "serve", "--storage.path", dir, "--web.listen-address", "127.0.0.1:0")
	p.awaitReady()
	began := func() int64 {
		var x struct{ Data struct{ Started int64 } }
		p.json("/api/v1/status/build", &x)
		return x.Data.Started
	}
	started := began()
	for _, r := range list {
		if r.ReceivedMs > now.Add(-5*time.Minute).UnixMilli() {
			if status, text := p.write("", r.Body); status/100 != 2 {
				t.Fatal(status, text)
			}
		}
	}
	var out bytes.Buffer
	if code := mainCode(t.Context(), env{stdout: &out, stderr: &out}, []string{"backfill", "--from", srv.URL, "--days", "0.09", "--storage.path", dir, "--server", p.url}); code != 0 {
		t.Fatal(out.String())
	}
	var view learned
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		if code, text := p.try("/prometheus/api/v1/query?query=count(count_over_time(wrackline_signal[1h])+%3E+50)"); code == 200 && strings.Contains(text, `"value"`) {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("it is not taken over: %s\n%s", text, out.String())
		}
	}
	p.awaitReady()
	if again := began(); started == 0 || again != started {
		t.Errorf("the process started at %d, and after what was learned was taken over it says %d", started, again)
	}
	if view = p.signals(""); len(view) < 300 {
		t.Errorf("%d signals", len(view))
	}
	if _, text := p.try("/api/v1/incidents"); !strings.Contains(text, `"open":0`) || !strings.Contains(text, `"closed":0`) {
		t.Errorf("something of the past was told: %.500s", text)
	}
	if n := p.metric("wrackline_journal_records_undecodable_total"); n > 0 {
		t.Errorf("%v requests were lost", n)
	}
	if _, err := os.Stat(filepath.Join(dir, historyDir)); err == nil {
		t.Error("the directory of history is still there")
	}
	p.kill() // and what was taken over is there after a kill
	p = start(t, "serve", "--storage.path", dir, "--web.listen-address", "127.0.0.1:0")
	p.awaitReady()
	if again := p.signals(""); len(again) != len(view) {
		t.Errorf("%d signals after a kill, %d before", len(again), len(view))
	}
}

// TestBackfillOfNothingLeavesNothing: what read nothing is nothing to go on from; the same source with a past, and another one, begin at the beginning.
func TestBackfillOfNothingLeavesNothing(t *testing.T) {
	from := time.UnixMilli(1_790_000_000_000 / 7200_000 * 7200_000)
	now, dir := from.UnixMilli()+600_000, t.TempDir()
	empty, full := pastOf(t, nil), pastOf(t, simulated(t, from, "10m"))
	none := httptest.NewServer(empty)
	defer none.Close()
	some := httptest.NewServer(full)
	defer some.Close()
	if err := pastReader(t, none.URL, 0.01, now).run(t.Context(), defaultConfig(), dir, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("an empty source is taken for history")
	}
	young := pastReader(t, some.URL, 0.01, now) // has the metrics, and then no sample in time
	young.now = func() time.Time { return from.Add(-time.Hour) }
	if err := young.run(t.Context(), defaultConfig(), dir, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("a source without samples is taken for history")
	}
	b := pastReader(t, some.URL, 0.01, now)
	if err := b.run(t.Context(), defaultConfig(), dir, slog.New(slog.DiscardHandler)); err != nil || b.h.Samples < 10_000 {
		t.Errorf("afterwards: %v, %+v", err, b.h)
	}
}

// TestBackfillLosesNoCluster: a source that holds nothing of a cluster that is known is not taken over, and everything stays as it was; one that holds it is.
func TestBackfillLosesNoCluster(t *testing.T) {
	now := time.Now()
	from := now.Add(-20 * time.Minute).Truncate(time.Minute)
	for _, c := range []struct {
		known string
		lost  bool
	}{{"other", true}, {"demo", false}} {
		dir := t.TempDir()
		p := start(t, "serve", "--storage.path", dir, "--web.listen-address", "127.0.0.1:0")
		p.awaitReady()
		for _, r := range simulated(t, from, "19m", "--cluster", c.known) {
			if status, text := p.write("", r.Body); status/100 != 2 {
				t.Fatal(status, text)
			}
		}
		p.stop()
		srv := httptest.NewServer(pastOf(t, simulated(t, from, "19m")))
		defer srv.Close()
		if err := pastReader(t, srv.URL, 0.013, now.UnixMilli()).run(t.Context(), defaultConfig(), dir, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		err := adopt(t.Context(), defaultConfig(), dir, slog.New(slog.DiscardHandler))
		if c.lost != (err != nil && strings.Contains(err.Error(), "nothing of cluster other")) {
			t.Errorf("known is %s: %v", c.known, err)
		}
		if v := learnedFrom(t, dir); len(v.Signals) == 0 || v.Signals[0].Signal.Entity.Get("cluster") != c.known {
			t.Errorf("%d signals are left where %s was known", len(v.Signals), c.known)
		}
	}
}

// TestBackfillWaits: a backfill that cannot be taken over for a reason that is none of its own stays where it is, and is taken over at the next start; one that is no good is put aside.
func TestBackfillWaits(t *testing.T) {
	now := time.Now()
	list := simulated(t, now.Add(-20*time.Minute).Truncate(time.Minute), "19m")
	srv := httptest.NewServer(pastOf(t, list))
	defer srv.Close()
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	p := start(t, "serve", "--storage.path", dir, "--web.listen-address", "127.0.0.1:0")
	p.awaitReady()
	if status, text := p.write("", list[len(list)-1].Body); status/100 != 2 {
		t.Fatal(status, text)
	}
	p.kill() // so that something is left to be folded
	if err := pastReader(t, srv.URL, 0.013, now.UnixMilli()).run(t.Context(), defaultConfig(), dir, log); err != nil {
		t.Fatal(err)
	}
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	live := filepath.Join(dir, "journal")
	for name, c := range map[string]struct {
		ctx        context.Context
		do, undone func() error
	}{
		"told to stop": {gone, func() error { return nil }, func() error { return nil }},
		"the live journal cannot be opened": {t.Context(), func() error { return errors.Join(os.Rename(live, live+"x"), os.WriteFile(live, nil, 0o600)) },
			func() error { return errors.Join(os.Remove(live), os.Rename(live+"x", live)) }},
	} {
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		if waits := adoptHistory(c.ctx, defaultConfig(), dir, log); !waits || !there("history/ready") || there("history.failed") {
			t.Fatalf("%s: waits: %v, history is there: %v, put aside: %v", name, waits, there("history/ready"), there("history.failed"))
		}
		if err := c.undone(); err != nil {
			t.Fatal(err)
		}
	}
	for _, no := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, store.ErrInUse} {
		if !keeps(t.Context(), fmt.Errorf("write it: %w", no)) {
			t.Errorf("%v: it would be put aside", no)
		}
	}
	if waits := adoptHistory(t.Context(), defaultConfig(), dir, log); waits || there(historyDir) || there("history.failed") {
		t.Errorf("then well: waits: %v, history is there: %v, put aside: %v", waits, there(historyDir), there("history.failed"))
	}
	if v := learnedFrom(t, dir); len(v.Signals) < 100 {
		t.Errorf("%d signals", len(v.Signals))
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, historyDir), 0o700), os.WriteFile(filepath.Join(dir, historyDir, historyReady), nil, 0o600)); err != nil { // twin: that is none
		t.Fatal(err)
	}
	if waits := adoptHistory(t.Context(), defaultConfig(), dir, log); waits || !there("history.failed") {
		t.Errorf("no backfill: waits: %v, put aside: %v", waits, there("history.failed"))
	}
}

// TestBackfillOfALargeCluster: more series and samples in fifteen seconds than a request may hold are read, and divided they teach what they teach in one.
func TestBackfillOfALargeCluster(t *testing.T) {
	from := time.UnixMilli(1_790_000_000_000 / 7200_000 * 7200_000)
	now := from.UnixMilli() + 600_000
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	name := pack.KeepList(packs)[0]
	large := &past.Server{}
	for i := range 110_000 {
		large.Add(series.Labels{{Name: series.NameLabel, Value: name}, {Name: "pod", Value: fmt.Sprint(i)}}, series.Sample{T: now - 200_000, V: 1})
	}
	srv := httptest.NewServer(large)
	defer srv.Close()
	b := pastReader(t, srv.URL, 0.01, now)
	if err := b.run(t.Context(), defaultConfig(), t.TempDir(), slog.New(slog.DiscardHandler)); err != nil || b.h.Samples != 110_000 {
		t.Errorf("a large one: %v", err)
	}
	list := simulated(t, from, "45m")
	small := httptest.NewServer(pastOf(t, list))
	defer small.Close()
	learned := func() *baseline.View {
		dir := t.TempDir()
		if err := pastReader(t, small.URL, 0.03125, from.UnixMilli()+45*60_000+historyBack).run(t.Context(), defaultConfig(), dir, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		return learnedFrom(t, filepath.Join(dir, historyDir))
	}
	whole := learned()
	defer func(a, b, c int) { requestSeries, requestSamples, requestBytes = a, b, c }(requestSeries, requestSamples, requestBytes)
	for range 3 {
		requestSeries, requestSamples, requestBytes = 50+rand.IntN(500), 50+rand.IntN(500), 1000+rand.IntN(100_000)
		parts := learned()
		if list, n := apart(parts, whole, 0); len(list) > 0 || n == 0 || len(parts.Signals) != len(whole.Signals) {
			t.Errorf("divided by %d, %d, %d: %d of %d differ: %.500s", requestSeries, requestSamples, requestBytes, len(list), n, list)
		}
	}
}

// TestBackfillGoesOnAsItBegan: what is gone on with keeps its sender and its cluster; other ones are refused, and nothing is lost by that.
func TestBackfillGoesOnAsItBegan(t *testing.T) {
	from := time.UnixMilli(1_790_000_000_000 / 7200_000 * 7200_000)
	server := pastOf(t, simulated(t, from, "40m"))
	srv := httptest.NewServer(server)
	defer srv.Close()
	log := slog.New(slog.DiscardHandler)
	for _, kept := range []bool{true, false} { // by version 1, not
		dir := t.TempDir()
		reader := func(sender, cluster string) *backfill {
			b := pastReader(t, srv.URL, 0.03, from.UnixMilli()+40*60_000)
			b.sender, b.cluster, b.find = sender, cluster, func() string { return "found" }
			return b
		}
		ctx, cancel := context.WithCancel(t.Context())
		asked := 0
		server.Before = func(http.ResponseWriter, *http.Request) bool {
			if asked++; asked == 5 { // something has been read, and not all
				cancel()
			}
			return false
		}
		first := reader("prom", "shop")
		if err := first.run(ctx, defaultConfig(), dir, log); err == nil {
			t.Fatal("it is not cut off")
		}
		if again, err := readHistory(first.h.append(nil)); err != nil || *again != *first.h {
			t.Errorf("%+v, %v: want %+v", again, err, first.h)
		}
		if !kept {
			a, err := openHistory(defaultConfig(), dir, log)
			if err != nil {
				t.Fatal(err)
			}
			a.history.Sender, a.history.Cluster, a.history.named = "", "", false
			first.a, first.h = a, a.history
			if err := errors.Join(first.save(a.store.SaveFirst), a.journal.Close(), a.store.Close()); err != nil {
				t.Fatal(err)
			}
		} else {
			for flag, b := range map[string]*backfill{"--sender": reader("other", "shop"), "--cluster": reader("prom", "other")} {
				if err := b.run(t.Context(), defaultConfig(), dir, log); err == nil || !strings.Contains(err.Error(), flag) || !strings.Contains(err.Error(), "other") {
					t.Errorf("another %s: %v", flag, err)
				}
			}
		}
		last := reader("", "")
		if !kept {
			last = reader("", "shop")
		}
		if err := last.run(t.Context(), defaultConfig(), dir, log); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]string{true: "prom", false: "found"}[kept]; last.sender != want || last.cluster != "shop" || last.h.From != first.h.From {
			t.Errorf("kept %v: it went on as %q, %q from %d", kept, last.sender, last.cluster, last.h.From)
		}
	}
	w := codec.Writer{} // as version 1 wrote it
	w.Num(1)
	w.String("http://prom")
	for _, v := range []int64{1000, 2000, 7} {
		w.Int(v)
	}
	if h, err := readHistory(w.B); err != nil || *h != (historyRead{Source: "http://prom", From: 1000, Reached: 2000, Samples: 7}) {
		t.Errorf("version 1: %+v, %v", h, err)
	}
}
