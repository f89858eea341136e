package main

// A start on a disk that takes no write: what is there is read and shown, nothing is taken in, and the next life begins by itself when the disk is well.

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/baseline/store/disk"
	"github.com/wrackline/wrackline/ingest/journal"
)

// errDiskWell ends a life that only reads: the disk takes writes again.
var errDiskWell = errors.New("the data directory can be written again")

const (
	probeBytes = 1 << 20         // that the disk must take before a start is tried again
	probeFirst = 5 * time.Second // between two looks at it …
	probeMost  = 2 * time.Minute // … and after starts that failed all the same: each folds the journal
)

// probeEvery returns how long a life that only reads waits between two looks, after so many that were followed by another such life. A variable for tests.
var probeEvery = func(lives int) time.Duration { return min(probeFirst<<min(lives, 10), probeMost) }

// lives runs one life after the other: one that only reads where the disk takes no write, and the next one when it does.
func (f *serveFlags) lives(ctx context.Context, cfg config, log *slog.Logger, fr *front) error {
	var before *app
	for reads := 0; ; reads++ {
		waits := adoptHistory(ctx, cfg, f.dir, log)
		a, err := openApp(cfg, f.dir, log)
		if why := err; why != nil {
			if a, err = openReading(cfg, f.dir, log, why); err != nil {
				if errors.Is(err, store.ErrInUse) || errors.Is(err, journal.ErrLocked) { // another one reads it already
					why = err
				}
				return errors.Join(wayOut(why, f.dir), fr.close())
			}
			a.lives = reads
		}
		a.historyWaits = waits
		a.file, a.listening = f.configFile, f.addresses()
		if before == nil {
			at := pageURL(fr.l.Addr())
			if cfg.flags.file.TLS() {
				at = "https" + pageAddress(fr.l.Addr())
			}
			at += prefixOf(cfg.flags.routePrefix)
			log.Info("listening", "url", at, "write", at+"/api/v1/write", "version", buildVersion())
			if len(cfg.Receivers) == 0 {
				log.Info("no receiver is configured: incidents show in the UI only; add receivers to the file that --config.file names (see README)")
			}
		} else {
			a.self.inherit(before.self)
			a.born = before.born
		}
		if err := a.serve(ctx, fr, nil); !another(err) {
			return err
		}
		if a.reading.Load() == nil {
			reads = -1
		}
		before = a
	}
}

// another reports whether what ended a life leads to the next one.
func another(err error) bool { return errors.Is(err, errDiskWell) || errors.Is(err, errHistoryRead) }

// transient reports whether err, of a start, is the disk's: what may pass, and not what is only a wrong name or right.
func transient(err error) bool {
	return disk.Is(err, syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO)
}

// openReading opens the data directory for reading after a start that failed because of why. An error says that this is no such case, or that nothing is there to be read.
func openReading(cfg config, dir string, log *slog.Logger, why error) (*app, error) {
	if !transient(why) {
		return nil, why
	}
	a := newApp(cfg, dir, log)
	a.reading.Store(&failure{why})
	a.stage("reading what is there")
	if err := a.openDir(); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			log.Error("the data directory cannot be read either", "path", dir, "err", err)
		}
		return nil, err
	}
	log.Error("the data directory cannot be written: Wrackline only reads, and takes nothing in until it can", "path", dir, "err", why)
	return a, nil
}

// awaitDisk waits until the data directory can be written, which it says with errDiskWell, or ctx ends.
func (a *app) awaitDisk(ctx context.Context, f *front) error {
	a.engine.Publish()
	t := time.NewTicker(probeEvery(a.lives))
	defer t.Stop()
	for {
		a.stage("only reading, " + a.barred())
		select {
		case <-ctx.Done():
			return nil
		case err := <-f.failed:
			return err
		case <-f.hup:
			a.log.Info("the configuration is read again when the data directory can be written")
		case <-t.C:
			err := probe(a.dir)
			if err == nil {
				a.stage("starting: the data directory can be written again")
				a.log.Info("the data directory can be written again")
				return errDiskWell
			}
			a.reading.Store(&failure{err})
		}
	}
}

// barred says in words why a life only reads.
func (a *app) barred() string {
	why := a.reading.Load().err
	if culprit := diskFault(why); culprit != "" {
		return "because " + culprit + ": " + why.Error()
	}
	return "because the data directory cannot be written: " + why.Error()
}

// probe returns what a directory says to a file of probeBytes.
func probe(dir string) error {
	name := filepath.Join(dir, "probe.tmp")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, probeBytes))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), os.Remove(name))
}
