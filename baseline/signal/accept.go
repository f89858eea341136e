package signal

// replicaMs is how long the replica whose samples are taken must be silent, beyond one scrape interval, before another takes over.
// With 30 s scrapes this is two missed ones.
const replicaMs = 30_000

// bucketMs is the same for one bucket of a histogram while others of it still arrive: its shard stalls and is likely to catch up within
// the grace. To change over costs the histogram the windows in between, since its buckets have been read at different times then.
const bucketMs = 75_000

// accept decides whether a sample that a replica sends at t is taken. A series has one current replica, so that an HA pair's
// samples do not interleave: their clocks and scrapes differ by seconds, and a counter read by two in turn would look as if it ran
// unevenly. The decision is made for each series, without configuration: when one shard of one replica stalls, the other replica
// covers just the series of that shard. The counter goes on, since both scrape the same target. A histogram's buckets switch together.
func (s *Stream) accept(h *tracked, replica uint16, t int64) bool {
	current, lastT := &h.replica, h.lastT
	if h.group != none {
		g := &s.groups[h.group]
		current = &g.replica
		if h.lastT == 0 {
			lastT = g.LastT
		}
	}
	if *current == replica {
		return true
	}
	if lastT != 0 {
		step := int64(h.stepMs)
		if step == 0 {
			step = stepGuess
		}
		if h.flags&flagStale != 0 {
			// The current replica lost the target. When the target lives on, the other one shows it at its next scrape.
			if t <= lastT+step {
				return false
			}
		} else if t <= lastT+step+replicaMs {
			return false
		} else if h.group != none && t <= s.groups[h.group].LastT+step+replicaMs && t <= lastT+step+bucketMs {
			return false
		}
		s.stats.Takeovers++
	}
	*current = replica
	return true
}
