package scenario

import (
	"fmt"
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

// EndMs is when its cause ends, Unix milliseconds.
func (f Fault) EndMs() int64 {
	if f.Duration == 0 {
		f.Duration = defaultDuration[f.Kind]
	}
	return f.endMs()
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
