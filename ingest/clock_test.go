package ingest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/series"
)

const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
	year   = 365 * day
)

// offs are how far a clock may be off.
var offs = []int64{second, minute, hour, day, year, -second, -minute, -hour, -day, -year}

// lab is a machine with a clock that may be wrong, and senders, in time that passes as the test says.
type lab struct {
	t      *testing.T
	clock  *Clock
	at     int64 // what time it is, Unix ms
	off    int64 // by how much the machine's clock is ahead
	slept  int64 // ms that its monotonic time has not counted
	jumps  bool
	stamps map[string]int64 // newest, by sender
}

func newLab(t *testing.T, off int64) *lab {
	l := &lab{t: t, at: now, off: off, jumps: true, stamps: map[string]int64{}}
	l.start()
	return l
}

// start lets the program begin, also once more.
func (l *lab) start() {
	begun := l.at - l.slept
	l.clock = NewClockOn(func() Reading {
		if !l.jumps {
			return Reading{l.at + l.off, l.at + l.off - now, false}
		}
		return Reading{l.at + l.off, l.at - l.slept - begun, true}
	}, nil)
}

// someone sends every few seconds what it has scraped, by a clock that is ahead by off.
type someone struct {
	name  string
	host  string
	off   int64
	every int64 // ms between requests; 0 = 5 s
	odd   int   // every so many requests one of a single exporter's samples, which are a day ahead; 0 = none
}

// send hands in a request with samples of the last seconds.
func (l *lab) send(x someone, k int) int64 {
	var b series.Batch
	for i := range 40 {
		b.Samples = append(b.Samples, series.Sample{T: l.at + x.off - int64(i%5)*second})
	}
	for i := range 5 { // another exporter of it is always wrong
		b.Samples[i*8].T += day
	}
	if x.odd > 0 && k%x.odd == 0 {
		b.Samples = []series.Sample{{T: l.at + day}}
	}
	s := l.clock.Stamp(x.name, cmp.Or(x.host, "host of "+x.name), &b)
	l.stamps[x.name] = s
	return s
}

// run lets time pass, and calls each with every stamp.
func (l *lab) run(ms int64, each func(stamp int64), senders ...someone) {
	for end := l.at + ms; l.at < end; l.at += second {
		for i, x := range senders {
			every := x.every
			if every == 0 {
				every = 5 * second
			}
			if (l.at/second+int64(i))%(every/second) == 0 {
				s := l.send(x, int(l.at/every))
				if each != nil {
					each(s)
				}
			}
		}
		l.clock.Now() // somebody looks now and then
	}
}

// wrong is how far the kept clock is from the truth.
func (l *lab) wrong() int64 { return l.clock.Now().UnixMilli() - l.at }

// useful fails unless what right senders send is accepted and judged in time: that is so while the kept clock is off by less than samples may be ahead.
func (l *lab) useful(what string) {
	l.t.Helper()
	if d := l.wrong(); !near(d, series.FutureMs-2*minute) {
		l.t.Errorf("%s: the receive clock is off by %s; %+v", what, time.Duration(d)*time.Millisecond, l.clock.State())
	}
}

var pair = []someone{{name: "a"}, {name: "b", odd: 7}}

// TestWrongAtBoot starts machines whose clock is wrong, with and without a past. With the past of a right clock, or with two senders, the clock is right within the time that a fault may take to be told.
func TestWrongAtBoot(t *testing.T) {
	for _, off := range offs {
		for _, past := range []int64{0, 20 * second, 40 * minute, 3 * day} {
			l := newLab(t, off)
			if past > 0 {
				l.clock.Begin(l.at - past)
			}
			l.run(5*minute, nil, pair...)
			what := fmt.Sprintf("off by %s, the past ended %s ago", time.Duration(off)*time.Millisecond, time.Duration(past)*time.Millisecond)
			l.useful(what)
			st := l.clock.State()
			if big := !near(off, nearMs); (st.OffMs != 0) != big || big && !near(st.OffMs-off, 2*minute) {
				t.Errorf("%s: said to be off by %s", what, time.Duration(st.OffMs)*time.Millisecond)
			}
			l.off = 0 // the machine's clock is set
			l.run(5*minute, nil, pair...)
			if l.useful(what + ", mended"); l.clock.State().OffMs != 0 || !near(l.wrong(), 2*second) {
				t.Errorf("%s: mended, and not followed: %+v", what, l.clock.State())
			}
		}
	}
}

// TestWrongAtBootAndOneSender is the same with one sender alone. A clock that is behind would refuse its samples, so the sender is believed; by one that is ahead they are only late.
func TestWrongAtBootAndOneSender(t *testing.T) {
	for _, off := range offs {
		for _, past := range []int64{0, 20 * second, 40 * minute, 3 * day} {
			l := newLab(t, off)
			if past > 0 {
				l.clock.Begin(l.at - past)
			}
			l.run(5*minute, nil, pair[1])
			if what := fmt.Sprintf("off by %s, the past ended %s ago", time.Duration(off)*time.Millisecond, time.Duration(past)*time.Millisecond); off < hour {
				l.useful(what)
			} else if l.wrong() != off {
				t.Errorf("%s: moved to %s off", what, time.Duration(l.wrong())*time.Millisecond)
			}
			l.off = 0
			l.run(5*minute, nil, pair[1])
			if st := l.clock.State(); st.OffMs != 0 || !near(l.wrong(), 2*second) {
				t.Errorf("off by %s, mended, and not followed: %+v", time.Duration(off)*time.Millisecond, st)
			}
		}
	}
}

// TestJumpWhileRunning lets the machine's clock jump: no stamp is ever off, whoever sends, and back.
func TestJumpWhileRunning(t *testing.T) {
	for _, off := range offs {
		for n, senders := range [][]someone{pair[:1], pair, {{name: "a"}, {name: "ahead", off: 5 * minute}, {name: "behind", off: -2 * hour}}, nil} {
			l := newLab(t, 0)
			l.run(5*minute, nil, senders...)
			l.off = off
			ok := true
			last := int64(0)
			l.run(30*minute, func(s int64) {
				ok = ok && near(s-l.at, nearMs) && s >= last
				last = s
			}, senders...)
			if st := l.clock.State(); !ok || (st.OffMs != 0) == near(off, nearMs) {
				t.Errorf("jump by %s, senders %d: stamps are off, go back, or it is not said: %+v", time.Duration(off)*time.Millisecond, n, st)
			}
			l.off = 0
			l.run(10*minute, nil, senders...)
			if st := l.clock.State(); st.OffMs != 0 || !near(l.wrong(), second) {
				t.Errorf("jump by %s and back, senders %d: off by %d ms, %+v", time.Duration(off)*time.Millisecond, n, l.wrong(), st)
			}
		}
	}
}

// TestSleep suspends the machine: its monotonic time has not counted that, and its clock is right. Senders work off a backlog first, or do not.
func TestSleep(t *testing.T) {
	for _, slept := range []int64{3 * minute, hour, 3 * day} {
		for _, backlog := range []bool{false, true} {
			l := newLab(t, 0)
			l.run(5*minute, nil, pair...)
			l.at += slept
			l.slept = slept
			lag := int64(0)
			if backlog {
				lag = slept
			}
			refused := 0
			for ; lag > 0; lag -= slept / 60 { // within a minute
				for _, x := range pair {
					x.off = -lag
					if s := l.send(x, 1); l.at-lag > s+series.FutureMs && !l.clock.unsure() {
						refused++
					}
				}
				l.at += second
			}
			l.run(20*second, nil, pair...)
			if !near(l.wrong(), second) || refused > 0 || l.clock.State().OffMs != 0 {
				t.Errorf("slept for %s, backlog %v: off by %d ms, %d requests refused for good, %+v", time.Duration(slept)*time.Millisecond, backlog, l.wrong(), refused, l.clock.State())
			}
		}
	}
}

// TestOneWrongSender has one sender of two with a wrong clock, from the start or suddenly: the clock does not move for it, and it is named when it is ahead.
func TestOneWrongSender(t *testing.T) {
	for _, off := range offs {
		for _, sudden := range []bool{false, true} {
			for _, alone := range []bool{false, true} {
				if alone && !sudden {
					continue // nobody knows who is wrong, see TestFirstStart
				}
				l := newLab(t, 0)
				a, b := someone{name: "a"}, someone{name: "b", off: off}
				if sudden {
					l.run(5*minute, nil, a, someone{name: "b"})
				}
				all := []someone{a, b}
				if alone {
					all = all[1:]
				}
				l.run(20*minute, nil, all...)
				st := l.clock.State()
				if !near(l.wrong(), second) || st.OffMs != 0 {
					t.Errorf("a sender off by %s (sudden %v, alone %v): off by %s: %+v", time.Duration(off)*time.Millisecond, sudden, alone, time.Duration(l.wrong())*time.Millisecond, st)
				}
				if named := len(st.Ahead) == 1 && st.Ahead[0].Sender == "b" || alone && st.AllMs > 0; named != (off > series.FutureMs) {
					t.Errorf("a sender off by %s: named %v: %+v", time.Duration(off)*time.Millisecond, named, st)
				}
			}
		}
	}
}

// TestFirstStart has one sender alone on a machine that has no past: samples that seem to be ahead are refused until the sender has been so for a minute, and taken then. When a second sender bears the
// machine's clock out, it was the first.
func TestFirstStart(t *testing.T) {
	for _, off := range []int64{15 * minute, hour, day, year} {
		l := newLab(t, 0)
		x := someone{name: "p", off: off}
		l.run(30*second, nil, x)
		if l.wrong() != 0 || l.clock.unsure() {
			t.Fatalf("ahead by %s: moved by %d ms within half a minute, or unsure", time.Duration(off)*time.Millisecond, l.wrong())
		}
		if st := l.clock.State(); !near(st.AllMs-off, minute) {
			t.Errorf("ahead by %s: not said: %+v", time.Duration(off)*time.Millisecond, st)
		}
		l.run(2*minute, nil, x)
		if !near(l.wrong()-off, minute) {
			t.Errorf("ahead by %s: there is no way back: the receive clock is off by %s", time.Duration(off)*time.Millisecond, time.Duration(l.wrong())*time.Millisecond)
		}
		l.run(3*minute, nil, x, someone{name: "right"})
		if !near(l.wrong(), second) {
			t.Errorf("ahead by %s: the machine and another sender agree, and the receive clock is off by %s", time.Duration(off)*time.Millisecond, time.Duration(l.wrong())*time.Millisecond)
		}
	}
}

// TestBacklogIsNoClock has senders that come back after an outage with hours of samples, or stay behind for good: nobody's clock is wrong.
func TestBacklogIsNoClock(t *testing.T) {
	for _, past := range []int64{0, 12 * minute, 6 * hour} {
		l := newLab(t, 0)
		if past > 0 {
			l.clock.Begin(l.at - past)
		}
		for lag := 6 * hour; lag > 0; lag -= 2 * minute {
			l.run(second, nil, someone{name: "a", off: -lag}, someone{name: "b", off: -lag - minute})
			if l.wrong() != 0 {
				t.Fatalf("the receive clock moved by %d ms for a backlog", l.wrong())
			}
		}
		l.run(20*minute, nil, someone{name: "a"}, someone{name: "b", off: -12 * minute}, someone{name: "c", off: -12 * minute})
		l.run(20*minute, nil, someone{name: "b", off: -12 * minute}, someone{name: "c", off: -12 * minute})
		if l.wrong() != 0 {
			t.Errorf("the receive clock moved by %d ms for senders that stay behind", l.wrong())
		}
	}
}

// TestBacklogBehindAWrongClock starts with a machine's clock that is behind the past, and senders with a backlog of the time in between: none of it is refused for good.
func TestBacklogBehindAWrongClock(t *testing.T) {
	l := newLab(t, -day)
	l.clock.Begin(l.at - 3*hour)
	lag := 3 * hour
	for lag > 0 { // the sender repeats what is answered 503
		b := series.Batch{Samples: []series.Sample{{T: l.at - lag}}}
		switch s := l.clock.Stamp("a", "h", &b); {
		case l.at-lag <= s+series.FutureMs:
			lag -= 2 * minute
		case !l.clock.unsure():
			t.Fatalf("samples %s old are refused for good", time.Duration(lag)*time.Millisecond)
		}
		l.at += second
		lag += second
	}
	l.run(3*minute, nil, pair...)
	l.useful("after the backlog")
}

// TestClockWithoutMonotonicTime has readings that say nothing but the wall clock: jumps show by the senders alone, in a while.
func TestClockWithoutMonotonicTime(t *testing.T) {
	for _, off := range offs {
		l := newLab(t, 0)
		l.jumps = false
		l.start()
		l.run(5*minute, nil, pair...)
		l.off = off
		l.run(4*minute, nil, pair...)
		l.useful(fmt.Sprintf("jump by %s", time.Duration(off)*time.Millisecond))
		l.off = 0
		l.run(4*minute, nil, pair...)
		l.useful(fmt.Sprintf("jump by %s and back", time.Duration(off)*time.Millisecond))
	}
}

// A clock that is drawn to and fro by a little is followed without going back.
func TestSlew(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	l := newLab(t, 0)
	last := int64(0)
	for range 3000 {
		if r.IntN(100) == 0 {
			l.off = r.Int64N(2*minute) - minute
		}
		l.at += r.Int64N(3 * second)
		s := l.clock.Now().UnixMilli()
		if s < last || !near(s-l.at, 2*minute) || l.clock.State().OffMs != 0 {
			t.Fatalf("seed %d: %d after %d, the truth is %d, the machine says %d", seed, s, last, l.at, l.at+l.off)
		}
		last = s
	}
	l.off = -20 * second
	for range 180 { // from at most a minute ahead at half speed
		l.at += second
		l.clock.Now()
	}
	if d := l.wrong(); d != l.off {
		t.Errorf("seed %d: %d ms from the truth, the machine's clock %d", seed, d, l.off)
	}
}

// A flood of names is bounded and does not drive those out that are heard.
func TestManySenders(t *testing.T) {
	l := newLab(t, 0)
	for i := range 20_000 {
		if i%50 == 0 {
			l.at += second
			l.send(someone{name: "a"}, 1)
		}
		l.send(someone{name: fmt.Sprint("x", i), off: day}, 1)
	}
	if n := len(l.clock.senders); n > sendersMost || l.clock.senders["a"] == nil {
		t.Errorf("%d senders are kept, a among them %v", n, l.clock.senders["a"] != nil)
	}
}

func BenchmarkStamp(b *testing.B) {
	c := NewClock(nil, nil)
	batch := series.Batch{Samples: make([]series.Sample, 2000)}
	t := time.Now().UnixMilli()
	for i := range batch.Samples {
		batch.Samples[i].T = t
	}
	for i := range 100 {
		c.Stamp(fmt.Sprint(i), fmt.Sprint(i), &batch)
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Stamp("7", "7", &batch)
	}
}
