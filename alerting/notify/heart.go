// The dead man's switch: a call a minute for as long as everything goes on, to whoever notices that it does not come.

package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// HeartConfig says who is called. The URL is a secret: whoever knows it can feign that all is well.
type HeartConfig struct {
	URL     Secret // exactly one of the two; none = nobody is called
	URLFile string // read before every call, so that it may change
	Method  string // POST or GET; "" = POST
}

// CheckHeart reports what is wrong with the configuration as a FieldError. The file is read. No error contains the URL.
func CheckHeart(c HeartConfig) error {
	if c.URL == "" && c.URLFile == "" {
		if c.Method != "" {
			return &FieldError{Path: "method", Err: errors.New("there is no url: nobody would be called")}
		}
		return nil
	}
	if _, err := target("url", c.URL, c.URLFile); err != nil {
		if c.URL == "" {
			return &FieldError{Path: "url_file", Err: err}
		}
		return &FieldError{Path: "url", Err: err}
	}
	switch c.Method {
	case "", http.MethodPost, http.MethodGet:
		return nil
	}
	return &FieldError{Path: "method", Err: fmt.Errorf("it is %q; it must be POST or GET", c.Method)}
}

// HeartOptions configure a Heart.
type HeartOptions struct {
	HeartConfig
	Interval time.Duration // between two calls
	// Alive says whether judging goes on and, when it does not, why. It is asked before every call.
	Alive func() (ok bool, why string)
	// Outlet has how receivers are reached: Guard, ProxyFromEnvironment, UserAgent, Timeout, Transport, Log. The rest is not used.
	Outlet Options
}

// Heart calls a URL while judging goes on.
type Heart struct {
	o   HeartOptions
	box *Outbox

	mu    sync.Mutex
	stats HeartStats
}

// HeartStats say how the calls go. They hold no secret.
type HeartStats struct {
	Host    string    // of the URL; "" when unknown
	Held    string    // why no call was made the last time; "" when one was
	Calls   int64     // that were answered with 2xx, since the start
	Last    time.Time // the newest of them; zero when none was
	Tried   time.Time // the newest attempt; zero when there was none
	Fails   int       // attempts that failed since
	LastErr string    // of the newest of these
}

// NewHeart returns a heart, nil when nobody is to be called.
func NewHeart(o HeartOptions) (*Heart, error) {
	if err := CheckHeart(o.HeartConfig); err != nil || o.URL == "" && o.URLFile == "" {
		return nil, err
	}
	o.Outlet.Receivers, o.Outlet.DB = nil, nil
	box, err := newOutbox(o.Outlet)
	if err != nil {
		return nil, err
	}
	h := &Heart{o: o, box: box}
	if u, err := target("url", o.URL, o.URLFile); err == nil {
		h.stats.Host = u.Host
	}
	return h, nil
}

// Stats returns how the calls go. A nil heart's are zero.
func (h *Heart) Stats() HeartStats {
	if h == nil {
		return HeartStats{}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stats
}

// heartTries is how often a call is tried within an interval: one that fails is no silence yet.
const heartTries = 3

// heartSoon is how soon it is asked again whether judging goes on, while it does not.
const heartSoon = 5 * time.Second

// Run calls once an interval, at once at first, until ctx ends. While judging does not go on nobody is called, and the first call comes soon after it does again.
func (h *Heart) Run(ctx context.Context) {
	var held time.Time // since when nobody is called; zero = calls are made, or it was said
	for {
		begun := time.Now()
		ok, why := h.o.Alive()
		h.mu.Lock()
		was := h.stats.Held
		h.stats.Held = why
		h.mu.Unlock()
		next := begun.Add(h.o.Interval)
		switch {
		case ok:
			held = time.Time{}
			h.beat(ctx)
		case was == "":
			held = begun
		case !held.IsZero() && begun.Sub(held) >= h.o.Interval:
			held = time.Time{}
			h.box.opts.Log.Error("no heartbeat: judging does not go on", "why", why)
		}
		if !ok {
			heartHeld.Inc()
			next = begun.Add(min(heartSoon, h.o.Interval))
		}
		wait := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
	}
}

// beat calls, a few times if need be.
func (h *Heart) beat(ctx context.Context) {
	for n := range heartTries {
		o := h.call(ctx)
		h.mu.Lock()
		h.stats.Tried = time.Now()
		if o.verdict == delivered {
			h.stats.Calls++
			h.stats.Last, h.stats.Fails, h.stats.LastErr = time.Now(), 0, ""
		} else {
			h.stats.Fails++
			h.stats.LastErr = o.why
		}
		first := h.stats.Fails == 1
		h.mu.Unlock()
		if o.verdict == delivered {
			heartSent.Inc()
			return
		}
		heartFailed.Inc()
		if first {
			h.box.opts.Log.Warn("heartbeat not delivered", "err", o.why)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(h.o.Interval / 12 * time.Duration(n+1)):
		}
	}
}

// call makes one call.
func (h *Heart) call(ctx context.Context) outcome {
	ctx, cancel := context.WithTimeout(ctx, min(h.box.opts.Timeout, h.o.Interval/4))
	defer cancel()
	return h.box.attempt(ctx, &pulse{h.o.HeartConfig}, nil, nil)
}

// pulse is what is sent. It implements sender.
type pulse struct{ HeartConfig }

func (p *pulse) url() (*url.URL, error) { return target("url", p.URL, p.URLFile) }

func (p *pulse) say(ctx context.Context, u *url.URL, _ *Message, _ *holding, call caller) outcome {
	r, err := p.request(ctx, u, time.Now())
	if err != nil {
		return outcome{verdict: again, why: redact(err, u)}
	}
	return call(r, anyAnswer)
}

func (p *pulse) request(ctx context.Context, u *url.URL, now time.Time) (*http.Request, error) {
	if p.Method == http.MethodGet {
		return http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	}
	return post(ctx, u, plainJSON(map[string]string{"from": "wrackline", "state": "judging", "at": now.UTC().Format(time.RFC3339)}))
}

func trimSlash(s string) string { return strings.TrimRight(s, "/") }

var (
	noticesLost = metrics.NewCounter("wrackline_notify_self_notices_lost_total")
	heartSent   = metrics.NewCounter("wrackline_heartbeats_sent_total")
	heartHeld   = metrics.NewCounter("wrackline_heartbeats_held_total")
	heartFailed = metrics.NewCounter("wrackline_heartbeat_attempts_failed_total")
)
