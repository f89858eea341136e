package eval

// What one series and one set gave, and the figures that follow from it.

import (
	"math"
	"slices"
)

// SeriesReport is what one series gave.
type SeriesReport struct {
	Name     string
	Events   int       // labelled events after history
	Detected int       // … in whose tolerance an alert began
	Alerts   int       // alert episodes that began after history
	False    int       // … of those outside every event's tolerance, on a row labelled 0
	Days     float64   // scored time
	Delays   []float64 // seconds from an event's begin to its first alert, one for each detected event; never below 0
	// Tests counts the false alerts by the test that raised them.
	Tests map[string]int
	// Found counts the detected events by the test that found them.
	Found map[string]int
	// Other is what each of Thresholds would have given.
	Other []At
	// AUC and VUS are the area under the precision-recall curve and the volume under its surface with widened labels, without
	// point adjustment; NaN without events.
	AUC, VUS float64
	onsets   []int64
	from     int64 // scored time, Unix seconds
	to       int64
}

// SetReport is what a folder of series gave.
type SetReport struct {
	Name      string
	Series    []SeriesReport // by name
	Incidents int            // incidents of groups of series, after history
	Caught    int            // … inside which a member's alert began
	Chance    float64        // share of equally long windows of normal time of the same members that hold an alert's begin
	Entities  EntityReport   // of the series that meta.json gives an entity
	Budget    BudgetReport   // with Options.Budget
}

// EntityReport is what the entities of a set gave: an alert of an entity is entityFew members whose alerts begin within a quarter of an hour, an event
// is an incident of its members.
type EntityReport struct {
	Events, Detected, False int
	Days                    float64 // scored time of all entities
}

// F1 is the harmonic mean of recall and precision of entity alerts; 0 when nothing was detected.
func (e *EntityReport) F1() float64 {
	if e.Detected == 0 {
		return 0
	}
	return 2 * float64(e.Detected) / float64(e.Events+e.Detected+e.False)
}

// Totals returns the sums over the series: labelled events, those detected, false alerts, and scored days.
func (s *SetReport) Totals() (events, detected, falses int, days float64) {
	for i := range s.Series {
		r := &s.Series[i]
		events += r.Events
		detected += r.Detected
		falses += r.False
		days += r.Days
	}
	return
}

// Recall is detected events over events; NaN without events.
func (s *SetReport) Recall() float64 {
	e, d, _, _ := s.Totals()
	return float64(d) / float64(e)
}

// Precision is detected events over detected events and false alerts; NaN when there is neither.
func (s *SetReport) Precision() float64 {
	_, d, f, _ := s.Totals()
	return float64(d) / float64(d+f)
}

// F1 is the harmonic mean of recall and precision; 0 when nothing was detected.
func (s *SetReport) F1() float64 {
	e, d, f, _ := s.Totals()
	if d == 0 {
		return 0
	}
	return 2 * float64(d) / float64(e+d+f)
}

// FalsePerDay is false alerts per series and day.
func (s *SetReport) FalsePerDay() float64 {
	_, _, f, days := s.Totals()
	if days == 0 {
		return 0
	}
	return float64(f) / days
}

// Delay returns the q quantile (0–1) of the delays in seconds, NaN when nothing was detected.
func (s *SetReport) Delay(q float64) float64 {
	var all []float64
	for i := range s.Series {
		all = append(all, s.Series[i].Delays...)
	}
	if len(all) == 0 {
		return math.NaN()
	}
	slices.Sort(all)
	return all[int(q*float64(len(all)-1)+.5)]
}

// Best returns the threshold of Thresholds that would have given the highest F1, and that F1. Less the F1 at the stock threshold it is
// the calibration loss.
func (s *SetReport) Best() (threshold, f1 float64) {
	events, _, _, _ := s.Totals()
	for k, t := range Thresholds {
		d, f := 0, 0
		for i := range s.Series {
			if s.Series[i].Other != nil {
				d += s.Series[i].Other[k].Detected
				f += s.Series[i].Other[k].False
			}
		}
		if x := 2 * float64(d) / float64(max(events+d+f, 1)); x > f1 {
			threshold, f1 = t, x
		}
	}
	return threshold, f1
}

// Areas returns the mean AUC-PR and VUS-PR of the series that have events; NaN when none has.
func (s *SetReport) Areas() (auc, vus float64) {
	n := 0.
	for i := range s.Series {
		if r := &s.Series[i]; r.Events > 0 && !math.IsNaN(r.VUS) {
			auc += r.AUC
			vus += r.VUS
			n++
		}
	}
	return auc / n, vus / n
}

// BudgetReport is how a set stood with a budget of false alarms, as the signals of one installation. Zero when none was asked.
type BudgetReport struct {
	Asked      float64 // false alarms a week
	Realised   float64 // false alerts a week, by the labels
	Expected   float64 // … that the near misses of the end foretell
	Weeks      float64 // scored time
	Strict     float64 // × the stock evidence that an alarm needed in the end
	MeanStrict float64 // … on average
}
