package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/wrackline/wrackline/query/boards"
)

const dashboardsHelp = `Writes dashboards for Grafana, and rules for the Prometheus that scrapes /metrics, into a directory.

  wrackline dashboards --out DIR

Dashboards want a data source of type Prometheus with the URL http://wrackline:9099/prometheus; import the JSON files, or put them where Grafana provisions dashboards from.
wrackline-rules.yaml is for rule_files of Prometheus, wrackline-prometheusrule.yaml the same for its operator.
`

func runDashboards(_ context.Context, e env, args []string) error {
	fs := newFlags(e, "dashboards")
	dir := fs.String("out", "", "`directory`, made when it is missing")
	if err := parseFlags(e, fs, args); err != nil {
		return err
	}
	if *dir == "" || fs.NArg() > 0 {
		return usagef("want --out DIR")
	}
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		return err
	}
	files := map[string][]byte{"wrackline-rules.yaml": boards.Rules(false), "wrackline-prometheusrule.yaml": boards.Rules(true)}
	for _, b := range boards.All() {
		files[b.UID+".json"] = b.JSON()
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(*dir, name), data, 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintf(e.stdout, "%d files in %s\n", len(files), *dir)
	return nil
}
