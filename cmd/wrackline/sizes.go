package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
)

const sizesHelp = `Says what containers should request and be limited to, as a running Wrackline has learned it: from the usage of each pod over the weeks,
hour by hour, its starts, its peaks, its kills and its throttling. Nothing is changed; what it prints is for people, spreadsheets or kubectl.

  wrackline sizes                                           a table, what wastes most first
  wrackline sizes --sort risk                               what is in danger with what is set today first
  wrackline sizes --namespace shop --output yaml-patch > sizes.yaml
  kubectl apply --server-side --force-conflicts --field-manager=wrackline --dry-run=server -f sizes.yaml     try it; without --dry-run it is done
  wrackline sizes --output csv | json                       all numbers, with the reasons in words

Memory requests and limits are the same, since what is over its request is evicted first. A CPU limit is advised only where there is one today. What has not
been seen for long enough is not guessed at: "not yet" says what is missing. docs/sizes.md says how the numbers come about.
`

// sizesOutputs are what sizes may be written as.
var sizesOutputs = []string{"table", "json", "yaml-patch", "csv"}

func runSizes(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "sizes")
	t := addTellerAt(fs, defaultServer, "`URL` of a running Wrackline")
	output := fs.String("output", "table", "table, json, yaml-patch or csv")
	q := url.Values{}
	for _, f := range [...]struct{ name, help string }{{"namespace", "only this `namespace`"}, {"cluster", "only this `cluster`"}, {"workload", "only this `workload`"}, {"sort", "waste, risk or namespace"}} {
		fs.Func(f.name, f.help, func(v string) error { q.Set(f.name, v); return nil })
	}
	if err := parseFlags(e, fs, args); err != nil {
		return err
	}
	if !slices.Contains(sizesOutputs, *output) {
		return usagef("output %q: want table, json, yaml-patch or csv", *output)
	}
	if s := q.Get("sort"); s != "" && !slices.Contains([]string{"waste", "risk", "namespace"}, s) {
		return usagef("sort %q: want waste, risk or namespace", s)
	}
	q.Set("output", *output)
	return printAnswer(ctx, e, t, "/api/v1/sizes?"+q.Encode(), *output == "json")
}

// printAnswer prints what a running Wrackline answers: as it is, or of JSON the data.
func printAnswer(ctx context.Context, e env, t *teller, address string, data bool) error {
	m, err := newMatcher(ctx, e, config{}, "", t)
	if err != nil {
		return err
	}
	if data {
		var raw json.RawMessage
		if err := m.fetch(ctx, address, &raw); err != nil {
			return err
		}
		_, err := fmt.Fprintf(e.stdout, "%s\n", raw)
		return err
	}
	body, err := m.read(ctx, address)
	if err != nil {
		return err
	}
	_, err = io.WriteString(e.stdout, string(body))
	return err
}
