package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/VictoriaMetrics/metrics"
	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/baseline/model"
)

// Chart history has two tiers. "Full" keeps every point for 48 hours, "cells" keeps one cell for each quarter of an hour for
// as long as Options.RetentionMs says. Both are written in blocks: half an hour of points, four hours of cells. The blocks of
// one such slot lie together, 32 signals in a record. So writing is dense and happens once a slot, forgetting is dense, and
// reading one signal touches one record a slot. The alternative, a run of records for each signal, reads fewer pages but rewrites
// a page of 4 KiB for 300 bytes of each signal.
//
// What has no full block yet is open: in memory, with the rows that the last save has not seen appended to a "tail" record at
// each save. A start reads the tails back. Every save writes everything pending, so the file always holds the Recorder as it
// stood at that save, and a replayed journal, which brings points again, changes nothing: points up to the newest are ignored.

type tier struct {
	name   string
	slotMs int64
	rows   int    // most rows in a block
	words  int    // in a row
	ramp   uint32 // usual step of a row's first word
	key    byte   // of sealed records
	tail   byte   // of tails
}

// Rows of the full tier: T after the slot's start in ms, value, lower, expected, upper, state and score.
// Rows of the cells: number of the cell in its slot | points<<16, min, max, mean, lower, expected, upper, state and score.
var tiers = [2]tier{
	full:  {"full", 30 * 60_000, 32, 6, 60_000, 'f', 't'},
	cells: {"cells", 4 * 3600_000, 16, 8, 1, 'c', 'u'},
}

const (
	full  = 0
	cells = 1

	cellMs     = 15 * 60_000
	fullKeepMs = 48 * 3600_000

	packSignals = 32        // signals in one record of sealed blocks
	lastSignals = 256       // signals in one record of seals
	chunkBytes  = 256 << 10 // pending blocks are kept in chunks of this size
	pendingMax  = 64 << 20  // bytes of pending blocks in memory; beyond it they are written without waiting for a checkpoint
	signalsMax  = 1 << 20   // signals with history; beyond it new ones get none
	indexMax    = 1 << 24   // an Add with an index beyond it is looked up by id
	blockMost   = 1 << 10   // bytes: no block is larger

	idleSaves   = 10           // a signal without points for so many saves …
	idleFullMs  = 3600_000     // … and so far behind the newest has its open points sealed
	idleCellsMs = 5 * 3600_000 // … and its open cells
)

const (
	namesKey = 'n'
	lastKey  = 'l'
)

// Recorder keeps chart history. Add is for the fold; Range may be called by anyone at any time.
type Recorder struct {
	s          *Store
	fullKeepMs int64
	keepMs     int64
	pendingMax int

	mu      sync.Mutex // guards what follows
	byIndex []*track
	byID    map[string]*track
	tracks  []*track // by number, rising
	fresh   []*track // whose name no save has taken yet
	number  uint32   // of the next new signal
	seq     uint64   // of the next save
	newest  int64    // T of the newest point of all
	pending [2]blocks
	flight  *pendingSave    // being written
	seals   map[uint32]bool // number / lastSignals: seals that no save has taken yet
	free    []*chunk
	pool    []*openRows
	damage  string // of the last damaged record met

	points, replayed, refused, lost int64
}

// track is what the Recorder knows of one signal.
type track struct {
	id       string
	number   uint32
	gone     bool      // forgotten: look it up again
	last     int64     // T of its newest point
	sealedT  int64     // the same, of its sealed blocks
	sealedAt [2]uint64 // the save that takes its newest sealed block, by tier: older tails hold nothing open of it
	touched  uint64    // the save after its last Add
	open     *openRows // nil when nothing is
}

// openRows are a signal's blocks under way.
type openRows struct {
	block  [2]state
	celled int // points of the full block that are in a cell already
	points [32 * 6]uint32
	cell   [16 * 8]uint32
}

type state struct {
	slot          uint32
	n             int    // rows
	saved, saving int    // of them in tails; and in the tail being written
	since         uint64 // the first tail with one of them; 0 = none
}

func (o *openRows) rows(t int) []uint32 {
	if t == full {
		return o.points[:]
	}
	return o.cell[:]
}

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

func newRecorder(s *Store) *Recorder {
	return &Recorder{s: s, fullKeepMs: fullKeepMs, keepMs: s.opts.RetentionMs, pendingMax: pendingMax,
		byID: map[string]*track{}, seals: map[uint32]bool{}, seq: 1}
}

// Point is one judged window as charts need it, in the signal's unit.
type Point struct {
	T                             int64 // end of the window, Unix milliseconds
	Value, Lower, Expected, Upper float64
	State                         model.State
	Score                         float64 // 1 = alarm
}

// Add records one point of the signal id. index is its number in the engine, for speed. Points of a signal come in the order
// of time: those up to its newest, which a replayed journal brings again, are ignored. When more than 64 MiB are pending they
// are written at once; should that fail, the oldest are dropped and counted.
func (r *Recorder) Add(index uint32, id string, p Point) {
	r.mu.Lock()
	t := r.track(index, id)
	if t == nil || p.T <= 0 || p.T > tMax {
		r.refused++
		r.mu.Unlock()
		return
	}
	if p.T <= t.last {
		r.replayed++
		r.mu.Unlock()
		return
	}
	t.last = p.T
	t.touched = r.seq
	r.newest = max(r.newest, p.T)
	r.points++
	o := t.open
	if o == nil {
		o = r.opened()
		t.open = o
	}
	slot := uint32((p.T - 1) / tiers[full].slotMs)
	start := int64(slot) * tiers[full].slotMs
	b := &o.block[full]
	if b.n > 0 {
		if slot != b.slot || b.n == tiers[full].rows {
			r.seal(t, full)
		} else if (p.T-1)/cellMs != (start+int64(o.points[(b.n-1)*6])-1)/cellMs {
			r.makeCell(t)
		}
	}
	b.slot = slot
	row := o.points[b.n*6:][:6]
	row[0], row[1], row[2], row[3], row[4] = uint32(p.T-start), word(p.Value), word(p.Lower), word(p.Expected), word(p.Upper)
	row[5] = stateWord(p.State, p.Score)
	b.n++
	over := r.pending[full].bytes+r.pending[cells].bytes > r.pendingMax
	r.mu.Unlock()
	if over {
		r.overflow()
	}
}

// tMax is the last T that slots can number.
const tMax = int64(1) << 52

// track finds or makes the signal's track. It returns nil when there are too many.
func (r *Recorder) track(index uint32, id string) *track {
	if int(index) < len(r.byIndex) {
		if t := r.byIndex[index]; t != nil && !t.gone && t.id == id {
			return t
		}
	}
	t := r.byID[id]
	if t == nil {
		if len(r.byID) >= signalsMax || len(id) > idMax || id == "" {
			return nil
		}
		t = &track{id: id, number: r.number}
		r.number++
		r.byID[id] = t
		r.tracks = append(r.tracks, t)
		r.fresh = append(r.fresh, t)
	}
	if index < indexMax {
		for len(r.byIndex) <= int(index) {
			r.byIndex = append(r.byIndex, nil)
		}
		r.byIndex[index] = t
	}
	return t
}

func (r *Recorder) opened() *openRows {
	if n := len(r.pool); n > 0 {
		o := r.pool[n-1]
		r.pool = r.pool[:n-1]
		o.block, o.celled = [2]state{}, 0
		return o
	}
	return new(openRows)
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
	k := tiers[which].words
	p := &r.pending[which]
	var c *chunk
	if n := len(p.chunks); n > 0 && len(p.chunks[n-1].buf)+blockMost <= chunkBytes {
		c = p.chunks[n-1]
	} else {
		c = r.chunk(which)
	}
	from := len(c.buf)
	c.list = append(c.list, block{b.slot, t.number, uint32(from)})
	c.buf = appendBlock(c.buf, t.open.rows(which)[:b.n*k], k, tiers[which].ramp)
	c.newest = max(c.newest, b.slot)
	c.points += b.n
	p.bytes += len(c.buf) - from
	*b = state{slot: b.slot}
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

// floor returns the first slot of a tier that is still kept.
func (r *Recorder) floor(which int) uint32 {
	keep := r.keepMs
	if which == full {
		keep = min(r.fullKeepMs, r.keepMs)
	}
	return uint32(max(r.newest-keep, 0) / tiers[which].slotMs)
}

// makeCell sums up the points since the last cell.
func (r *Recorder) makeCell(t *track) {
	o := t.open
	b := &o.block[full]
	if o.celled == b.n {
		return
	}
	rows := o.points[o.celled*6 : b.n*6]
	o.celled = b.n
	start := int64(b.slot) * tiers[full].slotMs
	quarter := (start + int64(rows[0]) - 1) / cellMs
	slot := uint32(quarter * cellMs / tiers[cells].slotMs)
	c := &o.block[cells]
	if c.n > 0 && (slot != c.slot || c.n == tiers[cells].rows) {
		r.seal(t, cells)
	}
	c.slot = slot
	out := o.cell[c.n*8:][:8]
	c.n++
	n := len(rows) / 6
	lo, hi := rows[1], rows[1]
	worst, score := model.Normal, uint32(0)
	var sums [4]float64
	for ; len(rows) > 0; rows = rows[6:] {
		lo, hi = min(lo, rows[1]), max(hi, rows[1])
		for i := range sums {
			sums[i] += number(rows[1+i])
		}
		worst = worse(worst, stateOf(rows[5]))
		score = max(score, rows[5]&0xffffff)
	}
	inv := 1 / float64(n)
	out[0] = uint32(quarter%(tiers[cells].slotMs/cellMs)) | uint32(n)<<16
	out[1], out[2], out[3] = lo, hi, word(sums[0]*inv)
	out[4], out[5], out[6] = word(sums[1]*inv), word(sums[2]*inv), word(sums[3]*inv)
	out[7] = uint32(worst)<<24 | score
}

// rank orders states by how much a reader wants to see them.
var rank = [8]uint8{model.Normal: 0, model.Learning: 1, model.Absent: 2, model.Drifting: 3, model.Low: 4, model.High: 5}

func worse(a, b model.State) model.State {
	if rank[b&7] > rank[a&7] {
		return b
	}
	return a
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

// flush writes the pending history alone.
func (s *Store) flush() error {
	s.saving.Lock()
	defer s.saving.Unlock()
	err := s.writable()
	if err == nil {
		next := s.man.clone()
		err = s.write(&next, nil)
	}
	if err != nil {
		s.note(0, fmt.Errorf("write history: %w", err))
		return err
	}
	historyFlushes.Inc()
	s.publish()
	return nil
}

// pendingSave is what one save takes of the Recorder.
type pendingSave struct {
	seq     uint64
	newest  int64
	number  uint32    // of the next new signal
	floor   [2]uint32 // slots below are dropped
	oldest  [2]uint64 // tails below are dropped
	blocks  [2]blocks
	tails   [2][][]byte // records, CRC not yet in
	tailed  []*track
	fresh   []*track
	seals   map[uint32][]byte // records, CRC not yet in
	expired []*track
}

// collect takes everything pending. settle must follow.
func (r *Recorder) collect() *pendingSave {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &pendingSave{seq: r.seq, newest: r.newest, number: r.number, seals: map[uint32][]byte{}}
	p.oldest = [2]uint64{r.seq, r.seq}
	for _, t := range r.tracks {
		o := t.open
		if o == nil {
			if t.last < r.newest-r.keepMs-tiers[cells].slotMs {
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
				if len(r.pool) < 1024 {
					r.pool = append(r.pool, o)
				}
				continue
			}
		}
		took := false
		for which := range o.block {
			b := &o.block[which]
			if b.saved > 0 {
				p.oldest[which] = min(p.oldest[which], b.since)
			}
			if b.n == b.saved {
				continue
			}
			p.tails[which] = appendTail(p.tails[which], t.number, b, o.rows(which), tiers[which].words)
			b.saving = b.n
			took = true
		}
		if took {
			p.tailed = append(p.tailed, t)
		}
	}
	r.seq++
	for which := range tiers {
		p.floor[which] = r.floor(which)
		p.blocks[which], r.pending[which] = r.pending[which], blocks{}
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
func appendTail(tails [][]byte, number uint32, b *state, rows []uint32, k int) [][]byte {
	if len(tails) == 0 || len(tails[len(tails)-1]) > pieceMax-2*blockMost {
		tails = append(tails, make([]byte, crcSize, pieceMax))
	}
	out := tails[len(tails)-1]
	out = binary.AppendUvarint(out, uint64(number))
	out = binary.AppendUvarint(out, uint64(b.slot))
	out = append(out, byte(b.n-b.saved))
	for _, w := range rows[b.saved*k : b.n*k] {
		out = binary.LittleEndian.AppendUint32(out, w)
	}
	tails[len(tails)-1] = out
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
	if !ok {
		for which := range p.blocks {
			now := &r.pending[which]
			now.chunks = append(p.blocks[which].chunks, now.chunks...)
			now.bytes += p.blocks[which].bytes
		}
		r.fresh = append(p.fresh, r.fresh...)
		for group := range p.seals {
			r.seals[group] = true
		}
		return
	}
	for which := range p.blocks {
		for _, c := range p.blocks[which].chunks {
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

func blockKey(which int, slot, pack uint32) []byte {
	b := append(make([]byte, 0, 9), tiers[which].key)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, slot), pack)
}

func tailKey(which int, seq uint64, piece int) []byte {
	b := append(make([]byte, 0, 13), tiers[which].tail)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, seq), uint32(piece))
}

func numberKey(kind byte, n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{kind}, n) }

// write puts it all into the transaction and drops what is past being kept.
func (p *pendingSave) write(tx *bolt.Tx, m *manifest) error {
	b := tx.Bucket(historyBucket)
	b.FillPercent = 0.9 // keys mostly rise within their kind
	d := &m.history
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
		if err := dropBelow(b, d, tiers[which].tail, tailKey(which, p.oldest[which], 0)); err != nil {
			return err
		}
		if err := dropBelow(b, d, tiers[which].key, blockKey(which, p.floor[which], 0)); err != nil {
			return err
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
	m.newest = max(m.newest, p.newest)
	m.number = p.number
	m.sequence = p.seq
	return nil
}

// writeBlocks writes the sealed blocks, those of a slot and pack together.
func (p *pendingSave) writeBlocks(b *bolt.Bucket, d *digest, which int) error {
	type ref struct {
		place uint64 // slot, pack
		c     *chunk
		i     int
	}
	var refs []ref
	for _, c := range p.blocks[which].chunks {
		for i, e := range c.list {
			if e.slot >= p.floor[which] {
				refs = append(refs, ref{uint64(e.slot)<<32 | uint64(e.number/packSignals), c, i})
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
		record := make([]byte, crcSize, 4096)
		if old := b.Get(key); old != nil {
			have, err := payload(key, old)
			if err != nil {
				// A hole in a chart is no reason to stop learning.
				historyDamaged.Inc()
			} else {
				record = append(record, have...)
			}
		}
		for _, e := range refs[:n] {
			data := e.c.block(e.i)
			record = append(record, byte(e.c.list[e.i].number%packSignals))
			record = binary.AppendUvarint(record, uint64(len(data)))
			record = append(record, data...)
		}
		if err := put(b, d, key, seal(key, record)); err != nil {
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

// restore reads back what the last save left: names, seals and tails.
func (r *Recorder) restore() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq, r.newest, r.number = r.s.man.sequence+1, r.s.man.newest, r.s.man.number
	return r.s.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(historyBucket)
		each := func(kind byte, f func(key []byte, r *reader) error) error {
			c := b.Cursor()
			for k, v := c.Seek([]byte{kind}); k != nil && k[0] == kind; k, v = c.Next() {
				p, err := payload(k, v)
				if err != nil {
					return err
				}
				in := reader{b: p}
				if err := f(k, &in); err != nil {
					return err
				}
				if in.bad {
					return fmt.Errorf("%w: record %q ends too early", ErrDamaged, k)
				}
			}
			return nil
		}
		byNumber := map[uint32]*track{}
		err := each(namesKey, func(key []byte, in *reader) error {
			if len(key) != 5 {
				return fmt.Errorf("%w: key %q", ErrDamaged, key)
			}
			t := &track{number: binary.BigEndian.Uint32(key[1:]), id: string(in.b)}
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
		err = each(lastKey, func(_ []byte, in *reader) error {
			for len(in.b) > 0 && !in.bad {
				number, sealedT, at := in.u32(), int64(in.u64()), [2]uint64{in.u64(), in.u64()}
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
			err := each(tiers[which].tail, func(key []byte, in *reader) error {
				if len(key) != 13 {
					return fmt.Errorf("%w: key %q", ErrDamaged, key)
				}
				seq := binary.BigEndian.Uint64(key[1:])
				for len(in.b) > 0 && !in.bad {
					number, slot, n := in.uvarint(), in.uvarint(), int(in.byte())
					rows := in.take(uint64(n * 4 * tiers[which].words))
					if t := byNumber[uint32(number)]; t != nil && seq >= t.sealedAt[which] && !in.bad {
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
		t.open = r.opened()
	}
	k := tiers[which].words
	o := t.open
	b := &o.block[which]
	if b.n > 0 && b.slot != slot || b.n+n > tiers[which].rows {
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
		row := o.rows(which)[b.n*k:][:k]
		for c := range row {
			row[c] = binary.LittleEndian.Uint32(words[(i*k+c)*4:])
		}
		if which == full {
			start := int64(slot) * tiers[full].slotMs
			at := start + int64(row[0])
			// The cell was made when a point of the next quarter came, and was saved with it.
			if b.n > 0 && (at-1)/cellMs != (start+int64(o.points[(b.n-1)*6])-1)/cellMs {
				o.celled = b.n
			}
			t.last = max(t.last, at)
		}
		b.n++
	}
	b.saved = b.n
}

// met counts a damaged record of the history that a reader came upon.
func (r *Recorder) met(err error) {
	if !errors.Is(err, ErrDamaged) {
		return
	}
	historyDamaged.Inc()
	r.s.log.Error("a record of the chart history is damaged and is left out", "path", r.s.path, "err", err)
	r.mu.Lock()
	r.damage = err.Error()
	r.mu.Unlock()
}

var (
	historyLost    = metrics.NewCounter("wrackline_store_history_lost_points_total")
	historyDamaged = metrics.NewCounter("wrackline_store_history_damaged_records_total")
	historyFlushes = metrics.NewCounter("wrackline_store_history_flushes_total")
)
