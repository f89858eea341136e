package alerting

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/signal"
)

func TestInfoOnlyJoinsAndMayHaveMovedFirst(t *testing.T) {
	b := newBench(Options{})
	node := sig(nodeCPU, "node", "n1")
	b.alarm(node, model.High, 0.99, 5)
	b.minutes(10)
	if s := b.m.Snapshot(); len(s.Open) != 0 || len(s.Loose) != 1 {
		t.Fatalf("open %d, loose %d, want 0 and 1", len(s.Open), len(s.Loose))
	}
	b.alarm(sig(servfail), model.High, 0.2, 10)
	b.minutes(2)
	s := b.m.Snapshot()
	if len(s.Open) != 1 || len(s.Loose) != 0 || s.Open[0].FirstMover().Name != "node.cpu" || s.Open[0].Headline().Name != "dns.servfail_ratio" {
		t.Errorf("open %d, loose %d, %+v", len(s.Open), len(s.Loose), s.Open[0].Members)
	}
}

func TestWhatBelongsTogether(t *testing.T) {
	shop := []string{"namespace", "shop", "workload", "cart"}
	for _, c := range []struct {
		name string
		a, b *signal.Signal
		ago  int64 // onset of b before the window that opens it; a has minute 1, b comes in minute 6
		want int   // incidents
	}{
		{"the same workload at the same time", sig(wlCPU, shop...), sig(wlMem, shop...), 4, 1},
		{"the same workload, half an hour apart", sig(wlCPU, shop...), sig(wlMem, shop...), 36, 2},
		{"two workloads of one namespace", sig(wlCPU, shop...), sig(wlMem, "namespace", "shop", "workload", "db"), 4, 2},
		{"the namespace of a workload", sig(wlCPU, shop...), sig(wlMem, "namespace", "shop"), 4, 1},
		{"two namespaces", sig(wlCPU, shop...), sig(wlMem, "namespace", "bank", "workload", "db"), 4, 2},
		{"the same workload name in two namespaces", sig(wlCPU, shop...), sig(wlMem, "namespace", "bank", "workload", "cart"), 4, 2},
		{"the same question", sig(wlCPU, shop...), sig(wlCPU, "namespace", "bank", "workload", "db"), 4, 1},
		{"one concerns the cluster", sig(wlMem, shop...), sig(servfail), 4, 2},
		{"both are about the cluster's DNS", sig(dnsLat), sig(&pack.Rule{Name: "dns.qps", Severity: pack.Warn}), 4, 1},
		{"both are about the cluster", sig(dnsLat), sig(&pack.Rule{Name: "api.qps", Severity: pack.Warn}), 4, 2},
		{"named as evidence", sig(dnsLat, "node", "n1"), sig(servfail, "namespace", "kube-system"), 4, 1},
	} {
		b := newBench(Options{})
		b.alarm(c.a, model.High, 1, 1)
		b.minutes(5)
		b.alarm(c.b, model.High, 1, c.ago)
		b.minutes(1)
		if got := len(b.m.Snapshot().Open); got != c.want {
			t.Errorf("%s: %d incidents, want %d", c.name, got, c.want)
		}
	}
}

func TestWhatHappensToADriftingWorkloadIsItsConsequence(t *testing.T) {
	b := newBench(Options{})
	shop := []string{"namespace", "shop", "workload", "cart"}
	b.alarm(sig(wlMem, shop...), model.Drifting, 9e8, 600)
	b.minutes(180)
	b.alarm(sig(wlOOM, shop...), model.High, 2, 1)
	b.minutes(1)
	s := b.m.Snapshot()
	if len(s.Open) != 1 || s.Open[0].FirstMover().Name != "wl.memory" || s.Open[0].Severity != pack.Page {
		t.Fatalf("%d incidents, %+v", len(s.Open), s.Open[0])
	}
	if b.reasons() != "first changed" {
		t.Errorf("notifications = %q, want the rise to page told at once", b.reasons())
	}
}

func TestHostileLabelsAndCrowdsStayBounded(t *testing.T) {
	b := newBench(Options{})
	long := strings.Repeat("<!channel>\u202e", 400)
	for i := range 1000 {
		b.alarm(sig(wlCPU, "namespace", "shop", "workload", fmt.Sprint(i)+long), model.High, 1, 1)
	}
	b.minutes(3)
	s := b.m.Snapshot()
	if len(s.Open) != 1 || len(s.Open[0].Members) != 64 || s.Open[0].More != 1000-64 {
		t.Fatalf("open %d, members %d, more %d", len(s.Open), len(s.Open[0].Members), s.Open[0].More)
	}
	if n := len(b.m.AppendState(nil)); n > 256<<10 {
		t.Errorf("state = %d B", n)
	}
	for s := range b.on {
		b.calm(s, model.Recovered)
	}
	b.minutes(10)
	if len(b.m.Snapshot().Open) != 0 {
		t.Error("did not resolve")
	}
	for i := range 400 {
		b.alarm(sig(&pack.Rule{Name: fmt.Sprint("r", i), Severity: pack.Warn}, "zone", fmt.Sprint(i)), model.High, 1, 1)
		b.alarm(sig(&pack.Rule{Name: fmt.Sprint("i", i), Severity: pack.Info}, "zone", fmt.Sprint(i)), model.High, 1, 1)
	}
	b.minutes(3)
	if s := b.m.Snapshot(); len(s.Open) != 256 || len(s.Loose) > looseMax {
		t.Errorf("open %d, loose %d", len(s.Open), len(s.Loose))
	}
}

// What gets clearly worse is told once: within half a day as a change of the same story, unless it has only just begun; later in an incident of its own, and
// the older one ends as that. A restart changes nothing.
func TestWorseIsTold(t *testing.T) {
	for _, after := range []int64{0, 200, 800} {
		b := newBench(Options{})
		s := sig(servfail)
		worse := func(transition model.Transition, ago int64) {
			b.alarm(s, model.High, .9, ago)
			v := b.on[s]
			v.Transition = transition
			b.on[s] = v
			b.minutes(1)
		}
		b.alarm(s, model.High, .1, 1)
		b.minutes(5)
		b.minutes(int(after))
		worse(model.Worsened, 2)
		worse(model.Stay, 3)
		again := NewManager(Options{})
		if err := again.RestoreState(b.m.AppendState(nil)); err != nil {
			t.Fatal(err)
		}
		again.opts.Emit = b.m.opts.Emit
		b.m = again
		b.minutes(30)
		snap := b.m.Snapshot()
		if after < 800 {
			if want := map[int64]string{0: "first", 200: "first changed"}[after]; len(snap.Open) != 1 || len(snap.Closed) != 0 || b.reasons() != want {
				t.Errorf("after %d min: %d open, %d closed, told %q, want %q", after, len(snap.Open), len(snap.Closed), b.reasons(), want)
			}
			continue
		}
		if len(snap.Open) != 1 || len(snap.Closed) != 1 || snap.Closed[0].Resolution != "worse" || b.reasons() != "first first resolved" {
			t.Errorf("%d open, %d closed, told %q", len(snap.Open), len(snap.Closed), b.reasons())
		}
		b.calm(s, model.Recovered)
		b.minutes(30)
		if snap = b.m.Snapshot(); len(snap.Open) != 0 || snap.Closed[0].Resolution != "recovered" || len(b.m.tracked) != 0 {
			t.Errorf("%d open, the newest ended as %q, %d tracked", len(snap.Open), snap.Closed[0].Resolution, len(b.m.tracked))
		}
	}
}
