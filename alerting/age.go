// How incidents end: signals that are not heard of, holds that have passed, and what is kept of what is over.

package alerting

import "slices"

// age ends what has not been heard of and resolves incidents whose hold has passed.
func (m *Manager) age(cluster string, t int64) {
	for i := 0; i < len(m.loose); {
		if s := m.loose[i]; s.key.cluster == cluster && t-s.m.LastSeen >= m.opts.GoneMs {
			m.dropLoose(s)
			continue
		}
		i++
	}
	keep := m.open[:0]
	for _, inc := range m.open {
		dead := inc.Cluster != cluster && m.nowMs-inc.heard >= deadCluster
		if inc.Cluster != cluster && !dead {
			keep = append(keep, inc)
			continue
		}
		alarms := inc.crowd
		for _, s := range inc.slots {
			if s.m.Ended == 0 && (dead || t-s.m.LastSeen >= m.opts.GoneMs) {
				s.m.end(inc, t, "gone")
			}
			if s.m.Ended == 0 {
				alarms++
			}
		}
		if alarms > 0 && !dead {
			inc.active = t
			inc.Updated = t
			inc.dirty = true
			keep = append(keep, inc)
			continue
		}
		hold := m.opts.HoldMs * int64(min(1+inc.Refires, holdGrowth))
		if !dead && t-inc.active < hold {
			keep = append(keep, inc)
			continue
		}
		m.close(inc, t)
	}
	clear(m.open[len(keep):])
	m.open = keep
}

// close resolves an incident. It stays reachable through closed, and through owing until its closing word is said.
func (m *Manager) close(inc *incident, t int64) {
	how, gone, over := "recovered", true, true
	for _, s := range inc.slots {
		inc.Resolved = max(inc.Resolved, s.m.Ended)
		if s.m.Ending == "adopted" {
			how = "adopted"
		}
		gone = gone && s.m.Ending == "gone"
		if m.tracked[s.key] == s { // else it goes on elsewhere
			delete(m.tracked, s.key)
		}
		over = over && s.m.Ending == worse
	}
	if gone {
		how = "gone"
	} else if over {
		how = worse
	}
	inc.Resolution = how
	inc.Updated = t
	inc.note(t, "resolved", how)
	inc.build()
	if inc.state&announced != 0 {
		m.owing = append(m.owing, inc)
	} else {
		if inc.state&(heldBack|listed) != 0 {
			m.keep(inc, Resolved, t)
		}
		m.freeze(inc)
	}
	m.seen = false
	m.closed = append(m.closed, inc)
	if n := len(m.closed) - m.opts.ClosedMax; n > 0 {
		for _, old := range m.closed[:n] { // a closing word still due is lost only to a backlog of ClosedMax incidents
			m.owing = slices.DeleteFunc(m.owing, func(i *incident) bool { return i == old })
		}
		m.closed = slices.Delete(m.closed, 0, n)
	}
}

// freeze drops what only a living incident needs.
func (m *Manager) freeze(inc *incident) {
	if keep := max(1, m.opts.MembersMax/2); len(inc.pub.Members) > keep {
		p := *inc.pub
		p.More += len(p.Members) - keep
		if p.Lead >= keep { // the headline stays, whatever its place
			p.Members = append(slices.Clone(p.Members[:keep-1]), p.Members[p.Lead])
			p.Lead = keep - 1
		} else {
			p.Members = slices.Clone(p.Members[:keep])
		}
		inc.pub = &p
	}
	inc.Incident = *inc.pub
	inc.slots = nil
	inc.enc = nil
}

// Forget ends whatever stands in a cluster as gone, at once, and says so to whom it was told. Incidents of the past stay. It belongs to the fold.
func (m *Manager) Forget(cluster string) {
	cluster = Cut(cluster, textMax)
	t := m.snap.Load().T
	for _, s := range slices.Clone(m.loose) {
		if s.key.cluster == cluster {
			m.dropLoose(s)
		}
	}
	keep := m.open[:0]
	for _, inc := range m.open {
		if inc.Cluster != cluster {
			keep = append(keep, inc)
			continue
		}
		t = max(t, inc.seen)
		for _, s := range inc.slots {
			if s.m.Ended == 0 {
				s.m.end(inc, t, "gone")
			}
		}
		m.close(inc, t)
	}
	clear(m.open[len(keep):])
	m.open = keep
	m.tell(cluster, t)
	m.publish(t)
}
