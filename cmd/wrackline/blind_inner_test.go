package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/wire"
	"github.com/wrackline/wrackline/ingest"
)

// oneSample is a sample of now.
func oneSample(r *blindRig) []series.Sample {
	return []series.Sample{{T: r.a.now().UnixMilli(), V: 1}}
}

// announce puts a notification into the outbox.
func (r *blindRig) announce(id string) {
	inc := gap{sender: "x", cluster: "y", lastMs: 1}.incident(r.a.now().UnixMilli(), false)
	r.a.outbox.Load().Accept(alerting.Notification{ID: id, IncidentID: id, Reason: alerting.First, T: 1, Incident: inc})
}

// awaitOutbox waits until an integration's statistics are as they should be.
func (r *blindRig) awaitOutbox(what string, ok func(queued int, dead int64, disabled string) bool) {
	r.t.Helper()
	soon(r.t, what, func() bool {
		x := r.a.outbox.Load().Stats()[1]
		return ok(x.Queued, x.Dead, x.Disabled)
	})
}

func peopleWays() []blindCase {
	return []blindCase{
		{name: "a receiver is down for an hour", told: "wrackline.receiver.down", culprit: "b (webhook)", takes: time.Hour, words: -1,
			blind: func(r *blindRig) {
				r.fail("/b", 503)
				r.announce("msg_one")
				r.awaitOutbox("an attempt", func(queued int, _ int64, _ string) bool {
					return queued == 1 && r.a.outbox.Load().Stats()[1].LastError != ""
				})
				soon(r.t, "the word to a", func() bool { return len(r.got("/a")) == 1 })
				r.mu.Lock()
				r.words = nil // of the incident itself
				r.mu.Unlock()
			},
			well: func(r *blindRig) {
				r.fail("/b", 0)
				r.awaitOutbox("the delivery", func(queued int, _ int64, _ string) bool { return queued == 0 })
			}},
		{name: "a receiver says that nobody is there", told: "wrackline.receiver.disabled", culprit: "b (webhook)", words: -1,
			blind: func(r *blindRig) {
				r.fail("/b", 410)
				r.announce("msg_one")
				r.awaitOutbox("the end", func(_ int, _ int64, disabled string) bool { return disabled != "" })
				soon(r.t, "the word to a", func() bool { return len(r.got("/a")) == 1 })
				r.mu.Lock()
				r.words = nil
				r.mu.Unlock()
			},
			well: func(r *blindRig) {
				r.fail("/b", 0)
				if _, err := r.a.outbox.Load().SendTest(r.t.Context(), "b"); err != nil {
					r.t.Error(err)
				}
			}},
		{name: "a message is given up", told: "wrackline.receiver.lost", culprit: "b (webhook)", words: -1, closes: 40 * time.Minute,
			blind: func(r *blindRig) { // which takes an hour of clear noes
				r.a.self.amend = func(f *facts) {
					for i := range f.outbox.receivers {
						if x := &f.outbox.receivers[i]; x.Receiver == "b" {
							x.Dead, x.LastGivenUp = 1, "400 Bad Request"
						}
					}
				}
			},
			well: func(*blindRig) {}},
		{name: "a reload is refused", told: "wrackline.config.refused", culprit: "could not be reloaded", hiccup: true,
			blind: func(r *blindRig) {
				b, err := os.ReadFile(r.conf)
				if err != nil {
					r.t.Fatal(err)
				}
				replace(r.t, r.conf, string(b)+"nonsense: true\n")
				if _, err := r.a.reload(); err == nil {
					r.t.Error("reloaded")
				}
				replace(r.t, r.conf, string(b))
			},
			well: func(r *blindRig) {
				if _, err := r.a.reload(); err != nil {
					r.t.Error(err)
				}
			}},
		{name: "the heartbeat does not arrive", told: "wrackline.heartbeat.fails", culprit: "heartbeat", hiccup: true,
			blind: func(r *blindRig) {
				r.a.self.amend = func(f *facts) { f.heart.Fails, f.heart.LastErr, f.heart.Host = 3, "connection refused", "hc.example" }
			},
			well: func(r *blindRig) { r.a.self.amend = nil }},
		{name: "this machine's clock is wrong", told: "wrackline.clock.wrong", culprit: "This machine's clock is 1 d ahead of all 3 senders", hiccup: true,
			blind: func(r *blindRig) {
				r.a.self.amend = func(f *facts) { f.clock = ingest.ClockState{OffMs: 86_400_000, SinceMs: f.ms, Senders: 3, Agree: 3} }
			},
			well: func(r *blindRig) { r.a.self.amend = nil }},
	}
}

func innerWays() []blindCase {
	return []blindCase{
		{name: "the line is full", told: "wrackline.line.full", culprit: "More arrives than can be folded", hiccup: true,
			blind: func(r *blindRig) {
				if err := r.a.line.room.Acquire(r.t.Context(), lineBytes); err != nil {
					r.t.Fatal(err)
				}
				r.a.line.wait = time.Millisecond
			},
			well: func(r *blindRig) { r.a.line.room.Release(lineBytes) }},
		{name: "the fold stands still", told: "wrackline.fold.stuck", culprit: "Nothing has been folded",
			blind: func(r *blindRig) {
				r.frozen = true
				r.a.fold.Lock()
				r.write()
				r.send = nil
			},
			well: func(r *blindRig) {
				r.a.fold.Unlock()
				r.frozen = false
				r.send = (*blindRig).write
			}},
		{name: "samples are used and no window closes", told: "wrackline.windows.stuck", culprit: "No minute of cluster default", hiccup: true, warm: 5 * time.Minute,
			blind: func(r *blindRig) {
				was := r.a.engine.Stats().Clusters[0].WindowsClosed
				r.a.self.amend = func(f *facts) {
					for i := range f.stream.Clusters {
						f.stream.Clusters[i].WindowsClosed = was
					}
				}
			},
			well: func(r *blindRig) { r.a.self.amend = nil }},
		{name: "the limit of series", told: "wrackline.limit.series", culprit: "series", closes: 8 * time.Minute,
			rig: func(*testing.T) rigOptions { return rigOptions{config: "signals: {series_max: 40}\n"} },
			blind: func(r *blindRig) {
				n := 0
				r.send = func(r *blindRig) {
					r.write()
					var msg []byte
					for range 60 {
						n++
						l := wire.AppendLabel(wire.AppendLabel(nil, "__name__", "coredns_dns_requests_total"), "pod", fmt.Sprint("p", n))
						msg = wire.AppendSeries(msg, l, oneSample(r))
					}
					r.post(wire.AppendBody(nil, msg))
				}
			},
			well: func(r *blindRig) { r.send = (*blindRig).write }},
		{name: "the limit of signals", told: "wrackline.limit.signals", culprit: "signals.signals_max", warm: 15 * time.Second,
			rig:   func(*testing.T) rigOptions { return rigOptions{config: "signals: {signals_max: 1}\n"} },
			blind: func(*blindRig) {}, well: func(r *blindRig) { r.send = nil }, words: -1, closes: 8 * time.Minute},
		{name: "memory is used up", told: "wrackline.memory.full", culprit: "Memory is used up", hiccup: true,
			blind: func(r *blindRig) { r.a.self.amend = func(f *facts) { f.memory = .93 } }, well: func(r *blindRig) { r.a.self.amend = nil }},
		{name: "a start takes long", told: "wrackline.start.slow", culprit: "has been starting for", warm: time.Nanosecond,
			rig: func(*testing.T) rigOptions { return rigOptions{} },
			blind: func(r *blindRig) {
				r.a.ready.Store(false)
				r.a.self.memory.up = -1
				r.a.stage("folding the journal: 3 of 4000 requests")
				r.send = nil
			},
			well: func(r *blindRig) {
				r.a.ready.Store(true)
				r.send = (*blindRig).write
			}},
		{name: "it dies again and again", told: "wrackline.start.often", culprit: "has died 3 times", warm: time.Nanosecond, closes: 70 * time.Minute,
			blind: func(r *blindRig) {
				for range 3 {
					r.steps(time.Minute, nil)
					r.die()
					r.start(nil)
				}
			},
			well: func(*blindRig) {}},
		{name: "the store was damaged", told: "wrackline.store.damaged", culprit: "The store was damaged", warm: time.Nanosecond,
			blind: func(r *blindRig) {
				r.steps(time.Minute, nil)
				checkpointOf(r)
				checkpointOf(r)
				r.die()
				name := filepath.Join(r.dir, "wrackline.db")
				b, err := os.ReadFile(name)
				if err != nil {
					r.t.Fatal(err)
				}
				for i := 8192; i < len(b); i += 512 {
					b[i] ^= 0x55
				}
				replace(r.t, name, string(b))
				r.start(nil)
			},
			well: func(r *blindRig) { checkpointOf(r); checkpointOf(r) }},
		{name: "a start went on without what was lost", told: "wrackline.store.older", culprit: "could not be used", warm: time.Nanosecond,
			blind: func(r *blindRig) { r.a.noteLoss("the checkpoint of request 7: damaged") },
			well:  func(r *blindRig) { checkpointOf(r); checkpointOf(r) }},
		{name: "requests of the journal cannot be decoded", told: "wrackline.journal.undecodable", culprit: "could not be decoded", closes: 70 * time.Minute,
			blind: func(r *blindRig) { r.a.self.amend = func(f *facts) { f.undecoded += 3 } }, well: func(*blindRig) {}},
	}
}
