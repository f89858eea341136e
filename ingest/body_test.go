package ingest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/prompb"
)

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

// TestSlowBodiesHoldNoDecoder: bodies that dribble in over real connections do not keep others out.
func TestSlowBodiesHoldNoDecoder(t *testing.T) {
	body := snap(marshal(t, kubernetesV1(100)))
	m := &memory{}
	srv := httptest.NewServer(handler(m, Options{Concurrency: 1, QueueWait: 50 * time.Millisecond}))
	defer srv.Close()
	ended := bodiesAborted.Get() + bodiesSlow.Get()
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
	for _, c := range slow {
		_ = c.Close()
	}
	// On a machine with much else to do some are given up before they are closed.
	within(t, "8 bodies are given up", func() bool { return bodiesAborted.Get()+bodiesSlow.Get() >= ended+8 })
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
