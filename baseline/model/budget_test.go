package model

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/wrackline/wrackline/baseline/model/budget"
)

// fleet plays signals of one family side by side, with a budget, and returns the alarms of each week after learning.
func fleet(family func() series, p Params, asked float64, signals, learn, weeks int, seed uint64) (byWeek []int, b budget.Budget) {
	b.Asked = asked
	runs, from, near := make([]*run, signals), make([]series, signals), make([]budget.Stretch, signals)
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
			b.See(&near[i], j.Score, j.State.Alarm(), j.Transition == Opened)
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
