package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ui"
)

// setReceivers opens an outbox for the receivers of cfg and puts it in the place of the present one. What waits for
// delivery is in the store, so it passes from one to the other.
func (a *app) setReceivers(cfg *config) error {
	if old := a.outbox.Load(); old != nil {
		if waiting, _ := old.Held(); waiting > 0 {
			return fmt.Errorf("%d notifications wait in memory for the disk; receivers cannot be replaced now: %w", waiting, errNotReady)
		}
	}
	o := cfg.told()
	o.DB, o.Idle, o.Log = a.store.DB(), a.reading.Load() != nil, a.log
	o.Current = func(id string) (*alerting.Incident, bool) {
		if a.manager == nil { // nothing is sent before the fold is there
			return nil, false
		}
		return a.manager.Incident(id)
	}
	o.Holder = func(incident string) (string, int64) {
		if a.acts == nil {
			return "", 0
		}
		if x := a.acts.View().Holder(incident); x != nil {
			return x.Who, x.T
		}
		return "", 0
	}
	o.Detours = func(labels map[string]string, t int64) (list []notify.Detour) {
		if a.acts == nil {
			return nil
		}
		for _, x := range a.acts.View().Detours(func(name string) string { return labels[cmp.Or(routeNames[name], name)] }, t) {
			list = append(list, notify.Detour{NotFor: x.NotFor, To: x.To})
		}
		return list
	}
	if a.peer != nil {
		o.Peer, o.PeerWait, o.Judged = a.peer, time.Duration(cfg.HA.Wait), a.judged
	}
	o.Weekly = func() string {
		if a.manager == nil {
			return ""
		}
		return ui.SizesLine(a.engine.View())
	}
	b, err := notify.Open(o)
	if err == nil {
		a.outbox.Store(b)
	}
	return err
}

// routeNames are labels of acts that routes call otherwise.
var routeNames = map[string]string{"signal": "alertname"}

// setHerald opens the lane beside the outbox and the heartbeat for cfg, in the place of the present ones, which must not run.
func (a *app) setHerald(cfg *config) error {
	o := cfg.told()
	o.Log = a.log
	h, err := notify.NewHerald(o)
	if err != nil {
		return err
	}
	heart, err := notify.NewHeart(notify.HeartOptions{HeartConfig: cfg.Alerting.Heartbeat.config(), Interval: cmp.Or(time.Duration(cfg.Alerting.Heartbeat.Interval), time.Minute), Alive: a.self.alive, Outlet: o})
	if err != nil {
		return fmt.Errorf("alerting.heartbeat: %w", err)
	}
	h.OnTold = a.self.remember
	if old := a.herald.Load(); old != nil {
		h.Inherit(old)
	}
	a.herald.Store(h)
	a.heart.Store(heart)
	return nil
}

// replaceHerald is setHerald while they run.
func (a *app) replaceHerald(cfg *config) error {
	if a.stopHerald == nil { // only in tests does an app work that does not serve
		return a.setHerald(cfg)
	}
	a.stopHerald()
	err := a.setHerald(cfg)
	a.stopHerald = a.startRun(a.runHerald)
	return err
}

// runHerald tells what there is to tell of Wrackline itself, and lets its heart beat, until ctx ends.
func (a *app) runHerald(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { a.herald.Load().Run(ctx) })
	if h := a.heart.Load(); h != nil {
		wg.Go(func() { h.Run(ctx) })
	}
	wg.Wait()
}

// waitingText says where messages that waited go under the receivers of now.
func waitingText(b *notify.Outbox) (text string) {
	for _, m := range b.Moved() {
		text += m + "\n"
	}
	for _, x := range b.Astray() {
		text += astrayText(x) + "\n"
	}
	return text
}

// astrayText says what waits for an integration that the configuration no longer has, and how it finds one.
func astrayText(x notify.Astray) string {
	return fmt.Sprintf("%d messages waited for %s, which is no longer configured: they are listed as given up. A receiver of that name, or with that URL, gets those that still matter when it is configured before %s.",
		x.Waiting, x.Integration, alerting.Clock(x.Until.UnixMilli()))
}

// makeDoor makes the remote-write door with the tokens and limits of cfg.
func (a *app) makeDoor(cfg *config) (*ingest.Handler, error) {
	tokens, err := cfg.tokens()
	if err != nil {
		return nil, err
	}
	return ingest.NewHandler(ingest.Options{Appender: a, Limits: cfg.limits(), Keyer: a.keyer, Tokens: tokens, Logger: a.log,
		Heard: a.heard, Clock: a.clock, Ready: a.state, Admits: a.admits, Closed: a.closed}), nil
}

// reloadEvery is how often the files are looked at. One that differs is taken when it is the same at the next look: nobody's editor or kubelet is between two halves of it then.
// A variable for tests.
var reloadEvery = 2 * time.Second

// runReloads reloads the configuration at every signal, and when one of its files has changed, until ctx ends.
func (a *app) runReloads(ctx context.Context, hup <-chan os.Signal) {
	look := time.NewTicker(reloadEvery)
	defer look.Stop()
	var before fingerprint
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			a.reloadLogged("a signal", slog.LevelWarn)
		case <-look.C:
			before = a.lookAtFiles(before)
		}
	}
}

// lookAtFiles reloads when the files of the configuration are not those that were tried last, and are as they were at the look before. It returns how they are.
func (a *app) lookAtFiles(before fingerprint) fingerprint {
	if a.file == "" {
		return before
	}
	now := fingerprintOf(a.file, a.cfg.Load())
	if tried := a.tried.Load(); tried != nil && now != *tried && now == before {
		a.reloadLogged("a file that has changed", slog.LevelDebug) // the next look tries again what cannot be done now
	}
	return now
}

// reloadLogged reloads and logs what came of it; what is only too early with that level.
func (a *app) reloadLogged(why string, early slog.Level) {
	if note, err := a.reload(); errors.Is(err, errNotReady) {
		a.log.Log(context.Background(), early, "configuration not reloaded yet", "because", why, "err", err)
	} else if err != nil {
		a.log.Error("configuration not reloaded; the one before is in force", "because", why, "err", err)
	} else {
		a.log.Info("configuration reloaded", "because", why, "note", note)
	}
}

// fingerprint is a hash of everything that a configuration is read from.
type fingerprint [sha256.Size]byte

// fingerprintOf reads the file of a configuration and those that it names: packs, tokens and receivers' secrets. One that cannot be read is a part of the picture too. Content counts and not
// its time, as Kubernetes exchanges files by exchanging a link.
func fingerprintOf(file string, cfg *config) (out fingerprint) {
	files := append([]string{file, cfg.Web.AdminTokenFile, cfg.HA.TokenFile}, cfg.Packs.Files...)
	files = append(files, cfg.flags.file.Files()...)
	for _, t := range cfg.Web.Tokens {
		files = append(files, t.TokenFile)
	}
	for _, t := range cfg.Ingest.Tokens {
		files = append(files, t.TokenFile)
	}
	h := sha256.New()
	for _, name := range append(files, notify.Files(cfg.Receivers)...) {
		if name == "" {
			continue
		}
		f, err := os.Open(name)
		fmt.Fprintf(h, "%q %t\n", name, err == nil)
		if err != nil {
			continue
		}
		n, err := io.Copy(h, io.LimitReader(f, configMaxBytes+1))
		fmt.Fprintf(h, "\n%d %t\n", n, err == nil)
		f.Close()
	}
	h.Sum(out[:0])
	return out
}

// serveReload answers POST /-/reload.
func (a *app) serveReload(w http.ResponseWriter, _ *http.Request) {
	note, err := a.reload()
	switch {
	case err == nil:
		io.WriteString(w, "Configuration reloaded.\n"+note)
	case errors.Is(err, errNotReady):
		unavailable(w, err)
	default:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// samePacks reports whether two sets of packs ask the same in the same words.
func samePacks(a, b []*pack.Pack) bool {
	text := func(packs []*pack.Pack) string {
		var out strings.Builder
		for _, p := range packs {
			fmt.Fprintf(&out, "%q %q %d\n", p.Name, p.Title, p.Version)
			for _, r := range p.Rules {
				fmt.Fprintf(&out, "%#v\n", *r)
			}
		}
		return out.String()
	}
	return text(a) == text(b)
}

// reload reads the configuration again. Receivers, tokens, limits, the noise contract, packs, track rules and the time zone take
// effect at once; of anything else that differs, note says that it needs a restart. After an error nothing has changed.
//
// A checkpoint is taken before another request is folded, so that what the journal holds beyond it is always replayed with the options
// it was folded with. Only when the process dies before that checkpoint is on disk does the start that follows fold up to a
// checkpoint's interval of requests with the new rules that were folded with the old: the same samples, judged by the file as it is.
func (a *app) reload() (note string, err error) {
	a.reloadMu.Lock()
	defer a.reloadMu.Unlock()
	if a.startRun == nil || a.stopOutbox == nil { // it starts, or stops
		if err := a.working(); err != nil {
			return "", err
		}
		return "", errNotReady
	}
	defer func() {
		if errors.Is(err, errNotReady) {
			return // to be tried again, and no fault of the file's
		}
		if err != nil {
			text := err.Error()
			a.reloadErr.Store(&text)
			return
		}
		a.reloadErr.Store(nil)
		a.reloadedMs.Store(time.Now().UnixMilli())
	}()
	if a.file == "" {
		return "", fmt.Errorf("no configuration file to reload: start with --config.file")
	}
	tried := fingerprintOf(a.file, a.cfg.Load()) // before it is read: what changes meanwhile is seen at the next look
	defer func() {
		if !errors.Is(err, errNotReady) {
			a.tried.Store(&tried)
		}
	}()
	next, err := loadConfig(a.file)
	if err != nil {
		return "", err
	}
	next.obey(a.cfg.Load().flags)
	if err := next.flags.file.Check(); err != nil {
		return "", err
	}
	defer func() {
		if err == nil {
			tried = next.seen // it may name other files
		}
	}()
	packs, err := next.packs()
	if err != nil {
		return "", err
	}
	old := a.cfg.Load()
	merged, fixed := mergeFixed(old, next)
	loc, err := time.LoadLocation(merged.Signals.Timezone)
	if err != nil {
		return "", err
	}
	door, err := a.makeDoor(&merged)
	if err != nil {
		return "", err
	}
	if _, err := merged.gate(a.listening, nil); err != nil {
		return "", err
	}
	// A pack's file may have changed although its name in the configuration has not.
	asks := !reflect.DeepEqual(old.Signals, merged.Signals) || !samePacks(*a.packs.Load(), packs)
	a.checkpointMu.Lock()
	defer a.checkpointMu.Unlock()
	res, checkpoint, err := a.swap(&merged, packs, loc, asks)
	if err != nil {
		return "", err
	}
	if asks {
		a.log.Info("rules reloaded", "signals", res.Kept, "dropped", res.Dropped)
		note = fmt.Sprintf("Rules are in force: %d signals go on, %d are dropped.\n", res.Kept, res.Dropped)
		if err := a.saveBoth(checkpoint); err != nil { // the next one will do; the status page says so
			a.log.Error("no checkpoint after the reload", "err", err)
		}
	}
	a.cfg.Store(&merged)
	a.door.Store(door)
	if err := a.replaceHerald(&merged); err != nil {
		return "", err
	}
	if err := a.setWeb(&merged); err != nil {
		return "", err
	}
	a.noteConfig("the configuration was reloaded")
	note += waitingText(a.outbox.Load())
	if len(fixed) > 0 {
		note += "Changes to " + strings.Join(fixed, ", ") + " take effect at the next start.\n"
	}
	return note, nil
}

// mergeFixed returns the next configuration with what only a start changes as it was, and the keys of that which differ.
func mergeFixed(old *config, next config) (merged config, fixed []string) {
	for _, part := range []struct {
		key       string
		old, next any
	}{
		{"signals.default_cluster", old.Signals.DefaultCluster, next.Signals.DefaultCluster}, {"storage", old.Storage, next.Storage},
		{"ha", old.HA, next.HA},
		{"ingest.sync", old.Ingest.Sync, next.Ingest.Sync}, {"ingest.journal_max", old.Ingest.JournalMax, next.Ingest.JournalMax},
	} {
		if !reflect.DeepEqual(part.old, part.next) {
			fixed = append(fixed, part.key)
		}
	}
	merged = next
	merged.Storage, merged.Ingest.Sync, merged.Ingest.JournalMax = old.Storage, old.Ingest.Sync, old.Ingest.JournalMax
	merged.Signals.DefaultCluster, merged.HA = old.Signals.DefaultCluster, old.HA
	return merged, fixed
}

// swap puts receivers, the noise contract and, where asks says so, rules in the place of the present ones; it is called under reloadMu and checkpointMu. With other rules it returns the state for a checkpoint.
//
// What the old outbox takes after its end is in the store, where the new one finds it; the fold waits only while they change places.
func (a *app) swap(cfg *config, packs []*pack.Pack, loc *time.Location, asks bool) (res baseline.ReloadResult, checkpoint store.Checkpoint, err error) {
	a.stopOutbox()
	defer func() { a.stopOutbox = a.startRun(a.outbox.Load().Run) }()
	a.fold.Lock()
	defer a.fold.Unlock()
	var commit func() baseline.ReloadResult
	if asks {
		if commit, err = a.engine.Reload(a.streamOptions(cfg, packs), loc); err != nil {
			return res, checkpoint, err
		}
	}
	if err = a.setReceivers(cfg); err != nil {
		return res, checkpoint, err
	}
	a.manager.SetNotificationsPerDay(cfg.Alerting.NotificationsPerDay)
	a.manager.SetPagesPerDay(cfg.Alerting.PagesPerDay)
	a.engine.SetBudget(cfg.Alerting.FalseAlarmsPerWeek)
	if asks {
		res = commit()
		a.manager.SetRules(rulesOf(packs))
		a.packs.Store(&packs)
		a.engine.Publish()
		checkpoint = a.freeze()
	}
	return res, checkpoint, nil
}
