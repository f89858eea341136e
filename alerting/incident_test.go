package alerting

import (
	"testing"

	"github.com/wrackline/wrackline/baseline/model"
)

// TestWhatWasToldStaysTold holds that the first mover and the headline of a message are those of the page later, also when a member with
// an earlier onset or a higher score joins, and after a restore.
func TestWhatWasToldStaysTold(t *testing.T) {
	b := newBench(Options{})
	first := sig(servfail)
	b.minutes(30)
	b.alarm(first, model.High, 0.3, 2)
	b.minutes(2)
	told := b.told[0].Incident
	late := sig(wlOOM, "namespace", "shop", "workload", "cart")
	b.alarm(late, model.High, 5, 6)
	v := b.on[late]
	v.Score = 9
	b.on[late] = v
	b.minutes(3)
	for range 2 {
		now, ok := b.m.Incident(told.ID)
		if !ok || len(now.Members) != 2 {
			t.Fatalf("incident %v, %v", now, ok)
		}
		if now.FirstMover().SignalID != first.ID || now.Headline().SignalID != first.ID || now.Title != told.Title {
			t.Errorf("told: %q, %s first; now: %q, %s first", told.Title, told.FirstMover().SignalID, now.Title, now.FirstMover().SignalID)
		}
		state := b.m.AppendState(nil)
		if err := b.m.RestoreState(state); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAmongEqualsTheOneThatNamesSomebodyLeads holds that of two signals of one minute the more specific one is the first mover.
func TestAmongEqualsTheOneThatNamesSomebodyLeads(t *testing.T) {
	b := newBench(Options{})
	b.minutes(5)
	b.alarm(sig(dnsLat), model.High, 2, 1)
	b.alarm(sig(wlCPU, "namespace", "shop", "workload", "cart"), model.High, 2, 1)
	b.minutes(3)
	if s := b.m.Snapshot(); len(s.Open) != 1 || s.Open[0].FirstMover().Name != "wl.cpu" {
		t.Errorf("%d incidents, first mover %s", len(s.Open), s.Open[0].FirstMover().Name)
	}
}
