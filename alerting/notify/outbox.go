package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/route"
)

// Options configure an Outbox. Receivers may be empty: then everything is taken and nobody is told.
type Options struct {
	// DB keeps the outbox, in one bucket of its own. It must sync its commits. Without a DB only SendTest works.
	DB          *bolt.DB
	Idle        bool // what waits is shown, and nothing else happens: nothing is taken, sent or written, and DB may be open for reading only. Run must not be called
	Receivers   []Receiver
	ExternalURL string // where people reach the UI, for links; "" leaves links out
	Guard       Guard
	// ProxyFromEnvironment sends through the proxy that the usual environment variables name.
	ProxyFromEnvironment bool
	UserAgent            string // "" means "Wrackline"

	Timeout  time.Duration // for one attempt; 0 means 15 s
	MaxAge   time.Duration // a message that could not be delivered for so long is listed as given up; 0 means 72 h
	QueueMax int           // messages waiting for one integration; beyond it the oldest is given up, closing words first; 0 means 1,000

	// Route says which receivers are told of what; nil = everybody is told everything. TimeIntervals are those that it names.
	Route         *route.Route
	TimeIntervals []route.TimeInterval
	// Digest is when what the noise contract kept back is told, where a receiver does not say otherwise.
	Digest DigestConfig
	// Weekly is a line that the first daily digest of a week ends with; "" = nothing is to be said. It must not block; nil = there never is.
	Weekly func() string

	// Current returns an incident as it now stands; ok is false for one that is not, or no longer, known. What is told late is told as of then. It must not block. nil means that
	// messages are sent as they were made.
	Current func(incident string) (inc *alerting.Incident, ok bool)

	// Holder returns who has acknowledged an incident, and since when, Unix milliseconds by the receive clock; "" is nobody. What somebody has is neither repeated nor escalated. It must not block. nil means that nobody ever has one.
	Holder func(incident string) (who string, since int64)

	// Detours returns who is not told of an incident with these labels (those of routes) as of t, event time, Unix milliseconds, and who is in his place. nil means that routes alone decide.
	Detours func(labels map[string]string, t int64) []Detour

	// Peer is the other server of a pair; nil means that there is none. PeerWait is how long the second of them waits for the first; 0 means a minute.
	Peer     Peer
	PeerWait time.Duration
	// Judged returns up to when a cluster has been judged, event time, Unix milliseconds. It must not block. nil means up to now.
	Judged func(cluster string) int64

	Transport http.RoundTripper // replaces the guarded one, for tests; nil is right
	Rand      func() float64    // in [0,1), for the jitter of retries; nil means math/rand
	Log       *slog.Logger      // nil discards
}

const (
	knownFor                                  = 8 * 24 * time.Hour // ids are remembered so long; a journal is never replayed from further back
	deadMax                                   = 200                // given-up messages kept to be looked at
	pendingMax                                = 1000               // notifications held in memory while the disk refuses them
	retryFirst                                = 2 * time.Second
	retryMost                                 = 5 * time.Minute
	listedAgain                               = time.Hour        // between attempts of a message that the receiver has said no to for refusedMax
	refusedMax                                = time.Hour        // for so long a receiver may say no to a message before it is listed as given up
	wellAgain                                 = 10 * time.Minute // … and one that was listed is not tried more often than this when others are taken
	goneMost                                  = 24 * time.Hour   // most between two questions whether one who said 410 is there again; the first comes after an hour
	slackMinute, webhookMinute, perMinuteMost = 60, 600, 60_000  // messages
	storeAgain                                = 5 * time.Second  // between attempts to store what the disk refused
	answerMax                                 = 64 << 10         // bytes of an answer that are read
	graceFinish                               = 5 * time.Second
)

// Outbox keeps messages until each integration has taken them. It owns the bucket "outbox":
//
//	format        "1"
//	salt          16 bytes: of the hashes of URLs
//	self          of a pair: Unix ms since when this server learns, 8 bytes big-endian, and its id
//	known         id → Unix ms, sequence of the queue before it, each 8 bytes big-endian, 1: notifications ever taken, so that a replay adds nothing
//	integrations  key of the integration → JSON of identity: those of the configuration, and for eight days those that were
//	queue         key of the integration, 0, sequence (8 bytes big-endian) → CRC-32C of key and JSON (4 bytes little-endian), JSON of row
//	missed        key of the integration → JSON of missed: incidents that ended before it could be told of them
//	held          key of the integration, 0, incident → sum and JSON, as in queue, of holding: who is to hear how an incident goes on, and how it is known there
//	memos         key of the integration → sum and JSON of memo: what the next digest says, what contracts of routes have spent today
//	said          key of the integration, 0, ours or theirs, 0, incident → sum and JSON of Word: of a pair, what each of the two has said
//	dead          sequence → JSON of DeadLetter: what was given up, and why
//
// The key of an integration is receiver/kind/name, or a number where the configuration gives no name. It is found again by sameBy. Older programs kept neither salt nor integrations nor missed, counted
// the integrations in the key, and knew ids by their time alone, or without the 1 when there were no holdings: of an incident that one of them announced everybody hears how it goes on. An older program that reads this one's outbox takes ids of today for unknown.
//
// Methods may be called from any goroutine; Run only once.
type Outbox struct {
	opts   Options
	client *http.Client
	own    map[sender]*http.Client // of integrations with certificates of their own
	tree   *route.Tree
	lanes  []*lane
	astray []Astray
	moved  []string
	opened time.Time

	putting sync.Mutex // one Put at a time, or one lane that looks what is due; taken before mu
	mu      sync.Mutex // guards what follows and the lanes' queues
	pending []alerting.Notification
	lost    int64
}

// Open reads the outbox of the database, or makes one. It checks the receivers. What waits for integrations that are no
// longer configured is listed as given up (Astray); what waits for one that was moved within the file, or whose receiver has another name, follows it (Moved).
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
	tree, err := NewTree(o.Route, o.TimeIntervals, o.Receivers)
	if err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	if o.MaxAge <= 0 {
		o.MaxAge = 72 * time.Hour
	}
	if o.PeerWait <= 0 {
		o.PeerWait = peerWait
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
	b := &Outbox{opts: o, tree: tree, opened: time.Now()}
	b.client = &http.Client{Transport: o.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	paces := map[string]*pace{}
	for _, r := range o.Receivers {
		for i, c := range r.Slack {
			var to integration = &slack{c}
			if c.bot() {
				to = &slackBot{c}
			}
			b.secure(to, c.TLS)
			b.addLane(&r, identity{Receiver: r.Name, Kind: "slack", Name: c.Name, File: cmp.Or(c.APIURLFile, c.BotTokenFile), Channel: c.Channel, Place: i}, to, cmp.Or(c.PerMinute, slackMinute), paces)
		}
		for i, c := range r.Webhook {
			to := &webhook{c, r.Name}
			b.secure(to, c.TLS)
			b.addLane(&r, identity{Receiver: r.Name, Kind: "webhook", Name: c.Name, File: c.URLFile, Place: i}, to, cmp.Or(c.PerMinute, webhookMinute), paces)
		}
		for i, c := range r.Alertmanager {
			to := &alertmanager{c}
			b.secure(to, c.TLS)
			b.addLane(&r, identity{Receiver: r.Name, Kind: "alertmanager", Name: c.Name, File: c.URLFile, Place: i}, to, cmp.Or(c.PerMinute, webhookMinute), paces)
		}
	}
	is := make([]identity, len(b.lanes))
	for i, l := range b.lanes {
		is[i] = l.identity
	}
	nameKeys(nil, is, match(nil, is))
	for i, l := range b.lanes {
		l.identity, l.config = is[i], is[i].key
	}
	return b, nil
}

func (b *Outbox) addLane(r *Receiver, is identity, to integration, perMinute int, paces map[string]*pace) {
	l := &lane{identity: is, receiver: is.Receiver, kind: is.Kind, to: to, gap: time.Minute / time.Duration(perMinute), pace: &pace{}, box: b, held: map[string]*holding{}, said: map[string]*Word{}, wake: make(chan struct{}, 1)}
	if _, renews := to.(renewer); !renews { // who groups and silences by itself needs no list
		digest := r.Digest.over(b.opts.Digest)
		l.digest, _ = digest.read() // it has been checked
	}
	l.stats = Stats{Receiver: is.Receiver, Kind: is.Kind}
	if u, err := to.url(); err == nil {
		l.stats.Host, l.Host = u.Host, u.Host
		if p := paces[u.String()]; p != nil {
			l.pace = p // two that lead to the same place wait for one another
		}
		paces[u.String()] = l.pace
	}
	b.lanes = append(b.lanes, l)
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
