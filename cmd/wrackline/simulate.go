package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/wrackline/wrackline/baseline/scenario"
)

var simulateHelp = `Plays a simulated Kubernetes cluster that a Prometheus watches, and sends it by remote write, or records it.
The same flags give the same samples. Faults carry ground truth (what must, may and must not be found).

  wrackline simulate --url http://localhost:9099/api/v1/write                       live, real time, until Ctrl-C
  wrackline simulate --url … --rate 20000 --duration 2m                             a cluster grown to 20,000 samples/s
  wrackline simulate --out cluster.rec --duration 24h --fault rbac_403@20h --truth truth.jsonl
                                                                                    a recording for wrackline replay
Faults, written kind@offset or kind@offset+duration, the offset counted from the start of the simulation:
  ` + faultNames()

// faultNames lists the library, four a line.
func faultNames() (out string) {
	for i, k := range scenario.Kinds() {
		if i > 0 {
			out += map[bool]string{true: ",\n  ", false: ", "}[i%4 == 0]
		}
		out += string(k)
	}
	return out + "\n"
}

// simulateFlags are the flags of simulate.
type simulateFlags struct {
	url, token, out, truth, profile, start, cluster string
	seed                                            uint64
	speed, rate                                     float64
	duration                                        time.Duration
	replicas, shards                                int
	history, quiet                                  bool
	faults                                          faultFlags
}

func addSimulateFlags(fs *flag.FlagSet) *simulateFlags {
	f := &simulateFlags{}
	fs.StringVar(&f.url, "url", "", "remote-write `URL` to send to")
	fs.StringVar(&f.token, "token", "", "bearer `token` for the URL")
	fs.StringVar(&f.out, "out", "", "recording `file` to write; - is standard output")
	fs.StringVar(&f.truth, "truth", "", "ground-truth `file` to write, JSON lines")
	fs.StringVar(&f.profile, "profile", "small", "size of the cluster: small (3 nodes, 40 workloads), medium (50, 600) or large (500, 3000)")
	fs.Uint64Var(&f.seed, "seed", 1, "seed; the same seed gives the same cluster")
	fs.Float64Var(&f.speed, "speed", 1, "simulated seconds a second when sending; 0 = as fast as the receiver takes it")
	fs.DurationVar(&f.duration, "duration", 0, "how much is simulated; 0 = until interrupted, or 24h for a recording")
	fs.StringVar(&f.start, "start", "", "first scrape, RFC 3339 or Unix `time`; default now when sending live, else 2026-03-02T00:00:00Z")
	fs.BoolVar(&f.history, "history", false, "scrape every minute instead of every 15 to 30 s")
	fs.Float64Var(&f.rate, "rate", 0, "grow the cluster until it sends so many samples/s at speed 1")
	fs.IntVar(&f.replicas, "replicas", 1, "Prometheus replicas of the HA pair, 1 or 2")
	fs.IntVar(&f.shards, "shards", 1, "shards that each Prometheus splits its series into, 1 to 64")
	fs.StringVar(&f.cluster, "cluster", "", "cluster external label; none when empty")
	fs.BoolVar(&f.quiet, "quiet", false, "no deploys, restarts and missed scrapes in the background")
	fs.Var(&f.faults, "fault", "`kind@offset[+duration]`; repeatable")
	return f
}

// generator returns the simulated cluster that the flags describe, and its first and last moment in Unix milliseconds; until 0 = no last one.
func (f *simulateFlags) generator() (g *scenario.Generator, start, until int64, err error) {
	switch {
	case f.url == "" && f.out == "":
		return nil, 0, 0, usagef("name a --url to send to, or an --out file to record to")
	case f.speed < 0 || f.duration < 0 || f.rate < 0:
		return nil, 0, 0, usagef("speed, duration and rate must not be negative")
	}
	p, err := scenario.ProfileByName(f.profile)
	if err != nil {
		return nil, 0, 0, usagef("%v", err)
	}
	cfg := scenario.Config{Seed: f.seed, Profile: p, Live: !f.history, Cluster: f.cluster, Replicas: f.replicas, Shards: f.shards, Quiet: f.quiet}
	switch {
	case f.start != "":
		if cfg.StartMs, err = parseTime(f.start); err != nil {
			return nil, 0, 0, usagef("start: %v", err)
		}
	case f.url != "" && f.speed == 1:
		cfg.StartMs = time.Now().UnixMilli()
	case f.url != "" && f.duration > 0:
		cfg.StartMs = time.Now().Add(-f.duration).UnixMilli() // a receiver refuses the future
	}
	if f.rate > 0 {
		if cfg, err = scenario.ScaleTo(cfg, f.rate); err != nil {
			return nil, 0, 0, err
		}
	}
	start = cfg.StartMs
	if start == 0 {
		start = scenario.Epoch
	}
	start -= start % 60_000
	for _, s := range f.faults {
		fault, err := scenario.ParseFault(s, start)
		if err != nil {
			return nil, 0, 0, usagef("%v", err)
		}
		cfg.Faults = append(cfg.Faults, fault)
	}
	if g, err = scenario.New(cfg); err != nil {
		return nil, 0, 0, usagef("%v", err)
	}
	switch {
	case f.duration > 0:
		until = start + f.duration.Milliseconds()
	case f.url == "":
		until = start + 24*time.Hour.Milliseconds()
	}
	return g, start, until, nil
}

func runSimulate(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "simulate")
	f := addSimulateFlags(fs)
	if err := parseFlags(e, fs, args); err != nil {
		return err
	}
	g, start, until, err := f.generator()
	if err != nil {
		return err
	}
	if f.truth != "" {
		if err := writeFile(f.truth, func(w io.Writer) error { return scenario.WriteTruth(w, g.Truth()) }); err != nil {
			return err
		}
	}
	var rec *scenario.Recorder
	var file *os.File
	if f.out != "" {
		var w io.Writer = e.stdout
		if f.out != "-" {
			if file, err = os.Create(f.out); err != nil {
				return err
			}
			defer file.Close()
			w = file
		}
		if rec, err = scenario.NewRecorder(w); err != nil {
			return err
		}
	}
	if f.url != "" {
		err = f.send(ctx, e, g, until, rec)
	} else {
		err = record(ctx, e.stderr, g, rec, start, until)
	}
	if rec != nil {
		err = errors.Join(err, rec.Close())
	}
	if file != nil {
		err = errors.Join(err, file.Close())
	}
	return err
}

// send plays g to the URL until then, or until it is interrupted, which is no error when it had no end.
func (f *simulateFlags) send(ctx context.Context, e env, g *scenario.Generator, until int64, rec *scenario.Recorder) error {
	speed := f.speed
	if speed == 0 {
		speed = -1
	}
	stats, err := scenario.Send(ctx, g, scenario.SendOptions{URL: f.url, Token: f.token, NameSenders: f.replicas > 1, Speed: speed, UntilMs: until, Recorder: rec,
		Progress: func(s scenario.SendStats) { printSend(e.stderr, s) }})
	printSend(e.stderr, stats)
	if ctx.Err() != nil && until == 0 {
		return nil
	}
	return err
}

// record writes what g plays until then, and what is queued at the end.
func record(ctx context.Context, w io.Writer, g *scenario.Generator, rec *scenario.Recorder, start, until int64) error {
	told := time.Now()
	for {
		r, ok := g.Next(until)
		if !ok {
			if r, ok = g.Drain(); !ok {
				break
			}
		}
		if err := rec.Write(r); err != nil {
			return err
		}
		if time.Since(told) > time.Second {
			told = time.Now()
			fmt.Fprintf(w, "recording: %3.0f %%, %d samples\n", 100*float64(g.Now()-start)/float64(until-start), g.Stats().Samples)
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	s := g.Stats()
	fmt.Fprintf(w, "recorded %d samples of %d series in %d requests\n", s.Samples, s.Series, s.Requests)
	return nil
}

func printSend(w io.Writer, s scenario.SendStats) {
	rate := 0.
	if s.Elapsed > 0 {
		rate = float64(s.Acked) / s.Elapsed.Seconds()
	}
	fmt.Fprintf(w, "%s  acknowledged %d samples in %d requests (%.0f/s), latency mean %s max %s, retries %d, refused %d, lost %d\n",
		time.UnixMilli(s.NowMs).UTC().Format("2006-01-02 15:04:05"), s.Acked, s.AckedRequests, rate,
		s.LatencyMean.Round(10*time.Microsecond), s.LatencyMax.Round(10*time.Microsecond), s.Retries, s.Refused, s.Lost)
}

// parseTime reads RFC 3339 or Unix seconds and returns Unix milliseconds.
func parseTime(s string) (int64, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UnixMilli(), nil
	}
	var f float64
	if _, err := fmt.Sscanf(s, "%g", &f); err != nil || f <= 0 || f > 1e11 {
		return 0, fmt.Errorf("%q is neither RFC 3339 nor Unix seconds", s)
	}
	return int64(f * 1000), nil
}

// writeFile writes a file whole: what fills it writes to a temporary one that is renamed at the end.
func writeFile(name string, fill func(io.Writer) error) error {
	f, err := os.CreateTemp(dirOf(name), ".wrackline-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when the rename succeeded
	if err := fill(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
