package signal

import (
	"math"

	"github.com/wrackline/wrackline/baseline/birth"
	"github.com/wrackline/wrackline/baseline/sender"
	"github.com/wrackline/wrackline/baseline/series"
)

// sample folds one sample of a tracked series.
func (s *Stream) sample(from *sender.Sender, id uint32, replica uint16, x *series.Sample) {
	s.touch(id)
	h := &s.hot[id]
	c := s.clusters[h.cluster]
	if !s.admit(from, c, h, replica, x.T, x.V) {
		return
	}
	if x.V-x.V != 0 { // NaN or ±Inf
		s.odd(c, id, h, x)
		return
	}
	s.follows(from, c, id, h, x.T, x.V, x.Start)
	if h.kinds != 0 {
		s.record(h, x)
	}
	if h.flags&flagWatch != 0 {
		d := &s.cold[id]
		c.changes.Hear(&s.words[d.watch], s.metrics[d.metric].watch, d.pod, x, h.lastT, h.lastV)
	}
	before := h.lastT
	h.lastT, h.lastV = x.T, x.V
	if h.group != none {
		g := &s.groups[h.group]
		g.LastT = max(g.LastT, x.T)
		if h.flags&flagBucket != 0 {
			g.Came(before, x.T)
		}
	}
	if h.flags&(flagLive|flagPast|flagStale|flagQuiet) != flagLive|flagPast {
		c.alive(h)
	}
}

// admit reports whether what a series has at t is news: of the current replica, and newer than what is known. v is its value, or the count of a histogram.
func (s *Stream) admit(from *sender.Sender, c *cluster, h *tracked, replica uint16, t int64, v float64) bool {
	if t <= 0 {
		s.stats.OutOfOrder++
		return false
	}
	if !s.accept(h, replica, t) {
		s.stats.Replica++
		from.Duplicate++
		from.Used = true // it stands by: should the other one fall silent, this is judged
		return false
	}
	if t <= h.lastT {
		if t == h.lastT && math.Float64bits(v) == math.Float64bits(h.lastV) {
			s.stats.Duplicate++
			from.Duplicate++
			from.Used = from.Used || t > c.open-windowMs // somebody else sent it first: this one stands by, too
		} else {
			s.stats.OutOfOrder++
			from.Tardy++
		}
		return false
	}
	if t > c.newest {
		s.newest(c, t)
	}
	return true
}

// follows counts what a series has at t, its value v and when a counter began, 0 when unknown, and learns its interval.
func (s *Stream) follows(from *sender.Sender, c *cluster, id uint32, h *tracked, t int64, v float64, start int64) {
	if t <= c.open-windowMs {
		s.stats.Late++
		from.Tardy++
	} else {
		from.Accepted++
		from.Used = true
	}
	if h.lastT == 0 {
		if start > 0 {
			v = 0 // that settles it
		}
		s.first(c, id, h, t, v)
	} else if d := t - h.lastT; d < stepMax {
		h.step(d)
		s.widen(id, h)
	}
}

// step notes that a sample is d after the one before. The interval follows at once downwards and slowly upwards: a missed scrape is not a
// longer interval.
func (h *tracked) step(d int64) {
	if step := int64(h.stepMs); step == 0 || d < step {
		h.stepMs = uint32(d)
	} else {
		h.stepMs += uint32((d - step) / 8)
	}
}

// first handles the first sample of a series, at t, whose value is v: then it may have been there before, or it began at zero within the last interval,
// which the window that closes will know (bear).
func (s *Stream) first(c *cluster, id uint32, h *tracked, t int64, v float64) {
	d := &s.cold[id]
	if d.pod != none {
		c.book.Began(d.pod, t)
	}
	known := d.target != none && t-s.targets.Since(d.target, t) >= aliveMs
	if a := s.asked(c, d); a != 0 && t <= a+askedYoungMs || !known && t <= c.born+windowMs {
		h.anchor = uint32(t / 1000) // it is only we who are new
	} else if known && v > 0 && h.kinds&kindIncrease != 0 {
		c.births = append(c.births, birth.Birth{Series: id, T: t, V: v, Known: c.arrived[d.metric] != 0})
	}
}

// odd handles a value that is no number: a stale marker ends the series, anything else is written and not used.
func (s *Stream) odd(c *cluster, id uint32, h *tracked, x *series.Sample) {
	if !series.IsStale(x.V) {
		s.stats.Unusable++
		if x.T >= c.open && h.flags&(flagLive|flagPast) == flagLive {
			h.flags |= flagPast
			c.past++
		}
		return
	}
	s.stats.Stale++
	if h.lastT == 0 || h.flags&flagStale != 0 {
		return
	}
	if h.flags&flagWatch != 0 {
		c.changes.Unheard(&s.words[s.cold[id].watch], x.T)
	}
	s.end(h, x.T)
	h.flags |= flagStale
	c.ended(h)
}
