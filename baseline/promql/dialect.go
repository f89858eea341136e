package promql

import (
	"slices"
	"strings"
)

// Dialect is what expressions mean beyond PromQL, and what they must not ask. The zero value is plain PromQL within the subset.
type Dialect struct {
	Scope  string           // a label that every result keeps, since an evaluation is within one value of it; "" = none
	Zeros  bool             // the zero law: a part that was never counted, over a whole that was, is 0 and not absent
	Churny map[string]Churn // labels that no result may have, by name: what they name is replaced all the time
	Prefix string           // of the metrics that the caller makes as gauges, which no series may have; "" = none are made
	Made   []string         // their names
}

// Churn says of a churny label what to write instead of it.
type Churn struct {
	Instead string
	Prefix  string // it churns only where a metric's name begins with this; "" = everywhere
	Except  string // it does not where all metrics' names begin with this; "" = nowhere
}

// IsMade reports whether a metric is one that the caller makes, or would have to be one by its name.
func (d *Dialect) IsMade(name string) bool {
	return d.Prefix != "" && strings.HasPrefix(name, d.Prefix)
}

// scoped returns the sorted union of label names and the scope.
func (d *Dialect) scoped(names []string) []string {
	if d.Scope == "" {
		return union(names)
	}
	return union(names, d.Scope)
}

// ZeroLaws counts the divisions of a plan to which the zero law applies.
func (p *Plan) ZeroLaws() int { return p.root.zeroLaws() }

func (n *node) zeroLaws() (sum int) {
	if n == nil {
		return 0
	}
	if n.zero {
		sum = 1
	}
	return sum + n.l.zeroLaws() + n.r.zeroLaws()
}

// Selects reports whether the plan selects a metric.
func (p *Plan) Selects(ok func(metric string) bool) bool {
	return slices.ContainsFunc(p.Leaves, func(l *Leaf) bool { return ok(l.Name) })
}
