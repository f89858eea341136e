// Package promql is the subset of PromQL as a plan over label vectors: parse, compile, evaluate, histograms. It knows no series, window or rule: it asks a
// caller for vectors, and works on them.
//
// A plan asks for leaves; a leaf is a selector with a function. For each window the caller appends the
// vector of each leaf: one element for each live series that the leaf selects, in order of registration, with the series'
// labels projected on Leaf.Keep. The plan turns these vectors into one element for each entity.
//
// What a leaf's value is. Let w be the window (start, end], r the range (end − windows minutes, end]. What follows equals
// PromQL with `smoothed` (rate, increase), `anchored` (changes) and a look-back of 5 minutes; the reference feeder in
// package oracle is the same in code, checked against the Prometheus engine.
//
//   - Increase: an increase between two neighbouring samples of a series (t1, v1), (t2, v2) with t2 − t1 ≤ 5 min is
//     v2 − v1, or v2 after a reset (v2 < v1), and is spread linearly over t1…t2. The value is what falls into r.
//     A cell (one minute) is covered when a segment t1…t2 overlaps it or a sample lies in it; the value of a range is the
//     sum of its covered cells, oldest first; without a covered cell there is none. So:
//     · first sample of a series inside r: counting begins there (the caller may know better and count from zero, by
//     start timestamp; then the sample's cell gets its value);
//     · a single sample inside r and no neighbour: 0, a value; a single sample before r: none;
//     · a series shorter than r, or one that ended inside it: what is there. rate still divides by the whole range;
//     · a gap of more than 5 min is no segment: nothing is spread over it, cells inside are not covered, and the sample after
//     it counts from itself on. (The engine's rule for gaps of 5 min to 10 min + r depends on where the window stands; ours does not.)
//     · a stale marker is no sample and does not cut a segment: when the series comes back within 5 min the increase is spread
//     as over any gap. Windows that have closed meanwhile stay as they were: their share is lost, not moved;
//     · NaN samples other than stale are dropped by the caller (counters have none);
//     · the segment that reaches past the window's end is used: this is why a window closes only after a later sample.
//   - Rate: Increase ÷ (windows × 60 s).
//   - Changes: the number of pairs of neighbouring samples with v1 ≠ v2 (and not both NaN), t2 in r and t2 − t1 ≤ 5 min.
//     None when no sample lies in r.
//   - Value: the newest sample with end − 5 min < t ≤ end. None when there is none, or when a stale marker with t ≤ end is newer.
//   - Timestamp: the Unix seconds of that sample.
//
// A native histogram is read like a counter whose value is a histogram: an increase is taken bucket by bucket, a reset is decided once
// for all of them, and all are spread alike. V and Events are those of the count. A leaf with a base takes x's native histogram where
// a target sends one: for x_bucket the histogram itself (Element.Hist), for x_count and x_sum its count and sum. The classic series
// of the same target are left out then.
//
// Events: Increase and Rate: the increase in r; Changes: the changes; Value and Timestamp: NaN.
// Top[0]: {the series, V}; the others NoRef.
//
// A live series without value, or with cells of r missing for a reason that is not its age (a sender's gap), is given as an
// element as well. No value: V = NaN, Members = 0, Missing = 1. A value of which too much is missing: Members = 1, Missing = 1.
// An element with Members = 0 and Missing > 0 is *unknown*: it adds its missing count to what is made of it and nothing else;
// whatever is joined with an unknown is unknown. This differs from absence: for the zero law and for `or` and `unless` an
// unknown side gives no value, never 0 and never the other side.
// A series that is not live (stale, not seen for 5 min) is not given at all.
package promql
