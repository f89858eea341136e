package signal

import (
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/twin"
	"github.com/wrackline/wrackline/baseline/window"
)

// meet tells the twins of a series that is new, or of which nothing was known.
func (s *Stream) meet(id uint32, v *identity.View) {
	s.twins.Meet(id, s.metrics[s.cold[id].metric].name, s.hot[id].cluster, v)
}

// leaveOut marks the series that are not counted in the window that closes, since others tell the same. countAll takes the marks away.
func (s *Stream) leaveOut(c *cluster, end int64) {
	s.judgeReplicas(c, end)
	s.twins.Choose(s.clusterAt[c.name], end, func(id uint32) twin.Reading { return s.reading(c, id, end) }, c.whereIs, func(id uint32) {
		s.hot[id].flags |= flagLeft
		s.left = append(s.left, id)
	})
}

func (s *Stream) countAll() {
	for _, id := range s.left {
		s.hot[id].flags &^= flagLeft | flagHeld
	}
	s.left = s.left[:0]
}

// whereIs names the place at which somebody is asked.
func (c *cluster) whereIs(a twin.At) string {
	if a.Machine && a.Node != "" {
		return a.Node
	}
	if a.Machine && a.Pod != "" {
		if n := c.book.NodeOf(a.Namespace, a.Pod); n != "" {
			return n
		}
	}
	return c.book.NodeNamed(a.Host)
}

// reading returns what a series has at the end of a window.
func (s *Stream) reading(c *cluster, id uint32, end int64) twin.Reading {
	h, d := &s.hot[id], &s.cold[id]
	r := twin.Reading{LastT: h.lastT, Live: h.isLive(end), Metric: d.metric, V: h.lastV}
	if d.pod != none {
		r.Known = 2
	} else if c.table.Labels(d.place).Get(identity.LabelNode) != "" {
		r.Known = 1
	}
	if h.kinds&kindIncrease == 0 {
		return r
	}
	if after, around, most, ok := window.Around(s.ring(h, kindIncrease), h.head, window.Of(end)); ok && h.lastT >= end {
		r.Counter, r.V, r.Inc, r.Step = true, h.lastV-after, around, most*min(1, float64(h.stepMs)/windowMs)
	}
	return r
}
