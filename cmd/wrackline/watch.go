package main

import (
	"context"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// Nothing in the fold can see that nothing arrives: it has no clock but the requests. The wall clock decides absence here.
const (
	silentAfter = 5 * time.Minute  // without a request a sender is silent
	silentUntil = 24 * time.Hour   // … and after this it is gone for good, which is no news
	knownAfter  = 10 * time.Minute // a sender that was there for less was a test
	watchEvery  = 15 * time.Second //
	recvSilent  = "recv.silent"    // the name under which it is told; recv.gap is the signal of a sender that lags behind others
)

// gapRule is the question behind a silent sender.
var gapRule = &pack.Rule{
	Pack: "recv", Name: recvSilent, Question: "Does a sender deliver nothing?", Unit: "s", Severity: pack.Page, Lesson: "trend",
	Summary: "Nothing has arrived from {{ $labels.sender }} for {{ $value }}: what it watches is not judged any more",
	Meaning: "While nothing arrives no other alarm can rise. Wrackline itself is well, or it could not say this.",
	Causes:  []string{"that Prometheus is down or restarts", "its remote_write block was removed or points elsewhere", "the network or a policy between the two", "its token is not valid any more"},
	Next:    []string{"kubectl get pods -A -l app.kubernetes.io/name=prometheus", "curl -s PROMETHEUS/metrics | grep prometheus_remote_storage_samples_failed_total"},
}

// gap is a sender that is silent, or was until just now.
type gap struct {
	sender, cluster string
	lastMs          int64 // receive clock of its last request, Unix ms
}

// incident pictures a gap as an incident of its own. It is not part of the fold, so it is told and shown among the problems, not listed.
func (g gap) incident(now int64, over bool) *alerting.Incident {
	entity := series.Labels{{Name: "cluster", Value: g.cluster}, {Name: "sender", Value: g.sender}}
	silent := float64(now-g.lastMs) / 1000
	m := alerting.Member{SignalID: signal.MakeID(recvSilent, entity), Name: recvSilent, Rule: gapRule, Entity: entity, Unit: "s", Severity: gapRule.Severity,
		Onset: g.lastMs, Opened: g.lastMs + silentAfter.Milliseconds(), Fired: 1, State: model.High, Value: silent, Worst: silent, WorstT: now,
		Band: model.Band{Upper: silentAfter.Seconds()}, WorstBand: model.Band{Upper: silentAfter.Seconds()}, Score: 1, Peak: 1, Maturity: 1}
	inc := &alerting.Incident{ID: "gap-" + alerting.NotificationID(m.SignalID, alerting.First, uint32(g.lastMs/1000))[4:], Severity: gapRule.Severity,
		Cluster: g.cluster, Scope: entity, Onset: m.Onset, Opened: m.Opened, Updated: now, Title: m.Sentence(true)}
	if over {
		m.Ended, m.Ending, m.State, m.Value = now, "recovered", model.Normal, 0
		inc.Resolved, inc.Resolution = now, "recovered"
	}
	inc.Members = []alerting.Member{m}
	return inc
}

// watcher tells receivers when a sender falls silent and when it is back. A restart tells nothing twice: the ids are made of
// the sender and its last request, and the outbox knows them.
type watcher struct {
	silent map[string]gap
	tell   func(alerting.Notification)
}

// look compares the senders with what it knew. now is the receive clock, up since when the program receives.
func (w *watcher) look(senders []signal.SenderStats, now, up int64) {
	for i := range senders {
		s := &senders[i]
		key := s.Cluster + "\x00" + s.Name
		quiet := now - s.LastMs
		g, was := w.silent[key]
		switch {
		// After a start senders need time to come back; what they were told to wait for is not their silence.
		case !was && quiet > silentAfter.Milliseconds() && quiet < silentUntil.Milliseconds() && now-up > silentAfter.Milliseconds() &&
			s.LastMs-s.FirstMs > knownAfter.Milliseconds() && !covered(senders, s, now):
			g = gap{s.Name, s.Cluster, s.LastMs}
			w.silent[key] = g
			w.say(g, alerting.First, 0, now, false)
		case was && s.LastMs > g.lastMs:
			delete(w.silent, key)
			w.say(g, alerting.Resolved, 1, s.LastMs, true)
		}
	}
}

// covered reports whether another sender still delivers the cluster: half of a pair is a problem for the status page, not for the night.
func covered(senders []signal.SenderStats, s *signal.SenderStats, now int64) bool {
	for i := range senders {
		o := &senders[i]
		if o.Cluster == s.Cluster && o.Name != s.Name && now-o.LastMs < silentAfter.Milliseconds() {
			return true
		}
	}
	return false
}

func (w *watcher) say(g gap, reason alerting.Reason, seq uint32, now int64, over bool) {
	inc := g.incident(now, over)
	w.tell(alerting.Notification{ID: alerting.NotificationID(inc.ID, reason, seq), IncidentID: inc.ID, Reason: reason, Seq: seq, T: now, Incident: inc})
}

// runWatch looks after the senders until ctx ends.
func (a *app) runWatch(ctx context.Context) {
	w := &watcher{silent: map[string]gap{}, tell: func(n alerting.Notification) { a.outbox.Load().Accept(n) }}
	up := a.now().UnixMilli()
	every(ctx, watchEvery, func() {
		a.fresh()
		w.look(a.engine.Stats().Senders, a.now().UnixMilli(), up)
	})
}
