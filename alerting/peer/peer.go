// Package peer is the other server of a pair: what is said there it asks for, what is said here it tells, and it notices when the other one is away.
//
// Two servers that the same senders feed judge alike, each for itself: nothing of what they judge crosses here, and neither waits for the other to judge. What crosses is what has been said to
// receivers (package notify decides what follows from it), what people have said (acts), and how each of the two is. All of it is one address, Path, where both listen and to which both speak; a token
// that both know opens it.
package peer

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/alerting/notify"
)

// Path is where the other server is spoken to, below its URL.
const Path = "/api/v1/peer"

const (
	tokenMin   = 16
	bodyMost   = 8 << 20 // of a request, and of an answer
	wordsMost  = 1000    // that wait for a server that is away; the oldest leave, and it asks for those
	wordsOnce  = 100     // in one request
	looks      = 12      // hellos in the time that the second waits
	callMost   = 10 * time.Second
	lookLeast  = 50 * time.Millisecond
	actsRecent = 7 * 24 * time.Hour // acts that are over are compared for so long
	ackWaits   = time.Hour          // an ack of an incident that is not known here waits so long for it
)

// Report is how a server is, for the other one to show.
type Report struct {
	ID      string           `json:"id"`                // of the server, for its life
	Born    int64            `json:"born"`              // Unix ms since when it learns
	Version string           `json:"version,omitempty"` //
	Ready   bool             `json:"ready"`             // it takes requests
	Judged  map[string]int64 `json:"judged,omitempty"`  // up to when each cluster has been judged: event time, Unix ms
	Open    int              `json:"open"`              // incidents
	Rules   string           `json:"rules,omitempty"`   // a hash of what decides who is told of what
	Acts    string           `json:"acts,omitempty"`    // a hash of what people have said
}

// SaidAct is something that somebody said to one of the two.
type SaidAct struct {
	Act   *act.Act      `json:"act"`
	About *notify.About `json:"about,omitempty"` // of an ack: which incident is meant
}

// Options configure a Peer. URL, Token, Self, Answer and Learn are required.
type Options struct {
	URL   string                 // of the other server, without Path
	Token func() (string, error) // read before each request, so that it may change; of 16 characters at least
	Wait  time.Duration          // how long the second of the two waits for the first; 0 = a minute

	Self   func() Report                                          // must not block
	Answer func(q *notify.Question) (notify.Answer, error)        // of the outbox
	Learn  func(list []notify.Word) error                         // of the outbox
	Acts   func() []SaidAct                                       // what people have said here, the oldest first; nil = nothing is compared
	Take   func(ctx context.Context, x *SaidAct, wait bool) error // says here what was said there; ErrLater = not yet. wait says that an incident that is not known may come still
	Client *http.Client                                           // nil = one that goes by no proxy
	Log    *slog.Logger                                           // nil discards
}

// ErrLater is what Take returns for an act that is to be brought again.
var ErrLater = errors.New("what it is about is not known here yet")

// Peer is the other server. Its methods may be called from any goroutine; Run only once.
type Peer struct {
	opts Options
	url  string
	poke chan struct{}

	brought   string // how the acts of the two differed when they were brought last; of Run alone
	broughtAt time.Time

	mu      sync.Mutex // guards what follows
	id      string     // of this server
	born    int64      // … and since when it learns
	met     bool       // the other one has said who it is, in this life
	other   Report
	reached time.Time // last
	since   time.Time // when it was first not reached since then
	failed  string    // why it was not, the last time; "" = it was
	slow    time.Duration
	words   []notify.Word
	refused map[string]bool // acts that cannot be said here
}

// CheckURL reports what is wrong with the URL of the other server.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("it is not a URL")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return errors.New("want the http or https URL of the other server, as http://wrackline-1.wrackline:9099")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("want a URL without user, query and fragment; the token has a key of its own")
	}
	return nil
}

// CheckToken reports what is wrong with a token. Its errors do not quote it.
func CheckToken(token string) error {
	if len(token) < tokenMin {
		return fmt.Errorf("it is shorter than %d characters", tokenMin)
	}
	return nil
}

// New returns the other server. Nothing is asked before Run.
func New(o Options) *Peer {
	o.Wait = cmp.Or(o.Wait, time.Minute)
	if o.Client == nil {
		o.Client = &http.Client{Transport: &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: callMost},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Peer{opts: o, url: strings.TrimRight(o.URL, "/") + Path, poke: make(chan struct{}, 1), since: time.Now(), failed: "it has not been asked yet", refused: map[string]bool{}}
}

// call is what one server says to the other. From is always there, and one of the others or none.
type call struct {
	From  Report           `json:"from"`
	Ask   *notify.Question `json:"ask,omitempty"`
	Words []notify.Word    `json:"words,omitempty"`
	Acts  bool             `json:"acts,omitempty"` // it wants to know what people have said there
}

// reply is what the other one answers.
type reply struct {
	From   Report         `json:"from"`
	Answer *notify.Answer `json:"answer,omitempty"`
	Acts   []SaidAct      `json:"acts,omitempty"`
}

// Run keeps in touch until ctx ends.
func (p *Peer) Run(ctx context.Context) {
	every := max(p.opts.Wait/looks, lookLeast)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		p.step(ctx, every)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-p.poke:
		}
	}
}

// step says what waits to be said, or hello, and brings what people have said there.
func (p *Peer) step(ctx context.Context, every time.Duration) {
	for ctx.Err() == nil {
		p.mu.Lock()
		list := p.words[:min(len(p.words), wordsOnce)]
		c := call{Words: append([]notify.Word(nil), list...)}
		p.mu.Unlock()
		now := time.Now()
		for i := range c.Words {
			c.Words[i].AgoMs = max(now.UnixMilli()-c.Words[i].At, 0)
		}
		if _, err := p.call(ctx, &c, max(every, time.Second)); err != nil {
			return
		}
		p.mu.Lock()
		p.words = p.words[min(len(c.Words), len(p.words)):]
		left := len(p.words)
		p.mu.Unlock()
		if left == 0 {
			break
		}
	}
	p.bringActs(ctx)
}

// bringActs says here what was said there.
func (p *Peer) bringActs(ctx context.Context) {
	if p.opts.Acts == nil || ctx.Err() != nil {
		return
	}
	own, theirs := p.opts.Self().Acts, p.State().Other.Acts
	if differ := own + " " + theirs; own == theirs || p.brought == differ && time.Since(p.broughtAt) < p.opts.Wait {
		return // there is nothing new, or only what cannot be said here
	} else {
		p.brought, p.broughtAt = differ, time.Now()
	}
	r, err := p.call(ctx, &call{Acts: true}, callMost)
	if err != nil {
		return
	}
	now := time.Now()
	for i := range r.Acts {
		x := &r.Acts[i]
		if x.Act == nil || x.Act.ID == "" {
			continue
		}
		mark := x.Act.ID
		if x.Act.Undone != nil {
			mark += " undone"
		}
		if p.isRefused(mark) {
			continue
		}
		err := p.opts.Take(ctx, x, now.Sub(time.UnixMilli(x.Act.T)) < ackWaits)
		switch {
		case err == nil:
			takenTotal.Inc()
		case errors.Is(err, ErrLater), ctx.Err() != nil:
		default:
			p.mu.Lock()
			p.refused[mark] = true
			p.mu.Unlock()
			p.opts.Log.Warn("what was said to the other server of the pair cannot be said here", "act", x.Act.ID, "err", err)
		}
	}
}

func (p *Peer) isRefused(mark string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused[mark]
}

// Poke lets the other server know soon that somebody has said something here.
func (p *Peer) Poke() {
	select {
	case p.poke <- struct{}{}:
	default:
	}
}

// Shared reports whether an act is compared and brought: what is over, or says nothing of what is to come, is only for a week. now is the receive clock, Unix ms.
func Shared(a *act.Act, now int64) bool {
	return a.Kind.Mutes() && !a.Over(now) || now-a.T <= actsRecent.Milliseconds()
}

// SumActs returns a hash of acts that is the same for all orders.
func SumActs(list []SaidAct) string {
	var sum [sha256.Size]byte
	for _, x := range list {
		for i, b := range sha256.Sum256(fmt.Appendf(nil, "%s %t", x.Act.ID, x.Act.Undone != nil)) {
			sum[i] ^= b
		}
	}
	return fmt.Sprintf("%x", sum[:8])
}

var errRefused = errors.New("it refuses")

// call speaks to the other server.
func (p *Peer) call(ctx context.Context, c *call, most time.Duration) (*reply, error) {
	c.From = p.self()
	ctx, stop := context.WithTimeout(ctx, min(most, callMost))
	defer stop()
	begun := time.Now()
	r, err := p.post(ctx, c)
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		p.lose(err)
		return nil, err
	}
	if r.From.ID == c.From.ID {
		p.lose(errSelf)
		return nil, errSelf
	}
	p.meet(r.From, time.Since(begun))
	return r, nil
}

func (p *Peer) post(ctx context.Context, c *call) (*reply, error) {
	token, err := p.opts.Token()
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.opts.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return nil, fmt.Errorf("%w: %s: %q", errRefused, resp.Status, strings.TrimSpace(string(text)))
	}
	var r reply
	if err := json.NewDecoder(io.LimitReader(resp.Body, bodyMost)).Decode(&r); err != nil {
		return nil, fmt.Errorf("its answer is none of a Wrackline's: %w", err)
	}
	if r.From.ID == "" {
		return nil, errors.New("its answer is none of a Wrackline's")
	}
	return &r, nil
}

// errSelf is what a server hears that is its own peer.
var errSelf = errors.New("ha.peer leads to this server itself; it must lead to the other one")

// meet notes what the other server says of itself.
func (p *Peer) meet(other Report, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != "" {
		p.opts.Log.Info("the other server of the pair is there", "first", p.first(other))
	}
	p.met, p.other, p.reached, p.since, p.failed, p.slow = true, other, time.Now(), time.Time{}, "", took
}

// lose notes that it was not reached.
func (p *Peer) lose(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == "" {
		p.opts.Log.Warn("the other server of the pair is not reached", "err", err)
	}
	if p.since.IsZero() {
		p.since = time.Now()
	}
	p.failed = err.Error()
	failedTotal.Inc()
}

// Introduce says who this server is: an id, and Unix milliseconds since when it learns. It comes before Run.
func (p *Peer) Introduce(id string, born int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.id, p.born = id, born
}

// self returns how this server is.
func (p *Peer) self() Report {
	r := p.opts.Self()
	p.mu.Lock()
	defer p.mu.Unlock()
	r.ID, r.Born = p.id, p.born
	return r
}

// first reports whether this server is first beside another: the one that has learned for longer is. The caller holds mu.
func (p *Peer) first(other Report) bool {
	return cmp.Or(cmp.Compare(p.born, other.Born), strings.Compare(p.id, other.ID)) < 0
}

// First implements notify.Peer. Who has never heard of the other one is not: it may be, and waits.
func (p *Peer) First() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.met && p.first(p.other)
}

// Away implements notify.Peer.
func (p *Peer) Away() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.since.IsZero() && time.Since(p.since) > p.opts.Wait/2
}

// errAway is answered in place of a call that would only wait.
var errAway = errors.New("it is away")

// Ask implements notify.Peer. While the other server is away the answer is an error at once.
func (p *Peer) Ask(ctx context.Context, q notify.Question) (notify.Answer, error) {
	if p.Away() {
		return notify.Answer{}, errAway
	}
	r, err := p.call(ctx, &call{Ask: &q}, callMost)
	if err != nil {
		return notify.Answer{}, err
	}
	if r.Answer == nil {
		return notify.Answer{}, errors.New("it gives no answer")
	}
	return *r.Answer, nil
}

// Say implements notify.Peer.
func (p *Peer) Say(w notify.Word) {
	p.mu.Lock()
	p.words = append(p.words, w)
	if n := len(p.words) - wordsMost; n > 0 {
		p.words = append([]notify.Word(nil), p.words[n:]...)
	}
	p.mu.Unlock()
	p.Poke()
}

// Status is how the other server is, as seen from here.
type Status struct {
	Other   Report
	Met     bool      // it has been heard from, in this life of the process
	Up      bool      // it was reached the last time
	First   bool      // this server is the first of the two
	Reached time.Time // last; zero = never
	Since   time.Time // since when it is not reached; zero = it is
	Why     string    // why it is not
	Took    time.Duration
	Waiting int // words that it has not been told
}

// State returns how the other server is.
func (p *Peer) State() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Status{Other: p.other, Met: p.met, Up: p.met && p.failed == "", First: p.met && p.first(p.other), Reached: p.reached, Since: p.since, Why: p.failed, Took: p.slow, Waiting: len(p.words)}
}

// ServeHTTP answers the other server.
func (p *Peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, err := p.opts.Token()
	if err != nil {
		http.Error(w, "The token of ha cannot be read here.", http.StatusServiceUnavailable)
		return
	}
	shown, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a, b := sha256.Sum256([]byte(shown)), sha256.Sum256([]byte(token))
	if !ok || subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "This address is of the other server of a pair, which shows the token of ha.", http.StatusUnauthorized)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "This address wants POST.", http.StatusMethodNotAllowed)
		return
	}
	var c call
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyMost)).Decode(&c); err != nil {
		http.Error(w, "The body cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	if c.From.ID == "" {
		http.Error(w, "It is not said who asks.", http.StatusBadRequest)
		return
	}
	out := reply{From: p.self()}
	if c.From.ID != out.From.ID { // it reaches this server, which says nothing of the way back
		p.mu.Lock()
		p.met, p.other = true, c.From
		p.mu.Unlock()
	}
	if c.Ask != nil {
		a, err := p.opts.Answer(c.Ask)
		if err != nil {
			p.opts.Log.Debug("the other server of the pair asks for what is not here", "err", err)
		}
		out.Answer = &a
	}
	if len(c.Words) > 0 {
		if err := p.opts.Learn(c.Words); err != nil {
			http.Error(w, "It cannot be kept: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	if c.Acts && p.opts.Acts != nil {
		out.Acts = p.opts.Acts()
	}
	if c.From.Acts != out.From.Acts {
		p.Poke()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(&out)
}

var (
	failedTotal = metrics.NewCounter("wrackline_peer_calls_failed_total")
	takenTotal  = metrics.NewCounter("wrackline_peer_acts_taken_total")
)
