package signal

import (
	"fmt"
	"testing"
)

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
