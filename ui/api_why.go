// Why, as JSON: what a judgement rests on.

package ui

import (
	"fmt"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
)

// apiWhy is what a judgement rests on.
type apiWhy struct {
	Tests  []apiTest `json:"tests"`                   // those that have anything to say
	P      num       `json:"p"`                       // probability of a window as far out, by what the signal has shown; 1 = usual
	PerMs  int64     `json:"p_per_ms"`                // … of one window, or of the furthest one within so long
	Strict num       `json:"strictness"`              // × the stock evidence that the tests need; 0 = nothing was weighed
	Excuse string    `json:"excuse,omitempty"`        // why a value beyond the band is no evidence
	Hour   string    `json:"compared_with,omitempty"` // the hour of the day or the week that the band comes from
	Seen   int       `json:"compared_with_seen,omitempty"`
	Clear  *apiClear `json:"clears,omitempty"` // what would end the alarm
}

type apiTest struct {
	Test  string `json:"test"`
	Score num    `json:"score"`          // 1 = alarm
	Nats  num    `json:"nats,omitempty"` // 0 when it does not count in nats
	Need  num    `json:"need_nats,omitempty"`
}

type apiClear struct {
	Lower   num   `json:"lower"` // null: the value alone does not say, or there is no bound
	Upper   num   `json:"upper"`
	AfterMs int64 `json:"after_ms"`
}

func apiWhyOf(v *baseline.SignalView) apiWhy {
	p := judgedBy(v)
	y := apiWhy{Strict: num(p.Strict), Tests: []apiTest{}, P: num(v.Why.P), PerMs: p.StepMs, Excuse: v.Why.Excuse.String()}
	if p.Extremes {
		y.PerMs = model.ExtremeMs
	}
	for t, s := range v.Why.Scores {
		if s > 0 {
			need := p.Nats(model.Test(t))
			y.Tests = append(y.Tests, apiTest{Test: model.Test(t).String(), Score: num(s), Nats: num(float64(s) * need), Need: num(need)})
		}
	}
	switch h := int(v.Why.Hour); v.Seasonal {
	case model.Weekly:
		y.Hour, y.Seen = fmt.Sprintf("%s %02d:00", weekdays[h/24%7], h%24), int(v.Why.Visits)
	case model.Daily:
		y.Hour, y.Seen = fmt.Sprintf("%02d:00", h%24), int(v.Why.Visits)
	}
	if v.State.Alarm() && v.State != model.Absent {
		y.Clear = &apiClear{num(v.Why.Clear.Lower), num(v.Why.Clear.Upper), v.Why.Clear.AfterMs}
	}
	return y
}
