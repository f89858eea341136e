package signal

import (
	"github.com/wrackline/wrackline/baseline/replica"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/twin"
)

// replicaLabels are those that tell replicas apart whatever is sent.
func (s *Stream) replicaLabels() []string {
	if s.byContent() {
		return defaultReplicaLabels
	}
	return s.opts.ReplicaLabels
}

var defaultReplicaLabels = []string{"__replica__", "prometheus_replica"}

// byContent reports whether further ones are found out.
func (s *Stream) byContent() bool { return s.opts.ReplicaLabels == nil }

// copied says of which series a new one may be a replica's copy.
type copied struct {
	replica.Answer
	other uint32 // none = of none
}

// copyOf looks for a series with the labels of a new one but for the value of one that is constant in all that its sender sends.
func (s *Stream) copyOf(l series.Labels, from uint16, at int64) (x copied) {
	x.other = none
	if !s.byContent() {
		return x
	}
	if _, ok := s.byName[l.Get(series.NameLabel)]; !ok {
		return x
	}
	fixed := s.senders.List[from].Fixed
	s.halves.Others(l, s.opts.ClusterLabels, func(i int, value string) bool {
		was := l[i].Value
		l[i].Value = value
		other := s.withPrint(s.printOf(fixed, l, ""))
		l[i].Value = was
		if other == none {
			return false
		}
		x = copied{s.halves.Claim(l[i].Name, was, value, at), other}
		return x.Waits || x.Turn
	})
	return x
}

// hold makes a series wait, or the other, when it is of an earlier one's replica.
func (s *Stream) hold(x copied, id uint32) {
	switch {
	case x.other == none || id == none || x.other == id || !x.Room:
	case x.Turn:
		s.halves.Hold(x.No, replica.Held{Series: x.other, Of: id})
	case x.Waits:
		s.halves.Hold(x.No, replica.Held{Series: id, Of: x.other})
	}
}

// judgeReplicas decides which senders are replicas, and marks the series that are not counted in the window that closes.
func (s *Stream) judgeReplicas(c *cluster, end int64) {
	s.halves.Judge(end, func(a, b uint32) (float64, bool) {
		if s.clusters[s.hot[a].cluster] != c || s.clusters[s.hot[b].cluster] != c {
			return 0, false
		}
		return twin.Compare(s.reading(c, a, end), s.reading(c, b, end), true)
	})
	s.halves.Waiting(func(id uint32) {
		s.hot[id].flags |= flagHeld
		s.left = append(s.left, id)
	})
}
