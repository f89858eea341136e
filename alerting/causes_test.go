package alerting

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// changed makes a change of an entity written as name=value,….
func changed(minute int64, kind change.Kind, object, entity string, works ...string) change.Change {
	c := change.Change{T: t0 + minute*minuteMs, Kind: kind, Cluster: "prod", Object: object, Works: works}
	for _, kv := range strings.Split(entity, ",") {
		if k, v, ok := strings.Cut(kv, "="); ok {
			c.Entity = append(c.Entity, series.Label{Name: k, Value: v})
		}
	}
	return c
}

// causesOf runs an alarm of a signal that began at minute 100, and returns what the incident names.
func causesOf(t *testing.T, s *signal.Signal, changes []change.Change) (*Manager, string) {
	t.Helper()
	m := NewManager(Options{Rule: ruleByName})
	for at := int64(95); at < 110; at++ {
		v := baseline.Verdict{Signal: s, T: t0 + at*minuteMs, Value: 1, Judgement: model.Judgement{State: model.Normal}}
		if at >= 103 {
			v.State, v.Onset, v.Score = model.High, t0+100*minuteMs, 2
		}
		// They become known as time goes on, the last of them when the incident is open already.
		n := 0
		for n < len(changes) && changes[n].T <= v.T {
			n++
		}
		m.Observe(baseline.Batch{Cluster: "prod", T: v.T, Verdicts: []baseline.Verdict{v}, Changes: changes[:n:n], ChangeSeq: int64(n)})
	}
	open := m.Snapshot().Open
	if len(open) != 1 {
		t.Fatalf("%d incidents", len(open))
	}
	var got []string
	for _, c := range open[0].Changes {
		got = append(got, fmt.Sprintf("%s (%s, %s)", c.Object, c.Nearness, When(c.T, open[0].Onset)))
	}
	return m, strings.Join(got, "; ")
}

func TestIncidentNamesWhatChangedJustBefore(t *testing.T) {
	cart := sig(wlCPU, "namespace", "shop", "workload", "cart")
	changes := []change.Change{
		changed(20, change.Rollout, "too old", "namespace=shop,workload=cart"),
		changed(41, change.RBAC, "clusterrole edit", ""),
		changed(60, change.Drain, "node n1", "node=n1", "shop/cart", "shop/web"),
		changed(61, change.Reboot, "node n2", "node=n2", "shop/web"),
		changed(80, change.Config, "configmap shop/settings", "namespace=shop"),
		changed(81, change.Config, "configmap else/settings", "namespace=else"),
		changed(90, change.Rollout, "deployment shop/web", "namespace=shop,workload=web"),
		changed(91, change.Scale, "deployment shop/api", "namespace=shop,workload=api"),
		changed(95, change.Scale, "deployment shop/cart", "namespace=shop,workload=cart"),
		changed(96, change.Rollout, "deployment shop/cart", "namespace=shop,workload=cart"),
		changed(104, change.Limits, "deployment shop/cart", "namespace=shop,workload=cart"),
		changed(106, change.Rollout, "too late", "namespace=shop,workload=cart"),
	}
	other := changes[9]
	other.Cluster = "dev"
	changes = slices.Insert(changes, 9, other)
	m, got := causesOf(t, cart, changes)
	want := "deployment shop/cart (same place, 4 min before); deployment shop/cart (same place, 4 min after); deployment shop/cart (same place, 5 min before); " +
		"node n1 (its node, 40 min before); deployment shop/web (same namespace, 10 min before); configmap shop/settings (same namespace, 20 min before); clusterrole edit (same cluster, 59 min before)"
	if got != want {
		t.Errorf("of a workload:\n%s\nwant\n%s", got, want)
	}

	// All of it is in the state, and what the engine has forgotten since stays.
	state := m.AppendState(nil)
	n := NewManager(Options{Rule: ruleByName})
	if err := n.RestoreState(state); err != nil {
		t.Fatal(err)
	}
	if again := n.AppendState(nil); !bytes.Equal(state, again) {
		t.Error("the restored state differs")
	}
	v := baseline.Verdict{Signal: cart, T: t0 + 110*minuteMs, Value: 1, Judgement: model.Judgement{State: model.High, Onset: t0 + 100*minuteMs}}
	n.Observe(baseline.Batch{Cluster: "prod", T: v.T, Verdicts: []baseline.Verdict{v}, ChangeSeq: 5010})
	if got := len(n.Snapshot().Open[0].Changes); got != 7 {
		t.Errorf("%d changes are left after the engine has forgotten them, want 7", got)
	}

	if _, got := causesOf(t, sig(servfail), changes); got != "deployment shop/cart (same cluster, 4 min before); deployment shop/cart (same cluster, 4 min after); deployment shop/web (same cluster, 10 min before); "+
		"configmap else/settings (same cluster, 19 min before); configmap shop/settings (same cluster, 20 min before); node n2 (same cluster, 39 min before); node n1 (same cluster, 40 min before); clusterrole edit (same cluster, 59 min before)" {
		t.Errorf("of the whole cluster: %s", got)
	}
	if _, got := causesOf(t, sig(&pack.Rule{Name: "node.hot", Severity: pack.Warn}, "node", "n1"), changes); got != "node n1 (same place, 40 min before); clusterrole edit (same cluster, 59 min before)" {
		t.Errorf("of a node: %s", got)
	}
	if _, got := causesOf(t, cart, nil); got != "" {
		t.Errorf("of nothing: %s", got)
	}
}
