package pack

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// Whoever exports something can be brought in, and what brings it is what Prometheus reads.
func TestBring(t *testing.T) {
	f, err := readStacks()
	if err != nil {
		t.Fatal(err)
	}
	without := []string{"Wrackline", "any scrape"}
	var jobs strings.Builder
	jobs.WriteString("scrape_configs:\n")
	for _, s := range f.Software {
		b := BringOf(s.Name)
		if b == nil {
			if !slices.Contains(without, s.Name) {
				t.Errorf("nothing says how %s is brought in", s.Name)
			}
			continue
		}
		if !b.Everywhere && b.Runs == "" {
			t.Errorf("nothing says how %s is known to run", s.Name)
		}
	}
	seen := map[string]bool{}
	for _, b := range f.Bring {
		if seen[b.Software] || !slices.ContainsFunc(f.Software, func(s *software) bool { return s.Name == b.Software }) {
			t.Errorf("%s is no software, or comes twice", b.Software)
		}
		seen[b.Software] = true
		if strings.HasPrefix(b.Job(), "- job_name: ") {
			jobs.WriteString(b.Job())
		}
		var any []map[string]any
		if err := yaml.Unmarshal([]byte(b.Job()), &any); err != nil && b.Software != "kube-state-metrics, asked for" {
			t.Errorf("%s: %v\n%s", b.Software, err, b.Job())
		}
	}
	for workload, want := range map[string]string{"ingress-nginx-controller": "ingress-nginx", "my-cert-manager": "cert-manager", "cilium": "Cilium", "prometheus-k8s": "Prometheus", "prometheus-kube-prometheus-stack-prometheus": "Prometheus", "prometheus-node-exporter": "", "cilium-operator": "", "shop": ""} {
		got := ""
		for _, b := range f.Bring {
			if b.RunsAs(workload) {
				got += b.Software
			}
		}
		if got != want {
			t.Errorf("a workload %s is %q, want %q", workload, got, want)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	file := filepath.Join(t.TempDir(), "prometheus.yml")
	static := regexp.MustCompile(`kubernetes_sd_configs: .*`).ReplaceAllString(jobs.String(), "static_configs: [{targets: [a:1]}]") // Debian's promtool knows no Kubernetes
	if err := os.WriteFile(file, []byte(static), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "config", "--syntax-only", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s\n%s", err, out, jobs.String())
	}
}
