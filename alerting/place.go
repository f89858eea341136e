// Where a new alarm goes: into an open incident, into one of its own, or among the loose ones until there is one for it.

package alerting

import (
	"slices"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
)

// place finds a home for a new alarm.
func (m *Manager) place(cluster string, v *baseline.Verdict) {
	mem := newMember(v)
	s := newSlot(cluster, mem)
	inc, part := m.match(cluster, mem, v.T)
	if inc != nil {
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
	if (SeverityRank(mem.Severity) > 0 || v.Signal.Rule.Digest) && m.openIncident(s, part, v.T) {
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

// again finds a home for an alarm that has got clearly worse: for half a day the story is the same, and that it is worse is told in it;
// after that what has been told of it stays in its incident, and what it is now is news of its own.
func (m *Manager) again(s *slot, v *baseline.Verdict) {
	if inc, _ := m.match(s.key.cluster, newMember(v), v.T); inc == s.inc || v.T-s.inc.Opened < driftJoinMax {
		s.worse = v.T-s.inc.Opened > m.opts.JoinMs // else it has just begun
		s.inc.note(v.T, "worse", s.m.SignalID)
		return
	}
	s.m.end(s.inc, v.T, worse)
	delete(m.tracked, s.key)
	m.place(s.key.cluster, v)
}

// worse is how a member ends whose alarm goes on in another incident, since it has got clearly worse.
const worse = "worse"

func newSlot(cluster string, mem *Member) *slot {
	s := &slot{key: key{cluster, mem.SignalID}, m: mem}
	if mem.Outside() {
		s.out = mem.LastSeen
	}
	return s
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

// openIncident starts an incident with s, which may be a part of another; it reports false when there is no room.
func (m *Manager) openIncident(s *slot, part string, t int64) bool {
	if len(m.open) >= m.opts.OpenMax {
		return false
	}
	id := digest("incident", s.key.cluster, s.key.id, number64(s.m.Onset))[:10]
	for n := int64(1); m.exists(id); n++ { // the same onset twice, after an incident that ended early
		id = digest("incident", s.key.cluster, s.key.id, number64(s.m.Onset), number64(n))[:10]
	}
	inc := &incident{Incident: Incident{ID: id, Cluster: s.key.cluster, Opened: t, Severity: s.m.Severity, PartOf: part}, active: t, seen: t, heard: m.nowMs}
	for _, c := range m.closed {
		if h := c.pub.Headline(); h.SignalID == s.key.id && c.Cluster == inc.Cluster && t-c.pub.Resolved <= dayMs {
			inc.Earlier++
		}
	}
	m.open = append(m.open, inc)
	m.tracked[s.key] = s
	m.join(inc, s, t)
	m.explain(inc)
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
		inc, part := m.match(cluster, s.m, t)
		if inc != nil && len(inc.slots) < m.opts.MembersMax {
			m.loose = slices.Delete(m.loose, i, i+1)
			m.join(inc, s, t)
			m.seen = false
			continue
		}
		if SeverityRank(s.m.Severity) > 0 && m.openIncident(s, part, t) {
			m.loose = slices.Delete(m.loose, i, i+1)
			m.seen = false
			continue
		}
		i++
	}
}

func (m *Manager) dropLoose(s *slot) {
	delete(m.tracked, s.key)
	m.loose = slices.DeleteFunc(m.loose, func(x *slot) bool { return x == s })
	m.seen = false
}

func (m *Manager) refuse() {
	m.refused++
	m.seen = false
	refusedTotal.Inc()
}

var (
	openedTotal  = metrics.GetOrCreateCounter("wrackline_alerting_incidents_opened_total")
	refusedTotal = metrics.GetOrCreateCounter("wrackline_alerting_alarms_refused_total")
)
