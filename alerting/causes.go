// What changed just before an incident.

package alerting

import (
	"cmp"
	"slices"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/series"
)

const (
	causeBeforeMs = 60 * minuteMs // a change may be this much older than the onset; see reach
	causeAfterMs  = 5 * minuteMs  // … or younger: the onset of a slow move is known by a few minutes
	causeReachMax = 12 * 60 * minuteMs
	causesMax     = 10 // kept with an incident
	causesMemberN = 64 // members that are compared
)

// causesAt tells whether there is anything new to look for.
type causesAt struct {
	onset   int64
	members int
	seq     int64 // baseline.Batch.ChangeSeq
}

// findCauses gives the cluster's open incidents the changes that bear on them. What an incident has it keeps, although the engine
// may have forgotten it since, unless closer ones take its place.
func (m *Manager) findCauses(cluster string, changes []change.Change, seq int64) {
	for _, inc := range m.open {
		if inc.Cluster != cluster {
			continue
		}
		now := causesAt{inc.minOnset, len(inc.slots), seq}
		if now == inc.searched {
			continue
		}
		inc.searched = now
		found := make([]Cause, 0, causesMax)
		add := func(c *change.Change) {
			if c.Kind == change.Rolled {
				return // that a rollout ended well causes nothing; its beginning is listed
			}
			if c.T < inc.minOnset-inc.reach() || c.T > inc.minOnset+causeAfterMs || Cut(c.Cluster, textMax) != cluster {
				return
			}
			near := inc.nearness(c)
			if near == Apart || c.T < inc.minOnset-causeBeforeMs && (near < SameThing || weight(c.Kind) > 0) || slices.ContainsFunc(found, func(x Cause) bool { return x.T == c.T && x.Kind == c.Kind && x.Object == c.Object && x.To == c.To }) {
				return
			}
			kept := *c
			kept.Works = nil // Nearness says what they were for
			found = append(found, Cause{kept, near})
		}
		for i := range changes {
			add(&changes[i])
		}
		for _, x := range inc.Changes {
			if x.T < inc.minOnset-inc.reach() || x.T > inc.minOnset+causeAfterMs ||
				slices.ContainsFunc(found, func(f Cause) bool { return f.T == x.T && f.Kind == x.Kind && f.Object == x.Object && f.To == x.To }) {
				continue
			}
			found = append(found, x)
		}
		slices.SortStableFunc(found, func(a, b Cause) int {
			return cmp.Or(-cmp.Compare(a.Nearness, b.Nearness), cmp.Compare(weight(a.Kind), weight(b.Kind)),
				cmp.Compare(distance(a.T, inc.minOnset), distance(b.T, inc.minOnset)), cmp.Compare(a.T, b.T), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Kind, b.Kind))
		})
		inc.Changes = slices.Clone(found[:min(len(found), causesMax)])
		inc.dirty = true
	}
}

// reach is how much older than the onset a change to the very thing may be. An onset that took long to find is known the less
// exactly: twice that time is allowed on top. A leak that a deploy began an hour and a half ago shows as a slow growth whose onset
// the model sees 90 min after the deploy and finds another 45 min later (memory_leak of the scenarios).
func (i *incident) reach() int64 {
	return min(causeBeforeMs+2*max(i.Opened-i.minOnset, 0), causeReachMax)
}

// weight puts what follows from trouble (a restart, an autoscaler's wish) behind what somebody did, where both are as near.
func weight(k change.Kind) int {
	switch k {
	case change.Scale, change.OOM, change.Restart:
		return 1
	}
	return 0
}

func distance(a, b int64) int64 {
	if a > b {
		return a - b
	}
	return b - a
}

// nearness relates a change to the closest member.
func (i *incident) nearness(c *change.Change) Nearness {
	best := Apart
	if len(c.Entity) == 0 || i.wide && weight(c.Kind) == 0 {
		best = WholeCluster
	}
	for _, s := range i.slots[:min(len(i.slots), causesMemberN)] {
		if n := relation(s.m.Entity, c); n > best {
			best = n
		}
		if best == SameThing {
			break
		}
	}
	return best
}

// Near relates a change to an entity of the same cluster: of a signal, say.
func Near(entity series.Labels, c *change.Change) Nearness {
	wide := entity.Get("namespace") == "" && entity.Get("workload") == "" && entity.Get("node") == ""
	if len(c.Entity) == 0 || wide && weight(c.Kind) == 0 {
		return WholeCluster
	}
	return relation(entity, c)
}

// relation relates a change to an entity that both have labels.
func relation(e series.Labels, c *change.Change) Nearness {
	namespace, workload, node := c.Entity.Get("namespace"), c.Entity.Get("workload"), c.Entity.Get("node")
	ns, w := e.Get("namespace"), e.Get("workload")
	switch {
	case workload != "" && workload == w && namespace == ns, node != "" && node == e.Get("node"):
		return SameThing
	case node != "" && w != "" && slices.Contains(c.Works, ns+"/"+w):
		return ItsNode
	case namespace != "" && namespace == ns && (workload == "" || w == "" || weight(c.Kind) == 0):
		return SameNamespace
	}
	return Apart
}

// When says when a change was in relation to an onset: "12 min before", "just then", "3 min after".
func When(t, onset int64) string {
	switch d := distance(t, onset); {
	case d < minuteMs:
		return "just then"
	case t < onset:
		return Span(d) + " before"
	default:
		return Span(d) + " after"
	}
}
