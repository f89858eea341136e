package model

import (
	"math"
	"testing"

	"github.com/wrackline/wrackline/baseline/model/extreme"
	"github.com/wrackline/wrackline/baseline/model/field"
)

// When each test speaks. A row names what its two scenes differ in.

func TestPointSpeaks(t *testing.T) {
	hear(t, func(s *scene) {
		s.v, s.m.streak[above], s.m.tails[above].Nats = 200, 2, 17
	}, func(s *scene) bool {
		q, l := s.window()
		s.m.gatherPoint(&s.p, &q, &l)
		var w voice
		for side := range 2 {
			if l.bad[side] {
				s.m.point(&s.p, &l, side, &w)
			}
		}
		return w.score >= 1 && w.test == PointTest && w.state == High
	}, []twin{
		{"the value", nil, func(s *scene) { s.v = 100 }},
		{"evidence so far", nil, func(s *scene) { s.m.tails[above].Nats = 2 }},
		{"windows in a row", nil, func(s *scene) { s.m.streak[above] = 1 }},
		{"Persist", func(s *scene) { s.p.Persist, s.m.streak[above] = 1, 0 }, func(s *scene) { s.p.Persist = 4 }},
		{"the smallest effect", nil, func(s *scene) { s.p.EffectRel = 1.5 }},
		{"the bad side", func(s *scene) { s.p.Bad = Up }, func(s *scene) { s.p.Bad = Down }},
		{"an excuse", nil, func(s *scene) { s.known = true }},
		{"violent days", nil, func(s *scene) { s.m.tails[above].Med = 40 }},
		{"strictness", func(s *scene) { s.p.Strict = 1.2 }, func(s *scene) { s.p.Strict = 2 }},
		{"Extremes", nil, func(s *scene) { s.p.Extremes = true }},
	})
	// Evidence gathers in one window too, and suspicion with it.
	hear(t, func(s *scene) { s.v = 200 }, func(s *scene) bool {
		q, l := s.window()
		was := s.m.tails
		s.m.gatherPoint(&s.p, &q, &l)
		return s.m.tails[above].Nats > was[above].Nats || s.m.tails[below].Nats > was[below].Nats
	}, []twin{
		{"evidence: the value", nil, func(s *scene) { s.v = 103 }},
		{"evidence: the smallest effect", nil, func(s *scene) { s.p.EffectRel = 1.5 }},
		{"evidence: an excuse", nil, func(s *scene) { s.known = true }},
		{"evidence: a zero that is common", func(s *scene) { s.v, s.m.p0 = 0, .001 }, func(s *scene) { s.v, s.m.p0 = 0, .9 }},
		{"evidence: a zero that comes in rows", func(s *scene) { s.v, s.m.p0 = 0, .01 }, func(s *scene) {
			s.v, s.m.p0, s.m.p00 = 0, .01, .9
			s.m.flags |= flagZero
		}},
	})
}

func TestShiftSpeaks(t *testing.T) {
	hear(t, func(s *scene) {
		s.v, s.block, s.m.tails[2].Nats = 200, 30, 12
	}, func(s *scene) bool {
		q, l := s.window()
		s.m.gatherShift(&s.p, &q, &l)
		var w voice
		s.m.shift(&s.p, &l, above, &w)
		return w.score >= 1 && w.test == ShiftTest && w.state == High
	}, []twin{
		{"the block", nil, func(s *scene) { s.block = .1 }},
		{"evidence so far", nil, func(s *scene) { s.m.tails[2].Nats = 0 }},
		{"the present window", nil, func(s *scene) { s.v = 101 }},
		{"the first six hours", nil, func(s *scene) { s.m.lived = 5 * 3600 }},
		{"the smallest effect", nil, func(s *scene) { s.p.EffectRel = 1.5 }},
		{"an excuse", nil, func(s *scene) { s.known = true }},
		{"a row that is too long", func(s *scene) { s.block, s.m.streak[above], s.m.stay[above] = 0, 40, 10 },
			func(s *scene) { s.block, s.m.streak[above], s.m.stay[above] = 0, 40, 30 }},
		{"a row after three days", func(s *scene) { s.block, s.m.streak[above], s.m.lived = 0, 400, 80*3600 },
			func(s *scene) { s.block, s.m.streak[above], s.m.lived = 0, 400, 70*3600 }},
	})
}

func TestDriftSpeaks(t *testing.T) {
	climb := func(s *scene, perCell float64) {
		s.fill(s.m.r2h(), s.m.q, func(back int) float64 { return 200 - perCell*float64(back) + float64(back*7%5) })
	}
	hear(t, func(s *scene) {
		s.p.Mode, s.p.Season = Trend, NoSeason
		s.ends.mid, s.m.mute = true, 0
		climb(s, 2)
	}, func(s *scene) bool {
		_, l := s.window()
		var w voice
		s.m.drift(&s.p, &l, s.ends, &w)
		return w.score >= 1 && w.test == DriftTest && w.state == Drifting
	}, []twin{
		{"the slope", nil, func(s *scene) { climb(s, 0) }},
		{"the direction", func(s *scene) { s.p.Bad = Up }, func(s *scene) { s.p.Bad = Down }},
		{"a cell that ended", nil, func(s *scene) { s.ends.mid = false }},
		{"the smallest effect", nil, func(s *scene) { s.p.EffectRel = 3 }},
		{"a step instead of a climb", nil, func(s *scene) {
			s.fill(s.m.r2h(), s.m.q, func(back int) float64 {
				v := 160 + 10*float64(back*7%5) - float64(back)
				if back >= 24 {
					v -= 60
				}
				return v
			})
		}},
		{"time to the limit", func(s *scene) { s.p.Limit, s.p.EtaMs = 210, 48*hourMs }, func(s *scene) { s.p.Limit, s.p.EtaMs = 900, 48*hourMs }},
		{"one that has just ended", nil, func(s *scene) { s.m.mute = 5 }},
		{"the first days of a season", func(s *scene) { s.p.Season, s.m.lived = Daily, 5*86400 }, func(s *scene) { s.p.Season, s.m.lived = Daily, 3*86400 }},
		{"Mode", nil, func(s *scene) { s.p.Mode = Spread }},
		{"Extremes", nil, func(s *scene) { s.p.Extremes = true }},
	})
}

func TestWanderingSpeaks(t *testing.T) {
	stand := func(s *scene, at float64) {
		s.fill(s.m.rings[:], s.m.q, func(back int) float64 {
			if back < wanderHours {
				return at
			}
			return 100
		})
	}
	hear(t, func(s *scene) {
		s.p.Extremes, s.ends.mid = true, true
		s.m.q = 24*9000 + 12
		s.m.ext[5], s.m.extN[5] = extreme.Law{Mid: float32(math.Log(3)), Wide: .3}, wanderLaw
		stand(s, 140)
	}, func(s *scene) bool {
		q, l := s.window()
		var w voice
		s.m.wanders(&s.p, &q, &l, s.ends, &w)
		return w.score >= 1 && w.test == DriftTest && w.state == Drifting
	}, []twin{
		{"where it is", nil, func(s *scene) { stand(s, 104) }},
		{"what past days did", nil, func(s *scene) { s.m.ext[5].Mid = float32(math.Log(30)) }},
		{"days of the law", nil, func(s *scene) { s.m.extN[5] = wanderLaw - 1 }},
		{"the bad side", func(s *scene) { s.p.Bad = Up }, func(s *scene) { s.p.Bad = Down }},
		{"the effect of a trend", nil, func(s *scene) { s.p.EffectRel = 1 }},
		{"zeros", nil, func(s *scene) { s.m.p0 = .3 }},
		{"an hour that ended", nil, func(s *scene) { s.ends.mid = false }},
		{"Extremes", nil, func(s *scene) { s.p.Extremes = false }},
	})
}

func TestExtremesSpeak(t *testing.T) {
	hear(t, func(s *scene) {
		s.p.Extremes, s.v = true, 200
		for i := range 5 {
			s.m.ext[i], s.m.extN[i] = extreme.Law{Mid: float32(math.Log(4)), Wide: .2}, 28
		}
		s.m.ext[4].Mid = float32(math.Log(20))
	}, func(s *scene) bool {
		q, l := s.window()
		var w voice
		s.m.extremes(&s.p, &q, &l, &w)
		return w.score >= 1 && w.test == PointTest && w.state == High
	}, []twin{
		{"the value", nil, func(s *scene) { s.v = 115 }},
		{"what past blocks did", nil, func(s *scene) {
			for i := range 5 {
				s.m.ext[i].Mid = float32(math.Log(100))
			}
		}},
		{"how much past blocks differ", nil, func(s *scene) {
			for i := range 5 {
				s.m.ext[i].Wide = 3
			}
		}},
		{"the bad side", func(s *scene) { s.p.Bad = Up }, func(s *scene) { s.p.Bad = Down }},
		{"the smallest effect", nil, func(s *scene) { s.p.EffectAbs = 500 }},
		{"an excuse", nil, func(s *scene) { s.known = true }},
		{"windows in a row under young laws", func(s *scene) { s.m.extN[0], s.m.streak[above] = 7, 3 }, func(s *scene) { s.m.extN[0], s.m.streak[above] = 7, 2 }},
		{"strictness", nil, func(s *scene) { s.p.Strict = 20 }},
		{"Extremes", nil, func(s *scene) { s.p.Extremes = false }},
	})
}

func TestEventSpeaks(t *testing.T) {
	hear(t, func(s *scene) {
		s.p.Mode, s.p.Bad, s.p.EffectAbs, s.p.EffectRel, s.p.Persist = Event, Up, 1, 0, 2
		s.v, s.m.evHits, s.m.hit = 2, 1, 0
	}, func(s *scene) bool {
		_, l := s.window()
		var w voice
		s.m.event(&s.p, &l, &w)
		return w.score >= 1 && w.test == EventTest
	}, []twin{
		{"the value", nil, func(s *scene) { s.v = 0 }},
		{"windows so far", nil, func(s *scene) { s.m.evHits = 0 }},
		{"Persist", func(s *scene) { s.p.Persist, s.m.evHits = 0, 0 }, func(s *scene) { s.p.Persist = 3 }},
		{"the smallest effect", func(s *scene) { s.p.EffectAbs = 2 }, func(s *scene) { s.p.EffectAbs = 2.1 }},
		{"how common events are", func(s *scene) { s.m.hit = .01 }, func(s *scene) { s.m.hit, s.m.evHits = .1, 100 }},
		{"the bad side", func(s *scene) { s.p.Bad, s.v = Down, -2 }, func(s *scene) { s.p.Bad = Down }},
		{"Mode", nil, func(s *scene) { s.p.Mode = Level }},
	})
}

func TestFlatSpeaks(t *testing.T) {
	speaks := func(s *scene) bool {
		_, l := s.window()
		var w voice
		s.m.flat(&s.p, &l, &w)
		return w.score >= 1 && w.test == FlatTest
	}
	all := func(s *scene) {
		s.v, s.m.prevX, s.m.run, s.m.runMax, s.m.same = 103, field.Likeness(103), 39, 2, .05
	}
	still := func(s *scene) { s.m.sigma = minSig }
	moves := []twin{
		{"a value that differs", nil, func(s *scene) { s.v = 103.5 }},
		{"rows that were harmless", nil, func(s *scene) { s.m.runMax = 30 }},
		{"how common repeats are", nil, func(s *scene) { s.m.same = .9 }},
		{"the first day", nil, func(s *scene) { s.m.lived = 23 * 3600 }},
		{"a signal that hardly moves", nil, still},
		{"zeros", func(s *scene) { s.v, s.m.prevX, s.m.p0 = 0, field.Likeness(0), 0 }, func(s *scene) { s.v, s.m.prevX, s.m.p0 = 0, field.Likeness(0), .1 }},
	}
	hear(t, all, speaks, append([]twin{
		{"half an hour", func(s *scene) { s.m.run = 30 }, func(s *scene) { s.m.run = 28 }},
		{"a good side", nil, func(s *scene) { s.p.Bad = Up }},
		{"Mode", nil, func(s *scene) { s.p.Mode = Spread }},
	}, moves...))
	hear(t, func(s *scene) { all(s); s.p.Extremes = true }, speaks, append([]twin{
		{"Extremes: a row of a month", func(s *scene) { s.m.run = 8 }, func(s *scene) { s.m.run = 2 }},
		{"Extremes: strictness", func(s *scene) { s.p.Bad = Up }, func(s *scene) { s.p.Strict = 20 }},
	}, moves...))
}

func TestCeilingSpeaks(t *testing.T) {
	hear(t, func(s *scene) {
		s.p.Bad, s.p.Ceiling, s.v, s.m.ceil = Up, 150, 160, 2
	}, func(s *scene) bool {
		_, l := s.window()
		var w voice
		s.m.ceiling(&s.p, &l, &w)
		return w.score >= 1 && w.test == CeilingTest && w.state == badState(&s.p)
	}, []twin{
		{"the value", nil, func(s *scene) { s.v = 150 }},
		{"windows so far", nil, func(s *scene) { s.m.ceil = 1 }},
		{"Persist", func(s *scene) { s.p.Persist, s.m.ceil = 0, 0 }, func(s *scene) { s.p.Persist = 4 }},
		{"the side", func(s *scene) { s.p.Bad, s.v = Down, 140 }, func(s *scene) { s.p.Bad = Down }},
		{"a mark", nil, func(s *scene) { s.p.Ceiling = math.NaN() }},
		{"an excuse does not help", func(s *scene) { s.known = true }, func(s *scene) { s.known, s.v = true, 140 }},
	})
}
