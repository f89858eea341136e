package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/wrackline/wrackline/query/boards"
)

const chartDir = "../../deploy/helm/wrackline"

// TestChartHoldsWhatIsGenerated: dashboards and rules of the chart are those of `wrackline dashboards`, to the byte. With -update they are written anew.
func TestChartHoldsWhatIsGenerated(t *testing.T) {
	dir := t.TempDir()
	if code, _, errs := run(t, "dashboards", "--out", dir); code != 0 {
		t.Fatal(errs)
	}
	found := 0
	for _, name := range must(os.ReadDir(filepath.Join(chartDir, "files"))) {
		want := must(os.ReadFile(filepath.Join(dir, name.Name())))
		path := filepath.Join(chartDir, "files", name.Name())
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(want, must(os.ReadFile(path))) {
			t.Errorf("%s is not what wrackline dashboards writes: go test -run ChartHolds -update ./cmd/wrackline", path)
		}
		found++
	}
	if found != 5 || !bytes.Contains(boards.Rules(false), []byte("groups:")) {
		t.Errorf("%d files", found)
	}
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// TestChartSchemaKnowsEveryValue: each value that the chart has is in its schema, and no other may be given.
func TestChartSchemaKnowsEveryValue(t *testing.T) {
	type node struct {
		Properties map[string]*node `json:"properties"`
		More       any              `json:"additionalProperties"`
	}
	var schema node
	if err := json.Unmarshal(must(os.ReadFile(filepath.Join(chartDir, "values.schema.json"))), &schema); err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(must(os.ReadFile(filepath.Join(chartDir, "values.yaml"))), &values); err != nil {
		t.Fatal(err)
	}
	var compare func(path string, s *node, v map[string]any)
	compare = func(path string, s *node, v map[string]any) {
		if s.More != false {
			return // open: labels, or what Kubernetes checks
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			x := s.Properties[k]
			if x == nil {
				t.Errorf("%s%s is not in the schema", path, k)
			} else if m, ok := v[k].(map[string]any); ok {
				compare(path+k+".", x, m)
			}
		}
		for k := range s.Properties {
			if _, ok := v[k]; !ok && path+k != "global" {
				t.Errorf("the schema has %s%s, which is no value", path, k)
			}
		}
	}
	if schema.More != false {
		t.Error("a word that is misspelled is taken")
	}
	compare("", &schema, values)
}

// TestChartValuesAreUsed: a value that no template reads is a promise that is not kept.
func TestChartValuesAreUsed(t *testing.T) {
	var text strings.Builder
	for _, name := range must(filepath.Glob(filepath.Join(chartDir, "templates", "*"))) {
		text.Write(must(os.ReadFile(name)))
	}
	var values map[string]any
	if err := yaml.Unmarshal(must(os.ReadFile(filepath.Join(chartDir, "values.yaml"))), &values); err != nil {
		t.Fatal(err)
	}
	for k, v := range values {
		whole := regexp.MustCompile(`(toYaml|range|with|if) \.Values\.` + k + `\b[^.]`).MatchString(text.String())
		if !whole && !strings.Contains(text.String(), ".Values."+k) {
			t.Errorf("nothing reads %s", k)
		}
		if m, ok := v.(map[string]any); ok && !whole && k != "resources" {
			for in := range m {
				if !strings.Contains(text.String(), ".Values."+k+"."+in) {
					t.Errorf("nothing reads %s.%s", k, in)
				}
			}
		}
	}
}

// TestChart renders the chart with helm, where that is: as it comes and with everything switched on, against what was looked at; nothing of it grants a right; wrong values are refused by name.
func TestChart(t *testing.T) {
	helm, err := exec.LookPath("helm")
	if err != nil {
		t.Skip("helm is not here: go install helm.sh/helm/v3/cmd/helm@v3.16.4")
	}
	ask := func(args ...string) (string, error) {
		var out, errs bytes.Buffer
		c := exec.Command(helm, args...)
		c.Stdout, c.Stderr = &out, &errs
		err := c.Run()
		return out.String() + errs.String(), err
	}
	if out, err := ask("lint", chartDir, "--strict"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, more := range map[string][]string{"default": nil, "full": {"-f", "testdata/chart/full-values.yaml"}} {
		out, err := ask(append([]string{"template", "w", chartDir, "--kube-version", "1.30", "-n", "mon"}, more...)...)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		for _, word := range []string{"kind: Role", "kind: ClusterRole", "RoleBinding", "kind: ServiceAccount", "serviceAccountName", "hostNetwork", "privileged"} {
			if strings.Contains(out, word) {
				t.Errorf("%s: %s", name, word)
			}
		}
		if !strings.Contains(out, "automountServiceAccountToken: false") {
			t.Errorf("%s: the pod has a token", name)
		}
		// What is generated is held by another test: here its size is enough.
		out = regexp.MustCompile(`(?m)^  wrackline-\w+\.json: ".*"$`).ReplaceAllString(out, "  (a dashboard)")
		golden := filepath.Join("testdata", "chart", name+".yaml")
		if *update {
			if err := os.WriteFile(golden, []byte(out), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want := must(os.ReadFile(golden)); out != string(want) {
			t.Errorf("%s is not %s: look at it, then go test -run 'TestChart$' -update ./cmd/wrackline\n%s", name, golden, out)
		}
	}
	for set, want := range map[string]string{
		"image.pullpolicy=Always": "pullpolicy", "replicas=2": "replicas", "persistence.size=lots": "persistence.size", "service.port=0": "service.port",
		"podDisruptionBudget.maxUnavailable=2": "maxUnavailable", "httpRoute.enabled=true": "parentRefs", "extraArgs={debug}": "extraArgs", "persistence.accessModes={ReadWriteMany}": "accessModes",
	} {
		if out, err := ask("template", "w", chartDir, "--kube-version", "1.30", "--set", set); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s is taken, or the error does not name it: %v\n%s", set, err, out)
		}
	}
}

// TestComposeIsWhole: what the compose file mounts is there, and Prometheus takes its configuration.
func TestComposeIsWhole(t *testing.T) {
	const dir = "../../deploy/compose"
	var c struct {
		Services map[string]struct {
			Volumes []string `yaml:"volumes"`
			Ports   []string `yaml:"ports"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal(must(os.ReadFile(filepath.Join(dir, "compose.yaml"))), &c); err != nil {
		t.Fatal(err)
	}
	for name, s := range c.Services {
		for _, v := range s.Volumes {
			if from, _, _ := strings.Cut(v, ":"); strings.HasPrefix(from, ".") {
				if _, err := os.Stat(filepath.Join(dir, from)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s: %s is open to everybody", name, p)
			}
		}
	}
	if len(c.Services) != 4 {
		t.Errorf("%d services", len(c.Services))
	}
	if _, err := loadConfig(filepath.Join(dir, "wrackline.yaml")); err != nil {
		t.Error(err)
	}
	if tool, err := exec.LookPath("promtool"); err == nil {
		if out, err := exec.Command(tool, "check", "config", "--syntax-only", filepath.Join(dir, "prometheus.yml")).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// TestDebianPackage builds one and looks into it: nothing of it belongs to anybody but root or may be written by others, and nobody's root directory changes its mode.
func TestDebianPackage(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("dpkg-deb is not here")
	}
	dir := t.TempDir()
	tool := filepath.Join(dir, "tool")
	if err := os.WriteFile(tool, []byte("#!/bin/sh\n"+asProgram+"=1 exec "+os.Args[0]+" \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	deb := filepath.Join(dir, "w.deb")
	for version, want := range map[string]string{"v1.2.3": "1.2.3", "v1.2.3-4-gabcdef0": "1.2.3+4+gabcdef0", "abcdef0-dirty": "0~git.abcdef0+dirty"} {
		if out, err := exec.Command("../../deploy/debian/build", tool, "amd64", version, deb, tool).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if got, err := exec.Command("dpkg-deb", "-f", deb, "Version").Output(); err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("%s: version %s, %v, want %s", version, got, err, want)
		}
	}
	out, err := exec.Command("dpkg-deb", "-c", deb).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if f[1] != "root/root" || f[0][5] == 'w' || f[0][8] == 'w' || f[0][4] != 'r' || f[0][7] != 'r' {
			t.Errorf("%s", line)
		}
	}
	for _, name := range []string{"./usr/bin/wrackline", "./etc/wrackline/wrackline.yaml", "systemd/system/wrackline.service", "man1/wrackline.1.gz", "completions/wrackline", "vendor-completions/_wrackline", "wrackline.fish"} {
		if !strings.Contains(string(out), name+"\n") {
			t.Errorf("%s is missing", name)
		}
	}
	if err := exec.Command("dpkg-deb", "-x", deb, filepath.Join(dir, "x")).Run(); err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(dir, "x/usr/lib/systemd/system/wrackline.service")
	if text := string(must(os.ReadFile(unit))); !strings.Contains(text, "ExecStart=/usr/bin/wrackline serve") || strings.Contains(text, "/usr/local") {
		t.Errorf("%s", text)
	}
	if _, err := loadConfig(filepath.Join(dir, "x/etc/wrackline/wrackline.yaml")); err != nil {
		t.Error(err)
	}
}
