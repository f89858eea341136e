package main

import (
	"sync"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// A sender that delivers, but old samples: all that it watches is judged that late, and nothing in the samples shows it. Where another sender of the cluster is in time, recv.gap is the signal of it.
const (
	recvBehind   = "recv.behind"
	behindAfter  = 10 * time.Minute // so old is a sender's newest sample when it is behind …
	behindUntil  = 5 * time.Minute  // … and so old at most when it is in time again
	behindLook   = 2 * time.Minute  // between two looks at whether it catches up; and for so long it must be in time
	behindBy     = time.Hour        // one that catches up for longer than this is told too
	behindShrink = 2                // it catches up when a minute takes at least this part of a minute off the lag
)

// behindRule is the question behind a sender that stays behind.
var behindRule = &pack.Rule{
	Pack: "recv", Name: recvBehind, Question: "Does a sender deliver samples that are old?", Unit: "s", Severity: pack.Warn, Lesson: "trend",
	Summary: "{{ $labels.sender }} stays {{ $value }} behind: what it watches is judged that late",
	Meaning: "Its requests arrive, but their samples are old, and the lag does not shrink. Alarms of this cluster come that much later than they could. Wrackline itself is well, or its own clock is ahead: then the status page says so.",
	Causes:  []string{"it has more samples than shards or bandwidth to send them", "it works off the backlog of an outage more slowly than new samples come", "the clock of its machine is behind"},
	Next:    []string{"curl -s PROMETHEUS/metrics | grep -e remote_storage_shards -e remote_storage_samples_pending", "date -u, on its machine"},
}

// lag is a sender of a cluster that delivers old samples.
type lag struct {
	sender, cluster string
	sinceMs         int64 // since when it has been seen behind, receive clock, Unix ms
	atMs, lagMs     int64 // of the newest look at whether it catches up
	worstMs         int64
	toldMs          int64 // when it was told; 0 = it was not
	timelyMs        int64 // since when it has been in time; 0 = it is not
}

func (g *lag) numbers() []*int64 {
	return []*int64{&g.sinceMs, &g.atMs, &g.lagMs, &g.worstMs, &g.toldMs, &g.timelyMs}
}

// laggards tells receivers when a sender of a cluster stays behind and when it is in time again. What it knows is part of checkpoints.
type laggards struct {
	mu     sync.Mutex
	behind map[string]lag // by cluster and sender
	tell   func(alerting.Notification)
}

// look compares the senders with what it knew. now is the receive clock.
func (w *laggards) look(senders []signal.SenderStats, now int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := map[string]bool{}
	for i := range senders {
		s := &senders[i]
		key := s.Cluster + "\x00" + s.Name
		g, known := w.behind[key]
		if now-s.LastMs > silentAfter.Milliseconds() && now-s.LastMs < silentUntil.Milliseconds() {
			seen[key] = true
			continue // it is silent: that is told as what it is, and nothing is known of its lag
		}
		if s.LastT == 0 || now-s.LastMs >= silentUntil.Milliseconds() {
			continue
		}
		seen[key] = true
		if !known && s.UsedMs != 0 && now-s.UsedMs > silentAfter.Milliseconds() && s.UsedMs-s.LastT <= behindAfter.Milliseconds() {
			continue // it was in time, and nothing of it is used any more: its newest sample that was says nothing of what it sends now. That is told as what it is, too
		}
		if !known {
			if now-s.LastT > behindAfter.Milliseconds() && s.LastMs-s.FirstMs > knownAfter.Milliseconds() && !timely(senders, s, now) {
				w.behind[key] = lag{sender: s.Name, cluster: s.Cluster, sinceMs: now, atMs: now, lagMs: now - s.LastT, worstMs: now - s.LastT}
			}
			continue
		}
		if w.step(&g, now, now-s.LastT, timely(senders, s, now)) {
			w.behind[key] = g
		} else {
			delete(w.behind, key)
		}
	}
	for key, g := range w.behind {
		if !seen[key] {
			if g.toldMs != 0 {
				w.say(&g, alerting.Resolved, 1, now, "gone")
			}
			delete(w.behind, key)
		}
	}
}

// step takes one look at a sender that was behind and whose newest sample is as old as that, and reports whether it must be watched further.
func (w *laggards) step(g *lag, now, old int64, covered bool) bool {
	g.worstMs = max(g.worstMs, old)
	if covered || old < behindUntil.Milliseconds() || g.toldMs == 0 && old <= behindAfter.Milliseconds() {
		if g.toldMs == 0 {
			return false
		}
		if g.timelyMs == 0 {
			g.timelyMs = now
		}
		if now-g.timelyMs < behindLook.Milliseconds() {
			return true
		}
		w.say(g, alerting.Resolved, 1, now, "recovered")
		return false
	}
	g.timelyMs = 0
	if d := now - g.atMs; g.toldMs == 0 && d >= behindLook.Milliseconds() {
		stays := g.lagMs-old < d/behindShrink || now-g.sinceMs >= behindBy.Milliseconds()
		g.atMs, g.lagMs = now, old
		if stays {
			g.toldMs = now
			w.say(g, alerting.First, 0, now, "")
		}
	}
	return true
}

// timely reports whether another sender delivers the cluster in time.
func timely(senders []signal.SenderStats, s *signal.SenderStats, now int64) bool {
	for i := range senders {
		o := &senders[i]
		if o.Cluster == s.Cluster && o.Name != s.Name && o.LastT != 0 && now-o.LastT < behindUntil.Milliseconds() {
			return true
		}
	}
	return false
}

// say tells of it as an incident of its own, as a silence is told. how is how it ended, "" while it lasts.
func (w *laggards) say(g *lag, reason alerting.Reason, seq uint32, now int64, how string) {
	entity := series.Labels{{Name: "cluster", Value: g.cluster}, {Name: "sender", Value: g.sender}}
	band := model.Band{Upper: behindAfter.Seconds()}
	m := alerting.Member{SignalID: signal.MakeID(recvBehind, entity), Name: recvBehind, Rule: behindRule, Entity: entity, Unit: "s", Severity: behindRule.Severity,
		Onset: g.sinceMs, Opened: g.toldMs, Fired: 1, State: model.High, Value: float64(g.lagMs) / 1000, Worst: float64(g.worstMs) / 1000, WorstT: now, Band: band, WorstBand: band,
		Score: 1, Peak: 1, Maturity: 1}
	// The hour is part of the id: who is told of it after a crash that forgot it gets it once.
	inc := &alerting.Incident{ID: "gap-" + alerting.NotificationID(m.SignalID, alerting.First, uint32(g.sinceMs/3600_000))[4:], Severity: m.Severity,
		Cluster: g.cluster, Scope: entity, Onset: m.Onset, Opened: m.Opened, Updated: now, Title: m.Sentence(true)}
	if how != "" {
		m.Ended, m.Ending, m.State, m.Value = now, how, model.Normal, 0
		inc.Resolved, inc.Resolution = now, how
	}
	inc.Members = []alerting.Member{m}
	w.tell(alerting.Notification{ID: alerting.NotificationID(inc.ID, reason, seq), IncidentID: inc.ID, Reason: reason, Seq: seq, T: now, Incident: inc})
}

func (g *lag) names() (sender, cluster *string) { return &g.sender, &g.cluster }

// appendState appends what is known.
func (w *laggards) appendState(dst []byte) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return appendSenders(dst, w.behind)
}

// restoreState puts back what appendState gave; nothing is what older checkpoints have.
func (w *laggards) restoreState(b []byte) error {
	if b == nil {
		return nil
	}
	behind, err := readSenders[lag](b)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.behind = behind
	return nil
}
