package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
)

// lineApp opens an application in dir whose journal is written, and returns what ends it as a kill would: nothing in line is folded, and no checkpoint is made.
func lineApp(t *testing.T, dir string) (a *app, kill func()) {
	t.Helper()
	a, err := openApp(defaultConfig(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := a.journal.Run(ctx); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}()
	return a, func() {
		stop()
		<-done
		if err := a.close(false); err != nil {
			t.Error(err)
		}
	}
}

// give decodes a request and hands it to the door's Appender as the door does.
func give(ctx context.Context, a *app, r *scenario.Request, body []byte, done func()) error {
	raw := ingest.Raw{Sender: r.Sender, Cluster: r.Cluster, ReceivedMs: r.ReceivedMs, Proto: ingest.V1, Encoding: ingest.Snappy, Body: body}
	b := series.Batch{Sender: raw.Sender, Cluster: raw.Cluster, ReceivedMs: raw.ReceivedMs}
	info, err := ingest.NewKeyedDecoder(a.cfg.Load().limits(), a.keyer).Decode(raw.Proto, raw.Encoding, body, &b)
	if err != nil {
		return err
	}
	raw.Decoded = info.Decoded
	return a.Append(ctx, &raw, &b, done)
}

// TestKilledBetweenAckAndFold: what was acknowledged and not folded when the process died is folded by the next one, to the bits of one that folds one request after the other.
func TestKilledBetweenAckAndFold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, kill := lineApp(t, dir)
	var clusters []*scenario.Generator
	for i, name := range []string{"eu", "us", "as"} {
		g, err := scenario.New(scenario.Config{Seed: uint64(i + 1), Live: true, Cluster: name})
		if err != nil {
			t.Fatal(err)
		}
		clusters = append(clusters, g)
	}
	var body, scratch []byte
	minute := int64(0)
	send := func(minutes int64, wait bool) (sent int) {
		for range minutes {
			minute++
			for _, g := range clusters {
				for {
					r, ok := g.Next(g.Config().StartMs + minute*60_000)
					if !ok {
						break
					}
					r.Sender = g.Config().Cluster
					body, scratch = r.AppendBody(body[:0], scratch)
					folded := make(chan struct{})
					if err := give(t.Context(), a, r, body, func() { close(folded) }); err != nil {
						t.Fatal(err)
					}
					if sent++; wait { // the generator uses its memory again
						<-folded
					}
				}
			}
		}
		return sent
	}
	following := make(chan struct{})
	go func() {
		defer close(following)
		a.follow()
	}()
	sent := send(3, true)
	a.line.close()
	<-following
	if err := a.checkpoint(); err != nil {
		t.Fatal(err)
	}
	folded := a.engine.Pos()
	a.line.closed, a.line.items = false, newLine().items // nobody follows any more
	sent += send(1, false)
	if n := len(a.line.items); n == 0 || folded == 0 || int(folded)+n != sent {
		t.Fatalf("%d of %d requests were folded, %d wait", folded, sent, n)
	}
	kill()

	one, err := openApp(defaultConfig(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer one.close(false)
	if err := one.begin(a.salt); err != nil {
		t.Fatal(err)
	}
	foldJournal(t, one, filepath.Join(dir, "journal"))
	again, end := lineApp(t, dir)
	defer end()
	if err := again.replayJournal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if pos := again.engine.Pos(); pos != uint64(sent) {
		t.Errorf("folded up to %d of %d acknowledged requests", pos, sent)
	}
	n := 0
	want := map[string][]byte{}
	for name, write := range one.engine.Sections {
		want[name] = write(nil)
	}
	for name, write := range again.engine.Sections {
		n++
		if !bytes.Equal(write(nil), want[name]) {
			t.Errorf("section %s differs from that of a process that never died", name)
		}
	}
	if n != len(want) || n < 7 {
		t.Errorf("%d sections, want %d", n, len(want))
	}
	for id, data := range one.engine.Models {
		want[id] = bytes.Clone(data)
	}
	for id, data := range again.engine.Models {
		if !bytes.Equal(data, want[id]) {
			t.Errorf("model of %s differs", id)
		}
	}
}

// TestFullLineRefuses: a line without room is 503 before anything is journaled, and goes on once there is.
func TestFullLineRefuses(t *testing.T) {
	t.Parallel()
	a, kill := lineApp(t, t.TempDir())
	defer kill()
	a.line.wait = time.Millisecond
	g, err := scenario.New(scenario.Config{Seed: 1, Live: true})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := g.Next(g.Config().StartMs + 60_000)
	body, _ := r.AppendBody(nil, nil)
	large := ingest.Raw{Sender: r.Sender, ReceivedMs: r.ReceivedMs, Proto: ingest.V1, Encoding: ingest.Snappy, Body: body, Decoded: lineBytes}
	released := 0
	if err := a.Append(t.Context(), &large, &r.Batch, func() { released++ }); err != nil {
		t.Fatal(err)
	}
	pos := a.journal.Stats().LastPos
	if err := give(t.Context(), a, r, body, func() { released++ }); !errors.Is(err, ingest.ErrBusy) {
		t.Errorf("a full line: %v, want ErrBusy", err)
	}
	if got := a.journal.Stats().LastPos; got != pos || released != 1 {
		t.Errorf("the refused request is in the journal at %d, after %d; %d batches were given back, want 1", got, pos, released)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.follow()
	}()
	await(t, "there is room", func() bool { return a.line.held.Load() == 0 })
	if err := give(t.Context(), a, r, body, func() {}); err != nil {
		t.Errorf("once it is shorter: %v", err)
	}
	a.line.close()
	<-done
	if a.engine.Pos() != pos+1 {
		t.Errorf("folded up to %d, want %d", a.engine.Pos(), pos+1)
	}
	if err := give(t.Context(), a, r, body, func() {}); !errors.Is(err, ingest.ErrBusy) {
		t.Errorf("after the end: %v, want ErrBusy", err)
	}
}

// TestLostRequestsAreNoSilentBeginning: a journal that begins behind what checkpoints hold proves that something is gone. Nothing starts so, unless somebody says that it may.
func TestLostRequestsAreNoSilentBeginning(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	j.SkipTo(50)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); j.Run(ctx) }()
	g, err := scenario.New(scenario.Config{Seed: 1, Live: true})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := g.Next(g.Config().StartMs + 60_000)
	body, _ := r.AppendBody(nil, nil)
	if _, err := j.Append(journal.Record{ReceivedMs: r.ReceivedMs, Sender: r.Sender, Proto: uint8(ingest.V1), Encoding: uint8(ingest.Snappy), Body: body}); err != nil {
		t.Fatal(err)
	}
	stop()
	<-done
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if a, err := openApp(defaultConfig(), dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "--accept-loss") || !strings.Contains(err.Error(), "request 51") {
		t.Fatalf("%v, %v; want an error with the way out", a, err)
	}
	cfg := defaultConfig()
	cfg.acceptLoss = true
	a, err := openApp(cfg, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.close(false)
	if err := a.replayJournal(t.Context()); err != nil || a.engine.Pos() != 51 {
		t.Errorf("folded up to %d, %v", a.engine.Pos(), err)
	}
}

// What takes long leaves a processor to the door, and takes it once the line has become long.
func TestPatientTakesTheLastProcessor(t *testing.T) {
	all := runtime.GOMAXPROCS(0)
	if all == 1 {
		t.Skip("there is one processor: nothing is left to the door")
	}
	l := newLine()
	var under, most atomic.Int64
	count := func(i int) {
		most.Store(max(most.Load(), under.Add(1)))
		runtime.Gosched()
		under.Add(-1)
	}
	l.patient(4*all, count)
	if n := int(most.Load()); n > all-1 {
		t.Errorf("%d at a time while the line is short", n)
	}
	l.held.Store(lineBytes)
	together := make(chan struct{})
	var met atomic.Int64
	l.patient(all, func(int) { // ends only when all processors have come
		if int(met.Add(1)) == all {
			close(together)
		}
		<-together
	})
}
