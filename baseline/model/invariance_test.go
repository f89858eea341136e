package model

import (
	"math"
	"testing"
)

// Scaling by a power of two changes nothing but the unit; by any other factor nothing but the last digits.
func TestScaleInvariance(t *testing.T) {
	for _, c := range []float64{1024, 1. / 4096, 1e-9, 1e12} {
		a, b := newRun(Defaults()), newRun(Defaults())
		ra, rb := rnd(5), rnd(5)
		for i := range 4 * perDay {
			v, w := daily(i, ra), daily(i, rb)*c
			if i > 3*perDay+600 && i < 3*perDay+700 {
				v, w = v*2.5, w*2.5
			}
			ja, jb := a.observe(v), b.observe(w)
			if ja.State != jb.State || ja.Transition != jb.Transition || math.Abs(ja.Score-jb.Score) > .02*(1+ja.Score) {
				t.Fatalf("×%g, window %d: %v %.3f, scaled %v %.3f", c, i, ja.State, ja.Score, jb.State, jb.Score)
			}
		}
		if len(a.alarms) == 0 {
			t.Errorf("the fault was not found at all")
		}
	}
}

// A whole number of weeks later everything is the same.
func TestWeekShiftInvariance(t *testing.T) {
	a, b := newRun(Defaults()), newRun(Defaults())
	b.at += 5 * 7 * 86_400_000
	ra, rb := rnd(9), rnd(9)
	for i := range 9 * perDay {
		v, w := daily(i, ra), daily(i, rb)
		if i > 8*perDay+600 && i < 8*perDay+700 {
			v, w = v*3, w*3
		}
		ja, jb := a.observe(v), b.observe(w)
		if ja.State != jb.State || ja.Score != jb.Score || ja.Band != jb.Band {
			t.Fatalf("window %d: %+v, five weeks later %+v", i, ja, jb)
		}
	}
	if len(a.alarms) == 0 {
		t.Error("the fault was not found at all")
	}
}

// The mirror image alarms at the same windows, low for high.
func TestDirectionSymmetry(t *testing.T) {
	a, b := newRun(Defaults()), newRun(Defaults())
	ra, rb := rnd(11), rnd(11)
	for i := range 4 * perDay {
		v, w := gauss(i, ra), -gauss(i, rb)
		if i > 3*perDay+600 && i < 3*perDay+700 {
			v, w = v*1.6, w*1.6
		}
		ja, jb := a.observe(v), b.observe(w)
		want := ja.State
		switch want {
		case High:
			want = Low
		case Low:
			want = High
		}
		if jb.State != want || math.Abs(ja.Score-jb.Score) > 1e-3*(1+ja.Score) {
			t.Fatalf("window %d: %v %.4f, mirrored %v %.4f", i, ja.State, ja.Score, jb.State, jb.Score)
		}
	}
	if len(a.alarms) == 0 {
		t.Error("the fault was not found at all")
	}
}

// Nothing that a float can hold may poison the state.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	odd := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e300, -1e300, math.MaxFloat64, -math.MaxFloat64, 5e-324, -5e-324, 0, math.Copysign(0, -1), 1}
	for _, mode := range []Mode{Level, Trend, Spread, Event} {
		for seed := range uint64(30) {
			p := Defaults()
			p.Mode = mode
			src := rnd(seed)
			r := newRun(p)
			for i := range 4000 {
				v := odd[src.IntN(len(odd))]
				if seed%3 == 0 && i > 100 && src.IntN(10) > 0 {
					v = gauss(i, src)
				}
				if seed%5 == 1 {
					v = odd[seed%uint64(len(odd))]
				}
				j := r.observe(v)
				if !(j.Band.Lower <= j.Band.Expected && j.Band.Expected <= j.Band.Upper) || !finite(j.Band.Lower) || !finite(j.Band.Upper) {
					t.Fatalf("seed %d: window %d: band %+v", seed, i, j.Band)
				}
				if !finite(j.Score) || !finite(j.Evidence) || !finite(j.SlopePerDay) || j.Maturity < 0 || j.Maturity > 1 {
					t.Fatalf("seed %d: window %d: %+v", seed, i, j)
				}
				if j.Skipped != !finite(v) {
					t.Fatalf("seed %d: window %d: value %g skipped: %v", seed, i, v, j.Skipped)
				}
			}
			var m Model
			if err := m.UnmarshalBinary(r.m.AppendBinary(nil)); err != nil {
				t.Fatalf("seed %d: the state is poisoned: %v", seed, err)
			}
		}
	}
}

// A duplicate or an older window changes nothing.
func TestOldWindowsAreSkipped(t *testing.T) {
	r := newRun(Defaults())
	r.feed(2000, gauss, rnd(1))
	before := r.m
	for _, back := range []int64{0, 1, 60_000, 86_400_000} {
		if j := r.m.Observe(&r.p, moment(r.at-back), 1e6); !j.Skipped || r.m != before {
			t.Errorf("a window %d ms before the newest one was learned", back)
		}
	}
}
