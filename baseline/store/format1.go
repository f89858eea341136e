package store

// What format 1 kept otherwise: a checkpoint's sections and models in a bucket each, under their own names, all written in one transaction. It is
// read, and an opened file of it is brought to the present format.

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/baseline/store/packs"
)

var (
	sections1Bucket = []byte("sections")
	models1Bucket   = []byte("models")
)

// manifest1 is the manifest of format 1.
type manifest1 struct {
	manifest
	models     uint64
	sections   []section1
	sectionSet digest
	modelSet   digest
}

type section1 struct {
	name string
	size uint64
}

func parseManifest1(b []byte) (m manifest1, err error) {
	r := readerOf(b)
	m.generation, m.pos, m.atMs, m.before, m.models = r.Uint64(), r.Uint64(), int64(r.Uint64()), r.Uint64(), r.Uint64()
	m.newest, m.sequence, m.number = int64(r.Uint64()), r.Uint64(), readUint32(r)
	m.sectionSet, m.modelSet, m.history = readDigest(r), readDigest(r), readDigest(r)
	for n := r.Num(1000); n > 0 && r.Err() == nil; n-- {
		m.sections = append(m.sections, section1{string(readSized(r)), uint64(r.Num(math.MaxInt))})
	}
	if r.Err() != nil || r.Left() != 0 {
		return m, fmt.Errorf("%w: the manifest does not make sense", ErrDamaged)
	}
	return m, nil
}

func pack1Key(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }

func section1Key(name string, piece int) []byte {
	return binary.BigEndian.AppendUint32(append([]byte(name), 0), uint32(piece))
}

// load1 proves the checkpoint that m speaks of, and copies it to l unless that is nil.
func load1(tx *bolt.Tx, m *manifest1, l *Loaded) (bool, error) {
	for _, part := range []struct {
		name []byte
		want digest
	}{{sections1Bucket, m.sectionSet}, {models1Bucket, m.modelSet}} {
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
	return read1(txRecords{tx}, m, l)
}

// read1 reads and proves the records that m asks for.
func read1(from records, m *manifest1, l *Loaded) (bool, error) {
	if l == nil {
		l = new(Loaded)
	}
	if m.generation == 0 {
		return false, nil
	}
	var seen digest
	*l = loadedOf(&m.manifest)
	for _, s := range m.sections {
		if s.size > loadedMax || s.size > m.sectionSet.bytes {
			return false, fmt.Errorf("%w: section %q of %d bytes", ErrDamaged, s.name, s.size)
		}
		data := make([]byte, 0, s.size)
		for i := 0; uint64(len(data)) < s.size; i++ {
			key := section1Key(s.name, i)
			record := from.get(sections1Bucket, key)
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
	var g group
	var n uint64
	for i := 0; uint64(i) < m.modelSet.count; i++ {
		key := pack1Key(i)
		record := from.get(models1Bucket, key)
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
		g.packs = append(g.packs, packs.Pack{B: slices.Clone(p)})
	}
	if n != m.models || seen != m.modelSet {
		return false, fmt.Errorf("%w: %d models where %d were written, or others", ErrDamaged, n, m.models)
	}
	l.groups = []group{g}
	l.Models = l.all
	return true, nil
}

// sizes are what Stats tells of.
func (m *manifest1) sizes() sizes {
	return sizes{sections: len(m.sections), models: int(m.models), sectionBytes: int64(m.sectionSet.bytes), modelBytes: int64(m.modelSet.bytes)}
}

func readManifest1(tx *bolt.Tx) (manifest1, error) {
	p, err := payload(manifestKey, tx.Bucket(metaBucket).Get(manifestKey))
	if err != nil {
		return manifest1{}, err
	}
	return parseManifest1(p)
}

// raise brings a file of format 1, which has been proven, to the present format: the checkpoint is laid out anew and the old buckets go, in
// the transaction that says so.
func (s *Store) raise() error {
	var l Loaded
	var m manifest1
	ok := false
	err := s.db.View(func(tx *bolt.Tx) (err error) {
		if m, err = readManifest1(tx); err == nil {
			ok, err = load1(tx, &m, &l)
		}
		return err
	})
	if err != nil {
		return err
	}
	if !ok {
		l = Loaded{}
	}
	s.man = m.manifest
	if err := s.db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(portionsBucket)
		return err
	}); err != nil {
		return err
	}
	return s.adopt(&l, func(tx *bolt.Tx) error {
		for _, name := range [][]byte{sections1Bucket, models1Bucket} {
			if err := tx.DeleteBucket(name); err != nil {
				return err
			}
		}
		return putFormat(tx)
	})
}
