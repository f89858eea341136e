// The other server of a pair, as an outbox sees it: before something is said it is asked whether it has said so, and what has been said it is told.
//
// One of the two is first and says at once what the other has not said; the other waits for a minute before it asks. Each asks right before every attempt, so that a kill, a lost connection or a
// receiver that one of them does not reach leaves the message to the other. Nothing depends on their agreeing who is first, or that the other can be reached: a server that has waited in vain
// says what it has to say. Twice is said what both say while they do not reach each other for longer than that minute; the second says that it may be so.

package notify

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/VictoriaMetrics/metrics"
	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/alerting"
)

// Peer is the other server of a pair. Its methods may be called from any goroutine, and none but Ask waits.
type Peer interface {
	// First reports whether this server is the one that says at once.
	First() bool
	// Ask asks the other server whether it has said something. An error means that nothing is known of it: it is away, slow, or cut off.
	Ask(ctx context.Context, q Question) (Answer, error)
	// Say tells the other server what was said here, now or as soon as it is back.
	Say(w Word)
	// Away reports whether the other server has not been reached for a while.
	Away() bool
}

// Question asks whether something has been said to an integration.
type Question struct {
	Lane   string          `json:"lane"` // its key by the configuration alone
	Reason alerting.Reason `json:"reason"`
	About  About           `json:"about"`
	T      int64           `json:"t"`               // event time, Unix ms
	Rank   int             `json:"rank,omitempty"`  // severity
	Heard  bool            `json:"heard,omitempty"` // who asks knows that the integration has heard of the incident
	AgeMs  int64           `json:"age,omitempty"`   // for how long the message has waited there
}

// State is what a server answers: whether who asks should speak.
type State string

// The answers.
const (
	MaySpeak State = "speak" // not said here, and whoever asks may
	MustWait State = "wait"  // it is about to be said here: ask again
	WasSaid  State = "said"  // it has been said
)

// Answer is the answer to a Question.
type Answer struct {
	State State `json:"state"`
	Word  *Word `json:"word,omitempty"` // what was said of the incident; nil = nothing that counts
}

const (
	peerWait    = time.Minute      // the second waits so long before it asks
	askAgain    = 12               // asks again after so many parts of that
	judgedLate  = 10 * time.Minute // who has judged no further than this before a question has no say in it
	lentFor     = 2                // so many waits a message is left to the other server, since this one does not reach its receiver
	peerAskMost = 5 * time.Second
)

var errNoLane = errors.New("there is no such integration")

// waitFor returns for how long the second of a pair waits.
func (b *Outbox) waitFor() time.Duration { return b.opts.PeerWait }

// askEvery returns after how long the other server is asked again.
func (b *Outbox) askEvery() time.Duration { return b.opts.PeerWait / askAgain }

// untilAsked returns how long a row must wait before the other server of a pair is asked whether it was said; 0 = no longer. The caller holds mu.
func (l *lane) untilAsked(r *row, now time.Time) time.Duration {
	b := l.box
	if b.opts.Peer == nil || r.summary || r.cleared {
		return 0
	}
	wait := time.Duration(0)
	if !b.opts.Peer.First() {
		due := r.due
		if due.Before(b.opened) { // of a life before: the other one may have spoken meanwhile, or does so now
			due = b.opened
		}
		wait = due.Add(b.waitFor()).Sub(now)
	}
	return max(wait, r.hold.Sub(now), 0)
}

// unsure reports whether it is still open if the receiver has heard of a row's incident: then it is not known to be missed. The caller holds mu.
func (l *lane) unsure(r *row) bool { return l.box.opts.Peer != nil && !r.cleared && !r.summary }

// clear finds out whether a row may be said now, and asks the other server for it. It reports false when there is nothing to do at this moment.
func (b *Outbox) clear(ctx context.Context, l *lane, r *row) bool {
	if b.opts.Peer == nil || r.summary {
		return true
	}
	now := time.Now()
	q := Question{Lane: l.config, Reason: r.Message.Reason, About: aboutOf(r.Message), T: r.Message.T, Rank: alerting.SeverityRank(r.Message.Severity), AgeMs: now.Sub(r.made).Milliseconds()}
	b.mu.Lock()
	q.Heard = r.Heard
	if w := l.wordOf(&q.About, func(w *Word) bool { return w.Theirs && w.says(&q, now) }); w != nil {
		b.mu.Unlock()
		b.elsewhere(l, r, w)
		return false
	}
	if w := l.wordOf(&q.About, func(w *Word) bool { return w.Theirs && !w.Kept }); w != nil {
		l.heed(r, w)
		q.Heard = r.Heard
	}
	if r.cleared { // it was asked, and then there was something else to do
		l.sending = r
		b.mu.Unlock()
		return true
	}
	r.asking, r.yield = true, false
	b.mu.Unlock()

	askCtx, stop := context.WithTimeout(ctx, min(b.waitFor()/4, peerAskMost))
	a, err := b.opts.Peer.Ask(askCtx, q)
	stop()
	now = time.Now()
	first := b.opts.Peer.First()
	b.mu.Lock()
	defer func() { l.pace.free = now; b.mu.Unlock() }() // nothing was sent
	r.asking = false
	if ctx.Err() != nil {
		return false
	}
	switch {
	case err != nil && !first && !b.opts.Peer.Away(): // for a moment, perhaps
		if r.lone.IsZero() {
			r.lone = now
		}
		if now.Sub(r.lone) < b.waitFor()/2 {
			r.hold = now.Add(b.askEvery())
			return false
		}
		fallthrough
	case err != nil:
		asked("nobody").Inc()
		r.unasked = !first
	case a.State == WasSaid && a.Word != nil:
		asked("said").Inc()
		w := *a.Word
		w.Theirs, w.At = true, now.UnixMilli()-max(w.AgoMs, 0)
		b.mu.Unlock()
		b.elsewhere(l, r, &w)
		b.mu.Lock()
		return false
	case a.State == MustWait || r.yield:
		asked("wait").Inc()
		r.lone, r.hold = time.Time{}, now.Add(b.askEvery())
		return false
	default:
		asked("speak").Inc()
		r.lone, r.unasked = time.Time{}, false
		if w := a.Word; w != nil {
			w.Theirs, w.At = true, now.UnixMilli()-max(w.AgoMs, 0)
			l.heed(r, w)
		}
	}
	r.cleared = true
	if l.settled(r, now) {
		return false // pick sees now that it need not be said
	}
	l.sending = r
	return true
}

// settled reports whether a row that may be said need not be: its incident is over, and the receiver has heard nothing of it. The caller holds mu.
func (l *lane) settled(r *row, now time.Time) bool {
	return !r.Heard && (r.Message.Reason == alerting.Resolved || late(r, now))
}

// heed notes that the other server has said something of a row's incident, though not what the row says: the receiver has heard of it, and knows it as the other one told it. The caller holds mu.
func (l *lane) heed(r *row, w *Word) {
	if !r.Heard && r.Message.ofIncident() {
		r.Heard = true
		l.held[r.Message.Incident] = l.heldAs(r, w)
	}
}

// heldAs returns what there is between the integration and a row's incident, of which the other server spoke last. The caller holds mu.
func (l *lane) heldAs(r *row, w *Word) *holding {
	h, theirs := &holding{Asked: r.Created}, holding{}
	if old := l.held[r.Message.Incident]; old != nil {
		*h = *old
	}
	if json.Unmarshal(w.Hold, &theirs) != nil {
		theirs = holding{}
	}
	h.Channel, h.TS, h.Alert, h.Theirs = theirs.Channel, theirs.TS, theirs.Alert, true
	if h.As = ""; w.Incident != r.Message.Incident {
		h.As = w.Incident
	}
	h.Said, h.T = w.At, max(w.T, h.T)
	if h.Labels == nil {
		h.Labels = r.Message.route()
	}
	h.Severity = cmp.Or(theirs.Severity, h.Severity, r.Message.Severity)
	return h
}

// elsewhere books that the other server has said what a row says.
func (b *Outbox) elsewhere(l *lane, r *row, w *Word) {
	now := time.Now()
	g := &ledger{drop: []*row{r}, joined: 1}
	incident := r.Message.Incident
	b.mu.Lock()
	h := l.heldAs(r, w)
	_, renews := l.to.(renewer)
	switch {
	case r.Message.Reason == alerting.Digest:
	case w.Kept, w.Over != 0 && !renews:
		l.hold(g, incident, nil)
	default:
		if w.Over != 0 && h.Over == 0 {
			h.Over = w.At
		}
		l.hold(g, incident, h)
	}
	l.learn(g, w)
	l.take(r)
	l.pace.free = now
	b.mu.Unlock()
	saidElsewhere.Inc()
	b.book(l, g)
}

// sent ends what clear began.
func (b *Outbox) sent(l *lane, r *row) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l.sending = nil
	r.cleared = false // another attempt asks anew
}

// Answer answers the other server whether something was said here, or is about to be.
func (b *Outbox) Answer(q *Question) (Answer, error) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.laneOf(q.Lane)
	if l == nil {
		return Answer{State: MaySpeak}, fmt.Errorf("%w: %q", errNoLane, oneLine(q.Lane, 200))
	}
	if w := l.wordOf(&q.About, func(w *Word) bool { return !(w.Theirs && w.Kept) && w.says(q, now) }); w != nil { // what the other one kept it may say later
		return Answer{WasSaid, w.told(now)}, nil
	}
	w := l.wordOf(&q.About, func(w *Word) bool { return !w.Theirs })
	r := l.rowOf(q, w)
	switch first := b.opts.Peer != nil && b.opts.Peer.First(); {
	case r == nil && q.Reason == alerting.Resolved && w != nil && b.closes(w, q):
		return Answer{State: MustWait}, nil
	case r == nil:
	case r == l.sending, r.asking && first:
		return Answer{State: MustWait}, nil
	case r.asking: // both at once: the first speaks
		r.yield = true
	case l.disabled != "", l.fails > 0 && now.Sub(l.since) >= b.waitFor(): // it has tried for long enough
		r.hold = now.Add(lentFor * b.waitFor())
	case first:
		return Answer{State: MustWait}, nil
	}
	return Answer{MaySpeak, l.wordOf(&q.About, func(w *Word) bool { return !w.Kept }).told(now)}, nil
}

// told returns a word as it is told to the other server; nil for none.
func (w *Word) told(now time.Time) *Word {
	if w == nil {
		return nil
	}
	x := *w
	x.AgoMs = max(now.UnixMilli()-w.At, 0)
	return &x
}

// closes reports whether this server will say the closing word of what it has said: its incident is open, and judged.
func (b *Outbox) closes(w *Word, q *Question) bool {
	if b.opts.Current == nil {
		return false
	}
	inc, ok := b.opts.Current(w.Incident)
	return ok && inc.Open() && (b.opts.Judged == nil || b.opts.Judged(inc.Cluster) >= q.T-judgedLate.Milliseconds())
}

// rowOf returns the row that says, or will say, what somebody asks about; w is what was said of that incident. The caller holds mu.
func (l *lane) rowOf(q *Question, w *Word) *row {
	for _, r := range l.queue {
		if r.Over || r.Message.Reason == alerting.Summary || (r.Message.Reason == alerting.Digest) != (q.Reason == alerting.Digest) {
			continue
		}
		about := aboutOf(r.Message)
		x := Word{About: about, T: r.Message.T}
		if q.Reason == alerting.Digest {
			if r.Message.T >= q.T {
				return r
			}
			continue
		}
		if x.of(&q.About, x.T) || w != nil && w.Incident == about.Incident {
			return r
		}
	}
	return nil
}

// laneOf returns the lane of a key by the configuration; nil when there is none. The caller holds mu.
func (b *Outbox) laneOf(config string) *lane {
	if i := slices.IndexFunc(b.lanes, func(l *lane) bool { return l.config == config }); i >= 0 {
		return b.lanes[i]
	}
	return nil
}

// Learn takes what the other server says that it has said. It is on disk before it returns.
func (b *Outbox) Learn(list []Word) error {
	b.putting.Lock() // not beside a Put, or a lane that looks what is due
	defer b.putting.Unlock()
	now := time.Now()
	all := map[*lane]*ledger{}
	b.mu.Lock()
	for i := range list {
		w := list[i]
		l := b.laneOf(w.Lane)
		if l == nil || !w.fits() {
			continue
		}
		w.Theirs, w.At, w.AgoMs = true, now.UnixMilli()-max(w.AgoMs, 0), 0
		if old := l.said[string(w.saidKey(l.key))]; old != nil && (old.Over != 0 && w.Over == 0 || old.T > w.T) {
			continue // they came in another order
		}
		if all[l] == nil {
			all[l] = &ledger{}
		}
		l.learn(all[l], &w)
	}
	b.mu.Unlock()
	if len(all) == 0 {
		return nil
	}
	err := b.opts.DB.Update(func(tx *bolt.Tx) error {
		for l, g := range all {
			if err := putSaid(tx.Bucket(bucketName), l.key, g.words, g.gone); err != nil {
				return err
			}
		}
		return nil
	})
	for l := range all {
		signalTo(l.wake)
	}
	return err
}

// wordMost bounds what is kept of a word of the other server, bytes.
const wordMost = 64 << 10

// fits reports whether a word is of a size that a server gives.
func (w *Word) fits() bool {
	n := len(w.Incident) + len(w.Cluster) + len(w.Hold)
	for _, s := range w.Signals {
		n += len(s.ID)
	}
	return w.Incident != "" && len(w.Signals) <= aboutMost && n <= wordMost
}

// share tells the other server what has been said here.
func (b *Outbox) share(words []*Word) {
	for _, w := range words {
		if !w.Theirs && b.opts.Peer != nil {
			b.opts.Peer.Say(*w)
		}
	}
}

// Self returns who this server is to the other one, an id, and since when it learns, Unix milliseconds: who has learned for longer is first. Both are made the first time, since being what
// is known then (0 = now), and stay.
func (b *Outbox) Self(since int64) (id string, born int64, err error) {
	err = b.opts.DB.Update(func(tx *bolt.Tx) error {
		root := tx.Bucket(bucketName)
		if v := root.Get(selfKey); len(v) > 8 {
			born, id = int64(binary.BigEndian.Uint64(v)), string(v[8:])
			return nil
		}
		born, id = cmp.Or(since, time.Now().UnixMilli()), rand.Text()
		return root.Put(selfKey, append(binary.BigEndian.AppendUint64(nil, uint64(born)), id...))
	})
	return id, born, err
}

var saidElsewhere = metrics.GetOrCreateCounter("wrackline_peer_messages_spared_total")

// asked counts questions by their answer.
func asked(answer string) *metrics.Counter {
	return metrics.GetOrCreateCounter(`wrackline_peer_questions_total{answer="` + answer + `"}`)
}
