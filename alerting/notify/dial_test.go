package notify

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestGuardKnowsWhatMustNotBeReached(t *testing.T) {
	never := []string{
		"169.254.169.254", "169.254.170.2", "169.254.0.1", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "64:ff9b::169.254.169.254",
		"2002:a9fe:a9fe::1", "::169.254.169.254", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "0.0.0.0", "0.1.2.3", "::",
		"224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "ff02::1", "192.0.0.8", "::ffff:0.0.0.0", "::ffff:224.0.0.1",
	}
	private := []string{
		"127.0.0.1", "127.1.2.3", "127.255.255.255", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1",
		"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::", "2002:c0a8:101::1",
		"100.64.0.1", "100.127.255.255", "198.18.0.1", "fc00::1", "fd12:3456::1", "fdff::1", "fec0::1", "::10.0.0.1", "::ffff:192.168.1.1", "64:ff9b:1::a00:1", "2001:0:53aa:64c::1",
		"::ffff:100.64.0.1",
	}
	public := []string{"1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "192.167.255.255", "11.0.0.1", "2606:4700::1111", "2a00::1", "64:ff9b::1.1.1.1", "2002:101:101::1", "192.0.1.1", "198.20.0.1"}
	if len(never)+len(private) < 55 {
		t.Errorf("only %d addresses", len(never)+len(private))
	}
	check := func(g Guard, list []string, blocked bool) {
		t.Helper()
		for _, s := range list {
			if err := g.Check(netip.MustParseAddr(s)); errors.Is(err, ErrBlocked) != blocked {
				t.Errorf("DenyPrivate %v, Allow %v: Check(%s) = %v", g.DenyPrivate, g.Allow, s, err)
			}
		}
	}
	open, strict := Guard{}, Guard{DenyPrivate: true}
	check(open, never, true)
	check(open, private, false)
	check(open, public, false)
	check(strict, never, true)
	check(strict, private, true)
	check(strict, public, false)

	no := false
	g, err := (&Outlet{AllowPrivate: &no, AllowAddresses: []string{"10.1.0.0/16", "127.0.0.1", "fd00::5", "169.254.9.9"}}).Guard()
	if err != nil {
		t.Fatal(err)
	}
	check(g, []string{"10.1.2.3", "127.0.0.1", "::ffff:127.0.0.1", "fd00::5", "169.254.9.9"}, false)
	check(g, []string{"10.2.0.1", "127.0.0.2", "fd00::6", "169.254.169.254", "64:ff9b::10.2.0.1"}, true)
	for _, bad := range []string{"", "10.0.0.0/33", "example.org", "10.0.0"} {
		if _, err := (&Outlet{AllowAddresses: []string{bad}}).Guard(); err == nil {
			t.Errorf("allow_addresses %q is accepted", bad)
		}
	}
}

// However an address is written, and whatever leads to it, the strict guard lets no connection reach a local listener.
func TestNoSpellingLeadsAroundTheGuard(t *testing.T) {
	var reached atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reached.Add(1) }))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	redirect := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, srv.URL, http.StatusTemporaryRedirect)
	}))
	ln, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skip("no second loopback address:", err)
	}
	redirect.Listener.Close()
	redirect.Listener = ln
	redirect.Start()
	defer redirect.Close()

	hosts := []string{"127.0.0.1", "localhost", "localhost.", "LOCALHOST", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "0", "0.0.0.0",
		"[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]", "127.0.0.1.", "①②⑦.⓪.⓪.①"}
	var urls []string
	for _, h := range hosts {
		urls = append(urls, "http://"+h+":"+port+"/")
	}
	urls = append(urls, "http://user@127.0.0.1:"+port+"/", "http://example.org@127.0.0.1:"+port+"/", "http://127.0.0.1:"+port+"/?http://example.org", redirect.URL)
	strict := Guard{DenyPrivate: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}} // the redirecting server may be reached
	var wg sync.WaitGroup
	for _, u := range urls {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			got, err := SendTest(ctx, Options{Guard: strict, Receivers: []Receiver{{Name: "x", Webhook: []WebhookConfig{{URL: Secret(u)}}}}}, "x")
			if err == nil && got[0].Err == nil {
				t.Errorf("a message was delivered to %s", u)
			}
		})
	}
	wg.Wait()
	if n := reached.Load(); n != 0 {
		t.Errorf("%d requests reached the listener", n)
	}
	// The listener is there: without the guard's veto it is reached.
	got, err := SendTest(t.Context(), Options{Receivers: []Receiver{{Name: "x", Webhook: []WebhookConfig{{URL: Secret(srv.URL)}}}}}, "x")
	if err != nil || got[0].Err != nil || reached.Load() != 1 {
		t.Errorf("without the guard: %+v, %v, %d requests", got, err, reached.Load())
	}
	// And a blocked address says so.
	got, err = SendTest(t.Context(), Options{Guard: Guard{DenyPrivate: true}, Receivers: []Receiver{{Name: "x", Webhook: []WebhookConfig{{URL: Secret(srv.URL)}}}}}, "x")
	if err != nil || got[0].Err == nil || !strings.Contains(got[0].Err.Error(), "address is blocked") {
		t.Errorf("with the guard: %+v, %v", got, err)
	}
}
