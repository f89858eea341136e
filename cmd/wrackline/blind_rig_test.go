// What the tests of blindness are made with: an application with its own clock, two receivers, and a sender.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/store/disk/disktest"
	"github.com/wrackline/wrackline/baseline/wire"
	"github.com/wrackline/wrackline/ingest/journal"
)

// word is a message that a receiver got.
type word struct {
	path, status, kind, title, severity, id string
	at                                      time.Duration // of the rig's clock
}

// blindRig is an application whose clock only the test moves: a look takes place each 15 s of it, however slow the machine is.
type blindRig struct {
	t     *testing.T
	a     *app
	dir   string
	conf  string // file of the configuration
	clock atomic.Int64
	base  time.Time
	stop  func()

	mu    sync.Mutex
	words []word
	beats int
	fails map[string]int // path → status that it answers instead of 200
	far   *httptest.Server

	// The sender of the test.
	host   string
	token  string
	send   func(r *blindRig) // each step; nil = nobody sends
	from   int               // number of the first pod that it sends of …
	pods   int               // … and how many
	value  float64
	shift  time.Duration // of its samples against the clock
	hangs  bool          // see rigOptions
	frozen bool          // the test holds the fold
	metric []string
}

// dnsMetrics feed more than three rules of the pack dns.
var dnsMetrics = []string{"coredns_dns_requests_total", "coredns_dns_responses_total", "coredns_cache_hits_total", "coredns_cache_misses_total", "coredns_forward_healthcheck_broken_total", "coredns_health_request_failures_total"}

type rigOptions struct {
	dir    string
	config string   // more of the file
	token  string   // of the sender
	metric []string // that it sends; nil = dnsMetrics
	silent bool     // it sends nothing
	hangs  bool     // something will hang, and looks are not to wait for it
	setup  func(*config)
	before func(dir string)
}

func newBlindRig(t *testing.T, o rigOptions) *blindRig {
	t.Helper()
	r := &blindRig{t: t, dir: o.dir, base: time.Now(), fails: map[string]int{}, host: "10.0.0.7", metric: dnsMetrics, pods: 3, send: (*blindRig).write, token: o.token, hangs: o.hangs}
	if o.metric != nil {
		r.metric = o.metric
	}
	if o.silent {
		r.send = nil
	}
	if r.dir == "" {
		r.dir = t.TempDir()
	}
	r.far = httptest.NewServer(http.HandlerFunc(r.receive))
	t.Cleanup(r.far.Close)
	r.conf = file(t, "w.yml", fmt.Sprintf("receivers:\n- {name: a, webhook_configs: [{url: '%[1]s/a'}]}\n- {name: b, webhook_configs: [{url: '%[1]s/b'}]}\n%[2]s", r.far.URL, strings.ReplaceAll(o.config, "FAR", r.far.URL)))
	if o.before != nil {
		o.before(r.dir)
	}
	r.start(o.setup)
	t.Cleanup(func() { r.stop() })
	return r
}

// start begins a life of the application.
func (r *blindRig) start(setup func(*config)) {
	r.t.Helper()
	cfg, err := loadConfig(r.conf)
	if err != nil {
		r.t.Fatal(err)
	}
	if setup != nil {
		setup(&cfg)
	}
	a, err := openApp(cfg, r.dir, slog.New(slog.DiscardHandler))
	if err != nil {
		a, err = openReading(cfg, r.dir, slog.New(slog.DiscardHandler), err)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	reads := a.reading.Load() != nil
	if r.a != nil && r.a.reading.Load() != nil { // the same process goes on
		a.self.inherit(r.a.self)
	}
	r.a, a.file = a, r.conf
	begun := time.Duration(r.clock.Load())
	a.self.mono = func() time.Duration { return time.Duration(r.clock.Load()) - begun }
	if !r.hangs {
		a.self.wait = patience
	}
	a.now = func() time.Time { return r.base.Add(time.Duration(r.clock.Load())) }
	if err := a.replayJournal(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	run, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	if !reads {
		wg.Go(func() { _ = a.journal.Run(run) }) // what it says is what the tests are about
	}
	a.startRun = func(f func(context.Context)) func() {
		ctx, stop := context.WithCancel(run)
		done := make(chan struct{})
		go func() { defer close(done); f(ctx) }()
		return func() { stop(); <-done }
	}
	a.stopHerald, a.stopOutbox = a.startRun(a.runHerald), func() {}
	a.self.begin()
	if reads {
		a.stage("only reading, " + a.barred())
	} else {
		a.stopOutbox = a.startRun(a.outbox.Load().Run)
		a.line.begin(a.engine.Pos())
		wg.Go(a.follow)
		a.up.Store(a.now().UnixMilli())
		a.ready.Store(true)
	}
	r.stop = func() {
		r.stop = func() {}
		a.reloadMu.Lock()
		a.stopHerald()
		a.stopOutbox()
		a.reloadMu.Unlock()
		a.line.close()
		cancel()
		wg.Wait()
		_ = a.journal.Close()
		_ = a.store.Close()
		a.self.mu.Lock()
		if a.self.mark.file != nil { // as the end of a process does
			_ = a.self.mark.file.Close()
			a.self.mark.file = nil
		}
		a.self.mu.Unlock()
	}
}

// die ends a life without a word.
func (r *blindRig) die() { r.stop() }

// receive is both receivers, and who waits for the heartbeat.
func (r *blindRig) receive(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if code := r.fails[q.URL.Path]; code != 0 {
		w.WriteHeader(code)
		return
	}
	if q.URL.Path == "/beat" {
		r.beats++
		return
	}
	var p webhookPayload
	if err := json.Unmarshal(body, &p); err != nil || len(p.Alerts) == 0 {
		r.t.Errorf("%s got %s, %v", q.URL.Path, body, err)
		return
	}
	l := p.Alerts[0]
	r.words = append(r.words, word{q.URL.Path, p.Status, l.Labels["alertname"], l.Annotations["incident_title"], l.Labels["severity"], q.Header.Get("webhook-id"), time.Duration(r.clock.Load())})
}

// fail lets a receiver answer a status; 0 = it is well.
func (r *blindRig) fail(path string, code int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fails[path] = code
}

// got returns what a receiver got.
func (r *blindRig) got(path string) (list []word) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.words {
		if w.path == path {
			list = append(list, w)
		}
	}
	return list
}

// body is a request with the sender's series as they are now.
func (r *blindRig) body() []byte {
	var msg []byte
	r.value++
	at := r.a.now().Add(r.shift).UnixMilli()
	for _, name := range r.metric {
		for pod := r.from; pod < r.from+r.pods; pod++ {
			l := wire.AppendLabel(nil, "__name__", name)
			for _, x := range [][2]string{{"job", "coredns"}, {"namespace", "kube-system"}, {"pod", fmt.Sprintf("coredns-%d", pod)}} {
				l = wire.AppendLabel(l, x[0], x[1])
			}
			msg = wire.AppendSeries(msg, l, []series.Sample{{T: at, V: r.value * 100}})
		}
	}
	return wire.AppendBody(nil, msg)
}

// post sends a body as the sender does.
func (r *blindRig) post(body []byte, header ...string) {
	q := httptest.NewRequest(http.MethodPost, "/api/v1/write", bytes.NewReader(body))
	q.RemoteAddr = r.host + ":1234"
	q.Header.Set("Content-Encoding", "snappy")
	q.Header.Set("Content-Type", "application/x-protobuf")
	if r.token != "" {
		q.Header.Set("Authorization", "Bearer "+r.token)
	}
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	w := httptest.NewRecorder()
	r.a.door.Load().ServeHTTP(w, q.WithContext(ctx))
}

// write sends what the sender has.
func (r *blindRig) write() { r.post(r.body()) }

// soon is await for what takes milliseconds.
func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// step lets 15 s pass.
func (r *blindRig) step() {
	r.t.Helper()
	r.clock.Add(int64(selfEvery))
	if r.send != nil {
		r.send(r)
		r.folded()
	}
	r.a.self.step()
	r.quiet()
}

// folded waits until everything that was acknowledged is in the counts, unless the test holds the fold up or nothing is taken in.
func (r *blindRig) folded() {
	if r.frozen || r.a.reading.Load() != nil {
		return
	}
	soon(r.t, "the fold", func() bool {
		r.a.fresh()
		return r.a.line.shown.Load() >= r.a.line.last.Load()
	})
}

// quiet waits until everything that can be told has been told.
func (r *blindRig) quiet() {
	r.t.Helper()
	soon(r.t, "the lane", func() bool {
		r.mu.Lock()
		var down []string
		for path := range r.fails {
			if r.fails[path] != 0 {
				down = append(down, strings.TrimPrefix(path, "/"))
			}
		}
		r.mu.Unlock()
		for _, x := range r.a.outbox.Load().Stats() {
			if x.Queued > 0 && !slices.Contains(down, x.Receiver) {
				return false
			}
		}
		return r.a.herald.Load().Owes(down...) == 0
	})
}

// steps lets time pass in steps until done says so. It returns how much passed, and whether done did.
func (r *blindRig) steps(most time.Duration, done func() bool) (time.Duration, bool) {
	r.t.Helper()
	begun := time.Duration(r.clock.Load())
	for time.Duration(r.clock.Load())-begun < most {
		r.step()
		if done != nil && done() {
			return time.Duration(r.clock.Load()) - begun, true
		}
	}
	return most, false
}

// failing is a disk whose journal fails as the test says.
type failing struct {
	write, sync atomic.Pointer[error]
	again       atomic.Pointer[error] // of a file's second sync, and those after it
	synced      sync.Map              // *os.File that were synced
	hang        atomic.Pointer[chan struct{}]
	hanging     atomic.Int64 // calls that do
}

func (d *failing) set(p *atomic.Pointer[error], err error) {
	if err == nil {
		p.Store(nil)
		return
	}
	p.Store(&err)
}

func (d *failing) disk() journal.Disk {
	return journal.Disk{
		WriteAt: func(f *os.File, b []byte, off int64) (int, error) {
			if c := d.hang.Load(); c != nil {
				d.hanging.Add(1)
				<-*c
			}
			if err := d.write.Load(); err != nil {
				return 0, *err
			}
			return f.WriteAt(b, off)
		},
		Sync: func(f *os.File) error {
			if _, was := d.synced.LoadOrStore(f, true); was {
				if err := d.again.Load(); err != nil {
					return *err
				}
			}
			if err := d.sync.Load(); err != nil {
				return *err
			}
			return f.Sync()
		},
	}
}

// smallDisk is a disk of the test's own, and what fills it and makes room again.
func smallDisk(t *testing.T) (dir string, fill, free func()) {
	t.Helper()
	dir = disktest.Small(t, 48)
	name := dir + "/other.data"
	return dir, func() { disktest.Fill(t, name) }, func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// remount makes a disk that the test mounted read-only, or not.
func remount(t *testing.T, dir string, readOnly bool) {
	t.Helper()
	flags := uintptr(syscall.MS_REMOUNT)
	if readOnly {
		flags |= syscall.MS_RDONLY
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, "size=48m"); err != nil {
		t.Fatal(err)
	}
}

// conditionsOf returns what is seen now.
func conditionsOf(r *blindRig) []condition {
	_, list := r.a.self.seen()
	return list
}
