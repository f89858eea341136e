package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/wrackline/wrackline/baseline/model/tail"
)

// Contamination moves what is expected by less than .3 sigma, and what contaminates is still found later.
func TestPoisoning(t *testing.T) {
	for _, share := range []float64{.01, .05, .1} {
		r := newRun(Defaults())
		src := rnd(19)
		r.feed(10*perDay, func(i int, s *rand.Rand) float64 {
			v := gauss(i, s)
			if s.Float64() < share {
				v += 50
			}
			return v
		}, src)
		if got := r.last.Band.Expected; math.Abs(got-100) > .6*5 {
			t.Errorf("%g %% of +50: expected %.2f, want 100 within 3", 100*share, got)
		}
		n := len(r.alarms)
		r.feed(240, func(i int, s *rand.Rand) float64 { return 50 + gauss(i, s) }, src)
		if share < .1 && len(r.alarms) == n && !r.last.State.Alarm() {
			t.Errorf("%g %% of +50: four hours of +50 were not found", 100*share)
		}
	}
}

// The edge of each tail is passed as often as it says.
func TestTailsAreCalibrated(t *testing.T) {
	for name, mk := range map[string]series{"gauss": gauss, "daily": daily, "ar": ar(), "lognormal": lognormal} {
		r := newRun(Defaults())
		src := rnd(29)
		r.feed(3*perDay, mk, src)
		up, down, n := 0, 0, 14*perDay
		for range n {
			v := mk(r.n, src)
			var q prediction
			r.m.predict(&r.p, moment(r.at+r.p.StepMs), &q)
			e := r.m.y(v) - q.yhat
			w := (e/q.sig - q.beta*q.g) / q.rv
			if w > float64(r.m.tails[0].Q) {
				up++
			}
			if -w > float64(r.m.tails[1].Q) {
				down++
			}
			r.observe(v)
		}
		for side, k := range map[string]int{"up": up, "down": down} {
			if share := float64(k) / float64(n); share < .8*tail.Fast || share > 1.2*tail.Fast {
				t.Errorf("%s: the %s quantile is passed by %.4f, want %.3f ± 20 %%", name, side, share, tail.Fast)
			}
		}
	}
}

func TestColdModel(t *testing.T) {
	for name, mk := range families() {
		r := newRun(Defaults())
		s, src := mk(), rnd(31)
		for i := range warmUp {
			j := r.observe(s(i, src))
			if j.State != Learning || j.Score >= 1 {
				t.Errorf("%s: window %d: %v, score %g", name, i, j.State, j.Score)
			}
			if i == 0 && j.Band.Upper < j.Band.Expected {
				t.Errorf("%s: no band at the first window: %+v", name, j.Band)
			}
		}
		was := r.last.Maturity
		r.feed(8*perDay, s, src)
		if r.last.Maturity != 1 || was >= .5 {
			t.Errorf("%s: maturity %g after warm-up, %g after 8 days, want < .5 and 1", name, was, r.last.Maturity)
		}
	}
}

func TestSeasonIsLearned(t *testing.T) {
	r := newRun(Defaults())
	r.feed(6*perDay, daily, rnd(37))
	if r.last.Seasonal != Daily {
		t.Errorf("after six days: %v, want daily", r.last.Seasonal)
	}
	r.feed(22*perDay, daily, rnd(38))
	if r.last.Seasonal != Weekly {
		t.Errorf("after four weeks: %v, want weekly", r.last.Seasonal)
	}
	g := newRun(Defaults())
	g.feed(14*perDay, gauss, rnd(39))
	if g.last.Seasonal != NoSeason {
		t.Errorf("noise: season %v, want none", g.last.Seasonal)
	}
}

func TestGapsAndStepChanges(t *testing.T) {
	r := newRun(Defaults())
	src := rnd(53)
	for i := range 6 * perDay {
		if i%97 < 10 || i/perDay == 3 {
			r.at += r.p.StepMs
			r.n++
			continue
		}
		r.observe(daily(r.n, src))
	}
	r.p.StepMs = 300_000
	for range 288 * 3 {
		r.n += 4
		r.observe(daily(r.n, src))
	}
	if len(r.alarms) > 0 {
		t.Errorf("alarms on gaps and a changed step: %v", r.alarms)
	}
}

func TestAnyStep(t *testing.T) {
	for _, step := range []int64{60_000, 300_000, 900_000, 3_600_000} {
		p := Defaults()
		p.StepMs, p.Persist = step, 1
		r := newRun(p)
		k := int(step / 60_000)
		src := rnd(59)
		s := func(i int, q *rand.Rand) float64 { return daily(i*k, q) }
		r.feed(28*perDay/k, s, src)
		if len(r.alarms) > 0 {
			t.Errorf("step %d s: alarms %v", step/1000, r.alarms)
		}
		r.feed(max(perDay/4/k, 4), func(i int, q *rand.Rand) float64 { return 4 * s(i, q) }, src)
		if len(r.alarms) == 0 {
			t.Errorf("step %d s: six hours at four times the usual were missed", step/1000)
		}
	}
}

// False alarms in a modest number of series of every benign family; WRACKLINE_LONG=n multiplies the number.
func TestBenignFamiliesAreQuiet(t *testing.T) {
	t.Parallel()
	count := 4 * long()
	for name, mk := range families() {
		falses := map[Test]int{}
		total := 0
		for seed := range uint64(count) {
			r := newRun(Defaults())
			r.feed(28*perDay, mk(), rnd(1000+seed))
			for _, a := range r.alarms {
				falses[a.test]++
				total++
			}
		}
		weeks := float64(4 * count)
		t.Logf("%-10s %4.0f series-weeks: %.3f false alarms a week %v", name, weeks, float64(total)/weeks, fmt.Sprint(falses))
		if float64(total)/weeks > .07 {
			t.Errorf("%s: %d false alarms in %.0f series-weeks", name, total, weeks)
		}
	}
}
