// Package alerting turns verdicts into incidents and decides who is told, when, and why.
//
// An Incident is what a person would call one problem: signals of one cluster that left their bands at about the
// same time and place. A Manager builds incidents from the engine's batches and emits a Notification when there is
// something to say. It is a fold: no clock, no goroutine, no I/O, and the same batches give the same incidents and
// the same notifications with the same ids, so a replay after a crash repeats nothing that the outbox already has.
package alerting

import (
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// Reason says why a notification is sent.
type Reason string

// The reasons.
const (
	First    Reason = "first"    // the incident is announced
	Changed  Reason = "changed"  // it became more severe or much wider
	Resolved Reason = "resolved" // the closing word; sent for every incident that was announced
	Trial    Reason = "test"     // somebody asked for a message to see whether it arrives
	Summary  Reason = "summary"  // what came and went while a receiver could not be told; made by the outbox
	Repeated Reason = "repeat"   // the incident is still open: where a route asks for that, made by the outbox; or a silence has ended
	Digest   Reason = "digest"   // what the noise contract kept back in a day; made by the outbox
)

// Notification is one decision to tell people about an incident. It is immutable.
type Notification struct {
	ID         string // stable over replays; also the idempotency key that receivers see
	IncidentID string
	Reason     Reason
	Seq        uint32    // number of this notification within its incident, from 0
	T          int64     // event time of the decision, Unix milliseconds
	Incident   *Incident // as it stood then; immutable
	Kept       bool      // the noise contract keeps it back: it is for the daily digest, and for who has a contract of his own. Its Seq is 0
}

// Incident is an immutable picture of one incident. Times are event time in Unix milliseconds.
type Incident struct {
	ID         string
	Title      string        // one sentence about the headline signal at its worst
	Severity   pack.Severity // the highest that any member has had
	Cluster    string
	Scope      series.Labels // labels that every member shares, sorted by name
	Onset      int64         // when the first mover began to deviate
	Opened     int64         // end of the window in which the first alarm rose
	Updated    int64         // end of the last window that counted
	Resolved   int64         // when the last member ended; 0 while open
	Resolution string        // recovered, adopted, gone, or worse: it goes on in a newer incident; empty while open
	Lead       int           // index in Members of the headline: most severe, then earliest
	Members    []Member      // sorted by onset, then by falling score: the first mover is Members[0]
	More       int           // alarms in the last window for which Members had no room
	Refires    int           // times that a member came back within the hold
	Earlier    int           // incidents of the 24 h before with the same headline signal
	Told       int           // notifications emitted
	Withheld   int           // notifications kept back by the daily cap
	LateMs     int64         // how long after its end the newest window was judged of which something was told, ms; 0 = in time, or not known
	Timeline   []Event       // oldest first, bounded
	Changes    []Cause       // what changed just before and bears on it: closest first, bounded
	Beside     []Cause       // what explains only members that came later, and not how it began
	PartOf     string        // id of an incident that was open and explains it; "" = none
	Common     Common        // a label that most members share, though not all
}

// Common is a label that more of an incident's members carry than not.
type Common struct {
	series.Label
	N, Of int // members with it, members that have a label of that name
}

// Cause is a change that may be behind an incident: it happened from an hour before the onset to five minutes after, and is about
// something that the incident is about.
type Cause struct {
	change.Change
	Nearness Nearness
	Signal   string // id of the member that it explains best; "" when an older program kept it
}

// Nearness says how closely a change and an incident are related, larger is closer.
type Nearness int

// The kinds of nearness.
const (
	Apart         Nearness = iota
	WholeCluster           // either concerns the whole cluster
	SameNamespace          //
	ItsNode                // the workload had pods on the node that changed
	SameThing              // the same workload or node
)

// String says it in words.
func (n Nearness) String() string {
	return [...]string{"apart", "same cluster", "same namespace", "its node", "same place"}[min(max(n, Apart), SameThing)]
}

// Open reports whether the incident still lasts.
func (i *Incident) Open() bool { return i.Resolved == 0 }

// FirstMover returns the member that left its band first.
func (i *Incident) FirstMover() *Member { return &i.Members[0] }

// Headline returns the member that the title speaks of.
func (i *Incident) Headline() *Member { return &i.Members[i.Lead] }

// Active returns how many members are in alarm.
func (i *Incident) Active() int {
	n := 0
	for k := range i.Members {
		if i.Members[k].Ended == 0 {
			n++
		}
	}
	return n
}

// Member is one signal's part in an incident. Long label values are cut (see Manager).
type Member struct {
	SignalID string        // as signal.Signal.ID, cut when longer than 1 KiB
	Name     string        // the rule's name
	Rule     *pack.Rule    // question, meaning, next steps; nil when the rule no longer exists
	Entity   series.Labels // sorted by name
	Unit     string        //
	Severity pack.Severity // of its rule when it joined

	Onset  int64  // when the deviation began, Unix milliseconds
	Opened int64  // end of the window in which the alarm rose
	Ended  int64  // end of the window in which it ended; 0 while in alarm
	Ending string // recovered, adopted, gone or worse; empty while in alarm
	Fired  int    // times that its alarm rose in this incident, at least 1

	State model.State // now
	Test  model.Test  // the loudest test while in alarm
	Value float64     // now; NaN when absent
	Band  model.Band  // of the same window

	Score     float64    // now
	Peak      float64    // highest score
	Worst     float64    // value farthest out, in the direction of the alarm; NaN when never seen
	WorstT    int64      // its window
	WorstBand model.Band // its band
	Few       [2]float64 // of Value, where few events are behind it: how many went wrong, of how many; not kept over a restart
	WorstFew  [2]float64 // of Worst
	Maturity  float64    // 0–1, when the alarm rose

	SlopePerDay float64         // drift: signal's unit a day
	LimitEta    int64           // drift: ms until the limit is reached at that slope; 0 when unknown
	Top         []signal.Member // raw series that weighed most at the worst, up to three

	LastSeen int64 // end of the last window in which the signal had a verdict

	Muted string // id of the act that keeps it from being told, as of its cluster's last window; "" = none, or not in alarm
}

// Event is one entry of an incident's timeline.
type Event struct {
	T      int64  // Unix milliseconds
	Kind   string // opened, joined, recovered, adopted, gone, worse, refired, severity, notified, withheld, silenced, resolved
	Signal string // id of the signal it is about, or the reason of a notification, or the new severity, or the id of the act that silences
}

// Snapshot is an immutable picture of everything a Manager holds, for pages and APIs.
type Snapshot struct {
	T      int64       // end of the last window that changed something, Unix milliseconds
	Open   []*Incident // oldest first
	Closed []*Incident // newest first, bounded
	Loose  []Member    // alarms that belong to no incident: severity info, or no room
	Days   []DayTally  // newest first, up to 30 days on which something was said or kept back
	// Refused counts alarms that found no room in the bounded tables since the state began.
	Refused int64
}

// DayTally counts what was said on one day of event time (UTC).
type DayTally struct {
	Day      int64 // days since 1970-01-01
	Sent     int   // first and changed notifications of severity warn
	Pages    int   // the same of severity page
	Resolved int   // closing words; they never count against a cap
	Withheld int   // notifications kept back by a cap
}

// SeverityRank orders severities: page 2, warn 1, everything else 0.
func SeverityRank(s pack.Severity) int {
	switch s {
	case pack.Page:
		return 2
	case pack.Warn:
		return 1
	}
	return 0
}
