package alerting

import (
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
)

var (
	tableFill = &pack.Rule{Name: "net.table_fill", Unit: "ratio", Severity: pack.Page, Evidence: []string{"net.table_drops", "svc.errors"}}
	tableDrop = &pack.Rule{Name: "net.table_drops", Unit: "/s", Severity: pack.Warn, Evidence: []string{"net.table_fill"}}
	svcErrors = &pack.Rule{Name: "svc.errors", Unit: "ratio", Severity: pack.Page, Impact: true, Evidence: []string{"net.table_fill", "dns.servfail_ratio"}}
	refused   = &pack.Rule{Name: "api.refused", Unit: "/s", Severity: pack.Page, Summary: "{{ $labels.workload }} is refused {{ $value }} requests"}
)

// TestConsequencesOfWhatGoesOnBelongToIt tells of a table that fills on one node, drops half an hour later, and of a gateway whose requests then fail: one story,
// begun by the table. A rollout of the gateway shortly before its errors is the gateway's alone.
func TestConsequencesOfWhatGoesOnBelongToIt(t *testing.T) {
	b := newBench(Options{})
	b.minutes(60)
	fill := sig(tableFill, "node", "n2")
	b.alarm(fill, model.High, .7, 2)
	b.minutes(31)
	b.alarm(sig(tableDrop, "node", "n2"), model.High, 200, 2)
	b.minutes(4)
	gateway := sig(svcErrors, "namespace", "edge", "workload", "gateway")
	b.changes = []change.Change{changed(45, change.Rollout, "deployment edge/gateway", "namespace=edge,workload=gateway")}
	b.alarm(gateway, model.High, .02, 2)
	b.minutes(5)
	s := b.m.Snapshot()
	if len(s.Open) != 1 || len(s.Open[0].Members) != 3 {
		t.Fatalf("%d incidents", len(s.Open))
	}
	inc := s.Open[0]
	if inc.FirstMover().SignalID != fill.ID || inc.Headline().SignalID != fill.ID || len(inc.Changes) != 0 {
		t.Errorf("begun by %s, headline %s, changes %v", inc.FirstMover().SignalID, inc.Headline().SignalID, inc.Changes)
	}
	if len(inc.Beside) != 1 || inc.Beside[0].Signal != gateway.ID {
		t.Errorf("beside: %v", inc.Beside)
	}
	if b.reasons() != "first changed" {
		t.Errorf("told %q, want the page that joined told", b.reasons())
	}
	// The quiet twin: the table is back inside when the gateway begins to fail. That is another story.
	b = newBench(Options{})
	b.alarm(fill, model.High, .7, 2)
	b.minutes(31)
	v := b.on[fill]
	v.Value = 0.001 // still in alarm, in case it comes again
	b.on[fill] = v
	b.minutes(4)
	b.alarm(gateway, model.High, .02, 2)
	b.minutes(2)
	if s := b.m.Snapshot(); len(s.Open) != 2 {
		t.Errorf("%d incidents, want a table that is well again to explain nothing", len(s.Open))
	}
}

// TestWhatNothingExplainsIsTold tells of a client that is refused four minutes after the cluster's DNS has recovered, and of one refused while it still fails:
// neither has anything to do with DNS.
func TestWhatNothingExplainsIsTold(t *testing.T) {
	for _, recovered := range []bool{true, false} {
		b := newBench(Options{})
		dns := sig(servfail)
		b.alarm(dns, model.High, .9, 2)
		b.minutes(8)
		if recovered {
			b.calm(dns, model.Recovered)
		}
		b.minutes(4)
		b.alarm(sig(refused, "namespace", "kube-system", "workload", "kube-scheduler"), model.High, 20, 1)
		b.minutes(2)
		told := b.told[len(b.told)-1]
		if told.Reason != First || !strings.Contains(told.Incident.Title, "kube-scheduler") {
			t.Errorf("recovered %v: told %q, the last is %q", recovered, b.reasons(), told.Incident.Title)
		}
	}
}

// TestTheCauseBecomesTheHeadline tells of a front door that fails a minute before it is known that DNS does. The quiet twin is a cause that no pack names beside it.
func TestTheCauseBecomesTheHeadline(t *testing.T) {
	for _, c := range []struct {
		cause *pack.Rule
		want  int
		title string
	}{{servfail, 1, "DNS answers fail"}, {&pack.Rule{Name: "cert.days", Severity: pack.Page}, 2, "svc.errors"}} {
		b := newBench(Options{})
		b.alarm(sig(svcErrors, "namespace", "shop", "workload", "front"), model.High, .9, 2)
		b.minutes(2)
		b.alarm(sig(c.cause), model.High, 1, 3)
		b.minutes(4)
		open := b.m.Snapshot().Open
		if len(open) != c.want || !strings.Contains(open[0].Title, c.title) {
			t.Errorf("%s: %d incidents, %q", c.cause.Name, len(open), open[0].Title)
		}
		if c.want == 1 && (open[0].FirstMover().Name != c.cause.Name || b.reasons() != "first changed") {
			t.Errorf("first %s, told %q", open[0].FirstMover().Name, b.reasons())
		}
	}
}

// TestTwoSuspectsAreTwoStories holds that two workloads of which each was changed just before do not share an incident for asking the same question.
func TestTwoSuspectsAreTwoStories(t *testing.T) {
	for _, both := range []bool{true, false} {
		b := newBench(Options{})
		b.minutes(10)
		b.changes = []change.Change{changed(8, change.Rollout, "deployment shop/cart", "namespace=shop,workload=cart")}
		if both {
			b.changes = append(b.changes, changed(9, change.Rollout, "deployment shop/pay", "namespace=shop,workload=pay"))
		}
		b.alarm(sig(wlCPU, "namespace", "shop", "workload", "cart"), model.High, 1, 1)
		b.minutes(2)
		b.alarm(sig(wlCPU, "namespace", "shop", "workload", "pay"), model.High, 1, 1)
		b.minutes(2)
		if got := len(b.m.Snapshot().Open); got != 1+countOf(both) {
			t.Errorf("both changed %v: %d incidents", both, got)
		}
	}
}

func countOf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestTheWorstSurvivesTheReturn: traffic falls to nothing and comes back while the band has followed it down. The worst is nothing, and what weighed most is of then.
func TestTheWorstSurvivesTheReturn(t *testing.T) {
	m := newMember(&baseline.Verdict{Signal: sig(wlCPU, "namespace", "shop", "workload", "orders"), T: t0, Value: 0, Judgement: model.Judgement{State: model.Low, Band: model.Band{Lower: 4, Upper: 8}}})
	m.see(&baseline.Verdict{T: t0 + minuteMs, Value: 5.54, Judgement: model.Judgement{State: model.High, Band: model.Band{Lower: 0, Upper: 1}}})
	if m.Worst != 0 {
		t.Errorf("worst %v", m.Worst)
	}
}
