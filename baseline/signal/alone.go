package signal

import (
	"cmp"

	"github.com/wrackline/wrackline/baseline/sender"
)

// alone makes a stream that was restored from a state of several clusters that of its own one: the others' series, signals and senders go. Counts of what came belong to
// the first of them.
func (s *Stream) alone() {
	own := -1
	for i, c := range s.clusters {
		if c.name == s.opts.Cluster {
			own = i
		}
	}
	if own > 0 {
		for _, n := range s.counters {
			*n = 0
		}
	}
	if len(s.clusters) == own+1 && own <= 0 {
		return // it was already, though perhaps without a series
	}
	evicted := s.stats.Evicted
	s.sweep() // takes those of others, see there
	s.stats.Evicted = evicted
	for i, sig := range s.signals {
		if sig != nil && int(s.marks[i].cluster) != own {
			delete(s.signalAt, sig.ID)
			s.signals[i], s.marks[i] = nil, mark{rule: none, sender: noSender}
			s.signalNo = append(s.signalNo, uint32(i))
		}
	}
	for i := range s.marks {
		s.marks[i].cluster = 0
	}
	for i := range s.hot {
		s.hot[i].cluster = 0
	}
	kept := s.clusters[:0:0]
	if own >= 0 {
		kept = append(kept, s.clusters[own])
	}
	s.clusters, s.clusterAt = kept, map[string]uint16{}
	for i, c := range kept {
		s.clusterAt[c.name] = uint16(i)
	}
	s.aloneSenders()
}

// aloneSenders drops the senders that have no series here and whose series belong elsewhere.
func (s *Stream) aloneSenders() {
	used := make([]bool, len(s.senders.List))
	for i := range s.cold {
		used[s.cold[i].sender] = true
	}
	s.keepSenders(func(i int, n *sender.Sender) bool {
		return used[i] || cmp.Or(n.Fixed, n.Past.Major, s.opts.DefaultCluster) == s.opts.Cluster
	})
}
