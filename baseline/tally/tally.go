// Package tally is what a stream has counted and can explain, in numbers and words: it holds no series and decides nothing.
package tally

import (
	"cmp"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/pack"
)

// Stats say what a stream has seen and holds. Counts are of samples unless a comment says otherwise, since the state began.
type Stats struct {
	Clusters []ClusterStats // sorted by name
	Senders  []SenderStats  // sorted by name, then cluster
	Rules    []RuleStats    // in the order of the packs, then by cluster
	Pairs    []PairStats    // senders that were found to be replicas of each other

	Series     int // series known as senders spell them, needed or not; an HA pair's count twice
	SeriesMax  int //
	Tracked    int // series that rules or identity need
	Signals    int
	SignalsMax int
	Objects    int // watched for changes

	// OverSignal is the rule whose new signals found no room last, OverSignalMs when, by the clock of samples, Unix milliseconds; "" and 0 = there was none.
	OverSignal   string
	OverSignalMs int64
	OverSignalBy string // the sender of what that was asked of, "" when it is of none

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
	Retired     int64 // signals dropped after a time without a value
	Yielded     int64 // series given up by senders that had more than their share of a limit, for those that had less

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

// PairStats says that what is sent with one of the values of a label is the same as what is sent with another.
type PairStats struct {
	Cluster, Label string
	Values         []string // the first is that of the series that are read
}

// SenderStats is a sender's part.
type SenderStats struct {
	Name      string
	Cluster   string  // where its series go, unless they say otherwise
	Replica   string  // value of the label that tells it from its replicas; "" = none
	Samples   int64   // that came
	Accepted  int64   // folded into open windows
	Duplicate int64   // repeated, or of the replica that is not current
	Late      int64   // folded in late, or older than the newest
	Rejected  int64   //
	FirstMs   int64   // first and last request, receive clock, Unix milliseconds
	LastMs    int64   //
	UsedMs    int64   // its last request of which a sample was used, or stood by as that of the other half of a pair; receive clock, Unix milliseconds, 0 = none was
	LastT     int64   // newest needed sample, Unix milliseconds
	Tracked   int     // series that signals need and that it was the first to send
	Unneeded  int     // series of it that no signal needs
	Signals   int     // signals whose newest value is, most of all, of its series
	Yielded   int64   // series and signals that it gave up since it had more than its share of a limit
	Lost      float64 // once it has been quiet for some minutes: the share of what it sent at last that nobody sends any more, 0 to 1; 0 also when all is quiet
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

// Add adds what another stream says: counts are summed, surveys put together. Call Sort when all are added.
func (s *Stats) Add(o *Stats) {
	s.Clusters, s.Senders, s.Rules = append(s.Clusters, o.Clusters...), append(s.Senders, o.Senders...), append(s.Rules, o.Rules...)
	s.Pairs = append(s.Pairs, o.Pairs...)
	s.Series, s.Tracked, s.Signals, s.Objects = s.Series+o.Series, s.Tracked+o.Tracked, s.Signals+o.Signals, s.Objects+o.Objects
	if o.OverSignalMs > s.OverSignalMs {
		s.OverSignal, s.OverSignalMs, s.OverSignalBy = o.OverSignal, o.OverSignalMs, o.OverSignalBy
	}
	s.SeriesMax, s.SignalsMax, s.PerSeriesBytes = max(s.SeriesMax, o.SeriesMax), max(s.SignalsMax, o.SignalsMax), max(s.PerSeriesBytes, o.PerSeriesBytes)
	mine, others := s.sums(), o.sums()
	for i := range mine {
		*mine[i] += *others[i]
	}
}

// Names are those under which Counters are published.
var Names = []string{"samples", "samples_needed", "samples_ignored", "samples_duplicate", "samples_late", "samples_out_of_order",
	"samples_replica", "samples_future", "samples_refused", "samples_stale", "samples_unusable", "histograms", "resets", "takeovers",
	"series_bad", "samples_over_series", "values_incomplete", "values_few_events", "values_over_signals", "series_evicted",
	"values_disabled", "signals_retired", "changes", "changes_held", "objects_over",
	"histograms_unused", "values_conflicting", "values_undefined", "series_yielded"}

// Counters lists the counts that are part of a stream's state, in their order there; those of changes are kept elsewhere.
func (s *Stats) Counters(told, held, over *int64) []*int64 {
	return []*int64{&s.Samples, &s.Needed, &s.Ignored, &s.Duplicate, &s.Late, &s.OutOfOrder, &s.Replica, &s.Future, &s.Refused, &s.Stale,
		&s.Unusable, &s.Histograms, &s.Resets, &s.Takeovers, &s.BadSeries, &s.OverSeries, &s.Incomplete, &s.FewEvents, &s.OverSignals,
		&s.Evicted, &s.Disabled, &s.Retired, told, held, over, &s.HistogramsUnused, &s.Conflicts, &s.Undefined, &s.Yielded}
}

// sums lists the counts.
func (s *Stats) sums() []*int64 {
	return []*int64{&s.Samples, &s.Needed, &s.Ignored, &s.Duplicate, &s.Late, &s.OutOfOrder, &s.Replica, &s.Future, &s.Refused, &s.Stale,
		&s.Unusable, &s.Histograms, &s.HistogramsUnused, &s.Resets, &s.Takeovers, &s.BadSeries, &s.OverSeries, &s.Incomplete, &s.FewEvents, &s.OverSignals,
		&s.Conflicts, &s.Undefined, &s.Disabled, &s.Evicted, &s.Retired, &s.Changes, &s.ChangesHeld, &s.OverObjects, &s.Yielded}
}

// Sort puts the surveys in order: clusters by name, senders by name and cluster, rules in the order in which they first occur and by cluster.
func (s *Stats) Sort() {
	slices.SortFunc(s.Clusters, func(a, b ClusterStats) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Senders, func(a, b SenderStats) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Cluster, b.Cluster))
	})
	slices.SortStableFunc(s.Pairs, func(a, b PairStats) int { return strings.Compare(a.Cluster, b.Cluster) })
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
