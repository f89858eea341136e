package budget

import (
	"math"
	"math/rand/v2"
	"testing"
)

const hour = int64(3_600_000)

func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }

// Stretches that are short by nature never become alarms, however their heights look: that none came is believed.
func TestWhatNeverComesIsNoReason(t *testing.T) {
	b := Budget{Asked: 1}
	var near Stretch
	at := int64(1_000_000_000_000)
	src := rng(9)
	for range 60 * 1440 {
		score := .1
		if src.IntN(200) == 0 {
			score = .6 + .15*float64(src.IntN(2))
		}
		b.See(&near, score, false, false)
		at += 60_000
		b.Pass(at)
	}
	x, known := b.Expected()
	if b.Strict() != 1 || !known || x > 1 || b.Near < 100 {
		t.Errorf("%+v: expected %.2f", b, x)
	}
}

// Real trouble is no reason to become deaf: alarms do not count, however many.
func TestAlarmsAreNoNearMisses(t *testing.T) {
	b := Budget{Asked: .1}
	var near Stretch
	at := int64(1_000_000_000_000)
	for i := range 60 * 1440 {
		if i%200 < 60 {
			b.See(&near, 1.7, true, false)
		} else {
			b.See(&near, .1, false, false)
		}
		at += 60_000
		b.Pass(at)
	}
	if b.Strict() != 1 || b.Near != 0 {
		t.Errorf("%+v", b)
	}
	// Beside near misses that foretell what is allowed they are worth a tenth of the evidence, and no more.
	b = Budget{Asked: 1, Near: 60, Height: 60 * .1, Hours: 500, Alarms: 10_000}
	b.Asked, _ = b.Expected()
	b.Asked /= 2
	if want := b.want(); want > 1.1 {
		t.Errorf("ten thousand alarms of whatever cause: strictness %.2f", want)
	}
}

// The law of heights is found again from what is cut off where alarms begin, and strictness puts the rate where it is asked.
func TestBudgetFindsTheLaw(t *testing.T) {
	src := rng(6)
	for _, scale := range []float64{.08, .12, .2, .3} {
		b := Budget{Asked: 2}
		at := int64(1_000_000_000_000)
		told, want := 0, 0
		const weeks = 60
		for i := range weeks * 7 * 24 {
			at += hour
			b.Pass(at)
			for range 3 { // near misses an hour, of one signal each
				h := budgetFrom + scale*src.ExpFloat64()
				var near Stretch
				if h >= b.Strict() {
					b.See(&near, 1, true, true)
					if i > weeks*7*24/2 {
						told++
					}
					continue
				}
				for _, s := range []float64{h, 0} {
					b.See(&near, s/b.Strict(), false, false)
				}
			}
		}
		want = 2 * weeks / 2
		rate := 3 * 7 * 24 * math.Exp(-.5/scale)
		if rate < 2 {
			want = int(rate * weeks / 2)
		}
		if math.Abs(float64(told-want)) > 4*math.Sqrt(float64(want)+1)+.25*float64(want) {
			t.Errorf("scale %.2f: %d alarms in %d weeks, want about %d; strictness %.2f", scale, told, weeks/2, want, b.Strict())
		}
	}
}

// Nothing that is fed makes a budget anything but a number within its bounds.
func TestBudgetStaysSane(t *testing.T) {
	src := rng(7)
	b := Budget{Asked: 1e-9}
	var near [3]Stretch
	at := int64(0)
	for range 100_000 {
		score, alarm := src.Float64()*3, src.IntN(5) > 1
		if src.IntN(50) == 0 {
			score = 1e300
		}
		b.See(&near[src.IntN(3)], score, alarm, src.IntN(2) == 0)
		at += src.Int64N(int64(2*budgetGapMs)) - int64(hour)
		b.Pass(at)
		x, _ := b.Expected()
		if s := b.Strict(); !(s >= 1 && s <= strictMost) || !(x >= 0) || math.IsInf(x, 0) {
			t.Fatalf("%+v: strictness %v, expected %v", b, s, x)
		}
	}
}
