package ingest

import (
	"net/http"
	"slices"
	"testing"
	"unsafe"

	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"github.com/wrackline/wrackline/baseline/series"
)

// invariants checks what holds for every batch, whatever was sent.
func invariants(t *testing.T, d *Decoder, b *series.Batch, info Info) {
	t.Helper()
	var sample, hist uint32
	for i, e := range b.Entries {
		if e.SampleLo != sample || e.HistLo != hist || e.SampleHi < e.SampleLo || e.HistHi < e.HistLo || e.SampleHi-e.SampleLo+e.HistHi-e.HistLo == 0 {
			t.Fatalf("entry %d = %+v after %d samples and %d histograms", i, e, sample, hist)
		}
		sample, hist = e.SampleHi, e.HistHi
		if l, err := b.Labels.AppendLabels(nil, i); err == nil && len(l) > series.LabelsMax {
			t.Fatalf("entry %d has %d labels", i, len(l))
		}
	}
	if int(sample) != len(b.Samples) || int(hist) != len(b.Histograms) || info.Samples != len(b.Samples) || info.Histograms != len(b.Histograms) {
		t.Fatalf("%d samples and %d histograms, entries have %d and %d, info %+v", len(b.Samples), len(b.Histograms), sample, hist, info)
	}
	for _, s := range b.Samples {
		if s.T < timeMin {
			t.Fatalf("sample at %d", s.T)
		}
	}
	for _, h := range b.Histograms {
		for _, side := range [][]series.Bucket{h.Pos, h.Neg} {
			for i, x := range side {
				if !(x.Count > 0) || i > 0 && x.Index <= side[i-1].Index {
					t.Fatalf("buckets %v", side)
				}
			}
		}
	}
	if (info.Reason == "") != (info.Rejected+info.BadSeries+info.BadExemplars == 0) {
		t.Fatalf("%+v", info)
	}
	if size := uintptr(cap(d.samples))*unsafe.Sizeof(series.Sample{}) + uintptr(cap(d.hists))*unsafe.Sizeof(series.Histogram{}) +
		uintptr(cap(d.entries))*unsafe.Sizeof(series.Entry{}) + uintptr(cap(d.spans))*unsafe.Sizeof(extent{}) +
		uintptr(cap(d.symbols))*unsafe.Sizeof(symbol{}); size > uintptr(16*len(d.raw)+256<<10) {
		t.Fatalf("%d bytes of structures for a message of %d", size, len(d.raw))
	}
}

// fuzzed decodes raw and checks what holds for every batch. ok is false when the message was refused.
func fuzzed(t *testing.T, p Proto, raw []byte) (b series.Batch, ok bool) {
	t.Helper()
	if len(raw) > 1<<16 {
		return b, false
	}
	d := NewDecoder(Limits{})
	info, err := d.Decode(p, Snappy, snap(raw), &b)
	if kindOf(err) == "panic" {
		t.Fatal(err)
	}
	if err != nil {
		return b, false
	}
	invariants(t, d, &b, info)
	return b, true
}

// FuzzDecodeV1 decodes any message; what prompb decodes too must be the same.
func FuzzDecodeV1(f *testing.F) {
	f.Add(marshal(f, kubernetesV1(3)))
	f.Add(marshal(f, reqV1(one(up, now, series.StaleNaN), one(lset("job", "x"), 5, 1))))
	f.Add(marshal(f, &prompb.WriteRequest{Metadata: []prompb.MetricMetadata{{MetricFamilyName: "up"}}}))
	h := intHistogram(now)
	var x prompb.Histogram
	if err := x.Unmarshal(marshal(f, &h)); err != nil {
		f.Fatal(err)
	}
	f.Add(marshal(f, reqV1(prompb.TimeSeries{Labels: labelsV1(up), Histograms: []prompb.Histogram{x}, Exemplars: []prompb.Exemplar{{Value: 1}}})))
	for _, b := range bombs() {
		f.Add(b.raw[:200])
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, ok := fuzzed(t, V1, raw)
		if !ok {
			return
		}
		var r prompb.WriteRequest
		if r.Unmarshal(raw) != nil {
			return // a label that is no protobuf, which is found when it is read
		}
		if slices.ContainsFunc(r.Timeseries, func(s prompb.TimeSeries) bool { return len(s.Histograms) > 0 }) {
			return // compared by TestDecodesWhatPrompbWrites
		}
		compare(t, "v1", &b, v1Oracle(&r))
	})
}

// FuzzDecodeV2 is the same for 2.0.
func FuzzDecodeV2(f *testing.F) {
	f.Add(marshal(f, kubernetesV2(3)))
	f.Add(marshal(f, reqV2(func(i int, s *writev2.TimeSeries, t *writev2.SymbolsTable) {
		s.Histograms = []writev2.Histogram{intHistogram(now)}
		s.Exemplars = []writev2.Exemplar{{LabelsRefs: refs(t, up), Value: 1, Timestamp: now}}
		s.Metadata = writev2.Metadata{Type: 1, HelpRef: 1}
	}, up, up)))
	for _, b := range bombs() {
		f.Add(b.raw[:200])
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, ok := fuzzed(t, V2, raw)
		if !ok {
			return
		}
		var r writev2.Request
		if r.Unmarshal(raw) != nil || slices.ContainsFunc(r.Timeseries, func(s writev2.TimeSeries) bool { return len(s.Histograms) > 0 }) {
			return
		}
		// The start time of older drafts is unknown to prompb.
		for i := range b.Samples {
			b.Samples[i].Start = 0
		}
		for i := range r.Timeseries {
			for k := range r.Timeseries[i].Samples {
				r.Timeseries[i].Samples[k].StartTimestamp = 0
			}
		}
		compare(t, "v2", &b, v2Oracle(&r))
	})
}

// FuzzHandler sends anything with any headers: the answer is one of those that senders understand.
func FuzzHandler(f *testing.F) {
	v1, v2 := marshal(f, kubernetesV1(2)), marshal(f, kubernetesV2(2))
	f.Add(snap(v1), typeV1, "snappy")
	f.Add(snap(v2), typeV2, "")
	f.Add(zst(v1), typeV1, "zstd")
	f.Add(zst(v2), `application/x-protobuf; proto="io.prometheus.write.v2.Request"`, "snappy")
	f.Add(frame(v1), "", "x")
	f.Fuzz(func(t *testing.T, body []byte, typ, encoding string) {
		m := &memory{}
		w := post(handler(m, Options{}), body, "Content-Type", typ, "Content-Encoding", encoding)
		n := written(w.Header())
		switch w.Code {
		case http.StatusNoContent:
			if w.Body.Len() > 0 {
				t.Errorf("204 with %q", w.Body)
			}
		case http.StatusBadRequest, http.StatusUnsupportedMediaType:
		default:
			t.Errorf("answer %d", w.Code)
		}
		if got := len(m.names); n != none && got != n[0]+n[1] {
			t.Errorf("%d samples written, headers %v", got, n)
		}
	})
}
