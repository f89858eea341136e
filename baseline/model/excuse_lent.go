package model

// Excuse: what is known was lent by siblings (prior.go). While they outweigh what the signal itself has shown, its first two days, it is told only
// of what is gross, and most of all in hours of the week that were never seen: the siblings' day is trusted before a first weekend. Their law of the
// tail is a law, so evidence is weakened by less than without them: f = 1.5 - .5 · age / 48 h.

const (
	grossLent = 4.  // × the smallest effect, in hours of the week that were never seen
	inflLent  = 1.5 // what weakens evidence at first where siblings lent the law of the tail; 3 where they did not
)

// lentGross is by how much a deviation must exceed the smallest effect while the signal leans on siblings.
func (m *Model) lentGross(p *Params, q *prediction, age float64) float64 {
	switch {
	case m.Borrowed() == 0:
		return 1
	case m.newHour(p, q, age):
		return grossLent
	}
	return grossYoung
}

// inflationLent is f above, of the first two days.
func inflationLent(age float64) float64 { return inflLent - (inflLent-1)*age/48 }
