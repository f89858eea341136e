package scenario

import "math"

// Randomness is made for speed and for independence: every entity has its own stream, seeded by the cluster's seed and
// the entity's name, so that a fault in one corner does not change the noise of another. Two runs that differ only in
// their faults are therefore equal, byte for byte, until the first fault begins.

// rng is a SplitMix64 stream. The zero value is a valid stream. Not safe for concurrent use.
type rng struct{ s uint64 }

// newRNG returns the stream of a name under a seed.
func newRNG(seed uint64, name string) rng {
	h := seed ^ 0xcbf29ce484222325
	for i := 0; i < len(name); i++ {
		h = (h ^ uint64(name[i])) * 0x100000001b3
	}
	r := rng{h}
	r.next()
	return r
}

func (r *rng) next() uint64 {
	r.s += 0x9e3779b97f4a7c15
	z := r.s
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// float returns a number in [0, 1).
func (r *rng) float() float64 { return float64(r.next()>>11) * (1.0 / (1 << 53)) }

// intn returns a number in [0, n); n must be positive.
func (r *rng) intn(n int) int { return int(r.next() >> 33 % uint64(n)) }

// Normal deviates come from 1,024 quantiles: a table look-up instead of a logarithm, and ±3.3 σ at most.
const normalBits = 10

var normalTable = func() (t [1 << normalBits]float64) {
	var sum2 float64
	for i := range t {
		p := (float64(i) + 0.5) / float64(len(t))
		t[i] = math.Sqrt2 * math.Erfinv(2*p-1)
		sum2 += t[i] * t[i]
	}
	scale := math.Sqrt(float64(len(t)) / sum2) // the cut tails cost variance; give it back
	for i := range t {
		t[i] *= scale
	}
	return t
}()

// normal returns a standard normal deviate.
func (r *rng) normal() float64 { return normalTable[r.next()>>(64-normalBits)] }

// poisson returns an event count of the given mean: exact by inversion below 8, a rounded normal above.
func (r *rng) poisson(mean float64) float64 {
	if !(mean > 0) {
		return 0
	}
	if mean >= 8 {
		return max(0, math.Floor(mean+math.Sqrt(mean)*r.normal()+0.5))
	}
	u := r.float()
	if mean < 1e-3 { // e^-m = 1-m here to seven digits
		if u < mean {
			return 1
		}
		return 0
	}
	p := math.Exp(-mean)
	k := 0.0
	for u > p && k < 60 {
		u -= p
		k++
		p *= mean / k
	}
	return k
}

// noise is a first-order autoregressive process: standard deviation sd, correlation 0.9 from minute to minute.
type noise struct{ x float64 }

// step advances the process by the step whose correlation and innovation are given and returns its value times sd.
func (n *noise) step(r *rng, c ar, sd float64) float64 {
	n.x = c.rho*n.x + c.innovation*r.normal()
	return n.x * sd
}

// ar holds the coefficients of noise for one step length.
type ar struct{ rho, innovation float64 }

func newAR(dt float64) ar {
	rho := math.Pow(0.9, dt/60)
	return ar{rho, math.Sqrt(1 - rho*rho)}
}

// Φ, the standard normal distribution function, from a table: latency shares need it for every bucket of every pod.
const (
	phiRange = 6.0
	phiSteps = 4096
)

var phiTable = func() (t [phiSteps + 2]float64) {
	for i := range t {
		x := (float64(i)/phiSteps*2 - 1) * phiRange
		t[i] = 0.5 * math.Erfc(-x/math.Sqrt2)
	}
	return t
}()

func phi(x float64) float64 {
	if x <= -phiRange {
		return 0
	}
	if x >= phiRange {
		return 1
	}
	f := (x + phiRange) * (phiSteps / (2 * phiRange))
	i := int(f)
	f -= float64(i)
	return phiTable[i] + f*(phiTable[i+1]-phiTable[i])
}

// histogram is a fixed set of bucket bounds with the logarithms that lognormal shares need.
type histogram struct {
	le  []string
	ln  []float64 // of the finite bounds
	max float64
}

func newHistogram(le ...string) *histogram {
	h := &histogram{le: append(append([]string(nil), le...), "+Inf")}
	for _, s := range le {
		v := mustFloat(s)
		h.ln = append(h.ln, math.Log(v))
		h.max = v
	}
	return h
}

// part is a share of observations that follows one lognormal law.
type part struct {
	share  float64 // 0..1
	lnMed  float64 // logarithm of the median in seconds
	sigma  float64
	meanUp float64 // mean / median = exp(sigma²/2), kept because it costs an exponential
}

func newPart(share, medianS, sigma float64) part {
	return part{share, math.Log(medianS), sigma, math.Exp(sigma * sigma / 2)}
}

// observe adds a mean of n observations that follow the parts to the cumulative rows v (buckets, sum, count) and
// returns how many there were.
func (h *histogram) observe(r *rng, v []float64, n float64, parts ...part) float64 {
	var cum, last float64
	k := len(h.ln)
	for i := 0; i <= k; i++ {
		p := 0.0
		for j := range parts {
			if i == k {
				p += parts[j].share
			} else {
				p += parts[j].share * phi((h.ln[i]-parts[j].lnMed)/parts[j].sigma)
			}
		}
		cum += r.poisson(n * (p - last))
		last = p
		v[i] += cum
	}
	v[k+2] += cum
	mean := 0.0
	for _, p := range parts {
		mean += p.share * math.Exp(p.lnMed) * p.meanUp
	}
	v[k+1] += cum * mean * (1 + 0.01*r.normal())
	return cum
}
