package model

import (
	"math"
	"math/rand/v2"
)

// The tests drive models with synthetic series. Every series is a function of the window's number and a random source with a
// fixed seed, so a failure repeats itself; the seed is in the message.

type series func(i int, r *rand.Rand) float64

const monday = int64(1_736_121_600_000) // 2025-01-06 00:00 UTC, a Monday

func moment(t int64) Moment {
	s := t / 1000
	day := s / 86400
	return Moment{T: t, HourOfWeek: int((day+3)%7)*24 + int(s%86400/3600), HourFrac: float64(s%3600) / 3600, Day: int32(day)}
}

type run struct {
	p      Params
	m      Model
	at     int64
	alarms []alarm // opened
	held   int     // windows in alarm
	n      int
	last   Judgement
	each   func(i int, v float64, j Judgement)
	prior  *Prior // what siblings know; nil = none
}

type alarm struct {
	i     int
	test  Test
	state State
}

func newRun(p Params) *run {
	r := &run{p: p, at: monday}
	r.m.Init(&r.p)
	return r
}

func (r *run) observe(v float64) Judgement {
	r.at += r.p.StepMs
	if r.prior != nil {
		r.m.Borrow(&r.p, moment(r.at), r.prior)
	}
	j := r.m.Observe(&r.p, moment(r.at), v)
	if j.Transition == Opened {
		r.alarms = append(r.alarms, alarm{r.n, j.Test, j.State})
	}
	if j.State.Alarm() {
		r.held++
	}
	if r.each != nil {
		r.each(r.n, v, j)
	}
	r.n++
	r.last = j
	return j
}

func (r *run) feed(n int, s series, rnd *rand.Rand) {
	for range n {
		r.observe(s(r.n, rnd))
	}
}

func rnd(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

const perDay = 1440

// daily is a working day: quiet nights, busy days, weekends at half.
func daily(i int, r *rand.Rand) float64 {
	h := float64(i%perDay) / 60
	base := 100 * (1.2 - math.Cos((h-3)/12*math.Pi))
	if i/perDay%7 >= 5 {
		base *= .6
	}
	return base * math.Exp(.06*r.NormFloat64())
}

func gauss(i int, r *rand.Rand) float64 { return 100 + 5*r.NormFloat64() }

func ar() series {
	x := 0.
	return func(i int, r *rand.Rand) float64 {
		x = .9*x + math.Sqrt(1-.81)*r.NormFloat64()
		return 50 + 5*x
	}
}

func ou() series {
	x := 0.
	return func(i int, r *rand.Rand) float64 {
		a := math.Exp(-1. / 360)
		x = a*x + math.Sqrt(1-a*a)*r.NormFloat64()
		return 20 * math.Exp(.15*x) * (1 + .02*r.NormFloat64())
	}
}

func lognormal(i int, r *rand.Rand) float64 { return .02 * math.Exp(.4*r.NormFloat64()) }

func poisson(i int, r *rand.Rand) float64 {
	l, k, p := math.Exp(-.3), 0, 1.
	for p *= r.Float64(); p > l; p *= r.Float64() {
		k++
	}
	return float64(k)
}

func bursts(i int, r *rand.Rand) float64 {
	v := 10 + r.NormFloat64()
	if r.Float64() < .01 {
		v *= 2 + 4*r.Float64()
	}
	return v
}

func cron(i int, r *rand.Rand) float64 {
	v := 2 + .1*r.NormFloat64()
	if i%60 < 4 {
		v += 5 + .3*r.NormFloat64()
	}
	return v
}

func ratioOf(rate float64) series {
	return func(i int, r *rand.Rand) float64 {
		bad := 0
		for range 60 {
			if r.Float64() < rate {
				bad++
			}
		}
		return float64(bad) / 60
	}
}

func sawtooth() series {
	x := 200.
	return func(i int, r *rand.Rand) float64 {
		x += 2 + r.NormFloat64()
		if x > 400 {
			x = 200 + 10*r.NormFloat64()
		}
		return x
	}
}

func families() map[string]func() series {
	plain := func(s series) func() series { return func() series { return s } }
	return map[string]func() series{
		"gauss": plain(gauss), "daily": plain(daily), "ar": ar, "ou": ou, "lognormal": plain(lognormal), "poisson": plain(poisson),
		"bursts": plain(bursts), "cron": plain(cron), "ratio": plain(func(i int, r *rand.Rand) float64 { return ratioOf(.01)(i, r) }), "sawtooth": sawtooth,
		"constant": plain(func(int, *rand.Rand) float64 { return 3 }), "zero": plain(func(int, *rand.Rand) float64 { return 0 }),
	}
}
