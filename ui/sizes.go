// What sizes say, gathered and put in order for page, JSON and files.

package ui

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/sizes"
)

// sizeQuery is what the address asks of sizes.
type sizeQuery struct {
	Cluster, Namespace, Workload string
	Sort                         string // waste, risk or namespace
	Text                         string
}

var sizeSorts = []string{"waste", "risk", "namespace"}

func parseSizeQuery(v url.Values) sizeQuery {
	q := sizeQuery{Cluster: v.Get("cluster"), Namespace: v.Get("namespace"), Workload: v.Get("workload"), Sort: v.Get("sort"), Text: strings.ToLower(strings.TrimSpace(v.Get("q")))}
	if !slices.Contains(sizeSorts, q.Sort) {
		q.Sort = sizeSorts[0]
	}
	return q
}

func (q sizeQuery) values() url.Values {
	v := url.Values{}
	for name, x := range map[string]string{"cluster": q.Cluster, "namespace": q.Namespace, "workload": q.Workload, "q": q.Text} {
		if x != "" {
			v.Set(name, x)
		}
	}
	if q.Sort != sizeSorts[0] {
		v.Set("sort", q.Sort)
	}
	return v
}

// sizeTotals is what a list of advice comes to.
type sizeTotals struct {
	Frees      sizes.Resources // what lowering requests would free
	Needs      sizes.Resources // what raising others would take
	Nodes      float64         // nodes' worth of the larger of what is free, 0 = not known
	Changes    int             // containers of which something is to be changed
	AtRisk     int
	NotYet     int
	Containers int
}

func (t *sizeTotals) add(a *sizes.Advised) {
	t.Containers++
	if len(a.Advice.Risks) > 0 {
		t.AtRisk++
	}
	if a.Advice.Missing.Any() {
		t.NotYet++
		return
	}
	if a.Advice.Changes(a.Set) {
		t.Changes++
	}
	f := a.Advice.Frees
	t.Frees.CPU, t.Needs.CPU = t.Frees.CPU+max(f.CPU, 0), t.Needs.CPU-min(f.CPU, 0)
	t.Frees.Memory, t.Needs.Memory = t.Frees.Memory+max(f.Memory, 0), t.Needs.Memory-min(f.Memory, 0)
	if n := a.Node; n.CPU > 0 && n.Memory > 0 {
		t.Nodes += weight(f, n)
	}
}

// spaceTotals is what a namespace's list of advice comes to.
type spaceTotals struct {
	Cluster, Namespace string
	sizeTotals
}

// bySpace divides a list among the namespaces of clusters, what would free most first.
func bySpace(list []sizes.Advised) []spaceTotals {
	at := map[[2]string]int{}
	var out []spaceTotals
	for i := range list {
		k := [2]string{list[i].Cluster, list[i].Namespace}
		n, ok := at[k]
		if !ok {
			n = len(out)
			at[k], out = n, append(out, spaceTotals{Cluster: k[0], Namespace: k[1]})
		}
		out[n].add(&list[i])
	}
	slices.SortFunc(out, func(a, b spaceTotals) int {
		return cmp.Or(cmp.Compare(weight(b.Frees, sizes.Resources{}), weight(a.Frees, sizes.Resources{})), strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.Namespace, b.Namespace))
	})
	return out
}

// weight is what resources are of a node: the mean of both shares.
func weight(f, node sizes.Resources) float64 {
	if node.CPU <= 0 || node.Memory <= 0 {
		node = sizes.Resources{CPU: 4, Memory: 16 << 30} // only to put in order
	}
	return (f.CPU/node.CPU + f.Memory/node.Memory) / 2
}

// advised returns what is advised for the containers that the query asks for, in its order.
func (q sizeQuery) advised(v *baseline.View) (list []sizes.Advised, total sizeTotals) {
	for i := range v.Sizes {
		of := &v.Sizes[i]
		if q.Cluster != "" && of.Cluster != q.Cluster {
			continue
		}
		for k := range of.Containers {
			c := &of.Containers[k]
			if c.Pods == 0 && !c.Job() || q.Namespace != "" && c.Namespace != q.Namespace || q.Workload != "" && c.Workload != q.Workload {
				continue
			}
			if q.Text != "" && !strings.Contains(strings.ToLower(c.Namespace+"/"+c.Workload+"/"+c.Key.Container), q.Text) {
				continue
			}
			x := sizes.Advised{Container: c, Cluster: of.Cluster, Advice: c.Advise()}
			total.add(&x)
			list = append(list, x)
		}
	}
	byName := func(a, b sizes.Advised) int {
		return cmp.Or(strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Workload, b.Workload), strings.Compare(a.Key.Container, b.Key.Container))
	}
	slices.SortFunc(list, func(a, b sizes.Advised) int {
		switch q.Sort {
		case "risk":
			return cmp.Or(cmp.Compare(worst(&a), worst(&b)), byName(a, b))
		case "namespace":
			return byName(a, b)
		}
		return cmp.Or(cmp.Compare(weight(b.Advice.Frees, b.Node), weight(a.Advice.Frees, a.Node)), byName(a, b))
	})
	return list, total
}

// worst orders by the worst risk; those without come last.
func worst(a *sizes.Advised) int {
	if len(a.Advice.Risks) == 0 {
		return math.MaxInt
	}
	return int(a.Advice.Risks[0].Danger)
}

// freed words what is free, or needed.
func freed(f sizes.Resources) string {
	var out []string
	if f.CPU > 0.0005 {
		out = append(out, sizes.CPU(f.CPU))
	}
	if f.Memory > 1<<20 {
		out = append(out, sizes.Memory(f.Memory))
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, " and ")
}

// SizesLine words what sizes come to, for the digest of a week: what is free, what is in danger, and what became of changes a week later. "" when there is nothing to say. It asks nothing but the view.
func SizesLine(v *baseline.View) string {
	if v == nil {
		return ""
	}
	list, total := parseSizeQuery(nil).advised(v)
	var out []string
	if total.Changes > 0 {
		out = append(out, "Sizes: "+freed(total.Frees)+" free by "+plural(total.Changes, "change"))
	}
	if total.AtRisk > 0 {
		out = append(out, plural(total.AtRisk, "container")+" at risk with what is set today")
	}
	kept := 0
	var broken []string
	for i := range list {
		t, ok := list[i].Kept()
		switch {
		case !ok || list[i].AtMs-t.AtMs > 14*86_400_000:
		case t.Promised():
			kept++
		default:
			broken = append(broken, list[i].Namespace+"/"+list[i].Workload+" "+t.Text())
		}
	}
	if kept > 0 {
		out = append(out, plural(kept, "change")+" of a week ago kept the promise")
	}
	if len(broken) > 0 {
		out = append(out, "not kept: "+strings.Join(broken[:min(len(broken), 3)], "; "))
	}
	if len(out) == 0 {
		return ""
	}
	return alerting.Clean(strings.Join(out, "; "), 600) + "."
}
