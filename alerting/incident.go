// An incident while it lives: its working form, its timeline, and the immutable picture that is made of it.

package alerting

import (
	"cmp"
	"slices"

	"github.com/wrackline/wrackline/baseline/series"
)

// slot is a signal in alarm, or one that was in an incident which is still open.
type slot struct {
	key key
	m   *Member
	inc *incident // nil while loose

	out       int64 // end of the last window in which it was outside its band
	told      bool  // it was there when something was told
	worse     bool  // it got clearly worse since something was told
	suspected bool  // somebody changed the very thing shortly before
}

type key struct{ cluster, id string }

// incident is the working form. Its embedded Incident keeps Members empty; pub is built from both.
type incident struct {
	Incident
	slots    []*slot
	minOnset int64
	maxOnset int64
	active   int64 // last window with an alarm
	seen     int64 // last window of the cluster …
	heard    int64 // … and when it was judged, receive clock
	lastTold int64 // event time of the last notification, sent or withheld
	toldSize int   // members then
	toldRank int   // severity then
	seq      uint32
	state    byte // announced, heldBack
	crowd    int  // alarms without room in this batch
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
	listed // of severity info: handed to Keep once
	hushed // a silence kept all of it from being told, and may be over
)

// note adds to the timeline. A full one loses from its middle: how it began and how it stands matter most.
func (i *incident) note(t int64, kind, about string) {
	if len(i.Timeline) >= timelineMax {
		i.Timeline = slices.Delete(i.Timeline, timelineMax/2, timelineMax/2+1)
	}
	i.Timeline = append(i.Timeline, Event{t, kind, about})
	i.dirty = true
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
	first := i.mover()
	if i.first != "" {
		i.first = first
	}
	// Of members that moved in the same minute the more severe goes first, then the one that names somebody goes first: "who is refused" before "something is".
	slices.SortFunc(p.Members, func(a, b Member) int {
		return cmp.Or(-compareBool(a.SignalID == first, b.SignalID == first), byOnset(&a, &b))
	})
	p.Lead = i.headline(p.Members)
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
	p.Common = common(p.Members)
	if h := &p.Members[p.Lead]; h.Rule != nil || i.Title == "" {
		p.Title = h.title(p.Phase() != Firing)
		i.Title = p.Title
	}
	p.Timeline = slices.Clone(i.Timeline)
	p.Changes, p.Beside = slices.Clone(i.Changes), slices.Clone(i.Beside)
	i.pub = &p
	i.dirty = false
	return i.pub
}

// byOnset orders members by when they began to move.
func byOnset(a, b *Member) int {
	return cmp.Or(cmp.Compare(a.Onset, b.Onset), -cmp.Compare(SeverityRank(a.Severity), SeverityRank(b.Severity)), -cmp.Compare(len(a.Entity), len(b.Entity)), -cmp.Compare(a.Peak, b.Peak), cmp.Compare(a.SignalID, b.SignalID))
}

// mover returns the id of the member with which the incident began. What has been told to have moved first stays so, or a message and the page that it leads to
// would tell two stories, unless the cause of it has become known since.
func (i *incident) mover() string {
	best, rank := (*slot)(nil), 0
	for _, s := range i.slots {
		r := i.rank(s)
		late := i.minOnset + causalMs
		if r == 0 {
			late += causalMs // what was changed may take its time to show
		}
		if s.m.Onset > late && s.m.SignalID != i.first {
			continue
		}
		if best != nil && r == 0 && rank == 1 && best.m.Onset < s.m.Onset && !neighbours(best.m, s.m) {
			continue // what was done there has nothing to do with how it began
		}
		if best == nil || r < rank || r == rank && i.before(s, best) {
			best, rank = s, r
		}
	}
	if best == nil {
		return i.first
	}
	return best.m.SignalID
}

// neighbours reports whether what was done to one of two members may have moved the other: nodes share what lives on them.
func neighbours(a, b *Member) bool {
	return same(a, b) || linked(a, b) || a.Entity.Get("node") != "" && b.Entity.Get("node") != ""
}

// before reports whether of two equals a is the one with which the incident began: of one question and one minute the one whose name most others bear
// (the service behind the front door), else the one that was told, else the earlier.
func (i *incident) before(a, b *slot) bool {
	if a.m.Name == b.m.Name && a.m.Onset == b.m.Onset {
		if x, y := i.namesakes(a.m), i.namesakes(b.m); x != y {
			return x > y
		}
	}
	if a.m.SignalID == i.first || b.m.SignalID == i.first {
		return a.m.SignalID == i.first
	}
	return byOnset(a.m, b.m) < 0
}

// namesakes counts the members, of other questions, that are about something of the same namespace and of the name of m's workload.
func (i *incident) namesakes(m *Member) (n int) {
	who, where := m.Entity.Get("workload"), m.Entity.Get("namespace")
	for _, s := range i.slots {
		if who != "" && s.m.Name != m.Name && s.m.Onset <= m.Onset && s.m.Entity.Get("namespace") == where && slices.ContainsFunc(s.m.Entity, func(l series.Label) bool { return l.Value == who }) {
			n++
		}
	}
	return n
}

// causalMs is how much later than its consequence a cause may seem to begin: each signal's onset is known to a few minutes.
const causalMs = 10 * minuteMs

// rank says how far a member is from the cause: 0 somebody changed the very thing, 1 nothing explains it, 2 it is what users feel of another one.
func (i *incident) rank(s *slot) int {
	switch {
	case impact(s.m) && slices.ContainsFunc(i.slots, func(x *slot) bool { return causes(x.m, s.m) }):
		return 2
	case s.suspected:
		return 0
	}
	return 1
}

// causes reports whether what users feel, b, is explained by a.
func causes(a, b *Member) bool {
	return !impact(a) && SeverityRank(a.Severity) > 0 && a.Onset <= b.Onset+causalMs && linked(a, b)
}

// headline returns the member that the title speaks of: the most severe, of these the one that was told, else the first. Where that is only what users feel
// of another one, it is the other one.
func (i *incident) headline(list []Member) int {
	lead := max(0, slices.IndexFunc(list, func(m Member) bool { return m.SignalID == i.lead }))
	for k := range list {
		if SeverityRank(list[k].Severity) > SeverityRank(list[lead].Severity) {
			lead = k
		}
	}
	if !impact(&list[lead]) {
		return lead
	}
	cause := -1
	for k := range list {
		if causes(&list[k], &list[lead]) && (cause < 0 || SeverityRank(list[k].Severity) > SeverityRank(list[cause].Severity)) {
			cause = k
		}
	}
	if cause >= 0 {
		return cause
	}
	return lead
}

// commonFrom is of how many members a label must be known for it to be worth a word, and commonShare how large a part must carry it.
const (
	commonFrom  = 5
	commonShare = .8
)

// common returns the label that most members carry, though not all.
func common(list []Member) (best Common) {
	count, of := map[series.Label]int{}, map[string]int{}
	for k := range list {
		for _, l := range list[k].Entity {
			count[l]++
			of[l.Name]++
		}
	}
	for l, n := range count {
		if n < of[l.Name] && of[l.Name] >= commonFrom && float64(n) >= commonShare*float64(of[l.Name]) && l.Name != "workload_type" &&
			(n > best.N || n == best.N && cmp.Or(cmp.Compare(l.Name, best.Name), cmp.Compare(l.Value, best.Value)) < 0) {
			best = Common{l, n, of[l.Name]}
		}
	}
	return best
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
