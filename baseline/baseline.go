package baseline

import (
	"math"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/model/budget"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/signal"
)

// baseline is all that belongs to one signal. The zero value belongs to none. Baselines lie in chunks and never move, so others may hold on
// to one; whose it is may change when a number is used again. What has pointers comes first: the garbage collector does not look at the model.
type baseline struct {
	signal *signal.Signal // whose it is; nil when it never was anybody's
	kin    [2]*kin        // who may lend to it: of its cluster, of all; nil where nobody may
	lastVerdict
	number uint32 // for the recorder, + 1; 0 = none yet
	model  model.Model
}

// lastVerdict is what is known of a signal besides its model: what views show, and what the next judgement leans on.
type lastVerdict struct {
	v     Verdict         // the newest; its Signal is nil when there is none
	since int64           // Unix ms since which the state has been what it is
	top   []signal.Member // of the newest verdict, owned
	why   model.Why
	near  budget.Stretch // the near miss under way, for the budget

	cadence cadence
}

// chunkLen is how many baselines lie together. Chunks are never moved, so growing costs no copy of what is there.
const chunkLen = 256

// chunks are baselines by Signal.Index.
type chunks [][]baseline

// at returns the baseline of a number, nil when there is none yet.
func (c chunks) at(i uint32) *baseline {
	if int(i)/chunkLen >= len(c) {
		return nil
	}
	return &c[i/chunkLen][i%chunkLen]
}

// grown returns the baseline of a number, made where there is none yet.
func (c *chunks) grown(i uint32) *baseline {
	for len(*c)*chunkLen <= int(i) {
		*c = append(*c, make([]baseline, chunkLen))
	}
	return c.at(i)
}

// begin makes b the baseline of s, which has learned nothing.
func (b *baseline) begin(s *signal.Signal) {
	*b = baseline{signal: s}
	b.model.Init(&s.Rule.Params)
}

// closing is what a window says to each of its signals. The zero value is not useful.
type closing struct {
	at      model.Moment // its end
	window  int64        // its number among those of its cluster that had values, for the cadence
	changes []change.Change
	budgets *[budgetKinds]budget.Budget
	wants   map[*pack.Rule]bool         // see baseline.prior
	before  func(ms int64) model.Moment // how long before its end
}

// bornZeros is of how many uneventful windows a signal is told that counts what should not happen and was never seen: as many as a model needs to begin.
const bornZeros = 30

// observe judges one observation of the window that closes, learns it, and returns the verdict. It is the whole way of an observation: the
// rule's parameters as this window has them, what siblings lend, the judgement, the budget, what is kept.
func (b *baseline) observe(c *closing, o *signal.Observation) Verdict {
	p := o.Signal.Rule.Params
	if counted(o, &p); p.Trials == 0 || p.Trials >= p.Least {
		p.EffectAbs = max(p.EffectAbs, leastEffect(o))
	}
	if p.Lends() && b.model.Asks() {
		b.model.Borrow(&p, c.at, b.prior(c.at.T, c.wants))
	}
	strict := budgetOf(c.budgets, o.Signal.Rule)
	heed(strict, &p)
	b.cadence.came(c.window)
	if o.Newborn && o.Signal.Rule.BornZero && b.model.Seen() == 0 {
		for i := int64(bornZeros); i > 0; i-- {
			b.model.Observe(&p, c.before(i*p.StepMs), 0)
		}
	}
	if b.v.Signal != nil && explained(&b.v, c.changes) {
		p.Explained = true
	}
	j := b.model.Explain(&p, c.at, o.Value, &b.why)
	if strict != nil {
		strict.See(&b.near, j.Score, j.State.Alarm(), j.Transition == model.Opened)
	}
	value := o.Value
	if j.Of > 0 && p.Trials > 0 {
		value = j.Count / j.Of // of all windows since it began: one of a few events says nothing
	}
	v := Verdict{Signal: o.Signal, T: c.at.T, Value: value, Judgement: j, Members: o.Members, Expected: o.Expected, Top: o.Top}
	b.keep(v)
	return v
}

// keep makes v the newest verdict.
func (b *baseline) keep(v Verdict) {
	if b.v.Signal == nil || b.v.State != v.State {
		b.since = v.T
		if v.State.Alarm() && v.Onset > 0 {
			b.since = v.Onset
		}
	}
	b.top = append(b.top[:0], v.Top...) // views outlive the window, and v.Top does not
	b.v, b.v.Top = v, nil
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

// counted tells the judge of how many events o is made.
func counted(o *signal.Observation, p *model.Params) {
	switch r := o.Signal.Rule; {
	case o.Span == 0:
	case r.Share():
		p.Trials, p.Least, p.Worth = o.Events/float64(o.Span), r.MinEvents/float64(o.Span), r.EffectEvents
	case r.Unit == "/s" && p.Mode == model.Level:
		p.PerUnit = float64(p.StepMs) / 1000
	}
}
