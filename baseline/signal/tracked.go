package signal

import (
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/window"
)

// Limits of a tracked series' life, milliseconds.
const (
	windowMs  = window.Ms
	gapMs     = window.GapMs
	liveMs    = 5 * windowMs            // a series without a stale marker counts as alive for this long
	idleMs    = 60 * windowMs           // then it is forgotten
	missedMs  = 24 * idleMs             // … and a counter of a target that goes on
	passedMs  = 24 * idleMs             // see passing
	sweepMs   = 10 * windowMs           // how often the forgotten are looked for
	aliveMs   = 2 * windowMs            // a target known for this long may count new series from zero
	stepMax   = 6 * windowMs            // the longest scrape interval that is believed: five minutes, and how far from them scrapes are
	slowMs    = 2*windowMs + windowMs/2 // a series with a longer interval needs a ring that reaches further back
	stepGuess = windowMs                // the interval of a series that has sent one sample
	shortRing = 8                       // windows, for ranges of up to 5
	longRing  = 20                      // windows, for ranges of up to 15
	none      = math.MaxUint32          // no number
)

// The kinds of rings. A series has one ring of each kind that its leaves need, in this order.
const (
	kindIncrease uint8 = 1 << iota // per window: the counter's increase; NaN = not covered
	kindChanges                    // per window: changes of the value; NaN = no sample
	kindValue                      // per window: the last value; window.End = ended; NaN = no sample
	kindTime                       // per window: Unix seconds of the last sample, as kindValue
	kinds        = 4
)

// Flags of a tracked series.
const (
	flagStale  uint16 = 1 << iota // ended by a stale marker
	flagLive                      // counted in cluster.live
	flagPast                      // counted in cluster.past: has a sample at or after the end of the cluster's open window
	flagQuiet                     // has no ring: kept for identity only, and never waited for
	flagPlaced                    // its node follows from its instance, so it must be looked at when nodes become known
	flagLeft                      // not counted in the window that closes: others tell the same
	flagWatch                     // speaks of a watched object
	flagNative                    // a leaf reads its native histograms
	flagBucket                    // a classic bucket: counts with the others of its set or not at all
	flagHeld                      // not counted until it is known whether it is a replica's copy; as flagLeft, while a window closes
	flagsAll   = 1<<iota - 1
)

// tracked is what a sample touches of a series that a rule needs: 48 bytes, in order of registration.
type tracked struct {
	lastT   int64   // newest sample, Unix milliseconds; 0 = none yet
	lastV   float64 //
	head    uint32  // newest window of the rings: its end in minutes since 1970
	cells   uint32  // of the first ring, in Stream.cells
	stepMs  uint32  // distance of the newest samples
	group   uint32  // the bucket set, none for what is no histogram
	anchor  uint32  // Unix seconds since which it has been known without a gap, when it may have been there before; 0 = it was not
	cluster uint16
	replica uint16 // whose samples are taken; of a bucket the group's counts
	flags   uint16
	kinds   uint8
	ring    uint8 // windows in a ring
}

// cold is the rest of a tracked series: what it is.
type cold struct {
	print   series.Print
	metric  uint32 // in Stream.metrics
	binds   uint32 // the first in Stream.binds
	nbinds  uint16
	sender  uint16 // that was first to send it
	own     uint32 // labelTable id of its own cluster label, for the vote of its sender
	member  uint32 // labelTable id of the label that tells it apart from its peers
	place   uint32 // labelTable id of what its identity is derived from when that is not a pod
	pod     uint32 // in cluster.pods, none
	podNext uint32 // next series of the pod, none
	target  uint32 // number in Stream.targets, of a counter; none
	watch   uint32 // in Stream.watchers, none
	native  uint32 // in Stream.natives, none
}

// bind is a series' part in a leaf.
type bind struct {
	series uint32
	leaf   uint32
	static uint32 // labelTable id: the leaf's labels as far as they cannot change
	ls     uint32 // labelTable id: with workload and node; none = does not take part now
}

// printOf returns the print of a canonical label set, of the cluster that its sender fixes, leaving out the label skip.
func (s *Stream) printOf(fixed string, l series.Labels, skip string) (p series.Print) {
	p, s.bytes = series.PrintOf(fixed, l, skip, s.bytes)
	return p
}

// printOfHistogram identifies the histogram that a series is a part of: its labels without le, under the base name.
func (s *Stream) printOfHistogram(fixed string, l series.Labels, base string) series.Print {
	own := slices.Clone(l)
	for i := range own {
		if own[i].Name == series.NameLabel {
			own[i].Value = base
		}
	}
	return s.printOf(fixed, own, labels.BucketLabel)
}

// bucketSet is one histogram of one target: its classic buckets, count and sum, and its native form. They have one current replica, and
// in a window the buckets count together or not at all.
type bucketSet struct {
	print   series.Print
	refs    uint32
	native  uint32 // the series that sends it natively, none
	replica uint16
	kin     uint64 // sets of one metric and job: they have as many buckets
	window.Buckets
}

// advance makes w the newest window of h's rings.
func (s *Stream) advance(h *tracked, w uint32) {
	if w <= h.head {
		return
	}
	n := uint32(h.ring)
	fresh := min(w-h.head, n)
	for k := h.kinds; k != 0; k &= k - 1 {
		ring := s.ring(h, k&-k)
		for i := w - fresh + 1; ; i++ {
			ring[i%n] = math.NaN()
			if i == w {
				break
			}
		}
	}
	h.head = w
}

// ring returns the cells of one kind, which h must have.
func (s *Stream) ring(h *tracked, kind uint8) []float64 {
	n := uint32(h.ring)
	at := h.cells
	for k := h.kinds & (kind - 1); k != 0; k &= k - 1 {
		at += n
	}
	return s.cells[at : at+n : at+n]
}

// counts reports whether anything of a series is read as a counter.
func (h *tracked) counts() bool { return h.kinds&kindIncrease != 0 || h.flags&flagNative != 0 }

// record writes an accepted sample into h's rings. A counter without a usable predecessor, of which it is not known when it began, only anchors.
func (s *Stream) record(h *tracked, x *series.Sample) {
	w := window.Of(x.T)
	s.advance(h, w)
	n := uint32(h.ring)
	if w+n <= h.head { // cannot be while t rises; a guard for the index below
		return
	}
	follows := h.lastT != 0 && x.T-h.lastT <= h.gap()
	if h.lastT != 0 && !follows {
		h.anchor = uint32(x.T / 1000)
	}
	if h.kinds&kindIncrease != 0 {
		ring := s.ring(h, kindIncrease)
		began := x.Start > 0 && x.Start < x.T && x.Start > h.lastT // a new life of the counter
		switch {
		case follows:
			d, from := x.V-h.lastV, h.lastT
			if began || d < 0 {
				s.stats.Resets++
				d = x.V
				if began {
					from = x.Start
					window.Spread(ring, h.head, 0, h.lastT, from)
				}
			}
			window.Spread(ring, h.head, d, from, x.T)
		case began && x.T-x.Start <= gapMs:
			window.Spread(ring, h.head, x.V, x.Start, x.T)
		default:
			window.Add(ring, w%n, 0)
		}
	}
	if h.kinds&kindChanges != 0 {
		d := 0.0
		if follows && x.V != h.lastV {
			d = 1
		}
		window.Add(s.ring(h, kindChanges), w%n, d)
	}
	if h.kinds&kindValue != 0 {
		s.ring(h, kindValue)[w%n] = x.V
	}
	if h.kinds&kindTime != 0 {
		s.ring(h, kindTime)[w%n] = float64(x.T) / 1000
	}
}

// end writes a stale marker at t into h's rings. Counters keep what they counted.
func (s *Stream) end(h *tracked, t int64) {
	w := window.Of(t)
	if h.kinds&(kindValue|kindTime) == 0 {
		return
	}
	s.advance(h, w)
	for _, k := range [...]uint8{kindValue, kindTime} {
		if h.kinds&k != 0 {
			s.ring(h, k)[w%uint32(h.ring)] = window.End
		}
	}
}

// read returns what h has for a leaf in the window w, NaN for nothing, and how many windows inside the range are gaps.
func (s *Stream) read(h *tracked, l *promql.Leaf, w uint32) (v float64, gaps int) {
	switch l.Func {
	case promql.Value:
		return window.Newest(s.ring(h, kindValue), h.head, w, promql.Lookback), 0
	case promql.Timestamp:
		return window.Newest(s.ring(h, kindTime), h.head, w, promql.Lookback), 0
	case promql.Changes:
		return window.Sum(s.ring(h, kindChanges), h.head, w, l.Windows)
	}
	return window.Sum(s.ring(h, kindIncrease), h.head, w, l.Windows)
}
