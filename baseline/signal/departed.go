package signal

import (
	"slices"

	"github.com/wrackline/wrackline/baseline/series"
)

// Series that end without a marker. Prometheus sends none for samples that carry times of their own, as cAdvisor's do, unless it is told to (before 2.48 it could not be). Then the series of a pod that is
// gone would count as missing for five minutes, and a workload of fewer than ten pods would have no value just when its new version shows itself. So a pod's series end when others say so.

const (
	lostMs   = 75_000 // a pod that its scrape has not shown for so long, and two intervals, while it goes on showing others, is gone
	lostMany = 3      // … if so many series of it say so, since one shard of a sender may stall; or if few others are behind
)

// depart ends the series of pods that are gone, as a window closes.
func (s *Stream) depart(c *cluster, end int64) {
	pods := s.lost[:0]
	behind := 0
	for _, id := range c.series {
		if h := &s.hot[id]; h.flags&flagQuiet == 0 && h.lastT != 0 && h.lastT < end && h.isLive(end) {
			behind++
			if p := s.cold[id].pod; p != none && (len(pods) == 0 || pods[len(pods)-1] != p) {
				pods = append(pods, p)
			}
		}
	}
	s.lost = pods
	if len(pods) == 0 {
		return
	}
	newest := s.newestOf(c)
	for _, p := range pods {
		s.departPod(c, p, end, newest, behind*10 < c.live)
	}
}

// newestOf returns the newest sample of what each target shows.
func (s *Stream) newestOf(c *cluster) []int64 {
	newest := make([]int64, s.twins.Askers())
	for _, id := range c.series {
		if a := s.twins.AskerOf(id); a != none {
			newest[a] = max(newest[a], s.hot[id].lastT)
		}
	}
	return newest
}

// departPod ends the series of a pod that kube-state-metrics shows no more while it goes on showing others, or that are missing in scrapes which show others; few says that most series
// of the cluster are up to date.
func (s *Stream) departPod(c *cluster, pod uint32, end int64, newest []int64, few bool) {
	type shown struct {
		asker   uint32
		missing int
		fresh   bool
	}
	var room [6]shown
	by, ended, alive := room[:0], false, false
	for id := c.podHead[pod]; id != none; id = s.cold[id].podNext {
		h, m, a := &s.hot[id], s.metrics[s.cold[id].metric], s.twins.AskerOf(id)
		if a == none || h.lastT == 0 {
			continue
		}
		late := newest[a] - h.lastT
		if h.flags&flagStale != 0 {
			ended = ended || m.ofPod && late > 0
			continue
		}
		i := slices.IndexFunc(by, func(x shown) bool { return x.asker == a })
		if i < 0 {
			i, by = len(by), append(by, shown{asker: a})
		}
		if late < max(lostMs, 2*int64(h.stepMs)+lostMs/3) {
			by[i].fresh, alive = true, alive || m.ofPod
		} else {
			by[i].missing++
			ended = ended || m.ofPod
		}
	}
	for id := c.podHead[pod]; id != none; id = s.cold[id].podNext {
		h := &s.hot[id]
		i := slices.IndexFunc(by, func(x shown) bool { return x.asker == s.twins.AskerOf(id) })
		if i < 0 || h.flags&flagStale != 0 || h.lastT == 0 || h.lastT >= end {
			continue
		}
		if x := &by[i]; ended && !alive || !x.fresh && (x.missing >= lostMany || few) {
			s.odd(c, id, h, &series.Sample{T: h.lastT + 1, V: series.StaleNaN})
		}
	}
}
