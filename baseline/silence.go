package baseline

import (
	"math"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/signal"
)

// A signal that had a value in nearly every window and has none is news of its own: an exporter died, a scrape job was lost, a metric was renamed. How long
// it may be silent is learned, in windows of its cluster in which others had values, so that a sender that is away says nothing. A whole workload or node
// that falls silent is deleted or drained, which is told as what it is; only where others of the same entity go on is silence told. A ratio of few events is silent for want of events.
const (
	silentLeast   = 10          // windows without a value, at least
	silentFactor  = 5           // × the longest gap that was harmless
	silentMost    = 24 * 60     // windows after which a signal is gone, not silent
	silentFrom    = 9 * 24 * 60 // windows since its first value before silence says anything: a weekend must have been seen
	silentEvery   = 5           // windows between two looks
	silentGapKeep = 43_200      // windows that a gap is remembered for, e⁻¹
)

// cadence is how regularly a signal has values, counted in windows of its cluster.
type cadence struct {
	born int64   // the cluster's window of the first value; 0 = none
	seen int64   // … of the newest
	gap  float32 // longest gap that was harmless, fading
}

// came notes a value in a window, which is at least 1.
func (c *cadence) came(window int64) {
	if c.seen > 0 {
		if g := float32(window - c.seen - 1); g > c.gap {
			c.gap = g
		} else {
			c.gap -= c.gap / silentGapKeep
		}
	} else {
		c.born = window
	}
	c.seen = window
}

// silent reports whether a signal has been without values for longer than it ever was.
func (c *cadence) silent(window int64) bool {
	n := window - c.seen
	return c.seen-c.born >= silentFrom && n <= silentMost && float64(n) > max(silentLeast, silentFactor*float64(c.gap))
}

// entityOf returns the part of a signal's id that names its entity.
func entityOf(id string) string {
	_, e, _ := strings.Cut(id, "~")
	return e
}

// fellSilent adds a verdict for every signal of the cluster that is silent while others of its entity have values.
func (c *cluster) fellSilent(w *signal.Window, o *output) {
	if c.windows%silentEvery != 0 {
		return
	}
	var live map[string]bool
	added := false
	for _, b := range c.members {
		s := b.signal
		if b.v.Signal != s || !b.cadence.silent(c.windows) || b.v.State.Alarm() || s.Rule.Severity == pack.Info || s.Rule.Params.Mode == model.Event || s.Rule.MinEvents > 0 {
			continue
		}
		if live == nil {
			live = map[string]bool{}
			for k := range w.Observations {
				live[entityOf(w.Observations[k].Signal.ID)] = true
			}
		}
		if !live[entityOf(s.ID)] {
			continue
		}
		v := Verdict{Signal: s, T: w.End, Value: math.NaN(), Expected: b.v.Members}
		v.State, v.Score, v.Onset, v.Band, v.Maturity, v.Seen = model.Absent, 1, b.v.T, b.v.Band, b.v.Maturity, b.v.Seen
		o.verdicts = append(o.verdicts, v)
		silentVerdicts.Inc()
		added = true
	}
	if added {
		slices.SortFunc(o.verdicts, func(a, b Verdict) int { return strings.Compare(a.Signal.ID, b.Signal.ID) })
	}
}
