// Package store keeps the fold's checkpoints and the history that charts show, in one bbolt file: packed, checksummed, versioned.
//
// Save writes a checkpoint in one transaction, Load gives the last one back, Recorder keeps chart history. bbolt does not
// checksum its pages, so everything here carries its own CRC and a manifest that notices what is missing; FORMAT.md draws the
// bytes. A file that is damaged is set aside under another name, what can be proven whole is carried into a new file, and
// the loss is logged and counted: never a crash loop, never wrong data, never a silent new start.
package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/wrackline/wrackline/baseline/store/disk"
	"github.com/wrackline/wrackline/baseline/store/pages"
)

// Errors that callers branch on.
var (
	// ErrInUse is returned by Open when another process, or another Store of this one, has the file.
	ErrInUse = errors.New("store is in use by another process")
	// ErrVersion is returned by Open when the file was written by a newer version. The file is left alone.
	ErrVersion = errors.New("store was written by a newer version of wrackline")
	// ErrDamaged is returned when the file holds something that was not written so. After it Save keeps failing; opening the
	// file again sets it aside.
	ErrDamaged = pages.ErrDamaged
	// ErrReadOnly is returned when a store opened with Options.ReadOnly is asked to write.
	ErrReadOnly = errors.New("store is open for reading only")
)

// version is the newest format this code reads, and the one that it writes.
const version = 3

const (
	maxBytesDefault  = 16 << 30
	retentionDefault = 15 * 24 * 3600_000
	timeoutDefault   = 2 * time.Second
)

// Options configure a Store. Every zero value is useful.
type Options struct {
	Logger      *slog.Logger  // nil discards
	MaxBytes    int64         // beyond it charts of the past give way, never what was learned, which may be larger than this; 0 = 16 GiB
	RetentionMs int64         // how much chart history is kept, milliseconds before the newest point; 0 = 15 days
	ReadOnly    bool          // nothing is written, and a damaged file is an error instead of being set aside
	Timeout     time.Duration // how long to wait for another process to let the file go; 0 = 2 s
}

// filled returns o with what its zero values stand for.
func (o Options) filled() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = maxBytesDefault
	}
	if o.RetentionMs <= 0 {
		o.RetentionMs = retentionDefault
	}
	if o.Timeout <= 0 {
		o.Timeout = timeoutDefault
	}
	return o
}

// Store is an open file. Its methods may be called by anyone at any time; a checkpoint waits for the one under way.
type Store struct {
	opts     Options
	path     string
	log      *slog.Logger
	db       *bolt.DB
	batchMax int      // see the constant
	file     *os.File // bbolt's, kept so that a broken store can be let go without bbolt's help
	empty    bool     // the file was, or was not there
	rec      *Recorder
	used     int64       // bytes of pages in use when the file was opened
	broken   atomic.Bool // a panic came out of bbolt: its locks cannot be trusted any more

	quarantined  string // where a damaged file was moved to
	salvaged     Salvage
	metaFallback bool // the newer of bbolt's two meta pages was not valid when the file was opened

	least atomic.Uint64 // the next checkpoint's generation is above it

	// One checkpoint at a time; guards what follows. Nothing takes it while it holds one of those below.
	saving sync.Mutex
	table  table    // contents of the last checkpoint
	number uint64   // no portion of the next one has a smaller number
	left   []uint64 // portions of a failed one that are still to be deleted
	old    sizes    // instead of table's, of a file of format 1 that is open for reading

	// One transaction of ours at a time, so that the Recorder, which the fold calls, never waits for a whole checkpoint. Taken before Recorder.mu.
	writing sync.Mutex
	man     manifest // as on disk
	closed  atomic.Bool

	statsMu   sync.Mutex // guards what follows
	published manifest   // copy of man
	sizes     sizes      // of table
	saves     int64
	saveFails int64
	saveErr   string
	saveTook  time.Duration
	leftOut   []string
}

// Salvage says what was carried over from a damaged file into the new one.
type Salvage struct {
	Checkpoint bool   // a checkpoint was found
	Older      bool   // it is not the last one but one before, or may be
	Holes      []Hole // what it lacks; nil = it is whole
	History    int    // records of chart history
	Other      int    // records of other buckets, unproven: their owners check them
	Lost       int    // records and pages that could not be read or proven
}

// Open opens the store at path, or makes one, and verifies it: the structure of every page, every record of the checkpoint,
// and that no record of the history is missing. A damaged file is renamed to path.damaged-<Unix seconds>, what can be proven
// whole is carried into a new file, and Quarantined tells; where a full disk has no room for that, it stays as it was. A file of more than 8 MiB whose pages in use are less than two thirds of it is compacted,
// where the disk has room for both. Errors: ErrInUse, ErrVersion, and with ReadOnly ErrDamaged.
func Open(path string, o Options) (*Store, error) {
	o = o.filled()
	s, err := open(path, o)
	if err == nil && !o.ReadOnly {
		return s.slimmed()
	}
	if err == nil || !errors.Is(err, ErrDamaged) || o.ReadOnly {
		return s, err
	}
	damaged := err
	aside, err := disk.SetAside(path)
	if err != nil {
		return nil, fmt.Errorf("%w; set it aside: %w", damaged, err)
	}
	quarantines.Inc()
	if s, err = open(path, o); err != nil {
		return nil, errors.Join(err, os.Rename(aside, path))
	}
	s.quarantined = aside
	if s.salvaged, err = s.salvage(aside); disk.Full(err) {
		// What finds no room is not lost: the damaged file has it for whoever opens it when there is room.
		return nil, errors.Join(fmt.Errorf("salvage of the damaged store: %w", err), s.abandon(), os.Rename(aside, path))
	}
	if err != nil {
		// The new file is sound and the old one is kept; there is nothing more to be had from it.
		o.Logger.Error("salvage of the damaged store stopped", "path", aside, "err", err)
	}
	o.Logger.Error("store was damaged: set aside, and a new one begun", "err", damaged, "path", aside,
		"checkpoint_kept", s.salvaged.Checkpoint, "checkpoint_older", s.salvaged.Older, "history_records_kept", s.salvaged.History, "other_records_kept", s.salvaged.Other, "lost", s.salvaged.Lost, "checkpoint_lacks", len(s.salvaged.Holes))
	return s, nil
}

// open opens and verifies once.
func open(path string, o Options) (s *Store, err error) {
	s = &Store{opts: o, path: path, log: o.Logger, batchMax: batchMax}
	s.rec = newRecorder(s)
	defer func() {
		if err != nil {
			if s.empty && !o.ReadOnly && !errors.Is(err, ErrInUse) {
				err = errors.Join(err, os.Remove(path)) // half of a new file would be taken for a damaged one
			}
			err = errors.Join(err, s.abandon())
			s = nil
		}
	}()
	err = s.guard(func() error {
		var err error
		s.db, err = bolt.Open(path, 0o600, &bolt.Options{
			Timeout: o.Timeout, ReadOnly: o.ReadOnly, FreelistType: bolt.FreelistMapType, PreLoadFreelist: true,
			// A synced freelist is what keeps bbolt from scanning all pages in a goroutine of its own, whose panic nobody could recover.
			NoFreelistSync: false, OpenFile: s.openFile,
		})
		return err
	})
	switch {
	case err == nil:
		s.db.AllocSize = growBytes
	case errors.Is(err, berrors.ErrTimeout):
		return s, fmt.Errorf("open store %s: %w", path, ErrInUse)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return s, fmt.Errorf("open store %s: %w: %w", path, ErrDamaged, err)
	default:
		return s, fmt.Errorf("open store %s: %w", path, err)
	}
	if err := s.guard(s.begin); err != nil {
		return s, fmt.Errorf("open store %s: %w", path, err)
	}
	if err := s.guard(s.rec.restore); err != nil {
		return s, fmt.Errorf("open store %s: read history: %w", path, err)
	}
	return s, nil
}

// openFile is how bbolt gets its file: locked, and with every page's structure checked before bbolt believes any of it.
// bbolt locks the same descriptor again, which changes nothing.
func (s *Store) openFile(path string, flag int, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag, mode)
	if err != nil {
		return nil, err
	}
	if err = disk.Lock(f, s.opts.ReadOnly, s.opts.Timeout); err == nil {
		err = disk.InPlace(f, path)
	}
	if errors.Is(err, disk.ErrLocked) {
		err = ErrInUse
	}
	if err == nil {
		err = s.checkFile(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s.file = f
	return f, nil
}

func (s *Store) checkFile(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if st.Size() == 0 {
		if s.opts.ReadOnly {
			return fmt.Errorf("%w: the file is empty", ErrDamaged)
		}
		s.empty = true
		return nil
	}
	p, err := pages.Open(f, st.Size())
	if err != nil {
		return err
	}
	if p.InvalidMetas() > 0 {
		// A power cut while a meta page was written leaves this, and the transaction before is whole. Worth a word all the same.
		s.metaFallback = true
		metaFallbacks.Inc()
		s.log.Warn("one of the store's two meta pages is not valid: the last transaction may be missing", "path", s.path)
	}
	err = p.Check()
	s.used = p.Used()
	if err != nil {
		if found := newer(p); found != nil {
			return found
		}
		return err
	}
	return nil
}

// begin makes the buckets of a new file, or reads and verifies those of an old one.
func (s *Store) begin() error {
	fresh, old, plain := false, false, false
	err := s.db.View(func(tx *bolt.Tx) error {
		if k, _ := tx.Cursor().First(); k == nil {
			fresh = true
			return nil
		}
		v, err := readFormat(tx)
		if err != nil {
			return err
		}
		plain = v == 2
		if v == 1 {
			old = true
			m, err := readManifest1(tx)
			if err != nil {
				return err
			}
			if _, err := load1(tx, &m, nil); err != nil {
				return err
			}
			s.man, s.old = m.manifest, m.sizes()
			return s.checkHistoryKeys(tx)
		}
		if s.man, err = readManifest(tx); err != nil {
			return err
		}
		if s.table, s.left, err = proveCheckpoint(tx, &s.man); err != nil {
			return err
		}
		return s.checkHistoryKeys(tx)
	})
	if err != nil {
		return err
	}
	if s.opts.ReadOnly {
		if fresh {
			return fmt.Errorf("%w: the file holds nothing", ErrDamaged)
		}
		s.left = nil
	}
	switch {
	case fresh:
		err = s.update(&s.man, func(tx *bolt.Tx) error {
			for _, name := range [][]byte{metaBucket, portionsBucket, historyBucket} {
				if _, err := tx.CreateBucket(name); err != nil {
					return err
				}
			}
			return putFormat(tx)
		})
	case old && !s.opts.ReadOnly:
		s.old = sizes{}
		err = s.raise()
	case plain && !s.opts.ReadOnly: // its groups of models are another kind of row, which is read as ever
		err = s.update(&s.man, putFormat)
	}
	if err == nil && len(s.left) > 0 {
		if e := s.sweep(); errors.Is(e, ErrDamaged) {
			err = e
		} else if e != nil { // the next checkpoint tries again
			s.log.Warn("what a failed checkpoint left is still there", "path", s.path, "err", e)
		}
	}
	s.publish()
	return err
}

// checkHistoryKeys proves that the history has all its records and no other, without reading their contents: those are
// proven when they are read.
func (s *Store) checkHistoryKeys(tx *bolt.Tx) error {
	var got digest
	b := tx.Bucket(historyBucket)
	if b == nil {
		return fmt.Errorf("%w: no history bucket", ErrDamaged)
	}
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if err := got.add(k, v); err != nil {
			return err
		}
	}
	if got != s.man.history {
		return fmt.Errorf("%w: history has %d records where %d were written", ErrDamaged, got.count, s.man.history.count)
	}
	return nil
}

// guard runs f with faults of the memory map turned into panics and panics into ErrDamaged: a broken page must not take the
// process with it. The switch belongs to the goroutine, so everything that reads pages comes through here.
func (s *Store) guard(f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if r := recover(); r != nil {
			// bbolt may have been left with its locks held.
			s.broken.Store(true)
			panics.Inc()
			s.log.Error("reading the store's pages went wrong", "path", s.path, "err", fmt.Sprint(r))
			err = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
	}()
	if s.broken.Load() {
		return ErrDamaged
	}
	return f()
}

// abandon lets the file go. With a broken bbolt its own Close could wait for ever.
func (s *Store) abandon() error {
	if s.db != nil && !s.broken.Load() {
		return s.guard(s.db.Close)
	}
	if s.file == nil {
		return nil
	}
	// The mapping stays; whoever reads through it still may.
	unlock := disk.Unlock(s.file)
	if err := s.file.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return errors.Join(err, unlock)
	}
	return nil
}

// Close waits for what is going on and closes the file. What the Recorder got since the last Save is not written: the
// journal has it. Calls after the first do nothing.
func (s *Store) Close() error {
	s.saving.Lock()
	defer s.saving.Unlock()
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed.Swap(true) {
		return nil
	}
	if err := s.abandon(); err != nil {
		return fmt.Errorf("close store %s: %w", s.path, err)
	}
	return nil
}

// Quarantined returns where Open moved a damaged file to, and what was carried over from it. "" means it found none.
func (s *Store) Quarantined() (path string, kept Salvage) { return s.quarantined, s.salvaged }

// DB returns the open database for owners of other buckets, such as the outbox. The names meta, portions and
// history are taken, and those of format 1, sections and models.
func (s *Store) DB() *bolt.DB { return s.db }

// Recorder returns what keeps chart history. There is one for each Store.
func (s *Store) Recorder() *Recorder { return s.rec }

// Backup writes a consistent copy of the whole file to w, while everything goes on. It returns the bytes written.
// Writing to a temporary file and renaming it is the caller's part.
func (s *Store) Backup(w io.Writer) (n int64, err error) {
	err = s.guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			n, err = tx.WriteTo(w)
			return err
		})
	})
	if err != nil {
		return n, fmt.Errorf("back up store %s: %w", s.path, err)
	}
	return n, nil
}

var (
	quarantines   = metrics.NewCounter("wrackline_store_quarantined_files_total")
	metaFallbacks = metrics.NewCounter("wrackline_store_meta_fallbacks_total")
	panics        = metrics.NewCounter("wrackline_store_recovered_panics_total")
)
