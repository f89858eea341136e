// Which alarms belong together.

package alerting

import (
	"slices"

	"github.com/wrackline/wrackline/baseline/model"
)

// Closeness of two alarms, larger is closer. 0 means that they share nothing.
const (
	apart = iota
	sameCluster
	sameQuestion
	sameNamespace
	byEvidence
	sameThing // the same workload or node
)

// driftJoinMax bounds how far off a slow drift's onset may be from the incident it joins.
const driftJoinMax = 12 * 60 * minuteMs

// match returns the open incident that a new alarm belongs to, or nil: the closest, then the one whose onsets are
// nearest, then the oldest.
func (m *Manager) match(cluster string, mem *Member, t int64) *incident {
	var best *incident
	var bestClose int
	var bestGap int64
	for _, inc := range m.open {
		if inc.Cluster != cluster {
			continue
		}
		gap, near := inc.gap(mem, t, &m.opts)
		if !near && !inc.drifts(mem) {
			continue
		}
		c := inc.closeness(mem, near)
		if c == apart || c < bestClose || c == bestClose && gap >= bestGap {
			continue
		}
		best, bestClose, bestGap = inc, c, gap
	}
	return best
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
	first := mem.Onset - i.minOnset
	if first < 0 {
		first = -first
	}
	return gap, gap <= slack && first <= max(o.SpanMs, slack)
}

// drifts reports whether a member that still drifts is the same workload or node as mem: what then happens to it is
// the drift's consequence, however late.
func (i *incident) drifts(mem *Member) bool {
	return slices.ContainsFunc(i.slots, func(s *slot) bool {
		return s.m.Ended == 0 && s.m.State == model.Drifting && same(s.m, mem)
	})
}

// closeness returns the closest relation of mem to any member. Without nearness in time only sameThing counts.
func (i *incident) closeness(mem *Member, near bool) int {
	best := apart
	if near && (i.wide || isWide(mem)) {
		best = sameCluster
	}
	for _, s := range i.slots {
		c := relate(s.m, mem)
		if !near && c < sameThing {
			continue
		}
		if c > best {
			if best = c; best == sameThing {
				break
			}
		}
	}
	return best
}

func relate(a, b *Member) int {
	switch {
	case same(a, b):
		return sameThing
	case (names(a, b) || names(b, a)) && !conflict(a, b):
		return byEvidence
	case shared(a, b, "namespace"):
		return sameNamespace
	case a.Name == b.Name, a.State == model.Absent && b.State == model.Absent:
		return sameQuestion
	}
	return apart
}

func same(a, b *Member) bool {
	return shared(a, b, "node") || shared(a, b, "workload") && a.Entity.Get("namespace") == b.Entity.Get("namespace")
}

func shared(a, b *Member, label string) bool {
	v := a.Entity.Get(label)
	return v != "" && v == b.Entity.Get(label)
}

// names reports whether a's rule counts b's among its evidence.
func names(a, b *Member) bool {
	return a.Rule != nil && slices.Contains(a.Rule.Evidence, b.Name)
}

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

// isWide reports whether a member concerns the whole cluster. Severity info does not glue incidents together.
func isWide(m *Member) bool {
	if SeverityRank(m.Severity) == 0 {
		return false
	}
	for _, l := range m.Entity {
		if l.Name != "cluster" {
			return false
		}
	}
	return true
}
