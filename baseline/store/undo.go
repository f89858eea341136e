package store

// A future that is none any more: what was recorded while the clock was wrong.

import (
	"encoding/binary"
	"slices"

	"github.com/VictoriaMetrics/metrics"
	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/baseline/store/tiers"
)

// Undo forgets every point beyond t, Unix milliseconds, so that those that come then are not taken for old ones. It is for the fold, in its order: a replay of the journal brings the points and the call again. The file
// follows with the next save, and shows nothing of them until then.
func (r *Recorder) Undo(t int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t <= 0 || t >= r.newest {
		return
	}
	r.newest, r.passed = t, min(r.passed, t)
	if r.flight != nil {
		r.after = earlier(r.after, t)
	} else {
		r.undone = earlier(r.undone, t)
	}
	last := r.lastUpTo(t)
	for _, x := range r.tracks {
		if x.last > t {
			r.turnBack(x, t, max(last[x.number], t-undoneLook))
			historyUndone.Inc()
		}
	}
	for which := range r.pending {
		r.pending[which].UpTo(which, t)
	}
}

// earlier returns the earlier of two times, of which 0 is none.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// undoneLook is how far before the time to which the clock was set back a signal's newest point is looked for: one that is further behind begins there.
const undoneLook = 6 * 3600_000

// lastUpTo returns the newest points up to t that are in sealed blocks, by the signal's number. The caller holds mu.
func (r *Recorder) lastUpTo(t int64) map[uint32]int64 {
	last := map[uint32]int64{}
	from, to := uint32(max(0, t-undoneLook)/tiers.Of[full].SlotMs), uint32(t/tiers.Of[full].SlotMs)
	var words []uint32
	see := func(number, slot uint32, data []byte) {
		if words, _ = tiers.Unpack(words[:0], data, full); len(words) == 0 {
			return
		}
		if got := tiers.UpTo(words, full, slot, t); len(got) > 0 {
			last[number] = max(last[number], int64(slot)*tiers.Of[full].SlotMs+int64(got[len(got)-tiers.Of[full].Words]))
		}
	}
	sealed := []*tiers.Sealed{&r.pending[full]}
	if r.flight != nil {
		sealed = append(sealed, &r.flight.blocks[full])
	}
	for _, b := range sealed {
		for _, c := range b.Chunks {
			for i, e := range c.List {
				if e.Slot >= from && e.Slot <= to {
					see(e.Number, e.Slot, c.Block(i))
				}
			}
		}
	}
	err := r.s.guard(func() error {
		return r.s.db.View(func(tx *bolt.Tx) error {
			b := tx.Bucket(historyBucket)
			if b == nil {
				return nil
			}
			c := b.Cursor()
			for k, v := c.Seek(blockKey(full, from, 0)); len(k) == 9 && k[0] == tiers.Of[full].Key && binary.BigEndian.Uint32(k[1:]) <= to; k, v = c.Next() {
				p, err := payload(k, v)
				if err != nil {
					continue // whoever reads it says so
				}
				_ = tiers.Each(readerOf(p), func(who byte, data []byte) error {
					see(binary.BigEndian.Uint32(k[5:])*packSignals+uint32(who), binary.BigEndian.Uint32(k[1:]), data)
					return nil
				})
			}
			return nil
		})
	})
	if err != nil {
		r.s.log.Error("the chart history cannot be read: signals begin where the clock was set back to", "err", err)
	}
	return last
}

// turnBack makes a signal's newest point one of a time up to t: of the open block, else the last that sealed ones have. What tails on disk have of it is void: the next save writes what stays.
func (r *Recorder) turnBack(x *track, t, last int64) {
	x.last, x.sealedT, x.touched = last, min(x.sealedT, last), r.seq
	r.seals[x.number/lastSignals] = true
	for which := range x.sealedAt {
		x.sealedAt[which] = r.seq
		if x.open == nil {
			continue
		}
		b := &x.open.block[which]
		kept := tiers.UpTo(slices.Clone(r.rows(x.open, which)), which, b.slot, t)
		*b = openBlock{slot: b.slot}
		for k := tiers.Of[which].Words; len(kept) > 0; kept = kept[k:] {
			if which == full {
				x.last = max(x.last, int64(b.slot)*tiers.Of[full].SlotMs+int64(kept[0]))
				x.open.pushFull([6]uint32(kept))
			} else {
				r.pushCell(x.open, [8]uint32(kept))
			}
		}
	}
	if x.open != nil {
		x.open.celled = min(x.open.celled, x.open.block[full].n)
	}
}

// dropBeyond deletes the rows of a tier beyond t.
func dropBeyond(b *bolt.Bucket, d *digest, which int, t int64) error {
	type change struct{ key, record []byte }
	var list []change
	c := b.Cursor()
	for k, v := c.Seek(blockKey(which, uint32(t/tiers.Of[which].SlotMs), 0)); k != nil && k[0] == tiers.Of[which].Key; k, v = c.Next() {
		x := change{key: slices.Clone(k)}
		if slot := binary.BigEndian.Uint32(k[1:]); int64(slot)*tiers.Of[which].SlotMs < t {
			p, err := payload(k, v)
			if err == nil {
				x.record, err = tiers.RecordUpTo(make([]byte, crcSize, len(v)), readerOf(p), which, slot, t)
			}
			if err != nil {
				historyDamaged.Inc() // it stays as it is: a hole in a chart is no reason to stop learning
				continue
			}
		}
		list = append(list, x)
	}
	for _, x := range list {
		var err error
		if len(x.record) > crcSize {
			err = put(b, d, x.key, seal(x.key, x.record))
		} else {
			err = drop(b, d, x.key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var historyUndone = metrics.NewCounter("wrackline_store_history_undone_signals_total")
