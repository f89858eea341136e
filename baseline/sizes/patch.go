package sizes

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Advised is a container and what is advised for it.
type Advised struct {
	*Container
	Cluster string
	Advice  Advice
}

// injected names containers that a webhook adds: no workload's template holds them, so a patch of it would make half a container.
var injected = []string{"istio-proxy", "istio-init", "istio-validation", "linkerd-proxy", "linkerd-init", "consul-dataplane", "envoy-sidecar", "kuma-sidecar", "daprd", "vault-agent", "cloud-sql-proxy", "gke-gcsfuse-sidecar"}

// Sidecar reports whether the container is one that a webhook adds to pods.
func (c *Container) Sidecar() bool { return slices.Contains(injected, c.Container) }

// Patch writes manifests that hold the advised sizes and nothing else, one a workload: kubectl apply --server-side takes them, and --dry-run=server tries them. What cannot be set so stands in comments.
func Patch(list []Advised) string {
	var b strings.Builder
	b.WriteString("# Requests and limits as Wrackline advises them. Try: kubectl apply --server-side --force-conflicts --field-manager=wrackline --dry-run=server -f FILE\n" +
		"# One cluster at a time; where manifests come from a repository, change them there.\n")
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Advised) int {
		return cmp.Or(strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Workload, b.Workload), strings.Compare(a.Key.Container, b.Key.Container))
	})
	for i := 0; i < len(list); {
		j := i
		for j < len(list) && list[j].Cluster == list[i].Cluster && list[j].Namespace == list[i].Namespace && list[j].Kind == list[i].Kind && list[j].Workload == list[i].Workload {
			j++
		}
		patchOne(&b, list[i:j])
		i = j
	}
	return b.String()
}

// apis says what a kind is called in manifests, and where its pod template stands.
var apis = map[string]struct {
	kind, version string
	path          []string
}{
	"deployment":  {"Deployment", "apps/v1", []string{"spec", "template", "spec"}},
	"statefulset": {"StatefulSet", "apps/v1", []string{"spec", "template", "spec"}},
	"daemonset":   {"DaemonSet", "apps/v1", []string{"spec", "template", "spec"}},
	"cronjob":     {"CronJob", "batch/v1", []string{"spec", "jobTemplate", "spec", "template", "spec"}},
}

// patchOne writes the containers of one workload.
func patchOne(b *strings.Builder, list []Advised) {
	first := &list[0]
	where := fmt.Sprintf("%s %s/%s of cluster %s", cmp.Or(first.Kind, "workload"), first.Namespace, first.Workload, first.Cluster)
	api, ok := apis[first.Kind]
	var set []*Advised
	for i := range list {
		switch x := &list[i]; {
		case x.Advice.Missing.Any():
			comment(b, where+", container "+x.Key.Container+": "+x.Advice.Missing.Text())
		case !ok:
			comment(b, where+": no manifest of this kind can be changed by apply")
		case x.Sidecar():
			comment(b, where+", container "+x.Key.Container+": a webhook adds it; set its requests there, memory "+MemoryQuantity(x.Advice.Set.Requests.Memory)+" and cpu "+CPUQuantity(x.Advice.Set.Requests.CPU))
		default:
			set = append(set, x)
		}
	}
	if len(set) == 0 {
		return
	}
	fmt.Fprintf(b, "---\n# cluster %s\napiVersion: %s\nkind: %s\nmetadata:\n  name: %s\n  namespace: %s\n", plain(first.Cluster), api.version, api.kind, quoted(first.Workload), quoted(first.Namespace))
	in := ""
	for _, p := range api.path {
		fmt.Fprintf(b, "%s%s:\n", in, p)
		in += "  "
	}
	fmt.Fprintf(b, "%scontainers:\n", in)
	for _, x := range set {
		s := &x.Advice.Set
		fmt.Fprintf(b, "%s- name: %s\n%s  resources:\n", in, quoted(x.Key.Container), in)
		for _, part := range [...]struct {
			name string
			r    Resources
		}{{"requests", s.Requests}, {"limits", s.Limits}} {
			if part.r == (Resources{}) {
				continue
			}
			fmt.Fprintf(b, "%s    %s:\n", in, part.name)
			if v := CPUQuantity(part.r.CPU); v != "" {
				fmt.Fprintf(b, "%s      cpu: %s\n", in, quoted(v))
			}
			if v := MemoryQuantity(part.r.Memory); v != "" {
				fmt.Fprintf(b, "%s      memory: %s\n", in, quoted(v))
			}
		}
		for _, text := range x.Advice.Sentences(x.Container) {
			fmt.Fprintf(b, "%s  # %s\n", in, plain(text))
		}
	}
}

func comment(b *strings.Builder, text string) { fmt.Fprintf(b, "# %s\n", plain(text)) }

// quoted writes a string that no reader of YAML takes for anything else.
func quoted(s string) string { return strconv.Quote(s) }

// plain keeps a text within its line.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, s)
}
