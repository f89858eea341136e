package signal

import (
	"bytes"
	"fmt"
	"testing"
)

// Signals are shared as series are: a sender of which few are known gets its own, whatever workloads another one makes up, and who has more than its share loses those that came last.
func TestSignalsAreSharedBetweenSenders(t *testing.T) {
	const most, good = 100, 40
	for _, first := range []bool{true, false} {
		s, r := newTestStream(t, StreamOptions{Packs: packOf(cpuRule), Cluster: "eu", MaxSignals: most})
		send := func(s *Stream, sender, name string, n int, at int64) {
			b := newBatch(at + 1000)
			b.Sender = sender
			for i := range n {
				b.add(cpu("ns", fmt.Sprintf("%s%d-5d8f7c9b46-bcdfg", name, i)), at, ramp(i, at))
			}
			s.Apply(&b.Batch)
		}
		var other *Stream
		for at := int64(t0); at < t0+60*60_000; at += 30_000 {
			m := (at - t0) / 60_000
			for _, x := range []*Stream{s, other} {
				if x == nil {
					continue
				}
				if first || m > 20 {
					send(x, "good", "good", good, at)
				}
				if !first || m > 10 {
					send(x, "bad", "bad", int(20*m), at)
				}
			}
			if m == 30 && other == nil {
				s.Yield() // as at an exchange
				other, _ = restored(t, s.opts, s.AppendState(nil))
			}
		}
		held := map[string]SenderStats{}
		for _, x := range s.Stats().Senders {
			held[x.Name] = x
		}
		if g, b := held["good"], held["bad"]; g.Signals != good || g.Yielded != 0 || b.Signals < most-good-10 || (b.Yielded > 0) == first {
			t.Errorf("first %v: %+v", first, held)
		}
		if n := s.Stats().Signals; n > most+most/16 {
			t.Errorf("first %v: %d signals of %d", first, n, most)
		}
		if by := s.Stats().OverSignalBy; by != "bad" {
			t.Errorf("first %v: what finds no room is said to be of %q", first, by)
		}
		if n := len(only(r, "wl.cpu~cluster=eu~namespace=ns~workload=good7")); n < 25 {
			t.Errorf("first %v: a workload of the sender with less has %d values", first, n)
		}
		if !first && len(only(r, "wl.cpu~cluster=eu~namespace=ns~workload=bad1")) < 50 {
			t.Error("what the other one had long is given up before what has just come")
		}
		if !bytes.Equal(s.AppendState(nil), other.AppendState(nil)) {
			t.Errorf("first %v: another state after a restart", first)
		}
	}
}

// The quiet twin: one alone has all of them.
func TestOneSenderMayHaveAllSignals(t *testing.T) {
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(cpuRule), Cluster: "eu", MaxSignals: 100})
	var names []string
	for i := range 100 {
		names = append(names, cpu("ns", fmt.Sprintf("w%d-5d8f7c9b46-bcdfg", i)))
	}
	feedSeries(s, t0, t0+600_000, 30_000, names, ramp)
	if st := s.Stats(); st.Signals != 100 || st.OverSignals != 0 || st.Senders[0].Yielded != 0 {
		t.Errorf("%d signals, %d over", st.Signals, st.OverSignals)
	}
}
