package main

import (
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/wrackline/wrackline/baseline/scenario"
)

// TestQuietClusters plays simulated clusters in which nothing is wrong, with their deploys, autoscalers, cron jobs and weekends, and counts what is
// told. WRACKLINE_QUIET is how many cluster-days in all; without it TestScenarios has a fortnight of them.
func TestQuietClusters(t *testing.T) {
	days, _ := strconv.Atoi(os.Getenv("WRACKLINE_QUIET"))
	if days <= 0 {
		t.Skip("WRACKLINE_QUIET says how many cluster-days; make quiet")
	}
	const each = 20 // days of a cluster
	var mu sync.Mutex
	var wg sync.WaitGroup
	work := make(chan uint64)
	total, alarms, told, pages := 0., 0, 0, 0
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := range work {
				sc := scenario.Config{Seed: seed, StartMs: scenario.Epoch, Replicas: 2, Shards: 4}
				g, err := scenario.New(sc)
				if err != nil {
					t.Error(err)
					continue
				}
				o, err := newOffline(defaultConfig(), nil)
				if err != nil {
					t.Error(err)
					continue
				}
				for {
					r, ok := g.Next(sc.StartMs + each*86_400_000)
					if !ok {
						break
					}
					o.engine.Apply(&r.Batch, 0)
				}
				mu.Lock()
				total += each
				for _, inc := range o.manager.Incidents() {
					alarms += len(inc.Members)
					if inc.Told > 0 {
						told++
						if inc.Severity == "page" {
							pages++
						}
					}
					for i := range inc.Members {
						m := &inc.Members[i]
						t.Logf("seed %d, day %.2f: %s by %s, told %v, %s", seed, float64(m.Opened-sc.StartMs)/86_400_000, m.SignalID, m.Test, inc.Told > 0, inc.Severity)
					}
				}
				t.Logf("seed %d: done, %.0f cluster-days; budget %+v", seed, total, o.engine.View().Budget)
				mu.Unlock()
			}
		})
	}
	for seed := uint64(11); float64(seed-11)*each < float64(days); seed++ {
		work <- seed
	}
	close(work)
	wg.Wait()
	t.Logf("%.0f quiet cluster-days: %d alarms, %d incidents told (%.3f a cluster-day), %d of them pages (%.3f a cluster-day)",
		total, alarms, told, float64(told)/total, pages, float64(pages)/total)
	if float64(pages) > .05*total {
		t.Errorf("%d false pages in %.0f cluster-days, more than .05 a day", pages, total)
	}
}
