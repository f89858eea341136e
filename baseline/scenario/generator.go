package scenario

import (
	"slices"

	"github.com/wrackline/wrackline/baseline/series"
)

// Request is one remote-write request: what a shard of a Prometheus sends at once.
// It is borrowed until the next call of Generator.Next.
type Request struct {
	// Batch is what a receiver would have decoded. ReceivedMs is simulated time.
	series.Batch
	// Replica and Shard say which Prometheus of the pair and which of its queues sent it, both from 0.
	Replica, Shard int

	rows      []rowRef
	releaseMs int64
}

// rowRef finds the identity of an entry.
type rowRef struct {
	rows *rows
	row  int32
}

var _ series.LabelReader = (*Request)(nil)

// AppendLabels implements series.LabelReader over labels that exist already. It never fails.
func (r *Request) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	ref := r.rows[i]
	return append(dst, ref.rows.labels[ref.row]...), nil
}

// queue is one shard of one Prometheus.
type queue struct {
	replica, shard int
	cur            *Request
	firstMs        int64      // scrape time of the oldest sample of cur
	backlog        []*Request // sealed but held back by a stall, oldest first
	stallUntil     int64      // a random stall; 0 = none
	r              rng
}

// Generator plays a cluster. It is deterministic and not safe for concurrent use.
type Generator struct {
	w        *world
	step     int64 // ms
	tick     int64 // of the step being scraped
	nth      int64 // steps of 15 s since the start, for the phases of live scrapes
	begun    bool
	live     bool
	events   []event
	next     int // in events
	queues   [2][]*queue
	ready    []*Request // in order of ReceivedMs
	head     int
	received int64 // newest ReceivedMs handed to ready
	free     []*Request
	given    *Request
	stats    Stats
}

// event is one scrape of the current step.
type event struct {
	at  int64 // ms after the tick
	t   *target
	rep int
}

// Stats counts what a Generator has made.
type Stats struct {
	Samples  int64 // with stale markers
	Stale    int64 // stale markers
	Requests int64
	Series   int64 // series ever created, by one Prometheus
	Pods     int   // now
}

// New returns a generator at the start of its cluster's life.
func New(c Config) (*Generator, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	g := &Generator{w: newWorld(c), step: stepHistoryMs, tick: c.StartMs, live: c.Live}
	if c.Live {
		g.step = stepLiveMs
	}
	for rep := range c.Replicas {
		for s := range c.Shards {
			q := &queue{replica: rep, shard: s, r: newRNG(c.Seed, "queue "+replicaNames[rep]+string(rune('0'+s)))}
			q.cur = g.request(q)
			g.queues[rep] = append(g.queues[rep], q)
		}
	}
	return g, nil
}

// Config returns the configuration with its defaults filled in.
func (g *Generator) Config() Config { return g.w.cfg }

// Now returns the simulated time of the last begun step, Unix milliseconds.
func (g *Generator) Now() int64 { return g.tick }

// Stats returns what has been made so far.
func (g *Generator) Stats() Stats {
	s := g.stats
	s.Series, s.Pods = g.w.series, g.w.podCount
	return s
}

// GoLive changes from a scrape a minute to kube-prometheus' intervals with the next step. It cannot be undone.
func (g *Generator) GoLive() { g.live = true }

// Add schedules another fault. It must not begin in the past.
func (g *Generator) Add(f Fault) error {
	f, err := f.withDefaults()
	if err != nil {
		return err
	}
	g.w.cfg.Faults = append(g.w.cfg.Faults, f)
	g.w.plan(f)
	return nil
}

// Truth returns the ground truth of all scheduled faults, by start.
func (g *Generator) Truth() []Truth { return g.w.truth() }

// Next returns the next request that arrives before untilMs, or false when there is none. What was scraped before untilMs and
// not sent yet stays queued. The request is borrowed until the next call.
func (g *Generator) Next(untilMs int64) (*Request, bool) {
	if g.given != nil {
		g.recycle(g.given)
		g.given = nil
	}
	for {
		if g.head < len(g.ready) {
			r := g.ready[g.head]
			g.ready[g.head] = nil
			g.head++
			if g.head == len(g.ready) {
				g.ready, g.head = g.ready[:0], 0
			}
			g.given = r
			g.stats.Requests++
			return r, true
		}
		if g.next < len(g.events) {
			g.scrape(g.events[g.next])
			g.next++
			if g.next == len(g.events) {
				g.endStep()
			}
			continue
		}
		at := g.tick
		if g.begun {
			at += g.step
		}
		if at >= untilMs {
			return nil, false
		}
		g.beginStep(at)
	}
}

// Skip plays until untilMs without handing anything out: the way to the end of a history that somebody else has kept.
func (g *Generator) Skip(untilMs int64) {
	for {
		if _, ok := g.Next(untilMs); !ok {
			return
		}
	}
}

// Drain hands out what is queued, stalled requests too, once there is nothing more to play.
func (g *Generator) Drain() (*Request, bool) {
	if g.head == len(g.ready) {
		now := g.tick + g.step
		for rep := range g.queues {
			for _, q := range g.queues[rep] {
				if len(q.cur.Samples) > 0 {
					g.seal(q, now)
				}
				for _, r := range q.backlog {
					r.ReceivedMs = max(now, r.ReceivedMs)
					g.ready = append(g.ready, r)
				}
				q.backlog = q.backlog[:0]
			}
		}
		slices.SortStableFunc(g.ready, func(a, b *Request) int { return int(a.ReceivedMs - b.ReceivedMs) })
		if len(g.ready) == 0 {
			return nil, false
		}
	}
	return g.Next(g.tick)
}

// beginStep moves the world to a tick and lists the scrapes that follow it.
func (g *Generator) beginStep(at int64) {
	g.tick, g.begun = at, true
	if g.live {
		g.step = stepLiveMs
	}
	g.nth = (at - g.w.cfg.StartMs) / stepLiveMs
	g.w.advance(at, g.live)
	g.events, g.next = g.events[:0], 0
	kept := g.w.targets[:0]
	for _, t := range g.w.targets {
		if t.gone && t.told[0] && (g.w.cfg.Replicas == 1 || t.told[1]) {
			continue
		}
		kept = append(kept, t)
		if g.step == stepLiveMs && g.nth%int64(t.every) != int64(t.phase) {
			continue
		}
		for rep := range g.w.cfg.Replicas {
			g.events = append(g.events, event{t.offset[rep], t, rep})
		}
	}
	clear(g.w.targets[len(kept):])
	g.w.targets = kept
	slices.SortStableFunc(g.events, func(a, b event) int { // ties stay in the order in which targets were found
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return a.rep - b.rep
	})
}

// scrape writes what a target shows to one Prometheus into its queues.
func (g *Generator) scrape(e event) {
	t, rep, ts := e.t, e.rep, g.tick+e.at
	if g.live || g.w.cfg.Deadline > 0 {
		g.flush(ts)
	}
	switch {
	case t.gone:
		if !t.told[rep] {
			for _, b := range t.blocks {
				if b.seen[rep] && !b.told[rep] && !t.lost[rep] {
					g.emit(b, rep, ts, true)
				}
			}
			if t.meta.seen[rep] {
				g.emit(t.meta, rep, ts, true)
			}
			t.told[rep] = true
		}
		return
	case t.down:
		if !t.lost[rep] {
			t.lost[rep] = true
			for _, b := range t.blocks {
				if b.seen[rep] && !b.told[rep] {
					g.emit(b, rep, ts, true)
				}
			}
		}
		t.meta.vals[0], t.meta.vals[1] = 0, 0
	default:
		lost := t.lost[rep]
		t.lost[rep] = false
		n, dead := 0, false
		for _, b := range t.blocks {
			if !b.ended {
				g.emit(b, rep, ts, false)
				b.seen[rep] = true
				n += len(b.vals)
				continue
			}
			if b.seen[rep] && !b.told[rep] && !lost {
				g.emit(b, rep, ts, true)
			}
			b.told[rep] = true
			dead = dead || b.told[0] && (g.w.cfg.Replicas == 1 || b.told[1])
		}
		if dead {
			kept := t.blocks[:0]
			for _, b := range t.blocks {
				if !(b.ended && b.told[0] && (g.w.cfg.Replicas == 1 || b.told[1])) {
					kept = append(kept, b)
				}
			}
			clear(t.blocks[len(kept):])
			t.blocks = kept
		}
		t.meta.vals[0], t.meta.vals[1] = 1, float64(n)
	}
	t.meta.seen[rep] = true
	g.emit(t.meta, rep, ts, false)
}

// emit appends the rows of a block to the queues of a Prometheus.
func (g *Generator) emit(b *block, rep int, ts int64, stale bool) {
	rw := &b.rows[rep]
	qs := g.queues[rep]
	shards, vals := rw.shard[:len(rw.keys)], b.vals[:len(rw.keys)]
	requestMax := g.w.cfg.RequestMax
	for j, key := range rw.keys {
		q := qs[shards[j]]
		r := q.cur
		n := len(r.Samples)
		if n == 0 {
			q.firstMs = ts
		}
		v := vals[j]
		if stale {
			v = series.StaleNaN
		}
		r.Samples = append(r.Samples, series.Sample{T: ts, V: v})
		r.Entries = append(r.Entries, series.Entry{Key: key, SampleLo: uint32(n), SampleHi: uint32(n + 1)})
		r.rows = append(r.rows, rowRef{rw, int32(j)})
		if n+1 >= requestMax {
			g.seal(q, ts)
		}
	}
	g.stats.Samples += int64(len(rw.keys))
	if stale {
		g.stats.Stale += int64(len(rw.keys))
	}
}

// endStep sends what waits: at once in history, by the deadline when live.
func (g *Generator) endStep() {
	end := g.tick + stepLiveMs
	if g.live || g.w.cfg.Deadline > 0 {
		g.flush(end)
		if g.step == stepHistoryMs { // no scrape comes for 45 s, so every deadline passes
			g.flush(g.tick + g.step)
		}
		return
	}
	for rep := range g.queues {
		for _, q := range g.queues[rep] {
			if len(q.cur.Samples) > 0 {
				g.seal(q, end)
			}
		}
	}
	g.release(g.tick + g.step)
}

// flush seals the requests whose deadline has passed and lets go of stalled ones whose time has come.
func (g *Generator) flush(now int64) {
	deadline := int64(5000)
	if g.w.cfg.Deadline > 0 {
		deadline = g.w.cfg.Deadline.Milliseconds()
	}
	for rep := range g.queues {
		for _, q := range g.queues[rep] {
			if len(q.cur.Samples) > 0 && now-q.firstMs >= deadline {
				g.seal(q, q.firstMs+deadline)
			}
		}
	}
	g.release(now)
}

// seal closes a queue's request and sends it, now or when the stall that holds it is over.
func (g *Generator) seal(q *queue, now int64) {
	r := q.cur
	q.cur = g.request(q)
	r.ReceivedMs = now + 5 + int64(q.r.intn(60))
	if n := len(q.backlog); n > 0 {
		r.ReceivedMs = max(r.ReceivedMs, q.backlog[n-1].ReceivedMs+1)
	}
	r.releaseMs = g.w.stall(q, r.ReceivedMs, g.live)
	if n := len(q.backlog); n > 0 { // a queue is in order: nothing overtakes what is held
		r.releaseMs = max(r.releaseMs, q.backlog[n-1].releaseMs)
	}
	if r.releaseMs <= r.ReceivedMs {
		g.push(r)
		return
	}
	q.backlog = append(q.backlog, r)
}

// release hands on what a stall held and no longer holds.
func (g *Generator) release(now int64) {
	for rep := range g.queues {
		for _, q := range g.queues[rep] {
			n := 0
			for n < len(q.backlog) && q.backlog[n].releaseMs <= now {
				r := q.backlog[n]
				r.ReceivedMs = r.releaseMs
				g.push(r)
				n++
			}
			if n > 0 {
				q.backlog = append(q.backlog[:0], q.backlog[n:]...)
			}
		}
	}
}

// push makes a request ready. Arrival never runs backwards, since one receiver has one clock.
func (g *Generator) push(r *Request) {
	g.received = max(g.received, r.ReceivedMs)
	r.ReceivedMs = g.received
	g.ready = append(g.ready, r)
}

func (g *Generator) request(q *queue) *Request {
	var r *Request
	if n := len(g.free); n > 0 {
		r = g.free[n-1]
		g.free = g.free[:n-1]
	} else {
		r = &Request{}
		r.Labels = r
	}
	r.Replica, r.Shard = q.replica, q.shard
	r.Sender = replicaNames[q.replica]
	return r
}

func (g *Generator) recycle(r *Request) {
	r.Samples, r.Entries, r.rows = r.Samples[:0], r.Entries[:0], r.rows[:0]
	g.free = append(g.free, r)
}
