package signal

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
)

// TestChangesOfASimulatedCluster compares what is told with what the simulated cluster did: every ReplicaSet that appeared is a
// rollout of its Deployment and nothing else is, and the faults' own changes are there. An HA pair with shards tells nothing twice.
func TestChangesOfASimulatedCluster(t *testing.T) {
	for _, live := range []bool{false, true} {
		c := scenario.Config{Seed: 3, Replicas: 2, Shards: 4, StartMs: scenario.Epoch + 8*hour, Live: live, Faults: []scenario.Fault{
			{Kind: scenario.RBAC403, StartMs: scenario.Epoch + 10*hour}, {Kind: scenario.CPULimitHalved, StartMs: scenario.Epoch + 11*hour},
			{Kind: scenario.PrometheusStall, StartMs: scenario.Epoch + 10*hour}, {Kind: scenario.MemoryLeak, StartMs: scenario.Epoch + 10*hour}}}
		length := int64(12 * hour)
		if live {
			length = 4 * hour
		}
		var got []change.Change
		s, err := NewStream(StreamOptions{}, func(w *Window) {
			for _, x := range w.Changes {
				if x.T > w.End || w.End-x.T > 10*60_000 {
					t.Errorf("%s at %d was told with the window that ends at %d", x.Text(), x.T, w.End)
				}
				got = append(got, x)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]bool{}
		sets := map[string]int64{}
		g := generator(t, c)
		var l series.Labels
		for {
			r, ok := g.Next(c.StartMs + length)
			if !ok {
				break
			}
			for i := range r.Entries {
				if l, _ = r.AppendLabels(l[:0], i); l.Get(series.NameLabel) != "kube_replicaset_owner" {
					continue
				}
				k, at := l.Get("namespace")+"/"+l.Get("replicaset"), r.Samples[r.Entries[i].SampleLo].T
				if _, ok := sets[k]; !ok {
					sets[k] = at
					if at >= c.StartMs+hour && at < c.StartMs+length-10*60_000 {
						want[fmt.Sprintf("deployment %s/%s → %s", l.Get("namespace"), l.Get("owner_name"), l.Get("replicaset"))] = true
					}
				}
			}
			s.Apply(&r.Batch)
		}
		kinds := map[change.Kind]int{}
		seen := map[string]bool{}
		for _, x := range got {
			kinds[x.Kind]++
			k := fmt.Sprint(x.T, x.Kind, x.Object)
			if seen[k] {
				t.Errorf("live %v: told twice: %s", live, x.Text())
			}
			seen[k] = true
			if x.Kind == change.Rollout && x.T < c.StartMs+length-10*60_000 {
				found := false
				for to := range strings.SplitSeq(x.To, ", ") { // the ReplicaSet and the image
					k := x.Object + " → " + to
					found = found || want[k]
					delete(want, k)
				}
				if !found {
					t.Errorf("live %v: no ReplicaSet behind %s", live, x.Text())
				}
				if x.Entity.Get("workload") == "" || x.Entity.Get("workload_type") != "deployment" {
					t.Errorf("rollout of %v", x.Entity)
				}
			}
		}
		for k := range want {
			t.Errorf("live %v: not told: %s", live, k)
		}
		has := func(at int64, kind change.Kind, object string) {
			t.Helper()
			if !slices.ContainsFunc(got, func(x change.Change) bool {
				return x.Kind == kind && x.Object == object && x.T >= at && x.T <= at+90_000
			}) {
				t.Errorf("live %v: no %s of %s at %d", live, kind, object, at)
			}
		}
		has(scenario.Epoch+10*hour, change.RBAC, "rolebinding ci/ci-deployer")
		has(scenario.Epoch+10*hour+30*60_000, change.RBAC, "rolebinding ci/ci-deployer")
		has(scenario.Epoch+10*hour, change.Rollout, "deployment shop/recommendations")
		has(scenario.Epoch+11*hour, change.Limits, "deployment shop/checkout")
		if !live {
			has(scenario.Epoch+13*hour, change.Limits, "deployment shop/checkout")
			if kinds[change.OOM] == 0 {
				t.Error("the leak's victim was not said to be killed for memory")
			}
		}
		if n := kinds[change.Rollout]; n < 3 {
			t.Errorf("live %v: %d rollouts", live, n)
		}
		// Every one ends as long as a pod a minute takes, and none is stuck.
		for _, x := range got {
			if x.Kind != change.Rollout || x.T > c.StartMs+length-20*60_000 {
				continue
			}
			if !slices.ContainsFunc(got, func(y change.Change) bool {
				return y.Kind == change.Rolled && y.Object == x.Object && y.T > x.T+60_000 && y.T < x.T+8*60_000
			}) {
				t.Errorf("live %v: no end of the %s", live, x.Text())
			}
		}
		if n := kinds[change.Stuck]; n > 0 {
			t.Errorf("live %v: %d rollouts are late", live, n)
		}
		for _, k := range []change.Kind{change.Cordon, change.Drain, change.NodeGone, change.NodeNew, change.Reboot, change.Version, change.Secret, change.Config} {
			if kinds[k] > 0 {
				t.Errorf("live %v: %d changes of kind %s in a cluster that had none", live, kinds[k], k)
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

// stage is a cluster made of lines that a kube-state-metrics and others show every 30 s.
type stage struct {
	t       *testing.T
	s       *Stream
	at      int64
	names   []string
	vals    map[string]float64
	silent  bool // nothing arrives
	senders []string
	got     []string
	all     []change.Change
}

func newStage(t *testing.T, lines ...string) *stage {
	g := &stage{t: t, at: t0, vals: map[string]float64{}, senders: []string{"a"}}
	g.s = g.stream()
	g.set(1, `up{job="x",instance="x:1"}`)
	for _, l := range lines {
		g.set(1, l)
	}
	return g
}

func (g *stage) stream() *Stream {
	s, err := NewStream(StreamOptions{Packs: packOf(rule("x.up", `sum by (cluster) (up)`))}, func(w *Window) {
		for _, c := range w.Changes {
			g.got = append(g.got, c.Text())
			g.all = append(g.all, c)
		}
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return s
}

func (g *stage) set(v float64, names ...string) *stage {
	for _, n := range names {
		if _, ok := g.vals[n]; !ok {
			g.names = append(g.names, n)
		}
		g.vals[n] = v
	}
	return g
}

// drop ends series with stale markers.
func (g *stage) drop(names ...string) *stage {
	b := newBatch(g.at + 1000)
	for _, n := range names {
		b.add(n, g.at, series.StaleNaN)
		g.names = slices.DeleteFunc(g.names, func(x string) bool { return x == n })
		delete(g.vals, n)
	}
	g.s.Apply(&b.Batch)
	g.at += 30_000
	return g
}

func (g *stage) run(minutes int) *stage {
	for range 2 * minutes {
		if !g.silent {
			for i, from := range g.senders {
				b := newBatch(g.at + 1000)
				b.Sender = from
				for _, n := range g.names {
					text := n
					if len(g.senders) > 1 {
						text = strings.TrimSuffix(n, "}") + `,prometheus_replica="` + from + `"}`
					}
					b.add(text, g.at+int64(i)*7000, g.vals[n])
				}
				g.s.Apply(&b.Batch)
			}
		}
		g.at += 30_000
	}
	return g
}

// moved restores the stage's stream in a new one.
func (g *stage) moved() *stage {
	state := g.s.AppendState(nil)
	g.s = g.stream()
	if err := g.s.RestoreState(state); err != nil {
		g.t.Fatal(err)
	}
	return g
}

func (g *stage) want(what string, texts ...string) {
	g.t.Helper()
	if strings.Join(g.got, "\n") != strings.Join(texts, "\n") {
		g.t.Errorf("%s: told\n  %s\nwant\n  %s", what, strings.Join(g.got, "\n  "), strings.Join(texts, "\n  "))
	}
	g.got = nil
}

func podLines(ns, pod, node, kind, owner string) []string {
	at := `namespace="` + ns + `",pod="` + pod + `"`
	return []string{`kube_pod_owner{` + at + `,owner_kind="` + kind + `",owner_name="` + owner + `"}`, `kube_pod_info{` + at + `,node="` + node + `"}`}
}

const cartSet = `kube_replicaset_owner{namespace="shop",replicaset="cart-5d78c9869d",owner_kind="Deployment",owner_name="cart"}`

func TestKindsOfChange(t *testing.T) {
	replicas := `kube_deployment_spec_replicas{namespace="shop",deployment="cart"}`
	sets := `kube_statefulset_replicas{namespace="shop",statefulset="db"}`
	binding := `kube_rolebinding_metadata_resource_version{namespace="ci",rolebinding="deployer"}`
	config := `kube_configmap_metadata_resource_version{namespace="shop",configmap="settings"}`
	webhook := `kube_validatingwebhookconfiguration_metadata_resource_version{validatingwebhookconfiguration="guard"}`
	unschedulable := `kube_node_spec_unschedulable{node="n1"}`
	boot := `node_boot_time_seconds{instance="10.0.0.1:9100"}`
	build := `kubernetes_build_info{job="apiserver",instance="10.0.0.1:6443",git_version="v1.35.2"}`
	info := func(node, kubelet string) string {
		return `kube_node_info{node="` + node + `",internal_ip="10.0.0.` + node[1:] + `",kubelet_version="` + kubelet + `",kernel_version="6.12",os_image="Flatcar",container_runtime_version="containerd://2.1"}`
	}
	image := func(pod, v string) string {
		return `kube_pod_container_info{namespace="shop",pod="` + pod + `",container="cart",image="shop/cart:` + v + `"}`
	}
	limit := func(pod, which, resource string) string {
		return `kube_pod_container_resource_` + which + `{namespace="shop",pod="` + pod + `",container="cart",resource="` + resource + `"}`
	}
	restarts := `kube_pod_container_status_restarts_total{namespace="shop",pod="cart-5d78c9869d-x7k2p",container="cart"}`
	reason := `kube_pod_container_status_last_terminated_reason{namespace="shop",pod="cart-5d78c9869d-x7k2p",container="cart",reason="OOMKilled"}`
	old := "cart-5d78c9869d-x7k2p"
	base := append([]string{cartSet, info("n1", "v1.35.2"), info("n2", "v1.35.2"), unschedulable, `kube_node_spec_unschedulable{node="n2"}`, build, binding, config, webhook, replicas, sets, boot, image(old, "1"), restarts, limit(old, "limits", "cpu"), limit(old, "limits", "memory")},
		podLines("shop", old, "n1", "ReplicaSet", "cart-5d78c9869d")...)
	grow := func() *stage {
		g := newStage(t, base...)
		g.set(0, unschedulable, `kube_node_spec_unschedulable{node="n2"}`).set(3, replicas, sets).set(1.77e9, boot).set(512<<20, limit(old, "limits", "memory")).set(100, binding, config, webhook).set(0, restarts)
		return g.run(70)
	}
	for _, c := range []struct {
		name string
		do   func(g *stage)
		want []string
	}{
		{"nothing", func(g *stage) { g.run(30) }, nil},
		{"scaled", func(g *stage) { g.set(5, replicas).run(3) }, []string{"deployment shop/cart scaled: 3 → 5"}},
		{"a StatefulSet scaled", func(g *stage) { g.set(2, sets).run(3) }, []string{"statefulset shop/db scaled: 3 → 2"}},
		{"scaled by its autoscaler", func(g *stage) {
			d := `kube_horizontalpodautoscaler_status_desired_replicas{namespace="shop",horizontalpodautoscaler="cart"}`
			g.set(3, d).run(10).set(4, d, replicas).run(3)
		}, []string{"deployment shop/cart scaled: 3 → 4 by its autoscaler"}},
		{"an autoscaler's bounds", func(g *stage) {
			d := `kube_horizontalpodautoscaler_spec_max_replicas{namespace="shop",horizontalpodautoscaler="cart"}`
			g.set(8, d).run(10).set(12, d).run(3)
		}, []string{"autoscaler shop/cart: max 8 → max 12"}},
		{"one scrape only", func(g *stage) {
			g.set(5, replicas).set(101, config)
			g.at += 0
			b := newBatch(g.at + 1000)
			for _, n := range g.names {
				b.add(n, g.at, g.vals[n])
			}
			g.s.Apply(&b.Batch)
			g.at += 30_000
			g.set(3, replicas).set(100, config).run(5)
		}, nil},
		{"a new ReplicaSet with another image and other limits", func(g *stage) {
			pod := "cart-84557f7547-bcdfg"
			g.set(1, strings.ReplaceAll(cartSet, "5d78c9869d", "84557f7547"), image(pod, "2")).set(0.5, limit(pod, "limits", "cpu")).set(512<<20, limit(pod, "limits", "memory"))
			g.set(1, podLines("shop", pod, "n2", "ReplicaSet", "cart-84557f7547")...).run(2)
			g.drop(image(old, "1"), restarts, limit(old, "limits", "cpu"), limit(old, "limits", "memory")).run(20)
		}, []string{"limits of deployment shop/cart: limit 1 CPU → limit 500m CPU", "rollout of deployment shop/cart: cart-5d78c9869d, shop/cart:1 → cart-84557f7547, shop/cart:2"}},
		{"resized in place", func(g *stage) { g.set(1<<30, limit(old, "limits", "memory")).run(5) }, []string{"limits of deployment shop/cart: limit 512 MiB → limit 1 GiB"}},
		{"a role binding", func(g *stage) { g.set(117, binding).run(3) }, []string{"rolebinding ci/deployer changed"}},
		{"a new role binding", func(g *stage) { g.set(5, strings.ReplaceAll(binding, "deployer", "admin")).run(3) }, []string{"rolebinding ci/admin: created"}},
		{"a deleted webhook", func(g *stage) {
			g.set(7, `kube_validatingwebhookconfiguration_metadata_resource_version{validatingwebhookconfiguration="other"}`).run(3)
			g.drop(webhook).run(12)
		}, []string{"validatingwebhookconfiguration other: created", "validatingwebhookconfiguration guard: deleted"}},
		{"a config map", func(g *stage) { g.set(101, config).run(3) }, []string{"configmap shop/settings changed"}},
		{"a config map that changes all the time", func(g *stage) {
			for i := range 60 {
				g.set(float64(200+i), config).run(2)
			}
		}, slices.Repeat([]string{"configmap shop/settings changed"}, 6)},
		{"cordoned and drained", func(g *stage) {
			g.set(1, unschedulable).run(4)
			g.drop(append(podLines("shop", old, "n1", "ReplicaSet", "cart-5d78c9869d"), image(old, "1"), restarts, limit(old, "limits", "cpu"), limit(old, "limits", "memory"))...).run(4)
			g.set(0, unschedulable).run(3)
		}, []string{"node n1 cordoned", "node n1 drained: 1 → 0 pods", "node n1 uncordoned"}},
		{"rebooted", func(g *stage) { g.set(1.77e9+1, boot).run(3).set(1.7701e9, boot).run(3) }, []string{"node n1 rebooted: 2026-02-03 06:26 UTC"}},
		{"a node joins", func(g *stage) { g.set(1, info("n3", "v1.35.2")).run(3) }, []string{"node n3 joined"}},
		{"a node is gone", func(g *stage) { g.drop(info("n2", "v1.35.2")).run(12) }, []string{"node n2 is gone"}},
		{"a kubelet is upgraded", func(g *stage) { g.drop(info("n2", "v1.35.2")).set(1, info("n2", "v1.36.0")).run(12) }, []string{"node n2: kubelet v1.35.2 → kubelet v1.36.0"}},
		{"the API server is upgraded", func(g *stage) {
			g.drop(build).set(1, strings.ReplaceAll(build, "35.2", "36.0")).run(5)
		}, []string{"kubernetes of job apiserver: v1.35.2 → v1.36.0"}},
		{"restarted", func(g *stage) { g.set(1, restarts).run(5) }, []string{"deployment shop/cart restarted"}},
		{"killed for memory", func(g *stage) { g.set(2, restarts).set(1, reason).run(5) }, []string{"deployment shop/cart was killed at its memory limit: 2 times"}},
		{"kube-state-metrics starts anew under another name", func(g *stage) {
			names := slices.Clone(g.names)
			vals := map[string]float64{}
			for _, n := range names {
				vals[n] = g.vals[n]
			}
			g.drop(names...)
			for _, n := range names {
				g.set(vals[n], strings.TrimSuffix(n, "}")+`,scraper="new"}`)
			}
			g.run(30)
		}, nil},
		{"half an hour without a sender, and all is changed", func(g *stage) {
			g.silent = true
			g.run(30)
			g.silent = false
			g.set(9, replicas).set(300, config).set(1, strings.ReplaceAll(cartSet, "5d78c9869d", "84557f7547"), info("n4", "v1.35.2")).run(30)
		}, nil},
		{"three minutes without a sender", func(g *stage) {
			g.silent = true
			g.run(3)
			g.silent = false
			g.set(9, replicas).run(4)
		}, []string{"deployment shop/cart scaled: 3 → 9"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := grow()
			g.t = t
			g.want("before")
			c.do(g)
			g.want(c.name, c.want...)
			// The same with a restart before, from whose state all must go on.
			h := grow()
			h.t = t
			h.moved()
			c.do(h)
			h.moved().run(1)
			h.want(c.name+", restored", c.want...)
		})
	}
}

// TestFirstHourIsNoChange holds that what a cluster does in its first hour is how it is.
func TestFirstHourIsNoChange(t *testing.T) {
	replicas := `kube_deployment_spec_replicas{namespace="shop",deployment="cart"}`
	g := newStage(t, cartSet, replicas).run(30)
	g.set(4, replicas).set(1, strings.ReplaceAll(cartSet, "5d78c9869d", "84557f7547")).run(60)
	g.want("first hour")
	g.set(5, replicas).run(3)
	g.want("afterwards", "deployment shop/cart scaled: 4 → 5")
}

// TestPairTellsOnce holds that an HA pair, and two Prometheus whose series differ by a label, tell of a change once.
func TestPairTellsOnce(t *testing.T) {
	replicas := `kube_deployment_spec_replicas{namespace="shop",deployment="cart"}`
	twin := `kube_deployment_spec_replicas{namespace="shop",deployment="cart",region="eu"}`
	g := newStage(t, cartSet, replicas, twin)
	g.senders = []string{"a", "b"}
	g.run(70).set(6, replicas, twin).run(5)
	g.want("pair", "deployment shop/cart scaled: 1 → 6")
}

// TestNodeChangesNameTheirWorkloads holds that a change to a node says whose pods were there, and that workloads are those of owners.
func TestNodeChangesNameTheirWorkloads(t *testing.T) {
	node := `kube_node_spec_unschedulable{node="n1"}`
	lines := append(podLines("shop", "cart-5d78c9869d-x7k2p", "n1", "ReplicaSet", "cart-5d78c9869d"), cartSet, node)
	lines = append(lines, podLines("kube-system", "agent-x7k2p", "n1", "DaemonSet", "agent")...)
	g := newStage(t, lines...).set(0, node).run(70).set(1, node).run(3)
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
