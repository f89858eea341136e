package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/baseline/wire"
	"github.com/wrackline/wrackline/ingest"
)

const minuteMs = int64(60_000)

// clockOffs are how far a clock may be off.
var clockOffs = func() (list []int64) {
	for _, d := range []time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour, 365 * 24 * time.Hour} {
		list = append(list, d.Milliseconds(), -d.Milliseconds())
	}
	return list
}()

// clockWorld is a door, a fold and its messages on a machine whose clock may be wrong, in time that passes as the test says, without waiting. Two senders deliver a cluster each.
type clockWorld struct {
	t       *testing.T
	at      int64 // what time it is
	off     int64 // by how much the machine's clock is ahead
	begun   int64 // when the program started
	clock   *ingest.Clock
	door    *ingest.Handler
	engine  *baseline.Engine
	manager *alerting.Manager
	senders []*clockSender
	told    []clockTold
	packs   []*pack.Pack
	codes   map[int]int
	log     []clockRequest // the journal
}

// clockRequest is a request in the journal.
type clockRequest struct {
	sender, cluster string
	stamp           int64
	body            []byte
}

type clockSender struct {
	name, cluster string
	off           int64 // of its machine's clock
	lag           int64 // how old its samples are when they come
	odd           int64 // of the clock of one of its exporters
	faultAt       int64 // 0 = never
	endAt         int64
	ok, failed    [4]float64 // by exporter
}

type clockTold struct {
	alerting.Notification
	at int64
}

func newClockWorld(t *testing.T) *clockWorld {
	p, err := pack.Load([]byte(`
pack: {name: t, version: 1}
groups:
- name: g
  rules:
  - signal: t.error_ratio
    question: Do requests fail?
    expr: sum by (cluster, job) (rate(requests_total{code="500"}[1m])) / sum by (cluster, job) (rate(requests_total[1m]))
    baseline: {bad: up, bounds: [0, 1], season: none, unit: ratio, effect: {abs: 0.01}}
    for: 2m
`), "t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w := &clockWorld{t: t, at: 1_785_542_400_000, codes: map[int]int{}, packs: []*pack.Pack{p}}
	w.engine, w.manager = w.fold(nil)
	w.senders = []*clockSender{{name: "a", cluster: "east"}, {name: "b", cluster: "west"}}
	w.start()
	return w
}

// fold makes a fold that knows nothing.
func (w *clockWorld) fold(atExchange func()) (*baseline.Engine, *alerting.Manager) {
	m := alerting.NewManager(alerting.Options{Rule: rulesOf(w.packs), Emit: func(n alerting.Notification) { w.told = append(w.told, clockTold{n, w.at}) }})
	e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: w.packs, Salt: series.Salt{1}}, Sink: m, AtExchange: atExchange})
	if err != nil {
		w.t.Fatal(err)
	}
	return e, m
}

// start lets the program begin again, with the fold as it is.
func (w *clockWorld) start() {
	w.begun = w.at
	w.clock = ingest.NewClockOn(func() ingest.Reading {
		return ingest.Reading{WallMs: w.at + w.off, MonoMs: w.at - w.begun, Jumps: true}
	}, nil)
	w.clock.Begin(newestSample(w.engine.Stats()))
	w.door = ingest.NewHandler(ingest.Options{Appender: w, Clock: w.clock, Keyer: series.NewKeyer(series.Salt{1})})
}

// Append implements ingest.Appender.
func (w *clockWorld) Append(_ context.Context, raw *ingest.Raw, b *series.Batch, done func()) error {
	w.log = append(w.log, clockRequest{raw.Sender, raw.Cluster, raw.ReceivedMs, bytes.Clone(raw.Body)})
	own := *b
	own.Sender, own.Cluster, own.ReceivedMs = raw.Sender, raw.Cluster, raw.ReceivedMs
	w.engine.Apply(&own, uint64(len(w.log)))
	done()
	return nil
}

// request returns what a sender has to say now.
func (s *clockSender) request(at, step int64) []byte {
	var msg []byte
	for i, job := range []string{"usual", "second", "third", "odd"} {
		off := s.off - s.lag
		if job == "odd" {
			off += s.odd
		}
		bad := 0.
		if when := at - s.lag; s.faultAt != 0 && when >= s.faultAt && (s.endAt == 0 || when < s.endAt) {
			bad = .3
		}
		n := float64(step) / 1000 * 20
		s.ok[i], s.failed[i] = s.ok[i]+n*(1-bad), s.failed[i]+n*bad
		for k, v := range []float64{s.ok[i], s.failed[i]} {
			var l []byte
			for _, x := range [][2]string{{"__name__", "requests_total"}, {"code", []string{"200", "500"}[k]}, {"job", job}} {
				l = wire.AppendLabel(l, x[0], x[1])
			}
			msg = wire.AppendSeries(msg, l, []series.Sample{{T: at + off, V: v}})
		}
	}
	return wire.AppendBody(nil, msg)
}

// run lets time pass in steps; in each all senders send.
func (w *clockWorld) run(ms, step int64) {
	for end := w.at + ms; w.at < end; {
		w.at += step
		for _, s := range w.senders {
			r := httptest.NewRequest(http.MethodPost, "/api/v1/write?sender="+s.name+"&cluster="+s.cluster, bytes.NewReader(s.request(w.at, step)))
			r.Header.Set("Content-Encoding", "snappy")
			r.Header.Set("Content-Type", "application/x-protobuf")
			rec := httptest.NewRecorder()
			w.door.ServeHTTP(rec, r)
			w.codes[rec.Code]++
		}
	}
}

// learn gives the fold a past.
func (w *clockWorld) learn() {
	w.run(4*60*minuteMs, minuteMs)
	w.run(5*minuteMs, 15_000)
	if len(w.told) > 0 || w.codes[http.StatusNoContent] != 2*(240+20) {
		w.t.Fatalf("while learning: %d told, answers %v", len(w.told), w.codes)
	}
}

// first returns the first message about a cluster's usual exporter, and how long after its fault it came.
func (w *clockWorld) first(s *clockSender) (*clockTold, int64) {
	for i := range w.told {
		n := &w.told[i]
		for k := range n.Incident.Members {
			if n.Incident.Cluster == s.cluster && n.Reason == alerting.First && n.Incident.Members[k].Entity.Get("job") == "usual" {
				return n, n.at - s.faultAt
			}
		}
	}
	return nil, 0
}

// wantTold fails unless the faults of these senders were told within five minutes.
func (w *clockWorld) wantTold(what string, senders ...*clockSender) {
	w.t.Helper()
	for _, s := range senders {
		if n, after := w.first(s); n == nil || after > 5*minuteMs {
			w.t.Errorf("%s: the fault of %s was told (%v) after %s; answers %v, clock %+v", what, s.cluster, n != nil, time.Duration(after)*time.Millisecond, w.codes, w.clock.State())
		}
	}
}

// fault begins five minutes from now in all clusters, and lasts.
func (w *clockWorld) fault() {
	for _, s := range w.senders {
		s.faultAt = w.at + 5*minuteMs
	}
	w.run(10*minuteMs, 15_000)
}

// TestFaultIsToldWhateverClockIsWrong has each clock off by a second to a year either way: whoever's clock is right hears of a fault that begins five minutes later within five minutes.
func TestFaultIsToldWhateverClockIsWrong(t *testing.T) {
	for _, off := range clockOffs {
		by := (time.Duration(off) * time.Millisecond).String()
		t.Run("the machine's clock jumps by "+by, func(t *testing.T) {
			w := newClockWorld(t)
			w.learn()
			w.off = off
			w.fault()
			w.wantTold("jump", w.senders...)
			if n, _ := w.first(w.senders[0]); n != nil && n.Incident.LateMs != 0 {
				t.Errorf("said to be judged %d ms late", n.Incident.LateMs)
			}
			if large := off >= 2*minuteMs || off <= -2*minuteMs; large != strings.Contains(problemTexts(w.clock.State()), "This machine's clock is") {
				t.Errorf("problems: %s", problemTexts(w.clock.State()))
			}
		})
		t.Run("the machine's clock is off at boot by "+by, func(t *testing.T) {
			w := newClockWorld(t)
			w.learn()
			w.at += 3 * minuteMs // down for so long
			w.off = off
			w.start()
			w.fault()
			w.wantTold("boot", w.senders...)
			n := len(w.told)
			w.off = 0
			for _, s := range w.senders {
				s.endAt = w.at
			}
			w.run(20*minuteMs, 15_000)
			if p := problemTexts(w.clock.State()); p != "" {
				t.Errorf("problems when the clock is right again: %s", p)
			}
			if ends := w.told[n:]; len(ends) != n || ends[0].Reason != alerting.Resolved {
				t.Errorf("%d told, then %d when all was well: want the ends of them", n, len(ends))
			}
		})
		t.Run("one sender is off by "+by, func(t *testing.T) {
			w := newClockWorld(t)
			w.learn()
			w.senders[1].off = off
			w.fault()
			w.wantTold("one sender", w.senders[0])
			if near := off <= 10*minuteMs && off >= -minuteMs; near {
				w.wantTold("the wrong one", w.senders[1])
			}
			if named := strings.Contains(problemTexts(w.clock.State()), "The clock of sender b is"); named != (off > 10*minuteMs) {
				t.Errorf("problems: %s", problemTexts(w.clock.State()))
			}
		})
		t.Run("one exporter is off by "+by, func(t *testing.T) {
			w := newClockWorld(t)
			w.learn()
			w.senders[0].odd = off
			w.fault()
			w.wantTold("one exporter", w.senders...)
			if p := problemTexts(w.clock.State()); p != "" {
				t.Errorf("problems: %s", p)
			}
		})
	}
}

func problemTexts(st ingest.ClockState) string {
	var list []string
	for _, p := range problems(clockFaults(st)) {
		list = append(list, p.Text)
	}
	return strings.Join(list, " | ")
}

// TestLateIsNotMute has a sender that stays behind, be it by a year: its fault is told once it is learned of, and that it is judged late.
func TestLateIsNotMute(t *testing.T) {
	for _, lag := range []time.Duration{12 * time.Minute, 3 * time.Hour, 365 * 24 * time.Hour} {
		w := newClockWorld(t)
		w.learn()
		for _, s := range w.senders {
			s.lag = lag.Milliseconds()
		}
		w.at += lag.Milliseconds() // for so long nothing comes
		w.run(10*minuteMs, 15_000)
		for _, s := range w.senders {
			s.faultAt = w.at - s.lag
		}
		w.run(6*minuteMs, 15_000)
		for _, s := range w.senders {
			n, after := w.first(s)
			if n == nil || after-s.lag > 5*minuteMs {
				t.Fatalf("%s behind: told (%v) %d s after it could be known", lag, n != nil, (after-s.lag)/1000)
			}
			if d := n.Incident.LateMs - s.lag; d < 0 || d > 3*minuteMs {
				t.Errorf("%s behind: said to be judged %s late", lag, alerting.Span(n.Incident.LateMs))
			}
		}
	}
}

// TestLateBesideOneInTime has one of two senders stay behind, with a fault that lasts: it is told once however far behind, and nothing that was learned of its cluster is forgotten.
func TestLateBesideOneInTime(t *testing.T) {
	for _, lag := range []time.Duration{12 * time.Minute, 3 * time.Hour, 30 * time.Hour, 365 * 24 * time.Hour} {
		w := newClockWorld(t)
		s := w.senders[1]
		s.lag = lag.Milliseconds()
		w.run(4*60*minuteMs, minuteMs)
		signals := len(w.engine.View().Signals)
		s.faultAt = w.at - s.lag
		w.run(45*minuteMs, 15_000)
		n, after := w.first(s)
		if n == nil || after-s.lag > 5*minuteMs || len(w.told) != 1 {
			t.Fatalf("%s behind: told (%v) %d s after it could be known; %d messages", lag, n != nil, (after-s.lag)/1000, len(w.told))
		}
		st := w.engine.Stats()
		if got := len(w.engine.View().Signals); got != signals || st.Evicted != 0 || st.Retired != 0 {
			t.Errorf("%s behind: %d signals of %d, %d series evicted, %d signals retired", lag, got, signals, st.Evicted, st.Retired)
		}
	}
}

// TestBacklogTellsOnlyWhatStands drains a backlog of hours within minutes: a fault that was over within it is not told, one that stands is, once.
func TestBacklogTellsOnlyWhatStands(t *testing.T) {
	for _, stands := range []bool{false, true} {
		w := newClockWorld(t)
		w.learn()
		outage := 3 * 60 * minuteMs
		s := w.senders[0]
		w.senders = w.senders[:1]
		s.faultAt, s.endAt = w.at+60*minuteMs, w.at+100*minuteMs
		if stands {
			s.endAt = 0
		}
		w.at += outage
		for s.lag = outage; s.lag > 0; s.lag -= 30_000 { // 30 s of samples every 500 ms
			w.run(500, 500)
			s.lag += 500
		}
		s.lag = 0
		w.run(5*minuteMs, 15_000)
		if len(w.told) > 0 != stands || len(w.told) > 1 {
			t.Errorf("the fault stands at the end: %v; %d told", stands, len(w.told))
		}
	}
}

// TestStampsThatWereFarAhead has a log of an older program, with receive stamps that are far ahead for a while or to its end: what follows is judged in time, and a sender's silence can be told.
func TestStampsThatWereFarAhead(t *testing.T) {
	for _, ahead := range []int64{60 * minuteMs, 24 * 60 * minuteMs, 365 * 24 * 60 * minuteMs} {
		for _, samples := range []bool{false, true} { // of then are ahead, too
			w := newClockWorld(t)
			w.learn()
			for range 20 {
				w.at += 15_000
				for _, s := range w.senders {
					if samples {
						s.off = ahead
					}
					w.stamped(s, w.at+ahead)
					s.off = 0
				}
			}
			w.run(minuteMs, 15_000)
			w.fault()
			w.wantTold(fmt.Sprint("stamps ahead by ", ahead/minuteMs, " min, samples ", samples), w.senders...)
			for _, s := range w.engine.Stats().Senders {
				if s.LastMs > w.at || s.LastT > w.at {
					t.Errorf("sender %s was heard of last in %d ms", s.Name, s.LastMs-w.at)
				}
			}
			for _, v := range w.engine.View().Signals {
				if v.T > w.at || v.State == model.Absent {
					t.Errorf("%s: %s, of a time that has not come", v.Signal.ID, v.State)
				}
			}
		}
	}
}

// stamped folds a request of a sender with a receive stamp.
func (w *clockWorld) stamped(s *clockSender, stamp int64) {
	w.log = append(w.log, clockRequest{s.name, s.cluster, stamp, s.request(w.at, 15_000)})
	w.apply(w.engine, len(w.log)-1)
}

// apply folds a request of the journal.
func (w *clockWorld) apply(e *baseline.Engine, i int) {
	var b series.Batch
	r := &w.log[i]
	if _, err := ingest.NewKeyedDecoder(ingest.Limits{}, series.NewKeyer(series.Salt{1})).Decode(ingest.V1, ingest.Snappy, r.body, &b); err != nil {
		w.t.Fatal(err)
	}
	b.Sender, b.Cluster, b.ReceivedMs = r.sender, r.cluster, r.stamp
	e.Apply(&b, uint64(i+1))
}

// TestReplayOfWrongClocks holds that a log with clocks that were wrong and put right gives the same bits and the same messages from any checkpoint.
func TestReplayOfWrongClocks(t *testing.T) {
	w := newClockWorld(t)
	w.learn()
	from := len(w.log)
	for _, s := range w.senders {
		s.off = 24 * 60 * minuteMs
		for range 20 {
			w.at += 15_000
			w.stamped(s, w.at+s.off)
		}
		s.off = 0
	}
	w.fault()
	for _, s := range w.senders {
		s.lag = 20 * minuteMs
	}
	w.at += 20 * minuteMs
	w.run(10*minuteMs, 15_000)
	if len(w.told) == 0 {
		t.Fatal("nothing was told")
	}
	state := func(e *baseline.Engine, m *alerting.Manager) string {
		var out bytes.Buffer
		for name, write := range e.Sections {
			fmt.Fprintf(&out, "%s %x\n", name, write(nil))
		}
		for id, data := range e.Models {
			fmt.Fprintf(&out, "%s %x\n", id, data)
		}
		fmt.Fprintf(&out, "%x", m.AppendState(nil))
		return out.String()
	}
	want, first := state(w.engine, w.manager), w.told
	var e *baseline.Engine
	var m *alerting.Manager
	due := false
	freeze := func() {}
	e, m = w.fold(func() { freeze() })
	w.told = nil
	restarts := 0
	for i := 0; i < len(w.log); i++ {
		if due = i >= from && i%7 == 0; due {
			freeze = func() { // right behind an exchange, before the request that called for it is folded: it is folded again by who restores
				freeze = func() {}
				sections := map[string][]byte{}
				for name, write := range e.Sections {
					sections[name] = write(nil)
				}
				models := map[string][]byte{}
				for id, data := range e.Models {
					models[id] = bytes.Clone(data)
				}
				alerts := m.AppendState(nil)
				next, manager := w.fold(func() { freeze() })
				if err := next.Restore(uint64(i), sections, func(yield func(string, []byte) bool) {
					for id, data := range models {
						if !yield(id, data) {
							return
						}
					}
				}); err != nil {
					t.Fatal(err)
				}
				if err := manager.RestoreState(alerts); err != nil {
					t.Fatal(err)
				}
				restarts++
				e, m = next, manager
			}
		}
		before, n := e, len(w.told)
		w.apply(e, i)
		if e != before { // what the old one did with this request is not so
			w.told = w.told[:n]
			w.apply(e, i)
		}
	}
	if got := state(e, m); got != want {
		t.Errorf("the state differs after %d restarts", restarts)
	}
	var ids [2][]string
	for i, list := range [][]clockTold{first, w.told} {
		for _, n := range list {
			ids[i] = append(ids[i], n.ID)
		}
	}
	if fmt.Sprint(ids[0]) != fmt.Sprint(ids[1]) || restarts < 10 {
		t.Errorf("%d restarts; told %v, without them %v", restarts, ids[1], ids[0])
	}
}
