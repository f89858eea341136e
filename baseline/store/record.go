package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/baseline/codec"
)

// Every value in our buckets is a record: CRC-32C u32 little-endian over key and payload, then the payload.
// The key is covered so that a record that turns up under another key is noticed.

var (
	metaBucket     = []byte("meta")
	portionsBucket = []byte("portions")
	historyBucket  = []byte("history")

	formatKey   = []byte("format")
	manifestKey = []byte("manifest")
	spareKey    = []byte("spare manifest") // the same once more: without it no record means anything
)

const crcSize = 4

// seal writes the CRC into record, whose payload starts at crcSize.
func seal(key, record []byte) []byte {
	binary.LittleEndian.PutUint32(record, codec.Checksum(key, record[crcSize:]))
	return record
}

// payload returns the payload of a record. It is borrowed.
func payload(key, record []byte) ([]byte, error) {
	if len(record) < crcSize || binary.LittleEndian.Uint32(record) != codec.Checksum(key, record[crcSize:]) {
		return nil, fmt.Errorf("%w: record %q is not what was written", ErrDamaged, key)
	}
	return record[crcSize:], nil
}

// digest tells whether a set of records is whole: what it has too much, too little or exchanged changes it.
// It can be kept up to date record by record, without reading the others.
type digest struct {
	count uint64 // records
	bytes uint64 // of keys and values
	xor   uint32 // of the records' hashes
	sum   uint64 // of the records' hashes
}

// hash of a record: CRC-32C over key and stored CRC. It proves the key together with the CRC that proves the rest.
func recordHash(key, record []byte) (uint32, error) {
	if len(record) < crcSize {
		return 0, fmt.Errorf("%w: record %q has %d bytes", ErrDamaged, key, len(record))
	}
	return codec.Checksum(key, record[:crcSize]), nil
}

func (d *digest) add(key, record []byte) error {
	h, err := recordHash(key, record)
	if err != nil {
		return err
	}
	d.count++
	d.bytes += uint64(len(key) + len(record))
	d.xor ^= h
	d.sum += uint64(h)
	return nil
}

func (d *digest) remove(key, record []byte) error {
	h, err := recordHash(key, record)
	if err != nil {
		return err
	}
	d.count--
	d.bytes -= uint64(len(key) + len(record))
	d.xor ^= h
	d.sum -= uint64(h)
	return nil
}

func (d *digest) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, d.count)
	b = binary.LittleEndian.AppendUint64(b, d.bytes)
	b = binary.LittleEndian.AppendUint32(b, d.xor)
	return binary.LittleEndian.AppendUint64(b, d.sum)
}

// manifest says what the file must hold. It is written in the transaction that changes anything it speaks of.
type manifest struct {
	generation uint64 // of the checkpoint, counted over both files of a pair; 0 = there is none
	pos        uint64 // journal position of the checkpoint
	atMs       int64  // its time
	before     uint64 // journal position of the checkpoint before it
	next       uint64 // number of the next portion; none is used again
	history    digest
	newest     int64     // up to where time has passed in the history, see Recorder.passed
	sequence   uint64    // of the last tail written
	number     uint32    // of the next signal with history; none is used again while blocks under it may exist
	contents   []portion // where the list of what the checkpoint holds lies
	spare      []portion // the same list once more; format 2 had none
}

const (
	manifestFixed = 7*8 + 4 + 28 // bytes of a manifest before its portions
	portionSize   = 16           // bytes of each
)

func (m *manifest) clone() manifest {
	c := *m
	c.contents, c.spare = slices.Clone(m.contents), slices.Clone(m.spare)
	return c
}

func (m *manifest) append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, m.generation)
	b = le.AppendUint64(b, m.pos)
	b = le.AppendUint64(b, uint64(m.atMs))
	b = le.AppendUint64(b, m.before)
	b = le.AppendUint64(b, m.next)
	b = le.AppendUint64(b, uint64(m.newest))
	b = le.AppendUint64(b, m.sequence)
	b = le.AppendUint32(b, m.number)
	b = m.history.append(b)
	return appendPortions(appendPortions(b, m.contents), m.spare)
}

// readerOf returns a reader of what a record holds.
func readerOf(payload []byte) *codec.Reader { return codec.NewReader(payload, ErrDamaged) }

// readUint32 reads 4 bytes, 0 when there are not so many.
func readUint32(r *codec.Reader) uint32 {
	if b := r.Take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// readSized reads bytes behind their number, borrowed.
func readSized(r *codec.Reader) []byte { return r.Take(r.Num(r.Left())) }

func readDigest(r *codec.Reader) digest {
	return digest{count: r.Uint64(), bytes: r.Uint64(), xor: readUint32(r), sum: r.Uint64()}
}

func parseManifest(b []byte) (m manifest, err error) {
	r := readerOf(b)
	m.generation, m.pos, m.atMs, m.before, m.next = r.Uint64(), r.Uint64(), int64(r.Uint64()), r.Uint64(), r.Uint64()
	m.newest, m.sequence, m.number = int64(r.Uint64()), r.Uint64(), readUint32(r)
	m.history = readDigest(r)
	m.contents = readPortions(r)
	if r.Left() > 0 {
		m.spare = readPortions(r)
	}
	if r.Err() != nil || r.Left() != 0 {
		return m, fmt.Errorf("%w: the manifest does not make sense", ErrDamaged)
	}
	return m, nil
}

func readManifest(tx *bolt.Tx) (manifest, error) {
	b := tx.Bucket(metaBucket)
	p, err := payload(manifestKey, b.Get(manifestKey))
	if err != nil {
		return manifest{}, err
	}
	if spare := b.Get(spareKey); spare != nil {
		if again, err := payload(spareKey, spare); err != nil || !bytes.Equal(p, again) {
			return manifest{}, fmt.Errorf("%w: the manifest and its spare differ", ErrDamaged)
		}
	}
	return parseManifest(p)
}

func putManifest(tx *bolt.Tx, m *manifest) error {
	for _, key := range [][]byte{manifestKey, spareKey} {
		if err := tx.Bucket(metaBucket).Put(key, seal(key, m.append(make([]byte, crcSize, 256)))); err != nil {
			return err
		}
	}
	return nil
}

func putFormat(tx *bolt.Tx) error {
	return tx.Bucket(metaBucket).Put(formatKey, seal(formatKey, binary.LittleEndian.AppendUint32(make([]byte, crcSize, 8), version)))
}

// readFormat reads the version of the format. The record keeps its shape in every version.
func readFormat(tx *bolt.Tx) (uint32, error) {
	b := tx.Bucket(metaBucket)
	if b == nil {
		return 0, fmt.Errorf("%w: no meta bucket", ErrDamaged)
	}
	p, err := payload(formatKey, b.Get(formatKey))
	if err != nil {
		return 0, err
	}
	return checkVersion(p)
}

func checkVersion(p []byte) (uint32, error) {
	if len(p) < 4 {
		return 0, fmt.Errorf("%w: no format version", ErrDamaged)
	}
	v := binary.LittleEndian.Uint32(p)
	if v > version {
		return v, fmt.Errorf("%w: format %d, and this one reads up to %d", ErrVersion, v, version)
	} else if v < 1 {
		return v, fmt.Errorf("%w: format %d", ErrDamaged, v)
	}
	return v, nil
}

// put writes a record unless the same is there, and keeps d, when given, up to date. record must not change before the
// transaction ends.
func put(b *bolt.Bucket, d *digest, key, record []byte) error {
	old := b.Get(key)
	if bytes.Equal(old, record) {
		recordsKept.Inc()
		return nil
	}
	if d != nil {
		if old != nil {
			if err := d.remove(key, old); err != nil {
				return err
			}
		}
		if err := d.add(key, record); err != nil {
			return err
		}
	}
	recordsWritten.Inc()
	bytesWritten.Add(len(record))
	return b.Put(key, record)
}

// drop deletes the record under key, if there is one.
func drop(b *bolt.Bucket, d *digest, key []byte) error {
	if old := b.Get(key); old != nil {
		if err := d.remove(key, old); err != nil {
			return err
		}
	}
	return b.Delete(key)
}
