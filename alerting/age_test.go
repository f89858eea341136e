package alerting

import (
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

func TestAFlapWithinTheHoldReusesTheIncident(t *testing.T) {
	b := newBench(Options{})
	dns := sig(servfail)
	for range 4 {
		b.alarm(dns, model.High, 0.3, 2)
		b.minutes(3)
		b.calm(dns, model.Recovered)
		b.minutes(4)
	}
	s := b.m.Snapshot()
	if len(s.Open) != 1 || s.Open[0].Refires != 3 || b.reasons() != "first" {
		t.Fatalf("open %d, notifications %q", len(s.Open), b.reasons())
	}
	b.minutes(30)
	if b.reasons() != "first resolved" {
		t.Errorf("notifications = %q", b.reasons())
	}
}

func TestGoneSignalsEndTheirIncident(t *testing.T) {
	b := newBench(Options{})
	dns := sig(servfail)
	b.alarm(dns, model.High, 1, 1)
	b.minutes(3)
	delete(b.on, dns)
	b.minutes(60)
	s := b.m.Snapshot()
	if len(s.Open) != 0 || s.Closed[0].Resolution != "gone" || b.reasons() != "first resolved" {
		t.Errorf("open %d, %q", len(s.Open), b.reasons())
	}
}

func TestAlarmsOfVanishedRulesEndAsGone(t *testing.T) {
	b := newBench(Options{})
	dns, cpu := sig(servfail), sig(wlOOM, "namespace", "shop", "workload", "cart")
	b.minutes(5)
	b.alarm(dns, model.High, 0.31, 3)
	b.alarm(cpu, model.High, 3, 1)
	b.minutes(3)
	if n := len(b.m.Snapshot().Open); n != 1 {
		t.Fatalf("open incidents = %d, want 1", n)
	}
	renamed := *wlOOM
	renamed.Question = "Is it another?"
	delete(b.on, dns)
	b.m.SetRules(func(name string) *pack.Rule {
		if name == wlOOM.Name {
			return &renamed
		}
		return nil
	})
	inc := b.m.Snapshot().Open[0]
	for i := range inc.Members {
		m := &inc.Members[i]
		if gone := m.Ending == "gone"; gone != (m.Name == servfail.Name) || m.Name == wlOOM.Name && m.Rule != &renamed {
			t.Errorf("%s: ending %q, rule %v", m.Name, m.Ending, m.Rule)
		}
	}
	delete(b.on, cpu)
	b.m.SetRules(func(string) *pack.Rule { return nil })
	b.minutes(30)
	s := b.m.Snapshot()
	if len(s.Open) != 0 || len(s.Closed) != 1 || s.Closed[0].Resolution != "gone" {
		t.Errorf("open %d, closed %+v", len(s.Open), s.Closed)
	}
	if got := b.reasons(); !strings.HasSuffix(got, "resolved") {
		t.Errorf("told %q; the closing word is missing", got)
	}
}

func TestForgottenClusterIsOver(t *testing.T) {
	b := newBench(Options{})
	dns, other := sig(servfail), &signal.Signal{Rule: wlCPU, Entity: series.Labels{{Name: "cluster", Value: "staging"}}}
	other.ID = signal.MakeID(other.Rule.Name, other.Entity)
	b.alarm(dns, model.High, 0.31, 3)
	b.minutes(3)
	b.m.Observe(baseline.Batch{Cluster: "staging", T: b.t, Verdicts: []baseline.Verdict{{Signal: other, T: b.t, Value: 9, Judgement: model.Judgement{State: model.High, Score: 2, Onset: b.t}}}})
	if n := len(b.m.Snapshot().Open); n != 2 {
		t.Fatalf("open incidents = %d, want 2", n)
	}
	b.m.Forget("nobody")
	b.m.Forget("prod")
	s := b.m.Snapshot()
	if len(s.Open) != 1 || s.Open[0].Cluster != "staging" || len(s.Closed) != 1 || s.Closed[0].Resolution != "gone" || b.reasons() != "first resolved" {
		t.Fatalf("open %d, closed %d, notifications %q", len(s.Open), len(s.Closed), b.reasons())
	}
	state := b.m.AppendState(nil)
	if err := NewManager(Options{Rule: ruleByName}).RestoreState(state); err != nil {
		t.Fatal(err)
	}
	b.minutes(2)
	if n := len(b.m.Snapshot().Open); n != 2 || b.reasons() != "first resolved first" {
		t.Errorf("a cluster that goes on: %d open, %q", n, b.reasons())
	}
}
