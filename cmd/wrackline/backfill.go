package main

// History: a second fold, in a directory of its own, that begins some days ago and ends now. See adopt.go for how it takes the place of the first.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/baseline/wire"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/history"
)

const backfillHelp = `Reads the past from a Prometheus and learns from it, so that bands are there at once. Nothing that is past is told to anybody.

  wrackline backfill --from http://prometheus:9090                       14 days by remote read (Prometheus, Thanos, Mimir)
  wrackline backfill --from http://vm:8428 --kind victoriametrics        the same from a VictoriaMetrics
  wrackline backfill --from https://mimir/prometheus --header X-Scope-OrgID=shop --bearer-token-file token

It runs beside serve, on the same machine and with the same --storage.path and --config.file; or before the first start. What it learns lies in a directory of its own until all of it has been read: then
the running Wrackline takes it over within some seconds, with everything that was sent to it meanwhile. Senders are told to come again for that moment, and nothing is lost. Stopped or cut off, it
goes on from where it was when it is started again, as the same sender and cluster. Series must be what remote write sends: write_relabel_configs that change labels are not known to the source.
`

const (
	historyDir   = "history"       // below the data directory
	historyReady = "ready"         // a file in it: everything has been read
	historyStep  = int64(15_000)   // of time that is folded at once, ms
	historySlice = int64(7200_000) // of time that is read at once, ms
	historyBack  = int64(60_000)   // what is newer than that before now is left to remote write, ms
	historyTries = 6               // of a slice, before it is given up for now
	historySave  = 20 * time.Second
)

// What of a step goes into one request: well within what a decoder takes, however large the cluster is. Variables for tests.
var (
	requestSeries  = 10_000
	requestSamples = 50_000
	requestBytes   = 4 << 20 // the configuration may allow less
)

// historyRead is how far a backfill has come; it is a section of its checkpoints.
type historyRead struct {
	Source        string
	Sender        string // under which its series are learned …
	Cluster       string // … and of which cluster: halves under two would be two
	named         bool   // the two are known: version 1 did not keep them
	From, Reached int64  // Unix ms: where it began, and up to where everything has been folded
	Samples       int64
}

const sectionHistory = "history" // version 2: source, sender, cluster, whether these are known, from, reached, samples; version 1 has no sender and no cluster

func (h *historyRead) append(dst []byte) []byte {
	w := codec.Writer{B: dst}
	w.Num(2)
	for _, s := range []string{h.Source, h.Sender, h.Cluster} {
		w.String(s)
	}
	w.Bool(h.named)
	for _, v := range []int64{h.From, h.Reached, h.Samples} {
		w.Int(v)
	}
	return w.B
}

var errHistory = errors.New("how far a backfill has come is damaged, or of a newer program")

func readHistory(b []byte) (*historyRead, error) {
	if b == nil {
		return nil, nil
	}
	r := codec.NewReader(b, errHistory)
	version := r.Section(2)
	h := &historyRead{Source: r.String()}
	if version > 1 {
		h.Sender, h.Cluster, h.named = r.String(), r.String(), r.Bool()
	}
	for _, v := range []*int64{&h.From, &h.Reached, &h.Samples} {
		*v = r.Int()
	}
	if r.Left() > 0 || h.Reached < h.From || h.From <= 0 {
		r.Fail()
	}
	return h, r.Err()
}

// backfill reads history into a fold.
type backfill struct {
	a       *app
	source  *history.Source
	metrics []string
	sender  string        // "" = that of the backfill that is gone on with, or else what find finds
	cluster string        // "" likewise, or else none
	find    func() string // a sender
	rate    float64       // samples a second at most
	days    float64
	now     func() time.Time
	out     io.Writer
	retry   time.Duration // between the first two tries
	slice   int64         // of time that is read at once, ms

	h       *historyRead
	found   map[string]bool // metrics that have samples
	series  int             // of the newest slice
	begun   time.Time
	before  int64 // samples of earlier runs
	told    time.Time
	saved   time.Time
	decoder *ingest.Decoder
	limits  ingest.Limits     // the decoder's
	labels  map[string][]byte // as the wire has them
}

func runBackfill(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "backfill")
	f := &serveFlags{}
	fs.StringVar(&f.configFile, "config.file", "", "configuration `file` of serve")
	fs.StringVar(&f.dir, "storage.path", "data", "`directory` of serve")
	fs.StringVar(&f.level, "log.level", "warn", "least severe `level` to log")
	var o history.Options
	var header, passwordFile, bearerFile string
	fs.StringVar(&o.URL, "from", "", "`address` of the source")
	fs.StringVar(&o.Kind, "kind", history.Prometheus, "prometheus or victoriametrics")
	fs.StringVar(&bearerFile, "bearer-token-file", "", "`file` with a token")
	fs.StringVar(&o.User, "user", "", "`name` for basic auth")
	fs.StringVar(&passwordFile, "password-file", "", "`file` with its password")
	fs.StringVar(&header, "header", "", "further `name=value`, several with commas between, such as X-Scope-OrgID=tenant")
	fs.StringVar(&o.CAFile, "ca-file", "", "PEM `file` of who signed the source's certificate")
	fs.BoolVar(&o.Insecure, "insecure-skip-verify", false, "do not check the source's certificate")
	fs.DurationVar(&o.Timeout, "timeout", 2*time.Minute, "of one answer")
	b := &backfill{now: time.Now, out: e.stderr, retry: 2 * time.Second, slice: historySlice}
	fs.Float64Var(&b.days, "days", 14, "how far back")
	fs.StringVar(&b.cluster, "cluster", "", "`name` of the cluster, where a token or ?cluster= gives it to what the source sends")
	fs.StringVar(&b.sender, "sender", "", "`name` under which Wrackline knows the source as a sender (see its status page); by default the only one there is, or the source's address")
	fs.Float64Var(&b.rate, "samples-per-second", 1e6, "most that are read a second")
	server := fs.String("server", "http://127.0.0.1:9099", "`address` of serve, asked for its senders")
	if err := parseFlags(e, fs, args); err != nil {
		return err
	}
	if o.URL == "" || fs.NArg() > 0 || !(b.days > 0 && b.days <= 400) || !(b.rate >= 1) {
		return usagef("want --from URL, --days up to 400 and --samples-per-second from 1 on")
	}
	for file, to := range map[string]*string{bearerFile: &o.Bearer, passwordFile: &o.Password} {
		if file != "" {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			*to = strings.TrimSpace(string(text))
		}
	}
	o.Headers = map[string]string{}
	for _, h := range strings.Split(header, ",") {
		if name, value, ok := strings.Cut(strings.TrimSpace(h), "="); ok {
			o.Headers[name] = value
		} else if h != "" {
			return usagef("--header: %q is no name=value", h)
		}
	}
	cfg, log, err := f.load(e.stderr)
	if err != nil {
		return err
	}
	guard := sourceGuard(&cfg)
	o.Control = guard.Control
	if b.source, err = history.Open(o); err != nil {
		return usagef("--from: %v", err)
	}
	b.find = func() string { return senderOf(ctx, *server, o.URL) }
	if err := b.run(ctx, cfg, f.dir, log); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "Read up to %s: %d samples, %d of %d metrics have some, %d signals. A Wrackline that runs on this --storage.path takes it over within some seconds, another one when it starts.\n",
		progressDate(b.h.Reached), b.h.Samples, len(b.found), len(b.metrics), b.a.engine.Stats().Signals)
	return nil
}

// sourceGuard keeps a backfill from what only a mistake or an attack points at. A source inside is normal, whatever receivers may reach.
func sourceGuard(cfg *config) notify.Guard { return notify.Guard{Allow: cfg.guard().Allow} }

// senderOf returns the name under which the source is known as a sender: that of the only sender that a running server has, else the source's address as it would be seen.
func senderOf(ctx context.Context, server, source string) string {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(server, "/")+"/api/v1/status/senders", nil); err == nil {
		if resp, err := http.DefaultClient.Do(r); err == nil {
			defer resp.Body.Close()
			var list struct {
				Data []struct {
					Name string `json:"name"`
				} `json:"data"`
			}
			if json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&list) == nil && len(list.Data) == 1 {
				return list.Data[0].Name
			}
		}
	}
	u, err := url.Parse(source)
	if err != nil {
		return ""
	}
	if list, err := net.DefaultResolver.LookupIPAddr(ctx, u.Hostname()); err == nil && len(list) > 0 {
		for _, x := range list {
			if x.IP.To4() != nil {
				return x.IP.String()
			}
		}
		return list[0].IP.String()
	}
	return u.Hostname()
}

// openHistory opens the fold of a backfill, which tells nobody.
func openHistory(cfg config, dir string, log *slog.Logger) (*app, error) {
	cfg.Storage.BacktestMax = 0
	cfg.Receivers, cfg.Route, cfg.Alerting.Heartbeat = nil, nil, config{}.Alerting.Heartbeat
	return openApp(cfg, filepath.Join(dir, historyDir), log)
}

// run reads until nothing is left to read, and leaves the directory ready to be taken over. An error leaves it as it stood at the last checkpoint, to go on from; nothing where nothing was read.
func (b *backfill) run(ctx context.Context, cfg config, dir string, log *slog.Logger) (err error) {
	ready := filepath.Join(dir, historyDir, historyReady)
	if _, err := os.Stat(ready); err == nil {
		return fmt.Errorf("%s: a backfill is complete and has not been taken over yet: start Wrackline, or remove %s", ready, filepath.Dir(ready))
	}
	a, err := openHistory(cfg, dir, log)
	if err != nil {
		return err
	}
	b.a, b.h = a, a.history
	whole := false
	defer func() {
		if !whole && b.h != nil && b.h.Samples == 0 { // there is nothing to go on from, and a source that has something begins at the beginning
			err = errors.Join(err, a.journal.Close(), a.store.Close(), os.RemoveAll(filepath.Dir(ready)))
			return
		}
		if whole || b.h == nil { // nothing half is kept of what was not begun
			if err = errors.Join(err, a.journal.Close(), a.store.Close()); err == nil && whole { // now: who takes it over opens it
				err = os.WriteFile(ready, fmt.Appendf(nil, "%d\n", b.h.Reached), 0o600)
			}
		} else {
			err = errors.Join(err, b.save(a.store.SaveFirst), a.journal.Close(), a.store.Close())
		}
	}()
	b.metrics = pack.KeepList(*a.packs.Load())
	b.found, b.labels = map[string]bool{}, map[string][]byte{}
	b.limits = cfg.limits()
	b.decoder = ingest.NewKeyedDecoder(b.limits, a.keyer)
	b.begun, b.saved = time.Now(), time.Now()
	now := b.now().UnixMilli()
	switch {
	case b.h != nil && b.h.Source != b.source.Address():
		was := b.h.Source
		b.h = nil
		return fmt.Errorf("a backfill from %s is under way: go on with it, or remove %s", was, filepath.Dir(ready))
	case b.h != nil:
		if err := b.same(filepath.Dir(ready)); err != nil {
			b.h = nil
			return err
		}
		b.before = b.h.Samples
		fmt.Fprintf(b.out, "backfill: going on from %s\n", progressDate(b.h.Reached))
	default:
		from := now - int64(b.days*86400e3)
		from -= from % b.slice
		if err := b.probe(ctx, now); err != nil {
			return err
		}
		if b.sender == "" {
			b.sender = b.find()
		}
		b.h = &historyRead{Source: b.source.Address(), Sender: b.sender, Cluster: b.cluster, named: true, From: from, Reached: from}
	}
	for slice := b.slice; ; {
		end := min(b.h.Reached-b.h.Reached%slice+slice, b.now().UnixMilli()-historyBack)
		end -= end % historyStep
		if end-b.h.Reached < historyStep {
			break
		}
		span, err := b.read(ctx, b.h.Reached, end)
		if errors.Is(err, history.ErrLarge) && slice > 4*historyStep {
			slice = slice / 2 / historyStep * historyStep
			continue
		}
		if err != nil {
			return err
		}
		if err := b.fold(ctx, span, end); err != nil {
			return err
		}
		if time.Since(b.saved) > historySave {
			if err := b.save(a.store.Save); err != nil {
				return err
			}
		}
	}
	if b.h.Samples == 0 {
		return fmt.Errorf("%s has no sample of any of the %d metrics that are looked at, in %v days", b.source.Address(), len(b.metrics), b.days)
	}
	if err := b.save(a.store.SaveFirst); err != nil {
		return err
	}
	whole = true
	return nil
}

// same takes the names of the backfill that is gone on with where none are given, and returns why others are not taken.
func (b *backfill) same(dir string) error {
	if !b.h.named { // by version 1
		if b.sender == "" {
			b.sender = b.find()
		}
		b.h.Sender, b.h.Cluster, b.h.named = b.sender, b.cluster, true
		return nil
	}
	for _, x := range []struct {
		flag string
		was  string
		now  *string
	}{{"--sender", b.h.Sender, &b.sender}, {"--cluster", b.h.Cluster, &b.cluster}} {
		if *x.now != "" && *x.now != x.was {
			return fmt.Errorf("the backfill that is under way has %s %q, and this one %q, so that one half would be learned as another's: go on with the same, or without %s, or remove %s to begin again", x.flag, x.was, *x.now, x.flag, dir)
		}
		*x.now = x.was
	}
	return nil
}

// probe asks for the newest minutes, so that a wrong address, tenant or token is known before anything is made.
func (b *backfill) probe(ctx context.Context, now int64) error {
	span, err := b.read(ctx, now-5*60_000, now)
	if err == nil && span.Series() == 0 {
		span, err = b.read(ctx, now-int64(min(b.days, 1)*86400e3), now)
	}
	if errors.Is(err, history.ErrLarge) {
		return nil
	}
	if err != nil {
		return err
	}
	if span.Series() == 0 {
		return fmt.Errorf("%s answers, and has none of the %d metrics that are looked at: is it the right one, and the right tenant (--header)? wrackline packs metrics lists them", b.source.Address(), len(b.metrics))
	}
	span.Metrics(b.found)
	if n := len(b.found); n*2 < len(b.metrics) {
		fmt.Fprintf(b.out, "backfill: the source has %d of the %d metrics that are looked at; the rest is learned when it comes\n", n, len(b.metrics))
	}
	return nil
}

// read reads a slice, again where that may help.
func (b *backfill) read(ctx context.Context, from, to int64) (*history.Span, error) {
	for try := 1; ; try++ {
		span, err := b.source.Read(ctx, b.metrics, from, to)
		var e *history.Error
		if err == nil || ctx.Err() != nil || !errors.As(err, &e) || !e.Temporary || try == historyTries {
			return span, err
		}
		wait := b.retry << (try - 1)
		fmt.Fprintf(b.out, "backfill: %v; again in %v\n", err, wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// fold folds a slice up to end, which has been read as a whole.
func (b *backfill) fold(ctx context.Context, span *history.Span, end int64) error {
	b.series = span.Series()
	span.Metrics(b.found)
	var message, body []byte
	most := min(int64(requestBytes), b.limits.BodyMax/2, b.limits.DecodedMax/2)
	for t := b.h.Reached + historyStep; t <= end; t += historyStep {
		message = message[:0]
		n, list, held := 0, 0, 0 // samples of the step; series and samples of the request
		var err error
		send := func() {
			if held > 0 && err == nil {
				body = wire.AppendBody(body[:0], message)
				batch := series.Batch{Sender: b.sender, Cluster: b.cluster, ReceivedMs: t}
				if _, err = b.decoder.Decode(ingest.V1, ingest.Snappy, body, &batch); err == nil {
					b.a.engine.Apply(&batch, 0)
				}
			}
			message, list, held = message[:0], 0, 0
		}
		span.Until(t, func(i int, l series.Labels, samples []series.Sample) {
			if list >= requestSeries || held+len(samples) > requestSamples || int64(len(message)) >= most {
				send()
			}
			message = wire.AppendSeries(message, b.wired(l), samples)
			n, list, held = n+len(samples), list+1, held+len(samples)
		})
		if send(); err != nil {
			return fmt.Errorf("fifteen seconds of %d samples: %w", n, err)
		}
		b.h.Reached, b.h.Samples = t, b.h.Samples+int64(n)
		b.progress()
		if ahead := time.Duration(float64(b.h.Samples-b.before)/b.rate*1e9) - time.Since(b.begun); ahead > 10*time.Millisecond {
			select {
			case <-time.After(ahead):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// wired returns a series' labels as the wire has them, made once.
func (b *backfill) wired(l series.Labels) []byte {
	key := l.String()
	w := b.labels[key]
	if w == nil {
		for _, x := range l {
			w = wire.AppendLabel(w, x.Name, x.Value)
		}
		if len(b.labels) >= 1<<20 {
			clear(b.labels)
		}
		b.labels[key] = w
	}
	return w
}

// save writes a checkpoint with how far it has come.
func (b *backfill) save(by func(store.Checkpoint) error) error {
	b.a.fold.Lock()
	c := b.a.freeze()
	b.a.fold.Unlock()
	c.Sections[sectionHistory] = b.h.append(nil)
	b.saved = time.Now()
	return b.a.saveBy(by, c)
}

// progress says how far it is, every two seconds.
func (b *backfill) progress() {
	if time.Since(b.told) < 2*time.Second {
		return
	}
	b.told = time.Now()
	took := time.Since(b.begun)
	all, done := float64(b.now().UnixMilli()-b.h.From), float64(b.h.Reached-b.h.From)
	left := "…"
	if run := b.h.Samples - b.before; run > 0 && done > 0 {
		left = (time.Duration(float64(took) * (all - done) / done)).Round(time.Second).String()
	}
	fmt.Fprintf(b.out, "backfill: %s, %.0f %%, %d samples (%.0f a second), %d series, about %s left\n", progressDate(b.h.Reached), 100*done/all, b.h.Samples,
		float64(b.h.Samples-b.before)/took.Seconds(), b.series, left)
}
