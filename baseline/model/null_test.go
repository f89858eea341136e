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
	"sync/atomic"
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

// TestNull counts false alarms of benign families. WRACKLINE_NULL is how many series-weeks are played in all; a few without it, which
// only catch what is grossly wrong. The first two weeks of a series are learned and not counted.
func TestNull(t *testing.T) {
	weeks := 1500.
	if s := os.Getenv("WRACKLINE_NULL"); s != "" {
		var err error
		if weeks, err = strconv.ParseFloat(s, 64); err != nil {
			t.Fatal(err)
		}
	} else {
		t.Parallel()
	}
	type cell struct{ family, params string }
	var cells []cell
	fams := nullFamilies()
	for f := range fams {
		for p := range nullParams(f) {
			cells = append(cells, cell{f, p})
		}
	}
	slices.SortFunc(cells, func(a, b cell) int { return slices.Compare([]string{a.params, a.family}, []string{b.params, b.family}) })
	const learn, counted = 2, 8 // weeks of a series
	rounds := max(1, int(weeks/float64(len(cells))/counted))
	var alarms = make([]atomic.Int64, len(cells))
	var done atomic.Int64
	work := make(chan [2]int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for w := range work {
				c := cells[w[0]]
				r := newRun(nullParams(c.family)[c.params])
				src := rand.New(rand.NewPCG(uint64(w[1]), uint64(w[0])+99))
				s := fams[c.family]()
				r.feed(learn*7*perDay, s, src)
				n := len(r.alarms)
				r.feed(counted*7*perDay, s, src)
				alarms[w[0]].Add(int64(len(r.alarms) - n))
				done.Add(counted)
			}
		})
	}
	told := time.Now()
	for round := range rounds {
		for i := range cells {
			work <- [2]int{i, round}
			if weeks > 1e4 && time.Since(told) > 30*time.Second {
				told = time.Now()
				fmt.Fprintf(os.Stderr, "null: %d of %d series-weeks\n", done.Load(), rounds*counted*len(cells))
			}
		}
	}
	close(work)
	wg.Wait()
	for i, c := range cells {
		n, w := float64(alarms[i].Load()), float64(rounds*counted)
		// Upper end of the 95 % interval of a Poisson count, by Wilson and Hilferty (1931).
		k := n + 1
		upper := k * math.Pow(1-1/(9*k)+1.645/(3*math.Sqrt(k)), 3)
		t.Logf("%-8s %-10s %6.0f series-weeks, %5.0f false alarms: %8.2f per 1,000 series-weeks, at most %.2f", c.params, c.family, w, n, 1000*n/w, 1000*upper/w)
		most := .05 // alarms a series-week
		switch {
		case c.params == "unknown":
			most = .7
		case c.family == "leader", c.family == "flips":
			most = .5 // real changes, of which some are news
		case c.family == "ou":
			most = .2
		}
		if c.params == "unknown" && (c.family == "leader" || c.family == "flips") {
			most = 2
		}
		if n > 3+2*most*w {
			t.Errorf("%s, %s: %.0f false alarms in %.0f series-weeks, more than twice %.2g a week", c.params, c.family, n, w, most)
		}
	}
}
