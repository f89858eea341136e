package baseline

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/room"
	"github.com/wrackline/wrackline/baseline/route"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/baseline/store"
)

// oldAfterMs is how long after its end a window may close and be in time. See late.go for those that close later.
const oldAfterMs = 10 * 60_000

// youngMs is for how long a cluster that is seen for the first time is only learned: what it brings along (a loop of denied
// requests that has gone on for months) is its habit until shown otherwise. What still stands afterwards is told; what a rule's fixed mark says is told at once.
const youngMs = 60 * 60_000

// ChangesMax is how many changes of a cluster are remembered, the newest.
const ChangesMax = 5_000

// Options configure an Engine. Stream is required; every other zero value is useful.
type Options struct {
	Stream   signal.StreamOptions
	Location *time.Location // civil time of the daily and weekly shapes; nil = UTC
	Recorder Recorder       // keeps chart history; nil = none is kept
	Sink     Sink           // takes verdicts; nil = nobody does
	// FalseAlarmsPerWeek is how many alarms chance may raise, of all signals together; 0 = any number, which is the stock judgement.
	FalseAlarmsPerWeek float64
	// AtExchange is called by the fold whenever clusters have just exchanged what crosses them: a checkpoint of this moment, and of no other, goes on as if nothing had been. nil = nobody.
	AtExchange func()
}

// Point is one judged window as charts need it, in the signal's unit.
type Point = store.Point

// Recorder keeps what charts show. It is called by the fold for every judged window and must be quick. index is a dense number of the signal in this process.
type Recorder interface {
	Add(index uint32, id string, p Point)
	// Undo forgets what was added beyond t, Unix ms: the clock was wrong.
	Undo(t int64)
}

// Engine folds batches into verdicts: a router, and clusters side by side. Its methods that change state (Apply, ApplyAll, Restore, Append…) must be called by one
// goroutine at a time, in the order of the journal; View and Stats may be called by anyone at any time.
//
// Clusters are folded each by itself. What crosses them is short: the kin of a rule in all clusters, how many signals share the false-alarm budget, and to whom a sender's
// series belong. The first two change hands at an exchange, which the log's receive stamps call for; the last is the router's. So clusters folded in parallel give the same
// bits as one after the other.
type Engine struct {
	opts     Options
	router   *route.Router
	clusters []*cluster          // by the router's number; nil = none
	everyone map[*pack.Rule]*kin // kin of all clusters
	pos      uint64              // journal position of the last applied request
	nowMs    int64               // receive stamp of the last applied request
	spare    room.Room           // what the next new cluster may take before an exchange
	later    room.Room           // what those after it may take
	numbered uint32              // baselines that have a number for the recorder
	rescued  map[string][]byte   // models whose cluster begins anew since its stream was lost, by id
	waiting  map[string]int64    // since when they wait for it, by the cluster's name as ids write it, receive clock; 0 = nobody knows yet
	lost     signal.Stats        // what clusters had counted that are forgotten
	queue    [][]work            // by cluster: what is to be done in the running round
	current  []int               // by cluster: the job of the work under way
	active   []*cluster          // clusters with work
	results  []series.Result
	ready    []outRef

	published publication
}

type outRef struct {
	c *cluster
	i int
}

// New returns an engine that has learned nothing. It fails when a pack or a track rule does not compile.
func New(o Options) (*Engine, error) {
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.Stream.ClusterLabels == nil {
		o.Stream.ClusterLabels = signal.ClusterLabels()
	}
	if o.Stream.DefaultCluster == "" {
		o.Stream.DefaultCluster = signal.DefaultCluster
	}
	e := &Engine{opts: o, everyone: map[*pack.Rule]*kin{}}
	if _, err := e.newCluster("check", 0); err != nil { // every cluster asks the same rules
		return nil, err
	}
	e.router = e.newRouter()
	e.allow()
	return e, nil
}

func (e *Engine) newRouter() *route.Router {
	return route.New(route.Options{Labels: e.opts.Stream.ClusterLabels, Default: e.opts.Stream.DefaultCluster, Needed: needed(e.opts.Stream.Packs),
		KeysMax: keysMax(e.opts.Stream), KeepMs: e.opts.Stream.RetireMs})
}

// keysMax returns how many series the router remembers. The clusters may know more; of those it reads the labels again.
func keysMax(o signal.StreamOptions) int { return 4 * signal.RoomOf(o).Tracked }

// needed returns which metrics packs need.
func needed(packs []*pack.Pack) func(string) bool {
	names := map[string]bool{}
	for _, n := range pack.KeepList(packs) {
		names[n] = true
	}
	return func(metric string) bool { return names[metric] }
}

// Job is a request to fold.
type Job struct {
	Batch *series.Batch
	Pos   uint64 // its position in the journal, 0 when it has none
}

// Clocks of the fold, milliseconds of the receive clock in the log.
const (
	tickMs     = 1_000  // clusters that get nothing hear of the time this often
	exchangeMs = 10_000 // clusters exchange what crosses them this often
	undoneMs   = 60_000 // so far ahead of a clock that was set back may lie what is no future: an exporter's clock
)

// Apply folds one request and reports what became of its samples. pos is its position in the journal, 0 when it has none.
func (e *Engine) Apply(b *series.Batch, pos uint64) series.Result {
	return e.ApplyAll([]Job{{b, pos}}, nil)[0]
}

// ApplyAll folds requests in their order and reports what became of the samples of each; the answer is borrowed until the next call. Clusters are folded side by side when do is given: it must call
// each(0) … each(n−1), in any order and on any goroutines, and return when all have returned. The result does not depend on how it does so.
func (e *Engine) ApplyAll(jobs []Job, do func(n int, each func(i int))) []series.Result {
	if do == nil {
		do = func(n int, each func(int)) {
			for i := range n {
				each(i)
			}
		}
	}
	e.results = slices.Grow(e.results[:0], len(jobs))[:len(jobs)]
	clear(e.results)
	for i := range jobs {
		if now := series.Later(e.nowMs, jobs[i].Batch.ReceivedMs); now/exchangeMs != e.nowMs/exchangeMs {
			e.round(do)
			if e.opts.Recorder != nil && now < e.nowMs {
				e.opts.Recorder.Undo(now + undoneMs)
			}
			e.nowMs = now
			e.exchange()
			if e.opts.AtExchange != nil {
				e.opts.AtExchange()
			}
		}
		e.assign(i, &jobs[i])
	}
	e.round(do)
	e.publishMade()
	return e.results
}

// assign gives the clusters their parts of a request.
func (e *Engine) assign(i int, j *Job) {
	b := j.Batch
	e.pos = max(e.pos, j.Pos)
	now := series.Later(e.nowMs, b.ReceivedMs)
	ticked := now/tickMs != e.nowMs/tickMs || i == 0 && b.ReceivedMs == e.nowMs && e.pos == 0
	e.nowMs = now
	parts, refused := e.router.Route(b)
	e.results[i] = refused
	for _, p := range parts {
		c := e.cluster(p.Cluster)
		if c == nil {
			continue // cannot be: the rules have compiled before
		}
		e.give(c, work{job: i, batch: p.Batch})
	}
	for _, m := range e.router.Moves() {
		for _, c := range e.clusters {
			if c != nil {
				e.give(c, work{job: i, drop: &dropped{m.Sender, m.Fixed, m.Owns}})
			}
		}
	}
	if !ticked {
		return
	}
	for _, c := range e.clusters {
		if c != nil && !slices.ContainsFunc(parts, func(p route.Part) bool { return p.Cluster == c.number }) {
			e.give(c, work{job: i, tick: e.nowMs})
		}
	}
}

// cluster returns a cluster by its number, made when it is new.
func (e *Engine) cluster(number uint16) *cluster {
	for int(number) >= len(e.clusters) {
		e.clusters, e.queue, e.current = append(e.clusters, nil), append(e.queue, nil), append(e.current, 0)
	}
	if c := e.clusters[number]; c != nil {
		return c
	}
	c, err := e.newCluster(e.router.Name(number), number)
	if err != nil {
		return nil
	}
	c.stream.Allow(e.spare)
	e.spare = e.later
	e.clusters[number] = c
	return c
}

// give queues work.
func (e *Engine) give(c *cluster, w work) {
	if len(e.queue[c.number]) == 0 {
		e.active = append(e.active, c)
	}
	e.queue[c.number] = append(e.queue[c.number], w)
}

// jobOf returns the request that a cluster is working on.
func (e *Engine) jobOf(c *cluster) int { return e.current[c.number] }

// round lets all clusters do what is queued, and hands on what has closed, in the order of the log.
func (e *Engine) round(do func(n int, each func(i int))) {
	if len(e.active) == 0 {
		return
	}
	do(len(e.active), func(i int) {
		c := e.active[i]
		for k := range e.queue[c.number] {
			w := &e.queue[c.number][k]
			e.current[c.number] = w.job
			c.do(w)
		}
		if c.stale {
			c.made = c.part()
		}
	})
	e.ready = e.ready[:0]
	for _, c := range e.active {
		for k := range e.queue[c.number] {
			w := &e.queue[c.number][k]
			r := &e.results[w.job]
			r.Samples, r.Histograms, r.Barred, r.Rejected = r.Samples+w.res.Samples, r.Histograms+w.res.Histograms, r.Barred+w.res.Barred, r.Rejected+w.res.Rejected
			if r.Reason == "" {
				r.Reason = w.res.Reason
			}
		}
		clear(e.queue[c.number])
		e.queue[c.number] = e.queue[c.number][:0]
		for i := range c.out {
			e.ready = append(e.ready, outRef{c, i})
		}
	}
	slices.SortFunc(e.ready, func(a, b outRef) int {
		return cmp.Or(cmp.Compare(a.c.out[a.i].job, b.c.out[b.i].job), cmp.Compare(a.c.number, b.c.number), cmp.Compare(a.i, b.i))
	})
	for _, r := range e.ready {
		r.c.deliver(&r.c.out[r.i])
	}
	clear(e.ready)
	for _, c := range e.active {
		for i := range c.out {
			if len(c.spare) < 4 {
				c.spare = append(c.spare, c.out[i])
			}
		}
		clear(c.out)
		c.out = c.out[:0]
	}
	e.router.Release()
	clear(e.active) // a cluster that is forgotten must not be held
	e.active = e.active[:0]
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

// byID returns the baseline of an id, nil when there is none, and its cluster.
func (e *Engine) byID(id string) (*baseline, *cluster) {
	for _, c := range e.clusters {
		if c == nil {
			continue
		}
		for b := range c.judged {
			if b.signal.ID == id {
				return b, c
			}
		}
	}
	return nil, nil
}

// Explain returns what a rule makes of what arrives. It belongs to the fold.
func (e *Engine) Explain(rule string) signal.Explanation {
	var x signal.Explanation
	for _, c := range e.named() {
		if y := c.stream.Explain(rule); y.Rule != nil {
			x.Rule = y.Rule
			x.Clusters = append(x.Clusters, y.Clusters...)
		}
	}
	if x.Rule == nil { // nothing has come yet
		for _, p := range e.opts.Stream.Packs {
			for _, r := range p.Rules {
				if r.Name == rule {
					x.Rule = r
				}
			}
		}
	}
	return x
}

// named returns the clusters by name.
func (e *Engine) named() []*cluster {
	list := slices.DeleteFunc(slices.Clone(e.clusters), func(c *cluster) bool { return c == nil })
	slices.SortFunc(list, func(a, b *cluster) int { return cmp.Compare(a.name, b.name) })
	return list
}

// FindPods returns why the pods of a name were folded into their workloads; an empty cluster or namespace is any. It belongs to the fold.
func (e *Engine) FindPods(cluster, namespace, pod string, limit int) []identity.PodExplanation {
	var out []identity.PodExplanation
	for _, c := range e.clusters {
		if c != nil && (cluster == "" || c.name == cluster) && len(out) < limit {
			out = append(out, c.stream.FindPods(cluster, namespace, pod, limit-len(out))...)
		}
	}
	return out
}

// Forget drops a cluster and all that belongs to it: streams, baselines, changes. It reports false when there is none of the name. It belongs to the fold; a checkpoint should follow.
func (e *Engine) Forget(name string) bool {
	for _, c := range e.clusters {
		if c == nil || c.name != name {
			continue
		}
		e.drop(c)
		e.exchange()
		e.Publish()
		return true
	}
	return false
}

var (
	windowsClosed    = metrics.NewCounter("wrackline_baseline_windows_closed_total")
	silentVerdicts   = metrics.NewCounter("wrackline_baseline_silent_verdicts_total")
	verdictsMade     = metrics.NewCounter("wrackline_baseline_verdicts_total")
	changesTold      = metrics.NewCounter("wrackline_baseline_changes_total")
	modelsRefused    = metrics.NewCounter("wrackline_baseline_models_refused_total")
	rescuedForgotten = metrics.NewCounter("wrackline_baseline_models_rescued_forgotten_total")
	modelsOrphaned   = metrics.NewCounter("wrackline_baseline_models_orphaned_total")

	clustersForgotten = metrics.NewCounter("wrackline_baseline_clusters_forgotten_total")
)
