package signal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

// Defaults of StreamOptions.
const (
	SeriesDefault  = 1_000_000
	SignalsDefault = 200_000
	GraceDefault   = int64(90_000)              // ms
	GraceMax       = int64(150_000)             // ms: the rings hold three windows beyond the open one
	RetireDefault  = int64(15 * 24 * 3_600_000) // ms
	ClustersMax    = 1000                       // clusters in a stream; series of further ones are refused
	sendersMax     = 1000                       // senders told apart in Stats; further ones are counted as one
	replicasMax    = 4096                       // replica names told apart; further ones are one
	defaultCluster = "default"
)

// StreamOptions configure a Stream. The zero value derives nothing, since it has no packs.
type StreamOptions struct {
	Packs []*pack.Pack
	// MaxSeries bounds the series that are known, as senders see them: those of an HA pair count twice. 0 = SeriesDefault.
	// Series that a rule needs are also bounded by it on their own, so that others take no room from them. Beyond it new series are
	// refused with a count and known ones go on.
	MaxSeries int
	// MaxSignals bounds the signals; 0 = SignalsDefault. Beyond it new entities are not asked about, with a count.
	MaxSignals int
	// GraceMs is how long a window waits for slow senders, in event time and by the receive clock; 0 = GraceDefault, at most GraceMax.
	GraceMs int64
	// RetireMs is for how long a signal without a value is kept, in event time; 0 = RetireDefault.
	RetireMs int64
	// ClusterLabels name the labels that hold a cluster's name, best first; nil = cluster, k8s_cluster, cluster_name, k8s.cluster.name.
	ClusterLabels []string
	// ReplicaLabels name the labels by which HA replicas differ, best first; nil = __replica__, prometheus_replica.
	ReplicaLabels []string
	// DefaultCluster is the name of a cluster that nobody names; "" = "default".
	DefaultCluster string
}

// Stream turns batches into closed windows: it finds out which series are needed and whose they are, keeps their newest minutes and
// asks every rule of every cluster when a minute of event time is complete. It is a deterministic fold that reads no clock.
// Its methods must be called by one goroutine at a time.
type Stream struct {
	opts   StreamOptions
	closed func(*Window)

	// What the rules ask; fixed.
	rules   []*ruleForms
	leaves  []*leafPlan
	metrics []*metric
	byName  map[string]uint32 // metric name → metrics

	// Keys, of this process only.
	keys    []key
	keyTab  index32
	unspelt int64 // keys forgotten

	// Tracked series, in order of registration.
	hot      []tracked
	cold     []cold
	cells    []float64
	binds    []bind
	prints   index32
	groups   []bucketSet
	groupAt  map[print]uint32
	groupNo  []uint32         // free numbers
	kin      map[uint64]int32 // most buckets of a set, by bucketSet.kin; of the window that closes
	targets  []target
	targAt   map[uint64]uint32
	targNo   []uint32
	natives  []native
	nativeNo []uint32 // free numbers
	buckets  int      // that natives have room for

	words        []change.Word  // what watched series say of objects, in order of registration
	changeCounts *change.Counts // of the trackers of all clusters

	clusters  []*cluster
	clusterAt map[string]uint16
	senders   []*sender
	senderAt  map[senderKey]uint16
	replicas  []string // id → name; 0 is no replica label
	replicaAt map[string]uint16

	signals  []*Signal // by Signal.Index; nil = free
	signalNo []uint32  // free numbers
	signalAt map[string]*Signal
	marks    []mark // by Signal.Index

	nowMs   int64 // newest receive stamp
	eventMs int64 // newest sample of any cluster
	stats   Stats // counters

	counters  []*int64 // those of stats that are published as metrics
	published []int64

	rehome []uint16 // senders whose cluster is decided anew

	// Scratch.
	unkeyed  uint16 // the replica of a series that learn had no room for
	arriving int64  // the first sample of the series that is being learned
	labels   series.Labels
	bytes    []byte
	epoch    byte
	window   Window
	raw      []Observation
	out      []Observation
	tops     []Member
	result   []promql.Element
	current  evaluation
	input    promql.Input
	fed      []int       // by leafPlan.selector: elements given in the window that is evaluated
	came     promql.Hist // the native histogram that is folded
	rise     promql.Hist
	math     promql.HistMath
}

// key is a series as a sender spells it, in order of arrival: a scrape repeats its order, so the key that followed last time is
// nearly always the one that follows now, and finding it is a walk through memory.
type key struct {
	hash    uint64
	series  uint32 // in hot, none = ignored
	next    uint32 // the key that followed last time
	replica uint16
	seen    byte // epoch in which it was last seen
}

// ruleForms is a rule with its compiled forms.
type ruleForms struct {
	*pack.Rule
	forms []form
}

type form struct {
	plan    *promql.Plan
	leaves  []uint32 // plan.leaves[i] is Stream.leaves[leaves[i]]
	natives []uint32 // the leaf of the native histograms that may stand in for it, none
}

// leafPlan is a leaf of one or more plans, with what follows from it.
type leafPlan struct {
	*promql.Leaf
	spec     string // equal leaves have equal specs
	metric   uint32
	static   []promql.Matcher // on labels that a series cannot change
	dynamic  []promql.Matcher // on workload, workload_type and node
	keep     []string         // kept labels that cannot change
	workload bool             // keep holds workload
	kind     bool             // keep holds workload_type
	node     bool             // keep holds node
	kinds    uint8
	ring     uint8
	own      bool   // one of the stream's own metrics
	stands   bool   // selects native histograms that stand in for classic series
	selector uint32 // number of what is selected, the same for leaves that differ in keep only
}

// flags returns what a series is when the leaf selects it.
func (lp *leafPlan) flags() (f uint16) {
	if lp.stands {
		f |= flagNative
	}
	if lp.Bucket {
		f |= flagBucket
	}
	return f
}

// histogram returns the histogram that a series which the leaf selects belongs to, "" for none; known is what other leaves say.
func (lp *leafPlan) histogram(known string) string {
	switch {
	case lp.stands:
		return lp.Name
	case lp.Base != "":
		return lp.Base
	case lp.Bucket && known == "":
		return strings.TrimSuffix(lp.Name, "_bucket")
	}
	return known
}

// metric is a metric name that a rule or identity needs.
type metric struct {
	name   string
	leaves []uint32
	fact   identity.Fact
	watch  change.Metric
}

// speaks reports whether series of the metric say something of identity or changes, so that they are of use without a rule.
func (m *metric) speaks() bool { return m.fact != 0 || m.watch.Watched() }

// isDynamic reports whether the leaf asks for something that may become known later.
func (lp *leafPlan) isDynamic() bool { return len(lp.dynamic) > 0 || lp.workload || lp.kind || lp.node }

// selects reports whether a series passes matchers.
func selects(v *identity.View, ms []promql.Matcher) bool {
	for i := range ms {
		if !ms[i].Matches(v.Get(ms[i].Label())) {
			return false
		}
	}
	return true
}

// NewStream returns a stream that has seen nothing. closed is called for every closed window, within Apply, in order of time for
// each cluster. An error names the rule that does not compile.
func NewStream(o StreamOptions, closed func(*Window)) (*Stream, error) {
	if o.MaxSeries <= 0 {
		o.MaxSeries = SeriesDefault
	}
	if o.MaxSignals <= 0 {
		o.MaxSignals = SignalsDefault
	}
	if o.GraceMs <= 0 {
		o.GraceMs = GraceDefault
	}
	o.GraceMs = min(o.GraceMs, GraceMax)
	if o.RetireMs <= 0 {
		o.RetireMs = RetireDefault
	}
	if o.ClusterLabels == nil {
		o.ClusterLabels = []string{"cluster", "k8s_cluster", "cluster_name", "k8s.cluster.name"}
	}
	if o.ReplicaLabels == nil {
		o.ReplicaLabels = []string{"__replica__", "prometheus_replica"}
	}
	if o.DefaultCluster == "" {
		o.DefaultCluster = defaultCluster
	}
	if closed == nil {
		closed = func(*Window) {}
	}
	s := &Stream{opts: o, closed: closed, byName: map[string]uint32{}}
	s.clear()
	for _, name := range identity.Metrics() {
		s.metric(name).fact = identity.FactOf(name)
	}
	for _, name := range change.Metrics() {
		s.metric(name).watch = change.MetricOf(name)
	}
	slices.SortFunc(s.metrics, func(a, b *metric) int { return strings.Compare(a.name, b.name) })
	for i, m := range s.metrics {
		s.byName[m.name] = uint32(i)
	}
	specs := map[string]uint32{}
	names := map[string]bool{}
	var plans []*promql.Plan
	add := func(r *pack.Rule) error {
		if names[r.Name] {
			return fmt.Errorf("signal %s is asked by two rules", r.Name)
		}
		names[r.Name] = true
		rf := &ruleForms{Rule: r}
		for _, src := range r.Exprs {
			p, err := pack.Compile(src)
			if err != nil {
				return fmt.Errorf("signal %s: %w", r.Name, err)
			}
			f := form{plan: p}
			plans = append(plans, p)
			for _, l := range p.Leaves {
				f.leaves = append(f.leaves, s.leaf(l, specs, false))
				stand := uint32(none)
				if n := l.Native(); n != nil {
					stand = s.leaf(n, specs, true)
				}
				f.natives = append(f.natives, stand)
			}
			rf.forms = append(rf.forms, f)
		}
		s.rules = append(s.rules, rf)
		return nil
	}
	for _, p := range o.Packs {
		for _, r := range p.Rules {
			if err := add(r); err != nil {
				return nil, err
			}
		}
	}
	s.input.Shared = make([]promql.SharedVector, promql.Share(plans))
	return s, nil
}

// clear makes the state that of a stream that has seen nothing. What the rules ask stays.
func (s *Stream) clear() {
	*s = Stream{
		opts: s.opts, closed: s.closed, rules: s.rules, leaves: s.leaves, metrics: s.metrics, byName: s.byName,
		input:   promql.Input{Shared: s.input.Shared},
		groupAt: map[print]uint32{}, kin: map[uint64]int32{}, targAt: map[uint64]uint32{}, clusterAt: map[string]uint16{}, senderAt: map[senderKey]uint16{},
		changeCounts: &change.Counts{},
		replicas:     []string{""}, replicaAt: map[string]uint16{"": 0}, signalAt: map[string]*Signal{},
	}
	s.keyTab.reset(0)
	s.prints.reset(0)
	s.bind()
}

// bind points what must point into s there, after s has been made or copied.
func (s *Stream) bind() {
	s.input.Leaf = s.vector
	s.counters = s.stateCounters()
	s.published = make([]int64, len(s.counters))
	for _, c := range s.clusters {
		c.bind(s)
	}
}

func (s *Stream) metric(name string) *metric {
	i, ok := s.byName[name]
	if !ok {
		i = uint32(len(s.metrics))
		s.metrics = append(s.metrics, &metric{name: name})
		s.byName[name] = i
	}
	return s.metrics[i]
}

// leaf returns the number of a leaf, the same for equal ones.
func (s *Stream) leaf(l *promql.Leaf, specs map[string]uint32, stands bool) uint32 {
	parts := []string{l.Name, fmt.Sprint(l.Func, l.Windows, l.Bucket, l.Base, l.Part, stands)}
	for _, m := range l.Match {
		parts = append(parts, m.String())
	}
	selector := "s" + strings.Join(parts, "\xff")
	spec := "l" + strings.Join(append(parts, strings.Join(l.Keep, ",")), "\xff")
	if i, ok := specs[spec]; ok {
		return i
	}
	if _, ok := specs[selector]; !ok {
		specs[selector] = uint32(len(s.leaves))
	}
	lp := &leafPlan{Leaf: l, spec: spec, stands: stands, selector: specs[selector]}
	for _, m := range l.Match {
		if identity.IsDynamic(m.Label()) {
			lp.dynamic = append(lp.dynamic, m)
		} else {
			lp.static = append(lp.static, m)
		}
	}
	for _, k := range l.Keep {
		switch k {
		case identity.LabelWorkload:
			lp.workload = true
		case identity.LabelWorkloadType:
			lp.kind = true
		case identity.LabelNode:
			lp.node = true
		default:
			lp.keep = append(lp.keep, k)
		}
	}
	switch l.Func {
	case promql.Rate, promql.Increase:
		if !stands {
			lp.kinds = kindIncrease
		}
	case promql.Changes:
		lp.kinds = kindChanges
	case promql.Timestamp:
		lp.kinds = kindTime
	default:
		lp.kinds = kindValue
	}
	lp.ring = shortRing
	if l.Windows > 5 {
		lp.ring = longRing
	}
	i := uint32(len(s.leaves))
	specs[spec] = i
	s.leaves = append(s.leaves, lp)
	m := s.metric(l.Name)
	lp.metric = s.byName[l.Name]
	if lp.own = pack.Language.IsMade(l.Name); !lp.own { // a sender's series of that name is not asked
		m.leaves = append(m.leaves, i)
	}
	return i
}

// Signals returns all signals by their Index; nil is a number that is free. The slice is borrowed and must not be changed.
func (s *Stream) Signals() []*Signal { return s.signals }

// Apply folds one request and closes the windows that are complete with it. Every sample counts once in the result.
func (s *Stream) Apply(b *series.Batch) series.Result {
	var res series.Result
	from, fromNo := s.sender(b)
	from.seen(b.ReceivedMs)
	s.nowMs = max(s.nowMs, b.ReceivedMs)
	limit := b.ReceivedMs + futureMs
	if s.eventMs == 0 && len(b.Samples) > 0 {
		s.eventMs = max(0, min(b.Samples[0].T, limit))
	} else if s.eventMs == 0 && len(b.Histograms) > 0 {
		s.eventMs = max(0, min(b.Histograms[0].T, limit))
	}
	s.epoch = byte(s.eventMs / sweepMs)
	last := uint32(none)
	expect := from.first
	for i := range b.Entries {
		e := &b.Entries[i]
		hash := e.Key ^ from.salt
		at := expect
		if uint64(at) >= uint64(len(s.keys)) || s.keys[at].hash != hash {
			at = s.find(hash)
		}
		if at == none {
			var id uint32
			var err error
			if at, id, err = s.learn(b, i, hash, fromNo); err != nil {
				s.refuse(&res, from, err, int(e.SampleHi-e.SampleLo), int(e.HistHi-e.HistLo))
				continue
			}
			if at == none { // known, but there is no room for the key
				s.apply(&res, from, b, e, id, s.unkeyed, limit)
				continue
			}
		}
		if i == 0 {
			from.first = at
		} else if last != none {
			s.keys[last].next = at
		}
		last = at
		k := &s.keys[at]
		k.seen = s.epoch
		expect = k.next
		s.apply(&res, from, b, e, k.series, k.replica, limit)
	}
	for _, c := range s.clusters {
		s.closeDue(c)
	}
	s.tidy()
	s.publish()
	return res
}

// apply takes the samples of one entry, which belong to the tracked series id, or to none that a rule needs.
func (s *Stream) apply(res *series.Result, from *sender, b *series.Batch, e *series.Entry, id uint32, replica uint16, limit int64) {
	for j := e.SampleLo; j < e.SampleHi; j++ {
		x := &b.Samples[j]
		s.stats.Samples++
		from.samples++
		if x.T > limit {
			s.future(res, from, x.T, b.ReceivedMs)
			continue
		}
		res.Samples++
		if id == none {
			s.stats.Ignored++
			continue
		}
		s.stats.Needed++
		from.needed++
		from.lastT = max(from.lastT, x.T)
		s.sample(from, id, replica, x)
	}
	for j := e.HistLo; j < e.HistHi; j++ {
		if t := b.Histograms[j].T; t > limit {
			s.future(res, from, t, b.ReceivedMs)
			continue
		}
		s.stats.Histograms++
		res.Histograms++
		if id == none {
			s.stats.HistogramsUnused++
			continue
		}
		x := &b.Histograms[j]
		from.needed++
		from.lastT = max(from.lastT, x.T)
		s.histogram(from, id, replica, x)
	}
}

func (s *Stream) future(res *series.Result, from *sender, t, received int64) {
	s.stats.Future++
	from.rejected++
	res.Rejected++
	if res.Reason == "" {
		res.Reason = fmt.Sprintf("sample is %d s ahead of the receiver's clock; at most %d s are accepted: check the sender's clock", (t-received)/1000, futureMs/1000)
	}
}

// Reasons for refusing a series.
var (
	errOverSeries   = errors.New("series limit reached")
	errOverClusters = errors.New("cluster limit reached")
)

func (s *Stream) refuse(res *series.Result, from *sender, err error, samples, hists int) {
	n := samples + hists
	switch {
	case errors.Is(err, errOverSeries), errors.Is(err, errOverClusters):
		s.stats.OverSeries += int64(n)
	default:
		s.stats.BadSeries++
	}
	s.stats.Samples += int64(samples)
	s.stats.Refused += int64(n)
	from.samples += int64(samples)
	from.rejected += int64(n)
	res.Rejected += n
	if res.Reason == "" && n > 0 {
		res.Reason = err.Error()
	}
}

// find returns the key with the hash, none when it is not known.
func (s *Stream) find(hash uint64) uint32 {
	i, mask := s.keyTab.probe(hash)
	for {
		x := s.keyTab.slots[i]
		if x == 0 {
			return none
		}
		if s.keys[x-1].hash == hash {
			return x - 1
		}
		i = (i + 1) & mask
	}
}

// learn finds out what the unknown key of an entry stands for. at is none when there was no room to remember the key; id is none
// for a series that no rule needs.
func (s *Stream) learn(b *series.Batch, i int, hash uint64, from uint16) (at, id uint32, err error) {
	l, err := b.Labels.AppendLabels(s.labels[:0], i)
	if err != nil {
		return none, none, err
	}
	s.labels = l[:0]
	if l, err = series.Canonical(l); err != nil {
		return none, none, err
	}
	rep := ""
	for _, name := range s.opts.ReplicaLabels {
		if v := l.Get(name); v != "" {
			if rep == "" {
				rep = v
			}
			l = slices.DeleteFunc(l, func(x series.Label) bool { return x.Name == name })
		}
	}
	s.arriving = 0
	first := int64(math.MaxInt64)
	if e := &b.Entries[i]; e.SampleLo < e.SampleHi {
		first = b.Samples[e.SampleLo].T
	} else if e.HistLo < e.HistHi {
		first = b.Histograms[e.HistLo].T
	}
	if first <= b.ReceivedMs+futureMs {
		s.arriving = first
	}
	id, err = s.lookup(l, from)
	if err != nil {
		return none, none, err
	}
	replica := s.replica(rep)
	if id == none {
		if len(s.keys) >= s.opts.MaxSeries {
			return none, none, fmt.Errorf("%w: %d series are known and no rule needs this one (max_series)", errOverSeries, s.opts.MaxSeries)
		}
	} else if len(s.keys) >= 2*s.opts.MaxSeries {
		s.unkeyed = replica
		return none, id, nil
	}
	if from := s.senders[from]; from.replica == "" {
		from.replica = rep
	}
	if s.keyTab.full() {
		s.keyTab.reset(len(s.keys) + 1)
		for j := range s.keys {
			s.keyTab.put(s.keys[j].hash, uint32(j))
		}
	}
	at = uint32(len(s.keys))
	s.keys = append(s.keys, key{hash: hash, series: id, next: at + 1, replica: replica, seen: s.epoch})
	s.keyTab.put(hash, at)
	return at, id, nil
}

// replica returns the number of a replica's name.
func (s *Stream) replica(name string) uint16 {
	if id, ok := s.replicaAt[name]; ok {
		return id
	}
	if len(s.replicas) >= replicasMax {
		return replicasMax
	}
	id := uint16(len(s.replicas))
	name = strings.Clone(name)
	s.replicas = append(s.replicas, name)
	s.replicaAt[name] = id
	return id
}

// lookup returns the tracked series with the labels, which are canonical and hold no replica, made when it is new; none when no
// rule needs it.
func (s *Stream) lookup(l series.Labels, from uint16) (uint32, error) {
	snd := s.senders[from]
	name := l.Get(series.NameLabel)
	mi, ok := s.byName[name]
	if !ok && snd.decided() {
		return none, nil
	}
	p := s.printOf(snd.fixed, l, "")
	own := s.ownCluster(l)
	snd.vote(s, p, own)
	if !ok {
		return none, nil
	}
	if id := s.withPrint(p); id != none {
		if s.unresolved(&s.cold[id]) {
			s.resolve(id, l)
		}
		return id, nil
	}
	return s.register(l, p, mi, from, own)
}

// register makes a tracked series, or returns none when no rule needs it.
func (s *Stream) register(l series.Labels, p print, mi uint32, from uint16, own string) (uint32, error) {
	m := s.metrics[mi]
	snd := s.senders[from]
	view := identity.View{Labels: l, Cluster: snd.home(s, own)}
	first := uint32(len(s.binds))
	var kinds, ring uint8
	var flags uint16
	base := "" // of the histogram that the series belongs to
	for _, li := range m.leaves {
		lp := s.leaves[li]
		if !selects(&view, lp.static) {
			continue
		}
		s.binds = append(s.binds, bind{leaf: li, ls: none})
		kinds |= lp.kinds
		ring = max(ring, lp.ring)
		flags |= lp.flags()
		base = lp.histogram(base)
	}
	if uint32(len(s.binds)) == first && !m.speaks() {
		return none, nil
	}
	if len(s.hot) >= s.opts.MaxSeries {
		s.binds = s.binds[:first]
		return none, fmt.Errorf("%w: %d series are tracked (max_series)", errOverSeries, s.opts.MaxSeries)
	}
	ci, err := s.cluster(view.Cluster)
	if err != nil {
		s.binds = s.binds[:first]
		return none, err
	}
	c := s.clusters[ci]
	if c.open == 0 && s.arriving > 0 {
		c.begin(s.arriving)
	}
	snd.register(s, from, own, m)
	id := uint32(len(s.hot))
	h := tracked{cluster: ci, kinds: kinds, ring: ring, flags: flags, group: none, cells: uint32(len(s.cells))}
	if kinds == 0 && flags&flagNative == 0 {
		h.flags |= flagQuiet
	}
	for range kindsOf(kinds) * int(ring) {
		s.cells = append(s.cells, math.NaN())
	}
	if base != "" {
		h.group = s.bucketSet(s.printOfHistogram(snd.fixed, l, base), kinOf(&view, base))
	}
	d := cold{print: p, metric: mi, binds: first, nbinds: uint16(uint32(len(s.binds)) - first), sender: from, pod: none, podNext: none, target: none, watch: none, native: none}
	if kinds&kindIncrease != 0 || flags&flagNative != 0 {
		d.target = s.target(c, m, &view)
	}
	d.own = c.one(identity.LabelCluster, own)
	s.hot = append(s.hot, h)
	s.cold = append(s.cold, d)
	c.series = append(c.series, id)
	for i := first; i < uint32(len(s.binds)); i++ {
		bd := &s.binds[i]
		bd.series = id
		bd.static = c.static(s.leaves[bd.leaf], &view)
		c.lists[bd.leaf] = append(c.lists[bd.leaf], i)
	}
	s.index(id)
	c.identify(s, id, m, &view)
	return id, nil
}

// index makes a new series findable by its print.
func (s *Stream) index(id uint32) {
	if s.prints.full() {
		s.prints.reset(len(s.cold))
		for j := range s.cold[:id] {
			s.prints.put(s.cold[j].print.hash(), uint32(j))
		}
	}
	s.prints.put(s.cold[id].print.hash(), id)
}

// withPrint returns the series with a print, none when there is none.
func (s *Stream) withPrint(p print) uint32 {
	i, mask := s.prints.probe(p.hash())
	for {
		x := s.prints.slots[i]
		if x == 0 {
			return none
		}
		if s.cold[x-1].print == p {
			return x - 1
		}
		i = (i + 1) & mask
	}
}

func kindsOf(k uint8) (n int) {
	for ; k != 0; k &= k - 1 {
		n++
	}
	return n
}

func (s *Stream) bucketSet(p print, kin uint64) uint32 {
	g, ok := s.groupAt[p]
	if !ok {
		if n := len(s.groupNo); n > 0 {
			g = s.groupNo[n-1]
			s.groupNo = s.groupNo[:n-1]
		} else {
			g = uint32(len(s.groups))
			s.groups = append(s.groups, bucketSet{})
		}
		s.groups[g] = bucketSet{print: p, native: none, kin: kin}
		s.groupAt[p] = g
	}
	s.groups[g].refs++
	return g
}

func (s *Stream) target(c *cluster, m *metric, v *identity.View) uint32 {
	b := append(s.bytes[:0], c.name...)
	for _, x := range []string{m.name, v.Labels.Get("job"), v.Labels.Get("instance"), v.Get(identity.LabelNamespace), v.Get(identity.LabelPod)} {
		b = append(b, 0xff)
		b = append(b, x...)
	}
	s.bytes = b
	k := fnv64(b)
	t, ok := s.targAt[k]
	if !ok {
		if n := len(s.targNo); n > 0 {
			t = s.targNo[n-1]
			s.targNo = s.targNo[:n-1]
		} else {
			t = uint32(len(s.targets))
			s.targets = append(s.targets, target{})
		}
		s.targets[t] = target{key: k}
		s.targAt[k] = t
	}
	s.targets[t].refs++
	return t
}

// fnv64 is FNV-1a, the same in every process. Two targets with one hash would share their age, nothing worse.
func fnv64(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for len(b) >= 8 {
		h = (h ^ binary.LittleEndian.Uint64(b)) * 1099511628211
		h ^= h >> 29
		b = b[8:]
	}
	for _, x := range b {
		h = (h ^ uint64(x)) * 1099511628211
	}
	return h ^ h>>32
}

// sample folds one sample of a tracked series.
func (s *Stream) sample(from *sender, id uint32, replica uint16, x *series.Sample) {
	h := &s.hot[id]
	c := s.clusters[h.cluster]
	if x.T <= 0 {
		s.stats.OutOfOrder++
		return
	}
	if !s.accept(h, replica, x.T) {
		s.stats.Replica++
		from.duplicate++
		return
	}
	if x.T <= h.lastT {
		if x.T == h.lastT && math.Float64bits(x.V) == math.Float64bits(h.lastV) {
			s.stats.Duplicate++
			from.duplicate++
		} else {
			s.stats.OutOfOrder++
			from.late++
		}
		return
	}
	if x.T > c.newest {
		s.newest(c, x.T)
	}
	if x.V-x.V != 0 { // NaN or ±Inf
		s.odd(c, id, h, x)
		return
	}
	if x.T <= c.open-windowMs {
		s.stats.Late++
		from.late++
	} else {
		from.accepted++
	}
	var base int64
	if h.lastT == 0 {
		base = s.first(c, id, h, x.T)
	} else if d := x.T - h.lastT; d < stepMax {
		h.step(d)
		if h.flags&flagSecond == 0 {
			s.second(id, h, d)
		}
	}
	if h.kinds != 0 {
		s.record(h, x, base)
	}
	if h.flags&flagWatch != 0 {
		d := &s.cold[id]
		c.changes.Hear(&s.words[d.watch], s.metrics[d.metric].watch, d.pod, x, h.lastT, h.lastV)
	}
	before := h.lastT
	h.lastT, h.lastV = x.T, x.V
	if h.group != none {
		g := &s.groups[h.group]
		g.lastT = max(g.lastT, x.T)
		if h.flags&flagBucket != 0 {
			if g.firstT == 0 {
				g.firstT = x.T
			}
			g.chain.add(before, x.T)
		}
	}
	if h.flags&(flagLive|flagPast|flagStale|flagQuiet) != flagLive|flagPast {
		c.alive(h)
	}
}

// step notes that a sample is d after the one before. The interval follows at once downwards and slowly upwards: a missed scrape is not a
// longer interval.
func (h *tracked) step(d int64) {
	if step := int64(h.stepMs); step == 0 || d < step {
		h.stepMs = uint32(d)
	} else {
		h.stepMs += uint32((d - step) / 8)
	}
}

// second notes the second sample of a series, which is d after its first.
func (s *Stream) second(id uint32, h *tracked, d int64) {
	h.flags |= flagSecond
	if g := s.cold[id].target; g != none {
		s.targets[g].stepMs = uint32(d)
	}
}

// first handles the first sample of a series, at t, and returns since when it is to be counted from zero, 0 = it is not: then it may
// have been there before.
func (s *Stream) first(c *cluster, id uint32, h *tracked, t int64) int64 {
	base := s.begin(c, id, t)
	if a := s.asked(c, &s.cold[id]); a != 0 && t <= a+askedYoungMs {
		base = 0
		h.anchor = uint32(t / 1000)
	} else if base == 0 && t <= c.born+windowMs {
		h.anchor = uint32(t / 1000) // it is only we who are new
	}
	return base
}

// begin notes the first sample of a series and returns since when it is to be counted from zero, 0 = it is not.
func (s *Stream) begin(c *cluster, id uint32, t int64) int64 {
	d := &s.cold[id]
	if d.pod != none {
		c.book.Began(d.pod, t)
	}
	if d.target == none {
		return 0
	}
	g := &s.targets[d.target]
	if g.firstT == 0 {
		g.firstT = t
		return 0
	}
	if t-g.firstT < aliveMs {
		return 0
	}
	// The target has been scraped for a while, so this series is new and began at zero within the last interval.
	step := int64(stepGuess)
	if g.stepMs != 0 {
		step = int64(g.stepMs)
	}
	return t - step
}

// odd handles a value that is no number: a stale marker ends the series, anything else is written and not used.
func (s *Stream) odd(c *cluster, id uint32, h *tracked, x *series.Sample) {
	if !series.IsStale(x.V) {
		s.stats.Unusable++
		if x.T >= c.open && h.flags&(flagLive|flagPast) == flagLive {
			h.flags |= flagPast
			c.past++
		}
		return
	}
	s.stats.Stale++
	if h.lastT == 0 || h.flags&flagStale != 0 {
		return
	}
	if h.flags&flagWatch != 0 {
		c.changes.Unheard(&s.words[s.cold[id].watch], x.T)
	}
	s.end(h, x.T)
	h.flags |= flagStale
	c.ended(h)
}
