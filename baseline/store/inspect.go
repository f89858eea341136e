package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/baseline/store/pages"
	"github.com/wrackline/wrackline/baseline/store/tiers"
)

// Stats describe the store, for status pages. Sizes are bytes.
type Stats struct {
	Path       string
	FileBytes  int64 // size of the file
	FreeBytes  int64 // pages in it that hold nothing; later writes use them, Compact gives them back
	MaxBytes   int64
	Generation uint64 // checkpoints saved to this file, ever
	Pos        uint64 // journal position of the last one
	AtMs       int64  // receive clock of the last one, Unix ms; 0 = none yet
	Models     int
	Sections   int

	SectionBytes, ModelBytes, HistoryBytes int64 // of records and their keys

	Saves, SaveErrors int64         // of this process
	LastError         string        // of the last save; "" when it succeeded
	LastTook          time.Duration // of the last save that succeeded
	LeftOut           []string      // what the last save left out since no record takes it; never changed

	HistorySignals int   // signals with history
	HistoryFromMs  int64 // start of the oldest slot that is written; 0 = none
	HistoryFullMs  int64 // the same of full resolution
	HistoryToMs    int64 // T of the newest point; 0 = none
	PendingBytes   int64 // blocks in memory that no save has taken yet

	Points, Replayed, Refused, Lost int64 // Adds of this process: taken; already known; without id or time, or beyond a bound; dropped because nothing could be written

	Quarantined  string  // where a damaged file was moved to when this one was opened
	Salvaged     Salvage // what was carried over from it
	MetaFallback bool    // when opened, the newest transaction's meta page was not valid
	Damage       string  // the last damaged record met while reading history
}

// Stats returns the present figures. Safe for concurrent use.
func (s *Store) Stats() Stats {
	s.statsMu.Lock()
	m, sums := s.published, s.sizes
	st := Stats{Saves: s.saves, SaveErrors: s.saveFails, LastError: s.saveErr, LastTook: s.saveTook, LeftOut: s.leftOut}
	s.statsMu.Unlock()
	st.Path, st.MaxBytes = s.path, s.opts.MaxBytes
	st.Generation, st.Pos, st.AtMs = m.generation, m.pos, m.atMs
	st.Models, st.Sections = sums.models, sums.sections
	st.SectionBytes, st.ModelBytes, st.HistoryBytes = sums.sectionBytes, sums.modelBytes, int64(m.history.bytes)
	st.Quarantined, st.Salvaged, st.MetaFallback = s.quarantined, s.salvaged, s.metaFallback
	if fi, err := os.Stat(s.path); err == nil {
		st.FileBytes = fi.Size()
	}
	// A figure is worth no error: what cannot be read stays 0.
	_ = s.guard(func() error {
		d := s.db.Stats()
		st.FreeBytes = int64(d.FreeAlloc)
		return s.db.View(func(tx *bolt.Tx) error {
			if b := tx.Bucket(historyBucket); b != nil {
				st.HistoryFromMs, st.HistoryFullMs = oldestSlot(b, cells), oldestSlot(b, full)
			}
			return nil
		})
	})
	r := s.rec
	r.mu.Lock()
	defer r.mu.Unlock()
	st.HistorySignals, st.HistoryToMs = len(r.tracks), r.newest
	st.PendingBytes = int64(r.pending[full].Bytes + r.pending[cells].Bytes)
	st.Points, st.Replayed, st.Refused, st.Lost, st.Damage = r.points, r.replayed, r.refused, r.lost, r.damage
	return st
}

// Report is what Verify found.
type Report struct {
	Pages      int // in use or free
	Records    int // of ours, all proven
	Others     int // records of other buckets, not proven
	Models     int
	Signals    int // with history
	Took       time.Duration
	Problems   []string // at most 100; empty = sound
	Generation uint64
}

// OK reports whether nothing is wrong.
func (r Report) OK() bool { return len(r.Problems) == 0 }

func (r *Report) add(err error) {
	if len(r.Problems) < 100 {
		r.Problems = append(r.Problems, err.Error())
	}
}

// Verify reads the whole file and proves it: the structure of every page, every record's CRC, the manifest, and that every block
// of history decodes. Everything else goes on meanwhile. The error is only that of ctx, or of a file that cannot be read at all.
func (s *Store) Verify(ctx context.Context) (Report, error) {
	start := time.Now()
	var rep Report
	err := s.guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			// While tx is open none of its pages is used again, so the file can be read beside it.
			if err := s.verifyPages(tx, &rep); err != nil {
				rep.add(err)
			}
			return s.verifyRecords(ctx, tx, &rep)
		})
	})
	rep.Took = time.Since(start)
	if errors.Is(err, ErrDamaged) {
		rep.add(err)
		err = nil
	}
	if err != nil {
		return rep, fmt.Errorf("verify store %s: %w", s.path, err)
	}
	return rep, nil
}

func (s *Store) verifyPages(tx *bolt.Tx, rep *Report) error {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	p, err := pages.Open(f, st.Size())
	if err != nil {
		return err
	}
	// A transaction that ended since ours began has written the other meta page.
	if err := p.At(uint64(tx.ID())); err != nil {
		return err
	}
	if err := p.Check(); err != nil {
		return err
	}
	rep.Pages = p.Pages()
	return nil
}

func (s *Store) verifyRecords(ctx context.Context, tx *bolt.Tx, rep *Report) error {
	v, err := readFormat(tx)
	if err != nil {
		return err
	}
	var m manifest
	if v == 1 {
		old, err := readManifest1(tx)
		if err != nil {
			return err
		}
		if _, err := load1(tx, &old, nil); err != nil {
			rep.add(err)
		}
		m = old.manifest
		rep.Models, rep.Records = int(old.models), 2+int(old.sectionSet.count)+int(old.modelSet.count)
	} else {
		if m, err = readManifest(tx); err != nil {
			return err
		}
		t, _, err := proveCheckpoint(tx, &m)
		if err != nil {
			rep.add(err)
		}
		rep.Models, rep.Records = t.sizes().models, 2
		t.each(&m, func(portion) { rep.Records++ })
	}
	rep.Generation = m.generation
	var got digest
	c := tx.Bucket(historyBucket).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if rep.Records&0xff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		rep.Records++
		if err := got.add(k, v); err != nil {
			rep.add(err)
			continue
		}
		if err := checkHistory(k, v); err != nil {
			rep.add(err)
		}
		if k[0] == namesKey {
			rep.Signals++
		}
	}
	if got != m.history {
		rep.add(fmt.Errorf("%w: history has %d records where %d were written, or others", ErrDamaged, got.count, m.history.count))
	}
	return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
		switch string(name) {
		case string(metaBucket), string(sections1Bucket), string(models1Bucket), string(portionsBucket), string(historyBucket):
			return nil
		}
		rep.Others += b.Stats().KeyN // of buckets inside of it too
		return nil
	})
}

// checkHistory proves one record of the history, down to its rows.
func checkHistory(key, record []byte) error {
	p, err := payload(key, record)
	if err != nil {
		return err
	}
	for which := range tiers.Of {
		if key[0] != tiers.Of[which].Key {
			continue
		}
		if err := tiers.Each(readerOf(p), func(_ byte, data []byte) error {
			_, err := tiers.Unpack(nil, data, which)
			return err
		}); err != nil {
			return fmt.Errorf("%w: blocks of %q: %w", ErrDamaged, key, err)
		}
	}
	return nil
}
