// What a Manager makes of the receive clock: how late something is said, and what becomes of times that never were.

package alerting

import "github.com/wrackline/wrackline/baseline/series"

// LateFromMs is how long after its end a window must be judged before a message says so.
const LateFromMs = 5 * minuteMs

// hear takes note of when a window that ended at t was judged, by the receive clock; 0 = not known.
func (m *Manager) hear(cluster string, t, closedMs int64) {
	m.lateMs = 0
	m.nowMs = closedMs
	if closedMs == 0 {
		m.nowMs = t
	}
	if closedMs > 0 {
		if late := closedMs - t; late >= LateFromMs {
			m.lateMs = late
		}
		// A day that cannot have come yet was counted while a clock was wrong. It would use up the messages of all days until it comes.
		for n := len(m.days); n > 0 && m.days[n-1].Day > (closedMs+series.FutureMs)/dayMs; n-- {
			m.days = m.days[:n-1]
		}
	}
	for _, inc := range m.open {
		if inc.Cluster == cluster && inc.seen > t {
			inc.turnBack(t)
		}
		if inc.heard = min(inc.heard, m.nowMs); inc.Cluster == cluster || inc.heard == 0 {
			inc.heard = m.nowMs
		}
	}
	for _, s := range m.loose {
		if s.key.cluster == cluster && s.m.LastSeen > t {
			s.m.turnBack(t)
			m.seen = false
		}
	}
}

// turnBack takes back the times after t, which is now: the clock was wrong.
func (i *incident) turnBack(t int64) {
	for _, at := range []*int64{&i.seen, &i.active, &i.lastTold, &i.minOnset, &i.maxOnset, &i.Opened, &i.Updated, &i.Onset} {
		*at = min(*at, t)
	}
	for k := range i.Timeline {
		i.Timeline[k].T = min(i.Timeline[k].T, t)
	}
	for _, s := range i.slots {
		s.m.turnBack(t)
	}
	i.dirty = true
}

func (m *Member) turnBack(t int64) {
	for _, at := range []*int64{&m.Onset, &m.Opened, &m.Ended, &m.WorstT, &m.LastSeen} {
		*at = min(*at, t)
	}
}
