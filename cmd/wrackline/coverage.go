package main

import (
	"context"
	"net/url"
	"slices"
)

const coverageHelp = `Says which questions a running Wrackline can answer of each cluster, area by area, what is missing for the others and why, and the lines that would bring it.

  wrackline coverage                      a table, and what to do, what would have caught most first
  wrackline coverage --cluster prod-eu    of one cluster
  wrackline coverage --output json        every question, with the metrics that it lacks

asked      its metrics arrive
missing    what it needs does not arrive, though the cluster has it or should: no scrape job, or a list on the way drops it
quiet      it counts what should not happen, and has no series before it does
not here   what it is about is not seen to run in the cluster
waiting    the cluster is too young to say

The share is of questions that are asked or missing. Nothing is changed, and no right is needed.
`

func runCoverage(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "coverage")
	t := addTellerAt(fs, defaultServer, "`URL` of a running Wrackline")
	output := fs.String("output", "table", "table or json")
	cluster := fs.String("cluster", "", "only this `cluster`")
	if err := parseFlags(e, fs, args); err != nil {
		return err
	}
	if !slices.Contains([]string{"table", "json"}, *output) {
		return usagef("output %q: want table or json", *output)
	}
	q := url.Values{"output": {*output}}
	if *cluster != "" {
		q.Set("cluster", *cluster)
	}
	return printAnswer(ctx, e, t, "/api/v1/coverage?"+q.Encode(), *output == "json")
}
