package signal

import (
	"fmt"
	"testing"
)

// site is a Prometheus: what it stamps on its series, when it scrapes, and what it sees.
type site struct {
	sender, label string
	offset        int64
	from, to      int // minutes
	add           float64
}

// sites feeds what Prometheis with three targets each send, one request a scrape.
func sites(s *Stream, from, to int, list ...site) {
	for at := t0 + int64(from)*60_000; at < t0+int64(to)*60_000; at += 30_000 {
		for _, x := range list {
			if m := int(at-t0) / 60_000; m < x.from || m >= x.to {
				continue
			}
			t := at + x.offset
			b := newBatch(t + 500)
			b.Sender = x.sender
			for i := range 3 {
				v := 1e6 + float64(i)*1000 + x.add + float64(t-t0)/1000*(2+x.add/1000)
				b.add(fmt.Sprintf(`x_total{job="web",instance="10.0.0.%d:80",%s}`, i, x.label), t, v)
				b.add(fmt.Sprintf(`g{job="web",instance="10.0.0.%d:80",%s}`, i, x.label), t, 7+x.add)
			}
			b.add(fmt.Sprintf(`unneeded{job="node",instance="10.0.0.9:80",%s}`, x.label), t, 1)
			s.Apply(&b.Batch)
		}
	}
}

// TestPairWhateverTheLabelIsCalled holds that two senders whose series differ in one label alone count once, if they show the same.
func TestPairWhateverTheLabelIsCalled(t *testing.T) {
	sum := rule("x.g", `sum by (cluster) (g)`)
	both := []site{{"a", `replica="a"`, 0, 0, 60, 0}, {"b", `replica="b"`, 11_000, 0, 60, 0}}
	for _, c := range []struct {
		name     string
		list     []site
		from     int     // first minute that is looked at
		rate     float64 // of three counters of 2 a second
		gauge    float64 // of three of 7
		replicas string  // of the senders
	}{
		{"replica", both, 2, 6, 21, "[a b]"},
		{"the second comes later", []site{both[0], {"b", `replica="b"`, 11_000, 9, 60, 0}}, 2, 6, 21, "[a b]"},
		{"the names of two objects", []site{{"a", `prometheus="mon/a"`, 0, 0, 60, 0}, {"b", `prometheus="mon/b"`, 11_000, 3, 60, 0}}, 2, 6, 21, "[mon/a mon/b]"},
		{"three", append([]site{{"c", `replica="c"`, 21_000, 6, 60, 0}}, both...), 2, 6, 21, "[a b c]"},
		{"behind one address", []site{{"a", `replica="a"`, 0, 0, 60, 0}, {"a", `replica="b"`, 11_000, 3, 60, 0}}, 2, 6, 21, "[a, b]"},
		{"beside a label that is known", []site{{"a", `prometheus_replica="0",prometheus="x"`, 0, 0, 60, 0}, {"b", `prometheus_replica="1",prometheus="y"`, 11_000, 2, 60, 0}}, 2, 6, 21, "[0 1]"},
		{"the first goes", []site{{"a", `replica="a"`, 0, 0, 9, 0}, both[1]}, 13, 6, 21, "[a b]"},
		{"two sites that are built alike", []site{{"a", `site="a"`, 0, 0, 60, 0}, {"b", `site="b"`, 11_000, 0, 60, 500}}, 8, 6 + 7.5, 21 + 3*507, "[ ]"},
		{"two agents, each of a node", []site{{"a", `agent="a",node="n1"`, 0, 0, 60, 0}, {"b", `agent="b",node="n2"`, 11_000, 0, 60, 0}}, 2, 12, 42, "[ ]"},
	} {
		s, r := newTestStream(t, StreamOptions{Packs: packOf(qps, sum)})
		check := func(s *Stream, r *recorder, what string, from, to int64) {
			t.Helper()
			wantValues(t, c.name+what, only(r, qpsID), from, to, c.rate)
			wantValues(t, c.name+what+": gauge", only(r, "x.g~cluster=default"), from, to, c.gauge)
			var reps []string
			for _, x := range s.Stats().Senders {
				reps = append(reps, x.Replica)
			}
			if got := fmt.Sprint(reps); got != c.replicas {
				t.Errorf("%s%s: replicas %s, want %s", c.name, what, got, c.replicas)
			}
		}
		sites(s, 0, 16, c.list...)
		check(s, r, "", int64(c.from), 13)
		n, again := newTestStream(t, s.opts)
		if err := n.RestoreState(s.AppendState(nil)); err != nil {
			t.Fatal(c.name, err)
		}
		sites(n, 16, 24, c.list...)
		check(n, again, ", after a restart", 16, 21)
	}
}

// TestPairIsSeenInTime holds that no window counts a newcomer beside the one of which it may be the copy, also when the program starts in between, and that labels
// which somebody has named are the only ones then.
func TestPairIsSeenInTime(t *testing.T) {
	sum := rule("x.g", `sum by (cluster) (g)`)
	list := []site{{"a", `replica="a"`, 0, 0, 60, 0}, {"b", `replica="b"`, 11_000, 5, 60, 0}}
	for stop := 5; stop < 9; stop++ {
		s, r := newTestStream(t, StreamOptions{Packs: packOf(qps, sum)})
		sites(s, 0, stop, list...)
		n, again := newTestStream(t, s.opts)
		if err := n.RestoreState(s.AppendState(nil)); err != nil {
			t.Fatal(err)
		}
		sites(n, stop, 14, list...)
		for end, v := range only(again, "x.g~cluster=default") {
			r.values["x.g~cluster=default"][t0+end*60_000] = v
		}
		wantValues(t, fmt.Sprint("stopped at ", stop), only(r, "x.g~cluster=default"), 1, 11, 21)
		if st := n.Stats(); st.Tracked != 6 || len(st.Pairs) != 1 || fmt.Sprint(st.Pairs[0]) != "{default replica [a b]}" {
			t.Errorf("%d series, pairs %v", st.Tracked, st.Pairs)
		}
	}
	s, r := newTestStream(t, StreamOptions{Packs: packOf(sum), ReplicaLabels: []string{"ha"}})
	sites(s, 0, 14, list...)
	wantValues(t, "other labels were named", only(r, "x.g~cluster=default"), 6, 11, 42)
}
