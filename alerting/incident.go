// An incident while it lives: its working form, its timeline, and the immutable picture that is made of it.

package alerting

import (
	"cmp"
	"slices"
)

// slot is a signal in alarm, or one that was in an incident which is still open.
type slot struct {
	key key
	m   *Member
	inc *incident // nil while loose
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
