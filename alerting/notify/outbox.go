package notify

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/alerting"
)

// Options configure an Outbox. Receivers may be empty: then everything is taken and nobody is told.
type Options struct {
	// DB keeps the outbox, in one bucket of its own. It must sync its commits. Without a DB only SendTest works.
	DB          *bolt.DB
	Receivers   []Receiver
	ExternalURL string // where people reach the UI, for links; "" leaves links out
	Guard       Guard
	// ProxyFromEnvironment sends through the proxy that the usual environment variables name.
	ProxyFromEnvironment bool
	UserAgent            string // "" means "Wrackline"

	Timeout  time.Duration // for one attempt; 0 means 15 s
	MaxAge   time.Duration // a message that could not be delivered for so long is given up; 0 means 72 h
	QueueMax int           // messages waiting for one integration; beyond it the oldest is given up; 0 means 1,000

	Transport http.RoundTripper // replaces the guarded one, for tests; nil is right
	Rand      func() float64    // in [0,1), for the jitter of retries; nil means math/rand
	Log       *slog.Logger      // nil discards
}

const (
	knownFor    = 8 * 24 * time.Hour // ids are remembered so long; a journal is never replayed from further back
	deadMax     = 200                // given-up messages kept to be looked at
	pendingMax  = 1000               // notifications held in memory while the disk refuses them
	retryFirst  = 2 * time.Second
	retryMost   = 5 * time.Minute
	slackGap    = time.Second     // Slack takes about one message a second for each channel
	storeAgain  = 5 * time.Second // between attempts to store what the disk refused
	answerMax   = 4 << 10         // bytes of an answer that are read
	graceFinish = 5 * time.Second
)

// Outbox keeps messages until each integration has taken them. It owns the bucket "outbox":
//
//	format      "1"
//	known       id → Unix ms, 8 bytes big-endian: notifications ever taken, so that a replay adds nothing
//	queue       integration, 0, sequence (8 bytes big-endian) → CRC-32C of key and JSON (4 bytes little-endian), JSON of row
//	dead        sequence → JSON of DeadLetter: what was given up, and why
//
// Methods may be called from any goroutine; Run only once.
type Outbox struct {
	opts   Options
	client *http.Client
	lanes  []*lane

	putting sync.Mutex // one Put at a time; taken before mu
	mu      sync.Mutex // guards what follows and the lanes' queues
	pending []alerting.Notification
	lost    int64
}

// integration is one way to one receiver.
type integration interface {
	sender
	sendResolved() bool
}

// lane is the queue of one integration.
type lane struct {
	key      string // receiver/kind/number
	receiver string
	kind     string
	to       integration
	gap      time.Duration // least time between two messages
	wake     chan struct{}

	// Guarded by Outbox.mu.
	queue    []*row // by sequence
	paused   time.Time
	fails    int    // in a row
	disabled string // why nothing is sent any more; "" when it is
	stats    Stats
}

// row is one queued message. The exported fields are stored.
type row struct {
	Created int64    `json:"created"` // Unix ms
	Message *Message `json:"message"`

	key      []byte
	attempts int
	next     time.Time
}

// DeadLetter is a message that was given up.
type DeadLetter struct {
	At       int64  `json:"at"` // Unix ms
	Receiver string `json:"receiver"`
	ID       string `json:"id"`
	Incident string `json:"incident"`
	Title    string `json:"title"`
	Why      string `json:"why"`
}

// Stats describe one integration, for pages and APIs. They hold no secret.
type Stats struct {
	Receiver    string
	Kind        string // slack or webhook
	Host        string // of the URL, without path and query; "" when unknown
	Queued      int
	Oldest      time.Time // when the oldest queued message was taken; zero when none
	Sent        int64     // since the start of the process
	Failed      int64     // attempts that failed and were or will be repeated
	Dead        int64     // messages given up
	Coalesced   int64     // messages replaced by a newer one about the same incident
	LastSuccess time.Time // zero when never, since the start
	LastError   string
	LastErrorAt time.Time
	NextAttempt time.Time // zero when nothing waits
	Disabled    string    // why nothing is sent any more; "" when it is
}

var (
	bucketName  = []byte("outbox")
	formatKey   = []byte("format")
	formatNow   = []byte("1")
	knownBucket = []byte("known")
	queueBucket = []byte("queue")
	deadBucket  = []byte("dead")
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
)

// ErrFormat is returned by Open for an outbox that a newer version has written.
var ErrFormat = errors.New("outbox has an unknown format")

// Open reads the outbox of the database, or makes one. It checks the receivers. Messages for integrations that are no
// longer configured are given up.
func Open(o Options) (*Outbox, error) {
	b, err := newOutbox(o)
	if err != nil {
		return nil, err
	}
	if o.DB == nil {
		return nil, errors.New("outbox needs a database")
	}
	if err := b.load(time.Now()); err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	return b, nil
}

func newOutbox(o Options) (*Outbox, error) {
	if err := CheckReceivers(o.Receivers); err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	if o.MaxAge <= 0 {
		o.MaxAge = 72 * time.Hour
	}
	if o.QueueMax <= 0 {
		o.QueueMax = 1000
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.UserAgent == "" {
		o.UserAgent = "Wrackline"
	}
	if o.Transport == nil {
		o.Transport = o.Guard.Transport(o.ProxyFromEnvironment)
	}
	b := &Outbox{opts: o}
	b.client = &http.Client{Transport: o.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, r := range o.Receivers {
		for i, c := range r.Slack {
			b.addLane(r.Name, "slack", i, &slack{c}, slackGap)
		}
		for i, c := range r.Webhook {
			b.addLane(r.Name, "webhook", i, &webhook{c, r.Name}, 0)
		}
	}
	return b, nil
}

func (b *Outbox) addLane(receiver, kind string, n int, to integration, gap time.Duration) {
	l := &lane{key: receiver + "/" + kind + "/" + strconv.Itoa(n), receiver: receiver, kind: kind, to: to, gap: gap, wake: make(chan struct{}, 1)}
	l.stats = Stats{Receiver: receiver, Kind: kind}
	if u, err := to.url(); err == nil {
		l.stats.Host = u.Host
	}
	b.lanes = append(b.lanes, l)
}

func (s *slack) sendResolved() bool   { return s.SendResolved == nil || *s.SendResolved }
func (w *webhook) sendResolved() bool { return w.SendResolved == nil || *w.SendResolved }

func (b *Outbox) load(now time.Time) error {
	byKey := map[string]*lane{}
	for _, l := range b.lanes {
		byKey[l.key] = l
	}
	return b.opts.DB.Update(func(tx *bolt.Tx) error {
		root, err := tx.CreateBucketIfNotExists(bucketName)
		if err != nil {
			return err
		}
		if f := root.Get(formatKey); f != nil && string(f) != string(formatNow) {
			return fmt.Errorf("%w %q", ErrFormat, f)
		}
		if err := root.Put(formatKey, formatNow); err != nil {
			return err
		}
		for _, n := range [][]byte{knownBucket, queueBucket, deadBucket} {
			if _, err := root.CreateBucketIfNotExists(n); err != nil {
				return err
			}
		}
		if err := forget(root, now); err != nil {
			return err
		}
		type orphan struct {
			key []byte
			r   *row
			why string
		}
		var orphans []orphan
		err = root.Bucket(queueBucket).ForEach(func(k, v []byte) error {
			key := slices.Clone(k)
			name, _, _ := strings.Cut(string(k), "\x00")
			l := byKey[name]
			r, err := decodeRow(key, v)
			switch {
			case err != nil:
				orphans = append(orphans, orphan{key, &row{Message: &Message{}}, "the record was damaged"})
			case l == nil:
				orphans = append(orphans, orphan{key, r, "receiver is no longer configured"})
			default:
				l.queue = append(l.queue, r)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, o := range orphans {
			if err := root.Bucket(queueBucket).Delete(o.key); err != nil {
				return err
			}
			name, _, _ := strings.Cut(string(o.key), "\x00")
			if err := bury(root, deadLetter(name, o.r, o.why, now)); err != nil {
				return err
			}
			count("dead", name).Inc()
			b.opts.Log.Warn("message given up", "receiver", name, "incident", o.r.Message.Incident, "err", o.why)
		}
		return nil
	})
}

func encodeRow(key []byte, r *row) []byte {
	body := plainJSON(r)
	sum := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, body)
	return append(binary.LittleEndian.AppendUint32(nil, sum), body...)
}

var errDamaged = errors.New("record is damaged")

func decodeRow(key, v []byte) (*row, error) {
	if len(v) < 4 || binary.LittleEndian.Uint32(v) != crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, v[4:]) {
		return nil, errDamaged
	}
	r := &row{key: key}
	if err := json.Unmarshal(v[4:], r); err != nil || r.Message == nil {
		return nil, errDamaged
	}
	return r, nil
}

// forget drops ids that no replay can bring back.
func forget(root *bolt.Bucket, now time.Time) error {
	known := root.Bucket(knownBucket)
	limit := uint64(max(0, now.Add(-knownFor).UnixMilli()))
	var old [][]byte
	err := known.ForEach(func(k, v []byte) error {
		if len(v) != 8 || binary.BigEndian.Uint64(v) < limit {
			old = append(old, slices.Clone(k))
		}
		return nil
	})
	for _, k := range old {
		if err := known.Delete(k); err != nil {
			return err
		}
	}
	return err
}

func bury(root *bolt.Bucket, d DeadLetter) error {
	dead := root.Bucket(deadBucket)
	n, err := dead.NextSequence()
	if err != nil {
		return err
	}
	if err := dead.Put(binary.BigEndian.AppendUint64(nil, n), plainJSON(d)); err != nil {
		return err
	}
	if n > deadMax {
		return dead.Delete(binary.BigEndian.AppendUint64(nil, n-deadMax))
	}
	return nil
}

func deadLetter(lane string, r *row, why string, now time.Time) DeadLetter {
	return DeadLetter{At: now.UnixMilli(), Receiver: lane, ID: r.Message.ID, Incident: r.Message.Incident, Title: r.Message.Title, Why: why}
}

// Accept takes a notification whatever happens: it is what alerting.Options.Emit wants. When the disk refuses it, it
// is held in memory, in order, and offered again every few seconds while Run runs.
func (b *Outbox) Accept(n alerting.Notification) {
	b.mu.Lock()
	waiting := len(b.pending) > 0
	b.mu.Unlock()
	if !waiting {
		err := b.Put(n)
		if err == nil {
			return
		}
		b.opts.Log.Error("notification not stored, held in memory", "incident", n.IncidentID, "err", err)
	}
	b.mu.Lock()
	b.pending = append(b.pending, n)
	if len(b.pending) > pendingMax {
		b.pending = slices.Delete(b.pending, 0, 1)
		b.lost++
		lostTotal.Inc()
	}
	b.mu.Unlock()
}

// Put stores a notification for every integration that wants it, durably before it returns. A notification whose id
// was stored before changes nothing, so that a replay may put it again. After an error nothing has changed.
func (b *Outbox) Put(n alerting.Notification) error {
	b.putting.Lock()
	defer b.putting.Unlock()
	var have bool
	if err := b.opts.DB.View(func(tx *bolt.Tx) error {
		have = tx.Bucket(bucketName).Bucket(knownBucket).Get([]byte(n.ID)) != nil
		return nil
	}); err != nil {
		return fmt.Errorf("store notification %s: %w", n.ID, err)
	}
	if have {
		repeatedTotal.Inc()
		return nil
	}
	now := time.Now()
	message := NewMessage(n, b.opts.ExternalURL)
	type entry struct {
		l       *lane
		r       *row
		refused string // why it is a dead letter from the start
	}
	var entries []entry
	b.mu.Lock()
	for _, l := range b.lanes {
		if n.Reason == alerting.Resolved && !l.to.sendResolved() {
			continue
		}
		e := entry{l: l, r: &row{Created: now.UnixMilli(), Message: message}}
		if l.disabled != "" {
			e.refused = "receiver is disabled: " + l.disabled
		}
		entries = append(entries, e)
	}
	b.mu.Unlock()

	if err := b.opts.DB.Update(func(tx *bolt.Tx) error {
		root := tx.Bucket(bucketName)
		if err := root.Bucket(knownBucket).Put([]byte(n.ID), binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli()))); err != nil {
			return err
		}
		queue := root.Bucket(queueBucket)
		for _, e := range entries {
			if e.refused != "" {
				if err := bury(root, deadLetter(e.l.key, e.r, e.refused, now)); err != nil {
					return err
				}
				continue
			}
			seq, err := queue.NextSequence()
			if err != nil {
				return err
			}
			e.r.key = binary.BigEndian.AppendUint64([]byte(e.l.key+"\x00"), seq)
			if err := queue.Put(e.r.key, encodeRow(e.r.key, e.r)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("store notification %s: %w", n.ID, err)
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range entries {
		if e.refused != "" {
			e.l.stats.Dead++
			count("dead", e.l.key).Inc()
			continue
		}
		e.l.queue = append(e.l.queue, e.r)
		signalTo(e.l.wake)
	}
	return nil
}

func signalTo(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // a signal is waiting already
	}
}

// Run delivers until ctx is done, with one goroutine for each integration, and returns when all have ended. A send
// that is under way then gets a few seconds to finish, since an unknown outcome means a repetition.
func (b *Outbox) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, l := range b.lanes {
		wg.Go(func() { b.work(ctx, l) })
	}
	wg.Go(func() { b.tidy(ctx) })
	wg.Wait()
}

// tidy stores what the disk refused and forgets old ids.
func (b *Outbox) tidy(ctx context.Context) {
	again := time.NewTicker(storeAgain)
	defer again.Stop()
	old := time.NewTicker(6 * time.Hour)
	defer old.Stop()
	for {
		select {
		case <-ctx.Done():
			b.drain()
			return
		case <-again.C:
			b.drain()
		case <-old.C:
			if err := b.opts.DB.Update(func(tx *bolt.Tx) error { return forget(tx.Bucket(bucketName), time.Now()) }); err != nil {
				b.opts.Log.Warn("old notification ids not forgotten", "err", err)
			}
		}
	}
}

func (b *Outbox) drain() {
	for {
		b.mu.Lock()
		if len(b.pending) == 0 {
			b.mu.Unlock()
			return
		}
		n := b.pending[0]
		b.mu.Unlock()
		if err := b.Put(n); err != nil {
			return
		}
		b.mu.Lock()
		// Accept may have dropped it meanwhile for want of room; then the front is another.
		if len(b.pending) > 0 && b.pending[0].ID == n.ID {
			b.pending = slices.Delete(b.pending, 0, 1)
		}
		b.mu.Unlock()
	}
}

// work sends one lane's messages, one at a time.
func (b *Outbox) work(ctx context.Context, l *lane) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		r, out, wait := b.pick(l, time.Now())
		b.leave(l, out)
		if r == nil {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return
			case <-l.wake:
			case <-timer.C:
			}
			continue
		}
		sendCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.opts.Timeout)
		stop := context.AfterFunc(ctx, func() {
			grace := time.NewTimer(graceFinish)
			defer grace.Stop()
			select {
			case <-grace.C:
				cancel()
			case <-sendCtx.Done():
			}
		})
		o := b.attempt(sendCtx, l.to, r.Message)
		stop()
		cancel()
		b.settle(l, r, o)
	}
}

// leaving is a message that leaves its queue without having been delivered.
type leaving struct {
	r   *row
	why string // "" = a newer message about the same incident says all that is left to say
}

// pick returns the message to send now, or how long to wait, and takes out what must not be sent any more. Messages that
// failed less often go first, so that one that a receiver cannot digest does not hold up the others.
func (b *Outbox) pick(l *lane, now time.Time) (best *row, out []leaving, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wait = time.Hour
	newest := make(map[string]*row, len(l.queue))
	for _, r := range l.queue {
		newest[r.Message.Incident] = r
	}
	limit := now.Add(-b.opts.MaxAge).UnixMilli()
	over := len(l.queue)
	keep := l.queue[:0]
	for _, r := range l.queue {
		switch {
		case newest[r.Message.Incident] != r:
			out = append(out, leaving{r: r})
		case r.Created <= limit:
			out = append(out, leaving{r, "not delivered within " + b.opts.MaxAge.String() + ": " + l.stats.LastError})
		default:
			keep = append(keep, r)
		}
	}
	clear(l.queue[len(keep):over])
	l.queue = keep
	for len(l.queue) > b.opts.QueueMax {
		out = append(out, leaving{l.queue[0], "the queue is full: " + l.stats.LastError})
		l.queue = slices.Delete(l.queue, 0, 1)
	}
	for _, r := range l.queue {
		due := r.next
		if l.paused.After(due) {
			due = l.paused
		}
		if !due.After(now) {
			if best == nil || r.attempts < best.attempts {
				best = r
			}
			continue
		}
		if end := time.UnixMilli(r.Created).Add(b.opts.MaxAge); end.Before(due) {
			due = end // to be given up on time
		}
		wait = min(wait, due.Sub(now))
	}
	l.stats.NextAttempt = time.Time{}
	if best == nil && len(l.queue) > 0 {
		l.stats.NextAttempt = now.Add(wait)
	}
	return best, out, wait
}

// leave books messages that have left the queue in memory, and removes them on disk.
func (b *Outbox) leave(l *lane, out []leaving) {
	for _, x := range out {
		if x.why != "" {
			b.giveUp(l, x.r, x.why)
			continue
		}
		b.mu.Lock()
		l.stats.Coalesced++
		b.mu.Unlock()
		count("coalesced", l.key).Inc()
		b.remove(x.r)
	}
}

// settle books the outcome of an attempt.
func (b *Outbox) settle(l *lane, r *row, o outcome) {
	now := time.Now()
	b.mu.Lock()
	if o.verdict == delivered {
		l.fails = 0
		l.paused = now.Add(l.gap)
		l.stats.Sent++
		l.stats.LastSuccess = now
		b.take(l, r)
		b.mu.Unlock()
		count("sent", l.key).Inc()
		b.remove(r)
		return
	}
	l.stats.LastError, l.stats.LastErrorAt = o.why, now
	switch o.verdict {
	case again:
		r.attempts++
		l.fails++
		l.stats.Failed++
		count("failed_attempts", l.key).Inc()
		pause := b.backoff(l.fails)
		r.next = now.Add(b.backoff(r.attempts))
		if o.after > 0 { // the receiver knows better: not earlier, and not later either
			pause, r.next = o.after, time.Time{}
		}
		l.paused = now.Add(pause)
		first := l.fails == 1
		b.mu.Unlock()
		if first {
			b.opts.Log.Warn("message not delivered, will be tried again", "receiver", l.key, "incident", r.Message.Incident, "err", o.why)
		}
	case refused:
		b.take(l, r)
		l.paused = now.Add(l.gap)
		b.mu.Unlock()
		b.giveUp(l, r, o.why)
	case gone:
		l.disabled = o.why
		rest := l.queue
		l.queue = nil
		b.mu.Unlock()
		b.opts.Log.Error("receiver is disabled until a test message arrives or the process starts anew", "receiver", l.key, "err", o.why)
		for _, x := range rest {
			b.giveUp(l, x, "receiver is disabled: "+o.why)
		}
	}
}

// take removes r from its queue in memory. The caller holds mu.
func (b *Outbox) take(l *lane, r *row) {
	l.queue = slices.DeleteFunc(l.queue, func(x *row) bool { return x == r })
}

// remove deletes r on disk. When that fails, the message may be sent again after a restart, never lost.
func (b *Outbox) remove(r *row) {
	err := b.opts.DB.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketName).Bucket(queueBucket).Delete(r.key) })
	if err != nil {
		b.opts.Log.Error("delivered message not removed, a restart may repeat it", "incident", r.Message.Incident, "err", err)
	}
}

// giveUp moves a message that has left the queue in memory to the dead letters.
func (b *Outbox) giveUp(l *lane, r *row, why string) {
	err := b.opts.DB.Update(func(tx *bolt.Tx) error {
		root := tx.Bucket(bucketName)
		if err := root.Bucket(queueBucket).Delete(r.key); err != nil {
			return err
		}
		return bury(root, deadLetter(l.key, r, why, time.Now()))
	})
	b.mu.Lock()
	l.stats.Dead++
	b.mu.Unlock()
	count("dead", l.key).Inc()
	b.opts.Log.Error("message given up", "receiver", l.key, "incident", r.Message.Incident, "why", why, "err", err)
}

// backoff doubles from retryFirst to retryMost, give or take a quarter.
func (b *Outbox) backoff(n int) time.Duration {
	d := retryMost
	if n < 20 {
		d = min(retryFirst<<(n-1), retryMost)
	}
	return time.Duration(float64(d) * (0.75 + 0.5*b.opts.Rand()))
}

// Stats returns one entry for each integration, in the order of the configuration.
func (b *Outbox) Stats() []Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Stats, len(b.lanes))
	for i, l := range b.lanes {
		s := l.stats
		s.Queued = len(l.queue)
		for _, r := range l.queue {
			if at := time.UnixMilli(r.Created); s.Oldest.IsZero() || at.Before(s.Oldest) {
				s.Oldest = at
			}
		}
		s.Disabled = l.disabled
		out[i] = s
	}
	return out
}

// Held returns how many notifications wait in memory for the disk, and how many were lost there for want of room.
func (b *Outbox) Held() (waiting int, lost int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.pending), b.lost
}

// DeadLetters returns what was given up, newest first, at most 200.
func (b *Outbox) DeadLetters() ([]DeadLetter, error) {
	var out []DeadLetter
	err := b.opts.DB.View(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketName).Bucket(deadBucket).Cursor()
		for k, v := c.Last(); k != nil; k, v = c.Prev() {
			var d DeadLetter
			if json.Unmarshal(v, &d) == nil {
				out = append(out, d)
			}
		}
		return nil
	})
	return out, err
}

// count returns the process's counter of what happened to an integration's messages.
func count(what, lane string) *metrics.Counter {
	return metrics.GetOrCreateCounter(`wrackline_notify_messages_` + what + `_total{integration=` + strconv.Quote(oneLine(lane, 200)) + `}`)
}

var (
	repeatedTotal = metrics.GetOrCreateCounter("wrackline_notify_notifications_repeated_total")
	lostTotal     = metrics.GetOrCreateCounter("wrackline_notify_notifications_lost_total")
)
