// Which alarms belong together. Joining needs a reason; that both are of one cluster, or close in time, is none.

package alerting

import (
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
)

// Why two alarms belong together, the strongest last. 0 means that nothing says so.
const (
	apart        = iota
	sameQuestion // the same is wrong elsewhere, or both fell silent
	byEvidence   // a pack says that one is worth seeing beside the other
	byChange     // the same change explains both
	sameThing    // the same workload, node or pod, or the namespace of one that is about namespaces
)

// driftJoinMax bounds how far off a slow drift's onset may be from the incident it joins, and how late a consequence may come.
const driftJoinMax = 12 * 60 * minuteMs

// match returns the open incident that a new alarm belongs to, or nil: that with the strongest reason, then the one whose onsets are
// nearest, then the oldest. part is an open incident which explains the alarm, though too long ago for it to be the same story; "" = none.
func (m *Manager) match(cluster string, mem *Member, t int64) (best *incident, part string) {
	var bestReason int
	var bestGap int64
	own := m.suspects(cluster, mem)
	for _, inc := range m.open {
		if inc.Cluster != cluster {
			continue
		}
		gap, near := inc.gap(mem, t, &m.opts)
		reason, late := inc.reason(mem, own, near)
		if late && part == "" {
			part = inc.ID
		}
		if reason == apart || reason < bestReason || reason == bestReason && gap >= bestGap {
			continue
		}
		best, bestReason, bestGap = inc, reason, gap
	}
	if best != nil {
		part = ""
	}
	return best, part
}

// gap returns how far the member's onset lies outside the incident's onsets, and whether that is near enough.
// The onset of a slow move is known the less exactly the older it is: a tenth of its age is allowed.
func (i *incident) gap(mem *Member, t int64, o *Options) (gap int64, near bool) {
	if mem.Onset < i.minOnset {
		gap = i.minOnset - mem.Onset
	} else if mem.Onset > i.maxOnset {
		gap = mem.Onset - i.maxOnset
	}
	slack := min(max(o.JoinMs, (t-mem.Onset)/10), driftJoinMax)
	first := distance(mem.Onset, i.minOnset)
	return gap, gap <= slack && first <= max(o.SpanMs, slack)
}

// reason returns the strongest reason for which mem belongs to the incident. own are the changes that explain mem alone. late says that a member which is
// still outside is a reason to look at the incident, although mem came too late to be a part of it.
func (i *incident) reason(mem *Member, own []*change.Change, near bool) (best int, late bool) {
	for _, s := range i.slots {
		r := i.bond(s, mem, own)
		switch {
		case r == apart, s.m.Onset > mem.Onset && !near:
			continue
		case near, i.consequence(s, mem, r):
			best = max(best, r)
		case r == byEvidence || r == sameThing && s.m.Ended == 0:
			late = true
		}
		if best == sameThing {
			break
		}
	}
	return best, late
}

// consequence reports whether what comes later is still explained by s, which goes on: what happens to a workload or node that drifts, or of which a
// pack's evidence says that both belong together, and what users feel of a cause that a pack names beside it.
func (i *incident) consequence(s *slot, mem *Member, reason int) bool {
	late := distance(mem.Onset, s.m.Onset) > driftJoinMax
	switch {
	case s.m.Ended != 0:
		return false
	case reason == sameThing:
		return s.m.State == model.Drifting || !late && linked(s.m, mem) && s.outside(mem.Onset)
	}
	return reason == byEvidence && !late && impact(mem) && !impact(s.m)
}

// bond returns why mem belongs beside a member. One whose value is back inside its band binds nothing but what happens to the very thing.
func (i *incident) bond(s *slot, mem *Member, own []*change.Change) int {
	if same(s.m, mem) {
		if s.m.Ended != 0 && !s.outside(mem.Onset) {
			return apart
		}
		return sameThing
	}
	if !s.outside(mem.Onset) {
		return apart
	}
	if slices.ContainsFunc(own, func(c *change.Change) bool { return moves(s.m, c) }) {
		return byChange
	}
	if i.suspected() && slices.ContainsFunc(own, func(c *change.Change) bool { return c.T >= mem.Onset-suspectMs }) && !(impact(mem) && linked(s.m, mem)) {
		return apart // each has its own suspect
	}
	switch {
	case linked(s.m, mem) && !conflict(s.m, mem), family(s.m, mem):
		return byEvidence
	case s.m.Name == mem.Name, s.m.State == model.Absent && mem.State == model.Absent:
		return sameQuestion
	}
	return apart
}

// outside reports whether the member was outside its band when something else began: later than that it explains nothing.
func (s *slot) outside(onset int64) bool {
	return s.m.Ended == 0 && s.m.Outside() || s.out >= onset
}

// suspects returns the changes that somebody made to the very thing that mem is about, shortly before.
func (m *Manager) suspects(cluster string, mem *Member) []*change.Change {
	var out []*change.Change
	for k := len(m.changes) - 1; k >= 0 && len(out) < suspectsMax; k-- {
		c := &m.changes[k]
		if suspect(mem, c) && Cut(c.Cluster, textMax) == cluster {
			out = append(out, c)
		}
	}
	return out
}

const suspectsMax = 16

// suspect reports whether a change is one that somebody made to the very thing, or to the node of it, at a time at which it explains mem.
func suspect(mem *Member, c *change.Change) bool {
	return c.T >= mem.Onset-causeBeforeMs && c.T <= mem.Onset+causeAfterMs && c.Kind != change.Rolled && weight(c.Kind) == 0 && moves(mem, c)
}

// moves reports whether a change bears on what a member is about more closely than on its neighbours. What lived on a node that is drained goes to the others:
// it moves them, too.
func moves(m *Member, c *change.Change) bool {
	if n := relation(m.Entity, c); n >= ItsNode {
		return true
	}
	switch c.Kind {
	case change.Cordon, change.Uncordon, change.Drain, change.Reboot, change.NodeNew, change.NodeGone, change.Version:
		return c.Entity.Get("node") != "" && m.Entity.Get("node") != ""
	}
	return false
}

// same reports whether two members are about the same workload, node or pod, or one about the namespace of the other.
func same(a, b *Member) bool {
	switch {
	case shared(a, b, "node"):
		return true
	case a.Entity.Get("namespace") != b.Entity.Get("namespace"):
		return false
	case shared(a, b, "workload"), shared(a, b, "pod"):
		return true
	}
	return shared(a, b, "namespace") && (isNamespace(a) || isNamespace(b))
}

// isNamespace reports whether a namespace is all that a member is about.
func isNamespace(m *Member) bool {
	for _, l := range m.Entity {
		if l.Name != "cluster" && l.Name != "namespace" {
			return false
		}
	}
	return true
}

func shared(a, b *Member, label string) bool {
	v := a.Entity.Get(label)
	return v != "" && v == b.Entity.Get(label)
}

// linked reports whether the rule of one names the other's among its evidence: what belongs beside what.
func linked(a, b *Member) bool {
	return a.Rule != nil && slices.Contains(a.Rule.Evidence, b.Name) || b.Rule != nil && slices.Contains(b.Rule.Evidence, a.Name)
}

// family reports whether two members are about the same part of a whole cluster, its DNS say: rules of one name space that group by nothing.
func family(a, b *Member) bool {
	x, _, _ := strings.Cut(a.Name, ".")
	y, _, _ := strings.Cut(b.Name, ".")
	return x == y && isWide(a) && isWide(b)
}

// isWide reports whether a member concerns the whole cluster.
func isWide(m *Member) bool {
	for _, l := range m.Entity {
		if l.Name != "cluster" {
			return false
		}
	}
	return true
}

// impact reports whether a member is what users feel of something else.
func impact(m *Member) bool { return m.Rule != nil && m.Rule.Impact }

// conflict reports whether both carry one of the labels that place an entity, with different values.
func conflict(a, b *Member) bool {
	for _, label := range [...]string{"namespace", "workload", "node"} {
		x, y := a.Entity.Get(label), b.Entity.Get(label)
		if x != "" && y != "" && x != y {
			return true
		}
	}
	return false
}
