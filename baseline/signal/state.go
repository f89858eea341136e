package signal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

// ErrState is returned by RestoreState for bytes that AppendState did not make, or that were damaged since.
var ErrState = errors.New("stream state is damaged")

const (
	stateMagic   = "wlst"
	stateVersion = 6              // 1 had no tracker of changes, 2 no carrying over of rules, 3 no native histograms, 4 no end of rollouts, 5 no share of late samples
	timeMax      = int64(1) << 45 // Unix milliseconds of the year 3084; nothing later is believed
)

// The state is a sequence of varints, floats (8 bytes, little endian) and strings (length, bytes). Words and label sets are written
// where they first occur and referred to by number afterwards. In order:
//
//	"wlst", version, signature of the rules (16 bytes), their metrics, leaves and expressions
//	clocks, counters, replica names, senders, clusters with their identity, signals
//	what has arrived, tracked series with their rings
//
// With other rules everything is kept that they still need: identities, names, the signals of rules that have an expression in common
// with what they were, and the rings of series in leaves that are still asked. So an unchanged signal loses no window. Leaves that
// are new take a series once it has shown its labels again, with its next sample.

// signature names the rules of a stream: two streams with the same one keep the same series in the same leaves.
func (s *Stream) signature() print {
	h := sha256.New()
	for _, m := range s.metrics {
		fmt.Fprintf(h, "m%q", m.name)
	}
	for _, l := range s.leaves {
		fmt.Fprintf(h, "l%q", l.spec)
	}
	for _, r := range s.rules {
		fmt.Fprintf(h, "r%q%q", r.Name, r.Exprs)
	}
	return print(h.Sum(nil)[:16])
}

// counters lists the counters of Stats that are part of the state.
func (s *Stats) counters() []*int64 {
	return []*int64{&s.Samples, &s.Needed, &s.Ignored, &s.Duplicate, &s.Late, &s.OutOfOrder, &s.Replica, &s.Future, &s.Refused, &s.Stale,
		&s.Unusable, &s.Histograms, &s.Resets, &s.Takeovers, &s.BadSeries, &s.OverSeries, &s.Incomplete, &s.FewEvents, &s.OverSignals,
		&s.Evicted, &s.Disabled, &s.Retired, &s.Changes, &s.ChangesHeld, &s.OverObjects, &s.HistogramsUnused, &s.Conflicts, &s.Undefined}
}

// AppendState appends the stream's complete state to dst. A stream with the same options that restores it gives the same
// windows from then on, to the bit.
func (s *Stream) AppendState(dst []byte) []byte {
	w := stateWriter{b: dst, words: map[string]int{}}
	w.b = append(w.b, stateMagic...)
	w.num(stateVersion)
	sig := s.signature()
	w.b = append(w.b, sig[:]...)
	s.appendRules(&w)
	w.int(s.nowMs)
	w.int(s.eventMs)
	counters := s.stats.counters()
	w.num(len(counters))
	for _, c := range counters {
		w.int(*c)
	}
	w.num(len(s.replicas) - 1)
	for _, r := range s.replicas[1:] {
		w.word(r)
	}
	w.num(len(s.senders))
	for _, n := range s.senders {
		n.append(&w)
	}
	w.num(len(s.clusters))
	for _, c := range s.clusters {
		c.append(&w)
	}
	w.num(len(s.signalAt))
	for sig := range s.InOrder {
		m := &s.marks[sig.Index]
		w.word(sig.Rule.Name)
		w.num(int(m.cluster))
		w.labels(sig.Entity)
		w.num(int(m.members))
		w.int(m.at)
	}

	for _, c := range s.clusters {
		for i := range c.rules {
			w.int(int64(c.rules[i].form))
			w.num(c.rules[i].series)
		}
		for _, t := range c.arrived {
			w.int(t)
		}
		for _, t := range c.asked {
			w.int(t)
		}
	}
	w.num(len(s.hot))
	sets := make([]setWriter, len(s.clusters))
	groups, targets := map[uint32]int{}, map[uint32]int{}
	for id := range s.hot {
		h, d := &s.hot[id], &s.cold[id]
		c := s.clusters[h.cluster]
		set := &sets[h.cluster]
		w.b = append(w.b, d.print[:]...)
		w.num(int(d.metric))
		w.num(int(h.cluster))
		w.num(int(d.sender))
		w.set(set, c.table, d.own)
		w.set(set, c.table, d.member)
		w.set(set, c.table, d.place)
		w.num(int(d.pod + 1)) // none + 1 is 0
		w.num(int(h.replica))
		w.num(int(h.flags))
		w.b = append(w.b, h.kinds, h.ring)
		w.int(h.lastT)
		w.float(h.lastV)
		w.int(int64(h.head))
		w.num(int(h.stepMs))
		w.num(int(h.anchor))
		if w.first(groups, h.group) {
			g := &s.groups[h.group]
			w.b = append(w.b, g.print[:]...)
			w.b = binary.LittleEndian.AppendUint64(w.b, g.kin)
			w.int(g.firstT)
			w.num(int(g.replica))
			w.int(g.lastT)
			g.chain.append(&w)
		}
		if w.first(targets, d.target) {
			g := &s.targets[d.target]
			w.b = binary.LittleEndian.AppendUint64(w.b, g.key)
			w.num(int(g.stepMs))
			w.int(g.firstT)
		}
		w.num(int(d.nbinds))
		for i := d.binds; i < d.binds+uint32(d.nbinds); i++ {
			b := &s.binds[i]
			w.num(int(b.leaf))
			w.set(set, c.table, b.static)
			w.set(set, c.table, b.ls)
		}
		if d.watch != none {
			x := &s.watchers[d.watch]
			w.num(int(x.object + 1))
			w.word(x.sub)
			w.word(x.fact)
		}
		for k := h.kinds; k != 0; k &= k - 1 {
			w.ring(s.ring(h, k&-k))
		}
		if h.flags&flagNative != 0 {
			w.bool(d.native != none)
			if d.native != none {
				w.native(&s.natives[d.native])
			}
		}
	}
	return w.b
}

func (n *sender) append(w *stateWriter) {
	w.word(n.name)
	w.word(n.fixed)
	w.word(n.major)
	w.word(n.replica)
	w.bool(n.done)
	w.num(len(n.early))
	for _, v := range n.early {
		w.b = append(w.b, v.print[:]...)
		w.word(v.own)
	}
	w.num(len(n.votes))
	for _, v := range n.votes {
		w.word(v.own)
		w.num(v.n)
		w.bool(v.real)
	}
	for _, c := range n.counters() {
		w.int(*c)
	}
	for _, a := range n.recent {
		w.int(a.needed)
		w.int(a.late)
	}
}

func (n *sender) counters() []*int64 {
	return []*int64{&n.samples, &n.needed, &n.accepted, &n.duplicate, &n.late, &n.rejected, &n.firstMs, &n.lastMs, &n.lastT}
}

func (c *cluster) times() []*int64 {
	out := []*int64{&c.open, &c.born, &c.newest, &c.sweepAt, &c.windows, &c.early, &c.grace, &c.hostsAt}
	for i := range c.passed {
		out = append(out, &c.passed[i])
	}
	return out
}

func (c *cluster) append(w *stateWriter) {
	w.word(c.name)
	for _, t := range c.times() {
		w.int(*t)
	}
	w.bool(c.owners)
	w.bool(c.nodesNew)
	w.num(len(c.pods))
	for i := range c.pods {
		p := &c.pods[i]
		for _, x := range [...]string{p.ns, p.name, p.node, p.ownerKind, p.ownerName, p.work, p.kind} {
			w.word(x)
		}
		w.bool(p.owned)
		w.bool(p.sure)
		w.bool(p.held)
		w.num(int(p.why))
		w.int(p.firstT)
	}
	w.num(len(c.workloads))
	for _, k := range sortedNames(c.workloads) {
		x := c.workloads[k]
		w.word(k.ns)
		w.word(k.name)
		w.word(x.kind)
		w.bool(x.known)
		w.int(x.lastT)
	}
	for _, m := range []map[name2]owner{c.sets, c.jobs} {
		w.num(len(m))
		for _, k := range sortedNames(m) {
			o := m[k]
			w.word(k.ns)
			w.word(k.name)
			w.word(o.kind)
			w.word(o.name)
			w.num(int(o.series + 1))
		}
	}
	w.num(len(c.nodes))
	for _, k := range sortedStrings(c.nodes) {
		n := c.nodes[k]
		w.word(k)
		w.word(n.ip)
		w.num(int(n.series + 1))
		w.bool(c.ips[n.ip] == k)
	}
	w.num(len(c.hosts))
	for _, k := range sortedStrings(c.hosts) {
		w.word(k)
		w.word(c.hosts[k].uname)
		w.int(c.hosts[k].firstT)
	}
	c.changes.append(w)
}

func sortedNames[V any](m map[name2]V) []name2 {
	keys := make([]name2, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b name2) int {
		if d := strings.Compare(a.ns, b.ns); d != 0 {
			return d
		}
		return strings.Compare(a.name, b.name)
	})
	return keys
}

func sortedStrings[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// RestoreState makes the stream what it was when AppendState made b, also when its rules have changed since (see above). Whatever
// the stream held before is dropped. It returns ErrState, and leaves the stream as it was, when b is not the work of AppendState.
func (s *Stream) RestoreState(b []byte) error {
	if len(b) < len(stateMagic) || string(b[:len(stateMagic)]) != stateMagic {
		return ErrState
	}
	fresh := &Stream{opts: s.opts, closed: s.closed, rules: s.rules, leaves: s.leaves, metrics: s.metrics, byName: s.byName, input: s.input}
	fresh.clear()
	r := &stateReader{b: b[len(stateMagic):]}
	if r.version = r.num(math.MaxInt32); r.err == nil && (r.version < 1 || r.version > stateVersion) {
		return fmt.Errorf("%w: version %d is not known, this program writes %d", ErrState, r.version, stateVersion)
	}
	fresh.restore(r)
	if r.err != nil {
		return r.err
	}
	input := fresh.input
	*s = *fresh
	s.input = input
	s.bind()
	for i, c := range s.counters {
		s.published[i] = *c // they were counted in the life before
	}
	return nil
}

func (s *Stream) restore(r *stateReader) {
	same := r.print() == s.signature()
	was := s.readRules(r)
	if r.err != nil || same && !was.all(s) {
		r.fail()
		return
	}
	was.same = same && r.version == stateVersion
	s.nowMs, s.eventMs = r.time(), r.time()
	counters := s.stats.counters()
	for i := range r.count(1) {
		if v := r.int(); i < len(counters) {
			*counters[i] = v
		}
	}
	for range r.count(1) {
		if len(s.replicas) >= replicasMax {
			r.fail()
			return
		}
		name := r.word()
		s.replicaAt[name] = uint16(len(s.replicas))
		s.replicas = append(s.replicas, name)
	}
	for range r.count(10) {
		if len(s.senders) >= math.MaxUint16 {
			r.fail()
			return
		}
		s.restoreSender(r)
	}
	for range r.count(20) {
		if len(s.clusters) >= ClustersMax {
			r.fail()
			return
		}
		s.restoreCluster(r)
		if r.err != nil {
			return
		}
	}
	s.restoreSignals(r, was)
	if r.err != nil {
		return
	}
	for _, c := range s.clusters {
		for _, i := range was.rules {
			form, n := r.int(), r.num(math.MaxInt32)
			if i == none {
				continue
			}
			c.rules[i].form, c.rules[i].series = int(form), n
			if form < -1 || form >= int64(len(s.rules[i].forms)) {
				if was.same {
					r.fail()
					return
				}
				c.rules[i].form = -1 // decided anew when the next window closes
			}
		}
		for _, i := range was.metrics {
			if t := r.time(); i != none {
				c.arrived[i] = t
			}
		}
		for _, i := range was.leaves {
			if t := r.time(); i != none {
				c.asked[i] = t
			}
		}
		for _, leaves := range was.fresh {
			for _, i := range leaves {
				c.asked[i] = c.open
			}
		}
	}
	to := s.restoreSeries(r, was)
	if r.err == nil && (len(r.b) > 0 || !s.renumberOwners(to)) {
		r.fail()
	}
	if r.err != nil {
		return
	}
	if !was.same {
		s.recount()
	}
	s.relist()
}

// renumberOwners gives owners and nodes the present numbers of their series, and reports whether each has one.
func (s *Stream) renumberOwners(to []uint32) bool {
	ok := true
	renumber := func(series *uint32) {
		if *series == none {
			return
		}
		if ok = ok && int(*series) < len(to); ok {
			*series = to[*series]
		}
	}
	for _, c := range s.clusters {
		for _, m := range []map[name2]owner{c.sets, c.jobs} {
			for k, o := range m {
				renumber(&o.series)
				m[k] = o
			}
		}
		for k, n := range c.nodes {
			renumber(&n.series)
			c.nodes[k] = n
		}
	}
	return ok
}

func (s *Stream) restoreSender(r *stateReader) {
	n, _ := s.addSender(r.word(), r.word())
	n.major, n.replica, n.done = r.word(), r.word(), r.bool()
	for range r.count(17) {
		if len(n.early) >= decidedAt {
			r.fail()
			return
		}
		n.early = append(n.early, earlyVote{r.print(), r.word()})
	}
	for range r.count(3) {
		if len(n.votes) >= votesMax {
			r.fail()
			return
		}
		n.votes = append(n.votes, vote{r.word(), r.num(math.MaxInt32), r.bool()})
	}
	for _, c := range n.counters() {
		*c = r.int()
	}
	if r.version < 6 {
		for i := range n.recent { // as if its next window were its first
			n.recent[i] = arrivals{n.needed, n.late}
		}
		return
	}
	for i := range n.recent {
		n.recent[i] = arrivals{r.int(), r.int()}
	}
}

func (s *Stream) restoreCluster(r *stateReader) {
	name := r.word()
	if _, ok := s.clusterAt[name]; ok || name == "" {
		r.fail()
		return
	}
	c := s.clusters[s.makeCluster(name)]
	for _, t := range c.times() {
		*t = r.time()
	}
	if c.open%windowMs != 0 {
		r.fail()
		return
	}
	c.owners, c.nodesNew = r.bool(), r.bool()
	for i := range r.count(12) {
		var p pod
		for _, x := range [...]*string{&p.ns, &p.name, &p.node, &p.ownerKind, &p.ownerName, &p.work, &p.kind} {
			*x = c.table.Word(r.word())
		}
		p.owned, p.sure, p.held = r.bool(), r.bool(), r.bool()
		p.why, p.firstT, p.first = podWhy(r.num(int(whyCut))), r.time(), none
		if _, ok := c.podAt[p.name2]; ok {
			r.fail()
			return
		}
		c.nested = c.nested || p.ownerKind == "Pod"
		c.pods = append(c.pods, p)
		c.podAt[p.name2] = uint32(i)
		if p.held && p.why != whyCut {
			c.held = append(c.held, uint32(i))
		}
		c.workload(p.ns, p.work, p.kind).pods++
	}
	for range r.count(5) {
		w := c.workload(r.word(), r.word(), "")
		w.kind, w.known, w.lastT = r.word(), r.bool(), r.time()
	}
	for _, m := range []map[name2]owner{c.sets, c.jobs} {
		for range r.count(5) {
			k := name2{r.word(), r.word()}
			m[k] = owner{r.word(), r.word(), r.number()}
		}
	}
	for range r.count(4) {
		k := r.word()
		n := kubeNode{r.word(), r.number()}
		c.nodes[k] = n
		if r.bool() && n.ip != "" {
			c.ips[n.ip] = k
		}
	}
	for range r.count(3) {
		k := r.word()
		c.hosts[k] = &host{uname: r.word(), firstT: r.time()}
	}
	if r.version >= 2 {
		s.restoreChanges(r, c)
	} else {
		c.changes.began = c.open // an hour to learn in
	}
}

// restoreSignals puts back the signals whose rules still ask the same of the same kind of entity. The others are dropped: they
// would be absent for ever, or their baseline would be of something else.
func (s *Stream) restoreSignals(r *stateReader, was *ruleBook) {
	rules := map[string]uint32{}
	for i, x := range s.rules {
		rules[x.Name] = uint32(i)
	}
	for range r.count(5) {
		name, ci, entity := r.word(), r.num(math.MaxUint16), r.labels()
		members, at := r.num(math.MaxInt32), r.time()
		if r.err != nil || ci >= len(s.clusters) || entity.Get(labelCluster) != s.clusters[ci].name {
			r.fail()
			return
		}
		ri, ok := rules[name]
		if !ok || !was.keeps(ri) || !s.rules[ri].about(entity) {
			continue
		}
		asked := s.rules[ri].Of(entity)
		if asked == nil {
			continue
		}
		c := s.clusters[ci]
		id := MakeID(name, entity)
		if s.signalAt[id] != nil {
			r.fail()
			return
		}
		sig := s.addSignal(&Signal{ID: id, Rule: asked, Entity: entity}, ri, uint16(ci))
		m := &s.marks[sig.Index]
		m.members, m.at = int32(members), at
		c.order = append(c.order, sig.Index)
		c.fresh++
		c.rules[ri].signals[c.table.Intern(entity)] = sig.Index
	}
}

// about reports whether a form of the rule can be about an entity.
func (r *ruleForms) about(entity series.Labels) bool {
	for i := range r.forms {
		ok := true
		for _, l := range entity {
			ok = ok && slices.Contains(r.forms[i].plan.Labels, l.Name)
		}
		if ok {
			return true
		}
	}
	return false
}

// restoreSeries returns the present number of each series of the state, none for those that no rule needs any more.
func (s *Stream) restoreSeries(r *stateReader, was *ruleBook) (to []uint32) {
	n := r.count(40)
	to = make([]uint32, 0, n)
	sets := make([][]uint32, len(s.clusters))
	var groups, targets []uint32
	s.hot, s.cold = make([]tracked, 0, n), make([]cold, 0, n)
	for range n {
		id := uint32(len(s.hot))
		var h tracked
		d := cold{print: r.print(), metric: r.present(was.metrics)}
		h.cluster, d.sender = uint16(r.num(len(s.clusters)-1)), uint16(r.num(len(s.senders)-1))
		if r.err != nil || s.withPrint(d.print) != none {
			r.fail()
			return nil
		}
		c := s.clusters[h.cluster]
		set := &sets[h.cluster]
		d.own, d.member, d.place = r.set(set, c.table), r.set(set, c.table), r.set(set, c.table)
		if d.pod = r.number(); d.pod != none && int(d.pod) >= len(c.pods) || d.own == none || d.member == none || d.place == none {
			r.fail()
			return nil
		}
		d.podNext, d.watch, d.native = none, none, none
		h.replica = uint16(r.num(replicasMax))
		if r.version < 4 {
			h.flags = uint16(r.byte()) & (flagNative - 1)
		} else {
			h.flags = uint16(r.num(flagsAll))
		}
		h.kinds, h.ring = r.byte(), r.byte()
		h.lastT, h.lastV = r.time(), r.float()
		h.head, h.stepMs = uint32(min(r.time(), timeMax/windowMs)), uint32(r.num(math.MaxInt32))
		h.anchor = uint32(r.num(math.MaxUint32))
		empty := h.kinds == 0 && h.flags&flagNative == 0
		if h.kinds >= 1<<kinds || !empty && h.ring != shortRing && h.ring != longRing || empty != (h.flags&flagQuiet != 0) {
			r.fail()
			return nil
		}
		h.group = s.restoreGroup(r, &groups)
		if r.version < 4 && h.group != none { // of buckets only, under another name: resolve puts the series into that of its histogram
			h.replica, h.group = s.groups[h.group].replica, none
		}
		d.target = s.restoreTarget(r, &targets)
		d.binds = uint32(len(s.binds))
		for range r.count(3) {
			b := bind{series: id, leaf: r.present(was.leaves), static: r.set(set, c.table), ls: r.set(set, c.table)}
			if r.err != nil || b.static == none && b.ls != none {
				r.fail()
				return nil
			}
			if b.leaf == none {
				continue
			}
			lp := s.leaves[b.leaf]
			if lp.metric != d.metric || lp.kinds&^h.kinds != 0 || lp.ring > h.ring || d.nbinds == math.MaxUint16 {
				r.fail()
				return nil
			}
			s.binds = append(s.binds, b)
			d.nbinds++
		}
		if h.flags&flagWatch != 0 && !s.restoreWatcher(r, c, &d) {
			return
		}
		h.cells = uint32(len(s.cells))
		for range kindsOf(h.kinds) {
			s.cells = r.ring(s.cells, int(h.ring))
		}
		if h.flags&(flagNative|flagBucket) != 0 && h.group == none {
			r.fail()
		}
		if h.flags&flagNative != 0 && r.bool() && r.err == nil {
			d.native = uint32(len(s.natives))
			s.natives = append(s.natives, r.native(h.ring))
			s.buckets += s.natives[d.native].room()
		}
		if r.err != nil {
			return nil
		}
		if !was.same && !s.refit(&h, &d, was) {
			s.cells, s.binds = s.cells[:h.cells], s.binds[:d.binds]
			s.dropNative(&d)
			s.senders[d.sender].forget(c.own(&d))
			to = append(to, none)
			continue
		}
		to = append(to, id)
		s.hot = append(s.hot, h)
		s.cold = append(s.cold, d)
		s.index(id)
	}
	return to
}

func (s *Stream) restoreGroup(r *stateReader, known *[]uint32) uint32 {
	i, first := r.first(len(*known))
	if i == none || !first {
		if i != none {
			i = (*known)[i]
			s.groups[i].refs++
		}
		return i
	}
	p := r.print()
	if _, ok := s.groupAt[p]; ok {
		r.fail()
	}
	g := s.bucketSet(p, r.uint64())
	s.groups[g].firstT = r.time()
	s.groups[g].replica, s.groups[g].lastT = uint16(r.num(replicasMax)), r.time()
	s.groups[g].chain.restore(r)
	*known = append(*known, g)
	return g
}

func (s *Stream) restoreTarget(r *stateReader, known *[]uint32) uint32 {
	i, first := r.first(len(*known))
	if i == none || !first {
		if i != none {
			i = (*known)[i]
			s.targets[i].refs++
		}
		return i
	}
	k := r.uint64()
	if _, ok := s.targAt[k]; ok {
		r.fail()
	}
	t := uint32(len(s.targets))
	s.targets = append(s.targets, target{key: k, refs: 1, stepMs: uint32(r.num(math.MaxInt32)), firstT: r.time()})
	s.targAt[k] = t
	*known = append(*known, t)
	return t
}

// stateWriter writes the parts of a state.
type stateWriter struct {
	b     []byte
	words map[string]int
}

func (w *stateWriter) num(v int)   { w.b = binary.AppendUvarint(w.b, uint64(uint32(v))) }
func (w *stateWriter) int(v int64) { w.b = binary.AppendVarint(w.b, v) }
func (w *stateWriter) float(v float64) {
	w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(v))
}

func (w *stateWriter) bool(v bool) {
	if v {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

// word writes a string, or the number of one that was written before.
func (w *stateWriter) word(s string) {
	i, ok := w.words[s]
	if !ok {
		i = len(w.words)
		w.words[s] = i
	}
	w.num(i)
	if !ok {
		w.num(len(s))
		w.b = append(w.b, s...)
	}
}

func (w *stateWriter) labels(l series.Labels) {
	w.num(len(l))
	for _, x := range l {
		w.word(x.Name)
		w.word(x.Value)
	}
}

// setWriter numbers the label sets of one table by first use.
type setWriter struct {
	numbers []uint32 // table's id → number + 1
	used    int
}

// set writes a label set, or the number of one that was written before, or that there is none.
func (w *stateWriter) set(sw *setWriter, t *promql.Table, id uint32) {
	if id == none {
		w.num(0)
		return
	}
	if len(sw.numbers) < t.Len() {
		sw.numbers = append(sw.numbers, make([]uint32, t.Len()-len(sw.numbers))...)
	}
	if n := sw.numbers[id]; n != 0 {
		w.num(int(n))
		return
	}
	sw.used++
	sw.numbers[id] = uint32(sw.used)
	w.num(sw.used)
	w.labels(t.Labels(id))
}

// first writes the number of a thing by first use, 0 for none, and reports whether it is to be described now.
func (w *stateWriter) first(known map[uint32]int, i uint32) bool {
	if i == none {
		w.num(0)
		return false
	}
	n, ok := known[i]
	if !ok {
		n = len(known) + 1
		known[i] = n
	}
	w.num(n)
	return !ok
}

// ring writes which cells hold something, and those.
func (w *stateWriter) ring(cells []float64) {
	empty := math.Float64bits(math.NaN())
	var mask uint32
	for i, v := range cells {
		if math.Float64bits(v) != empty {
			mask |= 1 << i
		}
	}
	w.num(int(mask))
	for i, v := range cells {
		if mask&(1<<i) != 0 {
			w.float(v)
		}
	}
}

// stateReader reads the parts of a state. After the first fault it gives zeros and keeps the error.
type stateReader struct {
	b       []byte
	words   []string
	version int
	err     error
}

func (r *stateReader) fail() {
	if r.err == nil {
		r.err = ErrState
	}
	r.b = nil
}

func (r *stateReader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.fail()
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// num reads a number of at most limit.
func (r *stateReader) num(limit int) int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || limit < 0 || v > uint64(limit) {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

// count reads how many things of at least size bytes follow.
func (r *stateReader) count(size int) int { return r.num(len(r.b) / size) }

// number reads a number that was written plus one, none for 0.
func (r *stateReader) number() uint32 { return uint32(r.num(math.MaxUint32)) - 1 }

func (r *stateReader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// time reads a time, a count or a window.
func (r *stateReader) time() int64 {
	v := r.int()
	if v < 0 || v > timeMax {
		r.fail()
		v = 0
	}
	return v
}

func (r *stateReader) byte() byte {
	b := r.take(1)
	if b == nil {
		return 0
	}
	return b[0]
}

func (r *stateReader) bool() bool { return r.num(1) == 1 }

func (r *stateReader) uint64() uint64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

func (r *stateReader) float() float64 { return math.Float64frombits(r.uint64()) }

func (r *stateReader) print() (p print) {
	copy(p[:], r.take(len(p)))
	return p
}

func (r *stateReader) word() string {
	i := r.num(len(r.words))
	if r.err != nil {
		return ""
	}
	if i < len(r.words) {
		return r.words[i]
	}
	s := string(r.take(r.num(len(r.b))))
	r.words = append(r.words, s)
	return s
}

// labels reads a label set: sorted by name, without empty values.
func (r *stateReader) labels() series.Labels {
	n := r.count(2)
	if n > series.LabelsMax+8 {
		r.fail()
		return nil
	}
	l := make(series.Labels, 0, n)
	for range n {
		x := series.Label{Name: r.word(), Value: r.word()}
		if r.err != nil || x.Value == "" || len(l) > 0 && l[len(l)-1].Name >= x.Name {
			r.fail()
			return nil
		}
		l = append(l, x)
	}
	return l
}

func (r *stateReader) set(known *[]uint32, t *promql.Table) uint32 {
	i := r.num(len(*known) + 1)
	if r.err != nil || i == 0 {
		return none
	}
	if i <= len(*known) {
		return (*known)[i-1]
	}
	l := r.labels()
	if r.err != nil {
		return none
	}
	id := t.Intern(l)
	*known = append(*known, id)
	return id
}

// first reads the number of a thing, and whether its description follows.
func (r *stateReader) first(known int) (uint32, bool) {
	i := r.num(known + 1)
	if r.err != nil || i == 0 {
		return none, false
	}
	return uint32(i - 1), i == known+1
}

func (r *stateReader) ring(dst []float64, n int) []float64 {
	mask := r.num(1<<n - 1)
	for i := range n {
		v := math.NaN()
		if mask&(1<<i) != 0 {
			v = r.float()
		}
		dst = append(dst, v)
	}
	return dst
}
