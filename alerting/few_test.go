package alerting

import (
	"testing"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
)

// A share of few events is told with their number, at present and at its worst; one of many is not, nor is anything that is no share.
func TestFewAreNumbered(t *testing.T) {
	m := Member{Name: "svc.error_ratio", Unit: "ratio", State: model.High, Value: 58. / 60, Band: model.Band{Upper: .012}, Worst: 1, WorstBand: model.Band{Upper: .05},
		Few: [2]float64{58, 60}, WorstFew: [2]float64{20, 20.4}, Rule: &pack.Rule{Summary: "{{ $value | pct }} of requests fail (normal {{ $band }})"}}
	say := func(want string, worst bool) {
		t.Helper()
		if got := m.Sentence(worst); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	say("96.7 % (58 of 60) of requests fail (normal 0–1.2 %)", false)
	say("100 % (20 of 20) of requests fail (normal 0–5 %)", true)
	m.Rule = nil
	say("svc.error_ratio is 96.7 % (58 of 60) (normal 0–1.2 %)", false)
	m.Few = [2]float64{5800, 6000}
	say("svc.error_ratio is 96.7 % (normal 0–1.2 %)", false)
	m.Unit, m.Value, m.Few = "/s", 0, [2]float64{0, 60}
	say("svc.error_ratio is 0 /s (normal 0–0.012 /s)", false)
}
