package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/query"
	"github.com/wrackline/wrackline/query/boards"
)

// TestDashboardsAnswer: each query of each panel has data on a simulated cluster, now and over an hour; annotations are understood; each name that is asked for is one that there is.
func TestDashboardsAnswer(t *testing.T) {
	a, err := openApp(defaultConfig(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.close(false)
	d := ingest.NewKeyedDecoder(a.cfg.Load().limits(), a.keyer)
	from := time.UnixMilli(1_790_000_000_000)
	for _, r := range simulated(t, from, "45m") {
		b := series.Batch{Sender: "prom", ReceivedMs: r.ReceivedMs}
		if _, err := d.Decode(ingest.V1, ingest.Snappy, r.Body, &b); err != nil {
			t.Fatal(err)
		}
		a.engine.Apply(&b, 0)
	}
	a.engine.Publish()
	now := from.Add(42 * time.Minute).Unix()
	ask := func(expr string, instant bool) (string, int) {
		v := url.Values{"query": {strings.NewReplacer("$cluster", ".*", "$namespace", ".*", "$workload", ".*").Replace(expr)}, "time": {strconv.FormatInt(now, 10)}}
		path := "/api/v1/query"
		if !instant {
			path, v["start"], v["end"], v["step"] = "/api/v1/query_range", []string{strconv.FormatInt(now-1800, 10)}, v["time"], []string{"60"}
		}
		w := httptest.NewRecorder()
		a.query.ServeHTTP(w, httptest.NewRequest("GET", query.Prefix+path+"?"+v.Encode(), nil))
		var out struct {
			Status string
			Data   struct{ Result []any }
		}
		_ = json.Unmarshal(w.Body.Bytes(), &out)
		return out.Status + w.Body.String()[:min(w.Body.Len(), 300)], len(out.Data.Result)
	}
	for _, b := range boards.All() {
		if !json.Valid(b.JSON()) {
			t.Errorf("%s is no JSON", b.UID)
		}
		for _, p := range b.Panels {
			for _, q := range p.Queries {
				if text, n := ask(q.Expr, q.Instant); n == 0 {
					t.Errorf("%s, %s: %s: %s", b.UID, p.Title, q.Expr, text)
				}
			}
		}
	}
	for _, n := range boards.Annotations {
		if text, _ := ask(n.Expr, false); !strings.HasPrefix(text, "success") {
			t.Errorf("%s: %s", n.Expr, text)
		}
	}
}

// TestRulesAreSound: promtool finds nothing, and each metric that is asked for is one of ours.
func TestRulesAreSound(t *testing.T) {
	dir := t.TempDir()
	if code := mainCode(t.Context(), env{stdout: io.Discard, stderr: io.Discard}, []string{"dashboards", "--out", dir}); code != 0 {
		t.Fatal(code)
	}
	for _, name := range regexp.MustCompile(`wrackline_\w+`).FindAllString(string(boards.Rules(false)), -1) {
		if abouts[name].kind == "" {
			t.Errorf("%s is no metric of Wrackline", name)
		}
	}
	bin, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (apt-get install prometheus)")
	}
	if out, err := exec.Command(bin, "check", "rules", filepath.Join(dir, "wrackline-rules.yaml")).CombinedOutput(); err != nil || !strings.Contains(string(out), "SUCCESS") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestPromtoolChecksMetrics: what /metrics shows has nothing that promtool would have otherwise.
func TestPromtoolChecksMetrics(t *testing.T) {
	bin, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (apt-get install prometheus)")
	}
	a, err := openApp(defaultConfig(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.close(false)
	w := httptest.NewRecorder()
	a.serveMetrics(w, httptest.NewRequest("GET", "/metrics", nil))
	cmd := exec.Command(bin, "check", "metrics")
	cmd.Stdin = w.Body
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
