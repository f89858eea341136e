package main

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
)

// TestHostileRequests sends garbage, cut bodies, bombs and hostile labels to the real program: refused with the reason or taken
// as text, cheaply, without growing.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	conf := file(t, "w.yml", "track: [{name: t.value, match: hostile_value, func: value, agg: max, by: [who]}]\n")
	p := start(t, "serve", "--config.file", conf, "--storage.path", t.TempDir(), "--web.listen-address", "127.0.0.1:0")
	p.awaitReady()

	now := time.Now().UnixMilli()
	series := func(who string, at int64) prompb.TimeSeries {
		return prompb.TimeSeries{Labels: []prompb.Label{{Name: "__name__", Value: "hostile_value"}, {Name: "who", Value: who}},
			Samples: []prompb.Sample{{Timestamp: at, Value: 1}}}
	}
	encode := func(r *prompb.WriteRequest) []byte {
		b, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return snappy.Encode(nil, b)
	}
	honest := encode(&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{series("x", now)}})
	bomb := snappy.Encode(nil, bytes.Repeat([]byte{0x0a, 0x00}, 1<<20)) // a million empty series: 98 kB on the wire
	long := append([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, honest...)     // says that it unpacks to 4 GiB
	memory, cpu := p.metric("process_resident_memory_bytes"), p.metric("process_cpu_seconds_total")
	for range 5 {
		for name, body := range map[string][]byte{
			"garbage": []byte("GET / HTTP/1.1"), "nothing": {}, "cut": honest[:len(honest)-3], "bomb": bomb, "length": long,
			"future":   encode(&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{series("x", now+3600_000)}}),
			"nameless": encode(&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{Labels: []prompb.Label{{Name: "a", Value: "b"}}, Samples: []prompb.Sample{{Timestamp: now}}}}}),
		} {
			status, text := p.write("", body)
			if status != http.StatusBadRequest || len(text) < 10 {
				t.Errorf("%s: status %d, %q; want 400 and a reason", name, status, text)
			}
		}
	}
	if grown := p.metric("process_resident_memory_bytes") - memory; grown > 100<<20 {
		t.Errorf("35 hostile requests left %.0f MiB behind", grown/(1<<20))
	}
	if used := p.metric("process_cpu_seconds_total") - cpu; used > 5 {
		t.Errorf("35 hostile requests took %.1f s of CPU time", used)
	}

	// What is hostile in a browser is a label value like any other here: it is learned, and shown as text.
	values := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `javascript:alert(1)`, `{{.}}`, "a\u202eb", `' onmouseover='alert(1)`}
	for at := now - 5*60_000; at <= now; at += 15_000 {
		var r prompb.WriteRequest
		for _, v := range values {
			r.Timeseries = append(r.Timeseries, series(v, at))
		}
		if status, text := p.write("", encode(&r)); status != http.StatusNoContent {
			t.Fatalf("hostile labels: status %d, %s", status, text)
		}
	}
	page := p.get("/signals?q=t.value")
	if !strings.Contains(page, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("the hostile value is not on the page as text")
	}
	for _, bad := range []string{"<script>alert", "<img src=x", "\u202e"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q is on the page", bad)
		}
	}
	for _, m := range regexp.MustCompile(`href="(/signals/t\.value[^"]*)"`).FindAllStringSubmatch(page, -1) {
		if one := p.get(m[1]); strings.Contains(one, "<script>alert") || strings.Contains(one, "<img src=x") {
			t.Errorf("%s shows a hostile value unescaped", m[1])
		}
	}
	if strings.Count(page, `href="/signals/t.value`) < len(values) {
		t.Errorf("%d hostile values, but fewer links on the page", len(values))
	}
}

// TestSecondProcessIsRefused holds that two processes never write one data directory, and that the second says why.
func TestSecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, "serve", "--storage.path", dir, "--web.listen-address", "127.0.0.1:0").awaitReady()
	code, _, errs := run(t, "serve", "--storage.path", dir, "--web.listen-address", "127.0.0.1:0")
	if code != exitFailure || !strings.Contains(errs, "wrackline.db") {
		t.Errorf("code %d, %q; want %d and the file named", code, errs, exitFailure)
	}
	if code, _, errs := run(t, "inspect", "stats", "--storage.path", dir); code != exitFailure {
		t.Errorf("inspect of a running store: code %d, %q", code, errs)
	}
}
