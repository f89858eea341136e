// Package baseline is the engine: samples in, verdicts out.
// It folds accepted requests, in the order of the journal, into signals, judges every closed window with the
// signal's own model and hands the verdicts on. The fold is deterministic: the same requests give the same verdicts.
package baseline

import (
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/signal"
)

// Verdict is one judged window of one signal.
type Verdict struct {
	Signal *signal.Signal // who: name, entity, unit, question, severity; immutable, shared
	T      int64          // end of the window, Unix milliseconds
	Value  float64        // the observation, in the signal's unit; NaN when State is Absent
	model.Judgement
	Members  int             // raw series that made the value
	Expected int             // raw series that made the previous one
	Top      []signal.Member // up to three members that weigh most; borrowed
}

// Batch is every verdict of one closed window of one cluster, sorted by signal id.
type Batch struct {
	Cluster string
	T       int64 // end of the window, Unix milliseconds
	// ClosedMs is when the window was judged, by the receive clock in the log, Unix milliseconds; 0 = not known. A sender that is behind makes it later than T by that much.
	ClosedMs int64
	// Old is set for windows that closed more than ten minutes after their end while newer ones follow faster than time passes (a sender's backlog, history): they are learned and shown, and
	// no notification may come of them.
	Old bool
	// Young is set for the first hour of a cluster: what is usual there is only learned, and no notification may come but of facts, which a rule's fixed mark says.
	Young    bool
	Verdicts []Verdict // borrowed: valid only during the call
	// Changes are the changes that the engine remembers, of all clusters, in the order in which it learned of them; those of this
	// window are the last. The slice and what is in it stay as they are and may be kept.
	Changes []change.Change
	// ChangeSeq counts the changes ever told: when it is what it was, there is no new one.
	ChangeSeq int64
}

// Sink takes closed windows, in order, from the goroutine that folds. It must be quick and must not keep its argument.
type Sink interface{ Observe(Batch) }
