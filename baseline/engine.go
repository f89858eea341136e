package baseline

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

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

// absentAfterMs is how long a signal may go without a value before views call it absent.
const absentAfterMs = 10 * 60_000

// clustersMax bounds the clusters whose beginning is remembered; hostile names cannot fill the memory.
const clustersMax = 10_000

// ChangesMax is how many changes are remembered, the newest.
const ChangesMax = 5_000

// chunkLen is how many models lie together. Chunks are never moved, so growing costs no copy of what is there.
const chunkLen = 256

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

	models  [][]model.Model   // by Signal.Index / chunkLen
	signals []*signal.Signal  // by Signal.Index; nil when never judged
	last    []lastVerdict     // by Signal.Index
	pending map[string][]byte // restored models whose signal has not been seen yet, by id
	first   map[string]int64  // end of the first window of each cluster, Unix ms
	windows map[string]int64  // windows of each cluster that had values
	members map[string][]int  // Index of each cluster's signals, for silence; some may be another cluster's by now
	kin     map[kinKey]*kin   // who may learn from whom
	pos     uint64            // journal position of the last applied request
	nowMs   int64             // receive stamp of the last applied request

	budgets [budgetKinds]model.Budget
	kinds   [budgetKinds]int // signals that draw on each

	changes   []signal.Change // the newest are kept, see remember; what is in it never changes
	changeSeq int64           // changes ever told

	verdicts  []Verdict    // reused for each window
	params    model.Params // scratch of closed: what the present window makes of a rule's
	sinceView int          // windows closed since a view was published

	view atomic.Pointer[View]

	statsMu sync.Mutex   // guards stats
	stats   signal.Stats // refreshed with each view
}

// lastVerdict is what a view shows of a signal.
type lastVerdict struct {
	v     Verdict
	since int64 // Unix ms since which the state has been what it is
	top   []signal.Member
	why   model.Why
	near  model.Stretch

	cadence cadence
}

// New returns an engine that has learned nothing. It fails when a pack or a track rule does not compile.
func New(o Options) (*Engine, error) {
	if o.Location == nil {
		o.Location = time.UTC
	}
	e := &Engine{opts: o, pending: map[string][]byte{}, first: map[string]int64{}, windows: map[string]int64{}, members: map[string][]int{}, kin: map[kinKey]*kin{}}
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

// model returns the model of s, made or restored on first use.
func (e *Engine) model(s *signal.Signal) *model.Model {
	i := int(s.Index)
	for len(e.signals) <= i {
		e.signals = append(e.signals, nil)
		e.last = append(e.last, lastVerdict{})
	}
	for len(e.models)*chunkLen <= i {
		e.models = append(e.models, make([]model.Model, chunkLen))
	}
	m := &e.models[i/chunkLen][i%chunkLen]
	if e.signals[i] != s {
		if was := e.signals[i]; was != nil {
			e.counted(was, -1)
		}
		e.counted(s, 1)
		if was, c := e.signals[i], s.Entity.Get("cluster"); was == nil || was.Entity.Get("cluster") != c {
			e.members[c] = append(e.members[c], i)
		}
		e.signals[i] = s
		e.last[i] = lastVerdict{}
		*m = model.Model{}
		m.Init(&s.Rule.Params)
		e.related(s)
		if data, ok := e.pending[s.ID]; ok {
			delete(e.pending, s.ID)
			if err := m.UnmarshalBinary(data); err != nil {
				modelsRefused.Inc()
				*m = model.Model{}
				m.Init(&s.Rule.Params)
			}
		}
	}
	return m
}

// closed judges one window: predict, judge, then learn, signal by signal.
func (e *Engine) closed(w *signal.Window) {
	at := e.moment(w.End)
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
	e.verdicts = e.verdicts[:0]
	for i := range w.Observations {
		o := &w.Observations[i]
		m := e.model(o.Signal)
		p := &o.Signal.Rule.Params
		if least := leastEffect(o); least > p.EffectAbs {
			p = e.own(p)
			p.EffectAbs = least
		}
		if o.Signal.Rule.Params.Lends() && m.Asks() {
			m.Borrow(p, at, e.prior(o.Signal, w.End))
		}
		p = e.strict(o.Signal.Rule, p)
		l := &e.last[o.Signal.Index]
		l.cadence.came(window)
		if l.v.Signal != nil && e.explained(&l.v) {
			p = e.own(p)
			p.Explained = true
		}
		j := m.Explain(p, at, o.Value, &l.why)
		if k := budgetKind(o.Signal.Rule); k >= 0 {
			e.budgets[k].See(&l.near, &j)
		}
		v := Verdict{Signal: o.Signal, T: w.End, Value: o.Value, Judgement: j, Members: o.Members, Expected: o.Expected, Top: o.Top}
		if e.opts.Recorder != nil {
			e.opts.Recorder.Add(o.Signal.Index, o.Signal.ID, Point{T: w.End, Value: o.Value, Lower: j.Band.Lower,
				Expected: j.Band.Expected, Upper: j.Band.Upper, State: j.State, Score: j.Score})
		}
		since := l.since
		if l.v.Signal == nil || l.v.State != j.State {
			since = w.End
			if j.State.Alarm() && j.Onset > 0 {
				since = j.Onset
			}
		}
		// The view outlives this call, and o.Top does not.
		l.top = append(l.top[:0], o.Top...)
		l.v, l.since = v, since
		l.v.Top = nil
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

// remember keeps the newest changes. Views and incidents hold on to the slice, so nothing in it is ever overwritten: append puts what is
// new behind it, or copies it when there is no room.
func (e *Engine) remember(list []signal.Change) {
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

// own returns p where the present window may change it: the scratch, which the next window overwrites.
func (e *Engine) own(p *model.Params) *model.Params {
	if p != &e.params {
		e.params = *p
	}
	return &e.params
}

// leastEffect returns the deviation, in the signal's unit, that Rule.EffectEvents bad events make in this window: a share of the
// events behind a ratio, or what so many events are worth in a rate. Below it a deviation is not worth a message.
func leastEffect(o *signal.Observation) float64 {
	need := o.Signal.Rule.EffectEvents
	switch {
	case need <= 0 || !(o.Events > 0):
		return 0
	case o.Signal.Rule.Unit == "ratio":
		return need / o.Events
	}
	return math.Abs(o.Value) * need / o.Events
}

// SignalView is one signal as it stood when the view was published. It is immutable.
type SignalView struct {
	Verdict
	Since int64     // Unix ms since which the state has been what it is
	Why   model.Why // what the judgement rests on
}

// View is every signal at one moment, sorted by id. It is immutable and shared.
type View struct {
	AtMs    int64 // receive clock of the last request folded in, Unix milliseconds
	Signals []SignalView
	Changes []signal.Change // the newest ChangesMax, in the order in which they were learned of
	Budget  []BudgetView    // of the kinds of signals that there are
}

// Signal returns the view of one signal by its id.
func (v *View) Signal(id string) (SignalView, bool) {
	i, ok := slices.BinarySearchFunc(v.Signals, id, func(s SignalView, id string) int { return strings.Compare(s.Signal.ID, id) })
	if !ok {
		return SignalView{}, false
	}
	return v.Signals[i], true
}

// View returns the newest published view. It is never nil. Safe for concurrent use.
func (e *Engine) View() *View { return e.view.Load() }

// Stats returns what the stream said when the newest view was published. Safe for concurrent use.
func (e *Engine) Stats() signal.Stats {
	e.statsMu.Lock()
	defer e.statsMu.Unlock()
	return e.stats
}

// Publish makes the present state visible to View and Stats. The fold calls it as windows close; call it under the fold's
// lock to make senders that have closed no window yet visible too.
func (e *Engine) Publish() {
	e.sinceView = 0
	v := &View{AtMs: e.nowMs, Signals: make([]SignalView, 0, len(e.signals)), Changes: e.changes[:len(e.changes):len(e.changes)], Budget: e.budgetViews()}
	for s := range e.stream.InOrder {
		if int(s.Index) >= len(e.last) || e.last[s.Index].v.Signal != s {
			continue
		}
		l := &e.last[s.Index]
		sv := SignalView{Verdict: l.v, Since: l.since, Why: l.why}
		if len(l.top) > 0 {
			sv.Top = append([]signal.Member(nil), l.top...)
		}
		if e.nowMs-sv.T > absentAfterMs {
			sv.Since, sv.State, sv.Why = sv.T, model.Absent, model.Why{}
		}
		v.Signals = append(v.Signals, sv)
	}
	// The stream keeps each cluster's signals in order; only several clusters have to be merged.
	byID := func(a, b SignalView) int { return strings.Compare(a.Signal.ID, b.Signal.ID) }
	if !slices.IsSortedFunc(v.Signals, byID) {
		slices.SortFunc(v.Signals, byID)
	}
	e.view.Store(v)
	st := e.stream.Stats()
	e.statsMu.Lock()
	e.stats = st
	e.statsMu.Unlock()
}

// Reload prepares other options: another set of rules, limits or another time zone. What is learned of signals that are still asked
// goes on, without losing a window; the rest is dropped, and new signals begin. After an error nothing has changed, and nothing has
// before commit is called. Both belong to the fold, with nothing folded in between. Recorder and Sink stay what they are.
func (e *Engine) Reload(stream signal.StreamOptions, loc *time.Location) (commit func() ReloadResult, err error) {
	next := &Engine{opts: e.opts, kin: map[kinKey]*kin{}, members: map[string][]int{}}
	next.opts.Stream, next.opts.Location = stream, loc
	if loc == nil {
		next.opts.Location = time.UTC
	}
	if next.stream, err = signal.NewStream(stream, e.closed); err != nil {
		return nil, err
	}
	if err := next.stream.RestoreState(e.stream.AppendState(nil)); err != nil {
		return nil, fmt.Errorf("restore signals: %w", err)
	}
	return func() ReloadResult {
		before := make(map[string]*signal.Signal, len(e.signals))
		for s := range e.judged {
			before[s.ID] = s
		}
		res := ReloadResult{Dropped: len(before)}
		for s := range next.stream.InOrder {
			m := next.model(s)
			if was := before[s.ID]; was != nil {
				*m = e.models[was.Index/chunkLen][was.Index%chunkLen]
				l := e.last[was.Index]
				if l.v.Signal != nil {
					l.v.Signal = s
				}
				next.last[s.Index] = l
				res.Kept++
				res.Dropped--
			}
		}
		modelsOrphaned.Add(res.Dropped)
		next.opts.FalseAlarmsPerWeek = e.opts.FalseAlarmsPerWeek // SetBudget may have been called since
		e.opts, e.stream = next.opts, next.stream
		e.models, e.signals, e.last, e.kin, e.kinds, e.members = next.models, next.signals, next.last, next.kin, next.kinds, next.members
		e.share()
		e.Publish()
		return res
	}, nil
}

// ReloadResult says what became of the signals at a Reload.
type ReloadResult struct{ Kept, Dropped int }

// Explain returns what a rule makes of what arrives. It belongs to the fold.
func (e *Engine) Explain(rule string) signal.Explanation { return e.stream.Explain(rule) }

// FindPods returns why the pods of a name were folded into their workloads; an empty cluster or namespace is any. It belongs to the fold.
func (e *Engine) FindPods(cluster, namespace, pod string, limit int) []signal.PodExplanation {
	return e.stream.FindPods(cluster, namespace, pod, limit)
}

// ModelsMax bounds how many models Restore accepts, against a hostile or broken store.
const ModelsMax = 4 << 20

// AppendStream appends the fold's state without the models, for a checkpoint.
func (e *Engine) AppendStream(dst []byte) []byte { return e.stream.AppendState(dst) }

// judged calls yield for every signal that has a model, in an order that does not depend on their numbers.
func (e *Engine) judged(yield func(*signal.Signal) bool) {
	for s := range e.stream.InOrder {
		if int(s.Index) < len(e.signals) && e.signals[s.Index] == s && !yield(s) {
			return
		}
	}
}

// Models yields every model's id and bytes, in a stable order. The bytes are borrowed until the next yield.
func (e *Engine) Models(yield func(id string, data []byte) bool) {
	var buf []byte
	for s := range e.judged {
		i := s.Index
		buf = e.models[i/chunkLen][i%chunkLen].AppendBinary(buf[:0])
		if !yield(s.ID, buf) {
			return
		}
	}
}

// Restore puts back what AppendStream and Models gave, into an engine that has applied nothing.
// Models of signals that the present packs no longer ask are dropped with a count once the next checkpoint is made.
func (e *Engine) Restore(pos uint64, stream []byte, models func(yield func(id string, data []byte) bool)) error {
	if err := e.stream.RestoreState(stream); err != nil {
		return fmt.Errorf("restore signals: %w", err)
	}
	n := 0
	models(func(id string, data []byte) bool {
		e.pending[id] = append([]byte(nil), data...)
		n++
		return n < ModelsMax
	})
	for s := range e.stream.InOrder {
		e.model(s)
	}
	modelsOrphaned.Add(len(e.pending))
	e.pending = map[string][]byte{}
	e.pos = pos
	e.Publish()
	return nil
}

var (
	windowsClosed  = metrics.NewCounter("wrackline_baseline_windows_closed_total")
	silentVerdicts = metrics.NewCounter("wrackline_baseline_silent_verdicts_total")
	verdictsMade   = metrics.NewCounter("wrackline_baseline_verdicts_total")
	changesTold    = metrics.NewCounter("wrackline_baseline_changes_total")
	modelsRefused  = metrics.NewCounter("wrackline_baseline_models_refused_total")
	modelsOrphaned = metrics.NewCounter("wrackline_baseline_models_orphaned_total")
)
