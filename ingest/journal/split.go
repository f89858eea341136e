package journal

// The message of a remote-write 1.0 request as columns, where like stands beside like: most labels of a series are those of the
// series before it, or those that came next the last time. What is no plain series goes as it is, so that joining gives back
// the bytes that were split, always.
//
//	message = item*, to its length
//	item    = shape 0…64, the number of labels: a series, then
//	            for each label: bit in mask = another than the series before had there (or it had none there)
//	            for each such label, a reference: 0 = what followed the replaced label the last time; 1 = new, from pairs; n+2 = label n
//	            tail: 0 = value, time; 1 = no value (it is zero), time; 2 = the rest of the series as it is: length, then from rest
//	        | shape 65: as it is, to the end of the message, from rest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/maphash"
)

const (
	splitLabels = 64              // most labels of a series that is split
	shapeRest   = splitLabels + 1 // what follows is not split

	tailSample = 0
	tailZero   = 1
	tailRest   = 2

	refNext = 0
	refNew  = 1
	refBase = 2

	// Tags of the messages: see baseline/scenario/wire.go, which writes them.
	tagSeries  = 1<<3 | 2
	tagLabel   = 1<<3 | 2
	tagSamples = 2<<3 | 2
	tagValue   = 1<<3 | 1
	tagTime    = 2 << 3
)

// columns are the pieces of a frame, each compressed by itself.
type columns [columnCount][]byte

const (
	colHeads  = iota // what a record is besides its body
	colShapes        // of items, and of tails
	colMasks
	colRefs
	colPairs  // labels, each when it is first seen: length, field of the message
	colTimes  // milliseconds since the sample before, zig-zag
	colValues // 8 bytes each
	colRest
	columnCount
)

// errColumns says that columns cannot be what a splitter wrote.
var errColumns = errors.New("columns do not fit together")

// labels are those of a frame so far, and what is predicted of the next series.
type labels struct {
	text []byte // of all, one after the other
	at   []span // by number
	next []int32
	last []int32 // of the series before, in order
}

type span struct{ lo, hi uint32 }

func (l *labels) reset() {
	l.text, l.at, l.next, l.last = l.text[:0], l.at[:0], l.next[:0], l.last[:0]
}

func (l *labels) of(n int32) []byte { return l.text[l.at[n].lo:l.at[n].hi] }

// add numbers a label that is new.
func (l *labels) add(field []byte) int32 {
	lo := uint32(len(l.text))
	l.text = append(l.text, field...)
	l.at = append(l.at, span{lo, uint32(len(l.text))})
	l.next = append(l.next, -1)
	return int32(len(l.at) - 1)
}

// before returns the label that the series before had at i, and the one that is expected instead; -1 = none.
func (l *labels) before(i int) (had, expected int32) {
	if i >= len(l.last) {
		return -1, -1
	}
	return l.last[i], l.next[l.last[i]]
}

// set makes n the label at i. Labels are set in order.
func (l *labels) set(i int, n int32) {
	if i < len(l.last) {
		l.next[l.last[i]] = n
		l.last[i] = n
		return
	}
	l.last = append(l.last, n)
}

var splitSeed = maphash.MakeSeed()

// splitter makes columns of messages. reset begins a frame.
type splitter struct {
	cols   columns
	labels labels
	table  []int32  // labels by hash, probed in a row; 0 = none, n+1 = label n
	hashes []uint64 // of labels
	time   uint64   // of the sample before
	spans  [splitLabels]span
}

func (s *splitter) reset() {
	for i := range s.cols {
		s.cols[i] = s.cols[i][:0]
	}
	s.labels.reset()
	clear(s.table)
	s.hashes = s.hashes[:0]
	s.time = 0
}

// split adds a message.
func (s *splitter) split(m []byte) {
	for len(m) > 0 {
		n := s.series(m)
		if n == 0 {
			s.cols[colShapes] = append(s.cols[colShapes], shapeRest)
			s.cols[colRest] = append(s.cols[colRest], m...)
			return
		}
		m = m[n:]
	}
}

// field returns the size of the length-delimited field of tag that m begins with and where its content begins; 0 when there is none, or
// when its length is not written as joining would.
func field(m []byte, tag byte) (size, content int) {
	if len(m) < 2 || m[0] != tag {
		return 0, 0
	}
	if n := int(m[1]); n < 0x80 {
		if n > len(m)-2 {
			return 0, 0
		}
		return 2 + n, 2
	}
	n, k := binary.Uvarint(m[1:])
	if k <= 0 || n > uint64(len(m)-1-k) || k != uvarintLen(n) {
		return 0, 0
	}
	return 1 + k + int(n), 1 + k
}

func uvarintLen(n uint64) int {
	k := 1
	for ; n >= 0x80; n >>= 7 {
		k++
	}
	return k
}

// series adds the series that m begins with and returns its size; 0 when there is none that can be split.
func (s *splitter) series(m []byte) int {
	size, at := field(m, tagSeries)
	if size == 0 {
		return 0
	}
	body := m[:size]
	n := 0
	for at < size && body[at] == tagLabel {
		k, _ := field(body[at:], tagLabel)
		if k == 0 || n == splitLabels {
			return 0
		}
		s.spans[n] = span{uint32(at), uint32(at + k)}
		n++
		at += k
	}
	s.cols[colShapes] = append(s.cols[colShapes], byte(n))
	s.addLabels(body, n)
	s.tail(body[at:])
	return size
}

func (s *splitter) addLabels(body []byte, n int) {
	l := &s.labels
	var mask uint64
	for i, x := range s.spans[:n] {
		field := body[x.lo:x.hi]
		had, expected := l.before(i)
		if had >= 0 && bytes.Equal(l.of(had), field) {
			continue
		}
		mask |= 1 << i
		if expected >= 0 && bytes.Equal(l.of(expected), field) {
			l.set(i, expected)
			s.cols[colRefs] = append(s.cols[colRefs], refNext)
			continue
		}
		id, known := s.number(field)
		if known {
			s.cols[colRefs] = binary.AppendUvarint(s.cols[colRefs], uint64(id)+refBase)
		} else {
			s.cols[colRefs] = append(s.cols[colRefs], refNew)
			s.cols[colPairs] = binary.AppendUvarint(s.cols[colPairs], uint64(len(field)))
			s.cols[colPairs] = append(s.cols[colPairs], field...)
		}
		l.set(i, id)
	}
	l.last = l.last[:n]
	s.cols[colMasks] = binary.AppendUvarint(s.cols[colMasks], mask)
}

// number returns the label's number, and whether it had one already.
func (s *splitter) number(field []byte) (id int32, known bool) {
	if 2*len(s.hashes) >= len(s.table) {
		s.grow()
	}
	h := maphash.Bytes(splitSeed, field)
	most := uint64(len(s.table) - 1)
	i := h & most
	for ; s.table[i] != 0; i = (i + 1) & most {
		if id = s.table[i] - 1; s.hashes[id] == h && bytes.Equal(s.labels.of(id), field) {
			return id, true
		}
	}
	id = s.labels.add(field)
	s.hashes = append(s.hashes, h)
	s.table[i] = id + 1
	return id, false
}

func (s *splitter) grow() {
	s.table = make([]int32, max(1<<12, 2*len(s.table)))
	most := uint64(len(s.table) - 1)
	for id, h := range s.hashes {
		i := h & most
		for ; s.table[i] != 0; i = (i + 1) & most {
		}
		s.table[i] = int32(id) + 1
	}
}

// tail adds what follows the labels: nearly always one sample.
func (s *splitter) tail(b []byte) {
	kind := byte(tailRest)
	size, at := field(b, tagSamples)
	var value []byte
	var time uint64
	if size > 0 && size == len(b) && at < size {
		kind = tailZero
		if b[at] == tagValue && size-at > 9 {
			kind, value = tailSample, b[at+1:at+9]
			at += 9
		}
		n, k := uint64(0), 0
		if at < size && b[at] == tagTime {
			n, k = binary.Uvarint(b[at+1:])
		}
		if k <= 0 || at+1+k != size || k != uvarintLen(n) {
			kind = tailRest
		}
		time = n
	}
	s.cols[colShapes] = append(s.cols[colShapes], kind)
	if kind == tailRest {
		s.cols[colShapes] = binary.AppendUvarint(s.cols[colShapes], uint64(len(b)))
		s.cols[colRest] = append(s.cols[colRest], b...)
		return
	}
	if kind == tailSample {
		s.cols[colValues] = append(s.cols[colValues], value...)
	}
	s.cols[colTimes] = binary.AppendVarint(s.cols[colTimes], int64(time-s.time))
	s.time = time
}

// joiner is the way back. It reads the columns of a frame once, from their beginnings, and believes nothing of them.
type joiner struct {
	cols   columns // what is not read yet
	labels labels
	time   uint64
	tail   [32]byte
}

func (j *joiner) reset(c columns) {
	j.cols, j.time = c, 0
	j.labels.reset()
}

func (j *joiner) uvarint(col int) (uint64, bool) {
	b := j.cols[col]
	if len(b) > 0 && b[0] < 0x80 {
		j.cols[col] = b[1:]
		return uint64(b[0]), true
	}
	n, k := binary.Uvarint(b)
	if k <= 0 {
		return 0, false
	}
	j.cols[col] = b[k:]
	return n, true
}

// take returns the next n bytes of a column.
func (j *joiner) take(col int, n uint64) ([]byte, bool) {
	b := j.cols[col]
	if n > uint64(len(b)) {
		return nil, false
	}
	j.cols[col] = b[n:]
	return b[:n:n], true
}

// join appends the next message, of size bytes, to dst. It never appends more.
func (j *joiner) join(dst []byte, size int) ([]byte, error) {
	end := len(dst) + size
	for len(dst) < end {
		shape, ok := j.take(colShapes, 1)
		if !ok || shape[0] > shapeRest {
			return dst, errColumns
		}
		if shape[0] == shapeRest {
			b, ok := j.take(colRest, uint64(end-len(dst)))
			if !ok {
				return dst, errColumns
			}
			return append(dst, b...), nil
		}
		if dst, ok = j.series(dst, end, int(shape[0])); !ok {
			return dst, errColumns
		}
	}
	return dst, nil
}

// series appends a series of n labels, when it does not pass end.
func (j *joiner) series(dst []byte, end, n int) ([]byte, bool) {
	size, ok := j.nextLabels(n)
	if !ok {
		return dst, false
	}
	tail, ok := j.nextTail()
	if !ok {
		return dst, false
	}
	size += len(tail)
	if size > end-len(dst)-1-uvarintLen(uint64(size)) {
		return dst, false
	}
	dst = append(dst, tagSeries)
	dst = binary.AppendUvarint(dst, uint64(size))
	for _, id := range j.labels.last {
		dst = append(dst, j.labels.of(id)...)
	}
	return append(dst, tail...), true
}

// nextLabels makes labels.last those of the next series and returns their size.
func (j *joiner) nextLabels(n int) (size int, ok bool) {
	l := &j.labels
	mask, ok := j.uvarint(colMasks)
	if !ok || n < 64 && mask>>n != 0 {
		return 0, false
	}
	for i := range n {
		if mask>>i&1 != 0 {
			if !j.nextLabel(i) {
				return 0, false
			}
		} else if i >= len(l.last) {
			return 0, false
		}
		x := l.at[l.last[i]]
		size += int(x.hi - x.lo)
	}
	l.last = l.last[:n]
	return size, true
}

// nextLabel sets the label at i to what the next reference says.
func (j *joiner) nextLabel(i int) bool {
	l := &j.labels
	ref, ok := j.uvarint(colRefs)
	if !ok {
		return false
	}
	switch ref {
	case refNext:
		_, id := l.before(i)
		if id < 0 {
			return false
		}
		l.set(i, id)
	case refNew:
		n, ok := j.uvarint(colPairs)
		if !ok {
			return false
		}
		field, ok := j.take(colPairs, n)
		if !ok {
			return false
		}
		l.set(i, l.add(field))
	default:
		if ref -= refBase; ref >= uint64(len(l.at)) {
			return false
		}
		l.set(i, int32(ref))
	}
	return true
}

// nextTail returns what follows the labels of a series. It is valid until the next call.
func (j *joiner) nextTail() ([]byte, bool) {
	kind, ok := j.take(colShapes, 1)
	if !ok {
		return nil, false
	}
	b := append(j.tail[:0], tagSamples, 0)
	switch kind[0] {
	case tailRest:
		n, ok := j.uvarint(colShapes)
		if !ok {
			return nil, false
		}
		return j.take(colRest, n)
	case tailSample:
		v, ok := j.take(colValues, 8)
		if !ok {
			return nil, false
		}
		b = append(append(b, tagValue), v...)
	case tailZero:
	default:
		return nil, false
	}
	d, k := binary.Varint(j.cols[colTimes])
	if k <= 0 {
		return nil, false
	}
	j.cols[colTimes] = j.cols[colTimes][k:]
	j.time += uint64(d)
	b = append(b, tagTime)
	b = binary.AppendUvarint(b, j.time)
	b[1] = byte(len(b) - 2)
	return b, true
}
