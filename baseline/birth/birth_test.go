package birth

import "testing"

// world is what a scraped thing sends: old counters that go on, some that have ended, and some that have come at minute 10.
type world struct {
	others, ended, came int
	targets             int     // on so many targets alike
	v, growth           float64 // of those that have come, and what they grow by in a minute
	seconds             bool    // they have sent a second sample
	set                 bool    // they are buckets of one histogram
	known               bool    // their metric was known
	spread              bool    // each has a metric of its own
}

func (w world) plausible() (n int) {
	const at = 600_000
	var c Census
	series, list, of := uint32(0), []Birth{}, map[uint32]Series{}
	var met []Series
	for t := range uint32(max(w.targets, 1)) {
		for range w.others {
			met = append(met, Series{Target: t, Metric: 1, Set: none, LastT: at + 60_000, LastV: 9e6, StepMs: 60_000})
		}
		for range w.ended {
			met = append(met, Series{Target: t, Metric: 7, Set: none, LastT: at - 60_000, LastV: w.v, StepMs: 60_000})
		}
		for i := range w.came {
			x := Series{Target: t, Metric: 7, Set: none, LastT: at, LastV: w.v}
			if w.spread {
				x.Metric = 10 + uint32(i)
			}
			if w.seconds {
				x.LastT, x.LastV, x.StepMs = at+60_000, w.v+w.growth, 60_000
			}
			if w.set {
				x.Set = t
				x.LastV -= float64(i) * w.growth / float64(w.came) // small buckets grow less
			}
			b := Birth{Series: series, T: at, V: w.v, Known: w.known}
			series++
			list, of[b.Series] = append(list, b), x
			c.Born(b, x)
		}
	}
	for i, x := range met {
		c.Met(uint32(1000+i), x)
	}
	for _, b := range list {
		if c.Plausible(b, of[b.Series]) {
			n++
		}
	}
	return n
}

// TestPlausibleBirths has counters come for the first time, and what looks like it.
func TestPlausibleBirths(t *testing.T) {
	for _, x := range []struct {
		what string
		world
		want int
	}{
		{"a first eviction", world{others: 20, came: 1, v: 1, seconds: true}, 1},
		{"a first rejection, on the only other counter's target", world{others: 1, came: 1, v: 60, growth: 60, seconds: true}, 1},
		{"thirty kinds of errors of an API server at once", world{others: 500, came: 30, v: 400, growth: 90, seconds: true, known: true}, 30},
		{"a few errors of which nobody sent a second sample", world{others: 20, came: 1, v: 3}, 1},
		{"a histogram of a new kind of request", world{others: 100, came: 15, v: 50, growth: 40, seconds: true, set: true, known: true}, 15},
		{"a label on all targets", world{ended: 4, came: 4, v: 7, seconds: true, known: true, targets: 3}, 0},
		{"a label on one metric of many", world{others: 50, ended: 1, came: 1, v: 7, seconds: true, known: true}, 0},
		{"a restarted exporter with nothing from before", world{came: 9, v: 2, growth: 2, seconds: true, known: true}, 0},
		{"back after an hour", world{others: 20, came: 1, v: 5000, seconds: true, known: true}, 0},
		{"back after an hour, and busy", world{others: 20, came: 1, v: 90_000, growth: 800, seconds: true, known: true}, 0},
		{"a large value without a second sample", world{others: 20, came: 1, v: 300}, 0},
		{"a metric that is no longer dropped", world{others: 20, came: 1, v: 3, seconds: true, targets: 3}, 0},
		{"the same metric fails for the first time on two targets, known elsewhere", world{others: 20, came: 1, v: 3, seconds: true, targets: 2, known: true}, 2},
		{"an exporter that tells of more from now on", world{others: 20, came: 25, v: 3, seconds: true, spread: true}, 0},
	} {
		if got := x.plausible(); got != x.want {
			t.Errorf("%s: %d of %d births are plausible, want %d", x.what, got, x.came*max(x.targets, 1), x.want)
		}
	}
}

// TestTargetsAreHeld gives numbers of targets out again only when nobody holds them.
func TestTargetsAreHeld(t *testing.T) {
	var ts Targets
	ts.Reset()
	a, b := ts.Hold(1), ts.Hold(2)
	if ts.Hold(1) != a || a == b {
		t.Fatal("one key is one target")
	}
	if ts.Since(a, 500) != 500 || ts.Since(a, 900) != 500 || ts.Since(a, 100) != 100 {
		t.Error("a target is known since its first sample")
	}
	ts.Release(a)
	if ts.Hold(3) == a {
		t.Error("a target that is held was given away")
	}
	ts.Release(a)
	if ts.Hold(4) != a || ts.Since(a, 700) != 700 {
		t.Error("a number that is free is used again, and knows nothing")
	}
}
