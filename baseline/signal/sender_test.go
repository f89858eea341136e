package signal

import (
	"bytes"
	"fmt"
	"testing"
)

func TestSameLabelsInTwoFixedClustersAreTwoSeries(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	for at := int64(t0); at <= t0+600_000; at += 30_000 {
		for i, name := range []string{"eu", "us"} {
			b := newBatch(at+1000).add(`x_total{instance="a:1"}`, at, ramp(0, at)*float64(i+1))
			b.Sender, b.Cluster = name, name
			s.Apply(&b.Batch)
		}
	}
	wantValues(t, "eu", only(r, "x.qps~cluster=eu"), 2, 8, 1)
	wantValues(t, "us", only(r, "x.qps~cluster=us"), 2, 8, 2)
}

// Samples of a sender are used when they are judged, or stand by; not when nothing needs them, when they come too late to be judged, or when they are the same old ones again.
func TestWhenSamplesOfASenderWereUsed(t *testing.T) {
	const x, other = `x_total{instance="a:1"}`, `y_total{instance="a:1"}`
	type request struct {
		sender, series string
		t              int64 // of the sample, after its receive time
	}
	for _, c := range []struct {
		name string
		who  string // whose last use is asked for
		each func(k int64) []request
		used int64 // how many rounds of twenty are used, the last of them being the last one used
	}{
		{"all", "a", func(int64) []request { return []request{{"a", x, -1000}} }, 20},
		{"none is needed any more", "a", func(k int64) []request { return []request{{"a", map[bool]string{true: x, false: other}[k < 8], -1000}} }, 8},
		{"none was ever needed", "a", func(int64) []request { return []request{{"a", other, -1000}} }, 0},
		{"its clock is set back", "a", func(k int64) []request {
			return []request{{"a", x, map[bool]int64{true: -1000, false: -7_200_000}[k < 8]}}
		}, 8},
		{"its clock is far ahead", "a", func(k int64) []request {
			return []request{{"a", x, map[bool]int64{true: -1000, false: 3_600_000}[k < 8]}}
		}, 8},
		{"the same sample for ever", "a", func(k int64) []request { return []request{{"a", x, -30_000 * max(0, k-8)}} }, 9},
		{"somebody else sends the same first", "b", func(int64) []request { return []request{{"a", x, -1000}, {"b", x, -1000}} }, 20},
		{"the other half of a pair", "b", func(int64) []request {
			return []request{{"a", replicaOf(x, "a"), -1000}, {"b", replicaOf(x, "b"), -900}}
		}, 20},
	} {
		s, _ := newTestStream(t, StreamOptions{Packs: packOf(qps)})
		var last int64
		for k := range int64(20) {
			at := t0 + k*30_000
			for _, q := range c.each(k) {
				b := newBatch(at).add(q.series, at+q.t, float64(k))
				b.Sender = q.sender
				s.Apply(&b.Batch)
			}
			if k == c.used-1 {
				last = at
			}
		}
		check := func(what string, st Stats) {
			t.Helper()
			for _, x := range st.Senders {
				if x.Name == c.who && (x.UsedMs != last || x.LastMs != t0+19*30_000) {
					t.Errorf("%s, %s: used %d s after the beginning, heard of %d s, want %d s", c.name, what, (x.UsedMs-t0)/1000, (x.LastMs-t0)/1000, (last-t0)/1000)
				}
			}
		}
		check("live", s.Stats())
		again, _ := restored(t, StreamOptions{Packs: packOf(qps)}, s.AppendState(nil))
		check("restored", again.Stats())
		older, _ := restored(t, StreamOptions{Packs: packOf(qps)}, s.appendState(nil, 8))
		for _, x := range older.Stats().Senders {
			if x.UsedMs != x.LastMs {
				t.Errorf("%s: of a state that does not say it: used %d, heard of %d", c.name, x.UsedMs, x.LastMs)
			}
		}
	}
}

// Names that were heard in passing become one when there are too many to be told apart: who comes later has a name of his own, nothing of what anybody holds is lost from sight, and a restart at any moment
// goes on the same. Names that go on being heard stay as they are.
func TestNamesInPassingMakeRoom(t *testing.T) {
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	again, _ := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	apply := func(name, series string, at int64) {
		for _, x := range []*Stream{s, again} {
			b := newBatch(at).add(series, at-1000, ramp(0, at))
			b.Sender = name
			x.Apply(&b.Batch)
		}
	}
	k := 0
	for at := int64(t0); at < t0+30*60_000; at += 15_000 {
		for range 60 {
			k++
			apply(fmt.Sprintf("f%d", k), fmt.Sprintf(`x_total{instance="f%d:1"}`, k), at)
		}
		apply("first", `x_total{instance="first:1"}`, at)
		if at > t0+8*60_000 {
			apply("late", `x_total{instance="late:1"}`, at)
			apply("late", `x_total{instance="f7:1"}`, at) // of a name in passing
		}
		if at%(4*60_000) == 0 {
			again, _ = restored(t, StreamOptions{Packs: packOf(qps)}, again.AppendState(nil))
		}
	}
	if !bytes.Equal(s.AppendState(nil), again.AppendState(nil)) {
		t.Error("with restarts the state is another one")
	}
	for _, st := range []Stats{s.Stats(), again.Stats()} {
		tracked, found, seen := 0, map[string]int64{}, int64(0)
		for _, x := range st.Senders {
			tracked, found[x.Name], seen = tracked+x.Tracked, x.Samples, seen+x.Samples
		}
		if tracked != st.Tracked || seen != st.Samples || len(st.Senders) > 1001 {
			t.Errorf("%d senders hold %d of %d series and sent %d of %d samples", len(st.Senders), tracked, st.Tracked, seen, st.Samples)
		}
		if found["first"] != 120 || found["late"] < 2*80 || found["other"] == 0 {
			t.Errorf("first %d, late %d, other %d samples", found["first"], found["late"], found["other"])
		}
	}
}
