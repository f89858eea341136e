package store

// Blocks under way: what a signal has in memory before its slot ends.

import (
	"github.com/wrackline/wrackline/baseline/store/rows"
	"github.com/wrackline/wrackline/baseline/store/tiers"
)

// openRows are a signal's blocks under way, with the newest full row as words: it is what the next one is told by, and nearly always all
// that a save's tail needs. The rows themselves are encoded as they come. As plain words a signal took 1,300 bytes, full or not; a row of
// the full tier has 24, of which 8 to 13 are left.
type openRows struct {
	block  [2]openBlock
	last   [6]uint32 // newest row of the full block, when it has any
	celled uint8     // points of the full block that are in a cell already
}

// openBlock is the block of one tier.
type openBlock struct {
	since            uint64 // the first tail with one of its rows; 0 = none
	bytes            []byte // see rows.Push
	slot             uint32
	n, saved, saving uint8 // rows; of them in tails; and in the tail being written
}

// push appends a row. before is the one before it, nil when b is empty.
func (b *openBlock) push(row, before []uint32, ramp uint32) {
	b.bytes = rows.Push(b.bytes, row, before, ramp)
	b.n++
}

const wordsOf = 32 * 6 // words of the largest block of either tier

// rows decodes the rows of a tier's open block. They are borrowed until the next call. The caller holds mu.
func (r *Recorder) rows(o *openRows, which int) []uint32 {
	b, of := &o.block[which], &tiers.Of[which]
	return rows.Rows(r.scratch[:int(b.n)*of.Words], b.bytes, of.Words, of.Ramp)
}

// unsaved is rows, of those that no tail has yet.
func (r *Recorder) unsaved(o *openRows, which int) []uint32 {
	b := &o.block[which]
	if which == full && b.n == b.saved+1 {
		return o.last[:]
	}
	return r.rows(o, which)[int(b.saved)*tiers.Of[which].Words:]
}

// pushFull appends a point's row to the full block.
func (o *openRows) pushFull(row [6]uint32) {
	b := &o.block[full]
	if b.n == 0 {
		b.push(row[:], nil, tiers.Of[full].Ramp)
	} else {
		b.push(row[:], o.last[:], tiers.Of[full].Ramp)
	}
	o.last = row
}

// pushCell appends a cell's row to the block of cells. The caller holds mu.
func (r *Recorder) pushCell(o *openRows, row [8]uint32) {
	b := &o.block[cells]
	if b.n == 0 {
		b.push(row[:], nil, tiers.Of[cells].Ramp)
		return
	}
	have := r.rows(o, cells)
	b.push(row[:], have[len(have)-8:], tiers.Of[cells].Ramp)
}
