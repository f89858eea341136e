// The lane beside the outbox: what Wrackline says of itself when it goes blind, from memory alone.

package notify

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/pack"
)

// Notice is one thing about Wrackline itself that people are told: a culprit, and what follows from it. Texts are plain and hold no secret.
type Notice struct {
	Key      string // what it is about; there is at most one notice of a key at a time
	Incident string // of this occurrence: what receivers group and fold repetitions by
	Seq      uint32 // numbers the messages of an incident that comes again, so that each has an id of its own
	Edition  uint32 // raised when there is more to say to somebody who has been told; from 1
	Severity pack.Severity
	SinceMs  int64 // when it began, Unix milliseconds
	OverMs   int64 // when it was well again; 0 while it lasts
	Past     bool  // a life of the process before told it, and this one has not seen it: nobody else is told, who was told hears its end
	Title    string
	Meaning  string // what does not work meanwhile
	Lines    []NoticeLine
}

// NoticeLine is one symptom of a notice.
type NoticeLine struct {
	Name    string // a short word of letters and dots, stable: the alertname
	Subject string // who or what of that kind; "" = there is one
	Text    string
	Fix     string
	SinceMs int64
}

// noticesMax bounds the notices that a herald holds, those that are over and not told to everybody yet among them.
const noticesMax = 64

// Herald tells notices to every integration: once that each lasts, and once that it is over. It needs neither database nor disk: what is to be told and to whom it was said is in memory, and is
// tried until a receiver takes it or it is of no interest any more. What was over before a receiver could be told is not told. Methods may be called from any goroutine; Run only once.
type Herald struct {
	// OnTold is called after each message that a receiver has taken or refused. Set before Run; nil = nobody is.
	OnTold func()

	box *Outbox // without a database: how each integration is reached

	mu   sync.Mutex
	list []*notice // in the order in which they came
	lost int64
	said map[string]Said // by integration
	wake []chan struct{}
}

// Said is what became of a herald's messages to one integration since it was made, or since the first of those that it inherits from. The zero value is nothing yet.
type Said struct {
	Sent, Failed int64     // messages taken; attempts that failed and will be repeated
	Waiting      int       // messages that are still to be said
	LastSuccess  time.Time // zero when never
	LastError    string
	LastErrorAt  time.Time
	NextAttempt  time.Time // after one that failed; zero when the last one did not
}

// Said returns what became of the messages, by integration (Stats.Integration).
func (h *Herald) Said() map[string]Said {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]Said{}
	for _, l := range h.box.lanes {
		s := h.said[l.key]
		for _, x := range h.list {
			if x.owes(l) != "" {
				s.Waiting++
			}
		}
		out[l.key] = s
	}
	return out
}

// note changes what became of the messages to an integration.
func (h *Herald) note(l *lane, change func(*Said)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.said[l.key]
	change(&s)
	h.said[l.key] = s
}

type notice struct {
	Notice
	told map[string]uint32    // edition by integration; 0 = nothing yet
	done map[string]bool      // integrations that need to hear no more
	last map[string]time.Time // when an integration heard of it last
	held map[string]*holding  // what is known of it there
}

// NewHerald returns a herald for the receivers of o, of which DB, MaxAge and QueueMax are not used.
func NewHerald(o Options) (*Herald, error) {
	o.DB = nil
	box, err := newOutbox(o)
	if err != nil {
		return nil, err
	}
	h := &Herald{box: box, said: map[string]Said{}}
	for range box.lanes {
		h.wake = append(h.wake, make(chan struct{}, 1))
	}
	return h, nil
}

// Inherit takes over what another herald, which does not run any more, had to tell. Integrations of the same names have been told what they have been told.
func (h *Herald) Inherit(old *Herald) {
	old.mu.Lock()
	list, lost, said := old.list, old.lost, maps.Clone(old.said)
	old.list = nil
	old.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list, h.lost = append(list, h.list...), h.lost+lost
	maps.Copy(h.said, said)
}

// Tell says that n lasts, or what is known of it now. toldTo are integrations that know of it from a life of the process before.
func (h *Herald) Tell(n Notice, toldTo ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.list {
		if x.Key == n.Key && x.Incident == n.Incident && x.Seq == n.Seq {
			x.Notice = n
			h.stir()
			return
		}
	}
	if len(h.list) >= noticesMax {
		h.lost++
		noticesLost.Inc()
		return
	}
	x := &notice{Notice: n, told: map[string]uint32{}, done: map[string]bool{}, last: map[string]time.Time{}, held: map[string]*holding{}}
	for _, key := range toldTo {
		x.told[key] = n.Edition
	}
	h.list = append(h.list, x)
	h.stir()
}

// Over says that what Tell said of a key is over since a time, Unix milliseconds.
func (h *Herald) Over(key string, ms int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.list {
		if x.Key == key && x.OverMs == 0 {
			x.OverMs = ms
		}
	}
	h.stir()
}

// Told returns which integrations have been told of the notice of a key that lasts, sorted.
func (h *Herald) Told(key string) (integrations []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.list {
		if x.Key == key && x.OverMs == 0 {
			integrations = slices.Sorted(maps.Keys(x.told))
		}
	}
	return integrations
}

// Integrations returns how many there are, and how many notices found no room.
func (h *Herald) Integrations() (n int, lost int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.box.lanes), h.lost
}

// stir drops what is over for everybody and wakes those who tell. The caller holds mu.
func (h *Herald) stir() {
	h.list = slices.DeleteFunc(h.list, func(x *notice) bool {
		if x.OverMs == 0 {
			return false
		}
		return !slices.ContainsFunc(h.box.lanes, func(l *lane) bool { return x.owes(l) != "" })
	})
	for _, c := range h.wake {
		signalTo(c)
	}
}

// owes returns what an integration is still to be told of x; "" = nothing.
func (x *notice) owes(l *lane) alerting.Reason {
	told := x.told[l.key]
	switch {
	case x.done[l.key]:
	case x.OverMs != 0 && told > 0 && l.to.sendResolved():
		return alerting.Resolved
	case x.OverMs != 0:
	case x.Past:
	case told == 0 && !l.routed(x.labels()):
	case told == 0:
		return alerting.First
	case told < x.Edition:
		return alerting.Changed
	}
	return ""
}

// labels are what routes ask for.
func (n *Notice) labels() map[string]string {
	labels := map[string]string{"severity": string(n.Severity), "pack": "wrackline"}
	if len(n.Lines) > 0 {
		labels["alertname"] = n.Lines[0].Name
	}
	return labels
}

// renews returns when a far end that lets go of what it is not told again must hear of x; ok is false for others, and when there is nothing to say.
func (x *notice) renews(l *lane) (at time.Time, ok bool) {
	r, ok := l.to.(renewer)
	if !ok || x.OverMs != 0 || x.told[l.key] == 0 || x.done[l.key] {
		return time.Time{}, false
	}
	return x.last[l.key].Add(r.every()), true
}

// Run tells until ctx ends, with one goroutine for each integration, and returns when all have ended.
func (h *Herald) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for i, l := range h.box.lanes {
		wg.Go(func() { h.work(ctx, l, h.wake[i]) })
	}
	wg.Wait()
}

func (h *Herald) work(ctx context.Context, l *lane, wake chan struct{}) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var next time.Time // not earlier, whatever there is to say
	fails := 0
	for ctx.Err() == nil {
		x, m, held, wait := h.pick(l)
		if x != nil {
			wait = time.Until(next)
		}
		if wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return
			case <-wake:
			case <-timer.C:
			}
			continue
		}
		edition := m.edition
		o := h.send(ctx, l, m, held)
		if o.verdict == again {
			fails++
			pause := h.box.backoff(fails)
			if o.after > 0 {
				pause = o.after
			}
			next = time.Now().Add(pause)
			count("self_failed_attempts", l.key).Inc()
			h.note(l, func(s *Said) {
				s.Failed, s.LastError, s.LastErrorAt, s.NextAttempt = s.Failed+1, o.why, time.Now(), next
			})
			if fails == 1 {
				h.box.opts.Log.Warn("word about Wrackline itself not delivered, will be tried again", "receiver", l.key, "about", m.First, "err", o.why)
			}
			continue
		}
		if o.verdict != delivered { // this receiver will not have it, now or later
			h.box.opts.Log.Error("word about Wrackline itself refused", "receiver", l.key, "about", m.First, "err", o.why)
			count("self_refused", l.key).Inc()
		} else {
			count("self_sent", l.key).Inc()
			h.note(l, func(s *Said) { s.Sent, s.LastSuccess, s.NextAttempt = s.Sent+1, time.Now(), time.Time{} })
		}
		fails, next = 0, time.Now().Add(l.gap)
		h.settle(l, x, m.Reason, edition, held)
	}
}

// send tries once. What is under way when ctx ends has a moment to finish.
func (h *Herald) send(ctx context.Context, l *lane, m *Message, held *holding) outcome {
	sendCtx, stop := h.box.bounded(ctx)
	defer stop()
	return h.box.attempt(sendCtx, l.to, m, held)
}

// pick returns the oldest notice of which an integration is to hear, or else to hear again, worded, with a copy of what is known of it there; or how long there is nothing to say.
func (h *Herald) pick(l *lane) (x *notice, m *Message, held *holding, wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	wait = time.Hour
	var reason alerting.Reason
	for _, n := range h.list {
		if r := n.owes(l); r != "" {
			x, reason = n, r
			break
		}
		if at, ok := n.renews(l); ok && at.After(now) {
			wait = min(wait, at.Sub(now))
		} else if ok && x == nil {
			x, reason = n, alerting.Repeated
		}
	}
	if x == nil {
		return nil, nil, nil, wait
	}
	m = newSelfMessage(&x.Notice, reason, now.UnixMilli(), h.box.opts.ExternalURL)
	m.edition = x.Edition
	held = &holding{}
	if before := x.held[l.key]; before != nil {
		*held = *before
		if held.Said != 0 {
			m.compare(held)
		}
	}
	return x, m, held, 0
}

// settle notes that an integration has been told, and what is known of it there.
func (h *Herald) settle(l *lane, x *notice, reason alerting.Reason, edition uint32, held *holding) {
	h.mu.Lock()
	now := time.Now()
	held.Said, held.T, held.Severity = now.UnixMilli(), now.UnixMilli(), x.Severity
	x.last[l.key], x.held[l.key] = now, held
	if reason == alerting.Resolved {
		x.done[l.key] = true
	} else {
		x.told[l.key] = edition
	}
	h.stir()
	h.mu.Unlock()
	if h.OnTold != nil {
		h.OnTold()
	}
}

// newSelfMessage words a notice.
func newSelfMessage(n *Notice, reason alerting.Reason, now int64, externalURL string) *Message {
	seq := n.Seq << 8
	if reason == alerting.Changed {
		seq += n.Edition
	}
	m := &Message{ID: alerting.NotificationID(n.Incident, reason, seq), Incident: n.Incident, Reason: reason, T: max(now, n.OverMs), Severity: n.Severity, Title: oneLine(n.Title, wordsMax),
		Headline: n.Title, Labels: n.labels(), Where: "Wrackline itself", Onset: n.SinceMs, Resolved: n.OverMs, Value: oneLine(n.Meaning, wordsMax), First: oneLine(n.Lines[0].Text, 300)}
	m.Base = trimSlash(externalURL)
	if m.Base != "" {
		m.Link = m.Base + "/status"
	}
	if !m.Firing() {
		m.How = "recovered"
		m.Title = oneLine("Over after "+alerting.Span(n.OverMs-n.SinceMs)+": "+n.Title, wordsMax)
		m.Value = "well again"
	}
	state := "high"
	if !m.Firing() {
		state = "normal"
	}
	for _, x := range n.Lines {
		l := Line{Name: x.Name, Severity: n.Severity, Where: oneLine(x.Subject, 200), Sentence: oneLine(x.Text, wordsMax), Value: m.Value, Raw: "0", Unit: "s", Band: "0 s", State: state,
			Onset: x.SinceMs, Ended: n.OverMs, Meaning: oneLine(n.Meaning, wordsMax), Link: m.Link, Labels: map[string]string{"component": "wrackline"}}
		if m.Firing() { // for how long it has been so
			l.Value, l.Raw = alerting.Span(m.T-x.SinceMs), strconv.FormatInt(max(0, m.T-x.SinceMs)/1000, 10)
		}
		if x.Subject != "" {
			l.Labels["subject"] = oneLine(x.Subject, 200)
		}
		if fix := oneLine(x.Fix, stepMax); fix != "" && len(m.Next) < stepsMax && !slices.Contains(m.Next, fix) {
			m.Next = append(m.Next, fix)
		}
		m.Lines = append(m.Lines, l)
	}
	return m
}

// Owes returns how many messages are still to be said, without those to some receivers.
func (h *Herald) Owes(but ...string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.list {
		for _, l := range h.box.lanes {
			if !slices.Contains(but, l.receiver) && x.owes(l) != "" {
				n++
			}
		}
	}
	return n
}
