package signal

import (
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/identity"
)

func TestOwnerDataDecides(t *testing.T) {
	for _, c := range []struct {
		name   string
		pod    string
		series []string
		work   string
		kind   string
		why    string
	}{
		{"ReplicaSet of a Deployment", "web-665b87-tkhjf", []string{podOwner("n", "web-665b87-tkhjf", "ReplicaSet", "web-665b87"),
			`kube_replicaset_owner{namespace="n",replicaset="web-665b87",owner_kind="Deployment",owner_name="web"}`}, "web", "deployment", "kube_replicaset_owner"},
		{"ReplicaSet of a Rollout", "web-8448574976-tkhjf", []string{podOwner("n", "web-8448574976-tkhjf", "ReplicaSet", "web-8448574976"),
			`kube_replicaset_owner{namespace="n",replicaset="web-8448574976",owner_kind="Rollout",owner_name="web-main"}`}, "web-main", "rollout", "kube_replicaset_owner"},
		{"ReplicaSet, no kube_replicaset_owner", "web-8448574976-tkhjf", []string{podOwner("n", "web-8448574976-tkhjf", "ReplicaSet", "web-8448574976")}, "web", "deployment", "template hash"},
		{"ReplicaSet of nobody", "web-tkhjf", []string{podOwner("n", "web-tkhjf", "ReplicaSet", "web"),
			`kube_replicaset_owner{namespace="n",replicaset="web",owner_kind="<none>",owner_name="<none>"}`}, "web", "replicaset", "kube_pod_owner"},
		{"a name that was cut", "platform-observability-telemetry-collector-gateway-eu-5bcf999v9",
			[]string{podOwner("n", "platform-observability-telemetry-collector-gateway-eu-5bcf999v9", "ReplicaSet", "platform-observability-telemetry-collector-gateway-eu-5bcf99d4b8")},
			"platform-observability-telemetry-collector-gateway-eu", "deployment", "template hash"},
		{"Job of a CronJob", "backup-29540177-kmd5h", []string{podOwner("n", "backup-29540177-kmd5h", "Job", "backup-29540177"),
			`kube_job_owner{namespace="n",job_name="backup-29540177",owner_kind="CronJob",owner_name="nightly"}`}, "nightly", "cronjob", "kube_job_owner"},
		{"Job, no kube_job_owner", "backup-29540177-kmd5h", []string{podOwner("n", "backup-29540177-kmd5h", "Job", "backup-29540177")}, "backup", "cronjob", "name tells"},
		{"Job of nobody", "migrate-kmd5h", []string{podOwner("n", "migrate-kmd5h", "Job", "migrate"),
			`kube_job_owner{namespace="n",job_name="migrate",owner_kind="<none>",owner_name="<none>"}`}, "migrate", "job", "kube_pod_owner"},
		{"DaemonSet", "agent-kmd5h", []string{podOwner("n", "agent-kmd5h", "DaemonSet", "agent")}, "agent", "daemonset", "kube_pod_owner"},
		{"StatefulSet", "kafka-0", []string{podOwner("n", "kafka-0", "StatefulSet", "kafka")}, "kafka", "statefulset", "kube_pod_owner"},
		{"static pod", "etcd-n1.example", []string{podOwner("n", "etcd-n1.example", "Node", "n1.example")}, "etcd", "static", "static"},
		{"custom kind", "pg-1", []string{podOwner("n", "pg-1", "Cluster", "pg")}, "pg", "cluster", "kube_pod_owner"},
		{"nobody", "shell-0", []string{podOwner("n", "shell-0", "<none>", "<none>")}, "shell-0", "pod", "nothing owns"},
		{"kube-state-metrics with renamed labels", "kafka-0", []string{
			`kube_pod_owner{namespace="monitoring",pod="ksm-0",exported_namespace="n",exported_pod="kafka-0",owner_kind="StatefulSet",owner_name="kafka"}`}, "kafka", "statefulset", "kube_pod_owner"},
		{"kube_pod_info alone", "agent-kmd5h", []string{`kube_pod_info{namespace="n",pod="agent-kmd5h",node="n1",created_by_kind="DaemonSet",created_by_name="agent"}`}, "agent", "daemonset", "kube_pod_owner"},
		{"a pod of a pod", "agent-kmd5h-child", []string{podOwner("n", "agent-kmd5h", "DaemonSet", "agent"), podOwner("n", "agent-kmd5h-child", "Pod", "agent-kmd5h")}, "agent", "daemonset", "owner it is"},
		{"a second owner that does not control", "kafka-0", []string{podOwner("n", "kafka-0", "StatefulSet", "kafka"),
			`kube_pod_owner{namespace="n",pod="kafka-0",owner_kind="Watcher",owner_name="w",owner_is_controller="false"}`}, "kafka", "statefulset", "kube_pod_owner"},
		{"known node, no owner", "etcd-n1.example", []string{`kube_node_info{node="n1.example",internal_ip="10.0.0.1"}`}, "etcd", "static", "node's"},
	} {
		// The order in which they arrive must not matter.
		for _, reverse := range []bool{false, true} {
			s, r := newTestStream(t, StreamOptions{Packs: packOf(cpuRule)})
			names := append([]string{cpu("n", c.pod)}, c.series...)
			if reverse {
				slices.Reverse(names)
			}
			feedSeries(s, t0, t0+300_000, 30_000, names, ramp)
			x, ok := explainPod(s, "default", "n", c.pod)
			if !ok || x.Workload != c.work || x.Kind != c.kind || !x.Sure || x.Held || !strings.Contains(x.Why, c.why) {
				t.Errorf("%s (reversed: %v): %+v %v", c.name, reverse, x, ok)
			}
			want := []string{"wl.cpu~cluster=default~namespace=n~workload=" + c.work}
			if got := ids(r); !slices.Equal(got, want) {
				t.Errorf("%s (reversed: %v): signals %v, want %v", c.name, reverse, got, want)
			}
		}
	}
}

func TestNewWorkloadWaitsForItsOwner(t *testing.T) {
	known := []string{cpu("n", "kafka-0"), podOwner("n", "kafka-0", "StatefulSet", "kafka")}
	s, r := newTestStream(t, StreamOptions{Packs: packOf(cpuRule)})
	feedSeries(s, t0, t0+300_000, 30_000, known, ramp)
	// A pod whose name misleads: its DaemonSet is called so. Its owner comes a minute later.
	pod := "agent-8448574976-tkhjf"
	feedSeries(s, t0+330_000, t0+390_000, 30_000, append(known, cpu("n", pod)), ramp)
	if x, _ := explainPod(s, "default", "n", pod); !x.Held || x.Workload != "agent" {
		t.Errorf("before owner data: %+v", x)
	}
	feedSeries(s, t0+420_000, t0+900_000, 30_000, append(known, cpu("n", pod), podOwner("n", pod, "DaemonSet", "agent-8448574976")), ramp)
	want := []string{"wl.cpu~cluster=default~namespace=n~workload=agent-8448574976", "wl.cpu~cluster=default~namespace=n~workload=kafka"}
	if got := ids(r); !slices.Equal(got, want) {
		t.Errorf("signals %v, want %v", got, want)
	}
	// A new pod of a known workload does not wait.
	pod = "kafka-1"
	feedSeries(s, t0+930_000, t0+1_200_000, 30_000, append(known, cpu("n", pod)), ramp)
	if got := r.members["wl.cpu~cluster=default~namespace=n~workload=kafka"][t0+1_020_000]; got != 2 {
		t.Errorf("a new pod of a known workload: %d members in its second window, want 2", got)
	}
	// A new workload whose owner never comes goes by its name after 90 s.
	pod = "late-8448574976-tkhjf"
	feedSeries(s, t0+1_230_000, t0+1_800_000, 30_000, append(known, cpu("n", pod)), ramp)
	id := "wl.cpu~cluster=default~namespace=n~workload=late"
	if _, early := r.values[id][t0+1_260_000]; early || len(r.values[id]) < 3 {
		t.Errorf("a workload without owner data: values %v", r.values[id])
	}
}

func TestNameThatWasCutOpensNoSignal(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(cpuRule)})
	pod := "platform-observability-telemetry-collector-gateway-eu-5bcf999v9"
	feedSeries(s, t0, t0+600_000, 30_000, []string{cpu("n", pod), cpu("n", "kafka-0")}, ramp)
	if got := ids(r); len(got) != 1 || !strings.Contains(got[0], "kafka") {
		t.Errorf("signals %v", got)
	}
	if s.Stats().Clusters[0].Owners {
		t.Error("the cluster is said to have owner data")
	}
}

func TestWrongGuessIsCorrected(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(cpuRule)})
	pod := "web-feed-kmd5h"
	feedSeries(s, t0, t0+600_000, 30_000, []string{cpu("n", pod)}, ramp)
	old := "wl.cpu~cluster=default~namespace=n~workload=web-feed"
	before := len(r.values[old])
	feedSeries(s, t0+630_000, t0+900_000, 30_000, []string{cpu("n", pod), podOwner("n", pod, "ReplicaSet", "web-feed"),
		`kube_replicaset_owner{namespace="n",replicaset="web-feed",owner_kind="Deployment",owner_name="web"}`}, ramp)
	id := "wl.cpu~cluster=default~namespace=n~workload=web"
	if before < 5 || len(r.values[id]) < 4 || len(r.values[old]) > before+1 {
		t.Errorf("provisional signal had %d values, then %d; the right one has %d", before, len(r.values[old]), len(r.values[id]))
	}
	if v := r.values[id][t0+720_000]; v != 1 {
		t.Errorf("rate after the correction: %v, want 1", v)
	}
}

func TestNodeOfSeries(t *testing.T) {
	info := `kube_node_info{node="worker-1",internal_ip="10.0.0.1"}`
	for _, c := range []struct {
		name   string
		series []string
		node   string
	}{
		{"node label", []string{`node_nf_conntrack_entries{node="worker-1",instance="10.0.0.1:9100"}`}, "worker-1"},
		{"instance is a known node", []string{`node_nf_conntrack_entries{instance="worker-1"}`, info}, "worker-1"},
		{"instance is a node's address", []string{`node_nf_conntrack_entries{instance="10.0.0.1:9100"}`, info}, "worker-1"},
		{"the exporter's pod runs on it", []string{`node_nf_conntrack_entries{instance="10.244.0.1:9100",namespace="m",pod="ne-abcde"}`, info,
			`kube_pod_info{namespace="m",pod="ne-abcde",node="worker-1"}`}, "worker-1"},
		{"it names itself", []string{`node_nf_conntrack_entries{instance="192.168.1.5:9100"}`, `node_uname_info{instance="192.168.1.5:9100",nodename="worker-1"}`, info}, "worker-1"},
		{"the kubelet names itself", []string{`node_nf_conntrack_entries{instance="192.168.1.5:9100"}`, `kubelet_node_name{instance="192.168.1.5:10250",node="worker-1"}`}, "worker-1"},
		{"nobody knows", []string{`node_nf_conntrack_entries{instance="[fe80::1]:9100"}`}, "fe80::1"},
	} {
		for _, reverse := range []bool{false, true} {
			s, r := newTestStream(t, StreamOptions{Packs: packOf(rule("node.conntrack", `max by (cluster, node) (node_nf_conntrack_entries)`))})
			names := slices.Clone(c.series)
			if reverse {
				slices.Reverse(names)
			}
			feedSeries(s, t0, t0+600_000, 30_000, names, ramp)
			want := MakeID("node.conntrack", nil)
			want += "~cluster=default~node=" + strings.ReplaceAll(c.node, "::", "::")
			if got := ids(r); len(got) != 1 || got[0] != want {
				t.Errorf("%s (reversed: %v): signals %v, want %s", c.name, reverse, got, want)
			}
		}
	}
}

func TestObjectsOfKubeStateMetricsHaveWorkloads(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(rule("wl.want", `sum by (cluster, namespace, workload, workload_type) (kube_deployment_spec_replicas)`),
		rule("wl.done", `sum by (cluster, namespace, workload) (kube_job_status_succeeded)`))})
	feedSeries(s, t0, t0+300_000, 30_000, []string{
		`kube_deployment_spec_replicas{namespace="n",deployment="web",pod="ksm-0"}`,
		`kube_job_status_succeeded{namespace="n",job_name="backup-29540177"}`,
	}, ramp)
	want := []string{"wl.done~cluster=default~namespace=n~workload=backup", "wl.want~cluster=default~namespace=n~workload=web~workload_type=deployment"}
	if got := ids(r); !slices.Equal(got, want) {
		t.Errorf("signals %v, want %v", got, want)
	}
}

func TestIdentityOfASimulatedCluster(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(shopRules()...)})
	c := busy
	c.Seed = 11
	play(s, generator(t, c), c.StartMs+40*60_000)
	for id := range r.values {
		if !strings.Contains(id, "workload=") {
			continue
		}
		_, w, _ := strings.Cut(id, "workload=")
		if base, kind, _ := identity.WorkloadOf(w); kind == identity.Deployment || kind == identity.CronJob || strings.Contains(w, "node-") && w != "node-exporter" {
			t.Errorf("signal %s is of a pod or a template, not of a workload (%s %s)", id, base, kind)
		}
	}
	if n := s.Stats().Clusters[0].Workloads; n < 38 || n > 45 {
		t.Errorf("%d workloads, the cluster has about 40", n)
	}
}
