package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// explained feeds values and returns the last judgement with its reasons.
func (r *run) explained(s series, n int, src *rand.Rand) (j Judgement, y Why) {
	for range n {
		r.at += r.p.StepMs
		j = r.m.Explain(&r.p, moment(r.at), s(r.n, src), &y)
		r.n++
	}
	return j, y
}

// What explains must not judge otherwise than what does not.
func TestExplainIsObserve(t *testing.T) {
	for name, mk := range families() {
		for _, p := range []Params{Defaults(), blind()} {
			a, b := newRun(p), newRun(p)
			s, src := mk(), rnd(3)
			for i := range 3 * perDay {
				v := s(i, src)
				if i%perDay > 900 && i%perDay < 960 {
					v *= 3
				}
				var y Why
				ja := a.m.Observe(&p, moment(a.at), v)
				jb := b.m.Explain(&p, moment(b.at), v, &y)
				a.at, b.at = a.at+p.StepMs, b.at+p.StepMs
				if ja != jb || a.m != b.m {
					t.Fatalf("%s: window %d: %+v, explained %+v", name, i, ja, jb)
				}
				most := float32(0)
				for _, s := range y.Scores {
					most = max(most, s)
				}
				if !ja.State.Alarm() && ja.Score < .99 && float64(most) < ja.Score-1e-6 {
					t.Fatalf("%s: window %d: score %v, and of no test more than %v", name, i, ja.Score, most)
				}
				if y.P < 0 || y.P > 1 || y.Hour >= 168 {
					t.Fatalf("%s: window %d: %+v", name, i, y)
				}
			}
		}
	}
}

func TestExcuses(t *testing.T) {
	up := Defaults()
	up.Bad, up.EffectRel, up.Persist = Up, .5, 5
	at := func(v float64) series {
		return func(_ int, r *rand.Rand) float64 { return v + 5*r.NormFloat64() }
	}
	for _, c := range []struct {
		name string
		p    Params
		days int
		then series
		n    int
		want Excuse
	}{
		{"small", up, 4, at(140), 1, TooSmall},
		{"brief", up, 4, at(200), 2, TooBrief},
		{"good side", up, 4, at(20), 3, GoodSide},
		{"usual", up, 4, at(100), 3, NoExcuse},
		{"enough", up, 4, at(200), 5, NoExcuse},
	} {
		r := newRun(c.p)
		src := rnd(4)
		r.feed(c.days*perDay+600, gauss, src)
		if _, y := r.explained(c.then, c.n, src); y.Excuse != c.want {
			t.Errorf("%s: excuse %q, want %q: %+v", c.name, y.Excuse, c.want, y)
		}
	}
	r := newRun(up)
	src := rnd(4)
	r.feed(600, gauss, src)
	if _, y := r.explained(at(155), 1, src); y.Excuse != Young {
		t.Errorf("in the first hours: excuse %q", y.Excuse)
	}
	r = newRun(up)
	night := rhythms()["nightly quarter"]
	r.feed(30*perDay+155, night, src)
	if _, y := r.explained(night, 5, src); y.Excuse != ByHabit {
		t.Errorf("a nightly backup: excuse %q, %+v", y.Excuse, y)
	}
}

// An alarm ends when what Clear asks for has been given, and not before.
func TestClearIsTrue(t *testing.T) {
	for _, c := range []struct {
		bad  Direction
		v    float64
		side func(Clear) float64
	}{
		{Up, 300, func(c Clear) float64 { return c.Upper }},
		{Down, 10, func(c Clear) float64 { return c.Lower }},
		{Both, 300, func(c Clear) float64 { return c.Upper }},
	} {
		for _, p := range []Params{Defaults(), blind()} {
			p.Bad = c.bad
			r := newRun(p)
			src := rnd(12)
			r.feed(5*perDay, gauss, src)
			j, y := r.explained(func(int, *rand.Rand) float64 { return c.v }, 60, src)
			if !j.State.Alarm() {
				t.Fatalf("%v: no alarm: %+v", c.bad, j)
			}
			bound := c.side(y.Clear)
			if !finite(bound) || y.Clear.AfterMs <= 0 {
				t.Fatalf("%v: clears %+v", c.bad, y.Clear)
			}
			in := bound + (100-bound)*.2
			left := y.Clear.AfterMs
			for n := 1; ; n++ {
				j, y = r.explained(func(int, *rand.Rand) float64 { return in }, 1, src)
				if j.Transition == Recovered {
					if took := int64(n) * p.StepMs; took < left-p.StepMs || took > left+p.StepMs {
						t.Errorf("%v, extremes %v: over after %d s, said %d", c.bad, p.Extremes, took/1000, left/1000)
					}
					break
				}
				if n > 100 {
					t.Fatalf("%v: never over: %+v %+v", c.bad, j, y)
				}
			}
		}
	}
	p := Defaults()
	p.Bad, p.Ceiling = Up, 150
	r := newRun(p)
	src := rnd(12)
	r.feed(perDay, gauss, src)
	r.p.EffectRel = 10
	if j, y := r.explained(func(int, *rand.Rand) float64 { return 160 }, 10, src); j.Test != CeilingTest || y.Clear.Upper != 150 || !math.IsInf(y.Clear.Lower, -1) || p.Nats(CeilingTest) != 0 {
		t.Errorf("a ceiling: %+v %+v", j, y)
	}
}
