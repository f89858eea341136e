package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/baseline/store/disk"
	"github.com/wrackline/wrackline/baseline/store/pages"
	"github.com/wrackline/wrackline/baseline/store/tiers"
)

// salvage carries what can be proven from a damaged file into this new one: of the checkpoint every section and model that proves itself, and each record
// of the history whose CRC is right. Records of other buckets are copied as they are; the outbox's carry their own CRC, and losing
// what it still has to send would be worse. The damaged file is read without bbolt.
func (s *Store) salvage(path string) (kept Salvage, err error) {
	c := newCarrier(s)
	l, err := c.dig(path)
	if err == nil {
		err = c.settle(l)
	}
	return c.kept, err
}

func newCarrier(s *Store) *carrier {
	c := &carrier{s: s, names: map[string]bool{}}
	if s != nil {
		c.next = s.man.clone()
	}
	return c
}

// dig carries the records of a damaged file and returns its checkpoint, nil when there is none.
func (c *carrier) dig(path string) (*Loaded, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := disk.Lock(f, true, timeoutDefault); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrInUse, err)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	c.found = newDug(f, st.Size())
	p, err := pages.Open(f, st.Size())
	if err != nil && !errors.Is(err, ErrDamaged) {
		return nil, err
	}
	// Cut short: what is left may still hold most of it. Without a way through its pages the checkpoint is found all the same.
	if err == nil || p != nil && p.Fit() {
		p.Lenient = true
		if err := p.Walk(c.record); err != nil || c.stop != nil {
			return nil, cmp.Or(c.stop, err)
		}
		c.kept.Lost = p.Problems()
	}
	return c.checkpoint()
}

// settle ends a salvage with what is to be the checkpoint.
func (c *carrier) settle(l *Loaded) error {
	s := c.s
	err := c.update()
	if err == nil && l != nil {
		s.man = c.next.clone()
		err = s.adopt(l, nil)
	}
	if err != nil {
		return err
	}
	// The Recorder of the new file has read an empty history.
	s.rec = newRecorder(s)
	err = s.guard(s.rec.restore)
	s.publish()
	return err
}

// carryBytes is how much is carried in one transaction, all of which bbolt holds in memory.
const carryBytes = 32 << 20

// carrier carries the records of a damaged file into the store's new one.
type carrier struct {
	s          *Store // nil = they are only looked at
	next       manifest
	found      *dug // records of the checkpoint
	foundBytes int
	names      map[string]bool // of signals with history
	batch      []carried       // what the next transaction writes
	batchBytes int
	kept       Salvage
	stop       error // a fault of the new file, which ends the walk
}

// carried is a record on its way.
type carried struct {
	path     []string
	key, val []byte
}

// ofCheckpoint reports whether records of this bucket belong to the checkpoint.
func ofCheckpoint(path []string) bool {
	if len(path) != 1 {
		return false
	}
	switch path[0] {
	case string(metaBucket), string(portionsBucket), string(sections1Bucket), string(models1Bucket):
		return true
	}
	return false
}

// record takes one record of the damaged file.
func (c *carrier) record(path []string, key []byte, v pages.Value) error {
	if c.stop != nil {
		return c.stop
	}
	data, err := v.Bytes(v.Size())
	if err != nil {
		return err
	}
	key, data = bytes.Clone(key), bytes.Clone(data)
	switch {
	case len(path) == 0 || len(key) == 0:
		return fmt.Errorf("%w: record %q has no place", ErrDamaged, key)
	case ofCheckpoint(path):
		if c.foundBytes += len(data); c.foundBytes > loadedMax {
			return fmt.Errorf("%w: checkpoint of more than %d bytes", ErrDamaged, loadedMax)
		}
		c.found.add(path[0], key, data)
		return nil
	case len(path) == 1 && path[0] == string(historyBucket):
		if err := checkHistory(key, data); err != nil {
			return err
		}
		if key[0] == namesKey {
			if c.names[string(data[crcSize:])] {
				return fmt.Errorf("%w: two names %q", ErrDamaged, data)
			}
			c.names[string(data[crcSize:])] = true
		}
		c.kept.History++
		c.next.outlive(key)
	default:
		c.kept.Other++
	}
	if c.s == nil {
		return nil
	}
	c.batch = append(c.batch, carried{path, key, data})
	if c.batchBytes += len(key) + len(data); c.batchBytes > carryBytes {
		c.stop = c.update()
	}
	return c.stop
}

// update writes the batch and a manifest of the history in one transaction.
func (c *carrier) update() error {
	next := c.s.man.clone()
	next.history, next.newest, next.sequence, next.number = c.next.history, c.next.newest, c.next.sequence, c.next.number
	err := c.s.guard(func() error {
		return c.s.db.Update(func(tx *bolt.Tx) error {
			for _, r := range c.batch {
				b, err := makeBuckets(tx, r.path)
				if err != nil {
					return err
				}
				if r.path[0] == string(historyBucket) {
					err = put(b, &next.history, r.key, r.val)
				} else {
					err = b.Put(r.key, r.val)
				}
				if err != nil {
					return err
				}
			}
			return putManifest(tx, &next)
		})
	})
	if err == nil {
		c.s.man, c.next.history = next, next.history
	}
	c.batch, c.batchBytes = c.batch[:0], 0
	return err
}

// checkpoint returns the checkpoint that was found, nil when there is none, and notes what the manifest says.
func (c *carrier) checkpoint() (*Loaded, error) {
	m, l, older, err := c.found.checkpoint()
	if m != nil {
		c.next.newest, c.next.sequence, c.next.number = max(c.next.newest, m.newest), max(c.next.sequence, m.sequence), max(c.next.number, m.number)
	}
	if l == nil {
		return nil, err
	}
	c.kept.Checkpoint, c.kept.Older, c.kept.Holes = true, older, l.Holes
	c.next.generation, c.next.pos, c.next.atMs, c.next.before = m.generation, m.pos, m.atMs, m.before
	return l, nil
}

// outlive makes sure that the numbers to come are beyond those that a record of the history uses, and that the newest time is not
// before it, in case the manifest is lost. The time is the slot's end: a little too new only forgets a little early.
func (m *manifest) outlive(key []byte) {
	for which := range tiers.Of {
		switch {
		case key[0] == tiers.Of[which].Key && len(key) == 9:
			m.number = max(m.number, (binary.BigEndian.Uint32(key[5:])+1)*packSignals)
			if which == full {
				m.newest = max(m.newest, int64(binary.BigEndian.Uint32(key[1:])+1)*tiers.Of[which].SlotMs)
			}
		case key[0] == tiers.Of[which].Tail && len(key) == 13:
			m.sequence = max(m.sequence, binary.BigEndian.Uint64(key[1:]))
		}
	}
}

func makeBuckets(tx *bolt.Tx, path []string) (*bolt.Bucket, error) {
	b, err := tx.CreateBucketIfNotExists([]byte(path[0]))
	for _, name := range path[1:] {
		if err == nil {
			b, err = b.CreateBucketIfNotExists([]byte(name))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: bucket %q: %w", ErrDamaged, path, err)
	}
	return b, nil
}

// newer returns ErrVersion when a file that is damaged says that it was written by a newer version: it is not ours to set aside.
func newer(p *pages.File) (err error) {
	p.Lenient = true
	defer func() { p.Lenient = false }()
	_ = p.Walk(func(path []string, key []byte, v pages.Value) error {
		if len(path) != 1 || path[0] != string(metaBucket) || string(key) != string(formatKey) {
			return nil
		}
		data, readErr := v.Bytes(1 << 10)
		if readErr != nil {
			return nil
		}
		if f, bad := payload(key, data); bad == nil {
			if _, found := checkVersion(f); errors.Is(found, ErrVersion) {
				err = found
			}
		}
		return nil
	})
	return err
}
