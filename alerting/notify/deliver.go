// How a message gets out: one lane for each integration, one message at a time.

package notify

import (
	"context"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/alerting"
)

// integration is one way to one receiver.
type integration interface {
	sender
	sendResolved() bool
}

func (s *slack) sendResolved() bool { return s.SendResolved == nil || *s.SendResolved }

func (w *webhook) sendResolved() bool { return w.SendResolved == nil || *w.SendResolved }

// lane is the queue of one integration.
type lane struct {
	key      string // receiver/kind/number
	receiver string
	kind     string
	to       integration
	gap      time.Duration // least time between two messages
	wake     chan struct{}

	// Guarded by Outbox.mu.
	queue    []*row // by sequence
	paused   time.Time
	fails    int    // in a row
	disabled string // why nothing is sent any more; "" when it is
	stats    Stats
}

// work sends one lane's messages, one at a time.
func (b *Outbox) work(ctx context.Context, l *lane) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		r, out, wait := b.pick(l, time.Now())
		b.leave(l, out)
		if r == nil {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return
			case <-l.wake:
			case <-timer.C:
			}
			continue
		}
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
		o := b.attempt(sendCtx, l.to, r.Message)
		stop()
		cancel()
		b.settle(l, r, o)
	}
}

// leaving is a message that leaves its queue without having been delivered.
type leaving struct {
	r   *row
	why string // "" = a newer message about the same incident says all that is left to say
}

// pick returns the message to send now, or how long to wait, and takes out what must not be sent any more. Messages that
// failed less often go first, so that one that a receiver cannot digest does not hold up the others.
func (b *Outbox) pick(l *lane, now time.Time) (best *row, out []leaving, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wait = time.Hour
	newest := make(map[string]*row, len(l.queue))
	for _, r := range l.queue {
		r.unheard = (r.unheard || r.Message.Reason == alerting.First) && !r.maybe
		if before := newest[r.Message.Incident]; before != nil {
			r.unheard = r.unheard || before.unheard
		}
		newest[r.Message.Incident] = r
	}
	limit := now.Add(-b.opts.MaxAge).UnixMilli()
	over := len(l.queue)
	keep := l.queue[:0]
	for _, r := range l.queue {
		switch {
		case newest[r.Message.Incident] != r,
			r.Message.Reason == alerting.Resolved && r.unheard: // what was never announced needs no closing word
			out = append(out, leaving{r: r})
		case r.Created <= limit:
			out = append(out, leaving{r, "not delivered within " + b.opts.MaxAge.String() + ": " + l.stats.LastError})
		default:
			keep = append(keep, r)
		}
	}
	clear(l.queue[len(keep):over])
	l.queue = keep
	for len(l.queue) > b.opts.QueueMax {
		out = append(out, leaving{l.queue[0], "the queue is full: " + l.stats.LastError})
		l.queue = slices.Delete(l.queue, 0, 1)
	}
	for _, r := range l.queue {
		due := r.next
		if l.paused.After(due) {
			due = l.paused
		}
		if !due.After(now) {
			if best == nil || r.attempts < best.attempts {
				best = r
			}
			continue
		}
		if end := time.UnixMilli(r.Created).Add(b.opts.MaxAge); end.Before(due) {
			due = end // to be given up on time
		}
		wait = min(wait, due.Sub(now))
	}
	l.stats.NextAttempt = time.Time{}
	if best == nil && len(l.queue) > 0 {
		l.stats.NextAttempt = now.Add(wait)
	}
	return best, out, wait
}

// leave books messages that have left the queue in memory, and removes them on disk.
func (b *Outbox) leave(l *lane, out []leaving) {
	for _, x := range out {
		if x.why != "" {
			b.giveUp(l, x.r, x.why)
			continue
		}
		b.mu.Lock()
		l.stats.Coalesced++
		b.mu.Unlock()
		count("coalesced", l.key).Inc()
		b.remove(x.r)
	}
}

// settle books the outcome of an attempt.
func (b *Outbox) settle(l *lane, r *row, o outcome) {
	now := time.Now()
	if o.verdict == delivered {
		b.remove(r) // before it is counted, so that what is counted as sent is not sent again after a kill
	}
	b.mu.Lock()
	if o.verdict == delivered {
		l.fails = 0
		l.paused = now.Add(l.gap)
		l.stats.Sent++
		l.stats.LastSuccess = now
		b.take(l, r)
		b.mu.Unlock()
		count("sent", l.key).Inc()
		return
	}
	l.stats.LastError, l.stats.LastErrorAt = o.why, now
	switch o.verdict {
	case again:
		r.attempts++
		r.maybe = r.maybe || o.maybe
		l.fails++
		l.stats.Failed++
		count("failed_attempts", l.key).Inc()
		pause := b.backoff(l.fails)
		r.next = now.Add(b.backoff(r.attempts))
		if o.after > 0 { // the receiver knows better: not earlier, and not later either
			pause, r.next = o.after, time.Time{}
		}
		l.paused = now.Add(pause)
		first := l.fails == 1
		b.mu.Unlock()
		if first {
			b.opts.Log.Warn("message not delivered, will be tried again", "receiver", l.key, "incident", r.Message.Incident, "err", o.why)
		}
	case refused:
		b.take(l, r)
		l.paused = now.Add(l.gap)
		b.mu.Unlock()
		b.giveUp(l, r, o.why)
	case gone:
		l.disabled = o.why
		rest := l.queue
		l.queue = nil
		b.mu.Unlock()
		b.opts.Log.Error("receiver is disabled until a test message arrives or the process starts anew", "receiver", l.key, "err", o.why)
		for _, x := range rest {
			b.giveUp(l, x, "receiver is disabled: "+o.why)
		}
	}
}

// take removes r from its queue in memory. The caller holds mu.
func (b *Outbox) take(l *lane, r *row) {
	l.queue = slices.DeleteFunc(l.queue, func(x *row) bool { return x == r })
}

// giveUp moves a message that has left the queue in memory to the dead letters.
func (b *Outbox) giveUp(l *lane, r *row, why string) {
	err := b.opts.DB.Update(func(tx *bolt.Tx) error {
		root := tx.Bucket(bucketName)
		if err := root.Bucket(queueBucket).Delete(r.key); err != nil {
			return err
		}
		return bury(root, deadLetter(l.key, r, why, time.Now()))
	})
	b.mu.Lock()
	l.stats.Dead++
	b.mu.Unlock()
	count("dead", l.key).Inc()
	b.opts.Log.Error("message given up", "receiver", l.key, "incident", r.Message.Incident, "why", why, "err", err)
}

// backoff doubles from retryFirst to retryMost, give or take a quarter.
func (b *Outbox) backoff(n int) time.Duration {
	d := retryMost
	if n < 20 {
		d = min(retryFirst<<(n-1), retryMost)
	}
	return time.Duration(float64(d) * (0.75 + 0.5*b.opts.Rand()))
}
