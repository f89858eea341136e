//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// The load's clock runs twice as fast as life, and so do the checkpoints: what is measured is CPU and memory a sample, not a second. A machine that
// cannot follow makes more checkpoints a sample than are meant; "behind" in what load prints says so.
const (
	scaleSpeed  = 2
	scaleConf   = "storage: {checkpoint_interval: 150s}\n" // five minutes of its clock, as it is when nobody says otherwise
	latencyConf = "storage: {checkpoint_interval: 30s}\n"  // so that there are some in the run

	processClusters = 8 // as many as people have; what sixty cost is the part "window"
)

// loadRun runs load against a process, in this process, and returns what it printed.
func loadRun(t *testing.T, p *process, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"load", "--url", p.url + "/api/v1/write", "--pid", strconv.Itoa(p.cmd.Process.Pid), "--probe", "2s"}, args...)
	if code := mainCode(t.Context(), env{stdout: &out, stderr: &errs}, args); code != exitOK {
		t.Fatalf("load: code %d: %s\n%s", code, tail(errs.String(), 2000), out.String())
	}
	t.Logf("load %v:\n%s", args[7:], out.String())
	return out.String()
}

// find returns the first group of a pattern in what load printed.
func find(t *testing.T, out, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)` + pattern).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("load did not print %s:\n%s", pattern, out)
	}
	return m[1]
}

// scaleProcess is the program itself with 56,000 signals of 460,000 series in eight clusters, 16,400 samples a second of its clock and a checkpoint
// each five minutes of it: CPU a sample with everything, memory, pages meanwhile, and the start after a kill -9.
func scaleProcess(t *testing.T) []row {
	dir, addr := t.TempDir(), freeAddress(t)
	args := []string{"serve", "--config.file", file(t, "w.yml", scaleConf), "--storage.path", dir, "--web.listen-address", addr}
	p := start(t, args...)
	p.awaitReady()
	// Eleven minutes of its clock, of which the first six are not counted: signals begin, and the first checkpoint finds out how large it is.
	out := loadRun(t, p, "--series", fmt.Sprint(scaleSeries), "--alive", fmt.Sprint(scaleSignals), "--clusters", fmt.Sprint(processClusters),
		"--interval", "28s", "--speed", fmt.Sprint(scaleSpeed), "--warm", "12", "--rounds", "11", "--shards", "16", "--request-max", "2000")
	held := p.metricLine("wrackline_checkpoint_fold_held_seconds{quantile=\"1\"}")
	stored := bytesOf(t, filepath.Join(dir, "wrackline.db"))
	journaled := bytesOf(t, filepath.Join(dir, "journal"))
	p.kill()
	// A minute of samples that no checkpoint holds, of every series: the most that a kill -9 leaves behind.
	args[2] = file(t, "rare.yml", "storage: {checkpoint_interval: 1h}\n")
	p = start(t, args...)
	p.awaitReady()
	loadRun(t, p, "--series", fmt.Sprint(scaleSeries), "--alive", fmt.Sprint(scaleSignals), "--clusters", fmt.Sprint(processClusters),
		"--interval", "28s", "--rounds", "1", "--shards", "16")
	p.kill()
	again := start(t, args...)
	again.awaitReady()
	u, err := usageOfProcess(again.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	signals := find(t, out, `; (\d+) signals`)
	t.Logf("%s signals; store %d MB, journal %d MB; fold held at most %s s (wall) by a checkpoint", signals, stored>>20, journaled>>20, held)
	t.Log("after kill -9:", tail(again.log(), 1200))
	return []row{
		{"all-in CPU-s per million samples, " + signals + " signals in 8 clusters, checkpoint each 5 minutes", "5.4", "≤ 1.0", find(t, out, `^steady .*?([\d.]+) CPU-s`)},
		{"resident memory a raw series", "4.2 kB", "≤ 1.5 kB", find(t, out, `: (\d+ B) a series`)},
		{"resident memory", "1.9 GB", "≤ 700 MB", find(t, out, `to (\d+ MiB):`)},
		{"`GET /metrics` p99 / longest", "12–15 s", "≤ 50 ms", find(t, out, `GET /metrics .*p99 (\S+) `) + " / " + find(t, out, `GET /metrics .*max (\S+)`)},
		{"`GET /api/v1/status` p99 / longest", "12–15 s", "≤ 50 ms", find(t, out, `GET /api/v1/status .*p99 (\S+) `) + " / " + find(t, out, `GET /api/v1/status .*max (\S+)`)},
		{"restart after kill -9, 920,000 samples in the journal, CPU-s until ready", "15.4", "≤ 5", fmt.Sprintf("%.1f (%.0f MiB resident then)", u.cpu, u.rss/(1<<20))},
	}
}

// scaleLatency is the acknowledgement of the same load without and with 50,000 signals, checkpoints and window closes in the run. Requests are small,
// so that there are enough of them for a thousandth; of 55,000 signals some need longer to begin than the run takes.
func scaleLatency(t *testing.T) []row {
	p := start(t, "serve", "--config.file", file(t, "w.yml", latencyConf), "--storage.path", t.TempDir(), "--web.listen-address", freeAddress(t))
	p.awaitReady()
	out := loadRun(t, p, "--series", "200000", "--alive", "55000", "--clusters", fmt.Sprint(processClusters), "--interval", "30s", "--speed", fmt.Sprint(scaleSpeed), "--warm", "6", "--rounds", "8",
		"--shards", "16", "--request-max", "500", "--compare-quiet")
	with, without := find(t, out, `p99.9 of acknowledgements: (\S+) with`), find(t, out, `signals, (\S+) without`)
	return []row{{"ack p99.9 with " + find(t, out, `(?s:.*); (\d+) signals`) + " signals in 8 clusters against the same load without", "–", "≤ 3×",
		fmt.Sprintf("%s× (%s, %s)", find(t, out, `without: ([\d.]+) times`), with, without)}}
}

// metricLine returns the value of a metric with labels, as /metrics has it; "none" when it is not there.
func (p *process) metricLine(name string) string {
	for _, line := range bytes.Split([]byte(p.get("/metrics")), []byte("\n")) {
		if rest, ok := bytes.CutPrefix(line, []byte(name+" ")); ok {
			return string(rest)
		}
	}
	return "none"
}

// bytesOf returns how large a file, or all of a directory, is.
func bytesOf(t *testing.T, path string) (n int64) {
	t.Helper()
	err := filepath.Walk(path, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil // a segment may be dropped meanwhile
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
