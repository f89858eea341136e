package signal

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unsafe"

	"github.com/VictoriaMetrics/metrics"
	"github.com/wrackline/wrackline/baseline/pack"
)

// Stats say what a stream has seen and holds. Counts are of samples unless a comment says otherwise, since the state began.
type Stats struct {
	Clusters []ClusterStats // sorted by name
	Senders  []SenderStats  // sorted by name, then cluster
	Rules    []RuleStats    // in the order of the packs, then by cluster

	Series     int // series known as senders spell them, needed or not; an HA pair's count twice
	SeriesMax  int //
	Tracked    int // series that rules or identity need
	Signals    int
	SignalsMax int
	Objects    int // watched for changes

	// OverSignal is the rule whose new signals found no room last, OverSignalMs when, by the clock of samples, Unix milliseconds; "" and 0 = there was none.
	OverSignal   string
	OverSignalMs int64

	Samples          int64 // that came
	Needed           int64 // of tracked series
	Ignored          int64 // of series that no rule needs
	Duplicate        int64 // with the time and value of the newest
	Late             int64 // folded in after their window had closed
	OutOfOrder       int64 // not newer than the newest: dropped
	Replica          int64 // of a replica that is not the current one: dropped
	Future           int64 // too far ahead of the receive clock: refused
	Refused          int64 // of bad series, or beyond a limit: refused
	Stale            int64 // stale markers
	Unusable         int64 // NaN and infinite values: dropped
	Histograms       int64 // native histograms that came
	HistogramsUnused int64 // of these, not used: no rule needs them, gauges, too many buckets
	Resets           int64 // counters that began anew
	Takeovers        int64 // series (or bucket sets) that went over to another replica

	BadSeries   int64 // series whose labels no sender may send
	OverSeries  int64 // samples and histograms of series beyond the limit: refused
	Incomplete  int64 // values not given because too many of their series were missing
	FewEvents   int64 // values not given because too few events were behind them
	OverSignals int64 // values not given because the limit of signals was reached
	Conflicts   int64 // values not given because two series matched where one may
	Undefined   int64 // values not given because they are no number: a division by zero, a quantile of nothing
	Disabled    int64 // values not given because an override switches their signal off
	Evicted     int64 // series forgotten after an hour without samples, with spellings of them
	Retired     int64 // signals dropped after StreamOptions.RetireMs without a value

	Changes        int64 // changes told: events, not samples
	ChangesHeld    int64 // changes not told: part of a rollout that was told, or of an object that changes all the time
	OverObjects    int64 // series whose object is not watched for changes because there are too many
	PerSeriesBytes int   // memory of a tracked series, without label strings
}

// ClusterStats is a cluster's part.
type ClusterStats struct {
	Name          string
	Series        int   // tracked series that are alive
	Tracked       int   // tracked series, those that ended within the last hour too
	Signals       int   //
	LastT         int64 // newest sample, Unix milliseconds
	ClosedEnd     int64 // end of the newest closed window, Unix milliseconds; 0 = none yet
	WindowsClosed int64
	Early         int64 // of these, closed because all series had arrived
	Grace         int64 // of these, closed at the end of the grace
	Workloads     int   // with pods
	Owners        bool  // owner data of kube-state-metrics was seen; without it workloads follow from pods' names
}

// SenderStats is a sender's part.
type SenderStats struct {
	Name      string
	Cluster   string // where its series go, unless they say otherwise
	Replica   string // value of its replica label; "" = none
	Samples   int64  // that came
	Accepted  int64  // folded into open windows
	Duplicate int64  // repeated, or of the replica that is not current
	Late      int64  // folded in late, or older than the newest
	Rejected  int64  //
	FirstMs   int64  // first and last request, receive clock, Unix milliseconds
	LastMs    int64  //
	UsedMs    int64  // its last request of which a sample was used, or stood by as that of the other half of a pair; receive clock, Unix milliseconds, 0 = none was
	LastT     int64  // newest needed sample, Unix milliseconds
}

// RuleStats is a rule's part in one cluster.
type RuleStats struct {
	Rule    *pack.Rule
	Cluster string
	Form    int      // the expression in use; −1 = dormant
	Series  int      // series that the expression selected in the last window
	Signals int      //
	Missing []string // metrics that the rule's expressions need and that did not arrive, when dormant
	LastT   int64    // newest time at which the metrics that one of its expressions needs had all arrived, Unix milliseconds; 0 = never, or it needs none
}

// perSeries is the memory of a tracked series of one short ring in one leaf, known under one key, without slack of growth.
const perSeries = int(unsafe.Sizeof(tracked{})+unsafe.Sizeof(cold{})+unsafe.Sizeof(bind{})+unsafe.Sizeof(key{})) +
	shortRing*8 + 4 /* cluster.series */ + 4 /* cluster.lists */ + 2*3*4 /* the two indexes */

// Stats returns a copy of the counters and a survey of clusters, senders and rules.
func (s *Stream) Stats() Stats {
	st := s.stats
	st.Series, st.SeriesMax = len(s.keys), s.opts.MaxSeries
	st.Tracked, st.Objects = len(s.hot), s.changeCounts.Objects
	st.OverSignal, st.OverSignalMs = s.overSignal, s.overSignalMs
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
	for _, n := range s.senders {
		st.Senders = append(st.Senders, SenderStats{Name: n.name, Cluster: n.home(s, ""), Replica: n.replica, Samples: n.samples, Accepted: n.accepted,
			Duplicate: n.duplicate, Late: n.late, Rejected: n.rejected, FirstMs: n.firstMs, LastMs: n.lastMs, UsedMs: n.usedMs, LastT: n.lastT})
	}
	st.Sort()
	return st
}

// Add adds what another stream says: counts are summed, surveys put together. Call Sort when all are added.
func (s *Stats) Add(o *Stats) {
	s.Clusters, s.Senders, s.Rules = append(s.Clusters, o.Clusters...), append(s.Senders, o.Senders...), append(s.Rules, o.Rules...)
	s.Series, s.Tracked, s.Signals, s.Objects = s.Series+o.Series, s.Tracked+o.Tracked, s.Signals+o.Signals, s.Objects+o.Objects
	if o.OverSignalMs > s.OverSignalMs {
		s.OverSignal, s.OverSignalMs = o.OverSignal, o.OverSignalMs
	}
	s.SeriesMax, s.SignalsMax, s.PerSeriesBytes = max(s.SeriesMax, o.SeriesMax), max(s.SignalsMax, o.SignalsMax), max(s.PerSeriesBytes, o.PerSeriesBytes)
	mine, others := s.sums(), o.sums()
	for i := range mine {
		*mine[i] += *others[i]
	}
}

// sums lists the counts.
func (s *Stats) sums() []*int64 {
	return []*int64{&s.Samples, &s.Needed, &s.Ignored, &s.Duplicate, &s.Late, &s.OutOfOrder, &s.Replica, &s.Future, &s.Refused, &s.Stale,
		&s.Unusable, &s.Histograms, &s.HistogramsUnused, &s.Resets, &s.Takeovers, &s.BadSeries, &s.OverSeries, &s.Incomplete, &s.FewEvents, &s.OverSignals,
		&s.Conflicts, &s.Undefined, &s.Disabled, &s.Evicted, &s.Retired, &s.Changes, &s.ChangesHeld, &s.OverObjects}
}

// Sort puts the surveys in order: clusters by name, senders by name and cluster, rules in the order in which they first occur and by cluster.
func (s *Stats) Sort() {
	slices.SortFunc(s.Clusters, func(a, b ClusterStats) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Senders, func(a, b SenderStats) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Cluster, b.Cluster))
	})
	if len(s.Clusters) < 2 {
		return // its rules are in their order
	}
	at := map[*pack.Rule]int{}
	for i := range s.Rules {
		if _, ok := at[s.Rules[i].Rule]; !ok {
			at[s.Rules[i].Rule] = i
		}
	}
	slices.SortStableFunc(s.Rules, func(a, b RuleStats) int {
		return cmp.Or(cmp.Compare(at[a.Rule], at[b.Rule]), strings.Compare(a.Cluster, b.Cluster))
	})
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

// Explanation says what a rule makes of what arrives, for packs explain and the page of a signal.
type Explanation struct {
	Rule     *pack.Rule // nil when there is no such rule
	Clusters []RuleExplanation
}

// RuleExplanation is a rule in one cluster.
type RuleExplanation struct {
	Cluster string
	Form    int    // the expression in use; −1 = dormant
	Expr    string // its text; "" when dormant
	Missing []string
	Leaves  []LeafExplanation // of the expression in use, or of the first one when dormant
	Groups  []string          // ids of the rule's signals in the cluster, sorted
}

// LeafExplanation is one selector of an expression.
type LeafExplanation struct {
	Metric   string
	Selector string
	Series   int   // tracked series that match
	Active   int   // of these, taking part (not held back for their owner, workload and node matching)
	Live     int   // of these, alive
	LastT    int64 // newest sample of the metric, Unix milliseconds; 0 = never
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
	for _, name := range []string{"samples", "samples_needed", "samples_ignored", "samples_duplicate", "samples_late", "samples_out_of_order",
		"samples_replica", "samples_future", "samples_refused", "samples_stale", "samples_unusable", "histograms", "resets", "takeovers",
		"series_bad", "samples_over_series", "values_incomplete", "values_few_events", "values_over_signals", "series_evicted",
		"values_disabled", "signals_retired", "changes", "changes_held", "objects_over",
		"histograms_unused", "values_conflicting", "values_undefined"} {
		out = append(out, metrics.NewCounter("wrackline_signal_"+name+"_total"))
	}
	return out
}()
