package ingest

// Samples, which have the same bytes in both protocols but for the start time that 2.0 added.

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/wrackline/wrackline/baseline/series"
)

var (
	knownSampleV1 = fields(1, 2)
	knownSampleV2 = fields(1, 2, 3)
)

// sample reads a sample: value = 1, timestamp = 2, and in 2.0 start = 3. It returns false for what is no protobuf.
func (d *Decoder) sample(m []byte, v2 bool) bool {
	var s series.Sample
	d.seen++
	// What every sender writes: the value, then the timestamp.
	if len(m) > 10 && m[0] == 1<<3|wireFixed8 && m[9] == 2<<3|wireVarint {
		v, n := binary.Uvarint(m[10:])
		if n > 0 && 10+n == len(m) {
			s.V = math.Float64frombits(binary.LittleEndian.Uint64(m[1:]))
			s.T = int64(v)
			d.keepSample(s)
			return true
		}
	}
	known := knownSampleV1
	if v2 {
		known = knownSampleV2
	}
	for i := 0; i < len(m); {
		f := readField(m, i)
		if f.hi < 0 {
			return false
		}
		switch f.tag {
		case 1<<3 | wireFixed8:
			s.V = math.Float64frombits(f.num)
		case 2<<3 | wireVarint:
			s.T = int64(f.num)
		case 3<<3 | wireVarint:
			if v2 {
				s.Start = int64(f.num)
			}
		default:
			if !f.foreign(known) {
				return false
			}
		}
		i = f.hi
	}
	d.keepSample(s)
	return true
}

func (d *Decoder) keepSample(s series.Sample) {
	if s.T < timeMin {
		d.badTime(s.T)
		return
	}
	d.samples = append(room(d.samples, d.limits.SamplesMax), s)
}

// room makes room for one more. It doubles, but not beyond limit, so that growing leaves less behind than append does;
// beyond the limit, which the caller refuses a moment later, append takes over.
func room[T any](s []T, limit int) []T {
	if len(s) < cap(s) || len(s) >= limit {
		return s
	}
	t := make([]T, len(s), min(max(2*cap(s), 64), limit))
	copy(t, s)
	return t
}

func (d *Decoder) badTime(t int64) {
	if d.fault.samples == "" {
		d.fault.samples = fmt.Sprintf("timestamp %d is before 1971; timestamps are milliseconds since 1970", t)
	}
}
