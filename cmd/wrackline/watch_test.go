package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/signal"
)

// use makes every request of senders one of which samples were used.
func use(senders []signal.SenderStats) []signal.SenderStats {
	for i := range senders {
		senders[i].UsedMs = senders[i].LastMs
	}
	return senders
}

// TestSilentSenderIsTold walks a sender through silence and back, with a restart in between.
func TestSilentSenderIsTold(t *testing.T) {
	const minute = int64(60_000)
	const t0 = int64(1_772_409_600_000)
	var told []alerting.Notification
	ids := map[string]bool{}
	fresh := func() *watcher {
		return &watcher{silent: map[string]gap{}, tell: func(n alerting.Notification) {
			if !ids[n.ID] { // as the outbox does
				told = append(told, n)
			}
			ids[n.ID] = true
		}}
	}
	w := fresh()
	a := signal.SenderStats{Name: "prom-a", Cluster: "prod", FirstMs: t0, LastMs: t0 + 60*minute}
	see := func(now int64, senders ...signal.SenderStats) { w.look(use(senders), nil, now, t0-60*minute) }

	see(a.LastMs+4*minute, a)
	if len(told) != 0 {
		t.Fatalf("told after four minutes: %+v", told)
	}
	b := signal.SenderStats{Name: "prom-b", Cluster: "prod", FirstMs: t0, LastMs: a.LastMs + 6*minute}
	see(a.LastMs+6*minute, a, b)
	if len(told) != 0 {
		t.Fatalf("told although the other half of the pair delivers: %+v", told)
	}
	see(a.LastMs+6*minute, a)
	see(a.LastMs+7*minute, a)
	if len(told) != 1 || told[0].Reason != alerting.First || !strings.Contains(told[0].Incident.Title, "prom-a") {
		t.Fatalf("after six minutes: %+v", told)
	}
	state := w.appendState(nil)
	w = fresh() // the program restarts while the sender is silent
	if err := w.restoreState(state); err != nil {
		t.Fatal(err)
	}
	see(a.LastMs+20*minute, a)
	if len(told) != 1 {
		t.Fatalf("told again after a restart: %+v", told)
	}
	w2 := fresh() // it dies before any checkpoint knew of it
	w2.look(use([]signal.SenderStats{a}), nil, a.LastMs+21*minute, t0-60*minute)
	if len(told) != 1 {
		t.Fatalf("told again after a restart without a state: %+v", told)
	}
	back := a
	for m := range int64(4) {
		back.LastMs = a.LastMs + (30+m)*minute
		see(back.LastMs, back)
		if m < 2 && len(told) != 1 {
			t.Fatalf("told at once when it is back: %+v", told)
		}
	}
	if len(told) != 2 || told[1].Reason != alerting.Resolved || told[1].IncidentID != told[0].IncidentID || told[1].Incident.Open() || told[1].Incident.Resolution != "recovered" {
		t.Fatalf("when it is back: %+v", told)
	}
	short := signal.SenderStats{Name: "curl", Cluster: "prod", FirstMs: t0, LastMs: t0 + minute}
	see(t0+30*minute, short)
	old := signal.SenderStats{Name: "prom-old", Cluster: "prod", FirstMs: t0 - 9000*minute, LastMs: t0 - 3000*minute}
	see(t0, old)
	if len(told) != 2 {
		t.Fatalf("told of a test or of one that is gone for good: %+v", told[2:])
	}
}

// A sender that comes and goes is one fault, or few; one that ends for good ends so; each cluster behind one address is its own.
func TestFlappingSenders(t *testing.T) {
	const minute = int64(60_000)
	const t0 = int64(1_772_409_600_000)
	for _, c := range []struct {
		name     string
		on, off  int64 // minutes of a cycle
		cycles   int
		most     int // messages
		resolved bool
		after    int64 // minutes of steady delivery afterwards
	}{
		{"a crash loop", 1, 6, 40, 2, true, 20},
		{"slower", 4, 7, 20, 4, true, 20},
		{"slow", 10, 30, 6, 4, true, 20},
		{"once", 60, 10, 1, 2, true, 20},
		{"it stays away", 1, 6, 5, 1, false, 0},
	} {
		var told []alerting.Notification
		w := &watcher{silent: map[string]gap{}, tell: func(n alerting.Notification) { told = append(told, n) }}
		s := signal.SenderStats{Name: "gateway", Cluster: "east", FirstMs: t0 - 60*minute, LastMs: t0}
		other := signal.SenderStats{Name: "gateway", Cluster: "west", FirstMs: t0 - 60*minute}
		now := t0
		pass := func(minutes int64, delivers bool) {
			for range 4 * minutes {
				now += 15_000
				if delivers {
					s.LastMs = now
				}
				other.LastMs = now
				w.look(use([]signal.SenderStats{s, other}), nil, now, t0-60*minute)
			}
		}
		for range c.cycles {
			pass(c.off, false)
			pass(c.on, true)
		}
		pass(c.after, true)
		if len(told) == 0 || len(told) > c.most {
			t.Errorf("%s: %d messages, want 1 to %d", c.name, len(told), c.most)
			continue
		}
		if last := told[len(told)-1]; (last.Reason == alerting.Resolved) != c.resolved {
			t.Errorf("%s: the last message is %s", c.name, last.Reason)
		}
		for _, n := range told {
			if n.Incident.Cluster != "east" {
				t.Errorf("%s: told of %s", c.name, n.Incident.Cluster)
			}
		}
		if c.resolved {
			continue
		}
		pass(25*60, false)
		if last := told[len(told)-1]; last.Reason != alerting.Resolved || last.Incident.Resolution != "gone" {
			t.Errorf("%s: after a day the last message is %s, %q", c.name, last.Reason, last.Incident.Resolution)
		}
		n := len(told)
		w.look(use([]signal.SenderStats{other}), nil, now, t0)
		if len(w.silent) != 0 || len(told) != n {
			t.Errorf("%s: when its cluster is forgotten %d silences are known, %d messages more", c.name, len(w.silent), len(told)-n)
		}
	}
}

// TestSilenceBesideAnotherSender: another sender covers who falls silent only when it sends the same, as the other half of a pair does, or its successor under another address. Shards, a Prometheus for other things and a
// flood of names, all of the same cluster, cover nobody.
func TestSilenceBesideAnotherSender(t *testing.T) {
	const first, second = "10.0.0.7", "10.0.0.8"
	with := func(from, pods int, metrics ...string) func(r *blindRig) {
		return func(r *blindRig) {
			was, had := r.pods, r.metric
			r.from, r.pods = from, pods
			if len(metrics) > 0 {
				r.metric = metrics
			}
			r.write()
			r.from, r.pods, r.metric = 0, was, had
		}
	}
	nodes := []string{"node_cpu_seconds_total", "node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes", "node_load1"}
	flood := &flood{each: 12, request: func(i int) (string, string, int) { return fmt.Sprintf("?sender=f%d", i), "", 1 }}
	poured := 0
	for _, c := range []struct {
		name   string
		more   func(r *blindRig) // the other sender's
		silent string            // who falls silent
		told   bool
	}{
		{"a shard", with(3, 3), first, true},
		{"the other shard", with(3, 3), second, true},
		{"one that shares a target", with(2, 3), first, true},
		{"a Prometheus of the nodes", with(0, 3, nodes...), first, true},
		{"the one of the nodes itself", with(0, 3, nodes...), second, true},
		{"a flood of names", func(r *blindRig) { flood.pour(r, poured); poured += flood.each }, first, true},
		{"a pair", func(r *blindRig) { r.shift = 7 * time.Second; r.write(); r.shift = 0 }, first, false},
		{"a pair, its second half", func(r *blindRig) { r.shift = 7 * time.Second; r.write(); r.shift = 0 }, second, false},
		{"a pair that watches itself, its second half", func(r *blindRig) {
			r.shift = 7 * time.Second
			r.write()
			with(9, 1, "prometheus_tsdb_head_series", "coredns_dns_requests_total")(r)
			r.shift = 0
		}, second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newBlindRig(t, rigOptions{})
			senders := map[string]func(r *blindRig){first: (*blindRig).write, second: c.more}
			r.send = func(r *blindRig) {
				for _, host := range []string{first, second} {
					if send := senders[host]; send != nil {
						r.as(host, "", send)
					}
				}
			}
			r.steps(12*time.Minute, nil)
			said := func(status string) func() bool {
				return func() bool {
					return slices.ContainsFunc(r.got("/a"), func(w word) bool {
						return w.kind == recvSilent && w.status == status && strings.Contains(w.title, c.silent)
					})
				}
			}
			was := senders[c.silent]
			senders[c.silent] = nil
			took, ok := r.steps(12*time.Minute, said("firing"))
			if ok != c.told || ok && took > tellWithin {
				t.Fatalf("told %v after %s: %+v, conditions %+v", ok, took, r.got("/a"), conditionsOf(r))
			}
			senders[c.silent] = was
			if _, ok := r.steps(tellWithin, said("resolved")); ok != c.told {
				t.Errorf("its end is told %v: %+v", ok, r.got("/a"))
			}
		})
	}
	t.Run("a successor", func(t *testing.T) {
		r := newBlindRig(t, rigOptions{})
		r.steps(12*time.Minute, nil)
		r.host = second
		r.steps(12*time.Minute, nil)
		if got := r.got("/a"); len(got) > 0 {
			t.Errorf("told: %+v", got)
		}
	})
}
