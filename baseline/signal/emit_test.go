package signal

import (
	"bytes"
	"fmt"
	"testing"
)

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

// TestSignalsRetire holds that a signal that nobody can see any more makes room, that the state does not depend on it, and that a
// cluster that was away for longer keeps what it brings back.
func TestSignalsRetire(t *testing.T) {
	opts := StreamOptions{Packs: packOf(rule("t.a", `sum by (cluster, i) (rate(a_total[1m]))`)), RetireMs: 2 * hour, MaxSignals: 3}
	s, r := newTestStream(t, opts)
	one, two := `a_total{i="1"}`, `a_total{i="2"}`
	feedSeries(s, t0, t0+600_000, 30_000, []string{one, two, `a_total{i="3"}`, `a_total{i="4"}`}, ramp)
	if st := s.Stats(); st.Signals != 3 || st.OverSignals == 0 {
		t.Fatalf("%d signals, %d over the limit", st.Signals, st.OverSignals)
	}
	feedSeries(s, t0+630_000, t0+3*hour, 30_000, []string{two}, ramp)
	if st := s.Stats(); st.Signals != 1 || st.Retired != 2 {
		t.Fatalf("%d signals, %d retired; want 1 and 2", st.Signals, st.Retired)
	}
	n, _ := newTestStream(t, opts)
	n.closed = r.closed
	if err := n.RestoreState(s.AppendState(nil)); err != nil {
		t.Fatal(err)
	}
	if a, b := s.AppendState(nil), n.AppendState(nil); !bytes.Equal(a, b) {
		t.Error("the restored state differs")
	}
	for _, x := range []*Stream{s, n} { // numbers are given out differently, which must not show
		feedSeries(x, t0+3*hour+30_000, t0+3*hour+600_000, 30_000, []string{`a_total{i="5"}`, two, `a_total{i="0"}`}, ramp)
		if st := x.Stats(); st.Signals != 3 {
			t.Errorf("%d signals, want 3", st.Signals)
		}
	}
	if a, b := s.AppendState(nil), n.AppendState(nil); !bytes.Equal(a, b) {
		t.Error("the states differ after new signals")
	}
	// Five hours of silence: two of the three come back.
	feedSeries(s, t0+8*hour, t0+8*hour+3*hour/2, 30_000, []string{`a_total{i="5"}`, two}, ramp)
	if st := s.Stats(); st.Signals != 2 || st.Retired != 3 {
		t.Errorf("%d signals, %d retired; want 2 and 3", st.Signals, st.Retired)
	}
}
