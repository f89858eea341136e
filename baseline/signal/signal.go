// Package signal is the stream: it keeps the newest minutes of every series that a rule needs and closes windows of event time into observations of signals, which outlive pods.
// A signal is a question worth asking about an entity ("are DNS lookups failing?" of a cluster). It is not OpenTelemetry's word.
package signal

import (
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
)

// Signal is a rule asked of one entity. Signals are immutable; there is one pointer for each id in an engine.
type Signal struct {
	ID     string        // stable, readable, URL-safe: see MakeID
	Rule   *pack.Rule    //
	Entity series.Labels // cluster first in meaning, sorted by name: cluster, namespace, workload, container, node …
	Index  uint32        // dense number in its engine, for tables; not stable across engines
}

// Member is one raw series' share in a signal's value, as evidence ("worst pod").
type Member struct {
	Name  string  // pod, device or instance, whatever tells the members apart
	Value float64 // of the raw series (a rate for a counter), in its own unit, which need not be the signal's
}

// MakeID returns the id of a rule's name and an entity: see series.Labels.ID.
func MakeID(name string, entity series.Labels) string { return entity.ID(name) }

// Observation is a signal's value in a closed window.
type Observation struct {
	Signal   *Signal
	Value    float64 // NaN never occurs: no value, no observation
	Events   float64 // events behind the value (denominator of a ratio, count of a histogram); 0 when not counted
	Newborn  bool    // the first of its signal, of which nothing was seen while its rule was asked for an hour: see pack.Rule.BornZero
	Span     int     // windows of which Events are, where the value is a rate of counted events or a share of them; else 0
	Members  int     // raw series that gave a value to this window
	Expected int     // raw series that gave one to the window before
	Top      []Member
}

// Window is one closed window of one cluster: what Stream hands on.
type Window struct {
	Cluster      string
	End          int64         // Unix milliseconds
	ClosedMs     int64         // receive clock at which it closed, Unix milliseconds
	Observations []Observation // sorted by signal id; borrowed, valid only during the call
	// Changes are what has become certain to have changed since the window before, by time. The slice is borrowed; what is in it stays as it is.
	Changes []change.Change
}
