package baseline_test

import (
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/signal"
)

// BenchmarkSizes folds an hour of a simulated cluster, with and without what sizes are learned from. The difference, by the containers that run, is what a container and minute costs.
func BenchmarkSizes(b *testing.B) {
	for _, name := range []string{"without", "with"} {
		b.Run(name, func(b *testing.B) {
			list := packs(b)
			if name == "without" {
				for _, p := range list {
					p.Measures = nil
				}
			}
			benchmarkHour(b, list)
		})
	}
}

func benchmarkHour(b *testing.B, list []*pack.Pack) {
	e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: list}})
	if err != nil {
		b.Fatal(err)
	}
	p := scenario.Small
	p.Replicas = 8
	g, err := scenario.New(scenario.Config{Seed: 5, Quiet: true, Profile: p})
	if err != nil {
		b.Fatal(err)
	}
	end := int64(scenario.Epoch)
	hour := func(timed bool) {
		end += 3_600_000
		for {
			r, ok := g.Next(end)
			if !ok {
				return
			}
			if timed {
				b.StartTimer()
			}
			e.Apply(&r.Batch, 0)
			b.StopTimer()
		}
	}
	b.StopTimer()
	hour(false)
	b.ResetTimer()
	b.StartTimer()
	for b.Loop() {
		b.StopTimer()
		hour(true)
		b.StartTimer()
	}
	pods := 0
	for _, c := range e.View().Sizes {
		for _, x := range c.Containers {
			pods += x.Pods
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/60, "ns/minute")
	b.ReportMetric(float64(pods), "pods")
}
