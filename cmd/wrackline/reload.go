package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"syscall"
	"time"

	"github.com/wrackline/wrackline/alerting/notify"
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

// setDoor makes the remote-write door anew, with the tokens and limits of cfg.
func (a *app) setDoor(cfg *config) error {
	tokens, err := cfg.tokens()
	if err != nil {
		return err
	}
	a.door.Store(ingest.NewHandler(ingest.Options{Appender: a, Limits: cfg.limits(), Tokens: tokens, Logger: a.log,
		Now: func() time.Time { return a.now() }, Ready: a.ready.Load}))
	return nil
}

// runReloads reloads the configuration at every SIGHUP until ctx ends.
func (a *app) runReloads(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
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

// reload reads the configuration again. Receivers, tokens, limits of requests and the noise contract take effect at once; of
// anything else that differs, note says that it needs a restart. After an error nothing has changed.
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
		return "", fmt.Errorf("still starting")
	}
	if a.file == "" {
		return "", fmt.Errorf("no configuration file to reload: start with --config.file")
	}
	next, err := loadConfig(a.file)
	if err != nil {
		return "", err
	}
	// Packs are read at the next start only; a fault in them should not wait until then.
	if _, err := next.packs(); err != nil {
		return "", err
	}
	old := a.cfg.Load()
	var fixed []string
	for _, part := range []struct {
		key       string
		old, next any
	}{
		{"signals", old.Signals, next.Signals}, {"packs", old.Packs, next.Packs}, {"track", old.Track, next.Track}, {"storage", old.Storage, next.Storage},
		{"ingest.sync", old.Ingest.Sync, next.Ingest.Sync}, {"ingest.journal_max", old.Ingest.JournalMax, next.Ingest.JournalMax},
	} {
		if !reflect.DeepEqual(part.old, part.next) {
			fixed = append(fixed, part.key)
		}
	}
	merged := *old
	merged.Ingest.BodyMax, merged.Ingest.DecodedMax, merged.Ingest.Tokens = next.Ingest.BodyMax, next.Ingest.DecodedMax, next.Ingest.Tokens
	merged.Alerting, merged.Receivers = next.Alerting, next.Receivers

	// What the old outbox takes after its end is in the store, where the new one finds it; the fold waits only while they change places.
	a.stopOutbox()
	a.fold.Lock()
	err = a.setReceivers(&merged)
	if err == nil {
		a.manager.SetNotificationsPerDay(merged.Alerting.NotificationsPerDay)
	}
	a.fold.Unlock()
	a.stopOutbox = a.startRun(a.outbox.Load().Run)
	if err != nil {
		return "", err
	}
	if err := a.setDoor(&merged); err != nil {
		return "", err
	}
	a.cfg.Store(&merged)
	if len(fixed) > 0 {
		note = "Changes to " + strings.Join(fixed, ", ") + " take effect at the next start.\n"
	}
	return note, nil
}
