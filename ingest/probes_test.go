package ingest

// The rules of remote write 1.0 and 2.0, and some practice, one request each.

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"github.com/wrackline/wrackline/baseline/series"
)

// probe is one request and its answer.
type probe struct {
	name    string
	body    []byte
	headers []string
	code    int
	written [3]int // samples, histograms, exemplars; sent as headers with 2.0
	reason  string // part of the error
}

// ask sends each probe to a handler of its own.
func ask(t *testing.T, probes []probe) {
	t.Helper()
	for _, c := range probes {
		t.Run(c.name, func(t *testing.T) {
			m := &memory{}
			w := post(handler(m, Options{}), c.body, c.headers...)
			want := none // 1.0 has no such headers
			if strings.Contains(strings.Join(c.headers, " "), "v2.Request") {
				want = c.written
			}
			if w.Code != c.code || written(w.Header()) != want {
				t.Errorf("answer %d, headers %v; want %d, %v; body %s", w.Code, written(w.Header()), c.code, want, w.Body)
			}
			if got := len(m.names); got != max(c.written[0], 0)+max(c.written[1], 0) {
				t.Errorf("%d samples were written, want %v", got, c.written)
			}
			if w.Code == 204 {
				if w.Body.Len() != 0 {
					t.Errorf("204 with body %q", w.Body)
				}
				return
			}
			var e struct{ Status, ErrorType, Error string }
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Status != "error" || e.ErrorType != "bad_data" ||
				!strings.Contains(e.Error, c.reason) || e.Error == "" || strings.Contains(e.Error, "\n") {
				t.Errorf("body %s; want a line with %q", w.Body, c.reason)
			}
		})
	}
}

// TestContentTypes says which message a body holds, before the body is looked at.
func TestContentTypes(t *testing.T) {
	okV1, okV2 := snap(marshal(t, reqV1(one(up, now, 1)))), snap(marshal(t, reqV2(nil, up)))
	ask(t, []probe{
		{"1.0, as old senders write it", okV1, []string{"Content-Type", typeV1, "Content-Encoding", "snappy"}, 204, [3]int{1, 0, 0}, ""},
		{"no content type is 1.0", okV1, nil, 204, [3]int{1, 0, 0}, ""},
		{"1.0 by name", okV1, []string{"Content-Type", "application/x-protobuf;proto=prometheus.WriteRequest"}, 204, [3]int{1, 0, 0}, ""},
		{"2.0", okV2, []string{"Content-Type", typeV2}, 204, [3]int{1, 0, 0}, ""},
		{"2.0 with spaces", okV2, []string{"Content-Type", "application/x-protobuf ; proto=io.prometheus.write.v2.Request"}, 204, [3]int{1, 0, 0}, ""},
		{"2.0 with a quoted value", okV2, []string{"Content-Type", `application/x-protobuf; proto="io.prometheus.write.v2.Request"`}, 204, [3]int{1, 0, 0}, ""},
		{"2.0 with capitals", okV2, []string{"Content-Type", "Application/X-Protobuf; PROTO=io.prometheus.write.v2.Request"}, 204, [3]int{1, 0, 0}, ""},
		{"other parameters are ignored", okV2, []string{"Content-Type", typeV2 + "; charset=utf-8"}, 204, [3]int{1, 0, 0}, ""},
		{"JSON", okV1, []string{"Content-Type", "application/json"}, 415, none, "Content-Type"},
		{"unknown message", okV1, []string{"Content-Type", "application/x-protobuf;proto=io.prometheus.write.v3.Request"}, 415, none, "proto"},
		{"the name alone", okV1, []string{"Content-Type", "proto=prometheus.WriteRequest"}, 415, none, "Content-Type"},
		{"two content types", okV1, []string{"Content-Type", typeV1, "Content-Type", typeV2}, 415, none, "Content-Type"},
		{"garbage parameters", okV1, []string{"Content-Type", "application/x-protobuf; proto"}, 415, none, "Content-Type"},
		{"type is checked before the body", []byte("garbage"), []string{"Content-Type", "text/plain"}, 415, none, ""},
		{"1.0 sent as 2.0", okV1, []string{"Content-Type", typeV2}, 400, zeros, "looks like a prometheus.WriteRequest"},
		{"2.0 sent as 1.0", okV2, []string{"Content-Type", typeV1}, 400, zeros, "looks like a io.prometheus.write.v2.Request"},
	})
}

// TestEncodings says how a body is compressed; what it really is decides.
func TestEncodings(t *testing.T) {
	v1 := marshal(t, reqV1(one(up, now, 1)))
	v2 := marshal(t, reqV2(nil, up))
	okV1 := snap(v1)
	ask(t, []probe{
		{"snappy in capitals", okV1, []string{"Content-Encoding", "SNAPPY"}, 204, [3]int{1, 0, 0}, ""},
		{"zstd of 1.0", zst(v1), []string{"Content-Encoding", "zstd", "X-VictoriaMetrics-Remote-Write-Version", "1"}, 204, [3]int{1, 0, 0}, ""},
		{"zstd of 2.0", zst(v2), []string{"Content-Type", typeV2, "Content-Encoding", "zstd"}, 204, [3]int{1, 0, 0}, ""},
		{"zstd called snappy", zst(v1), []string{"Content-Encoding", "snappy"}, 204, [3]int{1, 0, 0}, ""},
		{"snappy called zstd", okV1, []string{"Content-Encoding", "zstd"}, 204, [3]int{1, 0, 0}, ""},
		{"gzip", okV1, []string{"Content-Encoding", "gzip"}, 415, none, "Content-Encoding"},
		{"two encodings", okV1, []string{"Content-Encoding", "snappy, gzip"}, 415, none, "Content-Encoding"},
		{"encoding is checked before the body", []byte("garbage"), []string{"Content-Encoding", "br"}, 415, none, ""},
		{"framed snappy", frame(v1), nil, 400, zeros, "framed snappy"},
		{"not compressed", v1, nil, 400, zeros, "snappy"},
		{"garbage", []byte("\x10garbage in, nothing out"), nil, 400, zeros, "snappy"},
		{"truncated zstd", zst(bytes.Repeat(v1, 10))[:40], []string{"Content-Encoding", "zstd"}, 400, zeros, "zstd"},
		{"empty body", nil, nil, 400, zeros, "empty body"},
		{"empty message", snap(nil), nil, 204, zeros, ""},
		{"empty message of 2.0", snap(nil), []string{"Content-Type", typeV2}, 204, zeros, ""},
		{"compressed garbage", snap([]byte("garbage in, nothing out")), nil, 400, zeros, "malformed"},
		{"unknown fields only", snap([]byte{0x7a, 1, 'x'}), nil, 400, zeros, "holds nothing"},
		{"a group", snap(append([]byte{0x73, 0x74}, v1...)), nil, 400, zeros, "malformed"},
		{"an unknown field beside others", snap(append([]byte{0x7a, 1, 'x'}, v1...)), nil, 204, [3]int{1, 0, 0}, ""},
		{"a known field of the wrong type", snap(append([]byte{0x08, 1}, v1...)), nil, 400, zeros, "malformed"},
	})
}

// TestMetadataAndExemplars are counted and not kept.
func TestMetadataAndExemplars(t *testing.T) {
	withExemplar := func(refs ...uint32) func(int, *writev2.TimeSeries, *writev2.SymbolsTable) {
		return func(_ int, s *writev2.TimeSeries, _ *writev2.SymbolsTable) {
			s.Exemplars = []writev2.Exemplar{{LabelsRefs: refs, Value: 1, Timestamp: now}}
		}
	}
	ask(t, []probe{
		{"1.0 metadata alone", snap(marshal(t, &prompb.WriteRequest{Metadata: []prompb.MetricMetadata{{MetricFamilyName: "up"}}})), nil, 204, zeros, ""},
		{"exemplars are counted", snap(marshal(t, reqV2(withExemplar(1, 2), up))), []string{"Content-Type", typeV2}, 204, [3]int{1, 0, 1}, ""},
		{"exemplar with a reference outside", snap(marshal(t, reqV2(withExemplar(1, 99), up))), []string{"Content-Type", typeV2}, 400, [3]int{1, 0, 0}, "reference 99 of an exemplar"},
		{"exemplar with half a pair", snap(marshal(t, reqV2(withExemplar(1), up))), []string{"Content-Type", typeV2}, 400, [3]int{1, 0, 0}, "pairs"},
		{"65 exemplars of a series", snap(marshal(t, reqV2(func(_ int, s *writev2.TimeSeries, _ *writev2.SymbolsTable) {
			s.Exemplars = slices.Repeat([]writev2.Exemplar{{Value: 1, Timestamp: now}}, 65)
		}, up))), []string{"Content-Type", typeV2}, 400, [3]int{1, 0, 64}, "64 exemplars"},
	})
}

// TestHistograms are taken beside samples, and those that contradict themselves are not.
func TestHistograms(t *testing.T) {
	hist := func(edit func(h *writev2.Histogram)) []byte {
		return snap(marshal(t, reqV2(func(_ int, s *writev2.TimeSeries, _ *writev2.SymbolsTable) {
			h := intHistogram(now)
			edit(&h)
			s.Samples, s.Histograms = nil, []writev2.Histogram{h}
		}, up)))
	}
	ask(t, []probe{
		{"a histogram", hist(func(*writev2.Histogram) {}), []string{"Content-Type", typeV2}, 204, [3]int{0, 1, 0}, ""},
		{"samples and histograms", snap(marshal(t, reqV2(func(_ int, s *writev2.TimeSeries, _ *writev2.SymbolsTable) {
			s.Histograms = []writev2.Histogram{intHistogram(now)}
		}, up))), []string{"Content-Type", typeV2}, 204, [3]int{1, 1, 0}, ""},
		{"histogram of a schema nobody knows", hist(func(h *writev2.Histogram) { h.Schema = 9 }), []string{"Content-Type", typeV2}, 400, zeros, "schema 9"},
		{"histogram whose count is wrong", hist(func(h *writev2.Histogram) { h.Count = &writev2.Histogram_CountInt{CountInt: 14} }), []string{"Content-Type", typeV2}, 400, zeros, "15 observations, the count is 14"},
		{"histogram with spans for other buckets", hist(func(h *writev2.Histogram) { h.PositiveSpans[0].Length = 4_000_000_000 }), []string{"Content-Type", typeV2}, 400, zeros, "spans of 4000000001"},
		{"histogram with a negative bucket", hist(func(h *writev2.Histogram) { h.PositiveDeltas[1] = -9 }), []string{"Content-Type", typeV2}, 400, zeros, "negative"},
		{"histogram with 161 buckets", hist(func(h *writev2.Histogram) {
			h.PositiveSpans, h.PositiveDeltas = []writev2.BucketSpan{{Length: 161}}, append([]int64{1}, make([]int64, 160)...)
			h.Count = &writev2.Histogram_CountInt{CountInt: 165}
		}), []string{"Content-Type", typeV2}, 400, zeros, "160 buckets"},
		{"stale histogram", hist(func(h *writev2.Histogram) {
			*h = writev2.Histogram{Sum: series.StaleNaN, Timestamp: now}
		}), []string{"Content-Type", typeV2}, 204, [3]int{0, 1, 0}, ""},
	})
}

// TestReferences to the symbols of a 2.0 request.
func TestReferences(t *testing.T) {
	edited := func(edit func(r *writev2.Request)) []byte {
		r := reqV2(nil, up, lset("__name__", "other"))
		edit(r)
		return snap(marshal(t, r))
	}
	ask(t, []probe{
		{"reference outside", edited(func(r *writev2.Request) { r.Timeseries[0].LabelsRefs[1] = 99 }), []string{"Content-Type", typeV2}, 400, [3]int{1, 0, 0}, "reference 99"},
		{"half a pair", edited(func(r *writev2.Request) { r.Timeseries[0].LabelsRefs = r.Timeseries[0].LabelsRefs[:3] }), []string{"Content-Type", typeV2}, 400, [3]int{1, 0, 0}, "pairs"},
		{"no labels", edited(func(r *writev2.Request) { r.Timeseries[0].LabelsRefs = nil }), []string{"Content-Type", typeV2}, 400, [3]int{1, 0, 0}, "no labels"},
		{"no samples", edited(func(r *writev2.Request) { r.Timeseries[0].Samples = nil }), []string{"Content-Type", typeV2}, 400, [3]int{1, 0, 0}, "neither samples nor histograms"},
		{"metadata with a reference outside", edited(func(r *writev2.Request) { r.Timeseries[0].Metadata.HelpRef = 99 }), []string{"Content-Type", typeV2}, 400, [3]int{2, 0, 0}, "symbol 99"},
		{"first symbol is not empty", edited(func(r *writev2.Request) { r.Symbols[0] = "x" }), []string{"Content-Type", typeV2}, 204, [3]int{2, 0, 0}, ""},
		{"start times of rc.4", edited(func(r *writev2.Request) { r.Timeseries[0].Samples[0].StartTimestamp = now - 1000 }), []string{"Content-Type", typeV2}, 204, [3]int{2, 0, 0}, ""},
	})
}

// TestLabels of 1.0, which the engine's own check refuses.
func TestLabels(t *testing.T) {
	badUTF8 := lset("__name__", "up", "x", "\xff\xfe")
	ask(t, []probe{
		{"nameless series", snap(marshal(t, reqV1(one(up, now, 1), one(lset("job", "a"), now, 1)))), nil, 400, [3]int{1, 0, 0}, "no metric name"},
		{"duplicate label", snap(marshal(t, reqV1(one(up, now, 1), one(lset("__name__", "up", "a", "1", "a", "2"), now, 1)))), nil, 400, [3]int{1, 0, 0}, "twice"},
		{"bad UTF-8", snap(marshal(t, reqV1(one(up, now, 1), one(badUTF8, now, 1)))), nil, 400, [3]int{1, 0, 0}, "UTF-8"},
		{"empty label name", snap(marshal(t, reqV1(one(up, now, 1), one(lset("__name__", "up", "", "1"), now, 1)))), nil, 400, [3]int{1, 0, 0}, "empty"},
		{"65 labels", snap(marshal(t, reqV1(one(up, now, 1), one(manyLabels(65), now, 1)))), nil, 400, [3]int{1, 0, 0}, "limit"},
		{"a label of 5,000 bytes", snap(marshal(t, reqV1(one(up, now, 1), one(lset("__name__", "up", "x", strings.Repeat("x", 5000)), now, 1)))), nil, 400, [3]int{1, 0, 0}, "limit"},
		{"unsorted labels", snap(marshal(t, reqV1(one(lset("z", "1", "__name__", "up", "a", "2"), now, 1)))), nil, 204, [3]int{1, 0, 0}, ""},
		{"an empty value is no label", snap(marshal(t, reqV1(one(lset("__name__", "up", "a", ""), now, 1)))), nil, 204, [3]int{1, 0, 0}, ""},
	})
}

// TestValuesAndTimes of samples.
func TestValuesAndTimes(t *testing.T) {
	ask(t, []probe{
		{"stale marker", snap(marshal(t, reqV1(one(up, now, series.StaleNaN)))), nil, 204, [3]int{1, 0, 0}, ""},
		{"infinity", snap(marshal(t, reqV1(one(up, now, math.Inf(-1))))), nil, 204, [3]int{1, 0, 0}, ""},
		{"an hour ago", snap(marshal(t, reqV1(one(up, now-3_600_000, 1)))), nil, 204, [3]int{1, 0, 0}, ""},
		{"in eleven minutes", snap(marshal(t, reqV1(one(up, now, 1), one(up, now+660_000, 1)))), nil, 400, [3]int{1, 0, 0}, "ahead"},
		{"seconds instead of milliseconds", snap(marshal(t, reqV1(one(up, now, 1), one(up, now/1000, 1)))), nil, 400, [3]int{1, 0, 0}, "milliseconds"},
		{"no timestamp", snap(marshal(t, reqV1(one(up, 0, 1)))), nil, 400, zeros, "before 1971"},
	})
}
