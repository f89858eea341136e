package main

import (
	"time"

	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/ingest"
)

// meter says when a count grew.
type meter struct {
	value int64
	at    time.Duration // when it was last seen to have grown
	grew  bool          // it did, ever
	known bool
}

func (m *meter) see(v int64, now time.Duration) (by int64) {
	if m.known && v > m.value {
		m.at, m.grew, by = now, true, v-m.value
	}
	m.value, m.known = v, true
	return by
}

// within reports whether it grew in the last d.
func (m *meter) within(now, d time.Duration) bool { return m.grew && now-m.at <= d }

// contest is about two counts of which one says that things go wrong and the other that they go right.
type contest struct {
	wrong, right meter
	first, lost  time.Duration // when wrong prevailed for the first time since right did, and for the last
	losing       bool
}

func (c *contest) see(wrong, right int64, now time.Duration) {
	w, r := c.wrong.see(wrong, now), c.right.see(right, now)
	switch {
	case w > 0 && w >= r:
		if !c.losing {
			c.first = now
		}
		c.lost, c.losing = now, true
	case r > 0:
		c.losing = false
	}
}

// spread is for how long things must have gone wrong, again and again: one request that fails, or some within seconds, are a hiccup.
const spread = time.Minute

// goes reports whether things go wrong, by what was tried in the last d.
func (c *contest) goes(now, d time.Duration) bool {
	return c.losing && now-c.lost <= d && c.lost-c.first >= spread
}

// talkMemory is what is known of a sender at the door.
type talkMemory struct {
	outcome contest // refused or denied against taken
	taken   meter
	good    bool // something of it was taken, ever
	seen    bool
}

// clusterMemory is what is known of a cluster.
type clusterMemory struct {
	windows, used  meter
	closed, arrive time.Duration // when a window closed, and when something used came
	begun          time.Duration // when it was first seen
	seen           bool
}

// packMemory is what is known of how often the metrics of a pack come in a cluster.
type packMemory struct {
	last  int64 // newest time of any rule of it, event time
	step  int64 // about how far apart they come, milliseconds
	steps int   // that were seen
	seen  bool
}

const (
	packSteps = 2                        // so many must have been seen to know how often metrics come
	packBlank = int64(10 * 60_000)       // without that knowledge they are gone after so long, milliseconds of event time …
	packGone  = int64(3*60_000 + 30_000) // … and with it after so long, or twice the step when that is longer
)

// gone returns how old the newest time of a rule must be for its metrics to be gone.
func (x *packMemory) gone() int64 {
	if x.steps < packSteps {
		return packBlank
	}
	return max(packGone, 2*x.step)
}

// learnPacks notes how often metrics of packs come.
func (m *memory) learnPacks(rules []signal.RuleStats) {
	newest := map[string]int64{}
	for i := range rules {
		if r := &rules[i]; r.LastT != 0 {
			newest[packKey(r)] = max(newest[packKey(r)], r.LastT)
		}
	}
	for key, t := range newest {
		x := m.packs[key]
		if x == nil {
			x = &packMemory{last: t}
			m.packs[key] = x
		}
		x.seen = true
		if d := min(t-x.last, packBlank); d > 0 {
			if x.steps++; x.steps == 1 {
				x.step = d
			}
			x.step += (d - x.step) / 4
			x.last = t
		}
	}
	sweep(m.packs, func(x *packMemory) *bool { return &x.seen })
}

// packKey names a pack in a cluster, for people.
func packKey(r *signal.RuleStats) string { return r.Rule.Pack + " in " + r.Cluster }

// lagMemory is what is known of a sender that lags behind.
type lagMemory struct {
	lag   int64 // milliseconds, at
	at    time.Duration
	stuck bool // it has not grown less since
	seen  bool
}

// receiverMemory is what is known of an integration.
type receiverMemory struct {
	down  time.Duration // since when nothing arrives; −1 = it does
	dead  meter
	fails meter
}

// memory is what looks have learned. Everything in it is bounded by what it is about.
type memory struct {
	up         time.Duration // when requests were first taken; −1 = not yet
	failing    contest       // requests that the journal did not take
	unsynced   contest       // syncs of the journal that failed, though what they were about may have been written again
	busy       contest       // requests for which there was no room in line
	folded     meter
	saveFails  time.Duration // since when checkpoints fail; −1 = they do not
	heartFails time.Duration // the same of heartbeats
	undecoded  meter
	limited    map[string]*meter // by reason
	signals    meter
	talks      map[string]*talkMemory
	taken      meter // requests of anybody
	anyTaken   bool
	clusters   map[string]*clusterMemory
	packs      map[string]*packMemory // by packKey
	lags       map[string]*lagMemory
	receivers  map[string]*receiverMemory
}

func newMemory() memory {
	return memory{undecoded: meter{known: true}, up: -1, saveFails: -1, heartFails: -1, limited: map[string]*meter{}, talks: map[string]*talkMemory{}, clusters: map[string]*clusterMemory{}, packs: map[string]*packMemory{}, lags: map[string]*lagMemory{}, receivers: map[string]*receiverMemory{}}
}

// since keeps when something began.
func since(at *time.Duration, is bool, now time.Duration) {
	switch {
	case !is:
		*at = -1
	case *at < 0:
		*at = now
	}
}

// learn takes what a look saw.
func (m *memory) learn(f *facts) {
	if f.ready && m.up < 0 {
		m.up = f.now
	}
	m.failing.see(f.failed, f.taken, f.now)
	m.unsynced.see(f.journal.SyncFails, f.journal.Syncs, f.now)
	m.busy.see(f.busy, f.taken, f.now)
	m.folded.see(int64(f.folded), f.now)
	if f.folded == f.last {
		m.folded.at = f.now // nothing waits
	}
	since(&m.saveFails, f.saveErr != nil, f.now)
	since(&m.heartFails, f.heart.Fails > 0, f.now)
	m.undecoded.see(f.undecoded, f.now)
	m.signals.see(f.stream.OverSignals, f.now)
	if r := f.limited; r != nil {
		x := m.limited[limitOf(r.reason)]
		if x == nil {
			x = &meter{known: true} // it has just begun
			m.limited[limitOf(r.reason)] = x
		}
		x.see(r.samples, f.now)
	}
	m.learnTalks(f.talks, f.now)
	m.learnClusters(&f.stream, f.now)
	m.learnPacks(f.stream.Rules)
	m.learnLags(f)
	m.learnReceivers(f.outbox.receivers, f.now)
}

func (m *memory) learnTalks(talks []ingest.Talk, now time.Duration) {
	sum := int64(0)
	for _, t := range talks {
		x := m.talks[t.Sender]
		if x == nil {
			x = &talkMemory{}
			x.outcome.wrong.known, x.outcome.right.known, x.taken.known = true, true, true
			m.talks[t.Sender] = x
		}
		x.seen = true
		sum += t.Taken
		x.outcome.see(t.Denied+t.Refused, t.Taken, now)
		x.taken.see(t.Taken, now)
		x.good = x.good || t.Taken > 0
	}
	m.taken.known = true
	if m.taken.see(sum, now); m.taken.grew {
		m.anyTaken = true
	}
	sweep(m.talks, func(x *talkMemory) *bool { return &x.seen })
}

// sweep drops what was not seen this time.
func sweep[T any](all map[string]*T, seen func(*T) *bool) {
	for key, x := range all {
		if s := seen(x); *s {
			*s = false
		} else {
			delete(all, key)
		}
	}
}

func (m *memory) learnClusters(st *signal.Stats, now time.Duration) {
	used := map[string]int64{}
	for i := range st.Senders {
		x := &st.Senders[i]
		used[x.Cluster] = max(used[x.Cluster], x.UsedMs)
	}
	for i := range st.Clusters {
		c := &st.Clusters[i]
		x := m.clusters[c.Name]
		if x == nil {
			x = &clusterMemory{begun: now, closed: now, arrive: now}
			m.clusters[c.Name] = x
		}
		x.seen = true
		if x.windows.see(c.WindowsClosed, now) > 0 {
			x.closed = now
		}
		if x.used.see(used[c.Name], now) > 0 {
			x.arrive = now
		}
	}
	sweep(m.clusters, func(x *clusterMemory) *bool { return &x.seen })
}

const (
	lagMs    = 5 * 60_000      // a sender whose newest sample is older lags behind
	lagLeast = 30_000          // by which a lag must shrink …
	lagSpan  = 2 * time.Minute // … within this, to be one that is being caught up with
)

func (m *memory) learnLags(f *facts) {
	for i := range f.stream.Senders {
		s := &f.stream.Senders[i]
		lag := f.ms - s.LastT
		if s.LastT == 0 || lag < lagMs || f.ms-s.LastMs > 60_000 {
			continue
		}
		key := s.Cluster + "\x00" + s.Name
		x := m.lags[key]
		if x == nil {
			x = &lagMemory{lag: lag, at: f.now}
			m.lags[key] = x
		}
		x.seen = true
		if f.now-x.at >= lagSpan {
			x.stuck = lag > x.lag-lagLeast
			x.lag, x.at = lag, f.now
		}
	}
	sweep(m.lags, func(x *lagMemory) *bool { return &x.seen })
}

func (m *memory) learnReceivers(list []notify.Stats, now time.Duration) {
	next := map[string]*receiverMemory{}
	for i := range list {
		r := &list[i]
		key := receiverKey(list, i)
		x := m.receivers[key]
		if x == nil {
			x = &receiverMemory{down: -1}
			x.dead.known, x.fails.known = true, true
		}
		next[key] = x
		since(&x.down, r.Queued > 0 && r.LastError != "" && !r.LastErrorAt.Before(r.LastSuccess), now)
		x.dead.see(r.Dead, now)
	}
	m.receivers = next
}

// receiverKey names the i-th integration: by its receiver, and what it is.
func receiverKey(list []notify.Stats, i int) string {
	n := 0
	for k := range list[:i] {
		if list[k].Receiver == list[i].Receiver && list[k].Kind == list[i].Kind {
			n++
		}
	}
	name := list[i].Receiver + " (" + list[i].Kind
	if n > 0 {
		return name + " " + string(rune('1'+min(n, 8))) + ")"
	}
	return name + ")"
}
