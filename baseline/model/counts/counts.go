// Package counts weighs events by their number, where so few come that no single window says anything: how many of n went wrong, and how many arrived of
// those that were to be expected. It is exact arithmetic on counts, and knows no model.
//
// Evidence is a bet whose mean is 1 while nothing is wrong, in nats: the ratio of two likelihoods, gathered over windows and never below zero.
// Sums that restart at zero: E. S. Page, Continuous inspection schemes, 1954.
package counts

import "math"

// Share is what part of events usually goes wrong, by how many there are: where the same few lookups fail at every hour, they are a larger part of a
// night's ten than of a day's thousand. The zero value has seen nothing.
type Share [Classes]Tally

// Classes is how many classes of windows there are: below 4 events, 16, 64 and 256, and more.
const Classes = 5

// Tally counts events that went wrong, of all. Old ones count for less.
type Tally struct{ Bad, All float32 }

const (
	doubt = 20.  // events, one of which went wrong, that are imagined before the first
	deaf  = .99  // share beyond which nothing can be told from what is usual
	rho   = .2   // of the usual arrivals that are left, by the bet on a loss
	start = 1.   // evidence from which on a run is one: what has gathered over hours that hardly expect anything has no beginning
	most  = 1e30 // of any sum
)

// class returns the class of a window of n events.
func class(n float64) int {
	c := 0
	for b := 4.; n >= b && c < Classes-1; b *= 4 {
		c++
	}
	return c
}

// Usual returns the share that usually goes wrong in windows of n events: what has been seen, a standard error more. What is not known
// of a class is taken from all.
func (s *Share) Usual(n float64) float64 {
	var all Tally
	for _, t := range s {
		all.Bad += t.Bad
		all.All += t.All
	}
	p := (float64(all.Bad) + 1) / (float64(all.All) + doubt)
	t := &s[class(n)]
	bad := float64(t.Bad) + doubt*p
	return min((bad+math.Sqrt(bad))/(float64(t.All)+doubt), deaf)
}

// Learn takes a window of n events in, of which k went wrong. Before that it forgets the given part of its class, as it does with r of the window.
func (s *Share) Learn(k, n, forget, r float64) {
	t := &s[class(n)]
	keep := float32(1 - min(max(forget*r, 0), 1))
	t.Bad = min(t.Bad*keep+float32(k*r), most)
	t.All = min(t.All*keep+float32(n*r), most)
}

// Known reports how many events are behind it.
func (s *Share) Known() float64 {
	n := 0.
	for _, t := range s {
		n += float64(t.All)
	}
	return n
}

// Fails is the evidence that k of n say for a share q instead of p.
func Fails(k, n, p, q float64) float64 {
	if !(n > 0) || !(p > 0) || !(q > p) || q >= 1 {
		return 0
	}
	k = min(max(k, 0), n)
	return k*math.Log(q/p) + (n-k)*math.Log((1-q)/(1-p))
}

// Lost is the evidence that k arrivals of want say for a loss of four in five.
func Lost(k, want float64) float64 {
	return max(k, 0)*math.Log(rho) + want*(1-rho)
}

// Run gathers the evidence of windows in a row. The zero value has none.
type Run struct {
	Nats  float32 // evidence, never below zero
	Peak  float32 // most of it since it was zero
	Most  float32 // … that was harmless, fading
	Back  float32 // evidence that it is over
	Count float32 // events counted since it was zero: that went wrong, or that arrived
	Of    float32 // of so many: all, or those that were to be expected
	On    uint32  // when it was last zero, Unix s
}

// Add puts a window on: its evidence, which counts for at most top, where the sum is at most roof, and its two counts. It began at the second on, if the sum is still next to nothing. Of what comes to nothing no more than harm is remembered.
func (r *Run) Add(nats, count, of, top, roof, harm float64, on uint32) {
	if r.Nats < start {
		*r = Run{Nats: r.Nats, Most: r.Most, On: on}
	}
	r.Nats = float32(min(max(float64(r.Nats)+min(nats, top), 0), roof))
	if r.Nats <= 0 {
		*r = Run{Most: max(r.Most, min(r.Peak, float32(harm)))} // it came to nothing
		return
	}
	r.Peak = max(r.Peak, r.Nats)
	if nats > 0 || r.Back <= 0 {
		r.Count = min(r.Count+float32(count), most)
		r.Of = min(r.Of+float32(of), most)
	}
}

// Drop forgets the run under way, as one that says nothing.
func (r *Run) Drop() { *r = Run{Most: r.Most} }

// Told ends a run that was told at some height. It is its own yardstick up to there: what comes again must be twice that.
func (r *Run) Told(height float64) { *r = Run{Most: max(r.Most, min(r.Peak, float32(height)))} }

// Fade lets a part of what was harmless be forgotten.
func (r *Run) Fade(part float64) {
	if r.Most *= float32(1 - min(max(part, 0), 1)); r.Most < 1e-3 {
		r.Most = 0
	}
}

// Returns gathers evidence that a run is over, and reports whether there is enough.
func (r *Run) Returns(nats, enough float64) bool {
	r.Back = float32(min(max(float64(r.Back)+nats, 0), 2*enough))
	return float64(r.Back) >= enough
}

// Again is the evidence of k of n for the usual share p, against that of the run.
func (r *Run) Again(k, n, p float64) float64 {
	q := (float64(r.Count) + p) / (float64(r.Of) + 1)
	if q = min(q, deaf); q <= p {
		return n
	}
	return -Fails(k, n, p, q)
}

// Arrive is the evidence of k arrivals for those that were to be expected, against what is left in the run.
func (r *Run) Arrive(k, want float64) float64 {
	left := (float64(r.Count) + .5) / (float64(r.Of) + 1)
	if left = min(max(left, .001), 1); left >= 1 {
		return want
	}
	return -max(k, 0)*math.Log(left) - want*(1-left)
}
