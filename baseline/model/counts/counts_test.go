package counts

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A bet is fair: over all that may happen while nothing is wrong its mean is 1.
func TestBetsAreFair(t *testing.T) {
	for _, c := range []struct {
		n    int
		p, q float64
	}{{1, .002, .05}, {12, .03, .2}, {60, .01, .5}} {
		mean, choose := 0., 1.
		for k := range c.n + 1 {
			mean += choose * math.Pow(c.p, float64(k)) * math.Pow(1-c.p, float64(c.n-k)) * math.Exp(Fails(float64(k), float64(c.n), c.p, c.q))
			choose *= float64(c.n-k) / float64(k+1)
		}
		if math.Abs(mean-1) > 1e-9 {
			t.Errorf("%+v: %v", c, mean)
		}
	}
	for _, want := range []float64{.1, 1.2, 30} {
		mean, p := 0., math.Exp(-want)
		for k := range 200 {
			mean += p * math.Exp(Lost(float64(k), want))
			p *= want / float64(k+1)
		}
		if math.Abs(mean-1) > 1e-9 {
			t.Errorf("%v arrivals: %v", want, mean)
		}
	}
}

// What usually fails is found for each number of events, and from the others where there is nothing yet.
func TestUsual(t *testing.T) {
	var s Share
	if u := s.Usual(30); u < .04 || u > .2 {
		t.Errorf("of nothing: %v", u)
	}
	for range 5000 {
		s.Learn(1, 3, 0, 1)   // a probe that fails
		s.Learn(1, 500, 0, 1) // beside many
	}
	for n, want := range map[float64]float64{3: 1. / 3, 500: .002, 30: .015} { // in doubt of the last more may be usual
		if u := s.Usual(n); u < want*.9 || u > want*1.6 {
			t.Errorf("of %v: %v, want about %v", n, u, want)
		}
	}
}

// Whatever is fed, a run and a share stay numbers.
func TestRunStaysSane(t *testing.T) {
	src := rand.New(rand.NewPCG(5, 5))
	var r Run
	var s Share
	for i := range 20_000 {
		k, n := math.Exp(20*src.Float64())*float64(src.IntN(2)), math.Exp(25*src.Float64())
		u := s.Usual(n)
		r.Add(Fails(k, n, u, math.Sqrt(u)), k, n, 6, 54, 18, uint32(i))
		r.Returns(r.Again(k, n, u), 7)
		r.Fade(src.Float64() * 2)
		if src.IntN(100) == 0 {
			r.Told(36)
		}
		s.Learn(min(k, n), n, src.Float64()*2, src.Float64())
		for _, v := range []float32{r.Nats, r.Peak, r.Most, r.Back, r.Count, r.Of, s[src.IntN(Classes)].All} {
			if !(v >= 0) || math.IsInf(float64(v), 0) {
				t.Fatalf("%d: %+v, %+v", i, r, s)
			}
		}
		if u := s.Usual(n); !(u > 0 && u < 1) {
			t.Fatalf("%v of %v", u, n)
		}
	}
}
