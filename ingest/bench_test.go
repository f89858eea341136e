package ingest

import (
	"testing"

	"github.com/prometheus/prometheus/prompb"

	"github.com/wrackline/wrackline/baseline/series"
)

// A request of a real sender: 2,000 samples.
const benchSamples = 2000

func benchDecode(b *testing.B, p Proto, e Encoding, raw []byte) {
	body := compress(e, raw)
	d := NewDecoder(Limits{})
	var batch series.Batch
	if _, err := d.Decode(p, e, body, &batch); err != nil || len(batch.Samples) != benchSamples {
		b.Fatalf("%d samples, %v", len(batch.Samples), err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decode(p, e, body, &batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchSamples, "ns/sample")
	b.ReportMetric(float64(len(body))/benchSamples, "wireB/sample")
	b.ReportMetric(float64(len(raw))/benchSamples, "rawB/sample")
}

func BenchmarkDecodeV1(b *testing.B) {
	benchDecode(b, V1, Snappy, marshal(b, kubernetesV1(benchSamples)))
}
func BenchmarkDecodeV2(b *testing.B) {
	benchDecode(b, V2, Snappy, marshal(b, kubernetesV2(benchSamples)))
}
func BenchmarkDecodeZstd(b *testing.B) {
	b.Run("v1", func(b *testing.B) { benchDecode(b, V1, Zstd, marshal(b, kubernetesV1(benchSamples))) })
	b.Run("v2", func(b *testing.B) { benchDecode(b, V2, Zstd, marshal(b, kubernetesV2(benchSamples))) })
}

// BenchmarkDecompress is the part of the decode benchmarks that is not ours.
func BenchmarkDecompress(b *testing.B) {
	for _, c := range []struct {
		name string
		raw  []byte
	}{{"v1", marshal(b, kubernetesV1(benchSamples))}, {"v2", marshal(b, kubernetesV2(benchSamples))}} {
		for _, e := range []Encoding{Snappy, Zstd} {
			b.Run(c.name+"/"+e.String(), func(b *testing.B) {
				body := compress(e, c.raw)
				d := NewDecoder(Limits{})
				b.ReportAllocs()
				for b.Loop() {
					if err := d.decompress(e, body); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchSamples, "ns/sample")
			})
		}
	}
}

// BenchmarkLabels is what a series costs when it is new.
func BenchmarkLabels(b *testing.B) {
	for _, c := range []struct {
		p   Proto
		raw []byte
	}{{V1, marshal(b, kubernetesV1(benchSamples))}, {V2, marshal(b, kubernetesV2(benchSamples))}} {
		b.Run(c.p.String(), func(b *testing.B) {
			d := NewDecoder(Limits{})
			batch, _ := mustDecode(b, d, c.p, Snappy, snap(c.raw))
			var l series.Labels
			var err error
			b.ReportAllocs()
			for b.Loop() {
				for i := range batch.Entries {
					if l, err = batch.Labels.AppendLabels(l[:0], i); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(batch.Entries)), "ns/series")
		})
	}
}

// BenchmarkPrompb is the decoder that Prometheus uses, for comparison.
func BenchmarkPrompb(b *testing.B) {
	body := snap(marshal(b, kubernetesV1(benchSamples)))
	d := NewDecoder(Limits{})
	b.ReportAllocs()
	for b.Loop() {
		if err := d.decompress(Snappy, body); err != nil {
			b.Fatal(err)
		}
		var r prompb.WriteRequest
		if err := r.Unmarshal(d.raw); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchSamples, "ns/sample")
}
