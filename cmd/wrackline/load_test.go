package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest"
)

// sink is a receiver that counts what comes: samples by sender, and clusters in their labels.
type sink struct {
	mu       sync.Mutex
	samples  map[string]int
	clusters map[string]bool
	asked    int // names that packs ask for
	busy     int // requests that are sent away first
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.URL.Path {
	case "/metrics":
		fmt.Fprint(w, "process_cpu_seconds_total 1.5\nprocess_resident_memory_bytes 1e6\nwrackline_signals 7\n")
		return
	case "/api/v1/status":
		return
	}
	if s.busy > 0 {
		s.busy--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var b series.Batch
	if _, err := ingest.NewDecoder(ingest.Limits{}).Decode(ingest.V1, ingest.Snappy, body, &b); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.samples[r.URL.Query().Get("sender")] += len(b.Samples)
	for i := range b.Entries {
		l, err := b.Labels.AppendLabels(nil, i)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.clusters[l.Get("cluster")] = true
		if l.Get(series.NameLabel) == "container_cpu_usage_seconds_total" {
			s.asked++
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

func newSink(t *testing.T) (*sink, string) {
	s := &sink{samples: map[string]int{}, clusters: map[string]bool{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return s, srv.URL + "/api/v1/write"
}

// TestLoadSendsWhatItSays holds that the load is spread over clusters with senders of their own, quiet first, and that its report says what came of it.
func TestLoadSendsWhatItSays(t *testing.T) {
	s, url := newSink(t)
	s.busy = 3
	code, out, errs := run(t, "load", "--url", url, "--series", "3000", "--clusters", "3", "--alive", "300", "--rounds", "2", "--request-max", "400",
		"--compare-quiet", "--probe", "100ms")
	if code != exitOK {
		t.Fatalf("code %d: %s", code, errs)
	}
	for _, name := range []string{"load-001", "load-003", "quiet-001", "quiet-003"} {
		if s.samples[name] != 3000 || !s.clusters[name] {
			t.Errorf("%s: %d samples in three rounds of 1000 series, cluster seen %v", name, s.samples[name], s.clusters[name])
		}
	}
	if len(s.samples) != 6 || s.asked == 0 {
		t.Errorf("%d senders, %d samples of a name that packs ask for", len(s.samples), s.asked)
	}
	for _, want := range []string{"quiet cold", "steady", "p99.9", "errors 503 ×3", "errors none", "times as long", "7 signals", "GET /metrics", "GET /api/v1/status"} {
		if !strings.Contains(out, want) {
			t.Errorf("the report does not say %q:\n%s", want, out)
		}
	}
}

// TestLoadKeepsToItsPace holds that the rounds take at least as long as they say, and that samples do not come from the future.
func TestLoadKeepsToItsPace(t *testing.T) {
	s, url := newSink(t)
	begun := time.Now()
	if code, _, errs := run(t, "load", "--url", url, "--series", "100", "--rounds", "2", "--interval", "5s", "--speed", "50", "--request-max", "10"); code != exitOK {
		t.Fatal(errs)
	}
	if took := time.Since(begun); took < 190*time.Millisecond {
		t.Errorf("two rounds of 5 s at 50 times the speed took %s", took)
	}
	if s.samples["load-001"] != 300 {
		t.Errorf("%d samples", s.samples["load-001"])
	}
}

// TestLoadIsBounded holds that a slip of the finger reaches nobody else and breaks nothing.
func TestLoadIsBounded(t *testing.T) {
	const url = "http://127.0.0.1:1/api/v1/write"
	for _, c := range []struct {
		what string
		args []string
		want string
	}{
		{"another machine", []string{"--url", "http://192.0.2.1:9099/api/v1/write"}, "loopback"},
		{"metrics of another machine", []string{"--url", url, "--metrics-url", "http://192.0.2.1/metrics"}, "loopback"},
		{"no receiver", nil, "--url"},
		{"too many series", []string{"--url", url, "--series", "3000000"}, "2000000"},
		{"more clusters than series", []string{"--url", url, "--series", "5", "--clusters", "6"}, "clusters"},
		{"a negative speed", []string{"--url", url, "--speed", "-1"}, "speed"},
		{"an interval of nothing", []string{"--url", url, "--interval", "1ms"}, "interval"},
	} {
		if code, _, errs := run(t, append([]string{"load"}, c.args...)...); code != exitUsage || !strings.Contains(errs, c.want) {
			t.Errorf("%s: code %d, %q", c.what, code, errs)
		}
	}
	_, receiver := newSink(t)
	if code, _, errs := run(t, "load", "--url", receiver, "--series", "1000", "--alive", "1000"); code != exitUsage || !strings.Contains(errs, "--series") {
		t.Errorf("more signals than the series give: code %d, %q", code, errs)
	}
}

// TestLoadSaysWhatWasRefused holds that a receiver that refuses makes it fail.
func TestLoadSaysWhatWasRefused(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			fmt.Fprint(w, "process_cpu_seconds_total 1\nprocess_resident_memory_bytes 1\n")
			return
		}
		http.Error(w, "not today", http.StatusForbidden)
	}))
	defer srv.Close()
	code, out, errs := run(t, "load", "--url", srv.URL, "--series", "10", "--rounds", "1")
	if code != exitFailure || !strings.Contains(errs, "20 samples were not taken: 403: not today") || !strings.Contains(out, "errors 403 ×1") {
		t.Errorf("code %d, %q, %q", code, out, errs)
	}
}
