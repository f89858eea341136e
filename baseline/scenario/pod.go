package scenario

// Pods: how one is made, what it uses and answers in a step, and what the kubelet, kube-state-metrics and its own application show of it.

import (
	"fmt"
	"math"
)

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
	set(float64(born/1000), "kube_pod_start_time")
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

// throttled returns the share of scheduler periods cut short at a use of u times the limit.
func throttled(u float64) float64 {
	return 0.006 + 0.9/(1+math.Exp(-(u-0.86)/0.06))
}

// runPods moves every container.
func (w *world) runPods(now int64) {
	for _, n := range w.nodes {
		n.cpu, n.mem, n.flows, n.rps = 0.25, 1.6*(1<<30), 12, 0
	}
	for _, wl := range w.workloads {
		w.runWorkload(wl, now)
	}
	for _, j := range w.jobs {
		if j.run != nil {
			w.runWorkload(j.run, now)
		}
	}
}

func (w *world) runWorkload(wl *workload, now int64) {
	serving := 0.0
	for _, p := range wl.pods {
		p.share.step(&p.r, w.c, 1)
		if p.ready {
			serving += p.jitter * (1 + 0.02*p.share.x)
		}
	}
	util, n := 0.0, 0
	for _, p := range wl.pods {
		if now < p.down {
			p.rps, p.cores = 0, 0
			p.n.mem += 10 << 20
			continue
		}
		p.rps = 0
		if p.ready && serving > 0 && wl.rps > 0 {
			p.rps = wl.rps * p.jitter * (1 + 0.02*p.share.x) / serving
		}
		limit := p.cpuLimit
		var want float64
		switch {
		case wl.cost > 0:
			want = 0.01 + wl.cost*p.rps
		case limit > 0:
			want = limit * wl.spec.util * (0.7 + 0.3*w.shape)
		default:
			want = wl.spec.util
		}
		if now-p.started < 60_000 && wl.cost > 0 {
			want += 0.15 * limit // warming up
		}
		want *= max(0.2, 1+p.cpu.step(&p.r, w.c, 0.05))
		p.throttle = 0
		use := want
		if limit > 0 {
			u := want / limit
			p.throttle = throttled(u) * (1 + 0.05*p.r.normal())
			use = limit * min(u, 0.97)
			util += u
			n++
		}
		p.cores = use
		p.n.cpu += use
		p.n.rps += p.rps
		p.n.flows += p.rps * 0.4
		w.runContainer(p, use, now)
		if p.app != nil && p.ready {
			w.runApp(p)
		}
	}
	if n > 0 {
		wl.util = util / float64(n)
	}
}

// runContainer writes what the kubelet knows of a pod's container.
func (w *world) runContainer(p *pod, use float64, now int64) {
	v := p.cad.vals
	wl := p.w
	v[cadCPU] += use * w.dt
	v[cadPodCPU] = v[cadCPU] + 0.02
	limit := wl.memLimit * (1 << 20)
	if limit == 0 {
		limit = 512 << 20
	}
	// Memory: code and heap floor, caches that follow load, and a heap that grows until the collector runs.
	p.phase += w.dt / p.period
	if p.phase >= 1 {
		p.phase -= math.Floor(p.phase)
		p.period = 180 + 300*p.r.float()
	}
	load := wl.load
	if wl.cost == 0 {
		load = w.shape
	}
	warm := min(1, 0.6+0.4*float64(now-p.started)/600_000)
	ws := wl.memBase * (0.80 + 0.08*min(load, 1.2) + 0.10*p.phase + 0.006*p.r.normal()) * warm
	if wl.leak > 0 {
		p.leaked += wl.leak * w.dt / 3600
	}
	ws += p.leaked
	if ws >= 1 && wl.memLimit > 0 {
		ws = 1
		p.oom = true
	}
	v[cadMem] = math.Floor(ws*limit/4096) * 4096
	v[cadPodMem] = v[cadMem] + 1<<20
	p.n.mem += v[cadMem]
	v[cadPSICPU] += w.dt * min(1, max(0, 0.004+0.6*p.throttle+0.002*p.r.normal()))
	if ws > 0.97 {
		v[cadPSIMem] += w.dt * (ws - 0.97) * 3
	}
	if len(v) > cadPeriods {
		periods := math.Floor(w.dt * 10 * min(1, 0.3+p.cores/max(p.cpuLimit, .01)))
		v[cadPeriods] += periods
		v[cadThrottled] += math.Floor(periods*min(1, max(0, p.throttle)) + p.r.float())
	}
}

// runApp writes what a service's pod says of its requests.
func (w *world) runApp(p *pod) {
	wl := p.w
	u := p.cores / max(p.cpuLimit, .01)
	// Queueing: waiting grows as 1/(1-use), damped since these services have several workers.
	median := wl.medianMs / 1000 * (0.9 + 0.25/(1-min(u, .9)))
	n := p.rps * w.dt
	const lookups = 0.03 // share of requests that need a name the client has not cached
	slow := 0.0
	if p.throttle > 0.02 {
		slow = min(0.5, 0.7*(p.throttle-0.02))
	}
	timeout := lookups * w.fx.dnsSlow
	failed := 0.0008 + lookups*w.fx.dnsFail
	if f := w.fx.conntrack[p.n.index]; f >= 0.999 {
		failed += 0.01
		timeout += 0.01
	}
	base := newPart(1-slow-timeout, median, 0.55)
	h, v := p.http, p.app.vals
	var total float64
	switch {
	case timeout > 0:
		total = appHistogram.observe(&p.r, v[h.hist:], n, base, newPart(slow, median*4, 0.45), newPart(timeout, 5.2, 0.05))
	case slow > 0:
		total = appHistogram.observe(&p.r, v[h.hist:], n, base, newPart(slow, median*4, 0.45))
	default:
		total = appHistogram.observe(&p.r, v[h.hist:], n, base)
	}
	bad := min(total, p.r.poisson(total*failed))
	missing := min(total-bad, p.r.poisson(total*0.004))
	v[h.ok] += total - bad - missing
	if missing > 0 {
		if h.notFound < 0 {
			p.http.notFound = w.add(p.app, "http_requests_total", "method", "GET", "code", "404")
		}
		p.app.vals[p.http.notFound] += missing
	}
	if bad > 0 {
		if h.failed < 0 {
			p.http.failed = w.add(p.app, "http_requests_total", "method", "GET", "code", "500")
		}
		p.app.vals[p.http.failed] += bad
	}
	p.app.vals[h.goroutines] = math.Floor(40 + p.rps*median*10 + 3*p.r.normal())
}
