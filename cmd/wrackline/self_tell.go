package main

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/baseline/pack"
)

// condition is something about Wrackline itself that somebody should know while it lasts. The status page and the metrics show all of them.
type condition struct {
	kind    string // stable, letters and dots
	subject string // who or what of that kind; "" = there is one
	cause   string // conditions of one cause are told together; "" = kind
	blind   bool   // less is judged, or less is told: receivers hear of it
	bad     bool   // nothing works until somebody acts; else something works less well
	after   time.Duration
	stops   time.Duration // after so long the heartbeat stops; 0 = it does not
	text    string
	fix     string
	meaning string // what does not work meanwhile
}

func (c *condition) key() string { return c.kind + "\x00" + c.subject }

// When conditions are told.
const (
	tellAfter  = 2 * time.Minute  // one must have lasted so long, unless it says otherwise …
	atOnce     = -1               // … or that it need not
	tellShare  = 2                // … and been there at one look in so many
	forgiven   = time.Minute      // … and one that was gone for so long begins anew
	wellAfter  = 2 * time.Minute  // all of a cause must have been gone for so long to be over …
	wellMarked = 5 * time.Minute  // … or so long, when it was told in a life of the process before
	changedMin = 10 * time.Minute // between two messages about more of the same
)

// lasting is a condition with its past.
type lasting struct {
	condition
	since, seen time.Duration // first and newest look at which it was there
	sinceMs     int64         // wall clock of since, for people
	looks, bads int           // looks since then, and those at which it was there
}

// group is a cause that is or was told.
type group struct {
	cause  string
	open   bool
	page   bool
	marked bool // told in a life before
	notice notify.Notice
	told   map[string]bool // keys of the conditions that the newest edition speaks of
	at     time.Duration   // of the newest edition
	well   time.Duration   // since when all of it is gone
	wellMs int64
	isWell bool
	closed time.Duration // when it was over the last time
	flaps  int           // how often it came back soon
}

// stand takes what a look saw, and tells what has lasted and what is over. The caller holds mu.
func (s *self) stand(f *facts, now []condition) {
	there := map[string]bool{}
	for _, c := range now {
		key := c.key()
		there[key] = true
		x := s.lasting[key]
		if x == nil {
			x = &lasting{since: f.now, sinceMs: f.ms}
			s.lasting[key] = x
		}
		cause := x.cause // what it was put down to when it began stays its cause
		x.condition, x.seen = c, f.now
		if x.bads > 0 {
			x.cause = cause
		} else {
			x.cause = cmp.Or(c.cause, c.kind)
		}
		x.bads++
	}
	for key, x := range s.lasting {
		x.looks++
		if !there[key] && f.now-x.seen >= forgiven {
			delete(s.lasting, key)
		}
	}
	members := map[string][]*lasting{}
	for _, key := range slices.Sorted(maps.Keys(s.lasting)) {
		if x := s.lasting[key]; x.blind {
			members[x.cause] = append(members[x.cause], x)
		}
	}
	for _, cause := range slices.Sorted(maps.Keys(members)) {
		s.rise(f, cause, members[cause])
	}
	for _, cause := range slices.Sorted(maps.Keys(s.groups)) {
		s.fall(f, s.groups[cause], members[cause])
	}
}

// due reports whether a condition has lasted for long enough to be told.
func (x *lasting) due(now time.Duration) bool {
	after := cmp.Or(x.after, tellAfter)
	return x.seen == now && now-x.since >= after && x.bads*tellShare >= x.looks
}

// rise opens a cause, or says more of one that is open.
func (s *self) rise(f *facts, cause string, list []*lasting) {
	var due []*lasting
	for _, x := range list {
		if x.due(f.now) {
			due = append(due, x)
		}
	}
	if len(due) == 0 {
		return
	}
	g := s.groups[cause]
	if g == nil {
		g = &group{cause: cause, told: map[string]bool{}}
		s.groups[cause] = g
	}
	if !g.open {
		seq := uint32(0)
		if g.notice.Edition > 0 { // it was told before in this life
			seq = g.notice.Seq + 1
		}
		if g.closed > 0 && f.now-g.closed <= flapWithin {
			g.flaps++
		} else {
			g.flaps = 0
		}
		g.open, g.marked, g.at = true, false, f.now
		clear(g.told)
		// The day is part of it so that a process which crashes again and again, and cannot remember, gives the same ids.
		g.notice = notify.Notice{Key: cause, Seq: seq, Edition: 1, Incident: "self-" + alerting.NotificationID(cause, alerting.First, uint32(due[0].sinceMs/86_400_000))[4:]}
	} else if g.more(due) && f.now-g.at >= changedMin {
		g.notice.Edition++
		g.at = f.now
	}
	if g.at == f.now {
		for _, x := range due {
			g.told[x.key()] = true
		}
	}
	// What else is there of the same culprit is said with it, though it has not lasted for as long.
	for _, x := range list {
		if x.seen == f.now && !slices.ContainsFunc(due, func(d *lasting) bool { return d.kind == x.kind }) {
			due = append(due, x)
		}
	}
	g.word(due)
	if g.at == f.now && s.a.log != nil { // also where no receiver is
		s.a.log.Warn("Wrackline itself", "condition", due[0].kind, "text", g.notice.Title, "fix", due[0].fix)
	}
	g.notice.Past = false
	s.a.herald.Load().Tell(g.notice)
}

// more reports whether there is one of a kind of which others have been told: what merely follows from a cause is no news, another sender that is refused is.
func (g *group) more(due []*lasting) bool {
	kinds := map[string]bool{}
	for key := range g.told {
		kinds[kindOf(key)] = true
	}
	return slices.ContainsFunc(due, func(x *lasting) bool { return !g.told[x.key()] && kinds[x.kind] })
}

func kindOf(key string) string {
	for i := range key {
		if key[i] == 0 {
			return key[:i]
		}
	}
	return key
}

// noticeLines bounds the symptoms that a notice lists.
const noticeLines = 8

// word writes the notice of what is due.
func (g *group) word(due []*lasting) {
	slices.SortStableFunc(due, func(a, b *lasting) int {
		return cmp.Or(cmp.Compare(rank(b), rank(a)), cmp.Compare(a.since, b.since))
	})
	head := due[0]
	n := &g.notice
	g.page = head.bad
	n.Severity = pack.Warn
	if head.bad {
		n.Severity = pack.Page
	}
	if n.SinceMs == 0 {
		n.SinceMs = head.sinceMs
	}
	n.Title, n.Meaning, n.Lines = head.text, head.meaning, nil
	for _, x := range due[:min(len(due), noticeLines)] {
		n.SinceMs = min(n.SinceMs, x.sinceMs)
		n.Lines = append(n.Lines, notify.NoticeLine{Name: "wrackline." + x.kind, Subject: x.subject, Text: x.text, Fix: x.fix, SinceMs: x.sinceMs})
	}
	if more := len(due) - 1; more > 0 && head.subject != "" && due[1].kind == head.kind {
		n.Title += " And " + strconv.Itoa(more) + " more."
	}
}

// rank orders the symptoms of a cause: what stops judging first, then what is bad.
func rank(x *lasting) int {
	switch {
	case x.stops > 0 && x.stops <= tellAfter:
		return 2
	case x.bad:
		return 1
	}
	return 0
}

// fall closes a cause of which nothing has been there for a while.
func (s *self) fall(f *facts, g *group, list []*lasting) {
	if !g.open {
		if f.now-g.closed > flapWithin {
			g.flaps = 0
		}
		return
	}
	if slices.ContainsFunc(list, func(x *lasting) bool { return x.seen == f.now }) {
		g.isWell = false
		return
	}
	if !g.isWell {
		g.isWell, g.well, g.wellMs = true, f.now, f.ms
	}
	steady := wellAfter
	switch {
	case g.flaps > 0:
		steady = flapSteady
	case g.marked:
		steady = wellMarked
	}
	if f.now-g.well < steady {
		return
	}
	g.open, g.isWell, g.closed = false, false, f.now
	if s.a.log != nil {
		s.a.log.Info("Wrackline itself is well again", "condition", g.cause, "text", g.notice.Title)
	}
	s.a.herald.Load().Over(g.cause, max(g.wellMs, g.notice.SinceMs+1))
}

// recall takes up what a life before has told.
func (s *self) recall(told []toldMark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range told {
		g := &group{cause: t.Cause, open: true, page: t.Page, marked: true, told: map[string]bool{},
			notice: notify.Notice{Key: t.Cause, Incident: t.Incident, Seq: t.Seq, Edition: max(t.Edition, 1), SinceMs: t.SinceMs, Past: true, Severity: pack.Warn, Title: t.Title, Meaning: t.Title}}
		if t.Page {
			g.notice.Severity = pack.Page
		}
		for _, l := range t.Lines {
			g.notice.Lines = append(g.notice.Lines, notify.NoticeLine{Name: l.Kind, Subject: l.Subject, Text: l.Text, SinceMs: l.SinceMs})
			if len(l.Kind) > len("wrackline.") {
				g.told[l.Kind[len("wrackline."):]+"\x00"+l.Subject] = true
			}
		}
		if t.Cause == "" || t.Incident == "" || len(g.notice.Lines) == 0 {
			continue
		}
		s.groups[t.Cause] = g
		s.a.herald.Load().Tell(g.notice, t.To...)
	}
}
