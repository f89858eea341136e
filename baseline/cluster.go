package baseline

import (
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/model/budget"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/baseline/sizes"
)

// cluster is all that belongs to one cluster: its stream, its baselines, what was done to it. Clusters know nothing of each other but what the exchange gives them, so
// that they may be folded side by side. One goroutine at a time folds a cluster.
type cluster struct {
	e      *Engine // options; read only while clusters fold
	name   string
	number uint16
	stream *signal.Stream

	baselines chunks
	pending   map[string][]byte   // restored models whose signal has not been seen yet, by id
	first     int64               // end of the first window, Unix ms; 0 = none yet
	windows   int64               // windows that had values
	pace      pace                // how late its windows close
	members   []*baseline         // in order of appearance, for silence
	kin       map[*pack.Rule]*kin // who may learn from whom
	newcomers []*baseline         // not known to the kin of all clusters yet
	wants     map[*pack.Rule]bool // rules of which own kin know too little
	budgets   [budgetKinds]budget.Budget
	kinds     [budgetKinds]int // signals that draw on each
	others    [budgetKinds]int // the same of all other clusters, as of the newest exchange

	sizes     sizing
	changes   []change.Change // the newest are kept, see remember; what is in it never changes
	changeSeq int64           // changes ever told

	out       []output // windows closed and not handed on yet
	spare     []output // handed on, to be used again
	sinceView int      // windows closed since a view was published
	stale     bool     // what is shown is to be made anew
	shown     *part    // what others see; nil = nothing yet
	made      *part    // what they shall see next; nil = what they see

	copies []*frozenPart // what a checkpoint has not copied yet, see settle
}

// output is a closed window on its way to the sink.
type output struct {
	job      int // the request that closed it
	old      bool
	young    bool
	end      int64
	closedMs int64 // receive clock
	verdicts []Verdict
	charts   []charted       // what charts show of it
	tops     []signal.Member // of the verdicts, owned
	changes  []change.Change
	seq      int64 // changeSeq then
}

// charted is a point on its way to the recorder.
type charted struct {
	b  *baseline
	id string
	p  Point
}

func (e *Engine) newCluster(name string, number uint16) (*cluster, error) {
	c := &cluster{e: e, name: name, number: number, pending: map[string][]byte{}, kin: map[*pack.Rule]*kin{}, wants: map[*pack.Rule]bool{}}
	c.sizes.book = sizes.NewBook()
	o := e.opts.Stream
	o.Cluster, o.Measured, o.Changing = name, c.measured, c.settle
	s, err := signal.NewStream(o, c.closed)
	if err != nil {
		return nil, err
	}
	c.stream = s
	c.bindSizes()
	if len(e.rescued) > 0 {
		c.rescue(e.rescued)
	}
	c.share()
	return c, nil
}

// baseline returns the baseline of s, nil when it has none.
func (c *cluster) baseline(s *signal.Signal) *baseline {
	if b := c.baselines.at(s.Index); b != nil && b.signal == s {
		return b
	}
	return nil
}

// begun returns the baseline of s, made or restored on first use.
func (c *cluster) begun(s *signal.Signal) *baseline {
	b := c.baselines.grown(s.Index)
	if b.signal == s {
		return b
	}
	if was := b.signal; was != nil {
		c.counted(was, -1)
	} else {
		c.members = append(c.members, b)
	}
	c.counted(s, 1)
	b.begin(s)
	c.related(b)
	if data, ok := c.pending[s.ID]; ok {
		delete(c.pending, s.ID)
		if err := b.model.UnmarshalBinary(data); err != nil {
			modelsRefused.Inc()
			b.model.Init(&s.Rule.Params)
		}
	}
	return b
}

// judged calls yield for every signal that has a baseline, in an order that does not depend on their numbers.
func (c *cluster) judged(yield func(*baseline) bool) {
	for s := range c.stream.InOrder {
		if b := c.baseline(s); b != nil && !yield(b) {
			return
		}
	}
}

// closed walks over the observations of one window: each is judged, then learned, by the signal's own baseline.
func (c *cluster) closed(w *signal.Window) {
	if c.first == 0 {
		c.first = w.End
	}
	if w.End < c.pace.endMs {
		c.turnBack(w.End)
	}
	history := c.pace.history(w.ClosedMs, w.End)
	c.passed(w.End)
	if len(w.Observations) > 0 {
		c.windows++
	}
	c.remember(w.Changes)
	c.rolled(w.Changes)
	o := c.output()
	o.old, o.young, o.end, o.closedMs = history, w.End-c.first < youngMs, w.End, w.ClosedMs
	cl := closing{at: c.e.moment(w.End), window: c.windows, changes: c.changes, budgets: &c.budgets, wants: c.wants,
		before: func(ms int64) model.Moment { return c.e.moment(w.End - ms) }}
	for i := range w.Observations {
		x := &w.Observations[i]
		b := c.begun(x.Signal)
		v := b.observe(&cl, x)
		at := len(o.tops)
		o.tops = append(o.tops, v.Top...) // the window's are borrowed
		v.Top = o.tops[at:len(o.tops):len(o.tops)]
		o.verdicts = append(o.verdicts, v)
		if c.e.opts.Recorder != nil {
			o.charts = append(o.charts, charted{b, x.Signal.ID, Point{T: v.T, Value: v.Value, Lower: v.Band.Lower, Expected: v.Band.Expected, Upper: v.Band.Upper,
				State: v.State, Score: v.Score}})
		}
	}
	c.fellSilent(w, o)
	o.changes, o.seq = c.changes[:len(c.changes):len(c.changes)], c.changeSeq
	windowsClosed.Inc()
	verdictsMade.Add(len(o.verdicts))
	// History closes hundreds of windows a second; nobody looks at each.
	c.sinceView++
	c.stale = c.stale || !history || c.sinceView >= 240
}

// output returns a place for a window that closes, the newest of c.out.
func (c *cluster) output() *output {
	var o output
	if n := len(c.spare); n > 0 {
		o, c.spare = c.spare[n-1], c.spare[:n-1]
	}
	c.out = append(c.out, output{job: c.e.jobOf(c), verdicts: o.verdicts[:0], charts: o.charts[:0], tops: o.tops[:0]})
	return &c.out[len(c.out)-1]
}

// deliver hands a window on and keeps what charts show of it.
func (c *cluster) deliver(o *output) {
	for i := range o.charts {
		x := &o.charts[i]
		if x.b.number == 0 {
			c.e.numbered++
			x.b.number = c.e.numbered
		}
		c.e.opts.Recorder.Add(x.b.number-1, x.id, x.p)
	}
	if c.e.opts.Sink != nil {
		c.e.opts.Sink.Observe(Batch{Cluster: c.name, T: o.end, ClosedMs: o.closedMs, Old: o.old, Young: o.young, Verdicts: o.verdicts, Changes: o.changes, ChangeSeq: o.seq})
	}
}

// remember keeps the newest changes. Views and incidents hold on to the slice, so nothing in it is ever overwritten: append puts what is
// new behind it, or copies it when there is no room.
func (c *cluster) remember(list []change.Change) {
	if len(list) == 0 {
		return
	}
	c.changes = append(c.changes, list...)
	c.changeSeq += int64(len(list))
	if n := len(c.changes); n > ChangesMax {
		c.changes = c.changes[n-ChangesMax:] // append copies it when the array behind it is full
	}
	changesTold.Add(len(list))
}

// work is something that a cluster has to do: fold its part of a request, let time pass, or forget series that belong elsewhere now.
type work struct {
	job   int
	batch *series.Batch
	tick  int64 // receive clock, Unix ms
	drop  *dropped
	res   series.Result // what became of batch
}

// dropped names series of a sender by the cluster labels that they carry themselves.
type dropped struct {
	sender, fixed string
	owns          []string
}

// do does one thing.
func (c *cluster) do(w *work) {
	switch {
	case w.batch != nil:
		w.res = c.stream.Apply(w.batch)
	case w.drop != nil:
		c.stream.Drop(w.drop.sender, w.drop.fixed, w.drop.owns)
	default:
		c.stream.Tick(w.tick)
	}
}
