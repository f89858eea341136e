// Package budget holds the alarms of many signals to so many false ones a week. An alarm does not say whether it was false, so it is not
// alarms that are counted but near misses: stretches of time in which a score came to half of an alarm or more and did not become one.
// Their heights fall off exponentially, on every stationary family that was tried by a factor of 1.5 to 10 for each tenth of the score, so the rate at which
// chance alone reaches an alarm is read off below it, where there are ten times as many stretches, and what a real incident does above it
// has no say. Nor can there be more false alarms than alarms: where fewer came than were foretold, as with stretches that are short by
// nature, that counts. Where the rate is more than the budget, every signal needs more evidence, until it is not.
package budget

import "math"

const (
	budgetFrom    = .5            // score from which a stretch is a near miss
	budgetOver    = .3            // score below which a stretch is over
	budgetMemoryH = 21 * 24.      // hours that are remembered
	budgetYoungH  = 2 * 24.       // hours before the rate is believed
	budgetTrust   = 2.            // alarms for which what the law foretells counts
	budgetFew     = 8             // near misses before their heights are
	strictMost    = 2.5           // × the evidence that is asked at most: beyond it would be deaf
	strictStepH   = 24.           // hours in which strictness moves by a tenth at most
	weekH         = 7 * 24.       //
	budgetGapMs   = 6 * 3_600_000 // longer than that nothing was seen, and no time has passed for the budget
	budgetFall    = 1. / 16       // scale of the heights at the least: a factor of 5 for each tenth of the score
	budgetSlow    = .35           // … and at the most: slow wandering has the slowest
)

// Budget keeps the false alarms of many signals within what is asked of them. The zero value asks for nothing and knows nothing. It is fed the stretches of all
// signals and the time that passes; all of it comes from samples, so the same stream gives the same budget. Not safe for concurrent use.
type Budget struct {
	Asked  float64 // false alarms a week that are allowed; 0 = any number
	Near   float64 // near misses, those of three weeks ago counting e⁻¹
	Height float64 // sum of their heights above budgetFrom, likewise
	Hours  float64 // time that was seen, likewise
	Alarms float64 // alarms of any cause, likewise
	Extra  float64 // strictness beyond 1
	LastMs int64   // until when time has passed, Unix ms; 0 = none has
}

// Stretch is the height of one signal's present near miss. The zero value is none.
type Stretch float32

// See takes the judgement of one window of one signal: its score, whether an alarm stands, and whether that began with this window.
func (b *Budget) See(h *Stretch, score float64, alarm, opened bool) {
	s := score * b.Strict()
	switch {
	case alarm:
		if opened {
			b.Alarms++
		}
		*h = -1 // an alarm and what follows it is no near miss
	case score < budgetOver:
		if x := float64(*h); x >= budgetFrom {
			b.Near++
			b.Height += x - budgetFrom
		}
		*h = 0
	case *h >= 0:
		*h = max(*h, Stretch(min(s, 100)))
	}
}

// Pass lets time pass to t, Unix ms, and adjusts the strictness.
func (b *Budget) Pass(t int64) {
	d := t - b.LastMs
	if d <= 0 {
		return
	}
	first := b.LastMs == 0
	b.LastMs = t
	if first || d > budgetGapMs {
		return
	}
	h := float64(d) / 3_600_000
	keep := math.Exp(-h / budgetMemoryH)
	b.Near *= keep
	b.Height *= keep
	b.Alarms *= keep
	b.Hours = b.Hours*keep + h
	want := b.want() - 1
	step := .1 * h / strictStepH
	b.Extra += min(max(want-b.Extra, -step), step)
}

// Strict is how many times the stock evidence an alarm needs: 1 and more.
func (b *Budget) Strict() float64 { return 1 + b.Extra }

// scale returns the mean by which heights exceed budgetFrom, were they not cut where an alarm begins: the exponential law whose part below the cut has the mean that was seen.
func (b *Budget) scale() float64 {
	cut := b.Strict() - budgetFrom
	mean := b.Height / b.Near
	lo, hi := 1/budgetSlow, 1/budgetFall
	for range 40 {
		r := (lo + hi) / 2
		if 1/r-cut/math.Expm1(r*cut) > mean {
			lo = r
		} else {
			hi = r
		}
	}
	return 2 / (lo + hi)
}

// Expected returns how many false alarms a week chance gives at the present strictness; known is false while too little has been seen.
func (b *Budget) Expected() (aWeek float64, known bool) {
	if b.Hours < budgetYoungH {
		return 0, false
	}
	if b.Near < budgetFew {
		// Too few to know their law. One in eight of those there are becomes an alarm at the slowest fall that was seen.
		return min(b.Near/8, b.most()) / (b.Hours / weekH), true
	}
	return b.rate(b.Strict()), true
}

// rate is the rate a week at which stretches reach the score s: as their law foretells, or less where fewer alarms came. Where more came they may have been
// real, so no more than twice what was foretold is believed.
func (b *Budget) rate(s float64) float64 {
	k, now, weeks := b.scale(), b.Strict(), b.Hours/weekH
	all := b.Near / -math.Expm1(-(now-budgetFrom)/k) / weeks
	foretold := all * math.Exp(-(now-budgetFrom)/k)
	// Gamma and Poisson: what was foretold weighs as much as budgetTrust alarms.
	foretold *= min((b.Alarms+budgetTrust)/(foretold*weeks+budgetTrust), 2)
	return min(foretold, b.most()/weeks) * math.Exp(-(s-now)/k)
}

// most is how many alarms there could have been where so many came, about the upper end of the 90 % interval of a Poisson count, and of none the one that is about to come.
func (b *Budget) most() float64 { return b.Alarms + 1.65*math.Sqrt(b.Alarms) + 1 }

// want returns the strictness at which the rate would be what is asked.
func (b *Budget) want() float64 {
	if b.Asked <= 0 || b.Hours < budgetYoungH || b.Near < budgetFew {
		return 1
	}
	r := b.rate(1)
	if r <= b.Asked {
		return 1
	}
	return min(max(1+b.scale()*math.Log(r/b.Asked), 1), strictMost)
}
