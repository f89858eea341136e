package main

import (
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/signal"
)

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
	see := func(now int64, senders ...signal.SenderStats) { w.look(senders, now, t0-60*minute) }

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
	w = fresh() // the program restarts while the sender is silent
	see(a.LastMs+20*minute, a)
	if len(told) != 1 {
		t.Fatalf("told again after a restart: %+v", told)
	}
	back := a
	back.LastMs += 30 * minute
	see(back.LastMs+minute, back)
	if len(told) != 2 || told[1].Reason != alerting.Resolved || told[1].IncidentID != told[0].IncidentID || told[1].Incident.Open() {
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
