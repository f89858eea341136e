// What others see: immutable pictures of everything a Manager holds.

package alerting

import "slices"

// publish renews the snapshot when something has changed.
func (m *Manager) publish(t int64) {
	changed := !m.seen
	for _, inc := range m.open {
		if inc.dirty || inc.pub == nil {
			inc.build()
			changed = true
		}
	}
	if !changed {
		return
	}
	s := &Snapshot{T: t, Refused: m.refused}
	for _, inc := range m.open {
		s.Open = append(s.Open, inc.pub)
	}
	s.Closed = make([]*Incident, 0, len(m.closed))
	for i := len(m.closed) - 1; i >= 0; i-- {
		s.Closed = append(s.Closed, m.closed[i].pub)
	}
	for _, l := range m.loose {
		c := *l.m
		c.Top = slices.Clone(c.Top)
		s.Loose = append(s.Loose, c)
	}
	for i := len(m.days) - 1; i >= 0; i-- {
		s.Days = append(s.Days, m.days[i])
	}
	m.snap.Store(s)
	m.seen = true
}

// Snapshot returns the present picture. It is immutable and never nil.
func (m *Manager) Snapshot() *Snapshot { return m.snap.Load() }

// Incidents returns the open incidents, oldest first, followed by the closed ones, newest first.
func (m *Manager) Incidents() []*Incident {
	s := m.snap.Load()
	return append(slices.Clone(s.Open), s.Closed...)
}

// Incident returns an incident by id; ok is false when it is not, or no longer, known.
func (m *Manager) Incident(id string) (inc *Incident, ok bool) {
	s := m.snap.Load()
	for _, list := range [2][]*Incident{s.Open, s.Closed} {
		for _, i := range list {
			if i.ID == id {
				return i, true
			}
		}
	}
	return nil, false
}
