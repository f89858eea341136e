package model

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

// fleet plays signals of one family side by side, with a budget, and returns the alarms of each week after learning.
func fleet(family func() series, p Params, asked float64, signals, learn, weeks int, seed uint64) (byWeek []int, b Budget) {
	b.Asked = asked
	runs, from, near := make([]*run, signals), make([]series, signals), make([]Stretch, signals)
	src := make([]*rand.Rand, signals)
	for i := range runs {
		runs[i], from[i], src[i] = newRun(p), family(), rand.New(rand.NewPCG(seed, uint64(i)))
	}
	byWeek = make([]int, weeks)
	for w := range (learn + weeks) * 7 * perDay {
		for i, r := range runs {
			r.p.Strict = b.Strict()
			n := len(r.alarms)
			j := r.observe(from[i](r.n, src[i]))
			if k := w/(7*perDay) - learn; k >= 0 {
				byWeek[k] += len(r.alarms) - n
			}
			b.See(&near[i], &j)
		}
		b.Pass(runs[0].at)
	}
	return byWeek, b
}

// The families whose stock false alarms are the most keep to a budget that is far below them, and what is foretold is about what comes.
func TestBudgetIsKept(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for _, name := range []string{"ou", "lognormal", "ratio", "gauss"} {
		mk := families()[name]
		for _, asked := range []float64{1, 1e6} {
			wg.Go(func() {
				got, b := fleet(mk, blind(), asked, 16, 2, 8, 90)
				sum := 0
				for _, n := range got[2:] { // the loop needs the first two to see how the family behaves
					sum += n
				}
				expected, known := b.Expected()
				t.Logf("%s, asked %g a week: %v, strictness %.2f, foretold %.2f", name, asked, got, b.Strict(), expected)
				realised := float64(sum) / float64(len(got)-2)
				switch {
				case !known:
					t.Errorf("%s: after ten weeks nothing is known", name)
				case asked == 1 && realised > 1.5:
					t.Errorf("%s: %.2f a week, asked for 1: %v, strictness %.2f", name, realised, got, b.Strict())
				case asked > 1 && b.Strict() != 1:
					t.Errorf("%s: strictness %.2f with a budget that nothing exceeds", name, b.Strict())
				case asked > 1 && realised > 0 && (expected < realised/4 || expected > 12*realised):
					t.Errorf("%s: foretold %.2f a week, came %.2f", name, expected, realised)
				}
			})
		}
	}
	wg.Wait()
}

// Stretches that are short by nature never become alarms, however their heights look: that none came is believed.
func TestWhatNeverComesIsNoReason(t *testing.T) {
	b := Budget{Asked: 1}
	var near Stretch
	at := monday
	src := rnd(9)
	for range 60 * perDay {
		score := .1
		if src.IntN(200) == 0 {
			score = .6 + .15*float64(src.IntN(2))
		}
		b.See(&near, &Judgement{Score: score})
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
	at := monday
	for i := range 60 * perDay {
		j := Judgement{Score: .1}
		if i%200 < 60 {
			j = Judgement{Score: 1.7, State: High}
		}
		b.See(&near, &j)
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
	src := rnd(6)
	for _, scale := range []float64{.08, .12, .2, .3} {
		b := Budget{Asked: 2}
		at := monday
		told, want := 0, 0
		const weeks = 60
		for i := range weeks * 7 * 24 {
			at += hourMs
			b.Pass(at)
			for range 3 { // near misses an hour, of one signal each
				h := budgetFrom + scale*src.ExpFloat64()
				var near Stretch
				if h >= b.Strict() {
					b.See(&near, &Judgement{Score: 1, State: High, Transition: Opened})
					if i > weeks*7*24/2 {
						told++
					}
					continue
				}
				for _, s := range []float64{h, 0} {
					b.See(&near, &Judgement{Score: s / b.Strict()})
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
	src := rnd(7)
	b := Budget{Asked: 1e-9}
	var near [3]Stretch
	at := int64(0)
	for range 100_000 {
		j := Judgement{Score: src.Float64() * 3, State: State(src.IntN(5))}
		if src.IntN(50) == 0 {
			j.Score = 1e300
		}
		b.See(&near[src.IntN(3)], &j)
		at += src.Int64N(int64(2*budgetGapMs)) - int64(hourMs)
		b.Pass(at)
		x, _ := b.Expected()
		if s := b.Strict(); !(s >= 1 && s <= strictMost) || !(x >= 0) || !finite(x) {
			t.Fatalf("%+v: strictness %v, expected %v", b, s, x)
		}
	}
}
