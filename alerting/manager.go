package alerting

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// Options configure a Manager. The zero value works: every field has a default, and without Emit nothing is told.
// All times are event time.
type Options struct {
	// Emit takes every notification, in order, from the goroutine that calls Observe. It must be quick.
	Emit func(Notification)
	// Rule finds a rule by name, for incidents that come back from a checkpoint. nil finds none.
	Rule func(name string) *signal.Rule

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

	looseMax    = 512  // alarms without an incident
	timelineMax = 80   // events in a timeline
	daysMax     = 30   // day tallies
	idMax       = 1024 // bytes of a signal id
	textMax     = 256  // bytes of a label value, member or rule name
	labelsMax   = 16   // labels of an entity
	holdGrowth  = 6    // longest hold, as a multiple of the shortest
	deadCluster = dayMs
)

// Manager builds incidents. It implements baseline.Sink. Observe, AppendState and RestoreState belong to one
// goroutine (the fold); Snapshot and Incident may be called from any.
//
// An alarm joins the open incident of its cluster that it is closest to: their onsets must lie within JoinMs and they
// must share something (in falling closeness: workload or node; one names the other in its evidence; namespace;
// the same question, or both fell silent; either concerns the whole cluster). A slow drift may be further off, by a
// tenth of its age, and whatever happens to a workload that drifts belongs to that incident. Otherwise it opens an
// incident of its own, unless its severity is info: such alarms are listed and may join later.
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
	seen    bool // the snapshot is up to date
	byOnset []fresh
}

type key struct{ cluster, id string }

// slot is a signal in alarm, or one that was in an incident which is still open.
type slot struct {
	key key
	m   *Member
	inc *incident // nil while loose
}

// incident is the working form. Its embedded Incident keeps Members empty; pub is built from both.
type incident struct {
	Incident
	slots    []*slot
	minOnset int64
	maxOnset int64
	active   int64 // last window with an alarm
	seen     int64 // last window of the cluster
	lastTold int64 // event time of the last notification, sent or withheld
	toldSize int   // members then
	toldRank int   // severity then
	seq      uint32
	state    byte // announced, heldBack
	crowd    int  // alarms without room in this batch
	wide     bool // has a member that concerns the whole cluster
	dirty    bool
	first    string   // signal id of the first mover, once told
	lead     string   // … and of the headline
	searched causesAt // what Changes were last looked for with
	pub      *Incident
	enc      []byte // encoded, once closed
}

const (
	announced = 1 << iota
	heldBack
)

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
		opts.Rule = func(string) *signal.Rule { return nil }
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

// SetRules changes Options.Rule. Alarms whose rule is gone end as gone, since nobody judges them any more. It belongs to the fold.
func (m *Manager) SetRules(rule func(name string) *signal.Rule) {
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

// Snapshot returns the present picture. It is immutable and never nil.
func (m *Manager) Snapshot() *Snapshot { return m.snap.Load() }

// Incidents returns the open incidents, oldest first, followed by the closed ones, newest first.
func (m *Manager) Incidents() []*Incident {
	s := m.snap.Load()
	return append(slices.Clone(s.Open), s.Closed...)
}

// Incident returns an incident by id; ok is false when it is not, or no longer, known.
func (m *Manager) Incident(id string) (inc *Incident, ok bool) {
	s := m.snap.Load()
	for _, list := range [2][]*Incident{s.Open, s.Closed} {
		for _, i := range list {
			if i.ID == id {
				return i, true
			}
		}
	}
	return nil, false
}

// Observe folds the verdicts of one window of one cluster.
func (m *Manager) Observe(b baseline.Batch) {
	cluster := Cut(b.Cluster, textMax)
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
			s = m.tracked[key{cluster, boundID(v.Signal.ID)}]
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
	m.findCauses(cluster, b.Changes, b.ChangeSeq)
	if !b.Old {
		m.tell(cluster, b.T)
	}
	m.publish(b.T)
}

func onsetOf(v *baseline.Verdict) int64 {
	if v.Onset == 0 || v.Onset > v.T {
		return v.T
	}
	return v.Onset
}

// boundID keeps ids short enough for keys and state; a hash keeps cut ids apart.
func boundID(id string) string {
	if len(id) <= idMax {
		return id
	}
	return id[:idMax-20] + "~" + digest(id)
}

// bits writes hashes in lower-case letters and digits that survive URLs, chats and being read aloud.
var bits = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// digest hashes parts, each with its length so that none runs into the next, to 16 characters (80 bits).
func digest(parts ...string) string {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		binary.LittleEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return bits.EncodeToString(h.Sum(nil)[:10])
}

func number64(v int64) string {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(v))
	return string(n[:])
}

// newMember makes a member of a verdict, with everything foreign cut to a bounded size.
func newMember(v *baseline.Verdict) *Member {
	r := v.Signal.Rule
	m := &Member{
		SignalID: strings.Clone(boundID(v.Signal.ID)), Name: Cut(r.Name, textMax), Rule: r, Unit: Cut(r.Unit, textMax), Severity: r.Severity,
		Onset: onsetOf(v), Opened: v.T, Fired: 1, Maturity: v.Maturity, Worst: math.NaN(), Value: math.NaN(),
	}
	if v.State == model.Absent && m.Severity == signal.Page {
		m.Severity = signal.Warn // nothing is known to be wrong but the watching
	}
	for i, l := range v.Signal.Entity {
		if i == labelsMax {
			break
		}
		m.Entity = append(m.Entity, series.Label{Name: Cut(l.Name, textMax), Value: Cut(l.Value, textMax)})
	}
	slices.SortFunc(m.Entity, func(a, b series.Label) int { return cmp.Compare(a.Name, b.Name) })
	m.see(v)
	return m
}

// see takes over what the verdict says of the present.
func (m *Member) see(v *baseline.Verdict) {
	m.LastSeen = v.T
	m.State = v.State
	m.Score = v.Score
	if v.State == model.Absent {
		m.Value = math.NaN()
	}
	if v.State != model.Absent {
		m.Value, m.Band = v.Value, v.Band
	}
	if !v.State.Alarm() {
		return
	}
	if v.Test != model.NoTest {
		m.Test = v.Test
	}
	m.SlopePerDay, m.LimitEta = v.SlopePerDay, v.LimitEta
	if v.Score > m.Peak {
		m.Peak = v.Score
	}
	if out := outside(v); !math.IsNaN(v.Value) && (math.IsNaN(m.Worst) || out > outside2(m)) {
		m.Worst, m.WorstT, m.WorstBand = v.Value, v.T, v.Band
		m.Top = m.Top[:0:0]
		for i, t := range v.Top {
			if i == 3 {
				break
			}
			m.Top = append(m.Top, signal.Member{Name: Cut(t.Name, textMax), Value: t.Value})
		}
	}
}

// outside says how far v lies out in the direction of its alarm; larger is worse.
func outside(v *baseline.Verdict) float64 {
	return farOut(v.State, v.SlopePerDay, v.Value, v.Band)
}

func outside2(m *Member) float64 { return farOut(m.State, m.SlopePerDay, m.Worst, m.WorstBand) }

func farOut(state model.State, slope, value float64, band model.Band) float64 {
	switch {
	case state == model.Low, state == model.Drifting && slope < 0:
		return -value
	case state == model.Drifting:
		return value
	}
	return value - band.Upper
}

// update folds a verdict of a signal that is already known.
func (m *Manager) update(s *slot, v *baseline.Verdict) {
	mem := s.m
	wasOver := mem.Ended != 0
	mem.see(v)
	alarm := v.State.Alarm()
	if s.inc == nil {
		if !alarm {
			m.dropLoose(s)
		}
		m.seen = false
		return
	}
	s.inc.dirty = true
	switch {
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

func (m *Member) end(inc *incident, t int64, how string) {
	m.Ended, m.Ending = t, how
	inc.dirty = true
	inc.note(t, how, m.SignalID)
}

// note adds to the timeline. A full one loses from its middle: how it began and how it stands matter most.
func (i *incident) note(t int64, kind, about string) {
	if len(i.Timeline) >= timelineMax {
		i.Timeline = slices.Delete(i.Timeline, timelineMax/2, timelineMax/2+1)
	}
	i.Timeline = append(i.Timeline, Event{t, kind, about})
	i.dirty = true
}

// place finds a home for a new alarm.
func (m *Manager) place(cluster string, v *baseline.Verdict) {
	mem := newMember(v)
	s := &slot{key: key{cluster, mem.SignalID}, m: mem}
	if inc := m.match(cluster, mem, v.T); inc != nil {
		if len(inc.slots) >= m.opts.MembersMax {
			inc.crowd++
			inc.dirty = true
			if v.Transition == model.Opened {
				m.refuse()
			}
			return
		}
		m.tracked[s.key] = s
		m.join(inc, s, v.T)
		return
	}
	if SeverityRank(mem.Severity) > 0 && m.openIncident(s, v.T) {
		return
	}
	if len(m.loose) >= looseMax {
		if v.Transition == model.Opened {
			m.refuse()
		}
		return
	}
	m.tracked[s.key] = s
	m.loose = append(m.loose, s)
	m.seen = false
}

func (m *Manager) refuse() {
	m.refused++
	m.seen = false
	refusedTotal.Inc()
}

func (m *Manager) dropLoose(s *slot) {
	delete(m.tracked, s.key)
	m.loose = slices.DeleteFunc(m.loose, func(x *slot) bool { return x == s })
	m.seen = false
}

// join adds a slot, tracked already, to an incident with room.
func (m *Manager) join(inc *incident, s *slot, t int64) {
	s.inc = inc
	mem := s.m
	if len(inc.slots) == 0 {
		inc.minOnset, inc.maxOnset = mem.Onset, mem.Onset
	}
	inc.slots = append(inc.slots, s)
	inc.minOnset, inc.maxOnset = min(inc.minOnset, mem.Onset), max(inc.maxOnset, mem.Onset)
	inc.wide = inc.wide || isWide(mem)
	if len(inc.slots) == 1 {
		inc.note(t, "opened", mem.SignalID)
	} else {
		inc.note(t, "joined", mem.SignalID)
	}
	if SeverityRank(mem.Severity) > SeverityRank(inc.Severity) {
		if len(inc.slots) > 1 {
			inc.note(t, "severity", string(mem.Severity))
		}
		inc.Severity = mem.Severity
	}
}

// openIncident starts an incident with s; it reports false when there is no room.
func (m *Manager) openIncident(s *slot, t int64) bool {
	if len(m.open) >= m.opts.OpenMax {
		return false
	}
	id := digest("incident", s.key.cluster, s.key.id, number64(s.m.Onset))[:10]
	for n := int64(1); m.exists(id); n++ { // the same onset twice, after an incident that ended early
		id = digest("incident", s.key.cluster, s.key.id, number64(s.m.Onset), number64(n))[:10]
	}
	inc := &incident{Incident: Incident{ID: id, Cluster: s.key.cluster, Opened: t, Severity: s.m.Severity}, active: t, seen: t}
	for _, c := range m.closed {
		if h := c.pub.Headline(); h.SignalID == s.key.id && c.Cluster == inc.Cluster && t-c.pub.Resolved <= dayMs {
			inc.Earlier++
		}
	}
	m.open = append(m.open, inc)
	m.tracked[s.key] = s
	m.join(inc, s, t)
	openedTotal.Inc()
	return true
}

func (m *Manager) exists(id string) bool {
	has := func(i *incident) bool { return i.ID == id }
	return slices.ContainsFunc(m.open, has) || slices.ContainsFunc(m.closed, has)
}

// retryLoose offers the alarms without an incident to the incidents that are there by now.
func (m *Manager) retryLoose(cluster string, t int64) {
	for i := 0; i < len(m.loose); {
		s := m.loose[i]
		if s.key.cluster != cluster {
			i++
			continue
		}
		if inc := m.match(cluster, s.m, t); inc != nil && len(inc.slots) < m.opts.MembersMax {
			m.loose = slices.Delete(m.loose, i, i+1)
			m.join(inc, s, t)
			m.seen = false
			continue
		}
		if SeverityRank(s.m.Severity) > 0 && m.openIncident(s, t) {
			m.loose = slices.Delete(m.loose, i, i+1)
			m.seen = false
			continue
		}
		i++
	}
}

// age ends what has not been heard of and resolves incidents whose hold has passed.
func (m *Manager) age(cluster string, t int64) {
	for i := 0; i < len(m.loose); {
		if s := m.loose[i]; s.key.cluster == cluster && t-s.m.LastSeen >= m.opts.GoneMs {
			m.dropLoose(s)
			continue
		}
		i++
	}
	keep := m.open[:0]
	for _, inc := range m.open {
		dead := inc.Cluster != cluster && t-inc.seen >= deadCluster
		if inc.Cluster != cluster && !dead {
			keep = append(keep, inc)
			continue
		}
		alarms := inc.crowd
		for _, s := range inc.slots {
			if s.m.Ended == 0 && (dead || t-s.m.LastSeen >= m.opts.GoneMs) {
				s.m.end(inc, t, "gone")
			}
			if s.m.Ended == 0 {
				alarms++
			}
		}
		if alarms > 0 && !dead {
			inc.active = t
			inc.Updated = t
			inc.dirty = true
			keep = append(keep, inc)
			continue
		}
		hold := m.opts.HoldMs * int64(min(1+inc.Refires, holdGrowth))
		if !dead && t-inc.active < hold {
			keep = append(keep, inc)
			continue
		}
		m.close(inc, t)
	}
	clear(m.open[len(keep):])
	m.open = keep
}

// close resolves an incident. It stays reachable through closed, and through owing until its closing word is said.
func (m *Manager) close(inc *incident, t int64) {
	how, gone := "recovered", true
	for _, s := range inc.slots {
		inc.Resolved = max(inc.Resolved, s.m.Ended)
		if s.m.Ending == "adopted" {
			how = "adopted"
		}
		gone = gone && s.m.Ending == "gone"
		delete(m.tracked, s.key)
	}
	if gone {
		how = "gone"
	}
	inc.Resolution = how
	inc.Updated = t
	inc.note(t, "resolved", how)
	inc.build()
	if inc.state&announced != 0 {
		m.owing = append(m.owing, inc)
	} else {
		m.freeze(inc)
	}
	m.seen = false
	m.closed = append(m.closed, inc)
	if n := len(m.closed) - m.opts.ClosedMax; n > 0 {
		for _, old := range m.closed[:n] { // a closing word still due is lost only to a backlog of ClosedMax incidents
			m.owing = slices.DeleteFunc(m.owing, func(i *incident) bool { return i == old })
		}
		m.closed = slices.Delete(m.closed, 0, n)
	}
}

// freeze drops what only a living incident needs.
func (m *Manager) freeze(inc *incident) {
	if keep := max(1, m.opts.MembersMax/2); len(inc.pub.Members) > keep {
		p := *inc.pub
		p.More += len(p.Members) - keep
		if p.Lead >= keep { // the headline stays, whatever its place
			p.Members = append(slices.Clone(p.Members[:keep-1]), p.Members[p.Lead])
			p.Lead = keep - 1
		} else {
			p.Members = slices.Clone(p.Members[:keep])
		}
		inc.pub = &p
	}
	inc.Incident = *inc.pub
	inc.slots = nil
	inc.enc = nil
}

// build makes the immutable picture of the working form.
func (i *incident) build() *Incident {
	p := i.Incident
	p.More = i.crowd
	p.Members = make([]Member, len(i.slots))
	for k, s := range i.slots {
		p.Members[k] = *s.m
		p.Members[k].Top = slices.Clone(s.m.Top)
	}
	// Of members that moved in the same minute the one that names somebody goes first: "who is refused" before "something is".
	slices.SortFunc(p.Members, func(a, b Member) int {
		return cmp.Or(-compareBool(a.SignalID == i.first, b.SignalID == i.first), cmp.Compare(a.Onset, b.Onset), -cmp.Compare(len(a.Entity), len(b.Entity)),
			-cmp.Compare(a.Peak, b.Peak), cmp.Compare(a.SignalID, b.SignalID))
	})
	p.Lead = max(0, slices.IndexFunc(p.Members, func(m Member) bool { return m.SignalID == i.lead }))
	for k := range p.Members {
		if SeverityRank(p.Members[k].Severity) > SeverityRank(p.Members[p.Lead].Severity) {
			p.Lead = k
		}
	}
	p.Onset = p.Members[0].Onset
	for k := range p.Members {
		p.Onset = min(p.Onset, p.Members[k].Onset)
	}
	p.Scope = nil
	for _, l := range p.Members[0].Entity {
		if !slices.ContainsFunc(p.Members[1:], func(m Member) bool { return m.Entity.Get(l.Name) != l.Value }) {
			p.Scope = append(p.Scope, l)
		}
	}
	if h := &p.Members[p.Lead]; h.Rule != nil || i.Title == "" {
		p.Title = h.Sentence(true)
		i.Title = p.Title
	}
	p.Timeline = slices.Clone(i.Timeline)
	p.Changes = slices.Clone(i.Changes)
	i.pub = &p
	i.dirty = false
	return i.pub
}

// publish renews the snapshot when something has changed.
func (m *Manager) publish(t int64) {
	changed := !m.seen
	for _, inc := range m.open {
		if inc.dirty || inc.pub == nil {
			inc.build()
			changed = true
		}
	}
	if !changed {
		return
	}
	s := &Snapshot{T: t, Refused: m.refused}
	for _, inc := range m.open {
		s.Open = append(s.Open, inc.pub)
	}
	s.Closed = make([]*Incident, 0, len(m.closed))
	for i := len(m.closed) - 1; i >= 0; i-- {
		s.Closed = append(s.Closed, m.closed[i].pub)
	}
	for _, l := range m.loose {
		c := *l.m
		c.Top = slices.Clone(c.Top)
		s.Loose = append(s.Loose, c)
	}
	for i := len(m.days) - 1; i >= 0; i-- {
		s.Days = append(s.Days, m.days[i])
	}
	m.snap.Store(s)
	m.seen = true
}

var (
	openedTotal   = metrics.GetOrCreateCounter("wrackline_alerting_incidents_opened_total")
	refusedTotal  = metrics.GetOrCreateCounter("wrackline_alerting_alarms_refused_total")
	withheldTotal = metrics.GetOrCreateCounter("wrackline_alerting_notifications_withheld_total")
)

func emittedTotal(r Reason) *metrics.Counter {
	return metrics.GetOrCreateCounter(`wrackline_alerting_notifications_emitted_total{reason="` + string(r) + `"}`)
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
