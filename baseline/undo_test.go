package baseline_test

import (
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/signal"
)

// chart keeps what it is told, as charts do.
type chart struct {
	last   map[string]int64
	undone []int64
	bad    int
}

func (c *chart) Add(_ uint32, id string, p baseline.Point) {
	if p.T <= c.last[id] {
		c.bad++
	}
	c.last[id] = p.T
}

func (c *chart) Undo(t int64) {
	c.undone = append(c.undone, t)
	for id := range c.last {
		c.last[id] = min(c.last[id], t)
	}
}

// Whoever keeps charts hears of a clock that is set back, once, before the first window of the right time; a clock that runs a little to and fro says nothing.
func TestChartsHearOfTheClock(t *testing.T) {
	c := &chart{last: map[string]int64{}}
	e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: packs(t)}, Recorder: c})
	if err != nil {
		t.Fatal(err)
	}
	at := int64(scenario.Epoch)
	run := func(minutes int) {
		for i := range 2 * minutes {
			at += 30_000
			jitter := int64(i%3) * 20_000
			e.Apply(requestOf("s", "eu", "coredns_panics_total", 0, 3, at-jitter), 0)
			e.Apply(requestOf("s", "eu", "coredns_dns_requests_total", 0, 3, at-jitter), 0)
		}
	}
	run(30)
	if len(c.undone) > 0 || len(c.last) == 0 {
		t.Fatalf("undone %v, %d signals", c.undone, len(c.last))
	}
	right := at
	at += 24 * 3600_000
	run(20)
	at = right + 20*60_000
	run(30)
	if len(c.undone) != 1 || c.undone[0] < right+20*60_000 || c.undone[0] > right+23*60_000 {
		t.Errorf("undone %v, %d", c.undone, right)
	}
	if c.bad > len(c.last) { // a minute before undoneMs may come again
		t.Errorf("%d points are not newer than the one before", c.bad)
	}
	for id, last := range c.last {
		if last < at-5*60_000 {
			t.Errorf("%s ends %d s ago", id, (at-last)/1000)
		}
	}
}
