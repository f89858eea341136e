package signal

import (
	"encoding/binary"
	"strings"

	"github.com/wrackline/wrackline/baseline/series"
)

// A sender is whoever pushes to us: a Prometheus, an agent. It is told apart because the cluster of its series is decided for the
// sender, not for each series: some exporters have a label named cluster of their own, which must not open a cluster.
type sender struct {
	name, fixed string // fixed is the cluster that its token or path fixes; "" when labels decide
	salt        uint64 // distinguishes the keys of fixed clusters: label bytes may be the same in two of them
	first       uint32 // the key that began its last request

	early []earlyVote // until decidedAt different series were seen
	votes []vote      // tracked series by their own cluster label
	major string      // the value most of its series carry; "" = none
	done  bool        // major is decided

	replica                                              string
	samples, needed, accepted, duplicate, late, rejected int64
	firstMs, lastMs, lastT                               int64

	recent [lateWindows + 1]arrivals // what had arrived when the newest windows of its cluster closed, newest first
}

// arrivals counts what a sender has sent since it is known.
type arrivals struct{ needed, late int64 }

// closed notes what has arrived when a window of the sender's cluster closes.
func (n *sender) closed() {
	copy(n.recent[1:], n.recent[:])
	n.recent[0] = arrivals{n.needed, n.late}
}

type senderKey struct{ name, fixed string }

type earlyVote struct {
	print series.Print
	own   string
}

type vote struct {
	own  string
	n    int
	real bool // carried by a metric that has no such label of its own: it came from the sender's configuration
}

const (
	decidedAt = 20 // series after which a sender's cluster is decided
	votesMax  = 64 // different cluster labels of a sender that are counted
)

// sender returns who sent a batch.
func (s *Stream) sender(b *series.Batch) (*sender, uint16) {
	k := senderKey{b.Sender, b.Cluster}
	if i, ok := s.senderAt[k]; ok {
		return s.senders[i], i
	}
	if len(s.senders) >= sendersMax {
		// One record for the rest of each fixed cluster would still be without bound; the cluster is what must stay right.
		k.name = "other"
		if i, ok := s.senderAt[k]; ok {
			return s.senders[i], i
		}
	}
	return s.addSender(strings.Clone(k.name), strings.Clone(k.fixed))
}

func (s *Stream) addSender(name, fixed string) (*sender, uint16) {
	n := &sender{name: name, fixed: fixed, first: none}
	if fixed != "" {
		d := s.opts.Salt.Derive("fixed cluster " + fixed)
		n.salt = binary.LittleEndian.Uint64(d[:]) | 1
	}
	i := uint16(len(s.senders))
	s.senders = append(s.senders, n)
	s.senderAt[senderKey{name, fixed}] = i
	return n, i
}

func (n *sender) seen(ms int64) {
	if n.firstMs == 0 {
		n.firstMs = ms
	}
	n.lastMs = max(n.lastMs, ms)
}

// ownCluster returns the cluster that a series' labels name.
func (s *Stream) ownCluster(l series.Labels) string {
	for _, name := range s.opts.ClusterLabels {
		if v := l.Get(name); v != "" {
			return v
		}
	}
	return ""
}

func (s *Stream) decided(n *sender) bool { return s.opts.Cluster != "" || n.fixed != "" || n.done }

// vote counts one of the first series of a sender. Each counts once, however often its labels are read, so that a restart among
// them changes nothing.
func (n *sender) vote(s *Stream, p series.Print, own string) {
	if s.decided(n) {
		return
	}
	for i := range n.early {
		if n.early[i].print == p {
			return
		}
	}
	n.early = append(n.early, earlyVote{p, strings.Clone(own)})
	if len(n.early) < decidedAt {
		return
	}
	best := 0
	for _, a := range n.early {
		k := 0
		for _, b := range n.early {
			if a.own == b.own {
				k++
			}
		}
		if k > best {
			best, n.major = k, a.own
		}
	}
	for _, v := range n.early {
		if v.own != n.major {
			s.moves(n)
			break
		}
	}
	n.done, n.early = true, nil
}

// moves notes that the series of a sender may belong to other clusters than they are in.
func (s *Stream) moves(n *sender) {
	i := s.senderAt[senderKey{n.name, n.fixed}]
	for _, x := range s.rehome {
		if x == i {
			return
		}
	}
	s.rehome = append(s.rehome, i)
}

// home returns the cluster of a series of the sender with the own cluster label: what the sender's token fixes; else its own label
// when that is what most of the sender's series carry, or what its infrastructure's metrics carry, which have no such label of
// their own (an agent that forwards several clusters); else that of most of the sender's series; else the default.
func (n *sender) home(s *Stream, own string) string {
	name := n.major
	switch {
	case s.opts.Cluster != "":
		return s.opts.Cluster
	case n.fixed != "":
		return n.fixed
	case !n.done:
		name = own
	case own != n.major:
		for i := range n.votes {
			if n.votes[i].own == own && n.votes[i].real {
				name = own
			}
		}
	}
	if name == "" {
		return s.opts.DefaultCluster
	}
	return name
}

// register counts a new tracked series.
func (n *sender) register(s *Stream, i uint16, own string, m *metric) {
	if s.opts.Cluster != "" || n.fixed != "" {
		return
	}
	at := -1
	for j := range n.votes {
		if n.votes[j].own == own {
			at = j
		}
	}
	if at < 0 {
		if len(n.votes) >= votesMax {
			return
		}
		at = len(n.votes)
		n.votes = append(n.votes, vote{own: strings.Clone(own)})
	}
	v := &n.votes[at]
	v.n++
	if own != "" && !v.real && (m.fact != 0 || m.name == "container_cpu_usage_seconds_total") {
		v.real = true
		if n.done && own != n.major && v.n > 1 {
			s.moves(n)
		}
	}
	if n.done && own != n.major {
		// A quarter more is asked for, so that two of equal weight do not take turns.
		least := decidedAt
		for j := range n.votes {
			if n.votes[j].own == n.major {
				least += n.votes[j].n * 5 / 4
			}
		}
		if v.n > least {
			n.major = v.own
			s.moves(n)
		}
	}
}

// forget counts a tracked series out.
func (n *sender) forget(own string) {
	for j := range n.votes {
		if n.votes[j].own == own && n.votes[j].n > 0 {
			n.votes[j].n--
		}
	}
}
