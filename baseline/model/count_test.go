package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// arrivals draws a Poisson number.
func arrivals(mean float64, r *rand.Rand) float64 {
	if mean > 60 {
		return max(math.Round(mean+math.Sqrt(mean)*r.NormFloat64()), 0)
	}
	k, p, l := 0., 1., math.Exp(-max(mean, 0))
	for {
		if p *= r.Float64(); p <= l {
			return k
		}
		k++
	}
}

// failures draws how many of n fail.
func failures(n, share float64, r *rand.Rand) (k float64) {
	for range int(min(n, 400)) {
		k += one(r.Float64() < share)
	}
	return k * max(n/400, 1)
}

// officeDay is the shape of a day between low and 1.
func officeDay(i int, low float64) float64 {
	return low + (1-low)*(.5-.5*math.Cos((float64(i%perDay)/60-2)/12*math.Pi))
}

// requests plays a share of failing requests: at the rate a minute that many come, of which that share fails. Windows without any have no value.
func (r *run) requests(n int, src *rand.Rand, rate, share func(i int) float64) {
	for range n {
		all := arrivals(rate(r.n), src)
		if all == 0 {
			r.n++
			r.at += r.p.StepMs
			continue
		}
		r.p.Trials, r.p.Least, r.p.Worth = all, 100, 20
		r.observe(failures(all, share(r.n), src) / all)
	}
}

// Where few requests come an outage is told by its number, at any age, once, and its end; what fails now and then is not.
func TestFewThatFail(t *testing.T) {
	t.Parallel()
	fail, _ := hurts()
	const out = 2 * 60
	flat := func(rate float64) func(int) float64 { return func(int) float64 { return rate } }
	for _, c := range []struct {
		name        string
		days        float64 // learned
		rate        func(i int) float64
		usual, then float64
	}{
		{"all of thirty a minute", 10, func(i int) float64 { return 30 * officeDay(i, .3) }, .002, 1},
		{"all of six a minute, after a day", 1, flat(6), .01, 1},
		{"all of thirty a minute, in the second hour", .05, flat(30), .002, 1},
		{"all of one a minute", 20, flat(1), .002, 1},
		{"a third of twenty a minute", 10, flat(20), .01, .33},
		{"six of ten where three of a hundred usually do", 15, flat(12), .03, .6},
		{"at night, by day many come", 10.1, func(i int) float64 { return 600 * officeDay(i, .02) }, .003, 1},
		{"around the mark", 5, flat(100), .003, .5},
		{"many, of a signal that began with few", .04, func(i int) float64 { return 60 + 100*one(i > 60) }, .003, .9},
	} {
		for seed := range uint64(2) {
			r, src := newRun(fail), rnd(71+seed)
			before := int(c.days * perDay)
			r.requests(before, src, c.rate, flat(c.usual))
			if len(r.alarms) > 0 {
				t.Errorf("%s, seed %d: %+v before", c.name, seed, r.alarms)
				continue
			}
			r.requests(out, src, c.rate, flat(c.then))
			if len(r.alarms) != 1 || r.alarms[0].i-before > 60 || !r.last.State.Alarm() {
				t.Errorf("%s, seed %d: alarms %+v, expected one from %d on; %+v", c.name, seed, r.alarms, before, r.last)
				continue
			}
			if j := r.last; j.Test == CountTest && (j.Of < 20 || j.Count/j.Of < c.then/3 || j.Count > j.Of) {
				t.Errorf("%s, seed %d: %g of %g", c.name, seed, j.Count, j.Of)
			}
			r.requests(3*60, src, c.rate, flat(c.usual))
			if len(r.alarms) != 1 || r.last.State.Alarm() {
				t.Errorf("%s, seed %d: does not end, or comes back: %+v", c.name, seed, r.last)
			}
		}
	}
	for _, c := range []struct {
		name  string
		rate  func(i int) float64
		share func(i int, src *rand.Rand) float64
	}{
		{"three of a hundred, next to nothing at night", func(i int) float64 { return 1.2 * officeDay(i, .05) }, func(int, *rand.Rand) float64 { return .03 }},
		{"three of a hundred of more", func(i int) float64 { return 60 * officeDay(i, .05) }, func(int, *rand.Rand) float64 { return .03 }},
		{"one probe fails every minute", func(i int) float64 { return 200 * officeDay(i, .01) }, func(i int, _ *rand.Rand) float64 { return min(1/(1+200*officeDay(i, .01)), 1) }},
		{"half, always", func(int) float64 { return 5 }, func(int, *rand.Rand) float64 { return .5 }},
		{"a minute of failures a day", func(int) float64 { return 15 }, func(i int, _ *rand.Rand) float64 { return max(.002, one(i%perDay == 200)) }},
		{"a call that fails is tried three times more", func(int) float64 { return 10 }, func(_ int, src *rand.Rand) float64 { return .4 * one(src.IntN(40) == 0) }},
	} {
		for seed := range uint64(2) {
			r, src := newRun(fail), rnd(81+seed)
			r.requests(12*perDay, src, c.rate, func(i int) float64 { return c.share(i, src) })
			if len(r.alarms) > 0 {
				t.Errorf("%s, seed %d: %+v", c.name, seed, r.alarms)
			}
		}
	}
}

// Where few requests come their loss is told by the number that is missing; what rests at night, comes in heaps or begins late is not lost.
func TestFewThatDoNotCome(t *testing.T) {
	t.Parallel()
	_, arrive := hurts()
	arrive.PerUnit = 60
	play := func(r *run, n int, src *rand.Rand, rate func(i int) float64) {
		for range n {
			r.observe(arrivals(rate(r.n), src) / 60)
		}
	}
	day := func(rate, low float64) func(int) float64 {
		return func(i int) float64 { return rate * officeDay(i, low) }
	}
	for _, c := range []struct {
		name string
		days float64
		rate func(i int) float64
		left float64
	}{
		{"none of thirty a minute", 10.5, day(30, .3), 0},
		{"none of thirty a minute, on the fourth day", 3.5, day(30, .3), 0},
		{"none of five a minute", 9.5, day(5, .4), 0},
		{"none of a hundred a minute", 20.5, day(100, .1), 0},
		{"one of ten of forty a minute", 9.5, day(40, .5), .1},
	} {
		for seed := range uint64(2) {
			r, src := newRun(arrive), rnd(91+seed)
			before := int(c.days * perDay)
			play(r, before, src, c.rate)
			if len(r.alarms) > 0 {
				t.Errorf("%s, seed %d: %+v before", c.name, seed, r.alarms)
				continue
			}
			play(r, 120, src, func(i int) float64 { return c.left * c.rate(i) })
			if len(r.alarms) != 1 || r.alarms[0].i-before > 60 || !r.last.State.Alarm() {
				t.Errorf("%s, seed %d: alarms %+v, expected one from %d on; %+v", c.name, seed, r.alarms, before, r.last)
				continue
			}
			play(r, 120, src, c.rate)
			if len(r.alarms) != 1 || r.last.State.Alarm() {
				t.Errorf("%s, seed %d: does not end, or comes back: %+v", c.name, seed, r.last)
			}
		}
	}
	onoff := func(src *rand.Rand) func(i int) float64 {
		on := true
		return func(i int) float64 {
			if src.IntN(100) == 0 {
				on = !on
			}
			return 20 * one(on)
		}
	}
	for _, c := range []struct {
		name string
		rate func(src *rand.Rand) func(i int) float64
		most int // alarms: what comes and goes is told a few times
	}{
		{"nothing at night", func(*rand.Rand) func(int) float64 {
			return func(i int) float64 { return 30 * one(i%perDay > 7*60 && i%perDay < 19*60) }
		}, 0},
		{"nothing at weekends", func(*rand.Rand) func(int) float64 {
			return func(i int) float64 { return 20 * officeDay(i, .1) * one(i/perDay%7 < 5) }
		}, 0},
		{"few, and fewer at night", func(*rand.Rand) func(int) float64 { return day(1.2, .05) }, 0},
		{"thirty every ten minutes", func(*rand.Rand) func(int) float64 { return func(i int) float64 { return 30 * one(i%10 == 3) } }, 0},
		{"an hour or two on, an hour or two off", onoff, 10},
		{"begins up to forty minutes late", func(src *rand.Rand) func(int) float64 {
			late := 0
			return func(i int) float64 {
				if i%perDay == 0 {
					late = src.IntN(41)
				}
				return 40 * one(i%perDay > 8*60+late && i%perDay < 18*60-late)
			}
		}, 0},
		{"half stays away for an hour a day", func(src *rand.Rand) func(int) float64 {
			return func(i int) float64 { return 30 * (1 - .5*one(i%perDay/60 == 12)) }
		}, 0},
	} {
		for seed := range uint64(2) {
			r, src := newRun(arrive), rnd(101+seed)
			play(r, 28*perDay, src, c.rate(src))
			if len(r.alarms) > c.most {
				t.Errorf("%s, seed %d: %+v", c.name, seed, r.alarms)
			}
		}
	}
}
