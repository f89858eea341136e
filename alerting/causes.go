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

// findCauses gives the cluster's open incidents the changes that bear on them.
func (m *Manager) findCauses(cluster string) {
	for _, inc := range m.open {
		if inc.Cluster == cluster {
			m.explain(inc)
		}
	}
}

// explain gives an incident the changes that bear on it: each is of the member that it explains best. What an incident has it keeps, although the engine
// may have forgotten it since, unless closer ones take its place. What explains only what joined later stands beside.
func (m *Manager) explain(inc *incident) {
	now := causesAt{inc.minOnset, len(inc.slots), m.changeSeq}
	if now == inc.searched {
		return
	}
	inc.searched = now
	var own, beside []Cause
	add := func(x Cause, late bool) {
		list := &own
		if late {
			list = &beside
		}
		if !slices.ContainsFunc(own, x.is) && !slices.ContainsFunc(*list, x.is) {
			*list = append(*list, x)
		}
	}
	for k := range m.changes {
		c := &m.changes[k]
		if c.Kind == change.Rolled || Cut(c.Cluster, textMax) != inc.Cluster {
			continue // that a rollout ended well causes nothing; its beginning is listed
		}
		if s, near := inc.explained(c); s != nil {
			kept := *c
			kept.Works = nil // Nearness says what they were for
			add(Cause{kept, near, s.m.SignalID}, s.m.Onset > inc.minOnset+m.opts.JoinMs)
		}
	}
	for _, x := range inc.Changes {
		if x.T >= inc.minOnset-inc.reach() && x.T <= inc.minOnset+causeAfterMs {
			add(x, false)
		}
	}
	for _, x := range inc.Beside {
		add(x, true)
	}
	sortCauses(own, inc.minOnset)
	sortCauses(beside, inc.maxOnset)
	inc.Changes = slices.Clone(own[:min(len(own), causesMax)])
	inc.Beside = slices.Clone(beside[:min(len(beside), causesMax)])
	inc.dirty = true
}

// explained returns the member that a change explains best, and how near it is; nil when it explains none.
func (i *incident) explained(c *change.Change) (best *slot, nearest Nearness) {
	for _, s := range i.slots[:min(len(i.slots), causesMemberN)] {
		if c.T > s.m.Onset+causeAfterMs || c.T < s.m.Onset-i.reach() {
			continue
		}
		near := Near(s.m.Entity, c)
		if near == Apart || c.T < s.m.Onset-causeBeforeMs && (near < SameThing || weight(c.Kind) > 0) {
			continue
		}
		if near == SameThing && weight(c.Kind) == 0 && c.T >= s.m.Onset-suspectMs {
			s.suspected = true
		}
		if best == nil || near > nearest || near == nearest && s.m.Onset < best.m.Onset {
			best, nearest = s, near
		}
	}
	return best, nearest
}

// suspectMs is how shortly before an onset somebody must have changed the very thing for it to go before others that moved about then.
const suspectMs = 15 * minuteMs

func sortCauses(list []Cause, onset int64) {
	slices.SortStableFunc(list, func(a, b Cause) int {
		return cmp.Or(-cmp.Compare(a.Nearness, b.Nearness), cmp.Compare(weight(a.Kind), weight(b.Kind)),
			cmp.Compare(distance(a.T, onset), distance(b.T, onset)), cmp.Compare(a.T, b.T), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Kind, b.Kind))
	})
}

// is reports whether two causes are the same change.
func (x Cause) is(y Cause) bool {
	return x.T == y.T && x.Kind == y.Kind && x.Object == y.Object && x.To == y.To
}

// suspected reports whether somebody changed the very thing with which the incident began.
func (i *incident) suspected() bool {
	first := i.mover()
	return slices.ContainsFunc(i.slots, func(s *slot) bool { return s.suspected && s.m.SignalID == first })
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
