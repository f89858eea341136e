package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/pack"
)

// metricsTable writes docs/metrics.md: which set-up makes which signal live, and which metric reaches a Prometheus there.
func metricsTable(w io.Writer, packs []*pack.Pack) error {
	stacks, err := pack.Stacks()
	if err != nil {
		return err
	}
	live, count := make([]int, len(stacks)), 0
	for _, p := range packs {
		for _, r := range p.Rules {
			count++
			for i, s := range stacks {
				if r.LivesOn(s) >= 0 {
					live[i]++
				}
			}
		}
	}
	fmt.Fprintf(w, `# Signals, their metrics, and who has them

Made by `+"`wrackline packs metrics`"+`; a test holds it. %d signals. Set-ups are taken as they come: what they scrape by themselves, with their own allow lists. What you add to
them, a mesh or cert-manager, is not in the counts.

| set-up | signals that it can make live |
|---|---|
`, count)
	for i, s := range stacks {
		fmt.Fprintf(w, "| %s | %d |\n", s.Name, live[i])
	}
	fmt.Fprintf(w, "\n## Signals\n\nA number is the form (`wrackline packs explain SIGNAL`) whose metrics are there; `–`: what exports them is scraped and they are dropped, or not all of it is scraped; nothing: the software is your own to add.\n")
	for _, p := range packs {
		fmt.Fprintf(w, "\n### %s: %s\n\n| signal | metrics |%s\n|---|---|%s\n", p.Name, p.Title, heads(stacks), strings.Repeat("---|", len(stacks)))
		for _, r := range p.Rules {
			fmt.Fprintf(w, "| `%s` | %s |", r.Name, strings.Join(shown(r), ", "))
			for _, s := range stacks {
				fmt.Fprintf(w, " %s |", cell(r, s))
			}
			fmt.Fprintln(w)
		}
	}
	fmt.Fprintf(w, "\n## Metrics\n\nEach metric that packs, identity or changes ask for. `✓`: it arrives; `–`: what exports it is scraped and it is dropped.\n\n| metric | of |%s\n|---|---|%s\n",
		heads(stacks), strings.Repeat("---|", len(stacks)))
	for _, m := range pack.KeepList(packs) {
		fmt.Fprintf(w, "| `%s` | %s |", m, strings.Join(pack.SoftwareOf(m), ", "))
		for _, s := range stacks {
			mark := ""
			switch {
			case s.Has(m):
				mark = "✓"
			case s.Scraped(m):
				mark = "–"
			}
			fmt.Fprintf(w, " %s |", mark)
		}
		fmt.Fprintln(w)
	}
	return nil
}

func heads(stacks []*pack.Stack) (out string) {
	for _, s := range stacks {
		out += " " + s.Name + " |"
	}
	return out
}

// shown returns a rule's metrics as they are read: a histogram once.
func shown(r *pack.Rule) (out []string) {
	for _, m := range r.Metrics() {
		if m = "`" + otelName(m) + "`"; !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

// cell says whether a signal can live in a set-up.
func cell(r *pack.Rule, s *pack.Stack) string {
	if form := r.LivesOn(s); form >= 0 {
		return fmt.Sprint(form + 1)
	}
	if slices.ContainsFunc(r.Metrics(), s.Scraped) {
		return "–"
	}
	return ""
}
