package scenario

import (
	"fmt"
	"math"

	"github.com/wrackline/wrackline/baseline/series"
)

// world is the cluster itself: nodes, workloads, pods and what they do. advance moves it by one step; every series' value is
// then current in its block, ready to be scraped.
type world struct {
	cfg     Config
	refs    [2]uint64 // next series reference of each Prometheus
	series  int64
	targets []*target
	dirty   bool
	r       rng // for life: names, background events

	now   int64
	last  int64   // time of the step before; 0 = none
	dt    float64 // seconds since
	c     ar
	shape float64 // share of peak traffic

	nodes     []*node
	workloads []*workload
	byName    map[string]*workload // first of the name: the original, not a copy of a larger profile
	services  []*workload          // those with requests, callers before callees
	dnsPods   []*dnsPod
	podCount  int
	changes   float64 // pods created or removed in this step: what keeps the API server busy

	ksm      *target
	ksmNodes *block
	api      *api
	clients  []*client
	proms    []*promSelf
	conns    *ingress

	faults             []*planned
	fx                 effects
	roleBindingVersion float64
	roleBinding        *block
	outages            []outage

	queries float64 // DNS look-ups a second, before retries
	jobs    []*cron
}

// outage is a time in which kube-state-metrics does not answer, a pathology of everyday life.
type outage struct{ from, to int64 }

// node is a machine.
type node struct {
	name, ip, kubelet string
	uuid              string
	index             int
	r                 rng
	nextIP            int
	pods              int
	cadvisor          *target
	exporter          *block
	rows              nodeRows
	proms             *block    // kubelet's own metrics
	info              *block    // kube_node_info
	state             int       // row of its conditions and of its cordon in world.ksmNodes
	boot              int       // row of node_boot_time_seconds in exporter
	fresh             []float64 // of exporter, after a boot
	cordoned          bool
	down              bool // boots
	upgrade           upgradePhase
	toMove            int // pods when its drain began
	kubeletClient     *client

	cpu, mem, flows, rps float64 // sums over pods, made in each step
	entries              float64 // of conntrack
	fs                   [2]float64
	disk                 noise
	idle                 noise
}

const (
	nodeCores      = 8
	nodeMem        = 32 << 30
	conntrackLimit = 131072
)

// spec says what a workload is and does.
type spec struct {
	ns, name, kind string // Deployment, StatefulSet, DaemonSet, Node (static), CronJob
	replicas       int
	cpuLimit       float64 // cores
	memLimit       float64 // MiB
	util           float64 // share of the CPU limit used at peak
	memBase        float64 // share of the memory limit used at peak; 0 = 0.5
	medianMs       float64 // of a request; 0 = does not answer HTTP
	rootRPS        float64 // from outside, at peak
	own            float64 // requests a second from elsewhere (batch, devices), without a daily shape
	hpaMax         int
	calls          []call
	client         bool // has rest_client metrics
}

type call struct {
	to  string
	fan float64
}

// workload is what owns pods.
type workload struct {
	spec
	r          rng
	pods       []*pod
	replicas   int
	cpuLimit   float64
	revision   int
	generation int // of what somebody has written: templates and replicas
	hash       string
	tag        int  // of the image of its template
	stuck      bool // pods of the newest template do not get ready
	moves      int  // pods that had to leave their node
	sets       []*replicaSet
	status     *block
	statusRow  int
	hpa        *block
	hpaBelow   int // minutes for which fewer replicas would do

	peak   float64 // requests a second at peak, from the graph; costs follow from it
	cost   float64 // core seconds a request
	rps    float64
	traf   noise
	load   float64 // smoothed rps / peak: caches follow it
	leak   float64 // share of the memory limit an hour
	inRoll []*pod  // pods still to be replaced
	doomed *pod    // replaced, dies when its successor is ready
	rolled int64
	target bool
	calls  []edge
	util   float64
}

type edge struct {
	to  *workload
	fan float64
}

type replicaSet struct {
	name string
	tag  int // of its image
	b    *block
}

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

func newWorld(c Config) *world {
	w := &world{cfg: c, r: newRNG(c.Seed, "world"), byName: map[string]*workload{}, roleBindingVersion: 48213}
	w.makeNodes()
	w.makeWorkloads()
	w.makeSystem()
	for _, f := range c.Faults {
		w.plan(f)
	}
	if !c.Quiet {
		// Once in about five days kube-state-metrics is away for three minutes, at night, the first time on the second day.
		r := newRNG(c.Seed, "outages")
		for at := c.StartMs + 27*3_600_000; at < c.StartMs+60*86_400_000; at += 5*86_400_000 + int64(r.intn(7_200_000)) {
			w.outages = append(w.outages, outage{at, at + 180_000})
		}
	}
	w.fx.conntrack = make([]float64, len(w.nodes))
	w.fx.lossy = make([]float64, len(w.nodes))
	w.fx.dnsLost = make([]float64, len(w.dnsPods))
	return w
}

func (w *world) makeNodes() {
	w.ksm = newTarget(w, "kube-state-metrics", 2, "instance", "10.244.0.9:8443")
	w.ksmNodes = w.ksm.block()
	for i := range w.cfg.Profile.Nodes {
		n := &node{index: i, name: fmt.Sprintf("node-%d", i+1), ip: fmt.Sprintf("10.0.%d.%d", i/250, 10+i%250), kubelet: "v1.35.2", nextIP: 10}
		n.r = newRNG(w.cfg.Seed, n.name)
		n.cadvisor = newTarget(w, "kubelet", 2, "instance", n.ip+":10250", "metrics_path", "/metrics/cadvisor", "endpoint", "https-metrics",
			"namespace", "kube-system", "service", "kubelet", "node", n.name)
		w.nodes = append(w.nodes, n)
		b := w.ksmNodes
		set := func(v float64, name string, kv ...string) { b.vals[w.add(b, name, append(kv, "node", n.name)...)] = v }
		n.uuid = uid(&n.r)
		w.nodeInfo(n, "6.12.63")
		n.state = len(b.vals)
		for _, s := range []string{"true", "false", "unknown"} {
			v := 0.0
			if s == "true" {
				v = 1
			}
			set(v, "kube_node_status_condition", "condition", "Ready", "status", s)
		}
		set(0, "kube_node_spec_unschedulable")
		set(nodeCores, "kube_node_status_allocatable", "resource", "cpu", "unit", "core")
		set(nodeMem, "kube_node_status_allocatable", "resource", "memory", "unit", "byte")
		set(110, "kube_node_status_allocatable", "resource", "pods", "unit", "integer")
	}
}

// nodeInfo says what a node runs, in place of what it ran before.
func (w *world) nodeInfo(n *node, kernel string) {
	n.info.end()
	n.info = w.ksm.block()
	n.info.vals[w.add(n.info, "kube_node_info", "kernel_version", kernel, "os_image", "Flatcar 4459.2.1", "container_runtime_version", "containerd://2.1.5",
		"kubelet_version", n.kubelet, "kubeproxy_version", "deprecated", "provider_id", "sim://"+n.name, "pod_cidr", fmt.Sprintf("10.%d.%d.0/24", 244+n.index/256, n.index%256),
		"system_uuid", n.uuid, "internal_ip", n.ip, "node", n.name)] = 1
}

// apps are the application workloads of one copy of the shop, callers before callees. The long names are those of Helm
// releases that run into the 63 characters of a host name.
var apps = []spec{
	{ns: "edge", name: "api-gateway", kind: "Deployment", replicas: 5, cpuLimit: 1, memLimit: 512, util: .42, medianMs: 18, rootRPS: 140, hpaMax: 8,
		calls: []call{{"sessions", 1}, {"catalog", .6}, {"cart", .4}, {"checkout", .12}, {"users", .5}, {"orders", .2}}},
	{ns: "edge", name: "webhooks", kind: "Deployment", replicas: 2, cpuLimit: .5, memLimit: 256, util: .25, medianMs: 12, rootRPS: 15,
		calls: []call{{"orders", .5}, {"payments", .4}}},
	{ns: "shop", name: "storefront", kind: "Deployment", replicas: 5, cpuLimit: 1, memLimit: 768, util: .42, medianMs: 45, rootRPS: 90, hpaMax: 8,
		calls: []call{{"catalog", 1.2}, {"cart", .4}, {"search", .35}, {"recommendations", .6}, {"sessions", 1}}},
	{ns: "shop", name: "checkout", kind: "Deployment", replicas: 3, cpuLimit: .6, memLimit: 512, util: .43, medianMs: 60,
		calls: []call{{"payments", 1}, {"inventory", 1.5}, {"pricing", 2}, {"fraud-check", 1}, {"shipping", .7}}},
	{ns: "shop", name: "catalog", kind: "Deployment", replicas: 4, cpuLimit: 1, memLimit: 512, util: .4, medianMs: 9,
		calls: []call{{"pricing", .8}, {"catalog-db", .6}}},
	{ns: "shop", name: "cart", kind: "Deployment", replicas: 3, cpuLimit: .5, memLimit: 384, util: .35, medianMs: 7},
	{ns: "shop", name: "search", kind: "Deployment", replicas: 3, cpuLimit: 1, memLimit: 1024, util: .36, memBase: .6, medianMs: 25, hpaMax: 6,
		calls: []call{{"search-index", 1.2}}},
	{ns: "shop", name: "recommendations", kind: "Deployment", replicas: 3, cpuLimit: 1, memLimit: 1536, util: .45, memBase: .45, medianMs: 30,
		calls: []call{{"feature-store", 1.5}}},
	{ns: "shop", name: "sessions", kind: "Deployment", replicas: 3, cpuLimit: .4, memLimit: 256, util: .3, medianMs: 3,
		calls: []call{{"sessions-cache", 1}}},
	{ns: "shop", name: "users", kind: "Deployment", replicas: 3, cpuLimit: .5, memLimit: 384, util: .28, medianMs: 8, calls: []call{{"users-db", 1}}},
	{ns: "shop", name: "orders", kind: "Deployment", replicas: 3, cpuLimit: .6, memLimit: 512, util: .33, medianMs: 22,
		calls: []call{{"inventory", .5}, {"notifications", .3}, {"orders-queue", .5}}},
	{ns: "shop", name: "pricing", kind: "Deployment", replicas: 3, cpuLimit: .5, memLimit: 256, util: .36, medianMs: 4},
	{ns: "shop", name: "inventory", kind: "Deployment", replicas: 3, cpuLimit: .5, memLimit: 384, util: .3, medianMs: 9, calls: []call{{"catalog-db", .5}}},
	{ns: "payments", name: "payments", kind: "Deployment", replicas: 3, cpuLimit: .6, memLimit: 512, util: .3, medianMs: 85},
	{ns: "payments", name: "fraud-check", kind: "Deployment", replicas: 3, cpuLimit: 1, memLimit: 1024, util: .4, memBase: .65, medianMs: 40,
		calls: []call{{"feature-store", 1}}},
	{ns: "platform", name: "notifications", kind: "Deployment", replicas: 3, cpuLimit: .3, memLimit: 256, util: .2, medianMs: 15},
	{ns: "platform", name: "shipping", kind: "Deployment", replicas: 3, cpuLimit: .4, memLimit: 256, util: .25, medianMs: 35},
	{ns: "platform", name: "feature-store", kind: "Deployment", replicas: 3, cpuLimit: .8, memLimit: 2048, util: .38, memBase: .6, medianMs: 5},
	{ns: "platform", name: "platform-observability-telemetry-collector-gateway-eu", kind: "Deployment", replicas: 2, cpuLimit: .5, memLimit: 512, util: .4, medianMs: 2, own: 60},
	{ns: "data", name: "catalog-db", kind: "StatefulSet", replicas: 2, cpuLimit: 2, memLimit: 2048, util: .25, memBase: .7},
	{ns: "data", name: "users-db", kind: "StatefulSet", replicas: 1, cpuLimit: 1, memLimit: 1024, util: .25, memBase: .68},
	{ns: "data", name: "sessions-cache", kind: "StatefulSet", replicas: 2, cpuLimit: .5, memLimit: 512, util: .2, memBase: .5},
	{ns: "data", name: "search-index", kind: "StatefulSet", replicas: 3, cpuLimit: 1, memLimit: 2048, util: .3, memBase: .72},
	{ns: "data", name: "orders-queue", kind: "StatefulSet", replicas: 3, cpuLimit: .5, memLimit: 1024, util: .15, memBase: .6},
}

// system are the workloads that make it a cluster. Their use does not follow the shop.
var system = []spec{
	{ns: "kube-system", name: "coredns", kind: "Deployment", replicas: 3, cpuLimit: .5, memLimit: 170, util: .12, memBase: .3},
	{ns: "kube-system", name: "kube-proxy", kind: "DaemonSet", cpuLimit: 0, memLimit: 0, util: .02},
	{ns: "kube-system", name: "cni-agent", kind: "DaemonSet", cpuLimit: .5, memLimit: 512, util: .1, memBase: .35},
	{ns: "monitoring", name: "node-exporter", kind: "DaemonSet", cpuLimit: .25, memLimit: 180, util: .08, memBase: .25},
	{ns: "kube-system", name: "etcd", kind: "Node", util: .12},
	{ns: "kube-system", name: "kube-apiserver", kind: "Node", util: .35},
	{ns: "kube-system", name: "kube-controller-manager", kind: "Node", util: .05, client: true},
	{ns: "kube-system", name: "kube-scheduler", kind: "Node", util: .02, client: true},
	{ns: "monitoring", name: "kube-state-metrics", kind: "Deployment", replicas: 1, cpuLimit: .1, memLimit: 250, util: .1, memBase: .4},
	{ns: "monitoring", name: "prometheus-k8s", kind: "StatefulSet", replicas: 2, cpuLimit: 2, memLimit: 4096, util: .15, memBase: .5},
	{ns: "ingress-nginx", name: "ingress-nginx-controller", kind: "Deployment", replicas: 2, cpuLimit: 1, memLimit: 512, util: .2, memBase: .4},
	{ns: "cert-manager", name: "cert-manager", kind: "Deployment", replicas: 1, cpuLimit: .1, memLimit: 128, util: .1, memBase: .4, client: true},
	{ns: "ci", name: "ci-deployer", kind: "Deployment", replicas: 1, cpuLimit: .5, memLimit: 384, util: .15, memBase: .4, client: true},
}

func (w *world) makeWorkloads() {
	for i := range system {
		w.makeWorkload(system[i], "")
	}
	w.makeCrons()
	for left, n := w.cfg.Profile.Workloads-len(system)-len(w.jobs), 1; left > 0; n++ {
		suffix := ""
		if n > 1 {
			suffix = fmt.Sprintf("-%d", n)
		}
		copied := map[string]*workload{}
		var made []*workload
		for i := range apps[:min(left, len(apps))] {
			wl := w.makeWorkload(apps[i], suffix)
			copied[wl.name] = wl
			made = append(made, wl)
		}
		left -= len(made)
		for _, wl := range made { // callers come before callees, so peaks are known in one pass
			wl.peak += wl.rootRPS + wl.own
			for _, c := range wl.spec.calls {
				if to := copied[c.to]; to != nil {
					wl.calls = append(wl.calls, edge{to, c.fan})
					to.peak += wl.peak * c.fan
				}
			}
			wl.cost = wl.util0() / wl.peak
			w.services = append(w.services, wl)
		}
	}
	// Each client pod looks names up for a share of its requests, several times because of its search path.
	for _, wl := range w.workloads {
		for range wl.replicas {
			w.makePod(wl, w.cfg.StartMs-int64(3_600_000*(1+wl.r.intn(200))), "")
		}
		w.makeStatus(wl)
	}
	for _, wl := range w.workloads {
		for _, p := range wl.pods {
			p.ready = true
			p.started = p.born
		}
	}
}

// util0 is how many cores a workload uses at peak.
func (wl *workload) util0() float64 { return wl.spec.util * wl.spec.cpuLimit * float64(wl.replicas) }

func (w *world) makeWorkload(s spec, suffix string) *workload {
	wl := &workload{spec: s, replicas: s.replicas, cpuLimit: s.cpuLimit}
	wl.ns += suffix
	if s.memBase == 0 {
		wl.memBase = .5
	}
	switch s.kind {
	case "DaemonSet":
		wl.replicas = len(w.nodes)
	case "Node":
		wl.replicas = 1
	case "Deployment", "StatefulSet":
		if s.medianMs > 0 || s.ns == "data" {
			wl.replicas *= w.cfg.Profile.Replicas
			wl.hpaMax *= w.cfg.Profile.Replicas
		}
	}
	wl.spec.replicas = wl.replicas
	wl.r = newRNG(w.cfg.Seed, wl.ns+"/"+wl.name)
	wl.target = s.medianMs > 0
	if s.kind == "Deployment" {
		w.newReplicaSet(wl)
	}
	w.workloads = append(w.workloads, wl)
	if w.byName[wl.name] == nil {
		w.byName[wl.name] = wl
	}
	return wl
}

// newReplicaSet gives a Deployment a new template and drops the ReplicaSets beyond the last three.
func (w *world) newReplicaSet(wl *workload) {
	wl.revision++
	wl.generation++
	wl.hash = templateHash(uint32(wl.r.next()))
	name := wl.name + "-" + wl.hash
	b := w.ksm.block()
	b.vals[w.add(b, "kube_replicaset_owner", "namespace", wl.ns, "replicaset", name, "owner_kind", "Deployment", "owner_name", wl.name, "owner_is_controller", "true")] = 1
	w.add(b, "kube_replicaset_spec_replicas", "namespace", wl.ns, "replicaset", name)
	wl.tag = wl.revision
	wl.sets = append(wl.sets, &replicaSet{name, wl.tag, b})
	if len(wl.sets) > 3 {
		wl.sets[0].b.end()
		wl.sets = append(wl.sets[:0], wl.sets[1:]...)
	}
}

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

// image is what a workload's newest template runs.
func (w *world) image(wl *workload) string {
	return fmt.Sprint("registry.sim/", wl.container(), ":", wl.tag)
}

// container is the name of a workload's only container.
func (wl *workload) container() string {
	if len(wl.name) > 40 {
		return "collector"
	}
	if wl.kind == "Job" {
		return "job"
	}
	return wl.name
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

// makeStatus adds a workload's own objects to kube-state-metrics.
func (w *world) makeStatus(wl *workload) {
	b := w.ksm.block()
	wl.status = b
	switch wl.kind {
	case "Deployment":
		wl.statusRow = w.add(b, "kube_deployment_spec_replicas", "namespace", wl.ns, "deployment", wl.name)
		for _, m := range []string{"kube_deployment_status_replicas_available", "kube_deployment_status_replicas", "kube_deployment_status_replicas_updated",
			"kube_deployment_metadata_generation", "kube_deployment_status_observed_generation", "kube_deployment_spec_strategy_rollingupdate_max_unavailable",
			"kube_deployment_spec_paused"} {
			w.add(b, m, "namespace", wl.ns, "deployment", wl.name)
		}
		for _, s := range []string{"true", "false", "unknown"} {
			b.vals[w.add(b, "kube_deployment_status_condition", "namespace", wl.ns, "deployment", wl.name, "condition", "Progressing", "status", s)] = b2f(s == "true")
		}
	case "StatefulSet":
		for _, m := range []string{"kube_statefulset_replicas", "kube_statefulset_status_replicas_ready", "kube_statefulset_status_replicas",
			"kube_statefulset_status_replicas_available", "kube_statefulset_status_replicas_updated", "kube_statefulset_metadata_generation",
			"kube_statefulset_status_observed_generation"} {
			w.add(b, m, "namespace", wl.ns, "statefulset", wl.name)
		}
		b.vals[w.add(b, "kube_statefulset_status_update_revision", "namespace", wl.ns, "statefulset", wl.name, "revision", wl.name+"-"+templateHash(uint32(wl.r.next())))] = 1
	case "DaemonSet":
		for _, m := range []string{"kube_daemonset_status_desired_number_scheduled", "kube_daemonset_status_number_ready", "kube_daemonset_status_current_number_scheduled",
			"kube_daemonset_status_number_available", "kube_daemonset_status_updated_number_scheduled", "kube_daemonset_metadata_generation",
			"kube_daemonset_status_observed_generation"} {
			w.add(b, m, "namespace", wl.ns, "daemonset", wl.name)
		}
	}
	if wl.hpaMax > 0 {
		wl.hpa = w.ksm.block()
		for _, m := range []string{"kube_horizontalpodautoscaler_spec_max_replicas", "kube_horizontalpodautoscaler_spec_min_replicas",
			"kube_horizontalpodautoscaler_status_current_replicas", "kube_horizontalpodautoscaler_status_desired_replicas"} {
			w.add(wl.hpa, m, "namespace", wl.ns, "horizontalpodautoscaler", wl.name)
		}
		wl.hpa.vals[0] = float64(wl.hpaMax)
		wl.hpa.vals[1] = float64(wl.spec.replicas)
	}
}

// advance moves the cluster to now.
func (w *world) advance(now int64, live bool) {
	w.dt = stepHistoryMs / 1000
	if w.last != 0 {
		w.dt = float64(now-w.last) / 1000
	} else if live {
		w.dt = stepLiveMs / 1000
	}
	w.now, w.last = now, now
	w.c = newAR(w.dt)
	w.shape = shapeAt(now)
	w.applyFaults(now)
	w.life(now)
	w.traffic()
	w.runPods(now)
	w.runDNS()
	w.runAPI()
	w.runNodes(now)
	w.runIngress()
	w.runStatus()
	w.runProms(now)
	w.changes = 0
}

// traffic sends requests through the graph.
func (w *world) traffic() {
	for _, wl := range w.services {
		wl.rps = 0
	}
	w.queries = 15 // kubelets, probes and jobs
	for _, wl := range w.services {
		sd := 0.015
		in := wl.rps
		if wl.rootRPS > 0 {
			sd = 0.03
			root := wl.rootRPS * w.shape
			if wl.name == trafficTarget && wl == w.byName[trafficTarget] {
				root *= w.fx.traffic
			}
			in += root
		}
		in += wl.own
		wl.rps = max(0, in*(1+wl.traf.step(&wl.r, w.c, sd)))
		for _, c := range wl.calls {
			c.to.rps += wl.rps * c.fan
		}
		load := wl.rps / wl.peak
		if wl.load == 0 {
			wl.load = load
		}
		wl.load += (load - wl.load) * min(1, w.dt/1800) // caches fill and empty within half an hour
		w.queries += wl.rps * 0.15
	}
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

// runStatus writes what kube-state-metrics knows of workloads.
func (w *world) runStatus() {
	for _, wl := range w.workloads {
		ready, updated := 0.0, 0.0
		for _, s := range wl.sets {
			s.b.vals[1] = 0
		}
		for _, p := range wl.pods {
			if p.ready {
				ready++
			}
			if p.set == wl.hash {
				updated++
			}
			for _, s := range wl.sets {
				if s.name == wl.name+"-"+p.set && p != wl.doomed {
					s.b.vals[1]++
				}
			}
		}
		want, have := float64(wl.replicas), float64(len(wl.pods))
		v := wl.status.vals
		switch wl.kind {
		case "Deployment":
			v[0], v[1], v[2], v[3] = want, ready, have, updated
			v[4], v[5] = float64(wl.generation), float64(wl.generation)
			v[6] = math.Floor(want / 4)
			late := wl.stuck && w.now-wl.rolled >= progressDeadlineMs
			v[8], v[9] = b2f(!late), b2f(late)
		case "StatefulSet", "DaemonSet":
			v[0], v[1], v[2], v[3], v[4], v[5], v[6] = want, ready, have, ready, have, 1, 1
		}
		if wl.hpa != nil {
			wl.hpa.vals[2], wl.hpa.vals[3] = have, want
		}
	}
	w.roleBinding.vals[0] = w.roleBindingVersion
}

var _ series.LabelReader = (*Request)(nil)
