package scenario

import (
	"fmt"
	"math"
	"strings"
)

// The cluster's own parts: name service, API server and its clients, machines, and the Prometheus pair itself.

// dnsPod is a CoreDNS replica.
type dnsPod struct {
	p     *pod
	b     *block
	r     rng
	share noise
	row   dnsRows
	build int
}

type dnsRows struct {
	requests                         int // four: A, AAAA and other over UDP, A over TCP
	noerror, nxdomain, servfail      int
	hist                             int
	hitOK, hitNo, cached, entries    int
	fwd                              [2]int // histograms of the upstream by rcode
	broken, rejected, health, panics int
}

// CoreDNS' own bounds: 0.25 ms doubled sixteen times.
var dnsHistogram = newHistogram("0.00025", "0.0005", "0.001", "0.002", "0.004", "0.008", "0.016", "0.032", "0.064", "0.128", "0.256", "0.512", "1.024", "2.048", "4.096", "8.192")
var healthHistogram = newHistogram("0.00025", "0.0025", "0.025", "0.25", "2.5")

func (w *world) makeDNS() {
	wl := w.byName["coredns"]
	for _, p := range wl.pods {
		t := newTarget(w, "coredns", 1, "instance", p.ip+":9153", "namespace", wl.ns, "pod", p.name, "container", "coredns", "endpoint", "metrics", "service", "kube-dns")
		d := &dnsPod{p: p, b: t.block(), r: newRNG(w.cfg.Seed, "dns "+p.name)}
		b := d.b
		at := []string{"server", "dns://:53", "zone", "."}
		with := func(kv ...string) []string { return append(append([]string(nil), at...), kv...) }
		w.add(b, "coredns_dns_requests_total", with("family", "1", "proto", "udp", "type", "A")...)
		w.add(b, "coredns_dns_requests_total", with("family", "1", "proto", "udp", "type", "AAAA")...)
		w.add(b, "coredns_dns_requests_total", with("family", "1", "proto", "udp", "type", "other")...)
		w.add(b, "coredns_dns_requests_total", with("family", "1", "proto", "tcp", "type", "A")...)
		d.row.noerror = w.add(b, "coredns_dns_responses_total", with("rcode", "NOERROR", "plugin", "cache")...)
		d.row.nxdomain = w.add(b, "coredns_dns_responses_total", with("rcode", "NXDOMAIN", "plugin", "cache")...)
		d.row.servfail = -1 // no series before the first failure
		d.row.hist = w.addHistogram(b, dnsHistogram, "coredns_dns_request_duration_seconds", at...)
		cache := []string{"server", "dns://:53", "zones", "."}
		d.row.hitOK = w.add(b, "coredns_cache_hits_total", append(cache[:4:4], "type", "success")...)
		d.row.hitNo = w.add(b, "coredns_cache_hits_total", append(cache[:4:4], "type", "denial")...)
		d.row.cached = w.add(b, "coredns_cache_requests_total", cache...)
		d.row.entries = w.add(b, "coredns_cache_entries", append(cache[:4:4], "type", "success")...)
		for i, rcode := range []string{"NOERROR", "NXDOMAIN"} {
			d.row.fwd[i] = w.addHistogram(b, dnsHistogram, "coredns_proxy_request_duration_seconds", "proxy_name", "forward", "to", "10.0.0.2:53", "rcode", rcode)
		}
		d.row.broken = w.add(b, "coredns_forward_healthcheck_broken_total")
		d.row.rejected = w.add(b, "coredns_forward_max_concurrent_rejects_total")
		d.row.health = w.addHistogram(b, healthHistogram, "coredns_health_request_duration_seconds")
		d.row.panics = w.add(b, "coredns_panics_total")
		d.build = w.add(b, "coredns_build_info", "version", "1.14.1", "revision", "3b1a1f7", "goversion", "go1.25.6")
		b.vals[d.build] = 1
		w.dnsPods = append(w.dnsPods, d)
	}
}

// runDNS shares the cluster's look-ups among the replicas.
func (w *world) runDNS() {
	var weight [64]float64
	n := float64(len(w.dnsPods))
	if n == 0 {
		return
	}
	arriving := 0.0
	for i, d := range w.dnsPods {
		weight[i] = max(0.5, 1+d.share.step(&d.r, w.c, 0.02))
		arriving += weight[i] * (1 - w.fx.dnsLost[i])
	}
	total := 0.0
	for i := range w.dnsPods {
		total += weight[i]
	}
	// What a dead replica swallows is asked again, of all replicas: each retry loses the same share.
	lost := 1 - arriving/total
	asked := w.queries * (1 + lost + lost*lost)
	for i, d := range w.dnsPods {
		q := asked * weight[i] / total * (1 - w.fx.dnsLost[i])
		if w.fx.dnsLost[i] > 0 {
			q += 0.05 // its own probes
		}
		v, r, row := d.b.vals, &d.r, d.row
		count := q * w.dt
		hitRatio := 0.88 - w.fx.cacheLoss + 0.004*d.r.normal()
		miss := 1 - hitRatio
		const external = 0.55 // of misses; the rest is answered from the cluster's own records
		fwdMedian := 0.004 * w.fx.forward
		served := dnsHistogram.observe(r, v[row.hist:], count,
			newPart(1-miss*external, 0.00016, 0.7), newPart(miss*external, fwdMedian, 0.8))
		a := math.Floor(served * 0.52)
		aaaa := math.Floor(served * 0.43)
		tcp := min(served-a-aaaa, r.poisson(served*0.004))
		v[row.requests] += a
		v[row.requests+1] += aaaa
		v[row.requests+2] += served - a - aaaa - tcp
		v[row.requests+3] += tcp
		fail := min(served, r.poisson(served*(0.00012+w.fx.servfail)))
		no := math.Floor((served - fail) * (0.56 + 0.01*r.normal()))
		v[row.nxdomain] += no
		v[row.noerror] += served - fail - no
		hits := math.Floor(served * min(0.99, hitRatio))
		v[row.hitOK] += math.Floor(hits * 0.4)
		v[row.hitNo] += hits - math.Floor(hits*0.4)
		v[row.cached] += served
		v[row.entries] = math.Floor(900 + 300*w.shape + 20*r.normal())
		dnsHistogram.observe(r, v[row.fwd[0]:], served*miss*external*0.45, newPart(1, fwdMedian, 0.8))
		dnsHistogram.observe(r, v[row.fwd[1]:], served*miss*external*0.55, newPart(1, fwdMedian*0.8, 0.8))
		healthHistogram.observe(r, v[row.health:], w.dt, newPart(1, 0.0006, 0.5))
		if fail > 0 {
			if row.servfail < 0 {
				d.row.servfail = w.add(d.b, "coredns_dns_responses_total", "server", "dns://:53", "zone", ".", "rcode", "SERVFAIL", "plugin", "forward")
			}
			d.b.vals[d.row.servfail] += fail
		}
		if d.p != nil {
			d.p.n.flows += q
		}
	}
}

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
	denied  []int // rows of refused requests; none before the first
	stray   int   // a long-standing refusal nobody has cleaned up
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

func (w *world) makeSystem() {
	w.makeDNS()
	w.makeAPI()
	w.makeExporters()
	w.makeProms()
	w.makeIngress()
	w.roleBinding = w.ksm.block()
	w.add(w.roleBinding, "kube_rolebinding_metadata_resource_version", "namespace", "ci", "rolebinding", "ci-deployer")
}

func (w *world) makeAPI() {
	t := newTarget(w, "apiserver", 2, "instance", w.nodes[0].ip+":6443", "namespace", "default", "endpoint", "https", "service", "kubernetes")
	a := &api{b: t.block(), r: newRNG(w.cfg.Seed, "api"), stray: -1}
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

// refused are the requests of the CI deployer that its lost role binding covered.
var refused = []cell{
	{"LIST", "apps", "v1", "deployments", "namespace", .5, 0},
	{"PATCH", "apps", "v1", "deployments", "resource", .35, 0},
	{"GET", "", "v1", "secrets", "resource", .15, 0},
}

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
	}
	deny := func(c *cell, n float64) int {
		row := w.add(a.b, "apiserver_request_total", "verb", c.verb, "group", c.group, "version", c.version, "resource", c.resource,
			"scope", c.scope, "component", "apiserver", "code", "403")
		a.b.vals[row] = n
		return row
	}
	// Somebody's dashboard has asked for secrets it may not see for as long as anyone remembers.
	if n := r.poisson(0.012 * w.dt); n > 0 {
		if a.stray < 0 {
			a.stray = deny(&cell{"LIST", "", "v1", "secrets", "namespace", 0, 0}, 0)
		}
		a.b.vals[a.stray] += n
	}
	total := 0.0
	if f := w.fx.forbidden; f > 0 {
		for i := range refused {
			n := r.poisson(f * refused[i].rps * w.dt)
			total += n
			if len(a.denied) <= i {
				a.denied = append(a.denied, deny(&refused[i], 0))
			}
			a.b.vals[a.denied[i]] += n
		}
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

// nodeRows are the rows of a node exporter's block.
type nodeRows struct {
	cpu                                                 [nodeCores]int // eight modes each
	mem, conntrack, load, psi, disk, fs, net, tcp, misc int
}

var cpuModes = []string{"idle", "user", "system", "iowait", "irq", "nice", "softirq", "steal"}

func (w *world) makeExporters() {
	exporters := w.byName["node-exporter"]
	for i, n := range w.nodes {
		p := exporters.pods[i%len(exporters.pods)]
		t := newTarget(w, "node-exporter", 1, "instance", n.name, "namespace", "monitoring", "pod", p.name, "container", "node-exporter", "endpoint", "https", "service", "node-exporter")
		b := t.block()
		n.exporter = b
		set := func(v float64, name string, kv ...string) int {
			row := w.add(b, name, kv...)
			b.vals[row] = v
			return row
		}
		x := &n.rows
		for c := range nodeCores {
			x.cpu[c] = len(b.vals)
			for _, m := range cpuModes {
				set(0, "node_cpu_seconds_total", "cpu", fmt.Sprint(c), "mode", m)
			}
		}
		x.mem = set(nodeMem, "node_memory_MemTotal_bytes")
		for _, m := range []string{"MemAvailable", "MemFree", "Buffers", "Cached"} {
			set(0, "node_memory_"+m+"_bytes")
		}
		x.conntrack = set(0, "node_nf_conntrack_entries")
		set(conntrackLimit, "node_nf_conntrack_entries_limit")
		set(0, "node_nf_conntrack_stat_insert_failed")
		set(0, "node_nf_conntrack_stat_drop")
		x.load = set(0, "node_load1")
		x.psi = set(0, "node_pressure_cpu_waiting_seconds_total")
		for _, m := range []string{"memory_waiting", "memory_stalled", "io_waiting", "io_stalled"} {
			set(0, "node_pressure_"+m+"_seconds_total")
		}
		x.disk = len(b.vals)
		for _, m := range []string{"reads_completed_total", "writes_completed_total", "read_time_seconds_total", "write_time_seconds_total",
			"io_time_seconds_total", "io_time_weighted_seconds_total", "read_bytes_total", "written_bytes_total"} {
			set(0, "node_disk_"+m, "device", "nvme0n1")
		}
		x.fs = len(b.vals)
		for j, mount := range []string{"/", "/var/lib/containerd"} {
			kv := []string{"device", fmt.Sprintf("/dev/nvme0n1p%d", j+1), "fstype", "ext4", "mountpoint", mount}
			set(float64(50+150*j)*(1<<30), "node_filesystem_size_bytes", kv...)
			set(0, "node_filesystem_avail_bytes", kv...)
			set(float64(3+10*j)*1e6, "node_filesystem_files", kv...)
			set(0, "node_filesystem_files_free", kv...)
			n.fs[j] = 0.35 + 0.1*n.r.float()
		}
		x.net = len(b.vals)
		for _, dir := range []string{"receive", "transmit"} {
			for _, m := range []string{"bytes", "packets", "drop", "errs"} {
				set(0, "node_network_"+dir+"_"+m+"_total", "device", "eth0")
			}
		}
		x.tcp = len(b.vals)
		for _, m := range []string{"Tcp_OutSegs", "Tcp_RetransSegs", "Tcp_ActiveOpens", "TcpExt_TCPSynRetrans", "TcpExt_ListenOverflows", "TcpExt_ListenDrops", "Udp_RcvbufErrors"} {
			set(0, "node_netstat_"+m)
		}
		x.misc = set(0, "node_timex_offset_seconds")
		n.boot = set(float64(w.cfg.StartMs/1000-40*86_400), "node_boot_time_seconds")
		set(0, "node_vmstat_oom_kill")
		set(1, "node_uname_info", "nodename", n.name, "sysname", "Linux", "release", "6.12.63", "machine", "x86_64")
		n.fresh = append([]float64(nil), b.vals...)
	}
}

func (w *world) runNodes(now int64) {
	hours := float64(now-w.cfg.StartMs) / 3_600_000
	for _, n := range w.nodes {
		x, v, r := &n.rows, n.exporter.vals, &n.r
		busy := min(0.99, n.cpu/nodeCores*(1+n.idle.step(r, w.c, 0.01)))
		for c := range nodeCores {
			at := v[x.cpu[c]:]
			b := busy * w.dt
			at[0] += w.dt - b - 0.004*w.dt
			at[1] += b * 0.68
			at[2] += b * 0.26
			at[3] += 0.004 * w.dt
			at[6] += b * 0.06
		}
		used := min(n.mem, nodeMem*0.98)
		v[x.mem+1] = math.Floor((nodeMem-used)/4096) * 4096
		v[x.mem+2] = math.Floor((nodeMem-used)*0.3/4096) * 4096
		v[x.mem+3] = 180 << 20
		v[x.mem+4] = math.Floor((nodeMem-used)*0.6/4096) * 4096

		// Connection tracking: flows of the last two minutes, and what a fault adds. At the limit inserts fail.
		want := 1800 + n.flows*120
		if n.entries == 0 {
			n.entries = want
		}
		n.entries += (want*(1+0.01*r.normal()) - n.entries) * min(1, w.dt/120)
		f := w.fx.conntrack[n.index]
		entries := n.entries + f*(conntrackLimit-n.entries)
		v[x.conntrack] = min(conntrackLimit, math.Floor(entries))
		full := 0.0
		if f >= 0.999 {
			full = 1
			v[x.conntrack] = conntrackLimit - math.Floor(20*r.float())
		}
		v[x.conntrack+2] += r.poisson((0.02 + 200*full) * w.dt)
		v[x.conntrack+3] += r.poisson((0.005 + 60*full) * w.dt)
		v[x.load] = math.Floor((n.cpu*1.3+0.3*r.normal())*100) / 100
		v[x.psi] += w.dt * min(1, max(0, 0.01+0.25*busy*busy))
		v[x.psi+1] += w.dt * 0.0002
		v[x.psi+3] += w.dt * 0.004
		v[x.psi+4] += w.dt * 0.003

		// Disk: reads and writes with a latency that wanders a little.
		slow := math.Exp(n.disk.step(r, w.c, 0.12))
		reads, writes := r.poisson((8+20*w.shape)*w.dt), r.poisson((60+80*w.shape)*w.dt)
		d := v[x.disk:]
		d[0] += reads
		d[1] += writes
		d[2] += reads * 0.0006 * slow
		d[3] += writes * 0.0018 * slow
		d[4] += min(w.dt, (reads*0.0004+writes*0.0006)*slow)
		d[5] += (reads*0.0006 + writes*0.0018) * slow
		d[6] += reads * 24_000
		d[7] += writes * 16_000

		// File systems: logs grow through the day and are rotated at night; images come with deploys and are collected.
		for j := range n.fs {
			at := v[x.fs+4*j:]
			fill := n.fs[j] + 0.06*math.Mod(hours+float64(3*n.index), 24)/24
			if j == 1 {
				fill = n.fs[j] + 0.05*math.Mod(hours/5+float64(n.index)/3, 24)/24
			}
			at[1] = math.Floor(at[0]*(1-fill)/4096) * 4096
			at[3] = math.Floor(at[2] * (1 - 0.3*fill))
		}
		bytes := (n.rps*18_000 + 400_000) * w.dt * (1 + 0.02*r.normal())
		e := v[x.net:]
		e[0] += math.Floor(bytes)
		e[1] += math.Floor(bytes / 900)
		e[4] += math.Floor(bytes * 1.1)
		e[5] += math.Floor(bytes / 950)
		e[2] += r.poisson(0.002 * w.dt)
		t := v[x.tcp:]
		segments := math.Floor(bytes / 1000)
		opens := r.poisson((n.flows + 3) * w.dt)
		t[0] += segments
		t[1] += r.poisson(segments * (0.0004 + 0.004*full + w.fx.lossy[n.index]))
		t[2] += opens
		t[3] += r.poisson(opens * (0.002 + 0.08*full))
		t[6] += r.poisson(0.0005 * w.dt)
		v[x.misc] = 0.0004 * r.normal()
		n.proms.vals[0] = float64(n.pods)
		n.proms.vals[1] = math.Floor((110+4*float64(n.pods)/10+2*r.normal())*256) * 4096
	}
}

// promSelf is what a Prometheus says about itself.
type promSelf struct {
	b *block
	r rng
}

func (w *world) makeProms() {
	wl := w.byName["prometheus-k8s"]
	for _, p := range wl.pods[:min(2, len(wl.pods))] {
		t := newTarget(w, "prometheus-k8s", 2, "instance", p.ip+":9090", "namespace", "monitoring", "pod", p.name, "container", "prometheus", "endpoint", "web", "service", "prometheus-k8s")
		s := &promSelf{t.block(), newRNG(w.cfg.Seed, "prom "+p.name)}
		remote := []string{"remote_name", "wrackline", "url", "http://wrackline.monitoring:9099/api/v1/write"}
		w.add(s.b, "prometheus_remote_storage_highest_timestamp_in_seconds")
		w.add(s.b, "prometheus_remote_storage_queue_highest_timestamp_seconds", remote...)
		w.add(s.b, "prometheus_remote_storage_queue_highest_sent_timestamp_seconds", remote...)
		w.add(s.b, "prometheus_remote_storage_samples_total", remote...)
		w.add(s.b, "prometheus_remote_storage_samples_failed_total", remote...)
		w.add(s.b, "prometheus_remote_storage_samples_dropped_total", remote...)
		w.add(s.b, "prometheus_tsdb_head_series")
		w.add(s.b, "prometheus_tsdb_head_samples_appended_total", "type", "float")
		w.proms = append(w.proms, s)
	}
}

func (w *world) runProms(now int64) {
	alive := 0.0
	for _, t := range w.targets {
		alive += 2
		for _, b := range t.blocks {
			alive += float64(len(b.vals))
		}
	}
	for i, s := range w.proms {
		lag := 2 + 2*s.r.float()
		for _, p := range w.faults {
			if p.Kind == PrometheusStall && i == 0 && now >= p.StartMs && now < p.endMs() {
				lag = min(stallLagMs/1000, lag+float64(now-p.StartMs)/1000)
			}
		}
		v, t := s.b.vals, float64(now)/1000
		v[0], v[1], v[2] = t, t, t-lag
		v[3] += math.Floor(alive * w.dt / 60)
		v[6] = alive
		v[7] += math.Floor(alive * w.dt / 60)
	}
}

// ingress is the front door: one NGINX controller with an Ingress for each root service.
type ingress struct {
	b     *block
	r     rng
	roots []*workload
	rows  []int // 200, 404, 502 for each root; then its histogram
}

func (w *world) makeIngress() {
	wl := w.byName["ingress-nginx-controller"]
	p := wl.pods[0]
	t := newTarget(w, "ingress-nginx", 2, "instance", p.ip+":10254", "namespace", wl.ns, "pod", p.name, "container", "controller", "endpoint", "metrics", "service", "ingress-nginx-controller-metrics")
	g := &ingress{b: t.block(), r: newRNG(w.cfg.Seed, "ingress")}
	for _, s := range w.services {
		if s.rootRPS == 0 {
			continue
		}
		g.roots = append(g.roots, s)
		host := strings.ReplaceAll(s.name, "_", "-") + ".example.com"
		g.rows = append(g.rows, len(g.b.vals))
		for _, status := range []string{"200", "404", "502"} {
			w.add(g.b, "nginx_ingress_controller_requests", "exported_namespace", s.ns, "ingress", s.name, "exported_service", s.name, "host", host, "method", "GET", "path", "/", "status", status)
		}
	}
	w.conns = g
}

func (w *world) runIngress() {
	g := w.conns
	for i, s := range g.roots {
		v := g.b.vals[g.rows[i]:]
		n := g.r.poisson(s.rps * w.dt)
		bad, missing := min(n, g.r.poisson(n*0.0005)), g.r.poisson(n*0.004)
		v[2] += bad
		v[1] += min(n-bad, missing)
		v[0] += n - bad - min(n-bad, missing)
	}
}
