// The ways that an incident takes to receivers: those of the routes, with the detours of what people have said.

package notify

import (
	"slices"

	"github.com/wrackline/wrackline/alerting/route"
)

// Detour says that a receiver is not told.
type Detour struct {
	NotFor string
	To     string // who is told in its place; "" = the others that are told anyway
}

// ways returns the ways that an incident with these labels takes as of t, event time; all says that everybody is told. Detours after which nobody would be told are none: what somebody does not want to hear must reach another.
func (b *Outbox) ways(labels map[string]string, t int64) (legs []*route.Leg, all bool) {
	legs, all = b.tree.Match(labels), b.tree == nil
	if b.opts.Detours == nil {
		return legs, all
	}
	detours := b.opts.Detours(labels, t)
	if len(detours) == 0 {
		return legs, all
	}
	if all {
		for i := range b.opts.Receivers {
			legs = append(legs, &route.Leg{Receiver: b.opts.Receivers[i].Name})
		}
	}
	turned := legs
	for _, d := range detours {
		turned = b.turned(turned, d)
	}
	if len(turned) == 0 {
		return legs, all
	}
	return turned, false
}

// turned returns legs as a detour leaves them.
func (b *Outbox) turned(legs []*route.Leg, d Detour) (out []*route.Leg) {
	known := slices.ContainsFunc(b.opts.Receivers, func(r Receiver) bool { return r.Name == d.To })
	told := func(list []*route.Leg) bool {
		return slices.ContainsFunc(list, func(l *route.Leg) bool { return l.Receiver == d.To })
	}
	for _, l := range legs {
		x := *l
		if x.Escalate != 0 && x.EscalTo == d.NotFor {
			if x.EscalTo = d.To; !known {
				x.Escalate = 0
			}
		}
		if x.Receiver == d.NotFor {
			if !known || told(legs) || told(out) {
				continue
			}
			x.Receiver = d.To
		}
		out = append(out, &x)
	}
	return out
}
