package baseline

import (
	"errors"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
)

// What explains a new level: a change to the signal's own workload at most so long before its onset, or after it.
const (
	explainBeforeMs = 30 * 60_000
	explainAfterMs  = 5 * 60_000
)

// explained reports whether the alarm of a signal that stands began with a rollout of its workload, another number of replicas, or other limits. last
// is its newest verdict, changes what was done, in the order in which it was learned of.
func explained(last *Verdict, changes []change.Change) bool {
	if last.State != model.High && last.State != model.Low {
		return false
	}
	namespace, workload := last.Signal.Entity.Get("namespace"), last.Signal.Entity.Get("workload")
	if workload == "" {
		return false
	}
	cluster := last.Signal.Entity.Get("cluster")
	for i := len(changes) - 1; i >= 0; i-- { // their order is about that of their times
		c := &changes[i]
		if c.T < last.Onset-4*explainBeforeMs {
			break
		}
		if c.T < last.Onset-explainBeforeMs || c.T > last.Onset+explainAfterMs || c.Cluster != cluster {
			continue
		}
		switch c.Kind {
		case change.Rollout, change.Scale, change.Limits:
			if c.Entity.Get("namespace") == namespace && c.Entity.Get("workload") == workload {
				return true
			}
		}
	}
	return false
}

// Reasons for which a level is not accepted.
var (
	ErrNoSignal = errors.New("there is no signal with this id")
	ErrNoLevel  = errors.New("no alarm stands on this signal that is about its level: a ceiling and an event have nothing to get used to")
)

// Accept takes the level at which a signal is in alarm for its new normal, as a person says it is; its next window adopts it. It belongs to the fold.
// The samples do not know of it, so a checkpoint must follow before anybody is told that it is done.
func (e *Engine) Accept(id string) error {
	b, c := e.byID(id)
	if b == nil {
		return ErrNoSignal
	}
	c.settle()
	switch {
	case !b.model.Accept():
		return ErrNoLevel
	}
	return nil
}
