// Package query answers PromQL over what Wrackline knows: the Prometheus HTTP API, as Grafana's Prometheus data source calls it, with Prometheus' own engine over chart history, incidents and changes.
// It stores nothing: what it answers is made of what is kept anyway, when somebody asks.
package query

import (
	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
)

// Source is what there is to be asked for. Each method may be called by anybody at any time, and returns what stays as it is.
type Source interface {
	// View returns every signal as it stands, sorted by id, and the newest changes.
	View() *baseline.View
	// Incidents returns open and closed incidents; nil = none yet.
	Incidents() *alerting.Snapshot
	// Samples returns the history of a signal with fromMs < T ≤ toMs as fine as it is kept: windows, and the quarters of an hour before them. An unknown signal has none.
	Samples(id string, fromMs, toMs int64) (quarters, windows []Point, err error)
}

// Point is what was judged of a signal in a window or a quarter of an hour, in the signal's unit. What is unknown is NaN.
type Point struct {
	T                             int64 // its end, Unix milliseconds
	Value, Lower, Expected, Upper float64
	Score                         float64 // 1 = told
}

// metric is one name that series have here.
type metric struct {
	name, help string
	of         func(p *Point) float64 // nil = not of signals
}

const (
	incidentMetric = "wrackline_incident"
	changeMetric   = "wrackline_change"
)

// metrics are sorted by name.
var metricsKnown = []metric{
	{changeMetric, "A change to a cluster as its metrics show it: 1 at the moment when it first showed.", nil},
	{incidentMetric, "An incident: 1 each minute from the alarm with which it opened until it was resolved.", nil},
	{"wrackline_signal", "Value of a signal, in its unit.", func(p *Point) float64 { return p.Value }},
	{"wrackline_signal_expected", "What was expected of a signal before its value was known.", func(p *Point) float64 { return p.Expected }},
	{"wrackline_signal_lower", "Lower end of what is normal for a signal.", func(p *Point) float64 { return p.Lower }},
	{"wrackline_signal_score", "How unusual a signal is: from 1 on an alarm is raised.", func(p *Point) float64 { return p.Score }},
	{"wrackline_signal_upper", "Upper end of what is normal for a signal.", func(p *Point) float64 { return p.Upper }},
}
