// Recovery: an alarm ends only when the value has stayed inside its band for a while. Until then it is open, but nothing
// is wrong any more, and the pages must not look as if it were.

package ui

import (
	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
)

// phase says how far an incident is on its way to its end.
type phase int

// The phases, the worst first.
const (
	firing     phase = iota // a value is outside what is normal
	recovering              // every member in alarm is back inside its band
	closing                 // no member is in alarm; the hold runs
	over                    // resolved
)

func phaseOf(inc *alerting.Incident) phase {
	switch {
	case !inc.Open():
		return over
	case inc.Active() == 0:
		return closing
	}
	for i := range inc.Members {
		if m := &inc.Members[i]; m.Ended == 0 && !easing(m) {
			return firing
		}
	}
	return recovering
}

// back reports whether an alarm is only waiting for its end: the value is inside the band again. A value that has stopped
// moving is inside its band all the time, and a fixed mark may lie inside a wide band: these are not back.
func back(st model.State, test model.Test, value float64, b model.Band, r *pack.Rule) bool {
	if st != model.High && st != model.Low || test == model.FlatTest || test == model.CountTest || !(value >= b.Lower && value <= b.Upper) {
		return false
	}
	if test == model.CeilingTest && r != nil && finite(r.Params.Ceiling) {
		return r.Params.Bad == model.Down && value >= r.Params.Ceiling || r.Params.Bad != model.Down && value <= r.Params.Ceiling
	}
	return true
}

// easing reports whether a member is still in alarm although its value is back inside the band.
func easing(m *alerting.Member) bool {
	return m.Ended == 0 && back(m.State, m.Test, m.Value, m.Band, m.Rule)
}

// easingSignal is easing for a signal.
func easingSignal(v *baseline.SignalView) bool {
	return back(v.State, v.Test, v.Value, v.Band, v.Signal.Rule)
}

// outside reports whether a signal that is not in alarm has its present value outside the band.
func outside(v *baseline.SignalView) bool {
	return v.State == model.Normal && (v.Value > v.Band.Upper || v.Value < v.Band.Lower)
}

// insideSince returns since when every value of an incident has been back inside, as the history tells: Unix
// milliseconds, 0 when it does not.
func (s *server) insideSince(inc *alerting.Incident, now int64) int64 {
	const lookback, membersMost = 3 * 3_600_000, 8
	var since int64
	seen := 0
	for i := range inc.Members {
		m := &inc.Members[i]
		if m.Ended > 0 {
			since = max(since, m.Ended)
			continue
		}
		if seen++; seen > membersMost {
			continue
		}
		points, _, err := s.history(m.SignalID, max(m.Onset, now-lookback), now, lookback/60_000)
		if err != nil {
			return 0
		}
		out := false
		for k := range points {
			if p := &points[k]; p.Value > p.Upper || p.Value < p.Lower {
				since, out = max(since, p.T), true
			}
		}
		if !out && m.Onset < now-lookback {
			return 0 // longer than was looked at
		}
	}
	return since
}
