package series

import (
	"crypto/sha256"
	"encoding/binary"
)

// None is what Index.Find returns when there is no such number.
const None = ^uint32(0)

// Index finds dense numbers by a 64-bit hash: open addressing over 4-byte slots, at most half of which are used. What a number's hash is, and whether it is the one that is
// looked for, its owner knows. The zero value must be Reset before use.
type Index struct {
	slots []uint32 // number + 1; 0 = empty
	used  int
}

// Find returns the number with the hash that is the one, None when there is none.
func (x *Index) Find(hash uint64, is func(number uint32) bool) uint32 {
	i, mask := x.probe(hash)
	for {
		n := x.slots[i]
		if n == 0 {
			return None
		}
		if is(n - 1) {
			return n - 1
		}
		i = (i + 1) & mask
	}
}

// probe returns the first place to look at. One walks on with (i+1)&mask until an empty slot.
func (x *Index) probe(hash uint64) (i, mask int) {
	mask = len(x.slots) - 1
	return int(hash*0x9e3779b97f4a7c15>>32) & mask, mask
}

// Put adds number, of which all below are in the index already and hashOf tells the hashes: the index is made anew when it is too full.
func (x *Index) Put(number uint32, hashOf func(number uint32) uint64) {
	if x.used*2 >= len(x.slots) {
		x.Fill(int(number), hashOf)
	}
	x.put(hashOf(number), number)
}

// Fill makes the index hold the numbers below n, with room for as many again.
func (x *Index) Fill(n int, hashOf func(number uint32) uint64) {
	x.Reset(n + 1)
	for i := range uint32(n) {
		x.put(hashOf(i), i)
	}
}

// Reset makes the index empty, with room for n numbers and as many again.
func (x *Index) Reset(n int) {
	size := 64
	for size < n*3 {
		size *= 2
	}
	if size == len(x.slots) {
		clear(x.slots)
	} else {
		x.slots = make([]uint32, size)
	}
	x.used = 0
}

func (x *Index) put(hash uint64, number uint32) {
	i, mask := x.probe(hash)
	for x.slots[i] != 0 {
		i = (i + 1) & mask
	}
	x.slots[i] = number + 1
	x.used++
}

// Print identifies a label set over restarts: 128 bits of SHA-256, so that nobody can make two series look like one.
type Print [16]byte

// Hash returns the first 64 bits, for an Index.
func (p Print) Hash() uint64 { return binary.LittleEndian.Uint64(p[:8]) }

// PrintOf returns the print of a canonical label set within a space, such as the cluster that a sender's token fixes, leaving out the label skip. It uses buf, and returns it as it has
// grown.
func PrintOf(space string, l Labels, skip string, buf []byte) (Print, []byte) {
	b := append(buf[:0], space...)
	b = append(b, 0xfe)
	for i := range l {
		if l[i].Name == skip {
			continue
		}
		b = append(b, l[i].Name...)
		b = append(b, 0xff)
		b = append(b, l[i].Value...)
		b = append(b, 0xff)
	}
	sum := sha256.Sum256(b)
	return Print(sum[:16]), b
}

// Hash64 is a hash after FNV-1a (Fowler, Noll, Vo, 1991), eight bytes at a time, the same in every process. It is not for what others may choose with intent.
func Hash64(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for len(b) >= 8 {
		h = (h ^ binary.LittleEndian.Uint64(b)) * 1099511628211
		h ^= h >> 29
		b = b[8:]
	}
	for _, x := range b {
		h = (h ^ uint64(x)) * 1099511628211
	}
	return h ^ h>>32
}
