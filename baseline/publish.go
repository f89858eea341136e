package baseline

import (
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/signal"
)

// absentAfterMs is how long a signal may go without a value before views call it absent.
const absentAfterMs = 10 * 60_000

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
	Changes []change.Change // the newest ChangesMax, in the order in which they were learned of
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
	v := &View{AtMs: e.nowMs, Signals: make([]SignalView, 0, len(e.baselines)*chunkLen), Changes: e.changes[:len(e.changes):len(e.changes)], Budget: e.budgetViews()}
	for b := range e.judged {
		if b.v.Signal == nil {
			continue
		}
		sv := SignalView{Verdict: b.v, Since: b.since, Why: b.why}
		if len(b.top) > 0 {
			sv.Top = append([]signal.Member(nil), b.top...)
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
