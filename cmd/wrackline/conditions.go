package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
	"github.com/wrackline/wrackline/ui"
)

// Each function here judges one side of the facts. What is blind is told by the lane; docs/reliability.md has the table.

// judge returns all conditions, bad ones first. The caller holds mu.
func (s *self) judge(f *facts) []condition {
	var list []condition
	sides := []func(*facts) []condition{s.ofStart, s.ofClock, s.ofDisk, s.ofDoor, s.ofReceivers, s.ofPeer, s.ofCheckpoints, s.ofFold, s.ofSenders, s.ofPacks, s.ofLimits}
	if s.a.reading.Load() != nil {
		sides = sides[:5] // what is not taken in cannot be judged
	}
	for _, side := range sides {
		list = append(list, side(f)...)
	}
	slices.SortStableFunc(list, func(a, b condition) int {
		switch {
		case a.bad == b.bad:
			return 0
		case a.bad:
			return -1
		}
		return 1
	})
	return list
}

// subjectsMax bounds the conditions of one kind.
const subjectsMax = 8

// few keeps the first conditions of a kind, those that blind before others, and says how many more there are.
func few(list []condition) []condition {
	slices.SortStableFunc(list, func(a, b condition) int {
		switch {
		case a.blind == b.blind:
			return 0
		case a.blind:
			return -1
		}
		return 1
	})
	if more := len(list) - subjectsMax; more > 0 {
		list = list[:subjectsMax]
		list[subjectsMax-1].text += fmt.Sprintf(" And %d more.", more)
	}
	return list
}

const startLong = 2 * time.Minute // a start is news when it takes longer by tellAfter

func (s *self) ofStart(f *facts) (list []condition) {
	a := s.a
	if why := a.reading.Load(); why != nil {
		list = append(list, condition{kind: "start.reading", blind: true, bad: true, stops: time.Nanosecond, cause: "disk", text: "Wrackline takes nothing in since its start, " + a.barred() + ".",
			fix: "Free disk space, mount it for writing, or replace the disk. It goes on by itself, without a restart.", meaning: "Senders are answered 503 and keep what they have; nothing new is judged, and incidents of before are shown and not told."})
	} else if !f.ready && a.extra == nil && s.memory.up < 0 && f.now > startLong {
		list = append(list, condition{kind: "start.slow", blind: true, bad: true, stops: time.Nanosecond, text: "Wrackline has been starting for " + alerting.Span(f.now.Milliseconds()) + ": " + f.stage + ".",
			fix: "It goes on by itself. The log says what it does.", meaning: "Senders are answered 503 and keep what they have."})
	}
	if n := len(s.mark.Deaths); n >= deathsBad {
		c := condition{kind: "start.often", blind: true, bad: true, after: atOnce,
			text: fmt.Sprintf("Wrackline has died %s within the last hour without a word.", alerting.Count(n, "time")), fix: "Look at the log before its end, and whether its memory limit is too small (OOMKilled).",
			meaning: "While it starts nothing is judged."}
		if !s.mark.written {
			c.after = tellAfter // what cannot be remembered must not be told at each start
		}
		s.mark.Deaths = slices.DeleteFunc(s.mark.Deaths, func(ms int64) bool { return ms < f.ms-deathsFor.Milliseconds() })
		list = append(list, c)
	}
	if e := a.reloadErr.Load(); e != nil {
		list = append(list, condition{kind: "config.refused", blind: true, bad: true, text: "The configuration could not be reloaded; the one before is in force: " + *e, fix: "wrackline check-config FILE says what is wrong.",
			meaning: "What the file says now is not what is done."})
	}
	if aside, _ := a.store.Quarantined(); aside != "" {
		list = append(list, condition{kind: "store.damaged", blind: f.store.Saves < 2, bad: true, cause: "store",
			text: "The store was damaged and has been set aside as " + aside + ". What could be proven was carried over; models come from the other generation and the journal where that was not all.",
			fix:  "Look at the disk. The file that was set aside is yours to keep or delete.", meaning: "Chart history and messages that waited may be gone. It is well when both generations of the checkpoint have been written anew."})
	}
	if x := a.startLoss.Load(); x != nil {
		list = append(list, condition{kind: "store.older", blind: f.store.Saves < 2, bad: true, cause: "store", text: "At the start something could not be used: " + *x + ".",
			fix: "Look at the disk, and at the log of the start.", meaning: "What was learned since then may be gone."})
	}
	if lost := a.lost.Load(); lost != nil {
		list = append(list, condition{kind: "store.holes", blind: f.store.Saves < 2, bad: true, cause: "store",
			text: "Both generations of the checkpoint were damaged when this process started. Lost is what neither has: " + *lost + ".",
			fix:  "Look at the disk; files that were set aside are yours to keep or delete.", meaning: "What was lost is learned anew."})
	}
	if f.journal.DamagedBytes > 0 {
		list = append(list, condition{kind: "journal.damaged", blind: f.store.Saves < 2, bad: true, cause: "store",
			text: fmt.Sprintf("%s of the journal could not be read at the start: requests are missing.", alerting.Quantity(float64(f.journal.DamagedBytes), "B")), fix: "Look at the disk.",
			meaning: "Minutes that were acknowledged were not judged."})
	}
	if s.memory.undecoded.within(f.now, time.Hour) {
		list = append(list, condition{kind: "journal.undecodable", blind: true, after: atOnce, cause: "store", text: fmt.Sprintf("%s of the journal could not be decoded and skipped.", alerting.Count(f.undecoded, "request")),
			fix: "They were accepted under other limits. The log names their positions.", meaning: "Their minutes are not judged."})
	}
	return list
}

const tried = 3 * time.Minute // what failed the last time counts for so long when nobody tries again

func (s *self) ofDisk(f *facts) (list []condition) {
	m := &s.memory
	const refusal = "Senders are answered 503 and keep what they have; nothing new is judged."
	if m.failing.goes(f.now, tried) {
		culprit := diskFault(f.lastFail)
		c := condition{kind: "journal.refuses", blind: true, bad: true, stops: tellAfter, cause: cmp.Or(onDisk(culprit), "journal"), text: "The journal cannot be written: " + text(f.lastFail),
			fix: "Free disk space or replace the disk. It goes on by itself.", meaning: refusal}
		if culprit != "" {
			c.text = "Nothing can be taken in because " + culprit + ": " + text(f.lastFail)
		} else if errors.Is(f.lastFail, journal.ErrFull) {
			c.kind, c.text, c.fix = "journal.full", "The journal has reached ingest.journal_max: "+text(f.lastFail), "A checkpoint of each generation frees room: see whether they fail. Or raise ingest.journal_max."
			if f.saveErr != nil {
				c.cause = cmp.Or(onDisk(diskFault(f.saveErr)), "checkpoint")
			}
		}
		list = append(list, c)
	}
	if err := f.journal.SyncErr; err != nil || m.unsynced.goes(f.now, tried) {
		c := condition{kind: "journal.unsynced", blind: true, bad: true, stops: tellAfter, cause: "disk", text: "The journal cannot be written: " + cmp.Or(err, f.journal.LastSyncErr).Error(),
			fix: "Free disk space or replace the disk. What is not proven is written again, and then it goes on by itself.", meaning: refusal}
		if err == nil {
			c.stops, c.meaning = 0, "Each request is written again elsewhere before it is acknowledged: nothing is lost yet, and all of it is judged."
		}
		list = append(list, c)
	}
	if f.disk != nil && s.a.reading.Load() == nil { // which says it
		list = append(list, condition{kind: "disk.refuses", blind: true, bad: true, cause: "disk", text: "The data directory cannot be written: " + f.disk.Error(),
			fix: "Free disk space, mount it for writing, or replace it.", meaning: "Nothing is lost yet; what comes may be refused, and a crash would tell again what was told."})
	}
	for _, what := range slices.Sorted(maps.Keys(f.hung)) {
		list = append(list, condition{kind: "hangs", subject: what, blind: true, bad: true, stops: tellAfter, cause: "disk", after: time.Minute,
			text: fmt.Sprintf("%s has not answered for %s: most likely the disk hangs.", upper(what), alerting.Span(f.hung[what].Milliseconds())),
			fix:  "Look at the disk (a network file system?) and at /debug/pprof/goroutine?debug=1.", meaning: refusal})
	}
	if n, lost := f.outbox.waiting, f.outbox.lost; n > 0 || lost > 0 {
		c := condition{kind: "outbox.held", blind: n > 0, bad: true, cause: "disk", text: fmt.Sprintf("%s in memory because the disk refuses them, and %s were lost.", waits(n), alerting.Commas(strconv.FormatInt(int64(lost), 10))), fix: "Free disk space.",
			meaning: "Nobody is told of these incidents yet. The pages show them."}
		list = append(list, c)
	}
	return list
}

func onDisk(culprit string) string {
	if culprit != "" {
		return "disk"
	}
	return ""
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

const (
	saveLong    = 2 * time.Minute // a checkpoint that takes longer than this and tellAfter hangs
	saveStops   = time.Hour       // checkpoints that fail for so long make the next start endless
	journalRoom = .9
)

func (s *self) ofCheckpoints(f *facts) (list []condition) {
	if f.saveErr != nil {
		culprit := diskFault(f.saveErr)
		c := condition{kind: "checkpoint.fails", blind: true, bad: true, stops: saveStops, cause: cmp.Or(onDisk(culprit), "checkpoint"), text: "The last checkpoint failed: " + f.saveErr.Error(),
			fix: "Nothing is lost while the journal has room. Free disk space or raise storage.max_size.", meaning: "The journal grows, and a start takes longer and longer; when the journal is full nothing is taken in."}
		if culprit != "" {
			c.text = "No checkpoint can be written because " + culprit + ": " + f.saveErr.Error()
		}
		list = append(list, c)
	}
	if out := f.store.LeftOut; len(out) > 0 {
		list = append(list, condition{kind: "checkpoint.lacks", bad: true, cause: "checkpoint", text: fmt.Sprintf("Checkpoints leave out %s that the store does not take. The first is %s.", alerting.Count(len(out), "record"), out[0]),
			fix: "Mend the labels that make such a name. All else is saved.", meaning: "A restart begins these anew."})
	}
	if f.saving > saveLong {
		list = append(list, condition{kind: "checkpoint.hangs", blind: true, bad: true, stops: saveStops, cause: "disk", text: "A checkpoint has been written for " + alerting.Span(f.saving.Milliseconds()) + ".",
			fix: "Look at the disk; another process may hold wrackline.db.", meaning: "The journal grows; when it is full nothing is taken in."})
	}
	return list
}

const (
	foldLong    = time.Minute                    // what stands in line for longer is not folded
	windowsLong = 2 * time.Minute                // samples are used and no window closes
	windowsNew  = 3*time.Minute + 30*time.Second // the same of a cluster that is new: its first window waits for the grace
	fromNow     = 90 * time.Second               // what was tried is of now
)

func (s *self) ofFold(f *facts) (list []condition) {
	m := &s.memory
	if m.busy.goes(f.now, fromNow) {
		list = append(list, condition{kind: "line.full", blind: true, bad: true, stops: tellAfter, cause: "fold", text: "More arrives than can be folded: requests find no room in line.",
			fix: "Give it more CPU, or send less (the keep-list): wrackline packs remote-write-config.", meaning: "Senders are answered 503 and fall behind."})
	}
	if f.ready && f.last > f.folded && f.now-m.folded.at >= foldLong {
		list = append(list, condition{kind: "fold.stuck", blind: true, bad: true, stops: time.Nanosecond, cause: "fold", after: time.Minute, text: fmt.Sprintf("Nothing has been folded for %s, and %s for it.", alerting.Span((f.now - m.folded.at).Milliseconds()), strings.Replace(waits(int(f.last-f.folded)), "message", "request", 1)),
			fix: "Look at /debug/pprof/goroutine?debug=1, then restart: nothing that was acknowledged is lost.", meaning: "Nothing is judged."})
	}
	var stuck []condition
	active := 0
	for _, name := range slices.Sorted(maps.Keys(m.clusters)) {
		c := m.clusters[name]
		if !c.used.grew || f.now-c.arrive > fromNow {
			continue
		}
		active++
		long := windowsLong
		if c.windows.value == 0 {
			long = windowsNew
		}
		if d := c.arrive - c.closed; d >= long {
			stuck = append(stuck, condition{kind: "windows.stuck", subject: name, blind: true, bad: true, after: time.Minute, text: fmt.Sprintf("No minute of cluster %s has been judged for %s, though its samples arrive.", name, alerting.Span(d.Milliseconds())),
				fix: "Compare the clocks of the senders and of this machine: samples in a future that never comes hold windows back.", meaning: "Nothing of this cluster is judged."})
		}
	}
	if len(stuck) > 0 && len(stuck) == active {
		stuck[0].stops = tellAfter
	}
	return append(list, few(stuck)...)
}

const nobodyAfter = 2 * time.Minute // of readiness without a request; tellAfter comes on top

func (s *self) ofDoor(f *facts) (list []condition) {
	a, m := s.a, &s.memory
	now := f.ms
	var refusedBy []condition
	for _, t := range f.talks {
		x := m.talks[t.Sender]
		if x == nil || !x.outcome.goes(f.now, tried) {
			continue
		}
		// Who never sent anything useful while others do may be anybody: that is for the page.
		if !x.good && m.taken.within(f.now, tried) && !s.knownHost(f, t.Host) {
			continue
		}
		c := condition{kind: "sender.refused", subject: t.Sender, blind: true, bad: true, text: fmt.Sprintf("Everything that %s sends is refused: %d %s", t.Sender, t.Code, t.Reason),
			fix: "Mend what the reason names: the sender's relabelling, its version, or a clock.", meaning: "The sender gives such samples up: what it watches is not judged."}
		if t.Denied > 0 && t.Code == 401 {
			c.text = "Everything that comes from " + t.Sender + " is refused: it shows no valid token."
			c.fix = "Give the sender one of ingest.tokens (authorization: credentials_file in its remote_write block)."
		}
		refusedBy = append(refusedBy, c)
	}
	list = append(list, few(refusedBy)...)
	if f.ready && m.up >= 0 && f.now-m.up >= nobodyAfter && len(f.talks) == 0 && len(f.stream.Senders) == 0 {
		list = append(list, condition{kind: "sender.none", blind: true, text: "Nobody has sent anything yet.", fix: "wrackline packs remote-write-config prints the block for prometheus.yml.", meaning: "There is nothing to judge."})
	}
	if d := a.door.Load().Denied(); d.Requests > 0 && now-d.LastMs < refusedMs {
		list = append(list, condition{kind: "door.denied", bad: true, text: fmt.Sprintf("Requests without a valid token were refused, %s, the last %s ago from %s. Prometheus gives such samples up.", alerting.Commas(strconv.FormatInt(d.Requests, 10)), alerting.Span(now-d.LastMs), d.From),
			fix: "Give the sender one of ingest.tokens (authorization: credentials_file in its remote_write block)."})
	}
	if r := a.door.Load().Refused(); r.Samples > 0 && now-r.LastMs < refusedMs {
		list = append(list, condition{kind: "door.refused", text: fmt.Sprintf("Samples were refused, %s, the last %s ago from %s: %s. The sender gives them up.", alerting.Commas(strconv.FormatInt(r.Samples, 10)), alerting.Span(now-r.LastMs), r.From, r.Reason), fix: "Mend what the reason names: the sender's relabelling, or a clock."})
	}
	return list
}

// knownHost reports whether somebody whose requests were taken comes from a host, so that a token that was lost is known for what it is.
func (s *self) knownHost(f *facts, host string) bool {
	return slices.ContainsFunc(f.talks, func(t ingest.Talk) bool {
		x := s.memory.talks[t.Sender]
		return t.Host == host && x != nil && x.good && !x.taken.within(f.now, fromNow)
	})
}

func (s *self) ofSenders(f *facts) (list []condition) {
	var lags, silent []condition
	useful, useless := 0, ""
	for i := range f.stream.Senders {
		x := &f.stream.Senders[i]
		quiet, unused := f.ms-x.LastMs, f.ms-x.UsedMs
		switch lag := f.ms - x.LastT; {
		case quiet > silentAfter.Milliseconds() && x.LastMs-x.FirstMs <= knownAfter.Milliseconds(): // it was a test
		case quiet > silentAfter.Milliseconds() && quiet < silentUntil.Milliseconds():
			silent = append(silent, condition{kind: "sender.silent", subject: x.Cluster + "/" + x.Name, text: fmt.Sprintf("Sender %s has been silent for %s.", x.Name, alerting.Span(quiet)), fix: "Look at prometheus_remote_storage_* of that Prometheus."})
		case quiet >= 60_000:
		case x.UsedMs == 0 && x.LastT == 0 && x.Samples > 0:
			useless = x.Name
			silent = append(silent, condition{kind: "sender.unneeded", subject: x.Cluster + "/" + x.Name, text: fmt.Sprintf("Nothing that sender %s sends is needed by a signal.", x.Name),
				fix: "Its keep-list or its jobs leave out what packs ask for: wrackline packs remote-write-config prints the block, wrackline packs explain what is missing."})
		case x.UsedMs != 0 && unused > silentAfter.Milliseconds():
			silent = append(silent, condition{kind: "sender.unused", subject: x.Cluster + "/" + x.Name, text: fmt.Sprintf("Nothing that sender %s sends has been used for %s.", x.Name, alerting.Span(unused)), fix: unusedCauses[0] + "; or " + unusedCauses[1] + "."})
		case x.LastT != 0 && lag > lagMs:
			useful++
			c := condition{kind: "sender.lags", subject: x.Cluster + "/" + x.Name, text: fmt.Sprintf("Sender %s is %s behind: its newest sample is that old.", x.Name, alerting.Span(lag)), fix: "It is catching up after an outage, or cannot keep up."}
			if m := s.memory.lags[x.Cluster+"\x00"+x.Name]; m != nil && m.stuck {
				c.blind, c.after = true, time.Minute
				c.fix, c.meaning = "It cannot keep up: give its remote_write more shards, or send less (the keep-list). Or its clock is behind.", "What it watches is judged that much later."
			}
			lags = append(lags, c)
		default:
			useful++
		}
	}
	if useful == 0 && useless != "" && len(s.memory.clusters) == 0 {
		list = append(list, condition{kind: "sender.useless", blind: true, bad: true, text: "Samples arrive, but none that a signal needs; they come from " + useless + ".", meaning: "There is nothing to judge.",
			fix: "The sender's keep-list or its jobs leave out what packs ask for: wrackline packs remote-write-config prints the block, wrackline packs explain what is missing."})
	}
	return append(append(list, few(silent)...), few(lags)...)
}

const (
	packRules = 3                             // rules of a pack that must have lost their metrics for the pack to be gone …
	packShare = 2                             // … and at least one in so many of those that had them within packDay
	packDay   = int64(24 * time.Hour / 1e6)   // after which what is gone is gone for good
	packAfter = time.Minute                   // see condition.after
	packFresh = int64(10 * time.Minute / 1e6) // a cluster of which nothing newer is known has other troubles
)

// ofPacks says of which packs the metrics stopped although others of the cluster arrive.
func (s *self) ofPacks(f *facts) (list []condition) {
	newest := map[string]int64{}
	for i := range f.stream.Clusters {
		c := &f.stream.Clusters[i]
		if c.WindowsClosed > 0 && c.LastT > f.ms-packFresh {
			newest[c.Name] = c.LastT
		}
	}
	type count struct {
		had  int
		gone []string
	}
	counts := map[string]*count{}
	for i := range f.stream.Rules {
		r := &f.stream.Rules[i]
		end := newest[r.Cluster]
		if end == 0 || r.LastT == 0 || end-r.LastT > packDay {
			continue
		}
		key := packKey(r)
		n := counts[key]
		if n == nil {
			n = &count{}
			counts[key] = n
		}
		n.had++
		if x := s.memory.packs[key]; x != nil && end-r.LastT > x.gone() {
			n.gone = append(n.gone, r.Rule.Name)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		n := counts[key]
		if len(n.gone) < packRules || len(n.gone)*packShare < n.had {
			continue
		}
		names := strings.Join(n.gone[:min(len(n.gone), 4)], ", ")
		list = append(list, condition{kind: "metrics.gone", subject: key, blind: true, after: packAfter, text: fmt.Sprintf("%s of pack %s get no metrics any more: %s.", alerting.Count(len(n.gone), "signal"), key, names),
			fix: "wrackline packs explain NAME --server says which are missing. Were they removed on purpose, this ends by itself after a day.", meaning: "What these signals watch is not judged."})
	}
	return few(list)
}

const (
	limitNear  = .9
	memoryNear = .85 // of the limit alive: the rest is not enough to collect garbage at leisure
)

func limitOf(reason string) string {
	switch { // reasons go on with names that others choose
	case strings.HasPrefix(reason, "series limit"):
		return "limit.series"
	case strings.Contains(reason, "cluster"):
		return "limit.clusters"
	}
	return "limit.other"
}

func sentBy(sender string) string {
	if sender == "" {
		return ""
	}
	return " from sender " + series.Clean(sender, 80)
}

func (s *self) ofLimits(f *facts) (list []condition) {
	m := &s.memory
	if r := f.limited; r != nil {
		for _, kind := range slices.Sorted(maps.Keys(m.limited)) {
			recent := m.limited[kind].within(f.now, tried)
			if !recent && f.ms-r.lastMs >= refusedMs || limitOf(r.reason) != kind {
				continue
			}
			list = append(list, condition{kind: kind, blind: recent, text: fmt.Sprintf("%s found no room, the last %s ago from %s: %s.", alerting.Count(r.samples, "sample"), alerting.Span(f.ms-r.lastMs), r.sender, r.reason),
				fix: "Send less (the keep-list), or raise the limit under signals.", meaning: "What is new beyond the limit is not judged; what is known goes on."})
		}
	}
	if recent := m.signals.within(f.now, tried); recent || f.stream.OverSignal != "" && f.ms-f.stream.OverSignalMs < refusedMs {
		list = append(list, condition{kind: "limit.signals", blind: recent, text: fmt.Sprintf("There are %s, as many as signals.signals_max allows: %s of new ones not learned, the last of %s%s%s.", alerting.Count(f.stream.Signals, "signal"),
			alerting.Count(f.stream.OverSignals, "value"), series.Clean(f.stream.OverSignal, 80), sentBy(f.stream.OverSignalBy), holdersOf(&f.stream).rule), fix: "Raise signals.signals_max, or disable what nobody needs (packs.disable).", meaning: "New workloads are not judged; what is known goes on."})
	}
	for _, l := range s.a.limits(&f.stream, &f.journal, f.store.FileBytes) {
		if l.Max > 0 && l.Used >= limitNear*l.Max {
			list = append(list, condition{kind: "limit.near", subject: l.Name, text: fmt.Sprintf("%s is nearly reached: %s of %s.", l.Name, alerting.Quantity(l.Used, l.Unit), alerting.Quantity(l.Max, l.Unit)), fix: upper(l.Meaning) + "."})
		}
	}
	if f.memory >= memoryNear {
		list = append(list, condition{kind: "memory.full", blind: true, bad: true, text: fmt.Sprintf("Memory is used up: %s of its limit.", alerting.Quantity(f.memory, "ratio")), fix: "Raise the memory limit, or send less (the keep-list).",
			meaning: "Collecting garbage takes the CPU, and the kernel may kill it."})
	}
	return list
}

const (
	downAfter  = time.Hour        // a receiver that nothing reaches for so long is down
	deadFor    = 30 * time.Minute // messages that were given up are news for so long
	heartAfter = 3 * time.Minute  // without a heartbeat that arrives
)

func (s *self) ofReceivers(f *facts) (list []condition) {
	m := &s.memory
	down := 0
	for i := range f.outbox.receivers {
		r := &f.outbox.receivers[i]
		key := receiverKey(f.outbox.receivers, i)
		x := m.receivers[key]
		switch {
		case r.Disabled != "":
			down++
			list = append(list, condition{kind: "receiver.disabled", subject: key, blind: true, bad: true, text: fmt.Sprintf("Receiver %s is told nothing any more: %s.", key, r.Disabled), fix: "Give it a new URL, or what its answer says is missing (a token, a channel), and send it a test message when somebody is there again. It is asked now and then, too.", meaning: "Whoever reads there hears of nothing."})
		case r.Queued > 0 && r.LastError != "":
			c := condition{kind: "receiver.waits", subject: key, text: fmt.Sprintf("%s for receiver %s: %s.", waits(r.Queued), key, r.LastError), fix: "This is tried again by itself."}
			if x != nil && x.down >= 0 && f.now-x.down >= downAfter {
				down++
				c.kind, c.blind, c.bad, c.after = "receiver.down", true, true, time.Minute
				c.text = fmt.Sprintf("Nothing has reached receiver %s for %s, and %s: %s.", key, alerting.Span((f.now - x.down).Milliseconds()), waits(r.Queued), r.LastError)
				c.fix, c.meaning = "wrackline receivers test "+alerting.ShellWord(r.Receiver)+" says what comes back. Messages are given up after 72 h.", "Whoever reads there hears of nothing."
			}
			list = append(list, c)
		}
		if w := f.outbox.said[r.Integration]; w.Waiting > 0 && w.LastErrorAt.After(w.LastSuccess) {
			list = append(list, condition{kind: "receiver.unheard", subject: key, text: fmt.Sprintf("%s for receiver %s, about Wrackline itself: %s.", waits(w.Waiting), key, w.LastError), fix: "This is tried again by itself."})
		}
		if r.Owed > 0 && r.Disabled == "" {
			list = append(list, condition{kind: "receiver.owes", subject: key, bad: true, text: fmt.Sprintf("Given up for receiver %[2]s, and still of use: %[1]s: %[3]s.", alerting.Count(r.Owed, "message"), key, cmp.Or(r.LastGivenUp, r.LastError, "see the receivers page")),
				fix: "They go out when it takes messages again; a test message shows whether it does: wrackline receivers test " + alerting.ShellWord(r.Receiver) + "."})
		}
		if x != nil && x.dead.within(f.now, deadFor) && r.Disabled == "" {
			list = append(list, condition{kind: "receiver.lost", subject: key, blind: true, after: atOnce, text: fmt.Sprintf("Messages for receiver %s were given up, %d since the start: %s.", key, r.Dead, cmp.Or(r.LastGivenUp, r.LastError, "the receiver refused them")),
				fix: "The receivers page lists them.", meaning: "Whoever reads there has not heard of these incidents."})
		}
	}
	if n := len(f.outbox.receivers); n > 0 && down == n { // nobody can be told: whoever misses the heartbeat is the only one left
		for i := range list {
			if list[i].kind == "receiver.down" || list[i].kind == "receiver.disabled" {
				list[i].stops = time.Minute
				break
			}
		}
	}
	for _, x := range f.outbox.astray {
		if f.ms < x.Until.UnixMilli() {
			list = append(list, condition{kind: "receiver.astray", subject: x.Integration, text: astrayText(x), fix: "Put the receiver's old name back, or leave it out if nobody needs them."})
		}
	}
	if h := f.heart; m.heartFails >= 0 {
		list = append(list, condition{kind: "heartbeat.fails", blind: f.now-m.heartFails >= time.Minute, after: heartAfter, text: fmt.Sprintf("The heartbeat does not reach %s: %s.", cmp.Or(h.Host, "its URL"), h.LastErr), fix: "Look at alerting.heartbeat, and at the network.",
			meaning: "Whoever waits for it takes Wrackline for dead."})
	}
	return few(list)
}

// waits words messages that wait.
func waits(n int) string {
	if n == 1 {
		return "1 message waits"
	}
	return alerting.Count(n, "message") + " wait"
}

// problemMax is how many bytes of a problem are shown.
const problemMax = 1500

// problems words conditions for pages.
func problems(list []condition) (out []ui.Problem) {
	for _, c := range list {
		// Names of senders, paths and answers of receivers stand in them, so each is made fit to be shown, here and in self_tell.go.
		p := ui.Problem{Severity: "warn", Text: series.Clean(c.text, problemMax), Fix: series.Clean(c.fix, problemMax)}
		if c.bad {
			p.Severity = "error"
		}
		out = append(out, p)
	}
	return out
}
