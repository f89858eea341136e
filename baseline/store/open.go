package store

// Blocks under way: what a signal has in memory before its slot ends.

import "encoding/binary"

// openRows are a signal's blocks under way, with the newest full row as words: it is what the next one is told by, and nearly always all
// that a save's tail needs. The rows themselves are encoded as they come. As plain words a signal took 1,300 bytes, full or not; a row of
// the full tier has 24, of which 8 to 13 are left.
type openRows struct {
	block  [2]openBlock
	last   [6]uint32 // newest row of the full block, when it has any
	celled uint8     // points of the full block that are in a cell already
}

// openBlock is the block of one tier. Its rows lie one behind the other:
//
//	mask         u8       bit c: column c is not what was expected
//	differences  uvarint  of each such column, the lowest first: zigzag of the word less the expected one
//
// Expected is the word of the row before, in column 0 one ramp later; in the first row what the column before it says, as in a sealed block.
// It cannot be the sealed block's own form, in which 16 rows share widths: those are known when the rows are.
type openBlock struct {
	since            uint64 // the first tail with one of its rows; 0 = none
	bytes            []byte
	slot             uint32
	n, saved, saving uint8 // rows; of them in tails; and in the tail being written
}

const (
	rowMost  = 1 + wordsMax*binary.MaxVarintLen32 // bytes of an encoded row
	rowAhead = 40                                 // bytes allocated beyond what a row needs: room for three or four more
	wordsOf  = 32 * 6                             // words of the largest block of either tier
)

// expected returns what column c of row is compared with. before is the row before, nil for the first.
func expected(row, before []uint32, c int, ramp uint32) uint32 {
	switch {
	case before != nil && c == 0:
		return before[0] + ramp
	case before != nil:
		return before[c]
	case c <= 1 || c == len(row)-1:
		return 0
	}
	return row[c-1]
}

// push appends a row. before is the one before it, nil when b is empty.
func (b *openBlock) push(row, before []uint32, ramp uint32) {
	var buf [rowMost]byte
	out := buf[:1]
	for c, w := range row {
		if z := zigzag(w - expected(row, before, c, ramp)); z != 0 {
			out[0] |= 1 << c
			out = binary.AppendUvarint(out, uint64(z))
		}
	}
	if need := len(b.bytes) + len(out); need > cap(b.bytes) {
		// append would double, and a tenth of all memory would be room for rows that never come.
		b.bytes = append(make([]byte, 0, (need+rowAhead+15)&^15), b.bytes...)
	}
	b.bytes = append(b.bytes, out...)
	b.n++
}

// rows decodes all rows of k words each into dst, which has room for them.
func (b *openBlock) rows(dst []uint32, k int, ramp uint32) []uint32 {
	dst = dst[:int(b.n)*k]
	in := b.bytes
	var before []uint32
	for at := 0; at < len(dst); at += k {
		row := dst[at : at+k]
		mask := in[0]
		in = in[1:]
		for c := range row {
			w := expected(row, before, c, ramp)
			if mask&(1<<c) != 0 {
				z, n := binary.Uvarint(in)
				in = in[n:]
				w += unzigzag(uint32(z))
			}
			row[c] = w
		}
		before = row
	}
	return dst
}

// rows decodes the rows of a tier's open block. They are borrowed until the next call. The caller holds mu.
func (r *Recorder) rows(o *openRows, which int) []uint32 {
	return o.block[which].rows(r.scratch[:], tiers[which].words, tiers[which].ramp)
}

// unsaved is rows, of those that no tail has yet.
func (r *Recorder) unsaved(o *openRows, which int) []uint32 {
	b := &o.block[which]
	if which == full && b.n == b.saved+1 {
		return o.last[:]
	}
	return r.rows(o, which)[int(b.saved)*tiers[which].words:]
}

// pushFull appends a point's row to the full block.
func (o *openRows) pushFull(row [6]uint32) {
	b := &o.block[full]
	if b.n == 0 {
		b.push(row[:], nil, tiers[full].ramp)
	} else {
		b.push(row[:], o.last[:], tiers[full].ramp)
	}
	o.last = row
}

// pushCell appends a cell's row to the block of cells. The caller holds mu.
func (r *Recorder) pushCell(o *openRows, row [8]uint32) {
	b := &o.block[cells]
	if b.n == 0 {
		b.push(row[:], nil, tiers[cells].ramp)
		return
	}
	have := r.rows(o, cells)
	b.push(row[:], have[len(have)-8:], tiers[cells].ramp)
}
