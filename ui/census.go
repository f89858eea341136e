// The census: how many signals stand where, and how far their baselines are.

package ui

import (
	"cmp"
	"slices"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
)

// census counts the signals of a view by how they stand.
type census struct {
	all      int
	states   [6]int                 // by state, without those that recover
	easings  int                    // in alarm, and back inside the band
	silent   int                    // absent and in no open incident: usual for jobs that end
	loose    []*baseline.SignalView // in alarm and in no open incident, what matters most first
	learning bool                   // most signals have not left learning yet
	fresh    int                    // of those that are silent, how many fell silent within the last hour
}

func censusOf(v *baseline.View, snap *alerting.Snapshot, now int64) *census {
	n := &census{all: len(v.Signals)}
	inIncident := map[string]bool{}
	for _, inc := range snap.Open {
		for i := range inc.Members {
			inIncident[inc.Members[i].SignalID] = true
		}
	}
	for i := range v.Signals {
		sv := v.Signals[i]
		if easingSignal(sv) {
			n.easings++
		} else {
			n.states[sv.State%6]++
		}
		switch {
		case !sv.State.Alarm() || inIncident[sv.Signal.ID]:
		case sv.State == model.Absent:
			n.silent++
			n.fresh += int(b2i(now-sv.Since < youngMinutes*minuteMs))
		default:
			n.loose = append(n.loose, sv)
		}
	}
	n.learning = 2*n.states[model.Learning] > n.all || n.all == 0
	slices.SortStableFunc(n.loose, func(x, y *baseline.SignalView) int {
		return cmp.Or(-cmp.Compare(alerting.SeverityRank(x.Signal.Rule.Severity), alerting.SeverityRank(y.Signal.Rule.Severity)),
			cmp.Compare(b2i(easingSignal(x)), b2i(easingSignal(y))), cmp.Compare(urgency(x.State), urgency(y.State)), -cmp.Compare(x.Score, y.Score))
	})
	return n
}

// outside is how many signals are in alarm and not back inside. Silence outside of incidents is none.
func (n *census) outside() int {
	return n.states[model.High] + n.states[model.Low] + n.states[model.Drifting] + n.states[model.Absent] - n.silent
}

const learningBuckets = 4 // quarters of maturity

// learning says how far the baselines are.
type learning struct {
	Mean    float64
	Mature  int // signals with 95 % or more
	All     int
	Buckets [learningBuckets]int // by quarter of maturity
}

func learningOf(v *baseline.View) learning {
	var l learning
	for i := range v.Signals {
		m := v.Signals[i].Maturity
		l.All++
		l.Mean += m
		if m >= 0.95 {
			l.Mature++
		}
		l.Buckets[min(max(int(m*learningBuckets), 0), learningBuckets-1)]++
	}
	if l.All > 0 {
		l.Mean /= float64(l.All)
	}
	return l
}
