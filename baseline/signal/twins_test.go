package signal

import (
	"fmt"
	"testing"

	"github.com/wrackline/wrackline/baseline/pack"
)

// shown is a series and what it shows, read every 30 s at an offset of its own.
type shown struct {
	text   string
	offset int64
	value  func(s float64) float64 // of seconds since t0
}

func show(s *Stream, from, to int, list ...shown) {
	for at := t0 + int64(from)*60_000; at < t0+int64(to)*60_000; at += 30_000 {
		for _, x := range list {
			b := newBatch(at + x.offset + 500)
			b.add(x.text, at+x.offset, x.value(float64(at+x.offset-t0)/1000))
			s.Apply(&b.Batch)
		}
	}
}

func line(start, perSecond float64) func(float64) float64 {
	return func(s float64) float64 { return start + perSecond*s }
}

func flat(v float64) func(float64) float64 { return line(v, 0) }

// TestTwinsCountOnce holds what says the same of the same thing from two targets, and what only looks so.
func TestTwinsCountOnce(t *testing.T) {
	sum := rule("x.v", `sum by (cluster) (rate(x_total[1m]))`)
	ready := rule("x.v", `sum by (cluster) (kube_pod_status_ready{condition="true"})`)
	cpu := rule("x.v", `sum by (cluster) (rate(container_cpu_usage_seconds_total{container!=""}[1m]))`)
	node := rule("x.v", `sum by (cluster) (rate(node_network_receive_bytes_total[1m]))`)
	nodes := rule("x.v", `count by (cluster) (kube_node_info)`)
	restarts := rule("x.v", `sum by (cluster) (increase(kube_pod_container_status_restarts_total[5m]))`)
	deploy := rule("x.v", `sum by (cluster) (kube_deployment_spec_replicas)`)
	byJob := rule("x.v", `max by (cluster) (sum by (cluster, job) (rate(x_total[1m])))`)
	rules := []*pack.Rule{sum, ready, cpu, node, nodes, restarts, deploy, byJob}
	for _, c := range []struct {
		name string
		rule int
		want float64
		list []shown
	}{
		{"two kube-state-metrics", 1, 1, []shown{
			{`kube_pod_status_ready{namespace="shop",pod="a-0",condition="true",job="ksm",instance="10.0.0.1:8080"}`, 0, flat(1)},
			{`kube_pod_status_ready{namespace="shop",pod="a-0",condition="true",job="other",instance="10.0.0.2:8080",uid="7"}`, 9000, flat(1)}}},
		{"two pods of one", 1, 2, []shown{
			{`kube_pod_status_ready{namespace="shop",pod="a-0",condition="true",job="ksm",instance="10.0.0.1:8080"}`, 0, flat(1)},
			{`kube_pod_status_ready{namespace="shop",pod="a-1",condition="true",job="ksm",instance="10.0.0.2:8080"}`, 9000, flat(1)}}},
		{"two of a Deployment, without honor_labels", 6, 3, []shown{
			{`kube_deployment_spec_replicas{exported_namespace="shop",deployment="a",namespace="mon",pod="ksm-1",service="ksm",endpoint="http",job="ksm",instance="10.0.0.1:8080"}`, 0, flat(3)},
			{`kube_deployment_spec_replicas{namespace="shop",deployment="a",job="kubernetes-pods",instance="10.0.0.2:8080",node="n2"}`, 9000, flat(3)}}},
		{"of two namespaces", 6, 6, []shown{
			{`kube_deployment_spec_replicas{namespace="shop",deployment="a",job="ksm",instance="10.0.0.1:8080"}`, 0, flat(3)},
			{`kube_deployment_spec_replicas{namespace="mall",deployment="a",job="ksm2",instance="10.0.0.2:8080"}`, 9000, flat(3)}}},
		{"nodes, told from two namespaces", 4, 1, []shown{
			{`kube_node_info{node="n1",namespace="mon",job="ksm",instance="10.0.0.1:8080"}`, 0, flat(1)},
			{`kube_node_info{node="n1",namespace="kube-system",job="ksm2",instance="10.0.0.2:8080"}`, 9000, flat(1)}}},
		{"a restart, told twice", 5, 0, []shown{
			{`kube_pod_container_status_restarts_total{namespace="shop",pod="a-0",container="c",instance="10.0.0.1:8080"}`, 0, flat(4)},
			{`kube_pod_container_status_restarts_total{namespace="shop",pod="a-0",container="c",instance="10.0.0.2:8080"}`, 9000, flat(4)}}},
		{"cAdvisor beside /metrics/resource", 2, .25, []shown{
			{`container_cpu_usage_seconds_total{namespace="shop",pod="a-0",container="c",id="/x",image="i",name="n",cpu="total",instance="n1:10250",job="kubelet",metrics_path="/metrics/cadvisor"}`, 0, line(100, .25)},
			{`container_cpu_usage_seconds_total{namespace="shop",pod="a-0",container="c",instance="n1:10250",job="kubelet",metrics_path="/metrics/resource"}`, 11_000, line(100, .25)}}},
		{"a container that was started again has two cgroups", 2, .5, []shown{
			{`container_cpu_usage_seconds_total{namespace="shop",pod="a-0",container="c",id="/x",instance="n1:10250",job="kubelet"}`, 0, line(100, .25)},
			{`container_cpu_usage_seconds_total{namespace="shop",pod="a-0",container="c",id="/y",instance="n1:10250",job="kubelet"}`, 0, line(10, .25)}}},
		{"one process at each of its ports", 0, 5, []shown{
			{`x_total{verb="GET",job="apiserver",instance="10.0.0.1:6443",namespace="default",service="kubernetes",endpoint="https"}`, 0, line(50_000, 5)},
			{`x_total{verb="GET",job="kubelet",instance="10.0.0.1:10250",namespace="kube-system",service="kubelet",endpoint="https",metrics_path="/metrics",node="n1"}`, 7000, line(50_000, 5)},
			{`x_total{verb="GET",job="kube-scheduler",instance="10.0.0.1:10259",namespace="kube-system"}`, 21_000, line(50_000, 5)}}},
		{"processes of one host", 0, 9, []shown{
			{`x_total{verb="GET",job="kcm",instance="10.0.0.1:10257"}`, 0, line(50_000, 5)},
			{`x_total{verb="GET",job="kube-scheduler",instance="10.0.0.1:10259"}`, 0, line(30_000, 4)}}},
		{"found as a pod and as an endpoint", 0, 5, []shown{
			{`x_total{verb="GET",job="kubernetes-pods",instance="10.0.0.1:9153",pod="coredns-1",app="dns",pod_template_hash="77"}`, 0, line(500, 5)},
			{`x_total{verb="GET",job="coredns",instance="10.0.0.1:9153",pod="coredns-1",service="kube-dns",endpoint="metrics"}`, 7000, line(500, 5)}}},
		{"two services of one job", 0, 5, []shown{
			{`x_total{verb="GET",job="kubelet",instance="10.0.0.1:10250",service="a-kubelet",endpoint="m"}`, 0, line(500, 5)},
			{`x_total{verb="GET",job="kubelet",instance="10.0.0.1:10250",service="b-kubelet",endpoint="m"}`, 7000, line(500, 5)}}},
		{"services of which an ingress tells", 0, 8, []shown{
			{`x_total{job="nginx",instance="10.0.0.1:10254",service="a",endpoint="m"}`, 0, line(500, 5)},
			{`x_total{job="nginx",instance="10.0.0.1:10254",service="b",endpoint="m"}`, 0, line(9000, 3)}}},
		{"replicas", 0, 10, []shown{
			{`x_total{verb="GET",job="web",instance="10.0.0.1:80",pod="web-1"}`, 0, line(50_000, 5)},
			{`x_total{verb="GET",job="web",instance="10.0.0.2:80",pod="web-2"}`, 0, line(50_000, 5)}}},
		{"who is asked is the question", 7, 5, []shown{
			{`x_total{verb="GET",job="b",instance="10.0.0.1:6443"}`, 0, line(50_000, 5)},
			{`x_total{verb="GET",job="a",instance="10.0.0.1:10250"}`, 7000, line(50_000, 5)}}},
		{"two node exporters", 3, 100, []shown{
			{`node_network_receive_bytes_total{device="eth0",job="node",instance="10.0.0.1:9100"}`, 0, line(1e9, 100)},
			{`node_network_receive_bytes_total{device="eth0",job="agent",instance="10.0.0.1:9101",nodename="x"}`, 13_000, line(1e9, 100)}}},
		{"one of each node", 3, 200, []shown{
			{`node_network_receive_bytes_total{device="eth0",job="node",instance="10.0.0.1:9100"}`, 0, line(1e9, 100)},
			{`node_network_receive_bytes_total{device="eth0",job="node",instance="10.0.0.2:9100"}`, 13_000, line(1e9, 100)}}},
	} {
		s, rec := newTestStream(t, StreamOptions{Packs: packOf(rules[c.rule])})
		show(s, 0, 12, c.list...)
		wantValues(t, c.name, only(rec, "x.v~cluster=default"), 7, 11, c.want)
		// A restart in between changes nothing.
		n, again := newTestStream(t, s.opts)
		if err := n.RestoreState(s.AppendState(nil)); err != nil {
			t.Fatal(c.name, err)
		}
		show(n, 12, 20, c.list...)
		wantValues(t, c.name+", after a restart", only(again, "x.v~cluster=default"), 13, 18, c.want)
	}
}

// TestTwinTakesOver holds that what counts once goes on when one of those who tell of it falls silent, and that two which began alike are two when they go apart.
func TestTwinTakesOver(t *testing.T) {
	sum := rule("x.v", `sum by (cluster) (rate(x_total[1m]))`)
	a, b := `x_total{job="apiserver",instance="10.0.0.1:6443"}`, `x_total{job="kubelet",instance="10.0.0.1:10250"}`
	s, rec := newTestStream(t, StreamOptions{Packs: packOf(sum)})
	show(s, 0, 6, shown{a, 0, line(50_000, 5)}, shown{b, 7000, line(50_000, 5)})
	show(s, 6, 14, shown{b, 7000, line(50_000, 5)})
	wantValues(t, "one falls silent", only(rec, "x.v~cluster=default"), 3, 12, 5)

	s, rec = newTestStream(t, StreamOptions{Packs: packOf(sum)})
	other := func(x float64) float64 { return 50_000 + 5*x + 50*max(0, x-360) }
	show(s, 0, 16, shown{a, 0, line(50_000, 5)}, shown{b, 7000, other})
	got := only(rec, "x.v~cluster=default")
	if got[5] != 5 || got[13] != 60 {
		t.Errorf("two that go apart: %v, want 5 and, from minute 10 on, 60", got)
	}
}

// TestNodesTrafficIsNoPods holds whose the interfaces of a pod in the network of its node are.
func TestNodesTrafficIsNoPods(t *testing.T) {
	bytes := rule("x.b", `sum by (cluster, namespace, workload) (rate(container_network_receive_bytes_total{pod!=""}[1m]))`)
	all := rule("x.all", `sum by (cluster) (rate(container_network_receive_bytes_total[1m]))`)
	net := func(pod, iface string) string {
		return fmt.Sprintf(`container_network_receive_bytes_total{namespace="shop",pod="%s",interface="%s",instance="n1:10250"}`, pod, iface)
	}
	info := func(pod, more string) string {
		return fmt.Sprintf(`kube_pod_info{namespace="shop",pod="%s",node="n1",%s}`, pod, more)
	}
	s, rec := newTestStream(t, StreamOptions{Packs: packOf(bytes, all)})
	show(s, 0, 10,
		shown{`container_network_receive_bytes_total{id="/",interface="eth0",instance="n1:10250"}`, 0, line(1e9, 1000)},
		shown{net("agent-x2k4q", "eth0"), 0, line(1e9, 1000)}, shown{info("agent-x2k4q", `host_network="true",created_by_kind="DaemonSet",created_by_name="agent"`), 0, flat(1)},
		shown{net("old-x2k4q", "eth0"), 0, line(1e9, 1000)}, shown{info("old-x2k4q", `host_ip="10.1.0.1",pod_ip="10.1.0.1",created_by_kind="DaemonSet",created_by_name="old"`), 0, flat(1)},
		shown{net("kube-proxy-x2k4q", "eth0"), 0, line(1e9, 1000)},
		shown{net("mesh-x2k4q", "eth0"), 0, line(1e9, 1000)}, shown{net("mesh-x2k4q", "cali77aa"), 0, line(1e9, 10)},
		shown{net("web-7d9f8b6c5d-x2k4q", "eth0"), 0, line(5e6, 50)},
		shown{net("kindnet-x2k4q", "eth0"), 0, line(5e6, 60)}, shown{info("kindnet-x2k4q", `host_network="false",created_by_kind="DaemonSet",created_by_name="kindnet"`), 0, flat(1)})
	for name, want := range map[string]float64{"web": 50, "kindnet": 60} {
		wantValues(t, name, only(rec, "x.b~cluster=default~namespace=shop~workload="+name), 5, 8, want)
	}
	wantValues(t, "the node's interface once", only(rec, "x.all~cluster=default"), 5, 8, 1110)
	for _, name := range []string{"agent", "old", "kube-proxy", "mesh"} {
		if got := only(rec, "x.b~cluster=default~namespace=shop~workload="+name); len(got) > 0 {
			t.Errorf("%s has the node's traffic: %v", name, got)
		}
	}
}
