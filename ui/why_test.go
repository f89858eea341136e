package ui

import (
	"html"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/model"
)

// TestAValueOutsideThatIsNoAlarmIsNotCalledWithin: a spike that has not lasted is neither an alarm nor inside the band.
func TestAValueOutsideThatIsNoAlarmIsNotCalledWithin(t *testing.T) {
	f := newFake()
	v, _ := lookup(f.view, "api.latency_p99~cluster=prod-eu")
	v.Value, v.Score = 3, 0.4
	h := New(f, Options{})
	got := body(t, h, "/signals/"+v.Signal.ID, http.StatusOK)
	if strings.Contains(got, "Within its band") || !strings.Contains(got, "and no alarm: the evidence is not enough yet, score 0.40 (alarm at 1)") {
		t.Error("the page calls a value within its band that is not")
	}
	for e, want := range map[model.Excuse]string{
		model.ByHabit: "it comes back at this time, and has been told often enough", model.TooBrief: "it has not lasted for 5 windows", model.GoodSide: "this side is not the bad one",
		model.TooSmall: "it is less than the smallest effect worth a message", model.Young: "only what is gross counts", model.ByHour: "these hours usually bring it", model.ByRegime: "before its present level was adopted",
	} {
		rule := *v.Signal.Rule
		rule.Params.Persist = 5
		sig := *v.Signal
		sig.Rule = &rule
		v.Signal, v.Why.Excuse = &sig, e
		if got := html.UnescapeString(body(t, h, "/signals/"+v.Signal.ID, http.StatusOK)); !strings.Contains(got, want) {
			t.Errorf("excuse %q: the page does not say %q", e, want)
		}
		if api := body(t, h, "/api/v1/signals/"+v.Signal.ID, http.StatusOK); !strings.Contains(api, `"excuse":"`+e.String()+`"`) {
			t.Errorf("excuse %q is not in the answer: %s", e, api)
		}
	}
	if !strings.Contains(body(t, h, "/signals?q=api.latency", http.StatusOK), "outside") {
		t.Error("the list does not show that the value is outside")
	}
}

// TestWhyIsSaidInFull: what each test has, how rare it is, which hour it was compared with and what would end the alarm, for people and for programs.
func TestWhyIsSaidInFull(t *testing.T) {
	f := newFake()
	v, _ := lookup(f.view, "api.latency_p99~cluster=prod-eu")
	v.State, v.Test, v.Score, v.Seasonal, v.Value = model.High, model.PointTest, 1.5, model.Weekly, 3
	v.Why = model.Why{P: 3.2e-7, Strict: 1.5, Hour: 24 + 14, Visits: 6, Clear: model.Clear{Lower: math.Inf(-1), Upper: 0.25, AfterMs: 15 * 60_000}}
	v.Why.Scores[model.PointTest], v.Why.Scores[model.ShiftTest] = 1.5, .4
	h := New(f, Options{})
	page := html.UnescapeString(body(t, h, "/signals/"+v.Signal.ID, http.StatusOK))
	for _, want := range []string{"point 1.50 (40.5 of 27 nats), shift 0.40 (10.8 of 27 nats)", "score 1 is 27 nats", "one in 3,100,000 windows", "Tuesday 14:00–15:00, seen 6 times", "after 15 min", "at or below 250 ms"} {
		if !strings.Contains(page, want) && !strings.Contains(strings.ReplaceAll(page, "\u202f", ","), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	api := body(t, h, "/api/v1/signals/"+v.Signal.ID, http.StatusOK)
	for _, want := range []string{`{"test":"point","score":1.5,"nats":40.5,"need_nats":27}`, `"strictness":1.5`, `"p_per_ms":60000`, `"compared_with":"Tuesday 14:00","compared_with_seen":6`, `"clears":{"lower":null,"upper":0.25,"after_ms":900000}`} {
		if !strings.Contains(api, want) {
			t.Errorf("the answer does not have %s: %s", want, api)
		}
	}
	for p, want := range map[float32]string{1: "usual", .01: "one in 100 windows", 0: "not weighed", 1e-12: "less than one in a billion windows"} {
		if got := chance(p, false); got != want {
			t.Errorf("chance of %g: %q, want %q", p, got, want)
		}
	}
}
