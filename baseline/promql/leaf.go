package promql

import (
	"strconv"

	"github.com/prometheus/prometheus/model/labels"
)

// Func says what is asked of each series of a selector.
type Func uint8

const (
	Value     Func = iota // the newest sample: a gauge
	Rate                  // of a counter, per second
	Increase              // of a counter
	Changes               // how often the value became another
	Timestamp             // Unix seconds of the newest sample
)

// Lookback is how many windows a gauge's value is good for.
const Lookback = 5

// Leaf is one distinct selector with a function. Equal leaves of one plan are one leaf.
type Leaf struct {
	Name    string    // metric name; always an equality matcher
	Match   []Matcher // on other labels, also on virtual labels
	Func    Func
	Windows int      // range in one-minute windows, 1–15; Value, Timestamp: Lookback
	Keep    []string // names of the labels that something above needs, sorted, possibly virtual; a series without one has no such label
	Bucket  bool     // the series are classic-histogram buckets: keep holds le, and the buckets of a target count together or not at all
	Base    string   // name of the native histogram that may stand in for the series; "" = none may
	Part    Part     // what of the native histogram is taken
}

// Part says what of a native histogram a leaf takes.
type Part uint8

const (
	NoPart      Part = iota
	PartBuckets      // the histogram itself, in place of x_bucket
	PartCount        // in place of x_count
	PartSum          // in place of x_sum
)

// Native returns the leaf that selects the native histograms which stand in for l's series; nil when none may.
func (l *Leaf) Native() *Leaf {
	if l.Base == "" {
		return nil
	}
	n := *l
	n.Name, n.Base, n.Bucket, n.Keep = l.Base, "", false, minus(l.Keep, labels.BucketLabel)
	return &n
}

// Counter reports whether the leaf reads its series as a counter.
func (l *Leaf) Counter() bool { return l.Func == Rate || l.Func == Increase }

// Matcher tests one label. The zero value is not usable.
type Matcher struct{ M *labels.Matcher }

// Label returns the name of the label that is tested.
func (m Matcher) Label() string { return m.M.Name }

// Matches tests a value; an absent label is "". Values of le and quantile are compared as numbers where both sides are: 1 and 1.0 are equal.
func (m Matcher) Matches(value string) bool {
	return m.M.Matches(value) || (m.M.Name == labels.BucketLabel || m.M.Name == "quantile") && m.numeric(value)
}

// String writes the matcher as PromQL.
func (m Matcher) String() string { return m.M.String() }

// Ref names a raw series and its share: evidence. Series is the caller's number of it, −1 for none.
type Ref struct {
	Series int32
	V      float64
}

// NoRef names no series.
var NoRef = Ref{Series: -1}

// NoRefs is an element's evidence before there is any.
var NoRefs = [3]Ref{NoRef, NoRef, NoRef}

// Element is one value of a vector.
type Element struct {
	Set     uint32  // id in Input.Table
	Members int32   // raw series that gave a value
	Missing int32   // live raw series that gave none
	Hist    int32   // the native histogram, a number of Scratch.Hist; 0 = the value is a number
	V       float64 // the value
	Events  float64 // events behind the value in the window's range (a counter's increase); NaN = not counted
	Top     [3]Ref  // up to three raw series that weigh most
}

// Unknown reports that series exist but gave no value. A constant has neither members nor missing ones and is known.
func (e *Element) Unknown() bool { return e.Members == 0 && e.Missing > 0 }

// Input is what a plan needs to be evaluated for one window.
type Input struct {
	Table *Table
	EndMs int64  // the window's end, Unix milliseconds
	Scope uint32 // id in Table of the set of the scope's label alone
	// Leaf appends the vector of Plan.Leaves[i], in order of registration: classic series first, then the native histograms that stand
	// in for others.
	Leaf func(i int, dst []Element) []Element
	// Shared holds what shared parts have given in this window, as long as Share said; nil = every plan is evaluated on its own.
	Shared []SharedVector
}

// numeric compares bounds and quantiles as numbers: Prometheus 3 writes le="1.0" where older ones keep le="1".
func (m Matcher) numeric(value string) bool {
	if m.M.Type != labels.MatchEqual {
		return false
	}
	a, errA := strconv.ParseFloat(m.M.Value, 64)
	b, errB := strconv.ParseFloat(value, 64)
	return errA == nil && errB == nil && a == b
}
