package signal

import (
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

// The virtual labels: every series has them as far as they are known. cluster, namespace, pod and container follow from the
// series' own labels; workload, workload_type and node may become known, or better known, later.
const (
	labelCluster      = "cluster"
	labelNamespace    = "namespace"
	labelPod          = "pod"
	labelContainer    = "container"
	labelWorkload     = "workload"
	labelWorkloadType = "workload_type"
	labelNode         = "node"
)

func isDynamic(label string) bool {
	return label == labelWorkload || label == labelWorkloadType || label == labelNode
}

// identityKind says what a metric tells of identity.
type identityKind uint8

const (
	notIdentity identityKind = iota
	identityPodOwner
	identitySetOwner
	identityJobOwner
	identityNode
	identityPodInfo
	identityHost
)

// identityMetrics are read for what their labels say, whether or not a rule selects them.
var identityMetrics = map[string]identityKind{
	"kube_pod_owner":        identityPodOwner,
	"kube_replicaset_owner": identitySetOwner,
	"kube_job_owner":        identityJobOwner,
	"kube_node_info":        identityNode,
	"kube_pod_info":         identityPodInfo,
	"node_uname_info":       identityHost,
	"kubelet_node_name":     identityHost,
}

// IdentityMetrics returns the metrics that tell whose a series is, and those that show changes, sorted. A sender that keeps only
// what rules need must keep these too.
func IdentityMetrics() []string {
	var names []string
	for n := range identityMetrics {
		names = append(names, n)
	}
	names = append(names, ChangeMetrics()...)
	slices.Sort(names)
	return slices.Compact(names)
}

// Waiting times of identity, milliseconds of event time.
const (
	ownerWaitMs    = 90_000          // a new workload's pod waits this long for its owner
	ownerUnknownMs = 120_000         // so long after a cluster's first sample it may yet turn out to have owner data
	nodeWaitMs     = 120_000         // an instance waits this long for a node that has its address
	workloadKeepMs = 24 * 60 * 60000 // a workload without pods is remembered for this long
)

// labelView reads a canonical label set with its virtual labels that cannot change.
type labelView struct {
	l       series.Labels
	cluster string
}

// get returns a label's value. A label that the scrape has renamed to exported_… because its target has one of the same name means
// the object; the plain one is the exporter's.
func (v *labelView) get(name string) string {
	switch name {
	case labelCluster:
		return v.cluster
	case labelNamespace, labelPod, labelContainer:
		if x := v.l.Get("exported_" + name); x != "" {
			return x
		}
	}
	return v.l.Get(name)
}

func (v *labelView) match(ms []promql.Matcher) bool {
	for i := range ms {
		if !ms[i].Matches(v.get(ms[i].Label())) {
			return false
		}
	}
	return true
}

// object is the label by which kube-state-metrics names a workload, and its kind.
var objects = []struct{ label, kind string }{
	{"deployment", kindDeployment}, {"statefulset", kindStatefulSet}, {"daemonset", kindDaemonSet}, {"cronjob", kindCronJob},
	{"job_name", kindJob}, {"replicaset", kindReplicaSet},
}

// podOf returns the pod that a series is about, "" when it is about none.
func (v *labelView) podOf(metric string) (ns, pod string) {
	if p := v.l.Get("exported_pod"); p != "" {
		return v.get(labelNamespace), p
	}
	// Other objects of kube-state-metrics carry its own pod when the scrape adds one.
	if strings.HasPrefix(metric, "kube_") && !strings.HasPrefix(metric, "kube_pod_") {
		return "", ""
	}
	return v.l.Get(labelNamespace), v.l.Get(labelPod)
}

// name2 is a namespaced name.
type name2 struct{ ns, name string }

// pod is what is known of a pod. It lives as long as one of its series.
type pod struct {
	name2
	node                 string
	owned                bool // owner data was seen: ownerKind and ownerName are true, "" for none
	ownerKind, ownerName string
	work, kind           string
	why                  podWhy
	sure                 bool  // from owner data
	held                 bool  // its series take no part in signals of workloads yet
	firstT               int64 // first sample, Unix milliseconds; 0 = none yet
	first                uint32
}

func (p *pod) begin(t int64) {
	if p.firstT == 0 || t < p.firstT {
		p.firstT = t
	}
}

// podWhy says by which rule a pod was folded into a workload.
type podWhy uint8

const (
	whyNothing podWhy = iota
	whyOwner
	whySetOwner
	whySetName
	whyJobOwner
	whyJobName
	whyNode
	whyPodOwner
	whyNoOwner
	whyNodeName
	whyName
	whyCut
)

// String says it in words.
func (w podWhy) String() string {
	return [...]string{
		"nothing known", "kube_pod_owner names it", "kube_pod_owner names a ReplicaSet, kube_replicaset_owner its owner",
		"kube_pod_owner names a ReplicaSet, and its name ends in a template hash", "kube_pod_owner names a Job, kube_job_owner its owner",
		"kube_pod_owner names a Job, and its name tells the rest", "kube_pod_owner names a node: a static pod",
		"kube_pod_owner names a pod, whose owner it is", "kube_pod_owner says that nothing owns it", "its name ends in a node's: a static pod",
		"its name, no owner data has come", "its name, which was cut at 63 characters: its workload is not known before owner data comes",
	}[w%12]
}

// workload is a workload that has been seen in a cluster.
type workload struct {
	name2
	kind  string
	pods  int
	known bool  // has been part of signals, so a new pod of it need not wait
	lastT int64 // end of the window in which it last had a pod
}

// owner is what owns a ReplicaSet or a Job, and which series says so.
type owner struct {
	kind, name string
	series     uint32
}

// host is an instance without its port.
type host struct {
	firstT int64
	uname  string // the name it gives itself
	used   bool   // found by the running sweep
}

// kubeNode is a node of kube_node_info.
type kubeNode struct {
	ip     string
	series uint32
}

// one returns the label set of one label; 0, the empty set, when value is empty.
func (c *cluster) one(name, value string) uint32 {
	if value == "" {
		return 0
	}
	l := [1]series.Label{{Name: name, Value: value}}
	return c.table.Intern(l[:])
}

// static returns the labels that a leaf keeps of a series, without those that may change.
func (c *cluster) static(lp *leafPlan, v *labelView) uint32 {
	l := c.scratch[:0]
	for _, name := range lp.keep {
		if x := v.get(name); x != "" {
			if lp.Bucket && name == "le" {
				x = strings.TrimSuffix(x, ".0") // one bound, two spellings
			}
			l = append(l, series.Label{Name: name, Value: x})
		}
	}
	c.scratch = l
	return c.table.Intern(l)
}

// memberOf returns the label that tells a series apart from those it is summed with.
func (v *labelView) memberOf(metric string) series.Label {
	names := []string{labelPod, "instance", "device", labelNode, "job"}
	switch {
	case strings.HasPrefix(metric, "node_"):
		names = []string{"device", "mountpoint", "cpu", "instance", labelPod}
	case strings.HasPrefix(metric, "kube_"):
		names = []string{"deployment", "statefulset", "daemonset", "cronjob", "job_name", "persistentvolumeclaim", labelNode}
		if strings.HasPrefix(metric, "kube_pod_") {
			names = []string{labelPod}
		}
		names = append(names, "name", labelNamespace, "instance")
	case strings.HasPrefix(metric, "kubelet_volume_"):
		names = []string{"persistentvolumeclaim", "instance"}
	}
	for _, n := range names {
		if x := v.get(n); x != "" {
			return series.Label{Name: n, Value: x}
		}
	}
	return series.Label{}
}

// identify says whose a new series is, reads what it says of identity, and gives it its place in the leaves.
func (c *cluster) identify(s *Stream, id uint32, m *metric, v *labelView) {
	d := &s.cold[id]
	mem := v.memberOf(m.name)
	d.member = c.one(mem.Name, mem.Value)
	if ns, p := v.podOf(m.name); p != "" {
		d.pod = c.pod(s, ns, p)
		d.podNext = c.pods[d.pod].first
		c.pods[d.pod].first = id
	}
	c.placeOf(s, id, m, v)
	if m.watch != notWatched {
		c.watch(s, id, m, v)
	}
	if m.identity != notIdentity {
		c.learn(s, id, m, v)
	}
	c.project(s, id)
}

// placeOf keeps what the identity of a series is derived from when that is not its pod.
func (c *cluster) placeOf(s *Stream, id uint32, m *metric, v *labelView) {
	d := &s.cold[id]
	dynamic := false
	for _, b := range s.binds[d.binds : d.binds+uint32(d.nbinds)] {
		lp := s.leaves[b.leaf]
		dynamic = dynamic || len(lp.dynamic) > 0 || lp.workload || lp.kind || lp.node
	}
	if !dynamic && m.identity != identityHost {
		return
	}
	kube := strings.HasPrefix(m.name, "kube_")
	l := c.scratch[:0]
	add := func(name string) bool {
		x := v.get(name)
		if x != "" {
			l = append(l, series.Label{Name: name, Value: x})
		}
		return x != ""
	}
	if kube && d.pod == none {
		for _, o := range objects {
			if add(o.label) {
				add(labelNamespace)
				break
			}
		}
	}
	if m.identity == identityHost || !add(labelNode) && !kube {
		if h := hostOf(v.l.Get("instance")); h != "" {
			l = append(l, series.Label{Name: "instance", Value: h})
			s.hot[id].flags |= flagPlaced
			if c.hosts[h] == nil {
				c.hosts[strings.Clone(h)] = &host{firstT: c.open}
			}
		}
	}
	slices.SortFunc(l, func(a, b series.Label) int { return strings.Compare(a.Name, b.Name) })
	d.place = c.table.Intern(l)
	c.scratch = l
}

// hostOf returns an instance without its port.
func hostOf(instance string) string {
	i := strings.LastIndexByte(instance, ':')
	if i < 0 || strings.IndexByte(instance[:i], ':') >= 0 && instance[0] != '[' {
		return instance // no port, or a bare IPv6 address
	}
	return strings.Trim(instance[:i], "[]")
}

// pod returns the number of a pod, made when it is new.
func (c *cluster) pod(s *Stream, ns, name string) uint32 {
	if i, ok := c.podAt[name2{ns, name}]; ok {
		return i
	}
	k := name2{c.table.Word(ns), c.table.Word(name)}
	i := uint32(len(c.pods))
	c.pods = append(c.pods, pod{name2: k, first: none})
	c.podAt[k] = i
	c.resolve(s, i)
	return i
}

// learn reads what an identity series says.
func (c *cluster) learn(s *Stream, id uint32, m *metric, v *labelView) {
	word := func(label string) string {
		x := v.l.Get(label)
		if x == "<none>" {
			x = ""
		}
		return c.table.Word(x)
	}
	d := &s.cold[id]
	switch m.identity {
	case identityPodOwner:
		if d.pod == none {
			return
		}
		p := &c.pods[d.pod]
		if p.owned && v.l.Get("owner_is_controller") == "false" {
			return // a second owner that does not manage the pod
		}
		c.owners = true
		p.owned, p.ownerKind, p.ownerName = true, word("owner_kind"), word("owner_name")
		c.resolveTree(s, d.pod)
	case identityPodInfo:
		if d.pod == none {
			return
		}
		p := &c.pods[d.pod]
		if n := word(labelNode); n != "" && n != p.node {
			p.node = n
			c.reproject(s, d.pod)
		}
		if !p.owned && v.l.Get("created_by_kind") != "" {
			c.owners = true
			p.owned, p.ownerKind, p.ownerName = true, word("created_by_kind"), word("created_by_name")
			c.resolveTree(s, d.pod)
		} else if !p.owned {
			c.resolve(s, d.pod) // the node may show that it is static
		}
	case identitySetOwner, identityJobOwner:
		at, label := c.sets, "replicaset"
		if m.identity == identityJobOwner {
			at, label = c.jobs, "job_name"
		}
		k := name2{c.table.Word(v.get(labelNamespace)), word(label)}
		if k.name == "" {
			return
		}
		before, was := at[k]
		now := owner{word("owner_kind"), word("owner_name"), id}
		at[k] = now
		if was && before.kind == now.kind && before.name == now.name {
			return
		}
		for _, p := range c.ownedBy(k) {
			c.resolve(s, p)
		}
	case identityNode:
		n, ip := word(labelNode), word("internal_ip")
		if n == "" {
			return
		}
		if before, ok := c.nodes[n]; !ok || before.ip != ip {
			if ok && c.ips[before.ip] == n {
				delete(c.ips, before.ip)
			}
			c.nodesNew = true
		}
		c.nodes[n] = kubeNode{ip, id}
		if ip != "" {
			c.ips[ip] = n
		}
	case identityHost:
		h := c.hosts[hostOf(v.l.Get("instance"))]
		n := word("nodename")
		if n == "" {
			n = word(labelNode)
		}
		if h != nil && n != "" && h.uname != n {
			h.uname = n
			c.nodesNew = true
		}
	}
}

// resolveTree resolves a pod whose owner has become known, and the pods that it owns itself.
func (c *cluster) resolveTree(s *Stream, i uint32) {
	c.resolve(s, i)
	c.nested = c.nested || c.pods[i].ownerKind == "Pod"
	if !c.nested {
		return
	}
	for _, j := range c.ownedBy(c.pods[i].name2) {
		if c.pods[j].ownerKind == "Pod" {
			c.resolve(s, j)
		}
	}
}

// ownedBy returns the pods whose owner data names k.
func (c *cluster) ownedBy(k name2) []uint32 {
	var out []uint32
	for i := range c.pods {
		if p := &c.pods[i]; p.owned && p.ownerName == k.name && p.ns == k.ns {
			out = append(out, uint32(i))
		}
	}
	return out
}

// workloadOf derives a pod's workload from what is known now.
func (c *cluster) workloadOf(p *pod) (work, kind string, why podWhy, sure bool) {
	if p.owned {
		return c.ofOwner(p, 0)
	}
	if n := p.node; n != "" {
		if base, ok := strings.CutSuffix(p.name, "-"+n); ok && base != "" {
			return base, kindStatic, whyNodeName, true
		}
	}
	if len(c.nodes) > 0 {
		for i := 0; i < len(p.name); i++ {
			if p.name[i] == '-' && i > 0 {
				if _, ok := c.nodes[p.name[i+1:]]; ok {
					return p.name[:i], kindStatic, whyNodeName, true
				}
			}
		}
	}
	base, kind, whole := WorkloadOf(p.name)
	if !whole {
		return base, kind, whyCut, false
	}
	return base, kind, whyName, false
}

func (c *cluster) ofOwner(p *pod, depth int) (work, kind string, why podWhy, sure bool) {
	name := p.ownerName
	switch p.ownerKind {
	case "":
		return p.name, kindPod, whyNoOwner, true
	case "ReplicaSet":
		if o, ok := c.sets[name2{p.ns, name}]; ok && o.name != "" {
			return o.name, strings.ToLower(o.kind), whySetOwner, true
		} else if ok {
			return name, kindReplicaSet, whyOwner, true
		}
		if base, ok := setBase(name); ok {
			return base, kindDeployment, whySetName, true
		}
		return name, kindReplicaSet, whyOwner, true
	case "Job":
		if o, ok := c.jobs[name2{p.ns, name}]; ok && o.name != "" {
			return o.name, strings.ToLower(o.kind), whyJobOwner, true
		} else if ok {
			return name, kindJob, whyOwner, true
		}
		if base, ok := jobBase(name); ok {
			return base, kindCronJob, whyJobName, true
		}
		return name, kindJob, whyOwner, true
	case "Node":
		base, ok := strings.CutSuffix(p.name, "-"+name)
		if !ok || base == "" {
			base = p.name
		}
		return base, kindStatic, whyNode, true
	case "Pod":
		if i, ok := c.podAt[name2{p.ns, name}]; ok && depth == 0 && c.pods[i].owned {
			work, kind, _, sure = c.ofOwner(&c.pods[i], 1)
			return work, kind, whyPodOwner, sure
		}
		return name, kindPod, whyPodOwner, true
	}
	return name, strings.ToLower(p.ownerKind), whyOwner, true
}

// resolve folds a pod into its workload anew. When the answer is another than before, its series go to the right signals from
// the next window on.
func (c *cluster) resolve(s *Stream, i uint32) {
	p := &c.pods[i]
	work, kind, why, sure := c.workloadOf(p)
	work, kind = c.table.Word(work), c.table.Word(kind)
	same := work == p.work && kind == p.kind && p.why != whyNothing
	held := p.held
	p.why, p.sure = why, sure
	if !same {
		if p.work != "" {
			c.workload(p.ns, p.work, p.kind).pods--
		}
		p.work, p.kind = work, kind
		c.workload(p.ns, work, kind).pods++
	}
	w := c.workload(p.ns, work, kind)
	w.lastT = c.open
	p.held = c.holds(p, w)
	if !p.held {
		w.known = true
		if sure {
			w.kind = kind
		}
	} else if !held && why != whyCut {
		c.held = append(c.held, i)
	}
	if !same || held != p.held {
		c.reproject(s, i)
	}
}

// holds reports whether a pod's series must not open or feed signals of its workload yet.
func (c *cluster) holds(p *pod, w *workload) bool {
	switch {
	case p.why == whyCut:
		return true
	case p.sure, w.known:
		return false
	case p.firstT == 0:
		return true
	}
	return c.open < p.firstT+ownerWaitMs && (c.owners || c.open < c.born+ownerUnknownMs)
}

// release lets pods go that have waited for an owner for long enough.
func (c *cluster) release(s *Stream) {
	kept := c.held[:0]
	for _, i := range c.held {
		p := &c.pods[i]
		if !p.held {
			continue
		}
		w := c.workload(p.ns, p.work, p.kind)
		if c.holds(p, w) {
			if p.why != whyCut {
				kept = append(kept, i)
			}
			continue
		}
		p.held = false
		w.known = true
		c.reproject(s, i)
	}
	c.held = kept
}

func (c *cluster) workload(ns, name, kind string) *workload {
	k := name2{ns, name}
	w := c.workloads[k]
	if w == nil {
		w = &workload{name2: k, kind: kind}
		c.workloads[k] = w
	}
	return w
}

// reproject gives all series of a pod their labels anew.
func (c *cluster) reproject(s *Stream, i uint32) {
	for id := c.pods[i].first; id != none; id = s.cold[id].podNext {
		s.unbind(&s.cold[id])
		c.project(s, id)
	}
}

// project gives a series its place in its leaves: which take it, and with which labels.
func (c *cluster) project(s *Stream, id uint32) {
	d := &s.cold[id]
	if d.nbinds == 0 {
		return
	}
	var work, kind string
	held := false
	place := c.table.Labels(d.place)
	if d.pod != none {
		p := &c.pods[d.pod]
		work, kind, held = p.work, p.kind, p.held
	} else {
		for _, o := range objects {
			if x := place.Get(o.label); x != "" {
				work, kind = c.objectOwner(place.Get(labelNamespace), x, o.kind)
				break
			}
		}
	}
	node, nodeHeld, nodeDone := "", false, false
	for i := d.binds; i < d.binds+uint32(d.nbinds); i++ {
		b := &s.binds[i]
		lp := s.leaves[b.leaf]
		if b.static == none {
			continue // its labels have not been seen since the rules have changed
		}
		if len(lp.dynamic) == 0 && !lp.workload && !lp.kind && !lp.node {
			b.ls = b.static
			continue
		}
		if !nodeDone {
			node, nodeHeld = c.nodeOf(d, place)
			nodeDone = true
		}
		b.ls = none
		if (lp.workload || lp.kind) && held || lp.node && nodeHeld {
			continue
		}
		ok := true
		for j := range lp.dynamic {
			x := work
			switch lp.dynamic[j].Label() {
			case labelWorkloadType:
				x = kind
			case labelNode:
				x = node
			}
			ok = ok && lp.dynamic[j].Matches(x)
		}
		if !ok {
			continue
		}
		l := append(c.scratch[:0], c.table.Labels(b.static)...)
		for _, x := range [...]struct {
			keep        bool
			name, value string
		}{{lp.node, labelNode, node}, {lp.workload, labelWorkload, work}, {lp.kind, labelWorkloadType, kind}} {
			if !x.keep || x.value == "" {
				continue
			}
			at, _ := slices.BinarySearchFunc(l, x.name, func(a series.Label, n string) int { return strings.Compare(a.Name, n) })
			l = slices.Insert(l, at, series.Label{Name: x.name, Value: x.value})
		}
		c.scratch = l
		b.ls = c.table.Intern(l)
	}
}

// objectOwner returns the workload of an object that kube-state-metrics names.
func (c *cluster) objectOwner(ns, name, kind string) (string, string) {
	switch kind {
	case kindJob:
		if o, ok := c.jobs[name2{ns, name}]; ok && o.name != "" {
			return o.name, strings.ToLower(o.kind)
		} else if !ok {
			if base, ok := jobBase(name); ok {
				return base, kindCronJob
			}
		}
	case kindReplicaSet:
		if o, ok := c.sets[name2{ns, name}]; ok && o.name != "" {
			return o.name, strings.ToLower(o.kind)
		} else if !ok {
			if base, ok := setBase(name); ok {
				return base, kindDeployment
			}
		}
	}
	return name, kind
}

// nodeOf returns the node that a series belongs to, "" when that is not known. held says that it may become known soon.
func (c *cluster) nodeOf(d *cold, place series.Labels) (node string, held bool) {
	if n := place.Get(labelNode); n != "" {
		return n, false
	}
	inst := place.Get("instance")
	if inst != "" {
		if _, ok := c.nodes[inst]; ok {
			return inst, false
		}
		if n, ok := c.ips[inst]; ok {
			return n, false
		}
	}
	if d.pod != none && c.pods[d.pod].node != "" {
		return c.pods[d.pod].node, false
	}
	if inst == "" {
		return "", false
	}
	h := c.hosts[inst]
	if h == nil {
		return inst, false
	}
	if h.uname != "" && len(c.nodes) == 0 {
		return h.uname, false // no Kubernetes has shown itself; should it do so later, its name for the node replaces this one
	}
	if at := h.firstT + nodeWaitMs; c.open < at {
		if c.hostsAt == 0 || at < c.hostsAt {
			c.hostsAt = at
		}
		return "", true
	}
	if h.uname != "" {
		return h.uname, false
	}
	return inst, false
}

// settle brings identity up to date before a window closes.
func (c *cluster) settle(s *Stream) {
	c.release(s)
	if c.hostsAt != 0 && c.open >= c.hostsAt {
		c.nodesNew = true
	}
	if !c.nodesNew {
		return
	}
	c.nodesNew, c.hostsAt = false, 0
	for i := range c.pods {
		if !c.pods[i].owned {
			c.resolve(s, uint32(i)) // its name may end in a node's
		}
	}
	for _, id := range c.series {
		if s.hot[id].flags&flagPlaced != 0 {
			c.project(s, id)
		}
	}
}

// PodExplanation says into which workload a pod was folded, and why.
type PodExplanation struct {
	Cluster, Namespace   string
	Pod                  string
	Workload, Kind       string
	Sure                 bool   // from owner data or a node's name, not only from the pod's name
	Held                 bool   // kept out of signals until its owner is known
	Why                  string // the rule, in words
	OwnerKind, OwnerName string // what kube_pod_owner said; "" when it said nothing
	Node                 string
	Series               int // tracked series of the pod
}

// ExplainPod tells why a pod was folded into a workload. ok is false for a pod that is not known.
func (s *Stream) ExplainPod(cluster, namespace, pod string) (x PodExplanation, ok bool) {
	ci, ok := s.clusterAt[cluster]
	if !ok {
		return x, false
	}
	c := s.clusters[ci]
	i, ok := c.podAt[name2{namespace, pod}]
	if !ok {
		return x, false
	}
	return s.explainPod(c, i), true
}

// FindPods explains the pods of a name, at most limit of them. An empty cluster or namespace is any, which costs a look at every pod.
func (s *Stream) FindPods(cluster, namespace, pod string, limit int) []PodExplanation {
	var out []PodExplanation
	if pod == "" {
		return nil
	}
	for _, c := range s.clusters {
		if cluster != "" && c.name != cluster {
			continue
		}
		if namespace != "" {
			if i, ok := c.podAt[name2{namespace, pod}]; ok && len(out) < limit {
				out = append(out, s.explainPod(c, i))
			}
			continue
		}
		for i := range c.pods {
			if c.pods[i].name == pod && len(out) < limit {
				out = append(out, s.explainPod(c, uint32(i)))
			}
		}
	}
	return out
}

func (s *Stream) explainPod(c *cluster, i uint32) PodExplanation {
	p := &c.pods[i]
	x := PodExplanation{Cluster: c.name, Namespace: p.ns, Pod: p.name, Workload: p.work, Kind: p.kind, Sure: p.sure, Held: p.held, Why: p.why.String(),
		OwnerKind: p.ownerKind, OwnerName: p.ownerName, Node: p.node}
	for id := p.first; id != none; id = s.cold[id].podNext {
		x.Series++
	}
	return x
}
