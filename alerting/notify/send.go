// One attempt to deliver one message, and what its answer means.

package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// sender speaks one receiver's language.
type sender interface {
	url() (*url.URL, error)
	request(ctx context.Context, u *url.URL, m *Message, now time.Time) (*http.Request, error)
	accepted(h http.Header, body []byte) error // says whether a 2xx answer is somebody else's
}

type verdict int

const (
	delivered verdict = iota
	again             // may succeed later
	refused           // will never succeed
	gone              // 410: nobody is there any more
)

type outcome struct {
	verdict verdict
	maybe   bool          // it may have arrived all the same: nobody said no
	after   time.Duration // what the receiver asked to wait; 0 when it did not
	why     string        // redacted; empty when delivered
}

// attempt sends m once. Whatever can pass is tried again: no connection, an address that the guard blocks (names change their
// addresses, and nothing has been sent), a timeout, 408, 429, 5xx, a file that cannot be read just now; and what a proxy or a deploy says in the receiver's place or while its door is being
// moved: 401, 403, 404, 407 and other answers about the way, not the message, and redirects, which are not followed (that would lead around the guard and the signature). What says that this message will never do
// (400, 413, 422 …) is final. A 2xx is a yes, whatever its body is or whether it ends, unless the answer is plainly not the receiver's.
func (b *Outbox) attempt(ctx context.Context, s sender, m *Message) outcome {
	u, err := s.url()
	if err != nil {
		return outcome{verdict: again, why: redact(err, nil)}
	}
	r, err := s.request(ctx, u, m, time.Now())
	if err != nil {
		return outcome{verdict: again, why: redact(err, u)}
	}
	r.Header.Set("User-Agent", b.opts.UserAgent)
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") // an answer or an error may quote it
	resp, err := b.client.Do(r)
	if err != nil {
		var op *net.OpError
		dial := errors.As(err, &op) && op.Op == "dial"
		return outcome{verdict: again, maybe: !dial && !errors.Is(err, ErrBlocked), why: redact(err, u, token)}
	}
	defer resp.Body.Close()
	body := answerOf(ctx, resp)
	code := resp.StatusCode
	switch {
	case code >= 200 && code < 300:
		if err := s.accepted(resp.Header, body); err != nil {
			return outcome{verdict: again, why: redact(fmt.Errorf("%w: %q", err, body), u, token)}
		}
		return outcome{}
	case code == http.StatusGone:
		return outcome{verdict: gone, why: answered(code, body, u, token)}
	case code >= 500, code < 400, aboutTheWay[code]:
		return outcome{verdict: again, after: retryAfter(resp.Header.Get("Retry-After"), time.Now(), b.opts.MaxAge), why: answered(code, body, u, token)}
	}
	return outcome{verdict: refused, why: answered(code, body, u, token)}
}

// aboutTheWay are the answers of 4xx that say nothing of the message.
var aboutTheWay = map[int]bool{
	http.StatusUnauthorized: true, http.StatusForbidden: true, http.StatusNotFound: true, http.StatusMethodNotAllowed: true, http.StatusProxyAuthRequired: true,
	http.StatusRequestTimeout: true, http.StatusConflict: true, http.StatusMisdirectedRequest: true, http.StatusLocked: true, http.StatusTooEarly: true,
	http.StatusTooManyRequests: true, http.StatusUnavailableForLegalReasons: true,
}

// answerWait is for how long the body of an answer is read: its status has said what counts.
const answerWait = 2 * time.Second

// answerOf returns the beginning of an answer's body, as far as it comes soon.
func answerOf(ctx context.Context, resp *http.Response) []byte {
	ctx, stop := context.WithTimeout(ctx, answerWait)
	defer stop()
	defer context.AfterFunc(ctx, func() { resp.Body.Close() })()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, answerMax))
	return body
}

func answered(code int, body []byte, u *url.URL, token string) string {
	text := strconv.Itoa(code)
	if t := http.StatusText(code); t != "" {
		text += " " + t
	}
	if code >= 300 && code < 400 {
		text += " (redirects are not followed)"
	}
	if len(body) > 0 {
		text += ": " + string(body) // whole: a secret that was cut in two would not be found
	}
	return redact(errors.New(text), u, token)
}

// retryAfter reads seconds or a date; 0 means absent, unreadable or past. Beyond most nothing waits longer.
func retryAfter(h string, now time.Time, most time.Duration) time.Duration {
	if h == "" {
		return 0
	}
	if n, err := strconv.ParseInt(h, 10, 64); err == nil {
		if n <= 0 {
			return 0
		}
		return min(time.Duration(min(n, int64(most/time.Second)+1))*time.Second, most)
	}
	if t, err := http.ParseTime(h); err == nil && t.After(now) {
		return min(t.Sub(now), most)
	}
	return 0
}

// Delivery is the outcome of a test message at one integration.
type Delivery struct {
	Receiver string
	Kind     string // slack or webhook
	Host     string
	Err      error // nil when it arrived; holds no secret
}

// ErrNoReceiver is returned by SendTest for a name that is not configured or has no integration.
var ErrNoReceiver = errors.New("no such receiver, or it has no integration")

// SendTest sends a test message to every integration of a receiver, or of all when the name is empty, once and past
// the outbox, and says what became of it. It needs no database.
func SendTest(ctx context.Context, o Options, receiver string) ([]Delivery, error) {
	b, err := newOutbox(o)
	if err != nil {
		return nil, err
	}
	return b.SendTest(ctx, receiver)
}

// SendTest is the function of that name with the outbox's own configuration. An integration that takes the message is enabled again; queues and
// statistics stay as they are.
func (b *Outbox) SendTest(ctx context.Context, receiver string) ([]Delivery, error) {
	var out []Delivery
	m := NewTestMessage(time.Now(), b.opts.ExternalURL)
	for _, l := range b.lanes {
		if receiver != "" && l.receiver != receiver {
			continue
		}
		sendCtx, cancel := context.WithTimeout(ctx, b.opts.Timeout)
		o := b.attempt(sendCtx, l.to, m)
		cancel()
		d := Delivery{Receiver: l.receiver, Kind: l.kind, Host: l.stats.Host}
		if o.verdict != delivered {
			d.Err = errors.New(o.why)
		} else {
			b.mu.Lock()
			l.disabled = "" // somebody is there again
			b.mu.Unlock()
		}
		out = append(out, d)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%q: %w", receiver, ErrNoReceiver)
	}
	return out, nil
}
