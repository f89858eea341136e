package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// What is wrong after a silence began when values came back wrong, not when they ended; a hole of minutes is no silence, and what was wrong before it began before it.
func TestTheOnsetAfterASilence(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		hole   int // minutes
		before bool
	}{{"a night", 11 * 60, false}, {"an hour", 60, false}, {"a few minutes", 5, true}} {
		p := Defaults()
		p.Min, p.Bad = 0, Down
		r, src := newRun(p), rnd(7)
		r.feed(5*perDay, func(_ int, x *rand.Rand) float64 { return 50 * math.Exp(.05*x.NormFloat64()) }, src)
		ended := r.at
		for range 2 { // on its way down when it falls silent: not yet an alarm
			if j := r.observe(12); j.State.Alarm() {
				t.Fatalf("%s: an alarm after two windows", c.name)
			}
		}
		r.at += int64(c.hole) * p.StepMs
		back := r.at
		var onset int64
		for range 10 {
			if j := r.observe(0); j.State.Alarm() {
				onset = j.Onset
			}
		}
		switch {
		case onset == 0:
			t.Errorf("%s: nothing is told", c.name)
		case c.before && (onset <= ended || onset > back):
			t.Errorf("%s: onset %d min before the return, want before it", c.name, (back-onset)/60_000)
		case !c.before && onset <= back:
			t.Errorf("%s: onset %d min before the return, want after it", c.name, (back-onset)/60_000)
		}
	}
}
