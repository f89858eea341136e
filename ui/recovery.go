// Recovery: an alarm ends only when the value has stayed inside its band for a while. Until then it is open, but nothing
// is wrong any more, and the pages must not look as if it were.

package ui

import (
	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
)

// easingSignal reports whether a signal is still in alarm although its value is back inside the band.
func easingSignal(v *baseline.SignalView) bool {
	return v.State.Alarm() && alerting.Back(v.State, v.Test, v.Value, v.Band, v.Signal.Rule)
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
