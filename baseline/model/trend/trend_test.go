package trend

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// cellsOf returns cells with the levels that f gives.
func cellsOf(n int, f func(i int) float64) *Cells {
	c := &Cells{Unit: 1. / 2048}
	for i := range n {
		c.Add(float64(i), f(i))
	}
	return c
}

// The slope is the median of all slopes, whatever a few cells do.
func TestLineIsTheilSen(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := &Cells{Unit: 1. / 2048}
		for i := range 9 + r.IntN(Most-9) {
			if r.IntN(8) > 0 {
				c.Add(float64(i), .1*float64(i)+r.NormFloat64())
			}
		}
		var all []float32
		for i := range c.N {
			for j := range i {
				all = append(all, float32((c.Y[i]-c.Y[j])/(c.X[i]-c.X[j])))
			}
		}
		slices.Sort(all)
		if got, want := c.Line().Slope, float64(all[len(all)/2]); got != want {
			t.Fatalf("seed %d: slope %g, want %g", seed, got, want)
		}
	}
	c := cellsOf(40, func(i int) float64 {
		if i%9 == 4 {
			return 1000
		}
		return 3 + .5*float64(i) + .01*float64(i%3)
	})
	if l := c.Line(); math.Abs(l.Slope-.5) > .01 || math.Abs(l.Start-3) > .1 || math.Abs(l.End-22.5) > .2 {
		t.Errorf("with outliers: %+v, want a slope of .5 from 3 to 22.5", l)
	}
}

// How sure a slope is: seldom of noise, always of a line, and less where neighbours are alike.
func TestLineIsSure(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	far, n := 0, 2000
	for range n {
		if l := cellsOf(Most, func(int) float64 { return r.NormFloat64() }).Line(); l.Z > 2.5 {
			far++
		}
	}
	if share := float64(far) / float64(n); share > .03 {
		t.Errorf("of noise %.3f of the slopes are beyond 2.5, want about .012", share)
	}
	noise := func(i int) float64 { return float64(i*7%5) / 5 }
	line := cellsOf(Most, func(i int) float64 { return float64(i)/4 + noise(i) }).Line()
	waves := cellsOf(Most, func(i int) float64 { return float64(i)/4 + 2*math.Sin(float64(i)/4) }).Line()
	if line.Z < 6 || line.Balance < 6 || waves.Z > line.Z {
		t.Errorf("a line: %+v, with slow waves: %+v", line, waves)
	}
	if l := cellsOf(Most, func(int) float64 { return 5 }).Line(); l != (Line{}) {
		t.Errorf("a level: %+v", l)
	}
}

func TestLean(t *testing.T) {
	noise := func(i int) float64 { return float64(i*7%5) - 2 }
	middle, way, z := cellsOf(41, func(i int) float64 { return 10 + float64(i)/2 + noise(i)/10 }).Lean()
	if math.Abs(middle-20) > .1 || math.Abs(way-20) > .5 || z < 5 {
		t.Errorf("a line: middle %g, way %g, z %g", middle, way, z)
	}
	if _, _, z := cellsOf(41, noise).Lean(); z != 0 {
		t.Errorf("noise: z %g, want 0", z)
	}
	if _, _, z := cellsOf(41, func(int) float64 { return 1 }).Lean(); z != 0 {
		t.Errorf("a level: z %g, want 0", z)
	}
}

func TestStepOrLine(t *testing.T) {
	noise := func(i int) float64 { return float64(i*7%5) / 5 }
	step := cellsOf(40, func(i int) float64 { return float64(i/20)*10 + noise(i) })
	line := cellsOf(40, func(i int) float64 { return float64(i)/2 + noise(i) })
	end := cellsOf(40, func(i int) float64 { return float64(i/39)*10 + float64(i)/2 + noise(i) })
	for name, c := range map[string]struct {
		c    *Cells
		want bool
	}{"step": {step, true}, "line": {line, false}, "an end that is off": {end, false}} {
		l := c.c.Line()
		if got := c.c.IsStep(&l); got != c.want {
			t.Errorf("%s: is a step %v, want %v", name, got, c.want)
		}
	}
}

func TestBegan(t *testing.T) {
	for _, at := range []int{5, 15, 25} {
		c := cellsOf(40, func(i int) float64 { return 10 + max(0, float64(i-at)) + float64(i*7%5)/10 })
		if back := c.Began(); math.Abs(back-float64(39-at)) > 2 {
			t.Errorf("a move from cell %d on: began %g cells before the end, want %d", at, back, 39-at)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{5, 1}, 3}, {[]float64{9, 1, 4}, 4}, {[]float64{math.MaxFloat64, math.MaxFloat64}, math.MaxFloat64}} {
		if got := Median(slices.Clone(c.of)); got != c.want {
			t.Errorf("median of %v: %g, want %g", c.of, got, c.want)
		}
	}
}
