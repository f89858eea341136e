package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	ossignal "os/signal"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/ingest"
)

// setReceivers opens an outbox for the receivers of cfg and puts it in the place of the present one. What waits for
// delivery is in the store, so it passes from one to the other.
func (a *app) setReceivers(cfg *config) error {
	if old := a.outbox.Load(); old != nil {
		if waiting, _ := old.Held(); waiting > 0 {
			return fmt.Errorf("%d notifications wait in memory for the disk; receivers cannot be replaced now", waiting)
		}
	}
	b, err := notify.Open(notify.Options{DB: a.store.DB(), Receivers: cfg.Receivers, ExternalURL: cfg.Alerting.ExternalURL,
		ProxyFromEnvironment: cfg.Alerting.Outlet.ProxyFromEnvironment, UserAgent: "Wrackline/" + buildVersion(), Guard: cfg.guard(), Log: a.log})
	if err == nil {
		a.outbox.Store(b)
	}
	return err
}

// setHerald opens the lane beside the outbox and the heartbeat for cfg, in the place of the present ones, which must not run.
func (a *app) setHerald(cfg *config) error {
	o := notify.Options{Receivers: cfg.Receivers, ExternalURL: cfg.Alerting.ExternalURL, ProxyFromEnvironment: cfg.Alerting.Outlet.ProxyFromEnvironment,
		UserAgent: "Wrackline/" + buildVersion(), Guard: cfg.guard(), Log: a.log}
	h, err := notify.NewHerald(o)
	if err != nil {
		return err
	}
	heart, err := notify.NewHeart(notify.HeartOptions{HeartConfig: cfg.Alerting.Heartbeat.config(), Interval: time.Duration(cfg.Alerting.Heartbeat.Interval), Alive: a.self.alive, Outlet: o})
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

// setDoor makes the remote-write door anew, with the tokens and limits of cfg.
func (a *app) setDoor(cfg *config) error {
	tokens, err := cfg.tokens()
	if err != nil {
		return err
	}
	a.door.Store(ingest.NewHandler(ingest.Options{Appender: a, Limits: cfg.limits(), Keyer: a.keyer, Tokens: tokens, Logger: a.log, Heard: a.heard,
		Now: func() time.Time { return a.now() }, Ready: a.ready.Load}))
	return nil
}

// runReloads reloads the configuration at every SIGHUP until ctx ends.
func (a *app) runReloads(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	ossignal.Notify(hup, syscall.SIGHUP)
	defer ossignal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			if note, err := a.reload(); err != nil {
				a.log.Error("configuration not reloaded; the one before is in force", "err", err)
			} else {
				a.log.Info("configuration reloaded", "note", note)
			}
		}
	}
}

// serveReload answers POST /-/reload.
func (a *app) serveReload(w http.ResponseWriter, _ *http.Request) {
	note, err := a.reload()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	io.WriteString(w, "Configuration reloaded.\n"+note)
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
	defer func() {
		if err != nil {
			text := err.Error()
			a.reloadErr.Store(&text)
			return
		}
		a.reloadErr.Store(nil)
		a.reloadedMs.Store(time.Now().UnixMilli())
	}()
	if a.stopOutbox == nil {
		return "", errStarting
	}
	if a.file == "" {
		return "", fmt.Errorf("no configuration file to reload: start with --config.file")
	}
	next, err := loadConfig(a.file)
	if err != nil {
		return "", err
	}
	packs, err := next.packs()
	if err != nil {
		return "", err
	}
	old := a.cfg.Load()
	var fixed []string
	for _, part := range []struct {
		key       string
		old, next any
	}{
		{"signals.default_cluster", old.Signals.DefaultCluster, next.Signals.DefaultCluster}, {"storage", old.Storage, next.Storage},
		{"ingest.sync", old.Ingest.Sync, next.Ingest.Sync}, {"ingest.journal_max", old.Ingest.JournalMax, next.Ingest.JournalMax},
	} {
		if !reflect.DeepEqual(part.old, part.next) {
			fixed = append(fixed, part.key)
		}
	}
	merged := next
	merged.Storage, merged.Ingest.Sync, merged.Ingest.JournalMax = old.Storage, old.Ingest.Sync, old.Ingest.JournalMax
	merged.Signals.DefaultCluster = old.Signals.DefaultCluster
	loc, err := time.LoadLocation(merged.Signals.Timezone)
	if err != nil {
		return "", err
	}
	// A pack's file may have changed although its name in the configuration has not.
	asks := !reflect.DeepEqual(old.Signals, merged.Signals) || !samePacks(*a.packs.Load(), packs)

	// What the old outbox takes after its end is in the store, where the new one finds it; the fold waits only while they change places.
	a.checkpointMu.Lock()
	defer a.checkpointMu.Unlock()
	a.stopOutbox()
	a.fold.Lock()
	var commit func() baseline.ReloadResult
	if asks {
		commit, err = a.engine.Reload(a.streamOptions(&merged, packs), loc)
	}
	if err == nil {
		err = a.setReceivers(&merged)
	}
	var res baseline.ReloadResult
	var checkpoint store.Checkpoint
	if err == nil {
		a.manager.SetNotificationsPerDay(merged.Alerting.NotificationsPerDay)
		a.engine.SetBudget(merged.Alerting.FalseAlarmsPerWeek)
		if asks {
			res = commit()
			a.manager.SetRules(rulesOf(packs))
			a.packs.Store(&packs)
			a.engine.Publish()
			checkpoint = a.freeze()
		}
	}
	a.fold.Unlock()
	a.stopOutbox = a.startRun(a.outbox.Load().Run)
	if err != nil {
		return "", err
	}
	if asks {
		a.log.Info("rules reloaded", "signals", res.Kept, "dropped", res.Dropped)
		note = fmt.Sprintf("Rules are in force: %d signals go on, %d are dropped.\n", res.Kept, res.Dropped)
		if err := a.save(checkpoint); err != nil { // the next one will do; the status page says so
			a.log.Error("no checkpoint after the reload", "err", err)
		}
	}
	a.cfg.Store(&merged)
	if err := a.replaceHerald(&merged); err != nil {
		return "", err
	}
	if err := a.setDoor(&merged); err != nil {
		return "", err
	}
	if len(fixed) > 0 {
		note += "Changes to " + strings.Join(fixed, ", ") + " take effect at the next start.\n"
	}
	return note, nil
}
