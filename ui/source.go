package ui

import (
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/signal"
)

// Source is everything the pages show. Each method returns an immutable snapshot at once, from any goroutine; nothing
// here changes anything. View and Incidents may return nil before there is something to show.
type Source interface {
	// View returns every signal now, sorted by id.
	View() *baseline.View
	// Incidents returns open and closed incidents.
	Incidents() *alerting.Snapshot
	// Acts returns what people have said of alarms; never nil.
	Acts() *act.View
	// Backtest returns how backtests stand.
	Backtest() Backtest
	// Range returns what was judged of a signal between two instants (Unix milliseconds, to is exclusive), reduced to about
	// points cells, oldest first, and the length of a cell in milliseconds. Cells without data are left out.
	// A signal without history gives no points and no error.
	Range(id string, fromMs, toMs int64, points int) ([]Point, int64, error)
	// Status returns the rest: who sends, what is matched, limits, counters, receivers.
	Status() Status
	// Pods returns into which workloads the pods of a name were folded, and why; an empty cluster or namespace is any.
	Pods(cluster, namespace, pod string, limit int) []identity.PodExplanation
	// Explain returns what a rule makes of what arrives; its Rule is nil when there is none of the name.
	Explain(rule string) signal.Explanation
	// Shadow returns a copy of what was learned of a signal, to try things on; nil when there is no such signal.
	Shadow(id string) *baseline.Shadow
	// Shadows returns copies of at most n signals' models, spread evenly, and how many signals there are.
	Shadows(n int) (list []*baseline.Shadow, of int)
	// Ready reports whether requests are accepted, and otherwise what start-up is doing.
	Ready() (ok bool, doing string)
}

// Point is one cell of a chart, in the signal's unit. What is unknown is NaN.
type Point struct {
	T                      int64   // end of the cell, Unix milliseconds
	Min, Max, Value        float64 // least, greatest and mean value
	Lower, Expected, Upper float64 // the band
	State                  model.State
	Score                  float64 // greatest
}

// Status is what the program says about itself. Empty parts are left out of the pages. It holds no secret.
type Status struct {
	Version   string // of the program; "" takes Options.Version
	Go        string // version of Go
	Platform  string // linux/amd64
	StartedMs int64  // Unix ms, wall clock
	// NowMs is the clock that ages are counted against, Unix ms: the wall clock, or the simulated one in a demo at
	// another speed. 0 takes the receive clock of the view.
	NowMs     int64
	ReceiveMs int64 // receive clock of the last request folded in, Unix ms
	GraceMs   int64 // for how long a minute waits for its samples at most

	Senders  []Sender
	Pairs    []Pair
	Clusters []Cluster
	Rules    []RuleUse
	Limits   []Limit
	Counters []Counter

	Journal     Journal
	Store       Store
	Receivers   []Receiver
	Heartbeat   *Heartbeat   // nil when nobody waits for one
	Peer        *Peer        // the other server of a pair; nil when there is none
	DeadLetters []DeadLetter // newest first
	Problems    []Problem    // most severe first

	NotificationsPerDay int                 // the noise contract: warn notifications a day; negative = no cap
	PagesPerDay         int                 // the same for pages
	Days                []alerting.DayTally // newest first
	// Budget is what the contract means for signals, of the kinds that there are. It is the view's, which need not be put together for it.
	Budget []baseline.BudgetView

	Config string // the effective configuration, secrets redacted
	Demo   *Demo  // nil unless this is a demo
}

// Pair says that what comes with one of the values of a label is what comes with another: senders that differ in it are replicas.
type Pair struct {
	Cluster, Label string
	Values         []string // the first is that of the series that are read
}

// Sender is one source of samples.
type Sender struct {
	Name, Cluster, Replica string
	Samples                int64 // ever received
	Accepted               int64 // used
	Duplicates             int64 // of another replica, or sent again
	Late                   int64 // after their window had closed
	Rejected               int64
	FirstMs, LastMs        int64   // receive clock, Unix ms
	LastT                  int64   // newest sample, Unix ms
	Series, Signals        int     // that signals need and it was the first to send; signals of these
	Unneeded               int     // series that no signal needs
	Yielded                int64   // series and signals given up since it had more than its share of a limit
	Used                   float64 // share of its samples that were used, 0–1; NaN = none came
}

// Cluster is one cluster as the stream sees it.
type Cluster struct {
	Name                     string
	Series, Tracked, Signals int
	Workloads                int
	LastT                    int64 // newest sample, Unix ms
	ClosedEnd                int64 // end of the last closed window, Unix ms
	WindowsClosed            int64
	Owners                   bool // kube-state-metrics' owner data is seen
}

// Waiting reports whether no window has closed yet: nothing is known then of what arrives and what does not.
func (c *Cluster) Waiting() bool { return c.WindowsClosed == 0 || c.ClosedEnd == 0 }

// RuleUse says what became of one rule in one cluster.
type RuleUse struct {
	Pack, PackTitle string
	Rule            *pack.Rule
	Cluster         string
	Form            int // index of the expression in use; −1 = dormant
	Series, Signals int
	Missing         []string // metric names that do not arrive, when dormant

	waiting string // why there is nothing yet though nothing is wrong; set by packsOf
}

// Waiting says why the rule has nothing yet although nothing is known to be wrong; "" when that is not so.
func (r *RuleUse) Waiting() string { return r.waiting }

// Dormant reports whether no form of the rule has its metrics.
func (r *RuleUse) Dormant() bool { return r.Form < 0 }

// Limit is one bound and how much of it is used.
type Limit struct {
	Name      string
	Used, Max float64
	Unit      string // as signals have: B, count, …
	Meaning   string // what happens beyond it
}

// Counter is one thing that is counted rather than done silently.
type Counter struct {
	Name    string // the metric's name or a short label
	Value   int64
	Unit    string // what is counted: samples, windows, requests
	Meaning string
	Loss    bool // a value above zero means that something was not used
}

// Journal says how the log of accepted requests stands.
type Journal struct {
	FirstPos, LastPos, SyncedPos uint64
	Bytes, MaxBytes              int64
	Segments                     int
	Sync                         string // 1s, always, off
	LastSyncMs                   int64  // Unix ms
	Err                          string // why nothing is durable any more; "" when all is well
}

// Store says how the file of models and history stands.
type Store struct {
	Path         string
	Bytes        int64
	CheckpointMs int64 // when the last checkpoint was made, Unix ms; 0 = none yet
	TookMs       int64 // how long it took
	Models       int
	HistoryDays  float64
	Err          string   // why the last checkpoint failed; "" when it did not
	Quarantined  string   // where a damaged file was moved; "" when none
	LeftOut      []string // what no record of a checkpoint takes, and why; the rest is saved
}

// Receiver is one integration of one receiver.
type Receiver struct {
	Name, Kind, Host string // Host without path and query
	Queued           int
	Oldest           time.Time // when the oldest queued message was taken; zero when none
	Sent, Failed     int64
	Dead, Coalesced  int64
	LastSuccess      time.Time
	LastError        string
	LastErrorAt      time.Time
	NextAttempt      time.Time
	Disabled         string    // why nothing is sent any more
	Owed             int       // of Queued, those that were given up: they are offered all the same
	GivenUp          string    // why the last one was; "" = none was
	GivenUpAt        time.Time //
	SendResolved     bool
	Test             string // the command that sends a test message; "" leaves it out
}

// Peer is the other server of a pair.
type Peer struct {
	URL           string
	Up            bool      // it was reached the last time
	Met           bool      // it has been heard from since the start; else nothing is known of it
	First         bool      // this server is the one of the two that tells at once
	Reached       time.Time // last; zero = never
	Since         time.Time // since when it is not reached; zero = it is
	Why           string    // why it is not
	TookMs        float64   // its last answer
	WaitMs        int64     // how long the second waits for the first
	Waiting       int       // words that it has not been told yet
	Version       string
	Ready         bool
	Open          int    // incidents that are open there
	BornMs        int64  // since when it learns
	BehindCluster string // the cluster of which it has judged least beside this one …
	BehindMs      int64  // … and by how much event time; less than 0 = it is nowhere behind
}

// Heartbeat is the call that somebody waits for.
type Heartbeat struct {
	Host         string // of its URL, without path and query
	EveryMs      int64
	Taken        int64     // calls that were answered with 2xx, since the start
	Last, Tried  time.Time // the newest of them, and the newest attempt; zero when there was none
	Fails        int       // attempts that failed since
	Answer, Held string    // what the newest attempt was answered when it failed; why none is made; "" = all is well
}

// DeadLetter is a message that was given up.
type DeadLetter struct {
	AtMs                          int64
	Receiver, ID, Incident, Title string
	Why                           string
}

// Problem is something about Wrackline itself that somebody should know.
type Problem struct {
	Severity string // error, warn or info
	Text     string
	Fix      string // what to do; may be empty
}

// Demo says what the simulated cluster is up to.
type Demo struct {
	Speed     float64        // simulated seconds a second
	Scenario  string         // what is simulated, one line
	Next      string         // the next fault, in words; "" when none is planned
	NextMs    int64          // when, on Status.NowMs's clock
	Inbox     []InboxMessage // newest first, bounded
	InboxMore int            // older ones that were dropped
}

// InboxMessage is a notification that the demo's own webhook received.
type InboxMessage struct {
	AtMs     int64 // when it arrived, on Status.NowMs's clock
	Receiver string
	Reason   string // first, changed, resolved, test
	Severity string // page, warn, info
	Title    string
	Incident string // id
	Where    string
	Value    string // against its band, with units
	First    string // what moved first
	Meaning  string
	Next     []string
	Notes    []string
	Lines    []string // one for each member
}
