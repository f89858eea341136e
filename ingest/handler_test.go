package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"github.com/wrackline/wrackline/baseline/series"
)

// memory is an Appender that keeps what it is given and refuses what the engine would refuse: bad label sets and samples
// from the future.
type memory struct {
	mu    sync.Mutex
	raws  []Raw
	names []string // canonical label sets, one a sample or histogram
	err   error    // returned when set
	wait  chan struct{}
	calls atomic.Int64
}

func (m *memory) Append(ctx context.Context, raw *Raw, b *series.Batch) (res series.Result, err error) {
	m.calls.Add(1)
	if m.wait != nil {
		<-m.wait
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return res, m.err
	}
	r := *raw
	r.Body = bytes.Clone(raw.Body)
	m.raws = append(m.raws, r)
	for i, e := range b.Entries {
		n := int(e.SampleHi - e.SampleLo + e.HistHi - e.HistLo)
		l, err := b.Labels.AppendLabels(nil, i)
		if err == nil {
			l, err = series.Canonical(l)
		}
		if err != nil {
			res.Rejected += n
			if res.Reason == "" {
				res.Reason = err.Error()
			}
			continue
		}
		for _, s := range b.Samples[e.SampleLo:e.SampleHi] {
			if s.T > b.ReceivedMs+600_000 {
				res.Rejected++
				res.Reason = "timestamp is too far in the future"
				continue
			}
			res.Samples++
			m.names = append(m.names, l.String())
		}
		for range b.Histograms[e.HistLo:e.HistHi] {
			res.Histograms++
			m.names = append(m.names, l.String())
		}
	}
	return res, nil
}

const (
	typeV1 = "application/x-protobuf"
	typeV2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
)

func handler(m *memory, o Options) *Handler {
	o.Appender = m
	if o.Now == nil {
		o.Now = func() time.Time { return time.UnixMilli(now) }
	}
	return NewHandler(o)
}

// post sends body to h; headers are name, value, name, value …
func post(h http.Handler, body []byte, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/api/v1/write", bytes.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var up = lset("__name__", "up", "job", "a")

// written returns the three counts of the answer's headers; -1 = header not sent.
func written(h http.Header) [3]int {
	var out [3]int
	for i, kind := range []string{"Samples", "Histograms", "Exemplars"} {
		v := h.Values("X-Prometheus-Remote-Write-" + kind + "-Written")
		if len(v) == 0 {
			out[i] = -1
			continue
		}
		out[i], _ = strconv.Atoi(v[0])
	}
	return out
}

var (
	none  = [3]int{-1, -1, -1}
	zeros = [3]int{}
)

// TestProbes asks the rules of remote write 1.0 and 2.0, and some practice, one request each.
func TestProbes(t *testing.T) {
	v1, v2 := marshal(t, reqV1(one(up, now, 1))), marshal(t, reqV2(nil, up))
	okV1, okV2 := snap(v1), snap(v2)
	withExemplar := func(refs ...uint32) func(int, *writev2.TimeSeries, *writev2.SymbolsTable) {
		return func(_ int, s *writev2.TimeSeries, _ *writev2.SymbolsTable) {
			s.Exemplars = []writev2.Exemplar{{LabelsRefs: refs, Value: 1, Timestamp: now}}
		}
	}
	hist := func(edit func(h *writev2.Histogram)) []byte {
		return snap(marshal(t, reqV2(func(_ int, s *writev2.TimeSeries, _ *writev2.SymbolsTable) {
			h := intHistogram(now)
			edit(&h)
			s.Samples, s.Histograms = nil, []writev2.Histogram{h}
		}, up)))
	}
	edited := func(edit func(r *writev2.Request)) []byte {
		r := reqV2(nil, up, lset("__name__", "other"))
		edit(r)
		return snap(marshal(t, r))
	}
	badUTF8 := lset("__name__", "up", "x", "\xff\xfe")
	for _, c := range []struct {
		name    string
		body    []byte
		headers []string
		code    int
		written [3]int // samples, histograms, exemplars; sent as headers with 2.0
		reason  string // part of the error
	}{
		// Content types.
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
		// Encodings.
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
		// Metadata, exemplars, histograms.
		{"1.0 metadata alone", snap(marshal(t, &prompb.WriteRequest{Metadata: []prompb.MetricMetadata{{MetricFamilyName: "up"}}})), nil, 204, zeros, ""},
		{"exemplars are counted", snap(marshal(t, reqV2(withExemplar(1, 2), up))), []string{"Content-Type", typeV2}, 204, [3]int{1, 0, 1}, ""},
		{"exemplar with a reference outside", snap(marshal(t, reqV2(withExemplar(1, 99), up))), []string{"Content-Type", typeV2}, 400, [3]int{1, 0, 0}, "reference 99 of an exemplar"},
		{"exemplar with half a pair", snap(marshal(t, reqV2(withExemplar(1), up))), []string{"Content-Type", typeV2}, 400, [3]int{1, 0, 0}, "pairs"},
		{"65 exemplars of a series", snap(marshal(t, reqV2(func(_ int, s *writev2.TimeSeries, _ *writev2.SymbolsTable) {
			s.Exemplars = slices.Repeat([]writev2.Exemplar{{Value: 1, Timestamp: now}}, 65)
		}, up))), []string{"Content-Type", typeV2}, 400, [3]int{1, 0, 64}, "64 exemplars"},
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
		// Labels and references of 2.0.
		{"reference outside", edited(func(r *writev2.Request) { r.Timeseries[0].LabelsRefs[1] = 99 }), []string{"Content-Type", typeV2}, 400, [3]int{1, 0, 0}, "reference 99"},
		{"half a pair", edited(func(r *writev2.Request) { r.Timeseries[0].LabelsRefs = r.Timeseries[0].LabelsRefs[:3] }), []string{"Content-Type", typeV2}, 400, [3]int{1, 0, 0}, "pairs"},
		{"no labels", edited(func(r *writev2.Request) { r.Timeseries[0].LabelsRefs = nil }), []string{"Content-Type", typeV2}, 400, [3]int{1, 0, 0}, "no labels"},
		{"no samples", edited(func(r *writev2.Request) { r.Timeseries[0].Samples = nil }), []string{"Content-Type", typeV2}, 400, [3]int{1, 0, 0}, "neither samples nor histograms"},
		{"metadata with a reference outside", edited(func(r *writev2.Request) { r.Timeseries[0].Metadata.HelpRef = 99 }), []string{"Content-Type", typeV2}, 400, [3]int{2, 0, 0}, "symbol 99"},
		{"first symbol is not empty", edited(func(r *writev2.Request) { r.Symbols[0] = "x" }), []string{"Content-Type", typeV2}, 204, [3]int{2, 0, 0}, ""},
		{"start times of rc.4", edited(func(r *writev2.Request) { r.Timeseries[0].Samples[0].StartTimestamp = now - 1000 }), []string{"Content-Type", typeV2}, 204, [3]int{2, 0, 0}, ""},
		// Labels of 1.0, which the engine's own check refuses.
		{"nameless series", snap(marshal(t, reqV1(one(up, now, 1), one(lset("job", "a"), now, 1)))), nil, 400, [3]int{1, 0, 0}, "no metric name"},
		{"duplicate label", snap(marshal(t, reqV1(one(up, now, 1), one(lset("__name__", "up", "a", "1", "a", "2"), now, 1)))), nil, 400, [3]int{1, 0, 0}, "twice"},
		{"bad UTF-8", snap(marshal(t, reqV1(one(up, now, 1), one(badUTF8, now, 1)))), nil, 400, [3]int{1, 0, 0}, "UTF-8"},
		{"empty label name", snap(marshal(t, reqV1(one(up, now, 1), one(lset("__name__", "up", "", "1"), now, 1)))), nil, 400, [3]int{1, 0, 0}, "empty"},
		{"65 labels", snap(marshal(t, reqV1(one(up, now, 1), one(manyLabels(65), now, 1)))), nil, 400, [3]int{1, 0, 0}, "limit"},
		{"a label of 5,000 bytes", snap(marshal(t, reqV1(one(up, now, 1), one(lset("__name__", "up", "x", strings.Repeat("x", 5000)), now, 1)))), nil, 400, [3]int{1, 0, 0}, "limit"},
		{"unsorted labels", snap(marshal(t, reqV1(one(lset("z", "1", "__name__", "up", "a", "2"), now, 1)))), nil, 204, [3]int{1, 0, 0}, ""},
		{"an empty value is no label", snap(marshal(t, reqV1(one(lset("__name__", "up", "a", ""), now, 1)))), nil, 204, [3]int{1, 0, 0}, ""},
		// Values and times.
		{"stale marker", snap(marshal(t, reqV1(one(up, now, series.StaleNaN)))), nil, 204, [3]int{1, 0, 0}, ""},
		{"infinity", snap(marshal(t, reqV1(one(up, now, math.Inf(-1))))), nil, 204, [3]int{1, 0, 0}, ""},
		{"an hour ago", snap(marshal(t, reqV1(one(up, now-3_600_000, 1)))), nil, 204, [3]int{1, 0, 0}, ""},
		{"in eleven minutes", snap(marshal(t, reqV1(one(up, now, 1), one(up, now+660_000, 1)))), nil, 400, [3]int{1, 0, 0}, "future"},
		{"seconds instead of milliseconds", snap(marshal(t, reqV1(one(up, now, 1), one(up, now/1000, 1)))), nil, 400, [3]int{1, 0, 0}, "milliseconds"},
		{"no timestamp", snap(marshal(t, reqV1(one(up, 0, 1)))), nil, 400, zeros, "before 1971"},
	} {
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

func manyLabels(n int) series.Labels {
	l := lset("__name__", "up")
	for i := len(l); i < n; i++ {
		l = append(l, series.Label{Name: fmt.Sprintf("l%03d", i), Value: "x"})
	}
	return l
}

func frame(b []byte) []byte {
	var out bytes.Buffer
	w := snappy.NewBufferedWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func TestOnlyPost(t *testing.T) {
	h := handler(&memory{}, Options{})
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "/api/v1/write", nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
}

// TestVictoriaMetricsProbe: older vmagents ask before they send zstd.
func TestVictoriaMetricsProbe(t *testing.T) {
	w := httptest.NewRecorder()
	handler(&memory{}, Options{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/write?get_vm_proto_version=1", nil))
	if w.Code != http.StatusOK || w.Body.String() != "1" {
		t.Errorf("answer %d %q, want 200 and 1", w.Code, w.Body)
	}
}

func TestCredentials(t *testing.T) {
	body := snap(marshal(t, reqV1(one(up, now, 1))))
	m := &memory{}
	h := handler(m, Options{Tokens: []Token{{Token: "first", Sender: "a"}, {Token: "second", Sender: "b", Cluster: "prod"}}})
	for _, c := range []struct {
		header string
		code   int
	}{
		{"", 401}, {"Bearer", 401}, {"Bearer ", 401}, {"Bearer third", 401}, {"Basic first", 401}, {"first", 401}, {"Bearer First", 401},
		{"Bearer first", 204}, {"bearer second", 204},
	} {
		w := post(h, body, "Authorization", c.header)
		if w.Code != c.code || (c.code == 401) != (w.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("Authorization %q: %d, WWW-Authenticate %q; want %d", c.header, w.Code, w.Header().Get("WWW-Authenticate"), c.code)
		}
		if strings.Contains(w.Body.String(), "second") {
			t.Errorf("answer names a token: %s", w.Body)
		}
	}
	if len(m.raws) != 2 || m.raws[0].Sender != "a" || m.raws[0].Cluster != "" || m.raws[1].Sender != "b" || m.raws[1].Cluster != "prod" {
		t.Errorf("appended %+v", m.raws)
	}
}

func TestSenderAndCluster(t *testing.T) {
	body := snap(marshal(t, reqV1(one(up, now, 1))))
	for _, c := range []struct {
		query, remote   string
		code            int
		sender, cluster string
	}{
		{"", "10.1.2.3:4567", 204, "10.1.2.3", ""},
		{"", "[fd00::1]:4567", 204, "fd00::1", ""},
		{"?cluster=prod", "10.1.2.3:4567", 204, "10.1.2.3", "prod"},
		{"?cluster=prod&sender=prometheus-0", "10.1.2.3:4567", 204, "prometheus-0", "prod"},
		{"?cluster=a%0Ab", "10.1.2.3:4567", 400, "", ""},
		{"?sender=%ff", "10.1.2.3:4567", 400, "", ""},
		{"?sender=" + strings.Repeat("x", 200), "10.1.2.3:4567", 400, "", ""},
	} {
		m := &memory{}
		r := httptest.NewRequest(http.MethodPost, "/api/v1/write"+c.query, bytes.NewReader(body))
		r.RemoteAddr = c.remote
		w := httptest.NewRecorder()
		handler(m, Options{}).ServeHTTP(w, r)
		if w.Code != c.code || c.code == 204 && (m.raws[0].Sender != c.sender || m.raws[0].Cluster != c.cluster || m.raws[0].ReceivedMs != now) {
			t.Errorf("%s from %s: %d, %+v", c.query, c.remote, w.Code, m.raws)
		}
	}
}

// TestJournaledRequestDecodesAgain: what the Appender is given is enough to decode the request a second time, mislabelled
// bodies included.
func TestJournaledRequestDecodesAgain(t *testing.T) {
	v1, v2 := marshal(t, kubernetesV1(20)), marshal(t, kubernetesV2(20))
	for _, c := range []struct {
		body          []byte
		typ, encoding string
		wantP         Proto
		wantE         Encoding
	}{
		{snap(v1), typeV1, "snappy", V1, Snappy}, {zst(v1), typeV1, "zstd", V1, Zstd}, {zst(v1), typeV1, "snappy", V1, Zstd},
		{snap(v1), typeV1, "zstd", V1, Snappy}, {snap(v2), typeV2, "", V2, Snappy}, {zst(v2), typeV2, "zstd", V2, Zstd},
	} {
		m := &memory{}
		if w := post(handler(m, Options{}), c.body, "Content-Type", c.typ, "Content-Encoding", c.encoding); w.Code != 204 {
			t.Fatalf("answer %d %s", w.Code, w.Body)
		}
		raw := m.raws[0]
		if raw.Proto != c.wantP || raw.Encoding != c.wantE {
			t.Errorf("%s %s: journaled as %v, %v; want %v, %v", c.typ, c.encoding, raw.Proto, raw.Encoding, c.wantP, c.wantE)
		}
		b, info := mustDecode(t, NewDecoder(Limits{}), raw.Proto, raw.Encoding, raw.Body)
		if len(b.Entries) != 20 || info.Samples != 20 {
			t.Errorf("decoded again: %d entries, %+v", len(b.Entries), info)
		}
	}
}

// TestTooLargeIs400: some senders retry 413 for ever.
func TestTooLargeIs400(t *testing.T) {
	m := &memory{}
	h := handler(m, Options{Limits: Limits{BodyMax: 1000, DecodedMax: 5000, SeriesMax: 10, SamplesMax: 20}})
	for _, c := range []struct {
		name string
		body []byte
		code int
	}{
		{"body", bytes.Repeat([]byte("x"), 1001), 400},
		{"decoded snappy", snap(make([]byte, 5001)), 400},
		{"decoded zstd", zst(make([]byte, 5001)), 400},
		{"series", snap(marshal(t, reqV1(slices.Repeat([]prompb.TimeSeries{one(lset("__name__", "a"), now, 1)}, 11)...))), 400},
		{"samples", snap(marshal(t, reqV1(prompb.TimeSeries{Labels: labelsV1(up), Samples: slices.Repeat([]prompb.Sample{{Timestamp: now}}, 21)}))), 400},
		{"just so", snap(marshal(t, reqV1(prompb.TimeSeries{Labels: labelsV1(up), Samples: slices.Repeat([]prompb.Sample{{Timestamp: now}}, 20)}))), 204},
	} {
		if w := post(h, c.body); w.Code != c.code {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
		// The same without a length announced.
		r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(bytes.NewReader(c.body)))
		r.ContentLength = -1
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != c.code {
			t.Errorf("%s, length not announced: %d %s", c.name, w.Code, w.Body)
		}
	}
	if len(m.raws) != 2 {
		t.Errorf("%d requests were appended, want the 2 good ones", len(m.raws))
	}
}

// TestEveryTruncationIs400 cuts a real body, and a real message, at every byte.
func TestEveryTruncationIs400(t *testing.T) {
	for _, c := range []struct {
		typ string
		raw []byte
	}{{typeV1, marshal(t, kubernetesV1(6))}, {typeV2, marshal(t, kubernetesV2(6))}} {
		m := &memory{}
		h := handler(m, Options{})
		for name, whole := range map[string][]byte{"snappy": snap(c.raw), "zstd": zst(c.raw)} {
			for n := range whole {
				if w := post(h, whole[:n], "Content-Type", c.typ, "Content-Encoding", name); w.Code != 400 {
					t.Fatalf("%s %s cut at %d of %d: %d", c.typ, name, n, len(whole), w.Code)
				}
			}
		}
		for n := 1; n < len(c.raw); n++ {
			m.names = nil
			w := post(h, snap(c.raw[:n]), "Content-Type", c.typ)
			got := written(w.Header())
			// A message that ends between two fields is one that holds less; all others are refused.
			if w.Code != 204 && w.Code != 400 || w.Code == 204 && c.typ == typeV2 && got[0] != len(m.names) {
				t.Fatalf("%s message cut at %d of %d: %d, written %v", c.typ, n, len(c.raw), w.Code, got)
			}
			if w.Code == 204 && !boundary(c.raw, n) {
				t.Fatalf("%s message cut within a field at %d was taken", c.typ, n)
			}
		}
	}
}

// boundary reports whether a top-level field ends at n.
func boundary(b []byte, n int) bool {
	i := 0
	for i < n {
		tag, j := uvarint(b, i)
		i = skip(b, j, tag)
	}
	return i == n
}

// bomb is a message that asks for far more memory than it has bytes.
type bomb struct {
	name, typ string
	raw       []byte
}

func bombs() []bomb {
	const size = 2 << 20
	rep := func(b ...byte) []byte { return bytes.Repeat(b, size/len(b)) }
	wrap := func(tag byte, inner []byte) []byte {
		out := []byte{tag}
		n := len(inner)
		for ; n >= 0x80; n >>= 7 {
			out = append(out, byte(n)|0x80)
		}
		return append(append(out, byte(n)), inner...)
	}
	label := []byte{0x0a, 0x06, 0x0a, 0x01, 'a', 0x12, 0x01, 'b'}
	sample := []byte{0x12, 0x00}
	good := append([]byte{0x12, 7, 0x10}, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20)
	return []bomb{
		{"empty series", typeV1, rep(0x0a, 0)},
		{"empty series 2.0", typeV2, rep(0x2a, 0)},
		{"empty symbols", typeV2, rep(0x22, 0)},
		{"empty metadata", typeV1, rep(0x1a, 0)},
		{"series of empty labels", typeV1, wrap(0x0a, append(rep(0x0a, 0), good...))},
		{"series of empty samples", typeV1, wrap(0x0a, append(bytes.Clone(label), rep(sample...)...))},
		{"series of small samples", typeV1, wrap(0x0a, append(bytes.Clone(label), rep(good...)...))},
		{"series of empty histograms", typeV1, wrap(0x0a, append(bytes.Clone(label), rep(0x22, 0)...))},
		{"series of small histograms", typeV1, wrap(0x0a, append(bytes.Clone(label), rep(0x22, 7, 0x78, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20)...))},
		{"series of empty exemplars", typeV1, wrap(0x0a, append(bytes.Clone(label), rep(0x1a, 0)...))},
		{"series of empty exemplars 2.0", typeV2, append([]byte{0x22, 0}, wrap(0x2a, rep(0x22, 0))...)},
		{"series of references", typeV2, append([]byte{0x22, 0}, wrap(0x2a, wrap(0x0a, rep(0)))...)},
		{"series of unpacked references", typeV2, append([]byte{0x22, 0}, wrap(0x2a, rep(0x08, 0))...)},
		{"histogram of empty spans", typeV1, wrap(0x0a, append(bytes.Clone(label), wrap(0x22, rep(0x5a, 0))...))},
		{"histogram of deltas", typeV1, wrap(0x0a, append(bytes.Clone(label), wrap(0x22, wrap(0x62, rep(0)))...))},
		{"unknown fields", typeV1, rep(0x78, 0)},
	}
}

// cpuTime returns what this process has used.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestBombs: each is answered 400 at once, for little memory. prompb takes a gigabyte and seconds for some of them.
func TestBombs(t *testing.T) {
	for _, c := range bombs() {
		for _, e := range []Encoding{Snappy, Zstd} {
			body := compress(e, c.raw)
			// CPU time, the best of three: other work on the machine is none of the decoder's.
			var w *httptest.ResponseRecorder
			took, alloc := time.Hour, uint64(0)
			for range 3 {
				h := handler(&memory{}, Options{})
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				begin := cpuTime(t)
				w = post(h, body, "Content-Type", c.typ, "Content-Encoding", e.String())
				took = min(took, cpuTime(t)-begin)
				runtime.ReadMemStats(&after)
				// The decompressed message, the structures, what growing left behind, and what pools and recorder take at first.
				alloc = max(alloc, after.TotalAlloc-before.TotalAlloc)
			}
			if w.Code != 400 && c.name != "empty metadata" || took > 100*time.Millisecond && !raceEnabled || alloc > 10*uint64(len(c.raw)) {
				t.Errorf("%s, %s (%d bytes on the wire): %d %s in %v with %.1f MB allocated for a message of %.1f MB",
					c.name, e, len(body), w.Code, w.Body, took, float64(alloc)/1e6, float64(len(c.raw))/1e6)
			}
			t.Logf("%s, %s: %d B wire, %v, %.2f × the message allocated, %d", c.name, e, len(body), took, float64(alloc)/float64(len(c.raw)), w.Code)
		}
	}
}

// TestLyingHeaders: what a header announces is not believed beyond what the body can hold.
func TestLyingHeaders(t *testing.T) {
	for name, body := range map[string][]byte{
		"snappy": append([]byte{0x80, 0x80, 0x80, 0x10}, make([]byte, 30)...),              // 32 MiB
		"zstd":   {0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0x00, 0x00, 0x00, 0x02, 0x01, 0x00, 0x00}, // 32 MiB in one segment
		"zstd64": {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00, 0x00},
	} {
		var before, after runtime.MemStats
		h := handler(&memory{}, Options{})
		runtime.ReadMemStats(&before)
		w := post(h, body, "Content-Encoding", strings.TrimSuffix(name, "64"))
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; w.Code != 400 || n > 2<<20 {
			t.Errorf("%s: %d %s, %d bytes allocated", name, w.Code, w.Body, n)
		}
	}
}

// TestBusyIs503 with a time to come back: Prometheus drops what is answered 429.
func TestBusyIs503(t *testing.T) {
	body := snap(marshal(t, reqV1(one(up, now, 1))))
	for name, o := range map[string]Options{
		"starting": {Ready: func() bool { return false }},
		"busy":     {Appender: &memory{err: ErrBusy}},
		"storage":  {Appender: &memory{err: fmt.Errorf("%w: disk is full", ErrStorage)}},
		"other":    {Appender: &memory{err: errors.New("no idea")}},
	} {
		m := &memory{}
		if o.Appender != nil {
			m = o.Appender.(*memory)
		}
		for attempt := range 10 {
			w := post(handler(m, o), body, "Retry-Attempt", strconv.Itoa(attempt))
			n, err := strconv.Atoi(w.Header().Get("Retry-After"))
			if w.Code != http.StatusServiceUnavailable || err != nil || n < 1 || n > 30 || len(m.names) != 0 {
				t.Errorf("%s: %d, Retry-After %q, %s", name, w.Code, w.Header().Get("Retry-After"), w.Body)
			}
		}
	}
}

func TestRetryAfterGrows(t *testing.T) {
	for _, c := range []struct {
		attempt string
		random  float64
		want    int
	}{
		{"", 0, 1}, {"", 0.999, 2}, {"0", 0.5, 2}, {"1", 0.5, 4}, {"2", 0, 4}, {"2", 0.999, 11}, {"3", 0.5, 16}, {"9", 0.5, 30}, {"99999999999", 0.5, 30}, {"999999999999999999999", 0.5, 2}, {"-3", 0.5, 2}, {"x", 0.5, 2},
	} {
		if got := retryAfter(c.attempt, c.random); got != c.want {
			t.Errorf("retryAfter(%q, %v) = %d, want %d", c.attempt, c.random, got, c.want)
		}
	}
}

// TestGate: one request at a time is decoded here; those that wait too long are sent away, those that wait less are not.
func TestGate(t *testing.T) {
	body := snap(marshal(t, reqV1(one(up, now, 1))))
	m := &memory{wait: make(chan struct{})}
	h := handler(m, Options{Concurrency: 1, QueueWait: 20 * time.Millisecond})
	first := make(chan int)
	go func() { first <- post(h, body).Code }()
	for m.calls.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if w := post(h, body); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("second request: %d", w.Code)
	}
	h.queueWait = time.Minute
	third := make(chan int)
	go func() { third <- post(h, body).Code }()
	close(m.wait)
	if a, b := <-first, <-third; a != 204 || b != 204 {
		t.Errorf("first and third request: %d and %d", a, b)
	}
}

// TestSlowBodiesHoldNoDecoder: bodies that dribble in over real connections do not keep others out.
func TestSlowBodiesHoldNoDecoder(t *testing.T) {
	body := snap(marshal(t, kubernetesV1(100)))
	m := &memory{}
	srv := httptest.NewServer(handler(m, Options{Concurrency: 1, QueueWait: 50 * time.Millisecond}))
	defer srv.Close()
	var slow []net.Conn
	for range 8 {
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", len(body))
		_, _ = c.Write(body[:10])
	}
	for range 5 {
		resp, err := http.Post(srv.URL, typeV1, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 204 {
			t.Errorf("answer %d while others dribble", resp.StatusCode)
		}
	}
	aborted := bodiesAborted.Get()
	for _, c := range slow {
		_ = c.Close()
	}
	for begin := time.Now(); bodiesAborted.Get() < aborted+8; time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > 5*time.Second {
			t.Fatalf("%d of 8 aborted bodies were counted", bodiesAborted.Get()-aborted)
		}
	}
}

// TestBodyMemoryIsBounded: what waits to be decoded is charged, and given back.
func TestBodyMemoryIsBounded(t *testing.T) {
	h := handler(&memory{}, Options{Concurrency: 1, Limits: Limits{BodyMax: 1000}})
	h.bodies.used.Store(h.bodies.max - 10)
	body := snap(marshal(t, reqV1(one(up, now, 1))))
	if w := post(h, body); w.Code != 503 {
		t.Errorf("answer %d with the budget used up", w.Code)
	}
	if got := h.bodies.used.Load(); got != h.bodies.max-10 {
		t.Errorf("%d bytes are charged after the request, want %d", got, h.bodies.max-10)
	}
	h.bodies.used.Store(0)
	for range 20 {
		if w := post(h, body); w.Code != 204 {
			t.Errorf("answer %d", w.Code)
		}
	}
	if got := h.bodies.used.Load(); got != 0 {
		t.Errorf("%d bytes stay charged", got)
	}
}

// TestKeepAlive: refused requests leave the connection usable.
func TestKeepAlive(t *testing.T) {
	m := &memory{}
	srv := httptest.NewServer(handler(m, Options{}))
	defer srv.Close()
	body := snap(marshal(t, reqV1(one(up, now, 1))))
	conns := map[string]bool{}
	for i := range 12 {
		typ, want := typeV1, 204
		b := body
		switch i % 3 {
		case 1:
			typ, want = "text/plain", 415
		case 2:
			b, want = []byte("garbage"), 400
		}
		trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { conns[i.Conn.LocalAddr().String()] = true }}
		r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodPost, srv.URL, bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", typ)
		resp, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("request %d: %d, want %d", i, resp.StatusCode, want)
		}
	}
	if len(m.raws) != 4 || len(conns) != 1 {
		t.Errorf("%d requests were taken over %d connections, want 4 over 1", len(m.raws), len(conns))
	}
}

// TestManySendersAtOnce mixes protocols and faults under the race detector: every sample is counted once.
func TestManySendersAtOnce(t *testing.T) {
	m := &memory{}
	h := handler(m, Options{QueueWait: time.Minute})
	v1, v2 := snap(marshal(t, kubernetesV1(50))), snap(marshal(t, kubernetesV2(50)))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 0))
			for range 20 {
				switch rnd.IntN(3) {
				case 0:
					post(h, v1)
				case 1:
					post(h, v2, "Content-Type", typeV2)
				default:
					post(h, v1[:rnd.IntN(len(v1))])
				}
			}
		})
	}
	wg.Wait()
	if len(m.names) != 50*len(m.raws) || len(m.raws) == 0 {
		t.Errorf("%d samples of %d requests", len(m.names), len(m.raws))
	}
}

// TestLogsAreBounded: a sender that is wrong a thousand times fills no log.
func TestLogsAreBounded(t *testing.T) {
	var out bytes.Buffer
	h := handler(&memory{}, Options{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	for range 1000 {
		post(h, []byte("garbage\nlevel=ERROR msg=forged"))
	}
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Errorf("%d lines were logged:\n%.500s", n, &out)
	}
}
