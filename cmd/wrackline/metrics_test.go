package main

import (
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/golang/snappy"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/prompb"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest"
)

// inSource finds names of metrics in source text: those that are written as one word.
var inSource = regexp.MustCompile("[\"`](wrackline_[a-z0-9_]*[a-z0-9])[{\"`]")

// TestEveryMetricIsExplained: what the program counts has a help text and a type, whether or not it was counted by now; and nothing is explained that is not counted.
func TestEveryMetricIsExplained(t *testing.T) {
	root := os.DirFS(filepath.Join("..", ".."))
	counted := map[string]string{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "baseline/packtest/") { // what is only measured in tests
			return err
		}
		src, err := fs.ReadFile(root, name)
		for _, m := range inSource.FindAllStringSubmatch(string(src), -1) {
			if !strings.HasPrefix(m[1], "wrackline_own_") && name != "query/source.go" && !strings.HasPrefix(name, "query/boards/") { // what rules read and what queries are answered with, which are no metrics of the process
				counted[m[1]] = name
			}
		}
		if strings.HasPrefix(name, "alerting/notify/") {
			for _, m := range regexp.MustCompile(`count\("(\w+)"`).FindAllStringSubmatch(string(src), -1) {
				counted["wrackline_notify_messages_"+m[1]+"_total"] = name
			}
		}
		return err
	})
	if err != nil || len(counted) < 60 {
		t.Fatalf("%d metrics found: %v", len(counted), err)
	}
	for name, file := range counted {
		if a := abouts[name]; a.kind == "" || len(a.help) < 10 || !strings.HasSuffix(a.help, ".") {
			t.Errorf("%s of %s has no line, or half a line, in metrics_help.go", name, file)
		}
	}
	for name, a := range abouts {
		if strings.HasPrefix(name, "wrackline_") && counted[name] == "" && !strings.HasPrefix(name, "wrackline_signal_") && !strings.HasPrefix(name, "wrackline_alerting_notifications_emitted") {
			t.Errorf("%s is explained, and counted nowhere", name)
		}
		if a.kind == "counter" != strings.HasSuffix(name, "_total") && strings.HasPrefix(name, "wrackline_") {
			t.Errorf("%s is a %s by its line and not by its name", name, a.kind)
		}
	}
}

// TestMetricsAreTheTextFormat: a strict reader takes all of it, each family once with its type, and a cluster's name comes back as it was, whatever is in it.
func TestMetricsAreTheTextFormat(t *testing.T) {
	a, err := openApp(defaultConfig(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.close(false)
	now := a.now().UnixMilli()
	names := []string{"prod", `a"b\c` + "\nd", "x\u202ey\u200b", `\n`, "größe, {}=1", "}", strings.Repeat("long", 50)}
	for i, name := range names {
		body, err := (&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{Labels: []prompb.Label{{Name: "__name__", Value: "up"}, {Name: "cluster", Value: name}},
			Samples: []prompb.Sample{{Timestamp: now, Value: 1}}}}}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		batch := series.Batch{Sender: "s" + strconv.Itoa(i), ReceivedMs: now}
		if _, err := ingest.NewKeyedDecoder(ingest.Limits{}, a.keyer).Decode(ingest.V1, ingest.Snappy, snappy.Encode(nil, body), &batch); err != nil {
			t.Fatal(err)
		}
		a.engine.Apply(&batch, 0)
	}
	a.engine.Publish()
	h := httptest.NewRecorder() // one of each kind
	a.door.Load().ServeHTTP(h, httptest.NewRequest("POST", "/api/v1/write", nil))
	checkpointSeconds.Update(0.01)
	w := httptest.NewRecorder()
	a.serveMetrics(w, httptest.NewRequest("GET", "/metrics", nil))
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(w.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range families {
		if f.GetHelp() == "" || abouts[name].kind == "" {
			t.Errorf("%s has no help", name)
		}
	}
	seen := map[string]bool{}
	for _, m := range families["wrackline_cluster_newest_sample_timestamp_seconds"].GetMetric() {
		seen[m.GetLabel()[0].GetValue()] = true
	}
	for _, name := range names {
		if !seen[name] {
			t.Errorf("cluster %q does not come back: %v", name, seen)
		}
	}
	if h := families["wrackline_ingest_request_seconds"].GetMetric()[0].GetHistogram(); h.GetSampleCount() == 0 || len(h.GetBucket()) != len(bounds)+1 ||
		h.GetBucket()[len(bounds)].GetCumulativeCount() != h.GetSampleCount() {
		t.Errorf("request seconds: %v", h)
	}
}

// TestBounds: ranges fall under the bounds that they lie in, and nothing is counted twice or lost.
func TestBounds(t *testing.T) {
	got := withBounds("x", []string{`x_bucket{vmrange="0...1.000e-09"} 1`, `x_bucket{vmrange="8.799e-04...1.000e-03"} 2`, `x_bucket{vmrange="1.000e-03...1.136e-03"} 4`,
		`x_bucket{vmrange="2.783e-03...3.162e-03"} 8`, `x_bucket{vmrange="1.000e+18...+Inf"} 16`, `x_sum 3`, `x_count 31`})
	text := strings.Join(got, "\n")
	for _, want := range []string{`x_bucket{le="1e-06"} 1`, `x_bucket{le="0.001"} 3`, `x_bucket{le="0.003162"} 15`, `x_bucket{le="316.2"} 15`, `x_bucket{le="+Inf"} 31`, "x_sum 3", "x_count 31"} {
		if !strings.Contains(text, want+"\n") && !strings.HasSuffix(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
	if kept := withBounds("x", []string{`x_bucket{le="1"} 1`}); len(kept) != 1 {
		t.Errorf("bounds that were there: %q", kept)
	}
}
