package baseline_test

import (
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/crowd"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/signal"
)

// BenchmarkClusters folds a minute of eight clusters of 4,500 series and 120 signals each, one after the other and side by side.
func BenchmarkClusters(b *testing.B) {
	const clusters = 8
	for _, c := range []struct {
		name string
		do   func(int, func(int))
	}{{"alone", nil}, {"side", side}} {
		b.Run(c.name, func(b *testing.B) {
			e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: packs(b)}})
			if err != nil {
				b.Fatal(err)
			}
			w, err := crowd.New(crowd.Config{Clusters: clusters, Series: clusters * 4_500, Signals: clusters * 120})
			if err != nil {
				b.Fatal(err)
			}
			at := int64(scenario.Epoch)
			requests := make([]crowd.Request, w.Requests()) // used again: collecting garbage of the load would take a processor from the fold
			jobs := make([]baseline.Job, w.Requests())
			minute := func() (samples int) {
				for range 2 {
					at += 30_000
					for r := range requests {
						w.Fill(&requests[r], r, at, at+5)
						jobs[r].Batch = &requests[r].Batch
						samples += len(requests[r].Samples)
					}
					b.StartTimer()
					e.ApplyAll(jobs, c.do)
					b.StopTimer()
				}
				return samples
			}
			b.StopTimer()
			for range 15 {
				minute()
			}
			n := 0
			b.ResetTimer()
			b.StartTimer()
			for b.Loop() {
				b.StopTimer()
				n += minute()
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/sample")
		})
	}
}
