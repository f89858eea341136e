package model

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/model/habit"
)

// rhythms are days and weeks with edges: what people and schedulers do begins and ends at the full hour.
func rhythms() map[string]series {
	noise := func(v float64, r *rand.Rand) float64 { return v * math.Exp(.05*r.NormFloat64()) }
	at := func(i int) (day int, hour float64) { return i / perDay, float64(i%perDay) / 60 }
	return map[string]series{
		"office hours": func(i int, r *rand.Rand) float64 {
			if _, h := at(i); h >= 9 && h < 18 {
				return noise(80, r)
			}
			return noise(20, r)
		},
		"office hours, not at weekends": func(i int, r *rand.Rand) float64 {
			if d, h := at(i); d%7 < 5 && h >= 9 && h < 18 {
				return noise(80, r)
			}
			return noise(20, r)
		},
		"nightly hour": func(i int, r *rand.Rand) float64 {
			if _, h := at(i); h >= 2 && h < 3 {
				return noise(50, r)
			}
			return noise(10, r)
		},
		"nightly quarter": func(i int, r *rand.Rand) float64 {
			if _, h := at(i); h >= 2.5 && h < 2.75 {
				return noise(50, r)
			}
			return noise(10, r)
		},
		"idle at night": func(i int, r *rand.Rand) float64 {
			if _, h := at(i); h >= 6 && h < 22 {
				return noise(5, r)
			}
			return 0
		},
		"every six hours": func(i int, r *rand.Rand) float64 {
			if _, h := at(i); math.Mod(h, 6) >= 5 && math.Mod(h, 6) < 5.5 {
				return noise(50, r)
			}
			return noise(10, r)
		},
		"every two hours": func(i int, r *rand.Rand) float64 {
			if _, h := at(i); math.Mod(h, 2) >= 1 && math.Mod(h, 2) < 1.3 {
				return noise(50, r)
			}
			return noise(10, r)
		},
		"nightly, of any size": func(i int, r *rand.Rand) float64 {
			if d, h := at(i); h >= 2 && h < 2.5+math.Mod(float64(d)*.37, 1) {
				return noise(30+60*math.Mod(float64(d)*.61, 1), r)
			}
			return noise(10, r)
		},
		"lunch break": func(i int, r *rand.Rand) float64 {
			if _, h := at(i); h >= 8 && h < 12 || h >= 13 && h < 18 {
				return noise(80, r)
			}
			return noise(20, r)
		},
		"weekly run": func(i int, r *rand.Rand) float64 {
			if d, h := at(i); d%7 == 6 && h >= 3 && h < 7 {
				return noise(50, r)
			}
			return noise(10, r)
		},
		"new nightly hour": func(i int, r *rand.Rand) float64 {
			if d, h := at(i); d >= 16 && h >= 2 && h < 3 {
				return noise(50, r)
			}
			return noise(10, r)
		},
		"new office hours": func(i int, r *rand.Rand) float64 {
			if d, h := at(i); d >= 16 && h >= 9 && h < 18 {
				return noise(80, r)
			}
			return noise(20, r)
		},
	}
}

// A rhythm is told a few times, then it is known: what comes back every day is no news, and without being told it is learned all the same.
func TestRhythmsAreLearned(t *testing.T) {
	t.Parallel()
	up, both, unknown := Defaults(), Defaults(), blind()
	up.Bad, up.EffectRel, up.Persist = Up, .5, 5
	both.EffectRel, both.Persist = .3, 5
	down := both
	down.Bad = Down
	coarse := unknown
	coarse.StepMs = 300_000
	for name, s := range rhythms() {
		for kind, p := range map[string]Params{"up": up, "down": down, "both": both, "unknown": unknown, "unknown, 5 min": coarse} {
			r := newRun(p)
			src := rnd(5)
			const days = 42
			k := int(p.StepMs / 60_000)
			told := make([]int, days)
			for i := 0; i < days*perDay; i += k {
				n := len(r.alarms)
				r.observe(s(i, src))
				told[i/perDay] += len(r.alarms) - n
			}
			// A new rhythm is news on its first two days and, of a signal that is not young, on two more; a weekly one on four.
			most, known := 2, 2
			if strings.HasPrefix(name, "new ") {
				most, known = 3, 16+3
			}
			switch name {
			case "weekly run":
				most, known = 4, 28
			case "office hours, not at weekends":
				most, known = 2, 14 // a second weekend is compared with the week before
			case "every six hours", "lunch break":
				most = 8 // of the first days there are several
			}
			total := 0
			for d, n := range told {
				total += n
				if d >= known && n > 0 {
					t.Errorf("%s, %s: %d alarms on day %d: %v", name, kind, n, d, told)
				}
			}
			if total > most {
				t.Errorf("%s, %s: %d alarms, at most %d: %v", name, kind, total, most, told)
			}
			if strings.HasPrefix(name, "new ") && kind != "down" && total == 0 {
				t.Errorf("%s, %s: nobody was told of it", name, kind)
			}
		}
	}
}

// What comes back is known for what it is: more of it, or for longer, or at another hour, is news.
func TestHabitsAreNoBlindSpot(t *testing.T) {
	t.Parallel()
	p := Defaults()
	p.Bad, p.EffectRel, p.Persist = Up, .5, 5
	backup := func(size float64, from, to float64) series {
		return func(i int, r *rand.Rand) float64 {
			v := 10 * math.Exp(.05*r.NormFloat64())
			if h := float64(i%perDay) / 60; h >= from && h < to {
				v *= size
			}
			return v
		}
	}
	for name, night := range map[string]series{"three times as much": backup(15, 2, 3), "until seven": backup(5, 2, 7), "at noon": backup(5, 12, 13)} {
		r := newRun(p)
		src := rnd(8)
		r.feed(30*perDay, backup(5, 2, 3), src)
		if n := len(r.alarms); n != 1 {
			t.Fatalf("%s: %d alarms in a month of nightly backups", name, n)
		}
		r.feed(perDay, night, src)
		if len(r.alarms) == 1 {
			t.Errorf("%s: no alarm", name)
		}
		r.feed(perDay, backup(5, 2, 3), src)
		n := len(r.alarms)
		r.feed(4*perDay, backup(1, 2, 3), src) // it is gone for a while: then it is news again
		r.feed(perDay, backup(8, 2, 3), src)
		if name != "three times as much" && len(r.alarms) == n {
			t.Errorf("%s: what had not come for four nights came half as large again, and was no news", name)
		}
	}
}

// A habit of a Friday is the Monday's too, and one of a week ago this week's; years have no say.
func TestHabitDays(t *testing.T) {
	for _, c := range []struct {
		n     uint8
		gap   int32
		young bool
		want  bool
	}{
		{0x13, 1, false, true}, {0x13, 3, false, true}, {0x13, 4, false, false}, {0x12, 1, false, false}, {0x11, 1, true, true},
		{0x13, 0, false, false}, {0x14, 0, false, true}, {0x41, 7, false, true}, {0x31, 7, false, false}, {0x41, 6, false, false},
		{0x41, 14, false, false}, {0x1f, habit.Days + 1, false, true},
	} {
		h := habit.Habit{N: c.n, Day: habit.DayOf(20_000)}
		if got := h.Known(habit.DayOf(20_000+c.gap), c.young); got != c.want {
			t.Errorf("came %d by day, %d by week, %d days ago, young %v: known %v, want %v", c.n&15, c.n>>4, c.gap, c.young, got, c.want)
		}
	}
	if habit.DayOf(-1) != habit.Days-1 {
		t.Error("a day before 1970")
	}
}
