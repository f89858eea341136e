package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/alerting/peer"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
	"github.com/wrackline/wrackline/query"
	"github.com/wrackline/wrackline/ui"
	"github.com/wrackline/wrackline/web"
)

// app is everything that serve and demo run: one store, one journal, one fold, and what looks at them.
type app struct {
	dir     string
	log     *slog.Logger
	store   *store.Pair
	journal *journal.Journal
	bench   bench    // backtests
	past    *archive // what is kept for backtests; nil = nothing
	engine  *baseline.Engine
	manager *alerting.Manager
	acts    *act.Book     // what people have said; the fold's, but for its View
	salt    series.Salt   // of the installation's keys of series, for its life
	keyer   *series.Keyer // made with it
	started time.Time
	born    time.Time        // when the first life of the process began
	now     func() time.Time // the machine's clock; the demo's runs at its own speed
	clock   *ingest.Clock    // the receive clock, made of it

	// fold is held by everything that changes engine and manager. Neither door nor pages that show what is published wait for it.
	fold      sync.Mutex
	line      *line         // requests that are in the journal and not in the fold yet
	intake    intake        // what became of requests behind the door
	undecoded atomic.Int64  // requests of the journal that the start skipped
	heard     *ingest.Heard // who was heard from at it
	self      *self         // the watch over Wrackline itself
	watch     *watcher      // of senders that fall silent
	lag       *laggards     // senders that stay behind

	query *query.API // PromQL over what is known

	// What a reload replaces. The outbox is replaced under fold, so that no notification falls between two.
	file       string // of the configuration; "" = none
	reloadMu   sync.Mutex
	cfg        atomic.Pointer[config]
	packs      atomic.Pointer[[]*pack.Pack]
	door       atomic.Pointer[ingest.Handler]
	outbox     atomic.Pointer[notify.Outbox]
	herald     atomic.Pointer[notify.Herald]          // the lane beside the outbox
	heart      atomic.Pointer[notify.Heart]           // nil = nobody waits for a heartbeat
	peer       *peer.Peer                             // the other server of a pair; nil = there is none
	stopHerald func()                                 // ends Run of both and waits; guarded by reloadMu, nil before and after
	stopOutbox func()                                 // ends the outbox's Run and waits for it; guarded by reloadMu
	startRun   func(run func(context.Context)) func() // starts a goroutine of serve; returns what stopOutbox is; nil before serve has folded the journal, and once it stops; guarded by reloadMu
	reloadErr  atomic.Pointer[string]
	tried      atomic.Pointer[fingerprint] // files of the configuration that was read last, whether it did or not
	reloadedMs atomic.Int64

	listening   [2]string                    // addresses of --web.listen-address and --web.admin-address
	apart       bool                         // administration has an address of its own
	gate        atomic.Pointer[web.Gate]     // what stands before them
	main, admin atomic.Pointer[http.Handler] // what is served at each; see setWeb

	ready        atomic.Bool
	progress     atomic.Pointer[string]  // what start-up is doing, for /-/ready
	reading      atomic.Pointer[failure] // why this life writes nothing; nil = it does. See reading.go
	lives        int                     // that only read, before this one
	historyWaits bool                    // for the next start: a backfill that is complete could not be taken over for now

	checkpointMu   sync.Mutex                    // one checkpoint at a time
	wanted         atomic.Pointer[chan freezing] // who waits for the state right behind the next exchange; nil = nobody
	sections       map[string]int                // sizes of the last checkpoint's; guarded by checkpointMu
	rooms          map[string][]byte             // for the next one's, likewise
	lastCheckpoint atomic.Int64
	checkpointErr  atomic.Pointer[string]
	lost           atomic.Pointer[string]  // what the checkpoint that this process began with lacks; nil = nothing
	checkpointFail atomic.Pointer[failure] // the same as an error
	saveSince      atomic.Int64            // since when a checkpoint is being written, nanoseconds of self.mono; 0 = none is
	startLoss      atomic.Pointer[string]  // what the start could not use; nil = nothing
	up             atomic.Int64            // since when requests are taken, Unix milliseconds; 0 = not yet

	history *historyRead // how far a backfill has come, of whose fold this is; nil = of none

	extra func(*ui.Status) // the demo's additions to the status; nil in serve
}

// openApp opens the data directory and restores the last checkpoint. Nothing runs yet, and nothing of the journal has been folded.
func openApp(cfg config, dir string, log *slog.Logger) (*app, error) {
	a := newApp(cfg, dir, log)
	a.stage("opening the store")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("storage path: %w", err)
	}
	if err := a.openDir(); err != nil {
		return nil, err
	}
	return a, nil
}

// newApp returns one without a data directory.
func newApp(cfg config, dir string, log *slog.Logger) *app {
	a := &app{dir: dir, log: log, started: time.Now(), born: time.Now(), now: time.Now, line: newLine(), sections: map[string]int{}, rooms: map[string][]byte{}}
	a.clock = ingest.NewClock(func() time.Time { return a.now() }, log)
	a.watch = &watcher{silent: map[string]gap{}, tell: func(n alerting.Notification) { a.outbox.Load().Accept(n) }}
	a.lag = &laggards{behind: map[string]lag{}, tell: func(n alerting.Notification) { a.outbox.Load().Accept(n) }}
	a.heard = &ingest.Heard{}
	a.self = newSelf(a)
	a.query = query.New(source{a}, query.Options{Version: buildVersion(), Now: func() time.Time { return a.now() }, Started: a.started, Logger: log})
	a.cfg.Store(&cfg)
	a.reloadedMs.Store(a.started.UnixMilli())
	return a
}

// openDir opens what the data directory holds: for reading alone when a.reading says so.
func (a *app) openDir() error {
	cfg := a.cfg.Load()
	packs, err := cfg.packs()
	if err != nil {
		return err
	}
	a.packs.Store(&packs)
	a.store, err = store.OpenPair(filepath.Join(a.dir, "wrackline.db"), store.Options{ReadOnly: a.reading.Load() != nil,
		Logger: a.log, MaxBytes: int64(cfg.Storage.MaxSize), RetentionMs: time.Duration(cfg.Storage.Retention).Milliseconds()})
	if err != nil {
		return err
	}
	if err := a.open(); err != nil {
		return errors.Join(err, a.store.Close())
	}
	return nil
}

func (a *app) open() error {
	cfg := a.cfg.Load()
	a.setPeer(&cfg.HA)
	if err := a.setReceivers(cfg); err != nil {
		return err
	}
	if err := a.introduce(); err != nil {
		return err
	}
	if err := a.setHerald(cfg); err != nil {
		return err
	}
	var err error
	a.journal, err = journal.Open(filepath.Join(a.dir, "journal"), journal.Options{ReadOnly: a.reading.Load() != nil, Sync: cfg.Ingest.Sync, MaxBytes: int64(cfg.Ingest.JournalMax), Logger: a.log, Disk: cfg.disk})
	if err != nil {
		return err
	}
	if err := a.resume(); err != nil {
		return errors.Join(err, a.journal.Close())
	}
	if st := a.journal.Stats(); st.LastPos > a.engine.Pos() && st.FirstPos > a.engine.Pos()+1 {
		err := fmt.Errorf("the journal begins at request %d, and the newest checkpoint that can be read is of request %d: what lies between is not there", st.FirstPos, a.engine.Pos())
		if !cfg.acceptLoss {
			return errors.Join(fmt.Errorf("%w; put back a backup of wrackline.db and %s, or start with --accept-loss to go on without it", err, store.TwinName), a.journal.Close())
		}
		a.log.Error("going on without what is lost, as --accept-loss says", "err", err)
		a.noteLoss(err.Error())
	}
	a.journal.SkipTo(a.engine.Pos())
	a.begunPast()
	if a.store.Bereft() {
		a.noteLoss("wrackline.db was missing or empty, and " + store.TwinName + " has what was learned: charts of before, and messages that waited for receivers, are gone")
	}
	return nil
}

// resume makes a fold that goes on from the best checkpoint that can be read and put back; from nothing when there is none. One that is refused is worth a word: another one and the
// journal give the same, or nearly.
func (a *app) resume() error {
	from := uint64(0)
	if st := a.journal.Stats(); st.LastPos >= st.FirstPos {
		from = st.FirstPos
	}
	var refused error
	for c, err := range a.store.Generations(from) {
		if err == nil && wholeJournal(&c, from) {
			a.log.Error("a checkpoint has holes: the journal is folded from its beginning instead", "pos", c.Pos, "lost", c.Holes[0].String())
			return a.begin(series.NewSalt())
		}
		if err == nil {
			if err = a.resumeFrom(c); err == nil {
				a.tellHoles(c.Holes)
				return nil
			}
		}
		a.log.Error("a checkpoint cannot be used", "pos", c.Pos, "err", err)
		a.noteLoss(fmt.Sprintf("the checkpoint of request %d: %v", c.Pos, err))
		refused = errors.Join(refused, err)
	}
	if refused != nil && !a.cfg.Load().acceptLoss {
		return fmt.Errorf("%w; put back a backup of wrackline.db and %s, or start with --accept-loss to begin anew", refused, store.TwinName)
	}
	return a.begin(series.NewSalt())
}

// wholeJournal reports whether a start folds the journal from its beginning since no checkpoint is whole: c is the best there is, nil = none, and the journal begins with request from. One that
// begins with the first request of all has what no generation has.
func wholeJournal(c *store.Loaded, from uint64) bool {
	return from == 1 && (c == nil || len(c.Holes) > 0)
}

// tellHoles says what damage has cost.
func (a *app) tellHoles(holes []store.Hole) {
	if len(holes) == 0 {
		return
	}
	var list []string
	for _, h := range holes {
		list = append(list, h.String())
	}
	text := strings.Join(list, ", ")
	a.lost.Store(&text)
	a.log.Error("what was learned has holes: both generations of the checkpoint were damaged, and neither has these", "lost", text)
}

func (a *app) resumeFrom(c store.Loaded) error {
	salt, err := readSalt(c.Sections[sectionSalt])
	if err != nil {
		return err
	}
	if err := a.begin(salt); err != nil {
		return err
	}
	return a.restore(c)
}

// begin makes the door and a fold that knows nothing, with a salt.
func (a *app) begin(salt series.Salt) error {
	cfg, packs := a.cfg.Load(), *a.packs.Load()
	a.salt, a.keyer = salt, series.NewKeyer(salt)
	door, err := a.makeDoor(cfg)
	if err != nil {
		return err
	}
	a.door.Store(door)
	loc, err := time.LoadLocation(cfg.Signals.Timezone)
	if err != nil {
		return err
	}
	a.acts = &act.Book{}
	a.manager = alerting.NewManager(alerting.Options{Acts: a.acts, NotificationsPerDay: cfg.Alerting.NotificationsPerDay, PagesPerDay: cfg.Alerting.PagesPerDay,
		Emit: func(n alerting.Notification) { a.outbox.Load().Accept(n) }, Keep: func(n alerting.Notification) { a.outbox.Load().Accept(n) }, Rule: rulesOf(packs)})
	a.engine, err = baseline.New(baseline.Options{FalseAlarmsPerWeek: cfg.Alerting.FalseAlarmsPerWeek, Stream: a.streamOptions(cfg, packs), Location: loc, Recorder: a.store.Recorder(), Sink: a.manager, AtExchange: a.exchanged})
	return err
}

// streamOptions returns what a configuration asks of the stream, with the salt that the door makes keys with.
func (a *app) streamOptions(cfg *config, packs []*pack.Pack) signal.StreamOptions {
	o := cfg.streamOptions(packs)
	o.Salt = a.salt
	return o
}

// Sections of a checkpoint beside those of the engine.
const (
	sectionAlerting = "alerting"
	sectionWatch    = "senders" // those that are silent; older checkpoints have none
	sectionLag      = "behind"  // senders that stay behind; older checkpoints have none
	sectionActs     = "acts"    // what people have said; older checkpoints have none
	sectionSalt     = "salt"    // version 1, 32 bytes; older checkpoints have none
)

var errSalt = errors.New("the salt of keys is damaged, or of a newer program")

// readSalt returns the salt of a checkpoint's section, a new one when there is none. That one need not be written before it is used: keys
// that are made with it are written in the same transaction, and the journal knows none.
func readSalt(section []byte) (s series.Salt, err error) {
	if section == nil {
		return series.NewSalt(), nil
	}
	r := codec.NewReader(section, errSalt)
	r.Section(1)
	copy(s[:], r.Take(len(s)))
	if r.Left() > 0 || s == (series.Salt{}) {
		r.Fail()
	}
	return s, r.Err()
}

func appendSalt(s series.Salt) []byte {
	var w codec.Writer
	w.Num(1)
	w.Bytes(s[:])
	return w.B
}

// restore puts a checkpoint back. One that cannot be used is an error, never a silent new beginning.
func (a *app) restore(c store.Loaded) error {
	a.stage("restoring the checkpoint")
	if err := a.engine.Restore(c.Pos, c.Sections, c.Models); err != nil {
		return err
	}
	if err := a.acts.RestoreState(c.Sections[sectionActs]); err != nil {
		return err
	}
	if incidents, ok := c.Sections[sectionAlerting]; ok { // else it is one of the holes
		if err := a.manager.RestoreState(incidents); err != nil {
			return err
		}
	}
	if err := a.watch.restoreState(c.Sections[sectionWatch]); err != nil {
		return err
	}
	if err := a.lag.restoreState(c.Sections[sectionLag]); err != nil {
		return err
	}
	var err error
	if a.history, err = readHistory(c.Sections[sectionHistory]); err != nil {
		return err
	}
	a.sized(c.Sections)
	a.lastCheckpoint.Store(c.AtMs)
	a.log.Info("checkpoint restored", "pos", c.Pos, "age", time.Since(time.UnixMilli(c.AtMs)).Round(time.Second), "signals", len(a.engine.View().Signals))
	return nil
}

// begunPast opens what is kept for backtests. A state that does not follow from the requests before it is a new beginning for them.
func (a *app) begunPast() {
	if a.reading.Load() != nil {
		return
	}
	a.past = openPast(a.dir, a.log)
	if loss := cmp.Or(a.startLoss.Load(), a.lost.Load()); loss != nil {
		a.notePast("a start had lost what was learned ("+*loss+")", true)
	}
	a.noteConfig("it was started with another configuration or version")
	if err := a.journal.Spare(a.store.SafePos(), 0); err != nil {
		a.log.Warn("the journal cannot tell what is kept for backtests from what a start needs", "err", err)
	}
}

// noteLoss notes what the start could not use.
func (a *app) noteLoss(text string) {
	if old := a.startLoss.Load(); old != nil {
		text = *old + "; " + text
	}
	a.startLoss.Store(&text)
}

// stage says what start-up is doing.
func (a *app) stage(text string) { a.progress.Store(&text) }

// state returns whether requests are taken, and what start-up is doing when they are not.
func (a *app) state() (bool, string) {
	if a.ready.Load() {
		return true, "ready"
	}
	return false, *a.progress.Load()
}

// replayJournal folds what the journal holds beyond the checkpoint.
func (a *app) replayJournal(ctx context.Context) error {
	from := a.engine.Pos()
	last := a.journal.Stats().LastPos
	if last <= from {
		return nil
	}
	limits := a.cfg.Load().limits()
	begun, told := time.Now(), time.Now()
	var samples int64
	var jobs []baseline.Job
	fold := func() {
		if len(jobs) > 0 {
			a.engine.ApplyAll(jobs, sideBySide)
		}
		jobs = jobs[:0]
	}
	err := decodeAhead(ctx, a.journal, from, func() *ingest.Decoder { return ingest.NewKeyedDecoder(limits, a.keyer) }, func(ready []*decoded) {
		a.fold.Lock()
		defer a.fold.Unlock()
		for _, x := range ready {
			if x.err != nil {
				// It was accepted once, so an earlier version had other bounds; skip it rather than never start again.
				journalUndecodable.Inc()
				a.undecoded.Add(1)
				a.log.Error("journal record cannot be decoded; skipped", "pos", x.pos, "err", x.err)
				continue
			}
			if x.said != nil {
				fold()
				a.apply(x.said)
				continue
			}
			jobs = append(jobs, baseline.Job{Batch: &x.batch, Pos: x.pos})
			samples += int64(len(x.batch.Samples))
		}
		fold()
		if time.Since(told) > time.Second {
			told = time.Now()
			a.stage(fmt.Sprintf("folding the journal: %d of %d requests", ready[len(ready)-1].pos-from, last-from))
		}
	})
	if err != nil {
		return fmt.Errorf("replay journal: %w", err)
	}
	a.log.Info("journal folded", "requests", last-from, "samples", samples, "took", time.Since(begun).Round(time.Millisecond))
	return nil
}

// close makes a last checkpoint and closes everything. Nothing may run any more.
func (a *app) close(last bool) error {
	var err error
	if last {
		a.fold.Lock()
		c := a.freeze()
		a.fold.Unlock()
		err = a.saveBy(a.store.SaveFirst, c)
	}
	err = errors.Join(err, a.journal.Close(), a.store.Close())
	if err == nil {
		a.self.end()
	}
	return err
}

var journalUndecodable = metrics.NewCounter("wrackline_journal_records_undecodable_total")
