// Package codec writes and reads packed state: varints, floats, words that are written once, versioned sections. Nothing read is believed:
// every length is bounded by the bytes that are left before anything is allocated for it, and after the first fault a reader gives zeros.
//
//	unsigned and signed (zig-zag) integers   varints
//	floats                                   8 bytes, little endian
//	strings                                  length, bytes
//	floats of which many are empty           a mask, those that are not
//	words                                    number of the word; when it is the next number, the string follows
package codec

import (
	"encoding/binary"
	"hash/crc32"
	"math"

	"github.com/wrackline/wrackline/baseline/series"
)

// None is the number of nothing, as owners of dense tables write it.
const None = math.MaxUint32

// TimeMax is the latest time that is believed: Unix milliseconds of the year 3084.
const TimeMax = int64(1) << 45

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum returns the CRC-32C of the parts one after the other.
func Checksum(parts ...[]byte) uint32 {
	sum := uint32(0)
	for _, p := range parts {
		sum = crc32.Update(sum, castagnoli, p)
	}
	return sum
}

// Writer appends to B. The zero value is ready; set B to go on behind bytes that exist.
type Writer struct {
	B     []byte
	words map[string]int
	apart bool   // the words are another writer's
	holes []word // of one that is apart
	put   int    // how much of it has been put elsewhere
}

// word is a word and before which byte it belongs.
type word struct {
	at int
	s  string
}

// Apart returns a writer of what is to be put into another one later, which then decides how words are written.
func Apart() *Writer { return &Writer{apart: true} }

// ApartLike is Apart with room for so much and a little.
func ApartLike(x Size) *Writer {
	return &Writer{apart: true, B: make([]byte, 0, x.bytes+x.bytes/32), holes: make([]word, 0, x.words+x.words/32)}
}

// Size is how much a writer that is apart was given. The zero value is nothing.
type Size struct{ bytes, words int }

// Size returns how much it was given; it is asked before anything is put elsewhere.
func (w *Writer) Size() Size { return Size{len(w.B), len(w.holes)} }

// Put writes what has been written apart.
func (w *Writer) Put(x *Writer) {
	for w.PutSome(x) {
	}
}

// putWords is how many words PutSome writes: some tenths of a millisecond.
const putWords = 4096

// PutSome is Put little by little: it reports whether anything is left of x, which is used up by it.
func (w *Writer) PutSome(x *Writer) bool {
	for range min(len(x.holes), putWords) {
		h := x.holes[0]
		w.Bytes(x.B[x.put:h.at])
		w.Word(h.s)
		x.holes, x.put = x.holes[1:], h.at
	}
	if len(x.holes) > 0 {
		return true
	}
	w.Bytes(x.B[x.put:])
	x.put = len(x.B)
	return false
}

// Num writes a number from 0 to 2³²−1; others lose their upper bits.
func (w *Writer) Num(v int) { w.B = binary.AppendUvarint(w.B, uint64(uint32(v))) }

// Int writes any integer.
func (w *Writer) Int(v int64) { w.B = binary.AppendVarint(w.B, v) }

// Uint64 writes 8 bytes.
func (w *Writer) Uint64(v uint64) { w.B = binary.LittleEndian.AppendUint64(w.B, v) }

// Float writes v to the bit.
func (w *Writer) Float(v float64) { w.Uint64(math.Float64bits(v)) }

// Byte writes one byte.
func (w *Writer) Byte(v byte) { w.B = append(w.B, v) }

// Bool writes one byte, 0 or 1.
func (w *Writer) Bool(v bool) {
	if v {
		w.Byte(1)
	} else {
		w.Byte(0)
	}
}

// Bytes writes bytes of which the reader knows the number.
func (w *Writer) Bytes(b []byte) { w.B = append(w.B, b...) }

// String writes a string.
func (w *Writer) String(s string) {
	w.Num(len(s))
	w.B = append(w.B, s...)
}

// Word writes a string, or the number of one that was written before.
func (w *Writer) Word(s string) {
	if w.apart {
		w.holes = append(w.holes, word{len(w.B), s})
		return
	}
	i, ok := w.words[s]
	if !ok {
		if w.words == nil {
			w.words = map[string]int{}
		}
		i = len(w.words)
		w.words[s] = i
	}
	w.Num(i)
	if !ok {
		w.String(s)
	}
}

// Cells writes which of at most 32 floats hold something else than math.NaN(), and those.
func (w *Writer) Cells(cells []float64) {
	empty := math.Float64bits(math.NaN())
	var mask uint32
	for i, v := range cells {
		if math.Float64bits(v) != empty {
			mask |= 1 << i
		}
	}
	w.Num(int(mask))
	for i, v := range cells {
		if mask&(1<<i) != 0 {
			w.Float(v)
		}
	}
}

// Labels writes a label set in words.
func (w *Writer) Labels(l series.Labels) {
	w.Num(len(l))
	for _, x := range l {
		w.Word(x.Name)
		w.Word(x.Value)
	}
}

// Numbered writes the number of a thing by first use, 0 for None, and reports whether it is to be described now.
func (w *Writer) Numbered(known map[uint32]int, i uint32) bool {
	if i == None {
		w.Num(0)
		return false
	}
	n, ok := known[i]
	if !ok {
		n = len(known) + 1
		known[i] = n
	}
	w.Num(n)
	return !ok
}

// Reader takes from the front of its bytes. The zero value has none.
type Reader struct {
	b     []byte
	fault error
	err   error
	words []string
}

// NewReader returns a reader of b, which it keeps. fault is the error of whatever cannot have been written.
func NewReader(b []byte, fault error) *Reader { return &Reader{b: b, fault: fault} }

// Err returns the first fault, nil when there was none.
func (r *Reader) Err() error { return r.err }

// Fail notes that what was read cannot have been written. The first error stays.
func (r *Reader) Fail() { r.FailWith(r.fault) }

// FailWith is Fail with an error that says more.
func (r *Reader) FailWith(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// Left returns how many bytes have not been read.
func (r *Reader) Left() int { return len(r.b) }

// Take returns the next n bytes, borrowed; nil when there are not so many.
func (r *Reader) Take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.Fail()
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// Num reads a number of at most limit.
func (r *Reader) Num(limit int) int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || limit < 0 || v > uint64(limit) {
		r.Fail()
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

// Count reads how many things of at least size bytes follow.
func (r *Reader) Count(size int) int { return r.Num(len(r.b) / size) }

// Number reads a number that was written plus one, None for 0.
func (r *Reader) Number() uint32 { return uint32(r.Num(math.MaxUint32)) - 1 }

// Int reads any integer.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Time reads a time, a count or a window: from 0 to TimeMax.
func (r *Reader) Time() int64 {
	v := r.Int()
	if v < 0 || v > TimeMax {
		r.Fail()
		v = 0
	}
	return v
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	b := r.Take(1)
	if b == nil {
		return 0
	}
	return b[0]
}

// Bool reads one byte, which must be 0 or 1.
func (r *Reader) Bool() bool { return r.Num(1) == 1 }

// Uint64 reads 8 bytes.
func (r *Reader) Uint64() uint64 {
	b := r.Take(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// Float reads what Writer.Float wrote.
func (r *Reader) Float() float64 { return math.Float64frombits(r.Uint64()) }

// Cells reads what Writer.Cells wrote of n floats, and appends them to dst.
func (r *Reader) Cells(dst []float64, n int) []float64 {
	mask := r.Num(1<<n - 1)
	for i := range n {
		v := math.NaN()
		if mask&(1<<i) != 0 {
			v = r.Float()
		}
		dst = append(dst, v)
	}
	return dst
}

// Print reads the bytes of a print.
func (r *Reader) Print() (p series.Print) {
	copy(p[:], r.Take(len(p)))
	return p
}

// String reads a string.
func (r *Reader) String() string { return string(r.Take(r.Num(len(r.b)))) }

// Word reads what Writer.Word wrote.
func (r *Reader) Word() string {
	i := r.Num(len(r.words))
	if r.err != nil {
		return ""
	}
	if i < len(r.words) {
		return r.words[i]
	}
	s := r.String()
	r.words = append(r.words, s)
	return s
}

// Labels reads a label set: sorted by name, without empty values, of at most most labels.
func (r *Reader) Labels(most int) series.Labels {
	n := r.Count(2)
	if n > most {
		r.Fail()
		return nil
	}
	l := make(series.Labels, 0, n)
	for range n {
		x := series.Label{Name: r.Word(), Value: r.Word()}
		if r.err != nil || x.Value == "" || len(l) > 0 && l[len(l)-1].Name >= x.Name {
			r.Fail()
			return nil
		}
		l = append(l, x)
	}
	return l
}

// Numbered reads what Writer.Numbered wrote of a kind of which known things were read before: which it is, and whether its description follows.
func (r *Reader) Numbered(known int) (i uint32, first bool) {
	n := r.Num(known + 1)
	if r.err != nil || n == 0 {
		return None, false
	}
	return uint32(n - 1), n == known+1
}

// Section reads the version of a section, which begins with one that Writer.Num wrote; newest is the newest that the program knows.
func (r *Reader) Section(newest int) int {
	v := r.Num(math.MaxInt32)
	if v < 1 || v > newest {
		r.Fail()
	}
	return v
}
