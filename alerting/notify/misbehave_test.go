package notify

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// farConn listens and answers each connection when it has read a whole request.
func farConn(t *testing.T, answer func(c net.Conn)) (base string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					buf := make([]byte, 1<<10)
					for n := int64(0); n < r.ContentLength; {
						k, err := r.Body.Read(buf)
						n += int64(k)
						if err != nil {
							break
						}
					}
				}
				answer(c)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// What real connections do: each way has its verdict, whether it may have been heard is known, and nothing takes longer than the time that an attempt has.
func TestWhatConnectionsDo(t *testing.T) {
	say := func(text string) func(net.Conn) {
		return func(c net.Conn) { c.Write([]byte(text)) }
	}
	drip := func(before, each string) func(net.Conn) {
		return func(c net.Conn) {
			c.Write([]byte(before))
			for {
				if _, err := c.Write([]byte(each)); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + closed.Addr().String()
	closed.Close()
	untrusted := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Error("somebody spoke to a server that nobody can trust")
	}))
	defer untrusted.Close()
	untrusted.Config.ErrorLog = nil

	const silence = 3 * time.Second // of those who say nothing that ends; all others have as long as the test
	for _, c := range []struct {
		name  string
		base  string
		want  verdict
		maybe bool
		own   bool // it may be for the message
		waits bool // until the attempt's time is over
	}{
		{"nobody listens", nobody, again, false, false, false},
		{"no such host", "http://no-such-host.invalid", again, false, false, false},
		{"TLS to a plain door", "https" + strings.TrimPrefix(farConn(t, say("HTTP/1.0 400 Bad Request\r\n\r\n")), "http"), again, false, false, false},
		{"a certificate of nobody", untrusted.URL, again, false, false, false},
		{"it hangs up", farConn(t, func(net.Conn) {}), again, true, true, false},
		{"it resets", farConn(t, func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) }), again, true, true, false},
		{"it says nothing", farConn(t, func(c net.Conn) { time.Sleep(2 * silence) }), again, true, true, true},
		{"it speaks another language", farConn(t, say("220 smtp.example ESMTP\r\n")), again, true, true, false},
		{"its headers never end", farConn(t, drip("HTTP/1.1 200 OK\r\n", "X: y\r\n")), again, true, true, true},
		{"its headers are too large", farConn(t, say("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("a", 12<<20)+"\r\n\r\n")), again, true, true, false},
		{"it is cut within its headers", farConn(t, say("HTTP/1.1 200 OK\r\nContent-")), again, true, true, false},
		{"yes, and a body that never ends", farConn(t, drip("HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n", "x")), delivered, false, false, false},
		{"yes, and a body that is cut", farConn(t, say("HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\nhalf")), delivered, false, false, false},
		{"yes, and no body", farConn(t, say("HTTP/1.1 204 No Content\r\n\r\n")), delivered, false, false, false},
		{"yes, and chunks that are none", farConn(t, say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")), delivered, false, false, false},
		{"no, and a body of gigabytes", farConn(t, drip("HTTP/1.1 500 X\r\nContent-Length: 4000000000\r\n\r\n", strings.Repeat("x", 100_000))), again, false, true, false},
		{"a redirect to itself", farConn(t, say("HTTP/1.1 307 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")), again, false, false, false},
		{"wait for ever", farConn(t, say("HTTP/1.1 429 X\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n")), again, false, false, false},
		{"an unknown answer", farConn(t, say("HTTP/1.1 799 X\r\nContent-Length: 0\r\n\r\n")), again, false, true, false},
		{"no answer but a hint", farConn(t, say("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")), again, true, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(c.base)
			if err != nil {
				t.Fatal(err)
			}
			b, err := newOutbox(Options{Receivers: []Receiver{{Name: "x", Webhook: []WebhookConfig{{URL: Secret(u.String() + "/canary1234")}}}}})
			if err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			if c.waits {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, silence)
				defer cancel()
			}
			o := b.attempt(ctx, b.lanes[0].to, NewMessage(dnsIncident(), ""), nil)
			if o.verdict != c.want || o.maybe != c.maybe || o.suspect != c.own {
				t.Errorf("verdict %d, maybe %v, its own fault %v (%s), want %d, %v, %v", o.verdict, o.maybe, o.suspect, o.why, c.want, c.maybe, c.own)
			}
			if strings.Contains(fmt.Sprint(o.why), "canary1234") {
				t.Errorf("a secret is shown: %s", o.why)
			}
			if o.after > afterMost {
				t.Errorf("waits %v", o.after)
			}
		})
	}
}
