package pack

import (
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/promql"
)

// Metrics returns the metric names that any form of the rule needs of senders, sorted.
func (r *Rule) Metrics() []string {
	var out []string
	for i := range r.Exprs {
		out = append(out, r.Needs(i)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Needs returns the metric names that a form of the rule needs of senders, sorted. The caller must not change them.
func (r *Rule) Needs(form int) []string {
	if r.needs != nil {
		return r.needs[form]
	}
	p, err := Compile(r.Exprs[form])
	if err != nil {
		return nil // the loader refuses such
	}
	return metricsOf(nil, p, r.Exprs[form])
}

// metricsOf adds the metric names that a plan needs of senders to a list, which stays sorted.
func metricsOf(out []string, p *promql.Plan, src string) []string {
	for _, l := range p.Leaves {
		if Language.IsMade(l.Name) {
			continue // nobody needs to send it
		}
		out = append(out, l.Name)
		if mayBeNative(l, src) {
			out = append(out, l.Base) // the same, sent as a native histogram
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// mayBeNative reports whether the metric of a leaf of an expression may come as a native histogram. A count is one of a histogram when the expression names that,
// or the histogram's unit shows: of apiserver_admission_webhook_rejection_count there is none.
func mayBeNative(l *promql.Leaf, src string) bool {
	switch {
	case l.Base == "":
		return false
	case !strings.HasSuffix(l.Name, "_count") || strings.Contains(src, l.Base+"[") || strings.Contains(src, l.Base+"{"):
		return true
	}
	return slices.ContainsFunc([]string{"_seconds", "_milliseconds", "_ms", "_bytes"}, func(unit string) bool { return strings.HasSuffix(l.Base, unit) })
}

// KeepList returns the names of all metrics that the packs and the identity of workloads need, sorted: what a sender should pass on.
func KeepList(packs []*Pack) []string {
	out := append(identity.Metrics(), change.Metrics()...)
	for _, p := range packs {
		for _, r := range p.Rules {
			out = append(out, r.Metrics()...)
		}
		for _, m := range p.Measures {
			out = append(out, m.Metrics()...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// KeepGroup is a part of a keep-list: what a pack asks for, or what all of them need.
type KeepGroup struct {
	Name, Title string
	Metrics     []string // sorted; none of them is in a group before
}

// KeepGroups divides a keep-list by who asks for a metric first: the identity of workloads, changes, then the packs in their order. Groups without a metric are
// left out.
func KeepGroups(packs []*Pack, keep []string) []KeepGroup {
	seen := map[string]bool{}
	group := func(name, title string, metrics []string) KeepGroup {
		g := KeepGroup{Name: name, Title: title}
		for _, m := range metrics {
			if _, kept := slices.BinarySearch(keep, m); kept && !seen[m] {
				seen[m] = true
				g.Metrics = append(g.Metrics, m)
			}
		}
		slices.Sort(g.Metrics)
		return g
	}
	groups := []KeepGroup{group("identity", "Whose series are, and on which node", identity.Metrics()), group("changes", "What is done to the cluster", change.Metrics())}
	for _, p := range packs {
		var all []string
		for _, r := range p.Rules {
			all = append(all, r.Metrics()...)
		}
		for _, m := range p.Measures {
			all = append(all, m.Metrics()...)
		}
		groups = append(groups, group(p.Name, p.Title, all))
	}
	return slices.DeleteFunc(groups, func(g KeepGroup) bool { return len(g.Metrics) == 0 })
}
