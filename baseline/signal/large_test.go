//go:build unix

package signal

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
)

// TestLargeClusterIsAsked plays twelve minutes of the 500-node profile against all packs: every pack of which a metric arrives gives
// observations, and nothing is refused. It takes minutes and gigabytes, so it runs with WRACKLINE_LARGE=1 (make large) only; without it
// the same is asked of the small cluster.
func TestLargeClusterIsAsked(t *testing.T) {
	profile := scenario.Small
	if os.Getenv("WRACKLINE_LARGE") != "" {
		profile = scenario.Large
	}
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	observed := map[string]int{} // by rule
	s, err := NewStream(StreamOptions{Packs: packs, MaxSeries: 4_000_000}, func(w *Window) {
		for i := range w.Observations {
			observed[w.Observations[i].Signal.Rule.Name]++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	g := generator(t, scenario.Config{Seed: 4, Profile: profile, Live: true, Shards: 8, StartMs: scenario.Epoch + 10*hour})
	const minutes = 12
	var spent time.Duration // folding, without making the requests
	for {
		r, ok := g.Next(g.Config().StartMs + minutes*60_000)
		if !ok {
			break
		}
		begun := processTime()
		s.Apply(&r.Batch)
		spent += processTime() - begun
	}
	st := s.Stats()
	matched, gave := map[string]int{}, map[string]int{}
	var silent []string
	for _, r := range st.Rules {
		if r.Form < 0 {
			continue
		}
		matched[r.Rule.Pack]++
		if observed[r.Rule.Name] > 0 {
			gave[r.Rule.Pack]++
		} else {
			silent = append(silent, r.Rule.Name)
		}
	}
	slices.Sort(silent)
	for _, p := range packs {
		t.Logf("pack %s: %d of %d rules matched, %d gave observations", p.Name, matched[p.Name], len(p.Rules), gave[p.Name])
		if matched[p.Name] > 0 && gave[p.Name] == 0 {
			t.Errorf("pack %s is matched and gives nothing", p.Name)
		}
	}
	if len(matched) < 6 || st.Refused > 0 || st.OverSeries > 0 || st.OverSignals > 0 || st.Late > 0 {
		t.Errorf("%d packs matched; %d samples refused, %d series and %d values over their limits, %d late", len(matched), st.Refused, st.OverSeries, st.OverSignals, st.Late)
	}
	if len(silent) > 0 {
		t.Logf("matched without a value yet: %s", strings.Join(silent, ", "))
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%s: %d samples in %d minutes, %d series, %d tracked, %d signals; folding took %s: %d ns a sample, %.1f %% of a core; heap with the generator %d MiB",
		profile.Name, st.Samples, minutes, st.Series, st.Tracked, st.Signals, spent.Round(time.Millisecond), spent.Nanoseconds()/st.Samples, 100*spent.Seconds()/(minutes*60), m.HeapAlloc>>20)
	runtime.KeepAlive(s)
}

// processTime is the CPU time of this process, collections of garbage included.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
