package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
)

// killer is a transport that asks for a kill -9 whenever so many more requests were acknowledged; the request of the last one waits until
// it is heard, so that others are always under way.
type killer struct {
	http.RoundTripper
	every int64
	acked atomic.Int64
	now   chan struct{}
}

func (k *killer) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := k.RoundTripper.RoundTrip(r)
	if err == nil && resp.StatusCode/100 == 2 && k.acked.Add(1)%k.every == 0 {
		select {
		case k.now <- struct{}{}:
		case <-r.Context().Done():
		}
	}
	return resp, err
}

// archiveJournal links every segment of dir's journal into whole. Checkpoints drop segments that are not needed any more. A segment
// is never dropped while it is written to, so links made whenever no process runs keep the journal whole.
func archiveJournal(t *testing.T, dir, whole string) {
	t.Helper()
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

// betweenKills is how many requests are acknowledged between two kills; an hour of the load has about requestsOfHour.
const betweenKills, requestsOfHour = 30, 330

// writeThroughKills lets a Prometheus pair write to the program at addr, which args start, and kills that so many times meanwhile.
// It returns what became of the samples. The program has ended in good order then.
func writeThroughKills(t *testing.T, addr string, args []string, most int, killed func()) scenario.SendStats {
	t.Helper()
	p := start(t, args...)
	p.awaitReady()
	long := time.Duration((most+1)*betweenKills/requestsOfHour+2) * time.Hour
	g, err := scenario.New(scenario.Config{Seed: 7, StartMs: time.Now().Add(-long).UnixMilli(), Replicas: 2, Shards: 3})
	if err != nil {
		t.Fatal(err)
	}
	k := &killer{RoundTripper: http.DefaultTransport, every: betweenKills, now: make(chan struct{})}
	var stats scenario.SendStats
	var sendErr error
	done := make(chan struct{})
	go func() {
		defer close(done)
		stats, sendErr = scenario.Send(t.Context(), g, scenario.SendOptions{URL: "http://" + addr + "/api/v1/write", Speed: -1,
			UntilMs: g.Config().StartMs + long.Milliseconds(), RetryFor: patience, Client: &http.Client{Transport: k}})
	}()
	kills := 0
	for alive := true; alive; {
		select {
		case <-done:
			alive = false
		case <-k.now:
			if kills < most {
				kills++
				p.kill()
				killed()
				p = start(t, args...)
			}
		}
	}
	if sendErr != nil || stats.Lost > 0 || stats.Refused > 0 {
		t.Fatalf("sender: %v; lost %d, refused %d", sendErr, stats.Lost, stats.Refused)
	}
	if kills < most {
		t.Fatalf("the load was over after %d requests and %d kills", k.acked.Load(), kills)
	}
	t.Logf("%d samples in %d requests acknowledged over %d kills, %d retries; an hour has %d requests", stats.Acked, stats.AckedRequests, kills, stats.Retries, stats.AckedRequests/int64(long.Hours()))
	p.awaitReady()
	p.stop()
	killed()
	return stats
}

// foldJournal folds the journal in dir from its beginning into a and returns how many samples it holds.
func foldJournal(t *testing.T, a *app, dir string) (samples int64) {
	t.Helper()
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if first := j.Stats().FirstPos; first != 1 {
		t.Fatalf("the journal begins at %d; the test wants it whole", first)
	}
	d := ingest.NewKeyedDecoder(a.cfg.Load().limits(), a.keyer)
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
	return samples
}

// TestKillNineChangesNothing kills the program while a Prometheus pair writes, several times. Every sample must have been
// counted exactly once, and what has been learned, judged and decided must equal, byte by byte, what a process that never
// died makes of the same journal.
func TestKillNineChangesNothing(t *testing.T) {
	t.Parallel()
	kills, _ := torture(t, 20)
	dir, whole, addr := t.TempDir(), t.TempDir(), freeAddress(t)
	conf := file(t, "w.yml", "storage: {checkpoint_interval: 1s}\n")
	args := []string{"serve", "--config.file", conf, "--storage.path", dir, "--web.listen-address", addr}
	stats := writeThroughKills(t, addr, args, kills, func() { archiveJournal(t, dir, whole) })

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
	a, err := openApp(cfg, t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.close(false)
	salt, err := readSalt(left.Sections[sectionSalt])
	if err != nil || left.Sections[sectionSalt] == nil {
		t.Fatalf("no salt: %v", err)
	}
	if err := a.begin(salt); err != nil {
		t.Fatal(err)
	}
	samples := foldJournal(t, a, whole)
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
	sections := map[string][]byte{sectionAlerting: a.manager.AppendState(nil)}
	for name, write := range a.engine.Sections {
		sections[name] = write(nil)
	}
	if len(left.Sections) < len(sections) {
		t.Errorf("%d sections, want %d", len(left.Sections), len(sections))
	}
	for name, data := range sections {
		if !bytes.Equal(left.Sections[name], data) {
			t.Errorf("section %s differs from that of a process that never died (%d and %d bytes)", name, len(left.Sections[name]), len(data))
		}
	}
}

// hook is a webhook receiver that remembers the ids of what it got, by incident and reason. One that comes twice is there twice.
type hook struct {
	*httptest.Server
	mu  sync.Mutex
	got map[string]map[string][]string // incident → reason → ids
	all int                            // requests
}

func newHook(t *testing.T) *hook {
	h := &hook{got: map[string]map[string][]string{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var p webhookPayload
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil || len(p.Alerts) == 0 {
			t.Errorf("webhook got %v, %d alerts", err, len(p.Alerts))
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		inc, reason := p.Alerts[0].Annotations["incident"], demoReason(p.NotificationReason)
		if h.got[inc] == nil {
			h.got[inc] = map[string][]string{}
		}
		h.got[inc][reason] = append(h.got[inc][reason], r.Header.Get("webhook-id"))
		h.all++
	}))
	t.Cleanup(h.Close)
	return h
}

// announced returns an incident that was announced, "" when none was, and how many requests came until now.
func (h *hook) announced() (incident string, all int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, by := range h.got {
		if len(by["first"]) > 0 {
			incident = id
		}
	}
	return incident, h.all
}

func (h *hook) ids(incident, reason string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.got[incident][reason])
}

// apiIncident is what the tests read of /api/v1/incidents.
type apiIncident struct {
	ID         string `json:"id"`
	Resolved   int64  `json:"resolved"` // Unix ms; 0 while open
	FirstMover string `json:"first_mover"`
}

// queued returns how many messages wait for receivers.
func (p *process) queued() (n int) {
	p.t.Helper()
	var status struct {
		Data struct {
			Receivers struct {
				Receivers []struct {
					Queued int `json:"queued"`
				} `json:"receivers"`
			} `json:"receivers"`
		} `json:"data"`
	}
	p.json("/api/v1/status", &status)
	for _, r := range status.Data.Receivers.Receivers {
		n += r.Queued
	}
	return n
}

// TestKillNineAnnouncesOnce kills the demo while an incident is open. The program that comes back must know the same incident
// as open and must not announce it again. The kill waits until the outbox has recorded what was delivered: a message whose delivery is
// not on disk yet is rightly sent again with its id (alerting/notify holds that, killing at any moment).
func TestKillNineAnnouncesOnce(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	dir := filepath.Join(t.TempDir(), "demo")
	conf := file(t, "w.yml", "receivers: [{name: test, webhook_configs: [{url: '"+h.URL+"'}]}]\nstorage: {checkpoint_interval: 2s}\n")
	p := start(t, "demo", "--config.file", conf, "--storage.path", dir, "--web.listen-address", "127.0.0.1:0",
		"--history", "30h", "--speed", "30", "--fault", "coredns_blackhole@1m+60m")
	var incident string
	await(t, "an incident is announced, and that is recorded", func() bool {
		var all int
		incident, all = h.announced()
		return incident != "" && p.metric(`wrackline_notify_messages_sent_total{integration="test/webhook/0"}`) >= float64(all)
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
	await(t, "the outbox is empty", func() bool { return p.queued() == 0 })
	p.stop()
	if ids := h.ids(incident, "first"); len(ids) != 1 {
		t.Errorf("incident %s was announced by %v", incident, ids)
	}
}
