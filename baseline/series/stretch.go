package series

import "math/bits"

// A scrape comes in the same order each time, but requests begin anywhere in it. So a request is cut at series whose keys say so, about one in cutEach, and whoever knows the stretch between
// two of them as a whole need not look for each of its keys: these lie anywhere in memory, and to wait for each of them costs half as much as to decode it.
const (
	cutEach    = 16                 // a power of two
	stretchMix = 0x9e3779b97f4a7c15 // odd

	// StretchMost is how many series a stretch has at most.
	StretchMost = 8 * cutEach
)

// Stretch returns where the stretch that begins with entry lo ends, and a sum of its keys in their order: 0 for one that an edge of the request may have cut, which is not worth remembering.
// Keys are secret (Keyer), so nobody can choose stretches of one sum.
func Stretch(list []Entry, lo int) (hi int, sum uint64) {
	most := min(lo+StretchMost, len(list))
	for hi = lo; hi < most; {
		key := list[hi].Key
		sum = bits.RotateLeft64((sum^key)*stretchMix, 29)
		if hi++; key%cutEach == 0 {
			most = hi
		}
	}
	if lo == 0 || hi == len(list) {
		return hi, 0
	}
	return hi, sum
}
