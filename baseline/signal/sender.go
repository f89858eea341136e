package signal

import (
	"cmp"
	"encoding/binary"
	"strings"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/tally"
)

// A sender is whoever pushes to us: a Prometheus, an agent.
type sender struct {
	name, fixed string // fixed is the cluster that its token or path fixes; "" when labels decide
	salt        uint64 // distinguishes the keys of fixed clusters: label bytes may be the same in two of them
	first       uint32 // the key that began its last request

	past past // of a state of several clusters

	replica                                               string
	samples, needed, accepted, duplicate, tardy, rejected int64
	firstMs, lastMs, lastT                                int64
	usedMs                                                int64 // receive clock of its newest request of which a sample was used
	used                                                  bool  // of the request under way

	late tally.Lateness
}

type senderKey struct{ name, fixed string }

// past is what a stream of several clusters knew of where a sender's series belong: states before format 8 have it. Package route decides that now.
type past struct {
	major string // the value most of its series carry; "" = none
	done  bool   // major is decided
	real  []string
}

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
	n.late.Begin(tally.Arrivals{Needed: n.needed, Late: n.tardy})
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

// home returns the cluster of a series of the sender with the own cluster label. Where requests come divided (StreamOptions.Cluster) that has been decided; else it is what the sender's
// token fixes, then the label.
func (n *sender) home(s *Stream, own string) string {
	return cmp.Or(s.opts.Cluster, n.fixed, own, s.opts.DefaultCluster)
}
