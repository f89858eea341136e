package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/baseline/wire"
)

// tellWithin is how soon each way of going blind must be told.
const tellWithin = 5 * time.Minute

// blindCase is a way of going blind, and back.
type blindCase struct {
	name    string
	told    string // alertname
	culprit string // part of the message
	rig     func(t *testing.T) rigOptions
	warm    time.Duration // before it; 0 = three minutes
	blind   func(r *blindRig)
	well    func(r *blindRig)
	takes   time.Duration // until it counts as blind: a receiver that is down for an hour
	closes  time.Duration // within which it is over, once it is well; 0 = five minutes
	hiccup  bool          // half a minute of it is no news
	words   int           // messages in all, where others follow by right; 0 = the word and the closing word
}

func (c *blindCase) run(t *testing.T) {
	t.Parallel()
	var o rigOptions
	if c.rig != nil {
		o = c.rig(t)
	}
	r := newBlindRig(t, o)
	warm := c.warm
	if warm == 0 {
		warm = 3 * time.Minute
	}
	r.steps(warm, nil)
	if got := r.got("/a"); len(got) != 0 {
		t.Fatalf("told while all is well: %+v", got)
	}
	if c.hiccup {
		c.blind(r)
		r.steps(30*time.Second, nil)
		c.well(r)
		r.steps(8*time.Minute, nil)
		if got := r.got("/a"); len(got) != 0 {
			t.Fatalf("a hiccup of half a minute is told: %+v", got)
		}
	}
	c.blind(r)
	said := func(status string) func() bool {
		return func() bool {
			for _, w := range r.got("/a") {
				if w.kind == c.told && w.status == status {
					return true
				}
			}
			return false
		}
	}
	took, ok := r.steps(c.takes+tellWithin, said("firing"))
	if !ok {
		t.Fatalf("not told within %s: conditions %+v, words %+v", c.takes+tellWithin, conditionsOf(r), r.got("/a"))
	}
	first := r.got("/a")[0]
	if !strings.Contains(first.title, c.culprit) {
		t.Errorf("%q does not name the culprit, %q", first.title, c.culprit)
	}
	r.steps(6*time.Minute, nil)
	if n := len(r.got("/a")); n != 1 && c.words == 0 {
		t.Errorf("told %d times: %+v", n, r.got("/a"))
	}
	if c.well == nil {
		return
	}
	c.well(r)
	closes := c.closes
	if closes == 0 {
		closes = tellWithin
	}
	over, ok := r.steps(closes, said("resolved"))
	if !ok {
		t.Fatalf("no closing word within %s: conditions %+v, words %+v", closes, conditionsOf(r), r.got("/a"))
	}
	r.steps(3*time.Minute, nil)
	want := c.words
	if want == 0 {
		want = 2
	}
	if got := r.got("/a"); len(got) != want && want > 0 {
		t.Errorf("%d messages, want %d: %+v", len(got), want, got)
	}
	t.Logf("told after %s, closed after %s: %s", took, over, first.title)
}

// TestGoingBlindIsTold: each way in which nothing, or less, is judged or told is said once, by a path that does not need what is broken, and closed.
func TestGoingBlindIsTold(t *testing.T) {
	cases := ways()
	if len(cases) < 25 {
		t.Fatalf("%d ways", len(cases))
	}
	for i := range cases {
		t.Run(cases[i].name, cases[i].run)
	}
}

// ways are all of them.
func ways() []blindCase {
	return slices.Concat(diskWays(), startWays(), storeWays(), doorWays(), peopleWays(), innerWays(), haWays())
}

// faultDisk is a disk for a rig, kept where blind and well find it.
func faultDisk(d *failing) func(*testing.T) rigOptions {
	return func(*testing.T) rigOptions { return rigOptions{setup: func(c *config) { c.disk = d.disk() }} }
}

func diskWays() []blindCase {
	var fsync, worn, rofs, eio, hang failing
	var fill, free func()
	var hung chan struct{}
	return []blindCase{
		{name: "the journal's disk is full", told: "wrackline.journal.refuses", culprit: "the disk is full", hiccup: true,
			rig: func(t *testing.T) rigOptions {
				o := rigOptions{setup: func(c *config) { c.Ingest.JournalMax = 1 << 30 }}
				o.dir, fill, free = smallDisk(t)
				return o
			},
			blind: func(*blindRig) { fill() }, well: func(*blindRig) { free() }},
		{name: "the disk is read-only", told: "wrackline.journal.refuses", culprit: "the disk is read-only", hiccup: true, rig: faultDisk(&rofs),
			blind: func(*blindRig) { rofs.set(&rofs.write, syscall.EROFS) }, well: func(*blindRig) { rofs.set(&rofs.write, nil) }},
		{name: "the disk fails", told: "wrackline.journal.refuses", culprit: "the disk fails", hiccup: true, rig: faultDisk(&eio),
			blind: func(*blindRig) { eio.set(&eio.write, syscall.EIO) }, well: func(*blindRig) { eio.set(&eio.write, nil) }},
		{name: "fsync fails", told: "wrackline.journal.unsynced", culprit: "cannot be synced", hiccup: true, rig: faultDisk(&fsync),
			blind: func(r *blindRig) {
				fsync.set(&fsync.sync, syscall.EIO)
				await(r.t, "a sync that fails", func() bool { r.post(r.body()); return r.a.journal.Stats().SyncErr != nil })
			},
			well: func(r *blindRig) {
				fsync.set(&fsync.sync, nil)
				await(r.t, "a sync that heals", func() bool { return r.a.journal.Stats().SyncErr == nil })
			}},
		{name: "fsync fails, and works for new files", told: "wrackline.journal.unsynced", culprit: "cannot be synced", hiccup: true, rig: faultDisk(&worn),
			blind: func(r *blindRig) {
				worn.set(&worn.again, syscall.EIO)
				r.send = func(r *blindRig) { // a sync takes place each second of the real clock, a step hardly any
					n := r.a.journal.Stats().SyncFails
					r.write()
					if time.Duration(r.clock.Load())%time.Minute < 15*time.Second {
						await(r.t, "a sync that fails", func() bool { return r.a.journal.Stats().SyncFails > n })
					}
				}
			},
			well: func(r *blindRig) {
				worn.set(&worn.again, nil)
				r.send = (*blindRig).write
				n := r.a.journal.Stats().Syncs
				await(r.t, "a sync that holds", func() bool { r.post(r.body()); return r.a.journal.Stats().Syncs > n })
			}},
		{name: "the disk hangs", told: "wrackline.hangs", culprit: "has not answered",
			rig: func(*testing.T) rigOptions {
				return rigOptions{hangs: true, setup: func(c *config) { c.disk = hang.disk() }}
			},
			blind: func(r *blindRig) {
				hung = make(chan struct{})
				hang.hang.Store(&hung)
				go r.post(r.body())
				await(r.t, "a write that hangs", func() bool { return hang.hanging.Load() > 0 })
				r.send = nil
			},
			well: func(r *blindRig) {
				hang.hang.Store(nil)
				close(hung)
				r.send = (*blindRig).write
			}},
		{name: "the journal is at its maximum", told: "wrackline.journal.full", culprit: "ingest.journal_max", warm: 15 * time.Second,
			rig: func(*testing.T) rigOptions {
				return rigOptions{setup: func(c *config) { c.Ingest.JournalMax = 2 << 10 }}
			},
			blind: func(*blindRig) {},
			well: func(r *blindRig) { // as runCheckpoints does while the journal is full
				r.send = func(r *blindRig) {
					r.write()
					if err := errors.Join(r.a.checkpoint(), r.a.checkpoint()); err != nil {
						r.t.Error(err)
					}
				}
			}},
	}
}

func storeWays() []blindCase {
	var fill, free func()
	var tx interface{ Rollback() error }
	return []blindCase{
		{name: "checkpoints fail", told: "wrackline.checkpoint.fails", culprit: "the disk fails", hiccup: true,
			blind: func(r *blindRig) {
				if err := r.a.saveBy(func(store.Checkpoint) error { return fmt.Errorf("write: %w", syscall.EIO) }, store.Checkpoint{}); err == nil {
					r.t.Error("no error")
				}
			},
			well: checkpointOf},
		{name: "a record is too large for checkpoints", told: "wrackline.checkpoint.fails", culprit: "too large", hiccup: true,
			blind: func(r *blindRig) {
				_ = r.a.saveBy(func(store.Checkpoint) error { return errors.New("key too large") }, store.Checkpoint{})
			},
			well: checkpointOf},
		{name: "a checkpoint hangs: somebody holds the store", told: "wrackline.checkpoint.hangs", culprit: "checkpoint has been written for",
			blind: func(r *blindRig) {
				x, err := r.a.store.DB().Begin(true)
				if err != nil {
					r.t.Fatal(err)
				}
				tx = x
				began := make(chan struct{})
				go func() {
					close(began)
					_ = r.a.checkpoint()
				}()
				<-began
				soon(r.t, "a checkpoint under way", func() bool { return r.a.saveSince.Load() != 0 })
			},
			well: func(r *blindRig) {
				if err := tx.Rollback(); err != nil {
					r.t.Error(err)
				}
				soon(r.t, "the checkpoint", func() bool { return r.a.saveSince.Load() == 0 })
			}},
		{name: "the mark and its directory cannot be written", told: "wrackline.disk.refuses", culprit: "data directory",
			blind: func(r *blindRig) { // the descriptor is gone, and the name is taken by something that is no file
				s := r.a.self
				s.mu.Lock()
				defer s.mu.Unlock()
				_ = s.mark.file.Close()
				s.mark.file = nil
				name := filepath.Join(r.dir, markFile)
				if err := errors.Join(os.Remove(name), os.Mkdir(name, 0o700)); err != nil {
					r.t.Error(err)
				}
			},
			well: func(r *blindRig) {
				if err := os.Remove(filepath.Join(r.dir, markFile)); err != nil {
					r.t.Error(err)
				}
			}},
		{name: "notifications wait for the disk", told: "wrackline.outbox.held", culprit: "in memory because the disk refuses", words: -1,
			rig: func(t *testing.T) rigOptions {
				o := rigOptions{}
				o.dir, fill, free = smallDisk(t)
				return o
			},
			blind: func(r *blindRig) {
				r.send = nil
				fill()
				inc := gap{sender: "x", cluster: "y", lastMs: 1}.incident(r.a.now().UnixMilli(), false)
				for i := range uint32(5000) {
					if n, _ := r.a.outbox.Load().Held(); n > 0 {
						return
					}
					r.a.outbox.Load().Accept(alerting.Notification{ID: fmt.Sprint("msg_", i), IncidentID: fmt.Sprint("i", i), Reason: alerting.First, T: 1, Incident: inc})
				}
				r.t.Error("the outbox never ran out of disk")
			},
			well: func(r *blindRig) {
				free()
				await(r.t, "what waited", func() bool { n, _ := r.a.outbox.Load().Held(); return n == 0 })
			}},
	}
}

// checkpointOf makes a checkpoint.
func checkpointOf(r *blindRig) {
	if err := r.a.checkpoint(); err != nil {
		r.t.Error(err)
	}
}

func doorWays() []blindCase {
	tokens := func(*testing.T) rigOptions {
		return rigOptions{config: "ingest: {tokens: [{token: right-token, sender: prom-eu}]}\n", token: "right-token"}
	}
	return []blindCase{
		{name: "a sender lost its token", told: "wrackline.sender.refused", culprit: "no valid token", rig: tokens, hiccup: true, warm: 15 * time.Second,
			blind: func(r *blindRig) { r.token = "wrong-token" }, well: func(r *blindRig) { r.token = "right-token" }},
		{name: "labels that are refused", told: "wrackline.sender.refused", culprit: "10.0.0.7", hiccup: true,
			blind: func(r *blindRig) {
				r.send = func(r *blindRig) {
					l := wire.AppendLabel(wire.AppendLabel(nil, "__name__", "x"), "__name__", "y")
					r.post(wire.AppendBody(nil, wire.AppendSeries(nil, l, oneSample(r))))
				}
			},
			well: func(r *blindRig) { r.send = (*blindRig).write }},
		{name: "a sender's clock is far ahead", told: "wrackline.sender.refused", culprit: "ahead of the receiver's clock", hiccup: true,
			blind: func(r *blindRig) { r.shift = time.Hour }, well: func(r *blindRig) { r.shift = 0 }},
		{name: "a sender speaks another protocol", told: "wrackline.sender.refused", culprit: "415", hiccup: true,
			blind: func(r *blindRig) {
				r.send = func(r *blindRig) { r.post(r.body(), "Content-Type", "application/json") }
			},
			well: func(r *blindRig) { r.send = (*blindRig).write }},
		{name: "bodies are too large", told: "wrackline.sender.refused", culprit: "400", hiccup: true,
			blind: func(r *blindRig) {
				r.send = func(r *blindRig) { r.post(make([]byte, 9<<20)) }
			},
			well: func(r *blindRig) { r.send = (*blindRig).write }},
		{name: "nobody ever sent", told: "wrackline.sender.none", culprit: "Nobody has sent anything", warm: 15 * time.Second,
			rig: func(*testing.T) rigOptions { return rigOptions{silent: true} }, blind: func(*blindRig) {}, well: func(r *blindRig) { r.send = (*blindRig).write }},
		{name: "nothing that arrives is needed", told: "wrackline.sender.useless", culprit: "none that a signal needs", warm: 15 * time.Second,
			rig:   func(*testing.T) rigOptions { return rigOptions{metric: []string{"shop_things_total"}} },
			blind: func(*blindRig) {}, well: func(r *blindRig) { r.metric = dnsMetrics }},
		{name: "a sender falls silent", told: "recv.silent", culprit: "Nothing has arrived from 10.0.0.7", warm: 12 * time.Minute,
			blind: func(r *blindRig) { r.send = nil }, well: func(r *blindRig) { r.send = (*blindRig).write }},
		{name: "a sender's relabelling drops what is needed", told: "recv.silent", culprit: "Nothing that 10.0.0.7 sends has been used", warm: 12 * time.Minute,
			blind: func(r *blindRig) { r.metric = []string{"shop_things_total"} }, well: func(r *blindRig) { r.metric = dnsMetrics }},
		{name: "a sender's samples are older than those before", told: "recv.silent", culprit: "Nothing that 10.0.0.7 sends has been used", warm: 12 * time.Minute,
			blind: func(r *blindRig) { r.shift = -3 * time.Hour }, well: func(r *blindRig) { r.shift = 0 }},
		{name: "a sender lags behind and does not catch up", told: "wrackline.sender.lags", culprit: "behind", warm: 45 * time.Second, closes: 8 * time.Minute,
			blind: func(r *blindRig) {
				from, base := time.Duration(r.clock.Load()), r.shift
				r.send = func(r *blindRig) { // it stands still for nine minutes, and keeps that distance
					late := time.Duration(r.clock.Load()) - from
					r.shift = base - min(late, 9*time.Minute)
					if late > 9*time.Minute {
						r.write()
					} else if late%time.Minute == 0 {
						r.shift -= time.Millisecond
					}
				}
			}, takes: 9 * time.Minute, words: -1,
			well: func(r *blindRig) { r.shift = 0; r.send = (*blindRig).write }},
		{name: "the metrics of a pack stop", told: "wrackline.metrics.gone", culprit: "pack dns", warm: 6 * time.Minute,
			blind: func(r *blindRig) { r.metric = []string{"kube_node_info", "kube_pod_info"} }, well: func(r *blindRig) { r.metric = dnsMetrics }},
	}
}
