// Package birth says which counters that appear are counted from zero: arithmetic over what a scraped thing shows, which knows no stream.
//
// What never happened has no series: the first rejection, the first eviction shows as a counter that was not there before, and its first value is news. The
// same is seen when nothing has happened: a label is added to all targets, a metric is no longer dropped, series come back after an hour. A counter counts
// from zero where its birth is plausible:
//
//   - its target was there before, and goes on: of its series more are known than have come at once;
//   - no other series of its metric on its target has just ended, which it would be under another name;
//   - its metric is known, or comes on one target only: what comes on all at once was not sent before;
//   - its first value is small, or no more than growFactor times what it has grown by in an interval since.
package birth

import "math"

// TogetherMs is within which time births may have one cause.
const TogetherMs = 300_000

// Small is a first value that needs no growth to be believed.
const Small = 10.

const (
	growFactor = 10.     // × the growth of an interval that a first value may be
	endedMs    = 600_000 // a series that ended so long before a birth may be the same under another name
	none       = math.MaxUint32
)

// Birth is a counter that has come and of which it is not known yet whether it began at zero.
type Birth struct {
	Series uint32  // the caller's number of it
	T      int64   // of its first sample, Unix milliseconds
	V      float64 // its value then
	Known  bool    // its metric had been seen before
	Done   bool    // it is known by now; it is remembered for as long as others may belong to it
}

// Series is what the census has to know of one.
type Series struct {
	Target, Metric, Set uint32 // Set is the histogram that it belongs to, MaxUint32 for none: its buckets are born together or not at all
	LastT               int64
	LastV               float64
	StepMs              int64 // its interval; 0 = it has sent one sample
}

type place struct{ target, metric uint32 }

// crowd is who was born somewhere, who lives on, and who has ended.
type crowd struct {
	born, others, ended int
	first               int64 // the earliest birth
}

// growth is a first value and what came after it in an interval.
type growth struct{ v, by float64 }

// Census counts births of one window and who lives beside them. The zero value is ready.
type Census struct {
	targets map[uint32]*crowd
	places  map[place]*crowd
	metrics map[uint32]int  // targets on which a metric was born
	unknown map[uint32]bool // metrics that had not been seen before
	sets    map[uint32]growth
	news    map[uint32]bool // series that were born
}

// Born counts a birth, which x is now. All births are counted before anybody is Met.
func (c *Census) Born(b Birth, x Series) {
	if c.targets == nil {
		*c = Census{map[uint32]*crowd{}, map[place]*crowd{}, map[uint32]int{}, map[uint32]bool{}, map[uint32]growth{}, map[uint32]bool{}}
	}
	at := place{x.Target, x.Metric}
	if c.targets[x.Target] == nil {
		c.targets[x.Target] = &crowd{first: b.T}
	}
	if c.places[at] == nil {
		c.places[at] = &crowd{first: b.T}
		c.metrics[x.Metric]++
	}
	for _, n := range [...]*crowd{c.targets[x.Target], c.places[at]} {
		n.born++
		n.first = min(n.first, b.T)
	}
	c.news[b.Series] = true
	if !b.Known {
		c.unknown[x.Metric] = true
	}
	if x.Set != none {
		if g, was := grown(b, x), c.sets[x.Set]; g.v > was.v || g.v == was.v && g.by > was.by {
			c.sets[x.Set] = g
		}
	}
}

// Met counts any series of the cluster.
func (c *Census) Met(series uint32, x Series) {
	n := c.targets[x.Target]
	if n == nil || c.news[series] {
		return
	}
	if x.LastT >= n.first {
		n.others++
	}
	if p := c.places[place{x.Target, x.Metric}]; p != nil && x.LastT < p.first && x.LastT > p.first-endedMs {
		p.ended++
	}
}

// Plausible reports whether a birth, which was counted, is one.
func (c *Census) Plausible(b Birth, x Series) bool {
	t := c.targets[x.Target]
	if t.born > t.others || c.places[place{x.Target, x.Metric}].ended > 0 || c.unknown[x.Metric] && c.metrics[x.Metric] > 1 {
		return false
	}
	g := grown(b, x)
	if x.Set != none {
		g = c.sets[x.Set]
	}
	return g.v <= max(Small, growFactor*g.by)
}

func grown(b Birth, x Series) growth {
	g := growth{v: b.V}
	if d := x.LastT - b.T; d > 0 && x.LastV > b.V {
		g.by = (x.LastV - b.V) / float64(d) * float64(max(x.StepMs, 1))
	}
	return g
}
