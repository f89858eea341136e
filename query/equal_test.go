package query

// What the API answers is what Prometheus answers over the same samples: its engine over a list in memory, and a Prometheus of the system.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/wrackline/wrackline/baseline/promql/oracle"
	"github.com/wrackline/wrackline/baseline/series"
)

// seeded returns random numbers whose seed is printed when the test fails; WRACKLINE_SEED sets it.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("WRACKLINE_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("seed %d (WRACKLINE_SEED)", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// writer writes random queries over what the fake has.
type writer struct {
	*rand.Rand
	sub bool // with subqueries
}

func pick[T any](w writer, x ...T) T { return x[w.IntN(len(x))] }

func (w writer) selector() string {
	return pick(w, "wrackline_signal", "wrackline_signal", "wrackline_signal_expected", "wrackline_signal_upper", "wrackline_signal_lower", "wrackline_signal_score", "wrackline_incident", "wrackline_change") +
		pick(w, "", "", `{cluster="c0"}`, `{signal=~"http.*|memory"}`, `{severity!="page"}`, `{workload=~"w[01]",cluster!=""}`, `{nothing=""}`, `{nothing!=""}`, `{namespace!~"sh.p"}`)
}

func (w writer) offset() string { return pick(w, "", "", "", " offset 7m", " offset -3m") }

func (w writer) ranged() string {
	if w.sub && w.IntN(4) == 0 {
		return "(" + w.vector(1) + ")" + pick(w, "[20m:1m]", "[30m:]", "[15m:90s]")
	}
	return w.selector() + pick(w, "[5m]", "[10m]", "[30m]", "[1h]") + w.offset()
}

func (w writer) vector(depth int) string {
	if depth <= 0 {
		return w.selector() + w.offset()
	}
	switch w.IntN(8) {
	case 0:
		return fmt.Sprintf("%s by (%s) (%s)", pick(w, "sum", "avg", "min", "max", "count", "group", "stddev"), pick(w, "cluster", "signal", "cluster, severity", "nothing"), w.vector(depth-1))
	case 1:
		return fmt.Sprintf("%s(%s)", pick(w, "avg_over_time", "max_over_time", "min_over_time", "count_over_time", "sum_over_time", "last_over_time", "delta", "deriv", "changes", "stddev_over_time", "present_over_time", "resets", "idelta"), w.ranged())
	case 2:
		return fmt.Sprintf("%s(%s)", pick(w, "abs", "ceil", "floor", "sgn", "sqrt", "ln"), w.vector(depth-1))
	case 3:
		return fmt.Sprintf("(%s) %s %s", w.vector(depth-1), pick(w, "+", "*", "/", ">", "> bool", "<=", "^", "%"), pick(w, "2", "0.5", "100"))
	case 4:
		return fmt.Sprintf("wrackline_signal%s %s ignoring(nothing) wrackline_signal%s", w.offset(), pick(w, "/", "-", ">", "> bool", "and", "unless", "or"), pick(w, "_expected", "_upper", "_lower"))
	case 5:
		return fmt.Sprintf("quantile by (cluster) (%s, %s)", pick(w, "0.5", "0.9", "1"), w.vector(depth-1))
	case 6:
		return fmt.Sprintf(`label_replace(%s, "dst", "$1-x", "workload", "(.*)")`, w.vector(depth-1))
	}
	return fmt.Sprintf("sum without (%s) (%s)", pick(w, "workload", "cluster, unit", "nothing"), w.vector(depth-1))
}

func (w writer) query() string {
	switch w.IntN(12) {
	case 0:
		return "absent(" + w.selector() + ")"
	case 1:
		return "scalar(" + w.vector(1) + ")"
	case 2:
		return "count(" + w.vector(2) + ") or vector(0)"
	}
	return w.vector(1 + w.IntN(3))
}

// answered is one series of an answer.
type answered struct {
	Metric map[string]string `json:"metric"`
	Value  []any             `json:"value"`
	Values [][]any           `json:"values"`
}

// parsed reads an answer as lines that can be compared: series sorted, times and values apart. ok is false for an error.
func parsed(body []byte) (lines []string, values [][]float64, ok bool) {
	var out struct {
		Status string
		Data   struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &out); err != nil || out.Status != "success" {
		return []string{string(body)}, nil, false
	}
	var list []answered
	if json.Unmarshal(out.Data.Result, &list) != nil { // a scalar
		var one []any
		_ = json.Unmarshal(out.Data.Result, &one)
		list = []answered{{Value: one}}
	}
	type row struct {
		key    string
		values []float64
	}
	var rows []row
	for _, s := range list {
		var r row
		b, _ := json.Marshal(s.Metric)
		r.key = out.Data.ResultType + string(b)
		if s.Value != nil {
			s.Values = append(s.Values, s.Value)
		}
		for _, p := range s.Values {
			r.key += fmt.Sprintf(" %v", p[0])
			v, err := strconv.ParseFloat(p[1].(string), 64)
			if err != nil {
				return []string{string(body)}, nil, false
			}
			r.values = append(r.values, v)
		}
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.key, b.key) })
	for _, r := range rows {
		lines, values = append(lines, r.key), append(values, r.values)
	}
	return lines, values, true
}

// differ returns how two answers differ, "" when they do not but for the last digits.
func differ(a, b []byte) string {
	la, va, oka := parsed(a)
	lb, vb, okb := parsed(b)
	if oka != okb {
		return fmt.Sprintf("one fails:\n%.600s\n%.600s", a, b)
	}
	if !oka {
		return ""
	}
	if !slices.Equal(la, lb) {
		return fmt.Sprintf("series or times:\n%.2000s\n%.2000s", strings.Join(la, "\n"), strings.Join(lb, "\n"))
	}
	for i := range va {
		for j := range va[i] {
			x, y := va[i][j], vb[i][j]
			if x != y && !(math.IsNaN(x) && math.IsNaN(y)) && !(math.Abs(x-y) <= 1e-9*max(math.Abs(x), math.Abs(y), 1e-6)) {
				return fmt.Sprintf("%.300s: value %d is %v and %v", la[i], j, x, y)
			}
		}
	}
	return ""
}

// question is a query and when it is asked.
type question struct {
	text           string
	from, to, step int64 // ms; step 0 = an instant
}

func (q question) form() (path string, v url.Values) {
	sec := func(ms int64) string { return strconv.FormatFloat(float64(ms)/1000, 'f', 3, 64) }
	if q.step == 0 {
		return "/api/v1/query", url.Values{"query": {q.text}, "time": {sec(q.from)}}
	}
	return "/api/v1/query_range", url.Values{"query": {q.text}, "start": {sec(q.from)}, "end": {sec(q.to)}, "step": {sec(q.step)}}
}

func (w writer) question() question {
	q := question{text: w.query(), from: base + int64(w.IntN(130)-20)*minuteMs + 17_000}
	if w.IntN(2) == 0 {
		q.to, q.step = q.from+int64(w.IntN(60))*minuteMs, pick(w, int64(minuteMs), 5*minuteMs, 2*minuteMs)
	}
	return q
}

// ask asks the API.
func ask(t *testing.T, a *API, q question) []byte {
	t.Helper()
	path, v := q.form()
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", Prefix+path+"?"+v.Encode(), nil))
	return w.Body.Bytes()
}

// TestEngineOverTheSameSamples asks generated queries here, and of the engine over plain lists of the same samples.
func TestEngineOverTheSameSamples(t *testing.T) {
	r := seeded(t)
	f := newFake(r)
	a := New(f, Options{})
	var all []oracle.Series
	for _, x := range f.flat(math.Float64frombits(value.StaleNaN)) {
		s := oracle.Series{Labels: sorted(x.labels)}
		for i := range x.t {
			s.Samples = append(s.Samples, series.Sample{T: x.t[i], V: x.v[i]})
		}
		all = append(all, s)
	}
	plain := oracle.New(all)
	e := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e8, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return minuteMs }, Parser: parser.NewParser(parser.Options{})})
	w := writer{r, true}
	filled := 0
	for range 1000 {
		q := w.question()
		var p promql.Query
		var err error
		if q.step == 0 {
			p, err = e.NewInstantQuery(t.Context(), plain, nil, q.text, time.UnixMilli(q.from))
		} else {
			p, err = e.NewRangeQuery(t.Context(), plain, nil, q.text, time.UnixMilli(q.from), time.UnixMilli(q.to), time.Duration(q.step)*time.Millisecond)
		}
		if err != nil {
			t.Fatalf("%s: %v", q.text, err)
		}
		res := p.Exec(t.Context())
		want := []byte(`{"status":"error"}`)
		if res.Err == nil {
			want = fmt.Appendf(nil, `{"status":"success","data":%s}`, appendResult(nil, res.Value))
		}
		got := ask(t, a, q)
		if d := differ(got, want); d != "" {
			t.Fatalf("%s at %d to %d, step %d: here, and plainly: %s", q.text, q.from, q.to, q.step, d)
		}
		if lines, _, _ := parsed(got); len(lines) > 0 {
			filled++
		}
		p.Close()
	}
	if filled < 500 {
		t.Errorf("only %d of 1000 queries have an answer", filled)
	}
}

// TestPrometheusOverTheSameSamples asks generated queries here, and of a Prometheus of the system that was given the same samples. Older ones include the start of a range, so no moment lies
// where a sample does.
func TestPrometheusOverTheSameSamples(t *testing.T) {
	bin, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is not installed (apt-get install prometheus)")
	}
	r := seeded(t)
	f := newFake(r)
	a := New(f, Options{})
	server := startPrometheus(t, bin)
	push(t, server, f.flat(math.Float64frombits(value.StaleNaN)))
	w := writer{r, false}
	for range 1000 {
		q := w.question()
		path, v := q.form()
		resp, err := http.PostForm(server+path, v)
		if err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if d := differ(ask(t, a, q), want); d != "" {
			t.Fatalf("%s at %d to %d, step %d: here, and there: %s", q.text, q.from, q.to, q.step, d)
		}
	}
}

func sorted(m map[string]string) (out series.Labels) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, series.Label{Name: name, Value: m[name]})
	}
	return out
}

func startPrometheus(t *testing.T, bin string) string {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "p.yml")
	if err := os.WriteFile(conf, []byte("scrape_configs: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	cmd := exec.Command(bin, "--config.file="+conf, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--storage.tsdb.retention.time=100y", "--web.listen-address="+addr, "--web.enable-remote-write-receiver")
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for range 300 {
		resp, err := http.Get("http://" + addr + "/-/ready")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == 200 {
				return "http://" + addr
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("prometheus does not get ready")
	return ""
}

// push sends samples in the order of time.
func push(t *testing.T, server string, all []flat) {
	t.Helper()
	next := make([]int, len(all))
	for at := base - 2*60*minuteMs; at < base+4*60*minuteMs; at += 10 * minuteMs {
		var req prompb.WriteRequest
		for i, x := range all {
			ts := prompb.TimeSeries{}
			for _, l := range sorted(x.labels) {
				ts.Labels = append(ts.Labels, prompb.Label{Name: l.Name, Value: l.Value})
			}
			for ; next[i] < len(x.t) && x.t[next[i]] < at; next[i]++ {
				ts.Samples = append(ts.Samples, prompb.Sample{Timestamp: x.t[next[i]], Value: x.v[next[i]]})
			}
			if len(ts.Samples) > 0 {
				req.Timeseries = append(req.Timeseries, ts)
			}
		}
		b, err := req.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(server+"/api/v1/write", "application/x-protobuf", bytes.NewReader(snappy.Encode(nil, b)))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			t.Fatalf("%s: %s", resp.Status, text)
		}
	}
}
