package model

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/ring"
	"github.com/wrackline/wrackline/baseline/model/tail"
)

// The shift test: a sustained shift of a quarter-hour mean or longer.
//
// The mean of each block of a quarter of an hour (at least three windows), not whitened, gives evidence as a window does in the point test, by the law of its
// own tail; score = m / (threshold · temper). Sums that restart at zero: E. S. Page, Continuous inspection schemes, 1954.
//
// It speaks of every bad side that has evidence, and is heard in full while the present window is off by the smallest effect. After three
// days it also speaks of a row of windows beyond the band that is twice as long as any was without harm: what climbs out of its band
// within half an hour is no surprise from one window to the next, so the point test does not see it, and two quarters must end for this one.

const (
	capBlock    = 12  // nats of one quarter of an hour
	blockFromH  = 6.  // hours before a quarter of an hour can be judged where a season may be: a morning looks like a shift
	blockYoungH = 48. // hours in which such a shift must be gross: the second morning is still new
	stayLeastMs = 8 * 60_000
	stayFromH   = 72. // hours before what was harmless is known well enough for a row to be too long
)

// gatherShift adds the evidence of a block that closed with this window.
func (m *Model) gatherShift(p *Params, q *prediction, l *lesson) {
	if !l.closed {
		return
	}
	blockMs, _ := ring.Lengths(p.StepMs)
	most := min(capBlock, 1+math.Log(1+m.weight(priorRarity)*float64(p.StepMs)/float64(blockMs)))
	gross := l.gross
	if l.age < blockYoungH && p.Season != NoSeason {
		gross = max(gross, grossYoung)
	}
	big := q.big(p, m.x(q.yhat+l.bz*q.sig)-m.x(q.yhat), gross)
	young := l.age < blockFromH && p.Season != NoSeason
	means := [2]float64{l.bw, -l.bw}
	for side := range means {
		t := &m.tails[2+side]
		var nats float64
		nats, l.blockIn[side] = t.Bet(means[side], tail.Block, m.flags&(flagPrevBUp<<side) != 0, most, l.inflation)
		if nats > 0 && (!big[side] || l.known || young) {
			nats = tail.NothingBlock
		}
		t.Add(nats, l.at.T-blockMs, 3*l.threshold)
	}
}

// shift says how much evidence the blocks of a side give, and whether a row of windows beyond the band is too long.
func (m *Model) shift(p *Params, l *lesson, side int, w *voice) {
	blockMs, _ := ring.Lengths(p.StepMs)
	score, t := 0., &m.tails[2+side]
	if t.Nats > 0 {
		score = float64(t.Nats) / (l.threshold * t.Temper(dayH*hourMs/float64(blockMs)))
	}
	if !l.big[side] {
		score = min(score, .99)
	}
	w.say(ShiftTest, sideState[side], score, int64(t.On)*1000)
	if row := m.streak[side]; l.age >= stayFromH && row > 0 && !p.Extremes {
		w.say(ShiftTest, sideState[side], min(float64(row)/m.tooLong(p, side), 1.01), l.at.T-int64(row-1)*p.StepMs)
	}
}

// tooLong is for how many windows in a row the signal may be beyond its band: twice as long as it ever was without harm.
func (m *Model) tooLong(p *Params, side int) float64 {
	least := max(float64(3*p.persist()), stayLeastMs/float64(p.StepMs))
	return max(least, 2*float64(m.stay[side])+float64(p.persist()))
}
