package alerting

import (
	"fmt"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
)

func TestOneFaultIsOneIncidentWithAFirstMoverAndAClosingWord(t *testing.T) {
	b := newBench(Options{})
	dns, lat, cpu := sig(servfail), sig(dnsLat), sig(wlCPU, "namespace", "shop", "workload", "cart")
	b.minutes(5)
	b.alarm(lat, model.High, 2.5, 4)
	b.minutes(1)
	b.alarm(dns, model.High, 0.31, 3)
	b.minutes(1)
	b.alarm(cpu, model.High, 3, 1)
	b.minutes(3)
	s := b.m.Snapshot()
	if len(s.Open) != 1 {
		t.Fatalf("open incidents = %d, want 1", len(s.Open))
	}
	inc := s.Open[0]
	if got := inc.FirstMover().Name; got != "dns.latency_p99" {
		t.Errorf("first mover = %s, want dns.latency_p99", got)
	}
	if inc.Title != "31 % of DNS answers fail (normal 0–0.2 %): pod-a" {
		t.Errorf("title = %q", inc.Title)
	}
	if inc.Severity != pack.Page || inc.Headline().Name != "dns.servfail_ratio" || len(inc.Members) != 3 {
		t.Errorf("severity %s, headline %s, %d members", inc.Severity, inc.Headline().Name, len(inc.Members))
	}
	if got := inc.Scope.String(); got != `{cluster="prod"}` {
		t.Errorf("scope = %s", got)
	}
	if got := b.reasons(); got != "first" {
		t.Errorf("notifications = %q, want first alone: the page joined before the warn incident was announced", got)
	}
	for s := range b.on {
		b.calm(s, model.Recovered)
	}
	b.minutes(4)
	if b.reasons() != "first" {
		t.Fatalf("resolved before the hold had passed: %s", b.reasons())
	}
	b.minutes(1)
	if b.reasons() != "first resolved" {
		t.Fatalf("notifications = %q", b.reasons())
	}
	last := b.told[1].Incident
	if last.Open() || last.Resolution != "recovered" || last.ID != inc.ID || len(b.m.Snapshot().Open) != 0 {
		t.Errorf("closing word is about %+v", last)
	}
	if last.Resolved != t0+11*minuteMs {
		t.Errorf("resolved at %s, want the return to the band", Clock(last.Resolved))
	}
	if got, ok := b.m.Incident(inc.ID); !ok || got.Told != 2 {
		t.Errorf("Incident(%s) = %v, %v", inc.ID, got, ok)
	}
}

func TestAWarningThatIsOverAtOnceIsNeverTold(t *testing.T) {
	b := newBench(Options{})
	lat := sig(dnsLat)
	b.alarm(lat, model.High, 2, 3)
	b.minutes(1)
	b.calm(lat, model.Recovered)
	b.minutes(10)
	if b.reasons() != "" || len(b.m.Snapshot().Closed) != 1 {
		t.Errorf("notifications %q, closed %d", b.reasons(), len(b.m.Snapshot().Closed))
	}
}

func TestQuietWindowsCostNothing(t *testing.T) {
	m := NewManager(Options{})
	b := baseline.Batch{Cluster: "prod", T: t0}
	for i := range 1000 {
		s := sig(wlCPU, "namespace", "n", "workload", fmt.Sprint(i))
		b.Verdicts = append(b.Verdicts, baseline.Verdict{Signal: s, T: t0, Judgement: model.Judgement{State: model.Normal}})
	}
	m.Observe(b)
	if n := testing.AllocsPerRun(20, func() { m.Observe(b) }); n > 0 {
		t.Errorf("a quiet window of 1,000 signals makes %v allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	m := NewManager(Options{Rule: ruleByName})
	batch := baseline.Batch{Cluster: "prod", T: t0}
	for i := range 7500 {
		s := sig(wlCPU, "namespace", fmt.Sprint("n", i%50), "workload", fmt.Sprint(i))
		v := baseline.Verdict{Signal: s, Judgement: model.Judgement{State: model.Normal}}
		if i%100 == 0 {
			v.State, v.Onset = model.High, t0
		}
		batch.Verdicts = append(batch.Verdicts, v)
	}
	b.ReportAllocs()
	for b.Loop() {
		batch.T += minuteMs
		for i := range batch.Verdicts {
			batch.Verdicts[i].T = batch.T
		}
		m.Observe(batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/7500, "ns/verdict")
}
