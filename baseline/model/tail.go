package model

// How rare is it? One side of a residual's distribution, and the evidence that a value in it gives.

import "math"

// tail is one side of one residual: an adaptive quantile, the law of what exceeds it, and the evidence gathered.
// The law is the larger of a generalised Pareto fitted by moments and a Pareto, since taking the better one of the two
// missed more than taking the larger (NAB: detections outside windows 320 → 200). Excess beyond q is in the residual's unit.
type tail struct {
	q        float32 // exceeded by the share alpha of values
	m1, m2   float32 // moments of the excess
	h        float32 // mean of ln(w/q): Pareto index
	llr      float32 // log likelihood of Pareto over generalised Pareto, exponentially weighted
	a1       float32 // probability of exceeding again
	ext      float32 // from q to the edge of the band
	m        float32 // evidence now, nats, ≥ 0
	top, med float32 // largest evidence of the day; running median of such
	on       uint32  // when m was last zero, Unix s
}

const (
	alphaFast  = .02
	alphaBlock = .05
	edge       = .002 // share of windows beyond the band's edge, each side
)

func gaussTail(block bool) tail {
	if block {
		return tail{q: 1.64, m1: .42, m2: .34, h: .21, a1: .2}
	}
	t := tail{q: 2.05, m1: .37, m2: .27, h: .16, a1: .1}
	t.extend(alphaFast)
	return t
}

// gpd returns shape and scale by the method of moments, the shape within [0, 0.45].
func (t *tail) gpd() (xi, sg float64) {
	mu, m2 := float64(t.m1), float64(t.m2)
	s2 := m2 - mu*mu
	if mu <= 1e-6 {
		return 0, 1e-6
	}
	if s2 <= 0 {
		return 0, mu
	}
	r := mu * mu / s2
	xi = clamp(.5*(1-r), 0, .45)
	return xi, mu * (1 - xi)
}

func (t *tail) extend(alpha float64) {
	xi, sg := t.gpd()
	k := alpha / edge
	if xi < 1e-3 {
		t.ext = float32(sg * math.Log(k))
	} else {
		t.ext = float32(sg / xi * (math.Pow(k, xi) - 1))
	}
}

// nats returns the evidence that w gives, and whether w is in the tail. It is the logarithm of a bet whose mean is 1 while the law holds: half of the stake on
// exceeding q, spread over two exponents of the tail probability u. After an exceedance the learned probability of another one is used, so a burst is not news
// twice. infl > 1 weakens the tail of a law that is not yet known.
func (t *tail) nats(w, alpha float64, prev bool, cap, infl float64) (le float64, in bool) {
	a := alpha
	if prev {
		a = clamp(float64(t.a1), alpha, .95)
	}
	q := float64(t.q)
	if w <= q {
		if !prev {
			return nothing(alpha), false
		}
		return math.Log(.5 / (1 - a)), false
	}
	u := t.beyond(w)
	if infl > 1 {
		u = math.Pow(u, 1/infl)
	}
	r := 1 / math.Sqrt(max(u, 1e-30)) // u^-1/2; u^-7/8 = r · r^3/4
	le = math.Log(.5 / a * .5 * (.125*r*math.Sqrt(r)*math.Sqrt(math.Sqrt(r)) + .5*r))
	return min(le, cap), true
}

// nothing is the evidence of a window that is not in a tail of share alpha.
func nothing(alpha float64) float64 {
	if alpha == alphaFast {
		return nothingFast
	}
	return nothingBlock
}

var (
	nothingFast  = math.Log(.5 / (1 - alphaFast))
	nothingBlock = math.Log(.5 / (1 - alphaBlock))
)

// beyond returns the probability of exceeding w, given that q < w is exceeded.
func (t *tail) beyond(w float64) float64 {
	q := float64(t.q)
	x := w - q
	xi, sg := t.gpd()
	var u float64
	if xi < 1e-3 {
		u = math.Exp(-x / sg)
	} else {
		u = math.Pow(1+xi*x/sg, -1/xi)
	}
	if t.llr > 0 {
		u = max(u, math.Pow(w/q, -1/max(float64(t.h), .02)))
	}
	return clamp(u, 0, 1)
}

// learn moves the law by one value. n counts values so far; r ≤ 1 slows everything down.
func (t *tail) learn(w, alpha float64, in, prev bool, n float64, r float64) {
	step := .004
	if n < 9900 {
		step = math.Pow(n+10, -.6)
	}
	step *= r
	if prev {
		d := 0.
		if in {
			d = 1
		}
		t.a1 += float32(.03 * r * (d - float64(t.a1)))
	}
	if !in {
		t.q = max(t.q-float32(step*alpha), .3)
		return
	}
	rate := r * max(1/(alpha*n+20), .004)
	q := float64(t.q)
	xi, sg := t.gpd()
	x := min(w-q, 6*float64(t.m1)+.1)
	lw := math.Log1p(x / q)
	h := max(float64(t.h), .02)
	lp := -math.Log(h*q) - (1+1/h)*lw
	lg := -math.Log(sg)
	if xi < 1e-3 {
		lg -= x / sg
	} else {
		lg -= (1 + 1/xi) * math.Log1p(xi*x/sg)
	}
	t.llr += float32(rate * (clamp(lp-lg, -3, 3) - float64(t.llr)))
	t.m1 += float32(rate * (x - float64(t.m1)))
	t.m2 += float32(rate * (x*x - float64(t.m2)))
	t.h += float32(rate * (lw - float64(t.h)))
	t.q += float32(step * (1 - alpha))
	t.extend(alpha)
}

// add puts evidence on the pile, which never falls below zero.
func (t *tail) add(le float64, at int64, cap float64) {
	m := float64(t.m)
	if m <= 0 {
		t.on = uint32(at / 1000)
	}
	m = clamp(m+le, 0, cap)
	t.m = float32(m)
	t.top = max(t.top, t.m)
}

// closeDay folds the day's largest evidence into the running median of such.
func (t *tail) closeDay(n uint8) {
	step := max(float32(1), t.med*.15)
	if n < 5 {
		step *= 3
	}
	switch {
	case t.top > t.med+step:
		t.med += step
	case t.top < t.med-step:
		t.med -= step
	default:
		t.med = t.top
	}
	t.med, t.top = max(t.med, 0), t.m
}
