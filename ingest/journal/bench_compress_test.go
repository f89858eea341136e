package journal

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
)

// threadCPU returns what the calling thread has used. The caller has locked itself to it.
func threadCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(1, &u) // RUSAGE_THREAD
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// asV2 returns remote-write 1.0 messages as 2.0 ones.
func asV2(b *testing.B, messages [][]byte) (out [][]byte) {
	for _, m := range messages {
		symbols := writev2.NewSymbolTable()
		var w writev2.Request
		for len(m) > 0 {
			size, at := field(m, tagSeries)
			s := m[at:size]
			m = m[size:]
			var refs []uint32
			for len(s) > 0 && s[0] == tagLabel {
				n, at := field(s, tagLabel)
				name, a := field(s[at:n], 1<<3|2)
				value, c := field(s[at+name:n], 2<<3|2)
				refs = append(refs, symbols.Symbolize(string(s[at+a:at+name])), symbols.Symbolize(string(s[at+name+c:at+name+value])))
				s = s[n:]
			}
			t, _ := binary.Uvarint(s[12:])
			w.Timeseries = append(w.Timeseries, writev2.TimeSeries{LabelsRefs: refs, Samples: []writev2.Sample{{Timestamp: int64(t), Value: math.Float64frombits(binary.LittleEndian.Uint64(s[3:]))}}})
		}
		w.Symbols = symbols.Symbols()
		x, err := w.Marshal()
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, x)
	}
	return out
}

// BenchmarkCompress says what a sample takes on disk, B/sample, and in thread CPU, cpu-ns/sample, when requests are kept in one way or another:
// raw (as they come), each for itself or 8 MiB of messages at once with a general compressor, and as frames (with unpacking, which the others
// are spared).
func BenchmarkCompress(b *testing.B) {
	for _, c := range []struct {
		name string
		rate float64 // samples a second
		secs int64
	}{{"small", 1, 300}, {"large", 4000, 90}} {
		messages, samples := simulated(b, c.rate, c.secs)
		v2 := asV2(b, messages)
		benchCompress(b, c.name+"/v1", 1, messages, samples)
		benchCompress(b, c.name+"/v2", 2, v2, samples)
	}
}

func benchCompress(b *testing.B, name string, proto uint8, messages [][]byte, samples int) {
	level := func(l zstd.EncoderLevel) func(dst, src []byte) []byte {
		z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(l), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
		if err != nil {
			b.Fatal(err)
		}
		return func(dst, src []byte) []byte { return z.EncodeAll(src, dst[:0]) }
	}
	var bodies, groups [][]byte
	var group []byte
	for _, m := range messages {
		bodies = append(bodies, snappy.Encode(nil, m))
		if group = append(group, m...); len(group) >= frameBytes {
			groups, group = append(groups, group), nil
		}
	}
	groups = append(groups, group)
	for _, k := range []struct {
		name string
		fn   func(dst, src []byte) []byte
	}{
		{"s2", func(dst, src []byte) []byte { return s2.Encode(dst[:cap(dst)], src) }},
		{"zstd-fastest", level(zstd.SpeedFastest)}, {"zstd-default", level(zstd.SpeedDefault)},
	} {
		for _, of := range []struct {
			name string
			list [][]byte
		}{{"request", messages}, {"frame", groups}} {
			b.Run(fmt.Sprintf("%s/%s/%s", name, of.name, k.name), func(b *testing.B) {
				var dst []byte
				measure(b, samples, func() (n int) {
					for _, m := range of.list {
						dst = k.fn(dst, m)
						n += len(dst)
					}
					return n
				})
			})
		}
	}
	var frames []byte
	b.Run(name+"/columns/write", func(b *testing.B) {
		p, err := newPacker(frameBytes)
		if err != nil {
			b.Fatal(err)
		}
		measure(b, samples, func() int {
			frames = appendHeader(frames[:0], compressed, 1, 42)
			for i, body := range bodies {
				if err := p.add(uint64(i+1), Record{Proto: proto, Encoding: encodingSnappy, Body: body}); err != nil {
					b.Fatal(err)
				}
				if p.full() || i == len(bodies)-1 {
					if frames, err = p.appendFrame(frames, 42); err != nil {
						b.Fatal(err)
					}
				}
			}
			return len(frames)
		})
	})
	records := appendHeader(nil, version, 1, 42)
	for i, body := range bodies {
		records = appendRecord(records, 42, uint64(i+1), Record{Proto: proto, Encoding: encodingSnappy, Body: body})
	}
	var message []byte
	for _, x := range []struct {
		name string
		file []byte
	}{{"raw/read", records}, {"columns/read", frames}} {
		b.Run(name+"/"+x.name, func(b *testing.B) {
			measure(b, samples, func() int {
				r := newReader(bytesAt(x.file), 1, int64(len(x.file)))
				n := 0
				for r.next() {
					if r.record.Encoding == encodingSnappy { // what the caller does with the others is done
						var err error
						if message, err = snappy.Decode(message[:cap(message)], r.record.Body); err != nil {
							b.Fatal(err)
						}
					}
					n++
				}
				if n != len(messages) {
					b.Fatal(n)
				}
				return len(x.file)
			})
		})
	}
}

type bytesAt []byte

func (b bytesAt) ReadAt(p []byte, off int64) (int, error) { return copy(p, b[off:]), nil }

// measure reports what fn, which returns bytes, costs a sample.
func measure(b *testing.B, samples int, fn func() int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	fn() // grows what grows
	b.ReportAllocs()
	n := 0
	begin := threadCPU()
	for b.Loop() {
		n = fn()
	}
	b.ReportMetric(float64(threadCPU()-begin)/float64(b.N)/float64(samples), "cpu-ns/sample")
	b.ReportMetric(float64(n)/float64(samples), "B/sample")
	b.ReportMetric(0, "ns/op")
}
