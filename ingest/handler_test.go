package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestOnlyPost(t *testing.T) {
	h := handler(&memory{}, Options{})
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "/api/v1/write", nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
}

// TestVictoriaMetricsProbe: older vmagents ask before they send zstd.
func TestVictoriaMetricsProbe(t *testing.T) {
	w := httptest.NewRecorder()
	handler(&memory{}, Options{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/write?get_vm_proto_version=1", nil))
	if w.Code != http.StatusOK || w.Body.String() != "1" {
		t.Errorf("answer %d %q, want 200 and 1", w.Code, w.Body)
	}
}

func TestCredentials(t *testing.T) {
	body := snap(marshal(t, reqV1(one(up, now, 1))))
	m := &memory{}
	h := handler(m, Options{Tokens: []Token{{Token: "first", Sender: "a"}, {Token: "second", Sender: "b", Cluster: "prod"}}})
	for _, c := range []struct {
		header string
		code   int
	}{
		{"", 401}, {"Bearer", 401}, {"Bearer ", 401}, {"Bearer third", 401}, {"Basic first", 401}, {"first", 401}, {"Bearer First", 401},
		{"Bearer first", 204}, {"bearer second", 204},
	} {
		w := post(h, body, "Authorization", c.header)
		if w.Code != c.code || (c.code == 401) != (w.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("Authorization %q: %d, WWW-Authenticate %q; want %d", c.header, w.Code, w.Header().Get("WWW-Authenticate"), c.code)
		}
		if strings.Contains(w.Body.String(), "second") {
			t.Errorf("answer names a token: %s", w.Body)
		}
	}
	if len(m.raws) != 2 || m.raws[0].Sender != "a" || m.raws[0].Cluster != "" || m.raws[1].Sender != "b" || m.raws[1].Cluster != "prod" {
		t.Errorf("appended %+v", m.raws)
	}
}

func TestSenderAndCluster(t *testing.T) {
	body := snap(marshal(t, reqV1(one(up, now, 1))))
	for _, c := range []struct {
		query, remote   string
		code            int
		sender, cluster string
	}{
		{"", "10.1.2.3:4567", 204, "10.1.2.3", ""},
		{"", "[fd00::1]:4567", 204, "fd00::1", ""},
		{"?cluster=prod", "10.1.2.3:4567", 204, "10.1.2.3", "prod"},
		{"?cluster=prod&sender=prometheus-0", "10.1.2.3:4567", 204, "prometheus-0", "prod"},
		{"?cluster=a%0Ab", "10.1.2.3:4567", 400, "", ""},
		{"?sender=%ff", "10.1.2.3:4567", 400, "", ""},
		{"?sender=" + strings.Repeat("x", 200), "10.1.2.3:4567", 400, "", ""},
	} {
		m := &memory{}
		r := httptest.NewRequest(http.MethodPost, "/api/v1/write"+c.query, bytes.NewReader(body))
		r.RemoteAddr = c.remote
		w := httptest.NewRecorder()
		handler(m, Options{}).ServeHTTP(w, r)
		if w.Code != c.code || c.code == 204 && (m.raws[0].Sender != c.sender || m.raws[0].Cluster != c.cluster || m.raws[0].ReceivedMs != now) {
			t.Errorf("%s from %s: %d, %+v", c.query, c.remote, w.Code, m.raws)
		}
	}
}

// TestJournaledRequestDecodesAgain: what the Appender is given is enough to decode the request a second time, mislabelled
// bodies included.
func TestJournaledRequestDecodesAgain(t *testing.T) {
	v1, v2 := marshal(t, kubernetesV1(20)), marshal(t, kubernetesV2(20))
	for _, c := range []struct {
		body          []byte
		typ, encoding string
		wantP         Proto
		wantE         Encoding
	}{
		{snap(v1), typeV1, "snappy", V1, Snappy}, {zst(v1), typeV1, "zstd", V1, Zstd}, {zst(v1), typeV1, "snappy", V1, Zstd},
		{snap(v1), typeV1, "zstd", V1, Snappy}, {snap(v2), typeV2, "", V2, Snappy}, {zst(v2), typeV2, "zstd", V2, Zstd},
	} {
		m := &memory{}
		if w := post(handler(m, Options{}), c.body, "Content-Type", c.typ, "Content-Encoding", c.encoding); w.Code != 204 {
			t.Fatalf("answer %d %s", w.Code, w.Body)
		}
		raw := m.raws[0]
		if raw.Proto != c.wantP || raw.Encoding != c.wantE {
			t.Errorf("%s %s: journaled as %v, %v; want %v, %v", c.typ, c.encoding, raw.Proto, raw.Encoding, c.wantP, c.wantE)
		}
		b, info := mustDecode(t, NewDecoder(Limits{}), raw.Proto, raw.Encoding, raw.Body)
		if len(b.Entries) != 20 || info.Samples != 20 {
			t.Errorf("decoded again: %d entries, %+v", len(b.Entries), info)
		}
	}
}

// TestBusyIs503 with a time to come back: Prometheus drops what is answered 429.
func TestBusyIs503(t *testing.T) {
	body := snap(marshal(t, reqV1(one(up, now, 1))))
	for name, o := range map[string]Options{
		"starting": {Ready: func() (bool, string) { return false, "starting" }},
		"busy":     {Appender: &memory{err: ErrBusy}},
		"storage":  {Appender: &memory{err: fmt.Errorf("%w: disk is full", ErrStorage)}},
		"other":    {Appender: &memory{err: errors.New("no idea")}},
	} {
		m := &memory{}
		if o.Appender != nil {
			m = o.Appender.(*memory)
		}
		for attempt := range 10 {
			w := post(handler(m, o), body, "Retry-Attempt", strconv.Itoa(attempt))
			n, err := strconv.Atoi(w.Header().Get("Retry-After"))
			if w.Code != http.StatusServiceUnavailable || err != nil || n < 1 || n > 30 || len(m.names) != 0 {
				t.Errorf("%s: %d, Retry-After %q, %s", name, w.Code, w.Header().Get("Retry-After"), w.Body)
			}
		}
	}
}

func TestRetryAfterGrows(t *testing.T) {
	for _, c := range []struct {
		attempt string
		random  float64
		want    int
	}{
		{"", 0, 1}, {"", 0.999, 2}, {"0", 0.5, 2}, {"1", 0.5, 4}, {"2", 0, 4}, {"2", 0.999, 11}, {"3", 0.5, 16}, {"9", 0.5, 30}, {"99999999999", 0.5, 30}, {"999999999999999999999", 0.5, 2}, {"-3", 0.5, 2}, {"x", 0.5, 2},
	} {
		if got := retryAfter(c.attempt, c.random); got != c.want {
			t.Errorf("retryAfter(%q, %v) = %d, want %d", c.attempt, c.random, got, c.want)
		}
	}
}

// TestGate: one request at a time is decoded here; those that wait too long are sent away, those that wait less are not.
func TestGate(t *testing.T) {
	body := snap(marshal(t, reqV1(one(up, now, 1))))
	m := &memory{wait: make(chan struct{})}
	h := handler(m, Options{Concurrency: 1, QueueWait: 20 * time.Millisecond})
	first := make(chan int)
	go func() { first <- post(h, body).Code }()
	within(t, "the first request is decoded", func() bool { return m.calls.Load() > 0 })
	if w := post(h, body); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("second request: %d", w.Code)
	}
	h.queueWait = time.Minute
	third := make(chan int)
	go func() { third <- post(h, body).Code }()
	close(m.wait)
	if a, b := <-first, <-third; a != 204 || b != 204 {
		t.Errorf("first and third request: %d and %d", a, b)
	}
}

// TestKeepAlive: refused requests leave the connection usable.
func TestKeepAlive(t *testing.T) {
	m := &memory{}
	srv := httptest.NewServer(handler(m, Options{}))
	defer srv.Close()
	body := snap(marshal(t, reqV1(one(up, now, 1))))
	conns := map[string]bool{}
	for i := range 12 {
		typ, want := typeV1, 204
		b := body
		switch i % 3 {
		case 1:
			typ, want = "text/plain", 415
		case 2:
			b, want = []byte("garbage"), 400
		}
		trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { conns[i.Conn.LocalAddr().String()] = true }}
		r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodPost, srv.URL, bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", typ)
		resp, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("request %d: %d, want %d", i, resp.StatusCode, want)
		}
	}
	if len(m.raws) != 4 || len(conns) != 1 {
		t.Errorf("%d requests were taken over %d connections, want 4 over 1", len(m.raws), len(conns))
	}
}

// TestManySendersAtOnce mixes protocols and faults under the race detector: every sample is counted once.
func TestManySendersAtOnce(t *testing.T) {
	m := &memory{}
	h := handler(m, Options{QueueWait: time.Minute})
	v1, v2 := snap(marshal(t, kubernetesV1(50))), snap(marshal(t, kubernetesV2(50)))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 0))
			for range 20 {
				switch rnd.IntN(3) {
				case 0:
					post(h, v1)
				case 1:
					post(h, v2, "Content-Type", typeV2)
				default:
					post(h, v1[:rnd.IntN(len(v1))])
				}
			}
		})
	}
	wg.Wait()
	if len(m.names) != 50*len(m.raws) || len(m.raws) == 0 {
		t.Errorf("%d samples of %d requests", len(m.names), len(m.raws))
	}
}

// TestLogsAreBounded: a sender that is wrong a thousand times fills no log.
func TestLogsAreBounded(t *testing.T) {
	var out bytes.Buffer
	h := handler(&memory{}, Options{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	for range 1000 {
		post(h, []byte("garbage\nlevel=ERROR msg=forged"))
	}
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Errorf("%d lines were logged:\n%.500s", n, &out)
	}
}

// TestAheadWhileUnsure holds what a request is told whose samples all seem to be ahead: to come again while it is open which clock is right, that it is refused when it is known or there is nothing to go by.
func TestAheadWhileUnsure(t *testing.T) {
	for _, c := range []struct {
		name   string
		past   int64 // newest sample before the start, ms after now; 0 = none
		settle int64 // ms for which another sender has been in time
		want   int
	}{
		{"the first start", 0, 0, http.StatusBadRequest},
		{"a machine that was down for three hours", -3 * hour, 0, http.StatusServiceUnavailable},
		{"the same, and somebody is in time", -3 * hour, 2 * minute, http.StatusBadRequest},
		{"a restart", -minute, 0, http.StatusBadRequest},
		{"a machine whose clock is behind its past", hour, 0, http.StatusServiceUnavailable},
	} {
		at := now
		clock := NewClockOn(func() Reading { return Reading{at, at - now, true} }, nil)
		if c.past != 0 {
			clock.Begin(now + c.past)
		}
		m := &memory{}
		h := handler(m, Options{Clock: clock})
		for end := at + c.settle; at < end; at += 5 * second {
			post(h, snap(marshal(t, reqV1(one(up, at, 1)))), "Content-Encoding", "snappy", "Content-Type", typeV1)
		}
		n := m.calls.Load()
		w := post(h, snap(marshal(t, reqV1(one(up, at+2*hour, 1)))), "Content-Encoding", "snappy", "Content-Type", typeV1)
		if w.Code != c.want || w.Code == http.StatusServiceUnavailable && (w.Header().Get("Retry-After") == "" || m.calls.Load() != n) {
			t.Errorf("%s: %d %s, Retry-After %q, %d requests kept", c.name, w.Code, w.Body, w.Header().Get("Retry-After"), m.calls.Load()-n)
		}
		at += 3 * minute // it does not last
		if w := post(h, snap(marshal(t, reqV1(one(up, at+2*day, 1)))), "Content-Encoding", "snappy", "Content-Type", typeV1); w.Code == http.StatusServiceUnavailable {
			t.Errorf("%s: still %d after three minutes: %s", c.name, w.Code, w.Body)
		}
	}
}
