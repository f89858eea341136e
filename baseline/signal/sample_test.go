package signal

import (
	"math"
	"testing"

	"github.com/wrackline/wrackline/baseline/series"
)

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
