package signal

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
)

// clusterChanges is what was told of a simulated cluster, and what it did.
type clusterChanges struct {
	t        *testing.T
	live     bool
	from, to int64
	sets     map[string]bool // ReplicaSets that were seen
	rollouts map[string]bool // those that appeared after the first hour, and early enough to be told, as "deployment namespace/name → ReplicaSet"
	got      []change.Change
	kinds    map[change.Kind]int // how many were told
}

// simulateChanges plays a cluster with faults that change it, sent by an HA pair with shards.
func simulateChanges(t *testing.T, live bool) *clusterChanges {
	c := scenario.Config{Seed: 3, Replicas: 2, Shards: 4, StartMs: scenario.Epoch + 8*hour, Live: live, Faults: []scenario.Fault{
		{Kind: scenario.RBAC403, StartMs: scenario.Epoch + 10*hour}, {Kind: scenario.CPULimitHalved, StartMs: scenario.Epoch + 11*hour},
		{Kind: scenario.PrometheusStall, StartMs: scenario.Epoch + 10*hour}, {Kind: scenario.MemoryLeak, StartMs: scenario.Epoch + 10*hour}}}
	length := int64(12 * hour)
	if live {
		length = 4 * hour
	}
	x := &clusterChanges{t: t, live: live, from: c.StartMs, to: c.StartMs + length, sets: map[string]bool{}, rollouts: map[string]bool{}, kinds: map[change.Kind]int{}}
	s, err := NewStream(StreamOptions{}, x.told)
	if err != nil {
		t.Fatal(err)
	}
	g := generator(t, c)
	for {
		r, ok := g.Next(x.to)
		if !ok {
			return x
		}
		x.seen(&r.Batch)
		s.Apply(&r.Batch)
	}
}

func (x *clusterChanges) told(w *Window) {
	for _, c := range w.Changes {
		if c.T > w.End || w.End-c.T > 10*60_000 {
			x.t.Errorf("%s at %d was told with the window that ends at %d", c.Text(), c.T, w.End)
		}
		x.got = append(x.got, c)
		x.kinds[c.Kind]++
	}
}

// seen notes the ReplicaSets that appear in a request.
func (x *clusterChanges) seen(b *series.Batch) {
	var l series.Labels
	for i := range b.Entries {
		if l, _ = b.Labels.AppendLabels(l[:0], i); l.Get(series.NameLabel) != "kube_replicaset_owner" {
			continue
		}
		k, at := l.Get("namespace")+"/"+l.Get("replicaset"), b.Samples[b.Entries[i].SampleLo].T
		if x.sets[k] {
			continue
		}
		x.sets[k] = true
		if at >= x.from+hour && at < x.to-10*60_000 {
			x.rollouts[fmt.Sprintf("deployment %s/%s → %s", l.Get("namespace"), l.Get("owner_name"), l.Get("replicaset"))] = true
		}
	}
}

// toldOnce holds that nothing was told twice.
func (x *clusterChanges) toldOnce() {
	x.t.Helper()
	seen := map[string]bool{}
	for _, c := range x.got {
		k := fmt.Sprint(c.T, c.Kind, c.Object)
		if seen[k] {
			x.t.Errorf("live %v: told twice: %s", x.live, c.Text())
		}
		seen[k] = true
	}
}

// rolloutsAreReplicaSets holds that a rollout was told for each new ReplicaSet, and none besides.
func (x *clusterChanges) rolloutsAreReplicaSets() {
	x.t.Helper()
	left := maps.Clone(x.rollouts)
	for _, c := range x.got {
		if c.Kind != change.Rollout || c.T >= x.to-10*60_000 {
			continue
		}
		found := false
		for to := range strings.SplitSeq(c.To, ", ") { // the ReplicaSet and the image
			k := c.Object + " → " + to
			found = found || left[k]
			delete(left, k)
		}
		if !found {
			x.t.Errorf("live %v: no ReplicaSet behind %s", x.live, c.Text())
		}
		if c.Entity.Get("workload") == "" || c.Entity.Get("workload_type") != "deployment" {
			x.t.Errorf("rollout of %v", c.Entity)
		}
	}
	for k := range left {
		x.t.Errorf("live %v: not told: %s", x.live, k)
	}
	if n := x.kinds[change.Rollout]; n < 3 {
		x.t.Errorf("live %v: %d rollouts", x.live, n)
	}
}

// rolloutsEnd holds that every rollout ends as long as a pod a minute takes, and none is stuck.
func (x *clusterChanges) rolloutsEnd() {
	x.t.Helper()
	for _, c := range x.got {
		if c.Kind != change.Rollout || c.T > x.to-20*60_000 {
			continue
		}
		if !slices.ContainsFunc(x.got, func(y change.Change) bool {
			return y.Kind == change.Rolled && y.Object == c.Object && y.T > c.T+60_000 && y.T < c.T+8*60_000
		}) {
			x.t.Errorf("live %v: no end of the %s", x.live, c.Text())
		}
	}
	if n := x.kinds[change.Stuck]; n > 0 {
		x.t.Errorf("live %v: %d rollouts are late", x.live, n)
	}
}

// has holds that a change was told of an object, within a minute and a half of its time.
func (x *clusterChanges) has(at int64, kind change.Kind, object string) {
	x.t.Helper()
	if !slices.ContainsFunc(x.got, func(c change.Change) bool {
		return c.Kind == kind && c.Object == object && c.T >= at && c.T <= at+90_000
	}) {
		x.t.Errorf("live %v: no %s of %s at %d", x.live, kind, object, at)
	}
}

// TestChangesOfASimulatedCluster compares what is told with what the simulated cluster did: every ReplicaSet that appeared is a
// rollout of its Deployment and nothing else is, and the faults' own changes are there. An HA pair with shards tells nothing twice.
func TestChangesOfASimulatedCluster(t *testing.T) {
	for _, live := range []bool{false, true} {
		x := simulateChanges(t, live)
		x.toldOnce()
		x.rolloutsAreReplicaSets()
		x.rolloutsEnd()
		x.has(scenario.Epoch+10*hour, change.RBAC, "rolebinding ci/ci-deployer")
		x.has(scenario.Epoch+10*hour+30*60_000, change.RBAC, "rolebinding ci/ci-deployer")
		x.has(scenario.Epoch+10*hour, change.Rollout, "deployment shop/recommendations")
		x.has(scenario.Epoch+11*hour, change.Limits, "deployment shop/checkout")
		if !live {
			x.has(scenario.Epoch+13*hour, change.Limits, "deployment shop/checkout")
			if x.kinds[change.OOM] == 0 {
				t.Error("the leak's victim was not said to be killed for memory")
			}
		}
		for _, k := range []change.Kind{change.Cordon, change.Drain, change.NodeGone, change.NodeNew, change.Reboot, change.Version, change.Secret, change.Config} {
			if x.kinds[k] > 0 {
				t.Errorf("live %v: %d changes of kind %s in a cluster that had none", live, x.kinds[k], k)
			}
		}
	}
}

// TestQuietClusterHasNoChanges holds that CronJobs, shards and kube-state-metrics' own life are no changes. What its autoscalers do at the
// daily peak is told.
func TestQuietClusterHasNoChanges(t *testing.T) {
	for _, c := range []scenario.Config{
		{Seed: 1, Quiet: true, StartMs: scenario.Epoch + 6*hour},
		{Seed: 2, Quiet: true, Live: true, Replicas: 2, Shards: 3, StartMs: scenario.Epoch + 6*hour},
	} {
		length := int64(20 * hour)
		if c.Live {
			length = 2*hour + hour/2
		}
		s, err := NewStream(StreamOptions{}, func(w *Window) {
			for _, x := range w.Changes {
				if x.Kind != change.Scale || !strings.HasSuffix(x.To, "by its autoscaler") {
					t.Errorf("live %v: %s", c.Live, x.Text())
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		play(s, generator(t, c), c.StartMs+length)
	}
}

// TestFirstHourIsNoChange holds that what a cluster does in its first hour is how it is.
func TestFirstHourIsNoChange(t *testing.T) {
	g := newStage(t, cartSet, cartReplicas).run(30)
	g.set(4, cartReplicas).set(1, strings.ReplaceAll(cartSet, "5d78c9869d", "84557f7547")).run(60)
	g.want("first hour")
	g.set(5, cartReplicas).run(3)
	g.want("afterwards", "deployment shop/cart scaled: 4 → 5")
}

// TestPairTellsOnce holds that an HA pair, and two Prometheus whose series differ by a label, tell of a change once.
func TestPairTellsOnce(t *testing.T) {
	twin := `kube_deployment_spec_replicas{namespace="shop",deployment="cart",region="eu"}`
	g := newStage(t, cartSet, cartReplicas, twin)
	g.senders = []string{"a", "b"}
	g.run(70).set(6, cartReplicas, twin).run(5)
	g.want("pair", "deployment shop/cart scaled: 1 → 6")
}

// TestNodeChangesNameTheirWorkloads holds that a change to a node says whose pods were there, and that workloads are those of owners.
func TestNodeChangesNameTheirWorkloads(t *testing.T) {
	lines := append(podLines("shop", cartPod, "n1", "ReplicaSet", "cart-5d78c9869d"), cartSet, n1Unschedulable)
	lines = append(lines, podLines("kube-system", "agent-x7k2p", "n1", "DaemonSet", "agent")...)
	g := newStage(t, lines...).set(0, n1Unschedulable).run(70).set(1, n1Unschedulable).run(3)
	if len(g.all) != 1 || strings.Join(g.all[0].Works, " ") != "kube-system/agent shop/cart" || g.all[0].Entity.Get("node") != "n1" {
		t.Errorf("%+v", g.all)
	}
}

// TestKeepListHasTheMetricsOfChanges holds that a sender that follows the printed list sends them.
func TestKeepListHasTheMetricsOfChanges(t *testing.T) {
	keep := pack.KeepList(nil)
	for _, n := range append(change.Metrics(), "kube_pod_owner") {
		if !slices.Contains(keep, n) {
			t.Errorf("the keep-list lacks %s", n)
		}
	}
	if !slices.IsSorted(keep) || len(slices.Compact(slices.Clone(keep))) != len(keep) {
		t.Error("the keep-list is not sorted or has doubles")
	}
}
