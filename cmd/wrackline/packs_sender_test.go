package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/wrackline/wrackline/baseline/pack"
)

// relabelOf reads the rules of a block as the sender would, whichever way it spells keys.
type relabelOf struct {
	Source1     []string `yaml:"source_labels"`
	Source2     []string `yaml:"sourceLabels"`
	Regex       any      `yaml:"regex"`
	Target1     string   `yaml:"target_label"`
	Target2     string   `yaml:"targetLabel"`
	Replacement string   `yaml:"replacement"`
	Action      string   `yaml:"action"`
}

// rules makes Prometheus' own rules of them.
func rules(t *testing.T, list []relabelOf) (out []*relabel.Config) {
	t.Helper()
	for _, r := range list {
		c := relabel.DefaultRelabelConfig
		for _, s := range append(r.Source1, r.Source2...) {
			c.SourceLabels = append(c.SourceLabels, model.LabelName(s))
		}
		c.Regex, c.TargetLabel = relabel.MustNewRegexp(r.Regex.(string)), r.Target1+r.Target2
		if r.Replacement != "" {
			c.Replacement = r.Replacement
		}
		if r.Action != "" {
			c.Action = relabel.Action(r.Action)
		}
		c.NameValidationScheme = model.UTF8Validation
		if err := c.Validate(model.UTF8Validation); err != nil {
			t.Fatal(err)
		}
		out = append(out, &c)
	}
	return out
}

// passes holds that rules let each metric pass as it is, and others not.
func passes(t *testing.T, name string, list []relabelOf, metrics []string) {
	t.Helper()
	rs := rules(t, list)
	for _, m := range append([]string{"go_goroutines", "kube_node_infos", "xup"}, metrics...) {
		in := labels.FromStrings(labels.MetricName, m, "job", "a")
		b := labels.NewBuilder(in)
		kept := relabel.ProcessBuilder(b, rs...)
		out := b.Labels()
		if want := slices.Contains(metrics, m); kept != want || want && !labels.Equal(in, out) {
			t.Errorf("%s: %s: kept %v as %s", name, m, kept, out)
		}
	}
}

// Each sender's form is one that it reads, and lets pass what packs ask for.
func TestSendersConfigurations(t *testing.T) {
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	keep, left, err := pack.SendList(packs)
	if err != nil || len(left) == 0 {
		t.Fatal(err, left)
	}
	cfg := file(t, "w.yml", "ingest: {tokens: [{token: secret-of-twenty-characters}]}\n")
	for _, name := range senderNames() {
		code, out, errs := run(t, "packs", "remote-write-config", "--for", name, "--config.file", cfg, "--url", "http://w:9099")
		if code != exitOK || strings.Contains(out, "secret-of") || !strings.Contains(out, "http://w:9099/api/v1/write") {
			t.Fatalf("%s: code %d, %s\n%s", name, code, errs, out)
		}
		if !strings.Contains(out, "Not in it: "+left[0].Metric) {
			t.Errorf("%s: nothing is said of what is left out", name)
		}
		for line := range strings.Lines(out) {
			if len(line) > 180 {
				t.Errorf("%s: a line of %d characters: %s", name, len(line), line)
			}
		}
		for _, p := range packs {
			if p.Name != "roll" && !strings.Contains(out, " "+p.Name+": "+p.Title) { // what roll asks for others have asked for before
				t.Errorf("%s: nothing is said of pack %s", name, p.Name)
			}
		}
		var y struct {
			RemoteWrite []struct {
				Rules []relabelOf `yaml:"write_relabel_configs"`
			} `yaml:"remote_write"`
			Spec struct {
				RemoteWrite []struct {
					Rules []relabelOf `yaml:"writeRelabelConfigs"`
				} `yaml:"remoteWrite"`
			} `yaml:"spec"`
			Prometheus struct {
				Spec struct {
					RemoteWrite []struct {
						Rules []relabelOf `yaml:"writeRelabelConfigs"`
					} `yaml:"remoteWrite"`
				} `yaml:"prometheusSpec"`
			} `yaml:"prometheus"`
			Processors map[string]struct {
				Metrics struct {
					Include struct {
						Names []string `yaml:"metric_names"`
					} `yaml:"include"`
				} `yaml:"metrics"`
			} `yaml:"processors"`
		}
		switch name {
		case "alloy": // not YAML
			if strings.Count(out, "{") != strings.Count(out, "}") || strings.Count(out, `"`)%2 != 0 || !strings.Contains(out, `"kube_pod_info",`) {
				t.Errorf("%s: %s", name, out)
			}
			continue
		case "vmagent":
			var list []relabelOf
			if err := yaml.Unmarshal([]byte(out), &list); err != nil || len(list) != 1 || len(list[0].Regex.([]any)) != len(keep) {
				t.Errorf("%s: %v, %v", name, err, list)
			}
			continue
		}
		if err := yaml.Unmarshal([]byte(out), &y); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		switch name {
		case "otel":
			names := y.Processors["filter/wrackline"].Metrics.Include.Names
			for _, m := range keep {
				if !slices.Contains(names, otelName(m)) {
					t.Errorf("%s: %s is missing", name, m)
				}
			}
		case "operator":
			passes(t, name, y.Spec.RemoteWrite[0].Rules, keep)
		case "kube-prometheus-stack":
			passes(t, name, y.Prometheus.Spec.RemoteWrite[0].Rules, keep)
		default:
			passes(t, name, y.RemoteWrite[0].Rules, keep)
		}
		if tool, err := exec.LookPath("promtool"); err == nil && (name == "prometheus" || name == "gmp") {
			conf := file(t, "prometheus.yml", strings.ReplaceAll(out, "/etc/prometheus/wrackline-token", file(t, "token", "x")))
			if text, err := exec.Command(tool, "check", "config", conf).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", name, err, text)
			}
		}
	}
	if code, _, errs := run(t, "packs", "remote-write-config", "--for", "statsd"); code != exitUsage || !strings.Contains(errs, "kube-prometheus-stack") {
		t.Errorf("an unknown sender: code %d, %s", code, errs)
	}
}

// TestMetricsTable holds docs/metrics.md.
func TestMetricsTable(t *testing.T) {
	code, out, errs := run(t, "packs", "metrics")
	if code != exitOK {
		t.Fatal(errs)
	}
	name := filepath.Join("..", "..", "docs", "metrics.md")
	if *update {
		if err := os.WriteFile(name, []byte(out), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != out {
		t.Error("docs/metrics.md is not what wrackline packs metrics prints: go test -run TestMetricsTable ./cmd/wrackline -update")
	}
}
