package signal

import (
	"slices"
	"strings"
)

// dialect is what expressions mean beyond PromQL, and what they must not ask. The zero value is plain PromQL within the subset.
type dialect struct {
	Scope  string           // a label that every result keeps, since an evaluation is within one value of it; "" = none
	Zeros  bool             // the zero law: a part that was never counted, over a whole that was, is 0 and not absent
	Churny map[string]churn // labels that no result may have, by name: what they name is replaced all the time
	Prefix string           // of the metrics that the caller makes as gauges, which no series may have; "" = none are made
	Made   []string         // their names
}

// churn says of a churny label what to write instead of it.
type churn struct {
	Instead string
	Prefix  string // it churns only where a metric's name begins with this; "" = everywhere
}

// made reports whether a metric is one that the caller makes, or would have to be one by its name.
func (d *dialect) made(name string) bool { return d.Prefix != "" && strings.HasPrefix(name, d.Prefix) }

// scoped returns the sorted union of label names and the scope.
func (d *dialect) scoped(names []string) []string {
	if d.Scope == "" {
		return union(names)
	}
	return union(names, d.Scope)
}

// zeroLaws counts the divisions of a plan to which the zero law applies.
func (p *plan) zeroLaws() int { return p.root.zeroLaws() }

func (n *node) zeroLaws() (sum int) {
	if n == nil {
		return 0
	}
	if n.zero {
		sum = 1
	}
	return sum + n.l.zeroLaws() + n.r.zeroLaws()
}

// selects reports whether the plan selects a metric.
func (p *plan) selects(ok func(metric string) bool) bool {
	return slices.ContainsFunc(p.leaves, func(l *leaf) bool { return ok(l.name) })
}
