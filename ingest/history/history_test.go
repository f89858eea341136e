package history

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest/history/past"
)

const start = int64(1_790_000_000_000)

// filled is a past with some series, one of them with a stale marker, and what it holds by label set.
func filled() (*past.Server, map[string][]series.Sample) {
	s, all := &past.Server{}, map[string][]series.Sample{}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 7 {
		l := series.Labels{{Name: "__name__", Value: fmt.Sprintf("m%d", i)}, {Name: "pod", Value: `a"b\c` + "\n"}}
		for k := range int64(1000) {
			x := series.Sample{T: start + 15_000*k + int64(r.IntN(5000)), V: r.NormFloat64()}
			if k == 500 && i == 3 {
				x.V = series.StaleNaN
			}
			s.Add(l, x)
			all[l.String()] = append(all[l.String()], x)
		}
	}
	return s, all
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

// collect hands everything out in steps.
func collect(span *Span, from, to, step int64) map[string][]series.Sample {
	out := map[string][]series.Sample{}
	for t := from + step; t < to+step; t += step {
		span.Until(t, func(_ int, l series.Labels, samples []series.Sample) {
			for _, x := range samples {
				if x.T > t || x.T <= t-step {
					panic("out of turn")
				}
			}
			out[l.String()] = append(out[l.String()], samples...)
		})
	}
	return out
}

// TestRead: whatever form the past comes in, each sample of the span is handed out once, in the order of time, by the step.
func TestRead(t *testing.T) {
	for _, form := range []string{"chunks", "samples", "export"} {
		t.Run(form, func(t *testing.T) {
			s, all := filled()
			s.Plain = form == "samples"
			o := Options{URL: serve(t, s)}
			if form == "export" {
				o.Kind = VictoriaMetrics
			}
			src, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range [][2]int64{{start, start + 16_000_000}, {start + 3_000_001, start + 7_654_321}, {start - 9e6, start - 1}} {
				span, err := src.Read(t.Context(), []string{"m0", "m3", "m5", "m.", "nothing"}, c[0], c[1])
				if err != nil {
					t.Fatal(err)
				}
				got := collect(span, c[0], c[1], 15_000)
				n := 0
				for _, name := range []string{"m0", "m3", "m5"} {
					key := series.Labels{{Name: "__name__", Value: name}, {Name: "pod", Value: `a"b\c` + "\n"}}.String()
					want := slices.DeleteFunc(slices.Clone(all[key]), func(x series.Sample) bool { return x.T <= c[0] || x.T > c[1] })
					if !slices.EqualFunc(got[key], want, func(a, b series.Sample) bool { return a.T == b.T && math.Float64bits(a.V) == math.Float64bits(b.V) }) {
						t.Errorf("%s from %d: %d samples, want %d", name, c[0]-start, len(got[key]), len(want))
					}
					n += len(want)
				}
				if n > 0 != (len(got) == 3) {
					t.Errorf("%d series", len(got))
				}
			}
		})
	}
}

// TestMisbehaving: what a source does wrong is said in words that help, is tried again where that may help, and nothing of it is handed on.
func TestMisbehaving(t *testing.T) {
	status := func(code int, text string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool { http.Error(w, text, code); return true }
	}
	for name, c := range map[string]struct {
		before func(http.ResponseWriter, *http.Request) bool
		cut    func(int) int
		again  bool
		says   string
	}{
		"401": {before: status(401, "who?"), says: "bearer token"}, "403": {before: status(403, ""), says: "tenant"}, "404": {before: status(404, "no"), says: "--kind"}, "405": {before: status(405, ""), says: "--kind"},
		"400": {before: status(400, "no org id"), says: "no org id"}, "422": {before: status(422, "too many samples"), says: "limits"}, "429": {before: status(429, ""), again: true, says: "asked too much"},
		"500": {before: status(500, "oh\x1b[31m"), again: true, says: "it fails"}, "503": {before: status(503, ""), again: true, says: "503"},
		"elsewhere": {before: func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "http://evil.example/", 302)
			return true
		}, says: "elsewhere"},
		"a login page": {before: func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>")
			return true
		}, says: "login page"},
		"cut in a frame": {cut: func(n int) int { return n - 7 }, again: true, says: "cut off"}, "cut early": {cut: func(n int) int { return 3 }, again: true, says: "cut off"},
		"slow": {before: func(w http.ResponseWriter, r *http.Request) bool {
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
			return true
		}, again: true, says: "within"},
		"a frame without end": {before: func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "application/x-streamed-protobuf")
			w.Write([]byte{0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0})
			return true
		}, again: true, says: "frame"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := filled()
			s.Before, s.Cut = c.before, c.cut
			src, err := Open(Options{URL: serve(t, s), Timeout: 300 * time.Millisecond, Bearer: "hush-hush"})
			if err != nil {
				t.Fatal(err)
			}
			span, err := src.Read(t.Context(), []string{"m0", "m1"}, start, start+16_000_000)
			var e *Error
			if span != nil || !errors.As(err, &e) || e.Temporary != c.again || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%v, again %v", err, e != nil && e.Temporary)
			}
		})
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	src, _ := Open(Options{URL: "http://me:secret@" + strings.TrimPrefix(closed.URL, "http://")})
	if _, err := src.Read(t.Context(), []string{"m0"}, 1, 2); err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody there: %v", err)
	}
}

// TestExportThatIsNone: lines that are no series, and those of different lengths.
func TestExportThatIsNone(t *testing.T) {
	for _, text := range []string{"<html>\n", `{"metric":{"__name__":"m0"},"values":[1],"timestamps":[1,2]}`, `{"metric":{"__name__":"m0"},"values":[1,2`, `{"metric":{"__name__":"m0"},"values":["x"],"timestamps":[1]}`, "null\n"} {
		src, _ := Open(Options{Kind: VictoriaMetrics, URL: serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, text) }))})
		if span, err := src.Read(t.Context(), []string{"m0"}, start, start+1); err == nil {
			t.Errorf("%s: %d series", text, span.Series())
		}
	}
}

// TestBounded: more than may be held is an error, not memory.
func TestBounded(t *testing.T) {
	for _, kind := range []string{Prometheus, VictoriaMetrics} {
		s, _ := filled()
		src, _ := Open(Options{URL: serve(t, s), Kind: kind, BytesMax: 4000})
		if _, err := src.Read(t.Context(), []string{"m0", "m1", "m2"}, start, start+16_000_000); !errors.Is(err, ErrLarge) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestUnpacking: a message that is small until it is unpacked is found too large before it is; one as large that is what it seems is read.
func TestUnpacking(t *testing.T) {
	nest := func(numbers ...byte) func(inner []byte) []byte { // wraps into messages, the innermost last
		return func(inner []byte) []byte {
			for _, n := range slices.Backward(numbers) {
				inner = append(binary.AppendUvarint([]byte{n<<3 | 2}, uint64(len(inner))), inner...)
			}
			return inner
		}
	}
	many := func(field byte) []byte { return bytes.Repeat([]byte{field<<3 | 2, 0}, 100_000) }
	wide := bytes.Repeat(append(binary.AppendUvarint(nil, 1<<35|1<<3|2), 0), 60_000) // its number is 1 to who reads 32 bits of it
	for name, plain := range map[string][]byte{
		"results": many(1), "series": nest(1)(many(1)), "labels": nest(1, 1)(many(1)), "samples": nest(1, 1)(many(2)), "exemplars": nest(1, 1)(many(3)), "histograms": nest(1, 1)(many(4)),
		"labels of exemplars": nest(1, 1, 3)(many(1)), "spans": nest(1, 1, 4)(many(8)), "wide numbers": nest(1)(wide),
	} {
		src, _ := Open(Options{URL: serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/x-protobuf")
			_, _ = w.Write(snappy.Encode(nil, plain))
		})), BytesMax: 1 << 20})
		if _, err := src.Read(t.Context(), []string{"m0"}, start, start+1000); !errors.Is(err, ErrLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	honest := past.Server{Plain: true}
	for i := range 2000 {
		honest.Add(series.Labels{{Name: series.NameLabel, Value: "m0"}, {Name: "pod", Value: fmt.Sprintf("a-name-as-long-as-those-of-pods-are-%d", i)}}, series.Sample{T: start + 500, V: 1})
	}
	src, _ := Open(Options{URL: serve(t, &honest), BytesMax: 1 << 20})
	if span, err := src.Read(t.Context(), []string{"m0"}, start, start+1000); err != nil || span.Series() != 2000 {
		t.Errorf("an honest answer: %v", err)
	}
	for name, frame := range map[string][]byte{"series": many(1), "labels": nest(1)(many(1)), "chunks": nest(1)(many(2))} {
		src, _ := Open(Options{URL: serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse")
			head := binary.BigEndian.AppendUint32(binary.AppendUvarint(nil, uint64(len(frame))), crc32.Checksum(frame, castagnoli))
			_, _ = w.Write(append(head, frame...))
		})), BytesMax: 1 << 20})
		if _, err := src.Read(t.Context(), []string{"m0"}, start, start+1000); !errors.Is(err, ErrLarge) {
			t.Errorf("a frame of %s: %v", name, err)
		}
	}
}

// TestCredentials: what is given is sent, and nothing else; who has none sends none.
func TestCredentials(t *testing.T) {
	var seen http.Header
	url := serve(t, &past.Server{Before: func(w http.ResponseWriter, r *http.Request) bool { seen = r.Header; return false }})
	for want, o := range map[string]Options{"": {}, "Bearer tok": {Bearer: "tok"}, "Basic bWU6c2VjcmV0": {User: "me", Password: "secret"}} {
		o.URL, o.Headers = url, map[string]string{"X-Scope-OrgID": "shop"}
		src, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := src.Read(context.Background(), []string{"m0"}, 1, 2); err != nil {
			t.Error(err)
		}
		if got := seen.Get("Authorization"); got != want || seen.Get("X-Scope-OrgID") != "shop" {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, bad := range []string{"", "prometheus:9090", "ftp://x", "http://", "::"} {
		if _, err := Open(Options{URL: bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := Open(Options{URL: url, Kind: "influx"}); err == nil {
		t.Error("influx is taken")
	}
}
