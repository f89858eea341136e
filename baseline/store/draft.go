package store

// A checkpoint in the making. Its records get numbers that none had before and are written in transactions of a bounded size, while the
// checkpoint before stays as it is; the last transaction writes the contents and the manifest, which from then on speak of the new one, and deletes
// what only the old one had. So a crash at any point leaves one of the two whole, and memory holds one batch, not the whole. Records that
// no manifest speaks of have numbers from manifest.next on: the next start deletes them.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/store/packs"
)

// batchMax is how many bytes of records are written in one transaction. bbolt holds them once more until it ends. Each also writes the list of
// free pages, so that many small ones cost more than few large ones.
const batchMax = 16 << 20

// errDone is returned by a Draft that was committed or discarded.
var errDone = errors.New("the checkpoint has been committed or discarded")

// Draft is a checkpoint that is given part by part, in any order; what it is given may be used again at once. Nothing of it counts before
// Commit. Exactly one of Commit and Discard must follow; until then other checkpoints wait, while the Recorder, Load and everything else go on.
// A Draft is for one goroutine. After an error its methods return that error, and Commit discards.
type Draft struct {
	s     *Store
	start time.Time
	err   error
	done  bool

	table table
	kept  map[uint64]bool // portions of the checkpoint before that are in this one
	first uint64          // number of the first portion of its own
	next  uint64          // of the next one
	wrote bool            // a transaction has ended
	batch []fresh
	bytes int
	left  []leftOut
}

// leftOut is a model or a section that no record takes.
type leftOut struct {
	name string
	why  error
}

// leave leaves a model or a section out.
func (d *Draft) leave(name string, why error) { d.left = append(d.left, leftOut{name, why}) }

// fresh is a record that the next transaction writes.
type fresh struct {
	key []byte
	pack
}

// Begin begins a checkpoint. It waits until the one under way ends.
func (s *Store) Begin() (*Draft, error) {
	s.saving.Lock()
	d := s.draft()
	if err := s.writable(); err != nil {
		d.err = err
		return nil, d.Discard()
	}
	return d, nil
}

// draft is Begin without the lock.
func (s *Store) draft() *Draft {
	s.writing.Lock()
	next := max(s.man.next, s.number, 1)
	s.writing.Unlock()
	return &Draft{s: s, start: time.Now(), kept: map[uint64]bool{}, first: next, next: next}
}

// Section gives one section. Names are unique, not empty, and have at most 128 bytes, none of them 0; one of another name is left out. A section that the checkpoint before
// had and this one is not given is gone. Pieces of it whose bytes are those of the checkpoint before are not written.
func (d *Draft) Section(name string, data []byte) error {
	old, ok := d.begin(sectionRow, name)
	if !ok {
		return d.err
	}
	e := row{kind: sectionRow, name: name, size: uint64(len(data))}
	for i := 0; len(data) > 0 && d.err == nil; i++ {
		n := min(len(data), recordMax-crcSize)
		if !d.keep(&e, old, i, data[:n]) {
			p := pack{room: rooms.Get().(*room)}
			p.record = p.room[:crcSize+n]
			copy(p.record[crcSize:], data)
			d.add(&e, p)
		}
		data = data[n:]
	}
	d.end(e)
	return d.err
}

// Models gives a group of models: signal id → bytes, in a stable order. The bytes may be borrowed until the next yield. Groups have unique names of
// at most 128 bytes, also ""; Loaded.Models has all groups in the order in which they were given. Models that come or go move those behind them in
// their group into other packs, which are then written again: so a group for each cluster.
func (d *Draft) Models(group string, models iter.Seq2[string, []byte]) error {
	old, ok := d.begin(modelsRow, group)
	if !ok {
		return d.err
	}
	e := row{kind: modelsRow, name: group}
	if err := packModels(models, d.leave, func(p pack) error { return d.pack(&e, old, p) }); err != nil && d.err == nil {
		d.err = err
	}
	d.end(e)
	return d.err
}

// frozen is Models of what Freeze has copied.
func (d *Draft) frozen(f *frozen) {
	old, ok := d.begin(modelsRow, f.name)
	if !ok {
		return
	}
	e := row{kind: modelsRow, name: f.name}
	d.left = append(d.left, f.left...)
	if f.saved {
		d.err = errors.New("a frozen checkpoint can be saved once")
	}
	f.saved = true
	for _, p := range f.packs {
		if d.pack(&e, old, p) != nil {
			break
		}
	}
	f.packs = nil
	d.end(e)
}

// begin reports whether a row of this name may be given, and returns what the checkpoint before had under it.
func (d *Draft) begin(kind byte, name string) (old []portion, ok bool) {
	if d.done {
		d.err = errDone
	}
	if d.err != nil {
		return nil, false
	}
	var why error
	if kind == sectionRow && name == "" || len(name) > nameMax || strings.IndexByte(name, 0) >= 0 {
		why = fmt.Errorf("a name of %d bytes", len(name))
	} else if _, twice := d.table.index[kind][name]; twice {
		why = errors.New("it is there twice")
	} else if len(d.table.rows) >= rowsMax {
		why = fmt.Errorf("there are %d others", rowsMax)
	}
	if why != nil {
		d.leave(name, why)
		return nil, false
	}
	return d.s.table.find(kind, name), true
}

// tellLeft says what a checkpoint left out, once for each name, and keeps it for Stats.
func (s *Store) tellLeft(list []leftOut) {
	s.statsMu.Lock()
	before := s.leftOut
	s.leftOut = nil
	for _, x := range list {
		s.leftOut = append(s.leftOut, fmt.Sprintf("%.100q: %v", x.name, x.why))
	}
	now := s.leftOut
	s.statsMu.Unlock()
	recordsLeftOut.Add(len(now))
	for i, text := range now {
		if i < 10 && !slices.Contains(before, text) {
			s.log.Error("a checkpoint leaves out what no record takes; the rest is saved", "path", s.path, "what", text, "left_out", len(now))
		}
	}
}

func (d *Draft) end(e row) {
	if d.err == nil {
		d.err = d.table.add(e)
	}
}

// pack takes one record of models.
func (d *Draft) pack(e *row, old []portion, p pack) error {
	e.size += uint64(p.models)
	data, was := p.record[crcSize:], uint32(0)
	if i := len(e.portions); i < len(old) {
		was = packs.SaltOf(old[i].number)
		packs.Bind(data, was)
	}
	if d.keep(e, old, len(e.portions), data) {
		p.release()
		return d.err
	}
	packs.Bind(data, was^packs.SaltOf(d.next))
	d.add(e, p)
	return d.err
}

// keep reports whether portion i of the row is the old one to the byte, which then goes on.
func (d *Draft) keep(e *row, old []portion, i int, data []byte) bool {
	if i >= len(old) || int(old[i].size) != len(data) || d.err != nil {
		return false
	}
	p := old[i]
	key := portionKey(p.number)
	if codec.Checksum(key, data) != p.crc {
		return false
	}
	// A sum of 32 bits is a hint; the file is right beside.
	same := false
	err := d.s.guard(func() error {
		return d.s.db.View(func(tx *bolt.Tx) error {
			record := tx.Bucket(portionsBucket).Get(key)
			same = len(record) >= crcSize && bytes.Equal(record[crcSize:], data)
			return nil
		})
	})
	if err != nil {
		d.err = err
	}
	if same {
		recordsKept.Inc()
		d.kept[p.number] = true
		e.portions = append(e.portions, p)
	}
	return same
}

// add takes a new record, and writes the batch when it is large enough.
func (d *Draft) add(e *row, p pack) {
	if d.err != nil {
		p.release()
		return
	}
	f := fresh{portionKey(d.next), p}
	seal(f.key, f.record)
	e.portions = append(e.portions, portion{d.next, binary.LittleEndian.Uint32(f.record), uint32(len(f.record) - crcSize)})
	d.next++
	d.batch = append(d.batch, f)
	if d.bytes += len(f.record); d.bytes < d.s.batchMax {
		return
	}
	d.s.writing.Lock()
	defer d.s.writing.Unlock()
	d.err = d.s.guard(func() error { return d.s.db.Update(d.put) })
	d.wrote = d.wrote || d.err == nil
	d.empty()
}

// put writes the batch into a transaction.
func (d *Draft) put(tx *bolt.Tx) error {
	b := tx.Bucket(portionsBucket)
	b.FillPercent = 1 // numbers only ever rise
	for _, f := range d.batch {
		if err := b.Put(f.key, f.record); err != nil {
			return err
		}
		recordsWritten.Inc()
		bytesWritten.Add(len(f.record))
	}
	return nil
}

// empty gives the rooms of the batch back.
func (d *Draft) empty() {
	for i := range d.batch {
		d.batch[i].release()
	}
	d.batch, d.bytes = d.batch[:0], 0
}

// Commit makes the draft the checkpoint after journal position pos, made at the receive clock atMs (Unix milliseconds). The last transaction also
// takes the Recorder's pending history.
func (d *Draft) Commit(pos uint64, atMs int64) error {
	if d.done || d.err != nil {
		return d.Discard()
	}
	s := d.s
	defer s.saving.Unlock()
	err := s.write(func(tx *bolt.Tx, next *manifest) error {
		next.generation = max(next.generation, s.least.Load()) + 1
		next.before, next.pos, next.atMs = s.man.pos, pos, atMs
		return d.last(tx, next)
	})
	d.finish(err)
	if err == nil {
		s.tellLeft(d.left)
	}
	s.note(time.Since(d.start), err)
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	s.publish()
	return nil
}

// last writes what makes the draft the checkpoint.
func (d *Draft) last(tx *bolt.Tx, next *manifest) error {
	s := d.s
	dead := slices.Clone(s.left)
	s.table.each(&s.man, func(p portion) {
		if !d.kept[p.number] {
			dead = append(dead, p.number)
		}
	})
	// The contents come last, so that d.next counts no record of a transaction that fails.
	next.next = d.next
	own := d.batch
	contents := d.table.append(nil)
	next.contents = d.list(next, contents)
	next.spare = d.list(next, contents)
	err := d.put(tx)
	d.batch = own
	if err != nil {
		return err
	}
	return dropPortions(tx, dead)
}

// list puts the contents into records of the batch.
func (d *Draft) list(next *manifest, contents []byte) (portions []portion) {
	for b := contents; len(b) > 0; {
		n := min(len(b), recordMax-crcSize)
		f := fresh{portionKey(next.next), pack{record: append(make([]byte, crcSize, crcSize+n), b[:n]...)}}
		seal(f.key, f.record)
		portions = append(portions, portion{next.next, binary.LittleEndian.Uint32(f.record), uint32(n)})
		next.next++
		d.batch = append(d.batch, f)
		b = b[n:]
	}
	return portions
}

func dropPortions(tx *bolt.Tx, numbers []uint64) error {
	b := tx.Bucket(portionsBucket)
	b.FillPercent = 1
	for _, n := range numbers {
		if err := b.Delete(portionKey(n)); err != nil {
			return err
		}
	}
	return nil
}

// finish ends the draft after its last transaction.
func (d *Draft) finish(err error) {
	s := d.s
	d.done = true
	d.empty()
	if err != nil {
		d.undo()
		return
	}
	s.table, s.left = d.table, nil
}

// undo deletes the records of a draft that came to nothing; when that fails the next checkpoint or the next start does.
func (d *Draft) undo() {
	s := d.s
	if !d.wrote {
		return
	}
	s.number = max(s.number, d.next)
	for n := d.first; n < d.next; n++ {
		s.left = append(s.left, n)
	}
	_ = s.sweep() // the next checkpoint tries again
}

// sweep deletes the records that a checkpoint left which came to nothing.
func (s *Store) sweep() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	err := s.guard(func() error { return s.db.Update(func(tx *bolt.Tx) error { return dropPortions(tx, s.left) }) })
	if err == nil {
		s.left = nil
	}
	return err
}

// Discard ends a draft that is not to be a checkpoint. It returns what went wrong with it before, nil when nothing did. After Commit it does
// nothing but say so.
func (d *Draft) Discard() error {
	if d.done {
		return errDone
	}
	defer d.s.saving.Unlock()
	d.done = true
	d.empty()
	d.undo()
	if d.err == nil {
		return nil
	}
	d.s.note(0, d.err)
	return fmt.Errorf("save checkpoint: %w", d.err)
}

// adopt makes a checkpoint that was read elsewhere this file's, as the manifest already tells of it, and runs more in the same
// transaction. The history is left as it is. For a store that nobody has yet.
func (s *Store) adopt(l *Loaded, more func(tx *bolt.Tx) error) error {
	d := s.draft()
	for _, name := range slices.Sorted(maps.Keys(l.Sections)) {
		_ = d.Section(name, l.Sections[name]) // d.err keeps it
	}
	for i := range l.groups {
		_ = d.Models(l.groups[i].name, l.groups[i].all)
	}
	for _, h := range l.Holes {
		kind := byte(lostModels)
		if h.Models == 0 {
			kind = lostSection
		}
		d.end(row{kind: kind, name: h.Name, size: uint64(h.Models)})
	}
	next := s.man.clone()
	err := d.err
	if err == nil {
		s.writing.Lock()
		err = s.update(&next, func(tx *bolt.Tx) error {
			if err := d.last(tx, &next); err != nil || more == nil {
				return err
			}
			return more(tx)
		})
		s.writing.Unlock()
	}
	d.finish(err)
	return err
}
