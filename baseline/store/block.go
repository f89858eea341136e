package store

// Blocks that are sealed and wait in memory to be written.

import (
	"fmt"
	"slices"

	"github.com/wrackline/wrackline/baseline/store/rows"
)

// blocks are sealed and not yet written.
type blocks struct {
	chunks []*chunk
	bytes  int
}

type chunk struct {
	buf    []byte
	list   []block
	newest uint32 // slot
	points int
}

type block struct {
	slot, number, from uint32
}

func (c *chunk) block(i int) []byte {
	to := len(c.buf)
	if i+1 < len(c.list) {
		to = int(c.list[i+1].from)
	}
	return c.buf[c.list[i].from:to]
}

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
	var c *chunk
	if n := len(p.chunks); n > 0 && len(p.chunks[n-1].buf)+blockMost <= chunkBytes {
		c = p.chunks[n-1]
	} else {
		c = r.chunk(which)
	}
	from := len(c.buf)
	c.list = append(c.list, block{b.slot, t.number, uint32(from)})
	c.buf = rows.Append(c.buf, r.rows(t.open, which), tiers[which].words, tiers[which].ramp)
	c.newest = max(c.newest, b.slot)
	c.points += int(b.n)
	p.bytes += len(c.buf) - from
	*b = openBlock{slot: b.slot}
	t.sealedAt[which] = r.seq
	t.sealedT = max(t.sealedT, t.last)
	r.seals[t.number/lastSignals] = true
}

// chunk begins a chunk, and forgets chunks that are past being kept.
func (r *Recorder) chunk(which int) *chunk {
	p := &r.pending[which]
	for len(p.chunks) > 0 && p.chunks[0].newest < r.floor(which) {
		r.release(p.chunks[0], p)
		p.chunks = slices.Delete(p.chunks, 0, 1)
	}
	var c *chunk
	if n := len(r.free); n > 0 {
		c, r.free = r.free[n-1], r.free[:n-1]
		*c = chunk{buf: c.buf[:0], list: c.list[:0]}
	} else {
		c = &chunk{buf: make([]byte, 0, chunkBytes)}
	}
	p.chunks = append(p.chunks, c)
	return c
}

func (r *Recorder) release(c *chunk, p *blocks) {
	p.bytes -= len(c.buf)
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
	bytes += int64(r.pending[full].bytes + r.pending[cells].bytes)
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
	return uint32(max(r.newest-keep, 0) / tiers[which].slotMs)
}

// overflow writes what is pending without a checkpoint, or drops the oldest when that fails.
func (r *Recorder) overflow() {
	err := r.s.flush()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil || r.pending[full].bytes+r.pending[cells].bytes <= r.pendingMax {
		return
	}
	for r.pending[full].bytes+r.pending[cells].bytes > r.pendingMax*3/4 {
		p := &r.pending[full]
		if p.bytes == 0 {
			p = &r.pending[cells]
		}
		r.lost += int64(p.chunks[0].points)
		historyLost.Add(p.chunks[0].points)
		r.release(p.chunks[0], p)
		p.chunks = slices.Delete(p.chunks, 0, 1)
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
