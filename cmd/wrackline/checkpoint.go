package main

// When and how the fold's state is written, and what of the journal may go then.

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/baseline/store/disk"
)

// checkpoint writes the fold's state as it is and drops the journal before it.
func (a *app) checkpoint() error {
	a.checkpointMu.Lock()
	defer a.checkpointMu.Unlock()
	a.makeRooms()
	a.fold.Lock()
	f := a.freezing()
	a.fold.Unlock()
	return a.save(a.frozen(f))
}

// boundaryWait is for how long a checkpoint waits for the next exchange of clusters. Without requests none comes, and nothing is folded either.
const boundaryWait = 15 * time.Second

// checkpointAtExchange writes the fold's state as frozenAtExchange takes it.
func (a *app) checkpointAtExchange(ctx context.Context, within time.Duration) error {
	a.checkpointMu.Lock()
	defer a.checkpointMu.Unlock()
	return a.save(a.frozenAtExchange(ctx, within))
}

// frozenAtExchange returns the fold's state as it is right behind the next exchange of clusters, so that the fold goes on from it to the bit; as it is now when none comes in time. The caller holds checkpointMu.
func (a *app) frozenAtExchange(ctx context.Context, within time.Duration) store.Checkpoint {
	a.makeRooms()
	begun := make(chan freezing, 1)
	a.wanted.Store(&begun)
	wait := time.NewTimer(within)
	defer wait.Stop()
	select {
	case f := <-begun:
		return a.frozen(f)
	case <-wait.C:
	case <-ctx.Done():
	}
	a.fold.Lock()
	if a.wanted.Swap(nil) == nil { // it came meanwhile
		a.fold.Unlock()
		return a.frozen(<-begun)
	}
	f := a.freezing()
	a.fold.Unlock()
	return a.frozen(f)
}

// exchanged is called by the fold right behind an exchange of clusters.
func (a *app) exchanged() {
	if begun := a.wanted.Swap(nil); begun != nil {
		*begun <- a.freezing()
	}
}

// freezing is a checkpoint of which what is large has not been copied yet.
type freezing struct {
	c    *store.Checkpoint
	rest *baseline.Frozen
}

// sliceMost is about how long the fold is held to copy a slice of a checkpoint.
const sliceMost = 2 * time.Millisecond

// freeze takes the fold's state for a checkpoint. It is called under the fold's lock, and save after it, both under checkpointMu.
func (a *app) freeze() store.Checkpoint {
	f := a.freezing()
	for f.rest.Slice() {
	}
	a.sized(f.c.Sections)
	return *f.c
}

// freezing begins to take the fold's state, clusters side by side. It is called under the fold's lock, and frozen after it without, both under checkpointMu.
func (a *app) freezing() freezing {
	begun := time.Now()
	side := sideBySide
	if a.ready.Load() {
		side = a.line.patient
	}
	c := &store.Checkpoint{AtMs: begun.UnixMilli(), Pos: a.engine.Pos(), Sections: map[string][]byte{}}
	type section struct {
		name  string
		write func([]byte) []byte
		bytes []byte
	}
	var list []section
	for name, write := range a.engine.AtOnce {
		list = append(list, section{name: name, write: write})
	}
	list = append(list, section{name: sectionAlerting, write: a.manager.AppendState}, section{name: sectionActs, write: a.acts.AppendState}, section{name: sectionWatch, write: a.watch.appendState},
		section{name: sectionLag, write: a.lag.appendState})
	side(len(list), func(i int) {
		x := &list[i]
		x.bytes = x.write(a.room(x.name))
	})
	for i := range list {
		c.Sections[list[i].name] = list[i].bytes
	}
	c.Sections[sectionSalt] = appendSalt(a.salt)
	f := freezing{c, a.engine.Freeze(c, a.room, side)}
	a.line.paid()
	foldHeldSeconds.Update(time.Since(begun).Seconds())
	return f
}

// frozen takes the rest of a checkpoint, a slice at a time, so that the fold goes on in between.
func (a *app) frozen(f freezing) store.Checkpoint {
	for left := true; left; {
		a.fold.Lock()
		begun := time.Now()
		for left && time.Since(begun) < sliceMost {
			left = f.rest.Slice()
		}
		a.fold.Unlock()
		foldHeldSeconds.Update(time.Since(begun).Seconds())
	}
	a.sized(f.c.Sections)
	return *f.c
}

// sized notes how large sections are.
func (a *app) sized(sections map[string][]byte) {
	clear(a.sections)
	clear(a.rooms)
	for name, data := range sections {
		a.sections[name] = len(data)
	}
}

// roomLeast is from how many bytes on the room of a section is made before the fold is held: to get 48 MB from the system takes 30 ms.
const roomLeast = 64 << 10

// makeRooms makes room for the large sections of the next checkpoint.
func (a *app) makeRooms() {
	for name, n := range a.sections {
		if n >= roomLeast && a.rooms[name] == nil {
			a.rooms[name] = make([]byte, 0, n+n/32)
		}
	}
}

// room returns where a section is written to: as large as the last one and a little, since growing from nothing copied every byte five times.
func (a *app) room(name string) []byte {
	if b := a.rooms[name]; b != nil {
		return b
	}
	n := a.sections[name]
	return make([]byte, 0, n+n/32)
}

// saveBoth writes a checkpoint and one more, so that both generations have what the journal does not tell of: a person's word, or other rules.
func (a *app) saveBoth(c store.Checkpoint) error {
	if err := a.save(c); err != nil {
		return err
	}
	a.makeRooms()
	a.fold.Lock()
	f := a.freezing()
	a.fold.Unlock()
	return a.save(a.frozen(f))
}

// save writes a checkpoint.
func (a *app) save(c store.Checkpoint) error { return a.saveBy(a.store.Save, c) }

// saveBy is save with one of the store's ways.
func (a *app) saveBy(write func(store.Checkpoint) error, c store.Checkpoint) error {
	begun := time.Now()
	a.saveSince.Store(max(1, int64(a.self.mono())))
	err := write(c)
	a.saveSince.Store(0)
	checkpointSeconds.Update(time.Since(begun).Seconds())
	if err != nil && disk.Is(err, syscall.ENOSPC, syscall.EDQUOT) { // charts and what is kept for backtests give way before what was learned is lost
		a.past.giveWay()
		_ = a.journal.Drop(a.store.SafePos())
	}
	if err != nil {
		checkpointsFailed.Inc()
		text := err.Error()
		a.checkpointErr.Store(&text)
		a.checkpointFail.Store(&failure{err})
		return fmt.Errorf("checkpoint: %w", err)
	}
	a.checkpointErr.Store(nil)
	a.checkpointFail.Store(nil)
	a.lastCheckpoint.Store(c.AtMs)
	// Not up to this checkpoint: should it turn out to be damaged, the one before must find its journal.
	if err := a.spare(); err != nil {
		return fmt.Errorf("drop journal segments: %w", err)
	}
	return nil
}

// When a checkpoint is due, unless storage.checkpoint_interval says so: once what has been folded since the last one would take a start so long that somebody waits for it,
// or fills a part of the journal's room; and now and then.
const (
	checkpointReplay = 15 * time.Second
	checkpointLeast  = time.Minute
	checkpointMost   = 5 * time.Minute
	checkpointFull   = 5 * time.Second  // between attempts while the journal is full
	checkpointAgain  = 15 * time.Second // after one that failed, at least: to freeze the state for nothing costs as much as for something
	checkpointShare  = 8                // of ingest.journal_max, which holds what came since the checkpoint before the last
)

// due reports whether a checkpoint is due that long after the last one, and for how long it may wait for an exchange. crowded says that the journal needs room, which only a checkpoint of each
// generation gives it.
func (a *app) due(since time.Duration) (due bool, within time.Duration, crowded bool) {
	cfg := a.cfg.Load()
	replay, bytes := a.line.cost()
	st := a.journal.Stats()
	if most := int64(cfg.Ingest.JournalMax); bytes >= most/checkpointShare && st.Bytes > most/2 || st.Full && since >= checkpointFull {
		return true, 0, true
	} else if bytes >= most/checkpointShare {
		return true, time.Second, false
	}
	if fixed := time.Duration(cfg.Storage.CheckpointInterval); fixed > 0 {
		return since >= fixed, min(fixed, boundaryWait), false
	}
	return since >= checkpointMost && replay > 0 || since >= checkpointLeast && replay >= checkpointReplay, boundaryWait, false
}

// runCheckpoints makes a checkpoint whenever one is due until ctx ends.
func (a *app) runCheckpoints(ctx context.Context) {
	last, pause := time.Now(), time.Duration(0)
	every(ctx, time.Second/4, func() {
		due, within, crowded := a.due(time.Since(last))
		if !due || time.Since(last) < pause {
			return
		}
		err := a.checkpointAtExchange(ctx, within)
		if err == nil && crowded {
			err = a.checkpoint()
		}
		if err == nil {
			a.keepState(func() store.Checkpoint { return a.frozenAtExchange(ctx, boundaryWait) })
		}
		if err != nil {
			a.log.Error("no checkpoint; the journal keeps what is not in one", "err", err)
		}
		last, pause = time.Now(), 0
		if err != nil {
			pause = checkpointAgain
		}
	})
}

var (
	checkpointsFailed = metrics.NewCounter("wrackline_checkpoints_failed_total")
	checkpointSeconds = metrics.NewSummary("wrackline_checkpoint_duration_seconds")
	foldHeldSeconds   = metrics.NewSummary("wrackline_checkpoint_fold_held_seconds")
)
