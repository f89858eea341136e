package signal

import (
	"fmt"
	"slices"
	"testing"
)

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

// What was never there is not missed, what was is missed for a day, and it is no longer missed when it is back.
func TestAbsentIsAskedOfWhatWasThere(t *testing.T) {
	var values []float64
	var ends []int64
	s, err := NewStream(StreamOptions{Packs: packOf(rule("x.gone", `absent(app_up) or on (cluster) 0 * count by (cluster) (up)`))}, func(w *Window) {
		for _, o := range w.Observations {
			values, ends = append(values, o.Value), append(ends, w.End)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	send := func(minute int64, app bool) {
		at := t0 + minute*60_000
		b := newBatch(at+1000).add(`up{instance="a"}`, at, 1)
		if app {
			b.add(`app_up{instance="a"}`, at, 1)
		}
		s.Apply(&b.Batch)
	}
	m := int64(0)
	for ; m < 60; m++ {
		send(m, false)
	}
	if len(values) != 0 {
		t.Fatalf("%d values of an app that was never there", len(values))
	}
	for ; m < 120; m++ {
		send(m, true)
	}
	for ; m < 180; m++ {
		send(m, false)
	}
	for ; m < 200; m++ {
		send(m, true)
	}
	for ; m < 200+26*60; m++ {
		send(m, false)
	}
	first, last, back := int64(-1), int64(-1), int64(-1)
	for i, v := range values {
		at := (ends[i] - t0) / 60_000
		switch {
		case v == 1 && first < 0:
			first = at
		case v == 0 && first >= 0 && back < 0:
			back = at
		}
		last = at
	}
	if first < 122 || first > 127 {
		t.Errorf("missed since minute %d, want 5 minutes after 119", first)
	}
	if back < 180 || back > 183 {
		t.Errorf("there again at minute %d, want 180 to 183", back)
	}
	if last < 199+23*60 || last > 199+25*60 {
		t.Errorf("missed until minute %d, want a day after 199", last)
	}
}
