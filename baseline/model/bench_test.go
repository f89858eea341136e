package model

import (
	"os"
	"strconv"
	"testing"
)

// long is how many times more the long tests do: WRACKLINE_LONG, 1 when unset.
func long() int {
	n, err := strconv.Atoi(os.Getenv("WRACKLINE_LONG"))
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// One closed window of a signal with daily and weekly season, a month old; the budget is 400 ns.
func BenchmarkObserve(b *testing.B) { benchmarkWindow(b, nil) }

// The same with its reasons, as the engine asks for them.
func BenchmarkExplain(b *testing.B) { benchmarkWindow(b, &Why{}) }

func benchmarkWindow(b *testing.B, why *Why) {
	r := newRun(Defaults())
	src := rnd(1)
	r.feed(28*perDay, daily, src)
	vs := make([]float64, 7*perDay)
	ats := make([]Moment, len(vs))
	for i := range vs {
		vs[i] = daily(r.n+i, src)
	}
	m, i := r.m, len(vs)
	b.ReportAllocs()
	for b.Loop() {
		if i == len(vs) {
			b.StopTimer()
			m, i = r.m, 0
			for k := range ats {
				ats[k] = moment(r.at + int64(k+1)*60_000)
			}
			b.StartTimer()
		}
		m.Explain(&r.p, ats[i], vs[i], why)
		i++
	}
}

// Many models in turn, as in the fold: none is in the cache.
func BenchmarkObserveCold(b *testing.B) {
	const n = 20_000
	r := newRun(Defaults())
	src := rnd(1)
	r.feed(10*perDay, daily, src)
	ms := make([]Model, n)
	for i := range ms {
		ms[i] = r.m
	}
	i, at := 0, r.at
	b.ReportAllocs()
	for b.Loop() {
		if i%n == 0 {
			at += 60_000
		}
		ms[i%n].Observe(&r.p, moment(at), 150)
		i++
	}
}

func BenchmarkAppendBinary(b *testing.B) {
	r := newRun(Defaults())
	r.feed(5000, daily, rnd(1))
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = r.m.AppendBinary(buf[:0])
	}
}

// What siblings know is asked once a window for each rule that has a new signal.
func BenchmarkPrior(b *testing.B) {
	src := rnd(9)
	p := Defaults()
	var list []*Model
	for range PriorMost {
		r := newRun(p)
		r.feed(10*perDay, kinds["weekly"](src), src)
		list = append(list, &r.m)
	}
	b.ReportAllocs()
	for b.Loop() {
		if pr := NewPrior(&p, list, false); !pr.Known() {
			b.Fatal("nothing is known")
		}
	}
}
