package ingest

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/baseline/series"
)

// Bounds of a Clock, milliseconds.
const (
	nearMs      = 2 * 60_000          // a machine's clock that is off by less is followed: forwards at once, backwards by waiting for it
	farMs       = series.FutureMs / 2 // senders that are off by more say that a clock is wrong, before samples are refused for it
	farBack     = 30 * 60_000         // … when they are behind: a backlog is behind too, and what is late is judged all the same
	alikeMs     = 60_000              // senders that are off by the same differ by less
	fitMs       = 2 * 60_000          // a sender whose samples are no older than that is in time
	aheadMs     = 30_000              // … and no newer
	activeMs    = 3 * 60_000          // who has sent nothing for so long says nothing
	sureMs      = 15_000              // for how long two senders or more must be off by the same to be believed …
	soloMs      = 60_000              // … a single one …
	backMs      = 2 * 60_000          // … and longer, when they are behind
	floorMs     = 10_000              // how long to wait for others when all that is known is that it is later than the machine's clock says
	doubtMs     = 2 * 60_000          // for how long the clock may be unsure of itself, see Clock.unsure
	sendersMost = 256                 // that are listened to
	namesMost   = 32                  // senders from one address: with more they have one voice together
)

// Clock makes receive stamps. It counts on from the last one by the machine's monotonic time, so that a machine's clock that jumps (a glitch of NTP, a wrong clock at boot, a resumed machine) moves nothing by itself. Which of
// the two is right the senders say: the samples of whoever has a right clock are of now. So a jump that they did not see is shown and not followed, one that they did see is followed, and a machine's
// clock that was wrong from the beginning gives way to senders that are off from it by the same, when none is in time by it. As soon as the machine's clock is right it is followed again.
//
// A single sender with a wrong clock says nothing of the machine's: its samples are refused when they are ahead (series.FutureMs), and judged late when they are behind.
//
// What a Clock has decided is in the stamps, and these are in the journal: a replay needs no Clock. Safe for concurrent use.
type Clock struct {
	mu   sync.Mutex
	read func() Reading
	log  *slog.Logger

	// The machine's clock and the one that is kept are constants beside its monotonic time while nothing jumps.
	begun   bool
	beganAt int64 // mono of the first reading
	mono    int64 // of the newest, ms
	wall    int64 // the machine's clock − mono, Unix ms
	kept    int64 // the clock that is kept − mono, Unix ms
	jumps   bool  // readings are monotonic, so a jump of the machine's clock can be seen

	proven  bool  // a sender has been in time by the kept clock, or the past ends where it began
	past    bool  // there is a past: samples from before the start
	floor   bool  // at the start the machine's clock was behind that past, so that the kept one is only a time before which it cannot be
	guessed bool  // the kept clock was taken from senders
	off     bool  // the machine's clock is not followed
	offAt   int64 // since when, mono
	setAt   int64 // mono of the newest correction
	asked   bool  // senders have been asked
	looked  int64 // mono of the newest decision
	first   int64 // mono at which the first sender was heard

	senders map[string]*witness
}

// NewClock returns a clock that reads the machine's with now (nil = time.Now) and tells log (nil = nobody) what it decides.
func NewClock(now func() time.Time, log *slog.Logger) *Clock {
	if now == nil {
		now = time.Now
	}
	return NewClockOn(machine(now), log)
}

// NewClockOn returns a clock on readings of a machine, one call at a time. A nil log tells nobody.
func NewClockOn(read func() Reading, log *slog.Logger) *Clock {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Clock{read: read, log: log, senders: map[string]*witness{}}
}

// Begin tells the clock of the past, before the first stamp: the time of the newest sample that had been taken, Unix milliseconds; 0 = there is none. A machine's clock that is
// behind it is wrong.
func (c *Clock) Begin(newestMs int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	if newestMs <= 0 {
		return
	}
	c.past = true
	switch since := c.wall + c.mono - newestMs; {
	case since < -series.FutureMs:
		c.kept, c.floor = newestMs-c.mono, true
		c.follow(0)
	case since < series.FutureMs:
		c.proven = true
	}
}

// Now returns what time it is by the clock that is kept.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	return time.UnixMilli(c.kept + c.mono)
}

// Stamp returns the receive stamp of a request, Unix milliseconds, having heard what time it is by its samples. host is the address that the sender sends from: many names from one are no majority.
func (c *Clock) Stamp(sender, host string, b *series.Batch) int64 {
	t, ok := timeOf(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	if ok {
		c.hear(sender, host, t)
		if !near(c.mono-c.looked, 999) || !c.asked {
			c.looked, c.asked = c.mono, true
			c.decide()
		}
	}
	return c.kept + c.mono
}

// Reading is what a machine's clocks say.
type Reading struct {
	WallMs int64 // Unix ms
	MonoMs int64 // ms since some moment, counted by time that does not jump …
	Jumps  bool  // … or, when false, by the wall clock for want of it: then a jump shows by the senders alone
}

// machine returns readings of now, as ms since the first.
func machine(now func() time.Time) func() Reading {
	monotonic := func(t time.Time) bool { return t != t.Round(0) }
	var base time.Time
	return func() Reading {
		t := now()
		if base.IsZero() {
			base = t
		}
		return Reading{t.UnixMilli(), t.Sub(base).Milliseconds(), monotonic(t) && monotonic(base)}
	}
}

// look reads the machine's clocks.
func (c *Clock) look() {
	r, was := c.read(), c.mono
	if !c.begun {
		c.begun, was = true, r.MonoMs
		c.kept, c.beganAt = r.WallMs-r.MonoMs, r.MonoMs
	}
	c.mono, c.wall, c.jumps = r.MonoMs, r.WallMs-r.MonoMs, r.Jumps
	if c.mono < was-nearMs { // a clock without monotonic time was set back: nothing was heard in a time that has not been
		clear(c.senders)
	}
	c.follow(max(c.mono-was, 0))
}

// follow lets the kept clock follow the machine's where that has not jumped, passed ms after the last time.
func (c *Clock) follow(passed int64) {
	d := c.wall - c.kept
	if d > nearMs || d < -nearMs {
		if !c.off {
			c.off, c.offAt = true, c.mono
			clockJumps.Inc()
			for _, w := range c.senders {
				w.usual, w.known = w.skew(), true
			}
			c.log.Warn("the machine's clock has jumped; time is counted on without it until senders say who is right", "by", time.Duration(d)*time.Millisecond)
		}
		return
	}
	if d >= 0 {
		c.kept = c.wall
	} else {
		c.kept -= min(-d, passed/2) // it goes at half speed until the other has caught up, and never back
	}
	if c.off {
		c.off, c.guessed, c.floor = false, false, false
		c.log.Info("the machine's clock is right again and is followed")
	}
}

// set makes another clock the kept one.
func (c *Clock) set(kept int64, guessed bool, why string) {
	c.log.Warn("the receive clock is corrected: "+why, "by", time.Duration(kept-c.kept)*time.Millisecond, "machine_off_by", time.Duration(c.wall-kept)*time.Millisecond)
	c.kept, c.guessed, c.setAt = kept, guessed, c.mono
	clockCorrections.Inc()
	c.follow(0)
}

// decide asks the senders which clock is right.
func (c *Clock) decide() {
	heard := c.active()
	if len(heard) == 0 {
		return
	}
	if c.off && c.wallRight(heard) {
		c.set(c.wall, false, "senders agree with this machine's clock")
		c.proven = true
	}
	if c.off && c.floor && !c.proven {
		if s := lowerMedian(heard); c.mono-c.first >= floorMs && s > c.kept+aheadMs {
			c.set(s, true, "this machine's clock is behind samples that were taken before it started")
		}
	}
	c.askAll(heard)
	if !c.proven && (!c.off || c.floor) {
		for _, w := range heard {
			c.proven = c.proven || fits(w.skew()-c.kept) && w.steady(soloMs)
		}
	}
}

// fits reports whether a sender's samples, as far from a clock as that, are of now by it.
func fits(d int64) bool { return d >= -fitMs && d <= aheadMs }

// wallRight reports whether the senders bear the machine's clock out, and not the kept one.
func (c *Clock) wallRight(heard []*witness) bool {
	wall, kept, agree := 0, 0, false
	for _, w := range heard {
		s := w.skew()
		usual, weight := c.kept, 1
		if w.known {
			usual, weight = w.usual, 2
		}
		moved, jump := s-usual, c.wall-c.kept
		agree = agree || fits(s-c.wall)
		switch byWall, byKept := fits(s-c.wall), fits(s-c.kept); {
		case jump > 0 && s > c.kept+aheadMs && moved > alikeMs && s <= c.wall+aheadMs:
			wall += weight // by the kept clock it cannot be, by the machine's it can: the machine has slept
		case byWall && !byKept:
			wall++
		case byKept && !byWall:
			kept++
		case near(moved-jump, alikeMs):
			wall++
		case near(moved, alikeMs):
			kept++
		}
	}
	return wall > kept || c.guessed && agree
}

// askAll looks whether senders are off from the kept clock by the same, and takes theirs when enough are for long enough.
func (c *Clock) askAll(heard []*witness) {
	best, n, confirm := int64(0), 0, 0
	for _, w := range heard {
		if fits(w.skew() - c.kept) {
			confirm = 1
		}
		alike := 0
		for _, o := range heard {
			if near(o.skew()-w.skew(), alikeMs) {
				alike++
			}
		}
		if alike > n {
			best, n = w.skew(), alike
		}
	}
	trusted := c.proven && c.jumps // monotonic time does not err: then it is the senders, unless several are and nobody bears the kept clock out
	span := int64(sureMs)
	switch d := best - c.kept; {
	case d > farMs && n == 1:
		span = soloMs
	case d < -farBack && n > 1 && confirm == 0 && !trusted: // who is behind by itself leaves somebody who is not
		span = backMs
	case d > farMs:
	default:
		return
	}
	if trusted && !(confirm == 0 && n > 1) || n <= len(heard)-n+confirm {
		return
	}
	for _, w := range heard {
		if near(w.skew()-best, alikeMs) && !w.steady(span) {
			return
		}
	}
	c.set(best, true, "senders are off from it by the same")
}

// near reports whether d is no further from 0 than most.
func near(d, most int64) bool { return d >= -most && d <= most }

// lowerMedian returns the skew of the sender in the middle, the lower one of two.
func lowerMedian(heard []*witness) int64 {
	var list []int64
	for _, w := range heard {
		list = append(list, w.skew())
	}
	slices.Sort(list)
	return list[(len(list)-1)/2]
}

// CorrectedMs returns when the clock was corrected last, Unix milliseconds by itself; before the first stamp where it never was.
func (c *Clock) CorrectedMs() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	return c.kept + max(c.setAt, c.beganAt)
}

// unsure reports whether it is still open which clock is right: whoever sends samples that seem to be ahead shall come again, since a sender that is told that they are wrong gives them up.
// Without a past there is nothing to be unsure of, and it ends by itself.
func (c *Clock) unsure() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.jumps && (c.off && !c.guessed && c.mono-c.offAt < doubtMs || c.past && !c.proven && c.mono-c.beganAt < doubtMs)
}

// ClockState says how the kept clock stands. Milliseconds.
type ClockState struct {
	OffMs   int64        // by how much the machine's clock is ahead of the kept one while it is not followed; 0 = it is followed
	SinceMs int64        // since when, Unix ms by the kept clock
	Senders int          // that were heard in the last three minutes
	Agree   int          // of these, those that are in time by the kept clock
	AllMs   int64        // by how much all senders are ahead of the kept clock (less than 0: behind), when they all are by the same and by more than five minutes; else 0
	Ahead   []SenderLead // senders that are ahead of the kept clock by more than is taken while others are not, by name
}

// SenderLead is a sender whose samples are ahead by that much, ms.
type SenderLead struct {
	Sender string
	LeadMs int64
}

// State returns how the clock stands.
func (c *Clock) State() ClockState {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	var st ClockState
	if c.off {
		st.OffMs, st.SinceMs = c.wall-c.kept, c.kept+c.offAt
	}
	least, most := int64(0), int64(0)
	for name, w := range c.senders {
		if !c.isActive(w) {
			continue
		}
		d := w.skew() - c.kept
		if st.Senders == 0 {
			least, most = d, d
		}
		least, most = min(least, d), max(most, d)
		st.Senders++
		if fits(d) {
			st.Agree++
		}
		if d > series.FutureMs {
			st.Ahead = append(st.Ahead, SenderLead{name, d})
		}
	}
	if most-least <= 2*alikeMs && (least > farMs || most < -farMs) {
		st.AllMs = (least + most) / 2
		st.Ahead = nil
	}
	slices.SortFunc(st.Ahead, func(a, b SenderLead) int { return strings.Compare(a.Sender, b.Sender) })
	return st
}

var (
	clockJumps       = metrics.NewCounter("wrackline_clock_jumps_total")
	clockCorrections = metrics.NewCounter("wrackline_clock_corrections_total")
)
