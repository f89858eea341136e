// What each integration has been told of an incident that lasts: who is to hear how it goes on, and what the far end needs to know it again.

package notify

import (
	"bytes"
	"slices"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/route"
	"github.com/wrackline/wrackline/baseline/pack"
)

// holding is what there is between an integration and an incident, from the first message that is queued for it to the closing word. It is stored. One that is shared is never changed: a copy takes its place.
type holding struct {
	Asked    int64             `json:"asked"`              // Unix ms when it was first to be told
	Said     int64             `json:"said,omitempty"`     // Unix ms when a message about it arrived last; 0 = none has
	T        int64             `json:"t,omitempty"`        // event time of that message
	Severity pack.Severity     `json:"severity,omitempty"` // … and its severity
	Repeats  uint32            `json:"repeats,omitempty"`  // how often it was said to be open still
	Labels   map[string]string `json:"labels,omitempty"`   // what routes ask for, as of that message
	Channel  string            `json:"channel,omitempty"`  // Slack: where its thread is …
	TS       string            `json:"ts,omitempty"`       // … and the thread's first message
	Alert    *amAlert          `json:"alert,omitempty"`    // Alertmanager: what is sent again and again
	Over     int64             `json:"over,omitempty"`     // Alertmanager: Unix ms when it was first said to be over; 0 = it lasts
	Theirs   bool              `json:"theirs,omitempty"`   // the other server of a pair said it last …
	As       string            `json:"as,omitempty"`       // … and calls the incident so; "" = as here
}

// memo is what an integration remembers beside its queue. It is stored.
type memo struct {
	Kept  *keptList      `json:"kept,omitempty"`  // for the next digest; nil = nothing
	Day   int64          `json:"day,omitempty"`   // of event time, of Spent
	Week  int64          `json:"week,omitempty"`  // of the newest digest with a line of the week
	Spent map[string]int `json:"spent,omitempty"` // by route: messages that its contract counts
}

const (
	heldMost = 2000                // holdings of an integration; beyond it the oldest is forgotten
	heldFor  = 30 * 24 * time.Hour // an alert of an incident that nobody knows any more is sent again for so long
)

func heldKey(lane, incident string) []byte { return []byte(lane + "\x00" + incident) }

// cutHeldKey is the inverse of heldKey.
func cutHeldKey(key []byte) (lane, incident string) {
	i := max(bytes.LastIndexByte(key, 0), 0)
	return string(key[:i]), string(key[min(i+1, len(key)):])
}

// legsOf returns the ways that lead to a receiver.
func legsOf(legs []*route.Leg, receiver string) []*route.Leg {
	return slices.DeleteFunc(slices.Clone(legs), func(l *route.Leg) bool { return l.Receiver != receiver })
}

// routed reports whether a lane is told of what has these labels.
func (l *lane) routed(labels map[string]string) bool {
	legs, all := l.box.ways(labels, 0)
	return all || len(legsOf(legs, l.receiver)) > 0
}

// restsLook is how often a lane looks whether an incident that rests does so still.
const restsLook = time.Minute

// rests reports whether nobody need be reminded of an incident: somebody has it, or all of it is silenced. What is new in it is told all the same, as far as alerting says so.
func (b *Outbox) rests(incident string) bool {
	if b.opts.Holder != nil {
		if who, _ := b.opts.Holder(incident); who != "" {
			return true
		}
	}
	if b.opts.Current == nil {
		return false
	}
	inc, ok := b.opts.Current(incident)
	return ok && inc.Open() && inc.Silenced() != nil
}

// heldBack reports whether a row must wait although the receiver could be told, and how long it does at least: an escalation whose time has not come or whose incident rests, or all its routes are silent now, or the other server of a pair comes first.
func (l *lane) heldBack(r *row, now time.Time) (wait time.Duration, muted, yes bool) {
	if left := l.untilAsked(r, now); left > 0 {
		return left, false, true
	}
	if r.After != 0 {
		if left := time.UnixMilli(r.After).Sub(now); left > 0 {
			return left, false, true
		}
		if !r.Heard && l.box.rests(r.Message.Incident) {
			return restsLook, false, true
		}
	}
	if l.box.tree == nil || r.summary || r.Message.Reason == alerting.Digest {
		return 0, false, false
	}
	ways, _ := l.box.ways(r.Message.route(), r.Message.T)
	legs := legsOf(ways, l.receiver)
	if len(legs) == 0 || slices.ContainsFunc(legs, func(x *route.Leg) bool { return !x.MutedAt(now) }) {
		return 0, false, false
	}
	return now.Truncate(time.Minute).Add(time.Minute).Sub(now), true, true
}

// holds returns a copy of what a lane holds of an incident; nil when that is nothing.
func (b *Outbox) holds(l *lane, incident string) *holding {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := l.held[incident]
	if h == nil {
		return nil
	}
	c := *h
	return &c
}

// hold notes in memory what a lane holds of an incident now, nil for nothing, and in g that it is to be stored. The caller holds mu.
func (l *lane) hold(g *ledger, incident string, h *holding) {
	if h == nil && l.held[incident] == nil {
		return
	}
	if g.held == nil {
		g.held = map[string]*holding{}
	}
	if g.held[incident] = h; h == nil {
		delete(l.held, incident)
	} else {
		l.held[incident] = h
	}
}

// heard notes that a message has arrived. h is what the far end made of the holding. The caller holds mu.
func (l *lane) heard(g *ledger, r *row, m *Message, h *holding, now time.Time) {
	switch m.Reason {
	case alerting.First, alerting.Changed, alerting.Repeated:
		if h == nil {
			h = &holding{Asked: r.Created}
		}
		h.Said, h.T, h.Severity, h.Labels, h.Theirs = now.UnixMilli(), m.T, m.Severity, m.route(), false
		if m.Reason == alerting.Repeated {
			h.Repeats++
		}
		l.hold(g, r.Message.Incident, h)
	case alerting.Resolved:
		if _, renews := l.to.(renewer); renews && h != nil {
			h.Said, h.Over, h.Theirs = now.UnixMilli(), now.UnixMilli(), false
			l.hold(g, r.Message.Incident, h)
			return
		}
		l.hold(g, r.Message.Incident, nil)
	}
}

// trim forgets the oldest holdings of a lane that has too many.
func trim(held map[string]*holding) {
	for len(held) > heldMost {
		oldest := ""
		for incident, h := range held {
			if o := held[oldest]; o == nil || h.Asked < o.Asked || h.Asked == o.Asked && incident < oldest {
				oldest = incident
			}
		}
		delete(held, oldest)
	}
}
