package model

// Excuse: too little has been seen. In its first day, and in hours of the week that were never seen, a signal is told only of what is gross: a
// multiple of the smallest effect. And evidence is weakened while the law of the tail is young: probabilities are raised to 1/f, where
//
//	f = 3 - 2 · age / 48 h until the second day is over, ½ more in a first week that may have a shape; 1 afterwards

const (
	learnH     = 24. // hours in which a signal is called learning and only gross deviations count
	grossYoung = 2.  // × the smallest effect: what is gross while learning
	grossWeek  = 2.5 // × the smallest effect, in hours of the week that were never seen: a quiet first weekend is no outage
)

// youngGross is by how much a deviation must exceed the smallest effect: more in a first day, and on a first weekend.
func (m *Model) youngGross(p *Params, q *prediction, age float64) float64 {
	switch {
	case m.newHour(p, q, age):
		return grossWeek
	case age < learnH:
		return grossYoung
	}
	return 1
}

// newHour reports whether a signal whose days are known is in an hour of the week that it never saw.
func (m *Model) newHour(p *Params, q *prediction, age float64) bool {
	return age < 8*dayH && m.mode == 1 && m.byWeek[q.how] == noCell && (p.Season == Auto || p.Season == Weekly)
}

// inflation is f above.
func (m *Model) inflation(p *Params, age float64) float64 {
	f := 1.
	if age < 48 {
		f = 3 - 2*age/48
		if m.lent != 0 {
			f = inflationLent(age)
		}
	}
	if age < 168 && p.Season != NoSeason && (m.lent == 0 || m.mode == 0) {
		f += .5
	}
	return f
}
