package signal

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
)

var qps = rule("x.qps", `sum by (cluster) (rate(x_total[1m]))`)

const qpsID = "x.qps~cluster=default"

// only returns the values of a signal by window, in minutes after t0.
func only(r *recorder, id string) map[int64]float64 {
	out := map[int64]float64{}
	for end, v := range r.values[id] {
		out[(end-t0)/60_000] = v
	}
	return out
}

func wantValues(t *testing.T, what string, got map[int64]float64, from, to int64, want float64) {
	t.Helper()
	for m := from; m <= to; m++ {
		v, ok := got[m]
		if !ok || math.Abs(v-want) > 1e-9*math.Abs(want) {
			t.Errorf("%s: minute %d: %v (present: %v), want %v", what, m, v, ok, want)
		}
	}
}

func TestCounterResetIsNoDrop(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	feedSeries(s, t0, t0+600_000, 30_000, []string{`x_total{instance="a:1"}`}, func(_ int, at int64) float64 {
		if at > t0+300_000 {
			return float64(at-t0-300_000) / 1000 // began anew, as fast as before
		}
		return ramp(0, at)
	})
	wantValues(t, "rate over a reset", only(r, qpsID), 2, 8, 1)
	if got := s.Stats().Resets; got != 1 {
		t.Errorf("%d resets", got)
	}
}

func TestStartTimestampShowsAReset(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	const a = `x_total{instance="a:1"}`
	feedSeries(s, t0, t0+300_000, 30_000, []string{a}, ramp)
	// The counter began anew at +330 s and overtook its old value: 1,600 in 30 s.
	for at := int64(t0 + 360_000); at <= t0+600_000; at += 30_000 {
		b := newBatch(at + 1000)
		b.addSample(a, series.Sample{T: at, V: 1600 + float64(at-t0-360_000)/1000, Start: t0 + 330_000})
		s.Apply(&b.Batch)
	}
	got := only(r, qpsID)
	if v := got[6]; math.Abs(v-1600.0/60) > 1e-9 {
		t.Errorf("rate in the minute of the reset: %v, want %v", v, 1600.0/60)
	}
	wantValues(t, "rate after it", got, 7, 8, 1)
}

func TestNewSeriesOfALivingTargetCountsFromZero(t *testing.T) {
	for _, c := range []struct {
		name  string
		code  string // the second series
		start int64
		want  float64 // events in the minute in which the series appears, besides the ramp's 60
	}{
		{"an error code appears", `x_total{instance="a:1",code="500"}`, 0, 9},
		{"the same of another target", `x_total{instance="b:1",code="500"}`, 0, 0},
		{"another target, and the sender says since when", `x_total{instance="b:1",code="500"}`, t0 + 370_000, 9},
		{"it began long ago", `x_total{instance="b:1",code="500"}`, t0 - 3_600_000, 0},
	} {
		s, r := newTestStream(t, StreamOptions{Packs: packOf(rule("x.n", `sum by (cluster) (increase(x_total[1m]))`))})
		for at := int64(t0); at <= t0+600_000; at += 30_000 {
			b := newBatch(at+1000).add(`x_total{instance="a:1",code="200"}`, at, ramp(0, at))
			if at >= t0+390_000 {
				b.addSample(c.code, series.Sample{T: at, V: 9, Start: c.start})
			}
			s.Apply(&b.Batch)
		}
		if got := only(r, "x.n~cluster=default")[7]; math.Abs(got-60-c.want) > 1e-9 {
			t.Errorf("%s: %v events, want %v", c.name, got, 60+c.want)
		}
	}
}

func TestStaleMarkerEndsASeries(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(rule("x.g", `sum by (cluster) (g)`), qps)})
	names := []string{`g{instance="a:1"}`, `g{instance="b:1"}`, `x_total{instance="a:1"}`, `x_total{instance="b:1"}`}
	feedSeries(s, t0, t0+300_000, 30_000, names, func(i int, at int64) float64 {
		if i < 2 {
			return 5
		}
		return ramp(i, at)
	})
	for at := int64(t0 + 330_000); at <= t0+600_000; at += 30_000 {
		b := newBatch(at+1000).add(names[0], at, 5).add(names[2], at, ramp(0, at))
		if at == t0+330_000 {
			b.add(names[1], at, series.StaleNaN).add(names[3], at, series.StaleNaN)
		}
		s.Apply(&b.Batch)
	}
	wantValues(t, "gauges before", only(r, "x.g~cluster=default"), 2, 5, 10)
	wantValues(t, "gauges after", only(r, "x.g~cluster=default"), 6, 8, 5)
	wantValues(t, "counters before", only(r, qpsID), 2, 5, 2)
	wantValues(t, "counters after", only(r, qpsID), 6, 8, 1)
	st := s.Stats()
	if st.Stale != 2 || st.Clusters[0].Series != 2 || st.Incomplete > 1 {
		t.Errorf("%d stale, %d alive, %d incomplete", st.Stale, st.Clusters[0].Series, st.Incomplete)
	}
	if early, all := st.Clusters[0].Early, st.Clusters[0].WindowsClosed; early < all-2 {
		t.Errorf("%d of %d windows closed early: an ended series is waited for", early, all)
	}
}

func TestVanishedSeriesMakeAValueIncompleteNotSmaller(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	var names []string
	for i := range 5 {
		names = append(names, fmt.Sprintf(`x_total{instance="i%d:1"}`, i))
	}
	feedSeries(s, t0, t0+300_000, 30_000, names, ramp)
	feedSeries(s, t0+330_000, t0+900_000, 30_000, names[:3], ramp) // two vanish without a marker
	got := only(r, qpsID)
	wantValues(t, "before", got, 2, 5, 5)
	for m := int64(6); m < 10; m++ {
		if v, ok := got[m]; ok {
			t.Errorf("minute %d: %v is given though two of five are missing", m, v)
		}
	}
	wantValues(t, "after five minutes they count as gone", got, 11, 12, 3)
	if s.Stats().Incomplete < 4 {
		t.Errorf("incomplete: %d", s.Stats().Incomplete)
	}
}

func replicaOf(name, replica string) string {
	return strings.TrimSuffix(name, "}") + `,prometheus_replica="` + replica + `"}`
}

// pair feeds what an HA pair sends: replica b scrapes 7 s after a. alive says which of them gives a series at a time.
func pair(s *Stream, from, to int64, names []string, alive func(rep, i int, at int64) bool) {
	for at := from; at <= to; at += 30_000 {
		for rep, offset := range []int64{0, 7_000} {
			b := newBatch(at + offset + 1000)
			b.Sender = string(rune('a' + rep))
			for i, n := range names {
				if alive(rep, i, at) {
					b.add(replicaOf(n, b.Sender), at+offset, ramp(i, at+offset))
				}
			}
			s.Apply(&b.Batch)
		}
	}
}

func TestPairCountsOnceWithoutConfiguration(t *testing.T) {
	names := []string{`x_total{instance="a:1"}`, `x_total{instance="b:1"}`, `x_total{instance="c:1"}`}
	for _, c := range []struct {
		name  string
		alive func(rep, i int, at int64) bool
		takes bool
	}{
		{"both alive", func(int, int, int64) bool { return true }, false},
		{"the first dies", func(rep, _ int, at int64) bool { return rep == 1 || at < t0+300_000 }, true},
		{"the second dies", func(rep, _ int, at int64) bool { return rep == 0 || at < t0+300_000 }, false},
		{"a shard of the first stalls for good", func(rep, i int, at int64) bool { return rep == 1 || i != 1 || at < t0+300_000 }, true},
		{"a shard of the first stalls and comes back", func(rep, i int, at int64) bool { return rep == 1 || i != 1 || at < t0+300_000 || at > t0+480_000 }, true},
		{"a shard of each stalls", func(rep, i int, at int64) bool { return at < t0+300_000 || i == 2 || i != rep }, true},
	} {
		s, r := newTestStream(t, StreamOptions{Packs: packOf(qps)})
		pair(s, t0, t0+900_000, names, c.alive)
		wantValues(t, c.name, only(r, qpsID), 2, 12, 3)
		st := s.Stats()
		if st.Tracked != 3 || st.Resets != 0 || st.OutOfOrder != 0 || (st.Takeovers > 0) != c.takes {
			t.Errorf("%s: %d tracked, %d resets, %d out of order, %d takeovers", c.name, st.Tracked, st.Resets, st.OutOfOrder, st.Takeovers)
		}
		if len(st.Clusters) != 1 || st.Senders[0].Replica != "a" || st.Senders[1].Replica != "b" {
			t.Errorf("%s: %+v %+v", c.name, st.Clusters, st.Senders)
		}
	}
}

func TestReplicaThatLostATargetIsCovered(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	names := []string{`x_total{instance="a:1"}`}
	pair(s, t0, t0+300_000, names, func(int, int, int64) bool { return true })
	b := newBatch(t0+331_000).add(replicaOf(names[0], "a"), t0+330_000, series.StaleNaN)
	b.Sender = "a"
	s.Apply(&b.Batch)
	pair(s, t0+330_000, t0+600_000, names, func(rep, _ int, _ int64) bool { return rep == 1 })
	wantValues(t, "rate", only(r, qpsID), 2, 8, 1)
}

func TestSendersWithoutReplicaLabelInterleave(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	const a = `x_total{instance="a:1"}`
	for at := int64(t0); at <= t0+600_000; at += 30_000 {
		for i, offset := range []int64{0, 12_000} {
			b := newBatch(at+offset+1000).add(a, at+offset, ramp(0, at+offset))
			b.Sender = string(rune('a' + i))
			s.Apply(&b.Batch)
			s.Apply(&b.Batch) // a retry
		}
	}
	wantValues(t, "rate", only(r, qpsID), 2, 8, 1)
	if st := s.Stats(); st.Duplicate != st.Needed/2 || st.OutOfOrder != 0 {
		t.Errorf("%d of %d are duplicates, %d out of order", st.Duplicate, st.Needed, st.OutOfOrder)
	}
}

func TestBucketsCountTogetherOrNotAtAll(t *testing.T) {
	p90 := rule("h.p90", `histogram_quantile(0.9, sum by (cluster, le) (rate(h_bucket[1m])))`)
	s, r := newTestStream(t, StreamOptions{Packs: packOf(p90)})
	les := []string{"0.1", "1", "+Inf"}
	// Each bucket travels in a shard of its own. Half of the observations are below 0.1, the rest below 1.
	value := func(i int, at int64) float64 { return []float64{0.5, 1, 1}[i] * ramp(0, at) }
	stalled := func(i int, at int64) bool { return i == 0 && at > t0+300_000 && at <= t0+480_000 }
	for at := int64(t0); at <= t0+900_000; at += 30_000 {
		for i, le := range les {
			if stalled(i, at) {
				continue
			}
			b := newBatch(at + int64(i)*3000 + 500)
			if i == 0 && at == t0+510_000 { // what the stall held back
				for late := int64(t0 + 330_000); late < at; late += 30_000 {
					b.add(fmt.Sprintf(`h_bucket{instance="a:1",le="%s"}`, le), late, value(i, late))
				}
			}
			b.add(fmt.Sprintf(`h_bucket{instance="a:1",le="%s"}`, le), at, value(i, at))
			s.Apply(&b.Batch)
		}
	}
	got := only(r, "h.p90~cluster=default")
	for m, v := range got {
		if math.Abs(v-0.82) > 1e-9 { // 0.1 + 0.9·(0.9−0.5)/0.5
			t.Errorf("minute %d: p90 %v, want 0.82", m, v)
		}
	}
	for _, m := range []int64{2, 3, 4, 5, 10, 11, 12} {
		if _, ok := got[m]; !ok {
			t.Errorf("minute %d: no value", m)
		}
	}
	for _, m := range []int64{6} {
		if _, ok := got[m]; ok {
			t.Errorf("minute %d has a value from two of three buckets", m)
		}
	}
}

func TestPairSwitchesBucketsTogether(t *testing.T) {
	p90 := rule("h.p90", `histogram_quantile(0.9, sum by (cluster, le) (rate(h_bucket[1m])))`)
	s, r := newTestStream(t, StreamOptions{Packs: packOf(p90)})
	names := []string{`h_bucket{instance="a:1",le="0.1"}`, `h_bucket{instance="a:1",le="1"}`, `h_bucket{instance="a:1",le="+Inf"}`}
	for at := int64(t0); at <= t0+900_000; at += 30_000 {
		for rep, offset := range []int64{0, 7_000} {
			b := newBatch(at + offset + 1000)
			b.Sender = string(rune('a' + rep))
			for i, n := range names {
				if rep == 0 && i == 1 && at > t0+300_000 {
					continue // its shard stalls
				}
				b.add(replicaOf(n, b.Sender), at+offset, []float64{0.5, 1, 1}[i]*ramp(0, at+offset))
			}
			s.Apply(&b.Batch)
		}
	}
	got := only(r, "h.p90~cluster=default")
	for m := int64(2); m <= 12; m++ {
		// While the stall may yet be over, and where the buckets were read at different times, there is no value rather than a wrong one.
		if v, ok := got[m]; ok != (m < 6 || m > 8) || ok && math.Abs(v-0.82) > 1e-9 {
			t.Errorf("minute %d: p90 %v %v, want 0.82, and none in minutes 6 to 8", m, v, ok)
		}
	}
	if rep := s.groups[s.hot[0].group].replica; s.replicas[rep] != "b" {
		t.Errorf("the set is read from %q", s.replicas[rep])
	}
}

func TestOutageIsReplayedInOrder(t *testing.T) {
	names := []string{`x_total{instance="a:1"}`, `x_total{instance="b:1"}`}
	s, r := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	feedSeries(s, t0, t0+600_000, 30_000, names, ramp)
	// For two hours nothing arrives, then everything within a minute, from two shards of which one runs ahead by two minutes.
	now := int64(t0 + 600_000 + 2*hour)
	for at := int64(t0 + 630_000); at <= now; at += 30_000 {
		for i, lead := range []int64{120_000, 0} {
			if x := at + lead; x <= now {
				b := newBatch(now+(at-t0)/120).add(names[i], x, ramp(i, x))
				if lead > 0 && at == t0+630_000 {
					b = newBatch(now)
					for x := at; x <= at+lead; x += 30_000 {
						b.add(names[i], x, ramp(i, x))
					}
				}
				s.Apply(&b.Batch)
			}
		}
	}
	feedSeries(s, now+30_000, now+300_000, 30_000, names, ramp)
	got := only(r, qpsID)
	wantValues(t, "rate", got, 2, (now-t0)/60_000+3, 2)
	if st := s.Stats(); st.Late != 0 || st.Incomplete > 1 {
		t.Errorf("%d late, %d incomplete", st.Late, st.Incomplete)
	}
	last := int64(0)
	for _, w := range r.windows {
		var end int64
		fmt.Sscanf(w, "default %d", &end)
		if end <= last {
			t.Fatalf("window %d closed after %d", end, last)
		}
		last = end
	}
}

func TestGapOfHoursClosesNoEmptyWindows(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	names := []string{`x_total{instance="a:1"}`}
	feedSeries(s, t0, t0+600_000, 30_000, names, ramp)
	later := int64(t0 + 400*hour)
	feedSeries(s, later, later+600_000, 30_000, names, ramp)
	got := only(r, qpsID)
	wantValues(t, "before", got, 2, 8, 1)
	wantValues(t, "after", got, 400*60+2, 400*60+8, 1)
	if len(r.windows) > 30 {
		t.Errorf("%d windows closed", len(r.windows))
	}
	for m := range got {
		if m > 10 && m < 400*60 {
			t.Errorf("minute %d in the gap has a value", m)
		}
	}
}

func TestLateSenderIsCountedAndDoesNotSpoil(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(rule("x.by", `sum by (cluster, job) (rate(x_total[1m]))`))})
	late := int64(180_000)
	for at := int64(t0); at <= t0+900_000; at += 30_000 {
		b := newBatch(at+1000).add(`x_total{job="prompt"}`, at, ramp(0, at))
		s.Apply(&b.Batch)
		if at >= t0+late {
			b := newBatch(at+1500).add(`x_total{job="late"}`, at-late, ramp(0, at-late))
			b.Sender = "late"
			s.Apply(&b.Batch)
		}
	}
	wantValues(t, "the prompt sender", only(r, "x.by~cluster=default~job=prompt"), 2, 12, 1)
	if st := s.Stats(); st.Late < 15 || st.Senders[0].Name != "late" || st.Senders[0].Late < 15 {
		t.Errorf("%d late: %+v", st.Late, st.Senders)
	}
	if n := len(r.values["x.by~cluster=default~job=late"]); n > 0 {
		t.Errorf("the late sender gave %d values for closed windows", n)
	}
}

func TestEarlySender(t *testing.T) {
	// Its clock runs five minutes ahead, alone in its cluster.
	s, r := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	names := []string{`x_total{instance="a:1"}`, `x_total{instance="b:1"}`}
	for at := int64(t0); at <= t0+900_000; at += 30_000 {
		b := newBatch(at - 300_000)
		for i, n := range names {
			b.add(n, at, ramp(i, at))
		}
		s.Apply(&b.Batch)
	}
	wantValues(t, "rate", only(r, qpsID), 2, 12, 2)

	// Further ahead than anybody may be.
	b := newBatch(t0+900_000).add(names[0], t0+900_000+600_001, 1).add(names[1], t0+900_000+600_000, 1)
	if res := s.Apply(&b.Batch); res.Rejected != 1 || res.Samples != 1 || !strings.Contains(res.Reason, "clock") {
		t.Errorf("%+v", res)
	}
	if s.Stats().Future != 1 {
		t.Errorf("%d future", s.Stats().Future)
	}
}

func TestOddSamples(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	const a = `x_total{instance="a:1"}`
	n := 0
	for at := int64(t0); at <= t0+600_000; at += 30_000 {
		b := newBatch(at+1000).add(a, at, ramp(0, at))
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			b.add(a, at+10_000, v)
		}
		b.add(a, at-60_000, 4).add(a, 0, 5).add(a, -7, 5).add(a, math.MinInt64, 5).add(a, at, ramp(0, at))
		n += len(b.Samples)
		if res := s.Apply(&b.Batch); res.Samples != len(b.Samples) || res.Rejected != 0 {
			t.Fatalf("%+v", res)
		}
	}
	wantValues(t, "rate", only(r, qpsID), 2, 8, 1)
	st := s.Stats()
	if st.Unusable != int64(n)*3/9 || st.OutOfOrder != int64(n)*4/9 || st.Duplicate != int64(n)/9 {
		t.Errorf("%d samples: %d unusable, %d out of order, %d duplicate", n, st.Unusable, st.OutOfOrder, st.Duplicate)
	}
}

func TestSeriesNobodyNeedsCostALookup(t *testing.T) {
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	b := newBatch(t0 + 1000)
	for i := range 100 {
		b.add(fmt.Sprintf(`y_total{i="%d"}`, i), t0, 1)
	}
	b.add(`x_total{instance="a:1"}`, t0, 1)
	s.Apply(&b.Batch)
	reads := 0
	b.Labels = readerFunc(func(dst series.Labels, i int) (series.Labels, error) { reads++; return b.AppendLabels(dst, i) })
	if res := s.Apply(&b.Batch); res.Samples != 101 || reads != 0 {
		t.Errorf("%+v, labels read %d times for known series", res, reads)
	}
	if st := s.Stats(); st.Ignored != 200 || st.Needed != 2 || st.Tracked != 1 || st.Series != 101 {
		t.Errorf("%d ignored, %d needed, %d tracked of %d", st.Ignored, st.Needed, st.Tracked, st.Series)
	}
}

type readerFunc func(dst series.Labels, i int) (series.Labels, error)

func (f readerFunc) AppendLabels(dst series.Labels, i int) (series.Labels, error) { return f(dst, i) }

func TestSeriesLimitRefusesNewOnesOnly(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(qps), MaxSeries: 10})
	var names []string
	for i := range 30 {
		names = append(names, fmt.Sprintf(`x_total{instance="i%d:1"}`, i), fmt.Sprintf(`y_total{i="%d"}`, i))
	}
	b := newBatch(t0 + 1000)
	for _, n := range names {
		b.add(n, t0, ramp(0, t0))
	}
	res := s.Apply(&b.Batch)
	st := s.Stats()
	if st.Tracked != 10 || st.Series > 20 || res.Rejected == 0 || res.Samples+res.Rejected != 60 || int(st.OverSeries) != res.Rejected {
		t.Errorf("%+v; %d tracked of %d", res, st.Tracked, st.Series)
	}
	if !strings.Contains(res.Reason, "max_series") || !strings.Contains(res.Reason, "10 series") {
		t.Errorf("reason %q", res.Reason)
	}
	feedSeries(s, t0+30_000, t0+300_000, 30_000, names, ramp)
	wantValues(t, "those within the limit", only(r, qpsID), 2, 3, 10)
}

func TestSignalLimit(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(rule("x.by", `sum by (cluster, job) (rate(x_total[1m]))`)), MaxSignals: 3})
	var names []string
	for i := range 8 {
		names = append(names, fmt.Sprintf(`x_total{job="j%d"}`, i))
	}
	feedSeries(s, t0, t0+300_000, 30_000, names, ramp)
	if len(s.Signals()) != 3 || len(r.values) != 3 || s.Stats().OverSignals == 0 {
		t.Errorf("%d signals, %d refused", len(s.Signals()), s.Stats().OverSignals)
	}
	for id, v := range r.values {
		if len(v) < 3 {
			t.Errorf("%s has %d values", id, len(v))
		}
	}
}

func TestFewEventsGiveNoValue(t *testing.T) {
	few := rule("x.errors", `sum by (cluster) (rate(x_total{code="500"}[1m])) / sum by (cluster) (rate(x_total[1m]))`)
	few.MinEvents = 100
	s, r := newTestStream(t, StreamOptions{Packs: packOf(few)})
	value := func(i int, at int64) float64 {
		if at > t0+300_000 {
			return 1000 + 300 + 3*float64(at-t0-300_000)/1000
		}
		return ramp(i, at) // 60 events a minute
	}
	feedSeries(s, t0, t0+600_000, 30_000, []string{`x_total{code="200"}`, `x_total{code="other"}`}, func(i int, at int64) float64 { return value(i, at) / 2 })
	got := only(r, "x.errors~cluster=default")
	wantValues(t, "a code that never was is zero", got, 6, 8, 0)
	for m := int64(2); m <= 5; m++ {
		if v, ok := got[m]; ok {
			t.Errorf("minute %d: %v from 60 events, fewer than 100", m, v)
		}
	}
	if s.Stats().FewEvents < 4 {
		t.Errorf("%d with few events", s.Stats().FewEvents)
	}
}

func TestFormsFallBackAndRulesAreDormant(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(rule("x.hits", `sum by (cluster) (rate(hits_total[1m])) / sum by (cluster) (rate(asked_total[1m]))`,
		`sum by (cluster) (rate(hits_total[1m])) / (sum by (cluster) (rate(hits_total[1m])) + sum by (cluster) (rate(misses_total[1m])))`))})
	form := func() int { return s.Stats().Rules[0].Form }
	feedSeries(s, t0, t0+300_000, 30_000, []string{`hits_total{i="1"}`}, ramp)
	if st := s.Stats().Rules[0]; st.Form != -1 || !slices.Equal(st.Missing, []string{"asked_total", "misses_total"}) {
		t.Errorf("with hits only: %+v", st)
	}
	feedSeries(s, t0+330_000, t0+600_000, 30_000, []string{`hits_total{i="1"}`, `misses_total{i="1"}`}, ramp)
	if form() != 1 {
		t.Errorf("with hits and misses: form %d", form())
	}
	feedSeries(s, t0+630_000, t0+900_000, 30_000, []string{`hits_total{i="1"}`, `asked_total{i="1"}`}, func(i int, at int64) float64 { return ramp(i, at) * float64(i+1) })
	if form() != 0 {
		t.Errorf("with hits and questions: form %d", form())
	}
	wantValues(t, "share of hits", only(r, "x.hits~cluster=default"), 7, 8, 0.5)
	wantValues(t, "share of hits", only(r, "x.hits~cluster=default"), 12, 13, 0.5)
	x := s.Explain("x.hits")
	if x.Rule == nil || len(x.Clusters) != 1 || x.Clusters[0].Form != 0 || len(x.Clusters[0].Leaves) != 2 || x.Clusters[0].Leaves[1].Live != 1 ||
		!slices.Equal(x.Clusters[0].Groups, []string{"x.hits~cluster=default"}) {
		t.Errorf("%+v", x)
	}
	if s.Explain("no.such").Rule != nil {
		t.Error("an unknown rule is explained")
	}
}

func TestClusterIsDecidedForTheSender(t *testing.T) {
	by := rule("x.by", `sum by (cluster) (rate(x_total[1m]))`)
	var plain, prod, own []string
	for i := range 60 {
		plain = append(plain, fmt.Sprintf(`x_total{i="%d"}`, i))
		prod = append(prod, fmt.Sprintf(`x_total{i="%d",cluster="prod"}`, i))
		own = append(own, fmt.Sprintf(`x_total{i="%d",cluster="redis-%d"}`, i, i%3))
	}
	for _, c := range []struct {
		name  string
		fixed string
		names []string
		want  map[string]float64
	}{
		{"nobody names it", "", plain, map[string]float64{"default": 60}},
		{"an external label", "", prod, map[string]float64{"prod": 60}},
		{"the token names it", "edge", prod, map[string]float64{"edge": 60}},
		{"some exporters have such a label of their own", "", append(slices.Clone(prod), own[:12]...), map[string]float64{"prod": 72}},
		{"they come first", "", append(slices.Clone(own[:15]), prod...), map[string]float64{"prod": 75}},
		{"they come first, and the rest has none", "", append(slices.Clone(own[:12]), plain...), map[string]float64{"default": 72}},
		{"an agent for two clusters", "", append(append(slices.Clone(prod), `x_total{cluster="eu"}`, `kube_node_info{node="n",cluster="eu"}`), `x_total{i="2",cluster="eu"}`),
			map[string]float64{"prod": 60, "eu": 2}},
	} {
		s, r := newTestStream(t, StreamOptions{Packs: packOf(by)})
		for at := int64(t0); at <= t0+600_000; at += 30_000 {
			b := newBatch(at + 1000)
			b.Cluster = c.fixed
			for i, n := range c.names {
				b.add(n, at, ramp(i, at))
			}
			s.Apply(&b.Batch)
		}
		for name, want := range c.want {
			wantValues(t, c.name, only(r, "x.by~cluster="+name), 4, 7, want)
		}
		if st := s.Stats(); len(st.Clusters) != len(c.want) {
			t.Errorf("%s: clusters %+v", c.name, st.Clusters)
		}
	}
}

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

func TestIdleSeriesAreForgotten(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(cpuRule, rule("x.max", `max by (cluster) (sum by (cluster, pod) (rate(container_cpu_usage_seconds_total[1m])))`))})
	stay := []string{cpu("n", "web-8448574976-aaaaa"), podOwner("n", "web-8448574976-aaaaa", "ReplicaSet", "web-8448574976"),
		`kube_replicaset_owner{namespace="n",replicaset="web-8448574976",owner_kind="Deployment",owner_name="web"}`}
	n, tracked, sets := 0, 0, 0
	rnd := rand.New(rand.NewPCG(1, 1))
	for at := int64(t0); at <= t0+30*hour; at += 10 * 60_000 {
		names := append([]string(nil), stay...)
		for range 10 { // pods that live for five minutes
			pod := "job-" + randomSuffix(rnd) + "-" + randomSuffix(rnd)
			n++
			names = append(names, cpu("n", pod), podOwner("n", pod, "Job", "job-"+fmt.Sprint(n)), fmt.Sprintf(`y_total{pod="%s"}`, pod),
				fmt.Sprintf(`kube_job_owner{namespace="n",job_name="job-%d",owner_kind="CronJob",owner_name="job"}`, n))
		}
		feedSeries(s, at, at+300_000, 60_000, names, ramp)
		feedSeries(s, at+360_000, at+540_000, 60_000, stay, ramp)
		tracked = max(tracked, s.Stats().Tracked)
		sets = max(sets, s.clusters[0].table.Len())
	}
	st := s.Stats()
	if tracked > 300 || st.Series > 500 || s.clusters[0].book.Sizes().Pods > 100 || s.clusters[0].book.Sizes().Jobs > 100 || sets > 10_000 || st.Evicted < int64(n)*3 {
		t.Errorf("%d pods came and went: at most %d tracked, now %d known, %d pods, %d jobs, %d label sets, %d evicted", n, tracked, st.Series, s.clusters[0].book.Sizes().Pods,
			s.clusters[0].book.Sizes().Jobs, sets, st.Evicted)
	}
	web := only(r, "wl.cpu~cluster=default~namespace=n~workload=web")
	for m := int64(3); m < 30*60-5; m++ {
		if v, ok := web[m]; !ok || math.Abs(v-1) > 1e-9 {
			t.Fatalf("the workload that stays, minute %d: %v %v", m, v, ok)
		}
	}
	if x, ok := explainPod(s, "default", "n", "web-8448574976-aaaaa"); !ok || x.Why != "kube_pod_owner names a ReplicaSet, kube_replicaset_owner its owner" || x.Series != 2 {
		t.Errorf("%+v %v", x, ok)
	}
	if got := ids(r); len(got) != 3 {
		t.Errorf("signals %v", got)
	}
}

func TestHostileLabels(t *testing.T) {
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(shopRules()...)})
	long := strings.Repeat("x", series.LabelValueMax)
	bad := []series.Labels{
		{},
		{{Name: "a", Value: "b"}},
		{{Name: series.NameLabel, Value: "up"}, {Name: "a", Value: "1"}, {Name: "a", Value: "2"}},
		{{Name: series.NameLabel, Value: "up"}, {Name: "", Value: "1"}},
		{{Name: series.NameLabel, Value: "up"}, {Name: "a", Value: "\xff"}},
		{{Name: series.NameLabel, Value: "up"}, {Name: "a", Value: long + "x"}},
	}
	odd := []series.Labels{
		{{Name: series.NameLabel, Value: "up"}, {Name: "cluster", Value: "~=!"}, {Name: "job", Value: long}},
		{{Name: series.NameLabel, Value: "kube_pod_owner"}, {Name: "pod", Value: "-"}, {Name: "owner_kind", Value: "Pod"}, {Name: "owner_name", Value: "-"}},
		{{Name: series.NameLabel, Value: "kube_pod_owner"}},
		{{Name: series.NameLabel, Value: "kube_node_info"}, {Name: "internal_ip", Value: "::1"}},
		{{Name: series.NameLabel, Value: "kube_replicaset_owner"}, {Name: "replicaset", Value: "-"}, {Name: "owner_kind", Value: "ReplicaSet"}, {Name: "owner_name", Value: "-"}},
		{{Name: series.NameLabel, Value: "container_memory_working_set_bytes"}, {Name: "pod", Value: strings.Repeat("-", 63)}, {Name: "container", Value: "c"}, {Name: "instance", Value: ":"}},
		{{Name: series.NameLabel, Value: "coredns_dns_request_duration_seconds_bucket"}, {Name: "le", Value: "NaN"}},
		{{Name: series.NameLabel, Value: "coredns_dns_request_duration_seconds_bucket"}, {Name: "le", Value: "-Inf"}},
		{{Name: series.NameLabel, Value: "coredns_dns_request_duration_seconds_bucket"}},
		{{Name: series.NameLabel, Value: "up"}, {Name: "__replica__", Value: "a"}, {Name: "prometheus_replica", Value: "b"}},
	}
	for step := range int64(12) {
		b := newBatch(t0 + step*30_000)
		for i, l := range append(slices.Clone(bad), odd...) {
			n := uint32(len(b.Samples))
			b.labels = append(b.labels, l)
			b.Entries = append(b.Entries, series.Entry{Key: uint64(i) << 40, SampleLo: n, SampleHi: n + 1})
			b.Samples = append(b.Samples, series.Sample{T: b.ReceivedMs, V: float64(step) * 1e308})
		}
		b.Entries = append(b.Entries, series.Entry{Key: 99})
		b.labels = append(b.labels, nil)
		b.Labels = readerFunc(func(dst series.Labels, i int) (series.Labels, error) {
			if b.labels[i] == nil {
				return dst, errors.New("cannot be read")
			}
			return append(dst, b.labels[i]...), nil
		})
		if res := s.Apply(&b.Batch); res.Rejected != len(bad) || res.Samples != len(odd) || res.Reason == "" {
			t.Fatalf("%+v, want %d rejected", res, len(bad))
		}
	}
	if st := s.Stats(); st.BadSeries != 12*int64(len(bad)+1) {
		t.Errorf("%d bad series", st.BadSeries)
	}
}

func TestNativeHistogramsAreCounted(t *testing.T) {
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	b := newBatch(t0)
	b.labels = []series.Labels{parseLabels(`x_total{a="b"}`)}
	b.Histograms = []series.Histogram{{T: t0}, {T: t0 + 700_000}}
	b.Entries = []series.Entry{{Key: 1, HistHi: 2}}
	if res := s.Apply(&b.Batch); res.Histograms != 1 || res.Rejected != 1 || s.Stats().Histograms != 1 {
		t.Errorf("%+v", res)
	}
}

// TestShardsAndStallsGiveWhatAQuietSenderGives compares two ways in which the same cluster may be sent.
func TestShardsAndStallsGiveWhatAQuietSenderGives(t *testing.T) {
	run := func(c scenario.Config) *recorder {
		s, r := newTestStream(t, StreamOptions{Packs: packOf(shopRules()...)})
		play(s, generator(t, c), c.StartMs+40*60_000)
		return r
	}
	c := busy
	c.Replicas, c.Shards = 1, 1
	plain := run(c)
	sharded := run(busy)
	compared, far := 0, 0
	for id, values := range plain.values {
		// Counts and sums of gauges depend on when a scrape is made; sums of rates do not, much.
		if !strings.HasPrefix(id, "dns.qps") && !strings.HasPrefix(id, "wl.cpu") && !strings.HasPrefix(id, "dns.p99") {
			continue
		}
		for end, v := range values {
			w, ok := sharded.values[id][end]
			if !ok {
				continue
			}
			compared++
			if math.Abs(v-w) > 0.05*max(math.Abs(v), 0.05) {
				far++
			}
		}
	}
	if compared < 1000 || far*50 > compared {
		t.Errorf("%d of %d values are more than 5 %% apart", far, compared)
	}
	t.Logf("%d of %d values are more than 5 %% apart", far, compared)
}
