package signal

import (
	"cmp"

	"github.com/wrackline/wrackline/baseline/sender"
	"github.com/wrackline/wrackline/baseline/series"
)

const noSender = sender.None

// Home is what a stream of several clusters knows of where a sender's series belong.
type Home = sender.Home

// Homes returns what is known of each sender.
func (s *Stream) Homes() []Home { return s.senders.Homes() }

// HeardMs returns when the newest request came, receive clock, Unix milliseconds; 0 = none has.
func (s *Stream) HeardMs() int64 { return s.senders.HeardMs() }

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
func (s *Stream) home(n *sender.Sender, own string) string {
	return cmp.Or(s.opts.Cluster, n.Fixed, own, s.opts.DefaultCluster)
}
