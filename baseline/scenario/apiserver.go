package scenario

// The API server and its clients.

import "math"

// cell is one kind of API request.
type cell struct {
	verb, group, version, resource, scope string
	rps, medianMs                         float64
}

// The cells are a guess at what a small cluster's control plane does, heaviest first.
var cells = []cell{
	{"PUT", "coordination.k8s.io", "v1", "leases", "resource", 9, 6},
	{"GET", "coordination.k8s.io", "v1", "leases", "resource", 6, 2},
	{"GET", "", "v1", "configmaps", "resource", 2.2, 2},
	{"GET", "", "v1", "pods", "resource", 2, 3},
	{"POST", "authorization.k8s.io", "v1", "subjectaccessreviews", "resource", 2, 2},
	{"POST", "authentication.k8s.io", "v1", "tokenreviews", "resource", 1.5, 3},
	{"GET", "", "v1", "nodes", "resource", 1.2, 2},
	{"PATCH", "", "v1", "nodes", "resource", .6, 9},
	{"PATCH", "", "v1", "pods", "resource", .5, 9},
	{"POST", "", "v1", "events", "resource", .8, 7},
	{"PATCH", "", "v1", "events", "resource", .6, 7},
	{"LIST", "", "v1", "pods", "cluster", .5, 60},
	{"LIST", "", "v1", "nodes", "cluster", .3, 12},
	{"LIST", "", "v1", "configmaps", "namespace", .4, 15},
	{"LIST", "apps", "v1", "replicasets", "cluster", .15, 40},
	{"LIST", "apps", "v1", "deployments", "cluster", .3, 30},
	{"LIST", "apps", "v1", "deployments", "namespace", .4, 12},
	{"GET", "apps", "v1", "deployments", "resource", .7, 3},
	{"PATCH", "apps", "v1", "deployments", "resource", .25, 12},
	{"PUT", "apps", "v1", "replicasets", "resource", .2, 9},
	{"GET", "", "v1", "secrets", "resource", .5, 2},
	{"LIST", "", "v1", "services", "cluster", .2, 12},
	{"PUT", "discovery.k8s.io", "v1", "endpointslices", "resource", .2, 9},
	{"GET", "batch", "v1", "jobs", "resource", .2, 3},
	{"LIST", "batch", "v1", "cronjobs", "cluster", .1, 8},
	{"PUT", "autoscaling", "v2", "horizontalpodautoscalers", "resource", .2, 9},
	{"GET", "autoscaling", "v2", "horizontalpodautoscalers", "resource", .3, 3},
	{"WATCH", "", "v1", "pods", "cluster", .12, 0},
	{"WATCH", "", "v1", "configmaps", "resource", .3, 0},
	{"WATCH", "apps", "v1", "replicasets", "cluster", .02, 0},
	{"WATCH", "discovery.k8s.io", "v1", "endpointslices", "cluster", .03, 0},
	{"DELETE", "", "v1", "pods", "resource", .01, 12},
}

// What kube-prometheus leaves of the API server's bounds after its drop rules.
var apiHistogram = newHistogram("0.05", "0.1", "0.5", "1", "2.5", "5", "10", "30", "60")

// api is the API server.
type api struct {
	b       *block
	r       rng
	load    noise
	rows    []apiRow
	allowed int // authorizations with a yes
	refused int // and those that nobody had an opinion on; -1 before the first
	slow    noise
	flight  int
	objects int
}

type apiRow struct {
	ok, missing, conflict, hist int // -1: none
}

// client is a process that talks to the API server.
type client struct {
	wl     *workload
	b      *block
	r      rng
	rps    float64
	rows   [4]int // GET 200, PUT 200, POST 201, GET 404
	denied int    // 403, -1 before the first
}

func (c *client) reset() { clear(c.b.vals) }

func (w *world) client(wl *workload) *client {
	if !wl.spec.client {
		return nil
	}
	for _, c := range w.clients {
		if c.wl == wl {
			return c
		}
	}
	return nil
}

func (w *world) makeAPI() {
	t := newTarget(w, "apiserver", 2, "instance", w.nodes[0].ip+":6443", "namespace", "default", "endpoint", "https", "service", "kubernetes")
	a := &api{b: t.block(), r: newRNG(w.cfg.Seed, "api"), refused: -1}
	for _, c := range cells {
		row := apiRow{-1, -1, -1, -1}
		code := "200"
		if c.verb == "POST" {
			code = "201"
		}
		add := func(code string) int {
			return w.add(a.b, "apiserver_request_total", "verb", c.verb, "group", c.group, "version", c.version, "resource", c.resource,
				"scope", c.scope, "component", "apiserver", "code", code)
		}
		row.ok = add(code)
		switch c.verb {
		case "GET":
			row.missing = add("404")
		case "PUT":
			row.conflict = add("409")
		}
		if c.medianMs > 0 {
			row.hist = w.addHistogram(a.b, apiHistogram, "apiserver_request_sli_duration_seconds", "verb", c.verb, "group", c.group, "version", c.version,
				"resource", c.resource, "scope", c.scope, "component", "apiserver")
		}
		a.rows = append(a.rows, row)
	}
	a.allowed = w.add(a.b, "authorization_attempts_total", "result", "allowed")
	a.flight = w.add(a.b, "apiserver_current_inflight_requests", "request_kind", "readOnly")
	w.add(a.b, "apiserver_current_inflight_requests", "request_kind", "mutating")
	a.objects = w.add(a.b, "apiserver_storage_objects", "resource", "pods")
	info := w.add(a.b, "kubernetes_build_info", "git_version", "v1.35.2", "major", "1", "minor", "35")
	a.b.vals[info] = 1
	w.api = a

	add := func(t *target, wl *workload, rps float64, name string) *client {
		c := &client{wl: wl, b: t.block(), r: newRNG(w.cfg.Seed, "client "+name), rps: rps, denied: -1}
		for i, k := range [][2]string{{"GET", "200"}, {"PUT", "200"}, {"POST", "201"}, {"GET", "404"}} {
			c.rows[i] = w.add(c.b, "rest_client_requests_total", "host", "10.96.0.1:443", "method", k[0], "code", k[1])
		}
		w.clients = append(w.clients, c)
		return c
	}
	for _, n := range w.nodes {
		t := newTarget(w, "kubelet", 2, "instance", n.ip+":10250", "metrics_path", "/metrics", "endpoint", "https-metrics", "namespace", "kube-system", "service", "kubelet", "node", n.name)
		n.kubeletClient = add(t, nil, 3, n.name)
		n.proms = t.block()
		w.add(n.proms, "kubelet_running_pods") // no pack needs it
		w.add(n.proms, "process_resident_memory_bytes")
		if n.index == 0 {
			for i, claim := range []string{"data-catalog-db-0", "data-catalog-db-1", "data-orders-queue-0"} {
				size := w.add(n.proms, "kubelet_volume_stats_capacity_bytes", "namespace", "data", "persistentvolumeclaim", claim)
				n.proms.vals[size] = float64((40 + 20*i) << 30)
				free := w.add(n.proms, "kubelet_volume_stats_available_bytes", "namespace", "data", "persistentvolumeclaim", claim)
				n.proms.vals[free] = n.proms.vals[size] * 0.55
			}
		}
	}
	for _, wl := range w.workloads {
		if !wl.spec.client {
			continue
		}
		p := wl.pods[0]
		rps := map[string]float64{"kube-controller-manager": 9, "kube-scheduler": 4, "cert-manager": 1.5, "ci-deployer": 2.5}[wl.name]
		port := ":8080"
		if wl.kind == "Node" {
			port = ":10257"
		}
		t := newTarget(w, wl.name, 2, "instance", p.ip+port, "namespace", wl.ns, "pod", p.name, "container", wl.name, "endpoint", "metrics", "service", wl.name)
		add(t, wl, rps, wl.name)
	}
}

// refused are the kinds of requests of the CI deployer that its lost role binding covered: lists, patches and reads of secrets, each one's share.
var refused = []float64{.5, .35, .15}

func (w *world) runAPI() {
	a := w.api
	r, v := &a.r, a.b.vals
	// Most of it is leases and probes that know no hour; pods that come and go add to it.
	level := (0.9 + 0.1*w.shape) * (1 + a.load.step(r, w.c, 0.02))
	churn := w.changes / w.dt
	slow := math.Exp(a.slow.step(r, w.c, 0.05))
	for i, row := range a.rows {
		c := &cells[i]
		rate := c.rps * level
		if c.resource == "pods" || c.resource == "events" || c.resource == "endpointslices" || c.resource == "replicasets" {
			rate += churn * 1.5
		}
		count := 0.0
		if row.hist >= 0 {
			count = apiHistogram.observe(r, v[row.hist:], rate*w.dt, newPart(0.997, c.medianMs/1000*slow, 0.8), newPart(0.003, 0.12*slow, 0.6))
		} else {
			count = r.poisson(rate * w.dt)
		}
		odd := 0.0
		if row.missing >= 0 {
			odd = min(count, r.poisson(count*0.03))
			v[row.missing] += odd
		} else if row.conflict >= 0 {
			odd = min(count, r.poisson(count*0.008))
			v[row.conflict] += odd
		}
		v[row.ok] += count - odd
		v[a.allowed] += count
	}
	// Somebody's dashboard has asked for secrets it may not see for as long as anyone remembers.
	stray, total := r.poisson(0.012*w.dt), 0.0
	if f := w.fx.forbidden; f > 0 {
		for _, share := range refused {
			total += r.poisson(f * share * w.dt)
		}
	}
	// Authorization ends a request before it is counted among the answers; RBAC does not deny, it has no opinion.
	if stray+total > 0 {
		if a.refused < 0 {
			a.refused = w.add(a.b, "authorization_attempts_total", "result", "no-opinion")
		}
		a.b.vals[a.refused] += stray + total
	}
	v = a.b.vals
	v[a.flight] = math.Floor(3 + 4*level*r.float())
	v[a.flight+1] = math.Floor(1 + 3*level*r.float())
	v[a.objects] = float64(w.podCount)
	for _, c := range w.clients {
		v := c.b.vals
		rate := c.rps * level
		if c.wl != nil && c.wl.name == deniedTarget && w.fx.forbidden > 0 {
			rate *= 0.2 // its work stalls
			if c.denied < 0 {
				c.denied = w.add(c.b, "rest_client_requests_total", "host", "10.96.0.1:443", "method", "GET", "code", "403")
			}
			c.b.vals[c.denied] += total
			v = c.b.vals
		}
		v[c.rows[0]] += c.r.poisson(rate * .6 * w.dt)
		v[c.rows[1]] += c.r.poisson(rate * .3 * w.dt)
		v[c.rows[2]] += c.r.poisson(rate * .08 * w.dt)
		v[c.rows[3]] += c.r.poisson(rate * .02 * w.dt)
	}
}
