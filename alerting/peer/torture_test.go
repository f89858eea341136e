package peer

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/notify"
)

// rounds is how many troubles a test makes: as many as WRACKLINE_TORTURE_PAIR says, else few.
func rounds(t *testing.T, few int) int {
	text := os.Getenv("WRACKLINE_TORTURE_PAIR")
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func seedOf(t *testing.T) uint64 {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("WRACKLINE_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("seed %d", seed)
	return seed
}

// tally is what came of many incidents.
type tally struct {
	words, lost, twice, marked int
	bad                        []string
}

// count holds what was said of an incident against what there was to say: that it began, and that it is over. hours says that the two did not reach each other, or the first was not there, for longer
// than the second waits: only then may both say it, and the second must say so.
func (c *tally) count(name string, list []told, summaries int, long bool) {
	first, over := summaries, summaries // of one that came and went while nobody could be told
	for _, x := range list {
		n := &first
		if x.closes {
			n = &over
		}
		if *n++; *n > 1 {
			if long && (marked(x) || marked(list[0])) {
				c.marked++
			} else {
				c.twice++
				c.bad = append(c.bad, fmt.Sprintf("%s: %s", name, says(list)))
			}
		}
	}
	c.words += 2
	for _, n := range []int{first, over} {
		if n == 0 {
			c.lost++
			c.bad = append(c.bad, fmt.Sprintf("%s lost: %q", name, says(list)))
		}
	}
}

func marked(x told) bool { return x.note != "" }

// summaries counts the lists of what came and went that name an incident.
func (w *world) summaries(name string) (n int) {
	for _, x := range w.of("summary") {
		if strings.Contains(x.note+"\n", "errors of "+name+" ") {
			n++
		}
	}
	return n
}

// TestTorturePairOfOutboxes: kills at any moment, cuts of any length and in one direction, slow answers, receivers that one of the two does not reach, folds that lag, and folds that have learned less,
// each around an incident, in simulated time. Nothing is lost, and nothing said twice but what must be.
func TestTorturePairOfOutboxes(t *testing.T) {
	n := rounds(t, 100)
	rng := rand.New(rand.NewPCG(seedOf(t), 36))
	var c tally
	troubles := map[string]int{}
	const each = 20 // rounds in one world
	for from := 0; from < n; from += each {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, notify.Options{})
			for k := from; k < min(from+each, n); k++ {
				trouble, long := w.round(rng, k)
				troubles[trouble]++
				name := fmt.Sprintf("w%d", k)
				c.count(name+" "+trouble, w.of(name), w.summaries(name), long)
			}
		})
	}
	t.Logf("%d rounds %v: %d words, %d lost, %d said twice, %d said twice with a word about it", n, troubles, c.words, c.lost, c.twice, c.marked)
	for _, b := range c.bad {
		t.Log(b)
	}
	if c.lost > 0 || c.twice*100 > c.words {
		t.Error("too many")
	}
}

// round lets one incident live, with one trouble around it, and all be well at its end. It reports which, and whether it was long.
func (w *world) round(rng *rand.Rand, k int) (trouble string, long bool) {
	a, b := w.servers[0], w.servers[1]
	at := int64(10 + 100*k) // minutes of event time
	s := story{name: fmt.Sprintf("w%d", k), onset: at}
	x := s
	if rng.IntN(5) == 0 { // B has learned less
		x.id, x.onset = fmt.Sprintf("other%d", k), at+int64(rng.IntN(9))-4
	}
	second := func(from, to float64) time.Duration {
		return time.Duration((from + (to-from)*rng.Float64()) * float64(time.Second))
	}
	type step struct {
		after time.Duration
		do    func()
	}
	var steps []step
	add := func(after time.Duration, do func()) { steps = append(steps, step{after, do}) }
	begin, end := 200*time.Second, 200*time.Second+second(100, 900)
	lag := second(0, 40)
	add(begin, func() { a.fold(s.note(alerting.First, 0, at+2)) })
	add(begin+lag, func() { b.fold(x.note(alerting.First, 0, at+2)) })
	add(end, func() { a.fold(s.note(alerting.Resolved, 1, at+20)) })
	add(end+lag, func() { b.fold(x.note(alerting.Resolved, 1, at+20)) })
	around := begin
	if rng.IntN(2) == 0 {
		around = end
	}
	from := around + second(-100, 100)
	if rng.IntN(3) == 0 {
		from = around + second(-.1, .1) // right where something is under way
	}
	length := second(1, 50)
	if long = rng.IntN(4) == 0; long {
		length = second(50, 600)
	}
	to := from + length
	killed := func(s *server) func() { return func() { s.kill() } }
	started := func(s *server) func() {
		return func() {
			if !s.alive {
				s.start()
			}
		}
	}
	switch kind := rng.IntN(8); kind {
	case 0, 1:
		trouble = "kill A"
		add(from, killed(a))
		add(to, started(a))
	case 2:
		trouble = "kill B"
		add(from, killed(b))
		add(to, started(b))
	case 3:
		trouble = "kill both"
		add(from, killed(a))
		add(from+second(-5, 5), killed(b))
		add(to, started(a))
		add(to+second(0, 50), started(b))
	case 4, 5:
		trouble = "cut"
		add(from, func() { w.set(func() { w.cut = true }) })
		add(to, func() { w.set(func() { w.cut = false }) })
	case 6:
		trouble = "slow, one way"
		way := rng.IntN(2)
		add(from, func() { w.set(func() { w.oneWay, w.delay = way, second(0, 4) }) })
		add(to, func() { w.set(func() { w.oneWay, w.delay = -1, 0 }) })
	case 7:
		trouble = "receiver"
		one := rng.IntN(2)
		add(from, func() { w.set(func() { w.down[one] = true }) })
		add(to, func() { w.set(func() { w.down[one] = false }) })
	}
	begun := time.Now()
	for len(steps) > 0 {
		next := 0
		for i := range steps {
			if steps[i].after < steps[next].after {
				next = i
			}
		}
		time.Sleep(time.Until(begun.Add(steps[next].after)))
		steps[next].do()
		steps = append(steps[:next], steps[next+1:]...)
	}
	started(a)()
	started(b)()
	time.Sleep(15 * time.Minute)
	return trouble, long
}
