package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
)

// salvage carries what can be proven from a damaged file into this new one: the whole checkpoint or none of it, and each record
// of the history whose CRC is right. Records of other buckets are copied as they are; the outbox's carry their own CRC, and losing
// what it still has to send would be worse. The damaged file is read without bbolt.
func (s *Store) salvage(path string) (kept Salvage, err error) {
	f, err := os.Open(path)
	if err != nil {
		return kept, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return kept, err
	}
	p, err := openPages(f, st.Size())
	if err != nil {
		if p == nil || !errors.Is(err, ErrDamaged) {
			return kept, err
		}
		// Cut short: what is left may still hold most of it.
		p.meta.highWater = min(p.meta.highWater, uint64(p.size)/uint64(p.meta.pageSize))
		if p.meta.highWater < 4 {
			return kept, err
		}
	}
	p.lenient = true
	kept, err = s.carry(p)
	if err != nil {
		return kept, err
	}
	// The Recorder of the new file has read an empty history.
	s.rec = newRecorder(s)
	err = s.guard(s.rec.restore)
	s.publish()
	return kept, err
}

// salvaged holds the records of a checkpoint by bucket and key.
type salvaged map[string][]byte

func (r salvaged) get(bucket, key []byte) []byte { return r[string(bucket)+"\x00"+string(key)] }

// carryBytes is how much is carried in one transaction, all of which bbolt holds in memory.
const carryBytes = 32 << 20

// carrier carries the records of a damaged file into the store's new one.
type carrier struct {
	s          *Store
	p          *pages
	next       manifest
	found      salvaged // records of the checkpoint
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

func (s *Store) carry(p *pages) (Salvage, error) {
	c := &carrier{s: s, p: p, next: s.man.clone(), found: salvaged{}, names: map[string]bool{}}
	err := p.walk(c.record)
	if c.stop != nil {
		err = c.stop
	}
	if err != nil {
		return Salvage{}, err
	}
	c.kept.Lost = p.problems
	if err := c.update(c.checkpoint); err != nil {
		return Salvage{}, err
	}
	return c.kept, nil
}

// ofCheckpoint reports whether records of this bucket belong to the checkpoint.
func ofCheckpoint(path []string) bool {
	return len(path) == 1 && (path[0] == string(metaBucket) || path[0] == string(sectionsBucket) || path[0] == string(modelsBucket))
}

// record takes one record of the damaged file.
func (c *carrier) record(path []string, key []byte, v value) error {
	if c.stop != nil {
		return c.stop
	}
	data, err := v.bytes(v.size)
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
		c.found[path[0]+"\x00"+string(key)] = data
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
	c.batch = append(c.batch, carried{path, key, data})
	if c.batchBytes += len(key) + len(data); c.batchBytes > carryBytes {
		c.stop = c.update(nil)
	}
	return c.stop
}

// update writes the batch, what more writes and the manifest in one transaction.
func (c *carrier) update(more func(tx *bolt.Tx) error) error {
	err := c.s.guard(func() error {
		return c.s.db.Update(func(tx *bolt.Tx) error {
			for _, r := range c.batch {
				b, err := makeBuckets(tx, r.path)
				if err != nil {
					return err
				}
				if r.path[0] == string(historyBucket) {
					err = put(b, &c.next.history, r.key, r.val)
				} else {
					err = b.Put(r.key, r.val)
				}
				if err != nil {
					return err
				}
			}
			if more != nil {
				if err := more(tx); err != nil {
					return err
				}
			}
			return putManifest(tx, &c.next)
		})
	})
	if err == nil {
		c.s.man = c.next.clone()
	}
	c.batch, c.batchBytes = c.batch[:0], 0
	return err
}

// checkpoint writes the checkpoint that was found, or the one before it, when one of them is whole.
func (c *carrier) checkpoint(tx *bolt.Tx) error {
	m, ok := c.found.prove()
	if m != nil {
		c.next.newest, c.next.sequence, c.next.number = max(c.next.newest, m.newest), max(c.next.sequence, m.sequence), max(c.next.number, m.number)
	}
	if !ok {
		// bbolt has not yet used the pages of the transaction before: if that one was a checkpoint, it is there whole.
		if c.found = c.p.before(); c.found == nil {
			return nil
		}
		if m, ok = c.found.prove(); !ok {
			return nil
		}
		c.kept.Older = true
	}
	c.kept.Checkpoint = true
	c.next.generation, c.next.pos, c.next.atMs, c.next.before = m.generation, m.pos, m.atMs, m.before
	c.next.models, c.next.sections, c.next.sectionSet, c.next.modelSet = m.models, m.sections, m.sectionSet, m.modelSet
	return copyCheckpoint(tx, c.found, m)
}

// before collects the checkpoint's records of the transaction before, nil when there is none.
func (p *pages) before() salvaged {
	q := &pages{r: p.r, size: p.size, meta: p.older, lenient: true}
	if p.older.pageSize == 0 {
		return nil
	}
	q.meta.highWater = min(q.meta.highWater, uint64(q.size)/uint64(q.meta.pageSize))
	found, n := salvaged{}, 0
	err := q.walk(func(path []string, key []byte, v value) error {
		if !ofCheckpoint(path) {
			return nil
		}
		data, err := v.bytes(v.size)
		if n += len(data); err != nil || n > loadedMax {
			return err
		}
		found[path[0]+"\x00"+string(key)] = bytes.Clone(data)
		return nil
	})
	if err != nil {
		return nil
	}
	return found
}

// prove returns the manifest, nil when that is lost, and whether the checkpoint that it speaks of is whole.
func (r salvaged) prove() (*manifest, bool) {
	p, err := payload(manifestKey, r.get(metaBucket, manifestKey))
	if err != nil {
		return nil, false
	}
	m, err := parseManifest(p)
	if err != nil {
		return nil, false
	}
	ok, err := readCheckpoint(r, &m, nil)
	return &m, ok && err == nil
}

func copyCheckpoint(tx *bolt.Tx, found salvaged, m *manifest) error {
	b := tx.Bucket(sectionsBucket)
	for _, s := range m.sections {
		for i := 0; i*pieceMax < int(s.size); i++ {
			key := sectionKey(s.name, i)
			if err := b.Put(key, found.get(sectionsBucket, key)); err != nil {
				return err
			}
		}
	}
	b = tx.Bucket(modelsBucket)
	for i := range m.modelSet.count {
		key := packKey(int(i))
		if err := b.Put(key, found.get(modelsBucket, key)); err != nil {
			return err
		}
	}
	return nil
}

// outlive makes sure that the numbers to come are beyond those that a record of the history uses, and that the newest time is not
// before it, in case the manifest is lost. The time is the slot's end: a little too new only forgets a little early.
func (m *manifest) outlive(key []byte) {
	for which := range tiers {
		switch {
		case key[0] == tiers[which].key && len(key) == 9:
			m.number = max(m.number, (binary.BigEndian.Uint32(key[5:])+1)*packSignals)
			if which == full {
				m.newest = max(m.newest, int64(binary.BigEndian.Uint32(key[1:])+1)*tiers[which].slotMs)
			}
		case key[0] == tiers[which].tail && len(key) == 13:
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
