package alerting

import (
	"testing"

	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/baseline/model"
)

func say(t *testing.T, b *act.Book, d act.Draft, now int64) *act.Act {
	t.Helper()
	d.Who = "anna"
	a, err := d.Act(now)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Apply(&act.Entry{Act: a}); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestASilenceMutesAndItsEndTells: A is silenced and opens an incident, its twin B is told; when the silence ends and the alarm stands it is told, and what was announced before is said to be open still.
func TestASilenceMutesAndItsEndTells(t *testing.T) {
	book := &act.Book{}
	b := newBench(Options{Acts: book, NotificationsPerDay: -1})
	a := say(t, book, act.Draft{Kind: act.Silence, Rule: act.Rule{Match: []string{`workload="a"`}}, For: "30m"}, b.t)
	b.alarm(sig(wlCPU, "namespace", "x", "workload", "a"), model.High, 1, 1)
	b.minutes(20)
	s := b.m.Snapshot()
	if b.reasons() != "" || len(s.Open) != 1 || len(s.Open[0].Silenced()) != 1 || s.Open[0].Silenced()[0] != a.ID {
		t.Fatalf("%q, %d open", b.reasons(), len(s.Open))
	}
	b.alarm(sig(wlMem, "namespace", "y", "workload", "b"), model.High, 1, 1)
	b.minutes(5)
	if b.reasons() != "first" || b.told[0].Incident.Headline().Entity.Get("workload") != "b" {
		t.Fatalf("the twin is not told alone: %q", b.reasons())
	}
	b.minutes(10)
	if b.reasons() != "first first" || b.told[1].T < a.Until || b.told[1].T > a.Until+minuteMs {
		t.Fatalf("the end of the silence: %q", b.reasons())
	}
	say(t, book, act.Draft{Kind: act.Silence, Rule: act.Rule{Match: []string{`workload="a"`}}, For: "10m"}, b.t)
	b.minutes(15)
	if b.reasons() != "first first repeat" {
		t.Errorf("what was announced and silenced since: %q", b.reasons())
	}
}
