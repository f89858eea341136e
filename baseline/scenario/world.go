package scenario

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

func (w *world) makeSystem() {
	w.makeDNS()
	w.makeAPI()
	w.makeExporters()
	w.makeConditions()
	w.makeProms()
	w.makeIngress()
	w.roleBinding = w.ksm.block()
	w.add(w.roleBinding, "kube_rolebinding_metadata_resource_version", "namespace", "ci", "rolebinding", "ci-deployer")
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
