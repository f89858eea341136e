package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	"github.com/wrackline/wrackline/baseline/crowd"
)

const loadHelp = `Sends a bounded remote-write load to a receiver on this machine and says what it cost: CPU seconds per million samples (cold =
the first sample of every series, steady = known series), time to the acknowledgement, errors, bytes a series. The receiver
may be any that takes remote write 1.0; its CPU time comes from its own /metrics, or from the system with --pid.

It sends simulated clusters that call themselves load-001 and so on, each by a sender of the same name. The receiver will
learn them: use one that you can throw away. Only this machine is written to, unless --allow-remote says otherwise.

  wrackline load --url http://localhost:9099/api/v1/write
  wrackline load --url http://localhost:9099/api/v1/write --series 100000 --rounds 20 --shards 8

Twenty clusters with 20,000 signals between them, a sample of each series every 30 s, at the speed of life, and what that
does to those who look at pages meanwhile:

  wrackline load --url http://localhost:9099/api/v1/write --clusters 20 --alive 20000 --series 200000 \
    --interval 30s --speed 1 --rounds 20 --probe 1s

The same load twice, first under names that no pack asks for, then with signals, and how much longer the slowest
acknowledgements take for them:

  wrackline load --url http://localhost:9099/api/v1/write --clusters 20 --alive 20000 --series 200000 --compare-quiet
`

// The most that load sends, so that a slip of the finger is no denial of service.
const (
	loadSeriesMax = 2_000_000
	loadRoundsMax = 1_000
	loadTimeMax   = 30 * time.Minute
)

// loadOptions are the flags of load.
type loadOptions struct {
	url, token, metricsURL string
	series, rounds, shards int
	warm                   int
	clusters, alive        int
	requestMax, pid        int
	interval, probe        time.Duration
	speed                  float64
	compare, remote        bool
}

func parseLoad(e env, args []string) (o loadOptions, err error) {
	fs := newFlags(e, "load")
	fs.StringVar(&o.url, "url", "", "remote-write `URL`")
	fs.StringVar(&o.token, "token", "", "bearer `token`")
	fs.IntVar(&o.series, "series", 20_000, "how many series, at most 2000000")
	fs.IntVar(&o.rounds, "rounds", 10, "how many samples of each series after the first, at most 1000")
	fs.IntVar(&o.warm, "warm", 0, "rounds between those and the first that are sent and not counted: in the first windows of a receiver signals begin")
	fs.IntVar(&o.shards, "shards", 4, "requests at once, 1 to 64")
	fs.IntVar(&o.clusters, "clusters", 1, "over how many clusters the series are spread, each with a sender of its own; at most 10000")
	fs.IntVar(&o.alive, "alive", -1, "about how many signals the built-in packs make of them; -1 = one in a hundred series")
	fs.IntVar(&o.requestMax, "request-max", 2000, "samples in a request at most")
	fs.DurationVar(&o.interval, "interval", time.Minute, "between two samples of a series, 5s to 5m")
	fs.Float64Var(&o.speed, "speed", 0, "seconds of samples sent in a second; 0 = as fast as the receiver takes them")
	fs.DurationVar(&o.probe, "probe", 0, "also ask for the metrics and /api/v1/status once in so long, and say how long that takes; 0 = do not")
	fs.BoolVar(&o.compare, "compare-quiet", false, "send the same load without signals first, and say how the acknowledgements compare")
	fs.BoolVar(&o.remote, "allow-remote", false, "the receiver may be another machine")
	fs.StringVar(&o.metricsURL, "metrics-url", "", "`URL` of the receiver's metrics; default /metrics of the same host")
	fs.IntVar(&o.pid, "pid", 0, "process id of the receiver, to read its CPU time and memory from the system instead")
	if err := parseFlags(e, fs, args); err != nil {
		return o, err
	}
	u, err := url.Parse(o.url)
	switch {
	case o.url == "" || err != nil || u.Host == "":
		return o, usagef("name the receiver with --url")
	case o.series < 1 || o.series > loadSeriesMax || o.rounds < 1 || o.warm < 0 || o.rounds+o.warm > loadRoundsMax || o.shards < 1 || o.shards > 64:
		return o, usagef("want 1 to %d series, 1 to %d rounds, 1 to 64 shards", loadSeriesMax, loadRoundsMax)
	case o.clusters < 1 || o.clusters > min(10_000, o.series) || o.alive < -1 || o.requestMax < 1 || o.requestMax > 10_000:
		return o, usagef("want 1 to 10000 clusters of at least a series, no less than 0 signals, 1 to 10000 samples in a request")
	case o.interval < 5*time.Second || o.interval > 5*time.Minute || !(o.speed >= 0) || o.probe < 0 || (o.probe > 0 && o.probe < 100*time.Millisecond):
		return o, usagef("want an interval of 5s to 5m, a speed of 0 or more, a probe of 100ms or more")
	}
	if o.alive < 0 {
		o.alive = o.series / 100
	}
	if o.metricsURL == "" {
		m := *u
		m.Path, m.RawQuery = "/metrics", ""
		o.metricsURL = m.String()
	}
	if o.remote {
		return o, nil
	}
	for _, at := range []string{o.url, o.metricsURL} {
		if err := onThisMachine(at); err != nil {
			return o, usagef("%v; --allow-remote allows it", err)
		}
	}
	return o, nil
}

// onThisMachine returns an error when a URL leads elsewhere.
func onThisMachine(at string) error {
	u, err := url.Parse(at)
	if err != nil {
		return err
	}
	ips, err := net.LookupIP(u.Hostname())
	if err != nil {
		return err
	}
	for _, ip := range ips {
		if !ip.IsLoopback() {
			return fmt.Errorf("%s is %s, which is not this machine's loopback", u.Hostname(), ip)
		}
	}
	return nil
}

func runLoad(ctx context.Context, e env, args []string) error {
	o, err := parseLoad(e, args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, loadTimeMax)
	defer cancel()
	l := &loading{o: o, out: e.stdout, progress: e.stderr}
	c := crowd.Config{Clusters: o.clusters, Series: o.series, Signals: o.alive, RequestMax: o.requestMax, Name: "load"}
	var quiet *ackStats
	if o.compare {
		q := c
		q.Quiet, q.Name = true, "quiet"
		if quiet, err = l.run(ctx, "quiet ", q); err != nil {
			return err
		}
	}
	alive, err := l.run(ctx, "", c)
	if err != nil || quiet == nil {
		return err
	}
	q, a := quiet.quantile(.999), alive.quantile(.999)
	fmt.Fprintf(e.stdout, "p99.9 of acknowledgements: %s with signals, %s without: %.2f times as long\n", short(a), short(q), a.Seconds()/max(q.Seconds(), 1e-6))
	return nil
}

// loading is a load under way.
type loading struct {
	o             loadOptions
	out, progress io.Writer
}

// usage reads what the receiver has used.
func (l *loading) usage(ctx context.Context) (u consumed, err error) {
	if l.o.pid > 0 {
		u, err = usageOfProcess(l.o.pid)
	} else {
		u, err = usageOfMetrics(ctx, l.o.metricsURL)
	}
	if err != nil {
		err = fmt.Errorf("receiver's CPU time: %w (name it with --pid, or its metrics with --metrics-url)", err)
	}
	return u, err
}

// run sends one crowd, cold and steady, and says what that cost. It returns the acknowledgements of the steady part.
func (l *loading) run(ctx context.Context, what string, c crowd.Config) (*ackStats, error) {
	w, err := crowd.New(c)
	if errors.Is(err, crowd.ErrFew) {
		return nil, usagef("%v: raise --series", err)
	} else if err != nil {
		return nil, err
	}
	before, err := l.usage(ctx)
	if err != nil {
		return nil, err
	}
	// In the past by as much as is sent faster than life, so that nothing comes from the future.
	span := time.Duration(l.o.warm+l.o.rounds+1) * l.o.interval
	s := &loadSender{o: l.o, w: w, startMs: time.Now().Add(-span).UnixMilli(), progress: l.progress}
	cold, at, err := l.phase(ctx, s, what+"cold", 0, 1, before)
	if err != nil {
		return nil, err
	}
	if l.o.warm > 0 {
		if _, at, err = l.phase(ctx, s, what+"warm", 1, 1+l.o.warm, at); err != nil {
			return nil, err
		}
	}
	probes := startProbes(ctx, l.o)
	steady, end, err := l.phase(ctx, s, what+"steady", 1+l.o.warm, 1+l.o.warm+l.o.rounds, at)
	for _, p := range probes() {
		fmt.Fprintf(l.out, "GET %-16s %6d answers, %d errors  p50 %s p99 %s max %s\n", p.path, len(p.acks.took), p.errors, short(p.acks.quantile(.5)),
			short(p.acks.quantile(.99)), short(p.acks.quantile(1)))
	}
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(l.out, "%d series in %d clusters; resident memory grew by %.0f MiB to %.0f MiB: %.0f B a series", w.Series(), c.Clusters,
		(end.rss-before.rss)/(1<<20), end.rss/(1<<20), (end.rss-before.rss)/float64(w.Series()))
	if n, err := signalsOf(ctx, l.o.metricsURL); err == nil {
		fmt.Fprintf(l.out, "; %.0f signals", n)
	}
	fmt.Fprintln(l.out)
	if n := cold.failed + steady.failed; n > 0 {
		return nil, fmt.Errorf("%d samples were not taken: %s%s", n, cold.first, steady.first)
	}
	return steady, nil
}

// phase sends the rounds from lo to below hi and prints a line about them.
func (l *loading) phase(ctx context.Context, s *loadSender, name string, lo, hi int, from consumed) (*ackStats, consumed, error) {
	begun := time.Now()
	a := s.send(ctx, lo, hi)
	elapsed := time.Since(begun)
	if err := ctx.Err(); err != nil {
		return a, from, fmt.Errorf("stopped early: %w", err)
	}
	now, err := l.usage(ctx)
	if err != nil {
		return a, from, err
	}
	n := float64(max(a.samples, 1))
	fmt.Fprintf(l.out, "%-12s %9d samples  %6.3f CPU-s per million samples  %7.0f samples/s  ack p50 %s p90 %s p99 %s p99.9 %s max %s  behind %s  %5.1f B/sample  errors %s\n",
		name, a.samples, (now.cpu-from.cpu)/n*1e6, n/elapsed.Seconds(), short(a.quantile(.5)), short(a.quantile(.9)), short(a.quantile(.99)),
		short(a.quantile(.999)), short(a.quantile(1)), short(a.behind), float64(a.bytes)/n, a.errorsText())
	return a, now, nil
}
