package model

import (
	"math"
	"testing"

	"github.com/wrackline/wrackline/baseline/model/trend"
)

// Clocks that change, holidays and deploys: what moves for a good reason is no slow drift.

// civil is the moment at t where clocks are put on by an hour at cut.
func civil(t, cut int64, hours int) Moment {
	if t < cut {
		return moment(t)
	}
	m := moment(t + int64(hours)*hourMs)
	m.T = t
	return m
}

// The signal follows civil time through both changes of the clock: a week with 23 or 25 hours in a day raises nothing at all.
func TestClockChangesAreNoNews(t *testing.T) {
	for name, p := range map[string]Params{"of a pack": Defaults(), "unknown": blind()} {
		alarms := 0
		for _, hours := range []int{1, -1} {
			for seed := range uint64(3) {
				var m Model
				m.Init(&p)
				src := rnd(400 + seed)
				cut := monday + 20*perDay*60_000 + 2*hourMs // a Sunday, at two in the morning
				for i := range int64(30 * perDay) {
					at := civil(monday+(i+1)*60_000, cut, hours)
					h := float64(at.HourOfWeek%24) + at.HourFrac
					v := 100 * (1.2 - math.Cos((h-3)/12*math.Pi)) * math.Exp(.05*src.NormFloat64())
					if j := m.Observe(&p, at, v); j.Transition == Opened && i > 10*perDay {
						alarms++
						if j.Test == DriftTest {
							t.Errorf("%s, clocks moved by %d h, seed %d: drift after %.1f days", name, hours, seed, float64(i)/perDay)
						}
					}
				}
			}
		}
		if alarms > 1 {
			t.Errorf("%s: %d alarms around changes of the clock", name, alarms)
		}
	}
}

// A holiday in the week, on which the signal does what it does on Sundays, is no drift, and the days after it are no news. (That the day itself is
// unlike other Wednesdays is told.)
func TestHolidayIsNoDrift(t *testing.T) {
	for name, p := range map[string]Params{"of a pack": Defaults(), "unknown": blind()} {
		for seed := range uint64(4) {
			r := newRun(p)
			src := rnd(500 + seed)
			day := func(i int) float64 {
				v := 100 * (1.2 - math.Cos((float64(i%perDay)/60-3)/12*math.Pi)) * math.Exp(.05*src.NormFloat64())
				if d := i / perDay; d%7 >= 5 || d == 23 {
					v *= .55
				}
				return v
			}
			after := 0
			for i := range 30 * perDay {
				j := r.observe(day(i))
				if j.Transition != Opened || i < 14*perDay {
					continue
				}
				if j.Test == DriftTest {
					t.Errorf("%s, seed %d: drift on day %.1f", name, seed, float64(i)/perDay)
				}
				if i > 24*perDay+30 {
					after++
				}
			}
			if after > 1 {
				t.Errorf("%s, seed %d: %d alarms in the week after the holiday", name, seed, after)
			}
		}
	}
}

// A holiday that is like a Sunday is no news at all, once the week is known; a fall to a Sunday's level in the middle of a working day is.
func TestHolidayIsASunday(t *testing.T) {
	t.Parallel()
	up, down := Defaults(), Defaults()
	up.Bad, up.EffectRel, up.Persist = Up, .5, 5
	down.Bad, down.EffectRel, down.Persist = Down, .3, 5
	both := down
	both.Bad = Both
	for name, p := range map[string]Params{"up": up, "down": down, "both": both, "unknown": blind()} {
		for seed := range uint64(3) {
			src := rnd(700 + seed)
			day := func(i int, rest, outage bool) float64 {
				h := float64(i%perDay) / 60
				v := 100 * (1.2 - math.Cos((h-3)/12*math.Pi)) * math.Exp(.05*src.NormFloat64())
				if d := i / perDay % 7; d >= 5 || rest {
					v *= 1 - .6*math.Min(math.Max((h-4)/4, 0), 1) // mornings are alike
				} else if outage && h >= 11 {
					v *= .4
				}
				return v
			}
			r := newRun(p)
			for i := range 36 * perDay { // to the end of a Monday
				r.observe(day(i, false, false))
			}
			n := len(r.alarms)
			for i := 36 * perDay; i < 37*perDay; i++ {
				r.observe(day(i, true, false))
			}
			told := len(r.alarms) - n
			for i := 37 * perDay; i < 42*perDay; i++ {
				r.observe(day(i, false, false))
			}
			if len(r.alarms) > n {
				t.Errorf("%s, seed %d: %d alarms on the holiday, %d after it: %v", name, seed, told, len(r.alarms)-n-told, r.alarms[n:])
			}
			n = len(r.alarms)
			for i := 42 * perDay; i < 43*perDay; i++ { // a Monday after the weekend
				r.observe(day(i, false, true))
			}
			if got := len(r.alarms) > n; got != (p.Bad != Up) {
				t.Errorf("%s, seed %d: a fall to a Sunday's level at eleven: alarm %v", name, seed, got)
			}
		}
	}
}

// A deploy that changes the level at once is a shift, told as such or adopted; no slow drift of a signal that its pack knows, also not weeks later. A step of
// less than the smallest effect is never adopted and may look like one.
func TestDeployStepIsNoDrift(t *testing.T) {
	for name, mk := range map[string]series{"gauss": gauss, "daily": daily} {
		const days = 14
		drifts, small := 0, 0
		for _, factor := range []float64{1.15, 1.5, .6} {
			for seed := range uint64(3) {
				r := newRun(Defaults())
				src := rnd(600 + seed)
				r.feed(16*perDay+600, mk, src)
				for range days * perDay {
					if j := r.observe(factor * mk(r.n, src)); j.Transition == Opened && j.Test == DriftTest {
						if drifts++; factor == 1.15 {
							small++
						}
						t.Logf("%s ×%g, seed %d: told as a drift after %d h", name, factor, seed, (r.n-16*perDay-600)/60)
					}
				}
			}
		}
		if drifts > small || drifts > 0 && name == "gauss" || drifts > 3 {
			t.Errorf("%s: %d of 9 steps told as drifts", name, drifts)
		}
	}
}

// The invariances of packs' rules hold for unknown signals too: scale, whole weeks, save and load anywhere.
func TestUnknownSignalsAreInvariant(t *testing.T) {
	fault := func(i int, v float64) float64 {
		if i > 9*perDay+600 && i < 9*perDay+700 {
			return 3 * v
		}
		return v
	}
	for _, c := range []float64{1024, 1. / 4096, 1e-9} {
		a, b := newRun(blind()), newRun(blind())
		b.at += 3 * 7 * perDay * 60_000
		ra, rb, cut := rnd(5), rnd(5), rnd(6)
		for i := range 10 * perDay {
			ja, jb := a.observe(fault(i, daily(i, ra))), b.observe(c*fault(i, daily(i, rb)))
			if ja.State != jb.State || ja.Transition != jb.Transition || math.Abs(ja.Score-jb.Score) > .05*(1+ja.Score) {
				t.Fatalf("×%g, three weeks later, window %d: %v %.3f, scaled %v %.3f", c, i, ja.State, ja.Score, jb.State, jb.Score)
			}
			if cut.IntN(500) == 0 {
				var m Model
				if err := m.UnmarshalBinary(b.m.AppendBinary(nil)); err != nil || m != b.m {
					t.Fatalf("window %d: the reloaded model differs: %v", i, err)
				}
			}
		}
		if len(a.alarms) == 0 {
			t.Error("the fault was not found at all")
		}
	}
}

// The steeper a leak of an unknown signal, the earlier it is told, in the median.
func TestSteeperLeaksAreToldEarlier(t *testing.T) {
	last := math.Inf(1)
	for _, gain := range []float64{.3, .6, 1.2, 2.4} {
		var after []float64
		for seed := range uint64(7) {
			r := newRun(blind())
			src := rnd(800 + seed)
			r.feed(12*perDay, daily, src)
			n, start := len(r.alarms), r.n
			when := float64(4 * perDay)
			for i := range 4 * perDay {
				r.observe(daily(r.n, src) * (1 + gain*float64(i)/(2*perDay)))
				if len(r.alarms) > n {
					when = float64(r.n - start)
					break
				}
			}
			after = append(after, when)
		}
		m := trend.Median(after)
		t.Logf("+%.0f %% in two days: told after %.1f h", 100*gain, m/60)
		if m > last {
			t.Errorf("+%.0f %% is told after %.1f h, a slower leak after %.1f h", 100*gain, m/60, last/60)
		}
		last = m
	}
	if last > 24*60 {
		t.Errorf("+240 %% in two days is told after %.1f h", last/60)
	}
}

// Holidays as people live them: days that begin at midnight, and days that begin when people wake up, so that the night belongs to the day before; a Thursday with
// Sunday's traffic, and a Monday. All are no news, also to those who know nothing of the signal; what goes on such a day below what a Sunday brings is, and a morning on which nobody comes.
func TestHolidayAsPeopleLive(t *testing.T) {
	t.Parallel()
	rule, track := Defaults(), blind()
	rule.Bad, rule.Min, rule.EffectAbs, rule.EffectRel, rule.Persist = Down, 0, .2, .3, 3
	track.Bad, track.Min = Down, 0
	type life struct {
		from, to float64 // hours in which people wake up
		ahead    int     // windows by which what is sent is ahead of the calendar
	}
	for name, l := range map[string]life{"midnight": {0, 0, 0}, "midnight, within the window that ends then": {0, 0, 1}, "early risers": {5, 9, 0}, "late risers": {7, 10, 0}} {
		for who, p := range map[string]Params{"rule": rule, "track": track} {
			for _, holiday := range []int{24, 28} { // a Thursday, a Monday
				for seed := range uint64(2) {
					of := func(day int) float64 {
						switch {
						case day == holiday, (day+7)%7 == 6:
							return .45
						case day%7 == 5:
							return .55
						}
						return 1
					}
					src := rnd(800 + seed)
					r := newRun(p)
					value := func(loss float64) float64 {
						at := r.n + l.ahead
						day, h := at/perDay, float64(at%perDay)/60
						awake := 1.
						if l.to > l.from {
							awake = min(1, max(0, (h-l.from)/(l.to-l.from)))
						}
						mean := 600 * (.675 - .325*math.Cos((h-2)/12*math.Pi)) * (of(day)*awake + of(day-1)*(1-awake)) * loss
						return max(0, math.Round(mean+math.Sqrt(mean)*src.NormFloat64())) / 60
					}
					for r.n < holiday*perDay-l.ahead {
						r.observe(value(1))
					}
					n := len(r.alarms)
					for r.n < holiday*perDay+15*60 {
						r.observe(value(1))
					}
					if len(r.alarms) > n {
						t.Errorf("%s, %s, day %d, seed %d: told of a holiday: %v", name, who, holiday, seed, r.alarms[n:])
						continue
					}
					for r.n < holiday*perDay+15*60+30 {
						r.observe(value(.4))
					}
					if len(r.alarms) == n {
						t.Errorf("%s, %s, day %d, seed %d: 60 %% of a holiday's traffic lost is not told in half an hour", name, who, holiday, seed)
					}
					// The twin: a working day on which nobody wakes up.
					r = newRun(p)
					src = rnd(800 + seed)
					for r.n < 29*perDay {
						r.observe(value(1))
					}
					n = len(r.alarms)
					for r.n < 29*perDay+14*60 {
						loss := 1.
						if h := float64(r.n%perDay) / 60; h > max(l.from, 4) {
							loss = .25
						}
						r.observe(value(loss))
					}
					if len(r.alarms) == n {
						t.Errorf("%s, %s, seed %d: a quarter of a working day's traffic is not told until the afternoon", name, who, seed)
					}
				}
			}
		}
	}
}
