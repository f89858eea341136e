package query

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/series"
)

// TestGrafana asks every path that Grafana's Prometheus data source calls, by every method.
func TestGrafana(t *testing.T) {
	f := newFake(rand.New(rand.NewPCG(1, 1)))
	a := New(f, Options{Version: "1.2.3", Now: func() time.Time { return time.UnixMilli(base + 60*minuteMs) }})
	at, from, to := "1790003700", "1790000100", "1790007300"
	for _, c := range []struct {
		path, form string
		code       int
		want       string // part of the answer
	}{
		{"query", "query=1%2B1", 200, `{"status":"success","data":{"resultType":"scalar","result":[1790003700,"2"]}}`}, // its health check
		{"query", "query=1%2B1&time=4", 200, `[4,"2"]`},
		{"query", "query=wrackline_signal&time=" + at, 200, `"signal":"http_errors","unit":"ratio","workload":"w0"`},
		{"query", "query=wrackline_signal&limit=1", 200, "truncated"},
		{"query", `query="x"`, 200, `"resultType":"string"`},
		{"query", "query=wrackline_signal[5m]&time=2026-09-21T15:15:00Z", 200, `"resultType":"matrix"`},
		{"query", "query=sum(", 400, `"errorType":"bad_data"`},
		{"query", "query=up&time=now", 400, "cannot parse"},
		{"query", "query=up&timeout=x", 400, "timeout"},
		{"query", "", 400, "query"},
		{"query", "query=wrackline_signal+*+on(cluster)+wrackline_signal_upper", 422, `"errorType":"execution"`},
		{"query_range", "query=wrackline_signal_upper&start=" + from + "&end=" + to + "&step=60", 200, `"values":[[`},
		{"query_range", "query=wrackline_incident&start=" + from + "&end=" + to + "&step=1m", 200, `"incident":"i0"`},
		{"query_range", "query=wrackline_change&start=" + from + "&end=" + to + "&step=1m", 200, `"kind":"rollout"`},
		{"query_range", "query=1&start=1&end=2&step=0", 400, "zero or negative"},
		{"query_range", "query=1&start=1&end=2&step=-1", 400, "zero or negative"},
		{"query_range", "query=1&start=2&end=1&step=1", 400, "before start"},
		{"query_range", "query=1&start=1&end=100000&step=1", 400, "maximum resolution"},
		{"query_range", "query=1&end=100000&step=1", 400, "start"},
		{"query_range", "query=x[5m]&start=1&end=2&step=1", 400, "query"},
		{"query_exemplars", "query=x&start=1&end=2", 200, `"data":[]`},
		{"labels", "", 200, `"__name__"`},
		{"labels", "match[]=wrackline_incident&start=" + from + "&end=" + to, 200, `"incident"`},
		{"labels", "match[]={}", 400, "non-empty"},
		{"label/signal/values", "", 200, `["http_errors","latency_p99","memory"]`},
		{"label/signal/values", "match[]=wrackline_signal{cluster%3D%22c1%22}&limit=1", 200, `["http_errors"]`},
		{"label/__name__/values", "", 200, `"wrackline_signal_score"`},
		{"label/nobody/values", "", 200, `"data":[]`},
		{"label/U__signal/values", "", 200, `"memory"`},
		{"series", "match[]=wrackline_signal{workload%3D%22w0%22}&match[]=wrackline_signal", 200, `"__name__":"wrackline_signal"`},
		{"series", "", 400, "match[]"},
		{"series", "match[]=sum(x)", 400, "match[]"},
		{"metadata", "", 200, `"wrackline_signal":[{"type":"gauge"`},
		{"metadata", "metric=wrackline_signal_upper&limit=5", 200, `{"wrackline_signal_upper":[`},
		{"metadata", "limit=x", 400, "limit"},
		{"rules", "type=alert", 200, `{"groups":[]}`},
		{"alerts", "", 200, `{"alerts":[]}`},
		{"status/buildinfo", "", 200, `"version":"1.2.3"`},
		{"status/flags", "", 200, `{}`},
		{"status/config", "", 200, `"yaml"`},
		{"status/runtimeinfo", "", 200, `"startTime"`},
		{"status/tsdb", "", 200, `"numSeries":60`},
		{"targets", "", 200, `"activeTargets"`},
		{"targets/metadata", "", 200, `[]`},
		{"alertmanagers", "", 200, `"activeAlertmanagers"`},
		{"nothing", "", 404, "not_found"},
		{"label//values", "", 400, "label"},
		{"../../../etc/passwd", "", 404, "not_found"},
	} {
		for _, method := range []string{"GET", "POST", "HEAD", "PUT", "DELETE"} {
			r := httptest.NewRequest(method, Prefix+"/api/v1/"+c.path+"?"+strings.ReplaceAll(c.form, `"`, "%22"), nil)
			if method == "POST" {
				r = httptest.NewRequest(method, Prefix+"/api/v1/"+c.path, strings.NewReader(strings.ReplaceAll(c.form, `"`, "%22")))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			code, want := c.code, c.want
			if method == "PUT" || method == "DELETE" {
				code, want = 405, "GET or POST"
			}
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			if w.Code != code || !strings.Contains(w.Body.String(), want) || !json.Valid(w.Body.Bytes()) || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s %s?%s: %d %.400s, want %d with %s", method, c.path, c.form, w.Code, w.Body, code, want)
			}
		}
	}
}

// TestHostile asks what should cost nothing, and what no answer is for.
func TestHostile(t *testing.T) {
	f := newFake(rand.New(rand.NewPCG(1, 1)))
	f.add("odd", "", "warn", 0, "signal", "mine", "__name__", "evil", "exported_signal", "x", "bad\xff", "\xfe<script>", "empty", "")
	a := New(f, Options{})
	get := func(v url.Values) (int, string) {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest("GET", Prefix+"/api/v1/query?"+v.Encode(), nil))
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("no JSON: %.300q", w.Body)
		}
		return w.Code, w.Body.String()
	}
	for name, q := range map[string]string{
		"deep brackets": strings.Repeat("(", 30_000) + "1" + strings.Repeat(")", 30_000), "deep minus": strings.Repeat("-", 30_000) + "vector(1)",
		"a long sum": strings.Repeat("1+", 15_000) + "1", "long": strings.Repeat(" ", 40_000) + "1", "no text": "\xff\xfe\x00",
	} {
		if code, text := get(url.Values{"query": {q}}); code != 400 {
			t.Errorf("%s: %d %.200s", name, code, text)
		}
	}
	for _, q := range []string{"count_over_time((vector(1))[1000d:1ms])", "max_over_time((max_over_time((wrackline_signal)[1h:1ms]))[1000d:1d])", "max_over_time((sum(wrackline_signal))[1000y:])"} {
		if code, text := get(url.Values{"query": {q}}); code != 400 {
			t.Errorf("a great subquery: %d %.200s", code, text)
		}
	}
	w0 := httptest.NewRecorder() // steps of a subquery fill the span of a range
	a.ServeHTTP(w0, httptest.NewRequest("GET", Prefix+"/api/v1/query_range?start=0&end=4000000000&step=1000000&query=max_over_time((wrackline_signal)[1m:1ms])", nil))
	if w0.Code != 400 {
		t.Errorf("%d %.200s", w0.Code, w0.Body)
	}
	for _, at := range []string{"1e300", "-1e300", "9223372036854775807"} {
		if code, text := get(url.Values{"query": {"wrackline_incident or wrackline_signal offset 5m"}, "time": {at}}); code != 200 {
			t.Errorf("at %s: %d %.200s", at, code, text)
		}
	}
	for _, at := range []string{"NaN", "x", "2026-13-01T00:00:00Z"} {
		if code, text := get(url.Values{"query": {"1"}, "time": {at}}); code != 400 {
			t.Errorf("at %s: %d %.200s", at, code, text)
		}
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", Prefix+`/api/v1/series?match[]=wrackline_signal{exported_signal!=""}`, nil))
	if s := w.Body.String(); w.Code != 200 || !strings.Contains(s, `"signal":"odd"`) || !strings.Contains(s, `"mine"`) || !strings.Contains(s, `"evil"`) || strings.Contains(s, "<script>") || !json.Valid(w.Body.Bytes()) {
		t.Errorf("odd labels: %d %s", w.Code, s)
	}
	w = httptest.NewRecorder()
	r := httptest.NewRequest("POST", Prefix+"/api/v1/query", strings.NewReader("query="+strings.Repeat("1", 1<<20)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a.ServeHTTP(w, r)
	if w.Code != 400 {
		t.Errorf("a great form: %d", w.Code)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	w = httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequestWithContext(gone, "GET", Prefix+"/api/v1/query?query=wrackline_signal", nil))
	if w.Code == 200 {
		t.Errorf("who has gone is answered: %s", w.Body)
	}
	f.fails = true
	if code, text := get(url.Values{"query": {"wrackline_signal"}}); code != 422 || strings.Contains(text, "disk") {
		t.Errorf("history fails: %d %s", code, text)
	}
	none := New(&fake{view: &baseline.View{}, snap: (*alerting.Snapshot)(nil)}, Options{})
	w = httptest.NewRecorder()
	none.ServeHTTP(w, httptest.NewRequest("GET", Prefix+"/api/v1/query?query=wrackline_incident", nil))
	if w.Code != 200 {
		t.Errorf("nothing there: %d %s", w.Code, w.Body)
	}
}

// TestErrorsAreClean: what a refusal quotes of a request is one line without controls, marks of direction and what cannot be seen.
func TestErrorsAreClean(t *testing.T) {
	a := New(newFake(rand.New(rand.NewPCG(1, 1))), Options{})
	const odd = "x\u202ey\u2067\x1b[31m\u009b\n\u2028\u200b\ufe0f\u034f\u3164\U000e0041\x00\xffz"
	clean := func(text string) bool {
		return text != "" && strings.IndexFunc(strings.TrimSuffix(text, "\n"), series.Hidden) < 0
	}
	for _, path := range []string{"nothing" + odd, "label/" + odd, "query?query=" + odd, "query?query={a=~\"(" + odd + "\"}", "query?query=1&time=" + odd, "query?query=1&timeout=" + odd,
		"query_range?query=1&start=0&end=1&step=" + odd, "labels?start=" + odd, "labels?match[]=" + odd, "series?match[]=" + odd, "series?match[]=a&end=" + odd, "metadata?limit=" + odd, "labels?limit=" + odd} {
		path, rest, _ := strings.Cut(path, "?")
		key, value, _ := strings.Cut(rest, "=")
		v, _ := url.ParseQuery(key) // the last value is the odd one
		if i := strings.LastIndex(value, "&"); i >= 0 {
			v, _ = url.ParseQuery(key + "=" + value[:i])
			key, value, _ = strings.Cut(value[i+1:], "=")
		}
		v.Set(key, value)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, &http.Request{Method: "GET", URL: &url.URL{Path: Prefix + "/api/v1/" + path, RawQuery: v.Encode()}})
		var body struct{ Status, Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Status != "error" || !clean(body.Error) || len(body.Error) > reasonMax {
			t.Errorf("%q %s: %d %.300q, %v", path, key, w.Code, w.Body, err)
		}
	}
	w := httptest.NewRecorder()
	a.ServeSignals(w, &http.Request{Method: "GET", URL: &url.URL{RawQuery: url.Values{"match[]": {odd}}.Encode()}})
	if w.Code != 400 || !clean(w.Body.String()) {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// TestManySelectors: neither many selectors nor many series cost memory before the engine counts; what is just within goes well.
func TestManySelectors(t *testing.T) {
	f := newFake(rand.New(rand.NewPCG(1, 1)))
	a := New(f, Options{Now: func() time.Time { return time.UnixMilli(base + 120*minuteMs) }})
	get := func(q string) (int, string) {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest("POST", Prefix+"/api/v1/query?"+url.Values{"query": {q}}.Encode(), nil))
		return w.Code, w.Body.String()
	}
	var tree func(n int) string
	tree = func(n int) string {
		if n == 1 {
			return `count({unit!=""})`
		}
		return "(" + tree(n/2) + "+" + tree(n-n/2) + ")"
	}
	if code, text := get(tree(selectsMax)); code != 200 {
		t.Errorf("%d selectors: %d %.300s", selectsMax, code, text)
	}
	if code, text := get(tree(selectsMax + 1)); code != 400 || !strings.Contains(text, "more than 64 selectors") {
		t.Errorf("one more: %d %.300s", code, text)
	}
	all := 5 * len(f.view.Signals)
	a.catalog().most = 2 * all
	if code, text := get(tree(2)); code != 200 {
		t.Errorf("as many series as there is room for: %d %.300s", code, text)
	}
	if code, text := get(tree(3)); code != 422 || !strings.Contains(text, "ask for fewer") {
		t.Errorf("more series: %d %.300s", code, text)
	}
	q, _ := a.Querier(0, timeLast)
	q.Select(t.Context(), false, nil, labels.MustNewMatcher(labels.MatchNotEqual, "unit", ""))
	if n := q.(*span).taken; n > 0 {
		t.Errorf("%d series before one is asked for", n)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if list, err := a.catalog().find(gone, f, 0, timeLast, 1000, nil); err == nil {
		t.Errorf("%d series for nobody", len(list))
	}
}

// TestCrowd: what runs at once is bounded, and who finds no room is told to come again.
func TestCrowd(t *testing.T) {
	a := New(newFake(rand.New(rand.NewPCG(1, 1))), Options{})
	for range atOnce {
		a.room <- struct{}{}
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", Prefix+"/api/v1/query?query=1&timeout=10ms", nil))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", Prefix+"/api/v1/status/buildinfo", nil)) // what reads nothing waits for nobody
	if w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestScrape: alarms alone, then what match[] names too; promtool finds nothing.
func TestScrape(t *testing.T) {
	f := newFake(rand.New(rand.NewPCG(1, 1)))
	f.add("odd", "", "warn", 0, "signal", "mine", "größe", "a\"b\\c\nd\xff")
	a := New(f, Options{})
	get := func(query string) (int, string) {
		w := httptest.NewRecorder()
		a.ServeSignals(w, httptest.NewRequest("GET", "/metrics/signals"+query, nil))
		return w.Code, w.Body.String()
	}
	_, alarms := get("")
	if n := strings.Count(alarms, "\nwrackline_signal{"); n != 4 || strings.Contains(alarms, "http_errors") {
		t.Errorf("%d alarms:\n%s", n, alarms)
	}
	code, more := get(`?match[]={signal="http_errors",cluster="c1"}&match[]={signal="odd"}`)
	if n := strings.Count(more, "\nwrackline_signal{"); code != 200 || n != 4+2+1 || strings.Contains(more, "wrackline_signal_upper{") {
		t.Errorf("%d %d signals:\n%s", code, n, more)
	}
	for _, q := range []string{"?match[]=sum(x)", "?match[]={", "?%zz"} {
		if code, _ := get(q); code != 400 {
			t.Errorf("%s: %d", q, code)
		}
	}
	if bin, err := exec.LookPath("promtool"); err == nil {
		cmd := exec.Command(bin, "check", "metrics")
		cmd.Stdin = strings.NewReader(more)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("promtool: %v %s", err, out)
		}
	}
}
