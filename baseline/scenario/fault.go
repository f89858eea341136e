package scenario

import (
	"fmt"
	"sort"
	"strings"
	"time"
)

// Kind is what goes wrong.
type Kind string

// The faults of the library. Each comment says what is seen, after the stories behind it.
const (
	// CoreDNSBlackhole: one of three CoreDNS replicas stops getting queries while it looks healthy. No error is counted
	// anywhere in DNS; clients time out and retry elsewhere.
	CoreDNSBlackhole Kind = "coredns_blackhole"
	// CoreDNSOverload: the upstream resolver sickens: SERVFAIL to 4 % over ten minutes, forwards 20 times slower, cache worse.
	CoreDNSOverload Kind = "coredns_overload"
	// MemoryLeak: after a deploy the working set grows to the limit, is killed, and grows again.
	MemoryLeak Kind = "memory_leak"
	// CPULimitHalved: a deploy halves the CPU limit; throttling bites at the daily peak only.
	CPULimitHalved Kind = "cpu_limit_halved"
	// RBAC403: a role binding changes and one controller is refused, eight times a second.
	RBAC403 Kind = "rbac_403"
	// TrafficDrop: one front door loses 60 % of its requests within two minutes.
	TrafficDrop Kind = "traffic_drop"
	// ConntrackExhaustion: two nodes' connection tables fill within forty minutes and then drop packets.
	ConntrackExhaustion Kind = "conntrack_exhaustion"
	// PrometheusStall: one shard of one Prometheus delivers five minutes late. The cluster is well; only the pipeline is not.
	PrometheusStall Kind = "prometheus_stall"
	// RolloutStuck: pods of a new version do not get ready. The old ones serve, so nothing else shows it; then it is taken back.
	RolloutStuck Kind = "rollout_stuck"
	// NodeUpgrade: nodes are cordoned, drained, booted with another kubelet and let in again, one after the other. The kernel that comes
	// with it loses packets.
	NodeUpgrade Kind = "node_upgrade"
)

// Kinds returns every fault in the order of the library.
func Kinds() []Kind {
	return []Kind{CoreDNSBlackhole, CoreDNSOverload, MemoryLeak, CPULimitHalved, RBAC403, TrafficDrop, ConntrackExhaustion, PrometheusStall, RolloutStuck, NodeUpgrade}
}

// Fault is one scheduled fault.
type Fault struct {
	Kind Kind
	// ID names it in the truth; empty = the kind and the start.
	ID string
	// StartMs is when it begins, Unix milliseconds.
	StartMs int64
	// Duration is how long the cause lasts; 0 = the kind's own. What it did may outlast it.
	Duration time.Duration
}

// defaultDuration is long enough for the slowest effect that the truth asks for.
var defaultDuration = map[Kind]time.Duration{
	CoreDNSBlackhole:    30 * time.Minute,
	CoreDNSOverload:     30 * time.Minute,
	MemoryLeak:          9 * time.Hour,
	CPULimitHalved:      2 * time.Hour,
	RBAC403:             30 * time.Minute,
	TrafficDrop:         40 * time.Minute,
	ConntrackExhaustion: 60 * time.Minute,
	PrometheusStall:     20 * time.Minute,
	RolloutStuck:        40 * time.Minute,
	NodeUpgrade:         2 * time.Hour,
}

func (f Fault) withDefaults() (Fault, error) {
	d, ok := defaultDuration[f.Kind]
	if !ok {
		return f, fmt.Errorf("unknown fault %q; there are %s", f.Kind, kindList())
	}
	if f.Duration < 0 {
		return f, fmt.Errorf("fault %s lasts %s", f.Kind, f.Duration)
	}
	if f.Duration == 0 {
		f.Duration = d
	}
	if f.ID == "" {
		f.ID = fmt.Sprintf("%s-%d", f.Kind, f.StartMs/1000)
	}
	return f, nil
}

func (f Fault) endMs() int64 { return f.StartMs + f.Duration.Milliseconds() }

func kindList() string {
	var s []string
	for _, k := range Kinds() {
		s = append(s, string(k))
	}
	return strings.Join(s, ", ")
}

// ParseFault reads kind@offset or kind@offset+duration ("rbac_403@30m+10m"); the offset counts from baseMs.
func ParseFault(s string, baseMs int64) (Fault, error) {
	kind, rest, ok := strings.Cut(s, "@")
	if !ok {
		return Fault{}, fmt.Errorf("fault %q: want kind@offset or kind@offset+duration", s)
	}
	f := Fault{Kind: Kind(kind)}
	at, d, has := strings.Cut(rest, "+")
	offset, err := time.ParseDuration(at)
	if err != nil {
		return f, fmt.Errorf("fault %q: offset: %w", s, err)
	}
	if has {
		if f.Duration, err = time.ParseDuration(d); err != nil {
			return f, fmt.Errorf("fault %q: duration: %w", s, err)
		}
	}
	f.StartMs = baseMs + offset.Milliseconds()
	return f.withDefaults()
}

// Rotation schedules kinds one after the other, the first at startMs, each beginning every after the one before but never
// before that one and a rest of a third of every are over. No kinds means all but the memory leak, which takes a working day.
func Rotation(startMs int64, every time.Duration, n int, kinds ...Kind) []Fault {
	if len(kinds) == 0 {
		for _, k := range Kinds() {
			if k != MemoryLeak {
				kinds = append(kinds, k)
			}
		}
	}
	var out []Fault
	at := startMs
	for i := range n {
		f, err := Fault{Kind: kinds[i%len(kinds)], StartMs: at}.withDefaults()
		if err != nil {
			panic("scenario: " + err.Error())
		}
		out = append(out, f)
		at = max(at+every.Milliseconds(), f.endMs()+every.Milliseconds()/3)
	}
	return out
}

// effects are the knobs that faults turn. They are set anew in every step; the zero value is a healthy cluster.
type effects struct {
	dnsLost   []float64 // by CoreDNS pod: share of its queries that never arrive
	dnsSlow   float64   // share of look-ups that wait for a timeout first
	dnsFail   float64   // share of look-ups that fail
	servfail  float64   // share of answers
	forward   float64   // factor on the upstream's latency; 0 = 1
	cacheLoss float64   // points of cache hit ratio lost
	forbidden float64   // refused requests a second of ci-deployer
	traffic   float64   // factor on the storefront's requests; 0 = 1
	conntrack []float64 // by node: share of the table filled besides normal use
	lossy     []float64 // by node: share of TCP segments that a bad kernel loses
}

// planned is a fault and what it has done so far.
type planned struct {
	Fault
	begun, ended bool
	savedLimit   float64
	leakPerHour  float64
}

func (w *world) plan(f Fault) { w.faults = append(w.faults, &planned{Fault: f}) }

const (
	leakTarget    = "recommendations"
	cpuTarget     = "checkout"
	deniedTarget  = "ci-deployer"
	trafficTarget = "storefront"
	stuckTarget   = "catalog"
	leakHours     = 8.0 // from the deploy to the kill
	stallLagMs    = 300_000
)

// scoped reports whether a fault uses a workload at or shortly before or after t, so that background life leaves it alone.
func (w *world) scoped(name string, t int64) bool {
	for _, p := range w.faults {
		if t < p.StartMs-30*60_000 || t > p.endMs()+60*60_000 {
			continue
		}
		switch p.Kind {
		case MemoryLeak:
			if name == leakTarget {
				return true
			}
		case CPULimitHalved:
			if name == cpuTarget {
				return true
			}
		case TrafficDrop:
			if name == trafficTarget {
				return true
			}
		case RolloutStuck:
			if name == stuckTarget {
				return true
			}
		case NodeUpgrade:
			if t >= p.StartMs { // a change freeze
				return true
			}
		}
	}
	return false
}

// applyFaults sets the effects for a step.
func (w *world) applyFaults(now int64) {
	e := &w.fx
	lost, table, lossy := e.dnsLost, e.conntrack, e.lossy
	clear(lost)
	clear(table)
	clear(lossy)
	*e = effects{dnsLost: lost, conntrack: table, lossy: lossy, forward: 1, traffic: 1}
	for _, p := range w.faults {
		if now < p.StartMs || p.ended && now > p.endMs()+2*3_600_000 {
			continue
		}
		began := !p.begun
		over := now >= p.endMs()
		ending := over && !p.ended
		p.begun = true
		p.ended = p.ended || over
		since := float64(now-p.StartMs) / 60_000 // minutes
		after := float64(now-p.endMs()) / 60_000 // minutes, negative while it lasts
		ramp := func(minutes float64) float64 {  // 0 to 1 within minutes of the start, back within as long after the end
			if over {
				return max(0, 1-after/max(minutes, 0.01)) * min(1, p.Duration.Minutes()/max(minutes, 0.01))
			}
			return min(1, since/max(minutes, 0.01))
		}
		switch p.Kind {
		case CoreDNSBlackhole:
			if !over {
				// A third of first tries goes to the dead replica and waits 5 s; a third of the second tries does so again and gives up.
				lost[0] = 1
				n := float64(len(lost))
				e.dnsSlow, e.dnsFail = 1/n, 1/(n*n)
			}
		case CoreDNSOverload:
			r := ramp(10)
			if over {
				r = ramp(3)
			}
			e.servfail = 0.04 * r
			e.forward = 1 + 19*r
			e.cacheLoss = 0.15 * r
			e.dnsFail += 0.04 * r
		case MemoryLeak:
			wl := w.byName[leakTarget]
			if began {
				p.leakPerHour = (1 - wl.spec.memBase) / leakHours
				wl.leak = p.leakPerHour
				w.deploy(wl, now)
			}
			if ending { // rolled back
				wl.leak = 0
				w.deploy(wl, now)
			}
		case CPULimitHalved:
			wl := w.byName[cpuTarget]
			if began {
				p.savedLimit = wl.cpuLimit
				wl.cpuLimit /= 2
				w.deploy(wl, now)
			}
			if ending {
				wl.cpuLimit = p.savedLimit
				w.deploy(wl, now)
			}
		case RBAC403:
			if !over {
				e.forbidden = 8 * ramp(0.5)
			}
			if began || ending {
				w.roleBindingVersion += 17
			}
		case TrafficDrop:
			e.traffic = 1 - 0.6*ramp(2)
		case ConntrackExhaustion:
			r := ramp(40)
			if over {
				r = ramp(5)
			}
			for i := range table {
				if i == 1 || i == 2 {
					table[i] = r
				}
			}
		case RolloutStuck:
			wl := w.byName[stuckTarget]
			if began {
				wl.stuck = true
				w.deploy(wl, now)
			}
			if ending {
				wl.stuck = false
				w.undo(wl, now)
			}
		case NodeUpgrade:
			for i, n := range w.upgraded() {
				if at := p.StartMs + int64(i)*upgradeEveryMs; at < p.endMs() {
					w.upgradeNode(n, now-at, now)
				}
				if n.upgrade >= phaseBack && !over {
					lossy[n.index] = 0.009
				}
			}
		}
	}
}

// stall returns when a request that a queue sends at t arrives.
func (w *world) stall(q *queue, t int64, live bool) int64 {
	for _, p := range w.faults {
		// The last shard of the first Prometheus lags: what it would have sent comes five minutes later, or as soon as the fault ends.
		if p.Kind == PrometheusStall && q.replica == 0 && q.shard == w.cfg.Shards-1 && t >= p.StartMs && t < p.endMs() {
			return min(t+stallLagMs, p.endMs())
		}
	}
	if !live || w.cfg.Quiet {
		return t
	}
	// Everyday slowness: about once in four hours a shard pauses for 20 to 70 s.
	if t < q.stallUntil {
		return q.stallUntil
	}
	if q.r.intn(2900) == 0 { // a request each 5 s
		q.stallUntil = t + 20_000 + int64(q.r.intn(50_000))
		return q.stallUntil
	}
	return t
}

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
			// Whatever lived on the nodes has moved: fewer replicas for a while, other neighbours, counters that begin anew.
			may("upg.*", "node.*", "net.*", "wl.*", "svc.*", "dns.*", "prom.*", "kubelet.*", "cap.*", "ing.*", "roll.unavailable")
			t.MustNot = []string{"api.forbidden", "api.client_denied", "dns.servfail_ratio", "roll.duration"}
		case PrometheusStall:
			t.Scope = "prometheus_replica=" + replicaNames[0]
			may("prom.*", "recv.*")
			t.MustNot = []string{"dns.*", "net.*", "wl.*", "api.*", "node.*", "svc.*", "kubelet.*", "etcd.*", "ing.*", "cap.*", "roll.*"}
		}
		out = append(out, t)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Start < out[j].Start })
	return out
}
