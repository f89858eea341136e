package rows

import "encoding/binary"

// Rows of a block under way lie one behind the other:
//
//	mask         u8       bit c: column c is not what was expected
//	differences  uvarint  of each such column, the lowest first: zigzag of the word less the expected one
//
// Expected is the word of the row before, in column 0 one ramp later; in the first row what the column before it says, as in a sealed block.
// It cannot be the sealed block's own form, in which 16 rows share widths: those are known when the rows are.

const (
	rowMost  = 1 + WordsMax*binary.MaxVarintLen32 // bytes of an encoded row
	rowAhead = 40                                 // bytes allocated beyond what a row needs: room for three or four more
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

// Push appends a row to the block b. before is the one before it, nil when b is empty.
func Push(b []byte, row, before []uint32, ramp uint32) []byte {
	var buf [rowMost]byte
	out := buf[:1]
	for c, w := range row {
		if z := zigzag(w - expected(row, before, c, ramp)); z != 0 {
			out[0] |= 1 << c
			out = binary.AppendUvarint(out, uint64(z))
		}
	}
	if need := len(b) + len(out); need > cap(b) {
		// append would double, and a tenth of all memory would be room for rows that never come.
		b = append(make([]byte, 0, (need+rowAhead+15)&^15), b...)
	}
	return append(b, out...)
}

// Rows decodes the rows of k words each that Push appended to the block in, as many as fill dst, which it returns.
func Rows(dst []uint32, in []byte, k int, ramp uint32) []uint32 {
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
