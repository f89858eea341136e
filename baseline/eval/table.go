package eval

// Reports as text.

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// String renders the report as a few lines of text.
func (s *SetReport) String() string {
	var b strings.Builder
	e, d, f, days := s.Totals()
	fmt.Fprintf(&b, "%s: %d series, %.0f series-days, %d events\n", s.Name, len(s.Series), days, e)
	fmt.Fprintf(&b, "  recall %s  precision %s  F1 %.2f  false alerts %d (%.3f per series-day)\n", ratio(d, e), ratio(d, d+f), s.F1(), f, s.FalsePerDay())
	if d > 0 {
		fmt.Fprintf(&b, "  delay  median %s  90 %% %s\n", seconds(s.Delay(.5)), seconds(s.Delay(.9)))
	}
	if s.Incidents > 0 {
		fmt.Fprintf(&b, "  incidents  %d of %d caught; by chance %.2f\n", s.Caught, s.Incidents, s.Chance)
	}
	return b.String()
}

// Table renders several sets as one table of fixed columns, with the mean of the sets' F1 below when there are several. The last
// column says which tests raised the false alerts. The same reports give the same text.
func Table(sets []SetReport) string {
	var b strings.Builder
	line := func(f string, args ...any) {
		b.WriteString(strings.TrimRight(fmt.Sprintf(f, args...), " "))
		b.WriteByte('\n')
	}
	line("%-12s %6s %6s %6s %6s %6s %5s %9s %10s %5s %5s %8s %8s  %-16s  %-21s  %s", "set", "series", "days", "events", "recall", "prec", "F1", "false/day", "best (at)",
		"AUC", "VUS", "delay50", "delay90", "caught (chance)", "entity F1 (false/day)", "found / false by test")
	sum, bests, aucs, vuss, ranked := 0., 0., 0., 0., 0.
	for i := range sets {
		s := &sets[i]
		e, d, f, days := s.Totals()
		inc := "-"
		if s.Incidents > 0 {
			inc = fmt.Sprintf("%d/%d (%.2f)", s.Caught, s.Incidents, s.Chance)
		}
		ent := "-"
		if n := &s.Entities; n.Events > 0 {
			ent = fmt.Sprintf("%.2f (%.3f)", n.F1(), float64(n.False)/n.Days)
		}
		at, best := s.Best()
		auc, vus := s.Areas()
		bests += best
		if !math.IsNaN(vus) {
			aucs += auc
			vuss += vus
			ranked++
		}
		line("%-12s %6d %6.0f %6d %6s %6s %5.2f %9.3f %4.2f (%3.1f) %5s %5s %8s %8s  %-16s  %-21s  %s", s.Name, len(s.Series), days, e, ratio(d, e), ratio(d, d+f),
			s.F1(), s.FalsePerDay(), best, at, share(auc), share(vus), seconds(s.Delay(.5)), seconds(s.Delay(.9)), inc, ent, s.byTest())
		sum += s.F1()
	}
	if len(sets) > 1 {
		n := float64(len(sets))
		line("%-12s %6s %6s %6s %6s %6s %5.2f %9s %4.2f       %5s %5s", "mean", "", "", "", "", "", sum/n, "", bests/n, share(aucs/ranked), share(vuss/ranked))
	}
	return b.String()
}

// byTest lists the tests that spoke, each with events found / false alerts.
func (s *SetReport) byTest() string {
	n := map[string][2]int{}
	for i := range s.Series {
		for test, k := range s.Series[i].Found {
			x := n[test]
			x[0] += k
			n[test] = x
		}
		for test, k := range s.Series[i].Tests {
			x := n[test]
			x[1] += k
			n[test] = x
		}
	}
	tests := slices.Sorted(maps.Keys(n))
	for i, t := range tests {
		tests[i] = fmt.Sprintf("%s %d/%d", t, n[t][0], n[t][1])
	}
	return strings.Join(tests, ", ")
}

// BudgetTable renders the budgets of sets; empty when none was asked.
func BudgetTable(sets []SetReport) string {
	var b strings.Builder
	for i := range sets {
		r := &sets[i].Budget
		if r.Asked == 0 {
			continue
		}
		if b.Len() == 0 {
			fmt.Fprintf(&b, "\n%-12s %6s %6s %12s %13s %13s %17s\n", "budget", "series", "weeks", "asked a week", "false a week", "foretold then", "strictness (mean)")
		}
		fmt.Fprintf(&b, "%-12s %6d %6.1f %12.3g %13.2f %13.2f %10.2f (%.2f)\n", sets[i].Name, len(sets[i].Series), r.Weeks, r.Asked, r.Realised, r.Expected, r.Strict, r.MeanStrict)
	}
	return b.String()
}

// share renders a number from 0 to 1, and - for one that does not exist.
func share(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.2f", v)
}

func ratio(a, b int) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(a)/float64(b))
}

func seconds(s float64) string {
	switch {
	case math.IsNaN(s):
		return "-"
	case s < 120:
		return fmt.Sprintf("%.0f s", s)
	case s < 7200:
		return fmt.Sprintf("%.0f min", s/60)
	}
	return fmt.Sprintf("%.1f h", s/3600)
}
