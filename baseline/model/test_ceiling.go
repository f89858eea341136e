package model

// The ceiling test: a fixed mark was passed.
//
//	k ← k + 1 beyond Ceiling on the bad side, the upper one where both are; else k - 1, never below zero nor above Persist
//	score = 1.01 once k is Persist
//
// Not in a row: what is beyond its mark four minutes of six is so for as long as it goes on.
// The mark is the rule's, not learned, so the test speaks from the first window on, and nothing excuses it: no habit, no regime, no budget.
//
// What is left of a life that is renewed (Params.Renews: a certificate that lives for two days by design) has a scale of its own: its mark is no higher than
// three quarters of where it is usually renewed, see ledger.Life.

// mark is the value beyond which a signal is over its ceiling.
func (m *Model) mark(p *Params) float64 {
	if p.Renews > 0 && p.Bad == Down {
		return m.life.Mark(p.Ceiling, p.Renews)
	}
	return p.Ceiling
}

// ceiling counts windows beyond the fixed mark, and speaks when there are enough.
func (m *Model) ceiling(p *Params, l *lesson, w *voice) {
	most := uint16(min(p.persist(), 60000))
	if p.Renews > 0 {
		m.life.See(l.v, m.state.Alarm() && m.test == CeilingTest)
	}
	mark := m.mark(p)
	l.over = finite(mark) && (p.Bad == Down && l.v < mark || p.Bad != Down && l.v > mark)
	if !l.over {
		m.ceil = min(m.ceil, most) // a rule may ask for less than it did
		m.ceil -= min(m.ceil, 1)
		return
	}
	if m.ceil = min(m.ceil+1, most); m.ceil == most {
		w.say(CeilingTest, badState(p), 1.01, l.at.T-int64(m.ceil-1)*p.StepMs)
	}
}
