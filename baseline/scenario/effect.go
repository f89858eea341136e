package scenario

// What faults do to the cluster, step by step.

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

// targetOf are the workloads that background life must leave alone.
var targetOf = map[Kind]string{MemoryLeak: leakTarget, CPULimitHalved: cpuTarget, TrafficDrop: trafficTarget, RolloutStuck: stuckTarget}

// scoped reports whether a fault uses a workload at or shortly before or after t, so that background life leaves it alone.
func (w *world) scoped(name string, t int64) bool {
	for _, p := range w.faults {
		if t < p.StartMs-30*60_000 || t > p.endMs()+60*60_000 {
			continue
		}
		if name == targetOf[p.Kind] || p.Kind == NodeUpgrade && t >= p.StartMs { // a change freeze
			return true
		}
	}
	return false
}

// stage is where a fault is in a step.
type stage struct {
	began  bool // this is its first step
	over   bool // its cause has ended
	ending bool // … in this step
}

// ramp is 0 to 1 within minutes of the start, and back within as long after the end.
func (p *planned) ramp(now int64, minutes float64) float64 {
	if now >= p.endMs() {
		after := float64(now-p.endMs()) / 60_000
		return max(0, 1-after/max(minutes, 0.01)) * min(1, p.Duration.Minutes()/max(minutes, 0.01))
	}
	since := float64(now-p.StartMs) / 60_000
	return min(1, since/max(minutes, 0.01))
}

// applyFaults sets the effects for a step.
func (w *world) applyFaults(now int64) {
	e := &w.fx
	clear(e.dnsLost)
	clear(e.conntrack)
	clear(e.lossy)
	*e = effects{dnsLost: e.dnsLost, conntrack: e.conntrack, lossy: e.lossy, forward: 1, traffic: 1}
	for _, p := range w.faults {
		if now < p.StartMs || p.ended && now > p.endMs()+2*3_600_000 {
			continue
		}
		over := now >= p.endMs()
		s := stage{began: !p.begun, over: over, ending: over && !p.ended}
		p.begun = true
		p.ended = p.ended || over
		w.apply(p, s, now)
	}
}

// apply lets a fault do what it does in a step.
func (w *world) apply(p *planned, s stage, now int64) {
	e := &w.fx
	switch p.Kind {
	case CoreDNSBlackhole:
		if !s.over {
			// A third of first tries goes to the dead replica and waits 5 s; a third of the second tries does so again and gives up.
			e.dnsLost[0] = 1
			n := float64(len(e.dnsLost))
			e.dnsSlow, e.dnsFail = 1/n, 1/(n*n)
		}
	case CoreDNSOverload:
		r := p.ramp(now, 10)
		if s.over {
			r = p.ramp(now, 3)
		}
		e.servfail = 0.04 * r
		e.forward = 1 + 19*r
		e.cacheLoss = 0.15 * r
		e.dnsFail += 0.04 * r
	case MemoryLeak:
		wl := w.byName[leakTarget]
		if s.began {
			wl.leak = (1 - wl.spec.memBase) / leakHours
			w.deploy(wl, now)
		}
		if s.ending { // rolled back
			wl.leak = 0
			w.deploy(wl, now)
		}
	case CPULimitHalved:
		wl := w.byName[cpuTarget]
		if s.began {
			p.savedLimit = wl.cpuLimit
			wl.cpuLimit /= 2
			w.deploy(wl, now)
		}
		if s.ending {
			wl.cpuLimit = p.savedLimit
			w.deploy(wl, now)
		}
	case RBAC403:
		if !s.over {
			e.forbidden = 8 * p.ramp(now, 0.5)
		}
		if s.began || s.ending {
			w.roleBindingVersion += 17
		}
	case TrafficDrop:
		e.traffic = 1 - 0.6*p.ramp(now, 2)
	case ConntrackExhaustion:
		r := p.ramp(now, 40)
		if s.over {
			r = p.ramp(now, 5)
		}
		for i := range e.conntrack {
			if i == 1 || i == 2 {
				e.conntrack[i] = r
			}
		}
	case RolloutStuck:
		wl := w.byName[stuckTarget]
		if s.began {
			wl.stuck = true
			w.deploy(wl, now)
		}
		if s.ending {
			wl.stuck = false
			w.undo(wl, now)
		}
	case NodeUpgrade:
		for i, n := range w.upgraded() {
			if at := p.StartMs + int64(i)*upgradeEveryMs; at < p.endMs() {
				w.upgradeNode(n, now-at, now)
			}
			if n.upgrade >= phaseBack && !s.over {
				e.lossy[n.index] = 0.009
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
