// What the tests of the outbox are made with: notifications, a far end without a network, an outbox over a real file.

package notify

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
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
	var op *net.OpError
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && !errors.As(a.err, &op) && !errors.Is(a.err, ErrBlocked) {
		trace.GotConn(httptrace.GotConnInfo{})
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

// noRoute is what a dial says when nobody is there.
var noRoute = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no route to host")}

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

// held returns how many incidents an integration holds something of.
func (r *rig) held(lane int) int {
	r.box.mu.Lock()
	defer r.box.mu.Unlock()
	return len(r.box.lanes[lane].held)
}

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

// copy returns a rig over a copy of the file as it is now, as a process that starts after a kill finds it, with a far end that is well.
func (r *rig) copy() *rig {
	r.t.Helper()
	b, err := os.ReadFile(r.path)
	if err != nil {
		r.t.Fatal(err)
	}
	c := &rig{t: r.t, path: r.path + ".copy", far: &farEnd{}, opts: r.opts}
	c.opts.Transport = c.far
	if err := os.WriteFile(c.path, b, 0o600); err != nil {
		r.t.Fatal(err)
	}
	c.open()
	r.t.Cleanup(c.close)
	return c
}
