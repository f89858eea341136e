package baseline

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/baseline/store"
)

// oldAfterMs is how long after its end a window may close and still be news. Later ones are a sender's backlog or
// history: learned and shown, never announced.
const oldAfterMs = 10 * 60_000

// youngMs is for how long a cluster that is seen for the first time is only learned: what it brings along (a loop of denied
// requests that has gone on for months) is its habit until shown otherwise. What still stands afterwards is told.
const youngMs = 60 * 60_000

// clustersMax bounds the clusters whose beginning is remembered; hostile names cannot fill the memory.
const clustersMax = 10_000

// ChangesMax is how many changes are remembered, the newest.
const ChangesMax = 5_000

// Options configure an Engine. Stream is required; every other zero value is useful.
type Options struct {
	Stream   signal.StreamOptions
	Location *time.Location // civil time of the daily and weekly shapes; nil = UTC
	Recorder Recorder       // keeps chart history; nil = none is kept
	Sink     Sink           // takes verdicts; nil = nobody does
	// FalseAlarmsPerWeek is how many alarms chance may raise, of all signals together; 0 = any number, which is the stock judgement.
	FalseAlarmsPerWeek float64
}

// Point is one judged window as charts need it, in the signal's unit.
type Point = store.Point

// Recorder keeps what charts show. It is called by the fold for every judged window and must be quick.
type Recorder interface {
	Add(index uint32, id string, p Point)
}

// Engine folds batches into verdicts. Its methods that change state (Apply, Restore, AppendCheckpoint) must be called by one
// goroutine at a time, in the order of the journal; View and Stats may be called by anyone at any time.
type Engine struct {
	opts   Options
	stream *signal.Stream

	baselines chunks
	pending   map[string][]byte      // restored models whose signal has not been seen yet, by id
	first     map[string]int64       // end of the first window of each cluster, Unix ms
	windows   map[string]int64       // windows of each cluster that had values
	members   map[string][]*baseline // of each cluster, for silence; some may be another cluster's by now
	kin       map[kinKey]*kin        // who may learn from whom
	pos       uint64                 // journal position of the last applied request
	nowMs     int64                  // receive stamp of the last applied request

	budgets [budgetKinds]model.Budget
	kinds   [budgetKinds]int // signals that draw on each

	changes   []change.Change // the newest are kept, see remember; what is in it never changes
	changeSeq int64           // changes ever told

	verdicts  []Verdict // reused for each window
	sinceView int       // windows closed since a view was published

	view atomic.Pointer[View]

	statsMu sync.Mutex   // guards stats
	stats   signal.Stats // refreshed with each view
}

// New returns an engine that has learned nothing. It fails when a pack or a track rule does not compile.
func New(o Options) (*Engine, error) {
	if o.Location == nil {
		o.Location = time.UTC
	}
	e := &Engine{opts: o, pending: map[string][]byte{}, first: map[string]int64{}, windows: map[string]int64{}, members: map[string][]*baseline{}, kin: map[kinKey]*kin{}}
	s, err := signal.NewStream(o.Stream, e.closed)
	if err != nil {
		return nil, err
	}
	e.stream = s
	e.view.Store(&View{})
	return e, nil
}

// Apply folds one request and reports what became of its samples. pos is its position in the journal, 0 when it has none.
func (e *Engine) Apply(b *series.Batch, pos uint64) series.Result {
	if pos > e.pos {
		e.pos = pos
	}
	if b.ReceivedMs > e.nowMs {
		e.nowMs = b.ReceivedMs
	}
	return e.stream.Apply(b)
}

// Pos returns the journal position of the last request folded in.
func (e *Engine) Pos() uint64 { return e.pos }

// moment returns when t was, in the engine's civil time.
func (e *Engine) moment(t int64) model.Moment { return momentIn(e.opts.Location, t) }

// momentIn returns when t, Unix ms, was in a place's civil time.
func momentIn(loc *time.Location, t int64) model.Moment {
	at := time.UnixMilli(t).In(loc)
	_, offset := at.Zone()
	return model.Moment{
		T:          t,
		HourOfWeek: (int(at.Weekday())+6)%7*24 + at.Hour(),
		HourFrac:   (float64(at.Minute()) + float64(at.Second())/60) / 60,
		Day:        int32(math.Floor(float64(t/1000+int64(offset)) / 86400)),
	}
}

// baseline returns the baseline of s, nil when it has none.
func (e *Engine) baseline(s *signal.Signal) *baseline {
	if b := e.baselines.at(s.Index); b != nil && b.signal == s {
		return b
	}
	return nil
}

// begun returns the baseline of s, made or restored on first use.
func (e *Engine) begun(s *signal.Signal) *baseline {
	b := e.baselines.grown(s.Index)
	if b.signal == s {
		return b
	}
	cluster := s.Entity.Get("cluster")
	if was := b.signal; was != nil {
		e.counted(was, -1)
	}
	e.counted(s, 1)
	if was := b.signal; was == nil || was.Entity.Get("cluster") != cluster {
		e.members[cluster] = append(e.members[cluster], b)
	}
	b.begin(s)
	e.related(b)
	if data, ok := e.pending[s.ID]; ok {
		delete(e.pending, s.ID)
		if err := b.model.UnmarshalBinary(data); err != nil {
			modelsRefused.Inc()
			b.model.Init(&s.Rule.Params)
		}
	}
	return b
}

// judged calls yield for every signal that has a baseline, in an order that does not depend on their numbers.
func (e *Engine) judged(yield func(*baseline) bool) {
	for s := range e.stream.InOrder {
		if b := e.baseline(s); b != nil && !yield(b) {
			return
		}
	}
}

// byID returns the baseline of an id, nil when there is none.
func (e *Engine) byID(id string) *baseline {
	for b := range e.judged {
		if b.signal.ID == id {
			return b
		}
	}
	return nil
}

// closed walks over the observations of one window: each is judged, then learned, by the signal's own baseline.
func (e *Engine) closed(w *signal.Window) {
	first, known := e.first[w.Cluster]
	if !known && len(e.first) < clustersMax {
		first = w.End
		e.first[w.Cluster] = first
	}
	late := w.ClosedMs-w.End > oldAfterMs
	old := late || w.End-first < youngMs
	e.passed(w.End)
	if _, ok := e.first[w.Cluster]; ok && len(w.Observations) > 0 {
		e.windows[w.Cluster]++
	}
	window := e.windows[w.Cluster]
	e.remember(w.Changes)
	c := closing{at: e.moment(w.End), window: window, changes: e.changes, budgets: &e.budgets}
	e.verdicts = e.verdicts[:0]
	for i := range w.Observations {
		o := &w.Observations[i]
		v := e.begun(o.Signal).observe(&c, o)
		e.record(&v)
		e.verdicts = append(e.verdicts, v)
	}
	e.fellSilent(w, window)
	windowsClosed.Inc()
	verdictsMade.Add(len(e.verdicts))
	if e.opts.Sink != nil {
		e.opts.Sink.Observe(Batch{Cluster: w.Cluster, T: w.End, Old: old, Verdicts: e.verdicts, Changes: e.changes[:len(e.changes):len(e.changes)], ChangeSeq: e.changeSeq})
	}
	// History closes hundreds of windows a second; nobody looks at each.
	e.sinceView++
	if !late || e.sinceView >= 240 {
		e.Publish()
	}
}

// record keeps what charts show of a verdict.
func (e *Engine) record(v *Verdict) {
	if e.opts.Recorder != nil {
		e.opts.Recorder.Add(v.Signal.Index, v.Signal.ID, Point{T: v.T, Value: v.Value, Lower: v.Band.Lower,
			Expected: v.Band.Expected, Upper: v.Band.Upper, State: v.State, Score: v.Score})
	}
}

// remember keeps the newest changes. Views and incidents hold on to the slice, so nothing in it is ever overwritten: append puts what is
// new behind it, or copies it when there is no room.
func (e *Engine) remember(list []change.Change) {
	if len(list) == 0 {
		return
	}
	e.changes = append(e.changes, list...)
	e.changeSeq += int64(len(list))
	if n := len(e.changes); n > ChangesMax {
		e.changes = e.changes[n-ChangesMax:] // append copies it when the array behind it is full
	}
	changesTold.Add(len(list))
}

// Explain returns what a rule makes of what arrives. It belongs to the fold.
func (e *Engine) Explain(rule string) signal.Explanation { return e.stream.Explain(rule) }

// FindPods returns why the pods of a name were folded into their workloads; an empty cluster or namespace is any. It belongs to the fold.
func (e *Engine) FindPods(cluster, namespace, pod string, limit int) []identity.PodExplanation {
	return e.stream.FindPods(cluster, namespace, pod, limit)
}

var (
	windowsClosed  = metrics.NewCounter("wrackline_baseline_windows_closed_total")
	silentVerdicts = metrics.NewCounter("wrackline_baseline_silent_verdicts_total")
	verdictsMade   = metrics.NewCounter("wrackline_baseline_verdicts_total")
	changesTold    = metrics.NewCounter("wrackline_baseline_changes_total")
	modelsRefused  = metrics.NewCounter("wrackline_baseline_models_refused_total")
	modelsOrphaned = metrics.NewCounter("wrackline_baseline_models_orphaned_total")
)
