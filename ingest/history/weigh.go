package history

import (
	"encoding/binary"
	"fmt"
)

// shape is what a part of a message takes once it is unpacked: bytes for itself, times of its length in the message, and what its parts take, by the numbers of their fields.
type shape struct {
	each, times int64
	parts       map[int32]*shape
}

// Of both kinds of answers; what it is copied into is counted with it. Lists grow by more than they need.
var (
	labelShape     = &shape{each: 130, times: 1}
	histogramShape = &shape{each: 400, times: 24}
	answerShape    = &shape{parts: map[int32]*shape{1: {each: 120, parts: map[int32]*shape{1: {each: 160 + besides, parts: map[int32]*shape{
		1: labelShape, 2: {each: 90}, 3: {each: 120, times: 60}, 4: histogramShape}}}}}}
	frameShape = &shape{parts: map[int32]*shape{1: {each: 110 + besides, parts: map[int32]*shape{1: labelShape, 2: {each: 120}}}}}
)

// weigh returns what a message takes once it is unpacked, or a little more than most as soon as it is more: a part of two bytes can take hundreds.
func (s *shape) weigh(b []byte, most int64) (int64, error) {
	sum := s.each + s.times*int64(len(b))
	for len(b) > 0 && sum <= most {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, fmt.Errorf("%w: it is no message", errCut)
		}
		b = b[n:]
		size := uint64(0)
		switch tag & 7 {
		case 0:
			if _, n = binary.Uvarint(b); n <= 0 {
				return 0, fmt.Errorf("%w: it is no message", errCut)
			}
			size = uint64(n)
		case 1:
			size = 8
		case 5:
			size = 4
		case 2:
			if size, n = binary.Uvarint(b); n <= 0 {
				return 0, fmt.Errorf("%w: it is no message", errCut)
			}
			b = b[n:]
		default: // groups, which nobody sends
			return 0, fmt.Errorf("%w: a field of type %d", errCut, tag&7)
		}
		if size > uint64(len(b)) {
			return 0, fmt.Errorf("%w: a field is longer than its message", errCut)
		}
		if part := s.parts[int32(tag>>3)]; part == nil { // as the unpacker reads numbers, which are 32 bits wide
			sum += 2 * int64(size)
		} else if tag&7 == 2 {
			more, err := part.weigh(b[:size], most-sum)
			if err != nil {
				return 0, err
			}
			sum += more
		}
		b = b[size:]
	}
	return sum, nil
}
