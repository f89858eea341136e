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
	"os"
	ossignal "os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wrackline/wrackline/baseline/near"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/web"
)

const serveHelp = `Receives Prometheus remote write, learns what is normal, judges every minute, tells receivers and shows it all.

  wrackline serve                                  UI and receiver on :9099, data in ./data, built-in packs, no receiver, no login
  wrackline serve --config.file wrackline.yml      with receivers, limits, further packs, tokens

Then paste the block that "wrackline packs remote-write-config" prints into prometheus.yml and reload Prometheus.
SIGTERM stops cleanly: it drains requests, makes a checkpoint and exits within 30 s. After a kill -9 nothing that was
acknowledged is lost: the journal is folded into the last checkpoint at the next start.
`

// serveFlags are the flags that serve and demo share.
type serveFlags struct {
	configFile, listen, admin, dir, level, format string
	acceptLoss                                    bool
	web                                           webFlags
}

func addServeFlags(fs *flag.FlagSet, dir string) *serveFlags {
	f := &serveFlags{}
	fs.StringVar(&f.configFile, "config.file", "", "configuration `file`; without one the defaults hold")
	fs.StringVar(&f.listen, "web.listen-address", ":9099", "`address` of UI, API and receiver")
	fs.StringVar(&f.admin, "web.admin-address", "", "`address` of profiles and of what changes something, alone; :PORT is of this machine only. Without it they are at --web.listen-address, for this machine or with web.admin_token")
	fs.StringVar(&f.web.externalURL, "web.external-url", "", "`URL` where people reach the pages, for links in messages, and whose path everything lies below, too; in place of alerting.external_url")
	fs.StringVar(&f.web.routePrefix, "web.route-prefix", "", "`path` below which everything lies, too; default: that of the external URL, which a proxy may or may not take off")
	fs.StringVar(&f.dir, "storage.path", dir, "`directory` of journal and store")
	fs.StringVar(&f.level, "log.level", "info", "least severe `level` to log: debug, info, warn or error")
	fs.StringVar(&f.format, "log.format", "logfmt", "`format` of the lines of the log: logfmt or json")
	return f
}

// load reads the configuration that the flags name and returns it with a logger of the flags' level.
func (f *serveFlags) load(w io.Writer) (config, *slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(f.level)); err != nil {
		return config{}, nil, usagef("--log.level %q: want debug, info, warn or error%s", f.level, near.Meant(f.level, []string{"debug", "info", "warn", "error"}))
	}
	if f.format != "" && f.format != "logfmt" && f.format != "json" {
		return config{}, nil, usagef("--log.format %q: want logfmt or json%s", f.format, near.Meant(f.format, []string{"logfmt", "json"}))
	}
	if err := f.web.check(); err != nil {
		return config{}, nil, err
	}
	cfg, err := loadConfig(f.configFile)
	if err != nil {
		return config{}, nil, err
	}
	cfg.obey(f.web)
	return cfg, newLogIn(f.format, w, l), nil
}

// logMax is how many bytes of one value a line of the log shows.
const logMax = 2000

// newLog returns a log of lines. Values that others wrote may stand in any of them: the handler quotes what is not printable, and none is longer than logMax, but for the stack of a failure.
func newLog(w io.Writer, level slog.Level) *slog.Logger { return newLogIn("logfmt", w, level) }

// newLogIn is newLog in a format, logfmt or json.
func newLogIn(format string, w io.Writer, level slog.Level) *slog.Logger {
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch v := a.Value.Any().(type) {
		case string:
			if len(v) > logMax && a.Key != "stack" {
				a.Value = slog.StringValue(series.Cut(v, logMax))
			}
		case error:
			a.Value = slog.StringValue(series.Cut(v.Error(), logMax))
		case time.Duration:
			a.Value = slog.StringValue(v.String()) // with its unit in JSON, too
		}
		return a
	}}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func runServe(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "serve")
	f := addServeFlags(fs, "data")
	fs.Func("web.config.file", "`file` with TLS, client certificates, passwords and headers, as Prometheus has it (https://prometheus.io/docs/prometheus/latest/configuration/https/)", func(text string) error {
		f.web.file = web.ConfigFile(text)
		return nil
	})
	fs.BoolVar(&f.acceptLoss, "accept-loss", false, "start although requests between the checkpoint and the journal are lost, as a start without it says")
	if err := parseFlags(e, fs, args); err != nil {
		return err
	}
	cfg, log, err := f.load(e.stderr)
	if err != nil {
		return err
	}
	l, admin, err := f.listeners() // first, so that a wrong address leaves no directory behind
	if err != nil {
		return err
	}
	cfg.acceptLoss = f.acceptLoss
	return f.lives(ctx, cfg, log, newFront(l, admin))
}

// addresses returns what is listened on: the second is that of administration, "" when it has none of its own. One without a host is of this machine.
func (f *serveFlags) addresses() [2]string {
	admin := f.admin
	if admin != "" && !strings.Contains(admin, ":") {
		admin = ":" + admin
	}
	if strings.HasPrefix(admin, ":") {
		admin = "127.0.0.1" + admin
	}
	return [2]string{f.listen, admin}
}

// listeners listens on the flags' addresses; admin is nil when administration has none of its own.
func (f *serveFlags) listeners() (l, admin net.Listener, err error) {
	addresses := f.addresses()
	if l, err = net.Listen("tcp", addresses[0]); errors.Is(err, syscall.EADDRINUSE) {
		return nil, nil, fmt.Errorf("%w\nSomebody listens there already, another wrackline perhaps. Name another address by --web.listen-address", err)
	}
	if err != nil || addresses[1] == "" {
		return l, nil, err
	}
	if admin, err = net.Listen("tcp", addresses[1]); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("web.admin-address: %w", err), l.Close())
	}
	return l, admin, nil
}

func closeAll(list ...net.Listener) (err error) {
	for _, l := range list {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}
	return err
}

// pageURL returns where a person on this machine reaches what listens on addr.
func pageURL(addr net.Addr) string { return "http" + pageAddress(addr) }

// pageAddress is pageURL behind the scheme.
func pageAddress(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "://" + addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "://" + net.JoinHostPort(host, port)
}

// front is what listens, for the life of a process: one app after the other may stand behind it.
type front struct {
	l, admin net.Listener // admin is where administration listens, nil when that is l
	app      atomic.Pointer[app]
	servers  []*http.Server
	failed   chan error
	hup      chan os.Signal
	wg       sync.WaitGroup
}

func newFront(l, admin net.Listener) *front {
	f := &front{l: l, admin: admin, failed: make(chan error, 2), hup: make(chan os.Signal, 1)}
	ossignal.Notify(f.hup, syscall.SIGHUP) // from the first moment: by itself the signal ends a process
	return f
}

// show lets a answer from now on.
func (f *front) show(a *app) {
	if f.app.Swap(a) != nil {
		return
	}
	serve := func(l net.Listener, srv *http.Server) error {
		if cfg := a.cfg.Load(); cfg.flags.file != "" {
			var probes []string
			for _, base := range []string{"", prefixOf(cfg.Alerting.ExternalURL), prefixOf(cfg.flags.routePrefix)} {
				probes = append(probes, base+"/-/healthy", base+"/-/ready")
			}
			return cfg.flags.file.Serve(l, srv, a.log, probes...)
		}
		return srv.Serve(l)
	}
	listen := func(l net.Listener, handler func() *http.Handler) {
		srv := a.newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*handler()).ServeHTTP(w, r) }))
		f.servers = append(f.servers, srv)
		f.wg.Go(func() {
			if err := serve(l, srv); !errors.Is(err, http.ErrServerClosed) {
				f.failed <- fmt.Errorf("http: %w", err)
			}
		})
	}
	listen(f.l, func() *http.Handler { return f.app.Load().main.Load() })
	if f.admin != nil {
		listen(f.admin, func() *http.Handler { return f.app.Load().admin.Load() })
	}
}

// close lets requests that are under way end and listens no more.
func (f *front) close() (err error) {
	ossignal.Stop(f.hup)
	drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, srv := range f.servers {
		if e := srv.Shutdown(drain); e != nil {
			err = errors.Join(err, srv.Close())
		}
	}
	if len(f.servers) == 0 {
		err = closeAll(f.l, f.admin)
	}
	f.wg.Wait()
	return err
}

// newServer returns a server with timeouts.
func (a *app) newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      120 * time.Second, // profiles take up to a minute
		IdleTimeout:       90 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
}

// serve runs everything until ctx ends or a part fails, then stops in the reverse order. before, when not nil, runs after the journal has been folded and before requests are taken.
// A life that only reads also ends, with errDiskWell and without a word to who asks at the front, when it need not be one any more.
func (a *app) serve(ctx context.Context, f *front, before func(context.Context) error) error {
	limitMemory(a.log)
	a.apart = f.admin != nil
	if err := a.setWeb(a.cfg.Load()); err != nil {
		return errors.Join(err, f.close(), a.close(false))
	}
	if text := a.openness(); text != "" {
		a.log.Warn(text, "fix", opennessFix)
	}
	a.tried.Store(&a.cfg.Load().seen)
	run, stop := context.WithCancel(context.Background())
	defer stop()
	var wg sync.WaitGroup
	failed := make(chan error, 1)
	f.show(a)
	if a.reading.Load() == nil {
		wg.Go(func() {
			if err := a.journal.Run(run); err != nil && run.Err() == nil {
				failed <- fmt.Errorf("journal: %w", err)
			}
		})
	}

	a.reloadMu.Lock()
	a.startRun = func(f func(context.Context)) func() {
		ctx, stop := context.WithCancel(run)
		done := make(chan struct{})
		wg.Go(func() {
			defer close(done)
			f(ctx)
		})
		return func() { stop(); <-done }
	}
	a.stopHerald = a.startRun(a.runHerald)
	a.reloadMu.Unlock()
	a.self.begin()
	wg.Go(func() { a.self.run(run) })

	err := a.replayJournal(ctx)
	if err == nil && before != nil {
		err = before(ctx)
	}
	folded := err == nil
	if folded && a.reading.Load() != nil {
		folded, err = false, a.awaitDisk(ctx, f)
	} else if folded {
		a.begun(run, &wg, f.hup)
		wg.Go(func() { a.awaitHistory(run, failed) })
		select {
		case <-ctx.Done():
		case err = <-failed:
		case err = <-f.failed:
		}
	}
	a.ready.Store(false)
	if errors.Is(err, errHistoryRead) {
		a.stage("taking over what was learned from history")
		a.log.Info("history has been read: taking over what was learned from it")
	} else if !another(err) {
		a.stage("stopping")
		a.log.Info("stopping")
		err = errors.Join(err, f.close())
	}
	a.reloadMu.Lock() // a reload that is under way ends first, and no other begins: it would start what nobody waits for
	a.startRun = nil
	a.reloadMu.Unlock()
	a.line.close()
	stop()
	wg.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, a.close(folded))
}

// begun starts what works once the journal has been folded; all of it ends with run.
func (a *app) begun(run context.Context, wg *sync.WaitGroup, hup <-chan os.Signal) {
	a.reloadMu.Lock()
	a.stopOutbox = a.startRun(a.outbox.Load().Run)
	a.reloadMu.Unlock()
	a.line.begin(a.engine.Pos())
	a.clock.Begin(newestSample(a.engine.Stats()))
	collectEarlier()
	wg.Go(a.follow)
	wg.Go(func() { a.runCheckpoints(run) })
	wg.Go(func() { a.runReloads(run, hup) })
	if a.peer != nil {
		wg.Go(func() { a.peer.Run(run) })
	}
	a.up.Store(a.clock.Now().UnixMilli())
	a.ready.Store(true)
	a.log.Info("ready", "took", time.Since(a.started).Round(time.Millisecond))
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

// gcPercent is by how much the heap may grow between two collections.
const gcPercent = 40

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
