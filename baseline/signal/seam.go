package signal

// The seam between expressions (compile.go, eval.go) and the stream that feeds them (stream.go).
//
// A plan asks for leaves; a leaf is a selector with a function. For each closed window of a cluster the stream appends the
// vector of each leaf: one element for each live series that the leaf selects, in order of registration, with the series'
// labels projected on leaf.keep. The plan turns these vectors into one element for each entity.
//
// What a leaf's value is. Let w be the window (start, end], r the range (end − windows minutes, end]. What follows equals
// PromQL with `smoothed` (rate, increase), `anchored` (changes) and a look-back of 5 minutes; the reference feeder in
// reference_test.go is the same in code, checked against the Prometheus engine.
//
//   - fnIncrease: an increase between two neighbouring samples of a series (t1, v1), (t2, v2) with t2 − t1 ≤ 5 min is
//     v2 − v1, or v2 after a reset (v2 < v1), and is spread linearly over t1…t2. The value is what falls into r.
//     A cell (one minute) is covered when a segment t1…t2 overlaps it or a sample lies in it; the value of a range is the
//     sum of its covered cells, oldest first; without a covered cell there is none. So:
//     · first sample of a series inside r: counting begins there (the stream may know better and count from zero, by
//     start timestamp; then the sample's cell gets its value);
//     · a single sample inside r and no neighbour: 0, a value; a single sample before r: none;
//     · a series shorter than r, or one that ended inside it: what is there. rate still divides by the whole range;
//     · a gap of more than 5 min is no segment: nothing is spread over it, cells inside are not covered, and the sample after
//     it counts from itself on. (The engine's rule for gaps of 5 min to 10 min + r depends on where the window stands; ours does not.)
//     · a stale marker is no sample and does not cut a segment: when the series comes back within 5 min the increase is spread
//     as over any gap. Windows that have closed meanwhile stay as they were: their share is lost, not moved;
//     · NaN samples other than stale are dropped by the stream (counters have none);
//     · the segment that reaches past the window's end is used: this is why a window closes only after a later sample.
//   - fnRate: fnIncrease ÷ (windows × 60 s).
//   - fnChanges: the number of pairs of neighbouring samples with v1 ≠ v2 (and not both NaN), t2 in r and t2 − t1 ≤ 5 min.
//     None when no sample lies in r.
//   - fnValue: the newest sample with end − 5 min < t ≤ end. None when there is none, or when a stale marker with t ≤ end is newer.
//   - fnTimestamp: the Unix seconds of that sample.
//
// A native histogram is read like a counter whose value is a histogram: an increase is taken bucket by bucket, a reset is decided once
// for all of them, and all are spread alike. v and events are those of the count. A leaf with a base takes x's native histogram where
// a target sends one: for x_bucket the histogram itself (element.hist), for x_count and x_sum its count and sum. The classic series
// of the same target are left out then.
//
// events: fnIncrease and fnRate: the increase in r; fnChanges: the changes; fnValue and fnTimestamp: NaN.
// top[0]: {the series, v}; the others noMember.
//
// A live series without value, or with cells of r missing for a reason that is not its age (a sender's gap), is given as an
// element as well. No value: v = NaN, members = 0, missing = 1. A value of which too much is missing: members = 1, missing = 1.
// An element with members = 0 and missing > 0 is *unknown*: it adds its missing count to what is made of it and nothing else;
// whatever is joined with an unknown is unknown. This differs from absence: for the zero law and for `or` and `unless` an
// unknown side gives no value, never 0 and never the other side.
// A series that is not live (stale, not seen for 5 min) is not given at all.

import (
	"github.com/prometheus/prometheus/model/labels"
)

// leafFn says what is asked of each series of a selector.
type leafFn uint8

const (
	fnValue leafFn = iota
	fnRate
	fnIncrease
	fnChanges
	fnTimestamp
)

// lookback is how many windows a gauge's value is good for.
const lookback = 5

// leaf is one distinct selector with a function. Equal leaves of one plan are one leaf.
type leaf struct {
	name    string    // metric name; always an equality matcher
	match   []matcher // on other labels, also on virtual labels
	fn      leafFn
	windows int      // range in one-minute windows, 1–15; fnValue, fnTimestamp: lookback
	keep    []string // names of the labels that something above needs, sorted, possibly virtual; a series without one has no such label
	bucket  bool     // the series are classic-histogram buckets: keep holds le, and the buckets of a target count together or not at all
	base    string   // name of the native histogram that may stand in for the series; "" = none may
	part    histPart // what of the native histogram is taken
}

// histPart says what of a native histogram a leaf takes.
type histPart uint8

const (
	noPart      histPart = iota
	partBuckets          // the histogram itself, in place of x_bucket
	partCount            // in place of x_count
	partSum              // in place of x_sum
)

// native returns the leaf that selects the native histograms which stand in for l's series; nil when none may.
func (l *leaf) native() *leaf {
	if l.base == "" {
		return nil
	}
	n := *l
	n.name, n.base, n.bucket, n.keep = l.base, "", false, minus(l.keep, labels.BucketLabel)
	return &n
}

// counter reports whether the leaf reads its series as a counter.
func (l *leaf) counter() bool { return l.fn == fnRate || l.fn == fnIncrease }

// matcher tests one label. The zero value is not usable.
type matcher struct{ m *labels.Matcher }

// label returns the name of the label that is tested.
func (m matcher) label() string { return m.m.Name }

// matches tests a value; an absent label is "". Values of le are compared as numbers where both sides are: 1 and 1.0 are equal.
func (m matcher) matches(value string) bool {
	return m.m.Matches(value) || m.m.Name == "le" && m.numeric(value)
}

// String writes the matcher as PromQL.
func (m matcher) String() string { return m.m.String() }

// memberRef names a tracked series and its share. ref is the stream's number of the series, −1 for none.
type memberRef struct {
	ref int32
	v   float64
}

var noMember = memberRef{ref: -1}

// noMembers is an element's evidence before there is any.
var noMembers = [3]memberRef{noMember, noMember, noMember}

// element is one value of a vector.
type element struct {
	ls      uint32       // labelTable id
	members int32        // raw series that gave a value
	missing int32        // live raw series that gave none
	hist    int32        // the native histogram, a number of scratch.hist; 0 = the value is a number
	v       float64      // the value
	events  float64      // events behind the value in the window's range (a counter's increase); NaN = not counted
	top     [3]memberRef // up to three raw series that weigh most
}

// unknown reports that series exist but gave no value. A constant has neither members nor missing ones and is known.
func (e *element) unknown() bool { return e.members == 0 && e.missing > 0 }

// evalInput is what a plan needs to be evaluated for one closed window of one cluster.
type evalInput struct {
	table   *labelTable
	endMs   int64  // the window's end, Unix milliseconds
	cluster uint32 // id of {cluster="…"} in table
	// leaf appends the vector of plan.leaves[i], in order of registration: classic series first, then the native histograms that stand
	// in for others.
	leaf func(i int, dst []element) []element
	// shared holds what shared nodes have found in this window, by node.share; nil = every plan is evaluated on its own.
	shared []sharedVec
}

// sharedVec is the vector of a part that several expressions, or one at several places, have in common. Nobody may change it.
type sharedVec struct {
	vec  []element
	done bool
}

// finish gives back what the shared nodes of a window hold.
func (in *evalInput) finish() {
	w := &in.table.work
	for i := range in.shared {
		if x := &in.shared[i]; x.done {
			w.give(x.vec)
			*x = sharedVec{}
		}
	}
	w.kept.n = 0
}
