// Sizes as JSON, and as files for spreadsheets and kubectl.

package ui

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/sizes"
)

// apiResources are cores and bytes; null = none are set.
type apiResources struct {
	CPU    *float64 `json:"cpu_cores"`
	Memory *float64 `json:"memory_bytes"`
}

func apiResourcesOf(r sizes.Resources) apiResources {
	var out apiResources
	if r.CPU != 0 {
		out.CPU = &r.CPU
	}
	if r.Memory != 0 {
		out.Memory = &r.Memory
	}
	return out
}

type apiSet struct {
	Requests apiResources `json:"requests"`
	Limits   apiResources `json:"limits"`
}

func apiSetOf(s sizes.Set) apiSet {
	return apiSet{apiResourcesOf(s.Requests), apiResourcesOf(s.Limits)}
}

// apiUse is what a pod uses of one resource, in cores or bytes.
type apiUse struct {
	P50   num    `json:"p50"`
	P95   num    `json:"p95"`
	P99   num    `json:"p99"`
	Max   num    `json:"max"`
	MaxAt string `json:"max_at"` // of the week
	Start num    `json:"start_peak"`
}

func apiUseOf(c *sizes.Curve) apiUse {
	return apiUse{num(c.P50), num(c.P95), num(c.P99), num(c.Max), sizes.Minute(c.MaxMinute), num(c.Start)}
}

// apiSize is one container as programs see it.
type apiSize struct {
	Cluster     string       `json:"cluster"`
	Namespace   string       `json:"namespace"`
	Kind        string       `json:"kind"`
	Workload    string       `json:"workload"`
	Container   string       `json:"container"`
	Pods        int          `json:"pods"`
	Set         apiSet       `json:"set"`
	Missing     string       `json:"missing,omitempty"` // why nothing is advised
	Advised     *apiSet      `json:"advised"`           // null when something is missing
	Why         []string     `json:"why"`
	Confidence  string       `json:"confidence,omitempty"`
	Risks       []string     `json:"risks"`
	Frees       apiResources `json:"frees"` // of all pods; below 0 = so much more is needed
	Autoscaler  num          `json:"autoscaler_target_percent"`
	Target      num          `json:"autoscaler_target_percent_advised"`
	CPU         apiUse       `json:"cpu_cores"`
	Memory      apiUse       `json:"memory_bytes"`
	Days        num          `json:"days_seen"`
	Starts      int          `json:"starts_seen"`
	Runs        int          `json:"runs_seen"`
	Kills       int          `json:"oom_kills"`
	KillLimit   num          `json:"oom_limit_bytes"`
	Throttled   num          `json:"throttled_ratio"`
	GrowthDaily num          `json:"growth_bytes_per_day"`
	Kept        string       `json:"kept,omitempty"` // what became of the newest change, a week later
}

func apiSizeOf(x *sizes.Advised) apiSize {
	a := &x.Advice
	out := apiSize{Cluster: x.Cluster, Namespace: x.Namespace, Kind: x.Kind, Workload: x.Workload, Container: x.Key.Container, Pods: x.Pods, Set: apiSetOf(x.Set), Missing: a.Missing.Text(),
		Why: []string{}, Risks: []string{}, Frees: apiResourcesOf(a.Frees), Autoscaler: num(x.Scaler), Target: num(a.Target), CPU: apiUseOf(&a.CPU), Memory: apiUseOf(&a.Mem), Days: num(a.Days), Starts: a.Starts, Runs: a.Runs,
		Kills: a.Kills, KillLimit: num(a.KillLimit), Throttled: num(a.Throttled), GrowthDaily: num(a.Growth)}
	if !a.Missing.Any() {
		s := apiSetOf(a.Set)
		out.Advised, out.Confidence, out.Why = &s, a.Confidence.String(), a.Sentences(x.Container)
	}
	for _, r := range a.Risks {
		out.Risks = append(out.Risks, r.Text())
	}
	if t, ok := x.Kept(); ok {
		out.Kept = t.Text()
	}
	return out
}

// apiSpace is what a namespace comes to.
type apiSpace struct {
	Cluster    string       `json:"cluster"`
	Namespace  string       `json:"namespace"`
	Containers int          `json:"containers"`
	Frees      apiResources `json:"frees"`
	Needs      apiResources `json:"needs"`
	AtRisk     int          `json:"at_risk"`
}

// apiSizes answers with what containers should request: as JSON, or with output=yaml-patch, csv or table as a file.
func (s *server) apiSizes(c *gin.Context) {
	limit, ok := s.intParam(c, "limit", limitMost, limitMost)
	if !ok {
		return
	}
	v := s.view()
	list, total := parseSizeQuery(c.Request.URL.Query()).advised(v)
	all, spaces := len(list), bySpace(list)
	list = list[:min(limit, all)]
	switch output := c.Query("output"); output {
	case "", "json":
		out := struct {
			At         int64        `json:"at"` // receive clock of the view
			Total      int          `json:"total"`
			Frees      apiResources `json:"frees"`
			Needs      apiResources `json:"needs"`
			Changes    int          `json:"changes"`
			AtRisk     int          `json:"at_risk"`
			NotYet     int          `json:"not_yet"`
			Namespaces []apiSpace   `json:"namespaces"` // what would free most first
			Containers []apiSize    `json:"containers"`
		}{At: v.AtMs, Total: all, Frees: apiResourcesOf(total.Frees), Needs: apiResourcesOf(total.Needs), Changes: total.Changes, AtRisk: total.AtRisk, NotYet: total.NotYet, Namespaces: []apiSpace{}, Containers: []apiSize{}}
		for _, x := range spaces {
			out.Namespaces = append(out.Namespaces, apiSpace{x.Cluster, x.Namespace, x.Containers, apiResourcesOf(x.Frees), apiResourcesOf(x.Needs), x.AtRisk})
		}
		for i := range list {
			out.Containers = append(out.Containers, apiSizeOf(&list[i]))
		}
		s.apiOK(c, out)
	case "yaml-patch":
		s.text(c, "application/yaml", sizes.Patch(list))
	case "csv":
		s.text(c, "text/csv; charset=utf-8", sizesCSV(list))
	case "table":
		if len(v.Sizes) == 0 {
			s.text(c, "text/plain; charset=utf-8", "Nothing is known of sizes yet. They are learned from container_cpu_usage_seconds_total and container_memory_working_set_bytes.\n")
			return
		}
		s.text(c, "text/plain; charset=utf-8", sizesTable(list, &total))
	default:
		s.apiFail(c, http.StatusBadRequest, "output must be json, yaml-patch, csv or table")
	}
}

func (s *server) text(c *gin.Context, kind, text string) {
	apiAnswers.Inc()
	c.Header("Cache-Control", "no-cache")
	c.Data(http.StatusOK, kind, bytes.Map(visible, []byte(text)))
}

var sizesHead = []string{"cluster", "namespace", "kind", "workload", "container", "pods", "cpu_request", "cpu_request_advised", "cpu_limit", "cpu_limit_advised", "memory_request", "memory_request_advised",
	"memory_limit", "memory_limit_advised", "frees_cpu_cores", "frees_memory_bytes", "confidence", "risk", "why"}

func sizesCSV(list []sizes.Advised) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(sizesHead) // a Builder takes everything
	for i := range list {
		x := &list[i]
		a, set := &x.Advice, x.Advice.Set
		if a.Missing.Any() {
			set = sizes.Set{}
		}
		sure := a.Confidence.String()
		if a.Missing.Any() {
			sure = ""
		}
		row := []string{x.Cluster, x.Namespace, x.Kind, x.Workload, x.Key.Container, strconv.Itoa(x.Pods), sizes.CPUQuantity(x.Set.Requests.CPU), sizes.CPUQuantity(set.Requests.CPU), sizes.CPUQuantity(x.Set.Limits.CPU),
			sizes.CPUQuantity(set.Limits.CPU), sizes.MemoryQuantity(x.Set.Requests.Memory), sizes.MemoryQuantity(set.Requests.Memory), sizes.MemoryQuantity(x.Set.Limits.Memory), sizes.MemoryQuantity(set.Limits.Memory),
			strconv.FormatFloat(a.Frees.CPU, 'f', 3, 64), strconv.FormatFloat(a.Frees.Memory, 'f', 0, 64), sure, risksText(a), strings.Join(a.Sentences(x.Container), "; ")}
		for k := range row { // a spreadsheet must not take a name for a formula
			if row[k] != "" && strings.ContainsRune("=+@\t", rune(row[k][0])) || strings.HasPrefix(row[k], "-") && k < 5 {
				row[k] = "'" + row[k]
			}
		}
		_ = w.Write(row)
	}
	w.Flush()
	return b.String()
}

func risksText(a *sizes.Advice) string {
	var out []string
	for _, r := range a.Risks {
		out = append(out, r.Text())
	}
	return strings.Join(out, "; ")
}

func sizesTable(list []sizes.Advised, total *sizeTotals) string {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = tw.Write([]byte("NAMESPACE/WORKLOAD/CONTAINER\tPODS\tCPU\tADVISED\tMEMORY\tADVISED\tFREES\tSURE\tRISK\n"))
	for i := range list {
		x := &list[i]
		a := &x.Advice
		cpu, mem, free, sure := sizes.CPU(a.Set.Requests.CPU), sizes.Memory(a.Set.Requests.Memory), freed(a.Frees), a.Confidence.String()
		if a.Missing.Any() {
			cpu, mem, free, sure = "-", "-", "-", "not yet"
		}
		risk := "-"
		if len(a.Risks) > 0 {
			risk = a.Risks[0].Text()
		}
		name := x.Namespace + "/" + x.Workload + "/" + x.Key.Container
		_, _ = tw.Write([]byte(strings.Join([]string{alerting.Clean(name, textMax), strconv.Itoa(x.Pods), unset(sizes.CPU(x.Set.Requests.CPU)), cpu, unset(sizes.Memory(x.Set.Requests.Memory)), mem, free, sure, risk}, "\t") + "\n"))
	}
	_ = tw.Flush()
	b.WriteString("\n" + plural(total.Changes, "change") + " would free " + freed(total.Frees) + " and take " + freed(total.Needs) + "; " + plural(total.AtRisk, "container") + " at risk, " + strconv.Itoa(total.NotYet) + " not known well enough yet\n")
	return b.String()
}

func unset(s string) string {
	if s == "0" {
		return "unset"
	}
	return s
}
