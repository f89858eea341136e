package baseline

import (
	"fmt"
	"time"

	"github.com/wrackline/wrackline/baseline/signal"
)

// Reload prepares other options: another set of rules, limits or another time zone. What is learned of signals that are still asked
// goes on, without losing a window; the rest is dropped, and new signals begin. After an error nothing has changed, and nothing has
// before commit is called. Both belong to the fold, with nothing folded in between. Recorder and Sink stay what they are.
func (e *Engine) Reload(stream signal.StreamOptions, loc *time.Location) (commit func() ReloadResult, err error) {
	next := &Engine{opts: e.opts, kin: map[kinKey]*kin{}, members: map[string][]*baseline{}}
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
		before := make(map[string]*baseline, len(e.baselines)*chunkLen)
		for b := range e.judged {
			before[b.signal.ID] = b
		}
		res := ReloadResult{Dropped: len(before)}
		for s := range next.stream.InOrder {
			b := next.begun(s)
			if was := before[s.ID]; was != nil {
				b.model, b.lastVerdict = was.model, was.lastVerdict
				if b.v.Signal != nil {
					b.v.Signal = s
				}
				res.Kept++
				res.Dropped--
			}
		}
		modelsOrphaned.Add(res.Dropped)
		next.opts.FalseAlarmsPerWeek = e.opts.FalseAlarmsPerWeek // SetBudget may have been called since
		e.opts, e.stream = next.opts, next.stream
		e.baselines, e.kin, e.kinds, e.members = next.baselines, next.kin, next.kinds, next.members
		e.share()
		e.Publish()
		return res
	}, nil
}

// ReloadResult says what became of the signals at a Reload.
type ReloadResult struct{ Kept, Dropped int }
