package scenario

// Machines: what kube-state-metrics and the node exporter say of them.

import (
	"fmt"
	"math"
)

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

// nodeRows are the rows of a node exporter's block.
type nodeRows struct {
	cpu                                                 [nodeCores]int // eight modes each
	mem, conntrack, load, psi, disk, fs, net, tcp, misc int
}

var cpuModes = []string{"idle", "user", "system", "iowait", "irq", "nice", "softirq", "steal"}

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

// makeConditions says that no node complains of anything.
func (w *world) makeConditions() {
	b := w.ksm.block()
	for _, n := range w.nodes {
		for _, c := range []string{"MemoryPressure", "DiskPressure", "PIDPressure"} {
			for _, s := range []string{"true", "false", "unknown"} {
				b.vals[w.add(b, "kube_node_status_condition", "condition", c, "status", s, "node", n.name)] = b2f(s == "false")
			}
		}
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
