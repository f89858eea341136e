package scenario

import (
	"hash/maphash"
	"sort"

	"github.com/wrackline/wrackline/baseline/series"
)

// A target is what Prometheus scrapes: one endpoint with its labels. What it exposes is held in blocks, one for each
// entity behind it (a pod in the kubelet's or kube-state-metrics' answer), so that an entity's end is one flag.
type target struct {
	base   []series.Label // labels that the scrape adds; a metric's own label of the same name wins (honorLabels)
	every  int            // live interval in steps of 15 s
	phase  int            // which of these steps
	offset [2]int64       // ms after the step at which each Prometheus scrapes
	blocks []*block
	meta   *block // up, scrape_samples_scraped
	down   bool   // scrapes fail
	lost   [2]bool
	gone   bool // discovery has dropped it; it is removed once each Prometheus has ended its series
	told   [2]bool
}

// block is what one entity contributes to a target: one row a series.
// vals is current truth, written by the simulation; rows is identity, written once.
type block struct {
	t     *target
	vals  []float64
	rows  [2]rows
	ended bool // the next scrape of each Prometheus writes stale markers
	told  [2]bool
	seen  [2]bool
}

// rows is the identity of a block's series as one Prometheus sends them.
type rows struct {
	keys   []uint64
	shard  []uint8
	labels []series.Labels
	wire   [][]byte // protobuf of the labels, made when first sent
}

func newTarget(w *world, job string, every int, kv ...string) *target {
	t := &target{every: every}
	t.base = append(t.base, series.Label{Name: "job", Value: job})
	for i := 0; i < len(kv); i += 2 {
		t.base = append(t.base, series.Label{Name: kv[i], Value: kv[i+1]})
	}
	// The offset is a hash of the target, as in Prometheus. It stays below 15 s in history too, so that a cluster can go from
	// history to live scrapes without a jump in any counter's spacing.
	r := newRNG(w.cfg.Seed, "offset "+series.Labels(t.base).String())
	t.offset[0] = 50 + int64(r.intn(stepLiveMs-100))
	t.offset[1] = 50 + (t.offset[0]+6_000)%(stepLiveMs-100)
	t.phase = r.intn(every)
	t.meta = &block{t: t}
	w.add(t.meta, "up")
	w.add(t.meta, "scrape_samples_scraped")
	t.meta.vals[0] = 1
	w.targets = append(w.targets, t)
	w.dirty = true
	return t
}

// block adds an empty block to the target.
func (t *target) block() *block {
	b := &block{t: t}
	t.blocks = append(t.blocks, b)
	return b
}

// end ends the series of a block with the next scrape. Ending nil is allowed: not every pod has every block.
func (b *block) end() {
	if b != nil {
		b.ended = true
	}
}

// add gives the block a series and returns its row. kv are the metric's own labels.
func (w *world) add(b *block, name string, kv ...string) int {
	row := len(b.vals)
	b.vals = append(b.vals, 0)
	for rep := range w.cfg.Replicas {
		l := make(series.Labels, 0, 4+len(b.t.base)+len(kv)/2)
		l = append(l, series.Label{Name: series.NameLabel, Value: name})
		for i := 0; i < len(kv); i += 2 {
			if kv[i+1] != "" {
				l = append(l, series.Label{Name: kv[i], Value: kv[i+1]})
			}
		}
		own := len(l)
	base:
		for _, x := range b.t.base {
			for _, y := range l[1:own] {
				if x.Name == y.Name {
					continue base
				}
			}
			l = append(l, x)
		}
		if w.cfg.Cluster != "" {
			l = append(l, series.Label{Name: "cluster", Value: w.cfg.Cluster})
		}
		l = append(l, series.Label{Name: "prometheus", Value: "monitoring/k8s"},
			series.Label{Name: "prometheus_replica", Value: replicaNames[rep]})
		sort.Slice(l, func(i, j int) bool { return l[i].Name < l[j].Name })
		r := &b.rows[rep]
		r.labels = append(r.labels, l)
		r.keys = append(r.keys, hashLabels(l))
		r.shard = append(r.shard, uint8(w.refs[rep]%uint64(w.cfg.Shards)))
		w.refs[rep]++
	}
	w.series++
	return row
}

// addHistogram adds the series of a classic histogram and returns the first row; see histogram.observe for their order.
func (w *world) addHistogram(b *block, h *histogram, name string, kv ...string) int {
	first := len(b.vals)
	for _, le := range h.le {
		w.add(b, name+"_bucket", append(kv[:len(kv):len(kv)], "le", le)...)
	}
	w.add(b, name+"_sum", kv...)
	w.add(b, name+"_count", kv...)
	return first
}

var replicaNames = [2]string{"prometheus-k8s-0", "prometheus-k8s-1"}

var hashSeed = maphash.MakeSeed()

// hashLabels keys a label set for senders inside this process.
func hashLabels(l series.Labels) uint64 {
	var h maphash.Hash
	h.SetSeed(hashSeed)
	for _, x := range l {
		h.WriteString(x.Name)
		h.WriteByte(0xff)
		h.WriteString(x.Value)
		h.WriteByte(0xff)
	}
	return h.Sum64()
}
