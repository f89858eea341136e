// What a lane says because of the hour: the daily digest, and that an incident is still open.

package notify

import (
	"fmt"
	"maps"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/alerting"
)

// turn queues what the hour asks for and returns how long nothing else will be due. The caller holds putting.
func (b *Outbox) turn(l *lane, now time.Time) (wait time.Duration) {
	b.mu.Lock()
	rows, wait := b.stillOpen(l, now, time.Hour)
	k, week := l.memo.Kept, l.memo.Week
	b.mu.Unlock()
	if k != nil && l.digest != nil {
		if at := l.digest.after(time.UnixMilli(k.From)); at.After(now) {
			wait = min(wait, at.Sub(now))
			k = nil
		} else {
			open := func(string) bool { return true }
			if b.opts.Current != nil {
				open = func(incident string) bool { inc, ok := b.opts.Current(incident); return ok && inc.Open() }
			}
			weekly := ""
			if w := l.digest.week(at); w != week && b.opts.Weekly != nil {
				weekly, week = b.opts.Weekly(), w
			}
			rows = append(rows, &row{Created: now.UnixMilli(), Since: now.UnixMilli(), made: now, due: now, Heard: true, Message: newDigest(l.key, k, at, l.digest.zone, b.opts.ExternalURL, weekly, open)})
		}
	} else {
		k = nil
	}
	if len(rows) == 0 {
		return wait
	}
	next := l.memo
	if k != nil {
		next.Kept, next.Week = nil, week
	}
	err := b.opts.DB.Update(func(tx *bolt.Tx) error {
		root := tx.Bucket(bucketName)
		for _, r := range rows {
			if err := enqueue(root, l, r); err != nil {
				return err
			}
		}
		return putMemo(root, l.key, &next)
	})
	if err != nil {
		b.opts.Log.Error("digest not stored, will be tried again", "receiver", l.key, "err", err)
		return storeAgain
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	l.memo = next
	l.queue = append(l.queue, rows...)
	return wait
}

// stillOpen makes rows for incidents that are open still, so long after the last word about them as their route wants, unless they rest. The caller holds mu.
func (b *Outbox) stillOpen(l *lane, now time.Time, most time.Duration) (rows []*row, wait time.Duration) {
	wait = most
	if _, renews := l.to.(renewer); renews || b.tree == nil || b.opts.Current == nil {
		return nil, wait
	}
	for _, incident := range slices.Sorted(maps.Keys(l.held)) {
		h := l.held[incident]
		var every time.Duration
		ways, _ := b.ways(h.Labels, h.T)
		for _, leg := range legsOf(ways, l.receiver) {
			if leg.Repeat > 0 && (every == 0 || leg.Repeat < every) {
				every = leg.Repeat
			}
		}
		if every == 0 || h.Said == 0 || l.queued(incident) {
			continue
		}
		if left := time.UnixMilli(h.Said).Add(every).Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		inc, ok := b.opts.Current(incident)
		if !ok || !inc.Open() {
			continue
		}
		if b.rests(incident) { // when it does no more, who waited for so long is told at once
			wait = min(wait, restsLook)
			continue
		}
		id := alerting.NotificationID(fmt.Sprintf("%s %s %d", incident, l.key, h.Asked), alerting.Repeated, h.Repeats)
		m := NewMessage(alerting.Notification{ID: id, IncidentID: incident, Reason: alerting.Repeated, T: inc.Updated, Incident: inc}, b.opts.ExternalURL)
		rows = append(rows, &row{Created: now.UnixMilli(), Since: now.UnixMilli(), made: now, due: now, Heard: true, Message: m})
	}
	return rows, wait
}

// queued reports whether a message about an incident waits. The caller holds mu.
func (l *lane) queued(incident string) bool {
	return slices.ContainsFunc(l.queue, func(r *row) bool { return r.Message.Incident == incident })
}
