package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"
	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/wrackline/wrackline/baseline/codec"
)

const (
	pieceMax  = 64 << 10 // bytes of a section in one record
	packLen   = 64       // models in one record: with 300 B models 20 times cheaper to write than a record each (receiver.md §4)
	modelMax  = 16 << 20 // bytes of one model
	idMax     = 4 << 10  // bytes of one signal's id
	nameMax   = 128      // bytes of a section's name
	loadedMax = 8 << 30  // bytes of a section, against a manifest that asks for the moon
)

// Checkpoint is the fold's state after the journal position Pos.
type Checkpoint struct {
	Pos      uint64                    // the last journal position that is in it
	AtMs     int64                     // receive clock at which it was made, Unix milliseconds
	Sections map[string][]byte         // whatever the parts of the fold want back, by name; names have at most 128 bytes
	Models   iter.Seq2[string, []byte] // signal id → bytes, in a stable order; the bytes may be borrowed; nil = none
}

// Freeze copies the models, so that the fold may go on while Save writes. The sections are kept as they are.
func (c *Checkpoint) Freeze() {
	if c.Models == nil {
		return
	}
	type model struct {
		id       string
		from, to int
	}
	var list []model
	var buf []byte
	for id, data := range c.Models {
		from := len(buf)
		buf = append(buf, data...)
		list = append(list, model{id, from, len(buf)})
	}
	c.Models = func(yield func(string, []byte) bool) {
		for _, m := range list {
			if !yield(m.id, buf[m.from:m.to:m.to]) {
				return
			}
		}
	}
}

// Loaded is the checkpoint that Load gives back. Nothing in it is borrowed.
type Loaded struct {
	Pos      uint64
	AtMs     int64
	Sections map[string][]byte
	Models   iter.Seq2[string, []byte] // in the order of Save; may be ranged over again
}

// Save writes a checkpoint and the Recorder's pending history in one transaction: either all of it is there after a crash or
// none. Records whose bytes did not change are not written again. When it fails (a full disk, MaxBytes) the checkpoint before
// stays, nothing pending is lost, and a later Save may succeed.
func (s *Store) Save(c Checkpoint) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	start := time.Now()
	err := s.save(c)
	s.note(time.Since(start), err)
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	s.publish()
	return nil
}

func (s *Store) save(c Checkpoint) error {
	if err := s.writable(); err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(c.Sections))
	if len(names) > sectionsMax {
		return fmt.Errorf("%d sections, and %d are the most", len(names), sectionsMax)
	}
	for _, n := range names {
		if n == "" || len(n) > nameMax || strings.IndexByte(n, 0) >= 0 {
			return fmt.Errorf("section name %q", n)
		}
	}
	packs, models, err := s.pack(c.Models)
	if err != nil {
		return err
	}
	next := s.man.clone()
	next.generation++
	next.before, next.pos, next.atMs, next.models = s.man.pos, c.Pos, c.AtMs, models
	return s.write(&next, func(tx *bolt.Tx) error {
		if err := saveSections(tx, &next, names, c.Sections); err != nil {
			return err
		}
		return saveModels(tx, &next, packs)
	})
}

func (s *Store) writable() error {
	switch {
	case s.closed:
		return berrors.ErrDatabaseNotOpen
	case s.opts.ReadOnly:
		return ErrReadOnly
	case s.broken.Load():
		return ErrDamaged
	}
	return nil
}

// write runs more, the pending history and the new manifest in one transaction. The caller holds saving.
func (s *Store) write(next *manifest, more func(tx *bolt.Tx) error) error {
	pending := s.rec.collect()
	err := s.guard(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			if more != nil {
				if err := more(tx); err != nil {
					return err
				}
			}
			if err := pending.write(tx, next); err != nil {
				return fmt.Errorf("history: %w", err)
			}
			return putManifest(tx, next)
		})
	})
	s.rec.settle(pending, err == nil)
	if err == nil {
		s.man = *next
	}
	return err
}

// pack lays the models out as records: pack number u32, then 64 times id and bytes with their lengths.
// The caller's iterator runs outside of the transaction: its panics are its own.
func (s *Store) pack(models iter.Seq2[string, []byte]) (packs [][]byte, n uint64, err error) {
	if models == nil {
		return nil, 0, nil
	}
	var starts []int
	w := codec.Writer{B: s.packBuf[:0]}
	for id, data := range models {
		if len(id) > idMax || len(data) > modelMax {
			return nil, 0, fmt.Errorf("model %.100q has %d bytes", id, len(data))
		}
		if n%packLen == 0 {
			starts = append(starts, len(w.B))
			w.B = append(w.B, make([]byte, crcSize)...)
		}
		n++
		w.String(id)
		w.Num(len(data))
		w.Bytes(data)
	}
	s.packBuf = w.B
	for i, from := range starts {
		to := len(w.B)
		if i+1 < len(starts) {
			to = starts[i+1]
		}
		packs = append(packs, w.B[from:to:to])
	}
	return packs, n, nil
}

func packKey(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }

func sectionKey(name string, piece int) []byte {
	return binary.BigEndian.AppendUint32(append([]byte(name), 0), uint32(piece))
}

func saveSections(tx *bolt.Tx, m *manifest, names []string, sections map[string][]byte) error {
	b := tx.Bucket(sectionsBucket)
	m.sections, m.sectionSet = m.sections[:0], digest{}
	wanted := map[string]bool{}
	for _, name := range names {
		data := sections[name]
		m.sections = append(m.sections, section{name, uint64(len(data))})
		for i := 0; i*pieceMax < len(data); i++ {
			piece := data[i*pieceMax : min((i+1)*pieceMax, len(data))]
			key := sectionKey(name, i)
			record := seal(key, append(make([]byte, crcSize, crcSize+len(piece)), piece...))
			if err := put(b, nil, key, record); err != nil {
				return err
			}
			if err := m.sectionSet.add(key, record); err != nil {
				return err
			}
			wanted[string(key)] = true
		}
	}
	return dropOthers(b, func(key []byte) bool { return wanted[string(key)] })
}

func saveModels(tx *bolt.Tx, m *manifest, packs [][]byte) error {
	b := tx.Bucket(modelsBucket)
	b.FillPercent = 0.9 // keys only ever rise
	m.modelSet = digest{}
	for i, record := range packs {
		key := packKey(i)
		if err := put(b, nil, key, seal(key, record)); err != nil {
			return err
		}
		if err := m.modelSet.add(key, record); err != nil {
			return err
		}
	}
	return dropOthers(b, func(key []byte) bool { return len(key) == 4 && int(binary.BigEndian.Uint32(key)) < len(packs) })
}

// dropOthers deletes the records whose key is not wanted. They are collected first: deleting moves a cursor.
func dropOthers(b *bolt.Bucket, wanted func(key []byte) bool) error {
	var others [][]byte
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if !wanted(k) {
			others = append(others, slices.Clone(k))
		}
	}
	for _, k := range others {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// Load reads the last checkpoint and proves every record of it. ok is false when none has been saved yet.
func (s *Store) Load() (l Loaded, ok bool, err error) {
	err = s.guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			m, err := readManifest(tx)
			if err != nil {
				return err
			}
			ok, err = loadCheckpoint(tx, &m, &l)
			return err
		})
	})
	if err != nil {
		return Loaded{}, false, fmt.Errorf("load checkpoint: %w", err)
	}
	return l, ok, nil
}

// SafePos returns the position up to which the journal may be dropped: that of the checkpoint before the last. When the last one
// turns out to be damaged, the one before can often be had from the same file, and then needs the journal from there.
// It is 0 before the second Save. Safe for concurrent use.
func (s *Store) SafePos() uint64 {
	s.statsMu.Lock()
	defer s.statsMu.Unlock()
	return s.published.before
}

// records is where a checkpoint's records come from: a transaction, or a damaged file.
type records interface {
	get(bucket, key []byte) []byte
}

type txRecords struct{ tx *bolt.Tx }

func (r txRecords) get(bucket, key []byte) []byte {
	if b := r.tx.Bucket(bucket); b != nil {
		return b.Get(key)
	}
	return nil
}

// loadCheckpoint proves the checkpoint that m speaks of, and copies it to l unless that is nil.
func loadCheckpoint(tx *bolt.Tx, m *manifest, l *Loaded) (bool, error) {
	for _, part := range []struct {
		name []byte
		want digest
	}{{sectionsBucket, m.sectionSet}, {modelsBucket, m.modelSet}} {
		b := tx.Bucket(part.name)
		if b == nil {
			return false, fmt.Errorf("%w: no bucket %s", ErrDamaged, part.name)
		}
		var got digest
		c := b.Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if err := got.add(k, v); err != nil {
				return false, err
			}
		}
		if got != part.want {
			return false, fmt.Errorf("%w: %s has %d records where %d were written, or others", ErrDamaged, part.name, got.count, part.want.count)
		}
	}
	return readCheckpoint(txRecords{tx}, m, l)
}

// readCheckpoint reads and proves the records that m asks for.
func readCheckpoint(from records, m *manifest, l *Loaded) (bool, error) {
	if l == nil {
		l = new(Loaded)
	}
	if m.generation == 0 {
		return false, nil
	}
	var seen digest
	l.Pos, l.AtMs, l.Sections = m.pos, m.atMs, make(map[string][]byte, len(m.sections))
	for _, s := range m.sections {
		if s.size > loadedMax || s.size > m.sectionSet.bytes {
			return false, fmt.Errorf("%w: section %q of %d bytes", ErrDamaged, s.name, s.size)
		}
		data := make([]byte, 0, s.size)
		for i := 0; uint64(len(data)) < s.size; i++ {
			key := sectionKey(s.name, i)
			record := from.get(sectionsBucket, key)
			p, err := payload(key, record)
			if err != nil {
				return false, fmt.Errorf("section %s: %w", s.name, err)
			}
			if len(p) == 0 || uint64(len(data)+len(p)) > s.size {
				return false, fmt.Errorf("%w: section %q is longer than was written", ErrDamaged, s.name)
			}
			data = append(data, p...)
			if err := seen.add(key, record); err != nil {
				return false, err
			}
		}
		l.Sections[s.name] = data
	}
	if seen != m.sectionSet {
		return false, fmt.Errorf("%w: sections are not those that were written", ErrDamaged)
	}
	seen = digest{}
	var packs [][]byte
	var n uint64
	for i := 0; uint64(i) < m.modelSet.count; i++ {
		key := packKey(i)
		record := from.get(modelsBucket, key)
		p, err := payload(key, record)
		if err != nil {
			return false, fmt.Errorf("models: %w", err)
		}
		if err := seen.add(key, record); err != nil {
			return false, err
		}
		r := readerOf(p)
		for r.Left() > 0 {
			readSized(r)
			readSized(r)
			n++
		}
		if r.Err() != nil {
			return false, fmt.Errorf("%w: models of pack %d overlap", ErrDamaged, i)
		}
		packs = append(packs, slices.Clone(p))
	}
	if n != m.models || seen != m.modelSet {
		return false, fmt.Errorf("%w: %d models where %d were written, or others", ErrDamaged, n, m.models)
	}
	l.Models = func(yield func(string, []byte) bool) {
		for _, p := range packs {
			for r := readerOf(p); r.Left() > 0; {
				id := r.String()
				if !yield(id, slices.Clip(readSized(r))) {
					return
				}
			}
		}
	}
	return true, nil
}

// note keeps what became of a Save, for Stats.
func (s *Store) note(took time.Duration, err error) {
	s.statsMu.Lock()
	defer s.statsMu.Unlock()
	if err != nil {
		checkpointsFailed.Inc()
		s.saveFails++
		s.saveErr = err.Error()
		if errors.Is(err, ErrDamaged) {
			s.log.Error("checkpoints cannot be written any more: restart to set the damaged store aside", "path", s.path, "err", err)
		}
		return
	}
	checkpointsSaved.Inc()
	checkpointSeconds.Update(took.Seconds())
	s.saves++
	s.saveErr, s.saveTook = "", took
}

// publish makes the manifest visible to Stats.
func (s *Store) publish() {
	s.statsMu.Lock()
	s.published = s.man.clone()
	s.statsMu.Unlock()
}

var (
	checkpointsSaved  = metrics.NewCounter("wrackline_store_checkpoints_saved_total")
	checkpointsFailed = metrics.NewCounter("wrackline_store_checkpoints_failed_total")
	checkpointSeconds = metrics.NewHistogram("wrackline_store_checkpoint_duration_seconds")
	recordsWritten    = metrics.NewCounter("wrackline_store_records_written_total")
	recordsKept       = metrics.NewCounter("wrackline_store_records_unchanged_total")
	bytesWritten      = metrics.NewCounter("wrackline_store_record_bytes_written_total")
)
