package scenario

// Ground truth: what must, may and must not be seen of each fault.

import "sort"

// Truth is what a fault must, may and must not cause: one line of the ground-truth file.
type Truth struct {
	ID    string `json:"id"`
	Kind  Kind   `json:"kind"`
	Start int64  `json:"start"` // Unix milliseconds
	End   int64  `json:"end"`   // when the cause ended
	Scope string `json:"scope"` // entity labels of where it is, for people
	// Change is what somebody did that caused it, kind and object, as incidents should name it; empty when nobody did anything.
	Change string `json:"change,omitempty"`
	// Must lists signals of which each should alarm in time.
	Must []Expect `json:"must"`
	// May lists signals that may alarm; a trailing * matches any rest.
	May []Expect `json:"may"`
	// LastsMs is for how long after its end what it moved may still be noticed, milliseconds; 0 = as long as the scorer allows after any fault.
	LastsMs int64 `json:"lasts_ms,omitempty"`
	// MustNot lists signals that must stay silent although something else may speak; a trailing * matches any rest.
	MustNot []string `json:"must_not"`
}

// Expect names a signal of a group of entities.
type Expect struct {
	Signal string `json:"signal"`
	// Group is labels the entity must have, name=value, separated by commas; empty = any entity.
	Group string `json:"group,omitempty"`
	// Dir is up or down; empty = either.
	Dir string `json:"dir,omitempty"`
	// Within is the longest delay from the start to the alarm, seconds; 0 = until the end.
	Within int64 `json:"within,omitempty"`
}

// Delays that the truth allows. A step fault has five minutes, which with scrapes a minute apart is three windows and
// their closing; what needs a rollout first has that in addition.
const (
	withinStep    = 5 * 60
	withinRollout = 9 * 60
	withinStuck   = 25 * 60 // three times the usual length of a rollout of four pods, and two windows
	withinUpgrade = 30 * 60 // a node is back after twelve minutes; rates of five minutes for five minutes
)

func (w *world) truth() []Truth {
	out := []Truth{}
	for _, p := range w.faults {
		out = append(out, w.truthOf(p))
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Start < out[j].Start })
	return out
}

func (w *world) truthOf(p *planned) Truth {
	t := Truth{ID: p.ID, Kind: p.Kind, Start: p.StartMs, End: p.endMs(), May: []Expect{}, MustNot: []string{}, Must: []Expect{}}
	may := func(signals ...string) {
		for _, s := range signals {
			t.May = append(t.May, Expect{Signal: s})
		}
	}
	in := func(wl *workload) string { return "namespace=" + wl.ns + ",workload=" + wl.name }
	switch p.Kind {
	case CoreDNSBlackhole:
		t.Scope = "namespace=kube-system,workload=coredns"
		t.Must = []Expect{{"dns.replica_share_min", "", "down", withinStep}}
		may("dns.qps", "dns.latency_p99", "dns.nxdomain_ratio", "dns.cache_hit_ratio", "svc.latency_p99", "svc.error_ratio",
			"svc.edge_fail_share", "wl.peer_spread", "wl.cpu_cores", "wl.psi_cpu", "dns.forward*")
		t.MustNot = []string{"dns.servfail_ratio", "api.*", "node.*", "net.conntrack*", "wl.mem*", "wl.restarts"}
	case CoreDNSOverload:
		t.Scope = "namespace=kube-system,workload=coredns"
		t.Must = []Expect{{"dns.servfail_ratio", "", "up", withinStep}}
		may("dns.latency_p99", "dns.cache_hit_ratio", "dns.forward*", "dns.replica_error_spread", "dns.qps", "dns.nxdomain_ratio",
			"svc.error_ratio", "svc.latency_p99")
		t.MustNot = []string{"dns.replica_share_min", "api.*", "node.*", "net.conntrack*", "wl.mem*", "wl.restarts"}
	case MemoryLeak:
		wl := w.byName[leakTarget]
		t.Scope = in(wl)
		t.Change = "rollout deployment " + wl.ns + "/" + wl.name
		oom := int64(leakHours * 3600)
		t.Must = []Expect{
			{"wl.mem_of_limit", in(wl), "up", oom - 3600},
			{"wl.mem_growth", in(wl), "up", oom / 2},
		}
		if p.Duration.Seconds() < float64(oom) { // cut short: only the growth can be asked for
			t.Must = t.Must[1:]
		}
		for _, s := range []string{"wl.*", "svc.*"} {
			t.May = append(t.May, Expect{Signal: s, Group: in(wl)})
		}
		may("node.mem_available", "node.psi_mem")
		t.MustNot = []string{"dns.*", "api.*", "net.*"}
	case CPULimitHalved:
		wl := w.byName[cpuTarget]
		t.Scope = in(wl)
		t.Change = "limits deployment " + wl.ns + "/" + wl.name
		t.Must = []Expect{{"wl.throttle_ratio", in(wl), "up", withinRollout}}
		for _, s := range []string{"wl.*", "svc.*"} {
			t.May = append(t.May, Expect{Signal: s, Group: in(wl)})
		}
		t.MustNot = []string{"dns.*", "api.*", "net.*", "node.*"}
	case RBAC403:
		wl := w.byName[deniedTarget]
		t.Scope = in(wl)
		t.Change = "rbac rolebinding ci/ci-deployer"
		t.Must = []Expect{{"api.client_denied", "workload=" + wl.name, "up", withinStep}, {"api.forbidden", "", "up", withinStep}}
		may("api.*")
		t.May = append(t.May, Expect{Signal: "wl.*", Group: in(wl)})
		t.MustNot = []string{"dns.*", "net.*", "node.*", "svc.*", "wl.mem*"}
	case TrafficDrop:
		wl := w.byName[trafficTarget]
		t.Scope = in(wl)
		t.Must = []Expect{{"svc.rps", in(wl), "down", withinStep}}
		// Everything behind the storefront sees less: fewer requests, less CPU and memory, fewer look-ups and connections.
		may("svc.rps", "svc.latency_p99", "wl.cpu_cores", "wl.cpu_of_limit", "wl.psi_cpu", "dns.qps", "ing.rps", "net.pod_bytes", "node.cpu", "wl.mem_growth")
		t.MustNot = []string{"svc.error_ratio", "api.*", "net.conntrack*", "dns.servfail_ratio", "wl.restarts"}
	case ConntrackExhaustion:
		t.Scope = "node=" + w.nodes[min(1, len(w.nodes)-1)].name
		for i := 1; i < 3 && i < len(w.nodes); i++ {
			t.Must = append(t.Must, Expect{"net.conntrack_fill", "node=" + w.nodes[i].name, "up", 20 * 60})
		}
		may("net.*", "svc.error_ratio", "svc.latency_p99")
		t.MustNot = []string{"api.*", "wl.mem*", "dns.servfail_ratio", "wl.restarts"}
	case RolloutStuck:
		wl := w.byName[stuckTarget]
		t.Scope = in(wl)
		t.Change = "rollout deployment " + wl.ns + "/" + wl.name
		t.Must = []Expect{{"roll.duration", in(wl), "up", withinStuck}}
		for _, s := range []string{"roll.*", "wl.*", "svc.*"} {
			t.May = append(t.May, Expect{Signal: s, Group: in(wl)})
		}
		t.MustNot = []string{"dns.*", "api.*", "net.*", "node.*"}
	case NodeUpgrade:
		nodes := w.upgraded()
		t.Scope = "node=" + nodes[0].name
		t.Change = "version node " + nodes[0].name
		t.Must = []Expect{{"net.tcp_retrans", "node=" + nodes[0].name, "up", withinUpgrade}}
		if len(nodes) >= 3 && len(w.nodes)-len(nodes) >= 3 {
			t.Must = append(t.Must, Expect{"upg.cohort_retrans", "", "up", 2*upgradeEveryMs/1000 + withinUpgrade})
		}
		// Whatever lived on the nodes has moved: fewer replicas for a while, other neighbours, counters that begin anew. It stays where it
		// went, and the nodes that took it in are fuller than they ever were when the next day's traffic comes.
		t.LastsMs = 24 * 3_600_000
		may("upg.*", "node.*", "net.*", "wl.*", "svc.*", "dns.*", "prom.*", "kubelet.*", "cap.*", "ing.*", "roll.unavailable")
		t.MustNot = []string{"api.forbidden", "api.client_denied", "dns.servfail_ratio", "roll.duration"}
	case PrometheusStall:
		t.Scope = "prometheus_replica=" + replicaNames[0]
		may("prom.*", "recv.*")
		t.MustNot = []string{"dns.*", "net.*", "wl.*", "api.*", "node.*", "svc.*", "kubelet.*", "etcd.*", "ing.*", "cap.*", "roll.*"}
	}
	return t
}
