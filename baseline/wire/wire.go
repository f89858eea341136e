// Package wire writes remote write 1.0 as a sender does, for simulated senders.
//
//	WriteRequest { repeated TimeSeries timeseries = 1; }
//	TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2; }
//	Label        { string name = 1; string value = 2; }
//	Sample       { double value = 1; int64 timestamp = 2; }
//
// A series' labels never change, so a sender makes their bytes once and copies them afterwards.
package wire

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/golang/snappy"

	"github.com/wrackline/wrackline/baseline/series"
)

const (
	tagSeries  = 1<<3 | 2
	tagLabel   = 1<<3 | 2
	tagSample  = 2<<3 | 2
	tagName    = 1<<3 | 2
	tagValue   = 2<<3 | 2
	tagDouble  = 1<<3 | 1
	tagInstant = 2 << 3
)

// AppendLabel appends one label of a series.
func AppendLabel(dst []byte, name, value string) []byte {
	size := 2 + len(name) + len(value) + length(uint64(len(name))) + length(uint64(len(value)))
	dst = append(dst, tagLabel)
	dst = binary.AppendUvarint(dst, uint64(size))
	dst = append(dst, tagName)
	dst = binary.AppendUvarint(dst, uint64(len(name)))
	dst = append(dst, name...)
	dst = append(dst, tagValue)
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}

// AppendSeries appends a series of a request: labels as AppendLabel made them, and samples, whose start times the protocol does not know.
func AppendSeries(dst, labels []byte, samples []series.Sample) []byte {
	size := len(labels)
	for i := range samples {
		size += 2 + sampleSize(samples[i].T)
	}
	dst = append(dst, tagSeries)
	dst = binary.AppendUvarint(dst, uint64(size))
	dst = append(dst, labels...)
	for i := range samples {
		dst = append(dst, tagSample, byte(sampleSize(samples[i].T)), tagDouble)
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(samples[i].V))
		dst = append(dst, tagInstant)
		dst = binary.AppendUvarint(dst, uint64(samples[i].T))
	}
	return dst
}

// AppendBody appends a request's body: its message in a snappy block.
func AppendBody(dst, message []byte) []byte {
	n := len(dst)
	if need := n + snappy.MaxEncodedLen(len(message)); cap(dst) < need {
		dst = append(make([]byte, 0, need), dst...)
	}
	return dst[:n+len(snappy.Encode(dst[n:cap(dst)], message))]
}

// ErrLabels is returned by ReadLabels for bytes that AppendLabel did not make.
var ErrLabels = errors.New("labels are damaged")

// ReadLabels appends the labels that AppendLabel has written to b. It trusts b but for its beginning.
func ReadLabels(dst series.Labels, b []byte) (series.Labels, error) {
	field := func() string {
		n, size := binary.Uvarint(b[1:])
		out := string(b[1+size : 1+size+int(n)])
		b = b[1+size+int(n):]
		return out
	}
	for len(b) > 0 {
		if b[0] != tagLabel {
			return dst, ErrLabels
		}
		_, size := binary.Uvarint(b[1:])
		b = b[1+size:]
		dst = append(dst, series.Label{Name: field(), Value: field()})
	}
	return dst, nil
}

func sampleSize(t int64) int { return 1 + 8 + 1 + length(uint64(t)) }

// length is how many bytes a varint has.
func length(n uint64) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}
