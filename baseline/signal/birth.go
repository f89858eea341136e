package signal

import (
	"cmp"
	"slices"

	"github.com/wrackline/wrackline/baseline/birth"
	"github.com/wrackline/wrackline/baseline/window"
)

// bear decides, as a window closes, which of the counters that have come began at zero, and counts what they began with. By now what else their targets
// send in that minute has come, too.
func (s *Stream) bear(c *cluster) {
	// The second sample says how it grows. It is not waited for longer than another window.
	due := func(b birth.Birth) bool {
		return !b.Done && b.T <= c.open && (b.V <= birth.Small || s.hot[b.Series].stepMs != 0 || b.T <= c.open-2*windowMs)
	}
	c.births = slices.DeleteFunc(c.births, func(b birth.Birth) bool { return b.Done && b.T <= c.open-birth.TogetherMs })
	if !slices.ContainsFunc(c.births, due) {
		return
	}
	var n birth.Census
	for _, b := range c.births {
		n.Born(b, s.born(b.Series))
	}
	for _, id := range c.series {
		if s.cold[id].target != none {
			n.Met(id, s.born(id))
		}
	}
	for i := range c.births {
		b := &c.births[i]
		if h, x := &s.hot[b.Series], s.born(b.Series); due(*b) && n.Plausible(*b, x) {
			window.Spread(s.ring(h, kindIncrease), h.head, b.V, b.T-cmp.Or(x.StepMs, stepGuess), b.T)
		}
		b.Done = b.Done || due(*b)
	}
}

// born returns what a census wants to know of a series.
func (s *Stream) born(id uint32) birth.Series {
	h, d := &s.hot[id], &s.cold[id]
	return birth.Series{Target: d.target, Metric: d.metric, Set: h.group, LastT: h.lastT, LastV: h.lastV, StepMs: int64(h.stepMs)}
}
