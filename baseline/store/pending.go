package store

// What one save takes of the Recorder, and how it comes back when the save fails.

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/store/tiers"
)

// pendingSave is what one save takes of the Recorder.
type pendingSave struct {
	seq     uint64
	newest  int64     // of the time that passes, see Recorder.passed
	number  uint32    // of the next new signal
	floor   [2]uint32 // slots below are dropped
	oldest  [2]uint64 // tails below are dropped
	blocks  [2]tiers.Sealed
	tails   [2][][]byte // records, CRC not yet in
	tailed  []*track
	fresh   []*track
	seals   map[uint32][]byte // records, CRC not yet in
	expired []*track
	undone  int64 // what the file has beyond it is dropped first; 0 = nothing is
}

// collect takes everything pending. settle must follow.
func (r *Recorder) collect() *pendingSave {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &pendingSave{seq: r.seq, newest: r.passed, undone: r.undone, number: r.number, seals: map[uint32][]byte{}}
	p.oldest = [2]uint64{r.seq, r.seq}
	for _, t := range r.tracks {
		o := t.open
		if o == nil {
			if t.last < r.passed-r.keepMs-tiers.Of[cells].SlotMs {
				p.expired = append(p.expired, t)
			}
			continue
		}
		if t.touched+idleSaves < r.seq {
			if t.last < r.newest-idleFullMs {
				r.seal(t, full)
			}
			if t.last < r.newest-idleCellsMs {
				r.seal(t, cells)
				t.open = nil
				continue
			}
		}
		took := false
		for which := range o.block {
			b := &o.block[which]
			if r.tight == noRoom { // it stays in memory alone, and is written whole when there is room
				b.saved = 0
				continue
			}
			if b.saved > 0 {
				p.oldest[which] = min(p.oldest[which], b.since)
			}
			if b.n == b.saved {
				continue
			}
			p.tails[which] = appendTail(p.tails[which], t.number, b, r.unsaved(o, which))
			b.saving = b.n
			took = true
		}
		if took {
			p.tailed = append(p.tailed, t)
		}
	}
	r.seq++
	for which := range tiers.Of {
		p.floor[which] = r.floor(which)
		p.blocks[which], r.pending[which] = r.pending[which], tiers.Sealed{}
	}
	p.fresh, r.fresh = r.fresh, nil
	for group := range r.seals {
		p.seals[group] = r.sealRecord(group)
	}
	clear(r.seals)
	r.flight = p
	return p
}

// appendTail appends a block's unsaved rows to the last tail record, or begins another: number, slot, rows, then their words.
func appendTail(tails [][]byte, number uint32, b *openBlock, rows []uint32) [][]byte {
	if len(tails) == 0 || len(tails[len(tails)-1]) > tailMax-2*tiers.BlockMost {
		tails = append(tails, make([]byte, crcSize, tailMax))
	}
	w := codec.Writer{B: tails[len(tails)-1]}
	w.Num(int(number))
	w.Num(int(b.slot))
	w.Byte(b.n - b.saved)
	for _, word := range rows {
		w.B = binary.LittleEndian.AppendUint32(w.B, word)
	}
	tails[len(tails)-1] = w.B
	return tails
}

// sealRecord says of each signal of a group up to where its history is sealed: number u32, T u64, save u64 by tier.
func (r *Recorder) sealRecord(group uint32) []byte {
	out := make([]byte, crcSize, crcSize+lastSignals*28)
	i, _ := slices.BinarySearchFunc(r.tracks, group*lastSignals, func(t *track, n uint32) int { return cmp.Compare(t.number, n) })
	for ; i < len(r.tracks) && r.tracks[i].number/lastSignals == group; i++ {
		t := r.tracks[i]
		if t.sealedT == 0 {
			continue
		}
		out = binary.LittleEndian.AppendUint32(out, t.number)
		out = binary.LittleEndian.AppendUint64(out, uint64(t.sealedT))
		out = binary.LittleEndian.AppendUint64(out, t.sealedAt[full])
		out = binary.LittleEndian.AppendUint64(out, t.sealedAt[cells])
	}
	return out
}

// settle ends what collect began: taken for good, or back where it was.
func (r *Recorder) settle(p *pendingSave, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flight = nil
	for _, t := range p.tailed {
		if t.open == nil {
			continue
		}
		for which := range t.open.block {
			b := &t.open.block[which]
			if ok && b.saving > b.saved {
				if b.saved == 0 {
					b.since = p.seq
				}
				b.saved = b.saving
			}
			b.saving = 0
		}
	}
	undone := r.after
	r.undone, r.after = undone, 0
	if !ok {
		r.undone = earlier(p.undone, undone)
		for which := range p.blocks {
			if undone != 0 {
				p.blocks[which].UpTo(which, undone)
			}
			now := &r.pending[which]
			now.Chunks = append(p.blocks[which].Chunks, now.Chunks...)
			now.Bytes += p.blocks[which].Bytes
		}
		r.fresh = append(p.fresh, r.fresh...)
		for group := range p.seals {
			r.seals[group] = true
		}
		return
	}
	for which := range p.blocks {
		for _, c := range p.blocks[which].Chunks {
			r.release(c, &p.blocks[which])
		}
	}
	gone := false
	for _, t := range p.expired {
		if t.open == nil && t.last <= p.newest-r.keepMs {
			t.gone, gone = true, true
			delete(r.byID, t.id)
			r.seals[t.number/lastSignals] = true
		} else {
			// It came back while the save went on, and the save has dropped its name.
			r.fresh = append(r.fresh, t)
		}
	}
	if gone {
		r.tracks = slices.DeleteFunc(r.tracks, func(t *track) bool { return t.gone })
	}
}
