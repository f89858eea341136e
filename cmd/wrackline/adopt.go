package main

// How what a backfill has learned takes the place of what was learned without it: between two lives of serve, so that nothing is folded meanwhile and senders come again.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/baseline/store/disk"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
)

// errHistoryRead ends a life of serve: a backfill has read all that there is.
var errHistoryRead = errors.New("history has been read")

// historyEvery is how often serve looks whether a backfill is complete. A variable for tests.
var historyEvery = 2 * time.Second

// awaitHistory tells when a backfill is complete, once; not of one that this life could not take over, which waits for the next start.
func (a *app) awaitHistory(ctx context.Context, found chan<- error) {
	if a.historyWaits {
		return
	}
	every(ctx, historyEvery, func() {
		if _, err := os.Stat(filepath.Join(a.dir, historyDir, historyReady)); err == nil {
			select {
			case found <- errHistoryRead:
			default:
			}
		}
	})
}

// notHistory is a fault that is none of a backfill's own.
type notHistory struct{ error }

// Unwrap implements the interface of package errors.
func (e notHistory) Unwrap() error { return e.error }

// keeps reports whether a backfill that could not be taken over because of err may be at another start: who was told to stop, what lies outside its directory, and what may pass say nothing of it.
func keeps(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.As(err, new(notHistory)) || transient(err) || disk.Is(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM) ||
		errors.Is(err, fs.ErrPermission) || errors.Is(err, store.ErrInUse) || errors.Is(err, journal.ErrLocked)
}

// adoptHistory takes a complete backfill over, when there is one. One that is no good is put aside; when something else is in the way it stays where it is for the next start, which waits tells. Then
// everything is as it was.
func adoptHistory(ctx context.Context, cfg config, dir string, log *slog.Logger) (waits bool) {
	from := filepath.Join(dir, historyDir)
	if _, err := os.Stat(filepath.Join(from, historyReady)); err != nil {
		return false
	}
	begun := time.Now()
	if err := adopt(ctx, cfg, dir, log); err != nil {
		if keeps(ctx, err) {
			if ctx.Err() == nil {
				log.Error("what a backfill has learned cannot be taken over now; it is tried again at the next start, and what was learned without it stays", "err", err)
			}
			return true
		}
		log.Error("what a backfill has learned cannot be taken over; it is put aside, and what was learned without it stays", "err", err)
		aside := from + ".failed"
		if err := errors.Join(os.RemoveAll(aside), os.Rename(from, aside)); err != nil {
			log.Error("it cannot be put aside either: remove it", "path", from, "err", err)
			return true
		}
		return false
	}
	log.Info("what a backfill has learned has been taken over", "took", time.Since(begun).Round(time.Millisecond))
	return false
}

func adopt(ctx context.Context, cfg config, dir string, log *slog.Logger) (err error) {
	quiet := slog.New(slog.DiscardHandler)
	if _, err := cfg.packs(); err != nil {
		return notHistory{err}
	}
	b, err := openHistory(cfg, dir, quiet)
	if err != nil {
		return err
	}
	closeB := func() error { return errors.Join(b.journal.Close(), b.store.Close()) }
	if b.history == nil {
		return errors.Join(errors.New("its checkpoint does not say how far it came"), closeB())
	}
	kept := store.Checkpoint{Pos: b.engine.Pos()}
	if _, err := os.Stat(filepath.Join(dir, "wrackline.db")); err == nil {
		if kept, err = b.catchUp(ctx, cfg, dir, log); err != nil {
			return errors.Join(err, closeB())
		}
	}
	// Both generations, so that the journal behind them is all that a start needs; the last into the store itself.
	for _, save := range []func(store.Checkpoint) error{b.store.Save, b.store.SaveFirst} {
		c := b.freeze()
		c.Pos = kept.Pos
		c.Sections[sectionHistory] = b.history.append(nil) // should this be cut off, it begins again
		for _, name := range []string{sectionAlerting, sectionActs, sectionWatch, sectionLag} {
			if x, ok := kept.Sections[name]; ok {
				c.Sections[name] = x
			}
		}
		if err := save(c); err != nil {
			return errors.Join(err, closeB())
		}
	}
	if err := closeB(); err != nil {
		return err
	}
	if err := pastBreak(dir, time.Now().UnixMilli(), kept.Pos, "a backfill was taken over"); err != nil {
		log.Warn("what was kept for backtests cannot be removed", "err", err)
	}
	if err := takePlace(dir); err != nil {
		return notHistory{err}
	}
	return nil
}

// catchUp folds what has been sent since history ends and tells nobody of it. It returns the state of the fold that it replaces as of the newest request, of which incidents, acts and what is known of
// senders are kept; messages that wait are copied.
func (a *app) catchUp(ctx context.Context, cfg config, dir string, log *slog.Logger) (kept store.Checkpoint, err error) {
	old, err := openApp(cfg, dir, log)
	if err != nil {
		return kept, notHistory{err}
	}
	folded := false
	defer func() {
		if e := old.close(folded); e != nil {
			err = errors.Join(err, notHistory{e})
		}
	}()
	if err := old.replayJournal(ctx); err != nil {
		return kept, notHistory{err}
	}
	folded = true
	a.engine.Publish() // surveys are of what was published
	old.engine.Publish()
	if lost := onlyIn(old.engine, a.engine); len(lost) > 0 {
		return kept, fmt.Errorf("the source holds nothing of %s, and what is known of it would be lost: read from a source that holds it too, or have it forgotten first (wrackline forget cluster NAME)", strings.Join(lost, ", "))
	}
	// Requests since then hold all that is newer than history, and senders repeat nothing older; what both hold is seen twice and counted once.
	since, first := a.history.Reached-undoneBelow, int64(0)
	limits, before := cfg.limits(), a.engine.Pos()
	err = decodeAhead(ctx, old.journal, 0, func() *ingest.Decoder { return ingest.NewKeyedDecoder(limits, a.keyer) }, func(ready []*decoded) {
		var jobs []baseline.Job
		for _, x := range ready {
			if x.err != nil || x.said != nil || x.pos <= before || x.record.ReceivedMs < since {
				continue
			}
			if first == 0 {
				first = x.record.ReceivedMs
			}
			jobs = append(jobs, baseline.Job{Batch: &x.batch, Pos: x.pos})
		}
		if len(jobs) > 0 {
			a.engine.ApplyAll(jobs, sideBySide)
		}
	})
	if err != nil {
		return kept, notHistory{err}
	}
	if gap := first - a.history.Reached; first > 0 && gap > historyGap {
		log.Warn("between what a backfill has read and the oldest request that the journal has lies a gap; nothing is learned of it", "gap", time.Duration(gap)*time.Millisecond)
	}
	for _, x := range old.acts.View().All() { // levels that people have called normal; where no alarm stands on one, it has been learned
		if x.Kind == act.Level {
			if err := a.engine.Accept(x.Signal); err != nil && !errors.Is(err, baseline.ErrNoLevel) && !errors.Is(err, baseline.ErrNoSignal) {
				return kept, err
			}
		}
	}
	if err := notify.CopyOutbox(old.store.DB(), a.store.DB()); err != nil {
		return kept, notHistory{err}
	}
	return old.freeze(), nil
}

// onlyIn returns the clusters of which a has signals and b has not a sample, by name.
func onlyIn(a, b *baseline.Engine) (names []string) {
	has := map[string]bool{}
	for _, c := range b.Stats().Clusters {
		has[c.Name] = true
	}
	for _, c := range a.Stats().Clusters {
		if c.Signals > 0 && !has[c.Name] {
			names = append(names, "cluster "+c.Name)
		}
	}
	return names
}

const (
	undoneBelow = int64(30_000)  // ms: a stamp that lies further back than a minute would be taken for a clock that was set back
	historyGap  = int64(180_000) // ms that nobody misses
)

// takePlace puts the files of a backfill in the place of those of before, which are kept under other names until the next time. Whenever it is cut off, what lies there is one or the other: the twin goes
// first, and the store alone is a whole state.
func takePlace(dir string) error {
	name := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	aside := func(file string) error {
		err := os.Rename(name(file), name(file+".before-history"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if err := aside(store.TwinName); err != nil {
		return err
	}
	if err := os.Link(name("wrackline.db"), name("wrackline.db.before-history.tmp")); err == nil {
		if err := os.Rename(name("wrackline.db.before-history.tmp"), name("wrackline.db.before-history")); err != nil {
			return err
		}
	}
	if err := os.Rename(name(historyDir, "wrackline.db"), name("wrackline.db")); err != nil {
		return fmt.Errorf("%w; what was learned before is in %s.before-history", err, name(store.TwinName))
	}
	if err := os.Rename(name(historyDir, store.TwinName), name(store.TwinName)); err != nil {
		return err
	}
	return os.RemoveAll(name(historyDir))
}
