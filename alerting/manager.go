package alerting

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
)

// Options configure a Manager. The zero value works: every field has a default, and without Emit nothing is told.
// All times are event time.
type Options struct {
	// Emit takes every notification, in order, from the goroutine that calls Observe. It must be quick.
	Emit func(Notification)
	// Keep takes what the noise contract keeps back, as Emit takes what it lets through: what would have been said, and the closing word of what nobody was told of. nil means nobody does.
	Keep func(Notification)
	// Acts is what people have said of what may be told; nil = nothing. It belongs to the fold as the Manager does.
	Acts *act.Book
	// Rule finds a rule by name, for incidents that come back from a checkpoint. nil finds none.
	Rule func(name string) *pack.Rule

	// NotificationsPerDay caps first and changed notifications of severity warn on one UTC day. 0 means 5, negative
	// means no cap. What exceeds it is counted as withheld; an incident that is still open when there is room again
	// is announced then. A closing word follows every announced incident and never counts.
	NotificationsPerDay int
	// PagesPerDay is the same for severity page, apart, as a guard against a runaway. 0 means 20.
	PagesPerDay int

	JoinMs   int64 // onsets this close may belong to one incident; 0 means 10 min
	SpanMs   int64 // an incident takes no onset further than this from its first; 0 means 60 min
	HoldMs   int64 // an incident resolves this long after its last alarm ended; grows with each flap, up to six times; 0 means 5 min
	GoneMs   int64 // an alarm without any verdict for this long ends as gone; 0 means 30 min
	WaitMs   int64 // a warn incident must last this long before it is announced; 0 means 1 min, negative means at once. Pages never wait
	ChangeMs int64 // shortest time between two notifications about a widening incident; 0 means 10 min

	OpenMax    int // open incidents kept; 0 means 256
	ClosedMax  int // closed incidents kept; 0 means 1,000
	MembersMax int // members kept in an open incident; 0 means 64. A closed one keeps half
}

func orInt(v *int, d int) {
	if *v == 0 {
		*v = d
	}
}

func orMs(v *int64, d int64) {
	if *v == 0 {
		*v = d
	}
}

const (
	minuteMs = 60_000
	dayMs    = 24 * 60 * minuteMs

	looseMax    = 512 // alarms without an incident
	timelineMax = 80  // events in a timeline
	daysMax     = 30  // day tallies
	textMax     = 256 // bytes of a label value, member or rule name
	labelsMax   = 16  // labels of an entity
	holdGrowth  = 6   // longest hold, as a multiple of the shortest
	deadCluster = dayMs
)

// Manager builds incidents. It implements baseline.Sink. Observe, AppendState and RestoreState belong to one
// goroutine (the fold); Snapshot and Incident may be called from any.
//
// An alarm joins the open incident of its cluster with the strongest reason: they are about the same thing; one change explains both; one names
// the other in its evidence; the same is wrong elsewhere, or both fell silent. Their onsets must lie within JoinMs; a slow drift may be further off, by a
// tenth of its age, and what is the consequence of something that goes on belongs to it however late. A member whose value is back inside its band is a
// reason no more, and what somebody's change explains does not join what another one explains. Without a reason an alarm opens an incident of its own,
// unless its severity is info: such alarms are listed and may join later.
//
// Everything is bounded: beyond OpenMax or MembersMax an alarm is counted and keeps its incident open, but is not
// listed; label values, ids and names are cut.
type Manager struct {
	opts    Options
	open    []*incident // by time of opening
	closed  []*incident // oldest first; frozen
	owing   []*incident // resolved during a backlog: the closing word is still due
	tracked map[key]*slot
	loose   []*slot
	days    []DayTally // oldest first
	refused int64
	snap    atomic.Pointer[Snapshot]
	seen    bool  // the snapshot is up to date
	nowMs   int64 // when the window was judged that is looked at, receive clock
	lateMs  int64 // how late the window is judged that is looked at, as LateFromMs says
	byOnset []fresh

	young     bool            // the cluster that is folded is in its first hour: only facts are told
	changes   []change.Change // of the batch that is folded, and
	changeSeq int64           // their number
}

type fresh struct {
	onset int64
	rank  int
	index int
}

// NewManager returns a Manager without incidents.
func NewManager(opts Options) *Manager {
	orInt(&opts.NotificationsPerDay, 5)
	orInt(&opts.PagesPerDay, 20)
	orInt(&opts.OpenMax, 256)
	orInt(&opts.ClosedMax, 1000)
	orInt(&opts.MembersMax, 64)
	orMs(&opts.JoinMs, 10*minuteMs)
	orMs(&opts.SpanMs, 60*minuteMs)
	orMs(&opts.HoldMs, 5*minuteMs)
	orMs(&opts.GoneMs, 30*minuteMs)
	orMs(&opts.WaitMs, minuteMs)
	orMs(&opts.ChangeMs, 10*minuteMs)
	if opts.Emit == nil {
		opts.Emit = func(Notification) {}
	}
	if opts.Rule == nil {
		opts.Rule = func(string) *pack.Rule { return nil }
	}
	m := &Manager{opts: opts, tracked: map[key]*slot{}}
	m.snap.Store(&Snapshot{})
	return m
}

var _ baseline.Sink = (*Manager)(nil)

// SetNotificationsPerDay changes the cap of Options.NotificationsPerDay from the next window on. It belongs to the fold.
func (m *Manager) SetNotificationsPerDay(n int) {
	m.opts.NotificationsPerDay = n
	orInt(&m.opts.NotificationsPerDay, 5)
}

// SetPagesPerDay changes the cap of Options.PagesPerDay from the next window on. It belongs to the fold.
func (m *Manager) SetPagesPerDay(n int) {
	m.opts.PagesPerDay = n
	orInt(&m.opts.PagesPerDay, 20)
}

// SetRules changes Options.Rule. Alarms whose rule is gone end as gone, since nobody judges them any more. It belongs to the fold.
func (m *Manager) SetRules(rule func(name string) *pack.Rule) {
	m.opts.Rule = rule
	for _, inc := range m.open {
		for _, s := range inc.slots {
			if r := rule(s.m.Name); r != nil {
				s.m.Rule = r
			} else if s.m.Ended == 0 {
				s.m.end(inc, inc.seen, "gone")
			}
		}
		inc.dirty = true
	}
	for _, s := range slices.Clone(m.loose) {
		if r := rule(s.m.Name); r != nil {
			s.m.Rule = r
		} else {
			m.dropLoose(s)
		}
	}
	m.publish(m.snap.Load().T)
}

// Observe folds the verdicts of one window of one cluster.
func (m *Manager) Observe(b baseline.Batch) {
	cluster := Cut(b.Cluster, textMax)
	m.changes, m.changeSeq = b.Changes, b.ChangeSeq
	m.hear(cluster, b.T, b.ClosedMs)
	for _, inc := range m.open {
		if inc.Cluster == cluster {
			inc.crowd = 0
			inc.seen = max(inc.seen, b.T)
		}
	}
	m.byOnset = m.byOnset[:0]
	for i := range b.Verdicts {
		v := &b.Verdicts[i]
		var s *slot
		if len(m.tracked) > 0 {
			s = m.tracked[key{cluster, v.Signal.ID}]
		}
		switch {
		case v.Skipped && v.State != model.Absent: // nothing was judged: what was, stands
			if s != nil {
				s.m.LastSeen = v.T
			}
		case s != nil:
			m.update(s, v)
		case v.State.Alarm():
			m.byOnset = append(m.byOnset, fresh{onsetOf(v), SeverityRank(v.Signal.Rule.Severity), i})
		}
	}
	// The earliest deviation opens, so that the rest joins it; what cannot open comes last. Batches are sorted by
	// signal id and the sort is stable, so that ties fall the same way every time.
	slices.SortStableFunc(m.byOnset, func(a, b fresh) int {
		return cmp.Or(-cmp.Compare(min(a.rank, 1), min(b.rank, 1)), cmp.Compare(a.onset, b.onset), -cmp.Compare(a.rank, b.rank))
	})
	for _, f := range m.byOnset {
		m.place(cluster, &b.Verdicts[f.index])
	}
	m.retryLoose(cluster, b.T)
	m.age(cluster, b.T)
	m.findCauses(cluster)
	m.changes = nil // it was lent
	if !b.Old {
		m.young = b.Young
		m.tell(cluster, b.T)
	}
	m.publish(b.T)
}

// update folds a verdict of a signal that is already known.
func (m *Manager) update(s *slot, v *baseline.Verdict) {
	mem := s.m
	wasOver := mem.Ended != 0
	mem.see(v)
	alarm := v.State.Alarm()
	if alarm && mem.Outside() {
		s.out = v.T
	}
	if s.inc == nil {
		if !alarm {
			m.dropLoose(s)
		}
		m.seen = false
		return
	}
	s.inc.dirty = true
	switch {
	case alarm && !wasOver && v.Transition == model.Worsened:
		m.again(s, v)
	case alarm && wasOver:
		mem.Ended, mem.Ending = 0, ""
		mem.Fired++
		s.inc.Refires++
		s.inc.note(v.T, "refired", mem.SignalID)
	case !alarm && !wasOver:
		how := "recovered"
		if v.Transition == model.Adopted {
			how = "adopted"
		}
		mem.end(s.inc, v.T, how)
	}
}
