// Coverage: which questions are answered of each cluster, what is missing, and what would bring it.

package ui

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/coverage"
)

// coverageOf gathers what is known of each cluster, in their order; a name asks for one only.
func coverageOf(st *Status, v *baseline.View, snap *alerting.Snapshot, cluster string) (out []*coverage.Report) {
	facts := map[string]*coverage.Facts{}
	for _, p := range packsOf(st) { // it says which rules wait
		for i := range p.Signals {
			r := &p.Signals[i]
			if r.Rule == nil || cluster != "" && r.Cluster != cluster {
				continue
			}
			if facts[r.Cluster] == nil {
				facts[r.Cluster] = &coverage.Facts{Cluster: r.Cluster, Caught: map[string]int{}}
			}
			f := facts[r.Cluster]
			f.Uses = append(f.Uses, coverage.Use{Rule: r.Rule, Form: r.Form, Missing: r.Missing, Waiting: r.Waiting() != ""})
		}
	}
	for name, runs := range runsIn(v) {
		if f := facts[name]; f != nil {
			f.Runs = slices.Sorted(maps.Keys(runs))
		}
	}
	caughtIn(snap, facts)
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		out = append(out, coverage.Of(facts[name]))
	}
	return out
}

// runsIn returns the names of the workloads that are seen, by cluster.
func runsIn(v *baseline.View) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	add := func(cluster, workload string) {
		if workload == "" {
			return
		}
		if out[cluster] == nil {
			out[cluster] = map[string]bool{}
		}
		out[cluster][workload] = true
	}
	for _, s := range v.Signals {
		add(s.Signal.Entity.Get("cluster"), s.Signal.Entity.Get("workload"))
	}
	for i := range v.Sizes {
		for k := range v.Sizes[i].Containers {
			add(v.Sizes[i].Cluster, v.Sizes[i].Containers[k].Workload)
		}
	}
	return out
}

// caughtIn counts for each cluster in how many incidents of others a rule had an alarm.
func caughtIn(snap *alerting.Snapshot, facts map[string]*coverage.Facts) {
	for _, list := range [...][]*alerting.Incident{snap.Open, snap.Closed} {
		for _, inc := range list {
			rules := map[string]bool{}
			for i := range inc.Members {
				if r := inc.Members[i].Rule; r != nil {
					rules[r.Name] = true
				}
			}
			for name, f := range facts {
				if name == inc.Cluster {
					continue
				}
				for rule := range rules {
					f.Caught[rule]++
				}
			}
		}
	}
}

// coverText words a score: "142 of 171 questions, 83 %".
func coverText(c *coverage.Counts) string {
	share, ok := c.Score()
	if !ok {
		return "nothing to say yet"
	}
	n := c.Of(coverage.Asked)
	return fmt.Sprintf("%d of %s, %.0f %%", n, plural(n+c.Of(coverage.Missing), "question"), 100*share)
}

// coverageTable words reports for a terminal.
func coverageTable(list []*coverage.Report) string {
	var b strings.Builder
	for i, r := range list {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s: %s\n\n", alerting.Clean(r.Cluster, textMax), coverText(&r.Counts))
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "AREA\tASKED\tMISSING\tQUIET\tNOT HERE\tWAITING")
		for k := range r.Areas {
			a := &r.Areas[k]
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\n", a.Title, a.Of(coverage.Asked), a.Of(coverage.Missing), a.Of(coverage.Quiet), a.Of(coverage.NotHere), a.Of(coverage.Waiting))
		}
		_ = w.Flush() // a Builder takes everything
		if len(r.Gaps) > 0 {
			b.WriteString("\nWhat is missing, what would have caught most first\n")
		}
		for k := range r.Gaps {
			g := &r.Gaps[k]
			fmt.Fprintf(&b, "\n%d. %s\n   %s.\n", k+1, g.Why(), g.Rank())
			for _, q := range g.Asks(3) {
				fmt.Fprintf(&b, "   - %s\n", q)
			}
			if more := len(g.Questions) - 3; more > 0 {
				fmt.Fprintf(&b, "   - and %d more\n", more)
			}
			for line := range strings.Lines(g.Lines) {
				b.WriteString("       " + line)
			}
			if g.Note != "" {
				fmt.Fprintf(&b, "   %s\n", g.Note)
			}
		}
	}
	if len(list) == 0 {
		return "Nothing has arrived yet: there is no cluster to ask about.\n"
	}
	return b.String()
}
