package signal

import (
	"fmt"
	"math"
	"testing"
)

// The share of late samples counts those of the newest five windows, by sender, and goes on over a restart.
func TestShareOfLateSamples(t *testing.T) {
	type value struct {
		sender string
		end    int64
		v      float64
	}
	var before, after []value
	opts := StreamOptions{Packs: packOf(rule("x.late", `max by (cluster, sender) (wrackline_own_sender_late_ratio)`))}
	into := func(dst *[]value) *Stream {
		s, err := NewStream(opts, func(w *Window) {
			for _, o := range w.Observations {
				*dst = append(*dst, value{o.Signal.Entity.Get("sender"), w.End, o.Value})
				if o.Signal.Entity.Get("sender") == "a" && math.Abs(o.Events-50) > 1 && w.End > t0+6*60_000 {
					t.Errorf("%g samples are behind the value, want 50", o.Events) // a window closes with the first sample after it
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	// Ten nodes are sent each minute by each sender; a sends one of them eight and a half minutes late, from minute 20 to minute 30.
	send := func(s *Stream, m int64) {
		for _, who := range []string{"a", "b"} {
			at := t0 + m*60_000
			b := newBatch(at + 1000)
			b.Sender = who
			for n := range 10 {
				name := fmt.Sprintf(`kube_node_info{node="%s%d"}`, who, n)
				if who == "a" && n == 0 && m >= 20 && m < 30 {
					b.add(name, at-510_000, 1)
					continue
				}
				b.add(name, at, 1)
			}
			s.Apply(&b.Batch)
		}
	}
	s := into(&before)
	var restored *Stream
	skip := 0 // values of the life before the restart
	for m := range int64(45) {
		if m == 27 {
			restored = into(&after)
			if err := restored.RestoreState(s.AppendState(nil)); err != nil {
				t.Fatal(err)
			}
			skip = len(before)
		}
		send(s, m)
		if restored != nil {
			send(restored, m)
		}
	}
	if len(after) < 30 || len(before) != skip+len(after) {
		t.Fatalf("%d values, %d after a restart", len(before)-skip, len(after))
	}
	late, none := 0, 0
	for i, x := range before {
		if i >= skip && x != after[i-skip] {
			t.Fatalf("after a restart %v, without one %v", after[i-skip], x)
		}
		switch {
		case x.sender == "b" && x.v != 0:
			t.Errorf("%v: nothing of this sender is late", x)
		case x.sender == "a" && x.end >= t0+25*60_000 && x.end <= t0+27*60_000: // then its own samples are newer than those before, and windows wait for them
			late++
			if math.Abs(x.v-0.1) > 0.005 {
				t.Errorf("minute %d: %g late, want 0.1", (x.end-t0)/60_000, x.v)
			}
		case x.sender == "a" && x.end >= t0+38*60_000:
			none++
			if x.v != 0 {
				t.Errorf("minute %d: %g late, want 0", (x.end-t0)/60_000, x.v)
			}
		}
	}
	if late != 3 || none == 0 {
		t.Errorf("%d windows with late samples, %d after them", late, none)
	}
}
