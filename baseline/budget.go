package baseline

import (
	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/signal"
)

// The budget is kept for two kinds of signals apart, since one that nobody knows anything of (a tracked metric) errs a hundred times as often as a
// rule of a pack, and must not make that deaf. Rules of severity info alarm nobody and have no budget.
const (
	ofPacks = iota
	ofTracked
	budgetKinds
)

// budgetKind returns which budget a rule draws on, -1 for none.
func budgetKind(r *pack.Rule) int {
	switch {
	case r.Severity == pack.Info:
		return -1
	case r.Params.Extremes:
		return ofTracked
	}
	return ofPacks
}

// BudgetView is how one kind of signals stands with its share of the budget.
type BudgetView struct {
	Kind     string  // "packs" or "tracked"
	Signals  int     // that may alarm
	Asked    float64 // false alarms a week that they may raise; 0 = any number
	Expected float64 // false alarms a week that chance gives them at present
	Known    bool    // Expected says something: two days have been seen
	Strict   float64 // × the stock evidence that an alarm needs
}

var budgetNames = [budgetKinds]string{"packs", "tracked"}

// SetBudget asks for at most so many false alarms a week of all signals together; 0 asks for nothing. It belongs to the fold.
func (e *Engine) SetBudget(falseAlarmsPerWeek float64) {
	e.opts.FalseAlarmsPerWeek = max(falseAlarmsPerWeek, 0)
	e.share()
}

// share divides the budget between the kinds of signals that there are.
func (e *Engine) share() {
	kinds := 0
	for _, n := range e.kinds {
		if n > 0 {
			kinds++
		}
	}
	for k := range e.budgets {
		e.budgets[k].Asked = e.opts.FalseAlarmsPerWeek / float64(max(kinds, 1))
	}
}

// counted notes that a signal has come (by = 1) or gone.
func (e *Engine) counted(s *signal.Signal, by int) {
	k := budgetKind(s.Rule)
	if k < 0 {
		return
	}
	was := e.kinds[k]
	if e.kinds[k] += by; (was == 0) != (e.kinds[k] == 0) {
		e.share()
	}
}

// budgetOf returns the budget that a rule draws on, nil for none.
func budgetOf(budgets *[budgetKinds]model.Budget, r *pack.Rule) *model.Budget {
	if k := budgetKind(r); k >= 0 {
		return &budgets[k]
	}
	return nil
}

// heed gives p the strictness that a budget asks; nil asks for none.
func heed(b *model.Budget, p *model.Params) {
	if b == nil {
		return
	}
	if s := b.Strict(); s != 1 {
		p.Strict = s
	}
}

// passed lets time pass for the budgets.
func (e *Engine) passed(t int64) {
	for k := range e.budgets {
		e.budgets[k].Pass(t)
	}
}

// budgetViews says how the budgets stand.
func (e *Engine) budgetViews() []BudgetView {
	var out []BudgetView
	for k := range e.budgets {
		if e.kinds[k] == 0 {
			continue
		}
		b := &e.budgets[k]
		x, known := b.Expected()
		out = append(out, BudgetView{Kind: budgetNames[k], Signals: e.kinds[k], Asked: b.Asked, Expected: x, Known: known, Strict: b.Strict()})
		budgetStrict[k].Set(b.Strict())
		budgetExpected[k].Set(x)
	}
	return out
}

var budgetStrict, budgetExpected = budgetGauges("wrackline_baseline_budget_strictness"), budgetGauges("wrackline_baseline_budget_expected_false_alarms_per_week")

func budgetGauges(name string) (g [budgetKinds]*metrics.Gauge) {
	for k := range g {
		g[k] = metrics.NewGauge(name+`{kind="`+budgetNames[k]+`"}`, nil)
	}
	return g
}
