package signal

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
)

// ahead plays a cluster of which both the receive clock and the samples are ahead by a while for some minutes, and right before and after.
func ahead(t *testing.T, by, from, to, end int64) (*Stream, *recorder) {
	t.Helper()
	s, r := newTestStream(t, StreamOptions{Packs: packOf(shopRules()...), Salt: series.Salt{1}})
	g := generator(t, scenario.Config{Seed: 3, Live: true, Quiet: true, Shards: 2})
	for {
		q, ok := g.Next(scenario.Epoch + end)
		if !ok {
			return s, r
		}
		b := q.Batch
		if at := b.ReceivedMs - scenario.Epoch; at >= from && at < to {
			b.ReceivedMs += by
			b.Samples = slices.Clone(b.Samples)
			for i := range b.Samples {
				b.Samples[i].T += by
				if b.Samples[i].Start != 0 {
					b.Samples[i].Start += by
				}
			}
		}
		s.Apply(&b)
	}
}

// TestTurnedBack holds that a cluster whose clock was ahead goes on within minutes when it is right: the same signals, the same values, nothing told of changes that were none, and a state that comes back.
func TestTurnedBack(t *testing.T) {
	const minute = int64(60_000)
	right, want := ahead(t, 0, 0, 0, 60*minute)
	for _, by := range []int64{20 * minute, hour, 24 * hour, 365 * 24 * hour} {
		s, r := ahead(t, by, 30*minute, 35*minute, 60*minute)
		if st, was := s.Stats(), right.Stats(); st.Signals != was.Signals || st.Clusters[0].Series != was.Clusters[0].Series || st.Clusters[0].Workloads != was.Clusters[0].Workloads {
			t.Errorf("ahead by %d min: %d signals of %d series and %d workloads, want %d, %d, %d", by/minute, st.Signals, st.Clusters[0].Series, st.Clusters[0].Workloads, was.Signals, was.Clusters[0].Series, was.Clusters[0].Workloads)
		} else if st.Clusters[0].LastT != was.Clusters[0].LastT || st.Senders[0].LastMs != was.Senders[0].LastMs || st.Senders[0].LastT != was.Senders[0].LastT {
			t.Errorf("ahead by %d min: times of then are left: %+v, %+v", by/minute, st.Clusters[0], st.Senders[0])
		}
		compared, missing := 0, 0
		for id, values := range want.values {
			for w, v := range values {
				if w < scenario.Epoch+52*minute { // ranges of a quarter of an hour have been seen
					continue
				}
				got, ok := r.values[id][w]
				if !ok {
					missing++
				} else if compared++; !alike(got, v) {
					t.Errorf("ahead by %d min: %s at minute %d is %g, want %g", by/minute, id, (w-scenario.Epoch)/minute, got, v)
				}
			}
		}
		if compared < 500 || missing > compared/100 {
			t.Errorf("ahead by %d min: %d values compared, %d missing", by/minute, compared, missing)
		}
		state := s.AppendState(nil)
		again, _ := newTestStream(t, StreamOptions{Packs: packOf(shopRules()...), Salt: series.Salt{1}})
		if err := again.RestoreState(state); err != nil || !bytes.Equal(again.AppendState(nil), state) {
			t.Errorf("ahead by %d min: the state does not come back: %v", by/minute, err)
		}
	}
}

// alike allows for counters that are counted from another sample on.
func alike(a, b float64) bool { return math.Abs(a-b) <= .02*max(math.Abs(a), math.Abs(b)) }

// TestStampsAFewSecondsApart holds the quiet twin: requests that were handled side by side turn nothing back.
func TestStampsAFewSecondsApart(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	for at := int64(t0); at <= t0+600_000; at += 15_000 {
		for i, behind := range []int64{0, 4000, 50_000} {
			b := newBatch(at+1000-behind).add([]string{`x_total{instance="a:1"}`, `x_total{instance="b:1"}`, `x_total{instance="c:1"}`}[i], at, ramp(i, at))
			s.Apply(&b.Batch)
		}
	}
	wantValues(t, "rate", only(r, qpsID), 2, 8, 3)
	if st := s.Stats(); st.Senders[0].LastMs != t0+601_000 || st.Evicted != 0 {
		t.Errorf("heard of last at %d, %d series forgotten", st.Senders[0].LastMs-t0, st.Evicted)
	}
}
