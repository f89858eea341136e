package signal

import (
	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

// clock takes note of a request's receive stamp. One from before says that the clock was wrong and has been put right (series.Later). Then nothing may stay that lies further ahead than a sample
// could be taken now: it would make everything that comes late until the wrong time is reached, which may be in a year.
func (s *Stream) clock(stampMs int64) {
	was := s.nowMs
	if s.nowMs = series.Later(was, stampMs); s.nowMs >= was {
		return
	}
	s.opts.Changing()
	limit := s.nowMs + series.FutureMs
	s.senders.TurnBack(s.nowMs, limit)
	for i := range s.marks {
		s.marks[i].at, s.marks[i].stamp = min(s.marks[i].at, limit), 0 // windows may come again
	}
	ahead := false
	for _, c := range s.clusters {
		for i := range c.passed {
			c.passed[i] = min(c.passed[i], s.nowMs)
		}
		if c.undo = c.newest > limit; c.undo {
			c.open = 0
			ahead = true
		}
	}
	s.eventMs = min(s.eventMs, limit)
	if !ahead {
		return
	}
	s.sweep() // the series of such a cluster are learned anew with their next samples; signals and what was learned of them stay
	for _, c := range s.clusters {
		if c.undo {
			c.undo = false
			c.renew(s)
			turnedBack.Inc()
		}
	}
}

// renew makes a cluster without series begin again.
func (c *cluster) renew(s *Stream) {
	c.open, c.born, c.newest, c.sweepAt = 0, 0, 0, 0
	clear(c.passed[:])
	clear(c.arrived)
	clear(c.asked)
	c.live, c.past, c.mixed, c.podHead, c.births = 0, 0, false, nil, nil
	for i, r := range s.rules {
		c.rules[i].form, c.rules[i].series, c.rules[i].plans = -1, 0, make([]*promql.State, len(r.forms))
	}
	c.book = identity.NewBook(c.table.Word)
	c.changes = change.NewTracker(change.Deps{Cluster: c.name, Book: c.book, Words: c.table.Word, Counts: s.changeCounts})
	c.bind(s)
}

var turnedBack = metrics.NewCounter("wrackline_signal_clusters_turned_back_total")
