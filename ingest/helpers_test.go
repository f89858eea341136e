package ingest

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"github.com/wrackline/wrackline/baseline/series"
)

// now is the time of all samples in tests: 2026-08-01 00:00 UTC.
const now = int64(1_785_542_400_000)

func snap(b []byte) []byte { return snappy.Encode(nil, b) }

func zst(b []byte) []byte {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		panic(err)
	}
	return w.EncodeAll(b, nil)
}

func marshal(t testing.TB, m interface{ Marshal() ([]byte, error) }) []byte {
	t.Helper()
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// lset makes labels of name, value, name, value …
func lset(s ...string) series.Labels {
	var l series.Labels
	for i := 0; i+1 < len(s); i += 2 {
		l = append(l, series.Label{Name: s[i], Value: s[i+1]})
	}
	return l
}

func labelsV1(l series.Labels) []prompb.Label {
	out := make([]prompb.Label, 0, len(l))
	for _, x := range l {
		out = append(out, prompb.Label{Name: x.Name, Value: x.Value})
	}
	return out
}

func refs(t *writev2.SymbolsTable, l series.Labels) []uint32 {
	var out []uint32
	for _, x := range l {
		out = append(out, t.Symbolize(x.Name), t.Symbolize(x.Value))
	}
	return out
}

// seriesV1 is one series of a 1.0 request with one sample.
func one(l series.Labels, t int64, v float64) prompb.TimeSeries {
	return prompb.TimeSeries{Labels: labelsV1(l), Samples: []prompb.Sample{{Timestamp: t, Value: v}}}
}

func reqV1(s ...prompb.TimeSeries) *prompb.WriteRequest { return &prompb.WriteRequest{Timeseries: s} }

// reqV2 makes a 2.0 request of labels with one sample each; edit may change each series.
func reqV2(edit func(i int, s *writev2.TimeSeries, t *writev2.SymbolsTable), ls ...series.Labels) *writev2.Request {
	t := writev2.NewSymbolTable()
	r := &writev2.Request{}
	for i, l := range ls {
		s := writev2.TimeSeries{LabelsRefs: refs(&t, l), Samples: []writev2.Sample{{Timestamp: now, Value: float64(i)}}}
		if edit != nil {
			edit(i, &s, &t)
		}
		r.Timeseries = append(r.Timeseries, s)
	}
	r.Symbols = t.Symbols()
	return r
}

// kubernetes makes n label sets as a cluster's exporters write them: cAdvisor, kube-state-metrics, request buckets, nodes.
func kubernetes(n int) []series.Labels {
	rnd := rand.New(rand.NewPCG(7, 7))
	hex := func(k int) string {
		const digits = "0123456789abcdef"
		b := make([]byte, k)
		for i := range b {
			b[i] = digits[rnd.IntN(16)]
		}
		return string(b)
	}
	les := []string{"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"}
	out := make([]series.Labels, 0, n)
	var pod, ns, node, id, uid string
	for i := range n {
		if i%8 == 0 {
			ns = fmt.Sprintf("team-%d", rnd.IntN(20))
			pod = fmt.Sprintf("service-%d-%s-%s", rnd.IntN(60), hex(10), hex(5))
			node = fmt.Sprintf("ip-10-0-%d-%d.eu-west-1.compute.internal", rnd.IntN(4), rnd.IntN(250))
			id, uid = hex(64), hex(8)+"-"+hex(4)+"-"+hex(4)+"-"+hex(4)+"-"+hex(12)
		}
		switch i % 8 {
		case 0, 1, 2:
			out = append(out, lset("__name__", []string{"container_cpu_usage_seconds_total", "container_memory_working_set_bytes", "container_fs_writes_bytes_total"}[i%8],
				"container", "app", "endpoint", "https-metrics", "id", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"+uid+".slice/cri-containerd-"+id+".scope",
				"image", "registry.example.com/team/app:v1.27.3", "instance", node+":10250", "job", "kubelet", "metrics_path", "/metrics/cadvisor",
				"name", id, "namespace", ns, "node", node, "pod", pod, "service", "kubelet"))
		case 3, 4:
			out = append(out, lset("__name__", []string{"kube_pod_container_status_restarts_total", "kube_pod_status_ready"}[i%8-3], "container", "app",
				"endpoint", "http", "instance", "10.2.3.4:8080", "job", "kube-state-metrics", "namespace", ns, "pod", pod, "service", "kube-state-metrics", "uid", uid))
		case 5, 6:
			out = append(out, lset("__name__", "http_request_duration_seconds_bucket", "code", "200", "endpoint", "metrics", "handler", "/api/v1/things",
				"instance", node+":8080", "job", "app", "le", les[rnd.IntN(len(les))], "method", "GET", "namespace", ns, "pod", pod, "service", "app"))
		default:
			out = append(out, lset("__name__", "node_cpu_seconds_total", "container", "node-exporter", "cpu", fmt.Sprint(rnd.IntN(64)), "endpoint", "metrics",
				"instance", node+":9100", "job", "node-exporter", "mode", "idle", "namespace", "monitoring", "pod", "node-exporter-"+hex(5), "service", "node-exporter"))
		}
	}
	return out
}

// counterValue is a value as a counter has it; some are zero.
func counterValue(i int) float64 {
	if i%4 == 0 {
		return 0
	}
	return float64(i)*1234.5678 + 0.25
}

func kubernetesV1(n int) *prompb.WriteRequest {
	r := &prompb.WriteRequest{}
	for i, l := range kubernetes(n) {
		r.Timeseries = append(r.Timeseries, one(l, now+int64(i%1000), counterValue(i)))
	}
	return r
}

func kubernetesV2(n int) *writev2.Request {
	r := reqV2(nil, kubernetes(n)...)
	for i := range r.Timeseries {
		r.Timeseries[i].Samples[0] = writev2.Sample{Timestamp: now + int64(i%1000), Value: counterValue(i)}
	}
	return r
}

// intHistogram is a valid native histogram, as 2.0 has it.
func intHistogram(t int64) writev2.Histogram {
	return writev2.Histogram{
		Count: &writev2.Histogram_CountInt{CountInt: 15}, Sum: 42.5, Schema: 2, ZeroThreshold: 1e-128,
		ZeroCount:      &writev2.Histogram_ZeroCountInt{ZeroCountInt: 2},
		PositiveSpans:  []writev2.BucketSpan{{Offset: -2, Length: 2}, {Offset: 3, Length: 1}},
		PositiveDeltas: []int64{3, -1, 4}, // 3, 2, 6
		NegativeSpans:  []writev2.BucketSpan{{Offset: 1, Length: 1}},
		NegativeDeltas: []int64{2},
		ResetHint:      writev2.Histogram_RESET_HINT_YES, Timestamp: t,
	}
}

func sameFloat(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

// mustDecode decodes or fails the test.
func mustDecode(t testing.TB, d *Decoder, p Proto, e Encoding, body []byte) (series.Batch, Info) {
	t.Helper()
	var b series.Batch
	info, err := d.Decode(p, e, body, &b)
	if err != nil {
		t.Fatalf("Decode: %v", err)
	}
	return b, info
}

// memory is an Appender that keeps what it is given.
type memory struct {
	mu    sync.Mutex
	raws  []Raw
	names []string // canonical label sets, one a sample or histogram; those that the fold would refuse are left out
	err   error    // returned when set
	wait  chan struct{}
	calls atomic.Int64
	held  atomic.Int64 // batches that are not done
	keep  bool         // they are never done
}

func (m *memory) Append(ctx context.Context, raw *Raw, b *series.Batch, done func()) error {
	m.calls.Add(1)
	m.held.Add(1)
	if !m.keep {
		defer m.held.Add(-1)
		defer done()
	}
	if m.wait != nil {
		<-m.wait
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	r := *raw
	r.Body = bytes.Clone(raw.Body)
	m.raws = append(m.raws, r)
	for i, e := range b.Entries {
		l, err := b.Labels.AppendLabels(nil, i)
		if err == nil {
			l, err = series.Canonical(l)
		}
		if err != nil {
			continue
		}
		for _, x := range b.Samples[e.SampleLo:e.SampleHi] {
			if x.T <= b.ReceivedMs+series.FutureMs {
				m.names = append(m.names, l.String())
			}
		}
		for range e.HistHi - e.HistLo {
			m.names = append(m.names, l.String())
		}
	}
	return nil
}

const (
	typeV1 = "application/x-protobuf"
	typeV2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
)

func handler(m *memory, o Options) *Handler {
	o.Appender = m
	if o.Clock == nil {
		o.Clock = NewClock(func() time.Time { return time.UnixMilli(now) }, nil)
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

// within waits for what must happen. Its deadline is for what never does.
func within(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for begin := time.Now(); !happened(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatalf("a minute went by before %s", what)
		}
	}
}
