// What nobody is told of as it happens: it is handed on for digests.

package alerting

// keep hands on a notification that the noise contract keeps back. Its id is of its kind alone, so that those of what is said stay as they are.
func (m *Manager) keep(inc *incident, reason Reason, t int64) {
	if m.opts.Keep == nil {
		return
	}
	m.opts.Keep(Notification{ID: NotificationID(inc.ID, "kept "+reason, uint32(inc.Withheld)), IncidentID: inc.ID, Reason: reason, T: t, Incident: inc.build(), Kept: true})
}

// keepQuiet hands on an incident of severity info, once it has lasted as long as one of severity warn must: nobody is called for it, and it is listed.
func (m *Manager) keepQuiet(inc *incident, t int64) {
	if SeverityRank(inc.Severity) == 0 && inc.state&listed == 0 && inc.active == t && t-inc.Opened >= m.opts.WaitMs && !inc.silent() {
		inc.state |= listed
		m.keep(inc, First, t)
	}
}
