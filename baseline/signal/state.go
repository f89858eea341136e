package signal

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

// ErrState is returned by RestoreState for bytes that AppendState did not make, or that were damaged since.
var ErrState = errors.New("stream state is damaged")

const (
	stateMagic   = "wlst"
	stateVersion = 7 // up to 6 the sections of rooms had no versions: 5 had no share of late samples, 4 no end of rollouts, 3 no native histograms, 2 no carrying over of rules, 1 no changes
)

// The state is what package codec writes. Label sets are written where they first occur and referred to by number afterwards. In order:
//
//	"wlst", version, signature of the rules (16 bytes), their metrics, leaves and expressions (carry.go)
//	clocks, counters, replica names
//	senders (sender_state.go)
//	clusters: their windows, the section of their book, the section of their tracker (cluster_state.go)
//	signals, what has arrived
//	tracked series with their rings (series_state.go)
//
// With other rules everything is kept that they still need: identities, names, the signals of rules that have an expression in common
// with what they were, and the rings of series in leaves that are still asked. So an unchanged signal loses no window. Leaves that
// are new take a series once it has shown its labels again, with its next sample.

// stateReader reads a state of some version.
type stateReader struct {
	*codec.Reader
	version int
}

// sectioned reports whether the sections of rooms say their version.
func (r *stateReader) sectioned() bool { return r.version >= 7 }

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

// stateCounters lists the counters that are part of the state, in the order of counted.
func (st *Stream) stateCounters() []*int64 {
	s, c := &st.stats, st.changeCounts
	return []*int64{&s.Samples, &s.Needed, &s.Ignored, &s.Duplicate, &s.Late, &s.OutOfOrder, &s.Replica, &s.Future, &s.Refused, &s.Stale,
		&s.Unusable, &s.Histograms, &s.Resets, &s.Takeovers, &s.BadSeries, &s.OverSeries, &s.Incomplete, &s.FewEvents, &s.OverSignals,
		&s.Evicted, &s.Disabled, &s.Retired, &c.Told, &c.Held, &c.Over, &s.HistogramsUnused, &s.Conflicts, &s.Undefined}
}

// AppendState appends the stream's complete state to dst. A stream with the same options that restores it gives the same
// windows from then on, to the bit.
func (s *Stream) AppendState(dst []byte) []byte {
	w := &codec.Writer{B: append(dst, stateMagic...)}
	w.Num(stateVersion)
	sig := s.signature()
	w.Bytes(sig[:])
	s.appendRules(w)
	w.Int(s.nowMs)
	w.Int(s.eventMs)
	w.Num(len(s.counters))
	for _, c := range s.counters {
		w.Int(*c)
	}
	w.Num(len(s.replicas) - 1)
	for _, r := range s.replicas[1:] {
		w.Word(r)
	}
	w.Num(len(s.senders))
	for _, n := range s.senders {
		n.append(w)
	}
	w.Num(len(s.clusters))
	for _, c := range s.clusters {
		c.append(w)
	}
	w.Num(len(s.signalAt))
	for sig := range s.InOrder {
		m := &s.marks[sig.Index]
		w.Word(sig.Rule.Name)
		w.Num(int(m.cluster))
		w.Labels(sig.Entity)
		w.Num(int(m.members))
		w.Int(m.at)
	}
	for _, c := range s.clusters {
		for i := range c.rules {
			w.Int(int64(c.rules[i].form))
			w.Num(c.rules[i].series)
		}
		for _, t := range c.arrived {
			w.Int(t)
		}
		for _, t := range c.asked {
			w.Int(t)
		}
	}
	s.appendSeries(w)
	return w.B
}

// appendSeries writes the tracked series, in order of registration.
func (s *Stream) appendSeries(w *codec.Writer) {
	w.Num(len(s.hot))
	sets := make([]setWriter, len(s.clusters))
	groups, targets := map[uint32]int{}, map[uint32]int{}
	for id := range s.hot {
		h, d := &s.hot[id], &s.cold[id]
		c := s.clusters[h.cluster]
		set := &sets[h.cluster]
		w.Bytes(d.print[:])
		w.Num(int(d.metric))
		w.Num(int(h.cluster))
		w.Num(int(d.sender))
		set.write(w, c.table, d.own)
		set.write(w, c.table, d.member)
		set.write(w, c.table, d.place)
		w.Num(int(d.pod + 1)) // none + 1 is 0
		w.Num(int(h.replica))
		w.Num(int(h.flags))
		w.Byte(h.kinds)
		w.Byte(h.ring)
		w.Int(h.lastT)
		w.Float(h.lastV)
		w.Int(int64(h.head))
		w.Num(int(h.stepMs))
		w.Num(int(h.anchor))
		if w.Numbered(groups, h.group) {
			s.groups[h.group].append(w)
		}
		if w.Numbered(targets, d.target) {
			g := &s.targets[d.target]
			w.Uint64(g.key)
			w.Num(int(g.stepMs))
			w.Int(g.firstT)
		}
		w.Num(int(d.nbinds))
		for i := d.binds; i < d.binds+uint32(d.nbinds); i++ {
			b := &s.binds[i]
			w.Num(int(b.leaf))
			set.write(w, c.table, b.static)
			set.write(w, c.table, b.ls)
		}
		if d.watch != none {
			s.words[d.watch].Append(w)
		}
		for k := h.kinds; k != 0; k &= k - 1 {
			appendRing(w, s.ring(h, k&-k))
		}
		if h.flags&flagNative != 0 {
			w.Bool(d.native != none)
			if d.native != none {
				s.natives[d.native].append(w)
			}
		}
	}
}

func (g *bucketSet) append(w *codec.Writer) {
	w.Bytes(g.print[:])
	w.Uint64(g.kin)
	w.Int(g.firstT)
	w.Num(int(g.replica))
	w.Int(g.lastT)
	g.chain.append(w)
}

func (n *sender) append(w *codec.Writer) {
	w.Word(n.name)
	w.Word(n.fixed)
	w.Word(n.major)
	w.Word(n.replica)
	w.Bool(n.done)
	w.Num(len(n.early))
	for _, v := range n.early {
		w.Bytes(v.print[:])
		w.Word(v.own)
	}
	w.Num(len(n.votes))
	for _, v := range n.votes {
		w.Word(v.own)
		w.Num(v.n)
		w.Bool(v.real)
	}
	for _, c := range n.counters() {
		w.Int(*c)
	}
	for _, a := range n.recent {
		w.Int(a.needed)
		w.Int(a.late)
	}
}

func (n *sender) counters() []*int64 {
	return []*int64{&n.samples, &n.needed, &n.accepted, &n.duplicate, &n.late, &n.rejected, &n.firstMs, &n.lastMs, &n.lastT}
}

func (c *cluster) times() []*int64 {
	out := []*int64{&c.open, &c.born, &c.newest, &c.sweepAt, &c.windows, &c.early, &c.grace}
	for i := range c.passed {
		out = append(out, &c.passed[i])
	}
	return out
}

func (c *cluster) append(w *codec.Writer) {
	w.Word(c.name)
	for _, t := range c.times() {
		w.Int(*t)
	}
	c.book.Append(w)
	c.changes.Append(w)
}

// RestoreState makes the stream what it was when AppendState made b, also when its rules have changed since (see above). Whatever
// the stream held before is dropped. It returns ErrState, and leaves the stream as it was, when b is not the work of AppendState.
func (s *Stream) RestoreState(b []byte) error {
	if len(b) < len(stateMagic) || string(b[:len(stateMagic)]) != stateMagic {
		return ErrState
	}
	fresh := &Stream{opts: s.opts, closed: s.closed, rules: s.rules, leaves: s.leaves, metrics: s.metrics, byName: s.byName, input: s.input}
	fresh.clear()
	r := &stateReader{Reader: codec.NewReader(b[len(stateMagic):], ErrState)}
	if r.version = r.Num(math.MaxInt32); r.Err() == nil && (r.version < 1 || r.version > stateVersion) {
		return fmt.Errorf("%w: version %d is not known, this program writes %d", ErrState, r.version, stateVersion)
	}
	fresh.restore(r)
	if r.Err() != nil {
		return r.Err()
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
	same := readPrint(r) == s.signature()
	was := s.readRules(r)
	if r.Err() != nil || same && !was.all(s) {
		r.Fail()
		return
	}
	was.same = same && r.version == stateVersion
	s.nowMs, s.eventMs = r.Time(), r.Time()
	for i := range r.Count(1) {
		if v := r.Int(); i < len(s.counters) {
			*s.counters[i] = v
		}
	}
	for range r.Count(1) {
		if len(s.replicas) >= replicasMax {
			r.Fail()
			return
		}
		name := r.Word()
		s.replicaAt[name] = uint16(len(s.replicas))
		s.replicas = append(s.replicas, name)
	}
	for range r.Count(10) {
		if len(s.senders) >= math.MaxUint16 {
			r.Fail()
			return
		}
		s.restoreSender(r)
	}
	for range r.Count(20) {
		if len(s.clusters) >= ClustersMax {
			r.Fail()
			return
		}
		s.restoreCluster(r)
		if r.Err() != nil {
			return
		}
	}
	s.restoreSignals(r, was)
	if r.Err() != nil {
		return
	}
	for _, c := range s.clusters {
		for _, i := range was.rules {
			form, n := r.Int(), r.Num(math.MaxInt32)
			if i == none {
				continue
			}
			c.rules[i].form, c.rules[i].series = int(form), n
			if form < -1 || form >= int64(len(s.rules[i].forms)) {
				if was.same {
					r.Fail()
					return
				}
				c.rules[i].form = -1 // decided anew when the next window closes
			}
		}
		for _, i := range was.metrics {
			if t := r.Time(); i != none {
				c.arrived[i] = t
			}
		}
		for _, i := range was.leaves {
			if t := r.Time(); i != none {
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
	if r.Err() == nil && (r.Left() > 0 || !s.renumber(to)) {
		r.Fail()
	}
	if r.Err() != nil {
		return
	}
	if !was.same {
		s.recount()
	}
	s.relist()
}

// renumber gives the books the present numbers of the series, and reports whether each has one.
func (s *Stream) renumber(to []uint32) bool {
	ok := true
	for _, c := range s.clusters {
		ok = c.book.Renumber(to) && ok
	}
	return ok
}

func (s *Stream) restoreSender(r *stateReader) {
	n, _ := s.addSender(r.Word(), r.Word())
	n.major, n.replica, n.done = r.Word(), r.Word(), r.Bool()
	for range r.Count(17) {
		if len(n.early) >= decidedAt {
			r.Fail()
			return
		}
		n.early = append(n.early, earlyVote{readPrint(r), r.Word()})
	}
	for range r.Count(3) {
		if len(n.votes) >= votesMax {
			r.Fail()
			return
		}
		n.votes = append(n.votes, vote{r.Word(), r.Num(math.MaxInt32), r.Bool()})
	}
	for _, c := range n.counters() {
		*c = r.Int()
	}
	if r.version < 6 {
		for i := range n.recent { // as if its next window were its first
			n.recent[i] = arrivals{n.needed, n.late}
		}
		return
	}
	for i := range n.recent {
		n.recent[i] = arrivals{r.Int(), r.Int()}
	}
}

func (s *Stream) restoreCluster(r *stateReader) {
	name := r.Word()
	if _, ok := s.clusterAt[name]; ok || name == "" {
		r.Fail()
		return
	}
	c := s.clusters[s.makeCluster(name)]
	times := c.times()
	var hostsAt int64
	if !r.sectioned() { // it was among the times
		times = slices.Insert(times, len(times)-len(c.passed), &hostsAt)
	}
	for _, t := range times {
		*t = r.Time()
	}
	if c.open%windowMs != 0 {
		r.Fail()
		return
	}
	c.tick()
	switch {
	case r.sectioned():
		c.book.Restore(r.Reader)
		c.changes.Restore(r.Reader)
		return
	case r.version >= 5:
		c.book.RestoreUnversioned(r.Reader, hostsAt)
		c.changes.RestoreVersion(r.Reader, 2)
	case r.version >= 2:
		c.book.RestoreUnversioned(r.Reader, hostsAt)
		c.changes.RestoreVersion(r.Reader, 1)
	default:
		c.book.RestoreUnversioned(r.Reader, hostsAt) // and an hour to learn changes in
	}
}

// restoreSignals puts back the signals whose rules still ask the same of the same kind of entity. The others are dropped: they
// would be absent for ever, or their baseline would be of something else.
func (s *Stream) restoreSignals(r *stateReader, was *ruleBook) {
	rules := map[string]uint32{}
	for i, x := range s.rules {
		rules[x.Name] = uint32(i)
	}
	for range r.Count(5) {
		name, ci, entity := r.Word(), r.Num(math.MaxUint16), r.Labels(labelsMost)
		members, at := r.Num(math.MaxInt32), r.Time()
		if r.Err() != nil || ci >= len(s.clusters) || entity.Get(identity.LabelCluster) != s.clusters[ci].name {
			r.Fail()
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
			r.Fail()
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
	n := r.Count(40)
	to = make([]uint32, 0, n)
	sets := make([][]uint32, len(s.clusters))
	var groups, targets []uint32
	s.hot, s.cold = make([]tracked, 0, n), make([]cold, 0, n)
	for range n {
		id := uint32(len(s.hot))
		var h tracked
		d := cold{print: readPrint(r), metric: r.present(was.metrics)}
		h.cluster, d.sender = uint16(r.Num(len(s.clusters)-1)), uint16(r.Num(len(s.senders)-1))
		if r.Err() != nil || s.withPrint(d.print) != none {
			r.Fail()
			return nil
		}
		c := s.clusters[h.cluster]
		set := &sets[h.cluster]
		d.own, d.member, d.place = r.set(set, c.table), r.set(set, c.table), r.set(set, c.table)
		if d.pod = r.Number(); d.pod != none && int(d.pod) >= c.book.Pods() || d.own == none || d.member == none || d.place == none {
			r.Fail()
			return nil
		}
		d.podNext, d.watch, d.native = none, none, none
		h.replica = uint16(r.Num(replicasMax))
		if r.version < 4 {
			h.flags = uint16(r.Byte()) & (flagNative - 1)
		} else {
			h.flags = uint16(r.Num(flagsAll))
		}
		h.kinds, h.ring = r.Byte(), r.Byte()
		h.lastT, h.lastV = r.Time(), r.Float()
		h.head, h.stepMs = uint32(min(r.Time(), codec.TimeMax/windowMs)), uint32(r.Num(math.MaxInt32))
		h.anchor = uint32(r.Num(math.MaxUint32))
		empty := h.kinds == 0 && h.flags&flagNative == 0
		if h.kinds >= 1<<kinds || !empty && h.ring != shortRing && h.ring != longRing || empty != (h.flags&flagQuiet != 0) {
			r.Fail()
			return nil
		}
		h.group = s.restoreGroup(r, &groups)
		if r.version < 4 && h.group != none { // of buckets only, under another name: resolve puts the series into that of its histogram
			h.replica, h.group = s.groups[h.group].replica, none
		}
		d.target = s.restoreTarget(r, &targets)
		d.binds = uint32(len(s.binds))
		for range r.Count(3) {
			b := bind{series: id, leaf: r.present(was.leaves), static: r.set(set, c.table), ls: r.set(set, c.table)}
			if r.Err() != nil || b.static == none && b.ls != none {
				r.Fail()
				return nil
			}
			if b.leaf == none {
				continue
			}
			lp := s.leaves[b.leaf]
			if lp.metric != d.metric || lp.kinds&^h.kinds != 0 || lp.ring > h.ring || d.nbinds == math.MaxUint16 {
				r.Fail()
				return nil
			}
			s.binds = append(s.binds, b)
			d.nbinds++
		}
		if h.flags&flagWatch != 0 {
			if d.metric == none { // a metric that nobody asks for is not watched either
				r.Fail()
				return nil
			}
			d.watch = uint32(len(s.words))
			s.words = append(s.words, c.changes.RestoreWord(r.Reader, s.metrics[d.metric].watch, d.pod))
		}
		h.cells = uint32(len(s.cells))
		for range kindsOf(h.kinds) {
			s.cells = r.ring(s.cells, int(h.ring))
		}
		if h.flags&(flagNative|flagBucket) != 0 && h.group == none {
			r.Fail()
		}
		if h.flags&flagNative != 0 && r.Bool() && r.Err() == nil {
			d.native = uint32(len(s.natives))
			s.natives = append(s.natives, r.native(h.ring))
			s.buckets += s.natives[d.native].room()
		}
		if r.Err() != nil {
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
	i, first := r.Numbered(len(*known))
	if i == none || !first {
		if i != none {
			i = (*known)[i]
			s.groups[i].refs++
		}
		return i
	}
	p := readPrint(r)
	if _, ok := s.groupAt[p]; ok {
		r.Fail()
	}
	g := s.bucketSet(p, r.Uint64())
	s.groups[g].firstT = r.Time()
	s.groups[g].replica, s.groups[g].lastT = uint16(r.Num(replicasMax)), r.Time()
	s.groups[g].chain.restore(r)
	*known = append(*known, g)
	return g
}

func (s *Stream) restoreTarget(r *stateReader, known *[]uint32) uint32 {
	i, first := r.Numbered(len(*known))
	if i == none || !first {
		if i != none {
			i = (*known)[i]
			s.targets[i].refs++
		}
		return i
	}
	k := r.Uint64()
	if _, ok := s.targAt[k]; ok {
		r.Fail()
	}
	t := uint32(len(s.targets))
	s.targets = append(s.targets, target{key: k, refs: 1, stepMs: uint32(r.Num(math.MaxInt32)), firstT: r.Time()})
	s.targAt[k] = t
	*known = append(*known, t)
	return t
}

// setWriter numbers the label sets of one table by first use.
type setWriter struct {
	numbers []uint32 // table's id → number + 1
	used    int
}

// write writes a label set, or the number of one that was written before, or that there is none.
func (sw *setWriter) write(w *codec.Writer, t *promql.Table, id uint32) {
	if id == none {
		w.Num(0)
		return
	}
	if len(sw.numbers) < t.Len() {
		sw.numbers = append(sw.numbers, make([]uint32, t.Len()-len(sw.numbers))...)
	}
	if n := sw.numbers[id]; n != 0 {
		w.Num(int(n))
		return
	}
	sw.used++
	sw.numbers[id] = uint32(sw.used)
	w.Num(sw.used)
	w.Labels(t.Labels(id))
}

// appendRing writes which cells hold something, and those.
func appendRing(w *codec.Writer, cells []float64) {
	empty := math.Float64bits(math.NaN())
	var mask uint32
	for i, v := range cells {
		if math.Float64bits(v) != empty {
			mask |= 1 << i
		}
	}
	w.Num(int(mask))
	for i, v := range cells {
		if mask&(1<<i) != 0 {
			w.Float(v)
		}
	}
}

// labelsMost is how many labels a set may have, virtual ones among them.
const labelsMost = series.LabelsMax + 8

// readPrint reads a print.
func readPrint(r *stateReader) (p print) {
	copy(p[:], r.Take(len(p)))
	return p
}

// set reads what setWriter.write wrote.
func (r *stateReader) set(known *[]uint32, t *promql.Table) uint32 {
	i := r.Num(len(*known) + 1)
	if r.Err() != nil || i == 0 {
		return none
	}
	if i <= len(*known) {
		return (*known)[i-1]
	}
	l := r.Labels(labelsMost)
	if r.Err() != nil {
		return none
	}
	id := t.Intern(l)
	*known = append(*known, id)
	return id
}

// ring reads what appendRing wrote, and appends it to dst.
func (r *stateReader) ring(dst []float64, n int) []float64 {
	mask := r.Num(1<<n - 1)
	for i := range n {
		v := math.NaN()
		if mask&(1<<i) != 0 {
			v = r.Float()
		}
		dst = append(dst, v)
	}
	return dst
}
