package eval

// Counting: episodes, events, false alerts, delays. The rules are fixed; nothing here knows how the model works.

import "math"

// span is a time from a to b, Unix seconds, both included.
type span struct{ a, b int64 }

// count compares alert rows with the labels of a series.
type count struct {
	rep           *SeriesReport
	from          int64 // rows before it are history
	hold          int64
	before, after int64 // tolerance around an event
	events        []span
	hit           []bool
	last          int64 // time of the newest alert row
}

func newCount(rep *SeriesReport, rows []Row, evalStart, hold, step int64) *count {
	if rep.Tests == nil {
		rep.Tests = map[string]int{}
	}
	if rep.Found == nil {
		rep.Found = map[string]int{}
	}
	c := &count{rep: rep, from: evalStart, hold: hold, before: max(300, 2*step), after: max(600, 2*step), last: math.MinInt64}
	for _, r := range rows {
		if r.Label != 1 || r.T < evalStart {
			continue
		}
		if n := len(c.events); n > 0 && r.T-c.events[n-1].b <= hold {
			c.events[n-1].b = r.T
		} else {
			c.events = append(c.events, span{r.T, r.T})
		}
	}
	rep.Events = len(c.events)
	c.hit = make([]bool, len(c.events))
	return c
}

// alert takes a row on which an alarm stood, in order of time, and the test that raised it.
func (c *count) alert(r Row, test string) {
	begins := c.last == math.MinInt64 || r.T-c.last > c.hold
	c.last = r.T
	if !begins || r.T < c.from {
		return
	}
	c.rep.Alerts++
	c.rep.onsets = append(c.rep.onsets, r.T)
	inside := false
	for i, e := range c.events {
		if r.T < e.a-c.before || r.T > e.b+c.after {
			continue
		}
		inside = true
		if !c.hit[i] {
			c.hit[i] = true
			c.rep.Detected++
			c.rep.Found[test]++
			c.rep.Delays = append(c.rep.Delays, float64(max(0, r.T-e.a)))
		}
	}
	if !inside && r.Label == 0 {
		c.rep.False++
		c.rep.Tests[test]++
	}
}
