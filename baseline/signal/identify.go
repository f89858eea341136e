package signal

import (
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/series"
)

// Where the stream and the book of identities meet: a new series tells the book what it says, and the book tells in which labels its values count.

// one returns the label set of one label; 0, the empty set, when value is empty.
func (c *cluster) one(name, value string) uint32 {
	if value == "" {
		return 0
	}
	l := [1]series.Label{{Name: name, Value: value}}
	return c.table.Intern(l[:])
}

// static returns the labels that a leaf keeps of a series, without those that may change.
func (c *cluster) static(lp *leafPlan, v *identity.View) uint32 {
	l := c.scratch[:0]
	for _, name := range lp.keep {
		if x := v.Get(name); x != "" {
			l = append(l, series.Label{Name: name, Value: x})
		}
	}
	c.scratch = l
	return c.table.Intern(l)
}

// identify says whose a new series is, reads what it says of identity, and gives it its place in the leaves.
func (c *cluster) identify(s *Stream, id uint32, m *metric, v *identity.View) {
	d := &s.cold[id]
	mem := v.MemberOf(m.name)
	d.member = c.one(mem.Name, mem.Value)
	if ns, p := v.PodOf(m.name); p != "" {
		d.pod = c.book.Pod(ns, p)
		c.link(d, id)
		if m.net {
			c.book.OnInterface(d.pod, v.Labels.Get("interface"))
		}
	}
	c.placeOf(s, id, m, v)
	if m.watch.Watched() {
		if w, ok := c.changes.Watch(m.watch, v, d.pod); ok {
			d.watch = uint32(len(s.words))
			s.words = append(s.words, w)
			s.hot[id].flags |= flagWatch
		}
	}
	c.book.Learn(m.fact, v, d.pod, id)
	c.follow(s)
	c.project(s, id)
}

// link puts a series at the head of the list of its pod.
func (c *cluster) link(d *cold, id uint32) {
	for int(d.pod) >= len(c.podHead) {
		c.podHead = append(c.podHead, none)
	}
	d.podNext = c.podHead[d.pod]
	c.podHead[d.pod] = id
}

// placeOf keeps what the identity of a series is derived from when that is not its pod.
func (c *cluster) placeOf(s *Stream, id uint32, m *metric, v *identity.View) {
	d := &s.cold[id]
	dynamic := m.fact.NeedsPlace()
	for _, b := range s.binds[d.binds : d.binds+uint32(d.nbinds)] {
		dynamic = dynamic || s.leaves[b.leaf].isDynamic()
	}
	if !dynamic {
		return
	}
	place, hosted := c.book.Place(m.fact, m.name, v, d.pod != none, c.scratch[:0])
	if hosted {
		s.hot[id].flags |= flagPlaced
	}
	d.place = c.table.Intern(place)
	c.scratch = place
}

// follow gives the series of pods of which the book has another answer than before their labels anew.
func (c *cluster) follow(s *Stream) {
	for _, p := range c.book.Moved() {
		s.twins.Rehost()
		if int(p) >= len(c.podHead) {
			continue // it has no series yet
		}
		for id := c.podHead[p]; id != none; id = s.cold[id].podNext {
			s.touch(id)
			d := &s.cold[id]
			if d.watch != none {
				s.words[d.watch].Moved(s.metrics[d.metric].watch)
			}
			c.project(s, id)
		}
	}
}

// project gives a series its place in its leaves: which take it, and with which labels. The series must have been touched.
func (c *cluster) project(s *Stream, id uint32) {
	d := &s.cold[id]
	if d.nbinds == 0 {
		return
	}
	place := c.table.Labels(d.place)
	foreign := s.metrics[d.metric].net && c.book.InNodesNetwork(d.pod)
	work, kind, held := c.book.Workload(d.pod, place)
	node, nodeHeld, nodeDone := "", false, false
	for i := d.binds; i < d.binds+uint32(d.nbinds); i++ {
		b := &s.binds[i]
		lp := s.leaves[b.leaf]
		if b.static == none {
			continue // its labels have not been seen since the rules have changed
		}
		if foreign {
			b.ls = none
			continue
		}
		if !lp.isDynamic() {
			b.ls = b.static
			continue
		}
		if !nodeDone {
			node, nodeHeld = c.book.Node(d.pod, place)
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
			case identity.LabelWorkloadType:
				x = kind
			case identity.LabelNode:
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
		}{{lp.node, identity.LabelNode, node}, {lp.workload, identity.LabelWorkload, work}, {lp.kind, identity.LabelWorkloadType, kind}} {
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

// settle brings identity up to date before a window closes.
func (c *cluster) settle(s *Stream) {
	nodes := c.book.Settle()
	c.follow(s)
	if !nodes {
		return
	}
	s.twins.Rehost()
	for _, id := range c.series {
		if s.hot[id].flags&flagPlaced != 0 {
			c.project(s, id)
		}
	}
}

// heard reports whether a sample of any series of a pod came after t; with alive, of one that has not ended.
func (c *cluster) heard(s *Stream, pod uint32, t int64, alive bool) bool {
	if int(pod) >= len(c.podHead) {
		return false
	}
	for id := c.podHead[pod]; id != none; id = s.cold[id].podNext {
		if h := &s.hot[id]; h.lastT > t && (!alive || h.flags&flagStale == 0) {
			return true
		}
	}
	return false
}

// running reports whether a pod is alive by what it shows itself, or, when it never did, by what is told of its object.
func (c *cluster) running(s *Stream, pod uint32) bool {
	var shown, live [2]bool
	if int(pod) >= len(c.podHead) {
		return true // it has no series yet
	}
	for id := c.podHead[pod]; id != none; id = s.cold[id].podNext {
		of := 0
		if strings.HasPrefix(s.metrics[s.cold[id].metric].name, "kube_") {
			of = 1
		}
		shown[of], live[of] = true, live[of] || s.hot[id].isLive(c.open)
	}
	return live[0] || live[1] && !shown[0]
}

// FindPods explains the pods of a name, at most limit of them. An empty cluster or namespace is any, which costs a look at every pod.
func (s *Stream) FindPods(cluster, namespace, pod string, limit int) []identity.PodExplanation {
	var out []identity.PodExplanation
	if pod == "" {
		return nil
	}
	for _, c := range s.clusters {
		if cluster != "" && c.name != cluster {
			continue
		}
		c.book.Find(namespace, pod, func(i uint32) bool {
			if len(out) >= limit {
				return false
			}
			x := c.book.Explain(i)
			x.Cluster = c.name
			if int(i) < len(c.podHead) {
				for id := c.podHead[i]; id != none; id = s.cold[id].podNext {
					x.Series++
				}
			}
			out = append(out, x)
			return true
		})
	}
	return out
}
