package baseline

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/model/trial"
	"github.com/wrackline/wrackline/baseline/signal"
)

// Shadow is a copy of what has been learned of a signal. Whatever is tried on it changes nothing. It may be used by any goroutine, one at a time.
type Shadow struct {
	Signal *signal.Signal
	params model.Params // as the budget has them at present
	model  model.Model
	loc    *time.Location
}

// Shadow returns a copy of a signal's model. It belongs to the fold.
func (e *Engine) Shadow(id string) (*Shadow, bool) {
	if b, c := e.byID(id); b != nil {
		return c.shadow(b), true
	}
	return nil, false
}

func (c *cluster) shadow(b *baseline) *Shadow {
	s := &Shadow{Signal: b.signal, params: b.signal.Rule.Params, model: b.model, loc: c.e.opts.Location}
	heed(budgetOf(&c.budgets, b.signal.Rule), &s.params)
	return s
}

// Shadows returns copies of at most n signals' models, spread evenly over their ids, and how many signals there are. It belongs to the fold.
func (e *Engine) Shadows(n int) (list []*Shadow, of int) {
	type owned struct {
		b *baseline
		c *cluster
	}
	var all []owned
	for _, c := range e.named() {
		for b := range c.judged {
			all = append(all, owned{b, c})
		}
	}
	of = len(all)
	n = max(min(n, of), 0)
	for i := range n {
		x := all[i*of/n]
		list = append(list, x.c.shadow(x.b))
	}
	return list, of
}

func (s *Shadow) clock(t int64) model.Moment { return momentIn(s.loc, t) }

// Detect returns the smallest changes that would be noticed; see trial.Detect. It takes a tenth of a second of CPU.
func (s *Shadow) Detect() []trial.Notice {
	return trial.Detect(&s.model, &s.params, s.clock)
}

// TrialResult is what one fault gave in the signals of a pack.
type TrialResult struct {
	Pack     string
	Fault    trial.Fault
	Tried    int   // signals to which the fault means something
	Found    int   // of these, alarmed; of quiet days false alarms
	MedianMs int64 // half of those found took no longer; 0 when none was
}

// MissedBy is a signal and the faults that it would not notice.
type MissedBy struct {
	Signal string
	Faults []trial.Fault
}

// SelfTestReport is what came of faults that were injected into shadows.
type SelfTestReport struct {
	Signals int // tried
	Young   int // left out: a day of windows has not been learned yet
	Results []TrialResult
	Blind   []MissedBy // most missed first, at most 50
}

const (
	trialAgeMs = 24 * 3_600_000 // of windows before a model is tried
	blindMax   = 50
)

// SelfTest injects every fault that means something into each shadow. progress, when set, is called after each with how many are done. It ends
// early, with what it has, when ctx does. A shadow takes about two milliseconds of CPU.
func SelfTest(ctx context.Context, list []*Shadow, progress func(done int)) SelfTestReport {
	type key struct {
		pack  string
		fault trial.Fault
	}
	delays := map[key][]int64{}
	tried := map[key]int{}
	var rep SelfTestReport
	for i, s := range list {
		if ctx.Err() != nil {
			break
		}
		p := &s.params
		if s.model.Seen()*p.StepMs < trialAgeMs {
			rep.Young++
			continue
		}
		rep.Signals++
		var missed []trial.Fault
		for f := trial.NoFault; f < trial.FaultKinds; f++ {
			after, ok := trial.Run(&s.model, p, s.clock, f)
			if !ok {
				continue
			}
			k := key{s.Signal.Rule.Pack, f}
			tried[k]++
			if after >= 0 {
				delays[k] = append(delays[k], after)
			} else if f != trial.NoFault {
				missed = append(missed, f)
			}
		}
		if len(missed) > 0 {
			rep.Blind = append(rep.Blind, MissedBy{s.Signal.ID, missed})
		}
		if progress != nil {
			progress(i + 1)
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(tried), func(a, b key) int {
		return cmp.Or(strings.Compare(a.pack, b.pack), cmp.Compare(a.fault, b.fault))
	}) {
		r := TrialResult{Pack: k.pack, Fault: k.fault, Tried: tried[k], Found: len(delays[k])}
		if d := delays[k]; len(d) > 0 {
			slices.Sort(d)
			r.MedianMs = d[(len(d)-1)/2]
		}
		rep.Results = append(rep.Results, r)
	}
	slices.SortStableFunc(rep.Blind, func(a, b MissedBy) int {
		return cmp.Or(-cmp.Compare(len(a.Faults), len(b.Faults)), strings.Compare(a.Signal, b.Signal))
	})
	rep.Blind = rep.Blind[:min(len(rep.Blind), blindMax)]
	return rep
}
