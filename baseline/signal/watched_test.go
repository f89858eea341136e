package signal

import (
	"testing"

	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
)

// TestWatchedSeriesAreKept holds that a series that is followed for changes alone, and read by no rule, is not forgotten while it is
// alive: a sweep would otherwise drop and learn it anew every ten minutes.
func TestWatchedSeriesAreKept(t *testing.T) {
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewStream(StreamOptions{Packs: packs}, func(*Window) {})
	if err != nil {
		t.Fatal(err)
	}
	g, err := scenario.New(scenario.Config{Seed: 3, Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	play := func(until int64) {
		for {
			r, ok := g.Next(until)
			if !ok {
				return
			}
			s.Apply(&r.Batch)
		}
	}
	const minute = int64(60_000)
	play(scenario.Epoch + 5*minute)
	watched := func() map[string]bool {
		out := map[string]bool{}
		for id := range s.cold {
			if d := &s.cold[id]; d.nbinds == 0 && s.metrics[d.metric].watch.Watched() && s.metrics[d.metric].fact == 0 {
				out[string(d.print[:])] = true
			}
		}
		return out
	}
	before := watched()
	if len(before) == 0 {
		t.Fatal("no series is watched alone")
	}
	play(scenario.Epoch + 35*minute)
	if n := s.Stats().Evicted; n > 0 { // whoever is silent is forgotten after an hour only
		t.Errorf("%d series were forgotten within half an hour", n)
	}
	after := watched()
	gone := 0
	for k := range before {
		if !after[k] {
			gone++
		}
	}
	if gone > 0 {
		t.Errorf("%d of %d watched series are gone", gone, len(before))
	}
}
