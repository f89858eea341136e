package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// nullFamilies are the families of families() and those in which something changes for good reasons.
func nullFamilies() map[string]func() series {
	all := families()
	all["weekly"] = func() series {
		return func(i int, r *rand.Rand) float64 {
			v := 100 * (1.2 - math.Cos((float64(i%perDay)/60-3)/12*math.Pi)) * math.Exp(.06*r.NormFloat64())
			if i/perDay%7 >= 5 {
				v *= .55
			}
			return v
		}
	}
	all["flips"] = func() series { // a constant that a deploy changes once in ten days
		v := 4.
		return func(_ int, r *rand.Rand) float64 {
			if r.IntN(10*perDay) == 0 {
				v = float64(2 + r.IntN(6))
			}
			return v
		}
	}
	all["leader"] = func() series { // the leader does three times the work of a follower; it changes once a week
		lead := true
		return func(_ int, r *rand.Rand) float64 {
			if r.IntN(7*perDay) == 0 {
				lead = !lead
			}
			v := 10 * math.Exp(.05*r.NormFloat64())
			if lead {
				v *= 3
			}
			return v
		}
	}
	return all
}

// nullParams are rules as packs have them, and the setting of unknown signals.
func nullParams(name string) map[string]Params {
	level := Defaults()
	level.Bad, level.EffectRel, level.Persist = Up, .5, 5
	both := Defaults()
	both.EffectRel, both.Persist = .3, 5
	if name == "ratio" {
		level.EffectAbs, level.EffectRel, level.Min, level.Max = .02, 0, 0, 1
		both.EffectAbs, both.EffectRel, both.Min, both.Max = .02, 0, 0, 1
	}
	return map[string]Params{"up": level, "both": both, "unknown": blind()}
}

// TestNull counts false alarms of benign families against the budget. Signals of a family are played side by side as an installation that allows one false
// alarm a week; two weeks are learned, the budget has two more to see how they behave, and what is told from then on counts. WRACKLINE_NULL is how many
// series-weeks are counted in all; a few without it, which only catch what is grossly wrong.
func TestNull(t *testing.T) {
	weeks, signals, counted := 2000., 8, 6
	if s := os.Getenv("WRACKLINE_NULL"); s != "" {
		var err error
		if weeks, err = strconv.ParseFloat(s, 64); err != nil {
			t.Fatal(err)
		}
		signals, counted = 40, 12
	} else {
		t.Parallel()
	}
	const learn, asked = 4, 1. // weeks; false alarms a week
	type cell struct{ family, params string }
	var cells []cell
	fams := nullFamilies()
	for f := range fams {
		for p := range nullParams(f) {
			cells = append(cells, cell{f, p})
		}
	}
	slices.SortFunc(cells, func(a, b cell) int { return slices.Compare([]string{a.params, a.family}, []string{b.params, b.family}) })
	each := signals * counted // series-weeks of a fleet
	rounds := max(1, int(math.Ceil(weeks/float64(len(cells)*each))))
	var mu sync.Mutex // guards alarms, strict and done
	alarms, strict := make([]int, len(cells)), make([]float64, len(cells))
	done := 0
	work := make(chan [2]int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for w := range work {
				c := cells[w[0]]
				byWeek, b := fleet(fams[c.family], nullParams(c.family)[c.params], asked, signals, learn, counted, uint64(w[1]*len(cells)+w[0]))
				mu.Lock()
				for _, n := range byWeek {
					alarms[w[0]] += n
				}
				strict[w[0]] += b.Strict() / float64(rounds)
				done++
				mu.Unlock()
			}
		})
	}
	told := time.Now()
	for round := range rounds {
		for i := range cells {
			work <- [2]int{i, round}
			if weeks > 1e4 && time.Since(told) > 30*time.Second {
				told = time.Now()
				mu.Lock()
				fmt.Fprintf(os.Stderr, "null: %d of %d series-weeks\n", done*each, rounds*each*len(cells))
				mu.Unlock()
			}
		}
	}
	close(work)
	wg.Wait()
	t.Logf("%d signals with a budget of %g false alarm a week: %.1f per 1,000 series-weeks", signals, asked, 1000*asked/float64(signals))
	for i, c := range cells {
		n, w := float64(alarms[i]), float64(rounds*each)
		// Upper end of the 95 % interval of a Poisson count, by Wilson and Hilferty (1931).
		k := n + 1
		upper := k * math.Pow(1-1/(9*k)+1.645/(3*math.Sqrt(k)), 3)
		t.Logf("%-8s %-10s %6.0f series-weeks, %5.0f false alarms: %7.2f per 1,000 series-weeks, at most %7.2f; %.2f a week of the fleet; strictness %.2f",
			c.params, c.family, w, n, 1000*n/w, 1000*upper/w, n/w*float64(signals), strict[i])
		most := asked / float64(signals) // alarms a series-week
		if c.family == "flips" || c.family == "leader" {
			most = .5 // real changes, of which some are news
		}
		if n > 4+1.5*most*w {
			t.Errorf("%s, %s: %.0f false alarms in %.0f series-weeks, more than one and a half times the budget of %.3g a week", c.params, c.family, n, w, most)
		}
	}
}
