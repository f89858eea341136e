package store

// What a start reads back of the chart history.

import (
	"encoding/binary"
	"fmt"
	"math"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/store/rows"
	"github.com/wrackline/wrackline/baseline/store/tiers"
)

// restore reads back what the last save left: names, seals and tails.
func (r *Recorder) restore() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq, r.newest, r.passed, r.number = r.s.man.sequence+1, r.s.man.newest, r.s.man.newest, r.s.man.number
	defer func() {
		for _, t := range r.tracks {
			r.newest = max(r.newest, t.last)
		}
	}()
	return r.s.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(historyBucket)
		each := func(kind byte, f func(key []byte, in *codec.Reader) error) error {
			c := b.Cursor()
			for k, v := c.Seek([]byte{kind}); k != nil && k[0] == kind; k, v = c.Next() {
				p, err := payload(k, v)
				if err != nil {
					return err
				}
				in := readerOf(p)
				if err := f(k, in); err != nil {
					return err
				}
				if in.Err() != nil {
					return fmt.Errorf("%w: record %q ends too early", ErrDamaged, k)
				}
			}
			return nil
		}
		byNumber := map[uint32]*track{}
		err := each(namesKey, func(key []byte, in *codec.Reader) error {
			if len(key) != 5 {
				return fmt.Errorf("%w: key %q", ErrDamaged, key)
			}
			t := &track{number: binary.BigEndian.Uint32(key[1:]), id: string(in.Take(in.Left()))}
			if r.byID[t.id] != nil {
				return fmt.Errorf("%w: two numbers for signal %q", ErrDamaged, t.id)
			}
			byNumber[t.number], r.byID[t.id] = t, t
			r.tracks = append(r.tracks, t)
			r.number = max(r.number, t.number+1)
			return nil
		})
		if err != nil {
			return err
		}
		err = each(lastKey, func(_ []byte, in *codec.Reader) error {
			for in.Left() > 0 {
				number, sealedT, at := readUint32(in), int64(in.Uint64()), [2]uint64{in.Uint64(), in.Uint64()}
				r.number = max(r.number, number+1)
				r.seq = max(r.seq, at[full]+1, at[cells]+1)
				if t := byNumber[number]; t != nil {
					t.sealedT, t.last, t.sealedAt = sealedT, sealedT, at
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, which := range []int{cells, full} {
			err := each(tiers.Of[which].Tail, func(key []byte, in *codec.Reader) error {
				if len(key) != 13 {
					return fmt.Errorf("%w: key %q", ErrDamaged, key)
				}
				seq := binary.BigEndian.Uint64(key[1:])
				for in.Left() > 0 {
					number, slot, n := in.Num(math.MaxUint32), in.Num(math.MaxUint32), int(in.Byte())
					rows := in.Take(n * 4 * tiers.Of[which].Words)
					if t := byNumber[uint32(number)]; t != nil && seq >= t.sealedAt[which] && in.Err() == nil {
						r.reopen(t, which, seq, uint32(slot), n, rows)
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// reopen puts rows of a tail back into a signal's open block.
func (r *Recorder) reopen(t *track, which int, seq uint64, slot uint32, n int, words []byte) {
	if t.open == nil {
		t.open = new(openRows)
	}
	k := tiers.Of[which].Words
	o := t.open
	b := &o.block[which]
	if b.n > 0 && b.slot != slot || int(b.n)+n > tiers.Of[which].Rows {
		// Cannot be: a block that ended is sealed in the same save. Rows that do not fit are a lesser loss than a store that does not open.
		historyDamaged.Inc()
		return
	}
	b.slot = slot
	if b.n == 0 {
		b.since = seq
	}
	t.touched = r.seq
	for i := range n {
		var row [rows.WordsMax]uint32
		for c := range k {
			row[c] = binary.LittleEndian.Uint32(words[(i*k+c)*4:])
		}
		if which == cells {
			r.pushCell(o, row)
			continue
		}
		start := int64(slot) * tiers.Of[full].SlotMs
		at := start + int64(row[0])
		// The cell was made when a point of the next quarter came, and was saved with it.
		if b.n > 0 && (at-1)/cellMs != (start+int64(o.last[0])-1)/cellMs {
			o.celled = b.n
		}
		t.last = max(t.last, at)
		o.pushFull([6]uint32(row[:6]))
	}
	b.saved = b.n
}
