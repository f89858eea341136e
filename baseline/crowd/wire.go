package crowd

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/golang/snappy"

	"github.com/wrackline/wrackline/baseline/series"
)

// Labels are kept as remote write 1.0 has them, which is all that sending needs; package scenario's wire.go draws the message.
const (
	tagSeries  = 1<<3 | 2
	tagLabel   = 1<<3 | 2
	tagSample  = 2<<3 | 2
	tagName    = 1<<3 | 2
	tagValue   = 2<<3 | 2
	tagDouble  = 1<<3 | 1
	tagInstant = 2 << 3
)

// appendLabel appends one label of a series.
func appendLabel(dst []byte, name, value string) []byte {
	size := 2 + len(name) + len(value) + uvarintLen(len(name)) + uvarintLen(len(value))
	dst = append(dst, tagLabel)
	dst = binary.AppendUvarint(dst, uint64(size))
	dst = append(dst, tagName)
	dst = binary.AppendUvarint(dst, uint64(len(name)))
	dst = append(dst, name...)
	dst = append(dst, tagValue)
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}

func uvarintLen(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

var errWire = errors.New("labels of a crowd are damaged")

// AppendLabels implements series.LabelReader.
func (q *Request) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	s := &q.w.series[q.lo+i]
	b := q.w.wire[s.at : s.at+uint64(s.length)]
	field := func() string {
		n, size := binary.Uvarint(b[1:])
		out := string(b[1+size : 1+size+int(n)])
		b = b[1+size+int(n):]
		return out
	}
	for len(b) > 0 {
		if b[0] != tagLabel {
			return dst, errWire
		}
		_, size := binary.Uvarint(b[1:])
		b = b[1+size:]
		dst = append(dst, series.Label{Name: field(), Value: field()})
	}
	return dst, nil
}

// AppendBody appends the request as a remote-write 1.0 body: the message in a snappy block. buf is scratch space that is returned, grown, for the
// next call.
func (q *Request) AppendBody(dst, buf []byte) (body, scratch []byte) {
	buf = buf[:0]
	for i, x := range q.Samples {
		s := &q.w.series[q.lo+i]
		one := 1 + 8 + 1 + uvarintLen(int(x.T))
		buf = append(buf, tagSeries)
		buf = binary.AppendUvarint(buf, uint64(int(s.length)+2+one))
		buf = append(buf, q.w.wire[s.at:s.at+uint64(s.length)]...)
		buf = append(buf, tagSample, byte(one), tagDouble)
		buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(x.V))
		buf = append(buf, tagInstant)
		buf = binary.AppendUvarint(buf, uint64(x.T))
	}
	n := len(dst)
	if need := n + snappy.MaxEncodedLen(len(buf)); cap(dst) < need {
		dst = append(make([]byte, 0, need), dst...)
	}
	return dst[:n+len(snappy.Encode(dst[n:cap(dst)], buf))], buf
}
