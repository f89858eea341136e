// How a message gets out: one lane for each integration, one message at a time, the oldest first.

package notify

import (
	"context"
	"slices"
	"time"

	"github.com/wrackline/wrackline/alerting"
)

// integration is one way to one receiver.
type integration interface {
	sender
	sendResolved() bool
}

func (s *slack) sendResolved() bool { return s.SendResolved == nil || *s.SendResolved }

func (w *webhook) sendResolved() bool { return w.SendResolved == nil || *w.SendResolved }

// pace is how often somebody is written to. Integrations with the same URL share one. It is guarded by Outbox.mu.
type pace struct{ free time.Time }

// lane is the queue of one integration.
type lane struct {
	identity
	config   string // its key by the configuration alone, the same on both servers of a pair
	receiver string
	kind     string
	to       integration
	gap      time.Duration // least time between two messages
	box      *Outbox
	digest   *digestTime // nil = it is sent none
	wake     chan struct{}

	// Guarded by Outbox.mu.
	pace     *pace
	queue    []*row // by sequence
	held     map[string]*holding
	memo     memo      // changed under Outbox.putting, too
	renewed  time.Time // when all that is held was last told again
	missed   *missed   // what ended before it could be told; nil = nothing
	last     *row      // the summary of missed, which is told when nothing else is ready
	paused   time.Time // until then nothing is sent; but see only
	only     *row      // the one message since the last success, or since the pause before, that failed in a way that may be its own fault: others may be tried
	fails    int       // in a row
	since    time.Time // of the first of them
	disabled string    // 410 was answered; "" = not, or somebody is there again
	gones    int       // how often in a row
	stats    Stats
	sending  *row             // of a pair: it is being said now
	said     map[string]*Word // of a pair: what has been said, by place in the store
}

// work sends one lane's messages, one at a time.
func (b *Outbox) work(ctx context.Context, l *lane) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		now := time.Now()
		again := b.untilRenewal(l, now)
		if again == 0 {
			b.renew(ctx, l)
			continue
		}
		b.putting.Lock() // what is remembered is changed by one at a time
		idle := b.turn(l, now)
		r, g, wait := b.pick(l, now)
		b.book(l, g)
		b.putting.Unlock()
		if wait = min(wait, idle, again); r == nil {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return
			case <-l.wake:
			case <-timer.C:
			}
			continue
		}
		if !b.clear(ctx, l, r) {
			continue
		}
		h := b.holds(l, r.Message.Incident)
		m := b.word(l, r, h, now)
		before := r.Heard
		b.mayHear(l, r, true)
		sendCtx, stop := b.bounded(ctx)
		o := b.attempt(sendCtx, l.to, m, h)
		stop()
		if o.verdict != delivered && !o.maybe {
			b.mayHear(l, r, before)
		}
		if o.verdict == delivered {
			b.arrived(l, r, m, h, time.Now())
		} else {
			b.settle(l, r, o)
		}
		b.sent(l, r)
	}
}

// bounded returns the context of one attempt. It goes on for a moment when ctx ends.
func (b *Outbox) bounded(ctx context.Context) (context.Context, func()) {
	sendCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.opts.Timeout)
	stop := context.AfterFunc(ctx, func() {
		grace := time.NewTimer(graceFinish)
		defer grace.Stop()
		select {
		case <-grace.C:
			cancel()
		case <-sendCtx.Done():
		}
	})
	return sendCtx, func() { stop(); cancel() }
}

// mayHear notes on disk whether the receiver may have heard of a message's incident: yes before it is sent, since a process that is killed does not know; no after a clear no. So neither does a
// closing word fail to follow what was announced, nor does it follow what was not.
func (b *Outbox) mayHear(l *lane, r *row, heard bool) {
	if r.summary || r.Heard == heard {
		return
	}
	r.Heard = heard
	b.book(l, &ledger{save: []*row{r}})
}

// pick returns the message to send now, or how long to wait, and what changes on disk: what need not be sent any more leaves.
func (b *Outbox) pick(l *lane, now time.Time) (best *row, g *ledger, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g = &ledger{}
	b.sift(l, now, g)
	for {
		best, wait = l.choose(now)
		if best == nil || best.summary || !b.endedUnheard(l, g, best, now) {
			break
		}
		best.Over = true
		g.save = append(g.save, best)
	}
	l.stats.NextAttempt = time.Time{}
	if best != nil {
		l.pace.free = now.Add(l.gap)
		best.tried = now
	} else if l.missed != nil || slices.ContainsFunc(l.queue, func(r *row) bool { return !r.Over }) {
		l.stats.NextAttempt = now.Add(wait)
	}
	for _, r := range l.queue {
		if _, _, back := l.heldBack(r, now); r.Given == 0 && !r.Over && !back {
			wait = min(wait, max(b.opts.MaxAge-now.Sub(r.made), 0)) // to be listed on time
		}
	}
	return best, g, wait
}

// sift takes out of the queue what need not be said any more: what a newer message about the same incident says as well, the closing word of what was never announced, which is missed, and of
// who wants none; what is too old, or one too many.
func (b *Outbox) sift(l *lane, now time.Time, g *ledger) {
	newest := make(map[string]*row, len(l.queue))
	for _, r := range l.queue {
		if before := newest[r.Message.Incident]; before != nil {
			if r.Heard = before.Heard; !r.Heard {
				r.Since, r.due = before.Since, before.due
				r.After, r.Muted = max(r.After, before.After), r.Muted || before.Muted
			}
			r.Over = before.Over && r.Message.Reason == alerting.Resolved
			g.save = append(g.save, r)
			g.drop = append(g.drop, before)
			g.joined++
		}
		newest[r.Message.Incident] = r
	}
	l.queue = slices.DeleteFunc(l.queue, func(r *row) bool {
		_, muted, back := l.heldBack(r, now)
		switch {
		case newest[r.Message.Incident] != r:
			return true // it was joined
		case r.Over && (r.Message.Reason == alerting.Resolved || now.Sub(r.made) >= knownFor):
			g.joined++
		case r.Message.Reason == alerting.Resolved && !r.Heard && l.unsure(r): // the other server may have said that it began
			return false
		case r.Message.Reason == alerting.Resolved && !r.Heard:
			l.miss(g, r, r.Message, now)
			g.joined++
		case r.Message.Reason == alerting.Resolved && !l.to.sendResolved():
			g.joined++
		default:
			if muted && !r.Muted {
				r.Muted = true
				g.save = append(g.save, r)
			}
			if back {
				return false
			}
			if now.Sub(r.made) >= b.opts.MaxAge && r.Given == 0 && !r.Over {
				g.list(l, r, "not delivered within "+b.opts.MaxAge.String()+": "+l.stats.LastError, now)
			}
			return false
		}
		g.drop = append(g.drop, r)
		l.hold(g, r.Message.Incident, nil)
		return true
	})
	for len(l.queue) > b.opts.QueueMax {
		r := l.queue[max(0, slices.IndexFunc(l.queue, func(r *row) bool { return r.Over || !r.Message.Firing() }))]
		if r.Given == 0 && !r.Over {
			g.letters = append(g.letters, deadLetter(l.key, r, "the queue is full: "+l.stats.LastError, now))
		}
		g.drop = append(g.drop, r)
		l.take(r)
	}
	g.save = slices.DeleteFunc(g.save, func(r *row) bool { return !slices.Contains(l.queue, r) })
}

// list lists a message as given up. It stays in the queue: while it matters it is offered now and then.
func (g *ledger) list(l *lane, r *row, why string, now time.Time) {
	r.Given = now.UnixMilli()
	g.letters = append(g.letters, deadLetter(l.key, r, why, now))
	if !r.summary {
		g.save = append(g.save, r)
	}
}

// choose returns the message to send now, or how long to wait. While the receiver fails the oldest is tried first, so that the order is kept when it is well again. It may be the
// message's own fault, though: then another is tried once, too, and when that is taken the others go on without the one.
func (l *lane) choose(now time.Time) (next *row, wait time.Duration) {
	rows := make([]*row, 0, len(l.queue)+1)
	wait = time.Hour
	later := func(t time.Time) { wait = min(wait, t.Sub(now)) }
	for _, r := range l.queue {
		if left, _, back := l.heldBack(r, now); back {
			later(now.Add(left))
		} else if !r.Over {
			rows = append(rows, r)
		}
	}
	if l.missed != nil {
		rows = append(rows, l.summary())
	}
	resting := l.paused.After(now)
	switch {
	case len(rows) == 0:
		return nil, wait
	case l.pace.free.After(now):
		return nil, min(wait, l.pace.free.Sub(now))
	case resting:
		later(l.paused)
		if l.only == nil || l.disabled != "" {
			return nil, wait
		}
		for _, r := range rows {
			switch {
			case r == l.only:
			case r.next.After(now):
				later(r.next)
			case next == nil || r.attempts < next.attempts:
				next = r
			}
		}
		return next, wait
	}
	for _, r := range rows {
		if !r.next.After(now) || l.fails > 0 && r.Given == 0 {
			return r, wait
		}
		later(r.next)
	}
	return nil, wait
}

// settle books the outcome of an attempt that failed.
func (b *Outbox) settle(l *lane, r *row, o outcome) {
	now := time.Now()
	g := &ledger{}
	b.mu.Lock()
	l.stats.LastError, l.stats.LastErrorAt = o.why, now
	l.stats.Failed++
	if l.fails == 0 {
		l.since = now
	}
	first := l.fails == 0 && l.only == nil
	switch {
	case o.verdict == again && !o.suspect:
		l.fails++
		l.only = nil
		l.paused = now.Add(b.backoff(l.fails))
		if o.after > 0 { // the receiver knows better: not earlier, and not later either
			l.paused = now.Add(o.after)
			l.pace.free = l.paused
		}
	case o.verdict != gone:
		r.attempts++
		r.next = now.Add(b.backoff(r.attempts))
		if o.verdict == again {
			r.no = time.Time{}
		} else if r.no.IsZero() {
			r.no = now
		}
		if !r.no.IsZero() && now.Sub(r.no) >= refusedMax {
			r.next = now.Add(listedAgain)
			if r.Given == 0 {
				g.list(l, r, o.why, now)
			}
		}
		if l.only != nil && l.only != r { // two of them: it is the receiver
			l.only = nil
			break
		}
		l.only = r
		l.fails++
		l.paused = now.Add(b.backoff(l.fails))
	default:
		l.fails++
		l.gones++
		l.only, l.disabled = nil, o.why
		l.paused = now.Add(min(time.Hour<<min(l.gones-1, 10), goneMost))
		for _, x := range l.queue {
			if x.Given == 0 && !x.Over {
				g.list(l, x, "receiver is disabled: "+o.why, now)
			}
		}
	}
	if l.missed != nil {
		l.missed.Down = true
	}
	b.mu.Unlock()
	count("failed_attempts", l.key).Inc()
	switch {
	case o.verdict == gone:
		b.opts.Log.Error("receiver is disabled until a message arrives; it is asked again, more and more seldom", "receiver", l.key, "err", o.why)
	case first:
		b.opts.Log.Warn("message not delivered, will be tried again", "receiver", l.key, "incident", r.Message.Incident, "err", o.why)
	}
	b.book(l, g)
}

// arrived books a delivery, with what the far end holds of the incident now: on disk before it is counted, so that what is counted as sent is not sent again after a kill.
func (b *Outbox) arrived(l *lane, r *row, m *Message, h *holding, now time.Time) {
	g := &ledger{drop: []*row{r}}
	b.mu.Lock()
	if r.summary {
		g = &ledger{missed: true}
		l.missed, l.last = nil, nil
	} else {
		l.heard(g, r, m, h, now)
		l.learn(g, l.word(r.Message, h, false, now))
	}
	b.mu.Unlock()
	b.book(l, g)
	b.mu.Lock()
	down := time.Duration(0)
	if !l.since.IsZero() {
		down = now.Sub(l.since)
	}
	l.take(r)
	l.well(l.fails > 0 && (l.only == nil || l.only == r), now)
	l.pace.free = now.Add(l.gap)
	l.stats.Sent++
	l.stats.LastSuccess = now
	b.mu.Unlock()
	count("sent", l.key).Inc()
	if down > 0 {
		b.opts.Log.Info("receiver takes messages again", "receiver", l.key, "after", down.Round(time.Second))
	}
}

// well notes that the receiver takes messages. over says that it took none before: then all that waits may go, in order. The caller holds mu.
func (l *lane) well(over bool, now time.Time) {
	l.fails, l.gones, l.paused, l.since, l.disabled, l.only = 0, 0, time.Time{}, time.Time{}, "", nil
	for _, x := range l.queue {
		if over || x.Given != 0 && now.Sub(x.tried) >= wellAgain {
			x.next, x.attempts = time.Time{}, 0
		}
	}
}

// take removes r from its queue in memory. The caller holds mu.
func (l *lane) take(r *row) {
	l.queue = slices.DeleteFunc(l.queue, func(x *row) bool { return x == r })
}

// backoff doubles from retryFirst to retryMost, give or take a quarter.
func (b *Outbox) backoff(n int) time.Duration {
	d := retryMost
	if n < 20 {
		d = min(retryFirst<<(n-1), retryMost)
	}
	return time.Duration(float64(d) * (0.75 + 0.5*b.opts.Rand()))
}
