package signal

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unsafe"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/baseline/spelling"
	"github.com/wrackline/wrackline/baseline/tally"
)

// What a stream says of itself.
type (
	Stats           = tally.Stats
	ClusterStats    = tally.ClusterStats
	SenderStats     = tally.SenderStats
	PairStats       = tally.PairStats
	RuleStats       = tally.RuleStats
	Explanation     = tally.Explanation
	RuleExplanation = tally.RuleExplanation
	LeafExplanation = tally.LeafExplanation
)

// perSeries is the memory of a tracked series of one short ring in one leaf, known under one key, without slack of growth.
const perSeries = int(unsafe.Sizeof(tracked{})+unsafe.Sizeof(cold{})+unsafe.Sizeof(bind{})+unsafe.Sizeof(spelling.Key{})) +
	shortRing*8 + 4 /* cluster.series */ + 4 /* cluster.lists */ + 2*3*4 /* the two indexes */

// Stats returns a copy of the counters and a survey of clusters, senders and rules.
func (s *Stream) Stats() Stats {
	st := s.stats
	st.Series, st.SeriesMax = len(s.keys.List), s.opts.MaxSeries
	st.Tracked, st.Objects = len(s.hot), s.changeCounts.Objects
	st.OverSignal, st.OverSignalMs, st.OverSignalBy = s.overSignal, s.overSignalMs, s.overSignalBy
	st.Evicted += s.unspelt
	st.Changes, st.ChangesHeld, st.OverObjects = s.changeCounts.Told, s.changeCounts.Held, s.changeCounts.Over
	st.Signals, st.SignalsMax = len(s.signalAt), s.opts.MaxSignals
	st.PerSeriesBytes = perSeries
	byRule := make([]int, len(s.clusters)*len(s.rules))
	for _, m := range s.marks {
		if m.rule != none {
			byRule[int(m.cluster)*len(s.rules)+int(m.rule)]++
		}
	}
	st.Rules = make([]RuleStats, 0, len(byRule))
	var names []string // that all lists of what is missing lie in
	for i, c := range s.clusters {
		if !c.used() {
			continue
		}
		cs := ClusterStats{Name: c.name, Series: c.live, Tracked: len(c.series), Signals: len(c.order), LastT: c.newest,
			WindowsClosed: c.windows, Early: c.early, Grace: c.grace, Owners: c.book.Owners(), Workloads: c.book.Workloads()}
		if c.windows > 0 {
			cs.ClosedEnd = c.open - windowMs
		}
		st.Clusters = append(st.Clusters, cs)
		for j, r := range s.rules {
			rs := RuleStats{Rule: r.Rule, Cluster: c.name, Form: c.rules[j].form, Series: c.rules[j].series, Signals: byRule[i*len(s.rules)+j]}
			if rs.Form < 0 {
				rs.Missing, names = s.missing(names, c, r)
			}
			for k := range r.forms {
				if t := s.complete(c, &r.forms[k]); t != math.MaxInt64 {
					rs.LastT = max(rs.LastT, t)
				}
			}
			st.Rules = append(st.Rules, rs)
		}
	}
	for _, p := range s.halves.Pairs() {
		st.Pairs = append(st.Pairs, PairStats{Cluster: cmp.Or(s.opts.Cluster, s.opts.DefaultCluster), Label: p.Label, Values: p.Values})
	}
	lost := s.unsent()
	for i, n := range s.senders.List {
		st.Senders = append(st.Senders, SenderStats{Name: n.Name, Cluster: s.home(n, ""), Replica: cmp.Or(n.Replica, s.halves.ReplicaOf(i)), Samples: n.Samples, Accepted: n.Accepted,
			Duplicate: n.Duplicate, Late: n.Tardy, Rejected: n.Rejected, FirstMs: n.FirstMs, LastMs: n.LastMs, UsedMs: n.UsedMs, LastT: n.LastT,
			Tracked: n.Held.Tracked, Unneeded: n.Held.Unneeded, Signals: n.Held.Signals, Yielded: n.Yielded})
		if lost != nil {
			st.Senders[len(st.Senders)-1].Lost = lost[i]
		}
	}
	st.Sort()
	return st
}

// How long a sender must have been quiet before it is looked what others send of it, for how long that is done, and how long before its end a series may have ended by itself. Milliseconds.
const (
	quietMs = int64(2 * 60_000)
	goneMs  = int64(24 * 3_600_000)
	endedMs = int64(10 * 60_000)
)

// unsent returns for each sender that is quiet while another is not which share of what it sent in its last minutes nobody has sent since; nil when none is quiet.
func (s *Stream) unsent() (shares []float64) {
	heard, cuts := s.senders.HeardMs(), []int64(nil)
	for i, n := range s.senders.List {
		if quiet := heard - n.UsedMs; n.UsedMs == 0 || n.Held.Tracked == 0 || quiet < quietMs || quiet > goneMs {
			continue
		}
		if cuts == nil {
			cuts, shares = make([]int64, len(s.senders.List)), make([]float64, len(s.senders.List))
		}
		cuts[i] = min(n.UsedMs, n.LastT) // its newest sample may be ahead, and is behind when it comes late
	}
	if cuts == nil {
		return nil
	}
	for id := range s.hot {
		i, h := s.cold[id].sender, &s.hot[id]
		if cut := cuts[i]; cut != 0 && h.lastT <= cut && h.lastT > cut-endedMs {
			shares[i] += max(1, windowMs/float64(max(h.stepMs, 1000))) // samples of a window that has any
		}
	}
	for i := range shares {
		if _, of := s.senders.List[i].Late.Share(); shares[i] > 0 {
			shares[i] = min(1, shares[i]*tally.LateWindows/max(of, 1))
		}
	}
	return shares
}

// StatsOf returns what a stream with the options says before anything has come.
func StatsOf(o StreamOptions) Stats {
	return Stats{SeriesMax: cmp.Or(o.MaxSeries, SeriesDefault), SignalsMax: cmp.Or(o.MaxSignals, SignalsDefault), PerSeriesBytes: perSeries}
}

// used reports whether anything ever came of a cluster. One that a sender's first series named by mistake is not.
func (c *cluster) used() bool { return len(c.series) > 0 || c.windows > 0 }

// missing appends to names the metrics that a rule needs and that have not arrived in a cluster, and returns them and all names.
func (s *Stream) missing(names []string, c *cluster, r *ruleForms) (out, all []string) {
	from := len(names)
	for i := range r.forms {
		for j, l := range r.forms[i].leaves {
			m := s.leaves[l].metric
			if name := s.metrics[m].name; s.arrivedAt(c, &r.forms[i], j) <= c.open-windowMs-formMs && !slices.Contains(names[from:], name) {
				names = append(names, name)
			}
		}
	}
	if len(names) > from {
		out = slices.Clip(names[from:])
	}
	return out, names
}

// Explain returns what a rule makes of what arrives. Rule is nil in the answer when there is no such rule.
func (s *Stream) Explain(rule string) Explanation {
	ri := slices.IndexFunc(s.rules, func(r *ruleForms) bool { return r.Name == rule })
	if ri < 0 {
		return Explanation{}
	}
	r := s.rules[ri]
	x := Explanation{Rule: r.Rule}
	for ci, c := range s.clusters {
		if !c.used() {
			continue
		}
		rx := RuleExplanation{Cluster: c.name, Form: c.rules[ri].form}
		f := &r.forms[0]
		if rx.Form >= 0 {
			f = &r.forms[rx.Form]
			rx.Expr = f.plan.Source
		} else {
			rx.Missing, _ = s.missing(nil, c, r)
		}
		for j, li := range f.leaves {
			lp := s.leaves[li]
			lists := [][]uint32{c.lists[li]}
			if n := f.natives[j]; n != none {
				lists = append(lists, c.lists[n])
			}
			lx := LeafExplanation{Metric: lp.Name, Selector: lp.Name}
			var ms []string
			for _, m := range lp.Match {
				ms = append(ms, m.String())
			}
			if ms != nil {
				lx.Selector += "{" + strings.Join(ms, ", ") + "}"
			}
			if lp.own && c.windows > 0 {
				lx.Series = len(s.ownVector(c, lp, c.open-windowMs, nil))
				lx.Active, lx.Live, lx.LastT = lx.Series, lx.Series, c.open-windowMs
			}
			for _, list := range lists {
				lx.Series += len(list)
				for _, bi := range list {
					b := &s.binds[bi]
					h := &s.hot[b.series]
					lx.LastT = max(lx.LastT, h.lastT)
					if b.ls != none {
						lx.Active++
						if h.flags&flagLive != 0 {
							lx.Live++
						}
					}
				}
			}
			rx.Leaves = append(rx.Leaves, lx)
		}
		for i := range s.marks {
			if m := &s.marks[i]; int(m.cluster) == ci && int(m.rule) == ri {
				rx.Groups = append(rx.Groups, s.signals[i].ID)
			}
		}
		slices.Sort(rx.Groups)
		x.Clusters = append(x.Clusters, rx)
	}
	slices.SortFunc(x.Clusters, func(a, b RuleExplanation) int { return strings.Compare(a.Cluster, b.Cluster) })
	return x
}

// publish adds what has been counted since the last time to the process's metrics. It is called once a request, since an atomic
// addition for each sample would cost a fifth of folding it.
func (s *Stream) publish() {
	for i, c := range s.counters {
		if d := *c - s.published[i]; d > 0 {
			s.published[i] = *c
			counted[i].AddInt64(d)
		}
	}
}

// counted are the metrics of Stats.counters, in its order.
var counted = func() (out []*metrics.Counter) {
	for _, name := range tally.Names {
		out = append(out, metrics.NewCounter("wrackline_signal_"+name+"_total"))
	}
	return out
}()
