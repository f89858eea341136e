package room

import (
	"cmp"
	"math"
	"slices"
)

// YoungMs is for how long somebody must have been heard to be young no more, where the first has been known for twice as long at least; before that half of the time since the first: see Divide.
const YoungMs = int64(3_600_000)

// Holder is one of those who share a room.
type Holder struct {
	Held    Room
	SinceMs int64 // since when it is known
	HeardMs int64 // when it was last heard
	Twin    int   // the holder whose replica it is, so that the two share as one; below 0 = it is on its own
}

// Division says who may hold how much of one field of a room.
type Division struct {
	of     []int // by holder: its party; below 0 = it has no part
	held   []int // by holder
	sums   []int // by party: what it holds
	shares []int // by party
}

// Divide divides field i of a room for so many among those who hold something of it, and asker, who would like to; below 0 = nobody. All get equal parts, a pair one. The young
// share one part, so that names which somebody makes up by the hundred take nothing from those who were there.
func Divide(list []Holder, i, asker, all int) *Division {
	d := &Division{of: make([]int, len(list)), held: make([]int, len(list))}
	root := make([]int, len(list))
	for k := range root {
		root[k] = k
	}
	find := func(k int) int {
		for root[k] != k {
			k = root[k]
		}
		return k
	}
	first, now := int64(math.MaxInt64), int64(0)
	for k := range list {
		now = max(now, list[k].HeardMs)
		if t := list[k].Twin; t >= 0 {
			a, b := find(k), find(t)
			root[max(a, b)] = min(a, b)
		}
		if d.held[k] = list[k].Held.Of(i); d.held[k] > 0 || k == asker {
			first = min(first, list[k].SinceMs)
		}
		d.of[k] = -1
	}
	heard := min(YoungMs, max(0, (now-first)/2)) // for how long whoever is not young has been
	var old []bool                               // by party
	at := make(map[int]int, len(list))
	for k := range list {
		if d.held[k] == 0 && k != asker {
			continue
		}
		p, ok := at[find(k)]
		if !ok {
			p = len(d.sums)
			at[find(k)] = p
			d.sums, old = append(d.sums, 0), append(old, false)
		}
		d.of[k] = p
		d.sums[p] += d.held[k]
		old[p] = old[p] || list[k].HeardMs-list[k].SinceMs >= heard
	}
	d.shares = shares(all, old)
	return d
}

func shares(all int, old []bool) []int {
	known, young := 0, 0
	for _, o := range old {
		if o {
			known++
		} else {
			young++
		}
	}
	part := all / max(1, known+min(young, 1))
	list := make([]int, len(old))
	for i, o := range old {
		if list[i] = max(1, part); !o {
			list[i] = max(1, part/young)
		}
	}
	return list
}

// Left returns how much more a holder may have until it has its share.
func (d *Division) Left(holder int) int {
	p := d.of[holder]
	return max(0, d.shares[p]-d.sums[p])
}

// Share returns how much a holder and those of its party may have, and how much they do; 0 for one without a part.
func (d *Division) Share(holder int) (share, held int) {
	if p := d.of[holder]; p >= 0 {
		return d.shares[p], d.sums[p]
	}
	return 0, 0
}

// Cuts returns how much each holder gives up so that there are over fewer: first who holds most in proportion to the share, and nobody of what is within it; of a pair the one that is later in the list.
func (d *Division) Cuts(over int) []int {
	cuts, parts := make([]int, len(d.of)), d.parts(over)
	for k := len(cuts) - 1; k >= 0; k-- {
		if p := d.of[k]; p >= 0 {
			cuts[k] = min(parts[p], d.held[k])
			parts[p] -= cuts[k]
		}
	}
	return cuts
}

// parts is Cuts by party.
func (d *Division) parts(over int) []int {
	order := make([]int, len(d.sums))
	for p := range order {
		order[p] = p
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(int64(d.sums[b])*int64(d.shares[a]), int64(d.sums[a])*int64(d.shares[b]))
	})
	// As many as need be come down to one level, a multiple of their shares: what they hold without over, to the sum of their shares.
	held, share, n := int64(-over), int64(0), 0
	for _, p := range order {
		if n > 0 && held*int64(d.shares[p]) >= int64(d.sums[p])*share {
			break
		}
		held, share, n = held+int64(d.sums[p]), share+int64(d.shares[p]), n+1
	}
	parts := make([]int, len(d.sums))
	for _, p := range order[:n] {
		level := max(max(0, held)*int64(d.shares[p])/share, int64(d.shares[p]))
		parts[p] = max(0, min(d.sums[p]-int(level), over))
		over -= parts[p]
	}
	return parts
}
