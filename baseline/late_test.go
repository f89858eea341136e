package baseline

import "testing"

// TestHistory holds which late windows are news: those of a sender that stays behind, by whatever it is, and not those of a backlog that drains.
func TestHistory(t *testing.T) {
	const minute = int64(60_000)
	const t0 = int64(1_772_409_600_000)
	for _, c := range []struct {
		name string
		// lag returns how late a window is that closes so many minutes after the first, in minutes
		lag func(minute float64) float64
		// from is the minute from which on late windows are news, to the one until which they are history
		from, to float64
	}{
		{"in time", func(float64) float64 { return 1.5 }, 0, 0},
		{"nine minutes", func(float64) float64 { return 9 }, 0, 0},
		{"twelve minutes for good", func(float64) float64 { return 12 }, 3, 1},
		{"a day for good, as by a clock that is ahead", func(float64) float64 { return 1440 }, 3, 1},
		{"six hours, drained within twenty minutes", func(m float64) float64 { return max(1.5, 360-18*m) }, 20, 19},
		{"six hours, drained at twice the pace", func(m float64) float64 { return max(1.5, 360-m) }, 61, 59},
		{"six hours, hardly drained", func(m float64) float64 { return 360 - .2*m }, 3, 1},
		{"it falls behind ever more", func(m float64) float64 { return 1.5 + .5*m }, 22, 0},
	} {
		var p pace
		for m := 0.; m < 120; m += .5 {
			closed := t0 + int64(m*float64(minute))
			end := closed - int64(c.lag(m)*float64(minute))
			old := p.history(closed, end)
			late := c.lag(m) > 10
			if old && (!late || m >= c.from) || !old && late && m < c.to {
				t.Errorf("%s: minute %g: history %v", c.name, m, old)
				break
			}
		}
	}
}

// A sender that stays behind, is cut off and then delivers what it held back: that is a backlog, and then it stays behind again.
func TestHistoryAfterAGap(t *testing.T) {
	const minute = int64(60_000)
	var p pace
	at, end := int64(1_772_409_600_000), int64(1_772_409_600_000)-12*minute
	for range 10 {
		at, end = at+minute, end+minute
		p.history(at, end)
	}
	if p.history(at, end) {
		t.Fatal("a sender that stays 12 minutes behind is history")
	}
	at += 30 * minute
	for range 30 {
		at, end = at+2000, end+minute
		if !p.history(at, end) {
			t.Fatalf("a window of the backlog is news, %d min late", (at-end)/minute)
		}
	}
	news := 0
	for range 10 {
		at, end = at+minute, end+minute
		if !p.history(at, end) {
			news++
		}
	}
	if news < 7 {
		t.Errorf("%d of 10 windows are news when it stays behind again", news)
	}
	if p.history(at-24*60*minute, end); p.sinceMs != 0 {
		t.Error("the clock was turned back, and the window is still late")
	}
}
