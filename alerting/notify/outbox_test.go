package notify

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/alerting"
)

// note makes a notification about an incident, with an id of its own for each reason and seq.
func note(incident string, reason alerting.Reason, seq uint32) alerting.Notification {
	n := dnsIncident()
	if reason == alerting.Resolved {
		n = resolvedIncident()
	}
	inc := *n.Incident
	inc.ID = incident
	return alerting.Notification{ID: alerting.NotificationID(incident, reason, seq), IncidentID: incident, Reason: reason, Seq: seq, T: n.T, Incident: &inc}
}

// hit is one request that a far end got.
type hit struct {
	at     time.Time
	url    string
	header http.Header
	body   []byte
}

func (h hit) id() string { return h.header.Get("webhook-id") }

// answer is what the far end does.
type answer struct {
	code   int // 0 = 200
	body   string
	header map[string]string
	err    error         // instead of an answer
	after  time.Duration // before it
}

// farEnd is a receiver without a network: it answers in the time of the test's bubble.
type farEnd struct {
	mu     sync.Mutex
	hits   []hit
	answer func(n int, h hit) answer // n counts from 0; nil = everything is fine
}

func (f *farEnd) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	h := hit{time.Now(), r.URL.String(), r.Header.Clone(), body}
	f.mu.Lock()
	n := len(f.hits)
	f.hits = append(f.hits, h)
	say := f.answer
	f.mu.Unlock()
	var a answer
	if say != nil {
		a = say(n, h)
	}
	if a.after > 0 {
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.After(a.after):
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	if a.code == 0 {
		a.code = 200
	}
	if a.code == 200 && a.body == "" {
		a.body = "ok"
	}
	resp := &http.Response{StatusCode: a.code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r, ProtoMajor: 1, ProtoMinor: 1}
	for k, v := range a.header {
		resp.Header.Set(k, v)
	}
	return resp, nil
}

func (f *farEnd) got() []hit {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.hits)
}

func (f *farEnd) say(fn func(n int, h hit) answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = fn
}

func always(a answer) func(int, hit) answer { return func(int, hit) answer { return a } }

// rig is an outbox over a real file with a far end.
type rig struct {
	t    *testing.T
	path string
	far  *farEnd
	opts Options
	db   *bolt.DB
	box  *Outbox
	stop func()
}

var (
	oneWebhook = []Receiver{{Name: "ops", Webhook: []WebhookConfig{{URL: "https://hook.example/a"}}}}
	oneSlack   = []Receiver{{Name: "chat", Slack: []SlackConfig{{APIURL: "https://slack.example/services/T0/B0/x"}}}}
)

// newRig must be called inside the bubble, for the goroutines are its.
func newRig(t *testing.T, o Options, say func(int, hit) answer) *rig {
	t.Helper()
	r := &rig{t: t, path: filepath.Join(t.TempDir(), "outbox.db"), far: &farEnd{answer: say}}
	if o.Receivers == nil {
		o.Receivers = oneWebhook
	}
	o.Transport = r.far
	if o.Rand == nil {
		o.Rand = func() float64 { return 0.5 } // no jitter
	}
	r.opts = o
	r.open()
	t.Cleanup(r.close)
	return r
}

func openDB(path string) (*bolt.DB, error) {
	return bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second})
}

// open opens file and outbox; run starts delivering.
func (r *rig) open() {
	r.t.Helper()
	var err error
	// Without syncs: what these tests ask holds for the file as other processes see it; a kill is tested with the real thing.
	if r.db, err = bolt.Open(r.path, 0o600, &bolt.Options{Timeout: time.Second, NoSync: true}); err != nil {
		r.t.Fatal(err)
	}
	r.opts.DB = r.db
	if r.box, err = Open(r.opts); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	box := r.box
	go func() { box.Run(ctx); close(done) }()
	r.stop = func() { cancel(); <-done }
}

func (r *rig) close() {
	if r.stop != nil {
		r.stop()
		r.stop = nil
	}
	if r.db != nil {
		if err := r.db.Close(); err != nil {
			r.t.Error(err)
		}
		r.db = nil
	}
}

func (r *rig) put(notes ...alerting.Notification) {
	r.t.Helper()
	for _, n := range notes {
		if err := r.box.Put(n); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) stats() Stats { return r.box.Stats()[0] }

func (r *rig) dead() []DeadLetter {
	r.t.Helper()
	d, err := r.box.DeadLetters()
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

func ids(hits []hit) (out []string) {
	for _, h := range hits {
		out = append(out, h.id())
	}
	return out
}

func TestAMessageIsOnDiskBeforeItsFirstSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *rig
		found := false
		r = newRig(t, Options{}, func(_ int, h hit) answer {
			// What another process would see now: a copy of the file as it is.
			b, err := os.ReadFile(r.path)
			if err != nil {
				t.Error(err)
				return answer{}
			}
			copied := filepath.Join(t.TempDir(), "copy.db")
			if err := os.WriteFile(copied, b, 0o600); err != nil {
				t.Error(err)
			}
			db, err := openDB(copied)
			if err != nil {
				t.Error(err)
				return answer{}
			}
			defer db.Close()
			box, err := Open(Options{DB: db, Receivers: oneWebhook, Transport: &farEnd{}})
			if err != nil {
				t.Error(err)
				return answer{}
			}
			found = len(box.lanes[0].queue) == 1 && box.lanes[0].queue[0].Message.ID == h.id()
			return answer{}
		})
		r.run()
		r.put(note("i1", alerting.First, 0))
		synctest.Wait()
		if len(r.far.got()) != 1 || !found {
			t.Errorf("%d sends, on disk before: %v", len(r.far.got()), found)
		}
		if s := r.stats(); s.Sent != 1 || s.Queued != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestAReplayedIdAddsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		n := note("i1", alerting.First, 0)
		r.put(n, n) // before it was sent
		r.run()
		synctest.Wait()
		r.put(n) // after
		synctest.Wait()
		r.close()
		r.open()
		r.run()
		r.put(n) // after a restart
		time.Sleep(time.Hour)
		if got := r.far.got(); len(got) != 1 {
			t.Errorf("sent %v", ids(got))
		}
		// Ids are forgotten once no journal can bring them back, not earlier.
		time.Sleep(knownFor - 2*time.Hour)
		r.put(n)
		synctest.Wait()
		if got := r.far.got(); len(got) != 1 {
			t.Errorf("sent again within %v", knownFor)
		}
		time.Sleep(24 * time.Hour)
		r.put(n)
		synctest.Wait()
		if got := r.far.got(); len(got) != 2 {
			t.Errorf("the id was never forgotten: the table would grow for ever")
		}
	})
}

func TestRetriesBackOffAndKeepTheirId(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, func(n int, _ hit) answer {
			if n < 11 {
				return answer{code: 503}
			}
			return answer{code: 204}
		})
		r.run()
		r.put(note("i1", alerting.First, 0))
		time.Sleep(3 * time.Hour)
		hits := r.far.got()
		want := []time.Duration{2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300} // seconds
		if len(hits) != len(want)+1 {
			t.Fatalf("%d attempts, want %d", len(hits), len(want)+1)
		}
		for i, w := range want {
			if gap := hits[i+1].at.Sub(hits[i].at); gap != w*time.Second {
				t.Errorf("attempt %d came %v after the one before, want %v", i+1, gap, w*time.Second)
			}
			if hits[i+1].id() != hits[0].id() || !bytes.Equal(hits[i+1].body, hits[0].body) {
				t.Errorf("attempt %d is another message", i+1)
			}
		}
		if s := r.stats(); s.Sent != 1 || s.Failed != 11 || s.Queued != 0 || s.Dead != 0 || !strings.HasPrefix(s.LastError, "503") {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestTheJitterStaysWithinAQuarter(t *testing.T) {
	for _, x := range []float64{0, 0.25, math.Nextafter(1, 0)} {
		b := &Outbox{opts: Options{Rand: func() float64 { return x }}}
		for n := 1; n < 100; n++ {
			base := min(retryFirst*time.Duration(math.Pow(2, float64(min(n, 30)-1))), retryMost)
			if d := b.backoff(n); d < base*3/4 || d > base*5/4 {
				t.Errorf("backoff(%d) with %v = %v, base %v", n, x, d, base)
			}
		}
	}
}

// Not earlier, and not later either: the receiver has said when.
func TestRetryAfterIsObeyedToTheSecond(t *testing.T) {
	for _, c := range []struct {
		code int
		wait time.Duration
		date bool
	}{{429, 37 * time.Second, false}, {503, 20 * time.Minute, false}, {429, 90 * time.Second, true}, {503, time.Second, false}} {
		t.Run(fmt.Sprint(c.code, c.wait, c.date), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{}, func(n int, _ hit) answer {
					if n > 2 {
						return answer{}
					}
					v := fmt.Sprint(int(c.wait.Seconds()))
					if c.date {
						v = time.Now().Add(c.wait).UTC().Format(http.TimeFormat)
					}
					return answer{code: c.code, header: map[string]string{"Retry-After": v}}
				})
				r.run()
				r.put(note("i1", alerting.First, 0))
				synctest.Wait()
				r.put(note("i2", alerting.First, 0)) // others wait with it: the limit is the receiver's
				time.Sleep(2 * time.Hour)
				hits := r.far.got()
				if len(hits) != 5 {
					t.Fatalf("%d attempts, want 5", len(hits))
				}
				for i := 1; i <= 3; i++ {
					if gap := hits[i].at.Sub(hits[i-1].at); gap != c.wait {
						t.Errorf("attempt %d came after %v, want %v", i, gap, c.wait)
					}
				}
			})
		})
	}
}

func TestWhichAnswersAreTriedAgain(t *testing.T) {
	type want int
	const (
		yes want = iota
		retry
		dead
	)
	for _, c := range []struct {
		name string
		a    answer
		to   []Receiver
		want want
	}{
		{"200", answer{}, oneWebhook, yes},
		{"202 with any text", answer{code: 202, body: "queued"}, oneWebhook, yes},
		{"no connection", answer{err: errors.New("connection refused")}, oneWebhook, retry},
		{"blocked address", answer{err: fmt.Errorf("dial: %w", ErrBlocked)}, oneWebhook, retry},
		{"timeout", answer{after: time.Hour}, oneWebhook, retry},
		{"408", answer{code: 408}, oneWebhook, retry},
		{"429", answer{code: 429}, oneWebhook, retry},
		{"500", answer{code: 500}, oneWebhook, retry},
		{"502", answer{code: 502}, oneWebhook, retry},
		{"504", answer{code: 504}, oneWebhook, retry},
		{"599", answer{code: 599}, oneWebhook, retry},
		{"301", answer{code: 301, header: map[string]string{"Location": "https://elsewhere.example/"}}, oneWebhook, dead},
		{"307", answer{code: 307, header: map[string]string{"Location": "https://elsewhere.example/"}}, oneWebhook, dead},
		{"400", answer{code: 400, body: "bad"}, oneWebhook, dead},
		{"401", answer{code: 401}, oneWebhook, dead},
		{"403", answer{code: 403}, oneWebhook, dead},
		{"404", answer{code: 404}, oneWebhook, dead},
		{"413", answer{code: 413}, oneWebhook, dead},
		{"422", answer{code: 422}, oneWebhook, dead},
		{"Slack ok", answer{body: "ok"}, oneSlack, yes},
		{"Slack says something else", answer{body: "<html>login</html>"}, oneSlack, dead},
		{"Slack 404 no_service", answer{code: 404, body: "no_service"}, oneSlack, dead},
		{"Slack 429", answer{code: 429}, oneSlack, retry},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{Receivers: c.to}, always(c.a))
				r.run()
				r.put(note("i1", alerting.First, 0))
				time.Sleep(10 * time.Minute)
				hits, s, letters := r.far.got(), r.stats(), r.dead()
				var ok bool
				switch c.want {
				case yes:
					ok = len(hits) == 1 && s.Sent == 1 && s.Queued == 0 && len(letters) == 0
				case retry:
					ok = len(hits) > 5 && s.Sent == 0 && s.Queued == 1 && len(letters) == 0 && !s.NextAttempt.IsZero()
				case dead:
					ok = len(hits) == 1 && s.Sent == 0 && s.Queued == 0 && s.Dead == 1 && len(letters) == 1 && letters[0].Incident == "i1"
				}
				if !ok {
					t.Errorf("%d sends, stats %+v, dead letters %+v", len(hits), s, letters)
				}
				for _, h := range hits {
					if strings.Contains(h.url, "elsewhere") {
						t.Error("a redirect was followed")
					}
				}
			})
		})
	}
}

func TestGoneDisablesUntilSomebodyIsThereAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, always(answer{code: 410, body: "unsubscribed"}))
		r.put(note("i1", alerting.First, 0), note("i2", alerting.First, 0))
		r.run()
		synctest.Wait()
		r.put(note("i3", alerting.First, 0))
		time.Sleep(24 * time.Hour)
		if n := len(r.far.got()); n != 1 {
			t.Errorf("%d requests to a receiver that is gone", n)
		}
		if s := r.stats(); !strings.Contains(s.Disabled, "410 Gone: unsubscribed") || s.Dead != 3 || s.Queued != 0 {
			t.Errorf("stats %+v", s)
		}
		if d := r.dead(); len(d) != 3 || d[0].Incident != "i3" || !strings.Contains(d[0].Why, "disabled") {
			t.Errorf("dead letters %+v", d)
		}
		// A test message that still meets nobody changes nothing, one that arrives does.
		if got, err := r.box.SendTest(t.Context(), "ops"); err != nil || got[0].Err == nil || r.stats().Disabled == "" {
			t.Errorf("SendTest = %+v, %v", got, err)
		}
		r.far.say(nil)
		if got, err := r.box.SendTest(t.Context(), "ops"); err != nil || got[0].Err != nil || r.stats().Disabled != "" {
			t.Errorf("SendTest = %+v, %v", got, err)
		}
		r.put(note("i4", alerting.First, 0))
		synctest.Wait()
		if s := r.stats(); s.Sent != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestARestartKeepsTheQueueInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, always(answer{code: 500}))
		r.run()
		var want []string
		for i := range 5 {
			n := note(fmt.Sprint("i", i), alerting.First, 0)
			want = append(want, n.ID)
			r.put(n)
		}
		time.Sleep(10 * time.Minute)
		r.close()
		r.far.say(nil)
		before := len(r.far.got())
		r.open()
		if s := r.stats(); s.Queued != 5 || s.Oldest.IsZero() {
			t.Errorf("after the restart: %+v", s)
		}
		r.run()
		synctest.Wait()
		if got := ids(r.far.got()[before:]); !slices.Equal(got, want) {
			t.Errorf("sent %v, want %v", got, want)
		}
		r.close()
		r.open()
		if s := r.stats(); s.Queued != 0 {
			t.Errorf("delivered messages came back: %+v", s)
		}
	})
}

func TestOnlyTheNewestMessageOfAnIncidentWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, always(answer{code: 503}))
		r.run()
		closing := note("i1", alerting.Resolved, 2)
		r.put(note("i1", alerting.First, 0))
		time.Sleep(time.Minute)
		r.put(note("i2", alerting.First, 0), note("i1", alerting.Changed, 1))
		time.Sleep(time.Hour)
		r.put(closing)
		time.Sleep(time.Hour)
		if s := r.stats(); s.Queued != 2 || s.Coalesced != 2 {
			t.Errorf("while it is down: %+v", s)
		}
		r.far.say(nil)
		before := len(r.far.got())
		time.Sleep(time.Hour)
		got := ids(r.far.got()[before:])
		slices.Sort(got)
		want := []string{closing.ID, alerting.NotificationID("i2", alerting.First, 0)}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("sent %v, want %v", got, want)
		}
	})
}

// While a message is under way a newer one may come. When the first fails, only the newer is left to say; never the
// first after it.
func TestANewerMessageIsNeverFollowedByAnOlderOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, func(n int, _ hit) answer {
			if n == 0 {
				return answer{code: 500, after: 5 * time.Second}
			}
			return answer{}
		})
		r.run()
		r.put(note("i1", alerting.First, 0))
		time.Sleep(time.Second)
		r.put(note("i1", alerting.Resolved, 1))
		time.Sleep(time.Hour)
		want := []string{alerting.NotificationID("i1", alerting.First, 0), alerting.NotificationID("i1", alerting.Resolved, 1)}
		if got := ids(r.far.got()); !slices.Equal(got, want) {
			t.Errorf("sent %v, want %v", got, want)
		}
	})
}

func TestSendResolvedFalseKeepsTheClosingWordBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		no := false
		r := newRig(t, Options{Receivers: []Receiver{{Name: "a", Webhook: []WebhookConfig{{URL: "https://a.example/", SendResolved: &no}, {URL: "https://b.example/"}}}}}, nil)
		r.run()
		r.put(note("i1", alerting.First, 0))
		synctest.Wait()
		r.put(note("i1", alerting.Resolved, 1))
		synctest.Wait()
		count := map[string]int{}
		for _, h := range r.far.got() {
			count[h.url]++
		}
		if count["https://a.example/"] != 1 || count["https://b.example/"] != 2 {
			t.Errorf("sent %v", count)
		}
	})
}

func TestSlackGetsAtMostOneMessageASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Receivers: oneSlack}, nil)
		r.run()
		for i := range 20 {
			r.put(note(fmt.Sprint("i", i), alerting.First, 0))
		}
		time.Sleep(time.Minute)
		hits := r.far.got()
		if len(hits) != 20 {
			t.Fatalf("%d messages", len(hits))
		}
		for i := 1; i < len(hits); i++ {
			if gap := hits[i].at.Sub(hits[i-1].at); gap < time.Second || gap > 1100*time.Millisecond {
				t.Errorf("message %d came %v after the one before", i, gap)
			}
		}
	})
}

func TestAMessageThatAReceiverCannotDigestDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := note("bad", alerting.First, 0)
		r := newRig(t, Options{}, func(_ int, h hit) answer {
			if h.id() == bad.ID {
				return answer{code: 500}
			}
			return answer{}
		})
		r.run()
		r.put(bad)
		for i := range 10 {
			time.Sleep(20 * time.Minute)
			r.put(note(fmt.Sprint("i", i), alerting.First, 0))
		}
		time.Sleep(10 * time.Minute)
		if s := r.stats(); s.Sent != 10 || s.Queued != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

// Three days of silence on the other side: one message for each incident waits, and what is too old is given up on time.
func TestAReceiverThatIsDownForDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, always(answer{err: errors.New("no route to host")}))
		r.run()
		start := time.Now()
		r.put(note("old", alerting.First, 0))
		for day := range 3 {
			for i := range 20 {
				time.Sleep(72 * time.Minute)
				n := note(fmt.Sprint("d", day, "-", i), alerting.First, 0)
				r.put(n, note(n.IncidentID, alerting.Changed, 1), note(n.IncidentID, alerting.Resolved, 2))
			}
		}
		if waited := time.Since(start); waited != 72*time.Hour {
			t.Fatalf("%v passed", waited)
		}
		synctest.Wait()
		if s := r.stats(); s.Queued != 60 || s.Coalesced < 2*60 || s.Dead != 1 {
			t.Errorf("after three days: %+v", s)
		}
		if d := r.dead(); len(d) != 1 || d[0].Incident != "old" || time.UnixMilli(d[0].At).Sub(start) != 72*time.Hour || !strings.Contains(d[0].Why, "no route to host") {
			t.Errorf("dead letters %+v", d)
		}
		r.far.say(nil)
		before := len(r.far.got())
		time.Sleep(10 * time.Minute)
		if n := len(r.far.got()) - before; n != 60 || r.stats().Queued != 0 {
			t.Errorf("%d messages when it came back, stats %+v", n, r.stats())
		}
	})
}

func TestAFullQueueGivesTheOldestUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{QueueMax: 3}, always(answer{code: 503}))
		r.run()
		for i := range 5 {
			r.put(note(fmt.Sprint("i", i), alerting.First, 0))
			time.Sleep(time.Second)
		}
		if s := r.stats(); s.Queued != 3 || s.Dead != 2 {
			t.Errorf("stats %+v", s)
		}
		var gone []string
		for _, d := range r.dead() {
			gone = append(gone, d.Incident)
		}
		if !slices.Equal(gone, []string{"i1", "i0"}) {
			t.Errorf("given up %v", gone)
		}
	})
}

func TestWhatTheDiskRefusesIsHeldAndStoredLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		closed, err := openDB(filepath.Join(t.TempDir(), "closed.db"))
		if err != nil {
			t.Fatal(err)
		}
		closed.Close()
		r.box.opts.DB = closed
		a, b := note("i1", alerting.First, 0), note("i2", alerting.First, 0)
		if err := r.box.Put(a); err == nil {
			t.Error("Put to a closed file succeeded")
		}
		r.box.Accept(a)
		r.box.Accept(b)
		if n, lost := r.box.Held(); n != 2 || lost != 0 {
			t.Errorf("held %d, lost %d", n, lost)
		}
		for i := range pendingMax {
			r.box.Accept(note(fmt.Sprint("more", i), alerting.First, 0))
		}
		if n, lost := r.box.Held(); n != pendingMax || lost != 2 {
			t.Errorf("held %d, lost %d: memory must be bounded and what is lost be counted", n, lost)
		}
		r.box.pending = r.box.pending[:2]
		r.box.opts.DB = r.db
		r.run()
		time.Sleep(2 * storeAgain)
		if n, _ := r.box.Held(); n != 0 || len(r.far.got()) != 2 {
			t.Errorf("held %d, sent %v", n, ids(r.far.got()))
		}
	})
}

func TestAShutdownLetsASendFinishButNotForEver(t *testing.T) {
	for _, c := range []struct {
		takes time.Duration
		sent  int64
		least time.Duration
	}{{3 * time.Second, 1, 2 * time.Second}, {12 * time.Second, 0, graceFinish}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Options{}, always(answer{after: c.takes}))
			r.run()
			r.put(note("i1", alerting.First, 0))
			time.Sleep(time.Second)
			began := time.Now()
			r.stop()
			r.stop = nil
			if took := time.Since(began); took != c.least {
				t.Errorf("the stop took %v, want %v", took, c.least)
			}
			if s := r.stats(); s.Sent != c.sent || s.Queued != int(1-c.sent) {
				t.Errorf("stats %+v", s)
			}
			r.close()
			r.open()
			if s := r.stats(); s.Queued != int(1-c.sent) {
				t.Errorf("on disk: %+v", s)
			}
		})
	}
}

func TestDamagedAndOrphanedRowsAreGivenUpNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		two := []Receiver{oneWebhook[0], oneSlack[0]}
		r := newRig(t, Options{Receivers: two}, nil)
		r.put(note("i1", alerting.First, 0), note("i2", alerting.First, 0))
		err := r.db.Update(func(tx *bolt.Tx) error {
			q := tx.Bucket(bucketName).Bucket(queueBucket)
			k, v := q.Cursor().Seek([]byte("ops/"))
			bad := slices.Clone(v)
			bad[len(bad)/2] ^= 1
			return q.Put(k, bad)
		})
		if err != nil {
			t.Fatal(err)
		}
		r.close()
		r.opts.Receivers = oneWebhook // the chat is no longer configured
		r.open()
		r.run()
		synctest.Wait()
		if got := ids(r.far.got()); !slices.Equal(got, []string{alerting.NotificationID("i2", alerting.First, 0)}) {
			t.Errorf("sent %v", got)
		}
		why := map[string]int{}
		for _, d := range r.dead() {
			why[d.Why]++
		}
		if why["the record was damaged"] != 1 || why["receiver is no longer configured"] != 2 {
			t.Errorf("dead letters %v", why)
		}
		// A newer version's outbox is not touched.
		r.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketName).Put(formatKey, []byte("2")) })
		if _, err := Open(r.opts); !errors.Is(err, ErrFormat) {
			t.Errorf("Open of a newer format: %v", err)
		}
	})
}

func TestDeadLettersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, always(answer{code: 400}))
		r.run()
		for i := range deadMax + 20 {
			r.put(note(fmt.Sprint("i", i), alerting.First, 0))
		}
		time.Sleep(time.Minute)
		if d := r.dead(); len(d) != deadMax || d[0].Incident != fmt.Sprint("i", deadMax+19) {
			t.Errorf("%d dead letters, newest %s", len(d), d[0].Incident)
		}
	})
}

// One canary for each place a secret can be in, and a far end that repeats all of them.
func TestSecretsShowNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			path, query, user, pass = "canaryPath1", "canaryQuery2", "canaryUser3", "canaryPass4"
			bearer                  = "canaryBearer5"
			slackPath               = "canarySlack6"
		)
		key := "whsec_Y2FuYXJ5LXNlY3JldC1rZXktNy1jYW5hcnktc2VjcmV0" // base64 of canary-secret-key-7-…
		receivers := []Receiver{{Name: "ops",
			Webhook: []WebhookConfig{{URL: Secret("https://" + user + ":" + pass + "@hook.example/" + path + "/b?token=" + query), Secret: Secret(key), Bearer: bearer}},
			Slack:   []SlackConfig{{APIURL: Secret("https://hooks.example/services/T0/B0/" + slackPath)}},
		}}
		var log bytes.Buffer
		echo := func(n int, h hit) answer {
			// Each side knows its own secrets only; it repeats them plainly, encoded, and at the place where answers are cut.
			all := h.url + " " + fmt.Sprint(h.header) + " " + slackPath
			if strings.Contains(h.url, "hook.example") {
				basic := base64.StdEncoding.EncodeToString([]byte(user + ":" + pass))
				all = h.url + " " + fmt.Sprint(h.header) + " " + path + " " + query + " " + user + " " + pass + " " + basic + strings.Repeat(" "+bearer, 50)
			}
			switch n % 4 {
			case 0:
				return answer{code: 500, body: all}
			case 1:
				return answer{err: errors.New("proxy said: " + all)}
			case 2:
				return answer{code: 200, body: all} // fine for a webhook, not for Slack
			}
			return answer{code: 400, body: all}
		}
		var shown bytes.Buffer
		r := newRig(t, Options{Receivers: receivers, Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}, echo)
		r.run()
		for i := range 12 {
			r.put(note(fmt.Sprint("i", i), alerting.First, 0))
			time.Sleep(time.Minute)
			json.NewEncoder(&shown).Encode(r.box.Stats())
		}
		for range 4 {
			got, err := r.box.SendTest(t.Context(), "")
			fmt.Fprintln(&shown, got, err)
			for _, d := range got {
				fmt.Fprintln(&shown, d.Err)
			}
		}
		fmt.Fprintf(&shown, "%v %+v %#v\n", receivers, receivers, r.opts.Receivers)
		json.NewEncoder(&shown).Encode(receivers)
		json.NewEncoder(&shown).Encode(r.dead())
		if len(r.dead()) < 3 || log.Len() == 0 {
			t.Fatalf("%d dead letters, %d bytes of log: the test tests nothing", len(r.dead()), log.Len())
		}
		r.close()
		file, err := os.ReadFile(r.path)
		if err != nil {
			t.Fatal(err)
		}
		for where, text := range map[string]string{"what is shown": shown.String(), "the log": log.String(), "the file": string(file)} {
			for _, c := range []string{path, query, user, pass, bearer, slackPath, key, "Y2FuYXJ5", "Y2FuYXJ5VXNlcjM", "canary"} {
				if i := strings.Index(text, c); i >= 0 {
					t.Errorf("%s shows %s: …%s…", where, c, text[max(0, i-60):min(len(text), i+60)])
				}
			}
		}
	})
}

func TestSendTestSaysWhatBecameOfEach(t *testing.T) {
	far := &farEnd{answer: func(_ int, h hit) answer {
		if strings.Contains(h.url, "slack.example") {
			return answer{code: 403, body: "invalid_token"}
		}
		return answer{}
	}}
	o := Options{Transport: far, Receivers: []Receiver{oneWebhook[0], oneSlack[0], {Name: "nobody"}}}
	got, err := SendTest(t.Context(), o, "")
	if err != nil || len(got) != 2 {
		t.Fatalf("SendTest = %+v, %v", got, err)
	}
	if got[0].Err != nil || got[0].Host != "hook.example" || got[0].Kind != "webhook" {
		t.Errorf("webhook: %+v", got[0])
	}
	if got[1].Err == nil || !strings.Contains(got[1].Err.Error(), "403 Forbidden: invalid_token") {
		t.Errorf("slack: %+v", got[1])
	}
	for _, name := range []string{"nobody", "unknown"} {
		if _, err := SendTest(t.Context(), o, name); !errors.Is(err, ErrNoReceiver) {
			t.Errorf("SendTest(%s) = %v", name, err)
		}
	}
	if !bytes.Contains(far.got()[0].body, []byte("Test message from Wrackline")) {
		t.Errorf("body %s", far.got()[0].body)
	}
}
