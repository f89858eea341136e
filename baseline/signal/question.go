package signal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/promql"
)

// ruleForms is a rule with its compiled forms.
type ruleForms struct {
	*pack.Rule
	forms []form
}

type form struct {
	plan    *promql.Plan
	leaves  []uint32 // plan.leaves[i] is Stream.leaves[leaves[i]]
	natives []uint32 // the leaf of the native histograms that may stand in for it, none
	instead []bool   // by the number of an earlier form: it is about the same things under other names, so only one of the two answers
}

// replaced reports whether one of the forms that have been asked, a bit each, is about the same things.
func (f *form) replaced(asked uint64) bool {
	for i, x := range f.instead {
		if x && asked>>min(i, 63)&1 != 0 {
			return true
		}
	}
	return false
}

// standsFor reports whether a form with other labels than an earlier one is about the same things: it reads a metric that the earlier one reads, too. A front door or an issuer of
// certificates of another kind has metrics of its own.
func (s *Stream) standsFor(f, earlier *form) bool {
	return !slices.Equal(f.plan.Labels, earlier.plan.Labels) && slices.ContainsFunc(f.leaves, func(l uint32) bool {
		return slices.ContainsFunc(earlier.leaves, func(e uint32) bool { return s.leaves[e].metric == s.leaves[l].metric })
	})
}

// leafPlan is a leaf of one or more plans, with what follows from it.
type leafPlan struct {
	*promql.Leaf
	spec     string // equal leaves have equal specs
	metric   uint32
	static   []promql.Matcher // on labels that a series cannot change
	dynamic  []promql.Matcher // on workload, workload_type and node
	keep     []string         // kept labels that cannot change
	workload bool             // keep holds workload
	kind     bool             // keep holds workload_type
	node     bool             // keep holds node
	kinds    uint8
	ring     uint8
	own      bool   // one of the stream's own metrics
	asker    bool   // keep holds job: who was asked is a part of the question, so nobody is left out
	stands   bool   // selects native histograms that stand in for classic series
	selector uint32 // number of what is selected, the same for leaves that differ in keep only
}

// flags returns what a series is when the leaf selects it.
func (lp *leafPlan) flags() (f uint16) {
	if lp.stands {
		f |= flagNative
	}
	if lp.Bucket {
		f |= flagBucket
	}
	return f
}

// histogram returns the histogram that a series which the leaf selects belongs to, "" for none; known is what other leaves say.
func (lp *leafPlan) histogram(known string) string {
	switch {
	case lp.stands:
		return lp.Name
	case lp.Base != "":
		return lp.Base
	case lp.Bucket && known == "":
		return strings.TrimSuffix(lp.Name, "_bucket")
	}
	return known
}

// metric is a metric name that a rule or identity needs.
type metric struct {
	name   string
	leaves []uint32
	fact   identity.Fact
	ofPod  bool // kube-state-metrics shows it of every pod, as long as there is one
	net    bool // cAdvisor's of interfaces: of a pod in its node's network they are the node's
	watch  change.Metric
}

var ofPods = []string{"kube_pod_info", "kube_pod_owner", "kube_pod_status_phase", "kube_pod_status_ready", "kube_pod_start_time", "kube_pod_created", "kube_pod_labels"}

// speaks reports whether series of the metric say something of identity or changes, so that they are of use without a rule.
func (m *metric) speaks() bool { return m.fact != 0 || m.watch.Watched() }

// leaves reports whether a series is not counted in the window that closes.
func (lp *leafPlan) leaves(h *tracked) bool {
	return h.flags&(flagLeft|flagHeld) != 0 && (h.flags&flagHeld != 0 || !lp.asker)
}

// isDynamic reports whether the leaf asks for something that may become known later.
func (lp *leafPlan) isDynamic() bool { return len(lp.dynamic) > 0 || lp.workload || lp.kind || lp.node }

func (s *Stream) metric(name string) *metric {
	i, ok := s.byName[name]
	if !ok {
		i = uint32(len(s.metrics))
		s.metrics = append(s.metrics, &metric{name: name, ofPod: slices.Contains(ofPods, name), net: strings.HasPrefix(name, "container_network_")})
		s.byName[name] = i
	}
	return s.metrics[i]
}

// leaf returns the number of a leaf, the same for equal ones.
func (s *Stream) leaf(l *promql.Leaf, specs map[string]uint32, stands bool) uint32 {
	parts := []string{l.Name, fmt.Sprint(l.Func, l.Windows, l.Bucket, l.Base, l.Part, stands)}
	for _, m := range l.Match {
		parts = append(parts, m.String())
	}
	selector := "s" + strings.Join(parts, "\xff")
	spec := "l" + strings.Join(append(parts, strings.Join(l.Keep, ",")), "\xff")
	if i, ok := specs[spec]; ok {
		return i
	}
	if _, ok := specs[selector]; !ok {
		specs[selector] = uint32(len(s.leaves))
	}
	lp := &leafPlan{Leaf: l, spec: spec, stands: stands, selector: specs[selector]}
	for _, m := range l.Match {
		if identity.IsDynamic(m.Label()) {
			lp.dynamic = append(lp.dynamic, m)
		} else {
			lp.static = append(lp.static, m)
		}
	}
	for _, k := range l.Keep {
		switch k {
		case identity.LabelWorkload:
			lp.workload = true
		case identity.LabelWorkloadType:
			lp.kind = true
		case identity.LabelNode:
			lp.node = true
		default:
			lp.keep = append(lp.keep, k)
		}
	}
	switch l.Func {
	case promql.Rate, promql.Increase:
		if !stands {
			lp.kinds = kindIncrease
		}
	case promql.Changes:
		lp.kinds = kindChanges
	case promql.Timestamp:
		lp.kinds = kindTime
	default:
		lp.kinds = kindValue
	}
	lp.asker = slices.Contains(l.Keep, "job")
	lp.ring = shortRing
	if l.Windows > 5 {
		lp.ring = longRing
	}
	i := uint32(len(s.leaves))
	specs[spec] = i
	s.leaves = append(s.leaves, lp)
	m := s.metric(l.Name)
	lp.metric = s.byName[l.Name]
	if lp.own = pack.Language.IsMade(l.Name); !lp.own { // a sender's series of that name is not asked
		m.leaves = append(m.leaves, i)
	}
	return i
}
