package main

import (
	"fmt"
	"io"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/ingest"
)

// newestSample returns the time of the newest sample that any cluster has taken, Unix ms; 0 = none has.
func newestSample(st signal.Stats) (t int64) {
	for i := range st.Clusters {
		t = max(t, st.Clusters[i].LastT)
	}
	return t
}

// aheadBy words how far a clock is off.
func aheadBy(ms int64) string {
	if ms < 0 {
		return alerting.Span(-ms) + " behind"
	}
	return alerting.Span(ms) + " ahead of"
}

// ofClock says what is wrong with clocks: this machine's first, then single senders'. Those that are behind are said where senders are, and that samples are refused where the door is.
func (s *self) ofClock(f *facts) []condition { return few(clockFaults(f.clock)) }

func clockFaults(c ingest.ClockState) (list []condition) {
	const mend = "Set this machine's clock (timedatectl, chronyc tracking). It is followed again by itself as soon as it is right."
	const mended = "What senders in time send is judged as ever."
	all := fmt.Sprintf("all %d senders", c.Senders)
	switch c.Senders {
	case 1:
		all = "the only sender"
	case 2:
		all = "both senders"
	}
	switch {
	case c.OffMs != 0 && c.Agree > 0 && c.Agree == c.Senders:
		list = append(list, condition{kind: "clock.wrong", blind: true, bad: true, fix: mend, meaning: mended,
			text: fmt.Sprintf("This machine's clock is %s %s. Since %s time is counted on without it.", aheadBy(c.OffMs), all, alerting.Clock(c.SinceMs))})
	case c.OffMs != 0 && c.Agree > 0:
		list = append(list, condition{kind: "clock.wrong", blind: true, bad: true, fix: mend, meaning: mended,
			text: fmt.Sprintf("This machine's clock is %s %d of %d senders. Since %s time is counted on without it.", aheadBy(c.OffMs), c.Agree, c.Senders, alerting.Clock(c.SinceMs))})
	case c.OffMs != 0:
		list = append(list, condition{kind: "clock.wrong", blind: true, bad: true, fix: mend, meaning: mended,
			text: fmt.Sprintf("This machine's clock is %s what it should be, counted on since %s; no sender in time says which is right.", aheadBy(c.OffMs), alerting.Clock(c.SinceMs))})
	case c.AllMs != 0 && c.Senders > 1:
		list = append(list, condition{kind: "clock.wrong", blind: true, bad: true, fix: mend, meaning: mended,
			text: fmt.Sprintf("This machine's clock is %s %s, by the same for each.", aheadBy(-c.AllMs), all)})
	case c.AllMs > 0:
		list = append(list, condition{kind: "clock.wrong", bad: true, fix: "Compare both with a third: timedatectl, chronyc tracking.", meaning: mended,
			text: fmt.Sprintf("This machine's clock is %s the only sender: one of the two clocks is wrong.", aheadBy(-c.AllMs))})
	}
	for _, s := range c.Ahead {
		list = append(list, condition{kind: "clock.sender", subject: s.Sender, fix: "Set the clock of that sender's machine. Its samples are taken again by themselves as soon as it is right.",
			text: fmt.Sprintf("The clock of sender %s is %s this machine's: its samples are refused.", s.Sender, aheadBy(s.LeadMs))})
	}
	return list
}

// writeClock writes the clock's metrics.
func (a *app) writeClock(w io.Writer) {
	c := a.clock.State()
	metrics.WriteGaugeFloat64(w, "wrackline_clock_offset_seconds", float64(c.OffMs)/1000)
	metrics.WriteGaugeFloat64(w, "wrackline_clock_senders", float64(c.Senders))
	metrics.WriteGaugeFloat64(w, "wrackline_clock_senders_agreeing", float64(c.Agree))
}
