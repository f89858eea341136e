// Package tail says how rare a value is: one side of a residual's distribution, and the evidence that a value in it gives. Arithmetic that knows no model.
package tail

import "math"

// Law is one side of one residual: an adaptive quantile, the law of what exceeds it, and the evidence gathered.
// The law is the larger of a generalised Pareto fitted by moments and a Pareto, since taking the better one of the two
// missed more than taking the larger (NAB: detections outside windows 320 → 200). Excess beyond Q is in the residual's unit.
type Law struct {
	Q        float32 // exceeded by the share alpha of values
	M1, M2   float32 // moments of the excess
	H        float32 // mean of ln(w/q): Pareto index
	LLR      float32 // log likelihood of Pareto over generalised Pareto, exponentially weighted
	A1       float32 // probability of exceeding again
	Ext      float32 // from q to the edge of the band
	Nats     float32 // evidence now, nats, ≥ 0
	Top, Med float32 // largest evidence of the day; running median of such
	On       uint32  // when Nats were last zero, Unix s
}

// Shares of values beyond the quantile: of windows, and of quarters of an hour.
const (
	Fast  = .02
	Block = .05
	edge  = .002 // share of windows beyond the band's edge, each side
)

// Gauss is the law of a normal value, of windows or of blocks of them.
func Gauss(block bool) Law {
	if block {
		return Law{Q: 1.64, M1: .42, M2: .34, H: .21, A1: .2}
	}
	t := Law{Q: 2.05, M1: .37, M2: .27, H: .16, A1: .1}
	t.Extend(Fast)
	return t
}

// gpd returns shape and scale by the method of moments, the shape within [0, 0.45].
func (t *Law) gpd() (xi, sg float64) {
	mu, m2 := float64(t.M1), float64(t.M2)
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

// Extend puts the edge of the band where the share edge lies beyond, of a law whose quantile is exceeded by alpha.
func (t *Law) Extend(alpha float64) {
	xi, sg := t.gpd()
	k := alpha / edge
	if xi < 1e-3 {
		t.Ext = float32(sg * math.Log(k))
	} else {
		t.Ext = float32(sg / xi * (math.Pow(k, xi) - 1))
	}
}

// Bet returns the evidence that w gives, and whether w is in the tail. It is the logarithm of a bet whose mean is 1 while the law holds: half of the stake on
// exceeding q, spread over two exponents of the tail probability u. After an exceedance the learned probability of another one is used, so a burst is not news
// twice. infl > 1 weakens the tail of a law that is not yet known.
func (t *Law) Bet(w, alpha float64, prev bool, cap, infl float64) (le float64, in bool) {
	a := alpha
	if prev {
		a = clamp(float64(t.A1), alpha, .95)
	}
	q := float64(t.Q)
	if w <= q {
		if !prev {
			return nothing(alpha), false
		}
		return math.Log(.5 / (1 - a)), false
	}
	u := t.Beyond(w)
	if infl > 1 {
		u = math.Pow(u, 1/infl)
	}
	r := 1 / math.Sqrt(max(u, 1e-30)) // u^-1/2; u^-7/8 = r · r^3/4
	le = math.Log(.5 / a * .5 * (.125*r*math.Sqrt(r)*math.Sqrt(math.Sqrt(r)) + .5*r))
	return min(le, cap), true
}

// nothing is the evidence of a window that is not in a tail of share alpha.
func nothing(alpha float64) float64 {
	if alpha == Fast {
		return NothingFast
	}
	return NothingBlock
}

var (
	// Evidence of a value that is not beyond the quantile.
	NothingFast  = math.Log(.5 / (1 - Fast))
	NothingBlock = math.Log(.5 / (1 - Block))
)

// Beyond returns the probability of exceeding w, given that q < w is exceeded.
func (t *Law) Beyond(w float64) float64 {
	q := float64(t.Q)
	x := w - q
	xi, sg := t.gpd()
	var u float64
	if xi < 1e-3 {
		u = math.Exp(-x / sg)
	} else {
		u = math.Pow(1+xi*x/sg, -1/xi)
	}
	if t.LLR > 0 {
		// No heavier than any law with these moments can be (Chebyshev): over a quantile near zero a few blips would have no end.
		u = max(u, min(math.Pow(w/q, -1/max(float64(t.H), .02)), float64(t.M2)/(x*x)))
	}
	return clamp(u, 0, 1)
}

// Learn moves the law by one value. n counts values so far; r ≤ 1 slows everything down.
func (t *Law) Learn(w, alpha float64, in, prev bool, n float64, r float64) {
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
		t.A1 += float32(.03 * r * (d - float64(t.A1)))
	}
	if !in {
		t.Q = max(t.Q-float32(step*alpha), .3)
		return
	}
	rate := r * max(1/(alpha*n+20), .004)
	q := float64(t.Q)
	xi, sg := t.gpd()
	x := min(w-q, 6*float64(t.M1)+.1)
	lw := math.Log1p(x / q)
	h := max(float64(t.H), .02)
	lp := -math.Log(h*q) - (1+1/h)*lw
	lg := -math.Log(sg)
	if xi < 1e-3 {
		lg -= x / sg
	} else {
		lg -= (1 + 1/xi) * math.Log1p(xi*x/sg)
	}
	t.LLR += float32(rate * (clamp(lp-lg, -3, 3) - float64(t.LLR)))
	t.M1 += float32(rate * (x - float64(t.M1)))
	t.M2 += float32(rate * (x*x - float64(t.M2)))
	t.H += float32(rate * (lw - float64(t.H)))
	t.Q += float32(step * (1 - alpha))
	t.Extend(alpha)
}

// Add puts evidence on the pile, which never falls below zero.
func (t *Law) Add(le float64, at int64, cap float64) {
	m := float64(t.Nats)
	if m <= 0 {
		t.On = uint32(at / 1000)
	}
	m = clamp(m+le, 0, cap)
	t.Nats = float32(m)
	t.Top = max(t.Top, t.Nats)
}

// silenceMs is how long nothing must have been heard for what follows to be a story of its own.
const silenceMs = 30 * 60_000

// Redate takes their date from piles of evidence when values come back at t, Unix ms, after a silence since last: what is wrong then began when values came back wrong, not when they ended.
func Redate(laws []Law, last, t int64) {
	for i := range laws {
		if t-last >= silenceMs && laws[i].Nats > 0 {
			laws[i].On = uint32(t / 1000)
		}
	}
}

// CloseDay folds the day's largest evidence into the running median of such.
func (t *Law) CloseDay(n uint8) {
	step := max(float32(1), t.Med*.15)
	if n < 5 {
		step *= 3
	}
	switch {
	case t.Top > t.Med+step:
		t.Med += step
	case t.Top < t.Med-step:
		t.Med -= step
	default:
		t.Med = t.Top
	}
	t.Med, t.Top = max(t.Med, 0), t.Nats
}

func clamp(v, lo, hi float64) float64 { return min(max(v, lo), hi) }

// temperMost is how much less touchy a signal with violent days is made at most; beyond it would be deaf.
const temperMost = 2.5

// Temper is how much more evidence than the threshold an alarm of this tail needs, since the signal's days usually bring more than
// independent windows would (.9 ln of their number, perDay).
func (t *Law) Temper(perDay float64) float64 {
	if t.Med <= 1 {
		return 1 // the logarithm of four, at least
	}
	return min(max(float64(t.Med)/(.9*math.Log(max(perDay, 4))), 1), temperMost)
}
