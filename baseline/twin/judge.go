package twin

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// What makes two askers one.
const (
	enough    = 8.0 // bits of evidence that what both count is the same
	atOneDoor = 3.0 // … when they ask at one address and port
	atMost    = 12  // bits of one counter
	gaugeBits = 0.5 // of an equal gauge of one door
	looksMost = 6   // 2^looksMost windows between two looks at a pair of which nothing is known
	apartLog  = 2   // … after they were told apart, for the first time
	strikes   = 3   // windows in a row in which one must disagree to be two again
	hostMost  = 12  // askers of a host that are compared: those with the most series
	exactMost = 8   // series of a metric of which all pairs are tried
	windowMs  = 60_000
)

// host are the askers of one kind at one place.
type host struct {
	askers    []uint32
	contested []uint32 // series that more than one of a group tell, those of one thing one behind the other
	ends      []uint32 // … where each thing ends
	stale     bool     // contested is to be made anew
}

type pairKey struct{ a, b uint32 } // a < b

// pair is what is known of two askers.
type pair struct {
	one    bool   // they say the same
	offset uint64 // what b's sums have more than a's
	bad    uint8  // windows in a row in which they disagree
	looks  uint8  // that said nothing
	next   int64  // end of the window in which they are looked at again
}

// Choose says of the window of a cluster that ends at end which series are not to be counted, since others tell the same: it calls leave for them. read must know every series that
// Meet was called for, and name where an asker is, "" when nobody can say.
func (t *Table) Choose(cluster uint16, end int64, read Source, name func(At) string, leave func(id uint32)) {
	var list, firsts []uint32
	if len(t.contested) > 0 {
		firsts = slices.Sorted(maps.Keys(t.contested))
	}
	for _, first := range firsts {
		if t.askers[t.told[first].asker].Cluster != cluster {
			continue
		}
		list = list[:0]
		for id := first; id != none; id = t.told[id].next {
			list = append(list, id)
		}
		t.elect(list, end, read, leave)
	}
	t.rehost(name)
	for i := range t.hosts {
		h := &t.hosts[i]
		if t.askers[h.askers[0]].Cluster != cluster {
			continue
		}
		t.look(h, end, read)
		if h.stale {
			t.contest(h, read)
		}
		from := uint32(0)
		for _, to := range h.ends {
			t.elect(h.contested[from:to], end, read, leave)
			from = to
		}
	}
}

// elect lets one asker's series of a thing count: who is up to date, who knows most, who was first.
func (t *Table) elect(list []uint32, end int64, read Source, leave func(uint32)) {
	type candidate struct {
		asker uint32
		lag   int64
		known int
		first uint32
	}
	var all [4]candidate
	cands := all[:0]
	for _, id := range list {
		r := read(id)
		lag := max(end-r.LastT, 0)
		if !r.Live {
			lag = math.MaxInt64
		}
		c := candidate{t.told[id].asker, lag, r.Known, id}
		at := slices.IndexFunc(cands, func(x candidate) bool { return x.asker == c.asker })
		if at < 0 {
			cands = append(cands, c)
			continue
		}
		x := &cands[at]
		x.lag, x.known, x.first = min(x.lag, c.lag), max(x.known, c.known), min(x.first, id)
	}
	best := slices.MinFunc(cands, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.lag, b.lag), cmp.Compare(b.known, a.known), cmp.Compare(a.first, b.first))
	})
	for _, id := range list {
		if t.told[id].asker != best.asker {
			leave(id)
		}
	}
}

// rehost finds out which askers are at one place.
func (t *Table) rehost(name func(At) string) {
	if !t.stale {
		return
	}
	t.stale = false
	before := map[uint32]host{} // by the first asker
	for _, h := range t.hosts {
		before[h.askers[0]] = h
	}
	t.hosts = nil
	type place struct {
		At
		name string
	}
	alone, at := make(map[place]uint32, len(t.askers)), map[place][]uint32{} // most are alone at their place
	var order []place
	for i := range t.askers {
		a := &t.askers[i]
		if a.host = -1; a.kind == Object {
			continue
		}
		p := place{At{Cluster: a.Cluster, Machine: a.Machine}, name(a.At)}
		if p.name == "" {
			continue
		}
		first, known := alone[p]
		if !known {
			alone[p] = uint32(i)
			continue
		}
		if at[p] == nil {
			order = append(order, p)
			at[p] = append(at[p], first)
		}
		at[p] = append(at[p], uint32(i))
	}
	slices.SortFunc(order, func(x, y place) int { return cmp.Compare(at[x][0], at[y][0]) })
	for _, p := range order {
		l := at[p]
		if len(l) > hostMost {
			slices.SortStableFunc(l, func(a, b uint32) int { return cmp.Compare(t.askers[b].n, t.askers[a].n) })
			l = l[:hostMost]
			slices.Sort(l)
		}
		h := host{askers: l, stale: true}
		if was, ok := before[l[0]]; ok && slices.Equal(was.askers, l) {
			h = was
		}
		for _, a := range l {
			t.askers[a].host = len(t.hosts)
		}
		t.hosts = append(t.hosts, h)
	}
}

// look compares the askers of a host that are due.
func (t *Table) look(h *host, end int64, read Source) {
	var at map[uint32]*metrics // by asker
	for i, a := range h.askers {
		for _, b := range h.askers[i+1:] {
			k := pairKey{a, b}
			p := t.pairs[k]
			if p == nil && t.ofTwoPods(a, b) {
				continue
			}
			if p == nil {
				p = &pair{}
				t.pairs[k] = p
			}
			if end < p.next {
				continue
			}
			if at == nil {
				at = map[uint32]*metrics{}
			}
			for _, x := range [...]uint32{a, b} {
				if at[x] == nil {
					at[x] = t.byMetric(x, read)
				}
			}
			if was := *p; t.judge(p, k, at[a], at[b], end, read) || was.one != p.one || was.offset != p.offset {
				h.stale = true
			}
		}
	}
}

// ofTwoPods reports whether two askers are processes of pods of their own: whatever they show, that is two.
func (t *Table) ofTwoPods(a, b uint32) bool {
	x, y := &t.askers[a], &t.askers[b]
	return x.kind == Process && y.kind == Process && x.Pod != "" && y.Pod != "" && (x.Pod != y.Pod || x.Namespace != y.Namespace)
}

// metrics are the series of an asker.
type metrics struct {
	of    map[uint32][]uint32
	order []uint32
}

func (t *Table) byMetric(asker uint32, read Source) *metrics {
	m := &metrics{of: map[uint32][]uint32{}}
	for id := t.askers[asker].first; id != none; id = t.told[id].next {
		n := read(id).Metric
		if m.of[n] == nil {
			m.order = append(m.order, n)
		}
		m.of[n] = append(m.of[n], id)
	}
	slices.Sort(m.order)
	return m
}

// judge compares what two askers say in a window, and reports whether the answer has become another.
func (t *Table) judge(p *pair, k pairKey, a, b *metrics, end int64, read Source) bool {
	offset, ok := t.offset(a, b)
	if !ok {
		p.nothing(end)
		return false
	}
	bits, agree, differ := 0.0, 0, 0
	door := t.askers[k.a].port != "" && t.askers[k.a].port == t.askers[k.b].port
	for _, m := range a.order {
		for _, x := range t.matches(a.of[m], b.of[m], offset) {
			n, said := Compare(read(x[0]), read(x[1]), door)
			switch {
			case !said:
			case n < 0:
				differ++
			default:
				agree++
				bits += n
			}
		}
	}
	switch {
	case p.one && differ*10 > agree+differ:
		if p.bad++; p.bad < strikes {
			return false
		}
		*p = pair{}
		p.apart(end)
		return true
	case p.one:
		p.bad, p.offset = 0, offset
	case differ*20 > agree+differ:
		p.apart(end)
	case bits >= enough || door && bits >= atOneDoor:
		*p = pair{one: true, offset: offset}
		return true
	default:
		p.nothing(end)
	}
	return false
}

// nothing says that a look told nothing: the next one is later.
func (p *pair) nothing(end int64) {
	if p.one {
		return
	}
	p.next = end + windowMs<<p.looks
	p.looks = min(p.looks+1, looksMost)
}

// apart says that two are not one. That one of them has begun anew and the other has not been asked since looks alike, so it is not for ever.
func (p *pair) apart(end int64) {
	p.looks = max(p.looks, apartLog)
	p.nothing(end)
}

// Compare returns the evidence in bits that two series show the same, below 0 that they do not. said is false when that cannot be told: two gauges are read at different times. With gauges
// equal ones count, too.
func Compare(a, b Reading, gauges bool) (bits float64, said bool) {
	if !a.Counter || !b.Counter {
		if gauges && !a.Counter && !b.Counter && a.Live && b.Live && a.V == b.V && math.Abs(a.V) > 1 {
			return gaugeBits, true
		}
		return 0, false
	}
	most, d := max(a.Inc, b.Inc), math.Abs(a.V-b.V)-1e-9*math.Abs(a.V)
	switch {
	case d > most*(1+1e-9):
		return -1, true
	case most <= 0:
		return 0, false // both stand still, as many do
	}
	// They are read at different times, and in between they are taken to grow evenly. Where they do, this is within a step.
	if near := max(a.Step, b.Step); d <= near {
		most = near
	}
	return min(math.Log2(max(min(a.V, b.V)/most, 1)), atMost), true
}

// offset finds what the labels of one asker add to the sums of the other's: what most series of the metrics that both have agree on.
func (t *Table) offset(a, b *metrics) (uint64, bool) {
	votes := map[uint64]int{}
	best, most, common := uint64(0), 0, 0
	for m, la := range a.of {
		lb := b.of[m]
		if len(lb) == 0 {
			continue
		}
		n := min(len(la), len(lb))
		common += n
		if len(la) > exactMost || len(lb) > exactMost {
			continue
		}
		for _, x := range la {
			for _, y := range lb {
				votes[t.told[y].thing-t.told[x].thing]++
			}
		}
	}
	for d, n := range votes {
		if n > most || n == most && d < best {
			best, most = d, n
		}
	}
	if most == 0 {
		return 0, false
	}
	matched := 0
	for m, la := range a.of {
		matched += len(t.matches(la, b.of[m], best))
	}
	return best, matched*10 >= common*8
}

// matches returns the series of two askers, of one metric, that have the same labels but for who was asked.
func (t *Table) matches(a, b []uint32, offset uint64) (out [][2]uint32) {
	if len(a) == 1 && len(b) == 1 {
		if t.told[b[0]].thing-t.told[a[0]].thing == offset {
			out = append(out, [2]uint32{a[0], b[0]})
		}
		return out
	}
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	at := make(map[uint64]uint32, len(a))
	for _, x := range a {
		at[t.told[x].thing] = x
	}
	for _, y := range b {
		if x, ok := at[t.told[y].thing-offset]; ok {
			out = append(out, [2]uint32{x, y})
		}
	}
	return out
}

// contest finds the things that more than one asker of a group tells of.
func (t *Table) contest(h *host, read Source) {
	h.stale, h.contested, h.ends = false, h.contested[:0], h.ends[:0]
	root, offset := map[uint32]uint32{}, map[uint32]uint64{}
	for i, b := range h.askers {
		root[b], offset[b] = b, 0
		for _, a := range h.askers[:i] {
			if p := t.pairs[pairKey{a, b}]; p != nil && p.one {
				root[b], offset[b] = root[a], offset[a]+p.offset
				break
			}
		}
	}
	if !slices.ContainsFunc(h.askers, func(a uint32) bool { return root[a] != a }) {
		return
	}
	type thing struct {
		root, metric uint32
		sum          uint64
	}
	lists, askers := map[thing][]uint32{}, map[thing]uint32{}
	several := map[thing]bool{}
	for _, a := range h.askers {
		for id := t.askers[a].first; id != none; id = t.told[id].next {
			k := thing{root[a], read(id).Metric, t.told[id].thing - offset[a]}
			lists[k] = append(lists[k], id)
			if x, ok := askers[k]; ok && x != a {
				several[k] = true
			} else {
				askers[k] = a
			}
		}
	}
	keys := slices.SortedFunc(maps.Keys(several), func(x, y thing) int {
		return cmp.Or(cmp.Compare(x.root, y.root), cmp.Compare(x.metric, y.metric), cmp.Compare(x.sum, y.sum))
	})
	for _, k := range keys {
		h.contested = append(h.contested, lists[k]...)
		h.ends = append(h.ends, uint32(len(h.contested)))
	}
}
