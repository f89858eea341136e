package pack

import (
	"slices"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/identity"
)

// Metrics returns the metric names that any form of the rule needs of senders, sorted.
func (r *Rule) Metrics() []string {
	var out []string
	for _, src := range r.Exprs {
		p, err := Compile(src)
		if err != nil {
			continue // the loader has refused it before
		}
		for _, l := range p.Leaves {
			if Language.IsMade(l.Name) {
				continue // nobody needs to send it
			}
			out = append(out, l.Name)
			if l.Base != "" {
				out = append(out, l.Base) // the same, sent as a native histogram
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// KeepList returns the names of all metrics that the packs and the identity of workloads need, sorted: what a sender should pass on.
func KeepList(packs []*Pack) []string {
	out := append(identity.Metrics(), change.Metrics()...)
	for _, p := range packs {
		for _, r := range p.Rules {
			out = append(out, r.Metrics()...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
