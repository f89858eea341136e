package change

import (
	"math"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/identity"
)

const (
	cohortLeast = 3            // nodes on either side that can be compared
	cohortMs    = 5 * windowMs // a node not heard of for so long is not compared
)

// Cohort is a node on one side of an upgrade.
type Cohort struct{ Node, Side string } // Side is new or old

// Cohorts returns the nodes by whether they run the newest kubelet, while enough do and enough do not; nil otherwise. In the order in which
// nodes were first heard of.
func (tk *Tracker) Cohorts(end int64) []Cohort {
	var out []Cohort
	newest := ""
	for pass := range 2 {
		for i := range tk.objects {
			o := &tk.objects[i]
			if o.what != watchNode || o.gone || o.lastT <= end-cohortMs || len(o.facts) == 0 {
				continue
			}
			v, _, _ := strings.Cut(o.facts[len(o.facts)-1].text, "\x00")
			switch {
			case v == "":
			case pass == 0:
				if newest == "" || newerVersion(v, newest) {
					newest = v
				}
			case v == newest:
				out = append(out, Cohort{o.name, "new"})
			default:
				out = append(out, Cohort{o.name, "old"})
			}
		}
	}
	n := 0
	for _, x := range out {
		if x.Side == "new" {
			n++
		}
	}
	if n < cohortLeast || len(out)-n < cohortLeast {
		return nil
	}
	return out
}

// newerVersion reports whether version a is newer than b: numbers in it are compared as numbers.
func newerVersion(a, b string) bool {
	x, y := versionParts(a), versionParts(b)
	for i := range min(len(x), len(y)) {
		if x[i] == y[i] {
			continue
		}
		if isDigit(x[i][0]) && isDigit(y[i][0]) {
			p, q := strings.TrimLeft(x[i], "0"), strings.TrimLeft(y[i], "0")
			if len(p) != len(q) {
				return len(p) > len(q)
			}
			return p > q
		}
		return x[i] > y[i]
	}
	return len(x) > len(y)
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// versionParts splits a version where digits begin or end.
func versionParts(v string) (parts []string) {
	for len(v) > 0 {
		n := 1
		for n < len(v) && isDigit(v[n]) == isDigit(v[0]) {
			n++
		}
		parts = append(parts, v[:n])
		v = v[n:]
	}
	return parts
}

// nodeParts are the labels of kube_node_info that are worth a word, and the words.
var nodeParts = [...]struct{ label, word string }{
	{"kubelet_version", "kubelet"}, {"kernel_version", "kernel"}, {"container_runtime_version", "runtime"}, {"os_image", "OS"},
}

func nodeFact(v *identity.View) string {
	var b strings.Builder
	for i, p := range nodeParts {
		if i > 0 {
			b.WriteByte(0)
		}
		b.WriteString(cutText(v.Labels.Get(p.label)))
	}
	return b.String()
}

// worksOn returns the workloads with pods on a node.
func (tk *Tracker) worksOn(node string) []string {
	var out []string
	for i := range tk.book.Pods() {
		if p := tk.book.View(uint32(i)); p.Node == node && !p.Held {
			out = append(out, slashed(p.Namespace, cutText(p.Workload)))
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), WorksMax)]
}

// podsOn counts the pods on a node that a drain moves away and of which something was heard after t; those that have ended count unless alive is asked for.
func (tk *Tracker) podsOn(node string, after int64, alive bool) (n int64) {
	for i := range tk.book.Pods() {
		p := tk.book.View(uint32(i))
		if p.Node != node || p.Kind == identity.DaemonSet || p.Kind == identity.Static {
			continue
		}
		if tk.heard(uint32(i), after, alive) {
			n++
		}
	}
	return n
}

// lookForDrains tells of cordoned nodes that have lost four fifths of their pods.
func (tk *Tracker) lookForDrains(end int64) {
	kept := tk.cordons[:0]
	for _, oi := range tk.cordons {
		o := &tk.objects[oi]
		still := len(o.facts) > 0 && math.Float64frombits(o.facts[0].bits) == 1
		if !still || end > o.until || o.pods == 0 {
			o.pods, o.until = 0, 0
			continue
		}
		if left := tk.podsOn(o.name, end-liveMs, true); left*5 <= o.pods {
			tk.tell(o, Drain, end, amount("", float64(o.pods)), amount("", float64(left))+" pods", 0)
			o.pods, o.until = 0, 0
			continue
		}
		kept = append(kept, oi)
	}
	tk.cordons = kept
}
