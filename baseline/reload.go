package baseline

import (
	"fmt"
	"time"

	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/signal"
)

// Reload prepares other options: another set of rules, limits or another time zone. What is learned of signals that are still asked
// goes on, without losing a window; the rest is dropped, and new signals begin. After an error nothing has changed, and nothing has
// before commit is called. Both belong to the fold, with nothing folded in between. Recorder and Sink stay what they are.
func (e *Engine) Reload(stream signal.StreamOptions, loc *time.Location) (commit func() ReloadResult, err error) {
	next := &Engine{opts: e.opts, everyone: map[*pack.Rule]*kin{}}
	next.opts.Stream, next.opts.Location = stream, loc
	if loc == nil {
		next.opts.Location = time.UTC
	}
	if next.opts.Stream.ClusterLabels == nil {
		next.opts.Stream.ClusterLabels = e.opts.Stream.ClusterLabels
	}
	if next.opts.Stream.DefaultCluster == "" {
		next.opts.Stream.DefaultCluster = e.opts.Stream.DefaultCluster
	}
	if _, err := next.newCluster("check", 0); err != nil {
		return nil, err
	}
	clusters := make([]*cluster, len(e.clusters))
	for i, c := range e.clusters {
		if c == nil {
			continue
		}
		n, err := e.reloaded(next, c)
		if err != nil {
			return nil, err
		}
		clusters[i] = n
	}
	return func() ReloadResult {
		var res ReloadResult
		next.opts.FalseAlarmsPerWeek = e.opts.FalseAlarmsPerWeek // SetBudget may have been called since
		e.opts, e.everyone = next.opts, next.everyone
		e.router.Set(needed(e.opts.Stream.Packs), keysMax(e.opts.Stream))
		for i, n := range clusters {
			if n != nil {
				n.follow(e, e.clusters[i], &res)
				e.clusters[i] = n
			}
		}
		modelsOrphaned.Add(res.Dropped)
		e.exchange()
		e.Publish()
		return res
	}, nil
}

// reloaded returns a cluster with other options and the stream of c.
func (e *Engine) reloaded(next *Engine, c *cluster) (*cluster, error) {
	n, err := next.newCluster(c.name, c.number)
	if err != nil {
		return nil, err
	}
	if err := n.stream.RestoreState(c.stream.AppendState(nil)); err != nil {
		return nil, fmt.Errorf("restore signals: %w", err)
	}
	return n, nil
}

// follow makes c, which has the stream of was already, go on where was is.
func (c *cluster) follow(e *Engine, was *cluster, res *ReloadResult) {
	c.e = e
	before := map[string]*baseline{}
	for b := range was.judged {
		before[b.signal.ID] = b
	}
	res.Dropped += len(before)
	c.first, c.windows, c.budgets, c.others, c.changes, c.changeSeq = was.first, was.windows, was.budgets, was.others, was.changes, was.changeSeq
	for s := range c.stream.InOrder {
		b := c.begun(s)
		if old := before[s.ID]; old != nil {
			b.model, b.lastVerdict, b.number = old.model, old.lastVerdict, old.number
			if b.v.Signal != nil {
				b.v.Signal = s
			}
			res.Kept++
			res.Dropped--
		}
	}
	c.sizes = was.sizes
	c.bindSizes()
	c.share()
}

// ReloadResult says what became of the signals at a Reload.
type ReloadResult struct{ Kept, Dropped int }
