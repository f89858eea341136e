package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/prometheus/prompb/io/prometheus/client"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest"
)

// The recordings under testdata are what Debian's Prometheus 2.42 sent: one that scrapes itself and a node exporter, with the printed
// remote_write block, and one that scrapes native histograms. make recording makes new ones.
const (
	prometheusRecording = "testdata/prometheus.rec"
	nativeRecording     = "testdata/prometheus-native.rec"
)

// recordedHost is what the recordings say in place of the machine's own names.
const recordedHost = "node-1"

// TestRecordPrometheus makes the recordings anew. It takes WRACKLINE_RECORD, a duration, and a recording is no good below four minutes.
func TestRecordPrometheus(t *testing.T) {
	span, err := time.ParseDuration(os.Getenv("WRACKLINE_RECORD"))
	if err != nil {
		t.Skip("make recording makes the recordings anew")
	}
	exporter, prom, native := freeAddress(t), freeAddress(t), freeAddress(t)
	program(t, "prometheus-node-exporter", "--web.listen-address="+exporter, "--collector.filesystem.mount-points-exclude=^/.+")
	code, block, errs := run(t, "packs", "remote-write-config", "--url", recordRequests(t, prometheusRecording).URL)
	if code != exitOK {
		t.Fatalf("remote-write-config: %s", errs)
	}
	// What the machine is called and which kernel it runs is nobody's business.
	for _, name := range []string{"nodename", "release", "version", "domainname"} {
		block += fmt.Sprintf("      - {source_labels: [__name__], regex: node_uname_info, target_label: %s, replacement: %s}\n", name, recordedHost)
	}
	program(t, "prometheus", "--config.file="+file(t, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 15s}
scrape_configs:
- job_name: prometheus
  static_configs: [{targets: [%q]}]
- job_name: node
  static_configs: [{targets: [%q]}]
%s`, prom, exporter, block)), "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+prom)

	h := httptest.NewServer(latencies(time.Now()))
	t.Cleanup(h.Close)
	program(t, "prometheus", "--enable-feature=native-histograms", "--config.file="+file(t, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 15s}
scrape_configs:
- job_name: anything
  static_configs: [{targets: [%q]}]
remote_write:
- {url: %q, send_native_histograms: true}
`, h.Listener.Addr(), recordRequests(t, nativeRecording).URL)), "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+native)
	awaitListens(t, prom)
	t.Logf("recording for %s", span)
	time.Sleep(span)
}

// recordRequests records what arrives until the test ends, as the door would take it.
func recordRequests(t *testing.T, name string) *httptest.Server {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := scenario.NewRecorder(f)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // guards rec and closed
	closed := false
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if closed {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if err == nil {
			err = rec.WriteRecord(scenario.Record{ReceivedMs: time.Now().UnixMilli(), Sender: "127.0.0.1", Proto: uint8(ingest.V1), Encoding: uint8(ingest.Snappy), Body: body})
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(func() {
		mu.Lock()
		closed = true
		if err := rec.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := f.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		mu.Unlock()
		h.Close()
	})
	return h
}

// latencies is a target that answers 50 lookups a second, of which latency is distributed exponentially with a mean of recordedMean. It
// shows CoreDNS's histogram in both forms, as CoreDNS does: Prometheus takes the native one and leaves the buckets.
func latencies(begun time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept"), "application/vnd.google.protobuf") {
			http.Error(w, "want protobuf, the only format with native histograms", http.StatusNotAcceptable)
			return
		}
		all := 1000 + 50*time.Since(begun).Seconds()
		below := func(v float64) uint64 { return uint64(all * -math.Expm1(-v/recordedMean)) }
		const schema, low, high = 3, -104, 8 // from 2^-13 s to 2 s, eight buckets to each power of two
		h := &dto.Histogram{SampleCount: below(2), SampleSum: all * recordedMean, Schema: schema, ZeroThreshold: math.Exp2(low / 8.)}
		h.ZeroCount = below(h.ZeroThreshold)
		h.PositiveSpan = []dto.BucketSpan{{Offset: low + 1, Length: high - low}}
		for i, last := low+1, int64(0); i <= high; i++ {
			n := int64(below(math.Exp2(float64(i)/8)) - below(math.Exp2(float64(i-1)/8)))
			h.PositiveDelta = append(h.PositiveDelta, n-last)
			last = n
		}
		for _, le := range []float64{0.005, 0.02, 0.1, 0.5, 2} {
			h.Bucket = append(h.Bucket, dto.Bucket{UpperBound: le, CumulativeCount: below(le)})
		}
		f := dto.MetricFamily{Name: "coredns_dns_request_duration_seconds", Type: dto.MetricType_HISTOGRAM, Metric: []dto.Metric{{Histogram: h}}}
		b, err := f.Marshal()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited")
		w.Write(append(binary.AppendUvarint(nil, uint64(len(b))), b...))
	})
}

// recordedMean is the mean latency of the native recording, in seconds. Of an exponential distribution the p99 is 4.6 means.
const recordedMean = 0.02

// recorded reads a recording: its requests, and the series by metric.
func recorded(t *testing.T, name string) (requests []scenario.Record, all map[string][]series.Labels) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, all := ingest.NewDecoder(ingest.Limits{}), map[string][]series.Labels{}
	err = scenario.ReadRecording(f, func(r scenario.Record) error {
		var b series.Batch
		if _, err := d.Decode(ingest.Proto(r.Proto), ingest.Encoding(r.Encoding), r.Body, &b); err != nil {
			return err
		}
		for i := range b.Entries {
			l, err := b.Labels.AppendLabels(nil, i)
			if err != nil {
				return err
			}
			all[l.Get(series.NameLabel)] = append(all[l.Get(series.NameLabel)], l)
		}
		r.Body = bytes.Clone(r.Body)
		requests = append(requests, r)
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return requests, all
}

// play puts a recording through the real engine and returns it with the values of every signal.
func play(t *testing.T, name string) (*offline, map[string][]float64) {
	t.Helper()
	values := map[string][]float64{}
	o, err := newOffline(defaultConfig(), func(b baseline.Batch) {
		for i := range b.Verdicts {
			values[b.Verdicts[i].Signal.ID] = append(values[b.Verdicts[i].Signal.ID], b.Verdicts[i].Value)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := replayRecording(t.Context(), env{stdout: io.Discard, stderr: io.Discard}, o, defaultConfig(), name); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	o.engine.Publish()
	return o, values
}

// TestPrometheusRecording holds that of what a real Prometheus with a node exporter sends, every rule of the packs prom, node and net either
// makes observations or says which metrics it waits for.
func TestPrometheusRecording(t *testing.T) {
	_, received := recorded(t, prometheusRecording)
	o, values := play(t, prometheusRecording)
	st := o.engine.Stats()
	if lost := st.Refused + st.OutOfOrder + st.Late + st.Future + st.BadSeries; lost > 0 || len(st.Clusters) != 1 || st.Clusters[0].WindowsClosed < 8 {
		t.Errorf("%d samples lost, clusters %+v", lost, st.Clusters)
	}
	observing, dormant := map[string]int{}, 0
	for _, r := range st.Rules {
		pack := r.Rule.Pack
		if pack != "prom" && pack != "node" && pack != "net" {
			continue
		}
		if r.Form < 0 {
			dormant++
			if len(r.Missing) == 0 {
				t.Errorf("%s is dormant and does not say why", r.Rule.Name)
			}
			for _, m := range r.Missing {
				if received[m] != nil {
					t.Errorf("%s waits for %s, which is there", r.Rule.Name, m)
				}
			}
			continue
		}
		n := 0
		for id, v := range values {
			if name, _, _ := strings.Cut(id, "~"); name == r.Rule.Name {
				n += len(v)
			}
		}
		switch {
		case n > 0:
			observing[pack]++
		case r.Rule.MinEvents > 0: // an idle machine sends too few packets for a share of them
		case r.Series == 0: // the metrics are there, but of other series than it asks
		default:
			t.Errorf("%s matches %d series and observes nothing", r.Rule.Name, r.Series)
		}
	}
	if observing["prom"] < 6 || observing["node"] < 10 || observing["net"] < 4 || dormant < 10 {
		t.Errorf("rules that observe: %v, dormant %d", observing, dormant)
	}
	t.Logf("rules that observe: %v, dormant %d, %d signals", observing, dormant, st.Signals)

	for name, between := range map[string][2]float64{"node.cpu": {0, 1}, "node.mem_available": {0.01, 1}, "node.fs_free": {0.001, 1}, "net.conntrack_fill": {0, 1}} {
		found := false
		for id, v := range values {
			if rule, _, _ := strings.Cut(id, "~"); rule != name {
				continue
			}
			found = true
			for _, x := range v {
				if x < between[0] || x > between[1] {
					t.Errorf("%s is %g, want %g to %g", id, x, between[0], between[1])
				}
			}
		}
		if !found {
			t.Errorf("no signal of %s", name)
		}
	}
	for _, id := range []string{"prom.targets_up~cluster=default~job=node", "prom.targets_up~cluster=default~job=prometheus"} {
		if v := values[id]; len(v) < 8 || slices.Max(v) != 1 || slices.Min(v) != 1 {
			t.Errorf("%s: %v", id, v)
		}
	}
}

// TestNativeRecording holds that a native histogram, as a real Prometheus sends it, gives the quantile that its target has: packs name the
// buckets, of which none arrives.
func TestNativeRecording(t *testing.T) {
	_, received := recorded(t, nativeRecording)
	if received["coredns_dns_request_duration_seconds"] == nil || received["coredns_dns_request_duration_seconds_bucket"] != nil {
		t.Fatal("the recording is not of a native histogram alone")
	}
	_, values := play(t, nativeRecording)
	got, want := values["dns.latency_p99~cluster=default"], recordedMean*math.Log(100)
	if len(got) < 7 {
		t.Fatalf("p99: %v", got)
	}
	for _, v := range got {
		if math.Abs(v-want) > 0.05*want { // a bucket is 9 % wide
			t.Errorf("p99 %g, want %g", v, want)
		}
	}
}

// TestRecordingsNameNobody holds that the recordings in the repository say nothing of the machine that they were made on.
func TestRecordingsNameNobody(t *testing.T) {
	allowed := map[string]*regexp.Regexp{
		"instance": regexp.MustCompile(`^127\.0\.0\.1:\d+$`), "url": regexp.MustCompile(`^http://127\.0\.0\.1:\d+/api/v1/write$`), "mountpoint": regexp.MustCompile(`^/$`),
		"device": regexp.MustCompile(`^(/dev/)?[a-z]+[0-9a-z]*$`), "nodename": regexp.MustCompile("^" + recordedHost + "$"),
		"": regexp.MustCompile(`^([a-z0-9_-]*|Linux)$`),
	}
	for _, name := range []string{prometheusRecording, nativeRecording} {
		if info, err := os.Stat(name); err != nil || info.Size() > 500_000 {
			t.Errorf("%s: %v, want at most 500 kB", name, err)
		}
		_, all := recorded(t, name)
		for metric, sets := range all {
			for _, l := range sets {
				for _, x := range l {
					re := allowed[x.Name]
					if re == nil {
						re = allowed[""]
					}
					if x.Name != series.NameLabel && !re.MatchString(x.Value) {
						t.Fatalf("%s: %s has %s=%q", name, metric, x.Name, x.Value)
					}
				}
			}
		}
	}
}

// newHostileCluster is a server whose names are commands for a terminal.
func newHostileCluster(t *testing.T) string {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"status":"success","data":{"pack":"a","exprs":["\u001b"],"clusters":[{"cluster":"\u001b[2Jx","form":-1,"missing":["\u0007y"]}]}}`)
	}))
	t.Cleanup(h.Close)
	return h.URL
}

// TestExplain holds that packs explain says the same of a recording and of a server that received it: series, signals, missing metrics.
func TestExplain(t *testing.T) {
	p := start(t, "serve", "--storage.path", t.TempDir(), "--web.listen-address", "127.0.0.1:0",
		"--config.file", file(t, "w.yml", "track: [{name: only.here, match: up, by: [cluster, job]}]\n"))
	p.awaitReady()
	requests, _ := recorded(t, prometheusRecording)
	for _, r := range requests {
		if status, text := p.write("", r.Body); status != http.StatusNoContent {
			t.Fatalf("write: status %d: %s", status, text)
		}
	}
	p.settle()
	of := func(args ...string) string {
		code, out, errs := run(t, append([]string{"packs", "explain"}, args...)...)
		if code != exitOK {
			t.Fatalf("explain %v: code %d, %s", args, code, errs)
		}
		return out
	}
	played, asked := of("--recording", prometheusRecording, "node.cpu", "dns.servfail_ratio"), of("--server", p.url, "node.cpu", "dns.servfail_ratio")
	if played != asked {
		t.Errorf("a recording:\n%s\na server that got it:\n%s", played, asked)
	}
	for _, want := range []string{
		"node.cpu — ", "cluster default: form 1, 1 signal", "    node_cpu_seconds_total{", " alive, newest sample 2", "    node.cpu~cluster=default~node=",
		"cluster default: dormant, not received: coredns_dns_responses_total",
	} {
		if !strings.Contains(asked, want) {
			t.Errorf("explain does not say %q:\n%s", want, asked)
		}
	}
	bad := newHostileCluster(t)
	if out := of("--server", bad, "node.cpu"); strings.ContainsAny(out, "\x1b\a") || !strings.Contains(out, "cluster  [2Jx: dormant, not received:  y") {
		t.Errorf("a hostile server:\n%q", out)
	}
	// All rules, a line each.
	lines := func(out string) []string {
		l := slices.DeleteFunc(strings.Split(strings.TrimSpace(regexp.MustCompile(` +`).ReplaceAllString(out, " ")), "\n"), func(x string) bool {
			return strings.HasPrefix(x, "only.here ") || strings.HasSuffix(x, " dormant") && strings.Contains(x, " rules active, ")
		})
		slices.Sort(l)
		return l
	}
	offline, online := lines(of("--recording", prometheusRecording)), lines(of("--server", p.url))
	if !slices.Equal(offline, online) || len(online) < 60 {
		t.Errorf("a recording:\n%s\na server that got it:\n%s", strings.Join(offline, "\n"), strings.Join(online, "\n"))
	}
	// A server may have rules that the packs here do not.
	if out := of("--server", p.url, "only.here"); !strings.Contains(out, "pack track, which only the server has") || !strings.Contains(out, "    sum by (cluster, job) (up)\n") ||
		!strings.Contains(out, "    only.here~cluster=default~job=node\n") {
		t.Errorf("a rule of the server:\n%s", out)
	}
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{exitUsage, "not both", []string{"--server", p.url, "--recording", prometheusRecording, "node.cpu"}},
		{exitUsage, "want http://HOST:PORT", []string{"--server", "localhost:9099", "node.cpu"}},
		{exitUsage, "--server or --recording", nil},
		{exitFailure, "connection refused", []string{"--server", "http://127.0.0.1:1"}},
		{exitFailure, "no rule of this name", []string{"--server", p.url, "no.such"}},
		{exitFailure, "no signal is called", []string{"no.such"}},
		{exitFailure, "no answer of Wrackline's API", []string{"--server", p.url + "/metrics/", "node.cpu"}},
	} {
		code, _, errs := run(t, append([]string{"packs", "explain"}, c.args...)...)
		if code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("explain %v: code %d, %q; want %d and %q", c.args, code, errs, c.code, c.says)
		}
	}
}
