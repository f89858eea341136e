package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
)

// freeAddress returns a loopback address that is free now, for a process that must come back at the same place.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestKillNineChangesNothing kills the program while a Prometheus pair writes, several times. Every sample must have been
// counted exactly once, and what has been learned, judged and decided must equal, byte by byte, what a process that never
// died makes of the same journal.
func TestKillNineChangesNothing(t *testing.T) {
	dir, addr := t.TempDir(), freeAddress(t)
	conf := file(t, "w.yml", "storage: {checkpoint_interval: 1s}\n")
	args := []string{"serve", "--config.file", conf, "--storage.path", dir, "--web.listen-address", addr}
	p := start(t, args...)
	p.awaitReady()
	// Checkpoints drop segments that are not needed any more. A segment is never dropped while it is written to, so links made
	// whenever no process runs keep the journal whole.
	whole := t.TempDir()
	archive := func() {
		segments, err := filepath.Glob(filepath.Join(dir, "journal", "*"))
		if err != nil || len(segments) == 0 {
			t.Fatalf("journal holds %v, %v", segments, err)
		}
		for _, s := range segments {
			if err := os.Link(s, filepath.Join(whole, filepath.Base(s))); err != nil && !errors.Is(err, os.ErrExist) {
				t.Fatal(err)
			}
		}
	}

	g, err := scenario.New(scenario.Config{Seed: 7, StartMs: time.Now().Add(-4 * time.Hour).UnixMilli(), Replicas: 2, Shards: 3})
	if err != nil {
		t.Fatal(err)
	}
	until := g.Config().StartMs + (4 * time.Hour).Milliseconds()
	var stats scenario.SendStats
	var sendErr error
	var sender sync.WaitGroup
	sender.Go(func() {
		stats, sendErr = scenario.Send(context.Background(), g, scenario.SendOptions{URL: "http://" + addr + "/api/v1/write", Speed: -1, UntilMs: until})
	})
	done := make(chan struct{})
	go func() { sender.Wait(); close(done) }()
	kills := 0
	for alive := true; alive; {
		select {
		case <-done:
			alive = false
		case <-time.After(700 * time.Millisecond):
			if kills < 3 {
				kills++
				p.kill()
				archive()
				p = start(t, args...)
			}
		}
	}
	if sendErr != nil || stats.Lost > 0 || stats.Refused > 0 {
		t.Fatalf("sender: %v; lost %d, refused %d", sendErr, stats.Lost, stats.Refused)
	}
	if kills == 0 {
		t.Fatal("the load was over before the first kill")
	}
	t.Logf("%d samples acknowledged over %d kills, %d retries", stats.Acked, kills, stats.Retries)
	p.awaitReady()
	p.stop()
	archive()

	// What the process left behind …
	s, err := store.Open(filepath.Join(dir, "wrackline.db"), store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	left, ok, err := s.Load()
	if err != nil || !ok {
		t.Fatalf("load checkpoint: %v, %v", ok, err)
	}
	// … and what its journal makes of an engine that never died.
	cfg, err := loadConfig(conf)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	a, err := openApp(cfg, t.TempDir(), log)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close(false)
	j, err := journal.Open(whole, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if first := j.Stats().FirstPos; first != 1 {
		t.Fatalf("the journal begins at %d; the test wants it whole", first)
	}
	d := ingest.NewDecoder(cfg.limits())
	var samples int64
	if err := j.Replay(0, func(pos uint64, r journal.Record) error {
		var b series.Batch
		if _, err := d.Decode(ingest.Proto(r.Proto), ingest.Encoding(r.Encoding), r.Body, &b); err != nil {
			return err
		}
		b.Sender, b.Cluster, b.ReceivedMs = r.Sender, r.Cluster, r.ReceivedMs
		samples += int64(len(b.Samples))
		a.engine.Apply(&b, pos)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	// More than was acknowledged is right: a request may have been journaled by a process that died before it could answer.
	if again := samples - stats.Acked; again < 0 || again > 2000*stats.Retries {
		t.Errorf("%d samples were acknowledged over %d retries, the journal holds %d", stats.Acked, stats.Retries, samples)
	}
	n := 0
	want := map[string][]byte{}
	for id, data := range a.engine.Models {
		want[id] = bytes.Clone(data)
	}
	for id, data := range left.Models {
		n++
		if !bytes.Equal(data, want[id]) {
			t.Errorf("model of %s differs from that of a process that never died", id)
		}
	}
	if n != len(want) || n < 500 {
		t.Errorf("%d models, want %d", n, len(want))
	}
	for name, data := range map[string][]byte{
		sectionStream: a.engine.AppendStream(nil), sectionVerdicts: a.engine.AppendView(nil), sectionAlerting: a.manager.AppendState(nil),
	} {
		if !bytes.Equal(left.Sections[name], data) {
			t.Errorf("section %s differs from that of a process that never died (%d and %d bytes)", name, len(left.Sections[name]), len(data))
		}
	}
}

// hook is a webhook receiver that counts what it gets by incident and reason.
type hook struct {
	*httptest.Server
	mu  sync.Mutex
	got map[string]map[string]int // incident → reason → distinct messages
	ids map[string]bool
}

func newHook(t *testing.T) *hook {
	h := &hook{got: map[string]map[string]int{}, ids: map[string]bool{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var p webhookPayload
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil || len(p.Alerts) == 0 {
			t.Errorf("webhook got %v, %d alerts", err, len(p.Alerts))
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		inc := p.Alerts[0].Annotations["incident"]
		if h.got[inc] == nil {
			h.got[inc] = map[string]int{}
		}
		h.got[inc][demoReason(p.NotificationReason)]++
		h.ids[r.Header.Get("webhook-id")] = true
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) count(incident, reason string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.got[incident][reason]
}

// apiIncident is what the tests read of /api/v1/incidents.
type apiIncident struct {
	ID         string `json:"id"`
	Resolved   int64  `json:"resolved"` // Unix ms; 0 while open
	FirstMover string `json:"first_mover"`
}

// TestKillNineAnnouncesOnce kills the demo while an incident is open. The program that comes back must know the same incident
// as open and must not announce it again.
func TestKillNineAnnouncesOnce(t *testing.T) {
	h := newHook(t)
	dir := filepath.Join(t.TempDir(), "demo")
	conf := file(t, "w.yml", "receivers: [{name: test, webhook_configs: [{url: '"+h.URL+"'}]}]\nstorage: {checkpoint_interval: 2s}\n")
	p := start(t, "demo", "--config.file", conf, "--storage.path", dir, "--web.listen-address", "127.0.0.1:0",
		"--history", demoTestHistory(), "--speed", "30", "--fault", "coredns_blackhole@1m+60m")
	var incident string
	await(t, "an incident is announced", 90*time.Second, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		for id, by := range h.got {
			if by["first"] > 0 {
				incident = id
			}
		}
		return incident != ""
	})
	p.kill()

	p = start(t, "serve", "--config.file", conf, "--storage.path", dir, "--web.listen-address", "127.0.0.1:0")
	p.awaitReady()
	var list struct {
		Data struct {
			Incidents []apiIncident `json:"incidents"`
		} `json:"data"`
	}
	p.json("/api/v1/incidents", &list)
	found := false
	for _, i := range list.Data.Incidents {
		if i.ID == incident {
			found = true
			if i.Resolved != 0 {
				t.Errorf("incident %s is resolved after the restart", incident)
			}
		}
	}
	if !found {
		t.Errorf("incident %s is not known after the restart: %+v", incident, list.Data.Incidents)
	}
	p.stop() // drains what the outbox would send
	if n := h.count(incident, "first"); n != 1 {
		t.Errorf("incident %s was announced %d times", incident, n)
	}
}
