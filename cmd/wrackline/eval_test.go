package main

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files anew")

// TestScenarios is the score sheet: what eval --scenarios prints is kept, so that every change of quality is a visible diff.
// Run go test -tags nomsgpack -run TestScenarios ./cmd/wrackline -update to accept one.
func TestScenarios(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("takes a minute of CPU time, ten under the race detector; one goroutine, so there is nothing to find")
	}
	t.Parallel()
	code, out, errs := run(t, "eval", "--scenarios")
	if code != exitOK {
		t.Fatalf("code %d: %s", code, errs)
	}
	file := filepath.Join("testdata", "scenarios.golden")
	if *update {
		if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out != string(want) {
		t.Errorf("the score sheet has changed:\n%s\nit was:\n%s", out, want)
	}
}

// TestReplayOfRecordingFindsItsFault walks the path of a script: record a cluster with a fault, replay it, read the incident.
// Both run twice and must say the same.
func TestReplayOfRecordingFindsItsFault(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rec, truth := filepath.Join(dir, "c.rec"), filepath.Join(dir, "truth.jsonl")
	var sheets [2]string
	for i := range sheets {
		code, _, errs := run(t, "simulate", "--history", "--duration", "10h", "--seed", "3", "--fault", "coredns_overload@8h", "--out", rec, "--truth", truth)
		if code != exitOK {
			t.Fatalf("simulate: code %d: %s", code, errs)
		}
		code, out, errs := run(t, "replay", rec)
		if code != exitOK {
			t.Fatalf("replay: code %d: %s", code, errs)
		}
		sheets[i] = out
	}
	if sheets[0] != sheets[1] {
		t.Errorf("two replays differ:\n%s\n%s", sheets[0], sheets[1])
	}
	if !strings.Contains(sheets[0], "dns.servfail_ratio") {
		t.Errorf("no incident names dns.servfail_ratio:\n%s", sheets[0])
	}
	if b, err := os.ReadFile(truth); err != nil || !strings.Contains(string(b), `"kind":"coredns_overload"`) {
		t.Errorf("truth: %v, %s", err, b)
	}
	testMessagesOf(t, rec, sheets[0])
	if code, _, errs := run(t, "replay", file(t, "x.rec", "not a recording")); code != exitFailure || !strings.Contains(errs, "neither a recording") {
		t.Errorf("replay of something else: code %d, %s", code, errs)
	}
}

// TestReplayCSV holds the contract that scripts and judges rely on.
func TestReplayCSV(t *testing.T) {
	var b strings.Builder
	b.WriteString("timestamp,value,label\n")
	for i := range 3 * 1440 {
		v := "10." + string(rune('0'+i*7%10))
		if i >= 3*1440-30 {
			v = "90"
		}
		b.WriteString(strconv.Itoa(1_700_000_040+60*i) + "," + v + ",0\n")
	}
	in, out := file(t, "cpu.csv", b.String()), t.TempDir()
	if code, _, errs := run(t, "replay", "--out", out, in); code != exitOK {
		t.Fatalf("code %d: %s", code, errs)
	}
	got, err := os.ReadFile(filepath.Join(out, "cpu.csv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(got)), "\n")
	if lines[0] != "timestamp,value,expected,lower,upper,score,alert,state,news" || len(lines) != 3*1440+1 {
		t.Fatalf("%d lines, header %q", len(lines), lines[0])
	}
	if f := strings.Split(lines[len(lines)-1], ","); f[6] != "1" || f[7] != "high" {
		t.Errorf("after half an hour at nine times the level: %s", lines[len(lines)-1])
	}
	if f := strings.Split(lines[2*1440], ","); f[6] != "0" {
		t.Errorf("on a quiet day: %s", lines[2*1440])
	}
}
