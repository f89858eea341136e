package signal

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/window"
)

// The simulation of what a stream makes of a real sender, against the process that was scraped: 30 slots of pods that are replaced and
// that restart in place, scraped every 15, 30 or 60 s by a Prometheus pair whose 8 shards each send every 5 s and stall for 20 to
// 70 s now and then.

const (
	truthSlots  = 30
	truthHours  = 4
	truthShards = 8
	truthRate   = 150.0 // requests a second and slot, so that the noise of the process is not what is measured
)

var truthBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, math.Inf(1)}

// truthPod is one pod and the counters of its process.
type truthPod struct {
	name     string
	slot     int
	step     int64    // seconds between scrapes
	phase    [2]int64 // when each Prometheus scrapes it
	from     int64    // second of its start
	ready    int64    // traffic from then on
	idle     int64    // no traffic from then on
	until    int64    // gone
	buckets  [12]float64
	requests float64
	began    int64 // when its counters began
	names    [2][]series.Labels
	keys     [2][]uint64
	scraped  [2]bool
}

// truthSample is a sample in a sender's queue.
type truthSample struct {
	pod   *truthPod
	i     int
	t     int64
	v     float64
	start int64
}

type truthQueue struct {
	waiting []truthSample
	offset  int64
	stalled int64 // until this second
}

// truthProcess is what is simulated. Everything is drawn from r in one order, so that a seed gives one simulation.
type truthProcess struct {
	r         *rand.Rand
	starts    bool  // samples say when their counter began
	base, end int64 // seconds
	live      []*truthPod
	pods      int // that ever lived
	resets    int // restarts in place
	queues    [2][truthShards]truthQueue
	counts    map[int64]*[12]float64 // by end of window: true increases of the buckets
	work      map[int64]*[5]float64  // by end of window: true requests of the workloads
}

func newTruthProcess(seed uint64, starts bool) *truthProcess {
	p := &truthProcess{r: rand.New(rand.NewPCG(seed, 11)), starts: starts, base: int64(t0) / 1000,
		counts: map[int64]*[12]float64{}, work: map[int64]*[5]float64{}}
	p.end = p.base + truthHours*3600
	for i := range truthSlots {
		p.live = append(p.live, p.newPod(i, p.base, true))
	}
	for h := range p.queues {
		for i := range p.queues[h] {
			p.queues[h][i].offset = p.r.Int64N(5)
		}
	}
	return p
}

// newPod starts a pod; the first ones of all are somewhere in their lives.
func (x *truthProcess) newPod(slot int, from int64, first bool) *truthPod {
	r := x.r
	p := &truthPod{slot: slot, name: fmt.Sprintf("web%d-5d78c9869d-%s", slot%5, randomSuffix(r)), step: []int64{15, 30, 60}[slot%3], from: from, ready: from + 10 + r.Int64N(20), began: from}
	life := 1900 + r.Int64N(3060)
	if first {
		p.ready, life = from, r.Int64N(4960)
	}
	p.until = from + life
	p.idle = math.MaxInt64
	for h := range 2 {
		p.phase[h] = r.Int64N(p.step)
		common := fmt.Sprintf(`namespace="shop",pod="%s",instance="10.0.%d.%d:80",job="web",__replica__="%c"`, p.name, x.pods/250, x.pods%250, 'a'+h)
		names := []string{`http_requests_total{` + common + `}`}
		for _, b := range truthBounds {
			names = append(names, fmt.Sprintf(`http_request_duration_seconds_bucket{%s,le="%v"}`, common, b))
		}
		names[len(names)-1] = fmt.Sprintf(`http_request_duration_seconds_bucket{%s,le="+Inf"}`, common)
		for _, n := range names {
			p.names[h] = append(p.names[h], parseLabels(n))
			p.keys[h] = append(p.keys[h], series.Hash64([]byte(n)))
		}
	}
	x.pods++
	return p
}

// run plays the process from its beginning to its end.
func (x *truthProcess) run(s *Stream) {
	for now := x.base + 1; now <= x.end; now++ {
		x.serve(now)
		x.scrape(now)
		x.churn(now)
		x.send(s, now)
	}
}

// serve is the traffic of a second: it and its latency change slowly, noise is Poisson.
func (x *truthProcess) serve(now int64) {
	w := int64(window.Of(now*1000)) * windowMs
	if x.counts[w] == nil {
		x.counts[w], x.work[w] = &[12]float64{}, &[5]float64{}
	}
	hour := float64(now-x.base) / 3600
	load := 1 + 0.3*math.Sin(2*math.Pi*hour/2) + 0.1*math.Sin(2*math.Pi*hour*6)
	median := math.Log(0.04 * (1 + 0.5*math.Sin(2*math.Pi*hour/1.5)))
	var share [12]float64
	below := 0.0
	for i, b := range truthBounds {
		p := 0.5 * math.Erfc(-(math.Log(b)-median)/0.8/math.Sqrt2)
		share[i], below = p-below, p
	}
	for _, p := range x.live {
		if now <= p.ready || now > p.idle {
			continue
		}
		for i := range share {
			n := truthPoisson(x.r, truthRate*load*share[i])
			p.buckets[i] += n
			p.requests += n
			x.counts[w][i] += n
			x.work[w][p.slot%5] += n
		}
	}
}

func (x *truthProcess) scrape(now int64) {
	for _, p := range x.live {
		for h := range 2 {
			if (now-x.base)%p.step != p.phase[h] || now <= p.from+2 {
				continue
			}
			p.scraped[h] = true
			start := int64(0)
			if x.starts {
				start = p.began * 1000
			}
			x.enqueue(h, truthSample{p, 0, now * 1000, p.requests, start})
			sum := 0.0
			for i, n := range p.buckets {
				sum += n
				x.enqueue(h, truthSample{p, i + 1, now * 1000, sum, start})
			}
		}
	}
}

// enqueue gives a sample to the shard that has its series.
func (x *truthProcess) enqueue(h int, v truthSample) {
	q := &x.queues[h][v.pod.keys[h][v.i]>>7%truthShards]
	q.waiting = append(q.waiting, v)
}

// churn replaces pods: a successor starts, takes over when it is ready, and the old pod goes half a minute later. Containers restart in
// place.
func (x *truthProcess) churn(now int64) {
	for k := len(x.live) - 1; k >= 0; k-- {
		p := x.live[k]
		switch {
		case now == p.until:
			next := x.newPod(p.slot, now, false)
			x.live = append(x.live, next)
			p.idle = next.ready
		case p.idle != math.MaxInt64 && now == p.idle+30:
			x.live = slices.Delete(x.live, k, k+1)
			for h := range 2 { // the next scrape finds nothing
				at := now + p.step
				for i := range p.names[h] {
					if p.scraped[h] {
						x.enqueue(h, truthSample{p, i, at * 1000, series.StaleNaN, 0})
					}
				}
			}
		case p.idle == math.MaxInt64 && x.r.IntN(5*3600) == 0:
			p.buckets, p.requests, p.began = [12]float64{}, 0, now
			x.resets++
		}
	}
}

// send empties the queues whose turn it is, in any order, unless their shard stalls.
func (x *truthProcess) send(s *Stream, now int64) {
	for _, at := range x.r.Perm(2 * truthShards) {
		h, q := at/truthShards, &x.queues[at/truthShards][at%truthShards]
		if now >= q.stalled && x.r.IntN(600) == 0 {
			q.stalled = now + 20 + x.r.Int64N(51)
		}
		if now < q.stalled || now%5 != q.offset || len(q.waiting) == 0 {
			continue
		}
		b := newBatch(now*1000 + 100 + x.r.Int64N(800))
		b.Sender = string(rune('a' + h))
		rest := q.waiting[:0]
		for _, v := range q.waiting {
			if v.t > now*1000 { // a stale marker that is still to come
				rest = append(rest, v)
				continue
			}
			n := uint32(len(b.Samples))
			b.labels = append(b.labels, v.pod.names[h][v.i])
			b.Entries = append(b.Entries, series.Entry{Key: v.pod.keys[h][v.i], SampleLo: n, SampleHi: n + 1})
			b.Samples = append(b.Samples, series.Sample{T: v.t, V: v.v, Start: v.start})
		}
		q.waiting = rest
		s.Apply(&b.Batch)
	}
}

func truthPoisson(r *rand.Rand, mean float64) float64 {
	if mean > 30 {
		return math.Max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64()))
	}
	limit, p, n := math.Exp(-mean), 1.0, -1.0
	for p > limit || n < 0 {
		p *= r.Float64()
		n++
	}
	return n
}
