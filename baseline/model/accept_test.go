package model

import (
	"math/rand/v2"
	"testing"
)

func level(v float64) series {
	return func(_ int, r *rand.Rand) float64 { return v + 5*r.NormFloat64() }
}

// A bad level never becomes normal by itself; it does when a person accepts it, at once and as an event, and the old one stays known.
func TestAcceptedByAPerson(t *testing.T) {
	for _, p := range []Params{Defaults(), blind()} {
		p.Bad = Up
		r := newRun(p)
		src := rnd(31)
		r.feed(5*perDay, level(100), src)
		if r.m.Accept() {
			t.Error("accepted where nothing stands")
		}
		r.feed(4*perDay, level(200), src)
		if r.last.State != High {
			t.Fatalf("extremes %v: after four days at a bad level: %v", p.Extremes, r.last.State)
		}
		if !r.m.Accept() {
			t.Fatal("not accepted")
		}
		data := r.m.AppendBinary(nil)
		if err := r.m.UnmarshalBinary(data); err != nil {
			t.Fatal(err)
		}
		if j := r.observe(200); j.Transition != Adopted || j.State != Normal {
			t.Fatalf("extremes %v: the next window: %+v", p.Extremes, j)
		}
		n := len(r.alarms)
		r.feed(2*perDay, level(200), src)
		if len(r.alarms) > n || r.last.Band.Upper < 200 || r.last.Band.Lower > 200 {
			t.Errorf("extremes %v: after it: %d alarms, %+v", p.Extremes, len(r.alarms)-n, r.last)
		}
		r.feed(600, level(100), src)
		r.feed(600, level(200), src)
		if len(r.alarms) > n {
			t.Errorf("extremes %v: to and fro between two known levels: %v", p.Extremes, r.alarms[n:])
		}
		r.feed(60, level(320), src)
		if len(r.alarms) == n {
			t.Errorf("extremes %v: beyond both: no alarm", p.Extremes)
		}
	}
	p := Defaults()
	p.Bad, p.Ceiling = Up, 150
	p.EffectRel = 10
	r := newRun(p)
	r.feed(2*perDay, level(100), rnd(31))
	r.feed(60, level(200), rnd(32))
	if r.last.Test != CeilingTest || r.m.Accept() {
		t.Errorf("a ceiling was accepted: %+v", r.last)
	}
}

// A rollout explains a new level: sooner where no side is bad, and at all where one is.
func TestExplainedByARollout(t *testing.T) {
	for _, c := range []struct {
		bad       Direction
		explained bool
		hours     float64 // 0 = never
	}{{Both, false, adoptH}, {Both, true, adoptToldH}, {Up, false, 0}, {Up, true, adoptH}} {
		p := Defaults()
		p.Bad = c.bad
		r := newRun(p)
		src := rnd(33)
		r.feed(11*perDay, level(100), src)
		from := r.n
		adopted := 0
		r.each = func(i int, _ float64, j Judgement) {
			if j.Transition == Adopted && adopted == 0 {
				adopted = i - from
			}
		}
		r.p.Explained = c.explained
		r.feed(3*perDay, level(200), src)
		if c.hours == 0 && adopted != 0 || c.hours > 0 && (float64(adopted)/60 < c.hours || float64(adopted)/60 > c.hours+2) {
			t.Errorf("%v, explained %v: adopted after %d min, want %g h", c.bad, c.explained, adopted, c.hours)
		}
	}
}
