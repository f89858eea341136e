package model

// The ceiling test: a fixed mark was passed.
//
//	score = 1.01 once Persist windows in a row are beyond Ceiling on the bad side, the upper one where both are
//
// The mark is the rule's, not learned, so the test speaks from the first window on, and nothing excuses it: no habit, no regime, no budget.

// ceiling counts windows beyond the fixed mark, and speaks when there are enough.
func (m *Model) ceiling(p *Params, l *lesson, w *voice) {
	if !finite(p.Ceiling) || p.Bad == Down && l.v >= p.Ceiling || p.Bad != Down && l.v <= p.Ceiling {
		m.ceil = 0
		return
	}
	m.ceil = min(m.ceil+1, 60000)
	if int(m.ceil) >= p.persist() {
		w.say(CeilingTest, badState(p), 1.01, l.at.T-int64(m.ceil-1)*p.StepMs)
	}
}
