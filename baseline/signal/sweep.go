package signal

import (
	"slices"

	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/replica"
	"github.com/wrackline/wrackline/baseline/sender"
	"github.com/wrackline/wrackline/baseline/spelling"
)

// sweep forgets series that have been idle for an hour of their cluster's time, and those that belong to another
// cluster now (Drop): they are learned anew with their next sample. What stays keeps its order and closes ranks, so that the numbers of series
// are always in order of registration and the state of a stream does not depend on what has been forgotten.
func (s *Stream) sweep() {
	s.opts.Changing()
	due := make([]int64, len(s.clusters)) // samples up to it are too old; 0 = none are
	for i, c := range s.clusters {
		if c.open != 0 && c.open >= c.sweepAt {
			c.sweepAt = c.open + sweepMs
			due[i] = c.open - idleMs
		}
		if c.newest != 0 && c.newest < s.eventMs-idleMs { // time has passed elsewhere
			due[i] = s.eventMs - idleMs
		}
	}

	gone := s.halves.Gone()
	lives := make([]bool, s.targets.Len()) // targets of which something is still heard
	for id := range s.hot {
		if h, t := &s.hot[id], s.cold[id].target; t != none && h.lastT > due[h.cluster] {
			lives[t] = true
		}
	}
	to := make([]uint32, len(s.hot)) // new numbers
	kept := uint32(0)
	for id := range s.hot {
		h, d := &s.hot[id], &s.cold[id]
		c := s.clusters[h.cluster]
		limit := due[h.cluster]
		if limit != 0 && d.target != none && lives[d.target] && len(s.hot) < s.limits.Most().Tracked/2 {
			limit -= missedMs - idleMs // or it would be taken for new when it is back
		}
		dead := gone[uint32(id)] || s.giving.series[uint32(id)] || c.undo || h.lastT <= limit && limit != 0 ||
			d.nbinds == 0 && !s.metrics[d.metric].speaks() || // nobody needs it any more
			s.opts.Cluster != "" && c.name != s.opts.Cluster // of a state that was of several clusters
		if owns := s.drops[d.sender]; owns != nil {
			dead = dead || slices.Contains(owns, c.own(d))
		}
		if !dead {
			to[id] = kept
			kept++
			continue
		}
		to[id] = none
		if !s.giving.series[uint32(id)] {
			s.stats.Evicted++
		}
		s.dropNative(d)
		if h.group != none {
			if g := &s.groups[h.group]; g.refs > 1 {
				g.refs--
			} else {
				s.dropGroup(h.group)
			}
		}
		if d.target != none {
			s.targets.Release(d.target)
		}
	}
	if int(kept) < len(s.hot) {
		s.closeRanks(to, kept)
		s.twins.Keep(to)
		s.halves.Keep(to)
	}
	s.sweepKeys(to)
	s.sweepReplicas()
	s.sweepSenders()
	s.retire()
	for i, c := range s.clusters {
		if due[i] != 0 || int(kept) < len(to) {
			c.sweep(s, to)
		}
	}
	s.weigh()
}

// dropGroup forgets a bucket set and gives its number free.
func (s *Stream) dropGroup(i uint32) {
	delete(s.groupAt, s.groups[i].print)
	s.groups[i] = bucketSet{}
	s.groupNo = append(s.groupNo, i)
}

// own returns a series' own cluster label.
func (c *cluster) own(d *cold) string {
	if l := c.table.Labels(d.own); len(l) > 0 {
		return l[0].Value
	}
	return ""
}

// closeRanks moves the series that stay to their new numbers.
func (s *Stream) closeRanks(to []uint32, kept uint32) {
	var cells, binds, words uint32
	from := s.cells
	if s.moved {
		from, s.moved = slices.Clone(s.cells), false
	}
	for id := range s.hot {
		if to[id] == none {
			continue
		}
		h, d := s.hot[id], s.cold[id]
		n := uint32(kindsOf(h.kinds)) * uint32(h.ring)
		copy(s.cells[cells:cells+n], from[h.cells:h.cells+n])
		h.cells = cells
		cells += n
		copy(s.binds[binds:], s.binds[d.binds:d.binds+uint32(d.nbinds)])
		d.binds = binds
		for range d.nbinds {
			s.binds[binds].series = to[id]
			binds++
		}
		if d.watch != none { // in the order of series, so that nothing is overwritten before it has moved
			s.words[words] = s.words[d.watch]
			d.watch = words
			words++
		}
		s.hot[to[id]], s.cold[to[id]] = h, d
	}
	s.hot, s.cold, s.cells, s.binds = s.hot[:kept], s.cold[:kept], s.cells[:cells], s.binds[:binds]
	clear(s.words[words:])
	s.words = s.words[:words]
	s.relist()
	s.prints.Fill(len(s.cold), s.printHash)
}

// relist makes the clusters' lists of series anew.
func (s *Stream) relist() {
	for _, c := range s.clusters {
		c.series = c.series[:0]
		for i := range c.lists {
			c.lists[i] = c.lists[i][:0]
		}
		c.live, c.past, c.mixed = 0, 0, false
		for i := range c.podHead {
			c.podHead[i] = none
		}
	}
	for i := range s.groups {
		s.groups[i].native = none
	}
	for id := range s.hot {
		h, d := &s.hot[id], &s.cold[id]
		c := s.clusters[h.cluster]
		c.series = append(c.series, uint32(id))
		if d.native != none {
			s.groups[h.group].native = uint32(id)
		}
		for i := d.binds; i < d.binds+uint32(d.nbinds); i++ {
			if b := &s.binds[i]; b.static != none {
				c.lists[b.leaf] = append(c.lists[b.leaf], i)
			}
		}
		if h.flags&flagLive != 0 {
			c.live++
		}
		if h.flags&flagPast != 0 {
			c.past++
		}
		if d.pod != none {
			c.link(d, uint32(id))
		}
	}
}

// sweepKeys forgets the keys of forgotten series and those that no sender has used for an hour.
func (s *Stream) sweepKeys(to []uint32) {
	epoch := byte(s.eventMs / sweepMs)
	stay := make([]int, len(s.senders.List)) // keys that nobody needs, while some are given up: those that came last
	for i, cut := range s.giving.unneeded {
		stay[i] = s.senders.List[i].Held.Unneeded - cut
	}
	s.keys.Keep(func(k *spelling.Key) bool {
		if k.Series != none {
			if k.Series = to[k.Series]; k.Series == none {
				return false
			}
		}
		if epoch-k.Seen > idleMs/sweepMs {
			s.unspelt++
			return false
		}
		if s.giving.unneeded != nil && k.Series == none && k.Sender != noSender {
			if stay[k.Sender]--; stay[k.Sender] < 0 {
				return false
			}
		}
		return true
	})
	for _, n := range s.senders.List {
		n.First = none
	}
}

// sweepReplicas forgets the names of replicas that nothing refers to any more.
func (s *Stream) sweepReplicas() {
	used := make([]bool, replica.NamesMost+1)
	for i := range s.keys.List {
		used[s.keys.List[i].Replica] = true
	}
	for i := range s.hot {
		used[s.hot[i].replica] = true
	}
	for i := range s.groups {
		used[s.groups[i].replica] = true
	}
	s.names.Keep(used)
}

// sweepSenders forgets the senders of which nothing has come for as long as signals are kept. The others keep their order.
func (s *Stream) sweepSenders() {
	used := make([]bool, len(s.senders.List))
	for i := range s.cold {
		used[s.cold[i].sender] = true
	}
	s.keepSenders(func(i int, n *sender.Sender) bool { return used[i] || n.LastMs >= s.nowMs-s.opts.RetireMs })
}

// keepSenders drops the senders that are not to be kept, which must have no series.
func (s *Stream) keepSenders(ok func(i int, n *sender.Sender) bool) {
	was := s.senders.List
	s.reassign(was, s.senders.Keep(ok))
}

// reassign gives what belongs to senders their new numbers; nil = nothing has changed. was are they as they were.
func (s *Stream) reassign(was []*sender.Sender, to []uint16) {
	if to == nil {
		return
	}
	s.halves.KeepSenders(func(i int) int { return slices.Index(s.senders.List, was[i]) })
	for i := range s.cold {
		s.cold[i].sender = to[s.cold[i].sender]
	}
	for i := range s.keys.List {
		s.keys.List[i].Sender = sender.Renamed(to, s.keys.List[i].Sender)
	}
	for i := range s.marks {
		s.marks[i].sender = sender.Renamed(to, s.marks[i].sender)
	}
}

// sweep forgets the pods, owners, nodes, workloads and objects whose series are gone, and sheds the labels that nobody uses.
func (c *cluster) sweep(s *Stream, to []uint32) {
	pods := c.book.Sweep(to,
		func(pod uint32) bool { return int(pod) < len(c.podHead) && c.podHead[pod] != none },
		func(mark func(string)) {
			for _, id := range c.series {
				if s.hot[id].flags&flagPlaced != 0 {
					mark(c.table.Labels(s.cold[id].place).Get("instance"))
				}
			}
		})
	c.renumber(to)
	objects := c.changes.Sweep()
	if pods != nil {
		head := make([]uint32, c.book.Pods())
		for p, id := range c.podHead {
			if pods[p] != none {
				head[pods[p]] = id
			}
		}
		c.podHead = head
	}
	for _, id := range c.series {
		d := &s.cold[id]
		if pods != nil && d.pod != none {
			d.pod = pods[d.pod]
		}
		if objects != nil && d.watch != none {
			s.words[d.watch].Renumber(objects)
		}
	}
	if c.table.Len() > 2*c.tidyN+4096 {
		c.newTable(s)
	}
}

// newTable makes the label table anew, with the labels of what is alive.
func (c *cluster) newTable(s *Stream) {
	old := c.table
	c.table = promql.NewTable()
	move := func(id *uint32) {
		if *id != none {
			*id = c.table.Intern(old.Labels(*id))
		}
	}
	for _, id := range c.series {
		d := &s.cold[id]
		move(&d.own)
		move(&d.member)
		move(&d.place)
		for i := d.binds; i < d.binds+uint32(d.nbinds); i++ {
			move(&s.binds[i].static)
			move(&s.binds[i].ls)
		}
	}
	for i := range c.rules {
		clear(c.rules[i].signals)
	}
	for _, i := range c.order {
		c.rules[s.marks[i].rule].signals[c.table.Intern(s.signals[i].Entity)] = i
	}
	c.book.Reword(c.table.Word)
	c.changes.Reword(c.table.Word)
	c.tidyN = c.table.Len()
}
