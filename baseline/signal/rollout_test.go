package signal

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
)

// deployment sets what kube-state-metrics says of Deployment shop/cart.
func (g *stage) deployment(want, updated, available, generation float64) *stage {
	const of = `{namespace="shop",deployment="cart"}`
	g.set(want, "kube_deployment_spec_replicas"+of)
	g.set(updated, "kube_deployment_status_replicas_updated"+of)
	g.set(available, "kube_deployment_status_replicas_available"+of)
	return g.set(generation, "kube_deployment_metadata_generation"+of, "kube_deployment_status_observed_generation"+of)
}

const (
	cartOld = `kube_replicaset_owner{namespace="shop",replicaset="cart-6c8b7d9f5b",owner_kind="Deployment",owner_name="cart"}`
	cartNew = `kube_replicaset_owner{namespace="shop",replicaset="cart-5d9c7b8f6d",owner_kind="Deployment",owner_name="cart"}`
)

// told returns the texts told of rollouts since the last call.
func (g *stage) told() string {
	out := slices.DeleteFunc(g.got, func(s string) bool { return !strings.Contains(s, "rollout") })
	g.got = nil
	return strings.Join(out, "; ")
}

func TestRolloutHasAnEnd(t *testing.T) {
	g := newStage(t, cartOld).deployment(4, 4, 4, 7).run(70)
	g.told()
	g.set(1, cartNew).deployment(4, 1, 3, 8).run(1)
	g.deployment(4, 3, 4, 8).run(1)
	g.deployment(4, 4, 4, 8).run(6)
	if got, want := g.told(), "rollout of deployment shop/cart: cart-6c8b7d9f5b → cart-5d9c7b8f6d; rollout of deployment shop/cart has ended after 2 min"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}

	// One that hangs is late after three minutes, told once, and ends when it ends; a restart in between changes nothing.
	g.deployment(4, 2, 3, 9).run(4)
	if got := g.told(); got != "rollout of deployment shop/cart" {
		t.Errorf("going on with another revision: told %q", got)
	}
	g.moved()
	g.run(8)
	if got, want := g.told(), "rollout of deployment shop/cart is late: after 7 min 2 of 4 are updated, 3 available"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	g.run(30)
	g.deployment(4, 4, 4, 9).run(5)
	if got, want := g.told(), "rollout of deployment shop/cart has ended after 42 min"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

// The only replica is old and available while the new one does not get ready: that is no end. Without history ten minutes are given.
func TestOldReplicaIsNoEnd(t *testing.T) {
	const all = `kube_deployment_status_replicas{namespace="shop",deployment="cart"}`
	g := newStage(t, cartOld).deployment(1, 1, 1, 7).set(1, all).run(70)
	g.told()
	g.set(1, cartNew).set(2, all).deployment(1, 1, 1, 8).run(9)
	if got, want := g.told(), "rollout of deployment shop/cart: cart-6c8b7d9f5b → cart-5d9c7b8f6d"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	g.run(4)
	if got := g.told(); !strings.Contains(got, "is late: after 11 min 1 of 1 are updated, 1 available") && !strings.Contains(got, "is late: after 10 min 1 of 1 are updated, 1 available") {
		t.Errorf("told %q", got)
	}
	g.set(1, all).run(5)
	if got := g.told(); !strings.Contains(got, "has ended after 1") {
		t.Errorf("told %q", got)
	}
}

// More replicas are no rollout, nor is a new generation, nor replicas that are not ready.
func TestScalingIsNoRollout(t *testing.T) {
	g := newStage(t, cartOld).deployment(4, 4, 4, 7).run(70)
	g.told()
	g.deployment(8, 4, 4, 8).run(3)
	g.deployment(8, 8, 8, 8).run(10)
	g.deployment(8, 8, 5, 8).run(10)
	g.deployment(8, 8, 8, 9).run(10)
	g.deployment(3, 3, 3, 10).run(10)
	if got := g.told(); got != "" {
		t.Errorf("told %q", got)
	}
}

// A controller that gives up is late at once.
func TestRolloutThatWasGivenUp(t *testing.T) {
	g := newStage(t, cartOld).deployment(4, 4, 4, 7)
	g.set(0, `kube_deployment_status_condition{namespace="shop",deployment="cart",condition="Progressing",status="false"}`)
	g.set(1, `kube_deployment_status_condition{namespace="shop",deployment="cart",condition="Progressing",status="true"}`).run(70)
	g.told()
	g.set(1, cartNew).deployment(4, 1, 3, 8)
	g.set(1, `kube_deployment_status_condition{namespace="shop",deployment="cart",condition="Progressing",status="false"}`).run(4)
	if got := g.told(); !strings.Contains(got, "is late: after") || strings.Count(got, "late") != 1 {
		t.Errorf("told %q", got)
	}
}

// A limit that the pods of a workload no longer have was removed; that its pods are gone says nothing.
func TestLimitThatWasRemoved(t *testing.T) {
	pod := func(metric, more string) string {
		return metric + `{namespace="shop",pod="web-0",container="web"` + more + `}`
	}
	limit := pod("kube_pod_container_resource_limits", `,resource="cpu",unit="core"`)
	info := pod("kube_pod_container_info", `,image="web:1"`)
	other := `kube_pod_container_resource_limits{namespace="shop",pod="db-0",container="db",resource="cpu",unit="core"}`
	owner := `kube_pod_owner{namespace="shop",pod="web-0",owner_kind="StatefulSet",owner_name="web"}`
	g := newStage(t, info, other, owner).set(.5, limit).run(70)
	g.got = nil
	g.drop(limit).run(12)
	if got := strings.Join(g.got, "; "); got != "limits of statefulset shop/web: limit 500m CPU → none" {
		t.Errorf("told %q", got)
	}
	g = newStage(t, info, other, owner).set(.5, limit).run(70)
	g.got = nil
	g.drop(limit, info, owner).run(12)
	if got := strings.Join(g.got, "; "); got != "" {
		t.Errorf("a workload that is gone: told %q", got)
	}
}

// The two faults of the simulated cluster that are about rollouts: what is told, in order, and that the cohorts' signal shows the bad kernel
// once three nodes run it.
func TestSimulatedUpgradeAndStuckRollout(t *testing.T) {
	const minute = int64(60_000)
	start := scenario.Epoch + 28*hour
	for _, live := range []bool{false, true} {
		c := scenario.Config{Seed: 7, Profile: scenario.Profile{Name: "eight", Nodes: 8, Workloads: 40}, Quiet: true, Live: live, Replicas: 2, Shards: 4,
			StartMs: start - 70*minute, Faults: []scenario.Fault{{Kind: scenario.RolloutStuck, StartMs: start}, {Kind: scenario.NodeUpgrade, StartMs: start + 2*hour}}}
		packs, err := pack.Embedded()
		if err != nil {
			t.Fatal(err)
		}
		var got []change.Change
		delta, duration := 0.0, 0.0
		s, err := NewStream(StreamOptions{Packs: packs}, func(w *Window) {
			got = append(got, w.Changes...)
			for _, o := range w.Observations {
				switch o.Signal.Rule.Name {
				case "roll.duration":
					duration = max(duration, o.Value)
				case "upg.cohort_retrans":
					if w.End < start+2*hour+42*minute && o.Value != 0 {
						t.Errorf("live %v: cohorts are compared at %d", live, (w.End-start)/minute)
					}
					delta = max(delta, o.Value)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		play(s, generator(t, c), start+4*hour-5*minute)
		told := map[change.Kind][]string{}
		for _, x := range got {
			if x.Kind != change.Scale && x.Kind != change.Restart {
				told[x.Kind] = append(told[x.Kind], fmt.Sprint(x.Object, " ", (x.T-start)/minute))
			}
		}
		for kind, want := range map[change.Kind]string{
			change.Rollout: "deployment shop/catalog 0", change.Stuck: "deployment shop/catalog 10|deployment shop/catalog 11|deployment shop/catalog 12",
			change.Rolled: "deployment shop/catalog 40|deployment shop/catalog 41|deployment shop/catalog 42",
			change.Cordon: "node node-8 120, node node-7 135, node node-6 150, node node-5 165", change.Uncordon: "node node-8 133, node node-7 148, node node-6 163, node node-5 178",
		} {
			have := strings.Join(told[kind], ", ")
			if !slices.Contains(strings.Split(want, "|"), have) {
				t.Errorf("live %v: %s of %s, want %s", live, kind, have, want)
			}
			delete(told, kind)
		}
		for _, kind := range []change.Kind{change.Drain, change.Reboot, change.Version} {
			if len(told[kind]) != 4 {
				t.Errorf("live %v: %s of %v", live, kind, told[kind])
			}
			delete(told, kind)
		}
		if len(told) > 0 {
			t.Errorf("live %v: also told: %v", live, told)
		}
		if !(delta > 1) {
			t.Errorf("live %v: upgraded nodes lose %v times as many segments more", live, delta)
		}
		if duration < 25*60 {
			t.Errorf("live %v: the stuck rollout was late by %v s", live, duration)
		}
	}
}
