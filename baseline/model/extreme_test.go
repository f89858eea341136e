package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// blind are the parameters of a series of which nothing is known.
func blind() Params {
	p := Defaults()
	p.Extremes = true
	return p
}

// One window far beyond all that the signal ever did is news at once; the same deviation is none where the signal does it every day.
func TestExtremesSpeakAtOnce(t *testing.T) {
	for name, mk := range map[string]func() series{"gauss": func() series { return gauss }, "daily": func() series { return daily }, "ar": ar} {
		s := mk()
		r := newRun(blind())
		src := rnd(31)
		r.feed(10*perDay+600, s, src)
		before := len(r.alarms)
		if before > 2 {
			t.Errorf("%s: %d alarms in ten quiet days: %v", name, before, r.alarms)
		}
		j := r.observe(3 * s(r.n, src))
		if j.Transition != Opened || j.State != High || j.Test != PointTest {
			t.Errorf("%s, one window at three times its level: %v by %v, score %.2f", name, j.State, j.Test, j.Score)
		}
	}
	spiky := func(i int, s *rand.Rand) float64 {
		v := gauss(i, s)
		if i%perDay == 77 || s.IntN(700) == 0 {
			v *= 3
		}
		return v
	}
	r := newRun(blind())
	src := rnd(37)
	r.feed(14*perDay, spiky, src)
	before := len(r.alarms)
	r.feed(14*perDay, spiky, src)
	if n := len(r.alarms) - before; n > 1 {
		t.Errorf("a spike that comes several times a day alarms %d times in two weeks", n)
	}
}

// Quiet families: alarms of a signal of which nothing is known, per series-day, after a week.
func TestExtremesAreQuiet(t *testing.T) {
	t.Parallel()
	rounds := 2 * long()
	for name, mk := range families() {
		days, alarms := 0, 0
		for seed := range uint64(rounds) {
			s := mk()
			r := newRun(blind())
			src := rnd(1000 + seed)
			r.feed(7*perDay, s, src)
			before := len(r.alarms)
			r.feed(21*perDay, s, src)
			alarms += len(r.alarms) - before
			days += 21
		}
		rate := float64(alarms) / float64(days)
		t.Logf("%s: %d alarms in %d days", name, alarms, days)
		if rate > .15 {
			t.Errorf("%s: %d alarms in %d days, more than .15 a day", name, alarms, days)
		}
	}
}

// The score grows with the deviation, below the alarm and beyond it.
func TestExtremesScoreIsMonotone(t *testing.T) {
	r := newRun(blind())
	src := rnd(41)
	r.feed(8*perDay, gauss, src)
	last, alarm := -1., false
	for k := range 60 {
		c := *r
		j := c.observe(100 + 3*float64(k))
		if j.Score < last-1e-9 {
			t.Errorf("+%d: score %.3f after %.3f", 3*k, j.Score, last)
		}
		if alarm && !j.State.Alarm() {
			t.Errorf("+%d: no alarm, although less was one", 3*k)
		}
		last, alarm = j.Score, j.State.Alarm()
	}
	if !alarm || last < 1.5 {
		t.Errorf("more than twice the level: alarm %v, score %.2f", alarm, last)
	}
}

// Scale, mirror and save and load hold for the extremes as for the rest.
func TestExtremesInvariance(t *testing.T) {
	a, b, c := newRun(blind()), newRun(blind()), newRun(blind())
	src, cut := rnd(43), rnd(47)
	flip := map[State]State{High: Low, Low: High}
	for i := range 6 * perDay {
		v := gauss(i, src)
		if i > 3*perDay && (i%997 == 0 || i > 5*perDay && i < 5*perDay+90) {
			v *= 1.8
		}
		ja, jb, jc := a.observe(v), b.observe(-v*4096), c.observe(v)
		want := ja.State
		if f, ok := flip[want]; ok {
			want = f
		}
		if jb.State != want || math.Abs(ja.Score-jb.Score) > 1e-3*(1+ja.Score) {
			t.Fatalf("window %d: %v %.4f; mirrored and scaled %v %.4f", i, ja.State, ja.Score, jb.State, jb.Score)
		}
		if ja != jc {
			t.Fatalf("window %d: kept %+v, reloaded %+v", i, ja, jc)
		}
		if cut.IntN(40) == 0 {
			var m Model
			if err := m.UnmarshalBinary(c.m.AppendBinary(nil)); err != nil || m != c.m {
				t.Fatalf("window %d: %v, or a field is not encoded", i, err)
			}
			c.m = m
		}
	}
	if len(a.alarms) == 0 {
		t.Error("nothing was found")
	}
}

// A signal that moves and then stands still is told within half an hour, on either side.
func TestStandstill(t *testing.T) {
	for _, bad := range []Direction{Both, Up, Down} {
		p := blind()
		p.Bad = bad
		r := newRun(p)
		src := rnd(53)
		r.feed(4*perDay, func(i int, s *rand.Rand) float64 { return math.Round(gauss(i, s)) }, src)
		r.alarms = nil
		n := r.alarmWithin(60, func(int, *rand.Rand) float64 { return 101 }, src)
		if n < 0 || n > 30 || r.last.Test != FlatTest {
			t.Errorf("bad side %v: alarm after %d windows by %v", bad, n, r.last.Test)
		}
	}
}

// A service that rests at weekends raises at most one alarm, on the first of them, whatever weekday its life begins on, and neither the next weekends
// nor the Mondays after them are news. The same of a signal that its pack knows.
func TestWeekendsAreNoNews(t *testing.T) {
	weekend := func(day int) series {
		return func(i int, s *rand.Rand) float64 {
			h := float64(i%perDay) / 60
			v := 100 * (1.2 - math.Cos((h-3)/12*math.Pi)) * math.Exp(.06*s.NormFloat64())
			if d := (i/perDay + day) % 7; d == 5 || d == 6 {
				v *= .55
			}
			return v
		}
	}
	for name, c := range map[string]struct {
		p    Params
		most int // alarms in all, after the first eight days
	}{"unknown": {blind(), 6}, "of a pack": {Defaults(), 0}} {
		late := 0
		for day := range 7 {
			for seed := range uint64(3) {
				r := newRun(c.p)
				r.at += int64(day) * perDay * 60_000
				src := rnd(200 + 10*uint64(day) + seed)
				s := weekend(day)
				r.feed(8*perDay, s, src)
				first := len(r.alarms)
				r.feed(28*perDay, s, src)
				late += len(r.alarms) - first
				if c.most == 0 && len(r.alarms) > first {
					t.Logf("%s, begun on day %d of the week, seed %d: %v", name, day, seed, r.alarms[first:])
				}
				if first > 2 {
					t.Errorf("%s, begun on day %d of the week, seed %d: %d alarms in eight days", name, day, seed, first)
				}
			}
		}
		if t.Logf("%s: %d alarms in 588 days", name, late); late > c.most {
			t.Errorf("%s: %d alarms in 588 days with weekends, want at most %d", name, late, c.most)
		}
	}
}

// A slow leak of a signal of which nothing is known is told before its end, once; a spike meanwhile is news of its own; and it is over
// when the values are back.
func TestLeakOfAnUnknownSignal(t *testing.T) {
	for name, mk := range map[string]func() series{"gauss": func() series { return gauss }, "daily": func() series { return daily }, "ar": ar} {
		for seed := range uint64(4) {
			s := mk()
			r := newRun(blind())
			src := rnd(300 + seed)
			r.feed(14*perDay, s, src)
			n := len(r.alarms)
			const hours = 48
			told, spike := -1, false
			for i := range hours * 60 {
				v := s(r.n, src) * (1 + .6*float64(i)/(hours*60))
				if told >= 0 && i == told+10*60 {
					v *= 3
				}
				before := r.last
				j := r.observe(v)
				if j.Transition == Opened && j.Test == DriftTest && told < 0 {
					told = i
				}
				if told >= 0 && i == told+10*60 {
					spike = !before.Told || j.Transition == Opened && j.Test == PointTest && j.Score >= 1
				}
			}
			if told < 0 || told > hours*60*6/10 {
				t.Errorf("%s, seed %d: +60 %% in two days is told after window %d of %d: %v", name, seed, told, hours*60, r.alarms[n:])
				continue
			}
			if !spike {
				t.Errorf("%s, seed %d: a spike ten hours after the drift was told is no news", name, seed)
			}
			if got := len(r.alarms) - n; got > 5 {
				t.Errorf("%s, seed %d: %d alarms for one leak with one spike: %v", name, seed, got, r.alarms[n:])
			}
			r.feed(2*perDay, s, src)
			if r.last.State.Alarm() {
				t.Errorf("%s, seed %d: two days after its end: %v by %v", name, seed, r.last.State, r.last.Test)
			}
		}
	}
}
