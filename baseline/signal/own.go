package signal

import (
	"math"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

const gapForgetMs = 60 * windowMs // a sender that is silent for so long is gone

// ownVector appends the vector of a leaf of the stream's own metrics.
func (s *Stream) ownVector(c *cluster, lp *leafPlan, end int64, dst []promql.Element) []promql.Element {
	give := func(v, events float64, l series.Labels) {
		get := func(name string) string {
			if name == identity.LabelCluster {
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
	case pack.OwnLate, pack.OwnShort:
		for _, r := range s.rolloutsOf(c, end) {
			if lp.Name == pack.OwnLate {
				give(r.LateS, math.NaN(), r.Workload)
			} else {
				give(r.Short, math.NaN(), r.Workload)
			}
		}
	case pack.OwnCohort:
		for _, n := range c.changes.Cohorts(end) {
			give(1, math.NaN(), series.Labels{{Name: "cohort", Value: n.Side}, {Name: identity.LabelNode, Value: n.Node}})
		}
	case pack.OwnGone:
		c.changes.Departed(end, func(w series.Labels, news float64) { give(news, math.NaN(), w) })
	case pack.OwnSenderGap:
		for _, n := range s.senders.List {
			if n.LastT != 0 && s.nowMs-n.LastMs < gapForgetMs && s.home(n, "") == c.name {
				give(max(0, float64(end-n.LastT)/1000), math.NaN(), series.Labels{{Name: "sender", Value: n.Name}})
			}
		}
	case pack.OwnLateShare:
		for _, n := range s.senders.List {
			if share, of := n.Late.Share(); of > 0 && s.nowMs-n.LastMs < stepMax && s.home(n, "") == c.name {
				give(share, of, series.Labels{{Name: "sender", Value: n.Name}})
			}
		}
	}
	return dst
}

// rolloutsOf returns how the rollouts of a cluster stand at the end of the window that closes. Two questions are asked of it.
func (s *Stream) rolloutsOf(c *cluster, end int64) []change.RolloutView {
	if !s.current.rolled {
		s.current.rolled = true
		s.rollouts = s.rollouts[:0]
		c.changes.Rollouts(end, func(r change.RolloutView) { s.rollouts = append(s.rollouts, r) })
	}
	return s.rollouts
}
