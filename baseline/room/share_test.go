package room

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func held(n ...int) (list []Holder) {
	for _, x := range n {
		list = append(list, Holder{Held: Room{Tracked: x}, HeardMs: 1, Twin: -1})
	}
	return list
}

func TestSharesAndCuts(t *testing.T) {
	pair := func(list []Holder, a, b int) []Holder { list[a].Twin = b; return list }
	late := func(list []Holder, from int) []Holder {
		for i := range list {
			list[i].HeardMs = 2*YoungMs + 1
			if i >= from {
				list[i].SinceMs = 2 * YoungMs
			}
		}
		return list
	}
	const minute = YoungMs / 60
	times := func(list []Holder, minutes ...int64) []Holder { // since when and until when
		for i := range list {
			list[i].SinceMs, list[i].HeardMs = minutes[2*i]*minute, minutes[2*i+1]*minute
		}
		return list
	}
	for name, c := range map[string]struct {
		list  []Holder
		asker int
		left  int // of the asker
		over  int
		cuts  []int
	}{
		"one alone":                                             {held(100), 0, 0, 10, []int{0}},
		"one that begins":                                       {held(105, 5), 1, 45, 10, []int{10, 0}},
		"who holds nothing has no part":                         {held(60, 40, 0), 1, 10, 5, []int{5, 0, 0}},
		"the largest first":                                     {held(60, 45, 5), 2, 28, 10, []int{10, 0, 0}},
		"two come down to one level":                            {held(60, 45, 5), 2, 28, 25, []int{20, 5, 0}},
		"nobody below its share":                                {held(60, 40, 10), 2, 23, 90, []int{27, 7, 0}},
		"a pair is one":                                         {pair(held(30, 30, 50), 1, 0), 2, 0, 10, []int{0, 10, 0}},
		"a pair named from both sides":                          {pair(pair(held(30, 30, 50), 1, 0), 0, 1), 2, 0, 10, []int{0, 10, 0}},
		"the young share one part":                              {late(held(50, 20, 20, 20), 1), 3, 0, 10, []int{0, 4, 4, 2}},
		"one that is young has a part":                          {late(held(80, 20), 1), 1, 30, 10, []int{10, 0}},
		"names in passing are young from the first moment":      {times(held(10, 30, 30, 30), 0, 8, 1, 1, 3, 3, 7, 7), 0, 40, 10, []int{0, 4, 4, 2}},
		"who has been there for half of the time is not young":  {times(held(60, 20, 10, 10), 0, 8, 4, 8, 0, 6, 3, 8), 1, 5, 10, []int{10, 0, 0, 0}},
		"who came in the first hour and goes on has part of it": {times(held(60, 40), 0, 600, 59, 600), 1, 10, 5, []int{5, 0}},
	} {
		d := Divide(c.list, Tracked, c.asker, 100)
		if got := d.Left(c.asker); got != c.left {
			t.Errorf("%s: %d left, want %d", name, got, c.left)
		}
		if got := Divide(c.list, Tracked, -1, 100).Cuts(c.over); !slices.Equal(got, c.cuts) {
			t.Errorf("%s: cuts %v, want %v", name, got, c.cuts)
		}
	}
}

// Whatever is held: as much is given up as is over, or all that is beyond the shares; nobody goes below its share, and nobody is left with more than somebody who had to give.
func TestCutsAreFair(t *testing.T) {
	const seed = 7
	r := rand.New(rand.NewPCG(seed, 1))
	for range 5_000 {
		list := make([]Holder, 1+r.IntN(8))
		for i := range list {
			list[i] = Holder{Held: Room{Tracked: r.IntN(1 + r.IntN(500))}, SinceMs: int64(r.IntN(3)) * 2 * YoungMs, Twin: r.IntN(len(list)*3) - 2*len(list)}
			list[i].HeardMs = list[i].SinceMs + int64(r.IntN(2))*YoungMs
		}
		over := r.IntN(300)
		d := Divide(list, Tracked, -1, 400)
		cuts, sum, beyond := d.Cuts(over), 0, 0
		after := slices.Clone(d.sums)
		for i, n := range cuts {
			if sum += n; n < 0 || n > list[i].Held.Tracked {
				t.Fatalf("seed %d: %+v gives up %v", seed, list, cuts)
			}
			if d.of[i] >= 0 {
				after[d.of[i]] -= n
			}
		}
		for p := range d.sums {
			beyond += max(0, d.sums[p]-d.shares[p])
			if after[p] < d.sums[p] && after[p] < d.shares[p] {
				t.Fatalf("seed %d: %+v: party %d keeps %d of its share %d", seed, list, p, after[p], d.shares[p])
			}
			for q := range d.sums {
				if after[p] < d.sums[p] && float64(after[q]-1)/float64(d.shares[q]) > float64(after[p]+1+len(list))/float64(d.shares[p]) {
					t.Fatalf("seed %d: %+v, over %d: party %d is left with %d of %d, party %d with %d of %d", seed, list, over, q, after[q], d.shares[q], p, after[p], d.shares[p])
				}
			}
		}
		if sum != min(over, beyond) {
			t.Fatalf("seed %d: %+v: %d given up of %d, %d are beyond shares %v", seed, list, sum, over, beyond, d.shares)
		}
	}
}
