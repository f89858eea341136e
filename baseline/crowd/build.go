package crowd

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/wire"
)

// builder makes the series of one cluster.
type builder struct {
	w       *Crowd
	cluster string
	rng     uint64
	labels  series.Labels
}

// pod is what labels say of one pod with its single container.
type pod struct {
	ns, work, set, name, uid, node, slice, id, image string
}

func (b *builder) next() uint64 { // splitmix64 (Steele, Lea, Flood, 2014)
	b.rng += 0x9e3779b97f4a7c15
	z := b.rng
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// hex returns n hexadecimal digits.
func (b *builder) hex(n int) string {
	out := ""
	for len(out) < n {
		out += fmt.Sprintf("%016x", b.next())
	}
	return out[:n]
}

// suffix returns n letters as Kubernetes generates them.
func (b *builder) suffix(n int) string {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	out := make([]byte, n)
	for i := range out {
		out[i] = letters[b.next()%uint64(len(letters))]
	}
	return string(out)
}

// around returns v, give or take a half, so that no two workloads are alike.
func (b *builder) around(v float64) float64 { return v * (.5 + float64(b.next()>>11)/(1<<53)) }

// add adds a series with its own labels and those of whoever scraped it.
func (b *builder) add(k kind, rate float64, name string, base []string, kv ...string) {
	if b.w.c.Quiet {
		name = "x" + name[1:]
	}
	l := append(b.labels[:0], series.Label{Name: series.NameLabel, Value: name}, series.Label{Name: "cluster", Value: b.cluster},
		series.Label{Name: "prometheus", Value: "monitoring/k8s"}, series.Label{Name: "prometheus_replica", Value: "prometheus-k8s-0"})
	for _, list := range [2][]string{base, kv} {
		for i := 0; i < len(list); i += 2 {
			l = append(l, series.Label{Name: list[i], Value: list[i+1]})
		}
	}
	slices.SortFunc(l, func(a, b series.Label) int { return cmp.Compare(a.Name, b.Name) })
	b.labels = l
	at := len(b.w.wire)
	for _, x := range l {
		b.w.wire = wire.AppendLabel(b.w.wire, x.Name, x.Value)
	}
	s := line{at: uint64(at), length: uint16(len(b.w.wire) - at), kind: k, rate: float32(rate)}
	s.key = maphash.Bytes(b.w.seed, b.w.wire[at:])
	if k == counter {
		s.value = rate * 86_400
	}
	b.w.series = append(b.w.series, s)
}

var stateMetrics = []string{"job", "kube-state-metrics", "instance", "10.244.0.9:8080", "endpoint", "http-metrics", "service", "kube-state-metrics"}

// pod makes the names of a pod of a workload.
func (b *builder) pod(ns, work, set string, n int) *pod {
	p := &pod{ns: ns, work: work, set: set, name: set + "-" + b.suffix(5), uid: b.hex(8) + "-" + b.hex(4) + "-" + b.hex(4) + "-" + b.hex(4) + "-" + b.hex(12),
		node: fmt.Sprintf("node-%d", n%64), id: b.hex(64), image: "registry.sim/" + work + ":1"}
	p.slice = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + p.uid + ".slice"
	return p
}

// kubelet is what a scrape of the kubelet adds.
func (p *pod) kubelet() []string {
	return []string{"job", "kubelet", "metrics_path", "/metrics/cadvisor", "instance", p.node + ":10250", "node", p.node, "endpoint", "https-metrics",
		"service", "kubelet", "namespace", p.ns, "pod", p.name}
}

// inContainer is what the kubelet says of a container besides.
func (p *pod) inContainer(kv ...string) []string {
	return append(kv, "container", p.work, "id", p.slice+"/cri-containerd-"+p.id+".scope", "name", p.id, "image", p.image)
}

// workload adds a Deployment with its pods: seriesOfWorkload and seriesOfPod series.
func (b *builder) workload(n, pods int) {
	ns, work := fmt.Sprintf("team-%d", n/workloadsOfSpace), fmt.Sprintf("service-%d", n)
	set := work + "-" + b.suffix(10)
	of := func(k kind, v float64, name string, kv ...string) {
		b.add(k, v, name, stateMetrics, append(kv, "namespace", ns)...)
	}
	of(constant, 1, "kube_replicaset_owner", "replicaset", set, "owner_kind", "Deployment", "owner_name", work, "owner_is_controller", "true")
	of(constant, float64(pods), "kube_replicaset_spec_replicas", "replicaset", set)
	for _, m := range []string{"kube_deployment_spec_replicas", "kube_deployment_status_replicas_available", "kube_deployment_status_replicas",
		"kube_deployment_status_replicas_updated"} {
		of(constant, float64(pods), m, "deployment", work)
	}
	of(constant, 1, "kube_deployment_metadata_generation", "deployment", work)
	of(constant, 1, "kube_deployment_status_observed_generation", "deployment", work)
	of(constant, 1, "kube_deployment_spec_strategy_rollingupdate_max_unavailable", "deployment", work)
	of(constant, 0, "kube_deployment_spec_paused", "deployment", work)
	for _, s := range []string{"true", "false", "unknown"} {
		v := 0.
		if s == "true" {
			v = 1
		}
		of(constant, v, "kube_deployment_status_condition", "deployment", work, "condition", "Progressing", "status", s)
	}
	cores, bytes := b.around(.2), b.around(400<<20)
	for i := range pods {
		b.asked(b.pod(ns, work, set, n+i), cores, bytes)
	}
}

// asked adds the series of a pod of which signals are made, and those that come with them.
func (b *builder) asked(p *pod, cores, bytes float64) {
	kubelet := p.kubelet()
	in := func(k kind, v float64, name string, kv ...string) {
		b.add(k, v, name, kubelet, p.inContainer(kv...)...)
	}
	in(counter, cores, "container_cpu_usage_seconds_total", "cpu", "total")
	in(gauge, bytes, "container_memory_working_set_bytes")
	in(counter, .01, "container_pressure_cpu_waiting_seconds_total")
	in(counter, .001, "container_pressure_memory_waiting_seconds_total")
	in(constant, 0, "container_oom_events_total")
	in(counter, 9, "container_cpu_cfs_periods_total")
	in(counter, .2, "container_cpu_cfs_throttled_periods_total")
	b.add(counter, cores, "container_cpu_usage_seconds_total", kubelet, "cpu", "total", "id", p.slice)
	b.add(gauge, bytes, "container_memory_working_set_bytes", kubelet, "id", p.slice)
	of := func(v float64, name string, kv ...string) {
		b.add(constant, v, name, stateMetrics, append(kv, "namespace", p.ns, "pod", p.name, "uid", p.uid)...)
	}
	of(1, "kube_pod_owner", "owner_kind", "ReplicaSet", "owner_name", p.set, "owner_is_controller", "true")
	of(1, "kube_pod_info", "node", p.node, "created_by_kind", "ReplicaSet", "created_by_name", p.set, "host_network", "false")
	of(1, "kube_pod_status_ready", "condition", "true")
	of(0, "kube_pod_status_ready", "condition", "false")
	of(0, "kube_pod_status_ready", "condition", "unknown")
	of(0, "kube_pod_container_status_restarts_total", "container", p.work)
	of(1, "kube_pod_container_info", "container", p.work, "image", p.image, "image_spec", p.image)
	of(4*cores, "kube_pod_container_resource_limits", "container", p.work, "node", p.node, "resource", "cpu", "unit", "core")
	of(2*bytes, "kube_pod_container_resource_limits", "container", p.work, "node", p.node, "resource", "memory", "unit", "byte")
	of(2*cores, "kube_pod_container_resource_requests", "container", p.work, "node", p.node, "resource", "cpu", "unit", "core")
	of(1.5*bytes, "kube_pod_container_resource_requests", "container", p.work, "node", p.node, "resource", "memory", "unit", "byte")
}

// What no pack asks for.
var (
	unaskedContainer = []string{"container_fs_reads_total", "container_fs_writes_total", "container_memory_rss", "container_memory_cache", "container_threads",
		"container_sockets", "container_file_descriptors", "container_memory_mapped_file"}
	unaskedState   = []string{"kube_pod_ips", "kube_pod_tolerations", "kube_pod_status_qos_class", "kube_pod_service_account"}
	unaskedBuckets = []string{"100", "1000", "10000", "100000", "+Inf"}
)

// unasked adds at most so many series of a pod that nobody asks for: cAdvisor's, kube-state-metrics' and a histogram's, as 42 to 22 to 22 or so.
func (b *builder) unasked(n, most int) {
	ns, work := fmt.Sprintf("dark-%d", n/workloadsOfSpace), fmt.Sprintf("ignored-%d", n)
	p := b.pod(ns, work, work+"-"+b.suffix(10), n)
	lo := len(b.w.series)
	room := func() bool { return len(b.w.series)-lo < most }
	for _, m := range unaskedContainer {
		if room() {
			b.add(gauge, b.around(1e6), m, p.kubelet(), p.inContainer()...)
		}
	}
	for _, m := range unaskedState {
		if room() {
			b.add(constant, 1, m, stateMetrics, "namespace", ns, "pod", p.name, "uid", p.uid)
		}
	}
	for i, le := range unaskedBuckets {
		if room() {
			b.add(counter, float64(i+1), "http_response_size_bytes_bucket", []string{"job", work, "instance", p.node + ":8080", "namespace", ns, "pod", p.name, "container", work,
				"endpoint", "http", "service", work}, "method", "GET", "le", le)
		}
	}
}
