package signal

import (
	"math"
	"strings"

	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

const (
	cohortLeast = 3                      // nodes on either side that can be compared
	lateWindows = 5                      // … of whose samples the late ones are counted
	gapForgetMs = 60 * windowMs          // a sender that is silent for so long is gone
	cohortMs    = promql.Lookback * 60e3 // a node not heard of for so long is not compared
)

// ownVector appends the vector of a leaf of the stream's own metrics.
func (s *Stream) ownVector(c *cluster, lp *leafPlan, end int64, dst []promql.Element) []promql.Element {
	give := func(v, events float64, l series.Labels) {
		get := func(name string) string {
			if name == labelCluster {
				return c.name
			}
			return l.Get(name)
		}
		for _, m := range lp.Match {
			if !m.Matches(get(m.Label())) {
				return
			}
		}
		var kept series.Labels
		for _, name := range lp.Leaf.Keep {
			if x := get(name); x != "" {
				kept = append(kept, series.Label{Name: name, Value: x})
			}
		}
		dst = append(dst, promql.Element{Set: c.table.Intern(kept), V: v, Events: events, Members: 1, Top: promql.NoRefs})
	}
	switch lp.Name {
	case ownLate, ownShort:
		for i := range c.changes.objects {
			pr := &c.changes.objects[i]
			if pr.what != watchProgress {
				continue
			}
			p, ok := c.progress(pr, end)
			if !ok {
				continue
			}
			v := 0.
			if ri, ok := c.changes.at[objectKey{whatRollout, pr.ns, pr.name, pr.sub}]; ok {
				if o := &c.changes.objects[ri]; o.rollT != 0 && !p.done {
					switch {
					case lp.Name == ownShort:
						if p.want > 0 {
							v = max(0, p.want-p.available-p.mayMiss) / p.want
						}
					case p.failed:
						v = float64(end-o.rollT) / 1000
					default:
						v = max(0, float64(end-o.rollT-o.lateAfter(p.want))/1000)
					}
				}
			}
			give(v, math.NaN(), c.workLabels(pr))
		}
	case ownCohort:
		for _, n := range c.cohorts(end) {
			give(1, math.NaN(), series.Labels{{Name: "cohort", Value: n.cohort}, {Name: labelNode, Value: n.node}})
		}
	case ownSenderGap:
		for _, n := range s.senders {
			if n.lastT != 0 && s.nowMs-n.lastMs < gapForgetMs && n.home(s, n.major) == c.name {
				give(max(0, float64(end-n.lastT)/1000), math.NaN(), series.Labels{{Name: "sender", Value: n.name}})
			}
		}
	case ownLateShare:
		for _, n := range s.senders {
			from, to := n.recent[lateWindows], n.recent[0]
			if d := float64(to.needed - from.needed); d > 0 && n.home(s, n.major) == c.name {
				give(float64(to.late-from.late)/d, d, series.Labels{{Name: "sender", Value: n.name}})
			}
		}
	}
	return dst
}

// workLabels returns the labels of the workload of an object.
func (c *cluster) workLabels(o *object) series.Labels {
	var l series.Labels
	for _, x := range [...]series.Label{{Name: labelNamespace, Value: o.ns}, {Name: labelWorkload, Value: o.name}, {Name: labelWorkloadType, Value: o.sub}} {
		if x.Value != "" {
			l = append(l, x)
		}
	}
	return l
}

// nodeCohort is a node on one side of an upgrade.
type nodeCohort struct{ node, cohort string }

// cohorts returns the nodes by whether they run the newest kubelet, while enough do and enough do not; nil otherwise. In the order in which
// nodes were first heard of.
func (c *cluster) cohorts(end int64) []nodeCohort {
	var out []nodeCohort
	newest := ""
	for pass := range 2 {
		for i := range c.changes.objects {
			o := &c.changes.objects[i]
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
				out = append(out, nodeCohort{o.name, "new"})
			default:
				out = append(out, nodeCohort{o.name, "old"})
			}
		}
	}
	n := 0
	for _, x := range out {
		if x.cohort == "new" {
			n++
		}
	}
	if n < cohortLeast || len(out)-n < cohortLeast {
		return nil
	}
	return out
}
