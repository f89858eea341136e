package signal

import (
	"math"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/series"
)

// The tracker of changes. Some metrics say little as numbers and much when they become others: an object's resource version, the
// image of a container, the replicas that a Deployment wants. For each *object* the tracker keeps what was last said of it; what is
// said anew is a change once two scrapes have said it.
//
// What is learned and not told: the first hour of a cluster; what is said of an object for the first time, or after its metrics
// were away for ten minutes; and what is new in a metric that has itself only just come. Objects are keyed by what they are, not by
// the series that speak of them, so a kube-state-metrics that starts anew, an HA pair or two Prometheus with different label habits
// say nothing twice.

// Times of the tracker, milliseconds of event time.
const (
	changeYoungMs    = 60 * windowMs      // a cluster's first hour is learned
	changeGapMs      = 10 * windowMs      // an object not heard of for so long is learned anew
	changeSettleMs   = 3 * windowMs       // what is said of an object within this of its first word is how it was
	changeKeepMs     = 15 * windowMs      // one of several values that nobody says any more is forgotten after this
	changeGoneMs     = 5 * windowMs       // a node with a stale marker this old is gone
	changeSilentMs   = 15 * windowMs      // … and one that is silent for this long while others speak
	changeDrainMs    = 30 * windowMs      // so long after a cordon pods that leave are a drain
	changeRolloutMs  = 15 * windowMs      // what rolls with a rollout is part of it
	changeRestartMs  = 10 * windowMs      // a workload's restarts are told together
	changeRefillMs   = 30 * windowMs      // an object that changes all the time is let speak again after so long a rest
	changeForgetMs   = 24 * 60 * windowMs // an object not heard of for so long is forgotten
	changeSweepEvery = 5                  // windows between two looks for what is gone
)

// Bounds of the tracker.
const (
	objectsMax = 200_000 // objects in a stream; further ones are not watched, with a count
	factsMax   = 8       // values of an object that are told apart
	pendingMax = 1000    // changes that wait for their window; further ones are dropped with a count
	bootSlackS = 120     // a boot time that wanders by less is the same
)

// objectKey names an object: what is watched of it, and which.
type objectKey struct {
	what          watchKind
	ns, name, sub string
}

// object is what is known of one object.
type object struct {
	objectKey
	kind    string // of a workload, or of what has a version
	sinceT  int64  // first word, or the first after a gap
	lastT   int64  // newest word
	endT    int64  // stale marker after the newest word; 0 = none
	facts   []fact // oldest first
	words   uint8  // scrapes that have spoken of it, at most 2
	fresh   bool   // came while its metric was known: told as new with the second word
	gone    bool   // told as gone
	spent   uint8  // changes told and not refilled yet
	refillT int64  // newest attempt to speak, or refill
	toldT   int64  // rollouts and restarts: the newest told
	pendT   int64  // restarts: since when some wait to be told; 0 = none
	pendN   int64  // restarts: how many
	pendPod string // restarts: whose the newest was
	oom     bool   // restarts: one of them was at the memory limit
	pods    int64  // cordon: pods on the node then
	until   int64  // cordon: until when a drain is looked for, 0 = not any more; rollouts: end of the newest
	rollT   int64  // rollouts: when the one under way began; 0 = none
	usual   int64  // rollouts: how long they usually take, ms; 0 = none has ended yet
	late    bool   // rollouts: the one under way was told as late
	fam     uint8  // family of its metric
	aliveT  int64  // newest sample of any series that speaks of it, whatever it says
}

// fact is one value that was said of an object.
type fact struct {
	bits          uint64 // of the number
	text          string // of the labels, when they say it
	firstT, lastT int64
	known         bool // how it was, or told
}

// watcher is a series that speaks of an object.
type watcher struct {
	object uint32 // in cluster.objects; none = its pod's workload is not known yet
	sub    string // container, and what of it
	fact   string // what its labels say
}

// family is a watched metric in a cluster.
type family struct{ sinceT, lastT int64 }

// pendingChange waits for its window.
type pendingChange struct {
	Change
	holdT int64 // not before the end of a window at or after this
}

// tracker is a cluster's part.
type tracker struct {
	began    int64 // end of the cluster's first window ever
	families []family
	objects  []object
	at       map[objectKey]uint32
	pending  []pendingChange
	restarts []uint32 // objects with restarts to tell, in order
	cordons  []uint32 // nodes that may be drained, in order
	rolls    []uint32 // rollouts under way, in order
	sweepIn  int      // windows until what is gone is looked for
}

func newTracker() tracker {
	return tracker{families: make([]family, len(families)), at: map[objectKey]uint32{}, sweepIn: changeSweepEvery}
}

// object returns the number of an object, made when it is new; none when there is no room.
func (c *cluster) object(s *Stream, k objectKey, kind string, fam uint8) uint32 {
	if i, ok := c.changes.at[k]; ok {
		return i
	}
	if s.objects >= objectsMax {
		s.stats.OverObjects++
		return none
	}
	s.objects++
	k.ns, k.name, k.sub = c.table.Word(k.ns), c.table.Word(k.name), c.table.Word(k.sub)
	i := uint32(len(c.changes.objects))
	c.changes.objects = append(c.changes.objects, object{objectKey: k, kind: c.table.Word(kind), fam: fam, aliveT: c.open})
	c.changes.at[k] = i
	return i
}

// watch makes a new series speak of its object. It is called before identity learns from the series.
func (c *cluster) watch(s *Stream, id uint32, m *metric, v *labelView) {
	w := watcher{object: none}
	get := func(label string) string {
		x := v.get(label)
		if x == "<none>" {
			return ""
		}
		return cutText(x)
	}
	k := objectKey{what: m.watch, ns: get(labelNamespace)}
	kind := ""
	switch m.watch {
	case watchSet:
		set := v.get("replicaset")
		k.name, kind = get("owner_name"), strings.ToLower(get("owner_kind"))
		k.sub = kind
		if _, known := c.sets[name2{v.get(labelNamespace), set}]; !known {
			w.fact = cutText(set)
		}
	case watchImage:
		w.sub = get(labelContainer)
		if w.fact = get("image"); w.fact == "" {
			w.fact = get("image_spec")
		}
		if w.fact == "" {
			return
		}
	case watchRevision:
		k.name, kind, w.fact = get("statefulset"), kindStatefulSet, get("revision")
		if w.fact == "" {
			return
		}
	case watchReplicas:
		if k.name, kind = get("deployment"), kindDeployment; k.name == "" {
			k.name, kind = get("statefulset"), kindStatefulSet
		}
		k.sub = kind
	case watchProgress:
		var ok bool
		if k, w.fact, ok = progressOf(m.name, get); !ok {
			return
		}
		kind = k.sub
	case watchHPA:
		k.name, kind = get("horizontalpodautoscaler"), "hpa"
		k.sub = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(m.name, "kube_horizontalpodautoscaler_"), "spec_"), "status_"), "_replicas")
	case watchLimits:
		which := "limit "
		if strings.HasSuffix(m.name, "_requests") {
			which = "request "
		}
		w.sub = get(labelContainer) + "\x00" + which + get("resource")
	case watchCordon:
		k.ns, k.name = "", get(labelNode)
	case watchBoot:
		k.ns = ""
		if k.name = get(labelNode); k.name == "" {
			k.name = cutText(hostOf(v.l.Get("instance")))
		}
	case watchNode:
		k.ns, k.name = "", get(labelNode)
		w.fact = nodeFact(v)
	case watchBuild:
		k.ns, k.name = "", cutText(v.l.Get("job"))
		kind = strings.TrimSuffix(strings.TrimSuffix(m.name, "_build_info"), "_version_info")
		k.sub = kind
		for _, label := range []string{"git_version", "version", "release", "binary", "build"} {
			if w.fact = get(label); w.fact != "" {
				break
			}
		}
		if w.fact == "" {
			return
		}
		if k.name == "" {
			k.name = kind
		}
	case watchVersion:
		kind, _ = versioned(m.name)
		k.name, k.sub = get(kind), kind
	case watchRestart, watchOOM:
		w.sub = get(labelContainer)
		if m.watch == watchOOM && v.l.Get("reason") != "OOMKilled" {
			return
		}
	}
	if m.watch.ofPod() {
		if s.cold[id].pod == none {
			return
		}
	} else {
		if k.name == "" {
			return
		}
		if w.object = c.object(s, k, kind, m.family); w.object == none {
			return
		}
	}
	w.sub, w.fact = c.table.Word(w.sub), c.table.Word(w.fact)
	s.cold[id].watch = uint32(len(s.watchers))
	s.watchers = append(s.watchers, w)
	s.hot[id].flags |= flagWatch
}

// nodeParts are the labels of kube_node_info that are worth a word, and the words.
var nodeParts = [...]struct{ label, word string }{
	{"kubelet_version", "kubelet"}, {"kernel_version", "kernel"}, {"container_runtime_version", "runtime"}, {"os_image", "OS"},
}

func nodeFact(v *labelView) string {
	var b strings.Builder
	for i, p := range nodeParts {
		if i > 0 {
			b.WriteByte(0)
		}
		b.WriteString(cutText(v.l.Get(p.label)))
	}
	return b.String()
}

// ofPod returns the object that a series of a pod speaks of, none while the pod's workload is not known.
func (c *cluster) ofPod(s *Stream, d *cold, m *metric, w *watcher) uint32 {
	p := &c.pods[d.pod]
	if p.held {
		return none
	}
	what := m.watch
	if what == watchOOM {
		what = watchRestart
	}
	w.object = c.object(s, objectKey{what: what, ns: p.ns, name: cutText(p.work), sub: w.sub}, p.kind, m.family)
	return w.object
}

// unbind makes the watchers of a pod look for their objects anew, since its workload is another.
func (s *Stream) unbind(d *cold) {
	if d.watch != none && s.metrics[d.metric].watch.ofPod() {
		s.watchers[d.watch].object = none
	}
}

// heard takes a sample of a watched series. h still holds the sample before it.
func (s *Stream) heard(c *cluster, id uint32, h *tracked, x *series.Sample) {
	d := &s.cold[id]
	m := s.metrics[d.metric]
	f := &c.changes.families[m.family]
	if x.T > f.lastT {
		if x.T-f.lastT > changeGoneMs {
			f.sinceT = x.T
		}
		f.lastT = x.T
	}
	w := &s.watchers[d.watch]
	oi := w.object
	if oi == none && m.watch.ofPod() {
		if oi = c.ofPod(s, d, m, w); oi == none {
			return
		}
	}
	if oi == none {
		return
	}
	o := &c.changes.objects[oi]
	o.aliveT = max(o.aliveT, x.T)
	switch m.watch {
	case watchProgress:
		o.lastT = max(o.lastT, x.T)
		c.progressed(s, o, w.fact, x)
		return
	case watchOOM:
		if o.pendT != 0 && x.V == 1 && o.pendPod == c.pods[d.pod].name {
			o.oom = true
		}
		return
	case watchRestart:
		o.lastT = max(o.lastT, x.T)
		if h.lastT == 0 || x.T-h.lastT > changeGapMs || !(x.V > h.lastV) || c.young(x.T) {
			return
		}
		if o.pendT == 0 {
			o.pendT = x.T
			c.changes.restarts = append(c.changes.restarts, oi)
		}
		o.pendT = min(o.pendT, x.T)
		o.pendN += int64(min(x.V-h.lastV, 1e9))
		o.pendPod = c.pods[d.pod].name
		return
	case watchSet, watchNode, watchImage, watchRevision, watchBuild:
		if x.V == 0 {
			return // said not to be so
		}
	}
	if o.lastT == 0 || x.T-o.lastT > changeGapMs {
		// Created, or back: new only when its metric is not.
		o.fresh = (o.lastT == 0 || o.gone) && !c.young(x.T) && x.T-f.sinceT >= changeGoneMs
		o.words, o.gone = 0, false
		o.sinceT = x.T
		o.facts = o.facts[:0]
	}
	if x.T > o.lastT && o.words < 2 {
		if o.words++; o.words == 2 && o.fresh {
			o.fresh = false
			c.appeared(s, o)
		}
	}
	newest := o.lastT
	o.lastT = max(o.lastT, x.T)
	if x.T >= o.endT {
		o.endT = 0
	}
	bits := math.Float64bits(x.V)
	switch m.watch {
	case watchSet:
		if w.fact == "" {
			return // it was there before
		}
		bits = 0
	case watchImage, watchRevision, watchNode, watchBuild:
		bits = 0
	case watchBoot:
		if n := len(o.facts); n > 0 && math.Abs(math.Float64frombits(o.facts[0].bits)-x.V) <= bootSlackS {
			bits = o.facts[0].bits
		}
	}
	if c.said(o, bits, w.fact, x.T, newest) {
		from := fact{}
		for i := range o.facts {
			if o.facts[i].known {
				from = o.facts[i]
			}
		}
		at := slices.IndexFunc(o.facts, func(f fact) bool { return f.bits == bits && f.text == w.fact })
		to := o.facts[at]
		to.known = true
		if o.single() {
			o.facts = append(o.facts[:0], to)
		} else { // the last that is known is what it is now
			o.facts = append(slices.Delete(o.facts, at, at+1), to)
		}
		if !c.young(x.T) {
			c.changed(s, oi, from, to)
		}
	}
	if m.watch == watchSet {
		// Once told or learned it is one of those that are there.
		if i := slices.IndexFunc(o.facts, func(f fact) bool { return f.text == w.fact }); i >= 0 && o.facts[i].known {
			w.fact = ""
		}
	}
}

// single reports whether an object has one value at a time. Others have as many as their pods or targets have.
func (o *object) single() bool {
	switch o.what {
	case watchReplicas, watchHPA, watchCordon, watchBoot, watchNode, watchVersion, watchRevision:
		return true
	}
	return false
}

// young reports whether a cluster is in its first hour.
func (c *cluster) young(t int64) bool { return t < c.changes.began+changeYoungMs }

// said notes a value and reports whether it has just become certain that it is another than before. newest is when the object was
// last spoken of before.
func (c *cluster) said(o *object, bits uint64, text string, t, newest int64) bool {
	if !o.single() && o.what != watchSet {
		o.facts = slices.DeleteFunc(o.facts, func(f fact) bool { return f.lastT < t-changeKeepMs })
	}
	at := slices.IndexFunc(o.facts, func(f fact) bool { return f.bits == bits && f.text == text })
	if at >= 0 {
		f := &o.facts[at]
		before := f.lastT
		f.lastT = max(f.lastT, t)
		if f.known {
			if o.single() && t >= newest { // what was about to replace it did not stay
				o.facts = slices.DeleteFunc(o.facts, func(f fact) bool { return !f.known && f.lastT < t })
			}
			return false
		}
		return t > before
	}
	if o.single() {
		if t < newest {
			return false
		}
		o.facts = slices.DeleteFunc(o.facts, func(f fact) bool { return !f.known })
	} else if len(o.facts) >= factsMax {
		o.facts = slices.Delete(o.facts, 0, 1)
	}
	f := fact{bits: bits, text: text, firstT: t, lastT: t}
	switch {
	case o.what == watchSet:
		f.known = t-o.sinceT < changeSettleMs || t-c.changes.families[o.fam].sinceT < changeGoneMs
	case len(o.facts) == 0:
		f.known = true
	case !o.single():
		f.known = t-o.sinceT < changeSettleMs
	}
	o.facts = append(o.facts, f)
	return false
}

// unheard takes a stale marker of a watched series.
func (s *Stream) unheard(c *cluster, id uint32, t int64) {
	w := &s.watchers[s.cold[id].watch]
	if w.object == none {
		return
	}
	if o := &c.changes.objects[w.object]; t >= o.lastT {
		o.endT = t
	}
}

// entityOf returns an object's labels, and its name for people.
func (c *cluster) entityOf(o *object) (series.Labels, string) {
	var l series.Labels
	add := func(name, value string) {
		if value != "" {
			l = append(l, series.Label{Name: name, Value: value})
		}
	}
	switch o.what {
	case watchSet, watchImage, watchRevision, watchReplicas, watchLimits, watchRestart, watchHPA, watchProgress, whatRollout:
		add(labelNamespace, o.ns)
		add(labelWorkload, o.name)
		kind, word := o.kind, o.kind
		switch o.what {
		case watchHPA:
			kind, word = "", "autoscaler"
		case whatRollout:
			kind, word = o.sub, o.sub
		}
		add(labelWorkloadType, kind)
		return l, word + " " + slashed(o.ns, o.name)
	case watchCordon, watchBoot, watchNode:
		n := o.name
		if o.what == watchBoot {
			n = c.nodeNamed(n)
		}
		add(labelNode, n)
		return l, "node " + n
	case watchVersion:
		add(labelNamespace, o.ns)
		return l, o.kind + " " + slashed(o.ns, o.name)
	case watchBuild:
		if o.kind == o.name {
			return l, o.kind
		}
		return l, o.kind + " of job " + o.name
	}
	return l, o.name
}

func slashed(ns, name string) string {
	if ns == "" {
		return name
	}
	return ns + "/" + name
}

// nodeNamed returns the node that an instance without port means.
func (c *cluster) nodeNamed(inst string) string {
	if _, ok := c.nodes[inst]; ok {
		return inst
	}
	if n, ok := c.ips[inst]; ok {
		return n
	}
	if h := c.hosts[inst]; h != nil && h.uname != "" {
		return h.uname
	}
	return inst
}

// worksOn returns the workloads with pods on a node.
func (c *cluster) worksOn(node string) []string {
	var out []string
	for i := range c.pods {
		if p := &c.pods[i]; p.node == node && !p.held {
			out = append(out, slashed(p.ns, cutText(p.work)))
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), ChangeWorksMax)]
}

// appeared tells of an object that was not there before.
func (c *cluster) appeared(s *Stream, o *object) {
	switch o.what {
	case watchNode:
		c.tell(s, o, ChangeNodeNew, o.sinceT, "", "", 0)
	case watchVersion:
		if _, kind := versioned("kube_" + o.kind + "_metadata_resource_version"); kind == ChangeRBAC || kind == ChangeWebhook {
			c.tell(s, o, kind, o.sinceT, "", "created", 0)
		}
	}
}

// changed tells of an object that has another value than before.
func (c *cluster) changed(s *Stream, oi uint32, from, to fact) {
	o := &c.changes.objects[oi]
	number := func(f fact) float64 { return math.Float64frombits(f.bits) }
	switch o.what {
	case watchSet:
		c.tell(s, o, ChangeRollout, to.firstT, from.text, to.text, windowMs)
	case watchImage:
		// Its ReplicaSet may be told a scrape later.
		c.tell(s, o, ChangeRollout, to.firstT, from.text, to.text, windowMs)
	case watchRevision:
		c.tell(s, o, ChangeRollout, to.firstT, from.text, to.text, windowMs)
	case watchReplicas:
		by := ""
		if _, ok := c.changes.at[objectKey{watchHPA, o.ns, o.name, "desired"}]; ok {
			by = " by its autoscaler"
		}
		c.tell(s, o, ChangeScale, to.firstT, amount("", number(from)), amount("", number(to))+by, 0)
	case watchHPA:
		if o.sub == "desired" {
			for _, kind := range [...]string{kindDeployment, kindStatefulSet} {
				if _, ok := c.changes.at[objectKey{watchReplicas, o.ns, o.name, kind}]; ok {
					return // told of the workload itself
				}
			}
			c.tell(s, o, ChangeScale, to.firstT, amount("", number(from)), amount("", number(to)), 0)
			return
		}
		c.tell(s, o, ChangeHPA, to.firstT, o.sub+" "+amount("", number(from)), o.sub+" "+amount("", number(to)), 0)
	case watchLimits:
		container, which, _ := strings.Cut(o.sub, "\x00")
		_, resource, _ := strings.Cut(which, " ")
		which, _, _ = strings.Cut(which, " ")
		if container != "" && container != o.name {
			which = container + " " + which
		}
		c.tell(s, o, ChangeLimits, to.firstT, which+" "+amount(resource, number(from)), which+" "+amount(resource, number(to)), windowMs)
	case watchCordon:
		if number(to) == 1 {
			c.tell(s, o, ChangeCordon, to.firstT, "", "", 0)
			if o.until == 0 {
				c.changes.cordons = append(c.changes.cordons, oi)
			}
			o.pods, o.until = c.podsOn(s, o.name, to.firstT-windowMs, true), to.firstT+changeDrainMs
			return
		}
		c.tell(s, o, ChangeUncordon, to.firstT, "", "", 0)
	case watchBoot:
		if number(to) > number(from) {
			c.tell(s, o, ChangeReboot, to.firstT, "", stampMinute(number(to)), 0)
		}
	case watchNode:
		a, b := strings.Split(from.text, "\x00"), strings.Split(to.text, "\x00")
		was, is := "", ""
		for i, p := range nodeParts {
			if i < len(a) && i < len(b) && a[i] != b[i] {
				was, is = joinTexts(was, p.word+" "+a[i]), joinTexts(is, p.word+" "+b[i])
			}
		}
		if is != "" {
			c.tell(s, o, ChangeVersion, to.firstT, was, is, 0)
		}
	case watchBuild:
		c.tell(s, o, ChangeVersion, to.firstT, from.text, to.text, 0)
	case watchVersion:
		_, kind := versioned("kube_" + o.kind + "_metadata_resource_version")
		c.tell(s, o, kind, to.firstT, "", "", 0)
	}
}

// tell queues a change for the window that closes next, or that at the end of which holdMs have passed, so that what belongs
// together is told together. An object that changes all the time is silent until it has rested.
func (c *cluster) tell(s *Stream, o *object, kind ChangeKind, t int64, from, to string, holdMs int64) {
	for o.spent > 0 && o.lastT-o.refillT >= changeRefillMs {
		o.spent--
		o.refillT += changeRefillMs
	}
	most := uint8(6)
	if kind == ChangeScale {
		most = 24
	}
	if o.spent == 0 || o.spent >= most {
		o.refillT = o.lastT
	}
	if o.spent >= most || len(c.changes.pending) >= pendingMax {
		s.stats.ChangesHeld++
		return
	}
	o.spent++
	entity, name := c.entityOf(o)
	ch := Change{T: t, Kind: kind, Cluster: c.name, Entity: entity, Object: name, From: cutText(from), To: cutText(to), by: 1 << o.what}
	if n := entity.Get(labelNode); n != "" {
		ch.Works = c.worksOn(n)
	}
	hold := t
	if holdMs > 0 {
		hold = o.lastT + holdMs
	}
	c.changes.pending = append(c.changes.pending, pendingChange{ch, hold})
}

// podsOn counts the pods on a node that a drain moves away and of which something was heard after t; ended ones count on demand.
func (c *cluster) podsOn(s *Stream, node string, t int64, ended bool) (n int64) {
	for i := range c.pods {
		p := &c.pods[i]
		if p.node != node || p.kind == kindDaemonSet || p.kind == kindStatic {
			continue
		}
		for id := p.first; id != none; id = s.cold[id].podNext {
			if h := &s.hot[id]; h.lastT > t && (ended || h.flags&flagStale == 0) {
				n++
				break
			}
		}
	}
	return n
}

// settleChanges finds what has happened by the end of a window and returns the changes to hand on with it, in s.changes.
func (s *Stream) settleChanges(c *cluster, end int64) {
	s.changes = s.changes[:0]
	t := &c.changes
	if len(t.restarts) > 0 {
		c.tellRestarts(s, end)
	}
	if len(t.cordons) > 0 {
		c.lookForDrains(s, end)
	}
	if len(t.rolls) > 0 {
		c.followRollouts(s, end)
	}
	if t.sweepIn--; t.sweepIn <= 0 {
		t.sweepIn = changeSweepEvery
		c.lookForGone(s, end)
	}
	if len(t.pending) == 0 {
		return
	}
	kept := t.pending[:0]
	for _, p := range t.pending {
		if p.holdT > end {
			kept = append(kept, p)
			continue
		}
		s.changes = append(s.changes, p.Change)
	}
	clear(t.pending[len(kept):])
	t.pending = kept
	s.changes = gather(s.changes)
	s.changes = slices.DeleteFunc(s.changes, func(ch Change) bool {
		if ch.Kind != ChangeRollout {
			return false
		}
		// A ReplicaSet and its pods' images are one rollout, although they may show minutes apart.
		i := c.object(s, objectKey{what: whatRollout, ns: ch.Entity.Get(labelNamespace), name: ch.Entity.Get(labelWorkload), sub: ch.Entity.Get(labelWorkloadType)}, "", 0)
		if i == none {
			return false
		}
		o := &t.objects[i]
		o.aliveT = max(o.aliveT, end)
		near := o.toldT != 0 && ch.T < o.toldT+changeRolloutMs && ch.T > o.toldT-changeRolloutMs
		again := o.rollT == 0 && o.until != 0 && ch.T > o.until // the one that was told has ended since
		if near && !again && len(o.facts) > 0 && o.facts[0].bits&uint64(ch.by) == 0 {
			o.facts[0].bits |= uint64(ch.by)
			s.stats.ChangesHeld++
			return true
		}
		o.toldT = ch.T
		c.rolling(i, ch.T)
		o.facts = append(o.facts[:0], fact{bits: uint64(ch.by), firstT: ch.T, lastT: ch.T, known: true})
		return false
	})
	for i := range s.changes {
		s.changes[i].by = 0
	}
	s.stats.Changes += int64(len(s.changes))
}

// tellRestarts tells of restarts once their reason has had time to arrive, and not more often than every ten minutes.
func (c *cluster) tellRestarts(s *Stream, end int64) {
	kept := c.changes.restarts[:0]
	for _, oi := range c.changes.restarts {
		o := &c.changes.objects[oi]
		if end < o.pendT+windowMs || o.toldT != 0 && end < o.toldT+changeRestartMs {
			kept = append(kept, oi)
			continue
		}
		kind, to := ChangeRestart, ""
		if o.oom {
			kind = ChangeOOM
		}
		if o.sub != "" && o.sub != o.name {
			to = "container " + o.sub
		}
		if o.pendN != 1 {
			to = joinTexts(to, amount("", float64(o.pendN))+" times")
		}
		c.tell(s, o, kind, o.pendT, "", to, 0)
		o.toldT, o.pendT, o.pendN, o.pendPod, o.oom = end, 0, 0, "", false
	}
	c.changes.restarts = kept
}

// lookForDrains tells of cordoned nodes that have lost four fifths of their pods.
func (c *cluster) lookForDrains(s *Stream, end int64) {
	kept := c.changes.cordons[:0]
	for _, oi := range c.changes.cordons {
		o := &c.changes.objects[oi]
		still := len(o.facts) > 0 && math.Float64frombits(o.facts[0].bits) == 1
		if !still || end > o.until || o.pods == 0 {
			o.pods, o.until = 0, 0
			continue
		}
		if left := c.podsOn(s, o.name, end-liveMs, false); left*5 <= o.pods {
			c.tell(s, o, ChangeDrain, end, amount("", float64(o.pods)), amount("", float64(left))+" pods", 0)
			o.pods, o.until = 0, 0
			continue
		}
		kept = append(kept, oi)
	}
	c.changes.cordons = kept
}

// lookForGone tells of nodes, roles and webhooks that are no longer listed while their like are.
func (c *cluster) lookForGone(s *Stream, end int64) {
	for i := range c.changes.objects {
		o := &c.changes.objects[i]
		if o.what == watchLimits && !o.gone && o.lastT != 0 {
			c.lookForRemovedLimit(s, o, end)
			continue
		}
		if o.what != watchNode && o.what != watchVersion || o.gone || o.lastT == 0 {
			continue
		}
		f := c.changes.families[o.fam]
		ended := o.endT != 0 && f.lastT-o.endT >= changeGoneMs
		if !ended && f.lastT-o.lastT < changeSilentMs || f.sinceT > o.lastT {
			continue
		}
		o.gone = true
		at := o.lastT
		if o.endT != 0 {
			at = o.endT
		}
		if c.young(end) {
			continue
		}
		switch {
		case o.what == watchNode:
			c.tell(s, o, ChangeNodeGone, at, "", "", 0)
		default:
			if _, kind := versioned("kube_" + o.kind + "_metadata_resource_version"); kind == ChangeRBAC || kind == ChangeWebhook {
				c.tell(s, o, kind, at, "", "deleted", 0)
			}
		}
	}
}

// lookForRemovedLimit tells of a limit or request that a workload's pods no longer have while the container is still there.
func (c *cluster) lookForRemovedLimit(s *Stream, o *object, end int64) {
	container, which, _ := strings.Cut(o.sub, "\x00")
	i, ok := c.changes.at[objectKey{watchImage, o.ns, o.name, container}]
	if !ok || len(o.facts) == 0 || c.changes.objects[i].lastT-o.lastT < changeGoneMs || c.changes.families[o.fam].lastT-o.lastT < changeGoneMs {
		return
	}
	o.gone = true
	if c.young(end) {
		return
	}
	_, resource, _ := strings.Cut(which, " ")
	which, _, _ = strings.Cut(which, " ")
	if container != "" && container != o.name {
		which = container + " " + which
	}
	was := math.Float64frombits(o.facts[len(o.facts)-1].bits)
	c.tell(s, o, ChangeLimits, o.lastT, which+" "+amount(resource, was), "none", 0)
}

// sweepChanges forgets the objects of which nothing was heard for a day. The others keep their order.
func (c *cluster) sweepChanges(s *Stream) {
	t := &c.changes
	dead := func(o *object) bool { return max(o.aliveT, o.toldT) <= c.open-changeForgetMs && o.pendT == 0 }
	if !slices.ContainsFunc(t.objects, func(o object) bool { return dead(&o) }) {
		return
	}
	to := make([]uint32, len(t.objects))
	kept := t.objects[:0]
	for i := range t.objects {
		o := t.objects[i]
		if dead(&o) {
			to[i] = none
			delete(t.at, o.objectKey)
			s.objects--
			continue
		}
		to[i] = uint32(len(kept))
		t.at[o.objectKey] = to[i]
		kept = append(kept, o)
	}
	clear(t.objects[len(kept):])
	t.objects = kept
	move := func(list []uint32) []uint32 {
		out := list[:0]
		for _, i := range list {
			if to[i] != none {
				out = append(out, to[i])
			}
		}
		return out
	}
	t.restarts, t.cordons, t.rolls = move(t.restarts), move(t.cordons), move(t.rolls)
	for _, id := range c.series {
		if d := &s.cold[id]; d.watch != none {
			if w := &s.watchers[d.watch]; w.object != none {
				w.object = to[w.object]
			}
		}
	}
}
