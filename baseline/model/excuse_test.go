package model

import (
	"testing"

	"github.com/wrackline/wrackline/baseline/model/habit"
)

// When each excuse holds. A row names what its two scenes differ in.

// Noon brings 200 where the hours before bring 100: the line between the centres of hours is 150 at the full hour.
func TestUsualHourExcuses(t *testing.T) {
	hear(t, func(s *scene) {
		s.hours(false, func(how int) float64 {
			if how%24 >= 12 && how%24 < 20 {
				return 200
			}
			return 100
		})
		s.v = 200
	}, func(s *scene) bool {
		q, l := s.window()
		return s.m.usual(&s.p, &q, &l)
	}, []twin{
		{"the value", nil, func(s *scene) { s.v = 300 }},
		{"the other side of the step", func(s *scene) { s.v = 100 }, func(s *scene) { s.v = 60 }},
		{"the time of the day", nil, func(s *scene) { s.at = moment(s.at.T + 3*hourMs); s.v = 100 }},
		{"a shape in use", nil, func(s *scene) { s.m.mode = 0 }},
		{"the day's shape where the week's is in use", nil, func(s *scene) {
			s.m.mode = 2
			for h := range s.m.byWeek {
				s.m.setCell(h, float32(s.m.y(100))-float32(s.m.byHour[h%24])*unit)
			}
		}},
		{"what needs no excuse", nil, func(s *scene) { s.v = 150 }},
		{"the same hours of last week", func(s *scene) {
			s.v = 40
			for h := range s.m.byWeek {
				s.m.setCell(h, float32(s.m.y(40))-float32(s.m.byHour[h%24])*unit)
			}
		}, func(s *scene) { s.v = 40 }},
	})
}

func TestKnownLevelExcuses(t *testing.T) {
	hear(t, func(s *scene) {
		q, _ := s.window()
		s.m.alt = [2]int16{pack(float32(s.m.y(220) - q.yhat)), 0}
		s.m.altEnd, s.v = seconds(s.at.T+hourMs), 220
	}, func(s *scene) bool {
		q, l := s.window()
		return s.m.returned(&q, &l)
	}, []twin{
		{"the value", nil, func(s *scene) { s.v = 500 }},
		{"a level that is remembered", nil, func(s *scene) { s.m.altEnd = 0 }},
		{"the side", func(s *scene) { s.v = 225 }, func(s *scene) { s.v = 45 }},
		{"halfway to one level", nil, func(s *scene) { s.v = 150 }},
		{"between two levels", func(s *scene) { s.m.alt[1], s.v = -s.m.alt[0], 70 }, func(s *scene) { s.v = 70 }},
	})
}

func TestHabitExcuses(t *testing.T) {
	hear(t, func(s *scene) {
		now, day := quarterOf(s.at)
		s.v = 300
		q, _ := s.window()
		s.m.habits[0] = habit.Habit{Level: pack(float32(s.m.y(300) - q.yhat)), At: uint8(now), Long: 4, Day: habit.DayOf(day - 1), N: 0x13}
	}, func(s *scene) bool {
		q, l := s.window()
		return s.m.habitual(&s.p, &q, &l)
	}, []twin{
		{"times that it came", nil, func(s *scene) { s.m.habits[0].N = 0x12 }},
		{"times in a signal's first days", func(s *scene) { s.m.habits[0].N, s.m.lived = 0x11, 7*86400 }, func(s *scene) { s.m.habits[0].N, s.m.lived = 0x11, 9*86400 }},
		{"weeks", func(s *scene) { s.m.habits[0].N, s.m.habits[0].Day = 0x41, habit.DayOf(s.at.Day-7) },
			func(s *scene) { s.m.habits[0].N, s.m.habits[0].Day = 0x31, habit.DayOf(s.at.Day-7) }},
		{"days since", func(s *scene) { s.m.habits[0].Day = habit.DayOf(s.at.Day - 3) }, func(s *scene) { s.m.habits[0].Day = habit.DayOf(s.at.Day - 4) }},
		{"the time of the day", func(s *scene) { s.m.habits[0].At += habitNear }, func(s *scene) { s.m.habits[0].At += habitNear + 1 }},
		{"how long it lasts", func(s *scene) { s.m.habits[0].At -= 7 }, func(s *scene) { s.m.habits[0].At -= 8 }},
		{"the level", func(s *scene) { s.v = 400 }, func(s *scene) { s.v = 900 }},
		{"the side", nil, func(s *scene) { s.v = 30 }},
		{"what needs no excuse", nil, func(s *scene) { s.v = 101 }},
	})
}

// Sundays bring 40, other days 100: a Monday that has been like a Sunday since midnight.
func TestHolidayExcuses(t *testing.T) {
	hear(t, func(s *scene) {
		s.hours(true, func(how int) float64 {
			if how/24 == 6 {
				return 40
			}
			return 100
		})
		s.v, s.m.d, s.m.g = 40, s.at.Day&0x3fffffff, -10
		s.m.age = s.m.age&ageDays | restFull<<restShift
	}, func(s *scene) bool {
		q, l := s.window()
		return s.m.resting(&s.p, &q, &l)
	}, []twin{
		{"the value", nil, func(s *scene) { s.v, s.m.age = 70, s.m.age&ageDays|1<<restShift }},
		{"the day so far", nil, func(s *scene) { s.m.age &= ageDays }},
		{"a fall within the day", nil, func(s *scene) { s.m.g = 0 }},
		{"Sundays that were seen", nil, func(s *scene) { s.m.weekday[6] = restSundays - 1 }},
		{"the week's shape in use", nil, func(s *scene) { s.m.mode = 1 }},
		{"a Sunday itself", nil, func(s *scene) {
			s.at = moment(s.at.T + 6*24*hourMs)
			s.m.d = s.at.Day & 0x3fffffff
		}},
		{"Sundays that are another day", nil, func(s *scene) { s.hours(true, func(int) float64 { return 100 }); s.v = 40 }},
	})
}

func TestYoungExcuses(t *testing.T) {
	hear(t, func(s *scene) {
		s.v, s.m.lived = 130, 23*3600 // 30 % off, where 20 % are worth a message
	}, func(s *scene) bool {
		_, l := s.window()
		return !l.big[above]
	}, []twin{
		{"the first day", nil, func(s *scene) { s.m.lived = 25 * 3600 }},
		{"what is gross", nil, func(s *scene) { s.v = 150 }},
		{"the smallest effect", nil, func(s *scene) { s.p.EffectRel = .1 }},
		{"an hour of the week that was never seen", func(s *scene) {
			s.hours(false, func(int) float64 { return 100 })
			s.v, s.m.lived = 145, 5*86400
		}, func(s *scene) {
			s.hours(false, func(int) float64 { return 100 })
			s.v, s.m.lived = 145, 9*86400
		}},
	})
	// The law of the tail is as young.
	s := newScene()
	for _, c := range []struct {
		hours  float64
		season Season
		want   float64
	}{{0, NoSeason, 3}, {24, NoSeason, 2}, {48, NoSeason, 1}, {48, Auto, 1.5}, {168, Auto, 1}} {
		s.p.Season = c.season
		if got := s.m.inflation(&s.p, c.hours); !nearly(got, c.want) {
			t.Errorf("after %g h: evidence is weakened by %g, want %g", c.hours, got, c.want)
		}
	}
}

func TestLentExcuses(t *testing.T) {
	hear(t, func(s *scene) {
		s.v, s.m.lived, s.m.lent = 130, 30*3600, 8
	}, func(s *scene) bool {
		_, l := s.window()
		return !l.big[above]
	}, []twin{
		{"siblings", nil, func(s *scene) { s.m.lent = 0 }},
		{"the first two days", nil, func(s *scene) { s.m.lived = 49 * 3600 }},
		{"what is gross", nil, func(s *scene) { s.v = 150 }},
		{"an hour of the week that was never seen", func(s *scene) {
			s.hours(false, func(int) float64 { return 100 })
			s.v = 170
		}, func(s *scene) {
			s.hours(false, func(int) float64 { return 100 })
			s.v, s.m.lent = 170, 0
		}},
	})
	s := newScene()
	s.p.Season, s.m.lent = NoSeason, 8
	if a, b := s.m.inflation(&s.p, 0), s.m.inflation(&s.p, 24); !nearly(a, 1.5) || !nearly(b, 1.25) {
		t.Errorf("lent laws weaken evidence by %g, after a day by %g, want 1.5 and 1.25", a, b)
	}
}

func TestGoodSideExcuses(t *testing.T) {
	hear(t, func(s *scene) {
		s.v, s.p.Bad = 300, Down
	}, func(s *scene) bool {
		_, l := s.window()
		return s.m.excuse(&s.p, &l) == GoodSide
	}, []twin{
		{"the direction", nil, func(s *scene) { s.p.Bad = Up }},
		{"the value", nil, func(s *scene) { s.v = 30 }},
		{"a signal without a good side", func(s *scene) { s.p.Bad, s.v = Up, 30 }, func(s *scene) { s.p.Bad = Both }},
	})
}

func TestSmallExcuses(t *testing.T) {
	hear(t, func(s *scene) {
		s.v = 115
	}, func(s *scene) bool {
		_, l := s.window()
		return s.m.excuse(&s.p, &l) == TooSmall
	}, []twin{
		{"the value", nil, func(s *scene) { s.v = 125 }},
		{"a share", nil, func(s *scene) { s.p.EffectRel = .1 }},
		{"in the unit", func(s *scene) { s.p.EffectAbs, s.p.EffectRel = 20, 0 }, func(s *scene) { s.p.EffectAbs, s.p.EffectRel = 10, 0 }},
		{"the other side", func(s *scene) { s.v = 85 }, func(s *scene) { s.v = 70 }},
	})
}

func TestBriefExcuses(t *testing.T) {
	hear(t, func(s *scene) {
		s.v, s.p.Persist, s.m.streak[above] = 200, 4, 3
	}, func(s *scene) bool {
		_, l := s.window()
		l.far[above] = s.v > 100
		return s.m.excuse(&s.p, &l) == TooBrief && s.m.unlessBrief(&s.p, &l, above, 5) < 1
	}, []twin{
		{"windows beyond the band", nil, func(s *scene) { s.m.streak[above] = 4 }},
		{"Persist", nil, func(s *scene) { s.p.Persist = 3 }},
		{"the side", func(s *scene) { s.m.streak[below] = 9 }, func(s *scene) { s.m.streak = [2]uint16{9, 0} }},
	})
	if got := newScene().m.unlessBrief(&Params{}, &lesson{}, above, 5); got != 0 {
		t.Errorf("without a window beyond the band the score is %g, want 0", got)
	}
}
