package alerting

import (
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
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
	dns, cpu := sig(servfail), sig(wlCPU, "namespace", "shop", "workload", "cart")
	b.minutes(5)
	b.alarm(dns, model.High, 0.31, 3)
	b.alarm(cpu, model.High, 3, 1)
	b.minutes(3)
	if n := len(b.m.Snapshot().Open); n != 1 {
		t.Fatalf("open incidents = %d, want 1", n)
	}
	renamed := *wlCPU
	renamed.Question = "Is it another?"
	delete(b.on, dns)
	b.m.SetRules(func(name string) *pack.Rule {
		if name == wlCPU.Name {
			return &renamed
		}
		return nil
	})
	inc := b.m.Snapshot().Open[0]
	for i := range inc.Members {
		m := &inc.Members[i]
		if gone := m.Ending == "gone"; gone != (m.Name == servfail.Name) || m.Name == wlCPU.Name && m.Rule != &renamed {
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
