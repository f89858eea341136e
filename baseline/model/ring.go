package model

// The rings: absolute levels of blocks of time, for the tests of what is slow. With Params.Extremes their room holds the last 126 hours as they were.

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/ring"
)

// ends says which cells of the rings ended with a window. The zero value is none.
type ends struct{ fine, mid, day bool }

// r15, r2h and r1d are the fine, the middle and the daily ring.
func (m *Model) r15() []int16 { return m.rings[:48] }
func (m *Model) r2h() []int16 { return m.rings[48:96] }
func (m *Model) r1d() []int16 { return m.rings[96:] }

func (m *Model) clearRings(p *Params) {
	if m.flags&flagWarm == 0 || p.Extremes {
		return // the first values are there; or the hours as they were, which no shape made
	}
	for i := range m.rings[:96] {
		m.rings[i] = hole
	}
	m.bSum, m.bDev, m.bN, m.qSum, m.qN = 0, 0, 0, 0, 0
}

// censor forgets what the rings took in from some moment on, Unix ms, until now: what an alarm was about does not testify once that is over. With Params.Extremes
// only hours of an alarm that a median would heed.
func (m *Model) censor(p *Params, from int64) {
	block, mid := ring.Lengths(p.StepMs)
	if p.Extremes {
		if m.last-from < wanderHours*hourMs/2 {
			return // no median heeds that
		}
		n := int32(len(m.rings))
		for h := max(m.q-int32((m.last-from)/hourMs)-1, m.q-n+1, 0); h <= m.q; h++ {
			m.rings[h%n] = ring.Hole
		}
		m.qSum, m.qN, m.wander = 0, 0, 0
		return
	}
	ring.Blank(m.r15(), max(ring.Number(from, block), 1)-1, m.b)
	ring.Blank(m.r2h(), max(ring.Number(from, mid), 1)-1, m.q)
	m.bSum, m.bDev, m.bN, m.qSum, m.qN = 0, 0, 0, 0, 0
	if days := int32((m.last - from) / (24 * hourMs)); days > 0 {
		ring.Blank(m.r1d(), max(m.d-days, 1)-1, m.d)
		m.dSum, m.dN = 0, 0
	}
}

// roll adds the window to the blocks under way and closes those that end with it.
func (m *Model) roll(p *Params, q *prediction, l *lesson) (ended ends) {
	l.level = l.y - q.shape - l.apart
	if p.Extremes {
		ended.mid = m.rollHour(p, l)
	}
	ended.fine = m.rollBlock(p, l)
	if !p.Extremes {
		ended.mid = m.rollMid(p, l)
	}
	ended.day = m.rollDay(p, l)
	m.walk(p, l)
	return ended
}

// rollBlock adds the window to the quarter of an hour under way, and reports whether it ended. Its mean is what the shift test judges.
func (m *Model) rollBlock(p *Params, l *lesson) (ended bool) {
	blockMs, _ := ring.Lengths(p.StepMs)
	b, nb := ring.Number(l.at.T, blockMs), ring.Number(l.at.T+p.StepMs, blockMs)
	if b != m.b {
		if m.bN > 0 {
			m.fine(p, m.b)
		}
		if !p.Extremes {
			ring.Blank(m.r15(), m.b, b)
		}
		m.b, m.bN, m.bSum, m.bDev = b, 0, 0, 0
	}
	m.bSum += float32(clamp(l.z, -25, 25))
	m.bDev += float32(l.level)
	m.bN++
	if nb == b {
		return false
	}
	m.fine(p, b)
	if int64(m.bN)*p.StepMs*2 > blockMs {
		l.closed = true
		l.bz = float64(m.bSum) / float64(m.bN)
		l.bw = l.bz / math.Sqrt(float64(m.vb))
	}
	m.bN, m.bSum, m.bDev = 0, 0, 0
	return true
}

// fine writes the block under way into the fine ring.
func (m *Model) fine(p *Params, b int32) {
	if !p.Extremes {
		m.r15()[b%48] = pack(m.bDev / float32(m.bN))
	}
}

// rollMid adds the window to the cell of two hours or more under way, and reports whether it ended.
func (m *Model) rollMid(p *Params, l *lesson) (ended bool) {
	_, midMs := ring.Lengths(p.StepMs)
	return m.toCell(m.r2h(), ring.Number(l.at.T, midMs), ring.Number(l.at.T+p.StepMs, midMs), l.level)
}

// rollHour adds the window to the hour under way, of which all rings together keep the last 126, and reports whether it ended. They hold what
// was seen as it was, without any learned shape.
func (m *Model) rollHour(p *Params, l *lesson) (ended bool) {
	return m.toCell(m.rings[:], civilHour(p, l.at, 0), civilHour(p, l.at, p.StepMs), l.y)
}

// toCell adds y to cell c of a ring, and writes that when the next window belongs to another one. What was gathered for another cell is written first, and those between are holes.
func (m *Model) toCell(cells []int16, c, next int32, y float64) (ended bool) {
	n := int32(len(cells))
	if c != m.q {
		if m.qN > 0 {
			cells[m.q%n] = pack(m.qSum / float32(m.qN))
		}
		ring.Blank(cells, m.q, c)
		m.q, m.qN, m.qSum = c, 0, 0
	}
	m.qSum += float32(y)
	m.qN++
	if next == c {
		return false
	}
	cells[c%n] = pack(m.qSum / float32(m.qN))
	m.qN, m.qSum = 0, 0
	return true
}

// rollDay adds the window to the civil day, and reports whether one of more than twelve hours ended before it.
func (m *Model) rollDay(p *Params, l *lesson) (ended bool) {
	if d := l.at.Day & 0x3fffffff; d != m.d {
		days := m.r1d()
		lived := m.dN > 0 && m.d != 0
		if lived && float64(m.dN)*float64(p.StepMs) > 12*hourMs { // half a day has another mean
			if !p.Extremes {
				days[m.d%int32(len(days))] = pack(m.dSum / float32(m.dN))
			}
			ended = true
		}
		if !p.Extremes {
			ring.Blank(days, m.d, d)
		}
		if lived {
			for i := range m.tails {
				m.tails[i].CloseDay(m.age & ageDays)
			}
			m.age = m.age&^ageDays | min(m.age&ageDays+1, ageDays)
		}
		m.book.Close(m.d, d, ended)
		m.d, m.dN, m.dSum = d, 0, 0
	}
	if m.dN < math.MaxUint16 {
		m.dSum += float32(l.level)
		m.dN++
	}
	return ended
}

// civilHour returns the number of the hour, in civil time, in which the middle of the window that ends moreMs later lies: the same hour of another
// day is a multiple of 24 away, also across a change of the clocks.
func civilHour(p *Params, at Moment, moreMs int64) int32 {
	x := float64(at.Day)*24 + float64(at.HourOfWeek%24) + at.HourFrac + float64(moreMs-p.StepMs/2)/hourMs
	return int32(int64(math.Floor(x)) & 0x3fffffff)
}
