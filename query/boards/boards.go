// Package boards makes what others show and watch Wrackline with: dashboards for Grafana over the query API, and rules for the Prometheus that scrapes /metrics.
package boards

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Board is a dashboard.
type Board struct {
	UID, Title string
	Vars       []Var
	Panels     []Panel
}

// Var is a variable that is chosen from a label's values.
type Var struct{ Name, Label, Of string }

// Panel is a picture of queries.
type Panel struct {
	Title, Kind string // Kind as Grafana has it: timeseries, stat, table, bargauge
	Width       int    // of 24
	Unit        string // as Grafana has it; "" = none
	Queries     []Query
}

// Query is one question of a panel. Instant ones ask for now.
type Query struct {
	Expr, Legend string
	Instant      bool
}

const (
	scope    = `cluster=~"$cluster",namespace=~"$namespace"`
	workload = scope + `,workload=~"$workload"`
)

var (
	clusterVar   = Var{"cluster", "cluster", "wrackline_signal"}
	namespaceVar = Var{"namespace", "namespace", `wrackline_signal{cluster=~"$cluster"}`}
	workloadVar  = Var{"workload", "workload", "wrackline_signal{" + scope + "}"}
)

// Annotations are drawn on every board: incidents, and changes.
var Annotations = []struct{ Name, Expr, Title, Color string }{
	{"Incidents", `wrackline_incident{cluster=~"$cluster"}`, "{{severity}}: {{title}}", "red"},
	{"Changes", `wrackline_change{cluster=~"$cluster"}`, "{{text}}", "blue"},
}

// band asks for signals with their bands.
func band(matchers, legend string) []Query {
	return []Query{{Expr: "wrackline_signal{" + matchers + "}", Legend: legend}, {Expr: "wrackline_signal_expected{" + matchers + "}", Legend: legend + " expected"},
		{Expr: "wrackline_signal_lower{" + matchers + "}", Legend: legend + " lower"}, {Expr: "wrackline_signal_upper{" + matchers + "}", Legend: legend + " upper"}}
}

// worst asks for the signals that are most unusual.
func worst(matchers, legend string) []Query {
	return []Query{{Expr: "topk(10, wrackline_signal_score{" + matchers + "})", Legend: legend, Instant: true}}
}

// All returns the dashboards.
func All() []Board {
	return []Board{
		{"wrackline-overview", "Wrackline: overview", []Var{clusterVar}, []Panel{
			{"Open incidents", "stat", 6, "", []Query{{`count(wrackline_incident{cluster=~"$cluster"}) or vector(0)`, "open", true}}},
			{"Signals in alarm", "stat", 6, "", []Query{{`count(wrackline_signal_score{cluster=~"$cluster"} >= 1) or vector(0)`, "alarms", true}}},
			{"Signals", "stat", 6, "", []Query{{`count(wrackline_signal{cluster=~"$cluster"})`, "signals", true}}},
			{"Signals with a band", "stat", 6, "percentunit", []Query{{`count(wrackline_signal_expected{cluster=~"$cluster"}) / count(wrackline_signal{cluster=~"$cluster"})`, "banded", true}}},
			{"Signals in alarm by severity", "timeseries", 12, "", []Query{{`count by (severity) (wrackline_signal_score{cluster=~"$cluster"} >= 1) or 0 * count by (severity) (wrackline_signal_score{cluster=~"$cluster"})`, "{{severity}}", false}}},
			{"Most unusual by pack", "timeseries", 12, "", []Query{{`max by (pack) (wrackline_signal_score{cluster=~"$cluster"})`, "{{pack}}", false}}},
			{"Most unusual now (1 = told)", "table", 24, "", worst(`cluster=~"$cluster"`, "{{signal}}")},
		}},
		{"wrackline-workload", "Wrackline: workload", []Var{clusterVar, namespaceVar, workloadVar}, []Panel{
			{"Most unusual (1 = told)", "timeseries", 24, "", []Query{{"max by (signal) (wrackline_signal_score{" + workload + "})", "{{signal}}", false}}},
			{"CPU, cores", "timeseries", 12, "none", band(workload+`,signal="wl.cpu_cores"`, "{{signal}} {{workload}}")},
			{"Memory of its limit", "timeseries", 12, "percentunit", band(workload+`,signal="wl.mem_of_limit"`, "{{signal}} {{workload}}")},
			{"CPU of its limit", "timeseries", 12, "percentunit", band(workload+`,signal="wl.cpu_of_limit"`, "{{signal}} {{workload}}")},
			{"Restarts", "timeseries", 12, "none", band(workload+`,signal="wl.restarts"`, "{{signal}} {{workload}}")},
			{"Everything now against what is expected", "table", 24, "", []Query{{"wrackline_signal{" + workload + "} / wrackline_signal_expected{" + workload + "} > 0", "{{signal}}", true}}},
		}},
		{"wrackline-dns", "Wrackline: cluster DNS", []Var{clusterVar}, []Panel{
			{"Most unusual (1 = told)", "timeseries", 24, "", []Query{{`max by (signal) (wrackline_signal_score{cluster=~"$cluster",pack="dns"})`, "{{signal}}", false}}},
			{"Lookups that fail", "timeseries", 12, "percentunit", band(`cluster=~"$cluster",signal="dns.servfail_ratio"`, "{{cluster}}")},
			{"Latency", "timeseries", 12, "", band(`cluster=~"$cluster",signal="dns.latency_p99"`, "{{cluster}}")},
			{"Lookups", "timeseries", 12, "reqps", band(`cluster=~"$cluster",signal="dns.qps"`, "{{cluster}}")},
			{"Names that do not exist", "timeseries", 12, "percentunit", band(`cluster=~"$cluster",signal="dns.nxdomain_ratio"`, "{{cluster}}")},
		}},
		{"wrackline-sizes", "Wrackline: sizes", []Var{clusterVar, namespaceVar}, []Panel{
			{"Fullest memory", "timeseries", 12, "percentunit", []Query{{"topk(10, wrackline_signal{" + scope + `,signal="wl.mem_of_limit"})`, "{{signal}} {{namespace}}/{{workload}}", false}}},
			{"Most CPU, cores", "timeseries", 12, "none", []Query{{"topk(10, wrackline_signal{" + scope + `,signal="wl.cpu_cores"})`, "{{signal}} {{namespace}}/{{workload}}", false}}},
			{"Growth in a day", "table", 24, "percentunit", []Query{{"topk(20, wrackline_signal_expected{" + scope + `,signal=~"wl.cpu_cores|wl.mem_of_limit"} / (wrackline_signal_expected{` + scope + `,signal=~"wl.cpu_cores|wl.mem_of_limit"} offset 1d or wrackline_signal_expected{` + scope + `,signal=~"wl.cpu_cores|wl.mem_of_limit"}) - 1)`, "{{signal}}", true}}},
			{"Room above what is expected", "bargauge", 24, "percentunit", []Query{{"bottomk(20, wrackline_signal_upper{" + scope + `,signal=~"wl.cpu_cores|wl.mem_of_limit"} / wrackline_signal_expected{` + scope + `,signal=~"wl.cpu_cores|wl.mem_of_limit"} - 1)`, "{{signal}} {{workload}}", true}}},
		}},
	}
}

type object = map[string]any

// JSON writes a dashboard as Grafana imports it: the data source is asked for.
func (b Board) JSON() []byte {
	source := object{"type": "prometheus", "uid": "${datasource}"}
	list := []object{{"name": "datasource", "label": "Wrackline", "type": "datasource", "query": "prometheus"}}
	for _, v := range b.Vars {
		list = append(list, object{"name": v.Name, "type": "query", "datasource": source, "query": fmt.Sprintf("label_values(%s, %s)", v.Of, v.Label), "refresh": 2, "includeAll": true, "multi": true,
			"allValue": ".*", "current": object{"text": "All", "value": "$__all"}})
	}
	var notes, panels []object
	for _, a := range Annotations {
		notes = append(notes, object{"name": a.Name, "datasource": source, "enable": true, "expr": a.Expr, "step": "60s", "titleFormat": a.Title, "iconColor": a.Color})
	}
	x, y := 0, 0
	const height = 8
	for i, p := range b.Panels {
		if x+p.Width > 24 {
			x, y = 0, y+height
		}
		var targets []object
		for j, q := range p.Queries {
			t := object{"refId": string(rune('A' + j)), "datasource": source, "expr": q.Expr, "legendFormat": q.Legend, "instant": q.Instant, "range": !q.Instant}
			if q.Instant {
				t["format"] = map[bool]string{true: "table", false: "time_series"}[p.Kind == "table"]
			}
			targets = append(targets, t)
		}
		panels = append(panels, object{"id": i + 1, "title": p.Title, "type": p.Kind, "datasource": source, "gridPos": object{"x": x, "y": y, "w": p.Width, "h": height}, "targets": targets,
			"fieldConfig": object{"defaults": object{"unit": p.Unit}, "overrides": []object{}}})
		x += p.Width
	}
	out, _ := json.MarshalIndent(object{"uid": b.UID, "title": b.Title, "tags": []string{"wrackline"}, "schemaVersion": 39, "editable": true, "time": object{"from": "now-6h", "to": "now"}, "refresh": "1m",
		"templating": object{"list": list}, "annotations": object{"list": notes}, "panels": panels}, "", "  ")
	return append(out, '\n')
}

// rule is an alert on Wrackline itself.
type rule struct{ name, expr, lasts, severity, summary string }

var rules = []rule{
	{"WracklineGone", `absent(wrackline_judging)`, "10m", "critical", "No Wrackline is scraped: nothing is judged, or nobody sees that it is."},
	{"WracklineNotJudging", `wrackline_judging == 0`, "5m", "critical", "Judging does not go on; the status page says why."},
	{"WracklineNotReady", `wrackline_ready == 0`, "10m", "warning", "Requests are not taken."},
	{"WracklineCondition", `max by (job, instance, condition) (wrackline_condition_seconds) > 600`, "5m", "warning", "Wrackline is not well for more than ten minutes; the status page says what to do."},
	{"WracklineMessagesGivenUp", `increase(wrackline_notify_messages_dead_total[1h]) > 0`, "1m", "critical", "Messages to a receiver were given up; wrackline receivers test says whether it is reached."},
	{"WracklineCheckpointsFail", `increase(wrackline_checkpoints_failed_total[30m]) > 2`, "10m", "warning", "Checkpoints fail; the journal keeps what is not in one, until it is full."},
	{"WracklineJournalRefuses", `rate(wrackline_journal_appends_failed_total[5m]) + rate(wrackline_journal_appends_full_total[5m]) > 0`, "5m", "critical", "The journal takes no requests; senders hold them back."},
	{"WracklineConfigWrong", `wrackline_config_last_reload_successful == 0`, "10m", "warning", "The configuration in force is not the one in the file; wrackline check-config says why."},
	{"WracklineStale", `time() - max by (job, instance, cluster) (wrackline_cluster_newest_sample_timestamp_seconds) > 900`, "5m", "warning", "A cluster sends nothing any more."},
}

// Rules writes the rules as a file of Prometheus', or as a PrometheusRule for its operator.
func Rules(operator bool) []byte {
	var b strings.Builder
	indent := ""
	if operator {
		b.WriteString("apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: wrackline\n  labels: {app.kubernetes.io/name: wrackline}\nspec:\n")
		indent = "  "
	}
	line := func(format string, args ...any) { b.WriteString(indent + fmt.Sprintf(format, args...) + "\n") }
	line("groups:")
	line("  - name: wrackline")
	line("    rules:")
	for _, r := range rules {
		line("      - alert: %s", r.name)
		line("        expr: %q", r.expr)
		line("        for: %s", r.lasts)
		line("        labels: {severity: %s}", r.severity)
		line("        annotations: {summary: %q}", r.summary)
	}
	return []byte(b.String())
}
