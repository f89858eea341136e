package signal

import (
	"testing"
)

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
