// Who is told, and when: announce, report changes, close, and keep to the daily cap.

package alerting

import (
	"cmp"
	"slices"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/baseline/model"
)

// tell emits what is due after a live window of a cluster.
func (m *Manager) tell(cluster string, t int64) {
	for _, inc := range m.owing {
		m.emit(inc, Resolved, t)
		m.freeze(inc)
		m.seen = false
	}
	clear(m.owing)
	m.owing = m.owing[:0]

	type due struct {
		inc    *incident
		reason Reason
		peak   float64
	}
	var list []due
	for _, inc := range m.open {
		if inc.Cluster != cluster {
			continue
		}
		m.hush(inc, t)
		if !m.young {
			m.keepQuiet(inc, t)
		}
		if r := m.due(inc, t); r != "" {
			d := due{inc: inc, reason: r}
			for _, s := range inc.slots {
				d.peak = max(d.peak, s.m.Peak)
			}
			list = append(list, d)
		}
	}
	// When the cap leaves room for some, the most severe and the clearest go first; ties by age.
	slices.SortStableFunc(list, func(a, b due) int {
		return cmp.Or(-cmp.Compare(SeverityRank(a.inc.Severity), SeverityRank(b.inc.Severity)), -cmp.Compare(a.peak, b.peak))
	})
	for _, d := range list {
		day := m.today(t)
		room := m.opts.NotificationsPerDay < 0 || day.Sent < m.opts.NotificationsPerDay
		page := SeverityRank(d.inc.Severity) == 2
		if page {
			room = m.opts.PagesPerDay < 0 || day.Pages < m.opts.PagesPerDay
		}
		switch {
		case room && page:
			day.Pages++
			m.emit(d.inc, d.reason, t)
		case room:
			day.Sent++
			m.emit(d.inc, d.reason, t)
		case d.reason == First && d.inc.state&heldBack != 0:
			// already counted; it is announced when there is room
		default:
			day.Withheld++
			d.inc.Withheld++
			d.inc.note(t, "withheld", string(d.reason))
			withheldTotal.Inc()
			m.keep(d.inc, d.reason, t)
			if d.reason == First {
				d.inc.state |= heldBack
			} else {
				d.inc.state &^= hushed
				d.inc.told(t, m.young) // the next change is measured from here, so that it is not counted again each window
			}
		}
		m.seen = false
	}
}

// due returns what there is to say about an open incident, or "".
func (m *Manager) due(inc *incident, t int64) Reason {
	if inc.active != t { // between flaps there is nothing new to say
		return ""
	}
	if SeverityRank(inc.Severity) == 0 { // listed, and nobody is called
		return ""
	}
	firing, rank := inc.firing(m.young)
	if firing == 0 { // it is on its way back: the closing word will say so
		return ""
	}
	if inc.state&announced == 0 {
		if SeverityRank(inc.Severity) < 2 && t-inc.Opened < m.opts.WaitMs {
			return ""
		}
		return First
	}
	if inc.state&hushed != 0 && m.opts.Acts.View().Holder(inc.ID) == nil { // nobody has heard of it for a while, and somebody may rely on its being over
		return Repeated
	}
	if rank > inc.toldRank { // at most once in a life, so it need not wait
		return Changed
	}
	if inc.news(m.young) && t-inc.lastTold >= m.opts.ChangeMs/newsPart {
		return Changed
	}
	if firing >= inc.toldSize+3 && firing >= 2*inc.toldSize && t-inc.lastTold >= m.opts.ChangeMs {
		return Changed
	}
	return ""
}

// newsPart is how much sooner than a widening one an incident is told again that holds something of severity page which nobody has heard of, or that got worse.
const newsPart = 5

// news reports whether there is something in an incident that must be said, though it is known: a question of severity page that has not been told, or
// an alarm that got clearly worse.
func (i *incident) news(young bool) bool {
	return slices.ContainsFunc(i.slots, func(s *slot) bool {
		if !s.m.calls(young) || SeverityRank(s.m.Severity) < i.toldRank {
			return false
		}
		return s.worse || !s.told && SeverityRank(s.m.Severity) == 2 &&
			!slices.ContainsFunc(i.slots, func(x *slot) bool { return x.told && x.m.Name == s.m.Name })
	})
}

// firing counts the members that are outside their bands now and that nobody has silenced, and ranks the most severe of them. A member whose value is back
// stays in alarm for a while, in case it comes again; that is no reason to call somebody. In the first hour of a cluster only facts are.
func (i *incident) firing(young bool) (n, rank int) {
	for _, s := range i.slots {
		if s.m.calls(young) {
			n++
			rank = max(rank, SeverityRank(s.m.Severity))
		}
	}
	return n, rank
}

// calls reports whether a member is a reason to call somebody now.
func (m *Member) calls(young bool) bool {
	return m.Ended == 0 && m.Muted == "" && m.Outside() && (!young || m.Fact())
}

// Fact reports whether an alarm needs no knowledge of what is usual: its rule's fixed mark was passed, and not by what is only just beginning.
func (m *Member) Fact() bool {
	return m.Test == model.CeilingTest && (m.Rule == nil || !m.Rule.Settles)
}

func (i *incident) told(t int64, young bool) {
	firing, rank := i.firing(young)
	for _, s := range i.slots {
		if s.m.Muted == "" {
			s.told, s.worse = true, false
		}
	}
	i.lastTold, i.toldSize, i.toldRank = t, max(i.toldSize, firing), max(i.toldRank, rank)
	// What has been told to have moved first, and what the title speaks of, stays so, or a message and the page that it leads to
	// would tell two stories; mover and headline say when not.
	if i.pub != nil {
		i.first, i.lead = i.pub.FirstMover().SignalID, i.pub.Headline().SignalID
	}
}

// emit sends one notification with the incident as it now stands.
func (m *Manager) emit(inc *incident, reason Reason, t int64) {
	if reason == Resolved {
		m.today(t).Resolved++
	}
	n := Notification{ID: NotificationID(inc.ID, reason, inc.seq), IncidentID: inc.ID, Reason: reason, Seq: inc.seq, T: t}
	inc.seq++
	inc.Told++
	inc.state = inc.state&^hushed | announced
	inc.LateMs = m.lateMs
	inc.build()
	inc.told(t, m.young)
	inc.note(t, "notified", string(reason))
	n.Incident = inc.build()
	emittedTotal(reason).Inc()
	m.opts.Emit(n)
}

// NotificationID returns the stable id of an incident's notification: the same on every replay.
func NotificationID(incident string, reason Reason, seq uint32) string {
	return "msg_" + digest("notification", incident, string(reason), number64(int64(seq)))
}

// today returns the tally of t's day. Clusters may disagree about the date: the latest day seen counts.
func (m *Manager) today(t int64) *DayTally {
	day := t / dayMs
	if n := len(m.days); n > 0 && m.days[n-1].Day >= day {
		return &m.days[n-1]
	}
	if len(m.days) >= daysMax {
		m.days = slices.Delete(m.days, 0, len(m.days)-daysMax+1)
	}
	m.days = append(m.days, DayTally{Day: day})
	return &m.days[len(m.days)-1]
}

var withheldTotal = metrics.GetOrCreateCounter("wrackline_alerting_notifications_withheld_total")

func emittedTotal(r Reason) *metrics.Counter {
	return metrics.GetOrCreateCounter(`wrackline_alerting_notifications_emitted_total{reason="` + string(r) + `"}`)
}
