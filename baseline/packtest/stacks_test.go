package packtest

import (
	"maps"
	"slices"
	"testing"

	"github.com/wrackline/wrackline/baseline/series"
)

// job is how a stack scrapes a program.
type job struct {
	program  string
	labels   []string // of its targets: names and values; "$node", "$ip" and "$pod" stand for those of the target
	honor    bool     // honor_labels
	rules    []relabel
	external series.Labels
	merge    []string // further programs whose metrics the same process exports at the same endpoint
	copies   int      // targets that say the same; 0 = 1
	again    bool     // another job says the same
}

// stack is a set-up that people have: what it scrapes and how, as its documentation says.
type stack struct {
	name  string
	jobs  []job
	least int // signals that must live
}

// operator makes the labels that the Prometheus operator gives to targets of a ServiceMonitor.
func operator(job, namespace, endpoint, service, port string, more ...string) []string {
	return append([]string{"job", job, "namespace", namespace, "endpoint", endpoint, "service", service, "instance", "$ip:" + port}, more...)
}

// stacks returns the set-ups. lists is the directory of allow lists and drop rules.
func stacks(t *testing.T, dir string) []stack {
	ext := series.Labels{{Name: "prometheus", Value: "monitoring/k8s"}, {Name: "prometheus_replica", Value: "prometheus-k8s-0"}}
	named := series.Labels{{Name: "cluster", Value: "prod"}}
	kps := func(etcdToo bool, more ...job) []job {
		out := []job{
			{program: apiServer, labels: operator("apiserver", "default", "https", "kubernetes", "6443"), rules: readRules(t, dir, "kps-apiserver")},
			{program: cAdvisor, labels: operator("kubelet", "kube-system", "https-metrics", "kubelet", "10250", "metrics_path", "/metrics/cadvisor", "node", "$node"), honor: true, rules: readRules(t, dir, "kps-cadvisor")},
			{program: kubelet, labels: operator("kubelet", "kube-system", "https-metrics", "kubelet", "10250", "metrics_path", "/metrics", "node", "$node"), honor: true, rules: readRules(t, dir, "kps-kubelet")},
			{program: controllers, labels: operator("kube-controller-manager", "kube-system", "http-metrics", "kcm", "10257", "pod", "kube-controller-manager-$node", "container", "kube-controller-manager")},
			{program: scheduler, labels: operator("kube-scheduler", "kube-system", "http-metrics", "scheduler", "10259", "pod", "kube-scheduler-$node", "container", "kube-scheduler")},
			{program: kubeProxy, labels: operator("kube-proxy", "kube-system", "http-metrics", "kube-proxy", "10249", "pod", "kube-proxy-x2k4q", "container", "kube-proxy")},
			{program: coreDNS, labels: operator("coredns", "kube-system", "http-metrics", "coredns", "9153", "pod", "coredns-7d9f8b6c5d-x2k4q", "container", "coredns")},
			{program: nodeExporter, labels: operator("node-exporter", "monitoring", "http-metrics", "node-exporter", "9100", "pod", "node-exporter-z5t8w", "container", "node-exporter")},
			{program: stateMetrics, labels: operator("kube-state-metrics", "monitoring", "http", "kube-state-metrics", "8080", "pod", "kube-state-metrics-7d9f8b6c5d-q9w4r", "container", "kube-state-metrics"), honor: true},
			{program: otherProgram, labels: operator("web", "shop", "metrics", "web", "15020", "pod", "web-7d9f8b6c5d-k8d2x", "container", "proxy")},
		}
		if etcdToo {
			out = append(out, job{program: etcd, labels: operator("kube-etcd", "kube-system", "http-metrics", "kube-etcd", "2381", "pod", "etcd-$node", "container", "etcd")})
		}
		return external(append(out, more...), ext)
	}
	twice := kps(true)
	twice[slices.IndexFunc(twice, func(j job) bool { return j.program == stateMetrics })].copies = 2
	return []stack{
		{"kube-prometheus-stack", kps(true), 100},
		{"two kube-state-metrics", twice, 100},
		{"k3s", external(onlyProcess(kps(false), apiServer, controllers, scheduler, kubelet, kubeProxy), ext), 95},
		{"prometheus chart", prometheusChart(), 0},
		{"VictoriaMetrics", victoria(t, dir, kps(true)), 100},
		{"Grafana k8s-monitoring", external(grafana(t, dir), named), 55},
		{"AKS minimal", external(aks(t, dir)[:4], named), 50},
		{"AKS minimal and what is off at first", external(aks(t, dir), named), 60},
		{"OpenShift", openShift(t, dir, kps(true), false), 100},
		{"OpenShift minimal", openShift(t, dir, kps(true), true), 0},
	}
}

// external adds the labels that a Prometheus adds to what it sends.
func external(jobs []job, l series.Labels) []job {
	for i := range jobs {
		jobs[i].external = l
	}
	return jobs
}

// onlyProcess makes the programs one process, each of whose endpoints exports the metrics of all.
func onlyProcess(jobs []job, programs ...string) []job {
	for i := range jobs {
		if slices.Contains(programs, jobs[i].program) {
			jobs[i].merge = programs
			if at := slices.Index(jobs[i].labels, "pod"); at >= 0 {
				jobs[i].labels = append(slices.Clone(jobs[i].labels[:at]), jobs[i].labels[at+4:]...) // there are Endpoints and no pods
			}
		}
	}
	return jobs
}

func prometheusChart() []job {
	byNode := func(name string, more ...string) []string {
		return append([]string{"job", name, "instance", "$node", "kubernetes_io_hostname", "$node", "kubernetes_io_os", "linux", "beta_kubernetes_io_arch", "amd64"}, more...)
	}
	byService := func(service, port string) []string {
		return []string{"job", "kubernetes-service-endpoints", "instance", "$ip:" + port, "namespace", "monitoring", "service", service, "node", "$node", "app_kubernetes_io_name", service}
	}
	return []job{
		{program: apiServer, labels: []string{"job", "kubernetes-apiservers", "instance", "$ip:6443"}},
		{program: kubelet, labels: byNode("kubernetes-nodes")},
		{program: cAdvisor, labels: byNode("kubernetes-nodes-cadvisor")},
		{program: stateMetrics, labels: byService("kube-state-metrics", "8080"), honor: true},
		{program: nodeExporter, labels: byService("prometheus-node-exporter", "9100"), honor: true},
		{program: coreDNS, labels: byService("kube-dns", "9153"), honor: true},
		{program: otherProgram, labels: []string{"job", "kubernetes-pods", "instance", "$ip:15020", "namespace", "shop", "pod", "web-7d9f8b6c5d-k8d2x", "node", "$node", "app", "web"}, honor: true},
	}
}

func victoria(t *testing.T, dir string, jobs []job) []job {
	out := slices.Clone(jobs)
	for i := range out {
		switch out[i].program {
		case cAdvisor, kubelet:
			out[i].rules = readRules(t, dir, "vm")
		case apiServer:
			out[i].rules = nil
		}
	}
	resource := out[slices.IndexFunc(out, func(j job) bool { return j.program == cAdvisor })]
	resource.labels = slices.Clone(resource.labels)
	for i, x := range resource.labels {
		if x == "/metrics/cadvisor" {
			resource.labels[i] = "/metrics/resource"
		}
	}
	resource.again = true
	resource.rules = append(slices.Clone(resource.rules), relabel{"keep", []string{series.NameLabel}, anchored("container_cpu_usage_seconds_total|container_memory_working_set_bytes|container_start_time_seconds")},
		relabel{"drop", []string{"container"}, anchored("|POD")}, relabel{"labeldrop", nil, anchored("image|name|id|cpu")})
	return external(append(out, resource), series.Labels{{Name: "cluster", Value: "prod"}})
}

func grafana(t *testing.T, dir string) []job {
	at := func(name string, more ...string) []string {
		return append([]string{"job", "integrations/kubernetes/" + name, "instance", "$node"}, more...)
	}
	return []job{
		{program: cAdvisor, labels: at("cadvisor"), rules: []relabel{readList(t, dir, "grafana-cadvisor")}},
		{program: kubelet, labels: at("kubelet"), rules: []relabel{readList(t, dir, "grafana-kubelet")}},
		{program: stateMetrics, labels: []string{"job", "integrations/kubernetes/kube-state-metrics", "instance", "$ip:8080", "source", "kubernetes"}, rules: []relabel{readList(t, dir, "grafana-kube-state-metrics")}},
		{program: nodeExporter, labels: []string{"job", "integrations/node_exporter", "instance", "$node"}, rules: []relabel{readList(t, dir, "grafana-node-exporter")}},
	}
}

func aks(t *testing.T, dir string) []job {
	at := func(name string) []string { return []string{"job", name, "instance", "$node"} }
	return []job{
		{program: cAdvisor, labels: at("cadvisor"), rules: []relabel{readList(t, dir, "aks-cadvisor")}},
		{program: kubelet, labels: at("kubelet"), rules: []relabel{readList(t, dir, "aks-kubelet")}},
		{program: stateMetrics, labels: []string{"job", "kube-state-metrics", "instance", "ama-metrics-ksm.kube-system.svc.cluster.local:8080"}, honor: true, rules: []relabel{readList(t, dir, "aks-kubestate")}},
		{program: nodeExporter, labels: at("node"), rules: []relabel{readList(t, dir, "aks-nodeexporter")}},
		{program: coreDNS, labels: []string{"job", "kube-dns", "instance", "$ip:9153", "namespace", "kube-system", "pod", "coredns-7d9f8b6c5d-x2k4q"}, rules: []relabel{readList(t, dir, "aks-coreDNS")}},
		{program: kubeProxy, labels: []string{"job", "kube-proxy", "instance", "$ip:10249", "namespace", "kube-system", "pod", "kube-proxy-x2k4q"}, rules: []relabel{readList(t, dir, "aks-kubeproxy")}},
		{program: apiServer, labels: []string{"job", "kube-apiserver", "instance", "$ip:443"}, rules: []relabel{readList(t, dir, "aks-apiserver")}},
	}
}

func openShift(t *testing.T, dir string, jobs []job, minimal bool) []job {
	out := slices.Clone(jobs)
	lists := map[string]string{stateMetrics: "openshift-min-ksm", kubelet: "openshift-min-kubelet", cAdvisor: "openshift-min-kubelet", nodeExporter: "openshift-min-node"}
	for i := range out {
		switch out[i].program {
		case stateMetrics:
			out[i].rules = readRules(t, dir, "openshift-ksm")
		case nodeExporter:
			out[i].labels = slices.Clone(out[i].labels)
			out[i].labels[slices.Index(out[i].labels, "instance")+1] = "$node"
		case cAdvisor, apiServer:
			out[i].rules = nil
		}
		if list := lists[out[i].program]; minimal && list != "" {
			out[i].rules = append(slices.Clone(out[i].rules), readList(t, dir, list))
		}
	}
	return out
}

// programs returns the names of the programs that a stack scrapes, sorted.
func (s *stack) programs() []string {
	set := map[string]bool{}
	for i := range s.jobs {
		set[s.jobs[i].program] = true
	}
	return slices.Sorted(maps.Keys(set))
}
