package peer

// What the tests of a pair are made with: two servers, each with a real outbox over a real file and the real Peer, a network between them that can be cut and slowed, and a receiver that counts.
// All of it lives in the time of the test's bubble.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
)

// epoch is when event time begins: a Monday, 2026-01-05 00:00 UTC.
const (
	epoch  = 1_767_571_200_000
	minute = 60_000
	token  = "a-token-of-two-servers"
)

// story is an incident as a server has it.
type story struct {
	name     string // of its workload: which incident it is in truth
	id       string // "" = that of servers that have learned the same
	onset    int64  // minutes of event time
	severity pack.Severity
}

func (s story) incident() string {
	if s.id != "" {
		return s.id
	}
	return fmt.Sprintf("i%s%d", s.name, s.onset)
}

// note makes a notification of it at a minute of event time.
func (s story) note(reason alerting.Reason, seq uint32, at int64) alerting.Notification {
	severity := s.severity
	if severity == "" {
		severity = pack.Page
	}
	entity := series.Labels{{Name: "cluster", Value: "prod"}, {Name: "namespace", Value: "shop"}, {Name: "workload", Value: s.name}}
	band := model.Band{Lower: 0, Expected: .001, Upper: .002}
	m := alerting.Member{SignalID: "svc.error_ratio~" + s.name, Name: "svc.error_ratio", Entity: entity, Unit: "ratio", Severity: severity, Onset: epoch + s.onset*minute, Opened: epoch + (s.onset+1)*minute, Fired: 1,
		State: model.High, Test: model.PointTest, Value: .3, Band: band, Score: 2, Peak: 2, Worst: .3, WorstT: epoch + at*minute, WorstBand: band, Maturity: 1}
	inc := &alerting.Incident{ID: s.incident(), Title: "errors of " + s.name, Severity: severity, Cluster: "prod", Scope: entity, Onset: m.Onset, Opened: m.Opened, Updated: epoch + at*minute}
	if reason == alerting.Resolved {
		m.Ended, m.Ending, m.State, m.Value = epoch+at*minute, "recovered", model.Normal, .001
		inc.Resolved, inc.Resolution = epoch+at*minute, "recovered"
	}
	inc.Members = []alerting.Member{m}
	return alerting.Notification{ID: alerting.NotificationID(inc.ID, reason, seq), IncidentID: inc.ID, Reason: reason, Seq: seq, T: epoch + at*minute, Incident: inc}
}

// told is one message that a receiver took.
type told struct {
	by     int    // which server
	to     string // path of the receiver
	name   string // workload; "digest" or "summary" of those
	closes bool
	again  bool // it is repeated: still open
	note   string
	at     time.Time
	labels string // of an alert for an Alertmanager
	alert  string // the incident that an alert for an Alertmanager names
}

// world is two servers, what is between them, and the receiver.
type world struct {
	t       *testing.T
	servers [2]*server

	mu     sync.Mutex // guards what follows
	told   []told
	down   [2]bool // the receiver is not reached by this server
	cut    bool    // nothing passes between the two
	oneWay int     // only what this server says to the other does not pass; −1 = all does
	delay  time.Duration
}

// server is one of the two.
type server struct {
	w       *world
	n       int
	path    string
	opts    notify.Options
	folded  []alerting.Notification // what its fold has emitted, in order: a start folds it again
	current map[string]*alerting.Incident
	judged  int64
	mu      sync.Mutex // guards current and judged

	db    *bolt.DB
	box   *notify.Outbox
	peer  *Peer
	alive bool
	life  int
	stop  func()
}

// newWorld starts two servers, of which 0 is first.
func newWorld(t *testing.T, o notify.Options) *world {
	t.Helper()
	w := &world{t: t, oneWay: -1}
	if o.Receivers == nil {
		o.Receivers = []notify.Receiver{{Name: "ops", Webhook: []notify.WebhookConfig{{URL: "https://hook.example/a", PerMinute: 60_000}}}}
	}
	for n := range w.servers {
		s := &server{w: w, n: n, path: filepath.Join(t.TempDir(), "outbox.db"), opts: o, current: map[string]*alerting.Incident{}}
		w.servers[n] = s
	}
	for _, s := range w.servers {
		s.start()
		time.Sleep(time.Second) // so that 0 has learned for longer
	}
	t.Cleanup(func() {
		for _, s := range w.servers {
			s.end()
		}
	})
	time.Sleep(10 * time.Second)
	return w
}

// lifeFar is a receiver as one life of a server sees it: a process that is gone reaches nobody.
type lifeFar struct {
	s    *server
	life int
}

var errDown = errors.New("connection refused")

func (f lifeFar) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w := f.s.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down[f.s.n] || f.s.life != f.life {
		return nil, errDown
	}
	w.take(f.s.n, r.URL.Path, body)
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("ok")), Request: r, ProtoMajor: 1, ProtoMinor: 1}, nil
}

// take reads a message. The caller holds mu.
func (w *world) take(by int, to string, body []byte) {
	x := told{by: by, to: to, at: time.Now()}
	if bytes.HasPrefix(body, []byte("[")) { // for an Alertmanager
		var list []struct {
			Labels map[string]string
			EndsAt time.Time
		}
		if err := json.Unmarshal(body, &list); err != nil {
			w.t.Errorf("%s got %s", to, body)
		}
		for _, a := range list {
			y := x
			y.name, y.closes, y.labels, y.alert = a.Labels["workload"], !a.EndsAt.After(time.Now()), fmt.Sprint(a.Labels), a.Labels["incident"]
			w.told = append(w.told, y)
		}
		return
	}
	var p struct {
		Status             string
		NotificationReason string `json:"notification_reason"`
		Alerts             []struct {
			Labels, Annotations map[string]string
		}
	}
	if err := json.Unmarshal(body, &p); err != nil || len(p.Alerts) == 0 {
		w.t.Errorf("%s got %s", to, body)
		return
	}
	a := p.Alerts[0]
	x.name, x.closes, x.note = a.Labels["workload"], p.Status == "resolved", a.Annotations["told"]
	x.again = strings.Contains(p.NotificationReason, "repeat")
	switch a.Labels["alertname"] {
	case "wrackline.missed":
		x.name, x.note = "summary", a.Annotations["ended"]
	case "wrackline.digest":
		x.name = "digest"
	}
	w.told = append(w.told, x)
}

// between carries what one server says to the other.
type between struct {
	s    *server
	life int
}

func (b between) RoundTrip(r *http.Request) (*http.Response, error) {
	w, other := b.s.w, b.s.w.servers[1-b.s.n]
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	cut, delay := w.cut || w.oneWay == b.s.n, w.delay
	w.mu.Unlock()
	if delay > 0 {
		time.Sleep(delay) // it arrives, whether somebody waits or not
	}
	if cut {
		<-r.Context().Done() // nothing comes back: no answer, and no refusal
		return nil, r.Context().Err()
	}
	w.mu.Lock()
	p, alive := other.peer, other.alive && b.s.life == b.life
	w.mu.Unlock()
	if !alive {
		return nil, errDown
	}
	rec := httptest.NewRecorder()
	in := httptest.NewRequest(r.Method, r.URL.String(), bytes.NewReader(body))
	in.Header = r.Header.Clone()
	p.ServeHTTP(rec, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return rec.Result(), nil
}

// start starts a server, which folds again what it had folded.
func (s *server) start() {
	s.w.t.Helper()
	var err error
	if s.db, err = bolt.Open(s.path, 0o600, &bolt.Options{Timeout: time.Second, NoSync: true}); err != nil {
		s.w.t.Fatal(err)
	}
	life := s.life
	o := s.opts
	o.DB, o.Transport, o.Rand = s.db, lifeFar{s, life}, func() float64 { return .5 }
	o.Current = func(id string) (*alerting.Incident, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		inc, ok := s.current[id]
		return inc, ok
	}
	o.Judged = func(string) int64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.judged
	}
	var box *notify.Outbox
	p := New(Options{URL: "http://other", Token: func() (string, error) { return token, nil }, Wait: o.PeerWait, Client: &http.Client{Transport: between{s, life}},
		Self:   func() Report { return Report{Version: "test", Ready: true} },
		Answer: func(q *notify.Question) (notify.Answer, error) { return box.Answer(q) },
		Learn:  func(list []notify.Word) error { return box.Learn(list) }})
	o.Peer = p
	if box, err = notify.Open(o); err != nil {
		s.w.t.Fatal(err)
	}
	id, born, err := box.Self(0)
	if err != nil {
		s.w.t.Fatal(err)
	}
	p.Introduce(id, born)
	for _, n := range s.folded {
		box.Accept(n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { box.Run(ctx) })
	wg.Go(func() { p.Run(ctx) })
	s.w.mu.Lock()
	s.box, s.peer, s.alive = box, p, true
	s.w.mu.Unlock()
	s.stop = func() { cancel(); wg.Wait() }
}

// kill ends a server as kill -9 does: what is on disk at this moment is all that is left, and nothing that was under way goes on.
func (s *server) kill() {
	s.w.t.Helper()
	if !s.alive {
		return
	}
	s.w.mu.Lock()
	image, err := os.ReadFile(s.path) // no write is under way: bolt's are single, and nobody runs beside the bubble's one goroutine that is awake
	s.alive = false
	s.life++
	s.w.mu.Unlock()
	if err != nil {
		s.w.t.Fatal(err)
	}
	s.stop()
	if err := s.db.Close(); err != nil {
		s.w.t.Fatal(err)
	}
	s.path = fmt.Sprintf("%s.%d", strings.TrimSuffix(s.path, filepath.Ext(s.path)), s.life)
	if err := os.WriteFile(s.path, image, 0o600); err != nil {
		s.w.t.Fatal(err)
	}
}

// end ends a server in order.
func (s *server) end() {
	if !s.alive {
		return
	}
	s.w.mu.Lock()
	s.alive = false
	s.w.mu.Unlock()
	s.stop()
	if err := s.db.Close(); err != nil {
		s.w.t.Error(err)
	}
}

// fold lets a server's fold emit a notification; one that is away folds it when it is back.
func (s *server) fold(n alerting.Notification) {
	s.folded = append(s.folded, n)
	if s.alive { // first, as the manager does: what it shows follows
		s.box.Accept(n)
	}
	s.mu.Lock()
	s.current[n.IncidentID] = n.Incident
	s.judged = max(s.judged, n.T)
	s.mu.Unlock()
}

// both lets both servers emit it.
func (w *world) both(n alerting.Notification) {
	for _, s := range w.servers {
		s.fold(n)
	}
}

// of returns what was said about something, by path of the receiver.
func (w *world) of(name string) (list []told) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.told {
		if x.name == name {
			list = append(list, x)
		}
	}
	return list
}

func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// says words what was said, for comparison: who said it, and "!" for a closing word, "~" for one that is still open, "?" where the second says that the first may have said it too.
func says(list []told) string {
	var out []string
	for _, x := range list {
		text := "AB"[x.by : x.by+1]
		if x.closes {
			text += "!"
		}
		if x.again {
			text += "~"
		}
		if strings.Contains(x.note, "second server of a pair") {
			text += "?"
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}
