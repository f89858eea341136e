package wire

import (
	"math"
	"testing"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"

	"github.com/wrackline/wrackline/baseline/series"
)

// What is written is what Prometheus' own messages read, at every length of a varint.
func TestPrometheusReadsIt(t *testing.T) {
	sets := []series.Labels{{{Name: "__name__", Value: "up"}}, {{Name: "__name__", Value: "x"}, {Name: "long", Value: string(make([]byte, 300))}, {Name: "empty", Value: ""}}}
	samples := [][]series.Sample{{{T: 0, V: 1}}, {{T: 127, V: math.Inf(-1)}, {T: 128, V: -0.5}, {T: math.MaxInt64, V: math.MaxFloat64}, {T: -1, V: 0}}}
	var message []byte
	for i, l := range sets {
		var labels []byte
		for _, x := range l {
			labels = AppendLabel(labels, x.Name, x.Value)
		}
		if back, err := ReadLabels(nil, labels); err != nil || back.String() != l.String() {
			t.Errorf("read back as %s, %v", back, err)
		}
		message = AppendSeries(message, labels, samples[i])
	}
	if _, err := ReadLabels(nil, []byte{9}); err == nil {
		t.Error("what is no label was read")
	}
	body := AppendBody([]byte("before"), message)
	plain, err := snappy.Decode(nil, body[len("before"):])
	if err != nil {
		t.Fatal(err)
	}
	var got prompb.WriteRequest
	if err := got.Unmarshal(plain); err != nil {
		t.Fatal(err)
	}
	if len(got.Timeseries) != len(sets) {
		t.Fatalf("%d series", len(got.Timeseries))
	}
	for i, ts := range got.Timeseries {
		for j, x := range sets[i] {
			if ts.Labels[j].Name != x.Name || ts.Labels[j].Value != x.Value {
				t.Errorf("series %d: label %v, want %v", i, ts.Labels[j], x)
			}
		}
		for j, x := range samples[i] {
			if ts.Samples[j].Timestamp != x.T || ts.Samples[j].Value != x.V {
				t.Errorf("series %d: sample %v, want %v", i, ts.Samples[j], x)
			}
		}
	}
}
