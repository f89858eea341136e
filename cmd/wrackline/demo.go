package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/alerting/route"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
	"github.com/wrackline/wrackline/ui"
)

const demoHelp = `Shows Wrackline at work without a cluster: a simulated one (3 nodes, 40 workloads, about 100 pods) is learned for two weeks
of its time in well under two minutes, the URL is printed, and then it lives on in real time through the real HTTP door, with
incidents on a schedule. The first one, a CoreDNS replica that gets no queries although it looks healthy, begins half a
minute after the URL is printed. A built-in webhook receiver gets the messages: see the /receivers page.

  wrackline demo                     everything stock; Ctrl-C ends it
  wrackline demo --speed 4           simulated time runs four times as fast
  wrackline demo --fault coredns_overload@1m+10m --fault rbac_403@20m

Data goes to --storage.path and is begun anew at every start.
`

// demoHistory is how much of the simulated cluster's past is learned before the door opens.
const demoHistory = 14 * 24 * time.Hour

type faultFlags []string

func (f *faultFlags) String() string { return strings.Join(*f, ",") }

// Set adds one fault.
func (f *faultFlags) Set(s string) error {
	if _, err := scenario.ParseFault(s, 0); err != nil {
		return err
	}
	*f = append(*f, s)
	return nil
}

// demo is what the demo has besides an app.
type demo struct {
	app   *app
	gen   *scenario.Generator
	speed float64
	seed  uint64
	extra []string // faults of the command line
	inbox inbox

	mu    sync.Mutex // guards what follows
	base  time.Time  // wall clock at which simulated time was simMs
	simMs int64      // 0 before the cluster lives
	truth []scenario.Truth
}

func runDemo(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "demo")
	f := addServeFlags(fs, "demo-data")
	speed := fs.Float64("speed", 1, "how many simulated seconds pass in one, 0.1 to 60")
	seed := fs.Uint64("seed", 1, "seed of the simulated cluster")
	history := fs.Duration("history", demoHistory, "how much of the past is learned first, 1h to 720h")
	kept := fs.Duration("past", 24*time.Hour, "how much of that goes through the journal, for the page Backtest; all of it takes twice as long to learn")
	var faults faultFlags
	fs.Var(&faults, "fault", "`kind@offset[+duration]` from the moment the cluster goes live; repeatable; replaces the schedule")
	if err := parseFlags(e, fs, args); err != nil {
		return err
	}
	if !(*speed >= 0.1 && *speed <= 60) {
		return usagef("speed %g: want 0.1 to 60", *speed)
	}
	if *history < time.Hour || *history > 720*time.Hour {
		return usagef("history %s: want 1h to 720h", *history)
	}
	if f.level == "info" { // the demo talks to a person; what it says of itself is enough
		f.level = "warn"
	}
	cfg, log, err := f.load(e.stderr)
	if err != nil {
		return err
	}
	if *kept > 24*time.Hour {
		cfg.Storage.BacktestMax = max(cfg.Storage.BacktestMax, 12<<30)
	}
	if err := emptyDemoDir(f.dir); err != nil {
		return err
	}

	d := &demo{speed: *speed, seed: *seed, extra: faults}
	d.inbox.now = d.now
	hook, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	hookServer := &http.Server{Handler: &d.inbox, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second}
	go hookServer.Serve(hook) // ends with Close below
	defer hookServer.Close()
	if cfg.Route != nil { // it hears everything, whatever the routes of the file say
		cfg.Route.Routes = append([]*route.Route{{Receiver: "demo", Continue: true}}, cfg.Route.Routes...)
	}
	cfg.Receivers = append(cfg.Receivers, notify.Receiver{Name: "demo", Webhook: []notify.WebhookConfig{{URL: notify.Secret("http://" + hook.Addr().String() + "/webhook")}}})

	l, admin, err := f.listeners()
	if err != nil {
		return err
	}
	if cfg.Alerting.ExternalURL == "" {
		cfg.Alerting.ExternalURL = pageURL(l.Addr())
	}
	a, err := openApp(cfg, f.dir, log)
	if err != nil {
		return errors.Join(wayOut(err, f.dir), closeAll(l, admin))
	}
	a.listening = f.addresses()
	d.app = a
	a.extra = d.status
	a.now = d.now
	var sender sync.WaitGroup
	defer sender.Wait()
	return a.serve(ctx, newFront(l, admin), func(ctx context.Context) error {
		if err := d.learn(ctx, e.stdout, *history, *kept); err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "\n  Open %s/\n\n  The cluster now lives through the HTTP door at %s/api/v1/write, %g× real time.\n  Messages arrive at %s/receivers. Ctrl-C ends the demo.\n\n",
			pageURL(l.Addr()), pageURL(l.Addr()), *speed, pageURL(l.Addr()))
		for _, t := range d.truth {
			fmt.Fprintf(e.stdout, "  %s  %s begins (%s)\n", time.UnixMilli(t.Start).Format("15:04:05"), t.Kind, t.Scope)
		}
		sender.Go(func() { d.live(ctx, pageURL(l.Addr())+"/api/v1/write", log.Warn) })
		return nil
	})
}

// emptyDemoDir removes what an earlier demo left. It touches only files that a demo makes.
func emptyDemoDir(dir string) error {
	mark := filepath.Join(dir, "demo")
	entries, err := os.ReadDir(dir)
	switch {
	case os.IsNotExist(err):
	case err != nil:
		return err
	case len(entries) > 0:
		if _, err := os.Stat(mark); err != nil {
			return fmt.Errorf("%s holds files that are not a demo's; name another directory with --storage.path", dir)
		}
		// Opening takes the lock; a demo that runs there keeps its files. Anything else that is wrong with them does not matter now.
		s, err := store.Open(filepath.Join(dir, "wrackline.db"), store.Options{ReadOnly: true})
		if errors.Is(err, store.ErrInUse) {
			return fmt.Errorf("another demo runs in %s: %w", dir, err)
		}
		if err == nil {
			s.Close() // read only, and about to be removed
		}
		for _, name := range []string{"wrackline.db", store.TwinName, "journal"} {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(mark, []byte("This directory belongs to wrackline demo, which empties it at every start.\n"), 0o600)
}

// learn plays the past through the engine until it has caught up with the wall clock.
func (d *demo) learn(ctx context.Context, w io.Writer, history, kept time.Duration) error {
	now := time.Now()
	gen, err := scenario.New(scenario.Config{Seed: d.seed, StartMs: now.Add(-history).UnixMilli(), Replicas: 2, Targets: true})
	if err != nil {
		return err
	}
	d.gen = gen
	begun, told, saved := now, now, now
	start := gen.Config().StartMs
	stop := func() int64 { return time.Now().UnixMilli() }
	if d.speed != 1 { // simulated time leaves the wall clock anyway
		stop = now.UnixMilli
	}
	fmt.Fprintf(w, "Learning %s of a simulated cluster's history.\n", days(history))
	var body, buf []byte
	keptFrom := now.Add(-min(kept, history)).UnixMilli()
	if kept >= history {
		keptFrom = start // of the first request of all
	}
	for n := 0; ; n++ {
		r, ok := gen.Next(stop())
		if !ok {
			break
		}
		pos := uint64(0)
		if r.ReceivedMs >= keptFrom {
			if n > 0 && d.app.engine.Pos() == 0 {
				if err := d.keepState(r.ReceivedMs); err != nil {
					return err
				}
			}
			body, buf = r.AppendBody(body[:0], buf)
			if pos, err = d.app.journal.Append(journal.Record{ReceivedMs: r.ReceivedMs, Sender: r.Sender, Proto: uint8(ingest.V1), Encoding: uint8(ingest.Snappy), Body: body}); err != nil {
				return err
			}
		}
		d.app.fold.Lock()
		d.app.engine.Apply(&r.Batch, pos)
		d.app.fold.Unlock()
		if n%64 != 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Since(told) > 3*time.Second {
			told = time.Now()
			d.app.fold.Lock()
			d.app.engine.Refresh()
			d.app.fold.Unlock()
			share := float64(r.ReceivedMs-start) / float64(now.UnixMilli()-start)
			text := fmt.Sprintf("learning history: %3.0f %%, %s", 100*min(share, 1), progressDate(r.ReceivedMs))
			d.app.stage(text)
			fmt.Fprintf(w, "  %s, %.1f million samples, %d signals\n", text, float64(gen.Stats().Samples)/1e6, len(d.app.engine.View().Signals))
		}
		if time.Since(saved) > 20*time.Second || pos > 0 && time.Since(saved) > 4*time.Second { // they bound the recorder's memory, and the journal
			saved = time.Now()
			if err := d.app.checkpoint(); err != nil {
				return err
			}
		}
	}
	d.app.fold.Lock()
	d.app.engine.Publish()
	d.app.fold.Unlock()
	if err := d.app.checkpoint(); err != nil {
		return err
	}
	runtime.GC()
	gen.GoLive()
	d.mu.Lock()
	d.base, d.simMs = time.Now(), gen.Now()
	if d.speed == 1 {
		d.simMs = d.base.UnixMilli()
	}
	live := d.simMs
	d.mu.Unlock()
	st := d.app.engine.Stats()
	fmt.Fprintf(w, "Learned %s in %s: %.0f million samples, %d series, %d signals.\n", days(history), time.Since(begun).Round(time.Second),
		float64(gen.Stats().Samples)/1e6, st.Tracked, st.Signals)
	return d.schedule(live)
}

// keepState lets backtests begin where the requests of the demo's history begin that go through the journal.
func (d *demo) keepState(atMs int64) error {
	d.app.past.note(pastNote{T: atMs, Text: "the simulated history before was learned without the journal", Break: true})
	d.app.fold.Lock()
	c := d.app.freeze()
	d.app.fold.Unlock()
	return d.app.past.add(c, atMs)
}

// schedule plans the faults, counted from the moment the cluster goes live.
func (d *demo) schedule(live int64) error {
	var plan []scenario.Fault
	for _, s := range d.extra {
		f, err := scenario.ParseFault(s, live)
		if err != nil {
			return err
		}
		plan = append(plan, f)
	}
	if len(plan) == 0 {
		// The founding story first, and short enough to be seen ending.
		plan = append(plan, scenario.Fault{Kind: scenario.CoreDNSBlackhole, StartMs: live + 30_000, Duration: 7 * time.Minute})
		plan = append(plan, scenario.Rotation(live+20*60_000, 30*time.Minute, 6,
			scenario.RBAC403, scenario.TrafficDrop, scenario.CoreDNSOverload, scenario.PrometheusStall, scenario.ConntrackExhaustion, scenario.CPULimitHalved)...)
	}
	for _, f := range plan {
		if err := d.gen.Add(f); err != nil {
			return err
		}
	}
	d.mu.Lock()
	d.truth = d.gen.Truth()
	d.mu.Unlock()
	return nil
}

// live plays the cluster on through the HTTP door until ctx ends.
func (d *demo) live(ctx context.Context, url string, warn func(string, ...any)) {
	stats, err := scenario.Send(ctx, d.gen, scenario.SendOptions{URL: url, NameSenders: true, Speed: d.speed})
	if err != nil && ctx.Err() == nil {
		warn("the simulated Prometheus lost samples", "refused", stats.Refused, "lost", stats.Lost, "err", err)
	}
}

// now is the receive clock: the wall clock, or simulated time when that runs at another speed.
func (d *demo) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.simMs == 0 || d.speed == 1 {
		return time.Now()
	}
	return time.UnixMilli(d.simMs + int64(float64(time.Since(d.base).Milliseconds())*d.speed))
}

// inboxMax bounds the messages that the demo's receiver keeps; the oldest go first.
const inboxMax = 200

// webhookPayload is what the receivers page shows of a payload of Alertmanager's version 4.
type webhookPayload struct {
	Receiver           string            `json:"receiver"`
	Status             string            `json:"status"`
	NotificationReason string            `json:"notification_reason"`
	CommonLabels       map[string]string `json:"commonLabels"`
	CommonAnnotations  map[string]string `json:"commonAnnotations"`
	Alerts             []struct {
		Status      string            `json:"status"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"alerts"`
}

// inbox is a webhook receiver that keeps what it got, as a receiver of the real world would.
type inbox struct {
	mu       sync.Mutex // guards what follows
	seen     map[string]bool
	messages []ui.InboxMessage // oldest first
	dropped  int
	now      func() time.Time
}

// ServeHTTP takes a webhook. A message whose id is there already is acknowledged and not kept twice.
func (b *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	var p webhookPayload
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&p); err != nil {
		http.Error(w, "not a webhook payload: "+err.Error(), http.StatusBadRequest)
		return
	}
	m := ui.InboxMessage{AtMs: b.now().UnixMilli(), Receiver: p.Receiver, Reason: demoReason(p.NotificationReason)}
	for i, a := range p.Alerts {
		if i == 0 {
			m.Severity, m.Title, m.Incident = a.Labels["severity"], a.Annotations["incident_title"], a.Annotations["incident"]
			m.First, m.Meaning = a.Annotations["moved_first"], a.Annotations["description"]
			m.Value = a.Annotations["value"] + " (normal " + a.Annotations["normal"] + ")"
			if next := a.Annotations["next"]; next != "" {
				m.Next = strings.Split(next, "\n")
			}
		}
		if a.Labels["severity"] == "page" {
			m.Severity = "page"
		}
		m.Lines = append(m.Lines, a.Status+": "+a.Annotations["summary"])
	}
	id := r.Header.Get("webhook-id")
	b.mu.Lock()
	defer b.mu.Unlock()
	if id != "" && b.seen[id] {
		return
	}
	if b.seen == nil {
		b.seen = map[string]bool{}
	}
	b.seen[id] = true
	if len(b.messages) == inboxMax {
		b.messages = b.messages[1:]
		b.dropped++
	}
	b.messages = append(b.messages, m)
}

// list returns the messages, newest first, and how many older ones were dropped.
func (b *inbox) list() ([]ui.InboxMessage, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := slices.Clone(b.messages)
	slices.Reverse(out)
	return out, b.dropped
}

func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.String()
}

func progressDate(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04") }
