package model

// Excuse: it has not lasted for as many windows as the rule asks (Persist). Until then evidence has at most that share of .99 which the
// row of windows beyond the band is of Persist. Suspicion counts the evidence in full, so little is learned meanwhile.

// brief reports whether the row of windows beyond the band on a side is shorter than n.
func (m *Model) brief(side, n int) bool { return int(m.streak[side]) < n }

// unlessBrief returns a score, held back while its row is brief.
func (m *Model) unlessBrief(p *Params, side int, score float64) float64 {
	if n := p.persist(); m.brief(side, n) {
		return min(score, .99*float64(m.streak[side])/float64(n))
	}
	return score
}
