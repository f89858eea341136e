package packtest

// Expositions of real programs, as a Prometheus scrapes them in the set-ups that people have. None is part of the repository: a directory of
// them is named by WRACKLINE_EXPOSITIONS (see TestStacks).

import (
	"compress/gzip"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/wrackline/wrackline/baseline/series"
)

// What exports metrics, as the stacks scrape it.
const (
	apiServer    = "kube-apiserver"
	cAdvisor     = "cadvisor"
	controllers  = "kube-controller-manager"
	coreDNS      = "coredns"
	etcd         = "etcd"
	kubelet      = "kubelet"
	kubeProxy    = "kube-proxy"
	nodeExporter = "node-exporter"
	scheduler    = "kube-scheduler"
	stateMetrics = "kube-state-metrics"
	otherProgram = "other" // a pod that says where its metrics are
)

// programMarks tell by a metric's name which program an exposition is of. The first that is there decides.
var programMarks = []struct{ metric, program string }{
	{"kube_pod_info", stateMetrics}, {"kubelet_node_name", kubelet}, {"kubelet_running_pods", kubelet}, {"etcd_server_has_leader", etcd},
	{"coredns_build_info", coreDNS}, {"kubeproxy_sync_proxy_rules_duration_seconds_count", kubeProxy},
	{"scheduler_pending_pods", scheduler}, {"node_cpu_seconds_total", nodeExporter}, {"container_cpu_usage_seconds_total", cAdvisor},
	{"apiserver_storage_objects", apiServer}, {"apiserver_resource_objects", apiServer}, {"workqueue_adds_total", controllers},
}

// exposed is a series of an exposition.
type exposed struct {
	labels series.Labels // as the program writes them
	value  float64
}

// exposition is what one program exports.
type exposition struct {
	file    string
	program string
	series  []exposed
}

// has reports whether it has a metric.
func (x *exposition) has(metric string) bool {
	return slices.ContainsFunc(x.series, func(s exposed) bool { return s.labels.Get(series.NameLabel) == metric })
}

// readExpositions reads the .gz files of a directory by group: what is of one cluster is named alike up to the last "-".
func readExpositions(t *testing.T, dir string) map[string][]*exposition {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.gz"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no expositions in %s: %v", dir, err)
	}
	groups := map[string][]*exposition{}
	for _, f := range files {
		x := &exposition{file: filepath.Base(f), series: readExposition(t, f), program: otherProgram}
		for _, m := range programMarks {
			if x.has(m.metric) {
				x.program = m.program
				break
			}
		}
		group := "-" // goes with any cluster
		if i := strings.LastIndexByte(x.file, '-'); i > 0 && strings.Contains(x.file[:i], "-") {
			group = x.file[:i]
		}
		groups[group] = append(groups[group], x)
	}
	return groups
}

func readExposition(t *testing.T, file string) []exposed {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	p := textparse.NewPromParser(text, labels.NewSymbolTable(), false)
	var out []exposed
	for {
		entry, err := p.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		_, _, v := p.Series()
		var l labels.Labels
		p.Labels(&l)
		var ls series.Labels
		l.Range(func(x labels.Label) {
			if x.Value != "" { // Prometheus drops these
				ls = append(ls, series.Label{Name: x.Name, Value: x.Value})
			}
		})
		if !math.IsNaN(v) {
			out = append(out, exposed{ls, v})
		}
	}
}

// relabel is a rule of a scrape: of series whose labels, joined by ";", match it are dropped, or they alone are kept, or such labels are.
type relabel struct {
	action string // keep, drop, labeldrop
	source []string
	regex  *regexp.Regexp
}

func anchored(s string) *regexp.Regexp { return regexp.MustCompile("^(?s:" + s + ")$") }

// apply returns what is left of a series, nil for nothing.
func (r *relabel) apply(l series.Labels) series.Labels {
	if r.action == "labeldrop" {
		return slices.DeleteFunc(l, func(x series.Label) bool { return r.regex.MatchString(x.Name) })
	}
	var parts []string
	for _, s := range r.source {
		parts = append(parts, l.Get(s))
	}
	if r.regex.MatchString(strings.Join(parts, ";")) == (r.action == "keep") {
		return l
	}
	return nil
}

// readList reads an allow list: one regular expression of metric names.
func readList(t *testing.T, dir string, names ...string) relabel {
	t.Helper()
	var parts []string
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(dir, "lists", n+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, strings.TrimSpace(string(b)))
	}
	return relabel{"keep", []string{series.NameLabel}, anchored("(?:" + strings.Join(parts, "|") + "|up|scrape_samples_scraped)")}
}

// readRules reads relabel rules: action, source labels and regular expression, separated by tabs.
func readRules(t *testing.T, dir, name string) (out []relabel) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "lists", name+".rules"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 3 {
			t.Fatalf("%s: %q", name, line)
		}
		out = append(out, relabel{f[0], strings.Split(f[1], ","), anchored(f[2])})
	}
	return out
}

// target is one scraped endpoint.
type target struct {
	job    *job
	labels series.Labels // of the target
	series []exposed
}

// scraped returns a series as a scrape of the target stores it, nil when rules drop it.
func (x *target) scraped(l series.Labels) series.Labels {
	out := slices.Clone(x.labels)
	for _, m := range l {
		at := slices.IndexFunc(out, func(o series.Label) bool { return o.Name == m.Name })
		switch {
		case at < 0:
			out = append(out, m)
		case x.job.honor:
			out[at].Value = m.Value
		default:
			out = append(out, series.Label{Name: "exported_" + m.Name, Value: m.Value})
		}
	}
	for i := range x.job.rules {
		if out = x.job.rules[i].apply(out); out == nil {
			return nil
		}
	}
	out = append(out, x.job.external...)
	out, err := series.Canonical(out)
	if err != nil {
		return nil
	}
	return out
}
