package model

import "math"

// The test of extremes: has the signal ever done that? It is the point test where nothing is known of a signal (Params.Extremes): the largest
// deviations of past blocks of six hours say how far it goes when nothing is wrong.
//
//	score = (r(z) + r(√(z w)) + 2 r(d)) / 4 / (3 + ln(6 h / block)) / Strict
//	r(x)  = ln 2 + (ln x - mid) / scale, which is -ln of the probability of such a maximum; see package extreme
//
// where z is the residual in units of its scatter, w the whitened one, and d the deviation in the signal's own unit, with one law for both sides,
// since a fall of a signal near zero is small. √(z w) is large for what is both far and sudden. So half of the say is logarithmic, half
// linear. Laws of block maxima: E. J. Gumbel, Statistics of Extremes, 1958.
//
// It speaks of the side on which the window is, if that is bad. What is small, or excused, comes to .95 at most, and while the laws are young
// what is brief does too. In a signal's first days the block is a sixteenth of its age.

// ExtremeMs is the span, ms, of which the probability in Why is with Params.Extremes.
const ExtremeMs = 6 * hourMs

// The blocks, and what is news. None of these is a property of a data set: see docs/accuracy.md for how they were chosen.
const (
	extBlockMs = ExtremeMs // length of a block: four a day, so that a busy hour is in one of them every day
	extLeast   = 20        // windows of a block, at least
	extStart   = 16        // while little has been seen a block is this share of it
	extFew     = 8         // blocks of a law that alone may raise an alarm without Persist
	extRow     = 5.        // windows in a row from which on each doubling says more
	extNews    = 3         // -ln of the probability per block of six hours at which a deviation is news
	extMoves   = .5        // sigmas below which a window says nothing about extremes
	extTeach   = .7        // of what would be news: what a bad side teaches at most
	extHeld    = .95       // score of what lacks a condition
)

// extremes judges the window's deviation against the past extremes, then takes it in.
func (m *Model) extremes(p *Params, q *prediction, l *lesson, w *voice) {
	if !p.Extremes {
		return
	}
	z, d, sharp, s := l.z, l.dev, 0., sideOf(l.z)
	if l.z*l.w > 0 {
		sharp = math.Copysign(math.Sqrt(l.z*l.w), l.z)
	}
	if s == below {
		z, d, sharp = -z, -d, -sharp
	}
	most := extLeast * float64(p.StepMs)
	block := max(extBlockMs, most)
	if m.lent == 0 { // siblings' laws are of whole blocks
		block = clamp(m.ageH()*hourMs/extStart, most, block)
	}
	news := (extNews + math.Log(extBlockMs/block)) * p.strict() // of short blocks there are more
	if l.bad[s] && d > 0 {
		r := (m.ext[s].Rare(z, m.extN[s]) + m.ext[2+s].Rare(sharp, m.extN[2+s]) + 2*m.ext[4].Rare(d, m.extN[4])) / 4
		score := r / news * (1 + .1*math.Log2(max(1, float64(m.streak[s])/extRow)))
		l.rare = score * p.Nats(PointTest)
		if d < q.effect {
			score = min(score*d/q.effect, extHeld)
		}
		young := min(m.extN[s], m.extN[4]) < extFew || m.ageH() < learnH/2
		if l.known || young && int(m.streak[s]) < p.Persist {
			score = min(score, extHeld)
		}
		w.say(PointTest, sideState[s], score, l.at.T)
	}
	if q.low < q.high && d == 0 { // within the reach, and yet near nothing that is known of these hours: they are of any size
		if e, sure := m.teaches(q, int(m.mode), l.y); !sure {
			s = sideOf(e)
			z, d = math.Abs(e)/q.sig, math.Abs(l.v-m.x(l.y-e))
			sharp = z
		}
	}
	if z >= extMoves && d > 0 && !l.foreign {
		m.sees(p, l, s, z, news)
		m.sees(p, l, 2+s, sharp, news)
		m.sees(p, l, 4, d, news)
	}
	m.extL = min(m.extL+1, 60000)
	if float64(m.extL)*float64(p.StepMs) < block {
		return
	}
	m.extL = 0
	rate := 1.
	if m.quarantined(p) {
		rate = .1
	}
	for i := range 5 {
		m.extN[i] = m.ext[i].Close(m.extN[i], rate)
	}
}

// sees takes a value into a law: what goes to the bad end of its scale by less than what would be news, since how far an outage went says nothing of how far the signal goes when
// nothing is wrong.
func (m *Model) sees(p *Params, l *lesson, i int, v, news float64) {
	x := &m.ext[i]
	if p.Bad != Both && l.bad[sideOf(l.e)] && l.toEnd >= endShare && m.extN[i] >= extFew {
		v = min(v, x.Height(extTeach*news, m.extN[i]))
	}
	x.See(v)
}
