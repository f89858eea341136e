package eval

// Counting for groups of series: incidents, and alerts of whole entities.

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// entityFew is how many members make an alert of their entity, entityWithin in how many seconds.
const (
	entityFew    = 3
	entityWithin = 900
)

// scoreIncidents counts caught incidents of groups and, beside them, how often equally long windows of normal time would have been
// "caught" as well. The windows lie one after the other through the scored time of the members and touch no incident.
func (s *SetReport) scoreIncidents(incidents []incident) {
	if len(incidents) == 0 {
		return
	}
	by := make(map[string]*SeriesReport, len(s.Series))
	for i := range s.Series {
		by[s.Series[i].Name] = &s.Series[i]
	}
	chance, weight := 0., 0
	for _, in := range incidents {
		var onsets []int64
		from, to := int64(math.MaxInt64), int64(math.MinInt64)
		for _, name := range in.Series {
			if r := by[name]; r != nil {
				onsets = append(onsets, r.onsets...)
				from, to = min(from, r.from), max(to, r.to)
			}
		}
		if from > to || in.End < from {
			continue
		}
		slices.Sort(onsets)
		s.Incidents++
		if anyIn(onsets, in.Start, in.End) {
			s.Caught++
		}
		length := max(in.End-in.Start, 1)
		windows, caught := 0, 0
		for a := from; a+length <= to; a += length {
			if !slices.ContainsFunc(incidents, func(x incident) bool {
				return x.Start <= a+length && x.End >= a && slices.ContainsFunc(x.Series, func(n string) bool { return slices.Contains(in.Series, n) })
			}) {
				windows++
				if anyIn(onsets, a, a+length-1) {
					caught++
				}
			}
		}
		if windows > 0 {
			chance += float64(caught) / float64(windows)
			weight++
		}
	}
	if weight > 0 {
		s.Chance = chance / float64(weight)
	}
}

// scoreEntities counts alerts of whole entities against the incidents of their members.
func (s *SetReport) scoreEntities(incidents []incident, mt meta) {
	members := map[string][]*SeriesReport{}
	entityOf := map[string]string{}
	for i := range s.Series {
		r := &s.Series[i]
		if e := mt.Series[r.Name].Entity; e != "" {
			members[e] = append(members[e], r)
			entityOf[r.Name] = e
		}
	}
	type begin struct {
		t      int64
		member int
	}
	for _, e := range slices.Sorted(maps.Keys(members)) {
		var begins []begin
		from, to, step := int64(math.MaxInt64), int64(math.MinInt64), int64(60)
		for k, r := range members[e] {
			from, to, step = min(from, r.from), max(to, r.to), max(step, mt.Series[r.Name].Step)
			for _, t := range r.onsets {
				begins = append(begins, begin{t, k})
			}
		}
		slices.SortFunc(begins, func(a, b begin) int { return cmp.Compare(a.t, b.t) })
		var events []span
		for _, in := range incidents {
			if in.End >= from && slices.ContainsFunc(in.Series, func(n string) bool { return entityOf[n] == e }) {
				events = append(events, span{in.Start, in.End})
			}
		}
		hit := make([]bool, len(events))
		last := int64(math.MinInt64)
		for i, b := range begins {
			who := map[int]bool{}
			for k := i; k >= 0 && b.t-begins[k].t <= entityWithin; k-- {
				who[begins[k].member] = true
			}
			if len(who) < entityFew {
				continue
			}
			again := last != math.MinInt64 && b.t-last <= max(entityWithin, 3*step)
			if last = b.t; again {
				continue
			}
			inside := false
			for k, ev := range events {
				if b.t >= ev.a-max(300, 2*step) && b.t <= ev.b+max(600, 2*step) {
					inside, hit[k] = true, true
				}
			}
			if !inside {
				s.Entities.False++
			}
		}
		for _, h := range hit {
			if h {
				s.Entities.Detected++
			}
		}
		s.Entities.Events += len(events)
		s.Entities.Days += float64(max(0, to-from)) / 86400
	}
}

// anyIn reports whether a sorted list has a value from a to b.
func anyIn(sorted []int64, a, b int64) bool {
	i, _ := slices.BinarySearch(sorted, a)
	return i < len(sorted) && sorted[i] <= b
}
