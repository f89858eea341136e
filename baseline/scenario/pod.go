package scenario

// Pods: how one is made, and what the kubelet, kube-state-metrics and its own application then show of it.

import "fmt"

// pod is one pod with its single container.
type pod struct {
	w        *workload
	name     string
	set      string // hash of its template
	uid, ip  string
	n        *node
	born     int64
	started  int64 // of the container
	ready    bool
	r        rng
	jitter   float64
	share    noise
	cpu      noise
	cpuLimit float64
	phase    float64 // of the garbage collector, 0..1
	period   float64 // s
	leaked   float64
	restarts int
	down     int64 // container is down until then
	throttle float64
	cores    float64
	rps      float64
	oom      bool

	cad, ksm, app *block
	appTarget     *target
	http          httpRows
	ksmReady      int
	ksmRestarts   int
	reason        *block // last terminated reason, once there is one
}

type httpRows struct{ ok, notFound, failed, hist, goroutines int }

var appHistogram = newHistogram("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10")

// makePod creates a pod; name is for those that are not generated.
func (w *world) makePod(wl *workload, born int64, name string) *pod {
	p := &pod{w: wl, born: born, started: born, cpuLimit: wl.cpuLimit, set: wl.hash}
	ownerKind, owner := wl.kind, wl.name
	switch wl.kind {
	case "Deployment":
		ownerKind, owner = "ReplicaSet", wl.name+"-"+wl.hash
		name = generated(&wl.r, owner)
	case "DaemonSet":
		name = generated(&wl.r, wl.name)
		p.n = w.nodes[len(wl.pods)%len(w.nodes)]
	case "StatefulSet":
		if name == "" {
			name = fmt.Sprintf("%s-%d", wl.name, len(wl.pods))
		}
	case "Node":
		p.n = w.nodes[0]
		name = wl.name + "-" + p.n.name
		owner = p.n.name
	case "Job":
		owner = wl.name
		name = generated(&wl.r, wl.name)
	}
	p.name = name
	life := ""
	if wl.kind == "StatefulSet" && wl.moves > 0 { // another pod of the same name
		life = fmt.Sprint(" ", wl.moves)
	}
	p.r = newRNG(w.cfg.Seed, wl.ns+"/"+name+life)
	if p.n == nil {
		p.n = w.leastBusy(wl)
	}
	p.n.pods++
	w.podCount++
	w.changes++
	p.uid = uid(&p.r)
	p.ip = fmt.Sprintf("10.%d.%d.%d", 244+p.n.index/256, p.n.index%256, p.n.nextIP)
	if p.n.nextIP++; p.n.nextIP > 250 {
		p.n.nextIP = 10
	}
	p.jitter = 1 + 0.04*p.r.normal()
	p.period = 180 + 300*p.r.float()
	p.phase = p.r.float()
	w.makeContainer(p)

	b := w.ksm.block()
	p.ksm = b
	set := func(v float64, name string, kv ...string) int {
		row := w.add(b, name, append(kv, "namespace", wl.ns, "pod", p.name, "uid", p.uid)...)
		b.vals[row] = v
		return row
	}
	c := wl.container()
	set(1, "kube_pod_owner", "owner_kind", ownerKind, "owner_name", owner, "owner_is_controller", "true")
	set(1, "kube_pod_info", "node", p.n.name, "host_ip", p.n.ip, "pod_ip", p.ip, "created_by_kind", ownerKind, "created_by_name", owner, "host_network", "false")
	p.ksmReady = set(0, "kube_pod_status_ready", "condition", "true")
	set(1, "kube_pod_status_ready", "condition", "false")
	set(0, "kube_pod_status_ready", "condition", "unknown")
	p.ksmRestarts = set(0, "kube_pod_container_status_restarts_total", "container", c)
	set(1, "kube_pod_container_info", "container", c, "image", w.image(wl), "image_spec", w.image(wl))
	if p.cpuLimit > 0 {
		set(p.cpuLimit, "kube_pod_container_resource_limits", "container", c, "node", p.n.name, "resource", "cpu", "unit", "core")
		set(wl.memLimit*(1<<20), "kube_pod_container_resource_limits", "container", c, "node", p.n.name, "resource", "memory", "unit", "byte")
		set(p.cpuLimit/2, "kube_pod_container_resource_requests", "container", c, "node", p.n.name, "resource", "cpu", "unit", "core")
		set(wl.memLimit*(1<<20)*.7, "kube_pod_container_resource_requests", "container", c, "node", p.n.name, "resource", "memory", "unit", "byte")
	}
	if wl.target {
		p.appTarget = newTarget(w, wl.name, 2, "instance", p.ip+":8080", "namespace", wl.ns, "pod", p.name, "container", c, "endpoint", "http", "service", wl.name)
		w.makeApp(p)
	}
	wl.pods = append(wl.pods, p)
	return p
}

// leastBusy picks the node with the fewest pods of the workload, then with the fewest pods.
func (w *world) leastBusy(wl *workload) *node {
	var best *node
	var bestOwn int
	for _, n := range w.nodes {
		if n.cordoned {
			continue
		}
		own := 0
		for _, p := range wl.pods {
			if p.n == n {
				own++
			}
		}
		if best == nil || own < bestOwn || own == bestOwn && n.pods < best.pods {
			best, bestOwn = n, own
		}
	}
	return best
}

// rows of a container in the kubelet's answer, in order.
const (
	cadCPU = iota
	cadMem
	cadPSICPU
	cadPSIMem
	cadOOM
	cadPodCPU
	cadPodMem
	cadPeriods // only with a CPU limit
	cadThrottled
)

// makeContainer starts a pod's container: a new id, so new series beside which the old ones end.
func (w *world) makeContainer(p *pod) {
	b := p.n.cadvisor.block()
	slice := "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + p.uid + ".slice"
	id := hexString(&p.r, 64)
	c := p.w.container()
	add := func(name string, kv ...string) {
		w.add(b, name, append(kv, "namespace", p.w.ns, "pod", p.name, "container", c, "id", slice+"/cri-containerd-"+id+".scope",
			"name", id, "image", w.image(p.w))...)
	}
	add("container_cpu_usage_seconds_total", "cpu", "total")
	add("container_memory_working_set_bytes")
	add("container_pressure_cpu_waiting_seconds_total")
	add("container_pressure_memory_waiting_seconds_total")
	add("container_oom_events_total")
	// The pod's own cgroup is there too and would double every sum that does not ask for container!="".
	w.add(b, "container_cpu_usage_seconds_total", "cpu", "total", "namespace", p.w.ns, "pod", p.name, "id", slice)
	w.add(b, "container_memory_working_set_bytes", "namespace", p.w.ns, "pod", p.name, "id", slice)
	if p.cpuLimit > 0 {
		add("container_cpu_cfs_periods_total")
		add("container_cpu_cfs_throttled_periods_total")
	}
	p.cad = b
	p.leaked = 0
}

// makeApp adds what a service's pod says about itself. Codes that have not occurred have no series yet.
func (w *world) makeApp(p *pod) {
	b := p.appTarget.block()
	p.http = httpRows{failed: -1, notFound: -1}
	p.http.ok = w.add(b, "http_requests_total", "method", "GET", "code", "200")
	p.http.hist = w.addHistogram(b, appHistogram, "http_request_duration_seconds", "method", "GET")
	p.http.goroutines = w.add(b, "go_goroutines") // no pack needs it
	p.app = b
}
