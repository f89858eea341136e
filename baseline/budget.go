package baseline

import (
	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/model/budget"
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
	for _, c := range e.clusters {
		if c != nil {
			c.share()
		}
	}
}

// share takes a cluster's part of the budget: it is divided between the kinds of signals that there are, and among clusters by how many of a kind they have.
func (c *cluster) share() {
	kinds := 0
	for k, n := range c.kinds {
		if n+c.others[k] > 0 {
			kinds++
		}
	}
	for k := range c.budgets {
		part := 1.
		if all := c.kinds[k] + c.others[k]; c.others[k] > 0 {
			part = float64(c.kinds[k]) / float64(all)
		}
		c.budgets[k].Asked = c.e.opts.FalseAlarmsPerWeek / float64(max(kinds, 1)) * part
	}
}

// counted notes that a signal has come (by = 1) or gone.
func (c *cluster) counted(s *signal.Signal, by int) {
	k := budgetKind(s.Rule)
	if k < 0 {
		return
	}
	was := c.kinds[k]
	if c.kinds[k] += by; (was == 0) != (c.kinds[k] == 0) || c.others[k] > 0 {
		c.share()
	}
}

// budgetOf returns the budget that a rule draws on, nil for none.
func budgetOf(budgets *[budgetKinds]budget.Budget, r *pack.Rule) *budget.Budget {
	if k := budgetKind(r); k >= 0 {
		return &budgets[k]
	}
	return nil
}

// heed gives p the strictness that a budget asks; nil asks for none.
func heed(b *budget.Budget, p *model.Params) {
	if b == nil {
		return
	}
	if s := b.Strict(); s != 1 {
		p.Strict = s
	}
}

// passed lets time pass for the budgets.
func (c *cluster) passed(t int64) {
	for k := range c.budgets {
		c.budgets[k].Pass(t)
	}
}

// budgetViews says how the budgets of all clusters stand together: signals and false alarms added up, the strictest.
func (e *Engine) budgetViews() []BudgetView {
	var out []BudgetView
	for k := range budgetNames {
		v := BudgetView{Kind: budgetNames[k], Known: true}
		for _, c := range e.clusters {
			if c == nil || c.kinds[k] == 0 {
				continue
			}
			b := &c.budgets[k]
			x, known := b.Expected()
			v.Signals, v.Asked, v.Expected, v.Known, v.Strict = v.Signals+c.kinds[k], v.Asked+b.Asked, v.Expected+x, v.Known && known, max(v.Strict, b.Strict())
		}
		if v.Signals == 0 {
			continue
		}
		out = append(out, v)
		budgetStrict[k].Set(v.Strict)
		budgetExpected[k].Set(v.Expected)
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
