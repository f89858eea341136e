package signal

import (
	"slices"
	"strings"
	"testing"
)

// The cluster of which the kinds of change are asked, as kube-state-metrics and others show it.
const (
	cartPod         = "cart-5d78c9869d-x7k2p"
	cartSet         = `kube_replicaset_owner{namespace="shop",replicaset="cart-5d78c9869d",owner_kind="Deployment",owner_name="cart"}`
	cartReplicas    = `kube_deployment_spec_replicas{namespace="shop",deployment="cart"}`
	cartRestarts    = `kube_pod_container_status_restarts_total{namespace="shop",pod="` + cartPod + `",container="cart"}`
	cartKilled      = `kube_pod_container_status_last_terminated_reason{namespace="shop",pod="` + cartPod + `",container="cart",reason="OOMKilled"}`
	dbReplicas      = `kube_statefulset_replicas{namespace="shop",statefulset="db"}`
	ciBinding       = `kube_rolebinding_metadata_resource_version{namespace="ci",rolebinding="deployer"}`
	shopSettings    = `kube_configmap_metadata_resource_version{namespace="shop",configmap="settings"}`
	guardWebhook    = `kube_validatingwebhookconfiguration_metadata_resource_version{validatingwebhookconfiguration="guard"}`
	n1Unschedulable = `kube_node_spec_unschedulable{node="n1"}`
	n2Unschedulable = `kube_node_spec_unschedulable{node="n2"}`
	n1Boot          = `node_boot_time_seconds{instance="10.0.0.1:9100"}`
	apiBuild        = `kubernetes_build_info{job="apiserver",instance="10.0.0.1:6443",git_version="v1.35.2"}`
)

func nodeInfo(node, kubelet string) string {
	return `kube_node_info{node="` + node + `",internal_ip="10.0.0.` + node[1:] + `",kubelet_version="` + kubelet + `",kernel_version="6.12",os_image="Flatcar",container_runtime_version="containerd://2.1"}`
}

func cartImage(pod, v string) string {
	return `kube_pod_container_info{namespace="shop",pod="` + pod + `",container="cart",image="shop/cart:` + v + `"}`
}

func cartLimit(pod, resource string) string {
	return `kube_pod_container_resource_limits{namespace="shop",pod="` + pod + `",container="cart",resource="` + resource + `"}`
}

// kindsStage is that cluster after its first hour, which is learned.
func kindsStage(t *testing.T) *stage {
	g := newStage(t, cartSet, nodeInfo("n1", "v1.35.2"), nodeInfo("n2", "v1.35.2"), n1Unschedulable, n2Unschedulable, apiBuild, ciBinding, shopSettings, guardWebhook,
		cartReplicas, dbReplicas, n1Boot, cartImage(cartPod, "1"), cartRestarts, cartLimit(cartPod, "cpu"), cartLimit(cartPod, "memory"))
	g.set(1, podLines("shop", cartPod, "n1", "ReplicaSet", "cart-5d78c9869d")...)
	g.set(0, n1Unschedulable, n2Unschedulable, cartRestarts).set(3, cartReplicas, dbReplicas).set(1.77e9, n1Boot)
	g.set(512<<20, cartLimit(cartPod, "memory")).set(100, ciBinding, shopSettings, guardWebhook)
	return g.run(70)
}

// kindOfChange is something that happens in that cluster, and what is told of it.
type kindOfChange struct {
	name string
	do   func(g *stage)
	want []string
}

// changesOfWorkloads are those of how many there are of what, and of how they fare.
var changesOfWorkloads = []kindOfChange{
	{"scaled", func(g *stage) { g.set(5, cartReplicas).run(3) }, []string{"deployment shop/cart scaled: 3 → 5"}},
	{"a StatefulSet scaled", func(g *stage) { g.set(2, dbReplicas).run(3) }, []string{"statefulset shop/db scaled: 3 → 2"}},
	{"scaled by its autoscaler", func(g *stage) {
		d := `kube_horizontalpodautoscaler_status_desired_replicas{namespace="shop",horizontalpodautoscaler="cart"}`
		g.set(3, d).run(10).set(4, d, cartReplicas).run(3)
	}, []string{"deployment shop/cart scaled: 3 → 4 by its autoscaler"}},
	{"an autoscaler's bounds", func(g *stage) {
		d := `kube_horizontalpodautoscaler_spec_max_replicas{namespace="shop",horizontalpodautoscaler="cart"}`
		g.set(8, d).run(10).set(12, d).run(3)
	}, []string{"autoscaler shop/cart: max 8 → max 12"}},
	{"a new ReplicaSet with another image and other limits", func(g *stage) {
		pod := "cart-84557f7547-bcdfg"
		g.set(1, strings.ReplaceAll(cartSet, "5d78c9869d", "84557f7547"), cartImage(pod, "2")).set(0.5, cartLimit(pod, "cpu")).set(512<<20, cartLimit(pod, "memory"))
		g.set(1, podLines("shop", pod, "n2", "ReplicaSet", "cart-84557f7547")...).run(2)
		g.drop(cartImage(cartPod, "1"), cartRestarts, cartLimit(cartPod, "cpu"), cartLimit(cartPod, "memory")).run(20)
	}, []string{"limits of deployment shop/cart: limit 1 CPU → limit 500m CPU", "rollout of deployment shop/cart: cart-5d78c9869d, shop/cart:1 → cart-84557f7547, shop/cart:2"}},
	{"resized in place", func(g *stage) { g.set(1<<30, cartLimit(cartPod, "memory")).run(5) }, []string{"limits of deployment shop/cart: limit 512 MiB → limit 1 GiB"}},
	{"restarted", func(g *stage) { g.set(1, cartRestarts).run(5) }, []string{"deployment shop/cart restarted"}},
	{"killed for memory", func(g *stage) { g.set(2, cartRestarts).set(1, cartKilled).run(5) }, []string{"deployment shop/cart was killed at its memory limit: 2 times"}},
	{"three minutes without a sender", func(g *stage) {
		g.silent = true
		g.run(3)
		g.silent = false
		g.set(9, cartReplicas).run(4)
	}, []string{"deployment shop/cart scaled: 3 → 9"}},
}

// changesOfObjects are those of which only a version is seen.
var changesOfObjects = []kindOfChange{
	{"a role binding", func(g *stage) { g.set(117, ciBinding).run(3) }, []string{"rolebinding ci/deployer changed"}},
	{"a new role binding", func(g *stage) { g.set(5, strings.ReplaceAll(ciBinding, "deployer", "admin")).run(3) }, []string{"rolebinding ci/admin: created"}},
	{"a deleted webhook", func(g *stage) {
		g.set(7, `kube_validatingwebhookconfiguration_metadata_resource_version{validatingwebhookconfiguration="other"}`).run(3)
		g.drop(guardWebhook).run(12)
	}, []string{"validatingwebhookconfiguration other: created", "validatingwebhookconfiguration guard: deleted"}},
	{"a config map", func(g *stage) { g.set(101, shopSettings).run(3) }, []string{"configmap shop/settings changed"}},
	{"a config map that changes all the time", func(g *stage) {
		for i := range 60 {
			g.set(float64(200+i), shopSettings).run(2)
		}
	}, slices.Repeat([]string{"configmap shop/settings changed"}, 6)},
}

// changesOfNodes are those of nodes and of Kubernetes itself.
var changesOfNodes = []kindOfChange{
	{"cordoned and drained", func(g *stage) {
		g.set(1, n1Unschedulable).run(4)
		g.drop(append(podLines("shop", cartPod, "n1", "ReplicaSet", "cart-5d78c9869d"), cartImage(cartPod, "1"), cartRestarts, cartLimit(cartPod, "cpu"), cartLimit(cartPod, "memory"))...).run(4)
		g.set(0, n1Unschedulable).run(3)
	}, []string{"node n1 cordoned", "node n1 drained: 1 → 0 pods", "node n1 uncordoned"}},
	{"rebooted", func(g *stage) { g.set(1.77e9+1, n1Boot).run(3).set(1.7701e9, n1Boot).run(3) }, []string{"node n1 rebooted: 2026-02-03 06:26 UTC"}},
	{"a node joins", func(g *stage) { g.set(1, nodeInfo("n3", "v1.35.2")).run(3) }, []string{"node n3 joined"}},
	{"a node is gone", func(g *stage) { g.drop(nodeInfo("n2", "v1.35.2")).run(12) }, []string{"node n2 is gone"}},
	{"a kubelet is upgraded", func(g *stage) { g.drop(nodeInfo("n2", "v1.35.2")).set(1, nodeInfo("n2", "v1.36.0")).run(12) }, []string{"node n2: kubelet v1.35.2 → kubelet v1.36.0"}},
	{"the API server is upgraded", func(g *stage) {
		g.drop(apiBuild).set(1, strings.ReplaceAll(apiBuild, "35.2", "36.0")).run(5)
	}, []string{"kubernetes of job apiserver: v1.35.2 → v1.36.0"}},
}

// noChanges are what looks like a change and is none.
var noChanges = []kindOfChange{
	{"nothing", func(g *stage) { g.run(30) }, nil},
	{"one scrape only", func(g *stage) {
		g.set(5, cartReplicas).set(101, shopSettings)
		b := newBatch(g.at + 1000)
		for _, n := range g.names {
			b.add(n, g.at, g.vals[n])
		}
		g.s.Apply(&b.Batch)
		g.at += 30_000
		g.set(3, cartReplicas).set(100, shopSettings).run(5)
	}, nil},
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
		g.set(9, cartReplicas).set(300, shopSettings).set(1, strings.ReplaceAll(cartSet, "5d78c9869d", "84557f7547"), nodeInfo("n4", "v1.35.2")).run(30)
	}, nil},
}

func TestKindsOfChange(t *testing.T) {
	for _, c := range slices.Concat(changesOfWorkloads, changesOfObjects, changesOfNodes, noChanges) {
		t.Run(c.name, func(t *testing.T) {
			g := kindsStage(t)
			g.want("before")
			c.do(g)
			g.want(c.name, c.want...)
			// The same with a restart before, from whose state all must go on.
			h := kindsStage(t)
			h.moved()
			c.do(h)
			h.moved().run(1)
			h.want(c.name+", restored", c.want...)
		})
	}
}
