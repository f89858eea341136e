package baseline

import (
	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/baseline/sizes"
)

// sizing is what a cluster learns of the sizes of its containers, from what packs measure.
type sizing struct {
	book   *sizes.Book
	labels sizes.Labels // of the table that answers are by
	table  any          // that table
	made   int64        // end of the window of which others see it, Unix ms
	shown  []sizes.Container
}

var (
	sizesRefused = metrics.NewCounter("wrackline_sizes_refused_total")
	sizesOver    = metrics.NewCounter("wrackline_sizes_over_total")
)

// sizesEvery is how often others see what has been learned of sizes, milliseconds of event time: it moves slowly, and is large.
const sizesEvery = 15 * 60_000

// measured learns one answer.
func (c *cluster) measured(m *signal.Measured) {
	b := c.sizes.book
	if c.sizes.table != any(m.Table) {
		b.Renumbered()
		c.sizes.table, c.sizes.labels = m.Table, func(set uint32) series.Labels { return m.Table.Labels(set) }
	}
	at := c.e.moment(m.End)
	if !b.Minute(uint32(m.End/windowMs), at.HourOfWeek*60+int(at.HourFrac*60)) && b.Now() != uint32(m.End/windowMs) {
		return // it has been told
	}
	labels, over := c.sizes.labels, b.Refused
	defer func() { sizesOver.Add(int(b.Refused - over)) }()
	b.Facts(m.Name)
	for i := range m.Values {
		x := &m.Values[i]
		switch m.Name {
		case pack.MeasureCPU:
			b.CPU(x.Set, x.V, labels)
		case pack.MeasureMemory:
			b.Memory(x.Set, x.V, labels)
		case pack.MeasureThrottled:
			b.Throttled(x.Set, x.V, m.Minutes, labels)
		case pack.MeasureRestarts:
			b.Restarts(x.Set, x.V, labels)
		case pack.MeasureKills:
			b.Kills(x.Set, x.V, labels)
		case pack.MeasureRequests:
			b.Requests(x.Set, x.V, labels)
		case pack.MeasureLimits:
			b.Limits(x.Set, x.V, labels)
		case pack.MeasureScaler:
			b.Scaler(x.V, labels(x.Set))
		case pack.MeasureRange:
			b.Range(x.V, labels(x.Set))
		case pack.MeasureQuota:
			b.Quota(x.V, labels(x.Set))
		case pack.MeasureNode:
			b.Node(x.V, labels(x.Set))
		}
	}
}

// bindSizes tells the book whom to ask for the kind of a workload.
func (c *cluster) bindSizes() { c.sizes.book.KindOf = c.stream.KindOf }

// rolled tells sizes which workloads run another version.
func (c *cluster) rolled(list []change.Change) {
	for i := range list {
		if x := &list[i]; x.Kind == change.Rollout {
			c.sizes.book.Rolled(x.Entity.Get(identity.LabelNamespace), x.Entity.Get(identity.LabelWorkload))
		}
	}
}

// restoreSizes puts back what was learned of sizes. Without it, or when it is damaged, they are learned anew: nothing else rests on them.
func (c *cluster) restoreSizes(section []byte) {
	if section == nil {
		return
	}
	if err := c.sizes.book.Restore(section); err != nil {
		sizesRefused.Inc()
	}
}

// sized returns what others see of sizes.
func (c *cluster) sized() []sizes.Container {
	s := &c.sizes
	if now := c.pace.endMs; s.shown == nil || now < s.made || now-s.made >= sizesEvery {
		s.shown, s.made = s.book.Containers(), now
	}
	return s.shown
}
