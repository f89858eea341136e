package model

// Excuse: it has not lasted for as many windows as the rule asks (Persist). Until then evidence has at most that share of .99 which the
// windows beyond the band, less those within it since, are of Persist. Suspicion counts the evidence in full, so little is learned meanwhile.

// brief reports whether a window on a side is not beyond the band, or so few have been that they are fewer than n.
func (m *Model) brief(l *lesson, side, n int) bool { return !l.far[side] || int(m.streak[side]) < n }

// unlessBrief returns a score, held back while it is brief.
func (m *Model) unlessBrief(p *Params, l *lesson, side int, score float64) float64 {
	n := p.persist()
	if !m.brief(l, side, n) {
		return score
	}
	return min(score, .99*min(float64(m.streak[side])/float64(n), 1))
}
