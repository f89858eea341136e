package store

// The bucket of the chart history: its keys, and what a save writes there and drops.

import (
	"cmp"
	"encoding/binary"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/store/tiers"
)

const (
	namesKey = 'n'
	lastKey  = 'l'
)

func blockKey(which int, slot, pack uint32) []byte {
	b := append(make([]byte, 0, 9), tiers.Of[which].Key)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, slot), pack)
}

func tailKey(which int, seq uint64, piece int) []byte {
	b := append(make([]byte, 0, 13), tiers.Of[which].Tail)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, seq), uint32(piece))
}

func numberKey(kind byte, n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{kind}, n) }

// write puts it all into the transaction and drops what is past being kept.
func (p *pendingSave) write(tx *bolt.Tx, m *manifest) error {
	b := tx.Bucket(historyBucket)
	b.FillPercent = 0.9 // keys mostly rise within their kind
	d := &m.history
	for which := range p.blocks { // first what makes room
		if err := dropBelow(b, d, tiers.Of[which].Tail, tailKey(which, p.oldest[which], 0)); err != nil {
			return err
		}
		if err := dropBelow(b, d, tiers.Of[which].Key, blockKey(which, p.floor[which], 0)); err != nil {
			return err
		}
	}
	if p.undone != 0 {
		for which := range tiers.Of {
			if err := dropBeyond(b, d, which, p.undone); err != nil {
				return err
			}
		}
	}
	for which := range p.blocks {
		if err := p.writeBlocks(b, d, which); err != nil {
			return err
		}
		for i, record := range p.tails[which] {
			key := tailKey(which, p.seq, i)
			if err := put(b, d, key, seal(key, record)); err != nil {
				return err
			}
		}
	}
	for _, t := range p.fresh {
		key := numberKey(namesKey, t.number)
		if err := put(b, d, key, seal(key, append(make([]byte, crcSize, crcSize+len(t.id)), t.id...))); err != nil {
			return err
		}
	}
	for _, t := range p.expired {
		if err := drop(b, d, numberKey(namesKey, t.number)); err != nil {
			return err
		}
	}
	for group, record := range p.seals {
		key := numberKey(lastKey, group)
		var err error
		if len(record) == crcSize {
			err = drop(b, d, key)
		} else {
			err = put(b, d, key, seal(key, record))
		}
		if err != nil {
			return err
		}
	}
	m.newest = p.newest
	m.number = p.number
	m.sequence = p.seq
	return nil
}

// writeBlocks writes the sealed blocks, those of a slot and pack together.
func (p *pendingSave) writeBlocks(b *bolt.Bucket, d *digest, which int) error {
	type ref struct {
		place uint64 // slot, pack
		c     *tiers.Chunk
		i     int
	}
	var refs []ref
	for _, c := range p.blocks[which].Chunks {
		for i, e := range c.List {
			if e.Slot >= p.floor[which] {
				refs = append(refs, ref{uint64(e.Slot)<<32 | uint64(e.Number/packSignals), c, i})
			}
		}
	}
	slices.SortStableFunc(refs, func(a, b ref) int { return cmp.Compare(a.place, b.place) })
	for len(refs) > 0 {
		n := 1
		for n < len(refs) && refs[n].place == refs[0].place {
			n++
		}
		key := blockKey(which, uint32(refs[0].place>>32), uint32(refs[0].place))
		record := codec.Writer{B: make([]byte, crcSize, 4096)}
		if old := b.Get(key); old != nil {
			have, err := payload(key, old)
			if err != nil {
				// A hole in a chart is no reason to stop learning.
				historyDamaged.Inc()
			} else {
				record.Bytes(have)
			}
		}
		for _, e := range refs[:n] {
			data := e.c.Block(e.i)
			record.Byte(byte(e.c.List[e.i].Number % packSignals))
			record.Num(len(data))
			record.Bytes(data)
		}
		if err := put(b, d, key, seal(key, record.B)); err != nil {
			return err
		}
		refs = refs[n:]
	}
	return nil
}

// dropBelow deletes the records of a kind whose keys come before limit.
func dropBelow(b *bolt.Bucket, d *digest, kind byte, limit []byte) error {
	var old [][]byte
	c := b.Cursor()
	for k, _ := c.Seek([]byte{kind}); k != nil && k[0] == kind && string(k) < string(limit); k, _ = c.Next() {
		old = append(old, slices.Clone(k))
	}
	for _, k := range old {
		if err := drop(b, d, k); err != nil {
			return err
		}
	}
	return nil
}
