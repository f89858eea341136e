// What is said late: as of now, with how late it is; and one summary of what came and went meanwhile.

package notify

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/pack"
)

const (
	lateAfter = 5 * time.Minute // what is told this long after it was made says so
	endedMost = 10              // ended incidents that a summary names
)

// missed is what came and went while a receiver could not be told. It is stored.
type missed struct {
	From  int64   `json:"from"` // Unix ms since when it could not be told
	Down  bool    `json:"down"` // an attempt failed meanwhile; else there was none
	Count int     `json:"count"`
	Pages int     `json:"pages"` // of them, those of severity page
	Top   []ended `json:"top"`   // the most severe, then the earliest
}

type ended struct {
	Onset    int64         `json:"onset"`
	Severity pack.Severity `json:"severity"`
	Text     string        `json:"text"`
}

// miss notes an incident that ended before the receiver could be told of it. m is what is left to say about it. Who was to hear of it only if it lasted, or lets go of what is over, misses nothing;
// what a silent route held back is in the digest. The caller holds mu.
func (l *lane) miss(g *ledger, r *row, m *Message, now time.Time) {
	if _, renews := l.to.(renewer); renews || r.After != 0 {
		return
	}
	if r.Muted && l.digest != nil {
		l.memo.Kept = l.memo.Kept.with(m, 0, now)
		g.memo = true
		return
	}
	g.missed = true
	l.learn(g, l.word(m, nil, true, now))
	if l.missed == nil {
		l.missed = &missed{From: r.Since}
	}
	x := l.missed
	x.From = min(x.From, r.Since)
	if !l.since.IsZero() {
		x.From, x.Down = min(x.From, l.since.UnixMilli()), true
	}
	x.Down = x.Down || r.Given != 0
	x.Count++
	if m.Severity == pack.Page {
		x.Pages++
	}
	text := stamp(m.Onset, now.UnixMilli()) + " " + m.Title
	if m.Where != "" {
		text += " (" + m.Where + ")"
	}
	x.Top = append(slices.Clip(x.Top), ended{m.Onset, m.Severity, oneLine(text, changeMax)})
	slices.SortStableFunc(x.Top, func(a, b ended) int {
		return cmp.Or(-cmp.Compare(alerting.SeverityRank(a.Severity), alerting.SeverityRank(b.Severity)), cmp.Compare(a.Onset, b.Onset))
	})
	x.Top = x.Top[:min(len(x.Top), endedMost)]
}

// summary returns the row that stands for what was missed. It is in no queue: what it says is the record, whenever it is sent. The caller holds mu.
func (l *lane) summary() *row {
	if l.last == nil {
		l.last = &row{summary: true, Heard: true, Message: &Message{Title: "What came and went meanwhile", Reason: alerting.Summary}}
	}
	return l.last
}

// endedUnheard reports whether a message is about an incident that has ended meanwhile, as others know, and that the receiver has not heard of: then it is missed. The caller holds mu.
func (b *Outbox) endedUnheard(l *lane, g *ledger, r *row, now time.Time) bool {
	if b.opts.Current == nil || l.unsure(r) || !r.Message.Firing() || !r.Astray && (r.Heard || !late(r, now)) {
		return false
	}
	inc, ok := b.opts.Current(r.Message.Incident)
	switch {
	case !ok && r.Astray: // it was away when the end was told
		l.miss(g, r, r.Message, now)
	case ok && !inc.Open() && !r.Heard:
		l.miss(g, r, NewMessage(alerting.Notification{IncidentID: inc.ID, Reason: alerting.Resolved, T: inc.Updated, Incident: inc}, b.opts.ExternalURL), now)
	default:
		return false
	}
	return true
}

func late(r *row, now time.Time) bool { return now.Sub(r.due) > lateAfter }

// unaskedText is said by the second server of a pair that has not reached the first.
const unaskedText = "by the second server of a pair, since the first cannot be asked: it may have told this as well"

// word returns a message as it is to be said now: its incident as it stands, how late it is told, and what is new since the last word. h is what the receiver holds of it.
func (b *Outbox) word(l *lane, r *row, h *holding, now time.Time) *Message {
	if r.summary {
		b.mu.Lock()
		defer b.mu.Unlock()
		return summarise(l.key, l.missed, now, b.opts.ExternalURL)
	}
	m := *r.Message
	if late(r, now) {
		if m.Firing() && b.opts.Current != nil {
			if inc, ok := b.opts.Current(m.Incident); ok && inc.Open() {
				m = *NewMessage(alerting.Notification{ID: m.ID, IncidentID: m.Incident, Reason: m.Reason, T: max(m.T, inc.Updated), Incident: inc}, b.opts.ExternalURL)
			}
		}
		m.Told = "told " + hours(now.Sub(r.due).Milliseconds()) + " late"
		switch {
		case r.Muted:
			m.Told = "held for " + hours(now.Sub(r.due).Milliseconds()) + " by a time interval"
		case r.After != 0 && !r.Heard:
			m.Told = ""
		case m.Reason == alerting.First || !r.Heard:
			m.Told = "announced" + strings.TrimPrefix(m.Told, "told")
		}
	}
	if h != nil && h.Said != 0 {
		m.compare(h)
	}
	if m.Firing() && m.ofIncident() && b.opts.Holder != nil {
		if who, since := b.opts.Holder(m.Incident); who != "" {
			m.Holder = &Moment{since, oneLine(who, holderMax) + " has it"}
		}
	}
	if h != nil && h.As != "" && m.ofIncident() {
		m.Incident = h.As // receivers know it by this id
	}
	if r.unasked {
		m.Told = strings.TrimPrefix(m.Told+", "+unaskedText, ", ")
	}
	if m.Reason == alerting.Changed && !r.Heard {
		m.Reason = alerting.First // to this receiver it is
	}
	if r.After != 0 && !r.Heard && h != nil {
		m.Escalated = alerting.Span(now.UnixMilli() - h.Asked)
	}
	return &m
}

// summarise words what was missed. Its id is that of its content: the same when it is repeated, another when more was missed.
func summarise(lane string, x *missed, now time.Time, externalURL string) *Message {
	t := now.UnixMilli()
	id := alerting.NotificationID("missed "+lane+" "+strconv.FormatInt(x.From, 10), alerting.Summary, uint32(x.Count))
	m := &Message{ID: id, Incident: "missed-" + strings.TrimPrefix(id, "msg_"), Reason: alerting.Summary, T: t, Severity: pack.Info, Where: "all clusters", Onset: x.From, Resolved: t,
		Base: strings.TrimRight(externalURL, "/"), More: x.Count - len(x.Top)}
	what := alerting.Count(x.Count, "incident") + " opened and ended"
	if x.Pages > 0 {
		what += ", " + alerting.Commas(strconv.Itoa(x.Pages)) + " of severity page"
	}
	if m.Title = "Before this receiver could be told, " + what; x.Down {
		m.Title = "During the outage of " + hours(t-x.From) + " of this receiver " + what
	}
	for _, e := range x.Top {
		m.Ended = append(m.Ended, e.Text)
	}
	m.Value, m.First = alerting.Count(x.Count, "incident"), "nothing: what still lasts is told by itself"
	m.Meaning = "None of them was announced here, so no closing word follows."
	if m.Base != "" {
		m.Link = m.Base + "/incidents"
		m.Meaning += " The list is under " + m.Link + "."
	}
	m.Lines = []Line{{Name: "wrackline.missed", Severity: pack.Info, Where: m.Where, Sentence: m.Title, Value: m.Value, Raw: strconv.Itoa(x.Count), Unit: "count", Band: "0", State: "normal", Onset: x.From, Ended: t,
		Meaning: m.Meaning, Link: m.Link, Labels: map[string]string{}}}
	return m
}

// hours words a time that passed as people count an outage: "26 h" rather than "1 d 2 h".
func hours(ms int64) string {
	const hour = 3_600_000
	if ms >= hour && ms < 10*24*hour {
		return strconv.FormatInt((ms+hour/2)/hour, 10) + " h"
	}
	return alerting.Span(ms)
}
