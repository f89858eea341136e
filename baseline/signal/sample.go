package signal

import (
	"math"

	"github.com/wrackline/wrackline/baseline/series"
)

// sample folds one sample of a tracked series.
func (s *Stream) sample(from *sender, id uint32, replica uint16, x *series.Sample) {
	h := &s.hot[id]
	c := s.clusters[h.cluster]
	if !s.admit(from, c, h, replica, x.T, x.V) {
		return
	}
	if x.V-x.V != 0 { // NaN or ±Inf
		s.odd(c, id, h, x)
		return
	}
	base := s.follows(from, c, id, h, x.T)
	if h.kinds != 0 {
		s.record(h, x, base)
	}
	if h.flags&flagWatch != 0 {
		d := &s.cold[id]
		c.changes.Hear(&s.words[d.watch], s.metrics[d.metric].watch, d.pod, x, h.lastT, h.lastV)
	}
	before := h.lastT
	h.lastT, h.lastV = x.T, x.V
	if h.group != none {
		g := &s.groups[h.group]
		g.lastT = max(g.lastT, x.T)
		if h.flags&flagBucket != 0 {
			if g.firstT == 0 {
				g.firstT = x.T
			}
			g.chain.Add(before, x.T)
		}
	}
	if h.flags&(flagLive|flagPast|flagStale|flagQuiet) != flagLive|flagPast {
		c.alive(h)
	}
}

// admit reports whether what a series has at t is news: of the current replica, and newer than what is known. v is its value, or the count of a histogram.
func (s *Stream) admit(from *sender, c *cluster, h *tracked, replica uint16, t int64, v float64) bool {
	if t <= 0 {
		s.stats.OutOfOrder++
		return false
	}
	if !s.accept(h, replica, t) {
		s.stats.Replica++
		from.duplicate++
		from.used = true // it stands by: should the other one fall silent, this is judged
		return false
	}
	if t <= h.lastT {
		if t == h.lastT && math.Float64bits(v) == math.Float64bits(h.lastV) {
			s.stats.Duplicate++
			from.duplicate++
			from.used = from.used || t > c.open-windowMs // somebody else sent it first: this one stands by, too
		} else {
			s.stats.OutOfOrder++
			from.late++
		}
		return false
	}
	if t > c.newest {
		s.newest(c, t)
	}
	return true
}

// follows counts what a series has at t, learns its interval, and returns since when it is to be counted from zero; 0 = it follows what was before.
func (s *Stream) follows(from *sender, c *cluster, id uint32, h *tracked, t int64) (base int64) {
	if t <= c.open-windowMs {
		s.stats.Late++
		from.late++
	} else {
		from.accepted++
		from.used = true
	}
	if h.lastT == 0 {
		return s.first(c, id, h, t)
	}
	if d := t - h.lastT; d < stepMax {
		h.step(d)
		if h.flags&flagSecond == 0 {
			s.second(id, h, d)
		}
	}
	return 0
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

// second notes the second sample of a series, which is d after its first.
func (s *Stream) second(id uint32, h *tracked, d int64) {
	h.flags |= flagSecond
	if g := s.cold[id].target; g != none {
		s.targets[g].stepMs = uint32(d)
	}
}

// first handles the first sample of a series, at t, and returns since when it is to be counted from zero, 0 = it is not: then it may
// have been there before.
func (s *Stream) first(c *cluster, id uint32, h *tracked, t int64) int64 {
	base := s.begin(c, id, t)
	if a := s.asked(c, &s.cold[id]); a != 0 && t <= a+askedYoungMs {
		base = 0
		h.anchor = uint32(t / 1000)
	} else if base == 0 && t <= c.born+windowMs {
		h.anchor = uint32(t / 1000) // it is only we who are new
	}
	return base
}

// begin notes the first sample of a series and returns since when it is to be counted from zero, 0 = it is not.
func (s *Stream) begin(c *cluster, id uint32, t int64) int64 {
	d := &s.cold[id]
	if d.pod != none {
		c.book.Began(d.pod, t)
	}
	if d.target == none {
		return 0
	}
	g := &s.targets[d.target]
	if g.firstT == 0 {
		g.firstT = t
		return 0
	}
	if t-g.firstT < aliveMs {
		return 0
	}
	// The target has been scraped for a while, so this series is new and began at zero within the last interval.
	step := int64(stepGuess)
	if g.stepMs != 0 {
		step = int64(g.stepMs)
	}
	return t - step
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
