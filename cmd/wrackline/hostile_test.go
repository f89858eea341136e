package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
)

// write sends a remote-write 1.0 body and returns the answer and how long it took.
func write(t *testing.T, url string, body []byte) (status int, text string, took time.Duration) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/v1/write", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("Content-Type", "application/x-protobuf")
	begun := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), time.Since(begun)
}

// TestHostileRequests sends garbage, cut bodies, bombs and hostile labels to the real program: refused with the reason or taken
// as text, at once, without growing.
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
	before := p.metric("process_resident_memory_bytes")
	for range 5 {
		for name, body := range map[string][]byte{
			"garbage": []byte("GET / HTTP/1.1"), "nothing": {}, "cut": honest[:len(honest)-3], "bomb": bomb, "length": long,
			"future":   encode(&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{series("x", now+3600_000)}}),
			"nameless": encode(&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{Labels: []prompb.Label{{Name: "a", Value: "b"}}, Samples: []prompb.Sample{{Timestamp: now}}}}}),
		} {
			status, text, took := write(t, p.url, body)
			if status != http.StatusBadRequest || len(text) < 10 {
				t.Errorf("%s: status %d, %q; want 400 and a reason", name, status, text)
			}
			if took > 2*time.Second { // 100 ms on a quiet machine; this one is shared
				t.Errorf("%s: answered after %s", name, took)
			}
		}
	}
	if grown := p.metric("process_resident_memory_bytes") - before; grown > 100<<20 {
		t.Errorf("35 hostile requests left %.0f MiB behind", grown/(1<<20))
	}

	// What is hostile in a browser is a label value like any other here: it is learned, and shown as text.
	values := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `javascript:alert(1)`, `{{.}}`, "a\u202eb", `' onmouseover='alert(1)`}
	for at := now - 5*60_000; at <= now; at += 15_000 {
		var r prompb.WriteRequest
		for _, v := range values {
			r.Timeseries = append(r.Timeseries, series(v, at))
		}
		if status, text, _ := write(t, p.url, encode(&r)); status != http.StatusNoContent {
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

// TestReloadKeepsTheOldConfiguration holds that a wrong file changes nothing and that a right one takes effect without a restart.
func TestReloadKeepsTheOldConfiguration(t *testing.T) {
	t.Parallel()
	conf := file(t, "w.yml", "ingest: {tokens: [{token: first-token}]}\n")
	p := start(t, "serve", "--config.file", conf, "--storage.path", t.TempDir(), "--web.listen-address", "127.0.0.1:0")
	p.awaitReady()
	reload := func() (int, string) {
		resp, err := http.Post(p.url+"/-/reload", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	with := func(token string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/api/v1/write", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Encoding", "snappy")
		req.Header.Set("Content-Type", "application/x-protobuf")
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	replace := func(text string) {
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := with("first-token"), with("other-token"); a != http.StatusBadRequest || b != http.StatusUnauthorized {
		t.Fatalf("before: %d, %d", a, b)
	}
	if page := p.get("/status"); !strings.Contains(page, "without a valid token") {
		t.Error("the status page does not say that a sender was refused")
	}
	replace("ingest: {tokens: [{token: short}]}\n")
	if status, text := reload(); status != http.StatusInternalServerError || !strings.Contains(text, "tokens[0]") {
		t.Errorf("a wrong file: %d, %q", status, text)
	}
	replace("packs:\n  overrides: [{match: dns.nothing, enabled: false}]\n")
	if status, text := reload(); status != http.StatusInternalServerError || !strings.Contains(text, ":2:23: packs.overrides[0].match") {
		t.Errorf("a wrong override: %d, %q", status, text)
	}
	if a := with("first-token"); a != http.StatusBadRequest {
		t.Errorf("after a wrong file the old token gets %d", a)
	}
	if v := p.metric("wrackline_config_last_reload_successful"); v != 0 {
		t.Errorf("last reload successful: %g", v)
	}
	replace("ingest: {tokens: [{token: other-token}]}\nsignals: {grace: 30s}\nstorage: {retention: 20d}\n")
	if status, text := reload(); status != http.StatusOK || !strings.Contains(text, "storage take effect at the next start") {
		t.Errorf("a right file: %d, %q", status, text)
	}
	if a, b := with("first-token"), with("other-token"); a != http.StatusUnauthorized || b != http.StatusBadRequest {
		t.Errorf("after a right file: %d, %d", a, b)
	}
}
