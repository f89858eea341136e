// How a notification gets in: on disk before anything else, in memory while the disk refuses it.

package notify

import (
	"context"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/alerting"
)

// Accept takes a notification whatever happens: it is what alerting.Options.Emit wants. When the disk refuses it, it
// is held in memory, in order, and offered again every few seconds while Run runs. An idle outbox drops it.
func (b *Outbox) Accept(n alerting.Notification) {
	if b.opts.Idle {
		return
	}
	b.mu.Lock()
	waiting := len(b.pending) > 0
	b.mu.Unlock()
	if !waiting {
		err := b.Put(n)
		if err == nil {
			return
		}
		b.opts.Log.Error("notification not stored, held in memory", "incident", n.IncidentID, "err", err)
	}
	b.mu.Lock()
	b.pending = append(b.pending, n)
	if len(b.pending) > pendingMax {
		b.pending = slices.Delete(b.pending, 0, 1)
		b.lost++
		lostTotal.Inc()
	}
	b.mu.Unlock()
}

// lookBack is how many notifications of an incident before the present one are looked for, to see who has heard of it.
const lookBack = 20

// Put stores a notification for every integration that wants it, durably before it returns. A notification whose id
// was stored before changes nothing, so that a replay may put it again. After an error nothing has changed.
func (b *Outbox) Put(n alerting.Notification) error {
	b.putting.Lock()
	defer b.putting.Unlock()
	var have bool
	var before []byte // when the incident was spoken of last
	if err := b.opts.DB.View(func(tx *bolt.Tx) error {
		known := tx.Bucket(bucketName).Bucket(knownBucket)
		have = known.Get([]byte(n.ID)) != nil
		for k := uint32(1); k <= min(n.Seq, lookBack) && before == nil; k++ {
			reason := alerting.Changed
			if k == n.Seq {
				reason = alerting.First
			}
			before = slices.Clone(known.Get([]byte(alerting.NotificationID(n.IncidentID, reason, n.Seq-k))))
		}
		return nil
	}); err != nil {
		return fmt.Errorf("store notification %s: %w", n.ID, err)
	}
	if have {
		repeatedTotal.Inc()
		return nil
	}
	now := time.Now()
	p := &planner{b: b, n: n, m: NewMessage(n, b.opts.ExternalURL), before: before, now: now}
	b.mu.Lock()
	p.plan()
	b.mu.Unlock()

	if err := b.opts.DB.Update(func(tx *bolt.Tx) error {
		root := tx.Bucket(bucketName)
		if err := root.Bucket(knownBucket).Put([]byte(n.ID), knownValue(now, root.Bucket(queueBucket).Sequence())); err != nil {
			return err
		}
		for _, e := range p.entries {
			if err := e.write(root, n.IncidentID, now); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("store notification %s: %w", n.ID, err)
	}

	for _, e := range p.entries {
		b.share(e.said.words)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range p.entries {
		if e.refused != "" {
			e.l.stats.Dead++
			e.l.stats.LastGivenUp, e.l.stats.LastGivenUpAt = e.refused, now
			count("dead", e.l.key).Inc()
		}
		if e.memo != nil {
			e.l.memo = *e.memo
		}
		switch {
		case e.held != nil:
			e.l.held[n.IncidentID] = e.held
		case e.over:
			delete(e.l.held, n.IncidentID)
		}
		if e.r != nil {
			e.l.queue = append(e.l.queue, e.r)
		}
		signalTo(e.l.wake)
	}
	return nil
}

// write stores an entry.
func (e *entry) write(root *bolt.Bucket, incident string, now time.Time) error {
	if e.refused != "" {
		if err := bury(root, deadLetter(e.l.key, e.r, e.refused, now)); err != nil {
			return err
		}
	}
	if e.memo != nil {
		if err := putMemo(root, e.l.key, e.memo); err != nil {
			return err
		}
	}
	if e.held != nil || e.over {
		if err := putHeld(root, e.l.key, incident, e.held); err != nil {
			return err
		}
	}
	if err := putSaid(root, e.l.key, e.said.words, e.said.gone); err != nil {
		return err
	}
	if e.r != nil {
		return enqueue(root, e.l, e.r)
	}
	return nil
}

func signalTo(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // a signal is waiting already
	}
}

// tidy stores what the disk refused and forgets old ids.
func (b *Outbox) tidy(ctx context.Context) {
	again := time.NewTicker(storeAgain)
	defer again.Stop()
	old := time.NewTicker(6 * time.Hour)
	defer old.Stop()
	for {
		select {
		case <-ctx.Done():
			b.drain()
			return
		case <-again.C:
			b.drain()
		case <-old.C:
			if err := b.opts.DB.Update(func(tx *bolt.Tx) error { return forget(tx.Bucket(bucketName), time.Now()) }); err != nil {
				b.opts.Log.Warn("old notification ids not forgotten", "err", err)
			}
		}
	}
}

func (b *Outbox) drain() {
	for {
		b.mu.Lock()
		if len(b.pending) == 0 {
			b.mu.Unlock()
			return
		}
		n := b.pending[0]
		b.mu.Unlock()
		if err := b.Put(n); err != nil {
			return
		}
		b.mu.Lock()
		// Accept may have dropped it meanwhile for want of room; then the front is another.
		if len(b.pending) > 0 && b.pending[0].ID == n.ID {
			b.pending = slices.Delete(b.pending, 0, 1)
		}
		b.mu.Unlock()
	}
}

// Held returns how many notifications wait in memory for the disk, and how many were lost there for want of room.
func (b *Outbox) Held() (waiting int, lost int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.pending), b.lost
}
