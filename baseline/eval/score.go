package eval

// Scoring one series: its rows are replayed and the alarms go to the counts.

// Score replays rows and scores the alarms against their labels. Rows before evalStart (Unix seconds) are history. hold is the
// distance in seconds below which alerts, or labels, are one; 0 = the larger of 15 minutes and 3 steps.
func Score(name string, rows []Row, evalStart, hold int64, o Options) SeriesReport {
	if len(rows) == 0 {
		return SeriesReport{Name: name}
	}
	s := newScorer(name, rows, evalStart, hold, o)
	for s.row() {
	}
	return s.report()
}

// scorer judges a series and counts as it goes.
type scorer struct {
	rep    SeriesReport
	replay *replayer
	count  *count
	others []SeriesReport
	counts []*count
	rank   ranking
	from   int64
	wide   int // rows by which labels are widened at most
}

func newScorer(name string, rows []Row, evalStart, hold int64, o Options) *scorer {
	s := &scorer{rep: SeriesReport{Name: name}, replay: newReplayer(name, rows, o), from: evalStart}
	if len(rows) == 0 {
		return s
	}
	step := Step(rows)
	if hold <= 0 {
		hold = max(900, 3*step)
	}
	s.wide = int(2 * hold / step)
	s.rep.from = max(evalStart, rows[0].T)
	s.rep.to = rows[len(rows)-1].T
	s.rep.Days = float64(max(0, s.rep.to-s.rep.from)) / 86400
	s.count = newCount(&s.rep, rows, evalStart, hold, step)
	s.others = make([]SeriesReport, len(Thresholds))
	s.counts = make([]*count, len(Thresholds))
	for i := range s.counts {
		s.counts[i] = newCount(&s.others[i], rows, evalStart, hold, step)
	}
	return s
}

// row judges the next row; false means that there is none.
func (s *scorer) row() bool {
	if !s.replay.next() {
		return false
	}
	r := &s.replay.result
	if r.Alert() {
		s.count.alert(r.Row, r.Test.String())
	}
	for i, t := range Thresholds {
		if r.Score < t {
			break
		}
		s.counts[i].alert(r.Row, "")
	}
	if r.T >= s.from {
		s.rank.add(r.Lasting, r.Label)
	}
	return true
}

func (s *scorer) report() SeriesReport {
	if s.count == nil {
		return s.rep
	}
	s.rep.Other = make([]At, len(Thresholds))
	for i := range s.others {
		s.rep.Other[i] = At{s.others[i].Detected, s.others[i].False}
	}
	s.rep.AUC, s.rep.VUS = s.rank.areas(s.wide)
	return s.rep
}
