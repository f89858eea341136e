// Who is told of a notification: routes, who has been told before, and the contracts of routes.

package notify

import (
	"maps"
	"slices"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/route"
)

// planner finds out what a notification means for each integration.
type planner struct {
	b       *Outbox
	n       alerting.Notification
	m       *Message
	before  []byte // what is known of the notification before it; nil = nothing
	now     time.Time
	all     bool // everybody is told
	entries []*entry
}

// entry is what one notification changes for one integration.
type entry struct {
	l       *lane
	r       *row     // it is told; nil = it is not
	refused string   // why the message is listed as given up from the start
	held    *holding // what there is between the two from now on
	over    bool     // there is nothing any more
	memo    *memo    // what it remembers from now on; nil = as before
	said    ledger   // of a pair: that it is kept back
}

// plan makes the entries. The caller holds putting and mu.
func (p *planner) plan() {
	legs, all := p.b.ways(p.m.route(), p.n.T)
	p.all = all
	for _, l := range p.b.lanes {
		e := &entry{l: l}
		if p.n.Reason == alerting.Resolved {
			p.ends(e)
		} else {
			p.lasts(e, legsOf(legs, l.receiver))
		}
		if e.r != nil || e.held != nil || e.over || e.memo != nil || !e.said.empty() {
			p.entries = append(p.entries, e)
		}
	}
	p.escalate(legs)
}

// ends plans the closing word: for who has been told, or is about to be.
func (p *planner) ends(e *entry) {
	l, id := e.l, p.n.IncidentID
	if kept, changed := l.memo.Kept.ended(id, p.m.Resolved); changed {
		e.remember(func(x *memo) { x.Kept = kept })
	}
	h := l.held[id]
	heard := h != nil || p.older() && !tookBefore(p.before, l.Born)
	// Who wants no closing word, or was never told, still must not be told afterwards that it goes on.
	if (!heard || !l.to.sendResolved()) && !l.queued(id) {
		e.over = h != nil
		return
	}
	e.tell(p, heard)
}

// older reports whether an older program, which kept no holdings, spoke of the incident last.
func (p *planner) older() bool {
	return !p.n.Kept && p.n.Reason != alerting.First && len(p.before) != 17 &&
		!slices.ContainsFunc(p.b.lanes, func(l *lane) bool { return l.held[p.n.IncidentID] != nil })
}

// lasts plans what is said of an incident that is open. legs are the ways that lead to the integration.
func (p *planner) lasts(e *entry, legs []*route.Leg) {
	l, id := e.l, p.n.IncidentID
	h := l.held[id]
	heard := h != nil || p.older() && !tookBefore(p.before, l.Born)
	if !p.all && len(legs) == 0 && !heard {
		return
	}
	rank := alerting.SeverityRank(p.m.Severity)
	contract := slices.IndexFunc(legs, func(x *route.Leg) bool { return x.Contract != "" })
	switch {
	case contract < 0 && p.n.Kept, rank == 0 && p.n.Kept:
		p.keep(e)
		return
	case contract >= 0 && p.n.Reason == alerting.First && h != nil: // it was told while the contract of all kept it back
		return
	case contract >= 0 && rank < 2 && legs[contract].PerDay >= 0:
		leg := legs[contract]
		day, spent := p.spent(l)
		if spent[leg.Contract] >= leg.PerDay {
			p.keep(e)
			return
		}
		spent[leg.Contract]++
		e.remember(func(x *memo) { x.Day, x.Spent = day, spent })
	}
	if kept, changed := l.memo.Kept.without(id); changed {
		e.remember(func(x *memo) { x.Kept = kept })
	}
	e.tell(p, heard)
	if h == nil {
		e.held = &holding{Asked: p.now.UnixMilli(), Labels: p.m.route()}
	}
}

// keep leaves it to the digest.
func (p *planner) keep(e *entry) {
	e.l.learn(&e.said, e.l.word(p.m, nil, true, p.now))
	if e.l.digest != nil {
		e.remember(func(x *memo) { x.Kept = x.Kept.with(p.m, p.n.Incident.Headline().Peak, p.now) })
	}
}

// spent returns a copy of what contracts have spent on the day of the notification. Clusters may disagree about the date: the latest day counts.
func (p *planner) spent(l *lane) (day int64, spent map[string]int) {
	day = p.n.T / (24 * time.Hour).Milliseconds()
	if l.memo.Spent == nil || l.memo.Day < day {
		return day, map[string]int{}
	}
	return l.memo.Day, maps.Clone(l.memo.Spent)
}

// escalate plans that somebody else is told of a page that lasts.
func (p *planner) escalate(legs []*route.Leg) {
	if p.n.Kept || p.n.Reason == alerting.Resolved || alerting.SeverityRank(p.m.Severity) < 2 {
		return
	}
	for _, leg := range legs {
		if leg.Escalate == 0 || slices.ContainsFunc(legs, func(x *route.Leg) bool { return x.Receiver == leg.EscalTo }) {
			continue
		}
		for _, l := range p.b.lanes {
			told := slices.ContainsFunc(p.entries, func(e *entry) bool { return e.l == l && e.r != nil })
			if l.receiver != leg.EscalTo || told || l.held[p.n.IncidentID] != nil {
				continue
			}
			e := &entry{l: l, held: &holding{Asked: p.now.UnixMilli(), Labels: p.m.route()}}
			e.tell(p, false)
			e.r.After = p.now.Add(leg.Escalate).UnixMilli()
			e.r.due = p.now.Add(leg.Escalate)
			e.r.Since = e.r.After
			p.entries = append(p.entries, e)
		}
	}
}

// tell makes the row.
func (e *entry) tell(p *planner, heard bool) {
	ms := p.now.UnixMilli()
	e.r = &row{Created: ms, Since: ms, made: p.now, due: p.now, Message: p.m, Heard: heard}
	if e.l.disabled != "" {
		e.refused = "receiver is disabled: " + e.l.disabled
		e.r.Given = ms
	}
}

// remember changes what the integration remembers.
func (e *entry) remember(change func(*memo)) {
	if e.memo == nil {
		x := e.l.memo
		e.memo = &x
	}
	change(e.memo)
}
