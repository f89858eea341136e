package model

import "github.com/wrackline/wrackline/baseline/model/ledger"

// An alarm that stands gets clearly worse: that is news, once. How far out it has been told is what it came to in its first hour. What goes as far again, or three quarters of the way
// from there to the end of the scale, for as many windows as the rule asks (ledger.Told), is another thing than what was told; the alarm begins anew there, so the
// next must be as much again. A drift grows by its nature, and a standstill cannot.

const (
	worseFrom  = hourMs // since the alarm began: until then it is what has been told
	worseSigma = 4.     // beyond what was told, at least
	worseLeast = 3      // windows
)

// worsens reports whether the alarm that stands has got clearly worse with this window, and keeps what has been told of it.
func (m *Model) worsens(p *Params, q *prediction, l *lesson) bool {
	if m.state == Drifting || m.test == DriftTest || m.test == FlatTest {
		m.told = ledger.Told{}
		return false
	}
	far, farY, room := l.v-q.band.Expected, l.e, p.Max-q.band.Expected
	if m.state == Low {
		far, farY, room = -far, -farY, q.band.Expected-p.Min
	}
	if m.told.Far <= 0 || l.at.T-m.onset() < worseFrom {
		m.told.Tell(far, farY, room)
		return false
	}
	if !m.told.Count(!l.known && m.told.Farther(far, farY, room, q.effect, worseSigma*q.sig), max(p.persist(), worseLeast)) {
		return false
	}
	if float64(m.mute)*hourMs <= float64(l.at.T-m.onset()) {
		m.mute = 0 // a drift that this alarm brought stood not before what begins here, see recover
	}
	m.begins(l.at.T - int64(m.told.N-1)*p.StepMs)
	m.told = ledger.Told{}
	m.told.Tell(far, farY, room)
	return true
}
