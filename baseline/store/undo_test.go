package store

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"
)

// undo takes a future back, in the truth as in the Recorder.
func (c *charted) undo(t int64) {
	for id, l := range c.want.points {
		for len(l) > 0 && l[len(l)-1].T > t {
			l = l[:len(l)-1]
		}
		c.want.points[id] = l
	}
	c.journal = append(c.journal, entry{-1, Point{T: t}})
	c.s.rec.Undo(t)
}

// A clock that is ahead again and again, for minutes to half a day, and is set back: charts show what came in the end, whatever was saved meanwhile and however often the process died.
func TestUndoneFutureIsNotShown(t *testing.T) {
	rng := seeded(t)
	c := &charted{t: t, rng: rng, path: filepath.Join(t.TempDir(), "a.db"), want: truth{map[string][]Point{}}, walkers: make([]walker, 12), silent: map[int]int64{}, now: epoch}
	for i := range c.walkers {
		c.walkers[i] = walker{rng: rng, level: math.Pow(10, float64(rng.IntN(12)-3)), kind: 1}
	}
	c.open()
	run := func(minutes, every int) {
		for minute := range minutes {
			c.minute(1, minute)
			if rng.IntN(every) == 0 {
				c.save()
			}
			if rng.IntN(150) == 0 {
				c.crash()
			}
		}
	}
	run(1500, 40)
	for i, ahead := range []int64{25, 31, 60, 6 * 60, 11 * 60, 3, 24 * 60} {
		right := c.now
		c.now += ahead * 60_000
		minutes := 1 + rng.IntN(90)
		run(minutes, []int{1, 15, 1000}[i%3])
		c.now = right + int64(minutes)*60_000
		c.undo(c.now)
		clear(c.silent)
		if i%2 == 0 {
			c.save()
		}
		run(1+rng.IntN(30), 15)
		seen := 0
		for k := range c.walkers {
			id := c.id(k)
			for _, from := range []int64{c.now - 30*60_000, c.now - 3*3600_000} {
				got, step, err := c.s.rec.Range(id, from, c.now, 5000)
				if err != nil {
					t.Fatal(err)
				}
				if err := same(got, c.want.steps(id, from-from%step, c.now, step)); err != nil {
					t.Fatalf("after a jump by %d min: signal %d, from −%d min, step %d: %v", ahead, k, (c.now-from)/60_000, step, err)
				}
				seen += len(got)
			}
		}
		if seen < 300 {
			t.Fatalf("%d steps are shown of twelve signals", seen)
		}
		run(200, 20)
	}
	for range 3 {
		c.save()
		c.crash()
	}
	for k := range c.walkers {
		from := c.now - 20*3600_000
		got, step, err := c.s.rec.Range(c.id(k), from, c.now, 5000)
		if err != nil {
			t.Fatal(err)
		}
		if err := same(got, c.want.steps(c.id(k), from-from%step, c.now, step)); err != nil {
			t.Fatalf("in the end: signal %d: %v", k, err)
		}
	}
	if rep, err := c.s.Verify(t.Context()); err != nil || !rep.OK() {
		t.Fatalf("Verify: %+v, %v", rep, err)
	}
}

// A clock that is a year ahead for an hour costs that hour's charts, and not all that were kept; after a real gap what is too old goes.
func TestLeapKeepsHistory(t *testing.T) {
	for _, undone := range []bool{true, false} {
		t.Run(fmt.Sprint(undone), func(t *testing.T) {
			s := mustOpen(t, filepath.Join(t.TempDir(), "a.db"), Options{RetentionMs: 6 * 86400e3})
			w := walker{rng: seeded(t), level: 10, kind: 1}
			now := epoch
			pass := func(minutes int) {
				for i := range minutes {
					now += 60_000
					s.rec.Add(0, "x", w.point(now))
					if i%30 == 0 {
						if err := s.Save(Checkpoint{Pos: uint64(now)}); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			shown := func(from, to int64) int {
				got, _, err := s.rec.Range("x", from, to, 10_000)
				if err != nil {
					t.Fatal(err)
				}
				return len(got)
			}
			pass(20 * 60)
			right := now
			now += 365 * 86400e3
			if pass(60); !undone {
				for range 7 {
					pass(24 * 60)
				}
				if n := shown(epoch, right); n != 0 {
					t.Errorf("%d steps from before a year are kept", n)
				}
				return
			}
			now = right + 3600_000
			s.rec.Undo(now)
			pass(30)
			if n := shown(now-30*60_000, now); n != 30 {
				t.Errorf("%d of 30 minutes after the clock was right are shown", n)
			}
			if n := shown(epoch, right); n < 19*60 {
				t.Errorf("%d of 1,200 minutes from before are shown", n)
			}
		})
	}
}
