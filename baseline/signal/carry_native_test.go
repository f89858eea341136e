package signal

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
)

// feedNatives sends the native histogram x of three targets, which observe 1 and 3 each second; the third target begins to send when the
// second minute after t0 is over, and its classic buckets are sent as well.
func feedNatives(s *Stream, from, to int64) {
	for at := from; at <= to; at += 15_000 {
		b := newBatch(at + 1000)
		for i := range 3 {
			if i == 2 && at < t0+120_000 {
				continue
			}
			inst := fmt.Sprintf("10.0.0.%d:80", i)
			b.addHistogram(series.Labels{{Name: series.NameLabel, Value: "x"}, {Name: "instance", Value: inst}}, steady(at, float64(i+1)))
			n := (float64(at-t0)/1000 + 1000) * float64(i+1)
			if i == 2 {
				for le, v := range map[string]float64{"2": n, "+Inf": 2 * n} {
					b.add(fmt.Sprintf(`x_bucket{instance="%s",le="%s"}`, inst, le), at, v)
				}
			}
		}
		s.Apply(&b.Batch)
	}
}

// TestChangedRulesKeepNativeHistograms changes the rules of a stream of native histograms: those that stay lose no window, longer and
// shorter rings take what there is, rings that no rule reads are dropped, and new leaves count nothing from zero.
func TestChangedRulesKeepNativeHistograms(t *testing.T) {
	short := nativeRules[:3]
	long := rule("n.long", `sum by (cluster) (increase(x_count[15m]))`)
	plain := rule("p.x", `sum by (cluster) (rate(x_bucket{le="2"}[1m]))`)
	whole, want := newTestStream(t, StreamOptions{Packs: packOf(append(short[:3:3], long)...)})
	feedNatives(whole, t0, t0+100*60_000)

	s, got := newTestStream(t, StreamOptions{Packs: packOf(append(short[:3:3], long)...)})
	at := int64(t0)
	to := func(minutes int64) {
		t.Helper()
		feedNatives(s, at, t0+minutes*60_000)
		at = t0 + minutes*60_000 + 15_000
	}
	change := func(rules ...*pack.Rule) {
		t.Helper()
		s = withRules(t, s, got.closed, rules...)
		state := s.AppendState(nil)
		if s = withRules(t, s, got.closed, rules...); !bytes.Equal(state, s.AppendState(nil)) {
			t.Fatal("a restart after the change is another state")
		}
		if s.buckets != heldBuckets(s) {
			t.Errorf("%d buckets counted, %d held", s.buckets, heldBuckets(s))
		}
	}
	to(20)
	change(short...) // shorter rings
	to(40)
	change(append(short[:3:3], long)...) // longer rings
	since := int64(t0 + 40*60_000)
	to(70)
	for id, values := range want.values {
		for w, v := range values {
			x, ok := got.values[id][w]
			isLong := id == "n.long~cluster=default"
			switch {
			case w > t0+69*60_000:
			case !isLong && (!ok || math.Float64bits(x) != math.Float64bits(v)):
				t.Errorf("%s at %d: %v (%v), without changes %v", id, (w-t0)/60_000, x, ok, v)
			case isLong && ok && w > since && !within(x, v, 0.1001), isLong && w > since+16*60_000 && !within(x, v, 1e-9):
				t.Errorf("%s at %d: %v (%v), always asked %v", id, (w-t0)/60_000, x, ok, v)
			}
		}
	}
	change(plain) // nobody reads the histograms any more
	if n := heldBuckets(s); n != 0 {
		t.Errorf("%d buckets are held that no rule reads", n)
	}
	to(80)
	if n := s.Stats().Tracked; n != 2 && n != 1 {
		t.Errorf("%d series are tracked for one bucket", n)
	}
	change(plain, short[0], short[2])
	to(100)
	n := 0
	for w, v := range got.values["n.qps~cluster=default"] {
		if w > t0+80*60_000 {
			n++
			if !within(v, 12, 1e-9) {
				t.Errorf("n.qps at %d: %v, want 12", (w-t0)/60_000, v)
			}
		}
	}
	if n < 15 {
		t.Errorf("n.qps has %d values after it was asked again", n)
	}
	for w, v := range got.values["n.classic~cluster=default"] {
		if x := want.values["n.classic~cluster=default"][w]; w > t0+85*60_000 && !within(v, x, 1e-9) {
			t.Errorf("n.classic at %d: %v, want %v", (w-t0)/60_000, v, x)
		}
	}
	s.AppendState(nil)
	for id := range s.hot {
		if h := &s.hot[id]; h.flags&(flagNative|flagBucket) != 0 && h.group == none {
			t.Errorf("series %d is of no histogram", id)
		}
	}
}
