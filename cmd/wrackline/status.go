package main

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/query"
	"github.com/wrackline/wrackline/ui"
)

// source gives ui its snapshots. It implements ui.Source.
type source struct{ a *app }

// Acts returns what people have said.
func (s source) Acts() *act.View { return s.a.acts.View() }

func (s source) Incidents() *alerting.Snapshot { return s.a.manager.Snapshot() }

// View returns what has been folded, waiting a moment for what has just been acknowledged.
func (s source) View() *baseline.View {
	s.a.fresh()
	return s.a.engine.View()
}

// Range converts the recorder's cells, which know nothing of ui.
func (s source) Range(id string, from, to int64, points int) ([]ui.Point, int64, error) {
	pts, step, err := s.a.store.Recorder().Range(id, from, to, points)
	out := make([]ui.Point, len(pts))
	for i, p := range pts {
		out[i] = ui.Point{T: p.T, Min: p.Min, Max: p.Max, Value: p.Value, Lower: p.Lower, Expected: p.Expected, Upper: p.Upper, State: p.State, Score: p.Score}
	}
	return out, step, err
}

// Samples implements query.Source.
func (s source) Samples(id string, from, to int64) (quarters, windows []query.Point, err error) {
	q, w, err := s.a.store.Recorder().Samples(id, from, to)
	return queryPoints(q), queryPoints(w), err
}

func queryPoints(list []store.RangePoint) []query.Point {
	out := make([]query.Point, len(list))
	for i, p := range list {
		out[i] = query.Point{T: p.T, Value: p.Value, Lower: p.Lower, Expected: p.Expected, Upper: p.Upper, Score: p.Score}
	}
	return out
}

// Pods and Explain look at the fold itself, so they wait for the request that is being folded.
func (s source) Pods(cluster, namespace, pod string, limit int) []identity.PodExplanation {
	s.a.fold.Lock()
	defer s.a.fold.Unlock()
	return s.a.engine.FindPods(cluster, namespace, pod, limit)
}

// Explain: see Pods.
func (s source) Explain(rule string) signal.Explanation {
	s.a.fold.Lock()
	defer s.a.fold.Unlock()
	return s.a.engine.Explain(rule)
}

// Shadow: see Pods.
func (s source) Shadow(id string) *baseline.Shadow {
	s.a.fold.Lock()
	defer s.a.fold.Unlock()
	x, _ := s.a.engine.Shadow(id)
	return x
}

// Shadows: see Pods.
func (s source) Shadows(n int) ([]*baseline.Shadow, int) {
	s.a.fold.Lock()
	defer s.a.fold.Unlock()
	return s.a.engine.Shadows(n)
}

// skip is one of the stream's counters of samples that were not used as they came.
type skip struct {
	Name    string
	Value   int64
	Unit    string
	Meaning string
	Loss    bool
}

// skips lists what happens to samples, each with its meaning: for the metrics and for the status page.
func skips(st *signal.Stats) []skip {
	return []skip{
		{"samples", st.Samples, "samples", "received", false},
		{"samples_needed", st.Needed, "samples", "of series that a signal needs", false},
		{"samples_ignored", st.Ignored, "samples", "of series that no signal needs", false},
		{"samples_replica", st.Replica, "samples", "of the other replica of an HA pair", false},
		{"samples_duplicate", st.Duplicate, "samples", "sent again, equal in time and value", false},
		{"samples_out_of_order", st.OutOfOrder, "samples", "older than the newest of their series; not learned", true},
		{"samples_late", st.Late, "samples", "of windows that had closed; not judged", true},
		{"samples_future", st.Future, "samples", "more than 10 minutes ahead of this machine's clock; refused", true},
		{"samples_refused", st.Refused, "samples", "refused for a fault of the sender", true},
		{"samples_stale", st.Stale, "samples", "stale markers: the series ended", false},
		{"samples_histogram", st.Histograms, "samples", "native histograms received", false},
		{"histograms_unused", st.HistogramsUnused, "samples", "native histograms that no signal needs, or that are gauges or too large", false},
		{"counter_resets", st.Resets, "resets", "of counters, seen and bridged", false},
		{"series_bad", st.BadSeries, "samples", "of series with invalid labels; refused", true},
		{"series_over_limit", st.OverSeries, "samples", "of new series beyond signals.series_max; refused", true},
		{"series_evicted", st.Evicted, "series", "forgotten after an hour of silence", false},
		{"series_yielded", st.Yielded, "series", "given up by senders with more than their share of a limit, for those with less", true},
		{"signals_retired", st.Retired, "signals", "dropped with their baselines after storage.retention without a value", false},
		{"signals_over_limit", st.OverSignals, "windows", "of new signals beyond signals.signals_max; not learned", true},
		{"windows_undefined", st.Undefined, "windows", "of signals whose value is no number: a division by zero, a quantile of nothing", false},
		{"windows_conflicting", st.Conflicts, "windows", "of signals in which two series matched where one may; not judged", true},
		{"signals_disabled", st.Disabled, "windows", "of signals that packs.overrides switches off for some entities", false},
		{"changes_held", st.ChangesHeld, "changes", "part of a rollout that was told, or of an object that changes all the time", false},
		{"changes_unwatched", st.OverObjects, "series", "of objects beyond the 200,000 that are watched for changes", true},
		{"windows_incomplete", st.Incomplete, "windows", "of signals of which more than a tenth of the series was missing; not judged", false},
	}
}

// Status gathers what the program says about itself.
func (s source) Status() ui.Status {
	a := s.a
	cfg := a.cfg.Load()
	f, conditions := a.self.seen() // nothing is asked directly that may hang
	st, j, db, now := f.stream, f.journal, f.store, f.ms
	out := ui.Status{
		Version: buildVersion(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, StartedMs: a.born.UnixMilli(),
		NowMs: now, ReceiveMs: a.engine.AtMs(),
		NotificationsPerDay: cfg.Alerting.NotificationsPerDay, PagesPerDay: cfg.Alerting.PagesPerDay, Days: a.manager.Snapshot().Days, Budget: a.engine.Budget(),
		Journal: ui.Journal{FirstPos: j.FirstPos, LastPos: j.LastPos, SyncedPos: j.SyncedPos, Bytes: j.Bytes, MaxBytes: int64(cfg.Ingest.JournalMax),
			Segments: j.Segments, Sync: cfg.Ingest.Sync, LastSyncMs: j.SyncedMs, Err: text(j.SyncErr)},
		Store:  ui.Store{Path: a.dir, Bytes: db.FileBytes, CheckpointMs: a.lastCheckpoint.Load(), TookMs: db.LastTook.Milliseconds(), Models: db.Models},
		Limits: a.limits(&st, &j, db.FileBytes),
		Config: configText(cfg),
	}
	if db.HistoryFromMs > 0 && db.HistoryToMs > db.HistoryFromMs {
		out.Store.HistoryDays = float64(db.HistoryToMs-db.HistoryFromMs) / 86_400_000
	}
	out.Store.LeftOut = db.LeftOut
	out.Store.Quarantined, _ = a.store.Quarantined()
	if e := a.checkpointErr.Load(); e != nil {
		out.Store.Err = *e
	}
	titles := map[string]string{}
	for _, p := range *a.packs.Load() {
		titles[p.Name] = p.Title
	}
	for i := range st.Rules {
		r := &st.Rules[i]
		out.Rules = append(out.Rules, ui.RuleUse{Pack: r.Rule.Pack, PackTitle: titles[r.Rule.Pack], Rule: r.Rule, Cluster: r.Cluster, Form: r.Form,
			Series: r.Series, Signals: r.Signals, Missing: r.Missing})
	}
	for _, p := range st.Pairs {
		out.Pairs = append(out.Pairs, ui.Pair(p))
	}
	for i := range st.Senders {
		x := &st.Senders[i]
		out.Senders = append(out.Senders, ui.Sender{Name: x.Name, Cluster: x.Cluster, Replica: x.Replica, Samples: x.Samples, Accepted: x.Accepted,
			Duplicates: x.Duplicate, Late: x.Late, Rejected: x.Rejected, FirstMs: x.FirstMs, LastMs: x.LastMs, LastT: x.LastT, Series: x.Tracked, Unneeded: x.Unneeded, Signals: x.Signals, Yielded: x.Yielded, Used: float64(x.Accepted) / float64(x.Samples)}) // none of none is no number
	}
	for i := range st.Clusters {
		c := &st.Clusters[i]
		out.Clusters = append(out.Clusters, ui.Cluster{Name: c.Name, Series: c.Series, Tracked: c.Tracked, Signals: c.Signals, Workloads: c.Workloads,
			LastT: c.LastT, ClosedEnd: c.ClosedEnd, WindowsClosed: c.WindowsClosed, Owners: c.Owners})
	}
	for _, k := range skips(&st) {
		out.Counters = append(out.Counters, ui.Counter{Name: k.Name, Value: k.Value, Unit: k.Unit, Meaning: k.Meaning, Loss: k.Loss})
	}
	for _, r := range f.outbox.receivers {
		r = withLane(r, f.outbox.said[r.Integration])
		out.Receivers = append(out.Receivers, ui.Receiver{Name: r.Receiver, Kind: r.Kind, Host: r.Host, Queued: r.Queued, Oldest: r.Oldest, Sent: r.Sent,
			Failed: r.Failed, Dead: r.Dead, Coalesced: r.Coalesced, LastSuccess: r.LastSuccess, LastError: r.LastError, LastErrorAt: r.LastErrorAt,
			NextAttempt: r.NextAttempt, Disabled: r.Disabled, Owed: r.Owed, GivenUp: r.LastGivenUp, GivenUpAt: r.LastGivenUpAt, Test: "wrackline receivers test --config.file FILE " + r.Receiver})
	}
	if dead, err := a.outbox.Load().DeadLetters(); err == nil {
		for _, d := range dead {
			out.DeadLetters = append(out.DeadLetters, ui.DeadLetter{AtMs: d.At, Receiver: d.Receiver, ID: d.ID, Incident: d.Incident, Title: d.Title, Why: d.Why})
		}
	}
	out.GraceMs = time.Duration(cfg.Signals.Grace).Milliseconds()
	if h := f.heart; a.heart.Load() != nil {
		out.Heartbeat = &ui.Heartbeat{Host: h.Host, EveryMs: cmp.Or(time.Duration(cfg.Alerting.Heartbeat.Interval), time.Minute).Milliseconds(), Taken: h.Calls, Last: h.Last, Tried: h.Tried, Fails: h.Fails, Answer: h.LastErr, Held: h.Held}
	}
	out.Peer = a.peerStatus()
	out.Problems = problems(conditions)
	if text := a.openness(); text != "" {
		out.Problems = append(out.Problems, ui.Problem{Severity: "warn", Text: text + ".", Fix: opennessFix + "."})
	}
	if a.extra != nil {
		a.extra(&out)
	}
	return out
}

// withLane adds to what became of an integration's messages those of the lane, which are about Wrackline itself.
func withLane(r notify.Stats, w notify.Said) notify.Stats {
	r.Queued, r.Sent, r.Failed = r.Queued+w.Waiting, r.Sent+w.Sent, r.Failed+w.Failed
	if w.LastSuccess.After(r.LastSuccess) {
		r.LastSuccess = w.LastSuccess
	}
	if w.LastErrorAt.After(r.LastErrorAt) && w.LastErrorAt.After(w.LastSuccess) {
		r.LastError, r.LastErrorAt = w.LastError, w.LastErrorAt
	}
	if r.NextAttempt.IsZero() && w.Waiting > 0 {
		r.NextAttempt = w.NextAttempt
	}
	return r
}

// text returns what err says, "" for nil.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// demoReason turns Alertmanager's words for why a webhook was sent into ours.
func demoReason(text string) string {
	switch text {
	case "first notification":
		return string(alerting.First)
	case "all alerts resolved":
		return string(alerting.Resolved)
	case "new alerts added":
		return string(alerting.Changed)
	}
	return text
}

// status adds what the demo knows to the status.
func (d *demo) status(st *ui.Status) {
	d.mu.Lock()
	truth := d.truth
	d.mu.Unlock()
	now := d.now().UnixMilli()
	x := &ui.Demo{Speed: d.speed, Scenario: "A simulated cluster of 3 nodes and 40 workloads, watched by a Prometheus pair."}
	next := int64(math.MaxInt64)
	for _, t := range truth {
		switch {
		case now >= t.Start && now < t.End:
			x.Scenario += fmt.Sprintf(" Under way since %s: %s (%s).", time.UnixMilli(t.Start).UTC().Format("15:04 UTC"), t.Kind, t.Scope)
		case t.Start > now && t.Start < next:
			next, x.Next, x.NextMs = t.Start, string(t.Kind), t.Start
		}
	}
	x.Inbox, x.InboxMore = d.inbox.list()
	st.Demo = x
}

// Ready is the app's state. Why it only reads is among the problems that every page shows.
func (s source) Ready() (bool, string) {
	if s.a.reading.Load() != nil && !s.a.ready.Load() {
		return false, "only reading, what is shown is what was known"
	}
	return s.a.state()
}
