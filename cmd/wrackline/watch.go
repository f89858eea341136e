package main

import (
	"slices"
	"sync"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/ingest"
)

// Nothing in the fold can see that nothing arrives: it has no clock but the requests. The wall clock decides absence here.
const (
	silentAfter = 270 * time.Second // without a sample that was used a sender is silent; a look later it is told, which is within five minutes
	silentUntil = 24 * time.Hour    // … and after this it is gone for good, which is no news
	knownAfter  = 10 * time.Minute  // a sender that was there for less was a test
	steadyAfter = 2 * time.Minute   // of delivering a sender is back …
	flapSteady  = 15 * time.Minute  // … or so long, when it was silent before within …
	flapWithin  = 2 * time.Hour     // … this: one that restarts all the time is one fault
	recvSilent  = "recv.silent"     // the name under which it is told; recv.gap is the signal of a sender that lags behind others
)

// gapRule is the question behind a silent sender.
var gapRule = &pack.Rule{
	Pack: "recv", Name: recvSilent, Question: "Does a sender deliver nothing?", Unit: "s", Severity: pack.Page, Lesson: "trend",
	Summary: "Nothing has arrived from {{ $labels.sender }} for {{ $value }}: what it watches is not judged any more",
	Meaning: "While nothing arrives no other alarm of that can rise. Wrackline itself is well, or it could not say this.",
	Causes:  []string{"that Prometheus is down or restarts", "its remote_write block was removed or points elsewhere", "the network or a policy between the two", "its token is not valid any more"},
	Next:    []string{"kubectl get pods -A -l app.kubernetes.io/name=prometheus", "curl -s PROMETHEUS/metrics | grep prometheus_remote_storage_samples_failed_total"},
}

// unusedRule is the question behind a sender whose requests are taken while nothing in them can be used.
var unusedRule = &pack.Rule{
	Pack: "recv", Name: recvSilent, Question: gapRule.Question, Unit: "s", Severity: pack.Page, Lesson: gapRule.Lesson,
	Summary: "Nothing that {{ $labels.sender }} sends has been used for {{ $value }}: what it watches is not judged any more",
	Meaning: "It does send. While nothing of it can be used no other alarm can rise.",
	Causes:  unusedCauses, Next: []string{"curl -s PROMETHEUS/metrics | grep prometheus_remote_storage_samples_failed_total", "wrackline packs remote-write-config"},
}

var unusedCauses = []string{"its samples are older than those before, or come after their minute has been judged: a clock that was set back, a backlog", "its keep-list or jobs leave out what signals need"}

// gap is a sender of a cluster that is silent, or was until a short while ago.
type gap struct {
	sender, cluster string
	lastMs          int64 // receive clock of its last request of which a sample was used before it fell silent, Unix ms
	backMs          int64 // of the first one since it is back; 0 = it is not
	seenMs          int64 // of its newest one
	overMs          int64 // when its end was told; 0 = it was not
	flaps           int64 // how often it was back for too short a time
	heard           bool  // it sends, and nothing of that is used. Not kept
}

// incident pictures a gap as an incident of its own. It is not part of the fold, so it is told and shown among the problems, not listed.
func (g gap) incident(now int64, over bool) *alerting.Incident {
	entity := series.Labels{{Name: "cluster", Value: g.cluster}, {Name: "sender", Value: g.sender}}
	silent := float64(now-g.lastMs) / 1000
	rule := gapRule
	if g.heard {
		rule = unusedRule
	}
	m := alerting.Member{SignalID: signal.MakeID(recvSilent, entity), Name: recvSilent, Rule: rule, Entity: entity, Unit: "s", Severity: gapRule.Severity,
		Onset: g.lastMs, Opened: g.lastMs + silentAfter.Milliseconds(), Fired: 1, State: model.High, Value: silent, Worst: silent, WorstT: now,
		Band: model.Band{Upper: silentAfter.Seconds()}, WorstBand: model.Band{Upper: silentAfter.Seconds()}, Score: 1, Peak: 1, Maturity: 1}
	how := "recovered"
	if g.backMs == 0 {
		how = "gone"
	}
	inc := &alerting.Incident{ID: "gap-" + alerting.NotificationID(m.SignalID, alerting.First, uint32(g.lastMs/1000))[4:], Severity: gapRule.Severity,
		Cluster: g.cluster, Scope: entity, Onset: m.Onset, Opened: m.Opened, Updated: now, Title: m.Sentence(true)}
	if over {
		m.Ended, m.Ending, m.State, m.Value = now, how, model.Normal, 0
		inc.Resolved, inc.Resolution = now, how
	}
	inc.Members = []alerting.Member{m}
	return inc
}

// watcher tells receivers when a sender of a cluster falls silent and when it is back, or is gone for good. What it knows is part of checkpoints, and the ids of what it tells are made of
// the sender and its last request: so a restart tells nothing twice, and the closing word follows however often the process dies.
type watcher struct {
	mu     sync.Mutex
	silent map[string]gap // by cluster and sender; also those that ended within flapWithin
	tell   func(alerting.Notification)
}

// look compares the senders with what it knew. now is the receive clock, up since when the program receives.
func (w *watcher) look(senders []signal.SenderStats, talks []ingest.Talk, now, up int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := map[string]bool{}
	for i := range senders {
		s := &senders[i]
		key := s.Cluster + "\x00" + s.Name
		seen[key] = true
		g, was := w.silent[key]
		if next, keep := w.step(g, was && g.overMs == 0, senders, talks, s, now, up); keep {
			w.silent[key] = next
		} else if was && g.overMs != 0 && now-g.overMs > flapWithin.Milliseconds() {
			delete(w.silent, key)
		}
	}
	for key, g := range w.silent {
		if seen[key] {
			continue
		}
		if g.overMs == 0 { // its cluster was forgotten
			g.backMs = 0
			w.say(g, alerting.Resolved, 1, now, true)
		}
		delete(w.silent, key)
	}
}

// step takes one look at a sender: g is the silence that stands when open, else the one before. It returns what is to be known of it, if anything is new.
func (w *watcher) step(g gap, open bool, senders []signal.SenderStats, talks []ingest.Talk, s *signal.SenderStats, now, up int64) (next gap, keep bool) {
	quiet := now - s.UsedMs
	switch {
	case !open:
		// After a start senders need time to come back; what they were told to wait for is not their silence.
		if s.UsedMs == 0 || quiet <= silentAfter.Milliseconds() || quiet >= silentUntil.Milliseconds() || now-up <= silentAfter.Milliseconds() ||
			s.UsedMs-s.FirstMs <= knownAfter.Milliseconds() || s.UsedMs == g.seenMs && g.overMs != 0 || covered(senders, s, now) || refusedNow(s, talks, now) {
			return g, false
		}
		next = gap{sender: s.Name, cluster: s.Cluster, lastMs: s.UsedMs, seenMs: s.UsedMs, heard: now-s.LastMs <= silentAfter.Milliseconds()}
		if g.overMs != 0 && now-g.overMs <= flapWithin.Milliseconds() {
			next.flaps = g.flaps + 1
		}
		w.say(next, alerting.First, 0, now, false)
		return next, true
	case quiet >= silentUntil.Milliseconds():
		g.backMs, g.overMs = 0, now
		w.say(g, alerting.Resolved, 1, now, true)
		return g, true
	case s.UsedMs == g.seenMs && (g.backMs == 0 || quiet <= silentAfter.Milliseconds()):
		return g, false // nothing new
	case quiet > silentAfter.Milliseconds(): // it had only just come back
		g.backMs, g.seenMs, g.flaps = 0, s.UsedMs, g.flaps+1
		return g, true
	}
	if g.backMs == 0 {
		g.backMs = s.UsedMs
	}
	g.seenMs = s.UsedMs
	steady := steadyAfter
	if g.flaps > 0 {
		steady = flapSteady
	}
	if g.seenMs-g.backMs >= steady.Milliseconds() {
		g.overMs = now
		w.say(g, alerting.Resolved, 1, g.backMs, true)
	}
	return g, true
}

// refusedNow reports whether a sender is heard from and nothing of that is taken, for its fault or for ours: that is no silence, and told for what it is (see conditions.go).
func refusedNow(s *signal.SenderStats, talks []ingest.Talk, now int64) bool {
	host := s.Name
	for i := range talks {
		if talks[i].Sender == s.Name {
			host = talks[i].Host
		}
	}
	return slices.ContainsFunc(talks, func(t ingest.Talk) bool {
		// Without its token it has only the name of its host.
		return now-t.UntakenMs <= silentAfter.Milliseconds() && (t.Sender == s.Name || t.Host == host && t.Denied > 0)
	})
}

// coverShare is which share of what a silent sender delivered may be missing while others cover it: targets come and go, and each half of a pair watches itself.
const coverShare = 0.25

// covered reports whether another sender still delivers what a silent one did: half of a pair is a problem for the status page, not for the night. A shard, a Prometheus for other things and whoever else sends of the
// same cluster cover nobody.
func covered(senders []signal.SenderStats, s *signal.SenderStats, now int64) bool {
	if s.Lost > coverShare {
		return false
	}
	for i := range senders {
		o := &senders[i]
		if o.Cluster == s.Cluster && o.Name != s.Name && now-o.UsedMs < silentAfter.Milliseconds() {
			return true
		}
	}
	return false
}

func (w *watcher) say(g gap, reason alerting.Reason, seq uint32, now int64, over bool) {
	inc := g.incident(now, over)
	w.tell(alerting.Notification{ID: alerting.NotificationID(inc.ID, reason, seq), IncidentID: inc.ID, Reason: reason, Seq: seq, T: now, Incident: inc})
}

func (g *gap) numbers() []*int64 {
	return []*int64{&g.lastMs, &g.backMs, &g.seenMs, &g.overMs, &g.flaps}
}

func (g *gap) names() (sender, cluster *string) { return &g.sender, &g.cluster }

// appendState appends what is known.
func (w *watcher) appendState(dst []byte) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return appendSenders(dst, w.silent)
}

// restoreState puts back what appendState gave; nothing is what older checkpoints have.
func (w *watcher) restoreState(b []byte) error {
	if b == nil {
		return nil
	}
	silent, err := readSenders[gap](b)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silent = silent
	return nil
}
