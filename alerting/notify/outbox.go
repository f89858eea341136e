package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

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
