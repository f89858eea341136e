package store

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/wrackline/wrackline/baseline/store/tiers"
)

// heap returns the bytes of live objects.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestOpenRowsAreSmall measures what the blocks under way of a signal take, up to the moment at which blocks of both tiers are nearly full.
// As plain words they took 1,368 bytes at any time, 1,408 with the allocator's rounding.
func TestOpenRowsAreSmall(t *testing.T) {
	const signals = 4000
	s := mustOpen(t, filepath.Join(t.TempDir(), "a.db"), Options{})
	rng := rand.New(rand.NewPCG(3, 4))
	ids := make([]string, signals)
	walkers := make([]walker, signals)
	for i := range ids {
		ids[i] = fmt.Sprintf("rule.%d~cluster=prod~workload=w%d", i%40, i)
		walkers[i] = walker{rng: rng, level: 1 + float64(i), kind: i % 4} // a quarter of them are usually zero
	}
	begin := epoch / tiers.Of[cells].SlotMs * tiers.Of[cells].SlotMs
	var sum, most, times int64
	for m := range int64(240) {
		for i, id := range ids {
			s.rec.Add(uint32(i), id, walkers[i].point(begin+(m+1)*60_000))
		}
		if m%30 != 14 && m != 239 {
			continue
		}
		with := heap()
		open := make([]*openRows, len(s.rec.tracks))
		for i, tr := range s.rec.tracks {
			open[i] = tr.open
		}
		list := int64(8 * len(open))
		rows := 0
		for i := range open {
			o := *open[i]
			rows += len(o.block[full].bytes) + len(o.block[cells].bytes)
			for which := range o.block { // with the room that they have ahead
				b := &o.block[which]
				b.bytes = append(make([]byte, 0, cap(b.bytes)), b.bytes...)
			}
			open[i] = &o
		}
		each := (heap() - with - list) / signals // a copy of all of them
		t.Logf("minute %d: %d B a signal, of which %d B are rows", m, each, rows/signals)
		sum, times, most = sum+each, times+1, max(most, each)
		runtime.KeepAlive(open)
	}
	if sum/times > 600 || most > 850 {
		t.Errorf("open rows take %d B a signal in the middle and %d at most, want 600 and 850", sum/times, most)
	}
}
