package scenario

import (
	"encoding/binary"
	"math"

	"github.com/golang/snappy"
)

// Remote write 1.0 in protobuf, as far as a sender of floats needs it:
//
//	WriteRequest { repeated TimeSeries timeseries = 1; }
//	TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2; }
//	Label        { string name = 1; string value = 2; }
//	Sample       { double value = 1; int64 timestamp = 2; }
//
// A series' labels never change, so their bytes are made once and copied afterwards.

const (
	tagSeries  = 1<<3 | 2
	tagLabel   = 1<<3 | 2
	tagSample  = 2<<3 | 2
	tagName    = 1<<3 | 2
	tagValue   = 2<<3 | 2
	tagDouble  = 1<<3 | 1
	tagInstant = 2 << 3
)

// AppendWrite appends the request as an uncompressed remote-write 1.0 message.
func (r *Request) AppendWrite(dst []byte) []byte {
	var sample [24]byte
	for i, e := range r.Entries {
		ref := r.rows[i]
		if ref.rows.wire == nil || len(ref.rows.wire) < len(ref.rows.labels) {
			ref.rows.encode()
		}
		labels := ref.rows.wire[ref.row]
		size := len(labels)
		for _, s := range r.Samples[e.SampleLo:e.SampleHi] {
			size += 2 + len(appendSample(sample[:0], s.V, s.T))
		}
		dst = append(dst, tagSeries)
		dst = binary.AppendUvarint(dst, uint64(size))
		dst = append(dst, labels...)
		for _, s := range r.Samples[e.SampleLo:e.SampleHi] {
			b := appendSample(sample[:0], s.V, s.T)
			dst = append(dst, tagSample, byte(len(b)))
			dst = append(dst, b...)
		}
	}
	return dst
}

// AppendBody appends the request as a remote-write 1.0 body: the message in a snappy block. buf is scratch space that is
// returned, grown, for the next call.
func (r *Request) AppendBody(dst, buf []byte) (body, scratch []byte) {
	buf = r.AppendWrite(buf[:0])
	n := len(dst)
	if need := n + snappy.MaxEncodedLen(len(buf)); cap(dst) < need {
		dst = append(make([]byte, 0, need), dst...)
	}
	out := snappy.Encode(dst[n:cap(dst)], buf)
	return dst[:n+len(out)], buf
}

func appendSample(dst []byte, v float64, t int64) []byte {
	dst = append(dst, tagDouble)
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	dst = append(dst, tagInstant)
	return binary.AppendUvarint(dst, uint64(t))
}

// encode makes the protobuf bytes of the labels that have none yet.
func (r *rows) encode() {
	for _, l := range r.labels[len(r.wire):] {
		var out, one []byte
		for _, x := range l {
			one = append(one[:0], tagName)
			one = binary.AppendUvarint(one, uint64(len(x.Name)))
			one = append(one, x.Name...)
			one = append(one, tagValue)
			one = binary.AppendUvarint(one, uint64(len(x.Value)))
			one = append(one, x.Value...)
			out = append(out, tagLabel)
			out = binary.AppendUvarint(out, uint64(len(one)))
			out = append(out, one...)
		}
		r.wire = append(r.wire, out)
	}
}
