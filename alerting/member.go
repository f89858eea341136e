// What an alarm says of itself: a member of an incident, made of verdicts and kept up to date by them.

package alerting

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// newMember makes a member of a verdict, with everything foreign cut to a bounded size.
func newMember(v *baseline.Verdict) *Member {
	r := v.Signal.Rule
	m := &Member{
		SignalID: strings.Clone(v.Signal.ID), Name: Cut(r.Name, textMax), Rule: r, Unit: Cut(r.Unit, textMax), Severity: r.Severity,
		Onset: onsetOf(v), Opened: v.T, Fired: 1, Maturity: v.Maturity, Worst: math.NaN(), Value: math.NaN(),
	}
	if v.State == model.Absent && m.Severity == pack.Page {
		m.Severity = pack.Warn // nothing is known to be wrong but the watching
	}
	for i, l := range v.Signal.Entity {
		if i == labelsMax {
			break
		}
		m.Entity = append(m.Entity, series.Label{Name: Cut(l.Name, textMax), Value: Cut(l.Value, textMax)})
	}
	slices.SortFunc(m.Entity, func(a, b series.Label) int { return cmp.Compare(a.Name, b.Name) })
	m.see(v)
	return m
}

func onsetOf(v *baseline.Verdict) int64 {
	if v.Onset == 0 || v.Onset > v.T {
		return v.T
	}
	return v.Onset
}

// see takes over what the verdict says of the present.
func (m *Member) see(v *baseline.Verdict) {
	m.LastSeen = v.T
	m.State = v.State
	m.Score = v.Score
	if v.State == model.Absent {
		m.Value = math.NaN()
	} else {
		m.Value, m.Band, m.Few = v.Value, v.Band, [2]float64{v.Count, v.Of}
	}
	if !v.State.Alarm() {
		return
	}
	if v.Test != model.NoTest {
		m.Test = v.Test
	}
	m.SlopePerDay, m.LimitEta = v.SlopePerDay, v.LimitEta
	if v.Score > m.Peak {
		m.Peak = v.Score
	}
	if !math.IsNaN(v.Value) && (math.IsNaN(m.Worst) || m.worse(v)) {
		m.Worst, m.WorstT, m.WorstBand, m.WorstFew = v.Value, v.T, v.Band, m.Few
		m.Top = m.Top[:0:0]
		for i, t := range v.Top {
			if i == 3 {
				break
			}
			m.Top = append(m.Top, signal.Member{Name: Cut(t.Name, textMax), Value: t.Value})
		}
	}
}

func (m *Member) end(inc *incident, t int64, how string) {
	m.Ended, m.Ending = t, how
	inc.dirty = true
	inc.note(t, how, m.SignalID)
}

// worse reports whether a verdict's value is farther out than the worst so far, on the side on which the alarm rose: the way back is not the way out, also
// where the band has followed meanwhile and the usual level looks high beside it.
func (m *Member) worse(v *baseline.Verdict) bool {
	side := sideOf(m.State, m.SlopePerDay, m.Worst, m.WorstBand)
	if now := sideOf(v.State, v.SlopePerDay, v.Value, v.Band); now != side {
		return false
	}
	switch {
	case side < 0:
		return v.Value < m.Worst
	case v.State == model.Drifting:
		return v.Value > m.Worst
	}
	return v.Value-v.Band.Upper > m.Worst-m.WorstBand.Upper
}

// sideOf says on which side a value in alarm lies: below, -1, or above, 1. One that is inside its band lies where its state says.
func sideOf(state model.State, slope, value float64, band model.Band) int {
	switch {
	case value < band.Lower, state == model.Low, state == model.Drifting && slope < 0:
		return -1
	}
	return 1
}
