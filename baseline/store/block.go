package store

// Blocks that are sealed and wait in memory to be written.

import (
	"fmt"
	"slices"

	"github.com/wrackline/wrackline/baseline/store/tiers"
)

// seal ends the open block of a tier: its rows become a pending block. Ending points makes their cell first.
func (r *Recorder) seal(t *track, which int) {
	if which == full {
		r.makeCell(t)
		t.open.celled = 0
	}
	b := &t.open.block[which]
	if b.n == 0 {
		return
	}
	p := &r.pending[which]
	c := p.Room()
	if c == nil {
		c = r.chunk(which)
	}
	p.Add(c, which, b.slot, t.number, r.rows(t.open, which))
	*b = openBlock{slot: b.slot}
	t.sealedAt[which] = r.seq
	t.sealedT = max(t.sealedT, t.last)
	r.seals[t.number/lastSignals] = true
}

// chunk begins a chunk, and forgets chunks that are past being kept.
func (r *Recorder) chunk(which int) *tiers.Chunk {
	p := &r.pending[which]
	for len(p.Chunks) > 0 && p.Chunks[0].Newest < r.floor(which) {
		r.release(p.Chunks[0], p)
		p.Chunks = slices.Delete(p.Chunks, 0, 1)
	}
	var old *tiers.Chunk
	if n := len(r.free); n > 0 {
		old, r.free = r.free[n-1], r.free[:n-1]
	}
	return p.Begin(old)
}

func (r *Recorder) release(c *tiers.Chunk, p *tiers.Sealed) {
	p.Bytes -= c.Size()
	if len(r.free) < 64 {
		r.free = append(r.free, c)
	}
}

const (
	tightMs = 3600_000 // the shortest span of history that is kept for want of room, but none
	noRoom  = 1        // Recorder.tight: none is
)

// fit makes the history kept an eighth as long when it takes more than its room, both in bytes: of what there is, down to an hour, then nothing of it. It grows again, a little with
// each save that has room for twice as much.
func (r *Recorder) fit(bytes, room int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	bytes += int64(r.pending[full].Bytes + r.pending[cells].Bytes)
	switch {
	case bytes > room && r.tight != noRoom:
		if r.tight == 0 {
			r.tight = r.keepMs
		}
		if r.tight /= 8; r.tight < tightMs {
			r.tight = noRoom
		}
		roomsMade.Inc()
	case 2*bytes < room && r.tight != 0:
		if r.tight += tightMs / 2; r.tight >= r.keepMs {
			r.tight = 0
		}
	}
}

// floor returns the first slot of a tier that is still kept.
func (r *Recorder) floor(which int) uint32 {
	keep := r.keepMs
	if which == full {
		keep = min(r.fullKeepMs, r.keepMs)
	}
	if r.tight != 0 {
		keep = min(keep, r.tight)
	}
	return uint32(max(r.passed-keep, 0) / tiers.Of[which].SlotMs)
}

// overflow writes what is pending without a checkpoint, or drops the oldest when that fails.
func (r *Recorder) overflow() {
	err := r.s.flush()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil || r.pending[full].Bytes+r.pending[cells].Bytes <= r.pendingMax {
		return
	}
	for r.pending[full].Bytes+r.pending[cells].Bytes > r.pendingMax*3/4 {
		p := &r.pending[full]
		if p.Bytes == 0 {
			p = &r.pending[cells]
		}
		r.lost += int64(p.Chunks[0].Points)
		historyLost.Add(p.Chunks[0].Points)
		r.release(p.Chunks[0], p)
		p.Chunks = slices.Delete(p.Chunks, 0, 1)
	}
}

// flush writes the pending history alone. It may be called while a checkpoint is in the making: the fold must not wait for it, since the
// checkpoint may wait for the fold.
func (s *Store) flush() error {
	err := s.writable()
	if err == nil {
		err = s.write(nil)
	}
	if err != nil {
		s.note(0, fmt.Errorf("write history: %w", err))
		return err
	}
	historyFlushes.Inc()
	return nil
}
