package store

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/store/tiers"
)

// near reports whether got is want within what charts keep.
func near(got, want, tolerance float64) bool {
	return got == want || math.IsNaN(got) && math.IsNaN(want) || math.Abs(got-want) <= tolerance*math.Abs(want)
}

// truth is the Recorder's twin: every point, kept plainly.
type truth struct {
	points map[string][]Point
}

func (w *truth) add(id string, p Point) {
	if l := w.points[id]; len(l) > 0 && l[len(l)-1].T >= p.T {
		return
	}
	w.points[id] = append(w.points[id], p)
}

// steps works out by brute force what Range should give for steps of stepMs.
func (w *truth) steps(id string, low, high, stepMs int64) []RangePoint {
	groups := map[int64][]Point{}
	for _, p := range w.points[id] {
		end := (p.T + stepMs - 1) / stepMs * stepMs
		if p.T > low && (p.T <= high || stepMs >= cellMs && (p.T-1)/cellMs <= (high-1)/cellMs) {
			groups[end] = append(groups[end], p)
		}
	}
	var out []RangePoint
	for end, g := range groups {
		q := RangePoint{T: end, Min: math.Inf(1), Max: math.Inf(-1), State: model.Normal, Points: len(g)}
		for _, p := range g {
			q.Min, q.Max = min(q.Min, p.Value), max(q.Max, p.Value)
			q.Value += p.Value / float64(len(g))
			q.Lower += p.Lower / float64(len(g))
			q.Expected += p.Expected / float64(len(g))
			q.Upper += p.Upper / float64(len(g))
			q.State = tiers.Worse(q.State, p.State)
			q.Score = max(q.Score, p.Score)
		}
		out = append(out, q)
	}
	slices.SortFunc(out, func(a, b RangePoint) int { return cmp.Compare(a.T, b.T) })
	return out
}

func same(got, want []RangePoint) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d steps, want %d", len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		const eps = 2e-6
		if g.T != w.T || g.Points != w.Points || g.State != w.State || !near(g.Min, w.Min, eps) || !near(g.Max, w.Max, eps) ||
			!near(g.Value, w.Value, eps) || !near(g.Lower, w.Lower, eps) || !near(g.Expected, w.Expected, eps) ||
			!near(g.Upper, w.Upper, eps) || !near(g.Score, w.Score, 3e-4) {
			return fmt.Errorf("step %d is\n%+v, want\n%+v", i, g, w)
		}
	}
	return nil
}

// walker makes plausible points: a daily shape, noise, a slow band, gaps and alarms.
type walker struct {
	rng   *rand.Rand
	level float64
	kind  int
	score float64
}

func (w *walker) point(t int64) Point {
	day := 1 + 0.4*math.Sin(float64(t)/86400e3*2*math.Pi)
	if w.kind == 0 { // an error ratio: usually nothing
		v := 0.0
		if w.rng.IntN(50) == 0 {
			v = w.rng.Float64() * 0.01
		}
		return Point{T: t, Value: v, Upper: 0.02, State: model.Normal, Score: v}
	}
	w.score = max(0, w.score*0.9+w.rng.NormFloat64()*0.03)
	if w.rng.IntN(3000) == 0 {
		w.score = 1.5
	}
	e := w.level * day * (1 + 1e-4*w.rng.NormFloat64())
	p := Point{T: t, Value: e * (1 + 0.1*w.rng.NormFloat64()), Lower: e * 0.7, Expected: e, Upper: e * 1.35, State: model.Normal, Score: w.score}
	if w.score >= 1 {
		p.State = model.High
	}
	return p
}

const epoch = int64(1_790_000_000_000) / cellMs * cellMs

// charted is a Recorder with the life of some signals and the truth about them.
type charted struct {
	t       *testing.T
	rng     *rand.Rand
	path    string
	s       *Store
	want    truth
	walkers []walker
	silent  map[int]int64 // until when, by signal
	now     int64
	journal []entry // since the last save
	saves   int
}

// entry is a point that a crash would replay.
type entry struct {
	i int
	p Point
}

func (c *charted) id(i int) string { return fmt.Sprintf("rule.%d~cluster=c", i) }

func (c *charted) open() { c.s = mustOpen(c.t, c.path, Options{RetentionMs: 6 * 86400e3}) }

// minute adds what the signals say in one minute of a day, with gaps, odd times, late starts and silences.
func (c *charted) minute(day, minute int) {
	c.now += 60_000
	for i := range c.walkers {
		if c.rng.IntN(3000) == 0 {
			c.silent[i] = c.now + int64(c.rng.IntN(900))*60_000
		}
		if c.silent[i] > c.now || c.rng.IntN(200) == 0 || i%9 == 8 && day < 1 {
			continue
		}
		at := c.now
		if i%7 == 6 { // a cluster whose windows do not end on the minute, and which is behind
			at -= 13*60_000 + 17_000
		}
		if i%11 == 10 { // one that is hours behind, and sends little
			if minute%7 != 0 {
				continue
			}
			at -= 3 * 3600_000
		}
		p := c.walkers[i].point(at)
		c.journal = append(c.journal, entry{i, p})
		c.want.add(c.id(i), p)
		c.s.rec.Add(uint32(i), c.id(i), p)
	}
}

func (c *charted) save() {
	c.t.Helper()
	if err := c.s.Save(Checkpoint{Pos: uint64(c.now)}); err != nil {
		c.t.Fatal(err)
	}
	c.saves++
	c.journal = c.journal[:0]
}

// crash loses the memory and replays the journal, with some that the save had.
func (c *charted) crash() {
	c.t.Helper()
	if err := c.s.Close(); err != nil {
		c.t.Fatal(err)
	}
	c.open()
	if c.s.quarantined != "" {
		c.t.Fatal("a sound file was set aside")
	}
	for _, e := range c.journal {
		if e.i < 0 {
			c.s.rec.Undo(e.p.T)
			continue
		}
		c.s.rec.Add(uint32(e.i+5), c.id(e.i), e.p)
	}
}

// check compares every kind of Range with the truth.
func (c *charted) check(what string) {
	c.t.Helper()
	rng, now := c.rng, c.now
	for i := rng.IntN(3); i < len(c.walkers); i += 3 {
		for _, q := range []struct {
			from, to int64
			points   int
		}{
			{now - 3600_000, now, 60}, {now - 3600_000, now, 17}, {now - 20*3600_000, now, 5000}, {now - 20*3600_000, now - 5*3600_000, 100},
			{now - 46*3600_000, now, 150}, {now - 4*86400e3, now, 500}, {now - 4*86400e3, now, 10}, {now - 100*86400e3, now + 86400e3, 300},
			{now - int64(rng.IntN(4*86400e3)), now - int64(rng.IntN(86400e3)), 1 + rng.IntN(1000)},
		} {
			got, step, err := c.s.rec.Range(c.id(i), q.from, q.to, q.points)
			if err != nil {
				c.t.Fatal(err)
			}
			if q.from >= q.to {
				continue
			}
			from, to := max(q.from, now-6*86400e3), min(q.to, now)
			low := from - from%step
			if err := same(got, c.want.steps(c.id(i), low, to, step)); err != nil {
				c.t.Fatalf("%s: signal %d, from −%d min to −%d min, %d points, step %d ms: %v", what, i, (now-q.from)/60_000, (now-q.to)/60_000, q.points, step, err)
			}
			if len(got) > q.points+1 {
				c.t.Fatalf("%d steps for %d points", len(got), q.points)
			}
		}
	}
}

// TestRangeIsTheTruth feeds signals, saves at random, opens the file anew at random as after a crash, replays what was lost, and
// compares every kind of Range with brute force over the plain points.
func TestRangeIsTheTruth(t *testing.T) {
	rng := seeded(t)
	const signals = 40
	c := &charted{t: t, rng: rng, path: filepath.Join(t.TempDir(), "a.db"), want: truth{map[string][]Point{}}, walkers: make([]walker, signals),
		silent: map[int]int64{}, now: epoch}
	for i := range c.walkers {
		c.walkers[i] = walker{rng: rng, level: math.Pow(10, float64(rng.IntN(12)-3)), kind: rng.IntN(4)}
	}
	c.open()
	for day := range 4 {
		for minute := range 1440 {
			c.minute(day, minute)
			every := 40
			if day == 3 && minute > 1390 {
				every = 1
			}
			if rng.IntN(every) == 0 {
				c.save()
			}
			if rng.IntN(400) == 0 {
				c.crash()
			}
		}
	}
	c.check("with open blocks")
	if err := c.s.Save(Checkpoint{}); err != nil {
		t.Fatal(err)
	}
	c.check("saved")
	c.s.Close()
	c.open()
	c.check("opened anew")
	if rep, err := c.s.Verify(t.Context()); err != nil || !rep.OK() || rep.Signals != signals {
		t.Fatalf("Verify: %+v, %v", rep, err)
	}
	if c.saves < 30 {
		t.Fatalf("only %d saves", c.saves)
	}
}

// TestReplayChangesNothing adds everything again after a save and after a start.
func TestReplayChangesNothing(t *testing.T) {
	rng := seeded(t)
	path := filepath.Join(t.TempDir(), "a.db")
	s := mustOpen(t, path, Options{})
	w := walker{rng: rng, level: 10, kind: 1}
	var all []Point
	for i := range int64(3000) {
		all = append(all, w.point(epoch+i*60_000))
	}
	for i, p := range all {
		s.rec.Add(0, "x", p)
		if i%700 == 699 {
			if err := s.Save(Checkpoint{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Save(Checkpoint{}); err != nil {
		t.Fatal(err)
	}
	want, _, err := s.rec.Range("x", epoch, epoch+3000*60_000, 4000)
	if err != nil || len(want) < 200 {
		t.Fatalf("%d points, %v", len(want), err)
	}
	for range 2 {
		for _, p := range all {
			p.Value *= 2
			s.rec.Add(0, "x", p)
		}
		if got, _, err := s.rec.Range("x", epoch, epoch+3000*60_000, 4000); err != nil || !slices.Equal(got, want) {
			t.Fatalf("a replay changed the chart, %v", err)
		}
		if got := s.Stats().Replayed; got != int64(len(all)) {
			t.Errorf("%d adds counted as replayed, want %d", got, len(all))
		}
		before := s.man.history
		if err := s.Save(Checkpoint{}); err != nil {
			t.Fatal(err)
		}
		if s.man.history != before {
			t.Error("a replay changed the history on disk")
		}
		s.Close()
		s = mustOpen(t, path, Options{})
	}
}

// TestRetention lets a year pass, most of it with one signal only.
func TestRetention(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s := mustOpen(t, path, Options{RetentionMs: 15 * 86400e3})
	for i := range 300 {
		for m := range int64(60) {
			s.rec.Add(uint32(i), fmt.Sprint("gone", i), Point{T: epoch + m*60_000, Value: 1})
		}
	}
	if err := s.Save(Checkpoint{}); err != nil {
		t.Fatal(err)
	}
	most := uint64(0)
	for m := range int64(60 * 24 * 365) {
		s.rec.Add(5000, "stays", Point{T: epoch + m*60_000, Value: float64(m % 1000)})
		if m%1440 == 0 {
			if err := s.Save(Checkpoint{}); err != nil {
				t.Fatal(err)
			}
			if m > 20*1440 {
				most = max(most, s.man.history.count)
			}
		}
	}
	if err := s.Save(Checkpoint{}); err != nil {
		t.Fatal(err)
	}
	// 97 half hours, 91 times four hours, a name, a seal, tails.
	if most > 97+92+10 {
		t.Errorf("up to %d records were kept", most)
	}
	if got := s.rec.Signals(); !slices.Equal(got, []string{"stays"}) {
		t.Errorf("signals %v, want the one that stays", got)
	}
	now := epoch + 60*24*365*60_000
	pts, step, err := s.rec.Range("stays", now-3*365*86400e3, now, 5000)
	if err != nil || step != cellMs || len(pts) < 15*96 || len(pts) > 15*96+17 {
		t.Errorf("%d points of %d ms, %v; want 15 days of quarters", len(pts), step, err)
	}
	pts, step, err = s.rec.Range("stays", now-47*3600_000, now, 5000)
	if err != nil || step != minuteMs || len(pts) != 47*60-1 {
		t.Errorf("%d points of %d ms, %v; want 47 hours of minutes", len(pts), step, err)
	}
	// One that comes back is a new one.
	s.rec.Add(3, "gone3", Point{T: now, Value: 7})
	pts, _, err = s.rec.Range("gone3", 0, now, 10)
	if err != nil || len(pts) != 1 || pts[0].Value != 7 {
		t.Errorf("gone3: %v, %v", pts, err)
	}
	if rep, err := s.Verify(t.Context()); err != nil || !rep.OK() {
		t.Errorf("Verify: %+v, %v", rep, err)
	}
}

// TestRangeWhileAdding reads and saves while the fold goes on; the race detector looks.
func TestRangeWhileAdding(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "a.db"), Options{})
	s.rec.pendingMax = 1 << 20 // so that the Recorder writes by itself too
	const signals, minutes = 40, 2000
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		for m := range int64(minutes) {
			for i := range signals {
				s.rec.Add(uint32(i), fmt.Sprint("s", i), Point{T: epoch + m*60_000, Value: float64(m), State: model.Normal})
			}
		}
	})
	wg.Go(func() {
		for i := uint64(1); ; i++ {
			select {
			case <-done:
				return
			default:
			}
			if err := s.Save(Checkpoint{Pos: i}); err != nil {
				t.Error(err)
			}
		}
	})
	for range 2 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				pts, _, err := s.rec.Range(fmt.Sprint("s", i%signals), epoch-1, epoch+minutes*60_000, 100+i%3000)
				if err != nil {
					t.Error(err)
				}
				// Whatever moment it was: all points from the first on, each once.
				n, last := 0, int64(0)
				for _, p := range pts {
					n += p.Points
					if p.T <= last {
						t.Errorf("steps out of order: %d after %d", p.T, last)
					}
					last = p.T
				}
				if len(pts) > 0 && (pts[len(pts)-1].Max != float64(n-1) || pts[0].Min != 0) {
					t.Errorf("%d points but values from %v to %v", n, pts[0].Min, pts[len(pts)-1].Max)
					return
				}
				s.Stats()
			}
		})
	}
	wg.Wait()
	if err := s.Save(Checkpoint{Pos: 1 << 40}); err != nil {
		t.Fatal(err)
	}
	if rep, err := s.Verify(t.Context()); err != nil || !rep.OK() {
		t.Errorf("Verify: %+v, %v", rep, err)
	}
}
