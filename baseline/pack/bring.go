package pack

import (
	"fmt"
	"regexp"
	"strings"
)

// Bring says how the metrics of a program are brought in.
type Bring struct {
	Software   string `yaml:"software"`   // as SoftwareOf names it
	Everywhere bool   `yaml:"everywhere"` // each cluster has it
	Runs       string `yaml:"runs"`       // an expression of the names of workloads by which it is known to run; "" = none
	Nodes      string `yaml:"nodes"`      // its path on kubelets
	Endpoints  string `yaml:"endpoints"`  // its path on API servers
	Pods       string `yaml:"pods"`       // a selector of its pods
	Port       int    `yaml:"port"`
	Path       string `yaml:"path"` // "" = /metrics
	HTTPS      bool   `yaml:"https"`
	Honor      bool   `yaml:"honor"` // its own labels win
	Lines      string `yaml:"lines"` // what brings it, where it is no scrape job of these
	Note       string `yaml:"note"`  // what else is to be known; "" = nothing

	runs *regexp.Regexp
}

// BringOf returns how a program's metrics are brought in, nil when it is not known.
func BringOf(software string) *Bring {
	f, _ := readStacks()
	for _, b := range f.Bring {
		if b.Software == software {
			return b
		}
	}
	return nil
}

// RunsAs reports whether a workload of the name is the program.
func (b *Bring) RunsAs(workload string) bool { return b.Runs != "" && b.runs.MatchString(workload) }

// own is how a pod of Prometheus knocks at what wants to know who it is.
const own = `  scheme: https
  tls_config: {ca_file: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt, insecure_skip_verify: true}
  authorization: {credentials_file: /var/run/secrets/kubernetes.io/serviceaccount/token}
`

// Job returns what brings the program's metrics: an item of scrape_configs of a Prometheus within the cluster, or other lines where there is no such item.
func (b *Bring) Job() string {
	if b.Lines != "" {
		return b.Lines
	}
	var w strings.Builder
	fmt.Fprintf(&w, "- job_name: %s\n", strings.ToLower(strings.Trim(strings.NewReplacer(" ", "-", "/", "-").Replace(b.Software), "-")))
	path := b.Nodes + b.Endpoints + b.Path
	switch {
	case b.Nodes != "":
		w.WriteString("  kubernetes_sd_configs: [{role: node}]\n  relabel_configs: [{source_labels: [__meta_kubernetes_node_name], target_label: node}]\n" + own)
	case b.Endpoints != "":
		w.WriteString("  kubernetes_sd_configs: [{role: endpoints, namespaces: {names: [default]}, selectors: [{role: endpoints, field: metadata.name=kubernetes}]}]\n" + own)
	default:
		fmt.Fprintf(&w, "  kubernetes_sd_configs: [{role: pod, selectors: [{role: pod, label: %q}]}]\n  relabel_configs:\n  - {source_labels: [__meta_kubernetes_pod_ip], target_label: __address__, replacement: \"$1:%d\"}\n", b.Pods, b.Port)
		for _, l := range [...][2]string{{"namespace", "namespace"}, {"pod_name", "pod"}, {"pod_node_name", "node"}} {
			if !b.Honor {
				fmt.Fprintf(&w, "  - {source_labels: [__meta_kubernetes_%s], target_label: %s}\n", l[0], l[1])
			}
		}
		if b.Honor {
			w.WriteString("  honor_labels: true\n")
		}
		if b.HTTPS {
			w.WriteString(own)
		}
	}
	if path != "" && path != "/metrics" {
		fmt.Fprintf(&w, "  metrics_path: %s\n", path)
	}
	return w.String()
}
