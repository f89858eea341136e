package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/url"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/ui"
)

const serveHelp = `Receives Prometheus remote write, learns what is normal, judges every minute, tells receivers and shows it all.

  wrackline serve                                  UI and receiver on :9099, data in ./data, built-in packs, no receiver
  wrackline serve --config.file wrackline.yml      with receivers, limits, further packs

Then paste the block that "wrackline packs remote-write-config" prints into prometheus.yml and reload Prometheus.
SIGTERM stops cleanly: it drains requests, makes a checkpoint and exits within 30 s. After a kill -9 nothing that was
acknowledged is lost: the journal is folded into the last checkpoint at the next start.
`

// serveFlags are the flags that serve and demo share.
type serveFlags struct {
	configFile, listen, dir, level string
	acceptLoss                     bool
}

func addServeFlags(fs *flag.FlagSet, dir string) *serveFlags {
	f := &serveFlags{}
	fs.StringVar(&f.configFile, "config.file", "", "configuration `file`; without one the defaults hold")
	fs.StringVar(&f.listen, "web.listen-address", ":9099", "`address` of UI, API and receiver")
	fs.StringVar(&f.dir, "storage.path", dir, "`directory` of journal and store")
	fs.StringVar(&f.level, "log.level", "info", "least severe `level` to log: debug, info, warn or error")
	return f
}

// load reads the configuration that the flags name and returns it with a logger of the flags' level.
func (f *serveFlags) load(w io.Writer) (config, *slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(f.level)); err != nil {
		return config{}, nil, usagef("log.level %q: want debug, info, warn or error", f.level)
	}
	cfg, err := loadConfig(f.configFile)
	if err != nil {
		return config{}, nil, err
	}
	return cfg, slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l})), nil
}

func runServe(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "serve")
	f := addServeFlags(fs, "data")
	fs.BoolVar(&f.acceptLoss, "accept-loss", false, "start although requests between the checkpoint and the journal are lost, as a start without it says")
	if err := parseFlags(e, fs, args); err != nil {
		return err
	}
	cfg, log, err := f.load(e.stderr)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", f.listen) // first, so that a wrong address leaves no directory behind
	if err != nil {
		return err
	}
	cfg.acceptLoss = f.acceptLoss
	a, err := openApp(cfg, f.dir, log)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	a.file = f.configFile
	log.Info("listening", "url", pageURL(l.Addr()), "write", pageURL(l.Addr())+"/api/v1/write", "version", buildVersion())
	if len(cfg.Receivers) == 0 {
		log.Info("no receiver is configured: incidents show in the UI only; add receivers to the file that --config.file names (see README)")
	}
	return a.serve(ctx, l, nil)
}

// pageURL returns where a person on this machine reaches what listens on addr.
func pageURL(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "http://" + addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// serve runs everything until ctx ends or a part fails, then stops in the reverse order. before, when not nil, runs after
// the journal has been folded and before requests are taken.
func (a *app) serve(ctx context.Context, l net.Listener, before func(context.Context) error) error {
	limitMemory(a.log)
	srv := &http.Server{
		Handler:           a.routes(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      120 * time.Second, // profiles take up to a minute
		IdleTimeout:       90 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	run, stop := context.WithCancel(context.Background())
	defer stop()
	var wg sync.WaitGroup
	failed := make(chan error, 3)
	wg.Go(func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("http: %w", err)
		}
	})
	wg.Go(func() {
		if err := a.journal.Run(run); err != nil && run.Err() == nil {
			failed <- fmt.Errorf("journal: %w", err)
		}
	})

	a.startRun = func(f func(context.Context)) func() {
		ctx, stop := context.WithCancel(run)
		done := make(chan struct{})
		wg.Go(func() {
			defer close(done)
			f(ctx)
		})
		return func() { stop(); <-done }
	}
	a.reloadMu.Lock()
	a.stopHerald = a.startRun(a.runHerald)
	a.reloadMu.Unlock()
	a.self.begin()
	wg.Go(func() { a.self.run(run) })

	err := a.replayJournal(ctx)
	if err == nil && before != nil {
		err = before(ctx)
	}
	folded := err == nil
	if folded {
		a.reloadMu.Lock()
		a.stopOutbox = a.startRun(a.outbox.Load().Run)
		a.reloadMu.Unlock()
		a.line.begin(a.engine.Pos())
		collectEarlier()
		wg.Go(a.follow)
		wg.Go(func() { a.runCheckpoints(run) })
		wg.Go(func() { a.runReloads(run) })
		a.up.Store(a.now().UnixMilli())
		a.ready.Store(true)
		a.log.Info("ready", "took", time.Since(a.started).Round(time.Millisecond))
		select {
		case <-ctx.Done():
		case err = <-failed:
		}
	}
	a.ready.Store(false)
	a.stage("stopping")
	a.log.Info("stopping")
	drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	if e := srv.Shutdown(drain); e != nil {
		err = errors.Join(err, srv.Close())
	}
	cancel()
	a.line.close()
	stop()
	wg.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, a.close(folded))
}

// every calls do once an interval until ctx ends.
func every(ctx context.Context, interval time.Duration, do func()) {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			do()
		}
	}
}

// routes returns everything that is served. The door is a plain handler; pages come from ui.
func (a *app) routes() http.Handler {
	pages := ui.New(source{a}, ui.Options{Version: buildVersion(), ExternalURL: a.cfg.Load().Alerting.ExternalURL, Demo: a.extra != nil, Logger: a.log})
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/write", func(w http.ResponseWriter, r *http.Request) { a.door.Load().ServeHTTP(w, r) })
	mux.HandleFunc("POST /-/reload", sameSite(a.serveReload))
	mux.HandleFunc("POST /-/accept", sameSite(a.serveAccept))
	mux.HandleFunc("POST /-/forget", sameSite(a.serveForget))
	mux.HandleFunc("GET /metrics", a.serveMetrics)
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "Wrackline is healthy.\n") })
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		ok, text := a.state()
		if !ok {
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		io.WriteString(w, "Wrackline is "+text+".\n")
		if alive, why := a.self.alive(); ok && !alive {
			io.WriteString(w, "But judging does not go on: "+why+"\n")
		}
	})
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.Handle("/", pages)
	return a.underPrefix(mux)
}

// underPrefix lets everything be reached below the path of external_url too: a proxy may or may not take that off.
func (a *app) underPrefix(next http.Handler) http.Handler {
	u, err := url.Parse(a.cfg.Load().Alerting.ExternalURL)
	if err != nil {
		return next
	}
	prefix := strings.TrimRight(path.Clean("/"+u.Path), "/")
	if prefix == "" {
		return next
	}
	below := http.StripPrefix(prefix, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, prefix+"/") {
			below.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serveMetrics writes Wrackline's own metrics: counters of its packages, the process, and the gauges below.
func (a *app) serveMetrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	metrics.WritePrometheus(w, true)
	f := a.self.gather() // what hangs is as it was
	st, j := f.stream, f.journal
	gauge := func(name string, v float64) { metrics.WriteGaugeFloat64(w, name, v) }
	count := func(name string, v int64) { metrics.WriteCounterUint64(w, name, uint64(max(v, 0))) }
	gauge("wrackline_series", float64(st.Series))
	gauge("wrackline_series_tracked", float64(st.Tracked))
	gauge("wrackline_series_max", float64(st.SeriesMax))
	gauge("wrackline_signals", float64(st.Signals))
	gauge("wrackline_signals_max", float64(st.SignalsMax))
	for i := range st.Clusters {
		c := &st.Clusters[i]
		label := `{cluster="` + labelText.Replace(c.Name) + `"}`
		gauge("wrackline_cluster_newest_sample_timestamp_seconds"+label, float64(c.LastT)/1000)
		gauge("wrackline_cluster_closed_window_timestamp_seconds"+label, float64(c.ClosedEnd)/1000)
	}
	gauge("wrackline_journal_bytes", float64(j.Bytes))
	gauge("wrackline_journal_segments", float64(j.Segments))
	gauge("wrackline_journal_segments_compressed", float64(j.Compressed))
	count("wrackline_journal_position", int64(j.LastPos))
	count("wrackline_journal_synced_position", int64(j.SyncedPos))
	count("wrackline_fold_position", int64(a.line.folded.Load()))
	count("wrackline_shown_position", int64(a.line.shown.Load()))
	gauge("wrackline_line_requests", float64(len(a.line.items)))
	gauge("wrackline_checkpoint_timestamp_seconds", float64(a.lastCheckpoint.Load())/1000)
	gauge("wrackline_config_last_reload_successful", boolean(a.reloadErr.Load() == nil))
	gauge("wrackline_config_last_reload_success_timestamp_seconds", float64(a.reloadedMs.Load())/1000)
	gauge("wrackline_ready", boolean(a.ready.Load()))
	a.self.metrics(gauge)
}

// gcPercent is by how much the heap may grow between two collections.
const gcPercent = 40

// labelText writes a label's value as the text format of metrics wants it: nothing else is escaped there.
var labelText = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// collectEarlier tells the runtime to collect earlier than it does by itself, unless GOGC says otherwise: nearly all that is alive holds no pointers, so that a collection costs little, and what a
// checkpoint leaves behind is large. While a start makes all of it anew that would cost more.
func collectEarlier() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// limitMemory tells the runtime to collect before the cgroup's limit is reached, unless GOMEMLIMIT says otherwise.
func limitMemory(log *slog.Logger) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		if err == nil && n > 0 && n < 1<<50 {
			debug.SetMemoryLimit(n / 10 * 9)
			log.Debug("memory limit set", "bytes", n/10*9, "from", file)
		}
		return
	}
}
