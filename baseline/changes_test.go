package baseline

import (
	"fmt"
	"testing"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// TestChangesAreBounded holds that the newest ChangesMax are kept, that old slices are never written to, and that memory does not
// grow with what was forgotten.
func TestChangesAreBounded(t *testing.T) {
	fresh := func() *cluster {
		e, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := e.newCluster("c", 0)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	e := fresh()
	var old []change.Change
	for i := range 3 * ChangesMax {
		e.remember([]change.Change{{T: int64(i), Kind: change.Scale, Object: fmt.Sprint("d", i)}})
		if i == ChangesMax+10 {
			old = e.changes[:len(e.changes):len(e.changes)]
		}
	}
	if n := len(e.changes); n != ChangesMax || e.changes[n-1].T != 3*ChangesMax-1 || e.changes[0].T != 2*ChangesMax || e.changeSeq != 3*ChangesMax {
		t.Errorf("%d changes from %d to %d, %d ever", n, e.changes[0].T, e.changes[n-1].T, e.changeSeq)
	}
	if cap(e.changes) > 3*ChangesMax {
		t.Errorf("room for %d changes", cap(e.changes))
	}
	for i, c := range old {
		if c.T != int64(11+i) {
			t.Fatalf("an old view shows %d in place %d", c.T, i)
		}
	}
	view := e.appendView(nil)
	n := fresh()
	if _, err := n.restoreView(view); err != nil || len(n.changes) != ChangesMax || n.changeSeq != e.changeSeq {
		t.Errorf("restored %d changes: %v", len(n.changes), err)
	}
	t.Logf("%d bytes for %d changes", len(view), ChangesMax)
}

// TestExplained holds that only what was done to a signal's own workload, about when its alarm began, explains its new level.
func TestExplained(t *testing.T) {
	labels := func(namespace, workload string) series.Labels {
		return series.Labels{{Name: "cluster", Value: "eu"}, {Name: "namespace", Value: namespace}, {Name: "workload", Value: workload}}
	}
	const onset = int64(100 * 60_000)
	v := Verdict{Signal: &signal.Signal{Entity: labels("shop", "cart")}, Judgement: model.Judgement{State: model.High, Onset: onset}}
	for _, c := range []struct {
		change change.Change
		want   bool
	}{
		{change.Change{T: onset - 10*60_000, Kind: change.Rollout, Cluster: "eu", Entity: labels("shop", "cart")}, true},
		{change.Change{T: onset + 4*60_000, Kind: change.Limits, Cluster: "eu", Entity: labels("shop", "cart")}, true},
		{change.Change{T: onset - 31*60_000, Kind: change.Rollout, Cluster: "eu", Entity: labels("shop", "cart")}, false},
		{change.Change{T: onset + 6*60_000, Kind: change.Rollout, Cluster: "eu", Entity: labels("shop", "cart")}, false},
		{change.Change{T: onset, Kind: change.Rollout, Cluster: "us", Entity: labels("shop", "cart")}, false},
		{change.Change{T: onset, Kind: change.Rollout, Cluster: "eu", Entity: labels("shop", "web")}, false},
		{change.Change{T: onset, Kind: change.Restart, Cluster: "eu", Entity: labels("shop", "cart")}, false},
	} {
		changes := []change.Change{{T: onset, Kind: change.Secret, Cluster: "eu"}, c.change, {T: onset, Kind: change.Config, Cluster: "eu"}}
		if got := explained(&v, changes); got != c.want {
			t.Errorf("%s in %s %+v at %+d min: %v", c.change.Kind, c.change.Cluster, c.change.Entity, (c.change.T-onset)/60_000, got)
		}
	}
	calm := v
	calm.State = model.Normal
	if explained(&calm, []change.Change{{T: onset, Kind: change.Rollout, Cluster: "eu", Entity: labels("shop", "cart")}}) {
		t.Error("a signal without an alarm")
	}
}
