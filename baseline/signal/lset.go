package signal

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/wrackline/wrackline/baseline/series"
)

// A projection maps label sets to label sets and remembers the answers, so that a steady window does no label work. Projections
// live in the table and are shared by all plans: there are few distinct ones ("by cluster, namespace, workload"), and each knows
// only the pages of ids that were asked of it.
type projection struct {
	table *labelTable
	names []string // sorted
	drop  bool     // names are dropped instead of kept
	pages [][]uint32
}

// pageBits: ids of one leaf are given out near each other, so a page of 256 answers is mostly used.
const pageBits = 8

// projection returns the shared projection that keeps, or drops, the names (sorted).
func (t *labelTable) projection(names []string, drop bool) *projection {
	spec := strconv.FormatBool(drop) + "\xff" + strings.Join(names, "\xff")
	p := t.projections[spec]
	if p == nil {
		p = &projection{table: t, names: names, drop: drop}
		t.projections[spec] = p
	}
	return p
}

// of returns the id of the projected set.
func (p *projection) of(id uint32) uint32 {
	if page := id >> pageBits; int(page) < len(p.pages) && p.pages[page] != nil {
		if got := p.pages[page][id&(1<<pageBits-1)]; got != 0 {
			return got - 1
		}
	}
	return p.miss(id)
}

func (p *projection) miss(id uint32) uint32 {
	var buf [16]series.Label
	l := series.Labels(buf[:0])
	for _, x := range p.table.labels(id) {
		if slices.Contains(p.names, x.Name) != p.drop {
			l = append(l, x)
		}
	}
	got := p.table.intern(l)
	page := int(id >> pageBits)
	if page >= len(p.pages) {
		p.pages = append(p.pages, make([][]uint32, page+1-len(p.pages))...)
	}
	if p.pages[page] == nil {
		p.pages[page] = make([]uint32, 1<<pageBits)
	}
	p.pages[page][id&(1<<pageBits-1)] = got + 1
	return got
}

// slot is scratch that belongs to a label set while one node is evaluated.
type slot struct {
	epoch uint32
	pos   int32
}

// begin makes all slots empty. Only one node uses them at a time: a node evaluates its children first.
func (t *labelTable) begin() {
	t.epoch++
	if t.epoch == 0 { // wrapped: old marks could look new
		clear(t.slots)
		t.epoch = 1
	}
}

// slot returns the position noted for the id since begin, and whether there is one.
func (t *labelTable) slot(id uint32) (int32, bool) {
	if int(id) < len(t.slots) && t.slots[id].epoch == t.epoch {
		return t.slots[id].pos, true
	}
	return 0, false
}

// setSlot notes a position for the id.
func (t *labelTable) setSlot(id uint32, pos int32) {
	if int(id) >= len(t.slots) {
		t.slots = append(t.slots, make([]slot, len(t.sets)-len(t.slots))...)
	}
	t.slots[id] = slot{t.epoch, pos}
}

// scratch is memory that evaluations share, since they run one after the other: what a plan holds between windows does not grow with
// the number of series that it selects.
type scratch struct {
	free    [][]element // vectors that nobody uses
	accs    []acc
	pos     []int32
	ends    []int32
	match   []int32
	vals    []float64
	buckets []bucket
	temp    histArena // histograms of the plan that is evaluated
	kept    histArena // those of shared nodes, until the window is done
	math    histMath
}

// histArena hands out histograms and reuses them.
type histArena struct {
	all []*hist
	n   int
}

func (a *histArena) take() *hist {
	if a.n == len(a.all) {
		a.all = append(a.all, &hist{})
	}
	a.n++
	return a.all[a.n-1]
}

// takeHist returns a histogram to fill, and its number.
func (w *scratch) takeHist() (*hist, int32) {
	h := w.temp.take()
	return h, int32(w.temp.n)
}

// hist returns the histogram with a number.
func (w *scratch) hist(i int32) *hist {
	if i < 0 {
		return w.kept.all[-i-1]
	}
	return w.temp.all[i-1]
}

// keep moves the histograms of a vector to where they outlive the plan.
func (w *scratch) keep(vec []element) {
	for i := range vec {
		if e := &vec[i]; e.hist > 0 {
			w.kept.take().copyOf(w.hist(e.hist))
			e.hist = -int32(w.kept.n)
		}
	}
}

// take returns an empty vector, give takes one back. The one that was given last comes first: it is warm, and likely large enough.
func (w *scratch) take() []element {
	n := len(w.free)
	if n == 0 {
		return nil
	}
	v := w.free[n-1]
	w.free[n-1] = nil
	w.free = w.free[:n-1]
	return v[:0]
}

func (w *scratch) give(v []element) {
	if cap(v) > 0 {
		w.free = append(w.free, v)
	}
}

// bound returns le of a label set as a number, if it is one. Answers are remembered: parsing is the dear part.
func (t *labelTable) bound(ls uint32) (float64, bool) {
	for int(ls) >= len(t.bounds) { // 0 is no answer yet: bounds are kept as their bits + 1
		t.bounds = append(t.bounds, make([]uint64, len(t.sets)-len(t.bounds))...)
	}
	if t.bounds[ls] == 0 {
		v, err := strconv.ParseFloat(t.labels(ls).Get(labels.BucketLabel), 64)
		if err != nil {
			v = math.NaN()
		}
		t.bounds[ls] = math.Float64bits(v) + 1
	}
	v := math.Float64frombits(t.bounds[ls] - 1)
	return v, !math.IsNaN(v)
}

// numeric compares bucket bounds as numbers: Prometheus 3 writes le="1.0" where older ones keep le="1".
func (m matcher) numeric(value string) bool {
	if m.m.Type != labels.MatchEqual {
		return false
	}
	a, errA := strconv.ParseFloat(m.m.Value, 64)
	b, errB := strconv.ParseFloat(value, 64)
	return errA == nil && errB == nil && a == b
}
