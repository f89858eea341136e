package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wrackline/wrackline/baseline/scenario"
)

const loadHelp = `Sends a bounded remote-write load to a receiver on this machine and says what it cost: CPU seconds per million samples (cold =
the first sample of every series, steady = known series), latency, bytes a series. The receiver may be any that takes
remote write 1.0; its CPU time comes from its own /metrics, or from the system with --pid.

It sends a simulated cluster that calls itself wrackline-load. The receiver will learn it: use one that you can throw away.

  wrackline load --url http://localhost:9099/api/v1/write
  wrackline load --url http://localhost:9099/api/v1/write --series 100000 --rounds 20 --shards 8
`

// The most that load sends, so that a slip of the finger is no denial of service.
const (
	loadSeriesMax = 2_000_000
	loadRoundsMax = 1_000
	loadTimeMax   = 30 * time.Minute
)

func runLoad(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "load")
	target := fs.String("url", "", "remote-write `URL`")
	token := fs.String("token", "", "bearer `token`")
	seriesN := fs.Int("series", 20_000, "how many series, at most 2000000")
	rounds := fs.Int("rounds", 10, "how many samples of each series after the first, at most 1000")
	shards := fs.Int("shards", 4, "requests at once, 1 to 64")
	metricsURL := fs.String("metrics-url", "", "`URL` of the receiver's metrics; default /metrics of the same host")
	pid := fs.Int("pid", 0, "process id of the receiver, to read its CPU time and memory from the system instead")
	if err := parse(e, fs, args); err != nil {
		return err
	}
	u, err := url.Parse(*target)
	switch {
	case *target == "" || err != nil || u.Host == "":
		return usagef("name the receiver with --url")
	case *seriesN < 1 || *seriesN > loadSeriesMax || *rounds < 1 || *rounds > loadRoundsMax || *shards < 1 || *shards > 64:
		return usagef("want 1 to %d series, 1 to %d rounds, 1 to 64 shards", loadSeriesMax, loadRoundsMax)
	}
	if *metricsURL == "" {
		m := *u
		m.Path, m.RawQuery = "/metrics", ""
		*metricsURL = m.String()
	}
	read := func() (consumed, error) {
		if *pid > 0 {
			return usageOfProcess(*pid)
		}
		return usageOfMetrics(ctx, *metricsURL)
	}
	ctx, cancel := context.WithTimeout(ctx, loadTimeMax)
	defer cancel()
	span := time.Duration(*rounds+1) * time.Minute
	cfg := scenario.Config{Seed: 1, StartMs: time.Now().Add(-span).UnixMilli(), Shards: *shards, Quiet: true, Cluster: "wrackline-load"}
	if cfg, err = scenario.ScaleTo(cfg, float64(*seriesN)/60); err != nil {
		return err
	}
	g, err := scenario.New(cfg)
	if err != nil {
		return err
	}
	start := g.Config().StartMs
	before, err := read()
	if err != nil {
		return fmt.Errorf("receiver's CPU time: %w (name it with --pid, or its metrics with --metrics-url)", err)
	}
	phase := func(name string, until int64, from consumed) (consumed, error) {
		s, err := scenario.Send(ctx, g, scenario.SendOptions{URL: *target, Token: *token, Speed: -1, UntilMs: until,
			Progress: func(s scenario.SendStats) { printSend(e.stderr, s) }})
		if err != nil {
			return from, err
		}
		now, err := read()
		if err != nil {
			return from, err
		}
		cpu := now.cpu - from.cpu
		fmt.Fprintf(e.stdout, "%-6s  %9d samples  %6.3f CPU-s per million samples  %7.0f samples/s  latency mean %s max %s  %5.1f B/sample on the wire\n",
			name, s.Acked, cpu/float64(max(s.Acked, 1))*1e6, float64(s.Acked)/s.Elapsed.Seconds(), s.LatencyMean.Round(10*time.Microsecond),
			s.LatencyMax.Round(10*time.Microsecond), float64(s.Bytes)/float64(max(s.Acked, 1)))
		return now, nil
	}
	at := before
	if at, err = phase("cold", start+60_000, at); err != nil {
		return err
	}
	if at, err = phase("steady", start+span.Milliseconds(), at); err != nil {
		return err
	}
	n := g.Stats().Series
	fmt.Fprintf(e.stdout, "%d series; resident memory grew by %.0f MiB: %.0f B a series\n", n, (at.rss-before.rss)/(1<<20), (at.rss-before.rss)/float64(max(n, 1)))
	return nil
}

// consumed is what a process has used: CPU seconds, resident bytes.
type consumed struct{ cpu, rss float64 }

func usageOfMetrics(ctx context.Context, target string) (u consumed, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return u, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return u, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return u, fmt.Errorf("%s answers %s", target, resp.Status)
	}
	found := 0
	sc := bufio.NewScanner(io.LimitReader(resp.Body, 64<<20))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		name, value, _ := strings.Cut(sc.Text(), " ")
		var into *float64
		switch name {
		case "process_cpu_seconds_total":
			into = &u.cpu
		case "process_resident_memory_bytes":
			into = &u.rss
		default:
			continue
		}
		if *into, err = strconv.ParseFloat(strings.TrimSpace(value), 64); err != nil {
			return u, err
		}
		found++
	}
	if err := sc.Err(); err != nil {
		return u, err
	}
	if found < 2 {
		return u, fmt.Errorf("%s has no process_cpu_seconds_total and process_resident_memory_bytes", target)
	}
	return u, nil
}

// usageOfProcess reads Linux' /proc; clock ticks are hundredths of a second on every platform that Go runs on.
func usageOfProcess(pid int) (u consumed, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	_, rest, ok := strings.Cut(string(b), ") ") // the command's name may hold spaces
	f := strings.Fields(rest)
	if !ok || len(f) < 22 {
		return u, fmt.Errorf("/proc/%d/stat has an unknown form", pid)
	}
	user, err1 := strconv.ParseFloat(f[11], 64)
	sys, err2 := strconv.ParseFloat(f[12], 64)
	pages, err3 := strconv.ParseFloat(f[21], 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return u, fmt.Errorf("/proc/%d/stat has an unknown form", pid)
	}
	return consumed{cpu: (user + sys) / 100, rss: pages * float64(os.Getpagesize())}, nil
}
