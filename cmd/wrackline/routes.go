package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/alerting/route"
)

const routesHelp = `Routes say which receivers are told of what, in Alertmanager's words (see docs/receivers.md).

  wrackline routes show --config.file wrackline.yml                                  the tree
  wrackline routes test --config.file wrackline.yml severity=page namespace=shop     who would be told of an incident with these labels
  wrackline routes test --config.file wrackline.yml --at 2026-12-24T22:00:00Z severity=warn
  wrackline routes test --config.file wrackline.yml --expect pager,shop severity=page   exit code 3 when it would be others

Labels are those of the signal that an incident's title speaks of: severity, cluster, namespace, workload, node, pack, alertname. One that is not given is empty.
`

func runRoutes(_ context.Context, e env, args []string) error {
	fs := newFlags(e, "routes")
	configFile := fs.String("config.file", "", "configuration `file` with the routes")
	at := fs.String("at", "", "`time` for which silent routes are shown, as 2026-12-24T22:00:00Z (default: now)")
	expect := fs.String("expect", "", "`receivers` that must be reached, with commas between; of a muted route nobody is")
	verb, err := parseVerb(e, fs, args)
	if err != nil {
		return err
	}
	if verb != "test" && verb != "show" {
		return usagef("want test or show")
	}
	when := time.Now()
	if *at != "" {
		if when, err = time.Parse(time.RFC3339, *at); err != nil {
			return usagef("--at: %q is not a time such as 2026-12-24T22:00:00Z", *at)
		}
	}
	labels := map[string]string{}
	for _, a := range fs.Args() {
		k, v, ok := strings.Cut(a, "=")
		if !ok || !slices.Contains(route.Names, k) {
			return usagef("%q is not a label and its value; labels are %s", a, strings.Join(route.Names, ", "))
		}
		labels[k] = strings.Trim(v, `"`)
	}
	if verb == "show" && (len(labels) > 0 || *expect != "") {
		return usagef("show takes no labels")
	}
	cfg, err := loadConfig(*configFile)
	if err != nil {
		return err
	}
	if verb == "show" {
		showRoutes(e, &cfg)
		return nil
	}
	tree, err := notify.NewTree(cfg.Route, cfg.TimeIntervals, cfg.Receivers)
	if err != nil {
		return err
	}
	reached := testRoutes(e, &cfg, tree, labels, when)
	if *expect == "" {
		return nil
	}
	want := strings.Split(*expect, ",")
	slices.Sort(want)
	slices.Sort(reached)
	if !slices.Equal(slices.Compact(want), slices.Compact(reached)) {
		fmt.Fprintf(e.stdout, "It reaches %s, and %s was expected.\n", orNobody(reached), orNobody(want))
		return errFindings
	}
	return nil
}

func orNobody(list []string) string {
	if len(list) == 0 {
		return "nobody"
	}
	return strings.Join(list, ", ")
}

// testRoutes prints the ways of an incident and returns which receivers are told at once.
func testRoutes(e env, cfg *config, tree *route.Tree, labels map[string]string, when time.Time) (reached []string) {
	if tree == nil {
		for _, r := range cfg.Receivers {
			fmt.Fprintf(e.stdout, "%s  (there is no route: everybody is told everything)\n", r.Name)
			reached = append(reached, r.Name)
		}
		return reached
	}
	for _, l := range tree.Match(labels) {
		fmt.Fprintf(e.stdout, "%s  (%s%s)\n", l.Receiver, cfg.spot(l.Path), aboutLeg(l, when))
		if !l.MutedAt(when) {
			reached = append(reached, l.Receiver)
		}
	}
	return reached
}

// spot says where in the file a path stands.
func (c *config) spot(path string) string {
	if c.place == nil {
		return path
	}
	return path + ", " + c.place(path)
}

func aboutLeg(l *route.Leg, when time.Time) (text string) {
	if l.MutedAt(when) {
		text += "; silent at that time"
	}
	if l.Contract != "" && l.PerDay >= 0 {
		text += fmt.Sprintf("; %d a day besides pages", l.PerDay)
	}
	if l.Contract != "" && l.PerDay < 0 {
		text += "; any number a day"
	}
	if l.Repeat > 0 {
		text += "; again each " + l.Repeat.String()
	}
	if l.Escalate > 0 {
		text += fmt.Sprintf("; a page that is open after %s also to %s", l.Escalate, l.EscalTo)
	}
	return text
}

// showRoutes prints the tree, each route below its parent.
func showRoutes(e env, cfg *config) {
	if cfg.Route == nil {
		fmt.Fprintln(e.stdout, "There is no route: every receiver is told everything.")
		return
	}
	var walk func(r *route.Route, indent string)
	walk = func(r *route.Route, indent string) {
		what := strings.Join(r.Matchers, ", ")
		if what == "" {
			what = "everything"
		}
		who := r.Receiver
		if who == "" {
			who = "(its parent's)"
		}
		fmt.Fprintf(e.stdout, "%s%s → %s", indent, what, who)
		if len(r.MuteTimeIntervals) > 0 {
			fmt.Fprint(e.stdout, "; mute ", strings.Join(r.MuteTimeIntervals, ", "))
		}
		if len(r.ActiveTimeIntervals) > 0 {
			fmt.Fprint(e.stdout, "; active ", strings.Join(r.ActiveTimeIntervals, ", "))
		}
		if r.Continue {
			fmt.Fprint(e.stdout, "; continue")
		}
		fmt.Fprintln(e.stdout)
		for _, b := range r.Routes {
			walk(b, indent+"  ")
		}
	}
	walk(cfg.Route, "")
}
