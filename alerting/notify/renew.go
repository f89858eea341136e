// What is open is told again, where the far end would let go of it.

package notify

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/wrackline/wrackline/alerting"
)

// untilRenewal returns how long it takes until a lane has something to say again; an hour when it has nothing.
func (b *Outbox) untilRenewal(l *lane, now time.Time) time.Duration {
	x, ok := l.to.(renewer)
	if !ok {
		return time.Hour
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(l.held) == 0 {
		return time.Hour
	}
	return max(l.renewed.Add(x.every()).Sub(now), l.paused.Sub(now), l.pace.free.Sub(now), 0)
}

// forgotten reports whether an incident is not known any more and nothing has been said of it for very long: its closing word was lost with the state that it was of.
func (b *Outbox) forgotten(incident string, h *holding, now time.Time) bool {
	if b.opts.Current == nil || now.Sub(time.UnixMilli(max(h.Said, h.Asked))) < heldFor {
		return false
	}
	_, ok := b.opts.Current(incident)
	return !ok
}

// renew tells a lane's far end again of all that it holds, and forgets what has been over for long enough.
func (b *Outbox) renew(ctx context.Context, l *lane) {
	x := l.to.(renewer)
	now := time.Now()
	g := &ledger{}
	var list []*holding
	b.mu.Lock()
	for _, incident := range slices.Sorted(maps.Keys(l.held)) {
		h := l.held[incident]
		if h.Over != 0 && now.Sub(time.UnixMilli(h.Over)) >= overAgain || b.forgotten(incident, h, now) {
			l.hold(g, incident, nil)
			continue
		}
		closing := slices.ContainsFunc(l.queue, func(r *row) bool { return r.Message.Incident == incident && r.Message.Reason == alerting.Resolved })
		theirs := h.Theirs && b.opts.Peer != nil && !b.opts.Peer.Away() // who said it says it again
		if h.Alert != nil && !closing && !theirs {                      // before a kill its end may have been told
			list = append(list, h)
		}
	}
	l.renewed, l.pace.free = now, now.Add(l.gap)
	b.mu.Unlock()
	b.book(l, g)
	if len(list) == 0 {
		return
	}
	o := outcome{verdict: again}
	if u, err := l.to.url(); err != nil {
		o.why = redact(err, nil)
	} else {
		sendCtx, stop := b.bounded(ctx)
		o = x.renew(sendCtx, u, list, b.caller(b.secured(sendCtx, l.to), u))
		stop()
	}
	if o.verdict == delivered {
		b.mu.Lock()
		if l.fails > 0 && l.only == nil {
			l.well(true, now)
		}
		b.mu.Unlock()
		return
	}
	o.suspect = false // it is no single message's fault
	if o.verdict == refused {
		o.verdict = again
	}
	b.settle(l, &row{summary: true, Message: &Message{}}, o)
}
