// One attempt to deliver one message, and what its answer means.

package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// sender speaks one receiver's language.
type sender interface {
	url() (*url.URL, error)
	// say delivers a message with as many calls as it takes. h is what the far end holds of the incident, nil when that is not known; it is changed to what it holds afterwards.
	say(ctx context.Context, u *url.URL, m *Message, h *holding, call caller) outcome
}

// caller sends one request. accepted says whether a 2xx answer is somebody else's, or a no: then it is an answerError.
type caller func(r *http.Request, accepted func(h http.Header, body []byte) error) outcome

// answerError is what a far end says no with in an answer that is a yes by its status.
type answerError struct {
	outcome
	word string
}

// Error says the far end's word.
func (e *answerError) Error() string { return "the answer is " + e.word }

type verdict int

const (
	delivered verdict = iota
	again             // nobody took it
	refused           // the answer says that this very message will not do
	gone              // 410: nobody is there any more
)

type outcome struct {
	verdict verdict
	maybe   bool          // it may have arrived all the same: nobody said no
	suspect bool          // of again: it may be for this very message; else it is about the way, a limit, a door that is being moved
	past    bool          // of refused: what the message answers to, or changes, is not there any more
	after   time.Duration // what the receiver asked to wait; 0 when it did not
	why     string        // redacted; empty when delivered
}

// attempt sends m once. Nothing that an answer says is final, since a proxy, a login or a deploy may have said it in the receiver's place; verdicts differ in whether other messages should wait and in what is
// said of it. About the way, not the message: no connection, an address that the guard blocks (names change their addresses), a file that cannot be read just now, 401, 403, 404, 407, 429, a gateway's 502 to 504, and redirects,
// which are not followed (that would lead around the guard and the signature). Perhaps about the message: a connection that ends or stays silent, 500, a 2xx that is plainly somebody else's. About it: 400, 413, 422 ….
// A 2xx is a yes, whatever its body is or whether it ends, unless the answer is plainly not the receiver's.
func (b *Outbox) attempt(ctx context.Context, s sender, m *Message, h *holding) outcome {
	u, err := s.url()
	if err != nil {
		return outcome{verdict: again, why: redact(err, nil)}
	}
	ctx = b.secured(ctx, s)
	return s.say(ctx, u, m, h, b.caller(ctx, u))
}

// caller returns what sends requests to u. An outcome says of all of them together whether something may have arrived.
func (b *Outbox) caller(ctx context.Context, u *url.URL) caller {
	return func(r *http.Request, accepted func(http.Header, []byte) error) outcome {
		return b.exchange(ctx, u, r, accepted)
	}
}

// exchange sends one request and reads what its answer means.
func (b *Outbox) exchange(ctx context.Context, u *url.URL, r *http.Request, accepted func(http.Header, []byte) error) outcome {
	reached := false // somebody was there to whom it may have been said
	r = r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { reached = true }}))
	r.Header.Set("User-Agent", b.opts.UserAgent)
	secrets := shown(r)
	resp, err := b.clientOf(ctx).Do(r)
	switch {
	case err != nil && reached:
		return outcome{verdict: again, suspect: true, maybe: true, why: redact(err, u, secrets...)}
	case err != nil:
		return outcome{verdict: again, why: redact(err, u, secrets...)}
	}
	defer resp.Body.Close()
	body := answerOf(ctx, resp)
	code := resp.StatusCode
	switch {
	case code >= 200 && code < 300:
		err := accepted(resp.Header, body)
		if no, ok := errors.AsType[*answerError](err); ok {
			o := no.outcome
			o.why = redact(no, u, secrets...)
			if after := retryAfter(resp.Header.Get("Retry-After"), time.Now()); after > 0 && o.verdict == again {
				o.after = after
			}
			return o
		}
		if err != nil {
			return outcome{verdict: again, suspect: true, why: redact(fmt.Errorf("%w: %q", err, body), u, secrets...)}
		}
		return outcome{}
	case code == http.StatusGone:
		return outcome{verdict: gone, why: answered(code, body, u, secrets...)}
	}
	o := outcome{verdict: refused, after: retryAfter(resp.Header.Get("Retry-After"), time.Now()), why: answered(code, body, u, secrets...)}
	switch {
	case code < 400, aboutTheWay[code], o.after > 0: // who says when to come back does not mean the message
		o.verdict = again
	case code >= 500:
		o.verdict, o.suspect = again, true
	}
	return o
}

// shown returns the secrets of a request's header, which an answer or an error may quote.
func shown(r *http.Request) (secrets []string) {
	text := r.Header.Get("Authorization")
	_, value, _ := strings.Cut(text, " ")
	secrets = append(secrets, text, value)
	if name, password, ok := r.BasicAuth(); ok {
		secrets = append(secrets, name+":"+password, password)
	}
	return secrets
}

// aboutTheWay are the answers from 400 that say nothing of the message.
var aboutTheWay = map[int]bool{
	http.StatusUnauthorized: true, http.StatusForbidden: true, http.StatusNotFound: true, http.StatusMethodNotAllowed: true, http.StatusProxyAuthRequired: true,
	http.StatusRequestTimeout: true, http.StatusConflict: true, http.StatusMisdirectedRequest: true, http.StatusLocked: true, http.StatusTooEarly: true,
	http.StatusTooManyRequests: true, http.StatusUnavailableForLegalReasons: true,
	http.StatusBadGateway: true, http.StatusServiceUnavailable: true, http.StatusGatewayTimeout: true,
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

func answered(code int, body []byte, u *url.URL, secrets ...string) string {
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
	return redact(errors.New(text), u, secrets...)
}

// afterMost is the longest that a receiver's word is taken for: who asks for a day, by mistake or by a wrong clock, is asked once an hour.
const afterMost = time.Hour

// retryAfter reads seconds or a date; 0 means absent, unreadable or past.
func retryAfter(h string, now time.Time) time.Duration {
	h = strings.TrimSpace(h)
	if n, err := strconv.ParseUint(h, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(n, uint64(afterMost/time.Second))) * time.Second
	}
	if t, err := http.ParseTime(h); err == nil && t.After(now) {
		return min(t.Sub(now), afterMost)
	}
	return 0
}

// Delivery is the outcome of a test message at one integration.
type Delivery struct {
	Receiver string
	Kind     string // slack, webhook or alertmanager
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

// SendTest is the function of that name with the outbox's own configuration. What waits for an integration that takes the message
// goes out at once; statistics stay as they are.
func (b *Outbox) SendTest(ctx context.Context, receiver string) ([]Delivery, error) {
	var out []Delivery
	m := NewTestMessage(time.Now(), b.opts.ExternalURL)
	for _, l := range b.lanes {
		if receiver != "" && l.receiver != receiver {
			continue
		}
		sendCtx, cancel := context.WithTimeout(ctx, b.opts.Timeout)
		o := b.attempt(sendCtx, l.to, m, nil)
		cancel()
		d := Delivery{Receiver: l.receiver, Kind: l.kind, Host: l.stats.Host}
		if o.verdict != delivered {
			d.Err = errors.New(o.why)
		} else {
			b.mu.Lock()
			l.well(true, time.Now()) // what waits need not wait for its next attempt
			l.pace.free = time.Now().Add(l.gap)
			b.mu.Unlock()
			signalTo(l.wake)
		}
		out = append(out, d)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%q: %w", receiver, ErrNoReceiver)
	}
	return out, nil
}
