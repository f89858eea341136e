package model

import (
	"math/rand/v2"
	"testing"
)

func TestDriftIsFoundBeforeHalfWay(t *testing.T) {
	t.Parallel()
	for name, mk := range map[string]series{"gauss": gauss, "daily": daily} {
		for _, c := range []struct {
			gain float64 // of the whole way
			days int
		}{{1, 1}, {.6, 4}, {1, 7}} {
			found, rounds := 0, 5
			for seed := range uint64(rounds) {
				p := Defaults()
				p.Mode = Trend
				r := newRun(p)
				src := rnd(100 + seed)
				r.feed(21*perDay, mk, src)
				n := len(r.alarms)
				way := c.days * perDay
				start := r.n
				r.feed(way/2, func(i int, s *rand.Rand) float64 { return mk(i, s) * (1 + c.gain*float64(i-start)/float64(way)) }, src)
				if len(r.alarms) > n {
					found++
				}
			}
			if found < rounds-1 {
				t.Errorf("%s +%.0f %% in %d d: found before half way in %d of %d", name, 100*c.gain, c.days, found, rounds)
			}
		}
	}
}

func TestLimitEta(t *testing.T) {
	p := Defaults()
	p.Mode, p.Bad, p.Season, p.Min, p.Max = Trend, Up, NoSeason, 0, 1
	p.EffectAbs, p.EffectRel, p.Limit, p.EtaMs = .02, 0, 1, 48*3_600_000
	r := newRun(p)
	src := rnd(23)
	noise := func(level float64, s *rand.Rand) float64 { return level + .005*s.NormFloat64() }
	r.feed(3*perDay, func(i int, s *rand.Rand) float64 { return noise(.4, s) }, src)
	start := r.n
	var at Judgement
	for range 3 * perDay {
		j := r.observe(noise(.4+.2*float64(r.n-start)/perDay, src))
		if j.State == Drifting && j.LimitEta > 0 {
			at = j
		}
	}
	if at.LimitEta == 0 {
		t.Fatalf("no drift with a time to the limit: %v", r.alarms)
	}
	if at.SlopePerDay < .15 || at.SlopePerDay > .25 {
		t.Errorf("slope %.3f a day, want .2", at.SlopePerDay)
	}
	// The same drift to a limit that is far away is no news.
	p.EtaMs = 3_600_000
	r = newRun(p)
	src = rnd(23)
	r.feed(3*perDay, func(i int, s *rand.Rand) float64 { return noise(.4, s) }, src)
	start = r.n
	r.feed(12*60, func(i int, s *rand.Rand) float64 { return noise(.4+.02*float64(i-start)/perDay, s) }, src)
	for _, a := range r.alarms {
		if a.test == DriftTest {
			t.Errorf("drift alarm although the limit is days away: %v", a)
		}
	}
}
